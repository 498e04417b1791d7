//! A city on disk: the record, its segments, and how they are wired together.
//!
//! ```text
//! CITY/record.gpkg      the truth
//! CITY/var/segments/    rebuilt from the record whenever they are missing or damaged
//! ```

use crate::{Failure, progress::Progress};
use std::{
    collections::BTreeMap,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use strata_engine::{Engine, EngineError};
use strata_model::{Change, Crs, Instant, LayerId, Version, WorkingFrame};
use strata_store::{CityMeta, Store};

pub struct City {
    pub engine: Arc<Engine>,
    pub frame: Arc<WorkingFrame>,
}

pub fn now() -> Instant {
    Instant(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64))
}

/// Who writes from the command line.
pub const KEEPER: &str = "keeper";

pub fn create(dir: &Path, crs: &str, name: &str, geoid_offset_m: f64, synthetic: bool) -> Result<Store, Failure> {
    let crs = Crs::parse(crs).map_err(Failure::misuse)?;
    WorkingFrame::new(crs.clone(), geoid_offset_m)
        .map_err(|e| Failure::misuse(format!("{e}; a working CRS is projected and in metres")))?;
    let name =
        if name.is_empty() { dir.file_name().map_or_else(|| "city".into(), |n| n.to_string_lossy().into_owned()) } else { name.to_owned() };
    Ok(Store::create(dir, &CityMeta { name, crs, geoid_offset_m, synthetic })?)
}

/// Opens a city for reading, also beside a server; segments are brought up to the record.
pub fn open(dir: &Path) -> Result<City, Failure> {
    let store = Store::open_read_only(dir)?;
    wire(dir, &store)
}

pub fn wire(dir: &Path, store: &Store) -> Result<City, Failure> {
    let meta = store.meta();
    let frame = Arc::new(WorkingFrame::new(meta.crs.clone(), meta.geoid_offset_m)?);
    let engine = Arc::new(Engine::open(&dir.join("var").join("segments"))?);
    catch_up(store, &engine)?;
    Ok(City { engine, frame })
}

/// Segments that are missing or damaged are built from the record; what was committed after a segment goes into the
/// delta, and a delta that has grown large becomes a new segment.
pub fn catch_up(store: &Store, engine: &Engine) -> Result<(), Failure> {
    const DELTA_LIMIT: usize = 50_000;
    let head = store.head()?;
    let layers = store.layers()?;
    let mut covered: BTreeMap<LayerId, Version> = BTreeMap::new();
    for layer in &layers {
        match engine.segment_version(&layer.id) {
            Some(version) => {
                covered.insert(layer.id.clone(), version);
            }
            None => {
                build(store, engine, layer, head)?;
                covered.insert(layer.id.clone(), head);
            }
        }
    }
    let Some(oldest) = covered.values().min().copied().filter(|v| *v < head) else { return Ok(()) };
    let mut by_version: BTreeMap<Version, Vec<(LayerId, Change)>> = BTreeMap::new();
    let mut touched: BTreeMap<LayerId, usize> = BTreeMap::new();
    for (version, layer, change) in store.changes(oldest)? {
        if covered.get(&layer).is_some_and(|v| version > *v) {
            *touched.entry(layer.clone()).or_default() += 1;
            by_version.entry(version).or_default().push((layer, change));
        }
    }
    for layer in &layers {
        if touched.get(&layer.id).is_some_and(|n| *n > DELTA_LIMIT) {
            build(store, engine, layer, head)?;
            for changes in by_version.values_mut() {
                changes.retain(|(l, _)| *l != layer.id);
            }
        }
    }
    for (version, changes) in by_version {
        engine.apply(version, &changes)?;
    }
    Ok(())
}

pub fn build(store: &Store, engine: &Engine, layer: &Arc<strata_model::Layer>, head: Version) -> Result<(), Failure> {
    let mut progress = Progress::new(&format!("indexing {}", layer.id), 0);
    engine.build(layer.clone(), head, &mut |sink| {
        let mut fault = None;
        let scanned = store.scan(&layer.id, &mut |row| {
            progress.add(1);
            sink(row).map_err(|e| {
                let text = e.to_string();
                fault = Some(e);
                strata_store::StoreError::sink(text)
            })
        });
        match (fault, scanned) {
            (Some(e), _) => Err(e),
            (None, Err(e)) => Err(EngineError::source(e.to_string())),
            (None, Ok(())) => Ok(()),
        }
    })?;
    progress.done();
    Ok(())
}

pub fn log(dir: &Path, json: bool) -> Result<ExitCode, Failure> {
    let commits = Store::open_read_only(dir)?.log()?;
    if json {
        println!("{}", serde_json::to_string(&commits)?);
    } else {
        for c in commits {
            let layers: Vec<String> = c.layers.iter().map(|(l, put, gone)| format!("{l} +{put} −{gone}")).collect();
            println!("v{} {} {} {} [{}]", c.version.0, c.at, c.actor, c.message, layers.join(", "));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub fn verify(dir: &Path, json: bool) -> Result<ExitCode, Failure> {
    let store = Store::open_read_only(dir)?;
    let (integrity, audit, observations) = (store.integrity(), store.verify_audit(), strata_store::check_observations(dir));
    let mut faults: Vec<String> = integrity.err().map(|e| e.to_string()).into_iter().collect();
    faults.extend(audit.as_ref().err().map(|e| e.to_string()));
    faults.extend(observations.as_ref().err().map(|e| e.to_string()));
    faults.dedup();
    let seen = observations.ok().flatten();
    if json {
        let (observations, unsealed) = (seen.map(|s| s.observations), seen.map(|s| s.unsealed));
        println!(
            "{}",
            serde_json::json!({ "audit_rows": audit.as_ref().ok(), "observations": observations, "unsealed_observations": unsealed, "faults": faults })
        );
    } else if faults.is_empty() {
        let seen = seen.unwrap_or_default();
        let unsealed = if seen.unsealed > 0 {
            format!(" ({} of them kept by an older program, without a seal)", seen.unsealed)
        } else {
            String::new()
        };
        println!("sound: {} audit rows, {} observations{unsealed}", audit.unwrap_or_default(), seen.observations);
    } else {
        faults.iter().for_each(|f| println!("fault: {f}"));
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

pub fn backup(dir: &Path, to: &Path) -> Result<ExitCode, Failure> {
    Store::open_read_only(dir)?.backup(to)?;
    println!("{}", to.display());
    Ok(ExitCode::SUCCESS)
}
