//! Chinese pipe survey tables (CJJ 61): points and lines of underground pipes, one table for each class (`JSPOINT`,
//! `JSLINE`, `WSPOINT`, …) or one for all with a class column, as CSV, XLSX, a folder or a zip.
//!
//! X is the **northing** and Y the **easting**, as surveyors write them; an easting with its zone number in front
//! (`42443761.4`) loses it. Tables say no CRS: without one the city's own is taken, and a note says so. Headings are
//! found by the synonyms of `data/codes/survey-headers.csv`. Layers: `pipes` (the axis, see [`lines`]) and
//! `pipe_points`. Most tables have the nominal size alone: it stands for the outer diameter too, unless there is 外径.

mod delivery;
mod lines;
mod points;
mod sheet;
mod tables;

use crate::{
    ImportOptions, IngestError, Report, Sink,
    layers::{self, Values, extra},
    output::Output,
    place::Place,
};
pub use delivery::read_delivery;
use lines::{Level, LineRow, To};
use points::PointRow;
use sheet::{Role, Sheet};
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};
use strata_model::{
    Crs, Feature, FeatureId, FieldKind, Geometry, Layer,
    codes::{Size, codes},
    survey::Delivery,
};
pub(crate) use tables::workbook;

/// Does a text table open with a survey's heading?
pub(crate) fn is_survey_header(content: &str) -> bool {
    let start: String = content.lines().take(12).map(|l| format!("{l}\n")).collect();
    tables::rows(&start, Path::new("")).is_ok_and(|rows| sheet::is_heading(&rows))
}

/// Does a folder, workbook or archive hold survey tables?
pub(crate) fn is_survey(path: &Path) -> Result<bool, IngestError> {
    if path.is_dir() && tables::files(path).is_empty() {
        return Ok(false);
    }
    Ok(tables::tables(path)?.0.iter().any(|t| sheet::is_heading(&t.rows)))
}

pub(crate) fn read(out: &mut Output<'_>) -> Result<(), IngestError> {
    let (tables, notes) = tables::tables(out.path)?;
    notes.into_iter().for_each(|n| out.report.note(n));
    take(&tables, out)
}

/// The features of a delivery that has been read already, as the import of its files gives them.
pub fn take_delivery(delivery: &Delivery, options: &ImportOptions, sink: &mut dyn Sink, report: &mut Report) -> Result<(), IngestError> {
    let table = |t: &strata_model::survey::Table| {
        let rows = std::iter::once(t.headings.clone()).chain(t.rows.iter().map(|r| r.cells.clone())).collect();
        tables::Table { name: t.name.clone(), rows, faults: Vec::new() }
    };
    let all: Vec<tables::Table> = delivery.tables.iter().map(table).collect();
    take(&all, &mut Output::new(Path::new(&delivery.name), options, sink, report))
}

fn take(tables: &[tables::Table], out: &mut Output<'_>) -> Result<(), IngestError> {
    let mut sheets = Vec::new();
    for t in tables {
        if let Some(f) = t.faults.iter().find(|f| f.rule == "encoding" && f.row > 0) {
            return Err(out.error("invalid-content", f.reason.clone()).at(format!("{} row {}", t.name, f.row)));
        }
        match Sheet::of(t) {
            Some(s) => sheets.push(s),
            None => out.report.note(format!("table `{}` is left out: its heading is neither that of points nor of lines", t.name)),
        }
    }
    if sheets.is_empty() {
        return Err(out.error("invalid-content", "no table of pipe points or lines"));
    }
    let working = out.options.frame.crs.clone();
    let crs = out.options.source_crs.clone().unwrap_or_else(|| working.clone());
    if out.options.source_crs.is_none() {
        out.report.note(format!("the tables say no CRS: the city's own ({crs}) is taken"));
    }
    if out.options.layer.is_some() {
        out.report.note("a survey fills `pipes` and `pipe_points`; the layer asked for is not used");
    }
    let place = Place::from_crs(&crs, &working, out.path)?;
    Survey { crs, place, pipes: pipes_layer(out)?, points_layer: points_layer(out)? }.run(&sheets, out)
}

struct Survey {
    crs: Crs,
    place: Place,
    pipes: Arc<Layer>,
    points_layer: Arc<Layer>,
}

impl Survey {
    fn run(&self, sheets: &[Sheet<'_>], out: &mut Output<'_>) -> Result<(), IngestError> {
        let points = self.points(sheets, out);
        let index: HashMap<&str, &PointRow> = points.iter().map(|p| (p.id.as_str(), p)).collect();
        let lines = self.lines(sheets, &index, out);
        // Axis heights first: a point shows that of its first pipe.
        let mut axis_at: HashMap<&str, f64> = HashMap::new();
        for (l, levels) in &lines {
            axis_at.entry(l.start.as_str()).or_insert(levels[0].axis_m);
            axis_at.entry(l.end.as_str()).or_insert(levels[1].axis_m);
        }
        let mut standing: HashSet<&str> = HashSet::new();
        for p in &points {
            let f = self.point_feature(p, axis_at.get(p.id.as_str()).copied(), out);
            if out.put(&self.points_layer, f, || p.place.clone())? {
                standing.insert(p.id.as_str());
            }
        }
        let (mut gaps, mut bare) = (0, 0);
        for (l, levels) in &lines {
            let (Some(a), Some(b)) = (index.get(l.start.as_str()), index.get(l.end.as_str())) else { continue };
            let id = line_id(l);
            if let Some(gone) = [&l.start, &l.end].into_iter().find(|p| !standing.contains(p.as_str())) {
                out.refuse(Some(&id), l.place.clone(), "missing-point", format!("point {gone} was refused"));
                continue;
            }
            gaps += usize::from(levels.iter().any(|v| v.gap_m > 0.05));
            bare += usize::from(l.size.is_none());
            let f = self.line_feature(l, levels, [a, b], out);
            out.put(&self.pipes, f, || l.place.clone())?;
        }
        if gaps > 0 {
            out.report.note(format!("{gaps} lines: depth and height differ by more than 5 cm; the height was taken"));
        }
        if bare > 0 {
            out.report.note(format!("{bare} cables without a size: the axis is the surveyed height"));
        }
        Ok(())
    }

    fn points(&self, sheets: &[Sheet<'_>], out: &mut Output<'_>) -> Vec<PointRow> {
        let mut points: Vec<PointRow> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut zoned = 0;
        for s in sheets.iter().filter(|s| s.role != Role::Lines) {
            for row in s.rows() {
                let id = row.text("id");
                // In a combined table a point comes back once for each of its connections.
                let known = id.and_then(|id| seen.get(id).copied());
                if let (Role::Both, Some(k)) = (s.role, known)
                    && (row.text("north").is_none() || points::read(&row, &self.crs).is_ok_and(|p| near(&p, &points[k])))
                {
                    continue;
                }
                match points::read(&row, &self.crs) {
                    Ok(p) if known.is_some() => {
                        out.refuse(
                            Some(&p.id),
                            row.place(),
                            "duplicate-id",
                            format!("point number {} stands in {} already", p.id, points[known.unwrap_or(0)].place),
                        );
                    }
                    Ok(p) => {
                        zoned += usize::from(p.zone.is_some());
                        seen.insert(p.id.clone(), points.len());
                        points.push(p);
                    }
                    Err((code, reason)) => out.refuse(id, row.place(), code, reason),
                }
            }
        }
        if zoned > 0 {
            out.report.note(format!("{zoned} eastings (Y) carried a zone number; it was taken off"));
        }
        points
    }

    fn lines(&self, sheets: &[Sheet<'_>], points: &HashMap<&str, &PointRow>, out: &mut Output<'_>) -> Vec<(LineRow, [Level; 2])> {
        let mut lines: Vec<(LineRow, [Level; 2])> = Vec::new();
        let mut seen: HashMap<(String, String), String> = HashMap::new();
        for s in sheets.iter().filter(|s| s.role != Role::Points) {
            for row in s.rows() {
                if s.role == Role::Both && row.text("end").is_none() {
                    continue;
                }
                let id = lines::ends_of(&row).map(|(a, b)| format!("{a}-{b}")).ok();
                let read = lines::read(&row).and_then(|mut l| {
                    let key = if l.start < l.end { (l.start.clone(), l.end.clone()) } else { (l.end.clone(), l.start.clone()) };
                    if let Some(first) = seen.get(&key) {
                        // The other half of a combined table's connection.
                        return if s.role == Role::Both {
                            Ok(None)
                        } else {
                            Err(("duplicate-line", format!("the same two points stand in {first}")))
                        };
                    }
                    let of = |id: &str| {
                        points.get(id).copied().ok_or_else(|| ("missing-point", format!("point {id} is in no table or was refused")))
                    };
                    let (a, b) = (of(&l.start)?, of(&l.end)?);
                    if s.role == Role::Both {
                        l.ends = [own_end(&row), lines::End { top: b.top, invert: b.invert, depth: b.depth, level: None }];
                    }
                    let levels = [l.level(0, a)?, l.level(1, b)?];
                    seen.insert(key, l.place.clone());
                    Ok(Some((l, levels)))
                });
                match read {
                    Ok(Some(l)) => lines.push(l),
                    Ok(None) => {}
                    Err((code, reason)) => out.refuse(id.as_deref(), row.place(), code, reason),
                }
            }
        }
        lines
    }

    fn point_feature(&self, p: &PointRow, axis: Option<f64>, out: &Output<'_>) -> Feature {
        let layer = &*self.points_layer;
        let word = p.appurtenance.as_deref().or(p.feature.as_deref()).unwrap_or_default();
        let mut v = Values::of(layer);
        v.set(layer, "class", p.class.major)
            .set(layer, "subclass", p.class.sub)
            .set(layer, "kind", codes().point_kind(word))
            .set(layer, "feature", p.feature.as_deref())
            .set(layer, "appurtenance", p.appurtenance.as_deref())
            .set(layer, "ground_m", p.ground)
            .set(layer, "depth_m", p.depth)
            .set(layer, "well_depth_m", p.well_depth)
            .set(layer, "diameter_m", p.cover_m)
            .set(layer, "axis_m", axis)
            .set(layer, "status", p.status)
            .set(layer, "road", p.road.as_deref())
            .set(layer, "top_m", p.top)
            .set(layer, "invert_m", p.invert)
            .set(layer, "source_row", p.place.as_str());
        let mut at = [[p.east, p.north, p.ground]];
        self.place.points(&mut at);
        Feature { id: FeatureId::new(p.id.as_str()), geometry: Geometry::Point(at[0]), valid: out.valid(p.year), attributes: v.into_vec() }
    }

    fn line_feature(&self, l: &LineRow, levels: &[Level; 2], [a, b]: [&PointRow; 2], out: &Output<'_>) -> Feature {
        let layer = &*self.pipes;
        let mut v = Values::of(layer);
        v.set(layer, "class", l.class.major).set(layer, "subclass", l.class.sub);
        match l.size {
            Some(Size::Round(d)) => v.set(layer, "shape", "round").set(layer, "od_mm", l.outer_mm.unwrap_or(d)).set(layer, "dn_mm", d),
            Some(Size::Rect(w, h)) => v.set(layer, "shape", "rect").set(layer, "width_mm", w).set(layer, "height_mm", h),
            None => v.set(layer, "shape", "round").set(layer, "od_mm", l.outer_mm),
        };
        let half = l.half_height_m(To::Invert);
        // The invert is a drain's word; a pressure pipe has none worth keeping.
        let invert = |level: &Level| (l.class.major == "PS").then_some(level.axis_m - half);
        v.set(layer, "material", l.material.and_then(|m| codes().material_word(m)))
            .set(layer, "embed", l.embed.and_then(|e| codes().laying_word(e)))
            .set(layer, "pressure", l.pressure.as_deref())
            .set(layer, "voltage_kv", l.voltage_kv)
            .set(layer, "flow_dir", l.flow)
            .set(layer, "start_point", l.start.as_str())
            .set(layer, "end_point", l.end.as_str())
            .set(layer, "start_invert_m", invert(&levels[0]))
            .set(layer, "end_invert_m", invert(&levels[1]))
            .set(layer, "start_depth_m", levels[0].depth_m)
            .set(layer, "end_depth_m", levels[1].depth_m)
            .set(layer, "owner", l.owner.as_deref())
            .set(layer, "road", l.road.as_deref())
            .set(layer, "year_built", l.built.map(|i| i64::from(i.year())))
            .set(layer, "life_years", l.life)
            .set(layer, "status", l.status)
            .set(layer, "start_surveyed_m", levels[0].surveyed_m)
            .set(layer, "end_surveyed_m", levels[1].surveyed_m)
            .set(layer, "surveyed_to", if levels[0].to == To::Top { "top" } else { "invert" })
            .set(layer, "cables", l.cables)
            .set(layer, "holes", l.holes)
            .set(layer, "holes_used", l.holes_used)
            .set(layer, "hole_layout", l.hole_layout.as_deref())
            .set(layer, "source_row", l.place.as_str());
        let mut axis = vec![[a.east, a.north, levels[0].axis_m], [b.east, b.north, levels[1].axis_m]];
        self.place.points(&mut axis);
        Feature {
            id: FeatureId::new(line_id(l)),
            geometry: Geometry::LineString(axis),
            valid: out.valid(l.built),
            attributes: v.into_vec(),
        }
    }
}

/// The point's own columns as the start of its connection.
fn own_end(row: &sheet::Row<'_>) -> lines::End {
    let n = |f: &str| row.number(f).ok().flatten();
    lines::End { depth: n("start_depth").or(n("depth")), level: n("start_level"), top: n("top"), invert: n("invert") }
}

fn near(a: &PointRow, b: &PointRow) -> bool {
    (a.east - b.east).hypot(a.north - b.north) < 0.01
}

fn line_id(l: &LineRow) -> String {
    format!("{}-{}", l.start, l.end)
}

fn pipes_layer(out: &Output<'_>) -> Result<Arc<Layer>, IngestError> {
    let extras = [
        extra("start_surveyed_m", FieldKind::Float, "起点测量高程", "Surveyed height at start", "m"),
        extra("end_surveyed_m", FieldKind::Float, "终点测量高程", "Surveyed height at end", "m"),
        extra("surveyed_to", FieldKind::Text, "测量位置", "Surveyed to top or invert", ""),
        extra("cables", FieldKind::Int, "电缆根数", "Cables", ""),
        extra("holes", FieldKind::Int, "总孔数", "Ducts", ""),
        extra("holes_used", FieldKind::Int, "已用孔数", "Ducts in use", ""),
        extra("hole_layout", FieldKind::Text, "管孔排列", "Duct layout", ""),
        extra("source_row", FieldKind::Text, "来源", "Row of the table", ""),
    ];
    layer("pipes", extras.into(), out)
}

fn points_layer(out: &Output<'_>) -> Result<Arc<Layer>, IngestError> {
    let extras = [
        extra("top_m", FieldKind::Float, "管顶高程", "Top as surveyed", "m"),
        extra("invert_m", FieldKind::Float, "管底高程", "Invert as surveyed", "m"),
        extra("source_row", FieldKind::Text, "来源", "Row of the table", ""),
    ];
    layer("pipe_points", extras.into(), out)
}

/// A contract layer with a reader's own fields behind.
pub(crate) fn layer(id: &str, extras: Vec<strata_model::Field>, out: &Output<'_>) -> Result<Arc<Layer>, IngestError> {
    let mut layer = layers::contract(id).ok_or_else(|| out.error("invalid-content", format!("no layer `{id}`")))?;
    layer.fields.extend(extras);
    layer.source = out.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Arc::new(layer))
}
