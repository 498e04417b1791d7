//! Rules of the network: what falls, what feeds what, what stands alone.

use super::{
    findings::Findings,
    logic::{id_of, same_class},
    rows::{Line, Net},
    rules::Limits,
};
use crate::reasons::why;
use std::collections::HashMap;
use strata_model::codes::Size;

pub fn check(net: &Net, limits: &Limits, found: &mut Findings) {
    for l in net.lines.iter().filter(|l| l.gravity()) {
        let (Some(flow), Some(a), Some(b)) = (l.flow, l.level_m[0], l.level_m[1]) else { continue };
        let (up, down) = if flow == 0 { (a, b) } else { (b, a) };
        if down - up > limits.rise_m {
            let reason = why("invert-rises", &[&up, &down]);
            found.add("drain-fall", l.row, &id_of(l), reason).value(format!("{:.3} m", down - up));
        }
    }
    let mut points: Vec<_> = net.star.iter().collect();
    points.sort_by_key(|(p, _)| **p);
    for (&i, star) in points {
        let p = &net.points[i];
        let drains: Vec<(&Line, usize)> = star.iter().map(|(l, end)| (&net.lines[*l], *end)).filter(|(l, _)| l.gravity()).collect();
        let has = |sub: &str| drains.iter().any(|(l, _)| l.class.and_then(|c| c.sub) == Some(sub));
        // A sewer that ends in a storm well meets the storm drains there.
        let of_point = p.class.and_then(|c| c.sub);
        for (l, _) in &drains {
            let reason = match l.class.and_then(|c| c.sub) {
                Some("WS") if of_point == Some("YS") => why("storm-point", &[&p.id]),
                Some("YS") if of_point == Some("WS") => why("sewer-point", &[&p.id]),
                // Points of no subclass: the lines themselves must agree.
                Some("WS") if of_point.is_none() && has("YS") => why("storm-drain", &[&p.id]),
                _ => continue,
            };
            found.add("drain-mix", l.row, &id_of(l), reason);
        }
        let area = |l: &Line| match l.size {
            Some(Size::Round(d)) => Some(d * d * std::f64::consts::FRAC_PI_4),
            Some(Size::Rect(w, h)) => Some(w * h),
            None => None,
        };
        let into = |(l, end): &&(&Line, usize)| l.flow.is_some_and(|f| (f == 0) == (*end == 1));
        let own: Vec<_> = drains.iter().copied().filter(|(l, _)| same_class(l, p)).collect();
        let fed = own.iter().filter(into).filter_map(|(l, _)| area(l)).fold(0.0, f64::max);
        for (l, _) in own.iter().filter(|d| d.0.flow.is_some() && !into(d)) {
            if area(l).is_some_and(|a| a < fed * 0.99) {
                found.add("drain-shrinks", l.row, &id_of(l), why("larger-flows-in", &[&p.id]));
            }
        }
    }
    isolated(net, found);
}

/// A line with no neighbour at either end. An end without a point is found by another rule.
fn isolated(net: &Net, found: &mut Findings) {
    let mut degree: HashMap<&str, usize> = HashMap::new();
    for l in &net.lines {
        for end in [&l.start, &l.end] {
            *degree.entry(end).or_default() += 1;
        }
    }
    for l in &net.lines {
        let ends = net.ends(l);
        let alone = l.start != l.end && [&l.start, &l.end].iter().all(|e| !e.is_empty() && degree.get(e.as_str()) == Some(&1));
        // At the edge of the survey it goes on outside.
        let edge = ends.iter().flatten().any(|p| net.points[*p].feature.as_deref() == Some("出测区"));
        if alone && !edge && ends.iter().all(Option::is_some) {
            found.add("isolated", l.row, &id_of(l), why("alone", &[]));
        }
    }
}
