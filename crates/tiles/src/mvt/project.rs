//! Working frame → tile units (4096 a side, x right, y down), fast.
//!
//! Gauss–Krüger to mercator is smooth; over a city-sized tile a polynomial of the third degree in east and
//! north follows it to a few thousandths of a unit. It is fitted to the exact projection on a grid, checked on
//! another grid, and used only when the check stays under [`MAX_ERROR_UNITS`]; else, and for points outside
//! the fitted box, every vertex takes the exact way.

use crate::TilesError;
use strata_model::{Bounds2, TileId, WorkingFrame};

pub const EXTENT: u32 = 4096;
/// Geometry is kept this far outside the tile, in tile units.
pub const BUFFER: u32 = 64;
/// The largest error of the fitted projection that is accepted, tile units.
pub const MAX_ERROR_UNITS: f64 = 0.1;

const TERMS: usize = 10;
const FIT_NODES: usize = 5;
const CHECK_NODES: i32 = 6;

pub struct TileProjection<'a> {
    tile: TileId,
    frame: &'a WorkingFrame,
    /// The tile with its buffer, working frame.
    pub bounds_in_working: Bounds2,
    origin_mercator_m: [f64; 2],
    units_per_m: f64,
    fit: Option<Fit>,
}

struct Fit {
    centre: [f64; 2],
    inverse_half: [f64; 2],
    /// Of each term, to x and to y.
    terms: [[f64; 2]; TERMS],
    error_units: f64,
}

impl Fit {
    /// Both at once: two lanes of one register.
    #[inline]
    fn at(&self, u: f64, v: f64) -> [f64; 2] {
        let (t, mut sum) = (terms(u, v), [0.0; 2]);
        for (c, t) in self.terms.iter().zip(t) {
            sum = [sum[0] + c[0] * t, sum[1] + c[1] * t];
        }
        sum
    }
}

impl<'a> TileProjection<'a> {
    pub fn new(tile: TileId, frame: &'a WorkingFrame) -> Result<Self, TilesError> {
        let share = f64::from(BUFFER) / f64::from(EXTENT);
        let b = tile.bounds_mercator_m();
        let mut projection = Self {
            tile,
            frame,
            bounds_in_working: tile.bounds_working(frame, share)?,
            origin_mercator_m: [b.min[0], b.max[1]],
            units_per_m: f64::from(EXTENT) / tile.size_mercator_m(),
            fit: None,
        };
        projection.fit = projection.fitted();
        Ok(projection)
    }
    pub fn tile(&self) -> TileId {
        self.tile
    }
    /// The measured error of the polynomial, tile units; `None` when every point is projected exactly.
    pub fn fit_error_units(&self) -> Option<f64> {
        self.fit.as_ref().map(|f| f.error_units)
    }
    /// Working `[east_m, north_m]` → tile units. `None` where the CRS has no answer.
    pub fn units(&self, east: f64, north: f64) -> Option<[f64; 2]> {
        if let Some(fit) = &self.fit {
            let u = (east - fit.centre[0]) * fit.inverse_half[0];
            let v = (north - fit.centre[1]) * fit.inverse_half[1];
            if u.abs() <= 1.0 && v.abs() <= 1.0 {
                return Some(fit.at(u, v));
            }
        }
        self.exact_units(east, north)
    }
    pub fn exact_units(&self, east: f64, north: f64) -> Option<[f64; 2]> {
        let m = self.frame.mercator_from_working([east, north]).ok()?;
        let p = [(m[0] - self.origin_mercator_m[0]) * self.units_per_m, (self.origin_mercator_m[1] - m[1]) * self.units_per_m];
        p.iter().all(|v| v.is_finite() && v.abs() < 1e12).then_some(p)
    }

    fn fitted(&self) -> Option<Fit> {
        let b = self.bounds_in_working;
        // A little more than the tile, so that most features which cross its edge stay on the fast path.
        let half = [0, 1].map(|k| (b.max[k] - b.min[k]) * 0.75);
        let centre = [0, 1].map(|k| (b.min[k] + b.max[k]) / 2.0);
        if !half.iter().all(|h| h.is_finite() && *h > 0.0) {
            return None;
        }
        let at = |u: f64, v: f64| self.exact_units(centre[0] + u * half[0], centre[1] + v * half[1]);
        let mut normal = [[0.0; TERMS + 2]; TERMS];
        for i in 0..FIT_NODES {
            for j in 0..FIT_NODES {
                let node = |k: usize| ((k as f64 + 0.5) * std::f64::consts::PI / FIT_NODES as f64).cos();
                let (u, v) = (node(i), node(j));
                let p = at(u, v)?;
                let t = terms(u, v);
                for r in 0..TERMS {
                    for c in 0..TERMS {
                        normal[r][c] += t[r] * t[c];
                    }
                    normal[r][TERMS] += t[r] * p[0];
                    normal[r][TERMS + 1] += t[r] * p[1];
                }
            }
        }
        let mut fit = Fit { centre, inverse_half: half.map(|h| 1.0 / h), terms: solved(normal)?, error_units: 0.0 };
        for i in 0..CHECK_NODES {
            for j in 0..CHECK_NODES {
                let place = |k: i32| f64::from(2 * k) / f64::from(CHECK_NODES - 1) - 1.0;
                let (u, v) = (place(i), place(j));
                let (p, q) = (at(u, v)?, fit.at(u, v));
                fit.error_units = fit.error_units.max((q[0] - p[0]).abs()).max((q[1] - p[1]).abs());
            }
        }
        // Half of what is allowed, because the check sees only its own grid.
        (fit.error_units < MAX_ERROR_UNITS / 2.0).then_some(fit)
    }
}

fn terms(u: f64, v: f64) -> [f64; TERMS] {
    let (uu, vv) = (u * u, v * v);
    [1.0, u, v, uu, u * v, vv, uu * u, uu * v, u * vv, vv * v]
}

/// Gauss–Jordan with pivoting on the normal equations, two right-hand sides.
fn solved(mut m: [[f64; TERMS + 2]; TERMS]) -> Option<[[f64; 2]; TERMS]> {
    for c in 0..TERMS {
        let pivot = (c..TERMS).max_by(|&a, &b| m[a][c].abs().total_cmp(&m[b][c].abs()))?;
        m.swap(c, pivot);
        if m[c][c].abs() < 1e-12 {
            return None;
        }
        let row = m[c];
        for (r, other) in m.iter_mut().enumerate() {
            if r != c {
                let f = other[c] / row[c];
                other.iter_mut().zip(row).for_each(|(o, p)| *o -= f * p);
            }
        }
    }
    Some(std::array::from_fn(|r| [0, 1].map(|k| m[r][TERMS + k] / m[r][r])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_model::{Crs, mercator_from_geographic};

    fn tile_at(z: u8, lon_lat: [f64; 2]) -> TileId {
        let m = mercator_from_geographic(lon_lat);
        let half = std::f64::consts::PI * strata_model::EARTH_A_M;
        let n = f64::from(1u32 << z) / (2.0 * half);
        TileId::new(z, ((m[0] + half) * n) as u32, ((half - m[1]) * n) as u32).expect("inside")
    }

    #[test]
    fn the_fast_way_stays_within_a_tenth_of_a_unit_of_the_exact_one() {
        let frame = WorkingFrame::new(Crs::CHANGCHUN, 0.0).expect("known");
        for z in 6..=20 {
            for place in [[125.3245, 43.8868], [124.5, 44.6], [126.9, 43.1]] {
                let p = TileProjection::new(tile_at(z, place), &frame).expect("projects");
                assert!(z < 9 || p.fit_error_units().is_some(), "z{z} is on the fast path");
                let b = p.bounds_in_working;
                let mut worst: f64 = 0.0;
                for i in 0..=40 {
                    for j in 0..=40 {
                        let e = b.min[0] + (b.max[0] - b.min[0]) * f64::from(i) / 40.0;
                        let n = b.min[1] + (b.max[1] - b.min[1]) * f64::from(j) / 40.0;
                        let (fast, exact) = (p.units(e, n).expect("inside"), p.exact_units(e, n).expect("inside"));
                        worst = worst.max((fast[0] - exact[0]).abs()).max((fast[1] - exact[1]).abs());
                    }
                }
                assert!(worst < MAX_ERROR_UNITS, "z{z} {place:?}: {worst} units");
            }
        }
    }

    #[test]
    fn corners_of_the_tile_are_zero_and_the_extent() {
        let frame = WorkingFrame::new(Crs::CHANGCHUN, 0.0).expect("known");
        let tile = tile_at(14, [125.3245, 43.8868]);
        let p = TileProjection::new(tile, &frame).expect("projects");
        let g = tile.bounds_geographic_deg();
        for (lon, lat, x, y) in [(g.min[0], g.max[1], 0.0, 0.0), (g.max[0], g.min[1], 4096.0, 4096.0)] {
            let w = frame.working_from_geographic([lon, lat]).expect("inside");
            let u = p.units(w[0], w[1]).expect("inside");
            assert!((u[0] - x).abs() < 0.1 && (u[1] - y).abs() < 0.1, "{u:?}");
        }
    }
}
