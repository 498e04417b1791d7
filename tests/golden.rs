//! The ten pictures of `scenes/` against their references in `tests/golden/`, which `make pictures` renews and no test ever
//! writes. A picture that differs is left beside a picture of the differences under `target/golden/`.

use std::path::PathBuf;
use strata_tests::{
    Server, district, judge,
    picture::{Difference, Rgb, apart_in_the_mean, difference},
    repository, scratch, server, strata_ok,
};

pub const SCENES: [&str; 10] = [
    "01-city-day",
    "02-street-facades",
    "03-winter-dahan",
    "04-night",
    "05-landuse",
    "06-terrain",
    "07-xray",
    "08-cutaway",
    "09-below",
    "10-timediff",
];

/// As `tools/pictures.sh` draws the references.
const SIZE: &str = "800x500";

fn reference(name: &str) -> PathBuf {
    repository().join("tests/golden").join(format!("{name}.png"))
}

fn drawn(city: &std::path::Path, name: &str, file: &str, extra: &[&str]) -> PathBuf {
    let out = scratch(&format!("golden-{file}")).join(format!("{file}.png"));
    let args = ["shot", city.to_str().expect("UTF-8"), name, "-o", out.to_str().expect("UTF-8"), "--size", SIZE, "--frame"];
    strata_ok(&[&args[..], extra].concat());
    out
}

fn compared(name: &str, actual: &std::path::Path) -> (Difference, Rgb) {
    let reference = reference(name);
    assert!(reference.is_file(), "the reference {} is missing: draw it with `make pictures`, look at it, commit it", reference.display());
    let actual = Rgb::read(actual);
    (difference(&actual, &Rgb::read(&reference)), actual)
}

fn holds(name: &str) {
    let (d, actual) = compared(name, &drawn(district(), name, name, &[]));
    if d.tolerated() {
        return;
    }
    // …/debug/deps/all-0123 → the target folder.
    let here = std::env::current_exe().expect("a test has a path");
    let left = here.ancestors().nth(3).expect("a target folder").join("golden");
    std::fs::create_dir_all(&left).expect("a folder for what differs");
    actual.write(&left.join(format!("{name}.png")));
    d.shown_on(&actual).write(&left.join(format!("{name}-diff.png")));
    panic!(
        "{name} differs from its reference: {:.3} % of its pixels, {:.0} % of the worst block; see {}",
        d.share * 100.0,
        d.worst_block * 100.0,
        left.join(format!("{name}-diff.png")).display()
    );
}

macro_rules! scenes {
    ($($test:ident: $k:expr;)*) => { $(#[test] fn $test() { holds(SCENES[$k]); })* };
}
scenes! {
    picture_01_city_by_day: 0;
    picture_02_street_and_facades: 1;
    picture_03_winter: 2;
    picture_04_night: 3;
    picture_05_land_use: 4;
    picture_06_terrain: 5;
    picture_07_xray: 6;
    picture_08_cut_away: 7;
    picture_09_from_below: 8;
    picture_10_two_dates: 9;
}

#[test]
fn a_block_cut_open() {
    holds("block-cut");
}

#[test]
fn every_scene_of_the_folder_has_a_reference_and_the_other_way_round() {
    let names = |dir: &str, ext: &str| {
        let mut all: Vec<String> = std::fs::read_dir(repository().join(dir))
            .expect("a folder")
            .flatten()
            .filter(|e| e.path().extension().is_some_and(|x| x == ext))
            .map(|e| e.path().file_stem().expect("a name").to_string_lossy().into_owned())
            .filter(|n| n.as_bytes()[0].is_ascii_digit())
            .collect();
        all.sort();
        all
    };
    assert_eq!(names("scenes", "json"), SCENES);
    assert_eq!(names("tests/golden", "png"), SCENES);
    for name in SCENES.iter().copied().chain(["13-planner", "block-cut"]) {
        let p = Rgb::read(&repository().join(format!("docs/img/{name}.png")));
        assert_eq!([p.width, p.height], [1920, 1080], "{name}");
    }
}

/// The difference on the picture alone: the foot of the plate, which prints time and version, would give any change away.
fn on_the_city(name: &str, actual: &std::path::Path) -> Difference {
    let field = |p: &Rgb| Rgb { height: 440, data: p.data[..440 * p.width].to_vec(), ..*p };
    difference(&field(&Rgb::read(actual)), &field(&Rgb::read(&reference(name))))
}

/// A still of a scene with a section shows what is in the box and nothing else of the city; without, all of it.
#[test]
fn a_section_in_a_scene_file_cuts_the_still() {
    let text = std::fs::read_to_string(repository().join("scenes/01-city-day.json")).expect("a scene");
    let mut scene: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut edges = |name: &str, section: serde_json::Value| {
        scene["metadata"]["strata:section"] = section;
        let file = scratch(name).join("scene.json");
        std::fs::write(&file, scene.to_string()).expect("written");
        let out = file.with_extension("png");
        let [city, file, to] = [district(), &file, &out].map(|p| p.to_str().expect("UTF-8"));
        strata_ok(&["shot", city, file, "--size", "320x180", "-o", to]);
        let picture = Rgb::read(&out);
        // Pixels that differ from their neighbour: bare ground and sky have none.
        let edge = |x: usize, y: usize| (0..3).any(|k| picture.at(x, y)[k].abs_diff(picture.at(x + 1, y)[k]) > 12);
        (0..180).flat_map(|y| (0..319).map(move |x| (x, y))).filter(|&(x, y)| edge(x, y)).count()
    };
    let whole = edges("whole-still", serde_json::Value::Null);
    let cut = edges("cut-still", serde_json::json!({ "low_m": [-250, -250, -30], "high_m": [250, 250, 300] }));
    assert!(cut > 50 && cut * 4 < whole, "{cut} of {whole} edges are left");
}

/// What a planner would see, the comparison sees: the sun an hour on, one main out of hundreds gone.
#[test]
fn a_small_change_is_caught() {
    let later = drawn(district(), "03-winter-dahan", "sun-later", &["--at", "2026-01-20T12:50:00+08:00"]);
    let d = on_the_city("03-winter-dahan", &later);
    assert!(!d.tolerated(), "the sun moved by an hour and nothing was seen: {:.4} {:.3}", d.share, d.worst_block);

    let city = scratch("one-pipe-less").join("city");
    std::fs::create_dir_all(&city).expect("a folder");
    copy(district(), &city);
    let server = Server::start(&city);
    let gone = water_main(&server);
    let form = serde_json::json!({ "title": "one main less", "changes": [{ "layer": "pipes", "remove": gone }] });
    let proposal = server.post("/api/proposals", &form);
    let id = proposal["id"].as_str().expect("an id");
    server.post(&format!("/api/proposals/{id}/merge"), &serde_json::json!({}));
    drop(server);
    let d = on_the_city("07-xray", &drawn(&city, "07-xray", "one-pipe-less", &[]));
    assert!(!d.tolerated(), "{gone} is gone and nothing was seen: {:.5} {:.3}", d.share, d.worst_block);
    // And it is a small change: nearly all of the picture is as it was.
    assert!(d.share < 0.03, "{:.4}", d.share);
}

/// One renderer: the page's canvas in a browser and the program's picture of the same scene, on two software adapters.
#[test]
fn page_and_program_draw_the_same() {
    const BOTH: [&str; 5] = ["01-city-day", "02-street-facades", "05-landuse", "06-terrain", "07-xray"];
    let (s, out) = (server(), scratch("agree"));
    let seen = judge("agree.mjs", &[&[s.url.as_str(), &s.token, out.to_str().expect("UTF-8")][..], &BOTH].concat());
    assert_eq!(seen["errors"], serde_json::json!([]), "{seen}");
    for name in BOTH {
        assert_eq!(seen["ready"][name], true, "{name}: {seen}");
        let size = format!("{}x{}", seen["sizes"][name][0], seen["sizes"][name][1]);
        let native = out.join(format!("{name}-native.png"));
        strata_ok(&["shot", district().to_str().expect("UTF-8"), name, "-o", native.to_str().expect("UTF-8"), "--size", &size]);
        let (page, program) = (Rgb::read(&out.join(format!("{name}.png"))), Rgb::read(&native));
        let (apart, d) = (apart_in_the_mean(&page, &program), difference(&page, &program));
        println!("{name}, {size}: ΔE {apart:.2} in the worst block, {:.2} % of the pixels differ by themselves", d.share * 100.0);
        // Two adapters round edges and far trees each in its way; nothing else may differ.
        if apart > 2.5 || d.share > 0.05 {
            d.shown_on(&page).write(&out.join(format!("{name}-diff.png")));
            panic!("{name}: ΔE {apart:.1} in the worst block, {:.2} % of the pixels differ; see {}", d.share * 100.0, out.display());
        }
    }
}

/// A water main at the crossing of the x-ray picture.
fn water_main(server: &Server) -> String {
    let found = server.json("/ogc/collections/pipes/items?bbox=125.3186,43.8758,125.3192,43.8763&limit=200");
    let features = found["features"].as_array().expect("features");
    // The one that shows most: the longest of the widest, no branch to a hydrant.
    let shows = |f: &serde_json::Value| {
        let c = f["geometry"]["coordinates"].as_array().expect("a line");
        let at = |i: usize, k: usize| c[i][k].as_f64().expect("a number");
        let last = c.len() - 1;
        (at(0, 0) - at(last, 0)).hypot(at(0, 1) - at(last, 1)) * f["properties"]["dn_mm"].as_f64().unwrap_or(0.0)
    };
    let mains = features.iter().filter(|f| f["properties"]["class"] == "JS");
    let main = mains.max_by(|a, b| shows(a).total_cmp(&shows(b))).expect("a water main at the crossing");
    main["id"].as_str().expect("an id").to_owned()
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).expect("a folder");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

/// The yardstick itself, on pictures made by hand: an edge moved by a rounding passes, a line that is there or not does not.
#[test]
fn the_yardstick_knows_rounding_from_change() {
    let plain = Rgb { width: 240, height: 160, data: vec![[217, 211, 199]; 240 * 160] };
    let with = |draw: &dyn Fn(usize, usize) -> Option<[u8; 3]>| {
        let mut p = plain.clone();
        for y in 0..160 {
            for x in 0..240 {
                if let Some(c) = draw(x, y) {
                    p.data[y * 240 + x] = c;
                }
            }
        }
        p
    };
    let edge = |at: usize| with(&move |x, _| (x >= at).then_some([90, 120, 60]));
    assert!(difference(&edge(100), &edge(101)).tolerated(), "an edge moved by one pixel");
    assert!(!difference(&edge(100), &edge(104)).tolerated(), "an edge moved by four");
    let noisy = with(&|x, y| Some([217, 211, 199].map(|c: u8| c - ((x * 7 + y * 13) % 5) as u8)));
    assert!(difference(&plain, &noisy).tolerated(), "noise of two steps");
    let line = with(&|x, y| (y == x / 4 + 40 || y == x / 4 + 41).then_some([0, 200, 200]));
    assert!(!difference(&plain, &line).tolerated(), "a line two pixels wide");
    let shade = with(&|_, _| Some([197, 191, 179]));
    assert!(!difference(&plain, &shade).tolerated(), "another light over all");
    assert_eq!(difference(&line, &line).share, 0.0);
    assert!(apart_in_the_mean(&plain, &noisy) < 2.5, "noise of two steps");
    assert!(apart_in_the_mean(&plain, &line) > 2.5 && apart_in_the_mean(&plain, &shade) > 2.5, "a line, another light");
}
