//! Features as GeoJSON, and GeoJSON as features.

use crate::{Problem, crs::DoorCrs, problem::short};
use serde_json::{Map, Value as Json, json};
use strata_model::{Feature, FieldKind, Geometry, Instant, Interval, Layer, Point3, Polygon, Value, WorkingFrame};

/// One feature. Faces of solids and triangles of a TIN become a MultiPolygon; times are `valid_from` and
/// `valid_to` (null: unbounded).
pub fn feature(layer: &Layer, f: &Feature, crs: DoorCrs, frame: &WorkingFrame) -> Result<Json, Problem> {
    let mut properties = Map::new();
    for (field, value) in layer.fields.iter().zip(&f.attributes) {
        properties.insert(field.name.clone(), serde_json::to_value(value).unwrap_or(Json::Null));
    }
    properties.insert("valid_from".into(), instant(f.valid.from));
    properties.insert("valid_to".into(), instant(f.valid.to));
    Ok(json!({ "type": "Feature", "id": f.id, "geometry": geometry(&f.geometry, crs, frame)?, "properties": properties }))
}

pub fn instant(at: Instant) -> Json {
    if at == Instant::MIN || at == Instant::MAX { Json::Null } else { at.to_string().into() }
}

pub fn geometry(g: &Geometry, crs: DoorCrs, frame: &WorkingFrame) -> Result<Json, Problem> {
    let point = |p: &Point3| crs.point(frame, *p).map(|p| json!(p));
    let line = |l: &[Point3]| l.iter().map(point).collect::<Result<Vec<_>, _>>().map(Json::from);
    let rings = |p: &Polygon| p.rings.iter().map(|r| line(r)).collect::<Result<Vec<_>, _>>().map(Json::from);
    let (kind, coordinates) = match g {
        Geometry::Point(p) => ("Point", point(p)?),
        Geometry::MultiPoint(ps) => ("MultiPoint", line(ps)?),
        Geometry::LineString(l) => ("LineString", line(l)?),
        Geometry::MultiLineString(ls) => ("MultiLineString", ls.iter().map(|l| line(l)).collect::<Result<Vec<_>, _>>()?.into()),
        Geometry::Polygon(p) => ("Polygon", rings(p)?),
        Geometry::MultiPolygon(ps) => ("MultiPolygon", ps.iter().map(rings).collect::<Result<Vec<_>, _>>()?.into()),
        Geometry::Surfaces(fs) => ("MultiPolygon", fs.iter().map(|f| rings(&f.polygon)).collect::<Result<Vec<_>, _>>()?.into()),
        Geometry::Tin { points, triangles } => {
            let corner = |i: u32| points.get(i as usize).map_or(Ok(Json::Null), point);
            let ring = |t: &[u32; 3]| Ok::<_, Problem>(json!([[corner(t[0])?, corner(t[1])?, corner(t[2])?, corner(t[0])?]]));
            ("MultiPolygon", triangles.iter().map(ring).collect::<Result<Vec<_>, _>>()?.into())
        }
    };
    Ok(json!({ "type": kind, "coordinates": coordinates }))
}

/// A GeoJSON feature in CRS84 with ellipsoidal heights → a feature of the layer. Attributes that are not named are
/// null; unknown members and attributes are refused. `at`: where it stands in the body, for the problem.
pub fn feature_from(layer: &Layer, value: &Json, frame: &WorkingFrame, at: &str) -> Result<Feature, Problem> {
    let object = value.as_object().ok_or_else(|| Problem::pointer("invalid-json", at, "a Feature is wanted"))?;
    if let Some(key) = object.keys().find(|k| !matches!(k.as_str(), "type" | "id" | "geometry" | "properties" | "bbox")) {
        return Err(Problem::pointer("unknown-member", format!("{at}/{}", short(key)), "it is not known here"));
    }
    let id = object.get("id").and_then(Json::as_str).filter(|id| !id.is_empty() && id.len() <= 256 && !id.chars().any(char::is_control));
    let id = id.ok_or_else(|| Problem::pointer("invalid-feature", format!("{at}/id"), "a text of 1 to 256 bytes is wanted"))?;
    let none = Map::new();
    let properties = match object.get("properties") {
        None | Some(Json::Null) => &none,
        Some(Json::Object(p)) => p,
        Some(_) => return Err(Problem::pointer("invalid-json", format!("{at}/properties"), "an object is wanted")),
    };
    let mut attributes = vec![Value::Null; layer.fields.len()];
    let mut valid = Interval::ALWAYS;
    for (key, v) in properties {
        let place = || format!("{at}/properties/{}", short(key));
        let moment = |open: Instant| match v {
            Json::Null => Ok(open),
            Json::String(t) => Instant::parse(t).map_err(|e| Problem::pointer("invalid-datetime", place(), e.to_string())),
            _ => Err(Problem::pointer("invalid-datetime", place(), "a date is wanted")),
        };
        match (key.as_str(), layer.field_index(key)) {
            (_, Some(i)) => {
                attributes[i] = attribute(layer.fields[i].kind, v).ok_or_else(|| {
                    Problem::pointer("invalid-feature", place(), format!("a value of kind {:?} is wanted", layer.fields[i].kind))
                })?;
            }
            ("valid_from", None) => valid.from = moment(Instant::MIN)?,
            ("valid_to", None) => valid.to = moment(Instant::MAX)?,
            (_, None) => return Err(Problem::pointer("unknown-member", place(), "the layer has no such attribute")),
        }
    }
    let valid = Interval::new(valid.from, valid.to).map_err(|e| Problem::pointer("invalid-datetime", at, e.to_string()))?;
    let geometry = geometry_from(object.get("geometry").unwrap_or(&Json::Null), frame, &format!("{at}/geometry"))?;
    let feature = Feature { id: id.into(), geometry, valid, attributes };
    feature.check(layer).map_err(|e| Problem::pointer("invalid-geometry", at, e.to_string()))?;
    Ok(feature)
}

fn attribute(kind: FieldKind, v: &Json) -> Option<Value> {
    match (kind, v) {
        (_, Json::Null) => Some(Value::Null),
        (FieldKind::Bool, Json::Bool(b)) => Some(Value::Bool(*b)),
        (FieldKind::Int, Json::Number(n)) => n.as_i64().map(Value::Int),
        (FieldKind::Float, Json::Number(n)) => n.as_f64().filter(|v| v.is_finite()).map(Value::Float),
        (FieldKind::Text, Json::String(t)) => Some(Value::from(t.as_str())),
        _ => None,
    }
}

/// `at`: where it stands in the body, for the problem.
pub fn geometry_from(v: &Json, frame: &WorkingFrame, at: &str) -> Result<Geometry, Problem> {
    let bad = |reason: &str| Problem::pointer("invalid-geometry", at, reason);
    let point = |v: &Json| {
        let numbers: Option<Vec<f64>> = v.as_array().and_then(|a| a.iter().map(Json::as_f64).collect());
        let (lon, lat, h) = match numbers.as_deref() {
            Some([lon, lat]) => (*lon, *lat, frame.geoid_offset_m),
            Some([lon, lat, h]) => (*lon, *lat, *h),
            _ => return Err(bad("a position has two or three numbers")),
        };
        if !(lon.abs() <= 180.0 && lat.abs() <= 90.0 && h.abs() < 1e5) {
            return Err(bad("a position lies outside the earth"));
        }
        let [e, n] = frame.working_from_geographic([lon, lat]).map_err(|_| bad("a position cannot be projected to the city's frame"))?;
        Ok([e, n, h - frame.geoid_offset_m])
    };
    fn list<T>(v: &Json, f: impl Fn(&Json) -> Result<T, Problem>, bad: impl Fn(&str) -> Problem) -> Result<Vec<T>, Problem> {
        v.as_array().ok_or_else(|| bad("a list of coordinates is missing"))?.iter().map(f).collect()
    }
    let line = |v: &Json| list(v, point, bad);
    let polygon = |v: &Json| list(v, line, bad).map(|rings| Polygon { rings });
    let c = &v["coordinates"];
    match v["type"].as_str() {
        Some("Point") => Ok(Geometry::Point(point(c)?)),
        Some("MultiPoint") => Ok(Geometry::MultiPoint(line(c)?)),
        Some("LineString") => Ok(Geometry::LineString(line(c)?)),
        Some("MultiLineString") => Ok(Geometry::MultiLineString(list(c, line, bad)?)),
        Some("Polygon") => Ok(Geometry::Polygon(polygon(c)?)),
        Some("MultiPolygon") => Ok(Geometry::MultiPolygon(list(c, polygon, bad)?)),
        _ => Err(bad("its type is none of Point, LineString, Polygon and their multiples")),
    }
}
