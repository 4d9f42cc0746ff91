//! Depthwise convolution.

use super::{Integers, Operator, filters};
use crate::graph::Layer;
use crate::qdq::{Writer, windowed};
use crate::quantization::Quantization;
use crate::quantize::{QuantizedLayer, Scales};

/// The operator.
pub struct DepthwiseConv;

impl Operator for DepthwiseConv {
    fn sums(&self, layer: &Layer, inputs: &[&[f32]]) -> Vec<f32> {
        let multiplier = layer.record.group_outputs().max(1);
        filters::convolve(layer, inputs[0], |output, filter, patch| {
            filters::group(layer, 1, output / multiplier, filter, patch)
        })
    }

    fn integers(&self, layer: &Layer, inputs: &[Quantization], scales: Scales) -> Integers {
        filters::integers(layer, inputs[0], scales)
    }

    fn bounds(&self, layer: &QuantizedLayer, scale: usize) -> (i64, i64) {
        filters::bounds(layer, scale)
    }

    /// `[out][taps]` as `[taps][out]`.
    fn stored_weights(&self, layer: &QuantizedLayer) -> Vec<u8> {
        let (outputs, taps) = (layer.channels(), layer.record.window.taps());
        let byte = |index: usize| layer.weights[index] as u8;
        (0..taps).flat_map(|tap| (0..outputs).map(move |output| byte(output * taps + tap))).collect()
    }

    fn write(&self, layer: &QuantizedLayer, inputs: &[&str], output: &str, writer: &mut Writer) -> String {
        let window = &layer.record.window;
        let dims = [layer.channels(), 1, window.kernel_height.into(), window.kernel_width.into()];
        let (weights, bias) = writer.parameters(layer, &dims, [1, window.taps()], output);
        let attributes = windowed(window, layer.record.input.channels);
        writer.onnx.node("Conv", output, &[inputs[0], &weights, &bias], attributes)
    }
}
