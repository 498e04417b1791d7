//! Pipes and ducts: a profile swept along the axis, one ring of corners at each bend, closed at both ends.

use super::Scene;
use super::sink::Sink;
use crate::content::Role;
use glam::DVec3;
use strata_model::{Feature, Point3};

/// Corner of the profile in the plane across the axis.
struct Corner {
    /// Right and up of the axis, m.
    offset: [f64; 2],
    normal: [f64; 2],
    turn: f64,
}

/// A profile and the pairs of corners that its sides join.
struct Profile {
    corners: Vec<Corner>,
    sides: Vec<(usize, usize)>,
    radius: f64,
}

/// Outer size, m: width, height, and whether it is round.
fn outer(scene: &Scene, f: &Feature) -> (f64, f64, bool) {
    let sound = |name: &str| scene.number(f, name).map(|v| v / 1000.0).filter(|v| (0.005..20.0).contains(v));
    let rect = f.text(scene.layer, "shape") == Some("rect");
    if let (true, Some(w), Some(h)) = (rect, sound("width_mm"), sound("height_mm")) {
        return (w, h, false);
    }
    let d = sound("od_mm").or_else(|| sound("dn_mm").map(|d| d * 1.1)).or(sound("width_mm")).unwrap_or(0.15);
    (d, d, true)
}

pub(super) fn pipes(sink: &mut Sink, scene: &Scene, f: &Feature, lines: &[Vec<Point3>]) {
    let (width, height, round) = outer(scene, f);
    let least = [0.0, 0.0, 0.3, 0.6, 1.0][scene.steps.min(4) as usize];
    if width.max(height) < least {
        return;
    }
    let profile = if round { circle(width / 2.0, [12, 6, 4][scene.steps.min(2) as usize]) } else { rectangle(width, height) };
    let depths = ["start_depth_m", "end_depth_m"].map(|n| scene.number(f, n));
    sink.begin(f);
    for line in lines {
        sweep(sink, scene, line, &profile, depths);
    }
}

fn circle(r: f64, sides: usize) -> Profile {
    let corners = (0..=sides)
        .map(|k| {
            let turn = k as f64 / sides as f64;
            // The last corner meets the first to the bit, so that the tube is closed.
            let (sin, cos) = (std::f64::consts::TAU * (k % sides) as f64 / sides as f64).sin_cos();
            Corner { offset: [r * cos, r * sin], normal: [cos, sin], turn }
        })
        .collect();
    Profile { corners, sides: (0..sides).map(|k| (k, k + 1)).collect(), radius: r }
}

fn rectangle(width: f64, height: f64) -> Profile {
    let (x, y) = (width / 2.0, height / 2.0);
    let corner = [[x, -y], [x, y], [-x, y], [-x, -y]];
    // Outward from the axis, between two sides: who widens a duct along its normals widens it to both.
    let half = std::f64::consts::FRAC_1_SQRT_2;
    let outward = corner.map(|c| [c[0].signum() * half, c[1].signum() * half]);
    let corners = (0..4)
        .flat_map(|s| {
            [(s, s as f64 / 4.0), ((s + 1) % 4, (s + 1) as f64 / 4.0)].map(|(k, turn)| Corner {
                offset: corner[k],
                normal: outward[k],
                turn,
            })
        })
        .collect();
    Profile { corners, sides: (0..4).map(|s| (2 * s, 2 * s + 1)).collect(), radius: x.max(y) }
}

fn sweep(sink: &mut Sink, scene: &Scene, line: &[Point3], profile: &Profile, depths: [Option<f64>; 2]) {
    let mut path: Vec<DVec3> = Vec::with_capacity(line.len());
    for p in line {
        let p = DVec3::from(*p);
        if path.last().is_none_or(|q: &DVec3| q.distance(p) > 1e-3) {
            path.push(p);
        }
    }
    if path.len() < 2 {
        return;
    }
    // Points on a straight run only cost; a section now and then is kept for the depth below an uneven ground.
    let off = if scene.steps == 0 { 0.003 } else { scene.coarser(0.03) };
    let path = super::plan::simplified(&path, off, if scene.steps < 2 { 50.0 } else { f64::INFINITY });
    let n = path.len();
    let ways: Vec<DVec3> = path.windows(2).map(|w| (w[1] - w[0]).normalize()).collect();
    let length: f64 = path.windows(2).map(|w| w[0].distance(w[1])).sum();
    // Right and up across the first segment; at each bend both are turned as little as the bend asks.
    let mut right = ways[0].cross(DVec3::Z);
    right = if right.length() > 1e-3 { right.normalize() } else { DVec3::X };
    let mut mesh = sink.mesh(Role::Pipe);
    let mut along = 0.0;
    let mut rings: Vec<Vec<u32>> = Vec::with_capacity(n);
    let mut hubs = Vec::with_capacity(2);
    for i in 0..n {
        if i > 0 {
            along += path[i].distance(path[i - 1]);
        }
        let (before, after) = (ways[i.saturating_sub(1)], ways[i.min(n - 2)]);
        let up = right.cross(before);
        let bisector = {
            let b = before + after;
            if b.length() > 0.2 { b.normalize() } else { before }
        };
        // Along the old way, a point of the profile meets the plane that halves the bend; not farther than twice
        // the radius, where the pipe turns back on itself.
        let lean = before.dot(bisector).max(0.35);
        let turned = least_turn(right, before, after);
        let up_after = turned.cross(after);
        let p = path[i];
        let depth = match scene.relief.and_then(|r| r.height_at(p.x, p.y)) {
            Some(ground) => ground - p.z,
            None => match depths {
                [Some(a), Some(b)] => a + (b - a) * along / length.max(1e-9),
                [a, b] => a.or(b).unwrap_or(0.0),
            },
        };
        let ring = profile.corners.iter().map(|c| {
            let o = right * c.offset[0] + up * c.offset[1];
            let shift = (-o.dot(bisector) / lean).clamp(-2.0 * profile.radius, 2.0 * profile.radius);
            let normal = right * c.normal[0] + up * c.normal[1] + turned * c.normal[0] + up_after * c.normal[1];
            mesh.vertex((p + o + before * shift).to_array(), normal.to_array(), [c.turn, along], [profile.radius, depth])
        });
        let ring: Vec<u32> = ring.collect();
        if i == 0 || i + 1 == n {
            let out = if i == 0 { -before } else { before };
            hubs.push(mesh.vertex(p.to_array(), out.to_array(), [0.5, along], [profile.radius, depth]));
        }
        rings.push(ring);
        right = turned;
    }
    for w in rings.windows(2) {
        for &(a, b) in &profile.sides {
            mesh.quad(w[0][a], w[1][a], w[1][b], w[0][b]);
        }
    }
    // The caps share the rings of the tube, so they widen with it.
    if let [first, last] = hubs[..] {
        for &(a, b) in &profile.sides {
            mesh.triangle(first, rings[0][a], rings[0][b]);
            mesh.triangle(last, rings[n - 1][b], rings[n - 1][a]);
        }
    }
}

/// A unit vector across `before`, turned with the smallest rotation that takes `before` to `after`.
fn least_turn(v: DVec3, before: DVec3, after: DVec3) -> DVec3 {
    let sum = before + after;
    let square = sum.length_squared();
    if square < 1e-6 {
        return v;
    }
    (v - sum * (2.0 * v.dot(after) / square)).normalize_or(v)
}
