//! The DSP extension of ARMv7E-M and ARMv8-M: two 16-bit multiply-accumulates an instruction.

use super::super::blocks::{Blocking, PIXELS};
use super::super::portable::Portable;
use super::super::{InputRows, Kernels, Unit, winograd};
use super::dsp_block::{Accumulators, Pass, activate, multiply, widen};
use super::words;

/// The family for cores with the DSP extension.
pub struct Dsp;

/// The workspace, cut into its parts.
struct Workspace<'w> {
    blocking: Blocking,
    accumulators: &'w mut [Accumulators],
    largest: &'w mut [u32],
    gathered: &'w mut [u32],
    widened: &'w mut [u32],
}

/// A pixel of the convolution's result: its first row in the window, its first input column.
type Place = (usize, usize);

impl<'w> Workspace<'w> {
    /// `None` where the memory is too small.
    fn cut(blocking: Blocking, memory: &'w mut [u8]) -> Option<Self> {
        let (accumulators, rest) = words::of(memory).split_at_mut_checked(blocking.accumulator_words())?;
        let (largest, rest) = rest.split_at_mut_checked(blocking.largest_words())?;
        let (gathered, rest) = rest.split_at_mut_checked(blocking.gathered_words())?;
        let (widened, _) = rest.split_at_mut_checked(blocking.widened_words())?;
        Some(Self { blocking, accumulators: accumulators.as_chunks_mut().0, largest, gathered, widened })
    }

    /// Accumulates all channels of four pixels; with `largest`, leaves the largest as the first one.
    fn accumulate(&mut self, unit: &Unit<'_>, input: &InputRows<'_>, places: [Place; PIXELS], largest: bool) {
        let taps = self.blocking.taps;
        let mut bias = unit.parameters.bias;
        for start in (0..taps).step_by(self.blocking.chunk.max(1)) {
            let len = self.blocking.chunk.min(taps - start);
            for (pixel, place) in places.into_iter().enumerate() {
                self.gather(unit, input, place, pixel, start, len);
            }
            let patches = self.widened.get(..len.div_ceil(4) * 2 * PIXELS).unwrap_or(&[]);
            let pass = Pass { bias, largest: largest && start + len == taps };
            multiply(patches, unit.parameters.weights, (start, taps), pass, self.accumulators);
            bias = &[];
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
        let bytes = words::bytes_mut(self.gathered);
        let (mut row, mut offset) = (start / row_len, start % row_len);
        let mut done = 0;
        while done < len {
            let count = (row_len - offset).min(len - done);
            let first = left * channels + offset;
            if let Some(bytes) = bytes.get_mut(done..done + count) {
                match input.row(top + row).get(first..first + count) {
                    Some(taps) => copy(taps, bytes),
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
                activate(unit, self.accumulators, pixel, output);
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
                    let (y, x) = (index / width, first + index % width);
                    (y * usize::from(window.stride_height), x * usize::from(window.stride_width))
                });
                self.accumulate(unit, input, places, true);
                if self.blocking.many_blocks {
                    for (largest, sums) in self.largest.iter_mut().zip(self.accumulators.iter_mut()) {
                        let before = if start == 0 { i32::MIN } else { *largest as i32 };
                        *largest = before.max(sums[0] as i32) as u32;
                        sums[0] = *largest;
                    }
                }
            }
            activate(unit, self.accumulators, 0, pixel);
        }
    }
}

/// Copies a row of taps; short ones of one channel without a call.
#[inline(always)]
fn copy(taps: &[u8], target: &mut [u8]) {
    fn fixed<const N: usize>(taps: &[u8], target: &mut [u8]) {
        if let (Some(target), Some(taps)) = (target.first_chunk_mut::<N>(), taps.first_chunk()) {
            *target = *taps;
        }
    }
    match taps.len() {
        3 => fixed::<3>(taps, target),
        5 => fixed::<5>(taps, target),
        7 => fixed::<7>(taps, target),
        _ => target.iter_mut().zip(taps).for_each(|(byte, &tap)| *byte = tap),
    }
}

impl Kernels for Dsp {
    const NAME: &'static str = "dsp";

    fn conv_row(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) {
        let Some(mut work) = Workspace::cut(Blocking::of(&unit.layer), workspace) else {
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
        Portable::dense_row(unit, index, row, accumulators);
    }

    fn average_row(unit: &Unit<'_>, row: &[u8], accumulators: &mut [[u8; 4]]) {
        Portable::average_row(unit, row, accumulators);
    }
}
