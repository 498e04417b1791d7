//! What a file says of its coordinates: the name of a CRS, the order of its axes, and the way into the working frame.

use crate::{IngestError, output::Output, place::Place};
use std::{collections::HashMap, path::Path, rc::Rc};
use strata_model::{Crs, Geometry, Point3};

/// A CRS name as GML and CityJSON write it, understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference {
    pub horizontal: u16,
    /// The first number is the northing or the latitude.
    pub north_first: bool,
    pub geographic: bool,
    /// The heights are part of the CRS (6697, 7415, …) and are kept as they are.
    pub compound: bool,
}

impl Reference {
    /// URNs and `http://www.opengis.net/def/crs/…` name the EPSG axis order; the short form `EPSG:n` and the old
    /// `…/epsg.xml#n` mean east before north, as GDAL and most writers hold it. `None`: no such name.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("urn:adv:crs:") {
            return german(&lower).map(|horizontal| Self {
                horizontal,
                north_first: false,
                geographic: false,
                compound: lower.contains('*'),
            });
        }
        if lower.ends_with("crs84") {
            return Some(Self { horizontal: 4326, north_first: false, geographic: true, compound: false });
        }
        let after = &lower[lower.find("epsg")? + 4..];
        let formal = lower.starts_with("urn:") || lower.contains("/def/crs");
        // `…EPSG::7415`, `…EPSG/0/6697`, `…EPSG:6.12:3068`, `…EPSG::28992,crs:EPSG::5109`: the last number before a comma.
        let digits = after.split([',', '+']).next()?.rsplit([':', '/', '#']).next()?;
        let mut this = Self::from_epsg(digits.parse().ok()?)?;
        this.north_first &= formal;
        this.compound |= after.contains([',', '+']);
        Some(this)
    }
    /// The horizontal part of an EPSG code in EPSG's own axis order; `None` for an unknown code or a geocentric one.
    pub fn from_epsg(code: u32) -> Option<Self> {
        // JGD2011 plane rectangular zones I–XIII with heights: newer than the EPSG registry of PROJ 9.1.
        if let zone @ 10_162..=10_174 = code {
            return Some(Self { horizontal: (zone - 10_162 + 6_669) as u16, north_first: true, geographic: false, compound: true });
        }
        crate::guard_gdal();
        let named = gdal::spatial_ref::SpatialRef::from_epsg(code).ok()?;
        let text = named.to_projjson().ok()?;
        let json: serde_json::Value = serde_json::from_str(&text).ok()?;
        let compound = json["type"] == "CompoundCRS";
        let plan = if compound { &json["components"][0] } else { &json };
        let axes = plan["coordinate_system"]["axis"].as_array()?;
        let geographic = plan["coordinate_system"]["subtype"] == "ellipsoidal";
        if !geographic && plan["coordinate_system"]["subtype"] != "Cartesian" {
            return None;
        }
        let direction = axes.first()?["direction"].as_str()?;
        if direction == "geocentricX" {
            return None;
        }
        // PROJ's JSON leaves the codes of a compound's parts out; the older WKT has them.
        let horizontal = if compound { first_part_code(&named.to_wkt().ok()?)? } else { u64::from(code) };
        Some(Self {
            horizontal: u16::try_from(horizontal).ok()?,
            north_first: direction == "north",
            geographic,
            compound: compound || axes.len() > 2,
        })
    }
}

/// Code of the horizontal part of a compound CRS in WKT 1: the last authority before the vertical part.
fn first_part_code(wkt: &str) -> Option<u64> {
    let plan = &wkt[..wkt.find("VERT_CS[")?];
    plan.rsplit_once("AUTHORITY[\"EPSG\",\"")?.1.split('"').next()?.parse().ok()
}

/// Names of the German land surveys, `urn:adv:crs:ETRS89_UTM32*DE_DHHN2016_NH`.
fn german(lower: &str) -> Option<u16> {
    let known = [
        ("etrs89_utm31", 25831),
        ("etrs89_utm32", 25832),
        ("etrs89_utm33", 25833),
        ("dhdn_3gk2", 31466),
        ("dhdn_3gk3", 31467),
        ("dhdn_3gk4", 31468),
    ];
    known.iter().find(|(n, _)| lower.contains(n)).map(|(_, code)| *code)
}

/// From the numbers of one CRS into the working frame.
pub(crate) struct Way {
    place: Place,
    north_first: bool,
    geographic: bool,
    pub name: String,
}

impl Way {
    /// Axis order, then projection. Points that have no image become not-a-number and fail the feature's check.
    pub fn apply(&self, geometry: &mut Geometry) {
        if self.north_first {
            geometry.for_each_point_mut(|p| p.swap(0, 1));
        }
        self.place.apply(geometry);
    }
    /// One point, by the same way.
    pub fn point(&self, p: Point3) -> Point3 {
        let mut g = Geometry::Point(p);
        self.apply(&mut g);
        match g {
            Geometry::Point(p) => p,
            _ => p,
        }
    }
}

/// The ways that one file needs, made once each.
pub(crate) struct Ways {
    known: HashMap<String, Result<Rc<Way>, String>>,
    /// `srsName` of the file's envelope.
    pub default: Option<String>,
    /// Numbers to a point where a geometry does not say.
    pub dimension: usize,
    judged: bool,
}

impl Ways {
    pub fn new() -> Self {
        Self { known: HashMap::new(), default: None, dimension: 3, judged: false }
    }
    /// The way for a geometry that names `srs`, else the file's, else the caller's. The caller's CRS overrules all.
    pub fn way(&mut self, srs: Option<&str>, out: &mut Output<'_>) -> Result<Rc<Way>, IngestError> {
        let name = srs.or(self.default.as_deref()).unwrap_or("").to_owned();
        if !self.known.contains_key(&name) {
            let made = self.make(&name, out);
            self.known.insert(name.clone(), made);
        }
        match self.known.get(&name) {
            Some(Ok(way)) => Ok(way.clone()),
            Some(Err(e)) => Err(out.error("invalid-crs", e.clone())),
            None => Err(out.error("invalid-crs", "no CRS")),
        }
    }
    fn make(&self, name: &str, out: &mut Output<'_>) -> Result<Rc<Way>, String> {
        let working = out.options.frame.crs.clone();
        let declared = (!name.is_empty()).then(|| Reference::parse(name));
        let shown = crate::archive::shown(name);
        let reference = match (&out.options.source_crs, declared) {
            (Some(crs), declared) => {
                let mut r = Reference::from_epsg(u32::from(crs.horizontal)).ok_or_else(|| format!("{crs} is not known"))?;
                let said = declared.flatten();
                // A file that names no axis order is read as most writers write it.
                r.north_first &= said.as_ref().is_some_and(|d| d.north_first)
                    || name.to_ascii_lowercase().contains("/def/crs")
                    || name.starts_with("urn:");
                out.report.note(format!(
                    "coordinates are read in {crs} as asked{}, {} first",
                    if name.is_empty() { String::new() } else { format!(", not in `{shown}` as the file says") },
                    if r.north_first { "north" } else { "east" }
                ));
                r
            }
            (None, None) => return Err("the file names no coordinate reference system; give one".into()),
            (None, Some(None)) => return Err(format!("the coordinate reference system `{shown}` is not known")),
            (None, Some(Some(r))) => r,
        };
        if reference.compound {
            out.report.note(format!(
                "heights are kept as the file has them (`{shown}`); only the plan goes from EPSG:{} to {working}",
                reference.horizontal
            ));
        }
        let source = Crs { horizontal: reference.horizontal, vertical: None };
        let place = Place::from_crs(&source, &working, Path::new("")).map_err(|e| e.reason)?;
        Ok(Rc::new(Way {
            place,
            north_first: reference.north_first,
            geographic: reference.geographic,
            name: format!("EPSG:{}", reference.horizontal),
        }))
    }
    /// Judges once, by one of the file's own places, whether the file belongs into this city at all.
    pub fn judge(&mut self, way: &Way, raw: Point3, out: &Output<'_>) -> Result<(), IngestError> {
        if self.judged || !raw.iter().all(|v| v.is_finite()) {
            return Ok(());
        }
        self.judged = true;
        let working = &out.options.frame.crs;
        let [x, y] = if way.north_first { [raw[1], raw[0]] } else { [raw[0], raw[1]] };
        if way.geographic && (y.abs() > 90.0 || x.abs() > 360.0) {
            let hint = if x.abs() <= 90.0 { "; are the axes swapped?" } else { "" };
            return Err(out.error("invalid-crs", format!("{} would put it at latitude {y}, longitude {x}{hint}", way.name)));
        }
        let p = way.point(raw);
        if let Some(area) = out.area
            && !area.contains([p[0], p[1]])
        {
            let reason = format!(
                "the file lies at {x}, {y} in {}, outside the area of use of the city's {working}; make a city in a CRS that fits, or give the file's true CRS",
                way.name
            );
            return Err(out.error("invalid-crs", reason));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_axis_orders() {
        let is = |name: &str, horizontal, north_first, geographic, compound| {
            assert_eq!(Reference::parse(name), Some(Reference { horizontal, north_first, geographic, compound }), "{name}");
        };
        is("http://www.opengis.net/def/crs/EPSG/0/6697", 6668, true, true, true);
        is("http://www.opengis.net/def/crs/EPSG/0/10169", 6676, true, false, true);
        is("urn:ogc:def:crs:EPSG::28992", 28992, false, false, false);
        is("https://www.opengis.net/def/crs/EPSG/0/7415", 28992, false, false, true);
        is("urn:ogc:def:crs,crs:EPSG::28992,crs:EPSG::5109", 28992, false, false, true);
        is("urn:ogc:def:crs:EPSG::4979", 4979, true, true, true);
        is("epsg:25832", 25832, false, false, false);
        is("EPSG:6668", 6668, false, true, false);
        is("urn:adv:crs:ETRS89_UTM32*DE_DHHN92_NH", 25832, false, false, true);
        is("http://www.opengis.net/def/crs/OGC/1.3/CRS84", 4326, false, true, false);
        is("http://www.opengis.net/def/crs/EPSG/0/4551", 4551, true, false, false);
        for bad in ["", "http://www.opengis.net/def/crs/EPSG/0/999999", "EPSG:", "EPSG:abc", "EPSG:4978", "local"] {
            assert_eq!(Reference::parse(bad), None, "{bad}");
        }
    }
}
