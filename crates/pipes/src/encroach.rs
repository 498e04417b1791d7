//! 占压 and the watch over protection zones: what is built on pipes and near gas, since when, and what will be.
//!
//! A footprint is laid over the outline of a pipe in plan, widened by a margin that the asker chooses; gas pipes
//! are also watched in their protection and control zones (GB 55009-2021). Which came first is told from the years of both.

use crate::{
    clearance::obstacles::footprints,
    inputs::{Area, line_json, number, pipe_json, selected, shown},
    pipe::{Class, Pipe},
    rules::{Rule, rules},
};
use geo::{
    Area as _, BooleanOps, Translate,
    buffer::{Buffer, BufferStyle, LineCap},
};
use rstar::{AABB, RTree, primitives::GeomWithData, primitives::Rectangle};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use strata_engine::{Analysis, AnalysisError, EngineError, View};
use strata_model::{Bounds2, FeatureId, Instant, Interval, LayerId, Point3, Query, Theme};

/// A building as the watch sees it.
#[derive(Debug, Clone)]
pub struct Footprint {
    pub layer: LayerId,
    pub id: FeatureId,
    pub name: Option<String>,
    pub year: Option<i64>,
    /// It begins after the moment asked about.
    pub to_come: bool,
    pub areas: Vec<Vec<Vec<[f64; 2]>>>,
}

/// Which of the two came first, by their years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Built on a pipe that lay there.
    PipeFirst,
    BuildingFirst,
    SameYear,
    Unknown,
}

/// A building on or near a pipe.
#[derive(Debug, Clone)]
pub struct Encroachment {
    pub pipe: u32,
    pub building: u32,
    /// `occupied` (on the pipe, with the margin), `protection` or `control` (of gas).
    pub kind: &'static str,
    /// Of the footprint inside the pipe's outline or zone.
    pub area_m2: f64,
    /// Of the pipe under the footprint.
    pub length_m: f64,
    pub under: Vec<Vec<Point3>>,
    /// Half width of the strip looked at, from the axis.
    pub half_width_m: f64,
    pub order: Order,
    pub rule: Option<Rule>,
}

/// Buildings that meet the box now, and those that will begin within so many years.
pub fn buildings(view: &View, b: Option<Bounds2>, horizon_years: f64) -> Result<Vec<Footprint>, EngineError> {
    let mut out = Vec::new();
    let until = Instant(view.at.0.saturating_add((horizon_years * 365.25 * 86_400_000.0) as i64).saturating_add(1));
    for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| l.theme == Theme::Building) {
        let mut q = Query::all(layer.id.clone(), view.scope.clone()).during(Interval { from: view.at, to: until });
        q.bounds = b.map(|b| b.with_all_heights());
        view.snapshot.for_each(&q, &mut |f| {
            let year = f.value(&layer, "year_built").and_then(|v| v.as_i64());
            let year = year.or_else(|| (f.valid.from != Instant::MIN).then(|| i64::from(f.valid.from.year())));
            out.push(Footprint {
                layer: layer.id.clone(),
                id: f.id.clone(),
                name: f.text(&layer, "name").map(str::to_owned),
                year,
                to_come: f.valid.from > view.at,
                areas: footprints(&f.geometry),
            });
            ControlFlow::Continue(())
        })?;
    }
    Ok(out)
}

fn geo_area(rings: &[Vec<[f64; 2]>], o: [f64; 2]) -> geo::Polygon {
    let ring = |r: &Vec<[f64; 2]>| geo::LineString::from(r.iter().map(|p| (p[0] - o[0], p[1] - o[1])).collect::<Vec<_>>());
    geo::Polygon::new(rings.first().map_or_else(|| geo::LineString::new(Vec::new()), ring), rings.iter().skip(1).map(ring).collect())
}

/// Every pipe under or near a building, the largest areas first. `margin_m` widens the outline of each pipe.
pub fn encroachments(pipes: &[Pipe], buildings: &[Footprint], margin_m: f64) -> Vec<Encroachment> {
    let boxes = buildings.iter().enumerate().flat_map(|(n, b)| {
        b.areas.iter().enumerate().filter_map(move |(k, rings)| {
            let mut bounds = Bounds2::EMPTY;
            rings.iter().flatten().for_each(|p| bounds.extend(*p));
            (!bounds.is_empty()).then(|| GeomWithData::new(Rectangle::from_corners(bounds.min, bounds.max), (n, k)))
        })
    });
    let tree = RTree::bulk_load(boxes.collect());
    let one = |(n, p): (usize, &Pipe)| {
        let mut out: Vec<Encroachment> = Vec::new();
        let axis: Vec<Point3> = p.axis.iter().copied().filter(|a| a.iter().all(|v| v.is_finite())).collect();
        if axis.len() < 2 {
            return out;
        }
        let half = p.section.half_width_m();
        let zone = rules().gas_zone(p);
        let mut strips = vec![("occupied", half + margin_m, None)];
        if let Some((protection, control, rule)) = &zone {
            strips.push(("protection", half + protection, Some(rule.clone())));
            strips.push(("control", half + control, Some(Rule { value: Some(*control), ..rule.clone() })));
        }
        let mut window = Bounds2::EMPTY;
        axis.iter().for_each(|a| window.extend([a[0], a[1]]));
        let widest = strips.iter().map(|s| s.1).fold(0.0, f64::max);
        let window = window.grown(widest);
        let o = [axis[0][0], axis[0][1]];
        let line = geo::LineString::from(axis.iter().map(|a| (a[0] - o[0], a[1] - o[1])).collect::<Vec<_>>());
        for found in tree.locate_in_envelope_intersecting(AABB::from_corners(window.min, window.max)) {
            let (b, k) = found.data;
            let shape = geo_area(&buildings[b].areas[k], o);
            // The narrowest strip that holds a part of it says enough.
            for (kind, half_width, rule) in &strips {
                let strip = line.buffer_with_style(BufferStyle::new(*half_width).line_cap(LineCap::Butt));
                let area_m2 = strip.intersection(&shape).unsigned_area();
                if area_m2 < 1e-4 {
                    continue;
                }
                let inside = shape.clip(&geo::MultiLineString::new(vec![line.clone()]), false).translate(o[0], o[1]);
                let height = |c: &geo::Coord| axis_height(&axis, [c.x, c.y]);
                let under: Vec<Vec<Point3>> = inside.iter().map(|l| l.coords().map(|c| [c.x, c.y, height(c)]).collect()).collect();
                let length = |l: &geo::LineString| l.lines().map(|s| s.dx().hypot(s.dy())).sum::<f64>();
                let order = match (p.year_built, buildings[b].year) {
                    (Some(p), Some(b)) if p < b => Order::PipeFirst,
                    (Some(p), Some(b)) if p > b => Order::BuildingFirst,
                    (Some(_), Some(_)) => Order::SameYear,
                    _ => Order::Unknown,
                };
                let (pipe, building, half_width_m) = (n as u32, b as u32, *half_width);
                let length_m = inside.iter().map(length).sum();
                out.push(Encroachment { pipe, building, kind, area_m2, length_m, under, half_width_m, order, rule: rule.clone() });
                break;
            }
        }
        out
    };
    use rayon::prelude::*;
    let mut out: Vec<Encroachment> = pipes.par_iter().enumerate().flat_map_iter(one).collect();
    let rank = |k: &str| ["occupied", "protection", "control"].iter().position(|x| *x == k);
    out.sort_by(|a, b| {
        rank(a.kind).cmp(&rank(b.kind)).then(b.area_m2.total_cmp(&a.area_m2)).then((a.pipe, a.building).cmp(&(b.pipe, b.building)))
    });
    out
}

/// Height of an axis at the place nearest in plan.
fn axis_height(axis: &[Point3], p: [f64; 2]) -> f64 {
    let here = [p[0], p[1], 0.0];
    let at = |w: &[Point3]| {
        let (d, _, t) = crate::clearance::nearest_in_plan([here, here], [w[0], w[1]]);
        (d, w[0][2] + (w[1][2] - w[0][2]) * t)
    };
    axis.windows(2).map(at).min_by(|a, b| a.0.total_cmp(&b.0)).map_or(f64::NAN, |x| x.1)
}

pub const ENCROACH: Analysis = Analysis {
    id: "encroach",
    title_en: "Encroachment and protection zones",
    title_zh: "占压与保护范围监测",
    about: "Building footprints over pipes and in the protection and control zones of gas pipes (GB 55009-2021): area, length under the building, the years of both and which came first; buildings to come within a horizon too.",
    inputs: r#"{"type":"object","properties":{
        "area":{"description":"Polygon; the whole city when absent","format":"geojson-geometry","type":"object"},
        "pipes":{"description":"Only these pipes (ids)","type":"array","items":{"type":"string"}},
        "margin_m":{"description":"Widens the outline of every pipe","type":"number","default":0,"maximum":20},
        "horizon_years":{"description":"Buildings that begin within so many years too","type":"number","default":3,"maximum":30},
        "zones":{"description":"Watch the zones of gas","type":"boolean","default":true},
        "limit":{"type":"integer","default":1000,"maximum":100000}}}"#,
    outputs: r#"{"type":"object","properties":{
        "faults":{"description":"Pipes built over and buildings inside protection zones","type":"integer"},
        "counts":{"description":"By kind: occupied, protection, control","type":"object"},
        "area_m2":{"description":"Built over pipes","type":"number"},
        "findings":{"description":"kind, pipe, building, area_m2, length_m, under, order, pipe_year, building_year, to_come, rule","type":"array"},
        "checked":{"type":"integer"},"more":{"type":"integer"}}}"#,
    run,
};

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let margin = number(inputs, "margin_m", 0.0, 0.0, 20.0)?;
    let horizon = number(inputs, "horizon_years", 3.0, 0.0, 30.0)?;
    let limit = number(inputs, "limit", 1000.0, 0.0, 100_000.0)? as usize;
    let zones = inputs.get("zones").and_then(Value::as_bool).unwrap_or(true);
    let pipes = selected(view, inputs)?;
    let window = Area::new(inputs)?.window().map(|w| w.grown(60.0));
    let houses = buildings(view, window, horizon)?;
    let mut found = encroachments(&pipes, &houses, margin);
    found.retain(|e| zones || e.kind == "occupied");
    let count = |k: &str| found.iter().filter(|e| e.kind == k).count();
    let json_of = |e: &Encroachment| {
        let (p, b) = (&pipes[e.pipe as usize], &houses[e.building as usize]);
        let mut out = json!({
            "kind": e.kind, "pipe": pipe_json(p), "building": { "layer": b.layer, "id": b.id, "name": b.name },
            "area_m2": (e.area_m2 * 100.0).round() / 100.0, "length_m": shown(e.length_m), "half_width_m": shown(e.half_width_m),
            "under": e.under.iter().map(|l| line_json(l)).collect::<Vec<_>>(), "order": e.order,
            "pipe_year": p.year_built, "building_year": b.year, "to_come": b.to_come, "rule": e.rule,
        });
        if e.kind != "occupied" {
            out["pressure_known"] = p.pressure.is_some().into();
        }
        out
    };
    Ok(json!({
        "faults": count("occupied") + count("protection"),
        "counts": { "occupied": count("occupied"), "protection": count("protection"), "control": count("control") },
        "area_m2": (found.iter().filter(|e| e.kind == "occupied").map(|e| e.area_m2).fold(0.0, |a, b| a + b) * 10.0).round() / 10.0,
        "findings": found.iter().take(limit).map(json_of).collect::<Vec<_>>(),
        "checked": pipes.len(), "more": found.len().saturating_sub(limit),
        "gas": pipes.iter().filter(|p| p.class == Class::Rq).count(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand::{district, round};

    fn house(year: Option<i64>, e: f64, n: f64) -> Footprint {
        Footprint {
            layer: LayerId::new("buildings").unwrap(),
            id: "b".into(),
            name: None,
            year,
            to_come: false,
            areas: vec![vec![vec![[e, n], [e + 10.0, n], [e + 10.0, n + 8.0], [e, n + 8.0], [e, n]]]],
        }
    }

    #[test]
    fn areas_lengths_and_order_by_hand() {
        let (e, n) = (445_000.0, 4_860_000.0);
        let mut water = round("w", Class::Js, 500.0, &[[e - 20.0, n + 4.0, 5.0], [e + 30.0, n + 4.0, 7.0]]);
        water.year_built = Some(1990);
        let f = encroachments(&[water.clone()], &[house(Some(2005), e, n)], 0.0);
        assert_eq!((f.len(), f[0].kind, f[0].order), (1, "occupied", Order::PipeFirst));
        assert!((f[0].area_m2 - 10.0 * 0.5).abs() < 1e-3 && (f[0].length_m - 10.0).abs() < 1e-3);
        assert!((f[0].under[0][0][2] - 5.8).abs() < 1e-3, "height of the axis under the wall");
        // Along the wall: half of the pipe with a margin of 0.5 m lies under it.
        water.axis.iter_mut().for_each(|a| a[1] = n);
        let f = encroachments(&[water], &[house(None, e, n)], 0.5);
        assert!((f[0].area_m2 - 7.5).abs() < 1e-3 && f[0].order == Order::Unknown);
    }

    #[test]
    fn zones_of_gas_by_pressure() {
        let gas = |north: f64, pressure: &str| {
            let mut g = round("g", Class::Rq, 200.0, &[[-20.0, north, 0.0], [30.0, north, 0.0]]);
            g.pressure = Some(pressure.into());
            g
        };
        let kind = |g: Pipe| encroachments(&[g], &[house(Some(2000), 0.0, 0.0)], 0.0).first().map(|e| e.kind);
        assert_eq!(kind(gas(-0.5, "中压A")), Some("protection")); // 0.4 m, zone 0.5
        assert_eq!(kind(gas(-1.0, "中压A")), Some("control"));
        assert_eq!(kind(gas(-1.0, "次高压B")), Some("protection")); // 0.9 m, zone 1.5
        assert_eq!(kind(gas(-5.5, "中压A")), None);
        assert_eq!(kind(round("w", Class::Js, 200.0, &[[-20.0, -0.5, 0.0], [30.0, -0.5, 0.0]])), None);
    }

    #[test]
    fn nothing_sound_is_accused_and_bad_pipes_are_passed_over() {
        let nan = round("n", Class::Js, 200.0, &[[-20.0, 4.0, f64::NAN], [30.0, 4.0, 0.0]]);
        assert!(encroachments(&[nan], &[house(None, 0.0, 0.0)], 0.0).is_empty());
        // Every pipe of the district whose axis meets a footprint, by a double loop over boxes and another library's test.
        let city = district();
        let pipes = crate::pipe::pipes(&city.view(), None).unwrap();
        let houses = buildings(&city.view(), None, 0.0).unwrap();
        let found = encroachments(&pipes, &houses, 0.0);
        let boxed = |points: &mut dyn Iterator<Item = [f64; 2]>| {
            let mut b = Bounds2::EMPTY;
            points.for_each(|p| b.extend(p));
            b
        };
        let of: Vec<Bounds2> = houses.iter().map(|h| boxed(&mut h.areas.iter().flatten().flatten().copied())).collect();
        let mut wanted = Vec::new();
        for (i, p) in pipes.iter().enumerate() {
            let b = boxed(&mut p.axis.iter().map(|a| [a[0], a[1]]));
            for (k, _) in of.iter().enumerate().filter(|(_, h)| h.intersects(&b)) {
                let o = [b.min[0], b.min[1]];
                let line = geo::LineString::from(p.axis.iter().map(|a| (a[0] - o[0], a[1] - o[1])).collect::<Vec<_>>());
                if houses[k].areas.iter().any(|a| geo::Intersects::intersects(&geo_area(a, o), &line)) {
                    wanted.push((i as u32, k as u32));
                }
            }
        }
        let mut told: Vec<(u32, u32)> =
            found.iter().filter(|e| e.kind == "occupied" && e.length_m > 0.0).map(|e| (e.pipe, e.building)).collect();
        told.sort_unstable();
        assert_eq!(told, wanted);
        assert!(wanted.len() > 5);
        let answer = (ENCROACH.run)(&city.view(), &json!({ "limit": 5, "horizon_years": 0 })).unwrap();
        assert_eq!(answer["counts"]["occupied"].as_u64(), Some(found.iter().filter(|e| e.kind == "occupied").count() as u64));
        assert!(answer["gas"].as_u64() > Some(3_000) && answer["findings"].as_array().map(Vec::len) == Some(5));
    }
}
