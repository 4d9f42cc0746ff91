//! Whether a model fits a board, as far as that is known before the compiler has run. The linker has the last word.

#[path = "expression.rs"]
mod expression;

use expression::Symbols;

/// Bytes left to the program itself, without the model.
const CODE_ALLOWANCE: usize = 40 * 1024;
/// Bytes left to the stack. A test measures less than half of that for the image that ships, and `cargo xtask bench` at
/// most 1.2 KiB for any model; the rest is for the interrupts of a board's drivers and for what logs and debuggers add.
pub const STACK_RESERVE: usize = 2 * 1024;
/// Bytes left to the stack and to small variables where the arena takes the rest.
const REST: usize = 3 * 1024;

/// Memory from which on a board has room for large images and answers.
const LARGE_RAM: usize = 256 * 1024;

/// What an image takes that is built for any model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Largest {
    /// Bytes of the largest input.
    pub pixels: usize,
    /// Values of the longest answer.
    pub outputs: usize,
}

impl Largest {
    const SMALL: Self = Self { pixels: 32 * 32, outputs: 64 };
    const LARGE: Self = Self { pixels: 96 * 96 * 3, outputs: 1024 };

    /// The larger one where the board has the memory for it.
    pub fn of(memory_map: &str) -> Result<Self, String> {
        Ok(if region(memory_map, "RAM")? >= LARGE_RAM { Self::LARGE } else { Self::SMALL })
    }
}

/// Bytes that model and protocol take.
#[derive(Debug)]
pub struct Needs {
    pub model: usize,
    pub arena: usize,
    pub request: usize,
    pub reply: usize,
}

impl Needs {
    /// An error that says how many bytes are missing where the memory map is too small.
    pub fn check(&self, memory_map: &str) -> Result<(), String> {
        let Self { model, arena, request, reply } = self;
        let flash = region(memory_map, "FLASH")?;
        if let Some(over @ 1..) = (model + CODE_ALLOWANCE).checked_sub(flash) {
            return Err(format!(
                "too large for the flash by {over} bytes: \
                 the model has {model}, the program may have {CODE_ALLOWANCE}, the flash has {flash}"
            ));
        }
        let ram = region(memory_map, "RAM")?;
        if let Some(over @ 1..) = (arena + request + reply + STACK_RESERVE).checked_sub(ram) {
            return Err(format!(
                "too large for the memory by {over} bytes: the arena has {arena}, a request {request}, \
                 a reply {reply}, the stack {STACK_RESERVE}, the memory has {ram}"
            ));
        }
        Ok(())
    }
}

/// The bytes of the largest arena that a board has room for beside these buffers, where the model comes from outside.
pub fn largest_arena(memory_map: &str, request: usize, reply: usize) -> Result<usize, String> {
    region(memory_map, "MODEL")?;
    let ram = region(memory_map, "RAM")?;
    Ok(ram.saturating_sub(request + reply + REST))
}

/// A linker script's MEMORY command, one region a line: `NAME : ORIGIN = 0x0, LENGTH = 256K`.
struct Map<'a> {
    lines: Vec<(&'a str, &'a str)>,
    /// How deep expressions may refer to one another: a region that needs itself would never end.
    depth: usize,
}

impl<'a> Map<'a> {
    fn new(script: &'a str) -> Self {
        // What comments say is no region; a comment ends on the line of a region or stands on lines of its own.
        let lines = script.lines().filter_map(|line| line.split("/*").next()?.split_once(':'));
        let named = lines.map(|(name, rest)| (name.split('(').next().unwrap_or(name).trim(), rest));
        Self { lines: named.collect(), depth: 0 }
    }

    /// What stands behind `ORIGIN =` or `LENGTH =` of a region.
    fn attribute(&self, attribute: &str, region: &str) -> Result<&'a str, String> {
        let line = self.lines.iter().find(|(name, rest)| *name == region && rest.contains("LENGTH"));
        let text = line.and_then(|(_, rest)| {
            let (origin, length) = rest.split_once("LENGTH")?;
            let text = match attribute {
                "LENGTH" => length,
                _ => origin.trim().strip_prefix("ORIGIN")?.trim_end().strip_suffix(',')?,
            };
            text.trim().strip_prefix('=')
        });
        text.ok_or_else(|| format!("the memory map has no line `{region} : ORIGIN = .., LENGTH = ..`"))
    }
}

impl Symbols for Map<'_> {
    fn value(&self, function: &str, region: &str) -> Result<u64, String> {
        if !["ORIGIN", "LENGTH"].contains(&function) {
            return Err(format!("cannot read `{function}({region})`: write ORIGIN({region}) or LENGTH({region})"));
        }
        let text = self.attribute(function, region)?;
        let deeper = Self { lines: self.lines.clone(), depth: self.depth + 1 };
        if deeper.depth > self.lines.len() {
            return Err(format!("{function}({region}) refers to itself"));
        }
        expression::value(text, &deeper).map_err(|error| format!("{function} of {region} in the memory map: {error}"))
    }
}

/// The length of a region.
fn region(memory_map: &str, name: &str) -> Result<usize, String> {
    let length = Map::new(memory_map).value("LENGTH", name)?;
    length.try_into().map_err(|_| format!("{name} is longer than this computer can count"))
}
