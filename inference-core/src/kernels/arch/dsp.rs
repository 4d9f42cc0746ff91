//! The DSP extension of ARMv7E-M and ARMv8-M: two 16-bit multiply-accumulates an instruction.

use super::super::{InputRows, Unit};
use super::dsp_block::{thumbnet_dsp_block, thumbnet_dsp_dense};
use super::dsp_channel;
use super::dsp_patch::thumbnet_dsp_gather;
use super::dsp_winograd::{thumbnet_dsp_points, thumbnet_dsp_points_second};
use super::family::{BlockLoop, Family, FiltersLoop, GatherLoop, PointsLoop};

/// The family for cores with the DSP extension.
#[derive(Debug)]
pub struct Dsp;

// SAFETY: the loops take a word of taps at a time, and eight words of patches.
unsafe impl Family for Dsp {
    const NAME: &'static str = "dsp";
    const GROUP: usize = 4;
    const BLOCK: BlockLoop = thumbnet_dsp_block;
    const FILTERS: FiltersLoop = thumbnet_dsp_dense;
    const POINTS: PointsLoop = thumbnet_dsp_points;
    const POINTS_SECOND: PointsLoop = thumbnet_dsp_points_second;
    const GATHER: GatherLoop = thumbnet_dsp_gather;

    fn special_row<const USES: u32>(
        unit: &Unit<'_>,
        input: &InputRows<'_>,
        workspace: &mut [u8],
        output: &mut [u8],
    ) -> Option<()> {
        dsp_channel::row::<USES>(unit, input, workspace, output)
    }
}
