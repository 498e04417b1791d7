//! 横断面: what a vertical plane cuts.
//!
//! The plane stands on a line in plan of two points or more; stations run along it. A pipe cut square shows its true
//! circle or rectangle, one cut obliquely the exact ellipse or parallelogram of its straight piece. Pipes inside a band around
//! the line that do not meet it can be shown projected. Working frame, m; heights above the city's datum.

mod drawn;

pub(crate) use drawn::{footer, label};

use crate::{
    clearance::{
        Plan, nearest_in_plan,
        obstacles::{Carriageways, footprints, roads},
    },
    ground::Ground,
    inputs::{around, line_input, number, pipe_json, shown},
    pipe::{Pipe, Section},
    rules::rules,
};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use strata_engine::{Analysis, AnalysisError, EngineError, View};
use strata_model::{Bounds2, Geometry, Point3, Query, Theme};

/// Longer sections are refused.
const MOST_LENGTH_M: f64 = 5_000.0;

/// One pipe in the plane.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Number of the pipe in [`Cross::pipes`].
    pub pipe: u32,
    pub station_m: f64,
    /// Height of the axis in the plane.
    pub axis_m: f64,
    /// Angle between pipe and plane in plan, degrees: 90 is square.
    pub angle_deg: f64,
    /// Outline in the plane, station and height, counter-clockwise, not closed: 4 corners of a box, 48 points of an ellipse.
    pub outline: Vec<[f64; 2]>,
    /// Semi-axes of an ellipse, m: the smaller is the radius.
    pub semi_axes_m: Option<[f64; 2]>,
    pub ground_m: Option<f64>,
    /// It does not meet the plane; it is shown where it is nearest, so many metres away.
    pub projected_m: Option<f64>,
}

impl Cut {
    /// Extent along the plane.
    fn span(&self) -> [f64; 2] {
        let s = |pick: fn(f64, f64) -> f64, from: f64| self.outline.iter().map(|p| p[0]).fold(from, pick);
        [s(f64::min, f64::INFINITY), s(f64::max, f64::NEG_INFINITY)]
    }
    pub fn top_m(&self) -> f64 {
        self.outline.iter().map(|p| p[1]).fold(f64::NEG_INFINITY, f64::max)
    }
}

/// A stretch of the line with something on the ground.
#[derive(Debug, Clone)]
pub struct Over {
    pub name: String,
    pub from_m: f64,
    pub to_m: f64,
    /// Of a building.
    pub height_m: Option<f64>,
    pub base_m: Option<f64>,
}

/// All that a plane meets.
#[derive(Debug)]
pub struct Cross {
    pub line: Vec<[f64; 2]>,
    pub length_m: f64,
    pub pipes: Vec<Pipe>,
    /// By station.
    pub cuts: Vec<Cut>,
    /// Station and height, in pieces where the ground has gaps.
    pub ground: Vec<Vec<[f64; 2]>>,
    pub carriageways: Vec<Over>,
    pub buildings: Vec<Over>,
    /// Stations of planning lines, with their kind.
    pub control_lines: Vec<(f64, String)>,
    pub synthetic: bool,
    /// Distance to the nearest pipe when none is cut, m.
    pub nearest_m: Option<f64>,
}

/// Station and height of the points, and the semi-axes of an ellipse.
type Outline = (Vec<[f64; 2]>, Option<[f64; 2]>);

/// Outline of a straight piece in a vertical plane through `foot` (plan) along `along` (unit, plan). `None` for a piece that
/// runs in the plane (less than 3° to it).
fn outline(axis: [Point3; 2], section: Section, foot: [f64; 2], along: [f64; 2], station: f64) -> Option<Outline> {
    let d = [0, 1, 2].map(|k| axis[1][k] - axis[0][k]);
    let length = d.iter().map(|v| v * v).sum::<f64>().sqrt();
    let d = d.map(|v| v / length);
    let normal = [-along[1], along[0]];
    let through = d[0] * normal[0] + d[1] * normal[1];
    if !(length > 0.0 && through.abs() > 3f64.to_radians().sin()) {
        return None;
    }
    let level = d[0].hypot(d[1]);
    let side = if level > 1e-9 { [-d[1] / level, d[0] / level, 0.0] } else { [1.0, 0.0, 0.0] };
    // Square to axis and side, upwards.
    let up = [-d[2] * side[1], d[2] * side[0], d[0] * side[1] - d[1] * side[0]];
    let up = [-d[2] * d[0] / level.max(1e-9), -d[2] * d[1] / level.max(1e-9), up[2]];
    // Along the axis from a point beside it until the plane is met.
    let hit = |w: f64, h: f64| {
        let p = [0, 1, 2].map(|k| axis[0][k] + side[k] * w + up[k] * h);
        let t = -((p[0] - foot[0]) * normal[0] + (p[1] - foot[1]) * normal[1]) / through;
        let q = [0, 1, 2].map(|k| p[k] + d[k] * t);
        [station + (q[0] - foot[0]) * along[0] + (q[1] - foot[1]) * along[1], q[2]]
    };
    Some(match section {
        Section::Round { outer_diameter_m } => {
            let r = outer_diameter_m / 2.0;
            let n = 48;
            let points = (0..n).map(|i| (f64::from(i) / f64::from(n) * std::f64::consts::TAU).sin_cos()).map(|(s, c)| hit(r * c, r * s));
            (points.collect(), Some([r, r / through.abs()]))
        }
        Section::Rect { width_m, height_m } => {
            let (w, h) = (width_m / 2.0, height_m / 2.0);
            ([[-w, -h], [w, -h], [w, h], [-w, h]].into_iter().map(|[w, h]| hit(w, h)).collect(), None)
        }
    })
}

/// What pipes a line cuts, by station. With a band, what lies in it and is not cut is projected.
pub fn cuts(pipes: &[Pipe], line: &[[f64; 2]], band_m: f64, ground: &Ground) -> Vec<Cut> {
    let pieces: Vec<(u32, [Point3; 2])> = pipes
        .iter()
        .enumerate()
        .flat_map(|(i, p)| p.axis.windows(2).map(move |w| (i as u32, [w[0], w[1]])))
        .filter(|(_, a)| a.iter().flatten().all(|v| v.is_finite()))
        .collect();
    let boxes: Vec<[f64; 4]> = pieces.iter().map(|(_, [a, b])| [a[0].min(b[0]), a[1].min(b[1]), a[0].max(b[0]), a[1].max(b[1])]).collect();
    let plan = Plan::new(&boxes);
    let half = band_m / 2.0;
    let (mut out, mut near): (Vec<Cut>, Vec<Cut>) = (Vec::new(), Vec::new());
    let mut station = 0.0;
    for w in line.windows(2) {
        let (a, b) = (w[0], w[1]);
        let length = (b[0] - a[0]).hypot(b[1] - a[1]);
        if length < 1e-9 {
            continue;
        }
        let along = [(b[0] - a[0]) / length, (b[1] - a[1]) / length];
        let leg = [[a[0], a[1], 0.0], [b[0], b[1], 0.0]];
        let window = [a[0].min(b[0]) - half, a[1].min(b[1]) - half, a[0].max(b[0]) + half, a[1].max(b[1]) + half];
        plan.within(&window, &mut |i| {
            let (pipe, axis) = pieces[i as usize];
            let section = pipes[pipe as usize].section;
            let (between, s, t) = nearest_in_plan(leg, axis);
            if between > half {
                return;
            }
            let at = [0, 1, 2].map(|k| axis[0][k] + (axis[1][k] - axis[0][k]) * t);
            let here = station + s * length;
            let d = [axis[1][0] - axis[0][0], axis[1][1] - axis[0][1]];
            let level = d[0].hypot(d[1]);
            let cos = if level > 0.0 { ((d[0] * along[0] + d[1] * along[1]) / level).abs().min(1.0) } else { 0.0 };
            let cut = if between == 0.0 { outline(axis, section, a, along, station) } else { None };
            let (projected_m, (outline, semi_axes_m)) = match cut {
                Some(o) => (None, o),
                // Beside the plane, or in it: its square section where it is nearest.
                None => {
                    let square = [[at[0] - along[1], at[1] + along[0], at[2]], [at[0] + along[1], at[1] - along[0], at[2]]];
                    let foot = [a[0] + along[0] * s * length, a[1] + along[1] * s * length];
                    let foot = if between == 0.0 { foot } else { [at[0], at[1]] };
                    let Some(o) = self::outline(square, section, foot, along, here) else { return };
                    (Some(between), o)
                }
            };
            let ground_m = ground.height_m([at[0], at[1]]);
            let one = Cut {
                pipe,
                station_m: here,
                axis_m: at[2],
                angle_deg: cos.acos().to_degrees(),
                outline,
                semi_axes_m,
                ground_m,
                projected_m,
            };
            if one.projected_m.is_none() { out.push(one) } else { near.push(one) }
        });
        station += length;
    }
    let order = |a: &Cut, b: &Cut| a.station_m.total_cmp(&b.station_m).then(b.axis_m.total_cmp(&a.axis_m)).then(a.pipe.cmp(&b.pipe));
    out.sort_by(order);
    // The line goes through a joint: one pipe, met in both of its pieces.
    out.dedup_by(|b, a| {
        let (p, q) = (&pipes[a.pipe as usize], &pipes[b.pipe as usize]);
        p.class == q.class && (a.station_m - b.station_m).abs() < 0.01 && (a.axis_m - b.axis_m).abs() < 0.01
    });
    // Of each run of pipes beside the plane the nearest, and none that is cut.
    near.sort_by(|a, b| a.projected_m.unwrap_or(0.0).total_cmp(&b.projected_m.unwrap_or(0.0)));
    for n in near {
        let p = &pipes[n.pipe as usize];
        let same = |c: &Cut| {
            let q = &pipes[c.pipe as usize];
            c.pipe == n.pipe
                || (p.class == q.class
                    && p.subclass == q.subclass
                    && (c.station_m - n.station_m).abs() < 0.5
                    && (c.axis_m - n.axis_m).abs() < 0.5)
        };
        if !out.iter().any(same) {
            out.push(n);
        }
    }
    out.sort_by(order);
    out
}

/// Ground along a line: station and height, in pieces.
pub(crate) fn ground_line(ground: &Ground, line: &[[f64; 2]]) -> Vec<Vec<[f64; 2]>> {
    let mut out: Vec<Vec<[f64; 2]>> = Vec::new();
    let mut station = 0.0;
    for w in line.windows(2) {
        let length = (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1]);
        for s in ground.along(w[0], w[1]) {
            let ends = [0, 1].map(|k| [station + s.t[k] * length, s.z[k]]);
            match out.last_mut().filter(|l| l.last().is_some_and(|p| (p[0] - ends[0][0]).abs() < 1e-6)) {
                Some(l) => l.push(ends[1]),
                None => out.push(ends.to_vec()),
            }
        }
        station += length;
    }
    // A point on a straight stretch says nothing.
    for l in &mut out {
        let mut k = 1;
        while k + 1 < l.len() {
            let (a, b, c) = (l[k - 1], l[k], l[k + 1]);
            let straight = (a[1] + (c[1] - a[1]) * (b[0] - a[0]) / (c[0] - a[0]).max(1e-9) - b[1]).abs() < 1e-6;
            if straight {
                l.remove(k);
            } else {
                k += 1;
            }
        }
    }
    out
}

/// Stretches of a line inside carriageways: looked at every 0.5 m, borders found to 1 mm.
fn carriageway_spans(ways: &Carriageways, line: &[[f64; 2]]) -> Vec<Over> {
    let name = |p: [f64; 2]| ways.at(p).next().map(|r| r.name.clone());
    let mut out: Vec<Over> = Vec::new();
    let mut station = 0.0;
    for w in line.windows(2) {
        let length = (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1]);
        let at = |s: f64| [0, 1].map(|k| w[0][k] + (w[1][k] - w[0][k]) * (s / length.max(1e-9)));
        let n = (length / 0.5).ceil().max(1.0) as usize;
        let mut last = (0.0, name(at(0.0)));
        let mut from = last.1.clone().map(|n| (0.0, n));
        for i in 1..=n {
            let s = length * i as f64 / n as f64;
            let here = name(at(s));
            if here.is_some() != last.1.is_some() {
                let (mut lo, mut hi) = (last.0, s);
                while hi - lo > 1e-3 {
                    let m = (lo + hi) / 2.0;
                    if name(at(m)).is_some() == last.1.is_some() { lo = m } else { hi = m }
                }
                match from.take() {
                    Some((f, name)) => out.push(Over { name, from_m: station + f, to_m: station + hi, height_m: None, base_m: None }),
                    None => from = here.clone().map(|n| (hi, n)),
                }
            }
            last = (s, here);
        }
        if let Some((f, name)) = from {
            out.push(Over { name, from_m: station + f, to_m: station + length, height_m: None, base_m: None });
        }
        station += length;
    }
    out
}

/// Where a line is inside rings, as stations.
fn inside_spans(rings: &[Vec<[f64; 2]>], line: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut out = Vec::new();
    let mut station = 0.0;
    for w in line.windows(2) {
        let leg = [[w[0][0], w[0][1], 0.0], [w[1][0], w[1][1], 0.0]];
        let length = (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1]);
        let mut ts = vec![0.0, 1.0];
        for e in rings.iter().flat_map(|r| r.windows(2)) {
            let (d, s, _) = nearest_in_plan(leg, [[e[0][0], e[0][1], 0.0], [e[1][0], e[1][1], 0.0]]);
            if d == 0.0 {
                ts.push(s);
            }
        }
        ts.sort_by(f64::total_cmp);
        for t in ts.windows(2).filter(|t| t[1] - t[0] > 1e-9) {
            let m = (t[0] + t[1]) / 2.0;
            let p = [0, 1].map(|k| w[0][k] + (w[1][k] - w[0][k]) * m);
            if crate::clearance::obstacles::within(rings, p) {
                out.push([station + t[0] * length, station + t[1] * length]);
            }
        }
        station += length;
    }
    out
}

/// Everything that the plane on `line` meets, in a band around it.
pub fn cross(view: &View, line: &[[f64; 2]], band_m: f64) -> Result<Cross, EngineError> {
    let mut b = Bounds2::EMPTY;
    line.iter().for_each(|p| b.extend(*p));
    let pipes = around(view, b, band_m / 2.0 + 1.0)?;
    let ground = Ground::around(view, b)?;
    let cuts = cuts(&pipes, line, band_m, &ground);
    let ways = Carriageways::new(roads(view, b)?);
    let (mut buildings, mut control_lines, mut synthetic) = (Vec::new(), Vec::new(), false);
    for layer in view.snapshot.layers(view.scope) {
        synthetic |= layer.synthetic && matches!(layer.theme, Theme::Pipe | Theme::Terrain);
        if !matches!(layer.theme, Theme::Building | Theme::ControlLine) {
            continue;
        }
        let q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at).within(b.with_all_heights());
        view.snapshot.for_each(&q, &mut |f| {
            if layer.theme == Theme::Building {
                let base = f.geometry.bounds().map(|b| b.min[2]);
                let tall = f.number(&layer, "height_m").or_else(|| f.geometry.bounds().map(|b| b.max[2] - b.min[2]));
                let name = f.text(&layer, "name").map_or_else(|| f.id.to_string(), str::to_owned);
                for rings in footprints(&f.geometry) {
                    for [from_m, to_m] in inside_spans(&rings, line) {
                        buildings.push(Over { name: name.clone(), from_m, to_m, height_m: tall, base_m: base });
                    }
                }
            } else if let Geometry::LineString(l) = &f.geometry {
                let mut station = 0.0;
                for w in line.windows(2) {
                    let leg = [[w[0][0], w[0][1], 0.0], [w[1][0], w[1][1], 0.0]];
                    let length = (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1]);
                    for e in l.windows(2) {
                        let (d, s, _) = nearest_in_plan(leg, [e[0], e[1]]);
                        if d == 0.0 {
                            control_lines.push((station + s * length, f.text(&layer, "kind").unwrap_or("").to_owned()));
                        }
                    }
                    station += length;
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    buildings.sort_by(|a, b| a.from_m.total_cmp(&b.from_m));
    control_lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let nearest_m = if cuts.is_empty() { nearest(view, line, b)? } else { None };
    let length_m = line.windows(2).map(|w| (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1])).sum();
    let ground = ground_line(&ground, line);
    let carriageways = carriageway_spans(&ways, line);
    Ok(Cross { line: line.to_vec(), length_m, pipes, cuts, ground, carriageways, buildings, control_lines, synthetic, nearest_m })
}

/// The nearest pipe within 1 km.
fn nearest(view: &View, line: &[[f64; 2]], b: Bounds2) -> Result<Option<f64>, EngineError> {
    for reach in [50.0, 250.0, 1000.0] {
        let mut best = f64::INFINITY;
        for p in around(view, b, reach)? {
            for w in p.axis.windows(2) {
                for l in line.windows(2) {
                    let leg = [[l[0][0], l[0][1], 0.0], [l[1][0], l[1][1], 0.0]];
                    best = best.min(nearest_in_plan(leg, [w[0], w[1]]).0);
                }
            }
        }
        if best <= reach {
            return Ok(Some(best));
        }
    }
    Ok(None)
}

pub const SECTION: Analysis = Analysis {
    id: "section",
    title_en: "Cross-section",
    title_zh: "横断面分析",
    about: "What a vertical plane on a line cuts: pipes as true circles, ellipses and rectangles at station and height with code, size, material, cover and the chain of spacings, the ground line, kerbs, buildings, planning lines and the frost line; as data and, when asked, as SVG and DXF drawings to scale.",
    inputs: r#"{"type":"object","required":["line"],"properties":{
        "line":{"description":"LineString of two points or more, at most 5 km","format":"geojson-geometry","type":"object"},
        "width_m":{"description":"Pipes in a band of this width that the line does not cut are shown projected","type":"number","default":0,"maximum":200},
        "frost_depth_m":{"type":"number","default":1.69},
        "exaggeration":{"description":"Of heights in the drawings","type":"number","default":1,"minimum":1,"maximum":20},
        "title":{"description":"Of the drawings","type":"string"},
        "paper_mm":{"description":"Width and height of the sheet that a drawing must fit, at a usual scale","type":"array","items":{"type":"number"},"minItems":2,"maxItems":2},
        "drawings":{"description":"Which drawings the answer carries","type":"array","items":{"enum":["svg","dxf"]},"default":[]}}}"#,
    outputs: r#"{"type":"object","properties":{
        "length_m":{"type":"number"},
        "cuts":{"description":"By station: pipe, station_m, axis_m, top_m, bottom_m, cover_m, angle_deg, semi_axes_m or outline, at (Point); projected_m for what is only near","type":"array"},
        "spacing":{"description":"Between neighbours: centres_m and clear_m along the plane","type":"array"},
        "ground":{"description":"Pieces of [station, height]","type":"array"},
        "frost_depth_m":{"type":"number"},
        "carriageways":{"description":"from_m (kerb), to_m (kerb), name","type":"array"},"buildings":{"type":"array"},"control_lines":{"type":"array"},
        "synthetic":{"type":"boolean"},"note":{"type":"string"},
        "svg":{"type":"string"},"dxf":{"type":"string"}}}"#,
    run,
};

/// `drawings` of the inputs: SVG, DXF.
pub(crate) fn wanted_drawings(inputs: &Value) -> Result<[bool; 2], AnalysisError> {
    let Some(v) = inputs.get("drawings").filter(|v| !v.is_null()) else { return Ok([false; 2]) };
    let bad = || AnalysisError::input("/drawings", "a list of `svg` and `dxf` is wanted");
    let list: Vec<&str> = v.as_array().ok_or_else(bad)?.iter().map(|x| x.as_str().unwrap_or_default()).collect();
    if list.iter().any(|w| !["svg", "dxf"].contains(w)) {
        return Err(bad());
    }
    Ok(["svg", "dxf"].map(|w| list.contains(&w)))
}

/// `paper_mm` of the inputs.
pub(crate) fn paper(inputs: &Value) -> Result<Option<[f64; 2]>, AnalysisError> {
    let Some(v) = inputs.get("paper_mm").filter(|v| !v.is_null()) else { return Ok(None) };
    let side = |k: usize| v.get(k).and_then(Value::as_f64).filter(|x| (100.0..=5000.0).contains(x));
    match (v.as_array().map(Vec::len), side(0), side(1)) {
        (Some(2), Some(w), Some(h)) => Ok(Some([w, h])),
        _ => Err(AnalysisError::input("/paper_mm", "a width and a height from 100 to 5000 are wanted")),
    }
}

pub(crate) fn title(inputs: &Value, default: &str) -> String {
    inputs.get("title").and_then(Value::as_str).unwrap_or(default).chars().take(80).collect()
}

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let line: Vec<[f64; 2]> = line_input(inputs, "line")?.into_iter().map(|p| [p[0], p[1]]).collect();
    let length: f64 = line.windows(2).map(|w| (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1])).sum();
    if length > MOST_LENGTH_M {
        return Err(AnalysisError::input("/line", format!("it is {length:.0} m long, more than {MOST_LENGTH_M:.0} m")));
    }
    let band = number(inputs, "width_m", 0.0, 0.0, 200.0)?;
    let frost = number(inputs, "frost_depth_m", rules().value("frost-depth-changchun"), 0.0, 10.0)?;
    let exaggeration = number(inputs, "exaggeration", 1.0, 1.0, 20.0)?;
    let (drawings, paper) = (wanted_drawings(inputs)?, paper(inputs)?);
    let c = cross(view, &line, band)?;
    let cut_json = |cut: &Cut| {
        let bottom = cut.outline.iter().map(|p| p[1]).fold(f64::INFINITY, f64::min);
        let mut out = json!({
            "pipe": pipe_json(&c.pipes[cut.pipe as usize]), "station_m": shown(cut.station_m), "axis_m": shown(cut.axis_m),
            "top_m": shown(cut.top_m()), "bottom_m": shown(bottom), "angle_deg": (cut.angle_deg * 10.0).round() / 10.0,
            "cover_m": cut.ground_m.map(|g| shown(g - cut.top_m())), "ground_m": cut.ground_m.map(shown),
            "at": crate::inputs::point_json(at_station(&c.line, cut.station_m, cut.axis_m)),
        });
        match cut.semi_axes_m {
            Some(s) => out["semi_axes_m"] = json!(s.map(shown)),
            None => out["outline"] = json!(cut.outline.iter().map(|p| p.map(shown)).collect::<Vec<_>>()),
        }
        if let Some(m) = cut.projected_m {
            out["projected_m"] = shown(m).into();
        }
        out
    };
    let over = |o: &Over| json!({ "name": o.name, "from_m": shown(o.from_m), "to_m": shown(o.to_m), "height_m": o.height_m, "base_m": o.base_m.map(shown) });
    let mut out = json!({
        "length_m": shown(c.length_m),
        "cuts": c.cuts.iter().map(cut_json).collect::<Vec<_>>(),
        "spacing": spacing(&c.cuts).into_iter().map(|s| json!({ "centres_m": shown(s.0), "clear_m": shown(s.1) })).collect::<Vec<_>>(),
        "ground": c.ground.iter().map(|l| l.iter().map(|p| p.map(shown)).collect::<Vec<_>>()).collect::<Vec<_>>(),
        "frost_depth_m": frost,
        "carriageways": c.carriageways.iter().map(over).collect::<Vec<_>>(),
        "buildings": c.buildings.iter().map(over).collect::<Vec<_>>(),
        "control_lines": c.control_lines.iter().map(|l| json!({ "station_m": shown(l.0), "kind": l.1 })).collect::<Vec<_>>(),
        "synthetic": c.synthetic,
    });
    if c.cuts.is_empty() {
        out["note"] = match c.nearest_m {
            Some(m) => format!("the plane meets no pipe; the nearest is {m:.1} m away").into(),
            None => "the plane meets no pipe, and none lies within 1 km".into(),
        };
    } else if c.ground.is_empty() {
        out["note"] = "there is no terrain along the line".into();
    }
    if drawings != [false; 2] {
        let drawing = drawn::draw(&c, frost, exaggeration, &title(inputs, "管线横断面图 Cross-section"), paper);
        if drawings[0] {
            out["svg"] = drawing.svg().into();
        }
        if drawings[1] {
            out["dxf"] = drawing.dxf().into();
        }
    }
    Ok(out)
}

/// Between neighbours along the plane: centre to centre, and face to face (negative: one above the other).
fn spacing(cuts: &[Cut]) -> Vec<(f64, f64)> {
    cuts.windows(2).map(|w| (w[1].station_m - w[0].station_m, w[1].span()[0] - w[0].span()[1])).collect()
}

/// The place of a station on a line in plan.
pub(crate) fn at_station(line: &[[f64; 2]], station: f64, z: f64) -> Point3 {
    let mut left = station;
    for (i, w) in line.windows(2).enumerate() {
        let length = (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1]);
        if left <= length || i + 2 == line.len() {
            let t = if length > 0.0 { left / length } else { 0.0 };
            return [w[0][0] + (w[1][0] - w[0][0]) * t, w[0][1] + (w[1][1] - w[0][1]) * t, z];
        }
        left -= length;
    }
    line.first().map_or([f64::NAN; 3], |p| [p[0], p[1], z])
}

#[cfg(test)]
mod tests;
