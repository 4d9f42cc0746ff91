//! The products of the Winograd algorithm: what the families in assembly share around their loops.

use super::super::portable::Portable;
use super::super::winograd::{Steps, Sums, Tiles};
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
pub fn multiply<F: Family>(inputs: &[u32], weights: &[u8], quads: usize, wanted: Tiles, sums: &mut [Sums]) {
    let fits = inputs.len() >= sums.len() * quads * 4 && weights.len() >= sums.len() * quads * 16;
    if !fits || sums.is_empty() || !(1..=MAX_QUADS).contains(&quads) || !weights.as_ptr().addr().is_multiple_of(4) {
        return Portable::multiply(inputs, weights, quads, wanted, sums);
    }
    let sums = sums.as_mut_ptr_range();
    let sums = SumsRange { start: sums.start, end: sums.end };
    let multiply = match wanted {
        Tiles::Both => F::POINTS,
        Tiles::Second => F::POINTS_SECOND,
    };
    // SAFETY: a point reads 16 bytes a group of inputs and of weights and writes one `Sums`, or half of it;
    // the lengths and the alignment of the weights were checked above.
    unsafe { multiply(inputs.as_ptr(), weights.as_ptr(), &sums, quads) };
}
