//! What an inference takes on an emulated board, for any model and with one image a board: the emulator puts the model
//! into the board's memory.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use compiler::device::{Board, Emulator, FirmwareImage};
use inference_core::Model;
use tempfile::NamedTempFile;

use crate::stack::PaintedStack;

/// Symbols of the firmware's build script: the memory region for a model from outside.
const MODEL_START: &str = "__model_start";
const MODEL_END: &str = "__model_end";
/// An instruction takes 2^6 nanoseconds, longer than a tick of any board's counter: ticks tell single instructions.
const SHIFT: u32 = 6;

/// What one inference takes on an emulated board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Executed instructions from the first pixel to the logits, give or take one.
    pub instructions: u64,
    /// Instructions of every layer, in their order, each counted in a run of its own. Reading the counter after each
    /// step counts too: the sum is a little more than [`instructions`](Self::instructions).
    pub per_layer: Vec<u64>,
    /// The accumulators of the last layer, in the order of the classes.
    pub logits: Vec<i32>,
    /// The most bytes of stack in use from the image's start to the end of the inference.
    pub stack: u64,
}

/// An emulated board that takes any model.
pub struct Rig {
    board: &'static Board,
    image: FirmwareImage,
    /// Where the model goes, and how many bytes it may have.
    model_start: u64,
    model_room: u64,
}

impl Rig {
    /// Builds the board's image; a run boots it.
    pub fn build(board: &'static Board) -> Result<Self> {
        let image = FirmwareImage::build_for_any_model(board)?;
        let model_start = image.symbol(MODEL_START)?;
        let model_room = image.symbol(MODEL_END)? - model_start;
        Ok(Self { board, image, model_start, model_room })
    }

    /// One inference of a model (the bytes of a `.tnet` file) on an image of its input size.
    pub fn run(&self, bytes: &[u8], pixels: &[u8]) -> Result<Counts> {
        let model = Model::parse(bytes)?;
        let (name, arena) = (&self.board.name, model.arena_len());
        ensure!(
            bytes.len() as u64 <= self.model_room,
            "the model has {} bytes, {name} room for {}",
            bytes.len(),
            self.model_room
        );
        ensure!(arena as u64 <= self.image.arena, "the arena has {arena} bytes, {name} room for {}", self.image.arena);

        let mut file = NamedTempFile::new()?;
        file.write_all(bytes)?;
        let path = file.path().to_str().context("the directory for temporary files is not UTF-8")?;
        let stack = PaintedStack::of(&self.image)?;
        let mut options = stack.options()?;
        options.extend(["-device".into(), format!("loader,file={path},addr={:#x},force-raw=on", self.model_start)]);
        let mut emulator = Emulator::boot_with(&self.image.elf, self.board, SHIFT, &options)?;

        let line = emulator.connection();
        let hz = line.info()?.counter_hz.with_context(|| format!("{name} does not count"))?;
        let prediction = line.classify(pixels)?;
        let stack = stack.high_water_mark()?;
        let ticks = prediction.ticks.with_context(|| format!("{name} does not count"))?;
        let layers = 0..model.layer_count() as u16;
        let per_layer = layers.map(|layer| Ok(instructions(line.benchmark_layer(pixels, layer)?, hz)));
        let per_layer = per_layer.collect::<Result<_>>()?;
        Ok(Counts { instructions: instructions(ticks, hz), per_layer, logits: prediction.logits, stack })
    }
}

/// How many instructions so many ticks are.
fn instructions(ticks: u64, hz: u32) -> u64 {
    let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(hz);
    // To the nearest one.
    ((nanoseconds + (1 << (SHIFT - 1))) >> SHIFT) as u64
}
