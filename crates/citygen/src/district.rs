//! One window of the plan, made into features: the demonstration district, a whole city or any box of it.

use crate::{
    Anchor, CitygenError,
    addresses::{Numbers, doors},
    blocks, buildings,
    connections::{self, Tap, Taps},
    control, dice, layers, map, pipes, plan,
    plane::{self, P2, Ring},
    transit::{self, Shape},
    trees,
    truth::{NetworkTruth, Sink, Tally, Truth},
};
use std::sync::Arc;
use strata_model::{Bounds2, Crs, Geometry, Instant, Interval, Layer, Point3, Polygon, Value, WorkingFrame};

/// Everything inside one box of the skeleton, in memory only as far as streets and ground go.
pub struct District {
    seed: u64,
    frame: WorkingFrame,
    origin: P2,
    plan: plan::Plan,
    layers: layers::Layers,
    /// With house connections.
    connected: bool,
}

const STEP_M: f64 = 20.0;
/// Terrain cells to a block's side: 25 × 20 m = 500 m.
const BLOCK_CELLS: usize = 25;

/// Local metres around 人民广场: the lake in the south-west, the river, the works and the hill park in the east, the
/// planned district in the north-east.
const DEMONSTRATION: Bounds2 = Bounds2 { min: [-1_600.0, -2_900.0], max: [2_900.0, 1_200.0] };

impl District {
    /// 4.5 × 4.1 km around 人民广场, the lake and the river.
    pub fn new(seed: u64) -> Result<Self, CitygenError> {
        Ok(Self { connected: false, ..Self::within(seed, DEMONSTRATION, [0.0; 2])? })
    }
    /// Any box of the skeleton (local metres), moved by `shift` m in the working frame.
    pub(crate) fn within(seed: u64, bounds: Bounds2, shift: P2) -> Result<Self, CitygenError> {
        let frame = WorkingFrame::new(Crs::CHANGCHUN, 0.0)?;
        let origin = plane::add(frame.working_from_geographic(map::CENTRE_LON_LAT)?, shift);
        Ok(Self { seed, frame, origin, plan: plan::Plan::new(seed, bounds, STEP_M), layers: layers::Layers::new(seed), connected: true })
    }
    pub fn crs(&self) -> Crs {
        Crs::CHANGCHUN
    }
    /// The layers that [`District::generate`] fills.
    pub fn layers(&self) -> Vec<Arc<Layer>> {
        self.layers.all()
    }
    fn at(&self, p: P2, z: f64) -> Point3 {
        [self.origin[0] + p[0], self.origin[1] + p[1], z]
    }
    fn on_ground(&self, p: P2) -> Point3 {
        self.at(p, self.plan.ground.z(p))
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
    /// In the working frame.
    pub(crate) fn bounds(&self) -> Bounds2 {
        let shift = |p: P2| plane::add(p, self.origin);
        Bounds2 { min: shift(self.plan.bounds.min), max: shift(self.plan.bounds.max) }
    }

    /// Hands every feature on, layer by layer for the ground, block by block for what stands on it, network by network
    /// for what lies under it.
    pub fn generate(&self, sink: &mut Sink<'_>) -> Result<Truth, CitygenError> {
        let mut truth = Truth::new(self.seed, "district", &self.layers());
        self.generate_into(&mut Tally::new(sink, &mut truth, ""), true)?;
        Ok(truth)
    }
    /// `real`: with what is real of the place, which stands in one plan of a city only.
    pub(crate) fn generate_into(&self, out: &mut Tally<'_>, real: bool) -> Result<(), CitygenError> {
        out.truth.enclose(&self.bounds());
        self.terrain(out)?;
        self.ground(out)?;
        self.streets(out)?;
        let mut taps: Vec<Tap> = Vec::new();
        for block in 0..self.plan.blocks.len() {
            self.block(block, &mut taps, out)?;
        }
        if !self.connected {
            taps.clear();
        }
        let taps = Taps::new(taps);
        for network in pipes::networks(&self.plan, &taps) {
            self.network(&network, out)?;
        }
        if real {
            self.transit(out)?;
        }
        Ok(())
    }

    /// Water, names and the control lines that follow from neither street nor parcel.
    fn ground(&self, out: &mut Tally<'_>) -> Result<(), CitygenError> {
        let l = &self.layers;
        for (i, w) in self.plan.ground.waters.iter().enumerate() {
            let g = Geometry::Polygon(self.polygon(&w.ring, &[], w.level_m));
            out.put(&l.water, &format!("WA{i:03}"), g, Interval::ALWAYS, vec![w.zh.into(), w.kind.into(), w.depth_m.into()])?;
        }
        for c in control::controls(&self.plan) {
            let g = Geometry::Polygon(self.polygon(&c.ring, &[], self.plan.ground.z(plane::centroid(&c.ring))));
            out.put(&l.control_lines, &c.id, g, Interval::ALWAYS, vec![c.kind.into()])?;
        }
        for (i, (zh, en, p, rank)) in map::LABELS.iter().filter(|l| self.plan.bounds.contains(l.2)).enumerate() {
            let values = vec![(*zh).into(), (*en).into(), (*rank).into()];
            out.put(&l.places, &format!("PL{i:03}"), Geometry::Point(self.on_ground(*p)), Interval::ALWAYS, values)?;
        }
        Ok(())
    }

    /// Streets and railways from junction to junction, and the trees beside them.
    fn streets(&self, out: &mut Tally<'_>) -> Result<(), CitygenError> {
        let l = &self.layers;
        for section in &self.plan.sections {
            let Some(road) = self.plan.roads.get(section.road as usize) else { continue };
            let ground = &self.plan.ground;
            let path: Vec<P2> = section.nodes.iter().map(|&n| self.plan.graph.nodes[n as usize]).collect();
            let mut line: Vec<Point3> = path.first().map(|&p| self.at(p, ground.deck(p))).into_iter().collect();
            for w in path.windows(2) {
                let steps = (plane::dist(w[0], w[1]) / STEP_M).ceil().max(1.0) as usize;
                line.extend((1..=steps).map(|i| plane::lerp(w[0], w[1], i as f64 / steps as f64)).map(|p| self.at(p, ground.deck(p))));
            }
            let (g, edge) = (Geometry::LineString(line), section.edge);
            if road.class == map::Class::Rail {
                let values = vec![(&*road.zh).into(), "rail".into(), road.kerb_m.into()];
                out.put(&l.rail, &format!("RA{edge:05}"), g, Interval::ALWAYS, values)?;
            } else {
                let values = vec![
                    (&*road.zh).into(),
                    road.class.id().into(),
                    road.kerb_m.into(),
                    road.lanes.into(),
                    road.red_m.into(),
                    (&*road.en).into(),
                ];
                out.put(&l.roads, &format!("RD{edge:05}"), g, Interval::ALWAYS, values)?;
            }
        }
        for e in 0..self.plan.graph.edges.len() as u32 {
            for (i, t) in trees::along_street(&self.plan, e).into_iter().enumerate() {
                let values = vec![t.species.into(), t.height_m.into(), t.crown_m.into()];
                out.put(&l.trees, &format!("TS{e:05}-{i:03}"), Geometry::Point(self.on_ground(t.at)), Interval::ALWAYS, values)?;
            }
        }
        Ok(())
    }

    /// Red lines, parcels with what their use asks for, trees, houses and their doors.
    fn block(&self, block: usize, taps: &mut Vec<Tap>, out: &mut Tally<'_>) -> Result<(), CitygenError> {
        let l = &self.layers;
        let ground = &self.plan.ground;
        for (i, land) in self.plan.net(&self.plan.blocks[block]).iter().enumerate().filter(|(_, a)| a.shell.len() > 2) {
            let line = land.shell.iter().chain(land.shell.first()).map(|&p| self.on_ground(p)).collect();
            out.put(&l.control_lines, &format!("RL{block:05}-{i}"), Geometry::LineString(line), Interval::ALWAYS, vec!["red".into()])?;
        }
        let mut numbers = Numbers::default();
        for p in blocks::parcels(&self.plan, block) {
            let c = plane::centroid(&p.area.shell);
            let shape = Geometry::Polygon(self.polygon(&p.area.shell, &p.area.holes, ground.z(c)));
            let area = plane::area(&p.area.shell).abs() - p.area.holes.iter().map(|h| plane::area(h).abs()).sum::<f64>();
            let valid = if p.planned { Interval::since(Instant::from_ymd(2027, 1, 1)) } else { Interval::ALWAYS };
            if let Some((letters, kind)) = control::of_land_use(p.land_use) {
                out.put(&l.control_lines, &format!("{letters}{:08}", p.serial), shape.clone(), valid, vec![kind.into()])?;
            }
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
            out.put(&l.parcels, &format!("PA{:08}", p.serial), shape, valid, values)?;
            taps.extend(connections::tap(&self.plan, &p));
            let houses = buildings::buildings(self.seed, &p);
            for (i, t) in trees::in_parcel(self.seed, &p, &houses).into_iter().enumerate() {
                let values = vec![t.species.into(), t.height_m.into(), t.crown_m.into()];
                let g = Geometry::Point(self.on_ground(t.at));
                out.put(&l.trees, &format!("TR{:08}-{i:04}", p.serial), g, Interval::ALWAYS, values)?;
            }
            let doors = doors(&self.plan, &self.plan.blocks[block], &p, &houses, &mut numbers);
            for (i, (b, door)) in houses.into_iter().zip(doors).enumerate() {
                // A house stands on the lowest corner of its ground, so that no foot hangs in the air.
                let z = b.ring.iter().map(|&q| ground.z(q)).fold(f64::INFINITY, f64::min);
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
                    door.as_ref().map(|d| d.text.as_str().into()).unwrap_or_default(),
                    b.units.into(),
                ];
                let id = format!("B{:08}-{i:02}", p.serial);
                out.put(&l.buildings, &id, Geometry::Polygon(self.polygon(&b.ring, &[], z)), b.valid, values)?;
                if let Some(d) = door {
                    let g = Geometry::Point(self.on_ground(d.at));
                    out.put(&l.addresses, &format!("AD-{id}"), g, b.valid, vec![d.text.as_str().into()])?;
                }
            }
        }
        Ok(())
    }

    fn transit(&self, out: &mut Tally<'_>) -> Result<(), CitygenError> {
        for t in transit::transit(&self.frame, self.origin, &self.plan.bounds)? {
            let g = match t.shape {
                Shape::Stop(p) => Geometry::Point(self.on_ground(p)),
                Shape::Line(line) => Geometry::LineString(line.into_iter().map(|p| self.at(p, self.plan.ground.deck(p))).collect()),
            };
            let values = vec![t.name.as_deref().map(Value::from).unwrap_or_default(), t.kind.into()];
            out.put(&self.layers.transit, &t.id, g, Interval::ALWAYS, values)?;
        }
        Ok(())
    }

    /// Pipes as their axes, points at the ground, a sensor on every fortieth valve or well.
    fn network(&self, n: &pipes::Network, out: &mut Tally<'_>) -> Result<(), CitygenError> {
        let l = &self.layers;
        let prefix = out.prefix;
        let numbered = |p: &pipes::Point| Value::from(format!("{prefix}{}", p.id).as_str());
        let k = n.kind;
        let opt = |v: Option<f64>| v.map_or(Value::Null, Value::Float);
        out.truth.networks.push(NetworkTruth::new(n, out.prefix));
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
                numbered(from),
                numbered(to),
                opt(p.invert_m.map(|i| i[0])),
                opt(p.invert_m.map(|i| i[1])),
                depth(0, from.ground_m).into(),
                depth(1, to.ground_m).into(),
                k.owner.into(),
                (&*p.road).into(),
                p.year.into(),
                k.life_years().into(),
                Value::Int(0),
                Value::Float(0.05),
            ];
            let valid = Interval::since(Instant::from_ymd(p.year as i32, 7, 1));
            out.put(&l.pipes, &p.id, Geometry::LineString(line), valid, values)?;
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
                (&*p.road).into(),
            ];
            out.put(&l.pipe_points, &p.id, g.clone(), Interval::ALWAYS, values)?;
            let watched = match (k.class, p.kind, i % 40) {
                ("JS" | "RQ" | "RL", "valve", 0) => Some(("压力", "MPa")),
                ("PS", "well", 0) => Some(("液位", "m")),
                (_, "well", 20) => Some(("井盖", "°")),
                _ => None,
            };
            if let Some((quantity, unit)) = watched {
                let values = vec![quantity.into(), unit.into(), "pipe_points".into(), numbered(p)];
                out.put(&l.sensors, &format!("SE-{}", p.id), g, Interval::ALWAYS, values)?;
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
        let has = |p: P2| self.plan.bounds.grown(-400.0).contains(p);
        // A part of the city that does not reach the real place has a stand-in.
        let place = |a: (&'static str, &'static str, &'static str, P2), instead: P2| if has(a.3) { a } else { (a.0, a.1, a.2, instead) };
        [
            ("cbd", "人民广场", "Renmin Square", [0.0, -150.0]),
            ("old-town", "老城", "Old town", [640.0, 420.0]),
            ("school-quarter", "学区", "School quarter", [-300.0, -2_050.0]),
            place(("north-plan", "北部规划区", "Planned north", [1_500.0, 7_000.0]), [1_400.0, 100.0]),
            match has([12_000.0, -9_600.0]) {
                true => ("jingyue-hills", "净月山地", "Jingyue hills", [12_000.0, -9_600.0]),
                false => ("jingyue-hills", "山地公园", "Hill park", [2_390.0, -1_210.0]),
            },
            ("main-crossing", "主路口", "Main crossing", crossing([0.0, -1_170.0])),
            ("heat-trunk", "热力干管", "Heat trunk", crossing([500.0, -1_170.0])),
            place(("car-works", "厂区", "Works", [-7_000.0, -6_100.0]), [2_450.0, -2_300.0]),
            ("plan-parcel", "方案地块", "Scheme parcel", buildings::PLAN_PARCEL),
            ("tv-tower", "电视塔", "TV tower", [0.0, -600.0]),
            ("survey-sheet", "测绘图幅", "Survey sheet", crossing([-600.0, -600.0])),
            ("permit-17", "许可 17", "Permit 17", crossing([600.0, -600.0])),
            ("burst-3", "爆管 3", "Burst 3", crossing([900.0, -1_800.0])),
            ("city", "全城", "The whole", map::CITY_CENTRE),
            ("centre", "市中心", "City centre", [700.0, -900.0]),
        ]
        .into_iter()
        .map(|(name, zh, en, p)| Anchor { name, title_zh: zh, title_en: en, position: self.at(p, self.plan.ground.z(p)) })
        .collect()
    }
    /// Blocks share their border points, so no crack opens between them.
    fn terrain(&self, out: &mut Tally<'_>) -> Result<(), CitygenError> {
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
                let id = format!("TE{:02}-{:02}", bi / BLOCK_CELLS, bj / BLOCK_CELLS);
                out.put(&self.layers.terrain, &id, Geometry::Tin { points, triangles }, Interval::ALWAYS, Vec::new())?;
            }
        }
        Ok(())
    }
}
