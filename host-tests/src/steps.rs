//! How far a runtime's activations may be from the core's, layer by layer, and how far they are.
//!
//! The runtimes compute with the same integers in floats and round halves to even, so a layer that reads the same
//! bytes may give a byte that differs by one. A layer that reads bytes which differ by `d` may give one that differs by
//! `d` times its gain more, the gains of its maps added up; a table makes of that what its entries say. Nothing else is
//! allowed.

mod gains;
mod table;

use serde::Serialize;
use thumbnet::Model;
use thumbnet::format::{Activation, Layer, NO_MAP, Op, TABLE_ZERO};
use thumbnet_compiler::graph;
use thumbnet_compiler::quantize::QuantizedNetwork;

use crate::runtimes::Outputs;
use gains::{FLOAT_ERROR, Gain, Logits};
use table::Table;

/// The largest logit in size; a sum that floats take beyond it stays there in the core.
const LARGEST_LOGIT: f64 = (1 << 30) as f64;

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
    /// Of every layer that makes bytes: these.
    pub layers: Vec<Histogram>,
    /// The results. Of logits, a step is what one step of one input of the last layer changes the logit by at most, and
    /// fractions are rounded up; of bytes, one of them.
    pub logits: Histogram,
}

/// What a model allows.
pub struct Bounds {
    layers: Vec<LayerBounds>,
    output_scale: f64,
    /// What the logits are made with; none where the result is bytes.
    logits: Option<Logits>,
}

/// What a layer allows.
struct LayerBounds {
    layer: Layer,
    /// One a scale of the layer; a single one where it has none.
    gains: Vec<Gain>,
    /// The activation's table, if it has one.
    table: Option<Table>,
    /// Steps of the output that a runtime, which computes the function in its place, may be off besides.
    function_noise: f64,
}

impl Bounds {
    /// The bounds of a model whose weights are stored as they are.
    pub fn of(model: &Model<'_>) -> Self {
        let layers: Vec<_> = model.layers().map(|layer| LayerBounds::of(model, layer)).collect();
        let logits = layers.last().and_then(|last| match last.layer.activation {
            Activation::Logits => Some(Logits::of(model, &last.layer)),
            Activation::Clamp | Activation::Table | Activation::ByteTable => None,
        });
        Self { layers, output_scale: f64::from(model.output_scale()), logits }
    }

    /// The same for a network of which more is known than its file says: what a runtime may find between the entries of a table,
    /// and how far it is off there.
    ///
    /// A function of a real number in floats is off by a part of what it adds and multiplies, however small its value is: an ELU
    /// by a part of one, as it is an exponential less one.
    pub fn of_compiled(model: &Model<'_>, network: &QuantizedNetwork) -> Self {
        let mut bounds = Self::of(model);
        for (bounds, layer) in bounds.layers.iter_mut().zip(&network.layers) {
            if let (graph::Activation::Function(function), Some(table)) = (layer.activation, &bounds.table) {
                let scale = f64::from(layer.output_quantization.scale);
                let zero_point = f64::from(layer.output_quantization.zero_point);
                let sums = bounds.gains.iter().zip(&layer.steps);
                let most = sums.clone().map(|(gain, step)| gain.largest_sum(*step, table.len())).fold(1.0, f64::max);
                // The smallest multipliers are not exact.
                let exact = sums.max_by(|(_, a), (_, b)| a.total_cmp(b));
                let step = exact.map_or(0.0, |(gain, step)| gain.step_from(*step));
                let zero = bounds.zero_entry();
                let value = |entry: f64| {
                    let real = function.apply((entry - f64::from(zero)) * step);
                    (real / scale + zero_point).clamp(0.0, 255.0)
                };
                bounds.function_noise = most * FLOAT_ERROR / scale + table.between_entries(value, 1.0 / step, zero);
            }
        }
        bounds
    }

    /// How far results are apart, in steps; both as logits, or as bytes less their zero point.
    pub fn logit_differences(&self, ours: &[i32], theirs: impl Iterator<Item = f64>, into: &mut Histogram) {
        for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let step = self.logits.as_ref().map_or(1.0, |logits| logits.step(index));
            into.add(((theirs.round() - f64::from(*ours)).abs() / step).ceil() as usize);
        }
    }

    /// What the difference of two results changes by at most if one value that the last layer reads changes by one; of
    /// bytes, one of them.
    pub fn step_between(&self, first: usize, second: usize) -> f64 {
        self.logits.as_ref().map_or(1.0, |logits| logits.step_between(first, second))
    }

    /// Counts the differences of one image; the error says which value is further off than allowed.
    ///
    /// `ours`: what [`crate::reference::outputs`] gives. `theirs`: what a runtime makes of the ONNX file with its layers
    /// exposed, channel slowest; the result as bytes where it is bytes.
    pub fn compare(&self, ours: &[Vec<i32>], theirs: &Outputs, into: &mut Differences) -> Result<(), String> {
        if theirs.len() != self.layers.len() {
            return Err(format!("{} outputs for {} layers", theirs.len(), self.layers.len()));
        }
        let makes_bytes = |bounds: &&LayerBounds| bounds.layer.activation != Activation::Logits;
        into.layers.resize(self.layers.iter().filter(makes_bytes).count(), Histogram::default());
        // By how much the values of each map differ; what enters is the same.
        let mut apart = vec![0.0];
        for (index, bounds) in self.layers.iter().enumerate() {
            let (ours, theirs) = (&ours[index], &theirs[index]);
            if ours.len() != theirs.len() {
                return Err(format!("layer {index}: {} values, not {}", theirs.len(), ours.len()));
            }
            let theirs = self.in_steps(&bounds.layer, theirs);
            let inputs = bounds.layer.inputs.map(|map| if map == NO_MAP { 0.0 } else { apart[usize::from(map)] });
            let differences = bounds.differences(ours, &theirs, inputs);
            let differences = differences.map_err(|error| format!("layer {index} {error}"))?;
            if let Some(histogram) = into.layers.get_mut(index) {
                differences.iter().for_each(|&difference| histogram.add(difference as usize));
            }
            if index + 1 == self.layers.len() {
                self.logit_differences(ours, theirs.into_iter(), &mut into.logits);
            }
            apart.push(differences.into_iter().fold(0.0, f64::max));
        }
        Ok(())
    }

    /// What a runtime gives for a layer, in the core's order: bytes as they are, logits in steps.
    fn in_steps(&self, layer: &Layer, theirs: &[f32]) -> Vec<f64> {
        let values = channel_fastest(theirs, layer.output.channels.into()).map(f64::from);
        match layer.activation {
            Activation::Logits => {
                values.map(|logit| (logit / self.output_scale).clamp(-LARGEST_LOGIT, LARGEST_LOGIT).round()).collect()
            }
            Activation::Clamp | Activation::Table | Activation::ByteTable => values.collect(),
        }
    }
}

/// The values of a map in the order of ONNX, channel slowest, with the channel fastest.
pub fn channel_fastest(values: &[f32], channels: usize) -> impl Iterator<Item = f32> + '_ {
    let pixels = values.len() / channels;
    (0..values.len()).map(move |place| values[place % channels * pixels + place / channels])
}

impl LayerBounds {
    fn of(model: &Model<'_>, layer: Layer) -> Self {
        let table = match layer.activation {
            Activation::Table | Activation::ByteTable => Some(Table::new(model.parameters(&layer).table)),
            Activation::Clamp | Activation::Logits => None,
        };
        Self { gains: gains::of(model, &layer), layer, table, function_noise: 0.0 }
    }

    /// The difference of every value, where those of the maps that the layer reads differ by `inputs` at most; the error
    /// says which value is further off.
    fn differences(&self, ours: &[i32], theirs: &[f64], inputs: [f64; 2]) -> Result<Vec<f64>, String> {
        let allowed: Vec<f64> = self.gains.iter().map(|gain| self.allowed(gain.apart(inputs))).collect();
        let difference = |(place, (our, their)): (usize, (&i32, &f64))| {
            let difference = (their - f64::from(*our)).abs();
            let allowed = allowed[gains::scale_at(&self.layer, place)];
            // Not-a-number is not within it.
            if difference <= allowed {
                return Ok(difference);
            }
            let Layer { op, activation, .. } = self.layer;
            Err(format!(
                "({op:?}, {activation:?}), value {place}: {our} here, {their} there; at most {allowed} apart are allowed \
                 where inputs differ by {inputs:?}"
            ))
        };
        ours.iter().zip(theirs).enumerate().map(difference).collect()
    }

    /// The entry of the table for a sum of zero.
    fn zero_entry(&self) -> i32 {
        match self.layer.activation {
            Activation::Table => TABLE_ZERO,
            Activation::ByteTable | Activation::Clamp | Activation::Logits => self.layer.table_zero.into(),
        }
    }

    /// By how much outputs may differ whose scaled sums do by so much before they are rounded.
    fn allowed(&self, apart: f64) -> f64 {
        let Layer { op, low, high, input_zero_point, .. } = self.layer;
        if op == Op::MaxPool {
            // Bytes are passed on. Only a limit that is no byte itself is rounded, and not everywhere the same way.
            let is_exact = (low == 0 || low == input_zero_point) && high == u8::MAX;
            return apart + if is_exact { 0.0 } else { 1.0 };
        }
        match &self.table {
            Some(table) => table.allowed(apart, self.function_noise),
            // Two numbers that are rounded.
            None => (apart + 1.0).floor(),
        }
    }
}
