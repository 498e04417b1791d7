//! Points gathered so that their symbols do not lie on each other, with true counts.
//!
//! A tree is made once, in plan metres: each level joins what lies within twice the distance of the level below. For a view
//! it is opened from the top while the joined ones would stand apart on the screen, so that a far quarter is one disc and a
//! near street is its points, in one picture, and nothing jumps when the view turns.

use std::collections::HashMap;

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Plan metres, the mean of its points.
    pub at: [f64; 2],
    /// What lies within it was joined at this distance; 0 for a point.
    pub reach_m: f64,
    pub count: u32,
    pub children: Vec<u32>,
    /// Of the list that the tree was made from; only a point has one.
    pub item: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Clusters {
    pub nodes: Vec<Node>,
    roots: Vec<u32>,
}

const FIRST_M: f64 = 2.0;
const LEVELS: usize = 20;

impl Clusters {
    pub fn new(points: &[[f64; 2]]) -> Self {
        let mut nodes: Vec<Node> = points
            .iter()
            .enumerate()
            .map(|(i, at)| Node { at: *at, reach_m: 0.0, count: 1, children: Vec::new(), item: Some(i as u32) })
            .collect();
        let mut level: Vec<u32> = (0..nodes.len() as u32).collect();
        let mut reach = FIRST_M;
        for _ in 0..LEVELS {
            if level.len() < 2 {
                break;
            }
            level = joined(&mut nodes, &level, reach);
            reach *= 2.0;
        }
        Self { nodes, roots: level }
    }
    /// Nodes to draw: opened while `apart` says that those within would stand apart. Every point is in exactly one of them.
    pub fn cut(&self, apart: &dyn Fn(&Node) -> bool) -> Vec<u32> {
        let mut out = Vec::new();
        let mut stack = self.roots.clone();
        while let Some(i) = stack.pop() {
            let node = &self.nodes[i as usize];
            if node.children.is_empty() || !apart(node) { out.push(i) } else { stack.extend(&node.children) }
        }
        out.sort_unstable();
        out
    }
    /// The points within a node.
    pub fn items(&self, node: u32) -> Vec<u32> {
        let mut out = Vec::new();
        let mut stack = vec![node];
        while let Some(i) = stack.pop() {
            let node = &self.nodes[i as usize];
            out.extend(node.item);
            stack.extend(&node.children);
        }
        out
    }
}

/// The next level: each takes what is still free within `reach`, in the order of the list.
fn joined(nodes: &mut Vec<Node>, level: &[u32], reach: f64) -> Vec<u32> {
    let cell = |at: [f64; 2]| [(at[0] / reach).floor() as i64, (at[1] / reach).floor() as i64];
    let mut cells: HashMap<[i64; 2], Vec<u32>> = HashMap::new();
    for i in level {
        cells.entry(cell(nodes[*i as usize].at)).or_default().push(*i);
    }
    let mut taken = vec![false; nodes.len()];
    let mut next = Vec::new();
    for i in level {
        if taken[*i as usize] {
            continue;
        }
        let at = nodes[*i as usize].at;
        let [x, y] = cell(at);
        let mut near = Vec::new();
        for c in (x - 1..=x + 1).flat_map(|x| (y - 1..=y + 1).map(move |y| [x, y])) {
            let free = cells.get(&c).into_iter().flatten().copied().filter(|j| {
                let o = nodes[*j as usize].at;
                !taken[*j as usize] && (o[0] - at[0]).hypot(o[1] - at[1]) <= reach
            });
            near.extend(free);
        }
        near.iter().for_each(|j| taken[*j as usize] = true);
        if near.len() < 2 {
            next.push(*i);
            continue;
        }
        let count: u32 = near.iter().map(|j| nodes[*j as usize].count).sum();
        let mean = [0, 1]
            .map(|k| near.iter().map(|j| nodes[*j as usize].at[k] * f64::from(nodes[*j as usize].count)).sum::<f64>() / f64::from(count));
        next.push(nodes.len() as u32);
        nodes.push(Node { at: mean, reach_m: reach, count, children: near, item: None });
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is opened, each point is counted once, and a node stands where its points' mean is.
        #[test]
        fn counts_are_true(points in prop::collection::vec((-5000.0..5000.0f64, -5000.0..5000.0f64), 0..400), open in 0.0..4000.0f64, eye in -5000.0..5000.0f64) {
            let points: Vec<[f64; 2]> = points.into_iter().map(|(x, y)| [x, y]).collect();
            let tree = Clusters::new(&points);
            let cut = tree.cut(&|n| n.reach_m / (n.at[0] - eye).abs().max(1.0) > open / 2000.0);
            let mut seen = vec![0; points.len()];
            for i in &cut {
                let items = tree.items(*i);
                prop_assert_eq!(items.len() as u32, tree.nodes[*i as usize].count);
                let mean = [0, 1].map(|k| items.iter().map(|j| points[*j as usize][k]).sum::<f64>() / items.len() as f64);
                let at = tree.nodes[*i as usize].at;
                prop_assert!((mean[0] - at[0]).abs() < 1e-6 && (mean[1] - at[1]).abs() < 1e-6);
                items.iter().for_each(|j| seen[*j as usize] += 1);
            }
            prop_assert!(seen.iter().all(|n| *n == 1));
            // Closed: what lies farther apart than all reaches stays apart, all else is one.
            prop_assert!(tree.cut(&|_| true).len() == points.len());
        }
    }
}
