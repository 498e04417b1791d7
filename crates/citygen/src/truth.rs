//! What was made, for those who check it.

use crate::{CitygenError, pipes::Network};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};
use strata_model::{Bounds2, Feature, Geometry, Interval, Layer, Value};

/// Takes features one by one; an error ends the making.
pub type Sink<'a> = dyn FnMut(&Arc<Layer>, Feature) -> Result<(), String> + 'a;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    pub seed: u64,
    /// `district`, `city` or `features`.
    pub size: String,
    /// In the working frame. For `features` beyond one city: around all of its plans.
    pub bounds: Bounds2,
    /// Of all layers.
    pub features: u64,
    /// Features by layer.
    pub counts: BTreeMap<String, u64>,
    /// Features by layer and by its classifying attribute; pipes and points by class and subclass.
    pub classes: BTreeMap<String, BTreeMap<String, u64>>,
    pub networks: Vec<NetworkTruth>,
}

/// One network, as the generator knows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetworkTruth {
    pub class: String,
    pub subclass: String,
    /// With what the numbers of its points begin.
    pub letters: String,
    pub points: u64,
    pub pipes: u64,
    pub length_m: f64,
    /// Parts that no pipe joins.
    pub components: u64,
    /// Depth of the lowest invert or axis under the ground.
    pub deepest_m: f64,
    /// Points at which drains end.
    pub outfalls: Vec<String>,
    /// Points at which a pressure network is fed.
    pub sources: Vec<String>,
}

impl Truth {
    pub(crate) fn new(seed: u64, size: &str, layers: &[Arc<Layer>]) -> Self {
        Self {
            seed,
            size: size.into(),
            bounds: Bounds2::EMPTY,
            features: 0,
            counts: layers.iter().map(|l| (l.id.to_string(), 0)).collect(),
            classes: BTreeMap::new(),
            networks: Vec::new(),
        }
    }
    pub(crate) fn enclose(&mut self, b: &Bounds2) {
        self.bounds.extend(b.min);
        self.bounds.extend(b.max);
    }
}

impl NetworkTruth {
    pub(crate) fn new(n: &Network, prefix: &str) -> Self {
        let mut parent: Vec<u32> = (0..n.points.len() as u32).collect();
        fn root(parent: &mut [u32], mut i: u32) -> u32 {
            while parent[i as usize] != i {
                parent[i as usize] = parent[parent[i as usize] as usize];
                i = parent[i as usize];
            }
            i
        }
        let (mut length_m, mut deepest_m, mut components) = (0.0, 0.0f64, n.points.len() as u64);
        for p in &n.pipes {
            let (a, b) = (&n.points[p.from], &n.points[p.to]);
            length_m += (a.at[0] - b.at[0]).hypot(a.at[1] - b.at[1]);
            let low = p.invert_m.unwrap_or_else(|| n.axis_m(p));
            deepest_m = deepest_m.max(a.ground_m - low[0]).max(b.ground_m - low[1]);
            let (a, b) = (root(&mut parent, p.from as u32), root(&mut parent, p.to as u32));
            if a != b {
                parent[a as usize] = b;
                components -= 1;
            }
        }
        let named = |kind: &str| n.points.iter().filter(|p| p.kind == kind).map(|p| format!("{prefix}{}", p.id)).collect();
        Self {
            class: n.kind.class.into(),
            subclass: n.kind.subclass.into(),
            letters: format!("{prefix}{}", n.kind.letters),
            points: n.points.len() as u64,
            pipes: n.pipes.len() as u64,
            length_m,
            components,
            deepest_m,
            outfalls: named("outfall"),
            sources: named("source"),
        }
    }
}

/// Counts what passes on its way to the sink.
pub(crate) struct Tally<'a> {
    sink: &'a mut Sink<'a>,
    pub truth: &'a mut Truth,
    /// Put before every id, so that several plans can stand in one city.
    pub prefix: &'a str,
}

impl<'a> Tally<'a> {
    pub fn new(sink: &'a mut Sink<'a>, truth: &'a mut Truth, prefix: &'a str) -> Self {
        Self { sink, truth, prefix }
    }
    pub fn put(
        &mut self,
        layer: &Arc<Layer>,
        id: &str,
        geometry: Geometry,
        valid: Interval,
        attributes: Vec<Value>,
    ) -> Result<(), CitygenError> {
        self.truth.features += 1;
        let id_of_layer = layer.id.as_str();
        count(&mut self.truth.counts, id_of_layer);
        if let Some(class) = class(layer, &attributes) {
            if !self.truth.classes.contains_key(id_of_layer) {
                self.truth.classes.insert(id_of_layer.into(), BTreeMap::new());
            }
            if let Some(classes) = self.truth.classes.get_mut(id_of_layer) {
                count(classes, &class);
            }
        }
        let feature = Feature { id: format!("{}{id}", self.prefix).as_str().into(), geometry, valid, attributes };
        (self.sink)(layer, feature).map_err(CitygenError::Sink)
    }
}

fn count(counts: &mut BTreeMap<String, u64>, key: &str) {
    match counts.get_mut(key) {
        Some(n) => *n += 1,
        None => drop(counts.insert(key.into(), 1)),
    }
}

/// The value of the attribute by which people divide the layer.
fn class(layer: &Layer, values: &[Value]) -> Option<String> {
    let text = |name: &str| {
        let i = layer.fields.iter().position(|f| f.name == name)?;
        match values.get(i) {
            Some(Value::Text(t)) => Some(t.to_string()),
            _ => None,
        }
    };
    match layer.id.as_str() {
        "pipes" | "pipe_points" => Some(format!("{}/{}", text("class")?, text("subclass")?)),
        "roads" => text("class"),
        "buildings" => text("use"),
        "parcels" => text("land_use"),
        "trees" => text("species"),
        _ => text("kind"),
    }
}
