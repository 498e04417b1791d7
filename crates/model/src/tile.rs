use crate::{Bounds2, ModelError, WorkingFrame, geographic_from_mercator};
use serde::{Deserialize, Serialize};

/// A web map tile in EPSG:3857: `x` eastward, `y` southward from the north-west corner (XYZ scheme).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TileId {
    pub z: u8,
    pub x: u32,
    pub y: u32,
}

impl TileId {
    pub const MAX_Z: u8 = 24;
    /// `None` when the zoom is over 24 or the column or row lies outside it.
    pub fn new(z: u8, x: u32, y: u32) -> Option<Self> {
        (z <= Self::MAX_Z && u64::from(x) < 1 << z && u64::from(y) < 1 << z).then_some(Self { z, x, y })
    }
    /// Side length in web mercator metres.
    pub fn size_mercator_m(self) -> f64 {
        2.0 * std::f64::consts::PI * crate::EARTH_A_M / f64::from(1u32 << self.z)
    }
    /// `[x_m, y_m]` box in EPSG:3857.
    pub fn bounds_mercator_m(self) -> Bounds2 {
        let half = std::f64::consts::PI * crate::EARTH_A_M;
        let s = self.size_mercator_m();
        let (x, y) = (-half + f64::from(self.x) * s, half - f64::from(self.y) * s);
        Bounds2 { min: [x, y - s], max: [x + s, y] }
    }
    /// `[lon_deg, lat_deg]` box.
    pub fn bounds_geographic_deg(self) -> Bounds2 {
        let b = self.bounds_mercator_m();
        Bounds2 { min: geographic_from_mercator(b.min), max: geographic_from_mercator(b.max) }
    }
    /// Box in the working frame that covers the tile grown by `buffer` (share of its side): nine points of each edge
    /// are projected, so for city-sized tiles the cover is exact to the bow of an edge between two of them.
    /// For tiles far larger than the CRS's area of use the answer is the box of what could be projected.
    pub fn bounds_working(self, frame: &WorkingFrame, buffer: f64) -> Result<Bounds2, ModelError> {
        let b = self.bounds_mercator_m().grown(self.size_mercator_m() * buffer);
        let (mut out, mut last, mut whole) = (Bounds2::EMPTY, None, true);
        let mut reach = |i: i32, j: i32| {
            let m = [b.min[0] + (b.max[0] - b.min[0]) * f64::from(i) / 8.0, b.min[1] + (b.max[1] - b.min[1]) * f64::from(j) / 8.0];
            match frame.working_from_geographic(geographic_from_mercator(m)) {
                Ok(p) if p.iter().all(|v| v.is_finite()) => out.extend(p),
                Ok(_) => whole = false,
                Err(e) => (last, whole) = (Some(e), false),
            }
            whole
        };
        let mut edge = true;
        for k in 0..8 {
            for (i, j) in [(k, 0), (8, k), (8 - k, 8), (0, 8 - k)] {
                edge = reach(i, j);
            }
        }
        // Where all of the edge has an image, the image of the inside lies within it; far from the CRS's own meridian the map
        // folds over, so large tiles are asked inside as well.
        if !edge || self.z < 8 {
            for (i, j) in (1..8).flat_map(|i| (1..8).map(move |j| (i, j))) {
                reach(i, j);
            }
        }
        match last {
            Some(e) if out.is_empty() => Err(e),
            _ => Ok(out),
        }
    }
    pub fn parent(self) -> Option<Self> {
        (self.z > 0).then(|| Self { z: self.z - 1, x: self.x / 2, y: self.y / 2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Crs;
    use proptest::prelude::*;

    proptest! {
        /// By brute force: whatever lies on a tile of any zoom lies in the box that the tile is asked with, at its edges too,
        /// for all the land between 20 degrees west and east of the system's own meridian.
        #[test]
        fn what_lies_on_a_tile_lies_in_its_box(z in 0u8..=18, lon in 106.0..146.0f64, lat in 20.0..60.0f64, at_edge in any::<bool>()) {
            let frame = WorkingFrame::new(Crs { horizontal: 4551, vertical: None }, 0.0).expect("a frame");
            let side = 2.0 * std::f64::consts::PI * crate::EARTH_A_M / f64::from(1u32 << z);
            let m = crate::mercator_from_geographic([lon, lat]);
            let half = std::f64::consts::PI * crate::EARTH_A_M;
            let (x, y) = ((m[0] + half) / side, (half - m[1]) / side);
            let tile = TileId::new(z, x as u32, y as u32).expect("a tile");
            // Onto the western edge, a millimetre inside, or where it fell.
            let east = if at_edge { -half + x.floor() * side + 1e-3 } else { m[0] };
            let p = frame.working_from_geographic(geographic_from_mercator([east, m[1]])).expect("in use");
            let b = tile.bounds_working(&frame, 0.01).expect("a box");
            prop_assert!(b.contains(p), "{p:?} of {tile:?} is not in {b:?}");
        }
    }
}
