//! Core against tract and ONNX Runtime, which run `model.qdq.onnx`: the same integers, but rescaled in
//! float and rounded half to even, so that now and then an activation differs by one.

use anyhow::{Result, anyhow, ensure};
use serde::Serialize;
use thumbnet_compiler::qdq;

use super::{Case, Effort, Row};
use crate::reference;
use crate::runtimes::{Runtime, onnx_runtime, tract};
use crate::shipped::{TEST_IMAGES, class, in_parallel};
use crate::steps::{Bounds, Differences, Histogram, channel_fastest};

/// Images whose layers are compared, in a quick comparison and in a full one.
const LAYER_IMAGES: [usize; 2] = [100, 1_000];
/// Images that the float networks are compared on in a quick comparison.
const QUICK_FLOAT_IMAGES: usize = 1_000;
/// Images whose outputs are in memory at a time.
const PART: usize = 500;
/// The largest difference of a float logit between two runtimes.
const FLOAT_TOLERANCE: f32 = 1e-4;

/// A runtime that rounds otherwise, on a model.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RuntimeDetail {
    /// Images with the same logits.
    pub identical: usize,
    /// Images with another digit.
    pub other: usize,
    /// Of these, images whose two best logits are within a step.
    pub close: usize,
    /// All logits, in steps.
    pub logits: Histogram,
}

/// The first test images on a runtime. Another digit is a mismatch unless every layer of that image is as close as
/// rounding allows.
pub fn runtime(case: &Case, (name, runtime): (&str, Runtime), effort: Effort) -> Result<Row> {
    let (model, onnx, images) = (case.model(), case.file("model.qdq.onnx")?, case.images(effort));
    let bounds = Bounds::of(&model);
    let scale = f64::from(model.output_scale());
    let (mut detail, mut others) = (RuntimeDetail::default(), Vec::new());
    for start in (0..images).step_by(PART) {
        let part = start..images.min(start + PART);
        let outputs = runtime(&onnx, &TEST_IMAGES.slice(part.clone()))?;
        ensure!(outputs.len() == part.len(), "{name} gives {} outputs for {} images", outputs.len(), part.len());
        for (index, theirs) in part.zip(outputs) {
            let ours = &case.logits[index];
            let theirs = theirs.concat();
            let theirs = channel_fastest(&theirs, model.output().channels.into());
            let theirs: Vec<f64> = theirs.map(|logit| (f64::from(logit) / scale).round()).collect();
            ensure!(ours.len() == theirs.len(), "{name} gives {} logits, not {}", theirs.len(), ours.len());
            bounds.logit_differences(ours, theirs.iter().copied(), &mut detail.logits);
            detail.identical += usize::from(ours.iter().zip(&theirs).all(|(&our, &their)| f64::from(our) == their));
            if class(ours) != class(&theirs) {
                others.push(index);
                detail.close += usize::from(is_close(&bounds, ours));
            }
        }
    }
    detail.other = others.len();
    let exposed = qdq::expose_layers(&onnx)?;
    let mut mismatches = 0;
    for image in others {
        let theirs = runtime(&exposed, &TEST_IMAGES.slice(image..image + 1))?;
        let ours = reference::outputs(&model, TEST_IMAGES.image(image));
        let is_rounding =
            theirs.iter().all(|theirs| bounds.compare(&ours, theirs, &mut Differences::default()).is_ok());
        mismatches += usize::from(!is_rounding);
    }
    let largest = detail.logits.largest();
    Ok(Row { images, mismatches, largest, runtime: Some(detail), ..Row::new(case, name) })
}

/// What the layers of a model give in a runtime.
#[derive(Clone, Debug, Serialize)]
pub struct Layers {
    /// The model's name.
    pub model: String,
    /// The runtime's name.
    pub against: String,
    /// Test images compared.
    pub images: usize,
    /// Of every layer that makes bytes these, and the results, in steps.
    #[serde(flatten)]
    pub differences: Differences,
}

/// The first test images layer by layer; a value that is further off than rounding explains is an error.
pub fn layers(case: &Case, (name, runtime): (&str, Runtime), effort: Effort) -> Result<Layers> {
    let exposed = qdq::expose_layers(&case.file("model.qdq.onnx")?)?;
    let (model, images) = (case.model(), LAYER_IMAGES[usize::from(effort == Effort::Full)]);
    let bounds = Bounds::of(&model);
    let mut differences = Differences::default();
    for start in (0..images).step_by(PART.min(images)) {
        let part = TEST_IMAGES.slice(start..images.min(start + PART));
        let ours =
            in_parallel(part.len(), |range| range.map(|index| reference::outputs(&model, part.image(index))).collect());
        for (index, (ours, theirs)) in ours.iter().zip(&runtime(&exposed, &part)?).enumerate() {
            let compared = bounds.compare(ours, theirs, &mut differences);
            compared.map_err(|what| anyhow!("{}, {name}, test image {}: {what}", case.name, start + index))?;
        }
    }
    Ok(Layers { model: case.name.clone(), against: name.into(), images, differences })
}

/// tract against ONNX Runtime on the float network.
#[derive(Clone, Debug, Serialize)]
pub struct Float {
    /// The model's name.
    pub model: String,
    /// Test images compared.
    pub images: usize,
    /// The largest difference of a logit.
    pub largest: f32,
}

/// The first test images through `model.onnx`; the error says that they differ by too much.
pub fn float(case: &Case, effort: Effort) -> Result<Float> {
    let images = if effort == Effort::Full { TEST_IMAGES.len() } else { QUICK_FLOAT_IMAGES };
    let (onnx, shown) = (case.file("model.onnx")?, TEST_IMAGES.slice(0..images));
    let (ours, theirs) = (tract(&onnx, &shown)?.concat().concat(), onnx_runtime(&onnx, &shown)?.concat().concat());
    ensure!(ours.len() == theirs.len(), "{}: {} and {} logits", case.name, ours.len(), theirs.len());
    let largest = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    ensure!(largest < FLOAT_TOLERANCE, "{}: float logits of tract and ONNX Runtime differ by {largest}", case.name);
    Ok(Float { model: case.name.clone(), images, largest })
}

/// Whether the core's two best logits differ by at most one step.
///
/// One step: what the difference of these two logits changes by if one input of the last dense layer
/// changes by one, for the input where that is most. Of results in bytes, one of them.
fn is_close(bounds: &Bounds, logits: &[i32]) -> bool {
    let first = class(logits);
    let others = logits.iter().enumerate().filter(|(class, _)| *class != first);
    let second = others.max_by_key(|(_, logit)| **logit);
    second.is_none_or(|(second, &logit)| {
        f64::from(logits[first]) - f64::from(logit) <= bounds.step_between(first, second)
    })
}
