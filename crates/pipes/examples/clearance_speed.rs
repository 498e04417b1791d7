//! How long clearances take: a synthetic grid of streets with ten pipes each, about N pieces (default 1 000 000), and one
//! drawn pipe among them. `cargo run --example clearance_speed -p strata-pipes -- 1000000`; with `capsules N FILE`
//! it writes N random capsules and the pairs found among them, to be compared with another program.

use rand::{Rng, SeedableRng};
use std::{collections::HashSet, error::Error, io::Write, time::Instant};
use strata_model::LayerId;
use strata_pipes::{
    Class, Pipe, Section,
    clearance::{Body, Options, Pieces, clearances, near_pairs},
};

fn pipe(layer: &LayerId, id: usize, class: Class, dn: f64, a: [f64; 3], b: [f64; 3]) -> Pipe {
    let section = match class {
        Class::Dl | Class::Tx => Section::Rect { width_m: 0.5, height_m: 0.3 },
        _ => Section::Round { outer_diameter_m: dn / 1000.0 * 1.05 },
    };
    Pipe {
        layer: layer.clone(),
        id: format!("{id}").as_str().into(),
        class,
        subclass: String::new(),
        axis: vec![a, b],
        section,
        size_assumed: false,
        dn_mm: Some(dn),
        material: None,
        embed: Some("直埋".into()),
        pressure: (class == Class::Rq).then(|| "中压B".into()),
        voltage_kv: (class == Class::Dl).then_some(10.0),
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

/// Streets every 150 m both ways, turned by 20°, ten lines in each, pieces of 30 m that wander by centimetres.
fn streets(n: usize) -> Result<Vec<Pipe>, Box<dyn Error>> {
    let layer = LayerId::new("pipes")?;
    let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    use Class::*;
    let lines = [
        (Dl, 500.0, 8.0, -1.0),
        (Rq, 200.0, 6.5, -1.4),
        (Js, 300.0, 4.0, -2.0),
        (Js, 200.0, 2.6, -1.9),
        (Ps, 600.0, 1.0, -3.5),
        (Ps, 400.0, -1.2, -4.4),
        (Rl, 400.0, -4.0, -2.6),
        (Rl, 400.0, -4.9, -2.6),
        (Tx, 400.0, -7.5, -1.2),
        (Gy, 150.0, 5.4, -3.0),
    ];
    let length = ((n as f64 * 30.0 * 150.0 / 20.0).sqrt() / 150.0).ceil() * 150.0;
    let (cos, sin) = (20f64.to_radians().cos(), 20f64.to_radians().sin());
    let at = |along: f64, across: f64, turned: bool, z: f64| {
        let (x, y) = if turned { (across, along) } else { (along, across) };
        [440_000.0 + x * cos - y * sin, 4_860_000.0 + x * sin + y * cos, 200.0 + z]
    };
    let mut out = Vec::with_capacity(n);
    for street in 0.. {
        for turned in [false, true] {
            for (class, dn, beside, z) in lines {
                let mut last = at(0.0, f64::from(street) * 150.0 + beside, turned, z);
                let mut along = 0.0;
                while along < length {
                    along += 30.0;
                    let wander = dice.random_range(-0.08..0.08);
                    let next = at(along, f64::from(street) * 150.0 + beside + wander, turned, z + dice.random_range(-0.1..0.1));
                    out.push(pipe(&layer, out.len(), class, dn, last, next));
                    last = next;
                    if out.len() == n {
                        return Ok(out);
                    }
                }
            }
        }
    }
    Ok(out)
}

fn capsules(n: usize, path: &str) -> Result<(), Box<dyn Error>> {
    let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(20);
    let side = (n as f64).cbrt() * 4.0;
    let bodies: Vec<Body> = (0..n)
        .map(|_| {
            let a = [0; 3].map(|_| dice.random_range(0.0..side));
            let b = a.map(|v| v + dice.random_range(-3.0..3.0));
            Body { axis: [a, b], half_m: [dice.random_range(0.05..0.5); 2], round: true }
        })
        .map(|b| Body { half_m: [b.half_m[0]; 2], ..b })
        .collect();
    let started = Instant::now();
    let pairs = near_pairs(&bodies, 0.0);
    eprintln!("{n} capsules: {} pairs in {:.3} s", pairs.len(), started.elapsed().as_secs_f64());
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    for b in &bodies {
        let [p, q] = b.axis;
        writeln!(out, "c {} {} {} {} {} {} {}", p[0], p[1], p[2], q[0], q[1], q[2], b.half_m[0])?;
    }
    for (i, j, d) in pairs {
        writeln!(out, "p {i} {j} {d}")?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, n, path] = arguments.as_slice()
        && word == "capsules"
    {
        return capsules(n.parse()?, path);
    }
    let n = arguments.first().map_or(Ok(1_000_000), |a| a.parse())?;
    let pipes = streets(n)?;
    let started = Instant::now();
    let pieces = Pieces::new(&pipes);
    let made = started.elapsed().as_secs_f64();
    let found = clearances(&pieces, None, Options::default())?;
    let all = started.elapsed().as_secs_f64();
    println!("{n} pieces, {} kinds: made ready in {made:.2} s, {} findings, {all:.2} s in all", pieces.kinds.len(), found.len());
    let chosen: HashSet<u32> = [n as u32 / 2].into();
    let started = Instant::now();
    let one = clearances(&pieces, Some(&chosen), Options::default())?;
    println!("one pipe against all: {} findings, {:.3} s", one.len(), started.elapsed().as_secs_f64());
    Ok(())
}
