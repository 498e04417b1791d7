//! A delivery while it is being spoiled.

use super::{Fault, Spoiled};
use crate::{dice::Dice, survey::millimetres};
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};
use strata_model::{
    codes::{Size, codes},
    survey::{Delivery, Role, Row},
};

/// A row: index of its table, index in the table.
pub(super) type At = (usize, usize);

#[derive(Clone)]
pub(super) struct Sheet {
    pub name: String,
    pub role: Role,
    pub columns: HashMap<&'static str, usize>,
    pub headings: Vec<String>,
    pub rows: Vec<Rc<Vec<String>>>,
    gone: HashSet<usize>,
}

/// A copy shares its rows until it changes them: faults are tried on copies.
#[derive(Clone)]
pub(super) struct Work {
    pub sheets: Vec<Sheet>,
    pub dice: Dice,
    pub kind: &'static str,
    faults: Vec<(&'static str, At, &'static str)>,
    /// Faults of a table as a whole.
    tables: Vec<(&'static str, usize, &'static str)>,
    touched: Rc<HashSet<String>>,
    fresh: usize,
}

/// An end of a line as its columns are called.
pub(super) struct EndColumns {
    pub id: &'static str,
    pub depth: &'static str,
    pub level: &'static str,
}
pub(super) const ENDS: [EndColumns; 2] = [
    EndColumns { id: "start", depth: "start_depth", level: "start_level" },
    EndColumns { id: "end", depth: "end_depth", level: "end_level" },
];

/// The network as it stands now.
pub(super) struct Graph {
    pub points: HashMap<String, At>,
    /// (line, end) at each point number, also at numbers that no point has.
    pub star: HashMap<String, Vec<(At, usize)>>,
    pub lines: Vec<At>,
}

impl Work {
    pub fn new(delivery: &Delivery, dice: Dice) -> Self {
        let sheets = delivery
            .tables
            .iter()
            .map(|t| Sheet {
                name: t.name.clone(),
                role: t.role,
                columns: t.headings.iter().enumerate().filter_map(|(i, h)| Some((codes().header(h)?, i))).collect(),
                headings: t.headings.clone(),
                rows: t.rows.iter().map(|r| Rc::new(r.cells.clone())).collect(),
                gone: HashSet::new(),
            })
            .collect();
        Self { sheets, dice, kind: "", faults: Vec::new(), tables: Vec::new(), touched: Rc::default(), fresh: 0 }
    }
    pub fn cell(&self, at: At, field: &str) -> &str {
        let sheet = &self.sheets[at.0];
        sheet.columns.get(field).and_then(|c| sheet.rows[at.1].get(*c)).map_or("", String::as_str)
    }
    pub fn number(&self, at: At, field: &str) -> Option<f64> {
        strata_model::codes::number(self.cell(at, field))
    }
    pub fn set(&mut self, at: At, field: &str, value: impl Into<String>) {
        let sheet = &mut self.sheets[at.0];
        if let Some(c) = sheet.columns.get(field) {
            Rc::make_mut(&mut sheet.rows[at.1])[*c] = value.into();
        }
    }
    pub fn metres(&mut self, at: At, field: &str, value: f64) {
        self.set(at, field, format!("{:.3}", millimetres(value)));
    }
    /// Class letters of a table's name: `JS`, `WS`.
    pub fn class(&self, at: At) -> &str {
        self.sheets[at.0].name.get(..2).unwrap_or_default()
    }
    pub fn major(&self, at: At) -> &'static str {
        codes().class(self.class(at)).map_or("", |c| c.major)
    }
    pub fn graph(&self) -> Graph {
        let mut g = Graph { points: HashMap::new(), star: HashMap::new(), lines: Vec::new() };
        for (t, sheet) in self.sheets.iter().enumerate() {
            for r in (0..sheet.rows.len()).filter(|r| !sheet.gone.contains(r)) {
                if sheet.role == Role::Points {
                    g.points.entry(self.cell((t, r), "id").to_owned()).or_insert((t, r));
                } else {
                    g.lines.push((t, r));
                    for (end, columns) in ENDS.iter().enumerate() {
                        g.star.entry(self.cell((t, r), columns.id).to_owned()).or_default().push(((t, r), end));
                    }
                }
            }
        }
        g
    }
    /// Points with their number in a seeded order.
    pub fn shuffled_points(&mut self, g: &Graph) -> Vec<(String, At)> {
        let mut all: Vec<(String, At)> = g.points.iter().map(|(k, v)| (k.clone(), *v)).collect();
        all.sort();
        self.shuffle(&mut all);
        all
    }
    pub fn shuffled_lines(&mut self, g: &Graph) -> Vec<At> {
        let mut all = g.lines.clone();
        self.shuffle(&mut all);
        all
    }
    fn shuffle<T>(&mut self, all: &mut [T]) {
        for i in (1..all.len()).rev() {
            all.swap(i, self.dice.int(0, i as i64) as usize);
        }
    }
    /// Numbers of a point, its lines' far ends and theirs.
    fn around(&self, g: &Graph, ids: &[&str]) -> HashSet<String> {
        let mut out: HashSet<String> = ids.iter().map(|i| (*i).to_owned()).collect();
        for _ in 0..2 {
            let ring: Vec<String> = out
                .iter()
                .flat_map(|id| g.star.get(id).into_iter().flatten())
                .map(|(line, end)| self.cell(*line, ENDS[1 - end].id).to_owned())
                .collect();
            out.extend(ring);
        }
        out
    }
    /// Is all around these points as the surveyor left it?
    pub fn untouched(&self, g: &Graph, ids: &[&str]) -> bool {
        self.around(g, ids).is_disjoint(&self.touched)
    }
    pub fn touch(&mut self, g: &Graph, ids: &[&str]) {
        let around = self.around(g, ids);
        Rc::make_mut(&mut self.touched).extend(around);
    }
    pub fn fault(&mut self, rule: &'static str, at: At) {
        self.faults.push((rule, at, self.kind));
    }
    /// Has the table no fault yet?
    pub fn clean(&self, table: usize) -> bool {
        self.faults.iter().all(|(_, at, _)| at.0 != table)
    }
    pub fn table_fault(&mut self, rule: &'static str, table: usize) {
        self.tables.push((rule, table, self.kind));
    }
    /// A table with the headings of another and no rows.
    pub fn add_table(&mut self, like: usize, name: &str) {
        let empty = Sheet { name: name.into(), rows: Vec::new(), gone: HashSet::new(), ..self.sheets[like].clone() };
        self.sheets.push(empty);
    }
    pub fn remove(&mut self, at: At) {
        self.sheets[at.0].gone.insert(at.1);
    }
    /// A copy of a row at the end of its table.
    pub fn copy(&mut self, at: At) -> At {
        let row = Rc::clone(&self.sheets[at.0].rows[at.1]);
        self.sheets[at.0].rows.push(row);
        (at.0, self.sheets[at.0].rows.len() - 1)
    }
    /// A copy of a point under a new number, moved in the plan.
    pub fn new_point(&mut self, of: At, moved: [f64; 2]) -> (String, At) {
        let at = self.copy(of);
        self.fresh += 1;
        let letters: String = self.cell(of, "id").chars().take_while(|c| !c.is_ascii_digit()).collect();
        let id = format!("{letters}{}", 900_000 + self.fresh);
        self.set(at, "id", id.clone());
        self.set(at, "map_id", id.clone());
        let (x, y) = (self.number(of, "north").unwrap_or(0.0), self.number(of, "east").unwrap_or(0.0));
        self.metres(at, "north", x + moved[1]);
        self.metres(at, "east", y + moved[0]);
        Rc::make_mut(&mut self.touched).insert(id.clone());
        (id, at)
    }
    /// Names a point, with the code that belongs to it.
    pub fn word(&mut self, at: At, feature: &str) {
        self.set(at, "feature", feature);
        self.set(at, "appurtenance", "");
        let class = codes().class_of_table(&self.sheets[at.0].name);
        let code = class.and_then(|c| codes().feature_code(c, Some(feature))).unwrap_or_default();
        self.set(at, "code", code);
    }
    /// `[east, north]` of a point.
    pub fn plan(&self, at: At) -> Option<[f64; 2]> {
        Some([self.number(at, "east")?, self.number(at, "north")?])
    }
    pub fn size(&self, line: At) -> Option<Size> {
        Size::parse(self.cell(line, "size")).ok()
    }
    /// Ends of the axis and the radius of a line as it stands, for distances.
    pub fn body(&self, g: &Graph, line: At) -> Option<([[f64; 3]; 2], f64)> {
        let (size, outer) = (self.size(line), self.number(line, "od"));
        let radius = match size? {
            Size::Round(d) => outer.unwrap_or(d) / 2000.0,
            Size::Rect(w, h) => w.min(h) / 2000.0,
        };
        let gallery = codes().laying(self.cell(line, "embed")).is_some_and(|l| l.1);
        let up = match size? {
            s if self.major(line) == "PS" || gallery => s.half_height_m(),
            Size::Round(d) => -outer.unwrap_or(d) / 2000.0,
            Size::Rect(_, h) => -h / 2000.0,
        };
        let mut axis = [[0.0; 3]; 2];
        for (a, columns) in axis.iter_mut().zip(ENDS) {
            let p = self.plan(*g.points.get(self.cell(line, columns.id))?)?;
            *a = [p[0], p[1], self.number(line, columns.level)? + up];
        }
        Some((axis, radius))
    }
    pub fn length(&self, g: &Graph, line: At) -> Option<f64> {
        let (axis, _) = self.body(g, line)?;
        Some((axis[0][0] - axis[1][0]).hypot(axis[0][1] - axis[1][1]))
    }
    /// Does a line keep 5 cm from every other that it does not meet in a point?
    pub fn free(&self, g: &Graph, line: At, but: Option<At>) -> bool {
        let Some((axis, radius)) = self.body(g, line) else { return false };
        let ends = ENDS.map(|c| self.cell(line, c.id));
        g.lines.iter().filter(|l| **l != line && Some(**l) != but).all(|other| {
            if ENDS.iter().any(|c| ends.contains(&self.cell(*other, c.id))) {
                return true;
            }
            self.body(g, *other).is_none_or(|(it, r)| sampled_distance(axis, it) > radius + r + 0.05)
        })
    }
    pub fn finish(self, delivery: &Delivery) -> Spoiled {
        let mut out = Delivery { tables: Vec::new(), ..delivery.clone() };
        let mut numbers: HashMap<At, usize> = HashMap::new();
        for (t, sheet) in self.sheets.into_iter().enumerate() {
            let mut rows = Vec::new();
            for (r, cells) in sheet.rows.into_iter().enumerate().filter(|(r, _)| !sheet.gone.contains(r)) {
                numbers.insert((t, r), rows.len() + 2);
                rows.push(Row { number: rows.len() + 2, cells: cells.to_vec(), at: None });
            }
            let (name, role, headings) = (sheet.name, sheet.role, sheet.headings);
            out.tables.push(strata_model::survey::Table { name, role, heading_row: 1, headings, rows, combined: false });
        }
        let name = |t: usize| out.tables[t].name.clone();
        let rows = self.faults.iter().filter_map(|(rule, at, kind)| {
            Some(Fault { rule: (*rule).into(), table: name(at.0), row: *numbers.get(at)?, kind: (*kind).into() })
        });
        let tables =
            self.tables.iter().map(|(rule, t, kind)| Fault { rule: (*rule).into(), table: name(*t), row: 1, kind: (*kind).into() });
        let mut faults: Vec<Fault> = rows.chain(tables).collect();
        faults.sort();
        Spoiled { delivery: out, faults }
    }
}

/// Distance of two segments by looking at many places along one of them, a little more than the true one: an oracle
/// that shares nothing with the formula of the checks.
fn sampled_distance(p: [[f64; 3]; 2], q: [[f64; 3]; 2]) -> f64 {
    let lerp = |s: [[f64; 3]; 2], t: f64| [0, 1, 2].map(|k| s[0][k] + (s[1][k] - s[0][k]) * t);
    let dist = |a: [f64; 3], b: [f64; 3]| (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt();
    let length = dist(p[0], p[1]);
    let middle = |s| lerp(s, 0.5);
    let apart = dist(middle(p), middle(q)) - (length + dist(q[0], q[1])) / 2.0;
    if apart > 5.0 {
        return apart;
    }
    let along = dist(q[0], q[1]).powi(2);
    let steps = (length / 0.02).ceil().clamp(1.0, 5_000.0) as usize;
    (0..=steps)
        .map(|i| {
            let a = lerp(p, i as f64 / steps as f64);
            let dot: f64 = (0..3).map(|k| (a[k] - q[0][k]) * (q[1][k] - q[0][k])).sum();
            let t = if along > 0.0 { (dot / along).clamp(0.0, 1.0) } else { 0.0 };
            dist(a, lerp(q, t))
        })
        .fold(f64::INFINITY, f64::min)
}
