//! A city on disk: the record, and who writes it from the command line.

use crate::Failure;
use std::{
    path::Path,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};
use strata_model::{Crs, Instant, WorkingFrame};
use strata_store::{CityMeta, Store};

pub fn now() -> Instant {
    Instant(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64))
}

/// Who writes from the command line.
pub const KEEPER: &str = "keeper";

pub fn create(dir: &Path, crs: &str, name: &str, geoid_offset_m: f64, synthetic: bool) -> Result<Store, Failure> {
    let crs = Crs::parse(crs).map_err(Failure::misuse)?;
    WorkingFrame::new(crs.clone(), geoid_offset_m).map_err(|e| Failure::misuse(format!("{e}; a working CRS is projected and in metres")))?;
    let name = if name.is_empty() { dir.file_name().map_or_else(|| "city".into(), |n| n.to_string_lossy().into_owned()) } else { name.to_owned() };
    Ok(Store::create(dir, &CityMeta { name, crs, geoid_offset_m, synthetic })?)
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
    let (integrity, audit) = (store.integrity(), store.verify_audit());
    let faults: Vec<String> = [integrity.err().map(|e| e.to_string()), audit.as_ref().err().map(|e| e.to_string())].into_iter().flatten().collect();
    if json {
        println!("{}", serde_json::json!({ "audit_rows": audit.as_ref().ok(), "faults": faults }));
    } else if faults.is_empty() {
        println!("sound: {} audit rows", audit.unwrap_or_default());
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
