//! Helium, the vector extension of ARMv8.1-M: sixteen 8-bit multiply-accumulates an instruction.

use super::super::blocks::{Blocking, PIXELS, Place, PoolWindow, keep_largest, row_places};
use super::super::portable::Portable;
use super::super::{InputRows, Kernels, Unit};
use super::dsp::Dsp;
use super::helium_block::{Filters, MAX_TAPS, dense};
use super::helium_patch::Patches;
use super::helium_requantize::{GROUP, activate};
use super::requantize::takes_high_words;
use super::words;

/// The family for cores with Helium. Winograd's products would have 16 bits: there the DSP extension is as good.
#[derive(Debug)]
pub struct Helium;

/// One row of a convolution, and the workspace cut into its parts.
struct Row<'w> {
    channels: usize,
    /// Taps of a filter.
    taps: usize,
    high_words: bool,
    filters: Filters<'w>,
    patches: Patches<'w>,
    /// One a channel, where a pooling window has more pixels than a block.
    largest: &'w mut [i32],
}

impl<'w> Row<'w> {
    /// `None` where the workspace is too small.
    fn new(unit: &Unit<'w>, input: &InputRows<'w>, workspace: &'w mut [u8]) -> Option<Self> {
        let blocking = Blocking::of(unit.layer);
        let Blocking { channels, taps, .. } = blocking;
        let groups = channels.next_multiple_of(GROUP);
        let (accumulators, rest) = words::of(workspace).split_at_mut_checked(groups * PIXELS)?;
        let (starts, rest) = rest.split_at_mut_checked(groups)?;
        let (largest, rest) = rest.split_at_mut_checked(blocking.largest_words())?;
        let (starts, accumulators) = (words::signed(starts), words::signed(accumulators).as_chunks_mut().0);
        let parameters = &unit.parameters;
        Some(Self {
            channels,
            taps,
            high_words: takes_high_words(unit),
            patches: Patches::new(unit, input, words::bytes_mut(rest), MAX_TAPS)?,
            filters: Filters::new(parameters.weights, parameters.bias, (channels, taps), starts, accumulators)?,
            largest: words::signed(largest),
        })
    }

    /// Accumulates all channels of these pixels, at most four.
    fn accumulate(&mut self, places: &[Place]) {
        self.patches.aim(places);
        let mut first = 0;
        while first < self.taps {
            let taps = first..self.taps.min(first + self.patches.chunk);
            first = taps.end;
            let patches = self.patches.gather(&taps);
            self.filters.multiply(patches, places.len(), taps);
        }
    }

    /// Activates one to four pixels, or the largest of four.
    fn activate(&self, unit: &Unit<'_>, largest: bool, pixels: &mut [u8]) {
        let Filters { accumulators, starts, .. } = &self.filters;
        activate(unit, self.high_words, accumulators, starts, largest, pixels);
    }

    /// One output row without pooling: four pixels at a time.
    fn plain(&mut self, unit: &Unit<'_>, output: &mut [u8]) {
        let channels = self.channels.max(1);
        for (index, pixels) in output.chunks_mut(channels * PIXELS).enumerate() {
            let places = row_places(unit.layer, index, pixels.len() / channels);
            self.accumulate(places.get(..pixels.len() / channels).unwrap_or(&places));
            self.activate(unit, false, pixels);
        }
    }

    /// One pooled output row: a pooling window at a time, four of its pixels at a time.
    fn pooled(&mut self, unit: &Unit<'_>, conv_rows: usize, output: &mut [u8]) {
        for (x, pixel) in output.chunks_exact_mut(self.channels.max(1)).enumerate() {
            let window = PoolWindow::of(unit.layer, conv_rows, x);
            for start in (0..=window.last).step_by(PIXELS) {
                self.accumulate(&window.places(unit.layer, start));
                keep_largest(start == 0, self.largest, self.filters.accumulators);
            }
            self.activate(unit, true, pixel);
        }
    }
}

impl Kernels for Helium {
    const NAME: &'static str = "helium";

    fn conv_row(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) {
        match Row::new(unit, input, workspace) {
            Some(mut row) if unit.layer.pool.size > 1 => row.pooled(unit, input.conv_rows(), output),
            Some(mut row) => row.plain(unit, output),
            None => {}
        }
    }

    fn winograd_rows<const P: usize>(
        unit: &Unit<'_>,
        input: &InputRows<'_>,
        workspace: &mut [u8],
        outputs: [&mut [u8]; 2],
    ) {
        Dsp::winograd_rows::<P>(unit, input, workspace, outputs);
    }

    fn depthwise_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        Portable::depthwise_row(unit, input, output);
    }

    fn dense_row(unit: &Unit<'_>, index: usize, row: &[u8], accumulators: &mut [[u8; 4]]) {
        let row_weights = row.len() * accumulators.len();
        dense(row, unit.parameters.weights.get(index * row_weights..).unwrap_or(&[]), accumulators);
    }

    fn average_row(unit: &Unit<'_>, row: &[u8], accumulators: &mut [[u8; 4]]) {
        Portable::average_row(unit, row, accumulators);
    }
}
