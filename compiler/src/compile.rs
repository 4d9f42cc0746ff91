//! From the bytes of an ONNX file to those of a model file.

use std::path::PathBuf;

use dataset::Dataset;
use rayon::prelude::*;
use serde::Serialize;
use thumbnet::Model;
use thumbnet::format::Op;

use crate::calibrate::{self, LayerRange, Method};
use crate::evaluate::{Answer, Classify, class_labels, expect_size, log_softmax, shape_of};
use crate::graph::{Activation, Network};
use crate::onnx::Entry;
use crate::pack::Packer;
use crate::quantize::{Outputs, QuantizedNetwork, Scales, quantize};
use crate::search::{self, Found, Tried};
use crate::{CompileError, Core, Form, OnnxModel, float, given, onnx, order, overflow, qdq};

/// Images on which the import is checked against tract.
const CHECKED_IMAGES: usize = 8;
/// Largest difference of a log-probability there, as a part of the largest logit (at least 1).
const IMPORT_TOLERANCE: f32 = 1e-3;
/// What floats may be off, as a part of the largest one: sums in another order, another sigmoid.
const FLOAT_ERROR: f32 = 2e-6;
/// Patterns of such errors that are tried: by a single one, those of a sum may happen to cancel out.
const ERROR_PATTERNS: usize = 4;

/// With a scale a class logits must diverge less than this part of what they do with one scale.
const CLEARLY_LESS: f64 = 0.75;

/// How to compile.
#[derive(Clone, Debug)]
pub struct Options {
    /// The model's name, at most 24 bytes.
    pub name: String,
    /// What to make small or fast.
    pub optimize: Optimize,
    /// What core to make it fast on.
    pub core: Core,
    /// Training images to measure activations on, and as many others to compare methods on.
    pub calibration_images: usize,
    /// What leaves the network.
    pub outputs: Outputs,
    /// What the network expects of an image; where it is not said, the form in which it does best on the training images.
    pub input: Option<Form>,
    /// The folder of the file, where its data may lie beside it.
    pub folder: Option<PathBuf>,
}

impl Options {
    /// The usual options for a model of this name that takes pixels of 0.0 to 1.0.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            optimize: Optimize::default(),
            core: Core::default(),
            calibration_images: 1000,
            outputs: Outputs::default(),
            input: Some(Form::default()),
            folder: None,
        }
    }
}

/// What the algorithms and the memory plan are chosen for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimize {
    /// Fastest: where Winograd is, weights of up to four times the size and more memory.
    Speed,
    /// Smallest model file.
    #[default]
    Flash,
    /// Smallest arena.
    Ram,
}

impl Optimize {
    /// All goals.
    pub const ALL: [Self; 3] = [Self::Speed, Self::Flash, Self::Ram];

    /// Name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Speed => "speed",
            Self::Flash => "flash",
            Self::Ram => "ram",
        }
    }
}

/// How far [`compile`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// This many images in all will be looked at.
    Total(usize),
    /// One more was.
    Image,
}

/// A compiled network.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The float network that was read.
    pub network: Network,
    /// The integers.
    pub quantized: QuantizedNetwork,
    /// The model file.
    pub tnet: Vec<u8>,
    /// The same integers as an ONNX file.
    pub qdq: Vec<u8>,
    /// The numbers of the training images that methods were compared on: the ranges were not measured on them.
    pub compared: Vec<usize>,
    /// How it came about.
    pub report: Report,
}

/// How a model came about.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the network expects of an image, as `--input` takes it.
    pub input: String,
    /// How it did in other forms, where the form was looked for.
    pub inputs_tried: Vec<Tried>,
    /// Part of the comparison images that the floats get right; none where their labels are not the network's classes.
    pub float_accuracy: Option<f64>,
    /// The method kept.
    pub method: &'static str,
    /// All methods that were tried.
    pub candidates: Vec<Candidate>,
    /// Training images that the activations were measured on.
    pub calibration_images: usize,
    /// Other training images that the methods were compared on.
    pub comparison_images: usize,
    /// What was asked for.
    pub optimize: Optimize,
    /// For which core.
    pub core: Core,
    /// What the import left out.
    pub notes: Vec<String>,
}

/// A quantization method on training images that it was not calibrated on.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// The method.
    pub method: &'static str,
    /// Mean Kullback-Leibler divergence of the integers' probabilities from the floats', or, where the result is no logits,
    /// its squared error as a part of its squared size; the method with the least is kept.
    pub divergence: f64,
    /// Part of the images to which floats and integers give the same class.
    pub agreement: f64,
    /// Part of them that the integers get right; none where the labels are not the network's classes.
    pub accuracy: Option<f64>,
}

/// Compiles a network; `training` must be training images, never those it is tested on.
pub fn compile(onnx: &[u8], training: &Dataset, options: &Options) -> Result<Compiled, CompileError> {
    compile_with(onnx, training, options, &|_| {})
}

/// [`compile`], telling how far it has come.
pub fn compile_with(
    onnx: &[u8],
    training: &Dataset,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Compiled, CompileError> {
    let images = shape_of(training);
    let entry = |form: &Form| Entry { folder: options.folder.clone(), ..form.entry_for(images) };
    let (form, found) = match &options.input {
        Some(form) => (form.clone(), None),
        None => {
            let original = OnnxModel::load_with(onnx, &entry(&Form::default()))?;
            expect_size(original.input_shape(), training)?;
            let found = search::find(&original, training)?;
            (found.as_ref().map_or_else(Form::default, |found| found.form.clone()), found)
        }
    };
    let entry = entry(&form);
    let mut network = onnx::import_with(onnx, &entry)?;
    order::short_branches_first(&mut network);
    expect_size(network.input, training)?;
    let samples = samples(training, options.calibration_images)?;
    let [measured, compared] =
        samples.each_ref().map(|sample| sample.iter().map(|&index| training.image(index)).collect::<Vec<_>>());
    progress(Progress::Total(measured.len() + compared.len() * (2 + Method::ALL.len())));
    check_import(&network, onnx, &entry, &measured)?;

    let done = || progress(Progress::Image);
    let histograms = calibrate::measure(&network, &measured, &done);
    let expected: Vec<Vec<f32>> = compared
        .par_iter()
        .map(|pixels| {
            done();
            float::activations(&network, &float::image(&network, pixels)).pop().unwrap_or_default()
        })
        .collect();
    let answers: Vec<Answer> = expected.iter().cloned().map(Answer::new).collect();
    let labels = answers.first().and_then(|answer| class_labels(training, answer.logits.len()));
    let labels: Option<Vec<usize>> = labels.map(|labels| samples[1].iter().map(|&index| labels[index]).collect());
    let is_complete = given::is_complete(&network, options.outputs);
    let mut packer = Packer::default();
    let mut attempt = |method: Method, logits: Scales| -> Result<Attempt, CompileError> {
        let ranges: Vec<LayerRange> = histograms.iter().map(|histogram| histogram.range(method)).collect();
        let quantized = quantize(&network, &ranges, options.outputs, logits)?;
        overflow::prove(&quantized)?;
        let tnet = packer.pack(&quantized, &options.name, options.optimize, options.core)?;
        let name = match logits {
            _ if is_complete => given::METHOD,
            Scales::One => method.name(),
            Scales::PerChannel => method.name_with_a_scale_a_class(),
        };
        let compared = Compared { images: &compared, expected: &answers, labels: labels.as_deref() };
        let candidate = compare(name, &network, &Model::parse(&tnet)?, &compared, &done)?;
        Ok(Attempt { method, candidate, quantized, tnet })
    };
    let mut best = attempt(Method::MinMax, Scales::One)?;
    let mut candidates = vec![best.candidate.clone()];
    if !is_complete {
        let second = attempt(Method::Clip, Scales::One)?;
        candidates.push(second.candidate.clone());
        if second.candidate.divergence < best.candidate.divergence {
            best = second;
        }
    }
    if has_logits(&network) && !is_complete {
        let third = attempt(best.method, Scales::PerChannel)?;
        candidates.push(third.candidate.clone());
        // Classes of like ranges do as well with one scale.
        if third.candidate.divergence < CLEARLY_LESS * best.candidate.divergence {
            best = third;
        }
    }
    let Attempt { candidate: kept, quantized, tnet, .. } = best;
    let float_correct = labels
        .as_ref()
        .map(|labels| answers.iter().zip(labels).filter(|(answer, label)| answer.class == **label).count());
    let mut notes = network.notes.clone();
    notes.extend(given::notes(&network));
    notes.extend(observed(&answers, labels.as_deref(), float_correct, found.as_ref(), options.input.is_none()));
    let report = Report {
        input: form.to_string(),
        inputs_tried: found.map(|found| found.tried).unwrap_or_default(),
        float_accuracy: float_correct.map(|correct| correct as f64 / answers.len().max(1) as f64),
        method: kept.method,
        candidates,
        calibration_images: measured.len(),
        comparison_images: compared.len(),
        optimize: options.optimize,
        core: options.core,
        notes,
    };
    let qdq = qdq::write(&quantized, &options.name, &[("method", kept.method), ("optimize", options.optimize.name())]);
    let [_, compared] = samples;
    Ok(Compiled { network, quantized, tnet, qdq, compared, report })
}

/// One way to quantize the network.
struct Attempt {
    method: Method,
    candidate: Candidate,
    quantized: QuantizedNetwork,
    tnet: Vec<u8>,
}

/// What the answers tell of the network as a whole.
fn observed(
    answers: &[Answer],
    labels: Option<&[usize]>,
    correct: Option<usize>,
    found: Option<&Found>,
    is_looked_for: bool,
) -> Vec<String> {
    let mut notes = Vec::new();
    if let (Some(labels), Some(correct)) = (labels, correct)
        && correct <= search::chance(labels, labels.len())
    {
        notes.push(format!(
            "in floats the network is right on {correct} of {} images, no more than by guessing: is --input what it was \
             trained on, and are the images?",
            labels.len()
        ));
    }
    if labels.is_none() {
        let assumed = if is_looked_for { ": it is taken to expect pixels of 0..1; --input says otherwise" } else { "" };
        notes.push(format!("the labels are not the network's classes, so its accuracy is not known{assumed}"));
    }
    let first = answers.first().map(|answer| answer.class);
    if answers.len() > 1 && answers.iter().all(|answer| Some(answer.class) == first) {
        notes.push(format!("in floats the network takes every image for class {}", first.unwrap_or_default()));
    }
    if let Some(Found { form, rival: Some(rival), .. }) = found {
        notes.push(format!("{rival} does nearly as well as {form} on these images; --input chooses"));
    }
    notes
}

/// Two samples of `count` images each, evenly spread over the set, without an image in common.
fn samples(images: &Dataset, count: usize) -> Result<[Vec<usize>; 2], CompileError> {
    let count = count.min(images.len() / 2);
    if count == 0 {
        return Err(CompileError::Calibration("at least two training images are needed".into()));
    }
    let at = |index: usize| index * images.len() / (2 * count);
    Ok([0, 1].map(|odd| (0..count).map(|index| at(2 * index + odd)).collect()))
}

/// Refuses an import that computes something else than tract does.
fn check_import(network: &Network, onnx: &[u8], entry: &Entry, images: &[&[u8]]) -> Result<(), CompileError> {
    // What enters as integers of the file's own is what they stand for.
    let own = network.given_input.map(|given| {
        let [scale, zero] = [f64::from(given.scale), f64::from(given.zero_point)];
        Entry { images: entry.images, folder: entry.folder.clone(), ..Entry::of(scale, -scale * zero) }
    });
    let original = OnnxModel::in_floats(onnx, own.as_ref().unwrap_or(entry))?;
    let has_logits = has_logits(network);
    for (image, pixels) in images.iter().take(CHECKED_IMAGES).enumerate() {
        let own = float::activations(network, &float::image(network, pixels)).pop().unwrap_or_default();
        let theirs = original.logits(pixels)?;
        let difference = |others: &[f32]| largest_difference(&own, others, has_logits);
        let nudged = (0..ERROR_PATTERNS).map(|pattern| difference(&nudged(network, pixels, pattern)));
        let allowed = IMPORT_TOLERANCE * largest(&own) + nudged.sum::<f32>();
        let difference = difference(&theirs);
        if own.len() != theirs.len() || difference > allowed {
            return Err(CompileError::Import { difference, image });
        }
    }
    Ok(())
}

/// Whether the result is the sums of a dense layer: an exporter may have put a softmax behind it.
fn has_logits(network: &Network) -> bool {
    let last = network.layers.last();
    last.is_some_and(|layer| layer.record.op == Op::Dense && layer.activation == Activation::Linear)
}

/// The largest difference of a value; of logits, as logarithms of probabilities.
fn largest_difference(own: &[f32], others: &[f32], are_logits: bool) -> f32 {
    let largest = |pairs: &mut dyn Iterator<Item = (f64, f64)>| {
        pairs.map(|(own, other)| (own - other).abs()).fold(0.0, f64::max) as f32
    };
    let reals = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
    if !are_logits || own.len() == 1 {
        return largest(&mut reals(own).into_iter().zip(reals(others)));
    }
    // Softmax endings lose the logits' common part, and tiny probabilities.
    let visible = |log: f64| log.max(f64::from(1e-6f32).ln());
    let pairs = log_softmax(own).into_iter().zip(log_softmax(others));
    largest(&mut pairs.map(|(own, other)| (visible(own), visible(other))))
}

/// The result where each value that enters a layer is a little off: how much of its floats' errors a network shows.
fn nudged(network: &Network, pixels: &[u8], pattern: usize) -> Vec<f32> {
    let mut maps = vec![float::image(network, pixels)];
    for layer in &network.layers {
        if let Some(values) = maps.last_mut() {
            nudge(values, pattern);
        }
        let inputs: Vec<&[f32]> = layer.record.input_maps().map(|map| &maps[map][..]).collect();
        let output = float::layer(layer, &inputs);
        maps.push(output);
    }
    maps.pop().unwrap_or_default()
}

/// Changes each value a little.
fn nudge(values: &mut [f32], pattern: usize) {
    let nudge = FLOAT_ERROR * largest(values);
    for (index, value) in values.iter_mut().enumerate() {
        // Signs without a period, which no window of the next layer averages away.
        let ones = (index * (2 * pattern + 1)).count_ones() as usize;
        *value += if (ones + pattern).is_multiple_of(2) { nudge } else { -nudge };
    }
}

/// The largest size of a value, at least 1.
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(1.0, |largest, value| largest.max(value.abs()))
}

/// The images that methods are compared on.
struct Compared<'c> {
    images: &'c [&'c [u8]],
    /// What the floats say of each.
    expected: &'c [Answer],
    /// What they show, where the labels are the network's classes.
    labels: Option<&'c [usize]>,
}

/// How close the integers come to what the floats give for the same images.
fn compare(
    method: &'static str,
    network: &Network,
    model: &Model<'_>,
    compared: &Compared<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<Candidate, CompileError> {
    let results: Vec<(f64, bool, usize)> = compared
        .images
        .par_iter()
        .zip(compared.expected)
        .map(|(pixels, own)| {
            let answer = model.answer(pixels)?;
            done();
            let agrees = own.logits.iter().all(|p| *p <= own.logits[answer.class]);
            Ok((divergence(network, &own.logits, &answer.logits), agrees, answer.class))
        })
        .collect::<Result<_, CompileError>>()?;
    let count = results.len() as f64;
    Ok(Candidate {
        method,
        divergence: results.iter().map(|(divergence, ..)| divergence).sum::<f64>() / count,
        agreement: results.iter().filter(|(_, same, _)| *same).count() as f64 / count,
        accuracy: compared.labels.map(|labels| {
            results.iter().zip(labels).filter(|((.., class), label)| class == *label).count() as f64 / count
        }),
    })
}

/// How far a result is from the expected one: that of a network that ends in logits by their probabilities, another one's by
/// its size.
pub(crate) fn divergence(network: &Network, expected: &[f32], found: &[f32]) -> f64 {
    if has_logits(network) { kullback_leibler(expected, found) } else { relative_error(expected, found) }
}

/// The divergence of the probabilities that logits stand for.
fn kullback_leibler(expected: &[f32], found: &[f32]) -> f64 {
    log_softmax(expected).iter().zip(log_softmax(found)).map(|(p, q)| p.exp() * (p - q)).sum()
}

/// The squared error as a part of the squared size.
fn relative_error(expected: &[f32], found: &[f32]) -> f64 {
    let squared = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let size = squared(&mut expected.iter().map(|&value| f64::from(value)));
    let errors = expected.iter().zip(found).map(|(&a, &b)| f64::from(a) - f64::from(b));
    squared(&mut errors.into_iter()) / size.max(f64::MIN_POSITIVE)
}
