//! Turns the float network into integers, as `docs/quantization.md` says.

use thumbnet::format::{self, Activation, Op, Shape};

use crate::CompileError;
use crate::calibrate::LayerRange;
use crate::graph::{self, Layer, Network};
use crate::onnx::Entry;
use crate::ops::{self, Integers};
use crate::quantization::{Quantization, multiplier};
use crate::stage::Stage;

/// Most logits that are taken to be classes.
const MOST_LOGITS: u16 = 256;

/// Steps of a logit in one of the accumulator with the largest, where there is room for them.
const LOGIT_PARTS: f64 = 256.0;
/// No logit is beyond what a requantization gives.
const LARGEST_LOGIT: f64 = (1 << 30) as f64;

/// What leaves a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outputs {
    /// Logits where the last layer is dense, has no activation and gives no more than 256 values that its file does not
    /// quantize; bytes otherwise.
    #[default]
    Auto,
    /// The sums of a dense layer, 32 bits each; bytes where the last layer is another one.
    Logits,
    /// Bytes.
    Bytes,
}

/// The scales of a layer's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scales {
    /// One for each output channel.
    #[default]
    PerChannel,
    /// The same for all.
    One,
}

/// A network of integers.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedNetwork {
    /// What enters.
    pub input: Shape,
    /// What the file that it was read from takes in its place.
    pub entry: Entry,
    /// How what enters is quantized.
    pub input_quantization: Quantization,
    /// The layers in order, on the maps of [`Network`].
    pub layers: Vec<QuantizedLayer>,
}

/// A layer of integers.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedLayer {
    /// The node that it came from.
    pub name: String,
    /// The record in the model file; offsets and lengths are still zero.
    pub record: format::Layer,
    /// What follows the sums, in floats.
    pub activation: graph::Activation,
    /// As in [`Layer::counts_padding`].
    pub counts_padding: bool,
    /// What the maps of an addition are multiplied with, in floats; none for other operators.
    pub real_factors: Vec<f32>,
    /// How the maps are quantized that it reads.
    pub inputs: Vec<Quantization>,
    /// How the output is quantized; of no meaning for logits.
    pub output_quantization: Quantization,
    /// Weights of -127 to 127, or -128 where a quantized file has that, in the order of [`Layer::weights`].
    pub weights: Vec<i8>,
    /// The real value of one step of a weight, one an output channel.
    pub weight_scales: Vec<f32>,
    /// Biases in steps of the accumulator, the zero points not yet folded in.
    pub bias: Vec<i32>,
    /// Biases with the inputs' zero points folded in: what the accumulators start from.
    pub folded_bias: Vec<i32>,
    /// The real value of one step of the accumulator.
    pub steps: Vec<f64>,
    /// The real value of one step of the logits; of no meaning for other layers.
    pub logit_step: f64,
    /// What an accumulator is multiplied with.
    pub multipliers: Vec<i32>,
    /// The powers of two that it is then divided by.
    pub shifts: Vec<u8>,
    /// The activation's table, if it has one.
    pub table: Vec<u8>,
}

impl Outputs {
    /// Whether this last layer gives logits.
    pub fn are_logits(self, last: &Layer) -> bool {
        let possible = last.record.op == Op::Dense && last.activation == graph::Activation::Linear;
        let wanted = match self {
            // What the file quantizes stays so.
            Self::Auto => last.record.output.channels <= MOST_LOGITS && last.given.is_none(),
            Self::Logits => true,
            Self::Bytes => false,
        };
        possible && wanted
    }
}

impl QuantizedNetwork {
    /// The real value of one step of what leaves.
    pub fn output_scale(&self) -> f32 {
        self.layers.last().map_or(1.0, |layer| match layer.record.activation {
            Activation::Logits => layer.logit_step as f32,
            Activation::Clamp | Activation::Table | Activation::ByteTable => layer.output_quantization.scale,
        })
    }

    /// How a map is quantized.
    pub fn quantization(&self, map: usize) -> Quantization {
        let layer = map.checked_sub(1).and_then(|layer| self.layers.get(layer));
        layer.map_or(self.input_quantization, |layer| layer.output_quantization)
    }
}

impl QuantizedLayer {
    /// Number of output channels.
    pub fn channels(&self) -> usize {
        usize::from(self.record.output.channels)
    }

    /// The filters in the order of their output channels; none where the operator has no weights.
    pub fn filters(&self) -> impl Iterator<Item = &[i8]> {
        self.weights.chunks_exact((self.weights.len() / self.channels().max(1)).max(1))
    }
}

/// Quantizes the network; `ranges` holds what each layer's sums and output cover, `logits` is how the weights behind logits are
/// scaled.
pub fn quantize(
    network: &Network,
    ranges: &[LayerRange],
    outputs: Outputs,
    logits: Scales,
) -> Result<QuantizedNetwork, CompileError> {
    let input_quantization = network.given_input.unwrap_or(Quantization::PIXELS);
    let mut quantized =
        QuantizedNetwork { input: network.input, entry: network.entry.clone(), input_quantization, layers: Vec::new() };
    for (index, (layer, &range)) in network.layers.iter().zip(ranges).enumerate() {
        let inputs: Vec<_> = layer.record.input_maps().map(|map| quantized.quantization(map)).collect();
        let is_last = index + 1 == network.layers.len();
        let logits = (is_last && outputs.are_logits(layer)).then_some(logits);
        quantized.layers.push(quantize_layer(layer, inputs, range, logits)?);
    }
    Ok(quantized)
}

fn quantize_layer(
    layer: &Layer,
    inputs: Vec<Quantization>,
    range: LayerRange,
    logits: Option<Scales>,
) -> Result<QuantizedLayer, CompileError> {
    ops::check(layer)?;
    let integers = ops::of(layer.record.op).integers(layer, &inputs, logits.unwrap_or_default());
    let is_logits = logits.is_some();
    let stage = Stage::of(layer, range, inputs[0]);
    let folded_bias = folded_bias(layer, &integers)?;
    let logit_step = logit_step(&integers);
    let step = if is_logits { logit_step } else { stage.step };
    let mut scales = Vec::with_capacity(integers.steps.len());
    for (channel, own) in integers.steps.iter().enumerate() {
        scales.push(multiplier(own / step).ok_or_else(|| CompileError::Quantization {
            layer: layer.name.clone(),
            what: format!("output channel {channel} would have to be multiplied by {}", own / step),
            advice: "calibrate with images like those it will see, or train it again".into(),
        })?);
    }
    let (multipliers, shifts) = scales.into_iter().unzip();
    let record = format::Layer {
        activation: if is_logits { Activation::Logits } else { stage.activation },
        input_zero_point: inputs[0].zero_point,
        output_zero_point: if is_logits { 0 } else { stage.output.zero_point },
        low: if is_logits { 0 } else { stage.limits[0] },
        high: if is_logits { u8::MAX } else { stage.limits[1] },
        table_zero: stage.table_zero,
        factors: integers.factors,
        ..layer.record
    };
    Ok(QuantizedLayer {
        name: layer.name.clone(),
        record,
        activation: layer.activation,
        counts_padding: layer.counts_padding,
        real_factors: if layer.record.op == Op::Add { layer.weights.clone() } else { Vec::new() },
        inputs,
        output_quantization: stage.output,
        weights: integers.weights,
        weight_scales: integers.weight_scales,
        bias: integers.bias.iter().map(|&bias| bias as i32).collect(),
        folded_bias,
        steps: integers.steps,
        logit_step,
        multipliers,
        shifts,
        table: stage.table,
    })
}

/// Biases less what the inputs' zero points add.
fn folded_bias(layer: &Layer, integers: &Integers) -> Result<Vec<i32>, CompileError> {
    let pairs = integers.bias.iter().zip(&integers.zero_sums).enumerate();
    pairs
        .map(|(channel, (&bias, zero_sum))| {
            let folded = bias - zero_sum;
            let fits = i32::try_from(bias).and(i32::try_from(folded));
            fits.map_err(|_| CompileError::Overflow { layer: layer.name.clone(), channel, reached: folded })
        })
        .collect()
}

/// The common step of all logits: small beside the steps of the accumulators, so that its rounding is, too, and large enough
/// for the largest logit that there may be.
fn logit_step(integers: &Integers) -> f64 {
    let largest = integers.steps.iter().fold(0.0, |largest: f64, &step| largest.max(step));
    let filters = integers.weights.chunks_exact((integers.weights.len() / integers.steps.len().max(1)).max(1));
    let reach = filters.zip(&integers.bias).zip(&integers.steps).map(|((filter, &bias), step)| {
        let sum: f64 = filter.iter().map(|&weight| 255.0 * f64::from(weight.unsigned_abs())).sum();
        (2.0 * sum + bias.abs() as f64) * step
    });
    (largest / LOGIT_PARTS).max(reach.fold(0.0, f64::max) / LARGEST_LOGIT)
}
