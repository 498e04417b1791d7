//! The packed time-space index against geo-index 0.4 (plan only, f64) on one million boxes, and against PostGIS where
//! `PG=1` and `psql` finds a server. The last line is one JSON document of all that was measured.

use geo_index::rtree::{RTree, RTreeBuilder, RTreeIndex, sort::HilbertSort};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    fs,
    hint::black_box,
    io::Write,
    process::{Command, Stdio},
    time::Instant as Clock,
};
use strata_engine::index::{IndexView, RowBox, Window, build};
use strata_model::{Bounds3, Instant, Interval};

const ROWS: usize = 1_000_000;
const SIDE_M: f64 = 30_000.0;
const ROUNDS: usize = 7;
const SEED: u64 = 20_261_124;
const DAY: i64 = 86_400_000;

type Row = ([f64; 2], RowBox);

fn rows(kind: &str, rng: &mut ChaCha8Rng) -> Vec<RowBox> {
    let centres: Vec<[f64; 2]> = (0..200).map(|_| [rng.random_range(0.0..SIDE_M), rng.random_range(0.0..SIDE_M)]).collect();
    let mut out: Vec<Row> = (0..ROWS)
        .map(|_| {
            let c: [f64; 2] = match kind {
                "clustered" => {
                    let c = centres[rng.random_range(0..centres.len())];
                    let spread = |rng: &mut ChaCha8Rng| (0..4).map(|_| rng.random_range(-150.0..150.0)).sum::<f64>();
                    [c[0] + spread(rng), c[1] + spread(rng)]
                }
                "identical" => [SIDE_M / 2.0; 2],
                _ => [rng.random_range(0.0..SIDE_M), rng.random_range(0.0..SIDE_M)],
            };
            let size = if kind == "identical" {
                [20.0, 20.0, 15.0]
            } else {
                [rng.random_range(1.0..40.0), rng.random_range(1.0..40.0), rng.random_range(3.0..90.0)]
            };
            let (east, north, ground) = (430_000.0 + c[0], 4_850_000.0 + c[1], 200.0 + 20.0 * (c[0] / 9e3).sin());
            let from = if rng.random_bool(0.1) { Instant::MIN } else { Instant(rng.random_range(0..20_000) * DAY) };
            let to = if rng.random_bool(0.7) { Instant::MAX } else { Instant(from.0.max(0) + rng.random_range(1..9_000) * DAY) };
            let bounds = Bounds3 { min: [east, north, ground], max: [east + size[0], north + size[1], ground + size[2]] };
            (c, RowBox { bounds, valid: Interval { from, to } })
        })
        .collect();
    if kind == "sorted" {
        out.sort_by(|a, b| a.0[0].total_cmp(&b.0[0]));
    }
    out.into_iter().map(|r| r.1).collect()
}

/// Windows on `share` of the plan, with a band of height and a year of time.
fn windows(share: f64, n: usize, rng: &mut ChaCha8Rng) -> Vec<Window> {
    let side = SIDE_M * share.sqrt();
    (0..n)
        .map(|_| {
            let at = [430_000.0 + rng.random_range(0.0..SIDE_M - side), 4_850_000.0 + rng.random_range(0.0..SIDE_M - side)];
            let low = rng.random_range(190.0..230.0);
            let from = Instant(rng.random_range(5_000..20_000) * DAY);
            Window {
                bounds: Some(Bounds3 { min: [at[0], at[1], low], max: [at[0] + side, at[1] + side, low + 30.0] }),
                valid: Some(Interval { from, to: Instant(from.0 + 365 * DAY) }),
            }
        })
        .collect()
}

fn plan_only(w: &Window) -> Window {
    Window { bounds: w.bounds.map(|b| b.plan().with_all_heights()), valid: Some(Interval::ALWAYS) }
}

/// Wall and CPU milliseconds.
fn timed<T>(f: impl FnOnce() -> T) -> (T, f64, f64) {
    let (cpu, clock) = (cpu_ms(), Clock::now());
    let out = f();
    (out, clock.elapsed().as_secs_f64() * 1e3, cpu_ms() - cpu)
}
/// Of this process, from the scheduler's own account (nanoseconds on a processor).
fn cpu_ms() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e6
}
fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(f64::NAN)
}

fn middle(mut v: Vec<f64>) -> (f64, f64, f64) {
    v.sort_by(f64::total_cmp);
    (v[v.len() / 2], v[0], v[v.len() - 1])
}

fn hash(hits: &[u32]) -> u64 {
    hits.iter().fold(0xcbf2_9ce4_8422_2325, |h, r| (h ^ u64::from(*r)).wrapping_mul(0x100_0000_01b3))
}

struct Side<'a> {
    name: &'a str,
    ask: Box<dyn Fn(&[Window]) -> usize + 'a>,
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

/// What was measured, for the tables: `[boxes, question, side, median ms, least, greatest, cpu ms, hits, ours over it]`.
type Told = Vec<serde_json::Value>;

fn duel(told: &mut Told, kind: &str, title: &str, windows: &[Window], sides: Vec<(&str, Box<dyn Fn(&[Window]) -> usize + '_>)>) {
    let mut sides: Vec<Side> = sides.into_iter().map(|(name, ask)| Side { name, ask, wall: vec![], cpu: vec![] }).collect();
    let mut hits = 0;
    for _ in 0..ROUNDS {
        for s in &mut sides {
            let (n, wall, cpu) = timed(|| (s.ask)(windows));
            hits = n;
            s.wall.push(wall);
            s.cpu.push(cpu);
        }
    }
    let ours = middle(sides[0].wall.clone()).0;
    for s in &sides {
        let ((wall, low, high), cpu) = (middle(s.wall.clone()), middle(s.cpu.clone()).0);
        println!(
            "  {title:<34} {:<22} {wall:>9.2} ms ({low:.2}–{high:.2}), cpu {cpu:.2} ms, {hits} hits, ours/it {:.2}",
            s.name,
            ours / wall
        );
        told.push(serde_json::json!([kind, title.trim_end_matches(','), s.name, wall, low, high, cpu, hits, ours / wall]));
    }
}

fn ours(view: &IndexView, windows: &[Window]) -> usize {
    windows
        .iter()
        .map(|w| {
            let mut out = Vec::new();
            view.search(w, &mut out);
            black_box(out).len()
        })
        .sum()
}

fn corners(w: &Window) -> ([f64; 2], [f64; 2]) {
    w.bounds.map_or(([f64::NEG_INFINITY; 2], [f64::INFINITY; 2]), |b| ([b.min[0], b.min[1]], [b.max[0], b.max[1]]))
}

fn main() {
    let before = load();
    println!(
        "strata-engine {} against geo-index 0.4; {ROWS} boxes, seed {SEED}, {ROUNDS} rounds, load average {before}",
        env!("CARGO_PKG_VERSION")
    );
    let mut told: Told = Vec::new();
    println!("warm: everything in memory. Median wall time (fastest–slowest), CPU, for the whole batch of windows.");
    for kind in ["uniform", "sorted", "clustered", "identical"] {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let rows = rows(kind, &mut rng);
        let (mut ours_built, mut theirs_built, mut ours_cpu, mut theirs_cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut built, mut tree) = (None, None);
        for _ in 0..ROUNDS {
            let (b, wall, cpu) = timed(|| build(&rows));
            ours_built.push(wall);
            ours_cpu.push(cpu);
            built = Some(b);
            let (t, wall, cpu) = timed(|| {
                let mut b = RTreeBuilder::<f64>::new(ROWS as u32);
                for r in &rows {
                    b.add(r.bounds.min[0], r.bounds.min[1], r.bounds.max[0], r.bounds.max[1]);
                }
                b.finish::<HilbertSort>()
            });
            theirs_built.push(wall);
            theirs_cpu.push(cpu);
            tree = Some(t);
        }
        let (Some(built), Some(tree)) = (built, tree) else { return };
        let base = middle(ours_cpu.clone()).0;
        for (side, wall, cpu) in [("ours (x, y, z, t)", ours_built, ours_cpu), ("geo-index f64 (x, y)", theirs_built, theirs_cpu)] {
            let ((wall, low, high), (cpu, fast, slow)) = (middle(wall), middle(cpu));
            println!("{kind}: build {side} {wall:.0} ms ({low:.0}–{high:.0}), cpu {cpu:.0} ms ({fast:.0}–{slow:.0})");
            told.push(serde_json::json!([kind, "build", side, wall, low, high, cpu, ROWS, base / cpu]));
        }
        let order = built.order.clone();
        let Some(view) = IndexView::over(built) else { return };
        let tree: &RTree<f64> = &tree;
        for (share, n) in [(0.01, 200), (0.0001, 5_000), (0.000_001, 20_000)] {
            let full = windows(share, n, &mut rng);
            let plan: Vec<Window> = full.iter().map(plan_only).collect();
            let filtered = |w: &Window| -> Vec<u32> {
                let (a, b) = corners(w);
                tree.search(a[0], a[1], b[0], b[1]).into_iter().filter(|r| w.takes(&rows[*r as usize])).collect()
            };
            // Same hits first.
            for w in full.iter().chain(&plan).step_by((n / 50).max(1)) {
                let mut a = Vec::new();
                view.search(w, &mut a);
                let mut a: Vec<u32> = a.into_iter().map(|r| order[r as usize]).collect();
                let mut b = filtered(w);
                a.sort_unstable();
                b.sort_unstable();
                assert!(a.len() == b.len() && hash(&a) == hash(&b), "{kind}: {} hits here, {} there, {w:?}", a.len(), b.len());
            }
            let plain = |w: &Window| -> usize {
                let (a, b) = corners(w);
                black_box(tree.search(a[0], a[1], b[0], b[1])).len()
            };
            let label = format!("1/{:.0} of the plan × {n},", 1.0 / share);
            duel(
                &mut told,
                kind,
                &format!("{label} plan"),
                &plan,
                vec![
                    ("ours (z, t compared)", Box::new(|ws: &[Window]| ours(&view, ws))),
                    ("geo-index f64", Box::new(move |ws: &[Window]| ws.iter().map(plain).sum())),
                ],
            );
            duel(
                &mut told,
                kind,
                &format!("{label} z, time"),
                &full,
                vec![
                    ("ours", Box::new(|ws: &[Window]| ours(&view, ws))),
                    ("geo-index + filter", Box::new(|ws: &[Window]| ws.iter().map(|w| black_box(filtered(w)).len()).sum())),
                ],
            );
            if kind == "uniform" && share < 0.001 && share > 0.000_01 && std::env::var_os("PG").is_some() {
                postgis(&mut told, &rows, &full[..500], &view);
            }
        }
    }
    let after = load();
    if before > 0.5 || after > 0.5 {
        println!("note: load average {before} before, {after} after: above 0.5, not for publication");
    }
    println!("{}", serde_json::Value::Array(told));
}

/// The same rows and windows in PostGIS: GiST over `geometry` in three dimensions with `tstzrange` (`btree_gist` is not
/// needed for ranges). PostGIS keeps boxes as f32 grown outward, so the exact bounds are compared after the index. `psql` finds the server through its usual environment. Times are the server's own, one connection.
fn postgis(told: &mut Told, rows: &[RowBox], windows: &[Window], view: &IndexView) {
    let Ok(mut child) =
        Command::new("psql").args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        println!("  PostGIS: skipped, there is no psql");
        return;
    };
    let time = |t: Instant| match t {
        Instant::MIN | Instant::MAX => String::new(),
        Instant(ms) => format!("{}", ms / 1000),
    };
    let mut script = String::from(
        "CREATE EXTENSION IF NOT EXISTS postgis; CREATE TEMP TABLE raw(a float8,b float8,c float8,d float8,e float8,f float8,s float8,u float8); COPY raw FROM STDIN;\n",
    );
    let or_null = |t: String| if t.is_empty() { "\\N".into() } else { t };
    for r in rows {
        let (a, b) = (r.bounds.min, r.bounds.max);
        script += &format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
            a[0],
            a[1],
            a[2],
            b[0],
            b[1],
            b[2],
            or_null(time(r.valid.from)),
            or_null(time(r.valid.to))
        );
    }
    script += "\\.\nCREATE TEMP TABLE boxes AS SELECT ST_3DMakeLine(ST_MakePoint(a,b,c),ST_MakePoint(d,e,f)) g, tstzrange(to_timestamp(s),to_timestamp(u)) v, a,b,c,d,e,f FROM raw;\n";
    script = script.replace("ST_3DMakeLine", "ST_MakeLine");
    script += "\\timing on\nCREATE INDEX ON boxes USING gist (g gist_geometry_ops_nd, v);\n\\timing off\nANALYZE boxes; SET jit=off; SET max_parallel_workers_per_gather=0; SET enable_seqscan=off;\nCREATE TEMP TABLE w(g geometry, v tstzrange, a float8,b float8,c float8,d float8,e float8,f float8);\n";
    for w in windows {
        let (Some(b), Some(v)) = (w.bounds, w.valid) else { continue };
        script += &format!(
            "INSERT INTO w VALUES (ST_3DMakeBox_(ST_MakePoint({},{},{}),ST_MakePoint({},{},{})),tstzrange(to_timestamp({}),to_timestamp({})),{},{},{},{},{},{});\n",
            b.min[0], b.min[1], b.min[2], b.max[0], b.max[1], b.max[2], time(v.from), time(v.to), b.min[0], b.min[1], b.min[2], b.max[0], b.max[1], b.max[2])
        .replace("ST_3DMakeBox_", "ST_MakeLine");
    }
    script += "\\timing on\n";
    for _ in 0..5 {
        script += "SELECT count(*) FROM w, LATERAL (SELECT 1 FROM boxes b WHERE b.g &&& w.g AND b.v && w.v AND b.a<=w.d AND w.a<=b.d AND b.b<=w.e AND w.b<=b.e AND b.c<=w.f AND w.c<=b.f OFFSET 0) x;\n";
    }
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(script.as_bytes());
    }
    match child.wait_with_output() {
        Ok(out) if out.status.success() => {
            println!("  PostGIS, {} windows (index built, then count and time five times):", windows.len());
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            text.lines().for_each(|l| println!("    {l}"));
            let times: Vec<f64> = text.lines().filter_map(|l| l.strip_prefix("Time: ")?.split(' ').next()?.parse().ok()).skip(1).collect();
            let runs: Vec<(usize, f64)> = (0..ROUNDS).map(|_| timed(|| ours(view, windows))).map(|(n, wall, _)| (n, wall)).collect();
            let n = runs[0].0;
            println!("    ours: {n} hits, {:.3} ms", middle(runs.iter().map(|r| r.1).collect()).0);
            assert!(text.lines().any(|l| l.trim() == n.to_string()), "PostGIS finds other hits than the {n} of ours");
            let (mine, theirs) = (middle(runs.iter().map(|r| r.1).collect()), middle(times));
            for (side, (wall, low, high)) in [("ours", mine), ("PostGIS, GiST", theirs)] {
                let question = format!("1/10000 of the plan × {}, z, time", windows.len());
                told.push(serde_json::json!(["uniform", question, side, wall, low, high, null, n, mine.0 / wall]));
            }
        }
        _ => println!("  PostGIS: skipped, no server or no extension"),
    }
}
