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
    /// The line gives back what is sent to it, and nothing else.
    #[error(
        "the line only echoes, for {seconds} s: is this the board's port, does another program (a console, a modem \
         manager) hold it, is its sending wire on its own receiving one?"
    )]
    Echo {
        /// How long the host has waited.
        seconds: u64,
    },
    /// Something came that is no answer.
    #[error(
        "no answer within {seconds} s, but what is no frame: \"{seen}\": is this the board's port, does the board run the \
         thumbnet firmware, at this speed, and does it print nothing else there?"
    )]
    Noise {
        /// How long the host has waited.
        seconds: u64,
        /// The first bytes, those that are no text as `\x00`.
        seen: String,
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
    /// No serial port can be chosen.
    #[error("{0}")]
    Ports(String),
    /// An image does not get onto the board.
    #[error("{0}")]
    Flash(String),
    /// No row of `firmware/boards.toml` has this name.
    #[error("there is no board {name}, only {known}")]
    UnknownBoard {
        /// What was asked for.
        name: String,
        /// All boards.
        known: String,
    },
    /// The board is not emulated.
    #[error("no emulator runs {0}: connect a real one")]
    NotEmulated(String),
    /// The emulator cannot be started or has ended.
    #[error("{0}")]
    Emulator(String),
    /// The image cannot be built or read.
    #[error("{0}")]
    Image(String),
}

impl DeviceError {
    /// Whether the board has not answered, whatever else the line had.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Echo { .. } | Self::Noise { .. })
    }
}

impl From<io::Error> for DeviceError {
    fn from(error: io::Error) -> Self {
        Self::Line(error)
    }
}
