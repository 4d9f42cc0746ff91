//! What a layer does in one step, and the memory that this takes: it depends on the algorithm.

use crate::format::{Activation, Algorithm, Layer, Op};
use crate::winograd;

impl Layer {
    /// Whether the layer adds up its rows as they come (dense, average) instead of sliding a window.
    ///
    /// A dense layer on a single row makes its outputs one by one: it needs no accumulators.
    #[inline(never)]
    pub fn accumulates(&self) -> bool {
        match self.op {
            Op::GlobalAveragePool => true,
            Op::Dense => self.input.height > 1 || self.activation == Activation::Logits,
            Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Add | Op::MaxPool | Op::AveragePool | Op::Concat => {
                false
            }
        }
    }

    /// Bytes of the weights as the algorithm stores them.
    pub fn stored_weights_len(&self) -> u64 {
        match self.algorithm {
            Algorithm::Direct => self.weight_count(),
            Algorithm::Winograd => winograd::stored_weights_len(self),
        }
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

    /// Ring rows that are enough for a layer that starts with its first window and is the only one that reads its input, if
    /// rows arrive in groups of `arriving`: the [`Layer::rows_per_step`] of the layer before.
    pub fn min_ring_rows(&self, arriving: usize) -> usize {
        let needed = if self.accumulates() { 1 } else { self.window_rows() };
        (needed + arriving.saturating_sub(1)).min(usize::from(self.input.height))
    }

    /// Bytes of scratch memory that the layer needs: its accumulators, if it keeps any.
    pub fn min_scratch_len(&self) -> usize {
        if self.accumulates() { usize::from(self.output.channels) * size_of::<i32>() } else { 0 }
    }
}
