//! Gemm and MatMul: dense layers.

use inference_core::format::{Op, Pool, Shape, Window};

use super::conv::{bias, channels_last};
use crate::CompileError;
use crate::graph::{Activation, Layer, len};
use crate::onnx::{Chain, Node, Tensor};

pub fn gemm(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["alpha", "beta", "transA", "transB"])?;
    node.expect("transA", 0, "export the model again")?;
    let out_first = node.int("transB", 0) != 0;
    let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
    let matrix = matrix(node, out_first)?;
    let bias: Vec<f32> = bias(node, 2, matrix.dims[0])?.iter().map(|value| value * beta).collect();
    dense(node, chain, matrix, alpha, bias)
}

pub fn matmul(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&[])?;
    let matrix = matrix(node, false)?;
    let bias = vec![0.0; matrix.dims[0]];
    dense(node, chain, matrix, 1.0, bias)
}

/// The weights as `[out][in]`.
fn matrix(node: &Node<'_>, out_first: bool) -> Result<Tensor, CompileError> {
    let (dims, _) = node.floats(1, "weights")?;
    let stored = node.constant(1);
    let matrix = if out_first {
        stored.filter(|tensor| tensor.dims.len() == 2).cloned()
    } else {
        stored.and_then(Tensor::transposed)
    };
    matrix.ok_or_else(|| node.refuse(format!("has weights of shape {dims:?}"), "use a matrix"))
}

fn dense(node: &Node<'_>, chain: &mut Chain, matrix: Tensor, alpha: f32, bias: Vec<f32>) -> Result<(), CompileError> {
    chain.expect_unpadded(node)?;
    let input = chain.shape;
    if !chain.flat {
        return Err(node.refuse("works on a map", "put a Flatten before it"));
    }
    let inputs = len(input);
    if matrix.dims[1] != inputs {
        let what = format!("has weights for {} values where {inputs} come in", matrix.dims[1]);
        return Err(node.refuse(what, "export the model again"));
    }
    let weights: Vec<f32> = matrix.floats().unwrap_or(&[]).iter().map(|weight| weight * alpha).collect();
    let channels = usize::from(input.channels);
    let layer = Layer {
        name: node.name().into(),
        op: Op::Dense,
        input,
        output: Shape { height: 1, width: 1, channels: node.channels(matrix.dims[0])? },
        window: Window::UNIT,
        pool: Pool::NONE,
        activation: Activation::Linear,
        weights: channels_last(&weights, channels, inputs / channels),
        bias,
    };
    chain.push(node, layer)
}
