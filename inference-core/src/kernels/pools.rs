//! Poolings that are layers of their own, portable: windows go around the border, nothing is padded.

use core::ops::Range;

use super::{InputRows, Unit};
use crate::format::Layer;

/// See [`Kernels::max_pool_row`](super::Kernels::max_pool_row).
#[inline(never)]
pub fn max_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
    let layer = unit.layer;
    let channels = usize::from(layer.output.channels).max(1);
    for (x, pixel) in output.chunks_exact_mut(channels).enumerate() {
        // No output is smaller than this, and none larger than the other limit.
        pixel.fill(layer.low);
        for row in rows(layer, input) {
            for values in row.chunks_exact(channels).skip(columns(layer, x).start).take(columns(layer, x).len()) {
                for (largest, &value) in pixel.iter_mut().zip(values) {
                    *largest = (*largest).max(value.min(layer.high));
                }
            }
        }
    }
}

/// See [`Kernels::average_pool_row`](super::Kernels::average_pool_row).
#[inline(never)]
pub fn average_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
    let layer = unit.layer;
    let channels = usize::from(layer.output.channels).max(1);
    for (x, pixel) in output.chunks_exact_mut(channels).enumerate() {
        let columns = columns(layer, x);
        let count = rows(layer, input).count() * columns.len();
        let scale = count.saturating_sub(1);
        for (channel, out) in pixel.iter_mut().enumerate() {
            let mut acc = unit.bias(scale);
            for row in rows(layer, input) {
                let values = row.iter().skip(columns.start * channels + channel).step_by(channels);
                for &value in values.take(columns.len()) {
                    acc = acc.wrapping_add(value.into());
                }
            }
            *out = unit.activate(scale, acc);
        }
    }
}

/// The rows of the window that are in the map.
fn rows<'a>(layer: &Layer, input: &InputRows<'a>) -> impl Iterator<Item = &'a [u8]> {
    let input = *input;
    (0..usize::from(layer.window.kernel_height)).map(move |row| input.row(row)).filter(|row| !row.is_empty())
}

/// The input columns of output column `x` that are in the map.
fn columns(layer: &Layer, x: usize) -> Range<usize> {
    let (window, left) = (&layer.window, usize::from(layer.window.pad_left));
    let start = x * usize::from(window.stride_width);
    let end = (start + usize::from(window.kernel_width)).saturating_sub(left).min(layer.input.width.into());
    start.saturating_sub(left).min(end)..end
}
