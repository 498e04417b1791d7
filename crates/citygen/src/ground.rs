//! Height of the ground, m above the 1985 datum, on a grid whose triangles are the terrain layer: whatever asks for
//! a height gets a point of the very surface that is drawn. A second grid leaves out the river bed, for bridges.

use crate::{
    dice::{For, hash},
    map::*,
    plane::*,
};
use strata_model::Bounds2;

pub(crate) struct Water {
    pub zh: &'static str,
    pub kind: &'static str,
    pub ring: Ring,
    pub level_m: f64,
    pub depth_m: f64,
}

pub(crate) struct River {
    pub line: Vec<P2>,
    /// Water level at each point, falling with the flow (south to north).
    pub level_m: Vec<f64>,
}

impl River {
    fn new() -> Self {
        let line = smooth(RIVER, 30.0, false);
        let mut s = 0.0;
        let level_m = line
            .iter()
            .enumerate()
            .map(|(i, p)| {
                if i > 0 {
                    s += dist(*p, line[i - 1]);
                }
                206.5 - 0.00062 * s
            })
            .collect();
        Self { line, level_m }
    }
    /// Distance to the centre line, m; level there; +1 west of it (left of the flow), −1 east.
    pub fn nearest(&self, p: P2) -> (f64, f64, f64) {
        // A coarse pass over every eighth point, then the segments around the best.
        let best = (0..self.line.len()).step_by(8).min_by(|&a, &b| dist(self.line[a], p).total_cmp(&dist(self.line[b], p))).unwrap_or(0);
        let (lo, hi) = (best.saturating_sub(12), (best + 12).min(self.line.len() - 1));
        let mut out = (f64::INFINITY, 0.0, 1.0);
        for i in lo..hi {
            let (a, b) = (self.line[i], self.line[i + 1]);
            let (d, t) = to_segment(a, b, p);
            if d < out.0 {
                out = (d, self.level_m[i] + (self.level_m[i + 1] - self.level_m[i]) * t, cross(sub(b, a), sub(p, a)).signum());
            }
        }
        out
    }
}

pub(crate) struct Ground {
    pub bounds: Bounds2,
    pub step_m: f64,
    pub cells: [usize; 2],
    pub river: River,
    pub waters: Vec<Water>,
    surface: Vec<f64>,
    deck: Vec<f64>,
}

fn step(a: f64, b: f64, x: f64) -> f64 {
    let t = ((x - a) / (b - a)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

struct Waves(Vec<[f64; 4]>);

impl Waves {
    fn new(seed: u64) -> Self {
        let lengths = [2600.0, 1900.0, 1350.0, 1010.0, 760.0, 560.0];
        Self(
            (0..12u64)
                .map(|i| {
                    let h = |k: u64| (hash(seed, For::Ground, i * 4 + k) >> 11) as f64 / (1u64 << 53) as f64;
                    let l = lengths[i as usize % 6] * (0.85 + 0.3 * h(0));
                    let a = h(1) * std::f64::consts::TAU;
                    let k = std::f64::consts::TAU / l;
                    [k * a.cos(), k * a.sin(), h(2) * std::f64::consts::TAU, l / 2600.0]
                })
                .collect(),
        )
    }
    /// About −1..1.
    fn at(&self, p: P2) -> f64 {
        self.0.iter().map(|w| (w[0] * p[0] + w[1] * p[1] + w[2]).sin() * w[3]).sum::<f64>() / 3.4
    }
}

impl Ground {
    pub fn new(seed: u64, bounds: Bounds2, step_m: f64) -> Self {
        let cells = [0, 1].map(|k| ((bounds.max[k] - bounds.min[k]) / step_m).round() as usize);
        let (river, waves) = (River::new(), Waves::new(seed));
        let base = |p: P2| {
            let (d, level, side) = river.nearest(p);
            let rise = if side > 0.0 { 17.0 } else { 14.0 } * (1.0 - (-(d - 70.0).max(0.0) / 1500.0).exp());
            let mut z = level + 4.6 + rise + 4.2 * waves.at(p) * (1.0 - (-d / 600.0).exp());
            for &(c, spread, height) in HILLS {
                let r = dist(c, p) / spread;
                if r < 3.0 {
                    let folds = if spread > 1000.0 { 0.72 + 0.28 * (waves.at([p[0] * 2.3, p[1] * 2.3]) * 2.2).sin() } else { 1.0 };
                    z += height * (-r * r).exp() * folds;
                }
            }
            z
        };
        let mut waters: Vec<Water> = Vec::new();
        for (zh, kind, ring, depth_m) in [("南湖", "lake", LAKE, 3.2), ("净月潭", "reservoir", RESERVOIR, 9.0)] {
            let ring = clean(smooth(ring, 25.0, true));
            let level_m = ring.iter().map(|&p| base(p)).fold(f64::INFINITY, f64::min) - 0.6;
            waters.push(Water { zh, kind, ring, level_m: (level_m * 10.0).round() / 10.0, depth_m });
        }
        let lakes: Vec<(Bounds2, usize)> = waters
            .iter()
            .enumerate()
            .map(|(i, w)| {
                let mut b = Bounds2::EMPTY;
                w.ring.iter().for_each(|&p| b.extend(p));
                (b.grown(260.0), i)
            })
            .collect();
        let (nx, ny) = (cells[0] + 1, cells[1] + 1);
        let mut surface = Vec::with_capacity(nx * ny);
        let mut deck = Vec::with_capacity(nx * ny);
        for j in 0..ny {
            for i in 0..nx {
                let p = [bounds.min[0] + i as f64 * step_m, bounds.min[1] + j as f64 * step_m];
                let mut z = base(p);
                for &(b, k) in &lakes {
                    if b.contains(p) {
                        let w = &waters[k];
                        let d = to_ring(&w.ring, p);
                        z = if inside(&w.ring, p) {
                            w.level_m - 0.4 - (w.depth_m - 0.4) * step(0.0, 60.0, d)
                        } else {
                            let shore = w.level_m - 0.4 + 1.7 * step(0.0, 30.0, d);
                            shore + (z - shore) * step(20.0, 250.0, d)
                        };
                    }
                }
                deck.push(z);
                let (d, level, _) = river.nearest(p);
                let bed = level - 0.4 - 2.4 * step(0.0, RIVER_HALF_WIDTH_M, RIVER_HALF_WIDTH_M - d);
                let bank = RIVER_HALF_WIDTH_M + 48.0;
                surface.push(if d < RIVER_HALF_WIDTH_M {
                    bed
                } else if d < bank {
                    bed + (z - bed) * step(RIVER_HALF_WIDTH_M, bank, d)
                } else {
                    z
                });
            }
        }
        let mut ground = Self { bounds, step_m, cells, river, waters, surface, deck };
        ground.add_reaches();
        ground
    }

    /// The river as flat reaches of about 400 m with a weir's step between them.
    fn add_reaches(&mut self) {
        let box_ring = box_ring(&self.bounds);
        let n = self.river.line.len();
        let [right, left] = [-RIVER_HALF_WIDTH_M, RIVER_HALF_WIDTH_M].map(|w| offset(&self.river.line, w));
        for from in (0..n - 1).step_by(14) {
            let to = (from + 14).min(n - 1);
            let line = &self.river.line[from..=to];
            if line.len() < 2 || !line.iter().any(|&p| self.bounds.grown(300.0).contains(p)) {
                continue;
            }
            let ring: Ring = right[from..=to].iter().chain(left[from..=to].iter().rev()).copied().collect();
            let level_m = self.river.level_m[to];
            for ring in common(&clean(ring), &box_ring) {
                self.waters.push(Water { zh: "伊通河", kind: "river", ring, level_m, depth_m: 2.4 });
            }
        }
        let lakes: Vec<Water> = std::mem::take(&mut self.waters);
        for w in lakes {
            if w.kind == "river" {
                self.waters.push(w);
                continue;
            }
            for ring in common(&w.ring, &box_ring) {
                self.waters.push(Water { ring, ..w });
            }
        }
    }

    pub fn grid_point(&self, i: usize, j: usize) -> [f64; 3] {
        let p = [self.bounds.min[0] + i as f64 * self.step_m, self.bounds.min[1] + j as f64 * self.step_m];
        [p[0], p[1], self.surface[j * (self.cells[0] + 1) + i]]
    }
    /// The terrain; outside the box the nearest border's height.
    pub fn z(&self, p: P2) -> f64 {
        self.sample(&self.surface, p)
    }
    /// The ground as it would be without the river's bed: what streets and bridges stand on.
    pub fn deck(&self, p: P2) -> f64 {
        self.sample(&self.deck, p)
    }
    fn sample(&self, grid: &[f64], p: P2) -> f64 {
        let at = |k: usize| {
            let c = ((p[k] - self.bounds.min[k]) / self.step_m).clamp(0.0, self.cells[k] as f64);
            let i = (c as usize).min(self.cells[k] - 1);
            (i, c - i as f64)
        };
        let ((i, x), (j, y)) = (at(0), at(1));
        let nx = self.cells[0] + 1;
        let g = |i: usize, j: usize| grid[j * nx + i];
        let (z00, z11) = (g(i, j), g(i + 1, j + 1));
        if x >= y {
            let z10 = g(i + 1, j);
            z00 + x * (z10 - z00) + y * (z11 - z10)
        } else {
            let z01 = g(i, j + 1);
            z00 + y * (z01 - z00) + x * (z11 - z01)
        }
    }
}

pub(crate) fn box_ring(b: &Bounds2) -> Ring {
    vec![b.min, [b.max[0], b.min[1]], b.max, [b.min[0], b.max[1]]]
}
