//! The order of the work: the rows of what enters arrive one by one, and whenever a layer can work, the
//! deepest one that can goes first.
//!
//! The order depends on the layers' shapes alone, so it can be gone through without an image: parsing
//! does that to check a plan of the memory, the compiler to make one.

use core::ops::Range;

use crate::arena;
use crate::format::{Activation, Layer, MAX_INPUTS, MAX_LAYERS, MAX_MAPS, Map, NO_MAP};

/// More rows than any map has.
const NEVER: u16 = u16::MAX;
/// Of [`Schedule::kept`]: all rows, from the first on.
const ALL: u8 = u8::MAX;
/// Of [`Schedule::kept`]: the row that a layer that accumulates adds next.
const ADDS: u8 = ALL - 1;

/// The layers and maps of a model, or of one in the making.
///
/// Map 0 enters, map `k + 1` is made by layer `k`, which reads maps of smaller numbers only.
pub trait Layers {
    /// Number of layers, at most [`MAX_LAYERS`].
    fn count(&self) -> usize;
    /// A layer, counted from 0.
    fn get(&self, index: usize) -> Option<Layer>;
    /// A map, counted from 0.
    fn map(&self, index: usize) -> Option<Map>;

    /// The arena range of a layer's scratch memory.
    fn scratch(&self, index: usize) -> Range<usize> {
        self.get(index).map_or(0..0, |layer| arena::scratch(&layer))
    }

    /// What `look` sees in a layer. Not inline: the layer is on the stack only meanwhile.
    #[inline(never)]
    fn with<T>(&self, index: usize, look: impl FnOnce(&Layer) -> T) -> Option<T> {
        self.get(index).map(|layer| look(&layer))
    }
}

/// How far every map and every layer has come.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Rows of each map that are there.
    produced: [u16; MAX_MAPS],
    progress: [Progress; MAX_LAYERS],
    /// How many rows of its inputs each layer reads in its next step, or [`ALL`] or [`ADDS`]. A byte, because a schedule is on the
    /// stack while a model is parsed.
    kept: [u8; MAX_LAYERS],
}

/// How far a layer has come.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// The maps that it reads; one of them twice where it reads one.
    inputs: [u8; MAX_INPUTS],
    /// The layer can work again when each of them has more rows than this: as many as a layer that accumulates has added;
    /// [`NEVER`] when all its rows are made.
    behind: u16,
}

/// What happens in a step: a map gets rows, because the layer that makes it worked or what enters has a new row.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The layer that works; `None` for a row that enters.
    pub worker: Option<usize>,
    /// The map that gets rows.
    pub target: usize,
    /// How many; none while a layer only adds to its accumulators.
    pub rows: u16,
}

impl Schedule {
    /// No layer can work: [`restart`](Self::restart) comes first. Zeros, so that nothing of it is in flash.
    pub(crate) const IDLE: Self = Self {
        produced: [0; MAX_MAPS],
        progress: [Progress { inputs: [0; MAX_INPUTS], behind: 0 }; MAX_LAYERS],
        kept: [0; MAX_LAYERS],
    };

    /// Forgets all rows: no layer can work.
    pub(crate) fn forget(&mut self) {
        self.produced.fill(0);
    }

    /// Goes back to the state before an image.
    #[inline(never)]
    pub fn restart(&mut self, layers: &(impl Layers + ?Sized)) {
        self.forget();
        for (index, (progress, kept)) in self.progress.iter_mut().zip(&mut self.kept).enumerate().take(layers.count()) {
            let start = |layer: &Layer| {
                let [first, second] = layer.inputs;
                let inputs = [first, if second == NO_MAP { first } else { second }];
                let (kept, needed) = if layer.accumulates() {
                    (ADDS, 1)
                } else {
                    (ALL, RowWindow::of(layer, 0).end.max(layer.start_rows))
                };
                (Progress { inputs, behind: needed.saturating_sub(1) }, kept)
            };
            if let Some(start) = layers.with(index, start) {
                (*progress, *kept) = start;
            }
        }
    }

    /// The deepest of the first `count` layers that can work.
    pub fn ready(&self, count: usize) -> Option<usize> {
        let layers = self.progress.get(..count).unwrap_or(&[]);
        layers.iter().rposition(|layer| {
            let is_there = |&map: &u8| self.produced.get(usize::from(map)).is_some_and(|&rows| rows > layer.behind);
            layer.inputs.iter().all(is_there)
        })
    }

    /// Rows of a map that are there, or were.
    pub fn produced(&self, map: usize) -> u16 {
        self.produced.get(map).copied().unwrap_or(0)
    }

    /// Input rows that a layer has added to its accumulators.
    pub fn added(&self, index: usize) -> u16 {
        self.progress.get(index).map_or(0, |progress| progress.behind)
    }

    /// Counts new rows of a map.
    pub fn arrive(&mut self, map: usize, rows: u16) {
        if let Some(produced) = self.produced.get_mut(map) {
            *produced += rows;
        }
    }

    /// Counts a step of a layer and the rows that it made.
    #[inline(never)]
    pub fn advance(&mut self, index: usize, layer: &Layer, rows: u16) {
        self.arrive(index + 1, rows);
        let done = self.produced(index + 1);
        if let (Some(progress), Some(kept)) = (self.progress.get_mut(index), self.kept.get_mut(index)) {
            (progress.behind, *kept) = if layer.accumulates() {
                (progress.behind + 1, ADDS)
            } else if done < layer.output.height {
                let window = RowWindow::of(layer, done);
                // No window is larger than MAX_WINDOW_ROWS.
                (window.end.saturating_sub(1), window.end.saturating_sub(window.first.max(0) as u16) as u8)
            } else {
                (NEVER, 0)
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
        RowWindow::of(layer, self.produced(index + 1)).output_rows
    }

    /// Rows of a map that are there and will still be read: those that its slowest reader needs, and of the last map, which
    /// is the result, all.
    #[inline(never)]
    pub fn live_rows(&self, layers: &(impl Layers + ?Sized), map: usize) -> Range<u16> {
        let produced = self.produced(map);
        if map == layers.count() {
            return 0..produced;
        }
        let mut first = produced;
        for (progress, &kept) in self.progress.iter().zip(&self.kept).take(layers.count()) {
            if progress.inputs.iter().any(|&input| usize::from(input) == map) {
                first = first.min(match kept {
                    ALL => 0,
                    ADDS => progress.behind,
                    kept => progress.behind.saturating_add(1).saturating_sub(kept.into()),
                });
            }
        }
        first..produced
    }

    /// Whether a layer's accumulators hold sums that will still be read; the last layer's are the result.
    pub fn holds_sums(&self, index: usize) -> bool {
        self.kept.get(index) == Some(&ADDS) && self.added(index) > 0 && self.produced(index + 1) == 0
    }
}

/// Goes through an image without computing anything: `visit` sees the state before each step.
pub fn simulate<E>(
    layers: &(impl Layers + ?Sized),
    mut visit: impl FnMut(&Schedule, Turn) -> Result<(), E>,
) -> Result<(), E> {
    let mut schedule = Schedule::IDLE;
    schedule.restart(layers);
    let height = layers.map(0).map_or(0, |map| map.shape.height);
    loop {
        match schedule.ready(layers.count()) {
            Some(index) => {
                let rows = layers.with(index, |layer| schedule.output_rows(index, layer));
                let Some(rows) = rows else { return Ok(()) };
                visit(&schedule, Turn { worker: Some(index), target: index + 1, rows })?;
                layers.with(index, |layer| schedule.advance(index, layer, rows));
            }
            None if schedule.produced(0) < height => {
                visit(&schedule, Turn { worker: None, target: 0, rows: 1 })?;
                schedule.arrive(0, 1);
            }
            None => return Ok(()),
        }
    }
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
