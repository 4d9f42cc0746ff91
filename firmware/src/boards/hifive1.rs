//! SiFive HiFive1: FE310 (RV32IMAC); serial line on UART0, the second channel of the USB port.
#![allow(unsafe_code)]

use core::convert::Infallible;

use embedded_hal::digital::{self, OutputPin};
use embedded_io::{ErrorType, Read, Write};
use firmware::Board;
use protocol::Place;
use riscv::register::mcycle;

use crate::place::place;

/// The internal oscillator, after reset, is about 14 MHz; the boot loader that SiFive ships leaves the crystal's 16.
const CLOCK_HZ: u32 = 16_000_000;
/// QEMU counts its own nanoseconds.
const EMULATED_CLOCK_HZ: u32 = 1_000_000_000;
const BAUD: u32 = 115_200;

/// Registers (FE310 manual, chapters 17 and 18).
#[derive(Clone, Copy)]
enum Register {
    GpioOutputEnable = 0x1001_2008,
    GpioOutput = 0x1001_200c,
    GpioFunctionEnable = 0x1001_2038,
    UartTransmit = 0x1001_3000,
    UartReceive = 0x1001_3004,
    UartTransmitControl = 0x1001_3008,
    UartReceiveControl = 0x1001_300c,
    UartDivider = 0x1001_3018,
}

impl Register {
    fn read(self) -> u32 {
        // SAFETY: a register of this chip, aligned; only the UART's are read, which affects no memory.
        unsafe { core::ptr::without_provenance::<u32>(self as usize).read_volatile() }
    }

    fn write(self, value: u32) {
        // SAFETY: a register of this chip, aligned; no value written here affects memory.
        unsafe { core::ptr::without_provenance_mut::<u32>(self as usize).write_volatile(value) }
    }
}

/// Set while the receive buffer is empty, and while the transmit buffer is full.
const NOTHING: u32 = 1 << 31;
/// The enabling bit of both controls.
const ENABLE: u32 = 1;
/// GPIO bits.
const RED: u32 = 1 << 22;
const UART0: u32 = 1 << 16 | 1 << 17;

/// UART0.
pub struct Uart;

impl ErrorType for Uart {
    /// What the line lost is noticed by the checksum of its frame.
    type Error = Infallible;
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        loop {
            let data = Register::UartReceive.read();
            if data & NOTHING == 0 {
                *first = data as u8;
                return Ok(1);
            }
        }
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            while Register::UartTransmit.read() & NOTHING != 0 {}
            Register::UartTransmit.write(byte.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The red LED, which burns at low.
pub struct Led;

impl digital::ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Register::GpioOutput.write(RED);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Register::GpioOutput.write(0);
        Ok(())
    }
}

/// The board.
pub struct HiFive1 {
    serial: Uart,
    led: Led,
    start: u64,
}

/// The board, once.
pub fn init() -> HiFive1 {
    Register::GpioFunctionEnable.write(UART0);
    Register::GpioOutput.write(RED);
    Register::GpioOutputEnable.write(RED);
    Register::UartDivider.write(CLOCK_HZ / BAUD - 1);
    Register::UartTransmitControl.write(ENABLE);
    Register::UartReceiveControl.write(ENABLE);
    HiFive1 { serial: Uart, led: Led, start: 0 }
}

impl Board for HiFive1 {
    type Serial = Uart;
    type Led = Led;

    fn serial(&mut self) -> &mut Uart {
        &mut self.serial
    }

    fn led(&mut self) -> &mut Led {
        &mut self.led
    }

    fn restart_counter(&mut self) {
        self.start = mcycle::read64();
    }

    fn counter_hz(&self) -> Option<u32> {
        Some(if place() == Place::Chip { CLOCK_HZ } else { EMULATED_CLOCK_HZ })
    }

    fn ticks(&mut self) -> Option<u64> {
        Some(mcycle::read64().wrapping_sub(self.start))
    }
}
