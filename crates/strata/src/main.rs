//! Strata's command line: the only place that reads configuration, environment and the clock.

mod analysis;
mod bench;
mod city;
mod demo;
mod export;
mod import;
mod live;
mod plate;
mod progress;
mod serve;
mod shot;
mod survey;
mod synthetic;
mod view;

use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Features come and go by the million, from many threads at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "strata", version, about = "A city twin: what stands here, what stood here, what lies under it.", after_help = EXIT_CODES)]
struct Cli {
    /// Answers as one JSON document on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 done · 1 faults found (report written) · 2 misuse · 3 input not usable · 4 city not usable · 5 storage full or failed";

#[derive(Subcommand)]
enum Command {
    /// Makes a synthetic Changchun, unless it is there already, and serves it on loopback; prints `url=…` and `token=…`.
    Demo(demo::Demo),
    /// Makes an empty city.
    New {
        city: PathBuf,
        /// Working CRS, projected, in metres: `EPSG:4551+5737`.
        #[arg(long, default_value = "EPSG:4551+5737")]
        crs: String,
        /// Name of the city.
        #[arg(long, default_value = "")]
        name: String,
        /// Ellipsoidal height = height in the city's datum + this, metres.
        #[arg(long, default_value_t = 0.0, allow_hyphen_values = true)]
        geoid_offset_m: f64,
    },
    /// Reads files into the record; all or nothing unless `--partial`.
    Import(import::Import),
    /// Writes a layer to a file.
    Export(export::Export),
    /// Builds 3D or vector tiles of layers on disk, cell by cell in bounded memory.
    Tiles(export::Tiles),
    /// Serves the city over HTTP on loopback.
    Serve(serve::Serve),
    /// Draws a scene to a PNG.
    Shot(shot::Shot),
    /// Runs an analysis of the pipes: `strata pipes statistics CITY --by owner`; without one, lists them.
    Pipes(analysis::Run),
    /// Makes synthetic data on disk: a city, a survey delivery.
    #[command(subcommand)]
    Gen(Gen),
    /// Opens the city in a window.
    View(view::View),
    /// Measures the program on this machine.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Lists the commits of the record.
    Log { city: PathBuf },
    /// Checks record and observations: pages, audit chain, counts, seals.
    Verify { city: PathBuf },
    /// Copies record and observations while they are in use.
    Backup { city: PathBuf, to: PathBuf },
    /// What the exit codes mean.
    #[command(name = "exit-codes")]
    ExitCodes,
}

#[derive(Subcommand)]
enum Gen {
    /// Writes a synthetic city into a new folder, with its truth beside it, and does not serve it.
    City(synthetic::Gen),
    /// Writes the pipes of the synthetic district as a survey delivery: tables of points and lines for each class.
    Survey(survey::Survey),
}

/// An error with the exit code that it deserves.
#[derive(Debug)]
pub struct Failure {
    pub exit: u8,
    pub error: anyhow::Error,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: 4, error: error.into() }
    }
}

impl Failure {
    pub fn misuse(text: impl std::fmt::Display) -> Self {
        Self { exit: 2, error: anyhow::anyhow!("{text}") }
    }
}

fn main() -> ExitCode {
    // Before any thread and any GDAL call: drivers that open other files or the network stay out.
    strata_ingest::guard_gdal();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("STRATA_LOG")
                .unwrap_or_else(|_| "warn,wgpu_hal=off,winit=error,strata=info".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Demo(c) => demo::run(&c),
        Command::New { city, crs, name, geoid_offset_m } => {
            city::create(&city, &crs, &name, geoid_offset_m, false).map(|_| ExitCode::SUCCESS)
        }
        Command::Import(c) => import::run(&c, cli.json),
        Command::Export(c) => export::run(&c, cli.json),
        Command::Tiles(c) => export::tiles(&c, cli.json),
        Command::Serve(c) => serve::run(&c),
        Command::Shot(c) => shot::run(&c),
        Command::Pipes(c) => analysis::run(&c, strata_pipes::ANALYSES),
        Command::Gen(Gen::City(c)) => synthetic::run(&c, cli.json),
        Command::Gen(Gen::Survey(c)) => survey::run(&c, cli.json),
        Command::View(c) => view::run(&c),
        Command::Bench(c) => bench::run(&c, cli.json),
        Command::Log { city } => city::log(&city, cli.json),
        Command::Verify { city } => city::verify(&city, cli.json),
        Command::Backup { city, to } => city::backup(&city, &to),
        Command::ExitCodes => {
            println!("{EXIT_CODES}");
            Ok(ExitCode::SUCCESS)
        }
    };
    match done {
        Ok(code) => code,
        Err(Failure { exit, error }) => {
            if cli.json {
                println!("{}", serde_json::json!({ "error": format!("{error:#}"), "exit": exit }));
            }
            eprintln!("strata: {error:#}");
            ExitCode::from(exit)
        }
    }
}
