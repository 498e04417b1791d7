use crate::{EngineError, index::RowBox};
use strata_model::{Bounds3, Feature, FeatureVersion, Field, FieldKind, Layer, Value, Version, to_wkb};

/// A row on its way into a segment: the geometry in its final bytes, because that is the small form.
pub(crate) struct Row {
    pub id: strata_model::FeatureId,
    pub wkb: Vec<u8>,
    pub kinds: Option<Vec<u8>>,
    pub at: RowBox,
    pub since: Version,
    pub until: Option<Version>,
    pub attributes: Vec<Value>,
}

impl Row {
    pub(crate) fn new(layer: &Layer, row: FeatureVersion) -> Result<Self, EngineError> {
        let feature = fitted(layer, row.feature)?;
        let at = row_box(&feature);
        let (wkb, kinds) = to_wkb(&feature.geometry);
        Ok(Self { id: feature.id, wkb, kinds, at, since: row.since, until: row.until, attributes: feature.attributes })
    }
}

pub(crate) fn row_box(feature: &Feature) -> RowBox {
    RowBox { bounds: feature.geometry.bounds().unwrap_or(Bounds3::EMPTY), valid: feature.valid }
}

/// The feature with every value of its field's kind, as a typed column would give it back. Whole numbers go into float
/// fields and whole floats into integer fields; anything else is refused.
pub(crate) fn fitted(layer: &Layer, mut feature: Feature) -> Result<Feature, EngineError> {
    if feature.attributes.len() != layer.fields.len() {
        let (count, fields) = (feature.attributes.len(), layer.fields.len());
        return Err(EngineError::AttributeCount { layer: layer.id.clone(), id: feature.id.to_string(), count, fields });
    }
    for (value, field) in feature.attributes.iter_mut().zip(&layer.fields) {
        let fit = match (field.kind, &*value) {
            (FieldKind::Float, Value::Int(v)) => Some(Value::Float(*v as f64)),
            (FieldKind::Int, Value::Float(v)) if v.fract() == 0.0 && v.abs() < 9e15 => Some(Value::Int(*v as i64)),
            _ => None,
        };
        if let Some(fit) = fit {
            *value = fit;
        }
        if !is_of(value, field) {
            let (field, kind) = (field.name.clone(), field.kind);
            return Err(EngineError::AttributeKind { layer: layer.id.clone(), id: feature.id.to_string(), field, kind });
        }
    }
    Ok(feature)
}

fn is_of(value: &Value, field: &Field) -> bool {
    matches!(
        (field.kind, value),
        (_, Value::Null)
            | (FieldKind::Bool, Value::Bool(_))
            | (FieldKind::Int, Value::Int(_))
            | (FieldKind::Float, Value::Float(_))
            | (FieldKind::Text, Value::Text(_))
    )
}
