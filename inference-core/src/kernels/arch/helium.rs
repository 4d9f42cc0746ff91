//! Helium, the vector extension of ARMv8.1-M: sixteen 8-bit multiply-accumulates an instruction.

use super::super::blocks::{Blocking, PIXELS, Place, PoolWindow, keep_largest, row_places};
use super::super::portable::Portable;
use super::super::{InputRows, Kernels, Unit};
use super::dsp::Dsp;
use super::helium_block::{Filters, MAX_TAPS, dense};
use super::helium_patch::Patches;
use super::helium_requantize::{GROUP, Requantizer};
use super::rows::Rows;
use super::words;
use crate::format::Layer;

/// The family for cores with Helium. Winograd's products would have 16 bits: there the DSP extension is as good.
#[derive(Debug)]
pub struct Helium;

/// One row of a convolution, and the workspace cut into its parts.
struct Row<'r, 'w> {
    channels: usize,
    /// Taps of a filter.
    taps: usize,
    patches: &'r mut Patches<'w>,
    filters: &'r mut Filters<'w>,
    /// One a channel, where a pooling window has more pixels than a block.
    largest: &'w mut [i32],
    requantizer: &'r mut Requantizer<'w>,
}

impl Row<'_, '_> {
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

    /// One output row. A block makes one pooled pixel, the largest of its pixels or those of several blocks, or four others.
    fn run(&mut self, layer: &Layer, conv_rows: usize, output: &mut [u8]) {
        let is_pooled = layer.pool.size > 1;
        let channels = self.channels.max(1);
        let outputs = if is_pooled { 1 } else { PIXELS };
        for (index, pixels) in output.chunks_mut((channels * outputs).max(1)).enumerate() {
            let window = if is_pooled { PoolWindow::of(layer, conv_rows, index) } else { PoolWindow::SINGLE };
            let mut start = 0;
            while start <= window.last {
                let count = if is_pooled { PIXELS } else { pixels.len() / channels };
                let places = match is_pooled {
                    true => window.places(layer, start),
                    false => row_places(layer, index, count),
                };
                self.accumulate(places.get(..count).unwrap_or(&places));
                if is_pooled {
                    keep_largest(start == 0, self.largest, self.filters.accumulators);
                }
                start += PIXELS;
            }
            self.requantizer.activate(self.filters.accumulators, self.filters.starts, pixels);
        }
    }
}

/// One output row; `None` where the workspace is too small.
fn conv_row(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) -> Option<()> {
    let (layer, parameters) = (unit.layer, &unit.parameters);
    let blocking = Blocking::of(layer);
    let Blocking { channels, taps, .. } = blocking;
    let groups = channels.next_multiple_of(GROUP);
    let (accumulators, rest) = words::of(workspace).split_at_mut_checked(groups * PIXELS)?;
    let (starts, rest) = rest.split_at_mut_checked(groups)?;
    let (largest, rest) = rest.split_at_mut_checked(blocking.largest_words())?;
    let (starts, accumulators) = (words::signed(starts), words::signed(accumulators).as_chunks_mut().0);
    // Nothing is moved out of these: a copy would be on the stack.
    let mut rows = Rows::NONE;
    rows.point(unit, input);
    let mut patches = Patches::new(unit, &rows, words::bytes_mut(rest), MAX_TAPS);
    let mut filters = Filters::new(parameters.weights, parameters.bias, (channels, taps), starts, accumulators);
    let mut requantizer = Requantizer::new(unit, layer.pool.size > 1);
    let mut row = Row {
        channels,
        taps,
        patches: patches.as_mut()?,
        filters: filters.as_mut()?,
        largest: words::signed(largest),
        requantizer: &mut requantizer,
    };
    row.run(layer, input.conv_rows(), output);
    Some(())
}

impl Kernels for Helium {
    const NAME: &'static str = "helium";

    #[inline(never)] // What it has on the stack is not there while other kernels work.
    fn conv_row(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) {
        if conv_row(unit, input, workspace, output).is_none() {
            Portable::conv_row(unit, input, workspace, output);
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

    fn dense_row(unit: &Unit<'_>, index: usize, row: &[u8], accumulators: &mut [[u8; 4]]) {
        let row_weights = row.len() * accumulators.len();
        dense(row, unit.parameters.weights.get(index * row_weights..).unwrap_or(&[]), accumulators);
    }

    fn average_row(unit: &Unit<'_>, row: &[u8], accumulators: &mut [[u8; 4]]) {
        Portable::average_row(unit, row, accumulators);
    }
}
