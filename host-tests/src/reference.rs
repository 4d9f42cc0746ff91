//! A second opinion on what a model computes: whole tensors, `i64`, the most obvious loops.
//!
//! It reads layers and parameters through [`Model`] and shares nothing else with the core: padding is
//! an index test, an activation is applied to every pixel before pooling looks at it, and the
//! requantization is written down from `docs/quantization.md`, not called.

mod operators;

use thumbnet::Model;
use thumbnet::format::{Activation, BYTE_TABLE_LEN, Layer, NO_MAP, Op, Pool, Shape, TABLE_LEN, TABLE_ZERO, Window};

/// What a scaled accumulator has at most in size, as no byte can tell and only logits show.
const LARGEST_SCALED: i64 = 1 << 30;

/// A feature map: `height * width * channels` numbers, channel fastest.
struct Map {
    shape: Shape,
    values: Vec<i64>,
}

/// A value's place in a map.
#[derive(Clone, Copy)]
struct Place {
    y: i64,
    x: i64,
    channel: usize,
}

impl Map {
    fn new(shape: Shape, values: Vec<i64>) -> Self {
        assert_eq!(values.len(), size(shape), "a map of {shape:?}");
        Self { shape, values }
    }

    /// What `value` says of every place.
    fn of(shape: Shape, value: impl Fn(Place) -> i64) -> Self {
        let mut values = Vec::with_capacity(size(shape));
        for y in 0..i64::from(shape.height) {
            for x in 0..i64::from(shape.width) {
                values.extend((0..usize::from(shape.channels)).map(|channel| value(Place { y, x, channel })));
            }
        }
        Self::new(shape, values)
    }

    /// The value at a place; `None` beyond the border.
    fn get(&self, Place { y, x, channel }: Place) -> Option<i64> {
        let (height, width) = (i64::from(self.shape.height), i64::from(self.shape.width));
        if !(0..height).contains(&y) || !(0..width).contains(&x) {
            return None;
        }
        Some(self.values[(y * width + x) as usize * usize::from(self.shape.channels) + channel])
    }

    /// The values under a window whose upper left corner is at `(top, left)`, without those beyond the border.
    fn under(&self, (top, left): (i64, i64), (height, width): (i64, i64), channel: usize) -> Vec<i64> {
        let places = (top..top + height).flat_map(|y| (left..left + width).map(move |x| Place { y, x, channel }));
        places.filter_map(|place| self.get(place)).collect()
    }
}

/// The numbers of a layer.
struct Parameters<'m> {
    weights: Vec<i64>,
    bias: Vec<i64>,
    multipliers: Vec<i64>,
    shifts: &'m [u8],
    table: &'m [u8],
}

impl<'m> Parameters<'m> {
    fn of(model: &Model<'m>, layer: &Layer) -> Self {
        let parameters = model.parameters(layer);
        Self {
            weights: parameters.weights.iter().map(|&weight| i64::from(weight as i8)).collect(),
            bias: numbers(parameters.bias),
            multipliers: numbers(parameters.multipliers),
            shifts: parameters.shifts,
            table: parameters.table,
        }
    }

    /// What becomes of a sum: bias, requantization, activation.
    fn activate(&self, layer: &Layer, scale: usize, sum: i64) -> i64 {
        let accumulator = self.bias[scale] + sum;
        assert!(i32::try_from(accumulator).is_ok(), "accumulator {accumulator} leaves 32 bits");
        let scaled = divide_rounding_half_up(accumulator * self.multipliers[scale], self.shifts[scale]);
        let scaled = scaled.clamp(-LARGEST_SCALED, LARGEST_SCALED);
        let entry = |zero: i64, len: usize| i64::from(self.table[(scaled + zero).clamp(0, len as i64 - 1) as usize]);
        match layer.activation {
            Activation::Clamp => {
                (scaled + i64::from(layer.output_zero_point)).clamp(i64::from(layer.low), i64::from(layer.high))
            }
            Activation::Table => entry(i64::from(TABLE_ZERO), TABLE_LEN),
            Activation::ByteTable => entry(i64::from(layer.table_zero), BYTE_TABLE_LEN),
            Activation::Logits => scaled,
        }
    }
}

/// The result for an image, `height * width * channels` bytes, row by row, channel fastest: logits, or bytes less their
/// zero point.
///
/// # Panics
/// If an accumulator leaves 32 bits, which the compiler proves that it cannot.
pub fn logits(model: &Model<'_>, pixels: &[u8]) -> Vec<i32> {
    let result = outputs(model, pixels).pop().expect("a parsed model has layers");
    let last = model.layers().last().expect("a parsed model has layers");
    let zero_point = match last.activation {
        Activation::Logits => 0,
        Activation::Clamp | Activation::Table | Activation::ByteTable => i32::from(last.output_zero_point),
    };
    result.into_iter().map(|value| value - zero_point).collect()
}

/// What every layer makes of an image, channel fastest: bytes, or logits; the result last.
///
/// # Panics
/// As [`logits`].
pub fn outputs(model: &Model<'_>, pixels: &[u8]) -> Vec<Vec<i32>> {
    let mut maps = vec![Map::new(model.input(), pixels.iter().map(|&pixel| i64::from(pixel)).collect())];
    for (index, layer) in model.layers().enumerate() {
        let read = layer.inputs.iter().filter(|&&map| map != NO_MAP);
        let inputs: Vec<&Map> = read.map(|&map| &maps[usize::from(map)]).collect();
        let map = make(model, &layer, &inputs);
        assert_eq!(map.shape, layer.output, "output of layer {index}");
        maps.push(map);
    }
    let bytes = |map: &Map| map.values.iter().map(|&value| value as i32).collect();
    maps.iter().skip(1).map(bytes).collect()
}

/// What one layer makes of the maps that it reads, each channel fastest.
///
/// # Panics
/// As [`logits`], and for maps of another size.
pub fn layer(model: &Model<'_>, layer: &Layer, inputs: &[(Shape, &[u8])]) -> Vec<i32> {
    let map = |&(shape, bytes): &(Shape, &[u8])| Map::new(shape, bytes.iter().map(|&byte| byte.into()).collect());
    let maps: Vec<Map> = inputs.iter().map(map).collect();
    make(model, layer, &maps.iter().collect::<Vec<_>>()).values.iter().map(|&value| value as i32).collect()
}

fn size(shape: Shape) -> usize {
    usize::from(shape.height) * usize::from(shape.width) * usize::from(shape.channels)
}

/// What a layer makes of its maps.
fn make(model: &Model<'_>, layer: &Layer, inputs: &[&Map]) -> Map {
    let parameters = &Parameters::of(model, layer);
    let weights = &parameters.weights;
    let activated = |scale: usize, sum: i64| parameters.activate(layer, scale, sum);
    let input = inputs[0];
    let map = Map::of(slid(layer, input.shape), |place| match layer.op {
        Op::Conv => activated(place.channel, operators::conv(layer, 1, input, weights, place)),
        Op::GroupedConv => activated(place.channel, operators::conv(layer, layer.groups.into(), input, weights, place)),
        Op::DepthwiseConv => activated(place.channel, operators::depthwise(layer, input, weights, place)),
        Op::Dense => activated(place.channel, operators::dense(layer, input, weights, place.channel)),
        Op::GlobalAveragePool => activated(place.channel, operators::sum(input, place.channel)),
        Op::Add => activated(0, operators::add(layer.factors, [inputs[0], inputs[1]], place)),
        Op::MaxPool => operators::largest(layer, input, place).clamp(layer.low.into(), layer.high.into()),
        Op::AveragePool => {
            let values = operators::under_window(layer, input, place);
            activated(values.len() - 1, values.iter().sum())
        }
        Op::Concat => {
            let (which, value) = operators::side_by_side([inputs[0], inputs[1]], place);
            activated(which, value)
        }
    });
    pool(layer, map)
}

/// The shape of what the operator makes, before the fused pooling.
fn slid(layer: &Layer, input: Shape) -> Shape {
    let Window { kernel_height, kernel_width, stride_height, stride_width, .. } = layer.window;
    let Window { pad_top, pad_left, pad_bottom, pad_right, .. } = layer.window;
    let positions = |size: u16, pads: [u8; 2], kernel: u8, stride: u8| {
        (size + u16::from(pads[0]) + u16::from(pads[1]) - u16::from(kernel)) / u16::from(stride) + 1
    };
    let channels = layer.output.channels;
    match layer.op {
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::MaxPool | Op::AveragePool => Shape {
            height: positions(input.height, [pad_top, pad_bottom], kernel_height, stride_height),
            width: positions(input.width, [pad_left, pad_right], kernel_width, stride_width),
            channels,
        },
        Op::Dense | Op::GlobalAveragePool => Shape { height: 1, width: 1, channels },
        Op::Add | Op::Concat => Shape { channels, ..input },
    }
}

/// `round(value / 2^shift)`, half up: the floor of the quotient, one more where the rest is at least half.
fn divide_rounding_half_up(value: i64, shift: u8) -> i64 {
    let divisor = 1i128 << shift;
    let (quotient, rest) = (i128::from(value).div_euclid(divisor), i128::from(value).rem_euclid(divisor));
    (quotient + i128::from(2 * rest >= divisor)) as i64
}

/// The largest pixel under each window; padding at the bottom and right never wins.
fn pool(layer: &Layer, map: Map) -> Map {
    if layer.pool == Pool::NONE {
        return map;
    }
    let (size, stride) = (i64::from(layer.pool.size), i64::from(layer.pool.stride));
    Map::of(layer.output, |Place { y, x, channel }| {
        let values = map.under((y * stride, x * stride), (size, size), channel);
        *values.iter().max().expect("a pooling window has a pixel in the map")
    })
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
