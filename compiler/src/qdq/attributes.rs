//! Attributes of nodes that slide a window.

use thumbnet::format::Window;
use tract_onnx::pb::AttributeProto;

use crate::onnx::writer::{int, ints};

/// Those of a pooling.
pub fn pooled(window: &Window) -> Vec<AttributeProto> {
    vec![
        ints("kernel_shape", &[window.kernel_height, window.kernel_width]),
        ints("strides", &[window.stride_height, window.stride_width]),
        ints("pads", &[window.pad_top, window.pad_left, window.pad_bottom, window.pad_right]),
    ]
}

/// Those of a convolution.
pub fn windowed(window: &Window, groups: u16) -> Vec<AttributeProto> {
    let mut attributes = pooled(window);
    attributes.push(int("group", groups.into()));
    attributes
}
