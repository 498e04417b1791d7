use crate::content::{Column, FeatureTable};
use std::collections::BTreeMap;
use strata_model::{Feature, Field, FieldKind, Interval, Layer, Theme, Value};

/// Attributes that styles read, by theme. Owners and addresses stay at home.
fn names(theme: Theme) -> &'static [&'static str] {
    match theme {
        Theme::Building => {
            &["height_m", "floors", "floor_height_m", "use", "year_built", "roof", "seed", "district", "name", "status", "units"]
        }
        Theme::Pipe => &[
            "class",
            "subclass",
            "shape",
            "dn_mm",
            "od_mm",
            "width_mm",
            "height_mm",
            "start_depth_m",
            "end_depth_m",
            "material",
            "pressure",
            "flow_dir",
            "year_built",
            "life_years",
            "status",
        ],
        Theme::PipePoint => &["class", "subclass", "kind", "depth_m", "well_depth_m", "status"],
        Theme::Road => &["name", "name_en", "class", "lanes", "width_m"],
        Theme::Rail => &["name", "kind", "width_m"],
        Theme::Parcel => &["code", "land_use", "far_limit", "density_limit_pct", "green_min_pct", "height_limit_m", "scheme"],
        Theme::Tree => &["species", "height_m", "crown_m"],
        Theme::Water => &["name", "kind", "depth_m"],
        Theme::Terrain => &[],
        _ => &["name", "kind", "unit", "class", "status"],
    }
}

/// The fields of a layer that travel in its 3D tiles: those of the theme's list that it has.
pub(crate) fn columns_of(layer: &Layer) -> impl Iterator<Item = &Field> {
    names(layer.theme).iter().filter_map(|n| layer.field(n))
}

/// The property table as it grows.
pub(super) struct Rows {
    table: FeatureTable,
    /// Index in the feature's attributes, name, values.
    columns: Vec<(usize, String, Column)>,
}

impl Rows {
    pub fn new(layer: &Layer) -> Self {
        let columns = columns_of(layer).filter_map(|f| {
            let empty = match f.kind {
                FieldKind::Float => Column::Float(Vec::new()),
                FieldKind::Int | FieldKind::Bool => Column::Int(Vec::new()),
                FieldKind::Text => Column::Text(Vec::new()),
            };
            Some((layer.field_index(&f.name)?, f.name.clone(), empty))
        });
        Self { table: FeatureTable::default(), columns: columns.collect() }
    }

    pub fn push(&mut self, f: &Feature, valid: Interval) -> u32 {
        self.table.ids.push(f.id.as_str().to_owned());
        self.table.valid_from_day.push(valid.from.day());
        self.table.valid_to_day.push(valid.to.day());
        for (index, _, column) in &mut self.columns {
            let value = f.attributes.get(*index).unwrap_or(&Value::Null);
            match column {
                Column::Float(v) => v.push(value.as_f64().map_or(f32::NAN, |x| x as f32)),
                Column::Int(v) => v.push(match value {
                    Value::Bool(b) => i32::from(*b),
                    // Seeds may be wider; their low bits are as good.
                    other => other.as_i64().map_or(i32::MIN, |x| i32::try_from(x).unwrap_or((x & 0x7fff_ffff) as i32)),
                }),
                Column::Text(v) => v.push(value.as_str().unwrap_or("").to_owned()),
            }
        }
        self.table.ids.len() as u32 - 1
    }

    pub fn finish(mut self) -> FeatureTable {
        self.table.columns = self.columns.into_iter().map(|(_, name, column)| (name, column)).collect::<BTreeMap<_, _>>();
        self.table
    }
}
