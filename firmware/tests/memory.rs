//! What the build script says of models that do not fit.

#[path = "../build/memory.rs"]
mod memory;

use memory::{Largest, Needs};

const MAP: &str = "
/* FLASH is not described here. */
MEMORY
{
  FLASH : ORIGIN = 0x08000000, LENGTH = 64K
  RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 0x2000
}
";

/// Fits to the last byte: 40 KiB are left to the program, 2 KiB to the stack.
const FITS: Needs = Needs { model: 24 * 1024, arena: 4096, request: 1500, reply: 548 };

#[test]
fn a_model_that_fills_the_memory_fits() {
    assert_eq!(FITS.check(MAP), Ok(()));
}

#[test]
fn a_model_that_is_too_large_is_refused_by_the_byte() {
    let flash = Needs { model: FITS.model + 1, ..FITS }.check(MAP).unwrap_err();
    assert!(flash.starts_with("too large for the flash by 1 bytes"), "{flash}");
    let ram = Needs { arena: FITS.arena + 1000, ..FITS }.check(MAP).unwrap_err();
    assert!(ram.starts_with("too large for the memory by 1000 bytes"), "{ram}");
}

#[test]
fn the_largest_arena_leaves_room_for_buffers_and_stack() {
    let map = MAP.replace("  RAM", "  MODEL : ORIGIN = 0x08008000, LENGTH = 32K\n  RAM");
    assert_eq!(memory::largest_arena(&map, 1500, 548), Ok(0x2000 - 1500 - 548 - 3072));
    assert_eq!(memory::largest_arena(&map, 0x2000, 548), Ok(0));
    let error = memory::largest_arena(MAP, 1500, 548).unwrap_err();
    assert!(error.contains("no line `MODEL"), "{error}");
}

#[test]
fn a_board_with_much_memory_takes_large_images_from_outside() {
    let small = Largest { pixels: 1024, outputs: 64 };
    assert_eq!(Largest::of(MAP), Ok(small));
    assert_eq!(Largest::of(&MAP.replace("0x2000", "255K")), Ok(small));
    assert_eq!(Largest::of(&MAP.replace("0x2000", "256K")), Ok(Largest { pixels: 27_648, outputs: 1024 }));
    assert!(Largest::of("").is_err());
}

#[test]
fn lengths_are_read_as_the_linker_reads_them() {
    for (length, bytes) in [("65536", 65536), ("64K", 65536), ("0x10000", 65536), ("1M", 1 << 20), (" 64k ", 65536)] {
        let map = MAP.replace("64K", length);
        let needs = Needs { model: bytes - 40 * 1024, ..FITS };
        assert_eq!(needs.check(&map), Ok(()), "{length}");
        assert!(Needs { model: needs.model + 1, ..needs }.check(&map).is_err(), "{length}");
    }
}

#[test]
fn a_map_without_a_region_or_a_length_is_refused() {
    for map in ["", "FLASH : ORIGIN = 0", &MAP.replace("RAM (", "SRAM (")] {
        let error = FITS.check(map).unwrap_err();
        assert!(error.starts_with("the memory map has no line"), "{error}");
    }
}

#[test]
fn expressions_are_computed_as_the_linker_does() {
    let expressions = [
        ("128K - 64K", 65536),
        ("2 * 0x8000 /* two halves */", 65536),
        ("(1M + 64K) / 17", 65536),
        ("1M / 2 / 8", 65536),
        ("LENGTH(RAM) * 8", 65536),
        ("ORIGIN(RAM)-0x1fff0000", 65536),
        ("(((64K)))", 65536),
    ];
    for (length, bytes) in expressions {
        let map = MAP.replace("64K", length);
        let needs = Needs { model: bytes - 40 * 1024, ..FITS };
        assert_eq!(needs.check(&map), Ok(()), "{length}");
        assert!(Needs { model: needs.model + 1, ..needs }.check(&map).is_err(), "{length}");
    }
}

#[test]
fn what_cannot_be_computed_is_refused_with_what_to_write() {
    let refused = [
        ("64Q", "`64Q` is no number"),
        ("64K -", "cannot read `the end`"),
        ("(64K", "cannot read `the end`"),
        ("64K << 1", "cannot read `<< 1`: write a number"),
        ("SIZEOF(RAM)", "write ORIGIN(RAM) or LENGTH(RAM)"),
        ("_flash", "cannot read"),
        ("64K - 65K", "negative"),
        ("64K / 0", "divided by zero"),
        ("0xffffffffffffffff * 2", "too large"),
        ("LENGTH(FLASH)", "refers to itself"),
        ("LENGTH(CCM)", "no line `CCM"),
        ("", "cannot read `the end`"),
    ];
    for (length, message) in refused {
        let error = FITS.check(&MAP.replace("64K", length)).unwrap_err();
        assert!(error.contains(message), "{length}: {error}");
    }
}
