//! The one network module, built from a [`NetworkSpec`].

use burn::module::{Module, RunningState};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, DropoutConfig, Linear};
use burn::tensor::module::{adaptive_avg_pool2d, max_pool2d};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, activation};
use networks::{Activation, Init, Kind, Layer, NetworkSpec, Pooling, Shape, SpecError};

use crate::init::Weights;

/// A classifier of images.
#[derive(Module, Debug)]
pub struct Network {
    /// One for each convolution, in the order of the layers.
    pub blocks: Vec<Block>,
    /// Hidden dense layers.
    pub hidden: Vec<Hidden>,
    /// To the logits.
    pub output: Linear,
    #[module(skip)]
    layers: Vec<Layer>,
}

/// Convolution, batch normalization, activation, pooling, dropout.
#[derive(Module, Debug)]
pub struct Block {
    /// Kernel `[out, in, height, width]`; a depthwise one has `in` = 1.
    pub conv: Conv2d,
    /// Over channels.
    pub norm: BatchNorm,
    #[module(skip)]
    layer: Layer,
}

/// Dense, batch normalization, activation, dropout.
#[derive(Module, Debug)]
pub struct Hidden {
    /// Weights `[in, out]`.
    pub dense: Linear,
    /// Over units.
    pub norm: BatchNorm,
    #[module(skip)]
    layer: Layer,
}

impl Network {
    /// Builds the network with fresh weights, which depend on nothing but the description and `seed`.
    pub fn new(spec: &NetworkSpec, seed: u64, device: &Device) -> Result<Self, SpecError> {
        let layers = spec.layers()?;
        let mut weights = Weights::new(seed, device);
        let (mut blocks, mut hidden) = (Vec::new(), Vec::new());
        for layer in &layers {
            let channels = [layer.input.channels, layer.unpooled.channels];
            let (conv, norm) = match layer.kind {
                Kind::Conv { window, .. } => (weights.conv(channels, window, 1, spec.init), channels[1]),
                Kind::Depthwise { window } => (weights.conv(channels, window, channels[0], spec.init), channels[1]),
                Kind::Dense { units } if layer.norm => {
                    let dense = weights.dense(layer.input.values(), units, spec.init);
                    hidden.push(Hidden { dense, norm: weights.norm(units), layer: layer.clone() });
                    continue;
                }
                Kind::Dense { .. } | Kind::Add | Kind::GlobalAverage => continue,
            };
            blocks.push(Block { conv, norm: weights.norm(norm), layer: layer.clone() });
        }
        // The last layer has no normalization.
        let inputs = layers.last().map_or(0, |last| last.input.values());
        let output = weights.dense(inputs, spec.classes(), Init::GlorotUniform);
        Ok(Self { blocks, hidden, output, layers })
    }

    /// What enters.
    pub fn input(&self) -> Shape {
        self.layers[0].input
    }

    /// Number of logits.
    pub fn classes(&self) -> usize {
        self.output.weight.dims()[1]
    }

    /// `images`: `[batch, channels, height, width]`, 0 the background, 1 ink. Returns the logits `[batch, classes]`.
    /// On an autodiff device this is a training step: batch statistics and dropout.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut maps = self.maps(images);
        let last = maps.swap_remove(maps.len() - 1);
        let values = self.hidden.iter().fold(last.flatten(1, 3), |values, hidden| hidden.forward(values));
        self.output.forward(values)
    }

    /// All maps from `images` to the one that the first dense layer reads, numbered as in [`Layer::inputs`]. Training
    /// keeps them anyhow, for the gradients.
    pub fn maps(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let mut maps = vec![images];
        let mut block = 0;
        for layer in &self.layers {
            let map = maps[layer.inputs[0]].clone();
            let made = match layer.kind {
                Kind::Conv { .. } | Kind::Depthwise { .. } => {
                    block += 1;
                    self.blocks[block - 1].forward(map)
                }
                Kind::Add => follow(layer, map + maps[layer.inputs[1]].clone()),
                Kind::GlobalAverage => adaptive_avg_pool2d(map, [1, 1]),
                Kind::Dense { .. } => break,
            };
            maps.push(made);
        }
        maps
    }

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
    fn forward(&self, map: Tensor<4>) -> Tensor<4> {
        follow(&self.layer, self.norm.forward(self.conv.forward(map)))
    }
}

impl Hidden {
    fn forward(&self, values: Tensor<2>) -> Tensor<2> {
        let values = self.norm.forward(self.dense.forward(values));
        dropped(self.layer.dropout, activated(self.layer.activation, values))
    }
}

/// What `layer` does to a map after its sum.
fn follow(layer: &Layer, map: Tensor<4>) -> Tensor<4> {
    let map = activated(layer.activation, map);
    let map = match layer.pool {
        Some(pool) => pooled(pool, map),
        None => map,
    };
    dropped(layer.dropout, map)
}

fn activated<const D: usize>(activation: Activation, values: Tensor<D>) -> Tensor<D> {
    match activation {
        Activation::None => values,
        Activation::Relu => activation::relu(values),
        Activation::Sigmoid => activation::sigmoid(values),
    }
}

fn pooled(Pooling { stride, bottom, right }: Pooling, map: Tensor<4>) -> Tensor<4> {
    let size = [Pooling::SIZE, Pooling::SIZE];
    let options = MaxPoolOptions::new(size).with_stride([stride, stride]).with_padding_pairs([(0, bottom), (0, right)]);
    max_pool2d(map, options)
}

fn dropped<const D: usize>(share: f64, values: Tensor<D>) -> Tensor<D> {
    DropoutConfig::new(share).init().forward(values)
}
