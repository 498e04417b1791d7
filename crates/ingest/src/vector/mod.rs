//! Vector files through GDAL: GeoPackage, shapefiles, GeoJSON, FlatGeobuf, DXF, and tables with coordinates.
//! Without a mapping each source layer becomes one layer; with one ([`crate::mapping`]) it becomes what the
//! mapping says.

mod geometry;
mod open;
mod plan;
mod value;

use crate::{
    IngestError,
    layers::{Values, coerce},
    mapping::{FieldMapping, Mapping, Scalar},
    output::Output,
    place::Place,
    sniff::{self, Kind},
};
use gdal::vector::{Feature as OgrFeature, LayerAccess};
use geometry::Shape;
use plan::{Plan, plans};
use strata_model::{Feature, FeatureId, Field, Geometry, Instant, Value};

pub(crate) fn read(kind: Kind, out: &mut Output<'_>) -> Result<(), IngestError> {
    let mapping = out.options.mapping.as_deref().map(Mapping::read).transpose()?;
    let opened = open::open(kind, out.path, mapping.as_ref())?;
    opened.notes.iter().for_each(|n| out.report.note(n.clone()));
    let plans = plans(&opened.datasets, mapping.as_ref(), kind, out)?;
    if plans.is_empty() {
        return Err(out.error("invalid-content", "no layer with geometry in it"));
    }
    if plans.iter().all(|p| p.place.is_err()) {
        return Err(plans.into_iter().find_map(|p| p.place.err()).unwrap_or_else(|| out.error("invalid-crs", "no CRS")));
    }
    for plan in &plans {
        read_layer(plan, &opened.datasets, out)?;
    }
    Ok(())
}

/// `--as vector`: for a table that looks like a pipe survey, and for plain misuse.
pub(crate) fn read_forced(out: &mut Output<'_>) -> Result<(), IngestError> {
    let kind = match sniff::kind(out.path)? {
        Kind::SurveyTable => Kind::Csv,
        Kind::SurveyWorkbook => Kind::Xlsx,
        _ => return Err(out.error("unsupported-media", "not a vector file")),
    };
    read(kind, out)
}

fn read_layer(plan: &Plan<'_>, datasets: &[gdal::Dataset], out: &mut Output<'_>) -> Result<(), IngestError> {
    let fault = |e: gdal::errors::GdalError| IngestError::new(out.path, "invalid-content", format!("layer `{}`: {e}", plan.source));
    let mut layer = datasets[plan.dataset].layer(plan.index).map_err(fault)?;
    if let Some(filter) = plan.mapping.and_then(|m| m.filter.as_deref()) {
        layer.set_attribute_filter(filter).map_err(fault)?;
    }
    out.layer(&plan.target)?;
    let (total, mut seen) = (layer.try_feature_count(), 0u64);
    for (n, f) in layer.features().enumerate() {
        seen += 1;
        take(plan, &f, Row { fid: f.fid(), n }, out)?;
    }
    // GDAL ends a broken layer as it ends a whole one; the count that the header promises tells them apart.
    if plan.counted && total.is_some_and(|n| n > seen) {
        let missing = total.unwrap_or(seen) - seen;
        return Err(out.error("truncated", format!("layer `{}` promises {missing} more features than can be read", plan.source)));
    }
    Ok(())
}

/// What a feature is called in the file: its FID, or its row where it has none.
#[derive(Clone, Copy)]
struct Row {
    fid: Option<u64>,
    n: usize,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.fid {
            Some(fid) => write!(f, "{fid}"),
            None => write!(f, "row{}", self.n),
        }
    }
}

fn take(plan: &Plan<'_>, f: &OgrFeature<'_>, row: Row, out: &mut Output<'_>) -> Result<(), IngestError> {
    let path = out.path;
    let place = || format!("{} {}#{row}", path.file_name().unwrap_or_default().to_string_lossy(), plan.source);
    match one(plan, f, row) {
        Ok(feature) => out.put(&plan.target, feature, place).map(drop),
        Err((code, reason)) => {
            out.refuse(Some(&row.to_string()), place(), code, reason);
            Ok(())
        }
    }
}

type Refused = (&'static str, String);

fn one(plan: &Plan<'_>, f: &OgrFeature<'_>, row: Row) -> Result<Feature, Refused> {
    let place: &Place = plan.place.as_ref().map_err(|e| (e.code, e.reason.clone()))?;
    let mut geometry = shape(plan, f)?;
    if plan.mapping.is_some_and(|m| m.swapped) {
        geometry.for_each_point_mut(|p| p.swap(0, 1));
    }
    if plan.mapping.is_some_and(|m| m.single) {
        geometry = single(geometry);
    }
    place.apply(&mut geometry);
    let mut values = Values::of(&plan.target);
    let mut valid_from = None;
    if let Some(m) = plan.mapping {
        for (name, value) in &m.constants {
            set(plan, &mut values, name, value.into())?;
        }
        for fm in &m.fields {
            let raw = plan.field(&fm.from).map_or(Value::Null, |i| plan.value(f, i));
            let v = mapped(fm, raw, |name| plan.field(name).map_or(Value::Null, |i| plan.value(f, i)))?;
            set(plan, &mut values, &fm.to, v)?;
        }
        valid_from = m.valid_from.as_deref().and_then(|name| plan.field(name)).and_then(|i| instant(&plan.value(f, i)));
    }
    for &(from, to) in &plan.kept {
        let field = &plan.target.fields[to];
        values.put(to, coerced(plan.value(f, from), field)?);
    }
    let id = match plan.id {
        Some(i) => match plan.value(f, i) {
            Value::Null => return Err(("missing-id", "its id field is empty".into())),
            Value::Text(t) => format!("{}{t}", plan.prefix),
            Value::Int(n) => format!("{}{n}", plan.prefix),
            Value::Float(x) => format!("{}{x}", plan.prefix),
            Value::Bool(b) => format!("{}{b}", plan.prefix),
        },
        None => format!("{}{row}", plan.prefix),
    };
    let valid = valid_from.or(plan.valid_from).map_or(strata_model::Interval::ALWAYS, strata_model::Interval::since);
    Ok(Feature { id: FeatureId::new(id), geometry, valid, attributes: values.into_vec() })
}

fn shape(plan: &Plan<'_>, f: &OgrFeature<'_>) -> Result<Geometry, Refused> {
    // By index, since `geometry()` of the crate panics on a layer whose feature has none.
    let g = f.geometry_by_index(0).ok().filter(|g| g.has_gdal_ptr());
    let Some(g) = g else { return Err(("no-geometry", "it has no geometry".into())) };
    match geometry::shape(g) {
        Shape::Empty => Err(("no-geometry", "its geometry is empty".into())),
        Shape::No(e) => Err(("invalid-geometry", e)),
        Shape::One(shape) => {
            if matches!(shape, Geometry::Polygon(_) | Geometry::MultiPolygon(_))
                && !plan.upright
                && !geometry::surely_simple(&shape)
                && shape.check().is_ok()
                && flat(&shape)
                && !g.is_valid()
            {
                return Err(("invalid-geometry", "its rings cross themselves or each other, or a hole lies outside its shell".into()));
            }
            Ok(shape)
        }
    }
}

/// Is every point at one height? Only then does plan validity say something about the shape.
fn flat(g: &Geometry) -> bool {
    g.bounds().is_some_and(|b| b.min[2] == b.max[2])
}

fn single(g: Geometry) -> Geometry {
    match g {
        Geometry::MultiPoint(mut p) if p.len() == 1 => Geometry::Point(p.remove(0)),
        Geometry::MultiLineString(mut l) if l.len() == 1 => Geometry::LineString(l.remove(0)),
        Geometry::MultiPolygon(mut p) if p.len() == 1 => Geometry::Polygon(p.remove(0)),
        g => g,
    }
}

fn set(plan: &Plan<'_>, values: &mut Values, name: &str, value: Value) -> Result<(), Refused> {
    if let Some(i) = plan.target.field_index(name) {
        values.put(i, coerced(value, &plan.target.fields[i])?);
    }
    Ok(())
}

fn coerced(value: Value, field: &Field) -> Result<Value, Refused> {
    coerce(value, field.kind).map_err(|e| ("invalid-attribute", format!("`{}`: {e}", field.name)))
}

fn mapped(fm: &FieldMapping, raw: Value, other: impl Fn(&str) -> Value) -> Result<Value, Refused> {
    let is = |s: &Scalar| match (s, &raw) {
        (Scalar::Int(a), _) => raw.as_f64() == Some(*a as f64),
        (Scalar::Float(a), _) => raw.as_f64() == Some(*a),
        (Scalar::Text(a), Value::Text(b)) => a.as_str() == &**b,
        (Scalar::Bool(a), Value::Bool(b)) => a == b,
        _ => false,
    };
    if raw.is_null() || fm.null.iter().any(is) {
        return Ok(Value::Null);
    }
    let key = match &raw {
        Value::Text(t) => t.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) => f.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Null => String::new(),
    };
    if let Some(v) = fm.values.get(&key) {
        return Ok(v.into());
    }
    let mut factor = fm.scale.unwrap_or(1.0);
    if let Some(by) = &fm.scale_by {
        let unit = other(&by.field);
        let unit = unit.as_str().unwrap_or_default();
        factor *= by
            .factors
            .get(unit)
            .ok_or_else(|| ("unknown-unit", format!("`{}` says `{unit}`, a unit that the mapping does not know", by.field)))?;
    }
    if fm.scale.is_none() && fm.scale_by.is_none() {
        return Ok(raw);
    }
    let number = coerce(raw, strata_model::FieldKind::Float).map_err(|e| ("not-a-number", format!("`{}`: {e}", fm.from)))?;
    Ok(number.as_f64().map(|n| n * factor).into())
}

/// `YYYYMMDD`, a year, or ISO 8601; anything else is no date.
fn instant(v: &Value) -> Option<Instant> {
    let text = match v {
        Value::Int(n) => n.to_string(),
        Value::Text(t) => t.trim().to_string(),
        _ => return None,
    };
    if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Instant::parse(&format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..])).ok();
    }
    Instant::parse(&text.replace('/', "-")).ok().filter(|i| (1000..3000).contains(&i.year()))
}
