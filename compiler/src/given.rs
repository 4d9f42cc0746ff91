//! What a quantized file says of itself is kept: its scales, its zero points, its integers. Here is what can be, and what is
//! missing.

use thumbnet::format::{Op, Window};

use crate::CompileError;
use crate::function::Function;
use crate::graph::{Activation, Layer, Network};
use crate::quantize::Outputs;

/// What reports call it where nothing was measured.
pub const METHOD: &str = "as the file says";

/// How far from a whole number a weight may be, in steps: floats of 24 bits hold products of two such to a few parts of 2^24.
const WHOLE: f64 = 1e-3;
/// A bias takes at most this many steps, so that the sums still have room; LiteRT gives channels without weights up to 2^30.
const BIAS_LIMIT: f64 = 1.5 * (1u32 << 30) as f64;

/// The steps of the weights, one an output channel, where the file gives them and all weights and biases can be written in
/// them; `input_scale`: that of the map that the layer reads.
pub fn weight_steps(layer: &Layer, input_scale: f32) -> Option<&[f32]> {
    let steps = &layer.weight_steps;
    let fits = steps.len() == layer.channels()
        && layer.filters().zip(&layer.bias).zip(steps).all(|((filter, &bias), &step)| {
            let is_kept = |&weight: &f32| {
                let integer = f64::from(weight) / f64::from(step);
                (integer - integer.round()).abs() < WHOLE && i8::try_from(integer.round() as i64).is_ok()
            };
            let bias = f64::from(bias).abs() / (f64::from(step) * f64::from(input_scale));
            step.is_normal() && step > 0.0 && bias <= BIAS_LIMIT && filter.iter().all(is_kept)
        });
    fits.then_some(steps)
}

/// Whether a layer gives back what it reads, but for its activation.
pub fn is_copy(layer: &Layer) -> bool {
    layer.record.op == Op::DepthwiseConv
        && layer.record.window == Window::UNIT
        && layer.record.input == layer.record.output
        && layer.weights.iter().all(|&weight| weight == 1.0)
        && layer.bias.iter().all(|&bias| bias == 0.0)
}

/// What of a layer only calibration can tell, by what its file does not say; `is_logits`: its sums are the result.
fn unknown(layer: &Layer, is_logits: bool) -> Option<&'static str> {
    let is_fixed = matches!(layer.activation, Activation::Function(Function::Sigmoid | Function::Tanh));
    match layer.activation {
        // The bytes of a pooling are those that it reads.
        _ if is_logits || is_fixed || layer.record.op == Op::MaxPool => None,
        _ if layer.given.is_none() => Some("no QuantizeLinear follows it"),
        Activation::Function(_) if !is_copy(layer) => Some("no QuantizeLinear stands before its activation"),
        Activation::Linear | Activation::Clamp(..) | Activation::Function(_) => None,
    }
}

/// Refuses to do without calibration images where something is to be measured on them.
pub fn expect_complete(network: &Network, outputs: Outputs) -> Result<(), CompileError> {
    let last = network.layers.len().saturating_sub(1);
    let layers = network.layers.iter().enumerate();
    let missing: Vec<String> = layers
        .filter_map(|(index, layer)| {
            let is_logits = index == last && outputs.are_logits(layer);
            unknown(layer, is_logits).map(|what| format!("{} ({what})", layer.name))
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    const SHOWN: usize = 3;
    let more = missing.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown = missing[..missing.len().min(SHOWN)].join(", ");
    Err(CompileError::Calibration(format!(
        "the file does not say what the values of {} of its {} layers cover: {shown}{more}; give training images with \
         --calibration, or quantize the file with activations too",
        missing.len(),
        network.layers.len()
    )))
}

/// Whether the file says all: there is only one way to quantize the network.
pub fn is_complete(network: &Network, outputs: Outputs) -> bool {
    let is_quantized = |layer: &Layer| !layer.has_filters() || !layer.weight_steps.is_empty() || is_copy(layer);
    network.layers.iter().all(is_quantized) && expect_complete(network, outputs).is_ok()
}

/// Whose weights the file gives as integers that cannot be kept.
pub fn notes(network: &Network) -> Vec<String> {
    let scale = |map: usize| match map.checked_sub(1) {
        None => network.given_input.map(|given| given.scale),
        Some(index) => network.layers[index].given.map(|given| given.scale),
    };
    let layers = network.layers.iter().filter(|layer| !layer.weight_steps.is_empty());
    layers
        .filter(|layer| {
            let scale = layer.record.input_maps().next().and_then(scale);
            weight_steps(layer, scale.unwrap_or(1.0)).is_none()
        })
        .map(|layer| {
            format!(
                "{}: its integers cannot be kept (they are none of -128 to 127 around zero, or something was folded into \
                 them), so its weights are quantized anew",
                layer.name
            )
        })
        .collect()
}
