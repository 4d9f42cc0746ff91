//! Concat along the channels.

use thumbnet::format::Op;

use crate::CompileError;
use crate::fold::Affine;
use crate::onnx::{Builder, Node, Value};

pub fn import(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["axis"])?;
    let mut joined = builder.value(node, 0)?;
    let rank = joined.dims.len() as i64 + 1;
    // The axis was 1 in the first opset where it is missing.
    let axis = node.int("axis", 1);
    if axis != 1 && axis + rank != 1 {
        return Err(node.refuse(format!("has axis = {axis}"), "join along the channels, axis 1"));
    }
    for index in 1..node.input_count() {
        let next = builder.value(node, index)?;
        joined = pair(node, builder, joined, next)?;
    }
    Ok(joined)
}

fn pair(node: &Node<'_>, builder: &mut Builder, a: Value, b: Value) -> Result<Value, CompileError> {
    let (mut a, mut b) = (a, b);
    a.expect_unpadded(node)?;
    b.expect_unpadded(node)?;
    let channels = [builder.channels(node, &mut a)?, builder.channels(node, &mut b)?];
    if a.dims[1..] != b.dims[1..] {
        let what = format!("joins tensors of shape [N, {:?}] and [N, {:?}]", a.dims, b.dims);
        return Err(node.refuse(what, "all dimensions but the channels must be the same"));
    }
    let sizes = [&a, &b].map(|value| {
        let shape = builder.shape(value);
        (shape.height, shape.width)
    });
    if sizes[0] != sizes[1] {
        return Err(node.refuse("joins a row and a column", "reshape one of them"));
    }
    if a.map == b.map {
        b = builder.copy(node, b)?;
    }
    let affine = match (a.affine.take(), b.affine.take()) {
        (None, None) => None,
        (first, second) => {
            let first = first.unwrap_or_else(|| Affine::identity(channels[0]));
            Some(first.beside(second.unwrap_or_else(|| Affine::identity(channels[1]))))
        }
    };
    let sum = super::conv::channels(node, channels[0] + channels[1])?;
    let mut dims = a.dims.clone();
    dims[0] = sum.into();
    let layer = builder.layer(node, Op::Concat, &a, sum);
    let map = builder.add_layer(node, layer, [a.map, b.map])?;
    Ok(Value { affine, ..Value::new(map, dims) })
}
