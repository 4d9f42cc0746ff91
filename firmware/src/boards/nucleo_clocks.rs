//! The clocks of ST's Nucleo boards: both chips have the same PLL, and buses with the same limits.

use embassy_stm32::Config;
use embassy_stm32::rcc::{AHBPrescaler, APBPrescaler, Pll, PllMul, PllPDiv, PllPreDiv, PllSource, Sysclk};

/// The internal oscillator's 16 MHz / 16 * 336 / 2.
pub const CLOCK_HZ: u32 = 168_000_000;

/// The core at [`CLOCK_HZ`], without an oscillator on the board.
pub fn clocks() -> Config {
    let mut clocks = Config::default();
    clocks.rcc.pll_src = PllSource::HSI;
    clocks.rcc.pll =
        Some(Pll { prediv: PllPreDiv::DIV16, mul: PllMul::MUL336, divp: Some(PllPDiv::DIV2), divq: None, divr: None });
    clocks.rcc.sys = Sysclk::PLL1_P;
    clocks.rcc.ahb_pre = AHBPrescaler::DIV1;
    // The slower bus may have 45 MHz, the faster one 90.
    clocks.rcc.apb1_pre = APBPrescaler::DIV4;
    clocks.rcc.apb2_pre = APBPrescaler::DIV2;
    clocks
}
