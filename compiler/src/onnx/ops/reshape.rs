//! Flatten, Reshape, Squeeze, Unsqueeze: other dimensions for the same elements.

use crate::CompileError;
use crate::onnx::{Builder, Node, Value, View};

const ADVICE: &str = "keep the batch first; flatten to [N, -1] before the dense layers";

pub fn flatten(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["axis"])?;
    let value = builder.any_value(node, 0)?;
    let dims = value.dims();
    let axis = node.int("axis", 1);
    let place = usize::try_from(if axis < 0 { axis.saturating_add(dims.len() as i64) } else { axis });
    match place.ok().and_then(|place| dims.split_at_checked(place)) {
        Some((before, behind)) => see(node, value, &[before.iter().product(), behind.iter().product()]),
        None => Err(node.refuse(format!("has axis = {axis}"), ADVICE)),
    }
}

pub fn reshape(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["allowzero", "shape"])?;
    let value = builder.any_value(node, 0)?;
    let target = match node.ints("shape") {
        Some(shape) => shape,
        None => node.integers(1, "shape")?,
    };
    match reshaped(&value.dims(), target, node.int("allowzero", 0) != 0) {
        Some(dims) => see(node, value, &dims),
        None => Err(node.refuse(format!("makes the shape {target:?} from {:?}", value.dims()), ADVICE)),
    }
}

/// The dimensions that a Reshape gives, for a batch of one whatever batch is written.
fn reshaped(own: &[usize], target: &[i64], zero_is_zero: bool) -> Option<Vec<usize>> {
    let elements: usize = own.iter().product();
    let mut open = None;
    let mut dims = Vec::new();
    for (index, &size) in target.iter().enumerate() {
        dims.push(match size {
            0 if !zero_is_zero => *own.get(index)?,
            -1 if open.is_none() => {
                open = Some(index);
                1
            }
            size => usize::try_from(size).ok().filter(|&size| size > 0)?,
        });
    }
    let known = dims.iter().try_fold(1usize, |product, &size| product.checked_mul(size))?;
    if let Some(index) = open
        && elements.is_multiple_of(known)
    {
        dims[index] = elements / known;
        return Some(dims);
    }
    if open.is_none() && known == elements {
        return Some(dims);
    }
    // Written for a batch of more than one.
    let batch = match open {
        Some(index) if index != 0 => *dims.first()?,
        Some(_) => return None,
        None => known.checked_div(elements).filter(|batch| known == batch * elements)?,
    };
    let first = dims.first_mut().filter(|first| first.is_multiple_of(batch))?;
    *first /= batch;
    if let Some(index) = open {
        let known = known / batch;
        dims[index] = elements.is_multiple_of(known).then(|| elements / known)?;
    }
    Some(dims)
}

pub fn squeeze(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let value = builder.any_value(node, 0)?;
    let dims = value.dims();
    let given = axes(node)?;
    let places = match &given {
        None => Some((0..dims.len()).filter(|&place| dims[place] == 1).collect()),
        Some(given) => normalized(given, dims.len()).filter(|places| places.iter().all(|&place| dims[place] == 1)),
    };
    match places {
        Some(places) => {
            let view = value.view.without(&places);
            Ok(value.with_view(view))
        }
        None => {
            let what = format!("removes the axes {:?} of {dims:?}", given.unwrap_or_default());
            Err(node.refuse(what, "squeeze axes of size 1 behind the batch"))
        }
    }
}

pub fn unsqueeze(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let value = builder.any_value(node, 0)?;
    let given = axes(node)?.unwrap_or_default();
    let rank = value.view.rank() + given.len();
    let places = normalized(&given, rank).filter(|places| places.len() == given.len() && !places.is_empty());
    let Some(places) = places else {
        return Err(node.refuse(format!("adds the axes {given:?}"), "name each new axis once"));
    };
    let own = value.dims();
    let mut sizes = own.iter().copied();
    let dims: Vec<usize> =
        (0..rank).filter_map(|axis| if places.contains(&axis) { Some(1) } else { sizes.next() }).collect();
    see(node, value, &dims)
}

/// The value with these dimensions.
fn see(node: &Node<'_>, value: Value, dims: &[usize]) -> Result<Value, CompileError> {
    value.expect_unpadded(node)?;
    match value.view.reshaped(dims) {
        Some(view) => Ok(value.with_view(view)),
        None => {
            let what = format!("makes the shape {dims:?} from {:?}, which mixes its axes", value.dims());
            Err(node.refuse(what, ADVICE))
        }
    }
}

/// The axes that a node names: an attribute in old opsets, an input in newer ones; `None` where there are none.
pub fn axes(node: &Node<'_>) -> Result<Option<Vec<i64>>, CompileError> {
    node.only(&["axes", "keepdims", "noop_with_empty_axes"])?;
    match node.ints("axes") {
        Some(axes) => Ok(Some(axes.to_vec())),
        None if !node.has_input(1) => Ok(None),
        None => node.integers(1, "axes").map(|axes| Some(axes.to_vec())),
    }
}

/// Axes counted from the first, each once, in order; `None` where one is none of the tensor's.
pub fn normalized(axes: &[i64], rank: usize) -> Option<Vec<usize>> {
    let mut normalized = axes
        .iter()
        .map(|&axis| {
            let axis = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
            usize::try_from(axis).ok().filter(|&axis| axis < rank)
        })
        .collect::<Option<Vec<usize>>>()?;
    normalized.sort_unstable();
    normalized.dedup();
    Some(normalized)
}

/// A tensor's view without what is one at its front: a batch, say.
pub fn without_ones(view: &View) -> View {
    let dims = view.dims();
    let ones = dims.iter().take_while(|&&size| size == 1).count();
    view.without(&(0..ones).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::reshaped;

    #[test]
    fn a_batch_that_is_written_becomes_one() {
        let image = [1, 24, 1, 1];
        for (target, zero_is_zero, dims) in [
            (&[-1, 24][..], false, Some(vec![1, 24])),
            (&[1, 24], true, Some(vec![1, 24])),
            (&[0, -1], false, Some(vec![1, 24])),
            (&[0, -1], true, None),
            (&[10, 24], false, Some(vec![1, 24])),
            (&[10, -1], false, Some(vec![1, 24])),
            (&[10, 4, 6], false, Some(vec![1, 4, 6])),
            (&[240], false, Some(vec![24])),
            (&[7], false, None),
            (&[-1, -1], false, None),
            (&[-2, 24], false, None),
            (&[], false, None),
        ] {
            assert_eq!(reshaped(&image, target, zero_is_zero), dims, "{target:?}");
        }
    }
}
