//! Everything that CI runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::api::Api;
use crate::bench::Bench;
use crate::examples;
use crate::firmware::Firmware;
use crate::miri;
use crate::models;
use crate::own_sets;
use crate::setup;
use crate::shell::{self, built, cargo, command, root, target};

/// One board for each family of kernels: with the DSP extension, without it, with Helium.
const MEASURED: [&str; 3] = ["mps2-an386", "mps2-an385", "mps3-an547"];

/// Options of `cargo xtask test`.
#[derive(Args)]
pub struct Test {
    /// Also what takes longer to build or download: training through Vulkan, networks reimported by burn-onnx, ONNX's checker,
    /// Miri, every flipped bit of a model
    #[arg(long)]
    full: bool,
}

impl Test {
    /// Runs every step and stops at the first that fails.
    pub fn run(&self) -> Result<()> {
        let start = Instant::now();
        let mut steps = Steps::default();
        usual(&mut steps)?;
        if self.full {
            full(&mut steps)?;
        }
        steps.summarize(start.elapsed());
        Ok(())
    }
}

/// Every step that needs large dependencies takes the whole workspace: with another selection of packages, cargo
/// would build them again with other features.
fn usual(steps: &mut Steps) -> Result<()> {
    steps.step("set up", setup::all)?;
    steps.cargo("format", &["fmt", "--all", "--check"])?;
    steps.cargo("format, firmware", &["fmt", "--manifest-path", "firmware/Cargo.toml", "--check"])?;
    steps.cargo("core and protocol, overflow checked", &["test", "-p", "thumbnet", "-p", "thumbnet-protocol"])?;
    let replay = ["test", "-p", "fuzz", "--no-default-features", "--test", "replay"];
    steps.cargo("hostile bytes, overflow checked", &replay)?;
    let without_std = ["build", "--release", "-p", "thumbnet", "--target", "thumbv6m-none-eabi"];
    steps.cargo("core without std", &without_std)?;
    steps.cargo("build", &["test", "--release", "--workspace", "--no-run"])?;
    // This leaves the programs `boards`, `trainer` and `thumbnet` for the steps after it.
    steps.cargo("tests", &["test", "--release", "--workspace", "--", "--show-output"])?;
    steps.step("sets of one's own, from pixels to a model", own_sets::check)?;
    steps.step("packaged crates and examples", examples::check)?;
    steps.step("firmware for every board", || Firmware::default().report())?;
    steps.step("no board slower or larger than committed", || Bench::check_of(&MEASURED).measure())?;
    steps.step("firmware's own tests and lint", || {
        let (firmware, built) = (root().join("firmware"), target().join("firmware").display().to_string());
        // From here cargo builds for the host, from its own directory for a board.
        shell::run(&mut cargo(&["test", "--manifest-path", "firmware/Cargo.toml", "--target-dir", &built]))?;
        let features = ["--features", "conformance"];
        let lint = [&["clippy", "--release", "--target-dir", &built], &features[..], &["--"], denied()?].concat();
        shell::run(cargo(&lint).current_dir(firmware))
    })?;
    let lint = ["clippy", "--release", "--workspace", "--all-targets", "--"];
    steps.cargo("lint", &[&lint, denied()?].concat())?;
    steps.step("documentation", || {
        let document = ["doc", "--release", "--workspace", "--no-deps"];
        shell::run(cargo(&document).env("RUSTDOCFLAGS", denied()?.join(" ")))
    })?;
    steps.step("public interfaces as committed", || match denied()? {
        [] => Ok(()),
        _ => Api::default().compare(),
    })
}

/// What makes warnings errors: with the Rust that the project is written for. A newer one warns of more, and says it
/// in other words; that is to be seen, but breaks nobody's build.
fn denied() -> Result<&'static [&'static str]> {
    let version = shell::output(&mut command("rustc", &["--version"]))?;
    let is_ours = version.split(' ').nth(1).is_some_and(|version| version.starts_with(env!("CARGO_PKG_RUST_VERSION")));
    if !is_ours {
        eprintln!(
            "warnings are no errors: they are fixed to Rust {}, this is {version}",
            env!("CARGO_PKG_RUST_VERSION")
        );
    }
    Ok(if is_ours { &["-D", "warnings"] } else { &[] })
}

/// The trainer with more of Burn, other programs' judgement of its files, and what takes minutes.
fn full(steps: &mut Steps) -> Result<()> {
    steps.step("core and protocol under Miri", miri::run_tests)?;
    let flips = ["test", "--release", "--workspace", "--test", "flips", "--", "--ignored", "--show-output"];
    steps.cargo("every flipped bit of a model", &flips)?;
    let build = ["build", "--release", "--workspace", "--features", FULL, "--example", "reimport"];
    steps.cargo("build the trainer in full", &build)?;
    let reimported = target().join("reimported");
    let (from, to) = (root().join("models").display().to_string(), reimported.display().to_string());
    steps.step("burn-onnx reads the networks back", || shell::run(&mut built("examples/reimport", &[&from, &to])))?;
    steps.step("a Vulkan device", setup::vulkan)?;
    let tests = ["--test", "reimport", "--test", "several", "--test", "wgpu", "--", "--show-output"];
    steps.step("reimported networks, wgpu, several devices", || {
        let test = [&["test", "--release", "--workspace", "--features", FULL], &tests[..]].concat();
        shell::run(cargo(&test).env("REIMPORTED", &reimported))
    })?;
    steps.step("ONNX's checker", || {
        let files = models::files("model.onnx")?.into_iter().chain(models::files("model.qdq.onnx")?);
        let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
        let arguments: Vec<&str> = ["-c", CHECK].into_iter().chain(files.iter().map(String::as_str)).collect();
        shell::run(command("python3", &arguments).env("PYTHONPATH", setup::onnx_checker()?))
    })
}

/// Features of the trainer that the usual build leaves out, because they double it.
const FULL: &str = "trainer/wgpu,trainer/reimport";

/// Python: every file named is a valid ONNX model with consistent shapes.
const CHECK: &str = "
import sys, onnx
for path in sys.argv[1:]:
    onnx.checker.check_model(path, full_check=True)
    print(path, 'is valid')
";

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
