//! What the format allows a layer to be.

use thumbnet::format::{MAX_DIMENSION, MAX_KERNEL, MAX_WINDOW_ROWS, Shape};

use crate::CompileError;
use crate::graph::Layer;
use crate::onnx::Node;

/// Most values of a map: far more than any board holds, and no more than this program wants to.
pub const MAX_VALUES: usize = 1 << 24;

/// A height, width or number of channels, if it is one.
pub fn dimension(size: usize) -> Option<u16> {
    u16::try_from(size).ok().filter(|size| (1..=MAX_DIMENSION).contains(size))
}

/// Works out the layer's output shape and checks it against the limits of the format.
pub fn apply(node: &Node<'_>, layer: &mut Layer) -> Result<(), CompileError> {
    let record = &mut layer.record;
    let (window, pool) = (record.window, record.pool);
    let sizes = [window.kernel_height, window.kernel_width, window.stride_height, window.stride_width];
    if sizes.iter().chain(&[pool.size, pool.stride]).any(|size| !(1..=MAX_KERNEL).contains(size)) {
        let what = format!("has a kernel or stride of {sizes:?}, pooling {} / {}", pool.size, pool.stride);
        return Err(node.refuse(what, format!("kernels and strides are 1 to {MAX_KERNEL}")));
    }
    let fits = window.pad_top < window.kernel_height
        && window.pad_bottom < window.kernel_height
        && window.pad_left < window.kernel_width
        && window.pad_right < window.kernel_width
        && pool.pad_bottom < pool.size
        && pool.pad_right < pool.size;
    if !fits {
        return Err(node.refuse("pads by its whole kernel or more", "pad by less than the kernel"));
    }
    if record.window_rows() > MAX_WINDOW_ROWS {
        let what = format!("needs {} input rows for an output row with its pooling", record.window_rows());
        return Err(node.refuse(what, format!("at most {MAX_WINDOW_ROWS}: use a smaller kernel, stride or pooling")));
    }
    record.output = record.expected_output();
    let Shape { height, width, channels } = record.output;
    let values = [height, width, channels].map(usize::from).iter().product::<usize>();
    if [height, width, channels].iter().any(|size| !(1..=MAX_DIMENSION).contains(size)) || values > MAX_VALUES {
        let input = record.input;
        let what = format!(
            "makes a map of {height}x{width}x{channels} from one of {}x{}x{}",
            input.height, input.width, input.channels
        );
        return Err(node.refuse(what, format!("sizes are 1 to {MAX_DIMENSION}, at most {MAX_VALUES} values in all")));
    }
    Ok(())
}
