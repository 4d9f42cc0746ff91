//! Clip, and Max and Min with a number: clamps.

use crate::CompileError;
use crate::graph::Activation;
use crate::onnx::{Builder, Node, Value};

pub fn clip(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let (low, high) = limits(node)?;
    clamp(node, builder, 0, low, high)
}

pub fn max(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let (data, limit) = data_and_limit(node)?;
    clamp(node, builder, data, limit, f32::INFINITY)
}

pub fn min(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let (data, limit) = data_and_limit(node)?;
    clamp(node, builder, data, f32::NEG_INFINITY, limit)
}

/// The limits of a Clip: attributes in old opsets, inputs in newer ones; infinite where there is none.
pub fn limits(node: &Node<'_>) -> Result<(f32, f32), CompileError> {
    node.only(&["min", "max"])?;
    let low = node.scalar(1, "minimum")?.unwrap_or(node.float("min", f32::NEG_INFINITY));
    let high = node.scalar(2, "maximum")?.unwrap_or(node.float("max", f32::INFINITY));
    // Where they are in the wrong order, the upper one wins.
    Ok((low.min(high), high))
}

/// Which input is the map, and the other one.
fn data_and_limit(node: &Node<'_>) -> Result<(usize, f32), CompileError> {
    node.only(&[])?;
    let advice = "compare a map with one number";
    if node.input_count() != 2 {
        return Err(node.refuse(format!("has {} inputs", node.input_count()), advice));
    }
    let constant = usize::from(node.constant(0).is_none());
    match node.constant(constant) {
        Some(_) => Ok((1 - constant, node.scalar(constant, "limit")?.unwrap_or_default())),
        None => Err(node.refuse("compares two maps", advice)),
    }
}

fn clamp(node: &Node<'_>, builder: &mut Builder, data: usize, low: f32, high: f32) -> Result<Value, CompileError> {
    let value = builder.value(node, data)?;
    // The largest floats are how exporters write that there is no limit.
    let low = if low <= f32::MIN { f32::NEG_INFINITY } else { low };
    let high = if high >= f32::MAX { f32::INFINITY } else { high };
    if low == f32::NEG_INFINITY && high == f32::INFINITY {
        return builder.activate(node, value, Activation::Linear);
    }
    if low.is_nan() || high.is_nan() || low == f32::INFINITY || high == f32::NEG_INFINITY {
        return Err(node.refuse(format!("has the limits {low} and {high}"), "use numbers"));
    }
    builder.activate(node, value, Activation::Clamp(low, high))
}
