//! The operators. A new one is a file with an `import` function and a line in [`OPERATORS`].

mod activation;
mod affine;
mod average_pool;
mod clip;
mod concat;
mod constant;
mod conv;
mod dense;
mod global_pool;
mod join;
mod max_pool;
mod pad;
mod pass;
mod reshape;
mod window;

pub use clip::limits as clip_limits;
pub use constant::fold as fold_constant;

use crate::CompileError;
use crate::onnx::{Builder, Node, Value};

type Import = fn(&Node<'_>, &mut Builder) -> Result<Value, CompileError>;

/// Operator types and what reads them.
const OPERATORS: &[(&str, Import)] = &[
    ("Abs", activation::abs),
    ("Add", join::add),
    ("AveragePool", average_pool::import),
    ("BatchNormalization", affine::batch_norm),
    ("Cast", pass::cast),
    ("Celu", activation::celu),
    ("Clip", clip::clip),
    ("Concat", concat::import),
    ("Conv", conv::import),
    ("Div", affine::div),
    ("Dropout", pass::dropout),
    ("Elu", activation::elu),
    ("Flatten", reshape::flatten),
    ("Gelu", activation::gelu),
    ("Gemm", dense::gemm),
    ("GlobalAveragePool", global_pool::average),
    ("GlobalMaxPool", global_pool::max),
    ("HardSigmoid", activation::hard_sigmoid),
    ("HardSwish", activation::hard_swish),
    ("Identity", pass::identity),
    ("LeakyRelu", activation::leaky_relu),
    ("LogSoftmax", pass::softmax),
    ("MatMul", dense::matmul),
    ("Max", clip::max),
    ("MaxPool", max_pool::import),
    ("Min", clip::min),
    ("Mish", activation::mish),
    ("Mul", affine::mul),
    ("Neg", affine::neg),
    ("PRelu", activation::prelu),
    ("Pad", pad::import),
    ("ReduceMax", global_pool::reduce_max),
    ("ReduceMean", global_pool::reduce_mean),
    ("Relu", activation::relu),
    ("Reshape", reshape::reshape),
    ("Selu", activation::selu),
    ("Sigmoid", activation::sigmoid),
    ("Softmax", pass::softmax),
    ("Softplus", activation::softplus),
    ("Softsign", activation::softsign),
    ("Squeeze", reshape::squeeze),
    ("Sub", join::sub),
    ("Sum", join::sum),
    ("Swish", activation::swish),
    ("Tanh", activation::tanh),
    ("ThresholdedRelu", activation::thresholded_relu),
    ("Unsqueeze", reshape::unsqueeze),
];

/// Operators that are only known as a part of a pattern.
const PARTS: &[&str] = &["Erf"];

/// Adds a node to the network, or refuses it.
pub fn import(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    match OPERATORS.iter().find(|(op, _)| *op == node.op()) {
        Some((_, import)) => import(node, builder),
        None => Err(unknown(node)),
    }
}

/// Refuses a node that no pattern can make known.
pub fn expect_known(node: &Node<'_>) -> Result<(), CompileError> {
    match OPERATORS.iter().map(|(op, _)| op).chain(PARTS).any(|op| *op == node.op()) {
        true => Ok(()),
        false => Err(unknown(node)),
    }
}

fn unknown(node: &Node<'_>) -> CompileError {
    let known: Vec<&str> = OPERATORS.iter().map(|(op, _)| *op).collect();
    let advice = format!("build the network from {}, or see docs/adding-an-operator.md", known.join(", "));
    node.refuse("is no operator that can be compiled", advice)
}
