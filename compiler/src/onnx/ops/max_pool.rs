//! MaxPool: fused into the convolution before it where that can take it, else a layer of its own.

use thumbnet::format::{Op, Window};

use super::window;
use crate::CompileError;
use crate::onnx::fused;
use crate::onnx::limits;
use crate::onnx::{Builder, Node, Value};

pub fn import(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"])?;
    node.expect("storage_order", 0, "export without the indices of the largest values")?;
    window::expect_undilated(node)?;
    let mut value = builder.value(node, 0)?;
    let axes = builder.axes(node, &mut value)?;
    let shape = builder.shape(&value);
    let kernel = window::sizes(node, axes, "kernel_shape", None)?;
    let window = window::read(node, axes, shape, kernel, value.padding)?;
    let window = window::rounded_up(node, shape, window);
    if let Some(padding) = value.padding.take() {
        expect_never_wins(node, builder, &mut value, padding.value)?;
    }
    let result = pool(node, builder, value, window)?;
    Ok(axes.seen(builder.shape(&result), result))
}

/// Refuses padding that may be larger than what it stands beside.
fn expect_never_wins(
    node: &Node<'_>,
    builder: &mut Builder,
    value: &mut Value,
    padding: f32,
) -> Result<(), CompileError> {
    let made_by = if value.affine.is_none() { builder.maker(value) } else { None };
    let least = made_by.map_or(f64::NEG_INFINITY, fused::least);
    if padding <= f32::MIN || f64::from(padding) <= least {
        return Ok(());
    }
    let what = format!("pools padding of {padding}, which may be larger than a value of the map");
    Err(node.refuse(what, "pad with negative infinity, or at most 0 after ReLU or sigmoid"))
}

/// The largest value under each window.
pub fn pool(node: &Node<'_>, builder: &mut Builder, value: Value, window: Window) -> Result<Value, CompileError> {
    if window == Window::UNIT {
        return Ok(value);
    }
    // What waits and keeps the order may wait until after the pooling.
    let waits = value.affine.as_ref().is_none_or(|affine| affine.is_increasing());
    let value = if waits { value } else { builder.materialize(node, value)? };
    let bare = Value { affine: None, ..value.clone() };
    if let Some(layer) = builder.producer(&bare)
        && fused::pool(layer, &window)
    {
        limits::apply(node, layer)?;
        return Ok(Value { affine: value.affine, ..builder.made(value.map) });
    }
    let channels = builder.shape(&value).channels;
    let mut layer = builder.layer(node, Op::MaxPool, &value, channels);
    layer.record.window = window;
    builder.push(node, value, layer)
}
