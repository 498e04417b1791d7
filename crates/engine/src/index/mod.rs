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

/// Arrays of a leaf: min x, max x, min y, max y, min z, max z, from, to.
const LEAF_ARRAYS: usize = 8;
/// Those of a node above: the same of all its rows, then the latest from and the earliest to.
const NODE_ARRAYS: usize = 10;
const LEAF_LEN: usize = LEAF_ARRAYS * NODE_SIZE;
const NODE_LEN: usize = NODE_ARRAYS * NODE_SIZE;
/// Bytes of a row's exact bounds: six f64 and two i64.
const EXACT_LEN: usize = 64;

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
