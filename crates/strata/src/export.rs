use crate::{Failure, city, progress::Progress};
use clap::{Args, ValueEnum};
use std::{
    fs,
    io::{BufWriter, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
};
use strata_engine::Snapshot;
use strata_model::{Feature, Geometry, Instant, Layer, LayerId, Point3, Query, Scope, Theme, TileId, Value, Version, WorkingFrame};
use strata_tiles::{Recipe, Relief, TileProjection, TilesetPlan, body_bounds, encode_projected};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Geojson,
    Csv,
    /// 3D Tiles 1.1, a folder.
    #[value(name = "3dtiles")]
    Tiles3d,
    /// Vector tiles, a folder {z}/{x}/{y}.mvt.
    Mvt,
}

#[derive(Args)]
pub struct Export {
    city: PathBuf,
    #[arg(long)]
    layer: String,
    #[arg(long, value_enum)]
    format: Format,
    #[arg(short, long)]
    out: PathBuf,
    /// As of this instant of valid time.
    #[arg(long)]
    at: Option<String>,
    /// As this version of the record had it.
    #[arg(long)]
    version: Option<u64>,
}

#[derive(Args)]
pub struct Tiles {
    city: PathBuf,
    /// Layers to build; none: all of them.
    layers: Vec<String>,
    #[arg(short, long)]
    out: PathBuf,
    #[arg(long, value_enum, default_value_t = Format::Mvt)]
    format: Format,
    /// Tile recipes (TOML) instead of those that ship.
    #[arg(long)]
    recipe: Option<PathBuf>,
    /// Vector tiles come gzip-compressed, `{y}.mvt.gz`, as static servers hand them out.
    #[arg(long)]
    gzip: bool,
}

/// The recipes of a file, or those that ship.
pub fn recipes(file: Option<&Path>) -> Result<Recipe, Failure> {
    Ok(match file {
        None => Recipe::built_in()?,
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|e| Failure::misuse(format!("{}: {e}", path.display())))?;
            Recipe::parse(&text).map_err(|e| Failure::misuse(format!("{}: {e}", path.display())))?
        }
    })
}

pub fn run(command: &Export, json: bool) -> Result<ExitCode, Failure> {
    let city = city::open(&command.city)?;
    let snapshot = city.engine.snapshot();
    let layer = snapshot
        .layer(&LayerId::new(command.layer.as_str()).map_err(Failure::misuse)?, &Scope::everything())
        .ok_or_else(|| Failure::misuse(format!("the city has no layer `{}`", command.layer)))?;
    let mut query = Query::all(layer.id.clone(), Scope::everything());
    query.version = command.version.map(Version);
    if let Some(at) = &command.at {
        query = query.at(Instant::parse(at).map_err(Failure::misuse)?);
    }
    let written = match command.format {
        Format::Geojson => text_file(
            &command.out,
            &snapshot,
            &query,
            |w, n, f| geojson_row(w, n, f, &layer, &city.frame),
            Some(("{\"type\":\"FeatureCollection\",\"features\":[\n", "\n]}\n")),
        )?,
        Format::Csv => {
            let header = format!(
                "\u{feff}id,valid_from,valid_to,east_m,north_m,height_m,{}\r\n",
                layer.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(",")
            );
            text_file(&command.out, &snapshot, &query, |w, _, f| csv_row(w, f), Some((header.as_str(), "")))?
        }
        Format::Tiles3d => tileset(&command.out, &snapshot, &layer, &city.frame, &query)?,
        Format::Mvt => vector_tiles(&command.out, &snapshot, &layer, &city.frame, &recipes(None)?, false)?,
    };
    told(json, &command.out, &[(layer.id.to_string(), written)]);
    Ok(ExitCode::SUCCESS)
}

pub fn tiles(command: &Tiles, json: bool) -> Result<ExitCode, Failure> {
    let city = city::open(&command.city)?;
    let snapshot = city.engine.snapshot();
    let recipes = recipes(command.recipe.as_deref())?;
    let mut done = Vec::new();
    for layer in snapshot.layers(&Scope::everything()) {
        if !command.layers.is_empty() && !command.layers.iter().any(|l| *l == layer.id.as_str()) {
            continue;
        }
        let out = command.out.join(layer.id.as_str());
        let n = match command.format {
            Format::Tiles3d => tileset(&out, &snapshot, &layer, &city.frame, &Query::all(layer.id.clone(), Scope::everything()))?,
            Format::Mvt => vector_tiles(&out, &snapshot, &layer, &city.frame, &recipes, command.gzip)?,
            Format::Geojson | Format::Csv => return Err(Failure::misuse("`tiles` builds 3dtiles or mvt; `export` writes files")),
        };
        done.push((layer.id.to_string(), n));
    }
    told(json, &command.out, &done);
    Ok(ExitCode::SUCCESS)
}

fn told(json: bool, out: &Path, done: &[(String, u64)]) {
    if json {
        println!("{}", serde_json::json!({ "out": out, "written": done.iter().cloned().collect::<std::collections::BTreeMap<_, _>>() }));
    } else {
        done.iter().for_each(|(layer, n)| println!("{layer}: {n}"));
    }
}

/// Streams rows into a file written aside and renamed, so that a reader never sees half of it.
fn text_file(
    out: &Path,
    snapshot: &Snapshot,
    query: &Query,
    row: impl Fn(&mut dyn Write, u64, &Feature) -> std::io::Result<()>,
    around: Option<(&str, &str)>,
) -> Result<u64, Failure> {
    let aside = out.with_extension("half");
    let mut file = BufWriter::new(fs::File::create(&aside)?);
    let (head, tail) = around.unwrap_or_default();
    file.write_all(head.as_bytes())?;
    let (mut n, mut fault) = (0, None);
    snapshot.for_each(query, &mut |f| match row(&mut file, n, &f) {
        Ok(()) => {
            n += 1;
            ControlFlow::Continue(())
        }
        Err(e) => {
            fault = Some(e);
            ControlFlow::Break(())
        }
    })?;
    if let Some(e) = fault {
        return Err(e.into());
    }
    file.write_all(tail.as_bytes())?;
    file.into_inner().map_err(|e| e.into_error())?.sync_all()?;
    fs::rename(&aside, out)?;
    Ok(n)
}

fn geojson_row(w: &mut dyn Write, n: u64, f: &Feature, layer: &Layer, frame: &WorkingFrame) -> std::io::Result<()> {
    let properties: serde_json::Map<String, serde_json::Value> = layer
        .fields
        .iter()
        .zip(&f.attributes)
        .map(|(field, v)| (field.name.clone(), serde_json::to_value(v).unwrap_or_default()))
        .collect();
    let geometry = geojson_geometry(&f.geometry, frame);
    let feature = serde_json::json!({ "type": "Feature", "id": f.id, "geometry": geometry, "properties": properties });
    write!(w, "{}{feature}", if n == 0 { "" } else { ",\n" })
}

/// RFC 7946: longitude, latitude, height. A TIN becomes a MultiPolygon of its triangles.
fn geojson_geometry(g: &Geometry, frame: &WorkingFrame) -> serde_json::Value {
    let point = |p: &Point3| {
        let [lon, lat] = frame.geographic_from_working([p[0], p[1]]).unwrap_or([f64::NAN; 2]);
        serde_json::json!([(lon * 1e8).round() / 1e8, (lat * 1e8).round() / 1e8, (p[2] * 1e3).round() / 1e3])
    };
    let line = |l: &Vec<Point3>| -> serde_json::Value { l.iter().map(point).collect() };
    let polygon = |p: &strata_model::Polygon| -> serde_json::Value { p.rings.iter().map(line).collect() };
    let of = |kind: &str, coordinates: serde_json::Value| serde_json::json!({ "type": kind, "coordinates": coordinates });
    match g {
        Geometry::Point(p) => of("Point", point(p)),
        Geometry::LineString(l) => of("LineString", line(l)),
        Geometry::Polygon(p) => of("Polygon", polygon(p)),
        Geometry::MultiPoint(ps) => of("MultiPoint", ps.iter().map(point).collect()),
        Geometry::MultiLineString(ls) => of("MultiLineString", ls.iter().map(line).collect()),
        Geometry::MultiPolygon(ps) => of("MultiPolygon", ps.iter().map(polygon).collect()),
        Geometry::Surfaces(ss) => of("MultiPolygon", ss.iter().map(|s| polygon(&s.polygon)).collect()),
        Geometry::Tin { points, triangles } => of("MultiPolygon", {
            let ring = |t: &[u32; 3]| serde_json::Value::Array([t[0], t[1], t[2], t[0]].map(|i| point(&points[i as usize])).to_vec());
            triangles.iter().map(|t| serde_json::Value::Array(vec![ring(t)])).collect()
        }),
    }
}

fn csv_row(w: &mut dyn Write, f: &Feature) -> std::io::Result<()> {
    // A leading =, +, - or @ would run as a formula in a spreadsheet.
    let cell = |text: &str| {
        let text =
            if text.starts_with(['=', '@', '+', '-']) && text.parse::<f64>().is_err() { format!("'{text}") } else { text.to_owned() };
        if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    };
    let c = f.geometry.bounds().map(|b| b.centre()).unwrap_or([f64::NAN; 3]);
    write!(w, "{},{},{},{:.3},{:.3},{:.3}", cell(f.id.as_str()), f.valid.from, f.valid.to, c[0], c[1], c[2])?;
    for v in &f.attributes {
        let text = match v {
            Value::Null => String::new(),
            Value::Bool(b) => b.to_string(),
            Value::Int(i) => i.to_string(),
            Value::Float(x) => x.to_string(),
            Value::Text(t) => cell(t),
        };
        write!(w, ",{text}")?;
    }
    w.write_all(b"\r\n")
}

/// Cell by cell, so that memory holds one cell's features and the plan.
fn tileset(out: &Path, snapshot: &Snapshot, layer: &Layer, frame: &WorkingFrame, query: &Query) -> Result<u64, Failure> {
    let mut boxes = Vec::new();
    snapshot.for_each(query, &mut |f| {
        boxes.extend(body_bounds(layer, &f));
        ControlFlow::Continue(())
    })?;
    let Some(plan) = TilesetPlan::new(layer, frame, boxes.into_iter())? else { return Ok(0) };
    let aside = out.with_extension("half");
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    fs::create_dir_all(&aside)?;
    let cells: Vec<_> = plan.cells().collect();
    let mut progress = Progress::new(&format!("3D tiles of {}", layer.id), cells.len() as u64);
    let mut written = 0;
    for &(l, x, y) in &cells {
        progress.add(1);
        let Some(cell) = plan.cell(frame, l, x, y)? else { continue };
        let mut q = query.clone();
        q.bounds = Some(cell.bounds.with_all_heights());
        let batch = snapshot.query(&q)?;
        let relief = relief(snapshot, layer, cell.bounds)?;
        if let Some(bytes) = strata_tiles::encode_content(&plan, &cell, frame, &batch, relief.as_ref())? {
            let dir = aside.join(format!("content/{l}/{x}"));
            fs::create_dir_all(&dir)?;
            fs::write(dir.join(format!("{y}.glb")), bytes)?;
            written += 1;
        }
        if let Some(bytes) = plan.subtree(l, x, y) {
            let dir = aside.join(format!("subtrees/{l}/{x}"));
            fs::create_dir_all(&dir)?;
            fs::write(dir.join(format!("{y}.subtree")), bytes)?;
        }
    }
    fs::write(aside.join("tileset.json"), serde_json::to_vec_pretty(&plan.tileset_json())?)?;
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    fs::rename(&aside, out)?;
    progress.done();
    Ok(written)
}

/// The ground under a cell, for layers that lie on it.
fn relief(snapshot: &Snapshot, layer: &Layer, bounds: strata_model::Bounds2) -> Result<Option<Relief>, Failure> {
    let Some(terrain) = snapshot.layers(&Scope::everything()).into_iter().find(|l| l.theme == Theme::Terrain) else { return Ok(None) };
    if matches!(layer.theme, Theme::Water) {
        return Ok(None);
    }
    let around = bounds.grown(30.0);
    let batch = snapshot.query(&Query::all(terrain.id.clone(), Scope::everything()).within(around.with_all_heights()))?;
    let side = (around.max[0] - around.min[0]).max(around.max[1] - around.min[1]);
    Ok(if batch.features.is_empty() { None } else { Some(Relief::from_batch(&batch, around, (side / 512.0).clamp(2.0, 40.0))) })
}

fn vector_tiles(
    out: &Path,
    snapshot: &Snapshot,
    layer: &Layer,
    frame: &WorkingFrame,
    recipes: &Recipe,
    gzip: bool,
) -> Result<u64, Failure> {
    let recipe = recipes.layer(layer.id.as_str());
    let Some(bounds) = snapshot.bounds(&layer.id, &Scope::everything()) else { return Ok(0) };
    let corner = |x: usize, y: usize| frame.geographic_from_working([[bounds.min[0], bounds.max[0]][x], [bounds.min[1], bounds.max[1]][y]]);
    let corners = [corner(0, 0)?, corner(1, 0)?, corner(0, 1)?, corner(1, 1)?];
    let (west, east) = corners.iter().fold((f64::MAX, f64::MIN), |(a, b), c| (a.min(c[0]), b.max(c[0])));
    let (south, north) = corners.iter().fold((f64::MAX, f64::MIN), |(a, b), c| (a.min(c[1]), b.max(c[1])));
    let mut progress = Progress::new(&format!("vector tiles of {}", layer.id), 0);
    let mut written = 0;
    for z in recipe.min_zoom..=recipe.max_zoom.min(16) {
        let n = f64::from(1u32 << z);
        let column = |lon: f64| ((lon + 180.0) / 360.0 * n).clamp(0.0, n - 1.0) as u32;
        let row = |lat: f64| ((1.0 - lat.to_radians().tan().asinh() / std::f64::consts::PI) / 2.0 * n).clamp(0.0, n - 1.0) as u32;
        for x in column(west)..=column(east) {
            for y in row(north)..=row(south) {
                progress.add(1);
                let Some(tile) = TileId::new(z, x, y) else { continue };
                let projection = TileProjection::new(tile, frame)?;
                let batch = snapshot.query(&Query {
                    filter: recipe.filter_at(layer, z),
                    attributes: recipe.attributes.clone(),
                    ..Query::all(layer.id.clone(), Scope::everything()).within(projection.bounds_in_working.with_all_heights())
                })?;
                let encoded = encode_projected(&projection, &[(&recipe, &batch)]);
                if encoded.features > 0 {
                    let dir = out.join(format!("{z}/{x}"));
                    fs::create_dir_all(&dir)?;
                    if gzip {
                        fs::write(dir.join(format!("{y}.mvt.gz")), packed(&encoded.bytes)?)?;
                    } else {
                        fs::write(dir.join(format!("{y}.mvt")), encoded.bytes)?;
                    }
                    written += 1;
                }
            }
        }
    }
    progress.done();
    Ok(written)
}

fn packed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = flate2::write::GzEncoder::new(Vec::with_capacity(bytes.len() / 2), flate2::Compression::default());
    out.write_all(bytes)?;
    out.finish()
}
