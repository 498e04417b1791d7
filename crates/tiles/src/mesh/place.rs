use crate::{Cell, TilesError};
use strata_model::{Enu, Point3, WorkingFrame, ecef_from_geographic};

/// Beyond this half side the fitted way is no longer exact to a millimetre, and each place is projected.
const FITTED_HALF_M: f64 = 4_000.0;

/// The way from the working frame to one tile's frame.
///
/// A place on the ellipsoid is a biquadratic in east and north, fitted to nine exact projections (the third
/// order left out is below a millimetre at 4 km), and height goes along a bilinear ellipsoid normal.
pub(crate) struct TilePlace<'a> {
    frame: &'a WorkingFrame,
    enu: Enu,
    middle: [f64; 2],
    fitted: bool,
    scale: f64,
    /// Coefficients of 1, x, x², y, xy, x²y, y², xy², x²y² with x, y in −1..1.
    ground: [[f64; 3]; 9],
    up: [[f64; 3]; 9],
    /// Rotation from grid to true north, cosine and sine.
    turn: [f64; 2],
}

impl<'a> TilePlace<'a> {
    pub fn new(frame: &'a WorkingFrame, cell: &Cell) -> Result<Self, TilesError> {
        let enu = Enu::at_geographic(cell.centre);
        let middle = frame.working_from_geographic([cell.centre[0], cell.centre[1]])?;
        let half = (0..2).map(|k| (cell.bounds.max[k] - middle[k]).max(middle[k] - cell.bounds.min[k])).fold(1.0, f64::max);
        let scale = half * 1.25 + 50.0;
        let mut place =
            Self { frame, enu, middle, fitted: half <= FITTED_HALF_M, scale, ground: [[0.0; 3]; 9], up: [[0.0; 3]; 9], turn: [1.0, 0.0] };
        let north = frame.convergence_deg(middle)?.to_radians();
        place.turn = [north.cos(), north.sin()];
        if place.fitted {
            let mut samples = [([0.0; 3], [0.0; 3]); 9];
            for (i, s) in samples.iter_mut().enumerate() {
                let (x, y) = ((i % 3) as f64 - 1.0, (i / 3) as f64 - 1.0);
                let p = [middle[0] + x * scale, middle[1] + y * scale];
                let low = place.exact([p[0], p[1], 0.0])?;
                let high = place.exact([p[0], p[1], 1000.0])?;
                *s = (low, [0, 1, 2].map(|k| (high[k] - low[k]) / 1000.0));
            }
            place.ground = fit(&samples.map(|s| s.0));
            place.up = fit(&samples.map(|s| s.1));
        }
        Ok(place)
    }

    fn exact(&self, p: Point3) -> Result<Point3, TilesError> {
        let [lon, lat] = self.frame.geographic_from_working([p[0], p[1]])?;
        Ok(self.enu.local_from_ecef(ecef_from_geographic([lon, lat, p[2] + self.frame.geoid_offset_m])))
    }

    /// Working `[east, north, height]` → tile frame, m.
    pub fn local(&self, p: Point3) -> Point3 {
        let (x, y) = ((p[0] - self.middle[0]) / self.scale, (p[1] - self.middle[1]) / self.scale);
        if !self.fitted || x.abs() > 1.6 || y.abs() > 1.6 {
            // A place that cannot be projected stays where the plane would have it.
            return self.exact(p).unwrap_or([p[0] - self.middle[0], p[1] - self.middle[1], p[2] - self.enu_height()]);
        }
        let (xx, yy) = (x * x, y * y);
        let terms = [1.0, x, xx, y, x * y, xx * y, yy, x * yy, xx * yy];
        let mut out = [0.0; 3];
        for (i, t) in terms.iter().enumerate() {
            for (k, o) in out.iter_mut().enumerate() {
                *o += t * (self.ground[i][k] + p[2] * self.up[i][k]);
            }
        }
        out
    }

    fn enu_height(&self) -> f64 {
        strata_model::geographic_from_ecef(self.enu.origin_in_ecef)[2] - self.frame.geoid_offset_m
    }

    /// A direction of the working frame in the tile frame, unit length; up for one without length.
    pub fn direction(&self, d: [f64; 3]) -> [f32; 3] {
        let [c, s] = self.turn;
        // True north lies clockwise of grid north by the angle: turning the axes so turns directions the other way.
        let v = [d[0] * c - d[1] * s, d[0] * s + d[1] * c, d[2]];
        let len = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
        if len > 1e-12 && len.is_finite() { v.map(|c| (c / len) as f32) } else { [0.0, 0.0, 1.0] }
    }

    pub fn ecef_from_tile(&self) -> [f64; 16] {
        self.enu.matrix_ecef_from_local()
    }
}

/// Lagrange through −1, 0, 1 both ways, as coefficients.
fn fit(samples: &[[f64; 3]; 9]) -> [[f64; 3]; 9] {
    let quadratic = |a: f64, b: f64, c: f64| [b, (c - a) / 2.0, (a + c) / 2.0 - b];
    let mut out = [[0.0; 3]; 9];
    for k in 0..3 {
        let rows: [[f64; 3]; 3] = [0, 1, 2].map(|r| quadratic(samples[r * 3][k], samples[r * 3 + 1][k], samples[r * 3 + 2][k]));
        for i in 0..3 {
            let column = quadratic(rows[0][i], rows[1][i], rows[2][i]);
            for j in 0..3 {
                out[j * 3 + i][k] = column[j];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_model::{Bounds2, Crs};

    #[test]
    fn fitted_places_and_directions_agree_with_the_projection() {
        let frame = WorkingFrame::new(Crs::CHANGCHUN, 12.5).expect("known");
        for size in [200.0, 1500.0, 12_000.0, 40_000.0] {
            let middle = frame.working_from_geographic([125.32, 43.88]).expect("inside");
            let b = Bounds2 { min: middle.map(|v| v - size / 2.0), max: middle.map(|v| v + size / 2.0) };
            let cell = Cell { level: 0, x: 0, y: 0, bounds: b, centre: [125.32, 43.88, 230.0], region: [0.0; 6], size_m: size, steps: 0 };
            let place = TilePlace::new(&frame, &cell).expect("inside");
            for (x, y, h) in [(0.0, 0.0, 200.0), (0.49, -0.5, 250.0), (-0.5, 0.31, 90.0), (0.5, 0.5, 431.0), (-0.6, -0.6, 210.0)] {
                let p = [middle[0] + x * size, middle[1] + y * size, h];
                let got = place.enu.ecef_from_local(place.local(p));
                let want = frame.ecef_from_working(p).expect("inside");
                let off = (0..3).map(|k| (got[k] - want[k]).powi(2)).sum::<f64>().sqrt();
                assert!(off < 1e-3, "{off} m off at {x} {y} of {size}");
                let q = place.local([p[0], p[1] + 1.0, h]);
                let l = place.local(p);
                let north = place.direction([0.0, 1.0, 0.0]);
                assert!((0..3).all(|k| (q[k] - l[k] - f64::from(north[k])).abs() < 6e-3), "{north:?}");
            }
        }
    }
}
