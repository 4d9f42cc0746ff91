//! ST Nucleo-F767ZI: STM32F767ZI (Cortex-M7), driven by embassy-stm32; serial line on USART3, through ST-LINK's USB port.

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
    let Some(mut core) = Peripherals::take() else { halt() };
    core.SCB.enable_icache();
    core.SCB.enable_dcache(&mut core.CPUID);
    let chip = embassy_stm32::init(clocks());
    // 115,200 bits per second is the default.
    let Ok(serial) = Uart::new_blocking(chip.USART3, chip.PD9, chip.PD8, Config::default()) else { halt() };
    let led = Output::new(chip.PB0, Level::Low, Speed::Low);
    Parts::new(Serial(serial), led, core.SYST, CLOCK_HZ)
}
