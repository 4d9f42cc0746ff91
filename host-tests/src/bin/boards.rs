//! What `cargo xtask firmware`, `bench` and `demo` ask of the boards: one JSON object a line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Parser};
use host_tests::boards::Session;
use host_tests::models::{Compiled, Measured};
use host_tests::rig::Rig;
use host_tests::shipped::{self, TEST_IMAGES};
use host_tests::{measure, networks};
use serde_json::{Value, json};
use thumbnet::{Model, Network};
use thumbnet_device::{Board, FirmwareImage};

/// Builds images for boards and boots them.
#[derive(Parser)]
enum Command {
    /// Builds the image of every board and says how large it is
    Firmware(Choice),
    /// Measures every network, compiled for every goal, on every emulated board
    Bench {
        #[command(flatten)]
        choice: Choice,
        /// Only models compiled for this: speed, flash or ram
        #[arg(long)]
        optimize: Option<String>,
        /// Count the instructions of every layer too
        #[arg(long)]
        layers: bool,
    },
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
    /// Only this board; may be given more than once
    #[arg(long)]
    board: Vec<String>,
    /// A network of trainer/networks.toml, or the path of a .tnet file
    #[arg(long)]
    model: Option<String>,
}

impl Choice {
    fn boards(&self) -> Result<Vec<&'static Board>> {
        if self.board.is_empty() {
            return Ok(Board::all().iter().collect());
        }
        self.board.iter().map(|name| Ok(Board::find(name)?)).collect()
    }

    /// The chosen network, compiled for every goal on each board, or the chosen file; without a choice all networks.
    fn compiled(&self) -> Result<impl Fn(&Board) -> Result<Vec<Compiled>>> {
        let (file, specs) = match &self.model {
            Some(path) if path.ends_with(".tnet") => (Some(Compiled::read(path.as_ref())?), vec![]),
            Some(name) => (None, vec![networks::find(name)?]),
            None => (None, networks::all()?),
        };
        let networks = specs.iter().map(Measured::new).collect::<Result<Vec<_>>>()?;
        Ok(move |board: &Board| {
            let mut models: Vec<Compiled> = file.iter().cloned().collect();
            for network in &networks {
                models.extend(network.compiled(board.core.parse().map_err(anyhow::Error::msg)?)?);
            }
            Ok(models)
        })
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
        Command::Bench { choice, optimize, layers } => {
            let compiled = choice.compiled()?;
            for board in choice.boards()?.into_iter().filter(|board| board.measured) {
                let mut models = compiled(board)?;
                models.retain(|model| optimize.as_ref().is_none_or(|optimize| *optimize == model.optimize));
                bench(board, &models, layers)?;
            }
            Ok(())
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

fn bench(board: &'static Board, models: &[Compiled], layers: bool) -> Result<()> {
    let rig = Rig::build(board)?;
    models.iter().try_for_each(|model| measure::row(board, &rig, model, layers)?.map_or(Ok(()), print))
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
