//! Streets as people speak of them: names that no two streets share, sections from junction to junction, house numbers.

use crate::{
    dice::{For, hash},
    graph::*,
    map::STEMS,
    plan::{Plan, Road},
    plane::*,
};
use std::collections::HashSet;

/// A run of one street between two junctions.
#[derive(Debug)]
pub(crate) struct Section {
    pub road: RoadId,
    /// The edge from which it was found; names the section.
    pub edge: u32,
    pub nodes: Vec<u32>,
}

/// Every edge that is no frame lies in exactly one section. A junction is where other than two edges meet, or two of
/// different streets.
pub(crate) fn sections(g: &Graph) -> Vec<Section> {
    let onward = |node: u32, from: u32| {
        let mut others = g.star[node as usize].iter().copied().filter(|&e| e != from && g.edges[e as usize].road != FRAME);
        let next = others.next().filter(|&e| g.edges[e as usize].road == g.edges[from as usize].road)?;
        others.next().is_none().then_some(next)
    };
    let mut used = vec![false; g.edges.len()];
    let mut out = Vec::new();
    for edge in 0..g.edges.len() as u32 {
        let e = g.edges[edge as usize];
        if e.road == FRAME || used[edge as usize] {
            continue;
        }
        used[edge as usize] = true;
        let mut run = |from: u32| {
            let (mut node, mut at, mut nodes) = (from, edge, vec![from]);
            while let Some(next) = onward(node, at).filter(|&e| !used[e as usize]) {
                used[next as usize] = true;
                node = g.other(next, node);
                at = next;
                nodes.push(node);
            }
            nodes
        };
        let ahead = run(e.b);
        let nodes = run(e.a).into_iter().rev().chain(ahead).collect();
        out.push(Section { road: e.road, edge, nodes });
    }
    out
}

/// Which edges count their sides against their own sense, so that what lies on the left of a street stays there where it
/// bends, changes its name or goes on across a junction.
pub(crate) fn against(g: &Graph) -> Vec<bool> {
    let street = |e: u32| g.edges[e as usize].road != FRAME;
    let away = |n: u32, e: u32| unit(sub(g.nodes[g.other(e, n) as usize], g.nodes[n as usize]));
    // The edge that goes on from one at a node: straight on, or the only other.
    let onward = |n: u32, e: u32| {
        let others = || g.star[n as usize].iter().copied().filter(|&f| f != e && street(f));
        let cos = |f: u32| dot(away(n, e), away(n, f));
        let best = others().min_by(|&a, &b| cos(a).total_cmp(&cos(b)))?;
        (others().count() == 1 || cos(best) < -0.7).then_some(best)
    };
    let mut known: Vec<Option<bool>> = vec![None; g.edges.len()];
    for first in 0..g.edges.len() as u32 {
        let mut todo = vec![(first, false)];
        while let Some((e, turned)) = todo.pop() {
            if known[e as usize].is_some() || !street(e) {
                continue;
            }
            known[e as usize] = Some(turned);
            let edge = g.edges[e as usize];
            for n in [edge.a, edge.b] {
                // Both must take the other for the one that goes on.
                if let Some(f) = onward(n, e).filter(|&f| onward(n, f) == Some(e)) {
                    let same = (edge.b == n) == (g.edges[f as usize].a == n);
                    todo.push((f, turned == same));
                }
            }
        }
    }
    known.into_iter().map(|k| k.unwrap_or(false)).collect()
}

/// The line in the sense in which its house numbers rise: from the north or from the west.
pub(crate) fn numbered(mut axis: Vec<P2>) -> Vec<P2> {
    if let (Some(a), Some(b)) = (axis.first(), axis.last()) {
        let d = sub(*b, *a);
        if if d[1].abs() > d[0].abs() { d[1] > 0.0 } else { d[0] < 0.0 } {
            axis.reverse();
        }
    }
    axis
}

/// Distance from the street's beginning, and its direction there.
fn chainage(road: &Road, p: P2) -> (f64, P2) {
    let (mut best, mut found, mut s) = (f64::INFINITY, (0.0, [1.0, 0.0]), 0.0);
    for w in road.axis.windows(2) {
        let (d, t) = to_segment(w[0], w[1], p);
        let length = dist(w[0], w[1]);
        if d < best {
            (best, found) = (d, (s + t * length, unit(sub(w[1], w[0]))));
        }
        s += length;
    }
    found
}

impl Plan {
    /// Metres from the street's beginning, odd on its left and even on its right. Never nearer than 3 m to a junction,
    /// so that the first house of one block does not take the number of the last of another.
    pub fn house_number(&self, edge: u32, house: P2) -> Option<i64> {
        let road = self.road(edge)?;
        let (a, b) = self.graph.ends(edge);
        let margin = (3.0 / dist(a, b).max(1e-6)).min(0.5);
        let foot = lerp(a, b, to_segment(a, b, house).1.clamp(margin, 1.0 - margin));
        let (s, along) = chainage(road, foot);
        let left = cross(along, sub(house, foot)) > 0.0;
        Some(2 * (s / 2.0) as i64 + if left { 1 } else { 2 })
    }
}

/// Gives each street a name of its own.
pub(crate) struct Names {
    seed: u64,
    taken: HashSet<String>,
}

const FIRST: [(&str, &str); 30] = [
    ("永", "Yong"),
    ("安", "An"),
    ("兴", "Xing"),
    ("长", "Chang"),
    ("和", "He"),
    ("平", "Ping"),
    ("光", "Guang"),
    ("明", "Ming"),
    ("吉", "Ji"),
    ("祥", "Xiang"),
    ("文", "Wen"),
    ("景", "Jing"),
    ("开", "Kai"),
    ("新", "Xin"),
    ("富", "Fu"),
    ("泰", "Tai"),
    ("华", "Hua"),
    ("春", "Chun"),
    ("德", "De"),
    ("信", "Xin"),
    ("福", "Fu"),
    ("瑞", "Rui"),
    ("建", "Jian"),
    ("顺", "Shun"),
    ("宏", "Hong"),
    ("天", "Tian"),
    ("金", "Jin"),
    ("玉", "Yu"),
    ("松", "Song"),
    ("柳", "Liu"),
];
const SECOND: [(&str, &str); 30] = [
    ("昌", "chang"),
    ("宁", "ning"),
    ("业", "ye"),
    ("盛", "sheng"),
    ("达", "da"),
    ("康", "kang"),
    ("乐", "le"),
    ("源", "yuan"),
    ("丰", "feng"),
    ("林", "lin"),
    ("阳", "yang"),
    ("江", "jiang"),
    ("山", "shan"),
    ("园", "yuan"),
    ("庆", "qing"),
    ("荣", "rong"),
    ("辉", "hui"),
    ("民", "min"),
    ("政", "zheng"),
    ("学", "xue"),
    ("海", "hai"),
    ("城", "cheng"),
    ("宇", "yu"),
    ("月", "yue"),
    ("云", "yun"),
    ("桥", "qiao"),
    ("湖", "hu"),
    ("岭", "ling"),
    ("泉", "quan"),
    ("川", "chuan"),
];

fn ordinal_zh(n: u64) -> String {
    const DIGITS: [&str; 10] = ["", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    let (tens, ones) = (n / 10 % 10, DIGITS[(n % 10) as usize]);
    match tens {
        0 => ones.into(),
        1 => format!("十{ones}"),
        t => format!("{}十{ones}", DIGITS[t as usize]),
    }
}

fn ordinal_en(n: u64) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

impl Names {
    pub fn new(seed: u64) -> Self {
        Self { seed, taken: HashSet::new() }
    }
    pub fn take(&mut self, zh: &str) {
        self.taken.insert(zh.to_owned());
    }
    /// First the stems of real side streets, then invented ones, then 二, 三 … of these.
    pub fn give(&mut self, id: u64, kind: (&str, &str)) -> (String, String) {
        const TRIES: u64 = 6;
        let mut round = 0;
        loop {
            let h = hash(self.seed, For::Names, id | round << 40);
            let (zh, en) = if round == 0 {
                let (zh, en) = STEMS[(h % STEMS.len() as u64) as usize];
                (zh.to_owned(), en.to_owned())
            } else {
                let (a, b) = (FIRST[(h % 30) as usize], SECOND[(h / 30 % 30) as usize]);
                (format!("{}{}", a.0, b.0), format!("{}{}", a.1, b.1))
            };
            let (zh, en) = match round / TRIES {
                0 => (format!("{zh}{}", kind.0), format!("{en} {}", kind.1)),
                n => (format!("{zh}{}{}", ordinal_zh(n + 1), kind.0), format!("{en} {} {}", ordinal_en(n + 1), kind.1)),
            };
            if self.taken.insert(zh.clone()) {
                return (zh, en);
            }
            round += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bent_street_is_one_section_until_another_meets_it() {
        let bent = Strand { points: vec![[0.0, 40.0], [50.0, 45.0], [100.0, 40.0]], road: 0 };
        let side = Strand { points: vec![[100.0, 40.0], [100.0, 100.0]], road: 1 };
        let frame = Strand { points: vec![[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0], [0.0, 0.0]], road: FRAME };
        let cross = Strand { points: vec![[25.0, 0.0], [25.0, 100.0]], road: 2 };
        let g = Graph::new(&[bent, side, cross, frame], 0.5);
        let mut found: Vec<(RoadId, usize)> = sections(&g).iter().map(|s| (s.road, s.nodes.len())).collect();
        found.sort_unstable();
        // The bent street is cut where the third crosses it; beyond, its bend is inside one section.
        assert_eq!(found, [(0, 2), (0, 3), (1, 2), (2, 2), (2, 2)]);
    }

    #[test]
    fn no_two_streets_share_a_name() {
        let mut names = Names::new(7);
        names.take("永安街");
        let all: HashSet<String> = (0..20_000).map(|i| names.give(i, ("街", "Street")).0).collect();
        assert!(all.len() == 20_000 && !all.contains("永安街"));
        assert_eq!(
            (ordinal_zh(12), ordinal_zh(20), ordinal_en(12), ordinal_en(23)),
            ("十二".into(), "二十".into(), "12th".into(), "23rd".into())
        );
    }
}
