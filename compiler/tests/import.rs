//! The imported network computes what tract makes of the same ONNX file, or is refused by
//! node name.

mod common;

use common::import::{assert_imports, assert_refused, map, ops, pool, relu_map};
use common::{Graph, int, ints, text};
use thumbnet::format::Op;
use thumbnet_compiler::onnx;

#[test]
fn the_usual_network() {
    let network = assert_imports(common::small_network());
    assert_eq!(network.layers.len(), 3);
}

#[test]
fn convolutions_of_all_paddings_and_strides() {
    assert_imports(map(9).conv("a", [3, 1, 3, 2], vec![ints("pads", &[1, 0, 2, 1])]).classes(3 * 10 * 9));
    assert_imports(map(9).conv("a", [3, 1, 4, 4], vec![text("auto_pad", "SAME_UPPER")]).classes(3 * 81));
    assert_imports(map(9).conv("a", [3, 1, 4, 4], vec![text("auto_pad", "SAME_LOWER")]).classes(3 * 81));
    let strided = vec![text("auto_pad", "SAME_UPPER"), ints("strides", &[2, 3])];
    assert_imports(map(10).conv("a", [3, 1, 5, 5], strided).classes(3 * 5 * 4));
    assert_imports(map(9).conv("a", [3, 1, 5, 5], vec![text("auto_pad", "VALID")]).classes(3 * 25));
}

#[test]
fn convolutions_in_groups_and_depthwise() {
    let graph = || Graph::new([4, 7, 6]);
    let padded = |groups| vec![int("group", groups), ints("pads", &[1, 1, 1, 1])];
    assert_eq!(ops(graph().conv("b", [4, 1, 3, 3], padded(4))), [Op::DepthwiseConv]);
    assert_eq!(ops(graph().conv("b", [12, 1, 3, 3], padded(4))), [Op::DepthwiseConv]);
    assert_eq!(ops(graph().conv("b", [6, 2, 3, 3], padded(2))), [Op::GroupedConv]);
    let normalized = graph().batch_norm("n", 4).conv("b", [6, 2, 3, 3], vec![int("group", 2)]);
    assert_eq!(ops(normalized), [Op::GroupedConv]);
    assert_refused(graph().conv("b", [4, 1, 3, 3], vec![int("group", 2)]), "b", "group = 2");
}

#[test]
fn dilation_is_zeros_in_the_kernel() {
    let network = assert_imports(map(12).conv("a", [3, 1, 3, 2], vec![ints("dilations", &[2, 3])]));
    assert_eq!((network.layers[0].record.window.kernel_height, network.layers[0].record.window.kernel_width), (5, 4));
    let same = vec![ints("dilations", &[2, 2]), text("auto_pad", "SAME_UPPER"), int("group", 3)];
    assert_imports(map(12).conv("a", [3, 1, 3, 3], vec![]).conv("b", [3, 1, 3, 3], same));
    assert_refused(map(20).conv("a", [2, 1, 3, 3], vec![ints("dilations", &[8, 1])]), "a", "15 pixels");
}

#[test]
fn max_pooling_with_stride_padding_and_ceil_mode() {
    let conv = || map(9).conv("a", [3, 1, 3, 3], vec![]).node("Relu", "r", &[], vec![]);
    let fused = |graph: Graph| assert_eq!(ops(graph), [Op::Conv]);
    let own = |graph: Graph| assert_eq!(ops(graph), [Op::Conv, Op::MaxPool]);
    fused(pool("p", conv(), vec![ints("strides", &[2, 2])]));
    let same = |stride| vec![ints("strides", &[stride, stride]), text("auto_pad", "SAME_UPPER")];
    fused(pool("p", conv(), same(2)));
    fused(pool("p", conv(), same(1)));
    fused(pool("p", conv(), vec![ints("strides", &[2, 2]), ints("pads", &[0, 0, 1, 1])]));
    fused(pool("p", conv(), vec![ints("strides", &[2, 2]), int("ceil_mode", 1)]));
    // Pooling before the activation and before the normalization.
    let before = || pool("p", map(9).conv("a", [3, 1, 3, 3], vec![]), vec![ints("strides", &[2, 2])]);
    fused(before().batch_norm("n", 3).node("Sigmoid", "s", &[], vec![]));
    // What is not increasing stays behind the pooling.
    assert_eq!(ops(before().node("HardSwish", "s", &[], vec![])), [Op::Conv, Op::DepthwiseConv]);

    own(pool("p", conv(), vec![ints("strides", &[1, 2])]));
    own(pool("p", conv(), vec![ints("strides", &[3, 3])]));
    own(pool("p", conv(), vec![ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])]));
    own(pool("p", conv(), vec![ints("strides", &[2, 2]), ints("pads", &[1, 0, 0, 1]), int("ceil_mode", 1)]));
    own(conv().node("MaxPool", "p", &[], vec![ints("kernel_shape", &[2, 3])]));
    let swish = map(9).conv("a", [3, 1, 3, 3], vec![]).node("HardSwish", "r", &[], vec![]);
    own(pool("p", swish, vec![ints("strides", &[2, 2])]));
    own(pool("second", pool("first", conv(), vec![]), vec![]));
    // The clamp is the pooling's own.
    own(pool("second", pool("first", map(9).conv("a", [3, 1, 3, 3], vec![]), vec![]), vec![]).node(
        "Relu",
        "r",
        &[],
        vec![],
    ));
    assert_eq!(ops(pool("p", Graph::new([2, 6, 6]), vec![])), [Op::MaxPool]);
}

#[test]
fn explicit_padding() {
    let pads = |graph: Graph| graph.integers("pads", &[0, 0, 1, 2, 0, 0, 1, 0]).floats("zero", &[], &[0.0]);
    let graph = pads(map(8)).node("Pad", "pad", &["pads", "zero"], vec![]);
    assert_imports(graph.conv("a", [3, 1, 3, 3], vec![]).classes(3 * 8 * 8));
    let below = |value: f32, graph: Graph| {
        let graph = graph.integers("pads", &[0, 0, 0, 0, 0, 0, 1, 1]).floats("value", &[], &[value]);
        pool("p", graph.node("Pad", "pad", &["pads", "value"], vec![]), vec![ints("strides", &[2, 2])])
    };
    let conv = || map(9).conv("a", [3, 1, 3, 3], vec![]);
    assert_imports(below(f32::NEG_INFINITY, conv()));
    assert_imports(below(0.0, conv().node("Relu", "r", &[], vec![])));
    assert_refused(below(0.0, conv()), "p", "may be larger than a value of the map");
    let average = |graph: Graph| graph.node("AveragePool", "p", &[], vec![ints("kernel_shape", &[3, 3])]);
    let padded = || pads(conv()).node("Pad", "pad", &["pads", "zero"], vec![]);
    assert_eq!(ops(average(padded())), [Op::Conv, Op::AveragePool]);
    assert_refused(padded().node("Relu", "r", &[], vec![]), "r", "follows a Pad");
}

#[test]
fn averages() {
    let conv = || map(8).conv("a", [4, 1, 3, 3], vec![]).node("Relu", "r", &[], vec![]);
    assert_imports(conv().node("GlobalAveragePool", "g", &[], vec![]).classes(4));
    assert_imports(conv().node("ReduceMean", "g", &[], vec![ints("axes", &[2, 3]), int("keepdims", 0)]).classes(4));
    let window = |size: i64, more| [vec![ints("kernel_shape", &[size, size]), ints("strides", &[2, 2])], more].concat();
    let average = |size, more| ops(conv().node("AveragePool", "g", &[], window(size, more)))[1];
    assert_eq!(average(6, vec![]), Op::GlobalAveragePool);
    assert_eq!(average(2, vec![]), Op::AveragePool);
    assert_eq!(average(3, vec![ints("pads", &[1, 0, 1, 2])]), Op::AveragePool);
    assert_eq!(average(3, vec![ints("pads", &[1, 0, 1, 2]), int("count_include_pad", 1)]), Op::AveragePool);
    assert_eq!(average(2, vec![int("ceil_mode", 1)]), Op::AveragePool);
    assert_refused(
        conv().node("AveragePool", "g", &[], window(3, vec![int("ceil_mode", 1)])),
        "g",
        "rounds the number of its windows up",
    );
    // The normalization after an average waits for the dense layer.
    let waits = conv().node("GlobalAveragePool", "g", &[], vec![]).batch_norm("n", 4).classes(4);
    assert_eq!(ops(waits), [Op::Conv, Op::GlobalAveragePool, Op::Dense]);
    let activated = conv().node("AveragePool", "g", &[], window(2, vec![])).node("Tanh", "t", &[], vec![]);
    assert_eq!(ops(activated), [Op::Conv, Op::AveragePool]);
}

#[test]
fn the_largest_of_a_map() {
    assert_eq!(ops(relu_map().node("GlobalMaxPool", "g", &[], vec![]).classes(3)), [Op::Conv, Op::Dense]);
    assert_eq!(ops(Graph::new([2, 5, 7]).node("GlobalMaxPool", "g", &[], vec![])), [Op::MaxPool]);
    let reduced = Graph::new([2, 5, 7]).node("ReduceMax", "g", &[], vec![ints("axes", &[-1, -2]), int("keepdims", 0)]);
    assert_eq!(ops(reduced.dense("d", 4, 2)), [Op::MaxPool, Op::Dense]);
    assert_refused(map(20).node("GlobalMaxPool", "g", &[], vec![]), "g", "put a MaxPool before it");
}

#[test]
fn dense_layers_in_all_spellings() {
    let matmul = |graph: Graph| {
        graph
            .random("w", &[36, 10], -1.0, 1.0)
            .random("b", &[10], -1.0, 1.0)
            .node("MatMul", "dense", &["w"], vec![])
            .node("Add", "bias", &["b"], vec![])
    };
    let conv = || map(8).conv("a", [1, 1, 3, 3], vec![]).node("Relu", "r", &[], vec![]);
    let reshape = conv().integers("shape", &[-1, 36]).node("Reshape", "flat", &["shape"], vec![]);
    assert_imports(matmul(reshape));
    let hidden = matmul(conv().node("Flatten", "f", &[], vec![]))
        .batch_norm("n", 10)
        .node("Sigmoid", "s", &[], vec![])
        .node("Dropout", "d", &[], vec![]);
    assert_imports(hidden.classes(10));
    // A row of one, which is no vector.
    let row = conv().integers("shape", &[-1, 1, 36]).node("Reshape", "row", &["shape"], vec![]);
    assert_eq!(ops(matmul(row)), [Op::Conv, Op::Dense]);
    // A convolution over the whole map.
    let covering = conv().conv("c", [10, 1, 6, 6], vec![]).node("Flatten", "f", &[], vec![]);
    assert_eq!(ops(covering), [Op::Conv, Op::Dense]);
}

#[test]
fn softmax_at_the_end_is_left_out_and_noted() {
    let bytes = common::small_network().node("Softmax", "soft", &[], vec![int("axis", 1)]).bytes();
    let network = onnx::import(&bytes).unwrap();
    assert!(network.notes[0].contains("soft"), "{:?}", network.notes);
    assert_eq!(network.layers, onnx::import(&common::small_network().bytes()).unwrap().layers);
}

#[test]
fn refusals_name_the_node_and_the_reason() {
    let conv = || map(8).conv("a", [2, 1, 3, 3], vec![]);
    assert_refused(conv().node("Elephant", "e", &[], vec![]).classes(72), "e", "Elephant");
    assert_refused(map(2).conv("a", [2, 1, 3, 3], vec![]).classes(2), "a", "0x0x2");
    assert_refused(map(20).conv("a", [2, 1, 17, 17], vec![]).classes(32), "a", "1 to 15");
    assert_refused(conv().conv1d("b", [2, 2, 3], vec![]), "b", "as many dimensions");
    assert_refused(
        conv().classes(72).node("Softmax", "s", &[], vec![]).node("Relu", "r", &[], vec![]),
        "r",
        "after the softmax",
    );
    assert_refused(conv().node("Relu", "r", &[], vec![int("strange", 1)]).classes(72), "r", "strange");
    assert_refused(conv().classes(71), "classes", "71");
    assert_refused(conv().node("Add", "branch", &["input"], vec![]).classes(72), "branch", "same dimensions");
    assert_refused(conv().node("Mul", "gate", &["a_out"], vec![]).classes(72), "gate", "joins two maps");
    assert_refused(conv().node("Relu", "r", &[], vec![]).at("nothing").classes(72), "flatten", "no node before it");
    assert_refused(map(200).conv("a", [2, 1, 1, 1], vec![]), "a", "80000 values");
    let deep = (0..65).fold(map(2), |graph, index| {
        graph.conv(&format!("c{index}"), [1, 1, 1, 1], vec![]).node("Relu", &format!("r{index}"), &[], vec![])
    });
    assert_refused(deep, "c64", "at most 64 layers");
    assert_refused(
        map(8).integers("p", &[0, 0, 1, 1, 0, 0, 1, 1]).node("Pad", "pad", &["p"], vec![]),
        "pad",
        "remove it",
    );
}

#[test]
fn what_is_no_network_is_refused() {
    let refused = |graph: Graph, text: &str| {
        let error = onnx::import(&graph.bytes()).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    refused(map(2000).classes(4_000_000), "at most 1024");
    refused(Graph::new([1024, 1024, 1024]).batch_norm("n", 1024), "values in all");
    refused(Graph::new([1, 1024, 1024]).conv("a", [1024, 1, 1, 1], vec![]), "values in all");
    refused(map(8), "no layer");
    refused(map(8).node("Identity", "i", &[], vec![]), "no layer");
    assert!(onnx::import(b"no protobuf").is_err());
    assert!(onnx::import(&[]).unwrap_err().to_string().contains("an empty file"));
}

#[test]
fn damaged_files_are_errors() {
    let bytes = common::small_network().bytes();
    for len in (0..bytes.len()).step_by(97) {
        assert!(onnx::import(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
    }
    // Whatever single bytes become, the import ends with a network or an error.
    for index in (0..bytes.len()).step_by(13) {
        let mut damaged = bytes.clone();
        damaged[index] ^= 0xff;
        let _ = onnx::import(&damaged);
    }
}
