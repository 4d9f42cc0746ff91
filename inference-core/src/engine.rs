//! The row engine: as soon as a layer can make an output row, it writes it into the next layer's ring.
//!
//! The deepest layer that can work always goes first. That, and rings of at least
//! [`Layer::min_ring_rows`] rows, means that a row is never overwritten while it is needed.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;

use crate::format::{Activation, Algorithm, Layer, MAX_LAYERS, Op};
use crate::kernels::{self, InputRows, Kernels, Selected, Unit};
use crate::model::Model;

/// A model and its memory, ready to classify. `K`: the kernels that it runs.
#[derive(Debug)]
pub struct Network<'m, 'a, K = Selected> {
    model: Model<'m>,
    arena: &'a mut [u8],
    progress: [Progress; MAX_LAYERS],
    kernels: PhantomData<K>,
}

/// How far a layer has come with the current image.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Input rows that have arrived.
    received: u16,
    /// Input rows that must have arrived before the layer can work again: for a layer that accumulates, one more
    /// than it has added; [`NEVER`] when all its rows are made.
    needed: u16,
}

/// More rows than any map has.
const NEVER: u16 = u16::MAX;

/// What [`Network::step`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// One row (or two) of a layer was computed; there may be more to do.
    Worked {
        /// The layer, counted from 0.
        layer: usize,
    },
    /// Nothing can be done before the next row is pushed.
    NeedsRow,
    /// The image is classified.
    Done,
}

/// Why a network could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NetworkError {
    /// The arena is too small.
    ArenaTooSmall {
        /// Bytes that the model needs.
        needed: usize,
        /// Bytes that the arena has.
        found: usize,
    },
    /// The model has an operator or an algorithm that was left out: see [`kernels::Only`].
    KernelMissing,
}

/// Why an image was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InputError {
    /// The row or image has another size than the model's input.
    WrongLength {
        /// Bytes that the model takes.
        expected: usize,
        /// Bytes that were given.
        found: usize,
    },
    /// The image has all its rows already: call [`Network::reset`] before the next one.
    TooManyRows,
    /// The image is not complete.
    MissingRows {
        /// Rows still to come.
        missing: u16,
    },
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArenaTooSmall { needed, found } => {
                write!(f, "the model needs an arena of {needed} bytes, this one has {found}")
            }
            Self::KernelMissing => {
                write!(f, "this program was built without what the model needs: build it with the model")
            }
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongLength { expected, found } => write!(f, "expected {expected} bytes, got {found}"),
            Self::TooManyRows => write!(f, "the image already has all its rows: reset before the next one"),
            Self::MissingRows { missing } => write!(f, "{missing} rows of the image are missing"),
        }
    }
}

impl core::error::Error for NetworkError {}
impl core::error::Error for InputError {}

impl<'m, 'a> Network<'m, 'a> {
    /// A network that works in `arena`, of which it uses the first [`Model::arena_len`] bytes.
    pub fn new(model: &Model<'m>, arena: &'a mut [u8]) -> Result<Self, NetworkError> {
        Self::with_kernels(model, arena)
    }
}

impl<'m, 'a, K: Kernels> Network<'m, 'a, K> {
    /// The same with kernels of one's own choice, such as those that an image was built for ([`kernels::Only`]).
    #[inline(never)]
    pub fn with_kernels(model: &Model<'m>, arena: &'a mut [u8]) -> Result<Self, NetworkError> {
        let (needed, found) = (model.arena_len(), arena.len());
        let arena = arena.get_mut(..needed).ok_or(NetworkError::ArenaTooSmall { needed, found })?;
        if kernels::uses(model) & !K::USES != 0 {
            return Err(NetworkError::KernelMissing);
        }
        let progress = [Progress::default(); MAX_LAYERS];
        let mut network = Self { model: *model, arena, progress, kernels: PhantomData };
        network.reset();
        Ok(network)
    }

    /// The model that this network runs.
    pub fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// Forgets the current image.
    pub fn reset(&mut self) {
        for (progress, layer) in self.progress.iter_mut().zip(self.model.layers()) {
            let needed = if layer.accumulates() { 1 } else { RowWindow::of(&layer, 0).rows_needed };
            *progress = Progress { received: 0, needed };
        }
    }

    /// Classifies a whole image: `height * width * channels` bytes, row by row, channel fastest.
    pub fn classify(&mut self, pixels: &[u8]) -> Result<Prediction<'_>, InputError> {
        let row_len = self.model.input_row_len();
        let expected = row_len * usize::from(self.model.input().height);
        if pixels.len() != expected {
            return Err(InputError::WrongLength { expected, found: pixels.len() });
        }
        self.reset();
        for row in pixels.chunks_exact(row_len.max(1)) {
            self.push_row(row)?;
        }
        self.finish()
    }

    /// Takes the next row of the image, `width * channels` bytes, after the work that is still open.
    #[inline(never)]
    pub fn push_row(&mut self, row: &[u8]) -> Result<(), InputError> {
        let expected = self.model.input_row_len();
        if row.len() != expected {
            return Err(InputError::WrongLength { expected, found: row.len() });
        }
        if self.missing_rows() == 0 {
            return Err(InputError::TooManyRows);
        }
        while let Step::Worked { .. } = self.step() {}
        let pixels = self.open_row(0, 0);
        if let Some(pixels) = self.arena.get_mut(pixels) {
            pixels.iter_mut().zip(row).for_each(|(byte, &pixel)| *byte = pixel);
        }
        self.count_received(0, 1);
        Ok(())
    }

    /// Computes one row of the deepest layer that can work.
    #[inline(never)]
    pub fn step(&mut self) -> Step {
        let layers = self.progress.get(..self.model.layer_count()).unwrap_or(&[]);
        match layers.iter().rposition(|layer| layer.received >= layer.needed) {
            Some(layer) => {
                self.work(layer);
                Step::Worked { layer }
            }
            None if self.missing_rows() == 0 => Step::Done,
            None => Step::NeedsRow,
        }
    }

    /// Completes the image and says what it shows.
    #[inline(never)]
    pub fn finish(&mut self) -> Result<Prediction<'_>, InputError> {
        let missing = self.missing_rows();
        if missing > 0 {
            return Err(InputError::MissingRows { missing });
        }
        while let Step::Worked { .. } = self.step() {}
        let last = self.model.layer_count().saturating_sub(1);
        let scratch = self.model.layer(last).map_or(0..0, |layer| scratch(&layer));
        Ok(Prediction { logits: Logits(self.arena.get(scratch).unwrap_or(&[]).as_chunks().0) })
    }

    fn missing_rows(&self) -> u16 {
        self.model.input().height.saturating_sub(self.received(0))
    }

    fn received(&self, index: usize) -> u16 {
        self.progress.get(index).map_or(0, |progress| progress.received)
    }

    fn count_received(&mut self, index: usize, rows: u16) {
        if let Some(progress) = self.progress.get_mut(index) {
            progress.received += rows;
        }
    }

    /// One step of a layer that can work.
    fn work(&mut self, index: usize) {
        // By reference: a record is not copied on the stack.
        let Some(layer) = &self.model.layer(index) else { return };
        let unit = Unit { layer, parameters: self.model.parameters(layer) };
        let needed = if layer.accumulates() { self.accumulate_row(index, &unit) } else { self.slide_row(index, &unit) };
        if let Some(progress) = self.progress.get_mut(index) {
            progress.needed = needed;
        }
    }

    /// One step of a layer that slides a window over its input: one output row, or two. Returns the
    /// input rows that the next step needs.
    fn slide_row(&mut self, index: usize, unit: &Unit<'_>) -> u16 {
        let layer = unit.layer;
        let done = self.received(index + 1);
        let window = RowWindow::of(layer, done);
        let first = self.open_row(index + 1, 0);
        let second = if window.output_rows == 2 { self.open_row(index + 1, 1) } else { 0..0 };
        let ring = layer.ring_offset as usize..layer.ring_offset as usize + layer.ring_len();
        // Parsing has checked that rings and workspace do not overlap, and that a ring has room for
        // the rows of a step.
        let workspace = 0..self.model.workspace_len();
        if let Ok([ring, first, second, workspace]) = self.arena.get_disjoint_mut([ring, first, second, workspace]) {
            let input = window.rows(layer, ring);
            match (layer.op, layer.algorithm, layer.window.kernel_height) {
                (_, Algorithm::Winograd, 3) => K::winograd_rows::<4>(unit, &input, workspace, [first, second]),
                (_, Algorithm::Winograd, 5) => K::winograd_rows::<7>(unit, &input, workspace, [first, second]),
                (_, Algorithm::Winograd, _) => K::winograd_rows::<10>(unit, &input, workspace, [first, second]),
                (Op::DepthwiseConv, ..) => K::depthwise_row(unit, &input, first),
                _ if !kernels::is_enough(workspace.len(), layer) => {
                    K::conv_row_without_workspace(unit, &input, first);
                }
                _ => K::conv_row(unit, &input, workspace, first),
            }
        }
        self.count_received(index + 1, window.output_rows);
        let done = done + window.output_rows;
        if done < layer.output.height { RowWindow::of(layer, done).rows_needed } else { NEVER }
    }

    /// Adds one input row to a layer that accumulates; after the last one, makes its only output.
    /// Returns the input rows that the next step needs.
    fn accumulate_row(&mut self, index: usize, unit: &Unit<'_>) -> u16 {
        let layer = unit.layer;
        let needed = self.progress.get(index).map_or(1, |progress| progress.needed);
        let done = needed.saturating_sub(1);
        if let Ok([row, scratch]) = self.arena.get_disjoint_mut([ring_row(layer, done), scratch(layer)]) {
            let accumulators = scratch.as_chunks_mut::<4>().0;
            if done == 0 {
                for (accumulator, bias) in accumulators.iter_mut().zip(unit.parameters.bias.as_chunks::<4>().0) {
                    *accumulator = *bias;
                }
            }
            match layer.op {
                Op::GlobalAveragePool => K::average_row(unit, row, accumulators),
                _ => K::dense_row(unit, usize::from(done), row, accumulators),
            }
        }
        if needed == layer.input.height && layer.activation != Activation::Logits {
            self.emit(index, unit);
        }
        needed + 1
    }

    /// Writes the activated accumulators into the next layer's ring.
    fn emit(&mut self, index: usize, unit: &Unit<'_>) {
        let output = self.open_row(index + 1, 0);
        if let Ok([accumulators, output]) = self.arena.get_disjoint_mut([scratch(unit.layer), output]) {
            let accumulators = accumulators.as_chunks::<4>().0;
            unit.activate_all(accumulators.iter().map(|&acc| i32::from_le_bytes(acc)), output);
        }
        self.count_received(index + 1, 1);
    }

    /// Fills the padding of the input row that comes `ahead` rows after the next one of a layer, and returns the
    /// arena range of the pixels between.
    #[inline(never)]
    fn open_row(&mut self, index: usize, ahead: u16) -> Range<usize> {
        let Some(layer) = &self.model.layer(index) else { return 0..0 };
        let row = ring_row(layer, self.received(index) + ahead);
        let channels = usize::from(layer.input.channels);
        let start = row.start + usize::from(layer.window.pad_left) * channels;
        let end = start + usize::from(layer.input.width) * channels;
        for padding in [row.start..start, end..row.end] {
            if let Some(padding) = self.arena.get_mut(padding) {
                padding.fill(layer.input_zero_point);
            }
        }
        start..end
    }
}

/// The rows that one step of a sliding layer reads and makes.
struct RowWindow {
    /// The first input row; negative in the top padding.
    first: i32,
    /// Input rows that must have arrived.
    rows_needed: u16,
    /// Rows of the convolution's result that the step covers.
    conv_rows: usize,
    /// Output rows that it makes, 1 or 2.
    output_rows: u16,
}

impl RowWindow {
    fn of(layer: &Layer, output_row: u16) -> Self {
        let stride = i32::from(layer.window.stride_height);
        let first_conv = usize::from(output_row) * usize::from(layer.pool.stride);
        let conv_rows = layer.conv_rows_per_step().min(layer.conv_height().saturating_sub(first_conv));
        let first = first_conv as i32 * stride - i32::from(layer.window.pad_top);
        let last_conv = conv_rows.saturating_sub(1) as i32;
        let end = first + last_conv * stride + i32::from(layer.window.kernel_height);
        let rows_needed = end.max(1).min(i32::from(layer.input.height)) as u16;
        let output_rows = layer.rows_per_step().min(conv_rows) as u16;
        Self { first, rows_needed, conv_rows, output_rows }
    }

    /// The rows in the layer's ring.
    fn rows<'a>(&self, layer: &Layer, ring: &'a [u8]) -> InputRows<'a> {
        let first = self.first.max(0) as u16;
        InputRows {
            ring,
            row_len: layer.ring_row_len(),
            slots: usize::from(layer.ring_rows),
            above: self.first.min(0).unsigned_abs() as usize,
            inside: usize::from(self.rows_needed.saturating_sub(first)),
            first: ring_slot(layer, first),
            conv_rows: self.conv_rows,
        }
    }
}

/// The slot of an input row in its layer's ring.
fn ring_slot(layer: &Layer, row: u16) -> usize {
    usize::from(row.checked_rem(layer.ring_rows).unwrap_or(0))
}

/// The arena range of an input row, its padding included.
fn ring_row(layer: &Layer, row: u16) -> Range<usize> {
    let start = layer.ring_offset as usize + ring_slot(layer, row) * layer.ring_row_len();
    start..start + layer.ring_row_len()
}

/// The arena range of a layer's scratch memory.
fn scratch(layer: &Layer) -> Range<usize> {
    let start = layer.scratch_offset as usize;
    start..start + layer.min_scratch_len()
}

/// What the network saw in an image.
#[derive(Clone, Copy, Debug)]
pub struct Prediction<'a> {
    logits: Logits<'a>,
}

impl<'a> Prediction<'a> {
    /// The most likely class; the first one where several are equal.
    pub fn class(&self) -> usize {
        let mut best = (0, i32::MIN);
        for (class, logit) in self.logits.iter().enumerate() {
            if logit > best.1 {
                best = (class, logit);
            }
        }
        best.0
    }

    /// The accumulators of the last layer, in steps of [`Model::logit_scale`].
    pub fn logits(&self) -> Logits<'a> {
        self.logits
    }
}

/// The logits of an image, one `i32` a class.
#[derive(Clone, Copy, Debug)]
pub struct Logits<'a>(&'a [[u8; 4]]);

impl<'a> Logits<'a> {
    /// The logits in the order of the classes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i32> + Clone + 'a {
        self.0.iter().map(|&bytes| i32::from_le_bytes(bytes))
    }
}
