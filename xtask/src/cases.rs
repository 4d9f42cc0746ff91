//! Files as people have them, each with what ONNX Runtime makes of it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::shell::{built, cargo, mnist, run};

/// Options of `cargo xtask cases`.
#[derive(Args)]
pub struct Cases {
    /// The folder with the files and their list, `cases.jsonl`
    folder: PathBuf,
    /// Only files whose name has this in it
    #[arg(long, default_value = "")]
    only: String,
}

impl Cases {
    /// Compiles every file, shows the models the test images and prints a table; an error where one is not as it should be.
    pub fn run(&self) -> Result<()> {
        run(&mut cargo(&["build", "--release", "--workspace", "--example", "cases"]))?;
        let here = std::env::current_dir().context("where are we?")?;
        let (folder, data) = (here.join(&self.folder).display().to_string(), mnist().display().to_string());
        run(&mut built("examples/cases", &[&folder, &data, &self.only]))
    }
}
