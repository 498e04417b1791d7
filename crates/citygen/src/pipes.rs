//! Pipes under every street: eight classes, each a connected network of its own.
//!
//! Every class keeps a line beside the street's axis, as far from the others, from kerb and trees as GB 50289 table 4.1.9
//! asks and the street has room for, and a band of depth of its own, so that no two share a place where they cross. Pressure mains follow the
//! streets; drains run in a tree to the outfalls on the river, a street that closes a loop falling from its middle to
//! both ends.

mod drains;
mod gravity;
mod junctions;
mod mains;
mod storm;

use crate::{
    connections::Taps,
    dice::{For, hash},
    map::*,
    plan::*,
    plane::*,
};
use drains::Drains;
use std::sync::Arc;

/// One class, or one of a pair of lines (supply and return).
pub(crate) struct Kind {
    pub class: &'static str,
    pub subclass: &'static str,
    /// Letters of its point numbers.
    pub letters: &'static str,
    /// Top of the pipe below the ground, m; of drains the least.
    top_m: f64,
    well: &'static str,
    pub owner: &'static str,
}

const fn kind(
    class: &'static str,
    subclass: &'static str,
    letters: &'static str,
    top_m: f64,
    well: &'static str,
    owner: &'static str,
) -> Kind {
    Kind { class, subclass, letters, top_m, well, owner }
}

impl Kind {
    pub fn embed(&self) -> &'static str {
        match self.class {
            "DL" | "TX" => "管块",
            "QT" => "综合管廊",
            _ => "直埋",
        }
    }
    pub fn life_years(&self) -> i64 {
        match self.class {
            "RQ" | "RL" | "GY" => 30,
            "DL" | "TX" => 40,
            "QT" => 100,
            _ => 50,
        }
    }
    /// Place beside a street's axis, m, left of the street's sense positive (see [`Plan::against`]). Under the pavements
    /// from the red line inwards power, water and gas to the left, telecom to the right; drains and heat under the carriageway.
    pub(crate) fn beside_m(&self, road: &Road) -> f64 {
        let (kerb, red) = (road.kerb_m / 2.0, road.red_m / 2.0);
        // The lanes of the old town are narrower than its other streets of their rank.
        let kind = if road.red_m < 16.0 { 3 } else { rank(road) };
        match self.letters {
            "DL" => red - [1.1, 0.9, 0.45, 0.3][kind],
            "JS" => kerb + [3.4, 3.1, 2.8, 2.12][kind],
            "RQ" => kerb + [2.05, 2.05, 2.03, 1.45][kind],
            "YS" => [6.0, 4.0, 2.0, 1.6][kind],
            "WS" => -[4.0, 2.5, 0.0, 0.3][kind],
            "RLG" => -(kerb - [3.1, 2.75, 2.35, 1.55][kind]),
            "RLH" => -(kerb - [1.95, 1.9, 1.8, 1.02][kind]),
            "GY" => -(kerb + 2.1),
            "TX" => -(red - [1.0, 0.9, 0.7, 0.5][kind]),
            _ => 0.0,
        }
    }
    /// Of the axis of every pipe of a pressure network or duct, whatever its size, so that all meet at a node.
    pub fn axis_depth_m(&self) -> f64 {
        self.top_m + mains::bore(self, 0).outer_m[1] / 2.0
    }
    /// At no junction does a drain's invert lie deeper: before it would, a pumping station ends the basin. Sewers need
    /// room under the storm drains, and all stay above the tunnel.
    fn deepest_m(&self) -> f64 {
        if self.subclass == "YS" { 9.5 } else { 12.0 }
    }
    /// Runs without falling and without pressure: cables and the tunnel.
    fn is_duct(&self) -> bool {
        matches!(self.class, "DL" | "TX" | "QT")
    }
}

/// From the surface: power, telecom, gas, water (under the frost, 1.69 m and a margin), heat, industry, storm drains and sewers.
/// Between the faces of two classes lies what table 4.1.14 asks where they cross, and the survey's uncertainty. Under the
/// heat is room for its return line where it crosses the supply.
#[allow(clippy::approx_constant, reason = "a depth in metres")]
pub(crate) const KINDS: [Kind; 10] = [
    kind("DL", "GD", "DL", 0.60, "人孔", "供电企业(合成)"),
    kind("RQ", "TR", "RQ", 1.73, "阀门井", "燃气企业(合成)"),
    kind("JS", "PS", "JS", 2.28, "阀门井", "供水企业(合成)"),
    kind("PS", "YS", "YS", 5.00, "雨水井", "排水企业(合成)"),
    kind("PS", "WS", "WS", 5.00, "污水井", "排水企业(合成)"),
    kind("RL", "RS", "RLG", 3.14, "阀门井", "供热企业(合成)"),
    kind("RL", "RS", "RLH", 3.14, "阀门井", "供热企业(合成)"),
    kind("TX", "XX", "TX", 1.24, "人孔", "通信企业(合成)"),
    kind("GY", "YQ", "GY", 4.70, "阀门井", "工业企业(合成)"),
    kind("QT", "ZH", "ZH", 12.60, "检修井", "管廊企业(合成)"),
];

/// Place of the storm drains in [`KINDS`].
const STORM: usize = 3;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub id: String,
    pub at: P2,
    pub ground_m: f64,
    /// Axis of the pipe here.
    pub axis_m: f64,
    pub kind: &'static str,
    pub feature: Option<&'static str>,
    pub appurtenance: Option<&'static str>,
    pub road: Arc<str>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pipe {
    pub id: String,
    pub from: usize,
    pub to: usize,
    /// Outer size: diameter, or width and height of a rectangle, m.
    pub outer_m: [f64; 2],
    pub round: bool,
    pub dn_mm: i64,
    /// Heights of the invert, for drains.
    pub invert_m: Option<[f64; 2]>,
    pub year: i64,
    pub material: &'static str,
    pub pressure: Option<&'static str>,
    pub voltage_kv: Option<f64>,
    pub road: Arc<str>,
}

/// What a point is: kind, 特征, 附属物.
pub(crate) type Mark = (&'static str, Option<&'static str>, Option<&'static str>);

/// The size of a pipe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bore {
    pub dn_mm: i64,
    pub outer_m: [f64; 2],
    pub round: bool,
}

const TEE: Mark = ("tee", Some("三通"), None);
/// Two points this close are one.
const SAME_M: f64 = 0.02;

/// All pipes and points of one kind.
pub(crate) struct Network {
    pub kind: &'static Kind,
    pub points: Vec<Point>,
    pub pipes: Vec<Pipe>,
    /// Street, point and invert of the wells of drains, for what is connected to them.
    wells: Vec<(u32, usize, f64)>,
}

/// Rank of a street for the size of its pipes: 0 trunk … 2 branch.
fn rank(road: &Road) -> usize {
    if road.red_m > 40.0 {
        0
    } else if road.red_m > 26.0 {
        1
    } else {
        2
    }
}

fn used(plan: &Plan, kind: &Kind, edge: u32) -> bool {
    let Some(road) = plan.road(edge).filter(|_| plan.is_street(edge)) else { return false };
    match kind.class {
        "QT" => &*road.zh == "人民大街",
        "GY" => {
            let (a, b) = plan.graph.ends(edge);
            let m = lerp(a, b, 0.5);
            &*road.zh == "解放大路" || zone(m, plan.ground.river.nearest(m).0) == Zone::Works
        }
        "PS" => !plan.bridge[edge as usize],
        _ => true,
    }
}

fn year(plan: &Plan, edge: u32, kind: &Kind) -> i64 {
    let road = plan.graph.edges[edge as usize].road;
    let h = hash(plan.seed, For::Pipes, u64::from(road) << 8 | u64::from(kind.letters.as_bytes()[0]));
    1978 + (h % 45) as i64
}

fn material(class: &str, year: i64, dn: i64) -> &'static str {
    match class {
        "JS" if year < 1995 => "铸铁",
        "JS" => "球墨铸铁",
        // A sewer falls by 2.2 ‰: of concrete, DN 300 would have to fall by 3.
        "PS" if dn >= 800 || (dn > 300 && year < 2000) => "混凝土",
        "PS" => "PE",
        "RQ" if year < 1998 => "钢",
        "RQ" if dn <= 200 => "PE",
        "RQ" | "RL" | "GY" => "钢",
        "QT" => "混凝土",
        _ => "PVC",
    }
}

impl Network {
    pub(crate) fn point(&mut self, plan: &Plan, at: P2, axis_m: f64, what: Mark, road: &Arc<str>) -> usize {
        let i = self.points.len();
        let id = format!("{}{:06}", self.kind.letters, i + 1);
        self.points.push(Point {
            id,
            at,
            ground_m: plan.ground.deck(at),
            axis_m,
            kind: what.0,
            feature: what.1,
            appurtenance: what.2,
            road: road.clone(),
        });
        i
    }

    pub(crate) fn pipe(&mut self, plan: &Plan, edge: u32, ends: [usize; 2], bore: Bore, invert_m: Option<[f64; 2]>) {
        let Some(road) = plan.road(edge) else { return };
        let year = year(plan, edge, self.kind);
        self.pipes.push(Pipe {
            id: format!("{}L{:06}", self.kind.letters, self.pipes.len() + 1),
            from: ends[0],
            to: ends[1],
            outer_m: bore.outer_m,
            round: bore.round,
            dn_mm: bore.dn_mm,
            invert_m,
            year,
            material: material(self.kind.class, year, bore.dn_mm),
            pressure: match self.kind.class {
                "RQ" => Some(if rank(road) == 0 { "中压A" } else { "中压B" }),
                _ => None,
            },
            voltage_kv: (self.kind.class == "DL").then(|| [66.0, 10.0, 0.4][rank(road)]),
            road: road.zh.clone(),
        });
    }

    /// Height of a pipe's axis at its two ends.
    pub fn axis_m(&self, p: &Pipe) -> [f64; 2] {
        match p.invert_m {
            Some(i) => i.map(|z| z + p.dn_mm as f64 / 2000.0),
            // Axes meet exactly at a node, whatever the sizes.
            None => [p.from, p.to].map(|i| self.points[i].axis_m),
        }
    }
}

/// The networks in the order of [`KINDS`], each made when it is asked for: no two are in memory at once.
pub(crate) fn networks<'a>(plan: &'a Plan, taps: &'a Taps) -> impl Iterator<Item = Network> + 'a {
    KINDS.iter().map(|kind| {
        let mut n = Network { kind, points: Vec::new(), pipes: Vec::new(), wells: Vec::new() };
        if kind.class == "PS" {
            let storm = Drains::new(plan, &KINDS[STORM], None);
            let own = if kind.subclass == "YS" { storm } else { Drains::new(plan, kind, Some(&storm)) };
            n.gravity(plan, &own, taps);
        } else {
            n.mains(plan, taps);
        }
        n
    })
}
