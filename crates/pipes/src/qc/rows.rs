//! Rows of a delivery as points and lines, and every rule of form on the way.

use super::findings::{Findings, RowRef};
use crate::reasons::{Reason, why};
use std::collections::HashMap;
use strata_model::{
    Instant,
    codes::{PipeClass, Size, codes, date, flow, gas_pressure, kilovolts, number},
    survey::{Delivery, Role, Row, Table},
};

/// A point as far as its row can be read.
#[derive(Debug, Clone, Default)]
pub struct Point {
    pub row: RowRef,
    pub id: String,
    pub map_id: Option<String>,
    pub class: Option<PipeClass>,
    /// `[east_m, north_m]` in the working frame.
    pub at: Option<[f64; 2]>,
    /// X and Y as written: northing, easting.
    pub written: Option<[f64; 2]>,
    pub ground_m: Option<f64>,
    pub feature: Option<String>,
    pub appurtenance: Option<String>,
    pub code: Option<String>,
    pub well_depth_m: Option<f64>,
}

/// A line as far as its row can be read.
#[derive(Debug, Clone, Default)]
pub struct Line {
    pub row: RowRef,
    /// Feature of the city, for a layer that is checked in place.
    pub feature: Option<String>,
    pub start: String,
    pub end: String,
    pub class: Option<PipeClass>,
    pub code: Option<String>,
    pub size: Option<Size>,
    pub outer_mm: Option<f64>,
    pub material: Option<&'static str>,
    pub embed: Option<&'static str>,
    /// Measured to the invert; else to the outer top.
    pub to_invert: bool,
    pub depth_m: [Option<f64>; 2],
    /// Top or invert.
    pub level_m: [Option<f64>; 2],
    /// 0 from start to end, 1 against it.
    pub flow: Option<i64>,
    pub built: Option<Instant>,
    pub surveyed: Option<Instant>,
    pub holes: Option<f64>,
    pub holes_used: Option<f64>,
    /// Size or laying is missing or unreadable: where the axis lies is not known.
    pub unmeasured: bool,
}

impl Line {
    /// From what was surveyed up to the axis, m (negative: down).
    fn to_axis_m(&self) -> f64 {
        let outer = match self.size {
            Some(Size::Round(_)) | None => self.outer_mm.map(|d| d / 2000.0),
            Some(Size::Rect(..)) => None,
        };
        let nominal = self.size.map_or(0.0, Size::half_height_m);
        if self.to_invert { nominal } else { -outer.unwrap_or(nominal) }
    }
    /// Height of the axis at an end (0 start, 1 end), where the table gives a height.
    pub fn axis_m(&self, end: usize) -> Option<f64> {
        Some(self.level_m[end]? + self.to_axis_m()).filter(|_| !self.unmeasured)
    }
    /// Radius of the outer face, of a box the smaller half side: never more than the body has, m.
    pub fn radius_m(&self) -> f64 {
        match (self.outer_mm, self.size) {
            (_, Some(Size::Rect(w, h))) => w.min(h) / 2000.0,
            (Some(d), _) | (None, Some(Size::Round(d))) => d / 2000.0,
            (None, None) => 0.05,
        }
    }
    /// Water falls in it.
    pub fn gravity(&self) -> bool {
        self.to_invert && self.class.is_some_and(|c| c.major == "PS")
    }
    /// Hung or laid above the ground on purpose.
    pub fn in_the_open(&self) -> bool {
        matches!(self.embed, Some("JK" | "DM" | "SJ"))
    }
}

/// The delivery as a network. `by_id` knows the first point of each number.
#[derive(Debug, Default)]
pub struct Net {
    pub points: Vec<Point>,
    pub lines: Vec<Line>,
    pub by_id: HashMap<String, usize>,
    /// Ends of lines at each point of `by_id`: (line, 0 start or 1 end).
    pub star: HashMap<usize, Vec<(usize, usize)>>,
}

impl Net {
    pub fn new(points: Vec<Point>, lines: Vec<Line>) -> Self {
        let mut net = Self { points, lines, ..Self::default() };
        for (i, p) in net.points.iter().enumerate().filter(|(_, p)| !p.id.is_empty()) {
            net.by_id.entry(p.id.clone()).or_insert(i);
        }
        for (i, l) in net.lines.iter().enumerate() {
            for (end, id) in [&l.start, &l.end].into_iter().enumerate() {
                if let Some(p) = net.by_id.get(id) {
                    net.star.entry(*p).or_default().push((i, end));
                }
            }
        }
        net
    }
    pub fn ends(&self, line: &Line) -> [Option<usize>; 2] {
        [self.by_id.get(&line.start).copied(), self.by_id.get(&line.end).copied()]
    }
    /// The axis of a line whose two ends are known, `[east_m, north_m, height_m]`.
    pub fn axis(&self, line: &Line) -> Option<[[f64; 3]; 2]> {
        let [a, b] = self.ends(line);
        let (a, b) = (self.points[a?].at?, self.points[b?].at?);
        Some([[a[0], a[1], line.axis_m(0)?], [b[0], b[1], line.axis_m(1)?]])
    }
}

const POINT_MUST: [(&str, &str); 6] =
    [("map_id", "图上点号"), ("id", "物探点号"), ("north", "X"), ("east", "Y"), ("ground", "地面高程"), ("code", "要素代码")];
const LINE_MUST: [(&str, &str); 14] = [
    ("start", "起点点号"),
    ("end", "终点点号"),
    ("start_depth", "起点埋深"),
    ("end_depth", "终点埋深"),
    ("start_level", "起点高程"),
    ("end_level", "终点高程"),
    ("code", "要素代码"),
    ("material", "材质"),
    ("embed", "埋设方式"),
    ("year", "建设年代"),
    ("owner", "权属单位"),
    ("road", "道路名称"),
    ("status", "状态"),
    ("survey_date", "探测时间"),
];
const POINT_NUMBERS: [&str; 6] = ["north", "east", "ground", "depth", "well_depth", "offset"];
const LINE_NUMBERS: [&str; 9] = ["start_depth", "end_depth", "start_level", "end_level", "od", "cables", "holes", "holes_used", "life"];

/// Reads all tables; what breaks a rule of form is found, and the field stays empty.
pub fn read(delivery: &Delivery, today: Instant, found: &mut Findings) -> Net {
    for fault in &delivery.faults {
        found.file(&fault.rule, &fault.table, fault.row.unwrap_or(0), Reason::of_file(&fault.rule, &fault.reason));
    }
    let (mut points, mut lines) = (Vec::new(), Vec::new());
    for (i, table) in delivery.tables.iter().enumerate() {
        found.tables.push(table.name.clone());
        let reader = Reader::new(i, table);
        reader.heading(found);
        if table.rows.is_empty() {
            found.file("empty-table", &table.name, table.heading_row, why("no-rows", &[]));
        }
        for row in &table.rows {
            match table.role {
                Role::Points => points.push(reader.point(row, found)),
                Role::Lines => lines.push(reader.line(row, today, found)),
            }
        }
    }
    Net::new(points, lines)
}

/// `42443761.4` is 443 761.4 m in zone 42.
fn without_zone(east: f64) -> f64 {
    if (13.0e6..61.0e6).contains(&east) { east % 1.0e6 } else { east }
}

struct Reader<'t> {
    index: usize,
    table: &'t Table,
    class: Option<PipeClass>,
    columns: HashMap<&'static str, usize>,
}

impl<'t> Reader<'t> {
    fn new(index: usize, table: &'t Table) -> Self {
        let mut columns = HashMap::new();
        for (i, h) in table.headings.iter().enumerate() {
            if let Some(field) = codes().header(h) {
                columns.entry(field).or_insert(i);
            }
        }
        Self { index, table, class: table.class(), columns }
    }
    fn must(&self) -> &'static [(&'static str, &'static str)] {
        match self.table.role {
            Role::Points => &POINT_MUST,
            Role::Lines => &LINE_MUST,
        }
    }
    fn has(&self, field: &str) -> bool {
        self.columns.contains_key(field)
    }
    /// A table that keeps point and connection in one row has the far end's columns at that end's own row.
    fn optional(&self, field: &str) -> bool {
        self.table.combined && matches!(field, "start_depth" | "end_depth" | "start_level" | "end_level" | "start")
    }
    fn heading(&self, found: &mut Findings) {
        let mut missing: Vec<&str> =
            self.must().iter().filter(|(f, _)| !self.has(f) && !self.optional(f)).map(|(_, title)| *title).collect();
        match self.table.role {
            Role::Points if !self.has("feature") && !self.has("appurtenance") => missing.push("特征/附属物"),
            Role::Lines if !self.has("size") => missing.push("管径"),
            _ => {}
        }
        if !missing.is_empty() {
            let reason = why("columns-missing", &[&missing.join("、")]);
            found.file("heading", &self.table.name, self.table.heading_row, reason);
        }
    }
    fn text<'r>(&self, row: &'r Row, field: &str) -> Option<&'r str> {
        row.text(self.columns.get(field).copied())
    }
    /// Empty cells of columns that are there; numbers that are none.
    fn form(&self, row: &Row, at: RowRef, id: &str, numbers: &[&'static str], also: &[(&'static str, &'static str)], found: &mut Findings) {
        for (field, title) in self.must().iter().chain(also) {
            if self.has(field) && self.text(row, field).is_none() && !self.optional(field) {
                found.add("required", at, id, why("empty", &[title])).field(field);
            }
        }
        for field in numbers {
            if let Some(t) = self.text(row, field)
                && number(t).is_none()
            {
                found.add("number", at, id, why("number-wanted", &[])).field(field).value(t);
            }
        }
    }
    fn number(&self, row: &Row, field: &str) -> Option<f64> {
        self.text(row, field).and_then(number)
    }
    /// The class column, the table's name, the code, the letters of the number, in this order of belief.
    fn class(&self, row: &Row, at: RowRef, id: &str, found: &mut Findings) -> Option<PipeClass> {
        let said = self.text(row, "class").map(|t| (t, codes().class(t)));
        if let Some((t, None)) = said {
            found.add("dictionary", at, id, why("no-class", &[])).field("class").value(t);
        }
        said.and_then(|s| s.1)
            .or(self.class)
            .or_else(|| self.text(row, "code").and_then(|c| codes().class_of_code(c)))
            .or_else(|| codes().class_of_id(id))
    }
    /// `None` for a code of the wrong form.
    fn code(&self, row: &Row, at: RowRef, id: &str, found: &mut Findings) -> Option<String> {
        let t = self.text(row, "code")?.trim_end_matches(".0");
        if codes().class_of_code(t).is_none() {
            found.add("code-form", at, id, why("eight-digits", &[])).field("code").value(t);
            return None;
        }
        Some(t.to_owned())
    }
    fn known<T>(
        &self,
        row: &Row,
        field: &'static str,
        of: impl Fn(&str) -> Option<T>,
        at: RowRef,
        id: &str,
        found: &mut Findings,
    ) -> Option<T> {
        let t = self.text(row, field)?;
        let value = of(t);
        if value.is_none() {
            found.add("dictionary", at, id, why("no-dictionary", &[])).field(field).value(t);
        }
        value
    }

    fn point(&self, row: &Row, found: &mut Findings) -> Point {
        let at = RowRef { table: self.index, row: row.number };
        let id = self.text(row, "id").unwrap_or_default();
        self.form(row, at, id, &POINT_NUMBERS, &[], found);
        let class = self.class(row, at, id, found);
        let _ = self.known(row, "status", |t| codes().status(t), at, id, found);
        let written = self.number(row, "north").zip(self.number(row, "east")).map(|(x, y)| [x, y]);
        let word = |field| self.text(row, field).map(str::to_owned);
        Point {
            row: at,
            id: id.to_owned(),
            map_id: word("map_id"),
            class,
            at: written.and_then(|[x, y]| row.at.or(Some([without_zone(y), x]))),
            written,
            ground_m: self.number(row, "ground"),
            feature: word("feature"),
            appurtenance: word("appurtenance"),
            code: self.code(row, at, id, found),
            well_depth_m: self.number(row, "well_depth"),
        }
    }

    fn line(&self, row: &Row, today: Instant, found: &mut Findings) -> Line {
        let at = RowRef { table: self.index, row: row.number };
        let start = self.text(row, "start").or_else(|| self.text(row, "id").filter(|_| self.table.combined)).unwrap_or_default();
        let end = self.text(row, "end").unwrap_or_default();
        let id = format!("{start}-{end}");
        let class = self.class(row, at, start, found);
        let major = class.map_or("", |c| c.major);
        let embed = self.known(row, "embed", |t| codes().laying(t), at, &id, found);
        let pressed = self.text(row, "pressure").is_some_and(|p| p.contains('压') && !p.contains("无压") && !p.contains("非压"));
        let ducts = matches!(embed, Some(("GM" | "GK", _)));
        let mut also: Vec<(&'static str, &'static str)> = Vec::new();
        if major == "RQ" {
            also.push(("pressure", "压力等级"));
        }
        if major == "DL" {
            also.push(("voltage", "电压"));
        }
        if major == "PS" && !pressed {
            also.push(("flow", "流向"));
        }
        if ducts {
            also.extend([("holes", "总孔数"), ("holes_used", "已用孔数")]);
        }
        if !matches!(major, "DL" | "TX") || ducts {
            also.push(("size", "管径"));
        }
        self.form(row, at, &id, &LINE_NUMBERS, &also, found);
        if major == "RQ" {
            let _ = self.known(row, "pressure", |t| gas_pressure(t).then_some(()), at, &id, found);
        }
        let _ = self.known(row, "voltage", kilovolts, at, &id, found);
        let _ = self.known(row, "status", |t| codes().status(t), at, &id, found);
        let size = self.text(row, "size").and_then(|t| {
            let size = Size::parse(t).ok().filter(|s| match s {
                Size::Round(d) => (10.0..=10_000.0).contains(d),
                Size::Rect(w, h) => (10.0..=10_000.0).contains(w) && (10.0..=10_000.0).contains(h),
            });
            if size.is_none() {
                found.add("size", at, &id, why("size-wanted", &[])).field("size").value(t);
            }
            size
        });
        let mut day = |field: &'static str| {
            let t = self.text(row, field)?;
            let day = date(t).filter(|d| d.year() >= 1880 && *d <= today);
            if day.is_none() {
                found.add("date", at, &id, why("date-wanted", &[])).field(field).value(t);
            }
            day
        };
        let (built, surveyed) = (day("year"), day("survey_date"));
        let n = |field: &str| self.number(row, field);
        let to_invert = embed.is_some_and(|(_, invert)| invert) || (major == "PS" && !pressed);
        let end_level = |end: &str, own: &str| {
            let face = if to_invert { "invert" } else { "top" };
            n(&format!("{end}_{face}"))
                .or_else(|| n(&format!("{end}_level")))
                .or_else(|| n(own).filter(|_| self.table.combined && end == "start"))
        };
        Line {
            row: at,
            feature: None,
            start: start.to_owned(),
            end: end.to_owned(),
            class,
            code: self.code(row, at, &id, found),
            size,
            outer_mm: n("od").filter(|v| *v > 0.0),
            material: self.known(row, "material", |t| codes().material(t), at, &id, found),
            embed: embed.map(|e| e.0),
            to_invert,
            depth_m: [n("start_depth").or_else(|| n("depth").filter(|_| self.table.combined)), n("end_depth")],
            level_m: [end_level("start", if to_invert { "invert" } else { "top" }), end_level("end", "")],
            flow: self.known(row, "flow", flow, at, &id, found),
            built,
            surveyed,
            holes: n("holes"),
            holes_used: n("holes_used"),
            unmeasured: embed.is_none() || (size.is_none() && (ducts || !matches!(major, "DL" | "TX") || self.text(row, "size").is_some())),
        }
    }
}
