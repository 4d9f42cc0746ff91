//! Arm MPS3 with the FPGA image AN547 (Cortex-M55). It starts in secure state: addresses are the secure aliases.
#![allow(unsafe_code)]

#[path = "mps.rs"]
mod mps;
use mps::{FpgaImage, Mps};

const IMAGE: FpgaImage = FpgaImage { clock_hz: 32_000_000, uart: 0x5930_3000, uart_interrupt: 33, leds: 0x5930_2000 };

/// The board, once.
pub fn init() -> Mps {
    // SAFETY: these are the addresses of AN547.
    unsafe { mps::init(&IMAGE) }
}
