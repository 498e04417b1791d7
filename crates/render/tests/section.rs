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
        let section = SectionBox { centre: TARGET, heading_deg: 0.0, low_m, high_m: [0.0, 70.0, 60.0], outside };
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
        let section = SectionBox { centre: TARGET, heading_deg: 0.0, low_m: [low, -50.0, -9.0], high_m: [high, 50.0, 9.0], outside: false };
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
