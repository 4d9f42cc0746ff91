//! Max pooling as a layer of its own.

use super::{Integers, Operator, windows};
use crate::graph::Layer;
use crate::qdq::{Writer, pooled};
use crate::quantization::Quantization;
use crate::quantize::{QuantizedLayer, Scales};

/// The operator. Its bytes stay as they are.
pub struct MaxPool;

impl Operator for MaxPool {
    fn sums(&self, layer: &Layer, inputs: &[&[f32]]) -> Vec<f32> {
        windows::reduce(layer, inputs[0], |window| window.fold(f32::NEG_INFINITY, f32::max))
    }

    fn integers(&self, _layer: &Layer, _inputs: &[Quantization], _scales: Scales) -> Integers {
        Integers::default()
    }

    fn bounds(&self, _layer: &QuantizedLayer, _scale: usize) -> (i64, i64) {
        (0, 0)
    }

    fn stored_weights(&self, _layer: &QuantizedLayer) -> Vec<u8> {
        Vec::new()
    }

    fn write(&self, layer: &QuantizedLayer, inputs: &[&str], output: &str, writer: &mut Writer) -> String {
        writer.onnx.node("MaxPool", output, inputs, pooled(&layer.record.window))
    }
}
