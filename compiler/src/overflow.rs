//! Proves that no accumulator can leave 32 bits, for any image and any order of summation.

use crate::CompileError;
use crate::ops;
use crate::quantize::{QuantizedLayer, QuantizedNetwork};

/// Refuses the network if some sum of some channel might not fit `i32`.
pub fn prove(network: &QuantizedNetwork) -> Result<(), CompileError> {
    for layer in &network.layers {
        let operator = ops::of(layer.record.op);
        for (channel, &bias) in layer.folded_bias.iter().enumerate() {
            let (low, high) = operator.bounds(layer, channel);
            let bias = i64::from(bias);
            // Any partial sum lies between these, with the bias or without it.
            for reached in [low + bias.min(0), high + bias.max(0)] {
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
    let operator = ops::of(layer.record.op);
    let bounds = (0..layer.folded_bias.len()).map(|scale| operator.bounds(layer, scale));
    bounds.map(|(low, high)| high.max(-low)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use thumbnet::format::{self, Op, Shape};

    use super::*;
    use crate::graph;
    use crate::onnx::Entry;
    use crate::quantization::Quantization;

    fn layer(record: format::Layer, weights: Vec<i8>, bias: i32) -> QuantizedNetwork {
        let layer = QuantizedLayer {
            name: "layer".into(),
            record,
            activation: graph::Activation::Linear,
            counts_padding: false,
            real_factors: vec![],
            inputs: vec![Quantization::PIXELS],
            output_quantization: Quantization::PIXELS,
            weights,
            weight_scales: vec![1.0],
            bias: vec![bias],
            folded_bias: vec![bias],
            steps: vec![1.0],
            logit_step: 1.0,
            multipliers: vec![1],
            shifts: vec![1],
            table: vec![],
        };
        QuantizedNetwork {
            input: record.input,
            entry: Entry::default(),
            input_quantization: Quantization::PIXELS,
            layers: vec![layer],
        }
    }

    fn expect_exact(network: impl Fn(i32) -> QuantizedNetwork, [least, most]: [i32; 2]) {
        assert_eq!(prove(&network(most)), Ok(()));
        let reached = i64::from(i32::MAX) + 1;
        assert_eq!(
            prove(&network(most + 1)),
            Err(CompileError::Overflow { layer: "layer".into(), channel: 0, reached })
        );
        assert_eq!(prove(&network(least)), Ok(()));
        assert!(prove(&network(least - 1)).is_err());
    }

    #[test]
    fn the_bound_of_a_filter_is_exact() {
        let shape = |channels| Shape { height: 1, width: 1, channels };
        let dense = |bias| layer(format::Layer::new(Op::Dense, shape(3), shape(1)), vec![127, -50, 3], bias);
        expect_exact(dense, [i32::MIN + 255 * 50, i32::MAX - 255 * (127 + 3)]);
    }

    #[test]
    fn the_bound_of_an_addition_is_exact() {
        let shape = Shape { height: 1, width: 1, channels: 1 };
        let record = format::Layer { factors: [1 << 14, -100], ..format::Layer::new(Op::Add, shape, shape) };
        expect_exact(|bias| layer(record, vec![], bias), [i32::MIN + 255 * 100, i32::MAX - 255 * (1 << 14)]);
    }
}
