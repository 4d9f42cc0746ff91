//! What the compiler knows of an operator, behind the import: one file an operator.

mod add;
mod average_pool;
mod concat;
mod conv;
mod dense;
mod depthwise;
mod filters;
mod global_average;
mod max_pool;
mod windows;

use thumbnet::format::Op;

use crate::CompileError;
use crate::graph::Layer;
use crate::qdq::Writer;
use crate::quantization::Quantization;
use crate::quantize::{QuantizedLayer, Scales};

/// The integers of a layer before its requantization.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Integers {
    /// Weights of -127 to 127, in the order of [`Layer::weights`].
    pub weights: Vec<i8>,
    /// The real value of one step of a weight, one an output channel; none where there are no filters.
    pub weight_scales: Vec<f32>,
    /// What the maps of an addition are multiplied with.
    pub factors: [i16; 2],
    /// Biases in steps of the accumulator, the zero points not yet folded in: one a
    /// [scale](thumbnet::format::Layer::scales).
    pub bias: Vec<i64>,
    /// What the zero points of the inputs add, to be subtracted: one a scale.
    pub zero_sums: Vec<i64>,
    /// The real value of one step of the accumulator, one a scale.
    pub steps: Vec<f64>,
}

/// An operator.
pub trait Operator: Sync {
    /// The sums of the float network, before the activation: of every pixel, channel fastest. `inputs`: the maps that the layer
    /// reads.
    fn sums(&self, layer: &Layer, inputs: &[&[f32]]) -> Vec<f32>;

    /// The layer as integers; `inputs`: how the maps are quantized that it reads; `scales`: those of its weights.
    fn integers(&self, layer: &Layer, inputs: &[Quantization], scales: Scales) -> Integers;

    /// The least and the greatest value that the sum for a scale, without its bias, can have in any order of summation.
    fn bounds(&self, layer: &QuantizedLayer, scale: usize) -> (i64, i64);

    /// The weights as the direct kernels read them, from the order of [`Layer::weights`].
    fn stored_weights(&self, layer: &QuantizedLayer) -> Vec<u8>;

    /// Writes the sums as ONNX nodes that end in the tensor `output`; `inputs`: the tensors of the maps.
    fn write(&self, layer: &QuantizedLayer, inputs: &[&str], output: &str, writer: &mut Writer) -> String;
}

/// The room of an operator.
pub fn of(op: Op) -> &'static dyn Operator {
    match op {
        Op::Conv | Op::GroupedConv => &conv::Conv,
        Op::DepthwiseConv => &depthwise::DepthwiseConv,
        Op::Dense => &dense::Dense,
        Op::GlobalAveragePool => &global_average::GlobalAverage,
        Op::Add => &add::Add,
        Op::MaxPool => &max_pool::MaxPool,
        Op::AveragePool => &average_pool::AveragePool,
        Op::Concat => &concat::Concat,
    }
}

/// Largest quantized activation; padding reads as a zero point, which is no larger.
const LARGEST: i64 = u8::MAX as i64;

/// Refuses weights that are not finite.
pub fn check(layer: &Layer) -> Result<(), CompileError> {
    match layer.weights.iter().chain(&layer.bias).all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(CompileError::Quantization {
            layer: layer.name.clone(),
            what: "has weights that are not finite".into(),
            advice: "train the network again".into(),
        }),
    }
}
