//! Whether a model fits a board, as far as that is known before the compiler has run. The linker has the last word.

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

/// The length of a region in a linker script's MEMORY command: `NAME : ORIGIN = 0x0, LENGTH = 256K`.
fn region(memory_map: &str, name: &str) -> Result<usize, String> {
    let line = memory_map
        .lines()
        .map(str::trim)
        .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with([':', '('])));
    let length = line.and_then(|line| line.rsplit_once("LENGTH")).and_then(|(_, rest)| rest.trim().strip_prefix('='));
    length.and_then(bytes).ok_or_else(|| format!("the memory map has no line `{name} : ORIGIN = .., LENGTH = ..`"))
}

/// A number as linker scripts write it: decimal or 0x.., then K or M where it is kilo- or megabytes.
fn bytes(text: &str) -> Option<usize> {
    let text = text.trim();
    let (digits, unit) = match text.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 1024),
        None => text.strip_suffix(['M', 'm']).map_or((text, 1), |digits| (digits, 1024 * 1024)),
    };
    let number = match digits.strip_prefix("0x") {
        Some(hex) => usize::from_str_radix(hex, 16).ok()?,
        None => digits.trim().parse().ok()?,
    };
    number.checked_mul(unit)
}
