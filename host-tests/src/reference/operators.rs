//! The sums of every operator, one place at a time, as `thumbnet::format::Op` describes them.

use thumbnet::format::Layer;

use super::{Map, Place};

/// One tap after the other: its number in the kernel, and the pixel under it.
fn taps(layer: &Layer, place: Place) -> impl Iterator<Item = (usize, i64, i64)> {
    let (top, left) = corner(layer, place);
    let (height, width) = kernel(layer);
    (0..height).flat_map(move |ky| (0..width).map(move |kx| ((ky * width + kx) as usize, top + ky, left + kx)))
}

/// Where the window of an output begins; negative in the padding.
fn corner(layer: &Layer, Place { y, x, .. }: Place) -> (i64, i64) {
    let window = layer.window;
    (
        y * i64::from(window.stride_height) - i64::from(window.pad_top),
        x * i64::from(window.stride_width) - i64::from(window.pad_left),
    )
}

fn kernel(layer: &Layer) -> (i64, i64) {
    (layer.window.kernel_height.into(), layer.window.kernel_width.into())
}

/// Weights `[out_channels][kernel_height][kernel_width][in_channels / groups]`.
pub fn conv(layer: &Layer, groups: usize, input: &Map, weights: &[i64], place: Place) -> i64 {
    let from_group = usize::from(input.shape.channels) / groups;
    let to_group = usize::from(layer.output.channels) / groups;
    let (height, width) = kernel(layer);
    let first = place.channel / to_group * from_group;
    let mut sum = 0;
    for (tap, y, x) in taps(layer, place) {
        for from in 0..from_group {
            let value = input.get(Place { y, x, channel: first + from }).unwrap_or(layer.input_zero_point.into());
            sum += value * weights[(place.channel * (height * width) as usize + tap) * from_group + from];
        }
    }
    sum
}

/// Weights `[kernel_height][kernel_width][out_channels]`; an input channel serves as many outputs as there are of each.
pub fn depthwise(layer: &Layer, input: &Map, weights: &[i64], place: Place) -> i64 {
    let outputs = usize::from(layer.output.channels);
    let channel = place.channel / (outputs / usize::from(input.shape.channels));
    let product = |(tap, y, x)| {
        let value = input.get(Place { y, x, channel }).unwrap_or(layer.input_zero_point.into());
        value * weights[tap * outputs + place.channel]
    };
    taps(layer, place).map(product).sum()
}

/// Weights `[in_height][out_channels][in_width * in_channels]`.
pub fn dense(layer: &Layer, input: &Map, weights: &[i64], channel: usize) -> i64 {
    let row_len = usize::from(input.shape.width) * usize::from(input.shape.channels);
    let outputs = usize::from(layer.output.channels);
    let mut sum = 0;
    for (index, value) in input.values.iter().enumerate() {
        let (row, column) = (index / row_len, index % row_len);
        sum += value * weights[(row * outputs + channel) * row_len + column];
    }
    sum
}

/// The sum of a channel; the division is in the multiplier.
pub fn sum(input: &Map, channel: usize) -> i64 {
    input.values.iter().skip(channel).step_by(usize::from(input.shape.channels)).sum()
}

/// Both values, each with its factor.
pub fn add(factors: [i16; 2], inputs: [&Map; 2], place: Place) -> i64 {
    let product = |index: usize| i64::from(factors[index]) * inputs[index].get(place).expect("maps of the same shape");
    product(0) + product(1)
}

/// The values under the window that are in the map.
pub fn under_window(layer: &Layer, input: &Map, place: Place) -> Vec<i64> {
    input.under(corner(layer, place), kernel(layer), place.channel)
}

/// The largest of them.
pub fn largest(layer: &Layer, input: &Map, place: Place) -> i64 {
    *under_window(layer, input, place).iter().max().expect("a pooling window has a pixel in the map")
}

/// Which of the two maps an output comes from, and its value there.
pub fn side_by_side([first, second]: [&Map; 2], place: Place) -> (usize, i64) {
    let channels = usize::from(first.shape.channels);
    let (which, map, channel) = match place.channel.checked_sub(channels) {
        None => (0, first, place.channel),
        Some(channel) => (1, second, channel),
    };
    (which, map.get(Place { channel, ..place }).expect("maps of the same height and width"))
}
