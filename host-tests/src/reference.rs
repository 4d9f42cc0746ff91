//! A second opinion on what a model computes: whole tensors, `i64`, the most obvious loops.
//!
//! It reads layers and parameters through [`Model`] and shares nothing else with the core: padding is
//! an index test, an activation is applied to every pixel before pooling looks at it, and the
//! requantization is written down from `docs/quantization.md`, not called.

use inference_core::Model;
use inference_core::format::{Activation, Layer, Op, Shape, TABLE_LEN, TABLE_ZERO};

/// A feature map: `height * width * channels` numbers, channel fastest.
struct Map {
    shape: Shape,
    values: Vec<i64>,
}

impl Map {
    fn new(shape: Shape, values: Vec<i64>) -> Self {
        assert_eq!(values.len(), size(shape), "a map of {shape:?}");
        Self { shape, values }
    }

    /// The value at a place, `outside` where the place lies beyond the border.
    fn at(&self, y: i64, x: i64, channel: usize, outside: i64) -> i64 {
        let (height, width) = (i64::from(self.shape.height), i64::from(self.shape.width));
        if !(0..height).contains(&y) || !(0..width).contains(&x) {
            return outside;
        }
        self.values[(y * width + x) as usize * usize::from(self.shape.channels) + channel]
    }
}

/// The logits of an image: `height * width * channels` bytes, row by row, channel fastest.
///
/// # Panics
/// If an accumulator leaves 32 bits, which the compiler proves that it cannot.
pub fn logits(model: &Model<'_>, pixels: &[u8]) -> Vec<i32> {
    outputs(model, pixels).pop().expect("a parsed model has layers")
}

/// What every layer makes of an image, channel fastest; the logits last.
///
/// # Panics
/// As [`logits`].
pub fn outputs(model: &Model<'_>, pixels: &[u8]) -> Vec<Vec<i32>> {
    let mut map = Map::new(model.input(), pixels.iter().map(|&pixel| i64::from(pixel)).collect());
    let mut outputs = Vec::with_capacity(model.layer_count());
    for (index, layer) in model.layers().enumerate() {
        map = accumulate(model, &layer, &map);
        if layer.activation != Activation::Logits {
            map = pool(&layer, activate(model, &layer, map));
        }
        assert_eq!(map.shape, layer.output, "output of layer {index}");
        outputs.push(map.values.iter().map(|&value| value as i32).collect());
    }
    outputs
}

fn size(shape: Shape) -> usize {
    usize::from(shape.height) * usize::from(shape.width) * usize::from(shape.channels)
}

/// Bias plus the products of inputs and weights, for every output pixel before pooling.
fn accumulate(model: &Model<'_>, layer: &Layer, input: &Map) -> Map {
    let parameters = model.parameters(layer);
    let weights: Vec<i64> = parameters.weights.iter().map(|&weight| i64::from(weight as i8)).collect();
    let bias = numbers(parameters.bias);
    let shape = match layer.op {
        Op::Conv | Op::DepthwiseConv => Shape {
            height: layer.conv_height() as u16,
            width: layer.conv_width() as u16,
            channels: layer.output.channels,
        },
        _ => layer.output,
    };
    let mut values = Vec::with_capacity(size(shape));
    for y in 0..i64::from(shape.height) {
        for x in 0..i64::from(shape.width) {
            for (channel, bias) in bias.iter().enumerate() {
                let sum = match layer.op {
                    Op::Conv => conv(layer, input, &weights, (y, x, channel)),
                    Op::DepthwiseConv => depthwise(layer, input, &weights, (y, x, channel)),
                    Op::Dense => dense(layer, input, &weights, channel),
                    Op::GlobalAveragePool => average(input, channel),
                    op => panic!("the reference lacks the operator {op:?}"),
                };
                let accumulator = bias + sum;
                assert!(i32::try_from(accumulator).is_ok(), "accumulator {accumulator} leaves 32 bits");
                values.push(accumulator);
            }
        }
    }
    Map::new(shape, values)
}

/// One tap after the other: `(y, x)` in the kernel, and the input pixel under it.
fn taps(layer: &Layer, y: i64, x: i64) -> impl Iterator<Item = (usize, i64, i64)> {
    let window = layer.window;
    let top = y * i64::from(window.stride_height) - i64::from(window.pad_top);
    let left = x * i64::from(window.stride_width) - i64::from(window.pad_left);
    let (height, width) = (i64::from(window.kernel_height), i64::from(window.kernel_width));
    (0..height).flat_map(move |ky| (0..width).map(move |kx| ((ky * width + kx) as usize, top + ky, left + kx)))
}

/// Weights `[out_channels][kernel_height][kernel_width][in_channels]`.
fn conv(layer: &Layer, input: &Map, weights: &[i64], (y, x, channel): (i64, i64, usize)) -> i64 {
    let inputs = usize::from(layer.input.channels);
    let taps_in_filter = usize::from(layer.window.kernel_height) * usize::from(layer.window.kernel_width);
    let outside = i64::from(layer.input_zero_point);
    let mut sum = 0;
    for (tap, y, x) in taps(layer, y, x) {
        for from in 0..inputs {
            sum += input.at(y, x, from, outside) * weights[(channel * taps_in_filter + tap) * inputs + from];
        }
    }
    sum
}

/// Weights `[kernel_height][kernel_width][channels]`.
fn depthwise(layer: &Layer, input: &Map, weights: &[i64], (y, x, channel): (i64, i64, usize)) -> i64 {
    let channels = usize::from(layer.input.channels);
    let outside = i64::from(layer.input_zero_point);
    taps(layer, y, x).map(|(tap, y, x)| input.at(y, x, channel, outside) * weights[tap * channels + channel]).sum()
}

/// Weights `[in_height][out_channels][in_width * in_channels]`.
fn dense(layer: &Layer, input: &Map, weights: &[i64], channel: usize) -> i64 {
    let row_len = usize::from(layer.input.width) * usize::from(layer.input.channels);
    let outputs = usize::from(layer.output.channels);
    let mut sum = 0;
    for (index, value) in input.values.iter().enumerate() {
        let (row, column) = (index / row_len, index % row_len);
        sum += value * weights[(row * outputs + channel) * row_len + column];
    }
    sum
}

/// The sum of a channel; the division is in the multiplier.
fn average(input: &Map, channel: usize) -> i64 {
    input.values.iter().skip(channel).step_by(usize::from(input.shape.channels)).sum()
}

fn activate(model: &Model<'_>, layer: &Layer, mut map: Map) -> Map {
    let parameters = model.parameters(layer);
    let multipliers = numbers(parameters.multipliers);
    for (index, value) in map.values.iter_mut().enumerate() {
        let channel = index % multipliers.len();
        let scaled = divide_rounding_half_up(*value * multipliers[channel], parameters.shifts[channel]);
        *value = match layer.activation {
            Activation::Clamp => {
                let value = scaled + i64::from(layer.output_zero_point);
                value.clamp(i64::from(layer.low), i64::from(layer.high))
            }
            Activation::Table => {
                let entry = (scaled + i64::from(TABLE_ZERO)).clamp(0, TABLE_LEN as i64 - 1);
                i64::from(parameters.table[entry as usize])
            }
            activation => panic!("the reference lacks the activation {activation:?}"),
        };
    }
    map
}

/// `round(value / 2^shift)`, half up: the floor of the quotient, one more where the rest is at least half.
fn divide_rounding_half_up(value: i64, shift: u8) -> i64 {
    let divisor = 1i128 << shift;
    let (quotient, rest) = (i128::from(value).div_euclid(divisor), i128::from(value).rem_euclid(divisor));
    (quotient + i128::from(2 * rest >= divisor)) as i64
}

/// The largest pixel under each window; padding at the bottom and right never wins.
fn pool(layer: &Layer, map: Map) -> Map {
    let (size, stride) = (i64::from(layer.pool.size), i64::from(layer.pool.stride));
    let mut values = Vec::new();
    for y in 0..i64::from(layer.output.height) {
        for x in 0..i64::from(layer.output.width) {
            for channel in 0..usize::from(layer.output.channels) {
                let places = (0..size).flat_map(|py| (0..size).map(move |px| (y * stride + py, x * stride + px)));
                let largest = places.map(|(y, x)| map.at(y, x, channel, i64::MIN)).max();
                values.push(largest.expect("a pooling window has a size"));
            }
        }
    }
    Map::new(layer.output, values)
}

/// Little-endian `i32`s.
fn numbers(section: &[u8]) -> Vec<i64> {
    section.as_chunks::<4>().0.iter().map(|&bytes| i64::from(i32::from_le_bytes(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::divide_rounding_half_up;

    #[test]
    fn halves_go_up() {
        for (value, rounded) in [(-6, -1), (-5, -1), (-3, -1), (-2, 0), (-1, 0), (1, 0), (2, 1), (5, 1), (6, 2)] {
            assert_eq!(divide_rounding_half_up(value, 2), rounded, "{value} / 4");
        }
    }
}
