//! What convolution and pooling share: kernel, strides, padding, auto_pad.

use thumbnet::format::{MAX_KERNEL, Shape, Window};

use crate::CompileError;
use crate::onnx::{Axes, Node, Padding};

/// Padding sizes: top, left, bottom, right.
pub type Sides = [u8; 4];

/// Height and width in an attribute with one size an axis; `default` where it is missing.
pub fn sizes(node: &Node<'_>, axes: Axes, name: &str, default: Option<[u8; 2]>) -> Result<[u8; 2], CompileError> {
    let Some(values) = node.ints(name).filter(|values| !values.is_empty()) else {
        return default.ok_or_else(|| node.refuse(format!("lacks the attribute {name}"), "export the model again"));
    };
    let size = |value: i64| u8::try_from(value).ok().filter(|&size| size > 0);
    let arranged = axes.arrange(values, 1).and_then(|[height, width]| Some([size(height)?, size(width)?]));
    arranged.ok_or_else(|| {
        let advice = format!("use {} of 1 to {MAX_KERNEL}, one an axis behind the channels", axes.count());
        node.refuse(format!("has {name} = {values:?}"), advice)
    })
}

/// A window with the padding that a node asks for with `pads` or `auto_pad` on top of an explicit one.
pub fn read(
    node: &Node<'_>,
    axes: Axes,
    shape: Shape,
    kernel: [u8; 2],
    explicit: Option<Padding>,
) -> Result<Window, CompileError> {
    let strides = sizes(node, axes, "strides", Some([1, 1]))?;
    let before = explicit.map_or([0; 4], |padding| padding.sizes);
    let mut sides = own_sides(node, axes, shape, kernel, strides, before)?;
    for (side, more) in sides.iter_mut().zip(before) {
        *side = side.saturating_add(more);
    }
    Ok(Window::new(kernel, strides, sides))
}

fn own_sides(
    node: &Node<'_>,
    axes: Axes,
    shape: Shape,
    kernel: [u8; 2],
    strides: [u8; 2],
    before: Sides,
) -> Result<Sides, CompileError> {
    let auto_pad = node.text("auto_pad", "NOTSET");
    match auto_pad {
        "NOTSET" | "" => match node.ints("pads") {
            None => Ok([0; 4]),
            Some(pads) => sides(axes, pads).ok_or_else(|| {
                let advice =
                    format!("use {} sizes of 0 to {}: all begins, then all ends", 2 * axes.count(), MAX_KERNEL - 1);
                node.refuse(format!("has pads = {pads:?}"), advice)
            }),
        },
        "VALID" => Ok([0; 4]),
        "SAME_UPPER" | "SAME_LOWER" => {
            let more_below = auto_pad == "SAME_UPPER";
            let [top, left, bottom, right] = before.map(u32::from);
            let (top, bottom) = same(u32::from(shape.height) + top + bottom, kernel[0], strides[0], more_below);
            let (left, right) = same(u32::from(shape.width) + left + right, kernel[1], strides[1], more_below);
            Ok([top, left, bottom, right])
        }
        other => Err(node.refuse(format!("has auto_pad = {other}"), "use NOTSET, SAME_UPPER, SAME_LOWER or VALID")),
    }
}

/// Padding sizes as ONNX lists them: the begins of all axes, then their ends.
pub fn sides(axes: Axes, pads: &[i64]) -> Option<Sides> {
    let (begins, ends) = pads.split_at_checked(axes.count())?;
    let size = |value: i64| u8::try_from(value).ok();
    let ([top, left], [bottom, right]) = (axes.arrange(begins, 0)?, axes.arrange(ends, 0)?);
    Some([size(top)?, size(left)?, size(bottom)?, size(right)?])
}

/// Padding before and after so that the output has `ceil(size / stride)` values.
fn same(size: u32, kernel: u8, stride: u8, more_after: bool) -> (u8, u8) {
    let (kernel, stride) = (u32::from(kernel), u32::from(stride));
    let total = (size.div_ceil(stride).saturating_sub(1) * stride + kernel).saturating_sub(size);
    // Less than the kernel, so it fits.
    let (small, large) = ((total / 2) as u8, (total - total / 2) as u8);
    if more_after { (small, large) } else { (large, small) }
}

/// The padding behind `size` values with which rounding down gives as many windows as `ceil_mode` does.
pub fn ceil_padding(size: u16, [begin, end]: [u8; 2], kernel: u8, stride: u8) -> u8 {
    let (size, begin) = (u32::from(size), u32::from(begin));
    let room = (size + begin + u32::from(end)).saturating_sub(u32::from(kernel));
    let stride = u32::from(stride);
    // A last window that would begin behind the map does not count.
    let mut windows = room.div_ceil(stride);
    if windows * stride >= size + begin {
        windows = windows.saturating_sub(1);
    }
    let needed = (windows * stride + u32::from(kernel)).saturating_sub(size + begin);
    u8::try_from(needed).unwrap_or(u8::MAX)
}

/// The window with the padding that `ceil_mode` needs, if the node has that.
pub fn rounded_up(node: &Node<'_>, shape: Shape, window: Window) -> Window {
    if node.int("ceil_mode", 0) == 0 {
        return window;
    }
    let Window { pad_top, pad_left, pad_bottom, pad_right, .. } = window;
    Window {
        pad_bottom: ceil_padding(shape.height, [pad_top, pad_bottom], window.kernel_height, window.stride_height),
        pad_right: ceil_padding(shape.width, [pad_left, pad_right], window.kernel_width, window.stride_width),
        ..window
    }
}

/// Refuses dilated windows.
pub fn expect_undilated(node: &Node<'_>) -> Result<(), CompileError> {
    match node.ints("dilations") {
        Some(dilations) if dilations.iter().any(|&dilation| dilation != 1) => {
            Err(node.refuse(format!("has dilations = {dilations:?}"), "pool without dilation"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::ceil_padding;

    #[test]
    fn ceil_mode_is_padding() {
        // 7 values, windows of 2, stride 2: four windows, the last one with one value of padding.
        assert_eq!(ceil_padding(7, [0, 0], 2, 2), 1);
        assert_eq!(ceil_padding(8, [0, 0], 2, 2), 0);
        // Windows of 3 at 0, 2, 4, 6: the last one has 2 of its 3 values.
        assert_eq!(ceil_padding(8, [0, 0], 3, 2), 1);
        // A window at 8 would begin behind the map.
        assert_eq!(ceil_padding(8, [0, 1], 2, 2), 0);
        // Windows at -1, 1, 3, 5, 7: the last one has 1 of its 2 values.
        assert_eq!(ceil_padding(8, [1, 0], 2, 2), 1);
    }
}
