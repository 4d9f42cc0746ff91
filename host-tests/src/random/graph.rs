//! The layers of a random network and the maps that they read.

use thumbnet::format::{Activation, Layer, MAX_OUTPUTS, MAX_WINDOW_ROWS, Map, NO_MAP, Op, Pool, Ring, Shape, Window};

use super::numbers::Numbers;
use crate::rng::Rng;

/// Most layers before those that bring all branches together.
const DEPTH: usize = 6;
/// Most channels that maps side by side, or of a depthwise convolution with a multiplier, come to.
const MOST_CHANNELS: u16 = 30;

/// A network without memory.
pub struct Drawn {
    /// Map 0.
    pub input: Map,
    /// The layers and their numbers.
    pub layers: Vec<(Layer, Numbers)>,
    /// Of what enters and what leaves.
    pub scales: [f32; 2],
}

/// Draws a network.
pub fn draw(mut rng: Rng) -> Drawn {
    let height = rng.size(1..=14) as u16;
    let shape = match rng.size(0..=9) {
        0 => Shape { height: 1, width: 1, channels: rng.size(1..=24) as u16 },
        1 => Shape { height: 2 * height, width: 1, channels: rng.size(1..=5) as u16 },
        _ => Shape { height, width: rng.size(1..=14) as u16, channels: rng.pick(&[1, 1, 2, 3, 5]) },
    };
    let input = Map { shape, zero_point: zero_point(&mut rng), ring: Ring::default() };
    let scales = [0, 1].map(|_| rng.size(1..=1000) as f32 / 256.0);
    let mut drawing = Drawing { rng, maps: vec![input], is_read: vec![false], layers: Vec::new() };
    for _ in 0..drawing.rng.size(0..=DEPTH) {
        drawing.layer();
    }
    drawing.join_branches();
    drawing.end();
    Drawn { input, layers: drawing.layers, scales }
}

/// A network in the making.
struct Drawing {
    rng: Rng,
    maps: Vec<Map>,
    /// Of each map, whether a layer reads it.
    is_read: Vec<bool>,
    layers: Vec<(Layer, Numbers)>,
}

impl Drawing {
    /// Adds a layer, and perhaps another one that it needs.
    fn layer(&mut self) {
        let newest = self.maps.len() - 1;
        let from = if self.rng.one_in(3) { self.rng.size(0..=newest) } else { newest };
        let channels = self.maps[from].shape.channels;
        match self.rng.size(0..=21) {
            0..=5 => {
                let filters = self.rng.size(1..=9) as u16;
                self.windowed(Op::Conv, from, filters, 1);
            }
            6..=8 => {
                let multiplier = self.rng.pick(&[1, 1, 2, 3]);
                let outputs = channels * multiplier;
                self.windowed(Op::DepthwiseConv, from, if outputs > MOST_CHANNELS { channels } else { outputs }, 1);
            }
            9..=10 => {
                let divisors: Vec<u16> = (1..=channels).filter(|&groups| channels.is_multiple_of(groups)).collect();
                // Mostly not the one group that a convolution has.
                let skipped = usize::from(divisors.len() > 1 && !self.rng.one_in(8));
                let groups = self.rng.pick(&divisors[skipped..]);
                let outputs = groups * self.rng.size(1..=if groups > 9 { 1 } else { 3 }) as u16;
                self.windowed(Op::GroupedConv, from, outputs, groups);
            }
            11 => {
                let units = self.rng.size(1..=9) as u16;
                self.plain(Op::Dense, [from, from], units);
            }
            12 => self.plain(Op::GlobalAveragePool, [from, from], channels),
            13..=14 => self.windowed(Op::MaxPool, from, channels, 1),
            15..=16 => self.windowed(Op::AveragePool, from, channels, 1),
            17..=19 => {
                let other = self.partner(from, |shape, other| shape == other);
                self.join(Op::Add, from, other);
            }
            _ => {
                let other = self.partner(from, fit_side_by_side);
                if fit_side_by_side(self.maps[from].shape, self.maps[other].shape) {
                    self.join(Op::Concat, from, other);
                }
            }
        }
    }

    /// A map that fits `from`, or a new branch that begins there.
    fn partner(&mut self, from: usize, fits: impl Fn(Shape, Shape) -> bool) -> usize {
        let shape = self.maps[from].shape;
        let fitting = (0..self.maps.len()).filter(|&map| map != from && fits(shape, self.maps[map].shape));
        let fitting: Vec<usize> = fitting.collect();
        if fitting.is_empty() || self.rng.one_in(3) {
            self.same_shape(from);
            return self.maps.len() - 1;
        }
        self.rng.pick(&fitting)
    }

    /// Adds a layer whose output has the shape of its input.
    fn same_shape(&mut self, from: usize) {
        let op = self.rng.pick(&[Op::Conv, Op::Conv, Op::DepthwiseConv, Op::MaxPool, Op::AveragePool]);
        let mut layer = self.reading(op, [from, from]);
        let padding = self.rng.pick(&[0, 1, 1, 2]);
        layer.window = Window::square(2 * padding + 1, padding);
        self.push(layer, layer.input.channels);
    }

    /// Adds a layer that slides a window.
    fn windowed(&mut self, op: Op, from: usize, channels: u16, groups: u16) {
        let mut layer = Layer { groups, ..self.reading(op, [from, from]) };
        place_window(&mut self.rng, &mut layer);
        self.push(layer, channels);
    }

    fn plain(&mut self, op: Op, maps: [usize; 2], channels: u16) {
        let layer = self.reading(op, maps);
        self.push(layer, channels);
    }

    fn join(&mut self, op: Op, first: usize, second: usize) {
        let more = if op == Op::Concat { self.maps[second].shape.channels } else { 0 };
        let channels = self.maps[first].shape.channels + more;
        let maps = if self.rng.one_in(2) { [first, second] } else { [second, first] };
        self.plain(op, maps, channels);
    }

    /// A layer that reads these maps, or this one if both are the same.
    fn reading(&mut self, op: Op, maps: [usize; 2]) -> Layer {
        let [first, second] = maps;
        maps.iter().for_each(|&map| self.is_read[map] = true);
        let Map { shape, zero_point, .. } = self.maps[first];
        let inputs = [first as u8, if second == first { NO_MAP } else { second as u8 }];
        Layer { inputs, input_zero_point: zero_point, ..Layer::new(op, shape, shape) }
    }

    /// Adds a layer that ends in bytes.
    fn push(&mut self, mut layer: Layer, channels: u16) {
        let rng = &mut self.rng;
        layer.output.channels = channels;
        layer.output = layer.expected_output();
        (layer.low, layer.high) = if rng.one_in(4) { sorted(rng.bits() as u8, rng.bits() as u8) } else { (0, 255) };
        if layer.op == Op::MaxPool {
            layer.output_zero_point = layer.input_zero_point;
        } else {
            layer.output_zero_point = zero_point(rng);
            layer.activation = rng.pick(&[
                Activation::Clamp,
                Activation::Clamp,
                Activation::Clamp,
                Activation::Clamp,
                Activation::Table,
                Activation::ByteTable,
            ]);
        }
        if layer.activation == Activation::ByteTable {
            layer.table_zero = rng.bits() as u8;
        }
        self.add(layer);
    }

    fn add(&mut self, mut layer: Layer) {
        let zero_points = layer.input_maps().map(|map| self.maps[map].zero_point).collect::<Vec<_>>();
        let numbers = Numbers::draw(&mut self.rng, &mut layer, &zero_points);
        self.maps.push(layer.map());
        self.is_read.push(false);
        self.layers.push((layer, numbers));
    }

    fn unread(&self) -> Vec<usize> {
        (0..self.maps.len()).filter(|&map| !self.is_read[map]).collect()
    }

    /// Joins the maps that nobody reads until there is one.
    fn join_branches(&mut self) {
        while let [first, second, ..] = self.unread()[..] {
            let shapes = [first, second].map(|map| self.maps[map].shape);
            if shapes[0] == shapes[1] && self.rng.one_in(2) {
                self.join(Op::Add, first, second);
            } else if fit_side_by_side(shapes[0], shapes[1]) {
                self.join(Op::Concat, first, second);
            } else {
                // Maps become vectors, long vectors short ones.
                let is_vector = |map: usize| (self.maps[map].shape.height, self.maps[map].shape.width) == (1, 1);
                let channels = |map: usize| self.maps[map].shape.channels;
                match [first, second].into_iter().find(|&map| !is_vector(map)) {
                    Some(map) => self.plain(Op::GlobalAveragePool, [map, map], channels(map)),
                    None => {
                        let longer = if channels(first) > channels(second) { first } else { second };
                        self.plain(Op::Dense, [longer, longer], 5);
                    }
                }
            }
        }
    }

    /// Adds a dense layer that gives logits or bytes, or leaves the last map as the result.
    fn end(&mut self) {
        let last = self.maps.len() - 1;
        let outputs = self.rng.size(1..=12) as u16;
        let is_possible = last > 0 && self.maps[last].shape.len() <= MAX_OUTPUTS;
        match self.rng.size(0..=9) {
            0..=1 if is_possible => {}
            2 => self.plain(Op::Dense, [last, last], outputs),
            _ => {
                let output = Shape { height: 1, width: 1, channels: outputs };
                let layer = self.reading(Op::Dense, [last, last]);
                self.add(Layer { activation: Activation::Logits, output, ..layer });
            }
        }
    }
}

/// Whether maps of these shapes may lie side by side.
fn fit_side_by_side(first: Shape, second: Shape) -> bool {
    (first.height, first.width) == (second.height, second.width) && first.channels + second.channels <= MOST_CHANNELS
}

/// Draws windows and pools until one fits the input.
fn place_window(rng: &mut Rng, layer: &mut Layer) {
    loop {
        let size = |rng: &mut Rng| rng.pick(&[1, 2, 3, 3, 3, 4, 5, 5, 7]);
        let (kernel_height, kernel_width) = (size(rng), size(rng));
        let padding = |rng: &mut Rng, kernel: u8| match rng.one_in(2) {
            true => 0,
            false => rng.size(0..=usize::from(kernel) - 1) as u8,
        };
        layer.window = Window {
            kernel_height,
            kernel_width,
            stride_height: rng.pick(&[1, 1, 1, 2, 3]),
            stride_width: rng.pick(&[1, 1, 1, 2, 3]),
            pad_top: padding(rng, kernel_height),
            pad_left: padding(rng, kernel_width),
            pad_bottom: padding(rng, kernel_height),
            pad_right: padding(rng, kernel_width),
        };
        let can_pool = !matches!(layer.op, Op::MaxPool | Op::AveragePool);
        layer.pool = match rng.size(0..=3) {
            2..=3 if can_pool => {
                let size = rng.pick(&[2, 2, 3]);
                let mut padding = || rng.size(0..=usize::from(size) - 1) as u8;
                let (pad_bottom, pad_right) = (padding(), padding());
                Pool { size, stride: rng.size(1..=usize::from(size)) as u8, pad_bottom, pad_right }
            }
            _ => Pool::NONE,
        };
        let output = layer.expected_output();
        let padded_height = u16::from(layer.window.pad_top) + layer.input.height + u16::from(layer.window.pad_bottom);
        let fits = padded_height >= u16::from(kernel_height)
            && layer.padded_width() >= usize::from(kernel_width)
            && layer.window_rows() <= MAX_WINDOW_ROWS;
        if fits && output.height > 0 && output.width > 0 {
            return;
        }
    }
}

/// Half of the maps have none.
fn zero_point(rng: &mut Rng) -> u8 {
    if rng.one_in(2) { 0 } else { rng.bits() as u8 }
}

fn sorted(a: u8, b: u8) -> (u8, u8) {
    (a.min(b), a.max(b))
}
