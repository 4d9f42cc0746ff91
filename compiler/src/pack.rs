//! Writes the model file, as `thumbnet::format` describes it.

use std::collections::HashMap;

use thumbnet::format::{self, ALIGNMENT, Algorithm, HEADER_LEN, Header, LAYER_LEN, Layer, Map, NAME_LEN, VERSION};
use thumbnet::{Model, winograd};

use crate::plan::{self, Graph};
use crate::quantize::{QuantizedLayer, QuantizedNetwork};
use crate::{CompileError, Core, Optimize, algorithm, ops};

/// The bytes of the `.tnet` file, checked by the core that will run it.
pub fn pack(network: &QuantizedNetwork, name: &str, optimize: Optimize, core: Core) -> Result<Vec<u8>, CompileError> {
    Packer::default().pack(network, name, optimize, core)
}

/// Packs networks, and plans the memory once for those of the same shapes.
#[derive(Default)]
pub struct Packer {
    /// What was planned: the layers without what does not matter to a plan, and the plan.
    planned: Vec<(Graph, Optimize, Graph, u32)>,
}

impl Packer {
    /// The same as [`pack`].
    pub fn pack(
        &mut self,
        network: &QuantizedNetwork,
        name: &str,
        optimize: Optimize,
        core: Core,
    ) -> Result<Vec<u8>, CompileError> {
        let mut graph = graph(network);
        algorithm::choose(network, &mut graph.layers, optimize, core);
        let arena_len = self.plan(&mut graph, optimize);
        let mut file = vec![0; HEADER_LEN + graph.layers.len() * LAYER_LEN];
        let mut tables = HashMap::new();
        for (record, layer) in graph.layers.iter_mut().zip(&network.layers) {
            let weights = weights(layer, record);
            record.weights_len = offset(weights.len())?;
            if !weights.is_empty() {
                record.weights_offset = section(&mut file, weights)?;
            }
            if record.scales() > 0 {
                record.bias_offset = section(&mut file, words(&layer.folded_bias))?;
                record.multiplier_offset = section(&mut file, words(&layer.multipliers))?;
                record.shift_offset = section(&mut file, layer.shifts.iter().copied())?;
            }
            if !layer.table.is_empty() {
                // Layers with the same table, such as those of all sigmoids, share it.
                record.table_offset = match tables.get(&layer.table) {
                    Some(&offset) => offset,
                    None => section(&mut file, layer.table.iter().copied())?,
                };
                tables.insert(&layer.table, record.table_offset);
            }
        }
        let (zero_point, entry) = (network.input_quantization.zero_point, &network.entry);
        let reals = |channel: usize| {
            let [scale, offset] = entry.of_channel(channel);
            [scale as f32, (offset + scale * f64::from(zero_point)) as f32]
        };
        let input_section = match entry.scale.len().max(entry.offset.len()) {
            0 | 1 => 0,
            channels => section(&mut file, (0..channels).flat_map(reals).flat_map(f32::to_le_bytes))?,
        };
        let [input_scale, input_offset] = reals(0);
        let mut header = Header {
            version: VERSION,
            layer_count: graph.layers.len() as u16,
            file_len: offset(file.len())?,
            crc: 0,
            arena_len,
            input: graph.input,
            input_scale,
            input_offset,
            input_section,
            input_transposed: entry.is_transposed.into(),
            output_scale: network.output_scale(),
            name: name_field(name)?,
        };
        for (slot, record) in file[HEADER_LEN..].chunks_exact_mut(LAYER_LEN).zip(&graph.layers) {
            slot.copy_from_slice(&record.encode());
        }
        file[..HEADER_LEN].copy_from_slice(&header.encode());
        header.crc = format::checksum(&file);
        file[..HEADER_LEN].copy_from_slice(&header.encode());
        Model::parse(&file)?;
        Ok(file)
    }

    /// Gives the maps and layers their memory.
    fn plan(&mut self, graph: &mut Graph, optimize: Optimize) -> u32 {
        let key = shapes(graph);
        let known = self.planned.iter().find(|(shapes, goal, ..)| (shapes, *goal) == (&key, optimize));
        let (planned, arena_len) = match known {
            Some((_, _, planned, arena_len)) => (planned.clone(), *arena_len),
            None => {
                let mut planned = key.clone();
                let arena_len = plan::plan(&mut planned, optimize);
                self.planned.push((key, optimize, planned.clone(), arena_len));
                (planned, arena_len)
            }
        };
        graph.input.ring = planned.input.ring;
        for (layer, planned) in graph.layers.iter_mut().zip(planned.layers) {
            layer.ring = planned.ring;
            layer.start_rows = planned.start_rows;
            (layer.scratch_offset, layer.scratch_len) = (planned.scratch_offset, planned.scratch_len);
        }
        arena_len
    }
}

/// The records of a network, still without places.
fn graph(network: &QuantizedNetwork) -> Graph {
    let zero_point = network.input_quantization.zero_point;
    Graph {
        input: Map { shape: network.input, zero_point, ..Map::default() },
        layers: network.layers.iter().map(|layer| layer.record).collect(),
    }
}

/// The graph without the numbers that differ between two ways to quantize it.
fn shapes(graph: &Graph) -> Graph {
    let layer = |layer: &Layer| Layer {
        algorithm: layer.algorithm,
        activation: layer.activation,
        window: layer.window,
        pool: layer.pool,
        inputs: layer.inputs,
        groups: layer.groups,
        ..Layer::new(layer.op, layer.input, layer.output)
    };
    Graph {
        input: Map { shape: graph.input.shape, ..Map::default() },
        layers: graph.layers.iter().map(layer).collect(),
    }
}

/// The weights as the kernels of the operator and the algorithm read them.
fn weights(layer: &QuantizedLayer, record: &Layer) -> Vec<u8> {
    match record.algorithm {
        Algorithm::Winograd => winograd::stored_weights(record, &layer.weights).flat_map(i16::to_le_bytes).collect(),
        Algorithm::Direct => ops::of(record.op).stored_weights(layer),
    }
}

fn words(values: &[i32]) -> impl Iterator<Item = u8> + '_ {
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
