//! The image that runs small networks on an emulated board and compares every logit with what the host found.
//!
//! The emulator puts the cases into the memory region `MODEL`. In little-endian words: how many cases there are, and
//! for each where its model begins, the model's length, where its images begin, how many they are, where their logits
//! begin, and by how many bytes the arena is off a word. Places are counted from the begin of the region.
//!
//! Before them it tries the functions that copy and fill memory.
//!
//! Mismatches are written to the emulator's console; its exit status says whether there were any.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod external;
#[cfg(target_os = "none")]
mod memory_functions;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this program is for boards: build it for the target that boards.toml names");
}

#[cfg(target_os = "none")]
mod start {
    #![allow(unsafe_code)]

    use core::ops::Range;

    // It brings the critical section that the console takes.
    use cortex_m as _;
    use cortex_m_semihosting::{debug, heprintln};
    use thumbnet::{Model, Network};

    use crate::external;

    /// Words that describe a case.
    const CASE_WORDS: usize = 6;
    /// Bytes left to the stack.
    const STACK: usize = 4 * 1024;
    /// What the arena is filled with, and bytes around it that have to keep it.
    const POISON: u8 = 0xa5;
    const GUARD: usize = 16;

    /// Why a case is wrong.
    enum Wrong {
        /// Its words or its model make no sense.
        Unreadable,
        /// The arena does not fit.
        NoMemory,
        Logit {
            image: usize,
            logit: usize,
            wanted: i32,
            got: i32,
        },
        /// A byte around the arena was written to, at this place counted from the arena.
        Guard(isize),
    }

    #[cortex_m_rt::entry]
    fn main() -> ! {
        let memory = free_memory();
        let count = word(0).unwrap_or(0);
        let mut wrong = 0;
        if !memory_functions_work(memory) {
            wrong += 1;
            heprintln!("memcpy or memset is wrong");
        }
        for case in 0..count {
            let Err(error) = run(case, memory) else { continue };
            wrong += 1;
            match error {
                Wrong::Unreadable => heprintln!("case {}: unreadable", case),
                Wrong::NoMemory => heprintln!("case {}: not enough memory", case),
                Wrong::Guard(place) => heprintln!("case {}: wrote to byte {} of the arena", case, place),
                Wrong::Logit { image, logit, wanted, got } => {
                    heprintln!("case {}: image {}, logit {}: wanted {}, got {}", case, image, logit, wanted, got)
                }
            }
        }
        heprintln!("{} cases, {} wrong", count, wrong);
        exit(count > 0 && wrong == 0)
    }

    fn run(case: usize, memory: &mut [u8]) -> Result<(), Wrong> {
        let field = |index| word(1 + case * CASE_WORDS + index).ok_or(Wrong::Unreadable);
        let bytes = |range: Range<usize>| external::region().get(range).ok_or(Wrong::Unreadable);
        let (model, len, images, count) = (field(0)?, field(1)?, field(2)?, field(3)?);
        let (logits, shift) = (field(4)?, field(5)?);
        let model = Model::parse(bytes(model..model + len)?).map_err(|_| Wrong::Unreadable)?;

        let arena = GUARD + shift..GUARD + shift + model.arena_len();
        let memory = memory.get_mut(..arena.end + GUARD).ok_or(Wrong::NoMemory)?;
        memory.fill(POISON);
        let image_len = model.input_row_len() * usize::from(model.input().height);
        for image in 0..count {
            let start = images + image * image_len;
            let pixels = bytes(start..start + image_len)?;
            let arena = memory.get_mut(arena.clone()).ok_or(Wrong::NoMemory)?;
            let mut network = Network::new(&model, arena).map_err(|_| Wrong::NoMemory)?;
            let found = network.classify(pixels).map_err(|_| Wrong::Unreadable)?;
            for (logit, got) in found.logits().iter().enumerate() {
                let place = logits + (image * model.outputs() + logit) * 4;
                let wanted = bytes(place..place + 4)?.as_chunks().0.first().copied().map_or(0, i32::from_le_bytes);
                if wanted != got {
                    return Err(Wrong::Logit { image, logit, wanted, got });
                }
            }
        }
        let written = |(index, byte): (usize, &u8)| !arena.contains(&index) && *byte != POISON;
        let outside = memory.iter().enumerate().position(written);
        outside.map_or(Ok(()), |index| Err(Wrong::Guard(index as isize - arena.start as isize)))
    }

    /// Copies and fills of all lengths up to a few words, however they are aligned, and nothing beside them.
    fn memory_functions_work(memory: &mut [u8]) -> bool {
        unsafe extern "C" {
            fn memcpy(destination: *mut u8, source: *const u8, len: usize) -> *mut u8;
            fn memset(destination: *mut u8, byte: i32, len: usize) -> *mut u8;
        }
        const LONGEST: usize = 70;
        let Some((to, rest)) = memory.split_at_mut_checked(2 * LONGEST) else { return false };
        let Some(from) = rest.get_mut(..2 * LONGEST) else { return false };
        from.iter_mut().zip(1..).for_each(|(byte, number)| *byte = number);
        let is_right = |to: &[u8], offset: usize, len: usize, wanted: &dyn Fn(usize) -> u8| {
            to.iter().enumerate().all(|(index, &byte)| {
                let place = index.wrapping_sub(offset);
                byte == if place < len { wanted(place) } else { POISON }
            })
        };
        (0..=LONGEST).all(|len| {
            (0..16).all(|offsets| {
                let (target, source) = (offsets / 4, offsets % 4);
                to.fill(POISON);
                let start = to.as_mut_ptr().wrapping_add(target);
                // SAFETY: both are `len` bytes inside memory of twice the largest length.
                let returned = unsafe { memcpy(start, from.as_ptr().wrapping_add(source), len) };
                let copied = returned == start && is_right(to, target, len, &|place| from[source + place]);
                to.fill(POISON);
                let start = to.as_mut_ptr().wrapping_add(target);
                // SAFETY: as above.
                let returned = unsafe { memset(start, 0x13c, len) };
                copied && returned == start && is_right(to, target, len, &|_| 0x3c)
            })
        })
    }

    fn word(index: usize) -> Option<usize> {
        external::region().as_chunks().0.get(index).map(|&bytes| u32::from_le_bytes(bytes) as usize)
    }

    /// The memory between the variables and the stack.
    fn free_memory() -> &'static mut [u8] {
        unsafe extern "C" {
            /// End of the variables and begin of the stack, symbols of cortex-m-rt's linker script.
            static mut __sheap: u8;
            static _stack_start: u8;
        }
        let start = &raw mut __sheap;
        let len = (&raw const _stack_start).addr() - start.addr() - STACK;
        // SAFETY: the linker places nothing here, the stack ends above it, and `main` calls this once.
        unsafe { core::slice::from_raw_parts_mut(start, len) }
    }

    fn exit(success: bool) -> ! {
        loop {
            debug::exit(if success { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
        }
    }

    #[panic_handler]
    fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
        exit(false)
    }
}
