//! A city as anyone reads it from its layers, and what must be true of it. The generator's own structures are not asked.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::Arc,
};
use strata_citygen::{City, Size, Truth};
use strata_model::{Bounds2, Bounds3, Feature, Geometry, Layer, Point3, Polygon};

pub struct Made {
    pub layers: BTreeMap<String, Arc<Layer>>,
    pub features: BTreeMap<String, Vec<Feature>>,
    pub truth: Truth,
    pub hash: u64,
}

pub fn made(size: Size, seed: u64) -> Made {
    let city = City::new(size, seed).unwrap();
    let layers = city.layers().into_iter().map(|l| (l.id.to_string(), l)).collect();
    let mut features: BTreeMap<String, Vec<Feature>> = BTreeMap::new();
    let mut hash = DefaultHasher::new();
    let (truth, _) = city
        .generate(&mut |l, f| {
            format!("{}{f:?}", l.id).hash(&mut hash);
            features.entry(l.id.to_string()).or_default().push(f);
            Ok(())
        })
        .unwrap();
    Made { layers, features, truth, hash: hash.finish() }
}

impl Made {
    pub fn of(&self, layer: &str) -> &[Feature] {
        &self.features[layer]
    }
    pub fn text<'a>(&self, layer: &str, f: &'a Feature, field: &str) -> &'a str {
        f.text(&self.layers[layer], field).unwrap_or_default()
    }
    pub fn number(&self, layer: &str, f: &Feature, field: &str) -> Option<f64> {
        f.number(&self.layers[layer], field)
    }
}

pub fn point(f: &Feature) -> Point3 {
    match &f.geometry {
        Geometry::Point(p) => *p,
        g => panic!("{} is no point: {g:?}", f.id),
    }
}

pub fn line(f: &Feature) -> &[Point3] {
    match &f.geometry {
        Geometry::LineString(l) => l,
        g => panic!("{} is no line: {g:?}", f.id),
    }
}

pub fn polygon(f: &Feature) -> &Polygon {
    match &f.geometry {
        Geometry::Polygon(p) => p,
        g => panic!("{} is no polygon: {g:?}", f.id),
    }
}

pub fn inside(p: Point3, polygon: &Polygon) -> bool {
    let ring = polygon.shell();
    ring.windows(2)
        .filter(|w| (w[0][1] > p[1]) != (w[1][1] > p[1]) && p[0] < (w[1][0] - w[0][0]) * (p[1] - w[0][1]) / (w[1][1] - w[0][1]) + w[0][0])
        .count()
        % 2
        == 1
}

/// In the plan.
pub fn to_segment(a: Point3, b: Point3, p: Point3) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let l2 = dx * dx + dy * dy;
    let t = if l2 > 0.0 { (((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / l2).clamp(0.0, 1.0) } else { 0.0 };
    (a[0] + dx * t - p[0]).hypot(a[1] + dy * t - p[1])
}

pub fn to_line(line: &[Point3], p: Point3) -> f64 {
    line.windows(2).map(|w| to_segment(w[0], w[1], p)).fold(f64::INFINITY, f64::min)
}

fn segments_meet(a: Point3, b: Point3, c: Point3, d: Point3) -> bool {
    let side = |p: Point3, q: Point3, r: Point3| (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

/// Features, ids, geometry and the counts of the truth.
pub fn every_feature_is_sound_and_counted(made: &Made) {
    let (mut counts, mut classes) = (BTreeMap::new(), BTreeMap::new());
    let mut ids = BTreeSet::new();
    let mut all = 0;
    for (id, features) in &made.features {
        let layer = &made.layers[id];
        assert_eq!(layer.synthetic, id != "transit", "{id}");
        let by = ["class", "use", "land_use", "species", "kind"].into_iter().find(|n| layer.fields.iter().any(|f| f.name == *n));
        for f in features {
            f.check(layer).unwrap_or_else(|e| panic!("{id} {}: {e}", f.id));
            assert!(ids.insert((id, &f.id)), "{id} {} is there twice", f.id);
            *counts.entry(id.clone()).or_insert(0u64) += 1;
            all += 1;
            if let Some(by) = by {
                let class = match id.as_str() {
                    "pipes" | "pipe_points" => format!("{}/{}", made.text(id, f, "class"), made.text(id, f, "subclass")),
                    _ => made.text(id, f, by).to_owned(),
                };
                *classes.entry(id.clone()).or_insert_with(BTreeMap::new).entry(class).or_insert(0u64) += 1;
            }
        }
    }
    assert_eq!(made.truth.features, all);
    assert_eq!(made.truth.counts.iter().filter(|(_, n)| **n > 0).map(|(l, n)| (l.clone(), *n)).collect::<BTreeMap<_, _>>(), counts);
    assert_eq!(made.truth.classes, classes);
    assert_eq!(made.layers.len(), counts.len(), "a layer is empty: {counts:?}");
    println!("{counts:?}");
}

pub mod underground;

struct Under {
    id: String,
    class: String,
    subclass: String,
    /// Radius of the round pipe that fits into it, m.
    radius_m: f64,
    dn_m: Option<f64>,
    letters: String,
    from: String,
    to: String,
    axis: [Point3; 2],
    invert: Option<[f64; 2]>,
    depth: [f64; 2],
}

/// `2-JS000012` → `2-JS`
fn letters(id: &str) -> String {
    id.trim_end_matches(|c: char| c.is_ascii_digit()).into()
}

fn underground(made: &Made) -> (Vec<Under>, BTreeMap<String, (Point3, String)>) {
    let of = |f: &Feature| {
        let (text, l) = (|n: &str| made.text("pipes", f, n).to_owned(), line(f));
        let number = |n: &str| made.number("pipes", f, n);
        Under {
            id: f.id.to_string(),
            class: text("class"),
            subclass: text("subclass"),
            radius_m: number("od_mm").unwrap_or_else(|| number("width_mm").unwrap().min(number("height_mm").unwrap())) / 2000.0,
            dn_m: number("dn_mm").map(|d| d / 1000.0),
            letters: letters(&text("start_point")),
            from: text("start_point"),
            to: text("end_point"),
            axis: [l[0], l[l.len() - 1]],
            invert: number("start_invert_m").zip(number("end_invert_m")).map(|(a, b)| [a, b]),
            depth: [number("start_depth_m").unwrap(), number("end_depth_m").unwrap()],
        }
    };
    let points = made.of("pipe_points").iter().map(|f| (f.id.to_string(), (point(f), made.text("pipe_points", f, "kind").into())));
    (made.of("pipes").iter().map(of).collect(), points.collect())
}

fn parts<'a>(pipes: impl Iterator<Item = &'a Under>) -> usize {
    // Union-find over the point numbers.
    let mut root: HashMap<&str, &str> = HashMap::new();
    fn find<'a>(root: &mut HashMap<&'a str, &'a str>, x: &'a str) -> &'a str {
        let mut x = x;
        while let Some(&p) = root.get(x).filter(|p| **p != x) {
            let above = root[p];
            root.insert(x, above);
            x = p;
        }
        x
    }
    for p in pipes {
        root.entry(&p.from).or_insert(&p.from);
        root.entry(&p.to).or_insert(&p.to);
        let (a, b) = (find(&mut root, &p.from), find(&mut root, &p.to));
        root.insert(a, b);
    }
    root.iter().filter(|(k, v)| k == v).count()
}

pub fn every_network_holds_together_and_water_lies_under_the_frost(made: &Made) {
    let (pipes, points) = underground(made);
    let mut networks: BTreeMap<&str, Vec<&Under>> = BTreeMap::new();
    for p in &pipes {
        // Ends lie exactly under their points.
        for (id, end) in [(&p.from, p.axis[0]), (&p.to, p.axis[1])] {
            let (at, _) = &points[id];
            assert!((at[0] - end[0]).abs() < 1e-6 && (at[1] - end[1]).abs() < 1e-6 && end[2] < at[2], "{id}");
        }
        if p.class == "JS" {
            assert!(p.depth.iter().all(|d| *d >= 1.69 + 0.15), "water at {:?}", p.depth);
        }
        // The mouth of a storm drain is in the open; all else is covered.
        let mouth = points[&p.to].1 == "outfall";
        assert!(p.depth[0] > 0.4 && (mouth || p.depth[1] > 0.4), "{} at {:?}", p.id, p.depth);
        networks.entry(&p.letters).or_default().push(p);
    }
    let classes: BTreeSet<&str> = pipes.iter().map(|p| p.class.as_str()).collect();
    assert_eq!(classes.len(), 8, "eight classes: {classes:?}");
    let told: BTreeMap<&str, _> = made.truth.networks.iter().map(|n| (n.letters.as_str(), n)).collect();
    assert_eq!(told.keys().collect::<Vec<_>>(), networks.keys().collect::<Vec<_>>());
    for (name, list) in &networks {
        let n = parts(list.iter().copied());
        let length: f64 = list.iter().map(|p| (p.axis[0][0] - p.axis[1][0]).hypot(p.axis[0][1] - p.axis[1][1])).sum();
        let truth = told[name];
        assert_eq!((truth.pipes, truth.components), (list.len() as u64, n as u64), "{name}");
        assert!((truth.length_m - length).abs() < 1e-3 * length.max(1.0) * 1e-3, "{name}: {} and {length} m", truth.length_m);
        // Streets are one graph, so mains and cables are one network; drains end in basins, the tunnel and the works'
        // pipes are of one street or quarter.
        if !["PS", "GY", "QT"].contains(&truth.class.as_str()) {
            assert_eq!(n, 1, "{name} falls into {n} parts");
        }
        println!("{name}: {} pipes, {:.0} km, {n} parts, {:.1} m deep", list.len(), length / 1000.0, truth.deepest_m);
    }
    let outfalls: BTreeSet<&str> = made.truth.networks.iter().flat_map(|n| &n.outfalls).map(String::as_str).collect();
    let seen: BTreeSet<&str> = points.iter().filter(|(_, p)| p.1 == "outfall").map(|(id, _)| id.as_str()).collect();
    assert!(outfalls == seen && !seen.is_empty());
}

pub fn every_drain_falls_and_reaches_an_outfall(made: &Made) {
    let (pipes, points) = underground(made);
    let mut next: BTreeMap<&str, Vec<&Under>> = BTreeMap::new();
    let mut drains = 0;
    for p in pipes.iter().filter(|p| p.class == "PS") {
        let [a, b] = p.invert.expect("a drain has inverts");
        let length = (p.axis[0][0] - p.axis[1][0]).hypot(p.axis[0][1] - p.axis[1][1]);
        assert!((a - b) / length >= 0.0017, "{} → {} falls {} over {length}", p.from, p.to, a - b);
        next.entry(&p.from).or_default().push(p);
        drains += 1;
    }
    // From every pipe, whichever way it parts, an outfall is met; a walk longer than the network has gone in a circle.
    let mut good: BTreeSet<&str> = BTreeSet::new();
    for p in pipes.iter().filter(|p| p.class == "PS") {
        let (mut at, mut level, mut way) = (p.to.as_str(), p.invert.unwrap()[1], Vec::new());
        while points[at].1 != "outfall" {
            let q = next.get(at).unwrap_or_else(|| panic!("{at} leads nowhere"))[0];
            let [a, b] = q.invert.unwrap();
            assert!(a <= level + 1e-9 && b < a, "{at}: {a} above {level}");
            if good.contains(at) {
                break;
            }
            way.push(at);
            (at, level) = (&q.to, b);
            assert!(way.len() < drains, "{} runs in a circle", p.from);
        }
        good.extend(way);
    }
    println!("{drains} drains reach their outfalls");
}

/// Ends, half the width, name.
type Segment<'a> = (Point3, Point3, f64, &'a str);

/// Street segments by cells.
struct Streets<'a> {
    cells: HashMap<[i64; 2], Vec<Segment<'a>>>,
}

const CELL_M: f64 = 120.0;

fn cells(b: Bounds2) -> impl Iterator<Item = [i64; 2]> {
    let at = |v: f64| (v / CELL_M).floor() as i64;
    let (x, y) = ([at(b.min[0]), at(b.max[0])], [at(b.min[1]), at(b.max[1])]);
    (x[0]..=x[1]).flat_map(move |i| (y[0]..=y[1]).map(move |j| [i, j]))
}

impl<'a> Streets<'a> {
    fn new(made: &'a Made, width: &str) -> Self {
        let mut out = Self { cells: HashMap::new() };
        for f in made.of("roads") {
            let half = made.number("roads", f, width).unwrap() / 2.0;
            for w in line(f).windows(2) {
                let mut b = Bounds2::EMPTY;
                w.iter().for_each(|p| b.extend([p[0], p[1]]));
                for c in cells(b.grown(half)) {
                    out.cells.entry(c).or_default().push((w[0], w[1], half, made.text("roads", f, "name")));
                }
            }
        }
        out
    }
}

pub fn no_house_stands_on_a_street(made: &Made) {
    let streets = Streets::new(made, "width_m");
    let mut looked = 0;
    for f in made.of("buildings") {
        let ring = polygon(f).shell();
        for c in cells(f.geometry.bounds().unwrap().plan()) {
            for &(a, b, half, name) in streets.cells.get(&c).into_iter().flatten() {
                looked += 1;
                for w in ring.windows(2) {
                    let near = to_segment(a, b, w[0]).min(to_segment(w[0], w[1], a)).min(to_segment(w[0], w[1], b));
                    assert!(near > half + 1.0 && !segments_meet(a, b, w[0], w[1]), "{} stands {near} m from the axis of {name}", f.id);
                }
            }
        }
    }
    assert!(looked > made.of("buildings").len(), "streets near houses were looked at: {looked}");
}

pub fn houses_stand_apart(made: &Made) {
    let mut by_cell: HashMap<[i64; 2], Vec<usize>> = HashMap::new();
    let houses: Vec<(&Feature, &Polygon, Bounds3)> =
        made.of("buildings").iter().map(|f| (f, polygon(f), f.geometry.bounds().unwrap())).collect();
    let mut clashes = 0;
    for (i, (f, p, b)) in houses.iter().enumerate() {
        // The centroid of a house lies in no other that stands at the same time.
        let c = p.plan_centroid();
        for cell in cells(b.plan()) {
            let here = by_cell.entry(cell).or_default();
            clashes += here
                .iter()
                .map(|&j| &houses[j])
                .filter(|(g, q, d)| b.plan().intersects(&d.plan()) && f.valid.overlaps(&g.valid) && inside(c, p) && inside(c, q))
                .count();
            here.push(i);
        }
    }
    assert_eq!(clashes, 0, "of {} houses some stand in another", houses.len());
}

/// Street, number, and which house behind the gate.
fn parsed(text: &str) -> (&str, i64, Option<i64>) {
    let digit = text.find(|c: char| c.is_ascii_digit()).unwrap_or_else(|| panic!("{text} has no number"));
    let (street, rest) = text.split_at(digit);
    let (number, behind) = rest.split_once('号').unwrap_or_else(|| panic!("{text}"));
    let house = (!behind.is_empty()).then(|| behind.strip_suffix("号楼").unwrap_or_else(|| panic!("{text}")).parse().unwrap());
    (street, number.parse().unwrap(), house)
}

pub fn every_door_has_its_number_on_its_street(made: &Made) {
    let houses: BTreeMap<&str, &Feature> = made.of("buildings").iter().map(|f| (f.id.as_str(), f)).collect();
    let mut streets: BTreeMap<&str, Vec<&Feature>> = BTreeMap::new();
    for f in made.of("roads") {
        streets.entry(made.text("roads", f, "name")).or_default().push(f);
    }
    let mut told: BTreeMap<&str, Vec<&Feature>> = BTreeMap::new();
    let mut doors: BTreeMap<&str, Vec<(i64, Point3)>> = BTreeMap::new();
    for f in made.of("addresses") {
        let text = made.text("addresses", f, "text");
        let id = f.id.as_str();
        let house = houses[id.replacen("AD-", "", 1).as_str()];
        assert_eq!((made.text("buildings", house, "address"), house.valid), (text, f.valid), "{id}");
        assert!(to_line(polygon(house).shell(), point(f)) < 1e-3, "{id} is not in a wall");
        let (street, number, behind) = parsed(text);
        let sections = streets.get(street).unwrap_or_else(|| panic!("{text}: there is no such street"));
        let red = made.number("roads", sections[0], "red_line_m").unwrap();
        let away = sections.iter().map(|s| to_line(line(s), point(f))).fold(f64::INFINITY, f64::min) - red / 2.0;
        assert!(away > -0.5 && away < if behind.is_some() { 700.0 } else { 16.5 }, "{text} lies {away} m behind the red line");
        if behind.is_none() {
            doors.entry(street).or_default().push((number, point(f)));
        }
        told.entry(text).or_default().push(house);
    }
    for (text, same) in &told {
        for (i, a) in same.iter().enumerate() {
            assert!(same[..i].iter().all(|b| !a.valid.overlaps(&b.valid)), "{text} is the address of two houses at a time");
        }
    }
    let without = houses.len() - made.of("addresses").len();
    assert!(without * 200 < houses.len(), "{without} of {} houses have no address", houses.len());
    // On straight streets: odd to one side, even to the other, rising with the metres from the north or the west.
    let mut straight = 0;
    for (street, list) in &doors {
        let all: Vec<Point3> = streets[street].iter().flat_map(|s| line(s).iter().copied()).collect();
        let far = |from: Point3| {
            *all.iter()
                .max_by(|a, b| {
                    let d = |p: &Point3| (p[0] - from[0]).hypot(p[1] - from[1]);
                    d(a).total_cmp(&d(b))
                })
                .unwrap()
        };
        let a = far(all[0]);
        let b = far(a);
        if all.iter().any(|p| to_segment(a, b, *p) > 1.0) || list.len() < 4 {
            continue;
        }
        let north_first = (b[1] - a[1]).abs() > (b[0] - a[0]).abs();
        let (a, b) = if if north_first { a[1] > b[1] } else { a[0] < b[0] } { (a, b) } else { (b, a) };
        let l = (b[0] - a[0]).hypot(b[1] - a[1]);
        let (ux, uy) = ((b[0] - a[0]) / l, (b[1] - a[1]) / l);
        for (number, p) in list {
            let (x, y) = (p[0] - a[0], p[1] - a[1]);
            assert_eq!(number % 2 == 1, ux * y - uy * x > 0.0, "{street}{number}号 is on the wrong side");
        }
        let along = |p: &Point3| (p[0] - a[0]) * ux + (p[1] - a[1]) * uy;
        for (n, p) in list {
            for (m, q) in list {
                // A number moves on by a few metres at most where it was taken.
                assert!(along(q) - along(p) < 15.0 || m > n, "{street}: {n} comes before {m}");
            }
        }
        straight += 1;
    }
    assert!(straight > 20, "{straight} straight streets");
    println!("{straight} straight streets, {} addresses, {without} houses without", made.of("addresses").len());
}

pub fn transit_lies_inside_and_where_it_runs(made: &Made) {
    for f in made.of("transit") {
        let b = f.geometry.bounds().unwrap().plan();
        let all = made.truth.bounds.grown(0.001);
        assert!(all.contains(b.min) && all.contains(b.max), "{} leaves the city", f.id);
    }
    let kinds: BTreeSet<&str> = made.of("transit").iter().map(|f| made.text("transit", f, "kind")).collect();
    assert_eq!(kinds, ["bus", "metro", "metro_station"].into());
    // The datum: a forgotten GCJ-02 shift would put the stations half a kilometre to the east.
    let square = made.of("places").iter().find(|f| made.text("places", f, "name_zh") == "人民广场").map(point).unwrap();
    let station = |name: &str| made.of("transit").iter().find(|f| made.text("transit", f, "name") == name).map(point).unwrap();
    let p = station("人民广场");
    assert!((p[0] - square[0]).hypot(p[1] - square[1]) < 100.0, "人民广场 at {p:?}, the square at {square:?}");
    for name in ["解放大路", "东北师大"] {
        let renmin = made.of("roads").iter().filter(|f| made.text("roads", f, "name") == "人民大街");
        let d = renmin.map(|f| to_line(line(f), station(name))).fold(f64::INFINITY, f64::min);
        assert!(d < 80.0, "{name} lies {d} m from 人民大街");
    }
}

pub fn control_lines_enclose_what_they_keep(made: &Made) {
    let of = |kind: &str| -> Vec<&Feature> {
        made.of("control_lines").iter().filter(|f| made.text("control_lines", f, "kind") == kind).collect()
    };
    let (blue, edge) = (of("blue"), made.truth.bounds.grown(-1.0));
    for w in made.of("water") {
        for p in polygon(w).shell().iter().filter(|p| edge.contains([p[0], p[1]])) {
            assert!(blue.iter().any(|b| inside(*p, polygon(b))), "{} is not inside a blue line", w.id);
        }
    }
    let parcels = |codes: &[&str]| made.of("parcels").iter().filter(|f| codes.contains(&made.text("parcels", f, "land_use"))).count();
    assert_eq!(of("green").len(), parcels(&["1401", "1402"]));
    assert_eq!(of("yellow").len(), parcels(&["13"]));
    assert!(!of("purple").is_empty() && of("red").len() > 100);
}
