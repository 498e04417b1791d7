use super::plan;
use super::sink::Sink;
use crate::content::Role;
use strata_model::{Point3, Surface, SurfaceKind};

/// Newell's normal of a ring, not of unit length; its length is twice the area.
pub(super) fn normal(ring: &[Point3]) -> [f64; 3] {
    let mut n = [0.0; 3];
    let Some(o) = ring.first() else { return n };
    for i in 0..ring.len() {
        let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
        let (a, b) = ([0, 1, 2].map(|k| a[k] - o[k]), [0, 1, 2].map(|k| b[k] - o[k]));
        n[0] += (a[1] - b[1]) * (a[2] + b[2]);
        n[1] += (a[2] - b[2]) * (a[0] + b[0]);
        n[2] += (a[0] - b[0]) * (a[1] + b[1]);
    }
    n
}

/// Faces of a solid, each triangulated in its own plane. `role`: of all, or by what each face is.
pub(super) fn faces(sink: &mut Sink, faces: &[Surface], role: Option<Role>) {
    let base = faces.iter().flat_map(|f| f.polygon.rings.iter().flatten()).map(|p| p[2]).fold(f64::INFINITY, f64::min);
    for face in faces {
        let open: Vec<Vec<Point3>> = face
            .polygon
            .rings
            .iter()
            .map(|r| {
                let mut r = r.clone();
                r.dedup();
                if r.len() > 1 && r.first() == r.last() {
                    r.pop();
                }
                r
            })
            .filter(|r| r.len() >= 3)
            .collect();
        let Some(shell) = open.first() else { continue };
        let n = normal(shell);
        let length = (n[0] * n[0] + n[1] * n[1] + n[2] * n[2]).sqrt();
        if length < 1e-6 {
            continue;
        }
        let n = n.map(|v| v / length);
        let own = role.unwrap_or(match face.kind {
            SurfaceKind::Roof => Role::Roof,
            SurfaceKind::Wall | SurfaceKind::Window | SurfaceKind::Door => Role::Wall,
            SurfaceKind::Unknown if n[2] > 0.5 => Role::Roof,
            SurfaceKind::Unknown if n[2].abs() <= 0.5 => Role::Wall,
            _ => Role::Other,
        });
        one(sink, own, &open, n, base);
        sink.mesh(own).seen_from_behind();
    }
}

/// Open rings of one face with its unit normal. Walls get metres along and above `base` as uv, others plan metres.
pub(super) fn one(sink: &mut Sink, role: Role, rings: &[Vec<Point3>], n: [f64; 3], base: f64) {
    let Some(o) = rings.first().and_then(|r| r.first()).copied() else { return };
    // u level and to the right seen from outside, v up the face.
    let level = n[0].hypot(n[1]);
    let u = if level > 0.02 { [-n[1] / level, n[0] / level, 0.0] } else { [1.0, 0.0, 0.0] };
    let v = [n[1] * u[2] - n[2] * u[1], n[2] * u[0] - n[0] * u[2], n[0] * u[1] - n[1] * u[0]];
    let dot = |a: [f64; 3], p: &Point3| (0..3).map(|k| a[k] * (p[k] - o[k])).sum::<f64>();
    let in_plane: Vec<Vec<[f64; 2]>> = rings.iter().map(|r| r.iter().map(|p| [dot(u, p), dot(v, p)]).collect()).collect();
    let triangles = plan::triangles(&mut sink.earcut, &in_plane);
    let (mut lo, mut hi) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for (q, p) in in_plane.iter().flatten().zip(rings.iter().flatten()) {
        for (k, x) in [q[0], p[2]].into_iter().enumerate() {
            lo[k] = lo[k].min(x);
            hi[k] = hi[k].max(x);
        }
    }
    let upright = matches!(role, Role::Wall | Role::Well | Role::Massing) && level > 0.5;
    let pitched = f64::from(u8::from(level > 0.05));
    let mut mesh = sink.mesh(role);
    let mut first = None;
    for (p, q) in rings.iter().flatten().zip(in_plane.iter().flatten()) {
        let at = if upright {
            mesh.vertex(*p, n, [q[0] - lo[0], p[2] - base], [hi[0] - lo[0], hi[1] - lo[1]])
        } else {
            mesh.plan_vertex(*p, n, [pitched, 0.0])
        };
        first.get_or_insert(at);
    }
    let first = first.unwrap_or(0);
    for t in triangles {
        mesh.triangle(first + t[0], first + t[1], first + t[2]);
    }
}

/// Triangles as they are, one flat normal to each corner's mean.
pub(super) fn tin(sink: &mut Sink, points: &[Point3], triangles: &[[u32; 3]], role: Role) {
    let mut normals = vec![[0.0; 3]; points.len()];
    for t in triangles {
        let Some(c) = crate::relief::corners(points, t) else { continue };
        let n = normal(&c);
        for &i in t {
            for k in 0..3 {
                normals[i as usize][k] += n[k];
            }
        }
    }
    let mut mesh = sink.mesh(role);
    mesh.seen_from_behind();
    let at: Vec<u32> = points.iter().zip(&normals).map(|(p, n)| mesh.plan_vertex(*p, *n, [0.0; 2])).collect();
    for t in triangles {
        if let (Some(a), Some(b), Some(c)) = (at.get(t[0] as usize), at.get(t[1] as usize), at.get(t[2] as usize)) {
            mesh.triangle(*a, *b, *c);
        }
    }
}
