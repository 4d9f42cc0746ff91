//! The sum of two maps, portable.

use super::Unit;

/// See [`Kernels::add_row`](super::Kernels::add_row).
#[inline(never)]
pub fn row(unit: &Unit<'_>, [a, b]: [&[u8]; 2], output: &mut [u8]) {
    let [first, second] = unit.layer.factors.map(i32::from);
    let (bias, scale) = (unit.bias(0), unit.scale(0));
    for ((out, &a), &b) in output.iter_mut().zip(a).zip(b) {
        // Two products of 24 bits: the compiler proves that the bias leaves them room.
        let sum = bias.wrapping_add(first * i32::from(a)).wrapping_add(second * i32::from(b));
        *out = scale.activate(unit, sum);
    }
}
