//! Files of every released format version stay readable. `host-tests/examples/samples.rs` has written them, once.

use std::fs;
use std::path::Path;

use thumbnet::format::{Activation, Algorithm, Op, VERSION};
use thumbnet::{Model, Network, ParseError};

/// The oldest version that is read. Version 1 was never released.
const OLDEST: u16 = 2;

/// The names of all samples, such as `v2-nano`.
fn samples() -> Vec<String> {
    let files = fs::read_dir(directory()).into_iter().flatten().map(|entry| entry.unwrap().path());
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

/// The codes that this version knows and no sample has.
fn missing(knows: impl Fn(u8) -> bool, found: &[u8]) -> Vec<u8> {
    (0..=u8::MAX).filter(|&code| knows(code) && !found.contains(&code)).collect()
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
        let version = u16::from_le_bytes([file[4], file[5]]);
        assert!(sample.starts_with(&format!("v{version}-")), "{sample} has version {version}");
        versions.push(version);
        for layer in model.layers() {
            ops.push(layer.op as u8);
            algorithms.push(layer.algorithm as u8);
            activations.push(layer.activation as u8);
        }
    }
    // Nothing that a file may hold lacks a sample.
    assert!((OLDEST..=VERSION).all(|version| versions.contains(&version)), "samples of versions {versions:?} only");
    assert_eq!(missing(|code| Op::from_code(code).is_some(), &ops), [], "operators without a sample");
    assert_eq!(missing(|code| Algorithm::from_code(code).is_some(), &algorithms), [], "algorithms without a sample");
    assert_eq!(missing(|code| Activation::from_code(code).is_some(), &activations), [], "activations without a sample");
}

#[test]
fn a_newer_version_is_refused_with_a_word_on_what_to_do() {
    let newest = samples().into_iter().find(|sample| sample.starts_with(&format!("v{VERSION}-")));
    let mut newer = read(&newest.expect("a sample of this version"), "tnet");
    newer[4..6].copy_from_slice(&(VERSION + 1).to_le_bytes());
    let error = Model::parse(&newer).unwrap_err();
    assert_eq!(error, ParseError::Version { found: VERSION + 1 });
    let text = error.to_string();
    assert!(text.contains("update thumbnet") && text.contains("compile the model again"), "{text}");
}
