//! The portable steps of the Winograd algorithm: two 16-bit lanes in a word, in safe Rust.

use super::arch::words;
use super::portable::Portable;
use super::winograd::{Steps, Sums};
use crate::winograd::{Combine, POINTS, TILE};

/// Input columns under a pair of tiles, for the largest kernel.
const MAX_COLUMNS: usize = 10;
const LOW: u32 = 0x0000_ffff;
const HIGH: u32 = 0xffff_0000;
const EVEN_BYTES: u32 = 0x00ff_00ff;

impl Steps for Portable {
    #[inline(never)]
    fn transform<const P: usize>(rows: [&[u8]; 2], combine: Combine, channels: usize, inputs: &mut [u32]) {
        let quads = channels.div_ceil(4);
        // Taps of the kernel, and three columns more.
        let columns = 6 + (P - 4) / 3 * 2;
        for quad in 0..quads {
            let mut patch = [[0; 2]; MAX_COLUMNS];
            for (column, lanes) in patch.iter_mut().take(columns).enumerate() {
                let [first, second] = rows.map(|row| word(row, column * channels + quad * 4));
                *lanes = [
                    combined(combine, first & EVEN_BYTES, second & EVEN_BYTES),
                    combined(combine, (first >> 8) & EVEN_BYTES, (second >> 8) & EVEN_BYTES),
                ];
            }
            for (point, inputs) in POINTS[..P].iter().zip(inputs.chunks_exact_mut(quads * 4)) {
                let Some(tiles) = inputs.as_chunks_mut::<2>().0.get_mut(quad * 2..quad * 2 + 2) else { return };
                for (tile, target) in tiles.iter_mut().enumerate() {
                    let [first, second] = point.inputs.map(|column| patch[column + tile * TILE]);
                    *target = [0, 1].map(|half| combined(point.combine, first[half], second[half]));
                }
            }
        }
    }

    #[inline(never)]
    fn multiply(inputs: &[u32], weights: &[u8], quads: usize, sums: &mut [Sums]) {
        let inputs = words::halves(inputs).chunks_exact(quads * 8);
        let weights = weights.as_chunks::<2>().0.chunks_exact(quads * 8);
        for ((sums, inputs), weights) in sums.iter_mut().zip(inputs).zip(weights) {
            let mut sum: Sums = [0; 4];
            for (inputs, weights) in inputs.as_chunks::<8>().0.iter().zip(weights.as_chunks::<8>().0) {
                for channel in 0..4 {
                    let [first, second] = [inputs[channel], inputs[channel + 4]].map(i32::from);
                    let own = i32::from(i16::from_le_bytes(weights[channel]));
                    let next = i32::from(i16::from_le_bytes(weights[channel + 4]));
                    sum[0] = sum[0].wrapping_add(first * own);
                    sum[1] = sum[1].wrapping_add(second * own);
                    sum[2] = sum[2].wrapping_add(first * next);
                    sum[3] = sum[3].wrapping_add(second * next);
                }
            }
            *sums = sum;
        }
    }
}

/// Combines both lanes.
#[inline(always)]
fn combined(combine: Combine, a: u32, b: u32) -> u32 {
    match combine {
        Combine::Difference => (a.wrapping_sub(b) & LOW) | ((a & HIGH).wrapping_sub(b & HIGH)),
        Combine::Sum => (a.wrapping_add(b) & LOW) | ((a & HIGH).wrapping_add(b & HIGH)),
        Combine::Copy => a,
    }
}

/// Four bytes as a little-endian word; zero for those beyond the row.
#[inline(always)]
fn word(row: &[u8], start: usize) -> u32 {
    let row = row.get(start..).unwrap_or(&[]);
    match row.first_chunk() {
        Some(&bytes) => u32::from_le_bytes(bytes),
        None => row.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte)),
    }
}
