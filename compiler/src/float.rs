//! Runs the float network, to measure its activations. Plain loops over whole maps,
//! `[height][width][channels]`; nothing else uses it.

use inference_core::format::{Op, Shape};

use crate::graph::{Activation, Layer, Network, len};

/// The output of every layer, the logits last.
pub fn activations(network: &Network, image: &[f32]) -> Vec<Vec<f32>> {
    let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(network.layers.len());
    for each in &network.layers {
        let output = layer(each, outputs.last().map_or(image, Vec::as_slice));
        outputs.push(output);
    }
    outputs
}

/// Pixel bytes as the network's float input: 0.0 to 1.0.
pub fn image(pixels: &[u8]) -> Vec<f32> {
    pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect()
}

/// What one layer makes of `input`, activation and pooling included.
pub fn layer(layer: &Layer, input: &[f32]) -> Vec<f32> {
    let (sums, height, width) = match layer.op {
        Op::Conv | Op::DepthwiseConv => convolve(layer, input),
        Op::GlobalAveragePool => (average(layer.input, input), 1, 1),
        _ => (dense(layer, input), 1, 1),
    };
    let activated = sums.into_iter().map(|sum| activate(layer.activation, sum)).collect();
    if layer.pool == inference_core::format::Pool::NONE { activated } else { pool(layer, &activated, height, width) }
}

fn activate(activation: Activation, sum: f32) -> f32 {
    match activation {
        Activation::Linear => sum,
        Activation::Relu => sum.max(0.0),
        Activation::Sigmoid => 1.0 / (1.0 + (-sum).exp()),
    }
}

fn convolve(layer: &Layer, input: &[f32]) -> (Vec<f32>, usize, usize) {
    let record = layer.record();
    let (height, width) = (record.conv_height(), record.conv_width());
    let window = &layer.window;
    let kernel = [usize::from(window.kernel_height), usize::from(window.kernel_width)];
    let in_channels = usize::from(layer.input.channels);
    let mut patch = vec![0.0; kernel[0] * kernel[1] * in_channels];
    let mut sums = Vec::with_capacity(height * width * layer.channels());
    for y in 0..height {
        for x in 0..width {
            let top = (y * usize::from(window.stride_height)) as isize - isize::from(window.pad_top);
            let left = (x * usize::from(window.stride_width)) as isize - isize::from(window.pad_left);
            gather(layer.input, input, top, left, kernel, &mut patch);
            if layer.op == Op::Conv {
                sums.extend(layer.filters().zip(&layer.bias).map(|(filter, bias)| bias + dot(filter, &patch)));
            } else {
                sums.extend(layer.filters().zip(&layer.bias).enumerate().map(|(channel, (filter, bias))| {
                    let taps = patch.iter().skip(channel).step_by(in_channels);
                    bias + filter.iter().zip(taps).map(|(a, b)| a * b).sum::<f32>()
                }));
            }
        }
    }
    (sums, height, width)
}

/// Copies a window of the map to `patch`, zeros outside.
fn gather(shape: Shape, input: &[f32], top: isize, left: isize, kernel: [usize; 2], patch: &mut [f32]) {
    let channels = usize::from(shape.channels);
    for (index, tap) in patch.chunks_exact_mut(channels).enumerate() {
        let (y, x) = (top + (index / kernel[1]) as isize, left + (index % kernel[1]) as isize);
        let inside = (0..shape.height as isize).contains(&y) && (0..shape.width as isize).contains(&x);
        if inside {
            let start = (y as usize * usize::from(shape.width) + x as usize) * channels;
            tap.copy_from_slice(&input[start..start + channels]);
        } else {
            tap.fill(0.0);
        }
    }
}

fn dense(layer: &Layer, input: &[f32]) -> Vec<f32> {
    layer.filters().zip(&layer.bias).map(|(filter, bias)| bias + dot(filter, input)).collect()
}

fn average(shape: Shape, input: &[f32]) -> Vec<f32> {
    let channels = usize::from(shape.channels);
    let pixels = (len(shape) / channels) as f32;
    (0..channels).map(|channel| input.iter().skip(channel).step_by(channels).sum::<f32>() / pixels).collect()
}

fn pool(layer: &Layer, map: &[f32], height: usize, width: usize) -> Vec<f32> {
    let (size, stride) = (usize::from(layer.pool.size), usize::from(layer.pool.stride));
    let channels = layer.channels();
    let mut output = Vec::with_capacity(len(layer.output));
    for y in 0..usize::from(layer.output.height) {
        for x in 0..usize::from(layer.output.width) {
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

/// The scalar product, in lanes so that it vectorizes.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}
