//! The float network: a chain of fused layers, batch normalization folded away.

use inference_core::format::{self, Op, Pool, Shape, Window};

/// A network as a chain of layers, from one image to one row of logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// What enters: pixels of 0.0 (background) to 1.0.
    pub input: Shape,
    /// The layers in order; the last one is dense and gives the logits.
    pub layers: Vec<Layer>,
    /// What the import left out, for people to read.
    pub notes: Vec<String>,
}

/// What follows the sums of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Linear,
    /// Negative values become zero.
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

/// One fused layer: operator, bias, activation, max pooling.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The node that it came from.
    pub name: String,
    /// The operator.
    pub op: Op,
    /// What enters.
    pub input: Shape,
    /// What leaves, after pooling.
    pub output: Shape,
    /// The convolution's window, [`Window::UNIT`] for other operators.
    pub window: Window,
    /// Max pooling after the activation, [`Pool::NONE`] where there is none.
    pub pool: Pool,
    /// What follows the sums.
    pub activation: Activation,
    /// Weights, the output channel slowest: `[out_channels][filter]`, where a filter is
    /// `[kernel_height][kernel_width][in_channels]` for a convolution,
    /// `[kernel_height][kernel_width]` for a depthwise convolution,
    /// `[in_height][in_width][in_channels]` for a dense layer; none for an average.
    pub weights: Vec<f32>,
    /// One an output channel.
    pub bias: Vec<f32>,
}

impl Layer {
    /// Number of output channels.
    pub fn channels(&self) -> usize {
        usize::from(self.output.channels)
    }

    /// Weights of one output channel.
    pub fn filter_len(&self) -> usize {
        self.weights.len() / self.channels().max(1)
    }

    /// The filters in the order of their output channels; empty ones for an average.
    pub fn filters(&self) -> impl Iterator<Item = &[f32]> {
        (0..self.channels()).map(|channel| &self.weights[channel * self.filter_len()..][..self.filter_len()])
    }

    /// The layer's shapes as a record of the model file, everything else still zero.
    pub fn record(&self) -> format::Layer {
        record(self.op, self.input, self.output, self.window, self.pool)
    }

    /// Whether a window reads beyond the map.
    pub fn is_padded(&self) -> bool {
        let Window { pad_top, pad_left, pad_bottom, pad_right, .. } = self.window;
        pad_top | pad_left | pad_bottom | pad_right != 0
    }
}

/// The record of a layer with these shapes, everything else still zero.
pub fn record(op: Op, input: Shape, output: Shape, window: Window, pool: Pool) -> format::Layer {
    format::Layer { window, pool, ..format::Layer::new(op, input, output) }
}

/// Values of a tensor of this shape.
pub fn len(shape: Shape) -> usize {
    usize::from(shape.height) * usize::from(shape.width) * usize::from(shape.channels)
}
