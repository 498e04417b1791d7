//! L-TOWN rebuilt: the original SCADA pressures are not to be had here, so the years are simulated by EPANET 2.3 with the
//! published leaks. What comes out is **rebuilt L-TOWN, not the original SCADA file**, and is said so wherever it is shown.
//!
//! The hidden "real" network differs from the nominal model that the detector knows: every demand by 10 % (lognormal),
//! every roughness by up to 10 %, the same in both years. Demands follow the model's weekly patterns, a season of 10 %,
//! three slow disturbances (4 %, six hours) and 15 % of noise at each node. A leak in the middle of its pipe loses
//! 0.75 · A · √(2 g h); an incipient one grows with the square of time. One reading an hour, pressures ± 1 cm and rounded
//! to 1 cm, flows ± 0.5 %, levels to 1 cm. Everything from one seed.

use epanet::{
    EPANET,
    types::{
        CountType, analysis::InitHydOption, link::LinkProperty, link::LinkType, node::NodeProperty, node::NodeType, options::TimeParameter,
    },
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use strata_pipes::leak::{Kind, Readings};

pub const HOUR_S: i64 = 3600;
const SYSTEM: u64 = 7;

#[derive(Debug, Clone)]
pub struct Truth {
    pub pipe: String,
    /// Seconds since 1970 on the network's clock.
    pub start_s: i64,
    pub end_s: i64,
    pub peak_s: i64,
    pub hole_m: f64,
    /// m³/h every half hour from a moment on, where the organisers' own flow is known.
    pub given: Option<(i64, Vec<f64>)>,
}

pub struct Rebuilt {
    pub readings: Readings,
    /// m³/h of each leak, hour by hour.
    pub flows: Vec<Vec<f64>>,
}

pub struct Sensors {
    pub pressures: Vec<String>,
    pub flows: Vec<String>,
    pub levels: Vec<String>,
    pub meters: Vec<String>,
}

impl Sensors {
    /// The lists of `sensors.yaml`.
    pub fn parse(text: &str) -> Self {
        let list = |name: &str| {
            let lines = text.lines().skip_while(|l| l.trim_end() != format!("{name}:")).skip(1);
            lines.take_while(|l| l.trim_start().starts_with('-')).map(|l| l.trim_start_matches(['-', ' ']).trim().to_owned()).collect()
        };
        Self { pressures: list("pressure_sensors"), flows: list("flow_sensors"), levels: list("level_sensors"), meters: list("amrs") }
    }
}

/// The model with a node in the middle of each pipe named.
fn split(inp: &str, pipes: &[String]) -> String {
    let section = |wanted: &'static str| {
        let mut inside = false;
        inp.lines().filter(move |l| {
            if l.starts_with('[') {
                inside = l.trim() == wanted;
            }
            inside && !l.starts_with('[')
        })
    };
    let height: HashMap<&str, f64> = section("[JUNCTIONS]")
        .filter_map(|l| {
            let mut w = l.split_whitespace();
            Some((w.next()?, w.next()?.parse().ok()?))
        })
        .collect();
    let (mut out, mut nodes, mut inside) = (String::with_capacity(inp.len() + 10_000), String::new(), "");
    for line in inp.lines() {
        if line.starts_with('[') {
            if inside == "[JUNCTIONS]" {
                out.push('\0'); // the new nodes go here
            }
            inside = line.trim();
        }
        let w: Vec<&str> = line.split_whitespace().collect();
        if inside == "[PIPES]" && w.len() > 4 && pipes.iter().any(|p| p == w[0]) {
            let (half, rest) = (w[3].parse::<f64>().expect("a length") / 2.0, w[4..].join(" "));
            let of = |n: &str| height.get(n).copied();
            let z = match (of(w[1]), of(w[2])) {
                (Some(a), Some(b)) => (a + b) / 2.0,
                (a, b) => a.or(b).unwrap_or(0.0),
            };
            nodes += &format!("{0}_leak {z} 0\n", w[0]);
            out += &format!("{0} {1} {0}_leak {half} {rest}\n{0}_b {0}_leak {2} {half} {rest}\n", w[0], w[1], w[2]);
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.replace('\0', &nodes)
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random_range(1e-12..1.0), rng.random_range(0.0..std::f64::consts::TAU));
    (-2.0 * u.ln()).sqrt() * v.cos()
}
fn rounded(v: f64) -> f64 {
    (v * 100.0).round() / 100.0
}

pub fn rebuild(
    inp: &str,
    sensors: &Sensors,
    leaks: &[Truth],
    start_s: i64,
    hours: usize,
    seed: u64,
) -> Result<Rebuilt, Box<dyn std::error::Error>> {
    let dir = std::env::temp_dir().join(format!("strata-leak-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let (file, report) = (dir.join("network.inp"), dir.join("report.txt"));
    let mut pipes: Vec<String> = leaks.iter().map(|l| l.pipe.clone()).collect();
    pipes.sort();
    pipes.dedup();
    std::fs::write(&file, split(inp, &pipes))?;
    let en =
        EPANET::with_inp_file_allow_errors(&file.to_string_lossy(), &report.to_string_lossy(), "").map_err(|e| e.message().to_string())?;
    let run = simulate(&en, sensors, leaks, start_s, hours, seed).map_err(|e| e.message().to_string());
    drop(en);
    let _ = std::fs::remove_dir_all(&dir);
    Ok(run?)
}

fn simulate(
    en: &EPANET,
    sensors: &Sensors,
    leaks: &[Truth],
    start_s: i64,
    hours: usize,
    seed: u64,
) -> Result<Rebuilt, epanet::epanet_error::EPANETError> {
    let mut system = ChaCha8Rng::seed_from_u64(SYSTEM);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let patterns: Vec<Vec<f64>> = (1..=en.get_count(CountType::PatternCount)?)
        .map(|p| (1..=en.get_pattern_length(p)?).map(|i| en.get_pattern_value(p, i)).collect())
        .collect::<Result<_, epanet::epanet_error::EPANETError>>()?;
    en.add_pattern("steady")?;
    let steady = en.get_pattern_index("steady")?;
    let step_s = i64::from(en.get_time_parameter(TimeParameter::PatternStep)?);
    let nodes = en.get_count(CountType::NodeCount)?;
    let mut demands: Vec<Vec<(f64, usize)>> = vec![Vec::new(); nodes as usize + 1];
    let mut junctions = Vec::new();
    for n in (1..=nodes).filter(|n| en.get_node_type(*n).is_ok_and(|t| t == NodeType::Junction)) {
        junctions.push(n);
        for d in 1..=en.get_number_of_demands(n)? {
            let base = en.get_base_demand(n, d)?;
            // Drawn for the nodes of the file alone, so that split pipes do not change the hidden network.
            if !en.get_node_id(n)?.ends_with("_leak") {
                let real = base * (0.10 * normal(&mut system)).exp();
                if base > 0.0 {
                    demands[n as usize].push((real, usize::try_from(en.get_demand_pattern(n, d)? - 1).unwrap_or(0)));
                }
            }
            en.set_base_demand(n, d, 0.0)?;
            en.set_demand_pattern(n, d, steady)?;
        }
    }
    let mut factor: HashMap<String, f64> = HashMap::new();
    for l in (1..=en.get_count(CountType::LinkCount)?).filter(|l| en.get_link_type(*l).is_ok_and(|t| t == LinkType::Pipe)) {
        let id = en.get_link_id(l)?;
        // Both halves of a split pipe are one pipe.
        let f = match id.strip_suffix("_b") {
            Some(whole) => factor[whole],
            None => system.random_range(0.9..1.1),
        };
        factor.insert(id, f);
        en.set_link_value(l, LinkProperty::Roughness, en.get_link_value(l, LinkProperty::Roughness)? * f)?;
    }
    en.set_time_parameter(TimeParameter::Duration, (hours as i64 * HOUR_S + HOUR_S) as i32)?;
    for p in [TimeParameter::HydStep, TimeParameter::PatternStep, TimeParameter::ReportStep] {
        en.set_time_parameter(p, HOUR_S as i32)?;
    }
    let node = |ids: &[String]| ids.iter().map(|n| en.get_node_index(n)).collect::<Result<Vec<i32>, _>>();
    let (pressure, level, meter) = (node(&sensors.pressures)?, node(&sensors.levels)?, node(&sensors.meters)?);
    let flow = sensors.flows.iter().map(|l| en.get_link_index(l)).collect::<Result<Vec<i32>, _>>()?;
    let hole = node(&leaks.iter().map(|l| format!("{}_leak", l.pipe)).collect::<Vec<_>>())?;
    let mut head: Vec<f64> = vec![40.0; leaks.len()];
    let (mut slow, keep) = ([0.0f64; 3], (-1.0f64 / 6.0).exp());
    let mut series: Vec<Vec<f64>> = vec![Vec::with_capacity(hours); pressure.len() + flow.len() + level.len() + meter.len()];
    let mut flows = vec![Vec::with_capacity(hours); leaks.len()];
    en.open_h()?;
    en.init_h(InitHydOption::InitFlow)?;
    let (mut t, mut hour) = (0i64, 0usize);
    while hour < hours {
        let due = t == hour as i64 * HOUR_S;
        let mut drawn: HashMap<i32, f64> = HashMap::new();
        if due {
            let now = start_s + t;
            slow.iter_mut().for_each(|s| *s = keep * *s + 0.04 * (1.0 - keep * keep).sqrt() * normal(&mut rng));
            let season = 1.0 + 0.10 * (std::f64::consts::TAU * ((now / 86_400 - 100) as f64) / 365.0).sin();
            let at = (now + 3 * 86_400).rem_euclid(7 * 86_400) / step_s;
            for n in &junctions {
                let wanted: f64 = demands[*n as usize]
                    .iter()
                    .map(|(b, p)| {
                        let pattern = &patterns[*p];
                        b * pattern[at as usize % pattern.len()] * slow[p % 3].exp()
                    })
                    .sum();
                let q = wanted * season * (1.0 + 0.15 * normal(&mut rng)).max(0.0);
                drawn.insert(*n, q);
            }
            for (i, l) in leaks.iter().enumerate() {
                let grown = if now >= l.peak_s { 1.0 } else { ((now - l.start_s) as f64 / (l.peak_s - l.start_s) as f64).powi(2) };
                let runs = (l.start_s..=l.end_s).contains(&now);
                let area = std::f64::consts::FRAC_PI_4 * l.hole_m * l.hole_m;
                let q = match &l.given {
                    Some((from, q)) if now >= *from => q.get(((now - from) / 1800) as usize).copied().unwrap_or(0.0),
                    _ if runs => 3600.0 * 0.75 * area * grown * (2.0 * 9.81 * head[i].max(0.0)).sqrt(),
                    _ => 0.0,
                };
                *drawn.entry(hole[i]).or_default() += q;
                flows[i].push(q);
            }
            for (n, q) in &drawn {
                en.set_base_demand(*n, 1, *q)?;
            }
        }
        match en.run_h() {
            Ok(_) => {}
            Err(e) if e.is_warning() => {}
            Err(e) => return Err(e),
        }
        if due {
            for (h, n) in head.iter_mut().zip(&hole) {
                *h = en.get_node_value(*n, NodeProperty::Pressure)?;
            }
            let mut to = series.iter_mut();
            let mut put = |v: f64| {
                if let Some(s) = to.next() {
                    s.push(v);
                }
            };
            for n in &pressure {
                put(rounded(en.get_node_value(*n, NodeProperty::Pressure)? + 0.01 * normal(&mut rng)));
            }
            for l in &flow {
                put(rounded(en.get_link_value(*l, LinkProperty::Flow)? * (1.0 + 0.005 * normal(&mut rng))));
            }
            for n in &level {
                put(rounded(en.get_node_value(*n, NodeProperty::Pressure)?));
            }
            for n in &meter {
                put(drawn.get(n).map_or(0.0, |q| (q * 1e5).round() / 1e5));
            }
            hour += 1;
        }
        match en.next_h()? {
            0 => break,
            step => t += step as i64,
        }
    }
    en.close_h()?;
    let mut readings = Readings::new(start_s, hours);
    let names = [
        (Kind::Pressure, &sensors.pressures),
        (Kind::Flow, &sensors.flows),
        (Kind::Level, &sensors.levels),
        (Kind::Demand, &sensors.meters),
    ];
    let mut series = series.into_iter();
    for (kind, ids) in names {
        for id in ids {
            readings.put(kind, id, series.next().unwrap_or_default()).expect("one value an hour");
        }
    }
    Ok(Rebuilt { readings, flows })
}
