//! Weights, biases, multipliers, shifts and tables: of sizes that tell images apart, and now and then extreme ones.

use thumbnet::format::{Activation, BYTE_TABLE_LEN, Layer, Op, Pool, TABLE_LEN};

use crate::rng::Rng;

/// The largest factor of an addition, as the compiler chooses them.
const FACTOR: i64 = 1 << 14;

/// The numbers of a layer.
pub struct Numbers {
    /// In the order of direct weights.
    pub weights: Vec<i8>,
    /// One a scale.
    pub bias: Vec<i32>,
    /// One a scale.
    pub multipliers: Vec<i32>,
    /// One a scale.
    pub shifts: Vec<u8>,
    /// The activation's, if it has one.
    pub table: Vec<u8>,
}

impl Numbers {
    /// Draws the numbers of a layer, and its factors; `zero_points`: those of the maps that it reads.
    pub fn draw(rng: &mut Rng, layer: &mut Layer, zero_points: &[u8]) -> Self {
        if layer.op == Op::Add {
            layer.factors = factors(rng);
        }
        let weights = weights(rng, layer.weight_count() as usize);
        let bias = biases(rng, layer, zero_points);
        let (multipliers, shifts) = (0..layer.scales()).map(|scale| multiplier(rng, layer, scale)).unzip();
        Self { weights, bias, multipliers, shifts, table: table(rng, layer) }
    }
}

/// Mostly small numbers; in one layer of four the extremes only.
fn weights(rng: &mut Rng, count: usize) -> Vec<i8> {
    let extreme = rng.one_in(4);
    let weight = |_| if extreme { rng.pick(&[-127i8, 127]) } else { rng.within(-127..=127) as i8 };
    (0..count).map(weight).collect()
}

/// One of them is as the compiler chooses the larger one; in one addition of eight both are anything.
fn factors(rng: &mut Rng) -> [i16; 2] {
    let any = |rng: &mut Rng, most: i64| rng.within(-most..=most - 1) as i16;
    let mut factors = match rng.one_in(8) {
        true => [0, 1].map(|_| any(rng, 2 * FACTOR)),
        false => [rng.pick(&[-FACTOR, FACTOR]) as i16, any(rng, FACTOR)],
    };
    if rng.one_in(2) {
        factors.reverse();
    }
    factors
}

/// Products that an accumulator adds up; of a pooling, values.
fn taps(layer: &Layer, scale: usize) -> i64 {
    let taps = match layer.op {
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense => {
            layer.weight_count() as usize / usize::from(layer.output.channels)
        }
        Op::GlobalAveragePool => usize::from(layer.input.height) * usize::from(layer.input.width),
        Op::AveragePool => scale + 1,
        Op::Concat | Op::MaxPool => 1,
        Op::Add => 2,
    };
    taps as i64
}

/// The largest size of a sum without its bias.
fn largest_sum(layer: &Layer, scale: usize) -> i64 {
    let products = match layer.op {
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense => taps(layer, scale) * 127,
        Op::GlobalAveragePool | Op::AveragePool | Op::Concat | Op::MaxPool => taps(layer, scale),
        Op::Add => layer.factors.iter().map(|&factor| i64::from(factor).abs()).sum(),
    };
    products * 255
}

/// Small biases, less what the zero points add where that is all that a value is measured against; in one layer of eight up
/// to where the accumulator could leave 32 bits.
fn biases(rng: &mut Rng, layer: &Layer, zero_points: &[u8]) -> Vec<i32> {
    let extreme = rng.one_in(8);
    let zero = |map: usize| i64::from(zero_points[map]);
    let bias = |scale: usize| {
        let room = i64::from(i32::MAX) - largest_sum(layer, scale);
        if extreme {
            return rng.pick(&[room, -room, room / 3, 0]) as i32;
        }
        let bias = match layer.op {
            Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense => rng.within(-5_000..=5_000),
            Op::GlobalAveragePool | Op::AveragePool => rng.within(-20..=20) - zero(0) * taps(layer, scale),
            Op::Concat => rng.within(-20..=20) - zero(scale),
            Op::Add => {
                let zeros = layer.factors.iter().enumerate().map(|(map, &factor)| i64::from(factor) * zero(map));
                rng.within(-FACTOR * 20..=FACTOR * 20) - zeros.sum::<i64>()
            }
            Op::MaxPool => 0,
        };
        bias as i32
    };
    (0..layer.scales()).map(bias).collect()
}

/// A multiplier and its shift: mostly such that outputs spread over 8 bits, some of any size.
fn multiplier(rng: &mut Rng, layer: &Layer, scale: usize) -> (i32, u8) {
    let taps = taps(layer, scale).max(1).ilog2() as u8;
    let bits = match layer.op {
        // Random products have a deviation of about 2^13; a sum of them, sqrt(taps) times as much.
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense => 13 + taps / 2 - 6,
        Op::GlobalAveragePool | Op::AveragePool => taps,
        Op::Add => FACTOR.ilog2() as u8,
        Op::Concat | Op::MaxPool => 0,
    };
    if rng.one_in(20) {
        (rng.within(1..=i64::from(i32::MAX)) as i32, rng.within(1..=62) as u8)
    } else {
        (rng.within(1 << 30..=i64::from(i32::MAX)) as i32, 30 + bits + rng.size(0..=2) as u8)
    }
}

/// The activation's table: of a layer that pools before its activation one that never decreases, of others mostly anything.
fn table(rng: &mut Rng, layer: &Layer) -> Vec<u8> {
    let len = match layer.activation {
        Activation::Table => TABLE_LEN,
        Activation::ByteTable => BYTE_TABLE_LEN,
        Activation::Clamp | Activation::Logits => 0,
    };
    let mut entries = rng.bytes(len);
    if layer.pool != Pool::NONE || rng.one_in(3) {
        entries.sort_unstable();
    }
    entries
}
