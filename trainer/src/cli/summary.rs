//! `trainer summary`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use trainer::spec;
use trainer::summary::Summary;

#[derive(Args)]
pub struct Arguments {
    /// Network; all if not given.
    name: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let specs = match &arguments.name {
        Some(name) => vec![spec::find(name)?],
        None => spec::all()?,
    };
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
