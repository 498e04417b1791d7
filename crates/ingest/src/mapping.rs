//! How a file's own layers and fields become the city's: one TOML file per kind of delivery.
//!
//! ```toml
//! encoding = "GBK"                # of a shapefile's attributes, when the file does not say
//!
//! [[layer]]
//! source = "foul_sewer"           # layer of the file; "*" for any that no other entry names
//! layer = "pipes"                 # id of the city's layer; a contract layer brings its own fields
//! where = "ownership = 'Public'"  # optional, an OGR attribute filter: only these features
//! theme = "pipe"                  # for layers outside the contract: theme, titles, level, category
//! title_zh = "污水管"
//! title_en = "Foul sewers"
//! cim_level = 4
//! category = "A"
//! classification = "internal"
//! from = "Name of the owner, CC BY 3.0"   # kept as the layer's source
//! id = "ipid"                     # field that names the feature; the FID when left out
//! id_prefix = "foul-"
//! crs = "EPSG:31467"              # overrules what the source layer says
//! swapped = true                  # x holds the northing or the latitude
//! single = true                   # a multi-geometry of one part becomes that part
//! valid_from = "date_laid"        # field with YYYY, YYYYMMDD, ISO or a year number; unknown values count as none
//! keep = false                    # true: fields that no entry names are kept as they are
//! constants = { class = "PS", subclass = "WS" }
//!
//! [[layer.field]]
//! from = "nominal_diam"           # field of the file
//! to = "dn_mm"                    # attribute; the unit stands in its name
//! kind = "float"                  # bool, int, float, text; needed only for attributes outside the contract
//! unit = "mm"
//! title_zh = "公称直径"
//! title_en = "Nominal size"
//! scale = 1000.0                  # multiplies
//! scale_by = { field = "imperial_metric", factors = { "IN." = 25.4, "mm." = 1.0 } }   # a factor for each unit; an unknown one refuses the feature
//! null = [-9999, "None"]          # what the file writes for "not known"
//! values = { "Circular" = "round" }   # renames; others pass
//! ```

use crate::IngestError;
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};
use strata_model::{Classification, Crs, FieldKind, LayerId, Theme};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mapping {
    #[serde(default)]
    pub encoding: Option<String>,
    #[serde(default, rename = "layer")]
    pub layers: Vec<LayerMapping>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayerMapping {
    pub source: String,
    pub layer: LayerId,
    #[serde(rename = "where")]
    pub filter: Option<String>,
    pub theme: Option<Theme>,
    pub title_zh: Option<String>,
    pub title_en: Option<String>,
    pub cim_level: Option<u8>,
    pub category: Option<char>,
    pub classification: Option<Classification>,
    #[serde(default)]
    pub from: String,
    pub id: Option<String>,
    #[serde(default)]
    pub id_prefix: String,
    pub crs: Option<Crs>,
    #[serde(default)]
    pub swapped: bool,
    #[serde(default)]
    pub single: bool,
    pub valid_from: Option<String>,
    #[serde(default)]
    pub keep: bool,
    #[serde(default)]
    pub constants: BTreeMap<String, Scalar>,
    #[serde(default, rename = "field")]
    pub fields: Vec<FieldMapping>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldMapping {
    pub from: String,
    pub to: String,
    pub kind: Option<FieldKind>,
    pub unit: Option<String>,
    #[serde(default)]
    pub title_zh: String,
    #[serde(default)]
    pub title_en: String,
    pub scale: Option<f64>,
    pub scale_by: Option<ScaleBy>,
    #[serde(default)]
    pub null: Vec<Scalar>,
    #[serde(default)]
    pub values: BTreeMap<String, Scalar>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScaleBy {
    pub field: String,
    pub factors: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl From<&Scalar> for strata_model::Value {
    fn from(s: &Scalar) -> Self {
        match s {
            Scalar::Bool(b) => (*b).into(),
            Scalar::Int(i) => (*i).into(),
            Scalar::Float(f) => (*f).into(),
            Scalar::Text(t) => t.as_str().into(),
        }
    }
}

impl Mapping {
    pub fn read(path: &Path) -> Result<Self, IngestError> {
        let text = std::fs::read_to_string(path).map_err(|e| IngestError::new(path, "io", e.to_string()))?;
        Self::parse(&text).map_err(|e| IngestError::new(path, "invalid-mapping", e))
    }
    pub fn parse(text: &str) -> Result<Self, String> {
        let mapping: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        if mapping.layers.is_empty() {
            return Err("it maps no layer".into());
        }
        Ok(mapping)
    }
    /// Entries for one source layer: those that name it, else those for `*`. Several entries may share a source,
    /// each with its own filter.
    pub fn of<'m>(&'m self, source: &str) -> Vec<&'m LayerMapping> {
        let named: Vec<_> = self.layers.iter().filter(|l| l.source == source).collect();
        if named.is_empty() { self.layers.iter().filter(|l| l.source == "*").collect() } else { named }
    }
}
