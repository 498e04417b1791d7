//! Mapbox Vector Tiles 2.1: features of the working frame to tile bytes, and a strict reader.
//!
//! The way of a feature: rules of the recipe → projection to tile units ([`TileProjection`]) → simplification
//! before the cut, so that neighbouring tiles agree at their seam → cut at 64 units outside the tile → whole
//! units, empty parts dropped, rings wound as the specification says (shell positive in y-down units).
//! Features stand in the order of their ids: equal content gives equal bytes, wherever the store kept it.
//!
//! Solids are drawn as their footprint: their ground faces, else the union of their roofs. A TIN is terrain
//! and is not drawn.

mod clip;
mod decode;
mod footprint;
mod project;
mod simplify;
mod write;

pub use decode::{MvtFeature, MvtKind, MvtLayer, decode_mvt};
pub use project::{BUFFER, EXTENT, MAX_ERROR_UNITS, TileProjection};

use crate::{LayerRecipe, TilesError};
use clip::{Frame, Point};
use std::collections::{HashSet, VecDeque};
use strata_model::{Feature, FeatureBatch, Filter, Geometry, Point3, Polygon, TileId, Value, WorkingFrame};
use write::{Cell, LayerWriter, Shape};

/// Tile units in a pixel of a 512-pixel tile.
const UNITS_PER_PX: f64 = EXTENT as f64 / 512.0;

/// A vector tile and what went into it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    pub features: usize,
    /// Features left out because the tile was full (`max_features`, `max_bytes`); not those that the recipe
    /// keeps back at this zoom or that are too small to be seen.
    pub dropped: usize,
}

/// Encodes one tile. Each part becomes a layer named as its batch's layer; a part out of its recipe's zooms or
/// with nothing to draw is left out, so that an empty tile has no bytes.
///
/// Every feature carries `id`, `valid_from_day`, `valid_to_day` and the recipe's attributes; its numeric id is
/// 53 bits of a hash of the text id, the same in all tiles. Errors: a tile that cannot be projected.
pub fn encode_mvt(tile: TileId, frame: &WorkingFrame, parts: &[(&LayerRecipe, &FeatureBatch)]) -> Result<Encoded, TilesError> {
    let projection = TileProjection::new(tile, frame)?;
    let mut out = Encoded::default();
    for (recipe, batch) in parts.iter().filter(|(r, _)| r.covers(tile.z)) {
        let layer = encode_layer(&projection, recipe, batch);
        out.bytes.extend(layer.bytes);
        out.features += layer.features;
        out.dropped += layer.dropped;
    }
    Ok(out)
}

/// A feature ready to be written, with its weight in the fight for room: px² for areas, px for lines.
struct Drawn<'a> {
    feature: &'a Feature,
    shape: Shape,
    weight: f64,
    hash: u64,
}

fn encode_layer(projection: &TileProjection, recipe: &LayerRecipe, batch: &FeatureBatch) -> Encoded {
    let zoom = projection.tile().z;
    let rules: Vec<&Filter> = recipe.rules_at(&batch.layer, zoom);
    let mut features: Vec<&Feature> = batch.features.iter().filter(|f| rules.iter().all(|r| r.matches(&batch.layer, f))).collect();
    features.sort_by(|a, b| a.id.cmp(&b.id).then(a.valid.from.cmp(&b.valid.from)));
    let mut pen = Pen {
        projection,
        tolerance: if zoom >= recipe.max_zoom { 0.0 } else { recipe.simplify_px * UNITS_PER_PX },
        min_area: recipe.min_area_px2 * UNITS_PER_PX * UNITS_PER_PX,
        min_length: recipe.min_length_px * UNITS_PER_PX,
        gather: recipe.gather_tiny,
        gathered: 0.0,
        frame: Frame { low: -f64::from(BUFFER), high: f64::from(EXTENT + BUFFER) },
    };
    let mut drawn: Vec<Drawn> = features
        .into_iter()
        .filter_map(|feature| {
            pen.draw(&feature.geometry).map(|(shape, weight)| Drawn { feature, shape, weight, hash: id_hash(feature.id.as_str()) })
        })
        .collect();
    let total = drawn.len();
    let columns: Vec<(&str, usize)> = match &recipe.attributes {
        Some(names) => names.iter().filter_map(|n| batch.layer.field_index(n).map(|i| (n.as_str(), i))).collect(),
        None => batch.layer.fields.iter().enumerate().map(|(i, f)| (f.name.as_str(), i)).collect(),
    };
    let name = batch.layer.id.as_str();
    let mut room = recipe.max_features;
    loop {
        keep_heaviest(&mut drawn, room);
        if drawn.is_empty() {
            return Encoded { dropped: total, ..Encoded::default() };
        }
        let mut writer = LayerWriter::new(name);
        for d in &drawn {
            writer.push(d.hash, &d.shape, &tags(d.feature, &columns));
        }
        let bytes = writer.finish();
        if bytes.len() <= recipe.max_bytes {
            return Encoded { bytes, features: drawn.len(), dropped: total - drawn.len() };
        }
        let share = recipe.max_bytes as f64 / bytes.len() as f64;
        room = (drawn.len() as f64 * share * 0.95) as usize;
    }
}

/// Leaves the `room` heaviest, equal weights by hash (an even thinning of points), in their old order.
fn keep_heaviest(drawn: &mut Vec<Drawn>, room: usize) {
    if drawn.len() <= room {
        return;
    }
    let mut order: Vec<usize> = (0..drawn.len()).collect();
    order.sort_by(|&a, &b| drawn[b].weight.total_cmp(&drawn[a].weight).then(drawn[a].hash.cmp(&drawn[b].hash)).then(a.cmp(&b)));
    let kept: HashSet<usize> = order.into_iter().take(room).collect();
    let mut i = 0;
    drawn.retain(|_| {
        i += 1;
        kept.contains(&(i - 1))
    });
}

fn tags<'a>(feature: &Feature, columns: &[(&'a str, usize)]) -> Vec<(&'a str, Value)> {
    let mut out = Vec::with_capacity(columns.len() + 3);
    out.push(("id", Value::Text(feature.id.0.clone())));
    out.push(("valid_from_day", Value::Int(feature.valid.from.day().into())));
    out.push(("valid_to_day", Value::Int(feature.valid.to.day().into())));
    out.extend(columns.iter().filter_map(|(name, i)| feature.attributes.get(*i).map(|v| (*name, v.clone()))));
    out
}

/// FNV-1a, cut to what a JavaScript number holds exactly.
fn id_hash(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)) >> 11
}

/// Draws geometry into tile cells.
struct Pen<'a> {
    projection: &'a TileProjection<'a>,
    tolerance: f64,
    min_area: f64,
    min_length: f64,
    gather: bool,
    /// Area of tiny polygons not yet drawn, square units.
    gathered: f64,
    frame: Frame,
}

impl Pen<'_> {
    /// `None`: outside, too small or without a drawable part. The weight is in px² or px.
    fn draw(&mut self, geometry: &Geometry) -> Option<(Shape, f64)> {
        let near = geometry.bounds()?.plan().intersects(&self.projection.bounds_in_working);
        if !near {
            return None;
        }
        match geometry {
            Geometry::Point(p) => self.points(std::slice::from_ref(p)),
            Geometry::MultiPoint(ps) => self.points(ps),
            Geometry::LineString(l) => self.lines(std::slice::from_ref(l)),
            Geometry::MultiLineString(ls) => self.lines(ls),
            Geometry::Polygon(p) => self.polygons(std::slice::from_ref(p)),
            Geometry::MultiPolygon(ps) => self.polygons(ps),
            Geometry::Surfaces(faces) => self.polygons(&footprint::of_surfaces(faces)),
            Geometry::Tin { .. } => None,
        }
    }
    fn projected(&self, points: &[Point3]) -> Option<Vec<Point>> {
        points.iter().map(|p| self.projection.units(p[0], p[1])).collect()
    }
    fn points(&self, points: &[Point3]) -> Option<(Shape, f64)> {
        let mut cells: Vec<Cell> = Vec::new();
        for p in self.projected(points)?.into_iter().filter(|&p| self.frame.contains(p)) {
            if !cells.contains(&cell(p)) || cells.len() > 64 {
                cells.push(cell(p));
            }
        }
        (!cells.is_empty()).then_some((Shape::Points(cells), 0.0))
    }
    fn lines(&self, lines: &[Vec<Point3>]) -> Option<(Shape, f64)> {
        let (mut parts, mut length, mut whole) = (Vec::new(), 0.0, 0.0);
        for l in lines {
            let points = simplify::line(&self.projected(l)?, self.tolerance);
            whole += path_length(&points);
            for part in clip::line(&points, self.frame) {
                length += path_length(&part);
                let cells = cells_of(&part);
                if cells.len() >= 2 {
                    parts.push(cells);
                }
            }
        }
        // The whole line is measured, not its part in this tile: a line must not vanish at a seam.
        (!parts.is_empty() && whole >= self.min_length).then(|| (Shape::Lines(parts), length / UNITS_PER_PX))
    }
    fn polygons(&mut self, polygons: &[Polygon]) -> Option<(Shape, f64)> {
        let (mut rings, mut area) = (Vec::new(), 0.0);
        let mut tiny: Option<(Point, f64)> = None;
        for p in polygons {
            let projected: Vec<Vec<Point>> = p.rings.iter().map(|r| self.projected(r)).collect::<Option<_>>()?;
            let size = projected.first().map_or(0.0, |r| clip::signed_area(r).abs());
            if size < self.min_area {
                let centre = projected.first().and_then(|r| middle(r))?;
                let (at, sum) = tiny.unwrap_or((centre, 0.0));
                tiny = Some((at, sum + size));
                continue;
            }
            let simple: Vec<Vec<Point>> = projected.iter().map(|r| simplify::ring(r, self.tolerance)).collect();
            if simple.first().is_none_or(|shell| shell.len() < 4) {
                continue;
            }
            let simple: Vec<Vec<Point>> = simple.into_iter().filter(|r| r.len() >= 4).collect();
            for part in clip::polygon(&simple, self.frame) {
                for (i, ring) in part.iter().enumerate() {
                    let Some(cells) = ring_cells(ring, i == 0) else { if i == 0 { break } else { continue } };
                    area += clip::signed_area(ring).abs() * if i == 0 { 1.0 } else { -1.0 };
                    rings.push(cells);
                }
            }
        }
        if rings.is_empty() {
            let (at, size) = tiny.filter(|_| self.gather)?;
            rings.push(self.gathered_square(at, size)?);
        }
        Some((Shape::Polygons(rings), area / (UNITS_PER_PX * UNITS_PER_PX)))
    }
    /// Adds a tiny area to what is gathered; the one that fills the measure is drawn for all.
    fn gathered_square(&mut self, at: Point, size: f64) -> Option<Vec<Cell>> {
        if !self.frame.contains(at) {
            return None;
        }
        self.gathered += size;
        if self.gathered < self.min_area {
            return None;
        }
        self.gathered -= self.min_area;
        let h = self.min_area.sqrt() / 2.0;
        let clamp = |v: f64| v.clamp(self.frame.low, self.frame.high);
        let corner = |dx: f64, dy: f64| [clamp(at[0] + dx * h), clamp(at[1] + dy * h)];
        ring_cells(&[corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0), corner(-1.0, -1.0)], true)
    }
}

fn middle(ring: &[Point]) -> Option<Point> {
    let n = ring.len().checked_sub(1).filter(|n| *n > 0)? as f64;
    Some([0, 1].map(|k| ring[1..].iter().map(|p| p[k]).sum::<f64>() / n))
}

fn path_length(points: &[Point]) -> f64 {
    points.windows(2).map(|w| (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1])).sum()
}

fn cell(p: Point) -> Cell {
    p.map(|v| v.round() as i32)
}

/// Whole units without repeats.
fn cells_of(points: &[Point]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = points.iter().map(|&p| cell(p)).collect();
    cells.dedup();
    cells
}

/// An open ring of cells wound as MVT wants it; `None` when it has collapsed.
fn ring_cells(ring: &[Point], shell: bool) -> Option<Vec<Cell>> {
    let mut cells = cells_of(ring);
    while cells.len() > 1 && cells.first() == cells.last() {
        cells.pop();
    }
    drop_spikes(&mut cells);
    if cells.len() < 3 {
        return None;
    }
    let area2 = decode::ring_area2(&cells);
    if area2 == 0 {
        return None;
    }
    if (area2 > 0) != shell {
        cells.reverse();
    }
    Some(cells)
}

/// Rounding can fold a narrow tip into a way there and back; such tips are taken off.
fn drop_spikes(cells: &mut Vec<Cell>) {
    let spike = |a: Cell, b: Cell, c: Cell| {
        let d = |k: usize, p: Cell, q: Cell| i64::from(p[k]) - i64::from(q[k]);
        let cross = d(0, b, a) * d(1, c, b) - d(1, b, a) * d(0, c, b);
        a == b || b == c || (cross == 0 && d(0, b, a) * d(0, c, b) + d(1, b, a) * d(1, c, b) < 0)
    };
    let mut out = VecDeque::with_capacity(cells.len());
    for &c in cells.iter() {
        while out.len() >= 2 && spike(out[out.len() - 2], out[out.len() - 1], c) {
            out.pop_back();
        }
        out.push_back(c);
    }
    // The same across the ring's seam.
    while out.len() >= 3 {
        let n = out.len();
        if spike(out[n - 2], out[n - 1], out[0]) {
            out.pop_back();
        } else if spike(out[n - 1], out[0], out[1]) {
            out.pop_front();
        } else {
            break;
        }
    }
    *cells = out.into();
}

#[cfg(test)]
mod tests;
