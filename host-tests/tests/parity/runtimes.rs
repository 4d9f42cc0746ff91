//! Core against tract and ONNX Runtime, which run `model.qdq.onnx`: the same integers, but rescaled in
//! float and rounded half to even, so that now and then an activation differs by one.

use std::path::Path;

use anyhow::Result;
use dataset::Dataset;
use host_tests::runtimes::{onnx_runtime, tract};
use host_tests::shipped::{self, TEST_IMAGES, class};
use inference_core::Model;

use crate::{Case, cnn3_k3_relu, nano};

type Runtime = fn(&Path, &Dataset) -> Result<Vec<Vec<f32>>>;

#[test]
fn nano_equals_tract() {
    same_digit(nano(), "tract", tract);
}

#[test]
fn nano_equals_onnx_runtime() {
    same_digit(nano(), "ONNX Runtime", onnx_runtime);
}

#[test]
fn cnn3_k3_relu_equals_tract() {
    same_digit(cnn3_k3_relu(), "tract", tract);
}

#[test]
fn cnn3_k3_relu_equals_onnx_runtime() {
    same_digit(cnn3_k3_relu(), "ONNX Runtime", onnx_runtime);
}

#[test]
fn runtimes_agree_on_the_float_networks() {
    for name in shipped::NAMES {
        let path = shipped::path(name, "model.onnx");
        let images = TEST_IMAGES.slice(0..1_000);
        let (tract, onnx_runtime) = (logits(tract, &path, &images), logits(onnx_runtime, &path, &images));
        let pairs = tract.iter().flatten().zip(onnx_runtime.iter().flatten());
        let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{name}: tract and ONNX Runtime differ by at most {largest:e} on the float network");
        assert!(largest < 1e-4, "{name}: they differ by {largest}");
    }
}

#[test]
fn onnx_runtime_has_the_accuracy_that_burn_had() {
    for tnet in shipped::all().unwrap_or_else(|error| panic!("{error:#}")) {
        let card = std::fs::read(tnet.with_file_name("card.json")).expect("every model has a card");
        let card: serde_json::Value = serde_json::from_slice(&card).expect("a card is JSON");
        let burn = card["test_accuracy"].as_f64().expect("a card has an accuracy");
        let theirs = logits(onnx_runtime, &tnet.with_file_name("model.onnx"), &TEST_IMAGES);
        let right =
            theirs.iter().zip(TEST_IMAGES.labels()).filter(|(logits, label)| class(logits) == usize::from(**label));
        let right = right.count();
        println!("{}: {right} images right in ONNX Runtime, accuracy {burn} in Burn", card["network"]);
        assert_eq!(right as f64 / TEST_IMAGES.len() as f64, burn, "{}", card["network"]);
    }
}

/// The same digit wherever the core's two best logits differ by more than one step.
fn same_digit(case: &Case, runtime_name: &str, runtime: Runtime) {
    let model = case.model();
    let theirs = logits(runtime, &shipped::path(case.name, "model.qdq.onnx"), &TEST_IMAGES);
    assert_eq!(theirs.len(), case.logits.len());
    let (mut identical, mut close, mut close_other, mut wrong) = (0, 0, 0, Vec::new());
    for (index, (ours, theirs)) in case.logits.iter().zip(&theirs).enumerate() {
        let same = class(ours) == class(theirs);
        identical += u32::from(in_steps(theirs, model.logit_scale()) == *ours);
        if is_close(&model, ours) {
            close += 1;
            close_other += u32::from(!same);
        } else if !same {
            wrong.push(index);
        }
    }
    println!(
        "{}: core and {runtime_name}: {} images, logits identical in {identical}; two best within a step in {close}, \
         {close_other} of them another digit; another digit elsewhere: {}",
        case.name,
        theirs.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}, {runtime_name}: another digit for the images {wrong:?}", case.name);
}

fn logits(runtime: Runtime, path: &Path, images: &Dataset) -> Vec<Vec<f32>> {
    runtime(path, images).unwrap_or_else(|error| panic!("{error:#}"))
}

/// Real logits as the integers that they would be in the core.
fn in_steps(logits: &[f32], scale: f32) -> Vec<i32> {
    logits.iter().map(|logit| (logit / scale).round() as i32).collect()
}

/// Whether the core's two best logits differ by at most one step.
///
/// One step: what the difference of these two logits changes by if one input of the last dense layer
/// changes by one, for the input where that is most.
fn is_close(model: &Model<'_>, logits: &[i32]) -> bool {
    let first = class(logits);
    let others = logits.iter().enumerate().filter(|(class, _)| *class != first);
    let (second, &logit) = others.max_by_key(|(_, logit)| **logit).expect("there are ten classes");
    let layer = model.layer(model.layer_count() - 1).expect("a parsed model has layers");
    let row_len = usize::from(layer.input.width) * usize::from(layer.input.channels);
    let rows = model.parameters(&layer).weights[..layer.weights_len as usize].chunks_exact(row_len);
    let rows: Vec<&[u8]> = rows.collect();
    let step = rows.chunks_exact(logits.len()).flat_map(|row| row[first].iter().zip(row[second]));
    let step = step.map(|(&a, &b)| (i32::from(a as i8) - i32::from(b as i8)).abs()).max();
    logits[first] - logit <= step.unwrap_or(0)
}
