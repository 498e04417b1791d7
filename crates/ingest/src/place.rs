//! Where GDAL and PROJ stand: the guard around the drivers and the way from a file's CRS to the working frame.

use crate::IngestError;
use gdal::{
    DriverManager,
    spatial_ref::{AxisMappingStrategy, CoordTransform, SpatialRef},
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, Once},
};
use strata_model::{Bounds2, Crs, Geometry, Point3};

/// The drivers that stay; everything else GDAL brings is never registered or struck off before the first file.
const DRIVERS: [&str; 8] = ["GPKG", "ESRI Shapefile", "GeoJSON", "GeoJSONSeq", "FlatGeobuf", "DXF", "CSV", "GTiff"];

/// Named too, so that they are gone even between registration and the striking off.
const NETWORK: &str = "VRT WMS WMTS WCS WFS OAPIF CSW HTTP DAAS EEDA EEDAI PLMosaic PLScenes ElasticSearch Elasticsearch Carto \
    AmigoCloud NGW OGR_VRT OGR_OGDI PostgreSQL PostGISRaster MySQL ODBC MSSQLSpatial GMLAS GML";

/// Cuts GDAL down to the drivers that this room needs and shuts its ways to the network and to other files.
/// Once per process; every reader calls it, a program may call it at start.
pub fn guard_gdal() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (key, value) in [
            ("GDAL_SKIP", NETWORK),
            ("OGR_SKIP", NETWORK),
            ("GDAL_DRIVER_PATH", "disable"),
            ("CPL_VSIL_CURL_ALLOWED_EXTENSIONS", "{nothing}"),
            ("CPL_VSIL_CURL_ALLOWED_FILENAME", "nothing"),
            ("GDAL_PAM_ENABLED", "NO"),
            ("OGR_GEOJSON_MAX_OBJ_SIZE", "200"),
            ("SHAPE_RESTORE_SHX", "NO"),
            ("DXF_MERGE_BLOCK_GEOMETRIES", "FALSE"),
            ("OSR_DEFAULT_AXIS_MAPPING_STRATEGY", "TRADITIONAL_GIS_ORDER"),
            ("PROJ_NETWORK", "OFF"),
            ("OGR_CT_USE_DEFAULT_EPSG_TOWGS84", "NO"),
        ] {
            // A key or value with a NUL byte is the only way to fail.
            let _ = gdal::config::set_config_option(key, value);
        }
        // Faults come back as values; GDAL's own lines on stderr would only repeat them.
        gdal::config::set_error_handler(|_, _, _| {});
        DriverManager::prevent_auto_registration();
        DriverManager::register_all();
        let others: Vec<_> = DriverManager::all().filter(|d| !DRIVERS.contains(&d.short_name().as_str())).collect();
        others.iter().for_each(DriverManager::deregister_driver);
    });
}

/// A horizontal CRS as GDAL knows it, x before y and longitude before latitude.
pub(crate) fn spatial_ref(crs: &Crs) -> Result<SpatialRef, String> {
    guard_gdal();
    let mut srs = SpatialRef::from_epsg(u32::from(crs.horizontal)).map_err(|_| format!("{crs} is not known"))?;
    srs.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
    Ok(srs)
}

/// The plan box, in its own metres, in which a projected CRS may be used: the EPSG area of use with three degrees
/// around it (a city at the edge of a zone keeps its zone). `None` when EPSG says nothing.
pub(crate) fn area_of(crs: &Crs) -> Option<Bounds2> {
    // PROJ takes some ten milliseconds for it, and an import of many small files asks each time.
    static KNOWN: Mutex<BTreeMap<u16, Option<Bounds2>>> = Mutex::new(BTreeMap::new());
    if let Ok(known) = KNOWN.lock()
        && let Some(area) = known.get(&crs.horizontal)
    {
        return *area;
    }
    let area = area_by_epsg(crs);
    if let Ok(mut known) = KNOWN.lock() {
        known.insert(crs.horizontal, area);
    }
    area
}

fn area_by_epsg(crs: &Crs) -> Option<Bounds2> {
    let srs = spatial_ref(crs).ok()?;
    let a = srs.area_of_use()?;
    let geographic = spatial_ref(&Crs { horizontal: 4326, vertical: None }).ok()?;
    let there = CoordTransform::new(&geographic, &srs).ok()?;
    let grown = [
        (a.west_lon_degree - 3.0).max(-180.0),
        (a.south_lat_degree - 3.0).max(-89.0),
        (a.east_lon_degree + 3.0).min(180.0),
        (a.north_lat_degree + 3.0).min(89.0),
    ];
    let b = there.transform_bounds(&grown, 21).ok()?;
    b.iter().all(|v| v.is_finite()).then_some(Bounds2 { min: [b[0], b[1]], max: [b[2], b[3]] })
}

/// From a file's CRS into the working frame, plan only; heights pass as they are.
pub(crate) struct Place {
    /// `None`: the file is in the working CRS already.
    transform: Option<CoordTransform>,
    pub geographic: bool,
}

impl Place {
    pub fn from_crs(source: &Crs, working: &Crs, path: &Path) -> Result<Self, IngestError> {
        let srs = spatial_ref(source).map_err(|e| IngestError::new(path, "invalid-crs", e))?;
        if source.horizontal == working.horizontal {
            return Ok(Self { transform: None, geographic: false });
        }
        Self::from_srs(&srs, working, path)
    }
    /// `srs` in any axis order; it is read in GIS order.
    pub fn from_srs(srs: &SpatialRef, working: &Crs, path: &Path) -> Result<Self, IngestError> {
        let fault = |e: String| IngestError::new(path, "invalid-crs", e);
        let source = crs_name(srs);
        if source == format!("EPSG:{}", working.horizontal) {
            return Ok(Self { transform: None, geographic: false });
        }
        if srs.is_geocentric() {
            return Err(fault(format!("{source} is geocentric; a plan is needed")));
        }
        let mut from = srs.clone();
        from.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
        let to = spatial_ref(working).map_err(fault)?;
        let transform = CoordTransform::new(&from, &to).map_err(|e| fault(format!("no way from {source} to {working}: {e}")))?;
        Ok(Self { transform: Some(transform), geographic: from.is_geographic() })
    }
    /// Moves the plan of all points into the working frame. A point that has no image becomes not a number, and
    /// the feature's check refuses it.
    pub fn apply(&self, geometry: &mut Geometry) {
        let Some(t) = &self.transform else { return };
        let (mut x, mut y) = (Vec::new(), Vec::new());
        geometry.for_each_point(|p| {
            x.push(p[0]);
            y.push(p[1]);
        });
        let sound = x.iter().zip(&y).all(|(x, y)| x.is_finite() && y.is_finite());
        let ok =
            sound && (!self.geographic || y.iter().all(|lat| lat.abs() <= 90.0)) && t.transform_coords(&mut x, &mut y, &mut []).is_ok();
        let mut i = 0;
        geometry.for_each_point_mut(|p| {
            (p[0], p[1]) = if ok { (x[i], y[i]) } else { (f64::NAN, f64::NAN) };
            i += 1;
        });
    }
    pub fn points(&self, points: &mut [Point3]) {
        let mut g = Geometry::MultiPoint(points.to_vec());
        self.apply(&mut g);
        if let Geometry::MultiPoint(moved) = g {
            points.copy_from_slice(&moved);
        }
    }
}

/// `EPSG:n` when the CRS says so, else its name.
pub(crate) fn crs_name(srs: &SpatialRef) -> String {
    match (srs.auth_name(), srs.auth_code()) {
        (Some(name), Ok(code)) => format!("{name}:{code}"),
        _ => srs.name().unwrap_or_else(|| "a CRS without a name".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_drivers_stay() {
        guard_gdal();
        let mut left: Vec<String> = DriverManager::all().map(|d| d.short_name()).collect();
        left.sort();
        let mut wanted: Vec<String> = DRIVERS.iter().map(|d| (*d).to_owned()).collect();
        wanted.sort();
        assert_eq!(left, wanted);
    }

    #[test]
    fn the_way_agrees_with_the_known_points() {
        // The vectors of `strata_model::frame`: PROJ 9.1.1 and an own Krüger series agree on them.
        let place = Place::from_crs(&Crs { horizontal: 4490, vertical: None }, &Crs::CHANGCHUN, Path::new("-")).expect("known");
        let mut g = Geometry::Point([125.3, 43.9, 7.0]);
        place.apply(&mut g);
        let Geometry::Point(p) = g else { panic!("still a point") };
        assert!((p[0] - 443_761.3954).abs() < 1e-3 && (p[1] - 4_862_949.4618).abs() < 1e-3 && p[2] == 7.0, "{p:?}");
        let area = area_of(&Crs::CHANGCHUN).expect("EPSG says where");
        assert!(area.contains([p[0], p[1]]) && !area.contains([125.3, 43.9]) && !area.contains([p[1], p[0]]));
    }
}
