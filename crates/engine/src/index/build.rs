use super::{EXACT_LEN, LEAF_LEN, NODE_LEN, NODE_SIZE, RowBox, hilbert::hilbert, level_blocks, space_key, time_key};
use strata_model::Bounds3;

/// An index in memory, as it goes into its file.
pub struct BuiltIndex {
    /// `order[new row] = given row`.
    pub order: Vec<u32>,
    pub origin: [f64; 3],
    /// Leaves, then every level above them.
    pub nodes: Vec<f32>,
    /// Exact bounds of each row in the new order, 64 bytes each: six f64, two i64, little endian.
    pub exact: Vec<u8>,
}

/// Sorts the boxes along the curve and packs the levels. At most `u32::MAX` boxes; ties keep the given order.
pub fn build(rows: &[RowBox]) -> BuiltIndex {
    let mut all = Bounds3::EMPTY;
    for r in rows.iter().filter(|r| !r.bounds.is_empty()) {
        all.merge(&r.bounds);
    }
    let origin = if all.is_empty() || !all.centre().iter().all(|v| v.is_finite()) { [0.0; 3] } else { all.centre() };
    let order = order(rows, &all);
    let blocks = level_blocks(rows.len());
    let mut nodes = vec![f32::NAN; blocks[0] * LEAF_LEN + blocks[1..].iter().sum::<usize>() * NODE_LEN];
    let mut exact = Vec::with_capacity(rows.len() * EXACT_LEN);
    // Bounds of the blocks of the level last written, as a node keeps them.
    let mut below = vec![NOTHING; blocks[0]];
    for (new, &given) in order.iter().enumerate() {
        let r = &rows[given as usize];
        for v in [r.bounds.min, r.bounds.max].iter().flatten() {
            exact.extend_from_slice(&v.to_le_bytes());
        }
        exact.extend_from_slice(&r.valid.from.0.to_le_bytes());
        exact.extend_from_slice(&r.valid.to.0.to_le_bytes());
        let keys = keys(r, &origin);
        let (block, at) = (new / NODE_SIZE, new % NODE_SIZE);
        for (k, key) in keys[..8].iter().enumerate() {
            nodes[block * LEAF_LEN + k * NODE_SIZE + at] = *key;
        }
        merge(&mut below[block], &keys);
    }
    let mut start = blocks[0] * LEAF_LEN;
    for &count in &blocks[1..] {
        let mut here = vec![NOTHING; count];
        for (child, keys) in below.iter().enumerate() {
            let (block, at) = (child / NODE_SIZE, child % NODE_SIZE);
            for (k, key) in keys.iter().enumerate() {
                nodes[start + block * NODE_LEN + k * NODE_SIZE + at] = *key;
            }
            merge(&mut here[block], keys);
        }
        start += count * NODE_LEN;
        below = here;
    }
    BuiltIndex { order, origin, nodes, exact }
}

type Keys = [f32; 10];
const INF: f32 = f32::INFINITY;
const NOTHING: Keys = [INF, -INF, INF, -INF, INF, -INF, INF, -INF, -INF, INF];

/// The keys of one row. One that stands at no moment or has no box never counts as surely inside, so that it is
/// always asked exactly.
fn keys(r: &RowBox, origin: &[f64; 3]) -> Keys {
    let (lo, hi) = (r.bounds.min, r.bounds.max);
    let (from, to) = if r.valid.from < r.valid.to { (time_key(r.valid.from), time_key(r.valid.to)) } else { (INF, -INF) };
    let odd = r.bounds.is_empty() || from == INF;
    [
        space_key(lo[0], origin[0]),
        space_key(hi[0], origin[0]),
        space_key(lo[1], origin[1]),
        space_key(hi[1], origin[1]),
        space_key(lo[2], origin[2]),
        space_key(hi[2], origin[2]),
        from,
        to,
        if odd { INF } else { from },
        if odd { -INF } else { to },
    ]
}

fn merge(into: &mut Keys, keys: &Keys) {
    for k in [0, 2, 4, 6, 9] {
        into[k] = into[k].min(keys[k]);
    }
    for k in [1, 3, 5, 7, 8] {
        into[k] = into[k].max(keys[k]);
    }
}

fn order(rows: &[RowBox], all: &Bounds3) -> Vec<u32> {
    let scale = [0, 1].map(|k| {
        let width = all.max[k] - all.min[k];
        if width > 0.0 && width.is_finite() { 65_535.0 / width } else { 0.0 }
    });
    let cell = |v: f64, k: usize| ((v - all.min[k]) * scale[k]) as u32;
    let mut keyed: Vec<(u32, u32)> = rows
        .iter()
        .enumerate()
        .map(|(i, r)| {
            let key = if r.bounds.is_empty() {
                u32::MAX
            } else {
                let c = r.bounds.centre();
                hilbert(cell(c[0], 0), cell(c[1], 1))
            };
            (key, i as u32)
        })
        .collect();
    keyed.sort_unstable_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| {
            let (ra, rb) = (&rows[a.1 as usize], &rows[b.1 as usize]);
            (ra.bounds.min[2].total_cmp(&rb.bounds.min[2])).then(ra.valid.from.cmp(&rb.valid.from)).then(a.1.cmp(&b.1))
        })
    });
    keyed.into_iter().map(|(_, i)| i).collect()
}
