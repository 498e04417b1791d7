//! 关阀 which valves shut a place off, who loses supply with it, and what else could feed them.

use crate::{
    network::NONE,
    segments::{MANY, Marks, Segments, Touch},
};
use std::collections::HashSet;

/// What it takes to shut a place off. Valves are indices into [`Segments::valves`].
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Isolation {
    /// What is shut off on purpose: the segment of the place, and those that stuck valves join to it.
    pub shut: Vec<u32>,
    /// The smallest set: each has water behind it. In no order yet.
    pub close: Vec<u32>,
    /// At the border too, but behind them nothing is fed any more: closing them only keeps what stands in the pipes.
    pub dry: Vec<u32>,
    /// At the border, and closed as they are.
    pub closed: Vec<u32>,
    /// Stuck ones that were passed over, so that the next ring was needed.
    pub passed: Vec<u32>,
    /// Parts that were fed and are no more, though nobody wanted to shut them. In no order.
    pub cut_off: Vec<u32>,
    /// Closed valves that would feed a part that is cut off, when opened.
    pub other_supply: Vec<u32>,
    /// Sources inside of what is shut.
    pub sources: u32,
    /// Something fed the place before.
    pub fed: bool,
}

/// Marks of a segment during an isolation: shut, and whether something feeds it still, once a search has told.
const INSIDE: u32 = 1;
const FED: u32 = 2;
const UNFED: u32 = 4;
/// Of a valve: looked at, closed for it, does not turn, told as another supply.
const LOOKED: u32 = 1;
const SHUT: u32 = 2;
const STUCK: u32 = 4;
const TOLD: u32 = 8;

impl Segments {
    /// Shuts off the segments (several where a valve itself broke). `stuck`: valves that do not turn.
    pub fn isolate(&self, at: &[u32], stuck: &HashSet<u32>) -> Isolation {
        let spare = || self.spare.lock().unwrap_or_else(|e| e.into_inner());
        let taken = spare().pop();
        let mut marks = taken.unwrap_or_else(|| Marks::new(self.count + self.valves.len()));
        let out = self.isolate_with(&mut marks, at, stuck);
        marks.clear();
        spare().push(marks);
        out
    }

    fn isolate_with(&self, marks: &mut Marks, at: &[u32], stuck: &HashSet<u32>) -> Isolation {
        let valve = |v: u32| self.count + v as usize;
        stuck.iter().filter(|v| (**v as usize) < self.valves.len()).for_each(|v| {
            marks.set(valve(*v), STUCK);
        });
        let mut out = Isolation { fed: at.iter().any(|s| self.is_fed(*s)), ..Isolation::default() };
        at.iter().for_each(|s| {
            if marks.set(*s as usize, INSIDE) {
                out.shut.push(*s);
            }
        });
        // Which valves may be stuck, by the lowest bits of their numbers.
        let maybe_stuck = stuck.iter().fold(0u64, |m, v| m | 1 << (v % 64));
        let (mut open, mut done): (Vec<Touch>, usize) = (Vec::new(), 0);
        while let Some(&s) = out.shut.get(done) {
            done += 1;
            out.sources += self.sources[s as usize];
            for t in self.touches(s) {
                let v = valve(t.valve);
                let stays = !t.closed && maybe_stuck >> (t.valve % 64) & 1 == 1 && marks.has(v, STUCK);
                // One with the same part on all sides parts nothing; one with two is met once, or lies inside.
                match t.other {
                    NONE if !stays => {}
                    MANY if !marks.set(v, LOOKED) => {}
                    _ if !stays => open.push(*t),
                    _ if t.other == MANY || marks.set(v, LOOKED) => {
                        out.passed.push(t.valve);
                        out.shut.extend(self.sides(t.valve).iter().copied().filter(|s| marks.set(*s as usize, INSIDE)));
                    }
                    _ => {}
                }
            }
        }
        open.retain(|t| {
            let outside = match t.other {
                MANY => self.sides(t.valve).iter().any(|s| !marks.has(*s as usize, INSIDE)),
                o => !marks.has(o as usize, INSIDE),
            };
            if outside && t.closed {
                out.closed.push(t.valve);
            }
            outside && !t.closed
        });
        // What hangs on a valve between two parts hangs on both, so on the one inside; a search comes past it to the inside.
        let many: Vec<u32> = open.iter().filter(|t| t.other == MANY).map(|t| t.valve).collect();
        many.iter().for_each(|v| {
            marks.set(valve(*v), SHUT);
        });
        let hung_on = |range: &dyn Fn(u32) -> [u32; 2]| {
            let valves = many.iter().map(|v| self.count as u32 + v);
            outer(out.shut.iter().copied().chain(valves).map(range).collect())
        };
        let hung = [0, 1].map(|k| hung_on(&|i| self.ranges(i)[k]));
        let gone = hung_on(&|i| self.alone(i));
        let mut supply = Supply { segments: self, marks, hung, gone, lost: Vec::new(), group: Vec::new() };
        for t in &open {
            let mut fed = false;
            match t.other {
                MANY => self.sides(t.valve).iter().for_each(|s| fed |= supply.is_fed(*s)),
                o => fed = supply.is_fed(o),
            }
            if fed { out.close.push(t.valve) } else { out.dry.push(t.valve) }
        }
        // What hangs on the shut parts alone, and what the searches found.
        for r in &supply.gone {
            let hanging = self.hanging[r[0] as usize..r[1] as usize].iter().copied();
            out.cut_off.extend(hanging.filter(|s| !supply.marks.has(*s as usize, INSIDE)));
        }
        let searched = std::mem::take(&mut supply.lost);
        let places = searched.iter().map(|s| self.alone(*s)[0]).map(|at| [at, at + 1]);
        for [from, to] in supply.gone.clone().into_iter().chain(places) {
            let doors = &self.doors[self.doors.partition_point(|d| d.0 < from)..];
            for &(at, v) in doors.iter().take_while(|d| d.0 < to) {
                let turns = self.valves[v as usize].operable && !supply.marks.has(valve(v), STUCK | TOLD);
                let shut = supply.marks.has(self.hanging[at as usize] as usize, INSIDE);
                if turns && !shut && self.sides(v).iter().any(|o| supply.is_fed(*o)) {
                    supply.marks.set(valve(v), TOLD);
                    out.other_supply.push(v);
                }
            }
        }
        out.cut_off.extend(searched);
        out
    }
}

/// The outer ones of some ranges of a tree, in order: they are nested or apart.
fn outer(mut ranges: Vec<[u32; 2]>) -> Vec<[u32; 2]> {
    ranges.retain(|r| r[0] < r[1]);
    ranges.sort_unstable_by_key(|r| (r[0], std::cmp::Reverse(r[1])));
    let mut end = 0;
    ranges.retain(|r| {
        let outer = r[0] >= end;
        end = end.max(r[1]);
        outer
    });
    ranges
}

/// Whether one of some ranges, apart from each other and in order, holds the place.
fn covered(ranges: &[[u32; 2]], at: u32) -> bool {
    let before = ranges.partition_point(|r| r[0] <= at);
    before > 0 && at < ranges[before - 1][1]
}

/// Whether parts are still fed when something is shut.
struct Supply<'a> {
    segments: &'a Segments,
    marks: &'a mut Marks,
    /// Ranges of the two supply trees that hang on what is shut, and of what hangs on it alone: [`outer`] ones.
    hung: [Vec<[u32; 2]>; 2],
    gone: Vec<[u32; 2]>,
    /// Without supply, as searches found.
    lost: Vec<u32>,
    group: Vec<u32>,
}

impl Supply<'_> {
    /// One of its supplies by the two trees does not pass what is shut.
    fn surely(&self, s: u32) -> bool {
        let place = self.segments.place(s);
        place.fed && (0..2).any(|k| !covered(&self.hung[k], place.trees[k]))
    }

    /// Never so for what is shut itself.
    fn is_fed(&mut self, s: u32) -> bool {
        if self.marks.has(s as usize, INSIDE | UNFED) {
            return false;
        }
        let place = self.segments.place(s);
        if !place.fed || covered(&self.gone, place.alone) {
            return false;
        }
        self.marks.has(s as usize, FED) || self.surely(s) || self.search(s)
    }

    /// Two shut parts may cut off together what neither cuts off alone. Such parts lie beside no others that are cut off.
    fn search(&mut self, s: u32) -> bool {
        let net = self.segments;
        self.group.clear();
        self.group.push(s);
        self.marks.set(s as usize, UNFED);
        let (mut fed, mut at) = (false, 0);
        'search: while let Some(&part) = self.group.get(at) {
            at += 1;
            for t in net.touches(part).iter().filter(|t| !t.closed) {
                let others = match t.other {
                    NONE => &[],
                    MANY if self.marks.has(net.count + t.valve as usize, SHUT) => &[],
                    MANY => net.sides(t.valve),
                    _ => std::slice::from_ref(&t.other),
                };
                for &o in others {
                    if self.marks.has(o as usize, INSIDE | UNFED) {
                        continue;
                    }
                    fed = self.marks.has(o as usize, FED) || self.surely(o);
                    if fed {
                        break 'search;
                    }
                    self.marks.set(o as usize, UNFED);
                    self.group.push(o);
                }
            }
        }
        if !fed {
            self.lost.extend(&self.group);
        }
        for &g in &self.group {
            // A search that met a supply leaves no part marked as without.
            self.marks.put(g as usize, if fed { FED } else { UNFED });
        }
        fed
    }
}
