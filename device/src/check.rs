//! Whether a board would start an image: what its chip reads first is where it looks.

use object::{Object, ObjectSymbol};

use crate::{Board, memory};

/// An RP2040 reads so many bytes before the flash that is ours, the last four of which are a checksum over the others.
const BOOT2_LEN: usize = 256;
/// An RP2350 looks for a description of the image in so many bytes; it begins with this word.
const DESCRIPTION_WITHIN: usize = 4096;
const DESCRIPTION: u32 = 0xffff_ded3;

/// Symbols of the firmware's build script, from the board's memory map: where the flash begins, the memory begins and ends.
const FLASH: &str = "__flash_start";
const RAM: &str = "__ram_start";
const RAM_END: &str = "__ram_end";

/// An error that says what is missing.
pub fn starts(board: &Board, elf: &[u8]) -> Result<(), String> {
    let hal = board.hal.as_deref().unwrap_or_default();
    if hal == "esp32c3" {
        // Its boot loader reads a table of segments that espflash makes of the ELF file.
        return Ok(());
    }
    let file = object::File::parse(elf).map_err(|error| error.to_string())?;
    let symbol = |name| {
        let found = file.symbols().find(|symbol| symbol.name() == Ok(name));
        found.map(|symbol| symbol.address() as u32).ok_or_else(|| format!("it has no symbol {name}"))
    };
    let (flash, ram) = (symbol(FLASH)?, symbol(RAM)?..=symbol(RAM_END)?);
    let (start, contents) = memory::contents(elf)?;
    let begin = if hal.starts_with("rp2040") {
        let boot2 = contents.first_chunk::<BOOT2_LEN>().filter(|_| start + BOOT2_LEN as u32 == flash);
        let (program, checksum) =
            boot2.and_then(|boot2| boot2.split_last_chunk()).ok_or("it has no second stage of the boot")?;
        if boot2_checksum(program) != u32::from_le_bytes(*checksum) {
            return Err("the second stage of the boot is damaged".into());
        }
        BOOT2_LEN
    } else if start == flash {
        0
    } else {
        return Err(format!("it begins at {start:#x}, the flash at {flash:#x}"));
    };
    if board.target.starts_with("riscv32") {
        return Ok(());
    }
    let words: Vec<u32> = contents
        .get(begin..)
        .unwrap_or_default()
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| u32::from_le_bytes(bytes))
        .collect();
    let [stack, reset, ..] = words[..] else { return Err("it has no vector table".into()) };
    if !ram.contains(&stack) || stack % 8 != 0 {
        return Err(format!("the stack would begin at {stack:#x}, outside the memory"));
    }
    let program = flash..flash + 4 * words.len() as u32;
    if reset % 2 == 0 || !program.contains(&reset) {
        return Err(format!("it would start at {reset:#x}, where no program is"));
    }
    if hal == "rp2350" && !words.iter().take(DESCRIPTION_WITHIN / 4).any(|&word| word == DESCRIPTION) {
        return Err("the block that describes the image is not in the first 4 KB".into());
    }
    Ok(())
}

/// The checksum of an RP2040's own program (RP2040 datasheet, 2.8.1.3.1): CRC-32, the highest bit first.
fn boot2_checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::boot2_checksum;

    #[test]
    fn the_checksum_is_crc_32_mpeg_2() {
        // The check value that catalogues of CRCs give for it.
        assert_eq!(boot2_checksum(b"123456789"), 0x0376_e6e7);
    }
}
