//! Dense layers four filters at a time: what the families in assembly share around their loops.

use super::super::Unit;
use super::super::portable::dot;
use super::arguments::{DenseArguments, FILTERS, FilterSums};
use super::family::Family;

/// One input row of a dense layer: see [`Kernels::dense_row`](super::super::Kernels::dense_row).
#[inline(never)]
pub fn dense_row<F: Family>(unit: &Unit<'_>, index: usize, row: &[u8], accumulators: &mut [[u8; 4]]) {
    let row_weights = row.len() * accumulators.len();
    let Some(mut weights) = unit.parameters.weights.get(index * row_weights..) else { return };
    let (groups, rest) = accumulators.as_chunks_mut::<FILTERS>();
    for group in groups {
        let mut sums = group.map(i32::from_le_bytes);
        let done = dense::<F>(row, weights, &mut sums);
        for (filter, sum) in weights.chunks_exact(row.len().max(1)).zip(&mut sums) {
            if let (Some(row), Some(filter)) = (row.get(done..), filter.get(done..)) {
                *sum = sum.wrapping_add(dot(row, filter));
            }
        }
        *group = sums.map(i32::to_le_bytes);
        weights = weights.get(FILTERS * row.len()..).unwrap_or(&[]);
    }
    for (accumulator, filter) in rest.iter_mut().zip(weights.chunks_exact(row.len().max(1))) {
        *accumulator = i32::from_le_bytes(*accumulator).wrapping_add(dot(row, filter)).to_le_bytes();
    }
}

/// Adds the products of a row with four filters of `row.len()` weights; of the last bytes that make no
/// whole word, none. Returns how many bytes of the row were multiplied.
fn dense<F: Family>(row: &[u8], weights: &[u8], accumulators: &mut FilterSums) -> usize {
    let words = row.len() / 4;
    if words == 0 || weights.len() < FILTERS * row.len() {
        return 0;
    }
    // SAFETY: reads `words` words of the row and of each of four filters, and four accumulators.
    unsafe { (F::FILTERS)(row.as_ptr(), weights.as_ptr(), row.len(), &DenseArguments { accumulators, words }) };
    words * 4
}
