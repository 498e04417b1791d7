use super::{obstacles::*, *};
use crate::hand::{district, round};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::time::Instant;

fn only(pipes: &[Pipe], coverage: f64) -> Vec<Finding> {
    clearances(&Pieces::new(pipes), None, Options { coverage, ..Options::default() }).unwrap()
}
fn east(id: &str, class: Class, dn: f64, north: f64, z: f64) -> Pipe {
    round(id, class, dn, &[[0.0, north, z], [40.0, north, z]])
}
fn north(id: &str, class: Class, dn: f64, e: f64, z: f64) -> Pipe {
    round(id, class, dn, &[[e, -20.0, z], [e, 20.0, z]])
}

#[test]
fn side_by_side_is_measured_in_plan_and_a_crossing_in_height() {
    // Water DN 300 and a drain DN 400 ask 1.5 m in plan; axes 1.6 m apart leave 1.6 − 0.15 − 0.2 = 1.25, whatever the heights.
    let f = only(&[east("w", Class::Js, 300.0, 0.0, 0.0), east("d", Class::Ps, 400.0, 1.6, -1.0)], 0.0);
    assert_eq!(f.len(), 1);
    assert_eq!((f[0].relation, f[0].verdict), (Relation::Parallel, Verdict::Exception));
    assert!((f[0].gap_m - 1.25).abs() < 1e-9 && f[0].need.as_ref().unwrap().most_m == 1.5);
    assert!((f[0].connection[0][1] - 0.15).abs() < 1e-9 && (f[0].connection[1][1] - 1.4).abs() < 1e-9);
    // Under half of it is a violation.
    assert_eq!(only(&[east("w", Class::Js, 300.0, 0.0, 0.0), east("d", Class::Ps, 400.0, 1.0, -1.0)], 0.0)[0].verdict, Verdict::Violation);
    // Crossing: 0.40 asked; axes 0.7 m apart leave 0.35.
    let f = only(&[east("w", Class::Js, 300.0, 0.0, 0.0), north("d", Class::Ps, 400.0, 10.0, -0.7)], 0.0);
    assert_eq!((f[0].relation, f[0].verdict), (Relation::Crossing, Verdict::Exception));
    assert!((f[0].gap_m - 0.35).abs() < 1e-9 && (f[0].angle_deg.unwrap() - 90.0).abs() < 1e-6);
    assert_eq!(f[0].need.as_ref().unwrap().rule.id, "gb50289-2016/4.1.14/W-over-SD");
    assert!(only(&[east("w", Class::Js, 300.0, 0.0, 0.0), north("d", Class::Ps, 400.0, 10.0, -0.75)], 0.0).is_empty());
    // Into one another.
    let f = only(&[east("w", Class::Js, 300.0, 0.0, 0.0), north("g", Class::Gy, 200.0, 10.0, -0.1)], 0.0);
    assert_eq!((f[0].verdict, f[0].need.as_ref()), (Verdict::Clash, None));
    // One above the other along the street.
    let f = only(&[east("w", Class::Js, 300.0, 0.0, 0.0), east("d", Class::Ps, 400.0, 0.1, -3.0)], 0.0);
    assert_eq!((f[0].relation, f[0].verdict), (Relation::Stacked, Verdict::Exception));
}

#[test]
fn the_survey_makes_a_near_thing_uncertain() {
    let mut pair = [east("w", Class::Js, 300.0, 0.0, 0.0), east("d", Class::Ps, 400.0, 1.9, -1.0)];
    assert!(only(&pair, 2.0).is_empty(), "1.55 m, both exact");
    pair[0].accuracy_m = Some(0.05);
    pair[1].accuracy_m = None; // taken as 0.05
    let f = only(&pair, 2.0);
    assert_eq!(f[0].verdict, Verdict::Uncertain);
    assert!((f[0].uncertainty_m - 2.0 * 0.05 * 2f64.sqrt()).abs() < 1e-7);
    assert!(only(&pair, 0.0).is_empty());
}

#[test]
fn joined_pipes_are_no_conflict() {
    let mut gas = round("a", Class::Rq, 200.0, &[[0.0, 0.0, 0.0], [20.0, 0.0, 0.0]]);
    gas.pressure = Some("中压A".into());
    let mut branch = round("b", Class::Rq, 100.0, &[[20.0, 0.0, 0.0], [20.0, 20.0, 0.0]]);
    branch.pressure = gas.pressure.clone();
    assert!(only(&[gas.clone(), branch.clone()], 0.0).is_empty());
    // The same point number, but surveyed 5 cm apart.
    let mut apart = branch.clone();
    apart.axis[0][0] += 0.3;
    assert_eq!(only(&[gas.clone(), apart.clone()], 0.0).len(), 1);
    (gas.end_point, apart.start_point) = (Some("RQ7".into()), Some("RQ7".into()));
    assert!(only(&[gas.clone(), apart], 0.0).is_empty());
    // Through a fitting of 0.3 m.
    let fitting = round("f", Class::Rq, 200.0, &[[20.0, 0.0, 0.0], [20.3, 0.0, 0.0]]);
    let mut beyond = round("c", Class::Rq, 200.0, &[[20.3, 0.0, 0.0], [20.3, -20.0, 0.0]]);
    beyond.pressure = gas.pressure.clone();
    assert!(only(&[gas.clone(), fitting, beyond.clone()], 0.0).is_empty());
    assert_eq!(only(&[gas, beyond], 0.0).len(), 1, "without the fitting they are two pipes");
}

#[test]
fn a_crossing_near_a_well_is_judged_once() {
    // The water main runs east; a drain in two pieces crosses it 0.2 m beside its well.
    let main = east("w", Class::Js, 300.0, 0.0, 0.0);
    let one = round("d1", Class::Ps, 400.0, &[[10.0, -20.0, -2.0], [10.0, 0.4, -2.0]]);
    let two = round("d2", Class::Ps, 400.0, &[[10.0, 0.4, -2.0], [10.0, 20.0, -2.0]]);
    assert!(only(&[main.clone(), one, two.clone()], 0.0).is_empty());
    assert_eq!(only(&[main, two], 0.0)[0].relation, Relation::Beside, "a drain that ends there is beside it");
}

#[test]
fn bad_input_is_left_out_and_counted() {
    let mut nan = east("n", Class::Js, 300.0, 0.0, f64::NAN);
    nan.axis.push([50.0, 0.0, 0.0]);
    let none = east("z", Class::Js, 0.0, 0.0, 0.0);
    let point = round("p", Class::Js, 300.0, &[[0.0, 0.0, 0.0]]);
    let all = Pieces::new(&[nan, none, point, east("d", Class::Ps, 400.0, 0.1, 0.0)]);
    assert_eq!((all.left_out, all.pieces.len()), (3, 1));
    assert!(clearances(&all, None, Options::default()).unwrap().is_empty());
}

#[test]
fn ten_thousand_pipes_at_one_point_end_with_a_clear_answer() {
    let one = |i: usize| east(&format!("p{i}"), if i.is_multiple_of(2) { Class::Js } else { Class::Ps }, 300.0, 0.0, 0.0);
    let many: Vec<Pipe> = (0..10_000).map(one).collect();
    let started = Instant::now();
    let e = clearances(&Pieces::new(&many), None, Options { most_findings: 100_000, ..Options::default() }).unwrap_err();
    assert!(e.to_string().contains("100000") && started.elapsed().as_secs() < 20);
}

fn random(n: usize, seed: u64) -> Vec<Body> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let side = (n as f64).cbrt() * 4.0;
    (0..n)
        .map(|_| {
            let a = [0; 3].map(|_| dice.random_range(0.0..side));
            let b = a.map(|v| v + dice.random_range(-4.0..4.0));
            let half_m = [dice.random_range(0.05..0.6), dice.random_range(0.05..0.6)];
            let round = dice.random_bool(0.6);
            Body { axis: [a, b], half_m: if round { [half_m[0]; 2] } else { half_m }, round }
        })
        .collect()
}

#[test]
fn near_pairs_are_those_of_brute_force() {
    let bodies = random(1_500, 7);
    let mut found: Vec<(u32, u32)> = near_pairs(&bodies, 0.3).into_iter().map(|p| (p.0, p.1)).collect();
    found.sort_unstable();
    let mut wanted = Vec::new();
    for i in 0..bodies.len() {
        for j in i + 1..bodies.len() {
            if gap(&bodies[i], &bodies[j]).gap_m < 0.3 {
                wanted.push((i as u32, j as u32));
            }
        }
    }
    assert!(wanted.len() > 300, "{}", wanted.len());
    assert_eq!(found, wanted);
}

/// Planners judge the twin by it: of the pairs that are left, streets meet at a narrow angle or lanes have no more room.
#[test]
fn the_synthetic_district_is_laid_by_the_rules() {
    let pipes = crate::pipe::pipes(&district().view(), None).unwrap();
    let found = clearances(&Pieces::new(&pipes), None, Options::default()).unwrap();
    let count = |v: Verdict| found.iter().filter(|f| f.verdict == v).count();
    let counts = (count(Verdict::Clash), count(Verdict::Violation), count(Verdict::Exception));
    assert!(counts.0 == 0 && counts.1 <= 60 && counts.2 <= 400, "clashes, violations and exceptions: {counts:?}");
    let narrow = |f: &&Finding| f.angle_deg.is_none_or(|a| a > 30.0) && f.relation == Relation::Crossing;
    assert_eq!(found.iter().filter(|f| f.verdict == Verdict::Violation).filter(narrow).count(), 0, "a plain crossing is sound");
}

/// Random pipes of all classes against a plain double loop over the rules, with sampled distances in plan.
#[test]
fn findings_are_those_of_a_double_loop() {
    let mut dice = ChaCha8Rng::seed_from_u64(11);
    let pipes: Vec<Pipe> = (0..600)
        .map(|i| {
            let a = [dice.random_range(0.0..120.0), dice.random_range(0.0..120.0), dice.random_range(-4.0..-1.0)];
            let b = [a[0] + dice.random_range(-12.0..12.0), a[1] + dice.random_range(-12.0..12.0), a[2]];
            let mut p = round(&format!("p{i}"), Class::ALL[dice.random_range(0..7)], 100.0 * f64::from(dice.random_range(1..6)), &[a, b]);
            p.voltage_kv = Some(10.0);
            p
        })
        .collect();
    let found = only(&pipes, 0.0);
    let (mut parallel, mut crossing) = (0, 0);
    for i in 0..pipes.len() {
        for j in i + 1..pipes.len() {
            let (p, q) = (&pipes[i], &pipes[j]);
            let mine = found.iter().find(|f| (f.a, f.b) == (i as u32, j as u32));
            let (r, s) = (p.section.half_width_m(), q.section.half_width_m());
            let line = |p: &Pipe, t: f64| lerp(p.axis[0], p.axis[1], t);
            // In plan by geo, in space by sampling: level pipes cross where their plans cross.
            let flat = |p: &Pipe| geo::Line::new((p.axis[0][0], p.axis[0][1]), (p.axis[1][0], p.axis[1][1]));
            let plan = geo::Distance::distance(&geo::Euclidean, &flat(p), &flat(q)) - r - s;
            let need = rules().clearance_in_plan(&Kind::of_pipe(p), &Kind::of_pipe(q));
            if plan > 1e-6 {
                let short = need.as_ref().is_some_and(|n| plan < n.least_m - 1e-6);
                assert_eq!(mine.is_some_and(|f| f.verdict.is_fault()), short, "{i} {j} {plan}");
                parallel += usize::from(short);
            } else if plan < -r - s + 1e-9 {
                let height = (line(p, 0.0)[2] - line(q, 0.0)[2]).abs() - r - s;
                let (u, l) = if p.axis[0][2] >= q.axis[0][2] { (p, q) } else { (q, p) };
                let need = rules().clearance_at_crossing(&Kind::of_pipe(u), &Kind::of_pipe(l));
                let short = height < -1e-6 || need.is_some_and(|n| height < n.least_m - 1e-6);
                assert_eq!(mine.is_some_and(|f| f.verdict.is_fault()), short, "{i} {j} {height}");
                crossing += usize::from(short);
            }
        }
    }
    assert!(parallel > 20 && crossing > 20, "{parallel} {crossing}");
}

#[test]
fn trees_kerbs_tracks_and_houses() {
    let thing = |row, shape| Obstacle { layer: strata_model::LayerId::new("x").unwrap(), id: row_id(row), row, shape };
    fn row_id(r: crate::rules::Row) -> strata_model::FeatureId {
        r.code().into()
    }
    use crate::rules::Row;
    let house = vec![vec![vec![[0.0, 5.0], [10.0, 5.0], [10.0, 9.0], [0.0, 9.0], [0.0, 5.0]]]];
    let things = [
        thing(Row::Bld, Shape::Areas(house)),
        thing(Row::Tree, Shape::Point([5.0, 1.5, 2.0])),
        thing(Row::Kerb, Shape::Lines(vec![[[0.0, -1.0, 2.0], [40.0, -1.0, 2.0]]], 0.0)),
        thing(Row::Rail, Shape::Lines(vec![[[20.0, -20.0, 2.0], [20.0, 20.0, 2.0]]], 1.5)),
    ];
    // Water DN 300: house 3.0 (has 5 − 0.15), tree 1.5 (has 1.35), kerb 1.5 (has 0.85), under rails 1.0 (has 2 − 0.15).
    let (near, slants) = against(&Pieces::new(&[east("w", Class::Js, 300.0, 0.0, 0.0)]), &Surroundings::new(&things), 0.0, true);
    let at = |row: Row| near.iter().find(|n| things[n.obstacle as usize].row == row).map(|n| (n.verdict, (n.gap_m * 1e6).round() / 1e6));
    assert_eq!(at(Row::Bld).unwrap(), (Verdict::Sound, 4.85));
    assert_eq!(at(Row::Tree).unwrap(), (Verdict::Exception, 1.35));
    assert_eq!(at(Row::Kerb).unwrap(), (Verdict::Exception, 0.85));
    assert_eq!(at(Row::Rail).unwrap(), (Verdict::Sound, 1.85));
    assert!(slants.is_empty());
    // Nearer to the house, and under it.
    let (near, _) = against(&Pieces::new(&[east("w", Class::Js, 300.0, 3.0, 0.0)]), &Surroundings::new(&things[..1]), 0.0, false);
    assert_eq!((near[0].verdict, near[0].gap_m), (Verdict::Exception, 1.85));
    let inside = round("w", Class::Js, 300.0, &[[4.0, 6.5, 0.0], [5.0, 7.5, 0.0]]);
    let (near, _) = against(&Pieces::new(&[inside]), &Surroundings::new(&things[..1]), 0.0, false);
    assert_eq!((near[0].verdict, near[0].gap_m), (Verdict::Violation, -0.15));
    // Across the tracks at 45°.
    let slant = round("w", Class::Js, 300.0, &[[10.0, -10.0, 0.0], [30.0, 10.0, 0.0]]);
    let (_, slants) = against(&Pieces::new(&[slant]), &Surroundings::new(&things[3..]), 0.0, false);
    assert!((slants[0].angle_deg - 45.0).abs() < 1e-9 && slants[0].rule.clause == "4.1.7");
}

#[test]
fn the_district_at_once() {
    let city = district();
    let answer = (CLEARANCE.run)(&city.view(), &json!({ "against": ["pipes"], "limit": 50 })).unwrap();
    assert!(answer["pipes"].as_u64().unwrap() > 5_000 && answer["left_out"] == 0);
    assert!(answer["faults"].as_u64().unwrap() > 0 && answer["more"].as_u64().unwrap() > 0);
    for p in answer["pairs"].as_array().unwrap() {
        assert!(p["gap_m"].is_number() && p["connection"]["coordinates"].as_array().unwrap().len() == 2);
        assert!(p["rule"].is_null() || p["rule"]["standard"] == "GB 50289");
    }
    // One pipe by its id gives just its pairs.
    if let Some(id) = answer["pairs"][0]["a"]["id"].as_str() {
        let one = (CLEARANCE.run)(&city.view(), &json!({ "pipes": [id], "limit": 50 })).unwrap();
        let pairs = one["pairs"].as_array().unwrap();
        assert!(!pairs.is_empty() && pairs.iter().all(|p| p["a"]["id"] == id || p["b"]["id"] == id));
    }
    let missing = (CLEARANCE.run)(&city.view(), &json!({ "pipes": ["no-such"] })).unwrap_err();
    assert_eq!(missing.to_string(), "pipe no-such is not in the city");
}
