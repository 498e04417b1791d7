use super::{BuiltIndex, EXACT_WORDS, LEAF_LEN, NODE_LEN, RowBox, level_blocks, space_key, time_key};
use arrow::buffer::{Buffer, ScalarBuffer};
use strata_model::{Bounds3, Instant, Interval};

/// A window on space and valid time. `None` asks nothing of that side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Window {
    /// Working frame, `[east_m, north_m, height_m]`, ends included; a row is taken when its own box meets it.
    pub bounds: Option<Bounds3>,
    /// A row is taken when its interval shares a moment with this one; an empty interval takes nothing.
    pub valid: Option<Interval>,
}

impl Window {
    /// The exact question, as [`Bounds3::intersects`] and [`Interval::overlaps`] put it.
    pub fn takes(&self, row: &RowBox) -> bool {
        self.bounds.is_none_or(|b| !row.bounds.is_empty() && row.bounds.intersects(&b)) && self.valid.is_none_or(|v| row.valid.overlaps(&v))
    }
}

/// The mapped window: what a row's keys are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keyed {
    pub min: [f32; 3],
    pub max: [f32; 3],
    pub from: f32,
    /// Of the last millisecond inside.
    pub last: f32,
}

/// An index in its buffer, read where it lies.
#[derive(Debug, Clone)]
pub struct IndexView {
    rows: usize,
    origin: [f64; 3],
    nodes: ScalarBuffer<f32>,
    exact: ScalarBuffer<u64>,
    /// Where each level begins in `nodes`, from the leaves up.
    pub(super) starts: Vec<usize>,
}

impl IndexView {
    /// `None` when the lengths do not fit the number of rows, or a buffer is not aligned to its numbers (f32, u64).
    pub fn new(rows: usize, origin: [f64; 3], nodes: Buffer, exact: Buffer) -> Option<Self> {
        let len = nodes_len(rows)?;
        let words = rows.checked_mul(EXACT_WORDS)?;
        let fits = nodes.len() == len.checked_mul(4)? && exact.len() == words.checked_mul(8)?;
        if !fits || nodes.as_ptr().align_offset(4) != 0 || exact.as_ptr().align_offset(8) != 0 {
            return None;
        }
        let mut starts = vec![0];
        for (level, blocks) in level_blocks(rows).iter().enumerate() {
            starts.push(starts[level] + blocks * if level == 0 { LEAF_LEN } else { NODE_LEN });
        }
        starts.pop();
        Some(Self { rows, origin, nodes: ScalarBuffer::new(nodes, 0, len), exact: ScalarBuffer::new(exact, 0, words), starts })
    }
    /// Bytes of the nodes over so many rows; `None` beyond `u32::MAX` rows.
    pub fn nodes_bytes(rows: usize) -> Option<usize> {
        nodes_len(rows)?.checked_mul(4)
    }
    /// Over an index that was built in memory.
    pub fn over(built: BuiltIndex) -> Option<Self> {
        Self::new(built.order.len(), built.origin, Buffer::from_vec(built.nodes), Buffer::from_vec(built.exact.into_flattened()))
    }
    pub fn len(&self) -> usize {
        self.rows
    }
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }
    pub(super) fn nodes(&self) -> &[f32] {
        &self.nodes
    }
    /// The exact box and interval of a row below [`IndexView::len`].
    pub fn row(&self, row: u32) -> RowBox {
        let at = row as usize * EXACT_WORDS;
        self.exact.get(at..).and_then(|rest| rest.first_chunk()).map_or(RowBox::NOTHING, RowBox::from_words)
    }
    pub(super) fn keyed(&self, window: &Window) -> Keyed {
        let inf = f32::INFINITY;
        let (min, max) = window.bounds.map_or(([-inf; 3], [inf; 3]), |b| {
            let key = |p: [f64; 3]| [0, 1, 2].map(|k| space_key(p[k], self.origin[k]));
            (key(b.min), key(b.max))
        });
        let (from, last) = window.valid.map_or((-inf, inf), |v| {
            let last = if v.to == Instant::MAX { v.to } else { Instant(v.to.0.saturating_sub(1)) };
            (time_key(v.from), time_key(last))
        });
        Keyed { min, max, from, last }
    }
}

fn nodes_len(rows: usize) -> Option<usize> {
    if rows > u32::MAX as usize {
        return None;
    }
    let blocks = level_blocks(rows);
    Some(blocks[0] * LEAF_LEN + blocks[1..].iter().sum::<usize>() * NODE_LEN)
}
