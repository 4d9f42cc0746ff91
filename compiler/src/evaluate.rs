//! Measures how well a model tells labelled images apart.

use dataset::Dataset;
use rayon::prelude::*;
use serde::Serialize;
use thumbnet::format::Shape;
use thumbnet::{Model, Network};

use crate::{CompileError, OnnxModel};

/// What a model says of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The most likely class; the first one where several are equal.
    pub class: usize,
    /// Real logits, one a class; of a model with a single output, zero and that.
    pub logits: Vec<f32>,
}

impl Answer {
    /// What these outputs say. A single one says whether it is above zero: class 1.
    pub fn new(mut outputs: Vec<f32>) -> Self {
        if outputs.len() == 1 {
            outputs.insert(0, 0.0);
        }
        Self { class: largest(&outputs), logits: outputs }
    }
}

/// Something that classifies images.
pub trait Classify: Sync {
    /// What enters.
    fn input_shape(&self) -> Shape;

    /// What an image shows; `pixels` holds `height * width * channels` bytes, channel fastest.
    fn answer(&self, pixels: &[u8]) -> Result<Answer, CompileError>;
}

impl Classify for OnnxModel {
    fn input_shape(&self) -> Shape {
        OnnxModel::input_shape(self)
    }

    fn answer(&self, pixels: &[u8]) -> Result<Answer, CompileError> {
        self.logits(pixels).map(Answer::new)
    }
}

impl Classify for Model<'_> {
    fn input_shape(&self) -> Shape {
        self.input()
    }

    fn answer(&self, pixels: &[u8]) -> Result<Answer, CompileError> {
        let mut arena = vec![0; self.arena_len()];
        let core = |error: &dyn std::fmt::Display| CompileError::Calibration(error.to_string());
        let mut network = Network::new(self, &mut arena).map_err(|error| core(&error))?;
        let prediction = network.classify(pixels).map_err(|error| core(&error))?;
        let logits = prediction.logits().iter().map(|logit| logit as f32 * self.output_scale()).collect();
        Ok(Answer { class: prediction.class(), ..Answer::new(logits) })
    }
}

/// The first largest value.
fn largest(values: &[f32]) -> usize {
    let better = |best: usize, index: usize| if values[index] > values[best] { index } else { best };
    (0..values.len()).reduce(better).unwrap_or(0)
}

/// The logarithms of the softmax of some logits.
pub fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().fold(f32::NEG_INFINITY, |largest, &logit| largest.max(logit));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - f64::from(largest)).exp()).sum();
    logits.iter().map(|&logit| f64::from(logit) - f64::from(largest) - sum.ln()).collect()
}

/// How a model did on a set of images.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evaluation {
    /// Images shown.
    pub images: usize,
    /// Images classified as labelled.
    pub correct: usize,
    /// `correct / images`.
    pub accuracy: f64,
    /// Mean cross-entropy: minus the logarithm of the label's probability.
    pub loss: f64,
    /// Images of a label (row) taken for a class (column).
    #[serde(skip)]
    pub confusion: Vec<Vec<usize>>,
    /// The images classified wrongly.
    #[serde(skip)]
    pub mistakes: Vec<Mistake>,
}

/// An image classified wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Which image.
    pub image: usize,
    /// What it is.
    pub label: usize,
    /// What it was taken for.
    pub taken_for: usize,
}

/// Shows the first `limit` images to the model on all cores; `done` is called once an image.
pub fn evaluate(
    model: &impl Classify,
    images: &Dataset,
    limit: usize,
    done: &(dyn Fn() + Sync),
) -> Result<Evaluation, CompileError> {
    expect_size(model.input_shape(), images)?;
    let count = images.len().min(limit);
    if count == 0 {
        return Err(CompileError::Calibration("there are no images to evaluate".into()));
    }
    let answers: Vec<Answer> = (0..count)
        .into_par_iter()
        .map(|index| {
            let answer = model.answer(images.image(index));
            done();
            answer
        })
        .collect::<Result<_, _>>()?;
    let classes = answers[0].logits.len();
    let shown = images.slice(0..count);
    let images = if is_from_one(images, classes) { shown.from_zero() } else { shown };
    images.expect_classes(classes).map_err(|error| CompileError::Calibration(error.to_string()))?;
    let mut evaluation = Evaluation { images: count, confusion: vec![vec![0; classes]; classes], ..Default::default() };
    for (image, answer) in answers.iter().enumerate() {
        let label = usize::from(images.label(image));
        evaluation.confusion[label][answer.class] += 1;
        // A probability of zero would make the mean infinite; no float tells less than this apart.
        evaluation.loss -= log_softmax(&answer.logits)[label].max(f64::from(f32::MIN_POSITIVE).ln()) / count as f64;
        if answer.class == label {
            evaluation.correct += 1;
        } else {
            evaluation.mistakes.push(Mistake { image, label, taken_for: answer.class });
        }
    }
    evaluation.accuracy = evaluation.correct as f64 / count as f64;
    Ok(evaluation)
}

/// Whether the first class is called 1, as in EMNIST's letters.
fn is_from_one(images: &Dataset, classes: usize) -> bool {
    images.counts_from_one() && images.classes() == classes + 1
}

/// The class of each image, counted from 0; `None` where the labels name more classes than these.
pub fn class_labels(images: &Dataset, classes: usize) -> Option<Vec<usize>> {
    let first = usize::from(is_from_one(images, classes));
    let labels: Option<Vec<usize>> =
        images.labels().iter().map(|&label| usize::from(label).checked_sub(first)).collect();
    labels.filter(|labels| labels.iter().all(|&label| label < classes))
}

/// The shape of the images, as far as it is known: all values of a row lie side by side.
pub fn shape_of(images: &Dataset) -> Option<Shape> {
    let [height, width] = [images.height(), images.width()].map(u16::try_from);
    Some(Shape { height: height.ok()?, width: width.ok()?, channels: 1 })
}

/// Refuses images of another size than the model takes. The pixels of several channels may lie side by side, and a vector
/// takes an image row by row.
pub fn expect_size(input: Shape, images: &Dataset) -> Result<(), CompileError> {
    let fits = images.height() == usize::from(input.height) && images.width() == input.row_len();
    let is_vector = (input.height, input.width) == (1, 1) && images.height() * images.width() == input.len();
    if !fits && !is_vector {
        return Err(CompileError::Calibration(format!(
            "the images are {} x {}, the network takes {} x {} with {} channels: use images like those it was trained on",
            images.height(),
            images.width(),
            input.height,
            input.width,
            input.channels
        )));
    }
    Ok(())
}
