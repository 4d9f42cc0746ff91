//! The command line: `trainer --help`.

mod cli;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Trains small networks for images and exports them as ONNX.
#[derive(Parser)]
#[command(name = "trainer", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the layer table of a network, or of all.
    Summary(cli::summary::Arguments),
    /// Train a network and export it.
    Train(cli::train::Arguments),
    /// Train all of the notebook's networks, or of a table, going on where that was stopped, and write the report.
    Reproduce(cli::reproduce::Arguments),
    /// Write REPORT.md about what is trained.
    Report(cli::report::Arguments),
    /// Measure every layer's gradient in the first steps, with ReLU and with sigmoid, for the report.
    Gradients(cli::report::Gradients),
    Completions(cli::shell::Completions),
    Manual(cli::shell::Manual),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Summary(arguments) => cli::summary::run(&arguments),
        Command::Train(arguments) => cli::train::run(&arguments),
        Command::Reproduce(arguments) => cli::reproduce::run(&arguments),
        Command::Report(arguments) => cli::report::run(&arguments),
        Command::Gradients(arguments) => cli::report::gradients(&arguments),
        Command::Completions(arguments) => cli::shell::complete(&arguments, Cli::command()).map(|()| ExitCode::SUCCESS),
        Command::Manual(arguments) => cli::shell::manual(&arguments, Cli::command()).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
