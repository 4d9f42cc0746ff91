//! Model files: `Model::parse` refuses them, or they run.

use thumbnet::format::{self, CRC_START, Layer, Op};
use thumbnet::{Model, Network, ParseError};

/// Most work of a fuzzed model that is run: a run shall take microseconds.
const MOST_WORK: u64 = 1 << 17;
/// Where the header has the length of the file and its checksum, 4 bytes each.
const LENGTH: usize = CRC_START - 8;
/// Largest arena that is tried; a board would refuse less.
const MOST_ARENA: usize = 1 << 20;

/// Why a file was not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunError {
    /// Parsing has refused it.
    Refused(ParseError),
    /// It is a model, but a larger one than asked for.
    TooLarge,
}

/// Parses and runs a file, after its length and its checksum were made right: they guard against accidents only.
pub fn model(bytes: &[u8]) {
    let mut file = bytes.to_vec();
    repair(&mut file);
    let _ = run(&file, MOST_WORK);
}

/// Makes length and checksum of a file right.
pub fn repair(file: &mut [u8]) {
    let len = file.len() as u32;
    if let Some(field) = file.get_mut(LENGTH..LENGTH + 4) {
        field.copy_from_slice(&len.to_le_bytes());
    }
    let crc = format::checksum(file);
    if let Some(field) = file.get_mut(LENGTH + 4..CRC_START) {
        field.copy_from_slice(&crc.to_le_bytes());
    }
}

/// Parses a file and runs it, if that is at most so much work in multiplications.
///
/// # Panics
/// If a promise of [`Model::parse`] is broken: running fails, names no class, or depends on what the memory held before.
pub fn run(file: &[u8], most_work: u64) -> Result<(), RunError> {
    let model = Model::parse(file).map_err(RunError::Refused)?;
    let work = model.layers().fold(0u64, |sum, layer| sum.saturating_add(work(&layer)));
    if work > most_work || model.arena_len() > MOST_ARENA {
        return Err(RunError::TooLarge);
    }
    let len = model.input_row_len() * usize::from(model.input().height);
    // A prime period, so that rows differ.
    let pixels: Vec<u8> = (0..len).map(|index| (index * 89 % 251) as u8).collect();
    assert_eq!(logits(&model, &pixels, 0), logits(&model, &pixels, 0xa5), "the logits depend on what the arena held");
    Ok(())
}

/// The logits in an arena filled with `fill`.
fn logits(model: &Model<'_>, pixels: &[u8], fill: u8) -> Vec<i32> {
    let mut arena = vec![fill; model.arena_len()];
    let mut network = Network::new(model, &mut arena).expect("a parsed model and its arena make a network");
    let prediction = network.classify(pixels).expect("the image has the model's size");
    // Of a single output, the class is whether it is above zero.
    assert!(prediction.class() < model.outputs().max(2));
    assert_eq!(prediction.logits().iter().len(), model.outputs());
    prediction.logits().iter().collect()
}

/// About how many multiplications or looks at a value a layer takes: each pooling window computes its sums anew.
fn work(layer: &Layer) -> u64 {
    let pool = u64::from(layer.pool.size) * u64::from(layer.pool.size);
    let [input, output] = [layer.input, layer.output].map(|shape| shape.len() as u64);
    let own = match layer.op {
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense => layer.macs().saturating_mul(pool),
        Op::MaxPool | Op::AveragePool => output.saturating_mul(layer.window.taps() as u64),
        Op::GlobalAveragePool | Op::Add | Op::Concat => output,
    };
    own.saturating_add(input)
}
