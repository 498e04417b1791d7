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
use std::{
    collections::{HashSet, VecDeque},
    ops::Range,
};
use strata_model::{Feature, FeatureBatch, Filter, Geometry, Point3, Polygon, TileId, WorkingFrame};
use write::{Bits, Cell, Kind, LayerWriter};

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
    Ok(encode_projected(&TileProjection::new(tile, frame)?, parts))
}

/// [`encode_mvt`] where the tile's projection is at hand: its bounds are what the features were asked for.
pub fn encode_projected(projection: &TileProjection, parts: &[(&LayerRecipe, &FeatureBatch)]) -> Encoded {
    let mut out = Encoded::default();
    for (recipe, batch) in parts.iter().filter(|(r, _)| r.covers(projection.tile().z)) {
        let layer = encode_layer(projection, recipe, batch);
        if out.bytes.is_empty() {
            out.bytes = layer.bytes
        } else {
            out.bytes.extend(layer.bytes)
        }
        out.features += layer.features;
        out.dropped += layer.dropped;
    }
    out
}

/// A feature ready to be written, with its weight in the fight for room: px² for areas, px for lines.
#[derive(Clone)]
struct Drawn<'a> {
    feature: &'a Feature,
    id: &'a str,
    days: [i64; 2],
    kind: Kind,
    /// Of the pen's commands.
    commands: Range<usize>,
    weight: f64,
    hash: u64,
    /// Where the bits of its values begin.
    values: usize,
}

fn encode_layer(projection: &TileProjection, recipe: &LayerRecipe, batch: &FeatureBatch) -> Encoded {
    let zoom = projection.tile().z;
    let rules: Vec<&Filter> = recipe.rules_at(&batch.layer, zoom);
    let taken = batch.features.iter().filter(|f| rules.iter().all(|r| r.matches(&batch.layer, f)));
    let mut pen = Pen {
        projection,
        tolerance: if zoom >= recipe.max_zoom { 0.0 } else { recipe.simplify_px * UNITS_PER_PX },
        min_area: recipe.min_area_px2 * UNITS_PER_PX * UNITS_PER_PX,
        min_length: recipe.min_length_px * UNITS_PER_PX,
        gather: recipe.gather_tiny,
        gathered: 0.0,
        frame: Frame { low: -f64::from(BUFFER), high: f64::from(EXTENT + BUFFER) },
        commands: Vec::new(),
        projected: Vec::new(),
        cells: Vec::new(),
    };
    let columns: Vec<(&str, usize)> = match &recipe.attributes {
        Some(names) => names.iter().filter_map(|n| batch.layer.field_index(n).map(|i| (n.as_str(), i))).collect(),
        None => batch.layer.fields.iter().enumerate().map(|(i, f)| (f.name.as_str(), i)).collect(),
    };
    // Features are read as they lie in memory, and once: from one to the next in the order of their ids it is far. Only what
    // gathers tiny areas has to know them in that order.
    let gathers = recipe.gather_tiny && recipe.min_area_px2 > 0.0;
    let features: Vec<&Feature> = if gathers { in_order(taken.collect(), |f| f) } else { taken.collect() };
    let mut values: Vec<Bits> = Vec::with_capacity(features.len() * columns.len());
    let mut drawn: Vec<Drawn> = features
        .into_iter()
        .filter_map(|feature| {
            let (kind, commands, weight) = pen.draw(&feature.geometry)?;
            let first = values.len();
            values.extend(columns.iter().map(|(_, field)| feature.attributes.get(*field).map_or((0, 0), write::bits)));
            let (id, days) = (feature.id.as_str(), [feature.valid.from, feature.valid.to].map(|d| d.day().into()));
            Some(Drawn { feature, id, days, kind, commands, weight, hash: id_hash(id), values: first })
        })
        .collect();
    if !gathers {
        drawn = in_order(drawn, |d| d.feature);
    }
    // Laid side by side in that order.
    let values: Vec<Bits> = drawn.iter().flat_map(|d| &values[d.values..d.values + columns.len()]).copied().collect();
    drawn.iter_mut().enumerate().for_each(|(i, d)| d.values = i * columns.len());
    let total = drawn.len();
    let name = batch.layer.id.as_str();
    let mut room = recipe.max_features;
    loop {
        keep_heaviest(&mut drawn, room);
        if drawn.is_empty() {
            return Encoded { dropped: total, ..Encoded::default() };
        }
        let own = ["id", "valid_from_day", "valid_to_day"];
        let mut writer = LayerWriter::new(name, own.into_iter().chain(columns.iter().map(|c| c.0)));
        for d in &drawn {
            writer.name(0, d.id);
            writer.tag_int(1, d.days[0]);
            writer.tag_int(2, d.days[1]);
            for (k, (_, field)) in columns.iter().enumerate() {
                writer.tag(own.len() + k, values[d.values + k], || &d.feature.attributes[*field]);
            }
            writer.feature(d.hash, d.kind, &pen.commands[d.commands.clone()]);
        }
        let bytes = writer.finish();
        if bytes.len() <= recipe.max_bytes {
            return Encoded { bytes, features: drawn.len(), dropped: total - drawn.len() };
        }
        let share = recipe.max_bytes as f64 / bytes.len() as f64;
        room = (drawn.len() as f64 * share * 0.95) as usize;
    }
}

/// By id, then by the beginning of valid time. The first letters of the ids are compared where they lie side by side.
fn in_order<T: Clone>(items: Vec<T>, feature: impl Fn(&T) -> &Feature) -> Vec<T> {
    let mut keyed: Vec<(u128, u32)> = items
        .iter()
        .zip(0..)
        .map(|(item, at)| {
            let (mut first, id) = ([0; 16], feature(item).id.as_str().as_bytes());
            let n = id.len().min(16);
            first[..n].copy_from_slice(&id[..n]);
            (u128::from_be_bytes(first), at)
        })
        .collect();
    keyed.sort_unstable();
    let at = |k: &(u128, u32)| feature(&items[k.1 as usize]);
    for alike in keyed.chunk_by_mut(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
        alike.sort_by(|a, b| at(a).id.cmp(&at(b).id).then_with(|| at(a).valid.from.cmp(&at(b).valid.from)));
    }
    keyed.into_iter().map(|k| items[k.1 as usize].clone()).collect()
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

/// FNV-1a, cut to what a JavaScript number holds exactly.
fn id_hash(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)) >> 11
}

/// Draws geometry into commands.
struct Pen<'a> {
    projection: &'a TileProjection<'a>,
    tolerance: f64,
    min_area: f64,
    min_length: f64,
    gather: bool,
    /// Area of tiny polygons not yet drawn, square units.
    gathered: f64,
    frame: Frame,
    /// Of all that has been drawn.
    commands: Vec<u8>,
    /// Room for the vertices of the polygon in hand and the cells of the ring in hand.
    projected: Vec<Vec<Point>>,
    cells: Vec<Cell>,
}

impl Pen<'_> {
    /// `None`: outside, too small or without a drawable part. The weight is in px² or px.
    fn draw(&mut self, geometry: &Geometry) -> Option<(Kind, Range<usize>, f64)> {
        // Cutting leaves nothing of what is far away; only the outline of a body is too dear to be made for that.
        if let Geometry::Surfaces(_) = geometry
            && !geometry.bounds()?.plan().intersects(&self.projection.bounds_in_working)
        {
            return None;
        }
        let start = self.commands.len();
        let drawn = match geometry {
            Geometry::Point(p) => self.points(std::slice::from_ref(p)),
            Geometry::MultiPoint(ps) => self.points(ps),
            Geometry::LineString(l) => self.lines(std::slice::from_ref(l)),
            Geometry::MultiLineString(ls) => self.lines(ls),
            Geometry::Polygon(p) => self.polygons(std::slice::from_ref(p)),
            Geometry::MultiPolygon(ps) => self.polygons(ps),
            Geometry::Surfaces(faces) => self.polygons(&footprint::of_surfaces(faces)),
            Geometry::Tin { .. } => None,
        };
        let Some((kind, weight)) = drawn else {
            self.commands.truncate(start);
            return None;
        };
        Some((kind, start..self.commands.len(), weight))
    }
    /// Lines or rings into the pen's room, as many as it tells; `None` where the CRS has no answer.
    fn project<'p>(&mut self, parts: impl Iterator<Item = &'p [Point3]>) -> Option<usize> {
        let mut n = 0;
        for part in parts {
            if self.projected.len() == n {
                self.projected.push(Vec::new());
            }
            let out = &mut self.projected[n];
            out.clear();
            out.reserve(part.len());
            for p in part {
                out.push(self.projection.units(p[0], p[1])?);
            }
            n += 1;
        }
        Some(n)
    }
    fn points(&mut self, points: &[Point3]) -> Option<(Kind, f64)> {
        self.project(std::iter::once(points))?;
        let mut cells: Vec<Cell> = Vec::new();
        for &p in self.projected[0].iter().filter(|&&p| self.frame.contains(p)) {
            if !cells.contains(&cell(p)) || cells.len() > 64 {
                cells.push(cell(p));
            }
        }
        if cells.is_empty() {
            return None;
        }
        write::points(&mut self.commands, &cells, &mut [0, 0]);
        Some((Kind::Points, 0.0))
    }
    fn lines(&mut self, lines: &[Vec<Point3>]) -> Option<(Kind, f64)> {
        let n = self.project(lines.iter().map(Vec::as_slice))?;
        let Self { projected, commands, cells, .. } = self;
        let (mut at, mut parts, mut length, mut whole) = ([0, 0], 0, 0.0, 0.0);
        let mut part = |points: &[Point], commands: &mut Vec<u8>| {
            length += path_length(points);
            cells_of(points, cells);
            if cells.len() >= 2 {
                write::line(commands, cells, &mut at);
                parts += 1;
            }
        };
        for points in &projected[..n] {
            let points = simplify::line(points, self.tolerance);
            whole += path_length(&points);
            if points.len() >= 2 && self.frame.holds(&points) {
                part(&points, commands);
            } else {
                clip::line(&points, self.frame).iter().for_each(|p| part(p, commands));
            }
        }
        // The whole line is measured, not its part in this tile: a line must not vanish at a seam.
        (parts > 0 && whole >= self.min_length).then_some((Kind::Lines, length / UNITS_PER_PX))
    }
    fn polygons(&mut self, polygons: &[Polygon]) -> Option<(Kind, f64)> {
        let (mut at, mut drawn, mut area) = ([0, 0], false, 0.0);
        let mut tiny: Option<(Point, f64)> = None;
        for p in polygons {
            let n = self.project(p.rings.iter().map(Vec::as_slice))?;
            let Self { projected, commands, cells, .. } = self;
            let projected = &projected[..n];
            let size = projected.first().map_or(0.0, |r| clip::signed_area(r).abs());
            if size < self.min_area {
                let centre = projected.first().and_then(|r| middle(r))?;
                let (at, sum) = tiny.unwrap_or((centre, 0.0));
                tiny = Some((at, sum + size));
                continue;
            }
            let mut draw = |part: &mut dyn Iterator<Item = &[Point]>| {
                for (i, ring) in part.enumerate() {
                    if ring_cells(ring, i == 0, cells) {
                        area += clip::signed_area(ring).abs() * if i == 0 { 1.0 } else { -1.0 };
                        write::ring(commands, cells, &mut at);
                        drawn = true;
                    } else if i == 0 {
                        break;
                    }
                }
            };
            if projected.first().is_some_and(|shell| shell.len() >= 4 && self.tolerance <= 0.0 && self.frame.holds(shell)) {
                draw(&mut projected.iter().filter(|r| r.len() >= 4).map(Vec::as_slice));
                continue;
            }
            let simple: Vec<Vec<Point>> = projected.iter().map(|r| simplify::ring(r, self.tolerance).into_owned()).collect();
            if simple.first().is_none_or(|shell| shell.len() < 4) {
                continue;
            }
            let simple: Vec<Vec<Point>> = simple.into_iter().filter(|r| r.len() >= 4).collect();
            for part in clip::polygon(&simple, self.frame) {
                draw(&mut part.iter().map(Vec::as_slice));
            }
        }
        if !drawn {
            let (at, size) = tiny.filter(|_| self.gather)?;
            self.gathered_square(at, size)?;
        }
        Some((Kind::Polygons, area / (UNITS_PER_PX * UNITS_PER_PX)))
    }
    /// Adds a tiny area to what is gathered; the one that fills the measure is drawn for all.
    fn gathered_square(&mut self, at: Point, size: f64) -> Option<()> {
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
        let square = [corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0), corner(-1.0, -1.0)];
        if !ring_cells(&square, true, &mut self.cells) {
            return None;
        }
        write::ring(&mut self.commands, &self.cells, &mut [0, 0]);
        Some(())
    }
}

fn middle(ring: &[Point]) -> Option<Point> {
    let n = ring.len().checked_sub(1).filter(|n| *n > 0)? as f64;
    Some([0, 1].map(|k| ring[1..].iter().map(|p| p[k]).sum::<f64>() / n))
}

fn path_length(points: &[Point]) -> f64 {
    points.windows(2).map(|w| ((w[1][0] - w[0][0]).powi(2) + (w[1][1] - w[0][1]).powi(2)).sqrt()).sum()
}

fn cell(p: Point) -> Cell {
    p.map(|v| v.round() as i32)
}

/// Whole units without repeats.
fn cells_of(points: &[Point], out: &mut Vec<Cell>) {
    out.clear();
    for &p in points {
        let c = cell(p);
        if out.last() != Some(&c) {
            out.push(c);
        }
    }
}

/// An open ring of cells wound as MVT wants it; false when it has collapsed.
fn ring_cells(ring: &[Point], shell: bool, cells: &mut Vec<Cell>) -> bool {
    cells_of(ring, cells);
    while cells.len() > 1 && cells.first() == cells.last() {
        cells.pop();
    }
    drop_spikes(cells);
    if cells.len() < 3 {
        return false;
    }
    let area2 = decode::ring_area2(cells);
    if area2 == 0 {
        return false;
    }
    if (area2 > 0) != shell {
        cells.reverse();
    }
    true
}

/// Rounding can fold a narrow tip into a way there and back; such tips are taken off.
fn drop_spikes(cells: &mut Vec<Cell>) {
    let spike = |a: Cell, b: Cell, c: Cell| {
        let d = |k: usize, p: Cell, q: Cell| i64::from(p[k]) - i64::from(q[k]);
        let cross = d(0, b, a) * d(1, c, b) - d(1, b, a) * d(0, c, b);
        a == b || b == c || (cross == 0 && d(0, b, a) * d(0, c, b) + d(1, b, a) * d(1, c, b) < 0)
    };
    let n = cells.len();
    if n >= 3 && !(0..n).any(|i| spike(cells[i], cells[(i + 1) % n], cells[(i + 2) % n])) {
        return;
    }
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
