//! Windows over whole maps of floats.

use std::ops::Range;

use thumbnet::format::Shape;

use crate::graph::Layer;

/// Copies a window of the map to `patch`, zeros outside.
pub fn gather(shape: Shape, input: &[f32], top: isize, left: isize, kernel: [usize; 2], patch: &mut [f32]) {
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

/// What `reduce` makes of the values of the map under each window, for each channel.
pub fn reduce(layer: &Layer, input: &[f32], reduce: impl Fn(&mut dyn Iterator<Item = f32>) -> f32) -> Vec<f32> {
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

/// The scalar product, in lanes so that it vectorizes.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
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
