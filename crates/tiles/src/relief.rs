//! Ground heights at any place, read off the terrain's triangles.

use strata_model::{Bounds2, FeatureBatch, Geometry, Point3};

/// More nodes are not made; the cells grow instead.
const MAX_NODES: usize = 4_000_000;

/// A grid of ground heights over a box. Working frame, metres; a node without ground is `NaN`.
#[derive(Debug, Clone)]
pub struct Relief {
    origin: [f64; 2],
    step: [f64; 2],
    columns: usize,
    rows: usize,
    heights: Vec<f32>,
}

impl Relief {
    /// Rasterises every TIN of the batch whose valid time has no end (all of them when none is such) onto nodes
    /// at most `cell_m` apart over `bounds`. An empty box or batch gives a relief that knows no height.
    pub fn from_batch(batch: &FeatureBatch, bounds: Bounds2, cell_m: f64) -> Self {
        let mut relief = Self::empty(bounds, cell_m);
        let standing = batch.features.iter().any(|f| f.valid.to == strata_model::Instant::MAX);
        for feature in batch.features.iter().filter(|f| !standing || f.valid.to == strata_model::Instant::MAX) {
            if let Geometry::Tin { points, triangles } = &feature.geometry {
                relief.add(points, triangles);
            }
        }
        relief
    }

    /// A grid with no ground yet; at least one cell each way, none for an empty box.
    pub(crate) fn empty(bounds: Bounds2, cell_m: f64) -> Self {
        let finite = bounds.min.iter().chain(&bounds.max).all(|v| v.is_finite());
        if bounds.is_empty() || !finite {
            return Self { origin: [0.0; 2], step: [1.0; 2], columns: 0, rows: 0, heights: Vec::new() };
        }
        let size = [0, 1].map(|k| (bounds.max[k] - bounds.min[k]).max(1e-3));
        let least = (size[0] * size[1] / MAX_NODES as f64).sqrt() * 1.01;
        let cell = if cell_m.is_finite() { cell_m.max(0.05).max(least) } else { size[0].max(size[1]) };
        let counts = size.map(|s| ((s / cell).ceil() as usize).clamp(1, MAX_NODES / 4));
        Self::with_cells(bounds, counts)
    }

    pub(crate) fn with_cells(bounds: Bounds2, cells: [usize; 2]) -> Self {
        let step = [0, 1].map(|k| (bounds.max[k] - bounds.min[k]).max(1e-3) / cells[k].max(1) as f64);
        let (columns, rows) = (cells[0].max(1) + 1, cells[1].max(1) + 1);
        Self { origin: bounds.min, step, columns, rows, heights: vec![f32::NAN; columns * rows] }
    }

    pub(crate) fn add(&mut self, points: &[Point3], triangles: &[[u32; 3]]) {
        if self.heights.is_empty() {
            return;
        }
        for t in triangles {
            let Some([a, b, c]) = corners(points, t) else { continue };
            let det = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
            if det.abs() < 1e-9 {
                continue;
            }
            let span = |k: usize, n: usize| {
                let (lo, hi) = (a[k].min(b[k]).min(c[k]), a[k].max(b[k]).max(c[k]));
                let first = ((lo - self.origin[k]) / self.step[k] - 1e-6).ceil().max(0.0) as usize;
                let last = ((hi - self.origin[k]) / self.step[k] + 1e-6).floor();
                if last < 0.0 { 1..1 } else { first..(last as usize + 1).min(n) }
            };
            let (columns, rows) = (span(0, self.columns), span(1, self.rows));
            for row in rows {
                let n = self.origin[1] + row as f64 * self.step[1];
                for column in columns.clone() {
                    let e = self.origin[0] + column as f64 * self.step[0];
                    let u = ((e - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (n - a[1])) / det;
                    let v = ((b[0] - a[0]) * (n - a[1]) - (e - a[0]) * (b[1] - a[1])) / det;
                    if u >= -1e-6 && v >= -1e-6 && u + v <= 1.0 + 1e-6 {
                        self.heights[row * self.columns + column] = (a[2] + u * (b[2] - a[2]) + v * (c[2] - a[2])) as f32;
                    }
                }
            }
        }
    }

    pub(crate) fn node(&self, column: usize, row: usize) -> Option<Point3> {
        let h = *self.heights.get(row * self.columns + column)?;
        let place = [self.origin[0] + column as f64 * self.step[0], self.origin[1] + row as f64 * self.step[1]];
        (!h.is_nan()).then(|| [place[0], place[1], f64::from(h)])
    }

    /// Height of the ground at a working place, m; between nodes bilinear, at the rim of the ground from the
    /// nodes that have one. `None` outside the box or where no node near has ground.
    pub fn height_at(&self, east_m: f64, north_m: f64) -> Option<f64> {
        if self.heights.is_empty() {
            return None;
        }
        let x = (east_m - self.origin[0]) / self.step[0];
        let y = (north_m - self.origin[1]) / self.step[1];
        if !(x >= -1e-6 && y >= -1e-6 && x <= (self.columns - 1) as f64 + 1e-6 && y <= (self.rows - 1) as f64 + 1e-6) {
            return None;
        }
        let (column, row) = ((x.max(0.0) as usize).min(self.columns - 2), (y.max(0.0) as usize).min(self.rows - 2));
        let (fx, fy) = ((x - column as f64).clamp(0.0, 1.0), (y - row as f64).clamp(0.0, 1.0));
        let (mut sum, mut weight) = (0.0, 0.0);
        for (dc, dr, w) in [(0, 0, (1.0 - fx) * (1.0 - fy)), (1, 0, fx * (1.0 - fy)), (0, 1, (1.0 - fx) * fy), (1, 1, fx * fy)] {
            let h = self.heights[(row + dr) * self.columns + column + dc];
            if !h.is_nan() {
                sum += (w + 1e-9) * f64::from(h);
                weight += w + 1e-9;
            }
        }
        (weight > 0.0).then(|| sum / weight)
    }
}

pub(crate) fn corners(points: &[Point3], t: &[u32; 3]) -> Option<[Point3; 3]> {
    Some([*points.get(t[0] as usize)?, *points.get(t[1] as usize)?, *points.get(t[2] as usize)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_is_met_exactly_and_the_outside_is_unknown() {
        let plane = |e: f64, n: f64| 200.0 + 0.03 * e - 0.05 * n;
        let points: Vec<Point3> = [[0.0, 0.0], [100.0, 0.0], [100.0, 80.0], [0.0, 80.0]].map(|[e, n]| [e, n, plane(e, n)]).into();
        let bounds = Bounds2 { min: [-20.0, -20.0], max: [120.0, 100.0] };
        let mut relief = Relief::empty(bounds, 2.0);
        relief.add(&points, &[[0, 1, 2], [0, 2, 3]]);
        for (e, n) in [(0.0, 0.0), (100.0, 80.0), (33.3, 41.7), (50.0, 40.0), (99.0, 1.0)] {
            let h = relief.height_at(e, n).expect("ground");
            assert!((h - plane(e, n)).abs() < 1e-3, "{h} at {e} {n}");
        }
        assert_eq!(relief.height_at(-15.0, 10.0), None, "inside the box, no ground");
        assert_eq!(relief.height_at(500.0, 10.0), None);
        assert_eq!(relief.height_at(f64::NAN, 10.0), None);
        assert_eq!(Relief::empty(Bounds2::EMPTY, 1.0).height_at(0.0, 0.0), None);
        assert!(Relief::empty(Bounds2 { min: [0.0; 2], max: [1e6, 1e6] }, 0.01).heights.len() <= MAX_NODES);
    }
}
