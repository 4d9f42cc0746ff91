//! Where rows and scratch memory are in the arena, and the proof that no step destroys what a later one
//! reads.

use core::ops::Range;

use crate::format::{Layer, Map};
use crate::schedule::{Layers, Schedule, Turn, simulate};

/// The arena ranges of consecutive rows of a map, their padding included: up to the end of the ring, then
/// from its start on.
#[inline(never)]
pub fn rows(map: &Map, rows: Range<u16>) -> [Range<usize>; 2] {
    if rows.is_empty() {
        return [0..0, 0..0];
    }
    let (first, last) = (slot(map, rows.start), slot(map, rows.end - 1));
    if first <= last {
        [slots(map, first, last), 0..0]
    } else {
        [slots(map, first, usize::from(map.ring.rows).saturating_sub(1)), slots(map, 0, last)]
    }
}

/// The slot of a row in its map's ring.
pub fn slot(map: &Map, row: u16) -> usize {
    usize::from(row.checked_rem(map.ring.rows).unwrap_or(0))
}

fn slots(map: &Map, first: usize, last: usize) -> Range<usize> {
    let start = map.ring.offset as usize;
    start + first * map.pitch()..start + last * map.pitch() + map.padded_row_len()
}

/// The arena range of a layer's scratch memory; `0..0`, which is in no other range, where it has none.
pub fn scratch(layer: &Layer) -> Range<usize> {
    scratch_at(layer.scratch_offset, layer.scratch_len)
}

/// The same of its place and length.
pub(crate) fn scratch_at(offset: u32, len: u32) -> Range<usize> {
    let start = if len == 0 { 0 } else { offset as usize };
    start..start + len as usize
}

/// Goes through an image with the memory that these layers have, and names one whose memory is
/// overwritten too early: the one that makes the map or holds the sums.
///
/// What a step writes must not touch rows that are there and will still be read, sums that are not
/// finished, or what the step writes elsewhere. Rows of the same ring only need slots of their own: where their
/// paddings are shared, both are the same zero point.
pub fn check(layers: &(impl Layers + ?Sized)) -> Result<(), usize> {
    simulate(layers, |schedule, turn| {
        let produced = schedule.produced(turn.target);
        let map = layers.map(turn.target).unwrap_or_default();
        let scratch = turn.worker.map_or(0..0, |worker| layers.scratch(worker));
        // A layer that leaves its result in its accumulators makes no row of its map.
        let [first, second] = rows(&map, produced..produced + turn.rows);
        let written = [first, second, scratch];
        for map in 0..=layers.count() {
            if !is_kept(layers, schedule, turn, &written, map) {
                return Err(map.saturating_sub(1));
            }
        }
        Ok(())
    })
}

/// Whether a step that writes rows, perhaps in two pieces, and scratch memory leaves the rows of a map alone, and the sums of the
/// layer that makes it.
#[inline(never)]
fn is_kept(
    layers: &(impl Layers + ?Sized),
    schedule: &Schedule,
    turn: Turn,
    written: &[Range<usize>; 3],
    index: usize,
) -> bool {
    let map = layers.map(index).unwrap_or_default();
    let Range { start, mut end } = schedule.live_rows(layers, index);
    // The rows that are written need no room but their own, nor do the sums of the layer that works.
    let mut own = 0;
    if index == turn.target {
        end += turn.rows;
        own = 2;
    }
    let [first, second] = rows(&map, start..end);
    let holds_sums = |maker: &usize| index != turn.target && schedule.holds_sums(*maker);
    let sums = index.checked_sub(1).filter(holds_sums).map_or(0..0, |maker| layers.scratch(maker));
    let touched = |(number, written): (usize, &Range<usize>)| {
        overlap(written, &sums) || (number >= own && (overlap(written, &first) || overlap(written, &second)))
    };
    (start == end || end - start <= map.ring.rows) && !written.iter().enumerate().any(touched)
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start.max(b.start) < a.end.min(b.end)
}
