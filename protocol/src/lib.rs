//! Frames between a host and a board.
//!
//! The host sends a [`Request`], the board answers with one [`Reply`]. A message is written with
//! postcard and travels in a frame:
//!
//! ```text
//! 0x00  COBS( sequence: u8, message, CRC-32 of both: u32 little endian )  0x00
//! ```
//!
//! COBS leaves no zero inside, so a zero always ends a frame; the one in front ends whatever noise came before.
//! The reply carries the sequence number of its request; what could not be read is answered with [`UNREADABLE`].
//!
//! ```
//! use thumbnet_protocol::{Request, FrameReader, encode, decode};
//!
//! let mut buffer = [0; 64];
//! let frame = encode(7, &Request::Classify { pixels: &[0, 255, 0] }, &mut buffer)?;
//! let mut reader = FrameReader::<32>::new();
//! for &byte in frame {
//!     if let Some(frame) = reader.push(byte) {
//!         let frame = frame?;
//!         assert_eq!(frame.sequence, 7);
//!         assert_eq!(decode(frame.message), Ok(Request::Classify { pixels: &[0, 255, 0] }));
//!     }
//! }
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
#![no_std]
#![deny(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

mod message;
mod reader;
mod writer;

#[cfg(feature = "alloc")]
pub use message::OwnedReply;
pub use message::{Benchmark, ErrorCode, Info, LogitsOf, MAX_NAME, MAX_OUTPUTS, Place, Prediction, Reply, Request};
pub use reader::{Frame, FrameError, FrameReader};
pub use writer::{EncodeError, encode};

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use serde::Deserialize;

/// The version of messages and frames. A board says its own in [`Info::protocol`].
pub const VERSION: u16 = 2;
/// The sequence number of a reply to a frame that could not be read.
pub const UNREADABLE: u8 = 0;

/// Bytes before the message: the sequence number.
const HEAD_LEN: usize = 1;
/// Bytes after the message: the checksum.
const CRC_LEN: usize = 4;
/// The byte that ends a frame.
const DELIMITER: u8 = 0;
/// The longest run of bytes without a zero that one COBS code byte describes.
const COBS_RUN: u8 = 254;

/// Without a table: a frame is short, and 1 KB is much on a small board.
static CRC32: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// Bytes of a [`FrameReader`] that takes requests with images or rows of up to `pixels` bytes.
pub const fn request_len(pixels: usize) -> usize {
    HEAD_LEN + message::REQUEST_HEAD_LEN + pixels + CRC_LEN
}

/// Bytes of the largest [`Reply`] as a frame, both delimiters included, where a model has up to `outputs` outputs: of a board's
/// buffer, and of a host's [`FrameReader`].
pub const fn reply_len(outputs: usize) -> usize {
    frame_len(message::reply_message_len(outputs))
}

/// Most bytes of a frame whose message has `message` bytes, both delimiters included.
pub const fn frame_len(message: usize) -> usize {
    let content = HEAD_LEN + message + CRC_LEN;
    content + content / COBS_RUN as usize + 3
}

/// Reads a message; byte strings and texts stay where they are and are borrowed.
pub fn decode<'a, M: Deserialize<'a>>(message: &'a [u8]) -> Result<M, ErrorCode> {
    match postcard::take_from_bytes(message) {
        Ok((message, [])) => Ok(message),
        _ => Err(ErrorCode::UnknownMessage),
    }
}
