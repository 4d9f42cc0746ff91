//! The steps of [`winograd`](crate::winograd) that all families share.
//!
//! A pair of horizontally adjacent tiles is one block. Its inputs are transformed once, for all output
//! channels; then each pair of output channels is multiplied, point by point, and transformed back.

use core::ops::Range;

use super::arch::words;
use super::{InputRows, Unit};
use crate::format::{Layer, Pool};
use crate::winograd::{PAIR_COLUMNS, POINTS, Point, TILE, columns, points, quads};

/// The sums of one point: first output channel, tile 0 and 1; second output channel, tile 0 and 1.
pub type Sums = [i32; 4];

/// Input columns under a pair of tiles, for the largest kernel.
pub const MAX_COLUMNS: usize = 10;

/// What a family does its own way.
pub trait Steps {
    /// What each number of points has code of its own for.
    type OfPoints: Copy;

    /// For `P` rows of `P` points.
    fn of_points<const P: usize>() -> Self::OfPoints;

    /// Transforms the inputs of a pair of tiles to `points` rows of `points` points.
    ///
    /// `row`: an input row from the first tile's first pixel on, `columns * channels` bytes and perhaps more; one of
    /// as many as are under a tile. `inputs`: `[points][groups of 4
    /// channels][2 tiles]` times two words, each with two 16-bit lanes: channels 0 and 2, then 1 and 3, counted from
    /// [`first_channel`](crate::winograd::first_channel). `scratch`: [`scratch_words`].
    fn transform<'r>(
        of_points: Self::OfPoints,
        points: usize,
        row: impl Fn(usize) -> &'r [u8],
        channels: usize,
        inputs: &mut [u32],
        scratch: &mut [i32],
    );

    /// Multiplies transformed inputs with the weights, one pair of output channels after the other, transforms
    /// the sums back and adds the biases.
    ///
    /// `sums`: of all points; those of the rows in [`Products::rows`] are written, the others read; `results`:
    /// [`Finish::words`] a channel. What belongs to a tile that is not wanted may be anything.
    fn multiply(of_points: Self::OfPoints, products: &Products<'_>, sums: &mut [Sums], results: &mut [i32]);

    /// Whether [`Steps::activate`] may take its shorter way for this layer.
    fn takes_high_words(unit: &Unit<'_>) -> bool;

    /// Activates a pixel: every `step`th result for the next channel.
    fn activate(unit: &Unit<'_>, high_words: bool, results: &[i32], step: usize, output: &mut [u8]);
}

/// What [`Steps::multiply`] multiplies, and with what.
#[derive(Clone, Debug)]
pub struct Products<'a> {
    /// Points in one dimension.
    pub points: usize,
    /// The rows of points that are multiplied.
    pub rows: Range<usize>,
    /// Of these rows: `[points][quads][2 tiles]` times two words.
    pub inputs: &'a [u32],
    /// `[points][quads][2 output channels][4]` times two bytes, from the first of these rows on.
    pub weights: &'a [u8],
    /// Bytes from the weights of a pair of output channels to those of the next.
    pub pair_len: usize,
    /// Groups of four input channels.
    pub quads: usize,
    /// A little-endian `i32` an output channel.
    pub bias: &'a [u8],
    /// What is wanted.
    pub wanted: Tiles,
    /// What becomes of it.
    pub finish: Finish,
}

/// The tiles of a pair whose outputs are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiles {
    /// Both.
    Both,
    /// The second: the first one's outputs are written already.
    Second,
}

/// What becomes of the outputs of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// All four are kept: the upper row, then the lower row.
    Outputs,
    /// The largest of the upper row.
    UpperLargest,
    /// The largest of all.
    Largest,
}

impl Finish {
    /// Results of both tiles of a channel.
    pub fn words(self) -> usize {
        if self == Self::Outputs { 2 * TILE * TILE } else { 2 }
    }
}

/// Words of scratch memory for the transform: a column's value, two words, at each row of points.
fn scratch_words(points: usize) -> usize {
    points * MAX_COLUMNS * 2
}

/// Words of each part of the workspace.
struct Parts {
    inputs: usize,
    blank: usize,
    sums: usize,
    results: usize,
    /// The sums and the results; before there are any, the transform's scratch memory.
    shared: usize,
}

impl Parts {
    fn of(layer: &Layer) -> Self {
        let points = points(layer.window.kernel_height);
        let quads = quads(layer);
        let finish = if is_aligned(layer) { Finish::Largest } else { Finish::Outputs };
        let sums = points * points * 4;
        let results = usize::from(layer.output.channels) * finish.words();
        Self {
            inputs: points * points * quads * 4,
            blank: patch_columns(layer) * quads,
            sums,
            results,
            shared: (sums + results).max(scratch_words(points)),
        }
    }
}

/// Whether each tile is a pooling window, wherever the last pair of tiles is moved.
fn is_aligned(layer: &Layer) -> bool {
    layer.pool != Pool::NONE && columns(layer).is_multiple_of(TILE)
}

/// Input columns under a pair of tiles.
fn patch_columns(layer: &Layer) -> usize {
    usize::from(layer.window.kernel_width) + PAIR_COLUMNS - 1
}

/// Bytes of workspace that the algorithm needs, and what aligning them may cost.
pub fn workspace_len(layer: &Layer) -> usize {
    let parts = Parts::of(layer);
    (parts.inputs + parts.blank + parts.shared + 1) * size_of::<u32>()
}

/// One step: see [`Kernels::winograd_rows`](super::Kernels::winograd_rows).
pub fn rows<S: Steps, const P: usize>(
    unit: &Unit<'_>,
    input: &InputRows<'_>,
    workspace: &mut [u8],
    outputs: [&mut [u8]; 2],
) {
    step::<S>(unit, input, workspace, outputs, (P, S::of_points::<P>()));
}

/// One step with so many points in one dimension. Not inline: one copy serves all kernels.
#[inline(never)]
fn step<S: Steps>(
    unit: &Unit<'_>,
    input: &InputRows<'_>,
    workspace: &mut [u8],
    mut outputs: [&mut [u8]; 2],
    (points, of_points): (usize, S::OfPoints),
) -> Option<()> {
    let layer = &unit.layer;
    let parts = Parts::of(layer);
    let (inputs, rest) = words::of(workspace).split_at_mut_checked(parts.inputs)?;
    let (blank, rest) = rest.split_at_mut_checked(parts.blank)?;
    let shared = words::signed(rest.get_mut(..parts.shared)?);
    blank.fill(u32::from_ne_bytes([layer.input_zero_point; 4]));
    let channels = usize::from(layer.input.channels);
    let mut patch = Patch { input, blank: words::bytes(blank), start: 0, len: patch_columns(layer) * channels };
    let pair_len = size_of_val(inputs);
    // Of inputs, and of weights.
    let row_words = parts.inputs.checked_div(points)?;
    let columns = columns(layer);
    // The last pair is moved to the left so that it ends with the map.
    let last_left = columns.saturating_sub(PAIR_COLUMNS);
    let finish = match (is_aligned(layer), input.conv_rows()) {
        (false, _) => Finish::Outputs,
        (true, 1) => Finish::UpperLargest,
        (true, _) => Finish::Largest,
    };
    let high_words = S::takes_high_words(unit);
    let rows = rows_in_map(points, unit, input);
    let mut done = 0;
    while done < columns {
        let left = done.min(last_left);
        patch.start = left * channels;
        patch.transform::<S>(of_points, points, channels, inputs, shared);
        let (sums, results) = shared.split_at_mut_checked(parts.sums)?;
        let results = results.get_mut(..parts.results)?;
        let sums: &mut [Sums] = sums.as_chunks_mut().0;
        for (row, sums) in sums.chunks_exact_mut(points).enumerate() {
            if !rows.contains(&row) {
                sums.fill([0; 4]);
            }
        }
        let tail = done - left;
        let products = Products {
            points,
            rows: rows.clone(),
            inputs: inputs.get(rows.start * row_words..rows.end * row_words)?,
            weights: unit.parameters.weights.get(rows.start * row_words * size_of::<u32>()..)?,
            pair_len,
            quads: quads(layer),
            bias: unit.parameters.bias,
            wanted: if tail < TILE { Tiles::Both } else { Tiles::Second },
            finish,
        };
        S::multiply(of_points, &products, sums, results);
        let block = Block { left, tail, high_words };
        match (finish, layer.pool == Pool::NONE) {
            (Finish::Outputs, true) => block.write_rows::<S>(unit, results, &mut outputs),
            (Finish::UpperLargest | Finish::Largest, _) => block.write_windows::<S>(unit, results, 2, outputs[0]),
            (Finish::Outputs, false) => {
                block.pool(results, input.conv_rows());
                block.write_windows::<S>(unit, results, Finish::Outputs.words(), outputs[0]);
            }
        }
        done = left + PAIR_COLUMNS;
    }
    Some(())
}

/// The inputs under a pair of tiles.
struct Patch<'a> {
    input: &'a InputRows<'a>,
    /// What stands for a row outside the map.
    blank: &'a [u8],
    /// The first byte of each row, and how many.
    start: usize,
    len: usize,
}

impl Patch<'_> {
    /// See [`Steps::transform`]. Not inline: what it needs is on the stack only meanwhile.
    #[inline(never)]
    fn transform<S: Steps>(
        &self,
        of_points: S::OfPoints,
        points: usize,
        channels: usize,
        inputs: &mut [u32],
        scratch: &mut [i32],
    ) {
        let row = |row: usize| match self.input.find_row(row).get(self.start..) {
            Some(row) if row.len() >= self.len => row,
            _ => self.blank,
        };
        S::transform(of_points, points, row, channels, inputs, scratch);
    }
}

/// The rows of points that can add something: others combine rows beyond the map that read as zero.
#[inline(never)]
fn rows_in_map(points: usize, unit: &Unit<'_>, input: &InputRows<'_>) -> Range<usize> {
    let in_map = |point: &Point| {
        unit.layer.input_zero_point != 0 || point.inputs.iter().any(|&row| !input.find_row(row).is_empty())
    };
    let all = POINTS.get(..points).unwrap_or(&[]);
    match (all.iter().position(in_map), all.iter().rposition(in_map)) {
        (Some(first), Some(last)) => first..last + 1,
        _ => 0..points,
    }
}

/// The place of a pair of tiles in the convolution's result.
struct Block {
    /// Its first column.
    left: usize,
    /// Columns from there that are written already: a last pair is moved to where the map ends.
    tail: usize,
    high_words: bool,
}

impl Block {
    /// Activates and stores both rows of outputs.
    #[inline(never)]
    fn write_rows<S: Steps>(&self, unit: &Unit<'_>, results: &[i32], outputs: &mut [&mut [u8]; TILE]) {
        for (row, output) in outputs.iter_mut().enumerate() {
            for x in self.tail..PAIR_COLUMNS {
                let index = x / TILE * TILE * TILE + row * TILE + x % TILE;
                write::<S>(unit, self.high_words, results, (index, Finish::Outputs.words()), output, self.left + x);
            }
        }
    }

    /// Activates and stores pooled outputs: a channel's results begin with one a tile.
    #[inline(never)]
    fn write_windows<S: Steps>(&self, unit: &Unit<'_>, results: &[i32], step: usize, output: &mut [u8]) {
        let first = (self.left + self.tail) / TILE;
        // In place, a window is a tile; otherwise the windows left over stand first.
        let skip = if step == 2 { self.tail / TILE } else { 0 };
        for window in 0..(PAIR_COLUMNS - self.tail).div_ceil(TILE) {
            write::<S>(unit, self.high_words, results, (skip + window, step), output, first + window);
        }
    }

    /// Pools all outputs from the tail on and puts the largest of each window first.
    #[inline(never)]
    fn pool(&self, results: &mut [i32], conv_rows: usize) {
        for channel in results.as_chunks_mut::<{ 2 * TILE * TILE }>().0 {
            // Both tiles: the upper row, then the lower row.
            let [a, b, e, f, c, d, g, h] = *channel;
            let columns = if conv_rows > 1 { [a.max(e), b.max(f), c.max(g), d.max(h)] } else { [a, b, c, d] };
            let windows = columns.get(self.tail..).unwrap_or(&[]).chunks(TILE);
            for (largest, window) in channel.iter_mut().zip(windows) {
                *largest = window.iter().fold(i32::MIN, |largest, &column| largest.max(column));
            }
        }
    }
}

/// Activates the results `index`, `index + step`... and stores them as a pixel of the output, if it has one there.
fn write<S: Steps>(
    unit: &Unit<'_>,
    high_words: bool,
    results: &[i32],
    (index, step): (usize, usize),
    output: &mut [u8],
    pixel: usize,
) {
    let channels = usize::from(unit.layer.output.channels);
    let pixel = output.get_mut(pixel * channels..(pixel + 1) * channels);
    if let (Some(results), Some(pixel)) = (results.get(index..), pixel) {
        S::activate(unit, high_words, results, step, pixel);
    }
}
