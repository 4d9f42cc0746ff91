//! The commands, a file for each.

pub mod report;
pub mod reproduce;
// The same two subcommands as those of `thumbnet`.
#[path = "../../../cli/src/shell.rs"]
pub mod shell;
pub mod summary;
pub mod train;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::Args;
use networks::Table;
use trainer::backend::Backend;
use trainer::card::Card;
use trainer::progress::Progress;

/// What shells report for a program ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// How to train, the same for one network and for many.
#[derive(Args)]
pub struct Training {
    #[command(flatten)]
    networks: Networks,
    /// Epochs for every optimizer of a network [default: the network's own].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// What does the arithmetic.
    #[arg(long, value_enum, default_value_t)]
    backend: Backend,
    /// Numbers of the backend's devices, such as 0,1: every batch is split among them [default: the backend's choice].
    #[arg(long, value_delimiter = ',')]
    devices: Vec<usize>,
    /// Directory with IDX files, raw or gzipped; size and classes are theirs [default: MNIST, carried in this program].
    #[arg(long)]
    data: Option<PathBuf>,
    /// Use only the first so many training, validation and test images, for a quick look.
    #[arg(long)]
    limit: Option<usize>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Where the networks are described.
#[derive(Args)]
pub struct Networks {
    /// A table of one's own, such as trainer/networks.toml, which explains its fields [default: that one].
    #[arg(long = "networks", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Networks {
    /// The table of one's own.
    fn own(&self) -> Result<Option<Table>> {
        Ok(self.file.as_deref().map(Table::load).transpose()?)
    }

    /// The table to look in.
    fn table(&self) -> Result<Table> {
        Ok(self.own()?.map_or_else(Table::carried, Ok)?)
    }
}

impl Training {
    fn progress(&self) -> Progress {
        if self.json { Progress::Json } else { Progress::people() }
    }
}

/// Whether Ctrl-C was pressed, from now on.
fn ctrl_c() -> Result<impl Fn() -> bool> {
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed)).context("Ctrl-C cannot be caught")?;
    Ok(move || stop.load(Ordering::Relaxed))
}

/// A stopped command's end; `again` is how to go on.
fn interrupted(again: &str) -> ExitCode {
    eprintln!("interrupted; {again}");
    ExitCode::from(INTERRUPTED)
}

/// The result of a training.
fn show(card: &Card, json: bool, what: &str, see: &str) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(card)?);
    } else {
        println!(
            "{} {what}: {:.2} % of {} test images, loss {:.4}, {} parameters, {:.0} s; see {see}",
            card.run.network,
            100.0 * card.test_accuracy,
            card.test_images,
            card.test_loss,
            card.params,
            card.seconds,
        );
    }
    Ok(())
}
