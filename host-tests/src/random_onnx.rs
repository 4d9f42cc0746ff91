//! Random networks as ONNX files: layers with branches between them, with sizes, strides, paddings, pools, activations, batch
//! normalizations, and weights of extreme sizes.
//!
//! A stack is drawn by a strategy of proptest, which makes it smaller where a test fails. Whatever does not fit the values
//! that it gets is left out when the [file](mod@file) is written, so that each smaller stack is a network again.

mod activation;
pub mod file;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use thumbnet::format::Shape;

use crate::rng::Rng;
pub use activation::Activation;

/// Most layers before the last one.
const DEPTH: usize = 6;

/// A network as it is drawn.
#[derive(Clone, Debug)]
pub struct Stack {
    /// What enters.
    pub input: Input,
    /// All layers but the last one.
    pub layers: Vec<Layer>,
    /// What comes after them.
    pub ending: Ending,
    /// What a dense last layer gives.
    pub classes: usize,
    /// The weights of a dense last layer.
    pub last: Weights,
    /// All random constants and images follow from it.
    pub seed: u64,
}

/// What enters a network.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// An image: height, width, channels.
    Image(u16, u16, u16),
    /// A series: length, channels.
    Series(u16, u16),
    /// A vector.
    Vector(u16),
}

impl Input {
    /// The map that it is.
    pub fn shape(self) -> Shape {
        match self {
            Self::Image(height, width, channels) => Shape { height, width, channels },
            Self::Series(height, channels) => Shape { height, width: 1, channels },
            Self::Vector(channels) => Shape { height: 1, width: 1, channels },
        }
    }
}

/// How a network ends.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    /// With the sums of a dense layer.
    Logits,
    /// With a dense layer and an activation.
    Activated(Activation),
    /// With what is there, if anything is.
    Map,
}

/// A layer with what follows it.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What it reads, counted backwards from the newest value.
    pub from: usize,
    /// What it computes.
    pub op: Op,
    /// How large its weights are.
    pub weights: Weights,
    /// Batch normalization.
    pub norm: Norm,
    /// What follows.
    pub activation: Option<Activation>,
    /// Max pooling, after a convolution only.
    pub pool: Option<Pool>,
}

/// What a layer computes.
#[derive(Clone, Debug)]
pub enum Op {
    /// A convolution with about this many filters, in this many groups or as many as the channels allow.
    Conv(usize, usize, Window),
    /// A depthwise convolution with so many filters for each channel.
    Depthwise(usize, Window),
    /// A dense layer with this many units.
    Dense(usize),
    /// A global average.
    Average,
    /// Max pooling that may overlap and be padded on all sides.
    MaxPool(Window),
    /// Average pooling, its padding counted or not.
    AveragePool(Window, bool),
    /// The sum with another value of the same shape, counted backwards among them.
    Add(usize),
    /// The sum of a value and a layer on it, that keeps its shape: a convolution that reaches so far, or a dense layer.
    Residual(u8),
    /// What it reads beside another value of the same size, counted backwards among them.
    Concat(usize),
}

/// Height before width; paddings are top, left, bottom, right.
#[derive(Clone, Debug)]
pub struct Window {
    kernel: [u8; 2],
    strides: [u8; 2],
    pads: [u8; 4],
    dilation: u8,
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
    let ending = prop_oneof![
        8 => Just(Ending::Logits),
        1 => activation::all().prop_map(Ending::Activated),
        1 => Just(Ending::Map),
    ];
    (input(), vec(layer(), 0..=DEPTH), ending, 2..=12usize, weights(), any::<u64>())
        .prop_map(|(input, layers, ending, classes, last, seed)| Stack { input, layers, ending, classes, last, seed })
}

fn input() -> impl Strategy<Value = Input> {
    let channels = || prop_oneof![3 => Just(1u16), 1 => 1..=4u16];
    prop_oneof![
        8 => (1..=16u16, 1..=16u16, channels()).prop_map(|(height, width, channels)| Input::Image(height, width, channels)),
        1 => (1..=40u16, channels()).prop_map(|(length, channels)| Input::Series(length, channels)),
        1 => (1..=40u16).prop_map(Input::Vector),
    ]
}

fn layer() -> impl Strategy<Value = Layer> {
    let group = || prop_oneof![2 => Just(1usize), 1 => 2..=4usize];
    let op = prop_oneof![
        // tract 0.23 cannot run a matrix of one row behind a map.
        2 => (2..=12usize).prop_map(Op::Dense),
        10 => (1..=12usize, group(), window()).prop_map(|(filters, group, window)| Op::Conv(filters, group, window)),
        5 => (prop_oneof![3 => Just(1usize), 1 => 2..=3usize], window())
            .prop_map(|(multiplier, window)| Op::Depthwise(multiplier, window)),
        1 => Just(Op::Average),
        2 => pooling_window().prop_map(Op::MaxPool),
        2 => (pooling_window(), any::<bool>()).prop_map(|(window, counts)| Op::AveragePool(window, counts)),
        3 => (0..=2u8).prop_map(Op::Residual),
        3 => (0..=4usize).prop_map(Op::Add),
        4 => (0..=4usize).prop_map(Op::Concat),
    ];
    let from = prop_oneof![4 => Just(0usize), 1 => 0..=3usize];
    let norm = prop_oneof![6 => Just(Norm::None), 6 => Just(Norm::Before), 1 => Just(Norm::After)];
    let activation = prop_oneof![
        2 => Just(None),
        5 => Just(Some(Activation::Relu)),
        4 => activation::all().prop_map(Some),
    ];
    (from, op, weights(), norm, activation, option::of(pool()))
        .prop_map(|(from, op, weights, norm, activation, pool)| Layer { from, op, weights, norm, activation, pool })
}

fn window() -> impl Strategy<Value = Window> {
    let kernel = || prop_oneof![3 => Just(3u8), 2 => Just(1), 4 => 1..=7u8];
    let stride = || prop_oneof![3 => Just(1u8), 1 => 1..=3u8];
    let pad = || prop_oneof![1 => Just(0u8), 1 => 0..=6u8];
    let dilation = prop_oneof![9 => Just(1u8), 1 => 2..=3u8];
    ([kernel(), kernel()], [stride(), stride()], [pad(), pad(), pad(), pad()], dilation)
        .prop_map(|(kernel, strides, pads, dilation)| Window { kernel, strides, pads, dilation })
}

fn pooling_window() -> impl Strategy<Value = Window> {
    let size = || 1..=4u8;
    let pad = || prop_oneof![2 => Just(0u8), 1 => 0..=3u8];
    ([size(), size()], [1..=3u8, 1..=3u8], [pad(), pad(), pad(), pad()]).prop_map(|(kernel, strides, pads)| Window {
        kernel,
        strides,
        pads,
        dilation: 1,
    })
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
    /// Images to measure activations on, and others: black, white, noise, black and white noise; channel fastest.
    pub fn images(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let mut rng = Rng::new(!self.seed);
        let len = self.input.shape().len();
        let measured = (0..4).map(|_| rng.bytes(len)).collect();
        let hard = (0..len).map(|_| rng.pick(&[0, 255])).collect();
        (measured, vec![vec![0; len], vec![255; len], rng.bytes(len), hard])
    }
}
