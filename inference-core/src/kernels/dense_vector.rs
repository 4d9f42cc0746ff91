//! A dense layer on a single row: some outputs at a time, so that no accumulator is in the arena.

use super::{Kernels, Parameters, Unit};

/// Outputs that are made at a time; a multiple of what the families multiply at a time.
const OUTPUTS: usize = 16;

/// See [`Kernels::dense_vector_row`].
#[inline(never)]
pub fn row<K: Kernels>(unit: &Unit<'_>, row: &[u8], output: &mut [u8]) {
    let all = unit.parameters;
    for (index, outputs) in output.chunks_mut(OUTPUTS).enumerate() {
        let start = index * OUTPUTS;
        let mut accumulators = [[0; 4]; OUTPUTS];
        let Some(accumulators) = accumulators.get_mut(..outputs.len()) else { return };
        let bias = all.bias.as_chunks::<4>().0.iter().skip(start);
        accumulators.iter_mut().zip(bias).for_each(|(accumulator, bias)| *accumulator = *bias);
        let weights = all.weights.get(start * row.len()..).unwrap_or(&[]);
        let parameters = &Parameters { weights, ..*all };
        K::dense_row(&Unit { layer: unit.layer, parameters }, 0, row, accumulators);
        for (channel, (out, sum)) in outputs.iter_mut().zip(accumulators).enumerate() {
            *out = unit.activate(start + channel, i32::from_le_bytes(*sum));
        }
    }
}
