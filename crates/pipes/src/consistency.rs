//! 拓扑 what is wrong with a network as surveyed: ends that hang, points on nothing, drains that rise or run in a circle,
//! pipes that cross without meeting, parts without a source.

use crate::{
    ask,
    network::{NONE, Network, PointKind},
    pipe::Class,
    reasons::{Reason, why},
    walk::Bits,
};
use rstar::{AABB, RTree, primitives::GeomWithData, primitives::Rectangle};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use strata_engine::{Analysis, AnalysisError, View};
use strata_model::Point3;

pub const TOPOLOGY: Analysis = Analysis {
    id: "topology",
    title_en: "Topology",
    title_zh: "拓扑检查",
    about: "Joins the pipes of one class to a network and says what is wrong with it: dangling ends, points without pipes, valves on nothing, self-loops, drains that rise or run in a circle, storm and sewage joined, crossings that do not meet, ends off their points, parts without a source (CJJ 61-2017 on the consistency of survey data; GB 50014 on drains).",
    inputs: r#"{"type":"object","required":["class"],"properties":{
        "class":{"description":"JS, PS, RQ, RL, DL, TX, GY or QT","type":"string"},
        "subclass":{"type":"string"},
        "abandoned":{"type":"boolean","default":false},
        "tolerance_m":{"description":"Ends without a point number are joined within it in plan","type":"number","default":0.1},
        "height_tolerance_m":{"type":"number","default":0.3},
        "limit":{"description":"At most so many faults are listed for each rule; totals count all","type":"integer","default":5000}}}"#,
    outputs: r#"{"type":"object","properties":{
        "faults":{"type":"integer"},"warnings":{"type":"integer"},
        "rules":{"description":"How many findings of each rule","type":"object"},
        "findings":{"description":"rule, level (error, warning), ids, text, text_zh, geometry","type":"array"},
        "nodes":{"type":"integer"},"edges":{"type":"integer"},"length_m":{"type":"number"},"abandoned":{"description":"Abandoned pipes left out","type":"integer"},
        "components":{"description":"By descending length: nodes, edges, length_m, sources, geometry (a place in it)","type":"array"}}}"#,
    run,
};

/// Rules, with whether each is an error (else a warning).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    DanglingEnd,
    PointWithoutPipe,
    ValveOnNothing,
    SelfLoop,
    ReverseFall,
    Cycle,
    MixedDrainage,
    UnconnectedCrossing,
    MissingPoint,
    EndOffPoint,
    IslandWithoutSource,
    NoSource,
}

impl Rule {
    pub fn id(self) -> &'static str {
        [
            "dangling-end",
            "point-without-pipe",
            "valve-on-nothing",
            "self-loop",
            "reverse-fall",
            "cycle",
            "mixed-drainage",
            "unconnected-crossing",
            "missing-point",
            "end-off-point",
            "island-without-source",
            "no-source",
        ][self as usize]
    }
    pub fn is_error(self) -> bool {
        !matches!(self, Self::DanglingEnd | Self::PointWithoutPipe | Self::IslandWithoutSource)
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub rule: Rule,
    /// Pipes and points concerned.
    pub ids: Vec<String>,
    /// Working frame.
    pub at: Point3,
    pub text: Reason,
}

/// Inverts may stand so far apart from what they should be and be sound, m (heights are surveyed to ±0.03 m).
const LEVEL_M: f64 = 0.03;
/// An end farther from the point it names is an error of the survey, m.
const OFF_POINT_M: f64 = 0.5;

/// Everything wrong with the network, rule after rule. `tolerance_m`: nearer than this is touching.
pub fn findings(net: &Network, tolerance_m: f64) -> Vec<Finding> {
    let mut out = Vec::new();
    let id = |n: u32| net.nodes[n as usize].id.as_ref().map(|i| i.to_string());
    let pipe_id = |e: u32| net.pipe(e).id.to_string();
    let mut add = |rule, ids: Vec<String>, at, text: Reason| out.push(Finding { rule, ids, at, text });
    for n in 0..net.nodes.len() as u32 {
        let node = &net.nodes[n as usize];
        let degree = net.degree(n);
        let first = net.halves(n).next().map(|h| pipe_id(h.edge));
        let own = |more: Option<String>| id(n).into_iter().chain(more).collect::<Vec<_>>();
        if node.kind == PointKind::Valve && degree < 2 {
            let text = if degree == 0 { why("valve-no-pipe", &[]) } else { why("valve-one-side", &[]) };
            add(Rule::ValveOnNothing, own(first), node.at, text);
        } else if degree == 0 {
            add(Rule::PointWithoutPipe, own(None), node.at, why("no-pipe-ends", &[]));
        } else if degree == 1 && !may_end(net, n) {
            add(Rule::DanglingEnd, own(first), node.at, ends_at(node.kind));
        }
        if net.class == Class::Ps && degree > 1 {
            let kinds: std::collections::BTreeSet<&str> = net.halves(n).map(|h| net.word(net.pipe(h.edge).subclass)).collect();
            if kinds.contains("WS") && kinds.contains("YS") {
                let pipes = net.halves(n).map(|h| pipe_id(h.edge));
                add(Rule::MixedDrainage, id(n).into_iter().chain(pipes).collect(), node.at, why("storm-sewage", &[]));
            }
        }
    }
    for e in 0..net.edges.len() as u32 {
        let edge = &net.edges[e as usize];
        let axis = net.axis(e);
        if edge.ends[0] == edge.ends[1] {
            add(Rule::SelfLoop, vec![pipe_id(e)], axis[0], why("one-place", &[]));
        }
        for (k, n) in edge.ends.into_iter().enumerate() {
            let (Some(name), node) = (&net.pipe(e).ends[k], &net.nodes[n as usize]) else { continue };
            let end = if k == 0 { axis[0] } else { axis[axis.len() - 1] };
            if node.id.as_ref() != Some(name) {
                continue; // a piece that ends where another pipe joins
            }
            let off = (node.at[0] - end[0]).hypot(node.at[1] - end[1]);
            if !node.surveyed {
                add(Rule::MissingPoint, vec![pipe_id(e), name.to_string()], end, why("point-missing", &[name]));
            }
            if off > OFF_POINT_M {
                add(Rule::EndOffPoint, vec![pipe_id(e), name.to_string()], end, why("ends-off", &[&format_args!("{off:.2}"), name]));
            }
        }
        if net.class == Class::Ps
            && let Some([a, b]) = net.pipe(e).inverts_m
        {
            let rise = if edge.flow < 0 { a - b } else { b - a };
            if edge.flow != 0 && rise > LEVEL_M {
                add(Rule::ReverseFall, vec![pipe_id(e)], ask::middle(axis), why("rises-by", &[&format_args!("{rise:.2}")]));
            }
        }
    }
    if net.class == Class::Ps {
        steps_up(net, &mut out);
        for ring in cycles(net) {
            let ids = ring.iter().map(|e| net.pipe(*e).id.to_string()).collect();
            let text = why("circle", &[&ring.len()]);
            out.push(Finding { rule: Rule::Cycle, ids, at: net.axis(ring[0])[0], text });
        }
    }
    crossings(net, tolerance_m, &mut out);
    islands(net, &mut out);
    out.sort_by_key(|f| f.rule);
    out
}

/// Where a pipe may come to an end.
fn may_end(net: &Network, n: u32) -> bool {
    use PointKind::*;
    match net.kind(n) {
        Tee | Bend | Cross | Reducer | None => false,
        Other => net.nodes[n as usize].surveyed,
        _ => true,
    }
}

fn ends_at(kind: PointKind) -> Reason {
    match kind {
        PointKind::Tee => why("ends-at-tee", &[]),
        PointKind::Bend => why("ends-at-bend", &[]),
        PointKind::Cross => why("ends-at-cross", &[]),
        PointKind::Reducer => why("ends-at-reducer", &[]),
        _ => why("ends-at-nothing", &[]),
    }
}

/// Wells where no outgoing drain lies as low as the lowest that comes in: water stands.
fn steps_up(net: &Network, out: &mut Vec<Finding>) {
    for n in 0..net.nodes.len() as u32 {
        let (mut low_in, mut low_out) = (f64::INFINITY, f64::INFINITY);
        for h in net.halves(n) {
            let (edge, row) = (&net.edges[h.edge as usize], net.pipe(h.edge));
            // The invert here, where this end is one of the pipe itself and not of a piece.
            let (Some(inverts), true) = (row.inverts_m, edge.flow != 0 && edge.length_m > 0.0) else { continue };
            if row.ends[h.end].as_ref() != net.nodes[n as usize].id.as_ref() {
                continue;
            }
            let leaves = (h.end == 0) == (edge.flow > 0);
            let low = if leaves { &mut low_out } else { &mut low_in };
            *low = low.min(inverts[h.end]);
        }
        if low_in.is_finite() && low_out.is_finite() && low_out > low_in + LEVEL_M {
            let node = &net.nodes[n as usize];
            let text = why("leaves-higher", &[&format_args!("{:.2}", low_out - low_in)]);
            out.push(Finding { rule: Rule::ReverseFall, ids: node.id.iter().map(|i| i.to_string()).collect(), at: node.at, text });
        }
    }
}

/// Sets of edges whose flow leads back to itself: strongly connected parts (Tarjan), without recursion.
pub fn cycles(net: &Network) -> Vec<Vec<u32>> {
    let n = net.nodes.len();
    let (mut index, mut low, mut of) = (vec![NONE; n], vec![0u32; n], vec![NONE; n]);
    let (mut on, mut stack, mut next, mut part) = (Bits::new(n), Vec::new(), 0u32, 0u32);
    let mut sizes = Vec::new();
    let leaves = |v: u32| {
        net.steps(v).iter().map(|s| (s.half(), s.other)).filter(|(h, _)| {
            let f = net.edges[h.edge as usize].flow;
            if h.end == 0 { f > 0 } else { f < 0 }
        })
    };
    for start in 0..n as u32 {
        if index[start as usize] != NONE {
            continue;
        }
        let mut calls: Vec<(u32, usize)> = vec![(start, 0)];
        while let Some((v, i)) = calls.pop() {
            let iv = v as usize;
            if i == 0 {
                (index[iv], low[iv]) = (next, next);
                next += 1;
                stack.push(v);
                on.set(v);
            }
            if let Some((_, w)) = leaves(v).nth(i) {
                calls.push((v, i + 1));
                if index[w as usize] == NONE {
                    calls.push((w, 0));
                } else if of[w as usize] == NONE {
                    low[iv] = low[iv].min(index[w as usize]);
                }
                continue;
            }
            if low[iv] == index[iv] {
                let mut size = 0;
                while let Some(w) = stack.pop() {
                    of[w as usize] = part;
                    size += 1;
                    if w == v {
                        break;
                    }
                }
                sizes.push(size);
                part += 1;
            }
            if let Some((parent, _)) = calls.last() {
                low[*parent as usize] = low[*parent as usize].min(low[iv]);
            }
        }
    }
    let mut rings: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (i, e) in net.edges.iter().enumerate().filter(|(_, e)| e.flow != 0) {
        let [a, b] = e.ends.map(|n| of[n as usize]);
        // A self-loop is named by its own rule.
        if a == b && sizes[a as usize] > 1 {
            rings.entry(a).or_default().push(i as u32);
        }
    }
    rings.into_values().collect()
}

/// Pipes that touch but are not joined: they cross at one height, or one ends on the other's middle.
fn crossings(net: &Network, tolerance_m: f64, out: &mut Vec<Finding>) {
    let mut segments = Vec::new();
    for e in 0..net.edges.len() as u32 {
        for w in net.axis(e).windows(2) {
            segments.push(GeomWithData::new(Rectangle::from_corners([w[0][0], w[0][1]], [w[1][0], w[1][1]]), (e, [w[0], w[1]])));
        }
    }
    let tree = RTree::bulk_load(segments);
    for s in tree.iter() {
        let (e, line) = s.data;
        let [lower, upper] = [s.geom().lower(), s.geom().upper()];
        let window = AABB::from_corners([lower[0] - tolerance_m, lower[1] - tolerance_m], [upper[0] + tolerance_m, upper[1] + tolerance_m]);
        for other in tree.locate_in_envelope_intersecting(window) {
            let (f, against) = other.data;
            let (a, b) = (&net.edges[e as usize], &net.edges[f as usize]);
            if f <= e || a.pipe == b.pipe || a.ends.iter().any(|n| b.ends.contains(n)) {
                continue;
            }
            let (pa, pb) = (net.pipe(e), net.pipe(f));
            if pa.subclass != 0 && pb.subclass != 0 && pa.subclass != pb.subclass {
                continue; // storm and sewage are two networks
            }
            let Some((at, apart)) = meeting(line, against, tolerance_m) else { continue };
            if apart <= (pa.diameter_m + pb.diameter_m) / 2.0 + tolerance_m {
                let text = why("meet-apart", &[&format_args!("{apart:.2}")]);
                out.push(Finding { rule: Rule::UnconnectedCrossing, ids: vec![pa.id.to_string(), pb.id.to_string()], at, text });
            }
        }
    }
}

/// Where two segments cross in plan, or come within the tolerance at an end of one: the place and the heights' difference.
fn meeting([a, b]: [Point3; 2], [c, d]: [Point3; 2], tolerance_m: f64) -> Option<(Point3, f64)> {
    let (r, s) = ([b[0] - a[0], b[1] - a[1]], [d[0] - c[0], d[1] - c[1]]);
    let cross = r[0] * s[1] - r[1] * s[0];
    if cross.abs() > 1e-9 {
        let q = [c[0] - a[0], c[1] - a[1]];
        let (t, u) = ((q[0] * s[1] - q[1] * s[0]) / cross, (q[0] * r[1] - q[1] * r[0]) / cross);
        if (0.0..=1.0).contains(&t) && (0.0..=1.0).contains(&u) {
            let z = a[2] + (b[2] - a[2]) * t;
            return Some(([a[0] + r[0] * t, a[1] + r[1] * t, z], (z - (c[2] + (d[2] - c[2]) * u)).abs()));
        }
    }
    let near = |p: Point3, a: Point3, b: Point3| {
        let (_, plan, height) = crate::joining::nearest(a, b, p);
        (plan <= tolerance_m).then_some((p, (height - p[2]).abs()))
    };
    near(a, c, d).or_else(|| near(b, c, d)).or_else(|| near(c, a, b)).or_else(|| near(d, a, b))
}

/// Parts that nothing feeds (drains: that run out nowhere). Cables and tunnels have no source.
fn islands(net: &Network, out: &mut Vec<Finding>) {
    if net.edges.is_empty() || !matches!(net.class, Class::Js | Class::Ps | Class::Rq | Class::Rl) {
        return;
    }
    let drains = net.class == Class::Ps;
    if net.terminals().next().is_none() {
        let at = net.axis(0)[0];
        let text = if drains { why("no-outfall", &[]) } else { why("no-source", &[]) };
        out.push(Finding { rule: Rule::NoSource, ids: Vec::new(), at, text });
        return;
    }
    for part in parts(net).into_iter().filter(|p| p.terminals == 0 && p.edges > 0) {
        let node = &net.nodes[part.node as usize];
        let (edges, long) = (part.edges, format!("{:.0}", part.length_m));
        let text = if drains { why("part-no-outfall", &[&edges, &long]) } else { why("part-no-source", &[&edges, &long]) };
        out.push(Finding { rule: Rule::IslandWithoutSource, ids: node.id.iter().map(|i| i.to_string()).collect(), at: node.at, text });
    }
}

/// What hangs together.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its first node.
    pub node: u32,
    pub nodes: usize,
    pub edges: usize,
    pub length_m: f64,
    /// Sources, for drains outfalls.
    pub terminals: usize,
}

/// The components, longest first.
pub fn parts(net: &Network) -> Vec<Part> {
    let (of, count) = net.components();
    let mut parts = vec![Part { node: NONE, nodes: 0, edges: 0, length_m: 0.0, terminals: 0 }; count];
    for (n, c) in of.iter().enumerate() {
        let p = &mut parts[*c as usize];
        p.node = p.node.min(n as u32);
        p.nodes += 1;
    }
    for e in &net.edges {
        let p = &mut parts[of[e.ends[0] as usize] as usize];
        p.edges += 1;
        p.length_m += e.length_m;
    }
    for t in net.terminals() {
        parts[of[t as usize] as usize].terminals += 1;
    }
    parts.sort_by(|a, b| b.length_m.total_cmp(&a.length_m).then(a.node.cmp(&b.node)));
    parts
}

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let joining = ask::joining(view, inputs, &[])?;
    let limit = ask::listed(inputs)?;
    let tolerance_m = joining.tolerance_m;
    let net = Network::read(view, joining)?;
    let all = findings(&net, tolerance_m);
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    let mut listed = Vec::new();
    for f in &all {
        let n = rules.entry(f.rule.id()).or_default();
        *n += 1;
        if *n <= limit {
            let level = if f.rule.is_error() { "error" } else { "warning" };
            listed.push(json!({ "rule": f.rule.id(), "level": level, "ids": f.ids, "text": f.text.en, "text_zh": f.text.zh, "geometry": ask::point(f.at) }));
        }
    }
    let faults = all.iter().filter(|f| f.rule.is_error()).count();
    let components: Vec<Value> = parts(&net)
        .into_iter()
        .filter(|p| p.edges > 0)
        .take(limit)
        .map(|p| {
            let geometry = ask::point(net.nodes[p.node as usize].at);
            json!({ "nodes": p.nodes, "edges": p.edges, "length_m": ask::metres(p.length_m), "sources": p.terminals, "geometry": geometry })
        })
        .collect();
    let mut out = Map::new();
    for (name, value) in [
        ("faults", faults.into()),
        ("warnings", (all.len() - faults).into()),
        ("rules", json!(rules)),
        ("findings", listed.into()),
        ("nodes", net.nodes.len().into()),
        ("edges", net.edges.len().into()),
        ("length_m", ask::metres(net.edges.iter().map(|e| e.length_m).sum())),
        ("abandoned", net.abandoned.into()),
        ("components", components.into()),
    ] {
        out.insert(name.into(), value);
    }
    Ok(out.into())
}
