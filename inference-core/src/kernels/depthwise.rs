//! Depthwise convolution, portable.

use super::portable::{pooled_row, product, window};
use super::{InputRows, Unit};

/// See [`Kernels::depthwise_row`](super::Kernels::depthwise_row).
#[inline(never)]
pub fn row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
    let layer = unit.layer;
    let (inputs, outputs) = (usize::from(layer.input.channels).max(1), usize::from(layer.output.channels).max(1));
    let multiplier = layer.group_outputs().max(1);
    let kernel = [layer.window.kernel_height, layer.window.kernel_width].map(usize::from);
    let (row_weights, row_pixels) = ((kernel[1] * outputs).max(1), kernel[1] * inputs);
    // Not beyond the filter: other bytes of the file follow it.
    let filter = window(unit.parameters.weights, 0, kernel[0] * row_weights);
    pooled_row(unit, input, output, |channel, top, left| {
        let from = if multiplier == 1 { channel } else { channel / multiplier };
        let mut acc = unit.bias(channel);
        for (y, taps) in filter.chunks_exact(row_weights).enumerate() {
            let row = window(input.row(top + y), left * inputs, row_pixels);
            let weights = taps.iter().skip(channel).step_by(outputs);
            let mut pixels = row.iter().skip(from).step_by(inputs);
            for &weight in weights {
                let pixel = pixels.next().copied().unwrap_or(layer.input_zero_point);
                acc = acc.wrapping_add(product(pixel, weight));
            }
        }
        acc
    });
}
