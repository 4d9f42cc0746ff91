//! Small models for tests, put together by hand: the compiler is not needed to test the core.

use inference_core::format::{
    self, ALIGNMENT, Activation, Algorithm, HEADER_LEN, Header, LAYER_LEN, Layer, NAME_LEN, Op, Pool, Shape, Window,
};
use inference_core::kernels::workspace_len;
use inference_core::winograd;

/// A layer before its bytes have places.
#[derive(Clone)]
pub struct Draft {
    pub layer: Layer,
    pub weights: Vec<i8>,
    pub bias: Vec<i32>,
    pub multipliers: Vec<i32>,
    pub shifts: Vec<u8>,
    pub table: Vec<u8>,
}

impl Draft {
    /// A layer with `channels` outputs whose requantization is the identity and whose weights cycle.
    pub fn new(op: Op, input: Shape, channels: u16) -> Self {
        let layer = Layer::new(op, input, Shape { height: 1, width: 1, channels });
        let channels = usize::from(channels);
        let draft = Self {
            layer,
            weights: Vec::new(),
            bias: vec![0; channels],
            multipliers: vec![1 << 30; channels],
            shifts: vec![30; channels],
            table: Vec::new(),
        };
        draft.shaped(|_| {})
    }

    /// Changes the record, then makes the output shape and the weights fit it.
    pub fn shaped(mut self, change: impl FnOnce(&mut Layer)) -> Self {
        change(&mut self.layer);
        self.layer.output = self.layer.expected_output();
        // A prime period, so that swapped blocks of weights show.
        self.weights = (0..self.layer.weight_count()).map(|index| (index % 251) as u8 as i8).collect();
        self
    }

    pub fn logits(mut self) -> Self {
        self.layer.activation = Activation::Logits;
        self.multipliers.clear();
        self.shifts.clear();
        self
    }
}

/// The file of these layers, every ring as small as it may be, nothing overlapping.
pub fn pack(drafts: &[Draft]) -> Vec<u8> {
    let mut sections = Vec::new();
    let first_section = HEADER_LEN + drafts.len() * LAYER_LEN;
    let mut add = |bytes: Vec<u8>| {
        let offset = first_section + sections.len();
        sections.extend(bytes);
        sections.resize(sections.len().next_multiple_of(ALIGNMENT), 0);
        offset as u32
    };
    let mut arena = 0;
    let mut records: Vec<Layer> = Vec::new();
    for draft in drafts {
        let mut layer = draft.layer;
        let weights: Vec<u8> = match layer.algorithm {
            Algorithm::Winograd => {
                winograd::stored_weights(&layer, &draft.weights).flat_map(|weight| weight.to_le_bytes()).collect()
            }
            _ => draft.weights.iter().map(|&weight| weight as u8).collect(),
        };
        layer.weights_len = weights.len() as u32;
        layer.weights_offset = add(weights);
        layer.bias_offset = add(draft.bias.iter().flat_map(|bias| bias.to_le_bytes()).collect());
        layer.multiplier_offset = add(draft.multipliers.iter().flat_map(|value| value.to_le_bytes()).collect());
        layer.shift_offset = add(draft.shifts.clone());
        layer.table_offset = add(draft.table.clone());
        layer.ring_rows = layer.min_ring_rows(records.last().map_or(1, Layer::rows_per_step)) as u16;
        layer.ring_offset = arena;
        layer.scratch_offset = (arena + layer.ring_len() as u32).next_multiple_of(4);
        // Enough for every kernel, whichever family the target has.
        layer.scratch_len = layer.min_scratch_len().max(workspace_len(&layer)) as u32;
        arena = layer.scratch_offset + layer.scratch_len;
        records.push(layer);
    }
    let mut name = [0; NAME_LEN];
    name[..4].copy_from_slice(b"test");
    let last = drafts.last().expect("a layer");
    let header = Header {
        version: format::VERSION,
        layer_count: drafts.len() as u16,
        file_len: (first_section + sections.len()) as u32,
        crc: 0,
        arena_len: arena,
        input: drafts[0].layer.input,
        classes: last.layer.output.channels,
        logit_scale: 0.5,
        name,
    };
    let mut file = header.encode().to_vec();
    records.iter().for_each(|layer| file.extend(layer.encode()));
    file.extend(sections);
    seal(&mut file);
    file
}

/// Writes the checksum of changed bytes, so that what lies behind it is tested.
pub fn seal(file: &mut [u8]) {
    let crc = format::checksum(file);
    file[12..16].copy_from_slice(&crc.to_le_bytes());
}

/// A network that has every operator: same and valid padding, strides, pooling, table, average.
pub fn every_operator() -> Vec<Draft> {
    let input = Shape { height: 12, width: 11, channels: 1 };
    let conv = Draft::new(Op::Conv, input, 4).shaped(|layer| {
        layer.window = Window { kernel_height: 3, kernel_width: 3, pad_top: 1, pad_left: 1, ..Window::UNIT };
        layer.window.pad_bottom = 1;
        layer.window.pad_right = 1;
        layer.pool = Pool { size: 2, stride: 2, pad_bottom: 0, pad_right: 1 };
        layer.output_zero_point = 3;
    });
    let depthwise = Draft::new(Op::DepthwiseConv, conv.layer.output, 4).shaped(|layer| {
        layer.window = Window { kernel_height: 3, kernel_width: 2, pad_bottom: 2, pad_left: 1, ..Window::UNIT };
        layer.pool = Pool { size: 2, stride: 1, pad_bottom: 1, pad_right: 0 };
        layer.input_zero_point = 3;
    });
    let mut table = Draft::new(Op::Conv, depthwise.layer.output, 5).shaped(|layer| {
        layer.window = Window { kernel_height: 1, kernel_width: 3, stride_height: 2, ..Window::UNIT };
        layer.activation = Activation::Table;
    });
    table.table = (0..format::TABLE_LEN).map(|index| (index / 4) as u8).collect();
    table.shifts = vec![38; 5];
    let average = Draft::new(Op::GlobalAveragePool, table.layer.output, 5);
    let dense = Draft::new(Op::Dense, average.layer.output, 6);
    let logits = Draft::new(Op::Dense, dense.layer.output, 3).logits();
    vec![conv, depthwise, table, average, dense, logits]
}
