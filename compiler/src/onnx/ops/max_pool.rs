//! MaxPool: square windows, padding only at the bottom and right.

use inference_core::format::Pool;

use super::window;
use crate::CompileError;
use crate::onnx::{Chain, Node};

pub fn import(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"])?;
    node.expect("storage_order", 0, "export without the indices of the largest values")?;
    chain.expect_map(node)?;
    window::expect_undilated(node)?;
    let kernel = node.pair("kernel_shape", None)?;
    let strides = node.pair("strides", Some([1, 1]))?;
    if kernel[0] != kernel[1] || strides[0] != strides[1] {
        let what = format!("has the window {kernel:?} and strides {strides:?}");
        return Err(node.refuse(what, "use square windows and equal strides"));
    }
    let own = window::sides(node, chain, kernel, strides)?;
    let explicit = chain.take_padding();
    let value = explicit.map_or(f32::NEG_INFINITY, |padding| padding.value);
    let mut sides = explicit.map_or([0; 4], |padding| padding.sizes);
    for (side, own) in sides.iter_mut().zip(own) {
        *side = side.saturating_add(own);
    }
    let [top, left, bottom, right] = sides;
    if top | left != 0 {
        return Err(
            node.refuse(format!("pads by {top} at the top, {left} at the left"), "pad at the bottom and right only")
        );
    }
    let shape = chain.shape;
    let end = |size: u16, padding: u8| {
        if node.int("ceil_mode", 0) == 0 { padding } else { ceil_padding(size, padding, kernel[0], strides[0]) }
    };
    let pool = Pool {
        size: kernel[0],
        stride: strides[0],
        pad_bottom: end(shape.height, bottom),
        pad_right: end(shape.width, right),
    };
    chain.pool(node, pool, value)
}

/// The padding with which rounding down gives as many windows as `ceil_mode` does.
fn ceil_padding(size: u16, padding: u8, kernel: u8, stride: u8) -> u8 {
    let (room, stride) = ((u32::from(size) + u32::from(padding)).saturating_sub(u32::from(kernel)), u32::from(stride));
    // A last window that would begin behind the map does not count.
    let mut windows = room.div_ceil(stride);
    if windows * stride >= u32::from(size) {
        windows = windows.saturating_sub(1);
    }
    let needed = (windows * stride + u32::from(kernel)).saturating_sub(u32::from(size));
    u8::try_from(needed).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::ceil_padding;

    #[test]
    fn ceil_mode_is_padding() {
        // 7 values, windows of 2, stride 2: four windows, the last one with one value of padding.
        assert_eq!(ceil_padding(7, 0, 2, 2), 1);
        assert_eq!(ceil_padding(8, 0, 2, 2), 0);
        // Windows of 3 at 0, 2, 4, 6: the last one has 2 of its 3 values.
        assert_eq!(ceil_padding(8, 0, 3, 2), 1);
        // A window at 8 would begin behind the map.
        assert_eq!(ceil_padding(8, 1, 2, 2), 0);
    }
}
