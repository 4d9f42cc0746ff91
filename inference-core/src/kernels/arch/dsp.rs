//! The DSP extension of ARMv7E-M and ARMv8-M: two 16-bit multiply-accumulates an instruction.

use core::ops::Range;

use super::super::blocks::{PIXELS, Place};
use super::super::{InputRows, Unit};
use super::direct::{Patches, runs};
use super::dsp_block::{thumbnet_dsp_block, thumbnet_dsp_dense, widen};
use super::dsp_winograd::{thumbnet_dsp_points, thumbnet_dsp_points_second};
use super::family::{BlockLoop, Family, FiltersLoop, PointsLoop};
use super::words;

/// The family for cores with the DSP extension.
pub struct Dsp;

// SAFETY: the loops take a word of taps at a time, and eight words of patches.
unsafe impl Family for Dsp {
    const NAME: &'static str = "dsp";
    const GROUP: usize = 4;
    const BLOCK: BlockLoop = thumbnet_dsp_block;
    const FILTERS: FiltersLoop = thumbnet_dsp_dense;
    const POINTS: PointsLoop = thumbnet_dsp_points;
    const POINTS_SECOND: PointsLoop = thumbnet_dsp_points_second;

    fn gather(
        unit: &Unit<'_>,
        input: &InputRows<'_>,
        places: [Place; PIXELS],
        kept: [bool; PIXELS],
        taps: Range<usize>,
        patches: Patches<'_>,
    ) {
        for (pixel, (place, kept)) in places.into_iter().zip(kept).enumerate() {
            if let (false, Some(target)) = (kept, patches.laid_out.get_mut(pixel..)) {
                gather(unit, input, place, taps.clone(), patches.gathered, target);
            }
        }
    }
}

/// Widens taps of a pixel's patch, and zeros up to a whole word.
fn gather(
    unit: &Unit<'_>,
    input: &InputRows<'_>,
    (top, left): Place,
    taps: Range<usize>,
    gathered: &mut [u32],
    target: &mut [u32],
) {
    let layer = &unit.layer;
    let channels = usize::from(layer.input.channels);
    let row_len = (usize::from(layer.window.kernel_width) * channels).max(1);
    let run = |row: usize, bytes: &Range<usize>| {
        input.row(top + row).get(left * channels + bytes.start..left * channels + bytes.end)
    };
    if channels.is_multiple_of(4) {
        // Straight from the rows.
        for (done, row, bytes) in runs(taps, row_len) {
            let Some(target) = target.get_mut(done * 2..) else { return };
            match run(row, &bytes) {
                Some(taps) => widen(taps, target),
                None => {
                    let lanes = u32::from(layer.input_zero_point) * 0x0001_0001;
                    target.iter_mut().step_by(PIXELS).take(bytes.len() / 2).for_each(|word| *word = lanes);
                }
            }
        }
        return;
    }
    match (row_len, &taps) {
        (3, Range { start: 0, end: 9 }) => {
            return narrow::<3, 12, 16>(input, (top, left), layer.input_zero_point, target);
        }
        (5, Range { start: 0, end: 25 }) => {
            return narrow::<5, 28, 32>(input, (top, left), layer.input_zero_point, target);
        }
        (7, Range { start: 0, end: 49 }) => {
            return narrow::<7, 52, 56>(input, (top, left), layer.input_zero_point, target);
        }
        _ => {}
    }
    let len = taps.len();
    let gathered = words::bytes_mut(gathered);
    for (done, row, bytes) in runs(taps, row_len) {
        if let Some(target) = gathered.get_mut(done..done + bytes.len()) {
            match run(row, &bytes) {
                Some(taps) => target.iter_mut().zip(taps).for_each(|(byte, &tap)| *byte = tap),
                None => target.fill(layer.input_zero_point),
            }
        }
    }
    if let Some(bytes) = gathered.get_mut(..len.next_multiple_of(4)) {
        bytes.iter_mut().skip(len).for_each(|byte| *byte = 0);
        widen(bytes, target);
    }
}

/// Widens a whole patch of `N` rows of `N` bytes, and zeros up to `LEN` bytes, a word at a time; `ROOM`
/// is enough for the last word that is written.
fn narrow<const N: usize, const LEN: usize, const ROOM: usize>(
    input: &InputRows<'_>,
    (top, left): Place,
    zero_point: u8,
    target: &mut [u32],
) {
    let mut bytes = [0; ROOM];
    for row in 0..N {
        let taps = input.row(top + row);
        for start in (0..N).step_by(4) {
            let word = match taps.get(left + start..).and_then(|taps| taps.first_chunk::<4>()) {
                Some(word) => *word,
                None => [0, 1, 2, 3].map(|byte| taps.get(left + start + byte).copied().unwrap_or(zero_point)),
            };
            if let Some(bytes) = bytes.get_mut(row * N + start..).and_then(|bytes| bytes.first_chunk_mut()) {
                *bytes = word;
            }
        }
    }
    if let Some(bytes) = bytes.get_mut(..LEN) {
        bytes.iter_mut().skip(N * N).for_each(|byte| *byte = 0);
        widen(bytes, target);
    }
}
