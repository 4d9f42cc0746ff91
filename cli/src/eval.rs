//! `thumbnet eval`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use dataset::{Dataset, Split};
use serde_json::json;
use thumbnet_compiler::evaluate::{Evaluation, evaluate, expect_size, shape_of};
use thumbnet_compiler::onnx::Entry;
use thumbnet_compiler::{CompileError, Form, OnnxModel, search};

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
    /// What an ONNX network was trained on, as for `thumbnet compile` [default: the form in which it does best, on the training
    /// images where the directory has some]
    #[arg(long, value_name = "FORM", allow_hyphen_values = true)]
    input: Option<Form>,
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
    let onnx = match is_tnet(&arguments.model, &bytes) {
        true => None,
        false => {
            let opened = onnx(&arguments.model, &bytes, arguments.input.as_ref(), &images, &arguments.data);
            Some(opened.with_context(|| arguments.model.display().to_string())?)
        }
    };
    let bar = progress_bar("classifying", images.len().min(limit));
    let done = || bar.inc(1);
    let evaluation = match &onnx {
        None => evaluate(&parse(&arguments.model, &bytes)?, &images, limit, &done),
        Some((model, _)) => evaluate(model, &images, limit, &done),
    };
    bar.finish_and_clear();
    let evaluation = evaluation.with_context(|| arguments.model.display().to_string())?;
    if let Some(directory) = &arguments.out {
        super::write(&directory.join("confusion.png"), &pictures::confusion(&evaluation)?)?;
        super::write(&directory.join("misclassified.png"), &pictures::misclassified(&evaluation, &images)?)?;
    }
    print(&evaluation, onnx.map(|(_, form)| form), arguments);
    Ok(())
}

/// An ONNX network and the form of what enters it: the one given, or the one in which it does best, on the training images
/// where the directory has some.
pub fn onnx(
    path: &Path,
    bytes: &[u8],
    input: Option<&Form>,
    images: &Dataset,
    data: &Path,
) -> anyhow::Result<(OnnxModel, Form)> {
    if let Some(form) = input {
        return Ok((OnnxModel::load_with(bytes, &entry(path, form, images))?, form.clone()));
    }
    let model = OnnxModel::load_with(bytes, &entry(path, &Form::default(), images))?;
    expect_size(model.input_shape(), images)?;
    let training = Dataset::load(data, Split::Train).ok();
    let form = match search::find(&model, training.as_ref().unwrap_or(images)) {
        Ok(found) => found.map(|found| found.form).unwrap_or_default(),
        Err(error @ CompileError::Guessing { .. }) => {
            eprintln!("{error}");
            Form::default()
        }
        Err(error) => return Err(error.into()),
    };
    Ok((model.entering(entry(path, &form, images)), form))
}

/// What an ONNX file at this path takes of these images.
pub fn entry(path: &Path, form: &Form, images: &Dataset) -> Entry {
    Entry { folder: path.parent().map(Path::to_path_buf), ..form.entry_for(shape_of(images)) }
}

fn print(evaluation: &Evaluation, form: Option<Form>, arguments: &Arguments) {
    let Evaluation { images, correct, accuracy, loss, .. } = evaluation;
    if arguments.json {
        let model = &arguments.model;
        println!(
            "{}",
            json!({
                "model": model,
                "input": form.map(|form| form.to_string()),
                "images": images,
                "correct": correct,
                "accuracy": accuracy,
                "loss": loss,
            })
        );
    } else {
        if let Some(form) = form {
            println!("input {form}");
        }
        println!("{correct} of {images} images right: accuracy {:.2} %, loss {loss:.4}", accuracy * 100.0);
    }
}
