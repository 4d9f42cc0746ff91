//! `thumbnet eval`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use dataset::{Dataset, Split};
use serde_json::json;
use thumbnet_compiler::OnnxModel;
use thumbnet_compiler::evaluate::{Evaluation, evaluate};

use super::{is_tnet, parse, pictures, progress_bar, read};

/// Measure a model on the test images
#[derive(Args)]
pub struct Arguments {
    /// The model: a .tnet file (run by the core), or any other as ONNX (run by tract)
    #[arg(value_name = "MODEL.tnet|MODEL.onnx")]
    model: PathBuf,
    /// Directory with the test images (IDX files)
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Use the first N images only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Write confusion.png and misclassified.png into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let bytes = read(&arguments.model)?;
    let images = Dataset::load(&arguments.data, Split::Test)?;
    let limit = arguments.limit.unwrap_or(images.len());
    let bar = progress_bar("classifying", images.len().min(limit));
    let done = || bar.inc(1);
    let evaluation = if is_tnet(&arguments.model, &bytes) {
        evaluate(&parse(&arguments.model, &bytes)?, &images, limit, &done)
    } else {
        OnnxModel::load(&bytes).and_then(|model| evaluate(&model, &images, limit, &done))
    };
    bar.finish_and_clear();
    let evaluation = evaluation.with_context(|| arguments.model.display().to_string())?;
    if let Some(directory) = &arguments.out {
        super::write(&directory.join("confusion.png"), &pictures::confusion(&evaluation)?)?;
        super::write(&directory.join("misclassified.png"), &pictures::misclassified(&evaluation, &images)?)?;
    }
    print(&evaluation, arguments);
    Ok(())
}

fn print(evaluation: &Evaluation, arguments: &Arguments) {
    let Evaluation { images, correct, accuracy, loss, .. } = evaluation;
    if arguments.json {
        let model = &arguments.model;
        println!(
            "{}",
            json!({"model": model, "images": images, "correct": correct, "accuracy": accuracy, "loss": loss})
        );
    } else {
        println!("{correct} of {images} images right: accuracy {:.2} %, loss {loss:.4}", accuracy * 100.0);
    }
}
