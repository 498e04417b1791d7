//! Ageing and risk: a score from 0 to 100 for each pipe, and what it is made of.
//!
//! Points are added for reasons (`data/rules/risk-points.csv`); no standard gives them, they are Strata's own and
//! every answer says so. Age counts against the design life that the pipe carries, else that of its class and material.

use crate::{
    clearance::{
        Options, Pieces, clearances,
        obstacles::{Carriageways, roads},
    },
    cover::{CoverOptions, cover},
    encroach::{buildings, encroachments},
    ground::Ground,
    inputs::{number, pipe_json, plan_bounds, selected},
    pipe::{Class, Pipe},
    rules::{Gas, Verdict, gas_classes, rules},
};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::LazyLock,
};
use strata_engine::{Analysis, AnalysisError, View};

struct Weight {
    id: String,
    points: f64,
    zh: String,
    en: String,
}

static WEIGHTS: LazyLock<Vec<Weight>> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/rules/risk-points.csv"));
    let rows = csv::Reader::from_reader(text.as_bytes()).into_records().filter_map(Result::ok);
    rows.filter_map(|r| Some(Weight { id: r[0].into(), points: r[1].parse().ok()?, zh: r[2].into(), en: r[3].into() })).collect()
});

/// One reason with its points.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Reason {
    pub id: &'static str,
    pub points: f64,
    pub title_zh: String,
    pub title_en: String,
    pub value: String,
}

fn reason(id: &'static str, share: f64, value: String) -> Option<Reason> {
    let w = WEIGHTS.iter().find(|w| w.id == id)?;
    let points = (w.points * share.clamp(0.0, 1.0) * 10.0).round() / 10.0;
    (points > 0.0).then(|| Reason { id, points, title_zh: w.zh.clone(), title_en: w.en.clone(), value })
}

/// What is known of a pipe's place: found by the other analyses.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Circumstances {
    pub occupied: bool,
    pub building_in_zone: bool,
    pub cover_fault: bool,
    pub clash: bool,
    pub violation: bool,
}

/// The reasons of one pipe in `year`.
pub fn reasons(p: &Pipe, year: i64, c: Circumstances) -> Vec<Reason> {
    let mut out = Vec::new();
    if let (Some(age), Some((life, _))) = (age_years(p, year), rules().life_years(p)) {
        out.extend(reason("age", age as f64 / life - 0.5, format!("{age} of {life:.0} years")));
    }
    match p.material.as_deref() {
        Some("铸铁" | "灰口铸铁" | "ZT" | "石棉" | "石棉水泥" | "SM") => {
            out.extend(reason("material", 1.0, p.material.clone().unwrap_or_default()));
        }
        None => out.extend(reason("material-unknown", 1.0, String::new())),
        _ => {}
    }
    let flag = |id, on: bool| if on { reason(id, 1.0, String::new()) } else { None };
    out.extend(flag("occupied", c.occupied));
    out.extend(flag("gas-building", c.building_in_zone));
    out.extend(flag("cover", c.cover_fault));
    out.extend(flag("clearance", c.clash || c.violation));
    let high = p.class == Class::Rq && p.pressure.is_some() && gas_classes(p.pressure.as_deref()).iter().all(|g| *g >= Gas::Shb);
    out.extend(flag("gas-pressure", high));
    out.sort_by(|a, b| b.points.total_cmp(&a.points));
    out
}

fn level(score: f64) -> &'static str {
    match score {
        s if s >= 60.0 => "extreme",
        s if s >= 40.0 => "high",
        s if s >= 20.0 => "medium",
        _ => "low",
    }
}

/// What the other analyses find of each of these pipes: neighbours outside of the list count too.
pub(crate) fn circumstances(view: &View, all: &[Pipe]) -> Result<Vec<Circumstances>, AnalysisError> {
    let b = plan_bounds(all.iter().map(|p| p.axis.as_slice()));
    let mut found: Vec<Circumstances> = vec![Circumstances::default(); all.len()];
    if !b.is_empty() {
        // Neighbours outside the selection make a pipe's clearance too.
        let around = crate::inputs::around(view, b, 5.0)?;
        let mut mine: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
        for (i, p) in all.iter().enumerate() {
            mine.entry((p.layer.as_str(), p.id.as_str())).or_default().push(i);
        }
        let of = |n: u32| mine.get(&(around[n as usize].layer.as_str(), around[n as usize].id.as_str()));
        let chosen: HashSet<u32> = (0..around.len() as u32).filter(|n| of(*n).is_some()).collect();
        let chosen = (chosen.len() < around.len()).then_some(&chosen);
        let pairs =
            clearances(&Pieces::new(&around), chosen, Options::default()).map_err(|e| AnalysisError::TooLarge { reason: e.to_string() })?;
        for f in &pairs {
            for i in [f.a, f.b].into_iter().filter_map(of).flatten() {
                found[*i].clash |= f.verdict == Verdict::Clash;
                found[*i].violation |= f.verdict == Verdict::Violation;
            }
        }
        let ground = Ground::around(view, b)?;
        let ways = Carriageways::new(roads(view, b)?);
        let short: Vec<bool> =
            all.par_iter().map(|p| cover(0, p, &ground, &ways, CoverOptions::default()).is_some_and(|c| c.verdict.is_fault())).collect();
        short.into_iter().enumerate().for_each(|(i, s)| found[i].cover_fault = s);
        for e in encroachments(all, &buildings(view, Some(b.grown(60.0)), 0.0)?, 0.0) {
            let c = &mut found[e.pipe as usize];
            c.occupied |= e.kind == "occupied";
            c.building_in_zone |= e.kind == "protection";
        }
    }
    Ok(found)
}

/// Of a pipe whose year of building is known and believable.
pub(crate) fn age_years(p: &Pipe, year: i64) -> Option<i64> {
    p.year_built.filter(|y| (1850..=year).contains(y)).map(|y| year - y)
}

pub const RISK: Analysis = Analysis {
    id: "risk",
    title_en: "Ageing and risk",
    title_zh: "老化与风险评估",
    about: "A score of 0 to 100 for each pipe with its reasons: age against design life, brittle material, a building on it or in the protection zone of gas, short cover, too near to another pipe, gas pressure. The points are Strata's own (data/rules/risk-points.csv), not of a standard.",
    inputs: r#"{"type":"object","properties":{
        "area":{"description":"Polygon; the whole city when absent","format":"geojson-geometry","type":"object"},
        "pipes":{"description":"Only these pipes (ids)","type":"array","items":{"type":"string"}},
        "limit":{"description":"At most so many pipes, the highest score first","type":"integer","default":100,"maximum":100000}}}"#,
    outputs: r#"{"type":"object","properties":{
        "levels":{"description":"Pipes by level: low < 20, medium < 40, high < 60, extreme","type":"object"},
        "over_age":{"description":"Pipes older than their design life","type":"integer"},
        "pipes":{"description":"pipe, score, level, age_years, life_years, reasons","type":"array"},
        "checked":{"type":"integer"},"more":{"type":"integer"},"confidence":{"type":"string"}}}"#,
    run,
};

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let limit = number(inputs, "limit", 100.0, 0.0, 100_000.0)? as usize;
    let all = selected(view, inputs)?;
    let year = i64::from(view.at.year());
    let found = circumstances(view, &all)?;
    let mut scored: Vec<(f64, usize, Vec<Reason>)> = all
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let r = reasons(p, year, found[i]);
            (r.iter().map(|r| r.points).sum::<f64>().min(100.0), i, r)
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut levels: BTreeMap<&str, u64> = BTreeMap::new();
    scored.iter().for_each(|s| *levels.entry(level(s.0)).or_default() += 1);
    let age = |p: &Pipe| age_years(p, year);
    let over = all.iter().filter(|p| matches!((age(p), rules().life_years(p)), (Some(a), Some((l, _))) if a as f64 > l)).count();
    Ok(json!({
        "levels": levels, "over_age": over, "checked": all.len(), "more": scored.len().saturating_sub(limit),
        "confidence": "U: the points are Strata's own",
        "pipes": scored.iter().take(limit).map(|(score, i, reasons)| {
            let p = &all[*i];
            let life = rules().life_years(p);
            json!({
                "pipe": pipe_json(p), "score": (score * 10.0).round() / 10.0, "level": level(*score), "age_years": age(p),
                "life_years": life.map(|l| l.0), "life_from": life.map(|l| if l.1.is_some() { "table" } else { "pipe" }), "reasons": reasons,
            })
        }).collect::<Vec<_>>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand::{district, round};

    #[test]
    fn points_by_hand() {
        let mut p = round("p", Class::Js, 300.0, &[[0.0; 3], [1.0, 0.0, 0.0]]);
        p.material = Some("铸铁".into());
        p.year_built = Some(1966);
        // 60 years of 40: all of the age, and the iron.
        let total = |p: &Pipe, c| reasons(p, 2026, c).iter().map(|r| r.points).sum::<f64>();
        assert_eq!(total(&p, Circumstances::default()), 50.0);
        p.life_years = Some(60); // one life: half of the age
        assert_eq!(total(&p, Circumstances::default()), 32.5);
        p.year_built = Some(2020);
        p.material = Some("球墨铸铁".into());
        assert_eq!(total(&p, Circumstances::default()), 0.0);
        assert_eq!(total(&p, Circumstances { occupied: true, cover_fault: true, ..Default::default() }), 30.0);
        p.year_built = Some(2099);
        p.material = None;
        assert_eq!(reasons(&p, 2026, Circumstances::default())[0].id, "material-unknown");
        assert_eq!(WEIGHTS.len(), 8);
    }

    #[test]
    fn a_quarter_of_the_district() {
        let city = district();
        let c = city.anchor("old-town");
        let at = |dx: f64, dy: f64| [c[0] + dx, c[1] + dy];
        let area = json!({ "type": "Polygon", "coordinates": [[at(-200.0, -200.0), at(200.0, -200.0), at(200.0, 200.0), at(-200.0, 200.0), at(-200.0, -200.0)]] });
        let answer = (RISK.run)(&city.view(), &json!({ "area": area, "limit": 20 })).unwrap();
        let rows = answer["pipes"].as_array().unwrap();
        assert!(rows.len() == 20 && rows.windows(2).all(|w| w[0]["score"].as_f64() >= w[1]["score"].as_f64()));
        for r in rows {
            let sum: f64 = r["reasons"].as_array().unwrap().iter().map(|x| x["points"].as_f64().unwrap()).sum();
            assert!((sum - r["score"].as_f64().unwrap()).abs() < 0.06);
        }
        let n: u64 = answer["levels"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
        assert_eq!(answer["checked"], n);
    }
}
