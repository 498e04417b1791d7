//! The words of CityJSON 1.0, 1.1, 2.0 and of its text sequences. Vertices are read as they come, boundaries as nested
//! lists of any depth; serde_json itself ends deeper nests than 128.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value as Json;
use std::fmt;

/// A whole file, or one line of a sequence.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub transform: Option<Transform>,
    #[serde(default)]
    pub metadata: Option<Metadata>,
    #[serde(rename = "CityObjects", default)]
    pub objects: Objects,
    #[serde(default)]
    pub vertices: Vec<[f64; 3]>,
    #[serde(rename = "geometry-templates", default)]
    pub templates: Option<Templates>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Transform {
    pub scale: [f64; 3],
    pub translate: [f64; 3],
}

impl Transform {
    pub const NONE: Self = Self { scale: [1.0; 3], translate: [0.0; 3] };
    pub fn apply(&self, v: &[f64; 3]) -> [f64; 3] {
        [0, 1, 2].map(|k| v[k] * self.scale[k] + self.translate[k])
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    #[serde(rename = "referenceSystem", default)]
    pub reference_system: Option<String>,
    /// CityJSON 1.0 writers have been seen to put the bare code here.
    #[serde(default)]
    pub crs: Option<Json>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Templates {
    #[serde(default)]
    pub templates: Vec<Shape>,
    #[serde(rename = "vertices-templates", default)]
    pub vertices: Vec<[f64; 3]>,
}

/// Objects in the order of the file. A name that stands twice is kept twice: JSON allows it and the second is refused.
#[derive(Debug, Default)]
pub(super) struct Objects(pub Vec<(String, Result<Object, String>)>);

impl<'de> Deserialize<'de> for Objects {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Objects;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of city objects")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Objects, A::Error> {
                let mut out = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    // By way of a value, so that an object of the wrong shape is refused alone.
                    let value: Json = map.next_value()?;
                    out.push((key, Object::deserialize(value).map_err(|e| e.to_string())));
                }
                Ok(Objects(out))
            }
        }
        d.deserialize_map(Read)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Object {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub attributes: Option<serde_json::Map<String, Json>>,
    #[serde(default)]
    pub geometry: Option<Vec<Shape>>,
    /// 1.0 names one parent (`parent`), 1.1 and 2.0 a list.
    #[serde(default, alias = "parent")]
    pub parents: Parents,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Parents {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl Parents {
    pub fn first(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::One(p) => Some(p),
            Self::Many(ps) => ps.first().map(String::as_str),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Shape {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub lod: Lod,
    #[serde(default)]
    pub boundaries: Nest,
    #[serde(default)]
    pub semantics: Option<Semantics>,
    #[serde(default)]
    pub template: Option<usize>,
    #[serde(rename = "transformationMatrix", default)]
    pub matrix: Option<Vec<f64>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Semantics {
    #[serde(default)]
    pub surfaces: Vec<SemanticSurface>,
    #[serde(default)]
    pub values: Nest,
}

#[derive(Debug, Deserialize)]
pub(super) struct SemanticSurface {
    #[serde(rename = "type", default)]
    pub kind: String,
}

/// `"2.2"`, or the bare number that 1.0 and some writers have.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lod(pub Option<f64>);

impl<'de> Deserialize<'de> for Lod {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(f64),
            Text(String),
            Null(()),
        }
        let v = match Raw::deserialize(d)? {
            Raw::Number(v) => Some(v),
            Raw::Text(t) => t.trim().parse().ok(),
            Raw::Null(()) => None,
        };
        Ok(Self(v.filter(|v: &f64| (0.0..10.0).contains(v))))
    }
}

/// Indices in lists in lists; `null` where a semantic value is missing.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Nest {
    #[default]
    Null,
    Index(u64),
    List(Vec<Nest>),
}

impl Nest {
    pub fn list(&self) -> &[Nest] {
        match self {
            Self::List(l) => l,
            _ => &[],
        }
    }
}

impl<'de> Deserialize<'de> for Nest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Nest;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an index or a list")
            }
            fn visit_u64<E: Error>(self, v: u64) -> Result<Nest, E> {
                Ok(Nest::Index(v))
            }
            /// No vertex has this number; the range check refuses it with the object's name.
            fn visit_i64<E: Error>(self, _: i64) -> Result<Nest, E> {
                Ok(Nest::Index(u64::MAX))
            }
            fn visit_f64<E: Error>(self, v: f64) -> Result<Nest, E> {
                Ok(Nest::Index(if v >= 0.0 && v.fract() == 0.0 { v as u64 } else { u64::MAX }))
            }
            fn visit_unit<E: Error>(self) -> Result<Nest, E> {
                Ok(Nest::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Nest, A::Error> {
                let mut out = Vec::new();
                while let Some(n) = seq.next_element()? {
                    out.push(n);
                }
                Ok(Nest::List(out))
            }
        }
        d.deserialize_any(Read)
    }
}
