//! Poolings that are layers of their own, portable: windows go around the border, nothing is padded.

use core::ops::Range;

use super::{InputRows, Unit};
use crate::format::Layer;

/// See [`Kernels::max_pool_row`](super::Kernels::max_pool_row).
#[inline(never)]
pub fn max_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
    let Layer { low, high, .. } = *unit.layer;
    pool(unit, input, output, &|values, _| {
        // No output is smaller than the one limit, and none larger than the other.
        values.fold(low, |largest, value| largest.max(value.min(high)))
    });
}

/// See [`Kernels::average_pool_row`](super::Kernels::average_pool_row).
#[inline(never)]
pub fn average_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
    pool(unit, input, output, &|values, count| {
        let scale = count.saturating_sub(1);
        let sum = values.fold(unit.bias(scale), |sum, value| sum.wrapping_add(value.into()));
        unit.activate(scale, sum)
    });
}

/// Fills an output row: what `reduce` makes of the values under a window, and of how many there are.
#[inline(never)]
fn pool(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8], reduce: &dyn Fn(&mut Values<'_>, usize) -> u8) {
    let layer = unit.layer;
    let channels = usize::from(layer.output.channels).max(1);
    let window = usize::from(layer.window.kernel_height);
    let rows = (0..window).filter(|&row| !input.find_row(row).is_empty()).count();
    for (x, pixel) in output.chunks_exact_mut(channels).enumerate() {
        let columns = columns(layer, x);
        for (channel, out) in pixel.iter_mut().enumerate() {
            let first = columns.start * channels + channel;
            let end = columns.end * channels;
            let mut values = Values { input, channels, first, end, row: 0, next: first, rows: window };
            *out = reduce(&mut values, rows * columns.len());
        }
    }
}

/// The values of a channel under a window that are in the map.
struct Values<'v> {
    input: &'v InputRows<'v>,
    channels: usize,
    /// The first value of a row, and where the row's last one is before.
    first: usize,
    end: usize,
    /// Where the next value is.
    row: usize,
    next: usize,
    rows: usize,
}

impl Iterator for Values<'_> {
    type Item = u8;

    #[inline(never)]
    fn next(&mut self) -> Option<u8> {
        while self.row < self.rows {
            let row = self.input.find_row(self.row);
            if self.next < self.end
                && let Some(&value) = row.get(self.next)
            {
                self.next += self.channels;
                return Some(value);
            }
            (self.row, self.next) = (self.row + 1, self.first);
        }
        None
    }
}

/// The input columns of output column `x` that are in the map.
fn columns(layer: &Layer, x: usize) -> Range<usize> {
    let (window, left) = (&layer.window, usize::from(layer.window.pad_left));
    let start = x * usize::from(window.stride_width);
    let end = (start + usize::from(window.kernel_width)).saturating_sub(left).min(layer.input.width.into());
    start.saturating_sub(left).min(end)..end
}
