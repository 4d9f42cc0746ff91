//! libFuzzer on everything that reads bytes from outside.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;

use crate::setup;
use crate::shell::{cargo, root, target};
use crate::table::{grouped, terminal};

/// How long a target runs unless told otherwise.
const SECONDS: u64 = 60;
/// The longest input that is tried: short ones are quick, and long enough for every kind of layer.
const LONGEST: &str = "4096";
/// What begins the line in which libFuzzer says how often it called the target.
const EXECUTED: &str = "stat::number_of_executed_units:";

/// Options of `cargo xtask fuzz`.
#[derive(Args)]
pub struct Fuzz {
    /// Only this target
    target: Option<String>,
    /// How long each target runs [default: 60]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// How often each target runs, instead
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    runs: Option<u64>,
}

/// The part of `fuzz/Cargo.toml` that is read here.
#[derive(Deserialize)]
struct Manifest {
    bin: Vec<Target>,
}

/// One program for libFuzzer.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Target {
    name: String,
    required_features: Vec<String>,
}

/// What came of a target.
struct Outcome {
    executions: u64,
    crash: Option<String>,
}

impl Fuzz {
    /// Runs the targets one after the other and prints a table. An error if an input breaks a promise.
    pub fn run(&self) -> Result<()> {
        setup::cargo_fuzz()?;
        let manifest = root().join("fuzz/Cargo.toml");
        let text = fs::read_to_string(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
        let targets = toml::from_str::<Manifest>(&text).with_context(|| format!("in {}", manifest.display()))?.bin;
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        if let Some(wanted) = &self.target {
            ensure!(names.contains(&wanted.as_str()), "there is no target {wanted}, but: {}", names.join(", "));
        }
        let (mut rows, mut crashes) = (Vec::new(), Vec::new());
        for target in targets.iter().filter(|target| self.target.as_ref().is_none_or(|wanted| *wanted == target.name)) {
            eprintln!("== {}", target.name);
            let outcome = self.fuzz(target)?;
            let crash = outcome.crash.iter().len().to_string();
            rows.push(vec![target.name.clone(), grouped(outcome.executions), crash]);
            crashes.extend(outcome.crash);
        }
        println!("{}", terminal(&["target", "executions", "crashes"], 1, rows));
        ensure!(
            crashes.is_empty(),
            "an input breaks a promise: {}; fix it, and keep the input as fuzz/corpus/TARGET/found-NAME",
            crashes.join(", ")
        );
        Ok(())
    }

    /// Runs a target until its time is over or an input breaks a promise.
    fn fuzz(&self, fuzzed: &Target) -> Result<Outcome> {
        // New inputs go to the build directory; the committed ones are only read.
        let [found, built] = ["fuzz-found", "fuzz"].map(|directory| target().join(directory));
        let found = found.join(&fuzzed.name);
        fs::create_dir_all(&found).with_context(|| format!("making {}", found.display()))?;
        let limit = match (self.runs, self.seconds) {
            (Some(runs), _) => format!("-runs={runs}"),
            (None, seconds) => format!("-max_total_time={}", seconds.unwrap_or(SECONDS)),
        };
        let corpus = root().join("fuzz/corpus").join(&fuzzed.name);
        let [found, corpus, built] = [found, corpus, built].map(|path: PathBuf| path.display().to_string());
        let features = fuzzed.required_features.join(",");
        // No sanitizer: all of it is safe Rust on a workstation, where a bad access panics; so any toolchain does.
        let cargo_fuzz = ["fuzz", "run", "--fuzz-dir", "fuzz", "--sanitizer", "none", "--target-dir", &built];
        let target = ["--no-default-features", "--features", &features, &fuzzed.name, &found, &corpus];
        let options = ["--", &limit, "-timeout=10", "-print_final_stats=1"];
        let (prefix, longest) = (format!("-artifact_prefix={found}-"), format!("-max_len={LONGEST}"));
        let arguments = [&cargo_fuzz[..], &target[..], &options[..], &[&prefix, &longest]].concat();
        let mut child = cargo(&arguments).stderr(Stdio::piped()).spawn().context("cargo cannot be started")?;
        let mut outcome = Outcome { executions: 0, crash: None };
        let mut last_lines = Vec::new();
        for line in BufReader::new(child.stderr.take().context("no stderr")?).lines() {
            let line = line.context("reading what libFuzzer says")?;
            if let Some(count) = line.strip_prefix(EXECUTED) {
                outcome.executions = count.trim().parse().with_context(|| format!("no number: {line}"))?;
            }
            if let Some((_, file)) = line.split_once("Test unit written to ") {
                outcome.crash = Some(file.to_string());
            }
            last_lines.push(line);
        }
        let status = child.wait()?;
        if !status.success() {
            last_lines.iter().rev().take(30).rev().for_each(|line| eprintln!("{line}"));
            ensure!(outcome.crash.is_some(), "`cargo fuzz run {}` failed: see above", fuzzed.name);
        }
        ensure!(outcome.executions > 0, "libFuzzer does not say how often it has called {}", fuzzed.name);
        Ok(outcome)
    }
}
