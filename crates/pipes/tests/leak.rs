//! The detector on synthetic networks that EPANET itself has drawn with and without a leak; bad readings; the door.

#![allow(clippy::unwrap_used)]

mod common;

use common::Hand;
use epanet::{
    EPANET,
    types::{analysis::InitHydOption, link::LinkProperty, node::NodeProperty, options::TimeParameter},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use strata_model::Value;
use strata_pipes::leak::{Baseline, Innovations, Kind, Known, LEAKS, Readings, Settings, Twin, watch};

const SIDE: usize = 6;
const SPACING_M: f64 = 150.0;
const START: i64 = 1_514_764_800; // Monday 2018-01-01
const WATCHED: [&str; 7] = ["n0_5", "n1_2", "n2_4", "n3_1", "n4_3", "n5_0", "n5_5"];

/// A synthetic town: a grid of streets fed through one metered pipe.
fn grid() -> String {
    let mut t = String::from("[JUNCTIONS]\nin 10\n");
    let nodes: Vec<(usize, usize)> = (0..SIDE * SIDE).map(|i| (i / SIDE, i % SIDE)).collect();
    nodes.iter().for_each(|(i, j)| t += &format!("n{i}_{j} 10 2 day\n"));
    t += "[RESERVOIRS]\nR 60\n[PIPES]\nmain R in 100 400 120 0 open\nfeed in n0_0 50 300 120 0 open\n";
    for (i, j) in nodes {
        let dn = if i == 0 || j == 0 { 150 } else { 100 };
        if i + 1 < SIDE {
            t += &format!("v{i}_{j} n{i}_{j} n{}_{j} {SPACING_M} {dn} 120 0 open\n", i + 1);
        }
        if j + 1 < SIDE {
            t += &format!("h{i}_{j} n{i}_{j} n{i}_{} {SPACING_M} {dn} 120 0 open\n", j + 1);
        }
    }
    t += "[PATTERNS]\nday 0.4 0.3 0.3 0.3 0.4 0.7 1.2 1.6 1.5 1.3 1.2 1.2\nday 1.3 1.2 1.1 1.1 1.2 1.4 1.6 1.5 1.3 1.0 0.7 0.5\n";
    t + "[TIMES]\nDURATION 0\nPATTERN TIMESTEP 1:00\n[OPTIONS]\nUNITS CMH\nHEADLOSS H-W\nACCURACY 0.0001\nTRIALS 100\n[END]\n"
}

/// What the sensors of the town would read, seeded: 10 % of noise at each node, 1 cm at each sensor, rougher pipes than
/// the model thinks. `leak`: node, first hour, hour of its repair, m³/h.
fn town(hours: usize, seed: u64, leak: Option<(&str, usize, usize, f64)>) -> Readings {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("town.inp");
    std::fs::write(&file, grid()).unwrap();
    let en = EPANET::with_inp_file(file.to_str().unwrap(), dir.path().join("r.txt").to_str().unwrap(), "").unwrap();
    let (mut system, mut rng) = (ChaCha8Rng::seed_from_u64(1), ChaCha8Rng::seed_from_u64(seed));
    let nodes: Vec<i32> = (0..SIDE * SIDE).map(|i| en.get_node_index(&format!("n{}_{}", i / SIDE, i % SIDE)).unwrap()).collect();
    for l in 1..=62 {
        let c = en.get_link_value(l, LinkProperty::Roughness).unwrap();
        en.set_link_value(l, LinkProperty::Roughness, c * system.random_range(0.95..1.05)).unwrap();
    }
    let watched: Vec<i32> = WATCHED.iter().map(|n| en.get_node_index(n).unwrap()).collect();
    let main = en.get_link_index("main").unwrap();
    en.set_time_parameter(TimeParameter::Duration, 0).unwrap();
    en.open_h().unwrap();
    let mut series = vec![Vec::new(); WATCHED.len() + 1];
    let day = [0.4, 0.3, 0.3, 0.3, 0.4, 0.7, 1.2, 1.6, 1.5, 1.3, 1.2, 1.2, 1.3, 1.2, 1.1, 1.1, 1.2, 1.4, 1.6, 1.5, 1.3, 1.0, 0.7, 0.5];
    for hour in 0..hours {
        let now = day[hour % 24] * rng.random_range(0.93..1.07);
        for n in &nodes {
            // Twelve uniform numbers less six: near enough a normal one.
            let noise: f64 = (0..12).map(|_| rng.random_range(0.0..1.0)).sum::<f64>() - 6.0;
            // The pattern of the hour zero is on every demand.
            en.set_node_value(*n, NodeProperty::BaseDemand, 2.0 * now * (1.0 + 0.1 * noise) / day[0]).unwrap();
        }
        if let Some((node, _, _, q)) = leak.filter(|l| (l.1..l.2).contains(&hour)) {
            let n = en.get_node_index(node).unwrap();
            let usual = en.get_node_value(n, NodeProperty::BaseDemand).unwrap();
            en.set_node_value(n, NodeProperty::BaseDemand, usual + q / day[0]).unwrap();
        }
        en.init_h(InitHydOption::NoSave).unwrap();
        en.run_h().unwrap();
        for (s, n) in series.iter_mut().zip(&watched) {
            s.push(en.get_node_value(*n, NodeProperty::Pressure).unwrap() + rng.random_range(-0.015..0.015));
        }
        series[WATCHED.len()].push(en.get_link_value(main, LinkProperty::Flow).unwrap() * rng.random_range(0.995..1.005));
    }
    let mut out = Readings::new(START, hours);
    out.put(Kind::Flow, "main", series.pop().unwrap()).unwrap();
    WATCHED.iter().zip(series).for_each(|(id, s)| out.put(Kind::Pressure, id, s).unwrap());
    out
}

const SOUND: usize = 28 * 24;

fn learnt(readings: &Readings) -> (Baseline, Innovations, Settings) {
    let settings = Settings::usual().unwrap();
    let twin = Twin::open(&grid(), readings).unwrap();
    let all = twin.innovations(readings).unwrap();
    (Baseline::learn(&twin, &all.until(SOUND), &[], &settings).unwrap(), all, settings)
}

/// Plan distance of a pipe's middle from a node of the grid.
fn off(pipe: &str, node: (f64, f64)) -> f64 {
    let (way, rest) = pipe.split_at(1);
    let (i, j) = rest.split_once('_').unwrap();
    let (i, j): (f64, f64) = (i.parse().unwrap(), j.parse().unwrap());
    let (i, j) = if way == "v" { (i + 0.5, j) } else { (i, j + 0.5) };
    (i - node.0).hypot(j - node.1) * SPACING_M
}

#[test]
fn a_seeded_leak_is_found_within_a_day_and_300_m_and_its_repair_is_seen() {
    for (node, at, flow) in [("n4_4", (4.0, 4.0), 8.0), ("n1_4", (1.0, 4.0), 10.0), ("n5_1", (5.0, 1.0), 6.0)] {
        let (from, to) = (SOUND + 10 * 24 + 5, SOUND + 24 * 24);
        let readings = town(SOUND + 34 * 24, 3, Some((node, from, to, flow)));
        let (base, all, settings) = learnt(&readings);
        let found = watch(&base, &all, &settings).unwrap();
        assert_eq!(found.len(), 1, "{node}: {found:?}");
        let first = &found[0].reports[0];
        assert!(first.hour > from && first.hour <= from + 24, "{node}: alarm {} h after", first.hour as i64 - from as i64);
        assert!(off(&first.pipe, at) <= 300.0, "{node}: {} is {:.0} m off", first.pipe, off(&first.pipe, at));
        assert!(first.onset.abs_diff(from) <= 24, "{node}: begins {} for {from}", first.onset);
        let last = found[0].reports.last().unwrap();
        assert!(off(&last.pipe, at) <= 300.0 && (last.flow_m3h / flow - 1.0).abs() < 0.4, "{node}: {last:?}");
        // A ranked list with shares of one likelihood.
        assert!(first.places.len() > 1 && first.places.windows(2).all(|w| w[0].weight >= w[1].weight));
        assert!(first.places.iter().map(|p| p.weight).sum::<f64>() <= 1.0 + 1e-9 && (0.0..=1.0 + 1e-9).contains(&first.confidence));
        let closed = found[0].closed.expect("its repair");
        assert!(closed > to && closed <= to + 72, "{node}: repaired {closed} for {to}");
        // Causal: without what came later, what was said is the same.
        let cut = from + 40;
        let early = watch(&base, &all.until(cut), &settings).unwrap();
        let until =
            |f: &[strata_pipes::leak::Finding]| f.iter().flat_map(|f| f.reports.clone()).filter(|r| r.hour <= cut).collect::<Vec<_>>();
        assert_eq!(until(&early), until(&found), "{node}");
    }
}

#[test]
fn a_sound_year_raises_no_alarm() {
    let readings = town(SOUND + 365 * 24, 5, None);
    let (base, all, settings) = learnt(&readings);
    assert_eq!(watch(&base, &all, &settings).unwrap(), []);
}

#[test]
fn silent_sensors_and_hours_leave_gaps_and_no_alarms() {
    let from = SOUND + 10 * 24;
    let mut readings = town(SOUND + 20 * 24, 3, Some(("n4_4", from, usize::MAX, 8.0)));
    let mut hush = |kind: Kind, id: &str, hours: std::ops::Range<usize>| {
        readings.series.get_mut(&(kind, id.to_owned())).unwrap()[hours].iter_mut().for_each(|v| *v = f64::NAN);
    };
    hush(Kind::Pressure, "n1_2", 0..SOUND / 2);
    // The sensor nearest to the leak goes before it and stays away.
    hush(Kind::Pressure, "n5_5", from - 50..SOUND + 20 * 24);
    hush(Kind::Flow, "main", SOUND + 20..SOUND + 30);
    WATCHED[..5].iter().for_each(|id| hush(Kind::Pressure, id, SOUND + 40..SOUND + 44));
    let (base, all, settings) = learnt(&readings);
    assert_eq!(all.rows.iter().filter(|r| r.is_none()).count(), 14, "hours without flow, hours with most sensors silent");
    let found = watch(&base, &all, &settings).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].reports[0].hour > from && off(&found[0].reports[0].pipe, (4.0, 4.0)) <= 300.0, "{found:?}");

    let all_silent = readings.series.keys().map(|k| (k.clone(), vec![f64::NAN; readings.hours])).collect();
    let silent = Readings { series: all_silent, ..readings.clone() };
    let twin = Twin::open(&grid(), &silent).unwrap();
    let nothing = twin.innovations(&silent).unwrap();
    let e = Baseline::learn(&twin, &nothing, &[], &settings).unwrap_err().to_string();
    assert!(e.contains("0 of"), "{e}");
}

#[test]
fn clocks_that_go_back_and_sensors_that_are_nowhere_are_named() {
    let mut r = Readings::new(START, 5);
    let rows = |at: &[i64]| at.iter().map(|s| (START + s, 1.0)).collect::<Vec<_>>();
    let e = r.put_rows(Kind::Pressure, "a", &rows(&[0, 300, 200])).unwrap_err().to_string();
    assert_eq!(e, "a row 3: the time goes back");
    let e = r.put_rows(Kind::Pressure, "a", &rows(&[0, 300, 300])).unwrap_err().to_string();
    assert_eq!(e, "a row 3: the time comes twice");
    // A jump forward leaves a gap; what lies outside the hours is left out.
    r.put_rows(
        Kind::Pressure,
        "a",
        &[(START - 10, 9.0), (START, 1.0), (START + 1800, 3.0), (START + 3 * 3600, f64::NAN), (START + 4 * 3600, 5.0)],
    )
    .unwrap();
    let got: Vec<f64> = (0..5).map(|h| r.get(Kind::Pressure, "a", h)).collect();
    assert!(got[0] == 2.0 && got[1..4].iter().all(|v| v.is_nan()) && got[4] == 5.0, "{got:?}");
    assert!(r.put(Kind::Level, "T", vec![1.0]).unwrap_err().to_string().contains("1 values for 5 hours"));
    assert!(r.put(Kind::Level, "T", vec![f64::INFINITY; 5]).is_err() && r.put(Kind::Pressure, "a", vec![1.0; 5]).is_err());

    let good = town(48, 1, None);
    let mut odd = good.clone();
    odd.put(Kind::Pressure, "nowhere", vec![1.0; 48]).unwrap();
    assert!(Twin::open(&grid(), &odd).is_err_and(|e| e.to_string().starts_with("nowhere")));
    assert!(Twin::open(&grid(), &Readings::new(START, 48)).is_err_and(|e| e.to_string().contains("no pressure sensor")));
    assert!(Twin::open("[JUNCTIONS]\nx\n[END]\n", &good).is_err());
    let twin = Twin::open(&grid(), &good).unwrap();
    let all = twin.innovations(&good).unwrap();
    let settings = Settings { calibrate_least_h: 24, ..Settings::usual().unwrap() };
    let known = |pipe: &str, n: usize| Baseline::learn(&twin, &all, &[Known { pipe: pipe.into(), flow_m3h: vec![0.0; n] }], &settings);
    assert!(known("v1_1", 48).is_ok() && known("v1_1", 47).is_err() && known("pump", 48).is_err());
    assert!(Settings::parse("name,value,unit,meaning\nalarm_z,-1,-,x\n").is_err_and(|e| e.to_string().contains("alarm_z")));
}

/// A dead end of two pipes from a source; no users, so a leak at the end loses what Hazen and Williams say.
#[test]
fn the_door_answers_with_places_and_names_what_is_wrong() {
    let to = |a: &str, b: &str| -> Vec<(&'static str, Value)> {
        vec![("start_point", a.into()), ("end_point", b.into()), ("dn_mm", 150.0.into())]
    };
    let mut h = Hand::default();
    h.point("S", "JS", "source", [0.0, 0.0, 12.0]).point("M", "JS", "valve", [1_000.0, 0.0, 12.0]).point(
        "E",
        "JS",
        "cap",
        [2_000.0, 0.0, 12.0],
    );
    h.pipe("a", "JS", &[[0.0, 0.0, 10.0], [1_000.0, 0.0, 10.0]], &to("S", "M"));
    h.pipe("b", "JS", &[[1_000.0, 0.0, 10.0], [2_000.0, 0.0, 10.0]], &to("M", "E"));
    let city = h.city();
    let loss = 10.67 * 1_000.0 * (20.0f64 / 3600.0).powf(1.852) / (120f64.powf(1.852) * 0.15f64.powf(4.871));
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut series =
        |drop: f64| -> Vec<f64> { (0..400).map(|h| 45.0 - if h >= 300 { drop } else { 0.0 } + rng.random_range(-0.02..0.02)).collect() };
    let (m, e) = (series(loss), series(2.0 * loss));
    let ask = json!({ "start": "2026-01-05T00:00:00Z", "pressure": { "M": m, "E": e }, "calibrate_hours": 240, "source_head_m": 45.0 });
    let answer = city.ask(&LEAKS, ask.clone()).unwrap();
    let leaks = answer["leaks"].as_array().unwrap();
    assert_eq!(leaks.len(), 1, "{answer}");
    assert_eq!(leaks[0]["pipe"], "b", "{answer}");
    assert!(
        leaks[0]["alarm"].as_str().unwrap().starts_with("2026-01-17T") && leaks[0]["places"][0]["geometry"]["type"] == "LineString",
        "{answer}"
    );
    assert_eq!((&answer["hours"], &answer["silent_hours"]), (&json!(400), &json!(0)));
    for (key, value, pointer) in [
        ("start", json!("yesterday"), "/start"),
        ("start", json!(null), "/start"),
        ("calibrate_hours", json!(20), "/calibrate_hours"),
        ("calibrate_hours", json!(401), "/calibrate_hours"),
        ("pressure", json!({ "M": [1.0, "x"] }), "/pressure/M/1"),
        ("pressure", json!({ "X": vec![1.0; 400] }), "/X"),
        ("pressure", json!([1]), "/pressure"),
        ("level", json!({ "M": [1.0] }), "/level/M"),
        ("known", json!({ "b": [1.0] }), "/b"),
    ] {
        let mut bad = ask.clone();
        bad[key] = value;
        let e = city.ask(&LEAKS, bad).unwrap_err().to_string();
        assert!(e.starts_with(pointer), "{key}: {e}");
    }
    let e = Hand::default().city().ask(&LEAKS, ask).unwrap_err().to_string();
    assert!(e.contains("water network"), "{e}");
}
