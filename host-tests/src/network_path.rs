//! What of an image a network runs: the functions of the core, and all that they reach.
//!
//! The linker keeps its relocations in the ELF file, so every call and every table is found where it stands.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use object::elf::{R_ARM_ABS32, R_ARM_TARGET1};
use object::{
    Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionKind, SymbolKind, SymbolSection,
};

/// What the mangled names of the core's functions contain, and of its implementations of traits; other crates' names go on.
const CORE: [&str; 2] = ["8thumbnet", "thumbnet.."];
/// What the name of the model's bytes contains.
const MODEL: &str = "firmware5start";
/// Arm's mapping symbols: instructions or data from here on.
const CODE: &str = "$t";
const DATA: &str = "$d";

/// A function or a constant of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its symbol.
    pub name: String,
    /// Bytes in flash.
    pub size: u64,
    /// Its instructions, without the data between them; none for a constant.
    pub code: Vec<u8>,
}

/// Bytes of program and constants that a network needs, without its model.
pub fn network_text(elf: &[u8]) -> Result<u64> {
    Ok(network_path(elf)?.iter().map(|piece| piece.size).sum())
}

/// What a network needs of an image, in the order of addresses.
pub fn network_path(elf: &[u8]) -> Result<Vec<Piece>> {
    let image = Image::read(elf)?;
    let core = |address: &u64| CORE.iter().any(|part| image.symbols[address].name.contains(part));
    let mut open: Vec<u64> = image.symbols.keys().copied().filter(core).collect();
    let mut reached = BTreeSet::new();
    while let Some(address) = open.pop() {
        if reached.insert(address) {
            let end = address + image.symbols[&address].size;
            let targets = image.references.range(address..end).flat_map(|(_, targets)| targets);
            open.extend(targets.filter_map(|&target| image.symbol_at(target)));
        }
    }
    Ok(reached.into_iter().map(|address| image.piece(address)).collect())
}

struct Symbol {
    name: String,
    size: u64,
    is_function: bool,
}

/// What is needed of an ELF file.
struct Image<'a> {
    /// Functions and constants by address.
    symbols: BTreeMap<u64, Symbol>,
    /// What the places of an image refer to.
    references: BTreeMap<u64, Vec<u64>>,
    /// Where instructions begin, and where they end.
    is_code: BTreeMap<u64, bool>,
    /// Address and bytes of each section that is in flash.
    sections: Vec<(u64, &'a [u8])>,
}

impl<'a> Image<'a> {
    fn read(elf: &'a [u8]) -> Result<Self> {
        let file = object::File::parse(elf)?;
        let (mut symbols, mut is_code) = (BTreeMap::new(), BTreeMap::new());
        for symbol in file.symbols() {
            let name = symbol.name()?;
            if name.starts_with(CODE) || name.starts_with(DATA) {
                is_code.insert(symbol.address(), name.starts_with(CODE));
            }
            let SymbolSection::Section(index) = symbol.section() else { continue };
            let kind = file.section_by_index(index)?.kind();
            // The model is data of the firmware; parsing it is reached with its address.
            let is_model = symbol.kind() == SymbolKind::Data && name.contains(MODEL);
            let in_flash = !is_model && matches!(kind, SectionKind::Text | SectionKind::ReadOnlyData);
            if in_flash && symbol.size() > 0 && matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data) {
                let address = symbol.address() & !u64::from(symbol.kind() == SymbolKind::Text);
                let is_function = symbol.kind() == SymbolKind::Text;
                symbols.insert(address, Symbol { name: name.to_string(), size: symbol.size(), is_function });
            }
        }
        let (mut references, mut sections) = (BTreeMap::<u64, Vec<u64>>::new(), Vec::new());
        let mut relocations = 0;
        for section in file.sections() {
            if !matches!(section.kind(), SectionKind::Text | SectionKind::ReadOnlyData) {
                continue;
            }
            let (start, data) = (section.address(), section.data()?);
            sections.push((start, data));
            for (place, relocation) in section.relocations() {
                relocations += 1;
                let word = || {
                    let bytes = data.get((place - start) as usize..)?.first_chunk::<4>()?;
                    Some(u64::from(u32::from_le_bytes(*bytes)))
                };
                let target = match (relocation.flags(), relocation.target()) {
                    // The linked image has the whole address in its place.
                    (RelocationFlags::Elf { r_type: R_ARM_ABS32 | R_ARM_TARGET1 }, _) => word(),
                    (_, RelocationTarget::Symbol(index)) => Some(file.symbol_by_index(index)?.address()),
                    _ => None,
                };
                references.entry(place).or_default().extend(target);
            }
        }
        anyhow::ensure!(relocations > 0, "the image has no relocations: it was not linked with --emit-relocs");
        Ok(Self { symbols, references, is_code, sections })
    }

    /// The symbol that an address lies in.
    fn symbol_at(&self, address: u64) -> Option<u64> {
        let (&start, symbol) = self.symbols.range(..=address).next_back()?;
        (address < start + symbol.size).then_some(start)
    }

    fn piece(&self, address: u64) -> Piece {
        let Symbol { name, size, is_function } = &self.symbols[&address];
        let code = if *is_function { self.code(address, *size) } else { None };
        Piece { name: name.clone(), size: *size, code: code.unwrap_or_default() }
    }

    fn code(&self, start: u64, size: u64) -> Option<Vec<u8>> {
        let (section, data) = self.sections.iter().find(|(at, data)| (*at..at + data.len() as u64).contains(&start))?;
        let mut is_code = self.is_code.range(..=start).next_back().is_some_and(|(_, &code)| code);
        let mut code = Vec::new();
        for address in start..start + size {
            is_code = self.is_code.get(&address).copied().unwrap_or(is_code);
            if is_code {
                code.push(*data.get((address - section) as usize)?);
            }
        }
        Some(code)
    }
}

/// The bytes of an image.
pub fn read(elf: &std::path::Path) -> Result<Vec<u8>> {
    std::fs::read(elf).with_context(|| format!("reading {}", elf.display()))
}
