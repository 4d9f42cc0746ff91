//! Writes the model file, as `inference_core::format` describes it.

use inference_core::format::{
    self, ALIGNMENT, Activation, Algorithm, HEADER_LEN, Header, LAYER_LEN, Layer, NAME_LEN, Op, VERSION,
};
use inference_core::{Model, winograd};

use crate::quantize::{QuantizedLayer, QuantizedNetwork, sigmoid_table};
use crate::{CompileError, Core, Optimize};
use crate::{algorithm, plan};

/// The bytes of the `.tnet` file, checked by the core that will run it.
pub fn pack(network: &QuantizedNetwork, name: &str, optimize: Optimize, core: Core) -> Result<Vec<u8>, CompileError> {
    let mut layers: Vec<Layer> = network.layers.iter().map(QuantizedLayer::record).collect();
    algorithm::choose(network, &mut layers, optimize, core);
    let arena_len = plan::plan(&mut layers, optimize);
    let mut file = vec![0; HEADER_LEN + layers.len() * LAYER_LEN];
    let mut table_offset = None;
    for (record, layer) in layers.iter_mut().zip(&network.layers) {
        let weights = weights(layer, record);
        record.weights_len = offset(weights.len())?;
        if !weights.is_empty() {
            record.weights_offset = section(&mut file, weights)?;
        }
        record.bias_offset = section(&mut file, words(&layer.folded_bias))?;
        if layer.stage != Activation::Logits {
            record.multiplier_offset = section(&mut file, words(&layer.multipliers))?;
            record.shift_offset = section(&mut file, layer.shifts.iter().copied())?;
        }
        if layer.stage == Activation::Table {
            // All sigmoids share one table.
            record.table_offset = match table_offset {
                Some(offset) => offset,
                None => section(&mut file, sigmoid_table())?,
            };
            table_offset = Some(record.table_offset);
        }
    }
    let mut header = Header {
        version: VERSION,
        layer_count: layers.len() as u16,
        file_len: offset(file.len())?,
        crc: 0,
        arena_len,
        input: network.input,
        classes: network.layers.last().map_or(0, |layer| layer.output.channels),
        logit_scale: network.logit_scale(),
        name: name_field(name)?,
    };
    for (slot, record) in file[HEADER_LEN..].chunks_exact_mut(LAYER_LEN).zip(&layers) {
        slot.copy_from_slice(&record.encode());
    }
    file[..HEADER_LEN].copy_from_slice(&header.encode());
    header.crc = format::checksum(&file);
    file[..HEADER_LEN].copy_from_slice(&header.encode());
    Model::parse(&file)?;
    Ok(file)
}

/// The weights as the kernels of the operator and the algorithm read them.
fn weights(layer: &QuantizedLayer, record: &Layer) -> Vec<u8> {
    let (outputs, weights) = (layer.channels(), &layer.weights);
    let byte = |index: usize| weights[index] as u8;
    if record.algorithm == Algorithm::Winograd {
        return winograd::stored_weights(record, weights).flat_map(i16::to_le_bytes).collect();
    }
    match layer.op {
        // [out][taps] as [taps][out].
        Op::DepthwiseConv => {
            let taps = weights.len() / outputs;
            (0..taps).flat_map(|tap| (0..outputs).map(move |output| byte(output * taps + tap))).collect()
        }
        // [out][row][rest] as [row][out][rest].
        Op::Dense => {
            let rows = usize::from(layer.input.height);
            let rest = weights.len() / outputs / rows;
            let start = |row: usize, output: usize| (output * rows + row) * rest;
            let starts = (0..rows).flat_map(|row| (0..outputs).map(move |output| start(row, output)));
            starts.flat_map(|start| (start..start + rest).map(byte)).collect()
        }
        _ => (0..weights.len()).map(byte).collect(),
    }
}

fn words(values: &[i32]) -> impl Iterator<Item = u8> {
    values.iter().flat_map(|value| value.to_le_bytes())
}

/// Appends a section at the next aligned offset and returns that.
fn section(file: &mut Vec<u8>, bytes: impl IntoIterator<Item = u8>) -> Result<u32, CompileError> {
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    let start = offset(file.len())?;
    file.extend(bytes);
    Ok(start)
}

fn offset(value: usize) -> Result<u32, CompileError> {
    u32::try_from(value)
        .map_err(|_| CompileError::Pack("the file would be larger than 4 GiB: use fewer weights".into()))
}

fn name_field(name: &str) -> Result<[u8; NAME_LEN], CompileError> {
    let mut field = [0; NAME_LEN];
    match field.get_mut(..name.len()) {
        Some(start) if !name.is_empty() && !name.contains('\0') => start.copy_from_slice(name.as_bytes()),
        _ => {
            return Err(CompileError::Pack(format!(
                "the name {name:?} has {} bytes: choose one of 1 to {NAME_LEN} with --name",
                name.len()
            )));
        }
    }
    Ok(field)
}
