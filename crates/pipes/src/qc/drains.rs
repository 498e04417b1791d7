//! Rules of the network: what falls, what feeds what, what stands alone.

use super::{
    findings::Findings,
    logic::{id_of, same_class},
    rows::{Line, Net},
    rules::Limits,
};
use crate::{reasons::why, rules::rules};
use std::collections::HashMap;
use strata_model::codes::{Size, codes};

pub fn check(net: &Net, limits: &Limits, found: &mut Findings) {
    for l in net.lines.iter().filter(|l| l.gravity()) {
        let (Some(flow), Some(a), Some(b)) = (l.flow, l.level_m[0], l.level_m[1]) else { continue };
        let (up, down) = if flow == 0 { (a, b) } else { (b, a) };
        if down - up > limits.rise_m {
            let reason = why("invert-rises", &[&up, &down]);
            found.add("drain-fall", l.row, &id_of(l), reason).value(format!("{:.3} m", down - up));
        }
    }
    flat(net, limits, found);
    wells(net, found);
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

/// Nominal size of a round drain, mm.
fn bore_mm(l: &Line) -> Option<f64> {
    match l.size {
        Some(Size::Round(d)) if l.gravity() => Some(d),
        _ => None,
    }
}

fn plan_m(net: &Net, l: &Line) -> Option<f64> {
    let [a, b] = net.ends(l);
    let (a, b) = (net.points[a?].at?, net.points[b?].at?);
    Some((a[0] - b[0]).hypot(a[1] - b[1]))
}

/// A drain that falls, and by too little. One that rises is found as that.
fn flat(net: &Net, limits: &Limits, found: &mut Findings) {
    for l in &net.lines {
        let (Some(dn), Some(material), Some(length), Some(a), Some(b)) =
            (bore_mm(l), l.material, plan_m(net, l), l.level_m[0], l.level_m[1])
        else {
            continue;
        };
        let fall = match l.flow {
            Some(0) => a - b,
            Some(_) => b - a,
            None => (a - b).abs(),
        };
        let Some(least) = rules().min_slope_of(dn, matches!(material, "PE" | "PVC")).and_then(|r| r.value) else { continue };
        if fall >= -limits.rise_m && fall < least * length - limits.flat_m {
            let reason = why("falls-little", &[&format_args!("{:.4}", fall / length), &dn, &least]);
            found.add("drain-flat", l.row, &id_of(l), reason).value(format!("{:.4}", fall / length));
        }
    }
}

/// From well to well along a drain, through fittings that join two lines. What is nameless or branches ends the walk:
/// nothing is known of the distance then.
fn wells(net: &Net, found: &mut Findings) {
    let is_well = |i: usize| {
        let p = &net.points[i];
        p.feature.is_none() && p.appurtenance.as_deref().is_some_and(|a| codes().point_kind(a) == "well")
    };
    let passes = |i: usize| net.points[i].appurtenance.is_none() && net.points[i].feature.is_some();
    let mut starts: Vec<usize> = net.star.keys().copied().filter(|i| is_well(*i)).collect();
    starts.sort_unstable();
    for &well in &starts {
        for &(first, end) in &net.star[&well] {
            let (mut line, mut end, mut length, mut least_dn, mut row) = (first, end, 0.0, f64::INFINITY, net.lines[first].row);
            // A ring without a second well has as many lines as the net at most.
            for _ in 0..net.lines.len() {
                let l = &net.lines[line];
                let (Some(dn), Some(m), Some(next)) = (bore_mm(l), plan_m(net, l), net.ends(l)[1 - end]) else { break };
                (length, least_dn, row) = (length + m, dn.min(least_dn), row.min(l.row));
                if is_well(next) {
                    // Each pair once, from the well that comes first.
                    let far = rules().max_well_spacing(least_dn).and_then(|r| r.value).filter(|most| well < next && length > *most);
                    if let Some(most) = far {
                        let l = net.lines.iter().find(|l| l.row == row).unwrap_or(l);
                        let (a, b, apart) = (&net.points[well].id, &net.points[next].id, format!("{length:.1}"));
                        let reason = why("wells-apart", &[a, b, &apart, &least_dn, &most]);
                        found.add("well-spacing", row, &id_of(l), reason).value(format!("{apart} m"));
                    }
                    break;
                }
                let Some((on, its)) =
                    net.star[&next].iter().find(|(k, _)| *k != line).filter(|_| passes(next) && net.star[&next].len() == 2)
                else {
                    break;
                };
                (line, end) = (*on, *its);
            }
        }
    }
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
