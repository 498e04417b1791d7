//! Networks: building, tracing, segmenting and isolating a million pipes, and BWSN-2 beside WNTR.
//!
//! `bench-network [EDGES]`; `STRATA_DATA` names the folder with `epanet/networks/BWSN_Network_2.inp`, `STRATA_PYTHON` a python
//! with wntr: without them that part is said to be skipped.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{collections::HashSet, path::PathBuf, process::Command, time::Instant};
use strata_model::FeatureId;
use strata_pipes::{
    joining::{Builder, Joining, PointRow},
    network::{LinkKind, Network, PipeRow, PointKind},
    pipe::Class,
    segments::{Seat, Segments, Valve},
    walk::{Direction, Stops, directions, reach, shortest},
};

fn main() {
    let edges: usize = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(1_000_000);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load {}", load.trim());
    let side = ((edges as f64 / 2.0).sqrt() as usize).max(2);
    let net = timed("build (numbers of points)", || grid(side, true));
    println!("  {} nodes, {} edges, {} MiB resident at most", net.nodes.len(), net.edges.len(), peak_mib());
    let middle = net.nodes.len() as u32 / 2;
    let flow = timed("directions from the sources", || directions(&net));
    for (name, direction) in [("connected", Direction::Connected), ("upstream", Direction::Upstream), ("downstream", Direction::Downstream)]
    {
        best(&format!("trace {name}"), 9, || reach(&net, &[middle], direction, &flow, &Stops::default()).edges.len());
    }
    best("shortest way, corner to corner", 5, || {
        shortest(&net, 0, net.nodes.len() as u32 - 1, &Stops::default()).map_or(0, |w| w.edges.len())
    });
    // At 0.3 of the pipe ends segments are near the threshold at which they run through the whole city, so some shut
    // thousands of others off; 0.6 is nearer to what rules of placing ask for.
    for share in [0.3, 0.6] {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut valves = Vec::new();
        for edge in 0..net.edges.len() as u32 {
            for end in 0..2 {
                if rng.random_bool(share) {
                    valves.push(Valve { seat: Seat::End { edge, end }, closed: rng.random_bool(0.01), operable: true });
                }
            }
        }
        println!("{} valves, at {share} of the pipe ends", valves.len());
        best("segments", 5, || Segments::new(&net, valves.clone()).count);
        isolations(&Segments::new(&net, valves), &mut rng);
    }
    drop(net);
    let net = timed("build (by place)", || grid(side, false));
    println!("  {} nodes, {} edges, {} MiB resident at most", net.nodes.len(), net.edges.len(), peak_mib());
    drop(net);
    bwsn_2();
}

/// Isolations of random segments, each with one of its valves stuck.
fn isolations(segments: &Segments, rng: &mut ChaCha8Rng) {
    let mut times = Vec::new();
    let mut lost = 0;
    for _ in 0..2_000 {
        let s = rng.random_range(0..segments.count as u32);
        let around = segments.around(s);
        let stuck: HashSet<u32> = (!around.is_empty()).then(|| around[rng.random_range(0..around.len())]).into_iter().collect();
        let began = Instant::now();
        let found = segments.isolate(&[s], &stuck);
        times.push(began.elapsed().as_secs_f64() * 1e3);
        lost += found.cut_off.len();
    }
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
    println!(
        "{} segments; 2 000 isolations with a stuck valve: median {:.4} ms, 99 % {:.4} ms, longest {:.4} ms; {lost} parts cut off",
        segments.count,
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Streets with a pipe each, 80 m long; two sources.
fn grid(side: usize, numbered: bool) -> Network {
    let mut b = Builder::new(Joining::of(Class::Js));
    let id = |i: usize, j: usize| FeatureId::new(format!("n{}", i * side + j));
    let at = |i: usize, j: usize| [i as f64 * 80.0, j as f64 * 80.0, 0.0];
    for (i, j) in [(0, 0), (side / 2, side - 1)] {
        b.point(id(i, j), PointRow::new(PointKind::Source, at(i, j)));
    }
    for i in 0..side {
        for j in 0..side {
            for (x, y) in [(i + 1, j), (i, j + 1)] {
                if x < side && y < side {
                    let ends = if numbered { [Some(id(i, j)), Some(id(x, y))] } else { [None, None] };
                    let row = PipeRow {
                        layer: 0,
                        id: FeatureId::new(format!("p{}-{}", i * side + j, x * side + y)),
                        kind: LinkKind::Pipe,
                        diameter_m: 0.3,
                        inverts_m: None,
                        subclass: 0,
                        pressure: 0,
                        material: 0,
                        closed: false,
                        declared_flow: None,
                        declared_length_m: None,
                        ends,
                    };
                    b.pipe(row, &[at(i, j), at(x, y)]);
                }
            }
        }
    }
    b.finish()
}

fn bwsn_2() {
    let data =
        std::env::var_os("STRATA_DATA").map(PathBuf::from).map(|d| d.join("epanet/networks/BWSN_Network_2.inp")).filter(|p| p.is_file());
    let (Some(inp), Ok(python)) = (data, std::env::var("STRATA_PYTHON")) else {
        println!("BWSN-2: skipped (STRATA_DATA and STRATA_PYTHON name the model and a python with wntr)");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/pipes/tests/peers/valve_segments.py");
    let out = Command::new(python).arg(script).arg(inp).args(["strategic", "2", "1"]).output().expect("python starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let found: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let text = |v: &serde_json::Value| v.as_str().expect("a text").to_owned();
    let mut b = Builder::new(Joining::of(Class::Js));
    for s in found["sources"].as_array().expect("a list") {
        b.point(FeatureId::new(text(s)), PointRow::new(PointKind::Source, [0.0; 3]));
    }
    for l in found["links"].as_array().expect("a list") {
        let [id, from, to] = [0, 1, 2].map(|i| FeatureId::new(text(&l[i])));
        let row = PipeRow {
            layer: 0,
            id,
            kind: LinkKind::Pipe,
            diameter_m: 0.3,
            inverts_m: None,
            subclass: 0,
            pressure: 0,
            material: 0,
            closed: false,
            declared_flow: None,
            declared_length_m: Some(1.0),
            ends: [Some(from), Some(to)],
        };
        b.pipe(row, &[[0.0; 3], [1.0, 0.0, 0.0]]);
    }
    let net = b.finish();
    let valves: Vec<Valve> = found["valves"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|v| {
            let edge = net.edges_of(&text(&v[0])).expect("a link").start;
            let node = net.node_of(&text(&v[1])).expect("a node");
            let end = u8::from(net.edges[edge as usize].ends[0] != node);
            Valve { seat: Seat::End { edge, end }, closed: false, operable: true }
        })
        .collect();
    println!(
        "BWSN-2: {} links, {} valves; WNTR {} {:.2} s CPU",
        net.edges.len(),
        valves.len(),
        found["wntr"],
        found["seconds"].as_f64().unwrap_or(f64::NAN)
    );
    best("  segments of BWSN-2", 9, || Segments::new(&net, valves.clone()).count);
    // The same parts: each number of theirs goes with one of ours, and back.
    let segments = Segments::new(&net, valves);
    let mut pairs = HashSet::new();
    for (id, s) in found["link_segments"].as_object().expect("an object") {
        pairs.insert((s.as_u64(), segments.of_edge[net.edges_of(id).expect("a link").start as usize]));
    }
    for (id, s) in found["node_segments"].as_object().expect("an object") {
        pairs.insert((s.as_u64(), segments.of_node[net.node_of(id).expect("a node") as usize]));
    }
    assert_eq!(pairs.len(), segments.count, "the two do not cut the network into the same parts");
    println!("  the same {} segments", pairs.len());
    isolations(&segments, &mut ChaCha8Rng::seed_from_u64(2));
}

fn timed<T>(what: &str, f: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let out = f();
    println!("{what}: {:.3} s", began.elapsed().as_secs_f64());
    out
}

/// Median and fastest of several runs.
fn best(what: &str, runs: usize, mut f: impl FnMut() -> usize) {
    let mut times = Vec::new();
    let mut answer = 0;
    for _ in 0..runs {
        let began = Instant::now();
        answer = f();
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("{what}: median {:.2} ms, fastest {:.2} ms ({answer})", times[runs / 2], times[0]);
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|k| k.parse::<u64>().ok()).unwrap_or(0) / 1024
}
