//! The selected family without what a model does not use: the rest is left out of the image.
//!
//! A firmware's build script asks [`uses`] of its model and names [`Only`] with the answer.

use super::blocks::SingleChannel;
use super::{InputRows, Kernels, Selected, Unit, is_enough};
use crate::format::{Algorithm, Codes, Layer, Op};
use crate::winograd::points;

const CONV: u32 = 1 << 0;
const CONV_WITHOUT_WORKSPACE: u32 = 1 << 1;
const DEPTHWISE: u32 = 1 << 2;
const DENSE: u32 = 1 << 3;
const AVERAGE: u32 = 1 << 4;
/// The bit of the Winograd algorithm with four points in one dimension; with seven and ten it is the third and the sixth
/// after it.
const WINOGRAD: u32 = 1 << 5;
/// The bit of one input channel's rows with a kernel of 3; with 5 and 7 it is the next and the one after it.
const SINGLE_CHANNEL: u32 = 1 << 12;
const DENSE_VECTOR: u32 = 1 << 15;
const ADD: u32 = 1 << 16;
const MAX_POOL: u32 = 1 << 17;
const AVERAGE_POOL: u32 = 1 << 18;
const CONCAT: u32 = 1 << 19;
const GROUPED: u32 = 1 << 20;

/// What reads two maps.
pub(crate) const JOINS: u32 = ADD | CONCAT;

/// All that there is.
pub const ALL: u32 = u32::MAX;

/// What these layers need, a bit each; the bits are no part of any format.
#[inline(never)]
pub fn uses(layers: impl Iterator<Item = Layer>) -> u32 {
    layers.fold(0, |uses, layer| uses | uses_of(&layer))
}

fn uses_of(layer: &Layer) -> u32 {
    match (layer.op, layer.algorithm) {
        (_, Algorithm::Winograd) => winograd(points(layer.window.kernel_height)),
        (Op::Conv, Algorithm::Direct) if !is_enough(layer.scratch_len as usize, layer) => CONV_WITHOUT_WORKSPACE,
        (Op::Conv, Algorithm::Direct) => CONV | SingleChannel::of(layer).map_or(0, |row| single_channel(row.kernel)),
        (Op::DepthwiseConv, Algorithm::Direct) => DEPTHWISE,
        (Op::GroupedConv, Algorithm::Direct) => GROUPED,
        (Op::Dense, Algorithm::Direct) if layer.accumulates() => DENSE,
        (Op::Dense, Algorithm::Direct) => DENSE | DENSE_VECTOR,
        (Op::GlobalAveragePool, Algorithm::Direct) => AVERAGE,
        (Op::Add, Algorithm::Direct) => ADD,
        (Op::MaxPool, Algorithm::Direct) => MAX_POOL,
        (Op::AveragePool, Algorithm::Direct) => AVERAGE_POOL,
        (Op::Concat, Algorithm::Direct) => CONCAT,
    }
}

/// What a layer needs at most of which no more is known than these codes.
pub(crate) const fn uses_at_most(codes: Codes) -> u32 {
    match (codes.op, codes.algorithm) {
        (_, Algorithm::Winograd) => winograd(points(codes.kernel)),
        (Op::Conv, Algorithm::Direct) if !codes.has_workspace => CONV_WITHOUT_WORKSPACE,
        (Op::Conv, Algorithm::Direct) => {
            let row = match codes.kernel {
                3 | 5 | 7 => single_channel(codes.kernel as usize),
                _ => 0,
            };
            CONV | CONV_WITHOUT_WORKSPACE | row
        }
        (Op::DepthwiseConv, Algorithm::Direct) => DEPTHWISE,
        (Op::GroupedConv, Algorithm::Direct) => GROUPED,
        (Op::Dense, Algorithm::Direct) => DENSE | DENSE_VECTOR,
        (Op::GlobalAveragePool, Algorithm::Direct) => AVERAGE,
        (Op::Add, Algorithm::Direct) => ADD,
        (Op::MaxPool, Algorithm::Direct) => MAX_POOL,
        (Op::AveragePool, Algorithm::Direct) => AVERAGE_POOL,
        (Op::Concat, Algorithm::Direct) => CONCAT,
    }
}

const fn winograd(points: usize) -> u32 {
    WINOGRAD << (points - 4)
}

/// The bit of [`SingleChannel`] rows with a kernel of this size.
pub const fn single_channel(kernel: usize) -> u32 {
    SINGLE_CHANNEL << ((kernel - 3) / 2)
}

/// The selected family, but only what [`uses`] has said: the rest does nothing.
#[derive(Debug)]
pub struct Only<const USES: u32>;

impl<const USES: u32> Kernels for Only<USES> {
    const NAME: &'static str = Selected::NAME;
    const USES: u32 = USES;

    fn conv_row(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) {
        if USES & CONV != 0 {
            Selected::conv_row_with::<USES>(unit, input, workspace, output);
        }
    }

    fn conv_row_without_workspace(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        if USES & CONV_WITHOUT_WORKSPACE != 0 {
            Selected::conv_row_without_workspace(unit, input, output);
        }
    }

    fn winograd_rows<const P: usize>(
        unit: &Unit<'_>,
        input: &InputRows<'_>,
        workspace: &mut [u8],
        outputs: [&mut [u8]; 2],
    ) {
        if USES & winograd(P) != 0 {
            Selected::winograd_rows::<P>(unit, input, workspace, outputs);
        }
    }

    fn depthwise_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        if USES & DEPTHWISE != 0 {
            Selected::depthwise_row(unit, input, output);
        }
    }

    fn grouped_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        if USES & GROUPED != 0 {
            Selected::grouped_row(unit, input, output);
        }
    }

    fn max_pool_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        if USES & MAX_POOL != 0 {
            Selected::max_pool_row(unit, input, output);
        }
    }

    fn average_pool_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        if USES & AVERAGE_POOL != 0 {
            Selected::average_pool_row(unit, input, output);
        }
    }

    fn add_row(unit: &Unit<'_>, rows: [&[u8]; 2], output: &mut [u8]) {
        if USES & ADD != 0 {
            Selected::add_row(unit, rows, output);
        }
    }

    fn concat_row(unit: &Unit<'_>, rows: [&[u8]; 2], output: &mut [u8]) {
        if USES & CONCAT != 0 {
            Selected::concat_row(unit, rows, output);
        }
    }

    fn dense_row(unit: &Unit<'_>, index: usize, row: &[u8], accumulators: &mut [[u8; 4]]) {
        if USES & DENSE != 0 {
            Selected::dense_row(unit, index, row, accumulators);
        }
    }

    fn dense_vector_row(unit: &Unit<'_>, row: &[u8], output: &mut [u8]) {
        if USES & DENSE_VECTOR != 0 {
            Selected::dense_vector_row(unit, row, output);
        }
    }

    fn average_row(unit: &Unit<'_>, row: &[u8], accumulators: &mut [[u8; 4]]) {
        if USES & AVERAGE != 0 {
            Selected::average_row(unit, row, accumulators);
        }
    }
}
