//! Segments as WNTR finds them, isolations as an exhaustive search finds them, bursts in the district.

#![allow(clippy::unwrap_used)]

mod common;

use common::{
    City, Hand,
    graph::{layer, network, same_partition},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
    process::Command,
    time::Instant,
};
use strata_pipes::{
    isolate::{ISOLATE, SEGMENTS},
    isolation::Totals,
    network::Network,
    segments::{Seat, Segments, Valve},
    users::Count,
    walk::{Stops, shortest},
};

#[derive(Deserialize)]
struct Fixture {
    links: Vec<[String; 3]>,
    sources: Vec<String>,
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    placement: String,
    valves: Vec<[String; 2]>,
    nodes: Vec<(String, u32)>,
    links: Vec<(String, u32)>,
}

/// Panics where the two do not cut the network into the same parts; gives how many.
fn compare(
    net: &Network,
    segments: &Segments,
    nodes: impl Iterator<Item = (String, u32)>,
    links: impl Iterator<Item = (String, u32)>,
) -> usize {
    let nodes = nodes.map(|(id, s)| (s, segments.of_node[net.node_of(&id).unwrap() as usize]));
    let links = links.map(|(id, s)| (s, segments.of_edge[net.edges_of(&id).unwrap().start as usize]));
    let pairs: Vec<_> = nodes.chain(links).collect();
    assert_eq!(pairs.len(), net.nodes.len() + net.edges.len());
    same_partition(pairs.into_iter()).unwrap_or_else(|i| panic!("the {i}th element stands in another segment"))
}

#[test]
fn segments_of_net3_are_those_that_wntr_finds() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/net3-segments.json")).unwrap();
    let fixture: Fixture = serde_json::from_str(&text).unwrap();
    let net = network(&fixture.links, &fixture.sources);
    assert_eq!(fixture.layers.len(), 5);
    for l in fixture.layers {
        let segments = Segments::new(&net, layer(&net, &l.valves));
        let n = compare(&net, &segments, l.nodes.into_iter(), l.links.into_iter());
        assert_eq!(n, segments.count, "{} with {} valves", l.placement, l.valves.len());
    }
}

/// A python that has WNTR: `STRATA_PYTHON`.
fn python_with(module: &str) -> Option<String> {
    let python = std::env::var("STRATA_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", &format!("import {module}")]).output().is_ok_and(|o| o.status.success());
    if !has {
        println!("skipped: `{python}` has no {module} (STRATA_PYTHON names another)");
    }
    has.then_some(python)
}

fn data() -> Option<std::path::PathBuf> {
    let place =
        std::env::var_os("STRATA_DATA").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), Into::into);
    if !place.is_dir() {
        println!("skipped: no real data at {}", place.display());
        return None;
    }
    Some(place)
}

#[test]
fn segments_of_bwsn_2_are_those_that_wntr_finds() {
    #[derive(Deserialize)]
    struct Found {
        seconds: f64,
        links: Vec<[String; 3]>,
        sources: Vec<String>,
        valves: Vec<[String; 2]>,
        node_segments: HashMap<String, u32>,
        link_segments: HashMap<String, u32>,
    }
    let (Some(data), Some(python)) = (data(), python_with("wntr")) else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/valve_segments.py");
    let out = Command::new(python)
        .arg(script)
        .arg(data.join("epanet/networks/BWSN_Network_2.inp"))
        .args(["strategic", "2", "1"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let found: Found = serde_json::from_slice(&out.stdout).unwrap();
    let net = network(&found.links, &found.sources);
    let valves = layer(&net, &found.valves);
    assert_eq!(valves.len(), 6_271);
    let began = Instant::now();
    let segments = Segments::new(&net, valves);
    let ours = began.elapsed().as_secs_f64();
    let n = compare(&net, &segments, found.node_segments.into_iter(), found.link_segments.into_iter());
    println!("BWSN-2: {n} segments; WNTR {:.1} s CPU, here {:.2} ms", found.seconds, ours * 1e3);
    assert_eq!(n, segments.count);
    assert!(ours < found.seconds / 10.0);
}

/// A network of a dozen pipes with valves, sources and closed valves, by names.
struct Small {
    links: Vec<[String; 3]>,
    sources: Vec<String>,
    ends: Vec<([String; 2], bool)>,
}

fn small(rng: &mut ChaCha8Rng) -> Small {
    let n = rng.random_range(3..9);
    let links: Vec<[String; 3]> = (0..rng.random_range(n..n + 5))
        .map(|i| {
            let a = rng.random_range(0..n);
            let b = (a + rng.random_range(1..n)) % n;
            [format!("p{i}"), format!("n{a}"), format!("n{b}")]
        })
        .collect();
    let mut sources: Vec<String> = (0..rng.random_range(1..3)).map(|_| format!("n{}", rng.random_range(0..n))).collect();
    sources.dedup();
    let mut ends = Vec::new();
    for l in &links {
        for k in [1, 2] {
            if ends.len() < 10 && rng.random_bool(0.35) {
                ends.push(([l[0].clone(), l[k].clone()], rng.random_bool(0.15)));
            }
        }
    }
    Small { links, sources, ends }
}

impl Small {
    /// Pipes and points ("p3", "n2") that a source reaches when these valves are shut: written on names, a fixpoint.
    fn wet(&self, shut: &HashSet<usize>) -> BTreeSet<&str> {
        let barred =
            |pipe: &str, node: &str| self.ends.iter().enumerate().any(|(i, (e, _))| shut.contains(&i) && e[0] == pipe && e[1] == node);
        let points: HashSet<&str> = self.links.iter().flat_map(|l| [l[1].as_str(), l[2].as_str()]).collect();
        let mut wet: BTreeSet<&str> = self.sources.iter().map(String::as_str).filter(|s| points.contains(s)).collect();
        loop {
            let before = wet.len();
            for l in &self.links {
                for node in [&l[1], &l[2]] {
                    if !barred(&l[0], node) && (wet.contains(l[0].as_str()) || wet.contains(node.as_str())) {
                        wet.insert(&l[0]);
                        wet.insert(node);
                    }
                }
            }
            if wet.len() == before {
                return wet;
            }
        }
    }
}

#[test]
fn no_set_of_valves_loses_less_or_is_smaller_than_the_one_found() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut tried, mut with_stuck, mut cut, mut other) = (0, 0, 0, 0);
    while tried < 400 {
        let s = small(&mut rng);
        let net = network(&s.links, &s.sources);
        let valves: Vec<Valve> = layer(&net, &s.ends.iter().map(|e| e.0.clone()).collect::<Vec<_>>())
            .into_iter()
            .zip(&s.ends)
            .map(|(v, e)| Valve { closed: e.1, ..v })
            .collect();
        let segments = Segments::new(&net, valves);
        let stuck: HashSet<usize> = (0..s.ends.len()).filter(|_| rng.random_bool(0.2)).collect();
        let standing: HashSet<usize> = (0..s.ends.len()).filter(|i| s.ends[*i].1).collect();
        let broken = &s.links[rng.random_range(0..s.links.len())][0];
        let before = s.wet(&standing);
        let edge = net.edges_of(broken).unwrap().start;
        let found = segments.isolate(&[segments.of_edge[edge as usize]], &stuck.iter().map(|i| *i as u32).collect());
        assert_eq!(found.fed, before.contains(broken.as_str()));
        // Every subset of the valves that can be turned.
        let free: Vec<usize> = (0..s.ends.len()).filter(|i| !stuck.contains(i) && !standing.contains(i)).collect();
        let best = (0..1usize << free.len())
            .filter_map(|mask| {
                let mut shut = standing.clone();
                shut.extend((0..free.len()).filter(|k| mask >> k & 1 == 1).map(|k| free[k]));
                let wet = s.wet(&shut);
                (!wet.contains(broken.as_str())).then(|| (before.len() - wet.len(), mask.count_ones() as usize))
            })
            .min();
        if found.sources > 0 {
            // A source stands in what must be shut: no valve helps.
            assert_eq!(best, None);
            continue;
        }
        let mut shut = standing.clone();
        shut.extend(found.close.iter().map(|v| *v as usize));
        let wet = s.wet(&shut);
        assert!(!wet.contains(broken.as_str()));
        assert_eq!(Some((before.len() - wet.len(), found.close.len())), best, "{:?} {:?} {broken} stuck {stuck:?}", s.links, s.ends);
        // What is lost is what is shut or cut off, by name.
        let gone: HashSet<u32> = found.shut.iter().chain(&found.cut_off).copied().collect();
        for l in &s.links {
            let segment = segments.of_edge[net.edges_of(&l[0]).unwrap().start as usize];
            let lost = before.contains(l[0].as_str()) && !wet.contains(l[0].as_str());
            assert_eq!(gone.contains(&segment) && segments.is_fed(segment), lost, "{}", l[0]);
        }
        // Another supply: exactly the closed valves that wet something again when opened, without wetting the break.
        for v in standing.iter().filter(|v| !stuck.contains(v)) {
            let mut opened = shut.clone();
            opened.extend(found.dry.iter().map(|d| *d as usize));
            let dry = s.wet(&opened);
            opened.remove(v);
            let again = s.wet(&opened);
            let helps = !again.contains(broken.as_str())
                && found.cut_off.iter().any(|c| {
                    let id = segments.edges(*c).first().map(|e| net.pipe(*e).id.as_str());
                    id.is_some_and(|id| again.contains(id) && !dry.contains(id))
                });
            let at_cut = segments.sides(*v as u32).iter().any(|s| found.cut_off.contains(s));
            if helps {
                assert!(!at_cut || found.other_supply.contains(&(*v as u32)), "{v}");
            }
            if found.other_supply.contains(&(*v as u32)) {
                assert!(again.len() > dry.len() && !again.contains(broken.as_str()), "{v}");
                other += 1;
            }
        }
        tried += 1;
        with_stuck += usize::from(!found.passed.is_empty());
        cut += usize::from(!found.cut_off.is_empty());
    }
    println!("{tried} networks, {with_stuck} with a stuck valve, {cut} with parts cut off, {other} other supplies");
    assert!(with_stuck > 40 && cut > 40 && other > 3);
}

/// What water reaches from the sources past the valves that are not shut; a fixpoint over half pipes.
/// Nodes, then edges, then what lies between a valve at the end of an edge and one that is its node: `between` as edge and end.
fn flood(net: &Network, valves: &[Valve], between: &[(u32, u8)], shut: &dyn Fn(u32) -> bool, sources: &[u32]) -> Vec<bool> {
    let nodes = net.nodes.len();
    let shut: Vec<Valve> = (0..valves.len() as u32).filter(|v| shut(*v)).map(|v| valves[v as usize]).collect();
    let bars = |v: &Valve, e: usize, k: usize| match v.seat {
        Seat::End { edge, end } => (edge as usize, usize::from(end)) == (e, k),
        Seat::Node(n) => net.edges[e].ends[k] == n,
    };
    let open: Vec<[bool; 2]> = (0..net.edges.len()).map(|e| [0, 1].map(|k| !shut.iter().any(|v| bars(v, e, k)))).collect();
    let mut wet = vec![false; nodes + net.edges.len()];
    sources.iter().for_each(|s| wet[*s as usize] = true);
    loop {
        let before = wet.iter().filter(|w| **w).count();
        for (e, edge) in net.edges.iter().enumerate() {
            for k in [0, 1] {
                let n = edge.ends[k] as usize;
                if open[e][k] && (wet[n] || wet[nodes + e]) {
                    (wet[n], wet[nodes + e]) = (true, true);
                }
            }
        }
        if wet.iter().filter(|w| **w).count() == before {
            break;
        }
    }
    let closed = |seat: Seat| shut.iter().any(|v| v.seat == seat);
    wet.extend(
        between
            .iter()
            .map(|&(edge, end)| {
                let node = net.edges[edge as usize].ends[usize::from(end)];
                (wet[node as usize] && !closed(Seat::Node(node))) || (wet[nodes + edge as usize] && !closed(Seat::End { edge, end }))
            })
            .collect::<Vec<_>>(),
    );
    wet
}

#[test]
fn segments_are_what_hangs_together_when_all_valves_are_shut() {
    let mut rng = ChaCha8Rng::seed_from_u64(15);
    let (mut parts, mut many, mut idle, mut series) = (0, 0, 0, 0);
    for _ in 0..400 {
        let n = rng.random_range(2..40usize);
        // With pipes between the same points, and from a point to itself.
        let links: Vec<[String; 3]> = (0..rng.random_range(1..2 * n))
            .map(|i| [format!("p{i}"), format!("n{}", rng.random_range(0..n)), format!("n{}", rng.random_range(0..n))])
            .collect();
        let net = network(&links, &["n0".into()]);
        let ends = (0..net.edges.len() as u32).flat_map(|edge| [0, 1].map(|end| Seat::End { edge, end }));
        let seats: Vec<Seat> = ends.chain((0..net.nodes.len() as u32).map(Seat::Node)).collect();
        let valves: Vec<Valve> = seats
            .into_iter()
            .filter_map(|seat| {
                let share = if matches!(seat, Seat::Node(_)) { 0.1 } else { 0.4 };
                rng.random_bool(share).then(|| Valve { seat, closed: rng.random_bool(0.1), operable: rng.random_bool(0.9) })
            })
            .collect();
        let parting: HashSet<Seat> = valves.iter().filter(|v| v.operable || v.closed).map(|v| v.seat).collect();
        let joined = |edge: usize, end: usize| {
            let node = Seat::Node(net.edges[edge].ends[end]);
            !parting.contains(&node) && !parting.contains(&Seat::End { edge: edge as u32, end: end as u8 })
        };
        // The least number of what hangs together, nodes before edges: a fixpoint.
        let nodes = net.nodes.len();
        let mut least: Vec<usize> = (0..nodes + net.edges.len()).collect();
        loop {
            let before = least.clone();
            for (e, edge) in net.edges.iter().enumerate() {
                for k in (0..2).filter(|k| joined(e, *k)) {
                    let node = edge.ends[k] as usize;
                    let both = least[node].min(least[nodes + e]);
                    (least[node], least[nodes + e]) = (both, both);
                }
            }
            if least == before {
                break;
            }
        }
        let segments = Segments::new(&net, valves);
        let of = |i: usize| if i < nodes { segments.of_node[i] } else { segments.of_edge[i - nodes] };
        let is_valve = |i: usize| i < nodes && parting.contains(&Seat::Node(i as u32));
        assert!((0..nodes).all(|n| is_valve(n) == (segments.of_node[n] == u32::MAX)));
        let all = (0..least.len()).filter(|i| !is_valve(*i)).map(|i| (least[i], of(i)));
        let count = same_partition(all).unwrap_or_else(|i| panic!("the {i}th element stands in another segment"));
        parts += count;
        // Between a valve at the end of a pipe and one that is the point there lies a part of its own, of no length.
        let node_of = |edge: u32, end: u8| net.edges[edge as usize].ends[usize::from(end)];
        let between: BTreeMap<(u32, u8), u32> = segments
            .valves
            .iter()
            .enumerate()
            .filter_map(|(i, v)| match v.seat {
                Seat::End { edge, end } if parting.contains(&v.seat) && parting.contains(&Seat::Node(node_of(edge, end))) => {
                    let other = segments.sides(i as u32).iter().copied().find(|s| *s != segments.of_edge[edge as usize]);
                    Some(((edge, end), other.expect("a side beyond the pipe")))
                }
                _ => None,
            })
            .collect();
        let numbers: BTreeSet<u32> = between.values().copied().collect();
        assert_eq!(numbers, (count as u32..segments.count as u32).collect(), "each its own, and no others");
        assert_eq!((numbers.len(), numbers.iter().map(|s| segments.length_m[*s as usize]).sum::<f64>()), (between.len(), 0.0));
        series += numbers.len();
        // What lies at a valve, and the valves of a segment.
        let mut around = vec![Vec::new(); segments.count];
        for (i, v) in segments.valves.iter().enumerate() {
            let at: BTreeSet<u32> = match v.seat {
                _ if !parting.contains(&v.seat) => BTreeSet::new(),
                Seat::End { edge, end } => {
                    let node = || segments.of_node[node_of(edge, end) as usize];
                    [segments.of_edge[edge as usize], between.get(&(edge, end)).copied().unwrap_or_else(node)].into()
                }
                Seat::Node(n) => {
                    let beside = |edge: u32, end: u8| between.get(&(edge, end)).copied().unwrap_or(segments.of_edge[edge as usize]);
                    net.halves(n).map(|h| beside(h.edge, h.end as u8)).collect()
                }
            };
            at.iter().for_each(|s| around[*s as usize].push(i as u32));
            many += usize::from(at.len() > 2);
            idle += usize::from(at.len() < 2);
            assert_eq!(segments.sides(i as u32), at.into_iter().collect::<Vec<u32>>());
        }
        let sorted = |mut all: Vec<u32>| {
            all.sort_unstable();
            all
        };
        assert!((0..segments.count).all(|s| sorted(segments.around(s as u32).collect()) == around[s]));
        let members = (0..segments.count as u32).map(|s| segments.edges(s).iter().filter(|e| segments.of_edge[**e as usize] == s).count());
        assert_eq!(members.sum::<usize>(), net.edges.len());
    }
    println!("{parts} segments, {many} valves between more than two, {idle} that part nothing, {series} valves behind another");
    assert!(parts > 4_000 && many > 100 && idle > 200 && series > 200);
}

#[test]
fn isolations_of_larger_networks_lose_what_a_flood_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let (mut cut, mut jointly, mut other, mut dry, mut series) = (0, 0, 0, 0, 0);
    for round in 0..600 {
        let n = rng.random_range(10..60usize);
        // A tree and some loops, so that many parts hang on one, and many on two.
        let links: Vec<[String; 3]> = (1..n + n / rng.random_range(2..12))
            .map(|i| {
                let (a, b) =
                    if i < n { (i, rng.random_range(i.saturating_sub(4)..i)) } else { (rng.random_range(0..n), rng.random_range(0..n)) };
                [format!("p{i}"), format!("n{a}"), format!("n{b}")]
            })
            .collect();
        let sources: Vec<String> = (0..rng.random_range(1..3)).map(|_| format!("n{}", rng.random_range(0..n))).collect();
        let net = network(&links, &sources);
        let fed: Vec<u32> = net.terminals().collect();
        let share = [0.15, 0.3, 0.5][round % 3];
        let mut valves: Vec<Valve> = (0..net.nodes.len() as u32)
            .filter(|n| !fed.contains(n) && rng.random_bool(0.1))
            .map(|node| Valve { seat: Seat::Node(node), closed: false, operable: true })
            .collect();
        valves.iter_mut().for_each(|v| v.closed = rng.random_bool(0.1));
        for edge in 0..net.edges.len() as u32 {
            for end in [0, 1u8] {
                if rng.random_bool(share) {
                    valves.push(Valve { seat: Seat::End { edge, end }, closed: rng.random_bool(0.08), operable: rng.random_bool(0.97) });
                }
            }
        }
        let segments = Segments::new(&net, valves);
        let valves = &segments.valves;
        let stands = |v: u32| valves[v as usize].closed;
        let between: Vec<((u32, u8), u32)> = (valves.iter().enumerate())
            .filter_map(|(i, v)| match v.seat {
                Seat::End { edge, end } if segments.of_node[net.edges[edge as usize].ends[usize::from(end)] as usize] == u32::MAX => {
                    Some(((edge, end), segments.sides(i as u32).iter().copied().find(|s| *s != segments.of_edge[edge as usize])?))
                }
                _ => None,
            })
            .collect();
        let seats: Vec<(u32, u8)> = between.iter().map(|b| b.0).collect();
        let before = flood(&net, valves, &seats, &stands, &fed);
        let (nodes, edges) = (net.nodes.len(), net.edges.len());
        let part = |i: usize| match i {
            i if i < nodes => segments.of_node[i],
            i if i < nodes + edges => segments.of_edge[i - nodes],
            i => between[i - nodes - edges].1,
        };
        series += between.len();
        let users =
            |rng: &mut ChaCha8Rng| Count { buildings: rng.random_range(0..9), dwellings: rng.random_range(0..99), ..Count::default() };
        let users: Vec<Count> = (0..segments.count).map(|_| users(&mut rng)).collect();
        let totals = Totals::new(&segments, users.clone());
        // Several questions to one set of segments: nothing of one may be left for the next.
        for _ in 0..8 {
            let at = segments.of_edge[rng.random_range(0..net.edges.len())];
            let stuck: HashSet<u32> = (0..valves.len() as u32).filter(|_| rng.random_bool(0.1)).collect();
            let found = segments.isolate(&[at], &stuck);
            let shut: HashSet<u32> = found.shut.iter().copied().collect();
            let cut_off: HashSet<u32> = found.cut_off.iter().copied().collect();
            assert_eq!((shut.len(), cut_off.len()), (found.shut.len(), found.cut_off.len()), "each once");
            let running: Vec<u32> = fed.iter().copied().filter(|n| !shut.contains(&segments.of_node[*n as usize])).collect();
            let after = flood(&net, valves, &seats, &|v| stands(v) || found.close.contains(&v) || found.dry.contains(&v), &running);
            let mut wet = HashSet::new();
            for i in (0..before.len()).filter(|i| part(*i) != u32::MAX) {
                assert_eq!(segments.is_fed(part(i)), before[i]);
                assert_eq!(cut_off.contains(&part(i)), before[i] && !after[i] && !shut.contains(&part(i)), "{round} {i}");
                assert!(!(after[i] && shut.contains(&part(i))));
                if after[i] {
                    wet.insert(part(i));
                }
            }
            let side = |v: u32, of: &HashSet<u32>| segments.sides(v).iter().any(|s| of.contains(s));
            assert!(found.close.iter().all(|v| side(*v, &wet)) && found.dry.iter().all(|v| !side(*v, &wet)));
            let border = |v: &u32| side(*v, &shut) && segments.sides(*v).iter().any(|s| !shut.contains(s));
            let closed: BTreeSet<u32> = (0..valves.len() as u32).filter(|v| stands(*v) && border(v)).collect();
            assert_eq!(found.closed.iter().copied().collect::<BTreeSet<u32>>(), closed);
            // What is lost, one by one.
            for (told, parts) in [
                (totals.cut_off(&segments, &found), found.cut_off.clone()),
                (totals.lost(&segments, &found), [&found.shut[..], &found.cut_off].concat()),
            ] {
                let sum = |of: &dyn Fn(Count) -> u64| parts.iter().map(|s| of(users[*s as usize])).sum::<u64>();
                assert_eq!([told.0.buildings as u64, told.0.dwellings], [sum(&|c| c.buildings as u64), sum(&|c| c.dwellings)]);
                let length_m: f64 = parts.iter().map(|s| segments.length_m[*s as usize]).sum();
                assert!((told.1 - length_m).abs() < 1e-6, "{} {length_m}", told.1);
            }
            let turns = |v: u32| valves[v as usize].operable && !stuck.contains(&v);
            let helps: BTreeSet<u32> =
                (0..valves.len() as u32).filter(|v| stands(*v) && turns(*v) && side(*v, &cut_off) && side(*v, &wet)).collect();
            assert_eq!(found.other_supply.iter().copied().collect::<BTreeSet<u32>>(), helps);
            cut += usize::from(!cut_off.is_empty());
            // Cut off by two that are shut, and by none of them alone.
            let alone: HashSet<u32> = found
                .shut
                .iter()
                .flat_map(|s| {
                    let rest: Vec<u32> = fed.iter().copied().filter(|n| segments.of_node[*n as usize] != *s).collect();
                    let left = flood(&net, valves, &seats, &|v| stands(v) || segments.sides(v).contains(s), &rest);
                    (0..before.len()).filter(|i| !left[*i]).map(part).collect::<Vec<_>>()
                })
                .collect();
            jointly += usize::from(cut_off.iter().any(|c| !alone.contains(c)));
            other += helps.len();
            dry += found.dry.len();
        }
    }
    println!("{cut} with parts cut off, {jointly} by two parts together, {other} other supplies, {dry} dry valves, {series} in series");
    assert!(cut > 500 && jointly > 20 && other > 50 && dry > 500 && series > 500);
}

#[test]
fn the_shortest_way_in_any_network_is_as_short_as_bellman_ford_says() {
    use strata_pipes::{
        joining::{Builder, Joining, PointRow},
        network::PointKind,
        pipe::Class,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let mut ways = 0;
    for _ in 0..300 {
        let n = rng.random_range(2..50usize);
        let mut b = Builder::new(Joining::of(Class::Js));
        let at: Vec<[f64; 3]> =
            (0..n).map(|_| [rng.random_range(0.0..900.0), rng.random_range(0.0..900.0), rng.random_range(0.0..9.0)]).collect();
        for (i, at) in at.iter().enumerate() {
            let valve = rng.random_bool(0.2);
            let kind = if valve { PointKind::Valve } else { PointKind::Tee };
            b.point(format!("n{i}").as_str().into(), PointRow { closed: valve && rng.random_bool(0.5), ..PointRow::new(kind, *at) });
        }
        for i in 0..rng.random_range(n..4 * n) {
            let [x, y] = [0; 2].map(|_| rng.random_range(0..n));
            let mut row = common::graph::row(&format!("p{i}"), [&format!("n{x}"), &format!("n{y}")]);
            // Some are shorter than the straight way, as models have them.
            row.declared_length_m = rng.random_bool(0.7).then(|| rng.random_range(0.5..1_500.0));
            row.closed = rng.random_bool(0.1);
            b.pipe(row, &[at[x], at[y]]);
        }
        let net = b.finish();
        let of = |i: usize| net.node_of(&format!("n{i}")).unwrap();
        let (from, to) = (of(0), of(n - 1));
        let stops = Stops { ignore_closed: rng.random_bool(0.3), ..Stops::default() };
        let mut far = vec![f64::INFINITY; net.nodes.len()];
        far[from as usize] = 0.0;
        for _ in 0..n {
            for e in net.edges.iter().filter(|e| stops.ignore_closed || !e.closed) {
                for [a, b] in [e.ends, [e.ends[1], e.ends[0]]] {
                    let passes = a == from || stops.ignore_closed || !net.nodes[a as usize].closed;
                    if passes && far[a as usize] + e.length_m < far[b as usize] {
                        far[b as usize] = far[a as usize] + e.length_m;
                    }
                }
            }
        }
        let Some(way) = shortest(&net, from, to, &stops) else {
            assert!(far[to as usize].is_infinite());
            continue;
        };
        assert!((way.length_m - far[to as usize]).abs() < 1e-6, "{} {}", way.length_m, far[to as usize]);
        assert_eq!((way.nodes.first(), way.nodes.last(), way.nodes.len()), (Some(&from), Some(&to), way.edges.len() + 1));
        for (e, w) in way.edges.iter().zip(way.nodes.windows(2)) {
            let [a, b] = net.edges[*e as usize].ends;
            assert!([a, b] == [w[0], w[1]] || [b, a] == [w[0], w[1]]);
        }
        let sum: f64 = way.edges.iter().map(|e| net.edges[*e as usize].length_m).sum();
        assert!((sum - way.length_m).abs() < 1e-6);
        ways += 1;
    }
    assert!(ways > 100, "{ways}");
}

#[test]
fn walks_take_every_edge_that_a_fixpoint_takes_once_and_in_the_order_of_steps() {
    use strata_pipes::{
        joining::{Builder, Joining, PointRow},
        network::PointKind,
        pipe::Class,
        walk::{Direction, reach},
    };
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let (mut loops, mut undirected, mut stopped) = (0, 0, 0);
    for round in 0..600 {
        // Now and then so many that hundreds are as far from the start.
        let n = if round % 40 < 3 { rng.random_range(200..600usize) } else { rng.random_range(1..20usize) };
        let mut b = Builder::new(Joining::of(Class::Js));
        for i in 0..n {
            let valve = rng.random_bool(0.2);
            let kind = if valve { PointKind::Valve } else { PointKind::Tee };
            let row = PointRow::new(kind, [i as f64 * 10.0, 0.0, 0.0]);
            b.point(format!("n{i}").as_str().into(), PointRow { closed: valve && rng.random_bool(0.5), ..row });
        }
        // Pipes between the same points, and some from a point to itself.
        for i in 0..rng.random_range(n..3 * n + 2) {
            let [x, y] = [0; 2].map(|_| rng.random_range(0..n));
            let mut row = common::graph::row(&format!("p{i}"), [&format!("n{x}"), &format!("n{y}")]);
            row.closed = rng.random_bool(0.1);
            b.pipe(row, &[[x as f64 * 10.0, 0.0, 0.0], [y as f64 * 10.0, 1.0, 0.0]]);
        }
        let net = b.finish();
        let flow: Vec<i8> = net.edges.iter().map(|_| rng.random_range(-1..=1)).collect();
        let direction = [Direction::Connected, Direction::Upstream, Direction::Downstream][round % 3];
        let stops = Stops { ignore_closed: rng.random_bool(0.3), any_valve: rng.random_bool(0.2), ..Stops::default() };
        let start = rng.random_range(0..net.nodes.len() as u32);
        let found = reach(&net, &[start], direction, &flow, &stops);
        let stands = |n: u32| {
            let node = &net.nodes[n as usize];
            n != start && ((node.closed && !stops.ignore_closed) || (stops.any_valve && node.kind == PointKind::Valve))
        };
        // Steps to each node, by as many rounds over the table as there are nodes.
        let passes = |e: usize, k: usize| {
            let sense = if k == 0 { flow[e] } else { -flow[e] };
            let with = match direction {
                Direction::Downstream => sense >= 0,
                Direction::Upstream => sense <= 0,
                _ => true,
            };
            with && (stops.ignore_closed || !net.edges[e].closed)
        };
        let mut steps = vec![usize::MAX; net.nodes.len()];
        steps[start as usize] = 0;
        for _ in 0..net.nodes.len() {
            for (e, edge) in net.edges.iter().enumerate() {
                for k in [0, 1] {
                    let [a, b] = [edge.ends[k], edge.ends[1 - k]];
                    if steps[a as usize] != usize::MAX && !stands(a) && passes(e, k) {
                        steps[b as usize] = steps[b as usize].min(steps[a as usize] + 1);
                    }
                }
            }
        }
        let at = |n: u32| if stands(n) { usize::MAX } else { steps[n as usize] };
        let hops: Vec<usize> = (0..net.edges.len())
            .map(|e| [0, 1].into_iter().filter(|k| passes(e, *k)).map(|k| at(net.edges[e].ends[k])).min().unwrap_or(usize::MAX))
            .collect();
        let wanted: BTreeSet<u32> = (0..net.edges.len() as u32).filter(|e| hops[*e as usize] != usize::MAX).collect();
        assert_eq!(found.edges.iter().copied().collect::<BTreeSet<u32>>(), wanted, "{round}");
        assert_eq!((found.edges.len(), found.hops.len(), found.distance_m.len()), (wanted.len(), wanted.len(), wanted.len()));
        assert!(found.edges.iter().zip(&found.hops).all(|(e, h)| hops[*e as usize] == *h as usize) && found.hops.is_sorted());
        let met: BTreeSet<u32> = (0..net.nodes.len() as u32).filter(|n| steps[*n as usize] != usize::MAX).collect();
        assert_eq!((found.nodes.len(), found.nodes.iter().copied().collect::<BTreeSet<u32>>()), (met.len(), met.clone()));
        assert_eq!(found.stopped.iter().copied().collect::<BTreeSet<u32>>(), met.iter().copied().filter(|n| stands(*n)).collect());
        let free = wanted.iter().filter(|e| direction != Direction::Connected && flow[**e as usize] == 0).count();
        assert_eq!(found.undirected, free);
        let length: f64 = wanted.iter().map(|e| net.edges[*e as usize].length_m).sum();
        assert!((found.length_m - length).abs() < 1e-6);
        loops += wanted.iter().filter(|e| net.edges[**e as usize].ends[0] == net.edges[**e as usize].ends[1]).count();
        undirected += free;
        stopped += found.stopped.len();
    }
    assert!(loops > 50 && undirected > 100 && stopped > 50, "{loops} {undirected} {stopped}");
}

#[test]
fn a_burst_in_the_district_names_valves_users_and_hydrants() {
    let (city, layers) = City::district(42);
    let worst = city.ask(&SEGMENTS, json!({ "class": "JS", "limit": 5 })).unwrap();
    println!("{} segments, {} valves, worst {}", worst["segments"], worst["valves"], worst["worst"][0]["lost"]);
    let people: Vec<f64> = worst["worst"].as_array().unwrap().iter().map(|w| w["lost"]["people"].as_f64().unwrap()).collect();
    assert!(people.len() == 5 && people[0] > 0.0 && people.windows(2).all(|w| w[0] >= w[1]));
    let broken = worst["worst"][0]["pipe"].as_str().unwrap();
    let answer = city.ask(&ISOLATE, json!({ "place": broken })).unwrap();
    assert_eq!(answer["lost"]["people"].as_f64(), Some(people[0]));
    println!("{}", json!({ "close": answer["close"].as_array().unwrap().len(), "lost": answer["lost"], "cut_off": answer["cut_off"] }));
    let (close, pipes) = (answer["close"].as_array().unwrap(), answer["pipes"].as_array().unwrap());
    assert!(!close.is_empty() && pipes.iter().any(|p| p["id"] == broken) && answer["fed"] == true);
    // By the table: a flood from the pipe that turns at valves meets exactly these pipes and these valves.
    let (layer, features) = layers.iter().find(|l| l.0.id.as_str() == "pipes").unwrap();
    let (point_layer, points) = layers.iter().find(|l| l.0.id.as_str() == "pipe_points").unwrap();
    let kind: HashMap<&str, &str> = points.iter().map(|f| (f.id.as_str(), f.text(point_layer, "kind").unwrap())).collect();
    let water: Vec<(&str, [&str; 2])> = features
        .iter()
        .filter(|f| f.text(layer, "class") == Some("JS"))
        .map(|f| (f.id.as_str(), ["start_point", "end_point"].map(|n| f.text(layer, n).unwrap())))
        .collect();
    let (mut flood, mut border) = (BTreeSet::from([broken]), BTreeSet::new());
    loop {
        let before = flood.len();
        let open: HashSet<&str> = water.iter().filter(|w| flood.contains(w.0)).flat_map(|w| w.1).filter(|p| kind[p] != "valve").collect();
        flood.extend(water.iter().filter(|w| w.1.iter().any(|p| open.contains(p))).map(|w| w.0));
        border.extend(water.iter().filter(|w| flood.contains(w.0)).flat_map(|w| w.1).filter(|p| kind[p] == "valve"));
        if flood.len() == before {
            break;
        }
    }
    let of = |list: &serde_json::Value, why: &str| -> BTreeSet<String> {
        list.as_array()
            .unwrap()
            .iter()
            .filter(|p| why.is_empty() || p["why"] == why)
            .map(|p| p["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let owned = |s: &BTreeSet<&str>| s.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<String>>();
    assert_eq!(of(&answer["pipes"], "shut"), owned(&flood));
    assert_eq!(&of(&answer["close"], "") | &of(&answer["dry"], ""), owned(&border));
    // The next ring: with the first valve stuck, more is lost, as the first answer foretold.
    let first = close[0]["id"].as_str().unwrap();
    let next = city.ask(&ISOLATE, json!({ "place": broken, "stuck": [first] })).unwrap();
    let more = next["lost"]["length_m"].as_f64().unwrap() - answer["lost"]["length_m"].as_f64().unwrap();
    assert!(more > 0.0 && (more - close[0]["if_stuck"]["length_m"].as_f64().unwrap()).abs() < 0.01, "{more}");
    assert_eq!(next["passed"][0]["id"], first);
    // Users: the nearest water pipe to each building, by looking at every pipe.
    let (building_layer, buildings) = layers.iter().find(|l| l.0.id.as_str() == "buildings").unwrap();
    let lines: Vec<(&str, [[f64; 3]; 2])> = features
        .iter()
        .filter(|f| f.text(layer, "class") == Some("JS"))
        .map(|f| match &f.geometry {
            strata_model::Geometry::LineString(l) => (f.id.as_str(), [l[0], l[l.len() - 1]]),
            g => panic!("{g:?}"),
        })
        .collect();
    let gone = of(&next["pipes"], "");
    let now = strata_model::Instant::from_ymd(2026, 6, 1);
    let (mut served, mut dwellings) = (0, 0.0);
    for b in buildings.iter().filter(|b| b.valid.contains(now)) {
        let strata_model::Geometry::Polygon(p) = &b.geometry else { continue };
        let c = p.plan_centroid();
        let far = |l: &[[f64; 3]; 2]| {
            let (d, e) = ([l[1][0] - l[0][0], l[1][1] - l[0][1]], [c[0] - l[0][0], c[1] - l[0][1]]);
            let t = ((d[0] * e[0] + d[1] * e[1]) / (d[0] * d[0] + d[1] * d[1])).clamp(0.0, 1.0);
            (e[0] - d[0] * t).hypot(e[1] - d[1] * t)
        };
        let (id, d) = lines.iter().map(|(id, l)| (*id, far(l))).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        if d <= 150.0 && gone.contains(id) {
            served += 1;
            dwellings += b.number(building_layer, "units").unwrap_or(0.0);
        }
    }
    assert!(served > 0);
    assert_eq!((next["lost"]["buildings"].as_u64(), next["lost"]["dwellings"].as_f64()), (Some(served), Some(dwellings)));
    assert_eq!(next["lost"]["people"].as_f64(), Some((dwellings * 2.62).round()));
    for class in ["RQ", "RL"] {
        assert!(city.ask(&SEGMENTS, json!({ "class": class, "limit": 1 })).unwrap()["segments"].as_u64() > Some(50));
    }
}

#[test]
fn bad_questions_and_odd_networks_get_clear_answers() {
    let ends = |a: &str, b: &str| vec![("start_point", strata_model::Value::from(a)), ("end_point", strata_model::Value::from(b))];
    let mut h = Hand::default();
    h.point("V", "JS", "valve", [50.0, 0.0, 0.0]).point("E", "JS", "cap", [100.0, 0.0, 0.0]);
    h.pipe("a", "JS", &[[0.0, 0.0, 0.0], [50.0, 0.0, 0.0]], &ends("S", "V"));
    h.pipe("b", "JS", &[[50.0, 0.0, 0.0], [100.0, 0.0, 0.0]], &ends("V", "E"));
    h.pipe("loop", "JS", &[[100.0, 0.0, 0.0], [110.0, 9.0, 0.0], [100.0, 0.0, 0.0]], &ends("E", "E"));
    // No source: nothing is fed, so nothing need be closed, and nothing is lost unmeant.
    let answer = h.city().ask(&ISOLATE, json!({ "place": "loop" })).unwrap();
    assert_eq!((answer["fed"].as_bool(), answer["close"].as_array().unwrap().len()), (Some(false), 0));
    assert_eq!((answer["dry"][0]["id"].as_str(), answer["pipes"].as_array().unwrap().len()), (Some("V"), 2));
    h.point("S", "JS", "source", [0.0, 0.0, 0.0]);
    let city = h.city();
    let answer = city.ask(&ISOLATE, json!({ "place": "b" })).unwrap();
    assert_eq!(answer["close"][0]["id"], "V");
    assert!((answer["lost"]["length_m"].as_f64().unwrap() - 50.0 - 2.0 * 181f64.sqrt()).abs() < 0.001);
    // The valve stuck: the source itself must stop.
    let answer = city.ask(&ISOLATE, json!({ "place": "b", "stuck": ["V"] })).unwrap();
    assert_eq!((answer["sources_inside"].as_u64(), answer["passed"][0]["id"].as_str()), (Some(1), Some("V")));
    // The valve itself broken.
    let answer = city.ask(&ISOLATE, json!({ "place": "V" })).unwrap();
    assert_eq!((answer["pipes"].as_array().unwrap().len(), answer["sources_inside"].as_u64()), (3, Some(1)));
    // Valves at pipe ends, instead of the points.
    let answer = city.ask(&ISOLATE, json!({ "place": "b", "valves": [{ "pipe": "a", "point": "S" }] })).unwrap();
    assert_eq!((answer["close"][0]["pipe"].as_str(), answer["close"][0]["point"].as_str()), (Some("a"), Some("S")));
    for (inputs, place) in [
        (json!({ "class": "JS" }), "/place"),
        (json!({ "place": "b", "valves": 7 }), "/valves"),
        (json!({ "place": "b", "valves": [{ "pipe": "a" }] }), "/valves/0"),
        (json!({ "place": "b", "valves": [{ "pipe": "a", "point": "E" }] }), "/valves/0"),
        (json!({ "place": "b", "stuck": [1] }), "/stuck"),
        (json!({ "place": "b", "reach_m": -5 }), "/reach_m"),
    ] {
        let e = city.ask(&ISOLATE, inputs.clone()).unwrap_err().to_string();
        assert!(e.starts_with(place), "{inputs}: {e}");
    }
    for inputs in [json!({ "place": "nobody" }), json!({ "place": "b", "stuck": ["E"] }), json!({ "place": "b", "closed": ["nobody"] })] {
        let e = city.ask(&ISOLATE, inputs.clone()).unwrap_err();
        assert!(matches!(e, strata_engine::AnalysisError::Missing { .. }), "{inputs}: {e}");
    }
}
