//! Places rings and accumulators in the arena.

use inference_core::format::{Layer, MAX_LAYERS};
use inference_core::kernels::workspace_len;

use crate::Optimize;

/// Rings and accumulators begin at multiples of this, so that kernels may read words.
const ALIGNMENT: u32 = 4;

/// The sizes that the header states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arena {
    /// Bytes of memory that an inference needs.
    pub len: u32,
    /// Of these, bytes at the start that every kernel may use while it computes a row.
    pub workspace_len: u32,
}

/// Gives every layer its memory: the accumulators, then a ring of as few input rows as the engine
/// needs, all behind the workspace that they share. Nothing overlaps. [`Optimize::Ram`] leaves out
/// the workspace, without which fast kernels compute the same more slowly.
pub fn plan(layers: &mut [Layer], optimize: Optimize) -> Arena {
    debug_assert!(layers.len() <= MAX_LAYERS);
    let mut end = 0u32;
    let mut take = |len: usize| {
        let start = end;
        // Sizes are bounded by the format's limits: 32 layers of at most 20 rows of 1 MiB.
        end = (start + len as u32).next_multiple_of(ALIGNMENT);
        start
    };
    let workspace_len = match optimize {
        Optimize::Ram => 0,
        Optimize::Speed | Optimize::Flash => layers.iter().map(workspace_len).max().unwrap_or(0),
    };
    take(workspace_len);
    let mut arriving = 1;
    for layer in layers {
        layer.scratch_len = layer.min_scratch_len() as u32;
        layer.scratch_offset = take(layer.min_scratch_len());
        layer.ring_rows = layer.min_ring_rows(arriving) as u16;
        layer.ring_offset = take(layer.ring_len());
        arriving = layer.rows_per_step();
    }
    Arena { len: end, workspace_len: workspace_len as u32 }
}

#[cfg(test)]
mod tests {
    use inference_core::format::{Op, Pool, Shape, Window};

    use super::*;
    use crate::graph::record;

    /// The layers of the notebook's first network.
    fn cnn3_k3() -> Vec<Layer> {
        let shape = |height, channels| Shape { height, width: height, channels };
        let same = Window {
            kernel_height: 3,
            kernel_width: 3,
            pad_top: 1,
            pad_left: 1,
            pad_bottom: 1,
            pad_right: 1,
            ..Window::UNIT
        };
        let half = Pool { size: 2, stride: 2, pad_bottom: 0, pad_right: 0 };
        let up = Pool { pad_bottom: 1, pad_right: 1, ..half };
        vec![
            record(Op::Conv, shape(28, 1), shape(14, 96), same, half),
            record(Op::Conv, shape(14, 96), shape(7, 64), same, half),
            record(Op::Conv, shape(7, 64), shape(4, 32), same, up),
            record(Op::Dense, shape(4, 32), shape(1, 64), Window::UNIT, Pool::NONE),
            record(Op::Dense, shape(1, 64), shape(1, 10), Window::UNIT, Pool::NONE),
        ]
    }

    #[test]
    fn memory_is_aligned_disjoint_and_within_the_arena() {
        let mut layers = cnn3_k3();
        let arena = plan(&mut layers, Optimize::Speed);
        let mut ranges: Vec<(u32, u32)> = layers
            .iter()
            .flat_map(|layer| [(layer.ring_offset, layer.ring_len() as u32), (layer.scratch_offset, layer.scratch_len)])
            .chain([(0, arena.workspace_len)])
            .filter(|&(_, len)| len > 0)
            .collect();
        ranges.sort_unstable();
        assert!(ranges.iter().all(|(start, _)| start % ALIGNMENT == 0));
        assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{ranges:?}");
        assert!(ranges.last().is_some_and(|(start, len)| start + len <= arena.len));
    }

    #[test]
    fn the_first_network_of_the_notebook_fits_12_kib() {
        let speed = plan(&mut cnn3_k3(), Optimize::Speed);
        assert!(speed.len <= 12_288, "{speed:?}");
        let ram = plan(&mut cnn3_k3(), Optimize::Ram);
        assert_eq!(ram, Arena { len: speed.len - speed.workspace_len, workspace_len: 0 });
    }
}
