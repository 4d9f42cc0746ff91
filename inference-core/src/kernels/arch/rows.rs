//! The rows under a row of outputs, as pointers for loops in assembly.

use core::marker::PhantomData;
use core::ops::Range;
use core::ptr::null;

use super::super::{InputRows, Unit};
use crate::format::MAX_WINDOW_ROWS;

/// The rows under a row of outputs.
pub struct Rows<'a> {
    input: PhantomData<&'a [u8]>,
    /// Null for a row outside the map.
    pub pointers: [*const u8; MAX_WINDOW_ROWS],
    /// Bytes of a row.
    pub len: usize,
}

impl<'a> Rows<'a> {
    /// No rows, before those of a layer are [pointed](Self::point) at.
    pub const NONE: Self = Self { input: PhantomData, pointers: [null(); MAX_WINDOW_ROWS], len: 0 };

    /// The rows of this layer's window.
    #[inline(never)]
    pub fn point(&mut self, unit: &Unit<'_>, input: &InputRows<'a>) {
        self.len = unit.layer.padded_row_len();
        for (index, pointer) in self.pointers.iter_mut().take(unit.layer.window_rows()).enumerate() {
            let row = input.find_row(index);
            *pointer = if row.len() >= self.len { row.as_ptr() } else { null() };
        }
    }

    /// From the first row in the map to the last one; all rows where there is none.
    pub fn in_map(&self) -> Range<usize> {
        let first = self.pointers.iter().position(|row| !row.is_null());
        let last = self.pointers.iter().rposition(|row| !row.is_null());
        first.unwrap_or(0)..last.map_or(MAX_WINDOW_ROWS, |last| last + 1)
    }
}
