//! Faults of heights, depths and falls.

use super::*;

pub(super) fn height_balance(w: &mut Work) {
    let by = w.dice.range(0.1, 0.6);
    if let Some((_, l)) = line(w, |_, _, _| true) {
        let end = &ENDS[w.dice.int(0, 1) as usize];
        let depth = w.number(l, end.depth).unwrap_or(0.0);
        w.metres(l, end.depth, depth + by);
        w.fault("height-balance", l);
    }
}

/// Moves one end of a line up or down, depth and height together.
pub(super) fn lift(w: &mut Work, l: At, end: usize, by: f64) {
    let c = &ENDS[end];
    let (depth, level) = (w.number(l, c.depth).unwrap_or(0.0), w.number(l, c.level).unwrap_or(0.0));
    w.metres(l, c.depth, depth - by);
    w.metres(l, c.level, level + by);
}

pub(super) fn point_level(w: &mut Work) {
    let by = w.dice.range(0.2, 0.3);
    if let Some((g, l)) = line(w, |w, g, l| {
        let mut lifted = w.clone();
        lift(&mut lifted, l, 1, by);
        w.major(l) != "PS"
            && lines_at(g, w.cell(l, "end")).len() >= 2
            && w.length(g, l).is_some_and(|m| m > 10.0)
            && w.number(l, "end_depth").is_some_and(|d| d > by + 0.1)
            && lifted.free(g, l, None)
    }) {
        lift(w, l, 1, by);
        w.fault("point-level", g.points[w.cell(l, "end")]);
    }
}

const UNMARKED: [&str; 3] = ["弯头", "直线点", "转折点"];

pub(super) fn point_section(w: &mut Work) {
    let says_nothing = |w: &Work, g: &Graph, id: &str| {
        g.points.get(id).is_some_and(|p| UNMARKED.contains(&w.cell(*p, "feature"))) && lines_at(g, id).len() == 2
    };
    if let Some((g, l)) = line(w, |w, g, l| w.major(l) != "PS" && ENDS.iter().any(|c| says_nothing(w, g, w.cell(l, c.id)))) {
        let other = if w.cell(l, "material") == "铜" { "钢" } else { "铜" };
        w.set(l, "material", other);
        for c in &ENDS {
            let id = w.cell(l, c.id).to_owned();
            if says_nothing(w, &g, &id) {
                w.fault("point-section", g.points[&id]);
            }
        }
    }
}

/// Moves all lines of a fitting up or down together; those that become too steep must be found, too.
pub(super) fn shift(w: &mut Work, by: f64, rule: &'static str) {
    let moved = |w: &Work, g: &Graph, id: &str| {
        let mut all = w.clone();
        lines_at(g, id).iter().for_each(|(l, end)| lift(&mut all, *l, *end, by));
        all
    };
    let Some((g, id, _)) = point(w, |w, g, id, p| {
        let star = lines_at(g, id);
        let fits = (1..=3).contains(&star.len()) && w.cell(p, "well_depth").is_empty() && w.major(p) != "PS" && w.major(p) != "QT";
        fits && star.iter().all(|(l, end)| {
            let depth = w.number(*l, ENDS[*end].depth).unwrap_or(f64::INFINITY) - by;
            let steep = (by.abs() / w.length(g, *l).unwrap_or(0.0)).atan().to_degrees();
            let clear = if by < 0.0 { depth > 10.2 } else { depth < -0.1 };
            clear && (steep - 10.0).abs() > 2.0 && w.length(g, *l).is_some_and(|m| m > 0.5)
        }) && {
            let all = moved(w, g, id);
            star.iter().all(|(l, _)| all.free(g, *l, None))
        }
    }) else {
        return;
    };
    for (l, end) in lines_at(&g, &id).to_vec() {
        let length = w.length(&g, l).unwrap_or(1.0);
        lift(w, l, end, by);
        w.fault(rule, l);
        let axis = w.body(&g, l).map(|b| b.0);
        let steep = axis.is_some_and(|a| ((a[0][2] - a[1][2]).abs() / length).atan().to_degrees() > 10.0);
        if steep {
            w.fault("slope", l);
        }
    }
}

pub(super) fn above_ground(w: &mut Work) {
    let by = w.dice.range(2.1, 2.4);
    shift(w, by, "above-ground");
}

/// Carries a dead end along its line until that is 80 m long.
pub(super) fn too_long(w: &mut Work) {
    let to = |w: &Work, g: &Graph, id: &str, p: At| -> Option<[f64; 2]> {
        let [(l, end)] = lines_at(g, id)[..] else { return None };
        let from = w.plan(*g.points.get(w.cell(l, ENDS[1 - end].id))?)?;
        let at = w.plan(p)?;
        let d = (at[0] - from[0]).hypot(at[1] - from[1]);
        (d > 1.0).then(|| [0, 1].map(|k| from[k] + (at[k] - from[k]) / d * 80.0))
    };
    let put = |w: &mut Work, p: At, at: [f64; 2]| {
        w.metres(p, "east", at[0]);
        w.metres(p, "north", at[1]);
    };
    if let Some((g, id, p)) = point(w, |w, g, id, p| {
        let Some(at) = to(w, g, id, p) else { return false };
        let mut moved = w.clone();
        put(&mut moved, p, at);
        let l = lines_at(g, id)[0].0;
        let told = w.major(l) != "PS" || ENDS.iter().all(|c| well(w, g, w.cell(l, c.id)));
        told && moved.free(g, l, None) && alone(w, g, at) && flat(&moved, g, l).is_some()
    }) && let Some(at) = to(w, &g, &id, p)
    {
        put(w, p, at);
        let l = lines_at(&g, &id)[0].0;
        w.fault("length", l);
        if flat(w, &g, l) == Some(true) {
            w.fault("drain-flat", l);
        }
        if w.major(l) == "PS" && wells_within(w, l).is_some_and(|most| most < 80.0) {
            w.fault("well-spacing", l);
        }
    }
}

/// No point within a metre.
pub(super) fn alone(w: &Work, g: &Graph, at: [f64; 2]) -> bool {
    g.points.values().all(|p| w.plan(*p).is_none_or(|q| (q[0] - at[0]).hypot(q[1] - at[1]) > 1.0))
}

pub(super) fn well_depth(w: &mut Work) {
    if let Some((_, _, p)) = point(w, |w, g, id, p| w.number(p, "well_depth").is_some_and(|d| d > 0.6) && !lines_at(g, id).is_empty()) {
        w.set(p, "well_depth", "0.200");
        w.fault("well-depth", p);
    }
}

pub(super) fn drain_fall(w: &mut Work) {
    let fall = |w: &Work, l: At| Some((w.number(l, "start_level")? - w.number(l, "end_level")?).abs());
    if let Some((_, l)) = line(w, |w, g, l| {
        let mut turned = w.clone();
        turn(&mut turned, g, l);
        w.major(l) == "PS" && fall(w, l).is_some_and(|f| (0.04..0.25).contains(&f)) && turned.free(g, l, None)
    }) {
        let g = w.graph();
        turn(w, &g, l);
        w.fault("drain-fall", l);
    }
}

/// Exchanges the heights of the two ends of a line.
pub(super) fn turn(w: &mut Work, g: &Graph, l: At) {
    let levels = ENDS.map(|c| w.number(l, c.level).unwrap_or(0.0));
    for (c, level) in ENDS.iter().zip([levels[1], levels[0]]) {
        let ground = g.points.get(w.cell(l, c.id)).and_then(|p| w.number(*p, "ground")).unwrap_or(0.0);
        w.metres(l, c.level, level);
        w.metres(l, c.depth, ground - level);
    }
}

pub(super) fn drain_shrinks(w: &mut Work) {
    let fed = |w: &Work, g: &Graph, l: At| {
        let id = w.cell(l, if w.cell(l, "flow") == "1" { "end" } else { "start" });
        let into = lines_at(g, id).iter().filter(|(k, end)| *k != l && (w.cell(*k, "flow") == "0") == (*end == 1));
        into.filter_map(|(k, _)| number(w.cell(*k, "size"))).fold(0.0, f64::max)
    };
    let shrink = |w: &mut Work, l: At, fed: f64| {
        let size = (fed / 2.0).round();
        w.set(l, "size", format!("{size:.0}"));
        w.set(l, "od", format!("{:.0}", size * 1.2));
    };
    if let Some((g, l)) = line(w, |w, g, l| {
        let mut smaller = w.clone();
        shrink(&mut smaller, l, fed(w, g, l));
        w.major(l) == "PS" && fed(w, g, l) >= 300.0 && flat(&smaller, g, l).is_some()
    }) {
        let fed = fed(w, &g, l);
        shrink(w, l, fed);
        w.fault("drain-shrinks", l);
        if flat(w, &g, l) == Some(true) {
            w.fault("drain-flat", l);
        }
    }
}

/// Fall of a drain along its flow and the least that GB 50014 asks for, m; nothing where it asks for none.
pub(super) fn falls(w: &Work, g: &Graph, l: At) -> Option<(f64, f64)> {
    let dn = number(w.cell(l, "size")).filter(|dn| w.major(l) == "PS" && *dn >= 250.0)?;
    let plastic = ["PE", "PVC", "HDPE", "UPVC"].contains(&w.cell(l, "material"));
    let permille = [(350.0, if plastic { 2.0 } else { 3.0 }), (450.0, 1.5), (550.0, 1.2), (700.0, 1.0), (900.0, 0.8), (f64::INFINITY, 0.6)];
    let least = permille.iter().find(|(below, _)| dn < *below)?.1;
    let fall = w.number(l, "start_level")? - w.number(l, "end_level")?;
    let fall = match w.cell(l, "flow") {
        "0" => fall,
        "1" => -fall,
        _ => fall.abs(),
    };
    Some((fall, least * w.length(g, l)? / 1000.0))
}

/// Does a drain fall too little? `None`: too near to the limit to say.
pub(super) fn flat(w: &Work, g: &Graph, l: At) -> Option<bool> {
    let Some((fall, least)) = falls(w, g, l) else { return Some(false) };
    let short = least - 0.01 - fall;
    (short.abs() > 0.003).then_some(short > 0.0)
}

pub(super) fn well(w: &Work, g: &Graph, id: &str) -> bool {
    g.points.get(id).is_some_and(|p| w.cell(*p, "feature").is_empty() && w.cell(*p, "appurtenance").ends_with('井'))
}

/// How far apart the wells of a drain of this size may be, m.
pub(super) fn wells_within(w: &Work, l: At) -> Option<f64> {
    let dn = number(w.cell(l, "size")).filter(|dn| *dn >= 300.0)?;
    [(600.0, 75.0), (1000.0, 100.0), (1500.0, 150.0), (2000.0, 200.0)].iter().find(|(most, _)| dn <= *most).map(|r| r.1)
}

/// Lifts the lower end of a drain, so that it still falls, and by too little.
pub(super) fn drain_flat(w: &mut Work) {
    let share = w.dice.range(0.0, 1.0);
    let lifted = |w: &Work, g: &Graph, l: At| {
        let (fall, least) = falls(w, g, l).filter(|(fall, least)| *least > 0.025 && fall > least)?;
        let lower = usize::from(w.cell(l, "flow") == "0");
        let mut out = w.clone();
        lift(&mut out, l, lower, fall - (least - 0.02) * share);
        let id = w.cell(l, ENDS[lower].id);
        let inverts = || lines_at(g, id).iter().filter_map(|(k, end)| out.number(*k, ENDS[*end].level));
        let apart = inverts().fold(f64::NEG_INFINITY, f64::max) - inverts().fold(f64::INFINITY, f64::min);
        (apart < 0.45 && out.free(g, l, None)).then_some(out)
    };
    if let Some((g, l)) = line(w, |w, g, l| lifted(w, g, l).is_some())
        && let Some(out) = lifted(w, &g, l)
    {
        *w = out;
        w.fault("drain-flat", l);
    }
}

/// The well in the middle of a straight drain was taken for a bend without one.
pub(super) fn well_left_out(w: &mut Work) {
    let pair = |w: &Work, g: &Graph, id: &str| -> Option<At> {
        let [(a, i), (b, j)] = lines_at(g, id)[..] else { return None };
        let alike = ["size", "material"].iter().all(|c| w.cell(a, c) == w.cell(b, c)) && w.major(a) == "PS" && w.major(b) == "PS";
        let far = [(a, i), (b, j)].iter().all(|(l, end)| well(w, g, w.cell(*l, ENDS[1 - end].id)));
        let length = w.length(g, a)? + w.length(g, b)?;
        (alike && far && length > wells_within(w, a)? + 1.0).then(|| a.min(b))
    };
    if let Some((g, id, p)) = point(w, |w, g, id, _| well(w, g, id) && pair(w, g, id).is_some())
        && let Some(first) = pair(w, &g, &id)
    {
        w.word(p, "直线点");
        w.set(p, "well_depth", "");
        w.set(p, "cover", "");
        w.fault("well-spacing", first);
    }
}
