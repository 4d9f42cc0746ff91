//! GlobalAveragePool, ReduceMean over height and width, and AveragePool.

use inference_core::format::{Op, Pool, Shape, Window};

use super::window;
use crate::CompileError;
use crate::graph::{Activation, Layer};
use crate::onnx::{Chain, Node};

pub fn global(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&[])?;
    average_map(node, chain)
}

pub fn reduce_mean(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["axes", "keepdims", "noop_with_empty_axes"])?;
    let axes = match node.ints("axes") {
        Some(axes) => axes,
        None => node.integers(1, "axes")?,
    };
    let mut axes: Vec<i64> = axes.iter().map(|&axis| if axis < 0 { axis + 4 } else { axis }).collect();
    axes.sort_unstable();
    if axes != [2, 3] {
        return Err(node.refuse(format!("has axes = {axes:?}"), "average over height and width, axes 2 and 3"));
    }
    average_map(node, chain)?;
    chain.flat = node.int("keepdims", 1) == 0;
    Ok(())
}

/// The whole map averages as one; a smaller window is a depthwise convolution of equal weights.
pub fn average_pool(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"])?;
    chain.expect_unpadded(node)?;
    chain.expect_map(node)?;
    node.expect("ceil_mode", 0, "round the output size down")?;
    window::expect_undilated(node)?;
    let kernel = node.pair("kernel_shape", None)?;
    let strides = node.pair("strides", Some([1, 1]))?;
    let sides = window::sides(node, chain, kernel, strides)?;
    if sides == [0; 4] && kernel.map(u16::from) == [chain.shape.height, chain.shape.width] {
        return average_map(node, chain);
    }
    if sides != [0; 4] && node.int("count_include_pad", 0) == 0 {
        return Err(node.refuse("averages fewer values at the border", "use count_include_pad = 1 or no padding"));
    }
    let channels = usize::from(chain.shape.channels);
    let taps = usize::from(kernel[0]) * usize::from(kernel[1]);
    let layer = Layer {
        op: Op::DepthwiseConv,
        window: Window {
            kernel_height: kernel[0],
            kernel_width: kernel[1],
            stride_height: strides[0],
            stride_width: strides[1],
            pad_top: sides[0],
            pad_left: sides[1],
            pad_bottom: sides[2],
            pad_right: sides[3],
        },
        weights: vec![1.0 / taps as f32; taps * channels],
        ..average(node, chain.shape)
    };
    chain.push(node, layer)
}

fn average_map(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    chain.expect_unpadded(node)?;
    chain.expect_map(node)?;
    chain.push(node, average(node, chain.shape))
}

fn average(node: &Node<'_>, input: Shape) -> Layer {
    Layer {
        name: node.name().into(),
        op: Op::GlobalAveragePool,
        input,
        output: Shape { height: 1, width: 1, channels: input.channels },
        window: Window::UNIT,
        pool: Pool::NONE,
        activation: Activation::Linear,
        weights: Vec::new(),
        bias: vec![0.0; usize::from(input.channels)],
    }
}
