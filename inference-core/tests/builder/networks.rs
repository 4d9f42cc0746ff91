//! Networks that together have everything that a model may have.

use thumbnet::format::{Activation, Op, Pool, Shape, TABLE_LEN, Window};

use super::Draft;

/// A network that has every operator, sums as its result: same and valid padding, strides, pooling, both tables, maps that two
/// layers read, one of them with more padding than the other.
pub fn every_operator() -> Vec<Draft> {
    let input = Shape { height: 12, width: 11, channels: 1 };
    let conv = Draft::new(Op::Conv, input, 4).shaped(|layer| {
        layer.window = Window::square(3, 1);
        layer.pool = Pool { size: 2, stride: 2, pad_bottom: 0, pad_right: 1 };
        layer.output_zero_point = 3;
    });
    let depthwise = Draft::new(Op::DepthwiseConv, conv.layer.output, 4).shaped(|layer| {
        layer.window = Window::new([3, 2], [1, 1], [0, 1, 2, 0]);
        layer.pool = Pool { size: 2, stride: 1, pad_bottom: 1, pad_right: 0 };
        layer.input_zero_point = 3;
    });
    let mut table = Draft::new(Op::Conv, depthwise.layer.output, 5).shaped(|layer| {
        layer.window = Window::new([1, 3], [2, 1], [0; 4]);
        layer.activation = Activation::Table;
    });
    table.table = (0..TABLE_LEN).map(|index| (index / 4) as u8).collect();
    table.shifts = vec![38; 5];
    // Not the map before: the branch that begins behind the first convolution.
    let mut grouped = Draft::new(Op::GroupedConv, conv.layer.output, 6)
        .shaped(|layer| {
            layer.window = Window::new([3, 3], [2, 2], [1; 4]);
            (layer.groups, layer.input_zero_point) = (2, 3);
            (layer.table_zero, layer.output_zero_point) = (100, 7);
        })
        .byte_table(|index| index.wrapping_mul(7))
        .reads(1);
    grouped.shifts = vec![37; 6];
    let average_pool = Draft::new(Op::AveragePool, table.layer.output, 0)
        .shaped(|layer| layer.window = Window::square(3, 1))
        .averages()
        .reads(3);
    let mut add = Draft::new(Op::Add, table.layer.output, 0).shaped(|layer| layer.factors = [1 << 14, -(1 << 13)]);
    (add.bias, add.shifts) = (vec![50 << 14], vec![44]);
    let add = add.joins(3, 5);
    let mut concat = Draft::new(Op::Concat, add.layer.output, 11).joins(6, 4);
    concat.bias = vec![0, -7];
    let max_pool = Draft::new(Op::MaxPool, concat.layer.output, 0).shaped(|layer| {
        layer.window = Window::new([2, 2], [1, 1], [0, 0, 1, 1]);
        (layer.low, layer.high) = (2, 250);
    });
    let mut twice = Draft::new(Op::DepthwiseConv, max_pool.layer.output, 22)
        .shaped(|layer| layer.window = Window::new([2, 2], [1, 1], [0; 4]));
    twice.shifts = vec![37; 22];
    let mut average = Draft::new(Op::GlobalAveragePool, twice.layer.output, 0);
    average.shifts = vec![32; 22];
    let mut vector = Draft::new(Op::Dense, average.layer.output, 18);
    vector.shifts = vec![37; 18];
    let logits = Draft::new(Op::Dense, vector.layer.output, 3).logits();
    vec![conv, depthwise, table, grouped, average_pool, add, concat, max_pool, twice, average, vector, logits]
}

/// A network whose result is a map of bytes with a zero point of its own; what enters has one too, and is read twice.
pub fn byte_result() -> Vec<Draft> {
    let input = Shape { height: 6, width: 5, channels: 2 };
    let mut conv = Draft::new(Op::Conv, input, 2)
        .shaped(|layer| {
            layer.window = Window::square(3, 1);
            (layer.input_zero_point, layer.output_zero_point, layer.table_zero) = (128, 64, 128);
        })
        .byte_table(|index| index / 2);
    conv.shifts = vec![36; 2];
    let mut add = Draft::new(Op::Add, input, 0).shaped(|layer| {
        layer.factors = [1 << 13, 1 << 14];
        (layer.input_zero_point, layer.output_zero_point) = (128, 9);
    });
    (add.bias, add.shifts) = (vec![-(128 << 13) - (64 << 14)], vec![44]);
    vec![conv, add.joins(0, 1)]
}
