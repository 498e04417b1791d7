//! A table with its heading understood.

use super::tables::Table;
use crate::text;
use std::collections::HashMap;
use strata_model::codes::codes;

/// What a sheet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Points,
    Lines,
    /// One row for each end of a connection, with the point's own columns: 物探点号, 连接点号, X, Y, …
    Both,
}

pub(super) struct Sheet<'t> {
    pub table: &'t Table,
    pub role: Role,
    /// Index of its row.
    pub heading: usize,
    pub columns: HashMap<&'static str, usize>,
}

/// One row with the sheet's columns.
#[derive(Clone, Copy)]
pub(super) struct Row<'s> {
    pub sheet: &'s Sheet<'s>,
    pub cells: &'s [String],
    pub number: usize,
}

/// Rows above the heading that a title may take.
pub(super) const TITLES: usize = 10;

impl<'t> Sheet<'t> {
    /// `None` for a table that is neither points nor lines.
    pub fn of(table: &'t Table) -> Option<Self> {
        Self::within(table, TITLES)
    }
    /// The same with the heading in any row.
    pub fn anywhere(table: &'t Table) -> Option<Self> {
        Self::within(table, table.rows.len())
    }
    fn within(table: &'t Table, rows: usize) -> Option<Self> {
        table.rows.iter().take(rows).enumerate().find_map(|(heading, row)| {
            let columns = columns(row);
            role(&columns).map(|role| Self { table, role, heading, columns })
        })
    }
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let first = self.heading + 1;
        self.table.rows.iter().enumerate().skip(first).filter(|(_, r)| r.iter().any(|c| !c.is_empty())).map(|(i, cells)| Row {
            sheet: self,
            cells,
            number: i + 1,
        })
    }
}

fn columns(row: &[String]) -> HashMap<&'static str, usize> {
    let mut columns = HashMap::new();
    for (i, cell) in row.iter().enumerate() {
        if let Some(field) = codes().header(cell) {
            columns.entry(field).or_insert(i);
        }
    }
    columns
}

fn role(columns: &HashMap<&'static str, usize>) -> Option<Role> {
    let has = |f: &str| columns.contains_key(f);
    let ends = has("start") && has("end");
    let point = has("id") && has("north") && has("east");
    match (point, ends, has("id") && has("end")) {
        (_, true, _) => Some(Role::Lines),
        (true, false, true) => Some(Role::Both),
        (true, false, false) => Some(Role::Points),
        (false, false, true) => Some(Role::Lines),
        _ => None,
    }
}

/// Does one of the first rows read like the heading of a point or line table?
pub(super) fn is_heading(rows: &[Vec<String>]) -> bool {
    rows.iter().take(TITLES).any(|r| {
        let c = columns(r);
        // X, Y and an id alone are any table of points; a survey says more.
        let survey = ["ground", "depth", "top", "invert", "feature", "appurtenance", "size", "start_depth", "start_level", "material"];
        role(&c).is_some() && survey.iter().any(|f| c.contains_key(f))
    })
}

impl<'s> Row<'s> {
    /// The cell, `None` when the column is missing or the cell is empty or a dash.
    pub fn text(&self, field: &str) -> Option<&'s str> {
        let t = self.cells.get(*self.sheet.columns.get(field)?)?.trim();
        (!t.is_empty() && !matches!(t, "-" | "—" | "/" | "无")).then_some(t)
    }
    /// `Err` is the reason for the refusal.
    pub fn number(&self, field: &str) -> Result<Option<f64>, String> {
        match self.text(field) {
            None => Ok(None),
            Some(t) => text::number(t)
                .map(Some)
                .ok_or_else(|| format!("`{}` in column {field} is not a number", t.chars().take(40).collect::<String>())),
        }
    }
    pub fn place(&self) -> String {
        format!("{} row {}", self.sheet.table.name, self.number)
    }
}
