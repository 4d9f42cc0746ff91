//! Exact integer Winograd convolution: fewer multiplications on transformed inputs and weights.
//!
//! In one dimension two neighbouring outputs of three taps take four products instead of six, and two
//! outputs of two taps take three instead of four:
//!
//! | point | input | weight, twice | added to |
//! |---|---|---|---|
//! | 0 | `d0 - d2` | `2 g0` | `y0` |
//! | 1 | `d1 + d2` | `g0 + g1 + g2` | `y0`, `y1` |
//! | 2 | `d2 - d1` | `g0 - g1 + g2` | `y0`, `-y1` |
//! | 3 | `d1 - d3` | `2 g2` | `-y1` |
//! | 4 | `d3 - d4` | `2 g3` | `y0` |
//! | 5 | `d4` | `2 (g3 + g4)` | `y0`, `y1` |
//! | 6 | `d4 - d5` | `2 g4` | `-y1` |
//!
//! Points 0 to 3 are a kernel of 3; all of them a kernel of 5; three more like 4 to 6, for the taps 5
//! and 6, a kernel of 7. In two dimensions both directions are transformed, so a tile of 2 x 2 outputs
//! has 16, 49 or 100 products a channel instead of 36, 100 or 196. A transformed pixel is at most 1020,
//! a transformed weight at most 2032: both fit 16 bits. Each output is exactly four times the direct
//! sum, modulo 2^32; the compiler chooses the algorithm only where that cannot overflow ([`MAX_SUM`]).

use crate::format::{Layer, Op, Pool};

/// Rows and columns of outputs that are computed together.
pub const TILE: usize = 2;
/// Largest number of points in one dimension.
pub const MAX_POINTS: usize = 10;
/// Columns of the convolution's result that a pair of tiles covers; a narrower map is not eligible.
pub const PAIR_COLUMNS: usize = 2 * TILE;
/// Fewest input channels: they are handled in groups of four, the last of which overlaps the one before.
pub const MIN_CHANNELS: u16 = 4;
/// A direct sum, without its bias, must stay below this in size.
pub const MAX_SUM: i64 = 1 << 29;

/// The inputs and weights of one point in one dimension.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// The inputs that are combined, counted from the tile's first one.
    pub inputs: [usize; 2],
    /// How they are.
    pub combine: Combine,
    /// The first of the taps that are added up.
    tap: usize,
    /// How often each tap is added, from `tap` on.
    factors: [i32; 3],
}

/// How two inputs of a point become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// The first one minus the second one.
    Difference,
    /// Both added.
    Sum,
    /// The first one; the second one is the same.
    Copy,
}

/// The points of the largest kernel; smaller ones have the first 4 or 7.
pub const POINTS: [Point; MAX_POINTS] = {
    use Combine::{Copy, Difference, Sum};
    const fn point(inputs: [usize; 2], combine: Combine, tap: usize, factors: [i32; 3]) -> Point {
        Point { inputs, combine, tap, factors }
    }
    [
        point([0, 2], Difference, 0, [2, 0, 0]),
        point([1, 2], Sum, 0, [1, 1, 1]),
        point([2, 1], Difference, 0, [1, -1, 1]),
        point([1, 3], Difference, 2, [2, 0, 0]),
        point([3, 4], Difference, 3, [2, 0, 0]),
        point([4, 4], Copy, 3, [2, 2, 0]),
        point([4, 5], Difference, 4, [2, 0, 0]),
        point([5, 6], Difference, 5, [2, 0, 0]),
        point([6, 6], Copy, 5, [2, 2, 0]),
        point([6, 7], Difference, 6, [2, 0, 0]),
    ]
};

/// Number of points in one dimension for a kernel of 3, 5 or 7.
pub const fn points(kernel: u8) -> usize {
    4 + 3 * ((kernel as usize).saturating_sub(3) / 2)
}

/// The two outputs (twice) that the products of `P` points give.
#[inline(always)]
pub fn outputs<const P: usize>(products: impl Fn(usize) -> i32) -> [i32; TILE] {
    let add = i32::wrapping_add;
    let shared = [add(products(1), products(2)), products(1).wrapping_sub(products(2))];
    let mut outputs = [add(products(0), shared[0]), shared[1].wrapping_sub(products(3))];
    for point in (4..P).step_by(3) {
        let middle = products(point + 1);
        outputs[0] = add(outputs[0], add(products(point), middle));
        outputs[1] = add(outputs[1], middle.wrapping_sub(products(point + 2)));
    }
    outputs
}

/// Whether the algorithm can compute this layer.
pub fn is_eligible(layer: &Layer) -> bool {
    let window = &layer.window;
    let pool = &layer.pool;
    layer.op == Op::Conv
        && matches!(window.kernel_height, 3 | 5 | 7)
        && window.kernel_width == window.kernel_height
        && (window.stride_height, window.stride_width) == (1, 1)
        && layer.input.channels >= MIN_CHANNELS
        && (*pool == Pool::NONE || (pool.size, pool.stride) == (2, 2))
        && columns(layer) >= PAIR_COLUMNS
}

/// Columns of the convolution's result that an output depends on.
pub fn columns(layer: &Layer) -> usize {
    (usize::from(layer.output.width) * usize::from(layer.pool.size)).min(layer.conv_width())
}

/// Groups of four input channels.
pub fn quads(layer: &Layer) -> usize {
    usize::from(layer.input.channels).div_ceil(4)
}

/// The first channel of a group: the last group ends with the last channel.
pub fn first_channel(quad: usize, channels: usize) -> usize {
    (quad * 4).min(channels.saturating_sub(4))
}

/// Bytes of the transformed weights, one `i16` each.
pub fn stored_weights_len(layer: &Layer) -> u64 {
    let points = points(layer.window.kernel_height) as u32;
    let bytes = points * points * 4 * size_of::<i16>() as u32;
    let filters = u32::from(layer.output.channels).next_multiple_of(2) * quads(layer) as u32;
    u64::from(filters) * u64::from(bytes)
}

/// Order of four channels: that in which the bytes of a word are widened to pairs of 16 bits.
const CHANNEL_ORDER: [usize; 4] = [0, 2, 1, 3];

/// The transformed weights of an eligible layer, in the order
/// `[out_channels / 2][point row][point column][groups of 4 in_channels][2 out_channels][in_channels 0, 2, 1, 3]`.
/// The last group has the last four channels; weights of channels that the group before has too are zero,
/// and so are those of a channel that the last pair lacks.
///
/// `weights`: `[out_channels][kernel_height][kernel_width][in_channels]`.
pub fn stored_weights<'w>(layer: &Layer, weights: &'w [i8]) -> impl Iterator<Item = i16> + use<'w> {
    let kernel = usize::from(layer.window.kernel_width);
    let points = points(layer.window.kernel_height).min(MAX_POINTS);
    let channels = usize::from(layer.input.channels);
    let quads = quads(layer);
    let weight = move |output: usize, [y, x]: [Point; 2], channel: usize| {
        let mut sum = 0;
        for (row, row_factor) in y.factors.iter().enumerate().filter(|(_, factor)| **factor != 0) {
            for (column, factor) in x.factors.iter().enumerate().filter(|(_, factor)| **factor != 0) {
                let tap = (output * kernel + y.tap + row) * kernel + x.tap + column;
                let weight = weights.get(tap * channels + channel).copied().unwrap_or(0);
                sum += row_factor * factor * i32::from(weight);
            }
        }
        sum as i16
    };
    let pairs = usize::from(layer.output.channels).div_ceil(2);
    (0..pairs * points * points).flat_map(move |index| {
        let (pair, point) = (index / (points * points), index % (points * points));
        let point = [POINTS[point / points], POINTS[point % points]];
        (0..quads).flat_map(move |quad| {
            (0..8).map(move |lane| {
                let channel = first_channel(quad, channels) + CHANNEL_ORDER[lane % 4];
                if channel < quad * 4 { 0 } else { weight(pair * 2 + lane / 4, point, channel) }
            })
        })
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::format::MAX_DIMENSION;
    use std::vec;
    use std::vec::Vec;

    fn combined(point: &Point, inputs: &[i32]) -> i32 {
        let [first, second] = point.inputs.map(|input| inputs[input]);
        match point.combine {
            Combine::Difference => first - second,
            Combine::Sum => first + second,
            Combine::Copy => first,
        }
    }

    fn transformed(point: &Point, taps: &[i32]) -> i32 {
        let factors = point.factors.iter().enumerate().filter(|(_, factor)| **factor != 0);
        factors.map(|(tap, factor)| factor * taps[point.tap + tap]).sum()
    }

    fn unit(len: usize, index: usize) -> Vec<i32> {
        let mut unit = vec![0; len];
        unit[index] = 1;
        unit
    }

    /// Both sides are linear in the pixels and in the taps: equal for units, they are equal for all values. Two
    /// dimensions are this in one, then in the other.
    fn equals_twice_the_direct_sums<const P: usize>(kernel: u8) {
        assert_eq!(points(kernel), P);
        let taps = usize::from(kernel);
        for (pixel, tap) in (0..taps + 1).flat_map(|pixel| (0..taps).map(move |tap| (pixel, tap))) {
            let (inputs, weights) = (unit(taps + 1, pixel), unit(taps, tap));
            let found = outputs::<P>(|point| {
                let point = &POINTS[point];
                combined(point, &inputs) * transformed(point, &weights)
            });
            let direct =
                [0, 1].map(|output| weights.iter().zip(&inputs[output..]).map(|(w, d)| 2 * w * d).sum::<i32>());
            assert_eq!(found, direct, "kernel {kernel}, pixel {pixel}, tap {tap}");
        }
    }

    #[test]
    fn two_outputs_are_twice_the_direct_sums_for_any_pixels_and_weights() {
        equals_twice_the_direct_sums::<4>(3);
        equals_twice_the_direct_sums::<7>(5);
        equals_twice_the_direct_sums::<10>(7);
    }

    #[test]
    fn transformed_values_fit_16_bits_and_their_sums_32() {
        // Of pixels from 0 to 255, the largest in size; two dimensions multiply.
        let pixel = |point: &Point| if point.combine == Combine::Sum { 2 } else { 1 };
        let weight = |point: &Point| point.factors.iter().map(|factor| factor.abs()).sum::<i32>();
        let largest = |gain: &dyn Fn(&Point) -> i32| POINTS.iter().map(gain).max().unwrap_or(0).pow(2);
        let (pixel, weight) = (255 * largest(&pixel), 127 * largest(&weight));
        assert_eq!((pixel, weight), (1020, 2032));
        assert!(i16::try_from(pixel).is_ok() && i16::try_from(weight).is_ok());
        let sum = i64::from(MAX_DIMENSION) * i64::from(pixel) * i64::from(weight);
        assert!(i32::try_from(sum).is_ok(), "{sum}");
    }
}
