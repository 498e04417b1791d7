use super::*;
use crate::{
    hand::{district, round},
    pipe::Class,
};

fn drain(id: &str, a: Point3, b: Point3) -> Pipe {
    round(id, Class::Ps, 400.0, &[a, b])
}

#[test]
fn a_chain_is_put_in_order_and_turned() {
    let p = [
        drain("b", [20.0, 0.0, 4.8], [10.0, 0.0, 4.9]),
        drain("a", [0.0, 0.0, 5.0], [10.0, 0.0, 4.9]),
        drain("c", [20.0, 0.0, 4.8], [30.0, 5.0, 4.7]),
    ];
    let chain = order(&p).unwrap();
    assert_eq!(chain.iter().map(|l| (l.pipe, l.against)).collect::<Vec<_>>(), [(1, false), (0, true), (2, false)]);
    let far = drain("x", [90.0, 0.0, 4.0], [99.0, 0.0, 4.0]);
    assert_eq!(order(&[p[0].clone(), p[1].clone(), far]), Err(2));
    let branch = drain("y", [10.0, 0.0, 4.9], [10.0, 9.0, 4.9]);
    assert!(order(&[p[1].clone(), p[0].clone(), branch]).is_err());
}

#[test]
fn slopes_reverse_falls_and_steps_by_hand() {
    // 3 ‰ down, then 2 ‰ up, then a step up of 5 cm and 1 ‰ down.
    let p = [
        drain("a", [0.0, 0.0, 5.2], [50.0, 0.0, 5.05]),
        drain("b", [50.0, 0.0, 5.05], [100.0, 0.0, 5.15]),
        drain("c", [100.0, 0.0, 5.2], [150.0, 0.0, 5.15]),
    ];
    let chain = order(&p).unwrap();
    let (runs, steps) = runs(&p, &chain);
    assert!((runs[0].fall_permille - 3.0).abs() < 1e-9 && !runs[0].reverse && runs[0].flat.is_none());
    assert!((runs[1].fall_permille + 2.0).abs() < 1e-9 && runs[1].reverse);
    assert!((runs[0].invert_m[0] - 5.0).abs() < 1e-9 && (runs[0].top_m[0] - 5.4).abs() < 1e-9);
    // DN 400 asks 1.5 ‰.
    assert_eq!(runs[2].flat.as_ref().unwrap().value, Some(0.0015));
    assert!(steps.len() == 1 && (steps[0].1 - 0.05).abs() < 1e-9 && steps[0].0 == 100.0);
    // Declared to flow the other way, the rising piece is the sound one.
    let mut q = p.clone();
    q.iter_mut().for_each(|p| p.flow_dir = Some(1));
    let (back, _) = super::runs(&q, &order(&q).unwrap());
    assert_eq!(back.iter().map(|r| r.reverse).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn the_shortest_way_takes_the_short_side_of_a_ring() {
    let w = |id: &str, a: [f64; 2], b: [f64; 2]| round(id, Class::Js, 200.0, &[[a[0], a[1], 0.0], [b[0], b[1], 0.0]]);
    let p = [
        w("s", [0.0, 0.0], [10.0, 0.0]),
        w("long", [10.0, 0.0], [10.0, 50.0]),
        w("long2", [10.0, 50.0], [40.0, 0.0]),
        w("short", [40.0, 0.0], [10.0, 0.0]),
        w("e", [40.0, 0.0], [60.0, 0.0]),
        w("alone", [0.0, 90.0], [10.0, 90.0]),
    ];
    let way = shortest(&p, [1.0, 1.0], [59.0, -1.0]).unwrap();
    assert_eq!(way.iter().map(|l| (l.pipe, l.against)).collect::<Vec<_>>(), [(0, false), (3, true), (4, false)]);
    assert!(shortest(&p, [1.0, 1.0], [5.0, 91.0]).unwrap_err().contains("no way"));
    assert!(shortest(&[], [0.0; 2], [1.0; 2]).is_err());
}

#[test]
fn a_sewer_of_the_district_by_two_points_and_by_its_ids() {
    let city = district();
    let c = city.anchor("main-crossing");
    let point = |dx: f64, dy: f64| json!({ "type": "Point", "coordinates": [c[0] + dx, c[1] + dy] });
    let ask = json!({ "from": point(0.0, 120.0), "to": point(0.0, -150.0), "class": "PS", "drawings": ["svg", "dxf"] });
    let answer = (PROFILE.run)(&city.view(), &ask).unwrap();
    let runs = answer["runs"].as_array().unwrap();
    assert!(runs.len() > 4 && answer["length_m"].as_f64().unwrap() > 200.0);
    assert!(runs.windows(2).all(|w| w[0]["to_m"] == w[1]["from_m"]));
    // The generator's drains fall everywhere.
    assert_eq!(answer["faults"], 0, "{}", answer["runs"]);
    assert!(!answer["points"].as_array().unwrap().is_empty() && !answer["crossings"].as_array().unwrap().is_empty());
    if let Ok(out) = std::env::var("STRATA_DRAWINGS") {
        std::fs::write(std::path::Path::new(&out).join("profile.svg"), answer["svg"].as_str().unwrap()).unwrap();
    }
    let mut ids: Vec<&str> = runs.iter().map(|r| r["pipe"]["id"].as_str().unwrap()).collect();
    ids.sort();
    ids.dedup();
    let again = (PROFILE.run)(&city.view(), &json!({ "pipes": ids })).unwrap();
    assert_eq!(again["length_m"], answer["length_m"]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("profile.dxf");
    std::fs::write(&path, answer["dxf"].as_str().unwrap()).unwrap();
    match std::process::Command::new("ogrinfo").args(["-ro", "-al"]).arg(&path).output() {
        Ok(o) => assert!(String::from_utf8_lossy(&o.stdout).contains("Layer (String) = PS\n")),
        Err(_) => println!("skipped: no ogrinfo"),
    }
    for bad in [json!({}), json!({ "pipes": [] }), json!({ "pipes": ids, "from": point(0.0, 0.0) }), json!({ "from": point(0.0, 0.0) })] {
        assert!(matches!((PROFILE.run)(&city.view(), &bad), Err(AnalysisError::Input { .. })), "{bad}");
    }
    assert!(matches!((PROFILE.run)(&city.view(), &json!({ "pipes": ["none"] })), Err(AnalysisError::Missing { .. })));
}
