//! A model in two slots of a simulated flash, whose power fails after every byte.

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use firmware::slots::{Mapped, Refused, Room, Slots};
use thumbnet::Model;

const OLD: &[u8] = include_bytes!("../../inference-core/tests/samples/v2-random-3230.tnet");
/// A smaller one.
const NEW: &[u8] = include_bytes!("../../inference-core/tests/samples/v2-random-1888.tnet");
const SECTOR: usize = 512;
const SECTORS: usize = 8;
const SLOTS: Slots = Slots { start: SECTOR as u32, len: (SECTORS * SECTOR) as u32 };
const ROOM: Room = Room { arena: 16 * 1024, input: 1024, outputs: 16 };

/// Flash of which every byte written and every byte erased takes one of what is left of the power.
#[derive(Clone)]
struct Flash {
    bytes: Vec<u8>,
    power: usize,
}

impl Flash {
    fn new() -> Self {
        // As it comes, or with the remains of something else.
        Self { bytes: (0..(2 + 2 * SECTORS) * SECTOR).map(|index| (index * 7) as u8).collect(), power: usize::MAX }
    }

    fn spend(&mut self) -> Result<(), NorFlashErrorKind> {
        self.power = self.power.checked_sub(1).ok_or(NorFlashErrorKind::Other)?;
        Ok(())
    }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        bytes.copy_from_slice(self.bytes(offset, bytes.len()));
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 256;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        assert!(from.is_multiple_of(SECTOR as u32) && to.is_multiple_of(SECTOR as u32), "{from} to {to}");
        for index in from..to {
            self.spend()?;
            self.bytes[index as usize] = 0xff;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        assert!(offset.is_multiple_of(256) && bytes.len().is_multiple_of(256), "{} bytes at {offset}", bytes.len());
        for (index, &byte) in (offset as usize..).zip(bytes) {
            self.spend()?;
            // Without erasing, bits only fall.
            self.bytes[index] &= byte;
            assert_eq!(self.bytes[index], byte, "byte {index} was not erased");
        }
        Ok(())
    }
}

impl Mapped for Flash {
    fn bytes(&self, offset: u32, len: usize) -> &[u8] {
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        &rest[..len.min(rest.len())]
    }
}

/// Writes a model in pieces, as they come over a line.
fn update(flash: &mut Flash, model: &[u8]) -> Result<(), Refused> {
    let mut update = SLOTS.begin(flash, ROOM, model.len())?;
    for piece in model.chunks(100) {
        update.write(piece)?;
    }
    update.finish()
}

/// The bytes of the model that a board would run after it has started again.
fn stored(flash: &Flash) -> Option<Vec<u8>> {
    SLOTS.model(flash, ROOM).map(|model| model.bytes().to_vec())
}

#[test]
fn the_newest_model_counts() {
    let mut flash = Flash::new();
    assert_eq!(stored(&flash), None);
    for model in [OLD, NEW, NEW, OLD, OLD, NEW] {
        update(&mut flash, model).unwrap();
        assert!(stored(&flash).unwrap() == model);
    }
    // Only the slots were touched.
    let untouched = Flash::new();
    assert_eq!(flash.bytes[..SECTOR], untouched.bytes[..SECTOR]);
    assert_eq!(flash.bytes[(1 + 2 * SECTORS) * SECTOR..], untouched.bytes[(1 + 2 * SECTORS) * SECTOR..]);
}

#[test]
fn power_that_fails_at_any_byte_loses_no_model() {
    let mut before = Flash::new();
    update(&mut before, NEW).unwrap();
    update(&mut before, OLD).unwrap();
    let whole = {
        let mut flash = before.clone();
        update(&mut flash, NEW).unwrap();
        usize::MAX - flash.power - (usize::MAX - before.power)
    };
    let mut replaced = 0;
    for power in 0..=whole {
        let mut flash = Flash { power, ..before.clone() };
        let result = update(&mut flash, NEW);
        let found = stored(&flash);
        // The record's last bytes are those of erased flash: it may be whole before its writing has ended.
        if found.as_deref() == Some(NEW) {
            replaced += 1;
        } else {
            assert!(found.as_deref() == Some(OLD), "power for {power} bytes leaves no model");
            assert_eq!(result, Err(Refused::Flash), "power for {power} bytes");
        }
        // And the next attempt works from there.
        if power % 97 == 0 {
            flash.power = usize::MAX;
            update(&mut flash, NEW).unwrap();
            assert!(stored(&flash).as_deref() == Some(NEW), "after power for {power} bytes");
        }
    }
    println!("{} interruptions: {replaced} with the new model, no model lost", whole + 1);
    assert!((1..=256).contains(&replaced));
}

#[test]
fn what_this_image_cannot_run_is_refused_by_name_and_the_old_model_stays() {
    // The smaller model is the old one here: where there is little room, it still has it.
    let mut flash = Flash::new();
    update(&mut flash, NEW).unwrap();
    for index in [0, 4, OLD.len() / 2, OLD.len() - 1] {
        let mut damaged = OLD.to_vec();
        damaged[index] ^= 4;
        let refused = update(&mut flash, &damaged);
        assert!(matches!(refused, Err(Refused::Model(_))), "byte {index}: {refused:?}");
        assert!(stored(&flash).as_deref() == Some(NEW));
    }
    let cut = update(&mut flash, &OLD[..OLD.len() - 1]);
    assert!(matches!(cut, Err(Refused::Model(_))), "{cut:?}");
    let (small, large) = (Model::parse(NEW).unwrap(), Model::parse(OLD).unwrap());
    let mut with_room = |room: Room| {
        let mut update = SLOTS.begin(&mut flash, room, OLD.len())?;
        update.write(OLD)?;
        let result = update.finish();
        assert!(stored(&flash).as_deref() == Some(NEW), "{room:?}");
        result
    };
    let needs = large.arena_len();
    assert!(small.arena_len() < needs && small.input().len() < large.input().len());
    let little = with_room(Room { arena: needs - 1, ..ROOM });
    assert_eq!(little, Err(Refused::Arena { needs, room: needs - 1 }));
    assert_eq!(with_room(Room { input: large.input().len() - 1, ..ROOM }), Err(Refused::Shape));
    let most = SECTORS * SECTOR - 256;
    assert_eq!(update(&mut flash, &vec![0; most + 1]), Err(Refused::TooLong { room: most }));
    let mut short = SLOTS.begin(&mut flash, ROOM, OLD.len()).unwrap();
    assert_eq!(short.write(&[OLD, &[0]].concat()), Err(Refused::WrongLength));
    assert_eq!(short.finish(), Err(Refused::WrongLength));
    assert!(stored(&flash).as_deref() == Some(NEW));
    update(&mut flash, OLD).unwrap();
    assert!(stored(&flash).as_deref() == Some(OLD));
}
