//! The trained network as an ONNX file, checked against tract before it is kept.
//!
//! Input `image`: f32 `[batch, channels, height, width]`, 0 the background, 1 ink. Output `logits`: f32 `[batch, classes]`, before
//! the softmax.
//! Batch normalization stays a node of its own.

use std::path::Path;

use burn::tensor::{Device, ExecutionError, Tensor};
use burn_onnx::export::{ExportError, OnnxExporter};
use dataset::Dataset;
use networks::Shape;
use tract_onnx::prelude::*;

use crate::data;
use crate::files;
use crate::network::Network;
use crate::onnx_tidy;

/// No logit may differ by more between Burn and tract.
pub const TOLERANCE: f64 = 1e-4;

/// A network that cannot be exported faithfully.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// Burn's exporter.
    #[error("exporting to ONNX: {0}")]
    Export(#[from] ExportError),
    /// Not the nodes that we expect from the exporter.
    #[error("exporting to ONNX: {0}")]
    Tidy(#[from] onnx_tidy::TidyError),
    /// tract cannot read or run the file.
    #[error("running the exported ONNX file with tract: {0}")]
    Tract(String),
    /// Burn cannot run the network.
    #[error("running the network to check its ONNX file: {0:?}")]
    Burn(ExecutionError),
    /// The two disagree.
    #[error("the exported ONNX file gives logits up to {difference:.2e} away from Burn's, allowed are {TOLERANCE:.0e}")]
    Differs {
        /// The largest difference.
        difference: f64,
    },
    /// Not a whole batch to compare.
    #[error("no image to compare the exported ONNX file on")]
    NoImages,
}

/// The ONNX file of `network`, which must lie on a device without autodiff.
pub fn to_onnx(network: &Network, device: &Device) -> Result<Vec<u8>, OnnxError> {
    // For one image; tidying frees the batch size. The exporter's own way to do so needs a Shape, Gather, Concat chain.
    let Shape { height, width, channels } = network.input();
    let sample = Tensor::<4>::zeros([1, channels, height, width], device);
    let model = OnnxExporter::new().export(&network.separate(), sample, Network::forward)?;
    Ok(onnx_tidy::tidy(model.as_bytes())?)
}

/// Runs an ONNX file with tract over the images `0..count` of `set`: the logits of one image after the other.
pub fn run_with_tract(onnx: &[u8], set: &Dataset, count: usize) -> TractResult<Vec<f32>> {
    let count = count.min(set.len());
    let fact = f32::fact([count, 1, set.height(), set.width()]);
    let model = tract_onnx::onnx().model_for_read(&mut &onnx[..])?.with_input_fact(0, fact.into())?;
    let runnable = model.into_optimized()?.into_runnable()?;
    let pixels: Vec<f32> = (0..count).flat_map(|i| set.image(i)).map(|&pixel| f32::from(pixel) / 255.0).collect();
    let images = tract_ndarray::Array4::from_shape_vec((count, 1, set.height(), set.width()), pixels)?;
    let outputs = runnable.run(tvec!(images.into_tensor().into()))?;
    Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
}

/// Runs `network` and `onnx` over the first `count` images of `set`; returns the largest difference of a logit,
/// or an error where it is above [`TOLERANCE`].
pub fn check(onnx: &[u8], network: &Network, set: &Dataset, count: usize, device: &Device) -> Result<f64, OnnxError> {
    let count = count.min(set.len());
    let logits = network.forward(data::batch(set, 0..count, device).images);
    let burn = logits.try_into_data().map_err(OnnxError::Burn)?;
    let tract = run_with_tract(onnx, set, count).map_err(|error| OnnxError::Tract(format!("{error:#}")))?;
    if count == 0 || tract.len() != count * network.classes() {
        return Err(OnnxError::NoImages);
    }
    let differences = burn.iter::<f64>().zip(tract).map(|(burn, tract)| (burn - f64::from(tract)).abs());
    // A NaN on either side must not pass: `max` would drop it.
    let difference = differences.fold(0.0, |max: f64, d| if d > max || d.is_nan() { d } else { max });
    if difference <= TOLERANCE { Ok(difference) } else { Err(OnnxError::Differs { difference }) }
}

/// Exports `network`, compares the file with it on `count` images of `set` and writes it to `path`.
/// Returns the largest difference of a logit.
pub fn export(
    network: &Network,
    set: &Dataset,
    count: usize,
    device: &Device,
    path: &Path,
) -> Result<f64, anyhow::Error> {
    let onnx = to_onnx(network, device)?;
    let difference = check(&onnx, network, set, count, device)?;
    files::replace(path, &onnx)?;
    Ok(difference)
}
