//! Operators that change nothing at inference: Identity, Dropout, Cast to float, the softmax at the end.

use tract_onnx::pb::tensor_proto::DataType;

use crate::CompileError;
use crate::onnx::{Builder, Node, Value};

pub fn identity(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    builder.value(node, 0)
}

pub fn dropout(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["ratio", "seed", "is_test"])?;
    let training = node.has_input(2) && node.integers(2, "training mode")?.iter().any(|&mode| mode != 0);
    match training {
        true => Err(node.refuse("is in training mode", "export the network for inference")),
        false => builder.value(node, 0),
    }
}

pub fn cast(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["to", "saturate"])?;
    node.expect("to", DataType::Float as i64, "export the network in 32-bit float")?;
    builder.value(node, 0)
}

pub fn softmax(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["axis"])?;
    let value = builder.value(node, 0)?;
    value.expect_unpadded(node)?;
    let axis = node.int("axis", -1);
    let rank = value.dims.len() as i64 + 1;
    let axis_from_one = if axis < 0 { axis.saturating_add(rank) } else { axis };
    let size = usize::try_from(axis_from_one - 1).ok().and_then(|axis| value.dims.get(axis));
    if size != Some(&value.elements()) {
        let what = format!("has axis = {axis} and is not at the end");
        return Err(node.refuse(what, "use softmax over the classes only"));
    }
    builder.note(format!("{} ({}) left out: the logits say the same", node.name(), node.op()));
    Ok(Value { name: None, is_ended: true, ..value })
}
