//! Compares the core with references, runtimes and boards, and writes the tables in docs/parity.md.

mod line;
mod quantized;
mod tables;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::page::Table;
use crate::setup;
use crate::shell::{built, cargo, command, json, output, root, run};
use line::Line;

/// Random networks of a full comparison and of a quick one.
const NETWORKS: [u32; 2] = [100_000, 2_000];
/// The page that the tables are in.
const PAGE: &str = "parity.md";

/// Options of `cargo xtask parity`; without one it compares everything and writes docs/parity.md.
#[derive(Args)]
pub struct Parity {
    /// What CI compares: fewer images, boards and networks; the page stays as it is
    #[arg(long)]
    quick: bool,
    /// Only the models that ship
    #[arg(long, conflicts_with = "networks")]
    models: bool,
    /// Only random networks, this many
    #[arg(long)]
    networks: Option<u32>,
    /// Only files that others quantized, .onnx and .tflite, in this folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["models", "networks", "quick", "json"])]
    quantized: Option<PathBuf>,
    /// One JSON object a line; the page stays as it is
    #[arg(long)]
    json: bool,
}

impl Parity {
    /// Sets up, compares, and prints or writes; any difference that rounding does not explain is an error.
    pub fn run(&self) -> Result<()> {
        if let Some(folder) = &self.quantized {
            return quantized::run_all(folder);
        }
        setup::all()?;
        run(&mut cargo(&["build", "--release", "--workspace", "--bin", "parity"]))?;
        let mut values = Vec::new();
        if self.networks.is_none() {
            eprintln!("== every model against reference, runtimes and boards");
            let models = ["models", "--quick"];
            values.extend(ask(if self.quick { &models } else { &models[..1] })?);
        }
        if !self.models {
            let count = self.networks.unwrap_or(NETWORKS[usize::from(self.quick)]);
            eprintln!("== {count} random networks");
            values.extend(ask(&["networks", "--count", &count.to_string()])?);
        }
        if self.json {
            values.iter().for_each(|value| println!("{value}"));
        }
        let lines =
            values.into_iter().map(|value| Ok(serde_json::from_value(value)?)).collect::<Result<Vec<Line>>>()?;
        let made = made_of(&lines, &source()?);
        if !self.json {
            made.iter().for_each(|(table, text)| println!("{}\n\n{text}\n", table.name));
        }
        if !self.quick && !self.json {
            made.iter().try_for_each(|(table, text)| table.write(text))?;
        }
        let different: Vec<String> = lines.iter().filter_map(Line::difference).collect();
        ensure!(different.is_empty(), "they differ: {}", different.join("; "));
        Ok(())
    }
}

fn ask(arguments: &[&str]) -> Result<Vec<Value>> {
    json(built("parity", arguments).env("ORT_DYLIB_PATH", setup::onnx_runtime()?))
}

/// The tables that these lines become; what was not compared stays as it is.
fn made_of(lines: &[Line], source: &str) -> Vec<(Table, String)> {
    let mut made = Vec::new();
    let mut add = |name, command, text: String| made.push((Table { page: PAGE, name, command }, text));
    const MODELS: &str = "cargo xtask parity --models";
    const NETWORKS: &str = "cargo xtask parity --networks 100000";
    let models = lines.iter().any(|line| matches!(line, Line::Row(_)));
    if models {
        add("models", MODELS, tables::models(lines));
        add("logits", MODELS, tables::logits(lines));
        add("layers", MODELS, tables::layers(lines));
        add("float", MODELS, tables::float(lines));
        add("models' source", MODELS, source.into());
    }
    if lines.iter().any(|line| matches!(line, Line::Networks(_))) {
        add("networks", NETWORKS, tables::networks(lines));
        add("networks' source", NETWORKS, source.into());
    }
    made
}

/// What compared: commit and versions.
fn source() -> Result<String> {
    let first = |program: &str, arguments: &[&str]| -> Result<String> {
        Ok(output(&mut command(program, arguments))?.lines().next().unwrap_or_default().trim().to_string())
    };
    let commit = first("git", &["rev-parse", "--short", "HEAD"])?;
    let changed = if first("git", &["status", "--porcelain"])?.is_empty() { "" } else { " with changes" };
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).context("reading Cargo.lock")?;
    let tract = lock.split_once("name = \"tract-onnx\"\nversion = \"").and_then(|(_, rest)| rest.split_once('"'));
    let (tract, _) = tract.context("Cargo.lock has no tract-onnx")?;
    let (rustc, qemu) = (first("rustc", &["--version"])?, first("qemu-system-arm", &["--version"])?);
    let onnx_runtime = setup::ONNX_RUNTIME;
    Ok(format!("Commit {commit}{changed}; {rustc}, tract {tract}, ONNX Runtime {onnx_runtime}, {qemu}."))
}
