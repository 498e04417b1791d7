//! EPANET 2.x. US flow units bring feet and inches, the others metres and millimetres.

use super::{Link, M_PER_FT, MM_PER_IN, Node, Record, Sections, begin, flow_unit, ids, tried};
use crate::{IngestError, output::Output};
use std::collections::HashMap;
use strata_model::Value;

struct Units {
    flow_lps: f64,
    length_m: f64,
    diameter_mm: f64,
}

pub(crate) fn read(out: &mut Output<'_>) -> Result<(), IngestError> {
    let sections = Sections::read(out.path)?;
    let network = begin(&sections, out)?;
    let named = sections.option("UNITS").unwrap_or("GPM");
    let (flow_lps, us) = flow_unit(named).ok_or_else(|| out.error("invalid-content", format!("flow unit `{named}` is not known")))?;
    let u = if us {
        Units { flow_lps, length_m: M_PER_FT, diameter_mm: MM_PER_IN }
    } else {
        Units { flow_lps, length_m: 1.0, diameter_mm: 1.0 }
    };
    let (demands, many) = demands(&sections);
    if many > 0 {
        out.report.note(format!("{many} junctions have several demands: base_demand_lps is their sum, pattern the first one's"));
    }
    let standard = sections.option("PATTERN");
    let mut nodes: Vec<_> = sections.of("JUNC").map(|r| tried(r, "JUNCTIONS", |r| junction(r, &u, &demands, standard))).collect();
    nodes.extend(sections.of("RESE").map(|r| tried(r, "RESERVOIRS", |r| reservoir(r, &u))));
    nodes.extend(sections.of("TANK").map(|r| tried(r, "TANKS", |r| tank(r, &u))));
    network.keep_series(&mut nodes, &["RESERVOIRS", "TANKS"]);
    let status: HashMap<&str, &str> = sections.of("STATUS").filter_map(|r| Some((r.id(), r.text(1)?))).collect();
    let mut links: Vec<_> = sections.of("PIPE").map(|r| tried(r, "PIPES", |r| pipe(r, &u, &status))).collect();
    links.extend(sections.of("PUMP").map(|r| tried(r, "PUMPS", |r| pump(r, &status))));
    links.extend(sections.of("VALV").map(|r| tried(r, "VALVES", |r| valve(r, &u, &status))));
    let left: Vec<String> =
        Some(sections.of("QUALITY").count()).filter(|n| *n > 0).map(|n| format!("{n} lines of [QUALITY]")).into_iter().collect();
    if !left.is_empty() {
        out.report.note(format!("left out: {}", left.join(", ")));
    }
    let strangers = demands.keys().filter(|id| !ids(&sections, &["JUNC"]).contains(*id)).count();
    if strangers > 0 {
        out.report.note(format!("{strangers} demands of nodes that are no junctions are left out"));
    }
    network.write(nodes, links, out)
}

/// Sum of the demand categories and the first pattern, by junction; they replace the junction's own.
fn demands(s: &Sections) -> (HashMap<&str, (f64, Option<&str>, usize)>, usize) {
    let mut all: HashMap<&str, (f64, Option<&str>, usize)> = HashMap::new();
    for r in s.of("DEMA") {
        if let Ok(Some(d)) = r.number(1, "demand") {
            let e = all.entry(r.id()).or_insert((0.0, r.text(2), 0));
            e.0 += d;
            e.2 += 1;
        }
    }
    let many = all.values().filter(|d| d.2 > 1).count();
    (all, many)
}

type Refused = super::Refused;

fn junction(r: &Record, u: &Units, demands: &HashMap<&str, (f64, Option<&str>, usize)>, standard: Option<&str>) -> Result<Node, Refused> {
    let z = r.number(1, "elevation")?.unwrap_or(0.0) * u.length_m;
    let own = (r.number(2, "demand")?.unwrap_or(0.0), r.text(3));
    let (demand, pattern) = demands.get(r.id()).map_or(own, |d| (d.0, d.1));
    Ok(Node {
        id: r.id().to_owned(),
        section: "JUNCTIONS",
        line: r.line,
        z,
        values: vec![
            ("class", "JS".into()),
            ("kind", "other".into()),
            ("node_kind", "junction".into()),
            ("elevation_m", z.into()),
            ("axis_m", z.into()),
            ("base_demand_lps", (demand * u.flow_lps).into()),
            ("pattern", pattern.or(standard).into()),
        ],
    })
}

fn reservoir(r: &Record, u: &Units) -> Result<Node, Refused> {
    let z = r.required(1, "head")? * u.length_m;
    let values = vec![
        ("class", "JS".into()),
        ("kind", "source".into()),
        ("node_kind", "reservoir".into()),
        ("elevation_m", z.into()),
        ("axis_m", z.into()),
        ("pattern", r.text(2).into()),
    ];
    Ok(Node { id: r.id().to_owned(), section: "RESERVOIRS", line: r.line, z, values })
}

fn tank(r: &Record, u: &Units) -> Result<Node, Refused> {
    let z = r.required(1, "elevation")? * u.length_m;
    let metres = |i: usize, name: &str| r.number(i, name).map(|n| Value::from(n.map(|v| v * u.length_m)));
    let values = vec![
        ("class", "JS".into()),
        ("kind", "tank".into()),
        ("node_kind", "tank".into()),
        ("elevation_m", z.into()),
        ("axis_m", z.into()),
        ("initial_level_m", metres(2, "initial level")?),
        ("min_level_m", metres(3, "least level")?),
        ("max_level_m", metres(4, "greatest level")?),
        ("tank_diameter_m", metres(5, "diameter")?),
    ];
    Ok(Node { id: r.id().to_owned(), section: "TANKS", line: r.line, z, values })
}

fn ends(r: &Record) -> Result<[String; 2], Refused> {
    let end = |i: usize| r.text(i).map(str::to_owned).ok_or_else(|| ("missing-value", "a link needs two nodes".to_owned()));
    let ends = [end(1)?, end(2)?];
    if ends[0] == ends[1] {
        return Err(("same-ends", format!("both ends are node {}", ends[0])));
    }
    Ok(ends)
}

fn link(
    r: &Record,
    section: &'static str,
    kind: &'static str,
    status: &HashMap<&str, &str>,
    more: Vec<(&'static str, Value)>,
) -> Result<Link, Refused> {
    let ends = ends(r)?;
    let mut values: Vec<(&'static str, Value)> = vec![
        ("class", "JS".into()),
        ("shape", "round".into()),
        ("link_kind", kind.into()),
        ("start_point", ends[0].as_str().into()),
        ("end_point", ends[1].as_str().into()),
    ];
    values.extend(more);
    if let Some(s) = status.get(r.id()) {
        values.push(("initial_status", s.to_ascii_lowercase().into()));
    }
    Ok(Link { id: r.id().to_owned(), section, line: r.line, ends, axis: [None; 2], values })
}

fn diameter(r: &Record, i: usize, u: &Units) -> Result<f64, Refused> {
    let d = r.required(i, "diameter")?;
    if d > 0.0 { Ok(d * u.diameter_mm) } else { Err(("invalid-diameter", format!("diameter {d}"))) }
}

fn pipe(r: &Record, u: &Units, status: &HashMap<&str, &str>) -> Result<Link, Refused> {
    let d = diameter(r, 4, u)?;
    // A seventh field may be the status already, when the minor loss is left out.
    let (minor, own) = match (r.text(6).map(crate::text::number), r.text(6)) {
        (Some(None), Some(word)) => (None, Some(word)),
        (Some(n), _) => (n, r.text(7)),
        _ => (None, None),
    };
    let more = vec![
        ("dn_mm", d.into()),
        ("od_mm", d.into()),
        ("length_m", (r.required(3, "length")? * u.length_m).into()),
        ("roughness", r.number(5, "roughness")?.into()),
        ("minor_loss", minor.into()),
        ("initial_status", own.unwrap_or("open").to_ascii_lowercase().into()),
    ];
    link(r, "PIPES", "pipe", status, more)
}

fn pump(r: &Record, status: &HashMap<&str, &str>) -> Result<Link, Refused> {
    let setting = r.fields.get(3..).map(|f| f.join(" ")).filter(|s| !s.is_empty());
    link(r, "PUMPS", "pump", status, vec![("setting", setting.into())])
}

fn valve(r: &Record, u: &Units, status: &HashMap<&str, &str>) -> Result<Link, Refused> {
    let d = diameter(r, 3, u)?;
    let setting = r.fields.get(4..).map(|f| f.join(" ")).filter(|s| !s.is_empty());
    link(r, "VALVES", "valve", status, vec![("dn_mm", d.into()), ("od_mm", d.into()), ("setting", setting.into())])
}
