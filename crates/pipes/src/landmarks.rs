//! Distances of every node from a few far ones, for the shortest way (A* with landmarks and the triangle inequality:
//! Goldberg & Harrelson 2005, "Computing the shortest path: A* search meets graph theory").

use crate::{
    network::{NONE, Network},
    walk::Rising,
};
use rayon::prelude::*;

const COUNT: usize = 8;
/// Parts of a metre that are counted. Whole numbers keep the bound consistent: no rounding makes a way look longer.
const PER_M: f64 = 1024.0;

/// Lower bounds of all ways, whatever is closed: a closed pipe makes no way shorter.
#[derive(Debug)]
pub(crate) struct Landmarks {
    /// By node, each landmark's distance in parts of a metre, at most `i32::MAX`; cut off there it is a bound still.
    far: Vec<[i32; COUNT]>,
}

impl Landmarks {
    /// Landmarks: the outermost nodes of the largest connected part in eight directions.
    pub fn new(net: &Network) -> Self {
        let (of, parts) = net.components();
        let mut size = vec![0u32; parts];
        of.iter().for_each(|c| size[*c as usize] += 1);
        let largest = (0..parts as u32).max_by_key(|c| size[*c as usize]).unwrap_or(NONE);
        let outermost = |i: usize| {
            let (y, x) = (i as f64 * std::f64::consts::TAU / COUNT as f64).sin_cos();
            let out = |n: u32| {
                let at = net.nodes[n as usize].at;
                at[0] * x + at[1] * y
            };
            let part = (0..net.nodes.len() as u32).filter(|n| of[*n as usize] == largest);
            part.max_by(|a, b| out(*a).total_cmp(&out(*b)))
        };
        let rows: Vec<Vec<i32>> = (0..COUNT).into_par_iter().filter_map(outermost).map(|n| distances(net, n)).collect();
        let mut far = vec![[0; COUNT]; net.nodes.len()];
        for (k, row) in rows.iter().enumerate() {
            far.iter_mut().zip(row).for_each(|(f, d)| f[k] = *d);
        }
        Self { far }
    }

    pub fn of(&self, node: u32) -> &[i32; COUNT] {
        &self.far[node as usize]
    }

    /// No way between the node and the one whose distances are given is shorter, m.
    pub fn least_m(&self, node: u32, to: &[i32; COUNT]) -> f64 {
        let apart = self.of(node).iter().zip(to).map(|(a, b)| (a - b).abs()).fold(0, i32::max);
        f64::from(apart) / PER_M
    }
}

/// Through open and closed pipes alike, rounded down at each.
fn distances(net: &Network, from: u32) -> Vec<i32> {
    let mut far = vec![i32::MAX; net.nodes.len()];
    let mut queue = Rising::new();
    far[from as usize] = 0;
    queue.push_key(0, from);
    while let Some((key, n)) = queue.pop() {
        let at = far[n as usize];
        if key > at as u64 {
            continue;
        }
        for step in net.steps(n) {
            let next = at.saturating_add((step.length_m * PER_M).max(0.0) as i32);
            if next < far[step.other as usize] {
                far[step.other as usize] = next;
                queue.push_key(next as u64, step.other);
            }
        }
    }
    far
}
