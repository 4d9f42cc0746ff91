//! Networks around each operator of a network of maps, as [`super::all`] are around convolutions.

use thumbnet::format::{Op, Pool, Shape, Window};

use super::{Numbers, requantize};
use crate::builder::{Draft, networks};

/// A network and what to call it.
pub type Named = (String, Vec<Draft>);

/// Sizes around the kernels' blocks: height, width, channels.
const SIZES: [[u16; 3]; 5] = [[1, 1, 1], [4, 5, 4], [5, 3, 7], [7, 8, 1], [3, 17, 18]];
/// Windows of a pooling: kernel, stride, padding; overlapping, apart, with and without padding.
const WINDOWS: [Window; 5] = [
    Window::new([2, 2], [2, 2], [0; 4]),
    Window::new([3, 3], [2, 2], [1; 4]),
    Window::new([3, 2], [1, 1], [2, 0, 1, 1]),
    Window::new([1, 4], [3, 2], [0, 3, 0, 2]),
    Window::new([5, 5], [1, 1], [2; 4]),
];

/// Every operator that is no plain convolution; sums or bytes leave.
pub fn all() -> Vec<Named> {
    let mut cases = vec![
        ("every operator".to_string(), networks::every_operator()),
        ("bytes leave".to_string(), networks::byte_result()),
    ];
    for (index, size) in SIZES.into_iter().enumerate() {
        let numbers = &mut Numbers(index as u32 * 97 + 5);
        let name = |what: &str| format!("{what} of {size:?}");
        cases.push((name("add"), add(size, numbers)));
        cases.push((name("concatenation"), concat(size, numbers)));
        cases.push((name("groups"), grouped(size, numbers)));
        cases.push((name("multiplier"), depthwise(size, numbers)));
        for (number, window) in WINDOWS.into_iter().enumerate() {
            let fits = |size: u16, kernel: u8, padding: u8| size + u16::from(padding) >= u16::from(kernel);
            let [height, width, _] = size;
            if fits(height, window.kernel_height, window.pad_top + window.pad_bottom)
                && fits(width, window.kernel_width, window.pad_left + window.pad_right)
            {
                cases.push((name(&format!("max pooling {number}")), max_pool(size, window, numbers)));
                cases.push((name(&format!("average pooling {number}")), average_pool(size, window, numbers)));
            }
        }
    }
    // Around the 16 outputs that are made at a time, and the words of a row.
    for (inputs, outputs) in [(1, 1), (3, 4), (4, 15), (7, 16), (8, 17), (33, 33), (130, 2)] {
        let numbers = &mut Numbers(u32::from(inputs) * 7 + u32::from(outputs));
        cases.push((format!("vector of {inputs} to {outputs}"), vector(inputs, outputs, numbers)));
    }
    cases
}

/// Random weights and biases whose outputs are spread over the range of a byte.
fn random(mut draft: Draft, numbers: &mut Numbers) -> Draft {
    draft.weights.iter_mut().for_each(|weight| *weight = numbers.byte() as i8);
    draft.bias.iter_mut().for_each(|bias| *bias = i32::from(numbers.byte()) * 50 - 6000);
    requantize(&mut draft);
    draft
}

/// The layer that makes map 1 from what enters: so many channels with this zero point.
fn first([height, width, channels]: [u16; 3], zero_point: u8, numbers: &mut Numbers) -> Draft {
    let conv = Draft::new(Op::Conv, Shape { height, width, channels: 2 }, channels)
        .shaped(|layer| layer.output_zero_point = zero_point);
    random(conv, numbers)
}

/// Another map of the same size from what enters, which needs more rows than the first one.
fn second(size: [u16; 3], channels: u16, numbers: &mut Numbers) -> Draft {
    let [height, width, _] = size;
    let conv = Draft::new(Op::Conv, Shape { height, width, channels: 2 }, channels)
        .shaped(|layer| (layer.window, layer.output_zero_point) = (Window::square(3, 1), 120));
    random(conv.reads(0), numbers)
}

/// A dense layer behind the last one, which gives the logits.
fn ended(mut drafts: Vec<Draft>, numbers: &mut Numbers) -> Vec<Draft> {
    let last = drafts.last().expect("a layer").layer;
    let mut dense =
        Draft::new(Op::Dense, last.output, 5).shaped(|layer| layer.input_zero_point = last.output_zero_point);
    dense.weights.iter_mut().for_each(|weight| *weight = numbers.byte() as i8);
    // A scale for each of them.
    dense.shifts = (30..35).collect();
    drafts.push(dense.logits());
    drafts
}

fn add(size: [u16; 3], numbers: &mut Numbers) -> Vec<Draft> {
    let maps = [first(size, 3, numbers), second(size, size[2], numbers)];
    let factors = [1 << 14, i16::from(numbers.byte() as i8) * 128];
    let mut add = Draft::new(Op::Add, maps[0].layer.output, 0).shaped(|layer| {
        (layer.factors, layer.input_zero_point, layer.output_zero_point) = (factors, 3, 77);
    });
    add.bias = vec![-(3 << 14) - 120 * i32::from(factors[1])];
    add.shifts = vec![45];
    let [first, second] = maps;
    ended(vec![first, second, add.joins(1, 2)], numbers)
}

fn concat(size: [u16; 3], numbers: &mut Numbers) -> Vec<Draft> {
    let maps = [first(size, 3, numbers), second(size, 3, numbers)];
    let mut concat = Draft::new(Op::Concat, maps[1].layer.output, size[2] + 3)
        .shaped(|layer| (layer.input_zero_point, layer.output_zero_point) = (120, 60))
        .byte_table(|index| index ^ 0x35);
    concat.layer.table_zero = 60;
    concat.bias = vec![-120, -3];
    concat.multipliers = vec![1 << 29, (1 << 30) + 12345];
    let [first, second] = maps;
    ended(vec![first, second, concat.joins(2, 1)], numbers)
}

fn grouped(size: [u16; 3], numbers: &mut Numbers) -> Vec<Draft> {
    let [height, width, channels] = size;
    let maps = first([height, width, 2 * channels], 9, numbers);
    let grouped = Draft::new(Op::GroupedConv, maps.layer.output, 2 * channels + 2 * (channels % 2)).shaped(|layer| {
        (layer.window, layer.input_zero_point) = (Window::square(3, 1), 9);
        layer.groups = if channels % 2 == 0 { channels } else { 2 };
        if height > 1 {
            layer.pool = Pool { size: 2, stride: 2, pad_bottom: 0, pad_right: 0 };
        }
    });
    let grouped = random(grouped, numbers);
    ended(vec![maps, grouped], numbers)
}

fn depthwise(size: [u16; 3], numbers: &mut Numbers) -> Vec<Draft> {
    let first = first(size, 9, numbers);
    let depthwise = Draft::new(Op::DepthwiseConv, first.layer.output, 3 * size[2]).shaped(|layer| {
        (layer.window, layer.input_zero_point) = (Window::new([3, 3], [2, 1], [1; 4]), 9);
        (layer.low, layer.high) = (7, 240);
    });
    let depthwise = random(depthwise, numbers);
    ended(vec![first, depthwise], numbers)
}

fn max_pool(size: [u16; 3], window: Window, numbers: &mut Numbers) -> Vec<Draft> {
    let first = first(size, 200, numbers);
    let pool = Draft::new(Op::MaxPool, first.layer.output, 0).shaped(|layer| {
        (layer.window, layer.input_zero_point, layer.output_zero_point) = (window, 200, 200);
        (layer.low, layer.high) = (10, 251);
    });
    ended(vec![first, pool], numbers)
}

fn average_pool(size: [u16; 3], window: Window, numbers: &mut Numbers) -> Vec<Draft> {
    let first = first(size, 0, numbers);
    let mut pool = Draft::new(Op::AveragePool, first.layer.output, 0)
        .shaped(|layer| (layer.window, layer.output_zero_point) = (window, 5))
        .averages();
    pool.bias.iter_mut().for_each(|bias| *bias = i32::from(numbers.byte() as i8));
    // Bytes leave: the map as it is.
    vec![first, pool]
}

fn vector(inputs: u16, outputs: u16, numbers: &mut Numbers) -> Vec<Draft> {
    let dense = |from: Shape, channels| Draft::new(Op::Dense, from, channels);
    // A row of more than one pixel, then vectors.
    let entry = dense(Shape { height: 1, width: 3, channels: inputs }, outputs);
    let entry = random(entry.shaped(|layer| (layer.low, layer.high) = (20, 220)), numbers);
    let table = dense(entry.layer.output, inputs).byte_table(|index| index / 2 + 60);
    let table = random(table, numbers);
    let last = random(dense(table.layer.output, outputs), numbers);
    ended(vec![entry, table, last], numbers)
}
