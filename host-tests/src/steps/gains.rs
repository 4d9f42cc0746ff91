//! What the operators make of differences in the maps that they read.

use thumbnet::Model;
use thumbnet::format::{Layer, Op, Window};

/// Relative error of a float sum, of its largest possible value: 64 units in the last place.
pub const FLOAT_ERROR: f64 = 64.0 / (1 << 24) as f64;
/// Largest byte.
const LARGEST: f64 = 255.0;
/// The larger factor of an addition, which is exact; the other one is rounded.
const FACTOR: i32 = 1 << 14;

/// What the outputs of one scale make of differences, in steps of what their sums are scaled to.
#[derive(Clone, Copy, Debug)]
pub struct Gain {
    /// Steps a step of each map, of all its values that an output reads.
    maps: [f64; 2],
    /// Steps that float sums and rounded constants may be off.
    noise: f64,
    /// The largest accumulator in size.
    largest: f64,
    /// What it is multiplied with.
    scale: f64,
}

impl Gain {
    /// The largest sum in size, in a table of so many entries, where a step of the accumulator has this real value.
    pub fn largest_sum(&self, step: f64, entries: usize) -> f64 {
        self.largest.min(entries as f64 / self.scale) * step
    }

    /// The real value of one step of a scaled sum, where a step of the accumulator has this one.
    pub fn step_from(&self, step: f64) -> f64 {
        step / self.scale
    }

    /// By how much scaled sums differ at most where the maps do by so much.
    pub fn apart(&self, maps: [f64; 2]) -> f64 {
        self.maps[0] * maps[0] + self.maps[1] * maps[1] + self.noise
    }
}

/// The gains of a layer, one a scale; a single one where it has none.
pub fn of(model: &Model<'_>, layer: &Layer) -> Vec<Gain> {
    // Nothing is computed.
    const PASSED: Gain = Gain { maps: [1.0, 0.0], noise: 0.0, largest: LARGEST, scale: 1.0 };
    if layer.op == Op::MaxPool {
        return vec![PASSED];
    }
    let scales = scales(model, layer);
    let bias = model.parameters(layer).bias.as_chunks::<4>().0;
    let filters = filter_sizes(model, layer);
    let gain = |(index, &scale): (usize, &f64)| {
        // What an accumulator changes by where all values of a map change by one.
        let maps = match layer.op {
            Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense => [filters[index], 0.0],
            Op::GlobalAveragePool => [f64::from(layer.input.height) * f64::from(layer.input.width), 0.0],
            Op::Add => layer.factors.map(|factor| f64::from(factor).abs()),
            Op::AveragePool => [index as f64 + 1.0, 0.0],
            Op::Concat => [0, 1].map(|map| f64::from(u8::from(map == index))),
            Op::MaxPool => PASSED.maps,
        };
        let bias = f64::from(i32::from_le_bytes(bias[index])).abs();
        let largest = (maps[0] + maps[1]) * LARGEST + bias;
        let is_rounded = |&&factor: &&i16| layer.op == Op::Add && i32::from(factor).abs() != FACTOR;
        let factors = layer.factors.iter().filter(is_rounded).count() as f64 * LARGEST / 2.0;
        Gain { maps: maps.map(|gain| gain * scale), noise: (largest * FLOAT_ERROR + factors) * scale, largest, scale }
    };
    scales.iter().enumerate().map(gain).collect()
}

/// What one step of one input makes of logits.
pub struct Logits {
    /// Of every logit, what a step of each input changes it by.
    changes: Vec<Vec<f64>>,
}

impl Logits {
    /// The logits of a layer.
    pub fn of(model: &Model<'_>, layer: &Layer) -> Self {
        let mut changes = vec![vec![]; usize::from(layer.output.channels)];
        let scales = scales(model, layer);
        weights(model, layer).for_each(|(channel, weight)| changes[channel].push(weight * scales[channel]));
        Self { changes }
    }

    /// What one step of one input changes a logit by at most, but at least one.
    pub fn step(&self, logit: usize) -> f64 {
        self.changes[logit].iter().fold(1.0, |largest, change| largest.max(change.abs()))
    }

    /// The same of the difference of two logits; both are rounded.
    pub fn step_between(&self, first: usize, second: usize) -> f64 {
        let pairs = self.changes[first].iter().zip(&self.changes[second]);
        pairs.fold(0.0, |largest: f64, (a, b)| largest.max((a - b).abs())) + 1.0
    }
}

/// What an accumulator is multiplied with, one a scale.
fn scales(model: &Model<'_>, layer: &Layer) -> Vec<f64> {
    let parameters = model.parameters(layer);
    let multipliers = parameters.multipliers.as_chunks::<4>().0;
    let scale = |(&multiplier, &shift): (&[u8; 4], &u8)| {
        f64::from(i32::from_le_bytes(multiplier)) * 2f64.powi(-i32::from(shift))
    };
    multipliers.iter().zip(parameters.shifts).map(scale).collect()
}

/// The scale of the output at a place, channel fastest.
pub fn scale_at(layer: &Layer, place: usize) -> usize {
    let channels = usize::from(layer.output.channels);
    let (pixel, channel) = (place / channels, place % channels);
    match layer.op {
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense | Op::GlobalAveragePool => channel,
        Op::Add | Op::MaxPool => 0,
        Op::Concat => usize::from(channel >= usize::from(layer.input.channels)),
        Op::AveragePool => {
            let (Window { pad_top, pad_left, .. }, width) = (layer.window, usize::from(layer.output.width));
            let Window { kernel_height, kernel_width, stride_height, stride_width, .. } = layer.window;
            // Values of the window that are in the map, in one dimension.
            let inside = |index: usize, stride: u8, padding: u8, kernel: u8, size: u16| {
                let start = index as i64 * i64::from(stride) - i64::from(padding);
                (start + i64::from(kernel)).min(size.into()) - start.max(0)
            };
            let rows = inside(pixel / width, stride_height, pad_top, kernel_height, layer.input.height);
            let columns = inside(pixel % width, stride_width, pad_left, kernel_width, layer.input.width);
            (rows * columns - 1) as usize
        }
    }
}

/// Of every output channel, the sizes of its weights added up; zeros where there are none.
fn filter_sizes(model: &Model<'_>, layer: &Layer) -> Vec<f64> {
    let mut sums = vec![0.0; usize::from(layer.output.channels)];
    weights(model, layer).for_each(|(channel, weight)| sums[channel] += weight.abs());
    sums
}

/// All weights with their output channels; those of one channel in the order of its inputs.
fn weights<'m>(model: &Model<'m>, layer: &Layer) -> impl Iterator<Item = (usize, f64)> + use<'m> {
    let stored = &model.parameters(layer).weights;
    let stored = &stored[..(layer.weights_len as usize).min(stored.len())];
    let outputs = usize::from(layer.output.channels);
    let filter_len = stored.len() / outputs;
    let row_len = usize::from(layer.input.width) * usize::from(layer.input.channels);
    let op = layer.op;
    stored.iter().enumerate().map(move |(index, &weight)| {
        let channel = match op {
            Op::Conv | Op::GroupedConv => index / filter_len,
            Op::Dense => index / row_len % outputs,
            Op::DepthwiseConv => index % outputs,
            // These have no weights.
            Op::GlobalAveragePool | Op::Add | Op::MaxPool | Op::AveragePool | Op::Concat => 0,
        };
        (channel, f64::from(weight as i8))
    })
}
