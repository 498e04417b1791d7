//! Model to bytes and back: vector tiles, 3D Tiles, terrain. Pure, and builds for the browser.

pub mod content;
