//! Raspberry Pi Pico: RP2040 (Cortex-M0+), driven by rp2040-hal; serial line over USB (CDC ACM).
#![allow(unsafe_code)]

use cortex_m::peripheral::Peripherals;
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use rp2040_hal::clocks::init_clocks_and_plls;
use rp2040_hal::gpio::bank0::Gpio25;
use rp2040_hal::gpio::{FunctionSioOutput, Pin, Pins, PullDown};
use rp2040_hal::usb::UsbBus;
use rp2040_hal::{Sio, Watchdog, pac};
use static_cell::StaticCell;
use usb_device::UsbError;
use usb_device::bus::UsbBusAllocator;
use usb_device::device::{StringDescriptors, UsbDevice, UsbDeviceBuilder, UsbVidPid};
use usbd_serial::{SerialPort, USB_CLASS_CDC};

use crate::parts::Parts;
use crate::place::halt;

/// The second stage of the boot, for the flash chip of the board.
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

const CRYSTAL_HZ: u32 = 12_000_000;
const CLOCK_HZ: u32 = 125_000_000;
/// Raspberry Pi's number for a Pico with a serial port: the host finds it by the row's `usb`.
const USB_ID: UsbVidPid = UsbVidPid(0x2e8a, 0x000a);
/// How often a write asks whether the host takes its bytes before it gives up: about a second. A host that has gone away
/// must not hold the board for ever.
const PATIENCE: u32 = 1_000_000;

static BUS: StaticCell<UsbBusAllocator<UsbBus>> = StaticCell::new();

/// The serial port. It serves the bus while it waits: nothing else does, and the network never takes long enough for a host
/// to notice.
pub struct Serial {
    port: SerialPort<'static, UsbBus>,
    device: UsbDevice<'static, UsbBus>,
}

impl Serial {
    fn poll(&mut self) {
        self.device.poll(&mut [&mut self.port]);
    }

    /// Tries until it works, while the host is there.
    fn patiently<T>(
        &mut self,
        mut attempt: impl FnMut(&mut SerialPort<'static, UsbBus>) -> Result<T, UsbError>,
    ) -> Result<T, ErrorKind> {
        for _ in 0..PATIENCE {
            match attempt(&mut self.port) {
                Err(UsbError::WouldBlock) => self.poll(),
                result => return result.map_err(|_| ErrorKind::Other),
            }
        }
        Err(ErrorKind::TimedOut)
    }
}

impl ErrorType for Serial {
    type Error = ErrorKind;
}

impl Read for Serial {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            self.poll();
            match self.port.read(buffer) {
                Ok(0) | Err(UsbError::WouldBlock) => {}
                result => return result.map_err(|_| ErrorKind::Other),
            }
        }
    }
}

impl Write for Serial {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.patiently(|port| port.write(bytes))
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.patiently(SerialPort::flush)
    }
}

/// The board, once.
pub fn init() -> Parts<Serial, Pin<Gpio25, FunctionSioOutput, PullDown>> {
    let (Some(core), Some(mut chip)) = (Peripherals::take(), pac::Peripherals::take()) else { halt() };
    let mut watchdog = Watchdog::new(chip.WATCHDOG);
    let clocks = init_clocks_and_plls(
        CRYSTAL_HZ,
        chip.XOSC,
        chip.CLOCKS,
        chip.PLL_SYS,
        chip.PLL_USB,
        &mut chip.RESETS,
        &mut watchdog,
    );
    let Ok(clocks) = clocks else { halt() };
    let pins = Pins::new(chip.IO_BANK0, chip.PADS_BANK0, Sio::new(chip.SIO).gpio_bank0, &mut chip.RESETS);
    let bus = UsbBus::new(chip.USBCTRL_REGS, chip.USBCTRL_DPRAM, clocks.usb_clock, true, &mut chip.RESETS);
    let bus: &'static _ = BUS.init(UsbBusAllocator::new(bus));
    let port = SerialPort::new(bus);
    let strings = [StringDescriptors::default().manufacturer("thumbnet").product("thumbnet").serial_number("0")];
    // Descriptors in whole packets: rp2040js takes no others.
    let builder = UsbDeviceBuilder::new(bus, USB_ID).strings(&strings);
    let Ok(builder) = builder.and_then(|builder| builder.max_packet_size_0(64)) else { halt() };
    let device = builder.device_class(USB_CLASS_CDC).build();
    let led = pins.gpio25.into_push_pull_output();
    Parts::new(Serial { port, device }, led, core.SYST, CLOCK_HZ)
}
