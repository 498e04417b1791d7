//! What synthetic sensors say: a reading for every sensor and moment, from the seed alone, with faults whose truth is
//! known. All of it is synthetic; nothing here was measured.
//!
//! A day has its rhythm in local time (UTC+8): pressure sinks when the city wakes and when it cooks, levels in drains
//! rise then. Faults come in slots of half an hour: a burst (pressure falls at once and stays low), a surcharge (a level
//! rises quickly), a cover lifted, silence.

use crate::dice::{For, hash, mix};
use serde::Serialize;
use strata_model::Instant;

const SLOT_MS: i64 = 1_800_000;
const LOCAL_MS: i64 = 8 * 3_600_000;
/// One sensor in so many has a fault in a slot.
const RARE: u64 = 250;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    Burst,
    Surcharge,
    /// A manhole's cover is lifted.
    CoverOpen,
    Silence,
}

/// The truth about one fault, for those who count what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    pub sensor: String,
    pub kind: FaultKind,
    /// It begins here …
    pub from: Instant,
    /// … and ends here.
    pub to: Instant,
}

fn number(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| mix(h ^ u64::from(b)))
}

/// From 0 to 1, the same for the same inputs.
fn unit(seed: u64, sensor: u64, n: i64) -> f64 {
    (hash(seed ^ sensor, For::Readings, n as u64) >> 11) as f64 / (1u64 << 53) as f64
}

/// The fault that a sensor has in the half hour around `at`, whether it has begun or not. `quantity`: its Chinese name.
pub fn fault(seed: u64, sensor: &str, quantity: &str, at: Instant) -> Option<Fault> {
    let (slot, s) = (at.0.div_euclid(SLOT_MS), number(sensor));
    let drawn = hash(seed ^ s, For::Faults, slot as u64);
    if !drawn.is_multiple_of(RARE) {
        return None;
    }
    let kind = match (drawn / RARE % 3, quantity) {
        (0, _) => FaultKind::Silence,
        (_, "压力") => FaultKind::Burst,
        (_, "液位") => FaultKind::Surcharge,
        (_, "井盖") => FaultKind::CoverOpen,
        _ => FaultKind::Silence,
    };
    // It begins in the first five minutes and is over before the slot is.
    let from = slot * SLOT_MS + (drawn / 1000 % 300) as i64 * 1000;
    let length = if kind == FaultKind::Silence { 1_200_000 } else { 900_000 };
    Some(Fault { sensor: sensor.into(), kind, from: Instant(from), to: Instant(from + length) })
}

/// The reading of a sensor; `None` when it is silent or its quantity is not one that we know.
pub fn reading(seed: u64, sensor: &str, quantity: &str, at: Instant) -> Option<f64> {
    let s = number(sensor);
    let own = unit(seed, s, -1);
    let noise = unit(seed, s, at.0 / 1000) - 0.5;
    let hour = (at.0 + LOCAL_MS).rem_euclid(86_400_000) as f64 / 3.6e6;
    let peak = |h: f64| (-((hour - h) / 1.5).powi(2)).exp();
    let demand = peak(7.5) + 0.7 * peak(12.0) + 1.1 * peak(19.0);
    let fault = fault(seed, sensor, quantity, at).filter(|f| f.from <= at && at < f.to).map(|f| f.kind);
    if fault == Some(FaultKind::Silence) {
        return None;
    }
    let value = match quantity {
        "压力" => 0.30 + 0.06 * own - 0.035 * demand + 0.004 * noise - if fault == Some(FaultKind::Burst) { 0.14 } else { 0.0 },
        "液位" => 0.25 + 0.30 * own + 0.12 * demand + 0.01 * noise + if fault == Some(FaultKind::Surcharge) { 1.2 } else { 0.0 },
        // Tilt of the cover, degrees.
        "井盖" => 0.6 + 0.4 * own + 0.2 * noise + if fault == Some(FaultKind::CoverOpen) { 70.0 } else { 0.0 },
        _ => return None,
    };
    Some((value * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_every_reading_and_faults_show() {
        let begin = Instant::from_ymd(2026, 1, 20).0;
        let (mut faults, mut readings, mut differ) = (0, 0, 0);
        for n in 0..500 {
            let (id, quantity) = (format!("SE-{n}"), ["压力", "液位", "井盖"][n % 3]);
            for slot in 0..20 {
                let at = |ms: i64| Instant(begin + slot * SLOT_MS + ms);
                let f = fault(7, &id, quantity, at(0));
                assert_eq!(f, fault(7, &id, quantity, at(SLOT_MS - 1)), "one answer for the whole slot");
                let calm = reading(7, &id, quantity, at(SLOT_MS - 1000));
                let value = calm.expect("faults are over at the end of a slot");
                let calm_range = [("压力", 0.2..0.4), ("液位", 0.2..0.9), ("井盖", 0.4..1.2)].into_iter().find(|r| r.0 == quantity);
                assert!(calm_range.expect("known").1.contains(&value), "{quantity} {value}");
                readings += 1;
                differ += usize::from(calm != reading(8, &id, quantity, at(SLOT_MS - 1000)));
                let Some(f) = f else { continue };
                faults += 1;
                assert!(f.from >= at(0) && f.to < at(SLOT_MS));
                let (before, during) = (reading(7, &id, quantity, Instant(f.from.0 - 1000)), reading(7, &id, quantity, f.from));
                match f.kind {
                    FaultKind::Silence => assert_eq!(during, None),
                    // The fault before it in the last slot is over, so the step is the fault's own.
                    FaultKind::Burst => assert!(before.expect("a reading") - during.expect("a reading") > 0.1),
                    FaultKind::CoverOpen => assert!(during.expect("a reading") > 60.0 && before.expect("a reading") < 2.0),
                    FaultKind::Surcharge => assert!(during.expect("a reading") - before.expect("a reading") > 1.0),
                }
            }
        }
        assert_eq!(readings, 10_000);
        assert!((20..70).contains(&faults), "one in {RARE}: {faults} of 10 000");
        assert!(differ > 9_000, "another seed, another city");
        assert_eq!(reading(7, "x", "未知", Instant(0)), None);
    }
}
