use crate::{
    EngineError,
    engine::{by_layer, take},
    evaluate::{Shown, visible},
    state::State,
};
use std::{any::Any, collections::BTreeMap, ops::ControlFlow, sync::Arc};
use strata_model::{Bounds3, Feature, FeatureBatch, FeatureId, FeatureVersion, Interval, Layer, LayerId, Proposal, Query, Scope, Version};

/// For what is kept of one snapshot; what is kept of a proposal upon it counts as one of its parts.
const ROOM_BYTES: usize = 512 << 20;
const ROOM_OF_PROPOSAL_BYTES: usize = 128 << 20;

/// The city at one version, perhaps with proposals laid over it. It never changes; a clone costs nothing.
///
/// Geometry and boxes are in the working frame, `[east_m, north_m, height_m]`. Rows come in a fixed order inside one
/// snapshot, so `limit` and `offset` page through it. A layer that the scope hides gives exactly the error of a layer
/// that does not exist, a hidden attribute that of a missing one; hidden attributes are left out of the layer's fields
/// and of the features alike.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) state: Arc<State>,
}

impl Snapshot {
    /// The record's newest version in it; proposals do not count.
    pub fn version(&self) -> Version {
        self.state.version
    }

    /// Layers that the scope sees, by id, each with the fields that it may show.
    pub fn layers(&self, scope: &Scope) -> Vec<Arc<Layer>> {
        self.state.layers.keys().filter_map(|id| self.layer(id, scope)).collect()
    }

    pub fn layer(&self, id: &LayerId, scope: &Scope) -> Option<Arc<Layer>> {
        Shown::new(&self.state, id, scope).ok().map(|s| s.layer)
    }

    /// Box around all features at the newest version, at all times. `None`: no layer that the scope sees, or nothing in it.
    pub fn bounds(&self, layer: &LayerId, scope: &Scope) -> Option<Bounds3> {
        let shown = Shown::new(&self.state, layer, scope).ok()?;
        let mut all = Bounds3::EMPTY;
        if shown.untouched() {
            all = shown.segment()?.open_bounds;
        } else {
            self.for_each_box(&Query::all(layer.clone(), scope.clone()), &mut |b, _| all.merge(b)).ok()?;
        }
        (!all.is_empty()).then_some(all)
    }

    pub fn query(&self, q: &Query) -> Result<FeatureBatch, EngineError> {
        let layer = Shown::asked(&self.state, q)?.given_layer().clone();
        let mut features = Vec::new();
        self.for_each(q, &mut |f| {
            features.push(f);
            ControlFlow::Continue(())
        })?;
        Ok(FeatureBatch { layer, features })
    }

    /// How many features [`Snapshot::query`] would give. Reads no geometry.
    pub fn count(&self, q: &Query) -> Result<usize, EngineError> {
        let mut n = 0;
        Shown::new(&self.state, &q.layer, &q.scope)?.each(self.at(q.version), q, &mut |_| {
            n += 1;
            ControlFlow::Continue(())
        })?;
        Ok(n)
    }

    /// One feature after the other, without keeping them; ends when `f` breaks.
    pub fn for_each(&self, q: &Query, f: &mut dyn FnMut(Feature) -> ControlFlow<()>) -> Result<(), EngineError> {
        let shown = Shown::asked(&self.state, q)?;
        let mut fault = None;
        shown.each(self.at(q.version), q, &mut |at| match shown.feature(at) {
            Ok(feature) => f(feature),
            Err(e) => {
                fault = Some(e);
                ControlFlow::Break(())
            }
        })?;
        fault.map_or(Ok(()), Err)
    }

    /// Boxes and valid times only; no geometry is read. Features without a place are left out.
    pub fn for_each_box(&self, q: &Query, f: &mut dyn FnMut(&Bounds3, Interval)) -> Result<(), EngineError> {
        let shown = Shown::new(&self.state, &q.layer, &q.scope)?;
        shown.each(self.at(q.version), q, &mut |at| {
            let row = shown.row_box(at);
            if !row.bounds.is_empty() {
                f(&row.bounds, row.valid);
            }
            ControlFlow::Continue(())
        })
    }

    /// One feature at one version (`None`: the newest, proposals included).
    pub fn get(&self, layer: &LayerId, id: &FeatureId, version: Option<Version>, scope: &Scope) -> Result<Option<Feature>, EngineError> {
        let shown = Shown::new(&self.state, layer, scope)?;
        let version = self.at(version);
        let row = shown.rows_of(id).into_iter().find(|at| visible(shown.span(*at), version));
        row.map(|at| shown.feature(at)).transpose()
    }

    /// All that the record ever said about a feature, oldest first. A proposal's word stands last, since one version
    /// after the newest.
    pub fn history(&self, layer: &LayerId, id: &FeatureId, scope: &Scope) -> Result<Vec<FeatureVersion>, EngineError> {
        let shown = Shown::new(&self.state, layer, scope)?;
        shown.rows_of(id).into_iter().map(|at| shown.version_of(at)).collect()
    }

    /// For each day on which something began or ended in the world, how many features did (day since 1970-01-01, begun,
    /// ended), at the newest version. Unbounded ends are not counted; empty for a layer that the scope does not see.
    pub fn change_days(&self, layer: &LayerId, scope: &Scope) -> Vec<(i32, u32, u32)> {
        let mut days: BTreeMap<i32, (u32, u32)> = BTreeMap::new();
        let Ok(shown) = Shown::new(&self.state, layer, scope) else { return Vec::new() };
        let all = Query::all(layer.clone(), scope.clone());
        let counted = shown.each(self.at(None), &all, &mut |at| {
            let valid = shown.row_box(at).valid;
            for (instant, step) in [(valid.from, (1, 0)), (valid.to, (0, 1))] {
                let day = instant.day();
                if day != i32::MIN && day != i32::MAX {
                    let n = days.entry(day).or_default();
                    *n = (n.0 + step.0, n.1 + step.1);
                }
            }
            ControlFlow::Continue(())
        });
        if counted.is_err() { Vec::new() } else { days.into_iter().map(|(day, (starts, ends))| (day, starts, ends)).collect() }
    }

    /// What `make` makes of this snapshot, kept for whoever asks with the same key; `make` says about how many bytes it
    /// takes. It is made anew for another version or proposal, and when others needed its room (512 MiB, 128 MiB for a
    /// snapshot with a proposal). The key names all that it depends on besides the snapshot: scope, moment, inputs.
    pub fn keep<T: Any + Send + Sync, E>(&self, key: &str, make: impl FnOnce() -> Result<(T, usize), E>) -> Result<Arc<T>, E> {
        if let Some(kept) = self.state.kept.get(key) {
            return Ok(kept);
        }
        // Not locked meanwhile: two who ask at once both make it, and one of the two stays.
        let (made, bytes) = make()?;
        let made = Arc::new(made);
        let room = if self.state.overlays == 0 { ROOM_BYTES } else { ROOM_OF_PROPOSAL_BYTES };
        self.state.kept.put(key, bytes, made.clone(), room);
        Ok(made)
    }

    /// This snapshot with the proposal's changes on top of its newest version, whatever version the proposal began from.
    /// A query without a version sees them; one with a version sees the record alone. The same proposal as before gives
    /// the same snapshot, with what was kept of it.
    pub fn with_proposal(&self, p: &Proposal) -> Result<Snapshot, EngineError> {
        let key = format!("proposal {}", p.id);
        if let Some(laid) = self.state.kept.get::<(Proposal, Snapshot)>(&key).filter(|l| l.0 == *p) {
            return Ok(laid.1.clone());
        }
        let laid = self.lay(p)?;
        // A proposal upon a proposal is asked for too seldom to be kept.
        if self.state.overlays == 0 {
            self.state.kept.put(&key, ROOM_OF_PROPOSAL_BYTES, Arc::new((p.clone(), laid.clone())), ROOM_BYTES);
        }
        Ok(laid)
    }

    fn lay(&self, p: &Proposal) -> Result<Snapshot, EngineError> {
        let words = by_layer(&self.state, &p.changes)?;
        let mut state = (*self.state).clone();
        state.overlays += 1;
        let version = state.newest();
        take(&mut state, version, words);
        Ok(Snapshot { state: Arc::new(state) })
    }

    fn at(&self, version: Option<Version>) -> Version {
        version.map_or_else(|| self.state.newest(), |v| v.min(self.state.version))
    }
}
