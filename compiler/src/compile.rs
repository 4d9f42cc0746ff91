//! From the bytes of an ONNX file to those of a model file.

use dataset::Dataset;
use inference_core::Model;
use rayon::prelude::*;
use serde::Serialize;

use crate::calibrate::{self, Method, Range};
use crate::evaluate::{Classify, expect_size, log_softmax};
use crate::graph::Network;
use crate::quantize::{QuantizedNetwork, quantize};
use crate::{CompileError, Core, OnnxModel, float, onnx, overflow, pack, qdq};

/// Images on which the import is checked against tract.
const CHECKED_IMAGES: usize = 8;
/// Largest difference of a log-probability there, as a part of the largest logit (at least 1).
const IMPORT_TOLERANCE: f32 = 1e-3;
/// What floats may be off, as a part of the largest one: sums in another order, another sigmoid.
const FLOAT_ERROR: f32 = 2e-6;
/// Patterns of such errors that are tried: by a single one, those of a sum may happen to cancel out.
const ERROR_PATTERNS: usize = 4;

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
}

impl Options {
    /// The usual options for a model of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), optimize: Optimize::default(), core: Core::default(), calibration_images: 1000 }
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
    /// How it came about.
    pub report: Report,
}

/// How a model came about.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
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
    /// Mean Kullback-Leibler divergence of the integers' probabilities from the floats'; the method
    /// with the least is kept.
    pub divergence: f64,
    /// Part of the images to which floats and integers give the same class.
    pub agreement: f64,
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
    let network = onnx::import(onnx)?;
    let input = network.input;
    if input.channels != 1 {
        let what = format!("the network takes {} channels, the images have one", input.channels);
        return Err(CompileError::Calibration(what));
    }
    expect_size((usize::from(input.height), usize::from(input.width)), training)?;
    let [measured, compared] = samples(training, options.calibration_images)?;
    progress(Progress::Total(measured.len() + compared.len() * (1 + Method::ALL.len())));
    check_import(&network, onnx, &measured)?;

    let done = || progress(Progress::Image);
    let histograms = calibrate::measure(&network, &measured, &done);
    let expected: Vec<Vec<f64>> = compared
        .par_iter()
        .map(|pixels| {
            let logits = float::activations(&network, &float::image(pixels)).pop().unwrap_or_default();
            done();
            log_softmax(&logits)
        })
        .collect();
    let mut best: Option<(Candidate, QuantizedNetwork, Vec<u8>)> = None;
    let mut candidates = Vec::new();
    for method in Method::ALL {
        let ranges: Vec<Range> = histograms.iter().map(|histogram| histogram.range(method)).collect();
        let quantized = quantize(&network, &ranges)?;
        overflow::prove(&quantized)?;
        let tnet = pack::pack(&quantized, &options.name, options.optimize, options.core)?;
        let candidate = compare(method, &Model::parse(&tnet)?, &compared, &expected, &done)?;
        candidates.push(candidate.clone());
        if best.as_ref().is_none_or(|(best, ..)| candidate.divergence < best.divergence) {
            best = Some((candidate, quantized, tnet));
        }
    }
    let Some((kept, quantized, tnet)) = best else {
        return Err(CompileError::Calibration("no method was tried".into()));
    };
    let report = Report {
        method: kept.method,
        candidates,
        calibration_images: measured.len(),
        comparison_images: compared.len(),
        optimize: options.optimize,
        core: options.core,
        notes: network.notes.clone(),
    };
    let qdq = qdq::write(&quantized, &options.name, &[("method", kept.method), ("optimize", options.optimize.name())]);
    Ok(Compiled { network, quantized, tnet, qdq, report })
}

/// Two samples of `count` images each, evenly spread over the set, without an image in common.
fn samples(images: &Dataset, count: usize) -> Result<[Vec<&[u8]>; 2], CompileError> {
    let count = count.min(images.len() / 2);
    if count == 0 {
        return Err(CompileError::Calibration("at least two training images are needed".into()));
    }
    let at = |index: usize| images.image(index * images.len() / (2 * count));
    Ok([0, 1].map(|odd| (0..count).map(|index| at(2 * index + odd)).collect()))
}

/// Refuses an import that computes something else than tract does.
fn check_import(network: &Network, onnx: &[u8], images: &[&[u8]]) -> Result<(), CompileError> {
    let original = OnnxModel::load(onnx)?;
    for (image, pixels) in images.iter().take(CHECKED_IMAGES).enumerate() {
        let own = float::activations(network, &float::image(pixels)).pop().unwrap_or_default();
        let theirs = original.logits(pixels)?;
        // Softmax endings lose the logits' common part, and tiny probabilities.
        let visible = |log: f64| log.max(f64::from(1e-6f32).ln());
        let difference = |others: &[f32]| {
            let pairs = log_softmax(&own).into_iter().zip(log_softmax(others));
            pairs.map(|(own, other)| (visible(own) - visible(other)).abs()).fold(0.0, f64::max) as f32
        };
        let nudged = (0..ERROR_PATTERNS).map(|pattern| difference(&nudged(network, pixels, pattern)));
        let allowed = IMPORT_TOLERANCE * largest(&own) + nudged.sum::<f32>();
        let difference = difference(&theirs);
        if own.len() != theirs.len() || difference > allowed {
            return Err(CompileError::Import { difference, image });
        }
    }
    Ok(())
}

/// The logits where each value that enters a layer is a little off: how much of its floats' errors a network shows.
fn nudged(network: &Network, pixels: &[u8], pattern: usize) -> Vec<f32> {
    network.layers.iter().fold(float::image(pixels), |mut values, layer| {
        let nudge = FLOAT_ERROR * largest(&values);
        for (index, value) in values.iter_mut().enumerate() {
            // Signs without a period, which no window of the next layer averages away.
            let ones = (index * (2 * pattern + 1)).count_ones() as usize;
            *value += if (ones + pattern).is_multiple_of(2) { nudge } else { -nudge };
        }
        float::layer(layer, &values)
    })
}

/// The largest size of a value, at least 1.
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(1.0, |largest, value| largest.max(value.abs()))
}

/// How close the integers come to `expected`, the floats' logarithms of probabilities.
fn compare(
    method: Method,
    model: &Model<'_>,
    images: &[&[u8]],
    expected: &[Vec<f64>],
    done: &(dyn Fn() + Sync),
) -> Result<Candidate, CompileError> {
    let results: Vec<(f64, bool)> = images
        .par_iter()
        .zip(expected)
        .map(|(pixels, expected)| {
            let answer = model.answer(pixels)?;
            let found = log_softmax(&answer.logits);
            let divergence = expected.iter().zip(&found).map(|(p, q)| p.exp() * (p - q)).sum();
            done();
            Ok((divergence, expected.iter().all(|p| *p <= expected[answer.class])))
        })
        .collect::<Result<_, CompileError>>()?;
    let count = results.len() as f64;
    Ok(Candidate {
        method: method.name(),
        divergence: results.iter().map(|(divergence, _)| divergence).sum::<f64>() / count,
        agreement: results.iter().filter(|(_, same)| *same).count() as f64 / count,
    })
}
