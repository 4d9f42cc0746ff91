//! Raspberry Pi Pico and Pico 2: RP2040 (Cortex-M0+) and RP2350 (Cortex-M33), driven by embassy-rp; serial line on UART0: GP0
//! sends, GP1 receives.

use cortex_m::peripheral::Peripherals;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::uart::{Blocking, Config, Error, Uart};

use crate::parts::{Parts, blocking_serial};
use crate::place::halt;

blocking_serial!(Uart<'static, Blocking>, Error, blocking_flush);

/// What embassy-rp sets the processor to.
const CLOCK_HZ: u32 = if cfg!(feature = "rp2350") { 150_000_000 } else { 125_000_000 };

/// The board, once.
pub fn init() -> Parts<Serial, Output<'static>> {
    let Some(core) = Peripherals::take() else { halt() };
    let chip = embassy_rp::init(Default::default());
    // 115,200 bits per second is the default.
    let serial = Uart::new_blocking(chip.UART0, chip.PIN_0, chip.PIN_1, Config::default());
    let led = Output::new(chip.PIN_25, Level::Low);
    Parts::new(Serial(serial), led, core.SYST, CLOCK_HZ)
}
