//! What a tile has to say: axes of pipes and streets, covers, parcels, contours, read from its content when it is uploaded
//! and turned into labels for a view. So the browser, which has tiles alone, says the same as a picture.

use crate::{
    Kind, Label, Look, Renderer, TileHandle,
    legend::{CONTROL_LINES, letters},
    pick::{meet, section_takes},
};
use glam::{DMat4, DVec3, Vec3};
use std::collections::{BTreeMap, BTreeSet};
use strata_scene::{Mode, View};
use strata_tiles::content::{FeatureTable, Primitive, Role, TileContent};

/// A line with a name along it, in the tile's frame.
struct Line {
    row: u32,
    kind: Kind,
    /// From the fullest to the shortest; the longest that fits is written.
    texts: Vec<String>,
    path: Vec<Vec3>,
    ink: Inks,
    /// Sense of the flow along the path: 1 with it, −1 against it.
    flow: i8,
    /// Larger is written first.
    weight: f32,
}

/// Ink on pale and on dark ground.
type Inks = [[u8; 3]; 2];
const PLAIN: Inks = [[23, 32, 42], [232, 237, 242]];

struct Spot {
    row: u32,
    kind: Kind,
    texts: Vec<String>,
    at: Vec3,
    /// Half the width that the word may take, m.
    half_m: f32,
    weight: f32,
}

/// Ground as it is drawn, for contours and for what hides behind a hill.
struct Ground {
    positions: Vec<Vec3>,
    indices: Vec<u32>,
    centre: Vec3,
    radius: f32,
}

/// Words of one tile.
#[derive(Default)]
pub(crate) struct TileWords {
    lines: Vec<Line>,
    spots: Vec<Spot>,
    ground: Vec<Ground>,
    /// Land-use code and corners of each parcel.
    parcels: Vec<(u32, String, [Vec3; 2])>,
    classes: BTreeSet<(String, String)>,
    control_kinds: BTreeSet<String>,
    valid: Vec<(i32, i32)>,
}

/// What the drawn tiles hold, for a legend.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    pub land_uses: BTreeSet<String>,
    pub control_lines: BTreeSet<String>,
    /// Class and subclass.
    pub pipes: BTreeSet<(String, String)>,
}

fn inks(class: &str, subclass: &str) -> Inks {
    match (class, subclass) {
        ("JS", _) => [[0x00, 0x75, 0x75], [0x00, 0xff, 0xff]],
        ("PS", _) => [[0x4c, 0x39, 0x26], [0xc8, 0xa0, 0x78]],
        ("RQ", _) => [[0xbd, 0x00, 0xbd], [0xff, 0x66, 0xff]],
        ("RL", _) => [[0xa8, 0x54, 0x00], [0xff, 0x98, 0x30]],
        ("DL", _) => [[0xdb, 0x00, 0x00], [0xff, 0x5a, 0x5a]],
        ("TX", _) => [[0x00, 0x7f, 0x00], [0x00, 0xff, 0x00]],
        ("QT", "BM") => [[0x66, 0x00, 0xcc], [0xb0, 0x61, 0xff]],
        _ => [[0x17, 0x20, 0x2a], [0xb3, 0xbf, 0xcc]],
    }
}

struct Table<'a>(&'a FeatureTable);

impl Table<'_> {
    fn text(&self, name: &str, row: u32) -> &str {
        self.0.columns.get(name).and_then(|c| c.text(row as usize)).unwrap_or("")
    }
    fn number(&self, name: &str, row: u32) -> Option<f64> {
        self.0.columns.get(name).and_then(|c| c.number(row as usize)).filter(|v| v.is_finite())
    }
}

impl TileWords {
    pub fn new(content: &TileContent) -> Self {
        let table = Table(&content.features);
        let valid = content.features.valid_from_day.iter().copied().zip(content.features.valid_to_day.iter().copied()).collect();
        let mut out = Self { valid, ..Default::default() };
        for p in &content.primitives {
            match p.role {
                Some(Role::Pipe) => out.pipes(&table, p),
                Some(Role::Road) => out.roads(&table, p),
                Some(Role::Parcel) => out.parcels(&table, p),
                Some(Role::Fitting) => out.covers(&table, p),
                Some(Role::Line) => {
                    let kinds = rows(p).into_keys().map(|row| table.text("kind", row).to_owned());
                    out.control_kinds.extend(kinds.filter(|k| CONTROL_LINES.iter().any(|c| c.0 == k)));
                }
                Some(Role::Terrain) => {
                    let positions: Vec<Vec3> = p.positions.iter().map(|v| Vec3::from(*v)).collect();
                    let centre = positions.iter().sum::<Vec3>() / positions.len().max(1) as f32;
                    let radius = positions.iter().map(|v| v.distance(centre)).fold(0.0, f32::max);
                    out.ground.push(Ground { positions, indices: p.indices.clone(), centre, radius });
                }
                _ => {}
            }
        }
        out
    }

    fn pipes(&mut self, table: &Table<'_>, p: &Primitive) {
        for (row, vertices) in rows(p) {
            let (class, subclass) = (table.text("class", row), table.text("subclass", row));
            if class.is_empty() {
                continue;
            }
            self.classes.insert((class.to_owned(), subclass.to_owned()));
            let size = match (table.number("width_mm", row), table.number("height_mm", row)) {
                (Some(w), Some(h)) if table.text("shape", row) == "rect" => format!("{w:.0}×{h:.0}"),
                _ => table.number("dn_mm", row).map_or_else(String::new, |d| format!("DN{d:.0}")),
            };
            let short = letters(class, subclass).to_owned();
            let middle = format!("{short} {size}").trim().to_owned();
            let year = table.number("year_built", row).map_or_else(String::new, |y| format!("{y:.0}"));
            let long = format!("{middle} {} {year}", table.text("material", row)).split_whitespace().collect::<Vec<_>>().join(" ");
            let flow = match table.number("flow_dir", row) {
                Some(0.0) => 1,
                Some(1.0) => -1,
                _ => 0,
            };
            let weight = table.number("od_mm", row).or_else(|| table.number("width_mm", row)).unwrap_or(100.0) as f32;
            for path in axes(p, &vertices, None) {
                let texts = vec![long.clone(), middle.clone(), short.clone()];
                self.lines.push(Line { row, kind: Kind::Pipe, texts, path, ink: inks(class, subclass), flow, weight });
            }
        }
    }
    fn roads(&mut self, table: &Table<'_>, p: &Primitive) {
        for (row, vertices) in rows(p) {
            let (name, english) = (table.text("name", row), table.text("name_en", row));
            let width = table.number("width_m", row).unwrap_or(7.0) as f32;
            if name.is_empty() {
                continue;
            }
            // As on the signs of the streets: both names where there is room.
            let both = format!("{name} {english}");
            let texts = if english.is_empty() { vec![name.to_owned()] } else { vec![both, name.to_owned()] };
            for path in axes(p, &vertices, Some(width)) {
                self.lines.push(Line { row, kind: Kind::Street, texts: texts.clone(), path, ink: PLAIN, flow: 0, weight: width });
            }
        }
    }
    fn parcels(&mut self, table: &Table<'_>, p: &Primitive) {
        let mut triangles: BTreeMap<u32, Vec<[Vec3; 3]>> = BTreeMap::new();
        for t in p.indices.chunks_exact(3) {
            let corner = |i: u32| p.positions.get(i as usize).map_or(Vec3::ZERO, |v| Vec3::from(*v));
            let row = p.feature_rows.get(t[0] as usize).copied().unwrap_or(0);
            triangles.entry(row).or_default().push([corner(t[0]), corner(t[1]), corner(t[2])]);
        }
        for (row, triangles) in triangles {
            let used = table.text("land_use", row);
            let area = |t: &[Vec3; 3]| (t[1] - t[0]).cross(t[2] - t[0]).length() / 2.0;
            let middle = |t: &[Vec3; 3]| (t[0] + t[1] + t[2]) / 3.0;
            let whole: f32 = triangles.iter().map(area).sum();
            if used.is_empty() || whole <= 0.0 {
                continue;
            }
            let centre = triangles.iter().map(|t| middle(t) * area(t)).sum::<Vec3>() / whole;
            // The centre of a bent parcel lies outside it: the nearest piece takes the word.
            let at = triangles.iter().map(middle).min_by(|a, b| a.distance(centre).total_cmp(&b.distance(centre))).unwrap_or(centre);
            let low = triangles.iter().flatten().fold(Vec3::INFINITY, |m, v| m.min(*v));
            let high = triangles.iter().flatten().fold(Vec3::NEG_INFINITY, |m, v| m.max(*v));
            self.parcels.push((row, used.to_owned(), [low, high]));
            let code = table.text("code", row);
            let extent = high - low;
            // A strip along a river has no room for more than its use.
            let compact = whole > 0.45 * extent.x * extent.y;
            let texts = if compact { vec![format!("{used} {code}"), used.to_owned()] } else { vec![used.to_owned()] };
            // A square of the same area lies well within most parcels.
            self.spots.push(Spot { row, kind: Kind::Parcel, texts, at, half_m: whole.sqrt() * 0.5, weight: whole.sqrt() });
        }
    }
    fn covers(&mut self, table: &Table<'_>, p: &Primitive) {
        for i in &p.instances {
            let row = i.feature_row;
            let kind = table.text("kind", row);
            let at = Vec3::from(i.translation) + Vec3::Z * i.scale[2];
            if kind == "well" {
                let text = letters(table.text("class", row), table.text("subclass", row)).to_owned();
                self.spots.push(Spot { row, kind: Kind::Cover, texts: vec![text], at, half_m: 0.35, weight: 0.0 });
            } else if !table.text("unit", row).is_empty() {
                let id = table.0.ids.get(row as usize).map_or("", String::as_str);
                let text = format!("◉ {id} {kind} {}", table.text("unit", row));
                self.spots.push(Spot { row, kind: Kind::Sensor, texts: vec![text], at, half_m: 2.0, weight: 0.0 });
            }
        }
    }
    /// Axes of a pipe, in the tile's frame; none of anything else.
    pub fn axes(&self, row: u32) -> Vec<&[Vec3]> {
        self.lines.iter().filter(|l| l.row == row && l.kind == Kind::Pipe).map(|l| l.path.as_slice()).collect()
    }
    fn stands(&self, row: u32, day: i32) -> bool {
        self.valid.get(row as usize).is_none_or(|(from, to)| *from <= day && day < *to)
    }
}

/// Vertices of each row, in their order.
pub(crate) fn rows(p: &Primitive) -> BTreeMap<u32, Vec<usize>> {
    let mut out: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for i in 0..p.positions.len() {
        out.entry(p.feature_rows.get(i).copied().unwrap_or(0)).or_default().push(i);
    }
    out
}

/// Axes of a swept body from its cross-sections, which share their distance along: a ring's middle is the axis, whatever its
/// profile. Of a ribbon (`width_m`) only full sections count, not the round ends.
pub(crate) fn axes(p: &Primitive, vertices: &[usize], width_m: Option<f32>) -> Vec<Vec<Vec3>> {
    let mut out: Vec<Vec<Vec3>> = Vec::new();
    let mut path: Vec<Vec3> = Vec::new();
    let mut last = f32::NEG_INFINITY;
    let mut k = 0;
    while k < vertices.len() {
        let along = p.uv.get(vertices[k]).map_or(0.0, |v| v[1]);
        let (mut low, mut high) = (Vec3::INFINITY, Vec3::NEG_INFINITY);
        let (mut left, mut right) = (f32::INFINITY, f32::NEG_INFINITY);
        while k < vertices.len() && p.uv.get(vertices[k]).map_or(0.0, |v| v[1]) == along {
            let v = Vec3::from(p.positions[vertices[k]]);
            let across = p.uv.get(vertices[k]).map_or(0.0, |v| v[0]);
            (low, high) = (low.min(v), high.max(v));
            (left, right) = (left.min(across), right.max(across));
            k += 1;
        }
        if width_m.is_some_and(|w| right - left < 0.9 * w) {
            continue;
        }
        if along < last && path.len() > 1 {
            out.push(std::mem::take(&mut path));
        } else if along < last {
            path.clear();
        }
        last = along;
        path.push((low + high) / 2.0);
    }
    if path.len() > 1 {
        out.push(path);
    }
    out
}

/// From a tile's frame to the screen.
struct Screen<'a> {
    view: &'a View,
    ecef_from_tile: &'a DMat4,
}

impl Screen<'_> {
    /// East, north, up at the camera's target.
    fn enu(&self, p: Vec3) -> DVec3 {
        DVec3::from(self.view.enu.local_from_ecef(self.ecef_from_tile.transform_point3(p.as_dvec3()).to_array()))
    }
    fn at(&self, p: Vec3) -> Option<([f32; 2], f32)> {
        self.view.project(self.ecef_from_tile.transform_point3(p.as_dvec3()).to_array())
    }
}

/// The same way with a point at least every `step_m`, so that a part of it can be left out.
fn densified(path: &[Vec3], step_m: f32) -> Vec<Vec3> {
    let mut out: Vec<Vec3> = path.first().copied().into_iter().collect();
    for w in path.windows(2) {
        let parts = (w[0].distance(w[1]) / step_m).ceil().clamp(1.0, 2000.0) as usize;
        out.extend((1..=parts).map(|i| w[0].lerp(w[1], i as f32 / parts as f32)));
    }
    out
}

/// Of a polyline on the screen, the longest nearly straight run within the picture: its ends and the way there in
/// the polyline's own sense.
fn run(points: &[Option<([f32; 2], f32)>], size: [u32; 2]) -> Option<([f32; 2], [f32; 2], f32)> {
    let mut best: Option<([f32; 2], [f32; 2], f32)> = None;
    let mut start = 0;
    let mut take = |a: ([f32; 2], f32), b: ([f32; 2], f32)| {
        if let Some((p, q)) = clipped(a.0, b.0, size) {
            let length = (q[0] - p[0]).hypot(q[1] - p[1]);
            if best.is_none_or(|(u, v, _)| length > (v[0] - u[0]).hypot(v[1] - u[1])) {
                best = Some((p, q, (a.1 + b.1) / 2.0));
            }
        }
    };
    let way = |i: usize, j: usize| Some((points[j]?.0[1] - points[i]?.0[1]).atan2(points[j]?.0[0] - points[i]?.0[0]));
    for i in 1..points.len() {
        let straight = way(start, i).zip(way(i - 1, i)).is_some_and(|(a, b)| {
            let d = (a - b).rem_euclid(std::f32::consts::TAU);
            d.min(std::f32::consts::TAU - d) < 0.07
        });
        if !straight {
            if let (true, Some(a), Some(b)) = (i - 1 > start, points[start], points[i - 1]) {
                take(a, b);
            }
            start = i - 1;
        }
        if let (true, Some(a), Some(b)) = (i + 1 == points.len(), points[start], points[i]) {
            take(a, b);
        }
    }
    best
}

/// The part of a segment within the picture and a margin.
fn clipped(a: [f32; 2], b: [f32; 2], size: [u32; 2]) -> Option<([f32; 2], [f32; 2])> {
    const MARGIN: f32 = 14.0;
    let (mut t0, mut t1) = (0f32, 1f32);
    for k in 0..2 {
        let (d, low, high) = (b[k] - a[k], MARGIN, size[k] as f32 - MARGIN);
        if d.abs() < 1e-6 {
            if a[k] < low || a[k] > high {
                return None;
            }
            continue;
        }
        let (u, v) = ((low - a[k]) / d, (high - a[k]) / d);
        t0 = t0.max(u.min(v));
        t1 = t1.min(u.max(v));
    }
    let at = |t: f32| [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
    (t1 > t0).then(|| (at(t0), at(t1)))
}

impl Renderer {
    /// Words for a view, not yet placed (see [`crate::place`]). `text_px` is the em of ordinary words; the halo is the ground's colour.
    pub fn words(&self, view: &View, look: &Look, tiles: &[TileHandle], text_px: f32) -> Vec<Label> {
        let mut out = Vec::new();
        let night = look.mode == Mode::Xray && look.dim;
        let dark = usize::from(look.mode == Mode::Below || night || look.sun.elevation_deg < -2.0);
        let halo = match look.mode {
            Mode::Below => [16, 20, 24],
            Mode::Xray if night => [16, 20, 26],
            Mode::Xray => [240, 237, 230],
            _ if dark == 1 => [16, 20, 28],
            _ => [250, 250, 246],
        };
        out.extend(self.schematic(view, look, tiles).then(|| {
            let text = "示意管径 Widened to be seen";
            let at = [crate::about_width(text, text_px) / 2.0 + 14.0, text_px * 1.3];
            Label { ink: if dark == 1 { PLAIN[1] } else { PLAIN[0] }, halo, ..Label::new(Kind::Ruler, text, at, text_px, 0) }
        }));
        let ruler = if dark == 1 { PLAIN[1] } else { PLAIN[0] };
        out.extend(crate::pit::words(view, look, text_px, halo, ruler));
        self.overlay_words(view, text_px, ruler, halo, &mut out);
        self.cut_words(view, look, text_px, dark, halo, &mut out);
        let takes = section_takes(view, look);
        let pen = Writer { view, look, text_px, dark, halo, takes: &takes };
        for (ecef_from_tile, words) in self.words_of(tiles) {
            let screen = Screen { view, ecef_from_tile };
            let stands = |row: u32| words.stands(row, look.day);
            out.extend(words.lines.iter().filter(|l| stands(l.row)).filter_map(|l| pen.line(l, &screen)));
            out.extend(words.spots.iter().filter(|s| stands(s.row)).filter_map(|s| pen.spot(s, &screen)));
            if look.contours {
                pen.contours(&words.ground, &screen, &mut out);
            }
        }
        out
    }

    /// Names of the pipes that a section cuts, over the ends that look to the eye, and depths beside the staffs of its walls.
    fn cut_words(&self, view: &View, look: &Look, text_px: f32, dark: usize, halo: [u8; 3], out: &mut Vec<Label>) {
        let soil = self.soil.as_ref().filter(|s| look.mode == Mode::Surface && look.section.as_ref() == Some(&s.section));
        let facing = |at: DVec3, normal: DVec3| {
            let shown = normal.dot(DVec3::from(view.eye_in_ecef) - at) > 0.0;
            view.project(at.to_array()).filter(|_| shown)
        };
        for n in soil.iter().flat_map(|s| &s.numbers) {
            let Some((at, far_m)) = facing(n.ecef, n.normal_in_ecef) else { continue };
            if view.metres_per_px(f64::from(far_m)) < 0.2 {
                // Where not every number finds room, the even ones do.
                let odd = if n.metre % 2 == 0 { 0 } else { 50 };
                let label = Label::new(Kind::Ruler, n.metre.to_string(), at, text_px, 2500 + odd + i64::from(n.metre));
                out.push(Label { ink: PLAIN[dark], halo, far_m: Some(far_m + 0.5), ..label });
            }
        }
        for end in soil.iter().flat_map(|s| &s.pipes) {
            let Some(([x, y], far_m)) = facing(end.ecef, end.normal_in_ecef) else { continue };
            let Some(line) = self.tiles.get(&end.tile).and_then(|t| t.words.lines.iter().find(|l| l.row == end.row)) else { continue };
            let metres_per_px = view.metres_per_px(f64::from(far_m));
            // Letters, and from near all there is to say.
            let Some(text) = (if metres_per_px < 0.04 { line.texts.first() } else { line.texts.last() }).filter(|_| metres_per_px < 0.2)
            else {
                continue;
            };
            let at = [x, y - text_px];
            // Behind the cut a little, where something is left that could hide it.
            let label = Label::new(Kind::Pipe, text.clone(), at, text_px, 1500 - (line.weight as i64) / 4);
            out.push(Label { ink: line.ink[dark], halo, far_m: Some(far_m + 0.5), ..label });
        }
    }

    /// Whether a pipe of this view is drawn wider than it is, as `shaders/vertex.wgsl` widens them.
    fn schematic(&self, view: &View, look: &Look, tiles: &[TileHandle]) -> bool {
        let [w, h] = view.viewport_px.map(|v| v as f32);
        look.mode != Mode::Surface
            && self.words_of(tiles).any(|(ecef_from_tile, words)| {
                let screen = Screen { view, ecef_from_tile };
                words.lines.iter().filter(|l| l.kind == Kind::Pipe && words.stands(l.row, look.day)).any(|l| {
                    let middle = l.path[l.path.len() / 2];
                    let shown = look.mode != Mode::Cutaway || cut_holds(look, screen.enu(middle));
                    let least_px = if l.weight > 200.0 { 2.5 } else { 1.5 };
                    shown
                        && screen.at(middle).is_some_and(|(p, far_m)| {
                            let inside = p[0] >= 0.0 && p[1] >= 0.0 && p[0] < w && p[1] < h;
                            inside && l.weight / 1000.0 < least_px * view.metres_per_px(f64::from(far_m)) as f32
                        })
                })
            })
    }

    /// Whether the ground or a body hides a point at this pixel and distance along the view axis.
    pub fn hides(&self, view: &View, look: &Look, tiles: &[TileHandle], at: [f32; 2], far_m: f32) -> bool {
        let ray = view.ray(at[0], at[1]);
        let along = far_m / ray.dot(view.forward_in_enu).max(1e-3);
        let near = along - (along * 0.01).max(2.0);
        let takes = section_takes(view, look);
        let taken = |d: f32| takes(view.eye_in_enu + ray.as_dvec3() * f64::from(d));
        if taken(along) || self.soil_under(view, ray, look).is_some_and(|(d, _)| d < f64::from(near)) {
            return true;
        }
        if self.pick(view, at, look, tiles).is_some_and(|(_, _, d)| (d as f32) < near) {
            return true;
        }
        let ahead = view.enu.ecef_from_local((view.eye_in_enu + ray.as_dvec3() * 1000.0).to_array());
        self.words_of(tiles).any(|(ecef_from_tile, words)| {
            let tile_from_ecef = ecef_from_tile.inverse();
            let eye = tile_from_ecef.transform_point3(DVec3::from(view.eye_in_ecef)).as_vec3();
            let way = (tile_from_ecef.transform_point3(DVec3::from(ahead)).as_vec3() - eye).normalize();
            let meets = |g: &Ground| {
                (g.centre - eye).cross(way).length() < g.radius
                    && g.indices.chunks_exact(3).any(|t| {
                        let [a, b, c] = [t[0], t[1], t[2]].map(|i| g.positions.get(i as usize).copied().unwrap_or(Vec3::ZERO));
                        meet(eye, way, a, b, c).is_some_and(|d| d < near && !taken(d))
                    })
            };
            words.ground.iter().any(meets)
        })
    }

    /// What a legend of this view has to explain.
    pub fn found(&self, view: &View, look: &Look, tiles: &[TileHandle]) -> Found {
        let mut out = Found::default();
        let [w, h] = view.viewport_px.map(|v| v as f32);
        for (ecef_from_tile, words) in self.words_of(tiles) {
            let screen = Screen { view, ecef_from_tile };
            let seen = |p: Vec3| screen.at(p).is_some_and(|(p, _)| p[0] >= 0.0 && p[1] >= 0.0 && p[0] < w && p[1] < h);
            for (_, used, [low, high]) in words.parcels.iter().filter(|p| words.stands(p.0, look.day)) {
                let at = |x: f32, y: f32| Vec3::new(low.x + (high.x - low.x) * x, low.y + (high.y - low.y) * y, (low.z + high.z) / 2.0);
                if [0.2, 0.5, 0.8].iter().any(|x| [0.2, 0.5, 0.8].iter().any(|y| seen(at(*x, *y)))) {
                    out.land_uses.insert(used.clone());
                }
            }
            out.control_lines.extend(words.control_kinds.iter().cloned());
            out.pipes.extend(words.classes.iter().cloned());
        }
        out
    }
}

/// Whether a point, east, north, up at the target, lies in the excavation.
pub(crate) fn cut_holds(look: &Look, p: DVec3) -> bool {
    let half = look.cut_m.map(|v| f64::from(v) / 2.0);
    p.x.abs() < half[0] && p.y.abs() < half[1] && p.z > -2.0 * half[2]
}

struct Writer<'a> {
    view: &'a View,
    look: &'a Look,
    text_px: f32,
    dark: usize,
    halo: [u8; 3],
    takes: &'a dyn Fn(DVec3) -> bool,
}

impl Writer<'_> {
    fn off_middle_px(&self, at: [f32; 2]) -> i64 {
        let [w, h] = self.view.viewport_px.map(|v| v as f32);
        (at[0] - w / 2.0).hypot(at[1] - h / 2.0) as i64
    }
    fn line(&self, l: &Line, screen: &Screen<'_>) -> Option<Label> {
        let beneath = self.look.mode != Mode::Surface;
        if (l.kind == Kind::Pipe) != beneath && !(l.kind == Kind::Street && self.look.mode == Mode::Xray) {
            return None;
        }
        let far_off = |p: Vec3| match self.look.mode {
            // The ground outside the excavation stays shut; from below, far pipes would be a carpet of words.
            Mode::Cutaway => !self.in_cut(screen.enu(p)),
            Mode::Below => screen.enu(p).distance(self.view.eye_in_enu) > 110.0,
            Mode::Surface | Mode::Xray => false,
        };
        let beyond = |p: Vec3| far_off(p) || self.is_taken(screen.enu(p));
        let dense;
        let path = if beneath && (self.look.mode != Mode::Xray || self.look.section.is_some()) {
            dense = densified(&l.path, 1.0);
            &dense
        } else {
            &l.path
        };
        let points: Vec<_> = path.iter().map(|p| if l.kind == Kind::Pipe && beyond(*p) { None } else { screen.at(*p) }).collect();
        let (a, b, far_m) = run(&points, self.view.viewport_px)?;
        let length = (b[0] - a[0]).hypot(b[1] - a[1]);
        let street = l.kind == Kind::Street;
        // Far street names would be a carpet; a small street is named only from near.
        let metres_per_px = self.view.metres_per_px(f64::from(far_m)) as f32;
        if street && (metres_per_px > 0.16 * l.weight || metres_per_px > 3.4) {
            return None;
        }
        // Seen at a grazing angle a street is behind its own trees.
        if street && points.iter().flatten().count() > 0 && self.look.mode == Mode::Surface {
            let middle = screen.enu(l.path[l.path.len() / 2]) - self.view.eye_in_enu;
            if -middle.z < 0.13 * middle.length() {
                return None;
            }
        }
        let size_px = self.text_px * if street && l.weight > 25.0 { 1.15 } else { 1.0 };
        // The browser measures the same way, so both choose the same text.
        let room = length * if street { 0.9 } else { 0.8 };
        let mark = if l.flow == 0 { 0.0 } else { size_px * 1.3 };
        let text = l.texts.iter().find(|t| crate::about_width(t, size_px) + mark < room)?;
        let at = [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0];
        let rank = if street { 1000 - l.weight as i64 } else { 2000 - l.weight as i64 } + self.off_middle_px(at) / 4;
        let label = Label::new(l.kind, text.clone(), at, size_px, rank).along(a, b);
        let forward = (b[0] - a[0]) * label.angle_deg.to_radians().cos() + (b[1] - a[1]) * label.angle_deg.to_radians().sin() > 0.0;
        let text = match (l.flow, forward) {
            (0, _) => label.text.clone(),
            (1, true) | (-1, false) => format!("{} →", label.text),
            _ => format!("← {}", label.text),
        };
        let hidden = (self.look.mode == Mode::Surface).then_some(far_m);
        // A pipe is known by its letters: one word for a stretch of street is enough.
        let subject = l.texts.last().unwrap_or(&label.text).clone();
        let apart_px = if street { 30.0 } else { 17.0 } * self.text_px;
        Some(Label { text, subject, ink: l.ink[self.dark], halo: self.halo, apart_px, far_m: hidden, ..label })
    }
    fn in_cut(&self, p: DVec3) -> bool {
        cut_holds(self.look, p)
    }
    /// By the section: nothing is left there that a word could name.
    fn is_taken(&self, p: DVec3) -> bool {
        (self.takes)(p)
    }
    fn spot(&self, s: &Spot, screen: &Screen<'_>) -> Option<Label> {
        let (at, far_m) = screen.at(s.at).filter(|_| !self.is_taken(screen.enu(s.at)))?;
        let metres_per_px = self.view.metres_per_px(f64::from(far_m)) as f32;
        let wide = 2.0 * s.half_m / metres_per_px;
        let mode = self.look.mode;
        let (size_px, rank) = match s.kind {
            Kind::Parcel if self.look.drape && mode == Mode::Surface => (self.text_px * 0.85, 3000 - s.weight as i64),
            Kind::Cover if mode == Mode::Cutaway && !self.in_cut(screen.enu(s.at)) => return None,
            Kind::Cover if matches!(mode, Mode::Xray | Mode::Cutaway) && metres_per_px < 0.3 => {
                ((wide * 0.5).max(self.text_px * 0.8), 2600 + self.off_middle_px(at) / 4)
            }
            // From a few hundred metres there would be nothing but sensors.
            Kind::Sensor if metres_per_px < 0.3 => (self.text_px, 500 + self.off_middle_px(at) / 8),
            _ => return None,
        };
        let text = match s.kind {
            Kind::Parcel => s.texts.iter().find(|t| crate::about_width(t, size_px) < wide * 0.95)?,
            _ => s.texts.first()?,
        };
        let hidden = (mode == Mode::Surface).then_some(far_m);
        let ink = if s.kind == Kind::Parcel { [40, 50, 60] } else { PLAIN[self.dark] };
        let apart_px = if s.kind == Kind::Cover { 4.0 * self.text_px } else { 0.0 };
        Some(Label { ink, halo: self.halo, far_m: hidden, apart_px, ..Label::new(s.kind, text.clone(), at, size_px, rank) })
    }

    /// Values of contours: of each line the piece that lies flattest near the picture's middle.
    fn contours(&self, ground: &[Ground], screen: &Screen<'_>, out: &mut Vec<Label>) {
        let offset = screen.ecef_from_tile.w_axis.truncate();
        let [_, _, origin_m] = strata_model::geographic_from_ecef(offset.to_array());
        let above = (origin_m - self.look.geoid_offset_m) as f32;
        let mut best: BTreeMap<i32, (f32, Label)> = BTreeMap::new();
        for t in ground.iter().flat_map(|g| g.indices.chunks_exact(3).map(move |t| (g, t))) {
            let corner: Vec<Vec3> = t.1.iter().filter_map(|i| t.0.positions.get(*i as usize).copied()).collect();
            let [a, b, c] = corner[..] else { continue };
            let heights = [a.z + above, b.z + above, c.z + above];
            let (low, high) =
                (heights.iter().copied().fold(f32::INFINITY, f32::min), heights.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            for level in ((low / 5.0).ceil() as i32)..=((high / 5.0).floor() as i32) {
                let z = level as f32 * 5.0;
                let cut = |p: Vec3, q: Vec3| {
                    let (u, v) = (p.z + above - z, q.z + above - z);
                    (u * v < 0.0).then(|| p + (q - p) * (u / (u - v)))
                };
                let ends: Vec<Vec3> = [cut(a, b), cut(b, c), cut(c, a)].into_iter().flatten().collect();
                let (Some(p), Some(q)) = (ends.first(), ends.get(1)) else { continue };
                let (Some((p, far_m)), Some((q, _))) = (screen.at(*p), screen.at(*q)) else { continue };
                let length = (q[0] - p[0]).hypot(q[1] - p[1]);
                let metres_per_px = self.view.metres_per_px(f64::from(far_m)) as f32;
                let bold = level % 5 == 0;
                if length < 2.0 || metres_per_px > 10.0 {
                    continue;
                }
                let at = [(p[0] + q[0]) / 2.0, (p[1] + q[1]) / 2.0];
                let rank = if bold { 1200 } else { 1600 };
                let label =
                    Label::new(Kind::Contour, format!("{z:.0}"), at, self.text_px * if bold { 1.0 } else { 0.85 }, rank).along(p, q);
                let label =
                    Label { ink: [92, 70, 48], halo: [236, 230, 214], far_m: Some(far_m), apart_px: 230.0 * self.text_px / 14.0, ..label };
                let score = label.angle_deg.abs() + self.off_middle_px(at) as f32 * 0.05;
                if best.get(&level).is_none_or(|(s, _)| score < *s) {
                    best.insert(level, (score, label));
                }
            }
        }
        out.extend(best.into_values().map(|(_, l)| l));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rings of a tube and its hubs, as the mesher lays them.
    fn tube(row: u32, from: Vec3, to: Vec3, p: &mut Primitive) {
        for (centre, along) in [(from, 0.0), (to, from.distance(to))] {
            for k in 0..=6 {
                let (sin, cos) = (std::f32::consts::TAU * (k % 6) as f32 / 6.0).sin_cos();
                p.positions.push((centre + Vec3::new(0.0, 0.3 * cos, 0.3 * sin)).to_array());
                p.uv.push([k as f32 / 6.0, along]);
                p.feature_rows.push(row);
            }
            p.positions.push(centre.to_array());
            p.uv.push([0.5, along]);
            p.feature_rows.push(row);
        }
    }

    #[test]
    fn the_axis_of_a_tube_is_found_from_its_mesh() {
        let mut p = Primitive { role: Some(Role::Pipe), ..Default::default() };
        let ends = [Vec3::new(-20.0, 3.0, -2.0), Vec3::new(40.0, 3.0, -2.5)];
        tube(0, ends[0], ends[1], &mut p);
        tube(1, ends[1], ends[0], &mut p);
        for (row, vertices) in rows(&p) {
            let found = axes(&p, &vertices, None);
            assert_eq!(found.len(), 1);
            let want = if row == 0 { ends } else { [ends[1], ends[0]] };
            assert!(found[0].iter().zip(want).all(|(a, b)| a.distance(b) < 1e-4), "{row}: {found:?}");
        }
    }

    #[test]
    fn the_longest_straight_run_in_the_picture_takes_the_word() {
        let at = |x: f32, y: f32| Some(([x, y], 100.0));
        // 200 px to the right, then 900 px down, of which 500 lie in the picture.
        let (a, b, _) = run(&[at(100.0, 100.0), at(200.0, 100.0), at(300.0, 100.0), at(300.0, 1000.0)], [640, 614]).expect("a run");
        assert_eq!((a, b), ([300.0, 100.0], [300.0, 600.0]));
        assert!(run(&[at(-50.0, -10.0), at(900.0, -10.0)], [640, 480]).is_none(), "outside");
        assert!(run(&[None, at(10.0, 10.0)], [640, 480]).is_none(), "behind the eye");
    }
}
