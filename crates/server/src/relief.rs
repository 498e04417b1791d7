//! Heights under a tile: the TIN's triangles in a grid of cells.

use strata_model::{Bounds2, FeatureBatch, Geometry, Instant, Point3};

const CELLS: usize = 64;

/// Triangles over a plan box in the working frame.
pub struct Relief {
    bounds: Bounds2,
    triangles: Vec<[Point3; 3]>,
    cells: Vec<Vec<u32>>,
}

impl Relief {
    pub fn new(batch: &FeatureBatch, bounds: Bounds2) -> Self {
        let mut out = Self { bounds, triangles: Vec::new(), cells: vec![Vec::new(); CELLS * CELLS] };
        // Of ground that has changed through time the ground of today, where there is one.
        let standing = batch.features.iter().any(|f| f.valid.to == Instant::MAX);
        for f in batch.features.iter().filter(|f| !standing || f.valid.to == Instant::MAX) {
            let Geometry::Tin { points, triangles } = &f.geometry else { continue };
            for t in triangles {
                let [Some(a), Some(b), Some(c)] = t.map(|i| points.get(i as usize).copied()) else { continue };
                out.add([a, b, c]);
            }
        }
        out
    }
    pub fn is_empty(&self) -> bool {
        self.triangles.is_empty()
    }
    fn cell(&self, k: usize, v: f64) -> usize {
        let share = (v - self.bounds.min[k]) / (self.bounds.max[k] - self.bounds.min[k]);
        ((share * CELLS as f64).max(0.0) as usize).min(CELLS - 1)
    }
    fn add(&mut self, t: [Point3; 3]) {
        let mut b = Bounds2::EMPTY;
        t.iter().for_each(|p| b.extend([p[0], p[1]]));
        if !b.intersects(&self.bounds) {
            return;
        }
        let row = self.triangles.len() as u32;
        for y in self.cell(1, b.min[1])..=self.cell(1, b.max[1]) {
            for x in self.cell(0, b.min[0])..=self.cell(0, b.max[0]) {
                self.cells[y * CELLS + x].push(row);
            }
        }
        self.triangles.push(t);
    }
    /// Height on the triangle over the place; on a shared edge that of either. `None` beside the terrain.
    pub fn height_m(&self, east: f64, north: f64) -> Option<f64> {
        if !self.bounds.contains([east, north]) {
            return None;
        }
        self.cells[self.cell(1, north) * CELLS + self.cell(0, east)].iter().find_map(|&i| {
            let [a, b, c] = self.triangles[i as usize];
            let double = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
            if double == 0.0 {
                return None;
            }
            let u = ((east - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (north - a[1])) / double;
            let v = ((b[0] - a[0]) * (north - a[1]) - (east - a[0]) * (b[1] - a[1])) / double;
            (u >= -1e-9 && v >= -1e-9 && u + v <= 1.0 + 1e-9).then(|| a[2] + u * (b[2] - a[2]) + v * (c[2] - a[2]))
        })
    }
}
