use crate::{Bounds3, Geometry, Interval, Layer, ModelError};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// Stable name of a feature inside its layer: an identity code, a survey point number, a GML id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeatureId(pub Arc<str>);

impl FeatureId {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for FeatureId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for FeatureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One attribute's value. Units stand in the field's declaration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
}

impl Value {
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(v) => Some(*v as f64),
            Self::Float(v) => Some(*v),
            _ => None,
        }
    }
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(v) => Some(*v),
            Self::Float(v) if v.fract() == 0.0 => Some(*v as i64),
            _ => None,
        }
    }
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(t) => Some(t),
            _ => None,
        }
    }
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Self::Text(v.into())
    }
}
impl From<String> for Value {
    fn from(v: String) -> Self {
        Self::Text(v.into())
    }
}
impl From<f64> for Value {
    fn from(v: f64) -> Self {
        Self::Float(v)
    }
}
impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Self::Int(v)
    }
}
impl From<i32> for Value {
    fn from(v: i32) -> Self {
        Self::Int(v.into())
    }
}
impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Self::Bool(v)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}

/// A thing of the city. `attributes` stand in the order of its layer's fields, one for each.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    pub id: FeatureId,
    pub geometry: Geometry,
    /// When it stood in the world.
    pub valid: Interval,
    pub attributes: Vec<Value>,
}

impl Feature {
    pub fn value<'a>(&'a self, layer: &Layer, name: &str) -> Option<&'a Value> {
        self.attributes.get(layer.field_index(name)?)
    }
    pub fn number(&self, layer: &Layer, name: &str) -> Option<f64> {
        self.value(layer, name)?.as_f64()
    }
    pub fn text<'a>(&'a self, layer: &Layer, name: &str) -> Option<&'a str> {
        self.value(layer, name)?.as_str()
    }
    /// The layer's promise: sound geometry, whose box it answers, and one value for each field.
    pub fn check(&self, layer: &Layer) -> Result<Bounds3, ModelError> {
        let bounds = self.geometry.checked()?;
        if self.attributes.len() != layer.fields.len() {
            return Err(ModelError::Geometry {
                reason: format!("{} attribute values for {} fields", self.attributes.len(), layer.fields.len()),
            });
        }
        Ok(bounds)
    }
}

/// Features of one layer, as a query gives them.
#[derive(Debug, Clone)]
pub struct FeatureBatch {
    pub layer: Arc<Layer>,
    pub features: Vec<Feature>,
}
