//! The one network module, built from a [`NetworkSpec`].

use burn::module::{Module, Param, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::module::{adaptive_avg_pool2d, max_pool2d};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, TensorData, activation};

use crate::init::Init;
use crate::rng::Rng;
use crate::spec::{Activation, CLASSES, Head, NetworkSpec, Padding, Pool, SpecError};

/// Keras's BatchNormalization: epsilon 1e-3, and 99 % of the running statistics are kept at each step.
/// (Keras calls the 0.99 momentum; Burn's momentum is the share that is replaced.)
const NORM_EPSILON: f64 = 1e-3;
const NORM_MOMENTUM: f64 = 1.0 - 0.99;

/// A digit classifier.
#[derive(Module, Debug)]
pub struct Network {
    /// Convolution blocks.
    pub blocks: Vec<Block>,
    /// Hidden dense layer.
    pub hidden: Option<Hidden>,
    /// To the logits.
    pub output: Linear,
    #[module(skip)]
    head: Head,
}

/// Convolution, batch normalization, activation, pooling, dropout.
#[derive(Module, Debug)]
pub struct Block {
    /// Kernel `[out, in, height, width]`.
    pub conv: Conv2d,
    /// Over channels.
    pub norm: BatchNorm,
    dropout: Dropout,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    pool: Pool,
}

/// Dense, batch normalization, activation, dropout.
#[derive(Module, Debug)]
pub struct Hidden {
    /// Weights `[in, out]`.
    pub dense: Linear,
    /// Over units.
    pub norm: BatchNorm,
    dropout: Dropout,
    #[module(skip)]
    activation: Activation,
}

impl Network {
    /// Builds the network with fresh weights, which depend on nothing but the description and `seed`.
    pub fn new(spec: &NetworkSpec, seed: u64, device: &Device) -> Result<Self, SpecError> {
        // The layer table knows the number of values that reach the first dense layer.
        let layers = spec.layers()?;
        let dense_inputs = layers.iter().rev().find(|layer| layer.kind.starts_with(spec.head.kind()));
        let dense_inputs = dense_inputs.map_or(0, |layer| layer.output.iter().product());
        let mut weights = Weights { device, seed, layer: 0 };
        let mut channels = 1;
        let blocks = spec.conv.iter().map(|conv| {
            let kernel = [spec.kernel, spec.kernel];
            let padding = match conv.padding {
                Padding::Same => PaddingConfig2d::Same,
                Padding::Valid => PaddingConfig2d::Valid,
            };
            let config = Conv2dConfig::new([channels, conv.filters], kernel).with_padding(padding);
            channels = conv.filters;
            Block {
                conv: weights.conv(config, spec.init),
                norm: batch_norm(conv.filters, device),
                dropout: DropoutConfig::new(spec.dropout).init(),
                activation: spec.activation,
                pool: conv.pool,
            }
        });
        let blocks = blocks.collect();
        let hidden = spec.dense.map(|units| Hidden {
            dense: weights.dense(dense_inputs, units, spec.init),
            norm: batch_norm(units, device),
            dropout: DropoutConfig::new(spec.dropout).init(),
            activation: spec.activation,
        });
        let output = weights.dense(spec.dense.unwrap_or(dense_inputs), CLASSES, Init::GlorotUniform);
        Ok(Self { blocks, hidden, output, head: spec.head })
    }

    /// `images`: `[batch, 1, height, width]`, 0 the background, 1 ink. Returns the logits `[batch, 10]`.
    /// On an autodiff device this is a training step: batch statistics and dropout.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let map = self.blocks.iter().fold(images, |map, block| block.forward(map));
        let mut values = match self.head {
            Head::Flatten => map.flatten(1, 3),
            Head::GlobalAverage => adaptive_avg_pool2d(map, [1, 1]).flatten(1, 3),
        };
        if let Some(hidden) = &self.hidden {
            values = hidden.forward(values);
        }
        self.output.forward(values)
    }
}

impl Network {
    /// A copy whose running statistics are its own: clones of a Burn module share theirs, also across devices.
    pub fn separate(&self) -> Self {
        let own = |norm: &mut BatchNorm| {
            norm.running_mean = RunningState::new(norm.running_mean.value());
            norm.running_var = RunningState::new(norm.running_var.value());
        };
        let mut copy = self.clone();
        copy.blocks.iter_mut().for_each(|block| own(&mut block.norm));
        copy.hidden.iter_mut().for_each(|hidden| own(&mut hidden.norm));
        copy
    }
}

impl Block {
    /// From `[batch, in, height, width]` to `[batch, out, height', width']`.
    pub fn forward(&self, map: Tensor<4>) -> Tensor<4> {
        let map = self.activation.apply(self.norm.forward(self.conv.forward(map)));
        self.dropout.forward(self.pool.apply(map))
    }
}

impl Hidden {
    fn forward(&self, values: Tensor<2>) -> Tensor<2> {
        self.dropout.forward(self.activation.apply(self.norm.forward(self.dense.forward(values))))
    }
}

impl Activation {
    fn apply<const D: usize>(self, values: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => activation::relu(values),
            Self::Sigmoid => activation::sigmoid(values),
        }
    }
}

impl Pool {
    fn apply(self, map: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = map.dims();
        let (Some((stride, bottom)), Some((_, right))) = (self.geometry(height), self.geometry(width)) else {
            return map;
        };
        let options =
            MaxPoolOptions::new([2, 2]).with_stride([stride, stride]).with_padding_pairs([(0, bottom), (0, right)]);
        max_pool2d(map, options)
    }
}

impl Head {
    fn kind(self) -> &'static str {
        match self {
            Self::Flatten => "Flatten",
            Self::GlobalAverage => "GlobalAverage",
        }
    }
}

fn batch_norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).with_epsilon(NORM_EPSILON).with_momentum(NORM_MOMENTUM).init(device)
}

/// Draws the weights of one layer after the other; biases are 0.
struct Weights<'a> {
    device: &'a Device,
    seed: u64,
    layer: u64,
}

impl Weights<'_> {
    fn draw<const D: usize>(
        &mut self,
        init: Init,
        shape: [usize; D],
        [fan_in, fan_out]: [usize; 2],
    ) -> Param<Tensor<D>> {
        let mut rng = Rng::new(&[self.seed, WEIGHTS, self.layer]);
        self.layer += 1;
        let values = init.draw(&mut rng, shape.iter().product(), fan_in, fan_out);
        Param::from_data(TensorData::new(values, shape), self.device)
    }

    fn zeros(&self, count: usize) -> Option<Param<Tensor<1>>> {
        Some(Param::from_data(TensorData::new(vec![0f32; count], [count]), self.device))
    }

    fn conv(&mut self, config: Conv2dConfig, init: Init) -> Conv2d {
        let ([inputs, outputs], [height, width]) = (config.channels, config.kernel_size);
        let fans = [inputs * height * width, outputs * height * width];
        let mut conv = config.init(self.device);
        conv.weight = self.draw(init, [outputs, inputs, height, width], fans);
        conv.bias = self.zeros(outputs);
        conv
    }

    fn dense(&mut self, inputs: usize, outputs: usize, init: Init) -> Linear {
        let mut dense = LinearConfig::new(inputs, outputs).init(self.device);
        dense.weight = self.draw(init, [inputs, outputs], [inputs, outputs]);
        dense.bias = self.zeros(outputs);
        dense
    }
}

/// Keeps the weights' random stream apart from the others of the same seed.
const WEIGHTS: u64 = 1;
