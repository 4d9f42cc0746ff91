//! The operators. A new one is a file with an `import` function and a line in [`OPERATORS`].

mod activation;
mod affine;
mod average;
mod constant;
mod conv;
mod dense;
mod max_pool;
mod pad;
mod pass;
mod reshape;
mod window;

pub use constant::fold as fold_constant;

use crate::CompileError;
use crate::onnx::{Chain, Node};

type Import = fn(&Node<'_>, &mut Chain) -> Result<(), CompileError>;

/// Operator types and what reads them.
const OPERATORS: &[(&str, Import)] = &[
    ("Add", affine::add),
    ("AveragePool", average::average_pool),
    ("BatchNormalization", affine::batch_norm),
    ("Cast", pass::cast),
    ("Conv", conv::import),
    ("Div", affine::div),
    ("Dropout", pass::dropout),
    ("Flatten", reshape::flatten),
    ("Gemm", dense::gemm),
    ("GlobalAveragePool", average::global),
    ("Identity", pass::identity),
    ("LogSoftmax", pass::softmax),
    ("MatMul", dense::matmul),
    ("MaxPool", max_pool::import),
    ("Mul", affine::mul),
    ("Pad", pad::import),
    ("ReduceMean", average::reduce_mean),
    ("Relu", activation::relu),
    ("Reshape", reshape::reshape),
    ("Sigmoid", activation::sigmoid),
    ("Softmax", pass::softmax),
    ("Squeeze", reshape::squeeze),
    ("Sub", affine::sub),
];

/// Adds a node to the chain, or refuses it.
pub fn import(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    chain.expect_open(node)?;
    match OPERATORS.iter().find(|(op, _)| *op == node.op()) {
        Some((_, import)) => import(node, chain),
        None => {
            let known: Vec<&str> = OPERATORS.iter().map(|(op, _)| *op).collect();
            let advice = format!("build the network from {}, or see docs/adding-an-operator.md", known.join(", "));
            Err(node.refuse("is no operator that can be compiled", advice))
        }
    }
}
