//! Points of the pipe networks, and sensors.
//!
//! The shaft of a well has a mesh of its own; covers, valves, hydrants and other fittings are placements of two
//! small meshes (an upright round and a box), one unit each way.

use super::Scene;
use super::sink::Sink;
use crate::content::{Placement, Primitive, Role};
use std::f64::consts::TAU;
use strata_model::{Feature, Point3, Theme};

/// Where the small meshes stand.
#[derive(Default)]
pub(super) struct Fittings {
    rounds: Vec<Placement>,
    boxes: Vec<Placement>,
}

impl Fittings {
    fn put(list: &mut Vec<Placement>, sink: &Sink, at: [f64; 2], size: [f64; 2], low: f64, high: f64) {
        if high > low {
            list.push(Placement {
                translation: sink.local([at[0], at[1], low]),
                rotation: [0.0, 0.0, 0.0, 1.0],
                scale: [size[0], size[1], high - low].map(|v| v as f32),
                feature_row: sink.row(),
            });
        }
    }
    fn round(&mut self, sink: &Sink, at: [f64; 2], low: f64, high: f64, radius: f64) {
        Self::put(&mut self.rounds, sink, at, [2.0 * radius; 2], low, high);
    }
    fn cuboid(&mut self, sink: &Sink, at: [f64; 2], size: [f64; 2], low: f64, high: f64) {
        Self::put(&mut self.boxes, sink, at, size, low, high);
    }
    pub fn finish(self, sink: &mut Sink, scene: &Scene) {
        if !self.rounds.is_empty() {
            sink.instance(unit(if scene.steps == 0 { 12 } else { 6 }, 0.0), &self.rounds);
        }
        if !self.boxes.is_empty() {
            sink.instance(unit(4, 0.5), &self.boxes);
        }
    }
}

/// Upright body of one unit each way, its foot at 0, flat faces at top and bottom; four sides make a cube.
fn unit(sides: usize, turn: f64) -> Primitive {
    let mut mesh = Primitive { role: Some(Role::Fitting), ..Primitive::default() };
    let cube = sides == 4;
    let reach = if cube { 0.5f64.sqrt() } else { 0.5 };
    let mut add = |p: [f64; 3], n: [f64; 3]| {
        mesh.positions.push(p.map(|v| v as f32));
        mesh.normals.push(n.map(|v| v as f32));
        mesh.uv.push([p[0] as f32, p[1] as f32]);
        mesh.uv2.push([0.0; 2]);
        mesh.positions.len() as u32 - 1
    };
    let way = |k: f64| {
        let (sin, cos) = (TAU * (k + turn) / sides as f64).sin_cos();
        [cos, sin]
    };
    let mut indices = Vec::new();
    let (mut bottom, mut top) = (Vec::new(), Vec::new());
    for k in 0..sides {
        let (a, b) = (way(k as f64), way(((k + 1) % sides) as f64));
        let middle = way(k as f64 + 0.5);
        let (na, nb) = if cube { (middle, middle) } else { (a, b) };
        let at = |d: [f64; 2], z: f64| [d[0] * reach, d[1] * reach, z];
        let side = |n: [f64; 2]| [n[0], n[1], 0.0];
        let q = [add(at(a, 0.0), side(na)), add(at(b, 0.0), side(nb)), add(at(b, 1.0), side(nb)), add(at(a, 1.0), side(na))];
        indices.extend([q[0], q[1], q[2], q[0], q[2], q[3]]);
        bottom.push(add(at(a, 0.0), [0.0, 0.0, -1.0]));
        top.push(add(at(a, 1.0), [0.0, 0.0, 1.0]));
    }
    for k in 1..sides - 1 {
        indices.extend([bottom[0], bottom[k + 1], bottom[k], top[0], top[k], top[k + 1]]);
    }
    mesh.indices = indices;
    mesh
}

/// At the leaves all there is; one level above, covers without shafts and no joints; farther away only the large
/// works (sources, pumps, tanks, outfalls).
pub(super) fn points(sink: &mut Sink, scene: &Scene, f: &Feature, points: &[Point3], fittings: &mut Fittings) {
    let kind = if scene.layer.theme == Theme::Sensor { "sensor" } else { f.text(scene.layer, "kind").unwrap_or("other") };
    let works = matches!(kind, "source" | "pump" | "tank" | "outfall");
    if (scene.steps >= 2 && !works) || (scene.steps == 1 && matches!(kind, "tee" | "bend" | "cross" | "reducer" | "cap")) {
        return;
    }
    sink.begin(f);
    for p in points {
        body(sink, scene, f, kind, *p, fittings);
    }
}

fn body(sink: &mut Sink, scene: &Scene, f: &Feature, kind: &str, p: Point3, fittings: &mut Fittings) {
    let number = |name: &str| scene.number(f, name);
    let near = scene.steps == 0;
    let ground = number("ground_m").filter(|g| (g - p[2]).abs() < 60.0).unwrap_or_else(|| scene.ground(p[0], p[1], p[2]));
    let depth = number("well_depth_m").or_else(|| number("depth_m")).map(f64::abs).filter(|d| (0.1..60.0).contains(d));
    let axis = number("axis_m").filter(|a| (a - p[2]).abs() < 60.0).or_else(|| number("depth_m").map(|d| ground - d)).unwrap_or(p[2]);
    let at = [p[0], p[1]];
    match kind {
        "well" => {
            if near {
                let r = number("diameter_m").filter(|d| (0.3..6.0).contains(d)).unwrap_or(0.8) / 2.0;
                shaft(sink, at, ground - depth.unwrap_or(1.5), ground - 0.01, r, 10);
            }
            fittings.round(sink, at, ground - 0.02, ground + 0.03, 0.35);
        }
        "gully" => {
            if near {
                shaft(sink, at, ground - depth.unwrap_or(0.8), ground - 0.01, 0.25, 6);
            }
            fittings.cuboid(sink, at, [0.74, 0.44], ground - 0.02, ground + 0.02);
        }
        "hydrant" => {
            fittings.round(sink, at, ground, ground + 0.65, 0.11);
            fittings.round(sink, at, ground + 0.65, ground + 0.78, 0.15);
        }
        "valve" | "meter" => {
            fittings.cuboid(sink, at, [0.4, 0.4], axis - 0.2, axis + 0.2);
            fittings.round(sink, at, axis + 0.2, axis + 0.45, 0.05);
            fittings.round(sink, at, axis + 0.45, axis + 0.5, 0.22);
        }
        "source" | "pump" | "tank" => fittings.cuboid(sink, at, [3.0, 3.0], ground, ground + 1.6),
        "outfall" => fittings.cuboid(sink, at, [1.6, 0.8], axis - 0.6, axis + 0.6),
        "sensor" => fittings.round(sink, at, ground, ground + 1.2, 0.12),
        _ => {
            let r = number("diameter_m").filter(|d| (0.05..3.0).contains(d)).unwrap_or(0.25) / 2.0 + 0.03;
            fittings.cuboid(sink, at, [2.0 * r, 2.0 * r], axis - r, axis + r);
        }
    }
}

/// Upright round body, closed. uv of the side as of a wall.
fn shaft(sink: &mut Sink, at: [f64; 2], low: f64, high: f64, r: f64, sides: usize) {
    if high <= low {
        return;
    }
    let around = TAU * r;
    let size = [around, high - low];
    let mut mesh = sink.mesh(Role::Well);
    let mut rows: Vec<[u32; 4]> = Vec::with_capacity(sides + 1);
    for k in 0..=sides {
        let t = k as f64 / sides as f64;
        let (sin, cos) = (TAU * (k % sides) as f64 / sides as f64).sin_cos();
        let (x, y) = (at[0] + r * cos, at[1] + r * sin);
        let side = [cos, sin, 0.0];
        let (low_side, high_side) =
            (mesh.vertex([x, y, low], side, [t * around, 0.0], size), mesh.vertex([x, y, high], side, [t * around, high - low], size));
        let ends = if k == sides {
            [0, 0]
        } else {
            let plan = [x - at[0], y - at[1]];
            [mesh.vertex([x, y, low], [0.0, 0.0, -1.0], plan, [0.0; 2]), mesh.vertex([x, y, high], [0.0, 0.0, 1.0], plan, [0.0; 2])]
        };
        rows.push([low_side, high_side, ends[0], ends[1]]);
    }
    for w in rows.windows(2) {
        mesh.quad(w[0][0], w[1][0], w[1][1], w[0][1]);
    }
    for k in 1..sides - 1 {
        mesh.triangle(rows[0][2], rows[k + 1][2], rows[k][2]);
        mesh.triangle(rows[0][3], rows[k][3], rows[k + 1][3]);
    }
}
