//! Gemm and MatMul: dense layers; on a map with its channels last, convolutions of single pixels.

use thumbnet::format::Op;

use super::conv::{bias, channels};
use crate::CompileError;
use crate::onnx::{Builder, Node, Run, Tensor, Value};

pub fn gemm(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["alpha", "beta", "transA", "transB"])?;
    let out_first = node.int("transB", 0) != 0;
    let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
    let matrix = matrix(node, out_first)?;
    let bias: Vec<f32> = match beta {
        0.0 => vec![0.0; matrix.dims[0]],
        beta => bias(node, 2, matrix.dims[0])?.iter().map(|value| value * beta).collect(),
    };
    let mut value = builder.value(node, 0)?;
    if node.int("transA", 0) != 0 {
        let turned = value.view.transposed(&[1, 0]);
        let view = turned.ok_or_else(|| node.refuse("transposes what is no matrix", "export the model again"))?;
        value = value.with_view(view);
    }
    dense(node, builder, value, matrix, alpha, bias)
}

pub fn matmul(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    let matrix = matrix(node, false)?;
    let bias = vec![0.0; matrix.dims[0]];
    let value = builder.value(node, 0)?;
    dense(node, builder, value, matrix, 1.0, bias)
}

/// The weights as `[out][in]`.
fn matrix(node: &Node<'_>, out_first: bool) -> Result<Tensor, CompileError> {
    let (dims, values) = node.floats(1, "weights")?;
    let refuse = || node.refuse(format!("has weights of shape {dims:?}"), "use one matrix for all");
    // Axes of one before a matrix say nothing.
    let (&[ref ones @ .., rows, columns], false) = (dims, values.is_empty()) else { return Err(refuse()) };
    if ones.iter().any(|&size| size != 1) {
        return Err(refuse());
    }
    let stored = Tensor::of_floats(vec![rows, columns], values.to_vec());
    if out_first { Ok(stored) } else { exchanged(&stored, rows, columns).ok_or_else(refuse) }
}

/// A matrix with its rows and columns exchanged.
pub fn exchanged(tensor: &Tensor, rows: usize, columns: usize) -> Option<Tensor> {
    let values = tensor.floats().filter(|values| values.len() == rows * columns && !values.is_empty())?;
    let exchanged = (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column]));
    Some(Tensor::of_floats(vec![columns, rows], exchanged.collect()))
}

/// Adds the layer of a matrix `[out][in]` that works on the last axis of the value.
pub fn dense(
    node: &Node<'_>,
    builder: &mut Builder,
    value: Value,
    matrix: Tensor,
    alpha: f32,
    bias: Vec<f32>,
) -> Result<Value, CompileError> {
    value.expect_unpadded(node)?;
    let dims = value.dims();
    let Some((&inputs, others)) = dims.split_last() else {
        return Err(node.refuse("works on a single number", "export the model again"));
    };
    let &[outputs, columns] = &matrix.dims[..] else {
        return Err(node.refuse("has weights that are no matrix", "export the model again"));
    };
    if columns != inputs {
        let what = format!("has weights for {columns} values where {inputs} come in");
        return Err(node.refuse(what, "export the model again"));
    }
    let weights: Vec<f32> = matrix.floats().unwrap_or(&[]).iter().map(|weight| weight * alpha).collect();
    let steps: Vec<f32> = node.weight_steps(outputs).iter().map(|step| step * alpha.abs()).collect();
    let last = dims.len() - 1;
    if others.iter().all(|&size| size == 1) {
        let mut layer = builder.layer(node, Op::Dense, &value, channels(node, outputs)?);
        layer.weights = as_the_map(&weights, &value.view.order());
        (layer.weight_steps, layer.bias) = (steps, bias);
        let view = value.view.with_axis(last, Run { size: outputs, step: 1 });
        return Ok(builder.push(node, value, layer)?.with_view(view));
    }
    // On each pixel of a map with its channels last.
    let Some(view) = value.view.with_channels(last, builder.channels(&value), outputs) else {
        let what = format!("works on a tensor of shape {dims:?}");
        return Err(node.refuse(what, "put a Flatten before it"));
    };
    let mut layer = builder.layer(node, Op::Conv, &value, channels(node, outputs)?);
    (layer.weights, layer.weight_steps, layer.bias) = (weights, steps, bias);
    Ok(builder.push(node, value, layer)?.with_view(view))
}

/// Weights in the order of the tensor's elements, put in that of the map's values.
fn as_the_map(weights: &[f32], order: &[usize]) -> Vec<f32> {
    let mut placed = vec![0.0; weights.len()];
    let rows = placed.chunks_exact_mut(order.len().max(1)).zip(weights.chunks_exact(order.len().max(1)));
    for (placed, weights) in rows {
        for (&place, &weight) in order.iter().zip(weights) {
            placed[place] = weight;
        }
    }
    placed
}
