//! What a layer costs, and where two networks first differ.

#[path = "../../compiler/tests/common/mod.rs"]
mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use common::{Graph, Random, idx, int, ints};
use protocol::{
    FrameReader, Info, MAX_OUTPUTS, OwnedReply, Place, Prediction, Request, VERSION, decode, encode, reply_len,
    request_len,
};
use serde_json::Value;
use thumbnet::format::{HEADER_LEN, Header, checksum};
use thumbnet::{Model, Network};

const SIDE: usize = 10;
const IMAGES: usize = 40;

fn thumbnet(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thumbnet")).args(arguments).current_dir(directory).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// Two convolutions, a function with a table, a pooling of its own, a dense layer. The first channel of `wide` is many times as
/// large as the others, and nothing reads it.
fn network(wide: f32) -> Vec<u8> {
    let mut random = Random(7);
    let mut weights: Vec<f32> = (0..4 * 9).map(|_| random.unit() - 0.3).collect();
    weights[..9].iter_mut().for_each(|weight| *weight = wide);
    let mut next: Vec<f32> = (0..4 * 4 * 9).map(|_| random.unit() - 0.5).collect();
    next.chunks_exact_mut(4 * 9).for_each(|filter| filter[..9].fill(0.0));
    Graph::new([1, SIDE as i64, SIDE as i64])
        .floats("wide_w", &[4, 1, 3, 3], &weights)
        .floats("wide_b", &[4], &[0.0; 4])
        .node("Conv", "wide", &["wide_w", "wide_b"], vec![ints("pads", &[1, 1, 1, 1])])
        .node("Relu", "relu", &[], vec![])
        .floats("next_w", &[4, 4, 3, 3], &next)
        .floats("next_b", &[4], &[0.0; 4])
        .node("Conv", "next", &["next_w", "next_b"], vec![])
        .node("Sigmoid", "curve", &[], vec![])
        .node("MaxPool", "pool", &[], vec![ints("kernel_shape", &[3, 3]), ints("strides", &[2, 1])])
        .node("Flatten", "flat", &[], vec![])
        .dense("classes", 10, 4 * 3 * 6)
        .bytes()
}

fn directory(wide: f32) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (split, seed) in [("train", 1), ("t10k", 2)] {
        let (images, labels) = idx(IMAGES, SIDE, SIDE, seed);
        fs::write(directory.path().join(format!("{split}-images-idx3-ubyte")), images).unwrap();
        fs::write(directory.path().join(format!("{split}-labels-idx1-ubyte")), labels).unwrap();
    }
    fs::write(directory.path().join("net.onnx"), network(wide)).unwrap();
    let compile =
        ["compile", "net.onnx", "--calibration", ".", "--input", "0..1", "--out", "net.tnet", "--report", "report"];
    let output = thumbnet(directory.path(), &compile);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    directory
}

fn report(directory: &Path) -> Value {
    serde_json::from_slice(&fs::read(directory.join("report/quantization.json")).unwrap()).unwrap()
}

#[test]
fn the_report_names_what_costs_most() {
    let [even, wide] = [0.5, 40.0].map(directory);
    let [even, wide] = [&even, &wide].map(|directory| report(directory.path()));
    let layer = |report: &Value, index: usize, field: &str| report["layers"][index][field].clone();
    let number = |report: &Value, index: usize, field: &str| {
        layer(report, index, field).as_f64().unwrap_or_else(|| panic!("{field} of layer {index}: {report}"))
    };
    let names: Vec<Value> = (0..4).map(|index| layer(&wide, index, "name")).collect();
    assert_eq!(names, ["wide", "next", "pool", "classes"]);
    assert_eq!((&wide["costliest"], layer(&wide, 0, "op")), (&0.into(), "Conv".into()), "{wide}");
    assert!(number(&wide, 0, "divergence_alone") > 100.0 * number(&even, 0, "divergence_alone"), "{wide} {even}");
    // What the other channels lose there, the layer behind is given: by itself, it loses no more than before.
    assert!(number(&even, 1, "snr") > number(&wide, 1, "snr") + 10.0, "{even} {wide}");
    assert!(number(&wide, 1, "own_snr") > number(&wide, 1, "snr") + 10.0, "{wide}");
    // A pooling is exact, whatever it is given.
    assert!(layer(&wide, 2, "own_snr").is_null() && layer(&wide, 2, "snr").is_f64(), "{wide}");
    assert!(layer(&wide, 0, "beyond_table").is_null() && layer(&wide, 1, "beyond_table").is_f64(), "{wide}");
    assert!(layer(&wide, 3, "covered").is_null() && layer(&wide, 2, "covered").is_array(), "{wide}");
    let bits = number(&wide, 1, "sum_bits");
    assert!((12.0..=32.0).contains(&bits), "{bits}");
}

#[test]
fn the_report_is_a_table_and_a_picture_too() {
    let directory = directory(1.0);
    let read = |name: &str| fs::read_to_string(directory.path().join("report").join(name)).unwrap();
    let (table, picture) = (read("quantization.md"), read("quantization.svg"));
    assert_eq!(table.lines().filter(|line| line.starts_with('|')).count(), 2 + 4, "{table}");
    assert!(table.contains("costs most") && table.contains(" exact |"), "{table}");
    assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"), "{picture}");
    assert_eq!(picture.matches("height=\"10\" fill=\"#08519c\"").count(), 4 + 1, "{picture}");
}

#[test]
fn a_clipped_range_is_seen() {
    let directory = directory(1.0);
    // The same ranges, but images that are brighter than those they were measured on cannot be made: the floats of the
    // comparison images lie in what the measured ones cover, but for what the method clips.
    let report = report(directory.path());
    for layer in report["layers"].as_array().unwrap() {
        let [least, largest] = [0, 1].map(|end| layer["range"][end].as_f64().unwrap());
        let clipped = layer["clipped"].as_f64().unwrap();
        if let Some(covered) = layer["covered"].as_array() {
            let step = (covered[1].as_f64().unwrap() - covered[0].as_f64().unwrap()) / 255.0;
            let inside = covered[0].as_f64().unwrap() - step < least && largest < covered[1].as_f64().unwrap() + step;
            assert!(inside || clipped > 0.0, "{layer}");
        }
        assert!(clipped < 0.05, "{layer}");
    }
}

/// The model with one weight of a layer changed.
fn damaged(tnet: &[u8], layer: usize) -> Vec<u8> {
    let mut bytes = tnet.to_vec();
    let offset = Model::parse(tnet).unwrap().layer(layer).unwrap().weights_offset as usize;
    // A large change of a weight that matters.
    bytes[offset + 20] = bytes[offset + 20].wrapping_add(90);
    let head: &[u8; HEADER_LEN] = bytes.first_chunk().unwrap();
    let mut header = Header::decode(head);
    header.crc = checksum(&bytes);
    bytes[..HEADER_LEN].copy_from_slice(&header.encode());
    bytes
}

#[test]
fn the_first_layer_and_image_that_differ_are_named() {
    let directory = directory(1.0);
    let path = directory.path();
    let compare = |a: &str, b: &str, more: &[&str]| {
        let output = thumbnet(path, &[&["compare", a, b, "--data", ".", "--input", "0..1", "--json"], more].concat());
        (output.status.success(), json(&output), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (same, object, _) = compare("net.tnet", "net.tnet", &[]);
    assert!(same && object["first"].is_null() && object["other_classes"] == 0, "{object}");
    assert_eq!(object["layers"].as_array().unwrap().len(), 4);

    let tnet = fs::read(path.join("net.tnet")).unwrap();
    for layer in [0, 1, 3] {
        fs::write(path.join("other.tnet"), damaged(&tnet, layer)).unwrap();
        let (same, object, error) = compare("net.tnet", "other.tnet", &[]);
        assert!(!same, "{object}");
        let first = object["first"].clone();
        assert!(first["layer"].as_str().unwrap().starts_with(&format!("layer {layer}:")), "{first}");
        // Layers before are the same, and the image is the first on which this one is not.
        assert!((0..layer).all(|before| object["layers"][before]["images"] == 0), "{object}");
        let image = first["first"]["image"].as_u64().unwrap();
        assert!(error.contains(&format!("differs first, on image {image}:")), "{error}");
        if image > 0 {
            let before = compare("net.tnet", "other.tnet", &["--limit", &image.to_string()]).1;
            assert_eq!(before["layers"][layer]["images"], 0, "{before}");
        }
    }

    // Floats differ by rounding, which is no difference; another network is one.
    let (same, object, error) = compare("net.onnx", "net.tnet", &[]);
    assert!(same && object["layers"][1]["layer"] == "layer 1: next", "{object} {error}");
    assert!(object["layers"][0]["least_ratio"].as_f64().unwrap() > 20.0, "{object}");
    let (same, ..) = compare("net.tnet", "net.onnx", &["--snr", "200"]);
    assert!(!same);
    fs::write(path.join("other.tnet"), damaged(&tnet, 1)).unwrap();
    let (same, object, error) = compare("net.onnx", "other.tnet", &["--snr", "20"]);
    assert!(!same && error.contains("layer 1: next differs first"), "{object} {error}");
    // Of a file that is not imported, or of other layers, the results.
    let (same, object, error) = compare("net.qdq.onnx", "net.tnet", &[]);
    assert!(same && !object["layers"].as_array().unwrap().is_empty(), "{object} {error}");
}

/// A board that runs the model as this computer does, but for one logit of one image.
fn board(tnet: Vec<u8>, wrong: Option<usize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut line, _) = listener.accept().unwrap();
        let model = Model::parse(&tnet).unwrap();
        let mut arena = vec![0; model.arena_len()];
        let mut network = Network::new(&model, &mut arena).unwrap();
        let mut reader = FrameReader::<{ request_len(SIDE * SIDE) }>::new();
        let (mut image, mut byte) = (0, [0]);
        while line.read(&mut byte).is_ok_and(|read| read == 1) {
            let Some(frame) = reader.push(byte[0]) else { continue };
            let frame = frame.unwrap();
            let reply = match decode(frame.message).unwrap() {
                Request::Classify { pixels } => {
                    let prediction = network.classify(pixels).unwrap();
                    let mut logits: Vec<i32> = prediction.logits().iter().collect();
                    logits[3] += i32::from(wrong == Some(image));
                    image += 1;
                    OwnedReply::Prediction(Prediction { class: prediction.class() as u16, ticks: None, logits })
                }
                _ => OwnedReply::Info(Info {
                    protocol: VERSION,
                    board: "desk",
                    core: "none",
                    place: Place::Instructions,
                    counter_hz: None,
                    model: "net",
                    model_crc: 0,
                    height: SIDE as u16,
                    width: SIDE as u16,
                    channels: 1,
                    outputs: 10,
                    arena_bytes: 0,
                    model_bytes: 0,
                    flash_bytes: 0,
                }),
            };
            let mut buffer = vec![0; reply_len(MAX_OUTPUTS)];
            line.write_all(encode(frame.sequence, &reply, &mut buffer).unwrap()).unwrap();
        }
    });
    address
}

#[test]
fn a_board_is_compared_bit_for_bit() {
    let directory = directory(1.0);
    let tnet = fs::read(directory.path().join("net.tnet")).unwrap();
    for wrong in [None, Some(5)] {
        let address = board(tnet.clone(), wrong);
        let output = thumbnet(directory.path(), &["compare", "net.tnet", &address, "--data", ".", "--limit", "9"]);
        let error = String::from_utf8_lossy(&output.stderr);
        match wrong {
            None => assert!(output.status.success(), "{error}"),
            Some(image) => {
                assert!(error.contains(&format!("on image {image}:")) && !output.status.success(), "{error}")
            }
        }
    }
}

#[test]
fn what_cannot_be_compared_is_named() {
    let directory = directory(1.0);
    let other = Graph::new([1, SIDE as i64 + 1, SIDE as i64]).node("Flatten", "flat", &[], vec![]).floats(
        "w",
        &[10, (SIDE + 1) * SIDE],
        &vec![0.1; 10 * (SIDE + 1) * SIDE],
    );
    fs::write(directory.path().join("other.onnx"), other.node("Gemm", "g", &["w"], vec![int("transB", 1)]).bytes())
        .unwrap();
    for (name, text) in [("other.onnx", "11 x 10"), ("none.onnx", "none.onnx"), ("localhost:1", "no board answers")] {
        let arguments = ["compare", "net.tnet", name, "--data", ".", "--input", "0..1"];
        let output = thumbnet(directory.path(), &arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(text), "{name}: {error}");
    }
}
