//! Small models for tests, put together by hand: the compiler is not needed to test the core.

pub mod networks;

use thumbnet::format::{
    self, ALIGNMENT, Activation, Algorithm, HEADER_LEN, Header, LAYER_LEN, Layer, MAX_INPUTS, Map, NAME_LEN, NO_MAP,
    Op, Ring, Shape,
};
use thumbnet::kernels::workspace_len;
use thumbnet::schedule::{Layers, simulate};
use thumbnet::winograd;

/// A multiplier and a shift that change nothing.
const IDENTITY: (i32, u8) = (1 << 30, 30);

/// A layer before its bytes have places.
#[derive(Clone)]
pub struct Draft {
    pub layer: Layer,
    /// The maps that it reads; where there are none, the one that the draft before it makes.
    pub inputs: Option<[u8; MAX_INPUTS]>,
    pub weights: Vec<i8>,
    pub bias: Vec<i32>,
    pub multipliers: Vec<i32>,
    pub shifts: Vec<u8>,
    pub table: Vec<u8>,
}

impl Draft {
    /// A layer with `channels` outputs whose requantization is the identity and whose weights cycle; an operator that chooses
    /// its channels has its own.
    pub fn new(op: Op, input: Shape, channels: u16) -> Self {
        let layer = Layer::new(op, input, Shape { height: 1, width: 1, channels });
        let draft = Self {
            layer,
            inputs: None,
            weights: Vec::new(),
            bias: Vec::new(),
            multipliers: Vec::new(),
            shifts: Vec::new(),
            table: Vec::new(),
        };
        draft.shaped(|_| {})
    }

    /// Changes the record, then makes the output shape, the weights and the scales fit it.
    pub fn shaped(mut self, change: impl FnOnce(&mut Layer)) -> Self {
        change(&mut self.layer);
        self.layer.output = self.layer.expected_output();
        // A prime period, so that swapped blocks of weights show.
        self.weights = (0..self.layer.weight_count()).map(|index| (index % 251) as u8 as i8).collect();
        let scales = self.layer.scales();
        self.bias.resize(scales, 0);
        self.multipliers.resize(scales, IDENTITY.0);
        self.shifts.resize(scales, IDENTITY.1);
        self
    }

    /// Names the map that the layer reads.
    pub fn reads(mut self, map: u8) -> Self {
        self.inputs = Some([map, NO_MAP]);
        self
    }

    /// Names the two maps that the layer joins.
    pub fn joins(mut self, first: u8, second: u8) -> Self {
        self.inputs = Some([first, second]);
        self
    }

    /// What leaves the model are sums.
    pub fn logits(mut self) -> Self {
        self.layer.activation = Activation::Logits;
        self
    }

    /// Divides the sums of an average pooling by the number of their values.
    pub fn averages(mut self) -> Self {
        self.multipliers = (1..).take(self.layer.scales()).map(|count| IDENTITY.0 / count).collect();
        self
    }

    /// A table with an entry for each byte.
    pub fn byte_table(mut self, entry: impl Fn(u8) -> u8) -> Self {
        self.layer.activation = Activation::ByteTable;
        self.table = (0..=u8::MAX).map(entry).collect();
        self
    }
}

/// The layers of a model whose rings are not made yet.
struct Plan<'p> {
    input: Map,
    layers: &'p [Layer],
}

impl Layers for Plan<'_> {
    fn count(&self) -> usize {
        self.layers.len()
    }

    fn get(&self, index: usize) -> Option<Layer> {
        self.layers.get(index).copied()
    }

    fn map(&self, index: usize) -> Option<Map> {
        match index.checked_sub(1) {
            None => Some(self.input),
            Some(layer) => self.layers.get(layer).map(Layer::map),
        }
    }
}

impl Plan<'_> {
    /// The smallest ring of each map that keeps its rows until the slowest reader is done.
    fn rings(&self) -> Vec<Ring> {
        let mut rings = vec![Ring::default(); self.count() + 1];
        let Ok(()) = simulate(self, |schedule, turn| {
            for (map, ring) in rings.iter_mut().enumerate() {
                let live = schedule.live_rows(self, map);
                let new = if map == turn.target { turn.rows } else { 0 };
                ring.rows = ring.rows.max(live.end + new - live.start);
            }
            Ok::<(), std::convert::Infallible>(())
        });
        for layer in self.layers {
            let [left, right] = layer.row_padding();
            for map in layer.input_maps() {
                let ring = &mut rings[map];
                (ring.pad_left, ring.pad_right) = (ring.pad_left.max(left), ring.pad_right.max(right));
            }
        }
        rings
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
    let first = drafts.first().expect("a layer").layer;
    let mut input = Map { shape: first.input, zero_point: first.input_zero_point, ring: Ring::default() };
    let mut layers: Vec<Layer> = Vec::new();
    for (index, draft) in drafts.iter().enumerate() {
        let mut layer = draft.layer;
        layer.inputs = draft.inputs.unwrap_or([index as u8, NO_MAP]);
        let read = match layer.inputs[0] {
            0 => input,
            map => layers[usize::from(map) - 1].map(),
        };
        let wanted = (layer.input, layer.input_zero_point);
        assert_eq!((read.shape, read.zero_point), wanted, "what layer {index} reads");
        let weights: Vec<u8> = match layer.algorithm {
            Algorithm::Winograd => {
                winograd::stored_weights(&layer, &draft.weights).flat_map(|weight| weight.to_le_bytes()).collect()
            }
            Algorithm::Direct => draft.weights.iter().map(|&weight| weight as u8).collect(),
        };
        layer.weights_len = weights.len() as u32;
        layer.weights_offset = add(weights);
        layer.bias_offset = add(draft.bias.iter().flat_map(|bias| bias.to_le_bytes()).collect());
        layer.multiplier_offset = add(draft.multipliers.iter().flat_map(|value| value.to_le_bytes()).collect());
        layer.shift_offset = add(draft.shifts.clone());
        layer.table_offset = add(draft.table.clone());
        // Enough for every kernel, whichever family the target has.
        layer.scratch_len = layer.min_scratch_len().max(workspace_len(&layer)) as u32;
        layers.push(layer);
    }
    // The last weights are read as whole words.
    sections.resize(sections.len() + ALIGNMENT, 0);

    let rings = Plan { input, layers: &layers }.rings();
    let mut arena = 0;
    let mut place = |map: &mut Map, ring: Ring| {
        map.ring = Ring { offset: arena, ..ring };
        arena += if ring.rows == 0 { 0 } else { map.ring_len() as u32 };
        map.ring
    };
    place(&mut input, rings[0]);
    for (layer, &ring) in layers.iter_mut().zip(&rings[1..]) {
        layer.ring = place(&mut layer.map(), ring);
    }
    for layer in &mut layers {
        layer.scratch_offset = arena.next_multiple_of(4);
        arena = layer.scratch_offset + layer.scratch_len;
    }
    let mut name = [0; NAME_LEN];
    name[..4].copy_from_slice(b"test");
    let header = Header {
        version: format::VERSION,
        layer_count: drafts.len() as u16,
        file_len: (first_section + sections.len()) as u32,
        crc: 0,
        arena_len: arena,
        input,
        input_scale: 0.25,
        input_offset: 0.0,
        input_section: 0,
        input_transposed: 0,
        output_scale: 0.5,
        name,
    };
    let mut file = header.encode().to_vec();
    layers.iter().for_each(|layer| file.extend(layer.encode()));
    file.extend(sections);
    seal(&mut file);
    file
}

/// Writes the checksum of changed bytes, so that what lies behind it is tested.
pub fn seal(file: &mut [u8]) {
    let crc = format::checksum(file);
    file[12..16].copy_from_slice(&crc.to_le_bytes());
}
