//! Blocks become parcels: land use, control indices, the street in front.

use crate::{
    dice::{Dice, For},
    map::*,
    plan::*,
    plane::*,
};

#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    /// Block × 100 + place in the block: unique in the plan.
    pub serial: u64,
    pub zone: Zone,
    pub area: Area,
    pub land_use: &'static str,
    /// Street edge in front.
    pub front: Option<u32>,
    pub far: f64,
    pub density_pct: f64,
    pub green_pct: f64,
    pub limit_m: f64,
    /// Built between 2027 and 2030, not yet there.
    pub planned: bool,
}

impl Parcel {
    pub fn built(&self) -> bool {
        !matches!(self.land_use, "01" | "03" | "1401" | "1402" | "1403" | "16" | "17" | "0805")
    }
}

fn target(zone: Zone) -> f64 {
    match zone {
        Zone::OldTown => 4_600.0,
        Zone::Cbd => 8_500.0,
        Zone::Residential => 15_000.0,
        Zone::School => 38_000.0,
        Zone::Hospital => 30_000.0,
        Zone::Works => 32_000.0,
        Zone::New => 19_000.0,
        Zone::Rural => 220_000.0,
        Zone::River | Zone::Park | Zone::Hills | Zone::Plaza => f64::INFINITY,
    }
}

pub(crate) fn parcels(plan: &Plan, index: usize) -> Vec<Parcel> {
    let block = &plan.blocks[index];
    let zone = block.zone;
    let mut dice = Dice::new(plan.seed, For::Parcels, index as u64);
    let mut out: Vec<Parcel> = Vec::new();
    for land in plan.net(block) {
        if area(&land.shell) < 250.0 {
            continue;
        }
        let pieces = if target(zone).is_finite() && land.holes.is_empty() {
            cut(land.shell, target(zone), &mut dice).into_iter().map(|shell| Area { shell, holes: Vec::new() }).collect()
        } else {
            vec![land]
        };
        for area in pieces {
            if out.len() >= 99 {
                break;
            }
            let mut p = Parcel {
                serial: index as u64 * 100 + out.len() as u64,
                zone,
                front: front(plan, block, &area.shell),
                area,
                land_use: "",
                far: 0.0,
                density_pct: 0.0,
                green_pct: 0.0,
                limit_m: 0.0,
                planned: false,
            };
            assign(&mut p, &mut dice);
            out.push(p);
        }
    }
    out
}

fn cut(ring: Ring, target: f64, dice: &mut Dice) -> Vec<Ring> {
    let (mut todo, mut done) = (vec![ring], Vec::new());
    while let Some(r) = todo.pop() {
        let o = oriented_box(&r);
        if area(&r) < target * dice.range(1.0, 1.6) || o.half[0] < 24.0 || done.len() + todo.len() > 90 {
            done.push(r);
            continue;
        }
        let t = o.half[0] * dice.range(-0.16, 0.16);
        let (a, b) = split(&r, o.at(t, 0.0), o.u);
        if a.is_empty() || b.is_empty() {
            done.push(r);
        } else {
            todo.extend(a.into_iter().chain(b).filter(|p| area(p) > 120.0));
        }
    }
    done
}

/// The street edge along which the parcel has its longest side.
fn front(plan: &Plan, block: &Block, shell: &[P2]) -> Option<u32> {
    let mut best: Option<(f64, u32)> = None;
    for &e in &block.face.edges {
        if !plan.is_street(e) {
            continue;
        }
        let (a, b) = plan.graph.ends(e);
        let reach = plan.half_red_m(e) + 1.0;
        let shared: f64 = edges(shell).filter(|(p, q)| to_segment(a, b, lerp(*p, *q, 0.5)).0 < reach).map(|(p, q)| dist(p, q)).sum();
        if shared > 8.0 && best.is_none_or(|(s, _)| shared > s) {
            best = Some((shared, e));
        }
    }
    best.map(|(_, e)| e)
}

fn assign(p: &mut Parcel, dice: &mut Dice) {
    let size = area(&p.area.shell);
    let r = dice.unit();
    let from = |list: &[(f64, &'static str)]| {
        let mut r = r;
        list.iter()
            .find(|(w, _)| {
                r -= w;
                r < 0.0
            })
            .map_or(list[0].1, |(_, c)| *c)
    };
    p.land_use = match p.zone {
        Zone::River | Zone::Park | Zone::Hills => "1401",
        Zone::Plaza => "1403",
        Zone::OldTown => {
            from(&[(0.60, "0701"), (0.22, "09"), (0.05, "0803"), (0.04, "0804"), (0.04, "0801"), (0.03, "1401"), (0.02, "13")])
        }
        Zone::Cbd => from(&[(0.62, "09"), (0.12, "0801"), (0.12, "0701"), (0.06, "0803"), (0.05, "1403"), (0.03, "1401")]),
        Zone::Residential => from(&[
            (0.76, "0701"),
            (0.06, "0804"),
            (0.06, "09"),
            (0.04, "0702"),
            (0.03, "1401"),
            (0.02, "13"),
            (0.02, "0801"),
            (0.01, "0802"),
        ]),
        Zone::School => from(&[(0.72, "0804"), (0.2, "0805"), (0.08, "0802")]),
        Zone::Hospital => "0806",
        Zone::Works => from(&[(0.80, "1001"), (0.12, "11"), (0.04, "13"), (0.04, "1402")]),
        Zone::New => from(&[
            (0.52, "0701"),
            (0.16, "09"),
            (0.08, "0804"),
            (0.09, "1401"),
            (0.05, "16"),
            (0.05, "0802"),
            (0.03, "0806"),
            (0.02, "13"),
        ]),
        Zone::Rural => from(&[(0.80, "01"), (0.14, "03"), (0.06, "01")]),
    };
    if size < 900.0 && p.built() && p.zone != Zone::OldTown {
        p.land_use = "1401";
    }
    p.planned = p.zone == Zone::New && dice.chance(0.55);
    (p.far, p.density_pct, p.green_pct, p.limit_m) = match (p.land_use, p.zone) {
        ("0701", Zone::OldTown) => (1.6, 45.0, 20.0, 18.0),
        ("0701", Zone::Cbd) => (4.0, 35.0, 25.0, 100.0),
        ("0701", Zone::New) => (2.2, 22.0, 35.0, 80.0),
        ("0701", _) => (2.0, 28.0, 30.0, 60.0),
        ("09", Zone::Cbd) => (6.5, 55.0, 15.0, 180.0),
        ("09", Zone::OldTown) => (2.5, 60.0, 10.0, 24.0),
        ("09", _) => (3.0, 45.0, 20.0, 60.0),
        ("0801" | "0802" | "0803", _) => (2.5, 35.0, 30.0, 60.0),
        ("0804", _) => (1.0, 25.0, 35.0, 30.0),
        ("0806", _) => (2.2, 35.0, 35.0, 80.0),
        ("0702", _) => (1.2, 40.0, 25.0, 18.0),
        ("1001" | "11", _) => (1.0, 55.0, 15.0, 24.0),
        ("13", _) => (0.8, 40.0, 20.0, 30.0),
        ("1401", _) => (0.05, 3.0, 75.0, 9.0),
        ("1402", _) => (0.0, 0.0, 90.0, 0.0),
        ("1403", _) => (0.05, 2.0, 40.0, 9.0),
        ("0805", _) => (0.2, 10.0, 40.0, 18.0),
        _ => (0.0, 0.0, 0.0, 0.0),
    };
}
