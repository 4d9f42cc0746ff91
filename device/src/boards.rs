//! The table of boards that the firmware supports.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::DeviceError;

/// A row of `firmware/boards.toml`.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Board {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The processor core, by the name that `thumbnet compile --core` takes.
    pub core: String,
    /// Rust's target for that core.
    pub target: String,
    /// Rustc's name for the core, where the target is one for lesser cores too.
    pub cpu: Option<String>,
    /// The feature of the firmware that brings the chip's HAL.
    pub hal: Option<String>,
    /// What runs its images without it; `None` for a board that is not emulated.
    pub emulator: Option<Runner>,
    /// Whether the emulator counts instructions and takes models from outside.
    #[serde(default)]
    pub measured: bool,
    /// Which pins or port the serial line is.
    pub serial: String,
    /// Which light burns while the network works.
    pub led: String,
    /// How an image gets onto it; `None` where nobody owns one.
    pub flash: Option<Flash>,
    /// Vendor and product of its serial port, where that is USB.
    pub usb: Option<UsbId>,
}

/// An emulator, in the table `qemu MACHINE`, `rp2040js uart` or `rp2040js usb`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum Runner {
    /// QEMU with this machine, of the program for the target's instructions.
    Qemu(String),
    /// rp2040js, by the UART or by USB.
    Rp2040js(Rp2040Line),
}

/// Which serial line of an RP2040 is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Rp2040Line {
    Uart,
    Usb,
}

impl TryFrom<String> for Runner {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(' ') {
            Some(("qemu", machine)) => Ok(Self::Qemu(machine.into())),
            Some(("rp2040js", "uart")) => Ok(Self::Rp2040js(Rp2040Line::Uart)),
            Some(("rp2040js", "usb")) => Ok(Self::Rp2040js(Rp2040Line::Usb)),
            _ => Err(format!("emulator {text:?} is unknown: \"qemu MACHINE\", \"rp2040js uart\" or \"rp2040js usb\"")),
        }
    }
}

/// How an image gets onto a board, in the table `probe-rs CHIP`, `uf2 FAMILY` or `espflash`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum Flash {
    /// probe-rs, over a debug probe, with its name for the chip.
    ProbeRs(String),
    /// A file of the UF2 format on the drive that the board is while its button is held; the number of the chip's family.
    Uf2(u32),
    /// espflash, over the serial port.
    Espflash,
}

impl TryFrom<String> for Flash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let family = |digits: &str| u32::from_str_radix(digits.strip_prefix("0x")?, 16).ok();
        match text.split_once(' ') {
            None if text == "espflash" => Ok(Self::Espflash),
            Some(("probe-rs", chip)) => Ok(Self::ProbeRs(chip.into())),
            Some(("uf2", digits)) if family(digits).is_some() => Ok(Self::Uf2(family(digits).unwrap_or_default())),
            _ => Err(format!("flash {text:?} is unknown: \"probe-rs CHIP\", \"uf2 0xFAMILY\" or \"espflash\"")),
        }
    }
}

/// Vendor and product of a USB device, in the table `2e8a:000a`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
#[allow(missing_docs)]
pub struct UsbId {
    pub vendor: u16,
    pub product: u16,
}

impl TryFrom<String> for UsbId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = |digits: &str| u16::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 4);
        let numbers = text.split_once(':').and_then(|(vendor, product)| Some((number(vendor)?, number(product)?)));
        let (vendor, product) = numbers.ok_or_else(|| format!("usb {text:?} is unreadable: \"2e8a:000a\""))?;
        Ok(Self { vendor, product })
    }
}

#[derive(Deserialize)]
struct Table {
    board: Vec<Board>,
}

static BOARDS: LazyLock<Vec<Board>> = LazyLock::new(|| {
    let table: Table = toml::from_str(include_str!("../boards.toml")).expect("a test parses the table");
    table.board
});

impl Board {
    /// All boards, the default one first.
    pub fn all() -> &'static [Self] {
        &BOARDS
    }

    /// The boards that some emulator runs.
    pub fn emulated() -> impl Iterator<Item = &'static Self> {
        Self::all().iter().filter(|board| board.emulator.is_some())
    }

    /// The boards whose emulator counts instructions and takes models from outside: where networks and kernels are measured.
    pub fn measured() -> impl Iterator<Item = &'static Self> {
        Self::all().iter().filter(|board| board.measured)
    }

    /// The board with this name.
    pub fn find(name: &str) -> Result<&'static Self, DeviceError> {
        let known = || Self::all().iter().map(|board| board.name.as_str()).collect::<Vec<_>>().join(", ");
        let unknown = || DeviceError::UnknownBoard { name: name.to_string(), known: known() };
        Self::all().iter().find(|board| board.name == name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::{Board, Flash, Runner, UsbId};

    #[test]
    fn the_table_parses_and_names_are_unique() {
        assert_eq!(Board::all()[0].name, "mps2-an386");
        for board in Board::all() {
            assert_eq!(Board::all().iter().filter(|other| other.name == board.name).count(), 1, "{}", board.name);
        }
    }

    #[test]
    fn what_the_table_cannot_mean_is_refused_with_what_to_write() {
        let refused = |result: Result<String, String>, advice: &str| {
            let error = result.unwrap_err();
            assert!(error.contains(advice), "{error}");
        };
        for text in ["", "qemu", "rp2040js spi", "bochs x"] {
            refused(Runner::try_from(text.to_string()).map(|_| text.into()), "qemu MACHINE");
        }
        for text in ["", "uf2", "uf2 12", "uf2 0xzz", "probe-rs"] {
            refused(Flash::try_from(text.to_string()).map(|_| text.into()), "uf2 0xFAMILY");
        }
        for text in ["", "2e8a", "2e8a:", "2e8a:00000"] {
            refused(UsbId::try_from(text.to_string()).map(|_| text.into()), "2e8a:000a");
        }
    }

    #[test]
    fn an_unknown_board_is_an_error_that_lists_the_known_ones() {
        let error = Board::find("abacus").unwrap_err().to_string();
        assert!(error.contains("abacus") && error.contains("mps2-an386"), "{error}");
    }
}
