//! From ONNX to integers: the core, the quantized ONNX file in tract, and the floats agree.

mod common;

use common::{Graph, images, ints};
use thumbnet::Model;
use thumbnet_compiler::evaluate::{Classify, evaluate};
use thumbnet_compiler::{CompileError, Compiled, OnnxModel, Optimize, Options, compile};

fn options() -> Options {
    Options { calibration_images: 200, ..Options::named("test") }
}

fn compiled(graph: Graph, size: usize) -> (Vec<u8>, Compiled) {
    let bytes = graph.bytes();
    let compiled = compile(&bytes, &images(600, size, size, 11), &options()).unwrap();
    (bytes, compiled)
}

/// Compares core and quantized ONNX on images that it was not calibrated on.
///
/// Both compute with the same integers but round once a layer, half up here and half to even there,
/// so a logit may differ by what a few steps of an activation are worth: `tolerance`, in reals.
fn assert_same_answers(compiled: &Compiled, size: usize, tolerance: f32) {
    let model = Model::parse(&compiled.tnet).unwrap();
    let qdq = OnnxModel::load(&compiled.qdq).unwrap();
    let images = images(100, size, size, 77);
    for index in 0..images.len() {
        let core = model.answer(images.image(index)).unwrap();
        let onnx = qdq.answer(images.image(index)).unwrap();
        let largest = core.logits.iter().zip(&onnx.logits).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest <= tolerance, "image {index}: a logit differs by {largest}");
        let mut sorted = core.logits.clone();
        sorted.sort_by(f32::total_cmp);
        if sorted[9] - sorted[8] > 2.0 * tolerance {
            assert_eq!(core.class, onnx.class, "image {index}");
        }
    }
}

#[test]
fn core_and_quantized_onnx_agree() {
    let (_, compiled) = compiled(common::small_network(), 12);
    assert_same_answers(&compiled, 12, 0.02);
}

#[test]
fn asymmetric_activations_depthwise_and_average_agree() {
    // No activation after the first convolutions: zero points other than zero, with padding.
    let graph = Graph::new([1, 11, 11])
        .conv("a", [5, 1, 3, 3], vec![ints("pads", &[1, 1, 1, 1])])
        .conv("b", [5, 1, 3, 3], vec![common::int("group", 5), ints("pads", &[0, 1, 1, 0])])
        .batch_norm("n", 5)
        .node("MaxPool", "p", &[], vec![ints("kernel_shape", &[2, 2]), ints("pads", &[0, 0, 1, 1])])
        .conv("c", [6, 5, 2, 3], vec![ints("pads", &[1, 2, 0, 1])])
        .node("GlobalAveragePool", "g", &[], vec![])
        .classes(6);
    let (_, compiled) = compiled(graph, 11);
    assert!(compiled.quantized.layers[0].output_quantization.zero_point > 0);
    assert_same_answers(&compiled, 11, 0.02);
}

#[test]
fn classes_of_different_ranges_get_a_scale_each_and_others_share_one() {
    // As a ridge classifier has them: a large weight of a single pixel, all others small.
    let dense = |outlier: f32| {
        let mut weights: Vec<f32> = (0..4 * 144).map(|index| ((index * 37 % 61) as f32 / 30.0 - 1.0) * 0.02).collect();
        weights[0] = outlier;
        let graph = Graph::new([1, 12, 12]).node("Flatten", "flat", &[], vec![]).floats("weights", &[4, 144], &weights);
        graph.node("Gemm", "logits", &["weights"], vec![common::int("transB", 1)])
    };
    let (_, alike) = compiled(dense(0.02), 12);
    assert!(!alike.report.method.ends_with("a scale a class"), "{}", alike.report.method);
    let (onnx, differing) = compiled(dense(5.0), 12);
    assert!(differing.report.method.ends_with("a scale a class"), "{}", differing.report.method);
    let (float, model) = (OnnxModel::load(&onnx).unwrap(), Model::parse(&differing.tnet).unwrap());
    let images = images(50, 12, 12, 5);
    for index in 0..images.len() {
        let (a, b) = (float.answer(images.image(index)).unwrap(), model.answer(images.image(index)).unwrap());
        for (a, b) in a.logits.iter().zip(&b.logits).skip(1) {
            assert!((a - b).abs() < 0.01, "image {index}: {a} {b}");
        }
    }
}

#[test]
fn integers_stay_close_to_the_floats() {
    let (onnx, compiled) = compiled(common::small_network(), 12);
    let float = OnnxModel::load(&onnx).unwrap();
    let model = Model::parse(&compiled.tnet).unwrap();
    let images = images(200, 12, 12, 5);
    let mut same = 0;
    for index in 0..images.len() {
        let (a, b) = (float.answer(images.image(index)).unwrap(), model.answer(images.image(index)).unwrap());
        same += usize::from(a.class == b.class);
        for (a, b) in a.logits.iter().zip(&b.logits) {
            assert!((a - b).abs() < 0.1, "image {index}: {a} {b}");
        }
    }
    assert!(same >= 190, "{same} of {}", images.len());
}

#[test]
fn a_dead_channel_and_a_dead_layer_compile() {
    let graph = Graph::new([1, 6, 6])
        .floats("w", &[2, 1, 1, 1], &[0.0, 1.0])
        .floats("b", &[2], &[0.75, 0.0])
        .node("Conv", "half_dead", &["w", "b"], vec![])
        .node("Relu", "r", &[], vec![])
        .floats("w2", &[3, 2, 1, 1], &[0.0; 6])
        .node("Conv", "dead", &["w2"], vec![])
        .node("Relu", "r2", &[], vec![])
        .classes(3 * 36);
    let (_, compiled) = compiled(graph, 6);
    assert_same_answers(&compiled, 6, 1e-4);
}

#[test]
fn ram_takes_less_memory_and_changes_no_answer() {
    let bytes = common::small_network().bytes();
    let training = images(600, 12, 12, 11);
    let speed = compile(&bytes, &training, &options()).unwrap();
    let ram = compile(&bytes, &training, &Options { optimize: Optimize::Ram, ..options() }).unwrap();
    assert_eq!(speed.quantized, ram.quantized);
    let (speed, ram) = (Model::parse(&speed.tnet).unwrap(), Model::parse(&ram.tnet).unwrap());
    assert!(ram.arena_len() < speed.arena_len());
    let images = images(20, 12, 12, 5);
    for index in 0..images.len() {
        assert_eq!(speed.answer(images.image(index)), ram.answer(images.image(index)));
    }
}

#[test]
fn speed_changes_no_answer_and_goes_by_the_core() {
    // Wide enough for Winograd.
    let graph = Graph::new([1, 12, 12])
        .conv("conv1", [8, 1, 3, 3], vec![])
        .node("Relu", "relu1", &[], vec![])
        .conv("conv2", [16, 8, 3, 3], vec![])
        .node("Relu", "relu2", &[], vec![])
        .classes(16 * 8 * 8);
    let bytes = graph.bytes();
    let training = images(600, 12, 12, 11);
    let direct = compile(&bytes, &training, &options()).unwrap();
    let speed = compile(&bytes, &training, &Options { optimize: Optimize::Speed, ..options() }).unwrap();
    assert!(direct.tnet != speed.tnet);
    let core = "Cortex-M55".parse().unwrap();
    let helium = compile(&bytes, &training, &Options { optimize: Optimize::Speed, core, ..options() }).unwrap();
    assert!(direct.tnet == helium.tnet, "direct convolution is the fastest with Helium");
    let (direct, speed) = (Model::parse(&direct.tnet).unwrap(), Model::parse(&speed.tnet).unwrap());
    let images = images(20, 12, 12, 5);
    for index in 0..images.len() {
        assert_eq!(direct.answer(images.image(index)), speed.answer(images.image(index)));
    }
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    let ((_, a), (_, b)) = (compiled(common::small_network(), 12), compiled(common::small_network(), 12));
    assert!(a.tnet == b.tnet && a.qdq == b.qdq);
}

#[test]
fn images_of_another_size_and_long_names_are_refused() {
    let bytes = common::small_network().bytes();
    let error = compile(&bytes, &images(50, 10, 12, 1), &options()).unwrap_err();
    assert!(error.to_string().contains("10 x 12"), "{error}");
    let long = Options::named("a name that has more than twenty-four bytes");
    let error = compile(&bytes, &images(50, 12, 12, 1), &long).unwrap_err();
    assert!(matches!(error, CompileError::Pack(_)), "{error}");
}

#[test]
fn evaluation_counts_by_label_and_class() {
    let (_, compiled) = compiled(common::small_network(), 12);
    let model = Model::parse(&compiled.tnet).unwrap();
    let images = images(80, 12, 12, 9);
    let evaluation = evaluate(&model, &images, 50, &|| {}).unwrap();
    assert_eq!(evaluation.images, 50);
    let correct = (0..50).filter(|&i| model.answer(images.image(i)).unwrap().class == usize::from(images.label(i)));
    assert_eq!(evaluation.correct, correct.count());
    assert_eq!(evaluation.confusion.iter().flatten().sum::<usize>(), 50);
    assert_eq!((0..10).map(|class| evaluation.confusion[class][class]).sum::<usize>(), evaluation.correct);
    assert_eq!(evaluation.mistakes.len(), 50 - evaluation.correct);
    assert!(evaluation.loss.is_finite() && evaluation.loss > 0.0);
}
