//! Average pooling over a window.

use super::{Integers, LARGEST, Operator, windows};
use crate::graph::Layer;
use crate::onnx::writer::int;
use crate::qdq::{Writer, pooled};
use crate::quantization::Quantization;
use crate::quantize::{QuantizedLayer, Scales};

/// The operator. It has a scale for each number of values that a window may have in the map.
pub struct AveragePool;

impl Operator for AveragePool {
    fn sums(&self, layer: &Layer, inputs: &[&[f32]]) -> Vec<f32> {
        let taps = layer.record.window.taps();
        windows::reduce(layer, inputs[0], |window| {
            let (mut sum, mut count) = (0.0, 0);
            for value in window {
                sum += value;
                count += 1;
            }
            sum / if layer.counts_padding { taps } else { count } as f32
        })
    }

    fn integers(&self, layer: &Layer, inputs: &[Quantization], _scales: Scales) -> Integers {
        let input = inputs[0];
        let taps = layer.record.window.taps();
        let divisor = |count: usize| if layer.counts_padding { taps } else { count };
        Integers {
            bias: vec![0; taps],
            zero_sums: (1..=taps).map(|count| i64::from(input.zero_point) * count as i64).collect(),
            steps: (1..=taps).map(|count| f64::from(input.scale) / divisor(count) as f64).collect(),
            ..Default::default()
        }
    }

    fn bounds(&self, _layer: &QuantizedLayer, scale: usize) -> (i64, i64) {
        (0, LARGEST * (scale as i64 + 1))
    }

    fn stored_weights(&self, _layer: &QuantizedLayer) -> Vec<u8> {
        Vec::new()
    }

    fn write(&self, layer: &QuantizedLayer, inputs: &[&str], output: &str, writer: &mut Writer) -> String {
        let mut attributes = pooled(&layer.record.window);
        attributes.push(int("count_include_pad", layer.counts_padding.into()));
        writer.onnx.node("AveragePool", output, inputs, attributes)
    }
}
