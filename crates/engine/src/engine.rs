use crate::{
    EngineError, Snapshot,
    delta::{Delta, last_words},
    error::io,
    segment::{Row, Segment, Spool, place, set_aside},
    state::{LayerState, State},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use strata_model::{Change, FeatureVersion, Layer, LayerId, Version};

/// The segments of a city and what was committed since. Shared between threads; readers take a [`Snapshot`].
#[derive(Debug)]
pub struct Engine {
    dir: PathBuf,
    state: RwLock<Arc<State>>,
    /// One build at a time: two of the same layer would write the same files.
    building: Mutex<()>,
    damaged: Vec<EngineError>,
}

/// Takes the rows of a layer one by one.
pub type Sink<'a> = dyn FnMut(FeatureVersion) -> Result<(), EngineError> + 'a;

impl Engine {
    /// Makes the folder where it is missing, and maps the newest sound segment of each layer. A damaged one is set
    /// aside (its files get the ending `.damaged`), and its layer counts as missing unless an older segment is sound.
    pub fn open(dir: &Path) -> Result<Engine, EngineError> {
        fs::create_dir_all(dir).map_err(io(dir))?;
        let mut found: Vec<(LayerId, Version)> = Vec::new();
        for entry in fs::read_dir(dir).map_err(io(dir))? {
            let path = entry.map_err(io(dir))?.path();
            let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
            if name.ends_with(".part") {
                let _ = fs::remove_file(&path); // a build that did not come to its end
            } else if let Some(at) = name.strip_suffix(".index").or_else(|| name.strip_suffix(".arrow")).and_then(segment_name) {
                found.push(at);
            }
        }
        found.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        found.dedup();
        let (mut state, mut damaged) = (State::default(), Vec::new());
        for (id, covers) in found {
            if state.layers.contains_key(&id) {
                continue;
            }
            match Segment::open(dir, &id, covers) {
                Ok(s) => {
                    state.version = state.version.max(covers);
                    state.layers.insert(id, Arc::new(LayerState::new(s.layer.clone(), Some(Arc::new(s)), Arc::default())));
                }
                Err(e) => {
                    set_aside(dir, &id, covers)?;
                    damaged.push(e);
                }
            }
        }
        Ok(Self { dir: dir.to_owned(), state: RwLock::new(Arc::new(state)), building: Mutex::new(()), damaged })
    }

    /// What [`Engine::open`] had to set aside, for the log.
    pub fn damaged(&self) -> &[EngineError] {
        &self.damaged
    }

    /// The newest version that the layer's segment on disk covers.
    pub fn segment_version(&self, layer: &LayerId) -> Option<Version> {
        Some(self.read().layers.get(layer)?.segment.as_ref()?.covers)
    }

    /// Builds a new segment from all rows of a layer, old versions included; `rows` pushes them into the sink it is given.
    /// Rows after `covers` are left out, ends after `covers` count as open. Changes after `covers` that were applied
    /// already stay in the delta. All or nothing: on an error the earlier segment stays. Memory: one batch of rows and some
    /// 200 bytes for each; the rows themselves wait on the disk beside the segments.
    pub fn build(
        &self,
        layer: Arc<Layer>,
        covers: Version,
        rows: &mut dyn FnMut(&mut Sink<'_>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let _one = self.building();
        let mut taken = Spool::new(&self.dir, &layer, covers)?;
        rows(&mut |mut row| {
            if row.since > covers || row.until.is_some_and(|u| u <= row.since) {
                return Ok(());
            }
            row.until = row.until.filter(|u| *u <= covers);
            if taken.len() >= u32::MAX as usize {
                return Err(EngineError::TooManyRows { layer: layer.id.clone(), limit: u32::MAX });
            }
            taken.push(Row::new(&layer, row)?)
        })?;
        taken.finish(&self.dir, covers)?;
        let segment = Arc::new(Segment::open(&self.dir, &layer.id, covers)?);
        {
            let mut guard = self.write();
            let state = State::changing(&mut guard);
            let delta = state.layers.get(&layer.id).map_or_else(Delta::default, |old| {
                let delta = old.delta.over(&segment);
                if old.layer.fields == layer.fields { delta } else { delta.refielded(&old.layer, &layer) }
            });
            state.layers.insert(layer.id.clone(), Arc::new(LayerState::new(layer.clone(), Some(segment), Arc::new(delta))));
            state.version = state.version.max(covers);
        }
        self.drop_others(&layer.id, covers)
    }

    /// Takes one commit into the delta. For each layer named the version must be after all that it holds; the order of
    /// versions across layers is free. All or nothing.
    pub fn apply(&self, version: Version, changes: &[(LayerId, Change)]) -> Result<(), EngineError> {
        let mut guard = self.write();
        let words = by_layer(&guard, changes)?;
        for id in words.keys() {
            if let Some(newest) = guard.layers.get(id).and_then(|l| l.newest()).filter(|n| *n >= version) {
                return Err(EngineError::NotAscending { layer: id.clone(), given: version, newest });
            }
        }
        let state = State::changing(&mut guard);
        take(state, version, words);
        state.version = state.version.max(version);
        Ok(())
    }

    /// A layer without rows, or new fields for one that has rows: values are kept by field name.
    pub fn declare(&self, layer: Arc<Layer>) {
        let mut guard = self.write();
        let state = State::changing(&mut guard);
        let next = match state.layers.get(&layer.id) {
            None => LayerState::new(layer.clone(), None, Arc::default()),
            Some(old) if old.layer.fields == layer.fields => LayerState { layer: layer.clone(), ..(**old).clone() },
            Some(old) => LayerState::new(layer.clone(), old.segment.clone(), Arc::new(old.delta.refielded(&old.layer, &layer))),
        };
        state.layers.insert(layer.id.clone(), Arc::new(next));
    }

    /// Everything as it is now; later changes do not reach it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { state: self.read().clone() }
    }

    /// Removes the layer's segments of other versions. Snapshots keep what they have mapped.
    fn drop_others(&self, layer: &LayerId, keep: Version) -> Result<(), EngineError> {
        for entry in fs::read_dir(&self.dir).map_err(io(&self.dir))? {
            let path = entry.map_err(io(&self.dir))?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let at = name.strip_suffix(".index").or_else(|| name.strip_suffix(".arrow")).and_then(segment_name);
            if let Some((id, version)) = at
                && id == *layer
                && version != keep
            {
                let (arrow, index) = place(&self.dir, &id, version);
                for path in [index, arrow] {
                    let _ = fs::remove_file(path); // a leftover is no harm: the newest wins at the next start
                }
            }
        }
        Ok(())
    }

    // A panic elsewhere leaves the state whole: it is changed only by steps that cannot fail half way.
    fn read(&self) -> RwLockReadGuard<'_, Arc<State>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write(&self) -> RwLockWriteGuard<'_, Arc<State>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
    fn building(&self) -> MutexGuard<'_, ()> {
        self.building.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `<layer>-<version>`
fn segment_name(stem: &str) -> Option<(LayerId, Version)> {
    let (id, version) = stem.rsplit_once('-')?;
    let number: u64 = version.parse().ok()?;
    (number.to_string() == version).then_some((LayerId::new(id).ok()?, Version(number)))
}

pub(crate) fn by_layer(state: &State, changes: &[(LayerId, Change)]) -> Result<BTreeMap<LayerId, Vec<Change>>, EngineError> {
    let mut sorted: BTreeMap<&LayerId, Vec<&Change>> = BTreeMap::new();
    for (id, change) in changes {
        sorted.entry(id).or_default().push(change);
    }
    let words = sorted.into_iter().map(|(id, changes)| {
        let Some(layer) = state.layers.get(id) else { return Err(EngineError::UnknownLayer { layer: id.clone() }) };
        Ok((id.clone(), last_words(&layer.layer, changes.into_iter().cloned())?))
    });
    words.collect()
}

pub(crate) fn take(state: &mut State, version: Version, words: BTreeMap<LayerId, Vec<Change>>) {
    for (id, changes) in words {
        let Some(layer) = state.layers.get_mut(&id).map(Arc::make_mut) else { continue };
        Arc::make_mut(&mut layer.delta).apply(layer.segment.as_deref(), version, changes);
    }
}
