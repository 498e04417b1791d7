//! What the analyses of this room read and write in the same way.

use crate::{
    pipe::{Pipe, pipes},
    rules::{Need, Verdict},
    statistics::{bounds, polygon},
};
use geo::{Contains, Intersects};
use serde_json::{Value, json};
use strata_engine::{AnalysisError, EngineError, View};
use strata_model::{Bounds2, FeatureId, Point3, Theme};

/// An area of the inputs; none: everywhere.
pub(crate) struct Area(Option<(geo::Polygon, Bounds2)>);

impl Area {
    pub fn new(inputs: &Value) -> Result<Self, AnalysisError> {
        let p = inputs.get("area").filter(|v| !v.is_null()).map(|v| polygon(v, "/area")).transpose()?;
        Ok(Self(p.map(|p| (p.clone(), bounds(&p)))))
    }
    pub fn window(&self) -> Option<Bounds2> {
        self.0.as_ref().map(|a| a.1)
    }
    pub fn holds(&self, p: Point3) -> bool {
        self.0.as_ref().is_none_or(|(area, b)| b.contains([p[0], p[1]]) && area.contains(&geo::Point::new(p[0], p[1])))
    }
    pub fn meets(&self, axis: &[Point3]) -> bool {
        let line = || geo::LineString::from(axis.iter().map(|p| (p[0], p[1])).collect::<Vec<_>>());
        self.0.as_ref().is_none_or(|(area, _)| area.intersects(&line()))
    }
}

/// The `pipes` of the inputs: a list of ids.
pub(crate) fn ids<'a>(inputs: &'a Value, name: &str) -> Result<Option<Vec<&'a str>>, AnalysisError> {
    let Some(v) = inputs.get(name).filter(|v| !v.is_null()) else { return Ok(None) };
    let list: Option<Vec<&str>> = v.as_array().and_then(|a| a.iter().map(Value::as_str).collect());
    let list = list.ok_or_else(|| AnalysisError::input(format!("/{name}"), "a list of ids is wanted"))?;
    if list.is_empty() {
        return Err(AnalysisError::input(format!("/{name}"), "the list is empty"));
    }
    Ok(Some(list))
}

/// Pipes by their ids, in that order, at the view's moment. What is not there, not yet, or not for the asker is missing.
pub(crate) fn pipes_by_ids(view: &View, ids: &[&str]) -> Result<Vec<Pipe>, AnalysisError> {
    let layers: Vec<_> = view.snapshot.layers(view.scope).into_iter().filter(|l| l.theme == Theme::Pipe).collect();
    let mut out = Vec::new();
    for id in ids {
        let before = out.len();
        for layer in &layers {
            let found = view.snapshot.get(&layer.id, &FeatureId::from(*id), None, view.scope)?;
            out.extend(found.filter(|f| f.valid.contains(view.at)).iter().flat_map(|f| Pipe::from_feature(layer, f)));
        }
        if out.len() == before {
            return Err(AnalysisError::missing(format!("pipe {}", id.chars().take(80).collect::<String>())));
        }
    }
    Ok(out)
}

/// Pipes by `pipes` (ids) or `area`; all without either.
pub(crate) fn selected(view: &View, inputs: &Value) -> Result<Vec<Pipe>, AnalysisError> {
    if let Some(ids) = ids(inputs, "pipes")? {
        return pipes_by_ids(view, &ids);
    }
    let area = Area::new(inputs)?;
    let mut all = pipes(view, area.window().map(|w| w.with_all_heights()))?;
    all.retain(|p| area.meets(&p.axis));
    Ok(all)
}

/// Pipes around a box in plan.
pub(crate) fn around(view: &View, b: Bounds2, metres: f64) -> Result<Vec<Pipe>, EngineError> {
    if b.is_empty() { Ok(Vec::new()) } else { pipes(view, Some(b.grown(metres).with_all_heights())) }
}

pub(crate) fn plan_bounds<'a>(axes: impl Iterator<Item = &'a [Point3]>) -> Bounds2 {
    let mut b = Bounds2::EMPTY;
    axes.flatten().for_each(|p| b.extend([p[0], p[1]]));
    b
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

/// A GeoJSON LineString of the inputs: positions with or without height (then not a number).
pub(crate) fn line_input(inputs: &Value, name: &str) -> Result<Vec<Point3>, AnalysisError> {
    let bad = |reason: &str| AnalysisError::input(format!("/{name}"), reason);
    let v = &inputs[name];
    if v["type"] != "LineString" {
        return Err(bad("a GeoJSON LineString is wanted"));
    }
    let position = |p: &Value| Some([p.get(0)?.as_f64()?, p.get(1)?.as_f64()?, p.get(2).map_or(Some(f64::NAN), Value::as_f64)?]);
    let line: Option<Vec<Point3>> = v["coordinates"].as_array().and_then(|a| a.iter().map(position).collect());
    let mut line = line
        .filter(|l| l.iter().all(|p| p[0].is_finite() && p[1].is_finite()))
        .ok_or_else(|| bad("a position has two or three numbers"))?;
    line.dedup_by(|a, b| (a[0] - b[0]).hypot(a[1] - b[1]) < 1e-6);
    if line.len() < 2 {
        return Err(bad("it has fewer than two different points"));
    }
    Ok(line)
}

/// A GeoJSON Point of the inputs, in plan.
pub(crate) fn point_input(inputs: &Value, name: &str) -> Result<Option<[f64; 2]>, AnalysisError> {
    let Some(v) = inputs.get(name).filter(|v| !v.is_null()) else { return Ok(None) };
    let number = |k: usize| v["coordinates"].get(k).and_then(Value::as_f64).filter(|x| x.is_finite());
    match (v["type"] == "Point", number(0), number(1)) {
        (true, Some(e), Some(n)) => Ok(Some([e, n])),
        _ => Err(AnalysisError::input(format!("/{name}"), "a GeoJSON Point is wanted")),
    }
}

pub(crate) fn text(v: impl serde::Serialize) -> String {
    serde_json::to_value(v).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Millimetres are what a survey knows.
pub(crate) fn shown(m: f64) -> f64 {
    (m * 1e3).round() / 1e3
}

pub(crate) fn line_json(points: &[Point3]) -> Value {
    json!({ "type": "LineString", "coordinates": points })
}

pub(crate) fn point_json(p: Point3) -> Value {
    json!({ "type": "Point", "coordinates": p })
}

/// A pipe as findings name it.
pub(crate) fn pipe_json(p: &Pipe) -> Value {
    json!({
        "layer": p.layer, "id": p.id, "class": p.class, "subclass": p.subclass, "dn_mm": p.dn_mm, "material": p.material,
        "owner": p.owner, "road": p.road,
    })
}

/// What was asked and by which rule, into a finding.
pub(crate) fn put_need(out: &mut Value, need: Option<&Need>) {
    let Some(n) = need else {
        out["rule"] = Value::Null;
        return;
    };
    out["required_m"] = shown(n.most_m).into();
    if n.least_m < n.most_m {
        out["required_least_m"] = n.least_m.into();
    }
    if let Some(p) = n.plate_m {
        out["with_plate_m"] = p.into();
    }
    out["rule"] = json!(n.rule);
}

pub(crate) fn counts(verdicts: impl Iterator<Item = Verdict>) -> (Value, u64) {
    let mut out = serde_json::Map::new();
    let mut faults = 0;
    for v in verdicts {
        faults += u64::from(v.is_fault());
        let n = out.entry(text(v)).or_insert(0.into());
        *n = (n.as_u64().unwrap_or(0) + 1).into();
    }
    (out.into(), faults)
}
