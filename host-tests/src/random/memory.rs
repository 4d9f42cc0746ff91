//! Memory for the layers of a graph without a plan: nothing overlaps, and rings are as large as they must be or larger.

use std::convert::Infallible;

use thumbnet::format::{Map, Ring};
use thumbnet::schedule::{Layers, simulate};
use thumbnet_compiler::plan::Graph;

use crate::rng::Rng;

/// Bytes of workspace; with too little, kernels must give the same results.
const WORKSPACES: [u32; 3] = [0, 512, 16384];
/// Pixels of padding beyond what any reader asks for.
const MORE_PADDING: usize = 2;

/// Gives every map and layer its memory and returns the bytes of the arena. Some layers wait for more rows than they need.
pub fn place(graph: &mut Graph, rng: &mut Rng) -> u32 {
    for layer in graph.layers.iter_mut().filter(|layer| !layer.accumulates()) {
        if rng.one_in(6) {
            layer.start_rows = rng.size(0..=usize::from(layer.input.height)) as u16;
        }
    }
    let mut rings = smallest_rings(graph);
    let are_whole = rng.one_in(4);
    for (map, ring) in graph.maps().zip(&mut rings).take(graph.count()) {
        let rows = rng.size(usize::from(ring.rows)..=usize::from(map.shape.height)) as u16;
        ring.rows = if are_whole { map.shape.height } else { rows };
        if rng.one_in(4) {
            ring.pad_left += rng.size(0..=MORE_PADDING) as u8;
            ring.pad_right += rng.size(0..=MORE_PADDING) as u8;
        }
    }
    let workspace = rng.pick(&WORKSPACES);
    let mut arena_len = 0u32;
    // Aligned for accumulators.
    let mut memory = |len: u32| {
        let offset = arena_len.next_multiple_of(4);
        arena_len = offset + len;
        offset
    };
    let mut place_ring = |map: Map, ring: Ring| {
        let map = Map { ring, ..map };
        Ring { offset: memory(if ring.rows == 0 { 0 } else { map.ring_len() as u32 }), ..ring }
    };
    graph.input.ring = place_ring(graph.input, rings[0]);
    for (layer, ring) in graph.layers.iter_mut().zip(&rings[1..]) {
        layer.ring = place_ring(layer.map(), *ring);
    }
    for layer in &mut graph.layers {
        layer.scratch_len = if layer.accumulates() { layer.min_scratch_len() as u32 } else { workspace };
        layer.scratch_offset = memory(layer.scratch_len);
    }
    arena_len
}

/// The rings that hold as many rows as are in use at a time, with the padding of the reader that has the most.
fn smallest_rings(graph: &Graph) -> Vec<Ring> {
    let mut rings = vec![Ring::default(); graph.count() + 1];
    let Ok(()) = simulate(graph, |schedule, turn| {
        for (map, ring) in rings.iter_mut().enumerate() {
            let live = schedule.live_rows(graph, map);
            let made = if map == turn.target { turn.rows } else { 0 };
            ring.rows = ring.rows.max(live.end + made - live.start);
        }
        Ok::<_, Infallible>(())
    });
    for layer in &graph.layers {
        let [left, right] = layer.row_padding();
        for map in layer.input_maps() {
            let ring = &mut rings[map];
            (ring.pad_left, ring.pad_right) = (ring.pad_left.max(left), ring.pad_right.max(right));
        }
    }
    rings
}
