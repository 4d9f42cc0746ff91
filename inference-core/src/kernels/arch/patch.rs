//! The pixels under a window, laid out for a block of the direct convolution: what the families in assembly
//! share around their loops.

use super::super::blocks::PIXELS;
use super::direct::Patches;
use super::family::Family;
use super::words;
use crate::format::MAX_WINDOW_ROWS;

/// The first tap of a window: its row among [`Arguments::rows`] and its place in the row, in bytes;
/// [`KEPT`] for a window whose patch is laid out already.
type Window = [usize; 2];
const KEPT: Window = [0, usize::MAX];

/// What the loop reads; the offsets of the fields are in its text.
#[repr(C)]
pub struct Arguments {
    windows: [Window; PIXELS],
    /// Null for a row outside the map.
    rows: *const *const u8,
    /// Bytes of a row of a window.
    row_len: usize,
    /// Bytes of its first row that are left out.
    offset: usize,
    /// Bytes of its taps, at least 1.
    len: usize,
    /// Two taps of a row outside the map, 16 bits each.
    blank: u32,
    /// Two words for each tap, up to a whole group.
    patches: *mut u32,
    /// Where the taps are joined, up to a whole word; null if all rows of a window are whole words.
    joined: *mut u8,
}

/// See [`Family::gather`].
#[inline(never)]
pub fn gather<F: Family>(patches: Patches<'_>) {
    let Patches { unit, input, places, kept, taps, gathered, laid_out } = patches;
    let channels = usize::from(unit.layer.input.channels);
    let row_len = usize::from(unit.layer.window.kernel_width) * channels;
    let (len, words) = (taps.len(), taps.len().div_ceil(4));
    let whole_words = row_len.is_multiple_of(4) && len.is_multiple_of(4);
    let joined = gathered.get_mut(..if whole_words { 0 } else { words });
    let (Some(joined), false) = (joined, len == 0 || row_len == 0) else { return };
    let (row, offset) = (taps.start / row_len, taps.start % row_len);
    let (lowest, rightmost) = places.iter().fold((0, 0), |last, &(top, left)| (last.0.max(top), last.1.max(left)));
    let count = (offset + len).div_ceil(row_len) + lowest;
    let mut rows = [core::ptr::null(); MAX_WINDOW_ROWS];
    for (index, start) in rows.iter_mut().enumerate().take(count) {
        let row = input.row(row + index);
        if !row.is_empty() {
            *start = row.as_ptr();
        }
    }
    if count > rows.len()
        || input.row_len < rightmost * channels + row_len
        || laid_out.len() < len.next_multiple_of(F::GROUP) * 2
    {
        return;
    }
    if let Some(last) = joined.last_mut() {
        *last = 0;
    }
    let window = |pixel: usize| {
        if kept[pixel] && kept[(pixel + 2) % PIXELS] { KEPT } else { [places[pixel].0, places[pixel].1 * channels] }
    };
    let mut arguments = Arguments {
        windows: [window(0), window(1), window(2), window(3)],
        rows: rows.as_ptr(),
        row_len,
        offset,
        len,
        blank: u32::from(unit.layer.input_zero_point) * 0x0001_0001,
        patches: laid_out.as_mut_ptr(),
        joined: if whole_words { core::ptr::null_mut() } else { words::bytes_mut(joined).as_mut_ptr() },
    };
    // SAFETY: of each window `len` bytes are read, of `count` rows at most, and joined to at most `words`
    // words; `len` taps and those that a group lacks are written. All exist, as was checked above.
    unsafe { (F::GATHER)(&mut arguments) };
}
