//! The products of the Winograd algorithm: what the families in assembly share around their loops.

use core::ops::Range;

use super::super::portable::Portable;
use super::super::winograd::{Products, Steps, Sums, Tiles};
use super::family::Family;

/// Most groups of four channels that the loops take.
pub const MAX_QUADS: usize = 32;

/// Where the sums go; the offsets of the fields are in the text of the loops.
#[repr(C)]
pub struct SumsRange {
    start: *mut Sums,
    end: *mut Sums,
}

/// See [`Steps::multiply`].
pub fn multiply<F: Family>(products: &Products<'_>, sums: &mut [Sums], results: &mut [i32]) {
    let &Products { inputs, weights, pair_len, quads, bias, wanted, finish, .. } = products;
    let rows = products.rows.start * products.points..products.rows.end * products.points;
    let points = rows.len();
    let channels = results.len() / finish.words();
    let last_pair = channels.saturating_sub(1) / 2;
    let fits = inputs.len() >= points * quads * 4
        && weights.len() >= last_pair * pair_len + points * quads * 16
        && bias.len() >= channels * size_of::<i32>();
    let aligned = weights.as_ptr().addr().is_multiple_of(4) && pair_len.is_multiple_of(4);
    if !fits || !aligned || points == 0 || !(1..=MAX_QUADS).contains(&quads) {
        return Portable::multiply(products, sums, results);
    }
    let multiply = match wanted {
        Tiles::Both => F::POINTS,
        Tiles::Second => F::POINTS_SECOND,
    };
    let pairs = results.chunks_mut(2 * finish.words()).zip(bias.chunks(2 * size_of::<i32>()));
    for (index, (results, bias)) in pairs.enumerate() {
        let weights = weights.as_ptr().wrapping_add(index * pair_len);
        let Some(written) = sums.get_mut(rows.clone()) else { return };
        let Range { start, end } = written.as_mut_ptr_range();
        // SAFETY: a point reads 16 bytes a group of inputs and of weights and writes one `Sums`, or half of it;
        // the lengths and the alignment of the weights were checked above, for all pairs.
        unsafe { multiply(inputs.as_ptr(), weights, &SumsRange { start, end }, quads) };
        (products.transform_back)(products, sums, bias, results);
    }
}
