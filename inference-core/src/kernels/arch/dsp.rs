//! The DSP extension of ARMv7E-M and ARMv8-M: two 16-bit multiply-accumulates an instruction.

use super::super::blocks::{Blocking, PIXELS};
use super::super::portable::{Portable, dot};
use super::super::{InputRows, Kernels, Unit, winograd};
use super::dsp_block::{Accumulators, Pass, activate, dense, multiply, takes_high_words, widen};
use super::words;

/// The family for cores with the DSP extension.
pub struct Dsp;

/// The workspace, cut into its parts.
struct Workspace<'w> {
    blocking: Blocking,
    high_words: bool,
    accumulators: &'w mut [Accumulators],
    largest: &'w mut [i32],
    gathered: &'w mut [u32],
    widened: &'w mut [u32],
    /// The pixels whose whole patches are in `widened`.
    places: [Option<Place>; PIXELS],
}

/// A pixel of the convolution's result: its first row in the window, its first input column.
type Place = (usize, usize);

impl<'w> Workspace<'w> {
    /// `None` where the memory is too small.
    fn cut(unit: &Unit<'_>, memory: &'w mut [u8]) -> Option<Self> {
        let blocking = Blocking::of(&unit.layer);
        let high_words = takes_high_words(unit);
        let (accumulators, rest) = words::of(memory).split_at_mut_checked(blocking.accumulator_words())?;
        let (largest, rest) = rest.split_at_mut_checked(blocking.largest_words())?;
        let (gathered, rest) = rest.split_at_mut_checked(blocking.gathered_words())?;
        let (widened, _) = rest.split_at_mut_checked(blocking.widened_words())?;
        Some(Self {
            blocking,
            high_words,
            accumulators: words::signed(accumulators).as_chunks_mut().0,
            largest: words::signed(largest),
            gathered,
            widened,
            places: [None; PIXELS],
        })
    }

    /// Accumulates all channels of four pixels; with `largest`, leaves the largest as the first one.
    fn accumulate(&mut self, unit: &Unit<'_>, input: &InputRows<'_>, places: [Place; PIXELS], largest: bool) {
        let taps = self.blocking.taps;
        let mut bias = unit.parameters.bias;
        for start in (0..taps).step_by(self.blocking.chunk.max(1)) {
            let len = self.blocking.chunk.min(taps - start);
            for (pixel, place) in places.into_iter().enumerate() {
                // Overlapping pooling windows share pixels.
                if self.places.get(pixel) != Some(&Some(place)) {
                    self.gather(unit, input, place, pixel, start, len);
                }
            }
            let patches = self.widened.get(..len.div_ceil(4) * 2 * PIXELS).unwrap_or(&[]);
            let pass = Pass { bias, largest: largest && start + len == taps };
            multiply(patches, unit.parameters.weights, (start, taps), pass, self.accumulators);
            bias = &[];
        }
        if self.blocking.chunk >= taps {
            self.places = places.map(Some);
        }
    }

    /// Widens `len` taps of a patch, from tap `start` on, and zeros up to a whole word.
    fn gather(
        &mut self,
        unit: &Unit<'_>,
        input: &InputRows<'_>,
        (top, left): Place,
        pixel: usize,
        start: usize,
        len: usize,
    ) {
        let layer = &unit.layer;
        let channels = usize::from(layer.input.channels);
        let row_len = (usize::from(layer.window.kernel_width) * channels).max(1);
        let Some(target) = self.widened.get_mut(pixel..) else { return };
        if channels.is_multiple_of(4) {
            // Straight from the rows.
            let mut done = 0;
            while done < len {
                let (row, offset) = ((start + done) / row_len, (start + done) % row_len);
                let count = (row_len - offset).min(len - done);
                let first = left * channels + offset;
                let Some(target) = target.get_mut(done * 2..) else { return };
                match input.row(top + row).get(first..first + count) {
                    Some(taps) => widen(taps, target),
                    None => {
                        let lanes = u32::from(layer.input_zero_point) * 0x0001_0001;
                        target.iter_mut().step_by(PIXELS).take(count / 2).for_each(|word| *word = lanes);
                    }
                }
                done += count;
            }
            return;
        }
        match (row_len, start, len) {
            (3, 0, 9) => return narrow::<3, 12, 16>(input, (top, left), layer.input_zero_point, target),
            (5, 0, 25) => return narrow::<5, 28, 32>(input, (top, left), layer.input_zero_point, target),
            (7, 0, 49) => return narrow::<7, 52, 56>(input, (top, left), layer.input_zero_point, target),
            _ => {}
        }
        let bytes = words::bytes_mut(self.gathered);
        let (mut row, mut offset) = (start / row_len, start % row_len);
        let mut done = 0;
        while done < len {
            let count = (row_len - offset).min(len - done);
            let first = left * channels + offset;
            if let Some(bytes) = bytes.get_mut(done..done + count) {
                match input.row(top + row).get(first..first + count) {
                    Some(taps) => bytes.iter_mut().zip(taps).for_each(|(byte, &tap)| *byte = tap),
                    None => bytes.fill(layer.input_zero_point),
                }
            }
            done += count;
            (row, offset) = (row + 1, 0);
        }
        let end = len.next_multiple_of(4);
        if let Some(bytes) = bytes.get_mut(..end) {
            bytes.iter_mut().skip(len).for_each(|byte| *byte = 0);
            widen(bytes, target);
        }
    }

    /// One output row without pooling: four pixels at a time.
    fn plain_row(&mut self, unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        let channels = self.blocking.channels.max(1);
        let stride = usize::from(unit.layer.window.stride_width);
        for (index, pixels) in output.chunks_mut(channels * PIXELS).enumerate() {
            let last = (pixels.len() / channels).saturating_sub(1);
            let places = [0, 1, 2, 3].map(|pixel: usize| (0, (index * PIXELS + pixel.min(last)) * stride));
            self.accumulate(unit, input, places, false);
            for (pixel, output) in pixels.chunks_exact_mut(channels).enumerate() {
                let sums = self.accumulators.as_flattened().get(pixel..).unwrap_or(&[]);
                activate(unit, self.high_words, sums, PIXELS, output);
            }
        }
    }

    /// One pooled output row: a pooling window at a time, four of its pixels at a time.
    fn pooled_row(&mut self, unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        let (window, pool) = (&unit.layer.window, &unit.layer.pool);
        let conv_width = unit.layer.conv_width();
        let rows = input.conv_rows();
        for (x, pixel) in output.chunks_exact_mut(self.blocking.channels.max(1)).enumerate() {
            let first = x * usize::from(pool.stride);
            let width = usize::from(pool.size).min(conv_width - first.min(conv_width)).max(1);
            let last = (rows * width).saturating_sub(1);
            for start in (0..=last).step_by(PIXELS) {
                let places = [0, 1, 2, 3].map(|index| {
                    let index = (start + index).min(last);
                    // A column that the next window has too keeps its place in the block.
                    let (y, x) = (index / width, first + (index + width - first % width) % width);
                    (y * usize::from(window.stride_height), x * usize::from(window.stride_width))
                });
                self.accumulate(unit, input, places, true);
                if self.blocking.many_blocks {
                    for (largest, sums) in self.largest.iter_mut().zip(self.accumulators.iter_mut()) {
                        let before = if start == 0 { i32::MIN } else { *largest };
                        *largest = before.max(sums[0]);
                        sums[0] = *largest;
                    }
                }
            }
            activate(unit, self.high_words, self.accumulators.as_flattened(), PIXELS, pixel);
        }
    }
}

/// Widens a whole patch of `N` rows of `N` bytes, and zeros up to `LEN` bytes, a word at a time; `ROOM`
/// is enough for the last word that is written.
fn narrow<const N: usize, const LEN: usize, const ROOM: usize>(
    input: &InputRows<'_>,
    (top, left): Place,
    zero_point: u8,
    target: &mut [u32],
) {
    let mut bytes = [0; ROOM];
    for row in 0..N {
        let taps = input.row(top + row);
        for start in (0..N).step_by(4) {
            let word = match taps.get(left + start..).and_then(|taps| taps.first_chunk::<4>()) {
                Some(word) => *word,
                None => [0, 1, 2, 3].map(|byte| taps.get(left + start + byte).copied().unwrap_or(zero_point)),
            };
            if let Some(bytes) = bytes.get_mut(row * N + start..).and_then(|bytes| bytes.first_chunk_mut()) {
                *bytes = word;
            }
        }
    }
    if let Some(bytes) = bytes.get_mut(..LEN) {
        bytes.iter_mut().skip(N * N).for_each(|byte| *byte = 0);
        widen(bytes, target);
    }
}

impl Kernels for Dsp {
    const NAME: &'static str = "dsp";

    fn conv_row(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) {
        let Some(mut work) = Workspace::cut(unit, workspace) else {
            return Portable::conv_row(unit, input, workspace, output);
        };
        if unit.layer.pool.size > 1 {
            work.pooled_row(unit, input, output);
        } else {
            work.plain_row(unit, input, output);
        }
    }

    fn winograd_rows(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], outputs: [&mut [u8]; 2]) {
        winograd::rows::<Self>(unit, input, workspace, outputs);
    }

    fn depthwise_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        Portable::depthwise_row(unit, input, output);
    }

    fn dense_row(unit: &Unit<'_>, index: usize, row: &[u8], accumulators: &mut [[u8; 4]]) {
        let row_weights = row.len() * accumulators.len();
        let Some(mut weights) = unit.parameters.weights.get(index * row_weights..) else { return };
        let (groups, rest) = accumulators.as_chunks_mut::<PIXELS>();
        for group in groups {
            let mut sums = group.map(i32::from_le_bytes);
            let done = dense(row, weights, &mut sums);
            for (filter, sum) in weights.chunks_exact(row.len().max(1)).zip(&mut sums) {
                if let (Some(row), Some(filter)) = (row.get(done..), filter.get(done..)) {
                    *sum = sum.wrapping_add(dot(row, filter));
                }
            }
            *group = sums.map(i32::to_le_bytes);
            weights = weights.get(PIXELS * row.len()..).unwrap_or(&[]);
        }
        for (accumulator, filter) in rest.iter_mut().zip(weights.chunks_exact(row.len().max(1))) {
            *accumulator = i32::from_le_bytes(*accumulator).wrapping_add(dot(row, filter)).to_le_bytes();
        }
    }

    fn average_row(unit: &Unit<'_>, row: &[u8], accumulators: &mut [[u8; 4]]) {
        Portable::average_row(unit, row, accumulators);
    }
}
