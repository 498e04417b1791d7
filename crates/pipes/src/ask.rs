//! Inputs of the network's analyses as they are asked, and pieces of their answers.

use crate::{
    joining::{Joining, nearest},
    network::{Network, PointKind},
    pipe::Class,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use strata_engine::{AnalysisError, View};
use strata_model::{Feature, FeatureId, Layer, Point3, Theme};

/// How far from a pipe a place may be pointed at, m.
const POINTING_M: f64 = 25.0;
/// Objects listed with their geometry, unless asked otherwise; totals count all.
const LISTED: usize = 5_000;

/// A place on the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Spot {
    Node(u32),
    /// An edge and the place on it.
    Edge(u32, Point3),
}

pub(crate) fn text<'a>(inputs: &'a Value, name: &str) -> Result<Option<&'a str>, AnalysisError> {
    match inputs.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(t)) => Ok(Some(t)),
        Some(_) => Err(AnalysisError::input(format!("/{name}"), "a text is wanted")),
    }
}

pub(crate) fn flag(inputs: &Value, name: &str) -> Result<bool, AnalysisError> {
    match inputs.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(b)) => Ok(*b),
        Some(_) => Err(AnalysisError::input(format!("/{name}"), "true or false is wanted")),
    }
}

/// A finite number inside the range; `None` when it is not given.
pub(crate) fn number(inputs: &Value, name: &str, range: std::ops::RangeInclusive<f64>) -> Result<Option<f64>, AnalysisError> {
    let Some(v) = inputs.get(name).filter(|v| !v.is_null()) else { return Ok(None) };
    match v.as_f64().filter(|n| range.contains(n)) {
        Some(n) => Ok(Some(n)),
        None => Err(AnalysisError::input(format!("/{name}"), format!("a number from {} to {} is wanted", range.start(), range.end()))),
    }
}

pub(crate) fn listed(inputs: &Value) -> Result<usize, AnalysisError> {
    Ok(number(inputs, "limit", 0.0..=1e6)?.map_or(LISTED, |n| n as usize))
}

/// A list of ids; one text counts as a list of one.
pub(crate) fn ids(inputs: &Value, name: &str) -> Result<Vec<String>, AnalysisError> {
    let bad = || AnalysisError::input(format!("/{name}"), "a list of ids is wanted");
    match inputs.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(t)) => Ok(vec![t.clone()]),
        Some(Value::Array(list)) => list.iter().map(|v| v.as_str().map(str::to_owned).ok_or_else(bad)).collect(),
        Some(_) => Err(bad()),
    }
}

/// Nodes of a list of point numbers.
pub(crate) fn nodes(net: &Network, inputs: &Value, name: &str) -> Result<HashSet<u32>, AnalysisError> {
    let named = ids(inputs, name)?;
    named.iter().map(|id| net.node_of(id).ok_or_else(|| AnalysisError::missing(format!("{} point `{id}`", net.class.letters())))).collect()
}

/// What the question is about: the class asked for, else that of the first id named.
pub(crate) fn joining(view: &View, inputs: &Value, places: &[&str]) -> Result<Joining, AnalysisError> {
    let mut joining = match text(inputs, "class")? {
        Some(word) => {
            let class = Class::parse(word);
            if class == Class::Qt && !word.eq_ignore_ascii_case("QT") {
                return Err(AnalysisError::input("/class", "one of JS, PS, RQ, RL, DL, TX, GY, QT is wanted"));
            }
            Joining::of(class)
        }
        None => {
            let mut of = None;
            for name in places {
                if let Some(Value::String(id)) = inputs.get(*name) {
                    let (layer, feature) = find(view, id)?;
                    of = Some(Class::parse(feature.text(&layer, "class").unwrap_or_default()));
                    break;
                }
            }
            Joining::of(of.ok_or_else(|| AnalysisError::input("/class", "the class of pipes is wanted, for no pipe or point is named"))?)
        }
    };
    joining.subclass = text(inputs, "subclass")?.map(str::to_owned);
    joining.abandoned = flag(inputs, "abandoned")?;
    if let Some(m) = number(inputs, "tolerance_m", 0.0..=10.0)? {
        joining.tolerance_m = m;
    }
    if let Some(m) = number(inputs, "height_tolerance_m", 0.0..=100.0)? {
        joining.height_tolerance_m = m;
    }
    Ok(joining)
}

/// A pipe or a point by its id, as it stands at the view's moment.
fn find(view: &View, id: &str) -> Result<(std::sync::Arc<Layer>, Feature), AnalysisError> {
    for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| matches!(l.theme, Theme::Pipe | Theme::PipePoint)) {
        let feature = view.snapshot.get(&layer.id, &FeatureId::from(id), None, view.scope)?;
        if let Some(f) = feature.filter(|f| f.valid.contains(view.at)) {
            return Ok((layer, f));
        }
    }
    Err(AnalysisError::missing(format!("pipe or point `{id}`")))
}

/// A point number, a pipe's id (its middle), or a GeoJSON Point near a pipe.
pub(crate) fn spot(net: &Network, inputs: &Value, name: &str) -> Result<Option<Spot>, AnalysisError> {
    let bad = |reason: &str| AnalysisError::input(format!("/{name}"), reason);
    match inputs.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => {
            if let Some(n) = net.node_of(id) {
                return Ok(Some(Spot::Node(n)));
            }
            let edges = net.edges_of(id).filter(|r| !r.is_empty());
            let edges = edges.ok_or_else(|| AnalysisError::missing(format!("{} pipe or point `{id}`", net.class.letters())))?;
            let edge = edges.start + (edges.end - edges.start) / 2;
            Ok(Some(Spot::Edge(edge, middle(net.axis(edge)))))
        }
        Some(v) if v["type"] == "Point" => {
            let xy = v["coordinates"].as_array().and_then(|c| Some([c.first()?.as_f64()?, c.get(1)?.as_f64()?]));
            let [x, y] =
                xy.filter(|p| p.iter().all(|c| c.is_finite())).ok_or_else(|| bad("a position of two numbers or more is wanted"))?;
            let mut best: Option<(f64, u32, Point3)> = None;
            for e in 0..net.edges.len() as u32 {
                for w in net.axis(e).windows(2) {
                    let (share, plan, height) = nearest(w[0], w[1], [x, y, 0.0]);
                    if best.is_none_or(|b| plan < b.0) {
                        let place = [w[0][0] + (w[1][0] - w[0][0]) * share, w[0][1] + (w[1][1] - w[0][1]) * share, height];
                        best = Some((plan, e, place));
                    }
                }
            }
            let (_, edge, place) = best
                .filter(|b| b.0 <= POINTING_M)
                .ok_or_else(|| AnalysisError::missing(format!("a {} pipe within {POINTING_M} m of the place", net.class.letters())))?;
            Ok(Some(Spot::Edge(edge, place)))
        }
        Some(_) => Err(bad("a pipe's or point's id, or a GeoJSON Point is wanted")),
    }
}

/// Half way along a line.
pub(crate) fn middle(line: &[Point3]) -> Point3 {
    let half = crate::network::along(line) / 2.0;
    let mut gone = 0.0;
    for w in line.windows(2) {
        let step = crate::network::along(w);
        if gone + step >= half && step > 0.0 {
            let t = (half - gone) / step;
            return [0, 1, 2].map(|k| w[0][k] + (w[1][k] - w[0][k]) * t);
        }
        gone += step;
    }
    line[0]
}

pub(crate) fn metres(v: f64) -> Value {
    if v.is_finite() { ((v * 1e3).round() / 1e3).into() } else { Value::Null }
}
pub(crate) fn point(at: Point3) -> Value {
    geometry("Point", position(&at))
}
pub(crate) fn line(axis: &[Point3]) -> Value {
    geometry("LineString", axis.iter().map(position).collect())
}
fn position(at: &Point3) -> Value {
    Value::Array(at.iter().map(|v| metres(*v)).collect())
}
fn geometry(kind: &str, coordinates: Value) -> Value {
    let mut out = Map::new();
    out.insert("type".into(), kind.into());
    // Moved, where `json!` would copy each number.
    out.insert("coordinates".into(), coordinates);
    out.into()
}

/// A node as an answer lists it.
pub(crate) fn node(net: &Network, n: u32) -> Map<String, Value> {
    let node = &net.nodes[n as usize];
    let mut out = Map::new();
    out.insert("id".into(), node.id.as_ref().map_or(Value::Null, |id| id.as_str().into()));
    out.insert("kind".into(), node.kind.word().into());
    out.insert("geometry".into(), point(node.at));
    out
}

/// How many nodes of each kind; places without a point are not counted.
pub(crate) fn kinds(net: &Network, nodes: impl Iterator<Item = u32>) -> BTreeMap<&'static str, usize> {
    let mut count = BTreeMap::new();
    for k in nodes.map(|n| net.kind(n)).filter(|k| *k != PointKind::None) {
        *count.entry(k.word()).or_default() += 1;
    }
    count
}
