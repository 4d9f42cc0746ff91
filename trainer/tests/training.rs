//! Training is repeatable, can be interrupted anywhere, and exports what it trained.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use trainer::backend::Backend;
use trainer::card::Card;
use trainer::data::Data;
use trainer::export;
use trainer::network::Network;
use trainer::report::Report;
use trainer::spec::{self, NetworkSpec};
use trainer::train::{Options, Outcome, train};

/// Everything random at once: shuffling, dropout, augmentation; two optimizers and every kind of pooling.
fn small() -> NetworkSpec {
    let table = r#"
        [[network]]
        name = "small"
        kernel = 3
        activation = "relu"
        init = "he_uniform"
        conv = [[8, "same", "same/1"], [8, "valid", "valid"], [8, "same", ""], [8, "same", "same"]]
        dense = 16
        dropout = 0.25
        optimizer = ["sgd", "adam"]
        epochs = 2
        batch = 32
        schedule = "cosine"
        validation = 5000
        augment = { shift = 1.0, rotate = 5.0, scale = 0.1 }
    "#;
    spec::parse(table).unwrap().remove(0)
}

fn options(out: &Path, resume: bool) -> Options {
    Options { seed: 5, backend: Backend::Flex, out: out.to_path_buf(), resume }
}

/// Trains until `steps` steps are done.
fn run(spec: &NetworkSpec, data: &Data, options: &Options, steps: usize) -> Outcome {
    let left = Cell::new(steps);
    let stop = || {
        left.set(left.get().saturating_sub(1));
        left.get() == 0
    };
    train(spec, data, options, &Report::Quiet, &stop).unwrap()
}

#[test]
fn an_interrupted_training_ends_like_an_uninterrupted_one() {
    let spec = small();
    let data = Data::load(&spec, None, Some(200)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let file = |out: &Path, name: &str| fs::read(out.join(name)).unwrap();

    assert!(matches!(run(&spec, &data, &options(&whole, false), usize::MAX), Outcome::Finished(_)));
    // Seven steps an epoch: stopped in the first, in the second, and in the fourth epoch, which has the other optimizer.
    for (resume, steps, kept) in [(false, 3, 0), (true, 7 + 4, 1), (true, 2 * 7 + 2, 3)] {
        let outcome = run(&spec, &data, &options(&parts, resume), steps);
        assert!(matches!(outcome, Outcome::Interrupted { epochs } if epochs == kept), "{outcome:?}, not {kept}");
    }
    assert_eq!(file(&parts, "history.csv").iter().filter(|&&byte| byte == b'\n').count(), 1 + 3);
    assert!(matches!(run(&spec, &data, &options(&parts, true), usize::MAX), Outcome::Finished(_)));

    let history = String::from_utf8(file(&whole, "history.csv")).unwrap();
    assert_eq!(history.lines().count(), 1 + 4, "{history}");
    assert_eq!(String::from_utf8(file(&parts, "history.csv")).unwrap(), history);
    assert_eq!(file(&parts, "model.onnx"), file(&whole, "model.onnx"), "the weights differ");

    let card = Card::load(&parts).unwrap();
    assert_eq!((card.test_images, card.validation_images, card.run.train_images), (200, 200, 200));
    assert!(!parts.join("checkpoint").exists(), "a finished training leaves no checkpoint");
    for picture in ["curves.png", "curves.svg", "confusion.png", "confusion.svg"] {
        assert!(file(&parts, picture).len() > 1000, "{picture}");
    }
    assert!(matches!(run(&spec, &data, &options(&parts, true), 1), Outcome::AlreadyDone(_)));
}

#[test]
fn a_checkpoint_of_another_training_is_refused() {
    let spec = small();
    let data = Data::load(&spec, None, Some(40)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(run(&spec, &data, &options(dir.path(), false), 3), Outcome::Interrupted { epochs: 1 }));
    let other = Options { seed: 6, ..options(dir.path(), true) };
    let error = train(&spec, &data, &other, &Report::Quiet, &|| false).unwrap_err().to_string();
    assert!(error.contains("belongs to another training") && error.contains("seed: 6"), "{error}");
}

#[test]
fn a_damaged_checkpoint_is_an_error() {
    let spec = small();
    let data = Data::load(&spec, None, Some(40)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(run(&spec, &data, &options(dir.path(), false), 3), Outcome::Interrupted { epochs: 1 }));
    let weights = dir.path().join("checkpoint/epoch-0001/weights.bpk");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let error = train(&spec, &data, &options(dir.path(), true), &Report::Quiet, &|| false).unwrap_err().to_string();
    assert!(error.contains("epoch-0001"), "{error}");
}

#[test]
fn a_diverging_training_says_so() {
    let spec = NetworkSpec { learning_rate: Some(1e30), ..small() };
    let data = Data::load(&spec, None, Some(200)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let error = train(&spec, &data, &options(dir.path(), false), &Report::Quiet, &|| false).unwrap_err().to_string();
    assert!(error.contains("the training has diverged") && error.contains("epoch 1, step"), "{error}");
}

#[test]
fn burn_equals_tract_on_exported_networks() {
    let dir = tempfile::tempdir().unwrap();
    // Trained a little, so that the running statistics are not those of the start.
    for (name, images) in [("nano", 256), ("cnn3_k3_relu", 64)] {
        let spec = NetworkSpec { epochs: 1, batch: 32, ..spec::find(name).unwrap() };
        let data = Data::load(&spec, None, Some(images)).unwrap();
        let out = dir.path().join(name);
        let Outcome::Finished(card) = run(&spec, &data, &options(&out, false), usize::MAX) else {
            panic!("{name} was not finished");
        };
        assert!(card.onnx_difference <= export::TOLERANCE, "{name}: {}", card.onnx_difference);
        // tract alone, from the file: the accuracy of the card.
        let onnx = fs::read(out.join("model.onnx")).unwrap();
        let logits = export::run_with_tract(&onnx, &data.test, data.test.len()).unwrap();
        let answers =
            logits.chunks(10).map(|l| (0..10u8).max_by(|&a, &b| l[usize::from(a)].total_cmp(&l[usize::from(b)])));
        let correct = answers.zip(data.test.labels()).filter(|(answer, label)| *answer == Some(**label)).count();
        assert_eq!(correct as f64 / data.test.len() as f64, card.test_accuracy, "{name}");
    }
}

#[test]
fn a_file_of_other_weights_is_noticed() {
    let device = Device::default();
    let data = Data::load(&small(), None, Some(8)).unwrap();
    let network = |seed| Network::new(&small(), seed, &device).unwrap().valid();
    let onnx = export::to_onnx(&network(1), &device).unwrap();
    assert!(export::check(&onnx, &network(1), &data.test, 8, &device).is_ok());
    let error = export::check(&onnx, &network(2), &data.test, 8, &device).unwrap_err().to_string();
    assert!(error.contains("away from Burn's"), "{error}");
}
