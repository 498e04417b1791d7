//! Lines with a width: roads, rails, control lines.

use super::Scene;
use super::sink::Sink;
use crate::content::Role;
use strata_model::{Feature, Point3, Theme};

pub(super) struct Ribbon {
    pub role: Role,
    pub width_m: f64,
    /// Over the ground, so that ribbons do not fight with it or with one another.
    pub lift_m: f64,
    /// Distance between cross-sections where the ground is followed, m.
    pub step_m: f64,
    /// Strips side by side.
    pub across: usize,
    pub caps: bool,
    pub uv2: [f64; 2],
}

impl Ribbon {
    /// A line of the plan, which is as wide as it can be seen, and not a body on the ground.
    fn is_line(&self) -> bool {
        matches!(self.role, Role::Line | Role::Border)
    }
}

/// Of a parcel; `None` where parcels are too small to have one.
pub(super) fn border(scene: &Scene) -> Option<Ribbon> {
    let width_m = 0.2;
    let lift_m = 0.06 + 0.3 * f64::from(scene.steps.min(6));
    let step_m = scene.coarser(20.0);
    (scene.steps <= 4).then_some(Ribbon { role: Role::Border, width_m, lift_m, step_m, across: 1, caps: false, uv2: [width_m, 1.0] })
}

pub(super) fn ribbons(sink: &mut Sink, scene: &Scene, f: &Feature, lines: &[Vec<Point3>]) {
    let Some(shape) = shape(scene, f) else { return };
    sink.begin(f);
    for line in lines {
        draw(sink, scene, line, &shape);
    }
}

/// `None` for what is not drawn this far away.
pub(super) fn shape(scene: &Scene, f: &Feature) -> Option<Ribbon> {
    let width = scene.number(f, "width_m").filter(|w| (0.2..200.0).contains(w));
    let lanes = scene.number(f, "lanes").unwrap_or(0.0);
    let near = scene.steps == 0;
    let (role, width_m, lift_m) = match scene.layer.theme {
        Theme::Road => {
            let (rank, usual, lift) = match f.text(scene.layer, "class") {
                Some("expressway") => (3, 30.0, 0.15),
                Some("arterial") => (2, 24.0, 0.12),
                Some("secondary") => (1, 14.0, 0.09),
                _ => (0, 7.0, 0.06),
            };
            if scene.steps > rank + 1 {
                return None;
            }
            (Role::Road, width.unwrap_or(usual), lift)
        }
        Theme::Rail => (Role::Rail, width.unwrap_or(3.0), 0.18),
        // A line of the plan is as wide as it is seen, not as it is.
        Theme::ControlLine | Theme::Admin => (Role::Line, f64::from(1u32 << scene.steps.min(4)), 0.2),
        _ => (Role::Line, width.unwrap_or(2.0), 0.2),
    };
    let across = if near && scene.relief.is_some() { ((width_m / 10.0).ceil() as usize).clamp(1, 8) } else { 1 };
    // A far ribbon hovers a little more, where the ground is coarse.
    let lift_m = lift_m + 0.3 * f64::from(scene.steps.min(6));
    // Lines of a plan often run along one another: each kind has its place above or below the others.
    let kinds = ["red", "green", "blue", "purple", "yellow"];
    let rank = f.text(scene.layer, "kind").and_then(|kind| kinds.iter().position(|k| *k == kind)).unwrap_or(0) as f64;
    let uv2 = [
        width_m,
        if role == Role::Line {
            rank
        } else if lanes > 0.0 {
            lanes
        } else {
            (width_m / 3.5).floor().max(1.0)
        },
    ];
    Some(Ribbon { role, width_m, lift_m, step_m: scene.coarser(10.0), across, caps: near && role != Role::Line, uv2 })
}

/// Without doubled points (plan), and with a section at least every `step` metres when the ground is followed; which of
/// them the line itself has.
fn sections(line: &[Point3], step: Option<f64>) -> (Vec<Point3>, Vec<bool>) {
    let mut out: Vec<Point3> = Vec::with_capacity(line.len());
    let mut own: Vec<bool> = Vec::with_capacity(line.len());
    for p in line {
        let Some(q) = out.last().copied() else {
            out.push(*p);
            own.push(true);
            continue;
        };
        let length = (p[0] - q[0]).hypot(p[1] - q[1]);
        if length < 0.01 {
            continue;
        }
        let parts = step.map_or(1, |s| ((length / s).ceil() as usize).clamp(1, 10_000));
        out.extend((1..=parts).map(|i| {
            let t = i as f64 / parts as f64;
            [0, 1, 2].map(|k| q[k] + (p[k] - q[k]) * t)
        }));
        own.extend((1..=parts).map(|i| i == parts));
    }
    (out, own)
}

/// A street of a higher class lies three centimetres over one of the next, at every level.
const FLAT_M: f64 = 0.01;

/// A cross-section: its points from left to right on the ground, and what its vertices carry.
struct Row {
    points: Vec<Point3>,
    right: [f64; 2],
    normal: [f64; 3],
    along: f64,
}

/// Leaves out the sections between which the ground runs straight, but none that `keep` has; and the strips side by side
/// where every section is straight. Off by at most [`FLAT_M`].
fn thinned(rows: Vec<Row>, mut keep: Vec<bool>) -> Vec<Row> {
    let bent = |r: &Row| {
        let (first, last) = (r.points[0][2], r.points[r.points.len() - 1][2]);
        let n = (r.points.len() - 1) as f64;
        r.points.iter().enumerate().any(|(k, p)| (first + (last - first) * k as f64 / n - p[2]).abs() > FLAT_M)
    };
    let straight = rows.iter().all(|r| r.points.len() < 3 || !bent(r));
    let ends: Vec<usize> = (0..rows.len()).filter(|&i| keep[i]).collect();
    let mut open: Vec<(usize, usize)> = ends.windows(2).map(|w| (w[0], w[1])).collect();
    while let Some((i, j)) = open.pop() {
        let (a, b) = (&rows[i], &rows[j]);
        let run = (b.along - a.along).max(1e-9);
        let off = |r: &Row| {
            let t = (r.along - a.along) / run;
            let each = (0..r.points.len()).map(|k| (a.points[k][2] + (b.points[k][2] - a.points[k][2]) * t - r.points[k][2]).abs());
            each.fold(0.0, f64::max)
        };
        let worst = (i + 1..j).map(|m| (off(&rows[m]), m)).max_by(|x, y| x.0.total_cmp(&y.0));
        if let Some((_, m)) = worst.filter(|(off, _)| *off > FLAT_M) {
            keep[m] = true;
            open.extend([(i, m), (m, j)]);
        }
    }
    let mut kept: Vec<Row> = rows.into_iter().zip(keep).filter(|(_, k)| *k).map(|(r, _)| r).collect();
    if straight {
        kept.iter_mut().filter(|r| r.points.len() > 2).for_each(|r| r.points = vec![r.points[0], r.points[r.points.len() - 1]]);
    }
    kept
}

/// Height of a way that leaves the ground, a bridge or a cutting: its own where that is clearly above or below.
/// A line without heights (0) and one far off the ground follow the ground.
fn deck(scene: &Scene, p: &Point3) -> Option<f64> {
    let ground = scene.relief?.height_at(p[0], p[1])?;
    let over = p[2] - ground;
    (p[2].abs() > 1e-6 && !(-2.0..=1.0).contains(&over) && over.abs() < 60.0).then_some(p[2])
}

pub(super) fn draw(sink: &mut Sink, scene: &Scene, line: &[Point3], shape: &Ribbon) {
    let simpler: Vec<Point3>;
    let line = if scene.steps == 0 {
        line
    } else {
        let path: Vec<glam::DVec3> = line.iter().map(|p| (*p).into()).collect();
        simpler = super::plan::simplified(&path, scene.coarser(0.15), f64::INFINITY).into_iter().map(|p| p.to_array()).collect();
        &simpler
    };
    let (mut path, own) = sections(line, scene.relief.map(|_| shape.step_m));
    let n = path.len();
    if n < 2 {
        return;
    }
    let closed = n > 3 && (path[0][0] - path[n - 1][0]).hypot(path[0][1] - path[n - 1][1]) < 0.02;
    if closed {
        path[n - 1] = path[0];
    }
    let half = shape.width_m / 2.0;
    let heading = |i: usize| {
        let (x, y) = (path[i + 1][0] - path[i][0], path[i + 1][1] - path[i][1]);
        let l = x.hypot(y).max(1e-9);
        [x / l, y / l]
    };
    let mut along = 0.0;
    let mut rows: Vec<Row> = Vec::with_capacity(n);
    let mut ends = Vec::with_capacity(2);
    let mut mesh = sink.mesh(shape.role);
    let decks: Vec<Option<f64>> = path.iter().map(|p| deck(scene, p)).collect();
    let point = |x: f64, y: f64, i: usize| {
        let z = decks[i].unwrap_or_else(|| scene.ground(x, y, path[i][2]));
        [x, y, z + shape.lift_m]
    };
    for i in 0..n {
        if i > 0 {
            along += (path[i][0] - path[i - 1][0]).hypot(path[i][1] - path[i - 1][1]);
        }
        let before = if i > 0 {
            heading(i - 1)
        } else if closed {
            heading(n - 2)
        } else {
            heading(0)
        };
        let after = if i + 1 < n {
            heading(i)
        } else if closed {
            heading(0)
        } else {
            heading(n - 2)
        };
        // Right of the way, mitred: at sharp bends the mitre ends at twice the half width.
        let s = (1.0 + before[0] * after[0] + before[1] * after[1]).max(0.5);
        let right = [(before[1] + after[1]) / s, -(before[0] + after[0]) / s];
        let (a, b) = (path[i.saturating_sub(1)], path[(i + 1).min(n - 1)]);
        let run = (b[0] - a[0]).hypot(b[1] - a[1]).max(1e-6);
        let level = |i: usize| decks[i].unwrap_or_else(|| scene.ground(path[i][0], path[i][1], path[i][2]));
        let rise = (level((i + 1).min(n - 1)) - level(i.saturating_sub(1))) / run;
        let normal = [-rise * (b[0] - a[0]) / run, -rise * (b[1] - a[1]) / run, 1.0];
        let points = (0..=shape.across)
            .map(|k| {
                let t = (2.0 * k as f64 / shape.across as f64 - 1.0) * half;
                point(path[i][0] + right[0] * t, path[i][1] + right[1] * t, i)
            })
            .collect();
        rows.push(Row { points, right, normal, along });
        if shape.caps && !closed && (i == 0 || i + 1 == n) {
            ends.push((i, along, if i == 0 { [-after[0], -after[1]] } else { before }, normal));
        }
    }
    // Lines of a plan run along one another, and keep their order only on the very same ground.
    let own = if shape.is_line() { vec![true; n] } else { own };
    let rows: Vec<Vec<u32>> = thinned(rows, own)
        .iter()
        .map(|r| {
            let across = (r.points.len() - 1) as f64;
            let vertex = |(k, p): (usize, &Point3)| {
                let t = (2.0 * k as f64 / across - 1.0) * half;
                let aside = [r.right[0] * t.signum(), r.right[1] * t.signum(), 0.0];
                mesh.vertex(*p, if shape.is_line() { aside } else { r.normal }, [t, r.along], shape.uv2)
            };
            r.points.iter().enumerate().map(vertex).collect()
        })
        .collect();
    for w in rows.windows(2) {
        for k in 0..w[0].len() - 1 {
            mesh.quad(w[0][k], w[0][k + 1], w[1][k + 1], w[1][k]);
        }
    }
    // Half discs at the ends fill the corners of junctions.
    for (i, along, out, normal) in ends {
        let p = path[i];
        let hub = mesh.vertex(point(p[0], p[1], i), normal, [0.0, along], shape.uv2);
        let side = if i == 0 { -1.0 } else { 1.0 };
        const STEPS: usize = 8;
        let rim: Vec<u32> = (0..=STEPS)
            .map(|k| {
                let (sin, cos) = (std::f64::consts::PI * (k as f64 / STEPS as f64)).sin_cos();
                // From the right of the outward way round to its left.
                let d = [out[1] * cos + out[0] * sin, -out[0] * cos + out[1] * sin];
                let q = point(p[0] + d[0] * half, p[1] + d[1] * half, i);
                mesh.vertex(q, normal, [cos * half * side, along + sin * half * side], shape.uv2)
            })
            .collect();
        for w in rim.windows(2) {
            mesh.triangle(hub, w[0], w[1]);
        }
    }
}
