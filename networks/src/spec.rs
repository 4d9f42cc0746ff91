//! A network and how it is trained, as data: one table of `networks.toml`.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    Activation, Augment, Block, Head, Init, Layer, Operation, Optimizer, Schedule, Shape, Size, SpecError, resolve,
};

/// No channel, unit or side of a map is counted further than this.
const MOST_VALUES: usize = 65_535;
/// Nor a side of a kernel or a stride.
const MOST_STEPS: usize = 255;

/// One network with its training. The fields are explained at the top of `networks.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// What it is called on the command line and under `models/`.
    pub name: String,
    /// Shape of what enters; `None`: the images of the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Shape>,
    /// Values that leave; `None`: the classes of the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// Whether there is a training of ours; without one it is kept for its shape.
    #[serde(default = "yes")]
    pub trained: bool,
    /// Height and width of the kernels of convolutions that do not give their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Size>,
    /// After every batch normalization and addition, where a block does not give its own.
    pub activation: Activation,
    /// The convolution and residual blocks.
    #[serde(default)]
    pub blocks: Vec<Block>,
    /// From the last map to a vector.
    #[serde(default)]
    pub head: Head,
    /// Units of the hidden dense layers.
    #[serde(default, deserialize_with = "one_or_more")]
    pub dense: Vec<usize>,
    /// Initial weights of all layers but the last.
    #[serde(default)]
    pub init: Init,
    /// Share of values dropped after every block and hidden dense layer.
    #[serde(default)]
    pub dropout: f64,
    /// One or more, each for `epochs` epochs.
    #[serde(default = "default_optimizer", deserialize_with = "one_or_more")]
    pub optimizer: Vec<Optimizer>,
    /// Times that every optimizer sees all training images.
    #[serde(default = "default_epochs")]
    pub epochs: usize,
    /// Images of one step.
    #[serde(default = "default_batch")]
    pub batch: usize,
    /// Step size, where it is not the optimizer's default.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augment: Option<Augment>,
    /// What the notebook reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notebook: Option<Notebook>,
}

/// What the notebook reported about a network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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

impl NetworkSpec {
    /// What enters: its own `input`, or else MNIST's images.
    pub fn input(&self) -> Shape {
        self.input.unwrap_or(Shape { height: 28, width: 28, channels: 1 })
    }

    /// Values that leave: its own `classes`, or else the ten digits.
    pub fn classes(&self) -> usize {
        self.classes.unwrap_or(10)
    }

    /// The network for a data set with images of shape `input` in `classes` classes. Fails where it cannot be built for
    /// them, or is meant for others.
    pub fn for_data(&self, input: Shape, classes: usize) -> Result<Self, SpecError> {
        if let Some(own) = self.input.filter(|own| *own != input) {
            return Err(self.invalid(format!("it takes {own}, the images are {input}")));
        }
        if let Some(own) = self.classes.filter(|own| *own != classes) {
            return Err(self.invalid(format!("it has {own} `classes`, the data set has {classes}")));
        }
        let fitted = Self { input: Some(input), classes: Some(classes), ..self.clone() };
        fitted.check()?;
        Ok(fitted)
    }

    /// The layers in the order that they are computed in. Fails where a map becomes too small for the next kernel.
    pub fn layers(&self) -> Result<Vec<Layer>, SpecError> {
        resolve::layers(self).map_err(|fault| self.invalid(fault))
    }

    /// Epochs of the whole training: `epochs` for every optimizer.
    pub fn total_epochs(&self) -> usize {
        self.epochs.saturating_mul(self.optimizer.len())
    }

    pub(crate) fn invalid(&self, fault: String) -> SpecError {
        SpecError::Invalid { name: self.name.clone(), fault }
    }

    /// Checks what the types do not: anything accepted here can be built and trained, once the size of the images is known.
    pub(crate) fn check(&self) -> Result<(), SpecError> {
        self.faults().map_err(|fault| self.invalid(fault))?;
        // Where the data set gives the size, whether it fits shows with the data.
        if self.input.is_some() { self.layers().map(|_| ()) } else { Ok(()) }
    }

    fn faults(&self) -> Result<(), String> {
        let mut letters = self.name.chars();
        if !letters.next().is_some_and(char::is_alphanumeric)
            || !letters.all(|letter| letter.is_alphanumeric() || "_-.".contains(letter))
        {
            return Err(
                "`name` is also a directory's: letters, digits, `_`, `-` and `.`, the first a letter or digit".into()
            );
        }
        if let Some(Shape { height, width, channels }) = self.input {
            [height, width, channels].iter().try_for_each(|&values| within(values, "`input`"))?;
        }
        if let Some(classes) = self.classes {
            within(classes, "`classes`")?;
        }
        if let Some(kernel) = self.kernel {
            steps(kernel, "`kernel`")?;
        }
        for (index, block) in self.blocks.iter().enumerate() {
            block.check(&format!("block {}", index + 1), true)?;
        }
        self.dense.iter().try_for_each(|&units| within(units, "`dense`"))?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(format!("`dropout` is {}, it must be at least 0 and below 1", self.dropout));
        }
        if self.epochs == 0 || self.batch == 0 {
            return Err("`epochs` and `batch` must be at least 1".into());
        }
        if self.seeds.is_empty() {
            return Err("`seeds` names none".into());
        }
        if self.optimizer.is_empty() {
            return Err("`optimizer` names none".into());
        }
        if self.learning_rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
            return Err("`learning_rate` must be above 0".into());
        }
        let Augment { shift, rotate, scale } = self.augment.unwrap_or_default();
        let is_possible = [shift, rotate, scale].iter().all(|change| (0.0..f64::INFINITY).contains(change));
        if !is_possible || scale >= 1.0 {
            return Err("`augment` must not be below 0, and its `scale` must be below 1".into());
        }
        Ok(())
    }
}

impl Block {
    fn check(&self, place: &str, may_branch: bool) -> Result<(), String> {
        match &self.operation {
            Operation::Conv { filters, kernel, stride, .. } => {
                within(*filters, &format!("`conv` of {place}"))?;
                if let Some(kernel) = kernel {
                    steps(*kernel, &format!("`kernel` of {place}"))?;
                }
                steps(*stride, &format!("`stride` of {place}"))
            }
            Operation::Depthwise { kernel, stride, .. } => {
                steps(*kernel, &format!("`depthwise` of {place}"))?;
                steps(*stride, &format!("`stride` of {place}"))
            }
            Operation::Pointwise { filters, stride } => {
                within(*filters, &format!("`pointwise` of {place}"))?;
                steps(*stride, &format!("`stride` of {place}"))
            }
            Operation::Residual(_) if !may_branch => Err(format!("{place} branches inside a branch")),
            Operation::Residual(branch) if branch.is_empty() => Err(format!("the branch of {place} has no block")),
            Operation::Residual(branch) => branch
                .iter()
                .enumerate()
                .try_for_each(|(index, block)| block.check(&format!("{place}, branch block {}", index + 1), false)),
        }
    }
}

fn within(values: usize, what: &str) -> Result<(), String> {
    if (1..=MOST_VALUES).contains(&values) {
        return Ok(());
    }
    Err(format!("{what} is {values}, it must be 1 to {MOST_VALUES}"))
}

fn steps(size: Size, what: &str) -> Result<(), String> {
    if [size.height, size.width].iter().all(|steps| (1..=MOST_STEPS).contains(steps)) {
        return Ok(());
    }
    Err(format!("{what} is {size}, each must be 1 to {MOST_STEPS}"))
}

/// A list, or the one thing of which it would be a list.
fn one_or_more<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected one of the known values, or a list of them")]
    enum OneOrMore<T> {
        One(T),
        More(Vec<T>),
    }
    Ok(match OneOrMore::deserialize(from)? {
        OneOrMore::One(one) => vec![one],
        OneOrMore::More(list) => list,
    })
}

fn yes() -> bool {
    true
}

fn default_optimizer() -> Vec<Optimizer> {
    vec![Optimizer::Adam]
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
