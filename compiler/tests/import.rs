//! The imported chain of layers computes what tract makes of the same ONNX file, or is refused by
//! node name.

mod common;

use common::{Graph, images, int, ints, text};
use compiler::{OnnxModel, float, onnx};

/// Compares the import with tract on a few images.
fn assert_imports(graph: Graph) {
    let bytes = graph.bytes();
    let network = onnx::import(&bytes).unwrap();
    let tract = OnnxModel::load(&bytes).unwrap();
    let (height, width) = tract.input_size();
    let images = images(5, height, width, 3);
    for index in 0..images.len() {
        let found = float::activations(&network, &float::image(images.image(index))).pop().unwrap();
        let expected = tract.logits(images.image(index)).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4, "image {index}: {found}, tract {expected}");
        }
    }
}

/// The error must name the node and hold `text`.
fn assert_refused(graph: Graph, node: &str, text: &str) {
    let error = onnx::import(&graph.bytes()).unwrap_err().to_string();
    assert!(error.contains(&format!("node {node} ")) && error.contains(text), "{error}");
}

fn map(size: i64) -> Graph {
    Graph::new([1, size, size])
}

fn pool(name: &str, graph: Graph, more: Vec<tract_onnx::pb::AttributeProto>) -> Graph {
    let attributes = [vec![ints("kernel_shape", &[2, 2])], more].concat();
    graph.node("MaxPool", name, &[], attributes)
}

#[test]
fn the_usual_network() {
    assert_imports(common::small_network());
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
fn depthwise_convolutions() {
    let graph = map(8).conv("a", [4, 1, 3, 3], vec![]);
    assert_imports(graph.conv("b", [4, 1, 3, 3], vec![int("group", 4), ints("pads", &[1, 1, 1, 1])]).classes(4 * 36));
}

#[test]
fn max_pooling_with_stride_padding_and_ceil_mode() {
    let conv = || map(9).conv("a", [3, 1, 3, 3], vec![]).node("Relu", "r", &[], vec![]);
    assert_imports(pool("p", conv(), vec![ints("strides", &[2, 2])]).classes(3 * 9));
    let same = |stride| vec![ints("strides", &[stride, stride]), text("auto_pad", "SAME_UPPER")];
    assert_imports(pool("p", conv(), same(2)).classes(3 * 16));
    assert_imports(pool("p", conv(), same(1)).classes(3 * 49));
    let padded = vec![ints("strides", &[2, 2]), ints("pads", &[0, 0, 1, 1])];
    assert_imports(pool("p", conv(), padded).classes(3 * 16));
    let ceil = vec![ints("strides", &[2, 2]), int("ceil_mode", 1)];
    assert_imports(pool("p", conv(), ceil).classes(3 * 16));
    // Pooling before the activation and before the normalization.
    let before = pool("p", map(9).conv("a", [3, 1, 3, 3], vec![]), vec![ints("strides", &[2, 2])]);
    assert_imports(before.batch_norm("n", 3).node("Sigmoid", "s", &[], vec![]).classes(3 * 9));
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
    assert_imports(below(f32::NEG_INFINITY, conv()).classes(3 * 16));
    assert_imports(below(0.0, conv().node("Relu", "r", &[], vec![])).classes(3 * 16));
    assert_refused(below(0.0, conv()).classes(3 * 16), "p", "may be larger than a value of the map");
}

#[test]
fn averages() {
    let conv = || map(8).conv("a", [4, 1, 3, 3], vec![]).node("Relu", "r", &[], vec![]);
    assert_imports(conv().node("GlobalAveragePool", "g", &[], vec![]).classes(4));
    assert_imports(conv().node("ReduceMean", "g", &[], vec![ints("axes", &[2, 3]), int("keepdims", 0)]).classes(4));
    let window = |size| vec![ints("kernel_shape", &[size, size]), ints("strides", &[2, 2])];
    assert_imports(conv().node("AveragePool", "g", &[], window(6)).classes(4));
    assert_imports(conv().node("AveragePool", "g", &[], window(2)).classes(4 * 9));
    // The normalization after an average waits for the dense layer.
    assert_imports(conv().node("GlobalAveragePool", "g", &[], vec![]).batch_norm("n", 4).classes(4));
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
    // A convolution over the whole map.
    let covering = conv().conv("c", [10, 1, 6, 6], vec![]).node("Flatten", "f", &[], vec![]);
    assert_imports(covering);
}

#[test]
fn softmax_at_the_end_is_left_out_and_noted() {
    let bytes = common::small_network().node("Softmax", "soft", &[], vec![int("axis", 1)]).bytes();
    let network = onnx::import(&bytes).unwrap();
    assert!(network.notes[0].contains("soft"), "{:?}", network.notes);
    assert_eq!(network.layers, onnx::import(&common::small_network().bytes()).unwrap().layers);
}

#[test]
fn normalization_after_an_activation_only_where_exact() {
    let normalized = || map(8).conv("a", [3, 1, 3, 3], vec![]).node("Relu", "r", &[], vec![]).batch_norm("n", 3);
    assert_imports(normalized().conv("b", [2, 3, 3, 3], vec![]).classes(2 * 16));
    assert_imports(normalized().classes(3 * 36));
    let padded = normalized().conv("b", [2, 3, 3, 3], vec![ints("pads", &[1, 1, 1, 1])]);
    assert_refused(padded.classes(2 * 36), "b", "no zeros before the normalization");
    assert_refused(normalized().node("Relu", "again", &[], vec![]).classes(3 * 36), "again", "normalization");
}

#[test]
fn refusals_name_the_node_and_the_reason() {
    let conv = || map(8).conv("a", [2, 1, 3, 3], vec![]);
    assert_refused(conv().node("Tanh", "tanh", &[], vec![]).classes(72), "tanh", "Tanh");
    assert_refused(map(8).conv("a", [2, 1, 3, 3], vec![ints("dilations", &[2, 2])]).classes(72), "a", "dilations");
    assert_refused(conv().conv("b", [4, 1, 3, 3], vec![int("group", 2)]).classes(64), "b", "group = 2");
    assert_refused(map(2).conv("a", [2, 1, 3, 3], vec![]).classes(2), "a", "0x0x2");
    assert_refused(map(20).conv("a", [2, 1, 17, 17], vec![]).classes(32), "a", "1 to 15");
    let tall = vec![ints("kernel_shape", &[2, 3])];
    assert_refused(conv().node("MaxPool", "p", &[], tall).classes(72), "p", "square");
    let top = vec![ints("kernel_shape", &[2, 2]), ints("pads", &[1, 0, 0, 0])];
    assert_refused(conv().node("MaxPool", "p", &[], top).classes(72), "p", "at the top");
    assert_refused(pool("second", pool("first", conv(), vec![]), vec![]).classes(72), "second", "does not follow");
    assert_refused(
        conv().classes(72).node("Softmax", "s", &[], vec![]).node("Relu", "r", &[], vec![]),
        "r",
        "after the softmax",
    );
    assert_refused(conv().node("Relu", "r", &[], vec![int("strange", 1)]).classes(72), "r", "strange");
    assert_refused(conv().classes(71), "classes", "71");
    assert_refused(conv().node("Add", "branch", &["input"], vec![]).classes(72), "branch", "joins");
}

#[test]
fn what_is_no_chain_to_logits_is_refused() {
    let refused = |graph: Graph, text: &str| {
        let error = onnx::import(&graph.bytes()).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    refused(map(8).conv("a", [2, 1, 3, 3], vec![]), "must end in a dense layer");
    refused(map(8).conv("a", [2, 1, 3, 3], vec![]).classes(72).node("Relu", "r", &[], vec![]), "ends in an activation");
    refused(map(2000).classes(4_000_000), "at most 1024");
    assert!(onnx::import(b"no protobuf").is_err());
    assert!(onnx::import(&[]).unwrap_err().to_string().contains("no graph"));
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
