//! What stands behind the logits and does not change which class they name: left out, with a note.

use crate::CompileError;
use crate::onnx::{Builder, Node, Value};

/// Softmax and LogSoftmax.
pub fn softmax(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["axis"])?;
    let value = builder.any_value(node, 0)?;
    // Until version 12, all axes from that one on were one.
    let is_old = builder.opset() < 13;
    let axis = node.int("axis", if is_old { 1 } else { -1 });
    let (place, size) = span(&value, axis, is_old).ok_or_else(|| wrong(node, &value, axis))?;
    let elements = value.view.elements();
    if size != elements || place.is_none() {
        return Err(wrong(node, &value, axis));
    }
    if elements == 1 {
        return Err(
            node.refuse("makes 1 of its single value, whatever that is", "end a network of one output in a Sigmoid")
        );
    }
    end(node, builder, value)
}

/// The logarithm of a softmax.
pub fn log(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    let value = builder.any_value(node, 0)?;
    match value.ended {
        Some(_) => end(node, builder, value),
        None => Err(node.refuse("is no operator that can be compiled", "put it behind the final Softmax only")),
    }
}

/// The number of the largest value.
pub fn arg_max(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["axis", "keepdims", "select_last_index"])?;
    let value = builder.any_value(node, 0)?;
    let axis = node.int("axis", 0);
    match span(&value, axis, false) {
        Some((Some(_), size)) if size == value.view.elements() && size > 1 && builder.is_tail(node.output()?) => {
            end(node, builder, value)
        }
        _ => Err(wrong(node, &value, axis)),
    }
}

/// A Sigmoid behind the logits, which keeps their order; half is where a logit is zero. `None` where it is not at the end.
pub fn sigmoid(node: &Node<'_>, builder: &mut Builder, value: &Value) -> Result<Option<Value>, CompileError> {
    let shape = builder.shape(value);
    if !builder.is_tail(node.output()?) || (shape.height, shape.width) != (1, 1) || value.map == 0 {
        return Ok(None);
    }
    end(node, builder, value.clone()).map(Some)
}

fn end(node: &Node<'_>, builder: &mut Builder, value: Value) -> Result<Value, CompileError> {
    value.expect_unpadded(node)?;
    builder.note(format!("{} ({}) left out: the logits say the same", node.name(), node.op()));
    let ended = value.ended.clone().or_else(|| Some(node.input(0).into()));
    Ok(Value { name: None, ended, ..value })
}

/// An axis, and how many elements it and, with `to_end`, those behind it have.
fn span(value: &Value, axis: i64, to_end: bool) -> Option<(Option<usize>, usize)> {
    let dims = value.dims();
    let place = usize::try_from(if axis < 0 { axis.saturating_add(dims.len() as i64) } else { axis }).ok()?;
    let size = *dims.get(place)?;
    Some((Some(place), if to_end { dims[place..].iter().product() } else { size }))
}

fn wrong(node: &Node<'_>, value: &Value, axis: i64) -> CompileError {
    let what = format!("has axis = {axis} for {:?}: that is not over all classes, or not at the end", value.dims());
    node.refuse(what, "use it over the classes only, at the end (torch: dim=1)")
}
