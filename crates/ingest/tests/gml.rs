//! CityGML and CityJSON against the real files: counts by their SOURCE.txt, positions by an independent PROJ
//! calculation, and every broken file to an answer without a panic.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant as Clock},
};
use strata_ingest::{Collected, ImportOptions, IngestError, Reader, Report, import};
use strata_model::{Crs, Feature, Geometry, WorkingFrame};

fn data() -> Option<PathBuf> {
    let folder =
        std::env::var_os("STRATA_DATA").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no real data at {}", folder.display());
    None
}

fn options(crs: &str, reader: Reader) -> ImportOptions {
    let frame = WorkingFrame::new(Crs::parse(crs).expect("a CRS"), 0.0).expect("a projected CRS");
    ImportOptions { frame: Arc::new(frame), source_crs: None, layer: None, valid_from: None, reader: Some(reader), mapping: None }
}

fn run(path: &Path, options: &ImportOptions) -> (Result<(), IngestError>, Collected, Report) {
    let (mut sink, mut report) = (Collected::default(), Report::default());
    let result = import(path, options, &mut sink, &mut report);
    assert_eq!(report.read, report.taken + report.refused, "{}", path.display());
    (result, sink, report)
}

fn gml(path: &Path, crs: &str) -> (Collected, Report) {
    let (result, sink, report) = run(path, &options(crs, Reader::CityGml));
    result.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(sink.count() as u64, report.taken, "{}", path.display());
    (sink, report)
}

fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut stack = vec![folder.to_owned()];
    while let Some(f) = stack.pop() {
        for e in std::fs::read_dir(&f).expect("a folder") {
            let p = e.expect("an entry").path();
            if p.is_dir() {
                stack.push(p);
            } else if endings.iter().any(|x| p.to_string_lossy().ends_with(x)) {
                out.push(p);
            }
        }
    }
    out.sort();
    out
}

fn features<'c>(sink: &'c Collected, layer: &str) -> &'c [Feature] {
    sink.get(layer).map_or(&[], |(_, f)| f)
}

/// Writes a CityGML of one building whose one lod1 polygon has this posList.
fn one_building(folder: &Path, name: &str, srs: &str, positions: &str) -> PathBuf {
    let path = folder.join(name);
    let text = format!(
        "<?xml version=\"1.0\"?>\n<core:CityModel xmlns:core=\"http://www.opengis.net/citygml/2.0\" xmlns:gml=\"http://www.opengis.net/gml\" \
         xmlns:bldg=\"http://www.opengis.net/citygml/building/2.0\">\n<core:cityObjectMember>\n<bldg:Building gml:id=\"B1\">\n<bldg:lod1Solid>\
         <gml:Solid srsName=\"{srs}\" srsDimension=\"3\"><gml:exterior><gml:CompositeSurface><gml:surfaceMember><gml:Polygon><gml:exterior><gml:LinearRing>\n\
         <gml:posList>{positions}</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></gml:surfaceMember></gml:CompositeSurface></gml:exterior></gml:Solid>\
         </bldg:lod1Solid></bldg:Building></core:cityObjectMember></core:CityModel>"
    );
    std::fs::write(&path, text).expect("room");
    path
}

const SQUARE: &str = "43.9 125.3 200 43.9 125.301 200 43.901 125.301 200 43.9 125.3 200";

mod citygml {
    use super::*;

    #[test]
    fn underground_networks_have_the_counts_of_their_source() {
        let Some(data) = data() else { return };
        // SOURCE.txt: OilGasChemicalsPipe 10 + SewerPipe 161 + Pipe 1304 + WaterPipe 258 = 1733; Manhole 1008 + Handhole 165 = 1173; Appurtenance 2.
        let (mut pipes, mut pieces, mut wells, mut others, mut refused) = (0, 0, 0, 0, Vec::new());
        for path in files(&data.join("plateau-unf"), &[".gml"]) {
            let crs = if path.to_string_lossy().contains("nagaoka") { "EPSG:6676+6695" } else { "EPSG:6677+6695" };
            let (sink, report) = gml(&path, crs);
            let named = |f: &&Feature| f.id.as_str().contains('/');
            pipes += features(&sink, "pipes").iter().filter(|f| !named(f)).count();
            pieces += features(&sink, "pipes").iter().filter(named).count();
            let (layer, points) = sink.get("pipe_points").map_or((None, &[][..]), |(l, f)| (Some(l), f));
            for p in points {
                match p.text(layer.expect("announced"), "kind") {
                    Some("well") => wells += 1,
                    _ => others += 1,
                }
            }
            refused.extend(report.refused_shown.into_iter().map(|r| (path.file_name().map(|n| n.to_owned()), r)));
        }
        for r in &refused {
            println!("{r:?}");
        }
        let refused_pipes = refused.iter().filter(|(_, r)| r.code == "no-axis").count();
        let refused_wells = refused.iter().filter(|(_, r)| r.code == "no-geometry").count();
        println!("pipes {pipes} (+{pieces} pieces), wells {wells}, others {others}, refused {}", refused.len());
        assert_eq!(refused.len(), refused_pipes + refused_wells);
        assert_eq!(pipes + refused_pipes, 1733);
        assert_eq!(wells + refused_wells, 1173);
        assert_eq!(others, 2);
    }

    #[test]
    fn plane_coordinates_are_northing_first() {
        let Some(data) = data() else { return };
        let (sink, report) = gml(&data.join("plateau-unf/nagaoka/08EE751_unf_10169_gas_op.gml"), "EPSG:6676+6695");
        let pipes = features(&sink, "pipes");
        assert_eq!(pipes.len(), 7);
        let b = pipes.iter().filter_map(|f| f.geometry.bounds()).fold(None, |a: Option<strata_model::Bounds3>, b| {
            Some(a.map_or(b, |mut a| {
                a.merge(&b);
                a
            }))
        });
        let b = b.expect("seven pipes");
        // The envelope of the file says northing 158777.11…158820.10, easting 21543.15…21643.72.
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(b.min[0], 21_543.145_999_999) && near(b.max[0], 21_643.715_500_000_333), "{b:?}");
        assert!(near(b.min[1], 158_777.110_099_715_36) && near(b.max[1], 158_820.098_399_717_56), "{b:?}");
        let layer = sink.get("pipes").expect("announced").0;
        assert!(pipes.iter().all(|f| f.text(layer, "class") == Some("RQ") && f.number(layer, "year_built") == Some(2008.0)));
        assert!(report.notes.iter().any(|n| n.contains("no height")), "{:?}", report.notes);
    }

    #[test]
    fn pipes_with_a_body_take_its_heights() {
        let Some(data) = data() else { return };
        let (sink, _) = gml(&data.join("plateau-unf/chiba/gas_53403039_unf_6697.gml"), "EPSG:6677+6695");
        let (layer, pipes) = sink.get("pipes").expect("three");
        assert_eq!(pipes.len(), 3);
        for p in pipes {
            // LOD2 prism from z 0.853 to 1.070.
            p.geometry.for_each_point(|q| assert!(q[2] > 0.85 && q[2] < 1.08, "{q:?}"));
            assert_eq!(p.number(layer, "start_depth_m"), Some(1.3));
        }
        let (sink, _) = gml(&data.join("plateau-unf/chiba/sewer_53403039_unf_6697.gml"), "EPSG:6677+6695");
        let (layer, pipes) = sink.get("pipes").expect("three");
        let sized: Vec<_> = pipes.iter().filter(|p| p.number(layer, "od_mm") == Some(318.5)).collect();
        assert_eq!(sized.len(), 2);
        assert!(sized.iter().all(|p| p.number(layer, "dn_mm") == Some(286.0) && p.number(layer, "depth_max_m").is_some()));
    }

    #[test]
    fn city_models_have_the_counts_of_their_source() {
        let Some(data) = data() else { return };
        let folder = data.join("plateau-citymodel");
        let zone = |path: &str| match path {
            p if p.contains("/sapporo") => "EPSG:6680+6695",
            p if p.contains("/takeo") => "EPSG:6669+6695",
            p if p.contains("/51324378") => "EPSG:6671+6695",
            p if p.contains("/sendai") => "EPSG:6678+6695",
            p if p.contains("/numazu") || p.contains("/kofu") || p.contains("/area/") => "EPSG:6676+6695",
            _ => "EPSG:6677+6695",
        };
        let mut layers: std::collections::BTreeMap<String, u64> = Default::default();
        let mut rails = std::collections::BTreeSet::new();
        let (mut kinds, mut triangles, mut refused) = (std::collections::BTreeMap::<String, u64>::new(), 0, Vec::new());
        for path in files(&folder, &[".gml"]) {
            let (sink, report) = gml(&path, zone(&path.to_string_lossy()));
            for (l, n) in &report.layers {
                *layers.entry(l.clone()).or_default() += n;
            }
            refused.extend(report.refused_shown);
            // A railway of several parts is several features, `id/part`.
            rails.extend(features(&sink, "rail").iter().map(|f| f.id.as_str().split('/').next().unwrap_or_default().to_owned()));
            if let Some((l, f)) = sink.get("zoning") {
                f.iter().filter_map(|f| f.text(l, "kind")).for_each(|k| *kinds.entry(k.to_owned()).or_default() += 1);
            }
            for f in features(&sink, "terrain") {
                let Geometry::Tin { triangles: t, .. } = &f.geometry else { panic!("a TIN") };
                triangles += t.len();
            }
        }
        println!("{layers:?}\n{kinds:?}");
        for r in &refused {
            println!("{r:?}");
        }
        assert!(refused.iter().all(|r| r.code == "not-read"), "only the groups");
        assert_eq!(refused.len(), 2, "CityObjectGroup 2");
        let n = |l: &str| layers.get(l).copied().unwrap_or(0);
        assert_eq!(n("buildings"), 38);
        assert_eq!(n("road_surfaces"), 253);
        assert_eq!(rails.len(), 3, "{rails:?}");
        assert_eq!(n("land_use"), 225);
        assert_eq!(n("hazards"), 6 + 81, "WaterBody 6 (all flood and tsunami) and SedimentDisasterProneArea 81");
        assert_eq!(n("structures"), 1 + 1, "OtherConstruction, UndergroundBuilding");
        assert_eq!(n("city_furniture"), 2);
        assert_eq!(n("generic"), 4 + 1, "GenericCityObject 4, Waterway 1");
        assert_eq!(triangles, 1066);
        for (kind, count) in [
            ("UseDistrict", 108),
            ("FirePreventionDistrict", 8),
            ("TrafficFacility", 53),
            ("SpecialUseDistrict", 9),
            ("UrbanPlanningArea", 2),
            ("OpenSpaceForPublicUse", 16),
            ("TreatmentFacility", 26),
            ("UrbanDevelopmentProject", 27),
            ("AreaClassification", 11),
            ("HeightControlDistrict", 13),
            ("PortZone", 2),
            ("ProductiveGreenZone", 27),
            ("SpecialGreenSpaceConservationDistrict", 7),
            ("ParkingPlaceDevelopmentZone", 1),
            ("ScenicDistrict", 5),
            ("Zone", 4),
            ("HighLevelUseDistrict", 3),
            ("LandscapeZone", 2),
            ("SpecialUrbanRenaissanceDistrict", 1),
        ] {
            assert_eq!(kinds.get(kind).copied(), Some(count), "{kind}");
        }
    }
}

mod others {
    use super::*;

    #[test]
    fn european_models_and_the_utility_network_are_read() {
        let Some(data) = data() else { return };
        for (file, crs, source, layer, count) in [
            ("cityjson-citygml/citygml2/DenHaag_1BwBP.gml", "EPSG:28992+5709", None, "buildings", 1),
            ("cityjson-citygml/citygml2/dh_1.gml", "EPSG:28992+5709", None, "buildings", 1),
            // 25 line strings in SOURCE.txt: 11 of components, 14 of the network graph, which is left out.
            ("utility-network-ade/outputTestGML.gml", "EPSG:25832+7837", None, "pipes", 11),
        ] {
            let mut o = options(crs, Reader::CityGml);
            o.source_crs = source;
            let (result, sink, report) = run(&data.join(file), &o);
            result.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!((features(&sink, layer).len(), report.refused), (count, 0), "{file}: {:?}", report.refused_shown.first());
        }
        let (result, _, _) =
            run(&data.join("cityjson-citygml/indoorgml/FZK-Haus_full_indoorgml.gml"), &options("EPSG:25832+7837", Reader::CityGml));
        assert_eq!(result.expect_err("IndoorGML").code, "unsupported-media");
    }
}

mod refusals {
    use super::*;

    #[test]
    fn axis_order_is_the_authoritys_and_a_far_file_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let formal = "http://www.opengis.net/def/crs/EPSG/0/4979";
        let here = one_building(dir.path(), "here.gml", formal, SQUARE);
        let (sink, _) = gml(&here, "EPSG:4551+5737");
        let b = features(&sink, "buildings")[0].geometry.bounds().expect("a place");
        // 43.9 N 125.3 E by PROJ: E 443761.395, N 4862949.462.
        assert!((b.min[0] - 443_761.395).abs() < 1e-2 && (b.min[1] - 4_862_949.462).abs() < 2.0, "{b:?}");
        let (far, _, report) = run(&here, &options("EPSG:28992+5709", Reader::CityGml));
        assert_eq!(far.expect_err("Changchun is not in the Netherlands").code, "invalid-crs");
        assert_eq!(report.taken, 0);
        let unnamed = one_building(dir.path(), "unnamed.gml", "", SQUARE);
        assert_eq!(run(&unnamed, &options("EPSG:4551+5737", Reader::CityGml)).0.expect_err("no CRS").code, "invalid-crs");
    }

    #[test]
    fn faults_of_one_feature_are_refused_with_their_place() {
        let dir = tempfile::tempdir().expect("a folder");
        let formal = "http://www.opengis.net/def/crs/EPSG/0/4979";
        for (name, positions) in [
            ("two.gml", "43.9 125.3 200 43.9 125.3 200"),
            ("nan.gml", "43.9 125.3 NaN 43.9 125.301 200 43.901 125.301 200 43.9 125.3 NaN"),
            ("open.gml", "43.9 125.3 200 43.9 125.301 200 43.901 125.301 200 43.902 125.3 200"),
            ("word.gml", "43.9 125.3 high 43.9 125.301 200 43.901 125.301 200 43.9 125.3 200"),
        ] {
            let path = one_building(dir.path(), name, formal, positions);
            let (result, sink, report) = run(&path, &options("EPSG:4551+5737", Reader::CityGml));
            assert!(result.is_ok(), "{name}: {result:?}");
            assert_eq!((sink.count(), report.refused), (0, 1), "{name}: {report:?}");
            let r = &report.refused_shown[0];
            assert!(r.id.as_deref() == Some("B1") && r.place.contains(name) && !r.reason.is_empty(), "{r:?}");
        }
    }

    #[test]
    fn a_document_type_and_a_torn_file_are_refused_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let formal = "http://www.opengis.net/def/crs/EPSG/0/4979";
        let sound = one_building(dir.path(), "sound.gml", formal, SQUARE);
        let text = std::fs::read_to_string(&sound).expect("text");
        let bomb = dir.path().join("bomb.gml");
        std::fs::write(&bomb, text.replacen("\n", "\n<!DOCTYPE lol [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]>\n", 1)).expect("room");
        assert_eq!(run(&bomb, &options("EPSG:4551+5737", Reader::CityGml)).0.expect_err("a DTD").code, "dtd-forbidden");
        let torn = dir.path().join("torn.gml");
        std::fs::write(&torn, &text[..text.len() * 2 / 3]).expect("room");
        assert!(run(&torn, &options("EPSG:4551+5737", Reader::CityGml)).0.is_err());
    }
}

mod cityjson {
    use super::*;

    fn read(path: &Path, crs: &str, source: Option<&str>) -> (Result<(), IngestError>, Collected, Report) {
        let mut o = options(crs, Reader::CityJson);
        o.source_crs = source.map(|s| Crs::parse(s).expect("a CRS"));
        run(path, &o)
    }

    const RD: &str = "EPSG:28992+5709";

    #[test]
    fn models_have_the_counts_of_their_source() {
        let Some(data) = data() else { return };
        let folder = data.join("cityjson-citygml");
        // Objects of SOURCE.txt by file; parts count with their building. A CRS is given where the file has none.
        for (file, crs, source, counts) in [
            ("3dbag/extension_100.city.jsonl", RD, None, &[("buildings", 99)][..]),
            ("3dbag/5870_ext.city.jsonl", RD, None, &[("buildings", 54), ("generic", 1)]),
            ("cjio/DH_01_subs.city.json", RD, Some("EPSG:28992"), &[("buildings", 4)]),
            (
                "cjio/delft.json",
                RD,
                None,
                &[
                    ("buildings", 160),
                    ("structures", 3),
                    ("land_use", 81),
                    ("plant_cover", 126),
                    ("water", 3),
                    ("road_surfaces", 143),
                    ("generic", 54),
                ],
            ),
            ("cjio/multi_lod.json", RD, Some("EPSG:28992"), &[("buildings", 10)]),
            ("cjio/zurich/zurich_subset_lod2.json", "EPSG:2056+5728", None, &[("buildings", 49)]),
            ("cjio/rotterdam/rotterdam_subset.json", RD, Some("EPSG:28992"), &[("buildings", 16)]),
            ("denhaag/denhaag_random_5.city.jsonl", RD, None, &[("buildings", 5)]),
            ("special/geomtemplate.city.jsonl", RD, None, &[("trees", 1)]),
        ] {
            let (result, sink, report) = read(&folder.join(file), crs, source);
            result.unwrap_or_else(|e| panic!("{e}"));
            let expected: u64 = counts.iter().map(|(_, n)| n).sum();
            assert_eq!((report.read, report.refused), (expected, 0), "{file}: {:?}", report.refused_shown.first());
            for (layer, n) in counts {
                assert_eq!(report.layers.get(*layer), Some(n), "{file}: {layer}");
            }
            assert_eq!(sink.count() as u64, expected);
        }
    }

    #[test]
    fn the_best_level_of_the_parts_is_kept_where_it_stands() {
        let Some(data) = data() else { return };
        let (result, sink, _) = read(&data.join("cityjson-citygml/3dbag/5870_ext.city.jsonl"), RD, None);
        result.unwrap_or_else(|e| panic!("{e}"));
        let (layer, buildings) = sink.get("buildings").expect("54");
        let mut kinds = std::collections::BTreeSet::new();
        for b in buildings {
            // One building of the file has its LOD 0 outline and no part.
            let alone = b.id.as_str() == "NL.IMBAG.Pand.0518100001762206";
            assert_eq!(b.text(layer, "lod"), Some(if alone { "0" } else { "2.2" }), "{}", b.id);
            if alone {
                continue;
            }
            let Geometry::Surfaces(faces) = &b.geometry else { panic!("faces") };
            kinds.extend(faces.iter().map(|f| f.kind as u8));
            // geographicalExtent of the file's metadata, 1 mm around it for its rounding.
            let x = b.geometry.bounds().expect("a place");
            assert!(x.min[0] >= 81_297.05 && x.max[0] <= 81_898.31 && x.min[1] >= 451_325.29 && x.max[1] <= 451_957.51, "{x:?}");
            assert!(x.min[2] >= -0.37 && x.max[2] <= 27.94, "{x:?}");
        }
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [1, 2, 3], "roof, wall, ground");
    }

    #[test]
    fn a_template_stands_at_its_anchor() {
        let Some(data) = data() else { return };
        let (_, sink, _) = read(&data.join("cityjson-citygml/special/geomtemplate.city.jsonl"), RD, None);
        let (layer, trees) = sink.get("trees").expect("one");
        // Anchor 85174, 446875, 0; the template is a box from 0, 0, 5 to 10, 10, 15.
        assert_eq!(trees[0].geometry, Geometry::Point([85_179.0, 446_880.0, 5.0]));
        assert_eq!((trees[0].number(layer, "height_m"), trees[0].number(layer, "crown_m")), (Some(10.0), Some(10.0)));
    }

    #[test]
    fn what_has_no_crs_no_scale_or_no_start_is_refused_whole() {
        let Some(data) = data() else { return };
        let folder = data.join("cityjson-citygml");
        for (file, code) in [
            ("cjio/rotterdam/rotterdam_subset.json", "invalid-crs"),
            ("special/no_metadata.city.jsonl", "invalid-crs"),
            ("special/no_cityjson_obj.city.jsonl", "invalid-content"),
            ("../broken/val3dity/test_cjseq/notransform.city.jsonl", "invalid-content"),
            ("special/two_huge_buildings.city.jsonl.gz", "invalid-crs"),
        ] {
            let (result, _, _) = read(&folder.join(file), "EPSG:4551+5737", None);
            assert_eq!(result.expect_err(file).code, code, "{file}");
        }
        let (_, _, report) = read(&folder.join("../broken/crafted/cityjson_vertex_out_of_range.city.json"), RD, Some("EPSG:28992"));
        let r = &report.refused_shown[0];
        assert!((report.taken, report.refused) == (0, 1) && r.id.as_deref() == Some("a") && r.reason.contains("vertex 99 of 2"), "{r:?}");
    }
}

mod broken {
    use super::*;

    #[test]
    fn every_broken_model_gets_an_answer_in_time() {
        let Some(data) = data() else { return };
        let folder = data.join("broken");
        let (mut whole, mut some, mut none) = (0, 0, 0);
        for path in files(&folder, &[".gml", ".json", ".jsonl", ".zip"]) {
            for (crs, source) in [("EPSG:6677+6695", None), ("EPSG:4551+5737", None), (RD, Some("EPSG:28992")), ("EPSG:6670+6695", None)] {
                for reader in [None, Some(Reader::CityGml), Some(Reader::CityJson)] {
                    let mut o = options(crs, Reader::CityGml);
                    o.source_crs = source.map(|s| Crs::parse(s).expect("a CRS"));
                    o.reader = reader;
                    let start = Clock::now();
                    let (result, sink, report) = run(&path, &o);
                    assert!(start.elapsed() < Duration::from_secs(10), "{}", path.display());
                    match result {
                        Err(e) => {
                            assert!(!e.reason.is_empty() && !e.code.is_empty());
                            whole += 1;
                        }
                        Ok(()) if report.refused > 0 => {
                            assert!(report.refused_shown.iter().all(|r| !r.reason.is_empty() && !r.place.is_empty()), "{report:?}");
                            some += 1;
                        }
                        Ok(()) => none += 1,
                    }
                    for (layer, features) in sink.layers.values() {
                        for f in features {
                            f.check(layer).unwrap_or_else(|e| panic!("{} {}: {e}", path.display(), f.id));
                        }
                    }
                }
            }
        }
        println!("{whole} refused whole, {some} with refusals, {none} without");
    }

    const RD: &str = "EPSG:28992+5709";

    #[test]
    fn crafted_attacks_have_their_code() {
        let Some(data) = data() else { return };
        let folder = data.join("broken/crafted");
        for (file, code) in [
            ("xml_entity_bomb.gml", "dtd-forbidden"),
            ("xml_external_entity.gml", "dtd-forbidden"),
            ("xml_truncated.gml", "truncated"),
            ("gml_unknown_srs.gml", "invalid-crs"),
            ("gml_swapped_axes.gml", "invalid-crs"),
            ("gml_gbk_declared_utf8.gml", "invalid-content"),
            ("xml_deep_nesting.gml", "invalid-content"),
            ("git_lfs_pointer.gml", "unsupported-media"),
            ("zip_bomb_256MiB.zip", "archive-limit"),
            ("zip_slip.zip", "unsafe-archive"),
        ] {
            let (result, sink, _) = run(&folder.join(file), &options("EPSG:4551+5737", Reader::CityGml));
            let e = result.expect_err(file);
            println!("{file}: {e}");
            assert_eq!((e.code, sink.count()), (code, 0), "{file}: {e}");
        }
        for (file, taken, code) in [
            ("gml_duplicate_ids.gml", 1, "duplicate-id"),
            ("gml_nan_and_inf.gml", 0, "invalid-geometry"),
            ("gml_odd_coordinate_count.gml", 0, "invalid-geometry"),
        ] {
            let (result, _, report) = run(&folder.join(file), &options("EPSG:4551+5737", Reader::CityGml));
            assert!(result.is_ok(), "{file}: {result:?}");
            assert_eq!((report.taken, report.refused, report.refused_shown[0].code.as_str()), (taken, 1, code), "{file}: {report:?}");
        }
    }
}
