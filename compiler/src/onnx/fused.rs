//! What a layer can do besides its operator.

use thumbnet::format::{MAX_WINDOW_ROWS, Op, Pool, Window};

use crate::function::Function;
use crate::graph::{Activation, Layer};

/// The activation of the layer that does its own and then `next`, if there is one.
pub fn activation(layer: &Layer, next: Activation) -> Option<Activation> {
    // What is quantized already can only be clamped still: zero, and a limit that is one of its values, stay exact.
    if layer.given.is_some() && !matches!(next, Activation::Linear | Activation::Clamp(..)) {
        return None;
    }
    match (layer.activation, next) {
        (own, Activation::Linear) => Some(own),
        (Activation::Linear, next) => {
            let takes = match layer.record.op {
                // The activation comes before the pooling.
                Op::Conv | Op::GroupedConv | Op::DepthwiseConv => {
                    layer.record.pool == Pool::NONE || next.is_increasing()
                }
                Op::Dense | Op::GlobalAveragePool | Op::Add | Op::AveragePool => true,
                Op::MaxPool => matches!(next, Activation::Clamp(..)),
                Op::Concat => false,
            };
            takes.then_some(next)
        }
        (Activation::Clamp(low, high), Activation::Clamp(..)) => {
            Some(Activation::Clamp(next.apply(low), next.apply(high)))
        }
        (Activation::Function(function), Activation::Clamp(low, high)) => {
            let (least, greatest) = range(function);
            let is_inside = f64::from(low) <= least && greatest <= f64::from(high);
            is_inside.then_some(Activation::Function(function))
        }
        (Activation::Clamp(..) | Activation::Function(_), Activation::Function(_)) => None,
    }
}

/// Limits that no value of a function passes.
fn range(function: Function) -> (f64, f64) {
    if let Some(limits) = function.limits() {
        return limits;
    }
    let least = match function {
        Function::Softplus | Function::Abs => 0.0,
        Function::ThresholdedRelu(alpha) if alpha >= 0.0 => 0.0,
        Function::Elu(alpha) if alpha >= 0.0 => f64::from(-alpha),
        Function::Sigmoid
        | Function::Tanh
        | Function::HardSigmoid(..)
        | Function::LeakyRelu(_)
        | Function::Elu(_)
        | Function::Selu(..)
        | Function::Celu(_)
        | Function::HardSwish
        | Function::Swish(_)
        | Function::Gelu
        | Function::GeluTanh
        | Function::Softsign
        | Function::Mish
        | Function::ThresholdedRelu(_) => f64::NEG_INFINITY,
    };
    (least, f64::INFINITY)
}

/// A value that no activation of the layer is less than.
pub fn least(layer: &Layer) -> f64 {
    match layer.activation {
        Activation::Linear => f64::NEG_INFINITY,
        Activation::Clamp(low, _) => low.into(),
        Activation::Function(function) => range(function).0,
    }
}

/// Fuses a max pooling with this window into the layer, if it can have it.
pub fn pool(layer: &mut Layer, window: &Window) -> bool {
    let slides = match layer.record.op {
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv => true,
        Op::Dense | Op::GlobalAveragePool | Op::Add | Op::MaxPool | Op::AveragePool | Op::Concat => false,
    };
    let is_square = window.kernel_height == window.kernel_width && window.stride_height == window.stride_width;
    let pads_behind = window.pad_top == 0 && window.pad_left == 0;
    let covers = window.stride_height <= window.kernel_height;
    let mut pooled = layer.record;
    pooled.pool = Pool {
        size: window.kernel_height,
        stride: window.stride_height,
        pad_bottom: window.pad_bottom,
        pad_right: window.pad_right,
    };
    let fits = slides
        && layer.record.pool == Pool::NONE
        && layer.activation.is_increasing()
        && is_square
        && pads_behind
        && covers
        && pooled.window_rows() <= MAX_WINDOW_ROWS;
    if fits {
        layer.record = pooled;
        layer.given_tensor = None;
    }
    fits
}

/// Makes a convolution that covers its whole map the dense layer that it is.
pub fn cover(layer: &mut Layer) {
    let record = &layer.record;
    let covers = record.op == Op::Conv
        && layer.filter_len() == record.input.len()
        && record.output.len() == layer.channels()
        && record.pool == Pool::NONE
        && !record.window.is_padded();
    if covers {
        layer.record.op = Op::Dense;
        layer.record.window = Window::UNIT;
    }
}
