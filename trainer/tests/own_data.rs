//! Data sets of any size and number of classes, and networks of every kind of block, up to the ONNX file.

mod common;

use std::fs;
use std::path::Path;

use common::{options, run};
use networks::NetworkSpec;
use tempfile::TempDir;
use trainer::card::Card;
use trainer::data::{Data, Images};
use trainer::export::{self, TOLERANCE};
use trainer::layers::{rows, totals};
use trainer::train::Outcome;

/// Writes `count` training and half as many test images of `side` x `side`, whose labels go round from `first` to `last`: the
/// brightest row tells the class, so that there is something to learn.
fn set(count: usize, side: usize, [first, last]: [usize; 2]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, count) in [("letters-train", count), ("letters-test", count / 2)] {
        let label = |index: usize| first + index % (last - first + 1);
        let pixel = |index: usize, at: usize| if at / side == label(index) % side { 200 + index % 50 } else { at % 7 };
        let words = |words: &[usize]| words.iter().flat_map(|&word| (word as u32).to_be_bytes()).collect::<Vec<u8>>();
        let pixels = (0..count).flat_map(|index| (0..side * side).map(move |at| pixel(index, at) as u8));
        let images: Vec<u8> = words(&[0x803, count, side, side]).into_iter().chain(pixels).collect();
        let labels = words(&[0x801, count]).into_iter().chain((0..count).map(|index| label(index) as u8));
        fs::write(dir.path().join(format!("emnist-{name}-images-idx3-ubyte")), images).unwrap();
        fs::write(dir.path().join(format!("emnist-{name}-labels-idx1-ubyte")), labels.collect::<Vec<u8>>()).unwrap();
    }
    dir
}

/// Trains one epoch of `spec` and returns the card, after tract's accuracy on the exported file was found to be the card's.
fn trained(spec: &NetworkSpec, data: &Data, out: &Path) -> Card {
    let spec = NetworkSpec { epochs: 1, batch: 16, validation: 0, ..spec.clone() };
    let Outcome::Finished(card) = run(&spec, data, &options(out, false), usize::MAX) else {
        panic!("{} was not finished", spec.name);
    };
    assert!(card.onnx_difference <= TOLERANCE, "{}: {}", spec.name, card.onnx_difference);
    let onnx = fs::read(out.join("model.onnx")).unwrap();
    let logits = export::run_with_tract(&onnx, &data.test, data.test.len()).unwrap();
    assert_eq!(logits.len(), data.test.len() * data.classes, "{}", spec.name);
    let answers = logits.chunks(data.classes).map(|l| (0..l.len()).max_by(|&a, &b| l[a].total_cmp(&l[b])).unwrap());
    let correct = answers.zip(data.test.labels()).filter(|(answer, label)| *answer == usize::from(**label)).count();
    assert_eq!(correct as f64 / data.test.len() as f64, card.test_accuracy, "{}", spec.name);
    *card
}

/// Everything that a block can be: asymmetric padding, kernels and strides of two sizes, pooling after an addition.
fn every_block() -> NetworkSpec {
    let table = r#"
        [[network]]
        name = "every"
        activation = "relu"
        init = "he_normal"
        blocks = [
            { conv = 8, kernel = [4, 3], stride = [2, 1] },
            { residual = [{ conv = 8, kernel = 3 }, { depthwise = 3, activation = "none" }], pool = "same" },
            { residual = [{ pointwise = 12, stride = 2 }, { conv = 12, kernel = 2, activation = "sigmoid" }], activation = "none" },
            { depthwise = [1, 3], padding = "valid" },
        ]
        dense = [24, 16]
        dropout = 0.1
    "#;
    networks::parse(table).unwrap().remove(0)
}

#[test]
fn every_kind_of_block_trains_and_exports() {
    let dir = tempfile::tempdir().unwrap();
    for spec in [networks::find("residual").unwrap(), networks::find("separable").unwrap(), every_block()] {
        let data = Data::load(&spec, None, Some(256)).unwrap();
        trained(&spec, &data, &dir.path().join(&spec.name));
    }
}

/// As EMNIST balanced.
#[test]
fn forty_seven_classes() {
    let dir = set(470, 28, [0, 46]);
    let spec = NetworkSpec { validation: 0, ..networks::find("separable").unwrap() };
    let data = Data::load(&spec, Some(dir.path()), None).unwrap();
    assert_eq!(data.classes, 47);
    let card = trained(&spec, &data, &dir.path().join("out"));
    // 37 outputs more than MNIST's, each with 64 weights and a bias.
    assert_eq!(card.params, totals(&rows(&spec).unwrap()).params + 37 * 65);
    assert!(card.run.table.contains(&"classes = 47".to_string()), "{:?}", card.run.table);
    // Another set in the same place is another training.
    let other = NetworkSpec { classes: Some(10), ..spec };
    assert!(data.fit(&other).unwrap_err().to_string().contains("it has 10 `classes`, the data set has 47"));
}

/// As EMNIST letters.
#[test]
fn labels_from_one() {
    let dir = set(260, 28, [1, 26]);
    let images = Images::load(Some(dir.path())).unwrap();
    assert_eq!(images.classes(), 26);
    let data = images.split(&networks::find("nano").unwrap(), Some(30));
    assert!(data.is_err(), "nano holds more images out than there are");
    let spec = NetworkSpec { validation: 0, ..networks::find("nano").unwrap() };
    let data = images.split(&spec, None).unwrap();
    assert_eq!(data.train.labels()[..3], [0, 1, 2]);
    trained(&spec, &data, &dir.path().join("out"));
}

#[test]
fn larger_images() {
    let dir = set(64, 32, [0, 4]);
    for spec in [networks::find("residual").unwrap(), networks::find("cnn3_k5_relu").unwrap()] {
        let spec = NetworkSpec { validation: 0, ..spec };
        let data = Data::load(&spec, Some(dir.path()), None).unwrap();
        let card = trained(&spec, &data, &dir.path().join(&spec.name));
        assert!(card.run.table.contains(&"input = [32, 32, 1]".to_string()), "{:?}", card.run.table);
    }
}
