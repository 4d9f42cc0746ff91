//! Fresh layers: Keras's initial weights (`keras.initializers.VarianceScaling` and its four named cases) and its constants of
//! batch normalization.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use networks::{Init, Window};

use crate::rng::Rng;

/// Standard deviation of a normal distribution of variance 1 after cutting it at +-2: Keras divides by it,
/// so that the variance after cutting is the wanted one.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// Keras's BatchNormalization: epsilon 1e-3, and 99 % of the running statistics are kept at each step.
/// (Keras calls the 0.99 momentum; Burn's momentum is the share that is replaced.)
const NORM_EPSILON: f64 = 1e-3;
const NORM_MOMENTUM: f64 = 1.0 - 0.99;

/// Keeps the weights' random stream apart from the others of the same seed.
const WEIGHTS: u64 = 1;

/// Makes one layer after the other, all from one seed; biases are 0.
pub struct Weights<'a> {
    device: &'a Device,
    seed: u64,
    /// Layers with weights so far.
    layer: u64,
}

impl<'a> Weights<'a> {
    /// For layers on `device`.
    pub fn new(seed: u64, device: &'a Device) -> Self {
        Self { device, seed, layer: 0 }
    }

    /// A convolution; `groups` of channels are kept apart.
    pub fn conv(&mut self, channels: [usize; 2], window: Window, groups: usize, init: Init) -> Conv2d {
        let Window { kernel, stride, top, left, bottom, right } = window;
        let config = Conv2dConfig::new(channels, [kernel.height, kernel.width])
            .with_stride([stride.height, stride.width])
            .with_padding(PaddingConfig2d::Explicit(top, left, bottom, right))
            .with_groups(groups);
        let [inputs, outputs] = channels;
        let fans = [inputs, outputs].map(|channels| channels / groups * window.area());
        let mut conv = config.init(self.device);
        conv.weight = self.draw(init, [outputs, inputs / groups, kernel.height, kernel.width], fans);
        conv.bias = self.zeros(outputs);
        conv
    }

    /// A dense layer.
    pub fn dense(&mut self, inputs: usize, outputs: usize, init: Init) -> Linear {
        let mut dense = LinearConfig::new(inputs, outputs).init(self.device);
        dense.weight = self.draw(init, [inputs, outputs], [inputs, outputs]);
        dense.bias = self.zeros(outputs);
        dense
    }

    /// A batch normalization, which starts with nothing drawn.
    pub fn norm(&self, channels: usize) -> BatchNorm {
        BatchNormConfig::new(channels).with_epsilon(NORM_EPSILON).with_momentum(NORM_MOMENTUM).init(self.device)
    }

    fn draw<const D: usize>(&mut self, init: Init, shape: [usize; D], fans: [usize; 2]) -> Param<Tensor<D>> {
        let mut rng = Rng::new(&[self.seed, WEIGHTS, self.layer]);
        self.layer += 1;
        let values = draw(init, &mut rng, shape.iter().product(), fans);
        Param::from_data(TensorData::new(values, shape), self.device)
    }

    fn zeros(&self, count: usize) -> Option<Param<Tensor<1>>> {
        Some(Param::from_data(TensorData::new(vec![0f32; count], [count]), self.device))
    }
}

/// The wanted variance of the weights.
fn variance(init: Init, [fan_in, fan_out]: [usize; 2]) -> f64 {
    match init {
        Init::GlorotUniform | Init::GlorotNormal => 2.0 / (fan_in + fan_out) as f64,
        Init::HeUniform | Init::HeNormal => 2.0 / fan_in as f64,
    }
}

/// No weight is larger than this.
fn bound(init: Init, fans: [usize; 2]) -> f64 {
    let variance = variance(init, fans);
    match init {
        Init::GlorotUniform | Init::HeUniform => (3.0 * variance).sqrt(),
        Init::GlorotNormal | Init::HeNormal => 2.0 * variance.sqrt() / TRUNCATED_DEVIATION,
    }
}

/// Draws `count` weights.
fn draw(init: Init, rng: &mut Rng, count: usize, fans: [usize; 2]) -> Vec<f32> {
    let bound = bound(init, fans);
    let one = |_| match init {
        Init::GlorotUniform | Init::HeUniform => rng.symmetric(bound) as f32,
        Init::GlorotNormal | Init::HeNormal => (rng.truncated_normal() * bound / 2.0) as f32,
    };
    (0..count).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_variance_are_those_of_keras() {
        // A convolution 3x3 from 16 to 32 channels.
        let fans = [16 * 9, 32 * 9];
        for (init, variance, bound) in [
            (Init::GlorotUniform, 2.0 / 432.0, (6.0f64 / 432.0).sqrt()),
            (Init::HeUniform, 2.0 / 144.0, (6.0f64 / 144.0).sqrt()),
            (Init::GlorotNormal, 2.0 / 432.0, 2.0 * (2.0f64 / 432.0).sqrt() / 0.8796256610342398),
            (Init::HeNormal, 2.0 / 144.0, 2.0 * (2.0f64 / 144.0).sqrt() / 0.8796256610342398),
        ] {
            let count = 200_000;
            let weights = draw(init, &mut Rng::new(&[7]), count, fans);
            let largest = weights.iter().fold(0f64, |max, w| max.max(f64::from(w.abs())));
            assert!(largest <= bound + 1e-7 && largest > 0.98 * bound, "{init:?}: {largest} of {bound}");
            let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / count as f64;
            let spread = weights.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum::<f64>() / count as f64;
            assert!(mean.abs() < 0.01 * bound, "{init:?}: mean {mean}");
            assert!((spread / variance - 1.0).abs() < 0.02, "{init:?}: {spread} of {variance}");
        }
    }
}
