//! The row engine: known answers, rows against whole images, and what it does with its memory.

mod builder;

use builder::networks::{byte_result, every_operator};
use builder::{Draft, pack};
use thumbnet::format::{Op, Pool, Shape, Window};
use thumbnet::{InputError, Model, Network, NetworkError, Step, softmax};

fn image(model: &Model<'_>, seed: usize) -> Vec<u8> {
    let len = model.input_row_len() * usize::from(model.input().height);
    (0..len).map(|index| ((index + seed) * 37 % 251) as u8).collect()
}

fn logits(network: &mut Network<'_, '_>, pixels: &[u8]) -> Vec<i32> {
    network.classify(pixels).unwrap().logits().iter().collect()
}

#[test]
fn a_convolution_by_hand() {
    // 3x3 image, 2x2 kernel [[1, 2], [3, 4]], pooled 2x2 to one pixel, then a dense layer times 1 and -1.
    let input = Shape { height: 3, width: 3, channels: 1 };
    let mut conv = Draft::new(Op::Conv, input, 1).shaped(|layer| {
        layer.window = Window::square(2, 0);
        layer.pool = Pool { size: 2, stride: 2, pad_bottom: 0, pad_right: 0 };
    });
    conv.weights = vec![1, 2, 3, 4];
    conv.bias = vec![5];
    let mut dense = Draft::new(Op::Dense, conv.layer.output, 2).logits();
    dense.weights = vec![1, -1];
    dense.bias = vec![0, 100];
    let file = pack(&[conv, dense]);
    let model = Model::parse(&file).unwrap();
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).unwrap();
    // The largest of the four sums is 5*1 + 6*2 + 8*3 + 9*4 + 5 = 82.
    assert_eq!(logits(&mut network, &[1, 2, 3, 4, 5, 6, 7, 8, 9]), [82, 18]);
    assert_eq!(network.classify(&[1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap().class(), 0);
}

#[test]
fn a_depthwise_convolution_by_hand() {
    // 16 bytes of weights, so that the first bias follows them at once: it is no fifth row of taps.
    let input = Shape { height: 5, width: 1, channels: 4 };
    let mut depthwise = Draft::new(Op::DepthwiseConv, input, 4)
        .shaped(|layer| (layer.window, layer.input_zero_point) = (Window::new([4, 1], [1, 1], [0; 4]), 5));
    depthwise.weights = vec![1; 16];
    depthwise.bias = vec![100, 0, 0, 0];
    let mut dense = Draft::new(Op::Dense, depthwise.layer.output, 2).logits();
    // [row][output][channel]: the first channel of both rows, and the second of the last.
    dense.weights = vec![1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0];
    let file = pack(&[depthwise, dense]);
    let model = Model::parse(&file).unwrap();
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).unwrap();
    let pixels: Vec<u8> = (1..=5).flat_map(|row| [row, 10 * row, 0, 0]).collect();
    let sums = [1 + 2 + 3 + 4 + 100, 2 + 3 + 4 + 5 + 100];
    assert_eq!(logits(&mut network, &pixels), [sums[0] + sums[1], 20 + 30 + 40 + 50]);
}

#[test]
fn padding_reads_as_the_zero_point() {
    let input = Shape { height: 1, width: 1, channels: 1 };
    let mut first = Draft::new(Op::Conv, input, 1).shaped(|layer| layer.output_zero_point = 10);
    first.weights = vec![1];
    let mut second = Draft::new(Op::Conv, first.layer.output, 1).shaped(|layer| {
        layer.input_zero_point = 10;
        layer.window = Window::square(3, 1);
    });
    second.weights = vec![1; 9];
    let mut dense = Draft::new(Op::Dense, second.layer.output, 1).logits();
    dense.weights = vec![1];
    let file = pack(&[first, second, dense]);
    let model = Model::parse(&file).unwrap();
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).unwrap();
    // The pixel 7 becomes 17 at zero point 10; eight neighbours in the padding are 10 each.
    assert_eq!(logits(&mut network, &[7]), [17 + 80]);
}

#[test]
fn rows_with_pauses_equal_whole_images() {
    for drafts in [every_operator(), byte_result()] {
        check_rows(&pack(&drafts));
    }
}

fn check_rows(file: &[u8]) {
    let model = Model::parse(file).unwrap();
    let (mut one, mut two) = (vec![0; model.arena_len()], vec![0xaa; model.arena_len()]);
    let mut whole = Network::new(&model, &mut one).unwrap();
    let mut rows = Network::new(&model, &mut two).unwrap();
    for seed in 0..if cfg!(miri) { 1 } else { 20 } {
        let pixels = image(&model, seed);
        rows.reset();
        for (index, row) in pixels.chunks(model.input_row_len()).enumerate() {
            rows.push_row(row).unwrap();
            for _ in 0..(index * seed) % 4 {
                rows.step();
            }
        }
        let by_rows: Vec<i32> = rows.finish().unwrap().logits().iter().collect();
        assert_eq!(rows.step(), Step::Done);
        assert_eq!(by_rows, logits(&mut whole, &pixels), "seed {seed}");
    }
}

#[test]
fn nothing_beyond_the_arena_and_nothing_of_the_last_image_matters() {
    for drafts in [every_operator(), byte_result()] {
        check_memory(&pack(&drafts));
    }
}

fn check_memory(file: &[u8]) {
    let model = Model::parse(file).unwrap();
    let pixels = image(&model, 3);
    let mut expected = None;
    for poison in [0, 0x55, 0xff].into_iter().skip(if cfg!(miri) { 2 } else { 0 }) {
        let mut memory = vec![poison; model.arena_len() + 64];
        let mut network = Network::new(&model, &mut memory).unwrap();
        let first = logits(&mut network, &pixels);
        logits(&mut network, &image(&model, 99));
        assert_eq!(logits(&mut network, &pixels), first);
        assert_eq!(*expected.get_or_insert_with(|| first.clone()), first, "poison {poison:#x}");
        assert!(memory[model.arena_len()..].iter().all(|&byte| byte == poison));
    }
}

#[test]
fn wrong_use_is_an_error() {
    let file = pack(&every_operator());
    let model = Model::parse(&file).unwrap();
    let needed = model.arena_len();
    let mut small = vec![0; needed - 1];
    assert_eq!(
        Network::new(&model, &mut small).unwrap_err(),
        NetworkError::ArenaTooSmall { needed, found: needed - 1 }
    );
    let mut arena = vec![0; needed];
    let mut network = Network::new(&model, &mut arena).unwrap();
    assert_eq!(network.step(), Step::NeedsRow);
    assert_eq!(network.classify(&[0; 5]).unwrap_err(), InputError::WrongLength { expected: 132, found: 5 });
    assert_eq!(network.push_row(&[0; 10]).unwrap_err(), InputError::WrongLength { expected: 11, found: 10 });
    network.push_row(&[0; 11]).unwrap();
    assert_eq!(network.finish().unwrap_err(), InputError::MissingRows { missing: 11 });
    for _ in 0..11 {
        network.push_row(&[0; 11]).unwrap();
    }
    assert_eq!(network.push_row(&[0; 11]).unwrap_err(), InputError::TooManyRows);
    network.finish().unwrap();
}

#[test]
fn probabilities_add_up() {
    let file = pack(&every_operator());
    let model = Model::parse(&file).unwrap();
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).unwrap();
    let prediction = network.classify(&image(&model, 1)).unwrap();
    let mut probabilities = [0.0; 3];
    let probabilities = softmax(prediction.logits(), 1e-3, &mut probabilities);
    let sum: f32 = probabilities.iter().sum();
    assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    let largest = probabilities.iter().copied().fold(0.0, f32::max);
    assert_eq!(probabilities[prediction.class()], largest);
}
