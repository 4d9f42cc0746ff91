//! `trainer report`, and `trainer gradients`, which measures one of its figures.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use trainer::backend::Backend;
use trainer::progress::Progress;
use trainer::{gradients, report};

#[derive(Args)]
pub struct Arguments {
    /// Directory of the models.
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct Gradients {
    /// Steps of each training.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Seeds; every network is trained with each.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3])]
    seeds: Vec<u64>,
    /// What does the arithmetic.
    #[arg(long, value_enum, default_value_t)]
    backend: Backend,
    /// Directory of the models, where gradients.csv goes.
    #[arg(long, default_value = "models")]
    models: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    write(&arguments.models, arguments.json)
}

/// Writes the report and says where it is.
pub fn write(models: &Path, json: bool) -> Result<ExitCode> {
    let (path, trained) = report::write(models)?;
    if json {
        println!("{}", serde_json::json!({"report": path, "trained": trained}));
    } else {
        println!("wrote {}: {trained} networks are trained", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

pub fn gradients(arguments: &Gradients) -> Result<ExitCode> {
    let Gradients { steps, seeds, backend, models } = arguments;
    let rows = gradients::measure_all(seeds, *steps as usize, *backend, &Progress::people())?;
    let path = models.join(gradients::FILE);
    gradients::save(&rows, &path).with_context(|| format!("{}: cannot be written", path.display()))?;
    println!("wrote {}; `trainer report` draws it", path.display());
    Ok(ExitCode::SUCCESS)
}
