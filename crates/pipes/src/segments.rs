//! 阀段 the parts of a network that its valves can cut out, and how they are fed.
//!
//! Every pipe end may carry a valve, and a valve may be a point where pipes meet. A segment is what hangs together
//! when all valves are closed (Walski 1993, "Water distribution valve topology for reliability analysis"); segments
//! and valves are a second, smaller graph. Over it stands the tree of the shortest supply, in steps from a source:
//! with the nodes numbered so that every subtree is one range, whether a part hangs on something that is shut is two
//! comparisons. So an isolation costs what it touches, not what the network holds.

use crate::network::{NONE, Network, PointKind};
use std::collections::VecDeque;

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
    pub fn of(&self, list: u32) -> &[u32] {
        &self.items[self.first[list as usize] as usize..self.first[list as usize + 1] as usize]
    }
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
    edges: Lists,
    /// Range of each segment, then of each valve, in the supply tree; empty where nothing feeds it.
    range: Vec<[u32; 2]>,
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
        let mut new = Self { of_edge, of_node, count, valves, sources, length_m, sides, around, edges: members, range: Vec::new() };
        new.range = new.supply_tree();
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
    /// Its range in the supply tree.
    pub(crate) fn range(&self, segment: u32) -> [u32; 2] {
        self.range[segment as usize]
    }
    pub(crate) fn valve_range(&self, valve: u32) -> [u32; 2] {
        self.range[self.count + valve as usize]
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
        let mut size = vec![0u32; all];
        for &i in order.iter().rev() {
            size[i as usize] += 1;
            if parent[i as usize] != NONE {
                size[parent[i as usize] as usize] += size[i as usize];
            }
        }
        // Where the next child of each begins.
        let (mut range, mut next, mut root) = (vec![[0u32; 2]; all], vec![0u32; all], 0u32);
        for &i in &order {
            let slot = if parent[i as usize] == NONE { &mut root } else { &mut next[parent[i as usize] as usize] };
            let from = *slot;
            *slot += size[i as usize];
            range[i as usize] = [from, from + size[i as usize]];
            next[i as usize] = from + 1;
        }
        range
    }
}

fn find(root: &mut [u32], mut i: u32) -> u32 {
    while root[i as usize] != i {
        root[i as usize] = root[root[i as usize] as usize];
        i = root[i as usize];
    }
    i
}
