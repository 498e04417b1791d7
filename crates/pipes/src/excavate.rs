//! 开挖: a pit in the ground, what it moves and what it touches.
//!
//! The polygon is the floor of the pit; the floor is level, `depth_m` below the lowest ground on it. Walls rise outwards,
//! `slope` metres in plan for one in height (0: upright), at the same distance from the floor everywhere, so that
//! corners are round. Over the floor the volume is exact: prisms under each triangle of the terrain. Under the
//! slopes it is the exact area at each height, summed by Gauss's rule. Working frame, m.

use crate::{
    clearance::nearest_in_plan,
    ground::Ground,
    inputs::{around, line_json, number, pipe_json, shown},
    pipe::{Class, Pipe},
    rules::{Rule, rules},
    statistics::{bounds, polygon},
};
use geo::{
    Area as _, Contains,
    buffer::{Buffer, BufferStyle, LineJoin},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use strata_engine::{Analysis, AnalysisError, View};
use strata_model::{Bounds2, Point3};

/// Earth that a pit moves.
#[derive(Debug, Clone)]
pub struct Pit {
    pub floor_m: f64,
    pub floor_area_m2: f64,
    pub volume_m3: f64,
    /// Above the floor's own outline; the rest lies under the slopes.
    pub over_floor_m3: f64,
    /// Least and greatest height of the ground above the floor, over the floor.
    pub depth_m: [f64; 2],
    /// Edge of the pit on the ground, closed.
    pub edge: Vec<Point3>,
    pub slope: f64,
    floor: geo::Polygon,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PitError {
    #[error("there is no terrain under a part of the pit")]
    NoGround,
}

/// Part of a ring inside a half plane `keep(p) ≥ 0`.
fn clip<const N: usize>(ring: &[[f64; N]], keep: impl Fn(&[f64; N]) -> f64) -> Vec<[f64; N]> {
    let mut out = Vec::with_capacity(ring.len() + 4);
    for (i, p) in ring.iter().enumerate() {
        let q = &ring[(i + 1) % ring.len()];
        let (a, b) = (keep(p), keep(q));
        if a >= 0.0 {
            out.push(*p);
        }
        if (a >= 0.0) != (b >= 0.0) {
            let t = a / (a - b);
            out.push(std::array::from_fn(|k| p[k] + (q[k] - p[k]) * t));
        }
    }
    out
}

fn open(r: &geo::LineString) -> Vec<[f64; 2]> {
    r.coords().skip(1).map(|c| [c.x, c.y]).collect()
}

/// Signed area, and the integral of `z − zero` over it for a flat piece of ground, around its first corner.
fn area_and_integral(ring: &[[f64; 2]], z: impl Fn([f64; 2]) -> f64) -> (f64, f64) {
    let (mut area, mut integral) = (0.0, 0.0);
    let Some(o) = ring.first() else { return (0.0, 0.0) };
    for w in ring.windows(2).skip(1) {
        let a2 = (w[0][0] - o[0]) * (w[1][1] - o[1]) - (w[0][1] - o[1]) * (w[1][0] - o[0]);
        area += a2 / 2.0;
        integral += a2 / 2.0 * (z(*o) + z(w[0]) + z(w[1])) / 3.0;
    }
    (area, integral)
}

fn plane(t: &[Point3; 3]) -> impl Fn([f64; 2]) -> f64 + use<> {
    let t = *t;
    let d = (t[1][0] - t[0][0]) * (t[2][1] - t[0][1]) - (t[2][0] - t[0][0]) * (t[1][1] - t[0][1]);
    let gx = ((t[1][2] - t[0][2]) * (t[2][1] - t[0][1]) - (t[2][2] - t[0][2]) * (t[1][1] - t[0][1])) / d;
    let gy = ((t[2][2] - t[0][2]) * (t[1][0] - t[0][0]) - (t[1][2] - t[0][2]) * (t[2][0] - t[0][0])) / d;
    move |p: [f64; 2]| t[0][2] + gx * (p[0] - t[0][0]) + gy * (p[1] - t[0][1])
}

/// Over the part of an area where the ground lies above a level: area, volume down to the level, and the area of all ground
/// under the polygon, whatever its height.
fn above(ground: &Ground, area: &geo::Polygon, level: f64) -> (f64, f64, f64) {
    let b = bounds(area);
    let (mut lifted, mut volume, mut known) = (0.0, 0.0, 0.0);
    ground.each(&b, &mut |t| {
        let z = plane(t);
        for (ring, sign) in std::iter::once((area.exterior(), 1.0)).chain(area.interiors().iter().map(|r| (r, -1.0))) {
            // The ring inside the triangle: winding does not matter, areas are taken by their size.
            let mut piece = open(ring);
            for k in 0..3 {
                let (p, q) = (t[k], t[(k + 1) % 3]);
                piece = clip(&piece, |x| (q[0] - p[0]) * (x[1] - p[1]) - (q[1] - p[1]) * (x[0] - p[0]));
            }
            let (all, _) = area_and_integral(&piece, |_| 0.0);
            known += sign * all.abs();
            let piece = clip(&piece, |x| z(*x) - level);
            let (a, v) = area_and_integral(&piece, |x| z(x) - level);
            lifted += sign * a.abs();
            volume += sign * v.abs();
        }
    });
    (lifted, volume, known)
}

/// Outward by a distance, corners round.
fn grown(p: &geo::Polygon, by: f64) -> geo::MultiPolygon {
    if by <= 0.0 {
        return geo::MultiPolygon::new(vec![p.clone()]);
    }
    // Far from the origin the overlay loses digits: near it, it does not.
    let o = p.exterior().0[0];
    let near = geo::Translate::translate(p, -o.x, -o.y);
    let out = near.buffer_with_style(BufferStyle::new(by).line_join(LineJoin::Round(0.02)));
    geo::Translate::translate(&out, o.x, o.y)
}

fn distance(p: &geo::Polygon, at: [f64; 2]) -> f64 {
    if p.contains(&geo::Point::new(at[0], at[1])) {
        return 0.0;
    }
    let here = [at[0], at[1], 0.0];
    let edges = std::iter::once(p.exterior()).chain(p.interiors()).flat_map(|r| r.lines());
    edges.map(|l| nearest_in_plan([here, here], [[l.start.x, l.start.y, 0.0], [l.end.x, l.end.y, 0.0]]).0).fold(f64::INFINITY, f64::min)
}

/// Gauss–Legendre on 0..1, three points.
const GAUSS: [(f64, f64); 3] = [(0.112_701_665_379_258_3, 5.0 / 18.0), (0.5, 8.0 / 18.0), (0.887_298_334_620_741_7, 5.0 / 18.0)];

/// The pit over a floor.
pub fn pit(floor: &geo::Polygon, depth_m: f64, slope: f64, ground: &Ground) -> Result<Pit, PitError> {
    // The lowest ground: at a corner of the floor, where its edge crosses a triangle's, or at a triangle's corner inside.
    let mut span = [f64::INFINITY, f64::NEG_INFINITY];
    let mut take = |z: f64| span = [span[0].min(z), span[1].max(z)];
    let rings = || std::iter::once(floor.exterior()).chain(floor.interiors());
    for l in rings().flat_map(|r| r.lines()) {
        ground.along([l.start.x, l.start.y], [l.end.x, l.end.y]).iter().for_each(|s| s.z.into_iter().for_each(&mut take));
    }
    ground.each(&bounds(floor), &mut |t| {
        t.iter().filter(|p| floor.contains(&geo::Point::new(p[0], p[1]))).for_each(|p| take(p[2]));
    });
    if !span[0].is_finite() {
        return Err(PitError::NoGround);
    }
    let floor_m = span[0] - depth_m;
    let area = floor.unsigned_area();
    let (_, over_floor, known) = above(ground, floor, floor_m);
    if known < area * (1.0 - 1e-6) - 1e-6 {
        return Err(PitError::NoGround);
    }
    let mut volume = over_floor;
    let mut top = span[1] - floor_m;
    if slope > 0.0 {
        // The ground may rise beside the floor: up to where the slopes come out.
        for _ in 0..8 {
            let mut b = bounds(floor).grown(top * slope);
            b = Bounds2 { min: b.min, max: b.max };
            let mut high = top;
            ground.each(&b, &mut |t| t.iter().for_each(|p| high = high.max(p[2] - floor_m)));
            if high <= top + 1e-9 {
                break;
            }
            top = high.min(top * 2.0);
        }
        let panels = 24;
        for panel in 0..panels {
            for (at, weight) in GAUSS {
                let h = (f64::from(panel) + at) / f64::from(panels) * top;
                let wide: f64 = grown(floor, h * slope).iter().map(|p| above(ground, p, floor_m + h).0).sum();
                let narrow = above(ground, floor, floor_m + h).0;
                volume += (wide - narrow) * weight * top / f64::from(panels);
            }
        }
    }
    let edge = edge(floor, floor_m, slope, ground)?;
    Ok(Pit {
        floor_m,
        floor_area_m2: area,
        volume_m3: volume,
        over_floor_m3: over_floor,
        depth_m: [span[0] - floor_m, span[1] - floor_m],
        edge,
        slope,
        floor: floor.clone(),
    })
}

/// Where the walls meet the ground: every point of an outline around the floor goes out until its height is the ground's.
fn edge(floor: &geo::Polygon, floor_m: f64, slope: f64, ground: &Ground) -> Result<Vec<Point3>, PitError> {
    let height = |p: [f64; 2]| ground.height_m(p).ok_or(PitError::NoGround);
    if slope <= 0.0 {
        return floor.exterior().coords().map(|c| Ok([c.x, c.y, height([c.x, c.y])?])).collect();
    }
    let start = floor.exterior().0[0];
    let out = (height([start.x, start.y])? - floor_m).max(0.1) * slope;
    let ring = grown(floor, out);
    let Some(ring) = ring.iter().max_by(|a, b| a.unsigned_area().total_cmp(&b.unsigned_area())) else { return Ok(Vec::new()) };
    let nearest = |at: [f64; 2]| {
        let here = [at[0], at[1], 0.0];
        let foot = |l: geo::Line| {
            let (d, _, t) = nearest_in_plan([here, here], [[l.start.x, l.start.y, 0.0], [l.end.x, l.end.y, 0.0]]);
            (d, [l.start.x + l.dx() * t, l.start.y + l.dy() * t])
        };
        floor.exterior().lines().map(foot).min_by(|a, b| a.0.total_cmp(&b.0))
    };
    let mut points = Vec::new();
    for c in ring.exterior().coords() {
        let Some((d, foot)) = nearest([c.x, c.y]) else { continue };
        let way = [(c.x - foot[0]) / d.max(1e-9), (c.y - foot[1]) / d.max(1e-9)];
        let mut at = d;
        for _ in 0..12 {
            let z = height([foot[0] + way[0] * at, foot[1] + way[1] * at])?;
            at = ((z - floor_m) * slope).max(0.0);
        }
        let p = [foot[0] + way[0] * at, foot[1] + way[1] * at];
        points.push([p[0], p[1], height(p)?]);
    }
    Ok(points)
}

/// How a pit meets a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Touch {
    /// The pit bares it.
    Exposed,
    /// It lies under the floor or a slope.
    Under,
    /// Beside the pit's edge.
    Near,
}

#[derive(Debug, Clone)]
pub struct Touched {
    pub pipe: u32,
    pub touch: Touch,
    /// Bared, or else covered by the pit, on the axis.
    pub part: Vec<[Point3; 2]>,
    pub length_m: f64,
    /// Pipe's outer face to the pit's edge in plan; 0 inside.
    pub distance_m: f64,
    /// Ground left between the pit and the top of a pipe under it.
    pub left_m: Option<f64>,
    /// Gas: `protection` or `control`, with the rule and the width of the zone.
    pub zone: Option<(&'static str, f64, Rule)>,
}

/// What the pit touches: pipes that it bares, pipes under it, pipes within `near_m` of its edge, gas pipes whose zones it meets.
pub fn touched(pit: &Pit, pipes: &[Pipe], ground: &Ground, near_m: f64) -> Vec<Touched> {
    let mut out = Vec::new();
    let ring: Vec<[Point3; 2]> = pit.edge.windows(2).map(|w| [w[0], w[1]]).collect();
    let shape = geo::Polygon::new(geo::LineString::from(pit.edge.iter().map(|p| (p[0], p[1])).collect::<Vec<_>>()), Vec::new());
    for (n, p) in pipes.iter().enumerate() {
        let half = [p.section.half_width_m(), p.section.half_height_m()];
        let (mut bared, mut covered) = (Vec::new(), Vec::new());
        let (mut bared_m, mut covered_m, mut left, mut far) = (0.0, 0.0, f64::INFINITY, f64::INFINITY);
        for w in p.axis.windows(2).filter(|w| w.iter().flatten().all(|v| v.is_finite())) {
            let axis = [w[0], w[1]];
            let away = ring.iter().map(|e| nearest_in_plan(axis, *e).0).fold(f64::INFINITY, f64::min);
            let inside = shape.contains(&geo::Point::new(axis[0][0], axis[0][1]));
            far = far.min(if inside { 0.0 } else { (away - half[0]).max(0.0) });
            if away > 0.0 && !inside && away > half[0] {
                continue;
            }
            // Looked at every 10 cm.
            let length = (axis[1][0] - axis[0][0]).hypot(axis[1][1] - axis[0][1]);
            let k = (length / 0.1).ceil().max(1.0) as usize;
            let at = |t: f64| [0, 1, 2].map(|i| axis[0][i] + (axis[1][i] - axis[0][i]) * t);
            let mut last: Option<(Touch, f64)> = None;
            let mut close = |from: f64, to: f64, touch: Touch| {
                let metres = (to - from) * length;
                if touch == Touch::Exposed {
                    bared.push([at(from), at(to)]);
                    bared_m += metres;
                } else {
                    covered.push([at(from), at(to)]);
                    covered_m += metres;
                }
            };
            for i in 0..k {
                let q = at((i as f64 + 0.5) / k as f64);
                let d = (distance(&pit.floor, [q[0], q[1]]) - half[0]).max(0.0);
                let surface = if d == 0.0 {
                    pit.floor_m
                } else if pit.slope > 0.0 {
                    pit.floor_m + d / pit.slope
                } else {
                    f64::INFINITY
                };
                let here = ground.height_m([q[0], q[1]]).filter(|g| *g > surface).map(|_| {
                    left = left.min(surface - q[2] - half[1]);
                    if q[2] + half[1] > surface { Touch::Exposed } else { Touch::Under }
                });
                let t = i as f64 / k as f64;
                if last.map(|l| l.0) != here {
                    if let Some((touch, from)) = last {
                        close(from, t, touch);
                    }
                    last = here.map(|h| (h, t));
                }
            }
            if let Some((touch, from)) = last {
                close(from, 1.0, touch);
            }
        }
        let zone = rules().gas_zone(p).and_then(|(protection, control, rule)| match far {
            f if f <= protection => Some(("protection", protection, rule)),
            f if f <= control => Some(("control", control, rule)),
            _ => None,
        });
        let touch = if bared_m > 0.0 {
            Touch::Exposed
        } else if covered_m > 0.0 {
            Touch::Under
        } else if far <= near_m || zone.is_some() {
            Touch::Near
        } else {
            continue;
        };
        let (part, length_m) = if touch == Touch::Exposed { (bared, bared_m) } else { (covered, covered_m) };
        let left_m = (touch == Touch::Under).then_some(left);
        out.push(Touched { pipe: n as u32, touch, part, length_m, distance_m: far, left_m, zone });
    }
    out.sort_by(|a, b| a.touch.cmp(&b.touch).then(a.distance_m.total_cmp(&b.distance_m)).then(a.pipe.cmp(&b.pipe)));
    out
}

pub const EXCAVATE: Analysis = Analysis {
    id: "excavate",
    title_en: "Excavation",
    title_zh: "开挖分析",
    about: "A pit with a level floor and sloping walls: volume against the terrain, pipes that it bares, that lie under it or near it, protection and control zones of gas pipes (GB 55009-2021), and the owners to be told.",
    inputs: r#"{"type":"object","required":["area","depth_m"],"properties":{
        "area":{"description":"Polygon: the floor of the pit, at most 100 ha","format":"geojson-geometry","type":"object"},
        "depth_m":{"description":"Below the lowest ground on the floor","type":"number","minimum":0.1,"maximum":60},
        "slope":{"description":"Metres outwards for one metre up; 0: upright walls","type":"number","default":0,"maximum":5},
        "near_m":{"description":"Pipes so near to the edge are named","type":"number","default":3,"maximum":50}}}"#,
    outputs: r#"{"type":"object","properties":{
        "faults":{"description":"Pipes bared, and gas pipes whose protection zone the pit meets","type":"integer"},
        "volume_m3":{"type":"number"},"over_floor_m3":{"type":"number"},"floor_area_m2":{"type":"number"},"floor_m":{"description":"Height of the floor","type":"number"},
        "depth_m":{"description":"Least and greatest depth over the floor","type":"array"},"edge":{"description":"Polygon on the ground","type":"object"},
        "pipes":{"description":"touch (exposed, under, near), pipe, length_m, parts, distance_m, left_m, zone","type":"array"},
        "owners":{"description":"Owner, pipes by touch, in the zone of gas","type":"array"}}}"#,
    run,
};

/// The widest control zone of gas, m.
const WIDEST_ZONE_M: f64 = 50.0;

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let floor = polygon(inputs.get("area").unwrap_or(&Value::Null), "/area")?;
    let depth = number(inputs, "depth_m", f64::NAN, 0.1, 60.0)?;
    if !depth.is_finite() {
        return Err(AnalysisError::input("/depth_m", "it is wanted"));
    }
    let slope = number(inputs, "slope", 0.0, 0.0, 5.0)?;
    let near_m = number(inputs, "near_m", 3.0, 0.0, 50.0)?;
    if floor.unsigned_area() > 1e6 {
        return Err(AnalysisError::TooLarge { reason: "a pit of more than 100 ha".into() });
    }
    let b = bounds(&floor);
    let ground = Ground::around(view, b.grown(depth * 2.0 * slope + 40.0))?;
    let pit = pit(&floor, depth, slope, &ground).map_err(|e| AnalysisError::input("/area", e.to_string()))?;
    let mut wide = b;
    pit.edge.iter().for_each(|p| wide.extend([p[0], p[1]]));
    let pipes = around(view, wide, WIDEST_ZONE_M + 2.0)?;
    let found = touched(&pit, &pipes, &ground, near_m);
    let mut owners: BTreeMap<Option<String>, (BTreeMap<Touch, u64>, u64)> = BTreeMap::new();
    for t in &found {
        let o = owners.entry(pipes[t.pipe as usize].owner.clone()).or_default();
        *o.0.entry(t.touch).or_default() += 1;
        o.1 += u64::from(t.zone.is_some());
    }
    let fault = |t: &&Touched| t.touch == Touch::Exposed || t.zone.as_ref().is_some_and(|z| z.0 == "protection");
    let json_of = |t: &Touched| {
        let p = &pipes[t.pipe as usize];
        let mut out = json!({
            "touch": t.touch, "pipe": pipe_json(p), "length_m": shown(t.length_m), "distance_m": shown(t.distance_m),
            "parts": t.part.iter().map(|s| line_json(s)).collect::<Vec<_>>(), "left_m": t.left_m.map(shown),
        });
        if let Some((zone, width, rule)) = &t.zone {
            out["zone"] = json!({ "kind": zone, "width_m": width, "rule": rule, "pressure_known": p.pressure.is_some() });
        }
        out
    };
    Ok(json!({
        "faults": found.iter().filter(fault).count(),
        "volume_m3": (pit.volume_m3 * 10.0).round() / 10.0, "over_floor_m3": (pit.over_floor_m3 * 10.0).round() / 10.0,
        "floor_area_m2": (pit.floor_area_m2 * 10.0).round() / 10.0, "floor_m": shown(pit.floor_m), "depth_m": pit.depth_m.map(shown),
        "edge": { "type": "Polygon", "coordinates": [pit.edge] },
        "pipes": found.iter().map(json_of).collect::<Vec<_>>(),
        "owners": owners.into_iter().map(|(o, (touch, zone))| json!({
            "owner": o, "exposed": touch.get(&Touch::Exposed).unwrap_or(&0), "under": touch.get(&Touch::Under).unwrap_or(&0),
            "near": touch.get(&Touch::Near).unwrap_or(&0), "gas_zones": zone,
        })).collect::<Vec<_>>(),
        "gas_seen": pipes.iter().filter(|p| p.class == Class::Rq).count(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand::{district, round};
    use std::f64::consts::PI;

    fn ground(z: impl Fn(f64, f64) -> f64) -> Ground {
        let step = 7.0;
        let p = |i: i32, j: i32| {
            let (x, y) = (f64::from(i) * step, f64::from(j) * step);
            [x, y, z(x, y)]
        };
        Ground::new(
            (-8..8)
                .flat_map(|i| (-8..8).map(move |j| (i, j)))
                .flat_map(|(i, j)| [[p(i, j), p(i + 1, j), p(i + 1, j + 1)], [p(i, j), p(i + 1, j + 1), p(i, j + 1)]]),
        )
    }
    fn square(a: f64) -> geo::Polygon {
        geo::Polygon::new(geo::LineString::from(vec![(0.0, 0.0), (a, 0.0), (a, a), (0.0, a), (0.0, 0.0)]), Vec::new())
    }

    #[test]
    fn flat_ground_by_hand() {
        let g = ground(|_, _| 100.0);
        let p = pit(&square(10.0), 2.0, 0.0, &g).unwrap();
        assert!((p.volume_m3 - 200.0).abs() < 1e-9 && p.floor_m == 98.0 && p.edge.len() == 5);
        // 1:1: the block, four wedges, and a whole cone of the four round corners.
        let p = pit(&square(10.0), 2.0, 1.0, &g).unwrap();
        let by_hand = 200.0 + 40.0 * 2.0 * 2.0 / 2.0 + PI * 4.0 * 2.0 / 3.0;
        assert!((p.volume_m3 - by_hand).abs() < by_hand * 1e-4, "{} {by_hand}", p.volume_m3);
        let far = p.edge.iter().map(|q| distance(&square(10.0), [q[0], q[1]])).fold(0.0, f64::max);
        assert!((far - 2.0).abs() < 2e-3);
    }

    #[test]
    fn rolling_ground_and_a_hollow_floor_against_a_fine_grid() {
        let g = ground(|x, y| 100.0 + (x * 0.13).sin() * 1.5 + y * 0.04);
        // An L with a hole.
        let floor = geo::Polygon::new(
            geo::LineString::from(vec![(-10.0, -8.0), (12.0, -8.0), (12.0, 2.0), (1.0, 2.0), (1.0, 11.0), (-10.0, 11.0), (-10.0, -8.0)]),
            vec![geo::LineString::from(vec![(-6.0, -4.0), (-6.0, 1.0), (-2.0, 1.0), (-2.0, -4.0), (-6.0, -4.0)])],
        );
        for slope in [0.0, 0.7] {
            let p = pit(&floor, 2.5, slope, &g).unwrap();
            let (step, mut grid) = (0.05, 0.0);
            for i in -600..600 {
                for j in -600..600 {
                    let q = [(f64::from(i) + 0.5) * step, (f64::from(j) + 0.5) * step];
                    let d = distance(&floor, q);
                    if slope == 0.0 && d > 0.0 || d > 8.0 {
                        continue;
                    }
                    let low = p.floor_m + if d > 0.0 { d / slope } else { 0.0 };
                    grid += (g.height_m(q).unwrap() - low).max(0.0) * step * step;
                }
            }
            assert!((p.volume_m3 - grid).abs() < grid * 2e-3, "slope {slope}: {} {grid}", p.volume_m3);
        }
    }

    #[test]
    fn pipes_bared_under_near_and_in_the_zone() {
        let g = ground(|_, _| 100.0);
        let p = pit(&square(10.0), 2.0, 0.0, &g).unwrap();
        let along = |id: &str, class: Class, y: f64, z: f64| round(id, class, 200.0, &[[-20.0, y, z], [30.0, y, z]]);
        let mut gas = along("gas", Class::Rq, 10.5, 99.0);
        gas.pressure = Some("中压A".into());
        let mut far = along("far", Class::Rq, 14.0, 99.0);
        far.pressure = Some("中压A".into());
        let pipes = [
            along("bared", Class::Js, 5.0, 99.0),
            along("under", Class::Ps, 6.0, 97.0),
            along("near", Class::Tx, 12.0, 99.0),
            gas,
            far,
            along("away", Class::Js, 30.0, 99.0),
        ];
        let t = touched(&p, &pipes, &g, 3.0);
        let of = |id: &str| t.iter().find(|t| pipes[t.pipe as usize].id.as_str() == id);
        let bared = of("bared").unwrap();
        assert!(bared.touch == Touch::Exposed && (bared.length_m - 10.0).abs() < 0.5, "{}", bared.length_m);
        let under = of("under").unwrap();
        assert!(under.touch == Touch::Under && (under.left_m.unwrap() - 0.9).abs() < 1e-9);
        assert!((of("near").unwrap().distance_m - 1.9).abs() < 1e-9);
        assert_eq!(of("gas").unwrap().zone.as_ref().unwrap().0, "protection"); // 0.4 m
        assert_eq!(of("far").unwrap().zone.as_ref().unwrap().0, "control"); // 3.9 m
        assert!(of("away").is_none());
    }

    #[test]
    fn a_pit_in_a_street_of_the_district() {
        let city = district();
        let c = city.anchor("main-crossing");
        let at = |dx: f64, dy: f64| [c[0] + dx, c[1] + dy];
        let area = json!({ "type": "Polygon", "coordinates": [[at(-20.0, -40.0), at(20.0, -40.0), at(20.0, -30.0), at(-20.0, -30.0), at(-20.0, -40.0)]] });
        let answer = (EXCAVATE.run)(&city.view(), &json!({ "area": area, "depth_m": 3.0, "slope": 0.5 })).unwrap();
        assert!(answer["volume_m3"].as_f64().unwrap() > 1200.0 && answer["faults"].as_u64().unwrap() > 0);
        let owners = answer["owners"].as_array().unwrap();
        assert!(owners.len() >= 4 && owners.iter().all(|o| o["owner"].is_string()));
        for bad in [
            json!({}),
            json!({ "area": area }),
            json!({ "area": area, "depth_m": -1.0 }),
            json!({ "area": area, "depth_m": 2.0, "slope": 9.0 }),
        ] {
            assert!(matches!((EXCAVATE.run)(&city.view(), &bad), Err(AnalysisError::Input { .. })), "{bad}");
        }
        let off = json!({ "type": "Polygon", "coordinates": [[[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 0.0]]] });
        let e = (EXCAVATE.run)(&city.view(), &json!({ "area": off, "depth_m": 2.0 })).unwrap_err();
        assert!(e.to_string().contains("no terrain"));
    }
}
