use super::*;
use crate::{
    hand::{district, round},
    pipe::Class,
};

fn flat() -> Ground {
    let p = |x: f64, y: f64| [x, y, 10.0];
    Ground::new([[p(-100.0, -100.0), p(100.0, -100.0), p(100.0, 100.0)], [p(-100.0, -100.0), p(100.0, 100.0), p(-100.0, 100.0)]])
}
const LINE: [[f64; 2]; 2] = [[0.0, 0.0], [20.0, 0.0]];

#[test]
fn a_square_cut_is_the_true_circle() {
    let p = round("w", Class::Js, 300.0, &[[4.0, -9.0, 7.0], [4.0, 9.0, 7.0]]);
    let c = cuts(&[p], &LINE, 0.0, &flat());
    assert_eq!((c.len(), c[0].station_m, c[0].axis_m), (1, 4.0, 7.0));
    assert!(c[0].semi_axes_m.unwrap().iter().all(|r| (r - 0.15).abs() < 1e-12) && (c[0].angle_deg - 90.0).abs() < 1e-9);
    assert!(c[0].outline.iter().all(|q| ((q[0] - 4.0).hypot(q[1] - 7.0) - 0.15).abs() < 1e-9));
    assert!((c[0].top_m() - 7.15).abs() < 1e-9 && c[0].ground_m == Some(10.0));
}

#[test]
fn an_oblique_cut_is_the_exact_ellipse() {
    // 30° to the plane: twice as wide, as high as ever.
    let (s, c) = 30f64.to_radians().sin_cos();
    let p = round("w", Class::Js, 400.0, &[[10.0 - 20.0 * c, -20.0 * s, 7.0], [10.0 + 20.0 * c, 20.0 * s, 7.0]]);
    let cut = &cuts(&[p], &LINE, 0.0, &flat())[0];
    assert!((cut.angle_deg - 30.0).abs() < 1e-9 && (cut.semi_axes_m.unwrap()[1] - 0.4).abs() < 1e-9);
    for q in &cut.outline {
        let (x, z) = ((q[0] - 10.0) / 0.4, (q[1] - 7.0) / 0.2);
        assert!((x * x + z * z - 1.0).abs() < 1e-9);
    }
}

#[test]
fn every_point_of_a_steep_oblique_outline_lies_on_the_pipe_and_in_the_plane() {
    let axis = [[6.0, -8.0, 3.0], [14.0, 7.0, 8.0]];
    let p = round("w", Class::Js, 500.0, &axis);
    let cut = &cuts(&[p], &LINE, 0.0, &flat())[0];
    let d = [8.0, 15.0, 5.0];
    let dd: f64 = d.iter().map(|v| v * v).sum();
    for q in &cut.outline {
        let v = [q[0] - axis[0][0], 0.0 - axis[0][1], q[1] - axis[0][2]];
        let t = (0..3).map(|k| v[k] * d[k]).sum::<f64>() / dd;
        let off = (0..3).map(|k| (v[k] - d[k] * t).powi(2)).sum::<f64>().sqrt();
        assert!((off - 0.25).abs() < 1e-9, "{off}");
    }
}

#[test]
fn ducts_are_boxes_and_spacing_is_a_chain() {
    let mut duct = round("t", Class::Tx, 100.0, &[[8.0, -9.0, 8.0], [8.0, 9.0, 8.0]]);
    duct.section = Section::Rect { width_m: 0.6, height_m: 0.3 };
    let main = round("w", Class::Js, 300.0, &[[4.0, -9.0, 7.0], [4.0, 9.0, 7.0]]);
    let c = cuts(&[duct, main], &LINE, 0.0, &flat());
    assert_eq!(c.iter().map(|c| c.pipe).collect::<Vec<_>>(), [1, 0]);
    let mut corners = c[1].outline.iter().map(|p| p.map(shown)).collect::<Vec<_>>();
    corners.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    assert_eq!(corners, [[7.7, 7.85], [7.7, 8.15], [8.3, 7.85], [8.3, 8.15]]);
    let s = spacing(&c);
    assert!((s[0].0 - 4.0).abs() < 1e-9 && (s[0].1 - (4.0 - 0.15 - 0.3)).abs() < 1e-9);
}

#[test]
fn a_band_shows_what_is_near_and_a_joint_is_met_once() {
    let near = round("n", Class::Js, 300.0, &[[5.0, 1.0, 7.0], [5.0, 9.0, 7.0]]);
    assert!(cuts(std::slice::from_ref(&near), &LINE, 0.0, &flat()).is_empty());
    let c = cuts(&[near], &LINE, 4.0, &flat());
    assert_eq!((c[0].projected_m, c[0].station_m), (Some(1.0), 5.0));
    assert!(c[0].outline.iter().all(|q| ((q[0] - 5.0).hypot(q[1] - 7.0) - 0.15).abs() < 1e-9));
    let a = round("a", Class::Js, 300.0, &[[5.0, -9.0, 7.0], [5.0, 0.0, 7.0]]);
    let b = round("b", Class::Js, 300.0, &[[5.0, 0.0, 7.0], [5.0, 9.0, 7.0]]);
    assert_eq!(cuts(&[a, b], &LINE, 0.0, &flat()).len(), 1);
}

#[test]
fn nan_depth_and_one_point_are_passed_over() {
    let nan = round("n", Class::Js, 300.0, &[[5.0, -1.0, f64::NAN], [5.0, 9.0, 7.0]]);
    let point = round("p", Class::Js, 300.0, &[[5.0, 0.0, 7.0]]);
    assert!(cuts(&[nan, point], &LINE, 10.0, &flat()).is_empty());
}

/// Across the street of the main crossing, 30 m south of it.
fn street() -> Value {
    let p = district().anchor("main-crossing");
    json!({ "type": "LineString", "coordinates": [[p[0] - 30.0, p[1] - 30.0], [p[0] + 30.0, p[1] - 30.0]] })
}

#[test]
fn a_street_of_the_district_drawn_and_opened_by_gdal() {
    let answer = (SECTION.run)(&district().view(), &json!({ "line": street(), "drawings": ["svg", "dxf"] })).unwrap();
    let cuts = answer["cuts"].as_array().unwrap();
    let classes: std::collections::BTreeSet<&str> = cuts.iter().map(|c| c["pipe"]["class"].as_str().unwrap()).collect();
    assert!(classes.len() >= 5, "{classes:?}");
    assert_eq!(answer["spacing"].as_array().unwrap().len(), cuts.len() - 1);
    assert!(cuts.windows(2).all(|w| w[0]["station_m"].as_f64() <= w[1]["station_m"].as_f64()));
    assert!(answer["synthetic"] == true && !answer["carriageways"].as_array().unwrap().is_empty());
    let svg = answer["svg"].as_str().unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("<circle") && svg.contains("合成"));
    let dxf = answer["dxf"].as_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("section.dxf");
    std::fs::write(&path, dxf).unwrap();
    if let Ok(out) = std::env::var("STRATA_DRAWINGS") {
        std::fs::write(std::path::Path::new(&out).join("section.svg"), svg).unwrap();
        std::fs::write(std::path::Path::new(&out).join("section.dxf"), dxf).unwrap();
    }
    let Ok(told) = std::process::Command::new("ogrinfo").args(["-ro", "-al"]).arg(&path).output() else {
        println!("skipped: no ogrinfo");
        return;
    };
    let told = String::from_utf8_lossy(&told.stdout);
    assert!(told.contains("using driver `DXF' successful"), "{}", &told[..told.len().min(500)]);
    for c in &classes {
        assert!(told.contains(&format!("Layer (String) = {c}\n")), "no layer {c}");
    }
    assert!(told.contains("Layer (String) = GROUND\n") && told.contains(r"\U+51BB\U+6DF1 1.69 m") && told.contains("DN"));
}

#[test]
fn a_plane_that_meets_nothing_says_so() {
    let line = json!({ "type": "LineString", "coordinates": [[0.0, 0.0], [10.0, 0.0]] });
    let answer = (SECTION.run)(&district().view(), &json!({ "line": line, "drawings": ["svg"] })).unwrap();
    assert_eq!((answer["cuts"].as_array().map(Vec::len), answer["faults"].as_u64()), (Some(0), None));
    assert!(answer["note"].as_str().unwrap().contains("meets no pipe"));
    for bad in [
        json!({ "line": { "type": "LineString", "coordinates": [[0.0, 0.0]] } }),
        json!({ "line": { "type": "LineString", "coordinates": [[0.0, 0.0], [0.0, 0.0]] } }),
        json!({ "line": { "type": "Point", "coordinates": [0.0, 0.0] } }),
        json!({}),
        json!({ "line": street(), "drawings": ["pdf"] }),
        json!({ "line": street(), "width_m": -1.0 }),
        json!({ "line": { "type": "LineString", "coordinates": [[0.0, 0.0], [9000.0, 0.0]] } }),
    ] {
        assert!(matches!((SECTION.run)(&district().view(), &bad), Err(AnalysisError::Input { .. })), "{bad}");
    }
}

/// A drawing for a sheet stays on it, at a usual scale that it says.
#[test]
fn a_drawing_fits_the_sheet_it_is_made_for() {
    let city = crate::hand::district();
    let c = city.anchor("main-crossing");
    let line = json!({ "type": "LineString", "coordinates": [[c[0] - 16.0, c[1] + 30.0], [c[0] + 16.0, c[1] + 30.0]] });
    let mut seen = Vec::new();
    for paper in [[202.0, 226.0], [380.0, 260.0], [150.0, 180.0]] {
        let answer = (SECTION.run)(&city.view(), &json!({ "line": line, "drawings": ["svg"], "paper_mm": paper })).unwrap();
        let svg = answer["svg"].as_str().unwrap();
        let mm = |name: &str| svg.split_once(&format!(" {name}=\"")).unwrap().1.split_once("mm").unwrap().0.parse::<f64>().unwrap();
        assert!(mm("width") <= paper[0] && mm("height") <= paper[1], "{paper:?}: {} × {}", mm("width"), mm("height"));
        seen.push(svg.split_once("比例 1:").unwrap().1.split(' ').next().unwrap().parse::<f64>().unwrap());
    }
    assert!(seen[1] <= seen[0] && seen[0] <= seen[2], "{seen:?}");
    for bad in [json!([1.0, 2.0]), json!([200.0]), json!("A3"), json!([200.0, f64::MAX])] {
        let e = (SECTION.run)(&city.view(), &json!({ "line": line, "paper_mm": bad })).unwrap_err();
        assert!(e.to_string().contains("/paper_mm"), "{e}");
    }
}
