//! What the operators with a filter for each output channel share.

use super::windows::{dot, gather};
use super::{Integers, LARGEST};
use crate::given;
use crate::graph::Layer;
use crate::quantization::Quantization;
use crate::quantize::{QuantizedLayer, Scales};

/// Largest size of a quantized weight.
const WEIGHT_LIMIT: f32 = 127.0;
/// The least weight that a quantized file may have.
const GIVEN_LEAST: f32 = -128.0;
/// A bias takes at most this many steps, so that the sums still have room.
const BIAS_LIMIT: f64 = (1 << 29) as f64;

/// The sums of every output pixel, channel by channel: what `filtered` makes of a channel's number, its filter and the pixels
/// under the window.
pub fn convolve(layer: &Layer, input: &[f32], filtered: impl Fn(usize, &[f32], &[f32]) -> f32) -> Vec<f32> {
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
                    .map(|(channel, (filter, bias))| bias + filtered(channel, filter, &patch)),
            );
        }
    }
    sums
}

/// The scalar product of a filter of `channels` channels with as many of each pixel of the patch, from `first` on.
pub fn group(layer: &Layer, channels: usize, first: usize, filter: &[f32], patch: &[f32]) -> f32 {
    let in_channels = usize::from(layer.record.input.channels);
    let taps = patch.chunks_exact(in_channels).zip(filter.chunks_exact(channels));
    taps.map(|(pixel, weights)| dot(&pixel[first..][..channels], weights)).sum()
}

/// Filters of 8 bits.
pub fn integers(layer: &Layer, input: Quantization, scales: Scales) -> Integers {
    let (weight_scales, least) = match given::weight_steps(layer, input.scale) {
        Some(steps) => (steps.to_vec(), GIVEN_LEAST),
        None => (weight_scales(layer, input.scale, scales), -WEIGHT_LIMIT),
    };
    let mut integers = Integers { weights: Vec::with_capacity(layer.weights.len()), ..Default::default() };
    for ((filter, &scale), &bias) in layer.filters().zip(&weight_scales).zip(&layer.bias) {
        let steps = |weight: f32| (weight / scale).round().clamp(least, WEIGHT_LIMIT) as i8;
        let filter: Vec<i8> = filter.iter().map(|&weight| steps(weight)).collect();
        let step = f64::from(input.scale) * f64::from(scale);
        integers.bias.push((f64::from(bias) / step).round() as i64);
        let sum: i64 = filter.iter().map(|&weight| i64::from(weight)).sum();
        integers.zero_sums.push(i64::from(input.zero_point) * sum);
        integers.steps.push(step);
        integers.weights.extend(filter);
    }
    Integers { weight_scales, ..integers }
}

/// Scales so that the largest weight of an output channel, or of all, is 127 steps.
fn weight_scales(layer: &Layer, input_scale: f32, scales: Scales) -> Vec<f32> {
    let largest = |filter: &[f32]| filter.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
    let scale = |(filter, &bias): (&[f32], &f32)| {
        // A channel of very small weights takes a scale that its bias can be written in.
        let for_bias = f64::from(bias).abs() / (BIAS_LIMIT * f64::from(input_scale));
        (largest(filter) / WEIGHT_LIMIT).max(for_bias as f32)
    };
    let mut all: Vec<f32> = layer.filters().zip(&layer.bias).map(scale).collect();
    match scales {
        Scales::PerChannel => {}
        Scales::One => {
            let common = all.iter().fold(0.0f32, |largest, &scale| largest.max(scale));
            all.fill(common);
        }
    }
    // All weights and the bias are zero: any scale does.
    all.iter_mut().filter(|scale| !scale.is_normal()).for_each(|scale| *scale = 1.0 / WEIGHT_LIMIT);
    all
}

/// All negative products, and all positive ones.
pub fn bounds(layer: &QuantizedLayer, channel: usize) -> (i64, i64) {
    let (mut low, mut high) = (0, 0);
    for &weight in layer.filters().nth(channel).unwrap_or(&[]) {
        let most = LARGEST * i64::from(weight);
        if weight < 0 { low += most } else { high += most }
    }
    (low, high)
}

/// The weights as they are.
pub fn as_they_are(layer: &QuantizedLayer) -> Vec<u8> {
    layer.weights.iter().map(|&weight| weight as u8).collect()
}
