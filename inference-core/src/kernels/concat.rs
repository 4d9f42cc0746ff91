//! Two maps side by side, portable.

use super::Unit;

/// See [`Kernels::concat_row`](super::Kernels::concat_row).
#[inline(never)]
pub fn row(unit: &Unit<'_>, rows: [&[u8]; 2], output: &mut [u8]) {
    let channels = usize::from(unit.layer.output.channels).max(1);
    let first = usize::from(unit.layer.input.channels).min(channels);
    for (index, (row, place)) in rows.into_iter().zip([0..first, first..channels]).enumerate() {
        let (bias, scale) = (unit.bias(index), unit.scale(index));
        let values = row.chunks_exact(place.len().max(1));
        for (pixel, values) in output.chunks_exact_mut(channels).zip(values) {
            for (out, &value) in pixel.get_mut(place.clone()).unwrap_or(&mut []).iter_mut().zip(values) {
                *out = scale.activate(unit, bias.wrapping_add(value.into()));
            }
        }
    }
}
