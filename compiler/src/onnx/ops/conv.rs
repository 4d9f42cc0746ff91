//! Conv: ordinary (one group) and depthwise (as many groups as channels in and out).

use inference_core::format::{Op, Pool, Shape, Window};

use super::window;
use crate::CompileError;
use crate::graph::{Activation, Layer};
use crate::onnx::{Chain, Node};

pub fn import(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"])?;
    chain.expect_map(node)?;
    window::expect_undilated(node)?;
    let (dims, values) = node.floats(1, "weights")?;
    let &[out_channels, group_channels, height, width] = dims else {
        return Err(node.refuse(format!("has weights of shape {dims:?}"), "use two-dimensional convolutions"));
    };
    let kernel = match (u8::try_from(height), u8::try_from(width)) {
        (Ok(height @ 1..), Ok(width @ 1..)) => [height, width],
        _ => return Err(node.refuse(format!("has weights of shape {dims:?}"), "use kernels of 1 to 15")),
    };
    if node.pair("kernel_shape", Some(kernel))? != kernel {
        return Err(node.refuse("has a kernel_shape other than its weights", "export the model again"));
    }
    let in_channels = usize::from(chain.shape.channels);
    let op = match node.int("group", 1) {
        1 if group_channels == in_channels => Op::Conv,
        group if usize::try_from(group) == Ok(in_channels) && group_channels == 1 && out_channels == in_channels => {
            Op::DepthwiseConv
        }
        group => {
            let what = format!("has group = {group} and weights of shape {dims:?} for {in_channels} channels");
            return Err(node.refuse(what, "use one group, or one a channel with as many channels out as in"));
        }
    };
    let strides = node.pair("strides", Some([1, 1]))?;
    let mut sides = window::sides(node, chain, kernel, strides)?;
    if let Some(padding) = chain.take_padding() {
        if padding.value != 0.0 {
            let what = format!("follows a Pad with the value {}", padding.value);
            return Err(node.refuse(what, "pad with 0 before a convolution"));
        }
        for (side, more) in sides.iter_mut().zip(padding.sizes) {
            *side = side.saturating_add(more);
        }
    }
    let layer = Layer {
        name: node.name().into(),
        op,
        input: chain.shape,
        output: Shape { channels: node.channels(out_channels)?, ..Shape::default() },
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
        pool: Pool::NONE,
        activation: Activation::Linear,
        weights: channels_last(values, group_channels, height * width),
        bias: bias(node, 2, out_channels)?,
    };
    chain.push(node, layer)
}

/// Filters `[channels][taps]` as filters `[taps][channels]`.
pub fn channels_last(weights: &[f32], channels: usize, taps: usize) -> Vec<f32> {
    let filters = weights.chunks_exact((channels * taps).max(1));
    filters
        .flat_map(|filter| {
            (0..taps).flat_map(move |tap| (0..channels).map(move |channel| filter[channel * taps + tap]))
        })
        .collect()
}

/// The bias in input `index`, zeros where there is none.
pub fn bias(node: &Node<'_>, index: usize, channels: usize) -> Result<Vec<f32>, CompileError> {
    if !node.has_input(index) {
        return Ok(vec![0.0; channels]);
    }
    let (dims, values) = node.floats(index, "bias")?;
    match values {
        values if values.len() == channels => Ok(values.to_vec()),
        [value] => Ok(vec![*value; channels]),
        _ => {
            Err(node.refuse(format!("has a bias of shape {dims:?} for {channels} channels"), "export the model again"))
        }
    }
}
