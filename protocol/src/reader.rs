//! Frames out of bytes, one byte at a time.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{COBS_RUN, CRC_LEN, CRC32, DELIMITER, HEAD_LEN};

/// A frame that arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The number that a reply repeats.
    pub sequence: u8,
    /// For [`decode`](crate::decode).
    pub message: &'a [u8],
}

/// Why a frame could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FrameError {
    /// It ended too early.
    Truncated,
    /// It is larger than any message that the reader takes.
    TooLong,
    /// Its checksum does not match.
    Checksum,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "a frame ended too early",
            Self::TooLong => "a frame is larger than the receiver's buffer",
            Self::Checksum => "a frame was damaged on its way",
        })
    }
}

impl core::error::Error for FrameError {}

/// Collects the bytes of a serial line into frames, undoing COBS as they come.
///
/// `N` bounds sequence number, message and checksum together: [`request_len`](crate::request_len) for a board,
/// [`reply_len`](crate::reply_len) for a host. Any bytes may be pushed: after a delimiter the reader
/// is as good as new.
#[derive(Debug)]
pub struct FrameReader<const N: usize> {
    content: [u8; N],
    len: usize,
    /// The code byte of the current run; 0 before the first byte of a frame.
    code: u8,
    /// Bytes that are still to come in the current run.
    remaining: u8,
    overflow: bool,
}

impl<const N: usize> FrameReader<N> {
    /// An empty reader.
    pub const fn new() -> Self {
        Self { content: [0; N], len: 0, code: 0, remaining: 0, overflow: false }
    }

    /// Takes the next byte. `Some` at the end of a frame; nothing between two delimiters is no frame.
    pub fn push(&mut self, byte: u8) -> Option<Result<Frame<'_>, FrameError>> {
        if byte == DELIMITER {
            return self.end();
        }
        if self.remaining > 0 {
            self.store(byte);
            self.remaining -= 1;
        } else {
            // Every run but the first begins after a zero, unless the one before was a full one.
            if self.code != 0 && self.code <= COBS_RUN {
                self.store(0);
            }
            self.code = byte;
            self.remaining = byte - 1;
        }
        None
    }

    /// Whether bytes have arrived since the last delimiter.
    pub fn is_inside(&self) -> bool {
        self.code != 0
    }

    fn store(&mut self, byte: u8) {
        match self.content.get_mut(self.len) {
            Some(slot) => {
                *slot = byte;
                self.len += 1;
            }
            None => self.overflow = true,
        }
    }

    fn end(&mut self) -> Option<Result<Frame<'_>, FrameError>> {
        let (len, code, remaining, overflow) = (self.len, self.code, self.remaining, self.overflow);
        (self.len, self.code, self.remaining, self.overflow) = (0, 0, 0, false);
        if code == 0 {
            return None;
        }
        if overflow {
            return Some(Err(FrameError::TooLong));
        }
        if remaining > 0 {
            return Some(Err(FrameError::Truncated));
        }
        Some(check(self.content.get(..len).unwrap_or(&[])))
    }
}

impl<const N: usize> Default for FrameReader<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes a frame's content apart if its checksum matches.
fn check(content: &[u8]) -> Result<Frame<'_>, FrameError> {
    let (covered, crc) = content.split_last_chunk::<CRC_LEN>().ok_or(FrameError::Truncated)?;
    let (head, message) = covered.split_first_chunk::<HEAD_LEN>().ok_or(FrameError::Truncated)?;
    if CRC32.checksum(covered) != u32::from_le_bytes(*crc) {
        return Err(FrameError::Checksum);
    }
    Ok(Frame { sequence: head[0], message })
}
