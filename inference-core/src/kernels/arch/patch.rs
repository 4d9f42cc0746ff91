//! The pixels under a window, laid out for a block of the direct convolution: what the families in assembly
//! share around their loops.

use core::marker::PhantomData;
use core::ops::Range;
use core::ptr::{null, null_mut};

use super::super::blocks::{PIXELS, Place};
use super::super::{InputRows, Unit};
use super::arguments::{KEPT, PatchArguments};
use super::family::Family;
use super::rows::Rows;
use super::words;
use crate::format::{Layer, MAX_WINDOW_ROWS};

/// The patches of a block, and how they get there.
pub struct Patches<'w> {
    rows: Rows<'w>,
    channels: usize,
    window_rows: usize,
    /// Taps that are laid out at a time, at most: whole groups.
    pub chunk: usize,
    /// Memory for the taps of one pixel, as bytes.
    gathered: &'w mut [u32],
    laid_out: *mut u32,
    memory: PhantomData<&'w mut [u32]>,
    /// Whether overlapping pooling windows may find pixels of the last block where they want them.
    overlaps: bool,
    /// The pixels of the last block, and whether they are inside the rows.
    places: [Place; PIXELS],
    inside: bool,
    /// Those parts that are the same for all blocks are not written again.
    arguments: PatchArguments,
}

impl<'w> Patches<'w> {
    /// No patches, before there are some to [lay out](Self::prepare).
    #[inline(always)]
    pub fn none() -> Self {
        Self {
            rows: Rows::NONE,
            channels: 0,
            window_rows: 0,
            chunk: 0,
            gathered: &mut [],
            laid_out: null_mut(),
            memory: PhantomData,
            overlaps: false,
            // Zeros until they are prepared: other arrays would be made beside their place first.
            places: [Place::ORIGIN; PIXELS],
            inside: false,
            arguments: PatchArguments {
                windows: [[0; 2]; PIXELS],
                rows: null(),
                row_len: 0,
                offset: 0,
                len: 0,
                blank: 0,
                patches: null_mut(),
                joined: null_mut(),
            },
        }
    }

    /// The patches of a row; returns the taps that can add something: not those of rows beyond the map where these
    /// read as zero. `gathered`: a chunk of a pixel's taps as bytes; `laid_out`: the taps of all pixels, two words a tap.
    ///
    /// Changed in their place: what is returned would be on the stack twice.
    #[inline(never)]
    pub fn prepare<F: Family>(
        &mut self,
        unit: &Unit<'_>,
        input: &InputRows<'w>,
        gathered: &'w mut [u32],
        laid_out: &'w mut [u32],
    ) -> Range<usize> {
        let Layer { window, input_zero_point, .. } = unit.layer;
        self.rows.point(unit, input);
        self.channels = usize::from(unit.layer.input.channels);
        self.window_rows = usize::from(window.kernel_height);
        self.places = [Place::NOWHERE; PIXELS];
        self.chunk = (laid_out.len() / 2).min(gathered.len() * 4) / F::GROUP * F::GROUP;
        self.gathered = gathered;
        self.laid_out = laid_out.as_mut_ptr();
        let row_len = usize::from(window.kernel_width) * self.channels;
        self.arguments.row_len = row_len;
        self.arguments.blank = u32::from(*input_zero_point) * 0x0001_0001;
        let mut rows = 0..self.window_rows;
        if *input_zero_point == 0 {
            let reached = self.rows.in_map();
            // The window of the last row of results is so far below that of the first one.
            let below = input.conv_rows().saturating_sub(1) * usize::from(window.stride_height);
            rows = reached.start.saturating_sub(below).min(rows.end)..reached.end.min(rows.end);
        }
        let taps = rows.start * row_len..rows.end * row_len;
        self.overlaps = taps.len() <= self.chunk;
        taps
    }

    /// Chooses the pixels of the next block: what [`Patches::gather`] lays out.
    pub fn aim(&mut self, places: [Place; PIXELS]) {
        let ([a, b, c, d], [before_a, before_b, before_c, before_d]) = (places, self.places);
        // The loops keep pairs of pixels.
        let even = self.overlaps && a == before_a && c == before_c;
        let odd = self.overlaps && b == before_b && d == before_d;
        let window = |Place { top, left }, kept| {
            if kept { KEPT } else { [usize::from(top), usize::from(left) * self.channels] }
        };
        self.arguments.windows = [window(a, even), window(b, odd), window(c, even), window(d, odd)];
        let (lowest, rightmost) =
            places.iter().fold((0, 0), |last, place| (last.0.max(place.top), last.1.max(place.left)));
        let end = usize::from(rightmost) * self.channels + self.arguments.row_len;
        self.inside = end <= self.rows.len && usize::from(lowest) + self.window_rows <= MAX_WINDOW_ROWS;
        self.places = places;
    }

    /// Lays these taps of the chosen pixels out, at most a chunk, and returns where.
    pub fn gather<F: Family>(&mut self, taps: &Range<usize>) -> *const u32 {
        let PatchArguments { row_len, .. } = self.arguments;
        let (len, words) = (taps.len(), taps.len().div_ceil(4));
        let fits = self.inside && len > 0 && len <= self.chunk && taps.end <= self.window_rows * row_len;
        let (Some(joined), true, Some(row)) = (self.gathered.get_mut(..words), fits, taps.start.checked_div(row_len))
        else {
            return self.laid_out;
        };
        if let Some(last) = joined.last_mut() {
            *last = 0;
        }
        let whole_words = row_len.is_multiple_of(4) && len.is_multiple_of(4);
        self.arguments.rows = self.rows.pointers.as_ptr().wrapping_add(row);
        self.arguments.offset = taps.start - row * row_len;
        self.arguments.len = len;
        self.arguments.patches = self.laid_out;
        self.arguments.joined = if whole_words { null_mut() } else { words::bytes_mut(joined).as_mut_ptr() };
        // SAFETY: of each window `len` bytes are read, of rows that are as long as the windows need or null, and
        // joined to at most `words` words; `len` taps and those that a group lacks are written. All exist, as was
        // checked above.
        unsafe { (F::GATHER)(&mut self.arguments) };
        self.laid_out
    }
}
