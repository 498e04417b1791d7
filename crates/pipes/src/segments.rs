//! 阀段 the parts of a network that its valves can cut out, and how they are fed.
//!
//! Every pipe end may carry a valve, and a valve may be a point where pipes meet. A segment is what hangs together
//! when all valves are closed (Walski 1993, "Water distribution valve topology for reliability analysis"); segments
//! and valves are a second, smaller graph. Over it stands the tree of the shortest supply, in steps from a source:
//! with the nodes numbered so that every subtree is one range, whether a part hangs on something that is shut is two
//! comparisons; beside it a second one that keeps off large segments, for what the first loses. A third tree says what
//! hangs on a part alone: with it gone nothing else can feed them. So an isolation costs what it shuts and what it tells,
//! not what the network holds.

use crate::network::{NONE, Network, PointKind};
use std::{collections::VecDeque, sync::Mutex};

/// Where a valve sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seat {
    /// On an edge, at its start (0) or end (1): it parts the edge from its node.
    End { edge: u32, end: u8 },
    /// It is the node: it parts all that meet there.
    Node(u32),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Valve {
    pub seat: Seat,
    /// Stands closed: nothing passes, until it is opened.
    pub closed: bool,
    /// Can be turned. One that cannot and stands open is no valve at all.
    pub operable: bool,
}

/// The valves that the network's points and closed pipes are. A closed pipe counts as closed at its start.
pub fn valves(net: &Network) -> Vec<Valve> {
    let points = (0..net.nodes.len() as u32).filter(|n| net.kind(*n) == PointKind::Valve);
    let points = points.map(|n| {
        let node = &net.nodes[n as usize];
        Valve { seat: Seat::Node(n), closed: node.closed, operable: node.operable }
    });
    let pipes = net.edges.iter().enumerate().filter(|(_, e)| e.closed);
    let pipes = pipes.map(|(i, _)| Valve { seat: Seat::End { edge: i as u32, end: 0 }, closed: true, operable: true });
    points.chain(pipes).collect()
}

/// Lists of `u32` one after the other.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    first: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    /// From (list, item) pairs, which come twice: to be counted and to be placed.
    pub fn new<I: Iterator<Item = (u32, u32)>>(lists: usize, pairs: impl Fn() -> I) -> Self {
        let mut first = vec![0u32; lists + 1];
        pairs().for_each(|(l, _)| first[l as usize + 1] += 1);
        (0..lists).for_each(|i| first[i + 1] += first[i]);
        let mut next = first.clone();
        let mut items = vec![0; first[lists] as usize];
        pairs().for_each(|(l, item)| {
            items[next[l as usize] as usize] = item;
            next[l as usize] += 1;
        });
        Self { first, items }
    }
    fn range(&self, list: u32) -> std::ops::Range<usize> {
        self.first[list as usize] as usize..self.first[list as usize + 1] as usize
    }
    pub fn of(&self, list: u32) -> &[u32] {
        &self.items[self.range(list)]
    }
}

/// More than one segment lies across a valve.
pub(crate) const MANY: u32 = NONE - 1;

/// A valve at a segment, with what an isolation asks of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touch {
    pub valve: u32,
    /// The segment across: `NONE` where it parts nothing, `MANY` where more than two segments meet.
    pub other: u32,
    pub closed: bool,
}

/// Where a segment begins in the two supply trees and in `hanging`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub trees: [u32; 2],
    pub alone: u32,
    /// Something feeds it while all valves stand as they are.
    pub fed: bool,
}

/// All segments of a network under one set of valves.
#[derive(Debug)]
pub struct Segments {
    pub of_edge: Vec<u32>,
    /// `NONE`: the node is a valve and belongs to none.
    pub of_node: Vec<u32>,
    pub count: usize,
    pub valves: Vec<Valve>,
    /// Sources in each segment.
    pub sources: Vec<u32>,
    pub length_m: Vec<f64>,
    pub(crate) sides: Lists,
    pub(crate) around: Lists,
    /// In the order of `around`.
    touches: Vec<Touch>,
    places: Vec<Place>,
    edges: Lists,
    /// Range of each segment, then of each valve, in the supply tree; empty where nothing feeds it.
    range: Vec<[u32; 2]>,
    /// The same in the tree of the supply that passes as little as it can.
    other_range: Vec<[u32; 2]>,
    /// Range in `hanging` of what is fed through each segment, then each valve, and through nothing else; of a segment
    /// itself the first. Empty where nothing feeds it.
    alone: Vec<[u32; 2]>,
    pub(crate) hanging: Vec<u32>,
    /// Closed valves at the fed segments, with the segment's place in `hanging`, in that order.
    pub(crate) doors: Vec<(u32, u32)>,
    /// Marks of isolations that have ended, for the next ones.
    pub(crate) spare: Mutex<Vec<Marks>>,
}

/// A few bits for each segment and valve that are all cleared at once, by counting on.
#[derive(Debug)]
pub(crate) struct Marks {
    turn: u32,
    bits: Vec<u32>,
}

impl Marks {
    const WIDTH: u32 = 4;

    pub fn new(len: usize) -> Self {
        Self { turn: 1, bits: vec![0; len] }
    }
    pub fn clear(&mut self) {
        self.turn += 1;
        if self.turn >> (32 - Self::WIDTH) != 0 {
            self.bits.fill(0);
            self.turn = 1;
        }
    }
    pub fn has(&self, i: usize, bits: u32) -> bool {
        let v = self.bits[i];
        v >> Self::WIDTH == self.turn && v & bits != 0
    }
    /// These bits and no others.
    pub fn put(&mut self, i: usize, bits: u32) {
        self.bits[i] = self.turn << Self::WIDTH | bits;
    }
    /// Whether none of them was set before.
    pub fn set(&mut self, i: usize, bits: u32) -> bool {
        let v = &mut self.bits[i];
        if *v >> Self::WIDTH != self.turn {
            *v = self.turn << Self::WIDTH;
        }
        let fresh = *v & bits == 0;
        *v |= bits;
        fresh
    }
}

impl Segments {
    /// Cuts the network at its valves. What feeds it: [`Network::terminals`].
    pub fn new(net: &Network, valves: Vec<Valve>) -> Self {
        let (nodes, edges) = (net.nodes.len(), net.edges.len());
        let mut barred = crate::walk::Bits::new(edges * 2);
        let mut is_valve = crate::walk::Bits::new(nodes);
        for v in valves.iter().filter(|v| v.operable || v.closed) {
            match v.seat {
                Seat::End { edge, end } => {
                    barred.set(edge << 1 | u32::from(end));
                }
                Seat::Node(n) => {
                    is_valve.set(n);
                    net.halves(n).for_each(|h| {
                        barred.set(h.edge << 1 | h.end as u32);
                    });
                }
            }
        }
        // Union-find over nodes and edges; the smaller number is the root.
        let mut root: Vec<u32> = (0..(nodes + edges) as u32).collect();
        for (i, e) in net.edges.iter().enumerate() {
            for (k, n) in e.ends.into_iter().enumerate() {
                if !barred.has((i as u32) << 1 | k as u32) {
                    let (a, b) = (find(&mut root, n), find(&mut root, (nodes + i) as u32));
                    root[a.max(b) as usize] = a.min(b);
                }
            }
        }
        let mut number = vec![NONE; nodes + edges];
        let mut count = 0u32;
        for i in 0..(nodes + edges) as u32 {
            if (i as usize) < nodes && is_valve.has(i) {
                continue;
            }
            let r = find(&mut root, i) as usize;
            if number[r] == NONE {
                number[r] = count;
                count += 1;
            }
            number[i as usize] = number[r];
        }
        drop(root);
        let of_edge = number.split_off(nodes);
        let of_node = number;
        let count = count as usize;
        let (mut sources, mut length_m) = (vec![0u32; count], vec![0.0; count]);
        for t in net.terminals().map(|t| of_node[t as usize]).filter(|s| *s != NONE) {
            sources[t as usize] += 1;
        }
        net.edges.iter().zip(&of_edge).for_each(|(e, s)| length_m[*s as usize] += e.length_m);
        let mut touching: Vec<(u32, u32)> = Vec::with_capacity(valves.len() * 2);
        for (i, v) in valves.iter().enumerate() {
            let from = touching.len();
            match v.seat {
                _ if !(v.operable || v.closed) => {}
                Seat::End { edge, end } => {
                    touching.push((i as u32, of_edge[edge as usize]));
                    let node = of_node[net.edges[edge as usize].ends[usize::from(end)] as usize];
                    if node != NONE {
                        touching.push((i as u32, node));
                    }
                }
                Seat::Node(n) => touching.extend(net.halves(n).map(|h| (i as u32, of_edge[h.edge as usize]))),
            }
            touching[from..].sort_unstable();
            let mut kept = from;
            for j in from..touching.len() {
                if j == from || touching[j] != touching[kept - 1] {
                    touching[kept] = touching[j];
                    kept += 1;
                }
            }
            touching.truncate(kept);
        }
        let sides = Lists::new(valves.len(), || touching.iter().copied());
        let around = Lists::new(count, || touching.iter().map(|(v, s)| (*s, *v)));
        let members = Lists::new(count, || of_edge.iter().enumerate().map(|(e, s)| (*s, e as u32)));
        let mut new = Self {
            of_edge,
            of_node,
            count,
            valves,
            sources,
            length_m,
            sides,
            around,
            touches: Vec::new(),
            places: Vec::new(),
            edges: members,
            range: Vec::new(),
            other_range: Vec::new(),
            alone: Vec::new(),
            hanging: Vec::new(),
            doors: Vec::new(),
            spare: Mutex::default(),
        };
        for s in 0..count as u32 {
            let touches = new.around.of(s).iter().map(|&valve| {
                let other = match new.sides.of(valve) {
                    [_] => NONE,
                    [a, b] => a ^ b ^ s,
                    _ => MANY,
                };
                Touch { valve, other, closed: new.valves[valve as usize].closed }
            });
            new.touches.extend(touches);
        }
        new.range = new.supply_tree();
        new.other_range = new.slender_tree();
        (new.alone, new.hanging) = new.lone_supply();
        let place = |s: usize| {
            let [from, to] = new.range[s];
            Place { trees: [from, new.other_range[s][0]], alone: new.alone[s][0], fed: from < to }
        };
        new.places = (0..count).map(place).collect();
        for (at, &s) in new.hanging.iter().enumerate() {
            new.doors.extend(new.around.of(s).iter().filter(|v| new.valves[**v as usize].closed).map(|v| (at as u32, *v)));
        }
        new
    }

    /// Segments that the valve parts: one when it parts nothing.
    pub fn sides(&self, valve: u32) -> &[u32] {
        self.sides.of(valve)
    }
    /// Valves at the segment.
    pub fn around(&self, segment: u32) -> &[u32] {
        self.around.of(segment)
    }
    pub fn edges(&self, segment: u32) -> &[u32] {
        self.edges.of(segment)
    }
    /// Something feeds it while all valves stand as they are.
    pub fn is_fed(&self, segment: u32) -> bool {
        let [from, to] = self.range[segment as usize];
        from < to
    }
    pub(crate) fn touches(&self, segment: u32) -> &[Touch] {
        &self.touches[self.around.range(segment)]
    }
    pub(crate) fn place(&self, segment: u32) -> Place {
        self.places[segment as usize]
    }
    /// Ranges of a segment or, counted on, of a valve in the two supply trees.
    pub(crate) fn ranges(&self, part: u32) -> [[u32; 2]; 2] {
        [&self.range, &self.other_range].map(|r| r[part as usize])
    }

    /// Breadth first from all sources through open valves; segments and valves are its nodes, numbered so that a
    /// subtree is a range.
    fn supply_tree(&self) -> Vec<[u32; 2]> {
        let all = self.count + self.valves.len();
        let mut parent = vec![NONE; all];
        let mut order: Vec<u32> = (0..self.count as u32).filter(|s| self.sources[*s as usize] > 0).collect();
        let mut seen = crate::walk::Bits::new(all);
        let mut queue: VecDeque<u32> = order.iter().copied().collect();
        order.iter().for_each(|s| {
            seen.set(*s);
        });
        while let Some(i) = queue.pop_front() {
            let next = if (i as usize) < self.count { self.around(i) } else { self.sides(i - self.count as u32) };
            for &j in next {
                let j = if (i as usize) < self.count {
                    if self.valves[j as usize].closed {
                        continue;
                    }
                    j + self.count as u32
                } else {
                    j
                };
                if seen.set(j) {
                    parent[j as usize] = i;
                    order.push(j);
                    queue.push_back(j);
                }
            }
        }
        ranges(&order, &parent, |_| 1)
    }

    /// Like [`Segments::supply_tree`], but a way costs the squares of the numbers of valves at the segments it passes: it
    /// keeps off the large ones, through which most shortest ways lead and which shut most off.
    fn slender_tree(&self) -> Vec<[u32; 2]> {
        let all = self.count + self.valves.len();
        let (mut cost, mut parent) = (vec![u64::MAX; all], vec![NONE; all]);
        let (mut order, mut done) = (Vec::with_capacity(all), crate::walk::Bits::new(all));
        let mut queue = crate::walk::Rising::new();
        for s in (0..self.count as u32).filter(|s| self.sources[*s as usize] > 0) {
            cost[s as usize] = 0;
            queue.push_key(0, s);
        }
        while let Some((at, i)) = queue.pop() {
            if !done.set(i) {
                continue;
            }
            order.push(i);
            let segment = (i as usize) < self.count;
            for &j in if segment { self.around(i) } else { self.sides(i - self.count as u32) } {
                let (j, more) = match segment {
                    true if self.valves[j as usize].closed => continue,
                    true => (j + self.count as u32, 0),
                    false => (j, (self.around(j).len() as u64).pow(2)),
                };
                if at + more < cost[j as usize] {
                    cost[j as usize] = at + more;
                    parent[j as usize] = i;
                    queue.push_key(at + more, j);
                }
            }
        }
        ranges(&order, &parent, |_| 1)
    }

    /// `alone` and `hanging`. Segments and open valves are a graph without directions, the sources one vertex: what
    /// hangs on a part alone lies behind it in the tree of blocks and cut vertices (Hopcroft & Tarjan 1973).
    fn lone_supply(&self) -> (Vec<[u32; 2]>, Vec<u32>) {
        let all = self.count + self.valves.len();
        // In the order of a walk into the depth: 0 are the sources together.
        let (mut number, mut low, mut parent) = (vec![NONE; all], vec![0u32; all], vec![NONE; all]);
        let mut order: Vec<u32> = Vec::with_capacity(all);
        let mut calls: Vec<(u32, u32)> = Vec::new();
        let visit = |i: u32, order: &mut Vec<u32>, number: &mut [u32], low: &mut [u32]| {
            order.push(i);
            number[i as usize] = order.len() as u32;
            let source = self.sources.get(i as usize).is_some_and(|s| *s > 0);
            low[i as usize] = if source { 0 } else { order.len() as u32 };
        };
        for start in (0..self.count as u32).filter(|s| self.sources[*s as usize] > 0) {
            if number[start as usize] != NONE {
                continue;
            }
            visit(start, &mut order, &mut number, &mut low);
            calls.push((start, 0));
            while let Some((i, next)) = calls.last_mut() {
                let i = *i;
                let segment = (i as usize) < self.count;
                let list = if segment { self.around(i) } else { self.sides(i - self.count as u32) };
                let Some(&j) = list.get(*next as usize) else {
                    calls.pop();
                    let above = parent[i as usize];
                    if above != NONE {
                        low[above as usize] = low[above as usize].min(low[i as usize]);
                    }
                    continue;
                };
                *next += 1;
                let j = match segment {
                    true if self.valves[j as usize].closed => continue,
                    true => j + self.count as u32,
                    false => j,
                };
                if number[j as usize] == NONE {
                    parent[j as usize] = i;
                    visit(j, &mut order, &mut number, &mut low);
                    calls.push((j, 0));
                } else {
                    low[i as usize] = low[i as usize].min(number[j as usize]);
                }
            }
        }
        // The last part that all ways from the sources pass, instead of the one the walk came from.
        for &i in &order {
            let above = parent[i as usize];
            if above != NONE && low[i as usize] < number[above as usize] {
                parent[i as usize] = parent[above as usize];
            }
        }
        let alone = ranges(&order, &parent, |i| u32::from((i as usize) < self.count));
        let fed = order.iter().filter(|i| (**i as usize) < self.count);
        let mut hanging = vec![NONE; fed.clone().count()];
        fed.for_each(|s| hanging[alone[*s as usize][0] as usize] = *s);
        (alone, hanging)
    }

    /// Range in `hanging` of what is fed through a segment (itself the first) or, counted on, a valve, and through nothing
    /// else.
    pub(crate) fn alone(&self, part: u32) -> [u32; 2] {
        self.alone[part as usize]
    }
}

/// Numbers the parts of a forest so that every subtree is one range; each takes as many numbers as it weighs. `order`: no
/// part before its parent. Empty for what is not in it.
fn ranges(order: &[u32], parent: &[u32], weight: impl Fn(u32) -> u32) -> Vec<[u32; 2]> {
    let mut size = vec![0u32; parent.len()];
    for &i in order.iter().rev() {
        size[i as usize] += weight(i);
        if parent[i as usize] != NONE {
            size[parent[i as usize] as usize] += size[i as usize];
        }
    }
    // Where the next child of each begins.
    let (mut range, mut next, mut root) = (vec![[0u32; 2]; parent.len()], vec![0u32; parent.len()], 0u32);
    for &i in order {
        let slot = if parent[i as usize] == NONE { &mut root } else { &mut next[parent[i as usize] as usize] };
        let from = *slot;
        *slot += size[i as usize];
        range[i as usize] = [from, from + size[i as usize]];
        next[i as usize] = from + weight(i);
    }
    range
}

fn find(root: &mut [u32], mut i: u32) -> u32 {
    while root[i as usize] != i {
        root[i as usize] = root[root[i as usize] as usize];
        i = root[i as usize];
    }
    i
}
