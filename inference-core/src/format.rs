//! The model file (`.tnet`), version 1: a header, one record a layer, then the sections.
//!
//! Little endian throughout. Sections (weights, biases, multipliers, shifts, tables) start at
//! multiples of [`ALIGNMENT`] and are addressed by byte offsets from the start of the file.
//! Codes of operators, algorithms and activations are append-only. `docs/model-format.md` has the
//! whole description; this file is the one place where the offsets are written down.

use crate::winograd;

/// The first four bytes of every model file.
pub const MAGIC: [u8; 4] = *b"TNET";
/// The version that this crate reads and writes.
pub const VERSION: u16 = 1;
/// Bytes of the header.
pub const HEADER_LEN: usize = 64;
/// Bytes of one layer record.
pub const LAYER_LEN: usize = 80;
/// Every section starts at a multiple of this.
pub const ALIGNMENT: usize = 16;
/// Bytes of the file that follow every section of weights, so that the last ones can be read as a word.
pub const WEIGHTS_SLACK: usize = 4;
/// Bytes of the model's name, padded with zeros.
pub const NAME_LEN: usize = 24;

/// Most layers in a model.
pub const MAX_LAYERS: usize = 32;
/// Most classes that the last layer may tell apart.
pub const MAX_CLASSES: usize = 64;
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
/// Table entries per unit of pre-activation: the table covers -8.0 up to 8.0.
pub const TABLE_STEPS_PER_UNIT: i32 = 64;

/// Field offsets in the header.
mod header {
    use core::ops::Range;
    pub const MAGIC: Range<usize> = 0..4;
    pub const VERSION: usize = 4;
    pub const LAYER_COUNT: usize = 6;
    pub const FILE_LEN: usize = 8;
    pub const CRC: usize = 12;
    pub const ARENA_LEN: usize = 16;
    pub const INPUT_HEIGHT: usize = 20;
    pub const INPUT_WIDTH: usize = 22;
    pub const INPUT_CHANNELS: usize = 24;
    pub const CLASSES: usize = 26;
    pub const LOGIT_SCALE: usize = 28;
    pub const NAME: Range<usize> = 40..64;
}

/// The checksum covers everything from here to the end of the file.
pub const CRC_START: usize = header::ARENA_LEN;

/// Field offsets in a layer record.
mod record {
    pub const OP: usize = 0;
    pub const ALGORITHM: usize = 1;
    pub const ACTIVATION: usize = 2;
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
    pub const INPUT_SHAPE: usize = 16;
    pub const OUTPUT_SHAPE: usize = 22;
    pub const INPUT_ZERO_POINT: usize = 28;
    pub const OUTPUT_ZERO_POINT: usize = 29;
    pub const LOW: usize = 30;
    pub const HIGH: usize = 31;
    pub const RING_OFFSET: usize = 32;
    pub const RING_ROWS: usize = 36;
    pub const START_ROWS: usize = 38;
    pub const SCRATCH_OFFSET: usize = 40;
    pub const SCRATCH_LEN: usize = 44;
    pub const WEIGHTS_OFFSET: usize = 48;
    pub const WEIGHTS_LEN: usize = 52;
    pub const BIAS_OFFSET: usize = 56;
    pub const MULTIPLIER_OFFSET: usize = 60;
    pub const SHIFT_OFFSET: usize = 64;
    pub const TABLE_OFFSET: usize = 68;
}

/// Declares an enum whose codes are bytes of the file.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        #[non_exhaustive]
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
        /// Depthwise convolution (multiplier 1), weights `[kernel_height][kernel_width][channels]`.
        DepthwiseConv = 2,
        /// Dense over the flattened map, weights `[in_height][out_channels][in_width * in_channels]`.
        Dense = 3,
        /// Global average pooling: the sum of a channel, its division done by the requantization.
        GlobalAveragePool = 4,
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
        /// `clamp(zero_point + round(acc * multiplier / 2^shift), low, high)`; ReLU is `low`.
        Clamp = 0,
        /// `table[clamp(TABLE_ZERO + round(acc * multiplier / 2^shift), 0, TABLE_LEN - 1)]`.
        Table = 1,
        /// Nothing: the accumulators are the logits. Only on the last layer.
        Logits = 2,
    }
}

/// Height, width and channels of a tensor; stored in that order, channel fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[allow(missing_docs)]
pub struct Shape {
    pub height: u16,
    pub width: u16,
    pub channels: u16,
}

/// A convolution's window: kernel, stride and padding, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
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
    /// A 1x1 window without padding: what a layer that is no convolution has.
    pub const UNIT: Self = Self {
        kernel_height: 1,
        kernel_width: 1,
        stride_height: 1,
        stride_width: 1,
        pad_top: 0,
        pad_left: 0,
        pad_bottom: 0,
        pad_right: 0,
    };
}

/// Max pooling after the convolution. Padding is at the bottom and right and never wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
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

/// One layer: operator, activation and max pooling, fused, and where its bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The operator.
    pub op: Op,
    /// How the weights are stored.
    pub algorithm: Algorithm,
    /// What happens to an accumulator.
    pub activation: Activation,
    /// The convolution's window, [`Window::UNIT`] for other operators.
    pub window: Window,
    /// Max pooling, [`Pool::NONE`] where there is none.
    pub pool: Pool,
    /// What enters.
    pub input: Shape,
    /// What leaves, after pooling.
    pub output: Shape,
    /// The quantized value of a real zero at the input; padding reads as this.
    pub input_zero_point: u8,
    /// The quantized value of a real zero at the output.
    pub output_zero_point: u8,
    /// Smallest output.
    pub low: u8,
    /// Largest output.
    pub high: u8,
    /// Arena offset of the ring of input rows.
    pub ring_offset: u32,
    /// Rows in the ring.
    pub ring_rows: u16,
    /// Input rows that must have arrived before a layer that slides a window begins, if it is to wait
    /// for more than its first window: at most the input's height.
    pub start_rows: u16,
    /// Arena offset of the scratch memory: accumulators of dense and average layers, workspace of others.
    pub scratch_offset: u32,
    /// Bytes of scratch memory.
    pub scratch_len: u32,
    /// File offset of the weights, stored as the algorithm says.
    pub weights_offset: u32,
    /// Bytes of weights.
    pub weights_len: u32,
    /// File offset of the biases, one `i32` an output channel.
    pub bias_offset: u32,
    /// File offset of the multipliers, one `i32` an output channel; 0 for logits.
    pub multiplier_offset: u32,
    /// File offset of the shifts, one `u8` an output channel; 0 for logits.
    pub shift_offset: u32,
    /// File offset of the activation table; 0 where there is none.
    pub table_offset: u32,
}

impl Layer {
    /// A direct layer without window, pooling or zero points, whose parameters and memory have no place yet.
    pub const fn new(op: Op, input: Shape, output: Shape) -> Self {
        Self {
            op,
            algorithm: Algorithm::Direct,
            activation: Activation::Clamp,
            window: Window::UNIT,
            pool: Pool::NONE,
            input,
            output,
            input_zero_point: 0,
            output_zero_point: 0,
            low: 0,
            high: u8::MAX,
            ring_offset: 0,
            ring_rows: 0,
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

    /// The record as bytes of the file.
    pub fn encode(&self) -> [u8; LAYER_LEN] {
        let mut bytes = [0; LAYER_LEN];
        let (window, pool) = (&self.window, &self.pool);
        bytes[record::OP] = self.op as u8;
        bytes[record::ALGORITHM] = self.algorithm as u8;
        bytes[record::ACTIVATION] = self.activation as u8;
        bytes[record::KERNEL_HEIGHT] = window.kernel_height;
        bytes[record::KERNEL_WIDTH] = window.kernel_width;
        bytes[record::STRIDE_HEIGHT] = window.stride_height;
        bytes[record::STRIDE_WIDTH] = window.stride_width;
        bytes[record::PAD_TOP] = window.pad_top;
        bytes[record::PAD_LEFT] = window.pad_left;
        bytes[record::PAD_BOTTOM] = window.pad_bottom;
        bytes[record::PAD_RIGHT] = window.pad_right;
        bytes[record::POOL_SIZE] = pool.size;
        bytes[record::POOL_STRIDE] = pool.stride;
        bytes[record::POOL_PAD_BOTTOM] = pool.pad_bottom;
        bytes[record::POOL_PAD_RIGHT] = pool.pad_right;
        put_shape(&mut bytes, record::INPUT_SHAPE, self.input);
        put_shape(&mut bytes, record::OUTPUT_SHAPE, self.output);
        bytes[record::INPUT_ZERO_POINT] = self.input_zero_point;
        bytes[record::OUTPUT_ZERO_POINT] = self.output_zero_point;
        bytes[record::LOW] = self.low;
        bytes[record::HIGH] = self.high;
        put_u32(&mut bytes, record::RING_OFFSET, self.ring_offset);
        put_u16(&mut bytes, record::RING_ROWS, self.ring_rows);
        put_u16(&mut bytes, record::START_ROWS, self.start_rows);
        put_u32(&mut bytes, record::SCRATCH_OFFSET, self.scratch_offset);
        put_u32(&mut bytes, record::SCRATCH_LEN, self.scratch_len);
        put_u32(&mut bytes, record::WEIGHTS_OFFSET, self.weights_offset);
        put_u32(&mut bytes, record::WEIGHTS_LEN, self.weights_len);
        put_u32(&mut bytes, record::BIAS_OFFSET, self.bias_offset);
        put_u32(&mut bytes, record::MULTIPLIER_OFFSET, self.multiplier_offset);
        put_u32(&mut bytes, record::SHIFT_OFFSET, self.shift_offset);
        put_u32(&mut bytes, record::TABLE_OFFSET, self.table_offset);
        bytes
    }

    /// The layer in these bytes; `None` where a code is unknown. Shapes are not checked here.
    pub fn decode(bytes: &[u8; LAYER_LEN]) -> Option<Self> {
        Some(Self {
            op: Op::from_code(bytes[record::OP])?,
            algorithm: Algorithm::from_code(bytes[record::ALGORITHM])?,
            activation: Activation::from_code(bytes[record::ACTIVATION])?,
            window: Window {
                kernel_height: bytes[record::KERNEL_HEIGHT],
                kernel_width: bytes[record::KERNEL_WIDTH],
                stride_height: bytes[record::STRIDE_HEIGHT],
                stride_width: bytes[record::STRIDE_WIDTH],
                pad_top: bytes[record::PAD_TOP],
                pad_left: bytes[record::PAD_LEFT],
                pad_bottom: bytes[record::PAD_BOTTOM],
                pad_right: bytes[record::PAD_RIGHT],
            },
            pool: Pool {
                size: bytes[record::POOL_SIZE],
                stride: bytes[record::POOL_STRIDE],
                pad_bottom: bytes[record::POOL_PAD_BOTTOM],
                pad_right: bytes[record::POOL_PAD_RIGHT],
            },
            input: get_shape(bytes, record::INPUT_SHAPE),
            output: get_shape(bytes, record::OUTPUT_SHAPE),
            input_zero_point: bytes[record::INPUT_ZERO_POINT],
            output_zero_point: bytes[record::OUTPUT_ZERO_POINT],
            low: bytes[record::LOW],
            high: bytes[record::HIGH],
            ring_offset: get_u32(bytes, record::RING_OFFSET),
            ring_rows: get_u16(bytes, record::RING_ROWS),
            start_rows: get_u16(bytes, record::START_ROWS),
            scratch_offset: get_u32(bytes, record::SCRATCH_OFFSET),
            scratch_len: get_u32(bytes, record::SCRATCH_LEN),
            weights_offset: get_u32(bytes, record::WEIGHTS_OFFSET),
            weights_len: get_u32(bytes, record::WEIGHTS_LEN),
            bias_offset: get_u32(bytes, record::BIAS_OFFSET),
            multiplier_offset: get_u32(bytes, record::MULTIPLIER_OFFSET),
            shift_offset: get_u32(bytes, record::SHIFT_OFFSET),
            table_offset: get_u32(bytes, record::TABLE_OFFSET),
        })
    }

    /// Height of the convolution's result, before pooling.
    pub fn conv_height(&self) -> usize {
        let window = &self.window;
        positions(
            usize::from(self.input.height) + usize::from(window.pad_top) + usize::from(window.pad_bottom),
            window.kernel_height,
            window.stride_height,
        )
    }

    /// Width of the convolution's result, before pooling.
    pub fn conv_width(&self) -> usize {
        positions(self.padded_width(), self.window.kernel_width, self.window.stride_width)
    }

    /// The output shape that operator, window and pooling give; dense layers choose their channels.
    pub fn expected_output(&self) -> Shape {
        match self.op {
            Op::Conv | Op::DepthwiseConv => {
                let pool = &self.pool;
                let pooled =
                    |size: usize, padding: u8| positions(size + usize::from(padding), pool.size, pool.stride) as u16;
                Shape {
                    height: pooled(self.conv_height(), pool.pad_bottom),
                    width: pooled(self.conv_width(), pool.pad_right),
                    channels: if self.op == Op::Conv { self.output.channels } else { self.input.channels },
                }
            }
            Op::Dense => Shape { height: 1, width: 1, channels: self.output.channels },
            Op::GlobalAveragePool => Shape { height: 1, width: 1, channels: self.input.channels },
        }
    }

    /// Weights that the operator has; one byte each for [`Algorithm::Direct`].
    pub fn weight_count(&self) -> u64 {
        let taps = u32::from(self.window.kernel_height) * u32::from(self.window.kernel_width);
        let pixels = u32::from(self.input.height) * u32::from(self.input.width);
        let (input, output) = (u32::from(self.input.channels), u32::from(self.output.channels));
        match self.op {
            Op::Conv => u64::from(taps * input) * u64::from(output),
            Op::DepthwiseConv => u64::from(taps * input),
            Op::Dense => u64::from(pixels) * u64::from(input * output),
            Op::GlobalAveragePool => 0,
        }
    }

    /// Bytes of the weights as the algorithm stores them.
    pub fn stored_weights_len(&self) -> u64 {
        match self.algorithm {
            Algorithm::Direct => self.weight_count(),
            Algorithm::Winograd => winograd::stored_weights_len(self),
        }
    }

    /// Multiply-accumulates of one inference, the way they are usually counted: as many as a direct
    /// convolution has.
    pub fn macs(&self) -> u64 {
        match self.op {
            Op::Conv | Op::DepthwiseConv => self.weight_count() * (self.conv_height() * self.conv_width()) as u64,
            _ => self.weight_count(),
        }
    }

    /// Whether the layer adds up its rows as they come (dense, average) instead of sliding a window.
    pub fn accumulates(&self) -> bool {
        matches!(self.op, Op::Dense | Op::GlobalAveragePool)
    }

    /// Width of an input row with its padding, in pixels.
    pub fn padded_width(&self) -> usize {
        usize::from(self.window.pad_left) + usize::from(self.input.width) + usize::from(self.window.pad_right)
    }

    /// Bytes of one input row with its padding: `(pad_left + width + pad_right) * channels`.
    pub fn padded_row_len(&self) -> usize {
        self.padded_width() * usize::from(self.input.channels)
    }

    /// Bytes from one row of the ring to the next: neighbours share the padding between them, as much as
    /// the wider of both sides has.
    pub fn ring_pitch(&self) -> usize {
        let padding = self.window.pad_left.max(self.window.pad_right);
        (usize::from(self.input.width) + usize::from(padding)) * usize::from(self.input.channels)
    }

    /// Bytes of the ring.
    pub fn ring_len(&self) -> usize {
        usize::from(self.ring_rows.saturating_sub(1)) * self.ring_pitch() + self.padded_row_len()
    }

    /// Output rows that the layer makes in one step; the last step may make fewer.
    pub fn rows_per_step(&self) -> usize {
        if self.algorithm == Algorithm::Winograd && self.pool.size == 1 { winograd::TILE } else { 1 }
    }

    /// Rows of the convolution's result that one step covers; the last step may cover fewer.
    pub fn conv_rows_per_step(&self) -> usize {
        self.rows_per_step().max(usize::from(self.pool.size))
    }

    /// Input rows (padding included) that one step needs.
    pub fn window_rows(&self) -> usize {
        self.conv_rows_per_step().saturating_sub(1) * usize::from(self.window.stride_height)
            + usize::from(self.window.kernel_height)
    }

    /// Ring rows that are enough for a layer that starts with its first window, if rows arrive in groups
    /// of `arriving`: the [`Layer::rows_per_step`] of the layer before.
    pub fn min_ring_rows(&self, arriving: usize) -> usize {
        let needed = if self.accumulates() { 1 } else { self.window_rows() };
        (needed + arriving.saturating_sub(1)).min(usize::from(self.input.height))
    }

    /// Bytes of scratch memory that the layer needs: its accumulators, if it keeps any.
    pub fn min_scratch_len(&self) -> usize {
        if self.accumulates() { usize::from(self.output.channels) * size_of::<i32>() } else { 0 }
    }
}

/// How often a window fits; 0 where it does not.
fn positions(size: usize, window: u8, stride: u8) -> usize {
    match (size.checked_sub(usize::from(window)), usize::from(stride)) {
        (None, _) | (_, 0) => 0,
        (Some(room), stride) => room / stride + 1,
    }
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
    /// CRC-32 (ISO-HDLC) of the file from [`CRC_START`] on.
    pub crc: u32,
    /// Bytes of memory that an inference needs.
    pub arena_len: u32,
    /// The image that enters.
    pub input: Shape,
    /// Number of logits.
    pub classes: u16,
    /// The real value of one step of a logit. For display only: the network never reads it.
    pub logit_scale: f32,
    /// UTF-8, padded with zeros.
    pub name: [u8; NAME_LEN],
}

impl Header {
    /// The header as bytes of the file.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[header::MAGIC].copy_from_slice(&MAGIC);
        put_u16(&mut bytes, header::VERSION, self.version);
        put_u16(&mut bytes, header::LAYER_COUNT, self.layer_count);
        put_u32(&mut bytes, header::FILE_LEN, self.file_len);
        put_u32(&mut bytes, header::CRC, self.crc);
        put_u32(&mut bytes, header::ARENA_LEN, self.arena_len);
        put_u16(&mut bytes, header::INPUT_HEIGHT, self.input.height);
        put_u16(&mut bytes, header::INPUT_WIDTH, self.input.width);
        put_u16(&mut bytes, header::INPUT_CHANNELS, self.input.channels);
        put_u16(&mut bytes, header::CLASSES, self.classes);
        put_u32(&mut bytes, header::LOGIT_SCALE, self.logit_scale.to_bits());
        bytes[header::NAME].copy_from_slice(&self.name);
        bytes
    }

    /// The header in these bytes, which begin with [`MAGIC`].
    ///
    /// Always inline: who reads one field decodes no other.
    #[inline(always)]
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Self {
        let mut name = [0; NAME_LEN];
        name.copy_from_slice(&bytes[header::NAME]);
        Self {
            version: get_u16(bytes, header::VERSION),
            layer_count: get_u16(bytes, header::LAYER_COUNT),
            file_len: get_u32(bytes, header::FILE_LEN),
            crc: get_u32(bytes, header::CRC),
            arena_len: get_u32(bytes, header::ARENA_LEN),
            input: Shape {
                height: get_u16(bytes, header::INPUT_HEIGHT),
                width: get_u16(bytes, header::INPUT_WIDTH),
                channels: get_u16(bytes, header::INPUT_CHANNELS),
            },
            classes: get_u16(bytes, header::CLASSES),
            logit_scale: f32::from_bits(get_u32(bytes, header::LOGIT_SCALE)),
            name,
        }
    }
}

/// The checksum that belongs into the header of this file.
pub fn checksum(file: &[u8]) -> u32 {
    // Without a table: it would take 1 KB of flash for the one time that a board parses its model.
    static CRC32: crc::Crc<u32, crc::NoTable> = crc::Crc::<u32, crc::NoTable>::new(&crc::CRC_32_ISO_HDLC);
    CRC32.checksum(file.get(CRC_START..).unwrap_or(&[]))
}

fn put_u16<const N: usize>(bytes: &mut [u8; N], offset: usize, value: u16) {
    bytes[offset..offset + 2].copy_from_slice(&value.to_le_bytes());
}

fn put_u32<const N: usize>(bytes: &mut [u8; N], offset: usize, value: u32) {
    bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
}

fn put_shape<const N: usize>(bytes: &mut [u8; N], offset: usize, shape: Shape) {
    put_u16(bytes, offset, shape.height);
    put_u16(bytes, offset + 2, shape.width);
    put_u16(bytes, offset + 4, shape.channels);
}

fn get_u16<const N: usize>(bytes: &[u8; N], offset: usize) -> u16 {
    u16::from_le_bytes([bytes[offset], bytes[offset + 1]])
}

fn get_u32<const N: usize>(bytes: &[u8; N], offset: usize) -> u32 {
    u32::from_le_bytes([bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]])
}

fn get_shape<const N: usize>(bytes: &[u8; N], offset: usize) -> Shape {
    Shape { height: get_u16(bytes, offset), width: get_u16(bytes, offset + 2), channels: get_u16(bytes, offset + 4) }
}
