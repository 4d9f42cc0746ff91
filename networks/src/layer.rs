//! A layer with all its numbers: what the blocks of a table come to.

use crate::{Activation, Pool, Shape, Size};

/// One layer, with what is fused into it: batch normalization, activation, pooling and dropout, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// What it computes.
    pub kind: Kind,
    /// The maps that it reads, two for an addition and one for all others. Map 0 is what enters the network, map `k + 1` is
    /// what layer `k` makes.
    pub inputs: Vec<usize>,
    /// Of the map that it reads; an addition reads two of this shape.
    pub input: Shape,
    /// Before the pooling.
    pub unpooled: Shape,
    /// Of the map that it makes.
    pub output: Shape,
    /// Whether batch normalization follows.
    pub norm: bool,
    /// After the normalization.
    pub activation: Activation,
    /// Max pooling after the activation.
    pub pool: Option<Pooling>,
    /// Share of values dropped at the end, in training.
    pub dropout: f64,
}

/// What a layer computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A convolution over all channels; a pointwise one has a kernel of 1 x 1.
    Conv {
        /// Output channels.
        filters: usize,
        /// How it moves over the map.
        window: Window,
    },
    /// A convolution of every channel by itself.
    Depthwise {
        /// How it moves over the map.
        window: Window,
    },
    /// The sum of two maps.
    Add,
    /// The mean of every channel.
    GlobalAverage,
    /// All values with all units. From a map it reads channel by channel, row by row.
    Dense {
        /// Output values.
        units: usize,
    },
}

/// How a convolution moves over a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width.
    pub kernel: Size,
    /// Steps down and across.
    pub stride: Size,
    /// Rows of zeros above the map.
    pub top: usize,
    /// Columns of zeros left of it.
    pub left: usize,
    /// Rows of zeros below it.
    pub bottom: usize,
    /// Columns of zeros right of it.
    pub right: usize,
}

/// Max pooling over 2 x 2 values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Steps down and across.
    pub stride: usize,
    /// Rows of -inf below the map.
    pub bottom: usize,
    /// Columns of -inf right of it.
    pub right: usize,
}

impl Pooling {
    /// Height and width of what is pooled.
    pub const SIZE: usize = 2;

    /// What `pool` does to a map; `None` where there is no pooling.
    pub(crate) fn of(pool: Pool, map: Size) -> Option<Self> {
        let (stride, bottom, right) = match pool {
            Pool::None => return None,
            Pool::Valid => (2, 0, 0),
            Pool::Same => (2, map.height % 2, map.width % 2),
            Pool::SameStride1 => (1, 1, 1),
        };
        Some(Self { stride, bottom, right })
    }
}

impl Layer {
    /// Weights, without the biases.
    pub fn weights(&self) -> usize {
        match self.kind {
            Kind::Conv { filters, window } => window.area().saturating_mul(self.input.channels).saturating_mul(filters),
            Kind::Depthwise { window } => window.area().saturating_mul(self.input.channels),
            Kind::Dense { units } => self.input.values().saturating_mul(units),
            Kind::Add | Kind::GlobalAverage => 0,
        }
    }

    /// Biases.
    pub fn biases(&self) -> usize {
        match self.kind {
            Kind::Conv { filters, .. } => filters,
            Kind::Depthwise { .. } => self.input.channels,
            Kind::Dense { units } => units,
            Kind::Add | Kind::GlobalAverage => 0,
        }
    }

    /// Multiply-accumulates for one image.
    pub fn macs(&self) -> usize {
        match self.kind {
            Kind::Conv { .. } | Kind::Depthwise { .. } => {
                self.weights().saturating_mul(self.unpooled.height.saturating_mul(self.unpooled.width))
            }
            Kind::Dense { .. } => self.weights(),
            Kind::Add | Kind::GlobalAverage => 0,
        }
    }
}

impl Window {
    /// Values of the kernel in one channel.
    pub fn area(&self) -> usize {
        self.kernel.height.saturating_mul(self.kernel.width)
    }
}
