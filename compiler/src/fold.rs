//! Folds per-channel scales and shifts (batch normalization, biases) into weights, in f64.

use thumbnet::format::{Op, Pool};

use crate::graph::{Activation, Layer};

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
    pub fn batch_norm(gamma: &[f64], beta: &[f64], mean: &[f64], variance: &[f64], epsilon: f32) -> Self {
        let scale: Vec<f64> = gamma
            .iter()
            .zip(variance)
            .map(|(gamma, variance)| gamma / (variance + f64::from(epsilon)).sqrt())
            .collect();
        let shift = beta.iter().zip(mean).zip(&scale).map(|((beta, mean), scale)| beta - mean * scale).collect();
        Self { scale, shift }
    }

    /// This one first, then `next`.
    pub fn then(&self, next: &Affine) -> Self {
        let scale = self.scale.iter().zip(&next.scale).map(|(a, b)| a * b).collect();
        let shifted = self.shift.iter().zip(next.scale.iter().zip(&next.shift));
        Self { scale, shift: shifted.map(|(shift, (b, t))| shift * b + t).collect() }
    }

    /// The same for all channels.
    pub fn of_all(channels: usize, scale: f64, shift: f64) -> Self {
        Self { scale: vec![scale; channels], shift: vec![shift; channels] }
    }

    /// What changes nothing.
    pub fn identity(channels: usize) -> Self {
        Self::of_all(channels, 1.0, 0.0)
    }

    /// Whether it changes nothing, or no more than a float's rounding does (a sixth, six times).
    pub fn is_identity(&self) -> bool {
        self.keeps_zero() && self.scale.iter().all(|&scale| (scale - 1.0).abs() < f64::from(f32::EPSILON))
    }

    /// Scale and shift, if all channels have the same.
    pub fn uniform(&self) -> Option<(f64, f64)> {
        let (scale, shift) = (*self.scale.first()?, *self.shift.first()?);
        let same = self.scale.iter().all(|&other| other == scale) && self.shift.iter().all(|&other| other == shift);
        same.then_some((scale, shift))
    }

    /// `first * a + second * b` of what two of them make of the same value.
    pub fn combine([first, second]: [f64; 2], a: &Self, b: &Self) -> Self {
        let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| first * a + second * b).collect();
        Self { scale: sum(&a.scale, &b.scale), shift: sum(&a.shift, &b.shift) }
    }

    /// The channels of this one, then those of the other one.
    pub fn beside(mut self, other: Self) -> Self {
        self.scale.extend(other.scale);
        self.shift.extend(other.shift);
        self
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

/// The layer followed by `affine`, where one layer computes that exactly; `false`, and nothing done, where none does.
pub fn absorb(layer: &mut Layer, affine: &Affine) -> bool {
    if layer.given.is_some() {
        return false;
    }
    let activation = match layer.activation {
        Activation::Linear => Activation::Linear,
        Activation::Clamp(low, high) => match clamp_after([low, high], affine) {
            Some([low, high]) => Activation::Clamp(low, high),
            None => return false,
        },
        Activation::Function(_) => return false,
    };
    match layer.record.op {
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense => {
            if layer.record.pool != Pool::NONE && !affine.is_increasing() {
                return false;
            }
            fold_after(layer, affine);
        }
        Op::Add => {
            let Some((scale, shift)) = affine.uniform() else { return false };
            for weight in &mut layer.weights {
                *weight = (f64::from(*weight) * scale) as f32;
            }
            for bias in &mut layer.bias {
                *bias = (f64::from(*bias) * scale + shift) as f32;
            }
        }
        Op::GlobalAveragePool | Op::MaxPool | Op::AveragePool | Op::Concat => return false,
    }
    layer.activation = activation;
    true
}

/// The limits of a clamp behind `affine` that do what `affine` behind the clamp with these limits does.
fn clamp_after(limits: [f32; 2], affine: &Affine) -> Option<[f32; 2]> {
    if !affine.is_increasing() {
        return None;
    }
    if let Some((scale, shift)) = affine.uniform() {
        return Some(limits.map(|limit| (f64::from(limit) * scale + shift) as f32));
    }
    let stay = limits.iter().all(|&limit| limit == 0.0 || limit.is_infinite());
    (stay && affine.keeps_zero()).then_some(limits)
}

/// The layer followed by `affine`, as one layer. The layer must have filters and no activation.
pub fn fold_after(layer: &mut Layer, affine: &Affine) {
    let len = layer.filter_len();
    for (channel, (scale, shift)) in affine.scale.iter().zip(&affine.shift).enumerate() {
        for weight in layer.weights.iter_mut().skip(channel * len).take(len) {
            *weight = (f64::from(*weight) * scale) as f32;
        }
        if let Some(bias) = layer.bias.get_mut(channel) {
            *bias = (f64::from(*bias) * scale + shift) as f32;
        }
        // The integers stay what they are, or change their signs.
        if let Some(step) = layer.weight_steps.get_mut(channel) {
            *step = (f64::from(*step) * scale.abs()) as f32;
        }
    }
}

/// `affine` of the input channels followed by the layer, as one layer. The layer must have
/// filters; exact only without padding or where [`Affine::keeps_zero`].
pub fn fold_before(affine: &Affine, layer: &mut Layer) {
    let len = layer.filter_len().max(1);
    let channels = layer.record.filter_channels().max(1);
    let group_outputs = layer.record.group_outputs().max(1);
    // The integers stay what they are where all channels have the same scale; others cannot be kept.
    if let Some((scale, _)) = affine.uniform() {
        layer.weight_steps.iter_mut().for_each(|step| *step = (f64::from(*step) * scale.abs()) as f32);
    }
    for (channel, filter) in layer.weights.chunks_exact_mut(len).enumerate() {
        let first = match layer.record.op {
            Op::DepthwiseConv | Op::GroupedConv => channel / group_outputs * channels,
            Op::Conv | Op::Dense | Op::GlobalAveragePool | Op::Add | Op::MaxPool | Op::AveragePool | Op::Concat => 0,
        };
        let mut added = 0.0;
        for (index, weight) in filter.iter_mut().enumerate() {
            let input = first + index % channels;
            let value = f64::from(*weight);
            added += value * affine.shift[input];
            *weight = (value * affine.scale[input]) as f32;
        }
        layer.bias[channel] = (f64::from(layer.bias[channel]) + added) as f32;
    }
}

#[cfg(test)]
mod tests {
    use thumbnet::format::{self, Shape, Window};

    use super::*;
    use crate::float;

    const INPUT: Shape = Shape { height: 3, width: 3, channels: 2 };

    fn pseudo(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + seed * 101) % 61) as f32 / 30.0 - 1.0).collect()
    }

    /// Windows of 2x2; `filter` weights an output channel.
    fn conv(op: Op, filter: usize, groups: u16) -> Layer {
        let output = Shape { height: 2, width: 2, channels: 4 };
        let window = Window::new([2, 2], [1, 1], [0; 4]);
        Layer {
            weights: pseudo(4 * filter, 1),
            bias: pseudo(4, 2),
            ..Layer::new("conv", format::Layer { window, groups, ..format::Layer::new(op, INPUT, output) })
        }
    }

    fn convs() -> [Layer; 3] {
        [conv(Op::Conv, 8, 1), conv(Op::DepthwiseConv, 4, 1), conv(Op::GroupedConv, 4, 2)]
    }

    fn apply(affine: &Affine, values: &mut [f32]) {
        let channels = affine.scale.len();
        for (index, value) in values.iter_mut().enumerate() {
            let channel = index % channels;
            *value = (f64::from(*value) * affine.scale[channel] + affine.shift[channel]) as f32;
        }
    }

    fn assert_close(a: &[f32], b: &[f32]) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    /// Folds into each layer and compares.
    fn assert_absorbed(activation: Activation, affine: &Affine) {
        for mut layer in convs() {
            layer.activation = activation;
            let input = pseudo(18, 3);
            let mut expected = float::layer(&layer, &[&input]);
            apply(affine, &mut expected);
            assert!(absorb(&mut layer, affine));
            assert_close(&float::layer(&layer, &[&input]), &expected);
        }
    }

    #[test]
    fn batch_norm_after_a_layer_is_the_folded_layer() {
        let (gamma, beta) = ([1.5, -0.5, 1.0, 0.3], [0.25, 1.0, -1.0, 0.0]);
        let affine = Affine::batch_norm(&gamma, &beta, &[0.1, -0.7, 0.0, 0.4], &[2.0, 0.01, 1.0, 0.5], 1e-3);
        assert_absorbed(Activation::Linear, &affine);
        assert!(!absorb(&mut Layer { activation: Activation::RELU, ..conv(Op::Conv, 8, 1) }, &affine));
    }

    #[test]
    fn an_affine_after_a_clamp_moves_its_limits() {
        assert_absorbed(Activation::Clamp(-0.2, 0.4), &Affine { scale: vec![1.5; 4], shift: vec![0.3; 4] });
        assert_absorbed(Activation::RELU, &Affine { scale: vec![1.5, 0.2, 3.0, 1.0], shift: vec![0.0; 4] });
    }

    #[test]
    fn an_affine_after_an_addition_is_the_folded_addition() {
        let mut layer = Layer::new("add", format::Layer::new(Op::Add, INPUT, INPUT));
        (layer.weights, layer.bias) = (vec![0.5, -2.0], vec![0.25]);
        let (a, b) = (pseudo(18, 1), pseudo(18, 2));
        let affine = Affine { scale: vec![-3.0; 2], shift: vec![0.5; 2] };
        let mut expected = float::layer(&layer, &[&a, &b]);
        apply(&affine, &mut expected);
        assert!(absorb(&mut layer, &affine));
        assert_close(&float::layer(&layer, &[&a, &b]), &expected);
    }

    #[test]
    fn an_affine_before_a_layer_is_the_folded_layer() {
        let affine = Affine { scale: vec![0.5, -2.0], shift: vec![0.3, 0.9] };
        for mut layer in convs() {
            let mut input = pseudo(18, 3);
            let folded_input = input.clone();
            apply(&affine, &mut input);
            let expected = float::layer(&layer, &[&input]);
            fold_before(&affine, &mut layer);
            assert_close(&float::layer(&layer, &[&folded_input]), &expected);
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
