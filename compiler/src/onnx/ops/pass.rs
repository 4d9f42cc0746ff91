//! Operators that change nothing at inference: Identity, Dropout, Cast to float, the softmax at the end.

use tract_onnx::pb::tensor_proto::DataType;

use crate::CompileError;
use crate::onnx::{Chain, Node};

pub fn identity(node: &Node<'_>, _chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&[])
}

pub fn dropout(node: &Node<'_>, _chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["ratio", "seed", "is_test"])?;
    let training = node.has_input(2) && node.integers(2, "training mode")?.iter().any(|&mode| mode != 0);
    match training {
        true => Err(node.refuse("is in training mode", "export the network for inference")),
        false => Ok(()),
    }
}

pub fn cast(node: &Node<'_>, _chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["to", "saturate"])?;
    node.expect("to", DataType::Float as i64, "export the network in 32-bit float")
}

pub fn softmax(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["axis"])?;
    let axis = node.int("axis", -1);
    if !chain.flat || !(axis == 1 || axis == -1) {
        return Err(
            node.refuse(format!("has axis = {axis} and is not at the end"), "use softmax over the classes only")
        );
    }
    chain.end(format!("{} ({}) left out: the logits say the same", node.name(), node.op()));
    Ok(())
}
