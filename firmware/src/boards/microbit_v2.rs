//! BBC micro:bit, version 2: nRF52833 (Cortex-M4), driven by embassy-nrf; serial line on UARTE0, through the interface chip's USB port.

use cortex_m::peripheral::Peripherals;
use embassy_nrf::config::{self, HfclkSource};
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::uarte::{Baudrate, Config, Error, InterruptHandler, Uarte};
use embassy_nrf::{bind_interrupts, peripherals};

use crate::parts::{Parts, blocking_serial};
use crate::place::halt;

blocking_serial!(Uarte<'static>, Error);

bind_interrupts!(struct Interrupts {
    UARTE0 => InterruptHandler<peripherals::UARTE0>;
});

const CLOCK_HZ: u32 = 64_000_000;

/// The board, once.
pub fn init() -> Parts<Serial, Output<'static>> {
    let Some(core) = Peripherals::take() else { halt() };
    let mut clocks = config::Config::default();
    // The internal oscillator is too inexact for a serial line.
    clocks.hfclk_source = HfclkSource::ExternalXtal;
    let chip = embassy_nrf::init(clocks);
    let mut line = Config::default();
    line.baudrate = Baudrate::Baud115200;
    let serial = Uarte::new(chip.UARTE0, chip.P1_08, chip.P0_06, Interrupts, line);
    // The LED in the top left corner: row 1 feeds it, column 1 drains it.
    Output::new(chip.P0_28, Level::Low, OutputDrive::Standard).persist();
    let led = Output::new(chip.P0_21, Level::Low, OutputDrive::Standard);
    Parts::new(Serial(serial), led, core.SYST, CLOCK_HZ)
}
