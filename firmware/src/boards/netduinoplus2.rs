//! Netduino Plus 2: STM32F405RG (Cortex-M4); serial line on USART1: PB6 sends, PB7 receives.
//!
//! At the level of registers: QEMU's chip has no answer to what embassy-stm32 asks of its clocks, and waits for ever. The
//! clock stays what it is after reset.

use core::convert::Infallible;

use cortex_m::peripheral::Peripherals;
use embedded_hal::digital::{self, OutputPin};
use embedded_io::{ErrorType, Read, Write};
use protocol::Place;
use stm32_metapac::gpio::vals::Moder;
use stm32_metapac::{GPIOA, GPIOB, RCC, USART1};

use crate::parts::Parts;
use crate::place::{halt, place};

/// The internal oscillator, which all buses run at after reset; and what QEMU's SysTick takes for the processor's clock.
const CLOCK_HZ: u32 = 16_000_000;
const EMULATED_CLOCK_HZ: u32 = 168_000_000;

const BAUD: u32 = 115_200;
/// The alternate function of PB6 and PB7 that is USART1.
const USART: u8 = 7;
/// Port A's bit of the LED.
const LED: usize = 10;

/// USART1.
pub struct Serial;

impl ErrorType for Serial {
    /// What the line lost is noticed by the checksum of its frame.
    type Error = Infallible;
}

impl Read for Serial {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        while !USART1.sr().read().rxne() {}
        *first = USART1.dr().read().dr() as u8;
        Ok(1)
    }
}

impl Write for Serial {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            while !USART1.sr().read().txe() {}
            USART1.dr().write(|register| register.set_dr(byte.into()));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while !USART1.sr().read().tc() {}
        Ok(())
    }
}

/// The blue LED.
pub struct Led;

impl digital::ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        GPIOA.bsrr().write(|register| register.set_br(LED, true));
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        GPIOA.bsrr().write(|register| register.set_bs(LED, true));
        Ok(())
    }
}

/// The board, once.
pub fn init() -> Parts<Serial, Led> {
    let Some(core) = Peripherals::take() else { halt() };
    RCC.ahb1enr().modify(|register| {
        register.set_gpioaen(true);
        register.set_gpioben(true);
    });
    RCC.apb2enr().modify(|register| register.set_usart1en(true));
    GPIOA.moder().modify(|register| register.set_moder(LED, Moder::OUTPUT));
    GPIOB.afr(0).modify(|register| [6, 7].map(|pin| register.set_afr(pin, USART)));
    GPIOB.moder().modify(|register| [6, 7].map(|pin| register.set_moder(pin, Moder::ALTERNATE)));
    // In sixteenths, which is what the register's two fields are together.
    USART1.brr().write(|register| register.0 = (CLOCK_HZ + BAUD / 2) / BAUD);
    USART1.cr1().write(|register| {
        register.set_te(true);
        register.set_re(true);
        register.set_ue(true);
    });
    let clock_hz = if place() == Place::Chip { CLOCK_HZ } else { EMULATED_CLOCK_HZ };
    Parts::new(Serial, Led, core.SYST, clock_hz)
}
