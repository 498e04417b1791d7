//! The pipes that the city knows already, and what a delivery changes in them.

use super::{logic::id_of, rows::Net};
use crate::pipe::{Pipe, Section};
use geo::{Contains, ConvexHull};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use strata_model::{
    Geometry,
    codes::{Size, codes},
};

/// One pipe of the city, straight from end to end.
#[derive(Debug, Clone)]
pub struct Old {
    pub id: String,
    pub class: &'static str,
    pub start: String,
    pub end: String,
    /// `[east_m, north_m, height_m]`, working frame.
    pub axis: [[f64; 3]; 2],
    /// Of a box the smaller half side.
    pub radius_m: f64,
    /// As a delivery writes it: `300`, `1000X300`.
    pub size: Option<String>,
    pub material: Option<&'static str>,
}

#[derive(Debug, Clone, Default)]
pub struct Stock {
    pub pipes: Vec<Old>,
}

/// Ends nearer than this are the same place, m.
pub const SAME_PLACE_M: f64 = 0.1;

impl Old {
    pub fn of(p: &Pipe) -> Option<Self> {
        let ([first, .., last], text) = (&p.axis[..], |t: &Option<String>| t.clone().unwrap_or_default()) else { return None };
        let size = match p.section {
            Section::Rect { width_m, height_m } => Some(format!("{:.0}X{:.0}", width_m * 1000.0, height_m * 1000.0)),
            Section::Round { outer_diameter_m } => {
                let mm = p.dn_mm.or((!p.size_assumed).then_some(outer_diameter_m * 1000.0));
                mm.map(|d| format!("{d:.0}"))
            }
        };
        Some(Self {
            id: p.id.to_string(),
            class: p.class.letters(),
            start: text(&p.start_point),
            end: text(&p.end_point),
            axis: [*first, *last],
            radius_m: p.section.half_width_m().min(p.section.half_height_m()),
            size,
            material: p.material.as_deref().and_then(|m| codes().material(m)),
        })
    }
}

fn plan_m(a: [f64; 3], b: [f64; 3]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

fn pair<'a>(a: &'a str, b: &'a str) -> (&'a str, &'a str) {
    if a < b { (a, b) } else { (b, a) }
}

impl Stock {
    /// For each line the stock pipe that it measures anew: the same two point numbers, else the same class with both
    /// ends at the same place.
    pub fn matches(&self, net: &Net) -> Vec<Option<usize>> {
        let mut by_ends: HashMap<(&str, &str), usize> = HashMap::new();
        let mut by_place: HashMap<(&str, i64, i64), Vec<usize>> = HashMap::new();
        let cell = |p: [f64; 3]| ((p[0] / 1.0).floor() as i64, (p[1] / 1.0).floor() as i64);
        for (i, old) in self.pipes.iter().enumerate() {
            if !old.start.is_empty() && !old.end.is_empty() {
                by_ends.entry(pair(&old.start, &old.end)).or_insert(i);
            }
            let (x, y) = cell(old.axis[0]);
            by_place.entry((old.class, x, y)).or_default().push(i);
        }
        let mut taken: HashSet<usize> = HashSet::new();
        let mut out = vec![None; net.lines.len()];
        for (l, slot) in net.lines.iter().zip(&mut out) {
            let same_class = |i: &usize| l.class.is_none_or(|c| c.major == self.pipes[*i].class);
            *slot = by_ends.get(&pair(&l.start, &l.end)).copied().filter(|i| same_class(i) && taken.insert(*i));
        }
        for (l, slot) in net.lines.iter().zip(&mut out).filter(|(_, s)| s.is_none()) {
            let (Some(axis), Some(class)) = (net.axis(l), l.class) else { continue };
            let found = axis.iter().find_map(|from| {
                let (x, y) = cell(*from);
                let around = (-1..=1).flat_map(|i| (-1..=1).map(move |j| (i, j)));
                around.filter_map(|(i, j)| by_place.get(&(class.major, x + i, y + j))).flatten().copied().find(|i| {
                    let old = &self.pipes[*i];
                    let near = |a: [f64; 3], b: [f64; 3]| plan_m(a, b) <= SAME_PLACE_M && (a[2] - b[2]).abs() <= 1.0;
                    let along = near(axis[0], old.axis[0]) && near(axis[1], old.axis[1]);
                    let against = near(axis[0], old.axis[1]) && near(axis[1], old.axis[0]);
                    !taken.contains(i) && (along || against)
                })
            });
            if let Some(i) = found {
                taken.insert(i);
                *slot = Some(i);
            }
        }
        out
    }

    /// New, changed, unchanged and gone. Gone is a stock pipe of a class that was delivered, whose two ends lie inside
    /// the hull of the points of that class, and which no line measures anew.
    pub fn compare(&self, net: &Net, limit: usize) -> Value {
        let matched = self.matches(net);
        let (mut new, mut changed, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let (mut same, mut counts) = (0usize, [0usize; 3]);
        for (l, m) in net.lines.iter().zip(&matched) {
            let place = net.axis(l).map(|a| json!({ "type": "LineString", "coordinates": a }));
            let Some(old) = m.map(|i| &self.pipes[i]) else {
                counts[0] += 1;
                if new.len() < limit {
                    new.push(json!({ "id": id_of(l), "place": place }));
                }
                continue;
            };
            let mut what: Vec<Value> = Vec::new();
            if let Some(axis) = net.axis(l) {
                let reversed = plan_m(axis[0], old.axis[1]) < plan_m(axis[0], old.axis[0]);
                let was = if reversed { [old.axis[1], old.axis[0]] } else { old.axis };
                let moved = axis.iter().zip(was).map(|(a, b)| plan_m(*a, b).hypot(a[2] - b[2])).fold(0.0, f64::max);
                if moved > SAME_PLACE_M {
                    what.push(json!({ "field": "place", "moved_m": (moved * 1000.0).round() / 1000.0 }));
                }
            }
            let size = l.size.map(|s| match s {
                Size::Round(d) => format!("{d:.0}"),
                Size::Rect(w, h) => format!("{w:.0}X{h:.0}"),
            });
            if size.is_some() && old.size.is_some() && size != old.size {
                what.push(json!({ "field": "size", "was": old.size, "is": size }));
            }
            if l.material.is_some() && old.material.is_some() && l.material != old.material {
                what.push(json!({ "field": "material", "was": old.material, "is": l.material }));
            }
            if what.is_empty() {
                same += 1;
            } else {
                counts[1] += 1;
                if changed.len() < limit {
                    changed.push(json!({ "id": id_of(l), "stock": old.id, "changes": what, "place": place }));
                }
            }
        }
        let taken: HashSet<usize> = matched.iter().flatten().copied().collect();
        let hulls = hulls(net);
        for old in self.pipes.iter().enumerate().filter(|(i, _)| !taken.contains(i)).map(|(_, o)| o) {
            let inside = |p: [f64; 3]| hulls.get(old.class).is_some_and(|h| h.contains(&geo::Point::new(p[0], p[1])));
            if old.axis.iter().all(|p| inside(*p)) {
                counts[2] += 1;
                if gone.len() < limit {
                    gone.push(json!({ "id": old.id, "place": super::findings::geojson(&Geometry::LineString(old.axis.to_vec())) }));
                }
            }
        }
        json!({ "counts": { "new": counts[0], "changed": counts[1], "gone": counts[2], "unchanged": same },
            "new": new, "changed": changed, "gone": gone })
    }
}

fn hulls(net: &Net) -> HashMap<&'static str, geo::Polygon> {
    let mut points: HashMap<&'static str, Vec<geo::Point>> = HashMap::new();
    for p in &net.points {
        if let (Some(class), Some(at)) = (p.class, p.at) {
            points.entry(class.major).or_default().push(geo::Point::new(at[0], at[1]));
        }
    }
    points.into_iter().map(|(class, points)| (class, geo::MultiPoint::new(points).convex_hull())).collect()
}
