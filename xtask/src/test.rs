//! Everything that CI runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::bench::Bench;
use crate::firmware::Firmware;
use crate::setup;
use crate::shell::{self, cargo, root, target};

/// Runs every step and stops at the first that fails.
///
/// Every step that needs large dependencies takes the whole workspace: with another selection of packages, cargo
/// would build them again with other features.
pub fn run() -> Result<()> {
    let start = Instant::now();
    let mut steps = Steps::default();
    steps.step("set up", setup::all)?;
    steps.cargo("format", &["fmt", "--all", "--check"])?;
    steps.cargo("format, firmware", &["fmt", "--manifest-path", "firmware/Cargo.toml", "--check"])?;
    steps.cargo("core and protocol, overflow checked", &["test", "-p", "inference-core", "-p", "protocol"])?;
    let without_std = ["build", "--release", "-p", "inference-core", "--target", "thumbv6m-none-eabi"];
    steps.cargo("core without std", &without_std)?;
    steps.cargo("build", &["test", "--release", "--workspace", "--no-run"])?;
    // This leaves the program `boards` for the steps after it.
    steps.cargo("tests", &["test", "--release", "--workspace", "--", "--show-output"])?;
    steps.step("firmware for every board", || Firmware::default().report())?;
    steps.step("no board slower or larger than committed", || Bench::check_of("mps2-an386").measure())?;
    steps.step("firmware's own tests and lint", || {
        let (firmware, built) = (root().join("firmware"), target().join("firmware").display().to_string());
        // From here cargo builds for the host, from its own directory for a board.
        shell::run(&mut cargo(&["test", "--manifest-path", "firmware/Cargo.toml", "--target-dir", &built]))?;
        let features = ["--features", "conformance"];
        let lint =
            [&["clippy", "--release", "--target-dir", &built], &features[..], &["--", "-D", "warnings"]].concat();
        shell::run(cargo(&lint).current_dir(firmware))
    })?;
    steps.cargo("lint", &["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    steps.step("documentation", || {
        let document = ["doc", "--release", "--workspace", "--no-deps"];
        shell::run(cargo(&document).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    steps.summarize(start.elapsed());
    Ok(())
}

/// The steps so far, with their times.
#[derive(Default)]
struct Steps(Vec<(&'static str, Duration)>);

impl Steps {
    fn cargo(&mut self, name: &'static str, arguments: &[&str]) -> Result<()> {
        self.step(name, || shell::run(&mut cargo(arguments)))
    }

    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        eprintln!("== {name}");
        let start = Instant::now();
        work().with_context(|| format!("step \"{name}\""))?;
        eprintln!("== {name}: {} s", start.elapsed().as_secs());
        self.0.push((name, start.elapsed()));
        Ok(())
    }

    fn summarize(&self, total: Duration) {
        for (name, time) in &self.0 {
            eprintln!("{:>5} s  {name}", time.as_secs());
        }
        eprintln!("{:>5} s  in all", total.as_secs());
    }
}
