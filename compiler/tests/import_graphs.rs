//! Imported branches, series and vectors compute what tract makes of the same ONNX file.

mod common;

use common::import::{assert_imports, assert_refused, map, ops, pool, relu_map};
use common::{Graph, int, ints};
use thumbnet::format::{Op, Shape};
use thumbnet_compiler::graph::Activation;

#[test]
fn normalization_after_an_activation() {
    let normalized = || relu_map().batch_norm("n", 3);
    assert_eq!(ops(normalized().conv("b", [2, 3, 3, 3], vec![])), [Op::Conv, Op::Conv]);
    assert_eq!(ops(normalized().classes(3 * 36)), [Op::Conv, Op::Dense]);
    // Zeros before the normalization are none behind it: it becomes a layer.
    let pads = || vec![ints("pads", &[1, 1, 1, 1])];
    let own = [Op::Conv, Op::DepthwiseConv, Op::Conv];
    assert_eq!(ops(normalized().conv("b", [2, 3, 3, 3], pads())), own);
    assert_eq!(ops(normalized().node("Relu", "again", &[], vec![]).conv("b", [2, 3, 3, 3], pads())), own);
    assert_eq!(ops(normalized()), own[..2]);
    assert_eq!(ops(Graph::new([2, 6, 6]).batch_norm("n", 2).conv("b", [2, 2, 3, 3], pads())), own[1..]);
    // A scale keeps its zeros, and one that is positive even its place in front of the activation.
    let scaled = relu_map().floats("s", &[3, 1, 1], &[0.5, -2.0, 1.0]).node("Mul", "m", &["s"], vec![]);
    assert_eq!(ops(scaled.conv("b", [2, 3, 3, 3], pads())), [Op::Conv, Op::Conv]);
    let scaled = relu_map().floats("s", &[3, 1, 1], &[0.5, 2.0, 1.0]).node("Div", "m", &["s"], vec![]);
    assert_eq!(ops(scaled), [Op::Conv]);
    let shifted = relu_map().floats("s", &[], &[0.5]).node("Sub", "m", &["s"], vec![]);
    assert_eq!(assert_imports(shifted).layers[0].activation, Activation::Clamp(-0.5, f32::INFINITY));
    // Max pooling behind it: the order of values may turn around.
    let turned = relu_map().floats("s", &[3, 1, 1], &[0.5, -2.0, 1.0]).node("Mul", "m", &["s"], vec![]);
    assert_eq!(ops(pool("p", turned, vec![])), [Op::Conv, Op::DepthwiseConv]);
    let kept = pool("p", normalized(), vec![]);
    assert_eq!(ops(kept.conv("b", [2, 3, 3, 3], vec![])), [Op::Conv, Op::Conv]);
}

#[test]
fn sums_of_maps() {
    let pads = || vec![ints("pads", &[1, 1, 1, 1])];
    let block = || {
        relu_map()
            .conv("b", [3, 3, 3, 3], pads())
            .batch_norm("bn", 3)
            .node("Relu", "br", &[], vec![])
            .conv("c", [3, 3, 3, 3], pads())
            .batch_norm("cn", 3)
    };
    let residual = block().join("Add", "add", &["cn_out", "r_out"], vec![]).node("Relu", "ar", &[], vec![]);
    let network = assert_imports(residual.classes(3 * 36));
    let [.., add, _] = &network.layers[..] else { panic!() };
    assert_eq!((add.record.op, add.record.inputs, add.activation), (Op::Add, [3, 1], Activation::RELU));
    let scaled = block().floats("half", &[1], &[0.5]).node("Mul", "m", &["half"], vec![]);
    let difference = scaled.join("Sub", "sub", &["r_out", "m_out"], vec![]).node("HardSwish", "h", &[], vec![]);
    assert_eq!(ops(difference), [Op::Conv, Op::Conv, Op::Conv, Op::Add]);
    // A scale behind an activation waits and is the addition's own; one that differs by channel cannot.
    let scaled = || block().node("Sigmoid", "s", &[], vec![]);
    let alike = scaled().floats("k", &[], &[0.3]).node("Mul", "m", &["k"], vec![]);
    assert_eq!(ops(alike.join("Add", "add", &["m_out", "r_out"], vec![])).len(), 4);
    let different = scaled().batch_norm("n", 3).join("Add", "add", &["n_out", "r_out"], vec![]);
    assert_eq!(ops(different).len(), 5);
    assert_eq!(ops(block().join("Sum", "sum", &["r_out", "br_out", "cn_out"], vec![])).len(), 5);
    let constants =
        block().join("Add", "add", &["cn_out", "r_out"], vec![]).floats("k", &[1, 3, 1, 1], &[1.0, 2.0, 3.0]);
    assert_eq!(ops(constants.node("Mul", "m", &["k"], vec![])).len(), 5);
}

#[test]
fn a_map_and_itself() {
    let twice = relu_map().join("Add", "twice", &["r_out", "r_out"], vec![]);
    assert_eq!(ops(twice.conv("b", [2, 3, 3, 3], vec![])), [Op::Conv, Op::Conv]);
    assert_imports(relu_map().join("Sum", "more", &["r_out", "r_out", "r_out"], vec![]).classes(3 * 36));
    assert_imports(relu_map().join("Concat", "both", &["r_out", "r_out"], vec![int("axis", 1)]).classes(6 * 36));
    assert_imports(Graph::new([1, 4, 4]).join("Add", "twice", &["input", "input"], vec![]));
}

#[test]
fn channels_side_by_side() {
    let branches = || relu_map().conv("b", [2, 3, 1, 1], vec![]).at("r_out").conv("c", [4, 3, 1, 1], vec![]);
    let concat = |tensors: &[&str]| branches().join("Concat", "cat", tensors, vec![int("axis", -3)]);
    let own = [Op::Conv, Op::Conv, Op::Conv, Op::Concat];
    assert_eq!(ops(concat(&["b_out", "c_out"])), own);
    assert_eq!(ops(concat(&["b_out", "c_out", "r_out"]).conv("d", [2, 9, 3, 3], vec![])).len(), 6);
    // A normalization waits, an activation does not.
    assert_eq!(ops(concat(&["b_out", "c_out"]).batch_norm("n", 6).conv("d", [2, 6, 3, 3], vec![])).len(), 5);
    assert_eq!(ops(concat(&["b_out", "c_out"]).node("Relu", "e", &[], vec![]).classes(6 * 36)).len(), 6);
    let vectors = Graph::of(&[7]).dense("a", 4, 7).at("input").dense("b", 3, 7);
    assert_imports(vectors.join("Concat", "cat", &["a_out", "b_out"], vec![int("axis", 1)]).dense("c", 5, 7));
    let rows = branches().join("Concat", "cat", &["b_out", "c_out"], vec![int("axis", 2)]);
    assert_refused(rows, "cat", "along the channels");
}

#[test]
fn values_with_several_readers_stay_what_they_are() {
    // The activation is for one reader only.
    let graph = map(8).conv("a", [3, 1, 3, 3], vec![]).node("Relu", "r", &[], vec![]);
    let joined = graph.join("Concat", "cat", &["r_out", "a_out"], vec![int("axis", 1)]);
    assert_eq!(ops(joined), [Op::Conv, Op::DepthwiseConv, Op::Concat]);
    // So is the pooling, and the normalization.
    let pooled = pool("p", relu_map(), vec![ints("strides", &[2, 2])]).at("r_out").conv(
        "b",
        [3, 3, 2, 2],
        vec![ints("strides", &[2, 2])],
    );
    assert_eq!(ops(pooled.join("Add", "add", &["p_out", "b_out"], vec![])), [Op::Conv, Op::MaxPool, Op::Conv, Op::Add]);
    let normalized = map(8).conv("a", [3, 1, 3, 3], vec![]).batch_norm("n", 3);
    assert_imports(normalized.join("Add", "add", &["n_out", "a_out"], vec![]));
    // Who reads the same normalized map twice shares its layer.
    let pads = || vec![ints("pads", &[1, 1, 1, 1])];
    let shared =
        relu_map().batch_norm("n", 3).conv("b", [3, 3, 3, 3], pads()).at("n_out").conv("c", [3, 3, 3, 3], pads());
    let joined = shared.join("Add", "add", &["b_out", "c_out"], vec![]);
    assert_eq!(ops(joined), [Op::Conv, Op::DepthwiseConv, Op::Conv, Op::Conv, Op::Add]);
    // Also where other names stand between.
    let named =
        map(8).conv("a", [3, 1, 3, 3], vec![]).node("Identity", "i", &[], vec![]).node("Relu", "r", &[], vec![]);
    assert_imports(named.join("Sub", "sub", &["r_out", "a_out"], vec![]));
}

#[test]
fn dead_branches_are_left_out() {
    let graph = relu_map().node("Elephant", "dead", &[], vec![]).at("r_out").conv("deader", [2, 3, 3, 3], vec![]);
    assert_eq!(ops(graph.at("r_out").classes(3 * 36)), [Op::Conv, Op::Dense]);
}

#[test]
fn series() {
    let series = || Graph::of(&[2, 30]);
    let network = assert_imports(
        series()
            .conv1d("a", [4, 2, 5], vec![ints("pads", &[2, 1]), ints("strides", &[2])])
            .batch_norm("n", 4)
            .node("Relu", "r", &[], vec![])
            .node("MaxPool", "p", &[], vec![ints("kernel_shape", &[3]), ints("strides", &[2]), ints("pads", &[1, 1])])
            .conv1d("b", [4, 1, 3], vec![int("group", 4), ints("dilations", &[2])])
            .node("AveragePool", "q", &[], vec![ints("kernel_shape", &[2])])
            .node("GlobalAveragePool", "g", &[], vec![])
            .classes(4),
    );
    assert_eq!(network.input, Shape { height: 30, width: 1, channels: 2 });
    // Keras: two-dimensional convolutions of a row.
    let lying = series()
        .integers("axis", &[2])
        .node("Unsqueeze", "u", &["axis"], vec![])
        .conv("a", [3, 2, 1, 5], vec![ints("pads", &[0, 2, 0, 2])])
        .node("Relu", "r", &[], vec![])
        .node("Squeeze", "s", &["axis"], vec![])
        .conv1d("b", [3, 3, 3], vec![]);
    assert_imports(lying.classes(3 * 28));
    let residual = series().conv1d("a", [2, 2, 3], vec![ints("pads", &[1, 1])]);
    assert_imports(residual.join("Add", "add", &["a_out", "input"], vec![]));
    let reduced = series().conv1d("a", [3, 2, 3], vec![]).node("ReduceMean", "m", &[], vec![ints("axes", &[-1])]);
    assert_imports(reduced.classes(3));
}

#[test]
fn vectors() {
    let network = assert_imports(
        Graph::of(&[40]).dense("a", 16, 40).batch_norm("n", 16).node("Relu", "r", &[], vec![]).dense("b", 40, 16),
    );
    assert_eq!(network.input, Shape { height: 1, width: 1, channels: 40 });
    // An anomaly detector's normalization before its first layer.
    assert_imports(Graph::of(&[40]).batch_norm("n", 40).dense("a", 8, 40).node("Tanh", "t", &[], vec![]));
    // A vector that the network itself takes for an image, or a series.
    let image = Graph::of(&[2 * 36]).integers("shape", &[-1, 2, 6, 6]).node("Reshape", "image", &["shape"], vec![]);
    let network = assert_imports(image.conv("a", [3, 2, 3, 3], vec![]).classes(3 * 16));
    assert_eq!(network.input, Shape { height: 6, width: 6, channels: 2 });
    let series = Graph::of(&[50]).integers("axis", &[1]).node("Unsqueeze", "u", &["axis"], vec![]);
    let network = assert_imports(series.conv1d("a", [3, 1, 5], vec![]).classes(3 * 46));
    assert_eq!(network.input, Shape { height: 50, width: 1, channels: 1 });
    let image = Graph::of(&[6, 5]).integers("axis", &[1]).node("Unsqueeze", "u", &["axis"], vec![]);
    assert_eq!(assert_imports(image.conv("a", [3, 1, 3, 3], vec![])).input, Shape { height: 6, width: 5, channels: 1 });
    // A vector that a layer made is none.
    let decoder = Graph::of(&[8]).dense("a", 36, 8).integers("shape", &[-1, 1, 6, 6]);
    let decoder = decoder.node("Reshape", "image", &["shape"], vec![]).conv("b", [1, 1, 3, 3], vec![]);
    assert_refused(decoder, "b", "was reshaped to");
}
