//! `thumbnet compare`.

mod difference;
mod side;

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use dataset::{Dataset, Split};
use serde_json::json;
use thumbnet_compiler::Form;
use thumbnet_compiler::evaluate::expect_size;

use super::progress_bar;
use difference::{Difference, Fit, Measure};
use side::Side;

/// Say where two networks first differ: in which layer, on which image, at which value
///
/// Two that compute with integers (a model, a board) must be bit for bit the same. Floats and integers differ by rounding: a layer
/// differs where its signal to noise ratio on an image is below --snr. Layers are compared one by one where both sides have the
/// same ones, the results alone otherwise.
#[derive(Args)]
pub struct Arguments {
    /// A model (.tnet), an ONNX file, or a board: HOST:PORT or its serial port
    a: String,
    /// What to compare it with
    b: String,
    /// Directory with the test images (IDX files)
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Use the first N images only
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// What an ONNX network was trained on, as for `thumbnet compile` [default: the form in which it does best]
    #[arg(long, value_name = "FORM", allow_hyphen_values = true)]
    input: Option<Form>,
    /// The least signal to noise ratio of a layer on an image [default: none for two of integers, 60 for two of floats, 10
    /// otherwise]
    #[arg(long, value_name = "DB")]
    snr: Option<f64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let images = Dataset::load(&arguments.data, Split::Test)?;
    let open = |name: &str| Side::open(name, arguments.input.as_ref(), &images, &arguments.data);
    let mut sides = [open(&arguments.a)?, open(&arguments.b)?];
    for side in &sides {
        expect_size(side.input(), &images)?;
    }
    let count = arguments.limit.min(images.len());
    ensure!(count > 0, "there are no images to compare on");
    let [a, b] = &sides;
    let measure = match arguments.snr {
        Some(least) => Measure::Ratio(least),
        None if a.is_integer() && b.is_integer() => Measure::Exact,
        None if !a.is_integer() && !b.is_integer() => Measure::Ratio(60.0),
        None => Measure::Ratio(10.0),
    };
    let shared = side::shared(a, b);
    let bar = progress_bar("comparing", if measure.is_fitted() { 2 * count } else { count });
    let mut outputs = |index: usize| -> anyhow::Result<[Vec<side::Output>; 2]> {
        bar.inc(1);
        let [a, b] = &mut sides;
        let all = [a.outputs(images.image(index))?, b.outputs(images.image(index))?];
        Ok(all.map(|mut outputs| if shared.is_some() { outputs } else { outputs.split_off(outputs.len() - 1) }))
    };
    let mut fits = Vec::new();
    if measure.is_fitted() {
        for index in 0..count {
            Fit::add(&mut fits, &outputs(index)?);
        }
    }
    let mut differences: Vec<Difference> = Vec::new();
    for index in 0..count {
        let [a, b] = outputs(index)?;
        differences.resize_with(a.len(), Difference::default);
        for (layer, (a, b)) in a.iter().zip(&b).enumerate() {
            let is_result = layer + 1 == differences.len();
            differences[layer].add(index, [a, b], fits.get(layer), measure, is_result);
        }
    }
    bar.finish_and_clear();
    let names = shared.unwrap_or_else(|| vec!["the result".into()]);
    print(arguments, &names, &differences, measure, count)
}

/// Prints the layers and says which one is the first; a difference is an error.
fn print(
    arguments: &Arguments,
    names: &[String],
    differences: &[Difference],
    measure: Measure,
    count: usize,
) -> anyhow::Result<()> {
    let first = differences.iter().position(|difference| difference.first.is_some());
    if arguments.json {
        let layers: Vec<_> = names.iter().zip(differences).map(|(name, layer)| layer.json(name)).collect();
        let result = differences.last();
        let object = json!({
            "a": arguments.a,
            "b": arguments.b,
            "images": count,
            "measure": measure.describe(),
            "first": first.map(|layer| differences[layer].json(&names[layer])),
            "other_classes": result.map(|result| result.other_classes),
            "layers": layers,
        });
        println!("{object}");
    } else {
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY);
        table.set_header(["layer", "images that differ", "first image", "largest difference", "least ratio"]);
        for (name, layer) in names.iter().zip(differences) {
            table.add_row([
                name.clone(),
                format!("{} of {count}", layer.images),
                layer.first.as_ref().map_or("-".into(), |first| first.image.to_string()),
                layer.largest(),
                layer.ratio(),
            ]);
        }
        println!("{table}\ncompared: {}", measure.describe());
        if let Some(result) = differences.last() {
            println!("{} of {count} images are of another class", result.other_classes);
        }
    }
    if let Some((layer, at)) = first.and_then(|layer| Some((layer, differences[layer].first.as_ref()?))) {
        bail!("{} differs first, on image {}: {}", names[layer], at.image, at.describe());
    }
    Ok(())
}
