//! The street net as a plane graph: strands in, nodes, edges and faces out.

use crate::plane::*;
use std::collections::HashMap;

/// Index into the plan's roads; [`FRAME`] closes the faces at the edge of the box and is no road.
pub(crate) type RoadId = u32;
pub(crate) const FRAME: RoadId = u32::MAX;

#[derive(Debug, Clone)]
pub(crate) struct Strand {
    pub points: Vec<P2>,
    pub road: RoadId,
}

/// An edge runs in the sense of its strand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    pub a: u32,
    pub b: u32,
    pub road: RoadId,
}

#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub nodes: Vec<P2>,
    pub edges: Vec<Edge>,
    /// Edges of each node.
    pub star: Vec<Vec<u32>>,
}

/// Nodes and edges around a face, counter-clockwise; `edges[i]` leads from `nodes[i]` on.
#[derive(Debug, Clone)]
pub(crate) struct Face {
    pub nodes: Vec<u32>,
    pub edges: Vec<u32>,
}

const CELL_M: f64 = 200.0;

fn cell(p: P2, size: f64) -> (i64, i64) {
    ((p[0] / size).floor() as i64, (p[1] / size).floor() as i64)
}

/// Points that are the same within a tolerance.
pub(crate) struct Pool {
    pub points: Vec<P2>,
    cells: HashMap<(i64, i64), Vec<u32>>,
    tolerance: f64,
}

impl Pool {
    pub fn new(tolerance: f64) -> Self {
        Self { points: Vec::new(), cells: HashMap::new(), tolerance }
    }
    pub fn near(&self, p: P2) -> Option<u32> {
        let (x, y) = cell(p, self.tolerance);
        (x - 1..=x + 1)
            .flat_map(|i| (y - 1..=y + 1).map(move |j| (i, j)))
            .filter_map(|c| self.cells.get(&c))
            .flatten()
            .map(|&i| (dist(self.points[i as usize], p), i))
            .filter(|(d, _)| *d < self.tolerance)
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
            .map(|(_, i)| i)
    }
    pub fn put(&mut self, p: P2) -> u32 {
        self.near(p).unwrap_or_else(|| {
            let i = self.points.len() as u32;
            self.points.push(p);
            self.cells.entry(cell(p, self.tolerance)).or_default().push(i);
            i
        })
    }
}

impl Graph {
    /// Cuts the strands at all their meetings. Points closer than `tolerance` m become one; of two edges on the same
    /// place the one with the smaller road index stays, so list important roads first.
    pub fn new(strands: &[Strand], tolerance: f64) -> Self {
        struct Seg {
            a: P2,
            b: P2,
            road: RoadId,
            cuts: Vec<f64>,
        }
        let mut segs: Vec<Seg> = Vec::new();
        let mut pool = Pool::new(tolerance);
        for s in strands {
            for w in s.points.windows(2) {
                segs.push(Seg { a: w[0], b: w[1], road: s.road, cuts: vec![0.0, 1.0] });
            }
            for &p in &s.points {
                pool.put(p);
            }
        }
        let mut cells: HashMap<(i64, i64), Vec<usize>> = HashMap::new();
        for (i, s) in segs.iter().enumerate() {
            let (lo, hi) = (
                [s.a[0].min(s.b[0]) - tolerance, s.a[1].min(s.b[1]) - tolerance],
                [s.a[0].max(s.b[0]) + tolerance, s.a[1].max(s.b[1]) + tolerance],
            );
            let ((x0, y0), (x1, y1)) = (cell(lo, CELL_M), cell(hi, CELL_M));
            for x in x0..=x1 {
                for y in y0..=y1 {
                    let mid = [(x as f64 + 0.5) * CELL_M, (y as f64 + 0.5) * CELL_M];
                    if to_segment(s.a, s.b, mid).0 < CELL_M * 0.75 {
                        cells.entry((x, y)).or_default().push(i);
                    }
                }
            }
        }
        let mut keys: Vec<_> = cells.keys().copied().collect();
        keys.sort_unstable();
        for k in keys {
            let list = &cells[&k];
            for (n, &i) in list.iter().enumerate() {
                for &j in &list[n + 1..] {
                    let (a, b, c, d) = (segs[i].a, segs[i].b, segs[j].a, segs[j].b);
                    let (r, s, ac) = (sub(b, a), sub(d, c), sub(c, a));
                    let det = cross(r, s);
                    if det.abs() > 1e-9 {
                        let (t, u) = (cross(ac, s) / det, cross(ac, r) / det);
                        if (0.0..=1.0).contains(&t) && (0.0..=1.0).contains(&u) {
                            segs[i].cuts.push(t);
                            segs[j].cuts.push(u);
                            pool.put(along(a, r, t));
                        }
                    }
                    for p in [c, d] {
                        let (off, t) = to_segment(a, b, p);
                        if off < tolerance {
                            segs[i].cuts.push(t);
                        }
                    }
                    for p in [a, b] {
                        let (off, t) = to_segment(c, d, p);
                        if off < tolerance {
                            segs[j].cuts.push(t);
                        }
                    }
                }
            }
        }
        let mut edges: Vec<Edge> = Vec::new();
        let mut seen: HashMap<(u32, u32), usize> = HashMap::new();
        for s in &mut segs {
            s.cuts.sort_by(f64::total_cmp);
            let mut last = None;
            for &t in &s.cuts {
                let here = pool.put(lerp(s.a, s.b, t));
                if let Some(from) = last
                    && from != here
                {
                    match seen.entry((here.min(from), here.max(from))) {
                        std::collections::hash_map::Entry::Vacant(v) => {
                            v.insert(edges.len());
                            edges.push(Edge { a: from, b: here, road: s.road });
                        }
                        std::collections::hash_map::Entry::Occupied(o) => {
                            let e = &mut edges[*o.get()];
                            if s.road < e.road {
                                *e = Edge { a: from, b: here, road: s.road };
                            }
                        }
                    }
                }
                last = Some(here);
            }
        }
        let mut g = Self { nodes: pool.points, edges, star: Vec::new() };
        g.prune();
        g
    }

    fn prune(&mut self) {
        loop {
            let mut degree = vec![0u32; self.nodes.len()];
            for e in &self.edges {
                degree[e.a as usize] += 1;
                degree[e.b as usize] += 1;
            }
            let before = self.edges.len();
            self.edges.retain(|e| degree[e.a as usize] > 1 && degree[e.b as usize] > 1);
            if self.edges.len() == before {
                break;
            }
        }
        self.star = vec![Vec::new(); self.nodes.len()];
        for (i, e) in self.edges.iter().enumerate() {
            self.star[e.a as usize].push(i as u32);
            self.star[e.b as usize].push(i as u32);
        }
    }

    pub fn ends(&self, edge: u32) -> (P2, P2) {
        let e = self.edges[edge as usize];
        (self.nodes[e.a as usize], self.nodes[e.b as usize])
    }
    pub fn other(&self, edge: u32, node: u32) -> u32 {
        let e = self.edges[edge as usize];
        if e.a == node { e.b } else { e.a }
    }
    pub fn ring(&self, face: &Face) -> Ring {
        face.nodes.iter().map(|&n| self.nodes[n as usize]).collect()
    }

    /// All inner faces. Every edge has one on each side, or the outside.
    pub fn faces(&self) -> Vec<Face> {
        let angle = |n: u32, e: u32| {
            let d = sub(self.nodes[self.other(e, n) as usize], self.nodes[n as usize]);
            d[1].atan2(d[0])
        };
        let turn: Vec<Vec<u32>> = (0..self.nodes.len() as u32)
            .map(|n| {
                let mut s = self.star[n as usize].clone();
                s.sort_by(|&x, &y| angle(n, x).total_cmp(&angle(n, y)));
                s
            })
            .collect();
        let mut used = vec![[false; 2]; self.edges.len()];
        let mut out = Vec::new();
        for start in 0..self.edges.len() as u32 {
            for side in 0..2 {
                if used[start as usize][side] {
                    continue;
                }
                let e = self.edges[start as usize];
                let (mut node, mut edge) = (if side == 0 { e.a } else { e.b }, start);
                let mut face = Face { nodes: Vec::new(), edges: Vec::new() };
                loop {
                    let s = usize::from(self.edges[edge as usize].a != node);
                    if used[edge as usize][s] {
                        break;
                    }
                    used[edge as usize][s] = true;
                    face.nodes.push(node);
                    face.edges.push(edge);
                    node = self.other(edge, node);
                    let ring = &turn[node as usize];
                    let at = ring.iter().position(|&x| x == edge).unwrap_or(0);
                    edge = ring[(at + ring.len() - 1) % ring.len()];
                }
                if face.nodes.len() > 2 && area(&self.ring(&face)) > 1.0 {
                    out.push(face);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cross_in_a_frame_makes_four_faces() {
        let frame = Strand { points: vec![[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0], [0.0, 0.0]], road: FRAME };
        let h = Strand { points: vec![[0.0, 40.0], [100.0, 40.0]], road: 0 };
        let v = Strand { points: vec![[30.0, 0.0], [30.0, 100.0]], road: 1 };
        let stub = Strand { points: vec![[30.0, 80.0], [60.0, 80.0]], road: 2 };
        let g = Graph::new(&[h, v, stub, frame], 0.5);
        let faces = g.faces();
        let mut areas: Vec<_> = faces.iter().map(|f| area(&g.ring(f)).round()).collect();
        areas.sort_by(f64::total_cmp);
        assert_eq!(areas, [1200.0, 1800.0, 2800.0, 4200.0]);
        assert!(g.edges.iter().all(|e| e.road != 2), "the stub closes no face");
    }
}
