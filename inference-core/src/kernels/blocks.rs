//! How a convolution is cut into blocks of two pixels and two channels, and the memory that this takes.
//!
//! The pixels under a window, a *patch* of `kernel_height * kernel_width * in_channels` bytes, are
//! gathered and widened to 16 bits once for all output channels, in chunks of at most [`CHUNK`].

use crate::format::Layer;

/// Taps that are gathered at a time.
pub const CHUNK: usize = 256;

/// The blocks of one layer.
#[derive(Clone, Copy, Debug)]
pub struct Blocking {
    /// Output channels, rounded up to pairs.
    pub channels: usize,
    /// Whether the maximum of several blocks is taken.
    pub pooled: bool,
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
            channels: usize::from(layer.output.channels).next_multiple_of(2),
            pooled: layer.pool.size > 1,
            taps,
            chunk: taps.next_multiple_of(4).min(CHUNK),
        }
    }

    /// Words of the accumulators: two pixels a channel.
    pub fn accumulator_words(&self) -> usize {
        self.channels * 2
    }

    /// Words of the largest accumulators of a pooling window.
    pub fn pooled_words(&self) -> usize {
        if self.pooled { self.channels } else { 0 }
    }

    /// Words of a chunk of one pixel's patch, as bytes.
    pub fn gathered_words(&self) -> usize {
        self.chunk / 4
    }

    /// Words of a chunk of both pixels' patches, widened to 16 bits.
    pub fn widened_words(&self) -> usize {
        self.chunk
    }

    /// Bytes of workspace: all of the above, and what aligning them may cost.
    pub fn workspace_len(&self) -> usize {
        let words = self.accumulator_words() + self.pooled_words() + self.gathered_words() + self.widened_words();
        (words + 1) * size_of::<u32>()
    }
}
