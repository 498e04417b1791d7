use crate::{Failure, city, progress::Progress};
use clap::Args;
use std::{path::PathBuf, process::ExitCode, sync::Arc};
use strata_ingest::{ImportOptions, Reader, Report, Sink};
use strata_model::{Crs, Feature, Instant, Layer, LayerId};
use strata_store::{StoreError, Writing};

#[derive(Args)]
pub struct Import {
    city: PathBuf,
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Put everything into this layer.
    #[arg(long)]
    layer: Option<String>,
    /// Force a reader: citygml, cityjson, survey, epanet, swmm, vector, terrain.
    #[arg(long = "as")]
    reader: Option<String>,
    /// Valid-from of features that say nothing of their own.
    #[arg(long)]
    valid_from: Option<String>,
    /// CRS of the file when it declares none: EPSG:….
    #[arg(long)]
    crs: Option<String>,
    /// TOML that maps source layers and fields to layers.
    #[arg(long)]
    mapping: Option<PathBuf>,
    /// Take the sound features and report the rest.
    #[arg(long)]
    partial: bool,
    /// Read, check and report; the city stays as it is.
    #[arg(long)]
    dry_run: bool,
    /// Write the report here as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Features go straight into the open transaction; dropping it takes all of them back.
struct Recorder<'a, 's> {
    writing: &'a mut Writing<'s>,
    progress: Progress,
    failed: Option<StoreError>,
}

impl Sink for Recorder<'_, '_> {
    fn layer(&mut self, layer: &Arc<Layer>) -> Result<(), String> {
        self.writing.layer(layer).map_err(|e| self.keep(e))
    }
    fn feature(&mut self, layer: &LayerId, feature: Feature) -> Result<(), String> {
        self.progress.add(1);
        self.writing.put(layer, &feature).map_err(|e| self.keep(e))
    }
}

/// For a dry run: counts what it is given.
struct Counter(Progress);

impl Sink for Counter {
    fn layer(&mut self, _: &Arc<Layer>) -> Result<(), String> {
        Ok(())
    }
    fn feature(&mut self, _: &LayerId, _: Feature) -> Result<(), String> {
        self.0.add(1);
        Ok(())
    }
}

impl Recorder<'_, '_> {
    fn keep(&mut self, error: StoreError) -> String {
        let text = error.to_string();
        self.failed = Some(error);
        text
    }
}

pub fn run(command: &Import, json: bool) -> Result<ExitCode, Failure> {
    let mut store = strata_store::Store::open(&command.city)?;
    let meta = store.meta().clone();
    let options = ImportOptions {
        frame: Arc::new(strata_model::WorkingFrame::new(meta.crs.clone(), meta.geoid_offset_m)?),
        source_crs: command.crs.as_deref().map(Crs::parse).transpose().map_err(Failure::misuse)?,
        layer: command.layer.clone().map(LayerId::new).transpose().map_err(Failure::misuse)?,
        valid_from: command.valid_from.as_deref().map(Instant::parse).transpose().map_err(Failure::misuse)?,
        reader: command.reader.as_deref().map(reader).transpose()?,
        mapping: command.mapping.clone(),
    };
    let mut report = Report::default();
    let names: Vec<String> =
        command.files.iter().map(|f| f.file_name().map_or_else(|| f.display().to_string(), |n| n.to_string_lossy().into_owned())).collect();
    let read = |sink: &mut dyn Sink, report: &mut Report| {
        let fatal = command.files.iter().find_map(|file| strata_ingest::import(file, &options, sink, report).err());
        fatal.map_or_else(|| strata_ingest::verdict(report, command.partial), Err)
    };
    let (verdict, version) = if command.dry_run {
        let mut counter = Counter(Progress::new("reading", 0));
        let verdict = read(&mut counter, &mut report);
        counter.0.done();
        (verdict, None)
    } else {
        let mut writing = store.begin(city::KEEPER, &format!("import {}", names.join(", ")), city::now())?;
        let mut recorder = Recorder { writing: &mut writing, progress: Progress::new("importing", 0), failed: None };
        let verdict = read(&mut recorder, &mut report);
        let Recorder { progress, failed, .. } = recorder;
        progress.done();
        if let Some(e) = failed {
            return Err(e.into());
        }
        let version = match &verdict {
            Ok(()) => Some(writing.commit()?.version),
            Err(_) => {
                drop(writing);
                None
            }
        };
        (verdict, version)
    };
    let answer = serde_json::json!({ "report": report, "version": version, "error": verdict.as_ref().err().map(|e| serde_json::json!({ "code": e.code, "place": e.place, "reason": e.to_string() })) });
    if let Some(path) = &command.report {
        std::fs::write(path, serde_json::to_vec_pretty(&answer)?)?;
    }
    if json {
        println!("{answer}");
    } else {
        println!("read {} · taken {} · refused {}", report.read, report.taken, report.refused);
        report.layers.iter().for_each(|(l, n)| println!("  {l}: {n}"));
        report
            .refused_shown
            .iter()
            .take(20)
            .for_each(|r| println!("  refused {} at {}: {} ({})", r.id.as_deref().unwrap_or("–"), r.place, r.reason, r.code));
        report.notes.iter().take(20).for_each(|n| println!("  note: {n}"));
        if let Some(v) = version {
            println!("version {}", v.0);
        }
    }
    match verdict {
        Ok(()) if report.refused > 0 => Ok(ExitCode::from(1)),
        Ok(()) if command.dry_run => Ok(ExitCode::SUCCESS),
        Ok(()) => {
            // The segments follow at once, so that the next start does not wait for them.
            drop(city::wire(&command.city, &store)?);
            Ok(ExitCode::SUCCESS)
        }
        // Faults of features are what a report is for; a file that cannot be used at all is another thing.
        Err(e) if report.read > 0 => {
            eprintln!("strata: nothing imported: {e}");
            Ok(ExitCode::from(1))
        }
        Err(e) => {
            eprintln!("strata: {e}");
            Ok(ExitCode::from(3))
        }
    }
}

fn reader(name: &str) -> Result<Reader, Failure> {
    Ok(match name {
        "citygml" => Reader::CityGml,
        "cityjson" => Reader::CityJson,
        "survey" => Reader::Survey,
        "epanet" => Reader::Epanet,
        "swmm" => Reader::Swmm,
        "vector" => Reader::Vector,
        "terrain" => Reader::Terrain,
        other => return Err(Failure::misuse(format!("there is no reader `{other}`"))),
    })
}
