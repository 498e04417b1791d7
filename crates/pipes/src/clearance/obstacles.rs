//! What stands above: buildings, trees, kerbs, tracks, and the pipes' distance to them in plan (GB 50289-2016 table 4.1.9).
//!
//! A building is its footprint (of a solid, its ground faces); a tree the middle of its trunk; a kerb lies half the width
//! of a street beside its centre line and is left out inside other carriageways; a track's edge lies half its width
//! beside its line. Pipes run along kerbs and tracks or cross them: only those that run along are measured to kerbs, a
//! crossed track is measured in height (table 4.1.14) and the angle at it is checked (clause 4.1.7).

use super::{Piece, Pieces, Relation, nearest_in_plan};
use crate::rules::{Kind, Need, Row, Rule, Verdict, judge, rules};
use rayon::prelude::*;
use rstar::{AABB, RTree, primitives::GeomWithData, primitives::Rectangle};
use std::{
    collections::{BTreeSet, HashMap},
    ops::ControlFlow,
};
use strata_engine::{EngineError, View};
use strata_model::{Bounds2, FeatureId, Geometry, LayerId, Point3, Polygon, Query, SurfaceKind, Theme};

#[derive(Debug, Clone)]
pub enum Shape {
    /// Rings in plan, the first of each the shell.
    Areas(Vec<Vec<Vec<[f64; 2]>>>),
    /// Pieces of a line with a half width.
    Lines(Vec<[Point3; 2]>, f64),
    Point(Point3),
}

#[derive(Debug, Clone)]
pub struct Obstacle {
    pub layer: LayerId,
    pub id: FeatureId,
    pub row: Row,
    pub shape: Shape,
}

/// A pipe too near to what stands above.
#[derive(Debug, Clone)]
pub struct Near {
    pub pipe: u32,
    /// Number of the obstacle.
    pub obstacle: u32,
    pub relation: Relation,
    pub verdict: Verdict,
    /// Outer face of the pipe to the obstacle's edge, m; negative inside.
    pub gap_m: f64,
    pub uncertainty_m: f64,
    pub need: Need,
    /// From the pipe to the obstacle.
    pub connection: [Point3; 2],
}

/// A pipe that crosses a track or a street at less than the least angle.
#[derive(Debug, Clone)]
pub struct Slant {
    pub pipe: u32,
    pub obstacle: u32,
    pub angle_deg: f64,
    pub rule: Rule,
    pub at: Point3,
}

fn flat(r: &[Point3]) -> Vec<[f64; 2]> {
    r.iter().map(|p| [p[0], p[1]]).collect()
}
fn rings(p: &Polygon) -> Vec<Vec<[f64; 2]>> {
    p.rings.iter().map(|r| flat(r)).collect()
}

/// Footprints in plan of a building's geometry.
pub(crate) fn footprints(g: &Geometry) -> Vec<Vec<Vec<[f64; 2]>>> {
    match g {
        Geometry::Polygon(p) => vec![rings(p)],
        Geometry::MultiPolygon(ps) => ps.iter().map(rings).collect(),
        Geometry::Surfaces(ss) => {
            let ground: Vec<_> = ss.iter().filter(|s| s.kind == SurfaceKind::Ground).map(|s| rings(&s.polygon)).collect();
            if ground.is_empty() { ss.iter().map(|s| rings(&s.polygon)).collect() } else { ground }
        }
        _ => Vec::new(),
    }
}

fn lines(g: &Geometry) -> Vec<Vec<Point3>> {
    match g {
        Geometry::LineString(l) => vec![l.clone()],
        Geometry::MultiLineString(ls) => ls.clone(),
        _ => Vec::new(),
    }
}

/// A street as a centre line with a width kerb to kerb.
#[derive(Debug, Clone)]
pub struct Road {
    pub layer: LayerId,
    pub id: FeatureId,
    pub name: String,
    pub class: String,
    pub line: Vec<Point3>,
    pub half_width_m: f64,
}

/// Streets that meet the box at the view's moment.
pub fn roads(view: &View, bounds: Bounds2) -> Result<Vec<Road>, EngineError> {
    let mut out = Vec::new();
    for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| l.theme == Theme::Road) {
        // A street reaches half its width beside its line.
        let q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at).within(bounds.grown(60.0).with_all_heights());
        view.snapshot.for_each(&q, &mut |f| {
            let text = |name: &str| f.text(&layer, name).unwrap_or_default().to_owned();
            let width = f.number(&layer, "width_m").filter(|w| w.is_finite() && *w > 0.0);
            for line in lines(&f.geometry) {
                if let Some(w) = width {
                    let (name, class) = (text("name"), text("class"));
                    out.push(Road { layer: layer.id.clone(), id: f.id.clone(), name, class, line, half_width_m: w / 2.0 });
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(out)
}

/// Streets, to ask which carriageway a place lies on.
pub struct Carriageways {
    roads: Vec<Road>,
    /// Straight pieces: number of the street and of its piece.
    tree: RTree<Numbered<(u32, u32)>>,
}

type Numbered<T> = GeomWithData<Rectangle<[f64; 2]>, T>;

fn plan_rectangle(p: &[Point3; 2], grow: f64) -> Rectangle<[f64; 2]> {
    let lo = [0, 1].map(|k| p[0][k].min(p[1][k]) - grow);
    let hi = [0, 1].map(|k| p[0][k].max(p[1][k]) + grow);
    Rectangle::from_corners(lo, hi)
}

impl Carriageways {
    pub fn new(roads: Vec<Road>) -> Self {
        let items = roads.iter().enumerate().flat_map(|(r, road)| {
            let piece =
                move |(i, w): (usize, &[Point3])| GeomWithData::new(plan_rectangle(&[w[0], w[1]], road.half_width_m), (r as u32, i as u32));
            road.line.windows(2).enumerate().map(piece).collect::<Vec<_>>()
        });
        let tree = RTree::bulk_load(items.collect());
        Self { roads, tree }
    }
    pub fn roads(&self) -> &[Road] {
        &self.roads
    }
    /// Streets whose carriageway holds the place.
    pub fn at(&self, p: [f64; 2]) -> impl Iterator<Item = &Road> + '_ {
        let here = [p[0], p[1], 0.0];
        self.tree.locate_in_envelope_intersecting(AABB::from_point(p)).filter_map(move |e| {
            let road = &self.roads[e.data.0 as usize];
            let i = e.data.1 as usize;
            let d = nearest_in_plan([here, here], [road.line[i], road.line[i + 1]]).0;
            (d <= road.half_width_m).then_some(road)
        })
    }
    /// Kerbs in pieces of at most 5 m, less those inside another carriageway. By street.
    fn kerbs(&self) -> Vec<(usize, Vec<[Point3; 2]>)> {
        let one = |road: &Road| {
            let mut out = Vec::new();
            for w in road.line.windows(2) {
                let (d, length) = (super::sub(w[1], w[0]), (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1]));
                if length < 1e-6 {
                    continue;
                }
                let side = [-d[1] / length * road.half_width_m, d[0] / length * road.half_width_m, 0.0];
                let n = (length / 5.0).ceil();
                for k in 0..n as usize {
                    for sign in [1.0, -1.0] {
                        let at = |t: f64| super::add(super::lerp(w[0], w[1], t / n), super::scale(side, sign));
                        let piece = [at(k as f64), at(k as f64 + 1.0)];
                        let middle = super::lerp(piece[0], piece[1], 0.5);
                        // Its own edge is not inside it.
                        if !self.at([middle[0], middle[1]]).any(|r| r.id != road.id && inside_by(r, middle) > 0.05) {
                            out.push(piece);
                        }
                    }
                }
            }
            out
        };
        self.roads.par_iter().enumerate().map(|(i, r)| (i, one(r))).collect()
    }
}

/// How far inside a street's carriageway a place lies, m.
fn inside_by(r: &Road, p: Point3) -> f64 {
    let d = r.line.windows(2).map(|w| nearest_in_plan([p, p], [w[0], w[1]]).0).fold(f64::INFINITY, f64::min);
    r.half_width_m - d
}

/// Buildings, trees, kerbs and tracks that meet the box at the view's moment, and the streets that the kerbs are of.
pub fn obstacles(view: &View, bounds: Bounds2) -> Result<(Vec<Obstacle>, Carriageways), EngineError> {
    let mut out = Vec::new();
    for layer in view.snapshot.layers(view.scope) {
        if !matches!(layer.theme, Theme::Building | Theme::Tree | Theme::Rail) {
            continue;
        }
        // The widest clearance to a building is 13.5 m.
        let q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at).within(bounds.grown(20.0).with_all_heights());
        view.snapshot.for_each(&q, &mut |f| {
            let (row, shape) = match (layer.theme, &f.geometry) {
                (Theme::Building, g) => (Row::Bld, Shape::Areas(footprints(g))),
                (Theme::Tree, Geometry::Point(p)) => {
                    let shrub = f.number(&layer, "height_m").is_some_and(|h| h < 2.0);
                    (if shrub { Row::Shrub } else { Row::Tree }, Shape::Point(*p))
                }
                (Theme::Rail, g) => {
                    let tram = f.text(&layer, "kind") == Some("tram");
                    // A metro runs under the ground; its depth is not in the layer.
                    if f.text(&layer, "kind") == Some("metro") {
                        return ControlFlow::Continue(());
                    }
                    let half = f.number(&layer, "width_m").filter(|w| w.is_finite()).unwrap_or(3.0) / 2.0;
                    let pieces = lines(g).iter().flat_map(|l| l.windows(2).map(|w| [w[0], w[1]]).collect::<Vec<_>>()).collect();
                    (if tram { Row::Tram } else { Row::Rail }, Shape::Lines(pieces, half))
                }
                _ => return ControlFlow::Continue(()),
            };
            out.push(Obstacle { layer: layer.id.clone(), id: f.id.clone(), row, shape });
            ControlFlow::Continue(())
        })?;
    }
    let ways = Carriageways::new(roads(view, bounds)?);
    for (i, pieces) in ways.kerbs() {
        let road = &ways.roads[i];
        out.push(Obstacle { layer: road.layer.clone(), id: road.id.clone(), row: Row::Kerb, shape: Shape::Lines(pieces, 0.0) });
    }
    Ok((out, ways))
}

/// Even-odd over all rings: holes are outside.
pub(crate) fn within(rings: &[Vec<[f64; 2]>], p: [f64; 2]) -> bool {
    let mut inside = false;
    for w in rings.iter().flat_map(|r| r.windows(2)) {
        let (a, b) = (w[0], w[1]);
        if (a[1] > p[1]) != (b[1] > p[1]) && p[0] < (b[0] - a[0]) * (p[1] - a[1]) / (b[1] - a[1]) + a[0] {
            inside = !inside;
        }
    }
    inside
}

/// One part of an obstacle for the index: a straight edge in plan (a point has none).
struct Edge {
    obstacle: u32,
    line: [Point3; 2],
    half_m: f64,
}

fn edges(all: &[Obstacle]) -> Vec<Edge> {
    let mut out = Vec::new();
    for (n, o) in all.iter().enumerate() {
        let mut push = |line, half_m| out.push(Edge { obstacle: n as u32, line, half_m });
        match &o.shape {
            Shape::Areas(areas) => areas.iter().flatten().for_each(|ring| {
                ring.windows(2).for_each(|w| push([[w[0][0], w[0][1], f64::NAN], [w[1][0], w[1][1], f64::NAN]], 0.0));
            }),
            Shape::Lines(pieces, half) => pieces.iter().for_each(|p| push(*p, *half)),
            Shape::Point(p) => push([*p, *p], 0.0),
        }
    }
    out
}

/// Obstacles with an index, to be asked about more than once.
pub struct Surroundings<'a> {
    obstacles: &'a [Obstacle],
    edges: Vec<Edge>,
    tree: RTree<Numbered<u32>>,
    areas: RTree<Numbered<(u32, u32)>>,
}

impl<'a> Surroundings<'a> {
    pub fn new(obstacles: &'a [Obstacle]) -> Self {
        let edges = edges(obstacles);
        let rectangle = |(i, e): (usize, &Edge)| GeomWithData::new(plan_rectangle(&e.line, e.half_m), i as u32);
        let tree = RTree::bulk_load(edges.iter().enumerate().map(rectangle).collect());
        Self { obstacles, edges, tree, areas: areas(obstacles) }
    }
}

/// Pipes too near to obstacles (the worst place of each pair), and crossings of tracks that are too slanting.
pub fn against(all: &Pieces, around: &Surroundings, coverage: f64, keep_sound: bool) -> (Vec<Near>, Vec<Slant>) {
    let Surroundings { obstacles, edges, tree, .. } = around;
    let r = rules();
    let used: BTreeSet<u16> = all.pieces.iter().map(|p| p.kind).collect();
    let needs: HashMap<(u16, Row), Need> = used
        .into_iter()
        .flat_map(|k| {
            let of = move |row: Row| Some(((k, row), plan_need(&all.kinds[k as usize], row)?));
            [Row::Bld, Row::Tree, Row::Shrub, Row::Kerb, Row::Rail, Row::Tram].into_iter().filter_map(of)
        })
        .collect();
    let (parallel_cos, least_angle) = (r.value("parallel-angle").to_radians().cos(), r.value("crossing-angle"));
    let (assumed, height_share) = (r.value("survey-plan-accuracy"), r.value("survey-height-share"));
    let one = |piece: &Piece| {
        let (mut near, mut slants) = (Vec::new(), Vec::new());
        let reach = needs.iter().filter(|n| n.0.0 == piece.kind).map(|n| n.1.most_m).fold(0.0, f64::max);
        // What stands above is taken as well surveyed as a pipe point.
        let u = coverage * f64::from(piece.accuracy_m).hypot(assumed);
        let half = piece.body.half_m[0];
        let envelope = plan_rectangle(&piece.body.axis, half + reach + u);
        let envelope = AABB::from_corners(envelope.lower(), envelope.upper());
        let direction = piece.body.plan_direction();
        for found in tree.locate_in_envelope_intersecting(envelope) {
            let edge = &edges[found.data as usize];
            let o = &obstacles[edge.obstacle as usize];
            let Some(need) = needs.get(&(piece.kind, o.row)) else { continue };
            let (between, s, t) = nearest_in_plan(piece.body.axis, edge.line);
            let e = super::sub(edge.line[1], edge.line[0]);
            let length = e[0].hypot(e[1]);
            let cos = direction.filter(|_| length > 0.0).map_or(0.0, |d| ((d[0] * e[0] + d[1] * e[1]) / length).abs());
            let along = cos > parallel_cos;
            let at = super::lerp(piece.body.axis[0], piece.body.axis[1], s);
            let there = super::lerp(edge.line[0], edge.line[1], t);
            let mut put = |relation, verdict: Verdict, gap_m, uncertainty_m, need: &Need, there: Point3| {
                if verdict != Verdict::Sound || keep_sound {
                    let z = if there[2].is_finite() { there[2] } else { at[2] };
                    let connection = [at, [there[0], there[1], z]];
                    near.push(Near {
                        pipe: piece.pipe,
                        obstacle: edge.obstacle,
                        relation,
                        verdict,
                        gap_m,
                        uncertainty_m,
                        need: need.clone(),
                        connection,
                    });
                }
            };
            let gap_m = between - half - edge.half_m;
            match o.row {
                Row::Kerb if !along => continue,
                Row::Kerb => put(Relation::Parallel, judge_beside(gap_m, need, u), gap_m, u, need, there),
                Row::Rail | Row::Tram if between == 0.0 || (gap_m <= 0.0 && !along) => {
                    if between == 0.0 && cos.min(1.0).acos().to_degrees() < least_angle {
                        let angle_deg = cos.min(1.0).acos().to_degrees();
                        if let Some(rule) = r.named("crossing-angle") {
                            slants.push(Slant { pipe: piece.pipe, obstacle: edge.obstacle, angle_deg, rule: rule.clone(), at });
                        }
                    }
                    let kind = &all.kinds[piece.kind as usize];
                    if let Some(need) = r.clearance_at_crossing(&Kind::of_row(o.row), kind) {
                        let under = there[2] - at[2] - piece.body.half_m[1];
                        put(Relation::Crossing, judge(under, Some(&need), u * height_share), under, u * height_share, &need, there);
                    }
                }
                _ => {
                    let relation = if along { Relation::Parallel } else { Relation::Beside };
                    put(relation, judge_beside(gap_m, need, u), gap_m, u, need, there);
                }
            }
        }
        (near, slants)
    };
    let (mut near, slants) = all.pieces.par_iter().map(one).reduce(Default::default, |mut a: (Vec<Near>, Vec<Slant>), b| {
        a.0.extend(b.0);
        a.1.extend(b.1);
        a
    });
    near.par_extend(under_buildings(all, around, &needs, coverage));
    let key = |n: &Near| (n.pipe, n.obstacle, n.relation == Relation::Crossing);
    let worse = |a: &Near, b: &Near| a.verdict.cmp(&b.verdict).then(a.gap_m.total_cmp(&b.gap_m));
    near.par_sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| worse(a, b)));
    near.dedup_by_key(|n| key(n));
    near.par_sort_by(|a, b| worse(a, b).then((a.pipe, a.obstacle).cmp(&(b.pipe, b.obstacle))));
    (near, slants)
}

/// A pipe right under a house, a tree or a kerb does not clash with it in space: it is short of the clause.
fn judge_beside(gap_m: f64, need: &Need, u: f64) -> Verdict {
    match judge(gap_m, Some(need), u) {
        Verdict::Clash => Verdict::Violation,
        v => v,
    }
}

/// Footprints by box.
fn areas(obstacles: &[Obstacle]) -> RTree<Numbered<(u32, u32)>> {
    let all = obstacles.iter().enumerate().flat_map(|(n, o)| {
        let Shape::Areas(areas) = &o.shape else { return Vec::new() };
        let one = |(k, rings): (usize, &Vec<Vec<[f64; 2]>>)| {
            let mut b = Bounds2::EMPTY;
            rings.iter().flatten().for_each(|p| b.extend(*p));
            (!b.is_empty()).then(|| GeomWithData::new(Rectangle::from_corners(b.min, b.max), (n as u32, k as u32)))
        };
        areas.iter().enumerate().filter_map(one).collect()
    });
    RTree::bulk_load(all.collect())
}

/// Pieces that begin inside a footprint and may meet no edge of it.
fn under_buildings(all: &Pieces, around: &Surroundings, needs: &HashMap<(u16, Row), Need>, coverage: f64) -> Vec<Near> {
    let (obstacles, tree) = (around.obstacles, &around.areas);
    let one = |piece: &Piece| {
        let at = piece.body.axis[0];
        let p = [at[0], at[1]];
        let mut out = Vec::new();
        for found in tree.locate_in_envelope_intersecting(AABB::from_point(p)) {
            let o = &obstacles[found.data.0 as usize];
            let Shape::Areas(areas) = &o.shape else { continue };
            let (true, Some(need)) = (within(&areas[found.data.1 as usize], p), needs.get(&(piece.kind, o.row))) else { continue };
            let uncertainty_m = coverage * f64::from(piece.accuracy_m);
            let gap_m = -piece.body.half_m[0];
            let verdict = Verdict::Violation;
            let (pipe, obstacle, relation) = (piece.pipe, found.data.0, Relation::Beside);
            out.push(Near { pipe, obstacle, relation, verdict, gap_m, uncertainty_m, need: need.clone(), connection: [at, at] });
        }
        out
    };
    all.pieces.par_iter().flat_map_iter(one).collect()
}

/// What table 4.1.9 asks of a kind beside a thing that is no pipe. Railways are taken as electrified for power cables: the layer
/// does not say.
fn plan_need(kind: &Kind, row: Row) -> Option<Need> {
    let mut need = rules().clearance_in_plan(kind, &Kind::of_row(row))?;
    if row == Row::Rail && kind.class == Some(crate::pipe::Class::Dl) {
        need.least_m = need.least_m.min(rules().value("clearance-rail-power-plain"));
        need.rule.note = "3.0 m beside a railway that is not electrified".into();
    }
    Some(need)
}
