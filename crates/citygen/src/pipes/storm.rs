//! The design storm, and what a drain carries.

use std::f64::consts::PI;

/// Years between two storms of the kind that a drain must just carry.
const RETURN_PERIOD_A: f64 = 2.0;
/// Runoff coefficient of a built-up quarter.
const RUNOFF: f64 = 0.65;
/// Ground that drains to a street, both sides together.
const STRIP_M: f64 = 60.0;
/// Time over the ground to the first drain.
pub(super) const INLET_MIN: f64 = 10.0;
/// Manning's n of concrete; plastic is smoother.
const ROUGHNESS: f64 = 0.013;

/// Changchun's storm of the older manual, l/(s·ha) for rain that lasts so many minutes.
fn intensity(minutes: f64) -> f64 {
    1600.0 * (1.0 + 0.8 * RETURN_PERIOD_A.log10()) / (minutes + 5.0).powf(0.76)
}

/// Flow from so many metres of street by the rational method, m³/s.
pub(super) fn flow_m3s(street_m: f64, minutes: f64) -> f64 {
    RUNOFF * intensity(minutes) * street_m * STRIP_M / 1e7
}

/// Flow of a round pipe that runs just full, by Manning.
pub(super) fn full_m3s(dn_mm: i64, slope: f64) -> f64 {
    let d = dn_mm as f64 / 1000.0;
    PI * d * d / 4.0 * (d / 4.0).powf(2.0 / 3.0) * slope.sqrt() / ROUGHNESS
}

/// Minutes on the way through a drain. The fastest that a partly filled pipe runs, so that no storm comes sooner.
pub(super) fn minutes(dn_mm: i64, slope: f64, length_m: f64) -> f64 {
    let d = dn_mm as f64 / 1000.0;
    length_m / (1.14 * full_m3s(dn_mm, slope) / (PI * d * d / 4.0)) / 60.0
}
