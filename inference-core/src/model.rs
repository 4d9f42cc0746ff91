//! A model file, checked once so that running it cannot fail.

use core::fmt;

use crate::arena;
use crate::format::{
    self, ALIGNMENT, Activation, Algorithm, HEADER_LEN, Header, LAYER_LEN, Layer, MAGIC, MAX_CLASSES, MAX_DIMENSION,
    MAX_KERNEL, MAX_LAYERS, MAX_WINDOW_ROWS, NAME_LEN, Op, Pool, Shape, TABLE_LEN, WEIGHTS_SLACK, Window,
};
use crate::kernels::{self, Parameters};
use crate::schedule::Layers;
use crate::winograd;

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
    /// A layer has an operator, algorithm or activation that this version does not know.
    UnknownCode {
        /// The layer, counted from 0.
        layer: u16,
    },
    /// A layer's shapes, window or pooling do not fit each other, their limits, or the layer before.
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
    /// A layer's ring or scratch memory is too small, outside the arena, or overwritten too early.
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
        let first = bytes.first_chunk::<HEADER_LEN>().filter(|_| bytes.starts_with(&MAGIC));
        let first = first.ok_or(ParseError::NotAModel)?;
        let header = Header::decode(first);
        if header.version != format::VERSION {
            return Err(ParseError::Version { found: header.version });
        }
        if usize::try_from(header.file_len) != Ok(bytes.len()) {
            return Err(ParseError::Length { expected: header.file_len });
        }
        if format::checksum(bytes) != header.crc {
            return Err(ParseError::Checksum);
        }
        let layers = usize::from(header.layer_count);
        let classes = usize::from(header.classes);
        if !(1..=MAX_LAYERS).contains(&layers) || !(1..=MAX_CLASSES).contains(&classes) {
            return Err(ParseError::Header);
        }
        if bytes.len() < HEADER_LEN + layers * LAYER_LEN || !is_valid(header.input) {
            return Err(ParseError::Header);
        }
        let model = Self { bytes, header: first };
        model.check_layers()?;
        arena::check(&model).map_err(|layer| ParseError::Arena { layer: layer as u16 })?;
        Ok(model)
    }

    /// Checks each layer for itself. Not inline: its stack is not needed while the plan is checked.
    #[inline(never)]
    fn check_layers(&self) -> Result<(), ParseError> {
        let mut input = self.input();
        for index in 0..self.header().layer_count {
            let Some(layer) = &self.record(index) else { return Err(ParseError::UnknownCode { layer: index }) };
            self.check_shape(layer, index, input).ok_or(ParseError::Shape { layer: index })?;
            self.check_sections(layer).ok_or(ParseError::Section { layer: index })?;
            self.check_requantization(layer).ok_or(ParseError::Requantization { layer: index })?;
            self.check_arena(layer).ok_or(ParseError::Arena { layer: index })?;
            input = layer.output;
        }
        Ok(())
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &'m [u8] {
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
    pub fn arena_len(&self) -> usize {
        self.header().arena_len as usize
    }

    /// The image that enters.
    pub fn input(&self) -> Shape {
        self.header().input
    }

    /// Bytes of one input row: `width * channels`.
    pub fn input_row_len(&self) -> usize {
        usize::from(self.header().input.width) * usize::from(self.header().input.channels)
    }

    /// Number of logits.
    pub fn classes(&self) -> usize {
        usize::from(self.header().classes)
    }

    /// The real value of one step of a logit; for display.
    pub fn logit_scale(&self) -> f32 {
        self.header().logit_scale
    }

    /// Number of layers.
    pub fn layer_count(&self) -> usize {
        usize::from(self.header().layer_count)
    }

    /// A layer, counted from 0.
    pub fn layer(&self, index: usize) -> Option<Layer> {
        u16::try_from(index)
            .ok()
            .filter(|&index| index < self.header().layer_count)
            .and_then(|index| self.record(index))
    }

    /// All layers in order.
    pub fn layers(&self) -> impl Iterator<Item = Layer> + '_ {
        (0..self.header().layer_count).filter_map(|index| self.record(index))
    }

    /// The numbers that a layer's kernel reads.
    pub fn parameters(&self, layer: &Layer) -> Parameters<'m> {
        let channels = usize::from(layer.output.channels);
        let requantized = if layer.activation == Activation::Logits { 0 } else { channels };
        let table = if layer.activation == Activation::Table { TABLE_LEN } else { 0 };
        let weights_len = layer.weights_len as usize + WEIGHTS_SLACK;
        Parameters {
            weights: self.section(layer.weights_offset, weights_len).unwrap_or(&[]),
            bias: self.section(layer.bias_offset, channels * size_of::<i32>()).unwrap_or(&[]),
            multipliers: self.section(layer.multiplier_offset, requantized * size_of::<i32>()).unwrap_or(&[]),
            shifts: self.section(layer.shift_offset, requantized).unwrap_or(&[]),
            table: self.section(layer.table_offset, table).unwrap_or(&[]),
        }
    }

    #[inline(always)]
    fn header(&self) -> Header {
        Header::decode(self.header)
    }

    fn record(&self, index: u16) -> Option<Layer> {
        let start = HEADER_LEN + usize::from(index) * LAYER_LEN;
        Layer::decode(self.bytes.get(start..)?.first_chunk()?)
    }

    fn section(&self, offset: u32, len: usize) -> Option<&'m [u8]> {
        let start = usize::try_from(offset).ok()?;
        self.bytes.get(start..start.checked_add(len)?)
    }

    fn check_shape(&self, layer: &Layer, index: u16, input: Shape) -> Option<()> {
        let last = index + 1 == self.header().layer_count;
        let (window, pool) = (&layer.window, &layer.pool);
        let kernels = [window.kernel_height, window.kernel_width, window.stride_height, window.stride_width];
        // What enters was checked as the image, or as what leaves the layer before.
        let fits = layer.input == input
            && is_valid(layer.output)
            && kernels.iter().all(|size| (1..=MAX_KERNEL).contains(size))
            && window.pad_top < window.kernel_height
            && window.pad_bottom < window.kernel_height
            && window.pad_left < window.kernel_width
            && window.pad_right < window.kernel_width
            && (1..=MAX_KERNEL).contains(&pool.size)
            && (1..=pool.size).contains(&pool.stride)
            && pool.pad_bottom < pool.size
            && pool.pad_right < pool.size
            && layer.window_rows() <= MAX_WINDOW_ROWS
            && layer.expected_output() == layer.output
            && (layer.algorithm == Algorithm::Direct || winograd::is_eligible(layer))
            && (!layer.accumulates() || (*window == Window::UNIT && *pool == Pool::NONE))
            && last == (layer.activation == Activation::Logits)
            && (!last || (layer.op == Op::Dense && layer.output.channels == self.header().classes));
        fits.then_some(())
    }

    fn check_sections(&self, layer: &Layer) -> Option<()> {
        let section = |offset, len| self.check_section(offset, len);
        let channels = usize::from(layer.output.channels);
        if u64::from(layer.weights_len) != layer.stored_weights_len() {
            return None;
        }
        if layer.weights_len > 0 {
            section(layer.weights_offset, layer.weights_len as usize + WEIGHTS_SLACK)?;
        }
        section(layer.bias_offset, channels * size_of::<i32>())?;
        if layer.activation != Activation::Logits {
            section(layer.multiplier_offset, channels * size_of::<i32>())?;
            section(layer.shift_offset, channels)?;
        }
        if layer.activation == Activation::Table {
            section(layer.table_offset, TABLE_LEN)?;
        }
        Some(())
    }

    /// Whether there is such a section: aligned, behind the records, inside the file.
    #[inline(never)]
    fn check_section(&self, offset: u32, len: usize) -> Option<()> {
        let first = HEADER_LEN + self.layer_count() * LAYER_LEN;
        let is_behind = offset as usize >= first && (offset as usize).is_multiple_of(ALIGNMENT);
        self.section(offset, len).filter(|_| is_behind).map(|_| ())
    }

    fn check_requantization(&self, layer: &Layer) -> Option<()> {
        let parameters = self.parameters(layer);
        let (multipliers, _) = parameters.multipliers.as_chunks::<4>();
        let fits = layer.low <= layer.high
            && multipliers.iter().all(|&bytes| i32::from_le_bytes(bytes) > 0)
            && parameters.shifts.iter().all(|shift| crate::requantize::SHIFTS.contains(shift));
        fits.then_some(())
    }

    /// Whether the layer has all the memory that it needs, inside the arena.
    fn check_arena(&self, layer: &Layer) -> Option<()> {
        let accumulators = layer.min_scratch_len();
        let scratch_len = layer.scratch_len as usize;
        // Only direct kernels can do without their workspace.
        let workable = match layer.algorithm {
            Algorithm::Direct if layer.accumulates() => scratch_len == accumulators,
            Algorithm::Direct => true,
            Algorithm::Winograd => scratch_len >= kernels::winograd_workspace_len(layer),
        };
        let inside = |offset: u32, len: usize| offset as u64 + len as u64 <= self.arena_len() as u64;
        let fits = workable
            && (1..=layer.input.height).contains(&layer.ring_rows)
            && layer.start_rows <= layer.input.height
            && (layer.scratch_offset as usize).is_multiple_of(align_of::<u32>())
            && inside(layer.ring_offset, layer.ring_len())
            && inside(layer.scratch_offset, scratch_len);
        fits.then_some(())
    }
}

impl Layers for Model<'_> {
    fn count(&self) -> usize {
        self.layer_count()
    }

    fn get(&self, index: usize) -> Option<Layer> {
        self.layer(index)
    }
}

fn is_valid(shape: Shape) -> bool {
    [shape.height, shape.width, shape.channels].iter().all(|size| (1..=MAX_DIMENSION).contains(size))
}
