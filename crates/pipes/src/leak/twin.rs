//! The model beside the network: driven by its meters, asked what the pressures ought to be and what a leak would do.

use super::{
    LeakError,
    readings::{HOUR_S, Kind, Readings},
};
use epanet::{
    EPANET,
    types::{
        CountType,
        analysis::InitHydOption,
        link::{LinkProperty, LinkType},
        node::{NodeProperty, NodeType},
        options::{FlowUnits, TimeParameter},
    },
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
};

/// Flow of the trial leak that signatures are reckoned from, m³/h.
const TRIAL_M3H: f64 = 4.0;
/// States of the network that signatures are reckoned in: quantiles of the metered demand.
const STATES: [f64; 5] = [0.05, 0.3, 0.55, 0.8, 0.97];
/// Of the solver, whatever the model asks for: what it leaves undone must be small beside a leak's signature.
const ACCURACY: f64 = 1e-5;
const TRIALS: f64 = 200.0;
/// A district's meters speak for all of it when they stand for this share of its nominal demand.
const METERED_SHARE: f64 = 0.8;
const MONDAY_S: i64 = 3 * 86_400; // 1970-01-01 was a Thursday; patterns of a week begin on Monday
const WEEK_S: i64 = 7 * 86_400;

struct Tank {
    node: usize,
    area_m2: f64,
    /// Least and greatest level, m.
    range: [f64; 2],
}

/// What metered links part from the rest.
#[derive(Default)]
struct District {
    nodes: Vec<usize>,
    /// Link and sign: +1 flows in.
    gates: Vec<(usize, f64)>,
    tanks: Vec<Tank>,
    has_source: bool,
    meters: Vec<usize>,
    /// Column of the balance between inflow and meters.
    balance: Option<usize>,
}

impl District {
    /// Its demand can be told from its gates.
    fn is_metered(&self) -> bool {
        !self.has_source && !self.gates.is_empty()
    }
}

/// What measurements and model disagree about, hour by hour.
#[derive(Debug, Clone, PartialEq)]
pub struct Innovations {
    pub start_s: i64,
    /// A column for each pressure sensor (m), then one for each district with meters (m³/h); NaN where missing. `None`:
    /// an hour without the flows and levels that drive the model.
    pub rows: Vec<Option<Vec<f64>>>,
    /// Metered demand of all districts, m³/h.
    pub total: Vec<f64>,
}

impl Innovations {
    pub fn until(&self, hours: usize) -> Self {
        let n = hours.min(self.rows.len());
        Self { start_s: self.start_s, rows: self.rows[..n].to_vec(), total: self.total[..n].to_vec() }
    }
}

pub struct Twin {
    project: EPANET,
    _dir: tempfile::TempDir,
    node_ids: Vec<String>,
    junctions: Vec<usize>,
    /// Per node: base demand (m³/h) and pattern.
    demands: Vec<Vec<(f64, Option<usize>)>>,
    patterns: Vec<Vec<f64>>,
    pattern_s: i64,
    district_of: Vec<usize>,
    districts: Vec<District>,
    /// Nodes with a pressure sensor, and what to call them.
    sensors: Vec<(usize, String)>,
    /// Pumps that are metered: closed in the model, their flow is drawn at one end and given at the other.
    pumps: Vec<(usize, [usize; 2])>,
    links: Vec<(String, [usize; 2], f64)>,
    /// Pipes that may leak, as links.
    candidates: Vec<usize>,
    columns: usize,
}

fn indexes(count: i32) -> impl Iterator<Item = usize> {
    0..usize::try_from(count).unwrap_or(0)
}
/// The toolkit counts from one.
fn at(i: usize) -> i32 {
    i as i32 + 1
}

impl Twin {
    /// A model as EPANET reads it and the sensors that the readings name.
    pub fn open(inp: &str, readings: &Readings) -> Result<Self, LeakError> {
        let dir = tempfile::tempdir()?;
        let (input, report) = (dir.path().join("network.inp"), dir.path().join("report.txt"));
        std::fs::write(&input, inp)?;
        let project = EPANET::with_inp_file_allow_errors(&input.to_string_lossy(), &report.to_string_lossy(), "").map_err(|e| {
            let why = std::fs::read_to_string(&report).unwrap_or_default();
            let why: Vec<&str> = why.lines().map(str::trim).skip_while(|l| !l.contains("Error")).take(3).collect();
            LeakError::Solver(format!("{} ({}): {}", e.message(), e.code, why.join(" ")))
        })?;
        project.set_flow_units(FlowUnits::Cmh)?;
        let times = project.get_option(epanet::types::options::Option::DemandMult)?;
        project.set_option(epanet::types::options::Option::DemandMult, 1.0)?;
        project.set_option(epanet::types::options::Option::Accuracy, ACCURACY)?;
        project.set_option(epanet::types::options::Option::Trials, TRIALS)?;
        let nodes: Vec<String> =
            indexes(project.get_count(CountType::NodeCount)?).map(|i| project.get_node_id(at(i))).collect::<Result<_, _>>()?;
        let node_at: HashMap<&str, usize> = nodes.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
        let kinds: Vec<NodeType> = (0..nodes.len()).map(|i| project.get_node_type(at(i))).collect::<Result<_, _>>()?;
        let links: Vec<(String, [usize; 2], f64)> = indexes(project.get_count(CountType::LinkCount)?)
            .map(|l| {
                let (a, b) = project.get_link_nodes(at(l))?;
                Ok((project.get_link_id(at(l))?, [a as usize - 1, b as usize - 1], project.get_link_value(at(l), LinkProperty::Length)?))
            })
            .collect::<Result<_, LeakError>>()?;
        let link_at: HashMap<&str, usize> = links.iter().enumerate().map(|(i, l)| (l.0.as_str(), i)).collect();
        let types: Vec<LinkType> = (0..links.len()).map(|l| project.get_link_type(at(l))).collect::<Result<_, _>>()?;
        let node = |id: &str| node_at.get(id).copied().ok_or_else(|| LeakError::reading(id, "the model has no such node"));
        let link = |id: &str| link_at.get(id).copied().ok_or_else(|| LeakError::reading(id, "the model has no such link"));

        let sensors: Vec<(usize, String)> =
            readings.ids(Kind::Pressure).map(|id| Ok((node(id)?, id.to_owned()))).collect::<Result<_, LeakError>>()?;
        if sensors.is_empty() {
            return Err(LeakError::reading("pressure", "no pressure sensor is given"));
        }
        let gates: HashSet<usize> = readings.ids(Kind::Flow).map(link).collect::<Result<_, _>>()?;
        let leveled: HashSet<usize> = readings.ids(Kind::Level).map(node).collect::<Result<_, _>>()?;
        let metered: HashSet<usize> = readings.ids(Kind::Demand).map(node).collect::<Result<_, _>>()?;

        let patterns: Vec<Vec<f64>> = indexes(project.get_count(CountType::PatternCount)?)
            .map(|p| (1..=project.get_pattern_length(at(p))?).map(|i| project.get_pattern_value(at(p), i)).collect())
            .collect::<Result<_, epanet::epanet_error::EPANETError>>()?;
        let steady = "strata-steady";
        project.add_pattern(steady)?;
        let steady = project.get_pattern_index(steady)?;
        let mut demands = vec![Vec::new(); nodes.len()];
        let junctions: Vec<usize> = (0..nodes.len()).filter(|i| kinds[*i] == NodeType::Junction).collect();
        for i in &junctions {
            let mut count = project.get_number_of_demands(at(*i))?;
            if count == 0 {
                project.add_demand(at(*i), 0.0, "", "")?;
                count = 1;
            }
            for d in 1..=count {
                let (base, p) = (project.get_base_demand(at(*i), d)?, project.get_demand_pattern(at(*i), d)?);
                if base != 0.0 {
                    demands[*i].push((base * times, usize::try_from(p - 1).ok()));
                }
                project.set_base_demand(at(*i), d, 0.0)?;
                project.set_demand_pattern(at(*i), d, steady)?;
            }
        }

        // Districts: what hangs together without the metered links.
        let mut district_of = vec![usize::MAX; nodes.len()];
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        for (_, (_, [a, b], _)) in links.iter().enumerate().filter(|(l, _)| !gates.contains(l)) {
            next[*a].push(*b);
            next[*b].push(*a);
        }
        let mut districts: Vec<District> = Vec::new();
        for first in 0..nodes.len() {
            if district_of[first] != usize::MAX {
                continue;
            }
            let (mut d, mut stack) = (District::default(), vec![first]);
            district_of[first] = districts.len();
            while let Some(n) = stack.pop() {
                d.nodes.push(n);
                match kinds[n] {
                    NodeType::Tank if leveled.contains(&n) => {
                        let across = project.get_node_value(at(n), NodeProperty::TankDiam)?;
                        let range =
                            [NodeProperty::MinLevel, NodeProperty::MaxLevel].map(|p| project.get_node_value(at(n), p).unwrap_or(0.0));
                        d.tanks.push(Tank { node: n, area_m2: std::f64::consts::FRAC_PI_4 * across * across, range });
                    }
                    NodeType::Junction => {}
                    _ => d.has_source = true,
                }
                if metered.contains(&n) {
                    d.meters.push(n);
                }
                for m in &next[n] {
                    if district_of[*m] == usize::MAX {
                        district_of[*m] = districts.len();
                        stack.push(*m);
                    }
                }
            }
            districts.push(d);
        }
        let mut gates: Vec<usize> = gates.into_iter().collect();
        gates.sort_unstable();
        let mut pumps = Vec::new();
        for l in gates {
            let [a, b] = links[l].1;
            if district_of[a] != district_of[b] {
                districts[district_of[a]].gates.push((l, -1.0));
                districts[district_of[b]].gates.push((l, 1.0));
            }
            if types[l] == LinkType::Pump {
                pumps.push((l, [a, b]));
            }
        }
        let mut columns = sensors.len();
        for d in &mut districts {
            let nominal = |n: &usize| demands[*n].iter().map(|x| x.0).sum::<f64>();
            let (all, told) = (d.nodes.iter().map(nominal).sum::<f64>(), d.meters.iter().map(nominal).sum::<f64>());
            if d.is_metered() && all > 0.0 && told >= METERED_SHARE * all {
                d.balance = Some(columns);
                columns += 1;
            }
        }
        while project.get_count(CountType::ControlCount)? > 0 {
            project.delete_control(project.get_control(1)?)?;
        }
        for (l, _) in &pumps {
            project.set_link_value(at(*l), LinkProperty::InitStatus, 0.0)?;
        }
        project.set_time_parameter(TimeParameter::Duration, 0)?;
        let pattern_s = i64::from(project.get_time_parameter(TimeParameter::PatternStep)?).max(1);
        let is_junction = |n: &usize| kinds[*n] == NodeType::Junction;
        let candidates = (0..links.len())
            .filter(|l| matches!(types[*l], LinkType::Pipe | LinkType::CvPipe) && links[*l].1.iter().any(is_junction))
            .collect();
        project.open_h()?;
        Ok(Self {
            project,
            _dir: dir,
            node_ids: nodes,
            junctions,
            demands,
            patterns,
            pattern_s,
            district_of,
            districts,
            sensors,
            pumps,
            links,
            candidates,
            columns,
        })
    }

    pub fn columns(&self) -> usize {
        self.columns
    }
    pub fn sensors(&self) -> usize {
        self.sensors.len()
    }
    /// Pipes that may leak, by id.
    pub fn pipes(&self) -> Vec<&str> {
        self.candidates.iter().map(|l| self.links[*l].0.as_str()).collect()
    }

    /// Nominal demand of every node at a moment of the sensors' clock, m³/h.
    fn nominal(&self, seconds: i64) -> Vec<f64> {
        let step = (seconds + MONDAY_S).rem_euclid(WEEK_S) / self.pattern_s;
        let factor = |p: Option<usize>| {
            p.map_or(1.0, |p| self.patterns.get(p).filter(|p| !p.is_empty()).map_or(1.0, |p| p[step as usize % p.len()]))
        };
        self.demands.iter().map(|d| d.iter().map(|(base, p)| base * factor(*p)).sum()).collect()
    }

    /// Pressures at the sensors, m.
    fn solve(&self, demand: &[f64], levels: &[(usize, f64)]) -> Result<Vec<f64>, LeakError> {
        for n in &self.junctions {
            self.project.set_base_demand(at(*n), 1, demand[*n])?;
        }
        for (n, level) in levels {
            self.project.set_node_value(at(*n), NodeProperty::TankLevel, *level)?;
        }
        self.project.init_h(InitHydOption::NoSave)?;
        match self.project.run_h() {
            Ok(_) => {}
            Err(e) if e.is_warning() => {}
            Err(e) => return Err(e.into()),
        }
        self.sensors.iter().map(|(n, _)| Ok(self.project.get_node_value(at(*n), NodeProperty::Pressure)?)).collect()
    }

    fn levels(&self, readings: &Readings, hour: usize) -> Option<Vec<(usize, f64)>> {
        let tanks = self.districts.iter().flat_map(|d| &d.tanks);
        tanks
            .map(|t| {
                let level = readings.get(Kind::Level, &self.node_ids[t.node], hour);
                level.is_finite().then(|| (t.node, level.clamp(t.range[0], t.range[1])))
            })
            .collect()
    }

    /// Demands that the meters of an hour say, the metered total, and each district's balance; none when one that drives
    /// the model is missing.
    #[allow(clippy::type_complexity, reason = "three parts of one hour")]
    fn driven(&self, readings: &Readings, hour: usize) -> Option<(Vec<f64>, f64, Vec<(usize, f64)>)> {
        let mut demand = self.nominal(readings.start_s + hour as i64 * HOUR_S);
        let flow = |l: usize, hour: usize| readings.get(Kind::Flow, &self.links[l].0, hour);
        let (mut total, mut balances) = (0.0, Vec::new());
        for d in self.districts.iter().filter(|d| d.is_metered()) {
            // What flowed while the tank went from the last reading to this one.
            let drawn = |h: usize| d.gates.iter().map(|(l, sign)| sign * flow(*l, h)).sum::<f64>();
            let mut inflow = drawn(hour);
            for t in &d.tanks {
                let id = &self.node_ids[t.node];
                let rise = if hour == 0 { 0.0 } else { readings.get(Kind::Level, id, hour) - readings.get(Kind::Level, id, hour - 1) };
                inflow = if hour == 0 { inflow } else { (inflow + drawn(hour - 1)) / 2.0 } - t.area_m2 * rise;
            }
            let nominal: f64 = d.nodes.iter().map(|n| demand[*n]).sum();
            let mut wanted = inflow;
            if let Some(column) = d.balance {
                // Meters that are silent are left out on both sides.
                let (mut told, mut of) = (0.0, 0.0);
                for n in &d.meters {
                    let v = readings.get(Kind::Demand, &self.node_ids[*n], hour);
                    if v.is_finite() {
                        told += v;
                        of += demand[*n];
                    }
                }
                wanted = if of > 0.0 { told * nominal / of } else { f64::NAN };
                balances.push((column, inflow - wanted));
            }
            if !wanted.is_finite() {
                return None;
            }
            total += wanted;
            if nominal > 0.0 {
                // A meter may read below nothing for an hour; demand may not.
                let scale = (wanted / nominal).clamp(0.0, 50.0);
                d.nodes.iter().for_each(|n| demand[*n] *= scale);
            }
        }
        for (l, [a, b]) in &self.pumps {
            let q = flow(*l, hour);
            if !q.is_finite() {
                return None;
            }
            demand[*a] += q;
            demand[*b] -= q;
        }
        Some((demand, total, balances))
    }

    /// Measured less computed, for every hour. Each hour needs only itself and the one before.
    pub fn innovations(&self, readings: &Readings) -> Result<Innovations, LeakError> {
        let mut out =
            Innovations { start_s: readings.start_s, rows: Vec::with_capacity(readings.hours), total: Vec::with_capacity(readings.hours) };
        for hour in 0..readings.hours {
            let (Some((demand, total, balances)), Some(levels)) = (self.driven(readings, hour), self.levels(readings, hour)) else {
                out.rows.push(None);
                out.total.push(f64::NAN);
                continue;
            };
            let computed = self.solve(&demand, &levels)?;
            let mut row = vec![f64::NAN; self.columns];
            for (i, (_, id)) in self.sensors.iter().enumerate() {
                row[i] = readings.get(Kind::Pressure, id, hour) - computed[i];
            }
            balances.iter().for_each(|(c, v)| row[*c] = *v);
            // An hour in which most sensors are silent says nothing.
            let heard = row.iter().filter(|v| v.is_finite()).count();
            out.rows.push((2 * heard >= row.len()).then_some(row));
            out.total.push(total);
        }
        Ok(out)
    }

    /// What one m³/h at each pipe does to every column, in each state; and the states' totals, m³/h.
    pub fn signatures(&self, innovations: &Innovations) -> Result<(Vec<f64>, Vec<Vec<Vec<f64>>>), LeakError> {
        let mut totals: Vec<f64> = innovations.total.iter().copied().filter(|t| t.is_finite()).collect();
        if totals.is_empty() {
            return Err(LeakError::Calibration("no hour has all the flows and levels that drive the model".into()));
        }
        totals.sort_by(f64::total_cmp);
        let mut states: Vec<f64> = STATES.iter().map(|q| totals[((totals.len() - 1) as f64 * q) as usize]).collect();
        states.dedup_by(|a, b| (*a - *b).abs() < 1e-6);
        let mut out = Vec::new();
        for state in &states {
            // The hour of the week whose nominal demand is nearest, scaled to the state.
            let metered: Vec<usize> = self.districts.iter().filter(|d| d.is_metered()).flat_map(|d| d.nodes.iter().copied()).collect();
            let sum = |d: &[f64]| metered.iter().map(|n| d[*n]).sum::<f64>();
            let hour = (0..168).min_by(|a, b| {
                let off = |h: i64| (sum(&self.nominal(h * HOUR_S)) - state).abs();
                off(*a).total_cmp(&off(*b))
            });
            let mut demand = self.nominal(hour.unwrap_or(0) * HOUR_S);
            let nominal = sum(&demand);
            if nominal > 0.0 {
                metered.iter().for_each(|n| demand[*n] *= state / nominal);
            }
            // A pump runs at what its side needs on average.
            for (l, [a, b]) in &self.pumps {
                let d = &self.districts[self.district_of[*b]];
                let q = if d.gates.iter().any(|g| g.0 == *l) && d.is_metered() { d.nodes.iter().map(|n| demand[*n]).sum() } else { 0.0 };
                demand[*a] += q;
                if self.districts[self.district_of[*b]].tanks.is_empty() {
                    demand[*b] -= q;
                }
            }
            let levels: Vec<(usize, f64)> =
                self.districts.iter().flat_map(|d| &d.tanks).map(|t| (t.node, t.range[0] + 0.75 * (t.range[1] - t.range[0]))).collect();
            let sound = self.solve(&demand, &levels)?;
            let mut by_node: HashMap<usize, Vec<f64>> = HashMap::new();
            for n in &self.junctions {
                let d = &self.districts[self.district_of[*n]];
                let mut with = demand.clone();
                let mut row = vec![0.0; self.columns];
                match d.balance {
                    Some(c) => row[c] = 1.0,
                    // Its total is what flows in: a leak takes from what users are thought to draw.
                    None if d.is_metered() => {
                        let all: f64 = d.nodes.iter().map(|n| demand[*n].max(0.0)).sum();
                        if all > TRIAL_M3H {
                            d.nodes.iter().for_each(|n| with[*n] -= demand[*n].max(0.0) / all * TRIAL_M3H);
                        }
                    }
                    None => {}
                }
                with[*n] += TRIAL_M3H;
                for (i, p) in self.solve(&with, &levels)?.iter().enumerate() {
                    row[i] = (p - sound[i]) / TRIAL_M3H;
                }
                by_node.insert(*n, row);
            }
            let pipe = |l: &usize| {
                let ends: Vec<&Vec<f64>> = self.links[*l].1.iter().filter_map(|n| by_node.get(n)).collect();
                (0..self.columns).map(|c| ends.iter().map(|e| e[c]).sum::<f64>() / ends.len().max(1) as f64).collect()
            };
            out.push(self.candidates.iter().map(pipe).collect());
        }
        Ok((states, out))
    }

    /// For every candidate the candidates within a distance along pipes, middle to middle, with that distance, m.
    pub fn neighbours(&self, within_m: f64) -> Vec<Vec<(u32, f64)>> {
        let mut next: Vec<Vec<(usize, f64)>> = vec![Vec::new(); self.node_ids.len()];
        for (_, [a, b], length) in self.links.iter().filter(|l| l.2 > 0.0) {
            next[*a].push((*b, *length));
            next[*b].push((*a, *length));
        }
        let mut at_node: Vec<Vec<u32>> = vec![Vec::new(); self.node_ids.len()];
        for (c, l) in self.candidates.iter().enumerate() {
            self.links[*l].1.iter().for_each(|n| at_node[*n].push(c as u32));
        }
        let half = |c: u32| self.links[self.candidates[c as usize]].2 / 2.0;
        let from = |c: u32| {
            let mut best: HashMap<usize, f64> = HashMap::new();
            let mut heap = BinaryHeap::new();
            for n in self.links[self.candidates[c as usize]].1 {
                heap.push(Reverse((half(c).to_bits(), n))); // bits of a number from 0 on keep its order
            }
            let mut found: HashMap<u32, f64> = HashMap::from([(c, 0.0)]);
            while let Some(Reverse((bits, n))) = heap.pop() {
                let gone = f64::from_bits(bits);
                if gone > within_m || best.get(&n).is_some_and(|b| *b <= gone) {
                    continue;
                }
                best.insert(n, gone);
                for other in &at_node[n] {
                    let d = gone + half(*other);
                    if d <= within_m {
                        found.entry(*other).and_modify(|x| *x = x.min(d)).or_insert(d);
                    }
                }
                next[n].iter().for_each(|(m, w)| heap.push(Reverse(((gone + w).to_bits(), *m))));
            }
            let mut found: Vec<(u32, f64)> = found.into_iter().collect();
            found.sort_by_key(|f| f.0);
            found
        };
        (0..self.candidates.len() as u32).map(from).collect()
    }
}
