//! What came of the trainings: pictures and `REPORT.md`, made of whatever lies in the directory of the models.

mod findings;
mod markdown;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use networks::NetworkSpec;
use serde::Deserialize;

use crate::card::Card;
use crate::files;
use crate::gradients::{self, Row};
use crate::plot::{GradientNorms, Picture, Violins};
use crate::weights;

/// File name in the directory of the models.
pub const FILE: &str = "REPORT.md";

/// What `thumbnet eval MODEL.tnet --json` prints; kept beside the model.
pub const INT8: &str = "int8.json";

/// Accuracy of the 8-bit network.
#[derive(Clone, Debug, Deserialize)]
pub struct Int8 {
    /// Test images.
    pub images: usize,
    /// Share of them recognized.
    pub accuracy: f64,
}

/// A network of the notebook and what there is of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How it is made.
    pub spec: NetworkSpec,
    /// How its training went; `None` where it is not trained yet.
    pub card: Option<Card>,
    /// Trainings with other seeds.
    pub others: Vec<Card>,
    /// Accuracy of the 8-bit network, where it was measured.
    pub int8: Option<Int8>,
    /// Pictures that are there: file name without ending, and what they show.
    pub pictures: Vec<(&'static str, &'static str)>,
}

/// Draws the pictures and writes `REPORT.md` into `models`. Returns the file and how many networks are trained.
pub fn write(models: &Path) -> Result<(PathBuf, usize)> {
    let specs = networks::all()?.into_iter().filter(|spec| spec.notebook.is_some());
    let entries = specs.map(|spec| Entry::read(spec, models)).collect::<Result<Vec<_>>>()?;
    let csv = models.join(gradients::FILE);
    let rows = if csv.exists() { gradients::load(&csv)? } else { Vec::new() };
    if !rows.is_empty() {
        GradientNorms { rows: &rows }.save(models, "gradients")?;
    }
    let path = models.join(FILE);
    files::replace(&path, text(&entries, &rows).as_bytes())
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    Ok((path, entries.iter().filter(|entry| entry.card.is_some()).count()))
}

/// The whole report.
fn text(entries: &[Entry], rows: &[Row]) -> String {
    let mut text = markdown::head();
    text.push_str(&markdown::table(entries));
    text.push_str(&findings::seeds(entries));
    text.push_str(&findings::gradients(rows));
    text.push_str(&markdown::pictures(entries));
    text
}

impl Entry {
    /// Reads what `models` has of `spec`, and draws its weights.
    fn read(spec: NetworkSpec, models: &Path) -> Result<Self> {
        let dir = models.join(&spec.name);
        let card = Card::load(&dir);
        let mut pictures = Vec::new();
        if card.is_some() {
            let onnx = dir.join("model.onnx");
            if onnx.exists() {
                let kernels = weights::kernels(&onnx)?;
                Violins { title: &spec.name, kernels: &kernels }.save(&dir, "weights")?;
            }
            let shown = [("curves", "loss and accuracy"), ("confusion", "confusion matrix"), ("weights", "weights")];
            pictures.extend(shown.into_iter().filter(|(stem, _)| dir.join(format!("{stem}.png")).exists()));
        }
        Ok(Self { others: other_seeds(&dir), int8: int8(&dir)?, spec, card, pictures })
    }
}

/// The cards in `DIR/seeds/*`, by seed.
fn other_seeds(dir: &Path) -> Vec<Card> {
    let entries = fs::read_dir(dir.join("seeds")).into_iter().flatten().flatten();
    let mut cards: Vec<Card> = entries.filter_map(|entry| Card::load(&entry.path())).collect();
    cards.sort_by_key(|card| card.run.seed);
    cards
}

fn int8(dir: &Path) -> Result<Option<Int8>> {
    let path = dir.join(INT8);
    match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        bytes => {
            let wrong = || format!("{}: is not what `thumbnet eval --json` prints", path.display());
            Ok(Some(serde_json::from_slice(&bytes.with_context(wrong)?).with_context(wrong)?))
        }
    }
}
