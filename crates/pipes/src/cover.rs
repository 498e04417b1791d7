//! 覆土: how much ground lies over a pipe, along its whole length, and is it enough?
//!
//! The ground is the terrain's triangles, the top of the pipe straight between the points of its axis: between the breaks
//! of both, and where the pipe goes under or out from under a carriageway (found to 1 mm), cover is straight too, so that
//! the least is exact. Asked is table 4.1.1 of GB 50289-2016 for the place; water lies below the frost line with a margin;
//! drains above the frost line are a warning (GB 50014-2021 5.3.8). What hangs or stands above ground, or lies in a
//! gallery, has no cover.

use crate::{
    clearance::obstacles::{Carriageways, roads},
    ground::Ground,
    inputs::{counts, line_json, number, pipe_json, plan_bounds, point_json, put_need, selected, shown},
    pipe::{Class, Pipe},
    rules::{Location, Need, Verdict, judge, laying_code, rules},
};
use rayon::prelude::*;
use serde_json::{Value, json};
use strata_engine::{Analysis, AnalysisError, View};
use strata_model::Point3;

/// Cover of one pipe.
#[derive(Debug, Clone)]
pub struct Cover {
    /// Number of the pipe in the list given.
    pub pipe: u32,
    pub verdict: Verdict,
    /// At the place where most is missing: cover, what is asked, on the pipe's top.
    pub cover_m: f64,
    pub need: Option<Need>,
    pub location: Location,
    pub at: Point3,
    pub ground_m: f64,
    pub uncertainty_m: f64,
    pub least_cover_m: f64,
    pub greatest_cover_m: f64,
    /// Where it is short of what is asked, on the axis, and how long that is in plan.
    pub short: Vec<[Point3; 2]>,
    pub short_m: f64,
    /// A recommendation that is not met: what it asks, the least cover there, the length in plan.
    pub warning: Option<(Need, f64, f64)>,
    /// Length in plan without ground above.
    pub unknown_m: f64,
}

/// Cover between two breaks, where it is straight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub axis: [Point3; 2],
    pub ground_m: [f64; 2],
    pub cover_m: [f64; 2],
    pub location: Location,
    /// In plan.
    pub length_m: f64,
}

/// Cover along a pipe in order, and the length in plan that has no ground above it.
pub(crate) fn parts(p: &Pipe, ground: &Ground, ways: &Carriageways) -> (Vec<Part>, f64) {
    let up = p.section.half_height_m();
    let (mut out, mut unknown_m) = (Vec::new(), 0.0);
    for w in p.axis.windows(2) {
        if !w.iter().flatten().all(|v| v.is_finite()) {
            continue;
        }
        let (a, b) = (w[0], w[1]);
        let length = (b[0] - a[0]).hypot(b[1] - a[1]);
        if length < 1e-9 {
            continue;
        }
        let at = |t: f64| [0, 1, 2].map(|k| a[k] + (b[k] - a[k]) * t);
        let location = |t: f64| {
            let p = at(t);
            if ways.at([p[0], p[1]]).next().is_some() { Location::MotorLane } else { Location::Sidewalk }
        };
        let stretches = ground.along([a[0], a[1]], [b[0], b[1]]);
        unknown_m += length * (1.0 - stretches.iter().map(|s| s.t[1] - s.t[0]).sum::<f64>()).max(0.0);
        for s in stretches {
            // Look at every metre for a kerb, then close in on it.
            let n = ((s.t[1] - s.t[0]) * length).ceil().max(1.0) as usize;
            let mut from = s.t[0];
            let mut here = location(s.t[0] + (s.t[1] - s.t[0]) * 1e-6);
            let mut push = |from: f64, to: f64, location: Location| {
                let z = |t: f64| s.z[0] + (s.z[1] - s.z[0]) * (t - s.t[0]) / (s.t[1] - s.t[0]);
                let (axis, ground_m) = ([at(from), at(to)], [z(from), z(to)]);
                let cover_m = [0, 1].map(|k| ground_m[k] - axis[k][2] - up);
                out.push(Part { axis, ground_m, cover_m, location, length_m: (to - from) * length });
            };
            for k in 1..=n {
                let to = s.t[0] + (s.t[1] - s.t[0]) * k as f64 / n as f64;
                let there = location(to - (s.t[1] - s.t[0]) * 1e-6);
                if there != here {
                    let (mut lo, mut hi) = (s.t[0] + (s.t[1] - s.t[0]) * (k - 1) as f64 / n as f64, to);
                    while (hi - lo) * length > 1e-3 {
                        let middle = (lo + hi) / 2.0;
                        if location(middle) == here { lo = middle } else { hi = middle }
                    }
                    push(from, hi, here);
                    (from, here) = (hi, there);
                }
            }
            if s.t[1] > from {
                push(from, s.t[1], here);
            }
        }
    }
    (out, unknown_m)
}

/// The part where a value that is straight between two ends lies under a bound, as shares of it.
fn below(v: [f64; 2], bound: f64) -> Option<[f64; 2]> {
    match (v[0] < bound, v[1] < bound) {
        (true, true) => Some([0.0, 1.0]),
        (false, false) => None,
        (true, false) => Some([0.0, (bound - v[0]) / (v[1] - v[0])]),
        (false, true) => Some([(bound - v[0]) / (v[1] - v[0]), 1.0]),
    }
}

/// Lies in the open ground, so that cover means something.
pub(crate) fn is_buried(p: &Pipe) -> bool {
    match p.embed.as_deref().map(laying_code) {
        Some("JK" | "DM" | "SJ" | "RF" | "JN" | "SX") => false,
        Some("ZH") => p.class == Class::Qt,
        _ => true,
    }
}

#[derive(Debug, Clone, Copy)]
pub struct CoverOptions {
    pub frost_depth_m: f64,
    pub coverage: f64,
}

impl Default for CoverOptions {
    fn default() -> Self {
        Self { frost_depth_m: rules().value("frost-depth-changchun"), coverage: rules().value("survey-coverage") }
    }
}

/// Cover of one pipe; `None` for what is not buried or has no ground above it anywhere.
pub fn cover(number: u32, p: &Pipe, ground: &Ground, ways: &Carriageways, o: CoverOptions) -> Option<Cover> {
    if !is_buried(p) {
        return None;
    }
    let r = rules();
    let (parts, unknown_m) = parts(p, ground, ways);
    let frost = r.frost(p, o.frost_depth_m);
    let assumed = r.value("survey-plan-accuracy");
    let accuracy = p.accuracy_m.filter(|a| a.is_finite() && *a >= 0.0).unwrap_or(assumed);
    let u = o.coverage * r.value("survey-height-share") * accuracy.hypot(assumed);
    let tables = [Location::MotorLane, Location::Sidewalk].map(|l| {
        let table = r.cover(p, l);
        match &frost {
            Some((need, true)) if table.as_ref().is_none_or(|t| t.most_m < need.most_m) => Some(need.clone()),
            _ => table,
        }
    });
    let mut worst: Option<(f64, Cover)> = None;
    let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
    let (mut short, mut short_m) = (Vec::new(), 0.0);
    let mut cold: Option<(f64, f64)> = None;
    for part in &parts {
        let need = tables[usize::from(part.location == Location::Sidewalk)].as_ref();
        let asked = need.map_or(0.0, |n| n.most_m);
        let k = usize::from(part.cover_m[1] < part.cover_m[0]);
        let c = part.cover_m[k];
        least = least.min(c);
        greatest = greatest.max(part.cover_m[1 - k]);
        if let Some([from, to]) = below(part.cover_m, asked) {
            let at = |t: f64| [0, 1, 2].map(|k| part.axis[0][k] + (part.axis[1][k] - part.axis[0][k]) * t);
            short.push([at(from), at(to)]);
            short_m += (to - from) * part.length_m;
        }
        if let Some((need, false)) = &frost
            && let Some([from, to]) = below(part.cover_m, need.most_m)
        {
            let (least, length) = cold.get_or_insert((f64::INFINITY, 0.0));
            *least = least.min(c);
            *length += (to - from) * part.length_m;
        }
        if worst.as_ref().is_none_or(|w| c - asked < w.0) {
            let mut at = part.axis[k];
            at[2] += p.section.half_height_m();
            let verdict = judge(c, need, u);
            let one = Cover {
                pipe: number,
                verdict,
                cover_m: c,
                need: need.cloned(),
                location: part.location,
                at,
                ground_m: part.ground_m[k],
                uncertainty_m: u,
                least_cover_m: 0.0,
                greatest_cover_m: 0.0,
                short: Vec::new(),
                short_m: 0.0,
                warning: None,
                unknown_m,
            };
            worst = Some((c - asked, one));
        }
    }
    let (_, mut out) = worst?;
    let warning = frost.and_then(|(need, _)| cold.map(|(least, length)| (need, least, length)));
    (out.least_cover_m, out.greatest_cover_m, out.short, out.short_m, out.warning) = (least, greatest, short, short_m, warning);
    Some(out)
}

pub const COVER: Analysis = Analysis {
    id: "cover",
    title_en: "Cover and frost",
    title_zh: "覆土分析",
    about: "Ground over pipes along their whole length, against GB 50289-2016 table 4.1.1 by place (carriageway or not) and the frost line: water below it with a margin, drains above it are a warning (GB 50014-2021 5.3.8). The worst place of each pipe first.",
    inputs: r#"{"type":"object","properties":{
        "area":{"description":"Polygon; the whole city when absent","format":"geojson-geometry","type":"object"},
        "pipes":{"description":"Only these pipes (ids)","type":"array","items":{"type":"string"}},
        "frost_depth_m":{"description":"Depth of frozen ground","type":"number","default":1.69},
        "coverage":{"description":"Survey uncertainty as a multiple of the combined RMSE; 0 judges the measured values alone","type":"number","default":2},
        "sound":{"description":"Sound pipes too","type":"boolean","default":false},
        "limit":{"description":"At most so many pipes, the worst first","type":"integer","default":1000,"maximum":100000}}}"#,
    outputs: r#"{"type":"object","properties":{
        "faults":{"type":"integer"},"counts":{"description":"Pipes by verdict; clash: it stands out of the ground","type":"object"},
        "warnings":{"description":"Pipes above the frost line that should lie below","type":"integer"},
        "pipes":{"description":"verdict, cover_m, required_m, rule, location, at (Point on the top), least_cover_m, short_m and short (where it is short), warning","type":"array"},
        "checked":{"type":"integer"},"without_ground":{"description":"Buried pipes with no terrain above them","type":"integer"},
        "not_buried":{"type":"integer"},"more":{"type":"integer"}}}"#,
    run,
};

pub(crate) fn cover_json(c: &Cover, p: &Pipe) -> Value {
    let mut out = json!({
        "verdict": c.verdict, "pipe": pipe_json(p), "cover_m": shown(c.cover_m), "location": c.location, "at": point_json(c.at),
        "ground_m": shown(c.ground_m), "uncertainty_m": shown(c.uncertainty_m), "least_cover_m": shown(c.least_cover_m),
        "greatest_cover_m": shown(c.greatest_cover_m), "short_m": shown(c.short_m),
        "short": c.short.iter().map(|s| line_json(s)).collect::<Vec<_>>(), "unknown_m": shown(c.unknown_m),
    });
    put_need(&mut out, c.need.as_ref());
    if let Some((need, least, length)) = &c.warning {
        out["warning"] =
            json!({ "required_m": need.most_m, "least_cover_m": shown(*least), "length_m": shown(*length), "rule": need.rule });
    }
    out
}

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let defaults = CoverOptions::default();
    let o = CoverOptions {
        frost_depth_m: number(inputs, "frost_depth_m", defaults.frost_depth_m, 0.0, 10.0)?,
        coverage: number(inputs, "coverage", defaults.coverage, 0.0, 10.0)?,
    };
    let limit = number(inputs, "limit", 1000.0, 0.0, 100_000.0)? as usize;
    let sound = inputs.get("sound").and_then(Value::as_bool).unwrap_or(false);
    let all = selected(view, inputs)?;
    let b = plan_bounds(all.iter().map(|p| p.axis.as_slice()));
    let ground = Ground::around(view, b)?;
    let ways = Carriageways::new(if b.is_empty() { Vec::new() } else { roads(view, b)? });
    let buried = all.iter().filter(|p| is_buried(p)).count();
    let mut found: Vec<Cover> = all.par_iter().enumerate().filter_map(|(i, p)| cover(i as u32, p, &ground, &ways, o)).collect();
    let (counts, faults) = counts(found.iter().map(|c| c.verdict));
    let warnings = found.iter().filter(|c| c.warning.is_some()).count();
    let checked = found.len();
    found.retain(|c| sound || c.verdict != Verdict::Sound || c.warning.is_some());
    let missing = |c: &Cover| c.need.as_ref().map_or(0.0, |n| n.most_m) - c.cover_m;
    found.sort_by(|a, b| a.verdict.cmp(&b.verdict).then(missing(b).total_cmp(&missing(a))));
    Ok(json!({
        "faults": faults, "counts": counts, "warnings": warnings, "checked": checked,
        "without_ground": buried - checked, "not_buried": all.len() - buried,
        "pipes": found.iter().take(limit).map(|c| cover_json(c, &all[c.pipe as usize])).collect::<Vec<_>>(),
        "more": found.len().saturating_sub(limit),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clearance::obstacles::Road,
        hand::{district, round},
    };

    /// Level ground at 10 m with a hollow 1 m deep along x = 20 (8 m wide), and a street from x = 30 on, 12 m wide.
    fn place() -> (Ground, Carriageways) {
        let z = |x: f64| if (x - 20.0).abs() < 4.0 { 10.0 - (1.0 - (x - 20.0f64).abs() / 4.0) } else { 10.0 };
        let strip = |a: f64, b: f64| {
            let p = |x: f64, y: f64| [x, y, z(x)];
            [[p(a, -50.0), p(b, -50.0), p(b, 50.0)], [p(a, -50.0), p(b, 50.0), p(a, 50.0)]]
        };
        let ground = Ground::new([(0.0, 16.0), (16.0, 20.0), (20.0, 24.0), (24.0, 60.0)].into_iter().flat_map(|(a, b)| strip(a, b)));
        let road = Road {
            layer: strata_model::LayerId::new("roads").unwrap(),
            id: "r".into(),
            name: String::new(),
            class: String::new(),
            line: vec![[40.0, -50.0, 10.0], [40.0, 50.0, 10.0]],
            half_width_m: 6.0,
        };
        (ground, Carriageways::new(vec![road]))
    }
    const O: CoverOptions = CoverOptions { frost_depth_m: 1.69, coverage: 0.0 };

    #[test]
    fn the_least_cover_lies_between_the_points_of_the_pipe() {
        let (ground, ways) = place();
        // A drain DN 400 whose top lies at 8.9: 1.1 m everywhere, 0.1 m in the hollow.
        let drain = round("d", Class::Ps, 400.0, &[[2.0, 0.0, 8.7], [28.0, 0.0, 8.7]]);
        let c = cover(0, &drain, &ground, &ways, O).unwrap();
        assert!((c.least_cover_m - 0.1).abs() < 1e-9 && (c.at[0] - 20.0).abs() < 1e-9 && (c.at[2] - 8.9).abs() < 1e-9);
        assert_eq!((c.verdict, c.location, c.need.as_ref().unwrap().most_m), (Verdict::Violation, Location::Sidewalk, 0.6));
        // 0.6 m is missing where the hollow is more than 0.5 m deep: 2 m on each side.
        assert!((c.short_m - 4.0).abs() < 1e-6, "{}", c.short_m);
        // Above the frost line all along: a warning, not a fault.
        let (need, least, length) = c.warning.unwrap();
        assert!(need.most_m == 1.69 && (least - 0.1).abs() < 1e-9 && (length - 26.0).abs() < 1e-6);
    }

    #[test]
    fn under_a_carriageway_more_is_asked() {
        let (ground, ways) = place();
        // Gas: 0.6 m beside, 0.9 m under the carriageway; it has 0.8 m.
        let gas = round("g", Class::Rq, 200.0, &[[26.0, 3.0, 9.1], [54.0, 3.0, 9.1]]);
        let c = cover(0, &gas, &ground, &ways, O).unwrap();
        assert_eq!((c.verdict, c.location), (Verdict::Exception, Location::MotorLane));
        assert!((c.short_m - 12.0).abs() < 5e-3, "from kerb to kerb: {}", c.short_m);
        assert!(c.warning.is_none());
    }

    #[test]
    fn water_lies_under_the_frost() {
        let (ground, ways) = place();
        let at = |top: f64| {
            cover(0, &round("w", Class::Js, 300.0, &[[2.0, 0.0, top - 0.15], [10.0, 0.0, top - 0.15]]), &ground, &ways, O).unwrap()
        };
        assert_eq!(at(8.16).verdict, Verdict::Sound); // 1.84
        let short = at(8.2);
        assert_eq!((short.verdict, short.need.unwrap().rule.id.as_str()), (Verdict::Exception, "frost-cover"));
        assert_eq!(at(9.2).verdict, Verdict::Violation);
        assert_eq!(at(10.1).verdict, Verdict::Clash, "it stands out of the ground");
    }

    #[test]
    fn what_is_not_buried_or_has_no_ground() {
        let (ground, ways) = place();
        let mut p = round("w", Class::Js, 300.0, &[[2.0, 0.0, 12.0], [10.0, 0.0, 12.0]]);
        p.embed = Some("架空".into());
        assert!(cover(0, &p, &ground, &ways, O).is_none());
        let off = round("w", Class::Js, 300.0, &[[50.0, 0.0, 8.0], [70.0, 0.0, 8.0]]);
        assert!((cover(0, &off, &ground, &ways, O).unwrap().unknown_m - 10.0).abs() < 1e-6);
        let nan = round("w", Class::Js, 300.0, &[[2.0, 0.0, f64::NAN], [10.0, 0.0, 8.0]]);
        assert!(cover(0, &nan, &ground, &ways, O).is_none());
    }

    #[test]
    fn the_district_keeps_the_depths_it_was_made_with() {
        let city = district();
        let answer = (COVER.run)(&city.view(), &json!({ "limit": 3, "coverage": 0 })).unwrap();
        assert!(answer["checked"].as_u64() > Some(40_000) && answer["counts"]["sound"].as_u64() > Some(40_000));
        assert!(answer["pipes"].as_array().is_some_and(|a| a.len() == 3 && a[0]["short"][0]["type"] == "LineString"));
        let c = city.anchor("cbd");
        let b = strata_model::Bounds2 { min: [c[0], c[1]], max: [c[0], c[1]] }.grown(150.0);
        let ring = [[b.min[0], b.min[1]], [b.max[0], b.min[1]], [b.max[0], b.max[1]], [b.min[0], b.max[1]], [b.min[0], b.min[1]]];
        let area = json!({ "type": "Polygon", "coordinates": [ring] });
        let answer = (COVER.run)(&city.view(), &json!({ "area": area, "sound": true, "coverage": 0, "limit": 100000 })).unwrap();
        let rows = answer["pipes"].as_array().unwrap();
        assert!(rows.len() > 50);
        // The generator puts the largest water main's top 1.86 m below the ground at every point, smaller ones a little deeper.
        for w in rows.iter().filter(|r| r["pipe"]["class"] == "JS" && r["least_cover_m"].as_f64() > Some(1.5)) {
            assert!(w["greatest_cover_m"].as_f64().unwrap() > 1.8, "{w}");
        }
    }
}
