//! House numbers: one address for every house. A house with its door on the street has a number of its own; those behind
//! share the number of the gate and are counted: 人民大街1001号, 人民大街1003号2号楼.

use crate::{blocks::Parcel, buildings::Building, graph::RoadId, map::Zone, plan::*, plane::*};
use strata_model::Interval;

pub(crate) struct Door {
    pub text: String,
    pub at: P2,
}

/// The numbers that a block has given away, each for the time in which its house stands.
#[derive(Default)]
pub(crate) struct Numbers(Vec<(RoadId, i64, Interval)>);

impl Numbers {
    /// The number, or the next free one on the same side.
    fn claim(&mut self, road: RoadId, mut number: i64, valid: Interval) -> i64 {
        while self.0.iter().any(|(r, n, v)| *r == road && *n == number && v.overlaps(&valid)) {
            number += 2;
        }
        self.0.push((road, number, valid));
        number
    }
}

/// Farther behind the red line than this a house has no door on the street.
const FRONT_M: f64 = 16.0;

/// The middle of the wall that is nearest to a place or line.
fn wall(ring: &[P2], distance: impl Fn(P2) -> f64) -> P2 {
    let middles = edges(ring).filter(|(a, b)| dist(*a, *b) > 1.0).map(|(a, b)| lerp(a, b, 0.5));
    middles.min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap_or_else(|| centroid(ring))
}

/// In the order of `houses`; none where the block touches no street.
pub(crate) fn doors(plan: &Plan, block: &Block, parcel: &Parcel, houses: &[Building], numbers: &mut Numbers) -> Vec<Option<Door>> {
    let streets: Vec<u32> = block.face.edges.iter().copied().filter(|&e| plan.is_street(e)).collect();
    let from_street = |e: u32, p: P2| {
        let (a, b) = plan.graph.ends(e);
        to_segment(a, b, p).0 - plan.half_red_m(e)
    };
    let middle = centroid(&parcel.area.shell);
    let nearest = |p: P2| streets.iter().copied().min_by(|&a, &b| from_street(a, p).total_cmp(&from_street(b, p)));
    let Some(gate) = parcel.front.or_else(|| nearest(middle)) else { return houses.iter().map(|_| None).collect() };
    let compound = houses.len() > 1
        && parcel.zone != Zone::OldTown
        && houses.iter().any(|h| matches!(h.use_, "residential" | "school" | "hospital" | "industrial"));
    let road_of = |e: u32| plan.graph.edges[e as usize].road;
    let mut gate_number: Option<i64> = None;
    houses
        .iter()
        .enumerate()
        .map(|(i, house)| {
            let c = centroid(&house.ring);
            // The street on which its own wall stands, if it stands on one.
            let own = nearest(c).map(|e| (e, wall(&house.ring, |p| from_street(e, p)))).filter(|(e, at)| from_street(*e, *at) < FRONT_M);
            let in_compound = compound && matches!(house.use_, "residential" | "school" | "hospital" | "industrial");
            match own.filter(|_| !in_compound) {
                Some((e, at)) => {
                    let number = numbers.claim(road_of(e), plan.house_number(e, at)?, house.valid);
                    Some(Door { text: format!("{}{number}号", plan.road(e)?.zh), at })
                }
                None => {
                    let number = match gate_number {
                        Some(n) => n,
                        None => *gate_number.insert(numbers.claim(road_of(gate), plan.house_number(gate, middle)?, Interval::ALWAYS)),
                    };
                    let at = wall(&house.ring, |p| from_street(gate, p));
                    Some(Door { text: format!("{}{number}号{}号楼", plan.road(gate)?.zh, i + 1), at })
                }
            }
        })
        .collect()
}
