//! Dense layer.

use super::windows::dot;
use super::{Integers, Operator, filters};
use crate::graph::Layer;
use crate::onnx::writer::int;
use crate::qdq::Writer;
use crate::quantization::Quantization;
use crate::quantize::{QuantizedLayer, Scales};

/// The operator.
pub struct Dense;

impl Operator for Dense {
    fn sums(&self, layer: &Layer, inputs: &[&[f32]]) -> Vec<f32> {
        layer.filters().zip(&layer.bias).map(|(filter, bias)| bias + dot(filter, inputs[0])).collect()
    }

    fn integers(&self, layer: &Layer, inputs: &[Quantization], scales: Scales) -> Integers {
        filters::integers(layer, inputs[0], scales)
    }

    fn bounds(&self, layer: &QuantizedLayer, scale: usize) -> (i64, i64) {
        filters::bounds(layer, scale)
    }

    /// `[out][row][rest]` as `[row][out][rest]`.
    fn stored_weights(&self, layer: &QuantizedLayer) -> Vec<u8> {
        let (outputs, rows) = (layer.channels(), usize::from(layer.record.input.height));
        let rest = layer.record.input.row_len();
        let start = |row: usize, output: usize| (output * rows + row) * rest;
        let starts = (0..rows).flat_map(|row| (0..outputs).map(move |output| start(row, output)));
        starts.flat_map(|start| layer.weights[start..start + rest].iter().map(|&weight| weight as u8)).collect()
    }

    fn write(&self, layer: &QuantizedLayer, inputs: &[&str], output: &str, writer: &mut Writer) -> String {
        let input = layer.record.input;
        let channels = usize::from(input.channels);
        let dims = [layer.channels(), input.len()];
        let (weights, bias) = writer.parameters(layer, &dims, [channels, input.len() / channels], output);
        writer.onnx.node("Gemm", output, &[inputs[0], &weights, &bias], vec![int("transB", 1)])
    }
}
