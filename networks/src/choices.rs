//! The choices that a table makes by name. What they do is the trainer's and the engine's business.

use serde::{Deserialize, Serialize};

/// The non-linear function after a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// The values as they are.
    None,
    /// max(0, x)
    Relu,
    /// 1 / (1 + exp(-x))
    Sigmoid,
}

/// Padding of a convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Zeros all around: the output is as large as the input, divided by the stride and rounded up. Where the zeros cannot be
    /// spread evenly, the bottom and the right get the odd one, as in TensorFlow.
    #[default]
    Same,
    /// None: only places where the whole kernel fits.
    Valid,
}

/// Max pooling over 2 x 2 values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pool {
    /// No pooling.
    #[default]
    #[serde(rename = "")]
    None,
    /// Stride 2, an odd last row and column are dropped.
    #[serde(rename = "valid")]
    Valid,
    /// Stride 2, an odd last row and column are kept (Keras "same": padded at the bottom and right with -inf).
    #[serde(rename = "same")]
    Same,
    /// Stride 1, as large as the input (padded at the bottom and right with -inf).
    #[serde(rename = "same/1")]
    SameStride1,
}

/// From the last map to a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// All values, channel by channel.
    #[default]
    Flatten,
    /// The mean of every channel.
    GlobalAverage,
}

/// How the weights of a layer are drawn, as Keras does it. `fan_in` and `fan_out` are the inputs of one output value and
/// the outputs that one input value reaches: for a convolution its channels times the kernel's area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Evenly, variance 2 / (fan_in + fan_out).
    #[default]
    GlorotUniform,
    /// Truncated normal, variance 2 / (fan_in + fan_out).
    GlorotNormal,
    /// Evenly, variance 2 / fan_in.
    HeUniform,
    /// Truncated normal, variance 2 / fan_in.
    HeNormal,
}

/// Which optimizer, with Keras's constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Step 1e-3; moments 0.9 and 0.999.
    Adam,
    /// Step 0.01, Nesterov momentum 0.9, the step decays with 1 / (1 + 1e-4 * iteration).
    Sgd,
    /// Step 1, rho 0.95.
    Adadelta,
    /// Step 0.01.
    Adagrad,
    /// Step 1e-3, rho 0.9.
    Rmsprop,
}

/// How the step size goes over the training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Always the same.
    #[default]
    Constant,
    /// Half a cosine wave from the full step size to 0.
    Cosine,
}

/// The largest random changes to a training image; each image gets its own, drawn evenly from `+-` these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Pixels to any side.
    pub shift: f64,
    /// Degrees.
    pub rotate: f64,
    /// Share by which the image's content grows or shrinks, on each axis by itself.
    pub scale: f64,
}
