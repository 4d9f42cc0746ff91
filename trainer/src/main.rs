//! The command line: `trainer summary` and `trainer train`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use trainer::backend::Backend;
use trainer::card::Card;
use trainer::data::Data;
use trainer::report::Report;
use trainer::spec;
use trainer::summary::Summary;
use trainer::train::{self, Options, Outcome};

/// What shells report for a program ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Trains digit networks and exports them as ONNX.
#[derive(Parser)]
#[command(name = "trainer", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the layer table of a network, or of all.
    Summary(SummaryArgs),
    /// Train a network and export it.
    Train(TrainArgs),
}

#[derive(Args)]
struct SummaryArgs {
    /// Network; all if not given.
    name: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct TrainArgs {
    /// Network (see `trainer summary`).
    name: String,
    /// Epochs for every optimizer of the network [default: the network's own, in networks.toml].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// What does the arithmetic.
    #[arg(long, value_enum, default_value_t)]
    backend: Backend,
    /// Directory with IDX files, raw or gzipped [default: MNIST, carried in this program].
    #[arg(long)]
    data: Option<PathBuf>,
    /// Go on after the last whole epoch of an interrupted training.
    #[arg(long)]
    resume: bool,
    /// All random choices follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the model goes [default: models/NAME].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Use only the first so many training, validation and test images, for a quick look.
    #[arg(long)]
    limit: Option<usize>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Summary(args) => summary(&args),
        Command::Train(args) => train(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn summary(args: &SummaryArgs) -> Result<ExitCode> {
    let specs = match &args.name {
        Some(name) => vec![spec::find(name)?],
        None => spec::all()?,
    };
    let mut text = String::new();
    for spec in &specs {
        let summary = Summary::new(spec)?;
        text.push_str(&if args.json { serde_json::to_string(&summary)? } else { summary.table() });
        text.push('\n');
    }
    // Not println: a reader that has seen enough, like `head`, is no error.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn train(args: &TrainArgs) -> Result<ExitCode> {
    let mut spec = spec::find(&args.name)?;
    if let Some(epochs) = args.epochs {
        spec.epochs = epochs as usize;
    }
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("models").join(&spec.name));
    let options = Options { seed: args.seed, backend: args.backend, out, resume: args.resume };
    options.backend.device()?;
    let data = Data::load(&spec, args.data.as_deref(), args.limit)?;
    let report = if args.json { Report::Json } else { Report::People };

    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed)).context("Ctrl-C cannot be caught")?;

    match train::train(&spec, &data, &options, &report, &|| stop.load(Ordering::Relaxed))? {
        Outcome::Finished(card) => show(&card, &options, args.json, "trained"),
        Outcome::AlreadyDone(card) => show(&card, &options, args.json, "was trained already"),
        Outcome::Interrupted { epochs } => {
            eprintln!(
                "interrupted; {epochs} of {} epochs are kept: repeat the command with --resume to go on from there",
                spec.total_epochs()
            );
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

fn show(card: &Card, options: &Options, json: bool, what: &str) -> Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string(card)?);
    } else {
        println!(
            "{} {what}: {:.2} % of {} test images, loss {:.4}, {} parameters, {:.0} s; see {}",
            card.run.network,
            100.0 * card.test_accuracy,
            card.test_images,
            card.test_loss,
            card.params,
            card.seconds,
            options.out.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}
