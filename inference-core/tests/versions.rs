//! Files of every released format version stay readable. `host-tests/examples/samples.rs` has written them, once.

use std::fs;
use std::path::Path;

use inference_core::format::{Activation, Algorithm, Op, VERSION};
use inference_core::{Model, Network, ParseError};

/// The names of all samples, such as `v1-nano`.
fn samples() -> Vec<String> {
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let models = files.filter(|path| path.extension().is_some_and(|ending| ending == "tnet"));
    // A trained network takes Miri minutes.
    let models = models.filter(|path| !cfg!(miri) || path.metadata().unwrap().len() < 4096);
    models.map(|path| path.file_stem().unwrap().to_str().unwrap().to_string()).collect()
}

fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples"))
}

fn read(sample: &str, ending: &str) -> Vec<u8> {
    fs::read(directory().join(format!("{sample}.{ending}"))).unwrap()
}

#[test]
fn samples_of_every_version_give_the_logits_that_they_gave() {
    let (mut versions, mut ops, mut algorithms, mut activations) = (vec![], vec![], vec![], vec![]);
    for sample in samples() {
        let file = read(&sample, "tnet");
        let model = Model::parse(&file).unwrap_or_else(|error| panic!("{sample}: {error}"));
        let mut arena = vec![0; model.arena_len()];
        let mut network = Network::new(&model, &mut arena).unwrap();
        let found: Vec<i32> = network.classify(&read(&sample, "image")).unwrap().logits().iter().collect();
        let text = String::from_utf8(read(&sample, "logits")).unwrap();
        let expected: Vec<i32> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(found, expected, "{sample}");
        versions.push(u16::from_le_bytes([file[4], file[5]]));
        for layer in model.layers() {
            ops.push(layer.op as u8);
            algorithms.push(layer.algorithm as u8);
            activations.push(layer.activation as u8);
        }
    }
    // Nothing that a file may hold lacks a sample.
    assert!((1..=VERSION).all(|version| versions.contains(&version)), "{versions:?}");
    assert!((0..=u8::MAX).filter(|&code| Op::from_code(code).is_some()).all(|code| ops.contains(&code)));
    assert!((0..=u8::MAX).filter(|&code| Algorithm::from_code(code).is_some()).all(|code| algorithms.contains(&code)));
    assert!(
        (0..=u8::MAX).filter(|&code| Activation::from_code(code).is_some()).all(|code| activations.contains(&code))
    );
}

#[test]
fn a_newer_version_is_refused_with_a_word_on_what_to_do() {
    let mut newer = read("v1-nano", "tnet");
    newer[4..6].copy_from_slice(&(VERSION + 1).to_le_bytes());
    let error = Model::parse(&newer).unwrap_err();
    assert_eq!(error, ParseError::Version { found: VERSION + 1 });
    let text = error.to_string();
    assert!(text.contains("update thumbnet") && text.contains("compile the model again"), "{text}");
}
