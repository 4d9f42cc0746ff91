//! Relu and Sigmoid.

use crate::CompileError;
use crate::graph::Activation;
use crate::onnx::{Chain, Node};

pub fn relu(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&[])?;
    chain.activate(node, Activation::Relu)
}

pub fn sigmoid(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&[])?;
    chain.activate(node, Activation::Sigmoid)
}
