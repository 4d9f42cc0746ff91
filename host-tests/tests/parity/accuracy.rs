//! What the shipped models promise: accuracy on the 10,000 test images, size, memory.

use host_tests::runtimes::tract;
use host_tests::shipped::{self, TEST_IMAGES, class};

use crate::{Case, cnn3_k3_relu, nano};

/// Images that quantization may cost: 0.1 points of 10,000.
const COST: usize = 10;

#[test]
fn nano_keeps_its_promise() {
    let (int8, _) = correct(nano());
    assert!(int8 >= 9_920, "{int8} images");
    let parameters: u64 =
        nano().model().layers().map(|layer| layer.weight_count() + u64::from(layer.output.channels)).sum();
    assert!(parameters <= 8_192, "{parameters} parameters");
}

#[test]
fn cnn3_k3_relu_keeps_its_promise() {
    let (_, float) = correct(cnn3_k3_relu());
    assert!(float >= 9_900, "{float} images");
    let arena = cnn3_k3_relu().model().arena_len();
    assert!(arena <= 12_288, "an arena of {arena} bytes");
}

/// Correct images, int8 and float, not more than [`COST`] apart.
fn correct(case: &Case) -> (usize, usize) {
    let float =
        tract(&shipped::path(case.name, "model.onnx"), &TEST_IMAGES).unwrap_or_else(|error| panic!("{error:#}"));
    let labels = TEST_IMAGES.labels();
    let int8 = case.logits.iter().zip(labels).filter(|(logits, label)| class(logits) == usize::from(**label)).count();
    let float = float.iter().zip(labels).filter(|(logits, label)| class(logits) == usize::from(**label)).count();
    println!("{}: {int8} of {} correct in int8, {float} in float", case.name, labels.len());
    assert!(int8.abs_diff(float) <= COST, "{}: {int8} images in int8, {float} in float", case.name);
    (int8, float)
}
