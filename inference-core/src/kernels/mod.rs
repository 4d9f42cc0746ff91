//! What computes the rows of a layer.
//!
//! `portable` is the readable reference; every other family must equal it bit for bit.
//! [`Selected`] is the one place that chooses a family for the target.

#[allow(unsafe_code)]
mod arch {
    /// What assembly with DSP instructions begins with: rustc takes ARMv8-M to be without them.
    #[cfg(thumbnet_v8m)]
    macro_rules! with_dsp {
        () => {
            ".cpu cortex-m33"
        };
    }
    #[cfg(all(thumbnet_dsp, not(thumbnet_v8m)))]
    macro_rules! with_dsp {
        () => {
            ""
        };
    }
    /// What assembly with Helium instructions begins with.
    #[cfg(thumbnet_helium)]
    macro_rules! with_helium {
        () => {
            ".cpu cortex-m55"
        };
    }
    #[cfg(thumbnet_assembly)]
    mod arguments;
    #[cfg(thumbnet_assembly)]
    mod assembled;
    #[cfg(thumbnet_assembly)]
    mod dense;
    #[cfg(thumbnet_assembly)]
    mod direct;
    #[cfg(thumbnet_dsp)]
    pub mod dsp;
    #[cfg(thumbnet_dsp)]
    mod dsp_block;
    #[cfg(thumbnet_dsp)]
    mod dsp_channel;
    #[cfg(thumbnet_dsp)]
    mod dsp_columns;
    #[cfg(thumbnet_dsp)]
    mod dsp_patch;
    #[cfg(thumbnet_dsp)]
    mod dsp_winograd;
    #[cfg(thumbnet_assembly)]
    mod family;
    #[cfg(thumbnet_helium)]
    pub mod helium;
    #[cfg(thumbnet_helium)]
    mod helium_block;
    #[cfg(thumbnet_helium)]
    mod helium_patch;
    #[cfg(thumbnet_helium)]
    mod helium_requantize;
    #[cfg(thumbnet_mla)]
    pub mod mla;
    #[cfg(thumbnet_mla)]
    mod mla_block;
    #[cfg(thumbnet_mla)]
    mod mla_patch;
    #[cfg(thumbnet_mla)]
    mod mla_winograd;
    #[cfg(thumbnet_assembly)]
    mod patch;
    #[cfg(thumbnet_assembly)]
    mod points;
    #[cfg(thumbnet_assembly)]
    mod requantize;
    #[cfg(thumbnet_assembly)]
    mod rows;
    #[cfg(thumbnet_assembly)]
    mod tiles;
    #[cfg(thumbnet_assembly)]
    mod transform;
    pub mod words;
}
mod add;
#[cfg(not(feature = "compiler"))]
mod blocks;
#[cfg(feature = "compiler")]
pub mod blocks;
mod concat;
mod dense_vector;
mod grouped;
pub(crate) mod only;
mod pools;
#[cfg(not(feature = "compiler"))]
mod portable;
#[cfg(feature = "compiler")]
pub mod portable;
mod portable_winograd;
mod winograd;

pub(crate) use only::uses_at_most;
pub use only::{Only, uses};
pub use winograd::workspace_len as winograd_workspace_len;

use crate::format::{Activation, Algorithm, BYTE_TABLE_LEN, Layer, Op, TABLE_LEN, TABLE_ZERO};
use crate::requantize;

/// The family that the engine runs on this target.
#[cfg(not(thumbnet_assembly))]
pub type Selected = portable::Portable;
/// The family that the engine runs on this target.
#[cfg(all(thumbnet_dsp, not(thumbnet_helium)))]
pub type Selected = arch::dsp::Dsp;
/// The family that the engine runs on this target.
#[cfg(thumbnet_helium)]
pub type Selected = arch::helium::Helium;
/// The family that the engine runs on this target.
#[cfg(thumbnet_mla)]
pub type Selected = arch::mla::Mla;

/// Bytes of workspace with which every family computes the rows of this layer at full speed.
pub fn workspace_len(layer: &Layer) -> usize {
    match layer.op {
        Op::Conv if layer.algorithm == Algorithm::Winograd => winograd::workspace_len(layer),
        Op::Conv => {
            let row = blocks::SingleChannel::of(layer).map_or(0, |row| row.workspace_len());
            blocks::Blocking::of(layer).workspace_len().max(row)
        }
        Op::GroupedConv
        | Op::DepthwiseConv
        | Op::Dense
        | Op::GlobalAveragePool
        | Op::Add
        | Op::MaxPool
        | Op::AveragePool
        | Op::Concat => 0,
    }
}

/// Whether this is enough workspace for [`Kernels::conv_row`]; with less than [`workspace_len`] bytes it may take longer.
pub fn is_enough(workspace: usize, layer: &Layer) -> bool {
    workspace >= blocks::Blocking::of(layer).workspace_len()
}

/// A family of kernels. A kernel computes one row; it never sees a whole map.
pub trait Kernels: Sized {
    /// Name for reports.
    const NAME: &'static str;
    /// What the family has, as [`uses`] counts it.
    const USES: u32 = only::ALL;

    /// One output row of a convolution, its activation and its pooling.
    ///
    /// `output`: `output.width * output.channels` bytes, channel fastest. `workspace`: memory for
    /// intermediate results, such that it [`is_enough`]; with less, nothing is done.
    fn conv_row(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]);

    /// The same, with no more special kernels than `USES` counts, as [`uses`] does.
    fn conv_row_with<const USES: u32>(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) {
        Self::conv_row(unit, input, workspace, output);
    }

    /// The same without a workspace, which takes longer.
    fn conv_row_without_workspace(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        portable::conv_row(unit, input, output);
    }

    /// One step of a convolution by [`winograd`](crate::winograd) with `P` points in one dimension: two output
    /// rows, the second one empty where the map ends, or one pooled row.
    ///
    /// `workspace`: at least [`workspace_len`] bytes; with less, nothing is done.
    fn winograd_rows<const P: usize>(
        unit: &Unit<'_>,
        input: &InputRows<'_>,
        workspace: &mut [u8],
        outputs: [&mut [u8]; 2],
    );

    /// One output row of a depthwise convolution.
    fn depthwise_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        grouped::row(unit, input, output);
    }

    /// One output row of a convolution in groups.
    fn grouped_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        grouped::row(unit, input, output);
    }

    /// One output row of a max pooling that is a layer of its own.
    fn max_pool_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        pools::max_row(unit, input, output);
    }

    /// One output row of an average pooling.
    fn average_pool_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        pools::average_row(unit, input, output);
    }

    /// One output row of a sum of two maps. `rows`: one of each, `width * channels` bytes.
    fn add_row(unit: &Unit<'_>, rows: [&[u8]; 2], output: &mut [u8]) {
        add::row(unit, rows, output);
    }

    /// One output row of two maps side by side. `rows`: one of each, `width` times its channels.
    fn concat_row(unit: &Unit<'_>, rows: [&[u8]; 2], output: &mut [u8]) {
        concat::row(unit, rows, output);
    }

    /// Adds what input row `index` of a dense layer gives to the accumulators.
    ///
    /// `row`: `input.width * input.channels` bytes. `accumulators`: one little-endian `i32` an
    /// output channel.
    fn dense_row(unit: &Unit<'_>, index: usize, row: &[u8], accumulators: &mut [[u8; 4]]);

    /// All outputs of a dense layer on a single row. `row`: `input.width * input.channels` bytes; `output`:
    /// `output.channels` bytes.
    fn dense_vector_row(unit: &Unit<'_>, row: &[u8], output: &mut [u8]) {
        dense_vector::row::<Self>(unit, row, output);
    }

    /// Adds the pixels of a row to the accumulators of their channels.
    fn average_row(unit: &Unit<'_>, row: &[u8], accumulators: &mut [[u8; 4]]);
}

/// The numbers that a kernel reads, as sections of the model file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameters<'m> {
    /// `i8` weights, in the order that operator and algorithm say, then
    /// [`WEIGHTS_SLACK`](crate::format::WEIGHTS_SLACK) bytes of whatever follows them.
    pub weights: &'m [u8],
    /// Little-endian `i32`, one a [scale](Layer::scales).
    pub bias: &'m [u8],
    /// Little-endian `i32`, one a [scale](Layer::scales).
    pub multipliers: &'m [u8],
    /// One a [scale](Layer::scales).
    pub shifts: &'m [u8],
    /// [`TABLE_LEN`] or [`BYTE_TABLE_LEN`] entries where the activation is a table.
    pub table: &'m [u8],
}

/// A layer with its parameters: what a kernel needs to know besides its input.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'m> {
    /// Shapes, window, pooling and clamps.
    pub layer: &'m Layer,
    /// Weights and the like.
    pub parameters: &'m Parameters<'m>,
}

impl Unit<'_> {
    /// The bias of an output channel.
    #[inline]
    pub fn bias(&self, channel: usize) -> i32 {
        i32_at(self.parameters.bias, channel)
    }

    /// The output that an accumulator of this channel gives: requantized, activated.
    #[inline]
    pub fn activate(&self, channel: usize, acc: i32) -> u8 {
        self.scale(channel).activate(self, acc)
    }

    /// The multiplier and shift of an output channel.
    #[inline]
    pub fn scale(&self, channel: usize) -> Scale {
        let multiplier = i32_at(self.parameters.multipliers, channel);
        Scale { multiplier, shift: self.parameters.shifts.get(channel).copied().unwrap_or(1) }
    }

    /// Activates the accumulators of all channels of a pixel.
    #[inline]
    pub fn activate_all(&self, accumulators: impl Iterator<Item = i32>, output: &mut [u8]) {
        let multipliers = self.parameters.multipliers.as_chunks::<4>().0;
        let scales = multipliers.iter().zip(self.parameters.shifts);
        for ((out, (&multiplier, &shift)), acc) in output.iter_mut().zip(scales).zip(accumulators) {
            let scale = Scale { multiplier: i32::from_le_bytes(multiplier), shift };
            *out = scale.activate(self, acc);
        }
    }
}

/// What an output channel is requantized with.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    multiplier: i32,
    shift: u8,
}

impl Scale {
    /// The byte that an accumulator of the channel gives.
    #[inline]
    pub fn activate(&self, unit: &Unit<'_>, acc: i32) -> u8 {
        self.output(unit, acc) as u8
    }

    /// The output that an accumulator of the channel gives: a byte, or a logit.
    #[inline(never)]
    pub fn output(&self, unit: &Unit<'_>, acc: i32) -> i32 {
        let scaled = requantize::scale(acc, self.multiplier, self.shift);
        let Layer { activation, output_zero_point, low, high, table_zero, .. } = *unit.layer;
        let entry = |zero: i32, len: usize| {
            let index = (scaled + zero).max(0).min(len as i32 - 1) as usize;
            unit.parameters.table.get(index).copied().unwrap_or(0).into()
        };
        match activation {
            Activation::Table => entry(TABLE_ZERO, TABLE_LEN),
            Activation::ByteTable => entry(table_zero.into(), BYTE_TABLE_LEN),
            Activation::Clamp => requantize::clamp(scaled, output_zero_point, low, high).into(),
            Activation::Logits => scaled,
        }
    }
}

#[inline]
fn i32_at(section: &[u8], index: usize) -> i32 {
    section.as_chunks::<4>().0.get(index).map_or(0, |&bytes| i32::from_le_bytes(bytes))
}

/// The input rows that one step needs, top first, in the ring where they are.
///
/// A row has the padding that the layer reads, [`Layer::padded_row_len`] bytes; the ring may have more of it, for others. A
/// row above or below the map is empty and reads as the input's zero point.
#[derive(Clone, Copy, Debug)]
pub struct InputRows<'a> {
    /// The rows up to the end of the ring, then those from its start on.
    pub(crate) parts: [&'a [u8]; 2],
    /// Rows of the window above the map.
    pub(crate) above: usize,
    /// Rows from the first one to the end of the ring.
    pub(crate) split: usize,
    /// Bytes from a row to the next one.
    pub(crate) pitch: usize,
    /// Bytes of a row.
    pub(crate) row_len: usize,
    /// Rows of the convolution's result that the window gives.
    pub(crate) conv_rows: usize,
}

impl<'a> InputRows<'a> {
    /// Row `index` of the window.
    #[inline]
    pub fn row(&self, index: usize) -> &'a [u8] {
        let [until_end, from_start] = self.parts;
        let Some(row) = index.checked_sub(self.above) else { return &[] };
        let (part, row) = if row < self.split { (until_end, row) } else { (from_start, row - self.split) };
        let start = row * self.pitch;
        part.get(start..start + self.row_len).unwrap_or(&[])
    }

    /// The same, not inline: smaller where it is no inner loop.
    #[inline(never)]
    pub fn find_row(&self, index: usize) -> &'a [u8] {
        self.row(index)
    }

    /// Rows of the convolution's result that the window gives: those of a pooling window, or the
    /// output rows themselves; fewer than usual where the map ends.
    #[inline]
    pub fn conv_rows(&self) -> usize {
        self.conv_rows
    }
}
