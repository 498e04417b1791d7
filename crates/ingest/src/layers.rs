//! The contract layers of ARCHITECTURE.md as [`Layer`] values for imported data: ids, themes and the attributes that
//! other rooms read. A reader may add fields of its own behind them.

use strata_model::{
    Classification, Field,
    FieldKind::{self, Bool, Float, Int, Text},
    GeometryKind, Layer, LayerId, Theme,
};

type F = (&'static str, FieldKind, &'static str, &'static str, &'static str);

struct Contract {
    id: &'static str,
    zh: &'static str,
    en: &'static str,
    theme: Theme,
    geometry: GeometryKind,
    cim: u8,
    category: char,
    classification: Classification,
    fields: &'static [F],
}

use Classification::{Internal, Public};

const CONTRACTS: &[Contract] = &[
    Contract {
        id: "terrain",
        zh: "地形",
        en: "Terrain",
        theme: Theme::Terrain,
        geometry: GeometryKind::Tin,
        cim: 1,
        category: 'A',
        classification: Public,
        fields: &[],
    },
    Contract {
        id: "water",
        zh: "水系",
        en: "Water",
        theme: Theme::Water,
        geometry: GeometryKind::Polygon,
        cim: 2,
        category: 'A',
        classification: Public,
        fields: &[("name", Text, "名称", "Name", ""), ("kind", Text, "类型", "Kind", ""), ("depth_m", Float, "水深", "Depth", "m")],
    },
    Contract {
        id: "roads",
        zh: "道路",
        en: "Roads",
        theme: Theme::Road,
        geometry: GeometryKind::Line,
        cim: 2,
        category: 'A',
        classification: Public,
        fields: &[
            ("name", Text, "名称", "Name", ""),
            ("class", Text, "等级", "Class", ""),
            ("width_m", Float, "路宽", "Width kerb to kerb", "m"),
            ("lanes", Int, "车道数", "Lanes", ""),
            ("red_line_m", Float, "红线宽度", "Red line width", "m"),
        ],
    },
    Contract {
        id: "rail",
        zh: "轨道",
        en: "Rail",
        theme: Theme::Rail,
        geometry: GeometryKind::Line,
        cim: 2,
        category: 'A',
        classification: Public,
        fields: &[("name", Text, "名称", "Name", ""), ("kind", Text, "类型", "Kind", ""), ("width_m", Float, "宽度", "Width", "m")],
    },
    Contract {
        id: "buildings",
        zh: "建筑",
        en: "Buildings",
        theme: Theme::Building,
        geometry: GeometryKind::Any,
        cim: 3,
        category: 'A',
        classification: Public,
        fields: &[
            ("name", Text, "名称", "Name", ""),
            ("use", Text, "用途", "Use", ""),
            ("height_m", Float, "高度", "Height", "m"),
            ("floors", Int, "层数", "Floors", ""),
            ("year_built", Int, "建成年份", "Year built", ""),
            ("roof", Text, "屋顶形式", "Roof", ""),
            ("seed", Int, "种子", "Seed", ""),
            ("district", Text, "行政区", "District", ""),
            ("address", Text, "地址", "Address", ""),
            ("units", Int, "户数", "Units", ""),
        ],
    },
    Contract {
        id: "parcels",
        zh: "地块",
        en: "Parcels",
        theme: Theme::Parcel,
        geometry: GeometryKind::Polygon,
        cim: 2,
        category: 'C',
        classification: Public,
        fields: &[
            ("code", Text, "地块编号", "Code", ""),
            ("land_use", Text, "用地代码", "Land use", ""),
            ("far_limit", Float, "容积率上限", "FAR limit", ""),
            ("density_limit_pct", Float, "建筑密度上限", "Density limit", "%"),
            ("green_min_pct", Float, "绿地率下限", "Green minimum", "%"),
            ("height_limit_m", Float, "限高", "Height limit", "m"),
            ("area_m2", Float, "面积", "Area", "m2"),
            ("scheme", Text, "方案", "Scheme", ""),
        ],
    },
    Contract {
        id: "control_lines",
        zh: "规划控制线",
        en: "Control lines",
        theme: Theme::ControlLine,
        geometry: GeometryKind::Any,
        cim: 2,
        category: 'C',
        classification: Public,
        fields: &[("kind", Text, "类型", "Kind", "")],
    },
    Contract {
        id: "pipes",
        zh: "地下管线",
        en: "Pipes",
        theme: Theme::Pipe,
        geometry: GeometryKind::Line,
        cim: 4,
        category: 'A',
        classification: Internal,
        fields: &[
            ("class", Text, "管线大类", "Class", ""),
            ("subclass", Text, "管线小类", "Subclass", ""),
            ("shape", Text, "断面形状", "Shape", ""),
            ("od_mm", Float, "外径", "Outer diameter", "mm"),
            ("width_mm", Float, "断面宽", "Width", "mm"),
            ("height_mm", Float, "断面高", "Height", "mm"),
            ("dn_mm", Float, "公称直径", "Nominal diameter", "mm"),
            ("material", Text, "材质", "Material", ""),
            ("embed", Text, "埋设方式", "Laying", ""),
            ("pressure", Text, "压力等级", "Pressure", ""),
            ("voltage_kv", Float, "电压", "Voltage", "kV"),
            ("flow_dir", Int, "流向", "Flow direction", ""),
            ("start_point", Text, "起点点号", "Start point", ""),
            ("end_point", Text, "终点点号", "End point", ""),
            ("start_invert_m", Float, "起点管内底高程", "Start invert", "m"),
            ("end_invert_m", Float, "终点管内底高程", "End invert", "m"),
            ("start_depth_m", Float, "起点埋深", "Start depth", "m"),
            ("end_depth_m", Float, "终点埋深", "End depth", "m"),
            ("owner", Text, "权属单位", "Owner", ""),
            ("road", Text, "道路名称", "Road", ""),
            ("year_built", Int, "建设年代", "Year built", ""),
            ("life_years", Int, "使用年限", "Service life", "a"),
            ("status", Int, "状态", "Status", ""),
            ("accuracy_m", Float, "精度", "Accuracy", "m"),
        ],
    },
    Contract {
        id: "pipe_points",
        zh: "管线点",
        en: "Pipe points",
        theme: Theme::PipePoint,
        geometry: GeometryKind::Point,
        cim: 4,
        category: 'A',
        classification: Internal,
        fields: &[
            ("class", Text, "管线大类", "Class", ""),
            ("subclass", Text, "管线小类", "Subclass", ""),
            ("kind", Text, "类型", "Kind", ""),
            ("feature", Text, "特征", "Feature", ""),
            ("appurtenance", Text, "附属物", "Appurtenance", ""),
            ("ground_m", Float, "地面高程", "Ground", "m"),
            ("depth_m", Float, "埋深", "Depth", "m"),
            ("well_depth_m", Float, "井深", "Well depth", "m"),
            ("diameter_m", Float, "井盖直径", "Cover diameter", "m"),
            ("axis_m", Float, "管轴高程", "Axis height", "m"),
            ("status", Int, "状态", "Status", ""),
            ("road", Text, "道路名称", "Road", ""),
        ],
    },
    Contract {
        id: "trees",
        zh: "树木",
        en: "Trees",
        theme: Theme::Tree,
        geometry: GeometryKind::Point,
        cim: 3,
        category: 'A',
        classification: Public,
        fields: &[
            ("species", Text, "树种", "Species", ""),
            ("height_m", Float, "高度", "Height", "m"),
            ("crown_m", Float, "冠幅", "Crown", "m"),
        ],
    },
    Contract {
        id: "addresses",
        zh: "地址",
        en: "Addresses",
        theme: Theme::Address,
        geometry: GeometryKind::Point,
        cim: 2,
        category: 'A',
        classification: Public,
        fields: &[("text", Text, "地址", "Address", "")],
    },
    Contract {
        id: "sensors",
        zh: "监测点",
        en: "Sensors",
        theme: Theme::Sensor,
        geometry: GeometryKind::Point,
        cim: 4,
        category: 'F',
        classification: Internal,
        fields: &[
            ("kind", Text, "类型", "Kind", ""),
            ("unit", Text, "单位", "Unit", ""),
            ("target_layer", Text, "目标图层", "Target layer", ""),
            ("target_id", Text, "目标", "Target", ""),
        ],
    },
    Contract {
        id: "transit",
        zh: "公共交通",
        en: "Transit",
        theme: Theme::Transit,
        geometry: GeometryKind::Any,
        cim: 2,
        category: 'A',
        classification: Public,
        fields: &[("name", Text, "名称", "Name", ""), ("kind", Text, "类型", "Kind", "")],
    },
    Contract {
        id: "places",
        zh: "地名",
        en: "Places",
        theme: Theme::Other,
        geometry: GeometryKind::Point,
        cim: 1,
        category: 'A',
        classification: Public,
        fields: &[
            ("name_zh", Text, "中文名", "Chinese name", ""),
            ("name_en", Text, "英文名", "English name", ""),
            ("rank", Int, "等级", "Rank", ""),
        ],
    },
];

fn field(f: &F) -> Field {
    let (name, kind, zh, en, unit) = *f;
    let field = Field::new(name, kind, zh, en);
    if unit.is_empty() { field } else { field.unit(unit) }
}

/// Field of a reader's own, behind the contract's.
pub(crate) fn extra(name: &str, kind: FieldKind, zh: &str, en: &str, unit: &str) -> Field {
    let f = Field::new(name, kind, zh, en);
    if unit.is_empty() { f } else { f.unit(unit) }
}

/// The contract layer of this id, without a source; `None` for an id that ARCHITECTURE.md does not know.
pub fn contract(id: &str) -> Option<Layer> {
    let c = CONTRACTS.iter().find(|c| c.id == id)?;
    Some(Layer {
        id: LayerId::new(c.id).ok()?,
        title_zh: c.zh.into(),
        title_en: c.en.into(),
        theme: c.theme,
        geometry: c.geometry,
        cim_level: c.cim,
        category: c.category,
        classification: c.classification,
        synthetic: false,
        source: String::new(),
        fields: c.fields.iter().map(field).collect(),
    })
}

/// A layer outside the contract: theme Other, internal until somebody judges it.
pub(crate) fn free(id: LayerId, title: &str, geometry: GeometryKind) -> Layer {
    Layer {
        id,
        title_zh: title.into(),
        title_en: title.into(),
        theme: Theme::Other,
        geometry,
        cim_level: 2,
        category: 'A',
        classification: Internal,
        synthetic: false,
        source: String::new(),
        fields: Vec::new(),
    }
}

/// Adds a field, or answers the one of the same name when its kind agrees; a conflict of kinds is the name.
pub(crate) fn add_field(layer: &mut Layer, field: Field) -> Result<(), String> {
    match layer.fields.iter().find(|f| f.name == field.name) {
        Some(f) if f.kind == field.kind || (f.kind == Float && field.kind == Int) => Ok(()),
        Some(_) => Err(field.name),
        None => {
            layer.fields.push(field);
            Ok(())
        }
    }
}

/// Values of one feature by field name; what is not set is null.
pub(crate) struct Values {
    values: Vec<strata_model::Value>,
}

impl Values {
    pub fn of(layer: &Layer) -> Self {
        Self { values: vec![strata_model::Value::Null; layer.fields.len()] }
    }
    /// Sets a field that the layer has; other names are dropped.
    pub fn set(&mut self, layer: &Layer, name: &str, value: impl Into<strata_model::Value>) -> &mut Self {
        if let Some(i) = layer.field_index(name) {
            self.values[i] = value.into();
        }
        self
    }
    /// Sets the field of this index, which the layer must have.
    pub fn put(&mut self, index: usize, value: strata_model::Value) {
        self.values[index] = value;
    }
    pub fn into_vec(self) -> Vec<strata_model::Value> {
        self.values
    }
}

/// Brings a value to a field's kind; `Err` when it cannot be.
pub(crate) fn coerce(value: strata_model::Value, kind: FieldKind) -> Result<strata_model::Value, String> {
    use strata_model::Value as V;
    Ok(match (kind, value) {
        (_, V::Null) => V::Null,
        (Bool, V::Bool(b)) => V::Bool(b),
        (Bool, V::Int(i)) if i == 0 || i == 1 => V::Bool(i == 1),
        (Int, V::Int(i)) => V::Int(i),
        (Int, V::Bool(b)) => V::Int(i64::from(b)),
        (Int, V::Float(f)) if f.fract() == 0.0 && f.abs() < 9e15 => V::Int(f as i64),
        (Float, V::Float(f)) if f.is_finite() => V::Float(f),
        (Float, V::Int(i)) => V::Float(i as f64),
        (Text, V::Text(t)) => V::Text(t),
        (Text, V::Int(i)) => i.to_string().into(),
        (Text, V::Float(f)) => f.to_string().into(),
        (Text, V::Bool(b)) => b.to_string().into(),
        (Int | Float, V::Text(t)) => match crate::text::number(&t) {
            _ if t.trim().is_empty() => V::Null,
            Some(n) if kind == Float => V::Float(n),
            Some(n) if n.fract() == 0.0 => V::Int(n as i64),
            _ => return Err(format!("`{}` is not a number", t.chars().take(40).collect::<String>())),
        },
        (k, v) => return Err(format!("{v:?} is no {k:?}")),
    })
}
