//! Nordic nRF52840-DK: nRF52840 (Cortex-M4), driven by embassy-nrf; serial line on UARTE0, through the interface chip's USB port.

use cortex_m::peripheral::Peripherals;
use embassy_nrf::config::{self, HfclkSource};
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::uarte::{Baudrate, Config, Error, InterruptHandler, Uarte};
use embassy_nrf::{bind_interrupts, peripherals};

use crate::parts::{ActiveLow, Parts, blocking_serial};
use crate::place::halt;

blocking_serial!(Uarte<'static>, Error);

bind_interrupts!(struct Interrupts {
    UARTE0 => InterruptHandler<peripherals::UARTE0>;
});

const CLOCK_HZ: u32 = 64_000_000;

/// The board, once.
pub fn init() -> Parts<Serial, ActiveLow<Output<'static>>> {
    let Some(core) = Peripherals::take() else { halt() };
    let mut clocks = config::Config::default();
    // The internal oscillator is too inexact for a serial line.
    clocks.hfclk_source = HfclkSource::ExternalXtal;
    let chip = embassy_nrf::init(clocks);
    let mut line = Config::default();
    line.baudrate = Baudrate::Baud115200;
    let serial = Uarte::new(chip.UARTE0, chip.P0_08, chip.P0_06, Interrupts, line);
    let led = ActiveLow(Output::new(chip.P0_13, Level::High, OutputDrive::Standard));
    Parts::new(Serial(serial), led, core.SYST, CLOCK_HZ)
}
