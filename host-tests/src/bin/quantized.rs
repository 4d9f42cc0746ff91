//! What `cargo xtask parity --quantized` asks: one JSON object a file.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use host_tests::quantized;
use thumbnet_device::Board;

/// Compares files that others quantized with the runtimes that they are made for.
#[derive(Parser)]
struct Arguments {
    /// Quantized .onnx and .tflite files
    files: Vec<PathBuf>,
    /// The script that runs ONNX Runtime and LiteRT
    #[arg(long)]
    script: PathBuf,
    /// Random inputs for each file
    #[arg(long, default_value_t = 8)]
    inputs: usize,
    /// An emulated board to run them on too; may be given more than once
    #[arg(long)]
    board: Vec<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let boards = arguments.board.iter().map(|name| Ok(Board::find(name)?)).collect::<Result<Vec<_>>>()?;
    for file in &arguments.files {
        match quantized::compare(file, arguments.inputs, &boards, &arguments.script)? {
            Some(comparison) => println!("{}", serde_json::to_string(&comparison)?),
            None => eprintln!("{} is not quantized: left out", file.display()),
        }
    }
    Ok(())
}
