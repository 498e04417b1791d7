//! Drains as points and pipes: wells at most 50 m apart, outfalls, what is connected from the houses.

use super::{
    Bore, Network, SAME_M,
    drains::{Drains, Way},
};
use crate::{connections::Taps, map::*, plan::*, plane::*};

fn half_bore(dn: i64) -> f64 {
    dn as f64 / 2000.0
}

impl Network {
    pub(super) fn gravity(&mut self, plan: &Plan, drains: &Drains, taps: &Taps) {
        let kind = self.kind;
        let (js, invert) = (&drains.js, &drains.invert_m);
        let name = |n: usize| js.star[n].iter().find_map(|&r| plan.road(js.runs[r].edge)).map_or_else(|| "".into(), |r| r.zh.clone());
        let mut node: Vec<Option<usize>> = vec![None; js.at.len()];
        for &n in &drains.order {
            let all = || js.star[n].iter().filter(|&&r| drains.ways[r] != Way::Dry).map(|&r| drains.dn[r]);
            let storm_mouth = kind.subclass == "YS" && drains.mouth_dn[n] > 0;
            let Some(dn) = all().max().or(storm_mouth.then_some(drains.mouth_dn[n])) else { continue };
            let what = match (drains.ends[n], drains.mouth_dn[n] > 0, kind.subclass) {
                (true, true, "WS") => ("outfall", None, Some("截流井")),
                (true, false, _) => ("outfall", None, Some("泵站")),
                _ => ("well", None, Some(kind.well)),
            };
            node[n] = Some(self.point(plan, js.at[n], invert[n] + half_bore(dn), what, &name(n)));
        }
        for (r, run) in js.runs.iter().enumerate() {
            let [Some(a), Some(b)] = run.ends.map(|n| node[n]) else { continue };
            let [low_a, low_b] = run.ends.map(|n| invert[n]);
            let (dn, crest) = (drains.dn[r], drains.crest_m[r]);
            match drains.ways[r] {
                Way::Dry => {}
                Way::Down(to) if to == run.ends[1] => self.fall(plan, run.edge, [a, b], [low_a, low_b], dn),
                Way::Down(_) => self.fall(plan, run.edge, [b, a], [low_b, low_a], dn),
                Way::Parted => {
                    let road = plan.road(run.edge).map_or_else(|| "".into(), |r| r.zh.clone());
                    let p = lerp(js.at[run.ends[0]], js.at[run.ends[1]], 0.5);
                    let middle = self.point(plan, p, crest + half_bore(dn), ("well", None, Some(kind.well)), &road);
                    self.fall(plan, run.edge, [middle, a], [crest, low_a], dn);
                    self.fall(plan, run.edge, [middle, b], [crest, low_b], dn);
                }
            }
        }
        self.house_drains(plan, taps);
        if kind.subclass == "YS" {
            self.mouths(plan, drains, &node);
        }
    }

    /// Storm water leaves into the river: a last pipe from each river junction to the bank.
    fn mouths(&mut self, plan: &Plan, drains: &Drains, node: &[Option<usize>]) {
        let line = &plan.ground.river.line;
        for &n in drains.order.iter().filter(|&&n| drains.mouth_dn[n] > 0) {
            let (Some(from), Some(&r), at) = (node[n], drains.js.star[n].first(), drains.js.at[n]) else { continue };
            let Some(bank) = line.iter().min_by(|a, b| dist(**a, at).total_cmp(&dist(**b, at))) else { continue };
            let (d, dn) = (dist(*bank, at), drains.mouth_dn[n]);
            let mouth = lerp(at, *bank, ((d - RIVER_HALF_WIDTH_M) / d).clamp(0.1, 1.0));
            let low = drains.invert_m[n] - drains.slope * dist(at, mouth);
            let road = self.points[from].road.clone();
            let to = self.point(plan, mouth, low + half_bore(dn), ("outfall", Some("出水口"), None), &road);
            self.fall(plan, drains.js.runs[r].edge, [from, to], [drains.invert_m[n], low], dn);
        }
    }

    fn house_drains(&mut self, plan: &Plan, taps: &Taps) {
        let mut wells = std::mem::take(&mut self.wells);
        wells.sort_by_key(|w| (w.0, w.1));
        for street in wells.chunk_by(|a, b| a.0 == b.0) {
            let here: Vec<(usize, f64)> = street.iter().map(|w| (w.1, w.2)).collect();
            for tap in taps.on(street[0].0, self.kind) {
                self.house_drain(plan, tap, &here);
            }
        }
    }

    /// A drain from one point down to another.
    fn fall(&mut self, plan: &Plan, e: u32, [from, to]: [usize; 2], invert: [f64; 2], dn: i64) {
        let (a, b) = (self.points[from].at, self.points[to].at);
        let length = dist(a, b);
        if length < SAME_M {
            return;
        }
        let bore = Bore { dn_mm: dn, outer_m: [dn as f64 / 1000.0 * 1.2; 2], round: true };
        let pieces = (length / 50.0).ceil().max(1.0) as usize;
        let road = plan.road(e).map_or_else(|| "".into(), |r| r.zh.clone());
        let level = |t: f64| invert[0] + (invert[1] - invert[0]) * t;
        let mut last = from;
        for i in 1..=pieces {
            let t = i as f64 / pieces as f64;
            let next = if i == pieces {
                to
            } else {
                self.point(plan, lerp(a, b, t), level(t) + half_bore(dn), ("well", None, Some(self.kind.well)), &road)
            };
            let ends = [level((i - 1) as f64 / pieces as f64), level(t)];
            self.pipe(plan, e, [last, next], bore, Some(ends));
            self.wells.push((e, last, ends[0]));
            last = next;
        }
    }
}
