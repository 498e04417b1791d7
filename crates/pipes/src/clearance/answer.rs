//! The analysis as its doors see it.

use super::{
    Finding, Options, Pieces, Relation, clearances,
    obstacles::{Near, Obstacle, Slant, against, obstacles},
    stacking_rule,
};
use crate::{
    pipe::{Pipe, pipes},
    rules::{Need, Rule, Verdict, rules},
    statistics::{bounds, polygon},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use strata_engine::{Analysis, AnalysisError, View};
use strata_model::{Bounds2, Point3};

pub const CLEARANCE: Analysis = Analysis {
    id: "clearance",
    title_en: "Clearance and collision",
    title_zh: "净距与碰撞分析",
    about: "Distances between the outer faces of pipes, and from pipes to buildings, trees, kerbs and tracks, against GB 50289-2016 tables 4.1.9 and 4.1.14: clash, violation, exception (may stand if justified), uncertain (the survey or a missing attribute does not decide), sound. Near-parallel pipes are measured in plan, crossings in space; joined pipes are no conflict.",
    inputs: r#"{"type":"object","properties":{
        "area":{"description":"Polygon: pipes that meet its box; the whole city when absent","format":"geojson-geometry","type":"object"},
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
    let area = inputs.get("area").filter(|v| !v.is_null()).map(|v| polygon(v, "/area")).transpose()?;
    let window = area.as_ref().map(bounds);
    let ids: Option<Vec<&str>> = match inputs.get("pipes").filter(|v| !v.is_null()) {
        None => None,
        Some(v) => {
            let list = v.as_array().and_then(|a| a.iter().map(Value::as_str).collect());
            Some(list.ok_or_else(|| AnalysisError::input("/pipes", "a list of ids is wanted"))?)
        }
    };
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
    let all = pipes(view, window.map(|w| w.grown(20.0).with_all_heights()))?;
    let chosen = match &ids {
        None => None,
        Some(ids) => {
            let wanted: HashSet<&str> = ids.iter().copied().collect();
            let found: HashSet<u32> =
                all.iter().enumerate().filter(|(_, p)| wanted.contains(p.id.as_str())).map(|(i, _)| i as u32).collect();
            let names: HashSet<&str> = found.iter().map(|i| all[*i as usize].id.as_str()).collect();
            if let Some(missing) = ids.iter().find(|i| !names.contains(*i)) {
                return Err(AnalysisError::missing(format!("pipe {}", missing.chars().take(80).collect::<String>())));
            }
            Some(found)
        }
    };
    let pieces = Pieces::new(&all);
    let options = Options { coverage, keep_sound, ..Options::default() };
    let mut findings = if with_pipes {
        clearances(&pieces, chosen.as_ref(), options).map_err(|e| AnalysisError::TooLarge { reason: e.to_string() })?
    } else {
        Vec::new()
    };
    let inside = |c: &[Point3; 2]| window.is_none_or(|w| c.iter().any(|p| w.contains([p[0], p[1]])));
    findings.retain(|f| inside(&f.connection));
    let (mut near, mut slants, mut things) = (Vec::new(), Vec::new(), Vec::new());
    if with_rest && !all.is_empty() {
        let mut b = Bounds2::EMPTY;
        let own = |i: usize| chosen.as_ref().is_none_or(|c| c.contains(&(i as u32)));
        for p in all.iter().enumerate().filter(|(i, _)| own(*i)).flat_map(|(_, p)| &p.axis) {
            b.extend([p[0], p[1]]);
        }
        let found = obstacles(view, window.unwrap_or(b).grown(20.0))?;
        things = found.0;
        let mut few = Pieces { kinds: pieces.kinds.clone(), ..Pieces::default() };
        few.pieces = pieces.pieces.iter().filter(|p| own(p.pipe as usize)).copied().collect();
        (near, slants) = against(&few, &things, coverage, keep_sound);
        near.retain(|n| inside(&n.connection));
        slants.retain(|s| inside(&[s.at, s.at]));
    }
    let mut counts: BTreeMap<Verdict, u64> = BTreeMap::new();
    findings.iter().map(|f| f.verdict).chain(near.iter().map(|n| n.verdict)).for_each(|v| *counts.entry(v).or_default() += 1);
    let mut classes: BTreeMap<String, u64> = BTreeMap::new();
    for f in findings.iter().filter(|f| f.verdict.is_fault()) {
        let mut pair = [all[f.a as usize].class, all[f.b as usize].class];
        pair.sort();
        *classes.entry(format!("{}-{}", pair[0].letters(), pair[1].letters())).or_default() += 1;
    }
    let faults = counts.iter().filter(|c| c.0.is_fault()).map(|c| c.1).sum::<u64>() + slants.len() as u64;
    let more = findings.len().saturating_sub(limit) + near.len().saturating_sub(limit);
    let counts: BTreeMap<String, u64> = counts.into_iter().map(|(v, n)| (text(v), n)).collect();
    Ok(json!({
        "faults": faults,
        "counts": counts,
        "by_classes": classes,
        "pairs": findings.iter().take(limit).map(|f| finding_json(f, &all)).collect::<Vec<_>>(),
        "surroundings": near.iter().take(limit).map(|n| near_json(n, &all, &things)).collect::<Vec<_>>(),
        "slanting": slants.iter().take(limit).map(|s| slant_json(s, &all, &things)).collect::<Vec<_>>(),
        "pipes": all.len(), "left_out": pieces.left_out, "more": more,
    }))
}

pub(crate) fn number(inputs: &Value, name: &str, default: f64, least: f64, most: f64) -> Result<f64, AnalysisError> {
    match inputs.get(name).filter(|v| !v.is_null()) {
        None => Ok(default),
        Some(v) => v
            .as_f64()
            .filter(|x| (least..=most).contains(x))
            .ok_or_else(|| AnalysisError::input(format!("/{name}"), format!("a number from {least} to {most} is wanted"))),
    }
}

pub(crate) fn text(v: impl serde::Serialize) -> String {
    serde_json::to_value(v).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Millimetres are what a survey knows.
pub(crate) fn shown(m: f64) -> f64 {
    (m * 1e3).round() / 1e3
}

/// A rule as answers cite it.
pub(crate) fn rule_json(r: &Rule) -> Value {
    json!(r)
}

fn need_json(n: Option<&Need>, out: &mut Value) {
    let Some(n) = n else {
        out["rule"] = Value::Null;
        return;
    };
    out["required_m"] = n.most_m.into();
    if n.least_m < n.most_m {
        out["required_least_m"] = n.least_m.into();
    }
    if let Some(p) = n.plate_m {
        out["with_plate_m"] = p.into();
    }
    out["rule"] = rule_json(&n.rule);
}

pub(crate) fn line(points: &[Point3]) -> Value {
    json!({ "type": "LineString", "coordinates": points })
}

fn short(p: &Pipe) -> Value {
    json!({ "layer": p.layer, "id": p.id, "class": p.class, "subclass": p.subclass, "dn_mm": p.dn_mm, "owner": p.owner })
}

pub(crate) fn finding_json(f: &Finding, all: &[Pipe]) -> Value {
    let mut out = json!({
        "verdict": f.verdict, "relation": f.relation, "a": short(&all[f.a as usize]), "b": short(&all[f.b as usize]),
        "gap_m": shown(f.gap_m), "distance_m": shown(f.distance_m), "angle_deg": f.angle_deg.map(|a| (a * 10.0).round() / 10.0),
        "uncertainty_m": shown(f.uncertainty_m), "connection": line(&f.connection),
    });
    need_json(f.need.as_ref(), &mut out);
    if f.relation == Relation::Stacked {
        out["also"] = json!(stacking_rule());
    }
    out
}

pub(crate) fn near_json(n: &Near, all: &[Pipe], things: &[Obstacle]) -> Value {
    let o = &things[n.obstacle as usize];
    let mut out = json!({
        "verdict": n.verdict, "relation": n.relation, "a": short(&all[n.pipe as usize]),
        "b": { "layer": o.layer, "id": o.id, "kind": o.row.code() },
        "gap_m": shown(n.gap_m), "uncertainty_m": shown(n.uncertainty_m), "connection": line(&n.connection),
    });
    need_json(Some(&n.need), &mut out);
    out
}

pub(crate) fn slant_json(s: &Slant, all: &[Pipe], things: &[Obstacle]) -> Value {
    let o = &things[s.obstacle as usize];
    json!({
        "a": short(&all[s.pipe as usize]), "b": { "layer": o.layer, "id": o.id, "kind": o.row.code() },
        "angle_deg": (s.angle_deg * 10.0).round() / 10.0, "rule": rule_json(&s.rule), "at": { "type": "Point", "coordinates": s.at },
    })
}
