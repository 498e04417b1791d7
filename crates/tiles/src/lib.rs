//! Model to bytes and back: vector tiles, 3D Tiles, terrain. Pure, and builds for the browser.

pub mod content;
mod error;
pub mod mvt;
mod recipe;
mod terrarium;

pub use error::TilesError;
pub use mvt::{Encoded, decode_mvt, encode_mvt};
pub use recipe::{KeepRule, LayerRecipe, Recipe};
pub use terrarium::{height_from_terrarium, terrarium_png};
