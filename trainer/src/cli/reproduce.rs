//! `trainer reproduce`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use trainer::reproduce::{Ended, Plan};

#[derive(Args)]
pub struct Arguments {
    /// Networks [default: the thirteen of the notebook, or all of --networks that are to be trained].
    names: Vec<String>,
    #[command(flatten)]
    training: super::Training,
    /// Seeds, such as 1,2,3; the first one's result is the network's [default: the network's own, in networks.toml].
    #[arg(long, visible_alias = "seed", value_delimiter = ',')]
    seeds: Option<Vec<u64>>,
    /// Directory of the models; what is trained there already is skipped.
    #[arg(long, default_value = "models")]
    out: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let super::Training { networks, epochs, backend, devices, data, limit, json } = &arguments.training;
    backend.devices(devices)?;
    let table = networks.own()?;
    let is_own = table.is_some();
    let plan = Plan {
        table,
        names: arguments.names.clone(),
        epochs: epochs.map(|epochs| epochs as usize),
        seeds: arguments.seeds.clone(),
        backend: *backend,
        devices: devices.clone(),
        data: data.clone(),
        limit: *limit,
        out: arguments.out.clone(),
    };
    let stop = super::ctrl_c()?;
    match plan.run(arguments.training.progress(), &stop)? {
        Ended::Done(cards) => {
            for card in &cards {
                let what = format!("with seed {}", card.run.seed);
                super::show(card, *json, &what, &arguments.out.display().to_string())?;
            }
            // The report is about the notebook's networks.
            if is_own { Ok(ExitCode::SUCCESS) } else { super::report::write(&arguments.out, *json) }
        }
        Ended::Interrupted { network } => {
            Ok(super::interrupted(&format!("in {network}: repeat the command to go on after its last whole epoch")))
        }
    }
}
