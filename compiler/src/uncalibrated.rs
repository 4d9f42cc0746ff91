//! Compiles a quantized file, which says of itself what calibration would measure.

use crate::calibrate::{LayerRange, Range};
use crate::pack::Packer;
use crate::quantize::{Scales, quantize};
use crate::{CompileError, Compiled, Form, Options, Report, given, onnx, order, overflow, qdq};

/// Compiles a network that its file quantizes, without any image. An error names the layers of which the file does not say
/// what calibration images would tell.
///
/// Without [`Options::input`], what enters are the integers that the file quantizes its input to.
pub fn compile_without_images(bytes: &[u8], options: &Options) -> Result<Compiled, CompileError> {
    let file = onnx::load(bytes, options.folder.as_deref())?;
    let entry = match &options.input {
        Some(form) => form.entry(),
        None => onnx::quantized::entry(&file.graph).unwrap_or_default(),
    };
    let entry = onnx::Entry { folder: options.folder.clone(), ..entry };
    let mut network = onnx::import_file(&file, &entry)?.network;
    order::short_branches_first(&mut network);
    given::expect_complete(&network, options.outputs)?;
    // Nothing reads them.
    let nothing = Range { low: 0.0, high: 0.0 };
    let ranges = vec![LayerRange { output: nothing, sums: nothing }; network.layers.len()];
    let quantized = quantize(&network, &ranges, options.outputs, Scales::PerChannel)?;
    overflow::prove(&quantized)?;
    let tnet = Packer::default().pack(&quantized, &options.name, options.optimize, options.core)?;
    let mut notes = network.notes.clone();
    notes.extend(given::notes(&network));
    let report = Report {
        input: Form::of(&network.entry).to_string(),
        inputs_tried: Vec::new(),
        float_accuracy: None,
        method: given::METHOD,
        candidates: Vec::new(),
        calibration_images: 0,
        comparison_images: 0,
        optimize: options.optimize,
        core: options.core,
        notes,
    };
    let properties = [("method", given::METHOD), ("optimize", options.optimize.name())];
    let qdq = qdq::write(&quantized, &options.name, &properties);
    Ok(Compiled { network, quantized, tnet, qdq, compared: Vec::new(), report })
}
