//! Places rings and scratch memory in the arena.
//!
//! What a map holds at a time follows from the order of the work (`timeline`): the rows that its slowest reader still
//! needs. A ring has as many rows as are in use at a time, and memory that is not in use at the same time may overlap (`place`). So once the first layers
//! are finished, their memory is there for the later ones, and a map that is written may follow closely behind
//! the map that is read: it is computed in place.
//!
//! One thing is left to choose: a layer may wait until its whole input has arrived. It then holds a whole map instead
//! of a few rows, but what comes before is over when it begins. Which layers wait is found by trying:
//! one or two are changed at a time, as long as the arena becomes smaller.

mod graph;
mod place;
mod timeline;

use std::cmp::Reverse;
use std::ops::Range;

use thumbnet::arena;
use thumbnet::format::{Algorithm, Layer, Map, Ring};
use thumbnet::kernels::workspace_len;

use crate::Optimize;
use place::{Block, Placement, place};
use timeline::{Moment, Timeline};

pub use graph::Graph;

/// Up to so many layers, all pairs of them are tried; of a larger network, those that are so close to each other.
const ALL_PAIRS: usize = 16;
const CLOSE: usize = 4;
/// How often the last search for places starts over.
const KICKS: u32 = 60;

/// Gives every map and layer its memory and returns the bytes of arena that this takes.
///
/// The rows that enter are taken as they come, whatever waits behind the first layer. [`Optimize::Ram`]
/// gives workspace only to layers that cannot do without, or where it makes the arena no larger; the others compute
/// the same more slowly.
pub fn plan(graph: &mut Graph, optimize: Optimize) -> u32 {
    pad_rings(graph);
    for layer in &mut graph.layers {
        layer.start_rows = 0;
        let is_optional = optimize == Optimize::Ram && layer.algorithm == Algorithm::Direct;
        let workspace = if is_optional { 0 } else { workspace_len(layer) };
        layer.scratch_len = layer.min_scratch_len().max(workspace) as u32;
    }
    let Some(mut best) = choose_waiting(graph) else { return 0 };
    if optimize == Optimize::Ram {
        offer_workspace(&mut best);
    }
    if let Some(better) = Plan::below(best.len, &best.graph, KICKS) {
        best = better;
    }
    *graph = best.graph;
    best.len as u32
}

/// The most that is in use at a time, and the layer that works then; `None` for a row that enters.
pub fn peak(graph: &Graph) -> (usize, Option<usize>) {
    let timeline = Timeline::of(graph);
    let moments = timeline.moments.iter().map(|moment| (moment.bytes(graph), moment.worker));
    moments.max_by_key(|(bytes, _)| *bytes).unwrap_or_default()
}

/// Gives every ring the padding of the reader that has the most of it.
fn pad_rings(graph: &mut Graph) {
    let mut padding = vec![[0; 2]; graph.layers.len() + 1];
    for layer in &graph.layers {
        let own = layer.row_padding();
        for map in layer.input_maps() {
            padding[map] = [0, 1].map(|side| padding[map][side].max(own[side]));
        }
    }
    for (map, [pad_left, pad_right]) in padding.into_iter().enumerate() {
        *ring(graph, map) = Ring { offset: 0, rows: 0, pad_left, pad_right };
    }
}

fn ring(graph: &mut Graph, map: usize) -> &mut Ring {
    match map.checked_sub(1) {
        None => &mut graph.input.ring,
        Some(layer) => &mut graph.layers[layer].ring,
    }
}

/// A graph with its memory.
#[derive(Clone, Debug)]
struct Plan {
    graph: Graph,
    len: usize,
}

impl Plan {
    /// The memory of this graph, if it is less than `limit` bytes; `kicks` as for [`place`].
    fn below(limit: usize, graph: &Graph, kicks: u32) -> Option<Self> {
        let timeline = Timeline::of(graph);
        let peak = timeline.peak(graph);
        if peak >= limit {
            return None;
        }
        let mut graph = graph.clone();
        for (map, rows) in timeline.ring_rows.iter().enumerate() {
            let ring = ring(&mut graph, map);
            (ring.rows, ring.offset) = (*rows, 0);
        }
        graph.layers.iter_mut().for_each(|layer| layer.scratch_offset = 0);
        let Placement { len, offsets } = place(&blocks(&graph, &timeline), peak as i64, kicks);
        for (index, offset) in offsets.into_iter().enumerate() {
            // As `blocks` lists them: a map, then the scratch memory of the layer that reads it in a chain.
            match index % 2 {
                0 => ring(&mut graph, index / 2).offset = offset as u32,
                _ => graph.layers[index / 2].scratch_offset = offset as u32,
            }
        }
        let len = len as usize;
        (len < limit).then_some(Self { graph, len })
    }
}

/// The ring of map 0, the scratch memory of layer 0, the ring of map 1 and so on. Logits have no rows.
fn blocks(graph: &Graph, timeline: &Timeline) -> Vec<Block> {
    let bytes = |range: Range<usize>| range.start as i64..range.end as i64;
    let used = |part: &dyn Fn(&Moment) -> [Range<usize>; 2]| {
        timeline.moments.iter().map(|moment| part(moment).map(bytes)).collect()
    };
    let ring = |index: usize, map: &Map| {
        let len = if map.ring.rows == 0 { 0 } else { map.ring_len() };
        Block { len: len as i64, used: used(&|moment| arena::rows(map, moment.rows[index].clone())) }
    };
    let scratch = |index: usize, layer: &Layer| Block {
        len: layer.scratch_len.into(),
        used: used(&|moment| [if moment.scratch[index] { arena::scratch(layer) } else { 0..0 }, 0..0]),
    };
    let mut blocks = vec![ring(0, &graph.input)];
    for (index, layer) in graph.layers.iter().enumerate() {
        blocks.push(scratch(index, layer));
        blocks.push(ring(index + 1, &layer.map()));
    }
    blocks
}

/// Finds the layers that should wait for their whole input; the first one never does.
fn choose_waiting(graph: &Graph) -> Option<Plan> {
    let mut best = Plan::below(usize::MAX, graph, 0)?;
    let sliding: Vec<usize> = (1..graph.layers.len()).filter(|&index| !graph.layers[index].accumulates()).collect();
    let close = if sliding.len() <= ALL_PAIRS { ALL_PAIRS } else { CLOSE };
    let pairs = sliding.iter().enumerate().flat_map(|(rank, &first)| {
        sliding[rank.saturating_sub(close)..rank].iter().map(move |&second| vec![first, second])
    });
    let choices: Vec<Vec<usize>> = sliding.iter().map(|&index| vec![index]).chain(pairs).collect();
    loop {
        let mut better: Option<Plan> = None;
        for choice in &choices {
            let mut changed = best.graph.clone();
            for &index in choice {
                let layer = &mut changed.layers[index];
                layer.start_rows = if layer.start_rows == 0 { layer.input.height } else { 0 };
            }
            let limit = better.as_ref().map_or(best.len, |plan| plan.len);
            better = Plan::below(limit, &changed, 0).or(better);
        }
        match better {
            Some(better) => best = better,
            None => return Some(best),
        }
    }
}

/// Gives workspace to layers where that costs nothing, first to those with the most work.
fn offer_workspace(best: &mut Plan) {
    let mut order: Vec<usize> = (0..best.graph.layers.len()).collect();
    order.sort_by_key(|&index| Reverse(best.graph.layers[index].macs()));
    for index in order {
        let mut graph = best.graph.clone();
        let layer = &mut graph.layers[index];
        let workspace = workspace_len(layer) as u32;
        if workspace <= layer.scratch_len {
            continue;
        }
        layer.scratch_len = workspace;
        if let Some(better) = Plan::below(best.len + 1, &graph, 0) {
            *best = better;
        }
    }
}
