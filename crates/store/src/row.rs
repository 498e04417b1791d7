//! A feature as one row, and back.

use crate::{StoreError, spatial};
use rusqlite::{
    Row,
    types::{ToSqlOutput, ValueRef},
};
use std::sync::Arc;
use strata_model::{Bounds2, Feature, FeatureId, FieldKind, GeometryKind, Instant, Interval, Layer, Value};

/// Columns before the attributes in every list that [`read`] and [`Encoded::same`] take.
pub(crate) const FIXED: &str = "geom, surface_kinds, valid_from, valid_to";
const FIXED_COUNT: usize = 4;

/// What a row keeps of a feature, checked against its layer.
pub(crate) struct Encoded {
    pub geom: Vec<u8>,
    pub kinds: Option<Vec<u8>>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub attributes: Vec<Value>,
    pub bounds: Bounds2,
}

impl Encoded {
    /// Whole numbers go into float fields and whole floats into integer fields; any other mismatch is refused,
    /// and so are NaN and the infinities, which SQL and JSON cannot keep.
    pub fn new(layer: &Layer, feature: &Feature, srs_id: i32) -> Result<Self, StoreError> {
        let bad = |reason: String| StoreError::invalid(format!("feature {}/{}", layer.id, feature.id), reason);
        if feature.id.as_str().is_empty() || feature.id.as_str().len() > 512 {
            return Err(bad("its id must have 1 to 512 bytes".into()));
        }
        feature.check(layer).map_err(|e| bad(e.to_string()))?;
        let mut attributes = Vec::with_capacity(layer.fields.len());
        for (field, value) in layer.fields.iter().zip(&feature.attributes) {
            attributes.push(fit(field.kind, value).ok_or_else(|| bad(format!("`{}` is {value:?}, not {:?}", field.name, field.kind)))?);
        }
        let (from, to) = interval_text(feature.valid).ok_or_else(|| bad(format!("its valid time {:?} cannot be kept", feature.valid)))?;
        let (geom, kinds, bounds) = spatial::encode(&feature.geometry, srs_id);
        Ok(Self { geom, kinds, from, to, attributes, bounds })
    }

    /// In the order of [`FIXED`], then the attributes.
    pub fn values(&self) -> impl Iterator<Item = ToSqlOutput<'_>> {
        [
            ValueRef::Blob(&self.geom),
            self.kinds.as_deref().map_or(ValueRef::Null, ValueRef::Blob),
            self.from.as_deref().map_or(ValueRef::Null, ValueRef::from),
            self.to.as_deref().map_or(ValueRef::Null, ValueRef::from),
        ]
        .into_iter()
        .chain(self.attributes.iter().map(value_ref))
        .map(ToSqlOutput::Borrowed)
    }

    /// Does the row, whose columns begin at `at`, keep just this?
    pub fn same(&self, row: &Row<'_>, at: usize) -> Result<bool, StoreError> {
        for (i, value) in self.values().enumerate() {
            let ToSqlOutput::Borrowed(ours) = value else { return Ok(false) };
            let theirs = row.get_ref(at + i)?;
            let equal = match (ours, theirs) {
                // A whole number in a REAL column comes back as a float.
                (ValueRef::Integer(a), ValueRef::Real(b)) | (ValueRef::Real(b), ValueRef::Integer(a)) => a as f64 == b,
                (a, b) => a == b,
            };
            if !equal {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn value_ref(value: &Value) -> ValueRef<'_> {
    match value {
        Value::Null => ValueRef::Null,
        Value::Bool(b) => ValueRef::Integer(i64::from(*b)),
        Value::Int(i) => ValueRef::Integer(*i),
        Value::Float(f) => ValueRef::Real(*f),
        Value::Text(t) => ValueRef::Text(t.as_bytes()),
    }
}

fn fit(kind: FieldKind, value: &Value) -> Option<Value> {
    match (kind, value) {
        (_, Value::Null) | (FieldKind::Bool, Value::Bool(_)) | (FieldKind::Int, Value::Int(_)) | (FieldKind::Text, Value::Text(_)) => {
            Some(value.clone())
        }
        (FieldKind::Float, Value::Float(f)) => f.is_finite().then(|| value.clone()),
        (FieldKind::Float, Value::Int(i)) if (*i as f64) as i64 == *i => Some(Value::Float(*i as f64)),
        (FieldKind::Int, Value::Float(f)) if f.fract() == 0.0 && f.abs() < 9e15 => Some(Value::Int(*f as i64)),
        _ => None,
    }
}

/// Reads a feature whose columns begin at `at`, in the order of [`FIXED`] and the layer's fields.
pub(crate) fn read(row: &Row<'_>, at: usize, layer: &Layer, id: FeatureId) -> Result<Feature, StoreError> {
    let blob = |i: usize| -> Result<Option<&[u8]>, StoreError> {
        match row.get_ref(at + i)? {
            ValueRef::Blob(b) => Ok(Some(b)),
            _ => Ok(None),
        }
    };
    let place = |e: StoreError| StoreError::damaged(format!("{}/{id}: {e}", layer.id));
    let geom = blob(0)?.ok_or_else(|| StoreError::damaged(format!("{}/{id} has no geometry", layer.id)))?;
    let geometry = spatial::decode(geom, blob(1)?).map_err(place)?;
    let valid = interval_of(text(row, at + 2)?, text(row, at + 3)?).map_err(place)?;
    let mut attributes = Vec::with_capacity(layer.fields.len());
    for (i, field) in layer.fields.iter().enumerate() {
        attributes.push(match (field.kind, row.get_ref(at + FIXED_COUNT + i)?) {
            (FieldKind::Bool, ValueRef::Integer(v)) => Value::Bool(v != 0),
            (FieldKind::Int, ValueRef::Integer(v)) => Value::Int(v),
            (FieldKind::Int | FieldKind::Float, ValueRef::Real(v)) => Value::Float(v),
            (FieldKind::Float, ValueRef::Integer(v)) => Value::Float(v as f64),
            (FieldKind::Text, ValueRef::Text(_)) => Value::Text(Arc::from(text(row, at + FIXED_COUNT + i)?.unwrap_or_default())),
            // Null, or what another program has put there against the column's type.
            _ => Value::Null,
        });
    }
    Ok(Feature { id, geometry, valid, attributes })
}

pub(crate) fn text<'a>(row: &'a Row<'_>, i: usize) -> Result<Option<&'a str>, StoreError> {
    match row.get_ref(i)? {
        ValueRef::Text(t) => std::str::from_utf8(t).map(Some).map_err(|_| StoreError::damaged("a text that is not UTF-8")),
        _ => Ok(None),
    }
}

/// ISO text of both bounds, `None` for an open one. `None` altogether for spans that the text cannot keep.
pub(crate) fn interval_text(valid: Interval) -> Option<(Option<String>, Option<String>)> {
    if valid.from > valid.to || valid.from == Instant::MAX || valid.to == Instant::MIN {
        return None;
    }
    let bound = |i: Instant, open: Instant| if i == open { Some(None) } else { instant_text(i).map(Some) };
    Some((bound(valid.from, Instant::MIN)?, bound(valid.to, Instant::MAX)?))
}

/// `None` outside of the years 0 to 9999.
pub(crate) fn instant_text(at: Instant) -> Option<String> {
    let text = at.to_string();
    (Instant::parse(&text).ok()? == at).then_some(text)
}

pub(crate) fn interval_of(from: Option<&str>, to: Option<&str>) -> Result<Interval, StoreError> {
    let bound = |t: Option<&str>, open| t.map_or(Ok(open), Instant::parse);
    Ok(Interval::new(bound(from, Instant::MIN)?, bound(to, Instant::MAX)?)?)
}

/// The GeoPackage name of what a layer says it holds.
pub(crate) fn type_name(kind: GeometryKind) -> &'static str {
    match kind {
        GeometryKind::Point => "POINT",
        GeometryKind::Line => "LINESTRING",
        GeometryKind::Polygon => "POLYGON",
        GeometryKind::Surfaces => "MULTIPOLYGON",
        GeometryKind::Tin => "TIN",
        GeometryKind::Any => "GEOMETRY",
    }
}

/// The GeoPackage name of one geometry.
pub(crate) fn type_name_of(geometry: &strata_model::Geometry) -> &'static str {
    use strata_model::Geometry::*;
    match geometry {
        Point(_) => "POINT",
        LineString(_) => "LINESTRING",
        Polygon(_) => "POLYGON",
        MultiPoint(_) => "MULTIPOINT",
        MultiLineString(_) => "MULTILINESTRING",
        MultiPolygon(_) | Surfaces(_) => "MULTIPOLYGON",
        Tin { .. } => "TIN",
    }
}
