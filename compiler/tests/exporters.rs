//! Networks as the exporters of PyTorch and Keras write those of the guides (docs/from-pytorch.md, docs/from-keras.md).

mod common;

use common::{Graph, images, int, ints};
use thumbnet::Model;
use thumbnet::format::Op;
use thumbnet_compiler::{Form, Options, compile};

const SIDE: usize = 12;
/// What is left after a stride of two and a pooling.
const LEFT: usize = SIDE / 4;

/// Compiles the network, which compares the import with tract: it is three convolutions, the pooling in one of them, and a dense
/// layer, whatever stands between them in the file. What is subtracted from the pixels before a padded convolution takes a layer
/// of its own.
fn check(bytes: &[u8], form: &str) {
    let form: Form = form.parse().unwrap();
    let options = Options { calibration_images: 100, input: Some(form), ..Options::named("exported") };
    let compiled = compile(bytes, &images(300, SIDE, SIDE, 3), &options).unwrap();
    let layers = compiled.network.layers.iter().map(|layer| (layer.record.op, layer.record.pool.size));
    let layers: Vec<(Op, u8)> = layers.filter(|(op, _)| *op != Op::DepthwiseConv).collect();
    assert_eq!(layers, [(Op::Conv, 1), (Op::Conv, 2), (Op::Conv, 1), (Op::Dense, 1)]);
    let kept = compiled.report.candidates.iter().find(|candidate| candidate.method == compiled.report.method).unwrap();
    assert!(kept.agreement > 0.9 && kept.divergence < 0.01, "{kept:?}");
    assert_eq!(Model::parse(&compiled.tnet).unwrap().outputs(), 10);
}

/// The convolutions as PyTorch's exporters write them: batch normalizations are folded, paddings are on all sides.
///
/// `bias`: the tensor with the biases of the third one.
fn torch(graph: Graph, bias: &str) -> Graph {
    let same = || ints("pads", &[1, 1, 1, 1]);
    let usual = |stride: i64| {
        vec![
            int("group", 1),
            ints("dilations", &[1, 1]),
            ints("kernel_shape", &[3, 3]),
            same(),
            ints("strides", &[stride; 2]),
        ]
    };
    let pool = vec![
        int("ceil_mode", 0),
        ints("dilations", &[1, 1]),
        ints("kernel_shape", &[2, 2]),
        ints("pads", &[0, 0, 0, 0]),
        ints("strides", &[2, 2]),
    ];
    graph
        .conv("/features/0/0/Conv", [8, 1, 3, 3], usual(2))
        .node("Relu", "/features/0/2/Relu", &[], vec![])
        .conv("/features/1/0/Conv", [16, 8, 3, 3], usual(1))
        .node("Relu", "/features/1/2/Relu", &[], vec![])
        .node("MaxPool", "/features/2/MaxPool", &[], pool)
        .random("features.3.0.weight", &[16, 16, 3, 3], -0.15, 0.15)
        .node("Conv", "/features/3/0/Conv", &["features.3.0.weight", bias], usual(1))
        .node("Relu", "/features/3/2/Relu", &[], vec![])
}

#[test]
fn pytorch_before_dynamo() {
    // Biases with the same values are written once.
    let shared = "/features/1/0/Conv_b";
    let graph = Graph::new([1, SIDE as i64, SIDE as i64]);
    let graph = torch(graph.join("Identity", "Identity_0", &[shared], vec![]).at("input"), "Identity_0_out").node(
        "Flatten",
        "/Flatten",
        &[],
        vec![int("axis", 1)],
    );
    let bytes = graph.dense("/classes/Gemm", 10, 16 * LEFT * LEFT).bytes_of_opset(20);
    check(&bytes, "0.1307/0.3081");
}

#[test]
fn pytorch_with_dynamo() {
    let graph = torch(
        Graph::new([1, SIDE as i64, SIDE as i64]).random("features.3.0.bias", &[16], -0.2, 0.2),
        "features.3.0.bias",
    )
    .integers("val_12", &[1, (16 * LEFT * LEFT) as i64])
    .node("Reshape", "node_view", &["val_12"], vec![int("allowzero", 1)]);
    let bytes = graph.dense("node_linear", 10, 16 * LEFT * LEFT).bytes_of_opset(20);
    check(&bytes, "0.1307/0.3081");
}

/// A normalization of a batch as tf2onnx leaves it behind a convolution: a factor and a summand a channel.
fn scaled(graph: Graph, name: &str, channels: usize) -> Graph {
    let [factor, summand] = ["mul", "add"].map(|what| format!("{name}/batchnorm/{what}:0"));
    graph
        .random(&factor, &[1, channels, 1, 1], 0.5, 1.5)
        .random(&summand, &[1, channels, 1, 1], -0.3, 0.3)
        .node("Mul", &format!("{name}/batchnorm/mul_1"), &[&factor], vec![])
        .node("Add", &format!("{name}/batchnorm/add_1"), &[&summand], vec![])
        .node("Relu", &format!("{name}/Relu"), &[], vec![])
}

#[test]
fn keras() {
    let usual = |stride: i64, pads: [i64; 4]| {
        let pads = ints("pads", &pads);
        vec![
            ints("dilations", &[1, 1]),
            ints("strides", &[stride; 2]),
            ints("kernel_shape", &[3, 3]),
            pads,
            int("group", 1),
        ]
    };
    let side = SIDE as i64;
    // Rescaling; the channel is moved by a Reshape, as there is only one.
    let graph = Graph::of(&[side, side, 1])
        .floats("rescaling/Cast/x:0", &[], &[1.0 / 255.0])
        .floats("rescaling/Cast_1/x:0", &[], &[0.0])
        .node("Mul", "rescaling/mul", &["rescaling/Cast/x:0"], vec![])
        .node("Add", "rescaling/add", &["rescaling/Cast_1/x:0"], vec![])
        .integers("new_shape", &[-1, 1, side, side])
        .node("Reshape", "first__916", &["new_shape"], vec![]);
    // "same" with a stride of two on an even size pads at the end only.
    let graph = scaled(graph.conv("conv2d", [8, 1, 3, 3], usual(2, [0, 0, 1, 1])), "norm", 8);
    let graph = scaled(graph.conv("conv2d_1", [16, 8, 3, 3], usual(1, [1, 1, 1, 1])), "norm_1", 16);
    let pool = vec![ints("strides", &[2, 2]), ints("kernel_shape", &[2, 2])];
    let graph = graph.node("MaxPool", "max_pooling2d", &[], pool);
    let graph = scaled(graph.conv("conv2d_2", [16, 16, 3, 3], usual(1, [1, 1, 1, 1])), "norm_2", 16);
    // The size of the batch is read from the map, in another order of its dimensions.
    let last = "norm_2/Relu_out";
    let values = (16 * LEFT * LEFT) as i64;
    let bytes = graph
        .join("Transpose", "turned", &[last], vec![ints("perm", &[0, 2, 3, 1])])
        .integers("order", &[0, 2, 3, 1])
        .integers("zero", &[0])
        .integers("one", &[1])
        .integers("values", &[values])
        .join("Shape", "shape", &[last], vec![])
        .node("Gather", "flatten/Shape", &["order"], vec![])
        .node("Cast", "flatten/Shape__658", &[], vec![int("to", 7)])
        .node("Slice", "flatten/strided_slice", &["zero", "one", "zero"], vec![])
        .node("Concat", "flatten/shape_Concat", &["values"], vec![int("axis", 0)])
        .join("Reshape", "flatten/Reshape", &["turned_out", "flatten/shape_Concat_out"], vec![])
        .random("dense/Cast:0", &[16 * LEFT * LEFT, 10], -0.2, 0.2)
        .random("dense/BiasAdd:0", &[10], -0.2, 0.2)
        .node("MatMul", "dense/MatMul", &["dense/Cast:0"], vec![])
        .node("Add", "dense/BiasAdd", &["dense/BiasAdd:0"], vec![])
        .node("Softmax", "dense/Softmax", &[], vec![])
        .bytes_of_opset(15);
    check(&bytes, "0..255");
}
