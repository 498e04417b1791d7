use crate::{delta::Delta, kept::Kept, segment::Segment};
use std::{collections::BTreeMap, sync::Arc};
use strata_model::{Layer, LayerId, Version};

/// Everything at one version. Cheap to clone: the parts are shared.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub version: Version,
    /// Proposals laid over it; each stands for one version after the record's newest.
    pub overlays: u64,
    pub layers: BTreeMap<LayerId, Arc<LayerState>>,
    pub kept: Kept,
}

#[derive(Debug, Clone)]
pub(crate) struct LayerState {
    pub layer: Arc<Layer>,
    pub segment: Option<Arc<Segment>>,
    /// For each field of the layer its column in the segment, which may be older than the layer's declaration.
    pub columns: Arc<Vec<Option<usize>>>,
    pub delta: Arc<Delta>,
}

impl LayerState {
    pub(crate) fn new(layer: Arc<Layer>, segment: Option<Arc<Segment>>, delta: Arc<Delta>) -> Self {
        let columns = layer
            .fields
            .iter()
            .map(|f| {
                let old = segment.as_ref()?;
                let at = old.layer.field_index(&f.name)?;
                (old.layer.fields[at].kind == f.kind).then_some(at)
            })
            .collect();
        Self { layer, segment, columns: Arc::new(columns), delta }
    }
    /// The newest version that it knows of.
    pub(crate) fn newest(&self) -> Option<Version> {
        self.delta.newest.max(self.segment.as_ref().map(|s| s.covers))
    }
}

impl State {
    /// The state to change: its own copy where a snapshot holds it, and nothing kept of what it was.
    pub(crate) fn changing(shared: &mut Arc<Self>) -> &mut Self {
        let state = Arc::make_mut(shared);
        state.kept = Kept::default();
        state
    }
    /// The version that "newest" stands for in this state.
    pub(crate) fn newest(&self) -> Version {
        Version(self.version.0 + self.overlays)
    }
}
