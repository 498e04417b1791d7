//! Areas: water as flat sheets, parcels and others laid over the ground, outlines of control areas as ribbons.

use super::Scene;
use super::plan;
use super::ribbon;
use super::sink::Sink;
use crate::content::Role;
use std::collections::HashMap;
use strata_model::{Feature, Point3, Polygon, Theme};

/// One polygon is not cut into more triangles than about this.
const MAX_TRIANGLES: usize = 60_000;

pub(super) fn areas(sink: &mut Sink, scene: &Scene, f: &Feature, polygons: &[Polygon]) {
    let theme = scene.layer.theme;
    if matches!(theme, Theme::ControlLine | Theme::Admin | Theme::Transit) {
        let Some(shape) = ribbon::shape(scene, f) else { return };
        sink.begin(f);
        polygons.iter().flat_map(|p| &p.rings).for_each(|r| ribbon::draw(sink, scene, r, &shape));
        return;
    }
    sink.begin(f);
    for polygon in polygons {
        let Some(rings) = plan::rings(polygon) else { continue };
        match theme {
            Theme::Water => water(sink, &rings, scene.number(f, "depth_m").unwrap_or(2.0)),
            Theme::Road => draped(sink, scene, &rings, Role::Road, 0.08, [scene.number(f, "width_m").unwrap_or(0.0), 0.0]),
            Theme::Parcel => {
                draped(sink, scene, &rings, Role::Parcel, 0.03, [0.0; 2]);
                if let Some(border) = ribbon::border(scene) {
                    polygon.rings.iter().for_each(|r| ribbon::draw(sink, scene, r, &border));
                }
            }
            _ => draped(sink, scene, &rings, Role::Other, 0.05, [0.0; 2]),
        }
    }
}

fn water(sink: &mut Sink, rings: &[Vec<Point3>], depth_m: f64) {
    let triangles = plan::triangles(&mut sink.earcut, &plan::flat(rings));
    let mut mesh = sink.mesh(Role::Water);
    let at: Vec<u32> = rings.iter().flatten().map(|p| mesh.plan_vertex(*p, [0.0, 0.0, 1.0], [depth_m, 0.0])).collect();
    for t in triangles {
        mesh.triangle(at[t[0] as usize], at[t[1] as usize], at[t[2] as usize]);
    }
}

fn draped(sink: &mut Sink, scene: &Scene, rings: &[Vec<Point3>], role: Role, lift_m: f64, uv2: [f64; 2]) {
    let outline = plan::flat(rings);
    let mut triangles = plan::triangles(&mut sink.earcut, &outline);
    let mut points: Vec<Point3> = rings.iter().flatten().copied().collect();
    if scene.relief.is_some() {
        triangles = followed(&mut points, triangles, scene);
    }
    let lift = lift_m + 0.3 * f64::from(scene.steps.min(6));
    for p in &mut points {
        p[2] = scene.ground(p[0], p[1], p[2]) + lift;
    }
    let mut normals = vec![[0.0; 3]; points.len()];
    for t in &triangles {
        let n = super::surface::normal(&t.map(|i| points[i as usize]));
        for &i in t {
            (0..3).for_each(|k| normals[i as usize][k] += n[k]);
        }
    }
    let mut mesh = sink.mesh(role);
    let at: Vec<u32> =
        points.iter().zip(&normals).map(|(p, n)| mesh.plan_vertex(*p, if n[2] > 0.0 { *n } else { [0.0, 0.0, 1.0] }, uv2)).collect();
    for t in &triangles {
        mesh.triangle(at[t[0] as usize], at[t[1] as usize], at[t[2] as usize]);
    }
}

/// Halves edges until the triangles follow the ground: as long as one parts from it by more than [`Scene::flatness_m`] and
/// has an edge that is not short yet. An edge is cut for both of its triangles or for none, and always in its middle, so
/// no cracks open within an area. Neighbouring areas see the same bends along an edge that they share; where one cuts it for a
/// bend in its own inside, they part there by no more than that flatness.
fn followed(points: &mut Vec<Point3>, mut triangles: Vec<[u32; 3]>, scene: &Scene) -> Vec<[u32; 3]> {
    let (shortest_m, longest_m) = (scene.coarser(20.0), scene.coarser(160.0));
    let mut cut: HashMap<(u32, u32), bool> = HashMap::new();
    let edge = |t: &[u32; 3], i: usize| (t[i].min(t[(i + 1) % 3]), t[i].max(t[(i + 1) % 3]));
    for _ in 0..16 {
        if triangles.len() > MAX_TRIANGLES {
            break;
        }
        let length = |(a, b): (u32, u32)| {
            let (p, q) = (points[a as usize], points[b as usize]);
            (p[0] - q[0]).hypot(p[1] - q[1])
        };
        for t in &triangles {
            let edges = [0, 1, 2].map(|i| edge(t, i));
            let mut any = false;
            for e in edges {
                let long = length(e);
                any |= *cut.entry(e).or_insert_with(|| {
                    let ends = [points[e.0 as usize], points[e.1 as usize]];
                    long > shortest_m && (long > longest_m || bends(scene, &[ends[0], ends[1]], shortest_m / 2.0))
                });
            }
            let longest = edges.into_iter().max_by(|a, b| length(*a).total_cmp(&length(*b))).unwrap_or(edges[0]);
            if !any && length(longest) > shortest_m && bends(scene, &t.map(|i| points[i as usize]), shortest_m) {
                cut.insert(longest, true);
            }
        }
        let mut middles: HashMap<(u32, u32), u32> = HashMap::new();
        let mut out = Vec::with_capacity(triangles.len() * 2);
        for t in &triangles {
            let at = [0, 1, 2].map(|i| {
                let (a, b) = edge(t, i);
                cut.get(&(a, b)).is_some_and(|c| *c).then(|| {
                    *middles.entry((a, b)).or_insert_with(|| {
                        let (p, q) = (points[a as usize], points[b as usize]);
                        points.push([0, 1, 2].map(|k| (p[k] + q[k]) / 2.0));
                        points.len() as u32 - 1
                    })
                })
            });
            split(*t, at, &mut out);
        }
        triangles = out;
        if middles.is_empty() {
            break;
        }
    }
    triangles
}

/// Does the ground part from the edge or the triangle between these places, looked at every `step_m`?
fn bends(scene: &Scene, corners: &[Point3], step_m: f64) -> bool {
    let heights = corners.iter().map(|p| scene.ground(p[0], p[1], p[2]));
    let c: Vec<Point3> = corners.iter().zip(heights).map(|(p, z)| [p[0], p[1], z]).collect();
    let far = |a: &Point3, b: &Point3| (a[0] - b[0]).hypot(a[1] - b[1]);
    let reach = c.iter().map(|p| far(&c[0], p)).fold(0.0, f64::max);
    let n = ((reach / step_m).ceil() as usize).clamp(2, 64);
    let off = |u: f64, v: f64| {
        let third = c.get(2).unwrap_or(&c[0]);
        let p = [0, 1, 2].map(|k| c[0][k] + (c[1][k] - c[0][k]) * u + (third[k] - c[0][k]) * v);
        (scene.ground(p[0], p[1], p[2]) - p[2]).abs() > scene.flatness_m()
    };
    let part = |i: usize| i as f64 / n as f64;
    match c.len() {
        2 => (1..n).any(|i| off(part(i), 0.0)),
        _ => off(1.0 / 3.0, 1.0 / 3.0) || (1..n).any(|i| (1..n - i).any(|j| off(part(i), part(j)))),
    }
}

fn split(t: [u32; 3], cut: [Option<u32>; 3], out: &mut Vec<[u32; 3]>) {
    let [a, b, c] = t;
    match cut {
        [None, None, None] => out.push(t),
        [Some(m), None, None] => out.extend([[a, m, c], [m, b, c]]),
        [Some(m), Some(n), None] => out.extend([[m, b, n], [a, m, n], [a, n, c]]),
        [Some(l), Some(m), Some(n)] => out.extend([[a, l, n], [l, b, m], [n, m, c], [l, m, n]]),
        _ => split([b, c, a], [cut[1], cut[2], cut[0]], out),
    }
}
