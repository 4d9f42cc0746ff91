//! `card.json`: how a model came to be and how good it is.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use networks::{Augment, NetworkSpec, Schedule};
use serde::{Deserialize, Serialize};

use crate::checkpoint::RunId;
use crate::files;
use crate::history::EpochRecord;
use crate::layers::{Totals, rows, totals};
use crate::optimizer::KerasOptimizer;

/// File name in a model's directory.
pub const FILE: &str = "card.json";

/// Burn's version, which Cargo.toml pins.
pub const BURN_VERSION: &str = "0.22.1";

/// How a model came to be and how good it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Card {
    /// Network, seed, epochs, optimizers, batch size, backend and data.
    #[serde(flatten)]
    pub run: RunId,
    /// All parameters, running statistics included.
    pub params: usize,
    /// Multiply-accumulates for one image.
    pub macs: usize,
    /// Step size at the start.
    pub learning_rate: f64,
    /// How it went on.
    pub schedule: Schedule,
    /// Random changes to the training images.
    pub augment: Option<Augment>,
    /// Which images `val_loss` and `val_accuracy` were measured on.
    pub validation: String,
    /// How many these are.
    pub validation_images: usize,
    /// Measured during and after the last epoch.
    pub last_epoch: EpochRecord,
    /// Images of the final measurement.
    pub test_images: usize,
    /// Cross-entropy of the float network on the test images.
    pub test_loss: f64,
    /// Share of the test images that the float network recognizes.
    pub test_accuracy: f64,
    /// Largest difference of a logit between Burn and tract on the exported file.
    pub onnx_difference: f64,
    /// Seconds of training.
    pub seconds: f64,
    /// Burn's version.
    pub burn: String,
    /// Commit that the sources were at when the training ended, `+` where the trainer was changed beyond it.
    pub commit: Option<String>,
    /// When the training ended (UTC).
    pub date: String,
}

impl Card {
    /// Reads a card; `None` where there is no readable one.
    pub fn load(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(dir.join(FILE)).ok()?).ok()
    }

    /// A card of `run` from before tables were kept gets the table, if none of its other figures speaks against that: it is
    /// written anew in `dir`.
    pub fn complete(&mut self, spec: &NetworkSpec, run: &RunId, dir: &Path) -> anyhow::Result<()> {
        if !self.run.table.is_empty() {
            return Ok(());
        }
        let Totals { params, macs, .. } = totals(&rows(spec)?);
        let says = (self.params, self.macs, self.learning_rate, self.schedule, self.augment, self.validation.clone());
        if says == (params, macs, learning_rate(spec), spec.schedule, spec.augment, validation_words(spec)) {
            self.run.table.clone_from(&run.table);
            self.save(dir)?;
        } else {
            let other =
                "it has other parameters, multiplications, learning rate, schedule, augmentation or validation images";
            self.run.table = vec![other.to_string()];
        }
        Ok(())
    }

    /// Writes the card whole or not at all.
    pub fn save(&self, dir: &Path) -> std::io::Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        files::replace(&dir.join(FILE), &json)
    }
}

/// The step size that a training of `spec` starts with.
pub fn learning_rate(spec: &NetworkSpec) -> f64 {
    spec.learning_rate.unwrap_or(KerasOptimizer(spec.optimizer[0]).default_rate())
}

/// What the validation images of `spec` are, in words.
pub fn validation_words(spec: &NetworkSpec) -> String {
    match spec.validation {
        0 => "the test images, as in the notebook".to_string(),
        held_out => format!("the last {held_out} training images, held out"),
    }
}

/// Now, as `2026-01-31T12:00:00Z`.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// The commit of the source tree this program was built from as it is now, if it still lies in a git checkout.
pub fn commit() -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let mut commit = git(&["rev-parse", "HEAD"])?;
    if !git(&["status", "--porcelain", "--untracked-files=no", "--", ".", "../dataset", "../networks"])?.is_empty() {
        commit.push('+');
    }
    Some(commit)
}
