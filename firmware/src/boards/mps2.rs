//! Arm MPS2 with the FPGA images AN385 (Cortex-M3), AN386 (Cortex-M4) or AN500 (Cortex-M7): one memory map.
#![allow(unsafe_code)]

use core::convert::Infallible;
use core::ptr::NonNull;

use cortex_m::peripheral::{NVIC, Peripherals};
use cortex_m_semihosting::debug;
use embedded_hal::digital::{ErrorType, OutputPin};

use firmware::Board;

use crate::tick_counter::TickCounter;

#[path = "cmsdk_uart.rs"]
mod cmsdk_uart;
use cmsdk_uart::CmsdkUart;

/// The processor's clock, which SysTick counts and the UART divides.
const CLOCK_HZ: u32 = 25_000_000;
const BAUD: u32 = 115_200;
const UART0: NonNull<u32> = at(0x4000_4000);
/// The FPGA's LED register: bit 0 is user LED 0.
const LEDS: NonNull<u32> = at(0x4002_8000);

pub const COUNTER_HZ: Option<u32> = Some(CLOCK_HZ);

const fn at(address: usize) -> NonNull<u32> {
    match NonNull::new(core::ptr::without_provenance_mut(address)) {
        Some(register) => register,
        None => panic!("no register is at address 0"),
    }
}

/// Interrupt 0: UART 0 has received.
#[derive(Clone, Copy)]
struct Uart0Receive;

// SAFETY: the number is below the interrupts that all three FPGA images have.
unsafe impl cortex_m::interrupt::InterruptNumber for Uart0Receive {
    fn number(self) -> u16 {
        0
    }
}

/// Sleeps until a byte has come.
///
/// The interrupt is enabled only in here and never taken: a pending one ends `wfi` even while interrupts are masked.
fn sleep_until_received() {
    cortex_m::interrupt::free(|_| {
        // SAFETY: interrupts are masked until it is disabled again, so no handler can run.
        unsafe { NVIC::unmask(Uart0Receive) };
        cortex_m::asm::wfi();
        NVIC::mask(Uart0Receive);
        NVIC::unpend(Uart0Receive);
    });
}

/// User LED 0 on the board.
pub struct Led;

impl Led {
    fn write(&mut self, value: u32) {
        // SAFETY: the LED register, used by nothing else; any value is allowed.
        unsafe { LEDS.write_volatile(value) }
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

pub struct Mps2 {
    uart: CmsdkUart,
    led: Led,
    counter: TickCounter,
}

/// The board, once.
pub fn init() -> Mps2 {
    let Some(core) = Peripherals::take() else { halt() };
    // SAFETY: UART 0 of the FPGA images is a CMSDK APB UART, and only this function, which runs once, uses it.
    let uart = unsafe { CmsdkUart::new(UART0, CLOCK_HZ, BAUD, sleep_until_received) };
    Mps2 { uart, led: Led, counter: TickCounter::new(core.SYST) }
}

/// Ends the emulator with an error.
pub fn halt() -> ! {
    loop {
        debug::exit(debug::EXIT_FAILURE);
    }
}

impl Board for Mps2 {
    type Serial = CmsdkUart;
    type Led = Led;

    fn serial(&mut self) -> &mut CmsdkUart {
        &mut self.uart
    }

    fn led(&mut self) -> &mut Led {
        &mut self.led
    }

    fn restart_counter(&mut self) {
        self.counter.restart();
    }

    fn ticks(&mut self) -> Option<u64> {
        Some(self.counter.ticks())
    }
}
