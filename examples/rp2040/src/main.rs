//! What a digit is, on a Raspberry Pi Pico: over UART0 (GPIO 0, 115,200 baud), and as blinks of the LED.
#![no_std]
#![no_main]

use core::fmt::Write;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::OutputPin;
use panic_halt as _;
use rp2040_hal::fugit::RateExtU32;
use rp2040_hal::uart::{DataBits, StopBits, UartConfig, UartPeripheral};
use rp2040_hal::{Clock, Sio, Timer, Watchdog, clocks, entry, gpio, pac};
use thumbnet::{Model, Network, include_model};

const DIGIT: Model = include_model!("../../digit.tnet");
/// The Pico's crystal.
const CRYSTAL_HZ: u32 = 12_000_000;

/// Makes the flash readable before the program begins.
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

#[entry]
fn main() -> ! {
    let mut chip = pac::Peripherals::take().unwrap();
    let mut watchdog = Watchdog::new(chip.WATCHDOG);
    let clocks = clocks::init_clocks_and_plls(
        CRYSTAL_HZ,
        chip.XOSC,
        chip.CLOCKS,
        chip.PLL_SYS,
        chip.PLL_USB,
        &mut chip.RESETS,
        &mut watchdog,
    )
    .ok()
    .unwrap();
    let mut timer = Timer::new(chip.TIMER, &mut chip.RESETS, &clocks);
    let pins = gpio::Pins::new(chip.IO_BANK0, chip.PADS_BANK0, Sio::new(chip.SIO).gpio_bank0, &mut chip.RESETS);
    let line = (pins.gpio0.into_function(), pins.gpio1.into_function::<gpio::FunctionUart>());
    let config = UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One);
    let uart = UartPeripheral::new(chip.UART0, line, &mut chip.RESETS);
    let mut uart = uart.enable(config, clocks.peripheral_clock.freq()).unwrap();
    let mut led = pins.gpio25.into_push_pull_output();

    let mut arena = [0; DIGIT.arena_len()];
    let mut network = Network::new(&DIGIT, &mut arena).unwrap();
    loop {
        let start = timer.get_counter();
        let digit = network.classify(include_bytes!("../../seven.image")).unwrap().class();
        let took = timer.get_counter() - start;
        writeln!(uart, "a {digit}, in {} us\r", took.to_micros()).unwrap();
        for _ in 0..digit {
            led.set_high().unwrap();
            timer.delay_ms(150);
            led.set_low().unwrap();
            timer.delay_ms(150);
        }
        timer.delay_ms(1000);
    }
}
