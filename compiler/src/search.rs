//! Finds the form of input that a network was trained on, by what it makes of labelled images in floats.

use dataset::Dataset;
use rayon::prelude::*;
use serde::Serialize;
use thumbnet::format::Shape;

use crate::evaluate::{Answer, Classify, class_labels, log_softmax, shape_of};
use crate::{CompileError, Form, OnnxModel};

/// Images that every form is tried on.
const FIRST_IMAGES: usize = 200;
/// Images for the forms that are among the best there.
const LAST_IMAGES: usize = 1000;
/// A form with at least so many right is a good one: dark and bright, or rows and columns, were not exchanged.
const GOOD: f64 = 0.9;
/// Of the first images, forms that get so many less right than the best one are not looked at again.
const FAR: f64 = 0.1;
/// Deviations that a share of right answers must be above guessing, and a difference of two above chance.
const DEVIATIONS: f64 = 3.0;

/// Losses that differ by less are taken to be equal: the likelier form is the better one.
const LOSS_STEP: f64 = 1e-4;

/// A form whose loss is at most so much of the best one's is told of.
const CLOSE: f64 = 1.2;

/// Published means and standard deviations: MNIST, Fashion-MNIST, and for three channels ImageNet and CIFAR-10.
const GRAY: [([f64; 1], [f64; 1]); 2] = [([0.1307], [0.3081]), ([0.2860], [0.3530])];
const COLOR: [([f64; 3], [f64; 3]); 2] =
    [([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616])];

/// How a network did on images of a form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// The form, as `--input` takes it.
    pub form: String,
    /// Images classified as labelled.
    pub correct: usize,
    /// Images shown.
    pub images: usize,
    /// Mean cross-entropy at the temperature at which it is least: results that are no logarithms have any scale.
    pub loss: f64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The best form.
    pub form: Form,
    /// All that were tried, the best one first.
    pub tried: Vec<Tried>,
    /// Another one that does nearly as well on these images.
    pub rival: Option<Form>,
}

/// The form in which the network tells the images apart best; `None` where the labels are not its classes, so that nothing can
/// be told. An error, with all that was tried, where none is better than guessing.
pub fn find(model: &OnnxModel, images: &Dataset) -> Result<Option<Found>, CompileError> {
    let Some(labels) = labels(model, images)? else { return Ok(None) };
    let first = spread(images.len(), FIRST_IMAGES);
    let mut tried = Vec::new();
    let plain = forms(images, model.input_shape());
    for form in &plain {
        tried.push(attempt(model, form, images, &labels, &first)?);
    }
    if !tried.iter().any(|(_, tried)| tried.correct as f64 >= GOOD * tried.images as f64) {
        for form in others(&plain, images.height() == images.width()) {
            tried.push(attempt(model, &form, images, &labels, &first)?);
        }
    }
    let best = tried.iter().map(|(_, tried)| tried.correct).max().unwrap_or(0);
    let far = best.saturating_sub((FAR * first.len() as f64) as usize);
    let last = spread(images.len(), LAST_IMAGES);
    for (form, tried) in &mut tried {
        if tried.correct >= far && last.len() > first.len() {
            *tried = attempt(model, form, images, &labels, &last)?.1;
        }
    }
    // Those of the last round come first; of them the one with the most right, among equals the one with the least loss.
    let most = tried.iter().filter(|(_, tried)| tried.images == last.len()).map(|(_, tried)| tried.correct).max();
    let most = most.unwrap_or(0);
    let near = most as f64 - 1.0 - DEVIATIONS * ((last.len() - most) as f64).sqrt();
    let is_near = |tried: &Tried| tried.images == last.len() && tried.correct as f64 >= near;
    tried.sort_by(|(_, a), (_, b)| {
        let rank = |tried: &Tried| (!is_near(tried), usize::MAX - tried.images, usize::MAX - tried.correct);
        match (is_near(a), is_near(b)) {
            (true, true) => (a.loss / LOSS_STEP).round().total_cmp(&(b.loss / LOSS_STEP).round()),
            _ => rank(a).cmp(&rank(b)),
        }
    });
    if most <= chance(&labels, last.len()) {
        return Err(CompileError::Guessing { images: last.len(), tried: table(tried.iter().map(|(_, tried)| tried)) });
    }
    let close = tried.first().map_or(0.0, |(_, best)| best.loss * CLOSE + LOSS_STEP);
    let rival = tried.get(1).filter(|(_, tried)| is_near(tried) && tried.loss <= close).map(|(form, _)| form.clone());
    let form = tried.first().map_or_else(Form::default, |(form, _)| form.clone());
    Ok(Some(Found { form, tried: tried.into_iter().map(|(_, tried)| tried).collect(), rival }))
}

/// Right answers among `count` images that guessing may come to: the largest class, and some luck.
pub fn chance(labels: &[usize], count: usize) -> usize {
    let mut sizes = vec![0usize; labels.iter().max().map_or(0, |&label| label + 1)];
    labels.iter().for_each(|&label| sizes[label] += 1);
    let part = sizes.into_iter().max().unwrap_or(0) as f64 / labels.len().max(1) as f64;
    let count = count as f64;
    (count * part + DEVIATIONS * (count * part * (1.0 - part)).sqrt()) as usize
}

/// One line a form.
pub fn table<'t>(tried: impl Iterator<Item = &'t Tried>) -> String {
    let line = |tried: &Tried| {
        let accuracy = 100.0 * tried.correct as f64 / tried.images.max(1) as f64;
        format!("  {:36} {accuracy:6.2} % right of {} images, loss {:.4}", tried.form, tried.images, tried.loss)
    };
    tried.map(line).collect::<Vec<_>>().join("\n")
}

/// The labels as the network's classes; `None` where they are not.
fn labels(model: &OnnxModel, images: &Dataset) -> Result<Option<Vec<usize>>, CompileError> {
    if images.is_empty() {
        return Ok(None);
    }
    let classes = model.answer(images.image(0))?.logits.len();
    Ok(class_labels(images, classes))
}

/// Numbers of so many images, evenly spread.
fn spread(images: usize, count: usize) -> Vec<usize> {
    let count = count.min(images);
    (0..count).map(|index| index * images / count).collect()
}

/// What a network may expect of bytes as they are: the likely first, which wins where several do as well.
fn forms(images: &Dataset, input: Shape) -> Vec<Form> {
    let mut forms = vec![Form::default(), Form::range(0.0, 255.0), Form::range(-1.0, 1.0)];
    match input.channels {
        3 => forms.extend(COLOR.map(|(mean, std)| Form::normalized(&mean, &std))),
        _ => forms.extend(GRAY.map(|(mean, std)| Form::normalized(&mean, &std))),
    }
    // Those of the images themselves, as people compute them over a set of their own.
    let values = spread(images.len(), LAST_IMAGES).into_iter().flat_map(|index| images.image(index));
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for &byte in values {
        let value = f64::from(byte) / 255.0;
        (count, sum, squares) = (count + 1.0, sum + value, squares + value * value);
    }
    let mean = sum / count;
    let std = (squares / count - mean * mean).max(0.0).sqrt();
    let close = |&(known_mean, known_std): &([f64; 1], [f64; 1])| {
        (known_mean[0] - mean).abs() < 0.02 * known_std[0] && (known_std[0] / std - 1.0).abs() < 0.02
    };
    if std > 0.0 && !GRAY.iter().any(close) {
        let round = |number: f64| (number * 1e4).round() / 1e4;
        forms.push(Form::normalized(&[round(mean)], &[round(std).max(1e-4)]));
    }
    forms.push(Form::range(-128.0, 127.0));
    forms
}

/// The same with dark and bright, or rows and columns, exchanged.
fn others(plain: &[Form], are_square: bool) -> Vec<Form> {
    let mut others = Vec::new();
    for (is_inverted, is_transposed) in [(true, false), (false, true), (true, true)] {
        if are_square || !is_transposed {
            others.extend(plain.iter().map(|form| form.exchanged(is_inverted, is_transposed)));
        }
    }
    others
}

fn attempt(
    model: &OnnxModel,
    form: &Form,
    images: &Dataset,
    labels: &[usize],
    shown: &[usize],
) -> Result<(Form, Tried), CompileError> {
    let model = model.entering(form.entry_for(shape_of(images)));
    let answers: Vec<Answer> =
        shown.par_iter().map(|&index| model.answer(images.image(index))).collect::<Result<_, _>>()?;
    let right = answers.iter().zip(shown).filter(|(answer, index)| answer.class == labels[**index]).count();
    let loss = |temperature: f32| {
        let losses = answers.iter().zip(shown).map(|(answer, &index)| {
            let scaled: Vec<f32> = answer.logits.iter().map(|logit| logit.max(f32::MIN / 1e6) * temperature).collect();
            -log_softmax(&scaled)[labels[index]].max(f64::from(f32::MIN_POSITIVE).ln())
        });
        losses.sum::<f64>() / shown.len() as f64
    };
    let loss = (-10..=6).map(|power| loss(2f32.powi(power))).fold(f64::INFINITY, f64::min);
    let tried = Tried { form: form.to_string(), correct: right, images: shown.len(), loss };
    Ok((form.clone(), tried))
}
