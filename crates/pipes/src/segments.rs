//! 阀段 the parts of a network that its valves can cut out, and how they are fed.
//!
//! Every pipe end may carry a valve, and a valve may be a point where pipes meet. A segment is what hangs together
//! when all valves are closed (Walski 1993, "Water distribution valve topology for reliability analysis"); segments
//! and valves are a second, smaller graph, whose parts are the segments and the junctions: valves at which more than two
//! of them meet. Over it stands the tree of the shortest supply, in steps from a source: with the parts numbered so that
//! every subtree is one range, whether one hangs on something that is shut is two comparisons; beside it a second one that
//! keeps off large segments, for what the first loses. A third tree says what hangs on a part alone: with it gone nothing
//! else can feed them. So an isolation costs what it shuts and what it tells, not what the network holds.

use crate::{
    network::{NONE, Network, PointKind},
    walk::{Bits, Rising},
};
use std::{collections::HashMap, sync::Mutex};

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

/// A valve at a segment, with what an isolation asks of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Touch {
    /// The valve's number in the upper bits, `CLOSED` and `DRY` in the lowest two.
    valve: u32,
    /// The part across: `NONE` where it parts nothing.
    pub other: u32,
}

impl Touch {
    const CLOSED: u32 = 1;
    const DRY: u32 = 2;

    pub fn valve(self) -> u32 {
        self.valve >> 2
    }
    pub fn closed(self) -> bool {
        self.valve & Self::CLOSED != 0
    }
    fn kind(self, segments: usize) -> Kind {
        match self.other as usize {
            _ if self.other == NONE => Kind::Idle,
            other if other >= segments => Kind::Many,
            _ if self.closed() => Kind::Closed,
            _ if self.valve & Self::DRY != 0 => Kind::Dry,
            _ => Kind::Open,
        }
    }
}

/// What closing a valve at a segment does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Open,
    /// A segment lies across that nothing feeds, or nothing without this one.
    Dry,
    Closed,
    /// More than one segment lies across.
    Many,
    /// It parts nothing.
    Idle,
}

/// Numbers in the trees: of the shortest supply, of the one that passes as little as it can, and of what hangs on a part
/// alone.
pub(crate) type Trees = [u32; 3];
pub(crate) const ALONE: usize = 2;

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
    sides: Lists,
    /// Where the touches of each segment begin; they are in the order of [`Kind`], among their like of the valves.
    first: Vec<u32>,
    touches: Vec<Touch>,
    /// Where the part across each of them begins in the trees: a large segment is looked through in one go of memory.
    across_begins: Vec<Trees>,
    /// Valves at which more than two segments meet.
    junctions: Vec<u32>,
    /// Where the range of each segment, then each junction, begins and ends in the trees; `NONE` where nothing feeds it.
    from: Vec<Trees>,
    to: Vec<Trees>,
    edges: Lists,
    /// Segments in the order of the third tree: after each what is fed through it and through nothing else.
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
        let (mut barred, mut is_valve) = (Bits::new(edges * 2), Bits::new(nodes));
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
        // An edge belongs to the node at an end without a valve, and joins two; the smallest number is the root.
        let free = |edge: usize, end: u32| !barred.has((edge as u32) << 1 | end);
        let mut root: Vec<u32> = (0..nodes as u32).collect();
        for (_, e) in net.edges.iter().enumerate().filter(|(i, _)| free(*i, 0) && free(*i, 1)) {
            let [a, b] = e.ends.map(|n| find(&mut root, n));
            root[a.max(b) as usize] = a.min(b);
        }
        let mut count = 0u32;
        let mut number = || {
            count += 1;
            count - 1
        };
        let mut of_node = root;
        for n in 0..nodes {
            // A root stands before what hangs on it, so it has its number already.
            let above = of_node[n] as usize;
            of_node[n] = match above == n {
                true if is_valve.has(n as u32) => NONE,
                true => number(),
                false => of_node[above],
            };
        }
        let of_end = |i: usize, ends: [u32; 2]| (0..2).find(|k| free(i, *k)).map(|k| of_node[ends[k as usize] as usize]);
        let of_edge: Vec<u32> = net.edges.iter().enumerate().map(|(i, e)| of_end(i, e.ends).unwrap_or_else(&mut number)).collect();
        // Where a point is a valve, one at the end of a pipe there has something behind it too: a part of no length.
        let mut between: HashMap<(u32, u8), u32> = HashMap::new();
        for v in valves.iter().filter(|v| v.operable || v.closed) {
            if let Seat::End { edge, end } = v.seat
                && is_valve.has(net.edges[edge as usize].ends[usize::from(end)])
            {
                between.entry((edge, end)).or_insert_with(&mut number);
            }
        }
        let count = count as usize;
        let (mut sources, mut length_m) = (vec![0u32; count], vec![0.0; count]);
        for t in net.terminals().map(|t| of_node[t as usize]).filter(|s| *s != NONE) {
            sources[t as usize] += 1;
        }
        net.edges.iter().zip(&of_edge).for_each(|(e, s)| length_m[*s as usize] += e.length_m);
        let mut sides = Lists { first: Vec::with_capacity(valves.len() + 1), items: Vec::with_capacity(valves.len() * 2) };
        let (mut junctions, mut first) = (Vec::new(), vec![0u32; count + 1]);
        for (i, v) in valves.iter().enumerate() {
            let from = sides.items.len();
            sides.first.push(from as u32);
            match v.seat {
                _ if !(v.operable || v.closed) => {}
                Seat::End { edge, end } => {
                    let node = net.edges[edge as usize].ends[usize::from(end)];
                    let behind = between.get(&(edge, end)).copied().unwrap_or(of_node[node as usize]);
                    let [a, b] = [of_edge[edge as usize], behind];
                    sides.items.push(a.min(b));
                    if a != b {
                        sides.items.push(a.max(b));
                    }
                }
                Seat::Node(n) => {
                    let beside = |edge: u32, end: u8| between.get(&(edge, end)).copied().unwrap_or(of_edge[edge as usize]);
                    let mut own: Vec<u32> = net.halves(n).map(|h| beside(h.edge, h.end as u8)).collect();
                    own.sort_unstable();
                    own.dedup();
                    sides.items.extend(own);
                }
            }
            let own = &sides.items[from..];
            own.iter().for_each(|s| first[*s as usize + 1] += 1);
            if own.len() > 2 {
                junctions.push(i as u32);
            }
        }
        sides.first.push(sides.items.len() as u32);
        (0..count).for_each(|s| first[s + 1] += first[s]);
        let (mut next, mut touches) = (first.clone(), vec![Touch::default(); sides.items.len()]);
        let mut met = 0;
        for (i, v) in valves.iter().enumerate() {
            let own = sides.of(i as u32);
            met += u32::from(own.len() > 2);
            for &s in own {
                let other = match *own {
                    [_] => NONE,
                    [a, b] => a ^ b ^ s,
                    _ => count as u32 + met - 1,
                };
                touches[next[s as usize] as usize] = Touch { valve: (i as u32) << 2 | u32::from(v.closed), other };
                next[s as usize] += 1;
            }
        }
        let members = Lists::new(count, || of_edge.iter().enumerate().map(|(e, s)| (*s, e as u32)));
        let mut new = Self {
            of_edge,
            of_node,
            count,
            valves,
            sources,
            length_m,
            sides,
            first,
            touches,
            across_begins: Vec::new(),
            junctions,
            from: Vec::new(),
            to: Vec::new(),
            edges: members,
            hanging: Vec::new(),
            doors: Vec::new(),
            spare: Mutex::default(),
        };
        let weight = |p: u32| u32::from((p as usize) < count);
        let (lone, (shortest, slender)) = rayon::join(
            || new.lone_supply().ranges(new.parts(), weight),
            || rayon::join(|| new.shortest_supply(), || new.slender_supply()),
        );
        let ends = |k: usize| (0..new.parts()).map(|p| [shortest[p][k], slender[p][k], lone[p][k]]).collect();
        (new.from, new.to) = (ends(0), ends(1));
        let (from, to, first) = (&new.from, &new.to, &new.first);
        new.across_begins = new.touches.iter().map(|t| from.get(t.other as usize).copied().unwrap_or([NONE; 3])).collect();
        new.hanging = vec![NONE; from[..count].iter().filter(|f| f[ALONE] != NONE).count()];
        let mut own = Vec::new();
        for s in 0..count {
            let places = first[s] as usize..first[s + 1] as usize;
            let behind = from[s][ALONE]..to[s][ALONE];
            let fed = behind.start != NONE;
            if fed {
                new.hanging[behind.start as usize] = s as u32;
            }
            own.clear();
            own.extend(new.touches[places.clone()].iter().copied().zip(new.across_begins[places.clone()].iter().copied()));
            for (t, across) in own.iter_mut().filter(|_| fed) {
                if t.closed() {
                    new.doors.push((behind.start, t.valve()));
                }
                let segment = (t.other as usize) < count;
                if segment && (across[ALONE] == NONE || behind.contains(&across[ALONE])) {
                    t.valve |= Touch::DRY;
                }
            }
            own.sort_by_key(|(t, _)| t.kind(count));
            for (place, (t, across)) in places.zip(&own) {
                (new.touches[place], new.across_begins[place]) = (*t, *across);
            }
        }
        new.doors.sort_unstable();
        new
    }

    /// Segments that the valve parts: one when it parts nothing.
    pub fn sides(&self, valve: u32) -> &[u32] {
        self.sides.of(valve)
    }
    /// Valves at the segment.
    pub fn around(&self, segment: u32) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.touches(segment).iter().map(|t| t.valve())
    }
    pub fn edges(&self, segment: u32) -> &[u32] {
        self.edges.of(segment)
    }
    /// Something feeds it while all valves stand as they are.
    pub fn is_fed(&self, segment: u32) -> bool {
        self.from[segment as usize][ALONE] != NONE
    }
    pub(crate) fn touches(&self, segment: u32) -> &[Touch] {
        &self.touches[self.places(segment)]
    }
    /// Where its touches stand among all.
    pub(crate) fn places(&self, segment: u32) -> std::ops::Range<usize> {
        self.first[segment as usize] as usize..self.first[segment as usize + 1] as usize
    }
    /// The places of its touches of a kind.
    pub(crate) fn of_kind(&self, segment: u32, kind: Kind) -> std::ops::Range<usize> {
        let (from, own) = (self.places(segment).start, self.touches(segment));
        let [begin, end] = [Kind::lt, Kind::le].map(|before| own.partition_point(|t| before(&t.kind(self.count), &kind)));
        from + begin..from + end
    }
    /// The touch at a place, and where the part across it begins in the trees.
    pub(crate) fn touch(&self, place: usize) -> (Touch, Trees) {
        (self.touches[place], self.across_begins[place])
    }
    /// Where its ranges begin in the trees.
    pub(crate) fn begins(&self, part: u32) -> Trees {
        self.from[part as usize]
    }
    /// Its range in one of them.
    pub(crate) fn range(&self, part: u32, tree: usize) -> [u32; 2] {
        [self.from[part as usize][tree], self.to[part as usize][tree]]
    }
    /// The valve that a part is, unless it is a segment.
    pub(crate) fn junction(&self, part: u32) -> Option<u32> {
        self.junctions.get((part as usize).checked_sub(self.count)?).copied()
    }
    /// Segments across a valve that parts something; where many meet at it, all of them.
    pub(crate) fn across<'a>(&'a self, t: &'a Touch) -> &'a [u32] {
        match self.junction(t.other) {
            Some(v) => self.sides(v),
            None => std::slice::from_ref(&t.other),
        }
    }
    fn parts(&self) -> usize {
        self.count + self.junctions.len()
    }
    fn fed_at_once(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.count as u32).filter(|s| self.sources[*s as usize] > 0)
    }

    /// Parts beyond the open valves of a part.
    fn beyond(&self, part: u32, mut f: impl FnMut(u32)) {
        match self.junction(part) {
            Some(v) => self.sides(v).iter().for_each(|s| f(*s)),
            None => self.touches(part).iter().filter(|t| !t.closed() && t.other != NONE).for_each(|t| f(t.other)),
        }
    }

    /// Breadth first from all sources through open valves.
    fn shortest_supply(&self) -> Vec<[u32; 2]> {
        let mut tree = Tree::new(self.parts());
        let mut met = Bits::new(self.parts());
        for s in self.fed_at_once() {
            met.set(s);
            tree.push(s, NONE);
        }
        let mut at = 0;
        while let Some(&part) = tree.order.get(at) {
            self.beyond(part, |p| {
                if met.set(p) {
                    tree.push(p, at as u32);
                }
            });
            at += 1;
        }
        tree.ranges(self.parts(), |_| 1)
    }

    /// Like [`Segments::shortest_supply`], but a way costs the squares of the numbers of valves at the segments it passes: it
    /// keeps off the large ones, through which most shortest ways lead and which shut most off. What a part costs is the same
    /// from all sides, so the first that comes to it is the best, and each is queued once.
    fn slender_supply(&self) -> Vec<[u32; 2]> {
        let mut tree = Tree::new(self.parts());
        let mut met = Bits::new(self.parts());
        let mut above = vec![NONE; self.parts()];
        let mut queue = Rising::new();
        for s in self.fed_at_once() {
            met.set(s);
            queue.push_key(0, s);
        }
        while let Some((cost, part)) = queue.pop() {
            let at = tree.order.len() as u32;
            tree.push(part, above[part as usize]);
            self.beyond(part, |p| {
                if met.set(p) {
                    let valves = if (p as usize) < self.count { self.touches(p).len() as u64 } else { 0 };
                    above[p as usize] = at;
                    queue.push_key(cost + valves * valves, p);
                }
            });
        }
        tree.ranges(self.parts(), |_| 1)
    }

    /// Each part under the last one that all its ways from the sources pass. Parts and open valves are a graph without
    /// directions, the sources one vertex: what hangs on a part alone lies behind it in the tree of blocks and cut vertices
    /// (Hopcroft & Tarjan 1973).
    fn lone_supply(&self) -> Tree {
        // In the order of a walk into the depth, where 0 are the sources together: the number of each part, and the least
        // one that it and those below it touch.
        let (mut number, mut low) = (vec![0u32; self.parts()], Vec::with_capacity(self.parts()));
        let mut tree = Tree::new(self.parts());
        let visit = |part: u32, above: u32, tree: &mut Tree, number: &mut [u32], low: &mut Vec<u32>| {
            tree.push(part, above);
            number[part as usize] = tree.order.len() as u32;
            let source = self.sources.get(part as usize).is_some_and(|s| *s > 0);
            low.push(if source { 0 } else { tree.order.len() as u32 });
        };
        // The parts on the way down, each with how many of its neighbours have been looked at.
        let mut calls: Vec<(u32, usize)> = Vec::new();
        for start in self.fed_at_once() {
            if number[start as usize] != 0 {
                continue;
            }
            calls.push((low.len() as u32, 0));
            visit(start, NONE, &mut tree, &mut number, &mut low);
            while let Some((i, looked)) = calls.last_mut() {
                let i = *i as usize;
                let part = tree.order[i];
                let next = match self.junction(part) {
                    Some(v) => self.sides(v).get(*looked).copied(),
                    None => self.touches(part).get(*looked).map(|t| if t.closed() { NONE } else { t.other }),
                };
                *looked += 1;
                match next {
                    None => {
                        calls.pop();
                        if let Some(&(above, _)) = calls.last() {
                            low[above as usize] = low[above as usize].min(low[i]);
                        }
                    }
                    Some(NONE) => {}
                    Some(p) if number[p as usize] == 0 => {
                        calls.push((low.len() as u32, 0));
                        visit(p, i as u32, &mut tree, &mut number, &mut low);
                    }
                    Some(p) => low[i] = low[i].min(number[p as usize]),
                }
            }
        }
        // What touches nothing above the one that the walk came from hangs on that, else on the same as that.
        for i in 0..low.len() {
            let above = tree.above[i];
            if above != NONE && low[i] <= above {
                tree.above[i] = tree.above[above as usize];
            }
        }
        tree
    }
}

/// A forest of parts, each with the place in `order` of the one above it, which stands before it.
struct Tree {
    order: Vec<u32>,
    above: Vec<u32>,
}

impl Tree {
    fn new(parts: usize) -> Self {
        Self { order: Vec::with_capacity(parts), above: Vec::with_capacity(parts) }
    }
    fn push(&mut self, part: u32, above: u32) {
        self.order.push(part);
        self.above.push(above);
    }

    /// Numbers for all parts, so that every subtree is one range; each takes as many as it weighs. `NONE` for what is not
    /// in the forest.
    fn ranges(&self, parts: usize, weight: impl Fn(u32) -> u32) -> Vec<[u32; 2]> {
        let mut size: Vec<u32> = self.order.iter().map(|p| weight(*p)).collect();
        for (i, &above) in self.above.iter().enumerate().rev().filter(|a| *a.1 != NONE) {
            size[above as usize] += size[i];
        }
        // Where the next child of each begins.
        let (mut range, mut next, mut root) = (vec![[NONE; 2]; parts], vec![0u32; size.len()], 0u32);
        for (i, (&part, &above)) in self.order.iter().zip(&self.above).enumerate() {
            let slot = if above == NONE { &mut root } else { &mut next[above as usize] };
            let from = *slot;
            *slot += size[i];
            range[part as usize] = [from, from + size[i]];
            next[i] = from + weight(part);
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
