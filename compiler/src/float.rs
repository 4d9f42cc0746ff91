//! Runs the float network, to measure its activations: whole maps, `[height][width][channels]`; nothing else uses it. The
//! sums of each operator are in its room ([`ops`]).

use thumbnet::format::Pool;

use crate::calibrate::Range;
use crate::graph::{Layer, Network};
use crate::ops;

/// The output of every layer, the result last.
pub fn activations(network: &Network, image: &[f32]) -> Vec<Vec<f32>> {
    continued(network, image, Vec::with_capacity(network.layers.len()))
}

/// The same where the outputs of the first layers are known.
pub fn continued(network: &Network, image: &[f32], mut outputs: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    for each in network.layers.iter().skip(outputs.len()) {
        let output = layer(each, &inputs(each, image, &outputs));
        outputs.push(output);
    }
    outputs
}

/// The maps that a layer reads, of the image and the outputs of the layers before.
pub fn inputs<'v>(layer: &Layer, image: &'v [f32], outputs: &'v [Vec<f32>]) -> Vec<&'v [f32]> {
    let map = |map: usize| map.checked_sub(1).map_or(image, |index| outputs.get(index).map_or(&[], Vec::as_slice));
    layer.record.input_maps().map(map).collect()
}

/// Bytes as the network's float input: 0.0 to 1.0, or what its file says that they stand for.
pub fn image(network: &Network, bytes: &[u8]) -> Vec<f32> {
    match network.given_input {
        Some(given) => bytes.iter().map(|&byte| given.real(byte)).collect(),
        None => bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect(),
    }
}

/// What one layer makes of the maps that it reads, in the order of its record: sums, then activation, then pooling.
pub fn layer(layer: &Layer, inputs: &[&[f32]]) -> Vec<f32> {
    let mut values = ops::of(layer.record.op).sums(layer, inputs);
    for value in &mut values {
        *value = layer.activation.apply(*value);
    }
    if let Some(given) = layer.given {
        let Range { low, high } = given.range();
        values.iter_mut().for_each(|value| *value = value.max(low as f32).min(high as f32));
    }
    if layer.record.pool == Pool::NONE { values } else { pool(layer, &values) }
}

/// The fused max pooling.
fn pool(layer: &Layer, map: &[f32]) -> Vec<f32> {
    let (record, pool) = (&layer.record, &layer.record.pool);
    let (height, width) = (record.conv_height(), record.conv_width());
    let (size, stride) = (usize::from(pool.size), usize::from(pool.stride));
    let channels = layer.channels();
    let mut output = Vec::with_capacity(record.output.len());
    for y in 0..usize::from(record.output.height) {
        for x in 0..usize::from(record.output.width) {
            for channel in 0..channels {
                let rows = y * stride..(y * stride + size).min(height);
                let columns = x * stride..(x * stride + size).min(width);
                let window = rows.flat_map(|row| columns.clone().map(move |column| row * width + column));
                output.push(window.map(|pixel| map[pixel * channels + channel]).fold(f32::NEG_INFINITY, f32::max));
            }
        }
    }
    output
}
