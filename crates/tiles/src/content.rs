//! What a 3D tile holds once its bytes are read: the common word between the writer ([`crate::glb`]), the
//! twin and the tests.
//!
//! Frame of every position and normal: **tile frame**, x east, y north, z up (true north, ellipsoid normal)
//! at the tile's centre, metres, f32. `ecef_from_tile` takes it to ECEF in f64. In the GLB itself the same
//! numbers stand y-up, as glTF demands; reader and writer turn them.

use std::collections::BTreeMap;

/// What a primitive is, so that the renderer knows how to dress it. Written as the glTF material's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// uv = plan metres from the tile centre.
    Terrain,
    /// uv = metres along the wall, metres above the building's base; uv2 = wall length, wall height (m).
    Wall,
    /// uv = plan metres; uv2 = 0 flat, 1 pitched; distance to the nearest roof edge (m).
    Roof,
    /// Far level of detail: a block of several buildings. uv as Wall on its sides, plan metres on its top.
    Massing,
    /// uv = metres across from the centre line (left negative), metres along; uv2 = kerb-to-kerb width, lanes.
    Road,
    /// uv = plan metres; uv2.x = depth (m).
    Water,
    /// Land-use drape; uv = plan metres.
    Parcel,
    /// Tube; uv = turn 0..1, metres along from the line's start; uv2 = outer radius (m), depth of the axis below
    /// ground (m). The normal points from the axis outward, so a shader may widen the tube along it.
    Pipe,
    /// Shaft of a well; uv as Wall.
    Well,
    /// Cover disc, valve wheel, hydrant and other fittings.
    Fitting,
    /// Instanced: one small mesh, many places.
    TreeTrunk,
    TreeCrown,
    Rail,
    /// Control lines and other lines of a plan; uv as Road; uv2 = width, rank (what runs along another line lies over it when
    /// its rank is higher). The normal points aside, away from the line, so that a shader
    /// may widen it to what can be seen.
    Line,
    Other,
    /// Outline of a parcel; uv and normal as Line.
    Border,
}

impl Role {
    pub const ALL: [Self; 16] = [
        Self::Terrain,
        Self::Wall,
        Self::Roof,
        Self::Massing,
        Self::Road,
        Self::Water,
        Self::Parcel,
        Self::Pipe,
        Self::Well,
        Self::Fitting,
        Self::TreeTrunk,
        Self::TreeCrown,
        Self::Rail,
        Self::Line,
        Self::Other,
        Self::Border,
    ];
    pub fn name(self) -> &'static str {
        match self {
            Self::Terrain => "terrain",
            Self::Wall => "wall",
            Self::Roof => "roof",
            Self::Massing => "massing",
            Self::Road => "road",
            Self::Water => "water",
            Self::Parcel => "parcel",
            Self::Pipe => "pipe",
            Self::Well => "well",
            Self::Fitting => "fitting",
            Self::TreeTrunk => "tree_trunk",
            Self::TreeCrown => "tree_crown",
            Self::Rail => "rail",
            Self::Line => "line",
            Self::Other => "other",
            Self::Border => "border",
        }
    }
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|r| r.name() == name).unwrap_or(Self::Other)
    }
}

/// One mesh of one role. All vertex arrays have the same length; `indices` makes triangles, counter-clockwise
/// seen from outside.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Primitive {
    pub role: Option<Role>,
    pub positions: Vec<[f32; 3]>,
    pub normals: Vec<[f32; 3]>,
    pub uv: Vec<[f32; 2]>,
    pub uv2: Vec<[f32; 2]>,
    /// Row of the [`FeatureTable`]; for instanced primitives it is empty and each instance has its own.
    pub feature_rows: Vec<u32>,
    pub indices: Vec<u32>,
    /// Empty: the mesh itself stands in the tile frame.
    pub instances: Vec<Placement>,
    /// Its faces may be seen from behind: a model that nobody proved to be closed. Else only their fronts are drawn.
    pub two_sided: bool,
}

/// One instance: `p ↦ translation + rotation · (scale ∘ p)` in the tile frame (z up).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    pub translation: [f32; 3],
    /// Quaternion x, y, z, w.
    pub rotation: [f32; 4],
    pub scale: [f32; 3],
    pub feature_row: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    Float(Vec<f32>),
    Int(Vec<i32>),
    Text(Vec<String>),
}

impl Column {
    pub fn len(&self) -> usize {
        match self {
            Self::Float(v) => v.len(),
            Self::Int(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The row as a number; a missing number is NaN in `Float` and `i32::MIN` in `Int`.
    pub fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::Float(v) => v.get(row).filter(|v| !v.is_nan()).map(|&v| f64::from(v)),
            Self::Int(v) => v.get(row).filter(|&&v| v != i32::MIN).map(|&v| f64::from(v)),
            Self::Text(_) => None,
        }
    }
    pub fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Text(v) => v.get(row).map(String::as_str),
            _ => None,
        }
    }
}

/// The property table (`EXT_structural_metadata`): one row a feature.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FeatureTable {
    pub ids: Vec<String>,
    /// Days since 1970-01-01; `i32::MIN` and `i32::MAX` are unbounded. `from` included, `to` excluded.
    pub valid_from_day: Vec<i32>,
    pub valid_to_day: Vec<i32>,
    pub columns: BTreeMap<String, Column>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TileContent {
    /// Column-major 4×4.
    pub ecef_from_tile: [f64; 16],
    pub primitives: Vec<Primitive>,
    pub features: FeatureTable,
}
