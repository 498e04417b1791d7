//! Networks: building, tracing, segmenting and isolating a million pipes.
//!
//! `bench-network [EDGES]` prints all of it. One side of a duel, as one line of JSON: `bench-network walks EDGES TABLE.csv` walks
//! through pipes that are not equally long and writes them down (`edge,from,to,length`); `bench-network segments FOUND.json`
//! cuts a network at the valves that WNTR was given and looks for its segments.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::{collections::HashSet, fmt::Write, time::Instant};
use strata_model::FeatureId;
use strata_pipes::{
    isolation::Totals,
    joining::{Builder, Joining, PointRow},
    network::{LinkKind, Network, PipeRow, PointKind},
    pipe::Class,
    segments::{Seat, Segments, Valve},
    users::Count,
    walk::{Direction, Stops, directions, distances, reach, shortest},
};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["walks", edges, table] => return walks(side_of(edges.parse().expect("a number")), table),
        ["segments", found] => return segments_beside(found),
        _ => {}
    }
    let side = side_of(args.first().and_then(|a| a.parse().ok()).unwrap_or(1_000_000));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load {}", load.trim());
    let net = timed("build (numbers of points)", || grid(side, true, None));
    println!("  {} nodes, {} edges, {} MiB resident at most", net.nodes.len(), net.edges.len(), peak_mib());
    let middle = net.nodes.len() as u32 / 2;
    let flow = timed("directions from the sources", || directions(&net));
    for (name, direction) in [("connected", Direction::Connected), ("upstream", Direction::Upstream), ("downstream", Direction::Downstream)]
    {
        best(&format!("trace {name}"), 9, || reach(&net, &[middle], direction, &flow, &Stops::default()).edges.len());
    }
    timed("landmarks for the shortest way, once", || net.ready_for_ways());
    best("shortest way, corner to corner", 5, || {
        shortest(&net, 0, net.nodes.len() as u32 - 1, &Stops::default()).map_or(0, |w| w.edges.len())
    });
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    best("shortest way between two random points", 101, || {
        let [a, b] = [0; 2].map(|_| rng.random_range(0..net.nodes.len() as u32));
        shortest(&net, a, b, &Stops::default()).map_or(0, |w| w.edges.len())
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
        best("segments, with all that an isolation asks", 5, || Segments::new(&net, valves.clone()).count);
        isolations(&Segments::new(&net, valves), &mut rng);
    }
    drop(net);
    let net = timed("build (by place)", || grid(side, false, None));
    println!("  {} nodes, {} edges, {} MiB resident at most", net.nodes.len(), net.edges.len(), peak_mib());
}

fn side_of(edges: usize) -> usize {
    ((edges as f64 / 2.0).sqrt() as usize).max(2)
}

fn walks(side: usize, table: &str) {
    // Whole metres, so that sums are the same in any order.
    let (net, build) = strata_benches::timed(|| grid(side, true, Some(|n| 80.0 + (n * 7_919 % 41) as f64)));
    let mut rows = String::new();
    for (i, e) in net.edges.iter().enumerate() {
        writeln!(rows, "{i},{},{},{}", e.ends[0], e.ends[1], e.length_m).expect("a text");
    }
    std::fs::write(table, rows).expect("the table is written");
    let (from, to) = (net.node_of("n0").expect("a corner"), net.node_of(&format!("n{}", side * side - 1)).expect("a corner"));
    let middle = net.node_of(&format!("n{}", side * side / 2)).expect("the middle");
    let (met, connected) = strata_benches::timed(|| reach(&net, &[middle], Direction::Connected, &[], &Stops::default()));
    let (far, all) = strata_benches::timed(|| distances(&net, &[middle]));
    let ((), landmarks) = strata_benches::timed(|| net.ready_for_ways());
    let (way, path) = strata_benches::timed(|| shortest(&net, from, to, &Stops::default()).expect("a way"));
    let sum: f64 = far.iter().filter(|d| d.is_finite()).sum();
    println!(
        "{}",
        json!({
            "from": from, "to": to, "middle": middle, "edges": net.edges.len(), "build": build, "landmarks": landmarks,
            "connected": { "took": connected, "answer": [met.nodes.len()] },
            "distances": { "took": all, "answer": [far.iter().filter(|d| d.is_finite()).count(), sum] },
            "path": { "took": path, "answer": [way.length_m] },
        })
    );
}

/// Isolations of random segments, each with one of its valves stuck, and the sum of the users on all that is without: in ms
/// the median, that of 99 in 100, and the longest.
fn isolations(segments: &Segments, rng: &mut ChaCha8Rng) -> [f64; 3] {
    let user = |rng: &mut ChaCha8Rng| Count {
        buildings: rng.random_range(0..9),
        dwellings: rng.random_range(0..300),
        critical: usize::from(rng.random_bool(0.01)),
        hydrants: rng.random_range(0..3),
    };
    let totals = Totals::new(segments, (0..segments.count).map(|_| user(rng)).collect());
    let mut border = 0;
    let (mut times, mut lost, mut most, mut people) = (Vec::new(), 0, 0, 0);
    for _ in 0..2_000 {
        let s = rng.random_range(0..segments.count as u32);
        let around: Vec<u32> = segments.around(s).collect();
        let stuck: HashSet<u32> = (!around.is_empty()).then(|| around[rng.random_range(0..around.len())]).into_iter().collect();
        let began = Instant::now();
        let found = segments.isolate(&[s], &stuck);
        let (count, _) = totals.lost(segments, &found);
        times.push(began.elapsed().as_secs_f64() * 1e3);
        border = border.max(found.close.len() + found.dry.len());
        people += count.people();
        lost += found.cut_off.len();
        most = most.max(found.cut_off.len());
    }
    times.sort_by(f64::total_cmp);
    let slow = times.iter().filter(|t| **t > 1.0).count();
    let [median, most_of_them, longest] = [0.5, 0.99, 1.0].map(|q| times[((times.len() - 1) as f64 * q) as usize]);
    eprintln!("  {people} people in all");
    println!(
        "{} segments; 2 000 isolations with a stuck valve, users counted: median {median:.4} ms, 99 % {most_of_them:.4} ms, longest {longest:.4} ms, {slow} over 1 ms; {lost} parts cut off, at most {most} at once; at most {border} valves to close",
        segments.count,
    );
    [median, most_of_them, longest]
}

/// Streets every 80 m with a pipe each, as long as `length_m` says of the number of the pipe; two sources.
fn grid(side: usize, numbered: bool, length_m: Option<fn(usize) -> f64>) -> Network {
    let mut b = Builder::new(Joining::of(Class::Js));
    let id = |i: usize, j: usize| FeatureId::new(format!("n{}", i * side + j));
    let at = |i: usize, j: usize| [i as f64 * 80.0, j as f64 * 80.0, 0.0];
    for (i, j) in [(0, 0), (side / 2, side - 1)] {
        b.point(id(i, j), PointRow::new(PointKind::Source, at(i, j)));
    }
    let mut pipes = 0;
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
                        declared_length_m: length_m.map(|l| l(pipes)),
                        ends,
                    };
                    pipes += 1;
                    b.pipe(row, &[at(i, j), at(x, y)]);
                }
            }
        }
    }
    b.finish()
}

fn segments_beside(found: &str) {
    let found: Value = serde_json::from_str(&std::fs::read_to_string(found).expect("what WNTR found")).expect("JSON");
    let text = |v: &Value| v.as_str().expect("a text").to_owned();
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
    let (links, seats) = (net.edges.len(), valves.len());
    let (segments, took) = strata_benches::timed(|| Segments::new(&net, valves));
    // The same parts: each number of theirs goes with one of ours, and back.
    let mut pairs = HashSet::new();
    for (id, s) in found["link_segments"].as_object().expect("an object") {
        pairs.insert((s.as_u64(), segments.of_edge[net.edges_of(id).expect("a link").start as usize]));
    }
    for (id, s) in found["node_segments"].as_object().expect("an object") {
        pairs.insert((s.as_u64(), segments.of_node[net.node_of(id).expect("a node") as usize]));
    }
    let theirs: HashSet<_> = pairs.iter().map(|p| p.0).collect();
    assert!(pairs.len() == segments.count && pairs.len() == theirs.len(), "the two do not cut the network into the same parts");
    let isolations = isolations(&segments, &mut ChaCha8Rng::seed_from_u64(2));
    println!("{}", json!({ "took": took, "links": links, "valves": seats, "segments": segments.count, "isolations": isolations }));
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
