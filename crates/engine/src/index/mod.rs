//! The packed time-space index: a Hilbert R-tree over (east, north, height, valid time) in one flat run of f32.
//!
//! Rows are sorted along a Hilbert curve in plan, sixteen to a leaf, sixteen nodes to a node, every level full but
//! for its end; so a node needs no pointer, and a node that lies wholly inside the window is a *range of rows* that
//! is given out without another look. A node keeps the bounds of its sixteen children side by side, one array for
//! each bound: one visit is a handful of vector comparisons without a branch.
//!
//! Bounds are kept as f32 by one mapping that never turns an order around (offset from the segment's origin, days
//! for time). So `mapped a < mapped b` proves `a < b`, and only where the two are *equal* the exact f64 bounds have
//! to be asked. Answers are those of the exact boxes, never those of the rounded ones.

mod build;
mod hilbert;
mod search;
mod view;

pub use build::{BuiltIndex, build};
pub use view::{IndexView, Window};

use strata_model::{Bounds3, Instant, Interval};

/// Children of a node.
pub const NODE_SIZE: usize = 16;

/// What the index knows of a row: its box in the working frame and its valid time. An empty box meets no bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowBox {
    pub bounds: Bounds3,
    pub valid: Interval,
}

impl RowBox {
    /// No box, no moment.
    const NOTHING: Self = Self { bounds: Bounds3::EMPTY, valid: Interval { from: Instant::MAX, to: Instant::MIN } };

    /// As the exact bounds are kept: min, max (six f64), from, to (two i64), by their bits.
    fn from_words(w: &[u64; EXACT_WORDS]) -> Self {
        let real = |k: usize| f64::from_bits(w[k]);
        Self {
            bounds: Bounds3 { min: [real(0), real(1), real(2)], max: [real(3), real(4), real(5)] },
            valid: Interval { from: Instant(w[6] as i64), to: Instant(w[7] as i64) },
        }
    }
    fn to_words(self) -> [u64; EXACT_WORDS] {
        let ([a, b, c], [d, e, f]) = (self.bounds.min.map(f64::to_bits), self.bounds.max.map(f64::to_bits));
        [a, b, c, d, e, f, self.valid.from.0 as u64, self.valid.to.0 as u64]
    }
}

/// Arrays of a leaf: min x, max x, min y, max y, min z, max z, from, to.
const LEAF_ARRAYS: usize = 8;
/// Those of a node above: the same of all its rows, then the latest from and the earliest to.
const NODE_ARRAYS: usize = 10;
const LEAF_LEN: usize = LEAF_ARRAYS * NODE_SIZE;
const NODE_LEN: usize = NODE_ARRAYS * NODE_SIZE;
/// Words of a row's exact bounds.
const EXACT_WORDS: usize = 8;

const DAY_MS: f64 = 86_400_000.0;

/// Never turns an order around; unbounded ends become infinite.
fn time_key(at: Instant) -> f32 {
    match at {
        Instant::MIN => f32::NEG_INFINITY,
        Instant::MAX => f32::INFINITY,
        Instant(ms) => (ms as f64 / DAY_MS) as f32,
    }
}

fn space_key(value: f64, origin: f64) -> f32 {
    (value - origin) as f32
}

/// How many blocks each level has, from the leaves up to the root's level, which has one.
fn level_blocks(rows: usize) -> Vec<usize> {
    let mut blocks = vec![rows.div_ceil(NODE_SIZE)];
    while let Some(&last) = blocks.last()
        && last > 1
    {
        blocks.push(last.div_ceil(NODE_SIZE));
    }
    blocks
}
