//! 排水能力 the door of [`crate::drain`]: which drains run full, which wells stand over their pipes.

use crate::{
    ask,
    drain::{Flood, Rain, Storm, rain},
    joining::Joining,
    kept::Kept,
    network::Network,
    pipe::Class,
};
use serde_json::{Value, json};
use strata_engine::{Analysis, AnalysisError, View};

pub const DRAINAGE: Analysis = Analysis {
    id: "drainage",
    title_en: "Drainage in a storm",
    title_zh: "排水能力分析",
    about: "Capacity of the storm drains by Manning and what a storm asks of them by the rational method (GB 50014-2021: Q = ψ q F), with water levels from the outfalls up; wells over their pipes' crowns and over the ground. Steady, a first look. The storm's formula belongs to a city and is asked for; without one an even intensity is taken and said.",
    inputs: r#"{"type":"object","properties":{
        "subclass":{"description":"YS storm drains; HS combined ones","type":"string","default":"YS"},
        "intensity_mm_h":{"description":"Even rain","type":"number","default":36},
        "formula":{"description":"q = 167 A (1 + C lg P) / (t + b)^n, instead of an even rain","type":"object","properties":{"A":{"type":"number"},"C":{"type":"number"},"b":{"type":"number"},"n":{"type":"number"}}},
        "return_period_a":{"type":"number","default":2},
        "runoff":{"description":"Runoff coefficient ψ","type":"number","default":0.65},
        "strip_m":{"description":"Width of ground that drains to a pipe","type":"number","default":60},
        "inlet_min":{"type":"number","default":10},"limit":{"type":"integer","default":5000}}}"#,
    outputs: r#"{"type":"object","properties":{
        "faults":{"description":"Wells that are flooded","type":"integer"},
        "rain":{"type":"object"},"drains":{"type":"integer"},"full":{"description":"Drains asked for more than they carry","type":"integer"},
        "surcharged":{"description":"Wells: id, level_m, above_crown and geometry; the deepest first","type":"array"},"flooded":{"type":"array"},
        "pipes":{"description":"Most loaded first: id, flow_m3s, full_m3s, load, fill, velocity_mps, slope, geometry","type":"array"},
        "unknown":{"description":"Pipes in a circle, or without direction or inverts","type":"array"},"truncated":{"type":"boolean"}}}"#,
    run,
};

fn asked(inputs: &Value) -> Result<Rain, AnalysisError> {
    let storm = match inputs.get("formula").filter(|v| !v.is_null()) {
        None => Storm::Intensity(ask::number(inputs, "intensity_mm_h", 0.0..=1_000.0)?.unwrap_or(36.0)),
        Some(f) => {
            let part = |name: &str, most: f64| {
                let v = f.get(name).and_then(Value::as_f64).filter(|v| (0.0..=most).contains(v));
                v.ok_or_else(|| AnalysisError::input(format!("/formula/{name}"), format!("a number from 0 to {most} is wanted")))
            };
            let return_period_a = ask::number(inputs, "return_period_a", 0.25..=1_000.0)?.unwrap_or(2.0);
            Storm::Formula { a: part("A", 1e3)?, c: part("C", 10.0)?, b: part("b", 200.0)?, n: part("n", 3.0)?, return_period_a }
        }
    };
    Ok(Rain {
        storm,
        runoff: ask::number(inputs, "runoff", 0.0..=1.0)?.unwrap_or(0.65),
        strip_m: ask::number(inputs, "strip_m", 0.0..=5_000.0)?.unwrap_or(60.0),
        inlet_min: ask::number(inputs, "inlet_min", 0.0..=600.0)?.unwrap_or(10.0),
    })
}

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let limit = ask::listed(inputs)?;
    let asked = asked(inputs)?;
    let subclass = ask::text(inputs, "subclass")?.unwrap_or("YS").to_owned();
    let net = Kept::read(view, Joining { subclass: Some(subclass.clone()), ..Joining::of(Class::Ps) })?.net;
    if net.edges.is_empty() {
        return Err(AnalysisError::missing(format!("a drain of subclass `{subclass}`")));
    }
    let flood = rain(&net, &asked);
    Ok(answer(&net, &asked, &flood, limit))
}

fn answer(net: &Network, asked: &Rain, flood: &Flood, limit: usize) -> Value {
    let wells = |list: &[u32]| {
        let mut list: Vec<u32> = list.to_vec();
        let over = |n: u32| net.nodes[n as usize].ground_m.map_or(f64::NEG_INFINITY, |g| flood.level_m[n as usize] - g);
        list.sort_by(|a, b| over(*b).total_cmp(&over(*a)).then(a.cmp(b)));
        let one = |n: &u32| {
            let mut m = ask::node(net, *n);
            m.insert("level_m".into(), ask::metres(flood.level_m[*n as usize]));
            m.insert("ground_m".into(), net.nodes[*n as usize].ground_m.map_or(Value::Null, ask::metres));
            Value::from(m)
        };
        list.iter().take(limit).map(one).collect::<Vec<_>>()
    };
    let load = |e: u32| {
        let d = &flood.drains[e as usize];
        if d.full_m3s > 0.0 { d.flow_m3s / d.full_m3s } else { f64::INFINITY }
    };
    let unknown: std::collections::HashSet<u32> = flood.unknown.iter().copied().collect();
    let mut order: Vec<u32> = (0..net.edges.len() as u32).filter(|e| !unknown.contains(e)).collect();
    order.sort_by(|a, b| load(*b).total_cmp(&load(*a)).then(a.cmp(b)));
    let pipes: Vec<Value> = order
        .iter()
        .take(limit)
        .map(|e| {
            let d = &flood.drains[*e as usize];
            json!({
                "id": net.pipe(*e).id,
                "flow_m3s": ask::metres(d.flow_m3s),
                "full_m3s": ask::metres(d.full_m3s),
                "load": ask::metres(load(*e)),
                "fill": ask::metres(d.fill),
                "velocity_mps": ask::metres(d.velocity_mps),
                "slope": (d.slope * 1e6).round() / 1e6,
                "geometry": ask::line(net.axis(*e)),
            })
        })
        .collect();
    let storm = match asked.storm {
        Storm::Intensity(mm_h) => json!({ "intensity_mm_h": mm_h, "note": "an even rain: no storm formula of the city was given" }),
        Storm::Formula { a, c, b, n, return_period_a } => json!({ "A": a, "C": c, "b": b, "n": n, "return_period_a": return_period_a }),
    };
    json!({
        "faults": flood.flooded.len(),
        "rain": { "storm": storm, "runoff": asked.runoff, "strip_m": asked.strip_m, "inlet_min": asked.inlet_min },
        "drains": net.edges.len(),
        "full": order.iter().filter(|e| load(**e) > 1.0).count(),
        "surcharged": wells(&flood.surcharged),
        "surcharged_count": flood.surcharged.len(),
        "flooded": wells(&flood.flooded),
        "pipes": pipes,
        "unknown": flood.unknown.iter().take(limit).map(|e| net.pipe(*e).id.to_string()).collect::<Vec<_>>(),
        "truncated": order.len() > limit || flood.surcharged.len() > limit || flood.unknown.len() > limit,
    })
}
