//! House connections: from the main under the street to just behind the red line of every built parcel.

use crate::{
    blocks::Parcel,
    pipes::{Bore, KINDS, Kind, Mark, Network},
    plan::Plan,
    plane::*,
};
use std::collections::HashMap;

/// Where a parcel wants its connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tap {
    pub edge: u32,
    /// Behind the red line.
    pub at: P2,
    /// Along the street.
    along: P2,
}

/// Nearer to a junction than this no parcel is connected.
const CLEAR_M: f64 = 14.0;
const BEHIND_RED_LINE_M: f64 = 0.6;
/// How much deeper a heat connection lies that passes under its main's partner, and how far beside the main it is so deep.
const UNDER_M: f64 = 0.64;
const DROP_M: f64 = 0.08;

/// None for land without houses and at street corners without room.
pub(crate) fn tap(plan: &Plan, parcel: &Parcel) -> Option<Tap> {
    let edge = parcel.front.filter(|_| parcel.built())?;
    let (a, b) = plan.graph.ends(edge);
    let length = dist(a, b);
    let middle = centroid(&parcel.area.shell);
    let t = to_segment(a, b, middle).1;
    if t * length < CLEAR_M || (1.0 - t) * length < CLEAR_M {
        return None;
    }
    let (foot, along_street) = (lerp(a, b, t), unit(sub(b, a)));
    let side = left(along_street);
    let side = if dot(side, sub(middle, foot)) > 0.0 { side } else { [-side[0], -side[1]] };
    Some(Tap { edge, at: along(foot, side, plan.half_red_m(edge) + BEHIND_RED_LINE_M), along: along_street })
}

impl Tap {
    /// Each class a little farther along, as far from the next as table 4.1.9 asks.
    pub fn of(&self, kind: &Kind) -> P2 {
        let on = match kind.letters {
            "DL" => -4.2,
            "RQ" => -3.0,
            "JS" => -2.0,
            "WS" => -0.4,
            "RLG" => 1.6,
            "RLH" => 2.4,
            _ => 4.0,
        };
        along(self.at, self.along, on)
    }
}

/// Taps by the street they are on.
pub(crate) struct Taps(HashMap<u32, Vec<Tap>>);

impl Taps {
    pub fn new(taps: impl IntoIterator<Item = Tap>) -> Self {
        let mut by_edge: HashMap<u32, Vec<Tap>> = HashMap::new();
        taps.into_iter().for_each(|t| by_edge.entry(t.edge).or_default().push(t));
        Self(by_edge)
    }
    pub fn on(&self, edge: u32, kind: &Kind) -> &[Tap] {
        if matches!(kind.letters, "YS" | "GY" | "ZH") { &[] } else { self.0.get(&edge).map_or(&[], Vec::as_slice) }
    }
}

/// What stands at the parcel's end.
fn end(kind: &Kind) -> Mark {
    match kind.class {
        "JS" => ("meter", None, Some("水表井")),
        "RQ" | "RL" => ("valve", None, Some("阀门")),
        "PS" => ("well", None, Some("污水井")),
        _ => ("well", None, Some("手孔")),
    }
}

fn bore(kind: &Kind) -> Bore {
    let round = |dn_mm: i64, wall: f64| Bore { dn_mm, outer_m: [dn_mm as f64 / 1000.0 + wall; 2], round: true };
    match kind.class {
        "JS" => round(100, 0.02),
        "RQ" => round(50, 0.01),
        "RL" => round(80, 0.10),
        "PS" => round(200, 0.04),
        _ => Bore { dn_mm: 200, outer_m: [0.2, 0.2], round: false },
    }
}

impl Network {
    /// From a point of a main or a duct. `low`: the return line of the heat lies under its partner's level in this street.
    pub(crate) fn branch(&mut self, plan: &Plan, tap: &Tap, from: usize, low: bool) {
        let (at, road) = (tap.of(self.kind), self.points[from].road.clone());
        let axis = plan.ground.deck(at) - self.kind.axis_depth_m();
        let (mut from, mut axis) = (from, axis);
        let passes_under = self.partner_between(plan, tap) && !(low && self.kind.letters == "RLG");
        if passes_under {
            axis -= UNDER_M;
        }
        if passes_under && !low {
            let (p, low) = (self.points[from].at, self.points[from].axis_m - UNDER_M);
            let bend = self.point(plan, along(p, unit(sub(at, p)), DROP_M), low, ("bend", Some("弯头"), None), &road);
            self.pipe(plan, tap.edge, [from, bend], bore(self.kind), None);
            from = bend;
        }
        let to = self.point(plan, at, axis, end(self.kind), &road);
        self.pipe(plan, tap.edge, [from, to], bore(self.kind), None);
    }

    /// Does the other one of supply and return lie on the way to the houses?
    fn partner_between(&self, plan: &Plan, tap: &Tap) -> bool {
        let other = KINDS.iter().find(|k| k.class == "RL" && self.kind.class == "RL" && k.letters != self.kind.letters);
        let (Some(other), Some(road)) = (other, plan.road(tap.edge)) else { return false };
        let (a, b) = plan.graph.ends(tap.edge);
        let to_left = dot(left(sub(b, a)), sub(tap.at, a)) > 0.0;
        let to_positive = to_left != plan.against[tap.edge as usize];
        (other.beside_m(road) > self.kind.beside_m(road)) == to_positive
    }

    /// Into the nearest of a street's wells, falling 1 in 100; a well is a point and the invert there.
    pub(crate) fn house_drain(&mut self, plan: &Plan, tap: &Tap, wells: &[(usize, f64)]) {
        let at = tap.of(self.kind);
        let near = wells.iter().min_by(|a, b| dist(self.points[a.0].at, at).total_cmp(&dist(self.points[b.0].at, at)));
        let Some(&(well, invert)) = near else { return };
        let (bore, road) = (bore(self.kind), self.points[well].road.clone());
        let top = invert + dist(self.points[well].at, at) / 100.0;
        let from = self.point(plan, at, top + bore.dn_mm as f64 / 2000.0, end(self.kind), &road);
        self.pipe(plan, tap.edge, [from, well], bore, Some([top, invert]));
    }
}
