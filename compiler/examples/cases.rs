//! Compiles every file of a list and compares its accuracy with what ONNX Runtime gives the file: `cargo xtask cases`.
//!
//! The list, `cases.jsonl` in the folder, has one JSON object a line: `file`, `input` (the form in which the network takes an
//! image: `01`, `255`, `pm1`, `norm`, `inv`; `u8` where the file takes bytes itself), `onnxruntime` (percent of the test images
//! that it gets right, null where it cannot run the file) and `should` (whether it is to be accepted).

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use dataset::{Dataset, Split};
use serde::Deserialize;
use thumbnet::Model;
use thumbnet_compiler::{CompileError, Form, Options, compile, evaluate};

/// Points that the integers may be off.
const TOLERANCE: f64 = 0.3;
/// Enough for ranges; the list is long.
const CALIBRATION_IMAGES: usize = 1000;

#[derive(Deserialize)]
struct Case {
    file: String,
    input: Option<String>,
    onnxruntime: Option<f64>,
    should: String,
}

/// How a file went.
enum Outcome {
    Accuracy(f64),
    Refused(CompileError),
    Failed(String),
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(data)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: cases FOLDER DATA [PART OF A FILE'S NAME]");
        return ExitCode::FAILURE;
    };
    match run(folder.as_ref(), data.as_ref(), arguments.next().as_deref().unwrap_or("")) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path, data: &Path, part: &str) -> Result<bool, Box<dyn std::error::Error>> {
    let list = fs::read_to_string(folder.join("cases.jsonl"))?;
    let cases: Vec<Case> = list.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let (training, test) = (Dataset::load(data, Split::Train)?, Dataset::load(data, Split::Test)?);
    let (mut right, mut count) = (0, 0);
    let start = Instant::now();
    for case in cases.iter().filter(|case| case.file.contains(part)) {
        let path = folder.join(&case.file);
        let outcome = catch_unwind(AssertUnwindSafe(|| measure(&path, case, &training, &test)));
        let outcome = outcome.unwrap_or_else(|_| Outcome::Failed("panicked".into()));
        let is_right = is_right(case, &outcome);
        let expected = case.onnxruntime.map_or("     -".into(), |percent| format!("{percent:6.2}"));
        let found = match &outcome {
            Outcome::Accuracy(percent) => format!("{percent:6.2}"),
            Outcome::Refused(error) => format!("{error}"),
            Outcome::Failed(what) => what.clone(),
        };
        println!("{} {expected} {:55} {found}", if is_right { "  " } else { "!!" }, case.file);
        count += 1;
        right += usize::from(is_right);
    }
    println!("{right} of {count} files as they should, in {:.0} s", start.elapsed().as_secs_f64());
    Ok(right == count)
}

/// Compiles the file and shows the model the test images.
fn measure(path: &Path, case: &Case, training: &Dataset, test: &Dataset) -> Outcome {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let input: Option<Form> = case.input.as_deref().map(|input| {
        let text = match input {
            "255" => "0..255",
            "pm1" => "-1..1",
            "norm" => "0.1307/0.3081",
            "inv" => "0..1,inverted",
            _ => "0..1",
        };
        text.parse().unwrap_or_default()
    });
    let folder = path.parent().map(PathBuf::from);
    let options = Options { input, folder, calibration_images: CALIBRATION_IMAGES, ..Options::named("case") };
    let compiled = match compile(&bytes, training, &options) {
        Ok(compiled) => compiled,
        Err(error) => return Outcome::Refused(error),
    };
    let evaluation = Model::parse(&compiled.tnet)
        .map_err(CompileError::from)
        .and_then(|model| evaluate::evaluate(&model, test, test.len(), &|| {}));
    match evaluation {
        Ok(evaluation) => Outcome::Accuracy(100.0 * evaluation.accuracy),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// Whether a file went as it should.
fn is_right(case: &Case, outcome: &Outcome) -> bool {
    let may_be_refused = case.should.contains("refused");
    match outcome {
        Outcome::Accuracy(percent) => {
            case.should.contains("accepted")
                && case.onnxruntime.is_none_or(|expected| (percent - expected).abs() <= TOLERANCE)
        }
        // Such errors say what and where, and what to do; others are faults of this program.
        Outcome::Refused(error) => {
            may_be_refused
                && matches!(
                    error,
                    CompileError::Unsupported { .. }
                        | CompileError::Onnx(_)
                        | CompileError::Graph(_)
                        | CompileError::Quantization { .. }
                )
        }
        Outcome::Failed(_) => false,
    }
}
