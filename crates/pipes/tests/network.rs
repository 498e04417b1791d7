//! Pipes join to a network, walks through it, what is wrong with it.

#![allow(clippy::unwrap_used)]

mod common;

use common::{City, Hand};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use strata_model::{Feature, Geometry, Layer};
use strata_pipes::{
    consistency::TOPOLOGY,
    joining::Joining,
    network::Network,
    pipe::Class,
    trace::TRACE,
    walk::{Direction, Stops, directions, distances, reach, shortest},
};

/// Pipes of the layer as anyone reads them: id, class, ends, whether the inverts fall from start to end, plan length.
struct Row {
    id: String,
    class: String,
    ends: [String; 2],
    falls: Option<bool>,
    length_m: f64,
}

fn rows(layer: &Layer, features: &[Feature]) -> Vec<Row> {
    features
        .iter()
        .map(|f| {
            let text = |n: &str| f.text(layer, n).unwrap_or_default().to_owned();
            let Geometry::LineString(line) = &f.geometry else { panic!("a line") };
            let d = |k: usize| (line[0][k] - line[line.len() - 1][k]).powi(2);
            Row {
                id: f.id.to_string(),
                class: text("class"),
                ends: [text("start_point"), text("end_point")],
                falls: f.number(layer, "start_invert_m").zip(f.number(layer, "end_invert_m")).map(|(a, b)| a > b),
                length_m: (d(0) + d(1) + d(2)).sqrt(),
            }
        })
        .collect()
}

/// Ids of pipes that a fixpoint over the raw table reaches: no queue, no graph.
fn slow_reach<'a>(rows: &[&'a Row], start: &'a str, open: impl Fn(&Row, usize) -> bool) -> BTreeSet<&'a str> {
    let (mut points, mut pipes) = (HashSet::from([start]), BTreeSet::new());
    loop {
        let before = (points.len(), pipes.len());
        for r in rows {
            for k in 0..2 {
                if points.contains(r.ends[k].as_str()) && open(r, k) {
                    points.insert(&r.ends[1 - k]);
                    pipes.insert(r.id.as_str());
                }
            }
        }
        if before == (points.len(), pipes.len()) {
            return pipes;
        }
    }
}

#[test]
fn walks_in_the_district_meet_what_a_fixpoint_over_the_table_meets() {
    let (city, layers) = City::district(42);
    let (layer, features) = layers.iter().find(|l| l.0.id.as_str() == "pipes").unwrap();
    let rows = rows(layer, features);
    let scope = strata_model::Scope::everything();
    for class in Class::ALL {
        let net = Network::read(&city.view(&scope), Joining::of(class)).unwrap();
        assert_eq!(net.edges.len(), rows.iter().filter(|r| r.class == class.letters()).count(), "{class:?}");
    }
    let net = Network::read(&city.view(&scope), Joining::of(Class::Ps)).unwrap();
    let flow = directions(&net);
    let drains: Vec<&Row> = rows.iter().filter(|r| r.class == "PS").collect();
    let ids = |edges: &[u32]| edges.iter().map(|e| net.pipe(*e).id.to_string()).collect::<BTreeSet<_>>();
    let same = |a: &[u32], b: BTreeSet<&str>| assert_eq!(ids(a), b.into_iter().map(str::to_owned).collect());
    let mut up_total = 0;
    for start in (0..net.nodes.len() as u32).step_by(net.nodes.len() / 12) {
        let name = net.nodes[start as usize].id.clone().unwrap();
        let down = reach(&net, &[start], Direction::Downstream, &flow, &Stops::default());
        same(&down.edges, slow_reach(&drains, name.as_str(), |r, k| r.falls == Some(k == 0)));
        // The generator's promise: whatever flows, flows out.
        assert!(down.nodes.iter().any(|n| net.kind(*n) == strata_pipes::network::PointKind::Outfall), "{name}");
        let up = reach(&net, &[start], Direction::Upstream, &flow, &Stops::default());
        same(&up.edges, slow_reach(&drains, name.as_str(), |r, k| r.falls == Some(k == 1)));
        up_total += up.edges.len();
        let all = reach(&net, &[start], Direction::Connected, &flow, &Stops::default());
        same(&all.edges, slow_reach(&drains, name.as_str(), |_, _| true));
        assert_eq!((down.undirected, up.undirected), (0, 0));
        let met = ids(&all.edges);
        let length: f64 = drains.iter().filter(|r| met.contains(&r.id)).map(|r| r.length_m).sum();
        assert!((all.length_m - length).abs() < 1e-6 * length.max(1.0));
    }
    assert!(up_total > 100, "the walks upstream met {up_total} pipes only");
}

/// Bellman-Ford over the raw table.
fn slow_distance(rows: &[Row], start: &str) -> HashMap<String, f64> {
    let mut far: HashMap<String, f64> = HashMap::from([(start.to_owned(), 0.0)]);
    loop {
        let mut better = false;
        for r in rows {
            for k in 0..2 {
                let Some(d) = far.get(&r.ends[k]).map(|d| d + r.length_m) else { continue };
                let to = far.entry(r.ends[1 - k].clone()).or_insert(f64::INFINITY);
                if d < *to - 1e-12 {
                    *to = d;
                    better = true;
                }
            }
        }
        if !better {
            return far;
        }
    }
}

#[test]
fn the_shortest_way_is_as_short_as_bellman_ford_says_and_water_flows_away_from_its_sources() {
    let (city, layers) = City::district(7);
    let (layer, features) = layers.iter().find(|l| l.0.id.as_str() == "pipes").unwrap();
    let rows: Vec<Row> = rows(layer, features).into_iter().filter(|r| r.class == "JS").collect();
    let scope = strata_model::Scope::everything();
    let net = Network::read(&city.view(&scope), Joining::of(Class::Js)).unwrap();
    let name = |n: u32| net.nodes[n as usize].id.as_ref().unwrap().as_str();
    let start = net.nodes.len() as u32 / 3;
    let far = slow_distance(&rows, name(start));
    for to in (0..net.nodes.len() as u32).step_by(97) {
        let way = shortest(&net, start, to, &Stops::default()).unwrap();
        assert!((way.length_m - far[name(to)]).abs() < 1e-6, "{}: {} or {}", name(to), way.length_m, far[name(to)]);
        let walked: f64 = way.edges.iter().map(|e| net.edges[*e as usize].length_m).sum();
        assert!((walked - way.length_m).abs() < 1e-6);
        for (i, e) in way.edges.iter().enumerate() {
            let ends = net.edges[*e as usize].ends;
            assert!(ends == [way.nodes[i], way.nodes[i + 1]] || ends == [way.nodes[i + 1], way.nodes[i]]);
        }
    }
    let sources: Vec<u32> = net.terminals().collect();
    assert!(sources.len() >= 2, "{sources:?}");
    let nearest: Vec<HashMap<String, f64>> = sources.iter().map(|s| slow_distance(&rows, name(*s))).collect();
    let (flow, field) = (directions(&net), distances(&net, &sources));
    for (e, f) in net.edges.iter().zip(&flow) {
        let d = e.ends.map(|n| nearest.iter().map(|m| m[name(n)]).fold(f64::INFINITY, f64::min));
        e.ends.iter().zip(d).for_each(|(n, d)| assert!((field[*n as usize] - d).abs() < 1e-6));
        assert_eq!(*f, if d[0] < d[1] { 1 } else { -1 }, "{d:?}");
    }
}

fn pair(ids: &Value) -> [String; 2] {
    let mut ids = [0, 1].map(|i| ids[i].as_str().unwrap().to_owned());
    ids.sort();
    ids
}

/// Every pair of straight pipes looked at that name no common point: they cross in plan (each one's ends on two sides of
/// the other) at heights that touch, or an end of one lies on the other.
fn slow_crossings(layer: &Layer, features: &[Feature], class: &str) -> BTreeSet<[String; 2]> {
    let pipes: Vec<(&Feature, [[f64; 3]; 2])> = features
        .iter()
        .filter(|f| f.text(layer, "class") == Some(class))
        .map(|f| match &f.geometry {
            Geometry::LineString(l) => (f, [l[0], l[l.len() - 1]]),
            g => panic!("{g:?}"),
        })
        .collect();
    let side = |[a, b]: [[f64; 3]; 2], p: [f64; 3]| (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
    let mut out = BTreeSet::new();
    for (i, (f, p)) in pipes.iter().enumerate() {
        for (g, q) in &pipes[..i] {
            let far = |k: usize| p[0][k].min(p[1][k]) - q[0][k].max(q[1][k]) > 0.1 || q[0][k].min(q[1][k]) - p[0][k].max(p[1][k]) > 0.1;
            if far(0) || far(1) {
                continue;
            }
            let (c, d) = (side(*p, q[0]), side(*p, q[1]));
            let (a, b) = (side(*q, p[0]), side(*q, p[1]));
            let ends = |f: &Feature| ["start_point", "end_point"].map(|n| f.text(layer, n).unwrap().to_owned());
            // Or an end of one lies on the other: seen by looking at it every centimetre.
            let touch = |l: &[[f64; 3]; 2], e: [f64; 3]| {
                let steps = (l[0][0] - l[1][0]).hypot(l[0][1] - l[1][1]) * 100.0;
                let at = |i: usize, k: usize| l[0][k] + (l[1][k] - l[0][k]) * (i as f64 / steps).min(1.0);
                (0..=steps.ceil() as usize).any(|i| (at(i, 0) - e[0]).hypot(at(i, 1) - e[1]) <= 0.1 && (at(i, 2) - e[2]).abs() < 0.3)
            };
            if ends(f).iter().any(|e| ends(g).contains(e)) || f.text(layer, "subclass") != g.text(layer, "subclass") {
                continue;
            }
            if a * b >= 0.0 || c * d >= 0.0 {
                if q.iter().any(|e| touch(p, *e)) || p.iter().any(|e| touch(q, *e)) {
                    let mut ids = [f.id.to_string(), g.id.to_string()];
                    ids.sort();
                    out.insert(ids);
                }
                continue;
            }
            let z = |l: &[[f64; 3]; 2], a: f64, b: f64| l[0][2] + (l[1][2] - l[0][2]) * a / (a - b);
            let radii = [f, g].iter().map(|f| f.number(layer, "dn_mm").or(f.number(layer, "height_mm")).unwrap() / 2_000.0).sum::<f64>();
            if (z(p, a, b) - z(q, c, d)).abs() <= radii + 0.10 {
                let mut ids = [f.id.to_string(), g.id.to_string()];
                ids.sort();
                out.insert(ids);
            }
        }
    }
    out
}

#[test]
fn the_district_as_made_is_sound_and_a_trace_says_what_it_meets() {
    let (city, layers) = City::district(42);
    let (layer, features) = layers.iter().find(|l| l.0.id.as_str() == "pipes").unwrap();
    for class in ["JS", "PS", "RQ", "RL", "DL", "TX"] {
        let answer = city.ask(&TOPOLOGY, json!({ "class": class })).unwrap();
        println!("{class}: {} in {} edges", answer["rules"], answer["edges"]);
        // The generator promises joints and falls, but not that two mains of one kind never touch near a junction.
        let slow = slow_crossings(layer, features, class);
        let crossing = |f: &&Value| f["rule"] == "unconnected-crossing";
        let found: BTreeSet<[String; 2]> =
            answer["findings"].as_array().unwrap().iter().filter(crossing).map(|f| pair(&f["ids"])).collect();
        let differ: Vec<_> = found.symmetric_difference(&slow).take(5).collect();
        assert!(differ.is_empty(), "{class}: {differ:?} of {} and {}", found.len(), slow.len());
        let mut others = rules(&answer);
        others.remove("unconnected-crossing");
        others.remove("dangling-end"); // a bend whose second pipe would have been shorter than half a metre
        assert!(others.is_empty(), "{class}: {others:?}");
    }
    let answer = city.ask(&TRACE, json!({ "from": "WSL000100", "mode": "downstream" })).unwrap();
    assert_eq!((answer["class"].as_str(), answer["undirected"].as_u64()), (Some("PS"), Some(0)));
    assert!(answer["met"].as_array().unwrap().iter().any(|m| m["kind"] == "outfall"), "{answer}");
    assert_eq!(answer["path"][0]["id"], "WSL000100");
    assert_eq!(answer["path"].as_array().unwrap().len() as u64, answer["pipes"].as_u64().unwrap());
    // Between valves: a walk that stops at every valve meets few pipes, and valves only where it stops.
    let answer = city.ask(&TRACE, json!({ "from": "JSL000100", "stop_at": "valves" })).unwrap();
    assert!(answer["stopped_at"].as_array().unwrap().iter().all(|m| m["kind"] == "valve") && answer["pipes"].as_u64() < Some(200));
    assert_eq!(answer["stopped_at"].as_array().unwrap().len() as u64, answer["points"]["valve"].as_u64().unwrap());
    // A place on the map finds the pipe there.
    let place = answer["from"].clone();
    assert_eq!(city.ask(&TRACE, json!({ "from": place, "class": "JS", "stop_at": "valves" })).unwrap()["path"][0]["id"], "JSL000100");
}

fn rules(answer: &Value) -> BTreeMap<String, u64> {
    answer["rules"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_u64().unwrap())).collect()
}

fn named(rules: &[(&str, u64)]) -> BTreeMap<String, u64> {
    rules.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect()
}

#[test]
fn ends_without_numbers_are_joined_by_place_and_on_the_middle_of_a_pipe() {
    let mut h = Hand::default();
    h.pipe("main", "JS", &[[0.0, 0.0, 5.0], [50.0, 0.0, 5.0], [100.0, 0.0, 5.0]], &[]);
    h.pipe("on", "JS", &[[100.05, 0.0, 5.1], [200.0, 0.0, 5.0]], &[]);
    h.pipe("tee", "JS", &[[70.0, 0.05, 5.0], [70.0, 40.0, 5.0]], &[]);
    h.pipe("other tee", "JS", &[[20.0, -0.05, 5.0], [20.0, -40.0, 5.0]], &[]);
    // Over the main: near in plan, far in height.
    h.pipe("above", "JS", &[[40.0, 0.0, 6.0], [40.0, 40.0, 6.0]], &[]);
    h.point("S", "JS", "source", [0.02, 0.0, 7.0]);
    let city = h.city();
    let scope = strata_model::Scope::everything();
    let net = Network::read(&city.view(&scope), Joining::of(Class::Js)).unwrap();
    assert_eq!((net.edges.len(), net.edges_of("main").unwrap().len()), (7, 3));
    let pieces: Vec<f64> = net.edges_of("main").unwrap().map(|e| net.edges[e as usize].length_m).collect();
    assert_eq!(pieces, [20.0, 50.0, 30.0]);
    assert_eq!(net.axis(net.edges_of("main").unwrap().start + 1), [[20.0, 0.0, 5.0], [50.0, 0.0, 5.0], [70.0, 0.0, 5.0]]);
    let met = reach(&net, &[net.node_of("S").unwrap()], Direction::Connected, &[], &Stops::default());
    let ids: BTreeSet<&str> = met.edges.iter().map(|e| net.pipe(*e).id.as_str()).collect();
    assert_eq!(ids, BTreeSet::from(["main", "on", "tee", "other tee"]));
    // 5 ends hang; "above" is an island that passes 1 m over the main with no body to touch it.
    let answer = city.ask(&TOPOLOGY, json!({ "class": "JS" })).unwrap();
    assert_eq!(rules(&answer), named(&[("dangling-end", 5), ("island-without-source", 1)]), "{answer}");
    // With a wider tolerance in height it is joined.
    let answer = city.ask(&TRACE, json!({ "from": "above", "class": "JS", "height_tolerance_m": 1.5 })).unwrap();
    assert_eq!(answer["pipes"], 8);
}

#[test]
fn each_fault_of_a_network_is_found_by_its_rule() {
    let v = |t: &str| strata_model::Value::from(t);
    let mut h = Hand::default();
    let to = |a: &str, b: &str| vec![("start_point", v(a)), ("end_point", v(b))];
    for (id, kind, at) in [
        ("A", "source", [0.0, 0.0, 0.0]),
        ("B", "tee", [100.0, 0.0, 0.0]),
        ("C", "valve", [200.0, 0.0, 0.0]),
        ("D", "well", [300.0, 300.0, 0.0]),
        ("E", "valve", [400.0, 400.0, 0.0]),
        ("F", "cap", [100.0, 100.0, 0.0]),
        ("G", "cap", [500.0, 0.0, 0.0]),
        ("H", "cap", [600.0, 0.0, 0.0]),
    ] {
        h.point(id, "JS", kind, at);
    }
    h.pipe("AB", "JS", &[[0.0, 0.0, -2.0], [100.0, 0.0, -2.0]], &to("A", "B"));
    h.pipe("BC", "JS", &[[100.0, 0.0, -2.0], [200.0, 0.0, -2.0]], &to("B", "C"));
    h.pipe("BB", "JS", &[[100.0, 0.0, -2.0], [100.0, 5.0, -2.0], [100.0, 0.0, -2.0]], &to("B", "B"));
    h.pipe("BF", "JS", &[[100.0, 0.0, -2.0], [100.0, 99.0, -2.0]], &to("B", "F"));
    h.pipe("BX", "JS", &[[100.0, 0.0, -2.0], [150.0, -50.0, -2.0]], &to("B", "X"));
    h.pipe("GH", "JS", &[[500.0, 0.0, -2.0], [600.0, 0.0, -2.0]], &to("G", "H"));
    // Crosses AB at its height, joined to nothing.
    h.pipe("YZ", "JS", &[[50.0, -20.0, -2.0], [50.0, 20.0, -2.1]], &[]);
    let answer = h.city().ask(&TOPOLOGY, json!({ "class": "JS" })).unwrap();
    let expected = [
        ("dangling-end", 3),         // X, and both ends of YZ
        ("point-without-pipe", 1),   // D
        ("valve-on-nothing", 2),     // E on none, C on one side
        ("self-loop", 1),            // BB
        ("unconnected-crossing", 1), // YZ over AB
        ("missing-point", 1),        // X
        ("end-off-point", 1),        // BF ends 1 m short of F
        ("island-without-source", 2),
    ];
    assert_eq!(rules(&answer), named(&expected), "{answer:#}");
    assert_eq!((answer["faults"].as_u64(), answer["warnings"].as_u64()), (Some(6), Some(6)));

    // Drains: one rises against its declared flow, three run in a ring, one lies above what comes in, sewage meets storm.
    let mut h = Hand::default();
    let drain = |a: &str, b: &str, z: [f64; 2], sub: &str| {
        let mut m = to(a, b);
        m.extend([("start_invert_m", z[0].into()), ("end_invert_m", z[1].into()), ("subclass", v(sub)), ("flow_dir", 0.into())]);
        m
    };
    let at = |x: f64, y: f64| [[x, y, 0.0], [x + 30.0, y, 0.0]];
    for (i, id) in ["a", "b", "c", "d", "e", "r", "s", "t"].into_iter().enumerate() {
        h.point(id, "PS", if id == "e" { "outfall" } else { "well" }, [i as f64 * 30.0, 0.0, 3.0]);
    }
    h.pipe("ab", "PS", &at(0.0, 0.0), &drain("a", "b", [10.0, 10.2], "WS"));
    h.pipe("bc", "PS", &at(30.0, 0.0), &drain("b", "c", [10.1, 9.0], "WS"));
    h.pipe("cd", "PS", &at(60.0, 0.0), &drain("c", "d", [9.5, 8.0], "WS"));
    h.pipe("de", "PS", &at(90.0, 0.0), &drain("d", "e", [8.0, 7.0], "YS"));
    h.pipe("rs", "PS", &[[150.0, 0.0, 0.0], [180.0, 0.0, 0.0]], &drain("r", "s", [8.0, 7.9], "WS"));
    h.pipe("st", "PS", &[[180.0, 0.0, 0.0], [210.0, 0.0, 0.0]], &drain("s", "t", [7.9, 7.8], "WS"));
    h.pipe("tr", "PS", &[[210.0, 0.0, 0.0], [180.0, 40.0, 0.0], [150.0, 0.0, 0.0]], &drain("t", "r", [7.8, 8.1], "WS"));
    let answer = h.city().ask(&TOPOLOGY, json!({ "class": "PS" })).unwrap();
    let expected = [("reverse-fall", 3), ("cycle", 1), ("mixed-drainage", 1), ("island-without-source", 1)];
    assert_eq!(rules(&answer), named(&expected), "{answer:#}");
    let ring = answer["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "cycle").unwrap();
    assert_eq!(ring["ids"], json!(["rs", "st", "tr"]));
    // A walk in a circle ends.
    let walk = h.city().ask(&TRACE, json!({ "from": "r", "mode": "downstream" })).unwrap();
    assert_eq!((walk["pipes"].as_u64(), walk["class"].as_str()), (Some(3), Some("PS")));
}

#[test]
fn bad_questions_get_clear_answers_and_a_star_of_ten_thousand_pipes_stands() {
    let mut h = Hand::default();
    h.point("S", "JS", "source", [0.0, 0.0, 0.0]);
    for i in 0..10_000 {
        let a = f64::from(i) * 0.01;
        let ends = [("start_point", strata_model::Value::from("S"))];
        h.pipe(&format!("p{i}"), "JS", &[[0.0, 0.0, 0.0], [a.cos() * 500.0, a.sin() * 500.0, 0.0]], &ends);
    }
    let city = h.city();
    let began = std::time::Instant::now();
    let answer = city.ask(&TRACE, json!({ "from": "S", "class": "JS" })).unwrap();
    assert_eq!((answer["pipes"].as_u64(), answer["truncated"].as_bool()), (Some(10_000), Some(true)));
    let answer = city.ask(&TOPOLOGY, json!({ "class": "JS", "limit": 5 })).unwrap();
    assert!(answer["rules"]["dangling-end"].as_u64() > Some(6_000), "{}", answer["rules"]);
    println!("a star of 10 000 pipes: {:.1} s", began.elapsed().as_secs_f64());
    for (inputs, place) in [
        (json!({}), "/class"),
        (json!({ "class": "JS" }), "/from"),
        (json!({ "class": "wind", "from": "S" }), "/class"),
        (json!({ "from": "S", "mode": "sideways" }), "/mode"),
        (json!({ "from": "S", "stop_at": 3 }), "/stop_at"),
        (json!({ "from": ["S"], "class": "JS" }), "/from"),
        (json!({ "from": { "type": "Point", "coordinates": ["x", 1] }, "class": "JS" }), "/from"),
        (json!({ "from": "S", "mode": "path" }), "/to"),
        (json!({ "from": "S", "max_distance_m": -1 }), "/max_distance_m"),
    ] {
        let e = city.ask(&TRACE, inputs.clone()).unwrap_err().to_string();
        assert!(e.starts_with(place), "{inputs}: {e}");
    }
    for inputs in [
        json!({ "from": "nobody" }),
        json!({ "from": "nobody", "class": "JS" }),
        json!({ "from": { "type": "Point", "coordinates": [9_000.0, 0.0] }, "class": "JS" }),
        json!({ "from": "S", "closed": ["nobody"] }),
        json!({ "from": "S", "class": "RQ" }),
    ] {
        let e = city.ask(&TRACE, inputs.clone()).unwrap_err();
        assert!(matches!(e, strata_engine::AnalysisError::Missing { .. }), "{inputs}: {e}");
    }
    // What the asker may not see is not there, word for word.
    let hidden = city.ask_as(&TRACE, json!({ "from": "S" }), &strata_model::Scope::public()).unwrap_err().to_string();
    assert_eq!(hidden.replace('S', "?"), city.ask(&TRACE, json!({ "from": "Z" })).unwrap_err().to_string().replace('Z', "?"));
    // A network with no source says so once.
    let mut h = Hand::default();
    h.pipe("p", "JS", &[[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]], &[]);
    let answer = h.city().ask(&TOPOLOGY, json!({ "class": "JS" })).unwrap();
    assert_eq!(answer["rules"]["no-source"], 1);
    let empty = Hand::default().city().ask(&TOPOLOGY, json!({ "class": "JS" })).unwrap();
    assert_eq!((empty["edges"].as_u64(), empty["faults"].as_u64()), (Some(0), Some(0)));
}
