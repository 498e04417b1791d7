//! 纵断面: a chain of pipes along its own length.
//!
//! The chain is given by ids, in any order, or found as the shortest way in the network between two places. Stations run
//! along the axis in plan. At every straight piece: ground, top, invert, slope; wells and other points; other pipes
//! that cross as rings with their clear distance. A drain's piece that rises along its flow is a reverse fall (逆坡), one that
//! falls less than GB 50014-2021 5.2.10 asks is named. Working frame, m.

mod chain;
mod drawn;

pub use chain::{order, shortest};

use crate::{
    clearance::{Body, end_keys, gap, nearest_in_plan},
    ground::Ground,
    inputs::{around, ids, line_json, number, pipe_json, pipes_by_ids, plan_bounds, point_input, point_json, shown},
    pipe::{Pipe, Section},
    rules::{Rule, rules},
    section::{at_station, ground_line, paper, title, wanted_drawings},
};
use serde_json::{Value, json};
use std::{collections::HashSet, ops::ControlFlow};
use strata_engine::{Analysis, AnalysisError, EngineError, View};
use strata_model::{Bounds2, Geometry, Point3, Query, Theme};

/// A pipe of the chain, `against`: its axis runs against the stations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub pipe: u32,
    pub against: bool,
}

/// One straight piece of the chain.
#[derive(Debug, Clone)]
pub struct Run {
    /// Number of the pipe in [`Profile::pipes`].
    pub pipe: u32,
    pub station_m: [f64; 2],
    pub axis: [Point3; 2],
    pub top_m: [f64; 2],
    pub invert_m: [f64; 2],
    /// Fall of the invert along the stations, ‰ of the length in plan (negative: it rises).
    pub fall_permille: f64,
    /// 1 the flow runs with the stations, −1 against; 0 not a drain.
    pub flow: i8,
    /// It rises along its flow.
    pub reverse: bool,
    /// It falls less than this asks.
    pub flat: Option<Rule>,
}

/// A well, valve or other point on the chain.
#[derive(Debug, Clone)]
pub struct Spot {
    pub station_m: f64,
    pub id: String,
    pub kind: String,
    pub name: String,
    pub ground_m: Option<f64>,
    pub depth_m: Option<f64>,
}

/// Another pipe that crosses.
#[derive(Debug, Clone)]
pub struct Ring {
    /// Number of the pipe in [`Profile::others`].
    pub pipe: u32,
    pub station_m: f64,
    pub axis_m: f64,
    /// Outer faces in space; negative: they clash.
    pub clear_m: f64,
    pub above: bool,
}

#[derive(Debug)]
pub struct Profile {
    pub pipes: Vec<Pipe>,
    pub others: Vec<Pipe>,
    pub runs: Vec<Run>,
    pub line: Vec<[f64; 2]>,
    pub ground: Vec<Vec<[f64; 2]>>,
    pub spots: Vec<Spot>,
    pub rings: Vec<Ring>,
    /// Steps up at a joint along the flow: station and height of the step.
    pub steps: Vec<(f64, f64)>,
    pub synthetic: bool,
}

fn body(p: &Pipe, axis: [Point3; 2]) -> Body {
    match p.section {
        Section::Round { outer_diameter_m: d } => Body { axis, half_m: [d / 2.0; 2], round: true },
        Section::Rect { width_m, height_m } => Body { axis, half_m: [width_m / 2.0, height_m / 2.0], round: false },
    }
}

/// Straight pieces of an ordered chain with stations, and the steps up at joints. Drains without a declared flow are taken to
/// run the way the whole chain falls.
pub fn runs(pipes: &[Pipe], chain: &[Link]) -> (Vec<Run>, Vec<(f64, f64)>) {
    let mut out: Vec<Run> = Vec::new();
    let mut station = 0.0;
    for link in chain {
        let p = &pipes[link.pipe as usize];
        let half = p.section.half_height_m();
        let bore = p.dn_mm.map_or(half, |d| (d / 2000.0).min(half));
        let mut axis: Vec<Point3> = p.axis.iter().copied().filter(|a| a.iter().all(|v| v.is_finite())).collect();
        let mut surveyed = [p.start_invert_m, p.end_invert_m];
        if link.against {
            axis.reverse();
            surveyed.reverse();
        }
        let last = axis.len().saturating_sub(2);
        for (i, w) in axis.windows(2).enumerate() {
            let length = (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1]);
            let invert = [0, 1].map(|k| {
                let own = if (k == 0 && i == 0) || (k == 1 && i == last) { surveyed[k].filter(|v| v.is_finite()) } else { None };
                own.unwrap_or(w[k][2] - bore)
            });
            let fall = if length > 1e-6 { (invert[0] - invert[1]) / length * 1000.0 } else { 0.0 };
            out.push(Run {
                pipe: link.pipe,
                station_m: [station, station + length],
                axis: [w[0], w[1]],
                top_m: [w[0][2] + half, w[1][2] + half],
                invert_m: invert,
                fall_permille: fall,
                flow: match p.flow_dir {
                    _ if !p.is_gravity() => 0,
                    Some(1) => {
                        if link.against {
                            1
                        } else {
                            -1
                        }
                    }
                    Some(_) => {
                        if link.against {
                            -1
                        } else {
                            1
                        }
                    }
                    None => 2, // decided below
                },
                reverse: false,
                flat: None,
            });
            station += length;
        }
    }
    let falls = out.first().zip(out.last()).is_none_or(|(a, b)| a.invert_m[0] >= b.invert_m[1]);
    for r in &mut out {
        if r.flow == 2 {
            r.flow = if falls { 1 } else { -1 };
        }
        if r.flow != 0 {
            let length = r.station_m[1] - r.station_m[0];
            let fall = f64::from(r.flow) * r.fall_permille;
            // A millimetre is what a survey writes down.
            r.reverse = fall * length / 1000.0 < -1e-3;
            r.flat = rules()
                .min_slope(&pipes[r.pipe as usize])
                .filter(|m| !r.reverse && length > 1.0 && fall / 1000.0 < m.value.unwrap_or(0.0) - 1e-5);
        }
    }
    let steps = out.windows(2).filter(|w| w[0].flow != 0 && w[0].flow == w[1].flow).filter_map(|w| {
        let up = f64::from(w[0].flow) * (w[1].invert_m[0] - w[0].invert_m[1]);
        (up > 1e-3).then_some((w[1].station_m[0], up))
    });
    let steps = steps.collect();
    (out, steps)
}

/// The profile of an ordered chain.
pub fn profile(view: &View, pipes: Vec<Pipe>, chain: &[Link]) -> Result<Profile, EngineError> {
    let (runs, steps) = runs(&pipes, chain);
    let mut line: Vec<[f64; 2]> = runs.iter().map(|r| [r.axis[0][0], r.axis[0][1]]).collect();
    line.extend(runs.last().map(|r| [r.axis[1][0], r.axis[1][1]]));
    let b = plan_bounds(runs.iter().map(|r| r.axis.as_slice()));
    let ground = ground_line(&Ground::around(view, b)?, &line);
    let own: HashSet<(&str, &str)> = pipes.iter().map(|p| (p.layer.as_str(), p.id.as_str())).collect();
    let mut others = around(view, b, 1.0)?;
    others.retain(|p| !own.contains(&(p.layer.as_str(), p.id.as_str())));
    let rings = rings(&pipes, &runs, &others);
    let (spots, synthetic) = spots(view, &pipes, &runs, b)?;
    Ok(Profile { pipes, others, runs, line, ground, spots, rings, steps, synthetic })
}

fn rings(pipes: &[Pipe], runs: &[Run], others: &[Pipe]) -> Vec<Ring> {
    let mut out: Vec<Ring> = Vec::new();
    for (n, o) in others.iter().enumerate() {
        for r in runs {
            let p = &pipes[r.pipe as usize];
            let meets = end_keys(p).iter().flatten().any(|k| *k != 0 && end_keys(o).iter().flatten().any(|x| x == k));
            if meets {
                continue;
            }
            for w in o.axis.windows(2).filter(|w| w.iter().flatten().all(|v| v.is_finite())) {
                let (between, s, t) = nearest_in_plan(r.axis, [w[0], w[1]]);
                if between == 0.0 {
                    let z = |a: &[Point3], t: f64| a[0][2] + (a[1][2] - a[0][2]) * t;
                    let clear_m = gap(&body(p, r.axis), &body(o, [w[0], w[1]])).gap_m;
                    let station_m = r.station_m[0] + (r.station_m[1] - r.station_m[0]) * s;
                    out.push(Ring { pipe: n as u32, station_m, axis_m: z(w, t), clear_m, above: z(w, t) > z(&r.axis, s) });
                }
            }
        }
    }
    out.sort_by(|a, b| a.station_m.total_cmp(&b.station_m).then(a.pipe.cmp(&b.pipe)));
    out.dedup_by(|b, a| a.pipe == b.pipe && (a.station_m - b.station_m).abs() < 0.01);
    out
}

/// Points of the chain's own class within 0.5 m of a point of its axis.
fn spots(view: &View, pipes: &[Pipe], runs: &[Run], b: Bounds2) -> Result<(Vec<Spot>, bool), EngineError> {
    let (mut out, mut synthetic) = (Vec::new(), false);
    for layer in view.snapshot.layers(view.scope) {
        synthetic |= layer.synthetic && layer.theme == Theme::Pipe;
        if layer.theme != Theme::PipePoint {
            continue;
        }
        let q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at).within(b.grown(0.5).with_all_heights());
        view.snapshot.for_each(&q, &mut |f| {
            let Geometry::Point(p) = f.geometry else { return ControlFlow::Continue(()) };
            let class = f.text(&layer, "class").map(crate::pipe::Class::parse);
            let subclass = f.text(&layer, "subclass").unwrap_or_default();
            let best = runs
                .iter()
                .filter(|r| {
                    let own = &pipes[r.pipe as usize];
                    class.is_none_or(|c| c == own.class)
                        && (subclass.is_empty() || own.subclass.is_empty() || subclass.ends_with(&own.subclass))
                })
                .flat_map(|r| [0, 1].map(|k| (r.station_m[k], (r.axis[k][0] - p[0]).hypot(r.axis[k][1] - p[1]))))
                .min_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((station_m, _)) = best.filter(|b| b.1 < 0.5) {
                let text = |name: &str| f.text(&layer, name).unwrap_or_default().to_owned();
                let name = if text("appurtenance").is_empty() { text("feature") } else { text("appurtenance") };
                let number = |name: &str| f.number(&layer, name).filter(|v| v.is_finite());
                out.push(Spot {
                    station_m,
                    id: f.id.to_string(),
                    kind: text("kind"),
                    name,
                    ground_m: number("ground_m"),
                    depth_m: number("depth_m"),
                });
            }
            ControlFlow::Continue(())
        })?;
    }
    out.sort_by(|a, b| a.station_m.total_cmp(&b.station_m).then(a.id.cmp(&b.id)));
    Ok((out, synthetic))
}

pub const PROFILE: Analysis = Analysis {
    id: "profile",
    title_en: "Long profile",
    title_zh: "纵断面分析",
    about: "A chain of pipes along its length, by ids or as the shortest way between two places: ground, top, invert, slope, wells, crossing pipes with their clear distance; reverse falls of drains, steps up at wells and slopes under GB 50014-2021 5.2.10; as data and, when asked, as SVG and DXF drawings.",
    inputs: r#"{"type":"object","properties":{
        "pipes":{"description":"The pipes of one chain (ids), in any order","type":"array","items":{"type":"string"}},
        "from":{"description":"Point: the way begins at the nearest pipe","format":"geojson-geometry","type":"object"},
        "to":{"description":"Point: the way ends at the nearest pipe of the same class","format":"geojson-geometry","type":"object"},
        "class":{"description":"Class of the way (JS, PS …)","type":"string"},
        "exaggeration":{"description":"Of heights in the drawings","type":"number","default":10,"minimum":1,"maximum":50},
        "title":{"description":"Of the drawings","type":"string"},
        "paper_mm":{"description":"Width and height of the sheet that a drawing must fit, at a usual scale","type":"array","items":{"type":"number"},"minItems":2,"maxItems":2},
        "drawings":{"description":"Which drawings the answer carries","type":"array","items":{"enum":["svg","dxf"]},"default":[]}}}"#,
    outputs: r#"{"type":"object","properties":{
        "faults":{"description":"Pieces of reverse fall and steps up","type":"integer"},
        "length_m":{"type":"number"},"axis":{"description":"LineString of the chain","type":"object"},
        "runs":{"description":"Straight pieces: pipe, from_m, to_m, top_m, invert_m, fall_permille, reverse, flat (rule not met)","type":"array"},
        "ground":{"description":"Pieces of [station, height]","type":"array"},
        "points":{"description":"Wells, valves …: station_m, id, kind, name, ground_m, depth_m","type":"array"},
        "crossings":{"description":"station_m, pipe, axis_m, clear_m, above, at (Point)","type":"array"},
        "steps":{"type":"array"},"flat":{"description":"Pieces that fall less than the rule asks","type":"integer"},"synthetic":{"type":"boolean"},
        "svg":{"type":"string"},"dxf":{"type":"string"}}}"#,
    run,
};

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let (drawings, paper) = (wanted_drawings(inputs)?, paper(inputs)?);
    let exaggeration = number(inputs, "exaggeration", 10.0, 1.0, 50.0)?;
    let (pipes, chain) = match (ids(inputs, "pipes")?, point_input(inputs, "from")?, point_input(inputs, "to")?) {
        (Some(ids), None, None) => {
            let pipes = pipes_by_ids(view, &ids)?;
            let chain =
                order(&pipes).map_err(|i| AnalysisError::input("/pipes", format!("pipe {} does not continue the chain", pipes[i].id)))?;
            (pipes, chain)
        }
        (None, Some(from), Some(to)) => {
            let class = inputs.get("class").and_then(Value::as_str).map(crate::pipe::Class::parse);
            let mut b = Bounds2::EMPTY;
            b.extend(from);
            b.extend(to);
            let reach = ((to[0] - from[0]).hypot(to[1] - from[1]) * 0.5).clamp(300.0, 3000.0);
            let all: Vec<Pipe> = around(view, b, reach)?.into_iter().filter(|p| class.is_none_or(|c| c == p.class)).collect();
            let way = shortest(&all, from, to).map_err(|what| AnalysisError::input("/to", what))?;
            let chosen: Vec<Pipe> = way.iter().map(|l| all[l.pipe as usize].clone()).collect();
            let chain = way.iter().enumerate().map(|(i, l)| Link { pipe: i as u32, against: l.against }).collect();
            (chosen, chain)
        }
        _ => return Err(AnalysisError::input("/pipes", "either `pipes`, or `from` and `to`, are wanted")),
    };
    let p = profile(view, pipes, &chain)?;
    if p.runs.is_empty() {
        return Err(AnalysisError::input("/pipes", "the chain has no piece with finite places"));
    }
    let run_json = |r: &Run| {
        json!({
            "pipe": pipe_json(&p.pipes[r.pipe as usize]), "from_m": shown(r.station_m[0]), "to_m": shown(r.station_m[1]),
            "top_m": r.top_m.map(shown), "invert_m": r.invert_m.map(shown), "fall_permille": shown(r.fall_permille),
            "flow": r.flow, "reverse": r.reverse, "flat": r.flat,
        })
    };
    let reverse = p.runs.iter().filter(|r| r.reverse).count() + p.steps.len();
    let mut axis: Vec<Point3> = p.runs.iter().map(|r| r.axis[0]).collect();
    axis.extend(p.runs.last().map(|r| r.axis[1]));
    let mut out = json!({
        "faults": reverse,
        "length_m": shown(p.runs.last().map_or(0.0, |r| r.station_m[1])),
        "axis": line_json(&axis),
        "runs": p.runs.iter().map(run_json).collect::<Vec<_>>(),
        "ground": p.ground.iter().map(|l| l.iter().map(|p| p.map(shown)).collect::<Vec<_>>()).collect::<Vec<_>>(),
        "points": p.spots.iter().map(|s| json!({
            "station_m": shown(s.station_m), "id": s.id, "kind": s.kind, "name": s.name, "ground_m": s.ground_m, "depth_m": s.depth_m,
        })).collect::<Vec<_>>(),
        "crossings": p.rings.iter().map(|r| json!({
            "station_m": shown(r.station_m), "pipe": pipe_json(&p.others[r.pipe as usize]), "axis_m": shown(r.axis_m),
            "clear_m": shown(r.clear_m), "above": r.above, "at": point_json(at_station(&p.line, r.station_m, r.axis_m)),
        })).collect::<Vec<_>>(),
        "steps": p.steps.iter().map(|s| json!({ "station_m": shown(s.0), "up_m": shown(s.1) })).collect::<Vec<_>>(),
        "flat": p.runs.iter().filter(|r| r.flat.is_some()).count(),
        "synthetic": p.synthetic,
    });
    if drawings != [false; 2] {
        let drawing = drawn::draw(&p, exaggeration, &title(inputs, "管线纵断面图 Long profile"), paper);
        if drawings[0] {
            out["svg"] = drawing.svg().into();
        }
        if drawings[1] {
            out["dxf"] = drawing.dxf().into();
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
