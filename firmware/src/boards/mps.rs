//! Arm's MPS2 and MPS3 boards. Their FPGA images agree in what there is, not in where it is.
#![allow(unsafe_code)]

use core::convert::Infallible;
use core::ptr::NonNull;

use cortex_m::peripheral::Peripherals;
use embedded_hal::digital::{ErrorType, OutputPin};

use crate::parts::Parts;
use crate::place::halt;

#[path = "cmsdk_uart.rs"]
mod cmsdk_uart;
use cmsdk_uart::CmsdkUart;

const BAUD: u32 = 115_200;

/// Where an FPGA image has what we use.
pub struct FpgaImage {
    /// The processor's clock, which SysTick counts and the UART divides.
    pub clock_hz: u32,
    /// UART 0, a CMSDK APB UART.
    pub uart: usize,
    /// The number of its receive interrupt.
    pub uart_interrupt: u16,
    /// The FPGA's LED register: bit 0 is user LED 0.
    pub leds: usize,
}

const fn at(address: usize) -> NonNull<u32> {
    match NonNull::new(core::ptr::without_provenance_mut(address)) {
        Some(register) => register,
        None => panic!("no register is at address 0"),
    }
}

/// User LED 0 on the board.
pub struct Led {
    register: NonNull<u32>,
}

impl Led {
    fn write(&mut self, value: u32) {
        // SAFETY: the LED register, used by nothing else; any value is allowed.
        unsafe { self.register.write_volatile(value) }
    }
}

impl ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.write(0);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.write(1);
        Ok(())
    }
}

/// The board.
pub type Mps = Parts<CmsdkUart, Led>;

/// The board, once.
///
/// # Safety
///
/// The processor runs on this FPGA image.
pub unsafe fn init(image: &FpgaImage) -> Mps {
    let Some(core) = Peripherals::take() else { halt() };
    // SAFETY: the caller vouches for the place, and only this function, which gets past its first line once, uses it.
    let uart = unsafe { CmsdkUart::new(at(image.uart), image.uart_interrupt, image.clock_hz, BAUD) };
    Parts::new(uart, Led { register: at(image.leds) }, core.SYST, image.clock_hz)
}
