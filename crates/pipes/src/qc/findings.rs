//! What was found, by rule and by row.

use super::rules::{Level, Rule, Stage, by_id};
use crate::reasons::Reason;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use strata_model::Geometry;

/// A row of a delivery: index of the table, number of the row in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RowRef {
    pub table: usize,
    pub row: usize,
}

/// One rule broken in one row.
#[derive(Debug, Clone)]
pub struct Finding {
    pub rule: &'static Rule,
    pub table: String,
    /// As a person counts in the file; 0: the table as a whole.
    pub row: usize,
    /// Point number, or `start-end` of a line.
    pub id: String,
    pub field: Option<&'static str>,
    pub value: Option<String>,
    pub reason: Reason,
    pub at: Option<RowRef>,
    /// Where it is, working frame.
    pub place: Option<Geometry>,
}

impl Finding {
    pub fn field(&mut self, field: &'static str) -> &mut Self {
        self.field = Some(field);
        self
    }
    pub fn value(&mut self, value: impl ToString) -> &mut Self {
        self.value = Some(value.to_string().chars().take(80).collect());
        self
    }
}

/// All findings of one check. Rules that the check could not ask are named with the reason.
#[derive(Debug, Default)]
pub struct Findings {
    pub tables: Vec<String>,
    pub list: Vec<Finding>,
    pub not_checked: BTreeMap<&'static str, &'static str>,
}

impl Findings {
    /// A finding in a row. The rule must be one of the table.
    pub fn add(&mut self, rule: &str, at: RowRef, id: &str, reason: Reason) -> &mut Finding {
        let table = self.tables.get(at.table).cloned().unwrap_or_default();
        let finding = self.push(rule, table, at.row, id, reason);
        finding.at = Some(at);
        finding
    }
    /// A finding in a table or file as a whole.
    pub fn file(&mut self, rule: &str, table: &str, row: usize, reason: Reason) -> &mut Finding {
        self.push(rule, table.to_owned(), row, "", reason)
    }
    fn push(&mut self, rule: &str, table: String, row: usize, id: &str, reason: Reason) -> &mut Finding {
        // A reader may name a rule that this version does not know: the file is not readable then.
        let rule = by_id(rule).unwrap_or(&super::rules::RULES[0]);
        let at = self.list.len();
        self.list.push(Finding { rule, table, row, id: id.to_owned(), field: None, value: None, reason, at: None, place: None });
        &mut self.list[at]
    }
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|f| f.rule.level == Level::Error).count()
    }
    pub fn warnings(&self) -> usize {
        self.list.len() - self.errors()
    }
    /// Sorted by table, row and rule.
    pub fn sort(&mut self) {
        let order: BTreeMap<&str, usize> = self.tables.iter().enumerate().map(|(i, t)| (t.as_str(), i)).collect();
        let rank = |f: &Finding| super::rules::RULES.iter().position(|r| r.id == f.rule.id);
        self.list.sort_by(|a, b| {
            let key = |f: &Finding| (order.get(f.table.as_str()).copied().unwrap_or(usize::MAX), f.row);
            key(a).cmp(&key(b)).then_with(|| rank(a).cmp(&rank(b))).then_with(|| a.field.cmp(&b.field))
        });
    }
    /// Rows that pass a stage: without an error of it.
    pub fn passed(&self, stage: Stage, rows: usize) -> usize {
        let failed: BTreeSet<(&str, usize)> = self
            .list
            .iter()
            .filter(|f| f.rule.stage == stage && f.rule.level == Level::Error && f.row > 0)
            .map(|f| (f.table.as_str(), f.row))
            .collect();
        rows.saturating_sub(failed.len())
    }
    /// By rule: how many, and the first rows.
    pub fn by_rule(&self) -> Vec<Value> {
        let mut by: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        self.list.iter().for_each(|f| by.entry(f.rule.id).or_default().push(f));
        super::rules::RULES
            .iter()
            .map(|rule| {
                let mut v = serde_json::to_value(rule).unwrap_or_default();
                v["findings"] = by.get(rule.id).map_or(0, Vec::len).into();
                if let Some(why) = self.not_checked.get(rule.id) {
                    v["not_checked"] = (*why).into();
                }
                v
            })
            .collect()
    }
    /// At most `limit` findings of each rule.
    pub fn shown(&self, limit: usize) -> Vec<Value> {
        let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
        self.list
            .iter()
            .filter(|f| {
                let n = shown.entry(f.rule.id).or_default();
                *n += 1;
                *n <= limit
            })
            .map(|f| {
                json!({ "rule": f.rule.id, "level": f.rule.level, "table": f.table, "row": f.row, "id": f.id, "field": f.field,
                    "value": f.value, "reason": f.reason.en, "reason_zh": f.reason.zh, "place": f.place.as_ref().and_then(geojson) })
            })
            .collect()
    }
}

/// A GeoJSON geometry in the working frame; only points and lines are found.
pub fn geojson(g: &Geometry) -> Option<Value> {
    let rounded = |p: &[f64; 3]| p.map(|v| (v * 1000.0).round() / 1000.0);
    match g {
        Geometry::Point(p) => Some(json!({ "type": "Point", "coordinates": rounded(p) })),
        Geometry::LineString(l) => Some(json!({ "type": "LineString", "coordinates": l.iter().map(rounded).collect::<Vec<_>>() })),
        _ => None,
    }
}
