//! The layers in `embedded-nn`: quantized as TensorFlow Lite does, one scale a channel.

use embedded_nn::{
    Activation, ConvParams, Dims, FcParams, Padding2D, PerChannelQuantParams, PerTensorQuantParams, PoolParams, Tile,
    convolve_per_channel_s8, fully_connected_s8, max_pool_s8,
};

use crate::layer::{Buffers, Conv, Dense, MOST_FILTERS, ZERO_POINT};
use crate::tick_counter::TickCounter;
use crate::{Outcome, count};

/// One half as the library writes multipliers; the shift does the rest.
const HALF: i32 = 1 << 30;

/// Convolution and pooling.
pub fn conv(counter: &mut TickCounter, buffers: &mut Buffers, layer: &Conv) -> Outcome {
    let square = |size: usize, channels: usize| Dims::new(1, size as i32, size as i32, channels as i32);
    let shifts = [1 - buffers.shift as i32; MOST_FILTERS];
    let pad = layer.pad() as i32;
    let params = ConvParams {
        input_offset: -i32::from(ZERO_POINT),
        output_offset: ZERO_POINT.into(),
        stride: Tile::new(1, 1),
        padding: Padding2D::symmetric(pad, pad),
        dilation: Tile::new(1, 1),
        activation: Activation::int8_unconstrained(),
    };
    let pool = PoolParams {
        stride: Tile::new(2, 2),
        padding: Padding2D::default(),
        activation: Activation::int8_unconstrained(),
    };
    let (output, pooled) = (square(layer.output, layer.filters), square(layer.pooled, layer.filters));
    let (results, instructions) = count(counter, || {
        let conv = convolve_per_channel_s8(
            &params,
            &PerChannelQuantParams::new(&[HALF; MOST_FILTERS], &shifts),
            &square(layer.size, layer.channels),
            &buffers.input,
            &square(layer.kernel, layer.channels),
            &buffers.weights,
            Some(&buffers.bias),
            &output,
            &mut buffers.output,
        );
        let pool = match layer.is_pooled() {
            true => max_pool_s8(&pool, &Tile::new(2, 2), &output, &buffers.output, &pooled, &mut buffers.pooled),
            false => Ok(()),
        };
        conv.and(pool)
    });
    results.expect("the shapes fit each other");
    let sums = (0..output.total_size()).filter(|&index| !buffers.is_expected(index, buffers.output[index]));
    let mut wrong = sums.count();
    if layer.is_pooled() {
        let maxima = (0..pooled.total_size()).filter(|&index| buffers.pooled[index] != buffers.pool(layer, index));
        wrong += maxima.count();
    }
    Outcome { instructions, pooled: layer.is_pooled(), wrong }
}

/// A dense layer, one scale for all of it.
pub fn dense(counter: &mut TickCounter, buffers: &mut Buffers, layer: &Dense) -> Outcome {
    let params = FcParams {
        input_offset: -i32::from(ZERO_POINT),
        filter_offset: 0,
        output_offset: ZERO_POINT.into(),
        activation: Activation::int8_unconstrained(),
    };
    let (results, instructions) = count(counter, || {
        fully_connected_s8(
            &params,
            &PerTensorQuantParams::new(HALF, 1 - buffers.shift as i32),
            &Dims::new(1, 1, 1, layer.inputs as i32),
            &buffers.input,
            &Dims::new(layer.inputs as i32, 1, 1, layer.outputs as i32),
            &buffers.weights,
            Some(&buffers.bias),
            &Dims::new(1, 1, 1, layer.outputs as i32),
            &mut buffers.output,
        )
    });
    results.expect("the shapes fit each other");
    let wrong = (0..layer.outputs).filter(|&index| !buffers.is_expected(index, buffers.output[index])).count();
    Outcome { instructions, pooled: false, wrong }
}
