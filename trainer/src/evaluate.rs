//! Loss and accuracy of a network on a set of images, and which class it takes for which.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, ExecutionError, Tensor};
use dataset::Dataset;
use serde::Serialize;

use crate::data::{self, Batch};
use crate::network::Network;

/// Images of one step; more needs more memory and is no faster.
const BATCH: usize = 250;

/// How well a network does on a set of images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Images.
    pub images: usize,
    /// Of these, recognized.
    pub correct: usize,
    /// Mean cross-entropy.
    pub loss: f64,
    /// `[class][class answered]`: images.
    pub confusion: Vec<Vec<usize>>,
}

impl Score {
    /// Share of the images that were recognized.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }
}

/// Sums over one batch.
pub struct BatchScore {
    /// Mean cross-entropy of the batch; it carries the gradient.
    pub loss: Tensor<1>,
    /// `[batch]`: the classes answered.
    pub answers: Vec<usize>,
}

/// Runs `network` over `batch`.
pub fn forward(network: &Network, batch: &Batch) -> Result<BatchScore, ExecutionError> {
    let logits = network.forward(batch.images.clone());
    let answers = logits.clone().inner().argmax(1).try_into_data()?;
    let loss = CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, batch.labels.clone());
    Ok(BatchScore { loss, answers: answers.iter::<i64>().map(|class| class as usize).collect() })
}

/// The value of a loss.
pub fn scalar(loss: &Tensor<1>) -> Result<f64, ExecutionError> {
    let data = loss.clone().try_into_data()?;
    Ok(data.iter::<f64>().next().unwrap_or(f64::NAN))
}

/// Measures `network`, which must lie on `device` without autodiff, on `set`.
pub fn evaluate(network: &Network, set: &Dataset, device: &Device) -> Result<Score, ExecutionError> {
    let classes = network.classes();
    let mut score = Score { images: set.len(), correct: 0, loss: 0.0, confusion: vec![vec![0; classes]; classes] };
    for start in (0..set.len()).step_by(BATCH) {
        let end = (start + BATCH).min(set.len());
        let batch = data::batch(set, start..end, device);
        let result = forward(network, &batch)?;
        score.loss += scalar(&result.loss)? * (end - start) as f64;
        for (&label, answer) in set.labels()[start..end].iter().zip(result.answers) {
            score.correct += usize::from(usize::from(label) == answer);
            score.confusion[usize::from(label)][answer] += 1;
        }
    }
    score.loss /= set.len() as f64;
    Ok(score)
}
