//! A network and how it is trained, as data: one table of `networks.toml`.

use serde::{Deserialize, Serialize};

use crate::augment::Augment;
use crate::init::Init;
use crate::optimizer::OptimizerKind;

/// The table of networks that the trainer carries.
const NETWORKS: &str = include_str!("../networks.toml");

/// Digits: every network tells ten classes apart.
pub const CLASSES: usize = 10;
/// Height and width of the images that the networks take, in pixels.
pub const SIZE: usize = 28;

/// One network with its training. The fields are explained at the top of `networks.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// What it is called on the command line and under `models/`.
    pub name: String,
    /// Height and width of every convolution's kernel.
    pub kernel: usize,
    /// After every batch normalization.
    pub activation: Activation,
    /// Initial weights of all layers but the last.
    pub init: Init,
    /// Share of values dropped after every block.
    #[serde(default)]
    pub dropout: f64,
    /// The convolution blocks.
    pub conv: Vec<ConvSpec>,
    /// From the last map to a vector.
    #[serde(default)]
    pub head: Head,
    /// Units of the hidden dense layer, if there is one.
    pub dense: Option<usize>,
    /// One or more, each for `epochs` epochs.
    #[serde(deserialize_with = "one_or_more")]
    pub optimizer: Vec<OptimizerKind>,
    /// Times that every optimizer sees all training images.
    #[serde(default = "default_epochs")]
    pub epochs: usize,
    /// Images of one step.
    #[serde(default = "default_batch")]
    pub batch: usize,
    /// Step size, where it is not the optimizer's default.
    pub learning_rate: Option<f64>,
    /// How the step size goes over the training.
    #[serde(default)]
    pub schedule: Schedule,
    /// Seeds that `trainer reproduce` trains it with; the first one's result is the network's.
    #[serde(default = "default_seeds")]
    pub seeds: Vec<u64>,
    /// Training images held out to choose by; 0: the test images serve as validation.
    #[serde(default)]
    pub validation: usize,
    /// Random changes to the training images.
    pub augment: Option<Augment>,
    /// What the notebook reported.
    pub notebook: Option<Notebook>,
}

/// One convolution block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "(usize, Padding, Pool)")]
pub struct ConvSpec {
    /// Output channels.
    pub filters: usize,
    /// What lies around the image.
    pub padding: Padding,
    /// Max pooling after the activation.
    pub pool: Pool,
}

impl From<(usize, Padding, Pool)> for ConvSpec {
    fn from((filters, padding, pool): (usize, Padding, Pool)) -> Self {
        Self { filters, padding, pool }
    }
}

/// Padding of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Zeros all around: the output is as large as the input.
    Same,
    /// None: the output is smaller by kernel - 1.
    Valid,
}

/// Max pooling over 2 x 2 values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Pool {
    /// No pooling.
    #[serde(rename = "")]
    None,
    /// Stride 2, an odd last row and column are dropped.
    #[serde(rename = "valid")]
    Valid,
    /// Stride 2, an odd last row and column are kept (Keras "same": padded at the bottom and right with -inf).
    #[serde(rename = "same")]
    Same,
    /// Stride 1, as large as the input (padded at the bottom and right with -inf).
    #[serde(rename = "same/1")]
    SameStride1,
}

impl Pool {
    /// Stride, and rows (columns) of padding at the bottom (right) of a map of `size` rows (columns).
    /// `None` where there is no pooling.
    pub fn geometry(self, size: usize) -> Option<(usize, usize)> {
        match self {
            Self::None => None,
            Self::Valid => Some((2, 0)),
            Self::Same => Some((2, size % 2)),
            Self::SameStride1 => Some((1, 1)),
        }
    }
}

/// The non-linear function of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// max(0, x)
    Relu,
    /// 1 / (1 + exp(-x))
    Sigmoid,
}

/// From the last map to a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// All values, channel by channel.
    #[default]
    Flatten,
    /// The mean of every channel.
    GlobalAverage,
}

/// How the step size goes over the training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Always the same.
    #[default]
    Constant,
    /// Half a cosine wave from the full step size to 0.
    Cosine,
}

/// What the notebook reported about a network.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notebook {
    /// All parameters.
    pub params: usize,
    /// Parameters that training changes.
    pub trainable: usize,
    /// Cross-entropy on the test images.
    pub test_loss: f64,
    /// Share of test images recognized.
    pub test_accuracy: f64,
}

/// A table of networks that cannot be used, or a name that is not in it.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Not the TOML that is expected.
    #[error("networks.toml: {0}")]
    Parse(#[from] Box<toml::de::Error>),
    /// No network of that name.
    #[error("no network is called `{name}`; there are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A network that cannot be built.
    #[error("networks.toml, network `{name}`: {fault}")]
    Invalid {
        /// The network.
        name: String,
        /// What is wrong and where.
        fault: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    network: Vec<NetworkSpec>,
}

/// Reads a table of networks.
pub fn parse(toml: &str) -> Result<Vec<NetworkSpec>, SpecError> {
    let table: Table = toml::from_str(toml).map_err(Box::new)?;
    table.network.iter().try_for_each(NetworkSpec::check)?;
    Ok(table.network)
}

/// All networks of `networks.toml`, in its order.
pub fn all() -> Result<Vec<NetworkSpec>, SpecError> {
    parse(NETWORKS)
}

/// The network called `name`.
pub fn find(name: &str) -> Result<NetworkSpec, SpecError> {
    let mut networks = all()?;
    match networks.iter().position(|network| network.name == name) {
        Some(index) => Ok(networks.swap_remove(index)),
        None => {
            let known = networks.iter().map(|n| n.name.as_str()).collect::<Vec<_>>().join(", ");
            Err(SpecError::Unknown { name: name.to_string(), known })
        }
    }
}

/// A name of a choice as `networks.toml` writes it: `relu`, `he_normal`, `adam`.
pub fn written<T: Serialize>(choice: &T) -> String {
    let value = serde_json::to_value(choice).unwrap_or_default();
    value.as_str().unwrap_or_default().to_string()
}

impl NetworkSpec {
    /// Epochs of the whole training: `epochs` for every optimizer.
    pub fn total_epochs(&self) -> usize {
        self.epochs * self.optimizer.len()
    }

    pub(crate) fn invalid(&self, fault: String) -> SpecError {
        SpecError::Invalid { name: self.name.clone(), fault }
    }

    /// Checks what the types do not: anything accepted here can be built and trained.
    fn check(&self) -> Result<(), SpecError> {
        let fault = if self.conv.is_empty() {
            "`conv` has no block".to_string()
        } else if self.kernel.is_multiple_of(2) {
            format!("`kernel` is {}, only odd ones are known", self.kernel)
        } else if let Some(i) = self.conv.iter().position(|conv| conv.filters == 0) {
            format!("`conv` block {} has no filters", i + 1)
        } else if !(0.0..1.0).contains(&self.dropout) {
            format!("`dropout` is {}, it must be at least 0 and below 1", self.dropout)
        } else if self.dense == Some(0) || self.epochs == 0 || self.batch == 0 {
            "`dense`, `epochs` and `batch` must be at least 1 where they are given".to_string()
        } else if self.seeds.is_empty() {
            "`seeds` names none".to_string()
        } else if self.optimizer.is_empty() {
            "`optimizer` names none".to_string()
        } else if self.learning_rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
            "`learning_rate` must be above 0".to_string()
        } else {
            return self.layers().map(|_| ());
        };
        Err(self.invalid(fault))
    }
}

fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<OptimizerKind>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(OptimizerKind),
        More(Vec<OptimizerKind>),
    }
    Ok(match OneOrMore::deserialize(from)? {
        OneOrMore::One(kind) => vec![kind],
        OneOrMore::More(kinds) => kinds,
    })
}

fn default_epochs() -> usize {
    12
}

fn default_seeds() -> Vec<u64> {
    vec![1]
}

fn default_batch() -> usize {
    128
}
