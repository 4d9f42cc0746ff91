//! ARMv7-M: a multiplication an instruction, but of 64 bits.

use core::ops::Range;

use super::super::blocks::{CHUNK, PIXELS};
use super::direct::Patches;
use super::family::{BlockLoop, Family, FiltersLoop, PointsLoop};
use super::mla_block::{pair, thumbnet_mla_block, thumbnet_mla_dense};
use super::mla_winograd::{thumbnet_mla_points, thumbnet_mla_points_second};

/// The family for the Cortex-M3.
#[derive(Debug)]
pub struct Mla;

/// The pixels whose patches are paired: those of a column of a pooling window, which its neighbour may share.
const PAIRS: [[usize; 2]; PIXELS / 2] = [[0, 2], [1, 3]];

// SAFETY: the loops take three taps at a time, and six words of patches, or a word of a dense layer's row.
unsafe impl Family for Mla {
    const NAME: &'static str = "mla";
    const GROUP: usize = 3;
    const BLOCK: BlockLoop = thumbnet_mla_block;
    const FILTERS: FiltersLoop = thumbnet_mla_dense;
    const POINTS: PointsLoop = thumbnet_mla_points;
    const POINTS_SECOND: PointsLoop = thumbnet_mla_points_second;

    fn gather(patches: Patches<'_>) {
        let Patches { unit, input, places, kept, taps, laid_out, .. } = patches;
        let layer = &unit.layer;
        let channels = usize::from(layer.input.channels);
        let row_len = (usize::from(layer.window.kernel_width) * channels).max(1);
        for (done, row, bytes) in runs(taps.clone(), row_len) {
            let patch = |pixel: usize| {
                let (top, left) = places[pixel];
                let start = left * channels + bytes.start;
                input.row(top + row).get(start..start + bytes.len())
            };
            for (index, pixels) in PAIRS.into_iter().enumerate() {
                let Some(target) = laid_out.get_mut(done * 2 + index..) else { return };
                if pixels.iter().all(|&pixel| kept[pixel]) {
                    continue;
                }
                match pixels.map(patch) {
                    [Some(first), Some(second)] => pair(first, second, target),
                    [first, second] => pair_padded(first, second, layer.input_zero_point, bytes.len(), target),
                }
            }
        }
        if let Some(rest) = laid_out.get_mut(taps.len() * 2..taps.len().next_multiple_of(Self::GROUP) * 2) {
            rest.fill(0);
        }
    }
}

/// Pairs `count` pixels, some or all of them above or below the map.
#[inline(never)]
fn pair_padded(first: Option<&[u8]>, second: Option<&[u8]>, zero_point: u8, count: usize, target: &mut [u32]) {
    let blank = [zero_point; CHUNK];
    let blank = blank.get(..count).unwrap_or(&blank);
    pair(first.unwrap_or(blank), second.unwrap_or(blank), target);
}

/// The runs of neighbouring bytes that `taps` of a patch consist of, with `row_len` bytes a row: a run's
/// place among the taps, its row in the window, and its bytes, counted from the patch's first column.
fn runs(taps: Range<usize>, row_len: usize) -> impl Iterator<Item = (usize, usize, Range<usize>)> {
    let (mut row, mut offset) = (taps.start / row_len, taps.start % row_len);
    let mut done = 0;
    core::iter::from_fn(move || {
        let count = (row_len - offset).min(taps.len() - done);
        let run = (done, row, offset..offset + count);
        (done, row, offset) = (done + count, row + 1, 0);
        (count > 0).then_some(run)
    })
}
