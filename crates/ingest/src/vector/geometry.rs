//! GDAL's shapes to ours: z kept, curves drawn as chords, rings closed by nobody but the file.

use gdal::vector::{Geometry as Ogr, OGRwkbGeometryType as T, geometry_type_flatten};
use strata_model::{Geometry, Point3, Polygon};

/// Step of arc that one chord spans.
const CHORD_DEG: f64 = 4.0;
const MAX_DEPTH: u8 = 16;

pub(super) enum Shape {
    One(Geometry),
    Empty,
    /// A collection of several kinds, or a kind that has no place in the model.
    No(String),
}

/// A shape in the file's own coordinates, x before y. Shells are turned counter-clockwise, holes clockwise.
pub(super) fn shape(g: &Ogr) -> Shape {
    if g.is_empty() {
        return Shape::Empty;
    }
    match convert(g, 0) {
        Ok(g) => Shape::One(g),
        Err(e) => Shape::No(e),
    }
}

fn convert(g: &Ogr, depth: u8) -> Result<Geometry, String> {
    if depth > MAX_DEPTH {
        return Err("it is nested too deeply".into());
    }
    let kind = geometry_type_flatten(g.geometry_type());
    let parts = || (0..g.geometry_count()).map(|i| g.get_geometry(i));
    Ok(match kind {
        T::wkbPoint => Geometry::Point(point(g.get_point(0))),
        T::wkbLineString | T::wkbCircularString | T::wkbCompoundCurve => Geometry::LineString(line(g, depth)?),
        T::wkbPolygon | T::wkbCurvePolygon | T::wkbTriangle => Geometry::Polygon(polygon(g, depth)?),
        T::wkbMultiPoint => Geometry::MultiPoint(parts().filter(|p| !p.is_empty()).map(|p| point(p.get_point(0))).collect()),
        T::wkbMultiLineString | T::wkbMultiCurve => {
            Geometry::MultiLineString(parts().map(|p| line(&p, depth + 1)).collect::<Result<_, _>>()?)
        }
        T::wkbMultiPolygon | T::wkbMultiSurface | T::wkbPolyhedralSurface => {
            Geometry::MultiPolygon(parts().map(|p| polygon(&p, depth + 1)).collect::<Result<_, _>>()?)
        }
        T::wkbTIN => {
            let (mut points, mut triangles) = (Vec::new(), Vec::new());
            for p in parts() {
                let mut ring = polygon(&p, depth + 1)?.rings.into_iter().next().unwrap_or_default();
                ring.truncate(3);
                if let [a, b, c] = ring[..] {
                    let i = points.len() as u32;
                    points.extend([a, b, c]);
                    triangles.push([i, i + 1, i + 2]);
                }
            }
            Geometry::Tin { points, triangles }
        }
        T::wkbGeometryCollection => collection(parts().map(|p| convert(&p, depth + 1)).collect::<Result<_, _>>()?)?,
        _ => return Err(format!("{} has no place here", g.geometry_name())),
    })
}

/// A collection of one kind becomes the multi of that kind.
fn collection(parts: Vec<Geometry>) -> Result<Geometry, String> {
    let (mut points, mut lines, mut polygons) = (Vec::new(), Vec::new(), Vec::new());
    for p in parts {
        match p {
            Geometry::Point(p) => points.push(p),
            Geometry::MultiPoint(ps) => points.extend(ps),
            Geometry::LineString(l) => lines.push(l),
            Geometry::MultiLineString(ls) => lines.extend(ls),
            Geometry::Polygon(p) => polygons.push(p),
            Geometry::MultiPolygon(ps) => polygons.extend(ps),
            Geometry::Surfaces(_) | Geometry::Tin { .. } => return Err("a collection of several kinds".into()),
        }
    }
    match (points.is_empty(), lines.is_empty(), polygons.is_empty()) {
        (false, true, true) => Ok(Geometry::MultiPoint(points)),
        (true, false, true) => Ok(Geometry::MultiLineString(lines)),
        (true, true, false) => Ok(Geometry::MultiPolygon(polygons)),
        (true, true, true) => Err("an empty collection".into()),
        _ => Err("a collection of points, lines or polygons together".into()),
    }
}

/// Is the plan of this polygon simple beyond any doubt of rounding? Only single rings of few vertices are looked at: most
/// buildings and parcels, for which the question costs less than to hand it to GEOS. `false` says nothing.
pub(super) fn surely_simple(g: &Geometry) -> bool {
    const MOST: usize = 24;
    let Geometry::Polygon(p) = g else { return false };
    let [ring] = p.rings.as_slice() else { return false };
    let (Some(o), 4..=MOST) = (ring.first(), ring.len()) else { return false };
    let at = |i: usize| [ring[i][0] - o[0], ring[i][1] - o[1]];
    let extent = (0..ring.len()).flat_map(at).fold(0.0_f64, |m, v| m.max(v.abs()));
    let margin = 1e-7 * extent * extent;
    let side = |a: usize, b: usize, c: usize| {
        let (a, b, c) = (at(a), at(b), at(c));
        let cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        if cross > margin {
            1
        } else if cross < -margin {
            -1
        } else {
            0
        }
    };
    // Both ends of one edge on one side of the other.
    let apart = |a: usize, b: usize| side(a, a + 1, b) * side(a, a + 1, b + 1) > 0;
    let edges = ring.len() - 1;
    (0..edges).all(|i| {
        let next = (i + 1) % edges;
        // Neighbours share a corner and make a true turn there; all others keep away from each other.
        side(i, i + 1, next + 1) != 0 && (i + 2..edges).filter(|&j| (j + 1) % edges != i).all(|j| apart(i, j) || apart(j, i))
    })
}

fn point((x, y, z): (f64, f64, f64)) -> Point3 {
    [x, y, z]
}

/// All vertices in one call of GDAL's; its crate makes one for each. Height 0 where the shape has none.
#[expect(unsafe_code, reason = "the crate has no such call")]
fn vertices(g: &Ogr) -> Vec<Point3> {
    const STRIDE: i32 = size_of::<Point3>() as i32;
    // SAFETY: the geometry lives, and GDAL writes as many points as it has just counted, each into its own place.
    unsafe {
        let h = g.c_geometry();
        let n = gdal_sys::OGR_G_GetPointCount(h);
        let mut out: Vec<Point3> = vec![[0.0; 3]; usize::try_from(n).unwrap_or(0)];
        if !out.is_empty() {
            let x = out.as_mut_ptr().cast::<f64>();
            gdal_sys::OGR_G_GetPoints(h, x.cast(), STRIDE, x.add(1).cast(), STRIDE, x.add(2).cast(), STRIDE);
        }
        out
    }
}

fn line(g: &Ogr, depth: u8) -> Result<Vec<Point3>, String> {
    if depth > MAX_DEPTH {
        return Err("it is nested too deeply".into());
    }
    Ok(match geometry_type_flatten(g.geometry_type()) {
        T::wkbCircularString => arcs(&vertices(g)),
        T::wkbCompoundCurve => {
            let mut out: Vec<Point3> = Vec::new();
            for i in 0..g.geometry_count() {
                let part = line(&g.get_geometry(i), depth + 1)?;
                let skip = usize::from(out.last().is_some_and(|l| part.first() == Some(l)));
                out.extend(part.into_iter().skip(skip));
            }
            out
        }
        _ => vertices(g),
    })
}

fn polygon(g: &Ogr, depth: u8) -> Result<Polygon, String> {
    let mut rings = Vec::with_capacity(g.geometry_count());
    for i in 0..g.geometry_count() {
        rings.push(line(&g.get_geometry(i), depth + 1)?);
    }
    let mut polygon = Polygon { rings };
    turn(&mut polygon);
    Ok(polygon)
}

/// The sense of a ring only counts in plan; a ring that stands upright keeps its own.
fn turn(polygon: &mut Polygon) {
    for (i, ring) in polygon.rings.iter_mut().enumerate() {
        let twice: f64 = ring
            .first()
            .map_or(0.0, |o| ring.windows(2).map(|w| (w[0][0] - o[0]) * (w[1][1] - o[1]) - (w[1][0] - o[0]) * (w[0][1] - o[1])).sum());
        if (i == 0 && twice < 0.0) || (i > 0 && twice > 0.0) {
            ring.reverse();
        }
    }
}

/// Points of a circular string (start, middle, end, middle, end, …) as chords.
fn arcs(p: &[Point3]) -> Vec<Point3> {
    let mut out: Vec<Point3> = p.first().copied().into_iter().collect();
    for w in p.windows(3).step_by(2) {
        arc(&mut out, w[0], w[1], w[2]);
    }
    out
}

fn arc(out: &mut Vec<Point3>, a: Point3, m: Point3, b: Point3) {
    let centre = if a[..2] == b[..2] {
        // A full circle: start and end are one point, the middle lies opposite.
        Some([(a[0] + m[0]) / 2.0, (a[1] + m[1]) / 2.0])
    } else {
        let (bx, by, cx, cy) = (m[0] - a[0], m[1] - a[1], b[0] - a[0], b[1] - a[1]);
        let d = 2.0 * (bx * cy - by * cx);
        let (b2, c2) = (bx * bx + by * by, cx * cx + cy * cy);
        (d.abs() > 1e-12 * (b2 + c2)).then(|| [a[0] + (cy * b2 - by * c2) / d, a[1] + (bx * c2 - cx * b2) / d])
    };
    let Some(c) = centre else {
        out.extend([m, b]);
        return;
    };
    let angle = |p: Point3| (p[1] - c[1]).atan2(p[0] - c[0]);
    let turn = std::f64::consts::TAU;
    let (a0, am, ab) = (angle(a), (angle(m) - angle(a)).rem_euclid(turn), (angle(b) - angle(a)).rem_euclid(turn));
    let sweep = if a[..2] == b[..2] {
        turn
    } else if am <= ab {
        ab
    } else {
        ab - turn
    };
    let n = (sweep.abs().to_degrees() / CHORD_DEG).ceil().max(2.0) as usize;
    let r = (a[0] - c[0]).hypot(a[1] - c[1]);
    for i in 1..n {
        let t = i as f64 / n as f64;
        let phi = a0 + sweep * t;
        out.push([c[0] + r * phi.cos(), c[1] + r * phi.sin(), a[2] + (b[2] - a[2]) * t]);
    }
    out.push(b);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(wkt: &str) -> Geometry {
        match shape(&Ogr::from_wkt(wkt).expect("GDAL reads it")) {
            Shape::One(g) => g,
            Shape::Empty => panic!("empty"),
            Shape::No(e) => panic!("{e}"),
        }
    }

    #[test]
    fn curves_keep_their_length_and_area() {
        let length = |l: &[Point3]| l.windows(2).map(|w| (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1])).sum::<f64>();
        let Geometry::LineString(l) = of("CIRCULARSTRING(1 0, 0 1, -1 0)") else { panic!("a line") };
        assert!((length(&l) - std::f64::consts::PI).abs() < 2e-3, "{}", length(&l));
        assert_eq!((l[0], *l.last().expect("points")), ([1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]));
        let Geometry::LineString(l) = of("COMPOUNDCURVE((5 0, 1 0), CIRCULARSTRING(1 0, 0 -1, -1 0), (-1 0, -3 0))") else {
            panic!("a line")
        };
        assert!((length(&l) - (std::f64::consts::PI + 6.0)).abs() < 2e-3, "{}", length(&l));
        assert!(l.iter().any(|p| p[1] < -0.99), "the arc goes through its middle");
        let Geometry::Polygon(p) = of("CURVEPOLYGON(CIRCULARSTRING(2 0, -2 0, 2 0))") else { panic!("a polygon") };
        assert!((p.plan_area_m2() - 4.0 * std::f64::consts::PI).abs() < 0.02, "{}", p.plan_area_m2());
    }

    #[test]
    fn shells_turn_counter_clockwise_and_holes_the_other_way() {
        let Geometry::Polygon(p) = of("POLYGON Z((0 0 5, 0 9 5, 9 9 5, 9 0 5, 0 0 5),(1 1 5, 2 1 5, 2 2 5, 1 2 5, 1 1 5))") else {
            panic!("a polygon")
        };
        let twice = |r: &[Point3]| r.windows(2).map(|w| w[0][0] * w[1][1] - w[1][0] * w[0][1]).sum::<f64>();
        assert!(twice(&p.rings[0]) > 0.0 && twice(&p.rings[1]) < 0.0 && p.rings[0][0][2] == 5.0);
    }

    /// Every vertex as the well-known binary of the same shape has it.
    #[test]
    fn vertices_are_those_of_the_binary() {
        for text in [
            "LINESTRING(1 2, 3 4)",
            "LINESTRING Z(1 2 3, 3 4 5)",
            "LINESTRING ZM(1 2 3 9, 3 4 5 9)",
            "LINESTRING M(1 2 9, 3 4 9)",
            "POLYGON((0 0, 9 0, 9 9, 0 9, 0 0),(1 1, 1 2, 2 2, 2 1, 1 1))",
            "MULTIPOLYGON Z(((0 0 5, 9 9 5, 0 9 5, 0 0 5)),((20 0 1, 29 9 1, 20 9 1, 20 0 1)))",
            "MULTILINESTRING((1 2, 3 4),(5 6, 7 8, 9 9))",
        ] {
            let g = Ogr::from_wkt(text).expect("GDAL reads it");
            assert_eq!(of(text), strata_model::from_wkb(&g.wkb().expect("binary"), None).expect("a shape"), "{text}");
        }
        assert!(vertices(&Ogr::from_wkt("LINESTRING EMPTY").expect("GDAL reads it")).is_empty());
    }

    #[test]
    fn collections_of_one_kind_are_multis_and_others_are_refused() {
        assert!(matches!(of("GEOMETRYCOLLECTION(POINT(1 2),MULTIPOINT(3 4,5 6))"), Geometry::MultiPoint(p) if p.len() == 3));
        let mixed = Ogr::from_wkt("GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(3 4,5 6))").expect("GDAL reads it");
        assert!(matches!(shape(&mixed), Shape::No(_)));
        assert!(matches!(shape(&Ogr::from_wkt("POLYGON EMPTY").expect("GDAL reads it")), Shape::Empty));
    }

    proptest::proptest! {
        /// What is taken for simple without asking is so for GEOS as well.
        #[test]
        fn surely_simple_rings_are_valid(corners in proptest::collection::vec((0u8..12, 0u8..12), 3..9), e in -1.0..1e6f64, scale in 1e-5..100.0f64) {
            let mut ring: Vec<Point3> = corners.iter().map(|&(x, y)| [e + f64::from(x) * scale, f64::from(y) * scale, 3.0]).collect();
            ring.push(ring[0]);
            let text: Vec<String> = ring.iter().map(|p| format!("{:?} {:?}", p[0], p[1])).collect();
            if surely_simple(&Geometry::Polygon(Polygon::new(ring))) {
                let valid = Ogr::from_wkt(&format!("POLYGON(({}))", text.join(","))).expect("GDAL reads it").is_valid();
                proptest::prop_assert!(valid, "{text:?}");
            }
        }
    }

    #[test]
    fn an_ordinary_house_is_surely_simple_and_a_bow_tie_is_not() {
        let house = of("POLYGON((0 0, 20 0, 20 8, 9 8, 9 14, 0 14, 0 0))");
        assert!(surely_simple(&house));
        for doubtful in
            ["POLYGON((0 0, 4 4, 4 0, 0 4, 0 0))", "POLYGON((0 0, 4 0, 4 4, 2 0, 0 4, 0 0))", "POLYGON((0 0, 9 0, 4 0, 4 5, 0 0))"]
        {
            assert!(!surely_simple(&of(doubtful)), "{doubtful}");
        }
    }
}
