//! Emulated boards: an image built for a model, booted, and reached over its serial line.

use std::path::Path;

use anyhow::{Context, Result};
use thumbnet_device::{Board, Emulator, FirmwareImage};

/// An emulated board that runs a model.
pub struct Session {
    /// The image's sizes.
    pub image: FirmwareImage,
    /// The board, with its serial line.
    pub emulator: Emulator,
}

impl Session {
    /// Builds the firmware with a model (`.tnet`) for a board and boots it.
    pub fn boot(board: &Board, model: &Path) -> Result<Self> {
        let image = FirmwareImage::build(board, model)?;
        let emulator = Emulator::boot(&image.elf, board)?;
        Ok(Self { image, emulator })
    }

    /// The board's logits for an image.
    pub fn logits(&mut self, pixels: &[u8]) -> Result<Vec<i32>> {
        Ok(self.emulator.connection().classify(pixels)?.logits)
    }

    /// Instructions of one inference; the emulator counts the same on every run.
    pub fn instructions(&mut self, pixels: &[u8]) -> Result<u64> {
        let connection = self.emulator.connection();
        let benchmark = connection.benchmark(pixels, 1)?;
        connection.info()?.instructions(benchmark.fastest).context("the board does not count instructions")
    }
}
