//! Convolution in groups, portable; depthwise is a group of one input channel for each of these.

use super::portable::{pooled_row, product};
use super::{InputRows, Unit};
use crate::format::Op;

/// See [`Kernels::grouped_row`](super::Kernels::grouped_row) and [`Kernels::depthwise_row`](super::Kernels::depthwise_row).
#[inline(never)]
pub fn row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
    let layer = unit.layer;
    let [inputs, outputs] = [layer.input.channels, layer.output.channels].map(usize::from);
    let (channels, group_outputs) = (layer.filter_channels(), layer.group_outputs());
    let [height, width] = [layer.window.kernel_height, layer.window.kernel_width].map(usize::from);
    // From an output channel's weights to the next one's, and from those of a kernel pixel to those of the next.
    let is_depthwise = layer.op == Op::DepthwiseConv;
    let [to_output, to_tap] = if is_depthwise { [1, outputs] } else { [height * width * channels, channels] };
    let taps = &Taps { width, channels, inputs, to_tap, outside: layer.input_zero_point };
    pooled_row(unit, input, output, |channel, top, left| {
        let group = channel.checked_div(group_outputs).unwrap_or(0);
        let (weight, pixel) = (channel * to_output, left * inputs + group * channels);
        (0..height).fold(unit.bias(channel), |sum, y| {
            sum.wrapping_add(taps.sum(
                input.find_row(top + y),
                pixel,
                unit.parameters.weights,
                weight + y * width * to_tap,
            ))
        })
    });
}

/// The taps of a row of a kernel.
struct Taps {
    width: usize,
    channels: usize,
    inputs: usize,
    to_tap: usize,
    /// What stands for a row outside the map, which is empty.
    outside: u8,
}

impl Taps {
    /// Their products, from this pixel and this weight on.
    #[inline(never)]
    fn sum(&self, row: &[u8], pixel: usize, weights: &[u8], weight: usize) -> i32 {
        let mut sum = 0i32;
        for tap in 0..self.width {
            for index in 0..self.channels {
                let value = row.get(pixel + tap * self.inputs + index).copied().unwrap_or(self.outside);
                let weight = weights.get(weight + tap * self.to_tap + index).copied().unwrap_or(0);
                sum = sum.wrapping_add(product(value, weight));
            }
        }
        sum
    }
}
