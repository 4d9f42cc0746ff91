//! What enters a network: the form is said or found, kept in the model, and used alike by all commands.

#[path = "../../compiler/tests/common/mod.rs"]
mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{Graph, Random, ints};
use dataset::Dataset;
use serde_json::Value;
use thumbnet_compiler::onnx::{self, Entry};
use thumbnet_compiler::{OnnxModel, float};

const SIDE: usize = 16;
/// Pixels of a cell of the image; the class is the cell that has the bright spot.
const CELL: usize = 4;
const CELLS: usize = SIDE / CELL;

/// The first pixel of the cell of a class.
fn corner(class: usize) -> [usize; 2] {
    [class / CELLS * CELL, class % CELLS * CELL]
}

/// Images with a small bright spot in the cell of their class and a large dim one elsewhere: who mistakes how bright they
/// are takes one for the other.
fn idx(count: usize, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut random = Random(seed);
    let words = |words: &[usize]| words.iter().flat_map(|&word| (word as u32).to_be_bytes()).collect::<Vec<u8>>();
    let mut images = words(&[0x803, count, SIDE, SIDE]);
    let mut labels = words(&[0x801, count]);
    for index in 0..count {
        let class = index % 10;
        let other = (class + 1 + random.next() as usize % 9) % 10;
        let mut image = [0u8; SIDE * SIDE];
        let mut paint = |[top, left]: [usize; 2], side: usize, value: u8| {
            for y in top..top + side {
                image[y * SIDE + left..][..side].fill(value);
            }
        };
        paint(corner(other), CELL, 110 + (random.next() % 10) as u8);
        paint(corner(class), 2, 150 + (random.next() % 100) as u8);
        images.extend(image);
        labels.push(class as u8);
    }
    (images, labels)
}

/// Tells these images apart if `before` makes pixels of 0.0 to 1.0 of what enters.
fn network(before: impl Fn(Graph) -> Graph, is_transposed: bool) -> Vec<u8> {
    let mut weights = vec![0.0; 10 * SIDE * SIDE];
    for class in 0..10 {
        let [top, left] = corner(class);
        for (y, x) in (0..CELL).flat_map(|y| (0..CELL).map(move |x| (y, x))) {
            let [y, x] = if is_transposed { [left + x, top + y] } else { [top + y, left + x] };
            weights[class * SIDE * SIDE + y * SIDE + x] = 8.0;
        }
    }
    before(Graph::new([1, SIDE as i64, SIDE as i64]))
        .floats("spot_w", &[1, 1, 1, 1], &[1.0])
        .floats("spot_b", &[1], &[-0.5])
        .node("Conv", "spot", &["spot_w", "spot_b"], vec![])
        .node("Relu", "bright", &[], vec![])
        .node("Flatten", "flat", &[], vec![])
        .floats("cells", &[10, SIDE * SIDE], &weights)
        .node("Gemm", "classes", &["cells"], vec![common::int("transB", 1)])
        .bytes()
}

/// `x * factor + term` before the network.
fn scaled(factor: f32, term: f32) -> impl Fn(Graph) -> Graph {
    move |graph| {
        let graph = graph.floats("factor", &[], &[factor]).floats("term", &[], &[term]);
        graph.node("Mul", "scaled", &["factor"], vec![]).node("Add", "shifted", &["term"], vec![])
    }
}

fn thumbnet(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thumbnet")).args(arguments).current_dir(directory).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (split, count, seed) in [("train", 400, 1), ("t10k", 100, 2)] {
        let (images, labels) = idx(count, seed);
        fs::write(directory.path().join(format!("{split}-images-idx3-ubyte")), images).unwrap();
        fs::write(directory.path().join(format!("{split}-labels-idx1-ubyte")), labels).unwrap();
    }
    directory
}

#[test]
fn the_form_is_found_and_used_alike_by_all() {
    let directory = directory();
    let thumbnet = |arguments: &[&str]| thumbnet(directory.path(), arguments);
    let files: [(&str, Vec<u8>); 7] = [
        ("0..1", network(|graph| graph, false)),
        ("0..255", network(scaled(1.0 / 255.0, 0.0), false)),
        ("-1..1", network(scaled(0.5, 0.5), false)),
        ("0.1307/0.3081", network(scaled(0.3081, 0.1307), false)),
        ("0..1,inverted", network(scaled(-1.0, 1.0), false)),
        ("0..1,transposed", network(|graph| graph, true)),
        ("-1..1,inverted,transposed", network(scaled(-0.5, 0.5), true)),
    ];
    for (form, onnx) in files {
        fs::write(directory.path().join("net.onnx"), onnx).unwrap();
        let compiled = json(&thumbnet(&["compile", "net.onnx", "--calibration", ".", "--out", "net.tnet", "--json"]));
        let report = &compiled["report"];
        assert_eq!((report["input"].as_str(), report["float_accuracy"].as_f64()), (Some(form), Some(1.0)), "{report}");
        assert!(report["candidates"][0]["accuracy"].as_f64().unwrap() > 0.95, "{form}: {report}");
        assert_eq!(compiled["input_form"], form);
        for (model, input) in [("net.tnet", Value::Null), ("net.onnx", form.into()), ("net.qdq.onnx", form.into())] {
            let evaluated = json(&thumbnet(&["eval", model, "--data", ".", "--json"]));
            assert_eq!(evaluated["input"], input, "{form}, {model}");
            assert!(evaluated["accuracy"].as_f64().unwrap() > 0.95, "{form}, {model}: {evaluated}");
        }
        // Said, it is taken at its word; the model is the same.
        let said =
            ["compile", "net.onnx", "--calibration", ".", "--input", form, "--name", "net", "--out", "said.tnet"];
        assert!(thumbnet(&said).status.success());
        let read = |name: &str| fs::read(directory.path().join(name)).unwrap();
        assert!(read("net.tnet") == read("said.tnet"), "{form}");
    }
}

#[test]
fn guessing_stops_with_what_was_tried_unless_the_form_is_said() {
    let directory = directory();
    // Labels that have nothing to do with the images.
    let mut labels = fs::read(directory.path().join("train-labels-idx1-ubyte")).unwrap();
    let mut random = Random(8);
    labels[8..].fill_with(|| (random.next() % 10) as u8);
    fs::write(directory.path().join("train-labels-idx1-ubyte"), labels).unwrap();
    let onnx = Graph::new([1, SIDE as i64, SIDE as i64]).classes(SIDE * SIDE).bytes();
    fs::write(directory.path().join("net.onnx"), onnx).unwrap();
    let arguments = ["compile", "net.onnx", "--calibration", ".", "--out", "net.tnet"];
    let output = thumbnet(directory.path(), &arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("guessing") && error.contains("--input"), "{error}");
    assert!(error.contains("0.1307/0.3081,inverted,transposed") && error.contains("% right of"), "{error}");
    let said = [&arguments[..], &["--input", "-1..1"]].concat();
    let output = thumbnet(directory.path(), &said);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("no more than by guessing"), "{text}");
    assert!(text.contains("% right, same class as the floats"), "{text}");
}

#[test]
fn a_constant_network_is_said_to_be_one() {
    let directory = directory();
    let graph = Graph::new([1, SIDE as i64, SIDE as i64])
        .node("Flatten", "flat", &[], vec![])
        .random("w", &[1, SIDE * SIDE], 0.1, 0.2)
        .floats("b", &[1], &[1.0])
        .node("Gemm", "logit", &["w", "b"], vec![common::int("transB", 1)]);
    fs::write(directory.path().join("one.onnx"), graph.bytes()).unwrap();
    let output = thumbnet(directory.path(), &["compile", "one.onnx", "--calibration", ".", "--out", "one.tnet"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("takes every image for class 1") && text.contains("accuracy is not known"), "{text}");
}

#[test]
fn a_transposed_network_computes_the_same_of_turned_images() {
    let graph = Graph::new([2, 9, 7])
        .conv("a", [4, 2, 3, 2], vec![ints("strides", &[2, 1]), ints("pads", &[1, 0, 0, 1])])
        .node("Relu", "r", &[], vec![])
        .node(
            "MaxPool",
            "p",
            &[],
            vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2]), ints("pads", &[0, 0, 0, 1])],
        )
        .conv("b", [4, 1, 1, 3], vec![common::int("group", 4), ints("pads", &[0, 2, 0, 1])])
        .node("Flatten", "flat", &[], vec![]);
    let inputs = onnx::import(&graph_bytes(&graph)).unwrap().layers.last().unwrap().record.output.len();
    let bytes = graph.dense("classes", 10, inputs).bytes();
    let plain = onnx::import(&bytes).unwrap();
    let entry = Entry { is_transposed: true, ..Entry::default() };
    let turned = onnx::import_with(&bytes, &entry).unwrap();
    assert_eq!((turned.input.height, turned.input.width), (plain.input.width, plain.input.height));
    let tract = OnnxModel::load_with(&bytes, &entry).unwrap();
    let mut random = Random(5);
    let pixels: Vec<u8> = (0..plain.input.len()).map(|_| random.next() as u8).collect();
    // The image whose rows are the other's columns.
    let [height, width, channels] = [9, 7, 2];
    let other: Vec<u8> = (0..width)
        .flat_map(|x| (0..height).map(move |y| (y * width + x) * channels))
        .flat_map(|place| pixels[place..place + channels].to_vec())
        .collect();
    let expected = float::activations(&plain, &float::image(&plain, &pixels)).pop().unwrap();
    let found = float::activations(&turned, &float::image(&turned, &other)).pop().unwrap();
    let theirs = tract.logits(&other).unwrap();
    for ((expected, found), theirs) in expected.iter().zip(found).zip(theirs) {
        assert!((expected - found).abs() < 1e-4 && (expected - theirs).abs() < 1e-4, "{expected} {found} {theirs}");
    }
}

/// The bytes of a graph that is still added to.
fn graph_bytes(graph: &Graph) -> Vec<u8> {
    graph.clone().bytes()
}

#[test]
fn the_data_are_told_apart_by_brightness() {
    // What the tests above rest on: a network in another form is wrong.
    let (images, labels) = idx(200, 3);
    let images = Dataset::from_bytes(&images, &labels).unwrap();
    let model = OnnxModel::load(&network(|graph| graph, false)).unwrap();
    let right = |form: &str| {
        let model = model.entering(form.parse::<thumbnet_compiler::Form>().unwrap().entry());
        let class =
            |index: usize| thumbnet_compiler::evaluate::Classify::answer(&model, images.image(index)).unwrap().class;
        (0..images.len()).filter(|&index| class(index) == usize::from(images.label(index))).count()
    };
    assert_eq!(right("0..1"), 200);
    for form in ["0..255", "-1..1", "0.1307/0.3081", "0..1,inverted", "0..1,transposed"] {
        assert!(right(form) < 190, "{form}: {}", right(form));
    }
}
