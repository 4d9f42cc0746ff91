//! Gemm and MatMul: dense layers.

use thumbnet::format::Op;

use super::conv::{bias, channels, channels_last};
use crate::CompileError;
use crate::onnx::{Builder, Node, Tensor, Value};

pub fn gemm(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["alpha", "beta", "transA", "transB"])?;
    node.expect("transA", 0, "export the model again")?;
    let out_first = node.int("transB", 0) != 0;
    let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
    let matrix = matrix(node, out_first)?;
    let bias: Vec<f32> = bias(node, 2, matrix.dims[0])?.iter().map(|value| value * beta).collect();
    dense(node, builder, matrix, alpha, bias)
}

pub fn matmul(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    let matrix = matrix(node, false)?;
    let bias = vec![0.0; matrix.dims[0]];
    dense(node, builder, matrix, 1.0, bias)
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

fn dense(
    node: &Node<'_>,
    builder: &mut Builder,
    matrix: Tensor,
    alpha: f32,
    bias: Vec<f32>,
) -> Result<Value, CompileError> {
    let value = builder.value(node, 0)?;
    value.expect_unpadded(node)?;
    // A matrix works on the last dimension; of the others, none may repeat it.
    let Some((&inputs, others)) = value.dims.split_last().filter(|(_, others)| others.iter().all(|&size| size == 1))
    else {
        let what = format!("works on a tensor of shape [N, {:?}]", value.dims);
        return Err(node.refuse(what, "put a Flatten before it"));
    };
    let others = others.to_vec();
    if matrix.dims[1] != inputs {
        let what = format!("has weights for {} values where {inputs} come in", matrix.dims[1]);
        return Err(node.refuse(what, "export the model again"));
    }
    let weights: Vec<f32> = matrix.floats().unwrap_or(&[]).iter().map(|weight| weight * alpha).collect();
    let in_channels = usize::from(builder.shape(&value).channels);
    let mut layer = builder.layer(node, Op::Dense, &value, channels(node, matrix.dims[0])?);
    layer.weights = channels_last(&weights, in_channels, inputs / in_channels);
    layer.bias = bias;
    let dims = others.into_iter().chain([matrix.dims[0]]).collect();
    Ok(builder.push(node, value, layer)?.with_dims(dims))
}
