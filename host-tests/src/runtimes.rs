//! Other people's engines for ONNX networks: tract and ONNX Runtime.
//!
//! Both get pixels as `byte / 255` and return every output of the network. Images have their channels side by side, a network
//! wants `[N, channels, height, width]`, or fewer dimensions for a vector or a series.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::{env, fs};

use anyhow::{Context, Result, anyhow, ensure};
use dataset::Dataset;
use ort::environment::Environment;
use ort::session::Session;
use ort::value::{DynValue, Tensor as OrtTensor};
use tract_onnx::Onnx;
use tract_onnx::prelude::{
    Datum, Framework, InferenceFact, InferenceModel, InferenceModelExt, IntoRunnable, IntoTValue, TValue, Tensor, tvec,
};
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::DimLike;

use crate::shipped::{in_parallel, root};

/// Most images that a runtime gets at a time.
const BATCH: usize = 50;

/// What a network makes of an image: one vector an output of the ONNX file, in its order; bytes as floats.
pub type Outputs = Vec<Vec<f32>>;
/// Runs the bytes of an ONNX file; the outputs are in the order of the images.
pub type Runtime = fn(&[u8], &Dataset) -> Result<Vec<Outputs>>;

/// The runtimes and their names.
pub const ALL: [(&str, Runtime); 2] = [("tract", tract), ("ONNX Runtime", onnx_runtime)];

/// What tract computes.
pub fn tract(onnx: &[u8], images: &Dataset) -> Result<Vec<Outputs>> {
    let model = importer(onnx)?;
    let shape = input_shape(&model, images)?;
    let plan = model
        .with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), &shape))?
        .into_optimized()?
        .into_runnable()?;
    let parts = in_parallel(images.len().div_ceil(shape[0]), |batches| {
        let run = |index: usize| {
            let input = Tensor::from_shape(&shape, &pixels(images, &shape, index))?;
            let outputs = plan.run(tvec![input.into_tvalue()])?;
            let floats =
                |output: &TValue| Ok(output.cast_to::<f32>()?.to_plain_array_view::<f32>()?.iter().copied().collect());
            by_image(outputs.iter().map(floats).collect::<Result<_>>()?, shape[0])
        };
        batches.map(run).collect()
    });
    in_order(parts, images.len())
}

/// What ONNX Runtime computes.
pub fn onnx_runtime(onnx: &[u8], images: &Dataset) -> Result<Vec<Outputs>> {
    let environment = ONNX_RUNTIME.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    let shape = input_shape(&importer(onnx)?, images)?;
    let mut session = Session::builder(environment)?
        // Without it, processors without VNNI add products in 16 bits, which saturate.
        .with_config_entry("session.x64quantprecision", "1")
        .map_err(|error| anyhow!("{error}"))?
        .with_config_entry("session.disable_quant_qdq", if has_amx() { "1" } else { "0" })
        .map_err(|error| anyhow!("{error}"))?
        .commit_from_memory(onnx)?;
    let mut run = |index: usize| {
        let input = OrtTensor::from_array((shape.clone(), pixels(images, &shape, index)))?;
        let outputs = session.run(ort::inputs![input])?;
        by_image(outputs.values().map(|output| floats(&output)).collect::<Result<_>>()?, shape[0])
    };
    let parts = (0..images.len().div_ceil(shape[0])).map(&mut run).collect();
    in_order(parts, images.len())
}

/// Whether the processor multiplies bytes in tiles (AMX). There the 8-bit convolutions of 1.23.2 read memory that they have not
/// written, and give other sums from run to run: the same file in floats is as good a second opinion.
fn has_amx() -> bool {
    fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("amx_int8"))
}

static ONNX_RUNTIME: LazyLock<Result<Environment>> = LazyLock::new(|| {
    let library = library()?;
    let builder = ort::init_from(&library).with_context(|| format!("loading {}", library.display()))?;
    Ok(builder.build()?)
});

/// ONNX Runtime's library: `ORT_DYLIB_PATH`, or where `cargo xtask setup` puts it.
fn library() -> Result<PathBuf> {
    if let Some(path) = env::var_os("ORT_DYLIB_PATH") {
        return Ok(path.into());
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir));
    let directory = target.join("onnxruntime");
    let files = fs::read_dir(&directory).into_iter().flatten().flatten();
    let mut names = files.filter(|file| file.file_name().to_string_lossy().contains("onnxruntime."));
    let found = names.find(|file| !file.file_name().to_string_lossy().ends_with(".whl"));
    found.map(|file| file.path()).with_context(|| {
        format!(
            "ONNX Runtime's library is neither in ORT_DYLIB_PATH nor in {}: run `cargo xtask setup`",
            directory.display()
        )
    })
}

/// A tensor of floats or of bytes.
fn floats(tensor: &DynValue) -> Result<Vec<f32>> {
    if let Ok((_, bytes)) = tensor.try_extract_tensor::<u8>() {
        return Ok(bytes.iter().map(|&byte| f32::from(byte)).collect());
    }
    Ok(tensor.try_extract_tensor::<f32>()?.1.to_vec())
}

/// Pixels of one batch as floats, the channel slowest; black where the images end.
fn pixels(images: &Dataset, shape: &[usize], index: usize) -> Vec<f32> {
    let (batch, channels) = (shape[0], shape.get(1).copied().unwrap_or(1));
    let len = shape.iter().product();
    let mut pixels = Vec::with_capacity(len);
    for index in index * batch..images.len().min((index + 1) * batch) {
        let image = images.image(index);
        let of_channel = |channel: usize| image.iter().skip(channel).step_by(channels);
        pixels.extend((0..channels).flat_map(of_channel).map(|&pixel| f32::from(pixel) / 255.0));
    }
    pixels.resize(len, 0.0);
    pixels
}

/// The shape that the network's input declares, the first dimension replaced by the size of a batch.
fn input_shape(model: &InferenceModel, images: &Dataset) -> Result<Vec<usize>> {
    let mut shape = vec![images.len().clamp(1, BATCH)];
    for dimension in model.input_fact(0)?.shape.dims().skip(1) {
        let dimension = dimension.concretize().and_then(|dimension| dimension.to_usize().ok());
        shape.push(dimension.context("the input's shape is not fixed")?);
    }
    let size = images.height() * images.width();
    ensure!(shape[1..].iter().product::<usize>() == size, "the input is {shape:?}, an image has {size} pixels");
    Ok(shape)
}

fn importer(mut onnx: &[u8]) -> Result<InferenceModel> {
    // Exporters write shapes for a batch of their own; they do not matter.
    let importer: Onnx = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
    importer.model_for_read(&mut onnx)
}

/// The outputs of a batch as those of its images.
fn by_image(outputs: Outputs, batch: usize) -> Result<Vec<Outputs>> {
    ensure!(outputs.iter().all(|output| output.len().is_multiple_of(batch)), "outputs of {batch} images");
    let of = |image: usize| outputs.iter().map(|output| part(output, batch, image)).collect();
    Ok((0..batch).map(of).collect())
}

fn part(output: &[f32], batch: usize, image: usize) -> Vec<f32> {
    let len = output.len() / batch;
    output[image * len..(image + 1) * len].to_vec()
}

/// Joins batches and drops the images that filled up the last one.
fn in_order(parts: Vec<Result<Vec<Outputs>>>, images: usize) -> Result<Vec<Outputs>> {
    let mut outputs = parts.into_iter().collect::<Result<Vec<_>>>()?.concat();
    outputs.truncate(images);
    Ok(outputs)
}
