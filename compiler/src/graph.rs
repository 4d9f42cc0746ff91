//! The float network: fused layers on maps, batch normalization folded away.

use thumbnet::format::{self, Op, Shape};

use crate::function::Function;
use crate::onnx::Entry;
use crate::quantization::Quantization;

/// A network as layers, from one image (or vector, or series) to one result.
///
/// Map 0 is what enters, map `k + 1` is what layer `k` makes; a layer reads maps of smaller numbers only, each is read by
/// some layer, and the last one is the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// What enters: pixels of 0.0 (background) to 1.0, or what `given_input` makes of their bytes.
    pub input: Shape,
    /// What the file that it was read from takes in their place: it is folded into the layers.
    pub entry: Entry,
    /// How the file that it was read from quantizes what enters; none where it does not say.
    pub given_input: Option<Quantization>,
    /// The layers in order.
    pub layers: Vec<Layer>,
    /// What the import left out, for people to read.
    pub notes: Vec<String>,
}

/// What follows the sums of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// Nothing.
    Linear,
    /// Values below the first or above the second number become that number; ReLU is 0 and infinity, ReLU6 is 0 and 6.
    Clamp(f32, f32),
    /// A function of one variable.
    Function(Function),
}

impl Activation {
    /// Negative values become zero.
    pub const RELU: Self = Self::Clamp(0.0, f32::INFINITY);

    /// What becomes of a sum.
    pub fn apply(&self, sum: f32) -> f32 {
        match *self {
            Self::Linear => sum,
            // Not `clamp`, which panics where the limits are in the wrong order.
            Self::Clamp(low, high) => sum.max(low).min(high),
            Self::Function(function) => function.apply(f64::from(sum)) as f32,
        }
    }

    /// Whether it never decreases, so that it may change places with max pooling.
    pub fn is_increasing(&self) -> bool {
        match self {
            Self::Linear | Self::Clamp(..) => true,
            Self::Function(function) => function.is_increasing(),
        }
    }
}

/// One fused layer: operator, bias, activation, max pooling.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The node that it came from.
    pub name: String,
    /// Operator, maps, shapes, window, pooling and groups as they will be in the model file; all else of it is not set yet.
    /// The pooling comes after the activation.
    pub record: format::Layer,
    /// What follows the sums. A max pooling has a clamp or nothing.
    pub activation: Activation,
    /// Whether an average pooling divides by the size of its window where that lies beyond the map in part, counting padding
    /// as zeros; otherwise by the number of values in the map.
    pub counts_padding: bool,
    /// How the file that the layer was read from quantizes its output; none where that is to be measured. Values beyond what
    /// this can say become the nearest that it can.
    pub given: Option<Quantization>,
    /// The tensor of that file that holds the output as integers; none where none does.
    pub given_tensor: Option<String>,
    /// Weights, the output channel slowest: `[out_channels][filter]`, where a filter is
    /// `[kernel_height][kernel_width][in_channels]` for a convolution (of its group, for one in groups),
    /// `[kernel_height][kernel_width]` for a depthwise convolution,
    /// `[in_height][in_width][in_channels]` for a dense layer. Of an addition, what each of the two maps is multiplied with;
    /// none for other operators.
    pub weights: Vec<f32>,
    /// The real value of one step of a weight, one an output channel, where the file that the layer was read from has weights
    /// of integers; empty where it does not.
    pub weight_steps: Vec<f32>,
    /// One an output channel; a single one for an addition, none for max pooling and concatenation. An average pooling over a
    /// window does not read its own.
    pub bias: Vec<f32>,
}

impl Layer {
    /// A layer without weights, biases and activation.
    pub fn new(name: impl Into<String>, record: format::Layer) -> Self {
        Self {
            name: name.into(),
            record,
            activation: Activation::Linear,
            counts_padding: false,
            given: None,
            given_tensor: None,
            weights: Vec::new(),
            weight_steps: Vec::new(),
            bias: Vec::new(),
        }
    }

    /// Number of output channels.
    pub fn channels(&self) -> usize {
        usize::from(self.record.output.channels)
    }

    /// Whether there is a filter for each output channel.
    pub fn has_filters(&self) -> bool {
        match self.record.op {
            Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense => true,
            Op::GlobalAveragePool | Op::Add | Op::MaxPool | Op::AveragePool | Op::Concat => false,
        }
    }

    /// Weights of one output channel; none where there are no filters.
    pub fn filter_len(&self) -> usize {
        if self.has_filters() { self.weights.len() / self.channels().max(1) } else { 0 }
    }

    /// The filters in the order of their output channels; empty ones where there are none.
    pub fn filters(&self) -> impl Iterator<Item = &[f32]> {
        let len = self.filter_len();
        (0..self.channels()).map(move |channel| &self.weights[channel * len..][..len])
    }
}
