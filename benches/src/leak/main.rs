//! Leak detection on L-TOWN, scored by the rule of BattLeDIM 2020: pressures rebuilt, not measured.
//!
//! `STRATA_DATA=… bench-leak [--truth FILE] [--seed N] [--clean] [--keep FILE] [--settings FILE]`. Calibrated on 2018; the first half of 2019 is scored with
//! the organisers' own leak flows. `--truth`: a list of the whole of 2019 in the columns of `leaks_2018_truth.csv`, to
//! score the whole year. `--clean`: a year without leaks instead, for false alarms. `--keep`: what the model says is kept
//! there and read again. `--settings`: another table than `data/rules/leak.csv`.

mod rebuild;
mod score;

use rebuild::{HOUR_S, Sensors, Truth, rebuild};
use score::{Detection, Distances, Leak, Verdict, ceiling_eur, score};
use std::{error::Error, io::Read, path::Path, time::Instant};
use strata_pipes::leak::{Baseline, Finding, Innovations, Known, Settings, Twin, watch};

const Y2018: i64 = 1_514_764_800;
const Y2019: i64 = 1_546_300_800;
const YEAR_H: usize = 8_760;
const HALF_H: usize = 181 * 24;

fn seconds(text: &str) -> Result<i64, Box<dyn Error>> {
    let text = text.trim().replace(' ', "T");
    Ok(strata_model::Instant::parse(&format!("{text}:00Z"))?.0.div_euclid(1_000))
}

/// The organisers' list; what is `after` a day is not known and lies at the end of the year.
fn truth(text: &str, given: Option<&str>) -> Result<Vec<Truth>, Box<dyn Error>> {
    let far = Y2019 + YEAR_H as i64 * HOUR_S - 300;
    let mut out = Vec::new();
    for line in text.lines().skip(1).filter(|l| !l.trim().is_empty()) {
        let w: Vec<&str> = line.split(',').collect();
        let [pipe, start, end, hole, _, peak] = w.as_slice() else { return Err(format!("`{line}` has not six columns").into()) };
        let time = |t: &str| if t.starts_with("after") { Ok(far) } else { seconds(t) };
        let given = given.map(|g| {
            let column = g.lines().next().and_then(|h| h.split(',').position(|n| n == *pipe));
            (Y2019, g.lines().skip(1).filter_map(|l| l.split(',').nth(column?)?.parse().ok()).collect())
        });
        out.push(Truth {
            pipe: (*pipe).into(),
            start_s: seconds(start)?,
            end_s: time(end)?,
            peak_s: time(peak)?,
            hole_m: hole.parse()?,
            given,
        });
    }
    Ok(out)
}

struct Kept {
    all: Innovations,
    flows: Vec<Vec<f64>>,
}

fn keep(path: &Path, kept: &Kept) -> Result<(), Box<dyn Error>> {
    Ok(std::fs::write(path, serde_json::to_vec(&(kept.all.start_s, &kept.all.rows, &kept.all.total, &kept.flows))?)?)
}
type Stored = (i64, Vec<Option<Vec<Option<f64>>>>, Vec<Option<f64>>, Vec<Vec<f64>>);
fn kept(path: &Path) -> Result<Kept, Box<dyn Error>> {
    let (start_s, rows, total, flows): Stored = serde_json::from_slice(&std::fs::read(path)?)?;
    let back = |v: Vec<Option<f64>>| v.into_iter().map(|x| x.unwrap_or(f64::NAN)).collect();
    Ok(Kept { all: Innovations { start_s, rows: rows.into_iter().map(|r| r.map(back)).collect(), total: back(total) }, flows })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (mut list, mut seed, mut clean, mut file, mut table) = (None, 18u64, false, None, None);
    while let Some(a) = args.next() {
        match a.as_str() {
            "--truth" => list = args.next(),
            "--seed" => seed = args.next().ok_or("--seed N")?.parse()?,
            "--clean" => clean = true,
            "--keep" => file = args.next(),
            "--settings" => table = args.next(),
            _ => return Err("bench-leak [--truth FILE] [--seed N] [--clean] [--keep FILE] [--settings FILE]".into()),
        }
    }
    let dir = Path::new(&std::env::var_os("STRATA_DATA").ok_or("STRATA_DATA names the folder with battledim")?).join("battledim");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).map_err(|e| format!("{name}: {e}"));
    let (inp, sensors) = (read("L-TOWN.inp")?, Sensors::parse(&read("sensors.yaml")?));
    let mut given = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(dir.join("leak_flows_2019H1_truth_30min.csv.gz"))?).read_to_string(&mut given)?;
    let of_2018 = truth(&read("leaks_2018_truth.csv")?, None)?;
    let of_2019 = match &list {
        Some(f) => truth(&std::fs::read_to_string(f)?, None)?,
        None => truth(&read("leaks_2019H1_truth.csv")?, Some(&given))?,
    };
    let hours_2019 = if clean || list.is_some() { YEAR_H } else { HALF_H };
    let began = Instant::now();
    println!("rebuilt L-TOWN, not the original SCADA file; pressures rebuilt, not measured; seed {seed}");
    // Leaks of 2018 stop at its end; those that go on are in the list of 2019 again.
    let last = Y2019 - 300;
    let mut leaks: Vec<Truth> = of_2018.iter().map(|t| Truth { end_s: t.end_s.min(last), ..t.clone() }).collect();
    let old = leaks.len();
    if !clean {
        leaks.extend(of_2019.iter().map(|t| Truth { start_s: t.start_s.max(Y2019), ..t.clone() }));
    }
    let path = file.as_ref().map(Path::new);
    let sensors_only =
        || -> Result<strata_pipes::leak::Readings, Box<dyn Error>> { Ok(rebuild(&inp, &sensors, &[], Y2018, 1, seed)?.readings) };
    let (twin, data) = match path.filter(|p| p.is_file()) {
        Some(p) => (Twin::open(&inp, &sensors_only()?)?, kept(p)?),
        None => {
            let built = rebuild(&inp, &sensors, &leaks, Y2018, YEAR_H + hours_2019, seed)?;
            println!("rebuilt {} hours in {:.1} s", built.readings.hours, began.elapsed().as_secs_f64());
            let twin = Twin::open(&inp, &built.readings)?;
            let data = Kept { all: twin.innovations(&built.readings)?, flows: built.flows };
            if let Some(p) = path {
                keep(p, &data)?;
            }
            (twin, data)
        }
    };
    println!("model beside the readings: {:.1} s", began.elapsed().as_secs_f64());
    let settings = match &table {
        Some(f) => Settings::parse(&std::fs::read_to_string(f)?)?,
        None => Settings::usual()?,
    };
    let known: Vec<Known> =
        leaks[..old].iter().zip(&data.flows).map(|(t, q)| Known { pipe: t.pipe.clone(), flow_m3h: q[..YEAR_H].to_vec() }).collect();
    let base = Baseline::learn(&twin, &data.all.until(YEAR_H), &known, &settings)?;
    println!("calibrated on 2018 in {:.1} s; one hour tells a leak to ± {:.1} m³/h", began.elapsed().as_secs_f64(), base.hour_m3h);
    let clock = Instant::now();
    let found = watch(&base, &data.all, &settings)?;
    println!("watched {} hours in {:.1} s", data.all.rows.len(), clock.elapsed().as_secs_f64());
    let distances = Distances::of_inp(&inp);
    let truths_2019: Vec<(usize, &Truth)> = leaks.iter().enumerate().skip(old).collect();
    let truths_2018: Vec<(usize, &Truth)> = leaks.iter().enumerate().take(old).collect();
    judge("2018 (calibration, in sample)", Y2018, 0, YEAR_H, &truths_2018, &data, &found, &distances);
    let name = if clean {
        "a year without leaks"
    } else if list.is_some() {
        "2019"
    } else {
        "2019, first half"
    };
    judge(name, Y2019, YEAR_H, hours_2019, &truths_2019, &data, &found, &distances);
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "one printed table")]
fn judge(
    name: &str,
    year_s: i64,
    from: usize,
    hours: usize,
    truths: &[(usize, &Truth)],
    data: &Kept,
    found: &[Finding],
    distances: &Distances,
) {
    let step = |s: i64| (s - year_s).div_euclid(300);
    let leaks: Vec<Leak> = truths
        .iter()
        .map(|(i, t)| Leak {
            pipe: t.pipe.clone(),
            start: step(t.start_s),
            end: step(t.end_s).min(hours as i64 * 12 - 1),
            flow_m3h: data.flows[*i][from..from + hours].iter().flat_map(|q| [*q; 12]).collect(),
        })
        .collect();
    let mut told: Vec<(usize, &str, f64)> = Vec::new();
    for f in found {
        // What is held to run as the year begins is told in its first step.
        if from > 0
            && f.runs_at(from)
            && let Some(r) = f.reports.iter().rfind(|r| r.hour <= from)
        {
            told.push((0, &r.pipe, r.confidence));
        }
        told.extend(
            f.reports.iter().filter(|r| r.hour > from && r.hour < from + hours).map(|r| (r.hour - from, r.pipe.as_str(), r.confidence)),
        );
    }
    let detections: Vec<Detection> = told.iter().map(|(h, p, _)| Detection { pipe: (*p).into(), step: *h as i64 * 12 }).collect();
    let s = score(&leaks, &detections, &|a, b| distances.between(a, b));
    let ceiling = ceiling_eur(&leaks);
    let right = s.count(|v| matches!(v, Verdict::Found(..)));
    let wrong = s.count(|v| *v == Verdict::False);
    let share = if ceiling > 0.0 { format!(" ({:.1} %)", 100.0 * s.total_eur / ceiling) } else { String::new() };
    println!("\n{name}: € {:.0} of € {:.0}{share}", s.total_eur, ceiling.max(0.0));
    println!(
        "found {right} of {} leaks, false alarms {wrong} ({:.1} a year), repeats {}",
        leaks.len(),
        wrong as f64 * YEAR_H as f64 / hours as f64,
        s.count(|v| *v == Verdict::Repeat)
    );
    println!("| leak | begins, day | at most, m³/h | delay, days | off, m | earned, € | of, € |\n|---|---|---|---|---|---|---|");
    let mut delays = Vec::new();
    for (l, leak) in leaks.iter().enumerate() {
        let most = leak.flow_m3h.iter().copied().fold(0.0, f64::max);
        let hit = s.verdicts.iter().zip(&told).find_map(|(v, t)| match v {
            Verdict::Found(i, x, eur) if *i == l => Some((t.0, *x, *eur)),
            _ => None,
        });
        let begins = leak.start.max(0) as f64 / 288.0;
        let all = leak.lost_m3(leak.start.max(0)) * score::WATER_EUR;
        match hit {
            Some((h, x, eur)) => {
                let delay = h as f64 / 24.0 - begins;
                delays.push(delay);
                println!("| {} | {begins:.1} | {most:.1} | {delay:.1} | {x:.0} | {eur:.0} | {all:.0} |", leak.pipe);
            }
            None => println!("| {} | {begins:.1} | {most:.1} | missed | | 0 | {all:.0} |", leak.pipe),
        }
    }
    delays.sort_by(f64::total_cmp);
    if !delays.is_empty() {
        println!(
            "delay of those found: median {:.1} days, mean {:.1}",
            delays[delays.len() / 2],
            delays.iter().sum::<f64>() / delays.len() as f64
        );
    }
    if from > 0 && hours == YEAR_H && !leaks.is_empty() {
        // What began in the second half was held out of every calibration.
        let (mut earned, mut of) = (0.0, 0.0);
        let late = |l: usize| leaks[l].start >= HALF_H as i64 * 12;
        (0..leaks.len()).filter(|l| late(*l)).for_each(|l| of += leaks[l].lost_m3(leaks[l].start) * score::WATER_EUR);
        for (v, t) in s.verdicts.iter().zip(&told) {
            earned += match v {
                Verdict::Found(l, _, eur) if late(*l) => *eur,
                Verdict::False if t.0 >= HALF_H => -score::CREW_EUR,
                _ => 0.0,
            };
        }
        println!(
            "second half alone (held out): leaks that began there less false alarms: € {earned:.0} of € {of:.0} ({:.1} %)",
            100.0 * earned / of
        );
    }
    let false_ones: Vec<String> = s
        .verdicts
        .iter()
        .zip(&told)
        .filter(|(v, _)| **v == Verdict::False)
        .map(|(_, t)| format!("{} day {:.1} ({:.2})", t.1, t.0 as f64 / 24.0, t.2))
        .collect();
    println!("false: {}", false_ones.join(", "));
}
