//! What convolution and pooling share: kernel, strides, padding, auto_pad.

use crate::CompileError;
use crate::onnx::{Chain, Node};

/// Padding sizes: top, left, bottom, right.
pub type Sides = [u8; 4];

/// The padding that a node asks for with `pads` or `auto_pad`.
pub fn sides(node: &Node<'_>, chain: &Chain, kernel: [u8; 2], strides: [u8; 2]) -> Result<Sides, CompileError> {
    let auto_pad = node.text("auto_pad", "NOTSET");
    match auto_pad {
        "NOTSET" | "" => {
            let pads = node.ints("pads").unwrap_or(&[0; 4]);
            sizes(pads).ok_or_else(|| {
                node.refuse(format!("has pads = {pads:?}"), "use four sizes of 0 to 14: top, left, bottom, right")
            })
        }
        "VALID" => Ok([0; 4]),
        "SAME_UPPER" | "SAME_LOWER" => {
            let more_below = auto_pad == "SAME_UPPER";
            let (top, bottom) = same(chain.shape.height, kernel[0], strides[0], more_below);
            let (left, right) = same(chain.shape.width, kernel[1], strides[1], more_below);
            Ok([top, left, bottom, right])
        }
        other => Err(node.refuse(format!("has auto_pad = {other}"), "use NOTSET, SAME_UPPER, SAME_LOWER or VALID")),
    }
}

/// Four sizes as ONNX lists them.
pub fn sizes(pads: &[i64]) -> Option<Sides> {
    let &[top, left, bottom, right] = pads else { return None };
    let size = |value: i64| u8::try_from(value).ok();
    Some([size(top)?, size(left)?, size(bottom)?, size(right)?])
}

/// Padding before and after so that the output has `ceil(size / stride)` values.
fn same(size: u16, kernel: u8, stride: u8, more_after: bool) -> (u8, u8) {
    let (size, kernel, stride) = (u32::from(size), u32::from(kernel), u32::from(stride));
    let total = ((size.div_ceil(stride) - 1) * stride + kernel).saturating_sub(size);
    // Less than the kernel, so it fits.
    let (small, large) = ((total / 2) as u8, (total - total / 2) as u8);
    if more_after { (small, large) } else { (large, small) }
}

/// Refuses dilated windows.
pub fn expect_undilated(node: &Node<'_>) -> Result<(), CompileError> {
    match node.ints("dilations") {
        Some(dilations) if dilations.iter().any(|&dilation| dilation != 1) => {
            Err(node.refuse(format!("has dilations = {dilations:?}"), "use dilations of 1"))
        }
        _ => Ok(()),
    }
}
