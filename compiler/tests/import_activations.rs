//! Imported activations compute what tract makes of the same ONNX file.

mod common;

use common::import::{assert_imports, assert_refused, assert_same, map, ops, pool};
use common::{float, ints, text};
use thumbnet::format::{Op, Pool};
use thumbnet_compiler::function::Function;
use thumbnet_compiler::graph::Activation;
use thumbnet_compiler::{OnnxModel, onnx};

#[test]
fn every_activation() {
    let alpha = |value| vec![float("alpha", value)];
    for (op, attributes, opset) in [
        ("Relu", vec![], 13),
        ("Sigmoid", vec![], 13),
        ("Tanh", vec![], 13),
        ("HardSigmoid", vec![float("alpha", 0.3), float("beta", 0.4)], 13),
        ("HardSigmoid", vec![], 13),
        ("LeakyRelu", alpha(0.2), 13),
        ("LeakyRelu", vec![], 13),
        ("Elu", alpha(0.7), 13),
        ("Selu", vec![], 13),
        ("Selu", vec![float("alpha", 1.2), float("gamma", 0.9)], 13),
        ("Celu", alpha(0.8), 13),
        ("HardSwish", vec![], 14),
        ("Gelu", vec![], 20),
        ("Gelu", vec![text("approximate", "tanh")], 20),
        ("Softplus", vec![], 13),
        ("Softsign", vec![], 13),
        ("Mish", vec![], 18),
        ("ThresholdedRelu", alpha(0.3), 13),
        ("Abs", vec![], 13),
        ("Clip", vec![float("min", -0.2), float("max", 0.5)], 6),
    ] {
        let graph = map(8).conv("a", [3, 1, 3, 3], vec![]).node(op, "act", &[], attributes.clone());
        let bytes = graph.bytes_of_opset(opset);
        let network = onnx::import(&bytes).unwrap();
        assert_eq!((network.layers.len(), op), (1, op));
        assert!(network.layers[0].activation != Activation::Linear, "{op}");
        match OnnxModel::load(&bytes) {
            Ok(_) => drop(assert_same(&bytes)),
            // Not every operator is one of tract's.
            Err(error) => println!("{op}: {error}"),
        }
    }
}

#[test]
fn activations_with_constants() {
    let conv = || map(8).conv("a", [3, 1, 3, 3], vec![]);
    let clip = |limits: [f32; 2]| {
        let graph = conv().floats("low", &[], &limits[..1]).floats("high", &[], &limits[1..]);
        assert_imports(graph.node("Clip", "act", &["low", "high"], vec![])).layers[0].activation
    };
    assert_eq!(clip([-0.25, 0.5]), Activation::Clamp(-0.25, 0.5));
    assert_eq!(clip([0.0, f32::MAX]), Activation::RELU);
    let low_only = conv().floats("low", &[], &[0.1]).node("Clip", "act", &["low"], vec![]);
    assert_eq!(assert_imports(low_only).layers[0].activation, Activation::Clamp(0.1, f32::INFINITY));
    let limited = conv().floats("low", &[], &[0.0]).floats("high", &[], &[6.0]);
    let limited = limited.node("Max", "m", &["low"], vec![]).node("Min", "n", &["high"], vec![]);
    assert_eq!(assert_imports(limited).layers[0].activation, Activation::Clamp(0.0, 6.0));
    let one = conv().floats("slope", &[3, 1, 1], &[0.25; 3]).node("PRelu", "act", &["slope"], vec![]);
    assert_eq!(ops(one), [Op::Conv]);
    let several = conv().floats("slope", &[3, 1, 1], &[0.25, 0.5, 0.25]).node("PRelu", "act", &["slope"], vec![]);
    assert_refused(several, "act", "use one slope");
}

#[test]
fn activations_behind_activations() {
    let conv = || map(8).conv("a", [3, 1, 3, 3], vec![]);
    let twice =
        |first: &str, second: &str| ops(conv().node(first, "f", &[], vec![]).node(second, "s", &[], vec![])).len();
    assert_eq!(twice("Relu", "Relu"), 1);
    assert_eq!(twice("Sigmoid", "Relu"), 1);
    assert_eq!(twice("Abs", "Relu"), 1);
    assert_eq!(twice("Tanh", "Relu"), 2);
    assert_eq!(twice("Relu", "Tanh"), 2);
    assert_eq!(twice("Softplus", "Tanh"), 2);
    assert_eq!(ops(map(4).node("Tanh", "t", &[], vec![])), [Op::DepthwiseConv]);
    assert_eq!(
        ops(map(4).node("Flatten", "f", &[], vec![]).node("Tanh", "t", &[], vec![]).dense("d", 3, 16)),
        [Op::DepthwiseConv, Op::Dense]
    );
}

#[test]
fn activations_spelled_out() {
    let conv = || map(8).conv("a", [3, 1, 3, 3], vec![]);
    let gate = |op: &str| conv().node(op, "g", &[], vec![]).join("Mul", "m", &["a_out", "g_out"], vec![]);
    assert_eq!(ops(gate("Sigmoid")), [Op::Conv]);
    let mish = conv().node("Softplus", "p", &[], vec![]).node("Tanh", "t", &[], vec![]);
    assert_eq!(ops(mish.join("Mul", "m", &["t_out", "a_out"], vec![])), [Op::Conv]);
    let constants = || conv().floats("three", &[], &[3.0]).floats("six", &[], &[6.0]).floats("zero", &[], &[0.0]);
    let hard = || constants().node("Add", "add", &["three"], vec![]).node("Clip", "clip", &["zero", "six"], vec![]);
    let late = hard().join("Mul", "m", &["a_out", "clip_out"], vec![]).node("Div", "d", &["six"], vec![]);
    assert_eq!(ops(late.conv("b", [2, 3, 3, 3], vec![ints("pads", &[1, 1, 1, 1])])), [Op::Conv, Op::Conv]);
    let early = hard().node("Div", "d", &["six"], vec![]).join("Mul", "m", &["a_out", "d_out"], vec![]);
    assert_eq!(ops(early), [Op::Conv]);
    let gelu = conv()
        .floats("root", &[], &[std::f32::consts::SQRT_2])
        .floats("one", &[], &[1.0])
        .floats("half", &[], &[0.5])
        .node("Div", "d", &["root"], vec![])
        .node("Erf", "e", &[], vec![])
        .node("Add", "p", &["one"], vec![])
        .join("Mul", "m", &["a_out", "p_out"], vec![])
        .node("Mul", "h", &["half"], vec![]);
    assert_eq!(ops(gelu), [Op::Conv]);
    // As PyTorch spells the other GELU, its constants in an order of their own.
    let tanh = conv()
        .floats("three", &[], &[3.0])
        .floats("cubic", &[1], &[0.044715])
        .floats("root", &[], &[0.797_884_6])
        .floats("one", &[], &[1.0])
        .floats("half", &[], &[0.5])
        .node("Pow", "cube", &["three"], vec![])
        .node("Mul", "less", &["cubic"], vec![])
        .join("Add", "sum", &["a_out", "less_out"], vec![])
        .node("Mul", "inner", &["root"], vec![])
        .node("Tanh", "tanh", &[], vec![])
        .node("Add", "above", &["one"], vec![])
        .at("a_out")
        .node("Mul", "halved", &["half"], vec![])
        .join("Mul", "m", &["halved_out", "above_out"], vec![]);
    let network = assert_imports(tanh);
    assert_eq!(network.layers[0].activation, Activation::Function(Function::GeluTanh));
    // A slope below zero by comparison, as functions of tensors are written.
    let leaky = conv()
        .floats("zero", &[], &[0.0])
        .floats("slope", &[], &[0.2])
        .node("Mul", "below", &["slope"], vec![])
        .at("a_out")
        .node("Greater", "is", &["zero"], vec![])
        .join("Where", "w", &["is_out", "a_out", "below_out"], vec![]);
    assert_eq!(assert_imports(leaky).layers[0].activation, Activation::Function(Function::LeakyRelu(0.2)));
    let softplus = constants().floats("one", &[], &[1.0]).node("Exp", "e", &[], vec![]);
    let softplus = softplus.node("Add", "more", &["one"], vec![]).node("Log", "l", &[], vec![]);
    assert_eq!(assert_imports(softplus).layers[0].activation, Activation::Function(Function::Softplus));
    assert_refused(gate("Tanh"), "m", "joins two maps");
}

#[test]
fn networks_that_end_in_a_map_or_an_activation() {
    assert_eq!(ops(map(8).conv("a", [2, 1, 3, 3], vec![])), [Op::Conv]);
    assert_eq!(ops(map(8).conv("a", [2, 1, 3, 3], vec![]).classes(72).node("Sigmoid", "s", &[], vec![])).len(), 2);
    // Flattened, tract has the channel slowest; the import does not care.
    assert_imports(map(8).conv("a", [2, 1, 3, 3], vec![]).node("Flatten", "f", &[], vec![]));
    let pooled = assert_imports(pool("p", map(8).conv("a", [2, 1, 3, 3], vec![]), vec![ints("strides", &[2, 2])]));
    assert!(pooled.layers[0].record.pool != Pool::NONE);
}
