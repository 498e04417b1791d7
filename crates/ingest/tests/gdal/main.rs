//! GDAL formats, survey tables, networks and terrain against real files: counts by their SOURCE.txt, numbers by
//! hand or by another program.

mod networks;
mod survey;

use std::{
    collections::{BTreeMap, HashSet},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant as Clock},
};
use strata_ingest::{Collected, ImportOptions, IngestError, Reader, Report, formats, import, verdict};
use strata_model::{Crs, Feature, Geometry, Instant, Layer, WorkingFrame};

fn data(set: &str) -> Option<PathBuf> {
    let root =
        std::env::var_os("STRATA_DATA").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let folder = root.join(set);
    if folder.exists() {
        return Some(folder);
    }
    println!("skipped: no real data at {}", folder.display());
    None
}

fn options(frame: &str) -> ImportOptions {
    let frame = WorkingFrame::new(Crs::parse(frame).expect("a CRS"), 0.0).expect("a projected CRS");
    ImportOptions { frame: Arc::new(frame), source_crs: None, layer: None, valid_from: None, reader: None, mapping: None }
}

fn from(frame: &str, source: &str) -> ImportOptions {
    ImportOptions { source_crs: Some(Crs::parse(source).expect("a CRS")), ..options(frame) }
}

fn mapped(frame: &str, mapping: &str) -> ImportOptions {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mappings").join(mapping);
    ImportOptions { mapping: Some(path), ..options(frame) }
}

fn run(path: &Path, options: &ImportOptions) -> (Result<(), IngestError>, Collected, Report) {
    let (mut sink, mut report) = (Collected::default(), Report::default());
    let result = import(path, options, &mut sink, &mut report);
    assert_eq!(report.read, report.taken + report.refused, "{}", path.display());
    assert_eq!(report.taken, sink.count() as u64, "{}", path.display());
    for (layer, features) in sink.layers.values() {
        let mut ids = HashSet::new();
        for f in features {
            f.check(layer).unwrap_or_else(|e| panic!("{}: {}: {e}", path.display(), f.id));
            assert!(ids.insert(f.id.clone()), "{}: {} twice", path.display(), f.id);
        }
    }
    (result, sink, report)
}

fn good(path: &Path, options: &ImportOptions) -> (Collected, Report) {
    let (result, sink, report) = run(path, options);
    result.unwrap_or_else(|e| panic!("{e}"));
    (sink, report)
}

fn get<'c>(sink: &'c Collected, layer: &str) -> (&'c Layer, &'c [Feature]) {
    sink.get(layer).unwrap_or_else(|| panic!("layer {layer} of {:?}", sink.layers.keys()))
}

fn find<'f>(features: &'f [Feature], id: &str) -> &'f Feature {
    features.iter().find(|f| f.id.as_str() == id).unwrap_or_else(|| panic!("{id} of {} features", features.len()))
}

fn tally(layer: &Layer, features: &[Feature], name: &str) -> BTreeMap<i64, usize> {
    let mut out = BTreeMap::new();
    for f in features {
        if let Some(v) = f.number(layer, name) {
            *out.entry(v.round() as i64).or_default() += 1;
        }
    }
    out
}

fn line(f: &Feature) -> &[[f64; 3]] {
    match &f.geometry {
        Geometry::LineString(l) => l,
        g => panic!("{g:?}"),
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

// ---- vector ----

#[test]
fn british_sewers_become_pipes_with_millimetres() {
    let Some(folder) = data("sewer-uk") else { return };
    let (sink, report) = good(&folder.join("simple_sewer_features.gpkg"), &mapped("EPSG:27700", "sewer-uk.toml"));
    assert_eq!((report.layers["pipes"], report.layers["pipe_points"], report.refused), (82 + 21, 69, 0));
    let (layer, pipes) = get(&sink, "pipes");
    let foul: Vec<Feature> = pipes.iter().filter(|f| f.text(layer, "subclass") == Some("WS")).cloned().collect();
    // The sizes that SOURCE.txt counts; inches come to their own rounding (12 in = 304.8 of nominal, 300 of the record).
    let od = tally(layer, &foul, "od_mm");
    assert_eq!(od, BTreeMap::from([(150, 14), (152, 37), (225, 3), (229, 10), (230, 4), (300, 14)]), "{od:?}");
    assert!(foul.iter().all(|f| matches!(&f.geometry, Geometry::LineString(l) if l.len() >= 2)));
    let first = find(pipes, "foul_sewer.1");
    assert!((first.number(layer, "dn_mm").expect("6 inches") - 152.4).abs() < 1e-9);
    assert!(first.value(layer, "start_invert_m").is_some_and(|v| v.is_null()), "-9999 is no height");
    assert_eq!(first.valid.from, Instant::from_ymd(1992, 7, 7));
    let Geometry::LineString(l) = &first.geometry else { panic!("a line") };
    assert_eq!(l[0], [389_759.9, 263_639.594, 0.0], "the city's own CRS is not touched");
    let (layer, points) = get(&sink, "pipe_points");
    assert!(points.iter().all(|p| p.text(layer, "kind") == Some("well") && p.text(layer, "class") == Some("PS")));
}

#[test]
fn two_reference_systems_in_one_file_meet_in_one_place() {
    let Some(folder) = data("schutterwald-utilities") else { return };
    let (sink, report) = good(&folder.join("schutterwald.gpkg"), &mapped("EPSG:25832", "schutterwald.toml"));
    // Half of the 482 heat pipes, the returns, have no geometry in the file: `select count(geom)` says 241.
    assert_eq!(report.layers["pipes"], 2559 + 241 + 3000);
    // So have half of the heat junctions and valves.
    assert_eq!(report.refused, 241 + 244 + 2);
    assert!(report.refused_shown.iter().all(|r| r.code == "no-geometry" && r.place.contains(" heat_")));
    assert_eq!(report.layers["pipe_points"], 2559 + 1506 + 244 + 44 + 2 + 2940);
    let (layer, pipes) = get(&sink, "pipes");
    let bounds = |class: &str| {
        let mut b = strata_model::Bounds3::EMPTY;
        pipes.iter().filter(|f| f.text(layer, "class") == Some(class)).for_each(|f| f.geometry.for_each_point(|p| b.extend(p)));
        b
    };
    // One town: the gas (31467, datum shift of 100 m) and the cables (4326) lie over each other, and where SOURCE.txt says
    // (7.8830 E, 48.4584 N by its own check).
    let (gas, cables) = (bounds("RQ"), bounds("DL"));
    assert!(gas.plan().intersects(&cables.plan()));
    let frame = WorkingFrame::new(Crs::parse("EPSG:25832").expect("a CRS"), 0.0).expect("a frame");
    let near = frame.working_from_geographic([7.8830, 48.4584]).expect("inside");
    assert!(gas.plan().grown(20.0).contains(near), "{gas:?} {near:?}");
    assert!(
        pipes
            .iter()
            .filter(|f| f.text(layer, "class") == Some("RQ"))
            .all(|f| f.number(layer, "dn_mm").is_some_and(|d| (10.0..2000.0).contains(&d)))
    );
}

#[test]
fn the_same_layer_in_two_formats_and_systems_is_the_same() {
    let Some(folder) = data("zaatari-wastewater/pipes-solid-free") else { return };
    let (shp, a) = good(&folder.join("Pipes_SolidFree_2017_03.shp.zip"), &mapped("EPSG:32637", "zaatari.toml"));
    let (json, b) = good(&folder.join("Pipes_SolidFree_2017_03.geojson"), &mapped("EPSG:32637", "zaatari.toml"));
    assert_eq!((a.taken, b.taken), (2096, 2096));
    let length = |c: &Collected| -> f64 {
        let line = |l: &Vec<[f64; 3]>| l.windows(2).map(|w| (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1])).sum::<f64>();
        get(c, "pipes")
            .1
            .iter()
            .map(|f| match &f.geometry {
                Geometry::LineString(l) => line(l),
                Geometry::MultiLineString(ls) => ls.iter().map(line).sum(),
                g => panic!("{g:?}"),
            })
            .sum()
    };
    let (la, lb) = (length(&shp), length(&json));
    assert!((la - lb).abs() < 1e-3 * la, "{la} m and {lb} m");
    let (tanks, report) = good(&folder.join("../septic-tanks/SepticTanks_2017_04.shp.zip"), &mapped("EPSG:32637", "zaatari.toml"));
    assert_eq!(report.taken + report.refused, 2903, "{:?}", report.refused_shown.first());
    let (layer, points) = get(&tanks, "pipe_points");
    // The file says longitude and latitude beside its UTM shapes: PROJ of the model's frame is the second opinion.
    let frame = WorkingFrame::new(Crs::parse("EPSG:32637").expect("a CRS"), 0.0).expect("a frame");
    assert!(points.iter().any(|p| p.number(layer, "capacity_m3").is_some()));
    let Geometry::Point(p) = points[0].geometry else { panic!("a point") };
    let lonlat = frame.geographic_from_working([p[0], p[1]]).expect("inside");
    assert!((lonlat[0] - 36.32).abs() < 0.05 && (lonlat[1] - 32.29).abs() < 0.05, "{lonlat:?}");
}

#[test]
fn buildings_of_beijing_and_korea_arrive_in_metres() {
    if let Some(folder) = data("beijing-buildings") {
        let (result, sink, report) = run(&folder.join("buildings.geojson"), &options("EPSG:4548"));
        result.expect("read");
        assert_eq!(report.read, 5442);
        assert!(report.taken > 5400, "{} taken, {:?}", report.taken, report.refused_shown.first());
        let (_, features) = get(&sink, "buildings");
        let area: f64 = features
            .iter()
            .map(|f| match &f.geometry {
                Geometry::Polygon(p) => p.plan_area_m2(),
                Geometry::MultiPolygon(ps) => ps.iter().map(strata_model::Polygon::plan_area_m2).sum(),
                _ => 0.0,
            })
            .sum();
        assert!((1.0e6..2.0e7).contains(&area), "{area} m² of footprints");
        // In a city that is not Beijing every one is refused, and the verdict says so.
        let (_, _, elsewhere) = run(&folder.join("buildings.geojson"), &options("EPSG:4551"));
        assert_eq!(elsewhere.taken, 0);
        assert!(elsewhere.refused_shown.iter().any(|r| r.code == "outside-area"));
        assert!(verdict(&elsewhere, true).is_err());
    }
    let Some(folder) = data("footprints-with-height") else { return };
    let mut o = options("EPSG:5186");
    o.layer = Some("buildings".to_owned().try_into().expect("an id"));
    let (sink, report) = good(&folder.join("footprint-with-height.geojson"), &o);
    assert_eq!(report.read, 177);
    let (layer, features) = get(&sink, "buildings");
    assert_eq!(layer.theme, strata_model::Theme::Building);
    assert!(features.iter().all(|f| f.number(layer, "height").is_none_or(|h| (0.0..=100.0).contains(&h))));
    let tall = features.iter().filter(|f| f.number(layer, "height").is_some_and(|h| h > 0.0)).count();
    let text = std::fs::read_to_string(folder.join("footprint-with-height.geojson")).expect("read");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let said = json["features"].as_array().expect("a list").iter().filter(|f| f["properties"]["height"].as_f64().is_some_and(|h| h > 0.0));
    assert_eq!(tall, said.count());
}

#[test]
fn countries_are_the_same_in_three_formats() {
    let Some(folder) = data("flatgeobuf") else { return };
    let count = |name: &str| run(&folder.join(name), &options("EPSG:3857")).2;
    let (fgb, shp, json) = (count("countries.fgb"), count("countries.shp"), count("countries.geojson"));
    assert_eq!((fgb.read, shp.read, json.read), (179, 179, 179));
    assert_eq!(fgb.taken, json.taken);
    // What is refused reaches the pole or crosses itself.
    assert!(fgb.refused <= 5, "{:?}", fgb.refused_shown);
    let (result, _, _) = run(&folder.join("countries_nocrs.fgb"), &options("EPSG:3857"));
    assert_eq!(result.expect_err("no CRS").code, "invalid-crs");
    assert_eq!(good(&folder.join("countries_nocrs.fgb"), &from("EPSG:3857", "EPSG:4326")).1.taken, fgb.taken);
    // Ten polygons that say British grid and lie 4,000 km north of it.
    let poly = good(&folder.join("poly00.fgb"), &options("EPSG:27700")).1;
    assert_eq!((poly.refused, poly.refused_shown[0].code.as_str()), (10, "outside-area"));
    assert!(run(&folder.join("surface/../empty.fgb"), &options("EPSG:3857")).2.taken == 0);
}

#[test]
fn drawings_need_a_system_and_then_lie_where_the_survey_does() {
    let Some(folder) = data("dxf") else { return };
    let file = folder.join("city/uk_sewer.dxf");
    assert_eq!(run(&file, &options("EPSG:27700")).0.expect_err("no CRS").code, "invalid-crs");
    let (sink, report) = good(&file, &from("EPSG:27700", "EPSG:27700"));
    assert_eq!(report.taken, 82);
    let (layer, features) = get(&sink, "uk_sewer");
    assert!(features.iter().any(|f| f.text(layer, "layer").is_some_and(|l| l.starts_with("WS_"))));
    assert_eq!(good(&folder.join("city/schutterwald_gas.dxf"), &from("EPSG:25832", "EPSG:31467")).1.taken, 2559);
    assert_eq!(run(&folder.join("bin_dxf_r2000.dxf"), &from("EPSG:27700", "EPSG:27700")).0.expect_err("binary").code, "unsupported-media");
}

#[test]
fn every_layer_of_openstreetmap_in_a_geopackage() {
    let Some(folder) = data("geopackage") else { return };
    let (_, _, report) = run(&folder.join("bentiu_southsudan-osm-20170213.gpkg"), &options("EPSG:32636"));
    let of = |part: &str| report.layers.iter().filter(|(l, _)| l.contains(part)).map(|(_, n)| n).sum::<u64>();
    assert_eq!((of("roads"), of("waterways")), (2243, 191), "{:?}", report.layers);
    assert!(of("landuse") + report.refused >= 688, "{:?}", report.layers);
    assert!(of("landuse") > 650, "{:?} {:?}", report.layers, report.refused_shown.first());
}

#[test]
fn chinese_names_and_code_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let (gbk, _, _) = encoding_rs::GBK.encode("名称,经度,纬度\n人民广场,125.3245,43.8868\n长春站,125.3193,43.9077\n");
    let path = folder.path().join("地名.csv");
    std::fs::write(&path, &gbk).expect("written");
    assert_eq!(run(&path, &options("EPSG:4551")).0.expect_err("no CRS").code, "invalid-crs");
    let (sink, report) = good(&path, &from("EPSG:4551", "EPSG:4490"));
    assert!(report.notes.iter().any(|n| n.contains("GB18030")), "{:?}", report.notes);
    let (layer, features) = get(&sink, "layer_1");
    assert_eq!((layer.title_zh.as_str(), layer.fields[0].title_zh.as_str()), ("地名", "名称"));
    assert_eq!(features[0].attributes[0].as_str(), Some("人民广场"));
    let Geometry::Point(p) = features[0].geometry else { panic!("a point") };
    // PROJ 9.1.1, the same vector as in the model's tests.
    assert!((p[0] - 445_717.7612).abs() < 1e-3 && (p[1] - 4_861_466.4197).abs() < 1e-3, "{p:?}");
}

#[test]
fn nothing_leads_to_the_network_or_to_other_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let vrt = r#"<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>WFS:http://127.0.0.1:9/</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"#;
    for name in ["a.vrt", "a.geojson", "a.gpkg", "a.shp", "a.csv.xml"] {
        let e = run(&write(folder.path(), name, vrt), &options("EPSG:4551")).0.expect_err(name);
        assert_eq!(e.code, "unsupported-media", "{name}: {e}");
        let forced = ImportOptions { reader: Some(Reader::Vector), ..options("EPSG:4551") };
        assert!(run(&folder.path().join(name), &forced).0.is_err(), "{name} forced");
    }
    for path in
        ["http://127.0.0.1:9/a.geojson", "/vsicurl/http://127.0.0.1:9/a.fgb", "/vsizip/a.zip", "WFS:http://127.0.0.1:9/", "PG:dbname=x"]
    {
        let e = run(Path::new(path), &options("EPSG:4551")).0.expect_err(path);
        assert!(matches!(e.code, "unsupported-media" | "io"), "{path}: {e}");
    }
    let wms = write(folder.path(), "w.json", r#"{"type":"FeatureCollection","features":[],"next":"http://127.0.0.1:9/"}"#);
    assert_eq!(run(&wms, &options("EPSG:4551")).2.taken, 0);
}

#[test]
fn a_name_that_lies_is_refused() {
    let Some(folder) = data("sewer-uk") else { return };
    let copy = tempfile::tempdir().expect("a folder");
    let lie = copy.path().join("sewers.geojson");
    std::fs::copy(folder.join("simple_sewer_features.gpkg"), &lie).expect("copied");
    let e = run(&lie, &options("EPSG:27700")).0.expect_err("a GeoPackage named .geojson");
    assert_eq!(e.code, "unsupported-media");
    assert!(e.reason.contains("GeoPackage"), "{e}");
    let nameless = copy.path().join("sewers");
    std::fs::copy(folder.join("simple_sewer_features.gpkg"), &nameless).expect("copied");
    assert_eq!(good(&nameless, &options("EPSG:27700")).1.taken, 69 + 82 + 21);
    let left: Vec<_> = std::fs::read_dir(copy.path()).expect("listed").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is written beside an input: {left:?}");
}

#[test]
fn a_feature_without_geometry_is_counted_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","id":"a","properties":{"n":1},"geometry":{"type":"Point","coordinates":[125.3,43.9,7]}},
        {"type":"Feature","id":"b","properties":{"n":2},"geometry":null},
        {"type":"Feature","id":"c","properties":{"n":3},"geometry":{"type":"Point","coordinates":[43.9,125.3]}},
        {"type":"Feature","id":"d","properties":{"n":4},"geometry":{"type":"Polygon","coordinates":[[[125,44],[125.001,44.001],[125.001,44],[125,44.001],[125,44]]]}}]}"#;
    let (result, sink, report) = run(&write(folder.path(), "four.geojson", text), &options("EPSG:4551"));
    result.expect("read");
    let codes: Vec<&str> = report.refused_shown.iter().map(|r| r.code.as_str()).collect();
    assert_eq!((report.taken, codes), (1, vec!["no-geometry", "invalid-geometry", "invalid-geometry"]), "{:?}", report.refused_shown);
    assert!(report.refused_shown[0].place.starts_with("four.geojson four#"), "{}", report.refused_shown[0].place);
    assert_eq!(find(get(&sink, "four").1, "a").geometry.bounds().expect("a point").min[2], 7.0);
    assert!(verdict(&report, false).is_err() && verdict(&report, true).is_ok());
}

// ---- survey ----

const JS_POINTS: &str = "物探点号,X,Y,地面高程,特征,附属物,井深,道路名称,状态\n\
    JS1,4862000.000,443700.000,215.300,,阀门井,1.8,人民大街,在用\n\
    JS2,4862030.000,443740.000,215.100,三通,,,人民大街,在用\n\
    JS3,4862060.000,443780.000,215.000,,消防栓,,人民大街,0\n";
const JS_LINES: &str = "起点点号,终点点号,起点埋深,终点埋深,管径,材质,埋设方式,建设年代,权属单位,道路名称,状态\n\
    JS1,JS2,1.80,1.70,300,球墨铸铁,直埋,2012,长春水务集团,人民大街,在用\n\
    JS2,JS3,1.70,1.65,DN200,PE,直埋,2015-06,长春水务集团,人民大街,在用\n";
const WS_POINTS: &str = "物探点号,X,Y,地面高程,特征,附属物,井深,井盖规格,道路名称\n\
    WS1,4862000.000,443710.000,215.300,,污水井,3.2,700,人民大街\n\
    WS2,4862030.000,443750.000,215.100,,污水井,3.3,700,人民大街\n";
const WS_LINES: &str = "起点点号,终点点号,起点埋深,终点埋深,管径,材质,埋设方式,流向,建设年代\n\
    WS1,WS2,3.00,3.10,400X300,混凝土,管沟,0,2008\n";

/// A shapefile of one point with one text field, written by hand from the ESRI white paper.
fn shapefile(folder: &Path, name: &[u8], cpg: Option<&str>) -> PathBuf {
    let header = |words: i32| {
        let mut h = Vec::new();
        h.extend(9994i32.to_be_bytes());
        h.extend([0; 20]);
        h.extend(words.to_be_bytes());
        h.extend(1000i32.to_le_bytes());
        h.extend(1i32.to_le_bytes());
        for v in [125.3245f64, 43.8868, 125.3245, 43.8868, 0.0, 0.0, 0.0, 0.0] {
            h.extend(v.to_le_bytes());
        }
        h
    };
    let (mut shp, mut shx) = (header(64), header(54));
    shp.extend([1i32.to_be_bytes(), 10i32.to_be_bytes(), 1i32.to_le_bytes()].concat());
    shp.extend([125.3245f64.to_le_bytes(), 43.8868f64.to_le_bytes()].concat());
    shx.extend([50i32.to_be_bytes(), 10i32.to_be_bytes()].concat());
    let mut dbf = vec![3, 126, 1, 1];
    dbf.extend([1i32.to_le_bytes().to_vec(), 65u16.to_le_bytes().to_vec(), 21u16.to_le_bytes().to_vec(), vec![0; 20]].concat());
    let mut field = b"NAME".to_vec();
    field.resize(11, 0);
    field.extend([b'C', 0, 0, 0, 0, 20]);
    field.resize(32, 0);
    dbf.extend(field);
    dbf.extend([0x0d, b' ']);
    let mut value = name.to_vec();
    value.resize(20, b' ');
    dbf.extend(value);
    dbf.push(0x1a);
    for (ext, bytes) in [("shp", &shp), ("shx", &shx), ("dbf", &dbf)] {
        std::fs::write(folder.join(format!("p.{ext}")), bytes).expect("written");
    }
    if let Some(cpg) = cpg {
        write(folder, "p.cpg", cpg);
    }
    folder.join("p.shp")
}

#[test]
fn a_shapefile_tells_its_code_page_or_is_guessed() {
    let (gbk, _, _) = encoding_rs::GBK.encode("人民广场");
    for (bytes, cpg) in [(&gbk[..], Some("GBK")), (&gbk[..], None), ("人民广场".as_bytes(), Some("UTF-8")), ("人民广场".as_bytes(), None)]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let (sink, _) = good(&shapefile(folder.path(), bytes, cpg), &from("EPSG:4551", "EPSG:4490"));
        let (layer, features) = get(&sink, "p");
        assert_eq!(features[0].text(layer, "name"), Some("人民广场"), "{cpg:?}");
    }
}

// ---- networks ----

#[test]
fn a_raster_becomes_terrain_blocks() {
    let Some(folder) = data("epanet/gis") else { return };
    let (sink, report) = good(&folder.join("ky4_elevation.tif"), &options("EPSG:32616"));
    let (_, blocks) = get(&sink, "terrain");
    assert!(blocks.len() > 50 && report.refused == 0, "{} blocks", blocks.len());
    let (mut triangles, mut z) = (0, [f64::INFINITY, f64::NEG_INFINITY]);
    for b in blocks {
        let Geometry::Tin { points, triangles: t } = &b.geometry else { panic!("a TIN") };
        let bounds = b.geometry.bounds().expect("points");
        assert!((0..2).all(|k| bounds.max[k] - bounds.min[k] < 540.0), "{bounds:?}");
        triangles += t.len();
        points.iter().for_each(|p| z = [z[0].min(p[2]), z[1].max(p[2])]);
        for t in t {
            let [a, b, c] = t.map(|i| points[i as usize]);
            assert!((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]) > 0.0, "counter-clockwise from above");
        }
    }
    // 587 × 402 cells by SOURCE.txt; every cell has data or none of its triangles stands.
    assert!(triangles <= 2 * 586 * 401 && triangles > 400_000, "{triangles}");
    assert!(z[0] > -100.0 && z[1] < 3000.0 && z[1] > z[0], "{z:?}");
}

#[test]
fn pictures_and_torn_rasters_are_no_terrain() {
    let Some(folder) = data("raster") else { return };
    let (sink, report) = good(&folder.join("test-dem.cog.tif"), &options("EPSG:32610"));
    assert!(report.taken > 100);
    let mut z = [f64::INFINITY, f64::NEG_INFINITY];
    get(&sink, "terrain").1.iter().for_each(|f| f.geometry.for_each_point(|p| z = [z[0].min(p[2]), z[1].max(p[2])]));
    assert!((z[0] + 41.4).abs() < 0.1 && (z[1] - 1041.0).abs() < 0.1, "SOURCE.txt: -41.4..1041.0, not {z:?}");
    assert_eq!(run(&folder.join("test-rgb.cog.tif"), &options("EPSG:32610")).0.expect_err("a picture").code, "invalid-content");
    let torn = run(&folder.join("../broken/crafted/geotiff_truncated.tif"), &options("EPSG:32616"));
    assert!(torn.0.is_err(), "{:?}", torn.2);
}

// ---- hostile ----

fn every_file(folder: &Path, f: &mut dyn FnMut(&Path)) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    for p in entries {
        if p.is_dir() { every_file(&p, f) } else { f(&p) }
    }
}

#[test]
fn every_odd_file_gets_an_answer() {
    let mut files = 0;
    for set in ["broken", "flatgeobuf", "geopackage", "geojson-fixtures", "dxf", "footprints-with-height"] {
        let Some(folder) = data(set) else { return };
        every_file(&folder, &mut |path| {
            for o in [options("EPSG:4551"), from("EPSG:4551", "EPSG:4490"), from("EPSG:4551", "EPSG:4551")] {
                let begun = Clock::now();
                let (result, _, report) = run(path, &o);
                assert!(begun.elapsed() < Duration::from_secs(10), "{} took {:?}", path.display(), begun.elapsed());
                assert!(result.is_err() || report.taken > 0 || verdict(&report, true).is_err(), "{}", path.display());
            }
            files += 1;
        });
    }
    assert!(files > 800, "{files} files");
}

#[test]
fn the_crafted_lies_are_refused_for_their_own_reason() {
    let Some(folder) = data("broken/crafted") else { return };
    let code = |name: &str, o: &ImportOptions| run(&folder.join(name), o).0.err().map_or("-", |e| e.code);
    let o = options("EPSG:4551");
    for (name, wanted) in [
        ("zip_slip.zip", &["unsafe-archive", "unsupported-media"][..]),
        ("zip_bomb_256MiB.zip", &["archive-limit", "unsupported-media"]),
        ("git_lfs_pointer.gml", &["unsupported-media"]),
        ("gpkg_text_not_sqlite.gpkg", &["unsupported-media"]),
        ("gpkg_zero_bytes.gpkg", &["truncated"]),
        ("empty.geojson", &["truncated"]),
        ("inp_no_end_no_coordinates.inp", &["invalid-crs"]),
        ("shapefile_without_dbf_and_prj.shp.zip", &["invalid-crs"]),
        ("las_point_count_4_billion.las", &["unsupported-media"]),
        ("ifc_truncated.ifc", &["unsupported-media"]),
    ] {
        assert!(wanted.contains(&code(name, &o)), "{name}: {}", code(name, &o));
    }
    for name in [
        "geojson_crs_4551_but_degrees.geojson",
        "geojson_crs_lies_metres_as_degrees.geojson",
        "geojson_bowtie.geojson",
        "geojson_huge_numbers.geojson",
        "geojson_hole_outside.geojson",
        "geojson_nan.geojson",
        "geojson_zero_features.geojson",
    ] {
        let (result, _, report) = run(&folder.join(name), &o);
        assert!(result.is_err() || verdict(&report, false).is_err(), "{name}: {report:?}");
    }
}

#[test]
fn help_names_every_reader() {
    let readers: HashSet<&str> = formats().iter().map(|f| f.reader).collect();
    for word in &readers {
        assert!(Reader::parse(word).is_some(), "{word}");
    }
    assert_eq!(readers.len(), 7);
}
