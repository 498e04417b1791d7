//! The solver through our door: hand-worked pipes, balance in the district, EPANET files against EPANET itself; drains.

#![allow(clippy::unwrap_used)]

mod common;

use common::{City, Hand, feature};
use epanet::{
    EPANET,
    types::{CountType, analysis::InitHydOption, link::LinkProperty, node::NodeProperty, options::FlowUnits},
};
use serde_json::json;
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
    time::Instant,
};
use strata_ingest::{Collected, ImportOptions, Report, import};
use strata_model::{Crs, FieldKind, Geometry, GeometryKind, Polygon, Scope, Theme, Value, WorkingFrame};
use strata_pipes::{
    drain::{Storm, fill_at, full_m3s, share_at},
    hydraulics::solve,
    joining::Joining,
    network::Network,
    pipe::Class,
    pressures::HYDRAULICS,
    storm::DRAINAGE,
    supply::{Assumptions, Model},
};

fn to(a: &str, b: &str, dn: f64) -> Vec<(&'static str, Value)> {
    vec![("start_point", a.into()), ("end_point", b.into()), ("dn_mm", dn.into())]
}

/// Two pipes of 1 000 m from a source; houses of 10 000 dwellings hang on the second.
fn two_pipes() -> City {
    let mut h = Hand::default();
    h.point("S", "JS", "source", [0.0, 0.0, 12.0]).point("M", "JS", "valve", [1_000.0, 0.0, 12.0]).point(
        "E",
        "JS",
        "cap",
        [2_000.0, 0.0, 12.0],
    );
    h.pipe("a", "JS", &[[0.0, 0.0, 10.0], [1_000.0, 0.0, 10.0]], &to("S", "M", 300.0));
    h.pipe("b", "JS", &[[1_000.0, 0.0, 10.0], [2_000.0, 0.0, 10.0]], &to("M", "E", 200.0));
    let buildings =
        common::layer("buildings", Theme::Building, GeometryKind::Polygon, &[("use", FieldKind::Text), ("units", FieldKind::Int)]);
    let ring = vec![[1_490.0, 20.0, 12.0], [1_510.0, 20.0, 12.0], [1_510.0, 40.0, 12.0], [1_490.0, 40.0, 12.0], [1_490.0, 20.0, 12.0]];
    let house = feature(&buildings, "H", Geometry::Polygon(Polygon::new(ring)), &[("use", "residential".into()), ("units", 10_000.into())]);
    City::of(&[(common::pipe_layer(), h.pipes.clone()), (common::point_layer(), h.points.clone()), (buildings, vec![house])])
}

#[test]
fn two_pipes_lose_what_hazen_and_williams_say() {
    let city = two_pipes();
    let answer = city.ask(&HYDRAULICS, json!({ "source_head_m": 40.0, "peak_factor": 1.0, "litres_per_person_day": 100.0 })).unwrap();
    let demand = 10_000.0 * 2.62 * 100.0 / 86_400.0;
    // h = 10.67 L Q^1.852 / (C^1.852 d^4.871), Q in m³/s; half of the demand leaves at either end of pipe b.
    let loss = |q: f64, d: f64| 10.67 * 1_000.0 * (q / 1_000.0).powf(1.852) / (120f64.powf(1.852) * d.powf(4.871));
    let (at_m, at_e) = (40.0 - loss(demand, 0.3), 40.0 - loss(demand, 0.3) - loss(demand / 2.0, 0.2));
    let pressure = |id: &str| answer["points"].as_array().unwrap().iter().find(|p| p["id"] == id).unwrap()["pressure_m"].as_f64().unwrap();
    println!("{} {at_m} {} {at_e}", pressure("M"), pressure("E"));
    assert!((pressure("M") - at_m).abs() < 0.01 && (pressure("E") - at_e).abs() < 0.01 && loss(demand, 0.3) > 0.03);
    assert!((answer["after"]["demand_lps"].as_f64().unwrap() - demand).abs() < 1e-3);
    // Its valve closed: what lies behind is unfed, found before the solver would stumble.
    let answer = city.ask(&HYDRAULICS, json!({ "close": ["M"], "peak_factor": 1.0 })).unwrap();
    assert_eq!(
        (answer["after"]["unfed"].as_u64(), answer["before"]["unfed"].as_u64(), answer["unfed"][0]["id"].as_str()),
        (Some(1), Some(0), Some("E"))
    );
    let half = answer["before"]["demand_lps"].as_f64().unwrap() / 2.0;
    assert!((answer["after"]["demand_unfed_lps"].as_f64().unwrap() - half).abs() < 1e-3);
    // A day of two hours: no demand, then twice the mean.
    let day = json!({ "extended": true, "pattern": [0.0, 2.0], "source_head_m": 40.0, "litres_per_person_day": 50.0, "watch": ["E", "a"] });
    let answer = city.ask(&HYDRAULICS, day).unwrap();
    let series = |id: &str| answer["series"][id].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    assert!(
        (series("a")[0]).abs() < 1e-3 && (series("a")[1] - demand).abs() < 1e-3 && (series("E")[1] - at_e).abs() < 0.01,
        "{:?}",
        series("a")
    );
}

#[test]
fn bad_questions_and_networks_without_a_source_get_clear_answers() {
    let mut h = Hand::default();
    h.pipe("a", "JS", &[[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]], &[]);
    let e = h.city().ask(&HYDRAULICS, json!({})).unwrap_err().to_string();
    assert_eq!(e, "a source of the water network is not in the city");
    let e = Hand::default().city().ask(&HYDRAULICS, json!({})).unwrap_err().to_string();
    assert_eq!(e, "a water network is not in the city");
    let city = two_pipes();
    for (inputs, place) in [
        (json!({ "close": [4] }), "/close"),
        (json!({ "pattern": "day" }), "/pattern"),
        (json!({ "pattern": [1.0, -1.0] }), "/pattern"),
        (json!({ "source_head_m": "high" }), "/source_head_m"),
        (json!({ "extended": 1 }), "/extended"),
    ] {
        let e = city.ask(&HYDRAULICS, inputs.clone()).unwrap_err().to_string();
        assert!(e.starts_with(place), "{inputs}: {e}");
    }
    for inputs in [json!({ "close": ["nobody"] }), json!({ "watch": ["nobody"] })] {
        let e = city.ask(&HYDRAULICS, inputs.clone()).unwrap_err().to_string();
        assert_eq!(e, "water pipe or point `nobody` is not in the city");
    }
    // A self-loop, a pipe of no size and an island beside: solved without them.
    let mut h = Hand::default();
    h.point("S", "JS", "source", [0.0, 0.0, 0.0]).point("T", "JS", "cap", [100.0, 0.0, 0.0]);
    h.pipe("ok", "JS", &[[0.0, 0.0, 0.0], [100.0, 0.0, 0.0]], &to("S", "T", 0.0));
    h.pipe("loop", "JS", &[[100.0, 0.0, 0.0], [110.0, 0.0, 0.0], [100.0, 0.0, 0.0]], &to("T", "T", 100.0));
    h.pipe("island 岛", "JS", &[[500.0, 0.0, 0.0], [600.0, 0.0, 0.0]], &[]);
    let answer = h.city().ask(&HYDRAULICS, json!({})).unwrap();
    assert_eq!((answer["after"]["points"].as_u64(), answer["after"]["unfed"].as_u64()), (Some(1), Some(2)), "{answer}");
    assert!(answer["notes"].to_string().contains("2 pipes have no size"));
}

#[test]
fn water_balances_at_every_point_of_the_district() {
    let (city, _) = City::district(42);
    let scope = Scope::everything();
    let view = city.view(&scope);
    let net = Network::read(&view, Joining::of(Class::Js)).unwrap();
    let model = Model::read(&view, &net, &Assumptions::default()).unwrap();
    let began = Instant::now();
    let solution = solve(&model, &net, &Default::default(), false).unwrap();
    println!("{} pipes solved in {:.0} ms; {:?}", net.edges.len(), began.elapsed().as_secs_f64() * 1e3, solution.warnings);
    let flow = &solution.periods[0].flow_lps;
    let mut asked = 0.0;
    for n in (0..net.nodes.len() as u32).filter(|n| !model.feeds(*n) && net.degree(*n) > 0) {
        let into: f64 = net.halves(n).map(|h| if h.end == 0 { -flow[h.edge as usize] } else { flow[h.edge as usize] }).sum();
        assert!((into - model.demand_lps(n)).abs() < 1e-3, "{n}: {into} l/s for {}", model.demand_lps(n));
        asked += model.demand_lps(n);
        // Water runs from the higher head to the lower.
        for h in net.halves(n).filter(|h| h.end == 0 && flow[h.edge as usize].abs() > 1e-3) {
            let [a, b] = net.edges[h.edge as usize].ends.map(|n| solution.periods[0].head_m[n as usize]);
            assert!((a - b) * flow[h.edge as usize] > -1e-6);
        }
    }
    assert!(asked > 50.0, "{asked} l/s");
    let answer = city.ask(&HYDRAULICS, json!({ "close": ["JSL000200"], "limit": 10 })).unwrap();
    assert_eq!(
        answer["before"]["points"].as_u64(),
        answer["after"]["points"].as_u64().map(|n| n + answer["after"]["unfed"].as_u64().unwrap())
    );
    assert_eq!((answer["points"].as_array().unwrap().len(), answer["truncated"].as_bool()), (10, Some(true)));
}

fn imported(path: &Path) -> Option<(City, Report)> {
    let crs = Crs::parse("EPSG:4551").unwrap();
    let frame = WorkingFrame::new(crs.clone(), 0.0).unwrap();
    let options =
        ImportOptions { frame: Arc::new(frame), source_crs: Some(crs), layer: None, valid_from: None, reader: None, mapping: None };
    let (mut sink, mut report) = (Collected::default(), Report::default());
    import(path, &options, &mut sink, &mut report).ok()?;
    Some((City::of(&sink.layers.into_values().collect::<Vec<_>>()), report))
}

/// Heads (m) and flows (l/s) of every period by the toolkit on the file itself.
type Truth = Vec<(u64, HashMap<String, f64>, HashMap<String, f64>)>;

fn by_the_toolkit(path: &Path, report: &Path) -> Option<Truth> {
    let p = EPANET::with_inp_file_allow_errors(path.to_str()?, report.to_str()?, "").ok()?;
    let (lps, m) = match p.get_flow_units().ok()? {
        FlowUnits::Cfs => (28.316_846_592, 0.3048),
        FlowUnits::Gpm => (3.785_411_784 / 60.0, 0.3048),
        FlowUnits::Lps => (1.0, 1.0),
        FlowUnits::Cmh => (1.0 / 3.6, 1.0),
        other => panic!("{other:?}"),
    };
    let nodes: Vec<String> = (1..=p.get_count(CountType::NodeCount).ok()?).map(|i| p.get_node_id(i).unwrap()).collect();
    let links: Vec<String> = (1..=p.get_count(CountType::LinkCount).ok()?).map(|i| p.get_link_id(i).unwrap()).collect();
    p.open_h().ok()?;
    p.init_h(InitHydOption::NoSave).ok()?;
    let (mut out, mut time) = (Vec::new(), 0);
    loop {
        if let Err(e) = p.run_h()
            && !e.is_warning()
        {
            return None;
        }
        let heads = p.get_node_values(NodeProperty::Head).ok()?;
        let flows = p.get_link_values(LinkProperty::Flow).ok()?;
        let heads = nodes.iter().cloned().zip(heads.into_iter().map(|v| v * m)).collect();
        out.push((time, heads, links.iter().cloned().zip(flows.into_iter().map(|v| v * lps)).collect()));
        match p.next_h().ok()? {
            0 => return Some(out),
            step => time += step,
        }
    }
}

#[test]
fn imported_networks_give_the_toolkits_own_results() {
    let place =
        std::env::var_os("STRATA_DATA").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), Into::into);
    let folder = place.join("epanet/networks");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("skipped: no real data at {}", folder.display());
        return;
    };
    let mut files: Vec<_> = files.map(|f| f.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "inp")).collect();
    files.sort();
    let scratch = tempfile::tempdir().unwrap();
    let mut same = 0;
    for path in &files {
        let name = path.file_stem().unwrap().to_string_lossy();
        let Some((city, report)) = imported(path) else {
            println!("{name}: not imported");
            continue;
        };
        let Some(truth) = by_the_toolkit(path, &scratch.path().join("report")) else {
            println!("{name}: the toolkit itself does not solve the file");
            continue;
        };
        let scope = Scope::everything();
        let view = city.view(&scope);
        let net = Network::read(&view, Joining::of(Class::Js)).unwrap();
        let model = Model::read(&view, &net, &Assumptions::default()).unwrap();
        assert!(model.imported);
        let solution = solve(&model, &net, &Default::default(), true).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (mut worst_head, mut worst_flow, mut free) = (0.0f64, 0.0f64, BTreeSet::new());
        let times: Vec<u64> = solution.periods.iter().map(|p| p.time_s).collect();
        let same_times = times == truth.iter().map(|t| t.0).collect::<Vec<_>>();
        for (p, (_, heads, flows)) in solution.periods.iter().zip(&truth) {
            let most = flows.values().fold(0.0f64, |a, b| a.max(b.abs()));
            for (i, n) in net.nodes.iter().enumerate().filter(|(i, _)| p.head_m[*i].is_finite()) {
                let off = (p.head_m[i] - heads[n.id.as_ref().unwrap().as_str()]).abs();
                // Between a pump that stands and a valve that is shut no equation gives a head: there nothing flows.
                let flows_here = net.halves(i as u32).any(|h| flows[net.pipe(h.edge).id.as_str()].abs() > 1e-5 * most);
                if off > 0.01 && !flows_here && model.demand_lps(i as u32) == 0.0 {
                    free.insert(i);
                } else {
                    worst_head = worst_head.max(off);
                }
            }
            for (i, f) in p.flow_lps.iter().enumerate().filter(|(_, f)| f.is_finite()) {
                worst_flow = worst_flow.max((f - flows[net.pipe(i as u32).id.as_str()]).abs() / most.max(1e-9));
            }
        }
        println!(
            "{name}: {} links, {} periods, times {}, head ±{worst_head:.2e} m, flow ±{worst_flow:.2e} of the largest, {} heads free, {} refused",
            net.edges.len(),
            truth.len(),
            if same_times { "the same" } else { "DIFFER" },
            free.len(),
            report.refused
        );
        let good = same_times && worst_head < 1e-9 && worst_flow < 1e-9 && free.is_empty();
        same += usize::from(good);
    }
    assert_eq!(same, files.len());
}

#[test]
fn drains_carry_what_manning_says_and_wells_stand_over_a_drain_that_is_too_small() {
    // A table of circular sections: Q/Qfull at y/D = 0.5 is 0.5; at 0.938 it is at its most, 1.076; at 0.2, 0.0876.
    for (fill, share) in [(0.5, 0.5), (0.938, 1.076), (0.2, 0.0876), (0.8, 0.977), (1.0, 1.0)] {
        assert!((share_at(fill) - share).abs() < 1e-3, "{fill}: {}", share_at(fill));
    }
    for share in [0.05, 0.3, 0.7, 0.99] {
        assert!((share_at(fill_at(share)) - share).abs() < 1e-9);
    }
    // 600 mm of concrete at 3 ‰: A = 0.28274, R = 0.15, so Q = 0.28274 × 0.28231 × 0.054772 / 0.013 = 0.3363 m³/s.
    assert!((full_m3s(0.6, 0.003, 0.013) - 0.3363).abs() < 1e-4);
    let storm = Storm::Formula { a: 10.0, c: 0.8, b: 8.0, n: 0.75, return_period_a: 10.0 };
    assert!((storm.intensity_lps_ha(12.0) - 1_670.0 * 1.8 / 20f64.powf(0.75)).abs() < 1e-9);
    // Three drains in a row, 100 m at 3 ‰, the last only 200 mm wide.
    let mut h = Hand::default();
    let ground = |z: f64| ("ground_m", Value::from(z));
    for (i, id) in ["w0", "w1", "w2", "out"].into_iter().enumerate() {
        let at = [i as f64 * 100.0, 0.0, 13.0];
        let values = [("class", "PS".into()), ("kind", if i == 3 { "outfall" } else { "well" }.into()), ground(13.0)];
        h.points.push(feature(&common::point_layer(), id, Geometry::Point(at), &values));
    }
    for (i, dn) in [400.0, 400.0, 200.0].into_iter().enumerate() {
        let names = ["w0", "w1", "w2", "out"];
        let mut more = to(names[i], names[i + 1], dn);
        let z = 10.0 - 0.3 * i as f64;
        more.extend([("subclass", "YS".into()), ("flow_dir", 0.into()), ("start_invert_m", z.into()), ("end_invert_m", (z - 0.3).into())]);
        h.pipe(&format!("d{i}"), "PS", &[[i as f64 * 100.0, 0.0, z], [i as f64 * 100.0 + 100.0, 0.0, z - 0.3]], &more);
    }
    let city = h.city();
    // 36 mm/h on 60 m × 100 m at 0.5: 100 l/(s·ha) × 0.6 ha × 0.5 = 30 l/s for each pipe.
    let answer = city.ask(&DRAINAGE, json!({ "intensity_mm_h": 36.0, "runoff": 0.5, "strip_m": 60.0 })).unwrap();
    let pipe = |id: &str| answer["pipes"].as_array().unwrap().iter().find(|p| p["id"] == id).unwrap().clone();
    for (id, flow) in [("d0", 0.03), ("d1", 0.06), ("d2", 0.09)] {
        assert!((pipe(id)["flow_m3s"].as_f64().unwrap() - flow).abs() < 1e-9, "{answer}");
    }
    assert_eq!(answer["full"], 1);
    // d2 full: (0.09 / Q at slope 1)² × 100 m of head above its crown at the outfall.
    let friction = (0.09 / full_m3s(0.2, 1.0, 0.013)).powi(2) * 100.0;
    let level = 9.1 + 0.2 + friction;
    println!("level at w2 {level}");
    let wells: HashMap<String, f64> = answer["surcharged"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| (w["id"].as_str().unwrap().to_owned(), w["level_m"].as_f64().unwrap()))
        .collect();
    assert!((wells["w2"] - level).abs() < 1e-3, "{wells:?}");
    let back = (0.06 / full_m3s(0.4, 1.0, 0.013)).powi(2) * 100.0;
    assert!((wells["w1"] - level - back).abs() < 1e-3);
    assert_eq!(
        (answer["flooded"].as_array().unwrap().len() as u64, answer["faults"].as_u64()),
        (wells.values().filter(|l| **l > 13.0).count() as u64, Some(wells.values().filter(|l| **l > 13.0).count() as u64))
    );
    // Rain that is gone: nothing stands.
    let answer = city.ask(&DRAINAGE, json!({ "intensity_mm_h": 0.0 })).unwrap();
    assert_eq!((answer["full"].as_u64(), answer["faults"].as_u64(), answer["surcharged"].as_array().unwrap().len()), (Some(0), Some(0), 0));
    for (inputs, place) in [
        (json!({ "intensity_mm_h": -1 }), "/intensity_mm_h"),
        (json!({ "formula": { "A": 1 } }), "/formula/C"),
        (json!({ "runoff": 2 }), "/runoff"),
    ] {
        assert!(city.ask(&DRAINAGE, inputs).unwrap_err().to_string().starts_with(place));
    }
    // A ring of drains: no flow is known, and nothing hangs.
    let mut h = Hand::default();
    for (a, b) in [("r", "s"), ("s", "t"), ("t", "r")] {
        let mut more = to(a, b, 300.0);
        more.extend([("subclass", "YS".into()), ("flow_dir", 0.into()), ("start_invert_m", 1.0.into()), ("end_invert_m", 0.9.into())]);
        h.pipe(&format!("{a}{b}"), "PS", &[[0.0, 0.0, 0.0], [30.0, 0.0, 0.0]], &more);
    }
    let answer = h.city().ask(&DRAINAGE, json!({})).unwrap();
    assert_eq!(answer["unknown"].as_array().unwrap().len(), 3);
}

#[test]
fn the_districts_drains_carry_all_the_rain_to_the_river() {
    let (city, _) = City::district(42);
    let answer = city.ask(&DRAINAGE, json!({ "limit": 20_000 })).unwrap();
    let pipes = answer["pipes"].as_array().unwrap();
    println!(
        "{} drains, {} too small, {} wells over their pipes, {} flooded",
        answer["drains"], answer["full"], answer["surcharged_count"], answer["faults"]
    );
    assert_eq!((answer["unknown"].as_array().unwrap().len(), pipes.len() as u64), (0, answer["drains"].as_u64().unwrap()));
    // What falls on every pipe arrives somewhere: with an even rain, the last pipes carry all of it.
    let scope = Scope::everything();
    let net = Network::read(&city.view(&scope), Joining { subclass: Some("YS".into()), ..Joining::of(Class::Ps) }).unwrap();
    let flows: HashMap<&str, f64> = pipes.iter().map(|p| (p["id"].as_str().unwrap(), p["flow_m3s"].as_f64().unwrap())).collect();
    let leaves = |n: u32| net.halves(n).any(|h| (h.end == 0) == (net.edges[h.edge as usize].flow > 0));
    let last: f64 = (0..net.edges.len() as u32)
        .filter(|e| {
            let edge = &net.edges[*e as usize];
            !leaves(edge.ends[usize::from(edge.flow > 0)])
        })
        .map(|e| flows[net.pipe(e).id.as_str()])
        .sum();
    let fallen: f64 = net.edges.iter().map(|e| e.length_m).sum::<f64>() * 60.0 / 10_000.0 * 0.65 * 100.0 / 1_000.0;
    assert!((last - fallen).abs() < 0.01 * fallen, "{last} of {fallen} m³/s");
}
