//! Shapes and sizes that follow from a layer's operator, window and pooling.

use crate::format::{Layer, NO_MAP, Op, Shape, Window};

impl Layer {
    /// Height of the window's result, before the fused pooling.
    pub fn conv_height(&self) -> usize {
        let Window { pad_top, pad_bottom, kernel_height, stride_height, .. } = self.window;
        let padded = usize::from(self.input.height) + usize::from(pad_top) + usize::from(pad_bottom);
        positions(padded, kernel_height, stride_height)
    }

    /// Width of the window's result, before the fused pooling. Not inline, like others here: many kernels ask, none in a loop.
    #[inline(never)]
    pub fn conv_width(&self) -> usize {
        positions(self.padded_width(), self.window.kernel_width, self.window.stride_width)
    }

    /// The output shape that operator, window and pooling give; some operators choose their channels.
    pub fn expected_output(&self) -> Shape {
        let pooled = |size: usize, padding: u8| {
            positions(size + usize::from(padding), self.pool.size, self.pool.stride).min(usize::from(u16::MAX)) as u16
        };
        let (height, width) = match self.op {
            Op::Dense | Op::GlobalAveragePool => (1, 1),
            // Those without a window have one of a single pixel.
            Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::MaxPool | Op::AveragePool | Op::Add | Op::Concat => {
                (pooled(self.conv_height(), self.pool.pad_bottom), pooled(self.conv_width(), self.pool.pad_right))
            }
        };
        let channels = match self.op {
            Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense | Op::Concat => self.output.channels,
            Op::MaxPool | Op::AveragePool | Op::GlobalAveragePool | Op::Add => self.input.channels,
        };
        Shape { height, width, channels }
    }

    /// Input channels that a weight of the layer is for: those that one output channel reads.
    #[inline(never)]
    pub fn filter_channels(&self) -> usize {
        let channels = usize::from(self.input.channels);
        match self.op {
            Op::GroupedConv => channels.checked_div(usize::from(self.groups)).unwrap_or(0),
            Op::DepthwiseConv => 1,
            Op::Conv | Op::Dense | Op::GlobalAveragePool | Op::Add | Op::MaxPool | Op::AveragePool | Op::Concat => {
                channels
            }
        }
    }

    /// Output channels that read the same input channels: of a group, or the multiplier of a depthwise convolution.
    #[inline(never)]
    pub fn group_outputs(&self) -> usize {
        let groups = if self.op == Op::DepthwiseConv { self.input.channels } else { self.groups };
        usize::from(self.output.channels.checked_div(groups).unwrap_or(0))
    }

    /// Weights that the operator has; one byte each where they are stored directly.
    pub fn weight_count(&self) -> u64 {
        let outputs = usize::from(self.output.channels) as u64;
        match self.op {
            Op::Conv | Op::GroupedConv | Op::DepthwiseConv => {
                (self.window.taps() * self.filter_channels()) as u64 * outputs
            }
            Op::Dense => self.input.len() as u64 * outputs,
            Op::GlobalAveragePool | Op::Add | Op::MaxPool | Op::AveragePool | Op::Concat => 0,
        }
    }

    /// Biases, multipliers and shifts of the layer, as many of each.
    pub fn scales(&self) -> usize {
        match self.op {
            Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense | Op::GlobalAveragePool => {
                usize::from(self.output.channels)
            }
            Op::Add => 1,
            Op::MaxPool => 0,
            Op::AveragePool => self.window.taps(),
            Op::Concat => self.inputs.len(),
        }
    }

    /// Multiply-accumulates of one inference, the way they are usually counted: as many as a direct
    /// convolution has.
    pub fn macs(&self) -> u64 {
        match self.op {
            Op::Conv | Op::GroupedConv | Op::DepthwiseConv => {
                self.weight_count() * (self.conv_height() * self.conv_width()) as u64
            }
            Op::Dense => self.weight_count(),
            Op::GlobalAveragePool | Op::Add | Op::MaxPool | Op::AveragePool | Op::Concat => 0,
        }
    }

    /// Whether the operator reads two maps.
    pub fn joins(&self) -> bool {
        matches!(self.op, Op::Add | Op::Concat)
    }

    /// The numbers of the maps that the layer reads.
    pub fn input_maps(&self) -> impl Iterator<Item = usize> + Clone {
        self.inputs.into_iter().filter(|&map| map != NO_MAP).map(usize::from)
    }

    /// Pixels of padding that the layer reads left and right of an input row; poolings go around theirs.
    pub fn row_padding(&self) -> [u8; 2] {
        match self.op {
            Op::Conv | Op::GroupedConv | Op::DepthwiseConv => [self.window.pad_left, self.window.pad_right],
            Op::Dense | Op::GlobalAveragePool | Op::Add | Op::MaxPool | Op::AveragePool | Op::Concat => [0, 0],
        }
    }

    /// Width of an input row with the window's padding, in pixels.
    pub fn padded_width(&self) -> usize {
        usize::from(self.window.pad_left) + usize::from(self.input.width) + usize::from(self.window.pad_right)
    }

    /// Bytes that the layer reads of an input row: `(padding + width + padding) * channels`.
    #[inline(never)]
    pub fn padded_row_len(&self) -> usize {
        let [left, right] = self.row_padding().map(usize::from);
        (left + usize::from(self.input.width) + right) * usize::from(self.input.channels)
    }
}

/// How often a window fits; 0 where it does not.
#[inline]
fn positions(size: usize, window: u8, stride: u8) -> usize {
    match (size.checked_sub(usize::from(window)), usize::from(stride)) {
        (None, _) | (_, 0) => 0,
        (Some(room), stride) => room / stride + 1,
    }
}
