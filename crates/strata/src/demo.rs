use crate::{Failure, city, progress::Progress, serve};
use clap::Args;
use std::{fs, path::PathBuf, process::ExitCode};
use strata_citygen::District;
use strata_scene::{Anchor, Title};

#[derive(Args)]
pub struct Demo {
    /// Where the city is kept; made when it is not there.
    #[arg(long, default_value = "var/changchun")]
    dir: PathBuf,
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Makes the city and stops.
    #[arg(long)]
    no_serve: bool,
    #[command(flatten)]
    listen: serve::Listen,
}

/// Made beside its place and renamed when it is whole: half a city is never opened.
pub fn run(demo: &Demo) -> Result<ExitCode, Failure> {
    if !demo.dir.join("record.gpkg").exists() {
        let half = demo.dir.with_extension("half");
        if half.exists() {
            fs::remove_dir_all(&half)?;
        }
        let plan = District::new(demo.seed)?;
        let mut store = city::create(&half, &plan.crs().to_string(), "长春(合成)", 0.0, true)?;
        let mut writing = store.begin("citygen", &format!("synthetic Changchun, seed {}", demo.seed), city::now())?;
        for layer in plan.layers() {
            writing.layer(&layer)?;
        }
        let mut progress = Progress::new("making the synthetic city", 0);
        let truth = plan.generate(&mut |layer, feature| {
            progress.add(1);
            writing.put(&layer.id, &feature).map_err(|e| e.to_string())
        })?;
        progress.done();
        writing.commit()?;
        fs::write(half.join("truth.json"), serde_json::to_vec_pretty(&truth)?)?;
        let frame = strata_model::WorkingFrame::new(plan.crs(), 0.0)?;
        let mut anchors = Vec::new();
        for a in plan.anchors() {
            let [lon, lat] = frame.geographic_from_working([a.position[0], a.position[1]])?;
            let title = Title { zh: a.title_zh.into(), en: a.title_en.into() };
            anchors.push(Anchor { name: a.name.into(), title, position: [lon, lat, a.position[2]] });
        }
        fs::write(half.join("anchors.json"), serde_json::to_vec_pretty(&anchors)?)?;
        city::wire(&half, &store)?;
        drop(store);
        if let Some(parent) = demo.dir.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(&half, &demo.dir)?;
    }
    if demo.no_serve {
        println!("{}", demo.dir.display());
        return Ok(ExitCode::SUCCESS);
    }
    serve::serve(&demo.dir, &demo.listen)
}
