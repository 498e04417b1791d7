//! Coordinates at the door: which systems are offered, their axis order, and boxes that clients ask with.

use crate::{CityState, Problem, ask::Params, problem::short};
use strata_model::{Bounds2, Bounds3, Geometry, Point3, Polygon, WorkingFrame, geographic_from_mercator, mercator_from_geographic};

/// A system that features can be asked in. Heights: ellipsoidal in the geographic ones and in web mercator, the
/// city's own in its working frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoorCrs {
    /// Longitude, latitude.
    Crs84,
    /// EPSG:4326: latitude, longitude.
    Wgs84,
    /// EPSG:3857: x east, y north.
    Mercator,
    /// The city's own, in the axis order of the EPSG registry.
    Working { code: u16, north_first: bool },
}

const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";
const CRS84H: &str = "http://www.opengis.net/def/crs/OGC/0/CRS84h";

impl DoorCrs {
    pub fn working(frame: &WorkingFrame) -> Self {
        let code = frame.crs.horizontal;
        Self::Working { code, north_first: north_first(code) }
    }
    pub fn uris(frame: &WorkingFrame) -> Vec<String> {
        [Self::Crs84, Self::Wgs84, Self::Mercator, Self::working(frame)].map(|c| c.uri()).into_iter().chain([CRS84H.into()]).collect()
    }
    pub fn uri(self) -> String {
        match self {
            Self::Crs84 => CRS84.into(),
            Self::Wgs84 => epsg(4326),
            Self::Mercator => epsg(3857),
            Self::Working { code, .. } => epsg(code),
        }
    }
    /// By its URI or as `EPSG:code`; anything else is refused without being looked up anywhere.
    pub fn parse(name: &str, text: &str, frame: &WorkingFrame) -> Result<Self, Problem> {
        let code = text.strip_prefix("http://www.opengis.net/def/crs/EPSG/0/").or_else(|| text.strip_prefix("EPSG:"));
        match (text, code.and_then(|c| c.parse::<u16>().ok())) {
            (CRS84 | CRS84H, _) => Ok(Self::Crs84),
            (_, Some(4326)) => Ok(Self::Wgs84),
            (_, Some(3857)) => Ok(Self::Mercator),
            (_, Some(c)) if c == frame.crs.horizontal => Ok(Self::working(frame)),
            _ => Err(Problem::parameter("invalid-crs", name, format!("`{}` is not offered", short(text)))),
        }
    }
    /// A position in this system's axes → the working frame, with a height when it came with one. `None`: outside of
    /// the earth or of the projection.
    pub fn to_working(self, frame: &WorkingFrame, p: &[f64]) -> Option<Vec<f64>> {
        let (a, b, height) = (*p.first()?, *p.get(1)?, p.get(2).copied());
        let geographic = |lon: f64, lat: f64| {
            let sound = lon.abs() <= 180.0 && lat.abs() <= 90.0;
            sound.then(|| frame.working_from_geographic([lon, lat]).ok()).flatten()
        };
        let ([e, n], offset) = match self {
            Self::Working { north_first, .. } => (if north_first { [b, a] } else { [a, b] }, 0.0),
            Self::Wgs84 => (geographic(b, a)?, frame.geoid_offset_m),
            Self::Crs84 => (geographic(a, b)?, frame.geoid_offset_m),
            Self::Mercator => {
                let g = geographic_from_mercator([a, b]);
                (geographic(g[0], g[1])?, frame.geoid_offset_m)
            }
        };
        let height = height.map(|h| h - offset);
        let sound = e.abs() < 1e9 && n.abs() < 1e9 && height.is_none_or(|h| h.abs() < 1e5);
        sound.then(|| [e, n].into_iter().chain(height).collect())
    }
    /// Working point → this system's axes, rounded to a tenth of a millimetre or finer.
    pub fn point(self, frame: &WorkingFrame, p: Point3) -> Result<Point3, Problem> {
        let round = |v: f64, places: f64| (v * places).round() / places;
        let metres = |v: f64| round(v, 1e4);
        if let Self::Working { north_first, .. } = self {
            let [x, y] = if north_first { [p[1], p[0]] } else { [p[0], p[1]] };
            return Ok([metres(x), metres(y), metres(p[2])]);
        }
        let g = frame.geographic_from_working([p[0], p[1]])?;
        let height = metres(p[2] + frame.geoid_offset_m);
        let degrees = |v: f64| round(v, 1e9);
        Ok(match self {
            Self::Wgs84 => [degrees(g[1]), degrees(g[0]), height],
            Self::Mercator => {
                let m = mercator_from_geographic(g);
                [metres(m[0]), metres(m[1]), height]
            }
            _ => [degrees(g[0]), degrees(g[1]), height],
        })
    }
}

fn epsg(code: u16) -> String {
    format!("http://www.opengis.net/def/crs/EPSG/0/{code}")
}

/// Codes whose registered axes are northing, easting: the Gauss–Krüger grids of Beijing 1954, Xi'an 1980 and
/// CGCS2000, and the Japanese plane rectangular ones.
fn north_first(code: u16) -> bool {
    matches!(code, 2327..=2390 | 2401..=2442 | 4491..=4554 | 2443..=2461 | 6669..=6687 | 21413..=21463 | 31466..=31469)
}

/// A box that a client asked with: plan boxes in longitude and latitude or in the working frame, and heights.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedBox {
    /// Two when it crosses the antimeridian.
    plan: Vec<Bounds2>,
    working: bool,
    /// Working heights, m.
    heights: Option<[f64; 2]>,
}

impl AskedBox {
    /// Parameters `bbox` (4 or 6 numbers) and `bbox-crs`.
    pub fn parse(query: &Params, frame: &WorkingFrame) -> Result<Option<Self>, Problem> {
        let crs = match query.get("bbox-crs") {
            Some(text) => DoorCrs::parse("bbox-crs", text, frame)?,
            None => DoorCrs::Crs84,
        };
        let Some(text) = query.get("bbox") else { return Ok(None) };
        let bad = |reason: &str| Problem::parameter("invalid-bbox", "bbox", reason);
        let numbers: Vec<f64> = text
            .split(',')
            .take(7)
            .map(|t| t.trim().parse::<f64>().ok().filter(|v| v.is_finite()))
            .collect::<Option<_>>()
            .ok_or_else(|| bad("it holds something that is not a finite number"))?;
        let (a, b, heights) = match numbers[..] {
            [x0, y0, x1, y1] => ([x0, y0], [x1, y1], None),
            [x0, y0, z0, x1, y1, z1] => ([x0, y0], [x1, y1], Some([z0, z1])),
            _ => return Err(bad("it wants 4 or 6 numbers")),
        };
        if heights.is_some_and(|[low, high]| low > high) {
            return Err(bad("its lowest height is above its highest"));
        }
        let flip = |p: [f64; 2]| [p[1], p[0]];
        let (a, b) = match crs {
            DoorCrs::Wgs84 | DoorCrs::Working { north_first: true, .. } => (flip(a), flip(b)),
            DoorCrs::Mercator => (geographic_from_mercator(a), geographic_from_mercator(b)),
            _ => (a, b),
        };
        if a[1] > b[1] {
            return Err(bad("its south is north of its north"));
        }
        let working = matches!(crs, DoorCrs::Working { .. });
        let plan = match a[0] > b[0] {
            false => vec![Bounds2 { min: a, max: b }],
            true if working => return Err(bad("its west is east of its east")),
            true => vec![Bounds2 { min: a, max: [180.0, b[1]] }, Bounds2 { min: [-180.0, a[1]], max: b }],
        };
        let offset = if working { 0.0 } else { frame.geoid_offset_m };
        Ok(Some(Self { plan, working, heights: heights.map(|h| h.map(|v| v - offset)) }))
    }

    /// A working box that covers the part of the asked one which can meet `layer` (its working box); `None`: nothing can.
    pub fn cover(&self, state: &CityState, layer: &Bounds3) -> Option<Bounds3> {
        let mut out = Bounds2::EMPTY;
        if self.working {
            self.plan.iter().for_each(|b| {
                out.extend(b.min);
                out.extend(b.max);
            });
        } else {
            // The layer's own box in degrees, grown over the bow of its edges, cuts a box as large as the world
            // down to where the projection has an answer.
            let mut own = Bounds2::EMPTY;
            for i in 0..=4 {
                for j in 0..=4 {
                    let at = |k: usize, n: i32| layer.min[k] + (layer.max[k] - layer.min[k]) * f64::from(n) / 4.0;
                    own.extend(state.frame.geographic_from_working([at(0, i), at(1, j)]).ok()?);
                }
            }
            let own = own.grown(0.01);
            for b in self.plan.iter().filter(|b| b.intersects(&own)) {
                let (lo, hi) = ([0, 1].map(|k| b.min[k].max(own.min[k])), [0, 1].map(|k| b.max[k].min(own.max[k])));
                for i in 0..=8 {
                    for j in 0..=8 {
                        let at = |k: usize, n: i32| lo[k] + (hi[k] - lo[k]) * f64::from(n) / 8.0;
                        out.extend(state.frame.working_from_geographic([at(0, i), at(1, j)]).ok()?);
                    }
                }
            }
            // The edges bow between the nodes.
            let bow = (0..2).map(|k| out.max[k] - out.min[k]).fold(1.0, f64::max) * 1e-3;
            out = out.grown(bow);
        }
        if out.is_empty() {
            return None;
        }
        let mut cover = out.with_all_heights();
        if let Some([low, high]) = self.heights {
            (cover.min[2], cover.max[2]) = (low, high);
        }
        Some(cover)
    }

    /// Does the geometry itself (not its box) meet the asked one, in plan?
    pub fn meets(&self, frame: &WorkingFrame, geometry: &Geometry) -> bool {
        let place = |p: &Point3| {
            let plan = [p[0], p[1]];
            if self.working { Some(plan) } else { frame.geographic_from_working(plan).ok() }
        };
        let line = |points: &[Point3]| points.iter().map(place).collect::<Option<Vec<_>>>().unwrap_or_default();
        self.plan.iter().any(|b| {
            let on_line = |l: &[Point3]| line(l).windows(2).any(|w| segment_meets(w[0], w[1], b));
            let in_polygon = |p: &Polygon| {
                let rings: Vec<Vec<[f64; 2]>> = p.rings.iter().map(|r| line(r)).collect();
                rings.iter().any(|r| r.windows(2).any(|w| segment_meets(w[0], w[1], b)))
                    || rings.iter().filter(|r| ring_holds(r, b.min)).count() % 2 == 1
            };
            let point = |p: &Point3| place(p).is_some_and(|q| b.contains(q));
            match geometry {
                Geometry::Point(p) => point(p),
                Geometry::MultiPoint(ps) => ps.iter().any(point),
                Geometry::LineString(l) => on_line(l),
                Geometry::MultiLineString(ls) => ls.iter().any(|l| on_line(l)),
                Geometry::Polygon(p) => in_polygon(p),
                Geometry::MultiPolygon(ps) => ps.iter().any(in_polygon),
                Geometry::Surfaces(fs) => fs.iter().any(|f| in_polygon(&f.polygon)),
                Geometry::Tin { points, triangles } => triangles.iter().any(|t| {
                    let ring: Vec<Point3> = [t[0], t[1], t[2], t[0]].iter().filter_map(|&i| points.get(i as usize).copied()).collect();
                    in_polygon(&Polygon::new(ring))
                }),
            }
        })
    }
}

fn segment_meets(a: [f64; 2], b: [f64; 2], rect: &Bounds2) -> bool {
    let (mut t0, mut t1) = (0.0_f64, 1.0_f64);
    for k in 0..2 {
        let d = b[k] - a[k];
        if d == 0.0 {
            if a[k] < rect.min[k] || a[k] > rect.max[k] {
                return false;
            }
        } else {
            let (u, v) = ((rect.min[k] - a[k]) / d, (rect.max[k] - a[k]) / d);
            t0 = t0.max(u.min(v));
            t1 = t1.min(u.max(v));
        }
    }
    t0 <= t1
}

fn ring_holds(ring: &[[f64; 2]], p: [f64; 2]) -> bool {
    ring.windows(2).fold(false, |inside, w| {
        let crosses = (w[0][1] > p[1]) != (w[1][1] > p[1]) && p[0] < (w[1][0] - w[0][0]) * (p[1] - w[0][1]) / (w[1][1] - w[0][1]) + w[0][0];
        inside != crosses
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_model::Crs;

    #[test]
    fn axes_stand_as_the_registry_has_them() {
        let frame = WorkingFrame::new(Crs::CHANGCHUN, 10.0).expect("known");
        let p = [443_761.3954, 4_862_949.4618, 200.0];
        let got = |c: DoorCrs| c.point(&frame, p).expect("inside");
        assert_eq!(got(DoorCrs::working(&frame)), [4_862_949.4618, 443_761.3954, 200.0], "EPSG:4551 is northing, easting");
        let [lon, lat, h] = got(DoorCrs::Crs84);
        assert!((lon - 125.3).abs() < 1e-8 && (lat - 43.9).abs() < 1e-8 && h == 210.0);
        assert_eq!(got(DoorCrs::Wgs84)[0], lat);
        // 43.9 N in EPSG:3857, from the formula of the EPSG guidance note.
        let y = 6_378_137.0 * (std::f64::consts::FRAC_PI_4 + 43.9_f64.to_radians() / 2.0).tan().ln();
        assert!((got(DoorCrs::Mercator)[1] - y).abs() < 0.01);
        for bad in ["EPSG:4490", "/etc/passwd", "http://www.opengis.net/def/crs/EPSG/0/../../x", "", "EPSG:99999999"] {
            assert_eq!(DoorCrs::parse("crs", bad, &frame).map_err(|p| p.code), Err("invalid-crs"), "{bad}");
        }
    }

    #[test]
    fn boxes_meet_what_lies_in_or_around_them() {
        let rect = Bounds2 { min: [0.0, 0.0], max: [1.0, 1.0] };
        assert!(segment_meets([-1.0, 0.5], [2.0, 0.5], &rect) && segment_meets([0.2, 0.2], [0.3, 0.3], &rect));
        assert!(!segment_meets([-1.0, 0.5], [0.5, 2.0], &rect) && !segment_meets([2.0, 0.0], [2.0, 1.0], &rect));
        assert!(ring_holds(&[[-5.0, -5.0], [5.0, -5.0], [5.0, 5.0], [-5.0, 5.0], [-5.0, -5.0]], rect.min));
    }
}
