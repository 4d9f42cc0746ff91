//! GlobalAveragePool and GlobalMaxPool, and ReduceMean and ReduceMax over all that is behind the channels.

use thumbnet::format::{MAX_KERNEL, Op, Window};

use super::max_pool;
use crate::CompileError;
use crate::onnx::{Axes, Builder, Node, Value};

pub fn average(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    let (value, axes) = map(node, builder)?;
    let result = average_map(node, builder, value)?;
    Ok(keep(builder, result, axes))
}

pub fn max(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    let (value, axes) = map(node, builder)?;
    let result = max_map(node, builder, value)?;
    Ok(keep(builder, result, axes))
}

pub fn reduce_mean(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    reduce(node, builder, average_map)
}

pub fn reduce_max(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    reduce(node, builder, max_map)
}

/// The average of each channel, as one pixel.
pub fn average_map(node: &Node<'_>, builder: &mut Builder, value: Value) -> Result<Value, CompileError> {
    value.expect_unpadded(node)?;
    let channels = builder.shape(&value).channels;
    let mut layer = builder.layer(node, Op::GlobalAveragePool, &value, channels);
    layer.bias = vec![0.0; channels.into()];
    builder.push(node, value, layer)
}

/// The largest value of each channel, as one pixel.
fn max_map(node: &Node<'_>, builder: &mut Builder, value: Value) -> Result<Value, CompileError> {
    value.expect_unpadded(node)?;
    let shape = builder.shape(&value);
    match [shape.height, shape.width].map(u8::try_from) {
        [Ok(height @ 1..=MAX_KERNEL), Ok(width @ 1..=MAX_KERNEL)] => {
            // The stride is of no matter to a single window; one of its size can be fused.
            max_pool::pool(node, builder, value, Window::new([height, width], [height, width], [0; 4]))
        }
        _ => Err(node.refuse(
            format!("takes the largest of {} x {} pixels", shape.height, shape.width),
            format!("use at most {MAX_KERNEL} x {MAX_KERNEL}: put a MaxPool before it"),
        )),
    }
}

/// The map that the node reads, and how it lies.
fn map(node: &Node<'_>, builder: &mut Builder) -> Result<(Value, Axes), CompileError> {
    let mut value = builder.value(node, 0)?;
    let axes = builder.axes(node, &mut value)?;
    Ok((value, axes))
}

/// One pixel with the rank that the map had.
fn keep(builder: &Builder, value: Value, axes: Axes) -> Value {
    let dims = axes.dims(builder.shape(&value));
    value.with_dims(dims)
}

fn reduce(
    node: &Node<'_>,
    builder: &mut Builder,
    reduce: fn(&Node<'_>, &mut Builder, Value) -> Result<Value, CompileError>,
) -> Result<Value, CompileError> {
    node.only(&["axes", "keepdims", "noop_with_empty_axes"])?;
    let (value, layout) = map(node, builder)?;
    let axes = match node.ints("axes") {
        Some(axes) => axes,
        None => node.integers(1, "axes")?,
    };
    let rank = layout.count() as i64 + 2;
    let mut axes: Vec<i64> = axes.iter().map(|&axis| if axis < 0 { axis.saturating_add(rank) } else { axis }).collect();
    axes.sort_unstable();
    if !axes.iter().copied().eq(2..rank) {
        let advice = "reduce all axes behind the channels, 2 and 3 of an image, and no other";
        return Err(node.refuse(format!("has axes = {axes:?}"), advice));
    }
    let result = reduce(node, builder, value)?;
    if node.int("keepdims", 1) != 0 {
        return Ok(keep(builder, result, layout));
    }
    let channels = usize::from(builder.shape(&result).channels);
    Ok(result.with_dims(vec![channels]))
}
