//! 关阀 which valves shut a place off, who loses supply with it, and what else could feed them.

use crate::segments::Segments;
use std::collections::{HashMap, HashSet, VecDeque};

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
    /// Parts that were fed and are no more, though nobody wanted to shut them.
    pub cut_off: Vec<u32>,
    /// Closed valves that would feed a part that is cut off, when opened.
    pub other_supply: Vec<u32>,
    /// Sources inside of what is shut.
    pub sources: u32,
    /// Something fed the place before.
    pub fed: bool,
}

impl Segments {
    /// Shuts off the segments (several where a valve itself broke). `stuck`: valves that do not turn.
    pub fn isolate(&self, at: &[u32], stuck: &HashSet<u32>) -> Isolation {
        let turns = |v: u32| self.valves[v as usize].operable && !stuck.contains(&v);
        let mut out = Isolation { fed: at.iter().any(|s| self.is_fed(*s)), ..Isolation::default() };
        let mut inside: HashSet<u32> = at.iter().copied().collect();
        let mut queue: VecDeque<u32> = at.iter().copied().collect();
        let mut border = Vec::new();
        let mut looked = HashSet::new();
        while let Some(s) = queue.pop_front() {
            out.shut.push(s);
            out.sources += self.sources[s as usize];
            for &v in self.around(s) {
                if !looked.insert(v) {
                    continue;
                }
                if self.valves[v as usize].closed || turns(v) {
                    border.push(v);
                } else {
                    out.passed.push(v);
                    queue.extend(self.sides(v).iter().copied().filter(|s| inside.insert(*s)));
                }
            }
        }
        // A valve with the same part on all sides parts nothing.
        border.retain(|v| self.sides(*v).iter().any(|s| !inside.contains(s)));
        let (closed, open): (Vec<u32>, Vec<u32>) = border.into_iter().partition(|v| self.valves[*v as usize].closed);
        out.closed = closed;
        let shut_valves: HashSet<u32> = open.iter().copied().collect();
        let mut hung: Vec<[u32; 2]> = out.shut.iter().map(|s| self.range(*s)).chain(open.iter().map(|v| self.valve_range(*v))).collect();
        hung.retain(|r| r[0] < r[1]);
        hung.sort_unstable();
        // Ranges of a tree are nested or apart: the outer ones say it all.
        let mut end = 0;
        hung.retain(|r| {
            let outer = r[0] >= end;
            end = end.max(r[1]);
            outer
        });
        let mut supply = Supply { segments: self, inside: &inside, shut: &shut_valves, hung, known: HashMap::new() };
        for &v in &open {
            let mut fed = false;
            for &s in self.sides(v).iter().filter(|s| !inside.contains(s)) {
                fed |= supply.is_fed(s);
            }
            if fed { out.close.push(v) } else { out.dry.push(v) }
        }
        out.cut_off = supply.known.iter().filter(|(s, fed)| !**fed && self.is_fed(**s)).map(|(s, _)| *s).collect();
        out.cut_off.sort_unstable();
        let cut: Vec<u32> = out.cut_off.clone();
        for s in cut {
            for &v in self.around(s) {
                let opens = self.valves[v as usize].closed && turns(v) && !out.other_supply.contains(&v);
                if opens && self.sides(v).iter().any(|o| !inside.contains(o) && supply.is_fed(*o)) {
                    out.other_supply.push(v);
                }
            }
        }
        out
    }
}

/// Whether parts are still fed when something is shut.
struct Supply<'a> {
    segments: &'a Segments,
    inside: &'a HashSet<u32>,
    shut: &'a HashSet<u32>,
    /// Ranges of the supply tree that hang on what is shut: apart from each other, in order.
    hung: Vec<[u32; 2]>,
    known: HashMap<u32, bool>,
}

impl Supply<'_> {
    /// Its shortest supply does not pass what is shut.
    fn surely(&self, s: u32) -> bool {
        let [at, end] = self.segments.range(s);
        let before = self.hung.partition_point(|r| r[0] <= at);
        at < end && before.checked_sub(1).is_none_or(|i| self.hung[i][1] <= at)
    }

    fn is_fed(&mut self, s: u32) -> bool {
        if let Some(fed) = self.known.get(&s) {
            return *fed;
        }
        if self.surely(s) {
            return true;
        }
        let (mut group, mut seen, mut at) = (vec![s], HashSet::from([s]), 0);
        let mut fed = false;
        'search: while at < group.len() {
            for &v in self.segments.around(group[at]) {
                if self.shut.contains(&v) || self.segments.valves[v as usize].closed {
                    continue;
                }
                for &o in self.segments.sides(v) {
                    if self.inside.contains(&o) || !seen.insert(o) {
                        continue;
                    }
                    fed = self.known.get(&o).copied().unwrap_or(false) || self.surely(o);
                    if fed {
                        break 'search;
                    }
                    group.push(o);
                }
            }
            at += 1;
        }
        self.known.extend(group.into_iter().map(|g| (g, fed)));
        fed
    }
}
