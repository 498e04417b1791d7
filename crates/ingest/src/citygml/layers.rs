//! The layers that city models fill: the contract's, and a few of their own where the contract has none.

use crate::{
    IngestError,
    layers::{contract, extra, free},
    output::Output,
};
use std::{collections::HashMap, sync::Arc};
use strata_model::{
    Feature, FeatureId, Field,
    FieldKind::{Float, Int, Text},
    Geometry, GeometryKind, Interval, Layer, LayerId, Theme, Value,
};

/// Which layer; the name is its id.
pub(crate) type Key = &'static str;

#[derive(Default)]
pub(crate) struct Layers {
    made: HashMap<Key, Arc<Layer>>,
    /// The kind that has gone into the caller's one layer.
    forced: Option<Key>,
}

/// One feature on its way out. `place` is `file:line`.
pub(crate) struct Item<'i> {
    pub key: Key,
    pub id: &'i str,
    pub place: String,
    pub geometry: Geometry,
    pub valid: Interval,
    pub values: Vec<(&'static str, Value)>,
}

impl Layers {
    pub fn put(&mut self, item: Item<'_>, out: &mut Output<'_>) -> Result<bool, IngestError> {
        if let Some(layer) = &out.options.layer {
            match self.forced {
                Some(key) if key != item.key => {
                    let reason =
                        format!("layer `{layer}` was asked for and already holds this file's `{key}`; `{}` has other fields", item.key);
                    out.refuse(Some(item.id), item.place, "wrong-layer", reason);
                    return Ok(false);
                }
                _ => self.forced = Some(item.key),
            }
        }
        let layer = self.layer(item.key, out)?;
        let mut attributes = vec![Value::Null; layer.fields.len()];
        for (name, value) in item.values {
            if let Some(i) = layer.field_index(name) {
                attributes[i] = value;
            }
        }
        let feature = Feature { id: FeatureId::new(item.id), geometry: item.geometry, valid: item.valid, attributes };
        out.put(&layer, feature, || item.place.clone())
    }
    fn layer(&mut self, key: Key, out: &Output<'_>) -> Result<Arc<Layer>, IngestError> {
        if let Some(l) = self.made.get(key) {
            return Ok(l.clone());
        }
        let mut layer = define(key).map_err(|e| out.error("sink", e))?;
        if let Some(id) = &out.options.layer {
            layer.id = id.clone();
        }
        let layer = Arc::new(layer);
        self.made.insert(key, layer.clone());
        Ok(layer)
    }
}

fn define(key: Key) -> Result<Layer, String> {
    let text = |name, zh, en| extra(name, Text, zh, en, "");
    let own = |zh: &str, en: &str, theme, geometry, fields: Vec<Field>| {
        let mut l = free(LayerId::new(key)?, en, geometry);
        l.title_zh = zh.into();
        l.theme = theme;
        l.fields = fields;
        Ok(l)
    };
    let like = |id: &str, zh: &str, en: &str, geometry, more: Vec<Field>| {
        let mut l = contract(id).ok_or_else(|| format!("no layer `{id}`"))?;
        l.id = LayerId::new(key)?;
        if !zh.is_empty() {
            (l.title_zh, l.title_en) = (zh.into(), en.into());
        }
        l.geometry = geometry;
        l.fields.extend(more);
        Ok(l)
    };
    let common = || vec![text("name", "名称", "Name"), text("kind", "类型", "Kind"), text("function", "功能代码", "Function code")];
    match key {
        "buildings" => like(
            key,
            "",
            "",
            GeometryKind::Any,
            vec![text("source_use", "原用途代码", "Use code of the source"), text("lod", "细节层次", "Level of detail")],
        ),
        "terrain" => like(key, "", "", GeometryKind::Tin, vec![]),
        "water" => like(key, "", "", GeometryKind::Polygon, vec![]),
        "trees" => like(key, "", "", GeometryKind::Point, vec![text("source_species", "原树种代码", "Species code of the source")]),
        "roads" => like(key, "", "", GeometryKind::Line, vec![]),
        "rail" => like(key, "", "", GeometryKind::Line, vec![text("operator", "运营单位", "Operator")]),
        "road_surfaces" => like("roads", "道路面", "Road surfaces", GeometryKind::Polygon, common().split_off(1)),
        "rail_surfaces" => {
            like("rail", "轨道面", "Rail surfaces", GeometryKind::Polygon, vec![text("function", "功能代码", "Function code")])
        }
        "pipes" => like(
            key,
            "",
            "",
            GeometryKind::Line,
            vec![
                text("name", "名称", "Name"),
                text("source_kind", "原类型", "Kind in the source"),
                extra("depth_min_m", Float, "最小埋深", "Least depth", "m"),
                extra("depth_max_m", Float, "最大埋深", "Greatest depth", "m"),
            ],
        ),
        "pipe_points" => {
            like(key, "", "", GeometryKind::Point, vec![text("name", "名称", "Name"), text("source_kind", "原类型", "Kind in the source")])
        }
        "land_use" => {
            let fields = vec![
                text("name", "名称", "Name"),
                text("code", "用地代码（原）", "Land use code of the source"),
                extra("survey_year", Int, "调查年份", "Survey year", ""),
            ];
            own("土地利用", "Land use", Theme::Parcel, GeometryKind::Polygon, fields)
        }
        "zoning" => {
            let more = vec![
                text("name", "名称", "Name"),
                text("kind", "类型", "Kind"),
                text("function", "功能代码", "Function code"),
                text("custodian", "决定机关", "Custodian"),
                text("notice", "公告号", "Notice"),
            ];
            like("parcels", "规划分区", "Zoning and planned facilities", GeometryKind::Any, more)
        }
        "hazards" => {
            let mut fields = common();
            fields.extend([text("rank", "等级", "Rank"), text("scale", "规模", "Scale"), text("place", "地点", "Place")]);
            own("灾害风险区", "Hazard zones", Theme::Other, GeometryKind::Any, fields)
        }
        "structures" => {
            let mut fields = common();
            fields.push(extra("height_m", Float, "高度", "Height", "m"));
            own("构筑物", "Bridges, tunnels and other structures", Theme::Other, GeometryKind::Any, fields)
        }
        "city_furniture" => own("城市家具", "City furniture", Theme::Other, GeometryKind::Any, common()),
        "plant_cover" => own("植被", "Plant cover", Theme::Other, GeometryKind::Any, common()),
        "generic" => own("其他城市对象", "Other city objects", Theme::Other, GeometryKind::Any, common()),
        other => Err(format!("no layer `{other}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_is_defined_without_twin_fields() {
        for key in [
            "buildings",
            "terrain",
            "water",
            "trees",
            "roads",
            "rail",
            "road_surfaces",
            "rail_surfaces",
            "pipes",
            "pipe_points",
            "land_use",
            "zoning",
            "hazards",
            "structures",
            "city_furniture",
            "plant_cover",
            "generic",
        ] {
            let l = define(key).expect(key);
            assert_eq!(l.id.as_str(), key);
            let mut names: Vec<_> = l.fields.iter().map(|f| &f.name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), l.fields.len(), "{key}");
        }
    }
}
