//! Places rings and scratch memory in the arena.
//!
//! What a layer holds at a time follows from the order of the work (`timeline`). A ring has as many rows as are
//! in use at a time, and memory that is not in use at the same time may overlap (`place`). So once the first layers
//! are finished, their memory is there for the later ones, and a map that is written may follow closely behind
//! the map that is read: it is computed in place.
//!
//! One thing is left to choose: a layer may wait until its whole input has arrived. It then holds a whole map instead
//! of a few rows, but what comes before is over when it begins. Which layers wait is found by trying:
//! one or two are changed at a time, as long as the arena becomes smaller.

mod place;
#[cfg(test)]
mod tests;
mod timeline;

use std::cmp::Reverse;
use std::ops::Range;

use inference_core::arena;
use inference_core::format::{Algorithm, Layer};
use inference_core::kernels::workspace_len;

use crate::Optimize;
use place::{Block, Placement, place};
use timeline::{Moment, Timeline};

/// Gives every layer its memory and returns the bytes of arena that this takes.
///
/// The rows of the image are taken as they come, whatever waits behind the first layer. [`Optimize::Ram`]
/// gives workspace only to layers that cannot do without, or where it makes the arena no larger; the others compute
/// the same more slowly.
pub fn plan(layers: &mut [Layer], optimize: Optimize) -> u32 {
    for layer in layers.iter_mut() {
        layer.start_rows = 0;
        let is_optional = optimize == Optimize::Ram && layer.algorithm == Algorithm::Direct;
        let workspace = if is_optional { 0 } else { workspace_len(layer) };
        layer.scratch_len = layer.min_scratch_len().max(workspace) as u32;
    }
    let Some(mut best) = choose_waiting(layers) else { return 0 };
    if optimize == Optimize::Ram {
        offer_workspace(&mut best);
    }
    layers.copy_from_slice(&best.layers);
    best.len as u32
}

/// Layers with their memory.
#[derive(Clone, Debug)]
struct Plan {
    layers: Vec<Layer>,
    len: usize,
}

impl Plan {
    /// The memory of these layers, if it is less than `limit` bytes.
    fn below(limit: usize, layers: &[Layer]) -> Option<Self> {
        let mut layers = layers.to_vec();
        let timeline = Timeline::of(&layers);
        let peak = timeline.peak(&layers);
        if peak >= limit {
            return None;
        }
        for (layer, rows) in layers.iter_mut().zip(&timeline.ring_rows) {
            (layer.ring_rows, layer.ring_offset, layer.scratch_offset) = (*rows, 0, 0);
        }
        let blocks = blocks(&layers, &timeline);
        let Placement { len, offsets } = place(&blocks, peak as i64);
        for (layer, offsets) in layers.iter_mut().zip(offsets.chunks_exact(2)) {
            (layer.ring_offset, layer.scratch_offset) = (offsets[0] as u32, offsets[1] as u32);
        }
        let len = len as usize;
        (len < limit).then_some(Self { layers, len })
    }
}

/// Two blocks a layer: its ring, then its scratch memory.
fn blocks(layers: &[Layer], timeline: &Timeline) -> Vec<Block> {
    let bytes = |range: Range<usize>| range.start as i64..range.end as i64;
    let used = |part: &dyn Fn(&Moment) -> [Range<usize>; 2]| {
        timeline.moments.iter().map(|moment| part(moment).map(bytes)).collect()
    };
    let both = layers.iter().enumerate().flat_map(|(index, layer)| {
        let ring = used(&|moment| arena::rows(layer, moment.rows[index].clone()));
        let scratch = used(&|moment| [if moment.scratch[index] { arena::scratch(layer) } else { 0..0 }, 0..0]);
        [Block { len: layer.ring_len() as i64, used: ring }, Block { len: layer.scratch_len.into(), used: scratch }]
    });
    both.collect()
}

/// Finds the layers that should wait for their whole input; the first one never does.
fn choose_waiting(layers: &[Layer]) -> Option<Plan> {
    let mut best = Plan::below(usize::MAX, layers)?;
    let sliding: Vec<usize> = (1..layers.len()).filter(|&index| !layers[index].accumulates()).collect();
    let pairs = sliding
        .iter()
        .enumerate()
        .flat_map(|(rank, &first)| sliding[..rank].iter().map(move |&second| vec![first, second]));
    let choices: Vec<Vec<usize>> = sliding.iter().map(|&index| vec![index]).chain(pairs).collect();
    loop {
        let mut better: Option<Plan> = None;
        for choice in &choices {
            let mut changed = best.layers.clone();
            for &index in choice {
                let layer = &mut changed[index];
                layer.start_rows = if layer.start_rows == 0 { layer.input.height } else { 0 };
            }
            let limit = better.as_ref().map_or(best.len, |plan| plan.len);
            better = Plan::below(limit, &changed).or(better);
        }
        match better {
            Some(better) => best = better,
            None => return Some(best),
        }
    }
}

/// Gives workspace to layers where that costs nothing, first to those with the most work.
fn offer_workspace(best: &mut Plan) {
    let mut order: Vec<usize> = (0..best.layers.len()).collect();
    order.sort_by_key(|&index| Reverse(best.layers[index].macs()));
    for index in order {
        let mut layers = best.layers.clone();
        let layer = &mut layers[index];
        layer.scratch_len = layer.scratch_len.max(workspace_len(layer) as u32);
        if let Some(better) = Plan::below(best.len + 1, &layers) {
            *best = better;
        }
    }
}
