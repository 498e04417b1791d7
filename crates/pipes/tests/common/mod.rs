//! The synthetic district in an engine, and small hand-made cities.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod graph;

use serde_json::Value as Json;
use std::{collections::BTreeMap, sync::Arc};
use strata_citygen::District;
use strata_engine::{Analysis, AnalysisError, Engine, Snapshot, View};
use strata_model::*;

/// Layers with their features.
pub type Layers = Vec<(Arc<Layer>, Vec<Feature>)>;

pub struct City {
    pub snapshot: Snapshot,
    _dir: tempfile::TempDir,
}

impl City {
    pub fn of(layers: &[(Arc<Layer>, Vec<Feature>)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path()).unwrap();
        let mut changes = Vec::new();
        for (layer, features) in layers {
            engine.declare(layer.clone());
            changes.extend(features.iter().map(|f| (layer.id.clone(), Change::Put(f.clone()))));
        }
        engine.apply(Version(1), &changes).unwrap();
        Self { snapshot: engine.snapshot(), _dir: dir }
    }
    /// Pipes, points and buildings of the generator's district.
    pub fn district(seed: u64) -> (Self, Layers) {
        let mut layers: BTreeMap<String, (Arc<Layer>, Vec<Feature>)> = BTreeMap::new();
        District::new(seed)
            .unwrap()
            .generate(&mut |l, f| {
                if matches!(l.id.as_str(), "pipes" | "pipe_points" | "buildings") {
                    layers.entry(l.id.to_string()).or_insert_with(|| (l.clone(), Vec::new())).1.push(f);
                }
                Ok(())
            })
            .unwrap();
        let layers: Vec<_> = layers.into_values().collect();
        (Self::of(&layers), layers)
    }
    pub fn ask(&self, analysis: &Analysis, inputs: Json) -> Result<Json, AnalysisError> {
        self.ask_as(analysis, inputs, &Scope::everything())
    }
    pub fn ask_as(&self, analysis: &Analysis, inputs: Json, scope: &Scope) -> Result<Json, AnalysisError> {
        (analysis.run)(&self.view(scope), &inputs)
    }
    pub fn view<'a>(&'a self, scope: &'a Scope) -> View<'a> {
        View { snapshot: &self.snapshot, base: &self.snapshot, scope, at: Instant::from_ymd(2026, 6, 1) }
    }
}

pub fn layer(id: &str, theme: Theme, geometry: GeometryKind, fields: &[(&str, FieldKind)]) -> Arc<Layer> {
    Arc::new(Layer {
        id: LayerId::new(id).unwrap(),
        title_zh: "测试".into(),
        title_en: "Test".into(),
        theme,
        geometry,
        cim_level: 5,
        category: 'B',
        classification: Classification::Internal,
        synthetic: true,
        source: "made by the test".into(),
        fields: fields.iter().map(|(n, k)| Field::new(n, *k, n, n)).collect(),
    })
}

pub fn pipe_layer() -> Arc<Layer> {
    use FieldKind::{Float, Int, Text};
    let fields = [
        ("class", Text),
        ("subclass", Text),
        ("dn_mm", Float),
        ("flow_dir", Int),
        ("start_point", Text),
        ("end_point", Text),
        ("start_invert_m", Float),
        ("end_invert_m", Float),
        ("status", Int),
        ("pressure", Text),
    ];
    layer("pipes", Theme::Pipe, GeometryKind::Line, &fields)
}

pub fn point_layer() -> Arc<Layer> {
    use FieldKind::{Bool, Float, Text};
    let fields = [("class", Text), ("kind", Text), ("appurtenance", Text), ("valve_state", Text), ("operable", Bool), ("ground_m", Float)];
    layer("pipe_points", Theme::PipePoint, GeometryKind::Point, &fields)
}

/// A feature whose attributes are given by name; the rest is null.
pub fn feature(layer: &Layer, id: &str, geometry: Geometry, values: &[(&str, Value)]) -> Feature {
    let mut attributes = vec![Value::Null; layer.fields.len()];
    for (name, value) in values {
        attributes[layer.field_index(name).unwrap_or_else(|| panic!("no field {name}"))] = value.clone();
    }
    Feature { id: id.into(), geometry, valid: Interval::ALWAYS, attributes }
}

/// A city of hand-made pipes: (id, start, end, class, axis) and points (id, class, kind, place).
#[derive(Default)]
pub struct Hand {
    pub pipes: Vec<Feature>,
    pub points: Vec<Feature>,
}

impl Hand {
    pub fn pipe(&mut self, id: &str, class: &str, axis: &[Point3], more: &[(&str, Value)]) -> &mut Self {
        let mut values = vec![("class", Value::from(class))];
        values.extend(more.iter().cloned());
        self.pipes.push(feature(&pipe_layer(), id, Geometry::LineString(axis.to_vec()), &values));
        self
    }
    pub fn point(&mut self, id: &str, class: &str, kind: &str, at: Point3) -> &mut Self {
        self.points.push(feature(&point_layer(), id, Geometry::Point(at), &[("class", class.into()), ("kind", kind.into())]));
        self
    }
    pub fn city(&self) -> City {
        City::of(&[(pipe_layer(), self.pipes.clone()), (point_layer(), self.points.clone())])
    }
}
