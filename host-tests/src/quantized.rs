//! Files that others quantized: each layer against ONNX Runtime or LiteRT, given the same bytes, and the whole network.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Serialize;
use thumbnet::format::{NO_MAP, Shape};
use thumbnet::{Model, Network};
use thumbnet_compiler::{CompileError, Options, compile_without_images};
use thumbnet_device::Board;

use crate::boards::Session;
use crate::reference;
use crate::rng::Rng;

/// Inputs that a board is asked about.
const ON_BOARDS: usize = 4;

/// How a file's network does against who made the file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Comparison {
    /// The file's name.
    pub file: String,
    /// Who else computed it.
    pub runtime: String,
    /// Layers of the compiled network, and how many of them could be compared alone.
    pub layers: usize,
    /// Those whose output the file has as a tensor.
    pub compared: usize,
    /// Values of all layers whose bytes differ by 0, 1, ... steps, where each layer was given the same bytes.
    pub steps: Vec<usize>,
    /// The same for the result of the whole network.
    pub result_steps: Vec<usize>,
    /// Inputs, and how many of them have the same class.
    pub inputs: usize,
    /// As above.
    pub same_class: usize,
    /// Boards that gave the same integers, bit for bit.
    pub boards: Vec<String>,
    /// Bytes of memory of an inference.
    pub arena: usize,
    /// Bytes of the model file.
    pub flash: usize,
}

/// The tensors of a file as its own runtime computes them: name, dimensions, and the bytes for each input one after the other;
/// signed ones plus 128.
type Tensors = HashMap<String, (Vec<usize>, Vec<u8>)>;

/// Compares one file, which `script` runs with its own runtime; `None` where it is not quantized throughout.
pub fn compare(file: &Path, inputs: usize, boards: &[&'static Board], script: &Path) -> Result<Option<Comparison>> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let options = Options { input: None, ..Options::named("quantized") };
    let compiled = match compile_without_images(&bytes, &options) {
        // Floats.
        Err(CompileError::Calibration(_)) => return Ok(None),
        compiled => compiled.with_context(|| name.clone())?,
    };
    let model = Model::parse(&compiled.tnet)?;
    let directory = tempfile::tempdir()?;
    let images = random(inputs, model.input().len());
    let given = directory.path().join("inputs");
    fs::write(&given, images.concat())?;
    let is_tflite = file.extension().is_some_and(|extension| extension == "tflite");
    let own = compiled.quantized.input_quantization;
    let numbers = [own.scale.to_string(), own.zero_point.to_string(), inputs.to_string()];
    let made = directory.path().join("tensors");
    let status = Command::new("python3").arg(script).arg(file).arg(&given).arg(&made).args(&numbers).status();
    ensure!(status.context("starting python3")?.success(), "{name}: its runtime failed");
    let tensors = read(&made)?;
    let mut comparison = Comparison {
        file: name.clone(),
        runtime: if is_tflite { "LiteRT" } else { "ONNX Runtime" }.into(),
        layers: compiled.network.layers.len(),
        inputs,
        arena: model.arena_len(),
        flash: compiled.tnet.len(),
        ..Default::default()
    };

    // The maps as the file's runtime has them.
    let of_file = |map: usize, index: usize| -> Option<(Shape, Vec<u8>)> {
        let Some(layer) = map.checked_sub(1) else { return Some((model.input(), images[index].clone())) };
        let layer = &compiled.network.layers[layer];
        let shape = layer.record.output;
        let (dims, bytes) = tensors.get(layer.given_tensor.as_ref()?)?;
        let values = bytes.chunks_exact(shape.len()).nth(index).filter(|_| bytes.len() == inputs * shape.len())?;
        Some((shape, if is_tflite { values.to_vec() } else { channel_fastest(values, dims, shape) }))
    };
    for (layer, record) in model.layers().enumerate() {
        let reads: Vec<usize> =
            record.inputs.iter().filter(|&&map| map != NO_MAP).map(|&map| usize::from(map)).collect();
        let mut is_compared = false;
        for index in 0..inputs {
            let entering: Option<Vec<_>> = reads.iter().map(|&map| of_file(map, index)).collect();
            let (Some(entering), Some((_, expected))) = (entering, of_file(layer + 1, index)) else { break };
            let maps: Vec<(Shape, &[u8])> = entering.iter().map(|(shape, bytes)| (*shape, &bytes[..])).collect();
            let found = reference::layer(&model, &record, &maps);
            count(&mut comparison.steps, found.iter().zip(&expected).map(|(&a, &b)| a.abs_diff(b.into()) as usize));
            is_compared = true;
        }
        comparison.compared += usize::from(is_compared);
    }

    let last = model.layers().count();
    let mut results = Vec::new();
    for (index, image) in images.iter().enumerate() {
        let mut arena = vec![0; model.arena_len()];
        let mut network = Network::new(&model, &mut arena).map_err(|error| anyhow!("{error}"))?;
        let result: Vec<i32> = network.classify(image).map_err(|error| anyhow!("{error}"))?.logits().iter().collect();
        ensure!(result == reference::logits(&model, image), "{name}: core and reference differ");
        if let Some((_, expected)) = of_file(last, index) {
            // Bytes less their zero point.
            let zero = model.layers().last().map_or(0, |layer| i32::from(layer.output_zero_point));
            let expected: Vec<i32> = expected.iter().map(|&byte| i32::from(byte) - zero).collect();
            let differences = result.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b) as usize);
            count(&mut comparison.result_steps, differences);
            comparison.same_class += usize::from(class(&result) == class(&expected));
        }
        results.push(result);
    }
    let path = directory.path().join("model.tnet");
    fs::write(&path, &compiled.tnet)?;
    for board in boards {
        let mut session = Session::boot(board, &path)?;
        for (image, result) in images.iter().zip(&results).take(ON_BOARDS) {
            ensure!(session.logits(image)? == *result, "{name}: {} differs from the host", board.name);
        }
        comparison.boards.push(board.name.clone());
    }
    Ok(Some(comparison))
}

/// Bytes of all sizes, then bytes around the middle, as of what was measured.
fn random(count: usize, len: usize) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(1);
    (0..count)
        .map(|index| {
            let calm = index % 2 == 1;
            (0..len)
                .map(|_| {
                    let mut byte = || rng.within(0..=255);
                    if calm { ((byte() + byte() + byte() + byte()) / 4) as u8 } else { byte() as u8 }
                })
                .collect()
        })
        .collect()
}

fn count(steps: &mut Vec<usize>, differences: impl Iterator<Item = usize>) {
    for difference in differences {
        if steps.len() <= difference {
            steps.resize(difference + 1, 0);
        }
        steps[difference] += 1;
    }
}

/// The first largest value.
fn class(values: &[i32]) -> usize {
    (0..values.len()).reduce(|best, index| if values[index] > values[best] { index } else { best }).unwrap_or(0)
}

/// ONNX has the channel slowest.
fn channel_fastest(values: &[u8], dims: &[usize], shape: Shape) -> Vec<u8> {
    let channels = usize::from(shape.channels);
    if dims.len() < 3 || dims.get(1) != Some(&channels) {
        return values.to_vec();
    }
    let area = values.len() / channels;
    (0..area).flat_map(|pixel| (0..channels).map(move |channel| values[channel * area + pixel])).collect()
}

/// What the script wrote: for each tensor a line of its name, its dimensions and its number of bytes; then the bytes.
fn read(path: &PathBuf) -> Result<Tensors> {
    let file = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let mut rest = &file[..];
    let mut tensors = Tensors::new();
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let line = std::str::from_utf8(&rest[..end])?;
        let mut parts = line.split('\t');
        let (Some(name), Some(dims), Some(len)) = (parts.next(), parts.next(), parts.next()) else {
            bail!("an unknown line: {line}")
        };
        let len: usize = len.parse()?;
        let dims = dims.split_whitespace().map(|size| Ok(size.parse()?)).collect::<Result<_>>()?;
        let bytes = rest.get(end + 1..end + 1 + len).context("the tensors end early")?;
        tensors.insert(name.into(), (dims, bytes.to_vec()));
        rest = &rest[end + 1 + len..];
    }
    Ok(tensors)
}
