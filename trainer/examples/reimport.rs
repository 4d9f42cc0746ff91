//! Turns every `MODELS/NAME/model.onnx` back into Rust with burn-onnx, for `tests/reimport.rs`:
//! `reimport MODELS OUT` writes `OUT/NAME/model.rs`, `OUT/NAME/model.bpk`, and a list of all into `OUT/all.rs`.

use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result};
use burn_onnx::ModelGen;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let mut argument = || arguments.next().context("usage: reimport MODELS OUT");
    let (models, out) = (argument()?, argument()?);
    let entries = fs::read_dir(&models).with_context(|| format!("{models}: cannot be read"))?;
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| Path::new(&models).join(name).join("model.onnx").exists());
    names.sort();
    for name in &names {
        ModelGen::new().input(&format!("{models}/{name}/model.onnx")).out_dir(&format!("{out}/{name}")).run_from_cli();
    }
    let all = Path::new(&out).join("all.rs");
    fs::write(&all, format!("reimported! {{ {} }}\n", names.join(" ")))
        .with_context(|| format!("{}: cannot be written", all.display()))
}
