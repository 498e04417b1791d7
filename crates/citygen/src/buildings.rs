//! Houses of a parcel, by pattern: slabs that face south, towers, podium and tower, perimeter rows, halls, winged
//! schools and wards. Everything stays inside the parcel, and no two that stand at the same time overlap.

use crate::{
    blocks::Parcel,
    dice::{Dice, For},
    map::*,
    plane::*,
};
use strata_model::{Instant, Interval};

#[derive(Debug, Clone)]
pub(crate) struct Building {
    pub ring: Ring,
    pub use_: &'static str,
    pub floors: i64,
    pub height_m: f64,
    pub roof: &'static str,
    pub year: i64,
    pub valid: Interval,
    pub name: Option<&'static str>,
    pub units: i64,
}

/// Floor height by use, m; halls have one floor of their own height.
pub(crate) fn floor_m(use_: &str) -> f64 {
    match use_ {
        "residential" => 2.9,
        "commercial" => 5.0,
        "school" => 3.6,
        "hospital" => 3.8,
        "public" => 4.2,
        _ => 4.0,
    }
}

/// When a generation of houses of one parcel stood.
#[derive(Clone, Copy)]
struct Era {
    from: i64,
    to: Option<i64>,
    /// First year in which the pattern may be read as modern.
    modern: bool,
}

struct Site<'a> {
    ring: Ring,
    taken: Vec<Oriented>,
    out: Vec<Building>,
    era: Era,
    dice: &'a mut Dice,
}

/// Parcel on which the demonstration of a planning scheme stands: old houses now, towers from 2028.
pub(crate) const PLAN_PARCEL: P2 = [850.0, -1560.0];

pub(crate) fn buildings(seed: u64, p: &Parcel) -> Vec<Building> {
    if !p.built() {
        return Vec::new();
    }
    let mut dice = Dice::new(seed, For::Buildings, p.serial);
    let c = centroid(&p.area.shell);
    if inside(&p.area.shell, PLAN_PARCEL) {
        let mut out = fill(p, &mut dice, Era { from: 1984, to: Some(2027), modern: false });
        out.extend(fill(p, &mut dice, Era { from: 2028, to: None, modern: true }));
        return out;
    }
    if p.planned {
        let from = dice.int(2027, 2030);
        return fill(p, &mut dice, Era { from, to: None, modern: true });
    }
    let first = match p.zone {
        Zone::OldTown => {
            if dice.chance(0.7) {
                dice.int(1932, 1966)
            } else {
                dice.int(1978, 1994)
            }
        }
        Zone::Cbd => {
            if dice.chance(0.3) {
                dice.int(1936, 1975)
            } else {
                dice.int(1988, 2019)
            }
        }
        Zone::Residential => {
            let r = dice.unit();
            if r < 0.12 {
                dice.int(1954, 1970)
            } else if r < 0.55 {
                dice.int(1978, 1996)
            } else if r < 0.83 {
                dice.int(1997, 2010)
            } else {
                dice.int(2011, 2023)
            }
        }
        Zone::School | Zone::Hospital => dice.int(1952, 2012),
        Zone::Works => {
            if dist(c, [-7000.0, -6100.0]) < 2200.0 {
                dice.int(1953, 1992)
            } else {
                dice.int(1955, 2008)
            }
        }
        Zone::New => dice.int(2013, 2025),
        _ => dice.int(1980, 2015),
    };
    let renewal = match p.zone {
        Zone::OldTown => 0.16,
        Zone::Works => 0.24,
        Zone::Residential => 0.09,
        Zone::Cbd => 0.12,
        _ => 0.02,
    };
    if first < 1992 && dice.chance(renewal) {
        let gone = dice.int(2005, 2023);
        let mut out = fill(p, &mut dice, Era { from: first, to: Some(gone), modern: false });
        // Some land still lies bare.
        if dice.chance(0.9) {
            let from = gone + dice.int(1, 3);
            out.extend(fill(p, &mut dice, Era { from, to: None, modern: true }));
        }
        return out;
    }
    fill(p, &mut dice, Era { from: first, to: None, modern: first >= 1997 })
}

fn fill(p: &Parcel, dice: &mut Dice, era: Era) -> Vec<Building> {
    let setback = match p.zone {
        Zone::OldTown => 1.2,
        Zone::Cbd => 5.0,
        _ => 4.0,
    };
    let ring = shrink(&p.area.shell, |_| setback);
    if ring.len() < 3 || area(&ring) < 90.0 {
        return Vec::new();
    }
    let size = area(&ring);
    let mut s = Site { ring, taken: Vec::new(), out: Vec::new(), era, dice };
    match (p.land_use, p.zone) {
        ("0701", Zone::OldTown) if !era.modern => s.perimeter("residential"),
        ("09" | "0803" | "0801", Zone::OldTown) if !era.modern => s.perimeter("commercial"),
        ("0701", Zone::Cbd) => s.towers(20, 32),
        ("0701", _) => s.homes(size),
        ("09", Zone::Cbd) => s.podium(size),
        ("09", _) => {
            if size > 3500.0 && era.modern {
                s.podium(size)
            } else {
                s.perimeter("commercial")
            }
        }
        ("0801" | "0802", _) => s.courtyard("office"),
        ("0803", _) => s.courtyard("public"),
        ("0804", _) => s.school(),
        ("0806", _) => s.hospital(),
        ("1001" | "11", _) => s.halls(),
        ("13", _) => s.utility(),
        _ => s.courtyard("public"),
    }
    if s.out.is_empty() && size > 150.0 {
        s.single(match p.land_use {
            "0701" => "residential",
            "1001" | "11" => "industrial",
            "13" => "utility",
            "0804" => "school",
            "0806" => "hospital",
            "09" => "commercial",
            _ => "public",
        });
    }
    if p.zone == Zone::Residential && is_outer(centroid(&p.area.shell)) {
        s.outbuildings();
    }
    s.out
}

impl Site<'_> {
    fn fits(&self, o: &Oriented, gap: f64) -> bool {
        let wide = o.grown(gap);
        o.half[0] > 2.5 && o.half[1] > 2.5 && !self.taken.iter().any(|t| t.meets(&wide)) && o.within(&self.ring)
    }
    fn push(&mut self, ring: Ring, use_: &'static str, floors: i64, roof: &'static str) {
        self.push_high(ring, use_, floors, floors as f64 * floor_m(use_), roof);
    }
    fn push_high(&mut self, ring: Ring, use_: &'static str, floors: i64, height_m: f64, roof: &'static str) {
        let year =
            self.era.from + if self.era.to.is_none() && self.era.from < 2020 && self.dice.chance(0.3) { self.dice.int(0, 3) } else { 0 };
        let month = self.dice.int(5, 11) as u32;
        let from = Instant::from_ymd(year as i32, month, 1);
        let to = self.era.to.map_or(Instant::MAX, |y| Instant::from_ymd(y as i32, 4, 1));
        let units = if use_ == "residential" { (area(&ring) * floors as f64 / 95.0).floor().max(1.0) as i64 } else { 0 };
        self.out.push(Building { ring, use_, floors, height_m, roof, year, valid: Interval { from, to }, name: None, units });
    }
    /// A plain rectangle, where it fits.
    fn bar(&mut self, o: Oriented, gap: f64, use_: &'static str, floors: i64, roof: &'static str) -> bool {
        let ok = self.fits(&o, gap);
        if ok {
            self.taken.push(o);
            self.push(o.ring(), use_, floors, roof);
        }
        ok
    }

    fn homes(&mut self, size: f64) {
        let y = self.era.from;
        if y < 1972 {
            let floors = self.dice.int(3, 4);
            self.slabs(11.0, floors, 1.45, "residential", "hip");
        } else if y < 1997 {
            let floors = if self.dice.chance(0.25) { 7 } else { 6 };
            let roof = if self.dice.chance(0.25) { "gable" } else { "flat" };
            self.slabs(12.0, floors, 1.35, "residential", roof);
        } else if y < 2011 {
            if size > 5000.0 && self.dice.chance(0.3) {
                self.towers(16, 26)
            } else {
                let floors = self.dice.pick(&[6, 7, 7, 9, 11]);
                let roof = if floors < 8 && self.dice.chance(0.4) { "gable" } else { "flat" };
                self.slabs(13.0, floors, 1.25, "residential", roof);
            }
        } else if size > 4000.0 && self.dice.chance(0.6) {
            self.towers(22, 33);
        } else {
            let floors = self.dice.pick(&[7, 11, 11, 18]);
            self.slabs(13.5, floors, 1.1, "residential", "flat");
        }
    }

    /// Rows of slabs facing south, along the parcel's side that runs nearest to east–west.
    fn slabs(&mut self, depth: f64, floors: i64, apart: f64, use_: &'static str, roof: &'static str) {
        let u = self.east();
        let v = left(u);
        let o = self.ring[0];
        let (mut lo, mut hi) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for &p in &self.ring {
            for (k, n) in [u, v].into_iter().enumerate() {
                let c = dot(sub(p, o), n);
                lo[k] = lo[k].min(c);
                hi[k] = hi[k].max(c);
            }
        }
        let spacing = (floors as f64 * floor_m(use_) * apart).max(10.0);
        let length = self.dice.range(42.0, 66.0);
        let mut y = lo[1] + depth / 2.0 + 0.3;
        while y + depth / 2.0 <= hi[1] {
            let (mut x, mut any) = (lo[0] + 0.3, false);
            while x + 18.0 < hi[0] {
                let placed = [1.0, 0.8, 0.62, 0.45].into_iter().find_map(|k| {
                    let l: f64 = length * k;
                    let b = Oriented { centre: along(along(o, u, x + l / 2.0), v, y), u, half: [l / 2.0, depth / 2.0] };
                    (l > 17.0 && self.fits(&b, 3.0)).then_some(b)
                });
                match placed {
                    Some(b) => {
                        any = true;
                        let f = if self.dice.chance(0.15) { (floors - 1).max(2) } else { floors };
                        self.bar(b, 3.0, use_, f, roof);
                        x += b.half[0] * 2.0 + if floors > 8 { 13.0 } else { 7.0 };
                    }
                    None => x += 5.0,
                }
            }
            y += if any { depth + spacing } else { 4.0 };
        }
        // A row of shops or a boiler house along a free side.
        if self.dice.chance(0.5) {
            let b = box_along(&self.ring, v);
            for side in [-1.0, 1.0] {
                let c =
                    Oriented { centre: along(b.centre, b.v(), side * (b.half[1] - 5.0)), u: b.u, half: [self.dice.range(8.0, 16.0), 4.5] };
                if self.bar(c, 4.0, "commercial", 1, "flat") {
                    break;
                }
            }
        }
    }

    fn east(&self) -> P2 {
        let b = oriented_box(&self.ring);
        let best = [b.u, b.v()].into_iter().map(|u| if u[0] < 0.0 { [-u[0], -u[1]] } else { u }).max_by(|a, b| a[0].total_cmp(&b[0]));
        best.filter(|u| u[0] > 0.9).unwrap_or([1.0, 0.0])
    }

    fn towers(&mut self, low: i64, high: i64) {
        let (u, floors) = (self.east(), self.dice.int(low, high));
        let v = left(u);
        let (w, d) = (self.dice.range(24.0, 34.0), self.dice.range(14.5, 18.0));
        let b = Oriented { u, ..box_along(&self.ring, u) };
        let c = centroid(&self.ring);
        let reach = b.half[0].max(b.half[1]) * 1.5;
        let (dx, dy) = (w + self.dice.range(15.0, 24.0), d + (floors as f64 * 2.9 * 0.62).clamp(30.0, 58.0));
        let (nx, ny) = ((reach / dx).ceil() as i64, (reach / dy).ceil() as i64);
        for j in -ny..=ny {
            for i in -nx..=nx {
                let shift = if j % 2 == 0 { 0.0 } else { dx * 0.4 };
                let o = Oriented { centre: along(along(c, u, i as f64 * dx + shift), v, j as f64 * dy), u, half: [w / 2.0, d / 2.0] };
                if self.fits(&o, 5.0) {
                    self.taken.push(o);
                    let f = floors - self.dice.int(0, 3);
                    // Two flats' wings beside a drawn-back stair.
                    let (a, h, n) = (o.half[0], o.half[1], 2.2);
                    let ring = vec![
                        o.at(-a, -h),
                        o.at(-2.6, -h),
                        o.at(-2.6, -h + n),
                        o.at(2.6, -h + n),
                        o.at(2.6, -h),
                        o.at(a, -h),
                        o.at(a, h),
                        o.at(-a, h),
                    ];
                    self.push(ring, "residential", f, "flat");
                }
            }
        }
        let o = Oriented { half: [self.dice.range(10.0, 18.0), 7.0], ..box_along(&self.ring, u) };
        for side in [-1.0, 1.0] {
            let b = box_along(&self.ring, u);
            self.bar(Oriented { centre: along(b.centre, b.v(), side * (b.half[1] - 8.5)), ..o }, 6.0, "commercial", 2, "flat");
        }
    }

    /// Shops below, a tower in one corner: two solids side by side, an L and its filling.
    fn podium(&mut self, size: f64) {
        let b = oriented_box(&self.ring);
        let c = centroid(&self.ring);
        let max = if size > 9000.0 { 62.0 } else { 44.0 };
        let found = (0..14).find_map(|i| {
            let k = 1.0 - 0.055 * f64::from(i);
            let o = Oriented { centre: lerp(b.centre, c, 0.6), u: b.u, half: [(b.half[0] * k).min(max), (b.half[1] * k).min(38.0)] };
            self.fits(&o, 2.0).then_some(o)
        });
        let Some(o) = found else { return self.perimeter("commercial") };
        self.taken.push(o);
        let [a, h] = o.half;
        if a < 15.0 || h < 12.0 || self.era.from < 1985 {
            let floors = self.dice.int(3, 6);
            let use_ = if self.dice.chance(0.5) { "office" } else { "commercial" };
            self.push(o.ring(), use_, floors, "flat");
            return;
        }
        let (tw, td) = ((a * 0.8).min(self.dice.range(17.0, 21.0)) * 2.0, (h * 1.1).min(self.dice.range(26.0, 38.0)));
        let gap = 0.05;
        let (x, y) = (-a + tw, -h + td);
        let podium = vec![o.at(x + gap, -h), o.at(a, -h), o.at(a, h), o.at(-a, h), o.at(-a, y + gap), o.at(x + gap, y + gap)];
        let floors = self.dice.int(3, 5);
        self.push(clean(podium), "commercial", floors, "flat");
        let tower = vec![o.at(-a, -h), o.at(x, -h), o.at(x, y), o.at(-a, y)];
        let floors = if self.dice.chance(0.35) { self.dice.int(28, 44) } else { self.dice.int(12, 27) };
        let use_ = if self.dice.chance(0.8) { "office" } else { "residential" };
        self.push(tower, use_, floors, "flat");
        // What is left of the parcel carries an office slab or two.
        for side in [-1.0, 1.0] {
            let u = b.u;
            let centre = along(o.centre, u, side * (a + 26.0));
            let floors = self.dice.int(8, 18);
            self.bar(Oriented { centre, u, half: [11.0, (h * 0.8).min(22.0)] }, 8.0, "office", floors, "flat");
        }
    }

    /// Rows of houses wall to wall along the sides, a court with sheds inside.
    fn perimeter(&mut self, use_: &'static str) {
        let sides: Vec<(P2, P2)> = edges(&self.ring).collect();
        for (a, b) in sides {
            let (l, d) = (dist(a, b), unit(sub(b, a)));
            let depth = self.dice.range(9.0, 11.5);
            let mut s = 0.05;
            while l - s > 9.0 {
                let w = self.dice.range(13.0, 30.0).min(l - s - 0.05);
                let centre = along(along(a, d, s + w / 2.0), left(d), depth / 2.0 + 0.05);
                let o = Oriented { centre, u: d, half: [w / 2.0 - 0.03, depth / 2.0] };
                let floors = if use_ == "commercial" { self.dice.pick(&[1, 2, 2, 3]) } else { self.dice.pick(&[2, 3, 3, 3, 4]) };
                let roof = if self.dice.chance(0.3) { "hip" } else { "gable" };
                let use_ = if use_ == "residential" && self.dice.chance(0.16) { "commercial" } else { use_ };
                if self.bar(o, 0.0, use_, floors.min(3 + i64::from(use_ == "residential")), roof) {
                    s += w + if self.dice.chance(0.18) { 4.5 } else { 0.0 };
                } else {
                    s += 4.0;
                }
            }
        }
        let o = oriented_box(&self.ring);
        for i in -3..=3 {
            let half = [self.dice.range(4.0, 8.0), self.dice.range(3.0, 4.5)];
            let at = o.at(f64::from(i) * 17.0 + self.dice.range(-3.0, 3.0), self.dice.range(-4.0, 4.0));
            if self.dice.chance(0.7) {
                self.bar(
                    Oriented { centre: at, u: o.u, half },
                    3.0,
                    if use_ == "residential" { "residential" } else { "utility" },
                    1,
                    "gable",
                );
            }
        }
    }

    /// A U or an L around a court, the open side to the south-west.
    fn winged(&mut self, o: Oriented, depth: f64, use_: &'static str, floors: i64, roof: &'static str) -> bool {
        if !self.fits(&o, 3.0) || o.half[0] < depth * 1.4 || o.half[1] < depth * 0.9 {
            return false;
        }
        self.taken.push(o);
        let [a, h] = o.half;
        let t = depth;
        let ring = if self.dice.chance(0.6) {
            vec![
                o.at(-a, -h),
                o.at(-a + t, -h),
                o.at(-a + t, h - t),
                o.at(a - t, h - t),
                o.at(a - t, -h),
                o.at(a, -h),
                o.at(a, h),
                o.at(-a, h),
            ]
        } else {
            vec![o.at(-a, -h), o.at(-a + t, -h), o.at(-a + t, h - t), o.at(a, h - t), o.at(a, h), o.at(-a, h)]
        };
        self.push(ring, use_, floors, roof);
        true
    }

    fn courtyard(&mut self, use_: &'static str) {
        let floors = if self.era.modern { self.dice.int(6, 14) } else { self.dice.int(3, 5) };
        let roof = if self.era.from < 1960 { "hip" } else { "flat" };
        let b = Oriented { ..box_along(&self.ring, self.east()) };
        let c = centroid(&self.ring);
        for i in 0..8 {
            let k = 0.85 - 0.08 * f64::from(i);
            let o = Oriented { centre: c, u: b.u, half: [(b.half[0] * k).min(44.0), (b.half[1] * k).min(30.0)] };
            if self.winged(o, self.dice_depth(), use_, floors, roof) {
                break;
            }
        }
        self.slabs(14.0, floors.min(6), 1.2, use_, roof);
    }
    fn dice_depth(&self) -> f64 {
        if self.era.modern { 16.0 } else { 14.0 }
    }

    fn school(&mut self) {
        let b = box_along(&self.ring, self.east());
        let c = centroid(&self.ring);
        let floors = self.dice.int(4, 5);
        let roof = if self.era.from < 1962 { "hip" } else { "flat" };
        let offsets = [[0.0, 0.45], [0.3, 0.2], [-0.3, 0.2], [0.0, 0.0], [0.0, -0.3]];
        for o in offsets {
            let centre = along(along(c, b.u, o[0] * b.half[0]), b.v(), o[1] * b.half[1]);
            let half = [(b.half[0] * 0.5).min(40.0), (b.half[1] * 0.4).min(26.0)];
            if self.winged(Oriented { centre, u: b.u, half }, 13.0, "school", floors, roof) {
                break;
            }
        }
        self.slabs(15.0, floors, 1.9, "school", roof);
    }

    fn hospital(&mut self) {
        let b = box_along(&self.ring, self.east());
        let c = centroid(&self.ring);
        let floors = self.dice.int(12, 20);
        for k in [1.0, 0.8, 0.6] {
            if self.winged(Oriented { centre: c, u: b.u, half: [52.0 * k, 32.0 * k] }, 18.0, "hospital", floors, "flat") {
                break;
            }
        }
        let floors = self.dice.int(5, 8);
        self.slabs(17.0, floors, 1.1, "hospital", "flat");
    }

    fn halls(&mut self) {
        let b = oriented_box(&self.ring);
        let (w, l) = (self.dice.range(30.0, 54.0), self.dice.range(72.0, 150.0));
        let modern = self.era.modern;
        let (nx, ny) = ((b.half[0] * 2.0 / 30.0) as i64, (b.half[1] * 2.0 / 10.0) as i64);
        for j in 0..ny {
            for i in 0..nx {
                for k in [1.0, 0.7, 0.45] {
                    let half = [l * k / 2.0, w * (0.5 + k / 2.0) / 2.0];
                    let centre = b.at(-b.half[0] + half[0] + i as f64 * 30.0 + 0.2, -b.half[1] + half[1] + j as f64 * 10.0 + 0.2);
                    let o = Oriented { centre, u: b.u, half };
                    if self.fits(&o, 9.0) {
                        self.taken.push(o);
                        let height = self.dice.range(9.0, 14.0).round();
                        let roof = if modern && self.dice.chance(0.6) { "flat" } else { "saw" };
                        self.push_high(o.ring(), "industrial", 1, height, roof);
                        break;
                    }
                }
            }
        }
        for i in -4..=4 {
            for side in [-1.0, 1.0] {
                let o = Oriented { centre: b.at(f64::from(i) * b.half[0] / 4.6, side * (b.half[1] - 7.5)), u: b.u, half: [13.0, 6.5] };
                let floors = self.dice.int(2, 4);
                if self.dice.chance(0.6) {
                    self.bar(o, 5.0, "office", floors, "flat");
                }
            }
        }
        // A chimney where a corner is left.
        let o = Oriented { centre: b.at(b.half[0] - 6.0, b.half[1] - 6.0), u: b.u, half: [3.0, 3.0] };
        if self.dice.chance(0.35) && self.fits(&o, 2.0) {
            self.taken.push(o);
            let ring = (0..12)
                .map(|k| {
                    let a = f64::from(k) * std::f64::consts::TAU / 12.0;
                    along(o.centre, [a.cos(), a.sin()], 2.6)
                })
                .collect();
            let height = self.dice.range(35.0, 60.0).round();
            self.push_high(ring, "utility", 1, height, "flat");
        }
    }

    /// What stands in yards: garages, a transformer, a gatekeeper's house.
    fn outbuildings(&mut self) {
        let b = box_along(&self.ring, self.east());
        let (mut wanted, mut tries) = (self.dice.int(4, 8), 28);
        while wanted > 0 && tries > 0 {
            let half = [self.dice.range(2.8, 9.0), self.dice.range(2.6, 3.3)];
            let centre = b.at(self.dice.range(-b.half[0], b.half[0]), self.dice.range(-b.half[1], b.half[1]));
            wanted -= i64::from(self.bar(Oriented { centre, u: b.u, half }, 2.5, "utility", 1, "flat"));
            tries -= 1;
        }
    }

    fn utility(&mut self) {
        self.slabs(15.0, 2, 2.0, "utility", "flat");
    }

    /// One house as large as fits.
    fn single(&mut self, use_: &'static str) {
        let b = oriented_box(&self.ring);
        let c = centroid(&self.ring);
        for i in 0..9 {
            let k = 0.95 - 0.09 * f64::from(i);
            let o = Oriented { centre: lerp(b.centre, c, 0.5), u: b.u, half: [(b.half[0] * k).min(30.0), (b.half[1] * k).min(10.0)] };
            if self.fits(&o, 0.0) {
                self.taken.push(o);
                let floors = if self.era.modern { self.dice.int(3, 7) } else { self.dice.int(1, 4) };
                if use_ == "industrial" {
                    self.push_high(o.ring(), use_, 1, 8.0, "saw")
                } else {
                    self.push(o.ring(), use_, floors, "flat")
                }
                return;
            }
        }
    }
}
