//! How far a runtime's activations may be from the core's, layer by layer, and how far they are.
//!
//! The runtimes compute with the same integers in floats and round halves to even, so a layer that reads the same
//! bytes may give a byte that differs by one. A layer that reads bytes which differ by `d` may give one that differs by
//! `d` times its gain more. Nothing else is allowed.

use inference_core::Model;
use inference_core::format::{Activation, Layer, Op};
use serde::Serialize;

use crate::runtimes::Outputs;

/// Relative error of a float sum, of its largest possible value: 64 units in the last place.
const FLOAT_ERROR: f64 = 64.0 / (1 << 24) as f64;

/// Counts of differences: entry `n` counts values that differ by `n` steps.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Histogram(pub Vec<u64>);

impl Histogram {
    /// Counts one difference.
    pub fn add(&mut self, steps: usize) {
        self.add_many(steps, 1);
    }

    /// The largest difference.
    pub fn largest(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    /// Counts what `other` counts too.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().enumerate().for_each(|(steps, &count)| self.add_many(steps, count));
    }

    fn add_many(&mut self, steps: usize, count: u64) {
        if count > 0 {
            self.0.resize(self.0.len().max(steps + 1), 0);
            self.0[steps] += count;
        }
    }
}

/// Differences over all images that were compared.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Differences {
    /// Of every requantized layer: its bytes.
    pub layers: Vec<Histogram>,
    /// Logits. A step is what one step of one input of the last layer changes the logit by at most; fractions are rounded
    /// up.
    pub logits: Histogram,
}

/// What one output channel makes of differences.
struct Channel {
    /// Steps of the output a step of all its inputs.
    gain: f64,
    /// Steps of the output that float sums may be off.
    noise: f64,
}

/// What a model allows.
pub struct Bounds {
    layers: Vec<(Layer, Vec<Channel>)>,
    logit_scale: f64,
    /// Of every class, what one step of one input of the last layer changes the logit by at most.
    logit_steps: Vec<f64>,
}

impl Bounds {
    /// The bounds of a model whose weights are stored as they are.
    pub fn of(model: &Model<'_>) -> Self {
        let layers: Vec<_> = model.layers().map(|layer| (layer, channels(model, &layer))).collect();
        let logit_steps = layers.last().map_or(vec![], |(layer, _)| largest_weights(model, layer));
        Self { layers, logit_scale: f64::from(model.logit_scale()), logit_steps }
    }

    /// How far logits are apart, in steps; both as accumulators.
    pub fn logit_differences(&self, ours: &[i32], theirs: impl Iterator<Item = f64>, into: &mut Histogram) {
        for ((ours, theirs), step) in ours.iter().zip(theirs).zip(&self.logit_steps) {
            into.add(((theirs.round() - f64::from(*ours)).abs() / step).ceil() as usize);
        }
    }

    /// Counts the differences of one image; the error says which value is further off than allowed.
    ///
    /// `ours`: what [`crate::reference::outputs`] gives. `theirs`: what a runtime makes of the ONNX file with its layers
    /// exposed, channel slowest.
    pub fn compare(&self, ours: &[Vec<i32>], theirs: &Outputs, into: &mut Differences) -> Result<(), String> {
        if theirs.len() != self.layers.len() {
            return Err(format!("{} outputs for {} layers", theirs.len(), self.layers.len()));
        }
        into.layers.resize(self.layers.len() - 1, Histogram::default());
        let mut before = 0.0;
        for (index, (layer, channels)) in self.layers.iter().enumerate() {
            let (ours, theirs) = (&ours[index], &theirs[index]);
            if ours.len() != theirs.len() {
                return Err(format!("layer {index}: {} values, not {}", theirs.len(), ours.len()));
            }
            let is_last = layer.activation == Activation::Logits;
            // Two numbers that are rounded; the sigmoid's table is half a step off before that.
            let rounding = if layer.activation == Activation::Table { 1.5 } else { 1.0 };
            let scale = if is_last { self.logit_scale } else { 1.0 };
            let (count, pixels) = (channels.len(), ours.len() / channels.len());
            let mut largest = 0.0f64;
            for (place, our) in ours.iter().enumerate() {
                let channel = &channels[place % count];
                let their = f64::from(theirs[place % count * pixels + place / count]) / scale;
                let difference = (their.round() - f64::from(*our)).abs();
                let allowed = (channel.gain * before + channel.noise + rounding).floor();
                if difference.is_nan() || difference > allowed {
                    return Err(format!(
                        "layer {index} ({:?}, {:?}), value {place}: {our} here, {their} there; at most {allowed} apart \
                         are allowed where inputs differ by {before}",
                        layer.op, layer.activation
                    ));
                }
                if !is_last {
                    into.layers[index].add(difference as usize);
                }
                largest = largest.max(difference);
            }
            if is_last {
                let theirs = theirs.iter().map(|&logit| f64::from(logit) / scale);
                self.logit_differences(ours, theirs, &mut into.logits);
            }
            before = largest;
        }
        Ok(())
    }
}

fn channels(model: &Model<'_>, layer: &Layer) -> Vec<Channel> {
    let parameters = model.parameters(layer);
    let word = |section: &[u8], channel: usize| {
        section.as_chunks::<4>().0.get(channel).map_or(1.0, |&bytes| f64::from(i32::from_le_bytes(bytes)))
    };
    let mut sums = vec![0.0; usize::from(layer.output.channels)];
    weights(model, layer).for_each(|(channel, weight)| sums[channel] += weight);
    if layer.op == Op::GlobalAveragePool {
        sums.fill(f64::from(layer.input.height) * f64::from(layer.input.width));
    }
    let channel = |(channel, sum): (usize, f64)| {
        let shift = parameters.shifts.get(channel).map_or(0, |&shift| i32::from(shift));
        let scale = word(parameters.multipliers, channel) * 2f64.powi(-shift);
        let most = sum * 255.0 + word(parameters.bias, channel).abs();
        Channel { gain: sum * scale, noise: most * FLOAT_ERROR * scale }
    };
    sums.into_iter().enumerate().map(channel).collect()
}

fn largest_weights(model: &Model<'_>, layer: &Layer) -> Vec<f64> {
    let mut largest = vec![1.0f64; usize::from(layer.output.channels)];
    weights(model, layer).for_each(|(channel, weight)| largest[channel] = largest[channel].max(weight));
    largest
}

/// The sizes of all weights with their output channels.
fn weights<'m>(model: &Model<'m>, layer: &Layer) -> impl Iterator<Item = (usize, f64)> + use<'m> {
    let stored = &model.parameters(layer).weights[..layer.weights_len as usize];
    let outputs = usize::from(layer.output.channels);
    let filter_len = stored.len() / outputs;
    let row_len = usize::from(layer.input.width) * usize::from(layer.input.channels);
    let op = layer.op;
    stored.iter().enumerate().map(move |(index, &weight)| {
        let channel = match op {
            Op::Conv => index / filter_len,
            Op::Dense => index / row_len % outputs,
            _ => index % outputs,
        };
        (channel, f64::from((weight as i8).unsigned_abs()))
    })
}
