//! Operators that change nothing at inference: Identity, Dropout, Cast to float.

use tract_onnx::pb::tensor_proto::DataType;

use crate::CompileError;
use crate::onnx::{Builder, Node, Value};

pub fn identity(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    builder.any_value(node, 0)
}

pub fn dropout(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["ratio", "seed", "is_test"])?;
    let is_training = node.has_input(2) && node.integers(2, "training mode")?.iter().any(|&mode| mode != 0);
    let ratio = node.scalar(1, "ratio")?.unwrap_or(node.float("ratio", 0.5));
    match is_training && ratio != 0.0 {
        true => Err(node.refuse("is in training mode", "export the network for inference (torch: model.eval())")),
        false => builder.any_value(node, 0),
    }
}

pub fn cast(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["to", "saturate"])?;
    let value = builder.any_value(node, 0)?;
    // Of a class that was left out, the type does not matter.
    if value.ended.is_none() {
        node.expect("to", DataType::Float as i64, "export the network in 32-bit float")?;
    }
    Ok(value)
}
