//! EPANET and SWMM networks. Every link becomes a feature of `pipes` (`link_kind` says pipe, pump, valve, conduit,
//! …), every node one of `pipe_points` (`node_kind`: junction, reservoir, tank, outfall, storage, …); both keep the
//! numbers that a simulation needs, in metres, millimetres and litres a second.
//!
//! Coordinates in an `.inp` are plan numbers in no CRS: the import asks for the source CRS. When that is the city's
//! own the numbers are taken as they stand, even far outside it (a benchmark network lies nowhere).
//!
//! Patterns and curves belong to no place: nodes name their `pattern`, and the first reservoir (or tank, or node)
//! carries all of them as JSON in `patterns_json` and `curves_json`, and options, times, controls and rules as they stand
//! in the file in `model_json`.

mod epanet;
mod sections;
mod swmm;

use crate::{
    IngestError,
    layers::{Values, extra},
    output::Output,
    place::Place,
    survey,
};
pub(crate) use epanet::read as read_epanet;
use sections::{Record, Refused, Sections};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use strata_model::{Feature, FeatureId, Field, FieldKind, Geometry, Layer, Point3, Value};
pub(crate) use swmm::read as read_swmm;

pub(crate) const M_PER_FT: f64 = 0.3048;
const MM_PER_IN: f64 = 25.4;

/// Litres a second in one unit of flow, and whether lengths are feet and inches.
fn flow_unit(name: &str) -> Option<(f64, bool)> {
    Some(match name.to_ascii_uppercase().as_str() {
        "CFS" => (28.316_846_592, true),
        "GPM" => (3.785_411_784 / 60.0, true),
        "MGD" => (3.785_411_784e6 / 86_400.0, true),
        "IMGD" => (4.546_09e6 / 86_400.0, true),
        "AFD" => (1_233_481.837_547_52 / 86_400.0, true),
        "LPS" => (1.0, false),
        "LPM" => (1.0 / 60.0, false),
        "MLD" => (1.0e6 / 86_400.0, false),
        "CMH" => (1000.0 / 3600.0, false),
        "CMD" => (1000.0 / 86_400.0, false),
        "CMS" => (1000.0, false),
        _ => return None,
    })
}

/// A node with its record, as the readers fill it.
struct Node {
    id: String,
    section: &'static str,
    line: usize,
    /// Height of the point that is drawn, m.
    z: f64,
    values: Vec<(&'static str, Value)>,
}

struct Link {
    id: String,
    section: &'static str,
    line: usize,
    ends: [String; 2],
    /// Height of the axis at each end, m; the node's own where it is not known.
    axis: [Option<f64>; 2],
    values: Vec<(&'static str, Value)>,
}

struct Network<'a> {
    sections: &'a Sections,
    place: Place,
    pipes: Arc<Layer>,
    points: Arc<Layer>,
}

fn begin<'a>(sections: &'a Sections, out: &mut Output<'_>) -> Result<Network<'a>, IngestError> {
    let Some(crs) = &out.options.source_crs else {
        return Err(out.error(
            "invalid-crs",
            "an .inp says no CRS; name the source CRS of its coordinates, or the city's own to take the numbers as they stand",
        ));
    };
    if sections.encoding != "UTF-8" {
        out.report.note(format!("read as {}", sections.encoding));
    }
    if out.options.layer.is_some() {
        out.report.note("a network fills `pipes` and `pipe_points`; the layer asked for is not used");
    }
    let working = &out.options.frame.crs;
    let place = Place::from_crs(crs, working, out.path)?;
    if crs.horizontal == working.horizontal {
        out.area = None;
    }
    Ok(Network {
        sections,
        place,
        pipes: survey::layer("pipes", link_fields(), out)?,
        points: survey::layer("pipe_points", node_fields(), out)?,
    })
}

impl Network<'_> {
    /// Coordinates of nodes (`COOR`) and bends of links (`VERT`), in the file's numbers.
    fn plan(&self, out: &mut Output<'_>) -> (HashMap<&str, [f64; 2]>, HashMap<&str, Vec<[f64; 2]>>) {
        let xy = |r: &Record| Some([r.number(1, "x").ok()??, r.number(2, "y").ok()??]);
        let mut at = HashMap::new();
        let mut faulty = 0;
        for r in self.sections.of("COOR") {
            match xy(r) {
                Some(p) => {
                    at.insert(r.id(), p);
                }
                None => faulty += 1,
            }
        }
        let mut bends: HashMap<&str, Vec<[f64; 2]>> = HashMap::new();
        for r in self.sections.of("VERT") {
            match xy(r) {
                Some(p) => bends.entry(r.id()).or_default().push(p),
                None => faulty += 1,
            }
        }
        if faulty > 0 {
            out.report.note(format!("{faulty} coordinate lines are not readable"));
        }
        (at, bends)
    }

    fn write(
        &self,
        nodes: Vec<Result<Node, (String, String, Refused)>>,
        links: Vec<Result<Link, (String, String, Refused)>>,
        out: &mut Output<'_>,
    ) -> Result<(), IngestError> {
        let (at, bends) = self.plan(out);
        out.layer(&self.points)?;
        out.layer(&self.pipes)?;
        let mut standing: HashMap<String, (f64, [f64; 2])> = HashMap::new();
        for node in nodes {
            let n = match node {
                Ok(n) => n,
                Err((id, place, (code, reason))) => {
                    out.refuse(Some(&id), place, code, reason);
                    continue;
                }
            };
            let place = format!("[{}] line {}", n.section, n.line);
            let Some(&xy) = at.get(n.id.as_str()) else {
                out.refuse(Some(&n.id), place, "no-coordinates", "no coordinates in [COORDINATES]");
                continue;
            };
            let mut p = [[xy[0], xy[1], n.z]];
            self.place.points(&mut p);
            let mut values = n.values;
            values.push(("model_row", (n.line as i64).into()));
            let f = feature(&self.points, &n.id, Geometry::Point(p[0]), values, out);
            if out.put(&self.points, f, || place)? {
                standing.insert(n.id, (n.z, xy));
            }
        }
        for link in links {
            let l = match link {
                Ok(l) => l,
                Err((id, place, (code, reason))) => {
                    out.refuse(Some(&id), place, code, reason);
                    continue;
                }
            };
            let place = format!("[{}] line {}", l.section, l.line);
            let ends: Vec<_> = l.ends.iter().map(|e| standing.get(e)).collect();
            let [Some(a), Some(b)] = ends[..] else {
                let gone = if ends[0].is_none() { &l.ends[0] } else { &l.ends[1] };
                out.refuse(Some(&l.id), place, "missing-point", format!("node {gone} is not defined or was refused"));
                continue;
            };
            let mut plan = vec![a.1];
            plan.extend(bends.get(l.id.as_str()).into_iter().flatten());
            plan.push(b.1);
            let mut axis = drape(&plan, l.axis[0].unwrap_or(a.0), l.axis[1].unwrap_or(b.0));
            self.place.points(&mut axis);
            let mut values = l.values;
            values.push(("model_row", (l.line as i64).into()));
            let f = feature(&self.pipes, &l.id, Geometry::LineString(axis), values, out);
            out.put(&self.pipes, f, || place)?;
        }
        Ok(())
    }

    /// `{"name": [numbers]}` of `[PATTERNS]` or `[CURVES]`; a record that is not numbers is left out. Curves are lists
    /// of pairs written one after the other. `None` when there are none.
    fn series(&self, section: &'static str) -> Option<String> {
        let mut all: std::collections::BTreeMap<&str, Vec<f64>> = std::collections::BTreeMap::new();
        for r in self.sections.of(section) {
            // SWMM puts a word (MONTHLY, a curve's kind) behind the name of the first line.
            let numbers = r.fields[1..].iter().filter_map(|t| crate::text::number(t));
            all.entry(r.id()).or_default().extend(numbers);
        }
        (!all.is_empty()).then(|| serde_json::to_string(&all).ok()).flatten()
    }

    /// Gives patterns and curves to the node that keeps them.
    fn keep_series(&self, nodes: &mut [Result<Node, (String, String, Refused)>], sources: &[&str]) {
        let found = |s: &str| nodes.iter().position(|n| n.as_ref().is_ok_and(|n| n.section == s));
        let keeper = sources.iter().find_map(|s| found(s)).or_else(|| nodes.iter().position(Result::is_ok));
        if let Some(Ok(n)) = keeper.map(|i| &mut nodes[i]) {
            n.values.push(("patterns_json", self.series("PATT").into()));
            n.values.push(("curves_json", self.series("CURV").into()));
            n.values.push(("model_json", self.rest().into()));
        }
    }

    /// What steers a simulation and belongs to no place, as the file has it and in the file's units: `{"OPTIONS": ["…"]}`.
    fn rest(&self) -> Option<String> {
        const KEPT: [&str; 7] = ["OPTIONS", "TIMES", "CONTROLS", "RULES", "EMITTERS", "DEMANDS", "TANKS"];
        let lines = |s: &'static str| self.sections.of(&s[..4]).map(|r| r.fields.join(" ")).collect::<Vec<_>>();
        let all: std::collections::BTreeMap<&str, Vec<String>> =
            KEPT.into_iter().map(|s| (s, lines(s))).filter(|(_, l)| !l.is_empty()).collect();
        (!all.is_empty()).then(|| serde_json::to_string(&all).ok()).flatten()
    }
}

fn feature(layer: &Layer, id: &str, geometry: Geometry, values: Vec<(&'static str, Value)>, out: &Output<'_>) -> Feature {
    let mut v = Values::of(layer);
    for (name, value) in values {
        v.set(layer, name, value);
    }
    Feature { id: FeatureId::new(id), geometry, valid: out.valid(None), attributes: v.into_vec() }
}

/// Heights along a plan line, even from end to end.
fn drape(plan: &[[f64; 2]], from: f64, to: f64) -> Vec<Point3> {
    let step = |w: &[[f64; 2]]| (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1]);
    let total: f64 = plan.windows(2).map(step).sum();
    let mut gone = 0.0;
    let mut out = Vec::with_capacity(plan.len());
    for (i, p) in plan.iter().enumerate() {
        if i > 0 {
            gone += step(&plan[i - 1..=i]);
        }
        let t = if total > 0.0 {
            gone / total
        } else if i == 0 {
            0.0
        } else {
            1.0
        };
        out.push([p[0], p[1], from + (to - from) * t]);
    }
    out
}

/// Runs a record's reader and keeps what a refusal needs.
fn tried<T>(r: &Record, section: &str, read: impl FnOnce(&Record) -> Result<T, Refused>) -> Result<T, (String, String, Refused)> {
    read(r).map_err(|e| (r.id().to_owned(), format!("[{section}] line {}", r.line), e))
}

/// A solver's rounding depends on the order of its rows.
fn row() -> Field {
    extra("model_row", FieldKind::Int, "模型行号", "Line of the model's file", "")
}

fn link_fields() -> Vec<Field> {
    use FieldKind::{Float, Int, Text};
    vec![
        extra("link_kind", Text, "管段类型", "Kind of link", ""),
        extra("length_m", Float, "长度", "Length", "m"),
        extra("roughness", Float, "粗糙系数", "Roughness, in the file's own sense", ""),
        extra("minor_loss", Float, "局部损失系数", "Minor loss", ""),
        extra("initial_status", Text, "初始状态", "Initial status", ""),
        extra("setting", Text, "设定", "Setting of a pump or valve, as the file has it", ""),
        extra("barrels", Int, "孔数", "Barrels", ""),
        extra("section", Text, "断面", "Section as the file has it", ""),
        row(),
    ]
}

fn node_fields() -> Vec<Field> {
    use FieldKind::{Float, Text};
    vec![
        row(),
        extra("node_kind", Text, "节点类型", "Kind of node", ""),
        extra("elevation_m", Float, "高程", "Elevation", "m"),
        extra("base_demand_lps", Float, "基本需水量", "Base demand", "l/s"),
        extra("pattern", Text, "模式", "Pattern", ""),
        extra("initial_level_m", Float, "初始水位", "Initial level", "m"),
        extra("min_level_m", Float, "最低水位", "Least level", "m"),
        extra("max_level_m", Float, "最高水位", "Greatest level", "m"),
        extra("tank_diameter_m", Float, "水池直径", "Tank diameter", "m"),
        extra("patterns_json", Text, "模式表", "Patterns of the network", ""),
        extra("curves_json", Text, "曲线表", "Curves of the network", ""),
        extra("model_json", Text, "模型参数", "Options, times, controls and rules, as the file has them", ""),
    ]
}

/// Ids that a section holds, for look-ups by other sections.
fn ids<'s>(sections: &'s Sections, starts: &[&'s str]) -> HashSet<&'s str> {
    starts.iter().flat_map(|s| sections.of(s)).map(Record::id).collect()
}
