//! 排水 what drains can carry and where they stand full when it rains.
//!
//! Capacity by Manning, `Q = A R^(2/3) S^(1/2) / n`, as GB 50014-2021 has it for drains. Rain by the rational method of
//! the same standard, `Q = ψ q F`, with the storm as an intensity or as the standard's form
//! `q = 167 A (1 + C lg P) / (t + b)^n` in l/(s·ha) with t in minutes; its four numbers belong to a city and are asked
//! for. The area of a pipe is its length times a strip, for catchments are not surveyed. Water levels are found
//! upwards from the outfalls by the friction slope of each flow, pipe after pipe, steadily: a first look, not a
//! simulation.

use crate::network::{NONE, Network, PointKind};
use std::{collections::VecDeque, f64::consts::PI};

/// Rain that falls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Storm {
    /// Even, mm an hour.
    Intensity(f64),
    /// The standard's form: A (mm/min), C, b (min), n and the return period P (years).
    Formula { a: f64, c: f64, b: f64, n: f64, return_period_a: f64 },
}

impl Storm {
    /// l/(s·ha) for rain that lasts so many minutes.
    pub fn intensity_lps_ha(&self, minutes: f64) -> f64 {
        match *self {
            Self::Intensity(mm_h) => mm_h / 0.36,
            Self::Formula { a, c, b, n, return_period_a } => 167.0 * a * (1.0 + c * return_period_a.log10()) / (minutes + b).powf(n),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Rain {
    pub storm: Storm,
    /// Runoff coefficient ψ.
    pub runoff: f64,
    /// Strip of ground that drains to a pipe, both sides together, m.
    pub strip_m: f64,
    /// Time over the ground to the first pipe, minutes.
    pub inlet_min: f64,
}

/// Manning's n: 0.013 concrete, 0.010 plastic (GB 50014-2021: 0.013 to 0.014, 0.009 to 0.011), 0.013 else.
pub fn manning_n(material: &str) -> f64 {
    if material.contains("PE") || material.contains("PVC") || material.contains("玻璃钢") { 0.010 } else { 0.013 }
}

/// Flow of a round pipe that runs just full, m³/s. Nothing for a pipe that does not fall.
pub fn full_m3s(diameter_m: f64, slope: f64, n: f64) -> f64 {
    if slope <= 0.0 || diameter_m <= 0.0 || n <= 0.0 {
        return 0.0;
    }
    PI * diameter_m * diameter_m / 4.0 * (diameter_m / 4.0).powf(2.0 / 3.0) * slope.sqrt() / n
}

/// Share of the full flow that a round pipe carries at a depth of `fill` diameters.
pub fn share_at(fill: f64) -> f64 {
    let fill = fill.clamp(0.0, 1.0);
    let angle = 2.0 * (1.0 - 2.0 * fill).acos();
    if angle <= 0.0 {
        return 0.0;
    }
    let area = (angle - angle.sin()) / (2.0 * PI);
    area * ((angle - angle.sin()) / angle).powf(2.0 / 3.0)
}

/// Depth, in diameters, at which a round pipe carries a share of its full flow; 1 when it cannot.
pub fn fill_at(share: f64) -> f64 {
    if share >= 1.0 {
        return 1.0;
    }
    // Below 0.938 diameters more depth is more flow; beyond, a little less.
    let (mut low, mut high) = (0.0, 0.938);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if share_at(middle) < share { low = middle } else { high = middle }
    }
    high
}

/// What a drain does in the rain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drain {
    pub flow_m3s: f64,
    pub full_m3s: f64,
    pub slope: f64,
    /// Depth over diameter where it runs by its own slope; 1: full.
    pub fill: f64,
    /// Mean velocity, m/s.
    pub velocity_mps: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Flood {
    pub drains: Vec<Drain>,
    /// Water level at each node, m; NaN where no water comes.
    pub level_m: Vec<f64>,
    /// The crown of the pipe that leaves lies under water.
    pub surcharged: Vec<u32>,
    /// The level lies above the ground.
    pub flooded: Vec<u32>,
    /// Edges that take part in a circle or have no direction or inverts: no flow is known for them.
    pub unknown: Vec<u32>,
}

/// Lets it rain on the drains. An edge of another shape than round counts as a round one of its size.
pub fn rain(net: &Network, rain: &Rain) -> Flood {
    let edges = net.edges.len();
    let usable = |e: usize| {
        let edge = &net.edges[e];
        edge.flow != 0 && edge.ends[0] != edge.ends[1] && net.pipe(e as u32).inverts_m.is_some() && edge.length_m > 0.0
    };
    let (from, to) = (
        |e: usize| net.edges[e].ends[usize::from(net.edges[e].flow < 0)],
        |e: usize| net.edges[e].ends[usize::from(net.edges[e].flow > 0)],
    );
    // Inverts at the two ends of an edge, in the sense of the flow.
    let inverts = |e: usize| {
        let own = net.pipe(e as u32).inverts_m.unwrap_or([f64::NAN; 2]);
        if net.edges[e].flow < 0 { [own[1], own[0]] } else { own }
    };
    let mut drains: Vec<Drain> = (0..edges)
        .map(|e| {
            let row = net.pipe(e as u32);
            let [high, low] = inverts(e);
            let slope = if usable(e) { (high - low) / net.edges[e].length_m } else { 0.0 };
            let full = full_m3s(row.diameter_m, slope, manning_n(net.word(row.material)));
            Drain { flow_m3s: 0.0, full_m3s: full, slope, fill: 0.0, velocity_mps: 0.0 }
        })
        .collect();
    let mut waits = vec![0u32; net.nodes.len()];
    (0..edges).filter(|e| usable(*e)).for_each(|e| waits[to(e) as usize] += 1);
    // Area above each node (ha, times ψ) and the longest way of the water, minutes.
    let (mut area, mut minutes) = (vec![0.0f64; net.nodes.len()], vec![rain.inlet_min; net.nodes.len()]);
    let mut ready: VecDeque<u32> = (0..net.nodes.len() as u32).filter(|n| waits[*n as usize] == 0).collect();
    let (mut order, mut done) = (Vec::new(), vec![false; edges]);
    while let Some(n) = ready.pop_front() {
        order.push(n);
        let out: Vec<usize> = net.halves(n).map(|h| h.edge as usize).filter(|e| usable(*e) && from(*e) == n).collect();
        // Where drains part, each takes by what it can carry.
        let carried: f64 = out.iter().map(|e| drains[*e].full_m3s).sum();
        for &e in &out {
            let part = if carried > 0.0 { drains[e].full_m3s / carried } else { 1.0 / out.len() as f64 };
            let own = net.edges[e].length_m * rain.strip_m / 10_000.0 * rain.runoff;
            let above = area[n as usize] * part + own;
            let flow = above * rain.storm.intensity_lps_ha(minutes[n as usize]) / 1000.0;
            let d = &mut drains[e];
            let bore = net.pipe(e as u32).diameter_m;
            d.flow_m3s = flow;
            d.fill = if d.full_m3s > 0.0 { fill_at(flow / d.full_m3s) } else { 1.0 };
            let angle = 2.0 * (1.0 - 2.0 * d.fill).acos();
            let wet = bore * bore / 8.0 * (angle - angle.sin());
            d.velocity_mps = if wet > 0.0 { flow / wet } else { 0.0 };
            let end = to(e) as usize;
            area[end] += above;
            let travel = if d.velocity_mps > 0.01 { net.edges[e].length_m / d.velocity_mps / 60.0 } else { 0.0 };
            minutes[end] = minutes[end].max(minutes[n as usize] + travel);
            done[e] = true;
            waits[end] -= 1;
            if waits[end] == 0 {
                ready.push_back(end as u32);
            }
        }
    }
    let unknown: Vec<u32> = (0..edges).filter(|e| !done[*e]).map(|e| e as u32).collect();
    let level_m = levels(net, &drains, &order, &|n| {
        let out = net.halves(n).map(|h| h.edge as usize).filter(|e| done[*e] && from(*e) == n);
        out.map(|e| (e, to(e), inverts(e))).collect()
    });
    let (mut surcharged, mut flooded) = (Vec::new(), Vec::new());
    for n in 0..net.nodes.len() as u32 {
        let level = level_m[n as usize];
        if !level.is_finite() || net.kind(n) == PointKind::Outfall {
            continue;
        }
        let out = net.halves(n).map(|h| h.edge as usize).filter(|e| done_from(net, *e, n));
        let crown = out.map(|e| inverts(e)[0] + net.pipe(e as u32).diameter_m).fold(f64::NEG_INFINITY, f64::max);
        if crown.is_finite() && level > crown + 0.01 {
            surcharged.push(n);
        }
        if net.nodes[n as usize].ground_m.is_some_and(|g| level > g) {
            flooded.push(n);
        }
    }
    Flood { drains, level_m, surcharged, flooded, unknown }
}

fn done_from(net: &Network, e: usize, n: u32) -> bool {
    let edge = &net.edges[e];
    edge.flow != 0 && edge.ends[usize::from(edge.flow < 0)] == n
}

/// Levels from the outfalls up: at the end of the way water stands as deep as the last drain runs.
fn levels(net: &Network, drains: &[Drain], order: &[u32], out_of: &dyn Fn(u32) -> Vec<(usize, u32, [f64; 2])>) -> Vec<f64> {
    let mut level = vec![f64::NAN; net.nodes.len()];
    for &n in order.iter().rev() {
        for (e, below, [high, low]) in out_of(n) {
            let (d, bore) = (&drains[e], net.pipe(e as u32).diameter_m);
            let row_n = manning_n(net.word(net.pipe(e as u32).material));
            let own_end = low + d.fill * bore;
            let at_end = if below != NONE && level[below as usize].is_finite() { level[below as usize].max(own_end) } else { own_end };
            if level[below as usize].is_nan() {
                level[below as usize] = own_end;
            }
            let full_by_force = d.full_m3s <= 0.0 || d.flow_m3s > d.full_m3s || at_end > low + bore;
            let own = if full_by_force {
                // Runs full: the friction slope of this flow, from no lower than the crown.
                let carries = full_m3s(bore, 1.0, row_n);
                let friction = if carries > 0.0 { (d.flow_m3s / carries).powi(2) } else { 0.0 };
                (at_end.max(low + bore) + friction * net.edges[e].length_m).max(high + d.fill.min(1.0) * bore)
            } else {
                high + d.fill * bore
            };
            let here = &mut level[n as usize];
            *here = if here.is_nan() { own } else { here.max(own) };
        }
    }
    level
}
