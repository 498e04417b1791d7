//! CityGML 1.0 and 2.0, as PLATEAU and the European cities publish it, one city object at a time.
//!
//! Of several levels of detail the best of 3, 2, 1 is kept (4 only when there is nothing else, 0 last). Building
//! parts are merged into their building: one building, one feature. Solids without named faces get roof, wall and
//! ground from their shape. Codes stay codes unless a contract attribute needs their meaning.
//!
//! Memory is bounded by one city object ([`xml`]), terrain by a spill file ([`terrain`]).

pub(crate) mod attributes;
pub(crate) mod crs;
pub(crate) mod layers;
mod objects;
mod pipes;
pub(crate) mod shape;
pub(crate) mod terrain;
mod transcode;
mod xml;

use crate::{ImportOptions, IngestError, Report, Sink, archive, output::Output};
use crs::Ways;
use layers::{Item, Key, Layers};
pub(crate) use objects::{face_up, surface_kind};
use quick_xml::events::Event;
use shape::{Fault, Shape};
use std::{io::Read, path::Path};
use strata_model::{Geometry, Interval, SurfaceKind, Value};
use terrain::Terrain;
use xml::{Node, Stream};

/// Does a file that begins so hold a city model? A document type is let through here: the reader names it.
pub(crate) fn recognises(first_bytes: &[u8]) -> bool {
    let head = &first_bytes[..first_bytes.len().min(64 << 10)];
    let text = transcode::text_of(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with('<') && (text.contains("CityModel") || text.contains("www.opengis.net/citygml"))
}

/// Reads `.gml`, `.xml` (also `.gz`), or all `*.gml` of a `.zip`. One city model, several files: ids are compared
/// across them.
pub(crate) fn read(path: &Path, options: &ImportOptions, sink: &mut dyn Sink, report: &mut Report) -> Result<(), IngestError> {
    let mut out = Output::new(path, options, sink, report);
    let mut import = Import { out: &mut out, layers: Layers::default(), ways: Ways::new(), name: String::new() };
    let file = path.file_name().map_or_else(|| "file".into(), |n| n.to_string_lossy().into_owned());
    if archive::has_extension(path, "zip") {
        let is_gml = |name: &str| {
            archive::has_extension(Path::new(name), "gml") || archive::has_extension(Path::new(name), "xml") && !name.contains("codelist")
        };
        let count =
            archive::each_entry(path, is_gml, &mut |entry, bytes| import.stream(bytes, format!("{file}/{}", archive::shown(entry))))?;
        if count == 0 {
            return Err(IngestError::new(path, "unsupported-media", "the archive holds no .gml file"));
        }
        return Ok(());
    }
    let mut input = archive::open(path)?;
    import.stream(&mut input, file)
}

/// One import under way.
struct Import<'o, 'a> {
    out: &'o mut Output<'a>,
    layers: Layers,
    ways: Ways,
    /// Of the file or archive entry, for places.
    name: String,
}

impl Import<'_, '_> {
    fn stream(&mut self, input: &mut dyn Read, name: String) -> Result<(), IngestError> {
        let path = self.out.path;
        let input = transcode::Utf8::new(input).map_err(|e| archive::read_error(path, &e).at(name.clone()))?;
        if let Some(encoding) = input.encoding() {
            self.out.report.note(format!("{name} is read as {encoding}"));
        }
        self.name = name.clone();
        self.ways = Ways::new();
        let mut stream = Stream::new(input, path, name);
        let mut buffer = Vec::new();
        let mut inner = Vec::new();
        let mut level = 0;
        loop {
            let event = stream.next(&mut buffer)?;
            let start = match event {
                Event::Eof if level == 0 => return Ok(()),
                Event::End(_) => {
                    level -= 1;
                    continue;
                }
                Event::Start(s) => s,
                Event::Text(t) if level == 0 && !t.trim().is_empty() => {
                    return Err(stream.fault("unsupported-media", "this is not XML"));
                }
                _ => continue,
            };
            let local = start.local_name().into_inner();
            match (level, local) {
                (0, "CityModel") => {
                    let root = stream.open(&start, &mut 0)?;
                    let citygml = root.attributes.iter().find(|(n, v)| n.starts_with("xmlns") && v.contains("/citygml/"));
                    match citygml {
                        Some((_, v)) if v.ends_with("/3.0") => {
                            self.out.report.note("CityGML 3.0 is read as far as its names agree with 2.0")
                        }
                        Some(_) => {}
                        None => return Err(stream.fault("unsupported-media", "a CityModel outside the namespaces of CityGML")),
                    }
                    level = 1;
                }
                (0, other) => {
                    let reason = format!("the root element is `{}`, not a CityGML CityModel", archive::shown(other));
                    return Err(stream.fault("unsupported-media", reason));
                }
                (1, "boundedBy") => {
                    let node = stream.tree(&start, &mut inner, None, &mut |_, _| Ok(()))?;
                    self.envelope(&node);
                }
                (1, "cityObjectMember" | "featureMember" | "featureMembers") => level = 2,
                (1, _) => stream.skip(&mut inner)?,
                (_, "cityObjectMember") => {
                    return Err(stream.fault("invalid-content", "a city object member directly inside another"));
                }
                (_, "ReliefFeature") => {
                    let mut terrain = Terrain::new();
                    let (mut left_out, mut first) = (0u64, None);
                    let node = {
                        let this = &mut *self;
                        stream.tree(&start, &mut inner, Some("Triangle"), &mut |around, triangle| {
                            if let Err(fault) = this.triangle(around, &triangle, &mut terrain)? {
                                left_out += 1;
                                first.get_or_insert(fault);
                            }
                            Ok(())
                        })?
                    };
                    self.relief(&node, terrain, left_out, first)?;
                }
                _ => {
                    let node = stream.tree(&start, &mut inner, None, &mut |_, _| Ok(()))?;
                    self.object(&node)?;
                }
            }
        }
    }
    fn envelope(&mut self, node: &Node) {
        if let Some(e) = node.child("Envelope") {
            self.ways.default = e.attribute("srsName").map(str::to_owned).filter(|n| !n.trim().is_empty());
            if e.attribute("srsDimension") == Some("2") {
                self.ways.dimension = 2;
            }
        }
    }
    fn place(&self, line: u64) -> String {
        format!("{}:{line}", self.name)
    }
    fn id(&self, node: &Node) -> String {
        node.id().map_or_else(|| format!("{}:{}", self.name, node.line), str::to_owned)
    }
    fn refuse(&mut self, node: &Node, line: u64, code: &str, reason: impl Into<String>) {
        let place = self.place(line);
        self.out.refuse(node.id(), place, code, reason);
    }
    fn refuse_fault(&mut self, node: &Node, fault: Fault) {
        self.refuse(node, fault.line, "invalid-geometry", fault.reason);
    }
    /// Into the working frame.
    fn moved(&mut self, geometry: &mut Geometry, srs: Option<&str>) -> Result<(), IngestError> {
        let way = self.ways.way(srs, self.out)?;
        let mut first = None;
        geometry.for_each_point(|p| {
            first.get_or_insert(*p);
        });
        if let Some(p) = first {
            self.ways.judge(&way, p, self.out)?;
        }
        way.apply(geometry);
        Ok(())
    }
    fn put(
        &mut self,
        key: Key,
        node: &Node,
        id: &str,
        geometry: Geometry,
        valid: Interval,
        values: Vec<(&'static str, Value)>,
    ) -> Result<bool, IngestError> {
        let mut flat = true;
        geometry.for_each_point(|p| flat &= p[2] == 0.0);
        if flat {
            self.out.report.note("no height in the source: geometry with z = 0 throughout is kept at 0");
        }
        let place = self.place(node.line);
        self.layers.put(Item { key, id, place, geometry, valid, values }, self.out)
    }
    /// The inner result is the fault of this one triangle.
    fn triangle(&mut self, around: &[Node], node: &Node, terrain: &mut Terrain) -> Result<Result<(), Fault>, IngestError> {
        let ids = shape::Ids::of(node);
        let mut shape = Shape::new(&ids, self.ways.dimension);
        if let Err(f) = shape.add_geometry(node, SurfaceKind::Unknown) {
            return Ok(Err(f));
        }
        let srs = around.iter().rev().find_map(|n| n.attribute("srsName"));
        let Some(mut geometry) = shape.into_geometry(false) else { return Ok(Fault::new(node, "a triangle without points")) };
        self.moved(&mut geometry, srs)?;
        let Geometry::Polygon(p) = &geometry else { return Ok(Fault::new(node, "not a triangle")) };
        let ring = p.shell();
        if ring.len() != 4 || p.rings.len() != 1 {
            return Ok(Fault::new(node, format!("a triangle of {} corners", ring.len().saturating_sub(1))));
        }
        if !ring.iter().flatten().all(|v| v.is_finite()) {
            return Ok(Fault::new(node, "a triangle outside the reach of the projection"));
        }
        terrain.add([ring[0], ring[1], ring[2]]).map_err(|e| self.out.error("io", format!("the terrain's temporary file: {e}")))?;
        Ok(Ok(()))
    }
    fn relief(&mut self, node: &Node, terrain: Terrain, left_out: u64, first: Option<Fault>) -> Result<(), IngestError> {
        let id = self.id(node);
        let components: Vec<&str> =
            node.children.iter().filter(|c| &*c.name == "reliefComponent").flat_map(|c| &c.children).map(|c| &*c.name).collect();
        if let Some(other) = components.iter().find(|n| **n != "TINRelief") {
            self.out.report.note(format!("relief of kind {} is not read, only TINRelief", archive::shown(other)));
        }
        if terrain.count == 0 {
            match first {
                Some(f) => self.refuse_fault(node, f),
                None => self.refuse(node, node.line, "no-geometry", "a relief without triangles"),
            }
            return Ok(());
        }
        if let Some(f) = first {
            self.out.report.note(format!("terrain {id}: {left_out} triangles left out, the first at {}: {}", self.place(f.line), f.reason));
        }
        let mut failed = None;
        let result = terrain.blocks(&mut |(x, y), geometry| {
            if failed.is_none() {
                failed = self.put("terrain", node, &format!("{id}/{x}_{y}"), geometry, Interval::ALWAYS, Vec::new()).err();
            }
            Ok(())
        });
        if let Err(e) = result {
            return Err(self.out.error("io", format!("the terrain's temporary file: {e}")));
        }
        failed.map_or(Ok(()), Err)
    }
}
