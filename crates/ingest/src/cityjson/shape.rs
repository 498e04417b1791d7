//! CityJSON boundaries to points, lines and faces in the file's CRS.

use super::json::{Nest, Semantics, Shape, Templates, Transform};
use crate::citygml::{shape::ring_fault, surface_kind};
use strata_model::{LineString, Point3, Polygon, Surface, SurfaceKind};

/// Where indices lead: the document's vertices, or those of the templates.
pub(super) struct Vertices<'d> {
    pub points: &'d [[f64; 3]],
    pub transform: Transform,
    pub templates: Option<&'d Templates>,
}

impl Vertices<'_> {
    fn point(&self, n: &Nest) -> Result<Point3, String> {
        let Nest::Index(i) = n else { return Err("a list where a vertex number should stand".into()) };
        let found = usize::try_from(*i).ok().and_then(|i| self.points.get(i));
        let p = found.map(|v| self.transform.apply(v));
        match p {
            Some(p) if p.iter().all(|v| v.is_finite()) => Ok(p),
            Some(p) => Err(format!("vertex {i} is {p:?}, not a finite place")),
            None if *i == u64::MAX => Err("a vertex number that is no whole number".into()),
            None => Err(format!("vertex {i} of {}", self.points.len())),
        }
    }
    fn points(&self, list: &Nest) -> Result<Vec<Point3>, String> {
        list.list().iter().map(|n| self.point(n)).collect()
    }
}

#[derive(Debug, Default)]
pub(super) struct Parts {
    pub points: Vec<Point3>,
    pub lines: Vec<LineString>,
    pub faces: Vec<Surface>,
    pub solid: bool,
    /// Faces left out because the file's rounding has made a point or a line of them.
    pub collapsed: usize,
}

impl Parts {
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.lines.is_empty() && self.faces.is_empty()
    }
    pub fn absorb(&mut self, other: Self) {
        self.points.extend(other.points);
        self.lines.extend(other.lines);
        self.faces.extend(other.faces);
        self.solid |= other.solid;
        self.collapsed += other.collapsed;
    }
    /// Adds one geometry object; an empty one adds nothing.
    pub fn add(&mut self, shape: &Shape, at: &Vertices<'_>) -> Result<(), String> {
        let boundaries = &shape.boundaries;
        match shape.kind.as_str() {
            "MultiPoint" => self.points.extend(at.points(boundaries)?),
            "MultiLineString" => {
                for l in boundaries.list() {
                    let line = at.points(l)?;
                    if line.len() < 2 {
                        return Err(format!("a line of {} point", line.len()));
                    }
                    self.lines.push(line);
                }
            }
            "MultiSurface" | "CompositeSurface" => self.surfaces(boundaries, at, kinds(&shape.semantics, None))?,
            "Solid" => {
                self.solid = true;
                for (i, shell) in boundaries.list().iter().enumerate() {
                    self.surfaces(shell, at, kinds(&shape.semantics, Some(&[i])))?;
                }
            }
            "MultiSolid" | "CompositeSolid" => {
                self.solid = true;
                for (i, solid) in boundaries.list().iter().enumerate() {
                    for (j, shell) in solid.list().iter().enumerate() {
                        self.surfaces(shell, at, kinds(&shape.semantics, Some(&[i, j])))?;
                    }
                }
            }
            "GeometryInstance" => self.instance(shape, at)?,
            other => return Err(format!("a geometry of kind `{}` is not read", crate::archive::shown(other))),
        }
        Ok(())
    }
    fn surfaces(&mut self, list: &Nest, at: &Vertices<'_>, kinds: Kinds<'_>) -> Result<(), String> {
        for (i, face) in list.list().iter().enumerate() {
            let mut rings = Vec::with_capacity(face.list().len());
            let mut gone = false;
            for (k, ring) in face.list().iter().enumerate() {
                let mut ring = at.points(ring)?;
                // Vertices are rounded to the transform's scale: thin triangles of real roofs collapse.
                if ring.len() >= 3 && collapsed(&ring) {
                    gone |= k == 0;
                    continue;
                }
                // CityJSON leaves the closing point out; a writer that repeats it is let through.
                if ring.len() > 1 && ring.first() != ring.last() {
                    ring.extend(ring.first().copied());
                }
                if let Some(fault) = ring_fault(&ring) {
                    return Err(format!("face {i}: {fault}"));
                }
                rings.push(ring);
            }
            if gone {
                self.collapsed += 1;
                continue;
            }
            if rings.is_empty() {
                return Err(format!("face {i} has no ring"));
            }
            self.faces.push(Surface { polygon: Polygon { rings }, kind: kinds.of(i) });
        }
        Ok(())
    }
    /// A template set at a vertex: the matrix turns and scales it in the file's own axes, the vertex moves it.
    fn instance(&mut self, shape: &Shape, at: &Vertices<'_>) -> Result<(), String> {
        let templates = at.templates.ok_or("a template instance in a file without templates")?;
        let n = shape.template.ok_or("a template instance without its number")?;
        let template = templates.templates.get(n).ok_or_else(|| format!("template {n} of {}", templates.templates.len()))?;
        if template.kind == "GeometryInstance" {
            return Err("a template made of templates".into());
        }
        let anchor = match at.points(&shape.boundaries)?[..] {
            [p] => p,
            _ => return Err("a template instance needs one anchor".into()),
        };
        let matrix = match shape.matrix.as_deref() {
            None => None,
            Some(m) if m.len() == 16 && m.iter().all(|v| v.is_finite()) => Some(m),
            Some(_) => return Err("a transformation matrix that is not 16 finite numbers".into()),
        };
        let set = |p: &mut Point3| {
            let q = *p;
            for k in 0..3 {
                p[k] = anchor[k]
                    + match matrix {
                        Some(m) => m[k * 4] * q[0] + m[k * 4 + 1] * q[1] + m[k * 4 + 2] * q[2] + m[k * 4 + 3],
                        None => q[k],
                    };
            }
        };
        let mut parts = Self::default();
        parts.add(template, &Vertices { points: &templates.vertices, transform: Transform::NONE, templates: None })?;
        parts.points.iter_mut().for_each(set);
        parts.lines.iter_mut().flatten().for_each(set);
        parts.faces.iter_mut().flat_map(|f| f.polygon.rings.iter_mut().flatten()).for_each(set);
        self.absorb(parts);
        Ok(())
    }
}

/// Fewer than three different places.
fn collapsed(ring: &[Point3]) -> bool {
    let a = ring[0];
    !ring.iter().find(|p| **p != a).is_some_and(|b| ring.iter().any(|p| *p != a && p != b))
}

/// Kinds of the faces of one list.
struct Kinds<'s> {
    semantics: Option<(&'s Semantics, &'s [Nest])>,
}

/// `path` leads through solids and shells to the list of this shell.
fn kinds<'s>(semantics: &'s Option<Semantics>, path: Option<&[usize]>) -> Kinds<'s> {
    let Some(s) = semantics else { return Kinds { semantics: None } };
    let mut at = &s.values;
    for &i in path.unwrap_or(&[]) {
        match at.list().get(i) {
            Some(inner) => at = inner,
            None => return Kinds { semantics: None },
        }
    }
    Kinds { semantics: Some((s, at.list())) }
}

impl Kinds<'_> {
    fn of(&self, face: usize) -> SurfaceKind {
        let Some((s, values)) = self.semantics else { return SurfaceKind::Unknown };
        match values.get(face) {
            Some(Nest::Index(i)) => {
                usize::try_from(*i).ok().and_then(|i| s.surfaces.get(i)).map_or(SurfaceKind::Unknown, |k| kind(&k.kind))
            }
            _ => SurfaceKind::Unknown,
        }
    }
}

fn kind(name: &str) -> SurfaceKind {
    match name {
        "Window" => SurfaceKind::Window,
        "Door" => SurfaceKind::Door,
        other => surface_kind(other),
    }
}
