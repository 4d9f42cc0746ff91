//! Files that others quantized, against the runtimes that they are made for.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::PAGE;
use crate::page::Table;
use crate::setup;
use crate::shell::{built, cargo, json, root, run};

/// Boards that the files are run on: one without and one with vector instructions, with memory for all of them.
const BOARDS: [&str; 2] = ["mps2-an505", "mps3-an547"];

/// Compares the quantized files of a folder and writes the table.
pub fn run_all(folder: &Path) -> Result<()> {
    let listed = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files: Vec<_> = listed.flatten().map(|entry| entry.path()).filter(|path| is_network(path)).collect();
    files.sort();
    ensure!(!files.is_empty(), "{}: no .onnx or .tflite file", folder.display());
    setup::all()?;
    run(&mut cargo(&["build", "--release", "--workspace", "--bin", "quantized"]))?;
    let script = root().join("host-tests/quantized.py");
    let mut arguments = vec!["--script".to_string(), script.display().to_string()];
    BOARDS.iter().for_each(|board| arguments.extend(["--board".into(), (*board).into()]));
    arguments.extend(files.iter().map(|file| file.display().to_string()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let values = json(built("quantized", &arguments).env("PYTHONPATH", setup::python_runtimes()?))?;
    let text = table(&values);
    println!("{text}");
    let page = Table { page: PAGE, name: "quantized files", command: "cargo xtask parity --quantized FOLDER" };
    page.write(&text)?;
    for value in &values {
        let steps = value["steps"].as_array().map_or(0, Vec::len);
        ensure!(steps <= 2, "{}: a layer is off by {} steps given the same bytes", value["file"], steps - 1);
    }
    Ok(())
}

/// Whether a file is one of a network.
fn is_network(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "onnx" || extension == "tflite")
}

fn table(values: &[Value]) -> String {
    let mut text = String::from(
        "| file | against | layers compared | values equal | one step off | more | result equal | one step | more | same class \
         | arena | flash | boards, bit for bit |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for value in values {
        let steps = |name: &str| -> [u64; 3] {
            let all: Vec<u64> = value[name].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
            let at = |index: usize| all.get(index).copied().unwrap_or(0);
            [at(0), at(1), all.iter().skip(2).sum()]
        };
        let ([equal, one, more], [result, result_one, result_more]) = (steps("steps"), steps("result_steps"));
        let word = |name: &str| value[name].as_str().unwrap_or("").to_string();
        let number = |name: &str| value[name].as_u64().unwrap_or(0);
        let boards: Vec<&str> = value["boards"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        text += &format!(
            "| `{}` | {} | {} of {} | {equal} | {one} | {more} | {result} | {result_one} | {result_more} | {} of {} | {} | {} | {} |\n",
            word("file"),
            word("runtime"),
            number("compared"),
            number("layers"),
            number("same_class"),
            number("inputs"),
            number("arena"),
            number("flash"),
            boards.join(", "),
        );
    }
    text
}
