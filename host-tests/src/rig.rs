//! What an inference takes on an emulated board, for any model and with one image a board: the emulator puts the model
//! into the board's memory.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;
use thumbnet::Model;
use thumbnet_device::{Board, Emulator, FirmwareImage};

use crate::network_path;
use crate::stack::PaintedStack;

/// Symbols of the firmware's build script: the memory region for a model from outside.
const MODEL_START: &str = "__model_start";
const MODEL_END: &str = "__model_end";
/// And the largest input and answer that its buffers take.
const MOST_PIXELS: &str = "__most_pixels";
const MOST_OUTPUTS: &str = "__most_outputs";
/// An instruction takes 2^6 nanoseconds, longer than a tick of any board's counter: ticks tell single instructions.
const SHIFT: u32 = 6;
const NO_COUNTER: &str = "the board does not count";

/// What one inference takes on an emulated board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Executed instructions from the first pixel to the logits, give or take one.
    pub instructions: u64,
    /// What leaves the model, one number each, in its order.
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
    most_pixels: u64,
    most_outputs: u64,
}

impl Rig {
    /// Builds the board's image; a run boots it.
    pub fn build(board: &'static Board) -> Result<Self> {
        let image = FirmwareImage::build_for_any_model(board)?;
        let model_start = image.symbol(MODEL_START)?;
        let model_room = image.symbol(MODEL_END)? - model_start;
        let (most_pixels, most_outputs) = (image.symbol(MOST_PIXELS)?, image.symbol(MOST_OUTPUTS)?);
        Ok(Self { board, image, model_start, model_room, most_pixels, most_outputs })
    }

    /// Bytes of flash that the image takes without a model: program, constants, initial values.
    pub fn program_bytes(&self) -> u64 {
        self.image.text + self.image.data
    }

    /// Bytes of it that a network runs: all kernels, and what they and the engine reach.
    pub fn network_text(&self) -> Result<u64> {
        network_path::network_text(&network_path::read(&self.image.elf)?)
    }

    /// Whether a model, its arena, its input and its answer have room on the board; the error says what does not.
    pub fn fits(&self, model: &Model<'_>) -> Result<()> {
        let (len, arena) = (model.bytes().len() as u64, model.arena_len() as u64);
        ensure!(len <= self.model_room, "the model has {len} bytes, the board room for {}", self.model_room);
        ensure!(arena <= self.image.arena, "the arena has {arena} bytes, the board room for {}", self.image.arena);
        let (pixels, outputs) = (model.input().len() as u64, model.outputs() as u64);
        ensure!(pixels <= self.most_pixels, "an image has {pixels} bytes, the board room for {}", self.most_pixels);
        ensure!(
            outputs <= self.most_outputs,
            "the model has {outputs} outputs, the board room for {}",
            self.most_outputs
        );
        Ok(())
    }

    /// One inference of a model on an image of its input size.
    pub fn run(&self, model: &Model<'_>, pixels: &[u8]) -> Result<Counts> {
        let stack = PaintedStack::of(&self.image)?;
        let (mut emulator, hz) = self.boot(model, stack.options()?)?;
        let prediction = emulator.connection().classify(pixels)?;
        let stack = stack.high_water_mark()?;
        let ticks = prediction.ticks.context(NO_COUNTER)?;
        Ok(Counts { instructions: instructions(ticks, hz), logits: prediction.logits, stack })
    }

    /// Instructions of every layer, in their order, each counted in a run of its own. Reading the counter after each
    /// step counts too: the sum is a little more than [`Counts::instructions`].
    pub fn run_layers(&self, model: &Model<'_>, pixels: &[u8]) -> Result<Vec<u64>> {
        let (mut emulator, hz) = self.boot(model, vec![])?;
        let line = emulator.connection();
        let layers = 0..model.layer_count() as u16;
        layers.map(|layer| Ok(instructions(line.benchmark_layer(pixels, layer)?, hz))).collect()
    }

    /// The board with the model in its memory, and the ticks a second of its counter.
    fn boot(&self, model: &Model<'_>, mut options: Vec<String>) -> Result<(Emulator, u32)> {
        self.fits(model)?;
        let mut file = NamedTempFile::new()?;
        file.write_all(model.bytes())?;
        let path = file.path().to_str().context("the directory for temporary files is not UTF-8")?;
        options.extend(["-device".into(), format!("loader,file={path},addr={:#x},force-raw=on", self.model_start)]);
        let mut emulator = Emulator::boot_with(&self.image.elf, self.board, SHIFT, &options)?;
        // It has answered: the file was read.
        let hz = emulator.connection().info()?.counter_hz.context(NO_COUNTER)?;
        Ok((emulator, hz))
    }
}

/// How many instructions so many ticks are.
fn instructions(ticks: u64, hz: u32) -> u64 {
    let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(hz);
    // To the nearest one.
    ((nanoseconds + (1 << (SHIFT - 1))) >> SHIFT) as u64
}
