//! Convolution, in one group or several.

use thumbnet::format::Op;

use super::windows::dot;
use super::{Integers, Operator, filters};
use crate::graph::Layer;
use crate::qdq::{Writer, windowed};
use crate::quantization::Quantization;
use crate::quantize::{QuantizedLayer, Scales};

/// The operator; its groups are in the record.
pub struct Conv;

impl Operator for Conv {
    fn sums(&self, layer: &Layer, inputs: &[&[f32]]) -> Vec<f32> {
        if layer.record.op == Op::Conv {
            return filters::convolve(layer, inputs[0], |_, filter, patch| dot(filter, patch));
        }
        let (channels, outputs) = (layer.record.filter_channels(), layer.record.group_outputs().max(1));
        filters::convolve(layer, inputs[0], |output, filter, patch| {
            filters::group(layer, channels, output / outputs * channels, filter, patch)
        })
    }

    fn integers(&self, layer: &Layer, inputs: &[Quantization], scales: Scales) -> Integers {
        filters::integers(layer, inputs[0], scales)
    }

    fn bounds(&self, layer: &QuantizedLayer, scale: usize) -> (i64, i64) {
        filters::bounds(layer, scale)
    }

    fn stored_weights(&self, layer: &QuantizedLayer) -> Vec<u8> {
        filters::as_they_are(layer)
    }

    fn write(&self, layer: &QuantizedLayer, inputs: &[&str], output: &str, writer: &mut Writer) -> String {
        let window = &layer.record.window;
        let (channels, taps) = (layer.record.filter_channels(), window.taps());
        let dims = [layer.channels(), channels, window.kernel_height.into(), window.kernel_width.into()];
        let (weights, bias) = writer.parameters(layer, &dims, [channels, taps], output);
        let attributes = windowed(window, layer.record.groups);
        writer.onnx.node("Conv", output, &[inputs[0], &weights, &bias], attributes)
    }
}
