//! 关阀 which valves shut a place off, who loses supply with it, and what else could feed them.

use crate::{
    network::NONE,
    segments::{ALONE, Kind, Marks, Segments, Trees},
    users::Count,
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
    /// Ranges of [`Segments::hanging`]: what is shut, where it was fed, and what hangs on that alone. The rest of `cut_off`
    /// stands at its end.
    gone: Vec<[u32; 2]>,
    searched: usize,
}

/// What hangs on the segments of a network, so that an isolation adds up few numbers: what is cut off stands mostly side by
/// side in the order of what hangs on what alone.
#[derive(Debug)]
pub struct Totals {
    per: Vec<Total>,
    /// Sums over all that stands before, in that order.
    before: Vec<Total>,
}

/// Users, and the length of pipe, m.
pub type Total = (Count, f64);

fn plus(a: Total, b: Total) -> Total {
    (a.0.plus(b.0), a.1 + b.1)
}

/// Of sums that hold the other: what is left of a length by rounding is none.
fn minus(a: Total, b: Total) -> Total {
    let length_m = a.1 - b.1;
    (a.0.minus(b.0), if length_m < 1e-6 { 0.0 } else { length_m })
}

impl Totals {
    /// From the users of each segment.
    pub fn new(segments: &Segments, users: Vec<Count>) -> Self {
        let per: Vec<Total> = users.into_iter().zip(segments.length_m.iter().copied()).collect();
        let mut before = Vec::with_capacity(segments.hanging.len() + 1);
        let mut sum = Total::default();
        for s in &segments.hanging {
            before.push(sum);
            sum = plus(sum, per[*s as usize]);
        }
        before.push(sum);
        Self { per, before }
    }
    /// On all that is without.
    pub fn lost(&self, segments: &Segments, found: &Isolation) -> Total {
        let hung = found.gone.iter().map(|[from, to]| minus(self.before[*to as usize], self.before[*from as usize]));
        let unfed = found.shut.iter().filter(|s| !segments.is_fed(**s));
        let searched = &found.cut_off[found.cut_off.len() - found.searched..];
        unfed.chain(searched).map(|s| self.per[*s as usize]).chain(hung).fold(Total::default(), plus)
    }
    /// On what nobody meant to shut.
    pub fn cut_off(&self, segments: &Segments, found: &Isolation) -> Total {
        found.shut.iter().map(|s| self.per[*s as usize]).fold(self.lost(segments, found), minus)
    }
    /// About what they take in memory.
    pub(crate) fn bytes(&self) -> usize {
        (self.per.len() + self.before.len()) * size_of::<Total>()
    }
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
        // Stuck ones that stand open, by the segments at them.
        let passed = stuck.iter().filter(|v| self.valves.get(**v as usize).is_some_and(|v| !v.closed));
        let mut passed: Vec<[u32; 2]> = passed.flat_map(|v| self.sides(*v).iter().map(|s| [*s, *v])).collect();
        passed.sort_unstable();
        let mut done = 0;
        while let Some(&s) = out.shut.get(done) {
            done += 1;
            out.sources += self.sources[s as usize];
            let here = &passed[passed.partition_point(|p| p[0] < s)..];
            for &[_, v] in here.iter().take_while(|p| p[0] == s) {
                if marks.set(valve(v), LOOKED) {
                    out.passed.push(v);
                    out.shut.extend(self.sides(v).iter().copied().filter(|s| marks.set(*s as usize, INSIDE)));
                }
            }
        }
        // Mostly they are a few: to look through them costs less than the marks of all around.
        let few: Option<[u32; 4]> = matches!(out.shut.len(), 1..=4).then(|| std::array::from_fn(|i| out.shut[i.min(out.shut.len() - 1)]));
        let inside = |s: u32, marks: &Marks| few.map_or_else(|| marks.has(s as usize, INSIDE), |few| few.contains(&s));
        let [most_open, most_dry] = [Kind::Open, Kind::Dry].map(|kind| out.shut.iter().map(|s| self.of_kind(*s, kind).len()).sum());
        let mut open: Vec<usize> = Vec::with_capacity(most_open);
        out.dry.reserve(most_dry);
        let mut many = Vec::new();
        for &s in &out.shut {
            let outside = |kind: Kind| self.of_kind(s, kind).filter(|place| !inside(self.touch(*place).0.other, marks));
            let valve_at = |place: usize| self.touch(place).0.valve();
            open.extend(outside(Kind::Open));
            out.dry.extend(outside(Kind::Dry).map(valve_at));
            out.closed.extend(outside(Kind::Closed).map(valve_at));
            for place in self.of_kind(s, Kind::Many) {
                let t = self.touch(place).0;
                // With the same part on all sides it parts nothing; it is met from several and looked at once.
                if !marks.set(valve(t.valve()), LOOKED) || self.across(&t).iter().all(|s| inside(*s, marks)) {
                    continue;
                }
                if t.closed() {
                    out.closed.push(t.valve());
                } else {
                    open.push(place);
                    many.push(t.other);
                    marks.set(valve(t.valve()), SHUT);
                }
            }
        }
        // What hangs on a valve between two parts hangs on both, so on the one inside; a search comes past it to the inside.
        let hung_on = |tree: usize| outer(out.shut.iter().chain(&many).map(|p| self.range(*p, tree)).collect());
        let (hung, gone) = ([0, 1].map(hung_on), hung_on(ALONE));
        let mut supply = Supply { segments: self, marks, hung, gone, lost: Vec::new(), group: Vec::new() };
        out.close.reserve(open.len());
        for &place in &open {
            let (t, begins) = self.touch(place);
            let fed = match self.junction(t.other) {
                None => supply.is_fed_there(t.other, begins),
                Some(v) => self.sides(v).iter().fold(false, |fed, s| supply.is_fed(*s) | fed),
            };
            if fed { out.close.push(t.valve()) } else { out.dry.push(t.valve()) }
        }
        // What hangs on the shut parts alone, and what the searches found.
        out.cut_off.reserve(supply.gone.iter().map(|r| (r[1] - r[0]) as usize).sum::<usize>() + supply.lost.len());
        for r in &supply.gone {
            let hanging = self.hanging[r[0] as usize..r[1] as usize].iter().copied();
            out.cut_off.extend(hanging.filter(|s| !inside(*s, supply.marks)));
        }
        let searched = std::mem::take(&mut supply.lost);
        let places = searched.iter().map(|s| self.begins(*s)[ALONE]).map(|at| [at, at + 1]);
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
        out.gone = std::mem::take(&mut supply.gone);
        out.searched = searched.len();
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
    match *ranges {
        [] => false,
        // As mostly.
        [[from, to]] => from <= at && at < to,
        _ => {
            let before = ranges.partition_point(|r| r[0] <= at);
            before > 0 && at < ranges[before - 1][1]
        }
    }
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
    fn surely(&self, begins: Trees) -> bool {
        begins[ALONE] != NONE && (0..ALONE).any(|k| !covered(&self.hung[k], begins[k]))
    }

    /// Never so for what is shut itself, which hangs on itself.
    fn is_fed(&mut self, s: u32) -> bool {
        self.is_fed_there(s, self.segments.begins(s))
    }

    /// With what is known of where the part begins in the trees.
    #[inline]
    fn is_fed_there(&mut self, s: u32, begins: Trees) -> bool {
        if begins[ALONE] == NONE || covered(&self.gone, begins[ALONE]) {
            return false;
        }
        if self.surely(begins) || self.marks.has(s as usize, FED) {
            return true;
        }
        !self.marks.has(s as usize, UNFED) && self.search(s)
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
            for place in net.places(part) {
                let (t, begins) = net.touch(place);
                if t.closed() || t.other == NONE {
                    continue;
                }
                // Neither what is shut nor what is known to be without is surely fed.
                let junction = net.junction(t.other);
                fed = junction.is_none() && self.surely(begins);
                if fed {
                    break 'search;
                }
                if junction.is_some() && self.marks.has(net.count + t.valve() as usize, SHUT) {
                    continue;
                }
                for &o in net.across(&t) {
                    if self.marks.has(o as usize, INSIDE | UNFED) {
                        continue;
                    }
                    fed = self.marks.has(o as usize, FED) || junction.is_some() && self.surely(net.begins(o));
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
