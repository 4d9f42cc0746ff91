//! What can go wrong with a network: only setting it up, and images of another size than it takes.

use core::fmt;

/// Why a network could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NetworkError {
    /// The arena is too small.
    ArenaTooSmall {
        /// Bytes that the model needs.
        needed: usize,
        /// Bytes that the arena has.
        found: usize,
    },
    /// The model has an operator or an algorithm that was left out: see [`Only`](crate::kernels::Only).
    KernelMissing,
}

/// Why an image was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InputError {
    /// The row or image has another size than the model's input.
    WrongLength {
        /// Bytes that the model takes.
        expected: usize,
        /// Bytes that were given.
        found: usize,
    },
    /// The image has all its rows already: call [`Network::reset`](crate::Network::reset) before the next one.
    TooManyRows,
    /// The image is not complete.
    MissingRows {
        /// Rows still to come.
        missing: u16,
    },
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArenaTooSmall { needed, found } => {
                write!(f, "the model needs an arena of {needed} bytes, this one has {found}")
            }
            Self::KernelMissing => {
                write!(f, "this program was built without what the model needs: build it with the model")
            }
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongLength { expected, found } => write!(f, "expected {expected} bytes, got {found}"),
            Self::TooManyRows => write!(f, "the image already has all its rows: reset before the next one"),
            Self::MissingRows { missing } => write!(f, "{missing} rows of the image are missing"),
        }
    }
}

impl core::error::Error for NetworkError {}
impl core::error::Error for InputError {}
