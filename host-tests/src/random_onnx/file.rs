//! A stack as an ONNX file.

use thumbnet::format::{MAX_KERNEL, MAX_OUTPUTS, Shape};
use thumbnet_compiler::onnx::writer::{Writer, int, ints};
use tract_onnx::pb::AttributeProto;
use tract_onnx::pb::tensor_proto::DataType;

use super::{Ending, Input, Layer, Norm, Op, Pool, Spread, Stack, Weights, Window};
use crate::rng::Rng;

/// Most channels that values side by side, or of a depthwise convolution with a multiplier, come to.
const MOST_CHANNELS: usize = 24;

impl Stack {
    /// The bytes of the ONNX file.
    pub fn onnx(&self) -> Vec<u8> {
        let input = self.input.shape();
        let mut file = File { onnx: Writer::default(), rng: Rng::new(self.seed), values: Vec::new() };
        let first = file.enter(self.input);
        file.values.push(first);
        for (index, layer) in self.layers.iter().enumerate() {
            if let Some(value) = file.layer(layer, &format!("layer{index}")) {
                file.values.push(value);
            }
        }
        let result = file.end(self);
        file.onnx.finish("random", input, &result.dims(), &[])
    }
}

/// A tensor.
#[derive(Clone, Debug)]
struct Value {
    name: String,
    shape: Shape,
    rank: Rank,
}

/// The dimensions of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rank {
    /// `[N, channels, height, width]`.
    Map,
    /// `[N, channels, length]`.
    Series,
    /// `[N, channels]`.
    Vector,
}

impl Value {
    /// The dimensions behind the batch.
    fn dims(&self) -> Vec<i64> {
        let Shape { height, width, channels } = self.shape;
        let [height, width, channels] = [height, width, channels].map(i64::from);
        match self.rank {
            Rank::Map => vec![channels, height, width],
            Rank::Series => vec![channels, height],
            Rank::Vector => vec![channels],
        }
    }

    fn channels(&self) -> usize {
        self.shape.channels.into()
    }

    /// Whether both have the same dimensions but for the channels.
    fn is_beside(&self, other: &Self) -> bool {
        let size = |value: &Self| (value.shape.height, value.shape.width, value.rank);
        size(self) == size(other)
    }
}

/// An ONNX file in the making.
struct File {
    onnx: Writer,
    rng: Rng,
    /// What the layers have left, in their order.
    values: Vec<Value>,
}

impl File {
    /// What enters, in the rank that it is meant to have.
    fn enter(&mut self, input: Input) -> Value {
        let value = Value { name: "input".into(), shape: input.shape(), rank: Rank::Map };
        match input {
            Input::Image(..) => value,
            Input::Series(..) => {
                self.onnx.initializer("last_axis", DataType::Int64, &[1], 3i64.to_le_bytes().to_vec());
                let name = self.onnx.node("Squeeze", "series", &["input", "last_axis"], vec![]);
                Value { name, rank: Rank::Series, ..value }
            }
            Input::Vector(_) => self.flatten(&value, "vector"),
        }
    }

    /// The value so many steps back, or the newest one.
    fn value(&self, back: usize) -> Value {
        let newest = self.values.len() - 1;
        self.values[newest.checked_sub(back).unwrap_or(newest)].clone()
    }

    /// A layer with what follows it, if it fits what it reads.
    fn layer(&mut self, layer: &Layer, name: &str) -> Option<Value> {
        let read = self.value(layer.from);
        let sums = self.sums(layer, &read, name)?;
        let mut value = sums;
        if layer.norm == Norm::Before {
            value = self.batch_norm(&value, name);
        }
        if let Some(activation) = layer.activation {
            value.name = activation.write(&mut self.onnx, &format!("{name}_activated"), &value.name);
        }
        if let (Op::Conv(..) | Op::Depthwise(..), Some(pool)) = (&layer.op, &layer.pool) {
            value = self.pool(pool, value, name);
        }
        if layer.norm == Norm::After {
            value = self.batch_norm(&value, name);
        }
        Some(value)
    }

    fn sums(&mut self, layer: &Layer, read: &Value, name: &str) -> Option<Value> {
        let weights = &layer.weights;
        match &layer.op {
            Op::Conv(filters, group, window) => {
                let fitting = (1..=*group).rev().find(|&group| read.channels().is_multiple_of(group)).unwrap_or(1);
                self.convolve(read, (filters.next_multiple_of(fitting), fitting), window, weights, name)
            }
            Op::Depthwise(multiplier, window) => {
                let filters = Some(read.channels() * multiplier).filter(|&filters| filters <= MOST_CHANNELS);
                let filters = filters.unwrap_or(read.channels());
                self.convolve(read, (filters, read.channels()), window, weights, name)
            }
            Op::Dense(units) => Some(self.dense(read, *units, weights, name)),
            Op::Average if read.rank == Rank::Vector => None,
            Op::Average => {
                let name = self.onnx.node("GlobalAveragePool", name, &[&read.name], vec![]);
                Some(Value { name, shape: Shape { height: 1, width: 1, ..read.shape }, rank: read.rank })
            }
            Op::MaxPool(window) => self.slide("MaxPool", read, window, vec![], name),
            Op::AveragePool(window, counts) => {
                self.slide("AveragePool", read, window, vec![int("count_include_pad", (*counts).into())], name)
            }
            Op::Add(back) => {
                let other = self.other(read, *back, |other| other.shape == read.shape && other.rank == read.rank)?;
                Some(self.join("Add", read, &other, read.shape.channels, name))
            }
            Op::Residual(reach) => {
                let branch = self.same_shape(read, *reach, weights, &format!("{name}_branch"))?;
                Some(self.join("Add", read, &branch, read.shape.channels, name))
            }
            Op::Concat(back) => {
                let fits = |other: &Value| other.is_beside(read) && other.channels() + read.channels() <= MOST_CHANNELS;
                let other = self.other(read, *back, fits)?;
                let channels = read.shape.channels + other.shape.channels;
                Some(self.join("Concat", read, &other, channels, name))
            }
        }
    }

    /// Another value that fits, counted backwards among them.
    fn other(&self, read: &Value, back: usize, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let others = self.values.iter().rev().filter(|other| other.name != read.name && fits(other));
        let others: Vec<&Value> = others.collect();
        others.get(back).or(others.first()).map(|&other| other.clone())
    }

    fn join(&mut self, op: &str, first: &Value, second: &Value, channels: u16, name: &str) -> Value {
        let attributes = if op == "Concat" { vec![int("axis", 1)] } else { vec![] };
        let name = self.onnx.node(op, name, &[&first.name, &second.name], attributes);
        Value { name, shape: Shape { channels, ..first.shape }, rank: first.rank }
    }

    /// A layer on a value that keeps its shape.
    fn same_shape(&mut self, read: &Value, reach: u8, weights: &Weights, name: &str) -> Option<Value> {
        match read.rank {
            // A matrix of one row: see the strategy.
            Rank::Vector if read.channels() < 2 => None,
            Rank::Vector => Some(self.dense(read, read.channels(), weights, name)),
            Rank::Map | Rank::Series => {
                let kernel = [2 * reach + 1; 2];
                let window = Window { kernel, strides: [1; 2], pads: [reach; 4], dilation: 1 };
                // A column takes no padding at its sides.
                let narrow = Window { kernel: [kernel[0], 1], pads: [reach, 0, reach, 0], ..window };
                let window = if read.shape.width == 1 { narrow } else { window };
                self.convolve(read, (read.channels(), 1), &window, weights, name)
            }
        }
    }

    /// A convolution with so many filters in so many groups, if its kernel fits the padded map.
    fn convolve(
        &mut self,
        read: &Value,
        (filters, group): (usize, usize),
        window: &Window,
        weights: &Weights,
        name: &str,
    ) -> Option<Value> {
        // A map has to know its dimensions before weights are drawn for it.
        let (shape, mut attributes) = slid(read, window)?;
        let axes = if read.rank == Rank::Series { 1 } else { 2 };
        let mut dims = vec![filters, read.channels() / group];
        dims.extend(window.kernel[..axes].iter().map(|&size| usize::from(size)));
        let constants = self.parameters(weights, &dims, name);
        attributes.push(int("group", group as i64));
        let inputs: Vec<&str> = std::iter::once(&read.name).chain(&constants).map(String::as_str).collect();
        let name = self.onnx.node("Conv", name, &inputs, attributes);
        Some(Value { name, shape: Shape { channels: filters as u16, ..shape }, rank: read.rank })
    }

    /// A pooling, if its window fits the padded map.
    fn slide(
        &mut self,
        op: &str,
        read: &Value,
        window: &Window,
        more: Vec<AttributeProto>,
        name: &str,
    ) -> Option<Value> {
        let (shape, mut attributes) = slid(read, window)?;
        attributes.retain(|attribute| attribute.name != "dilations");
        attributes.extend(more);
        let name = self.onnx.node(op, name, &[&read.name], attributes);
        Some(Value { name, shape, rank: read.rank })
    }

    /// The max pooling that follows a layer, if it fits.
    fn pool(&mut self, pool: &Pool, value: Value, layer: &str) -> Value {
        let &Pool { size, stride, pads: [bottom, right] } = pool;
        let stride = stride.min(size);
        let window = Window { kernel: [size; 2], strides: [stride; 2], pads: [0, 0, bottom, right], dilation: 1 };
        self.slide("MaxPool", &value, &window, vec![], &format!("{layer}_pooled")).unwrap_or(value)
    }

    fn flatten(&mut self, value: &Value, name: &str) -> Value {
        let channels = value.shape.len() as u16;
        let name = self.onnx.node("Flatten", name, &[&value.name], vec![]);
        Value { name, shape: Shape { height: 1, width: 1, channels }, rank: Rank::Vector }
    }

    fn dense(&mut self, read: &Value, units: usize, weights: &Weights, name: &str) -> Value {
        let flat = match read.rank {
            Rank::Vector => read.clone(),
            Rank::Map | Rank::Series => self.flatten(read, &format!("{name}_flat")),
        };
        let constants = self.parameters(weights, &[units, flat.channels()], name);
        let inputs: Vec<&str> = std::iter::once(&flat.name).chain(&constants).map(String::as_str).collect();
        let name = self.onnx.node("Gemm", name, &inputs, vec![int("transB", 1)]);
        Value { name, shape: Shape { channels: units as u16, ..flat.shape }, rank: Rank::Vector }
    }

    fn batch_norm(&mut self, value: &Value, layer: &str) -> Value {
        let channels = value.channels();
        let names = ["scale", "shift", "mean", "variance"].map(|what| format!("{layer}_{what}"));
        // Scales of both signs, variances down to almost nothing.
        let tiny = if self.rng.one_in(8) { 1e-6 } else { 1.0 };
        let ranges = [(-1.5, 1.5), (-0.5, 0.5), (-0.5, 0.5), (0.01 * tiny, tiny)];
        for (name, (low, high)) in names.iter().zip(ranges) {
            let values: Vec<f32> = (0..channels).map(|_| self.between(low, high)).collect();
            self.onnx.floats(name, &[channels], &values);
        }
        let inputs: Vec<&str> = std::iter::once(&value.name).chain(&names).map(String::as_str).collect();
        let name = self.onnx.node("BatchNormalization", &format!("{layer}_norm"), &inputs, vec![]);
        Value { name, ..value.clone() }
    }

    /// The last layer, or what is there under the name of the result.
    fn end(&mut self, stack: &Stack) -> Value {
        let last = self.value(0);
        let is_possible = self.values.len() > 1 && last.shape.len() <= MAX_OUTPUTS;
        match stack.ending {
            Ending::Map if is_possible => {
                let name = self.onnx.node("Identity", "logits", &[&last.name], vec![]);
                Value { name, ..last }
            }
            Ending::Logits | Ending::Map => self.dense(&last, stack.classes, &stack.last, "logits"),
            Ending::Activated(activation) => {
                let sums = self.dense(&last, stack.classes, &stack.last, "sums");
                let name = activation.write(&mut self.onnx, "logits", &sums.name);
                Value { name, ..sums }
            }
        }
    }

    /// Weights with these dimensions, the output channel first, and biases; their names.
    fn parameters(&mut self, weights: &Weights, dims: &[usize], layer: &str) -> Vec<String> {
        let (outputs, taps) = (dims[0], dims[1..].iter().product::<usize>());
        // Pixels and activations of a size of one stay so.
        let reach = (6.0 / taps as f32).sqrt() * 10f32.powi(weights.exponent.into());
        let mut values = Vec::with_capacity(outputs * taps);
        for _ in 0..outputs {
            let channel = self.rng.pick(&[0.0, 1e-3, 1.0, 30.0]);
            values.extend((0..taps).map(|_| match weights.spread {
                Spread::Even => self.between(-reach, reach),
                Spread::Extremes => self.rng.pick(&[-reach, reach]),
                Spread::Outliers if self.rng.one_in(100) => self.rng.pick(&[-reach, reach]),
                Spread::Outliers => self.between(-reach, reach) / 100.0,
                Spread::Channels => self.between(-reach, reach) * channel,
            }));
        }
        let mut names = vec![format!("{layer}_weights")];
        self.onnx.floats(&names[0], dims, &values);
        if let Some(exponent) = weights.bias {
            let reach = 0.3 * 10f32.powi(exponent.into());
            let values: Vec<f32> = (0..outputs).map(|_| self.between(-reach, reach)).collect();
            names.push(format!("{layer}_bias"));
            self.onnx.floats(&names[1], &[outputs], &values);
        }
        names
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        const STEPS: i64 = 1 << 20;
        low + (high - low) * self.rng.within(0..=STEPS) as f32 / STEPS as f32
    }
}

/// The shape that a window leaves, and its attributes; `None` where it does not fit.
fn slid(read: &Value, window: &Window) -> Option<(Shape, Vec<AttributeProto>)> {
    let Window { kernel, strides, pads, dilation } = *window;
    let axes = match read.rank {
        Rank::Map => 2,
        Rank::Series => 1,
        Rank::Vector => return None,
    };
    // Pixels that the kernel spans.
    let span = |axis: usize, dilation: u8| (kernel[axis] - 1) * dilation + 1;
    let fits = (0..axes).all(|axis| span(axis, dilation) <= MAX_KERNEL);
    let dilation = if fits { dilation } else { 1 };
    let pads = [0, 1, 2, 3].map(|side: usize| pads[side].min(span(side % 2, dilation) - 1));
    let positions = |size: u16, axis: usize| {
        let padded = size + u16::from(pads[axis]) + u16::from(pads[axis + 2]);
        Some(padded.checked_sub(span(axis, dilation).into())? / u16::from(strides[axis]) + 1)
    };
    let height = positions(read.shape.height, 0)?;
    let width = if axes == 2 { positions(read.shape.width, 1)? } else { read.shape.width };
    let ends = [&pads[..axes], &pads[2..][..axes]].concat();
    let attributes = vec![
        ints("kernel_shape", &kernel[..axes]),
        ints("strides", &strides[..axes]),
        ints("pads", &ends),
        ints("dilations", &[dilation; 2][..axes]),
    ];
    Some((Shape { height, width, ..read.shape }, attributes))
}
