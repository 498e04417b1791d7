//! Trees: rows along the streets, groves in parks and on hills, scattered ones in the yards between houses.

use crate::{
    blocks::Parcel,
    buildings::Building,
    dice::{Dice, For},
    map::*,
    plan::*,
    plane::*,
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree {
    pub at: P2,
    pub species: &'static str,
    pub height_m: f64,
    pub crown_m: f64,
}

fn tree(at: P2, dice: &mut Dice, of: &[(&'static str, f64, f64)]) -> Tree {
    let (species, height, crown) = dice.pick(of);
    let k = dice.range(0.75, 1.2);
    Tree { at, species, height_m: height * k, crown_m: crown * k }
}

const STREET: &[(&str, f64, f64)] = &[("poplar", 11.0, 4.5), ("poplar", 9.5, 4.2), ("willow", 8.0, 5.5)];
const PARK: &[(&str, f64, f64)] = &[("poplar", 12.0, 5.5), ("willow", 9.0, 7.0), ("pine", 9.0, 4.0), ("pine", 7.0, 3.4)];
const FOREST: &[(&str, f64, f64)] = &[("pine", 14.0, 6.5), ("pine", 12.0, 5.5), ("pine", 9.0, 5.0), ("poplar", 14.0, 7.0)];
const YARD: &[(&str, f64, f64)] = &[("willow", 7.0, 4.8), ("poplar", 9.0, 4.0), ("pine", 6.0, 3.0)];

/// Both sides of a street, where the pavement is wide enough; the corners stay clear.
pub(crate) fn along_street(plan: &Plan, edge: u32) -> Vec<Tree> {
    let Some(road) = plan.road(edge).filter(|_| plan.is_street(edge)) else { return Vec::new() };
    let verge = (road.red_m - road.kerb_m) / 2.0;
    let (a, b) = plan.graph.ends(edge);
    let length = dist(a, b);
    if verge < 2.5 || plan.bridge[edge as usize] {
        return Vec::new();
    }
    let mut dice = Dice::new(plan.seed, For::Roadside, u64::from(edge));
    let (d, n) = (unit(sub(b, a)), left(unit(sub(b, a))));
    let clear = (road.red_m / 2.0 + 4.0).min(length / 2.0);
    let spacing = if road.red_m > 30.0 { 8.0 } else { 10.0 };
    let mut out = Vec::new();
    let mut s = clear;
    while s <= length - clear {
        for side in [-1.0, 1.0] {
            // A gap now and then: a gate, a stop, a tree that died.
            if dice.chance(0.92) {
                // Near to the kerb: behind the trees lie pipes.
                let off = road.kerb_m / 2.0 + 1.0;
                out.push(tree(along(along(a, d, s + dice.range(-0.6, 0.6)), n, side * off), &mut dice, STREET));
            }
        }
        s += spacing;
    }
    out
}

/// In a parcel: dense in parks, sparse in yards, never nearer than 3 m to a house of any year.
pub(crate) fn in_parcel(seed: u64, p: &Parcel, houses: &[Building]) -> Vec<Tree> {
    let forest = p.zone == Zone::Hills && is_outer(centroid(&p.area.shell));
    let (per_tree_m2, of) = match p.land_use {
        "1401" if forest => (260.0, FOREST),
        "1401" if p.zone == Zone::Hills => (85.0, PARK),
        "1401" | "1402" => (150.0, PARK),
        "03" => (60.0, PARK),
        "0701" | "0801" | "0804" | "0806" => (330.0, YARD),
        "1001" | "11" | "0802" | "0803" | "0702" => (700.0, YARD),
        _ => return Vec::new(),
    };
    let mut dice = Dice::new(seed, For::Trees, p.serial);
    let ring = &p.area.shell;
    let (lo, hi) = ring.iter().fold(([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]), |(lo, hi), q| {
        ([lo[0].min(q[0]), lo[1].min(q[1])], [hi[0].max(q[0]), hi[1].max(q[1])])
    });
    let tries = ((hi[0] - lo[0]) * (hi[1] - lo[1]) / per_tree_m2).min(if forest { 90_000.0 } else { 6_000.0 }) as usize;
    let mut out: Vec<Tree> = Vec::new();
    for _ in 0..tries {
        let at = [dice.range(lo[0], hi[0]), dice.range(lo[1], hi[1])];
        let t = tree(at, &mut dice, of);
        let open = inside(ring, at)
            && to_ring(ring, at) > 1.5
            && !p.area.holes.iter().any(|h| inside(h, at))
            && !houses.iter().any(|b| inside(&b.ring, at) || to_ring(&b.ring, at) < 3.0);
        if open {
            out.push(t);
        }
    }
    out
}
