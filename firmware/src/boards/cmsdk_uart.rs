//! The CMSDK APB UART of Arm's MPS2 boards (Arm DDI 0479, section 4.3), as embedded-io sees it.
#![allow(unsafe_code)]

use core::convert::Infallible;
use core::ptr::NonNull;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embedded_io::{ErrorType, Read, ReadReady, Write};

/// Byte offsets of the registers.
mod offset {
    pub const DATA: usize = 0x00;
    pub const STATE: usize = 0x04;
    pub const CTRL: usize = 0x08;
    pub const INTSTATUS: usize = 0x0c;
    pub const BAUDDIV: usize = 0x10;
}

/// Bits of STATE: the transmit buffer is full, the receive buffer holds a byte.
const STATE_TX_FULL: u32 = 1 << 0;
const STATE_RX_FULL: u32 = 1 << 1;
/// Bits of CTRL: transmit, receive, interrupt when a byte has come.
const CTRL_TX: u32 = 1 << 0;
const CTRL_RX: u32 = 1 << 1;
const CTRL_RX_INTERRUPT: u32 = 1 << 3;
/// Bit of INTSTATUS, cleared by writing it: a byte has come.
const INT_RX: u32 = 1 << 1;
/// The smallest divider of the clock that the UART takes.
const MIN_DIVIDER: u32 = 16;

/// One UART. Its buffers hold one byte each way.
pub struct CmsdkUart {
    base: NonNull<u32>,
    receive: ReceiveInterrupt,
}

/// The number of the receive interrupt.
#[derive(Clone, Copy)]
struct ReceiveInterrupt(u16);

// SAFETY: `CmsdkUart::new`'s caller vouches for the number.
unsafe impl InterruptNumber for ReceiveInterrupt {
    fn number(self) -> u16 {
        self.0
    }
}

impl CmsdkUart {
    /// The UART whose registers begin at `base`, at `baud` bits a second of a clock of `clock_hz`.
    ///
    /// # Safety
    ///
    /// A CMSDK APB UART is at `base`, `interrupt` is the number of its receive interrupt, and nothing else uses them.
    pub unsafe fn new(base: NonNull<u32>, interrupt: u16, clock_hz: u32, baud: u32) -> Self {
        let uart = Self { base, receive: ReceiveInterrupt(interrupt) };
        let divider = clock_hz.checked_div(baud).unwrap_or(0).max(MIN_DIVIDER);
        uart.write_register(offset::BAUDDIV, divider);
        uart.write_register(offset::CTRL, CTRL_TX | CTRL_RX | CTRL_RX_INTERRUPT);
        // Reading takes away what was there before, and lets QEMU hand over what its line has buffered.
        uart.read_register(offset::DATA);
        uart
    }

    fn register(&self, offset: usize) -> NonNull<u32> {
        // SAFETY: the offsets are those of the UART's own registers, `new`'s caller vouches for the base.
        unsafe { self.base.byte_add(offset) }
    }

    fn read_register(&self, offset: usize) -> u32 {
        // SAFETY: a register of this UART, aligned; reads of it are always allowed.
        unsafe { self.register(offset).read_volatile() }
    }

    fn write_register(&self, offset: usize, value: u32) {
        // SAFETY: a register of this UART, aligned; no value written here affects memory.
        unsafe { self.register(offset).write_volatile(value) }
    }

    fn state(&self, bit: u32) -> bool {
        self.read_register(offset::STATE) & bit != 0
    }

    /// Sleeps until a byte has come.
    ///
    /// The interrupt is enabled only in here and never taken: a pending one ends `wfi` even while interrupts are masked.
    fn sleep_until_received(&self) {
        cortex_m::interrupt::free(|_| {
            // SAFETY: interrupts are masked until it is disabled again, so no handler can run.
            unsafe { NVIC::unmask(self.receive) };
            cortex_m::asm::wfi();
            NVIC::mask(self.receive);
            NVIC::unpend(self.receive);
        });
    }
}

impl ErrorType for CmsdkUart {
    /// A byte that came too early is lost without an error here: the checksum of its frame tells.
    type Error = Infallible;
}

impl ReadReady for CmsdkUart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.state(STATE_RX_FULL))
    }
}

impl Read for CmsdkUart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while !self.state(STATE_RX_FULL) {
            self.sleep_until_received();
        }
        let mut count = 0;
        for slot in buffer {
            if !self.state(STATE_RX_FULL) {
                break;
            }
            self.write_register(offset::INTSTATUS, INT_RX);
            *slot = self.read_register(offset::DATA) as u8;
            count += 1;
        }
        Ok(count)
    }
}

impl Write for CmsdkUart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            while self.state(STATE_TX_FULL) {}
            self.write_register(offset::DATA, byte.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while self.state(STATE_TX_FULL) {}
        Ok(())
    }
}
