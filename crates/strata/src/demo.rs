use crate::{Failure, serve, synthetic};
use clap::Args;
use std::{path::PathBuf, process::ExitCode};

#[derive(Args)]
pub struct Demo {
    /// Where the city is kept; made when it is not there.
    #[arg(long, default_value = "var/changchun")]
    dir: PathBuf,
    #[command(flatten)]
    what: synthetic::What,
    /// Makes the city and stops.
    #[arg(long)]
    no_serve: bool,
    #[command(flatten)]
    listen: serve::Listen,
}

pub fn run(demo: &Demo) -> Result<ExitCode, Failure> {
    if !demo.dir.join("record.gpkg").exists() {
        synthetic::make(&demo.dir, &demo.what)?;
    }
    if demo.no_serve {
        println!("{}", demo.dir.display());
        return Ok(ExitCode::SUCCESS);
    }
    serve::serve(&demo.dir, &demo.listen)
}
