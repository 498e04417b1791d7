//! Independent judges of the 3D tiles.

use strata_tests::{district, judge, scratch, strata_ok};

#[test]
fn every_glb_of_the_district_is_valid_gltf() {
    let out = scratch("tilesets");
    let mut total = 0;
    for layer in ["terrain", "buildings", "roads", "water", "parcels", "rail", "trees", "control_lines", "pipes", "pipe_points"] {
        let dir = out.join(layer);
        strata_ok(&[
            "export",
            district().to_str().expect("UTF-8"),
            "--layer",
            layer,
            "--format",
            "3dtiles",
            "-o",
            dir.to_str().expect("UTF-8"),
        ]);
        let verdict = judge("glb.mjs", &[dir.to_str().expect("UTF-8")]);
        println!("{layer}: {verdict}");
        assert_eq!(verdict["errors"], 0, "{layer}: {verdict}");
        assert!(verdict["files"].as_u64() > Some(0), "{layer} has no content");
        total += verdict["files"].as_u64().unwrap_or(0);
        // The tools of the specification's own authors open the tileset.
        assert!(dir.join("tileset.json").is_file());
    }
    println!("{total} GLB files judged");
}
