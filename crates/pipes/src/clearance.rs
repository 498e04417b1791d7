//! 净距: are pipes far enough from one another, and from what stands above?
//!
//! Every two straight pieces that come near are told apart by their plan:
//!
//! - **crossing**: their outlines overlap in plan and they meet at 30° or more, or their axes cross. The clear height is
//!   the exact distance of the outer faces in space (GB 50289-2016 table 4.1.14);
//! - **parallel** (under 30°) or **beside** (end on, oblique): the distance of the outlines in plan (table 4.1.9);
//! - **stacked**: parallel, and one above the other.
//!
//! Outlines in plan have rounded ends. Pieces of one class that share a point, a point number, or a piece shorter than the
//! asked distance are joined and no conflict; an oblique piece whose nearest end goes on into one that crosses the other
//! pipe is judged there. Frame: the working frame, m. Pieces with a number that is not finite or no size are left out and counted.

mod answer;
mod body;
mod join;
pub mod obstacles;

pub use answer::CLEARANCE;
pub(crate) use answer::{finding_json, near_json, slant_json};
pub use body::{Body, Gap, gap, nearest_in_plan, nearest_of_segments};
pub use join::Plan;

use body::{add, lerp, norm, scale, sub};

use crate::{
    pipe::{Class, Pipe, Section},
    rules::{Kind, Need, Rule, Verdict, judge, rules},
};
use rayon::prelude::*;
use serde::Serialize;
use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicUsize, Ordering},
};
use strata_model::Point3;

/// One straight piece of a pipe, ready for the join.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    pub body: Body,
    /// Number of its pipe in the list that it was made from.
    pub pipe: u32,
    /// Number of its kind in [`Pieces::kinds`].
    pub kind: u16,
    /// Plan accuracy (RMSE), m.
    pub accuracy_m: f32,
    /// Identity of its two ends: by place and class, and by point number (0: none).
    pub ends: [u64; 2],
    pub names: [u64; 2],
}

/// Pieces of a list of pipes.
#[derive(Debug, Default, Clone)]
pub struct Pieces {
    pub pieces: Vec<Piece>,
    pub kinds: Vec<Kind>,
    /// Pipes or parts with a number that is not finite, or no size.
    pub left_out: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    Crossing,
    Parallel,
    Beside,
    Stacked,
}

/// One pair of pipes that is not sound (or every judged pair when asked for), at its worst place.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Numbers of the pipes, `a` before `b`.
    pub a: u32,
    pub b: u32,
    pub relation: Relation,
    pub verdict: Verdict,
    /// What the clause measures: in plan, or at a crossing in space.
    pub gap_m: f64,
    /// Outer faces in space.
    pub distance_m: f64,
    /// Angle in plan, 0 to 90°; `None` for what stands upright.
    pub angle_deg: Option<f64>,
    pub uncertainty_m: f64,
    /// `None`: no clause asks anything of the pair.
    pub need: Option<Need>,
    /// Shortest connection of the outer faces as the clause measures it.
    pub connection: [Point3; 2],
}

impl Finding {
    /// What is missing to the asked distance, m; negative when there is more.
    pub fn short_m(&self) -> f64 {
        self.need.as_ref().map_or(0.0, |n| n.most_m) - self.gap_m
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Uncertainty as a multiple of the combined RMSE; 0: the measured values alone.
    pub coverage: f64,
    /// Sound pairs within reach of a rule too.
    pub keep_sound: bool,
    /// More findings than this are an error.
    pub most_findings: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { coverage: rules().value("survey-coverage"), keep_sound: false, most_findings: 2_000_000 }
    }
}

/// More pairs than the answer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {most} pairs are too near; ask for a smaller area")]
pub struct TooMany {
    pub most: usize,
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A place in plan, to the centimetre, within a class.
fn place_key(class: Class, p: Point3) -> u64 {
    let at = |k: usize| (p[k] * 100.0).round() as i64 as u64;
    mix(mix(at(0) ^ (class as u64 + 1) << 56).wrapping_add(at(1))) | 1
}

fn name_key(class: Class, name: Option<&str>) -> u64 {
    let Some(name) = name else { return 0 };
    name.bytes().fold(mix(class as u64 + 99), |h, b| mix(h ^ u64::from(b))) | 1
}

/// Identities of a pipe's start and end: by place and class, and by point number (0: none). Pipes that share one meet there.
pub(crate) fn end_keys(p: &Pipe) -> [[u64; 2]; 2] {
    let place = |at: Option<&Point3>| at.map_or(0, |a| place_key(p.class, *a));
    [
        [place(p.axis.first()), name_key(p.class, p.start_point.as_deref())],
        [place(p.axis.last()), name_key(p.class, p.end_point.as_deref())],
    ]
}

impl Pieces {
    pub fn new(pipes: &[Pipe]) -> Self {
        let mut out = Self::default();
        out.add(pipes.iter(), |_| None);
        out
    }

    /// Adds pipes after those that are there; `accuracy` overrules the surveyed one (0 for what is only planned).
    pub fn add<'a>(&mut self, pipes: impl Iterator<Item = &'a Pipe>, accuracy: impl Fn(&Pipe) -> Option<f64>) {
        let assumed = rules().value("survey-plan-accuracy");
        let mut known: HashMap<Kind, u16> = self.kinds.iter().enumerate().map(|(i, k)| (*k, i as u16)).collect();
        let first = self.pieces.last().map_or(0, |p| p.pipe + 1);
        for (n, p) in pipes.enumerate() {
            let kind = Kind::of_pipe(p);
            let next = self.kinds.len() as u16;
            let kind = *known.entry(kind).or_insert_with(|| {
                self.kinds.push(kind);
                next
            });
            let (half_m, round) = match p.section {
                Section::Round { outer_diameter_m: d } => ([d / 2.0; 2], true),
                Section::Rect { width_m, height_m } => ([width_m / 2.0, height_m / 2.0], false),
            };
            if !half_m.iter().all(|h| h.is_finite() && *h > 0.0) {
                self.left_out += 1;
                continue;
            }
            let accuracy_m = accuracy(p).or(p.accuracy_m).filter(|a| a.is_finite() && *a >= 0.0).unwrap_or(assumed) as f32;
            let last = p.axis.len().saturating_sub(2);
            for (i, w) in p.axis.windows(2).enumerate() {
                if !w.iter().flatten().all(|v| v.is_finite()) {
                    self.left_out += 1;
                    continue;
                }
                let name = |end: bool, name: &Option<String>| if end { name_key(p.class, name.as_deref()) } else { 0 };
                self.pieces.push(Piece {
                    body: Body { axis: [w[0], w[1]], half_m, round },
                    pipe: first + n as u32,
                    kind,
                    accuracy_m,
                    ends: [place_key(p.class, w[0]), place_key(p.class, w[1])],
                    names: [name(i == 0, &p.start_point), name(i == last, &p.end_point)],
                });
            }
        }
    }
}

/// What the rules ask of two kinds, looked up once.
struct Pair {
    plan: Option<Need>,
    /// With the first above the second.
    crossing: Option<Need>,
    plan_m: f64,
}

/// What the rules ask of every two kinds of some pieces.
pub struct Table {
    pairs: Vec<Pair>,
    n: usize,
    /// For each kind, the farthest that any pair asks in plan.
    reach_m: Vec<f64>,
}

impl Table {
    pub fn new(kinds: &[Kind]) -> Self {
        let n = kinds.len();
        let mut pairs = Vec::with_capacity(n * n);
        for a in kinds {
            for b in kinds {
                let plan = rules().clearance_in_plan(a, b);
                let plan_m = plan.as_ref().map_or(0.0, |p| p.most_m);
                pairs.push(Pair { plan, crossing: rules().clearance_at_crossing(a, b), plan_m });
            }
        }
        let reach_m = (0..n).map(|i| pairs[i * n..(i + 1) * n].iter().map(|p| p.plan_m).fold(0.0, f64::max)).collect();
        Self { pairs, n, reach_m }
    }
    fn at(&self, a: u16, b: u16) -> &Pair {
        &self.pairs[a as usize * self.n + b as usize]
    }
}

/// A pair of pieces that is not sound, before it is written out.
#[derive(Debug, Clone, Copy)]
struct Hit {
    /// Numbers of the pieces.
    i: u32,
    j: u32,
    relation: Relation,
    verdict: Verdict,
    gap_m: f64,
    short_m: f64,
    /// Identity of the end of each that the nearest point is (0: inside).
    near: [u64; 2],
}

struct Judge<'a> {
    pieces: &'a [Piece],
    table: &'a Table,
    options: Options,
    parallel_cos: f64,
    height_share: f64,
}

impl<'a> Judge<'a> {
    fn new(all: &'a Pieces, table: &'a Table, options: Options) -> Self {
        Self {
            pieces: &all.pieces,
            table,
            options,
            parallel_cos: rules().value("parallel-angle").to_radians().cos(),
            height_share: rules().value("survey-height-share"),
        }
    }
    fn uncertainty_m(&self, p: &Piece, q: &Piece) -> f64 {
        self.options.coverage * f64::from(p.accuracy_m).hypot(f64::from(q.accuracy_m))
    }
    /// Is one above the other at their nearest places in plan? The upper one's kind comes first.
    fn crossing_need(&self, p: &Piece, q: &Piece, zs: [f64; 2]) -> Option<&Need> {
        let pair = if zs[0] >= zs[1] { self.table.at(p.kind, q.kind) } else { self.table.at(q.kind, p.kind) };
        pair.crossing.as_ref()
    }

    #[inline]
    fn judge(&self, i: u32, j: u32) -> Option<Hit> {
        let (p, q) = (&self.pieces[i as usize], &self.pieces[j as usize]);
        let u = self.uncertainty_m(p, q);
        let pair = self.table.at(p.kind, q.kind);
        let (between, s, t) = nearest_in_plan(p.body.axis, q.body.axis);
        let plan_gap = between - p.body.half_m[0] - q.body.half_m[0];
        if plan_gap > pair.plan_m + u {
            return None;
        }
        if joined(p, q) {
            return None;
        }
        let cos = match (p.body.plan_direction(), q.body.plan_direction()) {
            (Some(a), Some(b)) => (a[0] * b[0] + a[1] * b[1]).abs(),
            _ => 0.0,
        };
        let end = |piece: &Piece, t: f64| match t {
            t if t <= 0.0 => piece.ends[0],
            t if t >= 1.0 => piece.ends[1],
            _ => 0,
        };
        let near = [end(p, s), end(q, t)];
        let inside = near == [0, 0] && between == 0.0;
        let near_parallel = cos > self.parallel_cos;
        let hit = |relation, verdict, gap_m: f64, need: Option<&Need>| {
            let short_m = need.map_or(0.0, |n| n.most_m) - gap_m;
            let kept = verdict != Verdict::Sound || self.options.keep_sound;
            kept.then_some(Hit { i, j, relation, verdict, gap_m, short_m, near })
        };
        if plan_gap > 0.0 {
            let relation = if near_parallel { Relation::Parallel } else { Relation::Beside };
            return hit(relation, judge(plan_gap, pair.plan.as_ref(), u), plan_gap, pair.plan.as_ref());
        }
        let zs = [lerp(p.body.axis[0], p.body.axis[1], s)[2], lerp(q.body.axis[0], q.body.axis[1], t)[2]];
        let need = self.crossing_need(p, q, zs);
        let u_height = u * self.height_share;
        let stacked = near_parallel && !inside;
        if !stacked && !self.options.keep_sound {
            // Far above one another needs no exact answer.
            let bound = nearest_of_segments(p.body.axis, q.body.axis).0 - p.body.outer_radius_m() - q.body.outer_radius_m();
            if bound > need.map_or(0.0, |n| n.most_m) + u_height {
                return None;
            }
        }
        let in_space = gap(&p.body, &q.body).gap_m;
        let verdict = judge(in_space, need, u_height);
        if stacked {
            // One above the other along its length; "shall not" without a number.
            return hit(Relation::Stacked, verdict.min(Verdict::Exception), in_space, need);
        }
        hit(Relation::Crossing, verdict, in_space, need)
    }

    fn finding(&self, h: &Hit) -> Finding {
        let (mut p, mut q) = (&self.pieces[h.i as usize], &self.pieces[h.j as usize]);
        if p.pipe > q.pipe {
            (p, q) = (q, p);
        }
        let space = gap(&p.body, &q.body);
        let (between, s, t) = nearest_in_plan(p.body.axis, q.body.axis);
        let (mut x, mut y) = (lerp(p.body.axis[0], p.body.axis[1], s), lerp(q.body.axis[0], q.body.axis[1], t));
        let zs = [x[2], y[2]];
        let u = self.uncertainty_m(p, q);
        let angle = match (p.body.plan_direction(), q.body.plan_direction()) {
            (Some(a), Some(b)) => Some((a[0] * b[0] + a[1] * b[1]).abs().min(1.0).acos().to_degrees()),
            _ => None,
        };
        let in_plan = matches!(h.relation, Relation::Parallel | Relation::Beside);
        let need = if in_plan { self.table.at(p.kind, q.kind).plan.as_ref() } else { self.crossing_need(p, q, zs) };
        let connection = if in_plan && between > 0.0 {
            let way = [(y[0] - x[0]) / between, (y[1] - x[1]) / between, 0.0];
            x = add(x, scale(way, p.body.half_m[0]));
            y = sub(y, scale(way, q.body.half_m[0]));
            [x, y]
        } else {
            space.ends
        };
        Finding {
            a: p.pipe,
            b: q.pipe,
            relation: h.relation,
            verdict: h.verdict,
            gap_m: h.gap_m,
            distance_m: space.gap_m,
            angle_deg: angle,
            uncertainty_m: if in_plan { u } else { u * self.height_share },
            need: need.cloned(),
            connection,
        }
    }
}

/// One pipe, or two that meet at a point.
fn joined(p: &Piece, q: &Piece) -> bool {
    let share = |a: [u64; 2], b: [u64; 2]| a.iter().any(|x| *x != 0 && b.contains(x));
    share(p.ends, q.ends) || share(p.names, q.names)
}

/// Which pieces end at which point, by place.
struct Ends(Vec<(u64, u32)>);

impl Ends {
    /// Of the points that the pieces of the hits touch.
    fn new(pieces: &[Piece], hits: &[Hit]) -> Self {
        let mut asked: Vec<u64> = hits.par_iter().flat_map_iter(|h| [h.i, h.j].into_iter().flat_map(|i| pieces[i as usize].ends)).collect();
        asked.par_sort_unstable();
        asked.dedup();
        // A small filter first: most points of a large city are in no hit.
        let bits = (asked.len() * 16).next_power_of_two();
        let mut filter = vec![0u64; bits.div_ceil(64)];
        asked.iter().map(|e| *e as usize & (bits - 1)).for_each(|b| filter[b / 64] |= 1 << (b % 64));
        let known = |e: u64| {
            let b = e as usize & (bits - 1);
            filter[b / 64] >> (b % 64) & 1 == 1 && asked.binary_search(&e).is_ok()
        };
        let of = |(i, p): (usize, &Piece)| p.ends.into_iter().filter(|e| known(*e)).map(move |e| (e, i as u32)).collect::<Vec<_>>();
        let mut all: Vec<(u64, u32)> = pieces.par_iter().enumerate().flat_map_iter(of).collect();
        all.par_sort_unstable();
        Self(all)
    }
    fn at(&self, end: u64) -> impl Iterator<Item = u32> + '_ {
        let from = self.0.partition_point(|e| e.0 < end);
        self.0[from..].iter().take_while(move |e| e.0 == end).map(|e| e.1)
    }
}

/// Every pair of pipes that is short of a rule, clashes, or cannot be decided, the worst place of each pair and relation.
/// With `chosen`, only pairs with a chosen pipe. The worst first.
pub fn clearances(all: &Pieces, chosen: Option<&HashSet<u32>>, options: Options) -> Result<Vec<Finding>, TooMany> {
    clearances_by(all, &Table::new(&all.kinds), chosen, options)
}

/// [`clearances`] with a table made before, of the same kinds.
pub fn clearances_by(all: &Pieces, table: &Table, chosen: Option<&HashSet<u32>>, options: Options) -> Result<Vec<Finding>, TooMany> {
    let judge = Judge::new(all, table, options);
    let pieces = &all.pieces;
    let found = AtomicUsize::new(0);
    let counted = |hit: Option<Hit>| {
        if hit.is_some() {
            found.fetch_add(1, Ordering::Relaxed);
        }
        hit
    };
    let worst_accuracy = pieces.par_iter().map(|p| f64::from(p.accuracy_m)).reduce(|| 0.0, f64::max);
    let mut boxes: Vec<[f64; 4]> = pieces.par_iter().map(|p| p.body.plan_box()).collect();
    let grow = |i: u32| {
        let p = &pieces[i as usize];
        judge.table.reach_m[p.kind as usize] + options.coverage * f64::from(p.accuracy_m).hypot(worst_accuracy)
    };
    let full = || found.load(Ordering::Relaxed) > options.most_findings;
    let hits: Vec<Hit> = match chosen {
        None => Plan::new(&boxes).pairs(grow, |i, j| {
            if pieces[i as usize].pipe == pieces[j as usize].pipe || full() { None } else { counted(judge.judge(i, j)) }
        }),
        Some(chosen) => {
            let own = |i: &u32| chosen.contains(&pieces[*i as usize].pipe);
            let windows: Vec<(u32, [f64; 4])> = (0..pieces.len() as u32)
                .filter(own)
                .map(|i| {
                    let (b, g) = (boxes[i as usize], grow(i));
                    (i, [b[0] - g, b[1] - g, b[2] + g, b[3] + g])
                })
                .collect();
            // Only what lies around the chosen ones is sorted.
            let around = join::merged(&windows.iter().map(|w| w.1).collect::<Vec<_>>());
            boxes.par_iter_mut().filter(|b| !join::meets(b, &around)).for_each(|b| b[0] = f64::NAN);
            let plan = Plan::new(&boxes);
            let mut out = Vec::new();
            for (i, window) in windows {
                plan.within(&window, &mut |j| {
                    let other = pieces[j as usize].pipe != pieces[i as usize].pipe;
                    // Two chosen ones are looked at once.
                    if other && (i < j || !own(&j)) && !full() {
                        out.extend(counted(judge.judge(i, j)));
                    }
                });
            }
            out
        }
    };
    if full() {
        return Err(TooMany { most: options.most_findings });
    }
    Ok(worst_of_pairs(&judge, sift(&judge, hits)))
}

/// Leaves out what is joined through a short piece, and what is judged at a crossing next door.
fn sift(judge: &Judge, hits: Vec<Hit>) -> Vec<Hit> {
    if hits.is_empty() {
        return hits;
    }
    let pieces = judge.pieces;
    let ends = Ends::new(pieces, &hits);
    let key = |i: u32, j: u32| (i.min(j), i.max(j));
    let linked = |h: &Hit| {
        let (p, q) = (&pieces[h.i as usize], &pieces[h.j as usize]);
        judge.table.n > 0
            && p.ends.iter().any(|end| {
                ends.at(*end).any(|k| {
                    let via = &pieces[k as usize];
                    let short = norm(sub(via.body.axis[1], via.body.axis[0])) <= judge.table.at(p.kind, q.kind).plan_m.max(1.0);
                    k != h.i && short && via.ends.iter().any(|e| e != end && q.ends.contains(e))
                })
            })
    };
    // Whether two pieces' axes cross in plan, wherever they came from.
    let crosses = |i: u32, j: u32| nearest_in_plan(pieces[i as usize].body.axis, pieces[j as usize].body.axis).0 == 0.0;
    let next_door = |h: &Hit| {
        let around = |own: u32, near: u64| -> Vec<u32> { if near == 0 { vec![own] } else { ends.at(near).collect() } };
        let (a, b) = (around(h.i, h.near[0]), around(h.j, h.near[1]));
        // Many pipes at one point: the crossing of any two of a few says enough.
        a.iter().take(16).any(|x| b.iter().take(16).any(|y| key(*x, *y) != key(h.i, h.j) && crosses(*x, *y)))
    };
    hits.into_par_iter().filter(|h| !(linked(h) || h.relation == Relation::Beside && next_door(h))).collect()
}

fn worst_of_pairs(judge: &Judge, hits: Vec<Hit>) -> Vec<Finding> {
    let mut keyed: Vec<((u32, u32, Relation), Hit)> = hits
        .into_par_iter()
        .map(|h| {
            let (a, b) = (judge.pieces[h.i as usize].pipe, judge.pieces[h.j as usize].pipe);
            ((a.min(b), a.max(b), h.relation), h)
        })
        .collect();
    let worse = |a: &Hit, b: &Hit| a.verdict.cmp(&b.verdict).then(b.short_m.total_cmp(&a.short_m)).then((a.i, a.j).cmp(&(b.i, b.j)));
    keyed.par_sort_unstable_by(|x, y| x.0.cmp(&y.0).then_with(|| worse(&x.1, &y.1)));
    keyed.dedup_by_key(|k| k.0);
    keyed.par_sort_unstable_by(|x, y| worse(&x.1, &y.1));
    keyed.par_iter().map(|k| judge.finding(&k.1)).collect()
}

/// Every two bodies whose outer faces are nearer than `margin_m` in space, with their distance (negative: into one
/// another), in no order: collision alone, without classes and rules.
pub fn near_pairs(bodies: &[Body], margin_m: f64) -> Vec<(u32, u32, f64)> {
    let boxes: Vec<[f64; 4]> = bodies
        .par_iter()
        .map(|b| {
            let grown = b.outer_radius_m() - b.half_m[0];
            let [e0, n0, e1, n1] = b.plan_box();
            [e0 - grown, n0 - grown, e1 + grown, n1 + grown]
        })
        .collect();
    let heights: Vec<[f64; 2]> = bodies
        .par_iter()
        .map(|b| {
            let r = b.outer_radius_m();
            [b.axis[0][2].min(b.axis[1][2]) - r, b.axis[0][2].max(b.axis[1][2]) + r]
        })
        .collect();
    Plan::new(&boxes).pairs(
        |_| margin_m,
        |i, j| {
            let (a, b) = (heights[i as usize], heights[j as usize]);
            if a[0] > b[1] + margin_m || b[0] > a[1] + margin_m {
                return None;
            }
            let d = gap(&bodies[i as usize], &bodies[j as usize]).gap_m;
            (d < margin_m).then_some((i.min(j), i.max(j), d))
        },
    )
}

/// The rule against pipes that lie above one another along their length.
pub fn stacking_rule() -> Option<&'static Rule> {
    rules().named("no-stacking")
}

#[cfg(test)]
mod tests;
