//! What the program `parity` of host-tests writes; it explains the fields.

use serde::Deserialize;

/// Entry `n` counts values that differ by `n` steps.
#[derive(Deserialize, Clone, Default)]
pub struct Histogram(pub Vec<u64>);

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    Row(Row),
    Layers(Layers),
    Float(Float),
    Networks(Networks),
}

/// A model against something else.
#[derive(Deserialize)]
pub struct Row {
    pub model: String,
    pub against: String,
    pub images: u64,
    pub mismatches: u64,
    pub largest: u64,
    pub unfit: Option<String>,
    pub runtime: Option<Runtime>,
}

/// How a runtime that rounds otherwise differs.
#[derive(Deserialize)]
pub struct Runtime {
    pub identical: u64,
    pub other: u64,
    pub close: u64,
    pub logits: Histogram,
}

/// What the layers of a model give in a runtime.
#[derive(Deserialize)]
pub struct Layers {
    pub model: String,
    pub against: String,
    pub images: u64,
    pub layers: Vec<Histogram>,
}

/// tract against ONNX Runtime on a float network.
#[derive(Deserialize)]
pub struct Float {
    pub model: String,
    pub images: u64,
    pub largest: f32,
}

/// Random networks.
#[derive(Deserialize)]
pub struct Networks {
    pub networks: u64,
    pub refused: u64,
    pub layers: u64,
    pub images: u64,
    pub activations: Histogram,
    pub logits: Histogram,
}

impl Line {
    /// Where something is not as it must be.
    pub fn difference(&self) -> Option<String> {
        match self {
            Self::Row(Row { model, against, images, mismatches: wrong @ 1.., .. }) => {
                Some(format!("{model}, {against}: {wrong} of {images} images"))
            }
            // The program ends with an error where other comparisons fail.
            _ => None,
        }
    }
}

impl Histogram {
    /// All values.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The largest difference.
    pub fn largest(&self) -> u64 {
        self.0.len().saturating_sub(1) as u64
    }

    /// Both together.
    pub fn and(mut self, other: &Self) -> Self {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(sum, count)| *sum += count);
        self
    }
}
