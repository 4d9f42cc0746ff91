//! The order of the work: the rows of an image arrive one by one, and whenever a layer can work, the
//! deepest one that can goes first.
//!
//! The order depends on the layers' shapes alone, so it can be gone through without an image: parsing
//! does that to check a plan of the memory, the compiler to make one.

use core::ops::Range;

use crate::format::{Activation, Layer, MAX_LAYERS};

/// More rows than any map has.
const NEVER: u16 = u16::MAX;

/// The layers of a model, or of one in the making.
pub trait Layers {
    /// Number of layers, at most [`MAX_LAYERS`].
    fn count(&self) -> usize;
    /// A layer, counted from 0.
    fn get(&self, index: usize) -> Option<Layer>;

    /// What `look` sees in a layer. Not inline: the layer is on the stack only meanwhile.
    #[inline(never)]
    fn with<T>(&self, index: usize, look: impl FnOnce(&Layer) -> T) -> Option<T> {
        self.get(index).map(|layer| look(&layer))
    }
}

impl Layers for [Layer] {
    fn count(&self) -> usize {
        self.len()
    }

    fn get(&self, index: usize) -> Option<Layer> {
        <[Layer]>::get(self, index).copied()
    }
}

/// How far every layer has come with the current image.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    progress: [Progress; MAX_LAYERS],
}

/// How far a layer has come.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// Input rows that have arrived.
    received: u16,
    /// Input rows that must have arrived before the layer can work again: for a layer that accumulates, one more
    /// than it has added; [`NEVER`] when all its rows are made.
    needed: u16,
}

/// What happens in a step: rows arrive at a layer, because the one before it worked or the image has a new row.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The layer that works; `None` for a row of the image.
    pub worker: Option<usize>,
    /// The layer at which rows arrive.
    pub target: usize,
    /// How many; none while a layer only adds to its accumulators.
    pub rows: u16,
}

impl Schedule {
    /// The state before an image.
    pub fn new(layers: &(impl Layers + ?Sized)) -> Self {
        let mut schedule = Self { progress: [Progress { received: 0, needed: NEVER }; MAX_LAYERS] };
        schedule.restart(layers);
        schedule
    }

    /// Goes back to the state before an image.
    pub fn restart(&mut self, layers: &(impl Layers + ?Sized)) {
        for (index, progress) in self.progress.iter_mut().enumerate().take(layers.count()) {
            let needed = layers.with(index, first_need).unwrap_or(NEVER);
            *progress = Progress { received: 0, needed };
        }
    }

    /// The deepest of the first `count` layers that can work.
    pub fn ready(&self, count: usize) -> Option<usize> {
        let layers = self.progress.get(..count).unwrap_or(&[]);
        layers.iter().rposition(|layer| layer.received >= layer.needed)
    }

    /// Input rows of a layer that have arrived.
    pub fn received(&self, index: usize) -> u16 {
        self.progress.get(index).map_or(0, |progress| progress.received)
    }

    /// Input rows that a layer has added to its accumulators.
    pub fn added(&self, index: usize) -> u16 {
        self.progress.get(index).map_or(0, |progress| progress.needed.saturating_sub(1))
    }

    /// Counts rows that have arrived at a layer.
    pub fn arrive(&mut self, index: usize, rows: u16) {
        if let Some(progress) = self.progress.get_mut(index) {
            progress.received += rows;
        }
    }

    /// Counts a step of a layer and the rows that it made.
    #[inline(never)]
    pub fn advance(&mut self, index: usize, layer: &Layer, rows: u16) {
        self.arrive(index + 1, rows);
        let done = self.received(index + 1);
        if let Some(progress) = self.progress.get_mut(index) {
            progress.needed = if layer.accumulates() {
                progress.needed + 1
            } else if done < layer.output.height {
                RowWindow::of(layer, done).end
            } else {
                NEVER
            };
        }
    }

    /// Rows that the next step of a layer makes.
    #[inline(never)]
    pub fn output_rows(&self, index: usize, layer: &Layer) -> u16 {
        if layer.accumulates() {
            let last = self.added(index) + 1 == layer.input.height;
            return u16::from(last && layer.activation != Activation::Logits);
        }
        RowWindow::of(layer, self.received(index + 1)).output_rows
    }

    /// Input rows of a layer that have arrived and will still be read.
    pub fn live_rows(&self, index: usize, layer: &Layer) -> Range<u16> {
        let received = self.received(index);
        let done = self.received(index + 1);
        let first = if layer.accumulates() {
            self.added(index)
        } else if done < layer.output.height {
            RowWindow::of(layer, done).first.max(0) as u16
        } else {
            received
        };
        first.min(received)..received
    }

    /// Whether a layer's accumulators hold sums that will still be read; the last layer's are the result.
    pub fn holds_sums(&self, index: usize, layer: &Layer) -> bool {
        let added = self.added(index);
        layer.accumulates() && added > 0 && (added < layer.input.height || layer.activation == Activation::Logits)
    }
}

/// Goes through an image without computing anything: `visit` sees the state before each step.
pub fn simulate<E>(
    layers: &(impl Layers + ?Sized),
    mut visit: impl FnMut(&Schedule, Turn) -> Result<(), E>,
) -> Result<(), E> {
    let mut schedule = Schedule::new(layers);
    let height = layers.with(0, |layer| layer.input.height).unwrap_or(0);
    loop {
        match schedule.ready(layers.count()) {
            Some(index) => {
                let rows = layers.with(index, |layer| schedule.output_rows(index, layer));
                let Some(rows) = rows else { return Ok(()) };
                visit(&schedule, Turn { worker: Some(index), target: index + 1, rows })?;
                layers.with(index, |layer| schedule.advance(index, layer, rows));
            }
            None if schedule.received(0) < height => {
                visit(&schedule, Turn { worker: None, target: 0, rows: 1 })?;
                schedule.arrive(0, 1);
            }
            None => return Ok(()),
        }
    }
}

/// Input rows that a layer needs before its first step.
fn first_need(layer: &Layer) -> u16 {
    if layer.accumulates() { 1 } else { RowWindow::of(layer, 0).end.max(layer.start_rows) }
}

/// The rows that one step of a sliding layer reads and makes.
#[derive(Clone, Copy, Debug)]
pub struct RowWindow {
    /// The first input row; negative in the top padding.
    pub first: i32,
    /// The row after the last one that is in the map, at least 1: so many rows must have arrived.
    pub end: u16,
    /// Rows of the convolution's result that the step covers.
    pub conv_rows: usize,
    /// Output rows that it makes, 1 or 2.
    pub output_rows: u16,
}

impl RowWindow {
    /// The rows of the step that makes `output_row`.
    #[inline(never)]
    pub fn of(layer: &Layer, output_row: u16) -> Self {
        let stride = i32::from(layer.window.stride_height);
        let first_conv = usize::from(output_row) * usize::from(layer.pool.stride);
        let conv_rows = layer.conv_rows_per_step().min(layer.conv_height().saturating_sub(first_conv));
        let first = first_conv as i32 * stride - i32::from(layer.window.pad_top);
        let last_conv = conv_rows.saturating_sub(1) as i32;
        let end = first + last_conv * stride + i32::from(layer.window.kernel_height);
        let end = end.max(1).min(i32::from(layer.input.height)) as u16;
        let output_rows = layer.rows_per_step().min(conv_rows) as u16;
        Self { first, end, conv_rows, output_rows }
    }
}
