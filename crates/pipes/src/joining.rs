//! How the ends of pipes come together in a [`Network`].
//!
//! 1. An end that names a point (`start_point`, `end_point`) is joined there, wherever it lies: the survey said so.
//! 2. An end without a name is joined to the nearest node within the tolerance in plan and in height (a point that no
//!    pipe has touched yet has no height of its axis, so its plan alone counts).
//! 3. An end without a name that met nothing, but lies so close to the middle of another pipe, joins it there: a
//!    T-junction, which cuts that pipe into two edges.
//!
//! The tolerances are those of two independent surveys: 2 × 0.05 m in plan, 2 × 0.075 × 2 m in depth (CJJ 61-2017,
//! limits of hidden points at 2 m).

use crate::{
    network::{LinkKind, NONE, Network, Node, Parts, PipeRow, PointKind},
    pipe::Class,
};
use rstar::{AABB, RTree, primitives::GeomWithData, primitives::Rectangle};
use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
};
use strata_engine::{EngineError, View};
use strata_model::{Feature, FeatureId, Geometry, Layer, LayerId, Point3, Query, Theme};

/// What belongs to a network and how near is together.
#[derive(Debug, Clone, PartialEq)]
pub struct Joining {
    pub class: Class,
    /// Only this subclass (`WS`, `YS`, …); all of the class without one.
    pub subclass: Option<String>,
    pub tolerance_m: f64,
    pub height_tolerance_m: f64,
    /// Abandoned pipes are taken too.
    pub abandoned: bool,
}

impl Joining {
    pub fn of(class: Class) -> Self {
        Self { class, subclass: None, tolerance_m: 0.10, height_tolerance_m: 0.30, abandoned: false }
    }
}

/// A point before it is a node.
#[derive(Debug, Clone, Copy)]
pub struct PointRow {
    pub at: Point3,
    pub kind: PointKind,
    pub closed: bool,
    pub operable: bool,
    pub ground_m: Option<f64>,
}

impl PointRow {
    pub fn new(kind: PointKind, at: Point3) -> Self {
        Self { at, kind, closed: false, operable: true, ground_m: None }
    }
}

/// Takes points and pipes one by one, in any order, and joins them at the end.
#[derive(Debug)]
pub struct Builder {
    joining: Joining,
    nodes: Vec<Node>,
    /// Whether a node's height is that of an axis.
    placed: Vec<bool>,
    by_point: HashMap<FeatureId, u32>,
    pipes: Vec<PipeRow>,
    lines: Vec<[u32; 2]>,
    axis: Vec<Point3>,
    layers: Vec<LayerId>,
    words: Vec<Box<str>>,
    word_of: HashMap<Box<str>, u16>,
    abandoned: usize,
}

impl Builder {
    pub fn new(joining: Joining) -> Self {
        Self {
            joining,
            nodes: Vec::new(),
            placed: Vec::new(),
            by_point: HashMap::new(),
            pipes: Vec::new(),
            lines: Vec::new(),
            axis: Vec::new(),
            layers: Vec::new(),
            words: vec!["".into()],
            word_of: HashMap::from([("".into(), 0)]),
            abandoned: 0,
        }
    }

    /// A surveyed point. The first of two with one number stands.
    pub fn point(&mut self, id: FeatureId, row: PointRow) {
        if self.by_point.contains_key(&id) {
            return;
        }
        self.by_point.insert(id.clone(), self.nodes.len() as u32);
        let PointRow { at, kind, closed, operable, ground_m } = row;
        self.nodes.push(Node { id: Some(id), at, kind, surveyed: true, closed, operable, ground_m });
        self.placed.push(false);
    }

    /// A pipe with its axis of two points or more.
    pub fn pipe(&mut self, row: PipeRow, axis: &[Point3]) {
        let from = self.axis.len() as u32;
        self.axis.extend_from_slice(axis);
        self.lines.push([from, self.axis.len() as u32]);
        self.pipes.push(row);
    }

    /// A number for a text that comes often; texts beyond 65 535 different ones are taken as empty.
    pub fn word(&mut self, text: &str) -> u16 {
        if let Some(i) = self.word_of.get(text) {
            return *i;
        }
        let Ok(i) = u16::try_from(self.words.len()) else { return 0 };
        self.words.push(text.into());
        self.word_of.insert(text.into(), i);
        i
    }

    pub fn finish(mut self) -> Network {
        let mut ends = vec![[NONE; 2]; self.pipes.len()];
        let mut nameless = false;
        for (i, end) in ends.iter_mut().enumerate() {
            for (k, slot) in end.iter_mut().enumerate() {
                match self.pipes[i].ends[k].clone() {
                    Some(id) => *slot = self.named(id, self.end_of(i, k)),
                    None => nameless = true,
                }
            }
        }
        let mut cuts = BTreeMap::new();
        if nameless {
            let fresh = self.snap(&mut ends);
            cuts = self.tees(&ends, &fresh);
        }
        let mut edges = Vec::with_capacity(self.pipes.len());
        for (i, [from, to]) in self.lines.clone().into_iter().enumerate() {
            match cuts.remove(&(i as u32)) {
                None => edges.push((i as u32, ends[i], [from, to])),
                Some(cuts) => self.cut(i as u32, ends[i], [from, to], cuts, &mut edges),
            }
        }
        let Self { joining, nodes, by_point, pipes, axis, layers, words, abandoned, .. } = self;
        Network::new(Parts { class: joining.class, nodes, pipes, layers, words, abandoned, edges, axis, by_point })
    }

    fn end_of(&self, pipe: usize, end: usize) -> Point3 {
        let [from, to] = self.lines[pipe];
        self.axis[if end == 0 { from } else { to - 1 } as usize]
    }

    /// The node of a number; made where no point has it. The first pipe gives the height of the axis.
    fn named(&mut self, id: FeatureId, at: Point3) -> u32 {
        if let Some(&n) = self.by_point.get(&id) {
            let i = n as usize;
            if !self.placed[i] {
                self.placed[i] = true;
                self.nodes[i].at[2] = at[2];
            }
            return n;
        }
        self.by_point.insert(id.clone(), self.nodes.len() as u32);
        self.node(Some(id), at)
    }

    fn node(&mut self, id: Option<FeatureId>, at: Point3) -> u32 {
        self.nodes.push(Node { id, at, kind: PointKind::None, surveyed: false, closed: false, operable: false, ground_m: None });
        self.placed.push(true);
        (self.nodes.len() - 1) as u32
    }

    /// Joins ends without a name by their place; gives the nodes that were made for ends that met nothing.
    fn snap(&mut self, ends: &mut [[u32; 2]]) -> Vec<u32> {
        let size = self.joining.tolerance_m.max(1e-6);
        let cell = |p: Point3| [(p[0] / size).floor() as i64, (p[1] / size).floor() as i64];
        let mut grid: HashMap<[i64; 2], Vec<u32>> = HashMap::with_capacity(self.nodes.len());
        for (i, n) in self.nodes.iter().enumerate() {
            grid.entry(cell(n.at)).or_default().push(i as u32);
        }
        let mut met: HashMap<u32, bool> = HashMap::new();
        for (i, pair) in ends.iter_mut().enumerate() {
            for (k, slot) in pair.iter_mut().enumerate() {
                if *slot != NONE {
                    continue;
                }
                let at = self.end_of(i, k);
                let [x, y] = cell(at);
                let mut best: Option<(f64, u32)> = None;
                for n in (x - 1..=x + 1).flat_map(|x| (y - 1..=y + 1).map(move |y| [x, y])).filter_map(|c| grid.get(&c)).flatten() {
                    let other = &self.nodes[*n as usize];
                    let plan = (other.at[0] - at[0]).hypot(other.at[1] - at[1]);
                    let level = !self.placed[*n as usize] || (other.at[2] - at[2]).abs() <= self.joining.height_tolerance_m;
                    if plan <= self.joining.tolerance_m && level && best.is_none_or(|b| plan < b.0) {
                        best = Some((plan, *n));
                    }
                }
                *slot = match best {
                    Some((_, n)) => {
                        if !self.placed[n as usize] {
                            self.placed[n as usize] = true;
                            self.nodes[n as usize].at[2] = at[2];
                        }
                        met.entry(n).and_modify(|m| *m = true);
                        n
                    }
                    None => {
                        let n = self.node(None, at);
                        grid.entry([x, y]).or_default().push(n);
                        met.insert(n, false);
                        n
                    }
                };
            }
        }
        let mut lonely: Vec<u32> = met.into_iter().filter(|m| !m.1).map(|m| m.0).collect();
        lonely.sort_unstable();
        lonely
    }

    /// Where lonely ends lie on the middle of other pipes: by pipe, the cuts as (segment, share of it, node).
    fn tees(&self, ends: &[[u32; 2]], lonely: &[u32]) -> BTreeMap<u32, Vec<(u32, f64, u32)>> {
        let mut cuts: BTreeMap<u32, Vec<(u32, f64, u32)>> = BTreeMap::new();
        if lonely.is_empty() {
            return cuts;
        }
        let (plan_m, height_m) = (self.joining.tolerance_m, self.joining.height_tolerance_m);
        let segments = (0..self.pipes.len() as u32)
            .flat_map(|p| (self.lines[p as usize][0]..self.lines[p as usize][1] - 1).map(move |s| (p, s)))
            .map(|(p, s)| {
                let [a, b] = [self.axis[s as usize], self.axis[s as usize + 1]];
                GeomWithData::new(Rectangle::from_corners([a[0], a[1]], [b[0], b[1]]), (p, s))
            })
            .collect::<Vec<_>>();
        let tree = RTree::bulk_load(segments);
        for &n in lonely {
            let at = self.nodes[n as usize].at;
            let window = AABB::from_corners([at[0] - plan_m, at[1] - plan_m], [at[0] + plan_m, at[1] + plan_m]);
            let mut best: Option<(f64, u32, u32, f64)> = None;
            for hit in tree.locate_in_envelope_intersecting(window) {
                let (pipe, s) = hit.data;
                if ends[pipe as usize].contains(&n) {
                    continue;
                }
                let (a, b) = (self.axis[s as usize], self.axis[s as usize + 1]);
                let (share, plan, height) = nearest(a, b, at);
                if plan <= plan_m && (height - at[2]).abs() <= height_m && best.is_none_or(|x| plan < x.0) {
                    best = Some((plan, pipe, s, share));
                }
            }
            if let Some((_, pipe, s, share)) = best {
                cuts.entry(pipe).or_default().push((s, share, n));
            }
        }
        cuts
    }

    fn cut(
        &mut self,
        pipe: u32,
        ends: [u32; 2],
        [from, to]: [u32; 2],
        mut cuts: Vec<(u32, f64, u32)>,
        edges: &mut Vec<(u32, [u32; 2], [u32; 2])>,
    ) {
        cuts.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
        let line: Vec<Point3> = self.axis[from as usize..to as usize].to_vec();
        let mut piece = vec![line[0]];
        let (mut last, mut at) = (ends[0], from);
        let mut close = |this: &mut Self, piece: &[Point3], last: u32, next: u32| {
            let begin = this.axis.len() as u32;
            this.axis.extend_from_slice(piece);
            edges.push((pipe, [last, next], [begin, this.axis.len() as u32]));
        };
        for (s, share, node) in cuts {
            piece.extend((at + 1..=s).map(|i| line[(i - from) as usize]));
            at = s;
            let (a, b) = (line[(s - from) as usize], line[(s - from) as usize + 1]);
            let place = [0, 1, 2].map(|k| a[k] + (b[k] - a[k]) * share);
            piece.push(place);
            close(self, &piece, last, node);
            (piece, last) = (vec![place], node);
        }
        piece.extend((at + 1..to).map(|i| line[(i - from) as usize]));
        close(self, &piece, last, ends[1]);
    }
}

/// The point of `a b` nearest to `p` in plan: its share of the way, the distance in plan, its height.
pub(crate) fn nearest(a: Point3, b: Point3, p: Point3) -> (f64, f64, f64) {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let square = dx * dx + dy * dy;
    let share = if square > 0.0 { (((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
    let (x, y) = (a[0] + dx * share, a[1] + dy * share);
    (share, (p[0] - x).hypot(p[1] - y), a[2] + (b[2] - a[2]) * share)
}

/// What a network asks of points and pipes; of what else they have nothing is read.
const POINT_ATTRIBUTES: [&str; 7] = ["class", "subclass", "kind", "appurtenance", "valve_state", "operable", "ground_m"];
const PIPE_ATTRIBUTES: [&str; 16] = [
    "class",
    "subclass",
    "status",
    "start_point",
    "end_point",
    "dn_mm",
    "od_mm",
    "height_mm",
    "link_kind",
    "start_invert_m",
    "end_invert_m",
    "pressure",
    "material",
    "initial_status",
    "flow_dir",
    "length_m",
];

/// The layer with some of its attributes, and the question for all its features at the view's moment with no others.
pub(crate) fn only(view: &View, layer: &Layer, names: &[&str]) -> (Layer, Query) {
    let mut layer = layer.clone();
    layer.fields.retain(|f| names.contains(&f.name.as_str()));
    let mut q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at);
    q.attributes = Some(names.iter().map(|n| n.to_string()).collect());
    (layer, q)
}

impl Network {
    /// All pipes of a class and the points of that class at the view's moment, in all layers that the asker sees.
    /// A city without any gives an empty network.
    pub fn read(view: &View, joining: Joining) -> Result<Self, EngineError> {
        let mut b = Builder::new(joining);
        let layers = view.snapshot.layers(view.scope);
        for layer in layers.iter().filter(|l| l.theme == Theme::PipePoint) {
            let (layer, q) = only(view, layer, &POINT_ATTRIBUTES);
            view.snapshot.for_each(&q, &mut |f| {
                b.read_point(&layer, f);
                ControlFlow::Continue(())
            })?;
        }
        for layer in layers.iter().filter(|l| l.theme == Theme::Pipe) {
            let number = b.layers.len() as u16;
            b.layers.push(layer.id.clone());
            let (layer, q) = only(view, layer, &PIPE_ATTRIBUTES);
            view.snapshot.for_each(&q, &mut |f| {
                b.read_pipe(&layer, number, &f);
                ControlFlow::Continue(())
            })?;
        }
        Ok(b.finish())
    }
}

impl Builder {
    /// A point that says no subclass may stand on pipes of any; a pipe must say it.
    fn wanted(&self, layer: &Layer, f: &Feature) -> bool {
        let class = f.text(layer, "class").unwrap_or_default();
        let stated = f.text(layer, "subclass").filter(|s| !s.is_empty()).unwrap_or(class);
        let stated = stated.rsplit('/').next().unwrap_or_default();
        let general = layer.theme == Theme::PipePoint && stated.eq_ignore_ascii_case(self.joining.class.letters());
        Class::parse(class) == self.joining.class && self.joining.subclass.as_deref().is_none_or(|s| general || stated == s)
    }

    fn read_point(&mut self, layer: &Layer, f: Feature) {
        let Geometry::Point(at) = f.geometry else { return };
        if !self.wanted(layer, &f) {
            return;
        }
        let mut kind = PointKind::parse(f.text(layer, "kind").unwrap_or_default());
        if kind == PointKind::Other && f.text(layer, "appurtenance").is_some_and(|a| a.contains("调压")) {
            kind = PointKind::Regulator;
        }
        // Words of valve registers, where a city keeps them.
        let closed = f.text(layer, "valve_state") == Some("closed");
        let operable = f.value(layer, "operable") != Some(&strata_model::Value::Bool(false));
        let ground_m = f.number(layer, "ground_m").filter(|v| v.is_finite());
        self.point(f.id, PointRow { at, kind, closed, operable, ground_m });
    }

    fn read_pipe(&mut self, layer: &Layer, number: u16, f: &Feature) {
        if !self.wanted(layer, f) {
            return;
        }
        let lines: Vec<&Vec<Point3>> = match &f.geometry {
            Geometry::LineString(l) => vec![l],
            Geometry::MultiLineString(ls) => ls.iter().collect(),
            _ => return,
        };
        let text = |name: &str| f.text(layer, name).filter(|t| !t.is_empty());
        let number_of = |name: &str| f.number(layer, name).filter(|v| v.is_finite());
        if f.value(layer, "status").and_then(|v| v.as_i64()) == Some(1) && !self.joining.abandoned {
            self.abandoned += 1;
            return;
        }
        let ends = ["start_point", "end_point"].map(|n| text(n).map(FeatureId::from));
        let parts = lines.len();
        let millimetres = number_of("dn_mm").or(number_of("od_mm")).or(number_of("height_mm"));
        let row = PipeRow {
            layer: number,
            id: f.id.clone(),
            kind: match text("link_kind") {
                Some("pump") => LinkKind::Pump,
                Some("valve") => LinkKind::Valve,
                _ => LinkKind::Pipe,
            },
            diameter_m: millimetres.filter(|d| *d > 0.0).map_or(0.0, |d| d / 1000.0),
            inverts_m: number_of("start_invert_m").zip(number_of("end_invert_m")).map(|(a, b)| [a, b]),
            subclass: self.word(text("subclass").unwrap_or_default()),
            pressure: self.word(text("pressure").unwrap_or_default()),
            material: self.word(text("material").unwrap_or_default()),
            closed: text("initial_status") == Some("closed"),
            declared_flow: f.value(layer, "flow_dir").and_then(|v| v.as_i64()).filter(|v| matches!(v, 0 | 1)).map(|v| v == 1),
            declared_length_m: number_of("length_m").filter(|v| *v > 0.0 && parts == 1),
            ends: [None, None],
        };
        for (i, line) in lines.into_iter().enumerate().filter(|(_, l)| l.len() >= 2) {
            let own = [(i == 0).then(|| ends[0].clone()).flatten(), (i + 1 == parts).then(|| ends[1].clone()).flatten()];
            self.pipe(PipeRow { ends: own, ..row.clone() }, line);
        }
    }
}
