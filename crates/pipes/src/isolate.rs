//! 爆管与关阀 the doors of [`crate::segments`] and [`crate::isolation`]: what to close, in which order, and who is without.

use crate::{
    ask::{self, Spot},
    isolation::{Isolation, Total, Totals},
    kept::{Cut, Kept},
    network::{NONE, Network, PointKind},
    segments::{Seat, Segments, Valve, valves},
    users::{REACH_M, Users},
};
use serde_json::{Map, Value, json};
use std::{collections::HashSet, sync::Arc};
use strata_engine::{Analysis, AnalysisError, View};
use strata_model::Point3;

pub const ISOLATE: Analysis = Analysis {
    id: "isolate",
    title_en: "Burst and isolation",
    title_zh: "爆管与关阀分析",
    about: "The smallest set of operable valves that shuts a place off, the next ring where a valve is stuck, the parts that lose supply though nobody meant them to, who is without and how many people, hydrants lost, and closed valves that would feed again what was cut off (segment and valve graph, Walski 1993).",
    inputs: r#"{"type":"object","required":["place"],"properties":{
        "place":{"description":"Where it breaks: id of a pipe or a pipe point, or a GeoJSON Point within 25 m of a pipe","format":"geojson-geometry"},
        "class":{"description":"JS, RQ or RL; that of the named object when absent","type":"string"},
        "stuck":{"description":"Valves that do not turn today","type":"array","items":{"type":"string"}},
        "closed":{"description":"Valves that stand closed","type":"array","items":{"type":"string"}},
        "open":{"description":"Valves and closed pipes that stand open, whatever the register says","type":"array","items":{"type":"string"}},
        "valves":{"description":"Valves at pipe ends, instead of the network's own: pipe and point ids","type":"array","items":{"type":"object","properties":{"pipe":{"type":"string"},"point":{"type":"string"}}}},
        "reach_m":{"description":"A building is served by the nearest pipe within it","type":"number","default":150},
        "limit":{"type":"integer","default":5000}}}"#,
    outputs: r#"{"type":"object","properties":{
        "class":{"type":"string"},"at":{"type":"object"},
        "fed":{"description":"Something fed the place before","type":"boolean"},
        "sources_inside":{"description":"Sources in what is shut: they must be stopped too","type":"integer"},
        "close":{"description":"In closing order: id, bore_m, distance_m to the break, if_stuck (what its failure would add), geometry","type":"array"},
        "dry":{"description":"Border valves behind which nothing is fed any more","type":"array"},
        "closed":{"type":"array"},"passed":{"description":"Stuck valves passed over","type":"array"},
        "other_supply":{"description":"Closed valves that feed again what was cut off, when opened","type":"array"},
        "lost":{"description":"length_m, buildings, dwellings, people, critical, hydrants, uses","type":"object"},
        "cut_off":{"description":"Of that, what nobody meant to shut","type":"object"},
        "pipes":{"type":"array"},"buildings":{"type":"array"},"hydrants":{"type":"array"},
        "order_rule":{"type":"string"},"user_rule":{"type":"string"},"truncated":{"type":"boolean"}}}"#,
    run,
};

pub const SEGMENTS: Analysis = Analysis {
    id: "segments",
    title_en: "Valve segments",
    title_zh: "阀段分析",
    about: "All parts that the valves of a network can cut out, each with what is lost when it is shut; the worst first.",
    inputs: r#"{"type":"object","required":["class"],"properties":{
        "class":{"type":"string"},"stuck":{"type":"array","items":{"type":"string"}},"closed":{"type":"array","items":{"type":"string"}},"open":{"type":"array","items":{"type":"string"}},
        "valves":{"type":"array"},"reach_m":{"type":"number","default":150},"limit":{"type":"integer","default":5000}}}"#,
    outputs: r#"{"type":"object","properties":{
        "segments":{"description":"How many","type":"integer"},"valves":{"type":"integer"},
        "idle_valves":{"description":"Valves that part nothing","type":"array"},
        "unfed":{"description":"Segments that nothing feeds","type":"integer"},
        "worst":{"description":"By dwellings, then length: pipe (one of it), length_m, valves, lost, cut_off, geometry (its pipes)","type":"array"},
        "truncated":{"type":"boolean"}}}"#,
    run: run_segments,
};

const ORDER_RULE: &str = "largest bore first, for most comes through it; among equal ones the nearest to the break";

fn user_rule(reach_m: f64) -> String {
    format!(
        "a building hangs on the nearest pipe within {reach_m} m of the middle of its footprint; {} people a dwelling (census 2020)",
        crate::users::HOUSEHOLD
    )
}

/// The network's valves as they stand for this question, and those that are stuck.
fn asked_valves(net: &Network, inputs: &Value) -> Result<(Vec<Valve>, HashSet<u32>), AnalysisError> {
    let mut all = match inputs.get("valves").filter(|v| !v.is_null()) {
        None => valves(net),
        Some(list) => {
            let bad = |i: usize, why: &str| AnalysisError::input(format!("/valves/{i}"), why);
            let list = list.as_array().ok_or_else(|| AnalysisError::input("/valves", "a list is wanted"))?;
            let one = |(i, v): (usize, &Value)| {
                let (Some(pipe), Some(point)) = (v["pipe"].as_str(), v["point"].as_str()) else {
                    return Err(bad(i, "the ids of a pipe and of the point at one of its ends are wanted"));
                };
                let edges = net.edges_of(pipe).ok_or_else(|| AnalysisError::missing(format!("pipe `{pipe}`")))?;
                let node = net.node_of(point).ok_or_else(|| AnalysisError::missing(format!("point `{point}`")))?;
                let mut ends = edges.flat_map(|e| [(e, 0u8), (e, 1)]);
                let seat = ends.find(|(e, k)| net.edges[*e as usize].ends[usize::from(*k)] == node);
                let (edge, end) = seat.ok_or_else(|| bad(i, "the pipe does not end at the point"))?;
                Ok(Valve { seat: Seat::End { edge, end }, closed: false, operable: true })
            };
            list.iter().enumerate().map(one).collect::<Result<_, _>>()?
        }
    };
    let name = |v: &Valve| match v.seat {
        Seat::Node(n) => net.nodes[n as usize].id.as_ref().map(|i| i.as_str()),
        Seat::End { edge, .. } => Some(net.pipe(edge).id.as_str()),
    };
    let mut stuck = HashSet::new();
    for (list, act) in [("stuck", 0), ("closed", 1), ("open", 2)] {
        for id in ask::ids(inputs, list)? {
            let mut known = false;
            for (i, v) in all.iter_mut().enumerate().filter(|(_, v)| name(v) == Some(id.as_str())) {
                known = true;
                match act {
                    0 => {
                        stuck.insert(i as u32);
                    }
                    _ => v.closed = act == 1,
                }
            }
            if !known {
                return Err(AnalysisError::missing(format!("valve `{id}`")));
            }
        }
    }
    Ok((all, stuck))
}

/// Users, segments and stuck valves. Unless the question has valves of its own, what stands from the last one serves.
fn asked_cut(view: &View, kept: &Kept, inputs: &Value, reach_m: f64) -> Result<(Arc<Users>, Arc<Cut>, HashSet<u32>), AnalysisError> {
    let (valves, stuck) = asked_valves(&kept.net, inputs)?;
    let users = kept.users(view, reach_m)?;
    let own = ["valves", "closed", "open"].iter().any(|k| inputs.get(k).is_some_and(|v| !v.is_null()));
    let cut = if own {
        let segments = Segments::new(&kept.net, valves);
        let totals = Totals::new(&segments, users.by_segment(&kept.net, &segments));
        Arc::new(Cut { segments, totals })
    } else {
        kept.cut(view, &users, reach_m)?
    };
    Ok((users, cut, stuck))
}

fn place_of(net: &Network, valve: &Valve) -> Point3 {
    match valve.seat {
        Seat::Node(n) => net.nodes[n as usize].at,
        Seat::End { edge, end } => {
            let axis = net.axis(edge);
            if end == 0 { axis[0] } else { axis[axis.len() - 1] }
        }
    }
}

/// The widest pipe at the valve, m.
fn bore_m(net: &Network, valve: &Valve) -> f64 {
    match valve.seat {
        Seat::Node(n) => net.halves(n).map(|h| net.pipe(h.edge).diameter_m).fold(0.0, f64::max),
        Seat::End { edge, .. } => net.pipe(edge).diameter_m,
    }
}

fn valve_answer(net: &Network, valve: &Valve) -> Map<String, Value> {
    let mut out = match valve.seat {
        Seat::Node(n) => ask::node(net, n),
        Seat::End { edge, end } => {
            let node = net.edges[edge as usize].ends[usize::from(end)];
            let point = net.nodes[node as usize].id.as_ref().map(|i| i.to_string());
            let mut m = Map::new();
            m.insert("id".into(), Value::Null);
            m.insert("pipe".into(), json!(net.pipe(edge).id));
            m.insert("point".into(), json!(point));
            m
        }
    };
    out.insert("bore_m".into(), ask::metres(bore_m(net, valve)));
    out.insert("geometry".into(), ask::point(place_of(net, valve)));
    out
}

/// Valves in the order of closing: see `ORDER_RULE`.
fn closing_order(net: &Network, segments: &Segments, close: &[u32], at: Point3) -> Vec<(u32, f64)> {
    let far = |v: u32| {
        let p = place_of(net, &segments.valves[v as usize]);
        (p[0] - at[0]).hypot(p[1] - at[1])
    };
    let mut order: Vec<(u32, f64)> = close.iter().map(|v| (*v, far(*v))).collect();
    let bore = |v: u32| bore_m(net, &segments.valves[v as usize]);
    order.sort_by(|a, b| bore(b.0).total_cmp(&bore(a.0)).then(a.1.total_cmp(&b.1)).then(a.0.cmp(&b.0)));
    order
}

fn count_answer((c, length_m): Total) -> Value {
    json!({ "length_m": ask::metres(length_m), "buildings": c.buildings, "dwellings": c.dwellings, "people": c.people(), "critical": c.critical, "hydrants": c.hydrants })
}

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let limit = ask::listed(inputs)?;
    let reach_m = ask::number(inputs, "reach_m", 0.0..=5_000.0)?.unwrap_or(REACH_M);
    let kept = Kept::read(view, ask::joining(view, inputs, &["place"])?)?;
    let net = &*kept.net;
    let at = ask::spot(net, inputs, "place")?.ok_or_else(|| AnalysisError::input("/place", "the place of the burst is wanted"))?;
    let (users, cut, mut stuck) = asked_cut(view, &kept, inputs, reach_m)?;
    let Cut { segments, totals } = &*cut;
    let (place, shut) = match at {
        Spot::Edge(e, place) => (place, vec![segments.of_edge[e as usize]]),
        Spot::Node(n) => {
            let place = net.nodes[n as usize].at;
            match segments.of_node[n as usize] {
                // The valve itself is broken: everything around it must be shut.
                NONE => {
                    let seat = Seat::Node(n);
                    let own = segments.valves.iter().position(|v| v.seat == seat).map_or(NONE, |i| i as u32);
                    stuck.insert(own);
                    (place, segments.sides(own).to_vec())
                }
                s => (place, vec![s]),
            }
        }
    };
    let found = segments.isolate(&shut, &stuck);
    Ok(answer(&Asked { net, segments, users: &users, totals, stuck: &stuck, shut: &shut, place, limit, reach_m }, &found))
}

struct Asked<'a> {
    net: &'a Network,
    segments: &'a Segments,
    users: &'a Users,
    totals: &'a Totals,
    stuck: &'a HashSet<u32>,
    shut: &'a [u32],
    place: Point3,
    limit: usize,
    reach_m: f64,
}

fn answer(a: &Asked, found: &Isolation) -> Value {
    let Asked { net, segments, users, totals, limit, .. } = *a;
    let of = |list: &[u32]| list.iter().map(|v| Value::from(valve_answer(net, &segments.valves[*v as usize]))).collect::<Vec<_>>();
    let all: Vec<u32> = found.shut.iter().chain(&found.cut_off).copied().collect();
    let lost = totals.lost(segments, found);
    let close: Vec<Value> = closing_order(net, segments, &found.close, a.place)
        .into_iter()
        .enumerate()
        .map(|(i, (v, distance))| {
            let mut m = valve_answer(net, &segments.valves[v as usize]);
            let mut stuck = a.stuck.clone();
            stuck.insert(v);
            let next = segments.isolate(a.shut, &stuck);
            let (c, l) = totals.lost(segments, &next);
            let added = json!({
                "valves": next.close.len(),
                "length_m": ask::metres(l - lost.1),
                "buildings": c.buildings as i64 - lost.0.buildings as i64,
                "people": c.people() as i64 - lost.0.people() as i64,
            });
            m.insert("order".into(), (i + 1).into());
            m.insert("distance_m".into(), ask::metres(distance));
            m.insert("if_stuck".into(), added);
            m.into()
        })
        .collect();
    let (mut pipes, mut buildings, mut hydrants) = (Vec::new(), Vec::new(), Vec::new());
    let mut truncated = false;
    for (list, why) in [(&found.shut, "shut"), (&found.cut_off, "cut_off")] {
        for e in list.iter().flat_map(|s| segments.edges(*s)) {
            truncated |= pipes.len() >= limit;
            if pipes.len() < limit {
                pipes.push(json!({ "id": net.pipe(*e).id, "why": why, "geometry": ask::line(net.axis(*e)) }));
            }
            for u in users.on_edge(*e) {
                truncated |= buildings.len() >= limit;
                if buildings.len() < limit {
                    let u = &users.all[*u as usize];
                    buildings
                        .push(json!({ "id": u.id, "use": u.purpose, "dwellings": u.dwellings, "why": why, "geometry": ask::point(u.at) }));
                }
            }
        }
    }
    let without: HashSet<u32> = all.iter().copied().collect();
    for n in (0..net.nodes.len() as u32).filter(|n| net.kind(*n) == PointKind::Hydrant && without.contains(&segments.of_node[*n as usize]))
    {
        truncated |= hydrants.len() >= limit;
        if hydrants.len() < limit {
            hydrants.push(Value::from(ask::node(net, n)));
        }
    }
    let mut lost_answer = count_answer(lost);
    lost_answer["uses"] = json!(users.purposes(all.iter().flat_map(|s| segments.edges(*s)).copied()));
    json!({
        "class": net.class,
        "at": ask::point(a.place),
        "fed": found.fed,
        "sources_inside": found.sources,
        "close": close,
        "dry": of(&found.dry),
        "closed": of(&found.closed),
        "passed": of(&found.passed),
        "other_supply": of(&found.other_supply),
        "lost": lost_answer,
        "cut_off": count_answer(totals.cut_off(segments, found)),
        "pipes": pipes,
        "buildings": buildings,
        "hydrants": hydrants,
        "order_rule": ORDER_RULE,
        "user_rule": user_rule(a.reach_m),
        "truncated": truncated,
    })
}

fn run_segments(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let limit = ask::listed(inputs)?;
    let reach_m = ask::number(inputs, "reach_m", 0.0..=5_000.0)?.unwrap_or(REACH_M);
    let kept = Kept::read(view, ask::joining(view, inputs, &[])?)?;
    let net = &*kept.net;
    let (_, cut, stuck) = asked_cut(view, &kept, inputs, reach_m)?;
    let Cut { segments, totals } = &*cut;
    let idle = (0..segments.valves.len() as u32).filter(|v| segments.sides(*v).len() < 2);
    let idle: Vec<Value> = idle.map(|v| valve_answer(net, &segments.valves[v as usize]).into()).collect();
    let mut worst: Vec<(u32, Total, Isolation)> = (0..segments.count as u32)
        .filter(|s| !segments.edges(*s).is_empty())
        .map(|s| {
            let found = segments.isolate(&[s], &stuck);
            (s, totals.lost(segments, &found), found)
        })
        .collect();
    worst.sort_by(|a, b| b.1.0.dwellings.cmp(&a.1.0.dwellings).then(b.1.1.total_cmp(&a.1.1)).then(a.0.cmp(&b.0)));
    let truncated = worst.len() > limit || idle.len() > limit;
    let listed: Vec<Value> = worst
        .iter()
        .take(limit)
        .map(|(s, lost, found)| {
            let edges = segments.edges(*s);
            let lines: Vec<Value> = edges.iter().map(|e| ask::line(net.axis(*e))["coordinates"].take()).collect();
            json!({
                "pipe": net.pipe(edges[0]).id,
                "length_m": ask::metres(segments.length_m[*s as usize]),
                "valves": found.close.len() + found.dry.len(),
                "lost": count_answer(*lost),
                "cut_off": count_answer(totals.cut_off(segments, found)),
                "geometry": { "type": "MultiLineString", "coordinates": lines },
            })
        })
        .collect();
    Ok(json!({
        "segments": segments.count,
        "valves": segments.valves.len(),
        "idle_valves": idle.into_iter().take(limit).collect::<Vec<_>>(),
        "unfed": (0..segments.count as u32).filter(|s| !segments.is_fed(*s)).count(),
        "worst": listed,
        "user_rule": user_rule(reach_m),
        "truncated": truncated,
    }))
}
