//! Networks whose shapes lie around the sizes of the kernels' blocks: one list for every place that
//! compares kernels with each other.

pub mod operators;

use thumbnet::format::{Activation, Algorithm, Layer, Op, Pool, Shape, TABLE_LEN, Window};
use thumbnet::winograd;

use crate::builder::Draft;

/// Multiplies and adds, so that every run has the same numbers.
pub struct Numbers(pub u32);

impl Numbers {
    pub fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 24) as u8
    }
}

/// One convolution between an input layer that makes its channels and a dense layer.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub height: u16,
    pub width: u16,
    pub in_channels: u16,
    pub out_channels: u16,
    pub kernel: u8,
    pub same: bool,
    pub pool: Pool,
    pub zero_point: u8,
    pub extreme: bool,
    pub ending: Ending,
}

/// What becomes of an accumulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Byte,
    Clamp,
    Table,
    ByteTable,
}

/// Those of the cases: the first four, or the last four.
const ENDINGS: [Ending; 8] = {
    use Ending::{Byte, ByteTable, Clamp, Table};
    [Byte, Clamp, Byte, Table, ByteTable, Clamp, ByteTable, Table]
};
const HALF: Pool = Pool { size: 2, stride: 2, pad_bottom: 0, pad_right: 0 };
const STEP: Pool = Pool { size: 2, stride: 1, pad_bottom: 1, pad_right: 1 };

/// Every kernel with and without padding, pooling of each kind, odd and even sizes, channels around
/// the blocks' sizes, and the largest pixels and weights.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let channels = [(1, 3), (1, 8), (3, 2), (4, 1), (5, 5), (8, 4), (10, 3), (20, 6)];
    for kernel in [1, 3, 5, 7] {
        for (index, size) in [(4, 4), (5, 7), (8, 6), (7, 9), (9, 5), (11, 11)].into_iter().enumerate() {
            for same in [true, false] {
                let lost = if same { 0 } else { kernel - 1 };
                let (height, width) = (size.0 + u16::from(lost), size.1 + u16::from(lost));
                let up = Pool { pad_bottom: size.0 as u8 % 2, pad_right: size.1 as u8 % 2, ..HALF };
                for (other, pool) in [Pool::NONE, HALF, up, STEP].into_iter().enumerate() {
                    let (in_channels, out_channels) = channels[(index * 3 + other + usize::from(kernel)) % 8];
                    cases.push(Case {
                        height,
                        width,
                        in_channels,
                        out_channels,
                        kernel,
                        same,
                        pool,
                        zero_point: (index as u8 % 2) * 7,
                        extreme: (index + other) % 4 == 3,
                        ending: ENDINGS[(index * 3 + other) % 4 + 4 * usize::from(same && other > 1)],
                    });
                }
            }
        }
    }
    // The loop body of the point-wise products stands 32 times in the text; 45 channels make rows of
    // more taps than are widened at a time.
    for (in_channels, out_channels) in [(128, 2), (132, 3), (64, 7), (45, 2)] {
        let (pool, zero_point) = (Pool::NONE, 0);
        let [height, width] = [6, 5];
        let kernel = 3;
        cases.push(Case {
            height,
            width,
            in_channels,
            out_channels,
            kernel,
            same: true,
            pool,
            zero_point,
            extreme: true,
            ending: Ending::Byte,
        });
    }
    cases
}

impl Case {
    /// The network, its middle layer computed by `algorithm` where that is possible.
    pub fn network(&self, algorithm: Algorithm) -> Vec<Draft> {
        let mut numbers = Numbers(u32::from(self.kernel) + u32::from(self.in_channels) * 31);
        let input = Shape { height: self.height, width: self.width, channels: 1 };
        let mut first = Draft::new(Op::Conv, input, self.in_channels).shaped(|layer| {
            layer.output_zero_point = self.zero_point;
        });
        first.weights.iter_mut().for_each(|weight| *weight = numbers.byte() as i8);
        requantize(&mut first);
        let (kernel, pad) = (self.kernel, if self.same { self.kernel / 2 } else { 0 });
        let mut conv = Draft::new(Op::Conv, first.layer.output, self.out_channels).shaped(|layer| {
            layer.window = Window::square(kernel, pad);
            layer.pool = self.pool;
            layer.input_zero_point = self.zero_point;
            match self.ending {
                Ending::Byte => {}
                Ending::Clamp => (layer.low, layer.high) = (9, 201),
                Ending::Table => layer.activation = Activation::Table,
                Ending::ByteTable => layer.table_zero = 90,
            }
        });
        match self.ending {
            Ending::Byte | Ending::Clamp => {}
            Ending::Table => conv.table = (0..TABLE_LEN).map(|index| (index / 4) as u8).collect(),
            // Never decreases, as the pooling asks for.
            Ending::ByteTable => conv = conv.byte_table(|index| 255 - (255 - index) / 2),
        }
        let extreme = self.extreme;
        conv.weights.iter_mut().for_each(|weight| {
            let byte = numbers.byte();
            *weight = if !extreme { byte as i8 } else { [-127, 127, 127, -128][usize::from(byte >> 6)] };
        });
        conv.bias = (0..self.out_channels).map(|_| i32::from(numbers.byte()) * 50 - 6000).collect();
        requantize(&mut conv);
        choose(&mut conv.layer, algorithm);
        // A second one makes the rings between layers that work in steps of two rows.
        let mut second = Draft::new(Op::Conv, conv.layer.output, 4).shaped(|layer| {
            layer.window = Window::square(3, 1);
        });
        second.weights.iter_mut().for_each(|weight| *weight = numbers.byte() as i8);
        requantize(&mut second);
        choose(&mut second.layer, algorithm);
        let mut dense = Draft::new(Op::Dense, second.layer.output, 5).logits();
        dense.weights.iter_mut().for_each(|weight| *weight = numbers.byte() as i8);
        vec![first, conv, second, dense]
    }
}

fn choose(layer: &mut Layer, algorithm: Algorithm) {
    if algorithm != Algorithm::Winograd || winograd::is_eligible(layer) {
        layer.algorithm = algorithm;
    }
}

/// Spreads the outputs of random weights over the range of a byte.
pub fn requantize(draft: &mut Draft) {
    let outputs = draft.bias.len();
    let taps = draft.weights.len() / outputs;
    let real = 60.0 / ((taps as f64).sqrt() * 73.0 * 90.0);
    let shift = 30 - real.log2().floor() as i32;
    draft.multipliers = vec![(real * 2f64.powi(shift)) as i32; outputs];
    draft.shifts = vec![shift as u8; outputs];
}

/// An image of random bytes; every fourth one is as bright as it can be.
pub fn image(len: usize, seed: u32) -> Vec<u8> {
    let mut numbers = Numbers(seed.wrapping_mul(2_654_435_761));
    (0..len).map(|_| numbers.byte()).map(|byte| if seed % 4 == 3 { byte | 0xf0 } else { byte }).collect()
}
