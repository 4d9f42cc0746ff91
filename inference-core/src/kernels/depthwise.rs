//! Depthwise convolution, portable.

use super::portable::{pooled_row, product};
use super::{InputRows, Unit};

/// See [`Kernels::depthwise_row`](super::Kernels::depthwise_row).
#[inline(never)]
pub fn row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
    let layer = unit.layer;
    let (inputs, outputs) = (usize::from(layer.input.channels), usize::from(layer.output.channels));
    let multiplier = layer.group_outputs();
    pooled_row(unit, input, output, &|channel, top, left| {
        let from = if multiplier == 1 { channel } else { channel.checked_div(multiplier).unwrap_or(0) };
        let mut acc = unit.bias(channel);
        // Weights of this channel, one after the other.
        let mut weight = channel;
        for y in 0..usize::from(layer.window.kernel_height) {
            let row = input.find_row(top + y);
            let mut pixel = left * inputs + from;
            for _ in 0..layer.window.kernel_width {
                // A row outside the map is empty.
                let value = row.get(pixel).copied().unwrap_or(layer.input_zero_point);
                acc = acc.wrapping_add(product(value, unit.parameters.weights.get(weight).copied().unwrap_or(0)));
                pixel += inputs;
                weight += outputs;
            }
        }
        acc
    });
}
