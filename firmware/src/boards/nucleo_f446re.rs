//! ST Nucleo-F446RE: STM32F446RE (Cortex-M4), driven by embassy-stm32; serial line on USART2, through ST-LINK's USB port.

use cortex_m::peripheral::Peripherals;
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::mode::Blocking;
use embassy_stm32::usart::{Config, Error, Uart};

use crate::parts::{Parts, blocking_serial};
use crate::place::halt;

#[path = "nucleo_clocks.rs"]
mod nucleo_clocks;
use nucleo_clocks::{CLOCK_HZ, clocks};

blocking_serial!(Uart<'static, Blocking>, Error, blocking_flush);

/// The board, once.
pub fn init() -> Parts<Serial, Output<'static>> {
    let Some(core) = Peripherals::take() else { halt() };
    let chip = embassy_stm32::init(clocks());
    // 115,200 bits per second is the default.
    let Ok(serial) = Uart::new_blocking(chip.USART2, chip.PA3, chip.PA2, Config::default()) else { halt() };
    let led = Output::new(chip.PA5, Level::Low, Speed::Low);
    Parts::new(Serial(serial), led, core.SYST, CLOCK_HZ)
}
