//! The selected family without what a model does not use: the rest is left out of the image.
//!
//! A firmware's build script asks [`uses`] of its model and names [`Only`] with the answer.

use super::blocks::SingleChannel;
use super::{InputRows, Kernels, Selected, Unit, is_enough};
use crate::format::{Algorithm, Layer, Op};
use crate::model::Model;
use crate::winograd::points;

const CONV: u16 = 1 << 0;
const CONV_WITHOUT_WORKSPACE: u16 = 1 << 1;
const DEPTHWISE: u16 = 1 << 2;
const DENSE: u16 = 1 << 3;
const AVERAGE: u16 = 1 << 4;
/// The bit of the Winograd algorithm with four points in one dimension; with seven it is the third one after it.
const WINOGRAD: u16 = 1 << 5;
/// The bit of one input channel's rows with a kernel of 3; with 5 and 7 it is the next and the one after it.
const SINGLE_CHANNEL: u16 = 1 << 12;

/// All that there is.
pub const ALL: u16 = u16::MAX;

/// What the layers of a model need, a bit each; the bits are no part of any format.
#[inline(never)]
pub fn uses(model: &Model<'_>) -> u16 {
    model.layers().fold(0, |uses, layer| uses | uses_of(&layer))
}

fn uses_of(layer: &Layer) -> u16 {
    match (layer.op, layer.algorithm) {
        (_, Algorithm::Winograd) => winograd(points(layer.window.kernel_height)),
        (Op::Conv, _) if !is_enough(layer.scratch_len as usize, layer) => CONV_WITHOUT_WORKSPACE,
        (Op::Conv, _) => CONV | SingleChannel::of(layer).map_or(0, |row| single_channel(row.kernel)),
        (Op::DepthwiseConv, _) => DEPTHWISE,
        (Op::Dense, _) => DENSE,
        (Op::GlobalAveragePool, _) => AVERAGE,
    }
}

const fn winograd(points: usize) -> u16 {
    WINOGRAD << (points - 4)
}

/// The bit of [`SingleChannel`] rows with a kernel of this size.
pub const fn single_channel(kernel: usize) -> u16 {
    SINGLE_CHANNEL << ((kernel - 3) / 2)
}

/// The selected family, but only what [`uses`] has said: the rest does nothing.
#[derive(Debug)]
pub struct Only<const USES: u16>;

impl<const USES: u16> Kernels for Only<USES> {
    const NAME: &'static str = Selected::NAME;
    const USES: u16 = USES;

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

    fn dense_row(unit: &Unit<'_>, index: usize, row: &[u8], accumulators: &mut [[u8; 4]]) {
        if USES & DENSE != 0 {
            Selected::dense_row(unit, index, row, accumulators);
        }
    }

    fn average_row(unit: &Unit<'_>, row: &[u8], accumulators: &mut [[u8; 4]]) {
        if USES & AVERAGE != 0 {
            Selected::average_row(unit, row, accumulators);
        }
    }
}
