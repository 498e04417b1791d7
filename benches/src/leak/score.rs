//! The rule of BattLeDIM 2020 (Vrachimis et al.; Scoring_Algorithm.m, scoring_function.m, nodeTopologicalDistance.m),
//! written anew from its reading; it knows nothing of the detector.
//!
//! A detection is right when it lies in a leak's time, ends included, and its pipe within 300 m: it earns €0.80 for each
//! m³ still to be lost, less €500 · distance / 300. One that fits only leaks already found earns nothing; one that fits
//! none costs €500; what comes before the first step is not counted. Distance is along links with a length, so not
//! through valves and pumps: least between any two ends, and half of either pipe. Times are steps of five minutes.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
};

pub const REACH_M: f64 = 300.0;
pub const WATER_EUR: f64 = 0.80;
pub const CREW_EUR: f64 = 500.0;
pub const STEPS_AN_HOUR: f64 = 12.0;

#[derive(Debug, Clone)]
pub struct Leak {
    pub pipe: String,
    /// First and last step.
    pub start: i64,
    pub end: i64,
    /// m³/h, from the first step of the year on; nothing where it does not run.
    pub flow_m3h: Vec<f64>,
}

impl Leak {
    /// What is still to be lost from a step on, m³.
    pub fn lost_m3(&self, step: i64) -> f64 {
        let first = usize::try_from(step.max(1) - 1).unwrap_or(0);
        self.flow_m3h.iter().skip(first).sum::<f64>() / STEPS_AN_HOUR
    }
}

#[derive(Debug, Clone)]
pub struct Detection {
    pub pipe: String,
    pub step: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Which leak, how far, what it earns.
    Found(usize, f64, f64),
    Repeat,
    False,
    /// In the year before.
    Early,
}

#[derive(Debug)]
pub struct Score {
    pub total_eur: f64,
    /// In the order of the detections as given.
    pub verdicts: Vec<Verdict>,
}

impl Score {
    pub fn count(&self, of: fn(&Verdict) -> bool) -> usize {
        self.verdicts.iter().filter(|v| of(v)).count()
    }
}

pub fn score(leaks: &[Leak], detections: &[Detection], distance: &dyn Fn(&str, &str) -> f64) -> Score {
    let mut order: Vec<usize> = (0..detections.len()).collect();
    order.sort_by_key(|d| detections[*d].step);
    let (mut total_eur, mut verdicts, mut found) = (0.0, vec![Verdict::Early; detections.len()], BTreeSet::new());
    for d in order.into_iter().filter(|d| detections[*d].step >= 0) {
        let det = &detections[d];
        let fits: Vec<(usize, f64)> = (0..leaks.len())
            .filter(|l| (leaks[*l].start..=leaks[*l].end).contains(&det.step))
            .map(|l| (l, distance(&leaks[l].pipe, &det.pipe)))
            .filter(|f| f.1 <= REACH_M)
            .collect();
        let nearest = fits.iter().filter(|f| !found.contains(&f.0)).min_by(|a, b| a.1.total_cmp(&b.1));
        verdicts[d] = match (nearest, fits.is_empty()) {
            (Some((l, x)), _) => {
                found.insert(*l);
                Verdict::Found(*l, *x, leaks[*l].lost_m3(det.step) * WATER_EUR - x / REACH_M * CREW_EUR)
            }
            (None, false) => Verdict::Repeat,
            (None, true) => Verdict::False,
        };
        total_eur += match verdicts[d] {
            Verdict::Found(_, _, eur) => eur,
            Verdict::False => -CREW_EUR,
            _ => 0.0,
        };
    }
    Score { total_eur, verdicts }
}

/// What finding each leak in its first step and at its own pipe would earn.
pub fn ceiling_eur(leaks: &[Leak]) -> f64 {
    leaks.iter().map(|l| l.lost_m3(l.start.max(0)) * WATER_EUR).sum()
}

/// Links by id: their ends and length.
pub struct Distances {
    links: HashMap<String, ([usize; 2], f64)>,
    next: Vec<Vec<(usize, f64)>>,
}

impl Distances {
    pub fn new<'a>(links: impl Iterator<Item = (&'a str, &'a str, &'a str, f64)>) -> Self {
        let (mut nodes, mut out) = (HashMap::new(), Self { links: HashMap::new(), next: Vec::new() });
        for (id, a, b, length) in links {
            let ends = [a, b].map(|n| {
                let count = nodes.len();
                *nodes.entry(n.to_owned()).or_insert(count)
            });
            out.next.resize(nodes.len(), Vec::new());
            if length > 0.0 {
                out.next[ends[0]].push((ends[1], length));
                out.next[ends[1]].push((ends[0], length));
            }
            out.links.insert(id.to_owned(), (ends, length));
        }
        out
    }

    /// The `[PIPES]` of an EPANET file; pumps and valves have no length and part the network.
    pub fn of_inp(text: &str) -> Self {
        let mut inside = false;
        let rows: Vec<(&str, &str, &str, f64)> = text
            .lines()
            .filter_map(|line| {
                if line.starts_with('[') {
                    inside = line.trim() == "[PIPES]";
                    return None;
                }
                let mut w = line.split(';').next().unwrap_or_default().split_whitespace();
                if !inside {
                    return None;
                }
                Some((w.next()?, w.next()?, w.next()?, w.next()?.parse().ok()?))
            })
            .collect();
        Self::new(rows.into_iter())
    }

    /// Infinite when there is no way or no such pipe.
    pub fn between(&self, a: &str, b: &str) -> f64 {
        let (Some((from, la)), Some((to, lb))) = (self.links.get(a), self.links.get(b)) else { return f64::INFINITY };
        if a == b {
            return 0.0;
        }
        let mut best = vec![f64::INFINITY; self.next.len()];
        let mut heap = BinaryHeap::from(from.map(|n| Reverse((0u64, n))));
        from.iter().for_each(|n| best[*n] = 0.0);
        while let Some(Reverse((bits, n))) = heap.pop() {
            let gone = f64::from_bits(bits);
            if to.contains(&n) {
                return gone + la / 2.0 + lb / 2.0;
            }
            for (m, w) in &self.next[n] {
                if gone + w < best[*m] {
                    best[*m] = gone + w;
                    heap.push(Reverse(((gone + w).to_bits(), *m)));
                }
            }
        }
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, path::PathBuf};

    /// A street of four pipes of 200 m, a valve, one pipe of 200 m more.
    fn street() -> Distances {
        let pipes = [("a", "1", "2", 200.0), ("b", "2", "3", 200.0), ("c", "3", "4", 200.0), ("v", "4", "5", 0.0), ("d", "5", "6", 200.0)];
        Distances::new(pipes.into_iter())
    }
    fn leak(pipe: &str, start: i64, end: i64, flow: f64, steps: usize) -> Leak {
        Leak {
            pipe: pipe.into(),
            start,
            end,
            flow_m3h: (0..steps as i64).map(|s| if (start..=end).contains(&s) { flow } else { 0.0 }).collect(),
        }
    }
    fn at(pipe: &str, step: i64) -> Detection {
        Detection { pipe: pipe.into(), step }
    }

    #[test]
    fn distances_are_from_middle_to_middle_and_not_through_valves() {
        let s = street();
        assert_eq!((s.between("a", "a"), s.between("a", "b"), s.between("a", "c")), (0.0, 200.0, 400.0));
        assert_eq!((s.between("c", "d"), s.between("a", "nothing")), (f64::INFINITY, f64::INFINITY));
    }

    #[test]
    fn the_rule_by_hand() {
        let s = street();
        let d = |a: &str, b: &str| s.between(a, b);
        // 12 m³/h for 100 steps from step 20: 1 m³ a step, one of the samples lies before the step's own.
        let leaks = [leak("a", 20, 119, 12.0, 200), leak("d", 50, 149, 24.0, 200)];
        assert_eq!(ceiling_eur(&leaks), 0.8 * (100.0 + 200.0));
        let one = |det: Detection| score(&leaks, &[det], &d);
        assert_eq!(one(at("a", 20)).total_eur, 80.0);
        // 50 steps later 51 m³ are left (the rule counts from the sample before), 200 m off costs two thirds of 500.
        assert!((one(at("b", 70)).total_eur - (0.8 * 51.0 - 500.0 * 2.0 / 3.0)).abs() < 1e-9);
        // Too far; too soon; too late; the last step is in.
        for wrong in [at("c", 30), at("a", 19), at("a", 120), at("nowhere", 30)] {
            assert_eq!(one(wrong).verdicts, [Verdict::False]);
        }
        assert!((one(at("a", 119)).total_eur - 0.8 * 2.0).abs() < 1e-9);
        // In time's order, whatever order they come in: the later one is a repeat and costs nothing; the year before is not counted.
        let s3 = score(&leaks, &[at("a", 60), at("b", 21), at("d", -3), at("d", 50), at("c", 60)], &d);
        assert_eq!(s3.verdicts[0], Verdict::Repeat);
        assert_eq!(s3.verdicts[2], Verdict::Early);
        assert!(matches!(
            (s3.verdicts[1], s3.verdicts[3], s3.verdicts[4]),
            (Verdict::Found(0, 200.0, _), Verdict::Found(1, 0.0, 160.0), Verdict::False)
        ));
        assert!((s3.total_eur - (0.8 * 100.0 - 500.0 * 2.0 / 3.0 + 160.0 - 500.0)).abs() < 1e-9);
        // A leak that runs since before the year: step 0 and step 1 earn the same.
        let old = [leak("a", -100, 99, 12.0, 100)];
        assert_eq!(score(&old, &[at("a", 0)], &d).total_eur, score(&old, &[at("a", 1)], &d).total_eur);
        assert_eq!(score(&old, &[at("a", 0)], &d).total_eur, 80.0);
    }

    /// The organisers' own report for detections without a fault ("PERFECT_TEAM"), € by leak.
    const PERFECT: [(&str, f64); 23] = [
        ("p257", 47_071.678_7),
        ("p427", 35_000.044_7),
        ("p810", 47_739.018),
        ("p654", 37_871.132_7),
        ("p523", 8_902.722),
        ("p827", 6_848.354),
        ("p280", 32_310.542),
        ("p653", 10_458.038),
        ("p710", 29_648.609_3),
        ("p514", 15_044.456),
        ("p331", 51_752.717_3),
        ("p193", 35_680.178_7),
        ("p277", 23_101.204_7),
        ("p142", 17_618.578),
        ("p680", 17_980.056_7),
        ("p586", 11_552.915_3),
        ("p721", 29_078.078),
        ("p800", 13_008.902_7),
        ("p123", 10_005.330_7),
        ("p455", 8_468.29),
        ("p762", 14_025.914),
        ("p426", 17_085.946),
        ("p879", 2_901.114_7),
    ];

    #[test]
    fn the_ceiling_is_the_organisers_and_the_leaks_that_ended_by_june_earn_what_their_report_says() {
        assert!((PERFECT.iter().map(|p| p.1).sum::<f64>() - 523_153.82).abs() < 0.01);
        let Some(dir) = std::env::var_os("STRATA_DATA").map(|d| PathBuf::from(d).join("battledim")).filter(|d| d.is_dir()) else {
            println!("skipped: STRATA_DATA has no battledim");
            return;
        };
        let mut text = String::new();
        let file = std::fs::File::open(dir.join("leak_flows_2019H1_truth_30min.csv.gz")).expect("the truth");
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
        let names: Vec<&str> = text.lines().next().expect("a head").split(',').collect();
        // Half-hourly samples stand for six steps.
        let flow = |pipe: &str| -> Vec<f64> {
            let c = names.iter().position(|n| *n == pipe).expect("a column");
            text.lines().skip(1).flat_map(|l| [l.split(',').nth(c).and_then(|v| v.parse().ok()).expect("a number"); 6]).collect()
        };
        let inp = std::fs::read_to_string(dir.join("L-TOWN.inp")).expect("the model");
        let s = Distances::of_inp(&inp);
        for pipe in ["p523", "p827", "p653", "p514"] {
            let flow_m3h = flow(pipe);
            let start = flow_m3h.iter().position(|q| *q > 0.0).expect("it runs") as i64;
            let end = flow_m3h.iter().rposition(|q| *q > 0.0).expect("it runs") as i64;
            let leaks = [Leak { pipe: pipe.into(), start, end, flow_m3h }];
            let earned = score(&leaks, &[at(pipe, start)], &|a, b| s.between(a, b)).total_eur;
            let wanted = PERFECT.iter().find(|p| p.0 == pipe).expect("a row").1;
            assert!((earned / wanted - 1.0).abs() < 0.002, "{pipe}: {earned} for {wanted}");
        }
    }
}
