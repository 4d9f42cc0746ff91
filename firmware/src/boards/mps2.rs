//! Arm MPS2 with the FPGA images AN385 (Cortex-M3), AN386 (Cortex-M4) or AN500 (Cortex-M7): one memory map.
#![allow(unsafe_code)]

#[path = "mps.rs"]
mod mps;
use mps::{FpgaImage, Mps};

const IMAGE: FpgaImage = FpgaImage { clock_hz: 25_000_000, uart: 0x4000_4000, uart_interrupt: 0, leds: 0x4002_8000 };

/// The board, once.
pub fn init() -> Mps {
    // SAFETY: all three images have these addresses.
    unsafe { mps::init(&IMAGE) }
}
