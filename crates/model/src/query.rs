use crate::{Bounds2, Bounds3, Classification, Filter, Interval, Layer, LayerId, Version};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the asker may see. Every query carries one; there is no query without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// The highest classification shown.
    pub clearance: Classification,
    /// Only these layers; `None`: every layer up to the clearance.
    pub layers: Option<BTreeSet<LayerId>>,
    /// Only features that meet one of these plan boxes (working frame); `None`: everywhere.
    pub districts: Option<Vec<Bounds2>>,
    /// Attribute names never shown and never to be filtered or sorted by.
    pub hidden_attributes: BTreeSet<String>,
}

impl Scope {
    /// All there is: for the city's own keeper and for tests.
    pub fn everything() -> Self {
        Self { clearance: Classification::Secret, layers: None, districts: None, hidden_attributes: BTreeSet::new() }
    }
    /// Least access: public layers and attributes only.
    pub fn public() -> Self {
        Self { clearance: Classification::Public, ..Self::everything() }
    }
    pub fn sees_layer(&self, layer: &Layer) -> bool {
        layer.classification <= self.clearance && self.layers.as_ref().is_none_or(|l| l.contains(&layer.id))
    }
    pub fn sees_attribute(&self, layer: &Layer, name: &str) -> bool {
        layer.field(name).is_some_and(|f| f.classification <= self.clearance) && !self.hidden_attributes.contains(name)
    }
    /// Short stable text for cache keys: two scopes with the same text see the same.
    pub fn cache_key(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// One question to a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub layer: LayerId,
    /// Working frame; a feature is taken when its own box meets it. `None`: everywhere.
    pub bounds: Option<Bounds3>,
    /// Valid time: features whose interval overlaps it. An instant is `[t, t + 1 ms)`. `None`: all times.
    pub valid: Option<Interval>,
    /// Record time; `None`: the snapshot's newest version.
    pub version: Option<Version>,
    pub filter: Option<Filter>,
    /// Only these attributes are read and given, in the layer's order; names that are not there say nothing, and the
    /// filter may name others. `None`: all that the scope shows.
    pub attributes: Option<Vec<String>>,
    pub scope: Scope,
    /// At most so many features, in index order.
    pub limit: Option<usize>,
    /// Skip so many hits first (paging inside one snapshot, whose order is fixed).
    pub offset: usize,
}

impl Query {
    pub fn all(layer: LayerId, scope: Scope) -> Self {
        Self { layer, bounds: None, valid: None, version: None, filter: None, attributes: None, scope, limit: None, offset: 0 }
    }
    pub fn within(mut self, bounds: Bounds3) -> Self {
        self.bounds = Some(bounds);
        self
    }
    pub fn during(mut self, valid: Interval) -> Self {
        self.valid = Some(valid);
        self
    }
    pub fn at(mut self, instant: crate::Instant) -> Self {
        self.valid = Some(Interval { from: instant, to: crate::Instant(instant.0.saturating_add(1)) });
        self
    }
    pub fn matching(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }
}
