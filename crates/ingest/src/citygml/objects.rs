//! City objects to features of the layers.

use super::{
    Import,
    attributes::{building_use, date, floors, positive, roof, valid, year},
    layers::Key,
    pipes,
    shape::{Fault, Ids, Shape, join, normal},
    xml::Node,
};
use crate::{IngestError, archive::shown};
use strata_model::{Geometry, Instant, Interval, LineString, Polygon, SurfaceKind, Value};

/// Best first.
const LEVELS: [u8; 5] = [3, 2, 1, 4, 0];

impl Import<'_, '_> {
    pub(super) fn object(&mut self, node: &Node) -> Result<(), IngestError> {
        match &*node.name {
            "Building" => self.building(node),
            "BuildingPart" => self.building(node),
            "Road" | "Square" | "Track" | "TransportationComplex" => self.street(node, "roads", "road_surfaces"),
            "Railway" => self.street(node, "rail", "rail_surfaces"),
            "LandUse" => self.land_use(node),
            "WaterBody" => self.water(node),
            "SolitaryVegetationObject" => self.tree(node),
            "PlantCover" => self.thing(node, "plant_cover"),
            "CityFurniture" => self.thing(node, "city_furniture"),
            "Bridge" | "Tunnel" | "OtherConstruction" | "UndergroundBuilding" => self.thing(node, "structures"),
            "SedimentDisasterProneArea" => self.hazard(node),
            "CityObjectGroup" => {
                self.refuse(node, node.line, "not-read", "a group has no shape of its own; its members are read by themselves");
                Ok(())
            }
            "Network" => pipes::network(self, node),
            name if pipes::is_pipe(name) => pipes::pipe(self, node),
            name if pipes::is_point(name) => pipes::point(self, node),
            _ if &*node.prefix == "urf" => self.zone(node),
            _ => self.thing(node, "generic"),
        }
    }
    /// Best geometry, moved; the object is refused and `None` answered when it has none or a faulty one.
    fn best(&mut self, node: &Node, surfaces: bool) -> Result<Option<(u8, Geometry, bool)>, IngestError> {
        let ids = Ids::of(node);
        match pick(node, &ids, self.ways.dimension) {
            Err(f) => {
                self.refuse_fault(node, f);
                Ok(None)
            }
            Ok(None) => {
                self.refuse(node, node.line, "no-geometry", "it has no geometry");
                Ok(None)
            }
            Ok(Some((lod, shape))) => self.finish(node, lod, shape, surfaces),
        }
    }
    fn finish(&mut self, node: &Node, lod: u8, shape: Shape<'_>, surfaces: bool) -> Result<Option<(u8, Geometry, bool)>, IngestError> {
        let (srs, solid) = (shape.srs, shape.solid);
        let Some(mut geometry) = shape.into_geometry(surfaces) else {
            self.refuse(node, node.line, "no-geometry", "it has no geometry");
            return Ok(None);
        };
        self.moved(&mut geometry, srs)?;
        match &mut geometry {
            Geometry::Surfaces(faces) if solid => Shape::name_faces(faces),
            Geometry::Polygon(p) => face_up(p),
            Geometry::MultiPolygon(ps) => ps.iter_mut().for_each(face_up),
            _ => {}
        }
        Ok(Some((lod, geometry, solid)))
    }
    fn building(&mut self, node: &Node) -> Result<(), IngestError> {
        let ids = Ids::of(node);
        let mut parts = Vec::new();
        gather_parts(node, &mut parts);
        let picked = (|| {
            let own = pick(node, &ids, self.ways.dimension)?;
            let parts = parts.iter().map(|p| pick(p, &ids, self.ways.dimension)).collect::<Result<Vec<_>, _>>()?;
            Ok((own, parts))
        })();
        let (own, picked) = match picked {
            Ok(p) => p,
            Err(f) => {
                self.refuse_fault(node, f);
                return Ok(());
            }
        };
        let rank = |l: u8| LEVELS.iter().rev().position(|x| *x == l).unwrap_or(0);
        let top = picked.iter().flatten().map(|(l, _)| *l).max_by_key(|l| rank(*l));
        // The building's own coarser shape would stand inside its finer parts; parts of LOD 0 beside bodies are shadows.
        let own = own.filter(|(l, _)| top.is_none_or(|t| rank(*l) >= rank(t)));
        let lod = own.as_ref().map(|(l, _)| *l).into_iter().chain(top).max_by_key(|l| rank(*l));
        let Some(lod) = lod else {
            self.refuse(node, node.line, "no-geometry", "it has no geometry");
            return Ok(());
        };
        let mut whole = Shape::new(&ids, self.ways.dimension);
        for (l, shape) in own.into_iter().chain(picked.into_iter().flatten()) {
            if (l == 0) == (lod == 0)
                && let Err((a, b)) = whole.absorb(shape)
            {
                self.refuse(node, node.line, "invalid-geometry", format!("it mixes the CRSs `{a}` and `{b}`"));
                return Ok(());
            }
        }
        let Some((lod, geometry, solid)) = self.finish(node, lod, whole, lod > 0)? else { return Ok(()) };
        let all = || std::iter::once(node).chain(parts.iter().copied());
        let most = |f: &dyn Fn(&Node) -> Option<f64>| f(node).or_else(|| all().filter_map(f).max_by(f64::total_cmp));
        let mut height = most(&|n| positive(n.number("measuredHeight")));
        if height.is_none() && (lod > 0 || solid) {
            height = geometry.bounds().and_then(|b| positive(Some(b.max[2] - b.min[2])));
            self.out.report.note("buildings without measuredHeight: height_m is that of their body");
        }
        let floors = all().filter_map(floors).max();
        let text = |name: &str| all().find_map(|n| n.value(name));
        let built = text("yearOfConstruction").and_then(year);
        let usage = text("usage").or_else(|| text("function")).or_else(|| text("class"));
        let (from, to) = (built.and_then(|y| Instant::parse(&format!("{y:04}")).ok()), text("yearOfDemolition").and_then(date));
        let valid = valid(from, to, self.out.valid(None));
        let address = node
            .child("address")
            .and_then(|a| a.deep_value("LocalityName"))
            .or_else(|| node.child("address").and_then(|a| a.deep_value("ThoroughfareName")));
        let values = vec![
            ("name", text("name").into()),
            ("use", usage.and_then(building_use).into()),
            ("height_m", height.into()),
            ("floors", floors.into()),
            ("year_built", built.into()),
            ("roof", text("roofType").and_then(roof).into()),
            ("address", address.into()),
            ("source_use", usage.into()),
            ("lod", Value::from(lod.to_string())),
        ];
        let id = self.id(node);
        self.put("buildings", node, &id, geometry, valid, values)?;
        Ok(())
    }
    /// Roads by their surfaces, railways by their tracks; the other way round when there is nothing else.
    fn street(&mut self, node: &Node, lines: Key, surfaces: Key) -> Result<(), IngestError> {
        let ids = Ids::of(node);
        let kind = node.name.to_string();
        let values = vec![
            ("name", node.value("name").into()),
            ("kind", if lines == "rail" { "rail".into() } else { Value::from(kind) }),
            ("function", node.value("function").into()),
            ("width_m", positive(node.deep_number("width")).into()),
            ("operator", node.deep_value("operator").into()),
        ];
        let id = self.id(node);
        let network = network_of(node, &ids, self.ways.dimension).ok().flatten();
        let faces = pick(node, &ids, self.ways.dimension);
        let by_line = lines == "rail" || matches!(faces, Ok(None));
        if let (true, Some(shape)) = (by_line, network) {
            let mut geometry = Geometry::MultiLineString(shape.lines);
            self.moved(&mut geometry, shape.srs)?;
            let Geometry::MultiLineString(moved) = geometry else { return Ok(()) };
            let valid = self.out.valid(None);
            return self.put_lines(lines, node, &id, moved, valid, &values);
        }
        match faces {
            Err(f) => self.refuse_fault(node, f),
            Ok(None) => self.refuse(node, node.line, "no-geometry", "it has no geometry"),
            Ok(Some((lod, shape))) => {
                if let Some((_, geometry, _)) = self.finish(node, lod, shape, false)? {
                    let key = if matches!(geometry, Geometry::Polygon(_) | Geometry::MultiPolygon(_)) { surfaces } else { lines };
                    self.put(key, node, &id, geometry, self.out.valid(None), values)?;
                }
            }
        }
        Ok(())
    }
    /// One feature for each run of moved lines that meet; the second is named `id/2`.
    pub(super) fn put_lines(
        &mut self,
        key: Key,
        node: &Node,
        id: &str,
        mut lines: Vec<LineString>,
        valid: Interval,
        values: &[(&'static str, Value)],
    ) -> Result<(), IngestError> {
        join(&mut lines, 0);
        if lines.len() > 1 {
            self.out.report.note("an object of several lines that do not meet becomes one feature for each: id, id/2, …");
        }
        for (i, line) in lines.into_iter().enumerate() {
            let geometry = Geometry::LineString(line);
            let id = if i == 0 { id.to_owned() } else { format!("{id}/{}", i + 1) };
            self.put(key, node, &id, geometry, valid, values.to_vec())?;
        }
        Ok(())
    }
    fn land_use(&mut self, node: &Node) -> Result<(), IngestError> {
        let Some((_, geometry, _)) = self.best(node, false)? else { return Ok(()) };
        let values = vec![
            ("name", node.value("name").into()),
            ("code", node.value("class").into()),
            ("survey_year", node.deep_value("surveyYear").and_then(year).into()),
        ];
        let id = self.id(node);
        self.put("land_use", node, &id, geometry, self.out.valid(None), values)?;
        Ok(())
    }
    fn water(&mut self, node: &Node) -> Result<(), IngestError> {
        if node.children.iter().any(|c| &*c.name == "floodingRiskAttribute") {
            return self.hazard(node);
        }
        let Some((_, geometry, solid)) = self.best(node, true)? else { return Ok(()) };
        let faces = match geometry {
            Geometry::Surfaces(faces) => faces,
            other => {
                let kind = if matches!(other, Geometry::Point(_) | Geometry::MultiPoint(_)) { "points" } else { "lines" };
                self.refuse(node, node.line, "wrong-geometry", format!("a water body made of {kind}; a surface is needed"));
                return Ok(());
            }
        };
        let mut polygons: Vec<Polygon> = faces.into_iter().filter(|f| !solid || f.kind == SurfaceKind::Roof).map(|f| f.polygon).collect();
        polygons.iter_mut().for_each(face_up);
        let geometry = match polygons.len() {
            0 => {
                self.refuse(node, node.line, "wrong-geometry", "a water body without an upper surface");
                return Ok(());
            }
            1 => Geometry::Polygon(polygons.remove(0)),
            _ => Geometry::MultiPolygon(polygons),
        };
        let kind = match node.value("class") {
            Some("1010" | "1020" | "1030" | "1040") => Some("river"),
            Some("1060" | "1080") => Some("lake"),
            _ => None,
        };
        let id = self.id(node);
        self.put("water", node, &id, geometry, self.out.valid(None), vec![("name", node.value("name").into()), ("kind", kind.into())])?;
        Ok(())
    }
    fn hazard(&mut self, node: &Node) -> Result<(), IngestError> {
        let Some((_, geometry, _)) = self.best(node, false)? else { return Ok(()) };
        let risk = node.child("floodingRiskAttribute").and_then(|r| r.children.first()).map(|r| r.name.to_string());
        let values = vec![
            ("name", node.value("zoneName").or_else(|| node.value("name")).into()),
            ("kind", risk.unwrap_or_else(|| node.name.to_string()).into()),
            ("function", node.value("disasterType").or_else(|| node.value("function")).into()),
            ("rank", node.deep_value("rank").or_else(|| node.deep_value("rankOrg")).or_else(|| node.value("areaType")).into()),
            ("scale", node.deep_value("scale").into()),
            ("place", node.value("location").into()),
        ];
        let id = self.id(node);
        let valid = valid(node.value("validFrom").and_then(date), node.value("validTo").and_then(date), self.out.valid(None));
        self.put("hazards", node, &id, geometry, valid, values)?;
        Ok(())
    }
    fn zone(&mut self, node: &Node) -> Result<(), IngestError> {
        let Some((_, geometry, _)) = self.best(node, false)? else { return Ok(()) };
        let values = vec![
            ("name", node.value("name").into()),
            ("kind", Value::from(node.name.to_string())),
            ("function", node.value("function").into()),
            ("code", node.value("number").into()),
            ("land_use", Value::Null),
            ("far_limit", positive(node.number("floorAreaRate")).into()),
            ("density_limit_pct", positive(node.number("buildingCoverageRate")).map(|v| v * 100.0).into()),
            ("height_limit_m", positive(node.number("buildingHeightLimits")).into()),
            ("custodian", node.value("custodian").filter(|v| *v != "-").into()),
            ("notice", node.value("notificationNumber").filter(|v| *v != "-").into()),
        ];
        let id = self.id(node);
        let valid = valid(node.value("validFrom").and_then(date), node.value("validTo").and_then(date), self.out.valid(None));
        self.put("zoning", node, &id, geometry, valid, values)?;
        Ok(())
    }
    fn tree(&mut self, node: &Node) -> Result<(), IngestError> {
        let Some((_, geometry, _)) = self.best(node, true)? else { return Ok(()) };
        let Some(b) = geometry.bounds() else { return Ok(()) };
        let point = matches!(geometry, Geometry::Point(_));
        let extent = |a: f64, b: f64| positive((!point).then_some(b - a));
        let values = vec![
            ("height_m", positive(node.number("height")).or_else(|| extent(b.min[2], b.max[2])).into()),
            ("crown_m", positive(node.number("crownDiameter")).or_else(|| extent(b.min[0], b.max[0])).into()),
            ("source_species", node.value("species").into()),
        ];
        let c = b.centre();
        let id = self.id(node);
        self.put("trees", node, &id, Geometry::Point([c[0], c[1], b.min[2]]), self.out.valid(None), values)?;
        Ok(())
    }
    fn thing(&mut self, node: &Node, key: Key) -> Result<(), IngestError> {
        if key == "generic" && !matches!(&*node.name, "GenericCityObject" | "Waterway") {
            self.out.report.note(format!("objects of kind {} have no layer of their own and go to `generic`", shown(&node.name)));
        }
        let Some((_, geometry, _)) = self.best(node, true)? else { return Ok(()) };
        let height = geometry.bounds().and_then(|b| positive(Some(b.max[2] - b.min[2])));
        let built = node.value("yearOfConstruction").and_then(date);
        let values = vec![
            ("name", node.value("name").into()),
            ("kind", Value::from(node.name.to_string())),
            ("function", node.value("function").or_else(|| node.value("class")).into()),
            ("height_m", height.into()),
        ];
        let id = self.id(node);
        self.put(key, node, &id, geometry, valid(built, None, self.out.valid(None)), values)?;
        Ok(())
    }
}

fn gather_parts<'n>(node: &'n Node, out: &mut Vec<&'n Node>) {
    for part in node.children.iter().filter(|c| &*c.name == "consistsOfBuildingPart").flat_map(|c| &c.children) {
        out.push(part);
        gather_parts(part, out);
    }
}

/// The shape at the best level that has one.
pub(super) fn pick<'n>(node: &'n Node, ids: &'n Ids<'n>, dimension: usize) -> Result<Option<(u8, Shape<'n>)>, Fault> {
    for lod in LEVELS {
        let mut shape = Shape::new(ids, dimension);
        at_level(node, lod, &mut shape)?;
        if !shape.is_empty() {
            return Ok(Some((lod, shape)));
        }
    }
    Ok(None)
}

/// Boundary surfaces with their kinds first, then what the object itself has; a solid that only refers to them adds
/// nothing.
fn at_level<'n>(node: &'n Node, lod: u8, shape: &mut Shape<'n>) -> Result<(), Fault> {
    for c in &node.children {
        match &*c.name {
            "boundedBy" => {
                for s in &c.children {
                    let kind = surface_kind(&s.name);
                    for p in s.children.iter().filter(|p| is_level(p, lod)) {
                        shape.add(p, kind)?;
                    }
                    for o in s.children.iter().filter(|p| &*p.name == "opening").flat_map(|o| &o.children) {
                        let kind = if &*o.name == "Door" { SurfaceKind::Door } else { SurfaceKind::Window };
                        o.children.iter().filter(|p| is_level(p, lod)).try_for_each(|p| shape.add(p, kind))?;
                    }
                }
            }
            "outerBridgeConstruction"
            | "outerBridgeInstallation"
            | "outerBuildingInstallation"
            | "outerTunnelInstallation"
            | "outerConstructionInstallation"
            | "constructionInstallation"
            | "consistsOfBridgePart"
            | "consistsOfTunnelPart" => {
                c.children.iter().try_for_each(|part| at_level(part, lod, shape))?;
            }
            _ => {}
        }
    }
    let footprint = node.child("lod0FootPrint").is_some();
    for c in node.children.iter().filter(|c| is_level(c, lod)) {
        if !(footprint && &*c.name == "lod0RoofEdge") {
            shape.add(c, SurfaceKind::Unknown)?;
        }
    }
    if lod == 0 {
        map_lines(node, shape)?;
    }
    if shape.is_empty() {
        for c in node.children.iter().filter(|c| matches!(&*c.name, "trafficArea" | "auxiliaryTrafficArea")) {
            c.children.iter().try_for_each(|area| at_level(area, lod, shape))?;
        }
    }
    Ok(())
}

/// i-UR keeps the plan of pipes and structures in `uro:…DmAttribute/DmGeometricAttribute/lod0Geometry`.
pub(super) fn map_lines<'n>(node: &'n Node, shape: &mut Shape<'n>) -> Result<(), Fault> {
    let dm = node.children.iter().filter(|c| c.name.ends_with("DmAttribute")).flat_map(|c| &c.children);
    dm.flat_map(|d| &d.children).filter(|g| &*g.name == "lod0Geometry").try_for_each(|g| shape.add(g, SurfaceKind::Unknown))
}

fn is_level(property: &Node, lod: u8) -> bool {
    let Some(rest) = property.name.strip_prefix("lod") else { return false };
    let mut rest = rest.chars();
    rest.next().and_then(|c| c.to_digit(10)) == Some(u32::from(lod))
        && matches!(
            rest.as_str(),
            "Solid"
                | "MultiSurface"
                | "Surface"
                | "Geometry"
                | "MultiCurve"
                | "Curve"
                | "MultiPoint"
                | "Point"
                | "FootPrint"
                | "RoofEdge"
                | "ImplicitRepresentation"
        )
}

/// `lod0Network` and finer, also of the tracks inside.
fn network_of<'n>(node: &'n Node, ids: &'n Ids<'n>, dimension: usize) -> Result<Option<Shape<'n>>, Fault> {
    let mut shape = Shape::new(ids, dimension);
    for c in node.children.iter().filter(|c| &*c.name == "lod0Network") {
        shape.add(c, SurfaceKind::Unknown)?;
    }
    Ok((!shape.lines.is_empty()).then_some(shape))
}

pub(crate) fn surface_kind(name: &str) -> SurfaceKind {
    match name {
        "RoofSurface" | "WaterSurface" | "OuterFloorSurface" => SurfaceKind::Roof,
        "WallSurface" | "InteriorWallSurface" => SurfaceKind::Wall,
        "GroundSurface" | "WaterGroundSurface" => SurfaceKind::Ground,
        "ClosureSurface" | "WaterClosureSurface" => SurfaceKind::Closure,
        "FloorSurface" => SurfaceKind::Floor,
        "CeilingSurface" | "OuterCeilingSurface" => SurfaceKind::Ceiling,
        _ => SurfaceKind::Unknown,
    }
}

/// Shell counter-clockwise from above, holes clockwise.
pub(crate) fn face_up(p: &mut Polygon) {
    for (i, ring) in p.rings.iter_mut().enumerate() {
        let up = normal(ring)[2];
        if (i == 0 && up < 0.0) || (i > 0 && up > 0.0) {
            ring.reverse();
        }
    }
}
