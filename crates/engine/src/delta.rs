//! What was committed after the segment: rows in memory with an `rstar` tree over them, and the segment's rows that
//! came to their end. Cloned only while a snapshot still holds the older one.

use crate::{
    EngineError,
    index::{RowBox, Window},
    segment::{Segment, fitted, row_box},
};
use rstar::{AABB, RTree, primitives::GeomWithData, primitives::Rectangle};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use strata_model::{Change, Feature, FeatureId, Instant, Interval, Layer, Value, Version};

type Entry = GeomWithData<Rectangle<[f64; 4]>, u32>;

#[derive(Debug, Clone)]
pub(crate) struct DeltaRow {
    pub feature: Arc<Feature>,
    pub at: RowBox,
    pub since: Version,
    pub until: Option<Version>,
}

#[derive(Debug, Clone)]
enum Logged {
    Put(Arc<Feature>),
    Remove(FeatureId),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Delta {
    /// Rows of the segment and the version that ended them.
    pub closed: HashMap<u32, Version>,
    pub rows: Vec<DeltaRow>,
    pub newest: Option<Version>,
    ids: HashMap<FeatureId, Vec<u32>>,
    tree: RTree<Entry>,
    /// What was applied, to be applied again on a younger segment.
    log: Vec<(Version, Logged)>,
}

/// The last word on each feature, in the order of the ids; every feature fits its layer.
pub(crate) fn last_words(layer: &Layer, changes: impl Iterator<Item = Change>) -> Result<Vec<Change>, EngineError> {
    let mut words: BTreeMap<FeatureId, Change> = BTreeMap::new();
    for change in changes {
        let change = match change {
            Change::Put(f) => Change::Put(fitted(layer, f)?),
            remove => remove,
        };
        words.insert(change.id().clone(), change);
    }
    Ok(words.into_values().collect())
}

impl Delta {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.closed.is_empty()
    }
    /// `changes` as [`last_words`] gives them; `version` after every earlier one.
    pub(crate) fn apply(&mut self, segment: Option<&Segment>, version: Version, changes: Vec<Change>) {
        for change in changes {
            let logged = match change {
                Change::Put(f) => Logged::Put(Arc::new(f)),
                Change::Remove(id) => Logged::Remove(id),
            };
            self.log.push((version, logged.clone()));
            self.take(segment, version, logged);
        }
        self.newest = Some(version);
    }

    fn take(&mut self, segment: Option<&Segment>, version: Version, change: Logged) {
        let id = match &change {
            Logged::Put(f) => &f.id,
            Logged::Remove(id) => id,
        };
        for &row in self.ids.get(id).into_iter().flatten() {
            self.rows[row as usize].until.get_or_insert(version);
        }
        if let Some(segment) = segment {
            for &row in segment.rows_of(id.as_str()) {
                if segment.span(row).1.is_none() {
                    self.closed.entry(row).or_insert(version);
                }
            }
        }
        if let Logged::Put(feature) = change {
            let (row, at) = (self.rows.len() as u32, row_box(&feature));
            self.ids.entry(feature.id.clone()).or_default().push(row);
            if let Some((low, high)) = corners(&Window {
                bounds: (!at.bounds.is_empty()).then_some(at.bounds),
                valid: (at.valid.from <= at.valid.to).then_some(at.valid),
            }) {
                self.tree.insert(GeomWithData::new(Rectangle::from_corners(low, high), row));
            }
            self.rows.push(DeltaRow { feature, at, since: version, until: None });
        }
    }

    /// The same changes over a younger segment: those that it does not hold yet.
    pub(crate) fn over(&self, segment: &Segment) -> Self {
        let mut out = Self::default();
        for (version, change) in self.log.iter().filter(|(v, _)| *v > segment.covers) {
            out.log.push((*version, change.clone()));
            out.take(Some(segment), *version, change.clone());
            out.newest = Some(*version);
        }
        out
    }

    /// The same rows under a layer with other fields: by name, null where there was none.
    pub(crate) fn refielded(&self, old: &Layer, new: &Layer) -> Self {
        let refield = |f: &Arc<Feature>| {
            let value = |name: &str| f.value(old, name).cloned().unwrap_or(Value::Null);
            let attributes = new.fields.iter().map(|field| value(&field.name)).collect();
            Arc::new(Feature { id: f.id.clone(), geometry: f.geometry.clone(), valid: f.valid, attributes })
        };
        let mut out = self.clone();
        out.rows.iter_mut().for_each(|r| r.feature = refield(&r.feature));
        for (_, change) in &mut out.log {
            if let Logged::Put(f) = change {
                *f = refield(f);
            }
        }
        out
    }

    pub(crate) fn rows_of(&self, id: &FeatureId) -> &[u32] {
        self.ids.get(id).map_or(&[], Vec::as_slice)
    }

    /// Rows that the window takes, in the order in which they came.
    pub(crate) fn search(&self, window: &Window) -> Vec<u32> {
        let takes = |row: &u32| window.takes(&self.rows[*row as usize].at);
        if window.bounds.is_none() {
            return (0..self.rows.len() as u32).filter(takes).collect();
        }
        let Some((low, high)) = corners(window) else { return Vec::new() };
        let near = self.tree.locate_in_envelope_intersecting(AABB::from_corners(low, high));
        let mut rows: Vec<u32> = near.map(|e| e.data).filter(takes).collect();
        rows.sort_unstable();
        rows
    }
}

/// Space and days as a box of four dimensions, grown where rounding could make it smaller, finite because the tree
/// computes volumes. `None`: it holds nothing.
fn corners(window: &Window) -> Option<([f64; 4], [f64; 4])> {
    let b = window.bounds?;
    let v = window.valid.unwrap_or(Interval::ALWAYS);
    let day = |at: Instant| (at.0 as f64 / 86_400_000.0).clamp(-1e7, 1e7);
    let metres = |v: f64| v.clamp(-1e12, 1e12);
    let low = [metres(b.min[0]), metres(b.min[1]), metres(b.min[2]), day(v.from) - 1.0];
    let high = [metres(b.max[0]), metres(b.max[1]), metres(b.max[2]), day(v.to) + 1.0];
    (0..4).all(|k| low[k] <= high[k]).then_some((low, high))
}
