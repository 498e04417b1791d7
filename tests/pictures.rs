//! Pictures by the real command on the software adapter: what a picture must show, read from its pixels.

use strata_tests::{
    district,
    picture::{Rgb, delta_e, hue_deg, lab},
    scratch, strata_ok,
};

fn shot(name: &str, extra: &[&str]) -> Rgb {
    let out = scratch(&format!("shot-{name}")).join(format!("{name}.png"));
    let city = district().to_str().expect("UTF-8");
    let scene = if extra.first().is_some_and(|e| !e.starts_with('-')) { extra[0] } else { "01-city-day" };
    let extra = if extra.first() == Some(&scene) { &extra[1..] } else { extra };
    let mut args = vec!["shot", city, scene, "-o", out.to_str().expect("UTF-8")];
    args.extend(extra);
    if !extra.contains(&"--size") {
        args.extend(["--size", "480x270"]);
    }
    strata_ok(&args);
    Rgb::read(&out)
}

/// Over 人民广场, looking north-west.
const CAMERA: [&str; 2] = ["--camera", "125.3186,43.8866,215,2200,330,-28"];

#[test]
fn a_day_a_night_and_another_year_are_told_apart() {
    let day = shot("day", &CAMERA);
    assert_eq!((day.width, day.height), (480, 270));
    assert!(day.data.iter().all(|p| *p != [255; 3]), "nothing lit by the sun is paper white");
    // The sky pales towards the horizon.
    assert!(day.brightness(0..8) < day.brightness(40..48) + 12.0);
    // The same scene is the same picture.
    assert!(shot("again", &CAMERA).data == day.data, "two drawings of one scene differ");
    let night = shot("night", &[&CAMERA[..], &["--at", "2026-01-20T20:00:00+08:00"]].concat());
    assert!(night.brightness(0..270) < 0.5 * day.brightness(0..270), "night is no darker than day");
    // Lit windows: some pixels of a dark picture are bright and warm.
    let lit = night.data.iter().filter(|p| p[0] > 110 && p[0] > p[2]).count();
    assert!(lit > 20, "{lit} lit pixels at night");
    // Most houses of today did not stand in 1950, under the same sun.
    let then = shot("then", &[&CAMERA[..], &["--at", "1950-06-21T09:30:00+08:00"]].concat());
    let changed = then.data.iter().zip(&day.data).filter(|(a, b)| (0..3).any(|k| a[k].abs_diff(b[k]) > 24)).count();
    assert!(changed * 12 > day.data.len(), "only {changed} pixels tell 1950 from 2026");
}

/// With `--frame` the picture stands on a sheet: paper around it, words on it, and the mark of synthetic data in its own ink.
#[test]
fn a_framed_picture_carries_its_mark() {
    let framed = shot("framed", &[&CAMERA[..], &["--frame"]].concat());
    assert_eq!((framed.width, framed.height), (480, 270));
    let paper = framed.data.iter().filter(|p| **p == [250, 250, 248]).count();
    assert!(paper * 12 > framed.data.len(), "the sheet has a foot: {paper}");
    // The mark's violet, thinned by the edges of small letters.
    let mark = framed.data[240 * framed.width..].iter().filter(|p| i32::from(p[2]) > i32::from(p[1]) + 25).count();
    assert!(mark > 40, "{mark} pixels of the synthetic mark");
    // Words with their halo lie on the city: near-white touches near-black there, which the city alone does not do.
    let near = |p: [u8; 3], v: u8| p.iter().all(|c| c.abs_diff(v) < 40);
    let pairs = framed.data[..230 * framed.width].windows(3).filter(|w| near(w[0], 250) && near(w[2], 30)).count();
    assert!(pairs > 20, "no name of a place is drawn: {pairs}");
}

/// The plate's swatch and the pixel that it explains are one colour: land use within ΔE 3, tubes within 6° of hue.
#[test]
fn legend_and_picture_say_the_same() {
    let plate = shot("plate-landuse", &["05-landuse", "--frame", "--size", "960x600"]);
    // The column right of the field: swatches are the areas of one colour in it.
    let (field, column) = (0..780, 800..840);
    let count = |rgb: [u8; 3], range: std::ops::Range<usize>| {
        (0..plate.height)
            .flat_map(|y| range.clone().map(move |x| (x, y)))
            .filter(|(x, y)| delta_e(lab(plate.at(*x, *y)), lab(rgb)) < 3.0)
            .count()
    };
    // 城镇住宅, 商业, 公园, 教育 of the statutory table, 70 % over the paper 242, 239, 232, by hand.
    for (code, drawn) in [("0701", [251, 250, 101]), ("09", [251, 72, 70]), ("1401", [73, 250, 70]), ("0804", [251, 165, 210])] {
        assert!(count(drawn, field.clone()) > 400, "{code} lies on the ground in its colour");
        assert!(count(drawn, column.clone()) > 40, "{code} stands in the legend in the same colour");
    }
    let xray = shot("xray-hues", &["07-xray", "--size", "960x600"]);
    for (class, swatch) in [
        ("JS", [0, 255, 255]),
        ("RQ", [255, 0, 255]),
        ("RL", [255, 128, 0]),
        ("DL", [255, 0, 0]),
        ("TX", [0, 255, 0]),
        ("PS", [76, 57, 38]),
    ] {
        let want = hue_deg(swatch).expect("a hue");
        let near = |c: &[u8; 3]| {
            let spread = c.iter().max().expect("three") - c.iter().min().expect("three");
            spread > if class == "PS" { 24 } else { 90 }
                && hue_deg(*c).is_some_and(|h| {
                    (h - want + 180.0).rem_euclid(360.0) - 180.0 < 6.0 && (h - want + 180.0).rem_euclid(360.0) - 180.0 > -6.0
                })
        };
        let found = xray.data.iter().filter(|c| near(c)).count();
        assert!(found > 150, "{class}: {found} pixels of its hue");
    }
}
