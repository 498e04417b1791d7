//! 水力分析 the door of [`crate::hydraulics`]: pressures and flows now, after a closure, with a proposal's pipes.

use crate::{
    ask,
    hydraulics::{HydraulicsError, Solution, solve},
    joining::Joining,
    kept::Kept,
    network::Network,
    pipe::Class,
    supply::{Assumptions, Model},
};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use strata_engine::{Analysis, AnalysisError, View};

pub const HYDRAULICS: Analysis = Analysis {
    id: "hydraulics",
    title_en: "Hydraulics",
    title_zh: "水力分析",
    about: "Pressures and flows of the water network by the EPANET 2.3 toolkit, steady or over an extended period, before and after a closure or a proposal. An imported EPANET network keeps its demands, patterns, pumps, valves and controls; for a surveyed one the assumptions are listed. Demand-driven: a pressure below zero means that the demand cannot be met.",
    inputs: r#"{"type":"object","properties":{
        "close":{"description":"Pipes and valve points taken as closed","type":"array","items":{"type":"string"}},
        "compare":{"description":"Also solve the city without the closure and without the proposal; always so with a closure","type":"boolean","default":false},
        "extended":{"type":"boolean","default":false},
        "watch":{"description":"Points and pipes whose series over the period is wanted","type":"array","items":{"type":"string"}},
        "min_pressure_m":{"description":"Points below it are counted; 10 m serves one storey (GB 50013, least service head)","type":"number","default":10},
        "source_head_m":{"type":"number","default":45},"litres_per_person_day":{"type":"number","default":110},"peak_factor":{"type":"number","default":1.4},
        "pattern":{"description":"Multipliers of the hours of a day, for a surveyed network over an extended period","type":"array","items":{"type":"number"}},
        "limit":{"type":"integer","default":5000}}}"#,
    outputs: r#"{"type":"object","properties":{
        "solver":{"type":"string"},"imported":{"type":"boolean"},"notes":{"type":"array"},"warnings":{"type":"array"},
        "after":{"description":"Summary: points, unfed, lowest and highest pressure, below_min, demand_lps, demand_unfed_lps","type":"object"},
        "before":{"description":"The same without closure and proposal","type":"object"},
        "points":{"description":"Lowest pressure first: id, pressure_m, head_m, before_m, geometry","type":"array"},
        "pipes":{"description":"Largest flow first: id, flow_lps along the axis, velocity_mps, before_lps, geometry","type":"array"},
        "unfed":{"description":"Points that nothing feeds","type":"array"},
        "periods":{"description":"time_s, lowest and highest pressure, below_min","type":"array"},
        "series":{"description":"By id: pressures (m) or flows (l/s) of the periods","type":"object"},
        "truncated":{"type":"boolean"}}}"#,
    run,
};

impl From<HydraulicsError> for AnalysisError {
    fn from(e: HydraulicsError) -> Self {
        match e {
            HydraulicsError::NoSource => Self::missing("a source of the water network"),
            e => Self::input("", e.to_string()),
        }
    }
}

struct Run {
    net: Arc<Network>,
    model: Arc<Model>,
    solution: Solution,
}

fn run_on(view: &View, assume: &Assumptions, close: &[String], extended: bool) -> Result<Run, AnalysisError> {
    let kept = Kept::read(view, Joining::of(Class::Js))?;
    let net = kept.net.clone();
    if net.edges.is_empty() {
        return Err(AnalysisError::missing("a water network"));
    }
    let shut = shut(&net, close)?;
    let model = kept.model(view, assume)?;
    let solution = solve(&model, &net, &shut, extended)?;
    Ok(Run { net, model, solution })
}

/// Edges shut by the names; a closed valve point parts all pipes that meet there, which shutting all but one does.
fn shut(net: &Network, close: &[String]) -> Result<HashSet<u32>, AnalysisError> {
    let mut out: HashSet<u32> = HashSet::new();
    for id in close {
        if let Some(edges) = net.edges_of(id) {
            out.extend(edges);
        } else {
            let node = net.node_of(id).ok_or_else(|| AnalysisError::missing(format!("water pipe or point `{id}`")))?;
            out.extend(net.halves(node).skip(1).map(|h| h.edge));
        }
    }
    for n in (0..net.nodes.len() as u32).filter(|n| net.is_closed(*n)) {
        out.extend(net.halves(n).skip(1).map(|h| h.edge));
    }
    Ok(out)
}

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let limit = ask::listed(inputs)?;
    let close = ask::ids(inputs, "close")?;
    let extended = ask::flag(inputs, "extended")?;
    let min_m = ask::number(inputs, "min_pressure_m", -1e3..=1e4)?.unwrap_or(10.0);
    let usual = Assumptions::default();
    let assume = Assumptions {
        source_head_m: ask::number(inputs, "source_head_m", 0.0..=500.0)?.unwrap_or(usual.source_head_m),
        litres_per_person_day: ask::number(inputs, "litres_per_person_day", 0.0..=5_000.0)?.unwrap_or(usual.litres_per_person_day),
        peak_factor: ask::number(inputs, "peak_factor", 0.0..=20.0)?.unwrap_or(usual.peak_factor),
        pattern: pattern(inputs)?,
    };
    let after = run_on(view, &assume, &close, extended)?;
    let before = if close.is_empty() && !ask::flag(inputs, "compare")? {
        None
    } else {
        Some(run_on(&View { snapshot: view.base, ..*view }, &assume, &[], extended)?)
    };
    let watched = watched(&after, &ask::ids(inputs, "watch")?)?;
    let mut out = answer(&after, before.as_ref(), min_m, limit);
    out["series"] = watched;
    Ok(out)
}

fn pattern(inputs: &Value) -> Result<Vec<f64>, AnalysisError> {
    let Some(v) = inputs.get("pattern").filter(|v| !v.is_null()) else { return Ok(Vec::new()) };
    let bad = || AnalysisError::input("/pattern", "a list of at most 8 760 numbers from 0 to 100 is wanted");
    let list = v.as_array().filter(|l| l.len() <= 8_760).ok_or_else(bad)?;
    list.iter().map(|v| v.as_f64().filter(|n| (0.0..=100.0).contains(n)).ok_or_else(bad)).collect()
}

/// Series of points (pressure) and pipes (flow).
fn watched(run: &Run, ids: &[String]) -> Result<Value, AnalysisError> {
    let mut out = serde_json::Map::new();
    for id in ids {
        let periods = 0..run.solution.periods.len();
        let values: Vec<Value> = if let Some(n) = run.net.node_of(id) {
            periods.map(|p| ask::metres(run.solution.pressure_m(p, n, &run.model))).collect()
        } else if let Some(e) = run.net.edges_of(id).map(|r| r.start) {
            periods.map(|p| ask::metres(run.solution.periods[p].flow_lps[e as usize])).collect()
        } else {
            return Err(AnalysisError::missing(format!("water pipe or point `{id}`")));
        };
        out.insert(id.clone(), values.into());
    }
    Ok(out.into())
}

fn summary(run: &Run, period: usize, min_m: f64) -> Value {
    let nodes = (0..run.net.nodes.len() as u32).filter(|n| !run.model.feeds(*n));
    let pressures: Vec<f64> = match run.solution.periods.is_empty() {
        true => Vec::new(),
        false => nodes.map(|n| run.solution.pressure_m(period, n, &run.model)).filter(|p| p.is_finite()).collect(),
    };
    let demand = |list: &mut dyn Iterator<Item = u32>| list.map(|n| run.model.demand_lps(n)).sum::<f64>();
    json!({
        "points": pressures.len(),
        "unfed": run.solution.unfed.len(),
        "lowest_m": ask::metres(pressures.iter().copied().fold(f64::INFINITY, f64::min)),
        "highest_m": ask::metres(pressures.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        "below_min": pressures.iter().filter(|p| **p < min_m).count(),
        "demand_lps": ask::metres(demand(&mut (0..run.net.nodes.len() as u32))),
        "demand_unfed_lps": ask::metres(demand(&mut run.solution.unfed.iter().copied())),
    })
}

fn answer(run: &Run, before: Option<&Run>, min_m: f64, limit: usize) -> Value {
    let Run { net, model, solution } = run;
    let solved = !solution.periods.is_empty();
    let mut pressures: Vec<(u32, f64)> = if solved {
        (0..net.nodes.len() as u32).map(|n| (n, solution.pressure_m(0, n, model))).filter(|p| p.1.is_finite()).collect()
    } else {
        Vec::new()
    };
    pressures.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    let before_points: HashMap<&str, f64> = before.map_or_else(HashMap::new, |b| {
        let pressure = |n: u32| (!b.solution.periods.is_empty()).then(|| b.solution.pressure_m(0, n, &b.model));
        (0..b.net.nodes.len() as u32).filter_map(|n| Some((b.net.nodes[n as usize].id.as_ref()?.as_str(), pressure(n)?))).collect()
    });
    let points: Vec<Value> = pressures
        .iter()
        .take(limit)
        .map(|(n, p)| {
            let mut m = ask::node(net, *n);
            m.insert("pressure_m".into(), ask::metres(*p));
            m.insert("head_m".into(), ask::metres(solution.periods[0].head_m[*n as usize]));
            if before.is_some() {
                let was = net.nodes[*n as usize].id.as_ref().and_then(|id| before_points.get(id.as_str()));
                m.insert("before_m".into(), was.map_or(Value::Null, |p| ask::metres(*p)));
            }
            m.into()
        })
        .collect();
    let before_pipes: HashMap<&str, f64> = before.filter(|b| !b.solution.periods.is_empty()).map_or_else(HashMap::new, |b| {
        (0..b.net.edges.len() as u32).map(|e| (b.net.pipe(e).id.as_str(), b.solution.periods[0].flow_lps[e as usize])).collect()
    });
    let flow = |e: u32| if solved { solution.periods[0].flow_lps[e as usize] } else { f64::NAN };
    let mut flows: Vec<u32> = (0..net.edges.len() as u32).filter(|e| flow(*e).is_finite()).collect();
    flows.sort_by(|a, b| flow(*b).abs().total_cmp(&flow(*a).abs()).then(a.cmp(b)));
    let pipes: Vec<Value> = flows
        .iter()
        .take(limit)
        .map(|e| {
            let d = net.pipe(*e).diameter_m;
            let velocity = if d > 0.0 { flow(*e).abs() / 1000.0 / (std::f64::consts::FRAC_PI_4 * d * d) } else { f64::NAN };
            let mut v = json!({ "id": net.pipe(*e).id, "flow_lps": ask::metres(flow(*e)), "velocity_mps": ask::metres(velocity) });
            v["geometry"] = ask::line(net.axis(*e));
            if before.is_some() {
                v["before_lps"] = before_pipes.get(net.pipe(*e).id.as_str()).map_or(Value::Null, |f| ask::metres(*f));
            }
            v
        })
        .collect();
    let periods: Vec<Value> = (0..solution.periods.len())
        .map(|p| {
            let s = summary(run, p, min_m);
            json!({ "time_s": solution.periods[p].time_s, "lowest_m": s["lowest_m"], "highest_m": s["highest_m"], "below_min": s["below_min"] })
        })
        .collect();
    let unfed: Vec<Value> = solution.unfed.iter().take(limit).map(|n| ask::node(net, *n).into()).collect();
    let mut out = json!({
        "solver": "EPANET 2.3, demand-driven",
        "imported": model.imported,
        "notes": model.notes,
        "warnings": solution.warnings,
        "after": summary(run, 0, min_m),
        "before": before.map_or(Value::Null, |b| summary(b, 0, min_m)),
        "truncated": pressures.len() > limit || flows.len() > limit || solution.unfed.len() > limit,
    });
    // Moved, where `json!` would copy them.
    for (name, list) in [("points", points), ("pipes", pipes), ("unfed", unfed), ("periods", periods)] {
        out[name] = list.into();
    }
    out
}
