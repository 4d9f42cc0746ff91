//! Two maps side by side, portable.

use super::Unit;

/// See [`Kernels::concat_row`](super::Kernels::concat_row).
#[inline(never)]
pub fn row(unit: &Unit<'_>, [a, b]: [&[u8]; 2], output: &mut [u8]) {
    let channels = usize::from(unit.layer.output.channels);
    let first = usize::from(unit.layer.input.channels).min(channels);
    part(unit, 0, a, first, output);
    part(unit, 1, b, channels - first, output.get_mut(first..).unwrap_or(&mut []));
}

/// Writes `len` channels of every pixel, from the first byte on.
#[inline(never)]
fn part(unit: &Unit<'_>, index: usize, values: &[u8], len: usize, output: &mut [u8]) {
    let (bias, scale) = (unit.bias(index), unit.scale(index));
    let channels = usize::from(unit.layer.output.channels);
    // The last pixel of the second map ends before its channels do.
    for (pixel, values) in output.chunks_mut(channels.max(1)).zip(values.chunks_exact(len.max(1))) {
        for (out, &value) in pixel.iter_mut().zip(values) {
            *out = scale.activate(unit, bias.wrapping_add(value.into()));
        }
    }
}
