//! What an image puts into a board's flash.

use object::Endianness;
use object::elf::PT_LOAD;
use object::read::elf::{ElfFile32, ProgramHeader};

/// What erased flash holds.
const ERASED: u8 = 0xff;
/// More flash than any board of ours has: what is placed further apart is not in one flash.
const MOST: u64 = 64 * 1024 * 1024;

/// The bytes of an image as flash holds them, and where they begin; gaps are filled with what erased flash holds.
pub fn contents(elf: &[u8]) -> Result<(u32, Vec<u8>), String> {
    let file = ElfFile32::<Endianness>::parse(elf).map_err(|error| error.to_string())?;
    let mut pieces = Vec::new();
    for segment in file.elf_program_headers() {
        let endian = file.endian();
        if segment.p_type(endian) == PT_LOAD && segment.p_filesz(endian) > 0 {
            let bytes = segment.data(endian, elf).map_err(|()| "a segment is outside the file")?;
            pieces.push((u64::from(segment.p_paddr(endian)), bytes));
        }
    }
    pieces.sort_by_key(|(address, _)| *address);
    let start = pieces.first().ok_or("nothing is loaded")?.0;
    let mut contents = Vec::new();
    for (address, bytes) in pieces {
        let end = address - start + bytes.len() as u64;
        if end > MOST {
            return Err(format!("{address:#x} and {start:#x} are not in one flash"));
        }
        contents.resize(contents.len().max(end as usize), ERASED);
        contents[(address - start) as usize..end as usize].copy_from_slice(bytes);
    }
    Ok((start as u32, contents))
}
