//! Files that are quantized already keep their scales, zero points and integers.

mod common;

use common::{Graph, Random, images, int, ints};
use thumbnet::Model;
use thumbnet_compiler::evaluate::Classify;
use thumbnet_compiler::quantization::Quantization;
use thumbnet_compiler::{CompileError, Compiled, OnnxModel, Options, compile, compile_without_images};
use tract_onnx::pb::tensor_proto::DataType;

const SIZE: usize = 8;

fn compiled(bytes: &[u8]) -> Compiled {
    compile_without_images(bytes, &Options { input: None, ..Options::named("test") }).unwrap()
}

/// Adds QuantizeLinear and DequantizeLinear behind what the graph has last.
fn quantized(graph: Graph, name: &str, scale: f32, zero: i64, kind: DataType) -> Graph {
    let names = [format!("{name}_scale"), format!("{name}_zero")];
    let constants = [names[0].as_str(), names[1].as_str()];
    graph
        .floats(&names[0], &[], &[scale])
        .bytes_of(&names[1], kind, &[], &[zero])
        .node("QuantizeLinear", &format!("{name}_q"), &constants, vec![])
        .node("DequantizeLinear", &format!("{name}_dq"), &constants, vec![])
}

/// How weights stand in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weights {
    /// Integers and DequantizeLinear, a scale an output channel.
    PerChannel,
    /// The same with one scale.
    PerTensor,
    /// Floats, QuantizeLinear and DequantizeLinear.
    Floats,
    /// Integers from 0 to 255 around 128.
    Unsigned,
}

/// Adds weights called `name`; their integers and steps come back.
fn weights(graph: Graph, name: &str, dims: &[usize], how: Weights) -> (Graph, Vec<i64>, Vec<f32>) {
    let mut random = Random(dims.len() as u64 * 7 + 3);
    let len: usize = dims.iter().product();
    // The least of all is among them.
    let ints: Vec<i64> =
        (0..len).map(|index| if index == 1 { -128 } else { i64::from(random.next() % 255) - 127 }).collect();
    let scales: Vec<f32> = match how {
        Weights::PerChannel | Weights::Floats => {
            (0..dims[0]).map(|channel| 0.002 * (1.0 + channel as f32 / 3.0)).collect()
        }
        Weights::PerTensor | Weights::Unsigned => vec![0.003],
    };
    let count = if scales.len() == 1 { vec![] } else { vec![scales.len()] };
    let [stored, scale, zero] = ["stored", "scale", "zero"].map(|what| format!("{name}_{what}"));
    let (kind, shift) = if how == Weights::Unsigned { (DataType::Uint8, 128) } else { (DataType::Int8, 0) };
    let graph = graph.floats(&scale, &count, &scales).bytes_of(&zero, kind, &count, &vec![shift; scales.len()]);
    let axis = || vec![int("axis", 0)];
    let constants = [scale.as_str(), zero.as_str()];
    let graph = match how {
        Weights::Floats => {
            let each = len / dims[0];
            // Not quite on the steps.
            let floats: Vec<f32> =
                ints.iter().enumerate().map(|(index, &value)| (value as f32 + 0.2) * scales[index / each]).collect();
            let before = graph.floats(&stored, dims, &floats);
            let quantize = [stored.as_str(), constants[0], constants[1]];
            before.join("QuantizeLinear", &format!("{name}_q"), &quantize, axis())
        }
        _ => {
            let shifted: Vec<i64> = ints.iter().map(|value| value + shift).collect();
            graph.bytes_of(&stored, kind, dims, &shifted)
        }
    };
    let from = if how == Weights::Floats { format!("{name}_q_out") } else { stored };
    let dequantize = [from.as_str(), constants[0], constants[1]];
    (graph.join("DequantizeLinear", name, &dequantize, axis()), ints, scales)
}

/// Convolution, ReLU if it is not left to the zero point, pooling, dense; all of it quantized.
fn network(how: Weights, kind: DataType, has_relu: bool) -> (Vec<u8>, Vec<i64>, Vec<f32>) {
    let low = if kind == DataType::Int8 { -128 } else { 0 };
    let graph = quantized(Graph::new([1, SIZE as i64, SIZE as i64]), "input", 1.0 / 255.0, low, kind);
    let (graph, filters, steps) = weights(graph, "filters", &[4, 1, 3, 3], how);
    let (graph, _, _) = weights(graph, "matrix", &[5, 4 * 16], how);
    let graph = graph.floats("bias", &[4], &[0.1, -0.2, 0.3, 0.0]).at("input_dq_out").node(
        "Conv",
        "conv",
        &["filters_out", "bias"],
        vec![ints("pads", &[1, 1, 1, 1])],
    );
    let graph = if has_relu { graph.node("Relu", "relu", &[], vec![]) } else { graph };
    let graph = quantized(graph, "map", 0.01, low, kind)
        .node("MaxPool", "pool", &[], vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])])
        .node("Flatten", "flatten", &[], vec![])
        .node("Gemm", "gemm", &["matrix_out"], vec![int("transB", 1)]);
    (quantized(graph, "result", 0.05, low + 120, kind).bytes(), filters, steps)
}

/// The core and tract on the file itself: the result within a step, as both round once a layer.
fn assert_same(bytes: &[u8], compiled: &Compiled, step: f32) {
    let model = Model::parse(&compiled.tnet).unwrap();
    let original = OnnxModel::load(bytes).unwrap();
    let images = images(50, SIZE, SIZE, 5);
    let mut differ = 0;
    for index in 0..images.len() {
        let (own, other) = (model.answer(images.image(index)).unwrap(), original.answer(images.image(index)).unwrap());
        for (own, other) in own.logits.iter().zip(&other.logits) {
            assert!((own - other).abs() < 1.5 * step, "image {index}: {own} {other}");
            differ += usize::from((own - other).abs() > 0.5 * step);
        }
    }
    assert!(differ <= 25, "{differ} of 250 results differ");
}

#[test]
fn every_form_of_weights_keeps_its_integers() {
    for how in [Weights::PerChannel, Weights::PerTensor, Weights::Floats, Weights::Unsigned] {
        for kind in [DataType::Uint8, DataType::Int8] {
            for has_relu in [true, false] {
                let (bytes, filters, steps) = network(how, kind, has_relu);
                let compiled = compiled(&bytes);
                let context = format!("{how:?} {kind:?} {has_relu}");
                assert_eq!(compiled.report.notes, Vec::<String>::new(), "{context}");
                let [conv, dense] = &compiled.quantized.layers[..] else { panic!("{context}: not two layers") };
                let found: Vec<i64> = conv.weights.iter().map(|&weight| weight.into()).collect();
                assert_eq!(found, filters, "{context}");
                assert_eq!(conv.weight_scales, steps.repeat(4 / steps.len()), "{context}");
                assert_eq!(conv.output_quantization, Quantization { scale: 0.01, zero_point: 0 }, "{context}");
                assert_eq!(dense.output_quantization, Quantization { scale: 0.05, zero_point: 120 }, "{context}");
                assert_same(&bytes, &compiled, 0.05);
            }
        }
    }
}

#[test]
fn our_own_quantized_file_compiles_back_to_the_same_model() {
    let bytes = common::small_network().bytes();
    let options = Options { calibration_images: 100, ..Options::named("test") };
    let first = compile(&bytes, &images(300, 12, 12, 11), &options).unwrap();
    let again = compile_without_images(&first.qdq, &options).unwrap();
    assert_eq!(again.tnet, first.tnet);
}

#[test]
fn integers_that_a_file_takes_are_the_bytes_that_enter() {
    let scale = 0.03;
    let graph = Graph::of(&[6])
        .entering(DataType::Int8)
        .floats("scale", &[], &[scale])
        .bytes_of("zero", DataType::Int8, &[], &[-100])
        .node("DequantizeLinear", "real", &["scale", "zero"], vec![]);
    let (graph, ..) = weights(graph, "matrix", &[3, 6], Weights::PerTensor);
    let graph = graph.at("real_out").node("Gemm", "gemm", &["matrix_out"], vec![int("transB", 1)]);
    let compiled = compiled(&quantized(graph, "result", 0.05, 0, DataType::Int8).bytes());
    assert_eq!(compiled.quantized.layers.len(), 1);
    assert_eq!(compiled.quantized.input_quantization, Quantization { scale, zero_point: 28 });
}

#[test]
fn integer_operators_are_read_as_what_they_compute() {
    let constants = |graph: Graph, name: &str, scale: f32, zero: i64| {
        let names = [format!("{name}_scale"), format!("{name}_zero")];
        graph.floats(&names[0], &[], &[scale]).bytes_of(&names[1], DataType::Uint8, &[], &[zero])
    };
    let graph = Graph::new([1, SIZE as i64, SIZE as i64]);
    let graph = constants(graph, "in", 1.0 / 255.0, 0);
    let graph = constants(constants(graph, "map", 0.01, 0), "mean", 0.004, 3);
    let (graph, filters, steps) = weights(graph, "filters", &[4, 1, 3, 3], Weights::PerChannel);
    let bytes = graph
        .at("input")
        .bias_of("bias", &[40, -70, 0, 9])
        .node("QuantizeLinear", "in", &["in_scale", "in_zero"], vec![])
        .node(
            "QLinearConv",
            "conv",
            &[
                "in_scale",
                "in_zero",
                "filters_stored",
                "filters_scale",
                "filters_zero",
                "map_scale",
                "map_zero",
                "bias",
            ],
            vec![],
        )
        .node("QLinearGlobalAveragePool", "mean", &["map_scale", "map_zero", "mean_scale", "mean_zero"], vec![])
        .node("DequantizeLinear", "real", &["mean_scale", "mean_zero"], vec![])
        .bytes();
    let compiled = compiled(&bytes);
    let [conv, mean] = &compiled.quantized.layers[..] else { panic!("not two layers") };
    let found: Vec<i64> = conv.weights.iter().map(|&weight| weight.into()).collect();
    assert_eq!((found, &conv.weight_scales), (filters, &steps));
    assert_eq!(conv.bias, [40, -70, 0, 9]);
    assert_eq!(mean.output_quantization, Quantization { scale: 0.004, zero_point: 3 });
    assert_same(&bytes, &compiled, 0.004);
}

#[test]
fn what_only_images_can_tell_is_asked_for() {
    let (graph, ..) = weights(
        quantized(Graph::new([1, SIZE as i64, SIZE as i64]), "input", 1.0 / 255.0, 0, DataType::Uint8),
        "filters",
        &[4, 1, 3, 3],
        Weights::PerTensor,
    );
    let graph =
        graph.at("input_dq_out").node("Conv", "conv", &["filters_out"], vec![]).node("Relu", "relu", &[], vec![]);
    let bytes = graph.classes(4 * 36).bytes();
    let error = compile_without_images(&bytes, &Options::named("test")).unwrap_err();
    let CompileError::Calibration(text) = &error else { panic!("{error}") };
    assert!(text.contains("conv (no QuantizeLinear follows it)") && text.contains("--calibration"), "{text}");
    // With images, all that the file says is kept.
    let options = Options { calibration_images: 50, ..Options::named("test") };
    let compiled = compile(&bytes, &images(150, SIZE, SIZE, 3), &options).unwrap();
    assert_eq!(compiled.quantized.layers[0].weight_scales, [0.003; 4]);
}
