//! Shape and Size: numbers that are known while reading. The batch is one.

use tract_onnx::pb;

use crate::CompileError;
use crate::onnx::{Builder, Node, Tensor};

/// Whether a node reads dimensions only.
pub fn asks_for_shape(node: &pb::NodeProto) -> bool {
    matches!(node.op_type.as_str(), "Shape" | "Size")
}

/// What Shape or Size of a tensor of the network is; `None` for another node.
pub fn shape_of(node: &Node<'_>, builder: &Builder) -> Result<Option<Tensor>, CompileError> {
    if !asks_for_shape(node.proto()) || node.is_constant() {
        return Ok(None);
    }
    node.only(&["start", "end"])?;
    let value = builder.any_value(node, 0)?;
    value.expect_unpadded(node)?;
    let dims: Vec<i64> = value.dims().iter().map(|&size| size as i64).collect();
    if node.op() == "Size" {
        return Ok(Some(Tensor { dims: vec![], ..Tensor::of_ints(vec![dims.iter().product()]) }));
    }
    let rank = dims.len() as i64;
    let place = |axis: i64| (if axis < 0 { axis.saturating_add(rank) } else { axis }).clamp(0, rank) as usize;
    let (start, end) = (place(node.int("start", 0)), place(node.int("end", rank)));
    Ok(Some(Tensor::of_ints(dims.get(start..end).unwrap_or_default().to_vec())))
}
