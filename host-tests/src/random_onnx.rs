//! Random networks as ONNX files: stacks of layers with sizes, strides, paddings, pools, activations, batch
//! normalizations, and weights of extreme sizes.
//!
//! A stack is drawn by a strategy of proptest, which makes it smaller where a test fails. Whatever does not fit the map
//! that it gets is left out when the file is written, so that each smaller stack is a network again.

use compiler::onnx::writer::{Writer, int, ints};
use inference_core::format::Shape;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::rng::Rng;

/// Most layers before the last one.
const DEPTH: usize = 5;

/// A network as it is drawn.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Height and width of an image.
    pub image: (u16, u16),
    /// All layers but the last one, which is dense.
    pub layers: Vec<Layer>,
    /// What the last layer gives.
    pub classes: usize,
    /// The last layer's weights.
    pub last: Weights,
    /// All random constants and images follow from it.
    pub seed: u64,
}

/// A layer with what follows it.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What it computes.
    pub op: Op,
    /// How large its weights are.
    pub weights: Weights,
    /// Batch normalization.
    pub norm: Norm,
    /// ONNX's name of the activation.
    pub activation: Option<&'static str>,
    /// Max pooling, after a convolution only.
    pub pool: Option<Pool>,
}

/// What a layer computes.
#[derive(Clone, Debug)]
pub enum Op {
    /// A convolution with this many filters.
    Conv(usize, Window),
    /// A depthwise convolution.
    Depthwise(Window),
    /// A dense layer with this many units.
    Dense(usize),
    /// A global average.
    Average,
}

/// Height before width; paddings are top, left, bottom, right.
#[derive(Clone, Debug)]
pub struct Window {
    kernel: [u8; 2],
    strides: [u8; 2],
    pads: [u8; 4],
}

/// Max pooling with padding at the bottom and right.
#[derive(Clone, Debug)]
pub struct Pool {
    size: u8,
    stride: u8,
    pads: [u8; 2],
}

/// Where a batch normalization is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Norm {
    /// Nowhere.
    None,
    /// Between layer and activation.
    Before,
    /// Behind the activation: it is folded into the next layer.
    After,
}

/// Weights between plus and minus `10^exponent` times what keeps activations as large as they are.
#[derive(Clone, Debug)]
pub struct Weights {
    exponent: i8,
    spread: Spread,
    /// The same for biases; none where there is no bias.
    bias: Option<i8>,
}

/// How weights are distributed.
#[derive(Clone, Copy, Debug)]
pub enum Spread {
    /// Evenly.
    Even,
    /// Only the two extremes.
    Extremes,
    /// All small but one in a hundred.
    Outliers,
    /// Channels of very different sizes, some of zeros.
    Channels,
}

/// All stacks.
pub fn stacks() -> impl Strategy<Value = Stack> {
    let image = (1..=16u16, 1..=16u16);
    (image, vec(layer(), 0..=DEPTH), 2..=12usize, weights(), any::<u64>())
        .prop_map(|(image, layers, classes, last, seed)| Stack { image, layers, classes, last, seed })
}

fn layer() -> impl Strategy<Value = Layer> {
    let op = prop_oneof![
        // tract 0.23 cannot run a matrix of one row behind a map.
        1 => (2..=12usize).prop_map(Op::Dense),
        6 => (1..=12usize, window()).prop_map(|(filters, window)| Op::Conv(filters, window)),
        3 => window().prop_map(Op::Depthwise),
        1 => Just(Op::Average),
    ];
    let norm = prop_oneof![6 => Just(Norm::None), 6 => Just(Norm::Before), 1 => Just(Norm::After)];
    let activation = prop_oneof![1 => Just(None), 3 => Just(Some("Relu")), 1 => Just(Some("Sigmoid"))];
    (op, weights(), norm, activation, option::of(pool())).prop_map(|(op, weights, norm, activation, pool)| Layer {
        op,
        weights,
        norm,
        activation,
        pool,
    })
}

fn window() -> impl Strategy<Value = Window> {
    let kernel = || prop_oneof![3 => Just(3u8), 2 => Just(1), 4 => 1..=7u8];
    let stride = || prop_oneof![3 => Just(1u8), 1 => 1..=3u8];
    let pad = || prop_oneof![1 => Just(0u8), 1 => 0..=6u8];
    ([kernel(), kernel()], [stride(), stride()], [pad(), pad(), pad(), pad()])
        .prop_map(|(kernel, strides, pads)| Window { kernel, strides, pads })
}

fn pool() -> impl Strategy<Value = Pool> {
    let pad = || prop_oneof![2 => Just(0u8), 1 => 0..=2u8];
    (2..=3u8, 1..=3u8, [pad(), pad()]).prop_map(|(size, stride, pads)| Pool { size, stride, pads })
}

fn weights() -> impl Strategy<Value = Weights> {
    let exponent = || prop_oneof![6 => Just(0i8), 2 => -2..=2i8, 1 => -8..=5i8];
    let spread = prop_oneof![
        4 => Just(Spread::Even),
        1 => select(vec![Spread::Extremes, Spread::Outliers, Spread::Channels]),
    ];
    (exponent(), spread, option::weighted(0.8, exponent())).prop_map(|(exponent, spread, bias)| Weights {
        exponent,
        spread,
        bias,
    })
}

impl Stack {
    /// The bytes of the ONNX file.
    pub fn onnx(&self) -> Vec<u8> {
        let (height, width) = self.image;
        let input = Shape { height, width, channels: 1 };
        let mut file = File {
            onnx: Writer::default(),
            rng: Rng::new(self.seed),
            current: "input".into(),
            shape: input,
            is_flat: false,
        };
        for (index, layer) in self.layers.iter().enumerate() {
            file.layer(layer, &format!("layer{index}"));
        }
        file.dense(self.classes, &self.last, "logits");
        file.onnx.finish("random", input, self.classes, &[])
    }

    /// Images to measure activations on, and others: black, white, noise, black and white noise.
    pub fn images(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let mut rng = Rng::new(!self.seed);
        let len = usize::from(self.image.0) * usize::from(self.image.1);
        let measured = (0..4).map(|_| rng.bytes(len)).collect();
        let hard = (0..len).map(|_| rng.pick(&[0, 255])).collect();
        (measured, vec![vec![0; len], vec![255; len], rng.bytes(len), hard])
    }
}

/// An ONNX file in the making.
struct File {
    onnx: Writer,
    rng: Rng,
    /// The tensor that the last node left.
    current: String,
    shape: Shape,
    is_flat: bool,
}

impl File {
    fn layer(&mut self, layer: &Layer, name: &str) {
        if self.is_flat && !matches!(layer.op, Op::Dense(_)) {
            return;
        }
        let is_convolution = match &layer.op {
            Op::Conv(filters, window) => self.convolve(*filters, window, 1, &layer.weights, name),
            Op::Depthwise(window) => {
                let channels = usize::from(self.shape.channels);
                self.convolve(channels, window, channels, &layer.weights, name)
            }
            Op::Dense(units) => {
                self.dense(*units, &layer.weights, name);
                false
            }
            Op::Average => {
                self.node("GlobalAveragePool", name, &[], vec![]);
                self.shape = Shape { height: 1, width: 1, ..self.shape };
                false
            }
        };
        if self.current != name {
            return;
        }
        // Behind an average it would wait for the next layer, and no activation may come between.
        let is_average = matches!(layer.op, Op::Average);
        if layer.norm == Norm::Before && !is_average {
            self.batch_norm(name);
        }
        if let Some(activation) = layer.activation {
            self.node(activation, &format!("{name}_activated"), &[], vec![]);
        }
        if let (true, Some(pool)) = (is_convolution, &layer.pool) {
            self.pool(pool, name);
        }
        if layer.norm == Norm::After && !is_average {
            self.batch_norm(name);
        }
    }

    /// A convolution, if its kernel fits the padded map; whether it does.
    fn convolve(&mut self, filters: usize, window: &Window, group: usize, weights: &Weights, name: &str) -> bool {
        let Window { kernel: [height, width], strides, pads } = *window;
        let pads = [0, 1, 2, 3].map(|side| pads[side].min([height, width][side % 2] - 1));
        let positions = |size: u16, kernel: u8, padding: u8, stride: u8| {
            Some((size + u16::from(padding)).checked_sub(u16::from(kernel))? / u16::from(stride) + 1)
        };
        let rows = positions(self.shape.height, height, pads[0] + pads[2], strides[0]);
        let columns = positions(self.shape.width, width, pads[1] + pads[3], strides[1]);
        let (Some(rows), Some(columns)) = (rows, columns) else { return false };
        let inputs = usize::from(self.shape.channels) / group;
        let constants = self.parameters(weights, &[filters, inputs, height.into(), width.into()], name);
        let attributes = vec![ints("strides", &strides), ints("pads", &pads), int("group", group as i64)];
        self.node("Conv", name, &constants, attributes);
        self.shape = Shape { height: rows, width: columns, channels: filters as u16 };
        true
    }

    fn dense(&mut self, units: usize, weights: &Weights, name: &str) {
        if !self.is_flat {
            self.node("Flatten", &format!("{name}_flat"), &[], vec![]);
            self.is_flat = true;
        }
        let Shape { height, width, channels } = self.shape;
        let inputs = usize::from(height) * usize::from(width) * usize::from(channels);
        let constants = self.parameters(weights, &[units, inputs], name);
        self.node("Gemm", name, &constants, vec![int("transB", 1)]);
        self.shape = Shape { height: 1, width: 1, channels: units as u16 };
    }

    fn batch_norm(&mut self, layer: &str) {
        let channels = usize::from(self.shape.channels);
        let names = ["scale", "shift", "mean", "variance"].map(|what| format!("{layer}_{what}"));
        // Scales of both signs, variances down to almost nothing.
        let tiny = if self.rng.one_in(8) { 1e-6 } else { 1.0 };
        let ranges = [(-1.5, 1.5), (-0.5, 0.5), (-0.5, 0.5), (0.01 * tiny, tiny)];
        for (name, (low, high)) in names.iter().zip(ranges) {
            let values: Vec<f32> = (0..channels).map(|_| self.between(low, high)).collect();
            self.onnx.floats(name, &[channels], &values);
        }
        self.node("BatchNormalization", &format!("{layer}_norm"), &names, vec![]);
    }

    fn pool(&mut self, pool: &Pool, layer: &str) {
        let &Pool { size, stride, pads } = pool;
        let (stride, pads) = (stride.min(size), pads.map(|pad| pad.min(size - 1)));
        let positions = |length: u16, pad: u8| {
            Some((length + u16::from(pad)).checked_sub(u16::from(size))? / u16::from(stride) + 1)
        };
        let sizes = (positions(self.shape.height, pads[0]), positions(self.shape.width, pads[1]));
        let (Some(height), Some(width)) = sizes else { return };
        let attributes = vec![
            ints("kernel_shape", &[size, size]),
            ints("strides", &[stride, stride]),
            ints("pads", &[0, 0, pads[0], pads[1]]),
        ];
        self.node("MaxPool", &format!("{layer}_pooled"), &[], attributes);
        self.shape = Shape { height, width, ..self.shape };
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

    fn node(&mut self, op: &str, output: &str, constants: &[String], attributes: Vec<tract_onnx::pb::AttributeProto>) {
        let inputs: Vec<&str> = std::iter::once(&self.current).chain(constants).map(String::as_str).collect();
        self.current = self.onnx.node(op, output, &inputs, attributes);
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        const STEPS: i64 = 1 << 20;
        low + (high - low) * self.rng.within(0..=STEPS) as f32 / STEPS as f32
    }
}
