//! The project's own commands: `cargo xtask --help`.

mod api;
mod bench;
mod boards;
mod book;
mod cases;
mod demo;
mod examples;
mod firmware;
mod flash;
mod fuzz;
mod miri;
mod models;
mod own_sets;
mod page;
mod parity;
mod setup;
mod shell;
mod table;
mod test;
mod try_it;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands; each installs what it needs.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A first success within minutes: the shipped `nano` on an emulated Cortex-M4 says what a picture shows
    Try(try_it::Try),
    /// The main job end to end: train, export, compile, evaluate, and classify on an emulated Cortex-M4
    Demo(demo::Demo),
    /// Everything that CI runs
    Test(test::Test),
    /// Installs Rust's targets for the boards, QEMU and the ONNX Runtime library, where missing
    Setup,
    /// Compares the public interface of the published crates with the lists in docs/api/
    Api(api::Api),
    /// Makes a book of the pages in docs/
    Book,
    /// Compiles files as people have them and compares the accuracy with ONNX Runtime's
    Cases(cases::Cases),
    /// Packages the crates, builds them elsewhere, and the examples with them, which it runs
    Examples,
    /// Builds the firmware for every board and says how large it is
    Firmware(firmware::Firmware),
    /// Builds the firmware for a board and puts it there: says what to press and what to install
    Flash(flash::Flash),
    /// Compiles the trained networks in models/, measures them in 8 bits, and writes models/REPORT.md
    Models(models::Models),
    /// Measures an inference on emulated boards
    Bench(bench::Bench),
    /// Runs libFuzzer on everything that reads bytes from outside
    Fuzz(fuzz::Fuzz),
    /// Runs the tests of the core and the protocol under Miri, which finds undefined behaviour
    Miri,
    /// Compares the core with a reference, tract, ONNX Runtime and emulated boards, and writes docs/parity.md
    Parity(parity::Parity),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Try(first) => first.run(),
        Command::Demo(demo) => demo.run(),
        Command::Test(test) => test.run(),
        Command::Api(api) => api.run(),
        Command::Book => book::build(),
        Command::Cases(cases) => cases.run(),
        Command::Examples => examples::check(),
        Command::Setup => setup::all(),
        Command::Firmware(firmware) => firmware.run(),
        Command::Flash(flash) => flash.run(),
        Command::Models(models) => models.run(),
        Command::Bench(bench) => bench.run(),
        Command::Fuzz(fuzz) => fuzz.run(),
        Command::Miri => miri::run_tests(),
        Command::Parity(parity) => parity.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
