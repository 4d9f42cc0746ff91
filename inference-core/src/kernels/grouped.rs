//! Convolution in groups, portable.

use super::portable::{dot, padding, pooled_row, window};
use super::{InputRows, Unit};

/// See [`Kernels::grouped_row`](super::Kernels::grouped_row).
#[inline(never)]
pub fn row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
    let layer = unit.layer;
    let (inputs, channels) = (usize::from(layer.input.channels), layer.filter_channels().max(1));
    let group_outputs = layer.group_outputs().max(1);
    let filter_len = layer.window.taps() * channels;
    let row_len = (usize::from(layer.window.kernel_width) * channels).max(1);
    pooled_row(unit, input, output, |channel, top, left| {
        let filter = window(unit.parameters.weights, channel * filter_len, filter_len);
        let first = channel / group_outputs * channels;
        let mut acc = unit.bias(channel);
        for (y, taps) in filter.chunks_exact(row_len).enumerate() {
            let row = input.row(top + y);
            if row.is_empty() {
                acc = acc.wrapping_add(padding(layer.input_zero_point, taps));
                continue;
            }
            for (x, weights) in taps.chunks_exact(channels).enumerate() {
                acc = acc.wrapping_add(dot(window(row, (left + x) * inputs + first, channels), weights));
            }
        }
        acc
    });
}
