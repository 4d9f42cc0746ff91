//! How a direct convolution is cut into blocks of four pixels, and the memory that this takes.
//!
//! The pixels under a window, a *patch* of `kernel_height * kernel_width * in_channels` bytes, are
//! widened to 16 bits once for all output channels, in chunks of at most [`CHUNK`] taps.

use crate::format::Layer;

/// Pixels of a block.
pub const PIXELS: usize = 4;
/// Taps that are widened at a time.
pub const CHUNK: usize = 128;

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

    /// Bytes of workspace: all of the above, and what aligning them may cost.
    pub fn workspace_len(&self) -> usize {
        let words = self.accumulator_words() + self.largest_words() + self.gathered_words() + self.widened_words();
        (words + 1) * size_of::<u32>()
    }
}
