//! A synthetic Changchun: real geography in outline (streets, squares, river, lake, railway) and real public transport,
//! everything else invented from a seed and marked synthetic. Frame: EPSG:4551 + EPSG:5737, `[east_m, north_m, height_m]`.
//!
//! The plan (ground, streets, blocks) is made once and kept; parcels, houses, trees and addresses are derived block by
//! block from the seed alone, so that no block needs another, and pipes network by network. Features go to a sink one
//! by one: what is in memory is one plan and its largest network, however many features pass. A [`City`] larger than the
//! known Changchun is several plans one after the other.

mod addresses;
mod blocks;
mod buildings;
mod city;
mod connections;
mod control;
mod dice;
mod district;
mod graph;
mod ground;
mod layers;
pub mod live;
mod map;
mod pipes;
mod plan;
mod plane;
pub mod spoil;
mod streets;
pub mod survey;
mod transit;
mod trees;
mod truth;

pub use city::{City, Size};
pub use district::District;
pub use truth::{NetworkTruth, Sink, Truth};

use strata_model::{ModelError, Point3};

#[derive(Debug, thiserror::Error)]
pub enum CitygenError {
    #[error(transparent)]
    Frame(#[from] ModelError),
    #[error("the city could not be handed on: {0}")]
    Sink(String),
    #[error("public transport: `{row}` is no row of its table")]
    Data { row: String },
    #[error("{asked} features: a city has between {} and {} of them", city::FEWEST, city::MOST)]
    Size { asked: u64 },
}

/// A named place.
#[derive(Debug, Clone, PartialEq)]
pub struct Anchor {
    pub name: &'static str,
    pub title_zh: &'static str,
    pub title_en: &'static str,
    /// Working frame.
    pub position: Point3,
}
