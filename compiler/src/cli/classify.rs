//! `thumbnet classify`.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use inference_core::format::Shape;
use inference_core::{Network, preprocess, softmax};
use serde_json::json;

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
    let mut probabilities = vec![0.0; model.classes()];
    softmax(prediction.logits(), model.logit_scale(), &mut probabilities);
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
    let Shape { height, width, channels } = input;
    if channels != 1 {
        bail!("the model takes {channels} channels: only gray pictures can be classified");
    }
    let bytes = read(path)?;
    let (height, width) = (usize::from(height), usize::from(width));
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("raw")) {
        if bytes.len() != height * width {
            let (expected, found) = (height * width, bytes.len());
            bail!("{}: has {found} bytes, the model takes {height} x {width} = {expected}", path.display());
        }
        return Ok(bytes);
    }
    if (height, width) != (preprocess::SIDE, preprocess::SIDE) {
        bail!("the model takes {height} x {width} pixels: give them as a .raw file");
    }
    let picture = decode(&bytes).with_context(|| path.display().to_string())?;
    let mut pixels = [0; preprocess::SIDE * preprocess::SIDE];
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    preprocess::digit(picture.as_raw(), width, height, &mut pixels).with_context(|| path.display().to_string())?;
    Ok(pixels.into())
}

/// A PNG or PNM picture in gray, what is transparent on white.
fn decode(bytes: &[u8]) -> anyhow::Result<image::GrayImage> {
    let picture = image::load_from_memory(bytes)
        .map_err(|error| anyhow!("not a PNG or PGM picture that can be read: {error}"))?;
    if !picture.color().has_alpha() {
        return Ok(picture.into_luma8());
    }
    let mut gray = image::GrayImage::new(picture.width(), picture.height());
    for (gray, pixel) in gray.pixels_mut().zip(picture.into_luma_alpha8().pixels()) {
        let [luma, alpha] = pixel.0.map(u32::from);
        gray.0 = [((luma * alpha + 255 * (255 - alpha)) / 255) as u8];
    }
    Ok(gray)
}
