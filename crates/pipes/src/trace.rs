//! 追踪 upstream, downstream, connected, the shortest way, a pressure zone: what a walk through the network meets.

use crate::{
    ask::{self, Spot},
    kept::Kept,
    network::{Network, PointKind},
    pipe::Class,
    walk::{Direction, Reach, Stops, Way, reach, shortest},
};
use serde_json::{Value, json};
use strata_engine::{Analysis, AnalysisError, View};

pub const TRACE: Analysis = Analysis {
    id: "trace",
    title_en: "Trace",
    title_zh: "连通追踪",
    about: "What hangs together with a place of one network: upstream, downstream, connected, in one pressure zone, or the shortest way to another place. Direction is the declared one, in drains the fall of the inverts; in a network under pressure without declared direction it leads away from the nearest source along the pipes.",
    inputs: r#"{"type":"object","required":["from"],"properties":{
        "from":{"description":"Id of a pipe or a pipe point, or a GeoJSON Point within 25 m of a pipe","format":"geojson-geometry"},
        "to":{"description":"The other place, for `path`","format":"geojson-geometry"},
        "mode":{"type":"string","enum":["upstream","downstream","connected","zone","path"],"default":"connected"},
        "class":{"description":"JS, PS, RQ, RL, DL, TX, GY or QT; that of the named object when absent","type":"string"},
        "subclass":{"type":"string"},
        "stop_at":{"description":"Where a walk ends: at closed valves, at every valve, or nowhere","type":"string","enum":["closed_valves","valves","nothing"],"default":"closed_valves"},
        "closed":{"description":"Points taken as closed for this question","type":"array","items":{"type":"string"}},
        "max_distance_m":{"type":"number"},
        "abandoned":{"description":"Abandoned pipes count too","type":"boolean","default":false},
        "tolerance_m":{"type":"number","default":0.1},"height_tolerance_m":{"type":"number","default":0.3},
        "limit":{"description":"At most so many pipes and points are listed; totals count all","type":"integer","default":5000}}}"#,
    outputs: r#"{"type":"object","properties":{
        "mode":{"type":"string"},"class":{"type":"string"},"from":{"type":"object"},
        "pipes":{"description":"Edges met","type":"integer"},"length_m":{"type":"number"},
        "undirected":{"description":"Edges walked whose direction is not known","type":"integer"},
        "direction_from":{"description":"Whence the direction: declared, fall, or sources","type":"string"},
        "points":{"description":"How many of each kind","type":"object"},
        "path":{"description":"In order: id, order, distance_m to its far end, geometry","type":"array"},
        "met":{"description":"Valves, hydrants, sources, outfalls, meters, pumps, tanks with distance","type":"array"},
        "stopped_at":{"type":"array"},"truncated":{"type":"boolean"}}}"#,
    run,
};

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let mode = ask::text(inputs, "mode")?.unwrap_or("connected");
    let direction = match mode {
        "upstream" => Some(Direction::Upstream),
        "downstream" => Some(Direction::Downstream),
        "connected" => Some(Direction::Connected),
        "zone" => Some(Direction::Zone),
        "path" => None,
        _ => return Err(AnalysisError::input("/mode", "one of upstream, downstream, connected, zone, path is wanted")),
    };
    let limit = ask::listed(inputs)?;
    let max_distance_m = ask::number(inputs, "max_distance_m", 0.0..=1e7)?;
    let kept = Kept::read(view, ask::joining(view, inputs, &["from", "to"])?)?;
    let net = &*kept.net;
    let mut stops = Stops { closed: ask::nodes(net, inputs, "closed")?, max_distance_m, ..Stops::default() };
    match ask::text(inputs, "stop_at")?.unwrap_or("closed_valves") {
        "closed_valves" => {}
        "valves" => stops.any_valve = true,
        "nothing" => stops.ignore_closed = true,
        _ => return Err(AnalysisError::input("/stop_at", "one of closed_valves, valves, nothing is wanted")),
    }
    let from = ask::spot(net, inputs, "from")?.ok_or_else(|| AnalysisError::input("/from", "the place to begin is wanted"))?;
    match direction {
        None => {
            let to = ask::spot(net, inputs, "to")?.ok_or_else(|| AnalysisError::input("/to", "a path wants its other end"))?;
            let way = between(net, from, to, &stops);
            let way = way.ok_or_else(|| AnalysisError::missing("a way between the two places"))?;
            Ok(path(net, from, &way, limit))
        }
        Some(direction) => {
            let flow = match direction {
                Direction::Upstream | Direction::Downstream => kept.directions(view)?,
                _ => Default::default(),
            };
            let found = from_spot(net, from, direction, &flow, &stops);
            Ok(answer(net, mode, from, &found, &flow, limit))
        }
    }
}

/// Walks from a node, or from an edge: the edge itself first, then from the end (or ends) that the direction leaves by.
pub(crate) fn from_spot(net: &Network, from: Spot, direction: Direction, flow: &[i8], stops: &Stops) -> Reach {
    let (edge, starts) = match from {
        Spot::Node(n) => return reach(net, &[n], direction, flow, stops),
        Spot::Edge(edge, _) => (edge, net.edges[edge as usize].ends),
    };
    let along = flow.get(edge as usize).copied().unwrap_or(0);
    let leaves: Vec<u32> = match direction {
        Direction::Downstream if along != 0 => vec![starts[usize::from(along > 0)]],
        Direction::Upstream if along != 0 => vec![starts[usize::from(along < 0)]],
        _ => starts.to_vec(),
    };
    let shut = |n: &u32| !stops.ignore_closed && (net.is_closed(*n) || stops.closed.contains(n));
    let shut = |n: &u32| shut(n) || (stops.any_valve && net.kind(*n) == PointKind::Valve);
    let (stopped, open): (Vec<u32>, Vec<u32>) = leaves.into_iter().partition(shut);
    let mut found = reach(net, &open, direction, flow, stops);
    // The edge itself comes first, once.
    if let Some(i) = found.edges.iter().position(|e| *e == edge) {
        found.edges.remove(i);
        found.hops.remove(i);
        found.distance_m.remove(i);
    } else {
        found.length_m += net.edges[edge as usize].length_m;
    }
    found.edges.insert(0, edge);
    found.hops.insert(0, 0);
    found.distance_m.insert(0, 0.0);
    for n in stopped {
        if !found.nodes.contains(&n) {
            found.nodes.push(n);
        }
        if !found.stopped.contains(&n) {
            found.stopped.push(n);
        }
    }
    found
}

/// The shortest of the ways between any ends of the two places; the places' own edges are part of it.
fn between(net: &Network, from: Spot, to: Spot, stops: &Stops) -> Option<Way> {
    let ends = |s: Spot| match s {
        Spot::Node(n) => vec![n],
        Spot::Edge(e, _) => net.edges[e as usize].ends.to_vec(),
    };
    if let (Spot::Edge(a, _), Spot::Edge(b, _)) = (from, to)
        && a == b
    {
        let e = &net.edges[a as usize];
        return Some(Way { edges: vec![a], nodes: e.ends.to_vec(), length_m: e.length_m });
    }
    let ways = ends(from).into_iter().flat_map(|a| ends(to).into_iter().map(move |b| (a, b)));
    let mut best = ways.filter_map(|(a, b)| shortest(net, a, b, stops)).min_by(|a, b| a.length_m.total_cmp(&b.length_m))?;
    for (spot, front) in [(from, true), (to, false)] {
        if let Spot::Edge(e, _) = spot
            && !best.edges.contains(&e)
        {
            let edge = &net.edges[e as usize];
            let at = if front { best.nodes[0] } else { best.nodes[best.nodes.len() - 1] };
            let far = edge.ends[usize::from(edge.ends[0] == at)];
            let (i, j) = if front { (0, 0) } else { (best.edges.len(), best.nodes.len()) };
            best.edges.insert(i, e);
            best.nodes.insert(j, far);
            best.length_m += edge.length_m;
        }
    }
    Some(best)
}

fn place(net: &Network, spot: Spot) -> Value {
    ask::point(match spot {
        Spot::Node(n) => net.nodes[n as usize].at,
        Spot::Edge(_, at) => at,
    })
}

/// What a person looks for along the way.
fn notable(kind: PointKind) -> bool {
    use PointKind::*;
    matches!(kind, Valve | Hydrant | Source | Outfall | Meter | Pump | Tank | Regulator)
}

fn answer(net: &Network, mode: &str, from: Spot, found: &Reach, flow: &[i8], limit: usize) -> Value {
    let path: Vec<Value> = (0..found.edges.len().min(limit))
        .map(|i| {
            let e = found.edges[i];
            json!({ "id": net.pipe(e).id, "order": found.hops[i], "distance_m": ask::metres(found.distance_m[i]), "geometry": ask::line(net.axis(e)) })
        })
        .collect();
    let mut distance = std::collections::HashMap::new();
    for (i, e) in found.edges.iter().enumerate() {
        for n in net.edges[*e as usize].ends {
            let d = found.distance_m[i];
            distance.entry(n).and_modify(|x: &mut f64| *x = x.min(d)).or_insert(d);
        }
    }
    let notable: Vec<u32> = found.nodes.iter().copied().filter(|n| notable(net.kind(*n))).collect();
    let met: Vec<Value> = notable
        .iter()
        .take(limit)
        .map(|n| {
            let mut m = ask::node(net, *n);
            m.insert("distance_m".into(), distance.get(n).map_or(Value::Null, |d| ask::metres(*d)));
            m.into()
        })
        .collect();
    let stopped: Vec<Value> = found.stopped.iter().take(limit).map(|n| ask::node(net, *n).into()).collect();
    let truncated = found.edges.len() > limit || notable.len() > limit || found.stopped.len() > limit;
    let whence = if flow.is_empty() {
        Value::Null
    } else if net.class == Class::Ps {
        "declared, else the fall of the inverts".into()
    } else if net.terminals().next().is_some() {
        "declared, else away from the nearest source along the pipes".into()
    } else {
        "declared only: the network has no source".into()
    };
    json!({
        "mode": mode,
        "class": net.class,
        "from": place(net, from),
        "pipes": found.edges.len(),
        "length_m": ask::metres(found.length_m),
        "undirected": found.undirected,
        "direction_from": whence,
        "points": ask::kinds(net, found.nodes.iter().copied()),
        "path": path,
        "met": met,
        "stopped_at": stopped,
        "truncated": truncated,
    })
}

fn path(net: &Network, from: Spot, way: &Way, limit: usize) -> Value {
    let mut gone = 0.0;
    let edges: Vec<Value> = way
        .edges
        .iter()
        .enumerate()
        .take(limit)
        .map(|(i, e)| {
            gone += net.edges[*e as usize].length_m;
            json!({ "id": net.pipe(*e).id, "order": i, "distance_m": ask::metres(gone), "geometry": ask::line(net.axis(*e)) })
        })
        .collect();
    let met: Vec<Value> = way.nodes.iter().filter(|n| notable(net.kind(**n))).take(limit).map(|n| ask::node(net, *n).into()).collect();
    json!({
        "mode": "path",
        "class": net.class,
        "from": place(net, from),
        "pipes": way.edges.len(),
        "length_m": ask::metres(way.length_m),
        "undirected": 0,
        "direction_from": Value::Null,
        "points": ask::kinds(net, way.nodes.iter().copied()),
        "path": edges,
        "met": met,
        "stopped_at": [],
        "truncated": way.edges.len() > limit,
    })
}
