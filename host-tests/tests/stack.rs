//! How much stack an inference takes on every emulated board.

#[allow(dead_code, reason = "only what the build script reserves")]
#[path = "../../firmware/build/memory.rs"]
mod memory;

use anyhow::{Context, Result, ensure};
use host_tests::shipped::{self, TEST_IMAGES};
use host_tests::stack::PaintedStack;
use thumbnet_device::{Board, Emulator, FirmwareImage};

/// An instruction takes 2^6 nanoseconds.
const SHIFT: u32 = 6;
/// Bytes that the image which ships stays below, and what a board's memory map must leave, for any image.
const MOST: u64 = 1100;
const RESERVE: u64 = memory::STACK_RESERVE as u64;

#[test]
fn the_image_that_ships_takes_little_stack() -> Result<()> {
    for board in Board::measured() {
        let used = used(board).with_context(|| board.name.clone())?;
        println!("{}: {used} bytes of stack", board.name);
        ensure!(used < MOST.min(RESERVE), "{}: {used} bytes of stack", board.name);
    }
    Ok(())
}

/// From the start of the image to the end of an inference.
fn used(board: &Board) -> Result<u64> {
    let image = FirmwareImage::build(board, &shipped::path("nano", "model.tnet"))?;
    let stack = PaintedStack::of(&image)?;
    let mut emulator = Emulator::boot_with(&image.elf, board, SHIFT, &stack.options()?)?;
    emulator.connection().classify(TEST_IMAGES.image(0))?;
    stack.high_water_mark()
}
