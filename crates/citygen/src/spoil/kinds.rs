//! Kinds of faults. Each looks for a place where it can be the only fault, makes it, and writes down what must be found.

use super::work::{At, ENDS, Graph, Work};
use strata_model::codes::{PointWord, codes, number};

pub(super) type Kind = (&'static str, fn(&mut Work));

pub(super) const KINDS: &[Kind] = &[
    ("empty cell of a point", |w| empty_cell(w, true)),
    ("empty cell of a line", |w| empty_cell(w, false)),
    ("word for a number", not_a_number),
    ("value in no dictionary", dictionary),
    ("unreadable size", |w| cell_fault(w, "size", "size", &["0", "两根", "300X", "99999", "-200"])),
    ("unreadable date", |w| cell_fault(w, "date", "year", &["昨天", "2999", "1998-13-01", "1750"])),
    ("malformed code", |w| cell_fault(w, "code-form", "code", &["5104", "91042102", "5104100X", "510410000"])),
    ("missing column", missing_column),
    ("empty table", empty_table),
    ("point number twice", point_twice),
    ("foreign number on the sheet", map_number),
    ("feature and appurtenance", feature_exclusive),
    ("unknown word", unknown_word),
    ("code of another class", code_of_another),
    ("code of another word", code_of_another_word),
    ("number of another class", number_class),
    ("end that no point has", line_end),
    ("deleted point", deleted_point),
    ("loop", line_loop),
    ("line twice", line_twice),
    ("unused point", |w| stray_point(w, [1.7, 1.1], &["point-unused"])),
    ("line into another class", |w| foreign_end(w, None)),
    ("sewer into storm drain", |w| foreign_end(w, Some(["WS", "YS"]))),
    ("wrong depth", height_balance),
    ("heights that do not meet", point_level),
    ("material changes unsaid", point_section),
    ("word for another number of lines", degree),
    ("more ducts used than there are", holes),
    ("built after it was surveyed", year_order),
    ("too deep", |w| shift(w, -10.5, "depth-limit")),
    ("too long", too_long),
    ("shallow shaft", well_depth),
    ("drain uphill", drain_fall),
    ("drain shrinks", drain_shrinks),
    ("drain too flat", drain_flat),
    ("well left out", well_left_out),
    ("end beside the stock", edge_match),
    ("isolated line", isolated),
    ("X and Y exchanged", exchanged),
    ("outside of the city", outside),
    ("two points at one place", |w| stray_point(w, [0.0, 0.0], &["point-unused", "same-place"])),
    ("end beside a point", loose_end),
    ("above the ground", above_ground),
    ("ground not that of the terrain", ground_level),
    ("line through another", clash),
];

/// The first point that `fit` takes, touched.
fn point(w: &mut Work, fit: impl Fn(&Work, &Graph, &str, At) -> bool) -> Option<(Graph, String, At)> {
    let g = w.graph();
    let all = w.shuffled_points(&g);
    let (id, at) = all.into_iter().find(|(id, at)| w.untouched(&g, &[id]) && fit(w, &g, id, *at))?;
    w.touch(&g, &[&id]);
    Some((g, id, at))
}

fn line(w: &mut Work, fit: impl Fn(&Work, &Graph, At) -> bool) -> Option<(Graph, At)> {
    let g = w.graph();
    let all = w.shuffled_lines(&g);
    let ends = |w: &Work, l: At| ENDS.map(|c| w.cell(l, c.id).to_owned());
    let at = all.into_iter().find(|l| {
        let [a, b] = ends(w, *l);
        g.points.contains_key(&a) && g.points.contains_key(&b) && w.untouched(&g, &[&a, &b]) && fit(w, &g, *l)
    })?;
    let [a, b] = ends(w, at);
    w.touch(&g, &[&a, &b]);
    Some((g, at))
}

fn lines_at<'g>(g: &'g Graph, id: &str) -> &'g [(At, usize)] {
    g.star.get(id).map_or(&[], Vec::as_slice)
}

fn pick<'t>(w: &mut Work, of: &[&'t str]) -> &'t str {
    w.dice.pick(of)
}

/// A shaft or valve: it may have any number of lines.
fn appurtenance(w: &Work, g: &Graph, id: &str) -> bool {
    g.points.get(id).is_some_and(|p| !w.cell(*p, "appurtenance").is_empty())
}

/// May lose a line: it keeps one, and that one is joined to something else.
fn sturdy(w: &Work, g: &Graph, id: &str) -> bool {
    appurtenance(w, g, id)
        && lines_at(g, id).len() >= 3
        && lines_at(g, id).iter().all(|(l, end)| lines_at(g, w.cell(*l, ENDS[1 - end].id)).len() >= 2)
}

fn empty_cell(w: &mut Work, of_point: bool) {
    let at = if of_point {
        let fields = ["ground", "code", "map_id"];
        let field = pick(w, &fields);
        point(w, |w, _, _, p| !w.cell(p, field).is_empty()).map(|(_, _, p)| (p, field))
    } else {
        let field =
            pick(w, &["owner", "road", "material", "year", "status", "survey_date", "start_level", "end_depth", "embed", "size", "code"]);
        line(w, |w, _, l| !w.cell(l, field).is_empty()).map(|(_, l)| (l, field))
    };
    if let Some((at, field)) = at {
        w.set(at, field, "");
        w.fault("required", at);
    }
}

fn not_a_number(w: &mut Work) {
    let text = pick(w, &["NaN", "二米", "1,86", "--", "1.8.6", "inf"]);
    if w.dice.chance(0.5) {
        let field = pick(w, &["north", "east", "ground", "depth"]);
        if let Some((_, _, p)) = point(w, |_, _, _, _| true) {
            w.set(p, field, text);
            w.fault("number", p);
        }
    } else {
        let field = pick(w, &["start_depth", "end_depth", "start_level", "end_level", "life"]);
        if let Some((_, l)) = line(w, |_, _, _| true) {
            w.set(l, field, text);
            w.fault("number", l);
        }
    }
}

fn dictionary(w: &mut Work) {
    let (field, text) = w.dice.pick(&[("material", "木头"), ("embed", "飞埋"), ("status", "9"), ("pressure", "超强"), ("flow", "向东")]);
    if let Some((_, l)) = line(w, |w, _, l| match field {
        "pressure" => w.major(l) == "RQ",
        "flow" => !w.cell(l, "flow").is_empty(),
        _ => true,
    }) {
        w.set(l, field, text);
        w.fault("dictionary", l);
    }
}

fn cell_fault(w: &mut Work, rule: &'static str, field: &'static str, values: &[&'static str]) {
    let value = pick(w, values);
    if let Some((_, l)) = line(w, |w, _, l| !w.cell(l, field).is_empty()) {
        w.set(l, field, value);
        w.fault(rule, l);
    }
}

fn missing_column(w: &mut Work) {
    let tables: Vec<usize> = (0..w.sheets.len()).filter(|t| w.sheets[*t].columns.contains_key("owner") && w.clean(*t)).collect();
    if tables.is_empty() {
        return;
    }
    let table = w.dice.pick(&tables);
    if let Some(column) = w.sheets[table].columns.remove("owner") {
        w.sheets[table].headings[column] = "备注二".into();
        w.table_fault("heading", table);
    }
}

fn empty_table(w: &mut Work) {
    let full = w.sheets.iter().position(|s| s.rows.len() > 5);
    let Some(table) = full.filter(|_| !w.sheets.iter().any(|s| s.name == "BMLINE" || s.name == "BMPOINT")) else { return };
    let role = w.sheets[table].role;
    let name = if role == strata_model::survey::Role::Points { "BMPOINT" } else { "BMLINE" };
    w.add_table(table, name);
    let last = w.sheets.len() - 1;
    w.table_fault("empty-table", last);
}

fn point_twice(w: &mut Work) {
    if let Some((_, id, p)) = point(w, |_, _, _, _| true) {
        let (_, at) = w.new_point(p, [0.4, 0.2]);
        w.set(at, "id", id);
        w.fault("point-duplicate", at);
    }
}

fn map_number(w: &mut Work) {
    if let Some((_, _, p)) = point(w, |_, _, _, _| true) {
        w.set(p, "map_id", "ZZ7");
        w.fault("map-number", p);
    }
}

fn feature_exclusive(w: &mut Work) {
    let both = w.dice.chance(0.5);
    if let Some((_, _, p)) = point(w, |w, _, _, p| !w.cell(p, "appurtenance").is_empty()) {
        if both {
            w.set(p, "feature", "三通");
        } else {
            w.set(p, "appurtenance", "");
        }
        w.fault("feature-exclusive", p);
    }
}

fn unknown_word(w: &mut Work) {
    if let Some((_, _, p)) = point(w, |w, _, _, p| !w.cell(p, "appurtenance").is_empty()) {
        w.set(p, "appurtenance", "飞碟井");
        w.fault("point-word", p);
    }
}

/// A code that says another class, for a point or a line.
fn code_of_another(w: &mut Work) {
    let of_point = w.dice.chance(0.5);
    let at = if of_point { point(w, |_, _, _, _| true).map(|p| p.2) } else { line(w, |_, _, _| true).map(|l| l.1) };
    if let Some(at) = at {
        let class = if w.major(at) == "RL" { "5104" } else { "5401" };
        w.set(at, "code", format!("{class}{}", if of_point { "2201" } else { "1000" }));
        w.fault("code-text", at);
    }
}

/// Water and drains have numbers by the standard: another word's number is a fault.
fn code_of_another_word(w: &mut Work) {
    if let Some((_, _, p)) = point(w, |w, _, _, p| {
        let word = if w.cell(p, "feature").is_empty() { w.cell(p, "appurtenance") } else { w.cell(p, "feature") };
        codes().point_word(w.major(p), word).is_some_and(|c| c.firm && c.kind == PointWord::Appurtenance)
    }) {
        let code = w.cell(p, "code").to_owned();
        let other = if code.ends_with("16") { "15" } else { "16" };
        w.set(p, "code", format!("{}{other}", &code[..6]));
        w.fault("code-text", p);
    }
}

fn rename(w: &mut Work, g: &Graph, id: &str, at: At, new: &str) {
    w.set(at, "id", new);
    for (l, end) in lines_at(g, id).to_vec() {
        w.set(l, ENDS[end].id, new);
    }
}

fn number_class(w: &mut Work) {
    if let Some((g, id, p)) = point(w, |_, _, _, _| true) {
        let letters = if w.major(p) == "RQ" { "TX" } else { "RQ" };
        let new = id.replacen(|c: char| c.is_ascii_alphabetic(), "", 3);
        let new = format!("{letters}8{}", new.trim_start_matches(|c: char| c.is_ascii_alphabetic()));
        rename(w, &g, &id, p, &new);
        w.set(p, "map_id", new.clone());
        w.touch(&g, &[&new]);
        w.fault("number-class", p);
    }
}

fn line_end(w: &mut Work) {
    if let Some((_, l)) = line(w, |w, g, l| sturdy(w, g, w.cell(l, "end")) && lines_at(g, w.cell(l, "start")).len() >= 2) {
        let id = w.cell(l, "end").to_owned();
        w.set(l, "end", format!("{id}9"));
        w.fault("line-end", l);
    }
}

fn deleted_point(w: &mut Work) {
    if let Some((g, id, p)) = point(w, |_, g, id, _| (1..=4).contains(&lines_at(g, id).len())) {
        w.remove(p);
        for (l, _) in lines_at(&g, &id) {
            w.fault("line-end", *l);
        }
    }
}

fn line_loop(w: &mut Work) {
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

fn line_twice(w: &mut Work) {
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

fn stray_point(w: &mut Work, moved: [f64; 2], rules: &[&'static str]) {
    if let Some((_, _, p)) =
        point(w, |w, g, _, p| moved == [0.0; 2] || w.plan(p).is_some_and(|at| alone(w, g, [at[0] + moved[0], at[1] + moved[1]])))
    {
        let (_, at) = w.new_point(p, moved);
        rules.iter().for_each(|r| w.fault(r, at));
    }
}

/// Moves the end of a line to a point of another class nearby.
fn foreign_end(w: &mut Work, drains: Option<[&'static str; 2]>) {
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

fn height_balance(w: &mut Work) {
    let by = w.dice.range(0.1, 0.6);
    if let Some((_, l)) = line(w, |_, _, _| true) {
        let end = &ENDS[w.dice.int(0, 1) as usize];
        let depth = w.number(l, end.depth).unwrap_or(0.0);
        w.metres(l, end.depth, depth + by);
        w.fault("height-balance", l);
    }
}

/// Moves one end of a line up or down, depth and height together.
fn lift(w: &mut Work, l: At, end: usize, by: f64) {
    let c = &ENDS[end];
    let (depth, level) = (w.number(l, c.depth).unwrap_or(0.0), w.number(l, c.level).unwrap_or(0.0));
    w.metres(l, c.depth, depth - by);
    w.metres(l, c.level, level + by);
}

fn point_level(w: &mut Work) {
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

fn point_section(w: &mut Work) {
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

fn degree(w: &mut Work) {
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

fn holes(w: &mut Work) {
    if let Some((_, l)) = line(w, |w, _, l| !w.cell(l, "holes").is_empty()) {
        let holes = w.number(l, "holes").unwrap_or(0.0);
        w.set(l, "holes_used", format!("{:.0}", holes + 3.0));
        w.fault("holes", l);
    }
}

fn year_order(w: &mut Work) {
    if let Some((_, l)) = line(w, |w, _, l| !w.cell(l, "year").is_empty()) {
        w.set(l, "survey_date", "1950-01-01");
        w.fault("year-order", l);
    }
}

/// Moves all lines of a fitting up or down together; those that become too steep must be found, too.
fn shift(w: &mut Work, by: f64, rule: &'static str) {
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

fn above_ground(w: &mut Work) {
    let by = w.dice.range(2.1, 2.4);
    shift(w, by, "above-ground");
}

/// Carries a dead end along its line until that is 80 m long.
fn too_long(w: &mut Work) {
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
fn alone(w: &Work, g: &Graph, at: [f64; 2]) -> bool {
    g.points.values().all(|p| w.plan(*p).is_none_or(|q| (q[0] - at[0]).hypot(q[1] - at[1]) > 1.0))
}

fn well_depth(w: &mut Work) {
    if let Some((_, _, p)) = point(w, |w, g, id, p| w.number(p, "well_depth").is_some_and(|d| d > 0.6) && !lines_at(g, id).is_empty()) {
        w.set(p, "well_depth", "0.200");
        w.fault("well-depth", p);
    }
}

fn drain_fall(w: &mut Work) {
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
fn turn(w: &mut Work, g: &Graph, l: At) {
    let levels = ENDS.map(|c| w.number(l, c.level).unwrap_or(0.0));
    for (c, level) in ENDS.iter().zip([levels[1], levels[0]]) {
        let ground = g.points.get(w.cell(l, c.id)).and_then(|p| w.number(*p, "ground")).unwrap_or(0.0);
        w.metres(l, c.level, level);
        w.metres(l, c.depth, ground - level);
    }
}

fn drain_shrinks(w: &mut Work) {
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
fn falls(w: &Work, g: &Graph, l: At) -> Option<(f64, f64)> {
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
fn flat(w: &Work, g: &Graph, l: At) -> Option<bool> {
    let Some((fall, least)) = falls(w, g, l) else { return Some(false) };
    let short = least - 0.01 - fall;
    (short.abs() > 0.003).then_some(short > 0.0)
}

fn well(w: &Work, g: &Graph, id: &str) -> bool {
    g.points.get(id).is_some_and(|p| w.cell(*p, "feature").is_empty() && w.cell(*p, "appurtenance").ends_with('井'))
}

/// How far apart the wells of a drain of this size may be, m.
fn wells_within(w: &Work, l: At) -> Option<f64> {
    let dn = number(w.cell(l, "size")).filter(|dn| *dn >= 300.0)?;
    [(600.0, 75.0), (1000.0, 100.0), (1500.0, 150.0), (2000.0, 200.0)].iter().find(|(most, _)| dn <= *most).map(|r| r.1)
}

/// Lifts the lower end of a drain, so that it still falls, and by too little.
fn drain_flat(w: &mut Work) {
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
fn well_left_out(w: &mut Work) {
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

/// Where a line goes on outside of the survey, its end was measured beside the one that the stock has.
fn edge_match(w: &mut Work) {
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
fn aside(w: &mut Work, g: &Graph, of: At, ends: [[f64; 2]; 2], lifted: f64) -> At {
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

fn isolated(w: &mut Work) {
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

fn exchanged(w: &mut Work) {
    if let Some((_, _, p)) = point(w, |_, _, _, _| true) {
        let (x, y) = (w.cell(p, "north").to_owned(), w.cell(p, "east").to_owned());
        w.set(p, "north", y);
        w.set(p, "east", x);
        w.fault("crs-zone", p);
    }
}

fn outside(w: &mut Work) {
    let by = w.dice.range(20_000.0, 60_000.0);
    if let Some((_, _, p)) = point(w, |_, _, _, _| true) {
        let x = w.number(p, "north").unwrap_or(0.0);
        w.metres(p, "north", x + by);
        w.fault("outside-city", p);
    }
}

/// A line ends 15 cm beside the point that it was measured to.
fn loose_end(w: &mut Work) {
    if let Some((g, l)) = line(w, |w, g, l| sturdy(w, g, w.cell(l, "end")) && w.length(g, l).is_some_and(|m| m > 3.0)) {
        let p = g.points[w.cell(l, "end")];
        let (id, at) = w.new_point(p, [0.11, 0.10]);
        w.set(l, "end", id);
        w.fault("loose-end", at);
    }
}

/// A fitting and its lines with a ground that is 3 m too high, all else in balance.
fn ground_level(w: &mut Work) {
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
fn clash(w: &mut Work) {
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
