//! GML geometry to points, lines and faces, in the file's own numbers.

use super::xml::Node;
use std::collections::{HashMap, HashSet};
use strata_model::{Geometry, LineString, Point3, Polygon, Surface, SurfaceKind};

/// Links may be followed this often for one object: more is an attack that grows by references.
const MAX_STEPS: usize = 4_000_000;
const MAX_DEPTH: usize = 100;

/// Why a geometry cannot be taken, and the line where.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub line: u64,
    pub reason: String,
}

impl Fault {
    pub fn new<T>(node: &Node, reason: impl Into<String>) -> Result<T, Self> {
        Err(Self { line: node.line, reason: reason.into() })
    }
}

/// The elements of one object by `gml:id`.
pub(crate) struct Ids<'n>(HashMap<&'n str, &'n Node>);

impl<'n> Ids<'n> {
    pub fn of(object: &'n Node) -> Self {
        let mut map = HashMap::new();
        object.walk(&mut |n| {
            if let Some(id) = n.id() {
                map.entry(id).or_insert(n);
            }
        });
        Self(map)
    }
}

#[derive(Clone, Copy)]
struct State<'n> {
    dimension: usize,
    srs: Option<&'n str>,
    flip: bool,
    kind: SurfaceKind,
    depth: usize,
}

/// Collects from any number of GML geometries of one object.
pub(crate) struct Shape<'n> {
    ids: &'n Ids<'n>,
    dimension: usize,
    /// `srsName` of the first geometry that names one.
    pub srs: Option<&'n str>,
    pub points: Vec<Point3>,
    pub lines: Vec<LineString>,
    pub faces: Vec<Surface>,
    /// Faces stand in a solid, so that bottom and top can be told.
    pub solid: bool,
    seen: HashSet<*const Node>,
    steps: usize,
}

impl<'n> Shape<'n> {
    pub fn new(ids: &'n Ids<'n>, dimension: usize) -> Self {
        Self {
            ids,
            dimension,
            srs: None,
            points: Vec::new(),
            lines: Vec::new(),
            faces: Vec::new(),
            solid: false,
            seen: HashSet::new(),
            steps: 0,
        }
    }
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.lines.is_empty() && self.faces.is_empty()
    }
    /// Reads the geometry inside a property (`lod2MultiSurface`); a face read before, reached again by a link, is
    /// left out, so that a solid may refer to the boundary surfaces that were read with their kinds.
    pub fn add(&mut self, property: &'n Node, kind: SurfaceKind) -> Result<(), Fault> {
        let state = State { dimension: self.dimension, srs: None, flip: false, kind, depth: 0 };
        self.inside(property, state)
    }
    /// As [`Self::add`], for the geometry element itself.
    pub fn add_geometry(&mut self, geometry: &'n Node, kind: SurfaceKind) -> Result<(), Fault> {
        self.geometry(geometry, State { dimension: self.dimension, srs: None, flip: false, kind, depth: 0 })
    }
    /// Takes another shape's parts in; the names of both CRSs when they differ.
    pub fn absorb(&mut self, other: Self) -> Result<(), (String, String)> {
        match (self.srs, other.srs) {
            (Some(a), Some(b)) if a != b => return Err((a.to_owned(), b.to_owned())),
            (None, b) => self.srs = b,
            _ => {}
        }
        self.solid |= other.solid;
        self.points.extend(other.points);
        self.lines.extend(other.lines);
        self.faces.extend(other.faces);
        Ok(())
    }
    fn inside(&mut self, node: &'n Node, mut s: State<'n>) -> Result<(), Fault> {
        s.depth += 1;
        self.steps += 1;
        if s.depth > MAX_DEPTH || self.steps > MAX_STEPS {
            return Fault::new(node, "its references go in circles or grow without end");
        }
        if let Some(link) = node.href() {
            let target = self.follow(node, link)?;
            return self.geometry(target, s);
        }
        node.children.iter().try_for_each(|c| self.geometry(c, s))
    }
    fn follow(&self, node: &Node, link: &str) -> Result<&'n Node, Fault> {
        let Some(id) = link.strip_prefix('#') else {
            return Fault::new(node, format!("it refers to `{}`, outside the file", crate::archive::shown(link)));
        };
        match self.ids.0.get(id) {
            Some(target) => Ok(target),
            None => Fault::new(node, format!("it refers to `#{}`, which this object does not hold", crate::archive::shown(id))),
        }
    }
    fn geometry(&mut self, node: &'n Node, mut s: State<'n>) -> Result<(), Fault> {
        if let Some(name) = node.attribute("srsName") {
            s.srs = Some(name);
            match self.srs {
                None => self.srs = Some(name),
                Some(first) if first == name => {}
                Some(first) => return Fault::new(node, format!("it mixes the CRSs `{first}` and `{name}`")),
            }
        }
        if let Some(d) = node.attribute("srsDimension") {
            s.dimension = match d {
                "2" => 2,
                "3" => 3,
                _ => return Fault::new(node, format!("srsDimension `{}`", crate::archive::shown(d))),
            };
        }
        match &*node.name {
            "Point" => {
                let p = self.positions(node, s)?;
                match p[..] {
                    [p] => self.points.push(p),
                    _ => return Fault::new(node, format!("a point of {} positions", p.len())),
                }
                Ok(())
            }
            "LineString" | "LineStringSegment" => {
                let mut line = self.positions(node, s)?;
                if line.len() < 2 {
                    return Fault::new(node, format!("a line of {} position", line.len()));
                }
                if s.flip {
                    line.reverse();
                }
                self.lines.push(line);
                Ok(())
            }
            "Curve" | "CompositeCurve" | "Ring" => {
                let first = self.lines.len();
                self.inside(node, s)?;
                join(&mut self.lines, first);
                Ok(())
            }
            "Polygon" | "PolygonPatch" | "Triangle" | "Rectangle" => self.polygon(node, s),
            "OrientableSurface" | "OrientableCurve" => {
                s.flip ^= node.attribute("orientation") == Some("-");
                self.inside(node, s)
            }
            "Solid" | "CompositeSolid" | "MultiSolid" => {
                self.solid = true;
                self.inside(node, s)
            }
            "Arc" | "ArcString" | "Circle" | "CircleByCenterPoint" | "ArcByCenterPoint" | "CubicSpline" | "BSpline" | "Bezier" => {
                Fault::new(node, format!("a curve of kind {} is not read", node.name))
            }
            "ImplicitGeometry" => match node.child("referencePoint") {
                Some(p) => self.inside(p, s),
                None => Fault::new(node, "an implicit geometry without its reference point"),
            },
            // Names of groups and of the properties between them.
            "MultiPoint"
            | "MultiCurve"
            | "MultiSurface"
            | "MultiGeometry"
            | "CompositeSurface"
            | "Surface"
            | "TriangulatedSurface"
            | "Tin"
            | "PolyhedralSurface"
            | "Shell"
            | "GeometricComplex"
            | "exterior"
            | "interior"
            | "surfaceMember"
            | "surfaceMembers"
            | "curveMember"
            | "curveMembers"
            | "pointMember"
            | "pointMembers"
            | "solidMember"
            | "solidMembers"
            | "geometryMember"
            | "geometryMembers"
            | "element"
            | "segments"
            | "patches"
            | "trianglePatches"
            | "polygonPatches"
            | "baseSurface"
            | "baseCurve" => self.inside(node, s),
            "description" | "name" | "metaDataProperty" | "boundedBy" | "descriptionReference" | "identifier" => Ok(()),
            other => Fault::new(node, format!("a geometry of kind `{}` is not read", crate::archive::shown(other))),
        }
    }
    fn polygon(&mut self, node: &'n Node, s: State<'n>) -> Result<(), Fault> {
        if !self.seen.insert(std::ptr::from_ref(node)) {
            return Ok(());
        }
        let mut rings: Vec<Vec<Point3>> = Vec::new();
        for c in &node.children {
            let outer = match &*c.name {
                "exterior" | "outerBoundaryIs" => true,
                "interior" | "innerBoundaryIs" => false,
                _ => continue,
            };
            if outer != rings.is_empty() {
                return Fault::new(c, "a face whose first ring is not its only outer one");
            }
            for r in &c.children {
                let mut ring = match &*r.name {
                    "LinearRing" => self.positions(r, s)?,
                    "Ring" => {
                        let first = self.lines.len();
                        self.geometry(r, State { flip: false, ..s })?;
                        let mut curves = self.lines.split_off(first);
                        match curves.len() {
                            1 => curves.remove(0),
                            n => return Fault::new(r, format!("a ring of {n} curves that do not meet")),
                        }
                    }
                    other => return Fault::new(r, format!("a ring of kind `{}`", crate::archive::shown(other))),
                };
                check_ring(r, &ring)?;
                if s.flip {
                    ring.reverse();
                }
                rings.push(ring);
            }
        }
        if rings.is_empty() {
            return Fault::new(node, "a face without a ring");
        }
        self.faces.push(Surface { polygon: Polygon { rings }, kind: s.kind });
        Ok(())
    }
    /// `posList`, runs of `pos`, `pointProperty` or the old `coordinates`.
    fn positions(&mut self, node: &'n Node, s: State<'n>) -> Result<Vec<Point3>, Fault> {
        let mut out = Vec::new();
        for c in &node.children {
            let dimension = match c.attribute("srsDimension") {
                Some("2") => 2,
                Some("3") => 3,
                Some(d) => return Fault::new(c, format!("srsDimension `{}`", crate::archive::shown(d))),
                None => s.dimension,
            };
            match &*c.name {
                "posList" | "pos" => numbers(c, c.text.split_ascii_whitespace(), dimension, &mut out)?,
                "coordinates" => {
                    for tuple in c.text.split_ascii_whitespace() {
                        let n = tuple.split(',').count();
                        numbers(c, tuple.split(','), n, &mut out)?;
                    }
                }
                "pointProperty" | "pointRep" => {
                    let before = self.points.len();
                    self.inside(c, s)?;
                    out.extend(self.points.drain(before..));
                }
                _ => {}
            }
        }
        if out.is_empty() {
            return Fault::new(node, "it has no coordinates");
        }
        Ok(out)
    }
    /// Tells roof, wall and ground of a solid whose file does not: level faces of the lower half are ground, of the
    /// upper half roof, the rest walls. In working metres.
    pub fn name_faces(faces: &mut [Surface]) {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for p in faces.iter().flat_map(|f| f.polygon.shell()) {
            low = low.min(p[2]);
            high = high.max(p[2]);
        }
        for f in faces.iter_mut().filter(|f| f.kind == SurfaceKind::Unknown) {
            let ring = f.polygon.shell();
            let n = normal(ring);
            let length = n.iter().map(|v| v * v).sum::<f64>().sqrt();
            let level = n[2].abs() > 0.5 * length;
            let z = ring.iter().map(|p| p[2]).sum::<f64>() / ring.len().max(1) as f64;
            f.kind = match level {
                false => SurfaceKind::Wall,
                true if z * 2.0 > low + high => SurfaceKind::Roof,
                true => SurfaceKind::Ground,
            };
        }
    }
    /// Faces before lines before points; `surfaces` keeps the kinds, else plain polygons. `None` when empty.
    pub fn into_geometry(mut self, surfaces: bool) -> Option<Geometry> {
        if !self.faces.is_empty() {
            if surfaces {
                return Some(Geometry::Surfaces(self.faces));
            }
            let mut ps: Vec<Polygon> = self.faces.into_iter().map(|f| f.polygon).collect();
            return Some(if ps.len() == 1 { Geometry::Polygon(ps.remove(0)) } else { Geometry::MultiPolygon(ps) });
        }
        match (self.lines.len(), self.points.len()) {
            (0, 0) => None,
            (0, 1) => Some(Geometry::Point(self.points.remove(0))),
            (0, _) => Some(Geometry::MultiPoint(self.points)),
            (1, _) => Some(Geometry::LineString(self.lines.remove(0))),
            _ => Some(Geometry::MultiLineString(self.lines)),
        }
    }
}

/// Newell's normal of a ring, twice its area long.
pub(crate) fn normal(ring: &[Point3]) -> Point3 {
    let Some(o) = ring.first() else { return [0.0; 3] };
    let mut n = [0.0; 3];
    for w in ring.windows(2) {
        let (a, b) = ([0, 1, 2].map(|k| w[0][k] - o[k]), [0, 1, 2].map(|k| w[1][k] - o[k]));
        for k in 0..3 {
            let (i, j) = ((k + 1) % 3, (k + 2) % 3);
            n[k] += a[i] * b[j] - a[j] * b[i];
        }
    }
    n
}

/// Joins lines from `first` on where one begins as the one before ends.
pub(crate) fn join(lines: &mut Vec<LineString>, first: usize) {
    let mut i = first + 1;
    while i < lines.len() {
        if lines[i - 1].last() == lines[i].first() {
            let next = lines.remove(i);
            lines[i - 1].extend(next.into_iter().skip(1));
        } else {
            i += 1;
        }
    }
}

pub(crate) fn check_ring(node: &Node, ring: &[Point3]) -> Result<(), Fault> {
    match ring_fault(ring) {
        Some(reason) => Fault::new(node, reason),
        None => Ok(()),
    }
}

/// What no room can work with: fewer than four points, not closed, fewer than three different places.
pub(crate) fn ring_fault(ring: &[Point3]) -> Option<String> {
    if ring.len() < 4 {
        return Some(format!("a ring of {} points, fewer than 4", ring.len()));
    }
    if ring.first() != ring.last() {
        return Some("a ring that is not closed".into());
    }
    let a = ring[0];
    let distinct = ring.iter().find(|p| **p != a).is_some_and(|b| ring.iter().any(|p| *p != a && p != b));
    (!distinct).then(|| "a ring of fewer than 3 different points".into())
}

fn numbers<'t>(node: &Node, texts: impl Iterator<Item = &'t str>, dimension: usize, out: &mut Vec<Point3>) -> Result<(), Fault> {
    let mut p = [0.0; 3];
    let mut k = 0;
    if !(2..=3).contains(&dimension) {
        return Fault::new(node, format!("a position of {dimension} numbers"));
    }
    for text in texts {
        match text.parse::<f64>() {
            Ok(v) if v.is_finite() => p[k] = v,
            Ok(_) => return Fault::new(node, format!("the coordinate `{}` is not finite", crate::archive::shown(text))),
            Err(_) => return Fault::new(node, format!("the coordinate `{}` is not a number", crate::archive::shown(text))),
        }
        k += 1;
        if k == dimension {
            out.push(p);
            k = 0;
        }
    }
    if k != 0 {
        return Fault::new(node, format!("the count of its numbers is not a multiple of {dimension}"));
    }
    Ok(())
}
