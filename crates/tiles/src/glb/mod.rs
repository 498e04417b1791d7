//! Tile content as binary glTF 2.0 and back.
//!
//! glTF is y-up: a tile-frame place `(x, y, z)` is written `(x, z, −y)`, and readers of 3D Tiles turn it back
//! before the tile's own place in ECEF applies. The node's matrix is therefore `T⁻¹ · ecef_from_tile · T` with
//! `T` that turn. All attributes travel in one property table.

mod colour;
mod decode;
mod encode;
mod read;
mod table;
#[cfg(test)]
mod tests;

pub use decode::decode_glb;
pub use encode::encode_glb;
pub(crate) use table::property_form;

use crate::content::Role;

/// Names of the vertex attribute that carries the table row.
const FEATURE_ID: &str = "_FEATURE_ID_0";

/// Columns of the table that are fields of [`crate::content::FeatureTable`] itself.
const ID: &str = "id";
const FROM: &str = "valid_from_day";
const TO: &str = "valid_to_day";

/// `T⁻¹ · m · T`, column-major, exact.
fn gltf_from_tile_matrix(m: &[f64; 16]) -> [f64; 16] {
    turned(m, [(0, 1.0), (2, 1.0), (1, -1.0), (3, 1.0)])
}

/// `T · m · T⁻¹`, column-major, exact.
fn tile_from_gltf_matrix(m: &[f64; 16]) -> [f64; 16] {
    turned(m, [(0, 1.0), (2, -1.0), (1, 1.0), (3, 1.0)])
}

/// Both sides of a matrix by one signed permutation: new axis `i` is old axis `p[i].0` times `p[i].1`.
fn turned(m: &[f64; 16], p: [(usize, f64); 4]) -> [f64; 16] {
    std::array::from_fn(|i| {
        let (column, row) = (p[i / 4], p[i % 4]);
        m[column.0 * 4 + row.0] * column.1 * row.1
    })
}

fn y_up(p: [f32; 3]) -> [f32; 3] {
    [p[0], p[2], -p[1]]
}

fn z_up(p: [f32; 3]) -> [f32; 3] {
    [p[0], -p[2], p[1]]
}

/// Base colour (sRGB), metalness and roughness for clients that have no styles of their own.
fn dress(role: Role) -> ([u8; 4], f32, f32) {
    match role {
        Role::Terrain => ([126, 138, 104, 255], 0.0, 1.0),
        Role::Wall => ([206, 198, 184, 255], 0.0, 0.85),
        Role::Roof => ([150, 146, 142, 255], 0.0, 0.9),
        Role::Massing => ([200, 196, 190, 255], 0.0, 0.9),
        Role::Road => ([74, 76, 80, 255], 0.0, 0.95),
        Role::Water => ([58, 104, 140, 255], 0.0, 0.15),
        Role::Parcel => ([190, 190, 170, 255], 0.0, 1.0),
        Role::Pipe => ([150, 150, 160, 255], 0.1, 0.5),
        Role::Well => ([140, 136, 130, 255], 0.0, 0.95),
        Role::Fitting => ([90, 90, 96, 255], 0.6, 0.5),
        Role::TreeTrunk => ([96, 74, 52, 255], 0.0, 1.0),
        Role::TreeCrown => ([74, 112, 56, 255], 0.0, 1.0),
        Role::Rail => ([96, 90, 86, 255], 0.2, 0.8),
        Role::Line => ([210, 60, 50, 255], 0.0, 1.0),
        Role::Border => ([68, 81, 94, 255], 0.0, 1.0),
        Role::Other => ([170, 170, 170, 255], 0.0, 0.9),
    }
}
