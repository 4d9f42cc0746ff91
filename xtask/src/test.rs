//! Everything that CI runs, cheapest first; the trainer last, because Burn takes longest to build.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::bench::Bench;
use crate::firmware::Firmware;
use crate::setup;
use crate::shell::{self, cargo, root, target};

/// Runs every step and stops at the first that fails.
pub fn run() -> Result<()> {
    let start = Instant::now();
    let mut steps = Steps::default();
    steps.step("set up", setup::all)?;
    steps.cargo("format", &["fmt", "--all", "--check"])?;
    steps.cargo("format, firmware", &["fmt", "--manifest-path", "firmware/Cargo.toml", "--check"])?;
    steps.cargo("core and protocol, overflow checked", &["test", "-p", "inference-core", "-p", "protocol"])?;
    steps
        .cargo("core without std", &["build", "--release", "-p", "inference-core", "--target", "thumbv6m-none-eabi"])?;
    let all_but_trainer = ["--release", "--workspace", "--exclude", "trainer"];
    let lint = [&["clippy"], &all_but_trainer[..], &["--all-targets", "--", "-D", "warnings"]].concat();
    steps.cargo("lint", &lint)?;
    let tests = ["inference-core", "protocol", "dataset", "compiler", "xtask"].map(|package| ["-p", package]);
    steps.cargo("core, protocol, dataset, compiler", &[&["test", "--release"], tests.as_flattened()].concat())?;
    steps.step("firmware's own tests and lint", || {
        let (firmware, built) = (root().join("firmware"), target().join("firmware").display().to_string());
        // From here cargo builds for the host, from its own directory for a board.
        shell::run(&mut cargo(&["test", "--manifest-path", "firmware/Cargo.toml", "--target-dir", &built]))?;
        let lint = ["clippy", "--release", "--target-dir", &built, "--", "-D", "warnings"];
        shell::run(cargo(&lint).current_dir(firmware))
    })?;
    steps.step("firmware for every board", || Firmware::default().run())?;
    steps.step("no board slower or larger than committed", || Bench::check_of("mps2-an386").run())?;
    steps.cargo("parity", &["test", "--release", "-p", "host-tests", "--", "--nocapture"])?;
    steps.step("documentation", || {
        shell::run(cargo(&[&["doc", "--no-deps"], &all_but_trainer[..]].concat()).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    steps.cargo("trainer", &["test", "--release", "-p", "trainer"])?;
    steps.cargo("lint, trainer", &["clippy", "--release", "-p", "trainer", "--all-targets", "--", "-D", "warnings"])?;
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
