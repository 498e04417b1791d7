//! Model to bytes and back: vector tiles, 3D Tiles, terrain. Pure, and builds for the browser.
//!
//! Flat maps: [`encode_mvt`] by a [`Recipe`], [`terrarium_png`]. Three dimensions: a [`TilesetPlan`] lays a layer
//! out in an implicit quadtree and writes `tileset.json` and subtrees; [`encode_content`] meshes the features of
//! one of its cells, with the ground under them from a [`Relief`], into binary glTF, and [`decode_glb`] reads
//! that (and what others wrote) into [`content::TileContent`], the form the renderer and the tests share.

pub mod content;
mod error;
mod glb;
mod mesh;
pub mod mvt;
mod recipe;
mod relief;
mod subtree;
mod terrarium;
mod tileset;

pub use error::TilesError;
pub use glb::{decode_glb, encode_glb};
pub use mesh::{build_content, encode_content};
pub use mvt::{Encoded, TileProjection, decode_mvt, encode_mvt, encode_projected};
pub use recipe::{KeepRule, LayerRecipe, Recipe};
pub use relief::Relief;
pub use terrarium::{height_from_terrarium, terrarium_png};
pub use tileset::{Cell, TilesetPlan, body_bounds, stands_out};
