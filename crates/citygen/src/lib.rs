//! A synthetic Changchun: real geography in outline (streets, squares, river, lake), everything else invented from a
//! seed and marked synthetic. The plan (ground, streets, blocks) is made once; parcels and buildings are derived block
//! by block from the seed alone, so that no block needs another.
//!
//! Made so far: terrain, water, roads, railways, parcels, red lines, buildings, trees, pipes of eight classes with
//! their points and sensors, place names. Frame: EPSG:4551 + EPSG:5737,
//! `[east_m, north_m, height_m]`.

// The plan knows more (bridges, street fronts) than the layers made so far use.
#![allow(dead_code)]

mod blocks;
mod buildings;
mod dice;
mod graph;
mod ground;
mod layers;
mod map;
mod pipes;
mod plan;
mod plane;
pub mod survey;
mod trees;

use plane::{P2, Ring};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};
use strata_model::{Bounds2, Crs, Feature, Geometry, Instant, Interval, Layer, ModelError, Point3, Polygon, Value, WorkingFrame};

#[derive(Debug, thiserror::Error)]
pub enum CitygenError {
    #[error(transparent)]
    Frame(#[from] ModelError),
    #[error("the city could not be handed on: {0}")]
    Sink(String),
}

/// What was made, for those who check it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    pub seed: u64,
    pub bounds: Bounds2,
    /// Features by layer.
    pub counts: BTreeMap<String, u64>,
}

/// A named place.
#[derive(Debug, Clone, PartialEq)]
pub struct Anchor {
    pub name: &'static str,
    pub title_zh: &'static str,
    pub title_en: &'static str,
    /// Working frame.
    pub position: Point3,
}

/// A district of 4.5 × 4.1 km around 人民广场, the lake and the river.
pub struct District {
    seed: u64,
    origin: P2,
    plan: plan::Plan,
    layers: layers::Layers,
}

/// Layer, id, shape, valid time and values of one feature.
type Made<'a> = &'a mut dyn FnMut(&Arc<Layer>, String, Geometry, Interval, Vec<Value>) -> Result<(), CitygenError>;
type Out<'a> = &'a mut dyn FnMut(&Arc<Layer>, Feature) -> Result<(), String>;

const STEP_M: f64 = 20.0;
/// Terrain cells to a block's side: 25 × 20 m = 500 m.
const BLOCK_CELLS: usize = 25;

impl District {
    pub fn new(seed: u64) -> Result<Self, CitygenError> {
        let origin = WorkingFrame::new(Crs::CHANGCHUN, 0.0)?.working_from_geographic(map::CENTRE_LON_LAT)?;
        // Local metres around 人民广场: the lake in the south-west, the river, the works and the hill park in the east, the
        // planned district in the north-east.
        let bounds = Bounds2 { min: [-1_600.0, -2_900.0], max: [2_900.0, 1_200.0] };
        Ok(Self { seed, origin, plan: plan::Plan::new(seed, bounds, STEP_M), layers: layers::Layers::new(seed) })
    }
    pub fn crs(&self) -> Crs {
        Crs::CHANGCHUN
    }
    /// The layers that [`District::generate`] fills.
    pub fn layers(&self) -> Vec<Arc<Layer>> {
        let l = &self.layers;
        [
            &l.terrain,
            &l.water,
            &l.roads,
            &l.rail,
            &l.parcels,
            &l.control_lines,
            &l.buildings,
            &l.trees,
            &l.pipes,
            &l.pipe_points,
            &l.sensors,
            &l.places,
        ]
        .map(Arc::clone)
        .to_vec()
    }
    fn at(&self, p: P2, z: f64) -> Point3 {
        [self.origin[0] + p[0], self.origin[1] + p[1], z]
    }
    /// Closed, counter-clockwise, at one height.
    fn polygon(&self, shell: &Ring, holes: &[Ring], z: f64) -> Polygon {
        let close = |ring: &Ring, left: bool| {
            let mut r: Vec<Point3> = ring.iter().map(|&p| self.at(p, z)).collect();
            if (plane::area(ring) > 0.0) != left {
                r.reverse();
            }
            r.extend(r.first().copied());
            r
        };
        Polygon { rings: std::iter::once(close(shell, true)).chain(holes.iter().map(|h| close(h, false))).collect() }
    }
    /// Hands every feature on, layer by layer for the ground and block by block for what stands on it.
    pub fn generate(&self, sink: Out<'_>) -> Result<Truth, CitygenError> {
        let mut counts: BTreeMap<String, u64> = self.layers().iter().map(|l| (l.id.to_string(), 0)).collect();
        let mut out = |layer: &Arc<Layer>, id: String, geometry: Geometry, valid: Interval, attributes: Vec<Value>| {
            *counts.entry(layer.id.to_string()).or_default() += 1;
            sink(layer, Feature { id: id.as_str().into(), geometry, valid, attributes }).map_err(CitygenError::Sink)
        };
        let l = &self.layers;
        self.terrain(&mut |id, g| out(&l.terrain, id, g, Interval::ALWAYS, Vec::new()))?;
        for (i, w) in self.plan.ground.waters.iter().enumerate() {
            let g = Geometry::Polygon(self.polygon(&w.ring, &[], w.level_m));
            out(&l.water, format!("WA{i:03}"), g, Interval::ALWAYS, vec![w.zh.into(), w.kind.into(), w.depth_m.into()])?;
        }
        for e in 0..self.plan.graph.edges.len() as u32 {
            let Some(road) = self.plan.road(e) else { continue };
            let (a, b) = self.plan.graph.ends(e);
            let ground = &self.plan.ground;
            let steps = (plane::dist(a, b) / STEP_M).ceil().max(1.0) as usize;
            let line = (0..=steps).map(|i| plane::lerp(a, b, i as f64 / steps as f64)).map(|p| self.at(p, ground.deck(p))).collect();
            let g = Geometry::LineString(line);
            if road.class == map::Class::Rail {
                out(&l.rail, format!("RA{e:05}"), g, Interval::ALWAYS, vec![road.zh.as_str().into(), "rail".into(), road.kerb_m.into()])?;
            } else {
                let values =
                    vec![road.zh.as_str().into(), road.class.id().into(), road.kerb_m.into(), road.lanes.into(), road.red_m.into()];
                out(&l.roads, format!("RD{e:05}"), g, Interval::ALWAYS, values)?;
            }
        }
        for e in 0..self.plan.graph.edges.len() as u32 {
            for (i, t) in trees::along_street(&self.plan, e).into_iter().enumerate() {
                let g = Geometry::Point(self.at(t.at, self.plan.ground.z(t.at)));
                out(
                    &l.trees,
                    format!("TS{e:05}-{i:03}"),
                    g,
                    Interval::ALWAYS,
                    vec![t.species.into(), t.height_m.into(), t.crown_m.into()],
                )?;
            }
        }
        for block in 0..self.plan.blocks.len() {
            for (i, land) in self.plan.net(&self.plan.blocks[block]).iter().enumerate().filter(|(_, a)| a.shell.len() > 2) {
                let z = |p: P2| self.plan.ground.z(p);
                let mut line: Vec<Point3> = land.shell.iter().map(|&p| self.at(p, z(p))).collect();
                line.extend(line.first().copied());
                out(&l.control_lines, format!("RL{block:05}-{i}"), Geometry::LineString(line), Interval::ALWAYS, vec!["red".into()])?;
            }
            for p in blocks::parcels(&self.plan, block) {
                let c = plane::centroid(&p.area.shell);
                let z = self.plan.ground.z(c);
                let area = plane::area(&p.area.shell).abs() - p.area.holes.iter().map(|h| plane::area(h).abs()).sum::<f64>();
                let valid = if p.planned { Interval::since(Instant::from_ymd(2027, 1, 1)) } else { Interval::ALWAYS };
                let code = format!("{:02}-{:03}", block / 100, p.serial % 100_000);
                let values = vec![
                    code.into(),
                    p.land_use.into(),
                    p.far.into(),
                    p.density_pct.into(),
                    p.green_pct.into(),
                    p.limit_m.into(),
                    area.into(),
                    "国土空间用地用海分类2023".into(),
                ];
                out(
                    &l.parcels,
                    format!("PA{:08}", p.serial),
                    Geometry::Polygon(self.polygon(&p.area.shell, &p.area.holes, z)),
                    valid,
                    values,
                )?;
                let houses = buildings::buildings(self.seed, &p);
                for (i, t) in trees::in_parcel(self.seed, &p, &houses).into_iter().enumerate() {
                    let g = Geometry::Point(self.at(t.at, self.plan.ground.z(t.at)));
                    let values = vec![t.species.into(), t.height_m.into(), t.crown_m.into()];
                    out(&l.trees, format!("TR{:08}-{i:04}", p.serial), g, Interval::ALWAYS, values)?;
                }
                for (i, b) in houses.into_iter().enumerate() {
                    // A house stands on the lowest corner of its ground, so that no foot hangs in the air.
                    let z = b.ring.iter().map(|&q| self.plan.ground.z(q)).fold(f64::INFINITY, f64::min);
                    let seed = (dice::mix(self.seed ^ p.serial << 8 ^ i as u64) >> 33) as i64;
                    let values = vec![
                        b.name.map(Value::from).unwrap_or_default(),
                        b.use_.into(),
                        b.height_m.into(),
                        b.floors.into(),
                        b.year.into(),
                        b.roof.into(),
                        seed.into(),
                        map::district(c).into(),
                        Value::Null,
                        b.units.into(),
                    ];
                    out(
                        &l.buildings,
                        format!("B{:08}-{i:02}", p.serial),
                        Geometry::Polygon(self.polygon(&b.ring, &[], z)),
                        b.valid,
                        values,
                    )?;
                }
            }
        }
        for network in pipes::networks(&self.plan) {
            self.network(&network, &mut |layer, id, g, valid, values| out(layer, id, g, valid, values))?;
        }
        for (i, (zh, en, p, rank)) in map::LABELS.iter().filter(|l| self.plan.bounds.contains(l.2)).enumerate() {
            let g = Geometry::Point(self.at(*p, self.plan.ground.z(*p)));
            out(&l.places, format!("PL{i:03}"), g, Interval::ALWAYS, vec![(*zh).into(), (*en).into(), (*rank).into()])?;
        }
        let b = self.plan.bounds;
        let shift = |p: P2| [p[0] + self.origin[0], p[1] + self.origin[1]];
        Ok(Truth { seed: self.seed, bounds: Bounds2 { min: shift(b.min), max: shift(b.max) }, counts })
    }
    /// Pipes as their axes, points at the ground, a sensor on every fortieth valve or well.
    fn network(&self, n: &pipes::Network, out: Made<'_>) -> Result<(), CitygenError> {
        let l = &self.layers;
        let k = n.kind;
        let opt = |v: Option<f64>| v.map_or(Value::Null, Value::Float);
        for p in &n.pipes {
            let axis = n.axis_m(p);
            let (from, to) = (&n.points[p.from], &n.points[p.to]);
            let line = vec![self.at(from.at, axis[0]), self.at(to.at, axis[1])];
            let depth = |i: usize, ground: f64| match p.invert_m {
                Some(invert) => ground - invert[i],
                None => ground - axis[i] - p.outer_m[1] / 2.0,
            };
            let round = |v: f64| if p.round { Value::Float((v * 1e3).round()) } else { Value::Null };
            let rect = |v: f64| if p.round { Value::Null } else { Value::Float((v * 1e3).round()) };
            let values = vec![
                k.class.into(),
                k.subclass.into(),
                if p.round { "round" } else { "rect" }.into(),
                round(p.outer_m[0]),
                rect(p.outer_m[0]),
                rect(p.outer_m[1]),
                if p.round { Value::Float(p.dn_mm as f64) } else { Value::Null },
                p.material.into(),
                k.embed().into(),
                p.pressure.map(Value::from).unwrap_or_default(),
                opt(p.voltage_kv),
                if p.invert_m.is_some() { Value::Int(0) } else { Value::Null },
                from.id.as_str().into(),
                to.id.as_str().into(),
                opt(p.invert_m.map(|i| i[0])),
                opt(p.invert_m.map(|i| i[1])),
                depth(0, from.ground_m).into(),
                depth(1, to.ground_m).into(),
                k.owner().into(),
                p.road.as_str().into(),
                p.year.into(),
                k.life_years().into(),
                Value::Int(0),
                Value::Float(0.05),
            ];
            let valid = Interval::since(Instant::from_ymd(p.year as i32, 7, 1));
            out(&l.pipes, p.id.clone(), Geometry::LineString(line), valid, values)?;
        }
        for (i, p) in n.points.iter().enumerate() {
            let g = Geometry::Point(self.at(p.at, p.ground_m));
            let depth = p.ground_m - p.axis_m;
            let shaft = matches!(p.kind, "well" | "valve" | "outfall" | "source");
            let values = vec![
                k.class.into(),
                k.subclass.into(),
                p.kind.into(),
                p.feature.map(Value::from).unwrap_or_default(),
                p.appurtenance.map(Value::from).unwrap_or_default(),
                p.ground_m.into(),
                depth.into(),
                if shaft { Value::Float(depth + 0.4) } else { Value::Null },
                if shaft { Value::Float(0.7) } else { Value::Null },
                p.axis_m.into(),
                Value::Int(0),
                p.road.as_str().into(),
            ];
            out(&l.pipe_points, p.id.clone(), g.clone(), Interval::ALWAYS, values)?;
            let watched = match (k.class, p.kind) {
                ("JS" | "RQ" | "RL", "valve") => Some(("压力", "MPa")),
                ("PS", "well") => Some(("液位", "m")),
                _ => None,
            };
            if let (Some((quantity, unit)), 0) = (watched, i % 40) {
                let values = vec![quantity.into(), unit.into(), "pipe_points".into(), p.id.as_str().into()];
                out(&l.sensors, format!("SE-{}", p.id), g, Interval::ALWAYS, values)?;
            }
        }
        Ok(())
    }
    /// Named places for cameras, in the working frame.
    pub fn anchors(&self) -> Vec<Anchor> {
        let crossing = |near: P2| {
            let star = |n: usize| self.plan.graph.star[n].iter().filter(|&&e| self.plan.is_street(e)).count();
            let nodes = &self.plan.graph.nodes;
            let best = (0..nodes.len())
                .filter(|&n| star(n) >= 4)
                .min_by(|&a, &b| plane::dist(nodes[a], near).total_cmp(&plane::dist(nodes[b], near)));
            best.map_or(near, |n| nodes[n])
        };
        [
            ("cbd", "人民广场", "Renmin Square", [0.0, -150.0]),
            ("old-town", "老城", "Old town", [640.0, 420.0]),
            ("school-quarter", "学区", "School quarter", [-300.0, -2_050.0]),
            ("north-plan", "北部规划区", "Planned north", [1_400.0, 100.0]),
            ("jingyue-hills", "山地公园", "Hill park", [2_390.0, -1_210.0]),
            ("main-crossing", "主路口", "Main crossing", crossing([0.0, -1_170.0])),
            ("heat-trunk", "热力干管", "Heat trunk", crossing([500.0, -1_170.0])),
            ("car-works", "厂区", "Works", [2_450.0, -2_300.0]),
            ("plan-parcel", "方案地块", "Scheme parcel", buildings::PLAN_PARCEL),
            ("tv-tower", "电视塔", "TV tower", [0.0, -600.0]),
            ("survey-sheet", "测绘图幅", "Survey sheet", crossing([-600.0, -600.0])),
            ("permit-17", "许可 17", "Permit 17", crossing([600.0, -600.0])),
            ("burst-3", "爆管 3", "Burst 3", crossing([900.0, -1_800.0])),
            ("city", "全城", "The whole", map::CITY_CENTRE),
        ]
        .into_iter()
        .map(|(name, zh, en, p)| Anchor { name, title_zh: zh, title_en: en, position: self.at(p, self.plan.ground.z(p)) })
        .collect()
    }
    /// Blocks share their border points, so no crack opens between them.
    fn terrain(&self, out: &mut dyn FnMut(String, Geometry) -> Result<(), CitygenError>) -> Result<(), CitygenError> {
        let [nx, ny] = self.plan.ground.cells;
        for bj in (0..ny).step_by(BLOCK_CELLS) {
            for bi in (0..nx).step_by(BLOCK_CELLS) {
                let (w, h) = (BLOCK_CELLS.min(nx - bi), BLOCK_CELLS.min(ny - bj));
                let points = (0..=h)
                    .flat_map(|j| (0..=w).map(move |i| (i, j)))
                    .map(|(i, j)| {
                        let [x, y, z] = self.plan.ground.grid_point(bi + i, bj + j);
                        self.at([x, y], z)
                    })
                    .collect();
                let at = |i: usize, j: usize| (j * (w + 1) + i) as u32;
                // The same diagonal as the ground's own interpolation.
                let triangles = (0..h)
                    .flat_map(|j| (0..w).map(move |i| (i, j)))
                    .flat_map(|(i, j)| [[at(i, j), at(i + 1, j), at(i + 1, j + 1)], [at(i, j), at(i + 1, j + 1), at(i, j + 1)]])
                    .collect();
                out(format!("TE{:02}-{:02}", bi / BLOCK_CELLS, bj / BLOCK_CELLS), Geometry::Tin { points, triangles })?;
            }
        }
        Ok(())
    }
}
