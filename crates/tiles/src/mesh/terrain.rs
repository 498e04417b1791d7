//! The ground: at the leaves the surveyed triangles, without those points that lie within [`FLAT_M`] of the ground that the
//! others make; above them a grid over each block that halves with each level. Shading is smooth across blocks and cells, because neighbours in the batch lend their
//! triangles; along the outer edge of a tile a skirt hangs down, so that levels side by side show no crack.

use super::Scene;
use super::sink::Sink;
use super::surface;
use crate::Relief;
use crate::content::Role;
use crate::relief::corners;
use spade::{DelaunayTriangulation, HasPosition, Point2, PositionInTriangulation, Triangulation as _};
use std::collections::HashMap;
use strata_model::{Feature, Geometry, Point3};

struct Patch<'f> {
    feature: &'f Feature,
    kept: bool,
    points: Vec<Point3>,
    triangles: Vec<[u32; 3]>,
    /// Node of the whole net for each point.
    nodes: Vec<u32>,
}

/// Cells of a decimated block along one side, one level above the leaves.
const FIRST_GRID: usize = 16;

pub(super) fn blocks(sink: &mut Sink, scene: &Scene, features: &[Feature], kept: &[bool]) {
    let mut patches: Vec<Patch> = features
        .iter()
        .zip(kept)
        .filter_map(|(f, k)| {
            let Geometry::Tin { points, triangles } = &f.geometry else { return None };
            f.geometry.check().ok()?;
            let (points, triangles) = if scene.steps == 0 {
                thinned(points, triangles).unwrap_or_else(|| upward(points, triangles))
            } else {
                decimated(f, points, triangles, scene.steps)?
            };
            Some(Patch { feature: f, kept: *k, nodes: Vec::new(), points, triangles })
        })
        .collect();

    let mut weld: HashMap<[i64; 2], u32> = HashMap::new();
    let mut normals: Vec<[f64; 3]> = Vec::new();
    for patch in &mut patches {
        for p in &patch.points {
            // Neighbouring blocks may differ by millimetres in height and still meet.
            let key = [0, 1].map(|k| (p[k] * 100.0).round() as i64);
            let node = *weld.entry(key).or_insert_with(|| {
                normals.push([0.0; 3]);
                normals.len() as u32 - 1
            });
            patch.nodes.push(node);
        }
        for t in &patch.triangles {
            let Some(c) = corners(&patch.points, t) else { continue };
            let n = surface::normal(&c);
            for &i in t {
                for k in 0..3 {
                    normals[patch.nodes[i as usize] as usize][k] += n[k];
                }
            }
        }
    }
    // Edges with a triangle on one side only are the rim of what this tile draws.
    let mut sides: HashMap<(u32, u32), i32> = HashMap::new();
    for patch in patches.iter().filter(|p| p.kept) {
        for t in &patch.triangles {
            for (i, j) in [(t[0], t[1]), (t[1], t[2]), (t[2], t[0])] {
                let (a, b) = (patch.nodes[i as usize], patch.nodes[j as usize]);
                *sides.entry((a.min(b), a.max(b))).or_default() += 1;
            }
        }
    }
    let skirt = 2.0 + 2.0 * f64::from(scene.steps.min(4));
    for patch in patches.iter().filter(|p| p.kept) {
        sink.begin(patch.feature);
        let mut mesh = sink.mesh(Role::Terrain);
        let at: Vec<u32> =
            patch.points.iter().zip(&patch.nodes).map(|(p, node)| mesh.plan_vertex(*p, normals[*node as usize], [0.0; 2])).collect();
        let mut low: HashMap<u32, u32> = HashMap::new();
        for t in &patch.triangles {
            mesh.triangle(at[t[0] as usize], at[t[1] as usize], at[t[2] as usize]);
            for (i, j) in [(t[0], t[1]), (t[1], t[2]), (t[2], t[0])] {
                let (a, b) = (patch.nodes[i as usize], patch.nodes[j as usize]);
                if sides.get(&(a.min(b), a.max(b))) != Some(&1) {
                    continue;
                }
                let mut below = |i: u32, node: u32| {
                    *low.entry(i).or_insert_with(|| {
                        let p = patch.points[i as usize];
                        mesh.plan_vertex([p[0], p[1], p[2] - skirt], normals[node as usize], [0.0; 2])
                    })
                };
                let (la, lb) = (below(i, a), below(j, b));
                mesh.quad(at[i as usize], la, lb, at[j as usize]);
            }
        }
    }
}

/// Of the surveyed ground at the leaves, m.
const FLAT_M: f64 = 0.01;
/// Smaller nets stay as they are, and larger ones, which would take longer to thin than to draw.
const WORTH_IT: std::ops::Range<usize> = 64..20_000;

/// A surveyed point; plan metres from the block's first.
struct Node {
    at: Point2<f64>,
    index: u32,
}

impl HasPosition for Node {
    type Scalar = f64;
    fn position(&self) -> Point2<f64> {
        self.at
    }
}

/// Greedy insertion (Garland and Heckbert): the rim whole, so that blocks still meet, then in every triangle the point that
/// lies farthest from it, until none is farther than [`FLAT_M`]. `None` where that is no gain, and for a net that is not
/// the whole of its hull or has two points above each other: a quarry's rim, a cliff.
fn thinned(points: &[Point3], triangles: &[[u32; 3]]) -> Option<(Vec<Point3>, Vec<[u32; 3]>)> {
    if !WORTH_IT.contains(&points.len()) {
        return None;
    }
    let o = points[0];
    let node = |i: u32| {
        let p = points[i as usize];
        Node { at: Point2::new(p[0] - o[0], p[1] - o[1]), index: i }
    };
    let mut sides: HashMap<(u32, u32), u32> = HashMap::with_capacity(triangles.len() * 2);
    let mut area = 0.0;
    for t in triangles {
        let [a, b, c] = corners(points, t)?;
        area += ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])).abs() / 2.0;
        [(t[0], t[1]), (t[1], t[2]), (t[2], t[0])].into_iter().for_each(|(a, b)| *sides.entry((a.min(b), a.max(b))).or_default() += 1);
    }
    let mut state = vec![Seen::Unused; points.len()];
    triangles.iter().flatten().for_each(|i| state[*i as usize] = Seen::Left);
    let rim: Vec<u32> = sides.iter().filter(|(_, n)| **n == 1).flat_map(|((a, b), _)| [*a, *b]).collect();
    rim.iter().for_each(|i| state[*i as usize] = Seen::Kept);
    let all = state.iter().filter(|s| **s != Seen::Unused).count();
    let kept = |state: &[Seen]| (0..points.len() as u32).filter(|i| state[*i as usize] == Seen::Kept).map(node).collect();
    let mut net = DelaunayTriangulation::<Node>::bulk_load(kept(&state)).ok()?;
    let hull: f64 = net.inner_faces().map(|f| f.area()).sum();
    if (hull - area).abs() > area * 1e-6 {
        return None;
    }
    loop {
        let mut worst: HashMap<usize, (f64, u32)> = HashMap::new();
        for i in (0..points.len() as u32).filter(|i| state[*i as usize] == Seen::Left) {
            let at = node(i).at;
            let plane = |corners: &[spade::handles::VertexHandle<'_, Node>]| -> f64 {
                let c: Vec<[f64; 3]> =
                    corners.iter().map(|v| [v.position().x, v.position().y, points[v.data().index as usize][2]]).collect();
                match c[..] {
                    [a, b] => {
                        let d = [b[0] - a[0], b[1] - a[1]];
                        let t = ((at.x - a[0]) * d[0] + (at.y - a[1]) * d[1]) / (d[0] * d[0] + d[1] * d[1]).max(1e-12);
                        a[2] + (b[2] - a[2]) * t
                    }
                    [a, b, c] => {
                        let det = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
                        let u = ((at.x - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (at.y - a[1])) / det;
                        let v = ((b[0] - a[0]) * (at.y - a[1]) - (at.x - a[0]) * (b[1] - a[1])) / det;
                        a[2] + u * (b[2] - a[2]) + v * (c[2] - a[2])
                    }
                    _ => f64::NAN,
                }
            };
            let (face, height) = match net.locate(at) {
                PositionInTriangulation::OnFace(f) => (f.index(), plane(&net.face(f).vertices())),
                PositionInTriangulation::OnEdge(e) => {
                    let edge = net.directed_edge(e);
                    let face = edge.face().as_inner().or_else(|| edge.rev().face().as_inner())?.fix().index();
                    (face, plane(&edge.vertices()))
                }
                // Two points above each other, or outside of the rim.
                _ => return None,
            };
            let off = (height - points[i as usize][2]).abs();
            if off.is_nan() || off > FLAT_M {
                let w = worst.entry(face).or_insert((off, i));
                if off > w.0 {
                    *w = (off, i);
                }
            }
        }
        if worst.is_empty() {
            break;
        }
        // In the order of the points, so that the same ground gives the same net.
        let mut next: Vec<u32> = worst.into_values().map(|(_, i)| i).collect();
        next.sort_unstable();
        for i in next {
            net.insert(node(i)).ok()?;
            state[i as usize] = Seen::Kept;
        }
        if net.num_vertices() * 10 > all * 7 {
            return None;
        }
    }
    let mut number = vec![0u32; points.len()];
    let mut out = Vec::with_capacity(net.num_vertices());
    for i in (0..points.len()).filter(|i| state[*i] == Seen::Kept) {
        number[i] = out.len() as u32;
        out.push(points[i]);
    }
    // Counter-clockwise from above.
    let faces = net.inner_faces().map(|f| f.vertices().map(|v| number[v.data().index as usize])).collect();
    Some((out, faces))
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Unused,
    Left,
    Kept,
}

fn upward(points: &[Point3], triangles: &[[u32; 3]]) -> (Vec<Point3>, Vec<[u32; 3]>) {
    let turned = triangles.iter().map(|t| match corners(points, t) {
        Some(c) if surface::normal(&c)[2] < 0.0 => [t[0], t[2], t[1]],
        _ => *t,
    });
    (points.to_vec(), turned.collect())
}

/// A regular grid over the block's own box: blocks that share a side share its nodes.
fn decimated(f: &Feature, points: &[Point3], triangles: &[[u32; 3]], steps: u32) -> Option<(Vec<Point3>, Vec<[u32; 3]>)> {
    let bounds = f.geometry.bounds()?.plan();
    let cells = (FIRST_GRID >> (steps - 1).min(8)).max(2);
    let mut relief = Relief::with_cells(bounds, [cells; 2]);
    relief.add(points, triangles);
    let mut nodes: Vec<Option<u32>> = Vec::with_capacity((cells + 1) * (cells + 1));
    let (mut out, mut faces) = (Vec::new(), Vec::new());
    for row in 0..=cells {
        for column in 0..=cells {
            nodes.push(relief.node(column, row).map(|p| {
                out.push(p);
                out.len() as u32 - 1
            }));
        }
    }
    for row in 0..cells {
        for column in 0..cells {
            let i = row * (cells + 1) + column;
            let quad = [nodes[i], nodes[i + 1], nodes[i + cells + 2], nodes[i + cells + 1]];
            // At a ragged rim the corners that have ground still give a triangle.
            let have: Vec<u32> = quad.into_iter().flatten().collect();
            match have.len() {
                4 => faces.extend([[have[0], have[1], have[2]], [have[0], have[2], have[3]]]),
                3 => faces.push([have[0], have[1], have[2]]),
                _ => {}
            }
        }
    }
    (!faces.is_empty()).then_some((out, faces))
}
