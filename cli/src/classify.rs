//! `thumbnet classify`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::json;
use thumbnet::format::Shape;
use thumbnet::{Network, softmax};
use thumbnet_compiler::picture;

use super::{parse, read};

/// Widest bar, in characters.
const BAR: f32 = 40.0;

/// Say which digit a picture shows
#[derive(Args)]
pub struct Arguments {
    /// The model
    #[arg(value_name = "MODEL.tnet")]
    model: PathBuf,
    /// A picture of one digit, PNG or PGM of any size, brought into MNIST's form first; or a .raw file with exactly the
    /// model's height * width bytes, taken as they are
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Print one JSON object instead of bars
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let bytes = read(&arguments.model)?;
    let model = parse(&arguments.model, &bytes)?;
    let pixels = pixels(&arguments.image, model.input())?;
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena)?;
    let prediction = network.classify(&pixels)?;
    let logits: Vec<i32> = prediction.logits().iter().collect();
    let mut probabilities = vec![0.0; model.outputs()];
    softmax(prediction.logits(), model.output_scale(), &mut probabilities);
    let class = prediction.class();
    if arguments.json {
        println!("{}", json!({"class": class, "logits": logits, "probabilities": probabilities}));
        return Ok(());
    }
    println!("{class}\n");
    for (index, probability) in probabilities.iter().enumerate() {
        let bar = "█".repeat((probability * BAR).round() as usize);
        println!("{index:>3} {:5.1} % {bar}", probability * 100.0);
    }
    Ok(())
}

/// The pixels of a picture as a model with this input takes them.
pub fn pixels(path: &Path, input: Shape) -> anyhow::Result<Vec<u8>> {
    let bytes = read(path)?;
    let is_raw = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("raw"));
    let pixels = if is_raw { picture::raw_pixels(&bytes, input) } else { picture::pixels(&bytes, input) };
    pixels.with_context(|| path.display().to_string())
}
