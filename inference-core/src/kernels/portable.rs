//! The readable reference: safe Rust for any target.

use super::{InputRows, Kernels, Parameters, Unit, i32_at, winograd};

/// The portable family.
#[derive(Debug)]
pub struct Portable;

impl Kernels for Portable {
    const NAME: &'static str = "portable";

    fn conv_row(unit: &Unit<'_>, input: &InputRows<'_>, _workspace: &mut [u8], output: &mut [u8]) {
        conv_row(unit, input, output);
    }

    fn winograd_rows<const P: usize>(
        unit: &Unit<'_>,
        input: &InputRows<'_>,
        workspace: &mut [u8],
        outputs: [&mut [u8]; 2],
    ) {
        winograd::rows::<Self, P>(unit, input, workspace, outputs);
    }

    fn dense_row(unit: &Unit<'_>, index: usize, row: &[u8], accumulators: &mut [[u8; 4]]) {
        let row_weights = row.len() * accumulators.len();
        let weights = window(unit.parameters.weights, index * row_weights, row_weights);
        for (accumulator, weights) in accumulators.iter_mut().zip(weights.chunks_exact(row.len().max(1))) {
            let acc = i32::from_le_bytes(*accumulator).wrapping_add(dot(row, weights));
            *accumulator = acc.to_le_bytes();
        }
    }

    fn average_row(_unit: &Unit<'_>, row: &[u8], accumulators: &mut [[u8; 4]]) {
        for pixel in row.chunks_exact(accumulators.len().max(1)) {
            for (accumulator, &value) in accumulators.iter_mut().zip(pixel) {
                *accumulator = i32::from_le_bytes(*accumulator).wrapping_add(i32::from(value)).to_le_bytes();
            }
        }
    }
}

/// See [`Kernels::conv_row_without_workspace`].
#[inline(never)]
pub fn conv_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
    let channels = usize::from(unit.layer.input.channels);
    let tap_row_len = (usize::from(unit.layer.window.kernel_width) * channels).max(1);
    let filter_len = usize::from(unit.layer.window.kernel_height) * tap_row_len;
    let Parameters { weights: filters, bias, .. } = *unit.parameters;
    pooled_row(unit, input, output, |channel, top, left| {
        let filter = window(filters, channel * filter_len, filter_len);
        let mut acc = i32_at(bias, channel);
        for (y, taps) in filter.chunks_exact(tap_row_len).enumerate() {
            let row = input.row(top + y);
            acc = acc.wrapping_add(if row.is_empty() {
                padding(unit.layer.input_zero_point, taps)
            } else {
                dot(window(row, left * channels, tap_row_len), taps)
            });
        }
        acc
    });
}

/// Fills an output row: the largest accumulator of each pooling window, activated once.
///
/// Taking the maximum before the activation is exact, as no activation ever decreases.
/// `accumulate(channel, top, left)` is the accumulator of an output channel for the window whose
/// first input row and column (padding included) are `top` and `left`.
#[inline]
pub(super) fn pooled_row(
    unit: &Unit<'_>,
    input: &InputRows<'_>,
    output: &mut [u8],
    accumulate: impl Fn(usize, usize, usize) -> i32,
) {
    let (window, pool) = (&unit.layer.window, &unit.layer.pool);
    let conv_width = unit.layer.conv_width();
    for (x, pixel) in output.chunks_exact_mut(usize::from(unit.layer.output.channels).max(1)).enumerate() {
        let first = x * usize::from(pool.stride);
        let last = (first + usize::from(pool.size)).min(conv_width);
        for (channel, out) in pixel.iter_mut().enumerate() {
            let mut largest = i32::MIN;
            for conv_y in 0..input.conv_rows() {
                for conv_x in first..last {
                    let top = conv_y * usize::from(window.stride_height);
                    let left = conv_x * usize::from(window.stride_width);
                    largest = largest.max(accumulate(channel, top, left));
                }
            }
            *out = unit.activate(channel, largest);
        }
    }
}

#[inline]
pub(super) fn product(pixel: u8, weight: u8) -> i32 {
    i32::from(pixel) * i32::from(weight as i8)
}

/// The sum of pixel times weight. Wraps only for weights that the compiler's proof refuses.
// Small cores have registers for this loop alone; one with Helium has a loop without overhead.
#[cfg_attr(not(thumbnet_helium), inline(never))]
#[cfg_attr(thumbnet_helium, inline)]
pub(super) fn dot(pixels: &[u8], weights: &[u8]) -> i32 {
    pixels.iter().zip(weights).fold(0, |sum: i32, (&pixel, &weight)| sum.wrapping_add(product(pixel, weight)))
}

/// What taps outside the map add: the zero point times their weights.
#[inline]
pub(super) fn padding(zero_point: u8, weights: &[u8]) -> i32 {
    if zero_point == 0 {
        return 0;
    }
    weights.iter().fold(0, |sum: i32, &weight| sum.wrapping_add(product(zero_point, weight)))
}

/// `len` bytes from `start`; empty where they do not exist, which a parsed model excludes.
#[inline]
pub(super) fn window(bytes: &[u8], start: usize, len: usize) -> &[u8] {
    bytes.get(start..start + len).unwrap_or(&[])
}
