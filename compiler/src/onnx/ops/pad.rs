//! Pad: constant padding of height and width, for the convolution or pooling after it.

use crate::CompileError;
use crate::onnx::{Builder, Direction, Node, Padding, Value};

pub fn import(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["mode", "pads", "value"])?;
    let mut value = builder.value(node, 0)?;
    value.expect_unpadded(node)?;
    let mode = node.text("mode", "constant");
    if mode != "constant" && !mode.is_empty() {
        return Err(node.refuse(format!("has mode = {mode}"), "pad with a constant"));
    }
    let pads = match node.ints("pads") {
        Some(pads) => pads,
        None => node.integers(1, "pads")?,
    };
    let filled = node.scalar(2, "value")?.unwrap_or(node.float("value", 0.0));
    let rank = value.view.rank();
    let wrong = |value: &Value| {
        let advice = "pad height and width only, by at least 0";
        node.refuse(format!("has pads = {pads:?} for {:?}", value.dims()), advice)
    };
    let all = match node.has_input(3) {
        true => spread(pads, node.integers(3, "axes")?, rank),
        false => Some(pads.to_vec()),
    };
    let all = all.filter(|all| all.len() == 2 * rank).ok_or_else(|| wrong(&value))?;
    if all.iter().all(|&size| size == 0) {
        return Ok(value);
    }
    // An image that nothing has read yet may have to be seen with its channels first.
    if builder.lying(&value).is_none() {
        let _ = builder.axes(node, &mut value);
    }
    let sides = builder.lying(&value).map(|lying| {
        let along = |wanted: Direction| {
            let place = lying.iter().position(|&direction| direction == wanted);
            place.map_or([0, 0], |place| [all[place], all[rank + place]])
        };
        let other: i64 = lying
            .iter()
            .enumerate()
            .filter(|(_, direction)| **direction == Direction::Other)
            .map(|(place, _)| all[place].saturating_abs().saturating_add(all[rank + place].saturating_abs()))
            .fold(0, i64::saturating_add);
        let ([top, bottom], [left, right]) = (along(Direction::Height), along(Direction::Width));
        (other, [top, left, bottom, right])
    });
    let Some((0, sides)) = sides else { return Err(wrong(&value)) };
    let [Ok(top), Ok(left), Ok(bottom), Ok(right)] = sides.map(u8::try_from) else { return Err(wrong(&value)) };
    Ok(Value { name: None, padding: Some(Padding { sizes: [top, left, bottom, right], value: filled }), ..value })
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
