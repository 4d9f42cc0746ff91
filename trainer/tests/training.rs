//! Training refuses what it cannot go on from, and exports what it trained.

mod common;

use std::fs;

use burn::module::Module;
use burn::tensor::Device;
use common::{options, run, small};
use networks::{Init, NetworkSpec};
use trainer::card::Card;
use trainer::data::Data;
use trainer::export;
use trainer::network::Network;
use trainer::progress::Progress;
use trainer::train::{Options, Outcome, train};

#[test]
fn a_checkpoint_of_another_training_is_refused() {
    let spec = small();
    let data = Data::load(&spec, None, Some(40)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(run(&spec, &data, &options(dir.path(), false), 3), Outcome::Interrupted { epochs: 1 }));
    let other = Options { seed: 6, ..options(dir.path(), true) };
    let error = train(&spec, &data, &other, &Progress::Quiet, &|| false).unwrap_err().to_string();
    assert!(error.contains("belongs to another training") && error.contains("seed 5, asked for 6"), "{error}");
    // Whatever its table says counts.
    let edited = NetworkSpec { dropout: 0.3, ..spec };
    let error = train(&edited, &data, &options(dir.path(), true), &Progress::Quiet, &|| false).unwrap_err().to_string();
    assert!(error.contains("(its table has dropout = 0.25; asked for dropout = 0.3)"), "{error}");
}

#[test]
fn an_edited_table_is_not_trained_already() {
    let spec = NetworkSpec { epochs: 1, ..small() };
    let data = Data::load(&spec, None, Some(40)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let again = |spec: &NetworkSpec| run(spec, &data, &options(dir.path(), true), usize::MAX);
    assert!(matches!(again(&spec), Outcome::Finished(_)));
    assert!(matches!(again(&spec), Outcome::AlreadyDone(_)));

    // A card from before tables were kept: it gets the table, unless it speaks against it.
    let file = dir.path().join("card.json");
    let mut old: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert!(old.as_object_mut().unwrap().remove("table").is_some());
    fs::write(&file, old.to_string()).unwrap();
    assert!(matches!(again(&spec), Outcome::AlreadyDone(_)));
    assert!(!Card::load(dir.path()).unwrap().run.table.is_empty());
    fs::write(&file, old.to_string()).unwrap();
    assert!(matches!(again(&NetworkSpec { learning_rate: Some(0.02), ..spec.clone() }), Outcome::Finished(_)));

    assert!(matches!(again(&NetworkSpec { init: Init::HeNormal, ..spec }), Outcome::Finished(_)));
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
    let error = train(&spec, &data, &options(dir.path(), true), &Progress::Quiet, &|| false).unwrap_err().to_string();
    assert!(error.contains("epoch-0001"), "{error}");
}

#[test]
fn a_diverging_training_says_so() {
    let spec = NetworkSpec { learning_rate: Some(1e30), ..small() };
    let data = Data::load(&spec, None, Some(200)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let error = train(&spec, &data, &options(dir.path(), false), &Progress::Quiet, &|| false).unwrap_err().to_string();
    assert!(error.contains("the training has diverged") && error.contains("epoch 1, step"), "{error}");
}

#[test]
fn burn_equals_tract_on_exported_networks() {
    let dir = tempfile::tempdir().unwrap();
    // Trained a little, so that the running statistics are not those of the start.
    for (name, images) in [("nano", 256), ("cnn3_k3_relu", 64)] {
        let spec = NetworkSpec { epochs: 1, batch: 32, ..networks::find(name).unwrap() };
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
