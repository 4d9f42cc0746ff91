//! What `cargo xtask firmware`, `bench` and `demo` ask of the boards: one JSON object a line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Parser};
use compiler::device::{Board, FirmwareImage};
use host_tests::boards::Session;
use host_tests::shipped::{self, TEST_IMAGES};
use host_tests::stack;
use inference_core::{Model, Network};
use serde_json::{Value, json};
use tract_onnx::prelude::Framework;

/// Builds images for boards and boots them.
#[derive(Parser)]
enum Command {
    /// Builds the image of every board and says how large it is
    Firmware(Choice),
    /// Counts the instructions of an inference on every emulated board
    Bench(Choice),
    /// Classifies test images on a board and on the host
    Parity {
        #[command(flatten)]
        choice: Choice,
        /// How many images
        #[arg(long, default_value_t = 200)]
        images: usize,
    },
}

#[derive(Args)]
struct Choice {
    /// Only this board
    #[arg(long)]
    board: Option<String>,
    /// A model of models/, or the path of a .tnet file
    #[arg(long)]
    model: Option<String>,
}

impl Choice {
    fn boards(&self) -> Result<Vec<&'static Board>> {
        match &self.board {
            Some(name) => Ok(vec![Board::find(name)?]),
            None => Ok(Board::all().iter().collect()),
        }
    }

    /// The chosen model, or all that ship.
    fn models(&self) -> Result<Vec<PathBuf>> {
        match &self.model {
            Some(name) => Ok(vec![model_path(name)]),
            None => shipped::all(),
        }
    }

    /// The chosen model, or `nano`.
    fn model(&self) -> PathBuf {
        model_path(self.model.as_deref().unwrap_or("nano"))
    }
}

fn model_path(name: &str) -> PathBuf {
    if name.ends_with(".tnet") { name.into() } else { shipped::path(name, "model.tnet") }
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Firmware(choice) => {
            let model = choice.model();
            choice.boards()?.iter().try_for_each(|board| size(board, &model))
        }
        Command::Bench(choice) => {
            let models = choice.models()?;
            let mut boards = choice.boards()?;
            boards.retain(|board| board.emulator.is_some());
            boards.iter().try_for_each(|board| models.iter().try_for_each(|model| bench(board, model)))
        }
        Command::Parity { choice, images } => {
            let model = choice.model();
            choice.boards()?.iter().try_for_each(|board| parity(board, &model, images))
        }
    }
}

/// Writes a line at once: the next one may take a while.
fn print(line: Value) -> Result<()> {
    println!("{line}");
    Ok(())
}

fn size(board: &Board, model: &Path) -> Result<()> {
    let image = FirmwareImage::build(board, model)?;
    print(json!({
        "board": board.name, "core": board.core, "emulated": board.emulator.is_some(),
        "text_bytes": image.text, "data_bytes": image.data, "bss_bytes": image.bss, "arena_bytes": image.arena,
    }))
}

fn bench(board: &Board, path: &Path) -> Result<()> {
    let bytes = read(path)?;
    let model = Model::parse(&bytes).with_context(|| path.display().to_string())?;
    let mut session = Session::boot(board, path)?;
    let instructions = session.instructions(TEST_IMAGES.image(0))?;
    let info = session.emulator.connection().info()?;
    let stack = stack::high_water_mark(&session.image, board, TEST_IMAGES.image(0))?;
    print(json!({
        "board": board.name, "core": board.core, "model": model.name(), "optimize": optimize(path)?,
        "instructions": instructions, "macs": model.layers().map(|layer| layer.macs()).sum::<u64>(),
        "arena_bytes": model.arena_len(), "stack_bytes": stack, "flash_bytes": info.flash_bytes,
        "text_bytes": session.image.text,
    }))
}

fn parity(board: &Board, path: &Path, images: usize) -> Result<()> {
    let bytes = read(path)?;
    let model = Model::parse(&bytes).with_context(|| path.display().to_string())?;
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena)?;
    let mut session = Session::boot(board, path)?;
    let images = images.min(TEST_IMAGES.len());
    let mut identical = 0;
    for index in 0..images {
        let board = session.logits(TEST_IMAGES.image(index))?;
        let host = network.classify(TEST_IMAGES.image(index))?.logits();
        identical += usize::from(host.iter().eq(board));
    }
    print(json!({ "board": board.name, "model": model.name(), "images": images, "identical": identical }))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// What the model was compiled for, as the compiler notes it in the ONNX file beside the model.
fn optimize(model: &Path) -> Result<String> {
    let path = model.with_extension("qdq.onnx");
    let onnx = tract_onnx::onnx().proto_model_for_path(&path).with_context(|| format!("reading {}", path.display()))?;
    let note = onnx.metadata_props.into_iter().find(|property| property.key == "thumbnet.optimize");
    Ok(note.with_context(|| format!("{} does not say what it was compiled for", path.display()))?.value)
}
