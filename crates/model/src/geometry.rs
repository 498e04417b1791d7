//! Shapes in the working frame: `[east_m, north_m, height_m]`, f64.

use crate::ModelError;
use serde::{Deserialize, Serialize};

/// `[east_m, north_m, height_m]` in the working frame.
pub type Point3 = [f64; 3];
pub type LineString = Vec<Point3>;

/// A planar or nearly planar face. Ring 0 is the shell, the rest are holes; rings are closed (first point
/// repeated at the end). Shells wind counter-clockwise seen from the outside (from above for footprints).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Polygon {
    pub rings: Vec<Vec<Point3>>,
}

impl Polygon {
    pub fn new(shell: Vec<Point3>) -> Self {
        Self { rings: vec![shell] }
    }
    pub fn shell(&self) -> &[Point3] {
        self.rings.first().map_or(&[], Vec::as_slice)
    }
    /// Area of the plan projection in m², shell less holes, never negative for a valid polygon.
    pub fn plan_area_m2(&self) -> f64 {
        let area = |r: &Vec<Point3>| ring_signed_area_m2(r).abs();
        self.rings.first().map_or(0.0, area) - self.rings.iter().skip(1).map(area).sum::<f64>()
    }
    /// Centroid of the shell's plan projection at its mean height; the vertex mean for a degenerate ring.
    pub fn plan_centroid(&self) -> Point3 {
        let ring = self.shell();
        let n = ring.len().saturating_sub(1).max(1);
        let (mut mean, Some(o)) = ([0.0; 3], ring.first().copied()) else { return [0.0; 3] };
        for p in ring.iter().take(n) {
            for k in 0..3 {
                mean[k] += (p[k] - o[k]) / n as f64;
            }
        }
        let (mut a2, mut cx, mut cy) = (0.0, 0.0, 0.0);
        for w in ring.windows(2) {
            let (x0, y0, x1, y1) = (w[0][0] - o[0], w[0][1] - o[1], w[1][0] - o[0], w[1][1] - o[1]);
            let c = x0 * y1 - x1 * y0;
            a2 += c;
            cx += (x0 + x1) * c;
            cy += (y0 + y1) * c;
        }
        if a2.abs() < 1e-9 {
            return [o[0] + mean[0], o[1] + mean[1], o[2] + mean[2]];
        }
        [o[0] + cx / (3.0 * a2), o[1] + cy / (3.0 * a2), o[2] + mean[2]]
    }
}

/// Twice-checked shoelace: positive when the ring runs counter-clockwise seen from above. m².
pub(crate) fn ring_signed_area_m2(ring: &[Point3]) -> f64 {
    let Some(o) = ring.first() else { return 0.0 };
    ring.windows(2).map(|w| (w[0][0] - o[0]) * (w[1][1] - o[1]) - (w[1][0] - o[0]) * (w[0][1] - o[1])).sum::<f64>() / 2.0
}

/// What a face of a solid is (CityGML boundary surface).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SurfaceKind {
    Unknown = 0,
    Roof = 1,
    Wall = 2,
    Ground = 3,
    Closure = 4,
    Window = 5,
    Door = 6,
    Floor = 7,
    Ceiling = 8,
}

impl SurfaceKind {
    pub fn from_u8(code: u8) -> Self {
        use SurfaceKind::*;
        [Unknown, Roof, Wall, Ground, Closure, Window, Door, Floor, Ceiling].get(code as usize).copied().unwrap_or(Unknown)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Surface {
    pub polygon: Polygon,
    pub kind: SurfaceKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Geometry {
    Point(Point3),
    LineString(LineString),
    Polygon(Polygon),
    MultiPoint(Vec<Point3>),
    MultiLineString(Vec<LineString>),
    MultiPolygon(Vec<Polygon>),
    /// Boundary of a solid (LOD1–3 buildings, pipes as bodies), each face with its meaning.
    Surfaces(Vec<Surface>),
    /// Triangulated irregular network; triangles index `points`, counter-clockwise from above.
    Tin {
        points: Vec<Point3>,
        triangles: Vec<[u32; 3]>,
    },
}

impl Geometry {
    /// Calls `f` for every vertex, in storage order.
    pub fn for_each_point(&self, mut f: impl FnMut(&Point3)) {
        fn polygon(p: &Polygon, f: &mut impl FnMut(&Point3)) {
            p.rings.iter().flatten().for_each(f);
        }
        match self {
            Self::Point(p) => f(p),
            Self::LineString(l) | Self::MultiPoint(l) => l.iter().for_each(f),
            Self::MultiLineString(ls) => ls.iter().flatten().for_each(f),
            Self::Polygon(p) => polygon(p, &mut f),
            Self::MultiPolygon(ps) => ps.iter().for_each(|p| polygon(p, &mut f)),
            Self::Surfaces(ss) => ss.iter().for_each(|s| polygon(&s.polygon, &mut f)),
            Self::Tin { points, .. } => points.iter().for_each(f),
        }
    }
    pub fn for_each_point_mut(&mut self, mut f: impl FnMut(&mut Point3)) {
        let polygon = |p: &mut Polygon, f: &mut dyn FnMut(&mut Point3)| p.rings.iter_mut().flatten().for_each(f);
        match self {
            Self::Point(p) => f(p),
            Self::LineString(l) | Self::MultiPoint(l) => l.iter_mut().for_each(f),
            Self::MultiLineString(ls) => ls.iter_mut().flatten().for_each(f),
            Self::Polygon(p) => polygon(p, &mut f),
            Self::MultiPolygon(ps) => ps.iter_mut().for_each(|p| polygon(p, &mut f)),
            Self::Surfaces(ss) => ss.iter_mut().for_each(|s| polygon(&mut s.polygon, &mut f)),
            Self::Tin { points, .. } => points.iter_mut().for_each(f),
        }
    }
    /// `None` for an empty geometry.
    pub fn bounds(&self) -> Option<Bounds3> {
        let mut b = Bounds3::EMPTY;
        self.for_each_point(|p| b.extend(p));
        (!b.is_empty()).then_some(b)
    }
    /// The faults that no room can work with: nothing in it, a number that is not finite, a line of one point,
    /// a ring of fewer than four points (three and the closing one) or one that is not closed, a triangle that
    /// points outside its TIN.
    pub fn check(&self) -> Result<(), ModelError> {
        self.checked().map(drop)
    }
    /// The box of a shape that passes [`Self::check`], in one walk.
    pub fn checked(&self) -> Result<Bounds3, ModelError> {
        let fault = |reason: String| Err::<(), _>(ModelError::Geometry { reason });
        let (mut n, mut bad, mut bounds) = (0usize, None, Bounds3::EMPTY);
        self.for_each_point(|p| {
            if bad.is_none() && !p.iter().all(|v| v.is_finite() && v.abs() < 1e9) {
                bad = Some((n, *p));
            }
            bounds.extend(p);
            n += 1;
        });
        if n == 0 {
            fault("it has no point".into())?;
        }
        if let Some((i, p)) = bad {
            fault(format!("point {i} is {p:?}, not a finite place"))?;
        }
        let line = |l: &LineString| if l.len() < 2 { fault(format!("a line of {} point", l.len())) } else { Ok(()) };
        let polygon = |p: &Polygon| {
            for (i, r) in p.rings.iter().enumerate() {
                if r.len() < 4 {
                    return fault(format!("ring {i} has {} points, fewer than 4", r.len()));
                }
                if r.first() != r.last() {
                    return fault(format!("ring {i} is not closed"));
                }
            }
            if p.rings.is_empty() { fault("a polygon without a ring".into()) } else { Ok(()) }
        };
        match self {
            Self::Point(_) | Self::MultiPoint(_) => Ok(()),
            Self::LineString(l) => line(l),
            Self::MultiLineString(ls) => ls.iter().try_for_each(line),
            Self::Polygon(p) => polygon(p),
            Self::MultiPolygon(ps) => ps.iter().try_for_each(polygon),
            Self::Surfaces(ss) => ss.iter().try_for_each(|s| polygon(&s.polygon)),
            Self::Tin { points, triangles } => match triangles.iter().flatten().find(|&&i| i as usize >= points.len()) {
                Some(i) => fault(format!("a triangle names point {i} of {}", points.len())),
                None if triangles.is_empty() => fault("a TIN without a triangle".into()),
                None => Ok(()),
            },
        }?;
        Ok(bounds)
    }
}

/// `[east_m, north_m]` box in the working frame, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds2 {
    pub min: [f64; 2],
    pub max: [f64; 2],
}

impl Bounds2 {
    pub const EMPTY: Self = Self { min: [f64::INFINITY; 2], max: [f64::NEG_INFINITY; 2] };
    pub fn extend(&mut self, p: [f64; 2]) {
        for k in 0..2 {
            self.min[k] = self.min[k].min(p[k]);
            self.max[k] = self.max[k].max(p[k]);
        }
    }
    pub fn is_empty(&self) -> bool {
        !(self.min[0] <= self.max[0] && self.min[1] <= self.max[1])
    }
    pub fn intersects(&self, o: &Self) -> bool {
        (0..2).all(|k| self.min[k] <= o.max[k] && o.min[k] <= self.max[k])
    }
    pub fn contains(&self, p: [f64; 2]) -> bool {
        (0..2).all(|k| self.min[k] <= p[k] && p[k] <= self.max[k])
    }
    pub fn grown(&self, by_m: f64) -> Self {
        Self { min: self.min.map(|v| v - by_m), max: self.max.map(|v| v + by_m) }
    }
    pub fn with_all_heights(&self) -> Bounds3 {
        Bounds3 { min: [self.min[0], self.min[1], f64::NEG_INFINITY], max: [self.max[0], self.max[1], f64::INFINITY] }
    }
}

/// `[east_m, north_m, height_m]` box in the working frame, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds3 {
    pub min: Point3,
    pub max: Point3,
}

impl Bounds3 {
    pub const EMPTY: Self = Self { min: [f64::INFINITY; 3], max: [f64::NEG_INFINITY; 3] };
    pub fn extend(&mut self, p: &Point3) {
        for k in 0..3 {
            self.min[k] = self.min[k].min(p[k]);
            self.max[k] = self.max[k].max(p[k]);
        }
    }
    pub fn merge(&mut self, o: &Self) {
        self.extend(&o.min);
        self.extend(&o.max);
    }
    pub fn is_empty(&self) -> bool {
        !(0..3).all(|k| self.min[k] <= self.max[k])
    }
    pub fn intersects(&self, o: &Self) -> bool {
        (0..3).all(|k| self.min[k] <= o.max[k] && o.min[k] <= self.max[k])
    }
    pub fn plan(&self) -> Bounds2 {
        Bounds2 { min: [self.min[0], self.min[1]], max: [self.max[0], self.max[1]] }
    }
    pub fn centre(&self) -> Point3 {
        [0, 1, 2].map(|k| (self.min[k] + self.max[k]) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_worked_with_is_refused() {
        let ring = |n: usize| (0..n).map(|i| [i as f64, (i * i) as f64, 0.0]).collect::<Vec<_>>();
        let closed = vec![[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]];
        assert!(Geometry::Polygon(Polygon::new(closed)).check().is_ok());
        for bad in [
            Geometry::Point([f64::NAN, 0.0, 0.0]),
            Geometry::LineString(ring(1)),
            Geometry::Polygon(Polygon::new(ring(2))),
            Geometry::Polygon(Polygon::new(ring(5))),
            Geometry::MultiPoint(vec![]),
            Geometry::Tin { points: ring(3), triangles: vec![[0, 1, 7]] },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn centroid_far_from_origin_keeps_its_millimetres() {
        let (e, n) = (443_761.395, 4_862_949.462);
        let p = Polygon::new(vec![[e, n, 5.0], [e + 4.0, n, 5.0], [e + 4.0, n + 2.0, 5.0], [e, n + 2.0, 5.0], [e, n, 5.0]]);
        let c = p.plan_centroid();
        assert!((c[0] - e - 2.0).abs() < 1e-6 && (c[1] - n - 1.0).abs() < 1e-6 && (p.plan_area_m2() - 8.0).abs() < 1e-6);
    }
}
