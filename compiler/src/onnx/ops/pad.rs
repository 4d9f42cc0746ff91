//! Pad: constant padding of height and width, for the convolution or pooling after it.

use super::window;
use crate::CompileError;
use crate::onnx::chain::Padding;
use crate::onnx::{Chain, Node};

pub fn import(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["mode", "pads", "value"])?;
    chain.expect_unpadded(node)?;
    chain.expect_map(node)?;
    let mode = node.text("mode", "constant");
    if mode != "constant" && !mode.is_empty() {
        return Err(node.refuse(format!("has mode = {mode}"), "pad with a constant"));
    }
    if node.has_input(3) {
        return Err(node.refuse("names its axes", "export with opset 17 or older, or pad in the convolution"));
    }
    let pads = match node.ints("pads") {
        Some(pads) => pads,
        None => node.integers(1, "pads")?,
    };
    let value = match node.has_input(2) {
        true => node.floats(2, "value")?.1.first().copied().unwrap_or(0.0),
        false => node.float("value", 0.0),
    };
    let sizes = match *pads {
        [0, 0, top, left, 0, 0, bottom, right] => window::sizes(&[top, left, bottom, right]),
        _ => None,
    };
    let advice = "pad height and width only, by at least 0";
    let sizes = sizes.ok_or_else(|| node.refuse(format!("has pads = {pads:?}"), advice))?;
    if sizes != [0; 4] {
        chain.pad(Padding { sizes, value });
    }
    Ok(())
}
