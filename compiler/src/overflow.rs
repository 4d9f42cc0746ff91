//! Proves that no accumulator can leave 32 bits, for any image and any order of summation.

use inference_core::format::Op;

use crate::CompileError;
use crate::quantize::{QuantizedLayer, QuantizedNetwork};

/// Largest quantized activation; padding reads as a zero point, which is no larger.
const LARGEST: i64 = u8::MAX as i64;

/// Refuses the network if some sum of some channel might not fit `i32`.
pub fn prove(network: &QuantizedNetwork) -> Result<(), CompileError> {
    for layer in &network.layers {
        for (channel, filter) in layer.filters().enumerate() {
            let (low, high) = bounds(layer, filter, layer.folded_bias[channel]);
            for reached in [low, high] {
                if i32::try_from(reached).is_err() {
                    return Err(CompileError::Overflow { layer: layer.name.clone(), channel, reached });
                }
            }
        }
    }
    Ok(())
}

/// The largest size that a sum without its bias can have.
pub fn largest_sum(layer: &QuantizedLayer) -> i64 {
    let bounds = layer.filters().map(|filter| bounds(layer, filter, 0));
    bounds.map(|(low, high)| high.max(-low)).max().unwrap_or(0)
}

/// The least and the greatest value that any partial sum can have: all negative products, or all
/// positive ones, with or without the bias.
fn bounds(layer: &QuantizedLayer, filter: &[i8], bias: i32) -> (i64, i64) {
    let (mut low, mut high) = (0i64, 0i64);
    if layer.op == Op::GlobalAveragePool {
        high = LARGEST * i64::from(layer.input.height) * i64::from(layer.input.width);
    }
    for &weight in filter {
        let most = LARGEST * i64::from(weight);
        if weight < 0 { low += most } else { high += most }
    }
    let bias = i64::from(bias);
    (low + bias.min(0), high + bias.max(0))
}

#[cfg(test)]
mod tests {
    use inference_core::format::{Activation, Pool, Shape, Window};

    use super::*;
    use crate::graph;
    use crate::quantize::Quantization;

    fn dense(weights: Vec<i8>, bias: i32) -> QuantizedNetwork {
        let input = Shape { height: 1, width: 1, channels: weights.len() as u16 };
        let layer = QuantizedLayer {
            name: "dense".into(),
            op: Op::Dense,
            input,
            output: Shape { height: 1, width: 1, channels: 1 },
            window: Window::UNIT,
            pool: Pool::NONE,
            activation: graph::Activation::Linear,
            stage: Activation::Logits,
            input_quantization: Quantization::PIXELS,
            output_quantization: Quantization::PIXELS,
            weights,
            weight_scales: vec![1.0],
            bias: vec![bias],
            folded_bias: vec![bias],
            multipliers: vec![],
            shifts: vec![],
        };
        QuantizedNetwork { input, layers: vec![layer] }
    }

    #[test]
    fn the_bound_is_exact() {
        let room = i32::MAX - 255 * (127 + 3);
        assert_eq!(prove(&dense(vec![127, -50, 3], room)), Ok(()));
        let refused = prove(&dense(vec![127, -50, 3], room + 1));
        assert_eq!(
            refused,
            Err(CompileError::Overflow { layer: "dense".into(), channel: 0, reached: i64::from(i32::MAX) + 1 })
        );
        let room = i32::MIN + 255 * 50;
        assert_eq!(prove(&dense(vec![127, -50, 3], room)), Ok(()));
        assert!(prove(&dense(vec![127, -50, 3], room - 1)).is_err());
    }
}
