//! `thumbnet compile`.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use dataset::{Dataset, Split};
use serde_json::json;
use thumbnet::Model;
use thumbnet::format::NAME_LEN;
use thumbnet_compiler::report::measure;
use thumbnet_compiler::search;
use thumbnet_compiler::{
    Compiled, Core, Form, Optimize, Options, Outputs, Progress, compile_with, compile_without_images,
};

use super::{inspect, progress_bar, read, report, write};

/// Images that a report looks at: each layer is left alone in integers on each of them.
const REPORT_IMAGES: usize = 200;

/// Turn an ONNX or TFLite network into a model for microcontrollers
///
/// Folds, calibrates on training images, quantizes to 8 bits and packs; a quantized file keeps its integers. Writes OUT, and beside it the same integers
/// as an ONNX file (model.tnet, model.qdq.onnx).
#[derive(Args)]
pub struct Arguments {
    /// The network: floats in ([N, channels, height, width], a series or a vector); logits, their softmax or any
    /// other result out
    model: PathBuf,
    /// Directory with the training images it was trained on (IDX files); test images are never read. A file that is quantized
    /// throughout needs none
    #[arg(long, value_name = "DIR")]
    calibration: Option<PathBuf>,
    /// What the network was trained on in place of the bytes 0 to 255 of an image: 0..1, 0..255, -1..1, another range, or
    /// MEAN/STD with a number or one a channel (0.1307/0.3081); behind a comma inverted, transposed [default: the one in which
    /// it does best on the labelled calibration images]
    #[arg(long, value_name = "FORM", allow_hyphen_values = true)]
    input: Option<Form>,
    /// Training images to measure activations on; as many others compare the methods
    #[arg(long, value_name = "N", default_value_t = 1000)]
    calibration_images: usize,
    /// What to choose algorithms and memory for: speed transforms weights (Winograd) where that helps, which makes them
    /// larger; ram leaves out the memory that fast kernels work in. The answers are the same
    #[arg(long, value_enum, default_value_t = Goal::Flash)]
    optimize: Goal,
    /// The processor core that speed is for, as Cortex-M55; the model runs on every other one too
    #[arg(long, default_value_t)]
    core: Core,
    /// What leaves the network: logits (32 bits each, from a dense layer) or bytes, which take a quarter of the memory
    #[arg(long, value_enum, default_value_t = Results::Auto)]
    outputs: Results,
    /// Also write what quantization costs each layer: a table, the same as JSON, and a picture
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// The model's name, cut to 24 bytes [default: the ONNX file's, or its directory's if that is model.onnx]
    #[arg(long)]
    name: Option<String>,
    /// Where to write the model
    #[arg(long, value_name = "MODEL.tnet")]
    out: PathBuf,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Goal {
    /// Fastest on the core
    Speed,
    /// Smallest model file
    Flash,
    /// Smallest arena
    Ram,
}

#[derive(Clone, Copy, ValueEnum)]
enum Results {
    /// Logits where the last layer is dense without activation and has at most 256 outputs, bytes otherwise
    Auto,
    /// Logits where the last layer is dense without activation
    Logits,
    /// Bytes
    Bytes,
}

impl From<Results> for Outputs {
    fn from(results: Results) -> Self {
        match results {
            Results::Auto => Self::Auto,
            Results::Logits => Self::Logits,
            Results::Bytes => Self::Bytes,
        }
    }
}

impl From<Goal> for Optimize {
    fn from(goal: Goal) -> Self {
        match goal {
            Goal::Speed => Self::Speed,
            Goal::Flash => Self::Flash,
            Goal::Ram => Self::Ram,
        }
    }
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(
        arguments.out.extension().is_some_and(|extension| extension == "tnet"),
        "{}: the model's name must end in .tnet",
        arguments.out.display()
    );
    let onnx = read(&arguments.model)?;
    let load = |directory: &PathBuf| Dataset::load(directory, Split::Train);
    let training = arguments.calibration.as_ref().map(load).transpose()?;
    ensure!(
        training.is_some() || arguments.report.is_none(),
        "--report measures on training images: give them with --calibration"
    );
    let (name, name_note) = name(arguments);
    let options = Options {
        name,
        optimize: arguments.optimize.into(),
        core: arguments.core,
        calibration_images: arguments.calibration_images,
        outputs: arguments.outputs.into(),
        input: arguments.input.clone(),
        folder: arguments.model.parent().map(Path::to_path_buf),
    };
    let bar = progress_bar("calibrating", 0);
    let compiled = match &training {
        Some(training) => compile_with(&onnx, training, &options, &|progress| match progress {
            Progress::Total(images) => bar.set_length(images as u64),
            _ => bar.inc(1),
        }),
        None => compile_without_images(&onnx, &options),
    };
    bar.finish_and_clear();
    let mut compiled = compiled.with_context(|| arguments.model.display().to_string())?;
    compiled.report.notes.extend(name_note);
    let qdq = arguments.out.with_extension("qdq.onnx");
    write(&qdq, &compiled.qdq)?;
    write(&arguments.out, &compiled.tnet)?;
    print(&compiled, arguments, &qdq)?;
    match (&arguments.report, &training) {
        (Some(directory), Some(training)) => quantization(&compiled, training, directory, arguments.json),
        _ => Ok(()),
    }
}

/// Measures what quantization costs, and writes it.
fn quantization(compiled: &Compiled, training: &Dataset, directory: &Path, is_json: bool) -> anyhow::Result<()> {
    let bar = progress_bar("looking at layers", compiled.compared.len().min(REPORT_IMAGES));
    let measured = measure(compiled, training, REPORT_IMAGES, &|| bar.inc(1));
    bar.finish_and_clear();
    let measured = measured?;
    report::write_all(directory, Model::parse(&compiled.tnet)?.name(), &measured)?;
    if !is_json {
        println!("{}\nwrote {}", report::costliest(&measured), directory.join("quantization.{md,json,svg}").display());
    }
    Ok(())
}

/// The model's name, cut to what the format holds, and a note of that.
fn name(arguments: &Arguments) -> (String, Option<String>) {
    let whole = arguments.name.clone().unwrap_or_else(|| default_name(&arguments.model));
    // Nothing behind a zero would be read, and a name there must be.
    let whole = whole.split('\0').next().filter(|name| !name.is_empty()).unwrap_or("model");
    let name = whole[..whole.floor_char_boundary(NAME_LEN)].to_string();
    let note = (name.len() < whole.len()).then(|| {
        format!("the model is called {name:?}: a name has {NAME_LEN} bytes at most; --name gives another one")
    });
    (name, note)
}

/// The file's stem, or the directory's name where the stem says nothing.
fn default_name(path: &Path) -> String {
    let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = text(path.file_stem()).unwrap_or_default();
    let directory = || text(std::path::absolute(path).ok()?.parent()?.file_name());
    if stem == "model" { directory().unwrap_or(stem) } else { stem }
}

fn print(compiled: &Compiled, arguments: &Arguments, qdq: &Path) -> anyhow::Result<()> {
    let model = Model::parse(&compiled.tnet)?;
    let report = &compiled.report;
    if arguments.json {
        let mut object = inspect::to_json(&model);
        object["report"] = serde_json::to_value(report)?;
        object["out"] = json!(arguments.out);
        object["qdq"] = json!(qdq);
        println!("{object}");
        return Ok(());
    }
    println!("{}", inspect::table(&model));
    for note in &report.notes {
        println!("note: {note}");
    }
    match report.inputs_tried.as_slice() {
        [] => println!("input {}", report.input),
        tried => println!("input {}, the best of\n{}", report.input, search::table(tried.iter())),
    }
    if report.calibration_images == 0 {
        println!("all ranges are those of the file");
        println!("wrote {} and {}", arguments.out.display(), qdq.display());
        return Ok(());
    }
    println!(
        "calibrated on {} training images, compared on {} others:",
        report.calibration_images, report.comparison_images
    );
    let accuracy =
        |part: Option<f64>| part.map_or("accuracy unknown".into(), |part| format!("{:.2} % right", part * 100.0));
    println!("  {:24} {}", "floats", accuracy(report.float_accuracy));
    for candidate in &report.candidates {
        println!(
            "  {:24} {}, same class as the floats: {:.2} %, divergence {:.2e}{}",
            candidate.method,
            accuracy(candidate.accuracy),
            candidate.agreement * 100.0,
            candidate.divergence,
            if candidate.method == report.method { "  (kept)" } else { "" }
        );
    }
    println!("wrote {} and {}", arguments.out.display(), qdq.display());
    Ok(())
}
