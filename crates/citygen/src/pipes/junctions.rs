//! Where the lines of a class meet.
//!
//! In a street a class keeps its place beside the axis; where streets meet it has one point, the place nearest to all its
//! lines there. Where no point is near to all of them, the two streets that go on into one another meet and the others
//! join one of the two by a tee. Junctions so near to one another that a line between them would run backwards are one.

use super::{KINDS, Kind, used};
use crate::{plan::Plan, plane::*};
use std::collections::HashSet;

/// A street from junction to junction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub edge: u32,
    /// In the sense of the edge.
    pub ends: [usize; 2],
    /// The rest of a street between a tee and its junction.
    pub stub: bool,
}

impl Run {
    pub fn other(&self, end: usize) -> usize {
        if self.ends[0] == end { self.ends[1] } else { self.ends[0] }
    }
}

pub(super) struct Junctions {
    /// By node of the plan, then tees; only those of nodes that stand for a junction are used.
    pub at: Vec<P2>,
    pub runs: Vec<Run>,
    /// Runs of each place.
    pub star: Vec<Vec<usize>>,
    /// The junction of each place.
    pub home: Vec<usize>,
}

/// A shorter piece between two junctions is none.
const SHORTEST_M: f64 = 4.0;
/// No line leaves its place in the street by more for the sake of a common point.
const SKEW_M: f64 = 0.15;
/// A tee lies no nearer to its junction or the next one: large drains need room for their wells.
fn tee_m(kind: &Kind) -> f64 {
    match kind.letters {
        "YS" => 3.0,
        "WS" => 1.2,
        "RLG" | "RLH" => 1.0,
        _ => 0.4,
    }
}
/// Nor farther away.
const FARTHEST_M: f64 = 40.0;

impl Junctions {
    pub fn new(plan: &Plan, kind: &Kind) -> Self {
        let g = &plan.graph;
        let edges: Vec<u32> = (0..g.edges.len() as u32).filter(|&e| used(plan, kind, e)).collect();
        let mut of: Vec<usize> = (0..g.nodes.len()).collect();
        // All lines of a class share their junctions, so that none of a pair goes another way.
        let lines = || KINDS.iter().filter(|k| k.class == kind.class);
        loop {
            let mut merged = false;
            for line in lines() {
                let at = meetings(plan, line, &edges, &of);
                for &e in &edges {
                    let edge = g.edges[e as usize];
                    let (a, b) = (root(&mut of, edge.a as usize), root(&mut of, edge.b as usize));
                    let (p, q) = g.ends(e);
                    if a != b && dot(sub(at[b], at[a]), unit(sub(q, p))) < SHORTEST_M {
                        of[a.max(b)] = a.min(b);
                        merged = true;
                    }
                }
            }
            (0..of.len()).for_each(|n| of[n] = root(&mut of, n));
            if !merged {
                break;
            }
        }
        let at = meetings(plan, kind, &edges, &of);
        let (mut runs, mut laid) = (Vec::new(), HashSet::new());
        for edge in edges {
            let ends = [g.edges[edge as usize].a, g.edges[edge as usize].b].map(|n| of[n as usize]);
            // Two streets between the same junctions would have one line on another.
            if ends[0] != ends[1] && laid.insert([ends[0].min(ends[1]), ends[0].max(ends[1])]) {
                runs.push(Run { edge, ends, stub: false });
            }
        }
        let mut out = Self { star: stars(&runs, at.len()), home: (0..at.len()).collect(), at, runs };
        (0..g.nodes.len()).for_each(|n| out.part(plan, kind, n));
        out.star = stars(&out.runs, out.at.len());
        out
    }

    /// Gives the streets at a junction places of their own where they have no common one.
    fn part(&mut self, plan: &Plan, kind: &Kind, n: usize) {
        let star = self.star[n].clone();
        let lines: Vec<Line> = star.iter().map(|&r| line(plan, kind, &self.runs[r], n)).collect();
        let skew = |l: &Line| (dot(l.side, sub(self.at[n], l.from)) - l.off).abs();
        if star.len() < 3 || lines.iter().all(|l| skew(l) < SKEW_M) {
            return;
        }
        let mut pairs: Vec<[usize; 2]> = (0..star.len()).flat_map(|i| (0..i).map(move |j| [i, j])).collect();
        let straight = |p: &[usize; 2]| dot(lines[p[0]].away, lines[p[1]].away);
        pairs.sort_by(|p, q| straight(p).total_cmp(&straight(q)));
        // One point after all, where lines would cross that do not meet.
        let _ = pairs.into_iter().any(|through| self.tee(kind, n, &star, &lines, through));
    }

    /// Lets two streets at a junction meet and the others join them. Undone where lines cross that do not meet.
    fn tee(&mut self, kind: &Kind, n: usize, star: &[usize], lines: &[Line], through: [usize; 2]) -> bool {
        let before = (self.at[n], self.at.len(), self.runs.len(), star.iter().map(|&r| self.runs[r].ends).collect::<Vec<_>>());
        let mut sums = [HELD, 0.0, HELD, 0.0, 0.0];
        through.iter().for_each(|&i| lines[i].add_to(&mut sums, self.at[n]));
        self.at[n] = add(self.at[n], solved(&sums));
        // Where each of the others first meets one of the two: so far along the first, or with a minus along the second.
        let mut tees: Vec<(f64, usize)> = Vec::new();
        for c in (0..star.len()).filter(|c| !through.contains(c)) {
            let own = &lines[c];
            let start = along(own.from, own.side, own.off);
            let hit = |(&x, sign): (&usize, f64)| {
                let det = cross(own.away, lines[x].away);
                let gap = sub(self.at[n], start);
                let (u, s) = (cross(gap, lines[x].away) / det, cross(gap, own.away) / det);
                (det.abs() > 0.1 && s > -0.01).then_some((u, s * sign))
            };
            tees.extend(through.iter().zip([1.0, -1.0]).filter_map(hit).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, s)| (s, c)));
        }
        // Two that go on into one another meet at one place.
        for i in 1..tees.len() {
            if let Some(j) = (0..i).find(|&j| dot(lines[tees[i].1].away, lines[tees[j].1].away) < -0.9) {
                let middle = (tees[i].0 + tees[j].0) / 2.0;
                (tees[i].0, tees[j].0) = (middle, middle);
            }
        }
        tees.sort_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        let mut last = [(0.0, n); 2];
        for (s, c) in tees {
            let (side, s) = (usize::from(s < 0.0), s.abs());
            let main = star[through[side]];
            if s > FARTHEST_M.min(self.length(&self.runs[main]) * 0.9) {
                continue;
            }
            if s - last[side].0 >= tee_m(kind) {
                let place = self.at.len();
                self.at.push(along(self.at[n], lines[through[side]].away, s));
                self.home.push(n);
                let run = &mut self.runs[main];
                let first = run.ends[0] == last[side].1;
                run.ends[usize::from(!first)] = place;
                let (edge, nearer) = (run.edge, last[side].1);
                self.runs.push(Run { edge, ends: if first { [nearer, place] } else { [place, nearer] }, stub: true });
                last[side] = (s, place);
            }
            let end = usize::from(self.runs[star[c]].ends[1] == n);
            self.runs[star[c]].ends[end] = last[side].1;
        }
        let own: Vec<&Run> = star.iter().map(|&r| &self.runs[r]).chain(&self.runs[before.2..]).collect();
        let crossed = |a: &Run, b: &Run| {
            let [p, q] = [a, b].map(|r| r.ends.map(|e| self.at[e]));
            !a.ends.iter().any(|e| b.ends.contains(e)) && crosses(p[0], p[1], q[0], q[1])
        };
        let sound = !(0..own.len()).any(|i| (0..i).any(|j| crossed(own[i], own[j])));
        if !sound {
            self.at[n] = before.0;
            self.at.truncate(before.1);
            self.home.truncate(before.1);
            self.runs.truncate(before.2);
            star.iter().zip(before.3).for_each(|(&r, ends)| self.runs[r].ends = ends);
        }
        sound
    }

    pub fn length(&self, run: &Run) -> f64 {
        dist(self.at[run.ends[0]], self.at[run.ends[1]])
    }
}

fn root(of: &mut [usize], mut n: usize) -> usize {
    while of[n] != n {
        of[n] = of[of[n]];
        n = of[n];
    }
    n
}

fn stars(runs: &[Run], places: usize) -> Vec<Vec<usize>> {
    let mut star = vec![Vec::new(); places];
    runs.iter().enumerate().for_each(|(r, run)| run.ends.iter().for_each(|&n| star[n].push(r)));
    star
}

/// The line of a class in a street: so far to the side of a point of the axis.
struct Line {
    from: P2,
    /// Along the street, away from the junction.
    away: P2,
    side: P2,
    off: f64,
}

fn line(plan: &Plan, kind: &Kind, run: &Run, at: usize) -> Line {
    let (a, b) = plan.graph.ends(run.edge);
    let sense = unit(sub(b, a));
    let (from, away) = if run.ends[0] == at { (a, sense) } else { (b, [-sense[0], -sense[1]]) };
    let side = left(sense);
    let side = if plan.against[run.edge as usize] { [-side[0], -side[1]] } else { side };
    Line { from, away, side, off: plan.road(run.edge).map_or(0.0, |r| kind.beside_m(r)) }
}

/// How firmly a meeting is held near the middle of its junction, against the firmness of one line.
const HELD: f64 = 0.01;

impl Line {
    /// Normal matrix (xx, xy, yy) and right side, relative to a place.
    fn add_to(&self, sums: &mut [f64; 5], place: P2) {
        let (side, off) = (self.side, self.off + dot(self.side, sub(self.from, place)));
        let own = [side[0] * side[0], side[0] * side[1], side[1] * side[1], side[0] * off, side[1] * off];
        sums.iter_mut().zip(own).for_each(|(s, a)| *s += a);
    }
}

fn solved(s: &[f64; 5]) -> P2 {
    let det = s[0] * s[2] - s[1] * s[1];
    [(s[3] * s[2] - s[4] * s[1]) / det, (s[4] * s[0] - s[3] * s[1]) / det]
}

/// Least squares over the lines that leave each junction, held near its middle.
fn meetings(plan: &Plan, kind: &Kind, edges: &[u32], of: &[usize]) -> Vec<P2> {
    let g = &plan.graph;
    let mut middle = vec![([0.0; 2], 0.0); of.len()];
    for (n, &p) in g.nodes.iter().enumerate() {
        let m = &mut middle[of[n]];
        *m = (add(m.0, p), m.1 + 1.0);
    }
    let middle: Vec<P2> = middle.into_iter().map(|(sum, n)| if n > 0.0 { [sum[0] / n, sum[1] / n] } else { sum }).collect();
    let mut sums = vec![[HELD, 0.0, HELD, 0.0, 0.0]; of.len()];
    for &edge in edges {
        let ends = [g.edges[edge as usize].a, g.edges[edge as usize].b].map(|n| of[n as usize]);
        if ends[0] != ends[1] {
            let run = Run { edge, ends, stub: false };
            ends.iter().for_each(|&n| line(plan, kind, &run, n).add_to(&mut sums[n], middle[n]));
        }
    }
    sums.iter().zip(&middle).map(|(s, m)| add(*m, solved(s))).collect()
}
