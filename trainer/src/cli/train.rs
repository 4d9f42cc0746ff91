//! `trainer train`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use trainer::data::Data;
use trainer::train::{self, Options, Outcome};

#[derive(Args)]
pub struct Arguments {
    /// Network (see `trainer summary`).
    name: String,
    #[command(flatten)]
    training: super::Training,
    /// Go on after the last whole epoch of an interrupted training.
    #[arg(long)]
    resume: bool,
    /// All random choices follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the model goes [default: models/NAME].
    #[arg(long)]
    out: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let super::Training { networks, epochs, backend, devices, data, limit, json } = &arguments.training;
    let mut spec = networks.table()?.find(&arguments.name)?.clone();
    if let Some(epochs) = epochs {
        spec.epochs = *epochs as usize;
    }
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from("models").join(&spec.name));
    let (seed, resume) = (arguments.seed, arguments.resume);
    let options = Options { seed, backend: *backend, devices: devices.clone(), out, resume };
    // What the machine lacks is found out before the images are unpacked.
    backend.devices(devices)?;
    let data = Data::load(&spec, data.as_deref(), *limit)?;
    let stop = super::ctrl_c()?;
    let see = options.out.display().to_string();
    match train::train(&spec, &data, &options, &arguments.training.progress(), &stop)? {
        Outcome::Finished(card) => super::show(&card, *json, "trained", &see)?,
        Outcome::AlreadyDone(card) => super::show(&card, *json, "was trained already", &see)?,
        Outcome::Interrupted { epochs } => {
            let again = "repeat the command with --resume to go on from there";
            return Ok(super::interrupted(&format!("{epochs} of {} epochs are kept: {again}", spec.total_epochs())));
        }
    }
    Ok(ExitCode::SUCCESS)
}
