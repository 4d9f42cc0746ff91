//! Bytes out of a message, in one pass and without a copy of the message.

use core::fmt;

use postcard::ser_flavors::Flavor;
use serde::Serialize;

use crate::{COBS_RUN, CRC32, DELIMITER};

/// The buffer is too small for the frame; [`frame_len`](crate::frame_len) bytes are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EncodeError;

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the buffer is too small for the frame")
    }
}

impl core::error::Error for EncodeError {}

/// Writes `message` as a frame, both delimiters included, and returns the used part of `buffer`.
pub fn encode<'b, M: Serialize>(sequence: u8, message: &M, buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    let len = write(sequence, message, buffer).map_err(|_| EncodeError)?;
    buffer.get(..len).ok_or(EncodeError)
}

fn write<M: Serialize>(sequence: u8, message: &M, buffer: &mut [u8]) -> postcard::Result<usize> {
    let mut writer = FrameWriter { buffer, len: 0, code_at: 0, run: 0, crc: CRC32.digest() };
    writer.put(DELIMITER)?;
    writer.begin_run()?;
    writer.try_push(sequence)?;
    postcard::serialize_with_flavor(message, writer)
}

/// Writes sequence number, message and checksum with COBS: each run of bytes without a zero is preceded by its length + 1.
struct FrameWriter<'b> {
    buffer: &'b mut [u8],
    len: usize,
    /// Where the current run's code byte is.
    code_at: usize,
    /// Bytes of the current run.
    run: u8,
    crc: crc::Digest<'static, u32, crc::NoTable>,
}

impl FrameWriter<'_> {
    fn put(&mut self, byte: u8) -> postcard::Result<()> {
        *self.buffer.get_mut(self.len).ok_or(postcard::Error::SerializeBufferFull)? = byte;
        self.len += 1;
        Ok(())
    }

    /// Reserves the code byte of a run.
    fn begin_run(&mut self) -> postcard::Result<()> {
        (self.code_at, self.run) = (self.len, 0);
        self.put(DELIMITER)
    }

    fn end_run(&mut self) {
        if let Some(code) = self.buffer.get_mut(self.code_at) {
            *code = self.run + 1;
        }
    }

    fn stuff(&mut self, byte: u8) -> postcard::Result<()> {
        if self.run == COBS_RUN {
            self.end_run();
            self.begin_run()?;
        }
        if byte == DELIMITER {
            self.end_run();
            return self.begin_run();
        }
        self.run += 1;
        self.put(byte)
    }
}

impl Flavor for FrameWriter<'_> {
    type Output = usize;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.crc.update(&[byte]);
        self.stuff(byte)
    }

    fn finalize(mut self) -> postcard::Result<usize> {
        for byte in self.crc.clone().finalize().to_le_bytes() {
            self.stuff(byte)?;
        }
        self.end_run();
        self.put(DELIMITER)?;
        Ok(self.len)
    }
}
