//! What the shipped models promise: accuracy on the 10,000 test images, size, memory.

use anyhow::{Result, ensure};
use host_tests::parity::Case;
use host_tests::shipped::{self, TEST_IMAGES, class};
use serde_json::Value;

use crate::{CASES, case};

/// Images that quantization may cost: 0.1 points of 10,000.
const COST: usize = 10;

#[test]
fn nano_keeps_its_promise() -> Result<()> {
    let nano = case("nano");
    let int8 = correct(nano);
    ensure!(int8 >= 9_920, "{int8} images");
    let parameters: u64 =
        nano.model().layers().map(|layer| layer.weight_count() + u64::from(layer.output.channels)).sum();
    ensure!(parameters <= 8_192, "{parameters} parameters");
    Ok(())
}

#[test]
fn cnn3_k3_relu_keeps_its_promise() -> Result<()> {
    let cnn3_k3_relu = case("cnn3_k3_relu");
    let float = recorded(cnn3_k3_relu, "card.json", "test_accuracy")?;
    ensure!(float >= 9_900, "{float} images");
    let arena = cnn3_k3_relu.model().arena_len();
    ensure!(arena <= 12_288, "an arena of {arena} bytes");
    Ok(())
}

/// ONNX Runtime confirms the accuracy in floats in a test of its own.
#[test]
fn accuracies_are_those_recorded_and_close_to_the_floats() -> Result<()> {
    for case in CASES.iter() {
        let (int8, float) = (correct(case), recorded(case, "card.json", "test_accuracy")?);
        println!("{}: {int8} of {} correct in int8, {float} in float", case.name, TEST_IMAGES.len());
        ensure!(int8 == recorded(case, "int8.json", "accuracy")?, "{}: {int8} images are correct", case.name);
        ensure!(int8.abs_diff(float) <= COST, "{}: {int8} images in int8, {float} in float", case.name);
    }
    Ok(())
}

/// Images that the core classifies as labelled.
fn correct(case: &Case) -> usize {
    let labelled = case.logits.iter().zip(TEST_IMAGES.labels());
    labelled.filter(|(logits, label)| class(logits) == usize::from(**label)).count()
}

/// Correct images by the accuracy in a file beside the model.
fn recorded(case: &Case, file: &str, key: &str) -> Result<usize> {
    let record: Value = serde_json::from_slice(&std::fs::read(shipped::path(&case.name, file))?)?;
    let accuracy = record[key].as_f64().unwrap_or_default();
    Ok((accuracy * TEST_IMAGES.len() as f64).round() as usize)
}
