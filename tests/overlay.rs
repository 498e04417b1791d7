//! Application layers on pictures by the real command: what a pixel says is counted against plain geometry. Scenes of the tests
//! show bare ground and one overlay, looking straight down or level, so that metres and pixels are one factor apart.

use serde_json::{Value, json};
use strata_tests::{
    district,
    picture::{Rgb, delta_e, lab},
    scratch, strata_ok,
};

/// Over the district's middle.
const PLACE: [f64; 2] = [125.3186, 43.8866];
const SIZE: [usize; 2] = [720, 540];

/// A place so many metres east and north, by the radii of curvature of WGS 84 at 43.8866° N.
fn at(e: f64, n: f64) -> [f64; 2] {
    let lat = PLACE[1].to_radians();
    let w = 1.0 - 0.006_694_379_990_14 * lat.sin().powi(2);
    let (across, along) = (6_378_137.0 / w.sqrt() * lat.cos(), 6_378_137.0 * (1.0 - 0.006_694_379_990_14) / w.powf(1.5));
    [PLACE[0] + (e / across).to_degrees(), PLACE[1] + (n / along).to_degrees()]
}

fn feature(id: &str, kind: &str, coordinates: Value, v: Value) -> Value {
    json!({ "type": "Feature", "id": id, "geometry": { "type": kind, "coordinates": coordinates }, "properties": { "v": v } })
}

fn square(e: f64, n: f64, side: f64) -> Value {
    json!([[at(e, n), at(e + side, n), at(e + side, n + side), at(e, n + side), at(e, n)]])
}

/// Draws one overlay over bare ground.
fn drawn(name: &str, distance_m: f64, pitch_deg: f64, mut overlay: Value, features: &[Value], extra: &[&str]) -> Rgb {
    let dir = scratch(&format!("overlay-{name}"));
    let base = json!({ "id": name, "title": { "zh": "试验", "en": "Trial" }, "source": { "geojson": { "type": "FeatureCollection", "features": features } }, "value": "v", "time": "2026" });
    overlay.as_object_mut().expect("an object").extend(base.as_object().expect("an object").clone());
    let scene = json!({
        "version": 8, "name": name, "sources": {},
        "metadata": {
            "strata:camera": { "target": [PLACE[0], PLACE[1], 215.0], "distance_m": distance_m, "heading_deg": 0, "pitch_deg": pitch_deg },
            "strata:time": "2026-06-21T12:00:00+08:00", "strata:labels": false, "strata:overlays": [overlay],
        },
        "layers": [{ "id": "terrain", "type": "background", "metadata": { "strata:theme": "terrain", "strata:tileset": "/3dtiles/terrain/tileset.json" } }],
    });
    let (path, out) = (dir.join("scene.json"), dir.join("out.png"));
    std::fs::write(&path, scene.to_string()).expect("a scene");
    let size = format!("{}x{}", SIZE[0], SIZE[1]);
    let mut args = vec![
        "shot",
        district().to_str().expect("UTF-8"),
        path.to_str().expect("UTF-8"),
        "-o",
        out.to_str().expect("UTF-8"),
        "--size",
        &size,
    ];
    args.extend(extra);
    strata_ok(&args);
    Rgb::read(&out)
}

fn near(a: [u8; 3], b: [u8; 3]) -> bool {
    delta_e(lab(a), lab(b)) < 3.0
}

fn count(p: &Rgb, rgb: [u8; 3]) -> f64 {
    p.data.iter().filter(|c| near(**c, rgb)).count() as f64
}

/// Metres of a pixel at the camera's target: 40° of view from top to bottom.
fn metres_per_px(distance_m: f64) -> f64 {
    2.0 * distance_m * 20f64.to_radians().tan() / SIZE[1] as f64
}

const ENDS: [[u8; 3]; 2] = [[0, 32, 77], [255, 234, 70]];

#[test]
fn heat_is_its_swatch_and_no_data_is_not_zero() {
    // Four by four cells of 100 m: zeros in the first column, tens in the second, nothing in the others but one without a value.
    let mut features = Vec::new();
    for row in 0..4 {
        for (column, v) in [(0, json!(0.0)), (1, json!(10.0))] {
            let p = at(-150.0 + f64::from(column) * 100.0, -150.0 + f64::from(row) * 100.0);
            features.push(feature(&format!("{row}{column}"), "Point", json!(p), v));
        }
    }
    features.push(feature("none", "Point", json!(at(150.0, -50.0)), Value::Null));
    let ([w, s], [e, n]) = (at(-199.0, -199.0), at(199.0, 199.0));
    let heat = json!({ "kind": "heat", "cell_m": 100, "extent": [w, s, e, n] });
    let p = drawn("heat", 600.0, -89.9, heat.clone(), &features, &[]);
    let cell = (100.0 / metres_per_px(600.0)).powi(2);
    for (name, cells, colours) in
        [("zero", 4.0, &ENDS[..1]), ("ten", 4.0, &ENDS[1..]), ("no data", 8.0, &[[214, 217, 220], [148, 156, 164]])]
    {
        let found: f64 = colours.iter().map(|c| count(&p, *c)).sum();
        // Rims of stripes are mixed by the samples, and ground that is higher than the target looks a little larger.
        let wanted = cells * cell;
        let least = if name == "no data" { 0.62 } else { 0.94 };
        assert!((least..1.06).contains(&(found / wanted)), "{name}: {found} px where {wanted} are wanted");
    }
    // With a plate around it: the ramp's ends stand in the legend in the same colours, and what has no data.
    let framed = drawn("heat-framed", 600.0, -89.9, heat, &features, &["--frame"]);
    let column =
        |c: [u8; 3]| (0..SIZE[1]).flat_map(|y| (598..712).map(move |x| (x, y))).filter(|(x, y)| near(framed.at(*x, *y), c)).count();
    for c in ENDS.into_iter().chain([[214, 217, 220]]) {
        assert!(column(c) > 8, "{c:?} is not in the legend: {} px", column(c));
    }
}

#[test]
fn columns_are_as_high_as_their_value_from_zero() {
    let features: Vec<Value> = [(-300.0, json!(100.0)), (0.0, json!(50.0)), (300.0, json!(0.0))]
        .into_iter()
        .map(|(e, v)| feature(&format!("{e}"), "Point", json!(at(e, 0.0)), v))
        .collect();
    let columns = json!({ "kind": "column", "width_m": 60, "metres_per_unit": 2.0, "colour": "#d55e00" });
    let p = drawn("column", 1500.0, -3.0, columns, &features, &[]);
    // The sides are the swatch under a still light, never under 45 % of it; hue stays.
    let orange = |c: [u8; 3]| c[0] > 120 && c[1] > 40 && c[1] < 120 && c[2] < 20;
    let m = metres_per_px(1500.0);
    let tall = |e: f64| {
        let x = (SIZE[0] as f64 / 2.0 + e / m) as usize;
        (0..SIZE[1]).filter(|y| orange(p.at(x, *y))).count() as f64
    };
    // The pitch shortens heights by cos 3°; the foot may hide behind a rise of the ground.
    for (e, metres) in [(-300.0, 200.0), (0.0, 100.0)] {
        assert!((tall(e) * m - metres).abs() < 7.0, "{} m where {metres} are wanted", tall(e) * m);
    }
    assert!(tall(300.0) < 4.0, "zero has no height");
}

#[test]
fn polygons_on_the_ground_and_as_bodies_have_their_area() {
    let ring =
        |r: f64| json!([(0..=90).map(|k| f64::from(k) * 4f64.to_radians()).map(|a| at(r * a.cos(), r * a.sin())).collect::<Vec<_>>()]);
    let reach: Vec<Value> =
        [200.0, 400.0, 600.0].into_iter().map(|r| feature(&format!("{r}"), "Polygon", ring(r), json!(r / 40.0))).collect();
    // The list's order says nothing: the nearer band lies on the farther.
    let colours = json!({ "kind": "isochrone", "colour": { "domain": [5, 15] } });
    let p = drawn("isochrone", 3000.0, -89.9, colours, &reach, &[]);
    let m2 = metres_per_px(3000.0).powi(2);
    let disc = |r: f64| std::f64::consts::PI * r * r;
    for (colour, wanted) in [(ENDS[0], disc(200.0)), (ENDS[1], disc(600.0) - disc(400.0))] {
        let found = count(&p, colour) * m2;
        assert!((found / wanted - 1.0).abs() < 0.06, "{colour:?}: {found} m² where {wanted:.0} are wanted");
    }
    // A body of 100 × 100 m, 120 m high, seen from above: its top is nearer, so it looks larger by that.
    let p = drawn(
        "area",
        600.0,
        -89.9,
        json!({ "kind": "area", "metres_per_unit": 12.0, "colour": "#0072b2" }),
        &[feature("a", "Polygon", square(-50.0, -50.0, 100.0), json!(10))],
        &[],
    );
    let found = count(&p, [0, 114, 178]) * metres_per_px(600.0).powi(2);
    let wanted = 1e4 * (600.0f64 / 480.0).powi(2);
    assert!((found / wanted - 1.0).abs() < 0.06, "{found} m² where {wanted} are wanted");
}

#[test]
fn lines_have_their_width_in_pixels_and_arcs_rise() {
    let line = [feature("l", "LineString", json!([at(-150.0, 0.0), at(150.0, 0.0)]), json!(1))];
    let p = drawn("track", 600.0, -89.9, json!({ "kind": "track", "width_px": 6, "colour": "#c3262e" }), &line, &[]);
    // Six px across, of which the casing takes one on each side.
    let length = 300.0 / metres_per_px(600.0);
    let found = count(&p, [195, 38, 46]);
    assert!((found / (length * 4.0) - 1.0).abs() < 0.30, "{found} px of {}", length * 4.0);
    let p = drawn("arc", 900.0, -2.0, json!({ "kind": "arc", "width_px": 6, "colour": "#c3262e" }), &line, &[]);
    let rows: Vec<usize> = (0..SIZE[1]).filter(|y| (0..SIZE[0]).any(|x| near(p.at(x, *y), [195, 38, 46]))).collect();
    let rise = (rows.last().expect("an arc") - rows[0]) as f64 * metres_per_px(900.0);
    assert!((rise - 0.28 * 300.0).abs() < 9.0, "{rise} m of 84");
}

/// Each scene of an overlay in the folder draws, with its legend, on the district.
#[test]
fn every_scene_of_an_overlay_draws_its_colours() {
    for (scene, colours) in [
        ("overlay-columns", &[ENDS[0]][..]),
        ("overlay-heat", &[[214, 217, 220]]),
        ("overlay-areas", &[ENDS[0]]),
        ("overlay-tracks", &[[11, 98, 184]]),
        ("overlay-isochrones", &[[0x39, 0x48, 0x6B]]),
    ] {
        let out = scratch(scene).join("out.png");
        strata_ok(&[
            "shot",
            district().to_str().expect("UTF-8"),
            scene,
            "-o",
            out.to_str().expect("UTF-8"),
            "--size",
            "640x400",
            "--frame",
        ]);
        let p = Rgb::read(&out);
        for c in colours {
            let found = p.data.iter().filter(|v| delta_e(lab(**v), lab(*c)) < 8.0).count();
            assert!(found > 60, "{scene}: {found} px of {c:?}");
        }
    }
}

#[test]
fn a_scene_whose_overlay_is_wrong_says_where() {
    let dir = scratch("overlay-wrong");
    let path = dir.join("scene.json");
    let scene = json!({ "version": 8, "layers": [], "metadata": { "strata:time": "2026-01-01", "strata:camera": { "target": [125.3, 43.9, 200], "distance_m": 100, "pitch_deg": -30 },
        "strata:overlays": [{ "id": "a", "kind": "heat", "title": { "zh": "", "en": "" }, "source": { "layer": "buildings" } }] } });
    std::fs::write(&path, scene.to_string()).expect("a scene");
    let out = strata_tests::strata(&[
        "shot",
        district().to_str().expect("UTF-8"),
        path.to_str().expect("UTF-8"),
        "-o",
        dir.join("x.png").to_str().expect("UTF-8"),
    ]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && said.contains("strata:overlays[0]") && said.contains("cell_m"), "{said}");
}
