//! Random networks as model files: shapes, windows, pools, clamps and tables of every kind.

use inference_core::format::{
    ALIGNMENT, Activation, Algorithm, HEADER_LEN, Header, LAYER_LEN, Layer, MAX_WINDOW_ROWS, NAME_LEN, Op, Pool, Shape,
    TABLE_LEN, VERSION, Window, checksum,
};

use compiler::{Optimize, plan};
use inference_core::winograd;

use crate::rng::Rng;

/// Most layers before the last one.
const DEPTH: usize = 4;

/// A model file with random layers; the same seed gives the same bytes. Nothing in its memory overlaps, and some rings
/// are larger than they must be.
pub fn model(seed: u64) -> Vec<u8> {
    build(seed, None)
}

/// The same network with the compiler's plan of the memory, and for speed by Winograd where that is possible.
pub fn planned(seed: u64, optimize: Optimize) -> Vec<u8> {
    build(seed, Some(optimize))
}

fn build(seed: u64, optimize: Option<Optimize>) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let input =
        Shape { height: rng.size(1..=14) as u16, width: rng.size(1..=14) as u16, channels: rng.pick(&[1, 1, 2, 3, 5]) };
    let mut shape = input;
    let mut zero_point = if rng.one_in(2) { 0 } else { rng.bits() as u8 };
    let hidden = rng.size(0..=DEPTH);
    let mut file = File::new(hidden + 1, rng.pick(&[0, 512, 16384]), optimize);
    for _ in 0..hidden {
        let layer = file.hidden(&mut rng, shape, zero_point);
        (shape, zero_point) = (layer.output, layer.output_zero_point);
    }
    let classes = rng.size(1..=12) as u16;
    file.last(&mut rng, shape, zero_point, classes);
    file.finish(input, classes)
}

/// A model file in the making.
struct File {
    layers: Vec<Layer>,
    /// The file so far: sections behind room for the header and the records.
    bytes: Vec<u8>,
    arena_len: u32,
    /// What kernels may use; with too little they must give the same results.
    workspace_len: u32,
    optimize: Option<Optimize>,
}

impl File {
    fn new(layers: usize, workspace_len: u32, optimize: Option<Optimize>) -> Self {
        let bytes = vec![0; HEADER_LEN + layers * LAYER_LEN];
        Self { layers: Vec::new(), bytes, arena_len: 0, workspace_len, optimize }
    }

    /// Adds a layer that is not the last one.
    fn hidden(&mut self, rng: &mut Rng, input: Shape, input_zero_point: u8) -> Layer {
        let op = match rng.size(0..=11) {
            0..=6 => Op::Conv,
            7..=9 => Op::DepthwiseConv,
            10 => Op::Dense,
            _ => Op::GlobalAveragePool,
        };
        let mut layer = Layer { op, input, input_zero_point, ..blank() };
        layer.output.channels = match op {
            Op::Conv | Op::Dense => rng.size(1..=9) as u16,
            _ => input.channels,
        };
        if !layer.accumulates() {
            place_window(rng, &mut layer);
        }
        layer.output = layer.expected_output();
        layer.activation = if rng.one_in(5) { Activation::Table } else { Activation::Clamp };
        (layer.low, layer.high) = if rng.one_in(4) { sorted(rng.bits() as u8, rng.bits() as u8) } else { (0, 255) };
        layer.output_zero_point = if rng.one_in(2) { 0 } else { rng.bits() as u8 };
        self.add(rng, layer)
    }

    /// Adds the dense layer whose accumulators are the logits.
    fn last(&mut self, rng: &mut Rng, input: Shape, input_zero_point: u8, classes: u16) {
        let mut layer = Layer { op: Op::Dense, input, input_zero_point, activation: Activation::Logits, ..blank() };
        layer.output = Shape { height: 1, width: 1, channels: classes };
        self.add(rng, layer);
    }

    /// Gives a layer its parameters and its memory.
    fn add(&mut self, rng: &mut Rng, mut layer: Layer) -> Layer {
        let mut weights = weights(rng, layer.weight_count() as usize);
        let bias = biases(rng, &layer);
        if self.optimize == Some(Optimize::Speed) && winograd::is_eligible(&layer) {
            layer.algorithm = Algorithm::Winograd;
            let direct: Vec<i8> = weights.iter().map(|&weight| weight as i8).collect();
            weights = winograd::stored_weights(&layer, &direct).flat_map(i16::to_le_bytes).collect();
        }
        (layer.weights_len, layer.weights_offset) = (weights.len() as u32, self.section(&weights));
        layer.bias_offset = self.section(&little_endian(&bias));
        if layer.activation != Activation::Logits {
            let (multipliers, shifts) = scales(rng, &layer);
            layer.multiplier_offset = self.section(&little_endian(&multipliers));
            layer.shift_offset = self.section(&shifts);
        }
        if layer.activation == Activation::Table {
            layer.table_offset = self.section(&table(rng));
        }
        layer.ring_rows = rng.size(layer.min_ring_rows(1)..=usize::from(layer.input.height)) as u16;
        layer.ring_offset = self.memory(layer.ring_len() as u32);
        layer.scratch_len = if layer.accumulates() { layer.min_scratch_len() as u32 } else { self.workspace_len };
        layer.scratch_offset = self.memory(layer.scratch_len);
        self.layers.push(layer);
        layer
    }

    fn section(&mut self, bytes: &[u8]) -> u32 {
        let offset = self.bytes.len().next_multiple_of(ALIGNMENT);
        self.bytes.resize(offset, 0);
        self.bytes.extend(bytes);
        offset as u32
    }

    /// The next free bytes of the arena, aligned for accumulators.
    fn memory(&mut self, len: u32) -> u32 {
        let offset = self.arena_len.next_multiple_of(4);
        self.arena_len = offset + len;
        offset
    }

    fn finish(mut self, input: Shape, classes: u16) -> Vec<u8> {
        if let Some(optimize) = self.optimize {
            self.arena_len = plan::plan(&mut self.layers, optimize);
        }
        let mut name = [0; NAME_LEN];
        name[..6].copy_from_slice(b"random");
        let mut header = Header {
            version: VERSION,
            layer_count: self.layers.len() as u16,
            file_len: self.bytes.len() as u32,
            crc: 0,
            arena_len: self.arena_len,
            input,
            classes,
            logit_scale: 1.0,
            name,
        };
        let records: Vec<u8> = self.layers.iter().flat_map(Layer::encode).collect();
        self.bytes[HEADER_LEN..HEADER_LEN + records.len()].copy_from_slice(&records);
        self.bytes[..HEADER_LEN].copy_from_slice(&header.encode());
        header.crc = checksum(&self.bytes);
        self.bytes[..HEADER_LEN].copy_from_slice(&header.encode());
        self.bytes
    }
}

fn blank() -> Layer {
    Layer::new(Op::Dense, Shape::default(), Shape::default())
}

/// Draws windows and pools until one fits the input.
fn place_window(rng: &mut Rng, layer: &mut Layer) {
    loop {
        let size = |rng: &mut Rng| rng.pick(&[1, 2, 3, 3, 3, 4, 5, 5, 7]);
        let (kernel_height, kernel_width) = (size(rng), size(rng));
        let padding = |rng: &mut Rng, kernel: u8| match rng.one_in(2) {
            true => 0,
            false => rng.size(0..=usize::from(kernel) - 1) as u8,
        };
        layer.window = Window {
            kernel_height,
            kernel_width,
            stride_height: rng.pick(&[1, 1, 1, 2, 3]),
            stride_width: rng.pick(&[1, 1, 1, 2, 3]),
            pad_top: padding(rng, kernel_height),
            pad_left: padding(rng, kernel_width),
            pad_bottom: padding(rng, kernel_height),
            pad_right: padding(rng, kernel_width),
        };
        layer.pool = match rng.size(0..=3) {
            0 | 1 => Pool::NONE,
            _ => {
                let size = rng.pick(&[2, 2, 3]);
                let mut padding = || rng.size(0..=usize::from(size) - 1) as u8;
                let (pad_bottom, pad_right) = (padding(), padding());
                Pool { size, stride: rng.size(1..=usize::from(size)) as u8, pad_bottom, pad_right }
            }
        };
        let output = layer.expected_output();
        let padded_height = u16::from(layer.window.pad_top) + layer.input.height + u16::from(layer.window.pad_bottom);
        let fits = padded_height >= u16::from(kernel_height)
            && layer.padded_width() >= usize::from(kernel_width)
            && layer.window_rows() <= MAX_WINDOW_ROWS;
        if fits && output.height > 0 && output.width > 0 {
            return;
        }
    }
}

/// Mostly small numbers; in one layer of four the extremes only.
fn weights(rng: &mut Rng, count: usize) -> Vec<u8> {
    let extreme = rng.one_in(4);
    let weight = |_| if extreme { rng.pick(&[-127i8, 127]) } else { rng.within(-127..=127) as i8 };
    (0..count).map(weight).map(|weight| weight as u8).collect()
}

/// Products that an accumulator adds up.
fn taps(layer: &Layer) -> u64 {
    match layer.op {
        Op::GlobalAveragePool => u64::from(layer.input.height) * u64::from(layer.input.width),
        Op::DepthwiseConv => layer.weight_count() / u64::from(layer.input.channels),
        _ => layer.weight_count() / u64::from(layer.output.channels),
    }
}

/// Small biases; in one layer of eight up to where the accumulator could leave 32 bits.
fn biases(rng: &mut Rng, layer: &Layer) -> Vec<i32> {
    let channels = usize::from(layer.output.channels);
    let room = i64::from(i32::MAX) - taps(layer) as i64 * 127 * 255;
    let extreme = rng.one_in(8);
    let bias = |_| match extreme {
        true => rng.pick(&[room, -room, room / 3, 0]) as i32,
        false => rng.within(-5_000..=5_000) as i32,
    };
    (0..channels).map(bias).collect()
}

/// Multipliers and shifts: mostly such that outputs spread over 8 bits, some of any size.
fn scales(rng: &mut Rng, layer: &Layer) -> (Vec<i32>, Vec<u8>) {
    let bits = match layer.op {
        Op::GlobalAveragePool => taps(layer).ilog2() as u8,
        // Random products have a deviation of about 2^13; a sum of them, sqrt(taps) times as much.
        _ => 13 + taps(layer).ilog2() as u8 / 2 - 6,
    };
    let scale = |_| {
        if rng.one_in(20) {
            (rng.within(1..=i64::from(i32::MAX)) as i32, rng.within(1..=62) as u8)
        } else {
            (rng.within(1 << 30..=i64::from(i32::MAX)) as i32, 30 + bits + rng.size(0..=2) as u8)
        }
    };
    (0..layer.output.channels).map(scale).unzip()
}

/// An activation table that never decreases, as pooling before the activation asks for.
fn table(rng: &mut Rng) -> Vec<u8> {
    let mut entries = rng.bytes(TABLE_LEN);
    entries.sort_unstable();
    entries
}

fn sorted(a: u8, b: u8) -> (u8, u8) {
    (a.min(b), a.max(b))
}

fn little_endian(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
