//! Faults of where things lie.

use super::*;

/// Where a line goes on outside of the survey, its end was measured beside the one that the stock has.
pub(super) fn edge_match(w: &mut Work) {
    let turn = w.dice.range(0.0, std::f64::consts::TAU);
    let moved = |w: &Work, p: At| -> Option<(Work, [f64; 2])> {
        let at = w.plan(p)?;
        let (mut out, at) = (w.clone(), [at[0] + 0.4 * turn.cos(), at[1] + 0.4 * turn.sin()]);
        out.metres(p, "east", at[0]);
        out.metres(p, "north", at[1]);
        Some((out, at))
    };
    if let Some((_, _, p)) = point(w, |w, g, id, p| {
        let ([(l, _)], Some((out, at))) = (lines_at(g, id), moved(w, p)) else { return false };
        let others = g.points.values().filter(|q| **q != p).all(|q| w.plan(*q).is_none_or(|q| (q[0] - at[0]).hypot(q[1] - at[1]) > 1.0));
        let fits = others && out.free(g, *l, None) && flat(&out, g, *l) == Some(false);
        w.cell(p, "feature") == "出测区" && fits && w.length(g, *l).is_some_and(|m| m > 3.0)
    }) && let Some((out, _)) = moved(w, p)
    {
        *w = out;
        w.fault("edge-match", p);
    }
}

/// A line of two new points beside one that is there.
pub(super) fn aside(w: &mut Work, g: &Graph, of: At, ends: [[f64; 2]; 2], lifted: f64) -> At {
    let l = w.copy(of);
    for (c, moved) in ENDS.iter().zip(ends) {
        let p = g.points[w.cell(of, c.id)];
        let (id, at) = w.new_point(p, moved);
        w.word(at, "盖堵");
        w.set(at, "well_depth", "");
        w.set(at, "cover", "");
        w.set(l, c.id, id);
        let ground = w.number(p, "ground").unwrap_or(0.0);
        let level = w.number(of, c.level).unwrap_or(0.0) + lifted;
        w.metres(l, c.level, level);
        w.metres(l, c.depth, ground - level);
    }
    l
}

pub(super) fn isolated(w: &mut Work) {
    let moved = [[1.3, 0.9], [1.3, 0.9]];
    if let Some((g, l)) = line(w, |w, g, l| {
        if w.major(l) == "PS" || w.major(l) == "QT" || w.length(g, l).is_none_or(|m| m < 4.0) {
            return false;
        }
        let mut tried = w.clone();
        let new = aside(&mut tried, g, l, moved, 0.0);
        let h = tried.graph();
        let clear = ENDS.iter().all(|c| h.points.get(tried.cell(new, c.id)).and_then(|p| tried.plan(*p)).is_some_and(|at| alone(w, g, at)));
        clear && tried.free(&h, new, None)
    }) {
        let new = aside(w, &g, l, moved, 0.0);
        w.fault("isolated", new);
    }
}

pub(super) fn exchanged(w: &mut Work) {
    if let Some((_, _, p)) = point(w, |_, _, _, _| true) {
        let (x, y) = (w.cell(p, "north").to_owned(), w.cell(p, "east").to_owned());
        w.set(p, "north", y);
        w.set(p, "east", x);
        w.fault("crs-zone", p);
    }
}

pub(super) fn outside(w: &mut Work) {
    let by = w.dice.range(20_000.0, 60_000.0);
    if let Some((_, _, p)) = point(w, |_, _, _, _| true) {
        let x = w.number(p, "north").unwrap_or(0.0);
        w.metres(p, "north", x + by);
        w.fault("outside-city", p);
    }
}

/// A line ends 15 cm beside the point that it was measured to.
pub(super) fn loose_end(w: &mut Work) {
    if let Some((g, l)) = line(w, |w, g, l| sturdy(w, g, w.cell(l, "end")) && w.length(g, l).is_some_and(|m| m > 3.0)) {
        let p = g.points[w.cell(l, "end")];
        let (id, at) = w.new_point(p, [0.11, 0.10]);
        w.set(l, "end", id);
        w.fault("loose-end", at);
    }
}

/// A fitting and its lines with a ground that is 3 m too high, all else in balance.
pub(super) fn ground_level(w: &mut Work) {
    if let Some((g, id, p)) = point(w, |w, g, id, p| {
        w.cell(p, "well_depth").is_empty() && lines_at(g, id).iter().all(|(l, end)| w.number(*l, ENDS[*end].depth).is_some_and(|d| d < 6.5))
    }) {
        let ground = w.number(p, "ground").unwrap_or(0.0);
        w.metres(p, "ground", ground + 3.0);
        for (l, end) in lines_at(&g, &id).to_vec() {
            let depth = w.number(l, ENDS[end].depth).unwrap_or(0.0);
            w.metres(l, ENDS[end].depth, depth + 3.0);
        }
        w.fault("ground-level", p);
    }
}

/// A new line through the middle of another, two metres to either side.
pub(super) fn clash(w: &mut Work) {
    let across = |w: &Work, g: &Graph, l: At| -> Option<[[f64; 2]; 2]> {
        let [a, b] = ENDS.map(|c| g.points.get(w.cell(l, c.id)).and_then(|p| w.plan(*p)));
        let (a, b) = (a?, b?);
        let d = (b[0] - a[0]).hypot(b[1] - a[1]);
        let (middle, side) = ([0, 1].map(|k| (a[k] + b[k]) / 2.0), [-(b[1] - a[1]) / d * 2.0, (b[0] - a[0]) / d * 2.0]);
        Some([[0, 1].map(|k| middle[k] + side[k] - a[k]), [0, 1].map(|k| middle[k] - side[k] - b[k])])
    };
    let make = |w: &mut Work, g: &Graph, l: At, ends: [[f64; 2]; 2]| {
        let new = aside(w, g, l, ends, 0.0);
        // Level through the middle of the other one.
        let levels = ENDS.map(|c| w.number(l, c.level).unwrap_or(0.0));
        for c in &ENDS {
            let ground = w.number(new, c.level).unwrap_or(0.0) + w.number(new, c.depth).unwrap_or(0.0);
            let level = (levels[0] + levels[1]) / 2.0;
            w.metres(new, c.level, level);
            w.metres(new, c.depth, ground - level);
        }
        new
    };
    if let Some((g, l)) = line(w, |w, g, l| {
        let round = number(w.cell(l, "size")).is_some() && w.major(l) != "PS" && w.major(l) != "QT";
        let Some(ends) = across(w, g, l).filter(|_| round && w.length(g, l).is_some_and(|m| m > 10.0)) else { return false };
        let mut tried = w.clone();
        let new = make(&mut tried, g, l, ends);
        let h = tried.graph();
        let clear = ENDS.iter().all(|c| h.points.get(tried.cell(new, c.id)).and_then(|p| tried.plan(*p)).is_some_and(|at| alone(w, g, at)));
        let buried = ENDS.iter().all(|c| tried.number(new, c.depth).is_some_and(|d| d > 0.3));
        clear && buried && tried.free(&h, new, Some(l)) && !tried.free(&h, new, None)
    }) && let Some(ends) = across(w, &g, l)
    {
        let new = make(w, &g, l, ends);
        w.fault("isolated", new);
        w.fault("clash-own", new);
    }
}
