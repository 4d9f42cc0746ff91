//! Conv: of one group, in groups, depthwise; in one or two dimensions; dilated ones with zeros in their kernels.

use thumbnet::format::{MAX_DIMENSION, MAX_KERNEL, Op};

use super::window;
use crate::CompileError;
use crate::onnx::{Axes, Builder, Node, Value};

pub fn import(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"])?;
    let mut value = builder.value(node, 0)?;
    let axes = builder.axes(node, &mut value)?;
    let shape = builder.shape(&value);
    let filters = Filters::read(node, axes)?;
    let window = window::read(node, axes, shape, filters.kernel, value.padding)?;
    if let Some(padding) = value.padding.take()
        && padding.value != 0.0
    {
        let what = format!("follows a Pad with the value {}", padding.value);
        return Err(node.refuse(what, "pad with 0 before a convolution"));
    }
    let (op, groups) = operator(node, &filters, shape.channels)?;
    let mut layer = builder.layer(node, op, &value, channels(node, filters.outputs)?);
    layer.record.window = window;
    layer.record.groups = groups;
    layer.weight_steps = node.weight_steps(filters.outputs);
    layer.weights = filters.weights;
    layer.bias = bias(node, 2, filters.outputs)?;
    let result = builder.push(node, value, layer)?;
    Ok(axes.seen(builder.shape(&result), result))
}

/// Operator and number of groups of the record.
fn operator(node: &Node<'_>, filters: &Filters, in_channels: u16) -> Result<(Op, u16), CompileError> {
    let group = node.int("group", 1);
    let groups = u16::try_from(group).ok().filter(|&groups| {
        groups > 0
            && in_channels.is_multiple_of(groups)
            && filters.outputs.is_multiple_of(groups.into())
            && usize::from(in_channels / groups) == filters.channels
    });
    match groups {
        Some(1) => Ok((Op::Conv, 1)),
        Some(groups) if groups == in_channels => Ok((Op::DepthwiseConv, 1)),
        Some(groups) => Ok((Op::GroupedConv, groups)),
        None => {
            let Filters { outputs, channels, .. } = filters;
            let what =
                format!("has group = {group} and {outputs} filters of {channels} channels for {in_channels} channels");
            Err(node.refuse(what, "use groups that divide the channels in and out"))
        }
    }
}

/// The weights of a convolution, channels fastest, dilation included.
struct Filters {
    outputs: usize,
    channels: usize,
    /// Height and width, as far as the window reaches.
    kernel: [u8; 2],
    weights: Vec<f32>,
}

impl Filters {
    fn read(node: &Node<'_>, axes: Axes) -> Result<Self, CompileError> {
        let (dims, values) = node.floats(1, "weights")?;
        let refuse = |advice: &str| node.refuse(format!("has weights of shape {dims:?}"), advice);
        let &[outputs, channels, ref sizes @ ..] = dims else { return Err(refuse("use convolutions")) };
        let sizes = axes
            .arrange(sizes, 1)
            .ok_or_else(|| refuse("use kernels with as many dimensions as the tensor has behind its channels"))?;
        let kernel = match sizes.map(u8::try_from) {
            [Ok(height @ 1..=MAX_KERNEL), Ok(width @ 1..=MAX_KERNEL)] => [height, width],
            _ => return Err(refuse(&format!("use kernels of 1 to {MAX_KERNEL}"))),
        };
        if channels == 0 || window::sizes(node, axes, "kernel_shape", Some(kernel))? != kernel {
            return Err(node.refuse("has a kernel_shape other than its weights", "export the model again"));
        }
        let dilations = window::sizes(node, axes, "dilations", Some([1, 1]))?;
        let wide = [0, 1].map(|axis| (usize::from(kernel[axis]) - 1) * usize::from(dilations[axis]) + 1);
        let [Ok(height @ 1..=MAX_KERNEL), Ok(width @ 1..=MAX_KERNEL)] = wide.map(u8::try_from) else {
            let what = format!("has dilations = {dilations:?}, which make its kernel {} x {}", wide[0], wide[1]);
            return Err(node.refuse(what, format!("use kernels that reach over {MAX_KERNEL} pixels at most")));
        };
        let weights = channels_last(values, channels, sizes[0] * sizes[1]);
        let weights = if axes == Axes::WidthHeight { turned(&weights, channels, sizes) } else { weights };
        let weights = if wide == sizes { weights } else { spread(&weights, channels, sizes, wide, dilations) };
        Ok(Self { outputs, channels, kernel: [height, width], weights })
    }
}

/// Filters `[width][height][channels]` as filters `[height][width][channels]`.
fn turned(weights: &[f32], channels: usize, [height, width]: [usize; 2]) -> Vec<f32> {
    let filters = weights.chunks_exact((height * width * channels).max(1));
    let taps = |filter: &[f32]| -> Vec<f32> {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x * height + y) * channels));
        places.flat_map(|place| filter[place..place + channels].to_vec()).collect()
    };
    filters.flat_map(taps).collect()
}

/// Filters with zeros between their weights.
fn spread(weights: &[f32], channels: usize, kernel: [usize; 2], wide: [usize; 2], dilations: [u8; 2]) -> Vec<f32> {
    let (taps, wide_taps) = (kernel[0] * kernel[1], wide[0] * wide[1]);
    let mut spread = vec![0.0; weights.len() / taps * wide_taps];
    let filters = spread.chunks_exact_mut(wide_taps * channels).zip(weights.chunks_exact(taps * channels));
    for (spread, filter) in filters {
        for (tap, weights) in filter.chunks_exact(channels).enumerate() {
            let (y, x) = (tap / kernel[1] * usize::from(dilations[0]), tap % kernel[1] * usize::from(dilations[1]));
            spread[(y * wide[1] + x) * channels..][..channels].copy_from_slice(weights);
        }
    }
    spread
}

/// A number of channels, refused beyond the limits of the format.
pub fn channels(node: &Node<'_>, count: usize) -> Result<u16, CompileError> {
    u16::try_from(count)
        .ok()
        .filter(|count| (1..=MAX_DIMENSION).contains(count))
        .ok_or_else(|| node.refuse(format!("has {count} output channels"), format!("use 1 to {MAX_DIMENSION}")))
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
