//! From trained networks to what ships: the 8-bit models, their accuracy, and the report.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::shell::{built, cargo, mnist, output, root, run};

/// Options of `cargo xtask models`.
#[derive(Args)]
pub struct Models {
    /// Only these models of models/
    names: Vec<String>,
}

impl Models {
    /// Compiles each network and measures it on the test images, then writes the report about all.
    pub fn run(&self) -> Result<()> {
        run(&mut cargo(&["build", "--release", "--workspace", "--bins"]))?;
        let trained = files("model.onnx")?;
        for name in &self.names {
            let wanted = root().join("models").join(name).join("model.onnx");
            ensure!(trained.contains(&wanted), "{} is not there: train it first", wanted.display());
        }
        let data = mnist().display().to_string();
        for onnx in trained {
            let directory = onnx.parent().context("a file has a directory")?;
            let name = directory.file_name().unwrap_or_default().to_string_lossy();
            if !self.names.is_empty() && !self.names.iter().any(|wanted| *wanted == name) {
                continue;
            }
            // Relative to the root, where the programs run: int8.json shall be the same everywhere.
            let (onnx, tnet) = (format!("models/{name}/model.onnx"), format!("models/{name}/model.tnet"));
            let compile =
                ["compile", &onnx, "--calibration", &data, "--input", "0..1", "--name", &name, "--out", &tnet];
            run(&mut built("thumbnet", &compile))?;
            // The report reads it: the trainer knows nothing of the compiler.
            let evaluation = output(&mut built("thumbnet", &["eval", &tnet, "--data", &data, "--json"]))?;
            let int8 = directory.join("int8.json");
            fs::write(&int8, evaluation).with_context(|| format!("writing {}", int8.display()))?;
        }
        run(&mut built("trainer", &["report"]))
    }
}

/// Every `models/NAME/FILE` that is there, by name.
pub fn files(file: &str) -> Result<Vec<PathBuf>> {
    let models = root().join("models");
    let entries = fs::read_dir(&models).with_context(|| format!("reading {}", models.display()))?;
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path().join(file)).filter(|file| file.exists()).collect();
    files.sort();
    Ok(files)
}
