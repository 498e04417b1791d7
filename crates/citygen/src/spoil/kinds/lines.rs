//! Faults of how lines and points hang together.

use super::*;

pub(super) fn line_end(w: &mut Work) {
    if let Some((_, l)) = line(w, |w, g, l| sturdy(w, g, w.cell(l, "end")) && lines_at(g, w.cell(l, "start")).len() >= 2) {
        let id = w.cell(l, "end").to_owned();
        w.set(l, "end", format!("{id}9"));
        w.fault("line-end", l);
    }
}

pub(super) fn deleted_point(w: &mut Work) {
    if let Some((g, id, p)) = point(w, |_, g, id, _| (1..=4).contains(&lines_at(g, id).len())) {
        w.remove(p);
        for (l, _) in lines_at(&g, &id) {
            w.fault("line-end", *l);
        }
    }
}

pub(super) fn line_loop(w: &mut Work) {
    if let Some((_, l)) = line(w, |w, g, l| {
        let (a, b) = (w.cell(l, "start"), w.cell(l, "end"));
        w.major(l) != "PS" && sturdy(w, g, b) && appurtenance(w, g, a) && lines_at(g, a).len() >= 2
    }) {
        for (from, to) in [("start", "end"), ("start_depth", "end_depth"), ("start_level", "end_level")] {
            let value = w.cell(l, from).to_owned();
            w.set(l, to, value);
        }
        w.fault("line-loop", l);
    }
}

pub(super) fn line_twice(w: &mut Work) {
    if let Some((_, l)) = line(w, |w, g, l| ENDS.iter().all(|c| appurtenance(w, g, w.cell(l, c.id)))) {
        let copy = w.copy(l);
        if w.dice.chance(0.5) {
            for (a, b) in [("start", "end"), ("start_depth", "end_depth"), ("start_level", "end_level")] {
                let (x, y) = (w.cell(copy, a).to_owned(), w.cell(copy, b).to_owned());
                w.set(copy, a, y);
                w.set(copy, b, x);
            }
            let flow = match w.cell(copy, "flow") {
                "0" => "1",
                "1" => "0",
                _ => "",
            };
            w.set(copy, "flow", flow);
        }
        w.fault("line-duplicate", copy);
    }
}

pub(super) fn stray_point(w: &mut Work, moved: [f64; 2], rules: &[&'static str]) {
    if let Some((_, _, p)) =
        point(w, |w, g, _, p| moved == [0.0; 2] || w.plan(p).is_some_and(|at| alone(w, g, [at[0] + moved[0], at[1] + moved[1]])))
    {
        let (_, at) = w.new_point(p, moved);
        rules.iter().for_each(|r| w.fault(r, at));
    }
}

/// Moves the end of a line to a point of another class nearby.
pub(super) fn foreign_end(w: &mut Work, drains: Option<[&'static str; 2]>) {
    let g = w.graph();
    let points = w.shuffled_points(&g);
    let near = |w: &Work, l: At| {
        let own = w.plan(*g.points.get(w.cell(l, "end"))?)?;
        let far = w.plan(*g.points.get(w.cell(l, "start"))?)?;
        points.iter().find(|(id, p)| {
            let right = match drains {
                Some([_, to]) => w.class(*p) == to,
                None => w.major(*p) != w.major(l),
            };
            let dist = |a: [f64; 2], b: Option<[f64; 2]>| b.map_or(f64::INFINITY, |b| (a[0] - b[0]).hypot(a[1] - b[1]));
            let d = dist(far, w.plan(*p));
            right && appurtenance(w, &g, id) && w.untouched(&g, &[id]) && dist(own, w.plan(*p)) < 25.0 && (15.0..70.0).contains(&d)
        })
    };
    let fit = |w: &Work, _: &Graph, l: At| {
        drains.is_none_or(|d| w.class(l) == d[0])
            && sturdy(w, &g, w.cell(l, "end"))
            && lines_at(&g, w.cell(l, "start")).len() >= 2
            && near(w, l).is_some_and(|(id, p)| {
                let mut moved = w.clone();
                moved.set(l, "end", id.clone());
                let ground = w.number(*p, "ground").unwrap_or(0.0);
                let level = w.number(l, "end_level").unwrap_or(0.0);
                let bore_m = if w.major(l) == "PS" { number(w.cell(l, "size")).unwrap_or(0.0) / 1000.0 } else { 0.0 };
                ground - level > bore_m + 0.2 && moved.free(&g, l, None) && flat(&moved, &g, l).is_some()
            })
    };
    let Some((_, l)) = line(w, fit) else { return };
    let Some((id, p)) = near(w, l).cloned() else { return };
    w.set(l, "end", id.clone());
    let (ground, level) = (w.number(p, "ground").unwrap_or(0.0), w.number(l, "end_level").unwrap_or(0.0));
    w.metres(l, "end_depth", ground - level);
    w.touch(&g, &[&id]);
    w.fault(if drains.is_some() { "drain-mix" } else { "class-mix" }, l);
    if flat(w, &g, l) == Some(true) {
        w.fault("drain-flat", l);
    }
}

pub(super) fn degree(w: &mut Work) {
    let of = |w: &Work, p: At| match w.cell(p, "feature") {
        "三通" | "弯头" | "直线点" => Some("四通"),
        "四通" => Some("三通"),
        _ => None,
    };
    if let Some((_, _, p)) = point(w, |w, _, _, p| of(w, p).is_some_and(|word| codes().point_word(w.major(p), word).is_some()))
        && let Some(word) = of(w, p)
    {
        w.word(p, word);
        w.fault("degree", p);
    }
}

pub(super) fn holes(w: &mut Work) {
    if let Some((_, l)) = line(w, |w, _, l| !w.cell(l, "holes").is_empty()) {
        let holes = w.number(l, "holes").unwrap_or(0.0);
        w.set(l, "holes_used", format!("{:.0}", holes + 3.0));
        w.fault("holes", l);
    }
}

pub(super) fn year_order(w: &mut Work) {
    if let Some((_, l)) = line(w, |w, _, l| !w.cell(l, "year").is_empty()) {
        w.set(l, "survey_date", "1950-01-01");
        w.fault("year-order", l);
    }
}
