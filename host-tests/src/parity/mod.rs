//! A model that ships against everything else that can run it; the tests and `cargo xtask parity` ask for the same rows.

mod boards;
mod reference;
mod runtimes;

use anyhow::{Context, Result};
use serde::Serialize;
use thumbnet::Model;

use crate::shipped::{self, TEST_IMAGES};
use crate::steps::{Bounds, Histogram};

pub use boards::{board, boards};
pub use reference::reference;
pub use runtimes::{Float, Layers, RuntimeDetail, float, layers, runtime};

/// Multiplications that a quick comparison may take.
const QUICK_MACS: u64 = 12_500_000_000;
/// The fewest test images of a quick comparison.
const QUICK_IMAGES: usize = 500;

/// How much to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// What CI does: fewer images for large models.
    Quick,
    /// All test images.
    Full,
}

/// A shipped model and what the core says of the 10,000 test images.
pub struct Case {
    /// Its directory in `models/`.
    pub name: String,
    bytes: Vec<u8>,
    /// The core's logits, one vector an image.
    pub logits: Vec<Vec<i32>>,
}

impl Case {
    /// Reads a model and runs it.
    pub fn load(name: &str) -> Result<Self> {
        let bytes = shipped::read(name)?;
        let model = Model::parse(&bytes).with_context(|| format!("models/{name}/model.tnet"))?;
        let logits = shipped::core_logits(&model, &TEST_IMAGES);
        Ok(Self { name: name.into(), bytes, logits })
    }

    /// Every model that ships.
    pub fn all() -> Result<Vec<Self>> {
        shipped::names()?.iter().map(|name| Self::load(name)).collect()
    }

    /// The parsed file.
    pub fn model(&self) -> Model<'_> {
        Model::parse(&self.bytes).expect("it was parsed when it was loaded")
    }

    /// Multiplications of an inference.
    pub fn macs(&self) -> u64 {
        self.model().layers().map(|layer| layer.macs()).sum()
    }

    /// How many test images to compare.
    pub fn images(&self, effort: Effort) -> usize {
        let all = TEST_IMAGES.len();
        match effort {
            Effort::Quick => ((QUICK_MACS / self.macs().max(1)) as usize).clamp(QUICK_IMAGES, all),
            Effort::Full => all,
        }
    }

    fn file(&self, name: &str) -> Result<Vec<u8>> {
        let path = shipped::path(&self.name, name);
        std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
    }
}

/// The core on the host against something else.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The model's name.
    pub model: String,
    /// What it was compared with: `reference`, a runtime's name, a board's name.
    pub against: String,
    /// Test images compared.
    pub images: usize,
    /// Images that are not as they must be: other logits, or, for a runtime, another digit that rounding does not
    /// explain.
    pub mismatches: usize,
    /// The largest difference of a logit, in steps as [`crate::steps::Differences`] counts them.
    pub largest: usize,
    /// Why nothing was compared: the model does not fit the board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfit: Option<String>,
    /// What a runtime that rounds otherwise makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeDetail>,
}

impl Row {
    fn new(case: &Case, against: &str) -> Self {
        let (model, against) = (case.name.clone(), against.to_string());
        Self { model, against, images: 0, mismatches: 0, largest: 0, unfit: None, runtime: None }
    }

    /// Counts images whose logits must be equal, given those of the first images.
    fn exact(mut self, case: &Case, theirs: &[Vec<i32>]) -> Self {
        let (bounds, mut differences) = (Bounds::of(&case.model()), Histogram::default());
        for (ours, theirs) in case.logits.iter().zip(theirs) {
            self.mismatches += usize::from(ours != theirs);
            bounds.logit_differences(ours, theirs.iter().map(|&logit| f64::from(logit)), &mut differences);
        }
        self.images = theirs.len();
        self.largest = differences.largest();
        self
    }

    /// Fails if something is not as it must be.
    pub fn expect_parity(&self) -> Result<()> {
        let Self { model, against, images, mismatches, .. } = self;
        anyhow::ensure!(*mismatches == 0, "{model}, {against}: {mismatches} of {images} test images differ");
        Ok(())
    }
}
