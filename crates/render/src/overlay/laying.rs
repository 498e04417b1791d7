//! Laying an overlay on the drawn ground: items become bodies, lines and gathered symbols.

use super::{
    Layer, State,
    body::{BODY, Body, ICON_PX, MIXED, Word},
    figure,
};
use glam::{Vec2, Vec3};
use std::collections::BTreeMap;
use strata_scene::{
    OverlayKind,
    cluster::Clusters,
    overlay::{Grid, Shape},
};

impl Layer {
    pub(super) fn gather(&mut self, day: i32) {
        self.shown = (0..self.data.items.len()).filter(|i| self.shows(*i, day)).map(|i| i as u32).collect();
        let plan = |i: &u32| {
            self.data.items[*i as usize].shape.points().next().map_or([0.0; 2], |p| self.local(*p).truncate().as_dvec2().to_array())
        };
        let points: Vec<[f64; 2]> = self.shown.iter().map(plan).collect();
        self.clusters = Clusters::new(&points);
    }
    pub(super) fn icons(&mut self, states: &BTreeMap<String, State>) {
        let categories = self.data.categories();
        let glyph = |name: &str| categories.iter().position(|c| c.0 == name).map_or(0, |k| k % 5) as f32;
        let unit = self.data.overlay.unit.clone();
        let mut body = Body::default();
        for n in &self.cut {
            let node = &self.clusters.nodes[*n as usize];
            let at = self.laid(Vec3::new(node.at[0] as f32, node.at[1] as f32, 0.0), 2.0);
            let items: Vec<usize> = self.clusters.items(*n).into_iter().map(|k| self.shown[k as usize] as usize).collect();
            let first = items.first().copied().unwrap_or(0);
            let (value, colour) = self.face(first, states);
            let one = items.len() == 1;
            // A colour speaks only where all that are gathered agree.
            let alike = items.iter().all(|i| self.face(*i, states).1 == colour);
            let colour = colour.filter(|_| alike).unwrap_or(MIXED);
            body.part(one.then_some(first as u32), value.filter(|_| one), items.len() as u32, false);
            if let Some(p) = body.of.last_mut() {
                p.node = Some(*n);
            }
            if one {
                body.symbol(at, glyph(&self.data.items[first].category), false, ICON_PX, colour);
                if let Some(v) = value {
                    body.words.push(Word { at, text: format!("{} {unit}", figure(v)).trim().to_owned(), badge: false });
                }
            } else {
                let digits = items.len().to_string();
                let half = ICON_PX + 2.5 + 3.0 * digits.len() as f32;
                body.symbol(at, 0.0, true, half, colour);
                body.words.push(Word { at, text: digits, badge: true });
            }
        }
        self.body = body;
    }
    fn column(&self, body: &mut Body, at: Vec2, half_m: f32, value: Option<f64>, colour: Option<[u8; 3]>) {
        const SIDES: u32 = 16;
        let way = |k: u32| Vec2::from_angle(std::f32::consts::TAU * (k as f32 + 0.5) / SIDES as f32);
        let foot = |p: Vec2| self.laid(p.extend(0.0), 0.0).z;
        let base = foot(at);
        let high = value.map_or(0.0, |v| (v.max(0.0) * self.data.overlay.metres_per_unit) as f32);
        if high > 0.0 {
            let colour = colour.unwrap_or(MIXED);
            let top = base + high;
            for k in 0..SIDES {
                let (a, b) = (at + way(k) * half_m, at + way(k + 1) * half_m);
                body.wall([a, b], [foot(a).min(base), foot(b).min(base)], top, [way(k), way(k + 1)], colour);
            }
            let rim: Vec<Vec3> = (0..SIDES).map(|k| (at + way(k) * half_m).extend(top)).collect();
            let first = body.vertices.len() as u32;
            for p in rim {
                body.vertex(p, Vec3::ZERO, [0.0, 0.0, 0.0, BODY], Some(colour), Vec3::Z);
            }
            body.solid.extend((1..SIDES - 1).flat_map(|k| [first, first + k, first + k + 1]));
        } else {
            // Zero is a plate, no data a hatched one: never the same.
            let rim: Vec<Vec3> = (0..SIDES).map(|k| self.laid((at + way(k) * half_m).extend(base), 0.4)).collect();
            body.flat(&rim, (1..SIDES - 1).flat_map(|k| [0, k, k + 1]), 0.0, value.and(colour));
        }
        if let Some(v) = value {
            body.words.push(Word { at: at.extend(base + high + 6.0), text: figure(v), badge: false });
        }
    }
    /// Triangles of rings in plan, none longer than `most_m`.
    fn triangles(&self, rings: &[Vec<[f64; 3]>], most_m: f32) -> Vec<[Vec2; 3]> {
        let mut flat: Vec<[f64; 2]> = Vec::new();
        let mut holes: Vec<u32> = Vec::new();
        for (k, ring) in rings.iter().enumerate() {
            if k > 0 {
                holes.push(flat.len() as u32);
            }
            let open = ring.len().saturating_sub(usize::from(ring.first() == ring.last()));
            flat.extend(ring[..open].iter().map(|p| self.local(*p).truncate().as_dvec2().to_array()));
        }
        let mut indices: Vec<u32> = Vec::new();
        earcut::Earcut::new().earcut(flat.iter().copied(), &holes, &mut indices);
        let corner = |i: u32| flat.get(i as usize).map_or(Vec2::ZERO, |p| Vec2::new(p[0] as f32, p[1] as f32));
        let mut open: Vec<[Vec2; 3]> = indices.chunks_exact(3).map(|t| [corner(t[0]), corner(t[1]), corner(t[2])]).collect();
        let mut out = Vec::new();
        const MOST: usize = 40_000;
        while let Some([a, b, c]) = open.pop() {
            let sides = [a.distance(b), b.distance(c), c.distance(a)];
            let longest = (0..3).max_by(|x, y| sides[*x].total_cmp(&sides[*y])).unwrap_or(0);
            if sides[longest] <= most_m || out.len() + open.len() > MOST {
                out.push([a, b, c]);
                continue;
            }
            let [p, q, r] = [[a, b, c], [b, c, a], [c, a, b]][longest];
            let m = (p + q) / 2.0;
            open.extend([[p, m, r], [m, q, r]]);
        }
        out
    }
    fn area(&self, body: &mut Body, rings: &[Vec<[f64; 3]>], value: Option<f64>, colour: Option<[u8; 3]>) {
        let shell: Vec<Vec3> = rings.first().into_iter().flatten().map(|p| self.laid(self.local(*p), 0.0)).collect();
        let base = shell.iter().map(|p| p.z).sum::<f32>() / shell.len().max(1) as f32;
        let high = value.map_or(0.0, |v| (v.max(0.0) * self.data.overlay.metres_per_unit) as f32);
        let (Some(colour), true) = (value.and(colour), high > 0.0) else {
            for t in self.triangles(rings, 60.0) {
                body.flat(&t.map(|p| self.laid(p.extend(base), 0.4)), 0..3, 0.0, value.and(colour));
            }
            return;
        };
        for t in self.triangles(rings, f32::INFINITY) {
            let first = body.vertices.len() as u32;
            for p in t {
                body.vertex(p.extend(base + high), Vec3::ZERO, [0.0, 0.0, 0.0, BODY], Some(colour), Vec3::Z);
            }
            body.solid.extend([0, 1, 2].map(|i| first + i));
        }
        for ring in rings {
            let ring: Vec<Vec3> = ring.iter().map(|p| self.laid(self.local(*p), 0.0)).collect();
            for w in ring.windows(2) {
                let (a, b) = (w[0].truncate(), w[1].truncate());
                let n = (b - a).perp().normalize_or_zero() * -1.0;
                body.wall([a, b], [w[0].z.min(base), w[1].z.min(base)], base + high, [n, n], colour);
            }
        }
    }
    fn heat(&self, body: &mut Body, grid: &Grid) {
        let parts = ((grid.cell_m / 25.0).ceil() as usize).clamp(1, 8);
        let parts = (1..=parts).rev().find(|n| grid.cells.len() * n * n <= 60_000).unwrap_or(1);
        let step = grid.cell_m / parts as f64;
        for cell in &grid.cells {
            let corner = [0, 1].map(|k| grid.south_west_m[k] + f64::from(cell.at[k]) * grid.cell_m);
            body.part(None, cell.value, cell.count, cell.value.is_none());
            let points: Vec<Vec3> = (0..=parts)
                .flat_map(|y| (0..=parts).map(move |x| (x, y)))
                .map(|(x, y)| self.laid(Vec3::new((corner[0] + x as f64 * step) as f32, (corner[1] + y as f64 * step) as f32, 0.0), 0.3))
                .collect();
            let row = parts as u32 + 1;
            let quads = (0..parts as u32).flat_map(move |y| (0..parts as u32).map(move |x| y * row + x));
            let triangles = quads.flat_map(move |q| [q, q + 1, q + row + 1, q, q + row + 1, q + row]);
            body.flat(&points, triangles, 0.0, self.data.colour(cell.value, ""));
        }
    }
    /// All kinds but icons.
    pub(super) fn build(&mut self, day: i32, states: &BTreeMap<String, State>) {
        let mut body = Body::default();
        let overlay = &self.data.overlay;
        let grid = overlay.cell_m.and_then(|_| self.data.grid(Some(day)));
        if let (Some(grid), OverlayKind::Heat) = (&grid, overlay.kind) {
            self.heat(&mut body, grid);
        } else if let (Some(grid), OverlayKind::Column) = (&grid, overlay.kind) {
            for cell in grid.cells.iter().filter(|c| c.count > 0) {
                let at = [0, 1].map(|k| (grid.south_west_m[k] + (f64::from(cell.at[k]) + 0.5) * grid.cell_m) as f32);
                body.part(None, cell.value, cell.count, cell.value.is_none());
                self.column(&mut body, Vec2::from(at), (overlay.width_m / 2.0) as f32, cell.value, self.data.colour(cell.value, ""));
            }
        } else {
            let mut order: Vec<usize> = (0..self.data.items.len()).filter(|i| self.shows(*i, day)).collect();
            if overlay.kind == OverlayKind::Isochrone {
                // The far band first: the near one lies on it.
                let key = |i: &usize| -self.face(*i, states).0.unwrap_or(f64::INFINITY);
                order.sort_by(|a, b| key(a).total_cmp(&key(b)));
            }
            let mut rank = 0.0f32;
            let mut last = None;
            for i in order {
                let (value, colour) = self.face(i, states);
                body.part(Some(i as u32), value, 1, overlay.value.is_some() && value.is_none());
                match &self.data.items[i].shape {
                    Shape::Point(p) => self.column(&mut body, self.local(*p).truncate(), (overlay.width_m / 2.0) as f32, value, colour),
                    Shape::Area(rings) if overlay.kind == OverlayKind::Area => self.area(&mut body, rings, value, colour),
                    Shape::Area(rings) => {
                        rank += f32::from(u8::from(last.is_some() && last != Some(value.map(f64::to_bits))));
                        last = Some(value.map(f64::to_bits));
                        for t in self.triangles(rings, 60.0) {
                            body.flat(&t.map(|p| self.laid(p.extend(0.0), 0.3)), 0..3, rank.min(5.0), colour);
                        }
                    }
                    Shape::Line(path) => {
                        let path: Vec<Vec3> = path.iter().map(|p| self.local(*p)).collect();
                        let half = overlay.width_px / 2.0;
                        if overlay.kind == OverlayKind::Arc {
                            let (a, b) = (self.laid(path[0], 1.0), self.laid(path[path.len() - 1], 1.0));
                            let rise = a.distance(b) * 0.28;
                            let arc: Vec<Vec3> =
                                (0..=40).map(|k| k as f32 / 40.0).map(|t| a.lerp(b, t) + Vec3::Z * (4.0 * t * (1.0 - t) * rise)).collect();
                            // It thickens towards where it goes.
                            body.line(&arc, &|t| half * (0.45 + 0.55 * t), colour.unwrap_or(MIXED));
                        } else {
                            let mut laid = vec![self.laid(path[0], 1.2)];
                            for w in path.windows(2) {
                                let n = (w[0].truncate().distance(w[1].truncate()) / 20.0).ceil().clamp(1.0, 500.0) as usize;
                                laid.extend((1..=n).map(|k| self.laid(w[0].lerp(w[1], k as f32 / n as f32), 1.2)));
                            }
                            body.line(&laid, &|_| half, colour.unwrap_or(MIXED));
                        }
                    }
                }
            }
        }
        self.body = body;
    }
}
