//! Arm MPS3 with the FPGA image AN547 (Cortex-M55). It starts in secure state: addresses are the secure aliases.
#![allow(unsafe_code)]

#[path = "mps.rs"]
mod mps;
pub use mps::halt;
use mps::{FpgaImage, Mps};

const IMAGE: FpgaImage = FpgaImage { clock_hz: 32_000_000, uart: 0x5930_3000, uart_interrupt: 33, leds: 0x5930_2000 };

pub const COUNTER_HZ: Option<u32> = Some(IMAGE.clock_hz);

/// The board, once.
pub fn init() -> Mps {
    // SAFETY: these are the addresses of AN547.
    unsafe { Mps::new(&IMAGE) }
}
