//! What `cargo xtask parity` asks: one JSON object a line.

use anyhow::{Result, anyhow};
use clap::Parser;
use host_tests::parity::{self, Case, Effort, Float, Layers, Row};
use host_tests::random_parity::{self, Summary};
use host_tests::{reference, runtimes};
use serde::Serialize;

/// Compares the core with references, runtimes and boards.
#[derive(Parser)]
enum Command {
    /// Every model that ships, against everything
    Models {
        /// Fewer images of large models
        #[arg(long)]
        quick: bool,
    },
    /// Random networks through compiler and core, against the plain reference and tract
    Networks {
        /// How many
        #[arg(long)]
        count: u32,
        /// Only this batch of them, which an error has named
        #[arg(long)]
        batch: Option<usize>,
    },
}

/// A line of the output.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line {
    Row(Row),
    Layers(Layers),
    Float(Float),
    Networks(Summary),
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Models { quick } => {
            let effort = if quick { Effort::Quick } else { Effort::Full };
            let cases = Case::all()?;
            cases.iter().enumerate().try_for_each(|(index, case)| compare(case, index, effort))
        }
        Command::Networks { count, batch } => {
            let summary = match batch {
                Some(batch) => random_parity::batch(batch, count, reference::outputs),
                None => random_parity::compare(count, reference::outputs),
            };
            let summary = summary.map_err(|error| anyhow!(error))?;
            print(&Line::Networks(summary))
        }
    }
}

fn compare(case: &Case, index: usize, effort: Effort) -> Result<()> {
    print(&Line::Row(parity::reference(case, effort)))?;
    for runtime in runtimes::ALL {
        print(&Line::Row(parity::runtime(case, runtime, effort)?))?;
        print(&Line::Layers(parity::layers(case, runtime, effort)?))?;
    }
    print(&Line::Float(parity::float(case, effort)?))?;
    let mut boards = parity::boards(case, index, effort).into_iter();
    boards.try_for_each(|board| print(&Line::Row(parity::board(case, board, effort)?)))
}

/// Writes a line at once: the next one may take a while.
fn print(line: &Line) -> Result<()> {
    println!("{}", serde_json::to_string(line)?);
    Ok(())
}
