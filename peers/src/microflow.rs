//! The layers in `microflow`: its operators, called as the code is that its compiler makes of a model. It has no max pooling.

use core::array;

use microflow::activation::FusedActivation;
use microflow::buffer::Buffer2D;
use microflow::ops::{Conv2DOptions, FullyConnectedOptions, conv_2d, fully_connected};
use microflow::tensor::{Tensor2D, Tensor4D, TensorViewPadding};

use crate::layer::{Buffers, Conv, Dense, ZERO_POINT};
use crate::tick_counter::TickCounter;
use crate::{Outcome, count};

/// A convolution, one scale a channel.
pub fn conv<const IN: usize, const CHANNELS: usize, const KERNEL: usize, const FILTERS: usize, const OUT: usize>(
    counter: &mut TickCounter,
    buffers: &Buffers,
    layer: &Conv,
) -> Outcome {
    let scale = scale(buffers);
    let pixel = |y, x| array::from_fn(|channel| buffers.input[(y * IN + x) * CHANNELS + channel]);
    let input = Tensor4D::<i8, 1, IN, IN, CHANNELS, 1>::new([Buffer2D::from_fn(pixel)], [1.0], [ZERO_POINT]);
    let tap = |filter: usize, y: usize, x: usize| {
        let place = (filter * KERNEL + y) * KERNEL + x;
        array::from_fn(|channel| buffers.weights[place * CHANNELS + channel])
    };
    let filters = array::from_fn(|filter| Buffer2D::from_fn(|y, x| tap(filter, y, x)));
    let filters =
        Tensor4D::<i8, FILTERS, KERNEL, KERNEL, CHANNELS, FILTERS>::new(filters, [scale; FILTERS], [0; FILTERS]);
    let view_padding = if layer.pad() == 0 { TensorViewPadding::Valid } else { TensorViewPadding::Same };
    let options = Conv2DOptions { fused_activation: FusedActivation::Relu, view_padding, strides: (1, 1) };
    let constants = (bias(buffers), Buffer2D::<f32, FILTERS, 1>::repeat(scale));
    let (output, instructions) = count(counter, || -> Tensor4D<i8, 1, OUT, OUT, FILTERS, 1> {
        conv_2d(input, &filters, [1.0], [ZERO_POINT], options, constants)
    });
    let value = |index: usize| output.buffer[0][(index / FILTERS / OUT, index / FILTERS % OUT)][index % FILTERS];
    let wrong = (0..OUT * OUT * FILTERS).filter(|&index| !buffers.is_expected(index, value(index))).count();
    Outcome { instructions, pooled: false, wrong }
}

/// A dense layer, one scale for all of it.
pub fn dense<const INPUTS: usize, const OUTPUTS: usize>(
    counter: &mut TickCounter,
    buffers: &Buffers,
    _: &Dense,
) -> Outcome {
    let scale = scale(buffers);
    let input = Buffer2D::from_fn(|_, input| buffers.input[input]);
    let input = Tensor2D::<i8, 1, INPUTS, 1>::new(input, [1.0], [ZERO_POINT]);
    let weights = Buffer2D::from_fn(|input, output| buffers.weights[output * INPUTS + input]);
    let weights = Tensor2D::<i8, INPUTS, OUTPUTS, 1>::new(weights, [scale], [0]);
    // What the input's zero point adds, for each output.
    let offsets = Buffer2D::<i32, 1, OUTPUTS>::from_fn(|_, output| {
        let weights = buffers.weights[output * INPUTS..][..INPUTS].iter();
        i32::from(ZERO_POINT) * weights.map(|&weight| i32::from(weight)).sum::<i32>()
    });
    let options = FullyConnectedOptions { fused_activation: FusedActivation::Relu };
    let constants = (bias(buffers), scale, offsets, 0);
    let (output, instructions) = count(counter, || -> Tensor2D<i8, 1, OUTPUTS, 1> {
        fully_connected(input, &weights, [1.0], [ZERO_POINT], options, constants)
    });
    let wrong = (0..OUTPUTS).filter(|&index| !buffers.is_expected(index, output.buffer[(0, index)])).count();
    Outcome { instructions, pooled: false, wrong }
}

fn scale(buffers: &Buffers) -> f32 {
    1.0 / (1u32 << buffers.shift) as f32
}

/// The biases in steps of the output, whose scale is one.
fn bias<const COUNT: usize>(buffers: &Buffers) -> Buffer2D<f32, COUNT, 1> {
    Buffer2D::from_fn(|output, _| buffers.bias[output] as f32 * scale(buffers))
}
