//! A water network as a hydraulic model. What was imported from an EPANET file keeps its demands, patterns, curves,
//! pumps, valves, options and controls; a surveyed network has none of them, so [`Assumptions`] stand in and are said.

use crate::{
    joining::only,
    network::{LinkKind, NONE, Network, PointKind},
    users::{HOUSEHOLD, Users},
};
use serde_json::Value as Json;
use std::{
    cell::LazyCell,
    collections::{BTreeMap, HashSet},
    fmt::Write,
    ops::ControlFlow,
};
use strata_engine::{EngineError, View};
use strata_model::{Feature, Layer, Theme};

/// What stands in for a model that a surveyed network does not have.
#[derive(Debug, Clone, PartialEq)]
pub struct Assumptions {
    /// Pressure head of every source above the axis of its pipe, m.
    pub source_head_m: f64,
    /// 80 to 135 litres a person and day in Jilin (GB/T 50331-2002).
    pub litres_per_person_day: f64,
    /// Of the hour asked about over the mean of the day.
    pub peak_factor: f64,
    /// Multipliers of the hours of a day, for an extended period; none: one steady moment.
    pub pattern: Vec<f64>,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self { source_head_m: 45.0, litres_per_person_day: 110.0, peak_factor: 1.4, pattern: Vec::new() }
    }
}

/// Hazen-Williams coefficient by material: the usual table of textbooks for pipes in service (Rossman et al. 2020,
/// EPANET 2.2 User Manual, table 3.2).
pub fn hazen_williams(material: &str) -> f64 {
    match material {
        m if m.contains("球墨") => 130.0,
        m if m.contains("铸铁") || m == "ZT" => 100.0,
        m if m.contains('钢') || m == "G" => 120.0,
        m if m.contains("混凝土") || m == "T" => 120.0,
        m if m.contains("PE") || m.contains("PVC") => 140.0,
        _ => 120.0,
    }
}

#[derive(Debug, Clone, Default)]
struct NodeData {
    row: i64,
    elevation_m: f64,
    demand_lps: f64,
    pattern: Option<String>,
    reservoir: bool,
    tank: Option<[f64; 4]>,
}

#[derive(Debug, Clone)]
struct LinkData {
    row: i64,
    length_m: f64,
    diameter_mm: f64,
    roughness: Option<f64>,
    minor_loss: f64,
    status: Option<String>,
    setting: Option<String>,
}

const NODE_ATTRIBUTES: [&str; 12] = [
    "node_kind",
    "model_row",
    "elevation_m",
    "base_demand_lps",
    "pattern",
    "initial_level_m",
    "min_level_m",
    "max_level_m",
    "tank_diameter_m",
    "patterns_json",
    "curves_json",
    "model_json",
];
const LINK_ATTRIBUTES: [&str; 6] = ["model_row", "dn_mm", "roughness", "minor_loss", "initial_status", "setting"];

/// A network ready to be solved: one node and one link for each of the [`Network`]'s.
#[derive(Debug)]
pub struct Model {
    /// It came with its own demands and options.
    pub imported: bool,
    /// What was assumed, for the answer.
    pub notes: Vec<String>,
    nodes: Vec<NodeData>,
    links: Vec<LinkData>,
    /// As the file has them: the solver gives its own results then, to the last digit that the order of rows decides.
    order: [Vec<u32>; 2],
    /// Id in the file for each node and link.
    pub(crate) node_ids: Vec<String>,
    pub(crate) link_ids: Vec<String>,
    patterns: BTreeMap<String, Vec<f64>>,
    curves: BTreeMap<String, Vec<f64>>,
    sections: BTreeMap<String, Vec<String>>,
    /// Litres a second and metres in the file's units of flow and length; millimetres in its unit of diameter.
    pub(crate) flow_lps: f64,
    pub(crate) length_m: f64,
    diameter_mm: f64,
}

/// Litres a second in a flow unit of EPANET, and whether its lengths are feet.
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

impl Model {
    /// The model of the network at the view's moment, as the asker sees it.
    pub fn read(view: &View, net: &Network, assume: &Assumptions) -> Result<Self, EngineError> {
        let mut new = Self {
            imported: false,
            notes: Vec::new(),
            nodes: vec![NodeData { row: i64::MAX, ..NodeData::default() }; net.nodes.len()],
            links: Vec::with_capacity(net.edges.len()),
            order: Default::default(),
            node_ids: Vec::new(),
            link_ids: Vec::new(),
            patterns: BTreeMap::new(),
            curves: BTreeMap::new(),
            sections: BTreeMap::new(),
            flow_lps: 1.0,
            length_m: 1.0,
            diameter_mm: 1.0,
        };
        let mut features: Vec<Option<LinkData>> = vec![None; net.edges.len()];
        for layer in view.snapshot.layers(view.scope) {
            match layer.theme {
                Theme::PipePoint if layer.field("node_kind").is_some() => {
                    let (layer, q) = only(view, &layer, &NODE_ATTRIBUTES);
                    view.snapshot.for_each(&q, &mut |f| {
                        if let Some(n) = net.node_of(f.id.as_str()) {
                            new.take_node(&layer, &f, n);
                        }
                        ControlFlow::Continue(())
                    })?;
                }
                Theme::Pipe if layer.field("link_kind").is_some() => {
                    let (layer, q) = only(view, &layer, &LINK_ATTRIBUTES);
                    view.snapshot.for_each(&q, &mut |f| {
                        if let Some(edges) = net.edges_of(f.id.as_str()) {
                            let data = link_data(&layer, &f);
                            edges.for_each(|e| features[e as usize] = Some(data.clone()));
                        }
                        ControlFlow::Continue(())
                    })?;
                }
                _ => {}
            }
        }
        if let Some((flow, us)) = new.option("UNITS").and_then(|u| flow_unit(&u)).or(new.imported.then_some((3.785_411_784 / 60.0, true))) {
            new.flow_lps = flow;
            (new.length_m, new.diameter_mm) = if us { (0.3048, 25.4) } else { (1.0, 1.0) };
        }
        let williams = new.option("HEADLOSS").is_none_or(|h| h.to_ascii_uppercase().starts_with("H-W"));
        let mut bare = 0;
        for (i, (e, data)) in net.edges.iter().zip(features).enumerate() {
            let row = net.pipe(i as u32);
            let mut data = data.unwrap_or(LinkData {
                row: i64::MAX,
                length_m: e.length_m,
                diameter_mm: row.diameter_m * 1000.0,
                roughness: None,
                minor_loss: 0.0,
                status: None,
                setting: None,
            });
            data.length_m = e.length_m.max(0.01);
            if data.diameter_mm <= 0.0 {
                data.diameter_mm = crate::pipe::ASSUMED_DIAMETER_M * 1000.0;
                bare += 1;
            }
            if data.roughness.is_none_or(|r| r <= 0.0) {
                // 0.1 mm, or 0.33 thousandths of a foot, where the file asks for a height of roughness.
                let height = if new.length_m == 1.0 { 0.1 } else { 0.328 };
                data.roughness = Some(if williams { hazen_williams(net.word(row.material)) } else { height });
            }
            new.links.push(data);
        }
        if bare > 0 {
            new.notes.push(format!("{bare} pipes have no size: {} m taken", crate::pipe::ASSUMED_DIAMETER_M));
        }
        for (n, data) in net.nodes.iter().zip(&mut new.nodes) {
            if !new.imported {
                data.elevation_m = n.at[2];
            } else if data.elevation_m == 0.0 && !n.surveyed {
                data.elevation_m = n.at[2]; // a node that a proposal brought
            }
        }
        if !new.imported {
            new.assume(view, net, assume)?;
        }
        new.order = [net.nodes.len(), net.edges.len()].map(|n| (0..n as u32).collect());
        new.order[0].sort_by_key(|n| new.nodes[*n as usize].row);
        new.order[1].sort_by_key(|e| new.links[*e as usize].row);
        new.node_ids = ids(net.nodes.iter().map(|n| n.id.as_ref().map(|i| i.as_str())), "n");
        new.link_ids = ids((0..net.edges.len() as u32).map(|e| Some(net.pipe(e).id.as_str())), "p");
        Ok(new)
    }

    fn take_node(&mut self, layer: &Layer, f: &Feature, n: u32) {
        let text = |name: &str| f.text(layer, name).filter(|t| !t.is_empty());
        let Some(kind) = text("node_kind") else { return };
        self.imported = true;
        let number = |name: &str| f.number(layer, name).filter(|v| v.is_finite());
        let data = &mut self.nodes[n as usize];
        data.row = row(layer, f);
        data.elevation_m = number("elevation_m").unwrap_or(0.0);
        data.demand_lps = number("base_demand_lps").unwrap_or(0.0);
        data.pattern = text("pattern").map(str::to_owned);
        data.reservoir = kind == "reservoir";
        if kind == "tank" {
            data.tank = Some(["initial_level_m", "min_level_m", "max_level_m", "tank_diameter_m"].map(|n| number(n).unwrap_or(0.0)));
        }
        let series = |name: &str| text(name).and_then(|t| serde_json::from_str(t).ok());
        if let Some(p) = series("patterns_json") {
            self.patterns = p;
        }
        if let Some(c) = series("curves_json") {
            self.curves = c;
        }
        if let Some(Json::Object(m)) = text("model_json").and_then(|t| serde_json::from_str(t).ok()) {
            let lines = |v: &Json| v.as_array().into_iter().flatten().filter_map(|l| l.as_str().map(str::to_owned)).collect();
            self.sections = m.iter().map(|(k, v)| (k.clone(), lines(v))).collect();
        }
    }

    fn option(&self, key: &str) -> Option<String> {
        let line = self.sections.get("OPTIONS")?.iter().find(|l| l.split(' ').next().is_some_and(|k| k.eq_ignore_ascii_case(key)))?;
        line.split(' ').nth(1).map(str::to_owned)
    }

    /// Demands from the dwellings on each pipe, half at either end; sources with the head assumed.
    fn assume(&mut self, view: &View, net: &Network, assume: &Assumptions) -> Result<(), EngineError> {
        let users = Users::read(view, net, crate::users::REACH_M)?;
        let factor = if assume.pattern.is_empty() { assume.peak_factor } else { 1.0 };
        let per_dwelling = HOUSEHOLD * assume.litres_per_person_day / 86_400.0 * factor;
        for u in &users.all {
            let Some(edge) = u.edge else { continue };
            for n in net.edges[edge as usize].ends {
                self.nodes[n as usize].demand_lps += f64::from(u.dwellings) * per_dwelling / 2.0;
            }
        }
        for (n, data) in self.nodes.iter_mut().enumerate() {
            if matches!(net.kind(n as u32), PointKind::Source | PointKind::Tank) {
                data.reservoir = true;
                data.elevation_m += assume.source_head_m;
            }
        }
        self.notes.push(format!(
            "no model was imported: demand is dwellings × {HOUSEHOLD} people × {} l/d (GB/T 50331-2002: 80 to 135) × {factor}, other buildings none; every source stands {} m above its pipe; Hazen-Williams by material",
            assume.litres_per_person_day, assume.source_head_m
        ));
        if !assume.pattern.is_empty() {
            self.patterns.insert("day".into(), assume.pattern.clone());
            self.nodes.iter_mut().for_each(|n| n.pattern = (!n.reservoir).then(|| "day".to_owned()));
            let hours = assume.pattern.len();
            self.sections.insert(
                "TIMES".into(),
                vec![format!("DURATION {hours}:00"), "HYDRAULIC TIMESTEP 1:00".into(), "PATTERN TIMESTEP 1:00".into()],
            );
        }
        self.sections
            .insert("OPTIONS".into(), vec!["UNITS LPS".into(), "HEADLOSS H-W".into(), "TRIALS 200".into(), "ACCURACY 0.0001".into()]);
        Ok(())
    }

    /// About what it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let lines: usize = self.sections.values().flatten().map(|l| l.len() + 24).sum();
        let series: usize = self.patterns.values().chain(self.curves.values()).map(|v| v.len() * 8 + 64).sum();
        self.nodes.len() * (size_of::<NodeData>() + 52) + self.links.len() * (size_of::<LinkData>() + 76) + lines + series
    }
    /// A source or a tank.
    pub fn feeds(&self, node: u32) -> bool {
        let n = &self.nodes[node as usize];
        n.reservoir || n.tank.is_some()
    }
    pub fn demand_lps(&self, node: u32) -> f64 {
        self.nodes[node as usize].demand_lps
    }
    pub fn elevation_m(&self, node: u32) -> f64 {
        self.nodes[node as usize].elevation_m
    }
    /// Simple controls and rules may open what stands closed.
    fn is_steered(&self, link: u32) -> bool {
        let id = &self.link_ids[link as usize];
        let named = |s: &str| self.sections.get(s).into_iter().flatten().any(|l| l.split(' ').any(|w| w == id));
        named("CONTROLS") || named("RULES")
    }
    pub(crate) fn stands_closed(&self, link: u32) -> bool {
        self.links[link as usize].status.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("closed")) && !self.is_steered(link)
    }

    /// The model as EPANET reads it (EPANET 2.2 User Manual, appendix C), without what is left out.
    pub fn to_inp(&self, net: &Network, keep_node: &dyn Fn(u32) -> bool, keep_link: &dyn Fn(u32) -> bool) -> String {
        let mut out = String::with_capacity(net.edges.len() * 60);
        // Writing into a text cannot fail.
        let _ = self.write_inp(&mut out, net, keep_node, keep_link);
        out
    }

    /// Junctions as the text has them, and so the solver, which numbers them before reservoirs and tanks.
    pub(crate) fn junctions(&self, keep: &dyn Fn(u32) -> bool) -> Vec<u32> {
        self.order[0].iter().copied().filter(|n| keep(*n) && !self.feeds(*n)).collect()
    }
    /// Links likewise: pipes, pumps, valves.
    pub(crate) fn in_order(&self, net: &Network, keep: &dyn Fn(u32) -> bool) -> Vec<u32> {
        let mut out: Vec<u32> = self.order[1].iter().copied().filter(|e| keep(*e)).collect();
        out.sort_by_key(|e| match net.pipe(*e).kind {
            LinkKind::Pipe => 0,
            LinkKind::Pump => 1,
            LinkKind::Valve => 2,
        });
        out
    }

    fn write_inp(
        &self,
        out: &mut String,
        net: &Network,
        keep_node: &dyn Fn(u32) -> bool,
        keep_link: &dyn Fn(u32) -> bool,
    ) -> std::fmt::Result {
        let nodes =
            || self.order[0].iter().copied().filter(|n| keep_node(*n)).map(|n| (&self.node_ids[n as usize], &self.nodes[n as usize]));
        // Most models have no lines that ask for these.
        let kept = LazyCell::new(|| nodes().map(|n| n.0.as_str()).collect::<HashSet<&str>>());
        let m = self.length_m;
        // A default pattern may be named and not be there: then the demand is even.
        let pattern = |n: &NodeData| n.pattern.as_deref().filter(|p| self.patterns.contains_key(*p)).unwrap_or_default().to_owned();
        out.push_str("[JUNCTIONS]\n");
        for (id, n) in nodes().filter(|(_, n)| !n.reservoir && n.tank.is_none()) {
            writeln!(out, "{id} {} {} {}", In(n.elevation_m, m), In(n.demand_lps, self.flow_lps), pattern(n))?;
        }
        out.push_str("[RESERVOIRS]\n");
        for (id, n) in nodes().filter(|(_, n)| n.reservoir) {
            writeln!(out, "{id} {} {}", In(n.elevation_m, m), pattern(n))?;
        }
        let raw = |section: &str| self.sections.get(section).into_iter().flatten();
        let about_kept = |l: &&String| l.split(' ').next().is_some_and(|id| kept.contains(id));
        out.push_str("[TANKS]\n");
        let told: HashSet<&str> = raw("TANKS").filter_map(|l| l.split(' ').next()).collect();
        for (id, n) in nodes() {
            if let (Some([initial, least, most, across]), false) = (n.tank, told.contains(id.as_str())) {
                writeln!(out, "{id} {} {} {} {} {} 0", n.elevation_m / m, initial / m, least / m, most / m, across / m)?;
            }
        }
        raw("TANKS").filter(about_kept).try_for_each(|l| writeln!(out, "{l}"))?;
        let links = |kind: LinkKind| self.order[1].iter().copied().filter(move |e| net.pipe(*e).kind == kind && keep_link(*e));
        let ends = |e: u32| net.edges[e as usize].ends.map(|n| self.node_ids[n as usize].as_str());
        out.push_str("[PIPES]\n");
        for e in links(LinkKind::Pipe) {
            let (l, [a, b]) = (&self.links[e as usize], ends(e));
            let (status, rough) = (l.status.as_deref().unwrap_or("open"), l.roughness.unwrap_or_default());
            writeln!(
                out,
                "{} {a} {b} {} {} {rough} {} {status}",
                self.link_ids[e as usize],
                In(l.length_m, m),
                In(l.diameter_mm, self.diameter_mm),
                l.minor_loss
            )?;
        }
        out.push_str("[PUMPS]\n");
        for e in links(LinkKind::Pump) {
            let (l, [a, b]) = (&self.links[e as usize], ends(e));
            writeln!(out, "{} {a} {b} {}", self.link_ids[e as usize], l.setting.as_deref().unwrap_or("POWER 1"))?;
        }
        out.push_str("[VALVES]\n");
        for e in links(LinkKind::Valve) {
            let (l, [a, b]) = (&self.links[e as usize], ends(e));
            writeln!(
                out,
                "{} {a} {b} {} {}",
                self.link_ids[e as usize],
                In(l.diameter_mm, self.diameter_mm),
                l.setting.as_deref().unwrap_or("TCV 0")
            )?;
        }
        out.push_str("[STATUS]\n");
        for e in links(LinkKind::Pump).chain(links(LinkKind::Valve)) {
            if let Some(s) = &self.links[e as usize].status {
                writeln!(out, "{} {s}", self.link_ids[e as usize])?;
            }
        }
        out.push_str("[PATTERNS]\n");
        for (id, values) in &self.patterns {
            for chunk in values.chunks(12) {
                writeln!(out, "{id} {}", chunk.iter().map(f64::to_string).collect::<Vec<_>>().join(" "))?;
            }
        }
        out.push_str("[CURVES]\n");
        for (id, values) in &self.curves {
            values.chunks_exact(2).try_for_each(|p| writeln!(out, "{id} {} {}", p[0], p[1]))?;
        }
        for section in ["EMITTERS", "DEMANDS"] {
            writeln!(out, "[{section}]")?;
            raw(section).filter(about_kept).try_for_each(|l| writeln!(out, "{l}"))?;
        }
        // A control that names what was left out would stop the solver; rules stand or fall together.
        let gone = LazyCell::new(|| {
            let links = (0..net.edges.len() as u32).filter(|e| !keep_link(*e)).map(|e| self.link_ids[e as usize].as_str());
            links.chain(self.node_ids.iter().map(String::as_str).filter(|id| !kept.contains(id))).collect::<HashSet<&str>>()
        });
        let names_gone = |l: &str| l.split(' ').collect::<Vec<_>>().windows(2).any(|w| is_object(w[0]) && gone.contains(w[1]));
        out.push_str("[CONTROLS]\n");
        raw("CONTROLS").filter(|l| !names_gone(l)).try_for_each(|l| writeln!(out, "{l}"))?;
        if !raw("RULES").any(|l| names_gone(l)) {
            out.push_str("[RULES]\n");
            raw("RULES").try_for_each(|l| writeln!(out, "{l}"))?;
        }
        out.push_str("[OPTIONS]\n");
        // What would read or write other files, or another kind of analysis.
        let foreign =
            |l: &&String| ["MAP", "HYDRAULICS", "QUALITY"].iter().any(|w| l.split(' ').next().is_some_and(|k| k.eq_ignore_ascii_case(w)));
        raw("OPTIONS").filter(|l| !foreign(l)).try_for_each(|l| writeln!(out, "{l}"))?;
        out.push_str("[TIMES]\n");
        raw("TIMES").try_for_each(|l| writeln!(out, "{l}"))?;
        out.push_str("[REPORT]\nSTATUS NO\nMESSAGES NO\nSUMMARY NO\n[END]\n");
        Ok(())
    }
}

/// A value in the file's unit. Thirteen digits give back the number that the file has: there and back costs the last ones,
/// and by them alone a solver's heads differ where no equation holds them.
struct In(f64, f64);

impl std::fmt::Display for In {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let v = self.0 / self.1;
        if self.1 == 1.0 || v == 0.0 {
            return write!(f, "{v}");
        }
        // A power of ten up to the 22nd is exact, and so the quotient is the number nearest to the digits: it is written, and
        // read by the solver, in few of them.
        match 12 - v.abs().log10().floor() as i32 {
            k @ 0..=22 => write!(f, "{}", (v * 10f64.powi(k)).round() / 10f64.powi(k)),
            _ => write!(f, "{v:.12e}"),
        }
    }
}

fn is_object(word: &str) -> bool {
    ["LINK", "NODE", "PIPE", "PUMP", "VALVE", "JUNCTION", "JUNC", "TANK", "RESERVOIR", "RESERV"]
        .iter()
        .any(|w| word.eq_ignore_ascii_case(w))
}

/// Line in the model's file; what it does not name comes behind.
fn row(layer: &Layer, f: &Feature) -> i64 {
    f.number(layer, "model_row").filter(|n| n.is_finite()).map_or(i64::MAX, |n| n as i64)
}

fn link_data(layer: &Layer, f: &Feature) -> LinkData {
    let text = |name: &str| f.text(layer, name).filter(|t| !t.is_empty()).map(str::to_owned);
    let number = |name: &str| f.number(layer, name).filter(|v| v.is_finite());
    LinkData {
        row: row(layer, f),
        length_m: 0.0,
        diameter_mm: number("dn_mm").unwrap_or(0.0),
        roughness: number("roughness"),
        minor_loss: number("minor_loss").unwrap_or(0.0),
        status: text("initial_status"),
        setting: text("setting"),
    }
}

/// Names for the solver: an object's own where it is short, plain and not yet taken, else a number.
fn ids<'a>(names: impl Iterator<Item = Option<&'a str>>, letter: &str) -> Vec<String> {
    let plain = |id: &str| !id.is_empty() && id.len() <= 31 && id.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b';' | b'"' | b'['));
    let mut taken = HashSet::new();
    names
        .enumerate()
        .map(|(i, name)| match name.filter(|n| plain(n) && taken.insert(*n)) {
            Some(n) => n.to_owned(),
            None => format!("~{letter}{i}"),
        })
        .collect()
}

/// Nodes that no source or tank reaches through open links; they would make the equations singular.
pub fn islands(model: &Model, net: &Network, shut: &dyn Fn(u32) -> bool) -> Vec<u32> {
    let mut seen = crate::walk::Bits::new(net.nodes.len());
    let mut stack: Vec<u32> = (0..net.nodes.len() as u32).filter(|n| model.feeds(*n)).collect();
    stack.iter().for_each(|n| {
        seen.set(*n);
    });
    while let Some(n) = stack.pop() {
        for step in net.steps(n) {
            if !shut(step.edge()) && step.other != NONE && seen.set(step.other) {
                stack.push(step.other);
            }
        }
    }
    (0..net.nodes.len() as u32).filter(|n| !seen.has(*n)).collect()
}

#[cfg(test)]
mod tests {
    use super::In;

    /// Feet, inches and gallons of a file are kept as metres, millimetres and litres and written as the file has them.
    #[test]
    fn a_number_comes_back_as_the_file_has_it() {
        for unit in [0.3048, 25.4, 3.785_411_784 / 60.0, 28.316_846_592] {
            for n in (1..400_000).step_by(7) {
                let file = f64::from(n) / 1000.0;
                assert_eq!(In(file * unit, unit).to_string(), file.to_string(), "in {unit}");
            }
            for file in [0.0, 1e-7, 3.25e-11, 6.02e19, -12.5] {
                let back: f64 = In(file * unit, unit).to_string().parse().expect("a number");
                assert!((back - file).abs() <= file.abs() * 1e-12, "{back} of {file} in {unit}");
            }
        }
    }
}
