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
    /// `columns * channels` bytes. `inputs`: `[P][groups of 4 channels][2 tiles]` times two words, each
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
    let sums = words::signed(sums).as_chunks_mut().0;
    let channels = usize::from(layer.input.channels);
    let patch_len = patch_columns(layer) * channels;
    let pair_len = size_of_val(inputs);
    let columns = columns(layer);
    // The last pair is moved to the left so that it ends with the map.
    let last_left = columns.saturating_sub(PAIR_COLUMNS);
    let mut done = 0;
    while done < columns {
        let left = done.min(last_left);
        let block = Block { left, done, columns, conv_rows: input.conv_rows() };
        let patch = |row: usize| input.row(row).get(left * channels..left * channels + patch_len).unwrap_or(blank);
        for (point, inputs) in POINTS.iter().zip(inputs.chunks_exact_mut((parts.inputs / P).max(1))) {
            S::transform::<P>(point.inputs.map(patch), point.combine, channels, inputs);
        }
        for (pair, weights) in unit.parameters.weights.chunks_exact(pair_len).enumerate() {
            S::multiply(inputs, weights, quads(layer), sums);
            for second in 0..2 {
                let channel = pair * 2 + second;
                if channel < usize::from(layer.output.channels) {
                    block.write(unit, channel, tiles::<P>(sums, second), &mut outputs);
                }
            }
        }
        done = left + PAIR_COLUMNS;
    }
    Some(())
}

/// The direct sums of one of the two output channels: the rows and columns of both tiles.
#[inline(always)]
fn tiles<const P: usize>(sums: &[Sums], second: usize) -> [[i32; PAIR_COLUMNS]; TILE] {
    let mut results = [[0; PAIR_COLUMNS]; TILE];
    for tile in 0..2 {
        let lane = second * 2 + tile;
        let mut rows = [[0; TILE]; P];
        for (row, sums) in rows.iter_mut().zip(sums.as_chunks::<P>().0) {
            *row = winograd::outputs::<P>(|point| sums[point][lane]);
        }
        for column in 0..TILE {
            let [upper, lower] = winograd::outputs::<P>(|point| rows[point][column]);
            results[0][tile * TILE + column] = upper >> 2;
            results[1][tile * TILE + column] = lower >> 2;
        }
    }
    results
}

/// The place of a pair of tiles in the convolution's result.
struct Block {
    /// Its first column.
    left: usize,
    /// The first column that is not written yet.
    done: usize,
    /// Columns of the result.
    columns: usize,
    /// Rows of the tiles that count.
    conv_rows: usize,
}

impl Block {
    /// Activates and stores the outputs of one channel.
    #[inline(always)]
    fn write(&self, unit: &Unit<'_>, channel: usize, tiles: [[i32; PAIR_COLUMNS]; TILE], outputs: &mut [&mut [u8]; 2]) {
        let channels = usize::from(unit.layer.output.channels);
        let bias = unit.bias(channel);
        let scale = unit.scale(channel);
        if unit.layer.pool == Pool::NONE {
            for (output, row) in outputs.iter_mut().zip(&tiles) {
                for (x, &sum) in row.iter().enumerate().skip(self.done - self.left) {
                    if let Some(out) = output.get_mut((self.left + x) * channels + channel) {
                        *out = unit.activate_with(scale, sum.wrapping_add(bias));
                    }
                }
            }
            return;
        }
        let [upper, lower] = tiles;
        let largest: [i32; PAIR_COLUMNS] =
            core::array::from_fn(|x| if self.conv_rows > 1 { upper[x].max(lower[x]) } else { upper[x] });
        let column = |x: usize| largest.get(x - self.left).copied().unwrap_or(i32::MIN);
        for x in (self.done..self.columns.min(self.left + PAIR_COLUMNS)).step_by(TILE) {
            let sum = column(x).max(column(x + 1)).wrapping_add(bias);
            if let Some(out) = outputs[0].get_mut(x / TILE * channels + channel) {
                *out = unit.activate_with(scale, sum);
            }
        }
    }
}
