//! City objects to features of the layers.

use super::{
    json::{Object, Objects, Shape},
    shape::{Parts, Vertices},
};
use crate::{
    IngestError,
    archive::shown,
    citygml::{
        attributes::{building_use, positive, roof, valid, year},
        crs::Ways,
        face_up,
        layers::{Item, Key, Layers},
        shape::Shape as Gml,
        terrain::Terrain,
    },
    output::Output,
};
use serde_json::Value as Json;
use std::collections::{HashMap, HashSet};
use strata_model::{Geometry, Instant, Interval, Polygon, SurfaceKind, Value};

/// One import under way.
pub(super) struct Import<'o, 'a> {
    pub out: &'o mut Output<'a>,
    pub layers: Layers,
    pub ways: Ways,
    pub name: String,
}

/// One object on its way out.
struct Named<'d> {
    id: &'d str,
    kind: &'d str,
    object: &'d Object,
    place: String,
}

impl Named<'_> {
    fn attribute(&self, name: &str) -> Option<&Json> {
        self.object.attributes.as_ref()?.get(name).filter(|v| !v.is_null())
    }
    fn text(&self, name: &str) -> Option<String> {
        match self.attribute(name)? {
            Json::String(t) => Some(t.trim().to_owned()).filter(|t| !t.is_empty()),
            v @ (Json::Number(_) | Json::Bool(_)) => Some(v.to_string()),
            _ => None,
        }
    }
    fn number(&self, name: &str) -> Option<f64> {
        match self.attribute(name)? {
            Json::Number(n) => n.as_f64(),
            Json::String(t) => t.trim().parse().ok(),
            // 2.0 writes measures as `{"value": 12.3, "uom": "m"}`.
            Json::Object(o) => o.get("value")?.as_f64(),
            _ => None,
        }
        .filter(|v| v.is_finite())
    }
}

/// What goes into its parent's feature.
fn is_part(kind: &str) -> bool {
    matches!(
        kind,
        "BuildingPart"
            | "BuildingInstallation"
            | "BuildingConstructiveElement"
            | "BridgePart"
            | "BridgeInstallation"
            | "BridgeConstructiveElement"
            | "TunnelPart"
            | "TunnelInstallation"
            | "TunnelConstructiveElement"
    )
}

fn is_interior(kind: &str) -> bool {
    ["Room", "Furniture", "Storey", "Unit", "HollowSpace"].iter().any(|end| kind.ends_with(end)) && kind != "CityFurniture"
}

/// Worth of a level of detail: 3, 2, 1, 4, 0; the finer of one level first; a missing one counts as 1.
fn rank(lod: Option<f64>) -> u32 {
    let lod = lod.unwrap_or(1.0);
    let major = match lod as u32 {
        0 => 0,
        4 => 1,
        1 => 2,
        2 => 3,
        _ => 4,
    };
    major * 100 + (lod.fract() * 100.0).round() as u32
}

struct Picked {
    rank: u32,
    lod: f64,
    parts: Parts,
}

/// The best level that has a shape.
fn pick(object: &Object, at: &Vertices<'_>) -> Result<Option<Picked>, String> {
    let shapes = object.geometry.as_deref().unwrap_or(&[]);
    let lod_of = |s: &Shape| match s.template.and_then(|t| at.templates?.templates.get(t)) {
        Some(template) if s.lod.0.is_none() => template.lod.0,
        _ => s.lod.0,
    };
    let mut ranks: Vec<u32> = shapes.iter().map(|s| rank(lod_of(s))).collect();
    ranks.sort_unstable();
    ranks.dedup();
    for r in ranks.into_iter().rev() {
        let mut picked = Picked { rank: r, lod: 0.0, parts: Parts::default() };
        for s in shapes.iter().filter(|s| rank(lod_of(s)) == r) {
            picked.lod = lod_of(s).unwrap_or(1.0);
            picked.parts.add(s, at)?;
        }
        if !picked.parts.is_empty() {
            return Ok(Some(picked));
        }
    }
    Ok(None)
}

impl Import<'_, '_> {
    pub fn objects(&mut self, objects: &Objects, at: &Vertices<'_>, line: usize) -> Result<(), IngestError> {
        let mut by_name: HashMap<&str, &Object> = HashMap::with_capacity(objects.0.len());
        for (name, o) in &objects.0 {
            if let Ok(o) = o {
                by_name.entry(name).or_insert(o);
            }
        }
        let mut parts: HashMap<&str, Vec<&Object>> = HashMap::new();
        let mut merged = HashSet::new();
        for (name, o) in &objects.0 {
            if let Ok(o) = o
                && let Some(root) = root_of(name, o, &by_name)
            {
                parts.entry(root).or_default().push(o);
                merged.insert(name.as_str());
            }
        }
        for (name, object) in &objects.0 {
            let place = match line {
                0 => format!("{}:CityObjects/{}", self.name, shown(name)),
                n => format!("{}:{n}", self.name),
            };
            match object {
                Err(e) => self.out.refuse(Some(name), place, "invalid-content", format!("not readable as a city object: {e}")),
                Ok(_) if merged.contains(name.as_str()) => {}
                Ok(object) => {
                    let kind = object.kind.trim_start_matches('+');
                    self.object(&Named { id: name, kind, object, place }, parts.get(name.as_str()).map_or(&[], Vec::as_slice), at)?;
                }
            }
        }
        Ok(())
    }
    fn refuse(&mut self, o: &Named<'_>, code: &str, reason: impl Into<String>) {
        self.out.refuse(Some(o.id), o.place.clone(), code, reason);
    }
    fn object(&mut self, o: &Named<'_>, parts: &[&Object], at: &Vertices<'_>) -> Result<(), IngestError> {
        if o.kind == "CityObjectGroup" {
            self.refuse(o, "not-read", "a group has no shape of its own; its members are read by themselves");
            return Ok(());
        }
        if is_interior(o.kind) {
            self.refuse(o, "not-read", format!("interiors (`{}`) are not read", shown(o.kind)));
            return Ok(());
        }
        let shape = (|| {
            let own = pick(o.object, at)?;
            let parts = parts.iter().map(|p| pick(p, at)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, String>((own, parts.into_iter().flatten().collect::<Vec<_>>()))
        })();
        let (own, parts) = match shape {
            Ok(s) => s,
            Err(reason) => {
                self.refuse(o, "invalid-geometry", reason);
                return Ok(());
            }
        };
        // The building's own coarser shape would stand inside its finer parts; parts of LOD 0 beside bodies are shadows.
        let top = parts.iter().map(|p| p.rank).max();
        let own = own.filter(|p| top.is_none_or(|t| p.rank >= t));
        let chosen: Vec<Picked> = own.into_iter().chain(parts).collect();
        let Some((best, lod)) = chosen.iter().map(|p| (p.rank, p.lod)).max_by_key(|p| p.0) else {
            self.refuse(o, "no-geometry", "it has no geometry");
            return Ok(());
        };
        let mut whole = Parts::default();
        chosen.into_iter().filter(|p| (p.rank < 100) == (best < 100)).for_each(|p| whole.absorb(p.parts));
        if whole.collapsed > 0 {
            self.out.report.note("faces that the rounding of the file's vertices has collapsed to a line or a point are left out");
        }
        self.dispatch(o, whole, lod)
    }
    fn dispatch(&mut self, o: &Named<'_>, whole: Parts, lod: f64) -> Result<(), IngestError> {
        let solid = whole.solid;
        let lines = whole.faces.is_empty() && !whole.lines.is_empty();
        match o.kind {
            "Building" | "BuildingPart" => {
                let Some(g) = self.moved(whole, lod >= 1.0)? else { return Ok(()) };
                self.building(o, g, lod)
            }
            "Road" | "TransportSquare" | "Railway" => {
                let rail = o.kind == "Railway";
                let key = match (rail, lines) {
                    (true, true) => "rail",
                    (true, false) => "rail_surfaces",
                    (false, true) => "roads",
                    (false, false) => "road_surfaces",
                };
                let Some(g) = self.moved(whole, false)? else { return Ok(()) };
                let kind = if rail { "rail" } else { o.kind };
                let values = vec![("name", name(o)), ("kind", kind.into()), ("function", function(o))];
                self.put(key, o, o.id, g, self.out.valid(None), values)
            }
            "LandUse" => {
                let Some(g) = self.moved(whole, false)? else { return Ok(()) };
                let values = vec![("name", name(o)), ("code", o.text("class").or_else(|| o.text("function")).into())];
                self.put("land_use", o, o.id, g, self.out.valid(None), values)
            }
            "WaterBody" => {
                let Some(g) = self.moved(whole, true)? else { return Ok(()) };
                let Geometry::Surfaces(faces) = g else {
                    self.refuse(o, "wrong-geometry", "a water body without a surface");
                    return Ok(());
                };
                let mut ps: Vec<Polygon> = faces.into_iter().filter(|f| !solid || f.kind == SurfaceKind::Roof).map(|f| f.polygon).collect();
                ps.iter_mut().for_each(face_up);
                let g = match ps.len() {
                    0 => {
                        self.refuse(o, "wrong-geometry", "a water body without an upper surface");
                        return Ok(());
                    }
                    1 => Geometry::Polygon(ps.remove(0)),
                    _ => Geometry::MultiPolygon(ps),
                };
                self.put("water", o, o.id, g, self.out.valid(None), vec![("name", name(o))])
            }
            "SolitaryVegetationObject" => {
                let Some(g) = self.moved(whole, true)? else { return Ok(()) };
                let Some(b) = g.bounds() else { return Ok(()) };
                let point = matches!(g, Geometry::Point(_));
                let extent = |k: usize| positive((!point).then_some(b.max[k] - b.min[k]));
                let values = vec![
                    ("height_m", positive(o.number("height")).or_else(|| extent(2)).into()),
                    ("crown_m", positive(o.number("crownDiameter")).or_else(|| extent(0)).into()),
                    ("source_species", o.text("species").into()),
                ];
                let c = b.centre();
                self.put("trees", o, o.id, Geometry::Point([c[0], c[1], b.min[2]]), self.out.valid(None), values)
            }
            "TINRelief" => self.relief(o, whole),
            "PlantCover" => self.thing(o, whole, "plant_cover"),
            "CityFurniture" => self.thing(o, whole, "city_furniture"),
            "Bridge" | "BridgePart" | "Tunnel" | "TunnelPart" | "OtherConstruction" => self.thing(o, whole, "structures"),
            other => {
                if !matches!(other, "GenericCityObject" | "Waterway") {
                    self.out.report.note(format!("objects of kind {} have no layer of their own and go to `generic`", shown(other)));
                }
                self.thing(o, whole, "generic")
            }
        }
    }
    /// Into the working frame, faces named and turned as the layers want them.
    fn moved(&mut self, parts: Parts, surfaces: bool) -> Result<Option<Geometry>, IngestError> {
        let solid = parts.solid;
        let Some(mut geometry) = assemble(parts, surfaces) else { return Ok(None) };
        let way = self.ways.way(None, self.out)?;
        let mut first = None;
        geometry.for_each_point(|p| {
            first.get_or_insert(*p);
        });
        if let Some(p) = first {
            self.ways.judge(&way, p, self.out)?;
        }
        way.apply(&mut geometry);
        match &mut geometry {
            Geometry::Surfaces(faces) if solid => Gml::name_faces(faces),
            Geometry::Polygon(p) => face_up(p),
            Geometry::MultiPolygon(ps) => ps.iter_mut().for_each(face_up),
            _ => {}
        }
        Ok(Some(geometry))
    }
    fn put(
        &mut self,
        key: Key,
        o: &Named<'_>,
        id: &str,
        geometry: Geometry,
        valid: Interval,
        values: Vec<(&'static str, Value)>,
    ) -> Result<(), IngestError> {
        self.layers.put(Item { key, id, place: o.place.clone(), geometry, valid, values }, self.out)?;
        Ok(())
    }
    fn building(&mut self, o: &Named<'_>, geometry: Geometry, lod: f64) -> Result<(), IngestError> {
        let mut height = positive(o.number("measuredHeight"));
        if height.is_none() && lod >= 1.0 {
            height = geometry.bounds().and_then(|b| positive(Some(b.max[2] - b.min[2])));
            self.out.report.note("buildings without measuredHeight: height_m is that of their body");
        }
        let built = o.text("yearOfConstruction").or_else(|| o.text("oorspronkelijkbouwjaar")).and_then(|y| year(&y));
        let usage = o.text("usage").or_else(|| o.text("function")).or_else(|| o.text("class"));
        let floors = positive(o.number("storeysAboveGround")).filter(|v| *v < 300.0).map(|v| v as i64);
        let from = built.and_then(|y| Instant::parse(&format!("{y:04}")).ok());
        let values = vec![
            ("name", name(o)),
            ("use", usage.as_deref().and_then(building_use).into()),
            ("height_m", height.into()),
            ("floors", floors.into()),
            ("year_built", built.into()),
            ("roof", o.text("roofType").as_deref().and_then(roof).into()),
            ("source_use", usage.into()),
            ("lod", Value::from(lod.to_string())),
        ];
        let valid = valid(from, None, self.out.valid(None));
        self.put("buildings", o, o.id, geometry, valid, values)
    }
    fn relief(&mut self, o: &Named<'_>, whole: Parts) -> Result<(), IngestError> {
        let triangle = |p: &Polygon| p.rings.len() == 1 && p.shell().len() == 4;
        if whole.faces.is_empty() || !whole.faces.iter().all(|f| triangle(&f.polygon)) {
            self.refuse(o, "invalid-geometry", "a TIN relief needs triangles and nothing else");
            return Ok(());
        }
        let Some(Geometry::Surfaces(faces)) = self.moved(whole, true)? else { return Ok(()) };
        if !faces.iter().flat_map(|f| f.polygon.shell()).flatten().all(|v| v.is_finite()) {
            self.refuse(o, "invalid-geometry", "a triangle outside the reach of the projection");
            return Ok(());
        }
        let io = |this: &Self, e: std::io::Error| this.out.error("io", format!("the terrain's temporary file: {e}"));
        let mut terrain = Terrain::new();
        for f in faces {
            let r = f.polygon.shell();
            terrain.add([r[0], r[1], r[2]]).map_err(|e| io(self, e))?;
        }
        let mut blocks = Vec::new();
        let result = terrain.blocks(&mut |key, geometry| {
            blocks.push((key, geometry));
            Ok(())
        });
        result.map_err(|e| io(self, e))?;
        for ((x, y), geometry) in blocks {
            self.put("terrain", o, &format!("{}/{x}_{y}", o.id), geometry, self.out.valid(None), Vec::new())?;
        }
        Ok(())
    }
    fn thing(&mut self, o: &Named<'_>, whole: Parts, key: Key) -> Result<(), IngestError> {
        let Some(g) = self.moved(whole, true)? else { return Ok(()) };
        let height = g.bounds().and_then(|b| positive(Some(b.max[2] - b.min[2])));
        let values = vec![("name", name(o)), ("kind", Value::from(o.kind)), ("function", function(o)), ("height_m", height.into())];
        self.put(key, o, o.id, g, self.out.valid(None), values)
    }
}

fn name(o: &Named<'_>) -> Value {
    o.text("name").into()
}

fn function(o: &Named<'_>) -> Value {
    o.text("function").or_else(|| o.text("class")).into()
}

/// The object into which a part goes: up its parents while these are parts themselves. `None` when it is no part, when
/// the parent is missing, or when the parents go in a circle: then it stands alone.
fn root_of<'d>(name: &'d str, object: &'d Object, by_name: &HashMap<&'d str, &'d Object>) -> Option<&'d str> {
    let (mut at, mut current) = (name, object);
    for _ in 0..16 {
        if !is_part(current.kind.trim_start_matches('+')) {
            return (at != name).then_some(at);
        }
        at = current.parents.first()?;
        current = by_name.get(at)?;
    }
    None
}

fn assemble(mut parts: Parts, surfaces: bool) -> Option<Geometry> {
    if !parts.faces.is_empty() {
        if surfaces {
            return Some(Geometry::Surfaces(parts.faces));
        }
        let mut ps: Vec<Polygon> = parts.faces.into_iter().map(|f| f.polygon).collect();
        return Some(if ps.len() == 1 { Geometry::Polygon(ps.remove(0)) } else { Geometry::MultiPolygon(ps) });
    }
    match (parts.lines.len(), parts.points.len()) {
        (0, 0) => None,
        (0, 1) => Some(Geometry::Point(parts.points.remove(0))),
        (0, _) => Some(Geometry::MultiPoint(parts.points)),
        (1, _) => Some(Geometry::LineString(parts.lines.remove(0))),
        _ => Some(Geometry::MultiLineString(parts.lines)),
    }
}
