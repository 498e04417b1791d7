//! ISO WKB with Z, little endian out, both orders in. `Surfaces` travels as a MultiPolygon Z beside one
//! byte of [`SurfaceKind`] per face, so that any GIS reads the shape and only the meaning needs us.
//! A TIN is written as ISO type 1016 (TIN Z) of triangles, points repeated.

use crate::{Geometry, LineString, ModelError, Point3, Polygon, Surface, SurfaceKind};
use hashbrown::HashMap;

/// WKB bytes, and the face kinds when the geometry is `Surfaces`.
pub fn to_wkb(geometry: &Geometry) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut out = Vec::with_capacity(64);
    let mut kinds = None;
    match geometry {
        Geometry::Point(p) => {
            head(&mut out, 1001);
            put_point(&mut out, p);
        }
        Geometry::LineString(l) => put_line(&mut out, l),
        Geometry::Polygon(p) => put_polygon(&mut out, p, 1003),
        Geometry::MultiPoint(ps) => {
            head(&mut out, 1004);
            count(&mut out, ps.len());
            for p in ps {
                head(&mut out, 1001);
                put_point(&mut out, p);
            }
        }
        Geometry::MultiLineString(ls) => {
            head(&mut out, 1005);
            count(&mut out, ls.len());
            ls.iter().for_each(|l| put_line(&mut out, l));
        }
        Geometry::MultiPolygon(ps) => {
            head(&mut out, 1006);
            count(&mut out, ps.len());
            ps.iter().for_each(|p| put_polygon(&mut out, p, 1003));
        }
        Geometry::Surfaces(ss) => {
            head(&mut out, 1006);
            count(&mut out, ss.len());
            ss.iter().for_each(|s| put_polygon(&mut out, &s.polygon, 1003));
            kinds = Some(ss.iter().map(|s| s.kind as u8).collect());
        }
        Geometry::Tin { points, triangles } => {
            head(&mut out, 1016);
            count(&mut out, triangles.len());
            for t in triangles {
                head(&mut out, 1017);
                count(&mut out, 1);
                count(&mut out, 4);
                for i in [t[0], t[1], t[2], t[0]] {
                    put_point(&mut out, &points[i as usize]);
                }
            }
        }
    }
    (out, kinds)
}

/// Reads what [`to_wkb`] writes, and any 2-D, Z or M WKB or EWKB of the seven simple kinds, TIN and
/// PolyhedralSurface; a missing z is 0. Never allocates more than the bytes can hold.
pub fn from_wkb(bytes: &[u8], surface_kinds: Option<&[u8]>) -> Result<Geometry, ModelError> {
    let mut r = Reader { bytes, at: 0 };
    let geometry = r.geometry(0)?;
    Ok(match (geometry, surface_kinds) {
        (Geometry::MultiPolygon(ps), Some(kinds)) => Geometry::Surfaces(
            ps.into_iter()
                .enumerate()
                .map(|(i, polygon)| Surface { polygon, kind: kinds.get(i).map_or(SurfaceKind::Unknown, |&k| SurfaceKind::from_u8(k)) })
                .collect(),
        ),
        (g, _) => g,
    })
}

fn head(out: &mut Vec<u8>, kind: u32) {
    out.push(1);
    out.extend_from_slice(&kind.to_le_bytes());
}
fn count(out: &mut Vec<u8>, n: usize) {
    out.extend_from_slice(&(n as u32).to_le_bytes());
}
fn put_point(out: &mut Vec<u8>, p: &Point3) {
    for v in p {
        out.extend_from_slice(&v.to_le_bytes());
    }
}
fn put_line(out: &mut Vec<u8>, l: &LineString) {
    head(out, 1002);
    count(out, l.len());
    l.iter().for_each(|p| put_point(out, p));
}
fn put_polygon(out: &mut Vec<u8>, p: &Polygon, kind: u32) {
    head(out, kind);
    count(out, p.rings.len());
    for r in &p.rings {
        count(out, r.len());
        r.iter().for_each(|p| put_point(out, p));
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

#[derive(Clone, Copy)]
struct Shape {
    kind: u32,
    little: bool,
    z: bool,
    m: bool,
}

impl Shape {
    fn point_bytes(self) -> usize {
        16 + 8 * (usize::from(self.z) + usize::from(self.m))
    }
}

impl Reader<'_> {
    fn fault<T>(&self, reason: &'static str) -> Result<T, ModelError> {
        Err(ModelError::Wkb { offset: self.at, reason })
    }
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let Some(slice) = self.bytes.get(self.at..self.at + N) else { return self.fault("it ends too early") };
        self.at += N;
        let mut out = [0; N];
        out.copy_from_slice(slice);
        Ok(out)
    }
    fn u32(&mut self, little: bool) -> Result<u32, ModelError> {
        let b = self.take()?;
        Ok(if little { u32::from_le_bytes(b) } else { u32::from_be_bytes(b) })
    }
    fn shape(&mut self) -> Result<Shape, ModelError> {
        let [order] = self.take()?;
        if order > 1 {
            return self.fault("unknown byte order");
        }
        let little = order == 1;
        let code = self.u32(little)?;
        let (mut z, mut m) = (code & 0x8000_0000 != 0, code & 0x4000_0000 != 0);
        if code & 0x2000_0000 != 0 {
            self.u32(little)?; // EWKB spatial reference, known from the layer
        }
        let code = code & 0x0fff_ffff;
        match code / 1000 {
            0 => {}
            1 => z = true,
            2 => m = true,
            3 => (z, m) = (true, true),
            _ => return self.fault("unknown geometry type"),
        }
        Ok(Shape { kind: code % 1000, little, z, m })
    }
    /// A count that the rest of the bytes could hold, each item at least `least` bytes.
    fn count(&mut self, s: Shape, least: usize) -> Result<usize, ModelError> {
        let n = self.u32(s.little)? as usize;
        if n.saturating_mul(least) > self.bytes.len() - self.at {
            return self.fault("a count larger than the data");
        }
        Ok(n)
    }
    fn f64(&mut self, s: Shape) -> Result<f64, ModelError> {
        let b = self.take()?;
        Ok(if s.little { f64::from_le_bytes(b) } else { f64::from_be_bytes(b) })
    }
    fn point(&mut self, s: Shape) -> Result<Point3, ModelError> {
        let (x, y) = (self.f64(s)?, self.f64(s)?);
        let z = if s.z { self.f64(s)? } else { 0.0 };
        if s.m {
            self.f64(s)?;
        }
        Ok([x, y, z])
    }
    fn points(&mut self, s: Shape) -> Result<Vec<Point3>, ModelError> {
        let n = self.count(s, s.point_bytes())?;
        if s.little && s.z && !s.m {
            // What `to_wkb` writes, and nearly all there is.
            let Some(bytes) = self.bytes.get(self.at..self.at + n * 24) else { return self.fault("it ends too early") };
            self.at += n * 24;
            let (words, _) = bytes.as_chunks::<8>();
            let (points, _) = words.as_chunks::<3>();
            return Ok(points.iter().map(|p| p.map(f64::from_le_bytes)).collect());
        }
        (0..n).map(|_| self.point(s)).collect()
    }
    /// The first three corners of a face; `None` where it has fewer.
    fn triangle(&mut self, s: Shape) -> Result<Option<[Point3; 3]>, ModelError> {
        let mut corners = None;
        for ring in 0..self.count(s, 4)? {
            let n = self.count(s, s.point_bytes())?;
            for i in 0..n {
                let p = self.point(s)?;
                if ring == 0 && n >= 3 && i < 3 {
                    corners.get_or_insert([p; 3])[i] = p;
                }
            }
        }
        Ok(corners)
    }
    fn polygon(&mut self, s: Shape) -> Result<Polygon, ModelError> {
        let n = self.count(s, 4)?;
        Ok(Polygon { rings: (0..n).map(|_| self.points(s)).collect::<Result<_, _>>()? })
    }
    fn members<T>(
        &mut self,
        s: Shape,
        kinds: &[u32],
        read: impl Fn(&mut Self, Shape) -> Result<T, ModelError>,
    ) -> Result<Vec<T>, ModelError> {
        let n = self.count(s, 9)?;
        let mut out = Vec::with_capacity(n);
        for _ in 0..n {
            let inner = self.shape()?;
            if !kinds.contains(&inner.kind) {
                return self.fault("a member of another kind");
            }
            out.push(read(self, inner)?);
        }
        Ok(out)
    }
    fn geometry(&mut self, depth: u8) -> Result<Geometry, ModelError> {
        let s = self.shape()?;
        Ok(match s.kind {
            1 => Geometry::Point(self.point(s)?),
            2 => Geometry::LineString(self.points(s)?),
            3 | 17 => Geometry::Polygon(self.polygon(s)?),
            4 => Geometry::MultiPoint(self.members(s, &[1], Self::point)?),
            5 => Geometry::MultiLineString(self.members(s, &[2], Self::points)?),
            6 | 15 => Geometry::MultiPolygon(self.members(s, &[3], Self::polygon)?),
            16 => {
                let mut tin = Tin::default();
                for corners in self.members(s, &[17, 3], Self::triangle)?.into_iter().flatten() {
                    tin.add(corners);
                }
                Geometry::Tin { points: tin.points, triangles: tin.triangles }
            }
            7 if depth < 4 => {
                let n = self.count(s, 5)?;
                match n {
                    1 => self.geometry(depth + 1)?,
                    _ => return self.fault("a geometry collection of mixed kinds"),
                }
            }
            _ => return self.fault("unknown geometry type"),
        })
    }
}

/// Corners with the same numbers are one point.
#[derive(Default)]
struct Tin {
    at: HashMap<[u64; 3], u32>,
    points: Vec<Point3>,
    triangles: Vec<[u32; 3]>,
}

impl Tin {
    fn add(&mut self, corners: [Point3; 3]) {
        // Neighbours in the file are mostly neighbours on the ground.
        let before = self.triangles.last().copied().unwrap_or_default();
        self.triangles.push(corners.map(|p| {
            let bits = p.map(f64::to_bits);
            if let Some(i) = before.into_iter().find(|i| self.points.get(*i as usize).is_some_and(|q| q.map(f64::to_bits) == bits)) {
                return i;
            }
            *self.at.entry(bits).or_insert_with(|| {
                self.points.push(p);
                (self.points.len() - 1) as u32
            })
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn square(x: f64) -> Polygon {
        Polygon::new(vec![[x, 0.0, 1.0], [x + 1.0, 0.0, 1.0], [x + 1.0, 1.0, 2.0], [x, 0.0, 1.0]])
    }

    #[test]
    fn every_kind_goes_there_and_back() {
        let all = [
            Geometry::Point([1.0, 2.0, 3.0]),
            Geometry::LineString(vec![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
            Geometry::Polygon(square(0.0)),
            Geometry::MultiPoint(vec![[1.0, 2.0, 3.0]]),
            Geometry::MultiLineString(vec![vec![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]; 2]),
            Geometry::MultiPolygon(vec![square(0.0), square(5.0)]),
            Geometry::Surfaces(vec![
                Surface { polygon: square(0.0), kind: SurfaceKind::Roof },
                Surface { polygon: square(1.0), kind: SurfaceKind::Wall },
            ]),
            Geometry::Tin {
                points: vec![[0.0, 0.0, 1.0], [1.0, 0.0, 2.0], [0.0, 1.0, 3.0], [1.0, 1.0, 4.0]],
                triangles: vec![[0, 1, 2], [2, 1, 3]],
            },
        ];
        for g in all {
            let (bytes, kinds) = to_wkb(&g);
            assert_eq!(from_wkb(&bytes, kinds.as_deref()).as_ref(), Ok(&g));
            for cut in 0..bytes.len() {
                assert!(from_wkb(&bytes[..cut], None).is_err(), "{g:?} cut at {cut}");
            }
        }
    }

    /// Other programs write faces of a TIN as polygons, with holes and with too few corners.
    #[test]
    fn odd_faces_of_a_tin_are_read_by_their_first_ring() {
        let faces: [&[&[Point3]]; 4] = [
            &[&[[0.0; 3], [9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0; 3]], &[[1.0, 1.0, 0.0], [2.0, 1.0, 0.0], [1.0, 2.0, 0.0]]],
            &[&[[0.0; 3], [9.0, 0.0, 0.0]]],
            &[],
            &[&[[9.0, 9.0, 1.0], [0.0, 9.0, 0.0], [9.0, 0.0, 0.0]]],
        ];
        let mut bytes = Vec::new();
        head(&mut bytes, 1016);
        count(&mut bytes, faces.len());
        for rings in faces {
            put_polygon(&mut bytes, &Polygon { rings: rings.iter().map(|r| r.to_vec()).collect() }, 1003);
        }
        let points = vec![[0.0; 3], [9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [9.0, 9.0, 1.0]];
        assert_eq!(from_wkb(&bytes, None), Ok(Geometry::Tin { points, triangles: vec![[0, 1, 2], [3, 2, 1]] }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = from_wkb(&bytes, None);
        }
    }
}
