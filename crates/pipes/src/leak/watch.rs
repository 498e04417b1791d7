//! The detector itself: hour by hour, with the leaks that it holds to be open taken out of what it looks at.

use super::{
    LeakError, Settings,
    baseline::{Baseline, dot, whiten},
    twin::Innovations,
};
use std::collections::HashMap;

/// Windows that a change is looked for in, hours.
const WINDOWS: [usize; 8] = [3, 6, 12, 24, 72, 168, 240, 336];
/// Windows that a repair is looked for in.
const REPAIR: [usize; 4] = [3, 6, 12, 24];
/// Places listed in a report.
const PLACES: usize = 20;
/// Times that a leak's place is told anew.
const MOVES: usize = 3;

#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub pipe: String,
    /// Share of the likelihood.
    pub weight: f64,
}

/// What is said at one hour about one leak.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The hour after the last reading that it rests on.
    pub hour: usize,
    pub finding: usize,
    /// The middle of the search: most of the likelihood lies within `near_m` of it.
    pub pipe: String,
    pub confidence: f64,
    pub flow_m3h: f64,
    pub onset: usize,
    pub deviations: f64,
    /// Likeliest first.
    pub places: Vec<Place>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub onset: usize,
    pub reports: Vec<Report>,
    /// Hour from which it is held to be gone.
    pub closed: Option<usize>,
    /// Flow as held at the end, m³/h.
    pub flow_m3h: f64,
}

impl Finding {
    /// Held to be running at an hour.
    pub fn runs_at(&self, hour: usize) -> bool {
        self.reports.first().is_some_and(|r| r.hour <= hour) && self.closed.is_none_or(|c| c > hour)
    }
}

struct Leak {
    pipe: usize,
    told: usize,
    onset: usize,
    /// From the onset, hour by hour.
    flow: Vec<f64>,
    closed: Option<usize>,
    low: usize,
    reports: Vec<Report>,
}

impl Leak {
    fn flow(&self, hour: usize) -> f64 {
        hour.checked_sub(self.onset).and_then(|i| self.flow.get(i)).copied().unwrap_or(0.0)
    }
    fn last(&self) -> f64 {
        self.flow.last().copied().unwrap_or(0.0)
    }
    /// From an hour to the present.
    fn set(&mut self, from: usize, to: usize, flow: f64) {
        self.flow.resize((to.max(self.onset) - self.onset).max(self.flow.len()), flow);
        let from = from.max(self.onset) - self.onset;
        self.flow.iter_mut().skip(from).for_each(|q| *q = flow);
    }
}

/// How leaks look in one state with some sensors silent.
struct Eye {
    whitening: Vec<Vec<f64>>,
    /// Whitened signatures of the pipes, one row after the other, and their squares' sums.
    white: Vec<f64>,
    power: Vec<f64>,
}

/// Fed one hour after the other; [`watch`] does it for a whole series.
pub struct Watch<'a> {
    base: &'a Baseline,
    set: &'a Settings,
    past: &'a Innovations,
    /// One for each state and set of silent sensors met so far, and which one each hour has.
    eyes: Vec<Eye>,
    known: HashMap<(usize, Vec<usize>), usize>,
    eye: Vec<usize>,
    now: usize,
    /// The last hours: what is unusual, and what is left of it without the open leaks, against every pipe.
    unusual: Vec<Option<Vec<f64>>>,
    scores: Vec<Vec<f64>>,
    leaks: Vec<Leak>,
    rest_until: usize,
}

impl<'a> Watch<'a> {
    pub fn new(base: &'a Baseline, past: &'a Innovations, set: &'a Settings) -> Self {
        Self {
            base,
            set,
            past,
            eyes: Vec::new(),
            known: HashMap::new(),
            eye: Vec::new(),
            now: 0,
            unusual: Vec::new(),
            scores: vec![Vec::new(); set.history_h],
            leaks: Vec::new(),
            rest_until: 0,
        }
    }

    fn eye_for(&mut self, hour: usize, row: &[f64]) -> Result<usize, LeakError> {
        let silent: Vec<usize> = (0..row.len()).filter(|c| !row[*c].is_finite()).collect();
        let key = (self.base.state(self.past.total[hour]), silent);
        if let Some(e) = self.known.get(&key) {
            return Ok(*e);
        }
        let whitening = self.base.whitening(key.0, &key.1)?;
        let rows: Vec<Vec<f64>> = self.base.signatures[key.0].iter().map(|s| whiten(&whitening, s)).collect();
        self.eyes.push(Eye { whitening, power: rows.iter().map(|r| dot(r, r)).collect(), white: rows.concat() });
        self.known.insert(key, self.eyes.len() - 1);
        Ok(self.eyes.len() - 1)
    }
    fn eye(&self, hour: usize) -> &Eye {
        &self.eyes[self.eye[hour]]
    }
    fn open(&self) -> Vec<usize> {
        (0..self.leaks.len()).filter(|l| self.leaks[*l].closed.is_none()).collect()
    }

    /// What is left of an hour without the leaks, but for one.
    fn left(&self, hour: usize, but: Option<usize>) -> Option<Vec<f64>> {
        let mut row = self.unusual[hour].clone()?;
        for (_, leak) in self.leaks.iter().enumerate().filter(|(i, _)| Some(*i) != but) {
            let q = leak.flow(hour);
            if q != 0.0 {
                self.base.subtract(&mut row, leak.pipe, self.past.total[hour], q);
            }
        }
        Some(row)
    }
    fn against(&self, hour: usize, row: &[f64]) -> Vec<f64> {
        let eye = self.eye(hour);
        let row = whiten(&eye.whitening, row);
        eye.white.chunks_exact(row.len().max(1)).map(|s| dot(s, &row)).collect()
    }
    fn rescore(&mut self, from: usize) {
        let first = from.max(self.now.saturating_sub(self.set.history_h));
        for hour in first..self.now {
            let score = self.left(hour, None).map(|r| self.against(hour, &r)).unwrap_or_default();
            let slot = hour % self.set.history_h;
            self.scores[slot] = score;
        }
    }

    /// One hour more.
    pub fn step(&mut self) -> Result<(), LeakError> {
        let hour = self.now;
        let unusual = self.base.unusual(self.past, hour);
        // An hour that says nothing is never looked at, whatever its eye.
        let eye = unusual.as_ref().map_or(Ok(0), |row| self.eye_for(hour, row))?;
        self.now += 1;
        self.eye.push(eye);
        self.unusual.push(unusual);
        for leak in self.leaks.iter_mut().filter(|l| l.closed.is_none()) {
            let q = leak.last();
            leak.set(hour, hour + 1, q);
        }
        self.rescore(hour);
        if self.now.is_multiple_of(24) {
            self.refit();
        }
        if self.now >= 24 && self.now.is_multiple_of(self.set.hop_h) {
            self.judge();
        }
        if self.now.is_multiple_of(24) {
            self.search();
        }
        Ok(())
    }

    fn inflation(&self, hours: usize) -> f64 {
        1.0 + self.set.persist * hours as f64
    }

    fn judge(&mut self) {
        let pipes = self.base.pipes.len();
        let (mut num, mut den) = (vec![0.0; pipes], vec![0.0; pipes]);
        // The signature of a great leak is never quite right: what is small beside it may be its shadow.
        let greatest = self.open().iter().map(|l| self.leaks[*l].last()).fold(0.0, f64::max);
        let least = self.set.least_flow.max(self.set.shadow * greatest);
        let mut best: Option<(f64, usize, Vec<f64>, Vec<f64>)> = None;
        let mut repair: Option<(f64, usize, usize)> = None;
        let reach = self.now.min(self.set.history_h);
        for back in 1..=reach {
            let hour = self.now - back;
            let score = &self.scores[hour % self.set.history_h];
            if !score.is_empty() {
                let power = &self.eye(hour).power;
                num.iter_mut().zip(score).for_each(|(n, s)| *n += s);
                den.iter_mut().zip(power).for_each(|(d, p)| *d += p);
            }
            let inflation = self.inflation(back);
            if REPAIR.contains(&back) {
                for l in self.open() {
                    let leak = &self.leaks[l];
                    let (n, d) = (num[leak.pipe], den[leak.pipe]);
                    if self.now - leak.onset > 24 + back && d > 0.0 && -n / d >= self.set.close_share * leak.last() {
                        let z = -n / (d * inflation).sqrt();
                        if z >= self.set.close_z && repair.is_none_or(|r| z > r.0) {
                            repair = Some((z, l, back));
                        }
                    }
                }
            }
            if WINDOWS.contains(&back) {
                let z: Vec<f64> =
                    num.iter().zip(&den).map(|(n, d)| if *d > 0.0 && n / d >= least { n / (d * inflation).sqrt() } else { 0.0 }).collect();
                let most = z.iter().copied().fold(0.0, f64::max);
                if best.as_ref().is_none_or(|b| most > b.0) {
                    let flow = num.iter().zip(&den).map(|(n, d)| if *d > 0.0 { n / d } else { 0.0 }).collect();
                    best = Some((most, back, z, flow));
                }
            }
        }
        let Some((z, window, by_pipe, flows)) = best else { return };
        // A repair of a known leak and a new leak elsewhere look alike for some hours: the likelier one is taken.
        if let Some((_, l, back)) = repair.filter(|r| r.0 >= z || z < self.set.alarm_z) {
            let from = self.now - back;
            self.close(l, from);
            self.rest_until = self.now + self.set.rest_h;
            return;
        }
        if z < self.set.alarm_z || self.now < self.rest_until {
            return;
        }
        self.rest_until = self.now + self.set.rest_h;
        let llr: Vec<f64> = by_pipe.iter().map(|z| z * z / 2.0).collect();
        let (told, likeliest, _) = self.choose(&llr);
        let grown = self
            .open()
            .into_iter()
            .filter_map(|l| {
                let near = &self.base.near[likeliest];
                let d = near.iter().find(|n| n.0 as usize == self.leaks[l].pipe)?.1;
                (d <= self.set.same_m || self.now - self.leaks[l].onset <= self.set.young_h).then_some((d, l))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0));
        match grown {
            Some((_, l)) => {
                let more = self.leaks[l].last() + flows[likeliest].max(0.0);
                let from = self.now - window.min(24);
                self.leaks[l].set(from, self.now, more);
                if self.now - self.leaks[l].onset <= self.set.search_h {
                    let (llr, _) = self.locate(l);
                    self.leaks[l].pipe = most(&llr);
                }
                self.rescore(from.min(self.leaks[l].onset));
                self.refit();
            }
            None => {
                let onset = self.now - window;
                let mut leak = Leak { pipe: likeliest, told, onset, flow: Vec::new(), closed: None, low: 0, reports: Vec::new() };
                leak.set(onset, self.now, flows[likeliest]);
                self.leaks.push(leak);
                let l = self.leaks.len() - 1;
                self.report(l, &llr, z);
                self.rescore(onset);
            }
        }
    }

    fn close(&mut self, l: usize, from: usize) {
        let now = self.now;
        let leak = &mut self.leaks[l];
        leak.set(from, now, 0.0);
        leak.closed = Some(now);
        self.rescore(from);
    }

    /// Where to look: among the pipes around which most of the likelihood lies, the likeliest one.
    fn choose(&self, llr: &[f64]) -> (usize, usize, f64) {
        let top = llr.iter().copied().fold(0.0, f64::max);
        let weight: Vec<f64> = llr.iter().map(|l| (l - top).exp()).collect();
        let sum: f64 = weight.iter().sum();
        let mass: Vec<f64> = self.base.near.iter().map(|near| near.iter().map(|n| weight[n.0 as usize]).sum::<f64>() / sum).collect();
        let most_mass = mass.iter().copied().fold(0.0, f64::max);
        let place = (0..llr.len()).filter(|p| mass[*p] >= most_mass - 0.02).max_by(|a, b| llr[*a].total_cmp(&llr[*b])).unwrap_or(0);
        (place, most(llr), mass[place])
    }

    fn report(&mut self, l: usize, llr: &[f64], deviations: f64) {
        let (told, _, confidence) = self.choose(llr);
        let top = llr.iter().copied().fold(0.0, f64::max);
        let sum: f64 = llr.iter().map(|x| (x - top).exp()).sum();
        let mut order: Vec<usize> = (0..llr.len()).collect();
        order.sort_by(|a, b| llr[*b].total_cmp(&llr[*a]).then(a.cmp(b)));
        let places =
            order.iter().take(PLACES).map(|p| Place { pipe: self.base.pipes[*p].clone(), weight: (llr[*p] - top).exp() / sum }).collect();
        let (now, pipe) = (self.now, self.base.pipes[told].clone());
        let leak = &mut self.leaks[l];
        leak.told = told;
        let (flow_m3h, onset) = (leak.last(), leak.onset);
        leak.reports.push(Report { hour: now, finding: l, pipe, confidence, flow_m3h, onset, deviations, places });
    }

    /// How likely each pipe is for one leak, the others taken out; and its flow there.
    fn locate(&self, l: usize) -> (Vec<f64>, Vec<f64>) {
        let leak = &self.leaks[l];
        let from = leak.onset.max(self.now.saturating_sub(self.set.history_h));
        let pipes = self.base.pipes.len();
        let (mut num, mut den) = (vec![0.0; pipes], vec![0.0; pipes]);
        let last = leak.last().max(1e-6);
        for hour in from..self.now {
            let Some(row) = self.left(hour, Some(l)) else { continue };
            let shape = (leak.flow(hour) / last).clamp(0.0, 1.5);
            let power = &self.eye(hour).power;
            for ((n, d), (s, p)) in num.iter_mut().zip(&mut den).zip(self.against(hour, &row).iter().zip(power)) {
                *n += s * shape;
                *d += p * shape * shape;
            }
        }
        let inflation = self.inflation(self.now - from);
        let llr = num.iter().zip(&den).map(|(n, d)| if *n > 0.0 && *d > 0.0 { n * n / d / 2.0 / inflation } else { 0.0 }).collect();
        (llr, num.iter().zip(&den).map(|(n, d)| if *d > 0.0 { n / d } else { 0.0 }).collect())
    }

    /// Young leaks are looked for again, and told anew when another place is clearly likelier.
    fn search(&mut self) {
        for l in self.open() {
            let age = self.now - self.leaks[l].onset;
            if age < 24 || self.now > self.leaks[l].reports[0].hour + self.set.search_h {
                continue;
            }
            let (llr, flows) = self.locate(l);
            let best = most(&llr);
            if llr[best] > llr[self.leaks[l].pipe] + 1.0 {
                let from = self.leaks[l].onset.max(self.now.saturating_sub(self.set.refit_h));
                let now = self.now;
                self.leaks[l].pipe = best;
                self.leaks[l].set(from, now, flows[best].max(0.0));
                self.rescore(self.leaks[l].onset);
            }
            let (place, _, mass) = self.choose(&llr);
            let told = self.leaks[l].told;
            let far = !self.base.near[told].iter().any(|n| n.0 as usize == place);
            if far && llr[best] > llr[told] + self.set.move_llr && mass >= self.set.move_mass && self.leaks[l].reports.len() <= MOVES {
                let z = (2.0 * llr[best]).sqrt();
                self.report(l, &llr, z);
            }
        }
    }

    /// Flows of all open leaks at once over the last days, none below nothing, each near what it was.
    fn refit(&mut self) {
        let open = self.open();
        if open.is_empty() {
            return;
        }
        let (from, n) = (self.now.saturating_sub(self.set.refit_h), open.len());
        let mut h = vec![vec![0.0; n]; n];
        let mut g = vec![0.0; n];
        for hour in from..self.now {
            let Some(mut row) = self.unusual[hour].clone() else { continue };
            for leak in self.leaks.iter().filter(|l| l.closed.is_some()) {
                let q = leak.flow(hour);
                if q != 0.0 {
                    self.base.subtract(&mut row, leak.pipe, self.past.total[hour], q);
                }
            }
            let whitening = &self.eye(hour).whitening;
            let row = whiten(whitening, &row);
            let white: Vec<Option<Vec<f64>>> = open
                .iter()
                .map(|l| {
                    let leak = &self.leaks[*l];
                    (leak.onset <= hour).then(|| whiten(whitening, &self.base.signature(leak.pipe, self.past.total[hour])))
                })
                .collect();
            for i in 0..n {
                let Some(a) = &white[i] else { continue };
                g[i] += dot(a, &row);
                for j in 0..n {
                    if let Some(b) = &white[j] {
                        h[i][j] += dot(a, b);
                    }
                }
            }
        }
        let inflation = self.inflation(self.now - from);
        let tie = 1.0 / (self.set.walk * self.set.walk).max(1e-9);
        let before: Vec<f64> = open.iter().map(|l| self.leaks[*l].last()).collect();
        let mut q = before.clone();
        for _ in 0..60 {
            for i in 0..n {
                let others: f64 = (0..n).filter(|j| *j != i).map(|j| h[i][j] / inflation * q[j]).sum();
                q[i] = ((g[i] / inflation + before[i] * tie - others) / (h[i][i] / inflation + tie)).max(0.0);
            }
        }
        let now = self.now;
        for (l, q) in open.iter().zip(q) {
            let leak = &mut self.leaks[*l];
            leak.set(now.saturating_sub(24), now, q);
            leak.low = if q < self.set.gone_flow && now - leak.onset > 48 { leak.low + 1 } else { 0 };
            if leak.low >= 2 {
                leak.closed = Some(now);
            }
        }
        self.rescore(now.saturating_sub(24));
    }

    pub fn findings(&self) -> Vec<Finding> {
        self.leaks
            .iter()
            .map(|l| Finding {
                onset: l.onset,
                reports: l.reports.clone(),
                closed: l.closed,
                flow_m3h: if l.closed.is_some() { 0.0 } else { l.last() },
            })
            .collect()
    }
}

fn most(v: &[f64]) -> usize {
    (0..v.len()).max_by(|a, b| v[*a].total_cmp(&v[*b])).unwrap_or(0)
}

/// The whole series from its first hour to its last.
pub fn watch(base: &Baseline, innovations: &Innovations, settings: &Settings) -> Result<Vec<Finding>, LeakError> {
    let mut w = Watch::new(base, innovations, settings);
    for _ in 0..innovations.rows.len() {
        w.step()?;
    }
    Ok(w.findings())
}
