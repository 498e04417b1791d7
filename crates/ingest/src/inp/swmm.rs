//! SWMM 5. Conduits carry their sections from `[XSECTIONS]`; the axis lies half a height above the invert, and link
//! offsets are depths or elevations as `LINK_OFFSETS` says.

use super::{Link, M_PER_FT, Node, Record, Refused, Sections, begin, flow_unit, tried};
use crate::{IngestError, output::Output};
use std::collections::HashMap;
use strata_model::Value;

struct Reader<'a> {
    sections: HashMap<&'a str, &'a Record>,
    inverts: HashMap<&'a str, f64>,
    length_m: f64,
    offsets_are_heights: bool,
}

/// Sections of nodes: name, kind of pipe point, field of the full depth.
const NODES: [(&str, &str, &str, Option<usize>); 4] = [
    ("JUNCTIONS", "junction", "well", Some(2)),
    ("OUTFALLS", "outfall", "outfall", None),
    ("STORAGE", "storage", "tank", Some(2)),
    ("DIVIDERS", "divider", "other", None),
];

pub(crate) fn read(out: &mut Output<'_>) -> Result<(), IngestError> {
    let sections = Sections::read(out.path)?;
    let network = begin(&sections, out)?;
    let named = sections.option("FLOW_UNITS").unwrap_or("CFS");
    let (_, us) = flow_unit(named).ok_or_else(|| out.error("invalid-content", format!("flow unit `{named}` is not known")))?;
    let length_m = if us { M_PER_FT } else { 1.0 };
    let mut reader = Reader {
        sections: sections.of("XSECTIONS").map(|r| (r.id(), r)).collect(),
        inverts: HashMap::new(),
        length_m,
        offsets_are_heights: sections.option("LINK_OFFSETS").is_some_and(|o| o.eq_ignore_ascii_case("ELEVATION")),
    };
    let mut nodes = Vec::new();
    for (section, node_kind, kind, depth) in NODES {
        for r in sections.of(section) {
            if let Ok(Some(z)) = r.number(1, "invert") {
                reader.inverts.insert(r.id(), z * length_m);
            }
            nodes.push(tried(r, section, |r| node(r, section, node_kind, kind, depth, length_m)));
        }
    }
    network.keep_series(&mut nodes, &["OUTFALLS", "STORAGE"]);
    let mut links: Vec<_> = sections.of("CONDUITS").map(|r| tried(r, "CONDUITS", |r| reader.conduit(r))).collect();
    for (section, kind) in [("PUMPS", "pump"), ("ORIFICES", "orifice"), ("WEIRS", "weir"), ("OUTLETS", "outlet")] {
        links.extend(sections.of(section).map(|r| tried(r, section, |r| reader.other(r, section, kind))));
    }
    let areas = sections.of("SUBCATCHMENTS").count();
    if areas > 0 {
        out.report.note(format!("{areas} subcatchments are left out: they are no pipes"));
    }
    network.write(nodes, links, out)
}

fn node(
    r: &Record,
    section: &'static str,
    node_kind: &'static str,
    kind: &'static str,
    depth: Option<usize>,
    length_m: f64,
) -> Result<Node, Refused> {
    let invert = r.required(1, "invert elevation")? * length_m;
    let depth = match depth {
        Some(i) => r.number(i, "depth")?.map(|d| d * length_m).filter(|d| *d > 0.0),
        None => None,
    };
    let ground = depth.map(|d| invert + d);
    Ok(Node {
        id: r.id().to_owned(),
        section,
        line: r.line,
        // The point stands on the ground where the depth says where that is, else on the invert.
        z: ground.unwrap_or(invert),
        values: vec![
            ("class", "PS".into()),
            ("kind", kind.into()),
            ("node_kind", node_kind.into()),
            ("elevation_m", invert.into()),
            ("ground_m", ground.into()),
            ("depth_m", depth.into()),
            ("well_depth_m", depth.into()),
        ],
    })
}

impl Reader<'_> {
    /// Width and height, m, and whether the section is round.
    fn size(&self, id: &str) -> Result<Option<(f64, f64, bool)>, Refused> {
        let Some(x) = self.sections.get(id) else { return Ok(None) };
        let shape = x.text(1).unwrap_or_default().to_ascii_uppercase();
        if matches!(shape.as_str(), "IRREGULAR" | "STREET" | "DUMMY") {
            return Ok(None);
        }
        let height = x.required(2, "section height")? * self.length_m;
        if height <= 0.0 {
            return Err(("invalid-diameter", format!("section height {height} m")));
        }
        if matches!(shape.as_str(), "CIRCULAR" | "FORCE_MAIN" | "FILLED_CIRCULAR") {
            return Ok(Some((height, height, true)));
        }
        let width = x.number(3, "section width").ok().flatten().map(|w| w * self.length_m).filter(|w| *w > 0.0);
        Ok(Some((width.unwrap_or(height), height, false)))
    }

    /// Invert of a link at a node, m.
    fn invert(&self, node: &str, offset: Option<f64>) -> Option<f64> {
        let own = *self.inverts.get(node)?;
        Some(match offset.map(|o| o * self.length_m) {
            None => own,
            Some(o) if self.offsets_are_heights => o,
            Some(o) => own + o,
        })
    }

    fn conduit(&self, r: &Record) -> Result<Link, Refused> {
        let mut l = self.link(r, "CONDUITS", "conduit", [5, 6])?;
        l.values.push(("length_m", (r.required(3, "length")? * self.length_m).into()));
        l.values.push(("roughness", r.number(4, "roughness")?.into()));
        Ok(l)
    }

    fn other(&self, r: &Record, section: &'static str, kind: &'static str) -> Result<Link, Refused> {
        let mut l = self.link(r, section, kind, [usize::MAX; 2])?;
        l.values.push(("setting", r.fields.get(3..).map(|f| f.join(" ")).filter(|s| !s.is_empty()).into()));
        Ok(l)
    }

    fn link(&self, r: &Record, section: &'static str, kind: &'static str, offsets: [usize; 2]) -> Result<Link, Refused> {
        let end = |i: usize| r.text(i).map(str::to_owned).ok_or_else(|| ("missing-value", "a link needs two nodes".to_owned()));
        let ends = [end(1)?, end(2)?];
        if ends[0] == ends[1] {
            return Err(("same-ends", format!("both ends are node {}", ends[0])));
        }
        let size = self.size(r.id())?;
        let at = |k: usize| -> Result<Option<f64>, Refused> { Ok(self.invert(&ends[k], r.number(offsets[k], "offset")?)) };
        let inverts = [at(0)?, at(1)?];
        let half = size.map_or(0.0, |s| s.1 / 2.0);
        let mut values: Vec<(&'static str, Value)> = vec![
            ("class", "PS".into()),
            ("link_kind", kind.into()),
            ("start_point", ends[0].as_str().into()),
            ("end_point", ends[1].as_str().into()),
            ("start_invert_m", inverts[0].into()),
            ("end_invert_m", inverts[1].into()),
            ("barrels", self.sections.get(r.id()).and_then(|x| x.number(6, "barrels").ok().flatten()).map(|n| n as i64).into()),
            ("section", self.sections.get(r.id()).map(|x| x.fields[1..].join(" ")).into()),
        ];
        match size {
            Some((_, d, true)) => {
                values.extend([("shape", "round".into()), ("od_mm", (d * 1000.0).into()), ("dn_mm", (d * 1000.0).into())])
            }
            Some((w, h, false)) => {
                values.extend([("shape", "rect".into()), ("width_mm", (w * 1000.0).into()), ("height_mm", (h * 1000.0).into())])
            }
            None => values.push(("shape", "round".into())),
        }
        Ok(Link { id: r.id().to_owned(), section, line: r.line, ends, axis: inverts.map(|z| z.map(|z| z + half)), values })
    }
}
