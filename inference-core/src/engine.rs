//! The row engine: as soon as a layer can make an output row, it writes it into the ring of its map.
//!
//! Which layer works is up to the [`schedule`](crate::schedule), and that no row is overwritten while it is
//! needed, to the plan of the memory that parsing has checked.

use core::marker::PhantomData;
use core::ops::Range;

use crate::arena;
use crate::format::{Algorithm, Layer, Map, Op};
use crate::kernels::{self, InputRows, Kernels, Parameters, Selected, Unit, only};
use crate::model::Model;
use crate::network_error::{InputError, NetworkError};
use crate::prediction::{Outputs, Prediction};
use crate::schedule::{Layers, RowWindow, Schedule};

/// A model and its memory, ready to classify. `K`: the kernels that it runs.
#[derive(Debug)]
pub struct Network<'m, 'a, K = Selected> {
    model: Model<'m>,
    arena: &'a mut [u8],
    schedule: Schedule,
    /// The layer that works, read once a step: not on the stack, which is deepest then.
    layer: Layer,
    /// Its number and one more; 0 for none.
    loaded: usize,
    /// The first map that it reads.
    input: Map,
    parameters: Parameters<'m>,
    kernels: PhantomData<K>,
}

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

impl<'m, 'a> Network<'m, 'a> {
    /// A network that works in `arena`, of which it uses the first [`Model::arena_len`] bytes.
    pub fn new(model: &Model<'m>, arena: &'a mut [u8]) -> Result<Self, NetworkError> {
        Self::with_kernels(model, arena)
    }
}

impl<'m, 'a, K: Kernels> Network<'m, 'a, K> {
    /// The same with kernels of one's own choice, such as those that an image was built for ([`kernels::Only`]).
    #[inline(always)] // The network is made where it will be: no copy of it on the stack.
    pub fn with_kernels(model: &Model<'m>, arena: &'a mut [u8]) -> Result<Self, NetworkError> {
        let (needed, found) = (model.arena_len(), arena.len());
        let arena = arena.get_mut(..needed).ok_or(NetworkError::ArenaTooSmall { needed, found })?;
        if K::USES != only::ALL && model.uses() & !K::USES != 0 {
            return Err(NetworkError::KernelMissing);
        }
        Ok(Self {
            model: *model,
            arena,
            // Not restarted here: that would be a copy on the stack.
            schedule: Schedule::IDLE,
            layer: Layer::NONE,
            loaded: 0,
            input: Map::default(),
            parameters: Parameters::default(),
            kernels: PhantomData,
        })
    }

    /// The model that this network runs.
    pub fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// Forgets the current image.
    #[inline(never)]
    pub fn reset(&mut self) {
        self.schedule.forget();
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
        if self.schedule.produced(0) == 0 {
            self.schedule.restart(&self.model);
        }
        while let Step::Worked { .. } = self.step() {}
        let pixels = self.open_row(0, &self.model.map_at(0), 0);
        if let Some(pixels) = self.arena.get_mut(pixels) {
            pixels.iter_mut().zip(row).for_each(|(byte, &pixel)| *byte = pixel);
        }
        self.schedule.arrive(0, 1);
        Ok(())
    }

    /// Computes one row of the deepest layer that can work.
    #[inline(never)]
    pub fn step(&mut self) -> Step {
        match self.schedule.ready(self.model.layer_count()) {
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
        Ok(self.prediction())
    }

    /// What the last layer has made: what the image shows, once [`Network::step`] says that it is done.
    #[inline(never)]
    pub fn prediction(&self) -> Prediction<'_> {
        let count = self.model.layer_count();
        let map = self.model.map_at(count);
        let scratch = self.model.scratch(count.saturating_sub(1));
        let bytes = |range: Range<usize>| self.arena.get(range).unwrap_or_default();
        let outputs = if self.model.is_logits() {
            Outputs::Sums(bytes(scratch).as_chunks().0)
        } else {
            // Without padding, all rows lie behind each other.
            let start = map.ring.offset as usize;
            Outputs::Bytes(bytes(start..start + map.shape.len()), map.zero_point)
        };
        Prediction { outputs }
    }

    fn missing_rows(&self) -> u16 {
        self.model.input().height.saturating_sub(self.schedule.produced(0))
    }

    /// One step of a layer that can work.
    fn work(&mut self, index: usize) {
        self.load(index);
        let rows = if self.layer.accumulates() {
            let rows = self.schedule.output_rows(index, &self.layer);
            let output = if rows > 0 { self.open_output(index, 0) } else { 0..0 };
            self.accumulate_row(index, output);
            rows
        } else {
            self.slide_row(index)
        };
        self.schedule.advance(index, &self.layer, rows);
    }

    /// Reads what the file says of the layer that works, unless it is the one that worked before.
    fn load(&mut self, index: usize) {
        if self.loaded != index + 1 && self.model.read(index, &mut self.layer, &mut self.input).is_some() {
            self.parameters = self.model.parameters(&self.layer);
            self.loaded = index + 1;
        }
    }

    /// One step of a layer that slides a window over its input; returns how many output rows it makes.
    fn slide_row(&mut self, index: usize) -> u16 {
        let done = self.schedule.produced(index + 1);
        let window = RowWindow::of(&self.layer, done);
        let first = self.open_output(index, 0);
        if K::USES & only::JOINS != 0 && self.layer.joins() {
            self.join_rows(done, first);
            return window.output_rows;
        }
        let second = if window.output_rows == 2 { self.open_output(index, 1) } else { 0..0 };
        let layer = &self.layer;
        let unit = &Unit { layer, parameters: &self.parameters };
        let sliding = &mut sliding(layer, &self.input, &window, self.arena, [first, second]);
        let Some(Sliding { input, workspace, outputs }) = sliding else { return window.output_rows };
        let [first, second] = outputs;
        match (layer.op, layer.algorithm, layer.window.kernel_height) {
            (_, Algorithm::Winograd, 3) => K::winograd_rows::<4>(unit, input, workspace, [first, second]),
            (_, Algorithm::Winograd, 5) => K::winograd_rows::<7>(unit, input, workspace, [first, second]),
            (_, Algorithm::Winograd, _) => K::winograd_rows::<10>(unit, input, workspace, [first, second]),
            (Op::Conv, Algorithm::Direct, _) if !kernels::is_enough(workspace.len(), layer) => {
                K::conv_row_without_workspace(unit, input, first);
            }
            (Op::Conv, Algorithm::Direct, _) => K::conv_row(unit, input, workspace, first),
            (Op::DepthwiseConv, Algorithm::Direct, _) => K::depthwise_row(unit, input, first),
            (Op::GroupedConv, Algorithm::Direct, _) => K::grouped_row(unit, input, first),
            (Op::MaxPool, Algorithm::Direct, _) => K::max_pool_row(unit, input, first),
            (Op::AveragePool, Algorithm::Direct, _) => K::average_pool_row(unit, input, first),
            (Op::Dense, Algorithm::Direct, _) => K::dense_vector_row(unit, input.find_row(0), first),
            // These do not slide: they accumulate, or join.
            (Op::GlobalAveragePool | Op::Add | Op::Concat, Algorithm::Direct, _) => {}
        }
        window.output_rows
    }

    /// Makes an output row of a layer that joins two maps.
    #[inline(never)]
    fn join_rows(&mut self, row: u16, output: Range<usize>) {
        let layer = &self.layer;
        let unit = &Unit { layer, parameters: &self.parameters };
        let second = self.model.map_at(usize::from(layer.inputs[1]));
        let [first, second] = [&self.input, &second].map(|map| pixels_of(map, row));
        // Parsing has checked that these are disjoint.
        if let Ok([first, second, output]) = self.arena.get_disjoint_mut([first, second, output]) {
            match layer.op {
                Op::Add => K::add_row(unit, [first, second], output),
                Op::Concat => K::concat_row(unit, [first, second], output),
                Op::Conv
                | Op::GroupedConv
                | Op::DepthwiseConv
                | Op::Dense
                | Op::GlobalAveragePool
                | Op::MaxPool
                | Op::AveragePool => {}
            }
        }
    }

    /// Adds one input row to a layer that accumulates; after the last one, makes the only output, or turns the sums into logits
    /// where they are.
    #[inline(never)]
    fn accumulate_row(&mut self, index: usize, output: Range<usize>) {
        let layer = &self.layer;
        let unit = &Unit { layer, parameters: &self.parameters };
        let added = self.schedule.added(index);
        let row = pixels_of(&self.input, added);
        if let Ok([row, scratch, output]) = self.arena.get_disjoint_mut([row, arena::scratch(layer), output]) {
            let accumulators = scratch.as_chunks_mut::<4>().0;
            if added == 0 {
                for (accumulator, bias) in accumulators.iter_mut().zip(unit.parameters.bias.as_chunks::<4>().0) {
                    *accumulator = *bias;
                }
            }
            match layer.op {
                Op::GlobalAveragePool => K::average_row(unit, row, accumulators),
                Op::Dense => K::dense_row(unit, usize::from(added), row, accumulators),
                // These do not accumulate.
                Op::Conv
                | Op::GroupedConv
                | Op::DepthwiseConv
                | Op::Add
                | Op::MaxPool
                | Op::AveragePool
                | Op::Concat => {}
            }
            if added + 1 < layer.input.height {
                return;
            }
            for (channel, sum) in accumulators.iter_mut().enumerate() {
                let value = unit.scale(channel).output(unit, i32::from_le_bytes(*sum));
                match output.get_mut(channel) {
                    Some(byte) => *byte = value as u8,
                    None => *sum = value.to_le_bytes(),
                }
            }
        }
    }

    /// Opens a row of the map of the layer that works. Not inline: the map is on the stack only meanwhile.
    #[inline(never)]
    fn open_output(&mut self, index: usize, ahead: u16) -> Range<usize> {
        let map = self.layer.map();
        self.open_row(index + 1, &map, ahead)
    }

    /// Fills the padding of the row that comes `ahead` rows after the next one of map `number`, and returns the
    /// arena range of the pixels between.
    #[inline(never)]
    fn open_row(&mut self, number: usize, map: &Map, ahead: u16) -> Range<usize> {
        let row = self.schedule.produced(number) + ahead;
        let [whole, _] = arena::rows(map, row..row + 1);
        let pixels = pixels_in(map, &whole);
        for padding in [whole.start..pixels.start, pixels.end..whole.end] {
            if let Some(padding) = self.arena.get_mut(padding) {
                padding.fill(map.zero_point);
            }
        }
        pixels
    }
}

/// The arena range of a row of a map, without its padding.
fn pixels_of(map: &Map, row: u16) -> Range<usize> {
    let [row, _] = arena::rows(map, row..row + 1);
    pixels_in(map, &row)
}

/// What is between the paddings of a row.
fn pixels_in(map: &Map, row: &Range<usize>) -> Range<usize> {
    let start = row.start + usize::from(map.ring.pad_left) * usize::from(map.shape.channels);
    start..start + map.shape.row_len()
}

/// The memory of a step that slides a window.
struct Sliding<'a> {
    input: InputRows<'a>,
    workspace: &'a mut [u8],
    outputs: [&'a mut [u8]; 2],
}

/// Cuts the arena for a step that makes the rows at `outputs`. Not inline: what it needs for that is off the stack
/// when the kernel works.
#[inline(never)]
fn sliding<'a>(
    layer: &Layer,
    map: &Map,
    window: &RowWindow,
    arena: &'a mut [u8],
    [first, second]: [Range<usize>; 2],
) -> Option<Sliding<'a>> {
    let inside = window.first.max(0) as u16..window.end;
    let split = usize::from(map.ring.rows).saturating_sub(arena::slot(map, inside.start));
    let [until_end, from_start] = arena::rows(map, inside);
    // Where the window fills the ring, its first row shares padding with its last one: both parts are one.
    let is_full = until_end.start < from_start.end;
    let (turn, start_len) = (until_end.start.wrapping_sub(from_start.start), from_start.len());
    let [ring, rest] = if is_full { [from_start.start..until_end.end, 0..0] } else { [until_end, from_start] };
    // Parsing has checked that these are disjoint.
    let ranges = [ring, rest, first, second, arena::scratch(layer)];
    let [ring, rest, first, second, workspace] = arena.get_disjoint_mut(ranges).ok()?;
    let parts = if is_full { [ring.get(turn..)?, ring.get(..start_len)?] } else { [&*ring, &*rest] };
    // The ring has the padding of the reader with the most; this one begins where its own does.
    let [pad_left, _] = layer.row_padding();
    let skip = usize::from(map.ring.pad_left.saturating_sub(pad_left)) * usize::from(map.shape.channels);
    let input = InputRows {
        parts: parts.map(|part| part.get(skip..).unwrap_or(&[])),
        above: window.first.min(0).unsigned_abs() as usize,
        split,
        pitch: map.pitch(),
        row_len: layer.padded_row_len(),
        conv_rows: window.conv_rows,
    };
    Some(Sliding { input, workspace, outputs: [first, second] })
}
