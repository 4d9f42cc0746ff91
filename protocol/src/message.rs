//! What a host asks and what a board answers. Variants are append-only: postcard numbers them in order.

use core::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::reader::FrameError;

/// Most logits in a [`Prediction`].
pub const MAX_OUTPUTS: usize = 1 << 14;
/// Most bytes of a board's, core's or model's name.
pub const MAX_NAME: usize = 48;

/// Bytes of the largest request without its pixels: variant, row or runs, length of the pixels.
pub(crate) const REQUEST_HEAD_LEN: usize = 1 + VARINT_U16 + VARINT_U32;
/// Bytes of the largest [`Reply::Info`]: variant, three names, the rest.
const INFO_LEN: usize = 1 + 3 * (1 + MAX_NAME) + VARINT_U16 + 1 + (1 + VARINT_U32) + 4 * VARINT_U16 + 4 * VARINT_U32;

/// Bytes of the largest reply of a board whose model has so many outputs: a prediction, or the board's description.
pub(crate) const fn reply_message_len(outputs: usize) -> usize {
    let prediction = 1 + VARINT_U16 + (1 + VARINT_U64) + VARINT_U32 + outputs * VARINT_U32;
    if prediction > INFO_LEN { prediction } else { INFO_LEN }
}

/// Most bytes that postcard needs for an integer.
const VARINT_U16: usize = 3;
const VARINT_U32: usize = 5;
const VARINT_U64: usize = 10;

/// What a host asks. Pixels are rows from the top, channel fastest, one byte each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Request<'a> {
    /// What the board is and which model it runs: [`Reply::Info`].
    Info,
    /// Classify a whole image: [`Reply::Prediction`].
    Classify {
        /// `height * width * channels` bytes.
        pixels: &'a [u8],
    },
    /// The next row of an image: [`Reply::RowAccepted`], after the last one [`Reply::Prediction`].
    ClassifyRow {
        /// Counted from 0, which begins a new image.
        row: u16,
        /// `width * channels` bytes.
        pixels: &'a [u8],
    },
    /// Classify an image several times: [`Reply::Benchmark`].
    Benchmark {
        /// `height * width * channels` bytes; where they are in [`Classify`](Self::Classify), so that both count the same.
        pixels: &'a [u8],
        /// How often, at least once.
        runs: u16,
    },
    /// Classify an image once and measure the work of one layer: [`Reply::Benchmark`].
    BenchmarkLayer {
        /// `height * width * channels` bytes.
        pixels: &'a [u8],
        /// Counted from 0.
        layer: u16,
    },
}

/// What a board answers. `L` are the logits: [`LogitsOf`] where they are written, a `Vec` where they are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reply<'a, L> {
    /// The answer to [`Request::Info`].
    Info(#[serde(borrow)] Info<'a>),
    /// The answer to [`Request::Classify`] and to the last [`Request::ClassifyRow`].
    Prediction(Prediction<L>),
    /// The row was taken; the next one may come.
    RowAccepted {
        /// The row, counted from 0.
        row: u16,
    },
    /// The answer to [`Request::Benchmark`] and [`Request::BenchmarkLayer`].
    Benchmark(Benchmark),
    /// Nothing was done.
    Error(ErrorCode),
}

/// What a board is and which model it runs. Names have at most [`MAX_NAME`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Info<'a> {
    /// [`VERSION`](crate::VERSION) of the board.
    pub protocol: u16,
    /// The board's name, as in the firmware's `boards.toml`.
    pub board: &'a str,
    /// The processor core.
    pub core: &'a str,
    /// Where the image runs.
    pub place: Place,
    /// Ticks per second of the counter behind [`Prediction::ticks`]; `None` where there is no counter.
    pub counter_hz: Option<u32>,
    /// The model's name.
    pub model: &'a str,
    /// The checksum in the model's file: equal models have equal ones.
    pub model_crc: u32,
    /// Height of the model's input in pixels.
    pub height: u16,
    /// Width of the model's input in pixels.
    pub width: u16,
    /// Bytes of a pixel.
    pub channels: u16,
    /// Number of logits, at most [`MAX_OUTPUTS`].
    pub outputs: u16,
    /// Bytes of memory that the network works in.
    pub arena_bytes: u32,
    /// Bytes of the model in flash.
    pub model_bytes: u32,
    /// Bytes of the whole image in flash: program, model, initial values.
    pub flash_bytes: u32,
}

/// Where an image runs, and so what the ticks of its counter are. As an image finds it out: [`Place::of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Place {
    /// On a chip: ticks are cycles of its clock.
    Chip,
    /// In an emulator whose time is executed instructions, each of which takes a nanosecond: QEMU with `-icount`.
    Instructions,
    /// In an emulator that counts the cycles of the chip.
    Cycles,
}

impl Place {
    /// What an emulator of this kind writes into the image's memory before it starts the board, at the symbol
    /// [`MARK_SYMBOL`](Self::MARK_SYMBOL); `None` for a chip, where nobody writes.
    pub const fn mark(self) -> Option<u64> {
        match self {
            Self::Chip => None,
            Self::Instructions => Some(u64::from_le_bytes(*b"instrcts")),
            Self::Cycles => Some(u64::from_le_bytes(*b"cycleexc")),
        }
    }

    /// The place where this mark was found. A chip's memory holds anything when it starts, but hardly eight bytes of these.
    pub fn of(mark: u64) -> Self {
        let emulated = [Self::Instructions, Self::Cycles];
        emulated.into_iter().find(|place| place.mark() == Some(mark)).unwrap_or(Self::Chip)
    }

    /// The symbol of the mark in an image's ELF file; the image of old that has none does not ask.
    pub const MARK_SYMBOL: &str = "THUMBNET_EMULATOR_MARK";
}

/// What the network saw in an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Prediction<L> {
    /// The most likely class; the first one where several are equal.
    pub class: u16,
    /// Counter ticks spent in the network, transport left out; see [`Info::counter_hz`].
    pub ticks: Option<u64>,
    /// What leaves the model, one number each, in its order.
    pub logits: L,
}

/// Logits that are written from where they are, without a copy on the stack.
#[derive(Clone, Copy, Debug)]
pub struct LogitsOf<I>(pub I);

impl<I: ExactSizeIterator<Item = i32> + Clone> Serialize for LogitsOf<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// A reply as hosts read it.
#[cfg(feature = "alloc")]
pub type OwnedReply<'a> = Reply<'a, alloc::vec::Vec<i32>>;

/// How long the network took, in counter ticks; see [`Info::counter_hz`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Benchmark {
    /// How often the image was classified.
    pub runs: u16,
    /// Ticks of the fastest run.
    pub fastest: u64,
    /// Ticks of the slowest run.
    pub slowest: u64,
    /// Ticks of all runs.
    pub total: u64,
}

/// Why a board did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ErrorCode {
    /// The frame could not be read. Its sequence number is unknown: the reply's is [`UNREADABLE`](crate::UNREADABLE).
    Frame(FrameError),
    /// The frame arrived whole, but its message is none that this version knows.
    UnknownMessage,
    /// The image or row has another size than the model's input.
    WrongLength {
        /// Bytes that the model takes.
        expected: u32,
    },
    /// A row came out of turn. Row 0 may always come.
    WrongRow {
        /// The row that would be next.
        expected: u16,
    },
    /// A benchmark of no runs.
    NoRuns,
    /// The board has no counter.
    NoCounter,
    /// The model has no such layer.
    NoLayer {
        /// How many layers it has.
        layers: u16,
    },
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => error.fmt(f),
            Self::UnknownMessage => write!(f, "a message of another protocol version than {}", crate::VERSION),
            Self::WrongLength { expected } => write!(f, "the model takes {expected} bytes at a time"),
            Self::WrongRow { expected } => write!(f, "row {expected} should come next"),
            Self::NoRuns => write!(f, "a benchmark needs at least one run"),
            Self::NoCounter => write!(f, "the board has no counter"),
            Self::NoLayer { layers } => write!(f, "the model has only {layers} layers"),
        }
    }
}

impl core::error::Error for ErrorCode {}
