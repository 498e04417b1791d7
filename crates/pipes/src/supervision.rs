//! 综合监管: how the pipes of a city stand against the rules, by owner, by district and through the years.
//!
//! Figures count **pipes**, so that each opens the features it counts; a pipe in two conflicts counts once. Districts are
//! told by the nearest building that names one, for pipes carry none.

use crate::{
    inputs::{number, selected, shown},
    pipe::Pipe,
    risk::{Circumstances, age_years, circumstances},
    rules::rules,
};
use rstar::{RTree, primitives::GeomWithData};
use serde_json::{Value, json};
use std::{collections::BTreeMap, ops::ControlFlow};
use strata_engine::{Analysis, AnalysisError, EngineError, View};
use strata_model::{Instant, Query, Theme};

/// A building farther from a pipe's middle than this says nothing of its district, m.
const DISTRICT_WITHIN_M: f64 = 300.0;

pub const SUPERVISION: Analysis = Analysis {
    id: "supervision",
    title_en: "Supervision",
    title_zh: "综合监管",
    about: "Pipes that clash, lie too near to others or too shallow, are built over, have a building in their gas protection zone, are older than their design life or abandoned: how many, which, by owner, by district and by year. The rules are those of clearance, cover, encroach and risk.",
    inputs: r#"{"type":"object","properties":{
        "area":{"description":"Polygon; the whole city when absent","format":"geojson-geometry","type":"object"},
        "years":{"description":"So many years back, one row each","type":"integer","default":10,"maximum":100},
        "limit":{"description":"At most so many ids under each figure; the figure counts all","type":"integer","default":500,"maximum":100000}}}"#,
    outputs: r#"{"type":"object","properties":{
        "pipes":{"type":"integer"},"length_m":{"type":"number"},
        "figures":{"description":"id, title_zh, title_en, count (pipes), length_m, rule, features (ids: layer, id), more","type":"array"},
        "by_owner":{"description":"value (null: not known), pipes, length_m and every figure, most faults first","type":"array"},
        "by_district":{"description":"The same by district; title_en where the city's place names have one","type":"array"},
        "by_year":{"description":"year (its end; the last one: now), pipes, length_m, over_age: from valid times and design lives","type":"array"},
        "district_rule":{"type":"string"},"synthetic":{"type":"boolean"}}}"#,
    run,
};

struct Figure {
    id: &'static str,
    zh: &'static str,
    en: &'static str,
    rule: &'static str,
    holds: fn(&Pipe, Circumstances, i64) -> bool,
}

fn over_age(p: &Pipe, year: i64) -> bool {
    matches!((age_years(p, year), rules().life_years(p)), (Some(age), Some((life, _))) if age as f64 > life)
}

const FIGURES: [Figure; 7] = [
    Figure { id: "clash", zh: "碰撞", en: "Clash with another pipe", rule: "GB 50289-2016 4.1.9, 4.1.14", holds: |_, c, _| c.clash },
    Figure {
        id: "violation",
        zh: "净距不足",
        en: "Too near to another pipe",
        rule: "GB 50289-2016 4.1.9, 4.1.14",
        holds: |_, c, _| c.violation,
    },
    Figure {
        id: "cover", zh: "覆土不足", en: "Too little cover", rule: "GB 50289-2016 4.1.1; frost line", holds: |_, c, _| c.cover_fault
    },
    Figure { id: "occupied", zh: "建筑占压", en: "Built over", rule: "footprint over the pipe's outline", holds: |_, c, _| c.occupied },
    Figure {
        id: "gas_zone",
        zh: "燃气保护范围内有建筑",
        en: "Building in the protection zone of gas",
        rule: "GB 55009-2021",
        holds: |_, c, _| c.building_in_zone,
    },
    Figure {
        id: "over_age",
        zh: "超设计年限",
        en: "Older than its design life",
        rule: "design life of the pipe, else of its class and material",
        holds: |p, _, y| over_age(p, y),
    },
    Figure {
        id: "abandoned",
        zh: "废弃未处置",
        en: "Abandoned and still there",
        rule: "status 1 of the survey",
        holds: |p, _, _| p.status == 1,
    },
];

fn length_m(p: &Pipe) -> f64 {
    p.axis.windows(2).map(|w| (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1])).sum()
}

/// A place in the middle of a pipe's list of points.
fn middle(p: &Pipe) -> [f64; 2] {
    let at = p.axis[p.axis.len() / 2];
    let before = p.axis[(p.axis.len() - 1) / 2];
    [(at[0] + before[0]) / 2.0, (at[1] + before[1]) / 2.0]
}

/// Middles of the footprints that name a district, at the view's moment.
fn districts(view: &View) -> Result<RTree<GeomWithData<[f64; 2], String>>, EngineError> {
    let mut named = Vec::new();
    for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| l.theme == Theme::Building) {
        let q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at);
        view.snapshot.for_each(&q, &mut |f| {
            if let (Some(name), Some(b)) = (f.text(&layer, "district"), f.geometry.bounds()) {
                let c = b.centre();
                named.push(GeomWithData::new([c[0], c[1]], name.to_owned()));
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(RTree::bulk_load(named))
}

/// English names of places, by the Chinese ones.
fn place_names(view: &View) -> Result<BTreeMap<String, String>, EngineError> {
    let mut names = BTreeMap::new();
    for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| l.field("name_zh").is_some() && l.field("name_en").is_some()) {
        let q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at);
        view.snapshot.for_each(&q, &mut |f| {
            if let (Some(zh), Some(en)) = (f.text(&layer, "name_zh"), f.text(&layer, "name_en").filter(|n| !n.is_empty())) {
                names.insert(zh.to_owned(), en.to_owned());
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(names)
}

#[derive(Default)]
struct Row {
    pipes: u64,
    length_m: f64,
    figures: [u64; FIGURES.len()],
}

fn rows(groups: BTreeMap<Option<String>, Row>, english: &BTreeMap<String, String>) -> Value {
    let mut all: Vec<_> = groups.into_iter().collect();
    let faults = |r: &Row| r.figures.iter().sum::<u64>();
    all.sort_by(|a, b| faults(&b.1).cmp(&faults(&a.1)).then(b.1.length_m.total_cmp(&a.1.length_m)));
    let row = |(value, r): (Option<String>, Row)| {
        let mut out = json!({ "value": value, "pipes": r.pipes, "length_m": shown(r.length_m) });
        if let Some(name) = value.and_then(|v| english.get(&v)) {
            out["title_en"] = name.as_str().into();
        }
        FIGURES.iter().zip(r.figures).for_each(|(f, n)| out[f.id] = n.into());
        out
    };
    all.into_iter().map(row).collect()
}

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let limit = number(inputs, "limit", 500.0, 0.0, 100_000.0)? as usize;
    let back = number(inputs, "years", 10.0, 0.0, 100.0)? as i32;
    let all = selected(view, inputs)?;
    let found = circumstances(view, &all)?;
    let places = districts(view)?;
    let year = i64::from(view.at.year());
    let mut figures: Vec<(Vec<usize>, f64)> = vec![(Vec::new(), 0.0); FIGURES.len()];
    let (mut owners, mut in_districts) = (BTreeMap::<Option<String>, Row>::new(), BTreeMap::<Option<String>, Row>::new());
    for (i, p) in all.iter().enumerate() {
        let m = middle(p);
        let near = places.nearest_neighbor(m).filter(|b| (b.geom()[0] - m[0]).hypot(b.geom()[1] - m[1]) <= DISTRICT_WITHIN_M);
        let groups = [owners.entry(p.owner.clone()).or_default(), in_districts.entry(near.map(|b| b.data.clone())).or_default()];
        let length = length_m(p);
        let holds = FIGURES.each_ref().map(|f| (f.holds)(p, found[i], year));
        for g in groups {
            g.pipes += 1;
            g.length_m += length;
            holds.iter().enumerate().filter(|(_, h)| **h).for_each(|(k, _)| g.figures[k] += 1);
        }
        for (k, _) in holds.iter().enumerate().filter(|(_, h)| **h) {
            figures[k].0.push(i);
            figures[k].1 += length;
        }
    }
    let figures: Vec<Value> = FIGURES
        .iter()
        .zip(&figures)
        .map(|(f, (hit, length))| {
            let features: Vec<Value> = hit.iter().take(limit).map(|i| json!({ "layer": all[*i].layer, "id": all[*i].id })).collect();
            json!({ "id": f.id, "title_zh": f.zh, "title_en": f.en, "rule": f.rule, "count": hit.len(), "length_m": shown(*length),
                    "features": features, "more": hit.len().saturating_sub(limit) })
        })
        .collect();
    let mut by_year = Vec::new();
    for y in (view.at.year() - back)..=view.at.year() {
        // What stood at the end of the year; of the running one, what stands now.
        let end = if y == view.at.year() { view.at } else { Instant::from_ymd(y, 12, 31) };
        let then = selected(&View { at: end, ..*view }, inputs)?;
        let old = then.iter().filter(|p| over_age(p, i64::from(y))).count();
        by_year.push(json!({ "year": y, "pipes": then.len(), "length_m": shown(then.iter().map(length_m).sum()), "over_age": old }));
    }
    let synthetic = view.snapshot.layers(view.scope).iter().any(|l| l.theme == Theme::Pipe && l.synthetic);
    Ok(json!({
        "pipes": all.len(), "length_m": shown(all.iter().map(length_m).sum()), "figures": figures,
        "by_owner": rows(owners, &BTreeMap::new()), "by_district": rows(in_districts, &place_names(view)?), "by_year": by_year, "synthetic": synthetic,
        "district_rule": format!("that of the nearest building that names one, within {DISTRICT_WITHIN_M} m of the pipe's middle"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clearance::CLEARANCE, cover::COVER, encroach::ENCROACH, hand::district, risk::RISK};
    use std::collections::BTreeSet;

    /// Every figure again from the findings of the analysis that it rests on.
    #[test]
    fn a_quarter_of_the_district_adds_up() {
        let city = district();
        let c = city.anchor("main-crossing");
        let at = |dx: f64, dy: f64| [c[0] + dx, c[1] + dy];
        let area = json!({ "type": "Polygon", "coordinates": [[at(-400.0, -400.0), at(400.0, -400.0), at(400.0, 400.0), at(-400.0, 400.0), at(-400.0, -400.0)]] });
        let view = city.view();
        let answer = (SUPERVISION.run)(&view, &json!({ "area": area, "limit": 100_000, "years": 3 })).unwrap();
        let ids = |figure: &str| -> BTreeSet<String> {
            let f = answer["figures"].as_array().unwrap().iter().find(|f| f["id"] == figure).unwrap();
            let out: BTreeSet<String> = f["features"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap().to_owned()).collect();
            assert_eq!(f["count"], out.len(), "{figure}: a pipe counts once");
            out
        };
        let mine: BTreeSet<String> = selected(&view, &json!({ "area": area })).unwrap().iter().map(|p| p.id.to_string()).collect();
        assert!(mine.len() > 200 && answer["pipes"] == mine.len());
        let all: Vec<&String> = mine.iter().collect();
        let pairs = (CLEARANCE.run)(&view, &json!({ "pipes": all, "against": ["pipes"], "limit": 100_000 })).unwrap();
        for verdict in ["clash", "violation"] {
            let mut want = BTreeSet::new();
            for pair in pairs["pairs"].as_array().unwrap().iter().filter(|p| p["verdict"] == verdict) {
                want.extend(["a", "b"].iter().map(|k| pair[*k]["id"].as_str().unwrap().to_owned()).filter(|id| mine.contains(id)));
            }
            assert_eq!(ids(verdict), want, "{verdict}");
        }
        let cover = (COVER.run)(&view, &json!({ "pipes": all, "limit": 100_000 })).unwrap();
        let fault = |p: &&Value| matches!(p["verdict"].as_str(), Some("clash" | "violation" | "exception"));
        let want: BTreeSet<String> =
            cover["pipes"].as_array().unwrap().iter().filter(fault).map(|p| p["pipe"]["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids("cover"), want);
        let built = (ENCROACH.run)(&view, &json!({ "pipes": all, "horizon_years": 0, "limit": 100_000 })).unwrap();
        for (figure, kind) in [("occupied", "occupied"), ("gas_zone", "protection")] {
            let found = built["findings"].as_array().unwrap().iter().filter(|f| f["kind"] == kind);
            assert_eq!(ids(figure), found.map(|f| f["pipe"]["id"].as_str().unwrap().to_owned()).collect(), "{figure}");
        }
        let risk = (RISK.run)(&view, &json!({ "pipes": all })).unwrap();
        assert_eq!(ids("over_age").len(), risk["over_age"].as_u64().unwrap() as usize);
        for by in ["by_owner", "by_district"] {
            let rows = answer[by].as_array().unwrap();
            assert!(rows.len() > 1, "{by}: {rows:?}");
            let sum = |key: &str| rows.iter().map(|r| r[key].as_u64().unwrap()).sum::<u64>() as usize;
            assert_eq!(sum("pipes"), mine.len());
            FIGURES.iter().for_each(|f| assert_eq!(sum(f.id), ids(f.id).len(), "{by} {}", f.id));
        }
        let named = answer["by_district"].as_array().unwrap().iter().find(|r| r["value"] == "朝阳区").unwrap();
        assert_eq!(named["title_en"], "Chaoyang District");
        let years = answer["by_year"].as_array().unwrap();
        assert!(years.len() == 4 && years[3]["over_age"] == ids("over_age").len() && years[3]["pipes"] == mine.len(), "{years:?}");
    }
}
