//! Activations as exporters write them.

use proptest::prelude::*;
use proptest::sample::select;
use thumbnet_compiler::onnx::writer::{Writer, float};

/// What follows the sums of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Activation {
    Relu,
    Clip(f32, f32),
    Sigmoid,
    Tanh,
    HardSigmoid(f32, f32),
    LeakyRelu(f32),
    /// One slope, as a constant.
    PRelu(f32),
    Elu(f32),
    Selu,
    Softplus,
    Softsign,
    Abs,
    HardSwish,
    /// `x * sigmoid(x)`.
    Silu,
    /// With the error function.
    Gelu,
}

/// All of them, the simplest one first; none that jumps, which floats of two programs may do at different places.
pub fn all() -> impl Strategy<Value = Activation> {
    select(vec![
        Activation::Relu,
        Activation::Clip(0.0, 6.0),
        Activation::Clip(-1.0, 1.0),
        Activation::Clip(0.25, 2.0),
        Activation::Sigmoid,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::HardSigmoid(0.2, 0.5),
        Activation::LeakyRelu(0.1),
        Activation::LeakyRelu(-0.5),
        Activation::PRelu(0.25),
        Activation::Elu(1.0),
        Activation::Selu,
        Activation::Softplus,
        Activation::Softsign,
        Activation::Abs,
        Activation::HardSwish,
        Activation::Silu,
        Activation::Gelu,
    ])
}

impl Activation {
    /// Writes it behind the tensor `x`; returns the tensor that it leaves. All names begin with `name`.
    pub fn write(self, onnx: &mut Writer, name: &str, x: &str) -> String {
        match self {
            Self::Relu => onnx.node("Relu", name, &[x], vec![]),
            Self::Clip(low, high) => clip(onnx, name, x, low, high),
            Self::Sigmoid => onnx.node("Sigmoid", name, &[x], vec![]),
            Self::Tanh => onnx.node("Tanh", name, &[x], vec![]),
            Self::HardSigmoid(alpha, beta) => {
                onnx.node("HardSigmoid", name, &[x], vec![float("alpha", alpha), float("beta", beta)])
            }
            Self::LeakyRelu(alpha) => onnx.node("LeakyRelu", name, &[x], vec![float("alpha", alpha)]),
            Self::PRelu(slope) => {
                let slope = constant(onnx, &format!("{name}_slope"), slope);
                onnx.node("PRelu", name, &[x, &slope], vec![])
            }
            Self::Elu(alpha) => onnx.node("Elu", name, &[x], vec![float("alpha", alpha)]),
            Self::Selu => onnx.node("Selu", name, &[x], vec![]),
            Self::Softplus => {
                // tract 0.23 takes the logarithm of infinity for large values, and that of one for small ones.
                let limited = clip(onnx, &format!("{name}_limited"), x, -8.0, 20.0);
                onnx.node("Softplus", name, &[&limited], vec![])
            }
            Self::Softsign => onnx.node("Softsign", name, &[x], vec![]),
            Self::Abs => onnx.node("Abs", name, &[x], vec![]),
            Self::HardSwish => {
                // It has an operator of its own from opset 14 on.
                let attributes = vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)];
                let gate = onnx.node("HardSigmoid", &format!("{name}_gate"), &[x], attributes);
                onnx.node("Mul", name, &[x, &gate], vec![])
            }
            Self::Silu => {
                let gate = onnx.node("Sigmoid", &format!("{name}_gate"), &[x], vec![]);
                onnx.node("Mul", name, &[x, &gate], vec![])
            }
            Self::Gelu => {
                let [root, one, half] = [("root", std::f32::consts::SQRT_2), ("one", 1.0), ("half", 0.5)]
                    .map(|(what, value)| constant(onnx, &format!("{name}_{what}"), value));
                let scaled = onnx.node("Div", &format!("{name}_scaled"), &[x, &root], vec![]);
                let erf = onnx.node("Erf", &format!("{name}_erf"), &[&scaled], vec![]);
                let gate = onnx.node("Add", &format!("{name}_gate"), &[&erf, &one], vec![]);
                let product = onnx.node("Mul", &format!("{name}_product"), &[x, &gate], vec![]);
                onnx.node("Mul", name, &[&product, &half], vec![])
            }
        }
    }
}

fn clip(onnx: &mut Writer, name: &str, x: &str, low: f32, high: f32) -> String {
    let low = constant(onnx, &format!("{name}_low"), low);
    let high = constant(onnx, &format!("{name}_high"), high);
    onnx.node("Clip", name, &[x, &low, &high], vec![])
}

fn constant(onnx: &mut Writer, name: &str, value: f32) -> String {
    onnx.floats(name, &[], &[value]);
    name.into()
}
