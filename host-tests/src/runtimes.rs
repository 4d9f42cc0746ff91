//! Other people's engines for ONNX networks: tract and ONNX Runtime.
//!
//! Both get pixels as `byte / 255` and return float logits. One input channel, so that a network
//! may want `[N, 1, height, width]` or `[N, height, width, 1]`: the bytes are the same.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs};

use anyhow::{Context, Result, anyhow, ensure};
use dataset::Dataset;
use ort::environment::Environment;
use ort::session::Session;
use ort::value::Tensor as OrtTensor;
use tract_onnx::Onnx;
use tract_onnx::prelude::{Datum, Framework, InferenceFact, InferenceModelExt, IntoRunnable, IntoTValue, Tensor, tvec};
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::DimLike;

use crate::shipped::{in_parallel, root};

/// Images that a runtime gets at a time.
const BATCH: usize = 50;

/// The logits that tract computes for the network in `onnx`, in the order of the images.
pub fn tract(onnx: &Path, images: &Dataset) -> Result<Vec<Vec<f32>>> {
    let mut model = tract_importer().model_for_path(onnx).with_context(|| format!("reading {}", onnx.display()))?;
    let shape = input_shape(onnx, images)?;
    model = model.with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), &shape))?;
    let plan = model.into_optimized()?.into_runnable()?;
    let parts = in_parallel(images.len().div_ceil(BATCH), |batches| {
        let run = |index: usize| {
            let input = Tensor::from_shape(&shape, &pixels(images, index))?;
            let outputs = plan.run(tvec![input.into_tvalue()])?;
            let logits: Vec<f32> = outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect();
            Ok(logits)
        };
        batches.map(run).collect()
    });
    in_order(parts, images.len())
}

/// The logits that ONNX Runtime computes for the network in `onnx`, in the order of the images.
pub fn onnx_runtime(onnx: &Path, images: &Dataset) -> Result<Vec<Vec<f32>>> {
    let environment = ONNX_RUNTIME.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    let shape = input_shape(onnx, images)?;
    let mut session = Session::builder(environment)?
        // Without it, processors without VNNI add products in 16 bits, which saturate.
        .with_config_entry("session.x64quantprecision", "1")
        .map_err(|error| anyhow!("{error}"))?
        .commit_from_file(onnx)
        .with_context(|| format!("reading {}", onnx.display()))?;
    let mut run = |index: usize| {
        let input = OrtTensor::from_array((shape.clone(), pixels(images, index)))?;
        let outputs = session.run(ort::inputs![input])?;
        Ok(outputs[0].try_extract_tensor::<f32>()?.1.to_vec())
    };
    let parts = (0..images.len().div_ceil(BATCH)).map(&mut run).collect();
    in_order(parts, images.len())
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

/// Pixels of one batch as floats; black where the images end.
fn pixels(images: &Dataset, batch: usize) -> Vec<f32> {
    let mut pixels = Vec::with_capacity(BATCH * images.height() * images.width());
    for index in batch * BATCH..images.len().min((batch + 1) * BATCH) {
        pixels.extend(images.image(index).iter().map(|&pixel| f32::from(pixel) / 255.0));
    }
    pixels.resize(BATCH * images.height() * images.width(), 0.0);
    pixels
}

/// The shape that the network's input declares, the first dimension replaced by [`BATCH`].
fn input_shape(onnx: &Path, images: &Dataset) -> Result<Vec<usize>> {
    let model = tract_importer().model_for_path(onnx).with_context(|| format!("reading {}", onnx.display()))?;
    let mut shape = vec![BATCH];
    for dimension in model.input_fact(0)?.shape.dims().skip(1) {
        let dimension = dimension.concretize().and_then(|dimension| dimension.to_usize().ok());
        shape.push(dimension.with_context(|| format!("{}: the input's shape is not fixed", onnx.display()))?);
    }
    let size = images.height() * images.width();
    ensure!(shape[1..].iter().product::<usize>() == size, "{}: the input is {shape:?}", onnx.display());
    Ok(shape)
}

/// Exporters write shapes for a batch of their own; they do not matter.
fn tract_importer() -> Onnx {
    tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true)
}

/// Joins batches of logits and drops those of the images that filled up the last one.
fn in_order(parts: Vec<Result<Vec<f32>>>, images: usize) -> Result<Vec<Vec<f32>>> {
    let mut logits = Vec::with_capacity(images);
    for part in parts {
        let part = part?;
        ensure!(part.len().is_multiple_of(BATCH), "{} logits for {BATCH} images", part.len());
        logits.extend(part.chunks_exact(part.len() / BATCH).map(<[f32]>::to_vec));
    }
    logits.truncate(images);
    Ok(logits)
}
