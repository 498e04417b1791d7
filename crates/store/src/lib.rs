//! The record: the truth about a city, in one file that any GIS opens.
//!
//! `record.gpkg` in the city's folder is a GeoPackage. Each layer is a feature table with what is so *now*, its R-tree
//! kept by the standard's triggers, so QGIS and GDAL read it as it is. What has been replaced or removed stands beside
//! it in `<layer>_history`, with the versions between which it held. Commits, proposals and the audit log are tables of
//! their own (`strata_…`). Everything else that Strata keeps can be built again from this file.
//!
//! A change is one transaction: feature rows, history, index, extent, log line and audit row stand together or not at
//! all. The file is in WAL mode with full synchronisation: what [`Writing::commit`] has acknowledged survives a kill and a
//! power cut. One process writes (it holds `lock`), any number read, each a whole version.
//!
//! What sensors say stands in a second file, `observations.db`, with a writer of its own: see [`Observations`].
//!
//! Edits by another program go round the record: they keep the R-tree right, but have no history, and
//! [`Store::integrity`] notices when rows were added or removed so.
//!
//! Geometry is in the city's working frame, `[east_m, north_m, height_m]`; the store never projects.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod alarms;
mod audit;
mod case;
mod changes;
mod check;
mod error;
mod observations;
mod once;
mod proposal;
mod registry;
mod row;
mod rtree;
mod schema;
mod spatial;
mod srs;
mod store;
mod table;
mod tx;
mod writing;

pub use alarms::{Acknowledged, Alarm, AlarmCase, NewAlarm, RULES};
pub use audit::AuditRow;
pub use case::{Effect, NewCase};
pub use changes::Difference;
pub use error::StoreError;
pub use observations::{
    Appended, BatchKey, Bound, Checked, Column, Comparison, Fate, NewObservation, OBSERVATIONS, Observation, ObservationQuery,
    Observations, OnKept, Order, Where, check_observations,
};
pub use once::{KeptAnswer, Once, Request};
pub use registry::Registered;
pub use store::{CityMeta, RECORD, Store};
pub use writing::Writing;
