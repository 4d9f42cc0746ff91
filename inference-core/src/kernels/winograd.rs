//! The steps of [`winograd`](crate::winograd) that all families share.
//!
//! A pair of horizontally adjacent tiles is one block. Its inputs are transformed once, for all output
//! channels; then each pair of output channels is multiplied, point by point, and transformed back.

use super::arch::words;
use super::{InputRows, Unit};
use crate::format::{Layer, Pool};
use crate::winograd::{self, Combine, PAIR_COLUMNS, POINTS, TILE, columns, points, quads};

/// The sums of one point: first output channel, tile 0 and 1; second output channel, tile 0 and 1.
pub type Sums = [i32; 4];

/// What a family does its own way.
pub trait Steps {
    /// Transforms `P` points of one row of points, for two tiles.
    ///
    /// `rows`: the two input rows that the points combine, from the first tile's first pixel on,
    /// `columns * channels` bytes and perhaps more. `inputs`: `[P][groups of 4 channels][2 tiles]` times two words, each
    /// with two 16-bit lanes: channels 0 and 2, then 1 and 3. Channels that the last group lacks may be
    /// anything: their weights are zero.
    fn transform<const P: usize>(rows: [&[u8]; 2], combine: Combine, channels: usize, inputs: &mut [u32]);

    /// Multiplies transformed inputs with the weights of two output channels.
    ///
    /// `inputs`: `[points][quads][2 tiles]` times two words; `weights`:
    /// `[points][quads][2 output channels][4]` times two bytes; `sums`: one a point.
    fn multiply(inputs: &[u32], weights: &[u8], quads: usize, sums: &mut [Sums]);
}

/// Words of each part of the workspace.
struct Parts {
    inputs: usize,
    sums: usize,
    blank: usize,
}

impl Parts {
    fn of(layer: &Layer) -> Self {
        let points = points(layer.window.kernel_height);
        let quads = quads(layer);
        Self { inputs: points * points * quads * 4, sums: points * points * 4, blank: patch_columns(layer) * quads }
    }
}

/// Input columns under a pair of tiles.
fn patch_columns(layer: &Layer) -> usize {
    usize::from(layer.window.kernel_width) + PAIR_COLUMNS - 1
}

/// Bytes of workspace that the algorithm needs, and what aligning them may cost.
pub fn workspace_len(layer: &Layer) -> usize {
    let parts = Parts::of(layer);
    (parts.inputs + parts.sums + parts.blank + 1) * size_of::<u32>()
}

/// One step: see [`Kernels::winograd_rows`](super::Kernels::winograd_rows).
pub fn rows<S: Steps>(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], outputs: [&mut [u8]; 2]) {
    match unit.layer.window.kernel_height {
        3 => step::<S, 4>(unit, input, workspace, outputs),
        5 => step::<S, 7>(unit, input, workspace, outputs),
        _ => step::<S, 10>(unit, input, workspace, outputs),
    };
}

fn step<S: Steps, const P: usize>(
    unit: &Unit<'_>,
    input: &InputRows<'_>,
    workspace: &mut [u8],
    mut outputs: [&mut [u8]; 2],
) -> Option<()> {
    let layer = &unit.layer;
    let parts = Parts::of(layer);
    let (inputs, rest) = words::of(workspace).split_at_mut_checked(parts.inputs)?;
    let (sums, rest) = rest.split_at_mut_checked(parts.sums)?;
    let blank = rest.get_mut(..parts.blank)?;
    blank.fill(u32::from_ne_bytes([layer.input_zero_point; 4]));
    let blank = words::bytes(blank);
    let sums: &mut [[Sums; P]; P] =
        words::signed(sums).as_chunks_mut().0.as_chunks_mut::<P>().0.first_chunk_mut::<P>()?;
    let channels = usize::from(layer.input.channels);
    let patch_len = patch_columns(layer) * channels;
    let pair_len = size_of_val(inputs);
    let columns = columns(layer);
    // The last pair is moved to the left so that it ends with the map.
    let last_left = columns.saturating_sub(PAIR_COLUMNS);
    let mut done = 0;
    while done < columns {
        let left = done.min(last_left);
        let block = Block { left, tail: done - left, conv_rows: input.conv_rows() };
        let patch = |row: usize| match input.row(row).get(left * channels..) {
            Some(patch) if patch.len() >= patch_len => patch,
            _ => blank,
        };
        for (point, inputs) in POINTS.iter().zip(inputs.chunks_exact_mut((parts.inputs / P).max(1))) {
            S::transform::<P>(point.inputs.map(patch), point.combine, channels, inputs);
        }
        for (pair, weights) in unit.parameters.weights.chunks_exact(pair_len).enumerate() {
            S::multiply(inputs, weights, quads(layer), sums.as_flattened_mut());
            block.write(unit, pair * 2, sums, &mut outputs);
        }
        done = left + PAIR_COLUMNS;
    }
    Some(())
}

/// The place of a pair of tiles in the convolution's result.
struct Block {
    /// Its first column.
    left: usize,
    /// Columns from there that are written already.
    tail: usize,
    /// Rows of the tiles that count.
    conv_rows: usize,
}

impl Block {
    /// Activates and stores the outputs of two channels.
    #[inline(never)]
    fn write<const P: usize>(
        &self,
        unit: &Unit<'_>,
        channel: usize,
        sums: &[[Sums; P]; P],
        [upper, lower]: &mut [&mut [u8]; TILE],
    ) {
        let channels = usize::from(unit.layer.output.channels);
        let pooled = unit.layer.pool != Pool::NONE;
        let column = if pooled { (self.left + self.tail) / TILE } else { self.left };
        for second in 0..2 {
            let channel = channel + second;
            if channel >= channels {
                return;
            }
            let bias = unit.bias(channel);
            let scale = unit.scale(channel);
            let activate = |sum: i32| scale.activate(unit, (sum >> 2).wrapping_add(bias));
            let start = column * channels + channel;
            // A map that ends within the pair was moved there: then a few columns are skipped.
            let mut columns = [0; PAIR_COLUMNS];
            for tile in 0..2 {
                let [above, below] = tile_of::<P>(sums, second * 2 + tile);
                if !pooled {
                    let start = start + tile * TILE * channels;
                    let skip = self.tail.saturating_sub(tile * TILE);
                    put(&above, upper, start, channels, skip, activate);
                    put(&below, lower, start, channels, skip, activate);
                    continue;
                }
                let largest = if self.conv_rows > 1 { [above[0].max(below[0]), above[1].max(below[1])] } else { above };
                if self.tail == 0 {
                    put(&[largest[0].max(largest[1])], upper, start + tile * channels, channels, 0, activate);
                } else {
                    [columns[tile * TILE], columns[tile * TILE + 1]] = largest;
                }
            }
            if pooled && self.tail > 0 {
                for (index, window) in columns.get(self.tail..).unwrap_or(&[]).chunks(TILE).enumerate() {
                    let largest = window.iter().copied().max().unwrap_or(0);
                    put(&[largest], upper, start + index * channels, channels, 0, activate);
                }
            }
        }
    }
}

/// Four times the direct sums of a tile: its upper row, its lower row.
#[inline(always)]
fn tile_of<const P: usize>(sums: &[[Sums; P]; P], lane: usize) -> [[i32; TILE]; TILE] {
    let mut rows = [[0; TILE]; P];
    for (row, sums) in rows.iter_mut().zip(sums) {
        *row = winograd::outputs::<P>(|point| sums[point][lane]);
    }
    let [left, right] = [0, 1].map(|column| winograd::outputs::<P>(|point| rows[point][column]));
    [[left[0], right[0]], [left[1], right[1]]]
}

/// Activates sums and stores them `step` bytes apart, the first of them at `start`, but skips some.
#[inline(always)]
fn put(sums: &[i32], output: &mut [u8], start: usize, step: usize, skip: usize, activate: impl Fn(i32) -> u8) {
    for (index, &sum) in sums.iter().enumerate() {
        if index >= skip
            && let Some(out) = output.get_mut(start + index * step)
        {
            *out = activate(sum);
        }
    }
}
