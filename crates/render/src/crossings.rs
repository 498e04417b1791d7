//! Where the streets of a tile meet: lane marks end there, with a stop line and a crossing for people on foot.
//!
//! A street's mesh tells how far along it a point lies, not what waits at its ends. That is found here from the sections
//! that share an end, and packed into the second pair of texture coordinates, as `shaders/ground.wgsl` unpacks it.

use crate::words::{axes, rows};
use glam::{Vec2, Vec3};
use strata_tiles::content::{FeatureTable, Primitive};

/// Ends nearer than this are one junction, m.
const ONE_M: f32 = 1.5;
/// Set-backs are kept in half metres, lengths in quarters.
const SET_BACK_M: f32 = 0.5;
const LENGTH_M: f32 = 0.25;

struct Section {
    row: u32,
    ends: [Vec2; 2],
    /// Out of the section, unit.
    ways: [Vec2; 2],
    length_m: f32,
    half_m: f32,
}

/// Of each row: length, and how far from its two ends the streets that it meets reach; 0 where nothing is met.
struct Met {
    row: u32,
    length_m: f32,
    set_back_m: [f32; 2],
}

fn sections(p: &Primitive, features: &FeatureTable) -> Vec<Section> {
    let width = |row: u32| features.columns.get("width_m").and_then(|c| c.number(row as usize)).filter(|w| w.is_finite());
    let mut out = Vec::new();
    for (row, vertices) in rows(p) {
        let width = width(row).unwrap_or_else(|| vertices.first().and_then(|v| p.uv2.get(*v)).map_or(7.0, |v| f64::from(v[0]))) as f32;
        // A section in pieces has no two ends.
        let [path] = &axes(p, &vertices, Some(width))[..] else { continue };
        let plan: Vec<Vec2> = path.iter().map(|v: &Vec3| v.truncate()).collect();
        let (Some(first), Some(last)) = (plan.first(), plan.last()) else { continue };
        let way = |a: Vec2, b: Vec2| (a - b).normalize_or_zero();
        out.push(Section {
            row,
            ends: [*first, *last],
            ways: [way(*first, plan[1]), way(*last, plan[plan.len() - 2])],
            length_m: plan.windows(2).map(|w| w[0].distance(w[1])).sum(),
            half_m: width / 2.0,
        });
    }
    out
}

fn junctions(sections: &[Section]) -> Vec<Met> {
    let all: Vec<(usize, usize)> = (0..sections.len()).flat_map(|i| [(i, 0), (i, 1)]).collect();
    let set_back = |i: usize, end: usize| {
        let (s, way) = (&sections[i], sections[i].ways[end]);
        let others = all.iter().filter(|(j, e)| (*j, *e) != (i, end) && sections[*j].ends[*e].distance(s.ends[end]) < ONE_M);
        let (mut count, mut reach) = (0, 0f32);
        for (j, e) in others {
            let o = &sections[*j];
            let sin = way.perp_dot(o.ways[*e]).abs();
            count += 1;
            // How far along this street the other one's kerb lies; one that goes straight on does not cross.
            if sin > 0.3 {
                reach = reach.max(((o.half_m + s.half_m * way.dot(o.ways[*e]).abs()) / sin).min(60.0));
            }
        }
        if count >= 2 { reach } else { 0.0 }
    };
    let met = |i: usize| Met { row: sections[i].row, length_m: sections[i].length_m, set_back_m: [set_back(i, 0), set_back(i, 1)] };
    (0..sections.len()).map(met).collect()
}

/// The second pair of coordinates of a street's vertices: half metres of set-back at the start above tenths of the width, and
/// length, set-back at the end and lanes. Whole numbers below 2²⁴, which an f32 holds.
pub(crate) fn packed(p: &Primitive, features: &FeatureTable) -> Vec<[f32; 2]> {
    let met = junctions(&sections(p, features));
    let of = |row: u32| met.iter().find(|m| m.row == row);
    let mut last: Option<(u32, u32, u32, u32)> = None;
    (0..p.positions.len())
        .map(|i| {
            let row = p.feature_rows.get(i).copied().unwrap_or(0);
            let [width, lanes] = p.uv2.get(i).copied().unwrap_or([7.0, 2.0]);
            let (_, start, end, length) = last.filter(|l| l.0 == row).unwrap_or_else(|| {
                let whole = |v: f32, step: f32, most: f32| (v / step).round().clamp(0.0, most) as u32;
                let m = of(row);
                let set_back = |e: usize| m.map_or(0, |m| whole(m.set_back_m[e], SET_BACK_M, 127.0));
                (row, set_back(0), set_back(1), m.map_or(0, |m| whole(m.length_m, LENGTH_M, 8191.0)))
            });
            last = Some((row, start, end, length));
            let width = (width * 10.0).round().clamp(0.0, 4095.0) as u32;
            let lanes = lanes.round().clamp(0.0, 15.0) as u32;
            [(width + (start << 12)) as f32, (lanes + (end << 4) + (length << 11)) as f32]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_tiles::content::{Column, Role};

    fn street(p: &mut Primitive, row: u32, from: Vec2, to: Vec2, width: f32) {
        let right = (to - from).normalize().perp() * -width / 2.0;
        for (at, along) in [(from, 0.0), (to, from.distance(to))] {
            for side in [-1.0, 1.0] {
                p.positions.push((at + right * side).extend(0.0).to_array());
                p.uv.push([side * width / 2.0, along]);
                p.uv2.push([width, 2.0]);
                p.feature_rows.push(row);
            }
        }
    }

    #[test]
    fn a_crossing_is_set_back_by_the_street_that_is_met() {
        let mut p = Primitive { role: Some(Role::Road), ..Default::default() };
        let o = Vec2::new(10.0, 20.0);
        // A crossroads of a street of 24 m and one of 8 m; the last section runs towards the crossing.
        street(&mut p, 0, o, o + Vec2::new(100.0, 0.0), 24.0);
        street(&mut p, 1, o, o + Vec2::new(-80.0, 0.0), 24.0);
        street(&mut p, 2, o, o + Vec2::new(0.0, 60.0), 8.0);
        street(&mut p, 3, o + Vec2::new(0.0, -61.25), o, 8.0);
        // A bend, which is no crossing.
        street(&mut p, 4, o + Vec2::new(100.0, 0.0), o + Vec2::new(100.0, 50.0), 24.0);
        let widths = Column::Float(vec![24.0, 24.0, 8.0, 8.0, 24.0]);
        let mut features = FeatureTable { ids: (0..5).map(|i| i.to_string()).collect(), ..Default::default() };
        features.columns.insert("width_m".into(), widths);
        let unpacked: Vec<[f32; 5]> = packed(&p, &features)
            .into_iter()
            .step_by(4)
            .map(|[a, b]| {
                let (a, b) = (a as u32, b as u32);
                [(a & 4095) as f32 / 10.0, (b & 15) as f32, (b >> 11) as f32 * 0.25, (a >> 12) as f32 * 0.5, (b >> 4 & 127) as f32 * 0.5]
            })
            .collect();
        assert_eq!(unpacked[0], [24.0, 2.0, 100.0, 4.0, 0.0], "half of the street of 8 m, and a bend at the other end");
        assert_eq!(unpacked[2], [8.0, 2.0, 60.0, 12.0, 0.0]);
        assert_eq!(unpacked[3], [8.0, 2.0, 61.25, 0.0, 12.0], "it ends at the crossing");
        assert_eq!(unpacked[4], [24.0, 2.0, 50.0, 0.0, 0.0]);
    }
}
