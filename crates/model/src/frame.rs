//! Frames and the ways between them.
//!
//! | frame | axes | unit |
//! |---|---|---|
//! | working | east, north, height (vertical datum of the city) | m |
//! | geographic | **longitude, latitude**, ellipsoidal height | degrees, m |
//! | mercator | EPSG:3857 x east, y north | m |
//! | ECEF | EPSG:4978 x, y, z | m |
//! | local ([`Enu`]) | east, north, up at one origin (true north) | m |
//!
//! WGS 84 and CGCS2000 are taken as the same datum (they differ by less than map accuracy); PROJ at the
//! doors does the same. Projection runs through `proj4rs`, which agrees with PROJ 9.1.1 to 0.1 mm on the
//! four vectors of the tests.

use crate::{ModelError, Point3};
use proj4rs::{Proj, transform::transform};
use serde::{Deserialize, Serialize};

/// Semi-major axis of WGS 84 and CGCS2000, m.
pub const EARTH_A_M: f64 = 6_378_137.0;
const WGS84_F: f64 = 1.0 / 298.257_223_563;
const E2: f64 = WGS84_F * (2.0 - WGS84_F);

/// A horizontal CRS by EPSG code, with an optional vertical one: `EPSG:4551+5737`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Crs {
    pub horizontal: u16,
    pub vertical: Option<u16>,
}

impl Crs {
    /// CGCS2000 / 3-degree Gauss-Kruger CM 126E with 1985 national heights: Changchun's.
    pub const CHANGCHUN: Self = Self { horizontal: 4551, vertical: Some(5737) };

    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let unknown = || ModelError::UnknownCrs { name: text.chars().take(80).collect() };
        let codes = text.trim().strip_prefix("EPSG:").or_else(|| text.trim().strip_prefix("epsg:")).ok_or_else(unknown)?;
        let (h, v) = codes.split_once('+').map_or((codes, None), |(h, v)| (h, Some(v)));
        Ok(Self { horizontal: h.parse().map_err(|_| unknown())?, vertical: v.map(str::parse).transpose().map_err(|_| unknown())? })
    }
}
impl std::fmt::Display for Crs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EPSG:{}", self.horizontal)?;
        self.vertical.map_or(Ok(()), |v| write!(f, "+{v}"))
    }
}
impl TryFrom<String> for Crs {
    type Error = ModelError;
    fn try_from(text: String) -> Result<Self, ModelError> {
        Self::parse(&text)
    }
}
impl From<Crs> for String {
    fn from(crs: Crs) -> Self {
        crs.to_string()
    }
}

/// The city's own frame and the ways out of it. Cheap to clone is not promised; make one and share it.
#[derive(Debug)]
pub struct WorkingFrame {
    pub crs: Crs,
    /// Ellipsoidal height = height in the city's datum + this. One documented constant per city; 0 when
    /// nobody has declared one.
    pub geoid_offset_m: f64,
    working: Proj,
    geographic: Proj,
}

impl WorkingFrame {
    /// Fails for a code that is unknown or not projected in metres.
    pub fn new(crs: Crs, geoid_offset_m: f64) -> Result<Self, ModelError> {
        let unknown = || ModelError::UnknownCrs { name: crs.to_string() };
        let working = Proj::from_epsg_code(crs.horizontal).map_err(|_| unknown())?;
        let geographic = Proj::from_proj_string("+proj=longlat +datum=WGS84 +no_defs").map_err(|_| unknown())?;
        if working.is_latlong() {
            return Err(unknown());
        }
        Ok(Self { crs, geoid_offset_m, working, geographic })
    }
    /// `[lon_deg, lat_deg]` → `[east_m, north_m]`.
    pub fn working_from_geographic(&self, lon_lat_deg: [f64; 2]) -> Result<[f64; 2], ModelError> {
        let mut p = (lon_lat_deg[0].to_radians(), lon_lat_deg[1].to_radians(), 0.0);
        transform(&self.geographic, &self.working, &mut p).map_err(|_| ModelError::Projection {
            x: lon_lat_deg[0],
            y: lon_lat_deg[1],
            crs: self.crs.to_string(),
        })?;
        Ok([p.0, p.1])
    }
    /// `[east_m, north_m]` → `[lon_deg, lat_deg]`.
    pub fn geographic_from_working(&self, east_north_m: [f64; 2]) -> Result<[f64; 2], ModelError> {
        let mut p = (east_north_m[0], east_north_m[1], 0.0);
        transform(&self.working, &self.geographic, &mut p).map_err(|_| ModelError::Projection {
            x: east_north_m[0],
            y: east_north_m[1],
            crs: "EPSG:4326".into(),
        })?;
        Ok([p.0.to_degrees(), p.1.to_degrees()])
    }
    pub fn mercator_from_working(&self, east_north_m: [f64; 2]) -> Result<[f64; 2], ModelError> {
        self.geographic_from_working(east_north_m).map(mercator_from_geographic)
    }
    /// `[east_m, north_m, height_m]` → ECEF, with the geoid offset.
    pub fn ecef_from_working(&self, p: Point3) -> Result<Point3, ModelError> {
        let [lon, lat] = self.geographic_from_working([p[0], p[1]])?;
        Ok(ecef_from_geographic([lon, lat, p[2] + self.geoid_offset_m]))
    }
    pub fn working_from_ecef(&self, p: Point3) -> Result<Point3, ModelError> {
        let [lon, lat, h] = geographic_from_ecef(p);
        let [e, n] = self.working_from_geographic([lon, lat])?;
        Ok([e, n, h - self.geoid_offset_m])
    }
    /// Angle from grid north to true north at a place, degrees, positive when true north lies clockwise of
    /// grid north. At 43.9 N 125.3 E in EPSG:4551: +0.485°.
    pub fn convergence_deg(&self, east_north_m: [f64; 2]) -> Result<f64, ModelError> {
        let [lon, lat] = self.geographic_from_working(east_north_m)?;
        let q = self.working_from_geographic([lon, lat + 1e-4])?;
        Ok((q[0] - east_north_m[0]).atan2(q[1] - east_north_m[1]).to_degrees())
    }
}

/// `[lon_deg, lat_deg]` → EPSG:3857 metres; latitudes beyond ±85.06° are clamped to the map's edge.
pub fn mercator_from_geographic(lon_lat_deg: [f64; 2]) -> [f64; 2] {
    let lat = lon_lat_deg[1].clamp(-85.051_128_78, 85.051_128_78).to_radians();
    [EARTH_A_M * lon_lat_deg[0].to_radians(), EARTH_A_M * (std::f64::consts::FRAC_PI_4 + lat / 2.0).tan().ln()]
}

pub fn geographic_from_mercator(m: [f64; 2]) -> [f64; 2] {
    [(m[0] / EARTH_A_M).to_degrees(), (2.0 * (m[1] / EARTH_A_M).exp().atan() - std::f64::consts::FRAC_PI_2).to_degrees()]
}

/// `[lon_deg, lat_deg, ellipsoidal_height_m]` → ECEF m.
pub fn ecef_from_geographic(p: Point3) -> Point3 {
    let (lon, lat) = (p[0].to_radians(), p[1].to_radians());
    let n = EARTH_A_M / (1.0 - E2 * lat.sin().powi(2)).sqrt();
    [(n + p[2]) * lat.cos() * lon.cos(), (n + p[2]) * lat.cos() * lon.sin(), (n * (1.0 - E2) + p[2]) * lat.sin()]
}

/// ECEF m → `[lon_deg, lat_deg, ellipsoidal_height_m]`; Bowring's start and four steps, under 1e-9 m near the ground.
pub fn geographic_from_ecef(p: Point3) -> Point3 {
    let r = p[0].hypot(p[1]);
    let mut lat = (p[2] / (r * (1.0 - E2))).atan();
    let mut h = 0.0;
    for _ in 0..5 {
        let n = EARTH_A_M / (1.0 - E2 * lat.sin().powi(2)).sqrt();
        h = r * lat.cos() + p[2] * lat.sin() - n * (1.0 - E2 * lat.sin().powi(2));
        lat = (p[2] / (r * (1.0 - E2 * n / (n + h)))).atan();
    }
    [p[1].atan2(p[0]).to_degrees(), lat.to_degrees(), h]
}

/// East-north-up frame at one origin (true north, ellipsoid normal).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Enu {
    pub origin_in_ecef: Point3,
    /// Rows: east, north, up, as unit vectors in ECEF.
    pub axes_in_ecef: [Point3; 3],
}

impl Enu {
    pub fn at_geographic(lon_lat_h: Point3) -> Self {
        let (lon, lat) = (lon_lat_h[0].to_radians(), lon_lat_h[1].to_radians());
        let (sl, cl, sp, cp) = (lon.sin(), lon.cos(), lat.sin(), lat.cos());
        Self {
            origin_in_ecef: ecef_from_geographic(lon_lat_h),
            axes_in_ecef: [[-sl, cl, 0.0], [-sp * cl, -sp * sl, cp], [cp * cl, cp * sl, sp]],
        }
    }
    pub fn local_from_ecef(&self, p: Point3) -> Point3 {
        let d = [0, 1, 2].map(|k| p[k] - self.origin_in_ecef[k]);
        self.axes_in_ecef.map(|a| a[0] * d[0] + a[1] * d[1] + a[2] * d[2])
    }
    pub fn ecef_from_local(&self, p: Point3) -> Point3 {
        [0, 1, 2].map(|k| self.origin_in_ecef[k] + (0..3).map(|r| self.axes_in_ecef[r][k] * p[r]).sum::<f64>())
    }
    /// Column-major 4×4, as 3D Tiles and glTF write `ecef_from_local`.
    pub fn matrix_ecef_from_local(&self) -> [f64; 16] {
        let [e, n, u] = self.axes_in_ecef;
        let o = self.origin_in_ecef;
        [e[0], e[1], e[2], 0.0, n[0], n[1], n[2], 0.0, u[0], u[1], u[2], 0.0, o[0], o[1], o[2], 1.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// lat, lon, E, N in EPSG:4551: the four vectors on which PROJ 9.1.1 and an own 6th-order Krüger series agree.
    const VECTORS: [[f64; 4]; 4] = [
        [43.9, 125.3, 443_761.3954, 4_862_949.4618],
        [43.8868, 125.3245, 445_717.7612, 4_861_466.4197],
        [43.9, 126.0, 500_000.0, 4_862_711.2430],
        [44.0, 125.0, 419_793.6576, 4_874_308.6088],
    ];

    #[test]
    fn changchun_projects_as_proj_does() {
        let frame = WorkingFrame::new(Crs::CHANGCHUN, 0.0).expect("4551 is known");
        for [lat, lon, e, n] in VECTORS {
            let p = frame.working_from_geographic([lon, lat]).expect("inside the zone");
            assert!((p[0] - e).abs() < 1e-3 && (p[1] - n).abs() < 1e-3, "{p:?} is not {e} {n}");
            let g = frame.geographic_from_working(p).expect("inside the zone");
            assert!((g[0] - lon).abs() < 1e-9 && (g[1] - lat).abs() < 1e-9);
        }
        let c = frame.convergence_deg([443_761.395, 4_862_949.462]).expect("inside the zone");
        assert!((c - 0.485).abs() < 1e-3, "convergence {c}");
    }

    #[test]
    fn ecef_goes_there_and_back_and_meets_a_known_point() {
        // Greenwich meridian on the equator, and the pole: the semi-axes of WGS 84.
        assert!((ecef_from_geographic([0.0, 0.0, 0.0])[0] - 6_378_137.0).abs() < 1e-9);
        assert!((ecef_from_geographic([0.0, 90.0, 0.0])[2] - 6_356_752.314_245).abs() < 1e-5);
        let g = [125.3245, 43.8868, 212.4];
        let back = geographic_from_ecef(ecef_from_geographic(g));
        assert!((back[0] - g[0]).abs() < 1e-12 && (back[1] - g[1]).abs() < 1e-11 && (back[2] - g[2]).abs() < 1e-6);
        let enu = Enu::at_geographic(g);
        let p = enu.ecef_from_local([10.0, 20.0, 30.0]);
        let q = enu.local_from_ecef(p);
        assert!((q[0] - 10.0).abs() < 1e-8 && (q[1] - 20.0).abs() < 1e-8 && (q[2] - 30.0).abs() < 1e-8);
    }

    #[test]
    fn a_wrong_crs_is_named() {
        for text in ["EPSG:0", "4551", "EPSG:99999", "/etc/passwd"] {
            let named = Crs::parse(text).and_then(|c| WorkingFrame::new(c, 0.0).map(|_| ()));
            assert!(matches!(named, Err(ModelError::UnknownCrs { .. })), "{text}: {named:?}");
        }
        assert!(WorkingFrame::new(Crs::parse("EPSG:4326").expect("parses"), 0.0).is_err(), "degrees are no working frame");
    }
}
