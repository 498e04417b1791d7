//! A section box cuts the whole picture: bodies, application layers, what is picked and what a lasso holds.

mod common;

use common::{bodies, flat};
use glam::{DMat4, Vec3};
use serde_json::json;
use strata_model::{Enu, Instant};
use strata_render::{Look, Quality, Renderer};
use strata_scene::{Camera, Mode, Overlay, SectionBox};
use strata_tiles::content::{Column, FeatureTable, Primitive, Role, TileContent};

const SIZE: [u32; 2] = [240, 160];
const TARGET: [f64; 3] = [125.3, 43.9, 200.0];

/// A house and a symbol in the west, another of each in the east; sections that leave one side.
#[test]
fn a_section_takes_application_layers_and_what_a_lasso_holds() {
    let mut renderer = pollster::block_on(Renderer::headless(SIZE[0], SIZE[1], Quality::Medium)).expect("an adapter");
    let view = Camera::new(TARGET, 160.0, 0.0, -50.0).view(SIZE);
    let house = |x: f32| [Vec3::new(x - 8.0, -8.0, 0.0), Vec3::new(x + 8.0, 8.0, 10.0)];
    let tile = |id: &str, x: f32| TileContent {
        ecef_from_tile: DMat4::from_cols_array(&view.enu.matrix_ecef_from_local()).to_cols_array(),
        primitives: vec![bodies(Role::Wall, &[house(x)])],
        features: FeatureTable { ids: vec![id.into()], valid_from_day: vec![i32::MIN], valid_to_day: vec![i32::MAX], ..Default::default() },
    };
    let ground = TileContent {
        primitives: vec![flat(Role::Terrain, [Vec3::new(-80.0, -80.0, 0.0), Vec3::new(80.0, 80.0, 0.0)], 0.0)],
        features: FeatureTable::default(),
        ..tile("ground", 0.0)
    };
    let tiles: Vec<_> = [tile("west", -30.0), tile("east", 30.0), ground].iter().map(|t| renderer.upload(t)).collect();
    let enu = Enu::at_geographic(TARGET);
    let place = |x: f64| strata_model::geographic_from_ecef(enu.ecef_from_local([x, -20.0, 6.0]));
    let points: Vec<_> = [("w", -30.0), ("e", 30.0)]
        .map(|(id, x)| {
            let [lon, lat, height_m] = place(x);
            json!({ "type": "Feature", "id": id, "properties": {}, "geometry": { "type": "Point", "coordinates": [lon, lat, height_m] } })
        })
        .into();
    let overlay = json!({ "id": "marks", "kind": "icon", "source": { "layer": "marks" }, "title": { "zh": "点", "en": "Marks" }, "colour": "#d7263d" });
    let overlay = Overlay::read(overlay, "marks").expect("an overlay");
    renderer.set_overlay(&overlay, &json!({ "type": "FeatureCollection", "features": points }), TARGET[2]).expect("shown");

    let clear = Look::at(Instant::from_ymd(2026, 6, 21), TARGET[0], TARGET[1], 8.0);
    let cut = |outside| {
        // West of the middle.
        let low_m = [-70.0, -70.0, -5.0];
        let section = SectionBox { centre: TARGET, heading_deg: 0.0, low_m, high_m: [0.0, 70.0, 60.0], outside, outline: Vec::new() };
        Look { section: Some(section), ..clear.clone() }
    };
    let everything = [[0.0, 0.0], [240.0, 0.0], [240.0, 160.0], [0.0, 160.0]];
    let px = |x: f64| view.project(enu.ecef_from_local([x, -20.0, 6.0])).expect("on the screen").0;
    for (look, held, marks) in [
        (clear.clone(), vec!["east", "west"], [true, true]),
        (cut(false), vec!["west"], [true, false]),
        (cut(true), vec!["east"], [false, true]),
    ] {
        let mut seen: Vec<String> = renderer.within(&view, &everything, &look, &tiles).into_iter().map(|(_, id)| id).collect();
        seen.sort();
        assert_eq!(seen, held);
        renderer.draw(&view, &look, &tiles);
        let picture = renderer.read_rgba().expect("a picture");
        for (x, id, there) in [(-30.0, "w", marks[0]), (30.0, "e", marks[1])] {
            let [col, row] = px(x);
            let hit = renderer.pick_overlay(&view, &look, col, row).and_then(|h| h.id);
            assert_eq!(hit.as_deref(), there.then_some(id), "{held:?}");
            let at = (row as usize * SIZE[0] as usize + col as usize) * 4;
            let [r, g, b] = [0, 1, 2].map(|k| i32::from(picture[at + k]));
            assert_eq!((r - 215).abs() < 12 && (g - 38).abs() < 12 && (b - 61).abs() < 12, there, "{held:?} {id}: {r} {g} {b}");
        }
    }
}

/// A pipe from west to east, seen through the ground: its words stand where the section leaves it.
#[test]
fn a_section_takes_the_words_of_what_it_takes() {
    let mut renderer = pollster::block_on(Renderer::headless(SIZE[0], SIZE[1], Quality::Medium)).expect("an adapter");
    let view = Camera::new(TARGET, 70.0, 0.0, -50.0).view(SIZE);
    let mut tube = Primitive { role: Some(Role::Pipe), ..Default::default() };
    for x in [-20.0f32, 20.0] {
        for k in 0..=6 {
            let (sin, cos) = (std::f32::consts::TAU * (k % 6) as f32 / 6.0).sin_cos();
            tube.positions.push([x, 0.5 * cos, 0.5 * sin - 2.0]);
            tube.normals.push([0.0, cos, sin]);
            tube.uv.push([k as f32 / 6.0, x + 20.0]);
            tube.uv2.push([0.5, 2.0]);
            tube.feature_rows.push(0);
        }
    }
    tube.indices = (0..6).flat_map(|k| [k, k + 7, k + 8, k, k + 8, k + 1]).collect();
    let column = |name: &str, text: &str| (name.to_owned(), Column::Text(vec![text.into()]));
    let tile = renderer.upload(&TileContent {
        ecef_from_tile: view.enu.matrix_ecef_from_local(),
        primitives: vec![tube],
        features: FeatureTable {
            ids: vec!["p".into()],
            valid_from_day: vec![i32::MIN],
            valid_to_day: vec![i32::MAX],
            columns: [column("class", "JS"), ("dn_mm".into(), Column::Float(vec![300.0]))].into(),
        },
    });
    let clear = Look { mode: Mode::Xray, ..Look::at(Instant::from_ymd(2026, 6, 21), TARGET[0], TARGET[1], 8.0) };
    let half = |low: f64, high: f64| {
        let (low_m, high_m) = ([low, -50.0, -9.0], [high, 50.0, 9.0]);
        let section = SectionBox { centre: TARGET, heading_deg: 0.0, low_m, high_m, outside: false, outline: Vec::new() };
        Look { section: Some(section), ..clear.clone() }
    };
    let words = |look: &Look| -> Vec<f32> {
        let all = renderer.words(&view, look, &[tile], 9.0);
        all.iter().filter(|l| l.text.starts_with("JS")).map(|l| l.at[0] - SIZE[0] as f32 / 2.0).collect()
    };
    let [whole] = words(&clear)[..] else { panic!("one word") };
    let [west] = words(&half(-50.0, 0.0))[..] else { panic!("one word in the west") };
    let [east] = words(&half(0.0, 50.0))[..] else { panic!("one word in the east") };
    assert!(whole.abs() < 3.0 && west < -10.0 && east > 10.0, "{whole}, {west}, {east}");
    assert!(words(&half(30.0, 50.0)).is_empty(), "nothing is left of it");
}

/// A tube along the first axis, in a tile of these axes.
fn tube(from: f32, to: f32, depth_m: f32, radius_m: f32) -> Primitive {
    let mut tube = Primitive { role: Some(Role::Pipe), ..Default::default() };
    for x in [from, to] {
        for k in 0..=12 {
            let (sin, cos) = (std::f32::consts::TAU * (k % 12) as f32 / 12.0).sin_cos();
            tube.positions.push([x, radius_m * cos, radius_m * sin - depth_m]);
            tube.normals.push([0.0, cos, sin]);
            tube.uv.push([k as f32 / 12.0, x - from]);
            tube.uv2.push([radius_m, depth_m]);
            tube.feature_rows.push(0);
        }
    }
    tube.indices = (0..12).flat_map(|k| [k, k + 13, k + 14, k, k + 14, k + 1]).collect();
    tube
}

/// A pipe under flat ground: the earth that a section opens is seen at its cut, hides what lies in it, and lets the pipe out.
#[test]
fn a_section_opens_the_earth_under_the_ground() {
    let mut renderer = pollster::block_on(Renderer::headless(SIZE[0], SIZE[1], Quality::Medium)).expect("an adapter");
    let enu = Enu::at_geographic(TARGET);
    let tile = |primitives, id: &str| TileContent {
        ecef_from_tile: enu.matrix_ecef_from_local(),
        primitives,
        features: FeatureTable { ids: vec![id.into()], valid_from_day: vec![i32::MIN], valid_to_day: vec![i32::MAX], ..Default::default() },
    };
    let mut pipe = tile(vec![tube(-60.0, 60.0, 2.0, 0.5)], "p");
    pipe.features.columns = [("class".to_owned(), Column::Text(vec!["RQ".into()]))].into();
    let ground = tile(vec![flat(Role::Terrain, [Vec3::new(-80.0, -80.0, 0.0), Vec3::new(80.0, 80.0, 0.0)], 0.0)], "g");
    let tiles = [renderer.upload(&pipe), renderer.upload(&ground)];
    let clear = Look::at(Instant::from_ymd(2026, 6, 21), TARGET[0], TARGET[1], 8.0);
    let cut = |outside, outline: Vec<[f64; 2]>| {
        let (low_m, high_m) = ([-20.0, -20.0, -6.0], [20.0, 20.0, 30.0]);
        Look { section: Some(SectionBox { centre: TARGET, heading_deg: 0.0, low_m, high_m, outside, outline }), ..clear.clone() }
    };
    // Of the earth wall: warm and of middling light, whatever its hatch.
    let is_earth = |[r, g, b]: [i32; 3]| r > g && g > b && (32..95).contains(&(r - b)) && (60..235).contains(&r);
    let mut seen = |look: &Look, heading: f64, pitch: f64, at: [f64; 3]| {
        let view = Camera::new(TARGET, 90.0, heading, pitch).view(SIZE);
        let [col, row] = view.project(enu.ecef_from_local(at)).expect("on the screen").0;
        renderer.draw(&view, look, &tiles);
        let picture = renderer.read_rgba().expect("a picture");
        let at = (row as usize * SIZE[0] as usize + col as usize) * 4;
        let picked = renderer.pick(&view, [col, row], look, &tiles).map(|h| h.1);
        ([0, 1, 2].map(|k| i32::from(picture[at + k])), picked)
    };
    let block = cut(false, Vec::new());
    let in_the_wall = [7.3, -19.88, -3.4];
    let (uncut, _) = seen(&clear, 0.0, -18.0, in_the_wall);
    let (wall, hidden) = seen(&block, 0.0, -18.0, in_the_wall);
    assert!(is_earth(wall) && wall != uncut, "{wall:?} {uncut:?}");
    assert_eq!(hidden, None, "what lies in the earth is picked through it");
    assert_eq!(seen(&block, 0.0, -18.0, [3.0, 0.0, -1.5]).1, None);
    // Seen from the east the pipe comes out of its wall, in the colour of gas.
    let (stub, picked) = seen(&block, 270.0, -18.0, [19.95, 0.0, -1.52]);
    assert_eq!(picked.as_deref(), Some("p"), "{stub:?}");
    // What is outside stays: the walls of the hole, its bottom, and no pipe in it.
    let hole = cut(true, Vec::new());
    for at in [[-4.0, 20.12, -3.4], [5.0, 4.0, -6.0]] {
        let (earth, picked) = seen(&hole, 0.0, -45.0, at);
        assert!(is_earth(earth), "{earth:?}");
        assert_eq!(picked, None);
    }
    // Under an outline the earth stands behind its sides: the slanted one here, 6 m behind the box's face.
    let slanted = cut(false, vec![[-20.0, -20.0], [20.0, -8.0], [20.0, 20.0], [-20.0, 20.0]]);
    let side = |share: f64, z: f64| [-20.0 + 40.0 * share, -20.0 + 12.0 * share + 0.12, z];
    assert!(is_earth(seen(&slanted, 0.0, -18.0, side(0.5, -3.4)).0));
    let before_it = [12.0, -19.88, -3.4];
    assert!(is_earth(seen(&block, 0.0, -18.0, before_it).0) && !is_earth(seen(&slanted, 0.0, -18.0, before_it).0));
    // From x-ray and from below the earth is taken away anyway.
    for mode in [Mode::Xray, Mode::Below] {
        assert!(!is_earth(seen(&Look { mode, ..block.clone() }, 0.0, -18.0, in_the_wall).0), "{mode:?}");
    }
}
