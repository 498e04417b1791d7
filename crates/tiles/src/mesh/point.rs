//! Points of the pipe networks, and sensors.

use super::Scene;
use super::sink::Sink;
use crate::content::Role;
use strata_model::{Feature, Point3, Theme};

/// Shafts from cover to bottom, covers, valves, hydrants and other fittings as small bodies; far away only the
/// large works (sources, pumps, tanks) are left.
pub(super) fn point(sink: &mut Sink, scene: &Scene, f: &Feature, points: &[Point3]) {
    let kind = match scene.layer.theme {
        Theme::PipePoint => f.text(scene.layer, "kind").unwrap_or("other"),
        Theme::Sensor => "sensor",
        _ => return,
    };
    let works = matches!(kind, "source" | "pump" | "tank" | "outfall");
    if (scene.steps >= 2 && !works) || (scene.steps == 1 && matches!(kind, "tee" | "bend" | "cross" | "reducer" | "cap")) {
        return;
    }
    sink.begin(f);
    for p in points {
        body(sink, scene, f, kind, *p);
    }
}

fn body(sink: &mut Sink, scene: &Scene, f: &Feature, kind: &str, p: Point3) {
    let number = |name: &str| scene.number(f, name);
    let sides = if scene.steps == 0 { 12 } else { 6 };
    let ground = number("ground_m").filter(|g| (g - p[2]).abs() < 60.0).unwrap_or_else(|| scene.ground(p[0], p[1], p[2]));
    let depth = number("well_depth_m").or_else(|| number("depth_m")).map(f64::abs).filter(|d| (0.1..60.0).contains(d));
    let axis = number("axis_m").filter(|a| (a - p[2]).abs() < 60.0).or_else(|| number("depth_m").map(|d| ground - d)).unwrap_or(p[2]);
    let at = [p[0], p[1]];
    match kind {
        "well" => {
            let r = number("diameter_m").filter(|d| (0.3..6.0).contains(d)).unwrap_or(0.8) / 2.0;
            cylinder(sink, Role::Well, at, ground - depth.unwrap_or(1.5), ground - 0.01, r, sides);
            cylinder(sink, Role::Fitting, at, ground - 0.02, ground + 0.03, 0.35, sides);
        }
        "gully" => {
            cuboid(sink, Role::Well, at, [0.35, 0.2], ground - depth.unwrap_or(0.8), ground - 0.01);
            cuboid(sink, Role::Fitting, at, [0.37, 0.22], ground - 0.02, ground + 0.02);
        }
        "hydrant" => {
            cylinder(sink, Role::Fitting, at, ground, ground + 0.65, 0.11, sides);
            cylinder(sink, Role::Fitting, at, ground + 0.65, ground + 0.78, 0.15, sides);
        }
        "valve" | "meter" => {
            cuboid(sink, Role::Fitting, at, [0.2, 0.2], axis - 0.2, axis + 0.2);
            cylinder(sink, Role::Fitting, at, axis + 0.2, axis + 0.45, 0.05, 6);
            cylinder(sink, Role::Fitting, at, axis + 0.45, axis + 0.5, 0.22, sides);
        }
        "source" | "pump" | "tank" => cuboid(sink, Role::Fitting, at, [1.5, 1.5], ground, ground + 1.6),
        "outfall" => cuboid(sink, Role::Fitting, at, [0.8, 0.4], axis - 0.6, axis + 0.6),
        "sensor" => cylinder(sink, Role::Fitting, at, ground, ground + 1.2, 0.12, sides),
        _ => {
            let r = number("diameter_m").filter(|d| (0.05..3.0).contains(d)).unwrap_or(0.25) / 2.0 + 0.03;
            cuboid(sink, Role::Fitting, at, [r, r], axis - r, axis + r);
        }
    }
}

/// Upright, closed. uv of the side as of a wall.
fn cylinder(sink: &mut Sink, role: Role, at: [f64; 2], low: f64, high: f64, r: f64, sides: usize) {
    if high <= low {
        return;
    }
    let around = std::f64::consts::TAU * r;
    let size = [around, high - low];
    let mut mesh = sink.mesh(role);
    let mut rows: Vec<[u32; 4]> = Vec::with_capacity(sides + 1);
    for k in 0..=sides {
        let t = k as f64 / sides as f64;
        let (sin, cos) = (std::f64::consts::TAU * (k % sides) as f64 / sides as f64).sin_cos();
        let (x, y) = (at[0] + r * cos, at[1] + r * sin);
        let side = [cos, sin, 0.0];
        rows.push([
            mesh.vertex([x, y, low], side, [t * around, 0.0], size),
            mesh.vertex([x, y, high], side, [t * around, high - low], size),
            mesh.vertex([x, y, low], [0.0, 0.0, -1.0], [x - at[0], y - at[1]], [0.0; 2]),
            mesh.vertex([x, y, high], [0.0, 0.0, 1.0], [x - at[0], y - at[1]], [0.0; 2]),
        ]);
    }
    for w in rows.windows(2) {
        mesh.quad(w[0][0], w[1][0], w[1][1], w[0][1]);
    }
    for k in 1..sides - 1 {
        mesh.triangle(rows[0][2], rows[k + 1][2], rows[k][2]);
        mesh.triangle(rows[0][3], rows[k][3], rows[k + 1][3]);
    }
}

fn cuboid(sink: &mut Sink, role: Role, at: [f64; 2], half: [f64; 2], low: f64, high: f64) {
    if high <= low {
        return;
    }
    let ring = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]].map(|[x, y]: [f64; 2]| [at[0] + x * half[0], at[1] + y * half[1]]);
    let b = super::building::Block { rings: vec![ring.to_vec()], base: low, top: high };
    let faces = [[0, 1, 2], [0, 2, 3]];
    super::building::walls(sink, &b.rings, low, high, role);
    super::building::cap(sink, &b, &faces, high, role);
    let mut mesh = sink.mesh(role);
    let under: [u32; 4] = ring.map(|p| mesh.plan_vertex([p[0], p[1], low], [0.0, 0.0, -1.0], [0.0; 2]));
    mesh.quad(under[0], under[3], under[2], under[1]);
}
