//! The portable steps of the Winograd algorithm: two 16-bit lanes in a word, in safe Rust.

use super::Unit;
use super::arch::words;
use super::portable::Portable;
use super::winograd::{Finish, MAX_COLUMNS, Products, Steps, Sums, Tiles};
use crate::winograd::{self, Combine, POINTS, TILE, first_channel};

const LOW: u32 = 0x0000_ffff;
const HIGH: u32 = 0xffff_0000;
const EVEN_BYTES: u32 = 0x00ff_00ff;

/// Makes one row of points, from the two rows that it combines. `scratch`: two words a column.
type TransformRow = fn(rows: [&[u8]; 2], combine: Combine, channels: usize, inputs: &mut [u32], scratch: &mut [i32]);

/// What has code of its own for each number of points.
#[derive(Clone, Copy)]
pub struct OfPoints {
    /// Makes one row of points.
    transform_row: TransformRow,
    /// Transforms the sums of one or two output channels back and adds their biases: `bias` has a little-endian
    /// `i32` a channel, `results` [`Finish::words`].
    transform_back: fn(products: &Products<'_>, sums: &mut [Sums], bias: &[u8], results: &mut [i32]),
}

impl Steps for Portable {
    type OfPoints = OfPoints;

    fn of_points<const P: usize>() -> OfPoints {
        OfPoints { transform_row: transform_row::<P>, transform_back: transform_back::<P> }
    }

    fn transform<'r>(
        of_points: OfPoints,
        points: usize,
        row: impl Fn(usize) -> &'r [u8],
        channels: usize,
        inputs: &mut [u32],
        scratch: &mut [i32],
    ) {
        let row_words = points * channels.div_ceil(4) * 4;
        for (point, inputs) in POINTS.iter().take(points).zip(inputs.chunks_exact_mut(row_words.max(1))) {
            (of_points.transform_row)(point.inputs.map(&row), point.combine, channels, inputs, scratch);
        }
    }

    fn multiply(of_points: OfPoints, products: &Products<'_>, sums: &mut [Sums], results: &mut [i32]) {
        let back = |sums: &mut [Sums], bias: &[u8], results: &mut [i32]| {
            (of_points.transform_back)(products, sums, bias, results);
        };
        multiply(products, sums, results, back);
    }

    fn takes_high_words(_unit: &Unit<'_>) -> bool {
        false
    }

    fn activate(unit: &Unit<'_>, _high_words: bool, results: &[i32], step: usize, output: &mut [u8]) {
        unit.activate_all(results.iter().step_by(step).copied(), output);
    }
}

/// See [`Steps::multiply`]; `back` transforms the sums of one or two output channels back, and leaves those of zero.
#[inline(never)]
pub fn multiply(
    products: &Products<'_>,
    sums: &mut [Sums],
    results: &mut [i32],
    back: impl Fn(&mut [Sums], &[u8], &mut [i32]),
) {
    let rows = products.rows.start * products.points..products.rows.end * products.points;
    let (mut weights, mut bias) = (products.weights, products.bias.as_chunks::<4>().0);
    for results in results.chunks_mut(2 * products.finish.words()) {
        let Some(rows) = sums.get_mut(rows.clone()) else { return };
        multiply_pair(products.inputs, weights, products.quads, rows);
        let biases = bias.split_at_checked(results.len() / products.finish.words());
        let Some((of_pair, others)) = biases else { return };
        back(sums, of_pair.as_flattened(), results);
        bias = others;
        weights = weights.get(products.pair_len..).unwrap_or(&[]);
    }
}

/// The sums of all points of two output channels.
fn multiply_pair(inputs: &[u32], weights: &[u8], quads: usize, sums: &mut [Sums]) {
    let inputs = words::halves(inputs);
    match words::aligned_halves(weights) {
        Some(weights) => products(inputs, weights, i32::from, quads, sums),
        None => products(inputs, weights.as_chunks().0, |bytes| i16::from_le_bytes(bytes).into(), quads, sums),
    }
}

/// The sums of all points, from weights that `number` reads.
#[inline(never)]
fn products<W: Copy>(inputs: &[i16], weights: &[W], number: impl Fn(W) -> i32, quads: usize, sums: &mut [Sums]) {
    let quads = quads.max(1);
    let points = inputs.as_chunks::<8>().0.chunks_exact(quads).zip(weights.as_chunks::<8>().0.chunks_exact(quads));
    for (sums, (inputs, weights)) in sums.iter_mut().zip(points) {
        // One output channel after the other: a small core has no registers for more.
        for (output, sums) in sums.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let [mut first, mut second] = [0i32; 2];
            for (inputs, weights) in inputs.iter().zip(weights) {
                // Written out: with so few instructions, a loop costs as much as what is in it.
                let mut add = |lane: usize| {
                    let weight = number(weights[output * 4 + lane]);
                    first = first.wrapping_add(i32::from(inputs[lane]) * weight);
                    second = second.wrapping_add(i32::from(inputs[lane + 4]) * weight);
                };
                add(0);
                add(1);
                add(2);
                add(3);
            }
            *sums = [first, second];
        }
    }
}

/// See [`OfPoints::transform_row`].
#[inline(never)]
fn transform_row<const P: usize>(
    rows: [&[u8]; 2],
    combine: Combine,
    channels: usize,
    inputs: &mut [u32],
    scratch: &mut [i32],
) {
    let quads = channels.div_ceil(4);
    // Taps of the kernel, and three columns more.
    let columns = 6 + (P - 4) / 3 * 2;
    let Some(patch) = scratch.as_chunks_mut::<2>().0.first_chunk_mut::<MAX_COLUMNS>() else { return };
    for quad in 0..quads {
        for (column, lanes) in patch.iter_mut().take(columns).enumerate() {
            let [first, second] = rows.map(|row| word(row, column * channels + first_channel(quad, channels)));
            *lanes = [
                combined(combine, first & EVEN_BYTES, second & EVEN_BYTES),
                combined(combine, (first >> 8) & EVEN_BYTES, (second >> 8) & EVEN_BYTES),
            ]
            .map(u32::cast_signed);
        }
        // Not in chunks, which would be counted by a division: these cores have none.
        let mut rest = inputs.as_chunks_mut::<2>().0;
        for point in &POINTS[..P] {
            let Some((of_point, others)) = rest.split_at_mut_checked(quads * 2) else { return };
            let Some(tiles) = of_point.get_mut(quad * 2..quad * 2 + 2) else { return };
            rest = others;
            for (tile, target) in tiles.iter_mut().enumerate() {
                let [first, second] =
                    point.inputs.map(|column| patch.get(column + tile * TILE).copied().unwrap_or_default());
                let half =
                    |first: i32, second: i32| combined(point.combine, first.cast_unsigned(), second.cast_unsigned());
                *target = [half(first[0], second[0]), half(first[1], second[1])];
            }
        }
    }
}

/// See [`OfPoints::transform_back`].
fn transform_back<const P: usize>(products: &Products<'_>, sums: &mut [Sums], bias: &[u8], results: &mut [i32]) {
    let first = if products.wanted == Tiles::Both { 0 } else { 1 };
    let words = products.finish.words() / 2;
    for (channel, &bias) in bias.as_chunks::<4>().0.iter().enumerate() {
        for lane in channel * 2 + first..channel * 2 + 2 {
            let Some(results) = results.get_mut(lane * words..) else { return };
            finish_tile(products.finish, tile_of::<P>(sums, lane), i32::from_le_bytes(bias), results);
        }
    }
}

/// Writes what is kept of a tile, with the bias added.
#[inline(never)]
fn finish_tile(finish: Finish, [upper, lower]: [[i32; TILE]; TILE], bias: i32, results: &mut [i32]) {
    if finish == Finish::Outputs {
        for (result, sum) in results.iter_mut().zip([upper, lower].as_flattened()) {
            *result = (sum >> 2).wrapping_add(bias);
        }
    } else if let Some(result) = results.first_mut() {
        let mut largest = upper[0].max(upper[1]);
        if finish == Finish::Largest {
            largest = largest.max(lower[0]).max(lower[1]);
        }
        *result = (largest >> 2).wrapping_add(bias);
    }
}

/// Four times the direct sums of a tile: its upper row, its lower row. What it takes on the way it keeps in place of the
/// first sums of a row, not on the stack; where all are zero, it is zero.
#[inline(never)]
fn tile_of<const P: usize>(sums: &mut [Sums], lane: usize) -> [[i32; TILE]; TILE] {
    let Some(rows) = sums.as_chunks_mut::<P>().0.first_chunk_mut::<P>() else { return [[0; TILE]; TILE] };
    let lane = lane % 4;
    for row in rows.iter_mut() {
        let [left, right] = winograd::outputs::<P>(|point| row.get(point).map_or(0, |sums| sums[lane]));
        (row[0][lane], row[1][lane]) = (left, right);
    }
    let sum = |point: usize, column: usize| rows.get(point)?.get(column).map(|sums| sums[lane]);
    let [left, right] = [0, 1].map(|column| winograd::outputs::<P>(|point| sum(point, column).unwrap_or(0)));
    [[left[0], right[0]], [left[1], right[1]]]
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

/// Four bytes as a little-endian word; zero where the row has none.
#[inline(always)]
fn word(row: &[u8], start: usize) -> u32 {
    row.get(start..).and_then(|row| row.first_chunk()).map_or(0, |&bytes| u32::from_le_bytes(bytes))
}
