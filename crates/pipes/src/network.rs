//! 管网 one class of pipes as a graph: nodes where pipes meet, edges between them, in compact arrays.
//!
//! An edge is a pipe feature, or a piece of one that another pipe joins midway. Positions are in the working frame,
//! `[east_m, north_m, height_m]`, on the pipes' axes; a node without a pipe stands where its point was surveyed.
//! [`crate::joining`] says how ends come together.

use crate::{landmarks::Landmarks, pipe::Class, walk::Bits};
use serde::Serialize;
use std::{collections::HashMap, sync::OnceLock};
use strata_model::{FeatureId, LayerId, Point3};

/// No such node, edge or pipe.
pub const NONE: u32 = u32::MAX;

/// What stands at a node; the words of the `pipe_points` layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PointKind {
    Well,
    Valve,
    Hydrant,
    Tee,
    Bend,
    Cross,
    Reducer,
    Cap,
    Gully,
    Outfall,
    Source,
    Meter,
    Pump,
    Tank,
    Sensor,
    /// Between two pressures: 调压箱, 调压站.
    Regulator,
    Other,
    /// Pipes meet here but no point was surveyed.
    None,
}

impl PointKind {
    pub const ALL: [Self; 18] = [
        Self::Well,
        Self::Valve,
        Self::Hydrant,
        Self::Tee,
        Self::Bend,
        Self::Cross,
        Self::Reducer,
        Self::Cap,
        Self::Gully,
        Self::Outfall,
        Self::Source,
        Self::Meter,
        Self::Pump,
        Self::Tank,
        Self::Sensor,
        Self::Regulator,
        Self::Other,
        Self::None,
    ];

    pub fn word(self) -> &'static str {
        const WORDS: [&str; 18] = [
            "well",
            "valve",
            "hydrant",
            "tee",
            "bend",
            "cross",
            "reducer",
            "cap",
            "gully",
            "outfall",
            "source",
            "meter",
            "pump",
            "tank",
            "sensor",
            "regulator",
            "other",
            "none",
        ];
        WORDS[self as usize]
    }
    /// By its word; a word that is not known is `Other`.
    pub fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|k| k.word() == word && *k != Self::None).unwrap_or(Self::Other)
    }
    /// Feeds a network under pressure.
    pub fn is_source(self) -> bool {
        matches!(self, Self::Source | Self::Tank)
    }
}

/// A place where pipes end or meet.
#[derive(Debug, Clone)]
pub struct Node {
    /// The point's number; `None` where ends were joined by their place.
    pub id: Option<FeatureId>,
    pub at: Point3,
    pub kind: PointKind,
    /// A feature of a point layer stands behind it.
    pub surveyed: bool,
    /// A valve that stands closed.
    pub closed: bool,
    /// A valve that can be turned.
    pub operable: bool,
    /// Height of the ground as surveyed, m.
    pub ground_m: Option<f64>,
}

/// A pipe or a piece of one.
#[derive(Debug, Clone, Copy)]
pub struct Edge {
    /// Start and end in the sense of the pipe's axis.
    pub ends: [u32; 2],
    /// Index into [`Network::pipes`].
    pub pipe: u32,
    /// As the network's file declares it, else along the axis in space, m.
    pub length_m: f64,
    /// +1: start to end, -1: end to start, 0: not known.
    pub flow: i8,
    /// Closed in the network's file.
    pub closed: bool,
    axis: [u32; 2],
}

/// What a link is to the water; everything but `Pipe` comes from a network model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    Pipe,
    Pump,
    /// A pressure-reducing, flow-control … valve modelled as a link.
    Valve,
}

/// One pipe feature.
#[derive(Debug, Clone)]
pub struct PipeRow {
    pub layer: u16,
    pub id: FeatureId,
    pub kind: LinkKind,
    /// Bore or nominal size, m; 0 when not known.
    pub diameter_m: f64,
    pub inverts_m: Option<[f64; 2]>,
    /// Index into [`Network::words`]: subclass, pressure, material.
    pub subclass: u16,
    pub pressure: u16,
    pub material: u16,
    /// Closed in the network's file.
    pub closed: bool,
    /// 0: along the axis, 1: against it, as surveyed.
    pub declared_flow: Option<bool>,
    pub declared_length_m: Option<f64>,
    /// Point numbers as surveyed.
    pub ends: [Option<FeatureId>; 2],
}

/// A graph in arrays. Indices are `u32`; a network has fewer than 2³¹ edges.
#[derive(Debug)]
pub struct Network {
    pub class: Class,
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    pub pipes: Vec<PipeRow>,
    pub layers: Vec<LayerId>,
    /// Texts that many pipes share; the first is empty.
    pub words: Vec<Box<str>>,
    /// Pipes left out because they are abandoned.
    pub abandoned: usize,
    axis: Vec<Point3>,
    first: Vec<u32>,
    /// What a walk asks at every step lies together, so that a node costs one or two lines of the cache.
    steps: Vec<Step>,
    /// Kind, and whether it stands closed, of each node.
    kinds: Vec<(PointKind, bool)>,
    /// Closed in the network's file, of each edge.
    shut: Bits,
    any_shut: bool,
    any_closed: bool,
    /// Where each node stands in plan.
    plan: Vec<[f64; 2]>,
    /// No edge is shorter than this share of the straight way between its ends in plan.
    straightness: f64,
    /// Made when the first way is asked for.
    landmarks: OnceLock<Landmarks>,
    by_point: HashMap<FeatureId, u32>,
    by_pipe: HashMap<FeatureId, u32>,
    /// First edge of each pipe; the pieces of one pipe, and the parts of one feature, follow each other.
    first_edge: Vec<u32>,
}

/// An edge as seen from one of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Half {
    pub edge: u32,
    /// 0: its start lies here, 1: its end.
    pub end: usize,
}

/// From a node over one of its edges.
#[derive(Debug, Clone, Copy, Default)]
pub struct Step {
    /// Edge in the upper bits, which of its ends lies here in the lowest.
    half: u32,
    /// The node across.
    pub other: u32,
    pub length_m: f64,
}

impl Step {
    pub fn edge(self) -> u32 {
        self.half >> 1
    }
    pub fn half(self) -> Half {
        Half { edge: self.half >> 1, end: (self.half & 1) as usize }
    }
}

/// Edges with the axis points of each, before they become a network.
pub(crate) struct Parts {
    pub class: Class,
    pub nodes: Vec<Node>,
    pub pipes: Vec<PipeRow>,
    pub layers: Vec<LayerId>,
    pub words: Vec<Box<str>>,
    pub abandoned: usize,
    /// Pipe, ends and range of `axis`, in the order of the pipes.
    pub edges: Vec<(u32, [u32; 2], [u32; 2])>,
    pub axis: Vec<Point3>,
    pub by_point: HashMap<FeatureId, u32>,
}

impl Network {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { class, nodes, pipes, layers, words, abandoned, edges, axis, by_point } = parts;
        let mut pieces = vec![0u32; pipes.len()];
        edges.iter().for_each(|e| pieces[e.0 as usize] += 1);
        let mut first_edge = vec![NONE; pipes.len()];
        let edges: Vec<Edge> = edges
            .into_iter()
            .enumerate()
            .map(|(i, (pipe, ends, range))| {
                let row = &pipes[pipe as usize];
                let first = &mut first_edge[pipe as usize];
                *first = (*first).min(i as u32);
                let length = along(&axis[range[0] as usize..range[1] as usize]);
                let declared = row.declared_length_m.filter(|_| pieces[pipe as usize] == 1);
                Edge { ends, pipe, length_m: declared.unwrap_or(length), flow: flow(class, row), closed: row.closed, axis: range }
            })
            .collect();
        let mut first = vec![0u32; nodes.len() + 1];
        edges.iter().flat_map(|e| e.ends).for_each(|n| first[n as usize + 1] += 1);
        (0..nodes.len()).for_each(|i| first[i + 1] += first[i]);
        let mut next = first.clone();
        let mut steps = vec![Step::default(); edges.len() * 2];
        let mut shut = Bits::new(edges.len());
        let plan: Vec<[f64; 2]> = nodes.iter().map(|n| [n.at[0], n.at[1]]).collect();
        let mut straightness = 1.0f64;
        for (i, e) in edges.iter().enumerate() {
            for (k, n) in e.ends.into_iter().enumerate() {
                let half = (i as u32) << 1 | k as u32;
                steps[next[n as usize] as usize] = Step { half, other: e.ends[1 - k], length_m: e.length_m };
                next[n as usize] += 1;
            }
            if e.closed {
                shut.set(i as u32);
            }
            let [a, b] = e.ends.map(|n| plan[n as usize]);
            let straight = (a[0] - b[0]).hypot(a[1] - b[1]);
            if straight > 0.0 {
                straightness = straightness.min(e.length_m / straight);
            }
        }
        let mut by_pipe = HashMap::with_capacity(pipes.len());
        for (i, p) in pipes.iter().enumerate() {
            by_pipe.entry(p.id.clone()).or_insert(i as u32);
        }
        let kinds = nodes.iter().map(|n| (n.kind, n.closed)).collect();
        let (any_shut, any_closed) = (edges.iter().any(|e| e.closed), nodes.iter().any(|n| n.closed));
        Self {
            class,
            nodes,
            edges,
            pipes,
            layers,
            words,
            abandoned,
            axis,
            first,
            steps,
            kinds,
            shut,
            any_shut,
            any_closed,
            plan,
            straightness,
            landmarks: OnceLock::new(),
            by_point,
            by_pipe,
            first_edge,
        }
    }

    /// Edges that end here; a self-loop comes twice.
    pub fn halves(&self, node: u32) -> impl ExactSizeIterator<Item = Half> + Clone {
        self.steps(node).iter().map(|s| s.half())
    }
    /// [`Network::halves`] with the node across each, and its length.
    pub fn steps(&self, node: u32) -> &[Step] {
        &self.steps[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }
    /// The edge is closed in the network's file.
    pub fn is_shut(&self, edge: u32) -> bool {
        self.shut.has(edge)
    }
    /// Some edge is closed in the network's file.
    pub(crate) fn any_shut(&self) -> bool {
        self.any_shut
    }
    /// Some valve stands closed.
    pub(crate) fn any_closed(&self) -> bool {
        self.any_closed
    }
    pub(crate) fn landmarks(&self) -> &Landmarks {
        self.landmarks.get_or_init(|| Landmarks::new(self))
    }
    /// Makes what the shortest way needs; else the first question for one does.
    pub fn ready_for_ways(&self) {
        self.landmarks();
    }
    pub fn kind(&self, node: u32) -> PointKind {
        self.kinds[node as usize].0
    }
    /// A valve that stands closed.
    pub fn is_closed(&self, node: u32) -> bool {
        self.kinds[node as usize].1
    }
    /// No way between the two nodes is shorter, m.
    pub fn least_m(&self, from: u32, to: u32) -> f64 {
        let ([a, b], [c, d]) = (self.plan[from as usize], self.plan[to as usize]);
        self.straightness * ((a - c).powi(2) + (b - d).powi(2)).sqrt()
    }
    pub fn degree(&self, node: u32) -> usize {
        (self.first[node as usize + 1] - self.first[node as usize]) as usize
    }
    /// The node at the other end.
    pub fn across(&self, half: Half) -> u32 {
        self.edges[half.edge as usize].ends[1 - half.end]
    }
    pub fn axis(&self, edge: u32) -> &[Point3] {
        let [from, to] = self.edges[edge as usize].axis;
        &self.axis[from as usize..to as usize]
    }
    pub fn pipe(&self, edge: u32) -> &PipeRow {
        &self.pipes[self.edges[edge as usize].pipe as usize]
    }
    pub fn word(&self, index: u16) -> &str {
        &self.words[index as usize]
    }
    /// The node of a point number.
    pub fn node_of(&self, id: &str) -> Option<u32> {
        self.by_point.get(&FeatureId::from(id)).copied()
    }
    /// All pieces of a pipe, start to end.
    pub fn edges_of(&self, id: &str) -> Option<std::ops::Range<u32>> {
        let pipe = *self.by_pipe.get(&FeatureId::from(id))?;
        let from = self.first_edge[pipe as usize];
        let own = |e: u32| self.edges.get(e as usize).is_some_and(|e| self.pipes[e.pipe as usize].id.as_str() == id);
        let mut to = from;
        while own(to) {
            to += 1;
        }
        Some(from..to)
    }
    /// What feeds the network; for drains, what it runs out of.
    pub fn terminals(&self) -> impl Iterator<Item = u32> + '_ {
        let drain = self.class == Class::Ps;
        let wanted = move |k: PointKind| if drain { k == PointKind::Outfall } else { k.is_source() };
        (0..self.nodes.len() as u32).filter(move |n| wanted(self.kind(*n)))
    }

    /// A number for each node, the same for all that hang together whatever stands between; and how many there are.
    pub fn components(&self) -> (Vec<u32>, usize) {
        let mut of = vec![NONE; self.nodes.len()];
        let (mut count, mut stack) = (0u32, Vec::new());
        for start in 0..self.nodes.len() as u32 {
            if of[start as usize] != NONE {
                continue;
            }
            of[start as usize] = count;
            stack.push(start);
            while let Some(n) = stack.pop() {
                for half in self.halves(n) {
                    let other = self.across(half);
                    if of[other as usize] == NONE {
                        of[other as usize] = count;
                        stack.push(other);
                    }
                }
            }
            count += 1;
        }
        (of, count as usize)
    }
}

/// Declared direction first; a drain without one runs the way its inverts fall.
fn flow(class: Class, p: &PipeRow) -> i8 {
    match (p.declared_flow, p.inverts_m) {
        (Some(against), _) => 1 - 2 * i8::from(against),
        (None, Some([a, b])) if class == Class::Ps && a != b => 1 - 2 * i8::from(b > a),
        _ => 0,
    }
}

/// Length of a line in space, m.
pub(crate) fn along(line: &[Point3]) -> f64 {
    line.windows(2).map(|w| (0..3).map(|k| (w[1][k] - w[0][k]).powi(2)).sum::<f64>().sqrt()).sum()
}
