//! Espressif ESP32-C3 (RV32IMC), driven by esp-hal; serial line over its own USB port (Serial/JTAG).
#![allow(unsafe_code)]

use core::arch::asm;

use esp_hal::Blocking;
use esp_hal::clock::CpuClock;
use esp_hal::gpio::{Level, Output, OutputConfig};
use esp_hal::usb::usb_serial_jtag::UsbSerialJtag;
use firmware::Board;

esp_bootloader_esp_idf::esp_app_desc!();

const CLOCK_HZ: u32 = 160_000_000;

/// The board.
pub struct Esp32C3 {
    serial: UsbSerialJtag<'static, Blocking>,
    led: Output<'static>,
    start: u32,
}

/// The board, once.
pub fn init() -> Esp32C3 {
    let chip = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    let serial = UsbSerialJtag::new(chip.USB_DEVICE);
    let led = Output::new(chip.GPIO7, Level::Low, OutputConfig::default());
    // SAFETY: the chip's own counter (technical reference manual, performance counters): what it counts, cycles, and that
    // it does.
    unsafe { asm!("csrwi 0x7e0, 1", "csrwi 0x7e1, 1") };
    Esp32C3 { serial, led, start: 0 }
}

/// The chip's counter; it begins again at 0 after 26 seconds.
fn cycles() -> u32 {
    let cycles;
    // SAFETY: reads the counter.
    unsafe { asm!("csrr {}, 0x7e2", out(reg) cycles) };
    cycles
}

impl Board for Esp32C3 {
    type Serial = UsbSerialJtag<'static, Blocking>;
    type Led = Output<'static>;

    fn serial(&mut self) -> &mut Self::Serial {
        &mut self.serial
    }

    fn led(&mut self) -> &mut Self::Led {
        &mut self.led
    }

    fn restart_counter(&mut self) {
        self.start = cycles();
    }

    fn counter_hz(&self) -> Option<u32> {
        Some(CLOCK_HZ)
    }

    fn ticks(&mut self) -> Option<u64> {
        Some(cycles().wrapping_sub(self.start).into())
    }
}
