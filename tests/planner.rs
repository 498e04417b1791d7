//! The planner's page in Chromium, measured against the record: what it says of a body, a gap or a count is computed here once
//! more from the features themselves.

use serde_json::{Value, json};
use std::{
    io::Write as _,
    process::{Command, Stdio},
};
use strata_tests::{judge, server};

fn metres(a: [f64; 2], b: [f64; 2]) -> f64 {
    let lat = ((a[1] + b[1]) / 2.0).to_radians();
    let w = 1.0 - 0.006_694_379_990_14 * lat.sin().powi(2);
    let (across, along) = (6_378_137.0 / w.sqrt() * lat.cos(), 6_378_137.0 * (1.0 - 0.006_694_379_990_14) / w.powf(1.5));
    ((a[0] - b[0]).to_radians() * across).hypot((a[1] - b[1]).to_radians() * along)
}

fn line(feature: &Value) -> Vec<[f64; 3]> {
    let place = |p: &Value| [0, 1, 2].map(|k| p[k].as_f64().unwrap_or(0.0));
    feature["geometry"]["coordinates"].as_array().expect("a line").iter().map(place).collect()
}

/// The least distance of two axes by brute force, a centimetre apart at the end, less both radii.
fn gap_m(a: &Value, b: &Value) -> f64 {
    let radius = |f: &Value| f["properties"]["od_mm"].as_f64().expect("a round pipe") / 2000.0;
    let (pa, pb) = (line(a), line(b));
    let dense = |p: &[[f64; 3]], step: f64| -> Vec<[f64; 3]> {
        p.windows(2)
            .flat_map(|w| {
                let n = (metres([w[0][0], w[0][1]], [w[1][0], w[1][1]]) / step).ceil().max(1.0) as usize;
                (0..=n).map(move |k| [0, 1, 2].map(|i| w[0][i] + (w[1][i] - w[0][i]) * k as f64 / n as f64))
            })
            .collect()
    };
    let apart = |p: &[f64; 3], q: &[f64; 3]| metres([p[0], p[1]], [q[0], q[1]]).hypot(p[2] - q[2]);
    let (da, db) = (dense(&pa, 0.05), dense(&pb, 0.05));
    let least = da.iter().map(|p| db.iter().map(|q| apart(p, q)).fold(f64::INFINITY, f64::min)).fold(f64::INFINITY, f64::min);
    least - radius(a) - radius(b)
}

/// Two round pipes of which one crosses over the other in the middle of the district, with the analysis' own number.
fn crossing(all: &[Value]) -> (Value, Value) {
    let round = |f: &&Value| f["properties"]["od_mm"].as_f64().is_some() && line(f).len() == 2;
    let pipes: Vec<&Value> = all.iter().filter(round).collect();
    let plan = |f: &Value| line(f).iter().map(|p| [p[0], p[1]]).collect::<Vec<_>>();
    let side = |p: [f64; 2], q: [f64; 2], r: [f64; 2]| (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
    for (i, a) in pipes.iter().enumerate() {
        for b in &pipes[i + 1..] {
            let (p, q) = (plan(a), plan(b));
            let crossed = side(p[0], p[1], q[0]) * side(p[0], p[1], q[1]) < 0.0 && side(q[0], q[1], p[0]) * side(q[0], q[1], p[1]) < 0.0;
            let long = |p: &[[f64; 2]]| metres(p[0], p[1]) > 12.0;
            if crossed && long(&p) && long(&q) && a["properties"]["class"] != b["properties"]["class"] {
                return ((*a).clone(), (*b).clone());
            }
        }
    }
    panic!("no two pipes cross among {}", pipes.len());
}

#[test]
fn the_page_measures_selects_moves_and_comes_back() {
    let s = server();
    let pipes = s.json("/ogc/collections/pipes/items?bbox=125.3160,43.8740,125.3210,43.8790&limit=3000");
    let (a, b) = crossing(pipes["features"].as_array().expect("features"));
    let sensors = s.json("/ogc/collections/sensors/items?datetime=2026-06-21T02:00:00Z&resultType=hits&limit=1");
    let street = "人民大街";
    let plan = json!({ "pair": [a["id"], b["id"]], "a": line(&a), "b": line(&b), "street": street });
    let seen = judge("planner.mjs", &[&s.url, &s.token, &plan.to_string()]);
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
    // The gap of two pipes, by the analysis on the page and by brute force here.
    let gap = seen["clearance"]["gap_m"].as_f64().expect("a gap");
    assert!((gap - gap_m(&a, &b)).abs() < 0.01, "{gap} where {} is by brute force: {seen}", gap_m(&a, &b));
    // What the search found is that street, the camera stands over it, and the page's plan coordinates are PROJ's.
    let first = s.json("/api/search?q=%E4%BA%BA%E6%B0%91%E5%A4%A7%E8%A1%97")["hits"][0].clone();
    assert_eq!((first["layer"].as_str(), first["name"].as_str()), (Some("roads"), Some(street)));
    let target = [0, 1].map(|k| seen["search"]["target"][k].as_f64().expect("a target"));
    assert!(metres(target, [0, 1].map(|k| first["place"][k].as_f64().expect("a place"))) < 1.0, "{seen}");
    let mut asked = Command::new("gdaltransform")
        .args(["-s_srs", "EPSG:4326", "-t_srs", "EPSG:4551", "-output_xy"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gdaltransform");
    writeln!(asked.stdin.take().expect("a pipe"), "{} {}", target[0], target[1]).expect("written");
    let said = String::from_utf8(asked.wait_with_output().expect("an answer").stdout).expect("text");
    let said: Vec<f64> = said.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let plan = [0, 1].map(|k| seen["search"]["plan"][k].as_f64().expect("a plan"));
    assert!((said[0] - plan[0]).hypot(said[1] - plan[1]) < 0.01, "{plan:?} where PROJ says {said:?}");
    assert!(seen["search"]["card"].as_str().is_some_and(|c| !c.is_empty()), "{seen}");
    // Every sensor is in exactly one symbol.
    assert_eq!(seen["icons"]["sum"], sensors["numberMatched"], "{seen}");
    assert_eq!(seen["icons"]["ids"], seen["icons"]["sum"], "one and the same counted twice: {seen}");
    for done in [
        "box_holds_it",
        "state_without_tiles",
        "walk",
        "deep_link",
        "swipe",
        "year_plays",
        "resize",
        "hidden_tab",
        "dpr_2",
        "no_adapter_said",
        "indices",
    ] {
        assert_eq!(seen[done], true, "{done}: {seen}");
    }
    // A box cuts what is drawn and what is picked; its faces go where they are moved.
    let section = &seen["section"];
    assert_eq!((&section["stays"], &section["other_side"][1]), (&section["id"], &section["other"][2]), "{seen}");
    assert_ne!(section["gone"], section["other"][2], "a building outside of the box is picked: {seen}");
    assert_ne!(section["other_side"][0], section["id"], "a building inside of the box is picked: {seen}");
    let number = |v: &Value| v.as_f64().unwrap_or(f64::NAN);
    assert!((number(&section["top_m"][0]) - number(&section["top_m"][1])).abs() < 0.011, "{seen}");
    assert_eq!(number(&section["bottom_m"]), -3.5, "{seen}");
    assert!(number(&section["pulled_m"]) > 0.5, "the drag moved the face by {}: {seen}", section["pulled_m"]);
    assert!(number(&section["street_deg"]).abs() <= 45.0, "{seen}");
    assert!(section["changed"].as_u64() > Some(300), "the picture is the same: {seen}");
    // An outline cuts likewise; its corners go where they are moved.
    assert_eq!((&section["corners"], &section["left"]), (&json!(5), &json!(4)), "{seen}");
    assert_eq!(section["over"][0], section["id"], "{seen}");
    assert!(section["above"][2].is_string(), "no other building was seen from above: {seen}");
    assert_ne!(section["over"][1], section["above"][2], "a building outside of the outline is picked: {seen}");
    assert!(section["drawing"].as_str().is_some_and(|t| t.contains('5')), "{seen}");
    let moved = |what: &str| [0, 1].map(|k| number(&section[what][k]));
    assert!(moved("stepped_m").iter().zip([0.5, 5.0]).all(|(a, b)| (a - b).abs() < 0.011), "{seen}");
    let [east, north] = moved("dragged_m");
    assert!(east < -0.5 && north.abs() < -east * 0.2, "the drag moved the corner by {east}, {north}: {seen}");
    assert!((number(&section["typed_m"]) + 2.0).abs() < 0.011, "{seen}");
    assert_eq!((&section["link"], &section["removed"]), (&json!(true), &json!(true)), "{seen}");
    let eye = seen["eye_m"].as_f64().expect("an eye");
    assert!((eye - 1.6).abs() < 0.25, "the eye is {eye} m over the ground: {seen}");
}
