//! Models of EPANET and SWMM.

use super::*;

/// Records of a section, counted as plainly as can be: the oracle for files that SOURCE.txt gives no figures of.
fn count_section(path: &Path, section: &str) -> usize {
    let bytes = std::fs::read(path).expect("read");
    let text = String::from_utf8_lossy(&bytes);
    let mut inside = false;
    text.lines()
        .filter(|l| {
            let l = l.trim();
            if l.starts_with('[') {
                inside = l.to_ascii_uppercase().starts_with(&format!("[{section}"));
                return false;
            }
            inside && !l.is_empty() && !l.starts_with(';')
        })
        .count()
}

fn network_counts(sink: &Collected) -> [usize; 6] {
    let (pl, pipes) = get(sink, "pipes");
    let (nl, nodes) = get(sink, "pipe_points");
    let node = |k: &str| nodes.iter().filter(|f| f.text(nl, "node_kind") == Some(k)).count();
    let link = |k: &str| pipes.iter().filter(|f| f.text(pl, "link_kind") == Some(k)).count();
    [node("junction"), node("reservoir"), node("tank"), link("pipe"), link("pump"), link("valve")]
}

#[test]
fn all_networks_have_the_figures_of_their_source() {
    let Some(folder) = data("epanet/networks") else { return };
    // junctions, reservoirs, tanks, pipes, pumps, valves, km: read with WNTR, from SOURCE.txt.
    let figures: [(&str, [usize; 6], f64); 15] = [
        ("Anytown.inp", [19, 3, 0, 40, 1, 0], 35.2),
        ("BWSN_Network_2.inp", [12523, 2, 2, 14822, 4, 5], 1844.0),
        ("Balerma.inp", [443, 4, 0, 454, 0, 0], 100.3),
        ("Hanoi.inp", [31, 1, 0, 34, 0, 0], 39.4),
        ("L-TOWN.inp", [782, 2, 1, 905, 1, 3], 43.2),
        ("Net1.inp", [9, 1, 1, 12, 1, 0], 19.4),
        ("Net2.inp", [35, 0, 1, 40, 0, 0], 11.0),
        ("Net3.inp", [92, 2, 3, 117, 2, 0], 65.7),
        ("Net6.inp", [3323, 1, 32, 3829, 61, 2], 638.8),
        ("New_York_Tunnels_including_water_quality.inp", [19, 1, 0, 42, 0, 0], 223.0),
        ("Richmond_skeleton.inp", [41, 1, 6, 44, 7, 0], 22.7),
        ("ky2.inp", [811, 1, 3, 1124, 1, 0], 152.2),
        ("ky4.inp", [959, 1, 4, 1156, 2, 0], 260.2),
        ("ky8.inp", [1325, 2, 5, 1614, 4, 0], 247.3),
        ("../../leakdb/Hanoi_CMH.inp", [31, 1, 0, 34, 0, 0], 39.4),
    ];
    for (name, counts, km) in figures {
        let (sink, report) = good(&folder.join(name), &from("EPSG:4551", "EPSG:4551"));
        assert_eq!(report.refused, 0, "{name}: {:?}", report.refused_shown.first());
        assert_eq!(network_counts(&sink), counts, "{name}");
        let (layer, pipes) = get(&sink, "pipes");
        let length: f64 = pipes.iter().filter_map(|f| f.number(layer, "length_m")).sum::<f64>() / 1000.0;
        assert!((length - km).abs() <= 0.051, "{name}: {length} km, not {km}");
    }
    for name in ["MICROPOLIS_v1.inp", "BWSN_Network_1.inp", "foss_poly_1.inp"] {
        let path = folder.join(name);
        let (sink, report) = good(&path, &from("EPSG:4551", "EPSG:4551"));
        let counts = ["JUNC", "RESE", "TANK", "PIPE", "PUMP", "VALV"].map(|s| count_section(&path, s));
        assert_eq!(network_counts(&sink), counts, "{name}: {:?}", report.refused_shown.first());
    }
    let (town, _) = good(&folder.join("../../battledim/L-TOWN.inp"), &from("EPSG:4551", "EPSG:4551"));
    assert_eq!(network_counts(&town), [782, 2, 1, 905, 1, 3]);
}

#[test]
fn epanet_units_become_ours() {
    let Some(folder) = data("epanet/networks") else { return };
    let file = folder.join("Net1.inp");
    assert_eq!(run(&file, &options("EPSG:4551")).0.expect_err("no CRS").code, "invalid-crs");
    let (sink, _) = good(&file, &from("EPSG:4551", "EPSG:4551"));
    let (layer, pipes) = get(&sink, "pipes");
    // Net1: pipe 10 is 10530 ft of 18 in; junction 11 lies at 710 ft and asks for 150 gpm.
    let p = find(pipes, "10");
    assert!((p.number(layer, "length_m").expect("a length") - 10_530.0 * 0.3048).abs() < 1e-6);
    assert!((p.number(layer, "od_mm").expect("a diameter") - 457.2).abs() < 1e-9);
    let (layer, points) = get(&sink, "pipe_points");
    let j = find(points, "11");
    assert!((j.number(layer, "elevation_m").expect("one") - 216.408).abs() < 1e-6);
    assert!((j.number(layer, "base_demand_lps").expect("one") - 9.463_529_46).abs() < 1e-6);
    assert_eq!(j.text(layer, "pattern"), Some("1"));
    let source = find(points, "9");
    let patterns: serde_json::Value =
        serde_json::from_str(source.text(layer, "patterns_json").expect("kept at the reservoir")).expect("JSON");
    assert_eq!(patterns["1"].as_array().map(Vec::len), Some(12));
    let Geometry::Point(at) = j.geometry else { panic!("a point") };
    assert_eq!(at[..2], [30.0, 70.0], "plan numbers stay as they stand");
}

#[test]
fn a_network_in_its_own_system_meets_its_map() {
    // ky4 as .inp and as GeoJSON of its authors, both EPSG:3547 (US feet): the same junctions in the same places.
    let Some(folder) = data("epanet") else { return };
    let (inp, _) = good(&folder.join("networks/ky4.inp"), &from("EPSG:32616", "EPSG:3547"));
    let (map, report) = good(&folder.join("gis/ky4_junctions.geojson"), &from("EPSG:32616", "EPSG:3547"));
    assert_eq!(report.taken, 959);
    let (_, nodes) = get(&inp, "pipe_points");
    let (layer, junctions) = get(&map, "ky4_junctions");
    let mut met = 0;
    for j in junctions {
        let Some(name) = j.text(layer, "name") else { continue };
        let (Geometry::Point(a), Geometry::Point(b)) = (&j.geometry, &find(nodes, name).geometry) else { panic!("points") };
        assert!((a[0] - b[0]).hypot(a[1] - b[1]) < 0.5, "{name}: {a:?} {b:?}");
        met += 1;
    }
    assert_eq!(met, 959);
}

#[test]
fn drainage_models_have_their_nodes_and_conduits() {
    let Some(folder) = data("swmm") else { return };
    for name in [
        "Example1.inp",
        "Example6.inp",
        "Pump_Control_Model.inp",
        "model_full_features_network_xy.inp",
        "model_state_plane.inp",
        "tecnopolo_r1_199401.inp",
        "test_inlet_drains.inp",
        "groundwater_model.inp",
        "model_full_features.inp",
        "bellinge/bellinge_small.inp",
        "bellinge/basic_drainage_all_bits.inp",
    ] {
        let path = folder.join(name);
        let (result, sink, report) = run(&path, &from("EPSG:4551", "EPSG:4551"));
        result.unwrap_or_else(|e| panic!("{name}: {e}"));
        let records: usize = ["JUNCTIONS", "OUTFALLS", "STORAGE", "DIVIDERS", "CONDUITS", "PUMPS", "ORIFICES", "WEIRS", "OUTLETS"]
            .iter()
            .map(|s| count_section(&path, s))
            .sum();
        assert_eq!(report.read as usize, records, "{name}");
        if report.refused > 0 {
            println!("{name}: {} refused, the first {:?}", report.refused, report.refused_shown.first());
        }
        if name == "Example1.inp" {
            let (l, pipes) = get(&sink, "pipes");
            assert_eq!((pipes.len(), report.refused), (13, 0));
            // Conduit 1: from 9 (invert 1000 ft) to 10 (995 ft), a circle of 1.5 ft.
            let c = find(pipes, "1");
            assert!((c.number(l, "od_mm").expect("one") - 457.2).abs() < 1e-6, "{c:?}");
            assert!((c.number(l, "start_invert_m").expect("one") - 304.8).abs() < 1e-6);
            assert!((line(c)[0][2] - (304.8 + 0.2286)).abs() < 1e-6);
        }
    }
}

// ---- terrain ----
