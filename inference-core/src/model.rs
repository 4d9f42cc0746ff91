//! A model file, checked once so that running it cannot fail.

use core::fmt;
use core::ops::Range;

use crate::arena;
use crate::format::{
    self, ALIGNMENT, Activation, Algorithm, BYTE_TABLE_LEN, HEADER_LEN, Header, INPUT_SCALE_LEN, LAYER_LEN, Layer,
    MAGIC, MAX_DIMENSION, MAX_KERNEL, MAX_LAYERS, MAX_OUTPUTS, MAX_WINDOW_ROWS, Map, NAME_LEN, NO_MAP, Op, Ring, Shape,
    TABLE_LEN, WEIGHTS_SLACK,
};
use crate::kernels::{self, Parameters};
use crate::schedule::Layers;
use crate::winograd;

/// The versions that are read. Version 1 was never released; from 2 on a version stays in this table.
const READERS: [u16; 1] = [2];

/// Whether this version is in the table.
const fn is_read(version: u16) -> bool {
    let mut readers = READERS.as_slice();
    while let Some((&reader, others)) = readers.split_first() {
        if reader == version {
            return true;
        }
        readers = others;
    }
    false
}

/// A parsed model: a checked view into the bytes of its file.
#[derive(Clone, Copy, Debug)]
pub struct Model<'m> {
    bytes: &'m [u8],
    /// The first of them.
    header: &'m [u8; HEADER_LEN],
}

/// Why bytes are not a model that this version can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ParseError {
    /// The bytes do not begin with `TNET`.
    NotAModel,
    /// The file has another format version: update thumbnet, or compile the model again with the tools of this version.
    Version {
        /// The version in the file.
        found: u16,
    },
    /// The file has fewer (or more) bytes than its header says.
    Length {
        /// Bytes that the header says.
        expected: u32,
    },
    /// The checksum does not match: the file was damaged.
    Checksum,
    /// The header has a count or a size beyond the limits of [`format`](mod@crate::format).
    Header,
    /// A layer has an operator, algorithm or activation that this version does not know, or something where this version
    /// has nothing.
    UnknownCode {
        /// The layer, counted from 0.
        layer: u16,
    },
    /// A layer's shapes, window or pooling do not fit each other, their limits, or the maps that it reads.
    Shape {
        /// The layer, counted from 0.
        layer: u16,
    },
    /// A layer's weights, biases, multipliers, shifts or table are outside the file or not aligned.
    Section {
        /// The layer, counted from 0.
        layer: u16,
    },
    /// A layer has a multiplier, shift or clamp that the requantization does not allow.
    Requantization {
        /// The layer, counted from 0.
        layer: u16,
    },
    /// A layer's output ring or scratch memory is too small, outside the arena, or overwritten too early; of what enters, it is
    /// said of the first layer.
    Arena {
        /// The layer, counted from 0.
        layer: u16,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAModel => write!(f, "not a .tnet model: it does not begin with TNET"),
            Self::Version { found } => write!(
                f,
                "format version {found}, but this version of thumbnet reads {}: update thumbnet, or compile the model again",
                format::VERSION
            ),
            Self::Length { expected } => write!(f, "the file should have {expected} bytes: it was cut or extended"),
            Self::Checksum => write!(f, "the checksum does not match: the file was damaged"),
            Self::Header => write!(f, "the header has a size beyond the limits of the format"),
            Self::UnknownCode { layer } => {
                write!(f, "layer {layer} has an operator that this version does not know: update thumbnet")
            }
            Self::Shape { layer } => write!(f, "layer {layer} has shapes that do not fit"),
            Self::Section { layer } => write!(f, "layer {layer} refers to bytes outside the file"),
            Self::Requantization { layer } => write!(f, "layer {layer} has a requantization out of range"),
            Self::Arena { layer } => write!(f, "layer {layer} has memory that does not fit the arena"),
        }
    }
}

impl core::error::Error for ParseError {}

impl<'m> Model<'m> {
    /// Checks the whole file. Never panics, whatever the bytes; after it, running cannot fail.
    #[inline(never)]
    pub fn parse(bytes: &'m [u8]) -> Result<Self, ParseError> {
        let model = Self::proved(bytes)?;
        let layers = model.layer_count();
        let fits = (1..=MAX_LAYERS).contains(&layers)
            && bytes.len() >= HEADER_LEN + layers * LAYER_LEN
            && Header::is_reserved(model.header)
            && is_valid(model.input())
            && model.check_input().is_some();
        if !fits {
            return Err(ParseError::Header);
        }
        model.check_layers()?;
        arena::check(&model).map_err(|layer| ParseError::Arena { layer: layer as u16 })?;
        Ok(model)
    }

    /// A file that [`parse`](Self::parse) has accepted on another machine: checks that these are its bytes, by version, length
    /// and checksum. A build script that has parsed the file so saves a board the program for it.
    ///
    /// Running a file that would not have been accepted gives any result, but still no panic.
    #[inline(never)]
    pub const fn proved(bytes: &'m [u8]) -> Result<Self, ParseError> {
        let Some(header) = bytes.first_chunk::<HEADER_LEN>() else { return Err(ParseError::NotAModel) };
        let &[m0, m1, m2, m3, ..] = header;
        if u32::from_le_bytes([m0, m1, m2, m3]) != u32::from_le_bytes(MAGIC) {
            return Err(ParseError::NotAModel);
        }
        let (version, file_len, crc) = Header::decode_identity(header);
        if !is_read(version) {
            return Err(ParseError::Version { found: version });
        }
        if file_len as usize != bytes.len() {
            return Err(ParseError::Length { expected: file_len });
        }
        if format::checksum(bytes) != crc {
            return Err(ParseError::Checksum);
        }
        Ok(Self { bytes, header })
    }

    /// Checks each layer for itself. Not inline: its stack is not needed while the plan is checked.
    #[inline(never)]
    fn check_layers(&self) -> Result<(), ParseError> {
        self.check_ring(0).ok_or(ParseError::Arena { layer: 0 })?;
        for index in 0..Header::decode_layer_count(self.header) {
            self.check_inputs(index).ok_or(ParseError::Shape { layer: index })?;
            let is_reserved = self.record_bytes(index.into()).is_some_and(Layer::is_reserved);
            let mut layer = Layer::NONE;
            let (true, Some(())) = (is_reserved, self.read(index.into(), &mut layer, &mut Map::default())) else {
                return Err(ParseError::UnknownCode { layer: index });
            };
            let layer = &layer;
            self.check_shape(layer, index).ok_or(ParseError::Shape { layer: index })?;
            self.check_sections(layer).ok_or(ParseError::Section { layer: index })?;
            self.check_requantization(layer).ok_or(ParseError::Requantization { layer: index })?;
            self.check_scratch(layer).ok_or(ParseError::Arena { layer: index })?;
            self.check_ring(usize::from(index) + 1).ok_or(ParseError::Arena { layer: index })?;
        }
        Ok(())
    }

    /// The bytes of the file.
    pub const fn bytes(&self) -> &'m [u8] {
        self.bytes
    }

    /// The model's name.
    pub fn name(&self) -> &'m str {
        let start = HEADER_LEN - NAME_LEN;
        let field = self.bytes.get(start..HEADER_LEN).unwrap_or(&[]);
        let text = field.split(|&byte| byte == 0).next().unwrap_or(&[]);
        core::str::from_utf8(text).unwrap_or("?")
    }

    /// Bytes of memory that [`Network::new`](crate::Network::new) asks for.
    pub const fn arena_len(&self) -> usize {
        Header::decode_arena_len(self.header) as usize
    }

    /// The shape of what enters.
    pub const fn input(&self) -> Shape {
        Header::decode_input(self.header)
    }

    /// Bytes of one input row: `width * channels`.
    pub const fn input_row_len(&self) -> usize {
        self.input().row_len()
    }

    /// The real value of one step of what enters; for who makes the bytes. Of a model with a scale a channel, the first one's.
    pub fn input_scale(&self) -> f32 {
        self.header().input_scale
    }

    /// What the network was trained on in place of a byte of this channel, counted from 0: the scale and the offset in
    /// `real = scale * (byte - zero_point) + offset`. For display, and for who has real values.
    pub fn input_real(&self, channel: usize) -> [f32; 2] {
        let header = self.header();
        let float = |at: usize| {
            let bytes = self.input_section()?.get(at..)?.first_chunk()?;
            Some(f32::from_le_bytes(*bytes))
        };
        let at = channel * INPUT_SCALE_LEN;
        match (float(at), float(at + INPUT_SCALE_LEN / 2)) {
            (Some(scale), Some(offset)) => [scale, offset],
            _ => [header.input_scale, header.input_offset],
        }
    }

    /// Whether each channel of what enters has a scale and an offset of its own.
    pub fn has_input_channels(&self) -> bool {
        self.header().input_section != 0
    }

    /// Whether the network was trained on images with height and width exchanged; it takes them as they are all the same.
    pub fn input_is_transposed(&self) -> bool {
        self.header().input_transposed != 0
    }

    /// The byte that stands for a real zero in what enters.
    pub fn input_zero_point(&self) -> u8 {
        self.header().input.zero_point
    }

    /// The shape of what leaves.
    pub const fn output(&self) -> Shape {
        let Some((_, records)) = self.bytes.split_at_checked(HEADER_LEN) else { return self.input() };
        let Some((records, _)) = records.split_at_checked(self.layer_count() * LAYER_LEN) else { return self.input() };
        match records.last_chunk::<LAYER_LEN>() {
            Some(last) => Layer::decode_output(last),
            None => self.input(),
        }
    }

    /// Number of values that leave.
    pub const fn outputs(&self) -> usize {
        self.output().len()
    }

    /// The real value of one step of what leaves; for display.
    pub fn output_scale(&self) -> f32 {
        self.header().output_scale
    }

    /// Number of layers.
    pub const fn layer_count(&self) -> usize {
        Header::decode_layer_count(self.header) as usize
    }

    /// A layer, counted from 0.
    pub fn layer(&self, index: usize) -> Option<Layer> {
        self.with(index, |layer| *layer)
    }

    /// All layers in order.
    pub fn layers(&self) -> impl Iterator<Item = Layer> + '_ {
        (0..self.layer_count()).filter_map(|index| self.layer(index))
    }

    /// The kernels that its layers need, a bit each: see [`Only`](crate::kernels::Only).
    pub fn uses(&self) -> u32 {
        kernels::uses(self.layers())
    }

    /// The numbers that a layer's kernel reads.
    pub fn parameters(&self, layer: &Layer) -> Parameters<'m> {
        let section = |(offset, len): (u32, usize)| self.section(offset, len).unwrap_or(&[]);
        let [weights, bias, multipliers, shifts, table] = sections(layer);
        Parameters {
            weights: section(weights),
            bias: section(bias),
            multipliers: section(multipliers),
            shifts: section(shifts),
            table: section(table),
        }
    }

    #[inline(always)]
    fn header(&self) -> Header {
        Header::decode(self.header)
    }

    /// The bytes of a layer's record.
    fn record_bytes(&self, index: usize) -> Option<&'m [u8; LAYER_LEN]> {
        self.bytes.get(HEADER_LEN + index * LAYER_LEN..)?.first_chunk()
    }

    /// Reads a layer, counted from 0, and the first map that it reads.
    #[inline(never)]
    pub(crate) fn read(&self, index: usize, layer: &mut Layer, input: &mut Map) -> Option<()> {
        let bytes = self.record_bytes(index).filter(|_| index < self.layer_count())?;
        let [first, _] = Layer::decode_inputs(bytes);
        *input = self.map_at(usize::from(first));
        layer.decode(bytes, input.shape, input.zero_point)
    }

    /// A map; an empty one where there is none, which parsing excludes.
    #[inline(never)]
    pub(crate) fn map_at(&self, index: usize) -> Map {
        match index.checked_sub(1) {
            None => self.header().input,
            Some(layer) => self.record_bytes(layer).map_or_else(Map::default, Layer::decode_map),
        }
    }

    /// The scales and offsets of the channels of what enters, if there are any.
    fn input_section(&self) -> Option<&'m [u8]> {
        let (section, _) = Header::decode_form(self.header);
        let len = usize::from(self.input().channels) * INPUT_SCALE_LEN;
        self.section(section, len).filter(|_| section != 0)
    }

    /// Whether what is said of what enters lies in the file.
    fn check_input(&self) -> Option<()> {
        let (section, transposed) = Header::decode_form(self.header);
        let is_there = section == 0 || self.input_section().is_some();
        ((section as usize).is_multiple_of(ALIGNMENT) && is_there && transposed <= 1).then_some(())
    }

    fn section(&self, offset: u32, len: usize) -> Option<&'m [u8]> {
        let start = usize::try_from(offset).ok()?;
        self.bytes.get(start..start.checked_add(len)?)
    }

    /// Whether a layer reads maps that are made before it, each of them once, and some layer reads what it makes.
    #[inline(never)]
    fn check_inputs(&self, index: u16) -> Option<()> {
        let inputs = |index: u16| self.record_bytes(usize::from(index)).map_or([NO_MAP; 2], Layer::decode_inputs);
        let [first, second] = inputs(index);
        let made_before = |map: u8| u16::from(map) <= index;
        let made = index + 1;
        let count = Header::decode_layer_count(self.header);
        // That a layer reads no map of its own or of a later one is checked of each.
        let is_read = made == count || (0..count).any(|other| inputs(other).iter().any(|&map| u16::from(map) == made));
        (made_before(first) && (second == NO_MAP || made_before(second)) && first != second && is_read).then_some(())
    }

    #[inline(never)]
    fn check_shape(&self, layer: &Layer, index: u16) -> Option<()> {
        let bytes = self.record_bytes(index.into())?;
        let last = index + 1 == Header::decode_layer_count(self.header);
        // What enters was checked as the map that it is.
        let fits = is_valid(layer.output)
            && Layer::is_windowed_well(bytes)
            && layer.window_rows() <= MAX_WINDOW_ROWS
            && layer.expected_output() == layer.output
            && (layer.algorithm == Algorithm::Direct || winograd::is_eligible(layer))
            && asked(layer.op) & !self.facts(layer, bytes) == 0
            && (last || layer.activation != Activation::Logits)
            && (!last || layer.output.len() <= MAX_OUTPUTS);
        fits.then_some(())
    }

    /// What holds of a layer, a bit each.
    #[inline(never)]
    fn facts(&self, layer: &Layer, bytes: &[u8; LAYER_LEN]) -> u16 {
        let (input, output, map) = (layer.input, layer.output, layer.inputs[1]);
        let second = self.map_at(usize::from(map)).shape;
        let divides = |whole: u16, part: u16| part > 0 && whole.is_multiple_of(part);
        let mut facts = if map == NO_MAP { facts::ONE_MAP } else { facts::TWO_MAPS };
        let mut note = |fact: u16, holds: bool| facts |= if holds { fact } else { 0 };
        note(facts::UNWINDOWED, Layer::is_unwindowed(bytes));
        note(facts::UNPOOLED, Layer::is_unpooled(bytes));
        note(facts::BYTES, layer.activation != Activation::Logits);
        note(facts::UNGROUPED, layer.groups == 1);
        note(facts::UNWEIGHED, layer.factors == [0; 2]);
        note(facts::MULTIPLIED, divides(output.channels, input.channels));
        note(facts::GROUPED, divides(output.channels, layer.groups) && divides(input.channels, layer.groups));
        note(facts::LIKE, (second.height, second.width) == (input.height, input.width));
        note(facts::SUMMED, second.channels == input.channels);
        note(facts::JOINED, input.channels.wrapping_add(second.channels) == output.channels);
        let keeps = layer.activation == Activation::Clamp && layer.output_zero_point == layer.input_zero_point;
        note(facts::KEPT, keeps);
        facts
    }

    #[inline(never)]
    fn check_sections(&self, layer: &Layer) -> Option<()> {
        let first = HEADER_LEN + self.layer_count() * LAYER_LEN;
        // What is there is aligned, behind the records, inside the file.
        let is_right = |(offset, len): (u32, usize)| {
            let is_placed = offset as usize >= first && (offset as usize).is_multiple_of(ALIGNMENT);
            len == 0 || (is_placed && self.section(offset, len).is_some())
        };
        let fits =
            u64::from(layer.weights_len) == layer.stored_weights_len() && sections(layer).into_iter().all(is_right);
        fits.then_some(())
    }

    #[inline(never)]
    fn check_requantization(&self, layer: &Layer) -> Option<()> {
        let parameters = self.parameters(layer);
        let (multipliers, _) = parameters.multipliers.as_chunks::<4>();
        let fits = layer.low <= layer.high
            && multipliers.iter().all(|&bytes| i32::from_le_bytes(bytes) > 0)
            && parameters.shifts.iter().all(|shift| crate::requantize::SHIFTS.contains(shift));
        fits.then_some(())
    }

    /// Whether the layer has all the scratch memory that it needs, inside the arena.
    #[inline(never)]
    fn check_scratch(&self, layer: &Layer) -> Option<()> {
        let accumulators = layer.min_scratch_len();
        let scratch_len = layer.scratch_len as usize;
        // Only direct kernels can do without their workspace.
        let workable = match layer.algorithm {
            Algorithm::Direct if layer.accumulates() => scratch_len == accumulators,
            Algorithm::Direct => true,
            Algorithm::Winograd => scratch_len >= kernels::winograd_workspace_len(layer),
        };
        let [left, right] = layer.row_padding();
        // Who reads two maps reads no padding.
        let Ring { pad_left, pad_right, .. } = self.map_at(usize::from(layer.inputs[0])).ring;
        let fits = workable
            && pad_left >= left
            && pad_right >= right
            && layer.start_rows <= layer.input.height
            && (layer.scratch_offset as usize).is_multiple_of(align_of::<u32>())
            && self.is_inside(layer.scratch_offset, scratch_len);
        fits.then_some(())
    }

    /// Whether the rows of a map have memory inside the arena. The last one is the result: it is whole, without padding.
    /// Logits have no rows.
    #[inline(never)]
    fn check_ring(&self, index: usize) -> Option<()> {
        let map = self.map_at(index);
        let Ring { offset, rows, pad_left, pad_right } = map.ring;
        let fits = if index < self.layer_count() {
            (1..=map.shape.height).contains(&rows) && pad_left < MAX_KERNEL && pad_right < MAX_KERNEL
        } else if self.is_logits() {
            rows == 0 && pad_left == 0 && pad_right == 0
        } else {
            rows == map.shape.height && pad_left == 0 && pad_right == 0
        };
        (fits && self.is_inside(offset, map.ring_len() * usize::from(rows > 0))).then_some(())
    }

    /// Whether the result is the accumulators of the last layer; bytes otherwise.
    pub(crate) fn is_logits(&self) -> bool {
        self.record_bytes(self.layer_count().wrapping_sub(1)).is_some_and(Layer::is_logits)
    }

    fn is_inside(&self, offset: u32, len: usize) -> bool {
        (offset as usize).checked_add(len).is_some_and(|end| end <= self.arena_len())
    }
}

impl Layers for Model<'_> {
    fn count(&self) -> usize {
        self.layer_count()
    }

    fn get(&self, index: usize) -> Option<Layer> {
        self.layer(index)
    }

    #[inline(never)]
    fn with<T>(&self, index: usize, look: impl FnOnce(&Layer) -> T) -> Option<T> {
        // In place: no second layer is on the stack.
        let mut layer = Layer::NONE;
        self.read(index, &mut layer, &mut Map::default()).map(|()| look(&layer))
    }

    fn scratch(&self, index: usize) -> Range<usize> {
        self.record_bytes(index).map_or(0..0, Layer::decode_scratch)
    }

    fn map(&self, index: usize) -> Option<Map> {
        (index <= self.layer_count()).then(|| self.map_at(index))
    }
}

/// Where weights, biases, multipliers, shifts and table of a layer begin, and their bytes; none where there is no such section.
#[inline]
fn sections(layer: &Layer) -> [(u32, usize); 5] {
    let scales = layer.scales();
    let weights = match layer.weights_len as usize {
        0 => 0,
        len => len.saturating_add(WEIGHTS_SLACK),
    };
    let table = match layer.activation {
        Activation::Table => TABLE_LEN,
        Activation::ByteTable => BYTE_TABLE_LEN,
        Activation::Clamp | Activation::Logits => 0,
    };
    [
        (layer.weights_offset, weights),
        (layer.bias_offset, scales * size_of::<i32>()),
        (layer.multiplier_offset, scales * size_of::<i32>()),
        (layer.shift_offset, scales),
        (layer.table_offset, table),
    ]
}

/// What operators ask of their layers, a bit each.
mod facts {
    pub const ONE_MAP: u16 = 1 << 0;
    pub const TWO_MAPS: u16 = 1 << 1;
    pub const UNWINDOWED: u16 = 1 << 2;
    pub const UNPOOLED: u16 = 1 << 3;
    pub const BYTES: u16 = 1 << 4;
    pub const UNGROUPED: u16 = 1 << 5;
    pub const UNWEIGHED: u16 = 1 << 6;
    /// Each input channel has the same number of output channels.
    pub const MULTIPLIED: u16 = 1 << 7;
    /// Each group has the same number of channels, of those that enter and of those that leave.
    pub const GROUPED: u16 = 1 << 8;
    /// Both maps have the same height and width.
    pub const LIKE: u16 = 1 << 9;
    /// And the same channels.
    pub const SUMMED: u16 = 1 << 10;
    /// The channels of both maps are those that leave.
    pub const JOINED: u16 = 1 << 11;
    /// A byte stands for the same value before and after.
    pub const KEPT: u16 = 1 << 12;
}

/// What the operator asks for, and that a field is used by who has it only.
fn asked(op: Op) -> u16 {
    use facts::*;
    const SINGLE: u16 = UNWINDOWED | UNPOOLED;
    match op {
        Op::Conv => ONE_MAP | BYTES | UNGROUPED | UNWEIGHED,
        Op::DepthwiseConv => ONE_MAP | BYTES | UNGROUPED | UNWEIGHED | MULTIPLIED,
        Op::GroupedConv => ONE_MAP | BYTES | UNWEIGHED | GROUPED,
        Op::Dense => ONE_MAP | SINGLE | UNGROUPED | UNWEIGHED,
        Op::GlobalAveragePool => ONE_MAP | SINGLE | BYTES | UNGROUPED | UNWEIGHED,
        Op::MaxPool => ONE_MAP | UNPOOLED | BYTES | UNGROUPED | UNWEIGHED | KEPT,
        Op::AveragePool => ONE_MAP | UNPOOLED | BYTES | UNGROUPED | UNWEIGHED,
        Op::Add => TWO_MAPS | SINGLE | BYTES | UNGROUPED | LIKE | SUMMED,
        Op::Concat => TWO_MAPS | SINGLE | BYTES | UNGROUPED | UNWEIGHED | LIKE | JOINED,
    }
}

fn is_valid(shape: Shape) -> bool {
    [shape.height, shape.width, shape.channels].iter().all(|size| (1..=MAX_DIMENSION).contains(size))
}
