//! Clearance: one side of the duel with FCL, and a city's worth of pieces judged by the rules. One line of JSON each.
//!
//! `bench-bodies capsules N MARGIN OUT.json` writes the capsules (`x0 y0 z0 x1 y1 z1 radius`) and the pairs that are nearer;
//! `bench-bodies city N` judges every pair of pipes of all classes that comes near.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use strata_benches::timed;
use strata_model::{FeatureId, LayerId};
use strata_pipes::{
    Class, Pipe, Section,
    clearance::{Body, Options, Pieces, clearances, near_pairs},
};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["capsules", n, margin, out] => capsules(n.parse().expect("a number"), margin.parse().expect("metres"), out),
        ["city", n] => city(n.parse().expect("a number")),
        _ => panic!("bench-bodies capsules N MARGIN OUT.json | city N"),
    }
}

fn capsules(n: usize, margin_m: f64, out: &str) {
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let side = (n as f64).cbrt() * 4.0;
    let bodies: Vec<Body> = (0..n)
        .map(|_| {
            let a = [0; 3].map(|_| dice.random_range(0.0..side));
            let b = a.map(|v| v + dice.random_range(-4.0..4.0));
            Body { axis: [a, b], half_m: [dice.random_range(0.05..0.6); 2], round: true }
        })
        .collect();
    let (mut pairs, took) = timed(|| near_pairs(&bodies, margin_m));
    pairs.sort_unstable_by_key(|p| (p.0, p.1));
    let rows: Vec<Vec<f64>> = bodies.iter().map(|b| b.axis.iter().flatten().copied().chain([b.half_m[0]]).collect()).collect();
    std::fs::write(out, json!({ "capsules": rows, "pairs": pairs }).to_string()).expect("the file is written");
    println!("{}", json!({ "took": took, "hits": pairs.len() }));
}

/// Streets every 150 m with a lane of pipes of each class, pieces of 30 m, laid as wide apart as lanes usually are.
fn city(n: usize) {
    const LANES: [(Class, f64, f64, f64); 8] = [
        (Class::Js, 300.0, 0.0, -1.4),
        (Class::Ps, 600.0, 2.2, -2.8),
        (Class::Rq, 200.0, 4.6, -1.1),
        (Class::Rl, 400.0, 7.0, -1.7),
        (Class::Dl, 150.0, 9.4, -0.8),
        (Class::Tx, 110.0, 11.0, -0.9),
        (Class::Gy, 250.0, 13.0, -2.1),
        (Class::Qt, 200.0, 15.0, -1.2),
    ];
    let mut dice = ChaCha8Rng::seed_from_u64(3);
    let per_street = 700;
    let streets = n.div_ceil(per_street * LANES.len());
    let mut pipes = Vec::with_capacity(n);
    for street in 0..streets {
        for (class, dn, beside, height) in LANES {
            let mut last: Option<[f64; 3]> = None;
            for i in 0..=per_street {
                let across = (street / 2) as f64 * 150.0 + beside + dice.random_range(-0.3..0.3);
                let (along, z) = (i as f64 * 30.0, height + dice.random_range(-0.1..0.1));
                let at = if street % 2 == 0 { [along, across, z] } else { [across, along, z] };
                if let Some(from) = last.replace(at)
                    && pipes.len() < n
                {
                    pipes.push(pipe(pipes.len(), class, dn, [from, at]));
                }
            }
        }
    }
    let (pieces, made) = timed(|| Pieces::new(&pipes));
    let (found, took) = timed(|| clearances(&pieces, None, Options::default()).expect("not too many"));
    println!(
        "{}",
        json!({ "took": took, "made": made, "pieces": pieces.pieces.len(), "kinds": pieces.kinds.len(), "findings": found.len() })
    );
}

fn pipe(i: usize, class: Class, dn: f64, axis: [[f64; 3]; 2]) -> Pipe {
    Pipe {
        layer: LayerId::new("pipes").expect("a name"),
        id: FeatureId::new(format!("p{i}")),
        class,
        subclass: String::new(),
        axis: axis.to_vec(),
        section: Section::Round { outer_diameter_m: dn / 1000.0 },
        size_assumed: false,
        dn_mm: Some(dn),
        material: None,
        embed: Some("直埋".into()),
        pressure: None,
        voltage_kv: Some(10.0),
        flow_dir: None,
        start_point: None,
        end_point: None,
        start_invert_m: None,
        end_invert_m: None,
        owner: None,
        road: None,
        year_built: None,
        life_years: None,
        status: 0,
        accuracy_m: Some(0.05),
    }
}
