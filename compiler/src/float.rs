//! Runs the float network, to measure its activations. Plain loops over whole maps,
//! `[height][width][channels]`; nothing else uses it.

use std::ops::Range;

use inference_core::format::{Op, Pool, Shape};

use crate::graph::{Layer, Network};

/// The output of every layer, the result last.
pub fn activations(network: &Network, image: &[f32]) -> Vec<Vec<f32>> {
    let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(network.layers.len());
    for each in &network.layers {
        let map = |map: usize| map.checked_sub(1).map_or(image, |index| outputs.get(index).map_or(&[], Vec::as_slice));
        let inputs: Vec<&[f32]> = each.record.input_maps().map(map).collect();
        let output = layer(each, &inputs);
        outputs.push(output);
    }
    outputs
}

/// Pixel bytes as the network's float input: 0.0 to 1.0.
pub fn image(pixels: &[u8]) -> Vec<f32> {
    pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect()
}

/// What one layer makes of the maps that it reads, in the order of its record: sums, then activation, then pooling.
pub fn layer(layer: &Layer, inputs: &[&[f32]]) -> Vec<f32> {
    let first = inputs.first().copied().unwrap_or(&[]);
    let second = inputs.get(1).copied().unwrap_or(&[]);
    let mut values = match layer.record.op {
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv => convolve(layer, first),
        Op::Dense => layer.filters().zip(&layer.bias).map(|(filter, bias)| bias + dot(filter, first)).collect(),
        Op::GlobalAveragePool => average(layer, first),
        Op::Add => add(layer, first, second),
        Op::MaxPool => windows(layer, first, |window| window.fold(f32::NEG_INFINITY, f32::max)),
        Op::AveragePool => average_windows(layer, first),
        Op::Concat => concat(layer, first, second),
    };
    for value in &mut values {
        *value = layer.activation.apply(*value);
    }
    if layer.record.pool == Pool::NONE { values } else { pool(layer, &values) }
}

fn convolve(layer: &Layer, input: &[f32]) -> Vec<f32> {
    let record = &layer.record;
    let (height, width, window) = (record.conv_height(), record.conv_width(), &record.window);
    let kernel = [usize::from(window.kernel_height), usize::from(window.kernel_width)];
    let in_channels = usize::from(record.input.channels);
    let mut patch = vec![0.0; kernel[0] * kernel[1] * in_channels];
    let mut sums = Vec::with_capacity(height * width * layer.channels());
    for y in 0..height {
        for x in 0..width {
            let top = (y * usize::from(window.stride_height)) as isize - isize::from(window.pad_top);
            let left = (x * usize::from(window.stride_width)) as isize - isize::from(window.pad_left);
            gather(record.input, input, top, left, kernel, &mut patch);
            sums.extend(
                layer
                    .filters()
                    .zip(&layer.bias)
                    .enumerate()
                    .map(|(channel, (filter, bias))| bias + filtered(layer, channel, filter, &patch)),
            );
        }
    }
    sums
}

/// The scalar product of an output channel's filter with the channels of the patch that it reads.
fn filtered(layer: &Layer, channel: usize, filter: &[f32], patch: &[f32]) -> f32 {
    let in_channels = usize::from(layer.record.input.channels);
    let group = channel / layer.record.group_outputs().max(1);
    let of_group = |channels: usize| {
        let taps = patch.chunks_exact(in_channels).zip(filter.chunks_exact(channels));
        taps.map(|(pixel, weights)| dot(&pixel[group * channels..][..channels], weights)).sum()
    };
    match layer.record.op {
        Op::DepthwiseConv => of_group(1),
        Op::GroupedConv => of_group(layer.record.filter_channels()),
        Op::Conv | Op::Dense | Op::GlobalAveragePool | Op::Add | Op::MaxPool | Op::AveragePool | Op::Concat => {
            dot(filter, patch)
        }
    }
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

fn average(layer: &Layer, input: &[f32]) -> Vec<f32> {
    let channels = usize::from(layer.record.input.channels);
    let pixels = (layer.record.input.len() / channels) as f32;
    let mean = |channel| input.iter().skip(channel).step_by(channels).sum::<f32>() / pixels;
    layer.bias.iter().enumerate().map(|(channel, bias)| bias + mean(channel)).collect()
}

fn add(layer: &Layer, a: &[f32], b: &[f32]) -> Vec<f32> {
    let (&[first, second], &[bias]) = (&layer.weights[..], &layer.bias[..]) else { return Vec::new() };
    a.iter().zip(b).map(|(a, b)| first * a + second * b + bias).collect()
}

fn concat(layer: &Layer, a: &[f32], b: &[f32]) -> Vec<f32> {
    let first = usize::from(layer.record.input.channels);
    let second = layer.channels() - first;
    let pixels = a.chunks_exact(first).zip(b.chunks_exact(second));
    pixels.flat_map(|(a, b)| a.iter().chain(b).copied()).collect()
}

fn average_windows(layer: &Layer, input: &[f32]) -> Vec<f32> {
    let taps = layer.record.window.taps();
    windows(layer, input, |window| {
        let (mut sum, mut count) = (0.0, 0);
        for value in window {
            sum += value;
            count += 1;
        }
        sum / if layer.counts_padding { taps } else { count } as f32
    })
}

/// `reduce` of the values of the map under each window, for each channel.
fn windows(layer: &Layer, input: &[f32], reduce: impl Fn(&mut dyn Iterator<Item = f32>) -> f32) -> Vec<f32> {
    let (record, window) = (&layer.record, &layer.record.window);
    let (rows, columns) = (record.conv_height(), record.conv_width());
    let shape = record.input;
    let channels = usize::from(shape.channels);
    let row = |y| covered(y, window.stride_height, window.kernel_height, window.pad_top, shape.height);
    let column = |x| covered(x, window.stride_width, window.kernel_width, window.pad_left, shape.width);
    let mut output = Vec::with_capacity(rows * columns * channels);
    for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
        for channel in 0..channels {
            let pixels = row(y).flat_map(|row| column(x).map(move |column| row * usize::from(shape.width) + column));
            output.push(reduce(&mut pixels.map(|pixel| input[pixel * channels + channel])));
        }
    }
    output
}

/// The rows (or columns) of the map under a window.
fn covered(position: usize, stride: u8, kernel: u8, padding: u8, size: u16) -> Range<usize> {
    let (start, padding) = (position * usize::from(stride), usize::from(padding));
    let end = (start + usize::from(kernel)).saturating_sub(padding).min(size.into());
    start.saturating_sub(padding)..end
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
