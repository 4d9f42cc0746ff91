//! ARMv7-M: a multiplication an instruction, but of 64 bits.

use super::family::{BlockLoop, Family, FiltersLoop, GatherLoop, PointsLoop};
use super::mla_block::{thumbnet_mla_block, thumbnet_mla_dense};
use super::mla_patch::thumbnet_mla_gather;
use super::mla_winograd::{thumbnet_mla_points, thumbnet_mla_points_second};

/// The family for the Cortex-M3.
#[derive(Debug)]
pub struct Mla;

// SAFETY: the loops take three taps at a time, and six words of patches, or a word of a dense layer's row;
// the patches are filled with zeros up to that.
unsafe impl Family for Mla {
    const NAME: &'static str = "mla";
    const GROUP: usize = 3;
    const BLOCK: BlockLoop = thumbnet_mla_block;
    const FILTERS: FiltersLoop = thumbnet_mla_dense;
    const POINTS: PointsLoop = thumbnet_mla_points;
    const POINTS_SECOND: PointsLoop = thumbnet_mla_points_second;
    const GATHER: GatherLoop = thumbnet_mla_gather;
}
