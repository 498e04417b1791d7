//! A feature of a pipe layer as a body.

use std::ops::ControlFlow;
use strata_engine::{EngineError, View};
use strata_model::{Bounds3, Feature, FeatureId, Geometry, Layer, LayerId, Point3, Query, Theme};

/// The eight classes of CJJ 61-2017 appendix B.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Class {
    /// 给水 water
    Js,
    /// 排水 drain
    Ps,
    /// 燃气 gas
    Rq,
    /// 热力 heat
    Rl,
    /// 电力 power
    Dl,
    /// 通信 telecom
    Tx,
    /// 工业 industrial
    Gy,
    /// 其他 other, unknown, utility tunnel
    Qt,
}

impl Class {
    pub const ALL: [Self; 8] = [Self::Js, Self::Ps, Self::Rq, Self::Rl, Self::Dl, Self::Tx, Self::Gy, Self::Qt];

    /// By its letters; anything else is `Qt`. Drains may come as WS, YS, HS, tunnels as ZH, unknown ones as BM.
    pub fn parse(text: &str) -> Self {
        match text.get(..2).map(str::to_ascii_uppercase).as_deref() {
            Some("JS") => Self::Js,
            Some("PS" | "WS" | "YS" | "HS") => Self::Ps,
            Some("RQ") => Self::Rq,
            Some("RL") => Self::Rl,
            Some("DL") => Self::Dl,
            Some("TX") => Self::Tx,
            Some("GY") => Self::Gy,
            _ => Self::Qt,
        }
    }
    pub fn letters(self) -> &'static str {
        ["JS", "PS", "RQ", "RL", "DL", "TX", "GY", "QT"][self as usize]
    }
    pub fn name_zh(self) -> &'static str {
        ["给水", "排水", "燃气", "热力", "电力", "通信", "工业", "其他"][self as usize]
    }
    pub fn name_en(self) -> &'static str {
        ["water", "drain", "gas", "heat", "power", "telecom", "industrial", "other"][self as usize]
    }
}

/// The outer face across the axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Section {
    Round { outer_diameter_m: f64 },
    Rect { width_m: f64, height_m: f64 },
}

impl Section {
    /// Half of its extent sideways, m.
    pub fn half_width_m(self) -> f64 {
        match self {
            Self::Round { outer_diameter_m: d } => d / 2.0,
            Self::Rect { width_m, .. } => width_m / 2.0,
        }
    }
    /// Half of its extent upwards, m.
    pub fn half_height_m(self) -> f64 {
        match self {
            Self::Round { outer_diameter_m: d } => d / 2.0,
            Self::Rect { height_m, .. } => height_m / 2.0,
        }
    }
}

/// One pipe of the city. Its axis is in the working frame and has two points or more.
#[derive(Debug, Clone)]
pub struct Pipe {
    pub layer: LayerId,
    pub id: FeatureId,
    pub class: Class,
    /// As surveyed: `WS`, `YS`, `TR`, `PS/WS` …; the part after the slash.
    pub subclass: String,
    pub axis: Vec<Point3>,
    pub section: Section,
    /// No size was known and 0.15 m was taken.
    pub size_assumed: bool,
    pub dn_mm: Option<f64>,
    pub material: Option<String>,
    pub embed: Option<String>,
    /// Pressure class or value, as surveyed.
    pub pressure: Option<String>,
    pub voltage_kv: Option<f64>,
    /// 0: along the axis, 1: against it.
    pub flow_dir: Option<i64>,
    pub start_point: Option<String>,
    pub end_point: Option<String>,
    pub start_invert_m: Option<f64>,
    pub end_invert_m: Option<f64>,
    pub owner: Option<String>,
    pub road: Option<String>,
    pub year_built: Option<i64>,
    pub life_years: Option<i64>,
    /// 0 in use, 1 abandoned, 2 empty, 3 other.
    pub status: i64,
    /// Plan accuracy as surveyed (RMSE), m.
    pub accuracy_m: Option<f64>,
}

/// Taken when a pipe's size is not known, m; the same as the tiles draw.
pub const ASSUMED_DIAMETER_M: f64 = 0.15;

impl Pipe {
    /// One feature, one or several parts; what is not a line gives none.
    pub fn from_feature(layer: &Layer, f: &Feature) -> Vec<Self> {
        let lines: Vec<&Vec<Point3>> = match &f.geometry {
            Geometry::LineString(l) => vec![l],
            Geometry::MultiLineString(ls) => ls.iter().collect(),
            _ => return Vec::new(),
        };
        let text = |name: &str| f.text(layer, name).filter(|t| !t.is_empty()).map(str::to_owned);
        let number = |name: &str| f.number(layer, name).filter(|v| v.is_finite());
        let whole = |name: &str| f.value(layer, name).and_then(|v| v.as_i64());
        let metres = |name: &str| number(name).map(|v| v / 1000.0).filter(|v| (0.005..20.0).contains(v));
        let rect = f.text(layer, "shape") == Some("rect");
        let (section, size_assumed) = match (rect, metres("width_mm"), metres("height_mm")) {
            (true, Some(width_m), Some(height_m)) => (Section::Rect { width_m, height_m }, false),
            _ => {
                let known = metres("od_mm").or_else(|| metres("dn_mm").map(|d| d * 1.1)).or(metres("width_mm"));
                (Section::Round { outer_diameter_m: known.unwrap_or(ASSUMED_DIAMETER_M) }, known.is_none())
            }
        };
        let class = text("class").unwrap_or_default();
        let subclass = text("subclass").unwrap_or_default();
        let subclass = subclass.rsplit('/').next().unwrap_or_default().to_owned();
        let one = Self {
            layer: layer.id.clone(),
            id: f.id.clone(),
            class: Class::parse(&class),
            subclass,
            axis: Vec::new(),
            section,
            size_assumed,
            dn_mm: number("dn_mm"),
            material: text("material"),
            embed: text("embed"),
            pressure: text("pressure"),
            voltage_kv: number("voltage_kv"),
            flow_dir: whole("flow_dir"),
            start_point: text("start_point"),
            end_point: text("end_point"),
            start_invert_m: number("start_invert_m"),
            end_invert_m: number("end_invert_m"),
            owner: text("owner"),
            road: text("road"),
            year_built: whole("year_built"),
            life_years: whole("life_years"),
            status: whole("status").unwrap_or(0),
            accuracy_m: number("accuracy_m"),
        };
        lines.into_iter().filter(|l| l.len() >= 2).map(|l| Self { axis: l.clone(), ..one.clone() }).collect()
    }

    /// Length of the axis in space, m.
    pub fn length_m(&self) -> f64 {
        self.axis.windows(2).map(|w| (0..3).map(|k| (w[1][k] - w[0][k]).powi(2)).sum::<f64>().sqrt()).sum()
    }

    /// Carries by gravity: what falls, must fall.
    pub fn is_gravity(&self) -> bool {
        self.class == Class::Ps && self.pressure.is_none()
    }
}

/// Every pipe that meets the box (all of them without one) at the view's moment, in all pipe layers that the asker
/// sees. A city without such a layer gives none.
pub fn for_each_pipe(view: &View, bounds: Option<Bounds3>, f: &mut dyn FnMut(Pipe) -> ControlFlow<()>) -> Result<(), EngineError> {
    for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| l.theme == Theme::Pipe) {
        let mut q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at);
        q.bounds = bounds;
        let mut ended = false;
        view.snapshot.for_each(&q, &mut |feature| {
            for pipe in Pipe::from_feature(&layer, &feature) {
                if f(pipe).is_break() {
                    ended = true;
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        if ended {
            break;
        }
    }
    Ok(())
}

/// [`for_each_pipe`] into a list.
pub fn pipes(view: &View, bounds: Option<Bounds3>) -> Result<Vec<Pipe>, EngineError> {
    let mut all = Vec::new();
    for_each_pipe(view, bounds, &mut |p| {
        all.push(p);
        ControlFlow::Continue(())
    })?;
    Ok(all)
}
