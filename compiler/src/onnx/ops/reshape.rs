//! Flatten, Reshape, Squeeze, Unsqueeze: other dimensions for the same elements.

use crate::CompileError;
use crate::onnx::{Builder, Node, Value};

const ADVICE: &str = "keep the batch first; flatten to [N, -1] before the dense layers";

pub fn flatten(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["axis"])?;
    let value = builder.value(node, 0)?;
    value.expect_unpadded(node)?;
    let rank = value.dims.len() as i64 + 1;
    let axis = node.int("axis", 1);
    let from_start = if axis < 0 { axis.saturating_add(rank) } else { axis };
    // What is before the axis joins the batch.
    let joins = usize::try_from(from_start - 1).ok().and_then(|count| value.dims.get(..count));
    if !joins.is_some_and(|sizes| sizes.iter().all(|&size| size == 1)) {
        return Err(node.refuse(format!("has axis = {axis}"), ADVICE));
    }
    let len = value.elements();
    Ok(value.with_dims(vec![len]))
}

pub fn reshape(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["allowzero"])?;
    node.expect("allowzero", 0, ADVICE)?;
    let value = builder.value(node, 0)?;
    value.expect_unpadded(node)?;
    let target = node.integers(1, "shape")?;
    match reshaped(&value, target) {
        Some(dims) => Ok(value.with_dims(dims)),
        None => Err(node.refuse(format!("makes the shape {target:?} from [N, {:?}]", value.dims), ADVICE)),
    }
}

/// The dimensions behind the batch that a Reshape gives.
fn reshaped(value: &Value, target: &[i64]) -> Option<Vec<usize>> {
    let (_, behind) = target.split_first()?;
    if target.iter().filter(|&&size| size == -1).count() > 1 {
        return None;
    }
    let known = behind.iter().enumerate().map(|(index, &size)| match size {
        0 => value.dims.get(index).copied(),
        -1 => Some(1),
        size => usize::try_from(size).ok(),
    });
    let mut dims: Vec<usize> = known.collect::<Option<_>>()?;
    let len = dims.iter().try_fold(1usize, |len, &size| len.checked_mul(size)).filter(|&len| len > 0)?;
    if let Some(index) = behind.iter().position(|&size| size == -1) {
        dims[index] = value.elements().checked_div(len)?;
    }
    (!dims.is_empty() && dims.iter().product::<usize>() == value.elements()).then_some(dims)
}

pub fn squeeze(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let value = builder.value(node, 0)?;
    value.expect_unpadded(node)?;
    let given = axes(node)?;
    let rank = value.dims.len() + 1;
    let axes = normalized(&given, rank).filter(|axes| axes.iter().all(|&axis| value.dims[axis - 1] == 1));
    let Some(axes) = axes.filter(|axes| axes.len() + 1 < rank) else {
        let what = format!("removes the axes {given:?} of [N, {:?}]", value.dims);
        return Err(node.refuse(what, "squeeze axes of size 1 behind the batch"));
    };
    let kept = value.dims.iter().enumerate().filter(|(index, _)| !axes.contains(&(index + 1)));
    let dims = kept.map(|(_, &size)| size).collect();
    Ok(value.with_dims(dims))
}

pub fn unsqueeze(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let value = builder.value(node, 0)?;
    value.expect_unpadded(node)?;
    let given = axes(node)?;
    let rank = value.dims.len() + 1 + given.len();
    let Some(axes) = normalized(&given, rank).filter(|axes| axes.len() == given.len()) else {
        return Err(node.refuse(format!("adds the axes {given:?}"), "keep the batch first"));
    };
    let mut sizes = value.dims.iter().copied();
    let added = |axis: usize| if axes.contains(&axis) { Some(1) } else { sizes.next() };
    let dims = (1..rank).filter_map(added).collect();
    Ok(value.with_dims(dims))
}

fn axes(node: &Node<'_>) -> Result<Vec<i64>, CompileError> {
    node.only(&["axes"])?;
    match node.ints("axes") {
        Some(axes) => Ok(axes.to_vec()),
        None => node.integers(1, "axes").map(<[i64]>::to_vec),
    }
}

/// Axes behind the batch, counted from the first; `None` where one is the batch or none of the tensor's.
fn normalized(axes: &[i64], rank: usize) -> Option<Vec<usize>> {
    let mut normalized = axes
        .iter()
        .map(|&axis| {
            let axis = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
            usize::try_from(axis).ok().filter(|axis| (1..rank).contains(axis))
        })
        .collect::<Option<Vec<usize>>>()?;
    normalized.sort_unstable();
    normalized.dedup();
    Some(normalized)
}
