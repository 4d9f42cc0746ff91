//! Two places in flash for a model, so that a new one can be written while the old one stays: what is interrupted at any byte
//! leaves the old one, what is not a model that this image runs is refused before it counts.
//!
//! A slot holds a record and, behind it, the model. The record is written last: until it is whole, the slot is empty.
//!
//! ```text
//! 0    magic, 8 bytes
//! 8    sequence: u32, the higher one of two slots is the newer
//! 12   bytes of the model: u32
//! 16   checksum of the bytes before: u32
//! 256  the model
//! ```

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use embedded_storage::nor_flash::NorFlash;
use thumbnet::{Model, ParseError};

/// Bytes before the model: a page of flash, so that the record is written on its own.
const RECORD_LEN: usize = 256;
const MAGIC: [u8; 8] = *b"TNSLOT1\n";
/// The record's bytes that the checksum covers, and all that are not what erased flash holds.
const COVERED: usize = 16;
/// What erased flash holds.
const ERASED: u8 = 0xff;

/// Flash whose bytes can be read where they are.
pub trait Mapped: NorFlash {
    /// `len` bytes from `offset` on; fewer where the flash ends.
    fn bytes(&self, offset: u32, len: usize) -> &[u8];
}

/// What an image has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of memory for a network.
    pub arena: usize,
    /// Bytes of the largest input.
    pub input: usize,
    /// Values of the longest answer.
    pub outputs: usize,
}

/// Why a model is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// A slot has room for so many bytes.
    TooLong {
        /// Bytes.
        room: usize,
    },
    /// Fewer or more bytes came than were announced.
    WrongLength,
    /// It is damaged, or no model of a version that this image reads.
    Model(ParseError),
    /// It needs more memory than this image has for it.
    Arena {
        /// Bytes that it needs.
        needs: usize,
        /// Bytes that there are.
        room: usize,
    },
    /// Its input or its answer is longer than the buffers.
    Shape,
    /// The flash could not be written.
    Flash,
}

/// Two slots of `len` bytes, one behind the other, from `start` on: whole sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Where the first one begins.
    pub start: u32,
    /// Bytes of each.
    pub len: u32,
}

/// A slot with a model in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    slot: u32,
    sequence: u32,
    len: usize,
}

impl Slots {
    /// The model to run: the newest that is whole and has room; `None` where both slots have none.
    pub fn model<'m, F: Mapped>(&self, flash: &'m F, room: Room) -> Option<Model<'m>> {
        let newest = self.newest(flash, room)?;
        accept(self.stored(flash, newest), room).ok()
    }

    /// Begins to write a model of `len` bytes into the slot that does not hold the newest.
    pub fn begin<'f, F: Mapped>(&self, flash: &'f mut F, room: Room, len: usize) -> Result<Update<'f, F>, Refused> {
        let most = (self.len as usize).saturating_sub(RECORD_LEN);
        if len > most {
            return Err(Refused::TooLong { room: most });
        }
        let newest = self.newest(flash, room);
        let slot = newest.map_or(0, |record| 1 - record.slot);
        let sequence = newest.map_or(0, |record| record.sequence.wrapping_add(1));
        let start = self.start + slot * self.len;
        // From its beginning: the record goes first.
        flash.erase(start, start + self.len).map_err(|_| Refused::Flash)?;
        Ok(Update { flash, room, start, sequence, len, taken: 0, page: [ERASED; RECORD_LEN] })
    }

    fn newest<F: Mapped>(&self, flash: &F, room: Room) -> Option<Record> {
        let whole = |slot| {
            let record = self.record(flash, slot)?;
            accept(self.stored(flash, record), room).ok()?;
            Some(record)
        };
        match (whole(0), whole(1)) {
            // The numbers go round: the newer one is ahead by less than half of them.
            (Some(first), Some(second)) => {
                let ahead = second.sequence.wrapping_sub(first.sequence);
                Some(if ahead < u32::MAX / 2 { second } else { first })
            }
            (first, second) => first.or(second),
        }
    }

    fn record<F: Mapped>(&self, flash: &F, slot: u32) -> Option<Record> {
        let record = flash.bytes(self.start + slot * self.len, RECORD_LEN);
        let (covered, rest) = record.split_first_chunk::<COVERED>()?;
        let (found, _) = rest.split_first_chunk()?;
        let [magic @ .., s0, s1, s2, s3, l0, l1, l2, l3] = *covered;
        let (sequence, len) = (u32::from_le_bytes([s0, s1, s2, s3]), u32::from_le_bytes([l0, l1, l2, l3]));
        let is_whole = magic == MAGIC && record_checksum(covered) == u32::from_le_bytes(*found);
        is_whole.then_some(Record { slot, sequence, len: len as usize })
    }

    fn stored<'m, F: Mapped>(&self, flash: &'m F, record: Record) -> &'m [u8] {
        let len = record.len.min((self.len as usize).saturating_sub(RECORD_LEN));
        flash.bytes(self.start + record.slot * self.len + RECORD_LEN as u32, len)
    }
}

/// A model that is being written.
#[derive(Debug)]
pub struct Update<'f, F> {
    flash: &'f mut F,
    room: Room,
    start: u32,
    sequence: u32,
    len: usize,
    taken: usize,
    /// The page that is not full yet.
    page: [u8; RECORD_LEN],
}

impl<F: Mapped> Update<'_, F> {
    /// Takes the next bytes of the model.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if bytes.len() > self.len - self.taken {
            return Err(Refused::WrongLength);
        }
        for &byte in bytes {
            let place = self.taken % RECORD_LEN;
            if let Some(slot) = self.page.get_mut(place) {
                *slot = byte;
            }
            self.taken += 1;
            if place + 1 == RECORD_LEN {
                self.write_page(self.taken - RECORD_LEN)?;
            }
        }
        Ok(())
    }

    /// Checks what was written, in flash as it is, and makes it the model that counts.
    pub fn finish(mut self) -> Result<(), Refused> {
        if self.taken != self.len {
            return Err(Refused::WrongLength);
        }
        let rest = self.taken % RECORD_LEN;
        if rest > 0 {
            self.write_page(self.taken - rest)?;
        }
        accept(self.flash.bytes(self.start + RECORD_LEN as u32, self.len), self.room)?;
        let mut covered = [0; COVERED];
        let fields = MAGIC.into_iter().chain(self.sequence.to_le_bytes()).chain((self.len as u32).to_le_bytes());
        covered.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        let record = covered.into_iter().chain(record_checksum(&covered).to_le_bytes());
        self.page = [ERASED; RECORD_LEN];
        self.page.iter_mut().zip(record).for_each(|(byte, value)| *byte = value);
        self.flash.write(self.start, &self.page).map_err(|_| Refused::Flash)
    }

    /// Writes the page that has the model's byte `from` first.
    fn write_page(&mut self, from: usize) -> Result<(), Refused> {
        let offset = self.start + (RECORD_LEN + from) as u32;
        let result = self.flash.write(offset, &self.page).map_err(|_| Refused::Flash);
        self.page = [ERASED; RECORD_LEN];
        result
    }
}

/// The model, if it is whole and has room in this image.
fn accept(bytes: &[u8], room: Room) -> Result<Model<'_>, Refused> {
    let model = Model::parse(bytes).map_err(Refused::Model)?;
    if bytes.len() != model.bytes().len() {
        return Err(Refused::WrongLength);
    }
    if model.arena_len() > room.arena {
        return Err(Refused::Arena { needs: model.arena_len(), room: room.arena });
    }
    if model.input().len() > room.input || model.outputs() > room.outputs {
        return Err(Refused::Shape);
    }
    Ok(model)
}

/// CRC-32. Without a table: it would take 1 KB of flash.
fn record_checksum(covered: &[u8; COVERED]) -> u32 {
    Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC).checksum(covered)
}
