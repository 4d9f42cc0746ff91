//! Pad: constant padding of height and width, for the convolution or pooling after it.

use super::window;
use crate::CompileError;
use crate::onnx::{Builder, Node, Padding, Value};

pub fn import(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["mode", "pads", "value"])?;
    let mut value = builder.value(node, 0)?;
    value.expect_unpadded(node)?;
    let axes = builder.axes(node, &mut value)?;
    let mode = node.text("mode", "constant");
    if mode != "constant" && !mode.is_empty() {
        return Err(node.refuse(format!("has mode = {mode}"), "pad with a constant"));
    }
    let pads = match node.ints("pads") {
        Some(pads) => pads,
        None => node.integers(1, "pads")?,
    };
    let filled = node.scalar(2, "value")?.unwrap_or(node.float("value", 0.0));
    let rank = axes.count() + 2;
    let advice = "pad height and width only, by at least 0";
    let wrong = || node.refuse(format!("has pads = {pads:?}"), advice);
    let all = match node.has_input(3) {
        true => spread(pads, node.integers(3, "axes")?, rank),
        false => Some(pads.to_vec()),
    };
    let all = all.filter(|all| all.len() == 2 * rank).ok_or_else(wrong)?;
    let (begins, ends) = all.split_at(rank);
    if begins[..2] != [0, 0] || ends[..2] != [0, 0] {
        return Err(wrong());
    }
    let sizes = window::sides(axes, &[&begins[2..], &ends[2..]].concat()).ok_or_else(wrong)?;
    if sizes != [0; 4] {
        value = Value { name: None, padding: Some(Padding { sizes, value: filled }), ..value };
    }
    Ok(value)
}

/// Paddings of the named axes as those of all axes.
fn spread(pads: &[i64], axes: &[i64], rank: usize) -> Option<Vec<i64>> {
    let mut all = vec![0; 2 * rank];
    if pads.len() != 2 * axes.len() {
        return None;
    }
    let (begins, ends) = pads.split_at(axes.len());
    for ((&axis, &begin), &end) in axes.iter().zip(begins).zip(ends) {
        let axis = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
        let axis = usize::try_from(axis).ok().filter(|&axis| axis < rank)?;
        (all[axis], all[rank + axis]) = (begin, end);
    }
    Some(all)
}
