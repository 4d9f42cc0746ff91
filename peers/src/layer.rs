//! Layers with random data, and what plain loops make of them.
//!
//! Activations are `i8` with zero point -128 and weights `i8` with zero point 0, as TensorFlow Lite has them. Maps are
//! `[height][width][channels]`, weights `[filters][height][width][channels]`.

use static_cell::ConstStaticCell;

/// Zero point of inputs and outputs.
pub const ZERO_POINT: i8 = i8::MIN;

const LARGEST_MAP: usize = 28 * 28 * 96;
const MOST_WEIGHTS: usize = 64 * 9 * 96;
/// Most filters of a layer.
pub const MOST_FILTERS: usize = 96;

/// A convolution with stride 1 over a square map, and 2x2 pooling where `pooled` differs from `output`.
pub struct Conv {
    /// Height and width of the input.
    pub size: usize,
    pub channels: usize,
    pub kernel: usize,
    pub filters: usize,
    /// Height and width before pooling.
    pub output: usize,
    /// Height and width after it.
    pub pooled: usize,
}

/// A dense layer.
pub struct Dense {
    pub inputs: usize,
    pub outputs: usize,
}

impl Conv {
    /// Rows above, and columns left of the map.
    pub fn pad(&self) -> usize {
        (self.output + self.kernel - 1 - self.size) / 2
    }

    pub fn is_pooled(&self) -> bool {
        self.pooled != self.output
    }

    fn taps(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }
}

/// Memory for the largest layer.
pub struct Buffers {
    pub input: [i8; LARGEST_MAP],
    pub weights: [i8; MOST_WEIGHTS],
    pub bias: [i32; MOST_FILTERS],
    /// The sums are divided by two to the power of this.
    pub shift: u32,
    /// What the layer gives before pooling.
    pub expected: [i8; LARGEST_MAP],
    /// Room for a library's output before pooling.
    pub output: [i8; LARGEST_MAP],
    /// Room for its output after that.
    pub pooled: [i8; LARGEST_MAP],
    random: u32,
}

static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers {
    input: [0; LARGEST_MAP],
    weights: [0; MOST_WEIGHTS],
    bias: [0; MOST_FILTERS],
    shift: 0,
    expected: [0; LARGEST_MAP],
    output: [0; LARGEST_MAP],
    pooled: [0; LARGEST_MAP],
    random: 1,
});

impl Buffers {
    /// The buffers, once.
    pub fn take() -> &'static mut Self {
        BUFFERS.take()
    }

    fn byte(&mut self) -> i8 {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.random >> 24) as i8
    }

    fn fill(&mut self, inputs: usize, taps: usize, filters: usize) {
        for index in 0..inputs {
            self.input[index] = self.byte();
        }
        for index in 0..taps * filters {
            self.weights[index] = self.byte().max(-127);
        }
        for index in 0..filters {
            self.bias[index] = i32::from(self.byte()) * 16;
        }
        // Random products have a deviation of about 2^13, a sum of them sqrt(taps) times as much: 6 bits are left.
        self.shift = 13 + taps.ilog2() / 2 - 6;
    }

    pub fn prepare_conv(&mut self, layer: &Conv) {
        self.fill(layer.size * layer.size * layer.channels, layer.taps(), layer.filters);
        let (size, pad) = (layer.size as isize, layer.pad() as isize);
        for index in 0..layer.output * layer.output * layer.filters {
            let (pixel, filter) = (index / layer.filters, index % layer.filters);
            let (y, x) = ((pixel / layer.output) as isize - pad, (pixel % layer.output) as isize - pad);
            let mut sum = self.bias[filter];
            for tap in 0..layer.taps() {
                let (place, channel) = (tap / layer.channels, tap % layer.channels);
                let (y, x) = (y + (place / layer.kernel) as isize, x + (place % layer.kernel) as isize);
                if (0..size).contains(&y) && (0..size).contains(&x) {
                    let value = self.input[(y * size + x) as usize * layer.channels + channel];
                    sum += product(value, self.weights[filter * layer.taps() + tap]);
                }
            }
            self.expected[index] = self.requantize(sum);
        }
    }

    pub fn prepare_dense(&mut self, layer: &Dense) {
        self.fill(layer.inputs, layer.inputs, layer.outputs);
        for output in 0..layer.outputs {
            let weights = &self.weights[output * layer.inputs..];
            let products =
                self.input[..layer.inputs].iter().zip(weights).map(|(value, weight)| product(*value, *weight));
            self.expected[output] = self.requantize(self.bias[output] + products.sum::<i32>());
        }
    }

    fn requantize(&self, sum: i32) -> i8 {
        let rounded = (sum + (1 << (self.shift - 1))) >> self.shift;
        (rounded + i32::from(ZERO_POINT)).clamp(i8::MIN.into(), i8::MAX.into()) as i8
    }

    /// Whether an output before pooling is that of the plain loops, give or take one for another rounding.
    pub fn is_expected(&self, index: usize, value: i8) -> bool {
        (i32::from(value) - i32::from(self.expected[index])).abs() <= 1
    }

    /// What 2x2 pooling of `output` gives; windows end with the map.
    pub fn pool(&self, layer: &Conv, index: usize) -> i8 {
        let (pixel, filter) = (index / layer.filters, index % layer.filters);
        let (y, x) = (2 * (pixel / layer.pooled), 2 * (pixel % layer.pooled));
        let rows = y..(y + 2).min(layer.output);
        let places = rows.flat_map(|y| (x..(x + 2).min(layer.output)).map(move |x| y * layer.output + x));
        places.map(|place| self.output[place * layer.filters + filter]).max().unwrap_or(i8::MIN)
    }
}

fn product(value: i8, weight: i8) -> i32 {
    (i32::from(value) - i32::from(ZERO_POINT)) * i32::from(weight)
}
