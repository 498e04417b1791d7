//! Rules that compare a row with itself and with the rows that it names.

use super::{
    findings::{Findings, RowRef},
    rows::{Line, Net, Point},
    rules::Limits,
};
use crate::reasons::why;
use std::collections::{HashMap, HashSet};
use strata_model::codes::{PipeClass, PointWord, codes};

pub fn check(net: &Net, limits: &Limits, found: &mut Findings) {
    points(net, found);
    lines(net, limits, found);
    meetings(net, limits, found);
}

fn same_or_broader(a: PipeClass, b: PipeClass) -> bool {
    a.major == b.major && (a.sub == b.sub || a.sub.is_none() || b.sub.is_none())
}

fn points(net: &Net, found: &mut Findings) {
    let mut maps: HashMap<(usize, &str), RowRef> = HashMap::new();
    for (i, p) in net.points.iter().enumerate() {
        if let Some(first) = net.by_id.get(&p.id).filter(|first| **first != i) {
            let first = &net.points[*first].row;
            let table = found.tables.get(first.table).cloned().unwrap_or_default();
            found.add("point-duplicate", p.row, &p.id, why("stands-already", &[&table, &first.row])).field("id");
        }
        if let Some(map) = p.map_id.as_deref().filter(|_| !p.id.is_empty()) {
            let letters = |t: &str| t.chars().take_while(|c| !c.is_ascii_digit()).collect::<String>();
            let first = *maps.entry((p.row.table, map)).or_insert(p.row);
            if letters(map) != letters(&p.id) {
                found.add("map-number", p.row, &p.id, why("other-letters", &[])).field("map_id").value(map);
            } else if first != p.row {
                found.add("map-number", p.row, &p.id, why("in-row-already", &[&first.row])).field("map_id").value(map);
            }
        }
        match (&p.feature, &p.appurtenance) {
            (Some(f), Some(a)) => {
                found.add("feature-exclusive", p.row, &p.id, why("both-filled", &[])).value(format!("{f} / {a}"));
            }
            (None, None) => {
                found.add("feature-exclusive", p.row, &p.id, why("neither-filled", &[]));
            }
            (f, a) => words(p, f.as_deref().or(a.as_deref()).unwrap_or_default(), f.is_some(), found),
        }
        let Some(class) = p.class else { continue };
        number_class(class, p.row, &p.id, &p.id, found);
        if let Some(code) = &p.code
            && let Some(said) = codes().class_of_code(code)
        {
            if !same_or_broader(said, class) {
                found.add("code-text", p.row, &p.id, why("code-other-class", &[])).field("code").value(code);
            } else if code.as_bytes().get(4) != Some(&b'2') {
                found.add("code-text", p.row, &p.id, why("code-no-point", &[])).field("code").value(code);
            }
        }
        if !net.star.contains_key(&i) && net.by_id.get(&p.id) == Some(&i) {
            found.add("point-unused", p.row, &p.id, why("no-line-here", &[]));
        }
    }
}

/// The word is one of its class, on the right side, and the code says the same.
fn words(p: &Point, word: &str, is_feature: bool, found: &mut Findings) {
    let Some(class) = p.class else { return };
    let known = codes().point_word(class.major, word);
    let wanted = if is_feature { PointWord::Feature } else { PointWord::Appurtenance };
    let Some(known) = known.filter(|k| k.kind == wanted) else {
        let reason = match known {
            Some(_) if is_feature => why("word-of-appurtenance", &[]),
            Some(_) => why("word-of-feature", &[]),
            None => why("no-such-word", &[&class.major]),
        };
        found.add("point-word", p.row, &p.id, reason).field(if is_feature { "feature" } else { "appurtenance" }).value(word);
        return;
    };
    let Some(code) = p
        .code
        .as_deref()
        .filter(|c| c.as_bytes().get(4) == Some(&b'2') && codes().class_of_code(c).is_some_and(|said| same_or_broader(said, class)))
    else {
        return;
    };
    let kind = if known.kind == PointWord::Feature { '1' } else { '2' };
    let number: Option<u8> = code.get(6..).and_then(|n| n.parse().ok());
    // Where the numbers of a class are our own, only the kind is held against the row.
    if code.chars().nth(5) != Some(kind) || (known.firm && number != Some(known.number)) {
        let expected = codes().feature_code(class, Some(word)).unwrap_or_default();
        found.add("code-text", p.row, &p.id, why("word-has-code", &[&word, &expected])).field("code").value(code);
    }
}

fn number_class(class: PipeClass, row: RowRef, id: &str, number: &str, found: &mut Findings) {
    // Two letters are a class; RLG and the like add a letter of their own.
    let said = number.get(..2).and_then(|two| codes().class_of_id(&format!("{two}1")));
    if said.is_some_and(|said| said.major != class.major || !same_or_broader(said, class)) {
        found.add("number-class", row, id, why("class-wanted", &[&class.sub.unwrap_or(class.major)])).field("id").value(number);
    }
}

fn lines(net: &Net, limits: &Limits, found: &mut Findings) {
    let mut pairs: HashMap<(&str, &str), RowRef> = HashMap::new();
    for l in &net.lines {
        let id = id_of(l);
        if !l.start.is_empty() && !l.end.is_empty() {
            if l.start == l.end {
                found.add("line-loop", l.row, &id, why("one-point", &[]));
            } else {
                let key = if l.start < l.end { (l.start.as_str(), l.end.as_str()) } else { (l.end.as_str(), l.start.as_str()) };
                let first = *pairs.entry(key).or_insert(l.row);
                if first != l.row {
                    let table = found.tables.get(first.table).cloned().unwrap_or_default();
                    found.add("line-duplicate", l.row, &id, why("joined-already", &[&table, &first.row]));
                }
            }
        }
        for (field, end) in [("start", &l.start), ("end", &l.end)] {
            if !end.is_empty() && !net.by_id.contains_key(end) {
                found.add("line-end", l.row, &id, why("no-such-point", &[])).field(field).value(end);
            }
        }
        if let (Some(code), Some(class)) = (&l.code, l.class)
            && let Some(said) = codes().class_of_code(code)
        {
            if !same_or_broader(said, class) {
                found.add("code-text", l.row, &id, why("code-other-class", &[])).field("code").value(code);
            } else if code.as_bytes().get(4) != Some(&b'1') {
                found.add("code-text", l.row, &id, why("code-no-line", &[])).field("code").value(code);
            }
        }
        if let (Some(all), Some(used)) = (l.holes, l.holes_used)
            && used > all
        {
            found.add("holes", l.row, &id, why("ducts-used", &[&used, &all])).field("holes_used").value(used);
        }
        if let (Some(built), Some(surveyed)) = (l.built, l.surveyed)
            && built > surveyed
        {
            found.add("year-order", l.row, &id, why("built-surveyed", &[&built, &surveyed])).field("year").value(built);
        }
        let ends = net.ends(l);
        for (i, (p, name)) in ends.iter().zip(["start_depth", "end_depth"]).enumerate() {
            let deepest = if l.to_invert { limits.deep_depth_m } else { limits.depth_m };
            if let Some(depth) = l.depth_m[i].filter(|d| *d > deepest) {
                found.add("depth-limit", l.row, &id, why("more-than-m", &[&deepest])).field(name).value(depth);
            }
            let Some(p) = p.map(|p| &net.points[p]) else { continue };
            if let (Some(ground), Some(depth), Some(level)) = (p.ground_m, l.depth_m[i], l.level_m[i]) {
                let gap = ground - depth - level;
                if gap.abs() > limits.balance_m + 1e-9 {
                    let reason = why("balance", &[&ground, &depth, &level, &format_args!("{gap:.3}"), &p.id]);
                    found.add("height-balance", l.row, &id, reason).field(name).value(depth);
                }
            }
            // Storm and sewer have a rule of their own.
            if let (Some(own), Some(its)) = (l.class, p.class)
                && own.major != its.major
            {
                found.add("class-mix", l.row, &id, why("point-of-class", &[&p.id, &its.sub.unwrap_or(its.major)]));
            }
        }
        shape(net, l, &id, limits, found);
    }
}

fn shape(net: &Net, l: &Line, id: &str, limits: &Limits, found: &mut Findings) {
    let [Some(a), Some(b)] = net.ends(l) else { return };
    let (Some(a), Some(b)) = (net.points[a].at, net.points[b].at) else { return };
    if l.start == l.end {
        return;
    }
    let plan = (a[0] - b[0]).hypot(a[1] - b[1]);
    if plan > limits.longest_m || plan < limits.shortest_m {
        let reason = why("length-span", &[&limits.shortest_m, &limits.longest_m]);
        found.add("length", l.row, id, reason).value(format!("{plan:.3} m"));
    }
    if let (Some(za), Some(zb)) = (l.axis_m(0), l.axis_m(1)) {
        let slope = (za - zb).abs().atan2(plan).to_degrees();
        if slope > limits.slope_deg && plan >= limits.shortest_m {
            found.add("slope", l.row, id, why("more-than-deg", &[&limits.slope_deg])).value(format!("{slope:.1}°"));
        }
    }
}

/// What the lines of one point say about it.
fn meetings(net: &Net, limits: &Limits, found: &mut Findings) {
    let mut points: Vec<(&usize, &Vec<(usize, usize)>)> = net.star.iter().collect();
    points.sort_by_key(|(p, _)| **p);
    for (&i, star) in points {
        let p = &net.points[i];
        let word = p.feature.as_deref().or(p.appurtenance.as_deref()).unwrap_or_default();
        let (both, neither) = (p.feature.is_some() && p.appurtenance.is_some(), word.is_empty());
        let wanted = match word {
            _ if both || neither => None,
            "三通" | "三分支" => Some(3..=3),
            "四通" | "四分支" => Some(4..=4),
            "多通" | "多分支" => Some(5..=usize::MAX),
            "弯头" | "直线点" | "转折点" | "变径" | "变材" => Some(2..=2),
            "盖堵" | "预留口" => Some(1..=1),
            _ => None,
        };
        let degree = star.len();
        if let Some(wanted) = wanted.filter(|w| !w.contains(&degree)) {
            let reason = if *wanted.end() == usize::MAX {
                why("joins-more", &[&word, wanted.start()])
            } else {
                why("joins", &[&word, wanted.end()])
            };
            found.add("degree", p.row, &p.id, reason).value(degree);
        }
        level(net, p, star, word, limits, found);
        if degree == 2 && (["弯头", "直线点", "转折点"].contains(&word)) && !both {
            let [a, b] = [star[0].0, star[1].0].map(|l| &net.lines[l]);
            let sections: HashSet<String> = [a, b].into_iter().filter_map(|l| l.size.map(|s| format!("{s:?}"))).collect();
            let materials: HashSet<&str> = [a, b].into_iter().filter_map(|l| l.material).collect();
            if sections.len() > 1 || materials.len() > 1 {
                let reason = if sections.len() > 1 { why("size-changes", &[&word]) } else { why("material-changes", &[&word]) };
                found.add("point-section", p.row, &p.id, reason);
            }
        }
        if let (Some(shaft), Some(ground)) = (p.well_depth_m, p.ground_m) {
            // As heights, for a depth may be wrong by itself.
            let own = star.iter().filter(|(l, _)| same_class(&net.lines[*l], p));
            let lowest = own.filter_map(|(l, end)| net.lines[*l].level_m[*end]).fold(f64::INFINITY, f64::min);
            if lowest.is_finite() && shaft < ground - lowest - limits.balance_m {
                found
                    .add("well-depth", p.row, &p.id, why("line-this-deep", &[&format_args!("{:.3}", ground - lowest)]))
                    .field("well_depth")
                    .value(shaft);
            }
        }
    }
}

fn level(net: &Net, p: &Point, star: &[(usize, usize)], word: &str, limits: &Limits, found: &mut Findings) {
    let gravity = |l: usize| net.lines[l].gravity();
    let heights = |drains: bool| {
        // What does not belong here has a rule of its own.
        let of = star.iter().filter(move |(l, _)| gravity(*l) == drains && same_class(&net.lines[*l], p));
        of.filter_map(move |(l, end)| if drains { net.lines[*l].level_m[*end] } else { net.lines[*l].axis_m(*end) })
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let axes = heights(false);
    if axes.1 - axes.0 > limits.level_m {
        found
            .add("point-level", p.row, &p.id, why("axes-between", &[&format_args!("{:.3}", axes.0), &format_args!("{:.3}", axes.1)]))
            .value(format!("{:.3} m", axes.1 - axes.0));
        return;
    }
    let inverts = heights(true);
    if inverts.1 - inverts.0 > limits.drop_m && word != "跌水井" {
        let reason = why("inverts-between", &[&format_args!("{:.3}", inverts.0), &format_args!("{:.3}", inverts.1)]);
        found.add("point-level", p.row, &p.id, reason).value(format!("{:.3} m", inverts.1 - inverts.0));
    }
}

/// Do line and point say the same class, or one of them less?
pub(super) fn same_class(l: &Line, p: &Point) -> bool {
    match (l.class, p.class) {
        (Some(a), Some(b)) => same_or_broader(a, b),
        _ => true,
    }
}

pub fn id_of(l: &Line) -> String {
    l.feature.clone().unwrap_or_else(|| format!("{}-{}", l.start, l.end))
}
