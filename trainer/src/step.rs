//! What a training step finds out.

use anyhow::anyhow;
use burn::optim::GradientsParams;
use burn::tensor::ExecutionError;

/// What a step finds out.
pub struct Step {
    /// Mean cross-entropy of the batch.
    pub loss: f64,
    /// `[batch]`: the classes answered.
    pub answers: Vec<usize>,
    /// Of the loss, for every weight; on the first device.
    pub gradients: GradientsParams,
}

/// What a backend says, as an error for people.
pub fn failed(error: ExecutionError) -> anyhow::Error {
    anyhow!("the backend failed: {error:?}")
}
