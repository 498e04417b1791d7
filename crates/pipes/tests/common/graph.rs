//! Networks from names alone.

use std::collections::HashMap;
use strata_model::FeatureId;
use strata_pipes::{
    joining::{Builder, Joining, PointRow},
    network::{LinkKind, Network, PipeRow, PointKind},
    pipe::Class,
    segments::{Seat, Valve},
};

pub fn row(id: &str, ends: [&str; 2]) -> PipeRow {
    PipeRow {
        layer: 0,
        id: id.into(),
        kind: LinkKind::Pipe,
        diameter_m: 0.2,
        inverts_m: None,
        subclass: 0,
        pressure: 0,
        material: 0,
        closed: false,
        declared_flow: None,
        declared_length_m: Some(1.0),
        ends: ends.map(|e| Some(FeatureId::from(e))),
    }
}

/// Points that are named as sources are sources, all others junctions.
pub fn network(links: &[[String; 3]], sources: &[String]) -> Network {
    let mut b = Builder::new(Joining::of(Class::Js));
    for s in sources {
        b.point(s.as_str().into(), PointRow::new(PointKind::Source, [0.0; 3]));
    }
    for [id, from, to] in links {
        b.pipe(row(id, [from, to]), &[[0.0; 3], [1.0, 0.0, 0.0]]);
    }
    b.finish()
}

/// A valve layer as WNTR has it: (link, node).
pub fn layer(net: &Network, valves: &[[String; 2]]) -> Vec<Valve> {
    valves
        .iter()
        .map(|[link, node]| {
            let (edge, node) = (net.edges_of(link).unwrap().start, net.node_of(node).unwrap());
            let end = net.edges[edge as usize].ends.iter().position(|n| *n == node).unwrap() as u8;
            Valve { seat: Seat::End { edge, end }, closed: false, operable: true }
        })
        .collect()
}

/// Two numberings of one list of things cut them into the same parts.
pub fn same_partition<A: Copy + Eq + std::hash::Hash, B: Copy + Eq + std::hash::Hash>(
    pairs: impl Iterator<Item = (A, B)>,
) -> Result<usize, usize> {
    let (mut there, mut back) = (HashMap::new(), HashMap::new());
    for (i, (a, b)) in pairs.enumerate() {
        if *there.entry(a).or_insert(b) != b || *back.entry(b).or_insert(a) != a {
            return Err(i);
        }
    }
    Ok(there.len())
}
