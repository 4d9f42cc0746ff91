//! BatchNormalization, Neg, and operations with a constant a channel.

use crate::CompileError;
use crate::fold::Affine;
use crate::onnx::{Builder, Node, Value};

pub fn batch_norm(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    // `spatial` is 1 in the operator's old versions where it exists; momentum matters to training only.
    node.only(&["epsilon", "momentum", "training_mode", "spatial"])?;
    node.expect("training_mode", 0, "export the network for inference")?;
    node.expect("spatial", 1, "normalize by channel")?;
    let value = builder.value(node, 0)?;
    // Parameters belong to axis 1, a vector's only one.
    let rank = value.view.rank();
    let dims = value.dims();
    let channels = if rank == 1 { dims[0] } else { dims.get(1).copied().unwrap_or_default() };
    let behind = vec![1; rank.saturating_sub(2)];
    let read = |index, what| -> Result<&[f32], CompileError> {
        let (dims, values) = node.floats(index, what)?;
        if values.len() != channels {
            let what = format!("has a {what} of shape {dims:?} for {channels} channels");
            return Err(node.refuse(what, "export the model again"));
        }
        Ok(values)
    };
    let parameter = |index, what| -> Result<Vec<f64>, CompileError> {
        let values = read(index, what)?;
        let dims: Vec<usize> = std::iter::once(channels).chain(behind.iter().copied()).collect();
        builder.per_channel(&value, &dims, values).ok_or_else(|| {
            node.refuse(format!("works on {:?}, a flattened map", value.dims()), "move it before the Flatten")
        })
    };
    let (gamma, beta) = (parameter(1, "scale")?, parameter(2, "bias")?);
    let (mean, variance) = (parameter(3, "mean")?, parameter(4, "variance")?);
    let epsilon = node.float("epsilon", 1e-5);
    if variance.iter().any(|variance| variance + f64::from(epsilon) <= 0.0) {
        return Err(node.refuse("has a negative variance", "train the network again"));
    }
    let affine = Affine::batch_norm(&gamma, &beta, &mean, &variance, epsilon);
    builder.affine(node, value, affine)
}

pub fn mul(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let (value, values, _) = per_channel(node, builder)?;
    scale(node, builder, value, values)
}

pub fn div(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let (value, values, index) = per_channel(node, builder)?;
    if index == 0 {
        return Err(node.refuse("divides by a map", "divide by a constant"));
    }
    if values.contains(&0.0) {
        return Err(node.refuse("divides by zero", "divide by a constant other than zero"));
    }
    scale(node, builder, value, values.iter().map(|value| 1.0 / value).collect())
}

pub fn neg(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    let value = builder.value(node, 0)?;
    let channels = usize::from(builder.shape(&value).channels);
    builder.affine(node, value, Affine::of_all(channels, -1.0, 0.0))
}

/// The sum of a map and a constant.
pub fn add(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let (value, shift, _) = per_channel(node, builder)?;
    let scale = vec![1.0; shift.len()];
    builder.affine(node, value, Affine { scale, shift })
}

/// The difference of a map and a constant, whichever comes first.
pub fn sub(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let (value, values, index) = per_channel(node, builder)?;
    let affine = match index {
        0 => Affine { scale: vec![-1.0; values.len()], shift: values },
        _ => Affine { scale: vec![1.0; values.len()], shift: values.iter().map(|value| -value).collect() },
    };
    builder.affine(node, value, affine)
}

fn scale(node: &Node<'_>, builder: &mut Builder, value: Value, scale: Vec<f64>) -> Result<Value, CompileError> {
    let shift = vec![0.0; scale.len()];
    builder.affine(node, value, Affine { scale, shift })
}

/// The map, the constant operand as one value a channel, and which input that is.
fn per_channel(node: &Node<'_>, builder: &mut Builder) -> Result<(Value, Vec<f64>, usize), CompileError> {
    node.only(&[])?;
    let index = usize::from(node.constant(0).is_none());
    let value = builder.value(node, 1 - index)?;
    if node.constant(index).is_none() {
        let advice = "multiply and divide by constants; x * Sigmoid(x), HardSwish and Mish are known as activations";
        return Err(node.refuse("joins two maps", advice));
    }
    let (dims, values) = node.floats(index, "operand")?;
    match builder.per_channel(&value, dims, values) {
        Some(constants) => Ok((value, constants, index)),
        None => Err(node.refuse(
            format!("has an operand of shape {dims:?} for a tensor {:?}", value.dims()),
            "use a scalar or one value a channel",
        )),
    }
}
