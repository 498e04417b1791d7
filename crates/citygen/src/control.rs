//! Control lines of planning beside the red ones: blue around waters, purple around what is old, green and yellow from
//! the use of the land.

use crate::{ground::box_ring, map::*, plan::*, plane::*};

pub(crate) struct Control {
    pub id: String,
    pub kind: &'static str,
    pub ring: Ring,
}

/// Land kept free along a bank, m.
const BLUE_RIVER_M: f64 = 50.0;
const BLUE_LAKE_M: f64 = 30.0;
/// Width of the historic street on each side of its axis, and of the square beyond its circle.
const PURPLE_STREET_M: f64 = 75.0;
const PURPLE_SQUARE_M: f64 = 65.0;

/// Blue and purple, clipped to the box of the plan.
pub(crate) fn controls(plan: &Plan) -> Vec<Control> {
    let frame = box_ring(&plan.bounds);
    let mut out: Vec<Control> = Vec::new();
    let mut put = |letters: &str, kind: &'static str, ring: &Ring| {
        for ring in common(ring, &frame) {
            out.push(Control { id: format!("{letters}{:03}", out.len()), kind, ring });
        }
    };
    let river = band(&plan.ground.river.line, RIVER_HALF_WIDTH_M + BLUE_RIVER_M);
    put("BL", "blue", &clean(river));
    for lake in plan.ground.waters.iter().filter(|w| w.kind != "river") {
        grown(&lake.ring, BLUE_LAKE_M).iter().for_each(|r| put("BL", "blue", r));
    }
    for road in plan.roads.iter().filter(|r| &*r.zh == "新民大街") {
        put("VL", "purple", &clean(band(&road.axis, PURPLE_STREET_M)));
    }
    for s in SQUARES.iter().filter(|s| s.zh == "人民广场") {
        let r = s.radius + PURPLE_SQUARE_M;
        let circle =
            (0..48).map(|i| f64::from(i) / 48.0 * std::f64::consts::TAU).map(|a| [s.centre[0] + r * a.cos(), s.centre[1] + r * a.sin()]);
        put("VL", "purple", &circle.collect());
    }
    out
}

fn band(line: &[P2], half: f64) -> Ring {
    offset(line, -half).into_iter().chain(offset(line, half).into_iter().rev()).collect()
}

/// What the use of a parcel asks for.
pub(crate) fn of_land_use(code: &str) -> Option<(&'static str, &'static str)> {
    match code {
        "1401" | "1402" => Some(("GL", "green")),
        "13" => Some(("YL", "yellow")),
        _ => None,
    }
}
