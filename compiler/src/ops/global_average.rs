//! Global average pooling.

use super::{Integers, LARGEST, Operator};
use crate::graph::Layer;
use crate::qdq::Writer;
use crate::quantization::Quantization;
use crate::quantize::{QuantizedLayer, Scales};

/// The operator.
pub struct GlobalAverage;

impl Operator for GlobalAverage {
    fn sums(&self, layer: &Layer, inputs: &[&[f32]]) -> Vec<f32> {
        let channels = usize::from(layer.record.input.channels);
        let pixels = (layer.record.input.len() / channels) as f32;
        let mean = |channel| inputs[0].iter().skip(channel).step_by(channels).sum::<f32>() / pixels;
        layer.bias.iter().enumerate().map(|(channel, bias)| bias + mean(channel)).collect()
    }

    fn integers(&self, layer: &Layer, inputs: &[Quantization], _scales: Scales) -> Integers {
        let input = inputs[0];
        let pixels = usize::from(layer.record.input.height) * usize::from(layer.record.input.width);
        // An average has weights of one, whose step is a part of one; in the precision that weights have.
        let step = f64::from(input.scale) * f64::from(1.0 / pixels as f32);
        let channels = layer.channels();
        Integers {
            bias: layer.bias.iter().map(|&bias| (f64::from(bias) / step).round() as i64).collect(),
            zero_sums: vec![i64::from(input.zero_point) * pixels as i64; channels],
            steps: vec![step; channels],
            ..Default::default()
        }
    }

    fn bounds(&self, layer: &QuantizedLayer, _scale: usize) -> (i64, i64) {
        let input = layer.record.input;
        (0, LARGEST * i64::from(input.height) * i64::from(input.width))
    }

    fn stored_weights(&self, _layer: &QuantizedLayer) -> Vec<u8> {
        Vec::new()
    }

    fn write(&self, _layer: &QuantizedLayer, inputs: &[&str], output: &str, writer: &mut Writer) -> String {
        writer.onnx.node("GlobalAveragePool", output, inputs, vec![])
    }
}
