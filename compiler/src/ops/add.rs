//! The sum of two maps, each with a factor.

use super::{Integers, LARGEST, Operator};
use crate::graph::Layer;
use crate::qdq::Writer;
use crate::quantization::Quantization;
use crate::quantize::{QuantizedLayer, Scales};

/// The larger of the two factors.
const LARGEST_FACTOR: f64 = (1 << 14) as f64;

/// The operator.
pub struct Add;

impl Operator for Add {
    /// The factors are in the ratio of the scales.
    fn sums(&self, layer: &Layer, inputs: &[&[f32]]) -> Vec<f32> {
        let (first, second, bias) = (layer.weights[0], layer.weights[1], layer.bias[0]);
        inputs[0].iter().zip(inputs[1]).map(|(a, b)| first * a + second * b + bias).collect()
    }

    fn integers(&self, layer: &Layer, inputs: &[Quantization], _scales: Scales) -> Integers {
        let real = |index: usize| f64::from(inputs[index].scale) * f64::from(layer.weights[index]);
        let reals = [real(0), real(1)];
        let largest = reals.iter().fold(0.0, |largest: f64, real| largest.max(real.abs()));
        // Both maps are multiplied with zero: any step does.
        let step = if largest > 0.0 { largest / LARGEST_FACTOR } else { 1.0 };
        let factors = reals.map(|real| (real / step).round() as i16);
        let zero_sum =
            factors.iter().zip(inputs).map(|(&factor, input)| i64::from(factor) * i64::from(input.zero_point));
        Integers {
            factors,
            bias: vec![(f64::from(layer.bias[0]) / step).round() as i64],
            zero_sums: vec![zero_sum.sum()],
            steps: vec![step],
            ..Default::default()
        }
    }

    fn bounds(&self, layer: &QuantizedLayer, _scale: usize) -> (i64, i64) {
        let products = layer.record.factors.map(|factor| LARGEST * i64::from(factor));
        (products.iter().map(|&product| product.min(0)).sum(), products.iter().map(|&product| product.max(0)).sum())
    }

    fn stored_weights(&self, _layer: &QuantizedLayer) -> Vec<u8> {
        Vec::new()
    }

    fn write(&self, layer: &QuantizedLayer, inputs: &[&str], output: &str, writer: &mut Writer) -> String {
        let mut terms = Vec::new();
        for (index, (input, &factor)) in inputs.iter().zip(&layer.real_factors).enumerate() {
            terms.push(if factor == 1.0 {
                input.to_string()
            } else {
                let name = format!("{output}_factor{index}");
                writer.onnx.floats(&name, &[], &[factor]);
                writer.onnx.node("Mul", &format!("{output}_scaled{index}"), &[input, &name], vec![])
            });
        }
        let bias = layer.bias[0];
        if bias == 0 {
            return writer.onnx.node("Add", output, &[&terms[0], &terms[1]], vec![]);
        }
        let sum = writer.onnx.node("Add", &format!("{output}_unbiased"), &[&terms[0], &terms[1]], vec![]);
        let name = format!("{output}_bias");
        writer.onnx.floats(&name, &[], &[(f64::from(bias) * layer.steps[0]) as f32]);
        writer.onnx.node("Add", output, &[&sum, &name], vec![])
    }
}
