//! The model file (`.tnet`), version 2: a header, one record a layer, then the sections.
//!
//! A model is a graph of *maps*. Map 0 is what enters, map `k + 1` is what layer `k` makes; a record names the maps that its
//! layer reads. Shape, zero point and memory of a map stand once: with the layer that makes it, those of map 0 in the header.
//!
//! Little endian throughout. Sections (weights, biases, multipliers, shifts, tables) start at
//! multiples of [`ALIGNMENT`] and are addressed by byte offsets from the start of the file.
//! Codes of operators, algorithms and activations are append-only. `docs/model-format.md` has the
//! whole description; this file is the one place where the offsets are written down.

use core::ops::Range;

use crate::arena;

/// The first four bytes of every model file.
pub const MAGIC: [u8; 4] = *b"TNET";
/// The version that this crate writes, and the newest that it reads.
pub const VERSION: u16 = 2;
/// Bytes of the header.
pub const HEADER_LEN: usize = 80;
/// Bytes of one layer record.
pub const LAYER_LEN: usize = 80;
/// Every section starts at a multiple of this.
pub const ALIGNMENT: usize = 16;
/// Bytes of the file that follow every section of weights, so that the last ones can be read as a word.
pub const WEIGHTS_SLACK: usize = 4;
/// Bytes of the model's name, padded with zeros.
pub const NAME_LEN: usize = 24;

/// Most layers in a model.
pub const MAX_LAYERS: usize = 64;
/// Most maps in a model: what enters, and what each layer makes.
pub const MAX_MAPS: usize = MAX_LAYERS + 1;
/// Most maps that a layer reads.
pub const MAX_INPUTS: usize = 2;
/// In the place of a map's number: there is none.
pub const NO_MAP: u8 = u8::MAX;
/// Most values that leave a model.
pub const MAX_OUTPUTS: usize = 1 << 14;
/// Bytes of the scale and the offset of a channel of what enters.
pub const INPUT_SCALE_LEN: usize = 8;
/// Largest height, width or number of channels.
pub const MAX_DIMENSION: u16 = 1024;
/// Largest kernel height or width.
pub const MAX_KERNEL: u8 = 15;
/// Most input rows that one output row may need: `(pool - 1) * stride + kernel`.
pub const MAX_WINDOW_ROWS: usize = 20;
/// Entries of an activation table.
pub const TABLE_LEN: usize = 1024;
/// The table entry of a pre-activation of zero.
pub const TABLE_ZERO: i32 = 512;
/// Entries of a small activation table, one for each byte.
pub const BYTE_TABLE_LEN: usize = 256;

/// Field offsets in the header.
mod header {
    use core::ops::Range;
    pub const MAGIC: Range<usize> = 0..4;
    pub const VERSION: usize = 4;
    pub const LAYER_COUNT: usize = 6;
    pub const FILE_LEN: usize = 8;
    pub const CRC: usize = 12;
    pub const ARENA_LEN: usize = 16;
    pub const INPUT_SHAPE: usize = 20;
    pub const INPUT_ZERO_POINT: usize = 26;
    pub const INPUT_PAD_LEFT: usize = 27;
    pub const INPUT_PAD_RIGHT: usize = 28;
    pub const INPUT_RING_ROWS: usize = 30;
    pub const INPUT_RING_OFFSET: usize = 32;
    pub const INPUT_SCALE: usize = 36;
    pub const OUTPUT_SCALE: usize = 40;
    pub const INPUT_OFFSET: usize = 44;
    pub const INPUT_SECTION: usize = 48;
    pub const INPUT_TRANSPOSED: usize = 52;
    pub const NAME: Range<usize> = 56..80;
    pub const RESERVED: [Range<usize>; 2] = [29..30, 53..56];
}

/// The checksum covers everything from here to the end of the file, and what stands before it.
pub const CRC_START: usize = header::ARENA_LEN;

/// Field offsets in a layer record.
mod record {
    use core::ops::Range;
    pub const OP: usize = 0;
    pub const ALGORITHM: usize = 1;
    pub const ACTIVATION: usize = 2;
    pub const TABLE_ZERO: usize = 3;
    pub const KERNEL_HEIGHT: usize = 4;
    pub const KERNEL_WIDTH: usize = 5;
    pub const STRIDE_HEIGHT: usize = 6;
    pub const STRIDE_WIDTH: usize = 7;
    pub const PAD_TOP: usize = 8;
    pub const PAD_LEFT: usize = 9;
    pub const PAD_BOTTOM: usize = 10;
    pub const PAD_RIGHT: usize = 11;
    pub const POOL_SIZE: usize = 12;
    pub const POOL_STRIDE: usize = 13;
    pub const POOL_PAD_BOTTOM: usize = 14;
    pub const POOL_PAD_RIGHT: usize = 15;
    pub const WINDOW: Range<usize> = KERNEL_HEIGHT..POOL_SIZE;
    pub const POOL: Range<usize> = POOL_SIZE..INPUTS;
    pub const INPUTS: usize = 16;
    pub const OUTPUT_SHAPE: usize = 18;
    pub const OUTPUT_ZERO_POINT: usize = 24;
    pub const LOW: usize = 25;
    pub const HIGH: usize = 26;
    pub const RING_PAD_LEFT: usize = 27;
    pub const RING_PAD_RIGHT: usize = 28;
    pub const RING_ROWS: usize = 30;
    pub const RING_OFFSET: usize = 32;
    pub const START_ROWS: usize = 36;
    pub const GROUPS: usize = 38;
    pub const SCRATCH_OFFSET: usize = 40;
    pub const SCRATCH_LEN: usize = 44;
    pub const WEIGHTS_OFFSET: usize = 48;
    pub const WEIGHTS_LEN: usize = 52;
    pub const BIAS_OFFSET: usize = 56;
    pub const MULTIPLIER_OFFSET: usize = 60;
    pub const SHIFT_OFFSET: usize = 64;
    pub const TABLE_OFFSET: usize = 68;
    pub const FACTORS: usize = 72;
    pub const RESERVED: [Range<usize>; 2] = [29..30, 76..80];
}

/// Declares an enum whose codes are bytes of the file.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        pub enum $name { $($(#[$doc])* $variant = $code,)* }

        impl $name {
            /// The variant with this code, if this version knows it.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// What a layer computes before its activation.
    Op {
        /// Convolution, weights `[out_channels][kernel_height][kernel_width][in_channels]`.
        Conv = 1,
        /// Depthwise convolution, weights `[kernel_height][kernel_width][out_channels]`; output channel `c` reads input
        /// channel `c / multiplier`, where `multiplier = out_channels / in_channels`.
        DepthwiseConv = 2,
        /// Dense over the flattened map, weights `[in_height][out_channels][in_width * in_channels]`.
        Dense = 3,
        /// Global average pooling: the sum of a channel, its division done by the requantization.
        GlobalAveragePool = 4,
        /// Sum of two maps of the same shape: `bias + factors[0] * a + factors[1] * b`.
        Add = 5,
        /// The largest value under a window; padding never wins. Neither biases nor multipliers: what enters and what leaves
        /// have the same scale and zero point.
        MaxPool = 6,
        /// The sum under a window without its padding; a bias, a multiplier and a shift for each number of values that a
        /// window may have in the map, from 1 to `kernel_height * kernel_width`.
        AveragePool = 7,
        /// Two maps of the same height and width side by side, channels of the first one first; a bias, a multiplier and a
        /// shift for each map.
        Concat = 8,
        /// Convolution in groups, weights `[out_channels][kernel_height][kernel_width][in_channels / groups]`.
        GroupedConv = 9,
    }
}

codes! {
    /// How a layer's weights are stored and multiplied; the result is the same for all.
    Algorithm {
        /// One multiplication a tap, weights as the operator's documentation says.
        Direct = 0,
        /// Fewer multiplications on transformed inputs and weights: see the module `winograd`.
        Winograd = 1,
    }
}

codes! {
    /// What happens to an accumulator.
    Activation {
        /// `clamp(zero_point + round(acc * multiplier / 2^shift), low, high)`; ReLU is `low`, ReLU6 is both.
        Clamp = 0,
        /// `table[clamp(TABLE_ZERO + round(acc * multiplier / 2^shift), 0, TABLE_LEN - 1)]`.
        Table = 1,
        /// `round(acc * multiplier / 2^shift)`: the logits, as `i32`. Only on the last layer.
        Logits = 2,
        /// `table[clamp(table_zero + round(acc * multiplier / 2^shift), 0, BYTE_TABLE_LEN - 1)]`.
        ByteTable = 3,
    }
}

/// Height, width and channels of a map; stored in that order, channel fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[allow(missing_docs)]
#[repr(C)]
pub struct Shape {
    pub height: u16,
    pub width: u16,
    pub channels: u16,
}

impl Shape {
    /// No value.
    const NONE: Self = Self { height: 0, width: 0, channels: 0 };

    /// Number of values.
    pub const fn len(&self) -> usize {
        self.height as usize * self.row_len()
    }

    /// Whether there is no value.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values of a row.
    pub const fn row_len(&self) -> usize {
        self.width as usize * self.channels as usize
    }

    /// The shape whose three fields begin at `offset`.
    const fn decode<const LEN: usize>(bytes: &[u8; LEN], offset: usize) -> Self {
        let [height, width, channels] = [half(bytes, offset), half(bytes, offset + 2), half(bytes, offset + 4)];
        Self { height, width, channels }
    }
}

/// A convolution's or pooling's window: kernel, stride and padding, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(C)]
pub struct Window {
    pub kernel_height: u8,
    pub kernel_width: u8,
    pub stride_height: u8,
    pub stride_width: u8,
    pub pad_top: u8,
    pub pad_left: u8,
    pub pad_bottom: u8,
    pub pad_right: u8,
}

impl Window {
    /// A 1x1 window without padding: what a layer that slides none has.
    pub const UNIT: Self = Self::new([1, 1], [1, 1], [0; 4]);

    /// Kernel and stride are height, width; padding is top, left, bottom, right.
    pub const fn new(kernel: [u8; 2], stride: [u8; 2], padding: [u8; 4]) -> Self {
        let [kernel_height, kernel_width] = kernel;
        let [stride_height, stride_width] = stride;
        let [pad_top, pad_left, pad_bottom, pad_right] = padding;
        Self { kernel_height, kernel_width, stride_height, stride_width, pad_top, pad_left, pad_bottom, pad_right }
    }

    /// A square kernel with stride 1 and the same padding on all sides.
    pub const fn square(kernel: u8, padding: u8) -> Self {
        Self::new([kernel, kernel], [1, 1], [padding; 4])
    }

    /// Kernel pixels.
    pub fn taps(&self) -> usize {
        usize::from(self.kernel_height) * usize::from(self.kernel_width)
    }

    /// Whether a window reaches beyond the map.
    pub fn is_padded(&self) -> bool {
        self.pad_top | self.pad_left | self.pad_bottom | self.pad_right != 0
    }
}

/// Max pooling after a convolution. Padding is at the bottom and right and never wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(C)]
pub struct Pool {
    pub size: u8,
    pub stride: u8,
    pub pad_bottom: u8,
    pub pad_right: u8,
}

impl Pool {
    /// No pooling.
    pub const NONE: Self = Self { size: 1, stride: 1, pad_bottom: 0, pad_right: 0 };
}

/// The memory of a map: a ring of rows in the arena, each with padding at both sides that reads as the map's zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ring {
    /// Arena offset.
    pub offset: u32,
    /// Rows in the ring.
    pub rows: u16,
    /// Pixels of padding left of a row: as many as the reader with the most has.
    pub pad_left: u8,
    /// The same at the right.
    pub pad_right: u8,
}

/// What enters a model or leaves a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Map {
    /// Height, width, channels.
    pub shape: Shape,
    /// The quantized value of a real zero; padding reads as this.
    pub zero_point: u8,
    /// Where its rows are.
    pub ring: Ring,
}

impl Map {
    /// Bytes of one row with its padding.
    pub fn padded_row_len(&self) -> usize {
        let width = usize::from(self.ring.pad_left) + usize::from(self.shape.width) + usize::from(self.ring.pad_right);
        width * usize::from(self.shape.channels)
    }

    /// Bytes from one row of the ring to the next: neighbours share the padding between them, as much as
    /// the wider of both sides has.
    pub fn pitch(&self) -> usize {
        let padding = self.ring.pad_left.max(self.ring.pad_right);
        (usize::from(self.shape.width) + usize::from(padding)) * usize::from(self.shape.channels)
    }

    /// Bytes of this many neighbouring rows of the ring.
    pub fn rows_len(&self, rows: u16) -> usize {
        if rows == 0 { 0 } else { usize::from(rows - 1) * self.pitch() + self.padded_row_len() }
    }

    /// Bytes of the ring.
    pub fn ring_len(&self) -> usize {
        self.rows_len(self.ring.rows.max(1))
    }
}

/// One layer: operator, activation and max pooling, fused; the maps that it reads and the one that it makes; and where its
/// bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)] // As in the record, so that it is read by whole words.
pub struct Layer {
    /// The window of a convolution or pooling, [`Window::UNIT`] for other operators.
    pub window: Window,
    /// Max pooling, [`Pool::NONE`] where there is none.
    pub pool: Pool,
    /// The numbers of the maps that enter; [`NO_MAP`] for one that the operator does not have.
    pub inputs: [u8; MAX_INPUTS],
    /// What leaves, after pooling.
    pub output: Shape,
    /// The quantized value of a real zero at the output.
    pub output_zero_point: u8,
    /// Smallest output.
    pub low: u8,
    /// Largest output.
    pub high: u8,
    /// The entry of a [`Activation::ByteTable`] for a pre-activation of zero.
    pub table_zero: u8,
    /// Input rows that must have arrived before a layer that slides a window begins, if it is to wait
    /// for more than its first window: at most the input's height.
    pub start_rows: u16,
    /// Groups of a [`Op::GroupedConv`]; 1 for other operators.
    pub groups: u16,
    /// Arena offset of the scratch memory: accumulators of dense and average layers, workspace of others.
    pub scratch_offset: u32,
    /// Bytes of scratch memory.
    pub scratch_len: u32,
    /// File offset of the weights, stored as the algorithm says.
    pub weights_offset: u32,
    /// Bytes of weights.
    pub weights_len: u32,
    /// File offset of the biases, one `i32` a [scale](Self::scales).
    pub bias_offset: u32,
    /// File offset of the multipliers, one `i32` a [scale](Self::scales).
    pub multiplier_offset: u32,
    /// File offset of the shifts, one `u8` a [scale](Self::scales).
    pub shift_offset: u32,
    /// File offset of the activation table; 0 where there is none.
    pub table_offset: u32,
    /// What the maps of an [`Op::Add`] are multiplied with; 0 for other operators.
    pub factors: [i16; MAX_INPUTS],
    /// Where the output's rows are.
    pub ring: Ring,
    /// Shape of the first of them. Not in the record: it stands with the map.
    pub input: Shape,
    /// Zero point of the first of them. Not in the record: it stands with the map.
    pub input_zero_point: u8,
    /// The operator.
    pub op: Op,
    /// How the weights are stored.
    pub algorithm: Algorithm,
    /// What happens to an accumulator.
    pub activation: Activation,
}

impl Layer {
    /// A layer before it is read.
    pub(crate) const NONE: Self = Self::new(Op::Dense, Shape::NONE, Shape::NONE);

    /// A direct layer on one map, without window, pooling or zero points, whose parameters and memory have no place yet.
    pub const fn new(op: Op, input: Shape, output: Shape) -> Self {
        Self {
            op,
            algorithm: Algorithm::Direct,
            activation: Activation::Clamp,
            window: Window::UNIT,
            pool: Pool::NONE,
            inputs: [0, NO_MAP],
            input,
            input_zero_point: 0,
            output,
            output_zero_point: 0,
            low: 0,
            high: u8::MAX,
            table_zero: 0,
            groups: 1,
            factors: [0; MAX_INPUTS],
            ring: Ring { offset: 0, rows: 0, pad_left: 0, pad_right: 0 },
            start_rows: 0,
            scratch_offset: 0,
            scratch_len: 0,
            weights_offset: 0,
            weights_len: 0,
            bias_offset: 0,
            multiplier_offset: 0,
            shift_offset: 0,
            table_offset: 0,
        }
    }

    /// The map that the layer makes.
    pub fn map(&self) -> Map {
        Map { shape: self.output, zero_point: self.output_zero_point, ring: self.ring }
    }

    /// The record as bytes of the file.
    pub fn encode(&self) -> [u8; LAYER_LEN] {
        let mut bytes = [0; LAYER_LEN];
        bytes[record::OP] = self.op as u8;
        bytes[record::ALGORITHM] = self.algorithm as u8;
        bytes[record::ACTIVATION] = self.activation as u8;
        self.clone().fields(&mut Encoder(&mut bytes));
        bytes
    }

    /// Becomes the layer in these bytes, which reads a map of this shape and zero point; `None` where a code is unknown. Shapes are
    /// not checked here. In place: a layer that is copied takes a board long.
    #[inline(always)]
    pub fn decode(&mut self, bytes: &[u8; LAYER_LEN], input: Shape, input_zero_point: u8) -> Option<()> {
        self.op = Op::from_code(bytes[record::OP])?;
        self.algorithm = Algorithm::from_code(bytes[record::ALGORITHM])?;
        self.activation = Activation::from_code(bytes[record::ACTIVATION])?;
        (self.input, self.input_zero_point) = (input, input_zero_point);
        self.fields(&mut Decoder(bytes));
        Some(())
    }

    /// Whether the layer in these bytes has [`Window::UNIT`].
    pub fn is_unwindowed(bytes: &[u8; LAYER_LEN]) -> bool {
        bytes[record::WINDOW] == [1, 1, 1, 1, 0, 0, 0, 0]
    }

    /// Whether the layer in these bytes has [`Pool::NONE`].
    pub fn is_unpooled(bytes: &[u8; LAYER_LEN]) -> bool {
        bytes[record::POOL] == [1, 1, 0, 0]
    }

    /// Whether window and pooling of the layer in these bytes have sizes within the limits, less padding than kernel, and a
    /// pooling that leaves nothing out.
    pub fn is_windowed_well(bytes: &[u8; LAYER_LEN]) -> bool {
        let sizes = record::KERNEL_HEIGHT..record::PAD_TOP;
        let is_size = |size: &u8| (1..=MAX_KERNEL).contains(size);
        let pool = bytes[record::POOL_SIZE];
        bytes[sizes].iter().all(is_size)
            && bytes[record::PAD_TOP] < bytes[record::KERNEL_HEIGHT]
            && bytes[record::PAD_LEFT] < bytes[record::KERNEL_WIDTH]
            && bytes[record::PAD_BOTTOM] < bytes[record::KERNEL_HEIGHT]
            && bytes[record::PAD_RIGHT] < bytes[record::KERNEL_WIDTH]
            && is_size(&pool)
            && (1..=pool).contains(&bytes[record::POOL_STRIDE])
            && bytes[record::POOL_PAD_BOTTOM] < pool
            && bytes[record::POOL_PAD_RIGHT] < pool
    }

    /// Whether the bytes of a record that have no meaning yet are zeros.
    pub fn is_reserved(bytes: &[u8; LAYER_LEN]) -> bool {
        is_reserved(bytes, &record::RESERVED)
    }

    /// Whether the layer in these bytes leaves its result in its accumulators.
    pub fn is_logits(bytes: &[u8; LAYER_LEN]) -> bool {
        bytes[record::ACTIVATION] == Activation::Logits as u8
    }

    /// The arena range of the scratch memory of the layer in these bytes.
    pub(crate) fn decode_scratch(bytes: &[u8; LAYER_LEN]) -> Range<usize> {
        arena::scratch_at(word(bytes, record::SCRATCH_OFFSET), word(bytes, record::SCRATCH_LEN))
    }

    /// What the program may need for the layer in these bytes.
    pub(crate) const fn decode_codes(bytes: &[u8; LAYER_LEN]) -> Option<Codes> {
        let (Some(op), Some(algorithm)) =
            (Op::from_code(bytes[record::OP]), Algorithm::from_code(bytes[record::ALGORITHM]))
        else {
            return None;
        };
        let has_workspace = word(bytes, record::SCRATCH_LEN) != 0;
        Some(Codes { op, algorithm, kernel: bytes[record::KERNEL_HEIGHT], has_workspace })
    }

    /// The shape of the map that the layer in these bytes makes.
    pub(crate) const fn decode_output(bytes: &[u8; LAYER_LEN]) -> Shape {
        Shape::decode(bytes, record::OUTPUT_SHAPE)
    }

    /// The numbers of the maps that the layer in these bytes reads.
    #[inline]
    pub fn decode_inputs(bytes: &[u8; LAYER_LEN]) -> [u8; MAX_INPUTS] {
        [bytes[record::INPUTS], bytes[record::INPUTS + 1]]
    }

    /// The map that the layer in these bytes makes.
    #[inline]
    pub fn decode_map(bytes: &[u8; LAYER_LEN]) -> Map {
        let mut map = Map::default();
        map_fields(&mut map, &mut Decoder(bytes));
        map
    }

    /// Every field but the codes, once for reading and writing.
    #[inline(always)]
    fn fields<C: Codec>(&mut self, codec: &mut C) {
        let mut map = self.map();
        map_fields(&mut map, codec);
        (self.output, self.output_zero_point, self.ring) = (map.shape, map.zero_point, map.ring);
        let (window, pool) = (&mut self.window, &mut self.pool);
        codec.byte(record::TABLE_ZERO, &mut self.table_zero);
        codec.byte(record::KERNEL_HEIGHT, &mut window.kernel_height);
        codec.byte(record::KERNEL_WIDTH, &mut window.kernel_width);
        codec.byte(record::STRIDE_HEIGHT, &mut window.stride_height);
        codec.byte(record::STRIDE_WIDTH, &mut window.stride_width);
        codec.byte(record::PAD_TOP, &mut window.pad_top);
        codec.byte(record::PAD_LEFT, &mut window.pad_left);
        codec.byte(record::PAD_BOTTOM, &mut window.pad_bottom);
        codec.byte(record::PAD_RIGHT, &mut window.pad_right);
        codec.byte(record::POOL_SIZE, &mut pool.size);
        codec.byte(record::POOL_STRIDE, &mut pool.stride);
        codec.byte(record::POOL_PAD_BOTTOM, &mut pool.pad_bottom);
        codec.byte(record::POOL_PAD_RIGHT, &mut pool.pad_right);
        codec.byte(record::INPUTS, &mut self.inputs[0]);
        codec.byte(record::INPUTS + 1, &mut self.inputs[1]);
        codec.byte(record::LOW, &mut self.low);
        codec.byte(record::HIGH, &mut self.high);
        codec.half(record::START_ROWS, &mut self.start_rows);
        codec.half(record::GROUPS, &mut self.groups);
        codec.word(record::SCRATCH_OFFSET, &mut self.scratch_offset);
        codec.word(record::SCRATCH_LEN, &mut self.scratch_len);
        codec.word(record::WEIGHTS_OFFSET, &mut self.weights_offset);
        codec.word(record::WEIGHTS_LEN, &mut self.weights_len);
        codec.word(record::BIAS_OFFSET, &mut self.bias_offset);
        codec.word(record::MULTIPLIER_OFFSET, &mut self.multiplier_offset);
        codec.word(record::SHIFT_OFFSET, &mut self.shift_offset);
        codec.word(record::TABLE_OFFSET, &mut self.table_offset);
        for (index, factor) in self.factors.iter_mut().enumerate() {
            let mut half = *factor as u16;
            codec.half(record::FACTORS + 2 * index, &mut half);
            *factor = half as i16;
        }
    }
}

#[inline(always)]
fn map_fields<C: Codec>(map: &mut Map, codec: &mut C) {
    codec.shape(record::OUTPUT_SHAPE, &mut map.shape);
    codec.byte(record::OUTPUT_ZERO_POINT, &mut map.zero_point);
    codec.byte(record::RING_PAD_LEFT, &mut map.ring.pad_left);
    codec.byte(record::RING_PAD_RIGHT, &mut map.ring.pad_right);
    codec.half(record::RING_ROWS, &mut map.ring.rows);
    codec.word(record::RING_OFFSET, &mut map.ring.offset);
}

/// What the file says of the whole model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// Format version.
    pub version: u16,
    /// Layer records that follow the header.
    pub layer_count: u16,
    /// Bytes of the file.
    pub file_len: u32,
    /// CRC-32 (ISO-HDLC) of the file from [`CRC_START`] on, then of what stands before this field.
    pub crc: u32,
    /// Bytes of memory that an inference needs.
    pub arena_len: u32,
    /// What enters: map 0.
    pub input: Map,
    /// The real value of one step of what enters. For who makes the bytes: the network never reads it.
    pub input_scale: f32,
    /// The real value of a byte that is the zero point: `real = scale * (byte - zero_point) + offset`.
    pub input_offset: f32,
    /// File offset of a scale and an offset a channel, `f32` each, that stand in place of these two; 0 where all channels have the
    /// same.
    pub input_section: u32,
    /// 1 where the network was trained on images with height and width exchanged, and 0 otherwise. Its layers take them as
    /// they are.
    pub input_transposed: u8,
    /// The real value of one step of what leaves. For display only: the network never reads it.
    pub output_scale: f32,
    /// UTF-8, padded with zeros.
    pub name: [u8; NAME_LEN],
}

impl Header {
    /// The header as bytes of the file.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[header::MAGIC].copy_from_slice(&MAGIC);
        bytes[header::NAME].copy_from_slice(&self.name);
        self.clone().fields(&mut Encoder(&mut bytes));
        bytes
    }

    /// The header in these bytes, which begin with [`MAGIC`].
    ///
    /// Always inline: who reads one field decodes no other.
    #[inline(always)]
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Self {
        let mut header = Self {
            version: 0,
            layer_count: 0,
            file_len: 0,
            crc: 0,
            arena_len: 0,
            input: Map::default(),
            input_scale: 0.0,
            input_offset: 0.0,
            input_section: 0,
            input_transposed: 0,
            output_scale: 0.0,
            name: [0; NAME_LEN],
        };
        header.name.copy_from_slice(&bytes[header::NAME]);
        header.fields(&mut Decoder(bytes));
        header
    }

    /// The version, length and checksum in these bytes.
    pub(crate) const fn decode_identity(bytes: &[u8; HEADER_LEN]) -> (u16, u32, u32) {
        (half(bytes, header::VERSION), word(bytes, header::FILE_LEN), word(bytes, header::CRC))
    }

    /// The number of layers in these bytes.
    pub(crate) const fn decode_layer_count(bytes: &[u8; HEADER_LEN]) -> u16 {
        half(bytes, header::LAYER_COUNT)
    }

    /// The bytes of memory that the model of these bytes needs.
    pub(crate) const fn decode_arena_len(bytes: &[u8; HEADER_LEN]) -> u32 {
        word(bytes, header::ARENA_LEN)
    }

    /// The shape of what enters the model of these bytes.
    pub(crate) const fn decode_input(bytes: &[u8; HEADER_LEN]) -> Shape {
        Shape::decode(bytes, header::INPUT_SHAPE)
    }

    /// In these bytes, where the scales and offsets of the input's channels begin, and whether height and width changed places.
    pub(crate) const fn decode_form(bytes: &[u8; HEADER_LEN]) -> (u32, u8) {
        (word(bytes, header::INPUT_SECTION), bytes[header::INPUT_TRANSPOSED])
    }

    /// Whether the bytes that have no meaning yet are zeros.
    pub fn is_reserved(bytes: &[u8; HEADER_LEN]) -> bool {
        is_reserved(bytes, &header::RESERVED)
    }

    /// Every field but the name, once for reading and writing.
    #[inline(always)]
    fn fields<C: Codec>(&mut self, codec: &mut C) {
        codec.half(header::VERSION, &mut self.version);
        codec.half(header::LAYER_COUNT, &mut self.layer_count);
        codec.word(header::FILE_LEN, &mut self.file_len);
        codec.word(header::CRC, &mut self.crc);
        codec.word(header::ARENA_LEN, &mut self.arena_len);
        codec.shape(header::INPUT_SHAPE, &mut self.input.shape);
        codec.byte(header::INPUT_ZERO_POINT, &mut self.input.zero_point);
        codec.byte(header::INPUT_PAD_LEFT, &mut self.input.ring.pad_left);
        codec.byte(header::INPUT_PAD_RIGHT, &mut self.input.ring.pad_right);
        codec.half(header::INPUT_RING_ROWS, &mut self.input.ring.rows);
        codec.word(header::INPUT_RING_OFFSET, &mut self.input.ring.offset);
        codec.float(header::INPUT_SCALE, &mut self.input_scale);
        codec.float(header::INPUT_OFFSET, &mut self.input_offset);
        codec.word(header::INPUT_SECTION, &mut self.input_section);
        codec.byte(header::INPUT_TRANSPOSED, &mut self.input_transposed);
        codec.float(header::OUTPUT_SCALE, &mut self.output_scale);
    }
}

/// What decides which kernels a layer may need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codes {
    pub op: Op,
    pub algorithm: Algorithm,
    /// Its height.
    pub kernel: u8,
    pub has_workspace: bool,
}

/// A number of two bytes, also while a program is built.
const fn half<const LEN: usize>(bytes: &[u8; LEN], offset: usize) -> u16 {
    u16::from_le_bytes([bytes[offset], bytes[offset + 1]])
}

/// A number of four bytes, also while a program is built.
const fn word<const LEN: usize>(bytes: &[u8; LEN], offset: usize) -> u32 {
    u32::from_le_bytes([bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]])
}

/// The checksum that belongs into the header of this file: of all behind it, then of all before it.
pub const fn checksum(file: &[u8]) -> u32 {
    // Without a table: it would take 1 KB of flash for the one time that a board parses its model.
    const CRC32: crc::Crc<u32, crc::NoTable> = crc::Crc::<u32, crc::NoTable>::new(&crc::CRC_32_ISO_HDLC);
    let mut digest = CRC32.digest();
    if let Some((before, behind)) = file.split_at_checked(CRC_START) {
        digest.update(behind);
        if let Some((before, _)) = before.split_at_checked(header::CRC) {
            digest.update(before);
        }
    }
    digest.finalize()
}

/// Whether all these bytes are zero.
#[inline(never)]
fn is_reserved(bytes: &[u8], ranges: &[Range<usize>]) -> bool {
    ranges.iter().all(|range| bytes.get(range.clone()).unwrap_or(&[]).iter().all(|&byte| byte == 0))
}

/// Reads or writes fields at their offsets, so that each is listed once.
trait Codec {
    fn bytes<const N: usize>(&mut self, offset: usize, value: &mut [u8; N]);

    #[inline(always)]
    fn byte(&mut self, offset: usize, value: &mut u8) {
        let mut bytes = [*value];
        self.bytes(offset, &mut bytes);
        [*value] = bytes;
    }

    #[inline(always)]
    fn half(&mut self, offset: usize, value: &mut u16) {
        let mut bytes = value.to_le_bytes();
        self.bytes(offset, &mut bytes);
        *value = u16::from_le_bytes(bytes);
    }

    #[inline(always)]
    fn word(&mut self, offset: usize, value: &mut u32) {
        let mut bytes = value.to_le_bytes();
        self.bytes(offset, &mut bytes);
        *value = u32::from_le_bytes(bytes);
    }

    #[inline(always)]
    fn float(&mut self, offset: usize, value: &mut f32) {
        let mut bits = value.to_bits();
        self.word(offset, &mut bits);
        *value = f32::from_bits(bits);
    }

    #[inline(always)]
    fn shape(&mut self, offset: usize, value: &mut Shape) {
        self.half(offset, &mut value.height);
        self.half(offset + 2, &mut value.width);
        self.half(offset + 4, &mut value.channels);
    }
}

struct Encoder<'b, const LEN: usize>(&'b mut [u8; LEN]);

impl<const LEN: usize> Codec for Encoder<'_, LEN> {
    #[inline(always)]
    fn bytes<const N: usize>(&mut self, offset: usize, value: &mut [u8; N]) {
        self.0[offset..offset + N].copy_from_slice(value);
    }
}

struct Decoder<'b, const LEN: usize>(&'b [u8; LEN]);

impl<const LEN: usize> Codec for Decoder<'_, LEN> {
    #[inline(always)]
    fn bytes<const N: usize>(&mut self, offset: usize, value: &mut [u8; N]) {
        value.copy_from_slice(&self.0[offset..offset + N]);
    }
}
