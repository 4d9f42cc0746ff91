//! BBC micro:bit, version 1: Nordic nRF51822 (Cortex-M0), driven by its HAL.
#![allow(unsafe_code)]

use firmware::Board;
use nrf51_hal::clocks::Clocks;
use nrf51_hal::gpio::{Level, Output, Pin, PushPull, p0};
use nrf51_hal::pac::{Peripherals, TIMER0, UART0};
use nrf51_hal::uart::{Baudrate, Parity, Pins, Uart};

use crate::place::halt;

/// The processor's clock and the timer's. The nRF51 has no SysTick.
const CLOCK_HZ: u32 = 16_000_000;

pub struct Microbit {
    serial: Uart<UART0>,
    led: Pin<Output<PushPull>>,
    counter: TIMER0,
}

/// The board, once.
pub fn init() -> Microbit {
    let Some(chip) = Peripherals::take() else { halt() };
    // The internal oscillator is too inexact for a serial line.
    Clocks::new(chip.CLOCK).enable_ext_hfosc();
    let pins = p0::Parts::new(chip.GPIO);

    // The LED in the top left corner: row 1 feeds it, column 1 drains it.
    pins.p0_04.into_push_pull_output(Level::Low);
    let led = pins.p0_13.into_push_pull_output(Level::Low).degrade();

    // QEMU ignores the byte with which the HAL starts the transmitter before the UART is enabled, and keeps to itself
    // what came before the first read. The chip does not mind either of them.
    chip.UART0.enable.write(|w| w.enable().enabled());
    // SAFETY: any value is allowed; this event means that a byte was sent.
    chip.UART0.events_txdrdy.write(|w| unsafe { w.bits(1) });
    // SAFETY: any value is allowed; 1 starts the receiver.
    chip.UART0.tasks_startrx.write(|w| unsafe { w.bits(1) });
    chip.UART0.rxd.read();
    let serial_pins = Pins {
        txd: pins.p0_24.into_push_pull_output(Level::High).degrade(),
        rxd: pins.p0_25.into_floating_input().degrade(),
        cts: None,
        rts: None,
    };
    let serial = Uart::new(chip.UART0, serial_pins, Parity::EXCLUDED, Baudrate::BAUD115200);

    let counter = chip.TIMER0;
    counter.bitmode.write(|w| w.bitmode()._32bit());
    // SAFETY: 0 is allowed; it counts every tick of the clock.
    counter.prescaler.write(|w| unsafe { w.prescaler().bits(0) });
    // SAFETY: any value is allowed; 1 starts the timer.
    counter.tasks_start.write(|w| unsafe { w.bits(1) });
    Microbit { serial, led, counter }
}

impl Board for Microbit {
    type Serial = Uart<UART0>;
    type Led = Pin<Output<PushPull>>;

    fn serial(&mut self) -> &mut Uart<UART0> {
        &mut self.serial
    }

    fn led(&mut self) -> &mut Pin<Output<PushPull>> {
        &mut self.led
    }

    fn restart_counter(&mut self) {
        // SAFETY: any value is allowed; 1 clears the timer.
        self.counter.tasks_clear.write(|w| unsafe { w.bits(1) });
    }

    fn counter_hz(&self) -> Option<u32> {
        Some(CLOCK_HZ)
    }

    /// Begins again at 0 after 268 seconds.
    fn ticks(&mut self) -> Option<u64> {
        // SAFETY: any value is allowed; 1 copies the timer into register 0.
        self.counter.tasks_capture[0].write(|w| unsafe { w.bits(1) });
        Some(self.counter.cc[0].read().bits().into())
    }
}
