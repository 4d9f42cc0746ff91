//! The operators of a network of maps by hand: small known answers.

#[allow(dead_code, reason = "shared with other tests")]
mod builder;

use builder::networks::byte_result;
use builder::{Draft, pack};
use thumbnet::format::{Op, Pool, Shape, Window};
use thumbnet::{Model, Network};

fn shape(height: u16, width: u16, channels: u16) -> Shape {
    Shape { height, width, channels }
}

/// What the network makes of an image.
fn outputs(drafts: &[Draft], pixels: &[u8]) -> Vec<i32> {
    let file = pack(drafts);
    let model = Model::parse(&file).unwrap();
    let mut arena = vec![0x55; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).unwrap();
    network.classify(pixels).unwrap().logits().iter().collect()
}

/// A layer that gives its single map on as it is, for those that need two.
fn copy(input: Shape) -> Draft {
    let mut copy = Draft::new(Op::DepthwiseConv, input, input.channels);
    copy.weights.fill(1);
    copy
}

#[test]
fn an_add_weighs_both_maps() {
    let input = shape(2, 1, 2);
    let mut add = Draft::new(Op::Add, input, 0).shaped(|layer| {
        layer.factors = [3, -2];
        layer.output_zero_point = 20;
        (layer.low, layer.high) = (18, 60);
    });
    add.bias = vec![4];
    let mut twice = copy(input);
    twice.weights.fill(2);
    // 3a - 2 (2a) + 4 = 4 - a, then clamped at zero point 20: the result is what lies above that.
    let drafts = [twice, add.clone().joins(0, 1)];
    assert_eq!(outputs(&drafts, &[0, 1, 3, 50]), [4, 3, 1, -2]);
    // The other way round it is 3 (2a) - 2a + 4 = 4a + 4.
    let drafts = [drafts[0].clone(), add.joins(1, 0)];
    assert_eq!(outputs(&drafts, &[0, 1, 3, 50]), [4, 8, 16, 40]);
}

#[test]
fn an_add_rounds_once() {
    let input = shape(1, 3, 1);
    let mut add = Draft::new(Op::Add, input, 0).shaped(|layer| layer.factors = [1 << 14, 1 << 13]);
    add.shifts = vec![44];
    // a + a / 2, halves up.
    assert_eq!(outputs(&[copy(input), add.joins(0, 1)], &[1, 2, 3]), [2, 3, 5]);
}

#[test]
fn a_concatenation_requantizes_each_map_for_itself() {
    let mut wide = Draft::new(Op::Conv, shape(1, 2, 1), 2);
    wide.weights = vec![1, 2];
    let mut concat = Draft::new(Op::Concat, shape(1, 2, 2), 3);
    concat.bias = vec![1, -3];
    concat.shifts = vec![30, 31];
    assert_eq!(outputs(&[wide.clone(), concat.joins(1, 0)], &[5, 20]), [6, 11, 1, 21, 41, 9]);
    let mut concat = Draft::new(Op::Concat, shape(1, 2, 1), 3);
    concat.bias = vec![1, -3];
    assert_eq!(outputs(&[wide, concat.joins(0, 1)], &[5, 20]), [6, 2, 7, 21, 17, 37]);
}

#[test]
fn a_max_pooling_does_not_see_its_padding() {
    let zeros = |layer: &mut thumbnet::format::Layer| {
        layer.window = Window::new([3, 3], [2, 2], [1; 4]);
        (layer.input_zero_point, layer.output_zero_point) = (100, 100);
    };
    let pool = Draft::new(Op::MaxPool, shape(3, 3, 1), 0).shaped(zeros);
    assert_eq!(pool.layer.output, shape(2, 2, 1));
    // Zero points are 100, all pixels are smaller.
    let pixels = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    assert_eq!(outputs(std::slice::from_ref(&pool), &pixels), [5, 6, 8, 9].map(|largest| largest - 100));
    let clamped = pool.shaped(|layer| (layer.low, layer.high) = (6, 8));
    assert_eq!(outputs(&[clamped], &pixels), [6, 6, 8, 8].map(|largest| largest - 100));
}

#[test]
fn poolings_may_overlap_and_leave_rows_out() {
    let pixels: Vec<u8> = (0..14).map(|index| index * 5 % 14).collect();
    let overlapping =
        Draft::new(Op::MaxPool, shape(7, 1, 2), 0).shaped(|layer| layer.window = Window::new([3, 1], [1, 1], [0; 4]));
    let sparse =
        Draft::new(Op::MaxPool, shape(7, 1, 2), 0).shaped(|layer| layer.window = Window::new([1, 1], [3, 1], [0; 4]));
    let value = |row: usize, channel| i32::from(pixels[row * 2 + channel]);
    let rows = |row: usize| [0, 1].map(|channel| (row..row + 3).map(|row| value(row, channel)).max().unwrap());
    assert_eq!(outputs(&[overlapping], &pixels), (0..5).flat_map(rows).collect::<Vec<_>>());
    let wanted: Vec<i32> = [0, 3, 6].into_iter().flat_map(|row| [value(row, 0), value(row, 1)]).collect();
    assert_eq!(outputs(&[sparse], &pixels), wanted);
}

#[test]
fn an_average_pooling_divides_by_what_is_in_the_map() {
    let mut pool = Draft::new(Op::AveragePool, shape(3, 2, 1), 0)
        .shaped(|layer| layer.window = Window::new([3, 2], [2, 1], [1, 1, 1, 0]))
        .averages();
    assert_eq!(pool.layer.output, shape(2, 2, 1));
    assert_eq!(pool.layer.scales(), 6);
    let pixels = [10, 20, 30, 40, 50, 70];
    // Two rows of one column, two rows of two columns; the same below.
    assert_eq!(outputs(std::slice::from_ref(&pool), &pixels), [20, 25, 40, 48]);
    // Padding that counts: every window has six values, those outside are the zero point.
    pool.multipliers.fill((1 << 30) / 6);
    pool.layer.input_zero_point = 12;
    pool.bias = (1..=6).map(|count| 12 * (6 - count)).collect();
    let counted = [10 + 30 + 48, 10 + 20 + 30 + 40 + 24, 30 + 50 + 48, 30 + 40 + 50 + 70 + 24];
    assert_eq!(outputs(&[pool], &pixels), counted.map(|sum| (sum + 3) / 6));
}

#[test]
fn a_grouped_convolution_reads_its_own_channels() {
    // Four channels in two groups, three outputs each; kernel 1x2.
    let mut grouped = Draft::new(Op::GroupedConv, shape(1, 3, 4), 6)
        .shaped(|layer| (layer.window, layer.groups) = (Window::new([1, 2], [1, 1], [0; 4]), 2));
    assert_eq!(grouped.weights.len(), 6 * 2 * 2);
    // [output][column][channel of the group]
    grouped.weights = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]].concat();
    let pixels = [1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24];
    assert_eq!(outputs(&[grouped], &pixels), [1, 2, 23, 3, 4, 27, 11, 12, 43, 13, 14, 47]);
}

#[test]
fn a_grouped_convolution_reads_padding_as_the_zero_point_and_pools() {
    let mut grouped = Draft::new(Op::GroupedConv, shape(2, 2, 2), 2).shaped(|layer| {
        (layer.window, layer.groups, layer.input_zero_point) = (Window::square(3, 1), 2, 10);
        layer.pool = Pool { size: 2, stride: 2, pad_bottom: 0, pad_right: 0 };
    });
    grouped.weights.fill(1);
    // Four pixels of a channel and five outside, whichever window.
    assert_eq!(outputs(&[grouped], &[1, 10, 2, 20, 3, 30, 4, 40]), [10 + 50, 100 + 50]);
}

#[test]
fn a_depthwise_multiplier_gives_neighbours_to_an_input_channel() {
    let mut depthwise = Draft::new(Op::DepthwiseConv, shape(2, 1, 2), 6)
        .shaped(|layer| layer.window = Window::new([2, 1], [1, 1], [0; 4]));
    depthwise.weights = [[1, 2, 3, 4, 5, 6], [0, 0, 0, 1, 1, 1]].concat();
    assert_eq!(outputs(&[depthwise], &[3, 10, 0, 7]), [3, 6, 9, 47, 57, 67]);
}

#[test]
fn a_dense_layer_on_a_vector_needs_no_accumulators() {
    // More outputs than are made at a time, and no multiple of it.
    let outputs_of = 37;
    let mut dense = Draft::new(Op::Dense, shape(1, 1, 5), outputs_of).shaped(|layer| layer.output_zero_point = 30);
    dense.weights = (0..37).flat_map(|output| [0, 0, output, 0, 0]).collect();
    dense.weights[4] = -1;
    dense.bias = (0..i32::from(outputs_of)).collect();
    let file = pack(std::slice::from_ref(&dense));
    assert_eq!(Model::parse(&file).unwrap().layer(0).unwrap().scratch_len, 0);
    let mut wanted: Vec<i32> = (0..37).map(|output| 3 * output + output).collect();
    wanted[0] = -9;
    assert_eq!(outputs(&[dense], &[1, 2, 3, 4, 9]), wanted);
}

#[test]
fn logits_come_to_one_scale_by_their_multipliers() {
    let mut dense = Draft::new(Op::Dense, shape(2, 1, 1), 3).logits();
    dense.weights = vec![1, 1, -1, 2, 2, -2];
    dense.bias = vec![0, 1000, 0];
    dense.shifts = vec![30, 31, 32];
    // 3 + 2 * 5 = 13: as it is, with 1000 half of that up, and minus a quarter.
    assert_eq!(outputs(&[dense], &[3, 5]), [13, 507, -3]);
}

#[test]
fn a_small_table_saturates_at_both_ends() {
    let mut conv =
        Draft::new(Op::Conv, shape(1, 4, 1), 1).shaped(|layer| layer.table_zero = 250).byte_table(|index| 255 - index);
    conv.weights = vec![-1];
    conv.bias = vec![6];
    // Entries 256 (the last one is 255), 250, 1 and -4 (the first one).
    conv.multipliers = vec![1 << 30];
    assert_eq!(outputs(&[conv], &[0, 6, 255, 255]), [0, 5, 254, 254]);
}

#[test]
fn bytes_that_leave_count_from_their_zero_point() {
    let pixels: Vec<u8> = (0..60).map(|index| index * 4).collect();
    let drafts = byte_result();
    let found = outputs(&drafts, &pixels);
    assert_eq!(found.len(), 60);
    assert!(found.iter().any(|&output| output < 0) && found.iter().any(|&output| output > 0), "{found:?}");
    // The result is clamped to bytes at zero point 9.
    assert!(found.iter().all(|output| (-9..=246).contains(output)));
}

#[test]
fn of_one_output_the_class_is_whether_it_is_above_zero() {
    let mut dense = Draft::new(Op::Dense, shape(2, 1, 1), 1).logits();
    dense.weights = vec![1, -1];
    let mut bytes = copy(shape(1, 1, 1));
    (bytes.layer.output_zero_point, bytes.bias) = (9, vec![-9]);
    for (draft, images) in [(dense, [[5, 4], [4, 5], [4, 4]].concat()), (bytes, vec![10, 0, 9])] {
        let file = pack(&[draft]);
        let model = Model::parse(&file).unwrap();
        let mut arena = vec![0; model.arena_len()];
        let mut network = Network::new(&model, &mut arena).unwrap();
        let classes: Vec<usize> =
            images.chunks(images.len() / 3).map(|image| network.classify(image).unwrap().class()).collect();
        assert_eq!(classes, [1, 0, 0]);
    }
}

#[test]
fn a_map_with_the_padding_of_another_reader_gives_each_its_own() {
    let input = shape(4, 4, 2);
    let conv = |pad: u8| {
        let window = Window::square(2 * pad + 1, pad);
        let mut conv =
            Draft::new(Op::Conv, input, 2).shaped(|layer| (layer.window, layer.input_zero_point) = (window, 3));
        conv.weights.fill(1);
        conv.shifts = vec![33; 2];
        conv.reads(0)
    };
    let add = Draft::new(Op::Add, input, 0).shaped(|layer| layer.factors = [1, 1]);
    let pixels: Vec<u8> = (0..32).map(|index| index * 7 % 60).collect();
    let sum = |y: i32, x: i32, pad: i32| -> i32 {
        let places = (-pad..=pad).flat_map(|dy| (-pad..=pad).map(move |dx| (y + dy, x + dx)));
        let pixel = |y: i32, x: i32| {
            let inside = (0..4).contains(&y) && (0..4).contains(&x);
            let at = ((y * 4 + x) * 2) as usize;
            if inside { i32::from(pixels[at]) + i32::from(pixels[at + 1]) } else { 6 }
        };
        (places.map(|(y, x)| pixel(y, x)).sum::<i32>() + 4) / 8
    };
    let pads = [1, 3, 0];
    let mut wanted = Vec::new();
    for (y, x) in (0..4).flat_map(|y| (0..4).map(move |x| (y, x))) {
        let all: i32 = pads.map(|pad| sum(y, x, pad).min(255)).iter().sum();
        wanted.extend([all.min(255); 2]);
    }
    let [one, three, none] = pads.map(|pad| conv(pad as u8));
    let drafts = [one, three, none, add.clone().joins(1, 2), add.joins(4, 3)];
    assert_eq!(outputs(&drafts, &pixels), wanted);
}
