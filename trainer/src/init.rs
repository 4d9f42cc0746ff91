//! Keras's initial weights (`keras.initializers.VarianceScaling` and its four named cases).

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// How the weights of a layer are drawn. `fan_in` and `fan_out` are the inputs of one output value and the
/// outputs that one input value reaches: for a convolution its channels times the kernel's area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Evenly, variance 2 / (fan_in + fan_out).
    GlorotUniform,
    /// Truncated normal, variance 2 / (fan_in + fan_out).
    GlorotNormal,
    /// Evenly, variance 2 / fan_in.
    HeUniform,
    /// Truncated normal, variance 2 / fan_in.
    HeNormal,
}

/// Standard deviation of a normal distribution of variance 1 after cutting it at +-2: Keras divides by it,
/// so that the variance after cutting is the wanted one.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

impl Init {
    /// The wanted variance of the weights.
    pub fn variance(self, fan_in: usize, fan_out: usize) -> f64 {
        match self {
            Self::GlorotUniform | Self::GlorotNormal => 2.0 / (fan_in + fan_out) as f64,
            Self::HeUniform | Self::HeNormal => 2.0 / fan_in as f64,
        }
    }

    /// No weight is larger than this.
    pub fn bound(self, fan_in: usize, fan_out: usize) -> f64 {
        let variance = self.variance(fan_in, fan_out);
        match self {
            Self::GlorotUniform | Self::HeUniform => (3.0 * variance).sqrt(),
            Self::GlorotNormal | Self::HeNormal => 2.0 * variance.sqrt() / TRUNCATED_DEVIATION,
        }
    }

    /// Draws `count` weights.
    pub fn draw(self, rng: &mut Rng, count: usize, fan_in: usize, fan_out: usize) -> Vec<f32> {
        let bound = self.bound(fan_in, fan_out);
        let one = |_| match self {
            Self::GlorotUniform | Self::HeUniform => rng.symmetric(bound) as f32,
            Self::GlorotNormal | Self::HeNormal => (rng.truncated_normal() * bound / 2.0) as f32,
        };
        (0..count).map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_variance_are_those_of_keras() {
        // A convolution 3x3 from 16 to 32 channels.
        let (fan_in, fan_out) = (16 * 9, 32 * 9);
        for (init, variance, bound) in [
            (Init::GlorotUniform, 2.0 / 432.0, (6.0f64 / 432.0).sqrt()),
            (Init::HeUniform, 2.0 / 144.0, (6.0f64 / 144.0).sqrt()),
            (Init::GlorotNormal, 2.0 / 432.0, 2.0 * (2.0f64 / 432.0).sqrt() / 0.8796256610342398),
            (Init::HeNormal, 2.0 / 144.0, 2.0 * (2.0f64 / 144.0).sqrt() / 0.8796256610342398),
        ] {
            let count = 200_000;
            let weights = init.draw(&mut Rng::new(&[7]), count, fan_in, fan_out);
            let largest = weights.iter().fold(0f64, |max, w| max.max(f64::from(w.abs())));
            assert!(largest <= bound + 1e-7 && largest > 0.98 * bound, "{init:?}: {largest} of {bound}");
            let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / count as f64;
            let spread = weights.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum::<f64>() / count as f64;
            assert!(mean.abs() < 0.01 * bound, "{init:?}: mean {mean}");
            assert!((spread / variance - 1.0).abs() < 0.02, "{init:?}: {spread} of {variance}");
        }
    }
}
