//! The city's words. A city is a set of [`Layer`]s of [`Feature`]s; a feature is a geometry with
//! attributes and with two times that are never mixed: *when it stood in the world*
//! ([`Interval`] of [`Instant`]s, valid time) and *which commit of our knowledge said so*
//! ([`Version`], record time). A [`Proposal`] is a branch on top of a version. A [`Query`] names
//! all of it at once and always carries a [`Scope`]: what the asker may see.
//!
//! Geometry stands in the **working frame** of its city: a projected CRS in metres, stored
//! `[east_m, north_m, height_m]` in that order whatever the EPSG definition says, heights in the
//! city's vertical datum (for Changchun EPSG:4551 + EPSG:5737).
//!
//! No IO, no clock, no threads; builds for the browser.

mod case;
mod change;
pub mod codes;
mod error;
mod feature;
mod filter;
mod frame;
mod geometry;
mod layer;
mod query;
pub mod survey;
mod tile;
mod time;
mod wkb;

pub use case::{Case, CaseEvent};
pub use change::{Change, Commit, FeatureVersion, Proposal, ProposalId, ProposalState, Version};
pub use error::ModelError;
pub use feature::{Feature, FeatureBatch, FeatureId, Value};
pub use filter::{CompareOp, Filter};
pub use frame::{
    Crs, EARTH_A_M, Enu, WorkingFrame, ecef_from_geographic, geographic_from_ecef, geographic_from_mercator, mercator_from_geographic,
};
pub use geometry::{Bounds2, Bounds3, Geometry, LineString, Point3, Polygon, Surface, SurfaceKind};
pub use layer::{Classification, Field, FieldKind, GeometryKind, Layer, LayerId, Theme};
pub use query::{Query, Scope};
pub use tile::TileId;
pub use time::{Instant, Interval};
pub use wkb::{from_wkb, to_wkb};
