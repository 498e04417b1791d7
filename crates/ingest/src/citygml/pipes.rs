//! Underground networks: i-UR `uro` pipes and their points (PLATEAU 地下埋設物), and the lines of the Utility Network
//! ADE.
//!
//! The axis is the LOD0 line. i-UR draws it flat at z = 0; where the object also has a body, its heights come from
//! the body. A depth without a ground level cannot be turned into a height: it is kept as an attribute. An object
//! that has only a body gets the body's middle line, if every vertex lies about equally far from it.

use super::{
    Import,
    attributes::{positive, valid, year},
    objects::map_lines,
    shape::{Ids, Shape, join},
    xml::Node,
};
use crate::{IngestError, archive::shown};
use strata_model::{Geometry, Instant, LineString, Point3, SurfaceKind, Value};

pub(super) fn is_pipe(name: &str) -> bool {
    name.ends_with("Pipe") || name.ends_with("Cable") || name == "Duct"
}

pub(super) fn is_point(name: &str) -> bool {
    matches!(name, "Manhole" | "Handhole" | "Appurtenance")
}

/// Class and subclass of the contract. The object's name counts before its kind: a plain `uro:Pipe` says only there
/// whether it is a cable or a snow-melting line.
pub(crate) fn class_of(kind: &str, name: &str, occupier: &str) -> (Option<&'static str>, Option<&'static str>) {
    const BY_NAME: [(&str, &str, Option<&str>); 16] = [
        ("雨水", "PS", Some("YS")),
        ("汚水", "PS", Some("WS")),
        ("合流", "PS", Some("HS")),
        ("下水", "PS", None),
        ("ガス", "RQ", None),
        ("消雪", "QT", Some("snowmelt")),
        ("融雪", "QT", Some("snowmelt")),
        ("送風", "QT", Some("blower")),
        ("水循環", "QT", Some("watercirc")),
        ("水道", "JS", None),
        ("上水", "JS", None),
        ("高圧", "DL", None),
        ("低圧", "DL", None),
        ("電力", "DL", None),
        ("通信", "TX", None),
        ("熱", "RL", None),
    ];
    if let Some((_, class, subclass)) = BY_NAME.iter().find(|(word, ..)| name.contains(word)) {
        return (Some(class), *subclass);
    }
    let class = match kind {
        "WaterPipe" => "JS",
        "SewerPipe" => "PS",
        "OilGasChemicalsPipe" => "RQ",
        "ThermalPipe" => "RL",
        "ElectricityCable" => "DL",
        k if k.starts_with("Telecommunication") => "TX",
        _ => match occupier {
            "400" => "RQ",
            "600" => "PS",
            _ if is_point(kind) => return (None, None),
            _ => "QT",
        },
    };
    (Some(class), None)
}

pub(super) fn pipe(import: &mut Import<'_, '_>, node: &Node) -> Result<(), IngestError> {
    let ids = Ids::of(node);
    let dimension = import.ways.dimension;
    let mut drawn = Shape::new(&ids, dimension);
    if let Err(f) = map_lines(node, &mut drawn) {
        import.refuse_fault(node, f);
        return Ok(());
    }
    let body = match body(node, &ids, dimension) {
        Ok(b) => b,
        Err(f) => {
            import.refuse_fault(node, f);
            return Ok(());
        }
    };
    let srs = drawn.srs.or(body.srs);
    let mut lines = drawn.lines;
    lines.extend(body.lines);
    let mut vertices: Vec<Point3> = body.faces.iter().flat_map(|f| f.polygon.rings.iter().flatten().copied()).collect();
    vertices.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    vertices.dedup();
    let vertices = move_all(import, vec![vertices], srs)?.pop().unwrap_or_default();
    let mut lines = move_all(import, lines, srs)?;
    join(&mut lines, 0);
    let middle = middle_line(&vertices);
    let mut od_mm = positive(node.number("outerDiamiter")).or_else(|| positive(node.number("outerDiameter")));
    if lines.is_empty() {
        match &middle {
            Some((line, radius)) => {
                import.out.report.note("pipes that have only a body get its middle line as their axis and its width as od_mm");
                od_mm = od_mm.or(Some((radius * 2000.0).round()));
                lines.push(line.clone());
            }
            None if vertices.is_empty() => {
                import.refuse(node, node.line, "no-geometry", "it has no geometry");
                return Ok(());
            }
            None => {
                import.refuse(node, node.line, "no-axis", "it has a body and no axis line, and the body is no plain tube");
                return Ok(());
            }
        }
    } else if let (Some((line, _)), true) = (&middle, lines.iter().flatten().all(|p| p[2] == 0.0)) {
        import.out.report.note("pipes drawn flat at z = 0 beside a body take their heights from the body");
        lines.iter_mut().flatten().for_each(|p| p[2] = height_on(line, p));
    }
    let name = node.value("name").unwrap_or("");
    let (class, subclass) = class_of(&node.name, name, node.value("occupierType").unwrap_or(""));
    if &*node.name == "Pipe" {
        import.out.report.note(format!(
            "plain pipes named `{}` go to class {}{}",
            shown(name),
            class.unwrap_or("none"),
            subclass.map_or_else(String::new, |s| format!(", {s}"))
        ));
    }
    let depth = positive(node.number("depth"));
    let (least, most) = (positive(node.number("minDepth")), positive(node.number("maxDepth")));
    if (depth.or(least).is_some()) && lines.iter().flatten().all(|p| p[2] == 0.0) {
        import.out.report.note("depths are kept as attributes: without a ground level they give no height");
    }
    let built = node.value("year").and_then(year);
    let values = vec![
        ("class", class.into()),
        ("subclass", subclass.into()),
        ("shape", Value::from(od_mm.map(|_| "round"))),
        ("od_mm", od_mm.into()),
        ("dn_mm", positive(node.number("innerDiamiter")).or_else(|| positive(node.number("innerDiameter"))).into()),
        ("start_depth_m", depth.into()),
        ("end_depth_m", depth.into()),
        ("depth_min_m", least.into()),
        ("depth_max_m", most.into()),
        ("owner", node.value("occupierName").into()),
        ("year_built", built.into()),
        ("name", node.value("name").into()),
        ("source_kind", Value::from(node.name.to_string())),
    ];
    let from = built.and_then(|y| Instant::parse(&format!("{y:04}")).ok());
    let id = import.id(node);
    import.put_lines("pipes", node, &id, lines, valid(from, None, import.out.valid(None)), &values)
}

pub(super) fn point(import: &mut Import<'_, '_>, node: &Node) -> Result<(), IngestError> {
    let ids = Ids::of(node);
    let dimension = import.ways.dimension;
    let mut drawn = Shape::new(&ids, dimension);
    let shapes = map_lines(node, &mut drawn).and_then(|()| body(node, &ids, dimension));
    let body = match shapes {
        Ok(b) => b,
        Err(f) => {
            import.refuse_fault(node, f);
            return Ok(());
        }
    };
    let srs = drawn.srs.or(body.srs);
    let vertices: Vec<Point3> = body.faces.iter().flat_map(|f| f.polygon.shell().iter().copied()).chain(body.points).collect();
    let vertices = move_all(import, vec![vertices], srs)?.pop().unwrap_or_default();
    let bounds = (!vertices.is_empty()).then_some(Geometry::MultiPoint(vertices)).and_then(|g| g.bounds());
    let points = move_all(import, vec![drawn.points], srs)?.pop().unwrap_or_default();
    let place = match (points.first(), bounds) {
        (Some(p), Some(b)) if p[2] == 0.0 => [p[0], p[1], b.max[2]],
        (Some(p), _) => *p,
        (None, Some(b)) => [b.centre()[0], b.centre()[1], b.max[2]],
        (None, None) => {
            import.refuse(node, node.line, "no-geometry", "it has no geometry");
            return Ok(());
        }
    };
    if bounds.is_some() {
        import.out.report.note("points of the networks that have a body stand at its top");
    }
    let (class, subclass) = class_of(&node.name, node.value("name").unwrap_or(""), node.value("occupierType").unwrap_or(""));
    if class.is_none() {
        import.out.report.note("network points whose class neither their name nor their occupier tells have none");
    }
    let ground = bounds.map(|b| b.max[2]);
    let well = &*node.name != "Appurtenance";
    let values = vec![
        ("class", class.into()),
        ("subclass", subclass.into()),
        ("kind", if well { "well".into() } else { "other".into() }),
        ("ground_m", ground.into()),
        ("well_depth_m", bounds.filter(|_| well).and_then(|b| positive(Some(b.max[2] - b.min[2]))).into()),
        ("name", node.value("name").into()),
        ("source_kind", Value::from(node.name.to_string())),
    ];
    let from = node.value("year").and_then(year).and_then(|y| Instant::parse(&format!("{y:04}")).ok());
    let id = import.id(node);
    import.put("pipe_points", node, &id, Geometry::Point(place), valid(from, None, import.out.valid(None)), values)?;
    Ok(())
}

/// The components of a Utility Network ADE network that are lines; its topology is not read.
pub(super) fn network(import: &mut Import<'_, '_>, node: &Node) -> Result<(), IngestError> {
    import.out.report.note("Utility Network ADE: components with lines are read as pipes of class QT; the network graph is left out");
    let ids = Ids::of(node);
    let mut count = 0;
    for part in node.children.iter().filter(|c| &*c.name == "component").flat_map(|c| &c.children) {
        count += 1;
        let mut shape = Shape::new(&ids, import.ways.dimension);
        let properties = part.children.iter().filter(|c| c.name.starts_with("lod") && c.name.ends_with("Geometry"));
        if let Err(f) = properties.into_iter().try_for_each(|p| shape.add(p, SurfaceKind::Unknown)) {
            import.refuse_fault(part, f);
            continue;
        }
        if shape.lines.is_empty() {
            import.refuse(part, part.line, "no-geometry", format!("a network component `{}` without a line", shown(&part.name)));
            continue;
        }
        let srs = shape.srs;
        let lines = move_all(import, shape.lines, srs)?;
        let mm = |name: &str| {
            let n = part.child(name)?;
            let v = positive(n.text.trim().parse().ok())?;
            match n.attribute("uom").unwrap_or("").to_ascii_lowercase().as_str() {
                "mm" => Some(v),
                "cm" => Some(v * 10.0),
                "m" => Some(v * 1000.0),
                _ => None,
            }
        };
        let round = &*part.name == "RoundPipe";
        let od_mm = mm("exteriorDiameter").or_else(|| mm("exteriorWidth").filter(|_| round));
        let values = vec![
            ("class", "QT".into()),
            ("subclass", part.value("class").into()),
            ("shape", Value::from(od_mm.map(|_| "round"))),
            ("od_mm", od_mm.into()),
            ("status", part.value("status").and_then(|s| if s == "inUse" { Some(0i64) } else { None }).into()),
            ("name", part.value("name").into()),
            ("source_kind", Value::from(part.name.to_string())),
        ];
        let id = import.id(part);
        import.put_lines("pipes", part, &id, lines, import.out.valid(None), &values)?;
    }
    if count == 0 {
        import.refuse(node, node.line, "no-geometry", "a network without components");
    }
    Ok(())
}

/// The finest plain body: LOD 2 before 3 (which has fittings) before 1 (in i-UR a box up to the ground).
fn body<'n>(node: &'n Node, ids: &'n Ids<'n>, dimension: usize) -> Result<Shape<'n>, super::Fault> {
    for name in ["lod2Geometry", "lod3Geometry", "lod1Geometry"] {
        let mut shape = Shape::new(ids, dimension);
        if let Some(p) = node.child(name) {
            shape.add(p, SurfaceKind::Unknown)?;
        }
        if !shape.is_empty() {
            return Ok(shape);
        }
    }
    Ok(Shape::new(ids, dimension))
}

fn move_all(import: &mut Import<'_, '_>, lines: Vec<LineString>, srs: Option<&str>) -> Result<Vec<LineString>, IngestError> {
    if lines.iter().all(Vec::is_empty) {
        return Ok(lines);
    }
    let mut geometry = Geometry::MultiLineString(lines);
    import.moved(&mut geometry, srs)?;
    Ok(match geometry {
        Geometry::MultiLineString(lines) => lines,
        _ => Vec::new(),
    })
}

/// Middle line and radius (m) of a tube given by its vertices: rings of vertices, taken apart along the tube's long
/// direction, have their centres on it. `None` when the vertices are not about equally far from the line found.
fn middle_line(vertices: &[Point3]) -> Option<(LineString, f64)> {
    if vertices.len() < 6 {
        return None;
    }
    let direction = long_direction(vertices)?;
    let along = |p: &Point3| (0..3).map(|k| p[k] * direction[k]).sum::<f64>();
    let mut sorted: Vec<(f64, Point3)> = vertices.iter().map(|p| (along(p), *p)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let length = sorted.last()?.0 - sorted.first()?.0;
    // A first radius from the far end's quarter of vertices is not known yet: rings part where a gap is far wider
    // than the median step.
    for share in [0.02, 0.05, 0.1, 0.25] {
        let mut line = Vec::new();
        let mut ring: Vec<Point3> = Vec::new();
        let mut last = sorted.first()?.0;
        for (t, p) in &sorted {
            if t - last > share * length && !ring.is_empty() {
                line.push(centre(&ring));
                ring.clear();
            }
            last = *t;
            ring.push(*p);
        }
        line.push(centre(&ring));
        if line.len() < 2 {
            continue;
        }
        let mut distances: Vec<f64> = vertices.iter().map(|p| distance(&line, p)).collect();
        distances.sort_by(f64::total_cmp);
        let median = distances[distances.len() / 2];
        if median > 0.0 && distances[distances.len() - 1] <= 1.6 * median && distances[0] >= 0.4 * median && length > 4.0 * median {
            return Some((line, median));
        }
    }
    None
}

/// First principal direction by power iteration on the covariance.
fn long_direction(points: &[Point3]) -> Option<Point3> {
    let c = centre(points);
    let mut m = [[0.0; 3]; 3];
    for p in points {
        let d = [0, 1, 2].map(|k| p[k] - c[k]);
        for (i, row) in m.iter_mut().enumerate() {
            for (j, v) in row.iter_mut().enumerate() {
                *v += d[i] * d[j];
            }
        }
    }
    let mut v = [0.7, 0.6, 0.39];
    for _ in 0..64 {
        let w = m.map(|row| (0..3).map(|k| row[k] * v[k]).sum::<f64>());
        let length = w.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length < 1e-12 {
            return None;
        }
        v = w.map(|x| x / length);
    }
    Some(v)
}

fn centre(points: &[Point3]) -> Point3 {
    let n = points.len().max(1) as f64;
    [0, 1, 2].map(|k| points.iter().map(|p| p[k]).sum::<f64>() / n)
}

/// Nearest point of a segment as its share of the length, held to the segment.
fn share(a: &Point3, b: &Point3, p: &Point3, axes: usize) -> f64 {
    let (mut up, mut down) = (0.0, 0.0);
    for k in 0..axes {
        up += (p[k] - a[k]) * (b[k] - a[k]);
        down += (b[k] - a[k]).powi(2);
    }
    if down > 0.0 { (up / down).clamp(0.0, 1.0) } else { 0.0 }
}

fn distance(line: &[Point3], p: &Point3) -> f64 {
    let one = |w: &[Point3]| {
        let t = share(&w[0], &w[1], p, 3);
        (0..3).map(|k| (w[0][k] + t * (w[1][k] - w[0][k]) - p[k]).powi(2)).sum::<f64>()
    };
    line.windows(2).map(one).fold(f64::INFINITY, f64::min).sqrt()
}

/// Height of the line where it passes nearest to `p` in the plan.
fn height_on(line: &[Point3], p: &Point3) -> f64 {
    let mut best = (f64::INFINITY, 0.0);
    for w in line.windows(2) {
        let t = share(&w[0], &w[1], p, 2);
        let q = [0, 1, 2].map(|k| w[0][k] + t * (w[1][k] - w[0][k]));
        let d = (q[0] - p[0]).hypot(q[1] - p[1]);
        if d < best.0 {
            best = (d, q[2]);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tube_has_its_middle() {
        // Octagonal tube of radius 0.2 along a slope with one soft bend.
        let centres = [[0.0, 0.0, 5.0], [10.0, 1.0, 4.8], [20.0, 4.0, 4.6]];
        let tube: Vec<Point3> = centres
            .iter()
            .flat_map(|c| {
                (0..8).map(move |i| {
                    let a = f64::from(i) * std::f64::consts::FRAC_PI_4;
                    [c[0], c[1] + 0.2 * a.cos(), c[2] + 0.2 * a.sin()]
                })
            })
            .collect();
        let (line, radius) = middle_line(&tube).expect("a tube");
        assert_eq!(line.len(), 3);
        for (a, b) in line.iter().zip(&centres) {
            assert!((0..3).all(|k| (a[k] - b[k]).abs() < 1e-9), "{a:?}");
        }
        assert!((radius - 0.2).abs() < 0.01, "{radius}");
        // A box is no tube.
        let block: Vec<Point3> = (0..8).map(|i| [f64::from(i & 1) * 4.0, f64::from(i >> 1 & 1) * 3.0, f64::from(i >> 2)]).collect();
        assert!(middle_line(&block).is_none());
    }

    #[test]
    fn names_tell_the_class() {
        assert_eq!(class_of("Pipe", "低圧管路", ""), (Some("DL"), None));
        assert_eq!(class_of("OilGasChemicalsPipe", "高圧ガス管", ""), (Some("RQ"), None));
        assert_eq!(class_of("Manhole", "雨水マンホール", ""), (Some("PS"), Some("YS")));
        assert_eq!(class_of("Pipe", "水循環管路", ""), (Some("QT"), Some("watercirc")));
        assert_eq!(class_of("Handhole", "", "400"), (Some("RQ"), None));
        assert_eq!(class_of("Handhole", "", ""), (None, None));
    }
}
