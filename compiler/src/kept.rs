//! A model in which every map is kept: what each layer makes can be looked at.
//!
//! The core's own engine and kernels run; only the memory is planned otherwise, each map whole and in a place of its own.

use thumbnet::format::{self, HEADER_LEN, Header, LAYER_LEN, Layer, Map, Shape};
use thumbnet::schedule::Layers;
use thumbnet::{Model, Network};

use crate::CompileError;

/// Where maps and scratch memory begin, at multiples of this.
const ALIGNMENT: u32 = 16;

/// A model that keeps its maps.
#[derive(Clone, Debug)]
pub struct Kept {
    tnet: Vec<u8>,
}

/// What a layer made of an image, `height * width * channels` numbers, channel fastest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its shape.
    pub shape: Shape,
    /// Bytes less their zero point, or logits.
    pub steps: Vec<i32>,
    /// What was subtracted.
    pub zero_point: u8,
}

impl Kept {
    /// The same model with more memory.
    pub fn of(model: &Model<'_>) -> Result<Self, CompileError> {
        let mut tnet = model.bytes().to_vec();
        let Some(head) = tnet.first_chunk::<HEADER_LEN>() else { return Err(CompileError::Pack("no header".into())) };
        let mut header = Header::decode(head);
        let mut end = 0u32;
        let mut place = |len: usize| {
            let start = end;
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            end = end.saturating_add(len).checked_next_multiple_of(ALIGNMENT).unwrap_or(u32::MAX);
            start
        };
        header.input.ring.rows = header.input.shape.height;
        header.input.ring.offset = place(header.input.ring_len());
        let layers = model.layers().map(|mut layer| {
            layer.scratch_offset = place(layer.scratch_len as usize);
            if layer.ring.rows > 0 {
                layer.ring.rows = layer.output.height;
                layer.ring.offset = place(layer.map().ring_len());
            }
            layer
        });
        let layers: Vec<Layer> = layers.collect();
        header.arena_len = end;
        for (slot, layer) in tnet[HEADER_LEN..].chunks_exact_mut(LAYER_LEN).zip(layers) {
            slot.copy_from_slice(&layer.encode());
        }
        tnet[..HEADER_LEN].copy_from_slice(&header.encode());
        header.crc = format::checksum(&tnet);
        tnet[..HEADER_LEN].copy_from_slice(&header.encode());
        Model::parse(&tnet)?;
        Ok(Self { tnet })
    }

    /// What each layer makes of an image, the result last.
    pub fn maps(&self, pixels: &[u8]) -> Result<Vec<Made>, CompileError> {
        let model = Model::parse(&self.tnet)?;
        let failed = |error: &dyn std::fmt::Display| CompileError::Calibration(error.to_string());
        let mut arena = vec![0; model.arena_len()];
        let mut network = Network::new(&model, &mut arena).map_err(|error| failed(&error))?;
        let prediction = network.classify(pixels).map_err(|error| failed(&error))?;
        let result: Vec<i32> = prediction.logits().iter().collect();
        let count = model.layer_count();
        let mut maps: Vec<Made> = (1..count).filter_map(|index| Some(read(&model.map(index)?, &arena))).collect();
        let last = model.map(count).unwrap_or_default();
        maps.push(Made { shape: last.shape, steps: result, zero_point: last.zero_point });
        Ok(maps)
    }
}

/// A map in the arena, without its padding.
fn read(map: &Map, arena: &[u8]) -> Made {
    let start = map.ring.offset as usize + usize::from(map.ring.pad_left) * usize::from(map.shape.channels);
    let rows = (0..usize::from(map.shape.height)).map(|row| start + row * map.pitch());
    let bytes = rows.flat_map(|row| arena.get(row..row + map.shape.row_len()).unwrap_or_default());
    let steps = bytes.map(|&byte| i32::from(byte) - i32::from(map.zero_point)).collect();
    Made { shape: map.shape, steps, zero_point: map.zero_point }
}
