//! Add, Sub and Sum: of maps, or of a map and constants.

use thumbnet::format::Op;

use super::affine;
use super::reshape::without_ones;
use crate::CompileError;
use crate::fold::Affine;
use crate::graph::Layer;
use crate::onnx::{Builder, Node, Value};

pub fn add(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    if node.constant(0).is_some() || node.constant(1).is_some() {
        return affine::add(node, builder);
    }
    node.only(&[])?;
    let values = [builder.value(node, 0)?, builder.value(node, 1)?];
    weighted(node, builder, values, [1.0, 1.0])
}

pub fn sub(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    if node.constant(0).is_some() || node.constant(1).is_some() {
        return affine::sub(node, builder);
    }
    node.only(&[])?;
    let values = [builder.value(node, 0)?, builder.value(node, 1)?];
    weighted(node, builder, values, [1.0, -1.0])
}

pub fn sum(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    let mut sum = builder.value(node, 0)?;
    for index in 1..node.input_count() {
        // A value fetched later may have become a layer of its own meanwhile.
        let next = builder.value(node, index)?;
        sum = weighted(node, builder, [sum, next], [1.0, 1.0])?;
    }
    Ok(sum)
}

/// `weights[0] * a + weights[1] * b`.
fn weighted(
    node: &Node<'_>,
    builder: &mut Builder,
    [a, b]: [Value; 2],
    weights: [f64; 2],
) -> Result<Value, CompileError> {
    a.expect_unpadded(node)?;
    b.expect_unpadded(node)?;
    let shape = builder.shape(&a);
    if builder.shape(&b) != shape || without_ones(&a.view) != without_ones(&b.view) {
        let what = format!("joins tensors of shape {:?} and {:?}", a.dims(), b.dims());
        return Err(node.refuse(what, "both must have the same dimensions: broadcast constants only"));
    }
    let channels = usize::from(shape.channels);
    if a.map == b.map {
        let affine = |value: &Value| value.affine.clone().unwrap_or_else(|| Affine::identity(channels));
        let both = Affine::combine(weights, &affine(&a), &affine(&b));
        // A third input may be the same map, which must stay what it is.
        return builder.affine(node, Value { affine: None, is_shared: true, ..a }, both);
    }
    let view = if a.view.rank() < b.view.rank() { b.view.clone() } else { a.view.clone() };
    let (first, scale, shift) = operand(node, builder, a)?;
    let (second, other_scale, other_shift) = operand(node, builder, b)?;
    let mut layer = builder.layer(node, Op::Add, &first, shape.channels);
    layer.weights = vec![(weights[0] * scale) as f32, (weights[1] * other_scale) as f32];
    layer.bias = vec![(weights[0] * shift + weights[1] * other_shift) as f32];
    let layer = Layer { name: node.name().into(), ..layer };
    let map = builder.add_layer(node, layer, [first.map, second.map])?;
    Ok(Value::new(map, view))
}

/// A map, and the scale and shift that wait behind it if they are the same for all its channels.
fn operand(node: &Node<'_>, builder: &mut Builder, value: Value) -> Result<(Value, f64, f64), CompileError> {
    match value.affine.as_ref().map(Affine::uniform) {
        None => Ok((value, 1.0, 0.0)),
        // Without the first map, the second one would set the scale alone.
        Some(Some((scale, shift))) if scale != 0.0 => Ok((value, scale, shift)),
        Some(_) => Ok((builder.materialize(node, value)?, 1.0, 0.0)),
    }
}
