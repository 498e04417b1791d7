//! Point rows.

use super::sheet::Row;
use strata_model::{
    Crs, Instant,
    codes::{PipeClass, Size, codes, date},
};

pub(super) type Refused = (&'static str, String);

pub(super) struct PointRow {
    pub id: String,
    pub place: String,
    pub class: PipeClass,
    pub north: f64,
    pub east: f64,
    pub ground: f64,
    pub feature: Option<String>,
    pub appurtenance: Option<String>,
    pub top: Option<f64>,
    pub invert: Option<f64>,
    pub depth: Option<f64>,
    pub well_depth: Option<f64>,
    pub cover_m: Option<f64>,
    pub status: Option<i64>,
    pub road: Option<String>,
    pub year: Option<Instant>,
    /// Zone number that stood in front of the easting.
    pub zone: Option<u32>,
}

/// A number that must be there.
pub(super) fn required(row: &Row<'_>, field: &str, title: &str) -> Result<f64, Refused> {
    row.number(field).map_err(|e| ("not-a-number", e))?.ok_or_else(|| ("missing-value", format!("{title} is empty")))
}

pub(super) fn optional(row: &Row<'_>, field: &str) -> Result<Option<f64>, Refused> {
    row.number(field).map_err(|e| ("not-a-number", e))
}

pub(super) fn class_of(row: &Row<'_>, id: Option<&str>) -> Result<PipeClass, Refused> {
    let c = codes();
    if let Some(text) = row.text("class") {
        return c.class(text).ok_or_else(|| ("unknown-class", format!("`{text}` is no class of pipe")));
    }
    if let Some(code) = row.text("code") {
        return c.class_of_code(code).ok_or_else(|| ("unknown-class", format!("`{code}` is no feature code of pipes")));
    }
    c.class_of_table(&row.sheet.table.name)
        .or_else(|| id.and_then(|id| c.class_of_id(id)))
        .ok_or_else(|| ("unknown-class", "neither a class column nor the table's name nor the point number says the class".into()))
}

pub(super) fn status_of(row: &Row<'_>) -> Result<Option<i64>, Refused> {
    match row.text("status") {
        None => Ok(None),
        Some(t) => codes().status(t).map(Some).ok_or_else(|| ("unknown-code", format!("`{t}` is no state of a pipe"))),
    }
}

/// Date of construction; the fault when the cell holds something else.
pub(super) fn date_of(row: &Row<'_>) -> Result<Option<Instant>, Refused> {
    let Some(t) = row.text("year") else { return Ok(None) };
    date(t).map(Some).ok_or_else(|| ("not-a-date", format!("`{}` is no date of construction", t.chars().take(40).collect::<String>())))
}

pub(super) fn read(row: &Row<'_>, crs: &Crs) -> Result<PointRow, Refused> {
    let id = row.text("id").ok_or_else(|| ("missing-id", "the point number is empty".to_owned()))?;
    let class = class_of(row, Some(id))?;
    let north = required(row, "north", "X")?;
    let (east, zone) = without_zone(required(row, "east", "Y")?, crs)?;
    if !(0.0..1.0e7).contains(&north) || !(100_000.0..900_000.0).contains(&east) && !prefixed(crs) {
        return Err(("outside-zone", format!("X (north) {north} and Y (east) {east} lie outside the zone of {crs}: X and Y swapped?")));
    }
    Ok(PointRow {
        id: id.to_owned(),
        place: row.place(),
        class,
        north,
        east,
        ground: required(row, "ground", "地面高程")?,
        feature: row.text("feature").map(str::to_owned),
        appurtenance: row.text("appurtenance").map(str::to_owned),
        top: optional(row, "top")?,
        invert: optional(row, "invert")?,
        depth: optional(row, "depth")?,
        well_depth: optional(row, "well_depth")?,
        cover_m: row.text("cover").and_then(cover),
        status: status_of(row)?,
        road: row.text("road").map(str::to_owned),
        year: date_of(row)?,
        zone,
    })
}

/// EPSG:4491–4501 and 4513–4533 carry the zone in the false easting themselves.
fn prefixed(crs: &Crs) -> bool {
    matches!(crs.horizontal, 4491..=4501 | 4513..=4533 | 2327..=2337 | 2349..=2369)
}

/// Three-degree zone of a CGCS2000 code without prefix: 4534 is zone 25 (75°E) to 4554, zone 45 (135°E).
fn zone_of(crs: &Crs) -> Option<u32> {
    (4534..=4554).contains(&crs.horizontal).then(|| u32::from(crs.horizontal) - 4534 + 25)
}

/// Takes a zone number off the easting (`42443761.4`), unless the CRS itself has it.
pub(super) fn without_zone(y: f64, crs: &Crs) -> Result<(f64, Option<u32>), Refused> {
    if prefixed(crs) || !(13.0e6..61.0e6).contains(&y) {
        return Ok((y, None));
    }
    let zone = (y / 1.0e6).floor();
    let (east, zone) = (y - zone * 1.0e6, zone as u32);
    match zone_of(crs) {
        Some(own) if own != zone => Err(("outside-zone", format!("Y {y} stands in zone {zone}, {crs} is zone {own}"))),
        _ => Ok((east, Some(zone))),
    }
}

/// Diameter or longer side of a cover in metres; written in mm or m.
fn cover(t: &str) -> Option<f64> {
    let mm = |v: f64| if v > 10.0 { v / 1000.0 } else { v };
    match Size::parse(t).ok()? {
        Size::Round(d) => Some(mm(d)),
        Size::Rect(w, h) => Some(mm(w.max(h))),
    }
}
