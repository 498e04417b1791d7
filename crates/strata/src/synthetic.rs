//! Makes a synthetic city on disk: for `strata demo`, which then serves it, and for `strata gen city`, which does not.

use crate::{Failure, city, progress, progress::Progress};
use clap::{Args, ValueEnum};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};
use strata_citygen::{City, Size};
use strata_scene::{Anchor, Title};

#[derive(Clone, Copy, ValueEnum)]
pub enum Extent {
    /// 4.5 × 4.1 km around 人民广场.
    District,
    /// The known Changchun, 21.8 × 20.4 km.
    City,
}

#[derive(Args)]
pub struct What {
    #[arg(long, value_enum, default_value_t = Extent::District)]
    size: Extent,
    /// About this many features instead, for benchmarks: up to one city a part of it, beyond that several side by side.
    #[arg(long, conflicts_with = "size")]
    features: Option<u64>,
    /// Decides everything that is invented.
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

/// Writes a synthetic city into a new folder, without serving it.
#[derive(Args)]
pub struct Gen {
    city: PathBuf,
    #[command(flatten)]
    what: What,
}

pub fn run(command: &Gen, json: bool) -> Result<ExitCode, Failure> {
    if command.city.exists() && fs::read_dir(&command.city).map_or(true, |mut d| d.next().is_some()) {
        return Err(Failure::misuse(format!("{} is there already", command.city.display())));
    }
    let began = Instant::now();
    let made = make(&command.city, &command.what)?;
    let (seconds, peak) = (began.elapsed().as_secs_f64(), progress::peak_memory_mib());
    if json {
        let answer = serde_json::json!({
            "city": command.city, "features": made.features,
            "seconds": { "record": made.record_s, "all": seconds },
            "peak_memory_mib": { "record": made.record_peak_mib, "all": peak },
        });
        println!("{answer}");
    } else {
        let memory = |m: Option<u64>| m.map_or_else(String::new, |m| format!(", {m} MiB of memory at most"));
        println!("{}: {} features in {:.1} s{}", command.city.display(), made.features, made.record_s, memory(made.record_peak_mib));
        println!("with its index: {seconds:.1} s{}", memory(peak));
    }
    Ok(ExitCode::SUCCESS)
}

/// What it took.
pub struct Made {
    features: u64,
    /// Until the record was committed; the index comes after.
    record_s: f64,
    record_peak_mib: Option<u64>,
}

/// Made beside its place and renamed when it is whole: half a city is never opened.
///
/// Features go one by one into the one transaction of the record; its pages go to disk as they fill.
pub fn make(dir: &Path, what: &What) -> Result<Made, Failure> {
    let began = Instant::now();
    let half = dir.with_extension("half");
    if half.exists() {
        fs::remove_dir_all(&half)?;
    }
    let size = match (what.features, what.size) {
        (Some(n), _) => Size::Features(n),
        (None, Extent::District) => Size::District,
        (None, Extent::City) => Size::City,
    };
    let plan = City::new(size, what.seed).map_err(Failure::misuse)?;
    let mut store = city::create(&half, &plan.crs().to_string(), "长春(合成)", 0.0, true)?;
    let mut writing = store.begin("citygen", &format!("synthetic Changchun, seed {}", what.seed), city::now())?;
    for layer in plan.layers() {
        writing.layer(&layer)?;
    }
    let mut progress = Progress::new("making the synthetic city", plan.expected());
    let (truth, anchors) = plan.generate(&mut |layer, feature| {
        progress.add(1);
        writing.put(&layer.id, &feature).map_err(|e| e.to_string())
    })?;
    progress.done();
    writing.commit()?;
    let (record_s, record_peak_mib) = (began.elapsed().as_secs_f64(), progress::peak_memory_mib());
    fs::write(half.join("truth.json"), serde_json::to_vec_pretty(&truth)?)?;
    let frame = strata_model::WorkingFrame::new(plan.crs(), 0.0)?;
    let mut named = Vec::new();
    for a in anchors {
        let [lon, lat] = frame.geographic_from_working([a.position[0], a.position[1]])?;
        let title = Title { zh: a.title_zh.into(), en: a.title_en.into() };
        named.push(Anchor { name: a.name.into(), title, position: [lon, lat, a.position[2]] });
    }
    fs::write(half.join("anchors.json"), serde_json::to_vec_pretty(&named)?)?;
    city::wire(&half, &store)?;
    drop(store);
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    if dir.exists() {
        // Empty, or it would have been refused.
        fs::remove_dir(dir)?;
    }
    fs::rename(&half, dir)?;
    Ok(Made { features: truth.features, record_s, record_peak_mib })
}
