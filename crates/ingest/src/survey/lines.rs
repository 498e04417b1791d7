//! Line rows, and where the axis of a pipe lies.
//!
//! Pressure pipes, cables and cable blocks are surveyed to their outer top, gravity drains, trenches and galleries
//! to the invert: axis = top − OD/2, or invert + ID/2. A column that says top (管顶) or bottom (管底) itself is
//! believed over the class.

use super::{
    points::{PointRow, Refused, class_of, date_of, optional, status_of},
    sheet::Row,
};
use strata_model::{
    Instant,
    codes::{PipeClass, Size, codes, flow, kilovolts},
};

/// What a surveyed height means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Top,
    Invert,
}

/// One end as the table gives it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct End {
    pub depth: Option<f64>,
    pub level: Option<f64>,
    pub top: Option<f64>,
    pub invert: Option<f64>,
}

pub(super) struct LineRow {
    pub start: String,
    pub end: String,
    pub place: String,
    pub class: PipeClass,
    /// 管径 or 断面: the bore of a drain, the nominal size of anything else.
    pub size: Option<Size>,
    /// 外径, where the table has it, mm.
    pub outer_mm: Option<f64>,
    pub material: Option<&'static str>,
    pub embed: Option<&'static str>,
    to: To,
    pub ends: [End; 2],
    pub pressure: Option<String>,
    pub voltage_kv: Option<f64>,
    pub flow: Option<i64>,
    pub cables: Option<i64>,
    pub holes: Option<i64>,
    pub holes_used: Option<i64>,
    pub hole_layout: Option<String>,
    pub owner: Option<String>,
    pub road: Option<String>,
    pub built: Option<Instant>,
    pub life: Option<i64>,
    pub status: Option<i64>,
}

/// Heights of one end once its point is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub surveyed_m: f64,
    pub to: To,
    pub axis_m: f64,
    pub depth_m: f64,
    /// Depth and height of the table contradict each other by this much.
    pub gap_m: f64,
}

pub(super) fn ends_of<'s>(row: &Row<'s>) -> Result<(&'s str, &'s str), Refused> {
    let start = row.text("start").or_else(|| row.text("id")).ok_or_else(|| ("missing-value", "the start point is empty".to_owned()))?;
    let end = row.text("end").ok_or_else(|| ("missing-value", "the end point is empty".to_owned()))?;
    if start == end {
        return Err(("same-ends", format!("both ends are point {start}")));
    }
    Ok((start, end))
}

pub(super) fn read(row: &Row<'_>) -> Result<LineRow, Refused> {
    let (start, end) = ends_of(row)?;
    let class = class_of(row, Some(start))?;
    let word = |field: &str| row.text(field).map(str::to_owned);
    let known = |field: &str, code: Option<&'static str>| match (row.text(field), code) {
        (Some(t), None) => Err(("unknown-code", format!("`{t}` in column {field} is not in the dictionary"))),
        (_, code) => Ok(code),
    };
    let embed = row.text("embed").and_then(|t| codes().laying(t));
    let pressure = word("pressure");
    // A drain under pressure is surveyed like any pressure pipe.
    let pressed = pressure.as_deref().is_some_and(|p| p.contains('压') && !p.contains("无压") && !p.contains("非压"));
    let to = if embed.is_some_and(|(_, invert)| invert) || (class.major == "PS" && !pressed) { To::Invert } else { To::Top };
    let size = match row.text("size") {
        Some(t) => Some(Size::parse(t).map_err(|code| (code, format!("`{t}` is no diameter or section")))?),
        // A cable laid bare has none.
        None if matches!(class.major, "DL" | "TX") => None,
        None => return Err(("missing-value", "管径 is empty".into())),
    };
    let voltage_kv = match row.text("voltage") {
        Some(t) => Some(kilovolts(t).ok_or_else(|| ("not-a-number", format!("`{t}` is no voltage")))?),
        None => None,
    };
    let whole = |field: &str| optional(row, field).map(|n| n.map(|n| n.round() as i64));
    Ok(LineRow {
        start: start.to_owned(),
        end: end.to_owned(),
        place: row.place(),
        class,
        size,
        outer_mm: optional(row, "od")?.filter(|v| *v > 0.0),
        material: known("material", row.text("material").and_then(|t| codes().material(t)))?,
        embed: known("embed", embed.map(|e| e.0))?,
        to,
        ends: [
            End {
                depth: optional(row, "start_depth")?,
                level: optional(row, "start_level")?,
                top: optional(row, "start_top")?,
                invert: optional(row, "start_invert")?,
            },
            End {
                depth: optional(row, "end_depth")?,
                level: optional(row, "end_level")?,
                top: optional(row, "end_top")?,
                invert: optional(row, "end_invert")?,
            },
        ],
        pressure,
        voltage_kv,
        flow: row.text("flow").and_then(flow),
        cables: whole("cables")?,
        holes: whole("holes")?,
        holes_used: whole("holes_used")?,
        hole_layout: word("hole_layout"),
        owner: word("owner"),
        road: word("road"),
        built: date_of(row)?,
        life: whole("life")?,
        status: status_of(row)?,
    })
}

impl LineRow {
    /// From what was surveyed to the axis, m: half of the outer size below a top, half of the bore above an invert.
    pub fn half_height_m(&self, to: To) -> f64 {
        match (self.outer_mm, self.size, to) {
            (Some(outer), Some(Size::Round(_)) | None, To::Top) => outer / 2000.0,
            (_, size, _) => size.map_or(0.0, Size::half_height_m),
        }
    }
    /// Height of end `i` (0 start, 1 end) at its point.
    pub fn level(&self, i: usize, point: &PointRow) -> Result<Level, Refused> {
        let e = &self.ends[i];
        let by_depth = |d: Option<f64>| d.map(|d| (point.ground - d, self.to));
        let by_height = |top: Option<f64>, invert: Option<f64>| match self.to {
            To::Top => top.map(|v| (v, To::Top)).or(invert.map(|v| (v, To::Invert))),
            To::Invert => invert.map(|v| (v, To::Invert)).or(top.map(|v| (v, To::Top))),
        };
        let said = by_height(e.top, e.invert).or(e.level.map(|v| (v, self.to)));
        let (surveyed_m, to) = said
            .or_else(|| by_depth(e.depth))
            .or_else(|| by_height(point.top, point.invert))
            .or_else(|| by_depth(point.depth))
            .ok_or_else(|| ("missing-value", format!("neither depth nor height at point {}", point.id)))?;
        let half = self.half_height_m(to);
        let axis_m = if to == To::Top { surveyed_m - half } else { surveyed_m + half };
        let gap_m = match (said, e.depth) {
            (Some((h, _)), Some(d)) => (point.ground - d - h).abs(),
            _ => 0.0,
        };
        Ok(Level { surveyed_m, to, axis_m, depth_m: e.depth.unwrap_or(point.ground - surveyed_m), gap_m })
    }
}
