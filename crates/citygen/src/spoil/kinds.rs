//! Kinds of faults. Each looks for a place where it can be the only fault, makes it, and writes down what must be found.

mod heights;
mod lines;
mod places;

use super::work::{At, ENDS, Graph, Work};
use heights::*;
use lines::*;
use places::*;
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
