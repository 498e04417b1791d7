//! The analysis as its doors see it.

use super::{
    Finding, Options, Pieces, Relation, clearances,
    obstacles::{Near, Obstacle, Slant, Surroundings, against, obstacles},
    stacking_rule,
};
use crate::{
    inputs::{Area, around, counts, ids, line_json, number, pipe_json, pipes_by_ids, plan_bounds, point_json, put_need, shown},
    pipe::{Pipe, pipes},
    rules::rules,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use strata_engine::{Analysis, AnalysisError, View};
use strata_model::Point3;

/// No clause between pipes, and none to a house, asks for more.
const REACH_M: f64 = 20.0;

pub const CLEARANCE: Analysis = Analysis {
    id: "clearance",
    title_en: "Clearance and collision",
    title_zh: "净距与碰撞分析",
    about: "Distances between the outer faces of pipes, and from pipes to buildings, trees, kerbs and tracks, against GB 50289-2016 tables 4.1.9 and 4.1.14: clash, violation, exception (may stand if justified), uncertain (the survey or a missing attribute does not decide), sound. Near-parallel pipes are measured in plan, crossings in space; joined pipes are no conflict.",
    inputs: r#"{"type":"object","properties":{
        "area":{"description":"Polygon: findings inside; the whole city when absent","format":"geojson-geometry","type":"object"},
        "pipes":{"description":"Only pairs with one of these pipes (ids)","type":"array","items":{"type":"string"}},
        "against":{"description":"What pipes are measured to","type":"array","items":{"enum":["pipes","surroundings"]},"default":["pipes","surroundings"]},
        "coverage":{"description":"Survey uncertainty as a multiple of the combined RMSE; 0 judges the measured values alone","type":"number","default":2},
        "sound":{"description":"Sound pairs within reach of a rule too","type":"boolean","default":false},
        "limit":{"description":"At most so many findings of each list, the worst first","type":"integer","default":1000,"maximum":100000}}}"#,
    outputs: r#"{"type":"object","properties":{
        "faults":{"description":"Clashes, violations and exceptions","type":"integer"},
        "counts":{"description":"Pairs by verdict","type":"object"},
        "by_classes":{"description":"Faults by pair of classes","type":"object"},
        "pairs":{"description":"Pipe to pipe, the worst first: verdict, relation, gap_m, required, rule, uncertainty_m, connection (LineString between outer faces)","type":"array"},
        "surroundings":{"description":"Pipe to building, tree, kerb, track","type":"array"},
        "slanting":{"description":"Tracks crossed at less than 60°","type":"array"},
        "pipes":{"type":"integer"},"left_out":{"description":"Pipes that have no usable geometry or size","type":"integer"},
        "more":{"description":"Findings beyond the limit","type":"integer"}}}"#,
    run,
};

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let area = Area::new(inputs)?;
    let coverage = number(inputs, "coverage", rules().value("survey-coverage"), 0.0, 10.0)?;
    let keep_sound = inputs.get("sound").and_then(Value::as_bool).unwrap_or(false);
    let limit = number(inputs, "limit", 1000.0, 0.0, 100_000.0)? as usize;
    let (mut with_pipes, mut with_rest) = (true, true);
    if let Some(v) = inputs.get("against").filter(|v| !v.is_null()) {
        let has = |name: &str| v.as_array().is_some_and(|a| a.iter().any(|x| x == name));
        (with_pipes, with_rest) = (has("pipes"), has("surroundings"));
        if !with_pipes && !with_rest {
            return Err(AnalysisError::input("/against", "`pipes`, `surroundings` or both are wanted"));
        }
    }
    let (all, chosen) = match ids(inputs, "pipes")? {
        None => (pipes(view, area.window().map(|w| w.grown(REACH_M).with_all_heights()))?, None),
        Some(wanted) => {
            let own = pipes_by_ids(view, &wanted)?;
            let all = around(view, plan_bounds(own.iter().map(|p| p.axis.as_slice())), REACH_M)?;
            let wanted: HashSet<&str> = wanted.into_iter().collect();
            let chosen = all.iter().enumerate().filter(|(_, p)| wanted.contains(p.id.as_str())).map(|(i, _)| i as u32).collect();
            (all, Some(chosen))
        }
    };
    let pieces = Pieces::new(&all);
    let options = Options { coverage, keep_sound, ..Options::default() };
    let mut findings = if with_pipes {
        clearances(&pieces, chosen.as_ref(), options).map_err(|e| AnalysisError::TooLarge { reason: e.to_string() })?
    } else {
        Vec::new()
    };
    let inside = |c: &[Point3; 2]| c.iter().any(|p| area.holds(*p));
    findings.retain(|f| inside(&f.connection));
    let (mut near, mut slants, mut things) = (Vec::new(), Vec::new(), Vec::new());
    if with_rest && !all.is_empty() {
        let own = |i: usize| chosen.as_ref().is_none_or(|c: &HashSet<u32>| c.contains(&(i as u32)));
        let b = plan_bounds(all.iter().enumerate().filter(|(i, _)| own(*i)).map(|(_, p)| p.axis.as_slice()));
        things = obstacles(view, area.window().unwrap_or(b).grown(REACH_M))?.0;
        let mut few = Pieces { kinds: pieces.kinds.clone(), ..Pieces::default() };
        few.pieces = pieces.pieces.iter().filter(|p| own(p.pipe as usize)).copied().collect();
        (near, slants) = against(&few, &Surroundings::new(&things), coverage, keep_sound);
        near.retain(|n| inside(&n.connection));
        slants.retain(|s| area.holds(s.at));
    }
    let (counts, faults) = counts(findings.iter().map(|f| f.verdict).chain(near.iter().map(|n| n.verdict)));
    let mut classes: BTreeMap<String, u64> = BTreeMap::new();
    for f in findings.iter().filter(|f| f.verdict.is_fault()) {
        let mut pair = [all[f.a as usize].class, all[f.b as usize].class];
        pair.sort();
        *classes.entry(format!("{}-{}", pair[0].letters(), pair[1].letters())).or_default() += 1;
    }
    let more = findings.len().saturating_sub(limit) + near.len().saturating_sub(limit);
    Ok(json!({
        "faults": faults + slants.len() as u64,
        "counts": counts,
        "by_classes": classes,
        "pairs": findings.iter().take(limit).map(|f| finding_json(f, &all)).collect::<Vec<_>>(),
        "surroundings": near.iter().take(limit).map(|n| near_json(n, &all, &things)).collect::<Vec<_>>(),
        "slanting": slants.iter().take(limit).map(|s| slant_json(s, &all, &things)).collect::<Vec<_>>(),
        "pipes": all.len(), "left_out": pieces.left_out, "more": more,
    }))
}

pub(crate) fn finding_json(f: &Finding, all: &[Pipe]) -> Value {
    let mut out = json!({
        "verdict": f.verdict, "relation": f.relation, "a": pipe_json(&all[f.a as usize]), "b": pipe_json(&all[f.b as usize]),
        "gap_m": shown(f.gap_m), "distance_m": shown(f.distance_m), "angle_deg": f.angle_deg.map(|a| (a * 10.0).round() / 10.0),
        "uncertainty_m": shown(f.uncertainty_m), "connection": line_json(&f.connection),
    });
    put_need(&mut out, f.need.as_ref());
    if f.relation == Relation::Stacked {
        out["also"] = json!(stacking_rule());
    }
    out
}

pub(crate) fn near_json(n: &Near, all: &[Pipe], things: &[Obstacle]) -> Value {
    let o = &things[n.obstacle as usize];
    let mut out = json!({
        "verdict": n.verdict, "relation": n.relation, "a": pipe_json(&all[n.pipe as usize]),
        "b": { "layer": o.layer, "id": o.id, "kind": o.row.code() },
        "gap_m": shown(n.gap_m), "uncertainty_m": shown(n.uncertainty_m), "connection": line_json(&n.connection),
    });
    put_need(&mut out, Some(&n.need));
    out
}

pub(crate) fn slant_json(s: &Slant, all: &[Pipe], things: &[Obstacle]) -> Value {
    let o = &things[s.obstacle as usize];
    json!({
        "a": pipe_json(&all[s.pipe as usize]), "b": { "layer": o.layer, "id": o.id, "kind": o.row.code() },
        "angle_deg": (s.angle_deg * 10.0).round() / 10.0, "rule": s.rule, "at": point_json(s.at),
    })
}
