//! Pipes in a row: put in order, or found as the shortest way.

use super::Link;
use crate::{
    clearance::{end_keys, nearest_in_plan},
    pipe::Pipe,
};
use std::{cmp::Reverse, collections::BinaryHeap, collections::HashMap};

/// Ends of pipes as numbered nodes: ends that share a place or a point number are one.
struct Nodes {
    of: Vec<[usize; 2]>,
    pipes: Vec<Vec<usize>>,
}

impl Nodes {
    fn new(pipes: &[Pipe]) -> Self {
        // Union of the identities of each end.
        let mut parent: Vec<usize> = Vec::new();
        fn root(parent: &mut [usize], mut i: usize) -> usize {
            while parent[i] != i {
                parent[i] = parent[parent[i]];
                i = parent[i];
            }
            i
        }
        let mut known: HashMap<u64, usize> = HashMap::new();
        let mut ends = Vec::with_capacity(pipes.len());
        for p in pipes {
            ends.push(end_keys(p).map(|keys| {
                let mut node: Option<usize> = None;
                for key in keys.into_iter().filter(|k| *k != 0) {
                    let n = *known.entry(key).or_insert_with(|| {
                        parent.push(parent.len());
                        parent.len() - 1
                    });
                    match node {
                        None => node = Some(n),
                        Some(m) => {
                            let (a, b) = (root(&mut parent, m), root(&mut parent, n));
                            parent[a] = b;
                        }
                    }
                }
                node.unwrap_or_else(|| {
                    parent.push(parent.len());
                    parent.len() - 1
                })
            }));
        }
        let of: Vec<[usize; 2]> = ends.into_iter().map(|e| e.map(|n| root(&mut parent, n))).collect();
        let mut at = vec![Vec::new(); parent.len()];
        for (i, e) in of.iter().enumerate() {
            e.iter().for_each(|n| at[*n].push(i));
        }
        Self { of, pipes: at }
    }
}

/// Puts the pipes of one unbranched chain in a row, beginning at the end nearer to the first one given. The error is the number
/// of a pipe that does not continue it.
pub fn order(pipes: &[Pipe]) -> Result<Vec<Link>, usize> {
    let nodes = Nodes::new(pipes);
    // An end: a node with one pipe of the chain; a ring has none and begins anywhere.
    let lone = |n: usize| nodes.pipes[n].len() == 1;
    let begins = (0..pipes.len()).filter(|i| nodes.of[*i].iter().any(|n| lone(*n))).min().unwrap_or(0);
    if pipes.is_empty() {
        return Ok(Vec::new());
    }
    let mut used = vec![false; pipes.len()];
    let mut out = Vec::with_capacity(pipes.len());
    let (mut here, mut pipe) = (nodes.of[begins].into_iter().find(|n| lone(*n)).unwrap_or(nodes.of[begins][0]), begins);
    loop {
        used[pipe] = true;
        let against = nodes.of[pipe][0] != here;
        out.push(Link { pipe: pipe as u32, against });
        here = nodes.of[pipe][usize::from(!against)];
        let next: Vec<usize> = nodes.pipes[here].iter().copied().filter(|i| !used[*i]).collect();
        match next.as_slice() {
            [] => break,
            [one] => pipe = *one,
            [_, branch, ..] => return Err(*branch),
        }
    }
    match used.iter().position(|u| !u) {
        Some(left) => Err(left),
        None => Ok(out),
    }
}

/// Shortest way in plan from the pipe nearest to one place to the pipe of the same class nearest to another, both
/// included whole.
pub fn shortest(pipes: &[Pipe], from: [f64; 2], to: [f64; 2]) -> Result<Vec<Link>, String> {
    let length = |p: &Pipe| p.axis.windows(2).map(|w| (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1])).sum::<f64>();
    let sound: Vec<usize> = (0..pipes.len()).filter(|i| pipes[*i].axis.iter().flatten().all(|v| v.is_finite())).collect();
    let nearest = |p: [f64; 2], wanted: &dyn Fn(&Pipe) -> bool| {
        let here = [p[0], p[1], 0.0];
        let far = |i: usize| pipes[i].axis.windows(2).map(|w| nearest_in_plan([here, here], [w[0], w[1]]).0).fold(f64::INFINITY, f64::min);
        sound.iter().copied().filter(|i| wanted(&pipes[*i])).map(|i| (far(i), i)).min_by(|a, b| a.0.total_cmp(&b.0))
    };
    let Some((_, start)) = nearest(from, &|_| true) else { return Err("there is no pipe near".into()) };
    let (class, subclass) = (pipes[start].class, pipes[start].subclass.clone());
    let Some((_, goal)) = nearest(to, &|p| p.class == class && p.subclass == subclass) else { return Err("there is no pipe near".into()) };
    let nodes = Nodes::new(pipes);
    if start == goal {
        return Ok(vec![Link { pipe: start as u32, against: false }]);
    }
    let mut best: HashMap<usize, (f64, Option<(usize, usize)>)> = HashMap::new();
    let mut heap = BinaryHeap::new();
    let key = |d: f64| Reverse((d * 1e4) as u64);
    for n in nodes.of[start] {
        best.insert(n, (0.0, None));
        heap.push((key(0.0), n));
    }
    let goals = nodes.of[goal];
    let mut done = None;
    while let Some((Reverse(k), n)) = heap.pop() {
        let d = best.get(&n).map_or(f64::INFINITY, |b| b.0);
        if k > (d * 1e4) as u64 {
            continue;
        }
        if goals.contains(&n) {
            done = Some(n);
            break;
        }
        for &i in &nodes.pipes[n] {
            let other = if nodes.of[i][0] == n { nodes.of[i][1] } else { nodes.of[i][0] };
            let to = d + length(&pipes[i]);
            if i != start && to < best.get(&other).map_or(f64::INFINITY, |b| b.0) {
                best.insert(other, (to, Some((i, n))));
                heap.push((key(to), other));
            }
        }
    }
    let Some(mut n) = done else { return Err(format!("no way leads there through pipes of class {}", class.letters())) };
    let mut way = vec![Link { pipe: goal as u32, against: goals[0] != n }];
    while let Some((i, before)) = best.get(&n).and_then(|b| b.1) {
        way.push(Link { pipe: i as u32, against: nodes.of[i][0] != before });
        n = before;
    }
    way.push(Link { pipe: start as u32, against: nodes.of[start][1] != n });
    way.reverse();
    Ok(way)
}
