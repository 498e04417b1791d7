//! Seeded faults in a survey delivery, each with the rows and rules that must find it: the truth for those who check
//! quality rules. A fault touches what no other fault of the same delivery touches, so that what must be found is
//! exactly what is written down.

mod kinds;
mod work;

use crate::dice::{Dice, For};
use serde::Serialize;
use strata_model::survey::Delivery;
use work::Work;

/// One thing that must be found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// Id of the quality rule.
    pub rule: String,
    pub table: String,
    /// As a person counts in the file.
    pub row: usize,
    /// What was done, the name of the kind of fault.
    pub kind: String,
}

/// A delivery with faults in it.
#[derive(Debug, Clone)]
pub struct Spoiled {
    pub delivery: Delivery,
    /// Sorted.
    pub faults: Vec<Fault>,
}

/// Names of all kinds of faults.
pub fn kinds() -> Vec<&'static str> {
    kinds::KINDS.iter().map(|k| k.0).collect()
}

/// Puts `n` faults of seeded kinds into the delivery, all kinds in turn when `n` is large; fewer where the delivery has
/// no room for more.
pub fn spoil(delivery: &Delivery, seed: u64, n: usize) -> Spoiled {
    let mut work = Work::new(delivery, Dice::new(seed, For::Spoil, 0));
    let mut order: Vec<usize> = Vec::new();
    while order.len() < n {
        let mut round: Vec<usize> = (0..kinds::KINDS.len()).collect();
        for i in (1..round.len()).rev() {
            round.swap(i, work.dice.int(0, i as i64) as usize);
        }
        order.extend(round);
    }
    for kind in order.into_iter().take(n) {
        let (name, make) = kinds::KINDS[kind];
        work.kind = name;
        make(&mut work);
    }
    work.finish(delivery)
}
