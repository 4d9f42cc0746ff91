//! ST Nucleo-F767ZI: STM32F767ZI (Cortex-M7), driven by embassy-stm32; serial line on USART3, through ST-LINK's USB port.

use cortex_m::peripheral::Peripherals;
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::mode::Blocking;
use embassy_stm32::rcc::{AHBPrescaler, APBPrescaler, Pll, PllMul, PllPDiv, PllPreDiv, PllSource, Sysclk};
use embassy_stm32::usart::{Config, Error, Uart};

use crate::parts::{Parts, blocking_serial};
use crate::place::halt;

blocking_serial!(Uart<'static, Blocking>, Error, blocking_flush);

/// The internal oscillator's 16 MHz / 16 * 336 / 2.
const CLOCK_HZ: u32 = 168_000_000;

/// The board, once.
pub fn init() -> Parts<Serial, Output<'static>> {
    let Some(mut core) = Peripherals::take() else { halt() };
    core.SCB.enable_icache();
    core.SCB.enable_dcache(&mut core.CPUID);
    let mut clocks = embassy_stm32::Config::default();
    clocks.rcc.pll_src = PllSource::HSI;
    clocks.rcc.pll =
        Some(Pll { prediv: PllPreDiv::DIV16, mul: PllMul::MUL336, divp: Some(PllPDiv::DIV2), divq: None, divr: None });
    clocks.rcc.sys = Sysclk::PLL1_P;
    clocks.rcc.ahb_pre = AHBPrescaler::DIV1;
    // The slower bus may have 45 MHz, the faster one 90.
    clocks.rcc.apb1_pre = APBPrescaler::DIV4;
    clocks.rcc.apb2_pre = APBPrescaler::DIV2;
    let chip = embassy_stm32::init(clocks);
    // 115,200 bits per second is the default.
    let Ok(serial) = Uart::new_blocking(chip.USART3, chip.PD9, chip.PD8, Config::default()) else { halt() };
    let led = Output::new(chip.PB0, Level::Low, Speed::Low);
    Parts::new(Serial(serial), led, core.SYST, CLOCK_HZ)
}
