//! 统计: how much of what lies in the city or in an area, by any attribute.

use crate::pipe::Pipe;
use geo::{Area, BooleanOps, Contains, Intersects};
use serde_json::{Value, json};
use std::{collections::BTreeMap, ops::ControlFlow};
use strata_engine::{Analysis, AnalysisError, View};
use strata_model::{Bounds2, Point3, Query, Theme};

pub const STATISTICS: Analysis = Analysis {
    id: "statistics",
    title_en: "Statistics of pipes",
    title_zh: "管线统计",
    about: "Length in plan and number of pipes by one attribute, in the whole city or inside an area; a pipe that leaves the area counts with the part inside.",
    inputs: r#"{"type":"object","properties":{
        "area":{"description":"Polygon; the whole city when absent","format":"geojson-geometry","type":"object"},
        "by":{"description":"Attribute of the pipes to group by; `decade` groups by the decade of `year_built`","type":"string","default":"class"}}}"#,
    outputs: r#"{"type":"object","properties":{
        "groups":{"description":"By descending length: value (null: not known), pipes, length_m","type":"array"},
        "pipes":{"type":"integer"},"length_m":{"type":"number"}}}"#,
    run,
};

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let by = inputs.get("by").map_or(Some("class"), Value::as_str);
    let by = by.ok_or_else(|| AnalysisError::input("/by", "the name of an attribute is wanted"))?;
    let area = inputs.get("area").filter(|v| !v.is_null()).map(|v| polygon(v, "/area")).transpose()?;
    let mut groups: BTreeMap<String, (Value, u64, f64)> = BTreeMap::new();
    let mut known = false;
    let mut layers = 0;
    for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| l.theme == Theme::Pipe) {
        layers += 1;
        let name = if by == "decade" { "year_built" } else { by };
        let Some(field) = layer.field_index(name) else { continue };
        known = true;
        let mut q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at);
        if let Some(a) = &area {
            q = q.within(bounds(a).with_all_heights());
        }
        view.snapshot.for_each(&q, &mut |f| {
            let mut value = serde_json::to_value(&f.attributes[field]).unwrap_or(Value::Null);
            if by == "decade" {
                value = value.as_i64().map_or(Value::Null, |y| (y.div_euclid(10) * 10).into());
            }
            let length: f64 = Pipe::from_feature(&layer, &f).iter().map(|p| length_inside(&p.axis, area.as_ref())).sum();
            if length > 0.0 {
                let group = groups.entry(value.to_string()).or_insert((value, 0, 0.0));
                group.1 += 1;
                group.2 += length;
            }
            ControlFlow::Continue(())
        })?;
    }
    if layers > 0 && !known {
        return Err(AnalysisError::input("/by", "no pipe layer has such an attribute"));
    }
    let mut rows: Vec<_> = groups.into_values().collect();
    rows.sort_by(|a, b| b.2.total_cmp(&a.2));
    let total = rows.iter().fold((0, 0.0), |t, r| (t.0 + r.1, t.1 + r.2));
    let groups: Vec<Value> = rows.into_iter().map(|(v, n, m)| json!({ "value": v, "pipes": n, "length_m": round(m) })).collect();
    Ok(json!({ "groups": groups, "pipes": total.0, "length_m": round(total.1) }))
}

fn round(m: f64) -> f64 {
    (m * 1e3).round() / 1e3
}

/// Length in plan of the part inside, m.
fn length_inside(axis: &[Point3], area: Option<&geo::Polygon>) -> f64 {
    let line = geo::LineString::from(axis.iter().map(|p| (p[0], p[1])).collect::<Vec<_>>());
    let length = |l: &geo::LineString| l.lines().map(|s| (s.dx().powi(2) + s.dy().powi(2)).sqrt()).sum::<f64>();
    match area {
        None => length(&line),
        Some(a) if a.contains(&line) => length(&line),
        Some(a) if !a.intersects(&line) => 0.0,
        Some(a) => a.clip(&geo::MultiLineString::new(vec![line]), false).iter().map(length).sum(),
    }
}

/// A GeoJSON Polygon in the working frame, heights dropped.
pub(crate) fn polygon(v: &Value, pointer: &str) -> Result<geo::Polygon, AnalysisError> {
    let bad = |reason: &str| AnalysisError::input(pointer, reason);
    if v["type"] != "Polygon" {
        return Err(bad("a GeoJSON Polygon is wanted"));
    }
    let ring = |r: &Value| -> Option<geo::LineString> {
        let points: Option<Vec<(f64, f64)>> = r.as_array()?.iter().map(|p| Some((p.get(0)?.as_f64()?, p.get(1)?.as_f64()?))).collect();
        points.filter(|p| p.len() >= 4 && p.iter().all(|p| p.0.is_finite() && p.1.is_finite())).map(geo::LineString::from)
    };
    let rings: Option<Vec<_>> = v["coordinates"].as_array().and_then(|rings| rings.iter().map(ring).collect());
    let mut rings = rings.filter(|r| !r.is_empty()).ok_or_else(|| bad("every ring has four positions or more"))?.into_iter();
    let shell = rings.next().ok_or_else(|| bad("it is empty"))?;
    let out = geo::Polygon::new(shell, rings.collect());
    if out.unsigned_area() < 1e-6 {
        return Err(bad("it has no area"));
    }
    Ok(out)
}

pub(crate) fn bounds(p: &geo::Polygon) -> Bounds2 {
    let mut out = Bounds2::EMPTY;
    p.exterior().coords().for_each(|c| out.extend([c.x, c.y]));
    out
}
