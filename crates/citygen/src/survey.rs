//! The pipes of a synthetic city as a survey delivery 普查成果: one table of points and one of lines for each class, with
//! the headings, codes and conventions of real ones (CJJ 61-2017). Made from the features alone, so that whatever city
//! has the contract's layers `pipes` and `pipe_points` can be written this way.
//!
//! X is north and Y is east. Pressure pipes and cables are measured to the outer top, gravity drains, trenches and
//! galleries to the invert; three decimals. What a city does not know and a surveyor would write down (ducts, cables,
//! depths of wells) is made up from what it does know. Words of points follow from the lines that meet there.

use std::collections::{BTreeMap, HashMap};
use strata_model::{
    Bounds2, Crs, Feature, Geometry, Instant, Layer, Point3,
    codes::{PipeClass, codes},
    survey::{Delivery, Role, Row, Table},
};

/// Layers of a city that a surveyor measures, with their features.
#[derive(Debug, Clone, Copy)]
pub struct Underground<'a> {
    pub pipes: (&'a Layer, &'a [Feature]),
    pub points: (&'a Layer, &'a [Feature]),
}

pub const POINT_HEADINGS: [&str; 14] = [
    "图上点号",
    "物探点号",
    "X",
    "Y",
    "地面高程",
    "特征",
    "附属物",
    "要素代码",
    "埋深",
    "井深",
    "井盖规格",
    "偏心距",
    "使用状态",
    "道路名称",
];

pub const LINE_HEADINGS: [&str; 27] = [
    "起点点号",
    "终点点号",
    "起点埋深",
    "终点埋深",
    "起点高程",
    "终点高程",
    "要素代码",
    "材质",
    "管径",
    "外径",
    "埋设方式",
    "保护材料",
    "压力等级",
    "电压",
    "电缆根数",
    "总孔数",
    "已用孔数",
    "流向",
    "建设年代",
    "使用年限",
    "权属单位",
    "管理单位",
    "道路名称",
    "状态",
    "探测单位",
    "探测时间",
    "备注",
];

/// Who measured, and when; nobody did.
const SURVEYOR: &str = "测绘单位(合成)";
const SURVEYED: &str = "2026-05-18";

struct Line<'a> {
    feature: &'a Feature,
    class: PipeClass,
    ends: [String; 2],
    /// Surveyed heights (top or invert), rounded as the table has them.
    level_m: [f64; 2],
    size: String,
    material: &'a str,
}

struct Spot {
    at: Point3,
    class: PipeClass,
    /// Of the lines that meet here: (size, material).
    lines: Vec<(String, String)>,
    deepest_m: f64,
    /// Lines of the whole city, also those outside of the survey.
    degree: usize,
}

/// Everything in use at `at` whose two ends lie inside `bounds`, the whole city without one. A line that goes on
/// outside ends in a point 出测区.
pub fn delivery(city: &Underground<'_>, bounds: Option<Bounds2>, at: Instant) -> Delivery {
    let (layer, features) = city.pipes;
    let (points_layer, points) = city.points;
    let known: HashMap<&str, &Feature> = points.iter().map(|p| (p.id.as_str(), p)).collect();
    let ground = |id: &str| match known.get(id)?.geometry {
        Geometry::Point(p) => Some([p[0], p[1], known[id].number(points_layer, "ground_m").unwrap_or(p[2])]),
        _ => None,
    };
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut spots: BTreeMap<String, Spot> = BTreeMap::new();
    let mut degree: HashMap<&str, usize> = HashMap::new();
    for f in features.iter().filter(|f| f.valid.contains(at)) {
        let text = |name: &str| f.text(layer, name);
        let (Some(start), Some(end)) = (text("start_point"), text("end_point")) else { continue };
        *degree.entry(start).or_default() += 1;
        *degree.entry(end).or_default() += 1;
        let (Geometry::LineString(axis), Some(a), Some(b)) = (&f.geometry, ground(start), ground(end)) else { continue };
        let ([first, .., last], Some(class)) = (&axis[..], class_of(f, layer)) else { continue };
        if bounds.is_some_and(|bounds| !bounds.contains([a[0], a[1]]) || !bounds.contains([b[0], b[1]])) {
            continue;
        }
        let below_m = surveyed_below_axis_m(f, layer, class);
        let line = Line {
            feature: f,
            class,
            ends: [start.to_owned(), end.to_owned()],
            level_m: [first, last].map(|p| millimetres(p[2] - below_m)),
            size: size(f, layer),
            material: text("material").unwrap_or_default(),
        };
        for (i, (id, at)) in [(start, a), (end, b)].into_iter().enumerate() {
            let spot = spots.entry(id.to_owned()).or_insert_with(|| Spot { at, class, lines: Vec::new(), deepest_m: 0.0, degree: 0 });
            spot.lines.push((line.size.clone(), line.material.to_owned()));
            spot.deepest_m = spot.deepest_m.max(millimetres(at[2]) - line.level_m[i]);
        }
        lines.push(line);
    }
    for (id, spot) in &mut spots {
        spot.degree = degree.get(id.as_str()).copied().unwrap_or(0);
    }
    let mut tables: Tables = BTreeMap::new();
    for (id, spot) in &spots {
        let Some(f) = known.get(id.as_str()) else { continue };
        let table = table_of(&mut tables, spot.class, Role::Points);
        let cells = point_cells(id, spot, f, points_layer);
        table.rows.push(Row { number: table.rows.len() + 2, cells, at: Some([spot.at[0], spot.at[1]].map(millimetres)) });
    }
    for line in &lines {
        let table = table_of(&mut tables, line.class, Role::Lines);
        let cells = line_cells(line, layer, &spots);
        table.rows.push(Row { number: table.rows.len() + 2, cells, at: None });
    }
    Delivery { name: "合成数据".into(), crs: Some(Crs::CHANGCHUN), tables: tables.into_values().collect(), faults: Vec::new() }
}

/// In the order of the classes, points (0) before lines (1).
type Tables = BTreeMap<(usize, &'static str, u8), Table>;

fn table_of(tables: &mut Tables, class: PipeClass, role: Role) -> &mut Table {
    const ORDER: [&str; 8] = ["JS", "PS", "RQ", "RL", "DL", "TX", "GY", "QT"];
    let letters = if class.major == "PS" { class.sub.unwrap_or("PS") } else { class.major };
    let place = ORDER.iter().position(|c| *c == class.major).unwrap_or(ORDER.len());
    let points = role == Role::Points;
    tables.entry((place, letters, u8::from(!points))).or_insert_with(|| Table {
        name: format!("{letters}{}", if points { "POINT" } else { "LINE" }),
        role,
        heading_row: 1,
        headings: if points { POINT_HEADINGS.map(str::to_owned).to_vec() } else { LINE_HEADINGS.map(str::to_owned).to_vec() },
        rows: Vec::new(),
        combined: false,
    })
}

/// A subclass that its class does not know is read as the class's usual one.
fn class_of(f: &Feature, layer: &Layer) -> Option<PipeClass> {
    let class = codes().class(f.text(layer, "class")?)?;
    let own = f.text(layer, "subclass").and_then(|s| codes().class(s.rsplit('/').next().unwrap_or(s)));
    Some(match own {
        Some(own) if own.major == class.major && own.sub.is_some() => own,
        _ => PipeClass { major: class.major, sub: class.sub.or((class.major == "JS").then_some("JP")) },
    })
}

fn gravity(f: &Feature, layer: &Layer, class: PipeClass) -> bool {
    class.major == "PS" && f.text(layer, "pressure").is_none()
}

/// How far what is surveyed lies under the axis, m; negative for a top.
fn surveyed_below_axis_m(f: &Feature, layer: &Layer, class: PipeClass) -> f64 {
    let n = |name: &str| f.number(layer, name);
    let to_invert = f.text(layer, "embed").and_then(|e| codes().laying(e)).is_some_and(|(_, invert)| invert);
    if gravity(f, layer, class) || to_invert {
        n("dn_mm").or(n("height_mm")).or(n("od_mm")).unwrap_or(0.0) / 2000.0
    } else {
        -n("od_mm").or(n("height_mm")).or(n("dn_mm")).unwrap_or(0.0) / 2000.0
    }
}

fn size(f: &Feature, layer: &Layer) -> String {
    let n = |name: &str| f.number(layer, name);
    match (n("width_mm"), n("height_mm")) {
        (Some(w), Some(h)) => format!("{w:.0}X{h:.0}"),
        _ => n("dn_mm").or(n("od_mm")).map_or_else(String::new, |d| format!("{d:.0}")),
    }
}

pub(crate) fn millimetres(v: f64) -> f64 {
    (v * 1000.0).round() / 1000.0
}

fn m(v: f64) -> String {
    format!("{v:.3}")
}

/// What the point is called: an appurtenance keeps its name, a fitting is called after the lines that meet in it.
fn words<'f>(spot: &Spot, f: &'f Feature, layer: &Layer) -> (Option<&'f str>, Option<&'f str>) {
    let text = |name: &str| f.text(layer, name).filter(|t| !t.is_empty());
    if let Some(appurtenance) = text("appurtenance") {
        return (None, Some(appurtenance));
    }
    let own = text("feature").unwrap_or("直线点");
    let changes = |i: fn(&(String, String)) -> &str| spot.lines.windows(2).any(|w| i(&w[0]) != i(&w[1]));
    let word = match spot.lines.len() {
        // An outfall, an inlet, a point of measurement keeps its name however many lines it has.
        _ if ["出水口", "进水口", "出地", "测流点", "测压点"].contains(&own) => own,
        n if n < spot.degree => "出测区",
        0 | 1 => "盖堵",
        2 if changes(|l| &l.0) => "变径",
        2 if changes(|l| &l.1) => "变材",
        2 if ["弯头", "直线点", "转折点"].contains(&own) => own,
        2 => "弯头",
        3 => "三通",
        4 => "四通",
        _ => "多通",
    };
    (Some(word), None)
}

/// `JS000123` is `JS123` on the sheet.
fn map_number(id: &str) -> String {
    let digits = id.find(|c: char| c.is_ascii_digit()).unwrap_or(id.len());
    let (letters, number) = id.split_at(digits);
    format!("{letters}{}", number.trim_start_matches('0'))
}

fn point_cells(id: &str, spot: &Spot, f: &Feature, layer: &Layer) -> Vec<String> {
    let (feature, appurtenance) = words(spot, f, layer);
    let n = |name: &str| f.number(layer, name);
    let code = codes().feature_code(spot.class, feature.or(appurtenance)).unwrap_or_default();
    let shaft = n("well_depth_m").is_some() && appurtenance.is_some();
    vec![
        map_number(id),
        id.to_owned(),
        m(spot.at[1]),
        m(spot.at[0]),
        m(spot.at[2]),
        feature.unwrap_or_default().to_owned(),
        appurtenance.unwrap_or_default().to_owned(),
        code,
        m(spot.deepest_m),
        if shaft { m(spot.deepest_m + 0.3) } else { String::new() },
        n("diameter_m").filter(|_| shaft).map_or_else(String::new, |d| format!("Φ{:.0}", d * 1000.0)),
        String::new(),
        n("status").unwrap_or(0.0).to_string(),
        f.text(layer, "road").unwrap_or_default().to_owned(),
    ]
}

fn line_cells(line: &Line<'_>, layer: &Layer, spots: &BTreeMap<String, Spot>) -> Vec<String> {
    let f = line.feature;
    let text = |name: &str| f.text(layer, name).unwrap_or_default().to_owned();
    let n = |name: &str| f.number(layer, name);
    let shown = |name: &str| n(name).map_or_else(String::new, |v| v.to_string());
    let depth = |i: usize| m(millimetres(spots[&line.ends[i]].at[2]) - line.level_m[i]);
    let rect = n("width_mm").zip(n("height_mm"));
    let cable = matches!(line.class.major, "DL" | "TX");
    // Ducts of 150 mm.
    let ducts = rect.filter(|_| cable).map(|(w, h)| ((w / 150.0).round().max(1.0) * (h / 150.0).round().max(1.0)) as u64);
    let used = ducts.map(|d| 1 + crate::dice::mix(f.id.as_str().bytes().fold(7, |h, b| h << 5 ^ h ^ u64::from(b))) % d);
    let count = |c: Option<u64>| c.map_or_else(String::new, |c| c.to_string());
    let from = f.valid.from;
    let built = if from == Instant::MIN { shown("year_built") } else { from.to_string().chars().take(10).collect() };
    vec![
        line.ends[0].clone(),
        line.ends[1].clone(),
        depth(0),
        depth(1),
        m(line.level_m[0]),
        m(line.level_m[1]),
        codes().feature_code(line.class, None).unwrap_or_default(),
        line.material.to_owned(),
        line.size.clone(),
        if rect.is_none() { shown("od_mm") } else { String::new() },
        text("embed"),
        String::new(),
        text("pressure"),
        shown("voltage_kv"),
        count(used.filter(|_| cable)),
        count(ducts),
        count(used),
        shown("flow_dir"),
        built,
        shown("life_years"),
        text("owner"),
        String::new(),
        text("road"),
        n("status").unwrap_or(0.0).to_string(),
        SURVEYOR.into(),
        SURVEYED.into(),
        "合成数据".into(),
    ]
}
