//! Folds per-channel scales and shifts (batch normalization, biases) into weights, in f64.

use inference_core::format::Op;

use crate::graph::Layer;

/// `x * scale + shift`, one of each a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// One a channel.
    pub scale: Vec<f64>,
    /// One a channel.
    pub shift: Vec<f64>,
}

impl Affine {
    /// What batch normalization computes at inference:
    /// `(x - mean) / sqrt(variance + epsilon) * gamma + beta`.
    pub fn batch_norm(gamma: &[f32], beta: &[f32], mean: &[f32], variance: &[f32], epsilon: f32) -> Self {
        let scale: Vec<f64> = gamma
            .iter()
            .zip(variance)
            .map(|(&gamma, &variance)| f64::from(gamma) / (f64::from(variance) + f64::from(epsilon)).sqrt())
            .collect();
        let shift = beta
            .iter()
            .zip(mean)
            .zip(&scale)
            .map(|((&beta, &mean), scale)| f64::from(beta) - f64::from(mean) * scale)
            .collect();
        Self { scale, shift }
    }

    /// This one first, then `next`.
    pub fn then(&self, next: &Affine) -> Self {
        let scale = self.scale.iter().zip(&next.scale).map(|(a, b)| a * b).collect();
        let shifted = self.shift.iter().zip(next.scale.iter().zip(&next.shift));
        Self { scale, shift: shifted.map(|(shift, (b, t))| shift * b + t).collect() }
    }

    /// Whether the order of values is kept, so that it may change places with max pooling.
    pub fn is_increasing(&self) -> bool {
        self.scale.iter().all(|&scale| scale > 0.0)
    }

    /// Whether zero stays zero, so that it may change places with zero padding.
    pub fn keeps_zero(&self) -> bool {
        self.shift.iter().all(|&shift| shift == 0.0)
    }
}

/// The layer followed by `affine`, as one layer. The layer must have weights and no activation.
pub fn fold_after(layer: &mut Layer, affine: &Affine) {
    let len = layer.filter_len();
    for (channel, (scale, shift)) in affine.scale.iter().zip(&affine.shift).enumerate() {
        for weight in layer.weights.iter_mut().skip(channel * len).take(len) {
            *weight = (f64::from(*weight) * scale) as f32;
        }
        if let Some(bias) = layer.bias.get_mut(channel) {
            *bias = (f64::from(*bias) * scale + shift) as f32;
        }
    }
}

/// `affine` of the input channels followed by the layer, as one layer. The layer must have
/// weights; exact only without padding or where [`Affine::keeps_zero`].
pub fn fold_before(affine: &Affine, layer: &mut Layer) {
    let len = layer.filter_len().max(1);
    let inputs = affine.scale.len().max(1);
    for (channel, filter) in layer.weights.chunks_exact_mut(len).enumerate() {
        let mut added = 0.0;
        for (index, weight) in filter.iter_mut().enumerate() {
            let input = if layer.op == Op::DepthwiseConv { channel } else { index % inputs };
            let value = f64::from(*weight);
            added += value * affine.shift[input];
            *weight = (value * affine.scale[input]) as f32;
        }
        layer.bias[channel] = (f64::from(layer.bias[channel]) + added) as f32;
    }
}

#[cfg(test)]
mod tests {
    use inference_core::format::{Pool, Shape, Window};

    use super::*;
    use crate::float;
    use crate::graph::Activation;

    const INPUT: Shape = Shape { height: 3, width: 3, channels: 2 };

    fn pseudo(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + seed * 101) % 61) as f32 / 30.0 - 1.0).collect()
    }

    fn conv(op: Op, filter: usize) -> Layer {
        let window = Window { kernel_height: 2, kernel_width: 2, ..Window::UNIT };
        Layer {
            name: "conv".into(),
            op,
            input: INPUT,
            output: Shape { height: 2, width: 2, channels: 2 },
            window,
            pool: Pool::NONE,
            activation: Activation::Linear,
            weights: pseudo(2 * filter, 1),
            bias: pseudo(2, 2),
        }
    }

    fn apply(affine: &Affine, values: &mut [f32]) {
        for (index, value) in values.iter_mut().enumerate() {
            *value = (f64::from(*value) * affine.scale[index % 2] + affine.shift[index % 2]) as f32;
        }
    }

    fn assert_close(a: &[f32], b: &[f32]) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn batch_norm_after_a_layer_is_the_folded_layer() {
        let affine = Affine::batch_norm(&[1.5, -0.5], &[0.25, 1.0], &[0.1, -0.7], &[2.0, 0.01], 1e-3);
        for (op, filter) in [(Op::Conv, 8), (Op::DepthwiseConv, 4)] {
            let mut layer = conv(op, filter);
            let input = pseudo(18, 3);
            let mut expected = float::layer(&layer, &input);
            apply(&affine, &mut expected);
            fold_after(&mut layer, &affine);
            assert_close(&float::layer(&layer, &input), &expected);
        }
    }

    #[test]
    fn an_affine_before_a_layer_is_the_folded_layer() {
        let affine = Affine { scale: vec![0.5, -2.0], shift: vec![0.3, 0.9] };
        for (op, filter) in [(Op::Conv, 8), (Op::DepthwiseConv, 4)] {
            let mut layer = conv(op, filter);
            let mut input = pseudo(18, 3);
            let folded_input = input.clone();
            apply(&affine, &mut input);
            let expected = float::layer(&layer, &input);
            fold_before(&affine, &mut layer);
            assert_close(&float::layer(&layer, &folded_input), &expected);
        }
    }

    #[test]
    fn two_affines_become_one() {
        let (first, second) = (
            Affine { scale: vec![0.5, -2.0], shift: vec![0.3, 0.9] },
            Affine { scale: vec![3.0, 0.25], shift: vec![-1.0, 4.0] },
        );
        let mut stepwise = pseudo(4, 5);
        let mut at_once = stepwise.clone();
        apply(&first, &mut stepwise);
        apply(&second, &mut stepwise);
        apply(&first.then(&second), &mut at_once);
        assert_close(&at_once, &stepwise);
    }
}
