//! Arm MPS2+ with the FPGA image AN505 (Cortex-M33). It starts in secure state: addresses are the secure aliases.
#![allow(unsafe_code)]

#[path = "mps.rs"]
mod mps;
use mps::{FpgaImage, Mps};

const IMAGE: FpgaImage = FpgaImage { clock_hz: 20_000_000, uart: 0x5020_0000, uart_interrupt: 32, leds: 0x5030_2000 };

/// The board, once.
pub fn init() -> Mps {
    // SAFETY: these are the addresses of AN505.
    unsafe { mps::init(&IMAGE) }
}
