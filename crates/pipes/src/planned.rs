//! 规划管线: a pipe that is only drawn, checked against all rules at once, before and after.
//!
//! Its depth is given in one of three ways: cover under the ground (it follows the ground), depths of its top at each drawn
//! point (straight between them), or heights of its axis in the line itself. It is exact; what it is measured to has its
//! survey's uncertainty. Where it breaks a rule, the nearest lawful place is looked for: first beside the drawn line, in
//! steps of 5 cm up to the asked offset, then up and down. It may take the place of pipes that are removed.

use crate::{
    clearance::{
        Finding, Options, Pieces, Relation, Table, clearances_by, finding_json, near_json, nearest_in_plan,
        obstacles::{Carriageways, Near, Obstacle, Slant, Surroundings, against, obstacles},
        slant_json,
    },
    cover::{Cover, CoverOptions, cover, cover_json, is_buried},
    encroach::{Encroachment, buildings, encroachments},
    ground::Ground,
    inputs::{around, counts, ids, line_input, line_json, number, pipe_json, pipes_by_ids, plan_bounds, point_json, shown},
    pipe::{Class, Pipe, Section},
    rules::{Verdict, rules},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use strata_engine::{Analysis, AnalysisError, View};
use strata_model::{LayerId, Point3};

/// Longer lines are refused.
const MOST_LENGTH_M: f64 = 5_000.0;
/// No clause asks for more between pipes and to houses.
const REACH_M: f64 = 20.0;
/// Step of the search beside the line and in depth.
const STEP_M: f64 = 0.05;
/// A pipe that follows the ground gets a point at least so often.
const FOLLOW_M: f64 = 10.0;

/// All that the checks of one drawn pipe look at; the line may be moved and checked again.
pub struct Site {
    stock: Vec<Pipe>,
    pieces: Pieces,
    ground: Ground,
    ways: Carriageways,
    things: Vec<Obstacle>,
    table: Table,
    options: Options,
}

/// Everything found of one drawn pipe.
#[derive(Debug)]
pub struct Checked {
    pub pairs: Vec<Finding>,
    pub near: Vec<Near>,
    pub slants: Vec<Slant>,
    pub cover: Option<Cover>,
}

impl Checked {
    fn verdicts(&self) -> impl Iterator<Item = Verdict> + '_ {
        self.pairs.iter().map(|f| f.verdict).chain(self.near.iter().map(|n| n.verdict)).chain(self.cover.iter().map(|c| c.verdict))
    }
    /// What moving it sideways can mend.
    fn lawful_beside(&self) -> bool {
        let beside = |r: Relation| r != Relation::Crossing;
        self.pairs.iter().all(|f| !beside(f.relation) || f.verdict == Verdict::Sound)
            && self.near.iter().all(|n| !beside(n.relation) || n.verdict == Verdict::Sound)
    }
    /// Everything.
    fn lawful(&self) -> bool {
        self.verdicts().all(|v| v == Verdict::Sound) && self.slants.is_empty()
    }
}

impl Site {
    /// Loads what lies around a pipe, `offset_m` more on each side for the search. `removed` pipes are left out.
    pub fn load(view: &View, pipe: &Pipe, removed: &[Pipe], offset_m: f64, coverage: f64) -> Result<Self, AnalysisError> {
        let b = plan_bounds(std::iter::once(pipe.axis.as_slice()));
        let mut stock = around(view, b, REACH_M + offset_m)?;
        let gone: HashSet<(&str, &str)> = removed.iter().map(|p| (p.layer.as_str(), p.id.as_str())).collect();
        stock.retain(|p| !gone.contains(&(p.layer.as_str(), p.id.as_str())));
        let ground = Ground::around(view, b.grown(offset_m + 1.0))?;
        let (things, ways) = obstacles(view, b.grown(offset_m))?;
        let mut pieces = Pieces::new(&stock);
        // The drawn pipe comes last, its kind with it.
        pieces.add(std::iter::once(pipe), |_| Some(0.0));
        let table = Table::new(&pieces.kinds);
        pieces.pieces.retain(|p| (p.pipe as usize) < stock.len());
        Ok(Self { stock, pieces, ground, ways, things, table, options: Options { coverage, ..Options::default() } })
    }

    pub fn check(&self, pipe: &Pipe, surroundings: &Surroundings) -> Result<Checked, AnalysisError> {
        let number = self.stock.len() as u32;
        let mut all = self.pieces.clone();
        let before = all.pieces.len();
        all.add(std::iter::once(pipe), |_| Some(0.0));
        all.pieces[before..].iter_mut().for_each(|p| p.pipe = number);
        let own = Pieces { pieces: all.pieces[before..].to_vec(), kinds: all.kinds.clone(), left_out: 0 };
        let pairs = clearances_by(&all, &self.table, Some(&HashSet::from([number])), self.options)
            .map_err(|e| AnalysisError::TooLarge { reason: e.to_string() })?;
        let (near, mut slants) = against(&own, surroundings, self.options.coverage, false);
        slants.extend(self.street_slants(pipe, number));
        let o = CoverOptions { coverage: self.options.coverage, ..CoverOptions::default() };
        let planned = Pipe { accuracy_m: Some(0.0), ..pipe.clone() };
        Ok(Checked { pairs, near, slants, cover: cover(number, &planned, &self.ground, &self.ways, o) })
    }

    /// Streets whose centre line it crosses at less than the least angle (clause 4.1.7), away from the ends of the line.
    fn street_slants(&self, pipe: &Pipe, number: u32) -> Vec<Slant> {
        let least = rules().value("crossing-angle");
        let Some(rule) = rules().named("crossing-angle") else { return Vec::new() };
        let mut out = Vec::new();
        for w in pipe.axis.windows(2) {
            for road in self.ways.roads() {
                for r in road.line.windows(2) {
                    let (between, s, t) = nearest_in_plan([w[0], w[1]], [r[0], r[1]]);
                    // A line that runs along a street and changes its side near a junction does not cross the street.
                    if between > 0.0 || s <= 0.0 || s >= 1.0 || t <= 0.0 || t >= 1.0 {
                        continue;
                    }
                    let (d, e) = ([w[1][0] - w[0][0], w[1][1] - w[0][1]], [r[1][0] - r[0][0], r[1][1] - r[0][1]]);
                    let cos = ((d[0] * e[0] + d[1] * e[1]) / (d[0].hypot(d[1]) * e[0].hypot(e[1]))).abs().min(1.0);
                    let angle_deg = cos.acos().to_degrees();
                    if angle_deg < least {
                        let obstacle = self.things.iter().position(|o| o.id == road.id && o.layer == road.layer).unwrap_or(0) as u32;
                        let at = [0, 1, 2].map(|k| w[0][k] + (w[1][k] - w[0][k]) * s);
                        out.push(Slant { pipe: number, obstacle, angle_deg, rule: rule.clone(), at });
                    }
                }
            }
        }
        out
    }

    /// The nearest lawful place: metres to the left of the line (negative: right) and upwards. `None` within the bounds.
    fn lawful_place(&self, drawn: &Drawn, surroundings: &Surroundings, offset_m: f64) -> Result<Option<(f64, f64, Pipe)>, AnalysisError> {
        let sides = (0..=(offset_m / STEP_M).round() as i32).flat_map(|k| if k == 0 { vec![0] } else { vec![k, -k] });
        let mut tries = 0;
        for k in sides {
            let left = f64::from(k) * STEP_M;
            let Some(pipe) = drawn.placed(left, 0.0, &self.ground) else { continue };
            let first = self.check(&pipe, surroundings)?;
            if first.lawful() {
                return Ok(Some((left, 0.0, pipe)));
            }
            if !first.lawful_beside() {
                continue;
            }
            for d in (1..=40).flat_map(|k| [-k, k]) {
                let up = f64::from(d) * STEP_M;
                let Some(pipe) = drawn.placed(left, up, &self.ground) else { continue };
                if self.check(&pipe, surroundings)?.lawful() {
                    return Ok(Some((left, up, pipe)));
                }
            }
            // Depth is tried at a few places only: where no depth helps at one, it seldom does 5 cm beside it.
            tries += 1;
            if tries > 3 {
                break;
            }
        }
        Ok(None)
    }
}

/// How deep the drawn pipe lies.
#[derive(Debug, Clone)]
pub enum Depth {
    /// It follows the ground under so much cover.
    Cover(f64),
    /// Depth of its top at each drawn point.
    Tops(Vec<f64>),
    /// Heights of its axis stand in the line.
    Axis,
}

/// A pipe as it was drawn.
#[derive(Debug, Clone)]
pub struct Drawn {
    pub line: Vec<Point3>,
    pub depth: Depth,
    /// All but its axis.
    pub pipe: Pipe,
}

/// A line moved to the left in plan, corners mitred (at most to twice the distance).
fn beside(line: &[Point3], left: f64) -> Vec<Point3> {
    let normal = |a: &Point3, b: &Point3| {
        let d = [b[0] - a[0], b[1] - a[1]];
        let n = d[0].hypot(d[1]).max(1e-12);
        [-d[1] / n, d[0] / n]
    };
    (0..line.len())
        .map(|i| {
            let before = (i > 0).then(|| normal(&line[i - 1], &line[i]));
            let after = (i + 1 < line.len()).then(|| normal(&line[i], &line[i + 1]));
            let (a, b) = (before.or(after).unwrap_or([0.0; 2]), after.or(before).unwrap_or([0.0; 2]));
            let k = (left / (1.0 + a[0] * b[0] + a[1] * b[1]).max(0.5)).clamp(-2.0 * left.abs(), 2.0 * left.abs());
            [line[i][0] + (a[0] + b[0]) * k, line[i][1] + (a[1] + b[1]) * k, line[i][2]]
        })
        .collect()
}

impl Drawn {
    /// The pipe at its place, moved. `None` where there is no ground to follow.
    pub fn placed(&self, left: f64, up: f64, ground: &Ground) -> Option<Pipe> {
        let line = if left == 0.0 { self.line.clone() } else { beside(&self.line, left) };
        let half = self.pipe.section.half_height_m();
        let axis: Option<Vec<Point3>> = match &self.depth {
            Depth::Axis => Some(line.iter().map(|p| [p[0], p[1], p[2] + up]).collect()),
            Depth::Tops(tops) => {
                line.iter().zip(tops).map(|(p, top)| Some([p[0], p[1], ground.height_m([p[0], p[1]])? - top - half + up])).collect()
            }
            Depth::Cover(cover) => {
                let mut out: Vec<Point3> = Vec::new();
                for w in line.windows(2) {
                    let (a, b) = ([w[0][0], w[0][1]], [w[1][0], w[1][1]]);
                    let length = (b[0] - a[0]).hypot(b[1] - a[1]);
                    // At every break of the ground, and now and then between.
                    let mut ts: Vec<f64> = ground.along(a, b).iter().flat_map(|s| s.t).collect();
                    ts.extend((0..=(length / FOLLOW_M).ceil() as usize).map(|i| (i as f64 * FOLLOW_M / length).min(1.0)));
                    ts.extend([0.0, 1.0]);
                    ts.sort_by(f64::total_cmp);
                    ts.dedup_by(|b, a| (*b - *a) * length < 0.05 && *b < 1.0);
                    if let [.., before, last] = ts.as_slice()
                        && (last - before) * length < 0.05
                        && ts.len() > 2
                    {
                        let n = ts.len();
                        ts.remove(n - 2);
                    }
                    for t in ts {
                        let p = [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
                        let q = [p[0], p[1], ground.height_m(p)? - cover - half + up];
                        if out.last().is_none_or(|l| (l[0] - q[0]).hypot(l[1] - q[1]) > 1e-6) {
                            out.push(q);
                        }
                    }
                }
                Some(out)
            }
        };
        Some(Pipe { axis: axis?, ..self.pipe.clone() })
    }
}

pub const PLANNED: Analysis = Analysis {
    id: "planned",
    title_en: "Check of a planned pipe",
    title_zh: "规划管线检查",
    about: "A drawn pipe against all rules at once: clearances to pipes and surroundings, cover and frost, angles at crossings, buildings and zones of gas, owners to be told; faults before and after, and the nearest lawful place beside it and in depth.",
    inputs: r#"{"type":"object","required":["line","class"],"properties":{
        "line":{"description":"LineString of two points or more, at most 5 km","format":"geojson-geometry","type":"object"},
        "class":{"description":"JS, PS, RQ, RL, DL, TX, GY, QT","type":"string"},
        "subclass":{"type":"string"},
        "dn_mm":{"type":"number","minimum":10,"maximum":10000},"od_mm":{"description":"1.05 of the nominal when absent","type":"number","minimum":10,"maximum":12000},
        "width_mm":{"description":"Outer, of a rectangular section","type":"number"},"height_mm":{"type":"number"},
        "material":{"type":"string"},"embed":{"type":"string","default":"直埋"},"pressure":{"type":"string"},"voltage_kv":{"type":"number"},"owner":{"type":"string"},
        "depth_m":{"description":"Cover: one number (it follows the ground) or one for each point (straight between); absent: the line's heights are those of the axis","type":["number","array"]},
        "replaces":{"description":"Pipes that it takes the place of (ids)","type":"array","items":{"type":"string"}},
        "offset_m":{"description":"How far beside the line a lawful place is looked for; 0: not at all","type":"number","default":3,"maximum":10},
        "coverage":{"description":"Survey uncertainty of the stock as a multiple of its RMSE","type":"number","default":2}}}"#,
    outputs: r#"{"type":"object","properties":{
        "faults":{"type":"integer"},"counts":{"description":"By verdict","type":"object"},
        "axis":{"description":"LineString that was checked","type":"object"},"length_m":{"type":"number"},
        "pairs":{"type":"array"},"surroundings":{"type":"array"},"slanting":{"type":"array"},"cover":{"type":["object","null"]},
        "encroachments":{"type":"array"},
        "gas_zones":{"description":"Gas pipes whose protection or control zone it enters","type":"array"},
        "before":{"description":"Faults among the pipes around, as they lie","type":"object"},"after":{"description":"The same with the planned pipe","type":"object"},
        "lawful":{"description":"left_m, up_m, axis of the nearest lawful place; null when there is none","type":["object","null"]},
        "owners":{"description":"Owner, pipes, nearest_m","type":"array"}}}"#,
    run,
};

fn drawn(inputs: &Value) -> Result<Drawn, AnalysisError> {
    let line = line_input(inputs, "line")?;
    let text =
        |name: &str| inputs.get(name).and_then(Value::as_str).filter(|t| !t.is_empty()).map(|t| t.chars().take(80).collect::<String>());
    let class = text("class").ok_or_else(|| AnalysisError::input("/class", "one of the eight classes is wanted"))?;
    let known = ["JS", "PS", "WS", "YS", "HS", "RQ", "RL", "DL", "TX", "GY", "QT"];
    if !known.contains(&class.to_ascii_uppercase().as_str()) {
        return Err(AnalysisError::input("/class", "JS, PS, RQ, RL, DL, TX, GY or QT is wanted"));
    }
    let metres = |name: &str, least: f64, most: f64| -> Result<Option<f64>, AnalysisError> {
        let v = number(inputs, name, f64::NAN, least, most)?;
        Ok(v.is_finite().then_some(v / 1000.0))
    };
    let (dn, od) = (metres("dn_mm", 10.0, 10_000.0)?, metres("od_mm", 10.0, 12_000.0)?);
    let section = match (metres("width_mm", 10.0, 20_000.0)?, metres("height_mm", 10.0, 20_000.0)?, od.or(dn.map(|d| d * 1.05))) {
        (Some(width_m), Some(height_m), _) => Section::Rect { width_m, height_m },
        (None, None, Some(outer_diameter_m)) => Section::Round { outer_diameter_m },
        _ => return Err(AnalysisError::input("/dn_mm", "a size is wanted: dn_mm or od_mm, or width_mm and height_mm")),
    };
    let depth = match inputs.get("depth_m").filter(|v| !v.is_null()) {
        Some(Value::Array(list)) => {
            let tops: Option<Vec<f64>> = list.iter().map(|v| v.as_f64().filter(|d| (-5.0..=60.0).contains(d))).collect();
            let tops = tops.filter(|t| t.len() == line.len());
            Depth::Tops(tops.ok_or_else(|| AnalysisError::input("/depth_m", "one depth for each point of the line is wanted"))?)
        }
        Some(_) => Depth::Cover(number(inputs, "depth_m", 0.0, -5.0, 60.0)?),
        None if line.iter().all(|p| p[2].is_finite()) => Depth::Axis,
        None => return Err(AnalysisError::input("/depth_m", "a depth is wanted where the line has no heights")),
    };
    let voltage = number(inputs, "voltage_kv", f64::NAN, 0.0, 2_000.0)?;
    let layer = LayerId::new("planned").map_err(|e| AnalysisError::input("/line", e))?;
    let pipe = Pipe {
        layer,
        id: "planned".into(),
        class: Class::parse(&class),
        subclass: text("subclass").unwrap_or_default(),
        axis: Vec::new(),
        section,
        size_assumed: false,
        dn_mm: dn.map(|d| d * 1000.0),
        material: text("material"),
        embed: Some(text("embed").unwrap_or_else(|| "直埋".into())),
        pressure: text("pressure"),
        voltage_kv: voltage.is_finite().then_some(voltage),
        flow_dir: None,
        start_point: None,
        end_point: None,
        start_invert_m: None,
        end_invert_m: None,
        owner: text("owner"),
        road: None,
        year_built: None,
        life_years: None,
        status: 0,
        accuracy_m: Some(0.0),
    };
    Ok(Drawn { line, depth, pipe })
}

/// Distance in plan between the outlines of two pipes.
fn between(a: &Pipe, b: &Pipe) -> f64 {
    let one = |w: &[Point3]| b.axis.windows(2).map(|v| nearest_in_plan([w[0], w[1]], [v[0], v[1]]).0).fold(f64::INFINITY, f64::min);
    a.axis.windows(2).map(one).fold(f64::INFINITY, f64::min) - a.section.half_width_m() - b.section.half_width_m()
}

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let drawn = drawn(inputs)?;
    let length: f64 = drawn.line.windows(2).map(|w| (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1])).sum();
    if length > MOST_LENGTH_M {
        return Err(AnalysisError::input("/line", format!("it is {length:.0} m long, more than {MOST_LENGTH_M:.0} m")));
    }
    let offset = number(inputs, "offset_m", 3.0, 0.0, 10.0)?;
    let coverage = number(inputs, "coverage", rules().value("survey-coverage"), 0.0, 10.0)?;
    let removed = ids(inputs, "replaces")?.map_or(Ok(Vec::new()), |ids| pipes_by_ids(view, &ids))?;
    // A flat line is enough to know what lies around.
    let flat = Pipe { axis: drawn.line.clone(), ..drawn.pipe.clone() };
    let site = Site::load(view, &flat, &removed, offset, coverage)?;
    let pipe = drawn
        .placed(0.0, 0.0, &site.ground)
        .ok_or_else(|| AnalysisError::input("/line", "there is no terrain under a part of it, and its depth is counted from there"))?;
    let surroundings = Surroundings::new(&site.things);
    let checked = site.check(&pipe, &surroundings)?;
    let houses = buildings(view, Some(plan_bounds(std::iter::once(pipe.axis.as_slice())).grown(52.0)), 3.0)?;
    let built: Vec<Encroachment> = encroachments(std::slice::from_ref(&pipe), &houses, 0.0);

    // As it lies, and with what is removed and laid.
    let untouched =
        clearances_by(&site.pieces, &site.table, None, site.options).map_err(|e| AnalysisError::TooLarge { reason: e.to_string() })?;
    let kept = counts(untouched.iter().map(|f| f.verdict));
    let before = if removed.is_empty() {
        kept.clone()
    } else {
        let mut stock = site.stock.clone();
        stock.extend(removed.iter().cloned());
        let pieces = Pieces::new(&stock);
        let found = clearances_by(&pieces, &Table::new(&pieces.kinds), None, site.options)
            .map_err(|e| AnalysisError::TooLarge { reason: e.to_string() })?;
        counts(found.iter().map(|f| f.verdict))
    };
    let after = counts(untouched.iter().chain(&checked.pairs).map(|f| f.verdict));

    let (counted, mut faults) = counts(checked.verdicts());
    faults += checked.slants.len() as u64 + built.iter().filter(|e| e.kind != "control").count() as u64;
    let lawful = if offset > 0.0 && !checked.lawful() { Some(site.lawful_place(&drawn, &surroundings, offset)?) } else { None };

    let mut owners: BTreeMap<Option<&str>, (u64, f64)> = BTreeMap::new();
    let mut zones = Vec::new();
    for p in &site.stock {
        let apart = between(&pipe, p);
        let zone = rules().gas_zone(p);
        if let Some((protection, control, rule)) = zone.as_ref().filter(|z| apart <= z.1) {
            let kind = if apart <= *protection { "protection" } else { "control" };
            let width = if apart <= *protection { protection } else { control };
            zones.push(json!({ "pipe": pipe_json(p), "kind": kind, "distance_m": shown(apart), "width_m": width, "rule": rule, "pressure_known": p.pressure.is_some() }));
        }
        if apart <= zone.map_or(5.0, |z| z.1.max(5.0)) {
            let o = owners.entry(p.owner.as_deref()).or_insert((0, f64::INFINITY));
            *o = (o.0 + 1, o.1.min(apart));
        }
    }
    let mut all = site.stock.clone();
    all.push(pipe);
    let pipe = &all[all.len() - 1];
    Ok(json!({
        "faults": faults, "counts": counted, "length_m": shown(length), "axis": line_json(&pipe.axis), "buried": is_buried(pipe),
        "pairs": checked.pairs.iter().map(|f| finding_json(f, &all)).collect::<Vec<_>>(),
        "surroundings": checked.near.iter().map(|n| near_json(n, &all, &site.things)).collect::<Vec<_>>(),
        "slanting": checked.slants.iter().map(|s| slant_json(s, &all, &site.things)).collect::<Vec<_>>(),
        "cover": checked.cover.as_ref().map(|c| cover_json(c, pipe)),
        "encroachments": built.iter().map(|e| json!({
            "kind": e.kind, "building": houses[e.building as usize].id, "area_m2": (e.area_m2 * 100.0).round() / 100.0,
            "to_come": houses[e.building as usize].to_come, "rule": e.rule,
        })).collect::<Vec<_>>(),
        "gas_zones": zones,
        "before": { "faults": before.1, "counts": before.0 }, "after": { "faults": after.1, "counts": after.0 },
        "lawful": lawful.flatten().map(|(left, up, at)| json!({
            "left_m": shown(left), "up_m": shown(up), "axis": line_json(&at.axis), "from": point_json(at.axis[0]),
        })),
        "owners": owners.into_iter().map(|(o, (n, near))| json!({ "owner": o, "pipes": n, "nearest_m": shown(near) })).collect::<Vec<_>>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand::{district, round};
    use std::time::Instant;

    #[test]
    fn a_line_moves_beside_itself() {
        let line = [[0.0, 0.0, 1.0], [10.0, 0.0, 1.0], [10.0, 10.0, 1.0]];
        let moved = beside(&line, 1.0);
        let wanted = [[0.0, 1.0], [9.0, 1.0], [9.0, 10.0]];
        assert!(moved.iter().zip(wanted).all(|(p, q)| (p[0] - q[0]).abs() < 1e-12 && (p[1] - q[1]).abs() < 1e-12));
        assert!(
            beside(&line, -1.0)
                .iter()
                .zip([[0.0, -1.0], [11.0, -1.0], [11.0, 10.0]])
                .all(|(p, q)| (p[0] - q[0]).abs() < 1e-12 && (p[1] - q[1]).abs() < 1e-12)
        );
    }

    #[test]
    fn it_follows_the_ground_under_its_cover() {
        let z = |x: f64| 10.0 + (x - 20.0f64).abs() * 0.1;
        let p = |x: f64, y: f64| [x, y, z(x)];
        let ground = Ground::new(
            [[0.0, 20.0], [20.0, 40.0]]
                .into_iter()
                .flat_map(|[a, b]| [[p(a, -9.0), p(b, -9.0), p(b, 9.0)], [p(a, -9.0), p(b, 9.0), p(a, 9.0)]]),
        );
        let line = vec![[1.0, 0.0, f64::NAN], [39.0, 0.0, f64::NAN]];
        let pipe = round("p", Class::Js, 400.0, &[]);
        let d = Drawn { line: line.clone(), depth: Depth::Cover(1.8), pipe: pipe.clone() };
        let at = d.placed(0.0, 0.0, &ground).unwrap();
        assert!(at.axis.iter().all(|q| (z(q[0]) - q[2] - 0.2 - 1.8).abs() < 1e-9) && at.axis.iter().any(|q| (q[0] - 20.0).abs() < 1e-9));
        let d = Drawn { line: line.clone(), depth: Depth::Tops(vec![1.0, 2.0]), pipe: pipe.clone() };
        let at = d.placed(0.0, -0.5, &ground).unwrap();
        assert_eq!(at.axis.len(), 2);
        assert!((at.axis[0][2] - (11.9 - 1.0 - 0.2 - 0.5)).abs() < 1e-9);
        let off = Drawn { line: vec![[1.0, 0.0, 0.0], [90.0, 0.0, 0.0]], depth: Depth::Cover(1.0), pipe };
        assert!(off.placed(0.0, 0.0, &ground).is_none());
    }

    /// The line of a pipe of the stock, moved sideways.
    fn along(id: &str, left: f64) -> (Value, Pipe) {
        let p = pipes_by_ids(&district().view(), &[id]).unwrap().remove(0);
        let line: Vec<Point3> = beside(&p.axis, left);
        (json!({ "type": "LineString", "coordinates": line.iter().map(|p| [p[0], p[1]]).collect::<Vec<_>>() }), p)
    }

    /// A long drain piece in the middle of the district.
    fn some_drain() -> String {
        let city = district();
        let c = city.anchor("main-crossing");
        let b = plan_bounds(std::iter::once([c].as_slice()));
        let near = around(&city.view(), b, 150.0).unwrap();
        let p = near.iter().filter(|p| p.class == Class::Ps && p.length_m() > 25.0).min_by(|a, b| {
            let far = |p: &Pipe| (p.axis[0][0] - c[0]).hypot(p.axis[0][1] - c[1]);
            far(a).total_cmp(&far(b))
        });
        p.unwrap().id.to_string()
    }

    #[test]
    fn too_near_to_a_drain_and_lawful_beside_it() {
        let city = district();
        let (line, drain) = along(&some_drain(), 0.9);
        let ask = json!({ "line": line, "class": "JS", "dn_mm": 200, "depth_m": 2.0, "offset_m": 5.0, "material": "球墨铸铁" });
        let answer = (PLANNED.run)(&city.view(), &ask).unwrap();
        let with =
            answer["pairs"].as_array().unwrap().iter().find(|p| p["a"]["id"] == drain.id.as_str() || p["b"]["id"] == drain.id.as_str());
        let with = with.unwrap_or_else(|| panic!("{answer}"));
        assert_eq!((with["relation"].as_str(), with["required_m"].as_f64()), (Some("parallel"), Some(1.0)));
        assert!(answer["faults"].as_u64() > Some(0));
        assert_eq!(
            answer["after"]["faults"].as_u64(),
            answer["before"]["faults"].as_u64().map(|b| b + answer["pairs"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|p| ["clash", "violation", "exception"].contains(&p["verdict"].as_str().unwrap()))
                .count() as u64)
        );
        assert!(!answer["owners"].as_array().unwrap().is_empty() && answer["cover"]["verdict"] == "sound");
        if let Some(lawful) = answer["lawful"].as_object() {
            // Drawn there, it is lawful.
            let again = json!({ "line": lawful["axis"], "class": "JS", "dn_mm": 200, "offset_m": 0.0, "material": "球墨铸铁" });
            let again = (PLANNED.run)(&city.view(), &again).unwrap();
            assert_eq!((again["faults"].as_u64(), again["counts"].get("uncertain")), (Some(0), None), "{again}");
        }
        // In its place there is nothing to be too near to.
        let (line, _) = along(drain.id.as_str(), 0.0);
        let ask = json!({ "line": line, "class": "PS", "dn_mm": 400, "depth_m": 4.0, "replaces": [drain.id.as_str()], "offset_m": 0.0 });
        let answer = (PLANNED.run)(&city.view(), &ask).unwrap();
        assert!(answer["pairs"].as_array().unwrap().iter().all(|p| p["b"]["id"] != drain.id.as_str() && p["a"]["id"] != drain.id.as_str()));
    }

    #[test]
    fn a_street_is_answered_at_once() {
        let city = district();
        let c = city.anchor("main-crossing");
        let line = json!({ "type": "LineString", "coordinates": [[c[0] + 8.0, c[1] - 60.0], [c[0] + 8.0, c[1] + 60.0]] });
        for offset in [0.0, 3.0] {
            let ask = json!({ "line": line, "class": "RQ", "dn_mm": 200, "pressure": "中压B", "depth_m": 1.3, "offset_m": offset });
            let mut best = f64::INFINITY;
            for _ in 0..5 {
                let started = Instant::now();
                let answer = (PLANNED.run)(&city.view(), &ask).unwrap();
                best = best.min(started.elapsed().as_secs_f64());
                assert!(answer["counts"].is_object());
            }
            println!("a drawn street of 120 m, offset {offset}: {:.1} ms", best * 1e3);
            assert!(best < 1.0, "{best} s even on a busy machine");
        }
    }

    #[test]
    fn bad_drawings_are_refused_with_a_place() {
        let city = district();
        let c = city.anchor("main-crossing");
        let line = json!({ "type": "LineString", "coordinates": [[c[0], c[1]], [c[0] + 9.0, c[1]]] });
        let point = json!({ "type": "LineString", "coordinates": [[c[0], c[1]]] });
        let off = json!({ "type": "LineString", "coordinates": [[0.0, 0.0], [9.0, 0.0]] });
        for (ask, place) in [
            (json!({ "line": point, "class": "JS", "dn_mm": 200, "depth_m": 1.0 }), "/line"),
            (json!({ "line": line, "class": "XX", "dn_mm": 200, "depth_m": 1.0 }), "/class"),
            (json!({ "line": line, "class": "JS", "depth_m": 1.0 }), "/dn_mm"),
            (json!({ "line": line, "class": "JS", "dn_mm": 0, "depth_m": 1.0 }), "/dn_mm"),
            (json!({ "line": line, "class": "JS", "dn_mm": 200 }), "/depth_m"),
            (json!({ "line": line, "class": "JS", "dn_mm": 200, "depth_m": [1.0] }), "/depth_m"),
            (json!({ "line": line, "class": "JS", "dn_mm": 200, "depth_m": "deep" }), "/depth_m"),
            (json!({ "line": off, "class": "JS", "dn_mm": 200, "depth_m": 1.0 }), "/line"),
        ] {
            match (PLANNED.run)(&city.view(), &ask) {
                Err(AnalysisError::Input { pointer, .. }) => assert_eq!(pointer, place, "{ask}"),
                other => panic!("{ask}: {other:?}"),
            }
        }
    }
}
