//! OGC SensorThings API 1.1 (18-088) under `/sta/v1.1`.
//!
//! The sensor features of the city are its Things: each with one Location, one Sensor and one Datastream of the same
//! id, bound to the pipe, well or station that it watches by `properties/target_layer` and `properties/target_id`. Others are
//! registered over the API. What an asker may not see is not there, and neither are its observations.
//!
//! Offered: resource paths, `$filter`, `$select`, `$expand`, `$orderby`, `$top`, `$skip`, `$count`, `@iot.nextLink`,
//! `resultFormat=dataArray`, creation of Observations (one by one and as data arrays), Things (with what belongs to them),
//! Sensors, ObservedProperties and Datastreams. Not offered: HistoricalLocations (devices stay where they are),
//! MultiDatastreams, and changing or deleting what is registered.
//!
//! An observation belongs to one Datastream and has the feature of interest of the thing behind it.

mod catalog;
mod filter;
mod observe;
mod options;
mod path;
mod read;
mod register;

pub use catalog::{Catalog, Set};
pub use observe::{create, keep, observe, stream_of};
pub use read::{get, moment, observation_json, root};
pub use register::register;

use crate::CityState;

/// The city or what is registered has changed: readers of the stream see what their scope shows now.
pub fn look_again(state: &CityState) {
    state.hub.look_again(|scope| Catalog::of(state, scope).map_or_else(|_| Some(Default::default()), |c| c.streams()));
}
