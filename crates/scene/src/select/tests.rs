//! A recorded flight over a made-up quadtree, with tiles that come late and out of order: no hole, no lost detail.

use super::*;
use crate::Camera;
use serde_json::json;
use std::collections::BTreeSet;

/// An explicit quadtree of four levels over 4 × 4 km at Changchun.
fn tileset() -> Vec<u8> {
    fn node(level: u32, x: u32, y: u32) -> serde_json::Value {
        let (w, s, d) = (2.1867_f64, 0.7656_f64, 0.0007 / f64::from(1 << level));
        let (w, s) = (w + d * f64::from(x), s + d * f64::from(y));
        let mut n = json!({"boundingVolume": {"region": [w, s, w + d, s + d, 200.0, 300.0]}, "geometricError": 64.0 / f64::from(1 << level),
            "refine": "REPLACE", "content": {"uri": format!("{level}/{x}/{y}.glb")}});
        if level < 3 {
            n["children"] = (0..4).map(|i| node(level + 1, x * 2 + i % 2, y * 2 + i / 2)).collect();
        } else {
            n["geometricError"] = json!(0.0);
        }
        n
    }
    json!({"asset": {"version": "1.1"}, "geometricError": 100.0, "root": node(0, 0, 0)}).to_string().into_bytes()
}

/// Level and cell of a content address.
fn cell(url: &str) -> (u32, u32, u32) {
    let mut p = url.trim_start_matches("/t/").trim_end_matches(".glb").split('/').map(|v| v.parse().expect("a number"));
    (p.next().expect("level"), p.next().expect("x"), p.next().expect("y"))
}

/// The finest drawn level over every leaf cell (8 × 8), or `None` where nothing is drawn.
fn cover(update: &Update<String>) -> Vec<Option<u32>> {
    let mut grid = vec![None; 64];
    for d in &update.draw {
        let (l, x, y) = cell(&d.url);
        let n = 8u32 >> l;
        for i in x * n..(x + 1) * n {
            for j in y * n..(y + 1) * n {
                let at = (j * 8 + i) as usize;
                assert!(grid[at].is_none(), "two tiles lie over one another at {i},{j}");
                grid[at] = Some(l);
            }
        }
    }
    grid
}

fn leaf_visible(view: &View, at: usize) -> bool {
    let d = 0.0007 / 8.0;
    let (w, s) = (2.1867 + d * (at % 8) as f64, 0.7656 + d * (at / 8) as f64);
    crate::tree::BoundingBox::from_region([w, s, w + d, s + d, 200.0, 300.0]).in_view(view)
}

#[test]
fn a_flight_has_no_hole_and_loses_no_detail() {
    let mut stream: Stream<String> = Stream::new(u64::MAX);
    stream.add_tileset("t", "/t/tileset.json");
    let target = [(2.1867_f64 + 0.00035).to_degrees(), (0.7656_f64 + 0.00035).to_degrees(), 250.0];
    let mut late: Vec<String> = Vec::new();
    let mut begun = false;
    let mut before: Vec<Option<u32>> = vec![None; 64];
    let mut finest = 0;
    for step in 0..400u32 {
        let t = f64::from(step) / 400.0;
        // In, round, and out again.
        let distance = if t < 0.5 { 9000.0 * (1.0 - 1.9 * t) + 60.0 } else { 500.0 + 9000.0 * (t - 0.5) * 2.0 };
        let mut camera = Camera::new(target, distance, 360.0 * t, -35.0);
        camera.pan(600.0 * (t * 12.0).sin(), 400.0 * (t * 7.0).cos());
        let view = camera.view([1280, 720]);
        let update = stream.update(&view, f64::from(step));
        let now = cover(&update);
        for at in 0..64 {
            if begun && leaf_visible(&view, at) {
                assert!(now[at].is_some(), "step {step}: a hole at cell {at}");
            }
            // Detail shown in the last frame is coarsened only by a tile that meets the error, never by a missing one.
            if let (Some(was), Some(is)) = (before[at], now[at])
                && is < was
            {
                let d = update.draw.iter().find(|d| cell(&d.url).0 == is).expect("drawn");
                assert!(stream.content.contains_key(&d.url));
            }
        }
        begun |= now.iter().any(Option::is_some);
        finest = finest.max(now.iter().flatten().copied().max().unwrap_or(0));
        before = now;
        for r in stream.wanted(3) {
            stream.started(&r.url);
            match r.kind {
                RequestKind::Tileset => assert!(stream.provide(&r.url, Ok(tileset())).is_none()),
                _ => late.push(r.url),
            }
        }
        // Every third step one answer comes, the newest first.
        if step % 3 == 0
            && let Some(url) = late.pop()
        {
            let ready = stream.provide(&url, Ok(vec![1])).expect("content");
            stream.loaded(&ready.url, ready.url.clone(), 1000);
        }
    }
    assert_eq!(finest, 3, "the flight never came near enough to test anything");
}

#[test]
fn a_missing_tile_leaves_a_coarse_city() {
    let mut stream: Stream<String> = Stream::new(u64::MAX);
    stream.add_tileset("t", "/t/tileset.json");
    let target = [(2.1867_f64 + 0.00035).to_degrees(), (0.7656_f64 + 0.00035).to_degrees(), 250.0];
    let view = Camera::new(target, 400.0, 0.0, -60.0).view([1280, 720]);
    for step in 0..200 {
        let update = stream.update(&view, f64::from(step));
        if update.settled {
            break;
        }
        for r in stream.wanted(8) {
            stream.started(&r.url);
            match r.kind {
                RequestKind::Tileset => assert!(stream.provide(&r.url, Ok(tileset())).is_none()),
                _ if cell(&r.url).0 == 3 => assert!(stream.provide(&r.url, Err("gone".into())).is_none()),
                _ => {
                    let ready = stream.provide(&r.url, Ok(vec![1])).expect("content");
                    stream.loaded(&ready.url, ready.url.clone(), 1);
                }
            }
        }
    }
    let update = stream.update(&view, 1e3);
    assert!(update.settled, "it must come to rest: {:?}", stream.wanted(9));
    assert!(!stream.failures().is_empty());
    assert!(!update.draw.is_empty(), "black where a fine tile is missing");
}

#[test]
fn where_a_tileset_has_no_coarse_content_none_is_asked_for() {
    let target = [(2.1867_f64 + 0.00035).to_degrees(), (0.7656_f64 + 0.00035).to_degrees(), 250.0];
    let view = Camera::new(target, 4000.0, 0.0, -60.0).view([1280, 720]);
    let asked = |extras: serde_json::Value| {
        let tileset = json!({"asset": {"version": "1.1"}, "geometricError": 100.0, "extras": extras, "root": {
            "boundingVolume": {"region": [2.1867, 0.7656, 2.1874, 0.7663, 200.0, 300.0]}, "geometricError": 64.0, "refine": "REPLACE",
            "content": {"uri": "{level}/{x}/{y}.glb"},
            "implicitTiling": {"subdivisionScheme": "QUADTREE", "subtreeLevels": 3, "availableLevels": 4,
                "subtrees": {"uri": "{level}/{x}/{y}.subtree"}}}});
        let mut stream: Stream<String> = Stream::new(u64::MAX);
        stream.add_tileset("t", "/t/tileset.json");
        stream.update(&view, 0.0);
        assert!(stream.provide("/t/tileset.json", Ok(tileset.to_string().into_bytes())).is_none());
        assert!(!stream.update(&view, 1.0).settled);
        let mut urls: Vec<String> = stream.wanted(9).into_iter().map(|r| r.url).collect();
        urls.sort();
        urls
    };
    assert_eq!(asked(json!({"strata": {"first_content_level": 1}})), ["/t/0/0/0.subtree"]);
    for unknown in [json!(null), json!({"strata": {"first_content_level": "1"}}), json!({"strata": {"first_content_level": 0}})] {
        assert_eq!(asked(unknown), ["/t/0/0/0.glb", "/t/0/0/0.subtree"]);
    }
}

/// What is drawn at rest in a picture of so many lines.
fn at_rest(lines: u32) -> BTreeSet<String> {
    let mut stream: Stream<String> = Stream::new(u64::MAX);
    stream.add_tileset("t", "/t/tileset.json");
    let target = [(2.1867_f64 + 0.00035).to_degrees(), (0.7656_f64 + 0.00035).to_degrees(), 250.0];
    let view = Camera::new(target, 2500.0, 0.0, -60.0).view([lines * 16 / 9, lines]);
    for step in 0..200 {
        let update = stream.update(&view, f64::from(step));
        if update.settled {
            return update.draw.into_iter().map(|d| d.url).collect();
        }
        for r in stream.wanted(8) {
            stream.started(&r.url);
            if let Some(ready) = stream.provide(&r.url, Ok(if r.kind == RequestKind::Tileset { tileset() } else { vec![1] })) {
                stream.loaded(&ready.url, ready.url.clone(), 1000);
            }
        }
    }
    panic!("it never came to rest");
}

#[test]
fn a_larger_picture_has_more_detail_and_a_denser_one_the_same() {
    let [small, full, dense] = [270, 1080, 2160].map(at_rest);
    assert!(small.len() < full.len(), "{small:?} {full:?}");
    assert_eq!(full, dense);
}

/// A flight eastwards over tiles of 1000 bytes each; what shows is never let go.
fn flown(budget_bytes: u64, beside_bytes: u64) -> Stream<String> {
    let mut stream: Stream<String> = Stream::new(budget_bytes);
    stream.set_beside(beside_bytes);
    stream.add_tileset("t", "/t/tileset.json");
    let near = |lon: f64| Camera::new([lon.to_degrees(), 0.76595_f64.to_degrees(), 250.0], 300.0, 0.0, -70.0).view([640, 480]);
    for step in 0..300 {
        let view = near(2.1868 + 0.0005 * f64::from(step) / 300.0);
        let update = stream.update(&view, f64::from(step));
        assert!(update.evict.iter().all(|h| update.draw.iter().all(|d| d.handle != *h)));
        for r in stream.wanted(4) {
            stream.started(&r.url);
            if let Some(ready) = stream.provide(&r.url, Ok(if r.kind == RequestKind::Tileset { tileset() } else { vec![1] })) {
                stream.loaded(&ready.url, ready.url.clone(), 1000);
            }
        }
    }
    stream
}

#[test]
fn the_budget_is_kept_and_what_shows_is_never_let_go() {
    let stream = flown(3000, 0);
    let used = stream.content.values().filter(|s| matches!(s, State::Here { last_used, .. } if *last_used == stream.frame)).count() as u64;
    assert!(stream.resident_bytes() <= 3000.max(used * 1000) + 4000, "{} bytes", stream.resident_bytes());
}

#[test]
fn what_the_eye_takes_is_taken_from_the_tiles() {
    let of = |budget, beside| flown(budget, beside).resident_bytes();
    assert_eq!(of(100_000, 97_000), of(3000, 0));
    assert!(of(100_000, 97_000) < of(100_000, 0), "tiles that do not show were kept");
    assert_eq!(of(3000, u64::MAX), of(0, 0), "more than all is all");
}

/// A network for the flights below: answers come after `latency_s` or never, requests that are no longer wanted are given up.
struct Network {
    latency_s: fn(&str, u32) -> f64,
    missing: fn(&str) -> bool,
    under_way: Vec<(f64, String)>,
    asked: HashMap<String, u32>,
    cancelled: usize,
}

impl Network {
    fn new(latency_s: fn(&str, u32) -> f64, missing: fn(&str) -> bool) -> Self {
        Self { latency_s, missing, under_way: Vec::new(), asked: HashMap::new(), cancelled: 0 }
    }
    fn pass(&mut self, stream: &mut Stream<String>, now_s: f64) {
        for url in stream.unwanted() {
            self.under_way.retain(|(_, u)| *u != url);
            stream.cancelled(&url);
            self.cancelled += 1;
        }
        for r in stream.wanted(6usize.saturating_sub(self.under_way.len())) {
            stream.started(&r.url);
            let times = self.asked.entry(r.url.clone()).or_default();
            *times += 1;
            self.under_way.push((now_s + (self.latency_s)(&r.url, *times), r.url));
        }
        let (come, wait) = std::mem::take(&mut self.under_way).into_iter().partition(|(due, _)| *due <= now_s);
        self.under_way = wait;
        for (_, url) in come as Vec<(f64, String)> {
            if url.ends_with(".json") {
                assert!(stream.provide(&url, Ok(tileset())).is_none());
            } else if (self.missing)(&url) {
                assert!(stream.provide(&url, Err("gone".into())).is_none());
            } else {
                let ready = stream.provide(&url, Ok(vec![1])).expect("content");
                stream.loaded(&ready.url, ready.url.clone(), 1000);
            }
        }
    }
}

fn dice(url: &str, n: u32) -> u32 {
    url.bytes().fold(n.wrapping_mul(0x9e37_79b9) ^ 0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193)) >> 8
}

/// The flight of the tests: in from afar, low over the ground, sharp turns, far out, and back.
fn flight() -> crate::Flight {
    let (lon, lat) = ((2.1867_f64 + 0.00035).to_degrees(), (0.7656_f64 + 0.00035).to_degrees());
    let key = |t: f64, e: f64, n: f64, distance: f64, heading: f64, pitch: f64| json!({"t_s": t, "target": [lon + e, lat + n, 250.0], "distance_m": distance, "heading_deg": heading, "pitch_deg": pitch});
    let keys = [
        key(0.0, 0.0, 0.0, 9000.0, 0.0, -50.0),
        key(4.0, 0.003, 0.002, 500.0, 60.0, -35.0),
        key(6.0, 0.006, -0.004, 350.0, 200.0, -25.0),
        key(7.0, 0.004, -0.004, 350.0, 20.0, -25.0),
        key(9.0, -0.006, 0.004, 300.0, 350.0, -60.0),
        key(10.0, -0.006, 0.004, 6000.0, 330.0, -45.0),
        key(11.0, 0.0, 0.0, 700.0, 300.0, -30.0),
        key(12.0, 0.0, 0.0, 4000.0, 300.0, -30.0),
        key(16.0, 0.002, 0.003, 450.0, 280.0, -40.0),
    ];
    crate::Flight::parse(&serde_json::to_string(&keys).expect("JSON"), &[]).expect("a flight")
}

/// Whether a tile, or one above it, is fine enough for a view: from the made-up tree's own numbers.
fn would_do(view: &View, (level, x, y): (u32, u32, u32), most_px: f64) -> bool {
    (0..=level).any(|l| {
        let d = 0.0007 / f64::from(1 << l);
        let (w, s) = (2.1867 + d * f64::from(x >> (level - l)), 0.7656 + d * f64::from(y >> (level - l)));
        let bounds = crate::tree::BoundingBox::from_region([w, s, w + d, s + d, 200.0, 300.0]);
        let error_m = if l == 3 { 0.0 } else { 64.0 / f64::from(1 << l) };
        error_m / view.metres_per_px(bounds.distance_m(DVec3::from(view.eye_in_ecef)).max(0.1)) <= most_px
    })
}

/// Flies, and holds every frame to the rules. Gives the finest level seen, how many frames faded and how many swaps were seen.
fn fly(network: &mut Network, fade_s: f64) -> (u32, usize, usize) {
    let flight = flight();
    let mut stream: Stream<String> = Stream::new(40_000);
    stream.fade_s = fade_s;
    stream.add_tileset("t", "/t/tileset.json");
    let mut before: Vec<Option<(u32, u32, u32)>> = vec![None; 64];
    // Cells that were whole since they came into the picture.
    let mut whole = [false; 64];
    let (mut finest, mut faded, mut swaps) = (0, 0, 0);
    let frames = (flight.duration_s() * 30.0) as u32 + 300;
    for frame in 0..frames {
        let now_s = f64::from(frame) / 30.0;
        let view = flight.at(now_s).view([1280, 720]);
        let update = stream.update(&view, now_s);
        assert!(update.evict.iter().all(|h| update.draw.iter().all(|d| d.handle != *h)), "frame {frame}: a drawn tile is let go");
        faded += usize::from(update.fading);
        for at in 0..64u32 {
            let (x, y) = (at % 8, at / 8);
            let over = |url: &str| {
                let (l, i, j) = cell(url);
                (x >> (3 - l), y >> (3 - l)) == (i, j)
            };
            let here: Vec<_> = update.draw.iter().filter(|d| over(&d.url)).collect();
            let seen = leaf_visible(&view, at as usize);
            let now = here.iter().filter(|d| d.fade >= 0.0).map(|d| cell(&d.url)).max();
            if !seen {
                (before[at as usize], whole[at as usize]) = (None, whole[at as usize] && now.is_some());
                continue;
            }
            // As `faded` of `shaders/frame.wgsl` shares the pixels out: whoever comes takes the values below its fade, whoever
            // leaves keeps those above what it has given up.
            let times = |d: f32| here.iter().filter(|t| if t.fade >= 0.0 { d < t.fade } else { d >= 1.0 + t.fade }).count();
            let shares: Vec<usize> = (0..32).map(|k| times((k as f32 + 0.5) / 32.0)).collect();
            assert!(shares.iter().all(|n| *n <= 1), "frame {frame}, cell {at}: a pixel is drawn twice: {here:?}");
            if whole[at as usize] {
                assert!(shares.iter().all(|n| *n == 1), "frame {frame}, cell {at}: a hole: {here:?}");
            }
            whole[at as usize] |= shares.iter().all(|n| *n == 1);
            if let (Some(was), Some(is)) = (before[at as usize], now) {
                swaps += usize::from(was != is);
                let lost = is.0 < was.0;
                assert!(!lost || would_do(&view, is, stream.max_error_px), "frame {frame}, cell {at}: detail is lost: {was:?} {is:?}");
            }
            finest = finest.max(now.map_or(0, |n| n.0));
            before[at as usize] = now;
        }
        network.pass(&mut stream, now_s);
    }
    let view = flight.at(f64::from(frames) / 30.0).view([1280, 720]);
    let update = stream.update(&view, f64::from(frames) / 30.0);
    assert!(update.settled && !update.fading, "it never comes to rest: {:?}", stream.wanted(9));
    for at in (0..64).filter(|at| leaf_visible(&view, *at)) {
        let covered = update.draw.iter().any(|d| {
            let (l, i, j) = cell(&d.url);
            ((at as u32 % 8) >> (3 - l), (at as u32 / 8) >> (3 - l)) == (i, j)
        });
        assert!(covered, "black at cell {at}");
    }
    (finest, faded, swaps)
}

#[test]
fn a_flight_over_a_quick_network_fades_without_a_pop() {
    let mut network = Network::new(|url, n| f64::from(dice(url, n) % 8) / 60.0, |_| false);
    let (finest, faded, swaps) = fly(&mut network, 0.25);
    assert!(finest == 3 && faded > 60 && swaps > 40, "{finest} {faded} {swaps}: the flight tests little");
    assert!(network.cancelled > 0, "nothing was ever given up");
}

#[test]
fn a_slow_network_leaves_a_coarse_city() {
    // Up to five seconds for a tile.
    let mut network = Network::new(|url, n| f64::from(dice(url, n) % 50) / 10.0, |_| false);
    let (_, faded, _) = fly(&mut network, 0.25);
    assert!(faded > 10 && network.cancelled > 0, "{faded} {}", network.cancelled);
}

#[test]
fn missing_tiles_leave_a_coarse_city_and_no_hole() {
    // One in five of the tiles below the root.
    let missing = |url: &str| cell(url).0 > 0 && dice(url, 0).is_multiple_of(5);
    let mut network = Network::new(|url, n| f64::from(dice(url, n) % 30) / 60.0, missing);
    let (finest, ..) = fly(&mut network, 0.25);
    assert!(finest >= 1, "{finest}");
    // And without a fade, as stills are made.
    fly(&mut Network::new(|_, _| 0.1, missing), 0.0);
}
