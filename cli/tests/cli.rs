//! The `thumbnet` command, as a user calls it.

#[path = "../../compiler/tests/common/mod.rs"]
mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{Graph, idx, ints};
use serde_json::Value;

fn thumbnet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thumbnet")).args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn error(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn network() -> Graph {
    Graph::new([1, 28, 28])
        .conv("conv", [4, 1, 3, 3], vec![ints("strides", &[2, 2])])
        .node("Relu", "relu", &[], vec![])
        .classes(4 * 13 * 13)
}

/// A directory with images and an ONNX network.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (split, count, seed) in [("train", 300, 1), ("t10k", 40, 2)] {
        let (images, labels) = idx(count, 28, 28, seed);
        fs::write(directory.path().join(format!("{split}-images-idx3-ubyte")), images).unwrap();
        fs::write(directory.path().join(format!("{split}-labels-idx1-ubyte")), labels).unwrap();
    }
    fs::write(directory.path().join("net.onnx"), network().bytes()).unwrap();
    directory
}

fn compile(directory: &Path) -> Value {
    let path = |name: &str| directory.join(name).display().to_string();
    let data = directory.display().to_string();
    json(&thumbnet(&[
        "compile",
        &path("net.onnx"),
        "--calibration",
        &data,
        "--input",
        "0..1",
        "--out",
        &path("out/net.tnet"),
        "--json",
    ]))
}

#[test]
fn compile_inspect_eval_classify() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let compiled = compile(directory.path());
    assert_eq!(compiled["name"], "net");
    assert_eq!(compiled["report"]["calibration_images"], 150);

    let inspected = json(&thumbnet(&["inspect", &path("out/net.tnet"), "--json"]));
    assert_eq!(inspected["arena_bytes"], compiled["arena_bytes"]);
    assert_eq!(inspected["flash_bytes"], fs::metadata(path("out/net.tnet")).unwrap().len());
    assert_eq!(inspected["macs"], 4 * 9 * 13 * 13 + 4 * 13 * 13 * 10);
    assert_eq!(inspected["params"], 4 * 9 + 4 + 4 * 13 * 13 * 10 + 10);
    assert_eq!(inspected["layers"].as_array().unwrap().len(), 2);

    let data = directory.path().display().to_string();
    for model in ["out/net.tnet", "out/net.qdq.onnx", "net.onnx"] {
        let pictures = path("pictures");
        let evaluated = json(&thumbnet(&["eval", &path(model), "--data", &data, "--out", &pictures, "--json"]));
        assert_eq!(evaluated["images"], 40);
        assert!(evaluated["loss"].as_f64().unwrap() > 0.0);
        let confusion = image::open(path("pictures/confusion.png")).unwrap();
        assert!(confusion.width() > 400);
        assert!(image::open(path("pictures/misclassified.png")).unwrap().height() > 28);
    }

    let stroke = image::GrayImage::from_fn(60, 80, |x, y| {
        image::Luma([if (25..35).contains(&x) && (10..70).contains(&y) { 20 } else { 240 }])
    });
    stroke.save(path("one.png")).unwrap();
    stroke.save(path("one.pgm")).unwrap();
    let png = json(&thumbnet(&["classify", &path("out/net.tnet"), &path("one.png"), "--json"]));
    let pgm = json(&thumbnet(&["classify", &path("out/net.tnet"), &path("one.pgm"), "--json"]));
    assert_eq!(png, pgm);
    let sum: f64 = png["probabilities"].as_array().unwrap().iter().filter_map(Value::as_f64).sum();
    assert!((sum - 1.0).abs() < 1e-3, "{sum}");

    let bars = thumbnet(&["classify", &path("out/net.tnet"), &path("one.png")]);
    assert!(String::from_utf8(bars.stdout).unwrap().contains('█'));
    let table = thumbnet(&["inspect", &path("out/net.tnet")]);
    assert!(String::from_utf8(table.stdout).unwrap().contains("conv 3x3 / 2x2, relu"));
}

#[test]
fn every_subcommand_has_help() {
    for arguments in [&["--help"][..], &["compile", "--help"], &["inspect", "--help"], &["eval", "--help"]] {
        let output = thumbnet(arguments);
        assert!(output.status.success() && output.stdout.len() > 100, "{arguments:?}");
    }
}

#[test]
fn bad_input_is_named() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let data = directory.path().display().to_string();
    compile(directory.path());
    fs::write(path("junk.png"), b"this is no picture").unwrap();
    let junk = error(&thumbnet(&["classify", &path("out/net.tnet"), &path("junk.png")]));
    assert!(junk.contains("junk.png") && junk.contains("not a PNG or PGM picture"), "{junk}");
    fs::write(path("short.raw"), [0; 100]).unwrap();
    let short = error(&thumbnet(&["classify", &path("out/net.tnet"), &path("short.raw")]));
    assert!(short.contains("100 bytes") && short.contains("784"), "{short}");
    fs::write(path("black.raw"), [0; 784]).unwrap();
    json(&thumbnet(&["classify", &path("out/net.tnet"), &path("black.raw"), "--json"]));
    let missing = error(&thumbnet(&["inspect", &path("nowhere.tnet")]));
    assert!(missing.contains("nowhere.tnet"), "{missing}");
    let not_a_model = error(&thumbnet(&["inspect", &path("net.onnx")]));
    assert!(not_a_model.contains("does not begin with TNET"), "{not_a_model}");

    let not_compiled = error(&thumbnet(&["inspect", &path("net.onnx")]));
    assert!(not_compiled.contains("thumbnet compile"), "{not_compiled}");

    let graph = network().node("Sin", "curve", &[], vec![]);
    fs::write(path("sin.onnx"), graph.bytes()).unwrap();
    let refused = error(&thumbnet(&[
        "compile",
        &path("sin.onnx"),
        "--calibration",
        &data,
        "--input",
        "0..1",
        "--out",
        &path("sin.tnet"),
    ]));
    assert!(refused.contains("node curve (Sin)"), "{refused}");
    assert!(!Path::new(&path("sin.tnet")).exists());
}

#[test]
fn what_is_not_onnx_is_named() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let data = directory.path().display().to_string();
    let compiled = |name: &str| {
        thumbnet(&["compile", &path(name), "--calibration", &data, "--input", "0..1", "--out", &path("x.tnet")])
    };
    let files: [(&str, &[u8], &str); 4] = [
        ("pointer.onnx", b"version https://git-lfs.example/spec/v1\noid sha256:00\nsize 12\n", "git lfs pull"),
        ("page.onnx", b"<!DOCTYPE html><html></html>", "not the page"),
        ("weights.h5", b"\x89HDF\r\n\x1a\n\0\0\0\0", "export"),
        ("empty.onnx", b"", "an empty file"),
    ];
    for (name, bytes, advice) in files {
        fs::write(path(name), bytes).unwrap();
        for output in [compiled(name), thumbnet(&["eval", &path(name), "--data", &data])] {
            let message = error(&output);
            assert!(message.contains(name) && message.contains(advice), "{message}");
        }
    }
    fs::create_dir(path("folder")).unwrap();
    let folder = error(&compiled("folder"));
    assert!(folder.contains("is a directory: give a file"), "{folder}");
    fs::write(path("folder/saved_model.pb"), b"\x08\x01").unwrap();
    let saved = error(&compiled("folder"));
    assert!(saved.contains("tf2onnx.convert --saved-model"), "{saved}");
    compile(directory.path());
    let twice = error(&compiled("out/net.tnet"));
    assert!(twice.contains("needs no compiling"), "{twice}");
}

#[test]
fn a_long_file_name_is_a_fine_model_name() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let data = directory.path().display().to_string();
    // The 24th byte is the first half of a letter.
    let long = "a_network_from_a_far_awäy_place.onnx";
    fs::copy(path("net.onnx"), path(long)).unwrap();
    let out = path("out/long.tnet");
    let compiled =
        json(&thumbnet(&["compile", &path(long), "--calibration", &data, "--input", "0..1", "--out", &out, "--json"]));
    assert_eq!(compiled["name"], "a_network_from_a_far_aw");
    let notes = compiled["report"]["notes"].to_string();
    assert!(notes.contains("24 bytes at most"), "{notes}");
}

#[test]
fn shells_and_manuals_know_every_subcommand() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    let manual = thumbnet(&["manual", &pages.display().to_string()]);
    assert!(manual.status.success());
    let bash = thumbnet(&["completions", "bash"]);
    let script = String::from_utf8(bash.stdout).unwrap();
    for name in ["compile", "inspect", "eval", "compare", "classify", "device"] {
        assert!(script.contains(&format!("thumbnet__subcmd__{name}")) || script.contains(&format!("thumbnet__{name}")));
        let page = fs::read_to_string(pages.join(format!("thumbnet-{name}.1"))).unwrap();
        assert!(page.contains("SYNOPSIS"), "{page}");
    }
    let refused = thumbnet(&["completions", "abacus"]);
    assert_eq!(refused.status.code(), Some(2));
}
