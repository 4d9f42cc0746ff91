//! How a direct convolution is cut into blocks of four pixels, and the memory that this takes.
//!
//! The pixels under a window, a *patch* of `kernel_height * kernel_width * in_channels` bytes, are
//! widened to 16 bits once for all output channels, in chunks of at most [`CHUNK`] taps.

use core::num::NonZero;

use crate::format::{Layer, Op};

/// Pixels of a block.
pub const PIXELS: usize = 4;
/// Taps that are widened at a time.
pub const CHUNK: usize = 128;
/// Bytes of a vector, where a core has some.
const VECTOR: usize = 16;

/// A pixel of the convolution's result. A word, so that blocks of them are copied by a few instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(4))]
pub struct Place {
    /// Its first row in the window.
    pub top: u16,
    /// Its first input column.
    pub left: u16,
}

impl Place {
    /// The first pixel.
    pub const ORIGIN: Self = Self { top: 0, left: 0 };
    /// No pixel.
    pub const NOWHERE: Self = Self { top: u16::MAX, left: 0 };

    /// Row and column; maps have at most 2^10 of both, and strides are smaller than 2^4.
    fn new(top: usize, left: usize) -> Self {
        Self { top: top as u16, left: left as u16 }
    }
}

/// Block `index` of a row without pooling; of its pixels, `count` exist, and the last one is repeated.
#[inline(never)]
pub fn row_places(layer: &Layer, index: usize, count: usize) -> [Place; PIXELS] {
    let stride = usize::from(layer.window.stride_width);
    [0, 1, 2, 3].map(|pixel: usize| Place::new(0, (index * PIXELS + pixel.min(count.saturating_sub(1))) * stride))
}

/// The pixels of the convolution's result that a pooled output is the largest of.
#[derive(Clone, Copy, Debug)]
pub struct PoolWindow {
    first_column: usize,
    width: NonZero<usize>,
    /// The number of its last pixel, in rows from the left.
    pub last: usize,
}

impl PoolWindow {
    /// One block.
    pub const SINGLE: Self = Self { first_column: 0, width: NonZero::<usize>::MIN, last: 0 };

    /// The window of output column `x`, where the map has `conv_rows` rows for it.
    #[inline(never)]
    pub fn of(layer: &Layer, conv_rows: usize, x: usize) -> Self {
        let conv_width = layer.conv_width();
        let first_column = x * usize::from(layer.pool.stride);
        let width = usize::from(layer.pool.size).min(conv_width - first_column.min(conv_width));
        let width = NonZero::new(width).unwrap_or(NonZero::<usize>::MIN);
        Self { first_column, width, last: (conv_rows * width.get()).saturating_sub(1) }
    }

    /// Four pixels from number `start` on; the last one is repeated. A column that the next window has
    /// too keeps its place in the block.
    #[inline(never)]
    pub fn places(&self, layer: &Layer, start: usize) -> [Place; PIXELS] {
        let &Self { first_column, width, last } = self;
        [0, 1, 2, 3].map(|index| {
            let index = (start + index).min(last);
            let (y, x) = match width.get() {
                1 => (index, first_column),
                2 => (index / 2, first_column + (index + first_column) % 2),
                columns => (index / width, first_column + (index + columns - first_column % width) % width),
            };
            Place::new(y * usize::from(layer.window.stride_height), x * usize::from(layer.window.stride_width))
        })
    }
}

/// The blocks of one layer.
#[derive(Clone, Copy, Debug)]
pub struct Blocking {
    /// Output channels.
    pub channels: usize,
    /// Whether a pooling window has more pixels than a block.
    pub many_blocks: bool,
    /// Taps of a filter.
    pub taps: usize,
    /// Taps of a chunk, a multiple of 4.
    pub chunk: usize,
}

/// Keeps the largest sums of a pooling window, block by block: writes them in the place of the first pixel's.
///
/// `largest`: one a channel, or empty where a window has one block.
pub fn keep_largest(is_first: bool, largest: &mut [i32], accumulators: &mut [[i32; PIXELS]]) {
    for (largest, sums) in largest.iter_mut().zip(accumulators) {
        let before = if is_first { i32::MIN } else { *largest };
        *largest = sums.iter().fold(before, |largest, &sum| largest.max(sum));
        sums[0] = *largest;
    }
}

impl Blocking {
    /// The blocks of this convolution.
    pub fn of(layer: &Layer) -> Self {
        let window = &layer.window;
        let taps =
            usize::from(window.kernel_height) * usize::from(window.kernel_width) * usize::from(layer.input.channels);
        Self {
            channels: usize::from(layer.output.channels),
            many_blocks: usize::from(layer.pool.size) * usize::from(layer.pool.size) > PIXELS,
            taps,
            chunk: taps.next_multiple_of(4).min(CHUNK),
        }
    }

    /// Words of the accumulators: the pixels of a block for each channel.
    pub fn accumulator_words(&self) -> usize {
        self.channels * PIXELS
    }

    /// Words of the largest accumulators of a pooling window.
    pub fn largest_words(&self) -> usize {
        if self.many_blocks { self.channels } else { 0 }
    }

    /// Words of a chunk of one pixel's patch, as bytes.
    pub fn gathered_words(&self) -> usize {
        self.chunk / 4
    }

    /// Words of a chunk of the patches of all pixels, widened to 16 bits.
    pub fn widened_words(&self) -> usize {
        self.chunk / 2 * PIXELS
    }

    /// Words that a family needs which takes taps by whole vectors: a start beside the accumulators of each channel,
    /// a chunk of four pixels, and of one whose rows are put together.
    fn vector_words(&self) -> usize {
        (self.channels.next_multiple_of(4) + self.chunk.next_multiple_of(VECTOR) / 4) * (PIXELS + 1)
            + self.largest_words()
    }

    /// Bytes of workspace: all of the above, and what aligning them may cost.
    pub fn workspace_len(&self) -> usize {
        let words = self.accumulator_words() + self.largest_words() + self.gathered_words() + self.widened_words();
        (words.max(self.vector_words()) + 1) * size_of::<u32>()
    }
}

/// A row of a convolution of one input channel, of which each output channel goes along the whole row.
#[derive(Clone, Copy, Debug)]
pub struct SingleChannel {
    /// Rows and columns of the kernel: 3, 5 or 7.
    pub kernel: usize,
    /// Rows and columns of the pooling: 1 or 2.
    pub pool: usize,
    /// Columns from a pooling window to the next one.
    pub stride: usize,
    /// Sums of a row, pooled; without pooling an even number.
    pub sums: usize,
}

impl SingleChannel {
    /// The row, if this layer has such ones.
    pub fn of(layer: &Layer) -> Option<Self> {
        let (window, layer_pool) = (&layer.window, &layer.pool);
        let kernel = usize::from(window.kernel_height);
        let (pool, stride) = (usize::from(layer_pool.size), usize::from(layer_pool.stride));
        let (width, conv_width) = (usize::from(layer.output.width), layer.conv_width());
        let fits = layer.op == Op::Conv
            && layer.input.channels == 1
            && window.kernel_height == window.kernel_width
            && (window.stride_height, window.stride_width) == (1, 1)
            && match (kernel, pool, stride) {
                (3, 1, 1) => true,
                (3 | 5 | 7, 2, 2) => width * 2 <= conv_width,
                (5 | 7, 2, 1) => conv_width.is_multiple_of(2),
                _ => false,
            };
        let sums = if pool == 1 { width.next_multiple_of(2) } else { width };
        fits.then_some(Self { kernel, pool, stride, sums })
    }

    /// Pixels of a row before pooling: an even number.
    fn pixels(&self) -> usize {
        if self.pool == self.stride { self.sums * self.pool } else { self.sums.next_multiple_of(2) }
    }

    /// Words of an input column: two pixels each.
    pub fn column_len(&self) -> usize {
        self.kernel.div_ceil(2)
    }

    /// Words of all input columns.
    pub fn column_words(&self) -> usize {
        (self.pixels() + self.kernel - 1) * self.column_len()
    }

    /// Words of the sums of two rows that are not pooled yet, for kernels larger than 3, and of one pair more.
    pub fn pair_words(&self) -> usize {
        if self.kernel > 3 { (self.pixels() + 1) * 2 } else { 0 }
    }

    /// Bytes of workspace: all of the above and the sums, and what aligning them may cost.
    pub fn workspace_len(&self) -> usize {
        (self.column_words() + self.pair_words() + self.sums + 1) * size_of::<u32>()
    }
}
