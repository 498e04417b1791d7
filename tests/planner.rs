//! The planner's page in Chromium, measured against the record: what it says of a body or a count is computed here once
//! more from the features themselves.

use serde_json::json;
use strata_tests::{judge, server};

fn metres(a: [f64; 2], b: [f64; 2]) -> f64 {
    let lat = ((a[1] + b[1]) / 2.0).to_radians();
    let w = 1.0 - 0.006_694_379_990_14 * lat.sin().powi(2);
    let (across, along) = (6_378_137.0 / w.sqrt() * lat.cos(), 6_378_137.0 * (1.0 - 0.006_694_379_990_14) / w.powf(1.5));
    ((a[0] - b[0]).to_radians() * across).hypot((a[1] - b[1]).to_radians() * along)
}

#[test]
fn the_page_measures_selects_moves_and_comes_back() {
    let s = server();
    let sensors = s.json("/ogc/collections/sensors/items?datetime=2026-06-21T02:00:00Z&resultType=hits&limit=1");
    let seen = judge("planner.mjs", &[&s.url, &s.token, "{}"]);
    println!("{seen}");
    assert_eq!(seen["errors"], json!([]), "{seen}");

    // The height of a body: that of its record, and the foot may stand below the ground's lowest corner.
    let (measured, recorded) =
        (seen["height"]["measured_m"].as_f64().expect("a height"), seen["height"]["recorded_m"].as_f64().expect("on record"));
    assert!(measured >= recorded - 0.05 && measured < recorded + 4.0, "{seen}");
    // A corner that was caught is a corner of the footprint on record, to a centimetre.
    let id = seen["corner"]["id"].as_str().expect("a building");
    let footprint = s.json(&format!("/ogc/collections/buildings/items/{id}"));
    let caught = [0, 1].map(|k| seen["corner"]["place"][k].as_f64().expect("a place"));
    let ring = footprint["geometry"]["coordinates"][0].as_array().expect("a ring").clone();
    let off = ring.iter().map(|p| metres(caught, [0, 1].map(|k| p[k].as_f64().unwrap_or(0.0)))).fold(f64::INFINITY, f64::min);
    // The inner corner of a parapet is a corner too: as far inside as the parapet is wide, both ways.
    let inner = 0.25 * std::f64::consts::SQRT_2;
    assert!(off < 0.02 || (off - inner).abs() < 0.02, "{off} m off the nearest corner of {id}: {seen}");
    // Every sensor is in exactly one symbol.
    assert_eq!(seen["icons"]["sum"], sensors["numberMatched"], "{seen}");
    assert_eq!(seen["icons"]["ids"], seen["icons"]["sum"], "one and the same counted twice: {seen}");
    for done in ["box_holds_it", "walk", "deep_link", "swipe", "year_plays", "resize", "hidden_tab", "indices"] {
        assert_eq!(seen[done], true, "{done}: {seen}");
    }
}
