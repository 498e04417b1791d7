//! Drains: how deep they lie and how large they are.
//!
//! Every class runs in a tree to the river, a street that closes a loop falls from its middle to both ends. A drain lies
//! under a ceiling: the mains above it, and for sewers the storm drains too, so that they cross without meeting. Depths
//! follow from sizes and storm drains get their sizes from what falls on the way, so both are found in turns.

use super::{
    Kind,
    junctions::{Junctions, Run},
    storm,
};
use crate::{map::*, plan::*, plane::*};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

/// Between the outer faces of sewer and storm drain, the survey's uncertainty included.
const APART_M: f64 = 0.25;
/// So far from a junction the drains of one street may cross those of another.
const CROSSING_M: f64 = 12.0;
/// Heights are held under the ceiling at places so far apart.
const SAMPLE_M: f64 = 10.0;
const STORM_STEPS: [i64; 16] = [400, 500, 600, 700, 800, 900, 1000, 1200, 1350, 1500, 1800, 2000, 2200, 2400, 2700, 3000];
const STEEPEST: f64 = 0.12;
/// Metres of street above, and the size.
const SEWER_STEPS: [(f64, i64); 6] =
    [(700.0, 300), (2_500.0, 400), (7_000.0, 500), (15_000.0, 600), (30_000.0, 800), (f64::INFINITY, 1000)];

/// Of a drain's crown above its invert and of its lowest face below it, in bores: the wall is a tenth.
const CROWN: f64 = 1.1;
const FLOOR: f64 = 0.1;

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// To the junction with this number.
    Down(usize),
    /// From its middle to both ends.
    Parted,
    /// No drain: it would lie too deep.
    Dry,
}

pub(super) struct Drains {
    pub js: Junctions,
    /// By run.
    pub ways: Vec<Way>,
    pub dn: Vec<i64>,
    /// Invert in the middle of a parted run.
    pub crest_m: Vec<f64>,
    /// By junction.
    pub invert_m: Vec<f64>,
    /// Reached by water from junctions farther from the river first; those without drains are not among them.
    pub order: Vec<usize>,
    /// Water ends here: in the river, or at a pumping station.
    pub ends: Vec<bool>,
    /// Of the pipe into the river, where there is one.
    pub mouth_dn: Vec<i64>,
    pub slope: f64,
}

/// The highest place for the crown of a drain, under the ground and what else lies above.
struct Ceiling<'a> {
    plan: &'a Plan,
    cover_m: f64,
    above: Option<Floors<'a>>,
}

impl Ceiling<'_> {
    fn junction(&self, p: P2, home: usize) -> f64 {
        let ground = self.plan.ground.deck(p) - self.cover_m;
        self.above.as_ref().map_or(ground, |f| ground.min(f.near[home] - APART_M))
    }
    /// At a place on a run; `near`: the junctions of its ends and how far away they are.
    fn run(&self, p: P2, edge: u32, near: [(f64, usize); 2]) -> f64 {
        let ground = self.plan.ground.deck(p) - self.cover_m;
        let Some(f) = &self.above else { return ground };
        let crossed = near.iter().filter(|(m, _)| *m < CROSSING_M).map(|(_, home)| f.near[*home]);
        ground.min(crossed.fold(f.beside(edge, p), f64::min) - APART_M)
    }
}

/// The lowest faces of drains.
struct Floors<'a> {
    drains: &'a Drains,
    run_of: HashMap<u32, usize>,
    /// By junction: of the drains there, as far as another street's may cross them.
    near: Vec<f64>,
}

impl<'a> Floors<'a> {
    fn new(drains: &'a Drains) -> Self {
        let (js, mut near, mut run_of) = (&drains.js, vec![f64::INFINITY; drains.js.at.len()], HashMap::new());
        for (r, run) in js.runs.iter().enumerate() {
            if !run.stub {
                run_of.insert(run.edge, r);
            }
            let t = (CROSSING_M / js.length(run)).min(1.0);
            for (n, far) in [(run.ends[0], t), (run.ends[1], 1.0 - t)] {
                let low = drains.floor(r, if n == run.ends[0] { 0.0 } else { 1.0 }).min(drains.floor(r, far));
                near[js.home[n]] = near[js.home[n]].min(low);
            }
        }
        Self { drains, run_of, near }
    }
    /// In the same street.
    fn beside(&self, edge: u32, p: P2) -> f64 {
        let js = &self.drains.js;
        self.run_of.get(&edge).map_or(f64::INFINITY, |&r| {
            let [a, b] = js.runs[r].ends.map(|n| js.at[n]);
            self.drains.floor(r, to_segment(a, b, p).1)
        })
    }
}

impl Drains {
    /// `above`: the storm drains over sewers.
    pub fn new(plan: &Plan, kind: &Kind, above: Option<&Drains>) -> Self {
        let js = Junctions::new(plan, kind);
        let (nodes, runs) = (js.at.len(), js.runs.len());
        let storm = above.is_none();
        let mut out = Self {
            ways: vec![Way::Dry; runs],
            dn: vec![if storm { STORM_STEPS[0] } else { SEWER_STEPS[0].1 }; runs],
            crest_m: vec![0.0; runs],
            invert_m: vec![0.0; nodes],
            order: Vec::new(),
            ends: vec![false; nodes],
            mouth_dn: vec![0; nodes],
            slope: if storm { 0.0018 } else { 0.0022 },
            js,
        };
        out.tree(plan);
        let ceiling = Ceiling { plan, cover_m: kind.top_m, above: above.map(Floors::new) };
        loop {
            out.lay(&ceiling, kind.deepest_m());
            if !(if storm { out.carry_the_storm() } else { out.carry_the_sewage() }) {
                return out;
            }
        }
    }

    /// The shortest ways to the river; uphill is dear.
    fn tree(&mut self, plan: &Plan) {
        let (n, js) = (self.js.at.len(), &self.js);
        let mut far = vec![f64::INFINITY; n];
        let mut down: Vec<Option<usize>> = vec![None; n];
        let mut heap = BinaryHeap::new();
        let key = |d: f64| Reverse((d * 1000.0) as u64);
        for i in 0..n {
            // Tees are no outfalls: their junction is.
            let by_river = |p: &P2| plan.ground.river.nearest(*p).0 < RIVER_ROAD_OFFSET_M + 25.0;
            if !js.star[i].is_empty() && plan.graph.nodes.get(i).is_some_and(by_river) {
                (far[i], self.ends[i], self.mouth_dn[i]) = (0.0, true, STORM_STEPS[0]);
                heap.push((key(0.0), i));
            }
        }
        while let Some((Reverse(k), i)) = heap.pop() {
            if k > (far[i] * 1000.0) as u64 {
                continue;
            }
            for &r in &js.star[i] {
                let j = js.runs[r].other(i);
                // Water runs from j to i: ground that falls that way is cheap.
                let rise = plan.ground.deck(js.at[i]) - plan.ground.deck(js.at[j]);
                let d = far[i] + js.length(&js.runs[r]) + 60.0 * rise.max(0.0);
                if d < far[j] {
                    (far[j], down[j]) = (d, Some(r));
                    heap.push((key(d), j));
                }
            }
        }
        self.order = (0..n).filter(|&i| far[i].is_finite()).collect();
        self.order.sort_by(|&a, &b| far[b].total_cmp(&far[a]));
        for (r, run) in js.runs.iter().enumerate() {
            let [a, b] = run.ends;
            self.ways[r] = match (down[a] == Some(r), down[b] == Some(r)) {
                (true, _) => Way::Down(b),
                (_, true) => Way::Down(a),
                _ if !run.stub && far[a].is_finite() && far[b].is_finite() => Way::Parted,
                _ => Way::Dry,
            };
        }
    }

    /// Heights for the sizes that there are. Where a drain would lie too deep, a pumping station ends its basin.
    fn lay(&mut self, ceiling: &Ceiling<'_>, deepest_m: f64) {
        let Self { js, ways, dn, crest_m, invert_m, order, ends, mouth_dn, slope } = self;
        let ground = |p: P2| ceiling.plan.ground.deck(p);
        for &n in order.iter() {
            let dn = js.star[n].iter().filter(|&&r| ways[r] != Way::Dry).map(|&r| dn[r]).max().unwrap_or(0).max(mouth_dn[n]);
            invert_m[n] = ceiling.junction(js.at[n], js.home[n]) - CROWN * dn as f64 / 1000.0;
        }
        let deep = |n: usize, invert: f64| ground(js.at[n]) - invert > deepest_m;
        // The invert at the upper end of a straight drain that keeps under the ceiling all the way.
        let start = |r: usize, from: f64, to: f64| {
            let (run, whole) = (&js.runs[r], js.length(&js.runs[r]));
            let length = whole * (to - from).abs();
            let steps = (length / SAMPLE_M).ceil().max(1.0) as usize;
            let crown = CROWN * dn[r] as f64 / 1000.0;
            (0..=steps)
                .map(|i| i as f64 / steps as f64)
                .map(|u| {
                    let t = from + (to - from) * u;
                    let near = [(t * whole, js.home[run.ends[0]]), ((1.0 - t) * whole, js.home[run.ends[1]])];
                    ceiling.run(lerp(js.at[run.ends[0]], js.at[run.ends[1]], t), run.edge, near) - crown + *slope * u * length
                })
                .fold(f64::INFINITY, f64::min)
        };
        let part = |r: usize, run: &Run, crest_m: &mut [f64], invert_m: &mut [f64]| {
            let half = js.length(run) / 2.0;
            let top = start(r, 0.5, 0.0).min(start(r, 0.5, 1.0));
            if run.ends.iter().any(|&n| deep(n, top - *slope * half)) {
                return false;
            }
            crest_m[r] = top;
            run.ends.iter().for_each(|&n| invert_m[n] = invert_m[n].min(top - *slope * half));
            true
        };
        for (r, run) in js.runs.iter().enumerate() {
            if ways[r] == Way::Parted && !part(r, run, crest_m, invert_m) {
                ways[r] = Way::Dry;
            }
        }
        for &i in order.iter() {
            let Some(&r) = js.star[i].iter().find(|&&r| ways[r] == Way::Down(js.runs[r].other(i))) else { continue };
            let j = js.runs[r].other(i);
            let [from, to] = if js.runs[r].ends[0] == i { [0.0, 1.0] } else { [1.0, 0.0] };
            let top = invert_m[i].min(start(r, from, to));
            let low = top - *slope * js.length(&js.runs[r]);
            if deep(i, top) || deep(j, low) {
                let run = &js.runs[r];
                (ends[i], ways[r]) = (true, if part(r, run, crest_m, invert_m) { Way::Parted } else { Way::Dry });
                continue;
            }
            (invert_m[i], invert_m[j]) = (top, invert_m[j].min(low));
        }
        // None is steep: its upper end goes down with the lower one.
        for &i in order.iter().rev() {
            if let Some(&r) = js.star[i].iter().find(|&&r| ways[r] == Way::Down(js.runs[r].other(i))) {
                invert_m[i] = invert_m[i].min(invert_m[js.runs[r].other(i)] + STEEPEST * js.length(&js.runs[r]));
            }
        }
    }

    /// Slope of a run from a junction, or from its middle, down to a junction.
    fn falls(&self, r: usize, to: usize) -> f64 {
        let run = &self.js.runs[r];
        match self.ways[r] {
            Way::Parted => (self.crest_m[r] - self.invert_m[to]) / (self.js.length(run) / 2.0),
            _ => (self.invert_m[run.other(to)] - self.invert_m[to]) / self.js.length(run),
        }
    }

    /// Larger storm drains where the storm asks for them. Were any too small?
    fn carry_the_storm(&mut self) -> bool {
        let n = self.js.at.len();
        // Metres of street above each junction, the longest way of the water, the largest drain that flows in.
        let (mut above, mut minutes, mut largest) = (vec![0.0; n], vec![storm::INLET_MIN; n], vec![0i64; n]);
        let mut changed = false;
        let mut size = |dn: &mut i64, least: i64, slope: f64, flow: f64| {
            let enough = |dn: i64| dn >= least && storm::full_m3s(dn, slope) >= flow;
            if !enough(*dn) {
                let larger = STORM_STEPS.into_iter().find(|&s| s > *dn && enough(s)).unwrap_or(STORM_STEPS[STORM_STEPS.len() - 1]);
                changed |= larger != *dn;
                *dn = larger;
            }
        };
        for r in 0..self.js.runs.len() {
            if self.ways[r] != Way::Parted {
                continue;
            }
            let half = self.js.length(&self.js.runs[r]) / 2.0;
            for to in self.js.runs[r].ends {
                let slope = self.falls(r, to);
                size(&mut self.dn[r], 0, slope, storm::flow_m3s(half, storm::INLET_MIN));
                above[to] += half;
                minutes[to] = minutes[to].max(storm::INLET_MIN + storm::minutes(self.dn[r], slope, half));
                largest[to] = largest[to].max(self.dn[r]);
            }
        }
        for &i in &self.order {
            if self.mouth_dn[i] > 0 {
                size(&mut self.mouth_dn[i], largest[i], self.slope, storm::flow_m3s(above[i] + RIVER_ROAD_OFFSET_M, minutes[i]));
                continue;
            }
            let Some(&r) = self.js.star[i].iter().find(|&&r| self.ways[r] == Way::Down(self.js.runs[r].other(i))) else { continue };
            let (j, length) = (self.js.runs[r].other(i), self.js.length(&self.js.runs[r]));
            let slope = self.falls(r, j);
            size(&mut self.dn[r], largest[i], slope, storm::flow_m3s(above[i] + length, minutes[i]));
            above[j] += above[i] + length;
            minutes[j] = minutes[j].max(minutes[i] + storm::minutes(self.dn[r], slope, length));
            largest[j] = largest[j].max(self.dn[r]);
        }
        changed
    }

    /// Sewers by the streets above them. Were any too small?
    fn carry_the_sewage(&mut self) -> bool {
        let size = |m: f64| SEWER_STEPS.iter().find(|s| m <= s.0).map_or(1000, |s| s.1);
        let mut above = vec![0.0; self.js.at.len()];
        let mut changed = false;
        let mut grow = |dn: &mut i64, to: i64| {
            changed |= to > *dn;
            *dn = to.max(*dn);
        };
        for (r, run) in self.js.runs.iter().enumerate().filter(|(r, _)| self.ways[*r] == Way::Parted) {
            let half = self.js.length(run) / 2.0;
            grow(&mut self.dn[r], size(half));
            run.ends.iter().for_each(|&n| above[n] += half);
        }
        for &i in &self.order {
            let Some(&r) = self.js.star[i].iter().find(|&&r| self.ways[r] == Way::Down(self.js.runs[r].other(i))) else { continue };
            let j = self.js.runs[r].other(i);
            above[j] += above[i] + self.js.length(&self.js.runs[r]);
            grow(&mut self.dn[r], size(above[i] + self.js.length(&self.js.runs[r])));
        }
        changed
    }

    /// The lowest face at a share of the way along a run; without a drain nothing is in the way.
    fn floor(&self, run: usize, t: f64) -> f64 {
        let [a, b] = self.js.runs[run].ends.map(|n| self.invert_m[n]);
        let invert = match self.ways[run] {
            Way::Dry => return f64::INFINITY,
            Way::Down(_) => a + (b - a) * t,
            Way::Parted if t < 0.5 => a + (self.crest_m[run] - a) * t * 2.0,
            Way::Parted => b + (self.crest_m[run] - b) * (1.0 - t) * 2.0,
        };
        invert - FLOOR * self.dn[run] as f64 / 1000.0
    }
}
