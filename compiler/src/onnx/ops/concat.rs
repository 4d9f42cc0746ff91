//! Concat along the channels.

use thumbnet::format::Op;

use crate::CompileError;
use crate::fold::Affine;
use crate::onnx::{Builder, Node, Value};

pub fn import(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["axis"])?;
    let mut joined = builder.value(node, 0)?;
    // The axis was 1 in the first opset where it is missing.
    let axis = node.int("axis", 1);
    let rank = joined.view.rank();
    let place = usize::try_from(if axis < 0 { axis.saturating_add(rank as i64) } else { axis });
    let place = place.ok().filter(|&place| place < rank);
    let place = place.ok_or_else(|| node.refuse(format!("has axis = {axis}"), ADVICE))?;
    for index in 1..node.input_count() {
        let next = builder.value(node, index)?;
        joined = pair(node, builder, joined, next, place)?;
    }
    Ok(joined)
}

const ADVICE: &str = "join along the channels, axis 1 of [N, channels, height, width], all else alike";

fn pair(node: &Node<'_>, builder: &mut Builder, a: Value, b: Value, place: usize) -> Result<Value, CompileError> {
    let (mut a, mut b) = (a, b);
    a.expect_unpadded(node)?;
    b.expect_unpadded(node)?;
    let channels = [builder.channels(&a), builder.channels(&b)];
    let sum = node.channels(channels[0] + channels[1])?;
    // Both must become the same when their channels are as many.
    let views =
        [a.view.with_channels(place, channels[0], sum.into()), b.view.with_channels(place, channels[1], sum.into())];
    let sizes = [&a, &b].map(|value| {
        let shape = builder.shape(value);
        (shape.height, shape.width)
    });
    let view = match views {
        [Some(first), Some(second)] if first == second && sizes[0] == sizes[1] => first,
        _ => {
            let what = format!("joins tensors of shape {:?} and {:?} along axis {place}", a.dims(), b.dims());
            return Err(node.refuse(what, ADVICE));
        }
    };
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
    let layer = builder.layer(node, Op::Concat, &a, sum);
    let map = builder.add_layer(node, layer, [a.map, b.map])?;
    Ok(Value { affine, ..Value::new(map, view) })
}
