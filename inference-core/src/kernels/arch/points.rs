//! The products of the Winograd algorithm: what the families in assembly share around their loops.

use super::super::portable_winograd;
use super::super::winograd::{Products, Sums, Tiles};
use super::arguments::SumsRange;
use super::family::Family;
use super::tiles::Back;

/// Most groups of four channels that the loops take.
pub const MAX_QUADS: usize = 32;

/// See [`Steps::multiply`](super::super::winograd::Steps::multiply).
#[inline(never)]
pub fn multiply<F: Family>(back: Back, products: &Products<'_>, sums: &mut [Sums], results: &mut [i32]) {
    let &Products { inputs, weights, pair_len, quads, bias, wanted, finish, .. } = products;
    let written = products.rows.start * products.points..products.rows.end * products.points;
    let points = written.len();
    let channels = results.len() / finish.words();
    let last_pair = channels.saturating_sub(1) / 2;
    let fits = points > 0
        && written.end <= sums.len()
        && back.sums() <= sums.len()
        && inputs.len() >= points * quads * 4
        && weights.len() >= last_pair * pair_len + points * quads * 16
        && bias.len() >= channels * size_of::<i32>()
        && results.len() == channels * finish.words();
    let aligned = weights.as_ptr().addr().is_multiple_of(4) && pair_len.is_multiple_of(4);
    if !fits || !aligned || !(1..=MAX_QUADS).contains(&quads) {
        let back = |sums: &mut [Sums], bias: &[u8], results: &mut [i32]| back.run(sums, bias, finish, results);
        return portable_winograd::multiply(products, sums, results, back);
    }
    let multiply = match wanted {
        Tiles::Both => F::POINTS,
        Tiles::Second => F::POINTS_SECOND,
    };
    let sums = sums.as_mut_ptr();
    let range = SumsRange { start: sums.wrapping_add(written.start), end: sums.wrapping_add(written.end) };
    let (mut weights, mut bias) = (weights.as_ptr(), bias.as_ptr());
    for results in results.chunks_mut(2 * finish.words()) {
        // SAFETY: a point reads 16 bytes a group of inputs and of weights and writes one `Sums`, or half of it; then all
        // sums are read, and a bias a channel. The lengths and the alignment of the weights were checked above, for
        // all pairs, and nothing else refers to the sums.
        unsafe {
            multiply(inputs.as_ptr(), weights, &range, quads);
            back.tiles(sums, bias, finish, results);
        }
        weights = weights.wrapping_add(pair_len);
        bias = bias.wrapping_add(2 * size_of::<i32>());
    }
}
