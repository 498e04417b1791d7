use crate::{Failure, city, progress::Progress, serve};
use clap::{Args, ValueEnum};
use std::{path::{Path, PathBuf}, process::ExitCode};
use strata_citygen as citygen;
use strata_scene::{Anchor, Title};

#[derive(Clone, Copy, ValueEnum)]
pub enum Size {
    /// About 4 × 4 km.
    District,
    /// About 20 × 20 km.
    City,
}

#[derive(Args)]
pub struct Demo {
    /// Where the city is kept; made when it is not there.
    #[arg(long, default_value = "var/changchun")]
    pub dir: PathBuf,
    #[arg(long, value_enum, default_value_t = Size::District)]
    pub size: Size,
    /// So many features instead of a size, for benchmarks.
    #[arg(long)]
    pub features: Option<u64>,
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Makes the city and stops.
    #[arg(long)]
    pub no_serve: bool,
    #[command(flatten)]
    pub serve: serve::Listen,
}

pub fn run(demo: &Demo) -> Result<ExitCode, Failure> {
    if !demo.dir.join("record.gpkg").exists() {
        make(demo)?;
    }
    if demo.no_serve {
        println!("{}", demo.dir.display());
        return Ok(ExitCode::SUCCESS);
    }
    serve::serve(&demo.dir, &demo.serve)
}

/// Made beside its place and renamed when it is whole: a half city is never served.
fn make(demo: &Demo) -> Result<(), Failure> {
    let size = match (demo.features, demo.size) {
        (Some(n), _) => citygen::Size::Features(n),
        (None, Size::District) => citygen::Size::District,
        (None, Size::City) => citygen::Size::City,
    };
    let plan = citygen::City::new(citygen::Params { seed: demo.seed, size })?;
    let half = demo.dir.with_extension("half");
    if half.exists() {
        std::fs::remove_dir_all(&half)?;
    }
    let mut store = city::create(&half, &plan.crs().to_string(), "长春(合成)", 0.0, true)?;
    let mut writing = store.begin("citygen", &format!("synthetic Changchun, seed {}", demo.seed), city::now())?;
    for layer in plan.layers() {
        writing.layer(&layer)?;
    }
    let mut progress = Progress::new("making the synthetic city", plan.expected_features());
    let truth = plan.generate(&mut |layer, feature| {
        progress.add(1);
        writing.put(&layer.id, &feature).map_err(|e| e.to_string())
    })?;
    progress.done();
    writing.commit()?;
    std::fs::write(half.join("truth.json"), serde_json::to_vec_pretty(&truth)?)?;
    let frame = strata_model::WorkingFrame::new(plan.crs(), 0.0)?;
    let mut anchors = Vec::new();
    for a in plan.anchors() {
        let [lon, lat] = frame.geographic_from_working([a.position[0], a.position[1]])?;
        anchors.push(Anchor { name: a.name, title: Title { zh: a.title_zh, en: a.title_en }, position: [lon, lat, a.position[2]] });
    }
    std::fs::write(half.join("anchors.json"), serde_json::to_vec_pretty(&anchors)?)?;
    drop(city::wire(&half, store)?);
    if let Some(parent) = demo.dir.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::rename(&half, &demo.dir)?;
    Ok(())
}

#[derive(Args)]
pub struct Gen {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// A synthetic pipe survey delivery: point and line tables as CSV, one pair a pipe class.
    Survey {
        /// Folder to write.
        out: PathBuf,
        #[arg(long, default_value_t = 42)]
        seed: u64,
        /// Only the sheet around an anchor, metres to each side.
        #[arg(long)]
        sheet_m: Option<f64>,
    },
}

pub fn generate_files(command: &Gen) -> Result<ExitCode, Failure> {
    let What::Survey { out, seed, sheet_m } = &command.what;
    let plan = citygen::City::new(citygen::Params { seed: *seed, size: citygen::Size::District })?;
    let sheet = match sheet_m {
        Some(half_m) => {
            let anchor = plan.anchors().into_iter().find(|a| a.name == "survey-sheet").ok_or_else(|| Failure::misuse("the city has no survey sheet"))?;
            let mut b = strata_model::Bounds2::EMPTY;
            b.extend([anchor.position[0], anchor.position[1]]);
            Some(b.grown(*half_m))
        }
        None => None,
    };
    std::fs::create_dir_all(out)?;
    for table in plan.survey(sheet).tables {
        write_csv(&out.join(format!("{}.csv", table.name)), &table.columns, &table.rows)?;
    }
    println!("{}", out.display());
    Ok(ExitCode::SUCCESS)
}

fn write_csv(path: &Path, columns: &[String], rows: &[Vec<String>]) -> Result<(), Failure> {
    let quote = |v: &String| if v.contains([',', '"', '\n']) { format!("\"{}\"", v.replace('"', "\"\"")) } else { v.clone() };
    let line = |cells: &[String]| cells.iter().map(quote).collect::<Vec<_>>().join(",") + "\r\n";
    // A byte-order mark, since the spreadsheets that open such tables want it.
    let text: String = std::iter::once(format!("\u{feff}{}", line(columns))).chain(rows.iter().map(|r| line(r))).collect();
    Ok(std::fs::write(path, text)?)
}
