//! All pairs of boxes that meet: a packed Hilbert R-tree joined with itself, on all cores.

use rayon::prelude::*;

/// Children of a node.
const FAN: usize = 16;

/// A packed tree over plan boxes `[east min, north min, east max, north max]`. Boxes that are not finite are left out.
pub struct Plan {
    /// Number of the box at each place of the sorted order.
    pub order: Vec<u32>,
    /// Boxes of all levels, the sorted leaves first.
    levels: Vec<Vec<[f64; 4]>>,
}

pub(crate) fn meets(a: &[f64; 4], b: &[f64; 4]) -> bool {
    a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3]
}

pub(crate) fn merged(boxes: &[[f64; 4]]) -> [f64; 4] {
    boxes.iter().fold([f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY], |m, b| {
        [m[0].min(b[0]), m[1].min(b[1]), m[2].max(b[2]), m[3].max(b[3])]
    })
}

/// Place on a Hilbert curve over 65536 × 65536 cells.
fn hilbert(mut x: u32, mut y: u32) -> u32 {
    let mut d = 0;
    let mut s = 1u32 << 15;
    while s > 0 {
        let (rx, ry) = (u32::from(x & s > 0), u32::from(y & s > 0));
        d += s.wrapping_mul(s).wrapping_mul((3 * rx) ^ ry);
        if ry == 0 {
            if rx == 1 {
                (x, y) = (65_535 - x, 65_535 - y);
            }
            (x, y) = (y, x);
        }
        s >>= 1;
    }
    d
}

impl Plan {
    pub fn new(boxes: &[[f64; 4]]) -> Self {
        let sound = |b: &[f64; 4]| b.iter().all(|v| v.is_finite());
        let all = boxes
            .par_iter()
            .filter(|b| sound(b))
            .fold_with(merged(&[]), |m, b| merged(&[m, *b]))
            .reduce(|| merged(&[]), |a, b| merged(&[a, b]));
        let scale = [0, 1].map(|k| 65_535.0 / (all[k + 2] - all[k]).max(1e-9));
        let mut keyed: Vec<(u32, u32)> = boxes
            .par_iter()
            .enumerate()
            .filter(|(_, b)| sound(b))
            .map(|(i, b)| {
                let at = |k: usize| (((b[k] + b[k + 2]) / 2.0 - all[k]) * scale[k]) as u32;
                (hilbert(at(0), at(1)), i as u32)
            })
            .collect();
        keyed.par_sort_unstable();
        let order: Vec<u32> = keyed.into_iter().map(|k| k.1).collect();
        let mut levels = vec![order.par_iter().map(|i| boxes[*i as usize]).collect::<Vec<_>>()];
        while let Some(last) = levels.last().filter(|l| l.len() > FAN) {
            let next: Vec<_> = last.par_chunks(FAN).map(merged).collect();
            levels.push(next);
        }
        Self { order, levels }
    }

    /// Calls `f` with the number of every box that meets `window`, among those at `from` or later in the sorted order.
    #[inline]
    fn each(&self, window: &[f64; 4], from: usize, f: &mut impl FnMut(u32)) {
        let top = self.levels.len() - 1;
        let mut stack = [(0usize, 0usize); 128];
        let mut n = 0;
        let push = |level: usize, range: std::ops::Range<usize>, stack: &mut [(usize, usize); 128], n: &mut usize| {
            // A node is passed over when all that lies under it stands before `from`.
            let under = FAN.pow(level as u32);
            for i in range {
                if (i + 1) * under > from && meets(&self.levels[level][i], window) {
                    stack[*n] = (level, i);
                    *n += 1;
                }
            }
        };
        push(top, 0..self.levels[top].len(), &mut stack, &mut n);
        while n > 0 {
            n -= 1;
            let (level, i) = stack[n];
            if level == 0 {
                f(self.order[i]);
                continue;
            }
            let below = level - 1;
            let range = i * FAN..((i + 1) * FAN).min(self.levels[below].len());
            if below == 0 {
                for k in range.start.max(from)..range.end {
                    if meets(&self.levels[0][k], window) {
                        f(self.order[k]);
                    }
                }
            } else {
                push(below, range, &mut stack, &mut n);
            }
        }
    }

    /// Numbers of the boxes that meet `window`.
    pub fn within(&self, window: &[f64; 4], f: &mut impl FnMut(u32)) {
        self.each(window, 0, f);
    }

    /// Every pair once, in no order: box `i` grown by `grow(i)` meets box `j`. `f` gives what is kept of a pair. The growth
    /// must be enough for the pair whichever of the two is `i`.
    pub fn pairs<T: Send>(&self, grow: impl Fn(u32) -> f64 + Sync, f: impl Fn(u32, u32) -> Option<T> + Sync) -> Vec<T> {
        let leaves = &self.levels[0];
        (0..leaves.len().div_ceil(512))
            .into_par_iter()
            .flat_map_iter(|chunk| {
                let mut out = Vec::new();
                for (k, b) in leaves.iter().enumerate().skip(chunk * 512).take(512) {
                    let i = self.order[k];
                    let g = grow(i);
                    let window = [b[0] - g, b[1] - g, b[2] + g, b[3] + g];
                    self.each(&window, k + 1, &mut |j| out.extend(f(i, j)));
                }
                out
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn every_pair_once_as_by_brute_force() {
        for (seed, n) in [(1u64, 0usize), (2, 1), (3, 17), (4, 900), (5, 5_000)] {
            let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let mut boxes: Vec<[f64; 4]> = (0..n)
                .map(|_| {
                    let (x, y) = (dice.random_range(0.0..300.0), dice.random_range(0.0..300.0));
                    [x, y, x + dice.random_range(0.0..9.0), y + dice.random_range(0.0..9.0)]
                })
                .collect();
            if n > 20 {
                boxes[7][2] = f64::NAN;
            }
            let key = |i: u32, j: u32| Some((i.min(j), i.max(j)));
            let mut found = Plan::new(&boxes).pairs(|_| 1.0, key);
            found.sort_unstable();
            let mut wanted = Vec::new();
            for i in 0..n as u32 {
                for j in i + 1..n as u32 {
                    let (a, b) = (&boxes[i as usize], &boxes[j as usize]);
                    if a[2].is_finite() && b[2].is_finite() && meets(&[a[0] - 1.0, a[1] - 1.0, a[2] + 1.0, a[3] + 1.0], b) {
                        wanted.push((i, j));
                    }
                }
            }
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn ten_thousand_boxes_at_one_place() {
        let boxes = vec![[5.0, 5.0, 6.0, 6.0]; 10_000];
        let n = Plan::new(&boxes).pairs(|_| 0.0, |i, j| (i / 100 == j / 100).then_some(())).len();
        assert_eq!(n, 100 * 100 * 99 / 2);
    }
}
