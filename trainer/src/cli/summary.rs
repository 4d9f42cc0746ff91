//! `trainer summary`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use trainer::data::Images;
use trainer::summary::Summary;

#[derive(Args)]
pub struct Arguments {
    /// Network; all if not given.
    name: Option<String>,
    #[command(flatten)]
    networks: super::Networks,
    /// Directory with IDX files, whose size and classes count [default: MNIST's].
    #[arg(long)]
    data: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let table = arguments.networks.table()?;
    let mut specs = match &arguments.name {
        Some(name) => vec![table.find(name)?.clone()],
        None => table.networks,
    };
    if let Some(data) = &arguments.data {
        let images = Images::load(Some(data))?;
        for spec in specs.iter_mut().filter(|spec| spec.input.is_none()) {
            *spec = spec.for_data(images.shape(), images.classes())?;
        }
    }
    let mut text = String::new();
    for spec in &specs {
        let summary = Summary::new(spec)?;
        text.push_str(&if arguments.json { serde_json::to_string(&summary)? } else { summary.table() });
        text.push('\n');
    }
    // Not println: a reader that has seen enough, like `head`, is no error.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
