//! Transpose: another order of axes.

use crate::CompileError;
use crate::onnx::{Builder, Node, Value};

pub fn import(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["perm"])?;
    // Padding that waits is said of the map, not of the tensor's axes.
    let value = builder.any_value(node, 0)?;
    let order: Option<Vec<usize>> = match node.ints("perm") {
        Some(order) => order.iter().map(|&axis| usize::try_from(axis).ok()).collect(),
        None => Some((0..value.view.rank()).rev().collect()),
    };
    match order.and_then(|order| value.view.transposed(&order)) {
        Some(view) => Ok(value.with_view(view)),
        None => {
            let what = format!("has perm = {:?} for {:?}", node.ints("perm").unwrap_or_default(), value.dims());
            Err(node.refuse(what, "name each axis once"))
        }
    }
}
