//! A recorded flight over a made-up quadtree, with tiles that come late and out of order: no hole, no lost detail.

use super::*;
use crate::Camera;
use serde_json::json;

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
fn the_budget_is_kept_and_what_shows_is_never_let_go() {
    let mut stream: Stream<String> = Stream::new(3000);
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
    let used = stream.content.values().filter(|s| matches!(s, State::Here { last_used, .. } if *last_used == stream.frame)).count() as u64;
    assert!(stream.resident_bytes() <= 3000.max(used * 1000) + 4000, "{} bytes", stream.resident_bytes());
}
