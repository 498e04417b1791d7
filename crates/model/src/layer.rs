use serde::{Deserialize, Serialize};
use std::fmt;

/// `[a-z0-9_-]{1,64}`, starting with a letter: it stands in addresses, file names and SQL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LayerId(String);

impl LayerId {
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        let ok = text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if ok {
            Ok(Self(text))
        } else {
            Err(format!("`{}` is not a layer id ([a-z][a-z0-9_-]{{0,63}})", text.chars().take(80).collect::<String>()))
        }
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl TryFrom<String> for LayerId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::new(text)
    }
}
impl From<LayerId> for String {
    fn from(id: LayerId) -> Self {
        id.0
    }
}
impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who may see it. Derived data takes the highest of its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Classification {
    /// 公开
    Public,
    /// 内部: the default, so that what nobody has judged is not public.
    #[default]
    Internal,
    /// 秘密
    Secret,
}

/// What a layer is about: it decides how tiles mesh it and how the twin dresses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    Terrain,
    Water,
    /// Road surface polygons or centre lines with `width_m`.
    Road,
    Rail,
    Building,
    Parcel,
    /// Planning control lines (red, green, blue, purple, yellow).
    ControlLine,
    /// Pipe axis lines; see the crate `tiles` for the attributes that give their body.
    Pipe,
    /// Wells, valves, hydrants and other points of the pipe networks.
    PipePoint,
    Tree,
    Address,
    Sensor,
    Transit,
    Admin,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeometryKind {
    Point,
    Line,
    Polygon,
    Surfaces,
    Tin,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Bool,
    Int,
    Float,
    Text,
}

/// One attribute of a layer. Names are snake_case and carry their unit: `height_m`, `dn_mm`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    pub kind: FieldKind,
    /// Chinese name, as the field's standard or the source table has it.
    #[serde(default)]
    pub title_zh: String,
    #[serde(default)]
    pub title_en: String,
    #[serde(default)]
    pub unit: Option<String>,
    #[serde(default)]
    pub classification: Classification,
}

impl Field {
    pub fn new(name: &str, kind: FieldKind, title_zh: &str, title_en: &str) -> Self {
        Self {
            name: name.into(),
            kind,
            title_zh: title_zh.into(),
            title_en: title_en.into(),
            unit: None,
            classification: Classification::Public,
        }
    }
    pub fn unit(mut self, unit: &str) -> Self {
        self.unit = Some(unit.into());
        self
    }
    pub fn classified(mut self, classification: Classification) -> Self {
        self.classification = classification;
        self
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    pub id: LayerId,
    pub title_zh: String,
    pub title_en: String,
    pub theme: Theme,
    pub geometry: GeometryKind,
    /// CIM level 1–7 (CJJ/T 315-2022).
    pub cim_level: u8,
    /// Data category A–G of CJJ/T 315-2022.
    pub category: char,
    #[serde(default)]
    pub classification: Classification,
    /// Made, not measured. Every screen that shows the layer says so.
    #[serde(default)]
    pub synthetic: bool,
    /// Where it comes from and under which licence.
    #[serde(default)]
    pub source: String,
    pub fields: Vec<Field>,
}

impl Layer {
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}
