use super::{
    EXACT_WORDS, LEAF_ARRAYS, LEAF_LEN, NODE_ARRAYS, NODE_LEN, NODE_SIZE, RowBox, hilbert::hilbert, level_blocks, space_key, time_key,
};
use strata_model::Bounds3;

/// An index in memory, as it goes into its file.
pub struct BuiltIndex {
    /// `order[new row] = given row`.
    pub order: Vec<u32>,
    pub origin: [f64; 3],
    /// Leaves, then every level above them.
    pub nodes: Vec<f32>,
    /// Exact bounds of each row in the new order, eight words each: six f64, two i64, by their bits.
    pub exact: Vec<[u64; EXACT_WORDS]>,
}

/// Sorts the boxes along the curve and packs the levels. At most `u32::MAX` boxes; ties keep the given order.
pub fn build(rows: &[RowBox]) -> BuiltIndex {
    let mut all = Bounds3::EMPTY;
    for r in rows.iter().filter(|r| !r.bounds.is_empty()) {
        all.merge(&r.bounds);
    }
    let origin = if all.is_empty() || !all.centre().iter().all(|v| v.is_finite()) { [0.0; 3] } else { all.centre() };
    let order = order(rows, &all);
    // Rows lie far apart in the given order: they are fetched in a loop that does nothing else.
    let exact: Vec<[u64; EXACT_WORDS]> = order.iter().map(|&given| rows[given as usize].to_words()).collect();
    let blocks = level_blocks(rows.len());
    let mut nodes = Vec::with_capacity(blocks[0] * LEAF_LEN + blocks[1..].iter().sum::<usize>() * NODE_LEN);
    // Bounds of the blocks of the level last written, as a node keeps them.
    let mut below = Vec::with_capacity(blocks[0]);
    for sixteen in exact.chunks(NODE_SIZE) {
        let mut lanes = [[f32::NAN; NODE_SIZE]; NODE_ARRAYS];
        for (at, row) in sixteen.iter().enumerate() {
            for (lane, key) in lanes.iter_mut().zip(keys(row, &origin)) {
                lane[at] = key;
            }
        }
        nodes.extend_from_slice(lanes[..LEAF_ARRAYS].as_flattened());
        below.push(merged(&lanes));
    }
    for _ in 1..blocks.len() {
        let mut here = Vec::with_capacity(below.len().div_ceil(NODE_SIZE));
        for sixteen in below.chunks(NODE_SIZE) {
            let mut lanes = [[f32::NAN; NODE_SIZE]; NODE_ARRAYS];
            for (at, keys) in sixteen.iter().enumerate() {
                for (lane, key) in lanes.iter_mut().zip(keys) {
                    lane[at] = *key;
                }
            }
            nodes.extend_from_slice(lanes.as_flattened());
            here.push(merged(&lanes));
        }
        below = here;
    }
    BuiltIndex { order, origin, nodes, exact }
}

type Keys = [f32; NODE_ARRAYS];
const INF: f32 = f32::INFINITY;

/// The keys of one row. One that stands at no moment or has no box never counts as surely inside, so that it is
/// always asked exactly.
fn keys(words: &[u64; EXACT_WORDS], origin: &[f64; 3]) -> Keys {
    let r = RowBox::from_words(words);
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

/// The bounds of sixteen children; what is not there (NaN) counts for nothing.
fn merged(lanes: &[[f32; NODE_SIZE]; NODE_ARRAYS]) -> Keys {
    std::array::from_fn(|k| match k {
        0 | 2 | 4 | 6 | 9 => lanes[k].iter().fold(INF, |m, v| if *v < m { *v } else { m }),
        _ => lanes[k].iter().fold(-INF, |m, v| if *v > m { *v } else { m }),
    })
}

fn order(rows: &[RowBox], all: &Bounds3) -> Vec<u32> {
    let scale = [0, 1].map(|k| {
        let width = all.max[k] - all.min[k];
        if width > 0.0 && width.is_finite() { 65_535.0 / width } else { 0.0 }
    });
    let cell = |v: f64, k: usize| ((v - all.min[k]) * scale[k]) as u32;
    let keyed = rows.iter().enumerate().map(|(i, r)| {
        let key = if r.bounds.is_empty() {
            u32::MAX
        } else {
            let c = r.bounds.centre();
            hilbert(cell(c[0], 0), cell(c[1], 1))
        };
        u64::from(key) << 32 | i as u64
    });
    let keyed = sorted_by_high_half(keyed.collect());
    let mut order: Vec<u32> = keyed.iter().map(|k| *k as u32).collect();
    // Where many stand on one place of the curve, the lower and the older come first.
    let mut at = 0;
    for run in keyed.chunk_by(|a, b| a >> 32 == b >> 32) {
        if run.len() > 1 {
            // What is compared lies side by side; a given order that stands last keeps ties.
            let mut tied: Vec<(u64, i64, u32)> = run
                .iter()
                .map(|k| {
                    let r = &rows[*k as u32 as usize];
                    (ordered(r.bounds.min[2]), r.valid.from.0, *k as u32)
                })
                .collect();
            tied.sort_unstable();
            order[at..at + run.len()].iter_mut().zip(tied).for_each(|(o, t)| *o = t.2);
        }
        at += run.len();
    }
    order
}

/// Bits that stand in the order of `f64::total_cmp`.
fn ordered(v: f64) -> u64 {
    let bits = v.to_bits();
    bits ^ if bits >> 63 == 1 { u64::MAX } else { 1 << 63 }
}

/// Stable counting sort by the upper 32 bits, eleven bits at a time.
fn sorted_by_high_half(mut from: Vec<u64>) -> Vec<u64> {
    const BITS: u32 = 11;
    let mut to = vec![0; from.len()];
    for shift in [32, 32 + BITS, 32 + 2 * BITS] {
        let digit = |k: u64| (k >> shift) as usize & ((1 << BITS) - 1);
        let mut next = [0usize; 1 << BITS];
        from.iter().for_each(|&k| next[digit(k)] += 1);
        let mut sum = 0;
        for n in &mut next {
            sum += std::mem::replace(n, sum);
        }
        for &k in &from {
            let place = &mut next[digit(k)];
            to[*place] = k;
            *place += 1;
        }
        std::mem::swap(&mut from, &mut to);
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn ordered_bits_stand_as_total_cmp_has_it() {
        let all = [f64::NEG_INFINITY, -3.5, -1e-310, -0.0, 0.0, 1e-310, 2.0, f64::INFINITY, f64::NAN];
        for a in all {
            for b in all {
                assert_eq!(ordered(a).cmp(&ordered(b)), a.total_cmp(&b), "{a} {b}");
            }
        }
    }

    #[test]
    fn the_counting_sort_sorts_as_the_library_does_and_keeps_ties() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        for n in [0, 1, 2, 5_000] {
            let keys: Vec<u64> = (0..n).map(|i| u64::from(rng.random::<u32>() >> rng.random_range(0..31)) << 32 | (n - i)).collect();
            let mut expected = keys.clone();
            expected.sort_by_key(|k| k >> 32);
            assert_eq!(sorted_by_high_half(keys), expected);
        }
    }
}
