//! Randomness that depends on nothing but (seed, purpose, index): blocks can be made in any order.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[derive(Clone)]
pub(crate) struct Dice(ChaCha8Rng);

/// What a stream of numbers is for; two purposes never share a stream.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum For {
    Ground = 1,
    Cuts = 2,
    Names = 3,
    Parcels = 4,
    Buildings = 5,
    Trees = 6,
    Pipes = 7,
    Roadside = 9,
    Readings = 101,
    Faults = 102,
    Spoil = 64,
}

/// SplitMix64's finaliser: spreads near-equal inputs over all bits.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One number for one thing, without a stream.
pub(crate) fn hash(seed: u64, purpose: For, index: u64) -> u64 {
    mix(mix(mix(seed) ^ purpose as u64) ^ index)
}

impl Dice {
    pub fn new(seed: u64, purpose: For, index: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(hash(seed, purpose, index)))
    }
    pub fn unit(&mut self) -> f64 {
        self.0.random::<f64>()
    }
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
    /// Both ends included.
    pub fn int(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high.max(low))
    }
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.random_range(0..of.len())]
    }
}
