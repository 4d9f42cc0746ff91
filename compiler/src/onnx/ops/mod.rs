//! The operators. A new one is a file with an `import` function and a line in [`OPERATORS`].

mod activation;
mod affine;
mod average_pool;
mod clip;
mod concat;
mod conv;
mod dense;
mod einsum;
mod ending;
mod join;
mod max_pool;
mod pad;
mod pass;
mod quantize;
mod reduce;
mod reshape;
mod shape;
mod transpose;
mod window;

pub use shape::{asks_for_shape, shape_of};

use tract_onnx::pb;

use super::contrib;
use crate::CompileError;
use crate::onnx::{Builder, Node, Value};

type Import = fn(&Node<'_>, &mut Builder) -> Result<Value, CompileError>;

/// Operator types and what reads them.
const OPERATORS: &[(&str, Import)] = &[
    ("Abs", activation::abs),
    ("Add", join::add),
    ("ArgMax", ending::arg_max),
    ("AveragePool", average_pool::import),
    ("BatchNormalization", affine::batch_norm),
    ("Cast", pass::cast),
    ("Celu", activation::celu),
    ("Clip", clip::clip),
    ("Concat", concat::import),
    ("Conv", conv::import),
    ("DequantizeLinear", quantize::dequantize),
    ("Div", affine::div),
    ("Dropout", pass::dropout),
    ("Einsum", einsum::import),
    ("Elu", activation::elu),
    ("Flatten", reshape::flatten),
    ("Gelu", activation::gelu),
    ("Gemm", dense::gemm),
    ("GlobalAveragePool", reduce::global_average),
    ("GlobalMaxPool", reduce::global_max),
    ("HardSigmoid", activation::hard_sigmoid),
    ("HardSwish", activation::hard_swish),
    ("Identity", pass::identity),
    ("LeakyRelu", activation::leaky_relu),
    ("Log", ending::log),
    ("LogSoftmax", ending::softmax),
    ("MatMul", dense::matmul),
    ("Max", clip::max),
    ("MaxPool", max_pool::import),
    ("Min", clip::min),
    ("Mish", activation::mish),
    ("Mul", affine::mul),
    ("Neg", affine::neg),
    ("PRelu", activation::prelu),
    ("Pad", pad::import),
    ("QuantizeLinear", quantize::quantize),
    ("ReduceMax", reduce::max),
    ("ReduceMean", reduce::mean),
    ("ReduceSum", reduce::sum),
    ("Relu", activation::relu),
    ("Reshape", reshape::reshape),
    ("Selu", activation::selu),
    ("Sigmoid", activation::sigmoid),
    ("Softmax", ending::softmax),
    ("Softplus", activation::softplus),
    ("Softsign", activation::softsign),
    ("Squeeze", reshape::squeeze),
    ("Sub", join::sub),
    ("Sum", join::sum),
    ("Swish", activation::swish),
    ("Tanh", activation::tanh),
    ("ThresholdedRelu", activation::thresholded_relu),
    ("Transpose", transpose::import),
    ("Unsqueeze", reshape::unsqueeze),
];

/// Adds a node to the network, or refuses it.
pub fn import(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    if let Some(advice) = contrib::advice(node.proto()) {
        return Err(node.refuse("is no operator that can be compiled", advice));
    }
    match OPERATORS.iter().find(|(op, _)| *op == node.op()) {
        Some((_, import)) => import(node, builder),
        None => Err(unknown(node)),
    }
}

/// Whether a node may stand behind the result without changing which class it names.
pub fn is_ending(node: &pb::NodeProto) -> bool {
    ENDINGS.contains(&node.op_type.as_str())
}

const ENDINGS: &[&str] = &[
    "ArgMax",
    "Cast",
    "Dropout",
    "Flatten",
    "Identity",
    "Log",
    "LogSoftmax",
    "Reshape",
    "Sigmoid",
    "Softmax",
    "Squeeze",
    "Unsqueeze",
];

/// Operators of which people ask, and what to do about each.
const ADVICE: &[(&[&str], &str)] = &[
    (
        &[
            "LayerNormalization",
            "InstanceNormalization",
            "GroupNormalization",
            "MeanVarianceNormalization",
            "LpNormalization",
            "RMSNormalization",
            "LRN",
        ],
        "it measures each image anew, which no folded layer does: train with BatchNormalization instead",
    ),
    (&["If", "Loop", "Scan"], "export the network without control flow, for inference"),
    (&["LSTM", "GRU", "RNN"], "use 1-D convolutions over the series instead"),
    (
        &["DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul"],
        "compile the float file that it was quantized from: scales that change with each image cannot be kept",
    ),
    (&["ConvTranspose", "Resize", "Upsample"], "end the network before it grows its maps, or use a Dense layer"),
    (&["GlobalLpPool", "LpPool"], "use GlobalAveragePool or AveragePool"),
    (&["Sign", "Floor", "Round", "Ceil"], "use an activation that is not a staircase: Tanh, HardSigmoid, Clip"),
];

fn unknown(node: &Node<'_>) -> CompileError {
    if let Some((_, advice)) = ADVICE.iter().find(|(ops, _)| ops.contains(&node.op())) {
        return node.refuse("is no operator that can be compiled", *advice);
    }
    let known: Vec<&str> = OPERATORS.iter().map(|(op, _)| *op).collect();
    let advice = format!("build the network from {}, or see docs/adding-an-operator.md", known.join(", "));
    node.refuse("is no operator that can be compiled", advice)
}
