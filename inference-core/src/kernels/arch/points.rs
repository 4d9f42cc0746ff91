//! The products of the Winograd algorithm: what the families in assembly share around their loops.

use super::super::portable::Portable;
use super::super::winograd::{Products, Steps, Sums, Tiles};
use super::family::Family;
use super::tiles;

/// Most groups of four channels that the loops take.
pub const MAX_QUADS: usize = 32;

/// Where the sums go; the offsets of the fields are in the text of the loops.
#[repr(C)]
pub struct SumsRange {
    start: *mut Sums,
    end: *mut Sums,
}

/// See [`Steps::multiply`].
pub fn multiply<F: Family, const P: usize>(products: &Products<'_>, sums: &mut [[Sums; P]; P], results: &mut [i32]) {
    let &Products { inputs, weights, pair_len, quads, bias, wanted, finish, .. } = products;
    let Some(rows) = sums.get(products.rows.clone()) else { return };
    let points = rows.len() * P;
    let channels = results.len() / finish.words();
    let last_pair = channels.saturating_sub(1) / 2;
    let fits = inputs.len() >= points * quads * 4
        && weights.len() >= last_pair * pair_len + points * quads * 16
        && bias.len() >= channels * size_of::<i32>();
    let aligned = weights.as_ptr().addr().is_multiple_of(4) && pair_len.is_multiple_of(4);
    if !fits || !aligned || points == 0 || !(1..=MAX_QUADS).contains(&quads) {
        return Portable::multiply(products, sums, results);
    }
    let sums = core::ptr::from_mut(sums);
    let start = sums.cast::<Sums>().wrapping_add(products.rows.start * P);
    let range = SumsRange { start, end: start.wrapping_add(points) };
    let multiply = match wanted {
        Tiles::Both => F::POINTS,
        Tiles::Second => F::POINTS_SECOND,
    };
    let pairs = results.chunks_mut(2 * finish.words()).zip(bias.chunks(2 * size_of::<i32>()));
    for (index, (results, bias)) in pairs.enumerate() {
        let weights = weights.as_ptr().wrapping_add(index * pair_len);
        // SAFETY: a point reads 16 bytes a group of inputs and of weights and writes one `Sums`, or half of it;
        // the lengths and the alignment of the weights were checked above, for all pairs. Nothing else
        // refers to the sums.
        let sums = unsafe {
            multiply(inputs.as_ptr(), weights, &range, quads);
            &*sums
        };
        tiles::finish(sums, bias, finish, results);
    }
}
