//! Trees: three kinds of a small mesh, each put wherever one stands.
//!
//! The meshes are one unit tall and one unit across the crown; a placement stretches them. With each of the three levels
//! above the leaves the crowns have fewer sides; farther up a part of the trees stands for all, a little larger.

use super::Scene;
use super::sink::Sink;
use crate::content::{Placement, Primitive, Role};
use std::f64::consts::TAU;
use strata_model::{Feature, Geometry};

struct Kind {
    /// Radius and height from the trunk's foot to its top.
    trunk: &'static [[f64; 2]],
    crown: &'static [[f64; 2]],
    plain_crown: &'static [[f64; 2]],
    far_crown: &'static [[f64; 2]],
}

const POPLAR: Kind = Kind {
    trunk: &[[0.06, 0.0], [0.05, 0.3]],
    crown: &[[0.0, 0.14], [0.34, 0.24], [0.5, 0.46], [0.4, 0.74], [0.2, 0.92], [0.0, 1.0]],
    plain_crown: &[[0.0, 0.12], [0.47, 0.34], [0.38, 0.76], [0.0, 1.0]],
    far_crown: &[[0.0, 0.1], [0.5, 0.45], [0.0, 1.0]],
};
const PINE: Kind = Kind {
    trunk: &[[0.05, 0.0], [0.045, 0.2]],
    crown: &[[0.0, 0.13], [0.5, 0.16], [0.24, 0.44], [0.38, 0.46], [0.16, 0.71], [0.26, 0.73], [0.0, 1.0]],
    plain_crown: &[[0.0, 0.12], [0.5, 0.16], [0.2, 0.58], [0.32, 0.6], [0.0, 1.0]],
    far_crown: &[[0.0, 0.1], [0.5, 0.16], [0.0, 1.0]],
};
const WILLOW: Kind = Kind {
    trunk: &[[0.07, 0.0], [0.05, 0.4]],
    crown: &[[0.0, 0.3], [0.42, 0.22], [0.5, 0.42], [0.44, 0.72], [0.24, 0.93], [0.0, 1.0]],
    plain_crown: &[[0.0, 0.22], [0.49, 0.36], [0.42, 0.76], [0.0, 1.0]],
    far_crown: &[[0.0, 0.18], [0.5, 0.5], [0.0, 1.0]],
};

pub(super) fn trees<'f>(sink: &mut Sink, scene: &Scene, features: impl Iterator<Item = &'f Feature>) {
    let mut places: [Vec<Placement>; 3] = Default::default();
    // From four levels up one tree in four, then in sixteen, and so on.
    let thinned = scene.steps.saturating_sub(3).min(8);
    for f in features {
        let points = match &f.geometry {
            Geometry::Point(p) => std::slice::from_ref(p),
            Geometry::MultiPoint(ps) => ps.as_slice(),
            _ => continue,
        };
        let chance = hash(f.id.as_str());
        if chance & ((1 << (2 * thinned)) - 1) != 0 {
            continue;
        }
        let grown = 1.25f64.powi(thinned as i32);
        let height = scene.number(f, "height_m").filter(|h| (0.3..120.0).contains(h)).unwrap_or(9.0) * grown.min(1.6);
        let crown = scene.number(f, "crown_m").filter(|c| (0.2..60.0).contains(c)).unwrap_or(height * 0.5) * grown.min(3.0);
        let kind = match f.text(scene.layer, "species") {
            Some("poplar") => 0,
            Some("pine") => 1,
            _ => 2,
        };
        let row = sink.begin(f);
        for p in points {
            let half = ((chance >> 32) & 0xffff) as f64 / 65_536.0 * TAU / 2.0;
            places[kind].push(Placement {
                translation: sink.local(*p),
                rotation: [0.0, 0.0, half.sin() as f32, half.cos() as f32],
                scale: [crown as f32, crown as f32, height as f32],
                feature_row: row,
            });
        }
    }
    for (kind, places) in [POPLAR, PINE, WILLOW].iter().zip(&places).filter(|(_, p)| !p.is_empty()) {
        let (crown, sides, trunk_sides) = match scene.steps {
            0 => (kind.crown, 7, 5),
            1 => (kind.plain_crown, 6, 3),
            2 => (kind.far_crown, 5, 0),
            _ => (kind.far_crown, 4, 0),
        };
        if trunk_sides > 0 {
            sink.instance(turned(Role::TreeTrunk, kind.trunk, trunk_sides), places);
        }
        let mesh = if scene.steps == 0 { turned(Role::TreeCrown, crown, sides) } else { plainly_turned(Role::TreeCrown, crown, sides) };
        sink.instance(mesh, places);
    }
}

/// FNV-1a with a last stir, so that neighbours in number are no neighbours in chance.
fn hash(text: &str) -> u64 {
    let h = text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^ (h >> 29)
}

/// A profile of radius and height turned about the upright axis; a radius of 0 closes it. Shading is smooth
/// except where the profile bends sharply, as under the skirts of a pine.
fn turned(role: Role, profile: &[[f64; 2]], sides: usize) -> Primitive {
    let mut mesh = Primitive { role: Some(role), ..Primitive::default() };
    let across: Vec<[f64; 2]> = profile
        .windows(2)
        .map(|w| {
            let (out, up) = (w[1][1] - w[0][1], w[0][0] - w[1][0]);
            let length = out.hypot(up).max(1e-9);
            [out / length, up / length]
        })
        .collect();
    let smooth = |own: [f64; 2], other: Option<&[f64; 2]>| match other {
        Some(o) if own[0] * o[0] + own[1] * o[1] > 0.4 => {
            let sum = [own[0] + o[0], own[1] + o[1]];
            sum.map(|v| v / sum[0].hypot(sum[1]))
        }
        _ => own,
    };
    let mut ring = |[r, z]: [f64; 2], normal: [f64; 2]| {
        let first = mesh.positions.len() as u32;
        for k in 0..=sides {
            let (sin, cos) = (TAU * (k % sides) as f64 / sides as f64).sin_cos();
            mesh.positions.push([r * cos, r * sin, z].map(|v| v as f32));
            mesh.normals.push([normal[0] * cos, normal[0] * sin, normal[1]].map(|v| v as f32));
            mesh.uv.push([k as f32 / sides as f32, z as f32]);
            mesh.uv2.push([0.0; 2]);
        }
        first
    };
    // Where shading is smooth two bands share a ring.
    let mut shared: Option<(u32, [f64; 2])> = None;
    let mut indices = Vec::new();
    for (i, w) in profile.windows(2).enumerate() {
        let below = smooth(across[i], i.checked_sub(1).and_then(|j| across.get(j)));
        let above = smooth(across[i], across.get(i + 1));
        let low = match shared {
            Some((first, normal)) if normal == below => first,
            _ => ring(w[0], below),
        };
        let high = ring(w[1], above);
        shared = Some((high, above));
        for k in 0..sides as u32 {
            let (a, d) = (low + k, high + k);
            if w[0][0] > 0.0 {
                indices.extend([a, a + 1, d + 1]);
            }
            if w[1][0] > 0.0 {
                indices.extend([a, d + 1, d]);
            }
        }
    }
    mesh.indices = indices;
    mesh
}

/// The same from afar, in as few vertices as can be: smooth all over, its ends one vertex each, nothing along a seam.
fn plainly_turned(role: Role, profile: &[[f64; 2]], sides: usize) -> Primitive {
    let mut mesh = Primitive { role: Some(role), ..Primitive::default() };
    let last = profile.len() - 1;
    let mut below: Option<(u32, u32)> = None;
    for (i, [r, z]) in profile.iter().copied().enumerate() {
        let (before, after) = (profile[i.saturating_sub(1)], profile[(i + 1).min(last)]);
        let (out, up) = (after[1] - before[1], before[0] - after[0]);
        let closed = r <= 0.0;
        let [out, up] = if closed { [0.0, if i == 0 { -1.0 } else { 1.0 }] } else { [out, up].map(|v| v / out.hypot(up).max(1e-9)) };
        let (first, n) = (mesh.positions.len() as u32, if closed { 1 } else { sides as u32 });
        for k in 0..n {
            let (sin, cos) = (TAU * f64::from(k) / sides as f64).sin_cos();
            mesh.positions.push([r * cos, r * sin, z].map(|v| v as f32));
            mesh.normals.push([out * cos, out * sin, up].map(|v| v as f32));
            mesh.uv.push([f64::from(k) / sides as f64, z].map(|v| v as f32));
            mesh.uv2.push([0.0; 2]);
        }
        if let Some((low, m)) = below {
            for k in 0..sides as u32 {
                let (next, at) = ((k + 1) % sides as u32, |first: u32, n: u32, k: u32| first + k % n);
                if m > 1 {
                    mesh.indices.extend([at(low, m, k), at(low, m, next), at(first, n, next)]);
                }
                if n > 1 {
                    mesh.indices.extend([at(low, m, k), at(first, n, next), at(first, n, k)]);
                }
            }
        }
        below = Some((first, n));
    }
    mesh
}
