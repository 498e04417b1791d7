use super::*;
use std::collections::{BTreeMap, BTreeSet};

fn quarter(n: usize, spacing: f64) -> (Arc<Layer>, Vec<Feature>) {
    use FieldKind::*;
    let layer = layer(Theme::Building, &[("height_m", Float), ("floors", Int), ("roof", Text), ("use", Text)]);
    let features = (0..n * n)
        .map(|i| {
            let (e, m) = ((i % n) as f64 * spacing, (i / n) as f64 * spacing);
            let height = 9.0 + (i * 7 % 11) as f64 * 3.0;
            let shape = Geometry::Polygon(rect(e, m, 12.0 + (i % 5) as f64, 10.0, 200.0 + e * 0.01));
            let values = vec![height.into(), Value::Int((height / 3.0) as i64), "flat".into(), "office".into()];
            let mut f = feature(&format!("b{i}"), shape, values);
            if i % 17 == 0 {
                f.valid = Interval::new(Instant::from_ymd(1980, 1, 1), Instant::from_ymd(2010, 1, 1)).expect("in order");
            } else if i % 3 == 0 {
                f.valid = Interval::since(Instant::from_ymd(1996, 1, 1));
            }
            f
        })
        .collect();
    (layer, features)
}

fn hilly(e: f64, m: f64) -> f64 {
    200.0 + 8.0 * (e / 310.0).sin() + 5.0 * (m / 170.0).cos()
}

fn ground(n: usize) -> (Arc<Layer>, Vec<Feature>) {
    ground_of(n, hilly)
}

/// Square blocks of 512 m, surveyed every 16 m.
fn ground_of(n: usize, height: impl Fn(f64, f64) -> f64) -> (Arc<Layer>, Vec<Feature>) {
    let layer = layer(Theme::Terrain, &[]);
    let features = (0..n * n)
        .map(|i| {
            let (e0, n0) = ((i % n) as f64 * 512.0, (i / n) as f64 * 512.0);
            let mut points = Vec::new();
            let mut triangles = Vec::new();
            for r in 0..=32u32 {
                for c in 0..=32u32 {
                    let (e, m) = (e0 + f64::from(c) * 16.0, n0 + f64::from(r) * 16.0);
                    points.push([ORIGIN[0] + e, ORIGIN[1] + m, height(e, m)]);
                    if r < 32 && c < 32 {
                        let k = r * 33 + c;
                        triangles.extend([[k, k + 1, k + 34], [k, k + 34, k + 33]]);
                    }
                }
            }
            feature(&format!("g{i}"), Geometry::Tin { points, triangles }, vec![])
        })
        .collect();
    (layer, features)
}

#[test]
fn every_feature_is_in_one_leaf_and_the_cells_of_a_level_nest() {
    let (layer, features) = quarter(80, 31.0);
    let plan = plan_of(&layer, &features);
    assert!(plan.max_level() >= 2, "{}", plan.max_level());
    let first = plan.cells().map(|at| at.0).min();
    assert_eq!(plan.tileset_json()["extras"]["strata"]["first_content_level"].as_u64().map(|l| l as u32), first);
    let batch = FeatureBatch { layer, features };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let (mut per_level, mut fullest) = (BTreeMap::<u32, usize>::new(), 0);
    for at in plan.cells().collect::<Vec<_>>() {
        let c = content_at(&plan, &batch, at).expect("a cell of the plan holds something");
        if at.0 == plan.max_level() {
            fullest = fullest.max(c.features.ids.len());
            c.features.ids.iter().for_each(|id| *seen.entry(id.clone()).or_default() += 1);
        }
        *per_level.entry(at.0).or_default() += triangles(&c);
        if at.0 > 0 {
            assert!(plan.has_content(at.0 - 1, at.1 / 2, at.2 / 2), "{at:?} has a parent");
        }
    }
    assert_eq!(seen.len(), 6400);
    assert!(seen.values().all(|n| *n == 1) && fullest <= 1200, "{fullest}");
    let leaf = per_level[&plan.max_level()];
    for (level, count) in per_level.iter().filter(|(l, _)| **l + 2 <= plan.max_level()) {
        assert!(count * 4 < leaf, "level {level}: {count} triangles of {leaf}");
    }
}

#[test]
fn blocks_keep_volume_and_times() {
    let (layer, features) = quarter(20, 31.0);
    let want: f64 = features
        .iter()
        .map(|f| {
            let Geometry::Polygon(p) = &f.geometry else { unreachable!() };
            p.plan_area_m2() * f.number(&layer, "height_m").expect("given")
        })
        .sum();
    let gone: BTreeSet<_> = features.iter().filter(|f| f.valid.to != Instant::MAX).map(|f| f.id.to_string()).collect();
    let from: BTreeMap<_, _> = features.iter().map(|f| (f.id.to_string(), f.valid.from.day())).collect();
    let c = content(&layer, features, 2, None);
    sound(&c);
    // A block has no floor; below its lowest point nothing is missing once each is closed with its top turned over.
    let mesh = role(&c, Role::Massing);
    let mut v = 0.0;
    for block in mesh.positions.chunks_exact(20) {
        let (base, top) = (block.iter().map(|p| p[2]).fold(f32::MAX, f32::min), block.iter().map(|p| p[2]).fold(f32::MIN, f32::max));
        let q: Vec<[f64; 2]> = block[16..].iter().map(|p| [f64::from(p[0]), f64::from(p[1])]).collect();
        v += super::super::plan::signed_area(&q) * f64::from(top - base);
    }
    assert!((v / want - 1.0).abs() < 1e-3, "{v} is not {want}");
    let alone: BTreeSet<_> =
        c.features.ids.iter().zip(&c.features.valid_to_day).filter(|(_, to)| **to != i32::MAX).map(|(id, _)| id.clone()).collect();
    assert_eq!(alone, gone, "what was taken down keeps its own end");
    for (id, day) in c.features.ids.iter().zip(&c.features.valid_from_day) {
        assert!(*day >= from[id] && *day - from[id] < 3660, "{id}");
    }
}

#[test]
fn the_ground_is_whole_at_every_level() {
    whole(hilly);
    // So flat that the leaves take few of the surveyed points.
    whole(|e, m| 200.0 + 0.03 * e + 0.8 * (m / 300.0).sin());
}

fn whole(height: impl Fn(f64, f64) -> f64) {
    let (layer, features) = ground_of(4, &height);
    let plan = plan_of(&layer, &features);
    let batch = FeatureBatch { layer: layer.clone(), features: features.clone() };
    let leaf: usize =
        plan.cells().filter(|c| c.0 == plan.max_level()).map(|c| triangles(&content_at(&plan, &batch, c).expect("ground"))).sum();
    assert!(leaf < 16 * 2048 + 16 * 4 * 64 + 1, "surveyed triangles and skirts: {leaf}");
    for steps in 0..4 {
        let c = content(&layer, features.clone(), steps, None);
        sound(&c);
        assert!(steps == 0 || triangles(&c) * 4 <= 16 * 2048 + 2 * 16 * 4 * 64, "{steps}: {}", triangles(&c));
        let mesh = role(&c, Role::Terrain);
        // The sides that are met from one side only all lie on the hem of the skirt, around the outside.
        let mut sides = std::collections::HashMap::<_, i32>::new();
        let key = |p: [f64; 3]| p.map(|v| (v * 100.0).round() as i64);
        for t in corners(mesh) {
            for i in 0..3 {
                let (a, b) = (key(t[i]), key(t[(i + 1) % 3]));
                *sides.entry((a.min(b), a.max(b))).or_default() += 1;
            }
        }
        let hem: Vec<_> = sides.iter().filter(|(_, n)| **n == 1).collect();
        let side_m = (4 * 512) as f64 / 100.0;
        let length: f64 = hem.iter().map(|((a, b), _)| ((a[0] - b[0]) as f64).hypot((a[1] - b[1]) as f64) / 100.0).sum();
        // The upright ends of the skirt's quads at the four corners of the tile have no length in plan.
        assert!((length / (4.0 * side_m * 100.0) - 1.0).abs() < 1e-3, "{steps}: {length} m");
        // Places on the grid keep the height of the ground.
        let off = mesh
            .positions
            .iter()
            .zip(&mesh.normals)
            .filter_map(|(p, _)| {
                let w = working(&c, *p);
                let (e, n) = (w[0] - ORIGIN[0], w[1] - ORIGIN[1]);
                let want = height(e, n);
                ((w[2] - want) > -1.9).then_some((w[2] - want).abs())
            })
            .fold(0.0, f64::max);
        assert!(off < 0.02, "{steps}: {off} m");
    }
}

/// Farthest of the surveyed points from what is drawn of the ground at the leaves, m, and the triangles that are drawn.
fn drawn_off(layer: &Arc<Layer>, features: Vec<Feature>) -> (f64, usize) {
    let surveyed: Vec<Point3> = features
        .iter()
        .flat_map(|f| {
            let Geometry::Tin { points, .. } = &f.geometry else { unreachable!() };
            points.clone()
        })
        .collect();
    let c = content(layer, features, 0, None);
    sound(&c);
    let mesh = role(&c, Role::Terrain);
    let flat: Vec<[Point3; 3]> = mesh
        .indices
        .chunks_exact(3)
        .map(|t| [0, 1, 2].map(|k| working(&c, mesh.positions[t[k] as usize])))
        // Not the skirts.
        .filter(|[a, b, d]| ((b[0] - a[0]) * (d[1] - a[1]) - (d[0] - a[0]) * (b[1] - a[1])).abs() > 1.0)
        .collect();
    let off = |p: &Point3| {
        let over = |t: &[Point3; 3]| {
            let [a, b, d] = t;
            let det = (b[0] - a[0]) * (d[1] - a[1]) - (d[0] - a[0]) * (b[1] - a[1]);
            let u = ((p[0] - a[0]) * (d[1] - a[1]) - (d[0] - a[0]) * (p[1] - a[1])) / det;
            let v = ((b[0] - a[0]) * (p[1] - a[1]) - (p[0] - a[0]) * (b[1] - a[1])) / det;
            (u > -1e-4 && v > -1e-4 && u + v < 1.0 + 1e-4).then(|| (a[2] + u * (b[2] - a[2]) + v * (d[2] - a[2]) - p[2]).abs())
        };
        flat.iter().filter_map(over).min_by(f64::total_cmp).unwrap_or(f64::INFINITY)
    };
    (surveyed.iter().map(off).fold(0.0, f64::max), flat.len())
}

#[test]
fn the_leaves_keep_every_surveyed_point_to_a_centimetre() {
    let chance = |e: f64, m: f64| ((e * 12.9898 + m * 78.233).sin() * 43_758.547).fract();
    let of = |height: &dyn Fn(f64, f64) -> f64| {
        let (layer, features) = ground_of(1, height);
        drawn_off(&layer, features)
    };
    let (off, count) = of(&|e, m| 200.0 + 0.02 * e - 0.01 * m);
    assert!(off < 0.002 && (126..140).contains(&count), "a plane is its rim: {count} triangles, {off} m off");
    let (off, count) = of(&|e, m| 200.0 + 1.2 * (e / 160.0).sin() + 0.8 * (m / 130.0).cos());
    assert!(off < 0.012 && (200..1400).contains(&count), "gentle folds: {count} triangles of 2048, {off} m off");
    // What is rough everywhere stays as it was surveyed.
    let (off, count) = of(&|e, m| 200.0 + chance(e, m));
    assert!(off < 0.003 && count == 2048, "{count} triangles, {off} m off");
    // So does a net with a hole: nothing may be drawn over a pit that nobody surveyed.
    let (layer, mut features) = ground_of(1, |e, _| 200.0 + 0.02 * e);
    let Geometry::Tin { triangles, .. } = &mut features[0].geometry else { unreachable!() };
    triangles.drain(1000..1010);
    let c = content(&layer, features, 0, None);
    let level = role(&c, Role::Terrain).normals.iter().all(|n| n[2] > 0.9);
    let count =
        corners(role(&c, Role::Terrain)).filter(|[a, b, d]| ((b[0] - a[0]) * (d[1] - a[1]) - (d[0] - a[0]) * (b[1] - a[1])).abs() > 1.0);
    assert!(level && count.count() == 2038);
}

#[test]
fn the_region_holds_whatever_is_drawn() {
    let (buildings, many) = quarter(12, 40.0);
    let (terrain, blocks) = ground(2);
    let roads = layer(Theme::Road, &[("class", FieldKind::Text)]);
    let streets = (0..40)
        .map(|i| {
            let (e, n) = (ORIGIN[0] + f64::from(i % 7) * 150.0, ORIGIN[1] + f64::from(i % 11) * 90.0);
            let line = vec![[e, n, 200.0], [e + 300.0, n + f64::from(i) * 9.0, 204.0], [e + 320.0, n - 200.0, 199.0]];
            feature(&format!("r{i}"), Geometry::LineString(line), vec!["expressway".into()])
        })
        .collect();
    for (layer, features) in [(buildings, many), (terrain, blocks), (roads, streets)] {
        let plan = plan_of(&layer, &features);
        let whole = plan.region();
        let batch = FeatureBatch { layer, features };
        for at in plan.cells().collect::<Vec<_>>() {
            let c = content_at(&plan, &batch, at).expect("something");
            let r = plan.reach(at.0, at.1, at.2).expect("it has features");
            assert!([0, 1, 4].iter().all(|k| whole[*k] <= r[*k]) && [2, 3, 5].iter().all(|k| whole[*k] >= r[*k]));
            for p in c.primitives.iter().flat_map(|p| &p.positions) {
                let w = working(&c, *p);
                let g = frame().geographic_from_working([w[0], w[1]]).expect("inside").map(f64::to_radians);
                let slack = 1e-9;
                assert!((0..2).all(|k| r[k] - slack <= g[k] && g[k] <= r[k + 2] + slack), "{g:?} in {r:?}");
                assert!(r[4] <= w[2] && w[2] <= r[5], "{} in {r:?}", w[2]);
            }
        }
    }
}

/// A reader of availability of its own, straight from the text of the specification.
fn bits(bytes: &[u8]) -> (serde_json::Value, Vec<u8>) {
    let size = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes")) as usize;
    assert_eq!((&bytes[..4], &bytes[4..8]), (&b"subt"[..], &[1u8, 0, 0, 0][..]));
    let (json, binary) = (size(8), size(16));
    assert!(json % 8 == 0 && binary % 8 == 0 && 24 + json + binary == bytes.len());
    (serde_json::from_slice(&bytes[24..24 + json]).expect("JSON"), bytes[24 + json..].to_vec())
}

#[test]
fn subtrees_tell_exactly_the_cells_that_hold_features() {
    let (layer, mut features) = quarter(30, 60.0);
    features.retain(|f| f.id.as_str().bytes().map(u32::from).sum::<u32>() % 3 != 0);
    let plan = plan_of(&layer, &features);
    let (r, max) = (plan.region(), plan.max_level());
    let mut want: BTreeSet<(u32, u32, u32)> = BTreeSet::new();
    for f in &features {
        let c = f.geometry.bounds().expect("not empty").centre();
        let g = frame().geographic_from_working([c[0], c[1]]).expect("inside").map(f64::to_radians);
        for level in 0..=max {
            let side = f64::from(1 << level);
            let i = |k: usize| ((g[k] - r[k]) / (r[k + 2] - r[k]) * side).floor() as u32;
            want.insert((level, i(0), i(1)));
        }
    }
    let form = plan.tileset_json();
    let depth = form["root"]["implicitTiling"]["subtreeLevels"].as_u64().expect("a number") as u32;
    assert_eq!(form["root"]["implicitTiling"]["availableLevels"], max + 1);
    let (mut got, mut reaches) = (BTreeSet::new(), 0);
    let mut children = BTreeSet::new();
    for (l0, x0, y0) in plan.subtrees().collect::<Vec<_>>() {
        let (form, binary) = bits(&plan.subtree(l0, x0, y0).expect("a subtree"));
        let read = |form: &serde_json::Value, i: usize| match form["constant"].as_u64() {
            Some(c) => c == 1,
            None => {
                let view = &form["bitstream"];
                let at = view.as_u64().expect("a bitstream") as usize;
                let offset = form_offset(&bits(&plan.subtree(l0, x0, y0).expect("a subtree")).0, at);
                binary[offset + i / 8] >> (i % 8) & 1 == 1
            }
        };
        // The metadata has one region for each tile, in the order of the bits.
        let table = &form["propertyTables"][form["tileMetadata"].as_u64().expect("a table") as usize];
        let offset = form_offset(&form, table["properties"]["region"]["values"].as_u64().expect("a view") as usize);
        let first: Vec<f64> =
            binary[offset..offset + 48].chunks_exact(8).map(|c| f64::from_le_bytes(c.try_into().expect("8 bytes"))).collect();
        assert_eq!(first, plan.reach(l0, x0, y0).expect("it is there"));
        reaches += table["count"].as_u64().expect("a count") as usize;
        for d in 0..=depth {
            for y in 0..1u32 << d {
                for x in 0..1u32 << d {
                    let code = (0..16).fold(0usize, |m, i| m | ((x >> i & 1) as usize) << (2 * i) | ((y >> i & 1) as usize) << (2 * i + 1));
                    let at = (l0 + d, (x0 << d) + x, (y0 << d) + y);
                    if d == depth {
                        if read(&form["childSubtreeAvailability"], code) {
                            children.insert(at);
                        }
                    } else if read(&form["tileAvailability"], ((1 << (2 * d)) - 1) / 3 + code) {
                        assert!(read(&form["contentAvailability"][0], ((1 << (2 * d)) - 1) / 3 + code));
                        got.insert(at);
                    }
                }
            }
        }
    }
    assert_eq!(got, want);
    assert_eq!(reaches, want.len());
    assert_eq!(children, plan.subtrees().filter(|s| s.0 > 0).collect());
    assert!(plan.subtree(0, 1, 0).is_none() && plan.subtree(1, 0, 0).is_none() && plan.subtree(99, 0, 0).is_none());
    assert!(plan.cell(&frame(), 99, 0, 0).expect("no fault").is_none());
}

fn form_offset(form: &serde_json::Value, view: usize) -> usize {
    form["bufferViews"][view]["byteOffset"].as_u64().expect("an offset") as usize
}

#[test]
fn an_empty_layer_has_no_plan_and_a_broken_box_is_named() {
    let l = layer(Theme::Building, &[]);
    assert!(TilesetPlan::new(&l, &frame(), std::iter::empty()).expect("no fault").is_none());
    let bad = Bounds3 { min: [f64::NAN; 3], max: [1.0; 3] };
    assert!(matches!(TilesetPlan::new(&l, &frame(), std::iter::once(bad)), Err(crate::TilesError::Plan { .. })));
    let one = plan_of(&l, &[feature("a", Geometry::Polygon(rect(0.0, 0.0, 9.0, 9.0, 0.0)), vec![])]);
    assert_eq!((one.max_level(), one.cells().count()), (0, 1));
    let form = one.tileset_json();
    assert_eq!(form["asset"]["version"], "1.1");
    let extras = serde_json::json!({"layer": "layer-building", "theme": "building", "synthetic": true, "first_content_level": 0});
    assert_eq!(form["extras"]["strata"], extras);
}

/// A layer whose features do not stand out of their geometry is laid out by its boxes alone: that must be the same.
#[test]
fn what_stands_out_of_its_geometry_is_known() {
    use FieldKind::*;
    use Theme::*;
    let names = ["height_m", "floors", "crown_m", "od_mm", "dn_mm", "ground_m", "depth_m", "well_depth_m", "width_m", "diameter_m"];
    for theme in
        [Terrain, Water, Road, Rail, Building, Parcel, ControlLine, Pipe, PipePoint, Tree, Address, Sensor, Transit, Admin, Theme::Other]
    {
        let layer = layer(theme, &names.map(|n| (n, Float)));
        let line = vec![[ORIGIN[0], ORIGIN[1], 200.0], [ORIGIN[0] + 30.0, ORIGIN[1] + 8.0, 201.0]];
        let f = feature("f", Geometry::LineString(line), names.map(|_| Value::Float(500.0)).to_vec());
        let own = f.geometry.bounds();
        assert_eq!(body_bounds(&layer, &f) != own, crate::stands_out(theme), "{theme:?}");
    }
}
