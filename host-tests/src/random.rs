//! Random networks as model files: graphs of layers of every kind, put together without the compiler's quantization.
//!
//! `graph` draws the layers and what they read, `numbers` their weights, biases, scales and tables, `memory` gives them
//! memory without a plan.

mod graph;
mod memory;
mod numbers;

use thumbnet::format::{ALIGNMENT, Algorithm, HEADER_LEN, Header, LAYER_LEN, Layer, NAME_LEN, VERSION, checksum};
use thumbnet::winograd;
use thumbnet_compiler::Optimize;
use thumbnet_compiler::plan::{self, Graph};

use crate::rng::Rng;
use graph::Drawn;
use numbers::Numbers;

/// The memory does not depend on how many random numbers the layers took.
const MEMORY: u64 = 0x6d65_6d6f_7279;

/// A model file of random layers; the same seed gives the same bytes. Nothing in its memory overlaps, and some rings
/// are larger than they must be.
pub fn model(seed: u64) -> Vec<u8> {
    build(seed, None)
}

/// The same network with the compiler's plan of the memory, and for speed by Winograd where that is possible.
pub fn planned(seed: u64, optimize: Optimize) -> Vec<u8> {
    build(seed, Some(optimize))
}

fn build(seed: u64, optimize: Option<Optimize>) -> Vec<u8> {
    let Drawn { input, layers, scales: [input_scale, output_scale] } = graph::draw(Rng::new(seed));
    let (layers, numbers): (Vec<Layer>, Vec<Numbers>) = layers.into_iter().unzip();
    let mut graph = Graph { input, layers };
    if optimize == Some(Optimize::Speed) {
        for layer in graph.layers.iter_mut().filter(|layer| winograd::is_eligible(layer)) {
            layer.algorithm = Algorithm::Winograd;
        }
    }
    let arena_len = match optimize {
        Some(optimize) => plan::plan(&mut graph, optimize),
        None => memory::place(&mut graph, &mut Rng::new(seed ^ MEMORY)),
    };
    let mut file = vec![0; HEADER_LEN + graph.layers.len() * LAYER_LEN];
    for (layer, numbers) in graph.layers.iter_mut().zip(&numbers) {
        add_sections(&mut file, layer, numbers);
    }
    let mut name = [0; NAME_LEN];
    name[..6].copy_from_slice(b"random");
    let mut header = Header {
        version: VERSION,
        layer_count: graph.layers.len() as u16,
        file_len: file.len() as u32,
        crc: 0,
        arena_len,
        input: graph.input,
        input_scale,
        input_offset: 0.0,
        input_section: 0,
        input_transposed: 0,
        output_scale,
        name,
    };
    let records: Vec<u8> = graph.layers.iter().flat_map(Layer::encode).collect();
    file[HEADER_LEN..HEADER_LEN + records.len()].copy_from_slice(&records);
    file[..HEADER_LEN].copy_from_slice(&header.encode());
    header.crc = checksum(&file);
    file[..HEADER_LEN].copy_from_slice(&header.encode());
    file
}

/// Writes what a layer refers to. Biases follow weights, so that these have some bytes behind them.
fn add_sections(file: &mut Vec<u8>, layer: &mut Layer, numbers: &Numbers) {
    let weights: Vec<u8> = match layer.algorithm {
        Algorithm::Direct => numbers.weights.iter().map(|&weight| weight as u8).collect(),
        Algorithm::Winograd => winograd::stored_weights(layer, &numbers.weights).flat_map(i16::to_le_bytes).collect(),
    };
    (layer.weights_len, layer.weights_offset) = (weights.len() as u32, section(file, &weights));
    layer.bias_offset = section(file, &little_endian(&numbers.bias));
    layer.multiplier_offset = section(file, &little_endian(&numbers.multipliers));
    layer.shift_offset = section(file, &numbers.shifts);
    layer.table_offset = section(file, &numbers.table);
}

/// Appends a section at the next aligned offset and returns that; 0 where there is nothing to append.
fn section(file: &mut Vec<u8>, bytes: &[u8]) -> u32 {
    if bytes.is_empty() {
        return 0;
    }
    let offset = file.len().next_multiple_of(ALIGNMENT);
    file.resize(offset, 0);
    file.extend(bytes);
    offset as u32
}

fn little_endian(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
