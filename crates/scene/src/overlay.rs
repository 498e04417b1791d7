//! Application layers over the twin: what a scene or a page shows on top of the city, from any of its layers or from
//! GeoJSON. Here they are read, summed up, coloured and clustered; the renderer gives them bodies.
//!
//! Coordinates are GeoJSON's: `[lon_deg, lat_deg]` or with an ellipsoidal height in metres. A value that is missing, or no
//! finite number, is *no data*, which is never zero.

use crate::{SceneError, Title};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use strata_model::{Enu, Instant, ecef_from_geographic};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlayKind {
    /// Points as symbols; near ones gather under a true count.
    Icon,
    /// Prisms from the ground up, as high as their value: the base is zero.
    Column,
    /// A grid on the ground, each cell in the colour of its value; cells with none are hatched.
    Heat,
    /// From the first to the last point of a line, through the air.
    Arc,
    /// Polygons as bodies, as high as their value.
    Area,
    /// Lines on the ground.
    Track,
    /// Polygons on the ground, the larger value beneath the smaller: reach within minutes.
    Isochrone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    #[default]
    Mean,
    Sum,
    Count,
    Max,
}

/// Where the features come from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// A layer of the city.
    Layer(String),
    /// A FeatureCollection.
    Geojson(Value),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Paint {
    Plain(String),
    Map { categories: BTreeMap<String, String>, attribute: String },
    Ramp { domain: [f64; 2] },
}

/// One overlay of a scene, as `strata:overlays` has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    pub id: String,
    pub kind: OverlayKind,
    pub title: Title,
    pub source: Source,
    /// CQL2 text over the layer's attributes; the source's owner applies it.
    #[serde(default)]
    pub filter: Option<String>,
    /// The attribute that is shown.
    #[serde(default)]
    pub value: Option<String>,
    #[serde(default)]
    pub unit: String,
    /// Of what time the values are; in the reader's words.
    #[serde(default)]
    pub time: String,
    /// `"#RRGGBB"`, `{categories, attribute}` or `{domain}` of cividis; without it cividis over all values.
    #[serde(default)]
    colour: Option<Paint>,
    /// Side of a cell of heat, or of columns that gather points, m.
    #[serde(default)]
    pub cell_m: Option<f64>,
    #[serde(default)]
    pub aggregate: Aggregate,
    /// `[west, south, east, north]` degrees of the grid; without it, around the data.
    #[serde(default)]
    pub extent: Option<[f64; 4]>,
    /// Height of a column or body for each unit of its value.
    #[serde(default = "one")]
    pub metres_per_unit: f64,
    #[serde(default = "width_m")]
    pub width_m: f64,
    #[serde(default = "width_px")]
    pub width_px: f32,
    #[serde(default = "yes")]
    pub visible: bool,
    /// Features are datastreams of the same id: the newest observation is their value.
    #[serde(default)]
    pub live: bool,
}

fn one() -> f64 {
    1.0
}
fn width_m() -> f64 {
    20.0
}
fn width_px() -> f32 {
    4.0
}
fn yes() -> bool {
    true
}

impl Overlay {
    /// Reads one; `key` names it in the error.
    pub fn read(value: Value, key: &str) -> Result<Self, SceneError> {
        let fault = |reason: String| SceneError::Scene { key: key.into(), reason };
        let overlay: Self = serde_json::from_value(value).map_err(|e| fault(e.to_string()))?;
        let positive = |v: f64| v.is_finite() && v > 0.0;
        if !(positive(overlay.metres_per_unit) && positive(overlay.width_m) && positive(f64::from(overlay.width_px))) {
            return Err(fault("metres_per_unit, width_m and width_px are larger than 0".into()));
        }
        if overlay.cell_m.is_some_and(|c| !(c.is_finite() && c >= 1.0)) || (overlay.kind == OverlayKind::Heat && overlay.cell_m.is_none()) {
            return Err(fault("cell_m of at least 1 is wanted".into()));
        }
        if let Some([w, s, e, n]) = overlay.extent
            && !(w < e && s < n && w.abs() <= 180.0 && e.abs() <= 180.0 && s.abs() <= 90.0 && n.abs() <= 90.0)
        {
            return Err(fault("extent is [west, south, east, north] in degrees".into()));
        }
        let inks: Vec<&String> = match &overlay.colour {
            Some(Paint::Plain(c)) => vec![c],
            Some(Paint::Map { categories, .. }) => categories.values().collect(),
            Some(Paint::Ramp { domain }) if !(domain[0] < domain[1] && domain.iter().all(|v| v.is_finite())) => {
                return Err(fault("colour.domain rises".into()));
            }
            _ => Vec::new(),
        };
        if let Some(bad) = inks.into_iter().find(|c| hex(c).is_none()) {
            return Err(fault(format!("`{}` is no colour: #RRGGBB", bad.chars().take(20).collect::<String>())));
        }
        Ok(overlay)
    }
}

/// `#RRGGBB`.
pub fn hex(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.is_ascii())?;
    let part = |i: usize| u8::from_str_radix(&digits[i..i + 2], 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

/// Cividis (Nuñez, Anderton and Renslow 2018), ten stops; between them sRGB is mixed as it is encoded.
pub const CIVIDIS: [[u8; 3]; 10] = [
    [0x00, 0x20, 0x4D],
    [0x00, 0x33, 0x6F],
    [0x39, 0x48, 0x6B],
    [0x57, 0x5C, 0x6D],
    [0x70, 0x71, 0x73],
    [0x8A, 0x87, 0x79],
    [0xA6, 0x9D, 0x75],
    [0xC4, 0xB5, 0x6C],
    [0xE4, 0xCF, 0x5B],
    [0xFF, 0xEA, 0x46],
];
/// What carries no value and no colour of its own.
pub const PLAIN: [u8; 3] = [0x0B, 0x62, 0xB8];

/// `t` from 0 to 1.
pub fn cividis(t: f64) -> [u8; 3] {
    let x = t.clamp(0.0, 1.0) * 9.0;
    let k = (x as usize).min(8);
    let f = x - k as f64;
    [0, 1, 2].map(|c| (f64::from(CIVIDIS[k][c]) * (1.0 - f) + f64::from(CIVIDIS[k + 1][c]) * f).round() as u8)
}

#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Point([f64; 3]),
    Line(Vec<[f64; 3]>),
    /// Rings as GeoJSON has them, the first the shell.
    Area(Vec<Vec<[f64; 3]>>),
}

impl Shape {
    pub fn points(&self) -> Box<dyn Iterator<Item = &[f64; 3]> + '_> {
        match self {
            Self::Point(p) => Box::new(std::iter::once(p)),
            Self::Line(l) => Box::new(l.iter()),
            Self::Area(rings) => Box::new(rings.iter().flatten()),
        }
    }
}

/// A feature, or one part of a feature of several. Heights that the source does not know are NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: String,
    pub shape: Shape,
    /// `None`: no data.
    pub value: Option<f64>,
    pub category: String,
    /// Days since 1970-01-01, from included, to excluded.
    pub valid: (i32, i32),
}

/// An overlay with its features.
#[derive(Debug, Clone, PartialEq)]
pub struct OverlayData {
    pub overlay: Overlay,
    pub items: Vec<Item>,
    /// Features that have no geometry this kind can show.
    pub left_out: usize,
    domain: [f64; 2],
}

/// One cell of a grid over points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Column to the east and row to the north of the grid's south-west corner.
    pub at: [i32; 2],
    pub count: u32,
    /// `None`: nothing with a value lies here.
    pub value: Option<f64>,
}

/// A grid in east and north of `enu`, m.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    pub enu: Enu,
    pub south_west_m: [f64; 2],
    pub cell_m: f64,
    pub size: [i32; 2],
    /// Row by row from the south-west, every cell.
    pub cells: Vec<Cell>,
}

const MOST_CELLS: i64 = 1 << 18;

fn day(v: &Value, open: i32) -> i32 {
    v.as_str().and_then(|t| Instant::parse(t).ok()).map_or(open, Instant::day)
}

fn position(v: &Value) -> Option<[f64; 3]> {
    let c = v.as_array()?;
    let number = |i: usize| c.get(i).and_then(Value::as_f64);
    let (lon, lat) = (number(0)?, number(1)?);
    (lon.abs() <= 180.0 && lat.abs() <= 90.0).then(|| [lon, lat, number(2).unwrap_or(f64::NAN)])
}

fn shapes(g: &Value, out: &mut Vec<Shape>) {
    let list = |v: &Value| v.as_array().map(|a| a.iter().filter_map(position).collect::<Vec<_>>()).unwrap_or_default();
    let line = |v: &Value| Some(Shape::Line(list(v))).filter(|s| s.points().count() > 1);
    let area = |v: &Value| {
        let rings: Vec<Vec<[f64; 3]>> = v.as_array().map(|r| r.iter().map(list).collect()).unwrap_or_default();
        rings.first().is_some_and(|r| r.len() > 3).then_some(Shape::Area(rings))
    };
    let c = &g["coordinates"];
    let parts = || c.as_array().into_iter().flatten();
    match g["type"].as_str() {
        Some("Point") => out.extend(position(c).map(Shape::Point)),
        Some("MultiPoint") => out.extend(parts().filter_map(position).map(Shape::Point)),
        Some("LineString") => out.extend(line(c)),
        Some("MultiLineString") => out.extend(parts().filter_map(line)),
        Some("Polygon") => out.extend(area(c)),
        Some("MultiPolygon") => out.extend(parts().filter_map(area)),
        Some("GeometryCollection") => g["geometries"].as_array().into_iter().flatten().for_each(|g| shapes(g, out)),
        _ => {}
    }
}

/// The middle of a shape's box, for kinds that want a place.
fn middle(s: &Shape) -> [f64; 3] {
    let (mut low, mut high, mut sum, mut n) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2], 0.0, 0.0);
    for p in s.points() {
        for k in 0..2 {
            (low[k], high[k]) = (low[k].min(p[k]), high[k].max(p[k]));
        }
        (sum, n) = (sum + p[2], n + 1.0);
    }
    [(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0, sum / n]
}

impl OverlayData {
    /// The features of a FeatureCollection as this overlay shows them.
    pub fn new(overlay: Overlay, collection: &Value) -> Result<Self, SceneError> {
        let wrong = |reason: &str| SceneError::Scene { key: format!("strata:overlays `{}`", overlay.id), reason: reason.into() };
        let features = collection["features"].as_array().ok_or_else(|| wrong("its source is no FeatureCollection"))?;
        let (mut items, mut left_out) = (Vec::new(), 0);
        for (i, f) in features.iter().enumerate() {
            let properties = &f["properties"];
            let id = match &f["id"] {
                Value::String(id) => id.clone(),
                Value::Number(n) => n.to_string(),
                _ => format!("{i}"),
            };
            let value = overlay.value.as_ref().and_then(|name| properties[name].as_f64()).filter(|v| v.is_finite());
            let category = match &overlay.colour {
                Some(Paint::Map { attribute, .. }) => match &properties[attribute] {
                    Value::String(s) => s.clone(),
                    Value::Null => String::new(),
                    other => other.to_string(),
                },
                _ => String::new(),
            };
            let valid = (day(&properties["valid_from"], i32::MIN), day(&properties["valid_to"], i32::MAX));
            let mut parts = Vec::new();
            shapes(&f["geometry"], &mut parts);
            let before = items.len();
            for shape in parts {
                let shape = match (overlay.kind, shape) {
                    (OverlayKind::Icon | OverlayKind::Column | OverlayKind::Heat, s) => Shape::Point(middle(&s)),
                    (OverlayKind::Arc | OverlayKind::Track, s @ Shape::Line(_)) => s,
                    (OverlayKind::Area | OverlayKind::Isochrone, s @ Shape::Area(_)) => s,
                    _ => continue,
                };
                items.push(Item { id: id.clone(), shape, value, category: category.clone(), valid });
            }
            left_out += usize::from(items.len() == before);
        }
        let mut data = Self { overlay, items, left_out, domain: [0.0, 1.0] };
        data.domain = data.find_domain();
        Ok(data)
    }

    fn find_domain(&self) -> [f64; 2] {
        if let Some(Paint::Ramp { domain }) = &self.overlay.colour {
            return *domain;
        }
        let values: Vec<f64> = match self.overlay.cell_m {
            Some(_) => self.grid(None).into_iter().flat_map(|g| g.cells).filter_map(|c| c.value).collect(),
            None => self.items.iter().filter_map(|i| i.value).collect(),
        };
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        // Heights are read from zero.
        let low = if matches!(self.overlay.kind, OverlayKind::Column | OverlayKind::Area) { low.min(0.0) } else { low };
        if high > low {
            [low, high]
        } else if high.is_finite() {
            [low, low + 1.0]
        } else {
            [0.0, 1.0]
        }
    }

    /// Values at the ends of the ramp.
    pub fn domain(&self) -> [f64; 2] {
        self.domain
    }
    /// The values that occur, ascending.
    pub fn steps(&self) -> Vec<f64> {
        let mut all: Vec<f64> = self.items.iter().filter_map(|i| i.value).collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        all
    }
    /// Whether colour speaks of the value.
    pub fn ramped(&self) -> bool {
        matches!(&self.overlay.colour, None | Some(Paint::Ramp { .. })) && (self.overlay.value.is_some() || self.overlay.cell_m.is_some())
    }
    /// Categories that occur, with their colours, in the order of their names.
    pub fn categories(&self) -> Vec<(String, [u8; 3], usize)> {
        let Some(Paint::Map { categories, .. }) = &self.overlay.colour else { return Vec::new() };
        let count = |name: &str| self.items.iter().filter(|i| i.category == name).count();
        categories.iter().filter_map(|(name, c)| Some((name.clone(), hex(c)?, count(name)))).filter(|c| c.2 > 0).collect()
    }
    /// `None`: no data, to be hatched.
    pub fn colour(&self, value: Option<f64>, category: &str) -> Option<[u8; 3]> {
        match &self.overlay.colour {
            Some(Paint::Plain(c)) => hex(c),
            Some(Paint::Map { categories, .. }) => categories.get(category).and_then(|c| hex(c)),
            _ if self.ramped() => value.map(|v| cividis((v - self.domain[0]) / (self.domain[1] - self.domain[0]))),
            _ => Some(PLAIN),
        }
    }
    /// How many features there are and how many have what is shown.
    pub fn coverage(&self) -> (usize, usize) {
        let with = |i: &&Item| match &self.overlay.colour {
            Some(Paint::Map { categories, .. }) => categories.contains_key(&i.category),
            _ => self.overlay.value.is_none() || i.value.is_some(),
        };
        (self.items.len() + self.left_out, self.items.iter().filter(with).count())
    }

    /// The middle of everything, `[lon_deg, lat_deg, height_m]`: where the renderer puts its origin.
    pub fn middle(&self) -> Option<[f64; 3]> {
        let (mut low, mut high, mut sum, mut n) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2], 0.0, 0.0);
        for p in self.items.iter().flat_map(|i| i.shape.points()) {
            for k in 0..2 {
                (low[k], high[k]) = (low[k].min(p[k]), high[k].max(p[k]));
            }
            if p[2].is_finite() {
                (sum, n) = (sum + p[2], n + 1.0);
            }
        }
        (low[0] <= high[0]).then(|| [(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0, if n > 0.0 { sum / n } else { f64::NAN }])
    }

    /// Points gathered into square cells, true east and north at the grid's middle. `on`: only what stands on that day.
    pub fn grid(&self, on: Option<i32>) -> Option<Grid> {
        let cell_m = self.overlay.cell_m?;
        let middle = match self.overlay.extent {
            Some([w, s, e, n]) => [(w + e) / 2.0, (s + n) / 2.0, 0.0],
            None => self.middle().map(|m| [m[0], m[1], 0.0])?,
        };
        let enu = Enu::at_geographic(middle);
        let plan = |p: [f64; 3]| {
            let l = enu.local_from_ecef(ecef_from_geographic([p[0], p[1], 0.0]));
            [l[0], l[1]]
        };
        let all: Vec<([f64; 2], &Item)> = self.items.iter().map(|i| (plan(*i.shape.points().next().unwrap_or(&middle)), i)).collect();
        let corners: Vec<[f64; 2]> = match self.overlay.extent {
            Some([w, s, e, n]) => [[w, s], [e, s], [e, n], [w, n]].map(|c| plan([c[0], c[1], 0.0])).to_vec(),
            None => all.iter().map(|a| a.0).collect(),
        };
        let low = [0, 1].map(|k| (corners.iter().map(|c| c[k]).fold(f64::INFINITY, f64::min) / cell_m).floor() * cell_m);
        let high = [0, 1].map(|k| corners.iter().map(|c| c[k]).fold(f64::NEG_INFINITY, f64::max));
        let size = [0, 1].map(|k| (((high[k] - low[k]) / cell_m).floor() as i64 + 1).max(1));
        // A grid that nobody can draw is made coarser by its owner, not by us.
        if size[0].saturating_mul(size[1]) > MOST_CELLS {
            return None;
        }
        let size = size.map(|s| s as i32);
        let mut gathered: Vec<(u32, Vec<f64>)> = vec![(0, Vec::new()); (size[0] * size[1]) as usize];
        for (at, item) in all.iter().filter(|(_, i)| on.is_none_or(|d| i.valid.0 <= d && d < i.valid.1)) {
            let c = [0, 1].map(|k| ((at[k] - low[k]) / cell_m).floor() as i64);
            if c.iter().zip(size).all(|(c, s)| *c >= 0 && *c < i64::from(s)) {
                let cell = &mut gathered[(c[1] * i64::from(size[0]) + c[0]) as usize];
                cell.0 += 1;
                cell.1.extend(item.value);
            }
        }
        let cells = gathered.into_iter().enumerate().map(|(i, (count, values))| {
            let sum: f64 = values.iter().sum();
            let value = match self.overlay.aggregate {
                Aggregate::Count => (count > 0).then_some(f64::from(count)),
                _ if values.is_empty() => None,
                Aggregate::Sum => Some(sum),
                Aggregate::Mean => Some(sum / values.len() as f64),
                Aggregate::Max => values.iter().copied().max_by(f64::total_cmp),
            };
            Cell { at: [i as i32 % size[0], i as i32 / size[0]], count, value }
        });
        Some(Grid { enu, south_west_m: low, cell_m, size, cells: cells.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn point(id: &str, lon: f64, lat: f64, v: Value) -> Value {
        json!({ "type": "Feature", "id": id, "geometry": { "type": "Point", "coordinates": [lon, lat] }, "properties": { "v": v } })
    }

    fn overlay(more: Value) -> Overlay {
        let mut all = json!({ "id": "o", "kind": "heat", "title": { "zh": "试", "en": "Trial" }, "source": { "layer": "x" }, "value": "v", "cell_m": 100 });
        all.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        Overlay::read(all, "strata:overlays[0]").expect("an overlay")
    }

    #[test]
    fn a_grid_gathers_what_lies_in_it_and_nothing_is_not_zero() {
        // Around 125.32 E 43.88 N a degree is 80 355 m of longitude and 111 110 m of latitude (WGS 84, by its radii of curvature).
        let at = |e: f64, n: f64| (125.32 + e / 80_355.0, 43.88 + n / 111_110.0);
        let mut features = Vec::new();
        for (i, (e, n, v)) in [
            (-240.0, -140.0, json!(2.0)),
            (-210.0, -110.0, json!(4.0)),
            (-60.0, -140.0, json!(0.0)),
            (240.0, 140.0, json!(null)),
            (60.0, 60.0, json!(10.0)),
        ]
        .into_iter()
        .enumerate()
        {
            let (lon, lat) = at(e, n);
            features.push(point(&i.to_string(), lon, lat, v));
        }
        let (w, s) = at(-290.0, -190.0);
        let (e, n) = at(290.0, 190.0);
        let data = OverlayData::new(overlay(json!({ "extent": [w, s, e, n] })), &json!({ "features": features })).expect("data");
        let grid = data.grid(None).expect("a grid");
        assert_eq!(grid.size, [6, 4], "{:?}", grid.south_west_m);
        let cell = |x: i32, y: i32| grid.cells[(y * 6 + x) as usize];
        assert_eq!((cell(0, 0).count, cell(0, 0).value), (2, Some(3.0)));
        assert_eq!(cell(2, 0).value, Some(0.0), "zero is a value");
        assert_eq!((cell(5, 3).count, cell(5, 3).value), (1, None), "no value is no zero");
        assert_eq!(cell(3, 2).value, Some(10.0));
        assert_eq!(grid.cells.iter().map(|c| c.count).sum::<u32>(), 5);
        assert_eq!((data.coverage(), data.domain()), ((5, 4), [0.0, 10.0]));
        assert_eq!((data.colour(Some(0.0), ""), data.colour(None, "")), (Some(CIVIDIS[0]), None));
        assert_eq!(data.colour(Some(10.0), ""), Some(CIVIDIS[9]));
    }

    #[test]
    fn what_is_no_overlay_is_named() {
        let read = |v: Value| Overlay::read(v, "strata:overlays[3]").expect_err("refused").to_string();
        let base = json!({ "id": "o", "kind": "column", "title": { "zh": "", "en": "" }, "source": { "layer": "x" } });
        let with = |k: &str, v: Value| {
            let mut o = base.clone();
            o[k] = v;
            o
        };
        for (v, word) in [
            (with("kind", json!("pie")), "pie"),
            (with("metres_per_unit", json!(0)), "metres_per_unit"),
            (with("colour", json!("red")), "red"),
            (with("kind", json!("heat")), "cell_m"),
            (with("extent", json!([2, 0, 1, 1])), "extent"),
            (with("colr", json!("#000000")), "colr"),
        ] {
            let text = read(v);
            assert!(text.contains(word) && text.contains("strata:overlays[3]"), "{text}");
        }
        assert!(OverlayData::new(overlay(json!({})), &json!([])).is_err());
    }
}
