use crate::{Failure, city, progress::Progress};
use clap::Args;
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};
use strata_engine::View;
use strata_ingest::{ImportOptions, Reader, Refusal, Report, Sink};
use strata_model::{Crs, Feature, Instant, Layer, LayerId, Scope};
use strata_pipes::qc::Level;
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
    /// Rows that break a quality rule of a survey, as `TABLE row N`, with the rule; and what was left out for them.
    faulty: HashMap<String, (String, String)>,
    left_out: Vec<(LayerId, Refusal)>,
    points_left_out: HashSet<String>,
    progress: Progress,
    failed: Option<StoreError>,
}

impl Sink for Recorder<'_, '_> {
    fn layer(&mut self, layer: &Arc<Layer>) -> Result<(), String> {
        self.writing.layer(layer).map_err(|e| self.keep(e))
    }
    fn feature(&mut self, layer: &LayerId, feature: Feature) -> Result<(), String> {
        self.progress.add(1);
        if let Some(refusal) = self.refusal(&feature) {
            if layer.as_str() == "pipe_points" {
                self.points_left_out.insert(feature.id.to_string());
            }
            self.left_out.push((layer.clone(), refusal));
            return Ok(());
        }
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
    /// A feature of a survey whose row broke a rule, or whose end did.
    fn refusal(&self, feature: &Feature) -> Option<Refusal> {
        if self.faulty.is_empty() {
            return None;
        }
        let texts = || feature.attributes.iter().filter_map(|v| v.as_str());
        let of = |place: &str, code: &str, reason: &str| Refusal {
            id: Some(feature.id.to_string()),
            place: place.into(),
            code: code.into(),
            reason: reason.into(),
        };
        if let Some((place, (rule, reason))) = texts().find_map(|t| self.faulty.get_key_value(t)) {
            return Some(of(place, rule, reason));
        }
        // The ends of a pipe are the two halves of its id.
        let (a, b) = feature.id.as_str().split_once('-')?;
        let gone = [a, b].into_iter().find(|p| self.points_left_out.contains(*p))?;
        let place = texts().find(|t| t.contains(" row ")).unwrap_or_default();
        Some(of(place, "missing-point", &format!("point {gone} was refused")))
    }
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
    let faulty = match options.reader {
        Some(Reader::Survey) => survey_faults(command, &options, json)?,
        _ => HashMap::new(),
    };
    if !faulty.is_empty() && !command.partial {
        eprintln!(
            "strata: nothing imported: {} rows break a quality rule; `strata pipes qc` tells all, --partial takes the rest",
            faulty.len()
        );
        return Ok(ExitCode::from(1));
    }
    let (verdict, version) = if command.dry_run {
        let mut counter = Counter(Progress::new("reading", 0));
        let fatal = command.files.iter().find_map(|file| strata_ingest::import(file, &options, &mut counter, &mut report).err());
        let verdict = fatal.map_or_else(|| strata_ingest::verdict(&report, command.partial), Err);
        counter.0.done();
        (verdict, None)
    } else {
        let mut writing = store.begin(city::KEEPER, &format!("import {}", names.join(", ")), city::now())?;
        let mut recorder = Recorder {
            writing: &mut writing,
            faulty,
            left_out: Vec::new(),
            points_left_out: HashSet::new(),
            progress: Progress::new("importing", 0),
            failed: None,
        };
        // The verdict waits for the rows that are left out below.
        let fatal = command.files.iter().find_map(|file| strata_ingest::import(file, &options, &mut recorder, &mut report).err());
        let Recorder { progress, failed, left_out, .. } = recorder;
        for (layer, r) in left_out {
            report.taken -= 1;
            report.read -= 1;
            if let Some(n) = report.layers.get_mut(layer.as_str()) {
                *n -= 1;
            }
            report.refuse(r.id.as_deref(), r.place, &r.code, r.reason);
        }
        let verdict = fatal.map_or_else(|| strata_ingest::verdict(&report, command.partial), Err);
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

/// Asks the quality rules before a survey goes in: rows with a finding of level error. Faults of a table as a whole are
/// told and refused, with `--partial` too: nobody knows which of its rows are sound.
fn survey_faults(command: &Import, options: &ImportOptions, json: bool) -> Result<HashMap<String, (String, String)>, Failure> {
    let city = city::open(&command.city)?;
    let (snapshot, scope) = (city.engine.snapshot(), Scope::everything());
    let view = View { snapshot: &snapshot, base: &snapshot, scope: &scope, at: city::now() };
    let mut faulty = HashMap::new();
    for file in &command.files {
        let read = strata_ingest::read_delivery(file, options.source_crs.as_ref(), &options.frame.crs);
        let delivery = read.map_err(|e| Failure { exit: 3, error: e.into() })?;
        let found = strata_pipes::qc::findings(&view, &delivery)?;
        let errors: Vec<_> = found.list.iter().filter(|f| f.rule.level == Level::Error).collect();
        if let Some(f) = errors.iter().find(|f| f.at.is_none()) {
            let place = if f.row > 0 { format!("{} row {}", f.table, f.row) } else { f.table.clone() };
            return Err(Failure { exit: 3, error: anyhow::anyhow!("{}: {place}: {} ({})", file.display(), f.reason, f.rule.id) });
        }
        if !json && !command.partial {
            for f in errors.iter().take(20) {
                println!(
                    "  {} at {} row {}: {} {} ({})",
                    f.id,
                    f.table,
                    f.row,
                    f.reason,
                    f.value.as_deref().unwrap_or_default(),
                    f.rule.id
                );
            }
        }
        for f in errors {
            let place = format!("{} row {}", f.table, f.row);
            faulty.entry(place).or_insert_with(|| (f.rule.id.to_owned(), f.reason.en.clone()));
        }
    }
    Ok(faulty)
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
