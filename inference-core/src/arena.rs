//! Where rows and scratch memory are in the arena, and the proof that no step destroys what a later one
//! reads.

use core::ops::Range;

use crate::format::Layer;
use crate::schedule::{Layers, Schedule, Turn, simulate};

/// The arena ranges of consecutive input rows, their padding included: up to the end of the ring, then
/// from its start on.
#[inline(never)]
pub fn rows(layer: &Layer, rows: Range<u16>) -> [Range<usize>; 2] {
    if rows.is_empty() {
        return [0..0, 0..0];
    }
    let (first, last) = (slot(layer, rows.start), slot(layer, rows.end - 1));
    if first <= last {
        [slots(layer, first, last), 0..0]
    } else {
        [slots(layer, first, usize::from(layer.ring_rows).saturating_sub(1)), slots(layer, 0, last)]
    }
}

/// The slot of an input row in its layer's ring.
pub fn slot(layer: &Layer, row: u16) -> usize {
    usize::from(row.checked_rem(layer.ring_rows).unwrap_or(0))
}

fn slots(layer: &Layer, first: usize, last: usize) -> Range<usize> {
    let start = layer.ring_offset as usize;
    start + first * layer.ring_pitch()..start + last * layer.ring_pitch() + layer.padded_row_len()
}

/// The arena range of a layer's scratch memory; `0..0`, which is in no other range, where it has none.
pub fn scratch(layer: &Layer) -> Range<usize> {
    let start = if layer.scratch_len == 0 { 0 } else { layer.scratch_offset as usize };
    start..start + layer.scratch_len as usize
}

/// Goes through an image with the memory that these layers have, and names one whose memory is
/// overwritten too early.
///
/// What a step writes must not touch rows that have arrived and will still be read, sums that are not
/// finished, or what the step writes elsewhere. Rows of the same ring only need slots of their own: where their
/// paddings are shared, both are the same zero point.
pub fn check(layers: &(impl Layers + ?Sized)) -> Result<(), usize> {
    simulate(layers, |schedule, turn| {
        let received = schedule.received(turn.target);
        let rows = layers.with(turn.target, |target| rows(target, received..received + turn.rows));
        let [first, second] = rows.unwrap_or([0..0, 0..0]);
        let scratch = turn.worker.and_then(|worker| layers.with(worker, scratch)).unwrap_or(0..0);
        let written = [first, second, scratch];
        let is_kept = |index| layers.with(index, |layer| is_kept(schedule, turn, &written, index, layer));
        (0..layers.count()).find(|&index| is_kept(index) != Some(true)).map_or(Ok(()), Err)
    })
}

/// Whether a step that writes rows, perhaps in two pieces, and scratch memory leaves alone what a layer holds.
#[inline(never)]
fn is_kept(schedule: &Schedule, turn: Turn, written: &[Range<usize>; 3], index: usize, layer: &Layer) -> bool {
    let Range { start, mut end } = schedule.live_rows(index, layer);
    let mut own = 0;
    if index == turn.target {
        end += turn.rows;
        own = 2;
    }
    let [first, second] = rows(layer, start..end);
    let sums = turn.worker != Some(index) && schedule.holds_sums(index, layer);
    let sums = if sums { scratch(layer) } else { 0..0 };
    usize::from(end - start) <= usize::from(layer.ring_rows)
        && !written.iter().any(|written| overlap(written, &sums))
        && !written.iter().skip(own).any(|written| overlap(written, &first) || overlap(written, &second))
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start.max(b.start) < a.end.min(b.end)
}
