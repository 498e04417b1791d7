//! Buildings from afar: those that stand together become one block, so that a coarse tile shows the whole city in
//! few triangles instead of a part of its buildings.
//!
//! A block keeps the volume and the footprint area of what it merges: its plan is the smallest rectangle around
//! them shrunk to the sum of their areas, its height their volume over that area. Time stays true to ten years:
//! only buildings that still stand are merged, and only with others begun in the same decade; the block stands
//! from the last of their beginnings. A building that has been taken down, is tall or is large and fills
//! most of its block stands alone as its own box with its own times. The block's row is that of its largest building.

use super::Scene;
use super::building::{Block, bodies, walls};
use super::plan::{self, P2};
use super::sink::Sink;
use crate::content::Role;
use std::collections::BTreeMap;
use strata_model::{Feature, Instant, Interval};

struct Member<'f> {
    feature: &'f Feature,
    points: Vec<P2>,
    area: f64,
    volume: f64,
    base: f64,
    top: f64,
}

pub(super) fn blocks<'f>(sink: &mut Sink, scene: &Scene, features: impl Iterator<Item = &'f Feature>) {
    let grid = (scene.cell_m / 10.0).clamp(100.0, 300.0);
    let tall = 20.0 * f64::from(scene.steps.min(5));
    let mut groups: BTreeMap<(i64, i64, i64), Vec<Member<'f>>> = BTreeMap::new();
    for f in features {
        let Some(m) = member(scene, f) else { continue };
        if f.valid.to != Instant::MAX || m.top - m.base >= tall {
            block(sink, std::slice::from_ref(&m));
            continue;
        }
        let decade = if f.valid.from == Instant::MIN { i64::MIN } else { i64::from(f.valid.from.year().div_euclid(10)) };
        let centre = m.points.iter().fold([0.0; 2], |s, p| [s[0] + p[0], s[1] + p[1]]).map(|v| v / m.points.len() as f64);
        let key = ((centre[0] / grid).floor() as i64, (centre[1] / grid).floor() as i64, decade);
        groups.entry(key).or_default().push(m);
    }
    for members in groups.into_values() {
        let whole: f64 = members.iter().map(|m| m.volume).sum();
        let (large, small): (Vec<_>, Vec<_>) = members.into_iter().partition(|m| m.volume > 0.6 * whole && m.area > 1500.0);
        large.iter().for_each(|m| block(sink, std::slice::from_ref(m)));
        block(sink, &small);
    }
}

fn member<'f>(scene: &Scene, feature: &'f Feature) -> Option<Member<'f>> {
    let bodies = bodies(scene.layer, feature);
    let mut m = Member { feature, points: Vec::new(), area: 0.0, volume: 0.0, base: f64::INFINITY, top: f64::NEG_INFINITY };
    for b in &bodies {
        let area = plan::area(&b.rings);
        m.area += area;
        m.volume += area * (b.top - b.base);
        m.base = m.base.min(b.base);
        m.top = m.top.max(b.top);
        m.points.extend(b.rings.first()?);
    }
    (m.area > 0.01 && m.volume > 0.01).then_some(m)
}

fn block(sink: &mut Sink, members: &[Member]) {
    let Some(largest) = members.iter().max_by(|a, b| a.volume.total_cmp(&b.volume)) else { return };
    let points: Vec<P2> = members.iter().flat_map(|m| m.points.iter().copied()).collect();
    let Some(around) = plan::rectangle(&points).filter(|r| r.area() > 0.01) else { return };
    let (area, volume) = members.iter().fold((0.0, 0.0), |s, m| (s.0 + m.area, s.1 + m.volume));
    // A scattered group keeps at least half of its extent and becomes lower instead.
    let rectangle = around.scaled((area / around.area()).sqrt().clamp(0.5, 1.0));
    let base = members.iter().map(|m| m.base).fold(f64::INFINITY, f64::min);
    let from = members.iter().map(|m| m.feature.valid.from).max().unwrap_or(Instant::MIN);
    sink.begin_as(largest.feature, Interval { from, to: largest.feature.valid.to });
    let b = Block { rings: vec![rectangle.corners().to_vec()], base, top: base + volume / rectangle.area() };
    walls(sink, &b.rings, b.base, b.top, Role::Massing);
    super::building::cap(sink, &b, &[[0, 1, 2], [0, 2, 3]], b.top, Role::Massing);
}
