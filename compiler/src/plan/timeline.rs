//! When the rows of every map and the scratch memory of every layer are in use.

use std::convert::Infallible;
use std::ops::Range;

use thumbnet::format::Layer;
use thumbnet::schedule::{Schedule, Turn, simulate};

use super::Graph;

/// All steps of an image, in order.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// What is in use in each step.
    pub moments: Vec<Moment>,
    /// The most rows of a map that are in use at a time: as many as its ring must have.
    pub ring_rows: Vec<u16>,
}

/// What is in use in one step.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Rows of each map that are there, or come in this step, and will still be read.
    pub rows: Vec<Range<u16>>,
    /// Whether the scratch memory of each layer is.
    pub scratch: Vec<bool>,
    /// The layer that works.
    pub worker: Option<usize>,
}

impl Timeline {
    /// The steps of these layers; where their memory is does not matter.
    pub fn of(graph: &Graph) -> Self {
        let count = graph.layers.len();
        let mut timeline = Self { moments: Vec::new(), ring_rows: vec![0; count + 1] };
        let mut live: Vec<Range<u16>> = vec![0..0; count + 1];
        let mut sums = vec![false; count];
        let mut last: Option<Turn> = None;
        let _: Result<(), Infallible> = simulate(graph, |schedule, turn| {
            // Only what the step before has touched is different now.
            if let Some(turn) = last {
                update(graph, schedule, turn, &mut live, &mut sums);
            }
            last = Some(turn);
            let mut moment = Moment { rows: live.clone(), scratch: sums.clone(), worker: turn.worker };
            if let Some(target) = moment.rows.get_mut(turn.target) {
                target.end += turn.rows;
                let needed = &mut timeline.ring_rows[turn.target];
                *needed = (*needed).max(target.len() as u16);
            }
            if let Some(worker) = turn.worker {
                moment.scratch[worker] = true;
            }
            timeline.moments.push(moment);
            Ok(())
        });
        timeline
    }

    /// The most bytes that are in use at a time: no placement can do with fewer.
    pub fn peak(&self, graph: &Graph) -> usize {
        self.moments.iter().map(|moment| moment.bytes(graph)).max().unwrap_or(0)
    }
}

impl Moment {
    /// Bytes in use.
    pub fn bytes(&self, graph: &Graph) -> usize {
        let rows = graph.maps().zip(&self.rows).map(|(map, rows)| map.rows_len(rows.len() as u16));
        let scratch = graph.layers.iter().zip(&self.scratch).filter(|(_, is_used)| **is_used);
        rows.sum::<usize>() + scratch.map(|(layer, _)| layer.scratch_len as usize).sum::<usize>()
    }
}

/// Notes what a step has changed: the rows of the map that it made and of the maps that it read, and its sums.
fn update(graph: &Graph, schedule: &Schedule, turn: Turn, live: &mut [Range<u16>], sums: &mut [bool]) {
    let read = turn.worker.and_then(|worker| graph.layers.get(worker)).map(Layer::input_maps);
    for map in std::iter::once(turn.target).chain(read.into_iter().flatten()) {
        live[map] = schedule.live_rows(graph, map);
    }
    if let Some(worker) = turn.worker {
        sums[worker] = schedule.holds_sums(worker);
    }
}
