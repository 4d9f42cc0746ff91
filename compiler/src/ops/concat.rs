//! Two maps side by side.

use super::{Integers, LARGEST, Operator};
use crate::graph::Layer;
use crate::onnx::writer::int;
use crate::qdq::Writer;
use crate::quantization::Quantization;
use crate::quantize::{QuantizedLayer, Scales};

/// The operator. Each map comes to the scale of the output.
pub struct Concat;

impl Operator for Concat {
    fn sums(&self, layer: &Layer, inputs: &[&[f32]]) -> Vec<f32> {
        let first = usize::from(layer.record.input.channels);
        let pixels = inputs[0].chunks_exact(first).zip(inputs[1].chunks_exact(layer.channels() - first));
        pixels.flat_map(|(a, b)| a.iter().chain(b).copied()).collect()
    }

    fn integers(&self, _layer: &Layer, inputs: &[Quantization], _scales: Scales) -> Integers {
        Integers {
            bias: vec![0; inputs.len()],
            zero_sums: inputs.iter().map(|input| i64::from(input.zero_point)).collect(),
            steps: inputs.iter().map(|input| f64::from(input.scale)).collect(),
            ..Default::default()
        }
    }

    fn bounds(&self, _layer: &QuantizedLayer, _scale: usize) -> (i64, i64) {
        (0, LARGEST)
    }

    fn stored_weights(&self, _layer: &QuantizedLayer) -> Vec<u8> {
        Vec::new()
    }

    fn write(&self, _layer: &QuantizedLayer, inputs: &[&str], output: &str, writer: &mut Writer) -> String {
        writer.onnx.node("Concat", output, inputs, vec![int("axis", 1)])
    }
}
