//! When the rows and the scratch memory of every layer are in use.

use std::convert::Infallible;
use std::ops::Range;

use inference_core::format::Layer;
use inference_core::schedule::simulate;

/// All steps of an image, in order.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// What is in use in each step.
    pub moments: Vec<Moment>,
    /// The most input rows of a layer that are in use at a time: as many as its ring must have.
    pub ring_rows: Vec<u16>,
}

/// What is in use in one step, layer by layer.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Input rows that have arrived, or do so in this step, and will still be read.
    pub rows: Vec<Range<u16>>,
    /// Whether the scratch memory is.
    pub scratch: Vec<bool>,
}

impl Timeline {
    /// The steps of these layers; where their memory is does not matter.
    pub fn of(layers: &[Layer]) -> Self {
        let mut timeline = Self { moments: Vec::new(), ring_rows: vec![1; layers.len()] };
        let _: Result<(), Infallible> = simulate(layers, |schedule, turn| {
            let mut rows: Vec<Range<u16>> =
                layers.iter().enumerate().map(|(index, layer)| schedule.live_rows(index, layer)).collect();
            if let Some(target) = rows.get_mut(turn.target) {
                target.end += turn.rows;
                let needed = &mut timeline.ring_rows[turn.target];
                *needed = (*needed).max(target.len() as u16);
            }
            let scratch = layers.iter().enumerate();
            let scratch =
                scratch.map(|(index, layer)| turn.worker == Some(index) || schedule.holds_sums(index, layer)).collect();
            timeline.moments.push(Moment { rows, scratch });
            Ok(())
        });
        timeline
    }

    /// The most bytes that are in use at a time: no placement can do with fewer.
    pub fn peak(&self, layers: &[Layer]) -> usize {
        let in_use = |moment: &Moment| -> usize {
            let parts = layers.iter().zip(&moment.rows).zip(&moment.scratch);
            parts
                .map(|((layer, rows), scratch)| {
                    let rows = match rows.len() {
                        0 => 0,
                        rows => (rows - 1) * layer.ring_pitch() + layer.padded_row_len(),
                    };
                    rows + if *scratch { layer.scratch_len as usize } else { 0 }
                })
                .sum()
        };
        self.moments.iter().map(in_use).max().unwrap_or(0)
    }
}
