//! Turns the float network into integers, as `docs/quantization.md` says.

use inference_core::format::{self, Activation, Op, Pool, Shape, TABLE_LEN, TABLE_STEPS_PER_UNIT, TABLE_ZERO, Window};
use inference_core::requantize::SHIFTS;

use crate::CompileError;
use crate::calibrate::Range;
use crate::graph::{self, Layer, Network};

/// Largest size of a quantized weight.
const WEIGHT_LIMIT: f32 = 127.0;
/// A bias takes at most this many steps, so that the sums still have room.
const BIAS_LIMIT: f64 = (1 << 29) as f64;
/// Scale of what a sigmoid gives.
const SIGMOID_SCALE: f32 = 1.0 / 256.0;

/// real = scale * (q - zero_point), q of 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    /// The real value of one step.
    pub scale: f32,
    /// The quantized value of a real zero.
    pub zero_point: u8,
}

impl Quantization {
    /// The pixel bytes: 0 is 0.0, 255 is 1.0.
    pub const PIXELS: Self = Self { scale: 1.0 / 255.0, zero_point: 0 };
    /// What a sigmoid gives.
    pub const SIGMOID: Self = Self { scale: SIGMOID_SCALE, zero_point: 0 };

    /// The quantization that covers a range.
    pub fn covering(range: Range) -> Self {
        let width = range.high - range.low;
        if width.is_nan() || width <= 0.0 {
            // A dead tensor: any scale represents its zeros.
            return Self { scale: 1.0 / 255.0, zero_point: 0 };
        }
        let scale = (width / 255.0).max(f64::from(f32::MIN_POSITIVE)) as f32;
        let zero_point = (-range.low / f64::from(scale)).round().clamp(0.0, 255.0) as u8;
        Self { scale, zero_point }
    }
}

/// A network of integers.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedNetwork {
    /// What enters, quantized as [`Quantization::PIXELS`].
    pub input: Shape,
    /// The layers in order.
    pub layers: Vec<QuantizedLayer>,
}

/// A layer of integers; shapes as in [`graph::Layer`].
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedLayer {
    /// The node that it came from.
    pub name: String,
    /// The operator.
    pub op: Op,
    /// What enters.
    pub input: Shape,
    /// What leaves, after pooling.
    pub output: Shape,
    /// The convolution's window.
    pub window: Window,
    /// Max pooling.
    pub pool: Pool,
    /// What follows the sums, in floats.
    pub activation: graph::Activation,
    /// What happens to an accumulator.
    pub stage: Activation,
    /// How the input is quantized.
    pub input_quantization: Quantization,
    /// How the output is quantized; of no meaning for logits.
    pub output_quantization: Quantization,
    /// Weights of -127 to 127, `[out_channels][filter]` as in [`graph::Layer::weights`].
    pub weights: Vec<i8>,
    /// The real value of one step of a weight, one an output channel; all equal for logits.
    pub weight_scales: Vec<f32>,
    /// Biases in steps of input scale times weight scale, the zero point not yet folded in.
    pub bias: Vec<i32>,
    /// Biases with the input's zero point folded in: what the accumulators start from.
    pub folded_bias: Vec<i32>,
    /// One an output channel; none for logits.
    pub multipliers: Vec<i32>,
    /// One an output channel; none for logits.
    pub shifts: Vec<u8>,
}

impl QuantizedNetwork {
    /// The real value of one step of a logit.
    pub fn logit_scale(&self) -> f32 {
        self.layers
            .last()
            .map_or(1.0, |layer| (f64::from(layer.input_quantization.scale) * f64::from(layer.weight_scales[0])) as f32)
    }
}

impl QuantizedLayer {
    /// Number of output channels.
    pub fn channels(&self) -> usize {
        usize::from(self.output.channels)
    }

    /// The filters in the order of their output channels; empty ones for an average.
    pub fn filters(&self) -> impl Iterator<Item = &[i8]> {
        let len = self.weights.len() / self.channels();
        (0..self.channels()).map(move |channel| &self.weights[channel * len..][..len])
    }

    /// The layer's record in the model file, offsets and lengths still zero.
    pub fn record(&self) -> format::Layer {
        format::Layer {
            activation: self.stage,
            input_zero_point: self.input_quantization.zero_point,
            output_zero_point: self.output_quantization.zero_point,
            ..graph::record(self.op, self.input, self.output, self.window, self.pool)
        }
    }

    fn fault(&self, what: String, advice: &str) -> CompileError {
        CompileError::Quantization { layer: self.name.clone(), what, advice: advice.into() }
    }
}

/// Quantizes the network; `ranges` holds what each layer's output covers.
pub fn quantize(network: &Network, ranges: &[Range]) -> Result<QuantizedNetwork, CompileError> {
    let mut input = Quantization::PIXELS;
    let mut layers: Vec<QuantizedLayer> = Vec::with_capacity(network.layers.len());
    for (index, (layer, &range)) in network.layers.iter().zip(ranges).enumerate() {
        let output = match layer.activation {
            graph::Activation::Sigmoid => Quantization::SIGMOID,
            graph::Activation::Relu => Quantization::covering(Range { low: 0.0, ..range }),
            graph::Activation::Linear => Quantization::covering(range),
        };
        let is_last = index + 1 == network.layers.len();
        layers.push(quantize_layer(layer, input, output, is_last)?);
        input = output;
    }
    Ok(QuantizedNetwork { input: network.input, layers })
}

fn quantize_layer(
    layer: &Layer,
    input: Quantization,
    output: Quantization,
    is_last: bool,
) -> Result<QuantizedLayer, CompileError> {
    let stage = match (is_last, layer.activation) {
        (true, _) => Activation::Logits,
        (false, graph::Activation::Sigmoid) => Activation::Table,
        (false, _) => Activation::Clamp,
    };
    let mut quantized = QuantizedLayer {
        name: layer.name.clone(),
        op: layer.op,
        input: layer.input,
        output: layer.output,
        window: layer.window,
        pool: layer.pool,
        activation: layer.activation,
        stage,
        input_quantization: input,
        output_quantization: output,
        weights: Vec::with_capacity(layer.weights.len()),
        weight_scales: weight_scales(layer, input.scale, is_last),
        bias: Vec::with_capacity(layer.channels()),
        folded_bias: Vec::with_capacity(layer.channels()),
        multipliers: Vec::new(),
        shifts: Vec::new(),
    };
    if layer.weights.iter().chain(&layer.bias).any(|value| !value.is_finite()) {
        return Err(quantized.fault("has weights that are not finite".into(), "train the network again"));
    }
    for (channel, filter) in layer.filters().enumerate() {
        let scale = quantized.weight_scales[channel];
        let steps = |weight: f32| (weight / scale).round().clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT) as i8;
        quantized.weights.extend(filter.iter().map(|&weight| steps(weight)));
        let step = f64::from(input.scale) * f64::from(scale);
        let bias = (f64::from(layer.bias[channel]) / step).round() as i32;
        // An average has weights of one.
        let len = if layer.op == Op::GlobalAveragePool { pixels(layer.input) } else { filter.len() };
        let taken = &quantized.weights[quantized.weights.len() - filter.len()..];
        let sum: i64 = if filter.is_empty() { len as i64 } else { taken.iter().map(|&weight| i64::from(weight)).sum() };
        let folded = i64::from(bias) - i64::from(input.zero_point) * sum;
        let Ok(folded) = i32::try_from(folded) else {
            return Err(CompileError::Overflow { layer: layer.name.clone(), channel, reached: folded });
        };
        quantized.bias.push(bias);
        quantized.folded_bias.push(folded);
        if stage == Activation::Logits {
            continue;
        }
        let real = match stage {
            Activation::Table => step * f64::from(TABLE_STEPS_PER_UNIT),
            _ => step / f64::from(output.scale),
        };
        let (multiplier, shift) = multiplier(real).ok_or_else(|| {
            let what = format!("output channel {channel} would have to be multiplied by {real}");
            quantized.fault(what, "calibrate with images like those it will see, or train it again")
        })?;
        quantized.multipliers.push(multiplier);
        quantized.shifts.push(shift);
    }
    Ok(quantized)
}

/// One scale an output channel so that the largest weight is 127 steps; one for all in the last layer.
fn weight_scales(layer: &Layer, input_scale: f32, is_last: bool) -> Vec<f32> {
    if layer.op == Op::GlobalAveragePool {
        return vec![1.0 / pixels(layer.input) as f32; layer.channels()];
    }
    let largest = |filter: &[f32]| filter.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
    // A channel of very small weights takes a scale that its bias can be written in.
    let scale = |(filter, &bias): (&[f32], &f32)| {
        let for_bias = f64::from(bias).abs() / (BIAS_LIMIT * f64::from(input_scale));
        (largest(filter) / WEIGHT_LIMIT).max(for_bias as f32)
    };
    let mut scales: Vec<f32> = layer.filters().zip(&layer.bias).map(scale).collect();
    if is_last {
        let common = scales.iter().fold(0.0f32, |largest, &scale| largest.max(scale));
        scales.fill(common);
    }
    // All weights and the bias are zero: any scale does.
    scales.iter_mut().filter(|scale| !scale.is_normal()).for_each(|scale| *scale = 1.0 / WEIGHT_LIMIT);
    scales
}

fn pixels(shape: Shape) -> usize {
    usize::from(shape.height) * usize::from(shape.width)
}

/// `real` as `multiplier / 2^shift` with a multiplier of 2^30 to 2^31; `None` where it is too large.
///
/// Below 2^-32 every product with an `i32` rounds to zero, which 1 / 2^62 says exactly.
pub fn multiplier(real: f64) -> Option<(i32, u8)> {
    const BITS: i32 = 30;
    let (min, max) = (i32::from(*SHIFTS.start()), i32::from(*SHIFTS.end()));
    if !real.is_finite() || real <= 0.0 {
        return None;
    }
    let mut shift = BITS - real.log2().floor() as i32;
    let mut scaled = (real * 2f64.powi(shift)).round();
    if scaled >= 2f64.powi(BITS + 1) {
        shift -= 1;
        scaled = (real * 2f64.powi(shift)).round();
    }
    match shift {
        shift if shift > max => Some((1, max as u8)),
        shift if shift < min => None,
        shift => Some((scaled as i32, shift as u8)),
    }
}

/// The sigmoid's table, see [`format::Activation::Table`].
pub fn sigmoid_table() -> [u8; TABLE_LEN] {
    std::array::from_fn(|index| {
        let x = (index as f64 - f64::from(TABLE_ZERO)) / f64::from(TABLE_STEPS_PER_UNIT);
        sigmoid_steps(x)
    })
}

/// The real sigmoid in steps of its scale, rounded.
fn sigmoid_steps(x: f64) -> u8 {
    (1.0 / (1.0 + (-x).exp()) / f64::from(SIGMOID_SCALE)).round().min(255.0) as u8
}

#[cfg(test)]
mod tests {
    use inference_core::requantize::{requantize, scale};

    use super::*;

    #[test]
    fn multipliers_are_normalized_and_as_exact_as_31_bits_allow() {
        for real in [1e-9, 0.000_37, 0.49999999, 0.5, 0.75, 1.0, 1.5, 1000.0, 5e8] {
            let (multiplier, shift) = multiplier(real).unwrap();
            assert!(multiplier >= 1 << 30, "{real}: {multiplier}");
            let relative = f64::from(multiplier) / 2f64.powi(i32::from(shift)) / real - 1.0;
            assert!(relative.abs() <= 2f64.powi(-31), "{real}: {relative}");
        }
    }

    #[test]
    fn a_multiplier_that_rounds_up_to_a_power_of_two_stays_in_range() {
        let (multiplier, shift) = multiplier(1.0 - 1e-15).unwrap();
        assert_eq!((multiplier, shift), (1 << 30, 30));
    }

    #[test]
    fn extreme_multipliers() {
        let (tiny, shift) = multiplier(1e-12).unwrap();
        assert_eq!(scale(i32::MAX, tiny, shift), 0);
        assert_eq!(scale(i32::MIN, tiny, shift), 0);
        for impossible in [0.0, -1.0, f64::NAN, f64::INFINITY, 2e9] {
            assert_eq!(multiplier(impossible), None, "{impossible}");
        }
    }

    #[test]
    fn requantization_is_the_rounded_product() {
        for real in [0.0123, 0.9, 1.7] {
            let (multiplier, shift) = multiplier(real).unwrap();
            for acc in (-40_000..40_000).step_by(37) {
                let product: f64 = f64::from(acc) * real;
                if (product.rem_euclid(1.0) - 0.5).abs() < 1e-4 {
                    // Closer to an edge than 31 bits of multiplier tell apart.
                    continue;
                }
                let expected = (product.round() + 3.0).clamp(0.0, 255.0) as u8;
                assert_eq!(requantize(acc, multiplier, shift, 3, 0, 255), expected, "{acc} * {real}");
            }
        }
    }

    #[test]
    fn the_sigmoid_table_is_within_one_step_for_every_accumulator() {
        let table = sigmoid_table();
        for step in [0.000_031, 0.0007, 0.013, 0.6] {
            let (multiplier, shift) = multiplier(step * f64::from(TABLE_STEPS_PER_UNIT)).unwrap();
            let limit = (20.0 / step) as i32;
            for acc in (-limit..=limit).step_by(1 + limit as usize / 50_000) {
                let index = (scale(acc, multiplier, shift) + TABLE_ZERO).clamp(0, TABLE_LEN as i32 - 1);
                let found = i32::from(table[index as usize]);
                let exact = i32::from(sigmoid_steps(f64::from(acc) * step));
                assert!((found - exact).abs() <= 1, "sigmoid({acc} * {step}): {found}, exactly {exact}");
            }
        }
    }

    #[test]
    fn ranges_are_covered() {
        let signed = Quantization::covering(Range { low: -1.0, high: 2.0 });
        assert_eq!(signed.zero_point, 85);
        assert!((f64::from(signed.scale) * 255.0 - 3.0).abs() < 1e-6);
        let dead = Quantization::covering(Range { low: 0.0, high: 0.0 });
        assert!(dead.scale > 0.0 && dead.zero_point == 0);
    }
}
