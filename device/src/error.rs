//! What can go wrong between a host and a board.

use std::io;

/// Why a board, an emulator or an image did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The line to the board cannot be opened.
    #[error("cannot open {line}: {cause}")]
    Open {
        /// The address or serial port.
        line: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The line to the board failed or ended.
    #[error("lost the line to the board: {0}")]
    Line(io::Error),
    /// The board is silent.
    #[error("no answer from the board within {seconds} s: is it running the thumbnet firmware, at this speed?")]
    Timeout {
        /// How long the host has waited.
        seconds: u64,
    },
    /// The board refused the request.
    #[error("the board refused: {0}")]
    Refused(protocol::ErrorCode),
    /// The board answered something else.
    #[error("the board gave an answer that does not belong to the request: its firmware has another version")]
    Unexpected,
    /// The board speaks another version of the protocol.
    #[error(
        "the board speaks version {found} of the protocol, this program version {}: update the older one",
        protocol::VERSION
    )]
    Version {
        /// The board's version.
        found: u16,
    },
    /// No row of `firmware/boards.toml` has this name.
    #[error("there is no board {name}, only {known}")]
    UnknownBoard {
        /// What was asked for.
        name: String,
        /// All boards.
        known: String,
    },
    /// The board is not emulated.
    #[error("QEMU has no {0}: connect a real one")]
    NotEmulated(String),
    /// QEMU cannot be started or has ended.
    #[error("{0}")]
    Emulator(String),
    /// The image cannot be built or read.
    #[error("{0}")]
    Image(String),
}

impl From<io::Error> for DeviceError {
    fn from(error: io::Error) -> Self {
        Self::Line(error)
    }
}
