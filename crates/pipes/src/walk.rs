//! What hangs together with a place: upstream, downstream, connected, the shortest way, a pressure zone.
//!
//! Upstream and downstream follow the declared direction, in drains the fall of the inverts. In a network under
//! pressure an edge without a declared direction runs from the end that is nearer to a source to the other, counted
//! along the pipes; where that does not decide (no source, both ends as near) it is walked both ways, and the answer
//! counts such edges.

use crate::{
    network::{Half, LinkKind, NONE, Network, PointKind},
    pipe::Class,
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
};

/// What a walk follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Upstream,
    Downstream,
    Connected,
    /// Connected, up to pumps, regulators, control valves, closed valves and pipes of another pressure class.
    Zone,
}

/// Where a walk ends.
#[derive(Debug, Clone, Default)]
pub struct Stops {
    /// At every valve, not only at closed ones.
    pub any_valve: bool,
    /// Walks through closed valves and closed pipes.
    pub ignore_closed: bool,
    /// Nodes closed for this question.
    pub closed: HashSet<u32>,
    /// Edges whose far end would be beyond it are walked, and nothing after them, m along the walk.
    pub max_distance_m: Option<f64>,
}

/// What a walk met, in its order: edges by the number of steps, then as they lie in the network.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Reach {
    pub edges: Vec<u32>,
    /// Steps from the start, for each edge: 0 for those at it.
    pub hops: Vec<u32>,
    /// To the far end of each edge, m along the walk (the first way found, not always the shortest).
    pub distance_m: Vec<f64>,
    /// Nodes met, the starts first.
    pub nodes: Vec<u32>,
    /// Of those, where the walk was stopped.
    pub stopped: Vec<u32>,
    pub length_m: f64,
    /// Edges walked whose direction is not known.
    pub undirected: usize,
}

/// One bit for each of many.
#[derive(Debug, Clone)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }
    pub fn has(&self, i: u32) -> bool {
        self.0[i as usize / 64] >> (i % 64) & 1 == 1
    }
    /// Whether it was not set before.
    pub fn set(&mut self, i: u32) -> bool {
        let (word, bit) = (&mut self.0[i as usize / 64], 1 << (i % 64));
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }
}

/// A node during a walk: not met, met, or left by all its edges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Far,
    Met,
    Left,
}

/// The edges of so many nodes are fetched from memory together before the walk takes them: one by one it waits for each.
const TOGETHER: usize = 48;

/// Walks from the nodes, breadth first. `flow` is [`directions`] of the network; not read for `Connected` and `Zone`.
pub fn reach(net: &Network, starts: &[u32], direction: Direction, flow: &[i8], stops: &Stops) -> Reach {
    let mut out = Reach::default();
    let mut state = vec![State::Far; net.nodes.len()];
    // The nodes that are so many steps away, each with its distance, and those that are one more.
    let (mut level, mut next_level): (Vec<(u32, f64)>, Vec<(u32, f64)>) = Default::default();
    for &n in starts {
        if state[n as usize] == State::Far {
            state[n as usize] = State::Met;
            out.nodes.push(n);
            level.push((n, 0.0));
        }
    }
    // A zone keeps the pressure class it begins with.
    let pressure = starts.first().and_then(|n| net.halves(*n).map(|h| net.pipe(h.edge).pressure).find(|p| *p != 0)).unwrap_or(0);
    let other_zone = |edge: u32| {
        let row = net.pipe(edge);
        row.kind != LinkKind::Pipe || (pressure != 0 && row.pressure != 0 && row.pressure != pressure)
    };
    let blocks = |n: u32| {
        (!stops.ignore_closed && (net.is_closed(n) || stops.closed.contains(&n)))
            || (stops.any_valve && net.kind(n) == PointKind::Valve)
            || (direction == Direction::Zone && matches!(net.kind(n), PointKind::Pump | PointKind::Regulator))
    };
    let (any_shut, any_stop) = (net.any_shut() && !stops.ignore_closed, stops.any_valve || !stops.closed.is_empty() || net.any_closed());
    let stoppable = any_stop || direction == Direction::Zone;
    for hops in 0.. {
        for (i, &(n, distance)) in level.iter().enumerate() {
            if i % TOGETHER == 0 {
                let rows =
                    level[i..].iter().take(TOGETHER).flat_map(|(n, _)| net.steps(*n).first().into_iter().chain(net.steps(*n).last()));
                std::hint::black_box(rows.fold(0, |all, step| all ^ step.other));
            }
            state[n as usize] = State::Left;
            for step in net.steps(n) {
                let (edge, other) = (step.edge(), step.other);
                let across = state[other as usize];
                // What was left took all its edges with it, but for those that it could not walk in that sense.
                let mut walked = if other == n { step.half().end == 1 } else { across == State::Left };
                if let Direction::Upstream | Direction::Downstream = direction {
                    let sense = along_flow(step.half(), flow);
                    if sense != 0 {
                        if (sense > 0) != (direction == Direction::Downstream) {
                            continue;
                        }
                        walked = false;
                    } else if !(walked || any_shut && net.is_shut(edge)) {
                        out.undirected += 1;
                    }
                }
                if walked || (any_shut && net.is_shut(edge)) || (direction == Direction::Zone && other_zone(edge)) {
                    continue;
                }
                let far = distance + step.length_m;
                out.edges.push(edge);
                out.distance_m.push(far);
                out.length_m += step.length_m;
                if across == State::Far {
                    state[other as usize] = State::Met;
                    out.nodes.push(other);
                    if stoppable && blocks(other) {
                        out.stopped.push(other);
                    } else if stops.max_distance_m.is_none_or(|m| far < m) {
                        next_level.push((other, far));
                    }
                }
            }
        }
        out.hops.resize(out.edges.len(), hops);
        std::mem::swap(&mut level, &mut next_level);
        next_level.clear();
        if level.is_empty() {
            break;
        }
    }
    out
}

/// +1 when leaving a node by this half goes with the flow, -1 against it, 0 when it is not known.
fn along_flow(half: Half, flow: &[i8]) -> i8 {
    if half.end == 0 { flow[half.edge as usize] } else { -flow[half.edge as usize] }
}

/// Direction of every edge: +1 start to end, -1 end to start, 0 not known.
pub fn directions(net: &Network) -> Vec<i8> {
    let mut flow: Vec<i8> = net.edges.iter().map(|e| e.flow).collect();
    if net.class == Class::Ps || !flow.contains(&0) {
        return flow;
    }
    let sources: Vec<u32> = net.terminals().collect();
    if sources.is_empty() {
        return flow;
    }
    let far = distances(net, &sources);
    for (e, f) in net.edges.iter().zip(&mut flow).filter(|(_, f)| **f == 0) {
        let [a, b] = e.ends.map(|n| far[n as usize]);
        // What hangs on no source has both ends infinitely far.
        *f = if a < b { 1 } else { -i8::from(b < a) };
    }
    flow
}

/// Distance of every node from the nearest of `from` along open pipes, m; infinite where none is reached.
pub fn distances(net: &Network, from: &[u32]) -> Vec<f64> {
    let mut far = vec![f64::INFINITY; net.nodes.len()];
    let mut heap = BinaryHeap::new();
    for &n in from {
        far[n as usize] = 0.0;
        heap.push((Reverse(Metres(0.0)), n));
    }
    while let Some((Reverse(Metres(d)), n)) = heap.pop() {
        if d > far[n as usize] || (d > 0.0 && net.is_closed(n)) {
            continue;
        }
        for step in net.steps(n) {
            let next = d + step.length_m;
            if next < far[step.other as usize] && !net.is_shut(step.edge()) {
                far[step.other as usize] = next;
                heap.push((Reverse(Metres(next)), step.other));
            }
        }
    }
    far
}

/// A length that can be ordered: never NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Metres(pub f64);
impl Eq for Metres {}
impl PartialOrd for Metres {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Metres {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// A way through the network: its edges in order and its length, m.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    pub edges: Vec<u32>,
    pub nodes: Vec<u32>,
    pub length_m: f64,
}

/// A queue whose least key never falls (radix heap: Ahuja, Mehlhorn, Orlin & Tarjan 1990): an entry moves to a lower
/// bucket a few times, by plain copying, where a binary heap compares at every level.
pub(crate) struct Rising {
    last: u64,
    /// By the highest bit in which the key differs from `last`; the first holds those that are equal.
    buckets: [Vec<(u64, u32)>; 65],
}

impl Rising {
    pub fn new() -> Self {
        Self { last: 0, buckets: [const { Vec::new() }; 65] }
    }
    fn bucket(&self, key: u64) -> usize {
        64 - (key ^ self.last).leading_zeros() as usize
    }
    /// A length that is not negative; its bits are in the order of its values.
    fn push(&mut self, key: f64, node: u32) {
        // Rounding may put a sum a little below the last one.
        self.push_key(key.to_bits().max(self.last), node);
    }
    /// Not below the last one that came out.
    pub fn push_key(&mut self, key: u64, node: u32) {
        let bucket = self.bucket(key);
        self.buckets[bucket].push((key, node));
    }
    pub fn pop(&mut self) -> Option<(u64, u32)> {
        if self.buckets[0].is_empty() {
            let full = self.buckets.iter().position(|b| !b.is_empty())?;
            let mut moved = std::mem::take(&mut self.buckets[full]);
            self.last = moved.iter().map(|e| e.0).min()?;
            for e in moved.drain(..) {
                let bucket = self.bucket(e.0);
                self.buckets[bucket].push(e);
            }
            self.buckets[full] = moved;
        }
        self.buckets[0].pop()
    }
}

/// The shortest way between two nodes; `None` when there is none. A* with the straight distance and the landmarks as its bound.
pub fn shortest(net: &Network, from: u32, to: u32, stops: &Stops) -> Option<Way> {
    let blocked = |n: u32| n != from && n != to && !stops.ignore_closed && (net.is_closed(n) || stops.closed.contains(&n));
    // Length of the way to each node, and the edge by which it comes.
    let mut best = vec![(f64::INFINITY, NONE); net.nodes.len()];
    let mut done = Bits::new(net.nodes.len());
    let mut queue = Rising::new();
    let landmarks = net.landmarks();
    let goal = *landmarks.of(to);
    best[from as usize].0 = 0.0;
    queue.push(0.0, from);
    while let Some((_, n)) = queue.pop() {
        if n == to {
            break;
        }
        if !done.set(n) || blocked(n) {
            continue;
        }
        let far = best[n as usize].0;
        for step in net.steps(n) {
            let next = far + step.length_m;
            let known = &mut best[step.other as usize];
            if next < known.0 && (stops.ignore_closed || !net.is_shut(step.edge())) {
                *known = (next, step.edge());
                queue.push(next + net.least_m(step.other, to).max(landmarks.least_m(step.other, &goal)), step.other);
            }
        }
    }
    let length_m = best[to as usize].0;
    if length_m.is_infinite() {
        return None;
    }
    let (mut edges, mut nodes) = (Vec::new(), vec![to]);
    let mut at = to;
    while at != from {
        let edge = best[at as usize].1;
        edges.push(edge);
        let [a, b] = net.edges[edge as usize].ends;
        at = if a == at { b } else { a };
        nodes.push(at);
    }
    edges.reverse();
    nodes.reverse();
    Some(Way { edges, nodes, length_m })
}
