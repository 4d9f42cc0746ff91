//! What quantization costs, layer by layer.

use rayon::prelude::*;
use serde::Serialize;
use thumbnet::Model;
use thumbnet::format::{Activation, Op, Pool};

use crate::compile::divergence;
use crate::evaluate::{Answer, class_labels};
use crate::graph::{self, Layer, Network};
use crate::kept::{Kept, Made};
use crate::quantize::{QuantizedLayer, QuantizedNetwork};
use crate::{CompileError, Compiled, float, ops, qdq};

/// What quantization costs a network, measured on images that its ranges were not measured on.
#[derive(Clone, Debug, Serialize)]
pub struct Quantization {
    /// Images that all this was measured on.
    pub images: usize,
    /// Part of them that the floats get right; none where the labels are not the network's classes.
    pub float_accuracy: Option<f64>,
    /// Part of them that the integers get right.
    pub accuracy: Option<f64>,
    /// Part of them to which floats and integers give the same class.
    pub agreement: f64,
    /// The number of the layer that costs most: the one with the largest divergence alone.
    pub costliest: Option<usize>,
    /// The layers in order.
    pub layers: Vec<LayerCost>,
}

/// What the quantization of a layer costs. Ratios are of squared values, in decibels; none where nothing is lost.
#[derive(Clone, Debug, Serialize)]
pub struct LayerCost {
    /// The node that it came from.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// Signal to noise of the layer by itself: floats and integers are given what the layers before made in integers.
    pub own_snr: Option<f64>,
    /// Signal to noise from the image to here: floats in floats, integers in integers.
    pub snr: Option<f64>,
    /// Least and largest value of the floats.
    pub range: [f32; 2],
    /// What the bytes cover; none of logits.
    pub covered: Option<[f64; 2]>,
    /// Part of the values, given the same input, that lie outside.
    pub clipped: f64,
    /// Part of the sums beyond the ends of the activation's table; none without a table.
    pub beyond_table: Option<f64>,
    /// Bits of the largest sum that any image may lead to, the sign included, of 32: that none is more is proved. None where
    /// nothing is added up.
    pub sum_bits: Option<u32>,
    /// How much a result changes if this layer alone has the weights, biases and output of the integers, all others being
    /// floats: the mean divergence, as that of whole networks.
    pub divergence_alone: f64,
    /// Part of the images that keep their class then.
    pub agreement_alone: f64,
    /// Part of the images that are right then.
    pub accuracy_alone: Option<f64>,
}

/// Sums over values, and over images.
#[derive(Clone, Debug, Default)]
struct Sums {
    signal: f64,
    noise: f64,
    own_signal: f64,
    own_noise: f64,
    range: [f32; 2],
    values: u64,
    clipped: u64,
    sums: u64,
    beyond: u64,
    divergence: f64,
    agreed: u64,
    right: u64,
}

impl Sums {
    fn merge(self, other: Self) -> Self {
        Self {
            signal: self.signal + other.signal,
            noise: self.noise + other.noise,
            own_signal: self.own_signal + other.own_signal,
            own_noise: self.own_noise + other.own_noise,
            range: [self.range[0].min(other.range[0]), self.range[1].max(other.range[1])],
            values: self.values + other.values,
            clipped: self.clipped + other.clipped,
            sums: self.sums + other.sums,
            beyond: self.beyond + other.beyond,
            divergence: self.divergence + other.divergence,
            agreed: self.agreed + other.agreed,
            right: self.right + other.right,
        }
    }
}

/// Of an image: what each layer adds, and whether floats and integers are right and agree.
struct Looked {
    layers: Vec<Sums>,
    whole: [u64; 3],
}

/// Measures what quantization costs on at most `limit` of the images; `done` is called once an image.
pub fn measure(
    compiled: &Compiled,
    training: &dataset::Dataset,
    limit: usize,
    done: &(dyn Fn() + Sync),
) -> Result<Quantization, CompileError> {
    let Compiled { network, quantized, tnet, compared, .. } = compiled;
    let step = compared.len().div_ceil(limit.max(1)).max(1);
    let images: Vec<usize> = compared.iter().copied().step_by(step).collect();
    let kept = Kept::of(&Model::parse(tnet)?)?;
    let rounded: Vec<Layer> = network.layers.iter().zip(&quantized.layers).map(|(a, b)| rounded(a, b)).collect();
    let classes = network.layers.last().map_or(0, |layer| layer.record.output.len());
    // A single output tells two classes apart.
    let labels = class_labels(training, classes.max(2));
    let look = |&image: &usize| {
        let label = labels.as_ref().map(|labels| labels[image]);
        let looked = look(network, quantized, &rounded, training.image(image), &kept, label);
        done();
        looked
    };
    let looked: Vec<Looked> = images.par_iter().map(look).collect::<Result<_, _>>()?;
    let count = images.len().max(1) as f64;
    let part = |index: usize| looked.iter().map(|looked| looked.whole[index]).sum::<u64>() as f64 / count;
    let costs = network.layers.iter().zip(&quantized.layers).enumerate().map(|(index, (layer, integers))| {
        let sums = looked.iter().map(|looked| looked.layers[index].clone()).fold(Sums::default(), Sums::merge);
        cost(layer, integers, &sums, count, labels.is_some())
    });
    let layers: Vec<LayerCost> = costs.collect();
    let costliest = (0..layers.len())
        .max_by(|&a, &b| layers[a].divergence_alone.total_cmp(&layers[b].divergence_alone))
        .filter(|&index| layers[index].divergence_alone > 0.0);
    let known = |accuracy: f64| labels.is_some().then_some(accuracy);
    Ok(Quantization {
        images: images.len(),
        float_accuracy: known(part(0)),
        accuracy: known(part(1)),
        agreement: part(2),
        costliest,
        layers,
    })
}

fn cost(layer: &Layer, integers: &QuantizedLayer, sums: &Sums, images: f64, is_labelled: bool) -> LayerCost {
    let decibels = |signal: f64, noise: f64| (noise > 0.0).then(|| 10.0 * (signal / noise).log10());
    let part = |count: u64, of: u64| count as f64 / of.max(1) as f64;
    let bounds = (0..integers.folded_bias.len()).flat_map(|scale| {
        let (low, high) = ops::of(layer.record.op).bounds(integers, scale);
        let bias = i64::from(integers.folded_bias[scale]);
        [low + bias.min(0), high + bias.max(0)]
    });
    let largest = bounds.map(|bound| if bound < 0 { -bound - 1 } else { bound }).max();
    LayerCost {
        name: layer.name.clone(),
        op: format!("{:?}", layer.record.op),
        own_snr: decibels(sums.own_signal, sums.own_noise),
        snr: decibels(sums.signal, sums.noise),
        range: sums.range,
        covered: covered(integers),
        clipped: part(sums.clipped, sums.values),
        beyond_table: (sums.sums > 0).then(|| part(sums.beyond, sums.sums)),
        sum_bits: largest.map(|largest| i64::BITS - largest.leading_zeros() + 1),
        divergence_alone: sums.divergence / images,
        agreement_alone: sums.agreed as f64 / images,
        accuracy_alone: is_labelled.then_some(sums.right as f64 / images),
    }
}

/// Looks at every layer of an image.
fn look(
    network: &Network,
    quantized: &QuantizedNetwork,
    rounded: &[Layer],
    pixels: &[u8],
    kept: &Kept,
    label: Option<usize>,
) -> Result<Looked, CompileError> {
    let image = float::image(network, pixels);
    let floats = float::activations(network, &image);
    let made: Vec<Vec<f32>> =
        kept.maps(pixels)?.iter().zip(&quantized.layers).map(|(made, layer)| reals(made, layer)).collect();
    let expected = Answer::new(floats.last().cloned().unwrap_or_default());
    let found = Answer::new(made.last().cloned().unwrap_or_default());
    let mut layers = Vec::with_capacity(network.layers.len());
    for (index, (layer, integers)) in network.layers.iter().zip(&quantized.layers).enumerate() {
        let mut sums = Sums::default();
        for (&float, &integer) in floats[index].iter().zip(&made[index]) {
            let float64 = f64::from(float);
            sums.signal += float64 * float64;
            sums.noise += (float64 - f64::from(integer)).powi(2);
            sums.range = [sums.range[0].min(float), sums.range[1].max(float)];
        }
        let inputs: Vec<&[f32]> = float::inputs(layer, &image, &made);
        let own = float::layer(layer, &inputs);
        let covered = covered(integers);
        let half = f64::from(integers.output_quantization.scale) / 2.0;
        for (&float, &integer) in own.iter().zip(&made[index]) {
            let float = f64::from(float);
            sums.own_signal += float * float;
            sums.own_noise += (float - f64::from(integer)).powi(2);
            let is_clipped = covered.is_some_and(|[low, high]| float < low - half || float > high + half);
            sums.clipped += u64::from(is_clipped);
        }
        sums.values = own.len() as u64;
        if let Some([low, high]) = qdq::table_reach(integers) {
            let mut bare = layer.clone();
            (bare.activation, bare.record.pool) = (graph::Activation::Linear, Pool::NONE);
            let before = float::layer(&bare, &inputs);
            sums.beyond = before.iter().filter(|&&sum| sum < low || sum > high).count() as u64;
            sums.sums = before.len() as u64;
        }
        let alone = alone(network, integers, &rounded[index], index, &image, &floats);
        let answer = Answer::new(alone);
        sums.divergence = divergence(network, &expected.logits, &answer.logits);
        sums.agreed = u64::from(answer.class == expected.class);
        sums.right = u64::from(Some(answer.class) == label);
        layers.push(sums);
    }
    let right = |answer: &Answer| u64::from(Some(answer.class) == label);
    Ok(Looked { layers, whole: [right(&expected), right(&found), u64::from(expected.class == found.class)] })
}

/// The result where one layer alone is rounded as the integers are.
fn alone(
    network: &Network,
    integers: &QuantizedLayer,
    rounded: &Layer,
    index: usize,
    image: &[f32],
    floats: &[Vec<f32>],
) -> Vec<f32> {
    let mut output = float::layer(rounded, &float::inputs(rounded, image, floats));
    // A maximum is taken of bytes that are rounded already.
    if integers.record.activation != Activation::Logits && integers.record.op != Op::MaxPool {
        let quantization = integers.output_quantization;
        for value in &mut output {
            let byte = quantization.byte(f64::from(*value));
            *value = (f32::from(byte) - f32::from(quantization.zero_point)) * quantization.scale;
        }
    }
    let mut maps = floats[..index].to_vec();
    maps.push(output);
    float::continued(network, image, maps).pop().unwrap_or_default()
}

/// The float layer with the weights and biases that the integers stand for.
fn rounded(layer: &Layer, integers: &QuantizedLayer) -> Layer {
    let mut rounded = layer.clone();
    if layer.has_filters() {
        let filters = integers.filters().zip(&integers.weight_scales);
        rounded.weights =
            filters.flat_map(|(filter, scale)| filter.iter().map(move |&weight| f32::from(weight) * scale)).collect();
        let biases = integers.bias.iter().zip(&integers.steps);
        rounded.bias = biases.map(|(&bias, step)| (f64::from(bias) * step) as f32).collect();
    }
    rounded
}

/// What the integers stand for.
fn reals(made: &Made, layer: &QuantizedLayer) -> Vec<f32> {
    let step = match layer.record.activation {
        Activation::Logits => layer.logit_step,
        Activation::Clamp | Activation::Table | Activation::ByteTable => f64::from(layer.output_quantization.scale),
    };
    made.steps.iter().map(|&steps| (f64::from(steps) * step) as f32).collect()
}

/// What bytes cover; none of logits.
fn covered(layer: &QuantizedLayer) -> Option<[f64; 2]> {
    let quantization = layer.output_quantization;
    let real = |byte: u8| (f64::from(byte) - f64::from(quantization.zero_point)) * f64::from(quantization.scale);
    (layer.record.activation != Activation::Logits).then(|| [real(0), real(u8::MAX)])
}
