//! The kernels of a family in assembly: shared code around its loops.

use super::super::portable::Portable;
use super::super::winograd::{self, Products, Steps, Sums};
use super::super::{InputRows, Kernels, Unit, only};
use super::family::Family;
use super::tiles::Back;
use super::{dense, direct, points, requantize, transform};

impl<F: Family> Kernels for F {
    const NAME: &'static str = F::NAME;

    fn conv_row(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) {
        Self::conv_row_with::<{ only::ALL }>(unit, input, workspace, output);
    }

    fn conv_row_with<const USES: u32>(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) {
        if F::special_row::<USES>(unit, input, workspace, output).is_none() {
            direct::conv_row::<F>(unit, input, workspace, output);
        }
    }

    fn winograd_rows<const P: usize>(
        unit: &Unit<'_>,
        input: &InputRows<'_>,
        workspace: &mut [u8],
        outputs: [&mut [u8]; 2],
    ) {
        winograd::rows::<F, P>(unit, input, workspace, outputs);
    }

    fn dense_row(unit: &Unit<'_>, index: usize, row: &[u8], accumulators: &mut [[u8; 4]]) {
        dense::dense_row::<F>(unit, index, row, accumulators);
    }

    fn average_row(unit: &Unit<'_>, row: &[u8], accumulators: &mut [[u8; 4]]) {
        Portable::average_row(unit, row, accumulators);
    }
}

impl<F: Family> Steps for F {
    type OfPoints = Back;

    fn of_points<const P: usize>() -> Back {
        Back::of::<P>()
    }

    fn transform<'r>(
        _back: Back,
        points: usize,
        row: impl Fn(usize) -> &'r [u8],
        channels: usize,
        inputs: &mut [u32],
        scratch: &mut [i32],
    ) {
        transform::transform(points, row, channels, inputs, scratch);
    }

    fn multiply(back: Back, products: &Products<'_>, sums: &mut [Sums], results: &mut [i32]) {
        points::multiply::<F>(back, products, sums, results);
    }

    fn takes_high_words(unit: &Unit<'_>) -> bool {
        requantize::takes_high_words(unit)
    }

    fn activate(unit: &Unit<'_>, high_words: bool, results: &[i32], step: usize, output: &mut [u8]) {
        requantize::activate(unit, high_words, results, step, output);
    }
}
