//! AveragePool.

use thumbnet::format::{Op, Window};

use super::{reduce, window};
use crate::CompileError;
use crate::onnx::{Builder, Node, Value};

pub fn import(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"])?;
    window::expect_undilated(node)?;
    let mut value = builder.value(node, 0)?;
    let axes = builder.axes(node, &mut value)?;
    let shape = builder.shape(&value);
    let kernel = window::sizes(node, axes, "kernel_shape", None)?;
    let window = window::read(node, axes, shape, kernel, value.padding)?;
    if window::rounded_up(node, shape, window) != window {
        let advice = "set ceil_mode to 0, or choose sizes that the windows fill";
        return Err(node.refuse("rounds the number of its windows up", advice));
    }
    let mut counts_padding = node.int("count_include_pad", 0) != 0;
    if let Some(padding) = value.padding.take() {
        let own = window::read(node, axes, shape, kernel, None)?;
        if padding.value != 0.0 || (own.is_padded() && !counts_padding) {
            let what = format!("follows a Pad with the value {}", padding.value);
            return Err(node.refuse(what, "pad with 0 before an average, and only once"));
        }
        counts_padding = true;
    }
    let channels = shape.channels;
    let whole = kernel.map(u16::from) == [shape.height, shape.width];
    let result = if window == Window::UNIT {
        return Ok(value);
    } else if whole && !window.is_padded() {
        reduce::average_map(node, builder, value)?
    } else {
        let mut layer = builder.layer(node, Op::AveragePool, &value, channels);
        layer.record.window = window;
        layer.bias = vec![0.0; channels.into()];
        // Without padding there is nothing to count.
        layer.counts_padding = counts_padding && window.is_padded();
        builder.push(node, value, layer)?
    };
    Ok(axes.seen(builder.shape(&result), result))
}
