//! The direct convolution in blocks of four pixels by one output channel: what the families in assembly
//! share around their loops.

use core::marker::PhantomData;
use core::ops::Range;

use super::super::blocks::{Blocking, PIXELS, Place, PoolWindow, keep_largest, row_places};
use super::super::{InputRows, Unit};
use super::arguments::{Accumulators, BlockArguments};
use super::family::Family;
use super::patch::Patches;
use super::requantize::{activate, takes_high_words};
use super::words;

/// One output row of a convolution: see [`Kernels::conv_row`](super::super::Kernels::conv_row).
#[inline(never)]
pub fn conv_row<F: Family>(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) {
    let mut row = Row::<F>::none();
    if row.prepare(unit, input, workspace).is_none() {
        return;
    }
    let layer = unit.layer;
    let is_pooled = layer.pool.size > 1;
    let channels = row.accumulators.len().max(1);
    // A block makes one pixel of a pooled row, the largest of its pixels or those of several blocks, or four of another.
    let outputs = if is_pooled { 1 } else { PIXELS };
    for (index, pixels) in output.chunks_mut((channels * outputs).max(1)).enumerate() {
        let window = if is_pooled { PoolWindow::of(layer, input.conv_rows(), index) } else { PoolWindow::SINGLE };
        for start in (0..=window.last).step_by(PIXELS) {
            let places = match is_pooled {
                true => window.places(layer, start),
                false => row_places(layer, index, pixels.len() / channels),
            };
            row.accumulate(unit, places, is_pooled);
            if is_pooled {
                keep_largest(start == 0, row.largest, row.accumulators);
            }
        }
        for (pixel, output) in pixels.chunks_exact_mut(channels).enumerate() {
            let sums = row.accumulators.as_flattened().get(pixel..).unwrap_or(&[]);
            activate(unit, row.high_words, sums, PIXELS, output);
        }
    }
}

/// What the blocks of a row share.
struct Row<'w, F> {
    patches: Patches<'w>,
    /// Taps of a filter, and those of them to multiply.
    filter_len: usize,
    taps: Range<usize>,
    high_words: bool,
    accumulators: &'w mut [Accumulators],
    /// The largest sums of a pooling window of several blocks.
    largest: &'w mut [i32],
    family: PhantomData<F>,
}

impl<'w, F: Family> Row<'w, F> {
    /// Nothing, before it is [prepared](Self::prepare).
    #[inline(always)]
    fn none() -> Self {
        Self {
            patches: Patches::none(),
            filter_len: 0,
            taps: 0..0,
            high_words: false,
            accumulators: &mut [],
            largest: &mut [],
            family: PhantomData,
        }
    }

    /// Cuts the workspace; `None` where it is too small.
    #[inline(never)]
    fn prepare(&mut self, unit: &Unit<'_>, input: &InputRows<'w>, workspace: &'w mut [u8]) -> Option<()> {
        let blocking = Blocking::of(unit.layer);
        let (accumulators, rest) = words::of(workspace).split_at_mut_checked(blocking.accumulator_words())?;
        let (largest, rest) = rest.split_at_mut_checked(blocking.largest_words())?;
        let (gathered, rest) = rest.split_at_mut_checked(blocking.gathered_words())?;
        let laid_out = rest.get_mut(..blocking.widened_words())?;
        self.filter_len = blocking.taps;
        self.high_words = takes_high_words(unit);
        self.accumulators = words::signed(accumulators).as_chunks_mut().0;
        self.largest = words::signed(largest);
        self.taps = self.patches.prepare::<F>(unit, input, gathered, laid_out);
        Some(())
    }

    /// Accumulates all channels of four pixels; with `largest`, leaves the largest as the first one.
    #[inline(never)]
    fn accumulate(&mut self, unit: &Unit<'_>, places: [Place; PIXELS], largest: bool) {
        self.patches.aim(places);
        let mut bias = unit.parameters.bias;
        let mut start = self.taps.start;
        while start < self.taps.end {
            let taps = start..self.taps.end.min(start + self.patches.chunk.max(1));
            start = taps.end;
            let largest = largest && start == self.taps.end;
            self.multiply(unit.parameters.weights, bias, taps, largest);
            bias = &[];
        }
    }

    /// Multiplies `taps` with their patches, for all channels. `bias`: what the sums begin with; or nothing, to add to
    /// the accumulators.
    ///
    /// `weights`: those of the layer, and then a few bytes more, that are multiplied with zeros of the patches.
    fn multiply(&mut self, weights: &[u8], bias: &[u8], taps: Range<usize>, largest: bool) {
        let channels = self.accumulators.len();
        let groups = taps.len().div_ceil(F::GROUP);
        let group_taps = groups * F::GROUP;
        if channels == 0
            || groups == 0
            || group_taps > self.patches.chunk
            || weights.len() < (channels - 1) * self.filter_len + taps.start + group_taps
            || (!bias.is_empty() && bias.len() < channels * size_of::<i32>())
        {
            return;
        }
        let arguments = BlockArguments {
            patches: self.patches.gather::<F>(&taps),
            groups,
            weights: weights.as_ptr().wrapping_add(taps.start),
            gap: self.filter_len as isize - group_taps as isize,
            bias: if bias.is_empty() { core::ptr::null() } else { bias.as_ptr() },
            accumulators: self.accumulators.as_mut_ptr(),
            channels,
            largest: usize::from(largest),
        };
        // SAFETY: what `Family::BLOCK` says that it reads and writes was checked above; of patches, there is room for
        // a chunk.
        unsafe { (F::BLOCK)(&arguments) };
    }
}
