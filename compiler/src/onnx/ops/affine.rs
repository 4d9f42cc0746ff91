//! BatchNormalization, and Add, Sub, Mul, Div by a constant a channel.

use crate::CompileError;
use crate::fold::Affine;
use crate::onnx::{Chain, Node};

pub fn batch_norm(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    // `spatial` is 1 in the operator's old versions where it exists; momentum matters to training only.
    node.only(&["epsilon", "momentum", "training_mode", "spatial"])?;
    node.expect("training_mode", 0, "export the network for inference")?;
    node.expect("spatial", 1, "normalize by channel")?;
    let channels = channels(node, chain)?;
    let parameter = |index, what| -> Result<&[f32], CompileError> {
        let (dims, values) = node.floats(index, what)?;
        if values.len() != channels {
            let what = format!("has a {what} of shape {dims:?} for {channels} channels");
            return Err(node.refuse(what, "export the model again"));
        }
        Ok(values)
    };
    let (gamma, beta) = (parameter(1, "scale")?, parameter(2, "bias")?);
    let (mean, variance) = (parameter(3, "mean")?, parameter(4, "variance")?);
    let epsilon = node.float("epsilon", 1e-5);
    if variance.iter().any(|variance| variance + epsilon <= 0.0) {
        return Err(node.refuse("has a negative variance", "train the network again"));
    }
    chain.affine(node, Affine::batch_norm(gamma, beta, mean, variance, epsilon))
}

pub fn add(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    let (values, _) = per_channel(node, chain)?;
    shift(node, chain, values)
}

pub fn sub(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    let (values, index) = per_channel(node, chain)?;
    if index == 0 {
        let scale = vec![-1.0; values.len()];
        return chain.affine(node, Affine { scale, shift: values });
    }
    shift(node, chain, values.iter().map(|value| -value).collect())
}

pub fn mul(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    let (values, _) = per_channel(node, chain)?;
    scale(node, chain, values)
}

pub fn div(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    let (values, index) = per_channel(node, chain)?;
    if index == 0 {
        return Err(node.refuse("divides by the image", "divide by a constant"));
    }
    if values.contains(&0.0) {
        return Err(node.refuse("divides by zero", "divide by a constant other than zero"));
    }
    scale(node, chain, values.iter().map(|value| 1.0 / value).collect())
}

fn shift(node: &Node<'_>, chain: &mut Chain, shift: Vec<f64>) -> Result<(), CompileError> {
    chain.affine(node, Affine { scale: vec![1.0; shift.len()], shift })
}

fn scale(node: &Node<'_>, chain: &mut Chain, scale: Vec<f64>) -> Result<(), CompileError> {
    let shift = vec![0.0; scale.len()];
    chain.affine(node, Affine { scale, shift })
}

/// Channels of the tensor, which may be flat only where a map is one pixel.
fn channels(node: &Node<'_>, chain: &Chain) -> Result<usize, CompileError> {
    if chain.flat && (chain.shape.height, chain.shape.width) != (1, 1) {
        return Err(node.refuse("works on a flattened map", "move it before the Flatten"));
    }
    Ok(usize::from(chain.shape.channels))
}

/// The constant operand, one value a channel, and which input it is.
fn per_channel(node: &Node<'_>, chain: &Chain) -> Result<(Vec<f64>, usize), CompileError> {
    node.only(&[])?;
    let channels = channels(node, chain)?;
    let index = usize::from(node.constant(0).is_none());
    let (dims, values) = node.floats(index, "operand")?;
    // Broadcasting aligns the last dimensions: [N, channels] when flat, [N, channels, height, width] otherwise.
    let behind = if chain.flat { 0 } else { 2 };
    let axis_from_end = |axis: usize| dims.len().checked_sub(axis + 1).map_or(1, |index| dims[index]);
    let ones = (0..dims.len()).all(|axis| axis == behind || axis_from_end(axis) == 1);
    let rank_fits = dims.len() <= behind + 2;
    match values {
        [value] if rank_fits => Ok((vec![f64::from(*value); channels], index)),
        values if rank_fits && ones && values.len() == channels && axis_from_end(behind) == channels => {
            Ok((values.iter().map(|&value| f64::from(value)).collect(), index))
        }
        _ => Err(node.refuse(
            format!("has an operand of shape {dims:?} for {channels} channels"),
            "use a scalar or one value a channel",
        )),
    }
}
