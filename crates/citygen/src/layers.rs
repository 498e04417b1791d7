//! The layers with their fields. Order of fields is the order of every feature's values.

use std::sync::Arc;
use strata_model::{Classification, Field, FieldKind, GeometryKind, Layer, LayerId, Theme};

use FieldKind::{Float as F, Int as I, Text as T};

/// name, kind, Chinese, English, unit
type Row = (&'static str, FieldKind, &'static str, &'static str, &'static str);

/// All layers, each shared.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    pub terrain: Arc<Layer>,
    pub water: Arc<Layer>,
    pub roads: Arc<Layer>,
    pub rail: Arc<Layer>,
    pub buildings: Arc<Layer>,
    pub parcels: Arc<Layer>,
    pub control_lines: Arc<Layer>,
    pub pipes: Arc<Layer>,
    pub pipe_points: Arc<Layer>,
    pub trees: Arc<Layer>,
    pub addresses: Arc<Layer>,
    pub sensors: Arc<Layer>,
    pub transit: Arc<Layer>,
    pub places: Arc<Layer>,
}

const PIPES: &[Row] = &[
    ("class", T, "管线大类", "Class", ""),
    ("subclass", T, "管线小类", "Subclass", ""),
    ("shape", T, "断面形状", "Section shape", ""),
    ("od_mm", F, "外径", "Outer diameter", "mm"),
    ("width_mm", F, "断面宽(外)", "Outer width", "mm"),
    ("height_mm", F, "断面高(外)", "Outer height", "mm"),
    ("dn_mm", F, "公称管径", "Nominal diameter", "mm"),
    ("material", T, "材质", "Material", ""),
    ("embed", T, "埋设方式", "Laying", ""),
    ("pressure", T, "压力等级", "Pressure class", ""),
    ("voltage_kv", F, "电压", "Voltage", "kV"),
    ("flow_dir", I, "流向", "Flow direction", ""),
    ("start_point", T, "起点点号", "Start point", ""),
    ("end_point", T, "终点点号", "End point", ""),
    ("start_invert_m", F, "起点管底高程", "Invert at start", "m"),
    ("end_invert_m", F, "终点管底高程", "Invert at end", "m"),
    ("start_depth_m", F, "起点埋深", "Depth at start", "m"),
    ("end_depth_m", F, "终点埋深", "Depth at end", "m"),
    ("owner", T, "权属单位", "Owner", ""),
    ("road", T, "道路名称", "Road", ""),
    ("year_built", I, "建设年代", "Year built", ""),
    ("life_years", I, "使用年限", "Design life", "a"),
    ("status", I, "使用状态", "Status", ""),
    ("accuracy_m", F, "平面精度", "Plan accuracy", "m"),
];

const PIPE_POINTS: &[Row] = &[
    ("class", T, "管线大类", "Class", ""),
    ("subclass", T, "管线小类", "Subclass", ""),
    ("kind", T, "管点类别", "Kind", ""),
    ("feature", T, "特征", "Feature", ""),
    ("appurtenance", T, "附属物", "Appurtenance", ""),
    ("ground_m", F, "地面高程", "Ground height", "m"),
    ("depth_m", F, "埋深", "Depth", "m"),
    ("well_depth_m", F, "井深", "Well depth", "m"),
    ("diameter_m", F, "井盖直径", "Cover diameter", "m"),
    ("axis_m", F, "轴线高程", "Axis height", "m"),
    ("status", I, "使用状态", "Status", ""),
    ("road", T, "道路名称", "Road", ""),
];

const BUILDINGS: &[Row] = &[
    ("name", T, "名称", "Name", ""),
    ("use", T, "用途", "Use", ""),
    ("height_m", F, "高度", "Height", "m"),
    ("floors", I, "层数", "Floors", ""),
    ("year_built", I, "建成年份", "Year built", ""),
    ("roof", T, "屋顶形式", "Roof", ""),
    ("seed", I, "外观种子", "Appearance seed", ""),
    ("district", T, "行政区", "District", ""),
    ("address", T, "地址", "Address", ""),
    ("units", I, "户数", "Dwellings", ""),
];

struct Head {
    id: &'static str,
    zh: &'static str,
    en: &'static str,
    theme: Theme,
    geometry: GeometryKind,
    cim_level: u8,
    category: char,
    internal: bool,
}

fn layer(h: Head, rows: &[Row], source: &str, synthetic: bool) -> Arc<Layer> {
    let hidden: &[&str] = if h.id == "pipes" { &["owner", "pressure", "voltage_kv"] } else { &[] };
    let fields = rows
        .iter()
        .map(|&(name, kind, zh, en, unit)| {
            let f = Field::new(name, kind, zh, en);
            let f = if unit.is_empty() { f } else { f.unit(unit) };
            if hidden.contains(&name) { f.classified(Classification::Internal) } else { f }
        })
        .collect();
    Arc::new(Layer {
        // Only literals of this file come here; a wrong one would show in the first test.
        id: LayerId::new(h.id).unwrap_or_else(|e| unreachable!("{e}")),
        title_zh: h.zh.into(),
        title_en: h.en.into(),
        theme: h.theme,
        geometry: h.geometry,
        cim_level: h.cim_level,
        category: h.category,
        classification: if h.internal { Classification::Internal } else { Classification::Public },
        synthetic,
        source: source.into(),
        fields,
    })
}

pub(crate) const TRANSIT_SOURCE: &str = "metro: metromancn/MetroMapOpenMiniProgram (MIT); bus: SuperMap/iClient-JavaScript (Apache-2.0); \
     datum not stated by the sources, taken as GCJ-02 and shifted to WGS 84";

impl Layers {
    pub fn new(seed: u64) -> Self {
        use GeometryKind::{Any, Line, Point, Polygon, Tin};
        let source = format!("strata-citygen, synthetic, seed {seed}; positions of main streets, squares and waters approximate");
        let make = |id, zh, en, theme, geometry, cim_level, category, internal, rows: &[Row]| {
            layer(Head { id, zh, en, theme, geometry, cim_level, category, internal }, rows, &source, true)
        };
        Self {
            terrain: make("terrain", "地形", "Terrain", Theme::Terrain, Tin, 1, 'A', false, &[]),
            water: make(
                "water",
                "水系",
                "Water",
                Theme::Water,
                Polygon,
                2,
                'A',
                false,
                &[("name", T, "名称", "Name", ""), ("kind", T, "类型", "Kind", ""), ("depth_m", F, "水深", "Depth", "m")],
            ),
            roads: make(
                "roads",
                "道路",
                "Roads",
                Theme::Road,
                Line,
                3,
                'A',
                false,
                &[
                    ("name", T, "道路名称", "Name", ""),
                    ("class", T, "道路等级", "Class", ""),
                    ("width_m", F, "路缘间宽度", "Width kerb to kerb", "m"),
                    ("lanes", I, "车道数", "Lanes", ""),
                    ("red_line_m", F, "红线宽度", "Red line width", "m"),
                    ("name_en", T, "英文名", "English name", ""),
                ],
            ),
            rail: make(
                "rail",
                "轨道",
                "Railways",
                Theme::Rail,
                Line,
                3,
                'A',
                false,
                &[("name", T, "名称", "Name", ""), ("kind", T, "类型", "Kind", ""), ("width_m", F, "宽度", "Width", "m")],
            ),
            buildings: make("buildings", "建筑", "Buildings", Theme::Building, Polygon, 4, 'A', false, BUILDINGS),
            parcels: make(
                "parcels",
                "规划地块",
                "Parcels",
                Theme::Parcel,
                Polygon,
                3,
                'C',
                false,
                &[
                    ("code", T, "地块编号", "Parcel code", ""),
                    ("land_use", T, "用地代码", "Land use code", ""),
                    ("far_limit", F, "容积率上限", "FAR limit", ""),
                    ("density_limit_pct", F, "建筑密度上限", "Coverage limit", "%"),
                    ("green_min_pct", F, "绿地率下限", "Green space minimum", "%"),
                    ("height_limit_m", F, "限高", "Height limit", "m"),
                    ("area_m2", F, "面积", "Area", "m²"),
                    ("scheme", T, "分类标准", "Code list", ""),
                ],
            ),
            control_lines: make(
                "control_lines",
                "规划控制线",
                "Control lines",
                Theme::ControlLine,
                Any,
                3,
                'C',
                false,
                &[("kind", T, "控制线类型", "Kind", "")],
            ),
            pipes: make("pipes", "地下管线", "Pipes", Theme::Pipe, Line, 5, 'B', true, PIPES),
            pipe_points: make("pipe_points", "地下管点", "Pipe points", Theme::PipePoint, Point, 5, 'B', true, PIPE_POINTS),
            trees: make(
                "trees",
                "树木",
                "Trees",
                Theme::Tree,
                Point,
                4,
                'A',
                false,
                &[("species", T, "树种", "Species", ""), ("height_m", F, "高度", "Height", "m"), ("crown_m", F, "冠幅", "Crown", "m")],
            ),
            addresses: make("addresses", "地址", "Addresses", Theme::Address, Point, 4, 'E', false, &[("text", T, "地址", "Address", "")]),
            sensors: make(
                "sensors",
                "监测设备",
                "Sensors",
                Theme::Sensor,
                Point,
                5,
                'G',
                true,
                &[
                    ("kind", T, "监测项", "Quantity", ""),
                    ("unit", T, "单位", "Unit", ""),
                    ("target_layer", T, "监测对象图层", "Layer watched", ""),
                    ("target_id", T, "监测对象", "Feature watched", ""),
                ],
            ),
            transit: layer(
                Head {
                    id: "transit",
                    zh: "公共交通",
                    en: "Public transport",
                    theme: Theme::Transit,
                    geometry: Any,
                    cim_level: 3,
                    category: 'E',
                    internal: false,
                },
                &[("name", T, "名称", "Name", ""), ("kind", T, "类型", "Kind", "")],
                TRANSIT_SOURCE,
                false,
            ),
            places: make(
                "places",
                "地名",
                "Place names",
                Theme::Other,
                Point,
                2,
                'A',
                false,
                &[
                    ("name_zh", T, "中文名", "Chinese name", ""),
                    ("name_en", T, "英文名", "English name", ""),
                    ("rank", I, "级别", "Rank", ""),
                ],
            ),
        }
    }

    /// Drawing order, ground first.
    pub fn all(&self) -> Vec<Arc<Layer>> {
        [
            &self.terrain,
            &self.water,
            &self.roads,
            &self.rail,
            &self.parcels,
            &self.control_lines,
            &self.buildings,
            &self.addresses,
            &self.trees,
            &self.pipes,
            &self.pipe_points,
            &self.sensors,
            &self.transit,
            &self.places,
        ]
        .map(Arc::clone)
        .to_vec()
    }
}
