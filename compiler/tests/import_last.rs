//! Networks with their channels last, as Keras and tf2onnx write them: what tract makes of the same file.

mod common;

use common::import::{assert_imports, assert_refused, ops};
use common::{Graph, int, ints};
use thumbnet::format::{Op, Shape};

fn first(graph: Graph, name: &str) -> Graph {
    graph.node("Transpose", name, &[], vec![ints("perm", &[0, 3, 1, 2])])
}

fn last(graph: Graph, name: &str) -> Graph {
    graph.node("Transpose", name, &[], vec![ints("perm", &[0, 2, 3, 1])])
}

/// A convolution of an image with its channels last.
fn conv(graph: Graph, name: &str, dims: [usize; 4]) -> Graph {
    let pads = vec![ints("pads", &[1, 1, 1, 1])];
    last(first(graph, &format!("{name}_first")).conv(name, dims, pads), &format!("{name}_last"))
}

fn image() -> Graph {
    Graph::of(&[8, 6, 3])
}

#[test]
fn constants_meet_the_last_axis() {
    let normalized = image()
        .floats("mean", &[1, 1, 1, 3], &[0.4, 0.5, 0.6])
        .floats("std", &[3], &[0.2, 0.25, 0.3])
        .node("Sub", "less", &["mean"], vec![])
        .node("Div", "by", &["std"], vec![]);
    let network = assert_imports(
        conv(normalized, "a", [5, 3, 3, 3])
            .random("scale", &[5], 0.5, 1.5)
            .random("shift", &[1, 1, 5], -0.5, 0.5)
            .node("Mul", "m", &["scale"], vec![])
            .node("Add", "s", &["shift"], vec![])
            .node("Relu", "r", &[], vec![])
            .node("ReduceMean", "g", &[], vec![ints("axes", &[1, 2]), int("keepdims", 0)])
            .random("w", &[5, 10], -1.0, 1.0)
            .random("b", &[10], -1.0, 1.0)
            .node("MatMul", "dense", &["w"], vec![])
            .node("Add", "bias", &["b"], vec![]),
    );
    assert_eq!(network.input, Shape { height: 8, width: 6, channels: 3 });
    let found: Vec<Op> = network.layers.iter().map(|layer| layer.record.op).collect();
    // The shift of the image before padding is a layer of its own.
    assert_eq!(found, [Op::DepthwiseConv, Op::Conv, Op::GlobalAveragePool, Op::Dense]);
}

#[test]
fn a_flatten_takes_channels_fastest() {
    let flat = conv(image(), "a", [4, 3, 3, 3]).integers("shape", &[-1, 8 * 6 * 4]);
    assert_eq!(ops(flat.node("Reshape", "f", &["shape"], vec![]).dense("d", 10, 8 * 6 * 4)), [Op::Conv, Op::Dense]);
    // An image alone, and one turned around.
    assert_eq!(ops(image().classes(8 * 6 * 3)), [Op::Dense]);
    let turned = image().node("Transpose", "t", &[], vec![ints("perm", &[0, 2, 1, 3])]);
    assert_eq!(ops(turned.classes(8 * 6 * 3)), [Op::Dense]);
}

#[test]
fn branches() {
    let block = || conv(image(), "a", [4, 3, 3, 3]).node("Relu", "r", &[], vec![]);
    let added = conv(block(), "b", [4, 4, 3, 3]).join("Add", "add", &["b_last_out", "r_out"], vec![]);
    assert_eq!(ops(added.classes(8 * 6 * 4)), [Op::Conv, Op::Conv, Op::Add, Op::Dense]);
    let joined = conv(block(), "b", [2, 4, 3, 3]).join("Concat", "cat", &["b_last_out", "r_out"], vec![int("axis", 3)]);
    assert_eq!(ops(conv(joined, "c", [3, 6, 3, 3])), [Op::Conv, Op::Conv, Op::Concat, Op::Conv]);
    let rows = conv(block(), "b", [4, 4, 3, 3]).join("Concat", "cat", &["b_last_out", "r_out"], vec![int("axis", 1)]);
    assert_refused(rows, "cat", "along the channels");
    let crossed = block().join("Add", "add", &["r_out", "a_out"], vec![]);
    assert_refused(crossed, "add", "same dimensions");
}

#[test]
fn padding_and_pooling() {
    let padded = image().integers("pads", &[0, 1, 2, 0, 0, 0, 1, 0]).node("Pad", "pad", &["pads"], vec![]);
    assert_eq!(ops(first(padded, "t").conv("a", [4, 3, 3, 3], vec![])), [Op::Conv]);
    let channels = image().integers("pads", &[0, 0, 0, 1, 0, 0, 0, 0]).node("Pad", "pad", &["pads"], vec![]);
    assert_refused(first(channels, "t").conv("a", [4, 4, 3, 3], vec![]), "pad", "pad height and width only");
    let cropped = image().integers("pads", &[0, -1, 0, 0, 0, 0, 0, 0]).node("Pad", "pad", &["pads"], vec![]);
    assert_refused(first(cropped, "t").conv("a", [4, 3, 3, 3], vec![]), "pad", "by at least 0");
    for axes in [&[1, 2][..], &[-3, -2]] {
        let reduced = conv(image(), "a", [4, 3, 3, 3]).node("ReduceMax", "g", &[], vec![ints("axes", axes)]);
        assert_imports(reduced.classes(4));
    }
    let steps = conv(image(), "a", [4, 3, 3, 3])
        .node("ReduceMean", "g", &[], vec![ints("axes", &[2]), int("keepdims", 0)])
        .node("ReduceMean", "h", &[], vec![ints("axes", &[1]), int("keepdims", 0)]);
    assert_imports(steps.dense("d", 10, 4));
    let sum = conv(image(), "a", [4, 3, 3, 3]).integers("axes", &[1, 2]).node("ReduceSum", "g", &["axes"], vec![]);
    assert_imports(sum.classes(4));
    let channels = conv(image(), "a", [4, 3, 3, 3]).node("ReduceMean", "g", &[], vec![ints("axes", &[3])]);
    assert_refused(channels, "g", "reduce height and width together");
}

#[test]
fn a_convolution_seen_from_the_side() {
    // Height and width changed places: so do those of the kernel.
    let side = |graph: Graph| graph.node("Transpose", "side", &[], vec![ints("perm", &[0, 1, 3, 2])]);
    let network = side(Graph::new([2, 9, 7]).conv("a", [3, 2, 3, 3], vec![]));
    let network = network.conv("b", [4, 3, 3, 2], vec![ints("strides", &[1, 2]), ints("pads", &[0, 1, 1, 0])]);
    assert_imports(network.clone());
    assert_imports(network.classes(4 * 4 * 4));
}

#[test]
fn series_with_their_channels_last() {
    // One-dimensional convolutions of Keras: a Transpose, an axis that is added, another one that is taken away.
    let series = Graph::of(&[20, 4])
        .node("Transpose", "t", &[], vec![ints("perm", &[0, 2, 1])])
        .integers("axis", &[2])
        .node("Unsqueeze", "u", &["axis"], vec![])
        .conv("a", [6, 4, 1, 3], vec![])
        .node("Squeeze", "s", &["axis"], vec![])
        .node("Transpose", "v", &[], vec![ints("perm", &[0, 2, 1])])
        .node("Relu", "r", &[], vec![])
        .node("ReduceMean", "g", &[], vec![ints("axes", &[1]), int("keepdims", 0)])
        .dense("d", 5, 6);
    assert_imports(series);
    // A dense layer at each time.
    let dense = Graph::of(&[4, 20]).node("Transpose", "t", &[], vec![ints("perm", &[0, 2, 1])]);
    let dense =
        dense.random("w", &[4, 7], -1.0, 1.0).node("MatMul", "m", &["w"], vec![]).node("Relu", "r", &[], vec![]);
    assert_eq!(ops(dense.classes(20 * 7)), [Op::Conv, Op::Dense]);
}

#[test]
fn what_cannot_be_read_says_what_to_do() {
    let conv = || Graph::new([1, 8, 8]).conv("a", [4, 1, 3, 3], vec![]);
    let mixed = conv().integers("shape", &[1, 9, 16]).node("Reshape", "f", &["shape"], vec![]);
    assert_refused(mixed.conv1d("b", [2, 9, 3], vec![]), "f", "mixes its axes");
    let gate = conv().node("GlobalAveragePool", "g", &[], vec![]).node("Sigmoid", "s", &[], vec![]);
    assert_refused(gate.join("Mul", "m", &["a_out", "s_out"], vec![]).classes(144), "m", "joins two maps");
    let normalized = conv().node("LayerNormalization", "n", &[], vec![]).classes(144);
    assert_refused(normalized, "n", "BatchNormalization");
    let quantized = conv().node("DynamicQuantizeLinear", "q", &[], vec![]).classes(144);
    assert_refused(quantized, "q", "compile the float file");
    let batch = conv().integers("shape", &[2, 72]).node("Reshape", "f", &["shape"], vec![]).dense("d", 10, 72);
    assert!(thumbnet_compiler::onnx::import(&batch.bytes()).is_err());
    let pixel = conv().random("mask", &[1, 1, 6, 6], 0.0, 1.0).node("Mul", "m", &["mask"], vec![]);
    assert_refused(pixel.classes(144), "m", "one value a channel");
}
