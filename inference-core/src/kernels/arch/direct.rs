//! The direct convolution in blocks of four pixels by one output channel: what the families in assembly
//! share around their loops.

use core::marker::PhantomData;
use core::ops::Range;

use super::super::blocks::{Blocking, PIXELS, Place, PoolWindow, keep_largest, row_places};
use super::super::{InputRows, Unit};
use super::family::Family;
use super::requantize::{activate, takes_high_words};
use super::{patch, words};

/// The accumulators of a channel, one a pixel.
pub type Accumulators = [i32; PIXELS];

/// The patches of a block: what to lay out for its loop, and where.
pub struct Patches<'a> {
    pub unit: &'a Unit<'a>,
    pub input: &'a InputRows<'a>,
    /// The pixels.
    pub places: [Place; PIXELS],
    /// Those whose patches are laid out already.
    pub kept: [bool; PIXELS],
    /// A chunk of the taps.
    pub taps: Range<usize>,
    /// Memory for the taps of one pixel, as bytes.
    pub gathered: &'a mut [u32],
    /// The taps of all pixels, two words a tap.
    pub laid_out: &'a mut [u32],
}

/// What the loop of a block reads; the offsets of the fields are in its text.
#[repr(C)]
pub struct BlockArguments {
    /// The patches, laid out.
    patches: *const u32,
    /// Groups of taps, at least 1.
    groups: usize,
    /// The first tap of the first channel.
    weights: *const u8,
    /// Bytes from the end of a channel's groups to the next channel's.
    gap: isize,
    /// One an output channel; null to add to the accumulators.
    bias: *const u8,
    /// Read without a bias, written always.
    accumulators: *mut Accumulators,
    /// Output channels, at least 1.
    channels: usize,
    /// 1 to write the largest of the four sums in the place of the first.
    largest: usize,
}

/// One output row of a convolution: see [`Kernels::conv_row`](super::super::Kernels::conv_row).
#[inline(never)]
pub fn conv_row<F: Family>(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) {
    let Some(mut row) = Row::<F>::cut(unit, input, workspace) else { return };
    if unit.layer.pool.size > 1 {
        row.pooled(unit, input, output);
    } else {
        row.plain(unit, input, output);
    }
}

/// No pixel.
const NOWHERE: Place = (usize::MAX, 0);

/// What a block starts from and what it leaves.
#[derive(Clone, Copy)]
struct Pass<'m> {
    /// The bias of each channel, or nothing to add to the accumulators.
    bias: &'m [u8],
    /// Whether the largest of the four sums takes the place of the first.
    largest: bool,
}

/// Multiplies `taps` with the patches of four pixels, for all channels.
///
/// `weights`: `filter_len` bytes a channel, and then a few bytes more, that are multiplied with zeros of
/// the patches.
fn multiply<F: Family>(
    patches: &[u32],
    weights: &[u8],
    filter_len: usize,
    taps: Range<usize>,
    pass: Pass<'_>,
    accumulators: &mut [Accumulators],
) {
    let channels = accumulators.len();
    let groups = taps.len().div_ceil(F::GROUP);
    let end = taps.start + groups * F::GROUP;
    if channels == 0
        || groups == 0
        || patches.len() < groups * F::GROUP * 2
        || weights.len() < (channels - 1) * filter_len + end
        || (!pass.bias.is_empty() && pass.bias.len() < channels * size_of::<i32>())
    {
        return;
    }
    let arguments = BlockArguments {
        patches: patches.as_ptr(),
        groups,
        weights: weights.as_ptr().wrapping_add(taps.start),
        gap: filter_len as isize - (groups * F::GROUP) as isize,
        bias: if pass.bias.is_empty() { core::ptr::null() } else { pass.bias.as_ptr() },
        accumulators: accumulators.as_mut_ptr(),
        channels,
        largest: usize::from(pass.largest),
    };
    // SAFETY: what `Family::BLOCK` says that it reads and writes was checked above.
    unsafe { (F::BLOCK)(&arguments) };
}

/// The taps that can add something: not those of rows beyond the map where these read as zero.
fn taps_in_map(unit: &Unit<'_>, input: &InputRows<'_>) -> Range<usize> {
    let window = unit.layer.window;
    let rows = usize::from(window.kernel_height);
    let row_len = usize::from(window.kernel_width) * usize::from(unit.layer.input.channels);
    let in_map = |row: &usize| {
        unit.layer.input_zero_point != 0
            || (0..input.conv_rows()).any(|y| !input.row(y * usize::from(window.stride_height) + row).is_empty())
    };
    match ((0..rows).find(in_map), (0..rows).rfind(in_map)) {
        (Some(first), Some(last)) => first * row_len..(last + 1) * row_len,
        _ => 0..rows * row_len,
    }
}

/// The workspace of a row, cut into its parts.
struct Row<'w, F> {
    blocking: Blocking,
    /// The taps to multiply.
    taps: Range<usize>,
    /// Taps of a chunk, whole groups.
    chunk: usize,
    high_words: bool,
    accumulators: &'w mut [Accumulators],
    largest: &'w mut [i32],
    gathered: &'w mut [u32],
    laid_out: &'w mut [u32],
    /// The pixels whose whole patches are laid out.
    places: [Place; PIXELS],
    family: PhantomData<F>,
}

impl<'w, F: Family> Row<'w, F> {
    /// `None` where the memory is too small.
    fn cut(unit: &Unit<'_>, input: &InputRows<'_>, memory: &'w mut [u8]) -> Option<Self> {
        let blocking = Blocking::of(unit.layer);
        let (accumulators, rest) = words::of(memory).split_at_mut_checked(blocking.accumulator_words())?;
        let (largest, rest) = rest.split_at_mut_checked(blocking.largest_words())?;
        let (gathered, rest) = rest.split_at_mut_checked(blocking.gathered_words())?;
        let (laid_out, _) = rest.split_at_mut_checked(blocking.widened_words())?;
        Some(Self {
            chunk: (blocking.chunk / F::GROUP * F::GROUP).max(1),
            blocking,
            taps: taps_in_map(unit, input),
            high_words: takes_high_words(unit),
            accumulators: words::signed(accumulators).as_chunks_mut().0,
            largest: words::signed(largest),
            gathered,
            laid_out,
            places: [NOWHERE; PIXELS],
            family: PhantomData,
        })
    }

    /// Accumulates all channels of four pixels; with `largest`, leaves the largest as the first one.
    #[inline(never)]
    fn accumulate(&mut self, unit: &Unit<'_>, input: &InputRows<'_>, places: [Place; PIXELS], largest: bool) {
        let filter_len = self.blocking.taps;
        // Overlapping pooling windows share pixels.
        let mut kept = [false; PIXELS];
        for ((kept, place), laid_out) in kept.iter_mut().zip(&places).zip(&self.places) {
            *kept = place == laid_out;
        }
        let mut bias = unit.parameters.bias;
        let mut start = self.taps.start;
        while start < self.taps.end {
            let taps = start..self.taps.end.min(start + self.chunk);
            let (gathered, laid_out) = (&mut *self.gathered, &mut *self.laid_out);
            patch::gather::<F>(Patches { unit, input, places, kept, taps: taps.clone(), gathered, laid_out });
            let pass = Pass { bias, largest: largest && taps.end == self.taps.end };
            multiply::<F>(self.laid_out, unit.parameters.weights, filter_len, taps, pass, self.accumulators);
            bias = &[];
            start += self.chunk.max(1);
        }
        if self.chunk >= self.taps.len() {
            self.places = places;
        }
    }

    /// One output row without pooling: four pixels at a time.
    fn plain(&mut self, unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        let channels = self.blocking.channels.max(1);
        for (index, pixels) in output.chunks_mut(channels * PIXELS).enumerate() {
            let places = row_places(unit.layer, index, pixels.len() / channels);
            self.accumulate(unit, input, places, false);
            for (pixel, output) in pixels.chunks_exact_mut(channels).enumerate() {
                let sums = self.accumulators.as_flattened().get(pixel..).unwrap_or(&[]);
                activate(unit, self.high_words, sums, PIXELS, output);
            }
        }
    }

    /// One pooled output row: a pooling window at a time, four of its pixels at a time.
    fn pooled(&mut self, unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        for (x, pixel) in output.chunks_exact_mut(self.blocking.channels.max(1)).enumerate() {
            let window = PoolWindow::of(unit.layer, input.conv_rows(), x);
            for start in (0..=window.last).step_by(PIXELS) {
                self.accumulate(unit, input, window.places(unit.layer, start), true);
                keep_largest(start == 0, self.largest, self.accumulators);
            }
            activate(unit, self.high_words, self.accumulators.as_flattened(), PIXELS, pixel);
        }
    }
}
