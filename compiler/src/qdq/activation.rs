//! Activations as ONNX nodes, spelled out where the operator set of the file has no node for them.

use crate::function::Function;
use crate::graph::Activation;
use crate::onnx::writer::{Writer, float};

/// Writes what follows the sums; returns the tensor that it leaves.
pub fn write(onnx: &mut Writer, activation: Activation, prefix: &str, sums: String) -> String {
    let output = format!("{prefix}_activated");
    match activation {
        Activation::Linear => sums,
        Activation::Clamp(0.0, f32::INFINITY) => onnx.node("Relu", &output, &[&sums], vec![]),
        Activation::Clamp(low, high) => clip(onnx, [low, high], &output, sums),
        Activation::Function(function) => Spelling { onnx, prefix, parts: 0 }.function(function, &sums),
    }
}

/// Writes a clamp with the result `output`.
pub fn clip(onnx: &mut Writer, limits: [f32; 2], output: &str, sums: String) -> String {
    let [low, high] = [("low", limits[0]), ("high", limits[1])].map(|(what, value)| {
        let name = format!("{output}_{what}");
        onnx.floats(&name, &[], &[value.clamp(f32::MIN, f32::MAX)]);
        name
    });
    onnx.node("Clip", output, &[&sums, &low, &high], vec![])
}

/// A function in nodes of its own.
struct Spelling<'w> {
    onnx: &'w mut Writer,
    prefix: &'w str,
    parts: usize,
}

impl Spelling<'_> {
    fn function(&mut self, function: Function, x: &str) -> String {
        match function {
            Function::Sigmoid => self.node("Sigmoid", &[x], &[]),
            Function::Tanh => self.node("Tanh", &[x], &[]),
            Function::HardSigmoid(alpha, beta) => self.node("HardSigmoid", &[x], &[("alpha", alpha), ("beta", beta)]),
            Function::LeakyRelu(alpha) => self.node("LeakyRelu", &[x], &[("alpha", alpha)]),
            Function::Elu(alpha) => self.node("Elu", &[x], &[("alpha", alpha)]),
            Function::Selu(alpha, gamma) => self.node("Selu", &[x], &[("alpha", alpha), ("gamma", gamma)]),
            Function::Celu(alpha) => {
                // An ELU of x / alpha, alpha times as large.
                let scaled = self.with_constant("Div", x, alpha);
                let elu = self.node("Elu", &[&scaled], &[("alpha", 1.0)]);
                self.with_constant("Mul", &elu, alpha)
            }
            Function::HardSwish => {
                let gate = self.node("HardSigmoid", &[x], &[("alpha", 1.0 / 6.0), ("beta", 0.5)]);
                self.node("Mul", &[x, &gate], &[])
            }
            Function::Swish(alpha) => {
                let scaled = self.with_constant("Mul", x, alpha);
                let gate = self.node("Sigmoid", &[&scaled], &[]);
                self.node("Mul", &[x, &gate], &[])
            }
            Function::Gelu => {
                let scaled = self.with_constant("Div", x, std::f32::consts::SQRT_2);
                let erf = self.node("Erf", &[&scaled], &[]);
                self.half_gate(x, &erf)
            }
            Function::GeluTanh => {
                let square = self.node("Mul", &[x, x], &[]);
                let cube = self.node("Mul", &[&square, x], &[]);
                let cube = self.with_constant("Mul", &cube, 0.044715);
                let sum = self.node("Add", &[x, &cube], &[]);
                let inner = self.with_constant("Mul", &sum, (2.0 / std::f32::consts::PI).sqrt());
                let tanh = self.node("Tanh", &[&inner], &[]);
                self.half_gate(x, &tanh)
            }
            Function::Softplus => self.softplus(x),
            Function::Softsign => self.node("Softsign", &[x], &[]),
            Function::Mish => {
                let softplus = self.softplus(x);
                let gate = self.node("Tanh", &[&softplus], &[]);
                self.node("Mul", &[x, &gate], &[])
            }
            Function::Abs => self.node("Abs", &[x], &[]),
            Function::ThresholdedRelu(alpha) => self.node("ThresholdedRelu", &[x], &[("alpha", alpha)]),
        }
    }

    /// `x (1 + gate) / 2`.
    fn half_gate(&mut self, x: &str, gate: &str) -> String {
        let gate = self.with_constant("Add", gate, 1.0);
        let product = self.node("Mul", &[x, &gate], &[]);
        self.with_constant("Mul", &product, 0.5)
    }

    /// `max(x, 0) + ln(1 + exp(-|x|))`, which no `x` takes to infinity; not every runtime's own is right.
    fn softplus(&mut self, x: &str) -> String {
        let size = self.node("Abs", &[x], &[]);
        let negative = self.node("Neg", &[&size], &[]);
        let exponential = self.node("Exp", &[&negative], &[]);
        let sum = self.with_constant("Add", &exponential, 1.0);
        let logarithm = self.node("Log", &[&sum], &[]);
        let positive = self.node("Relu", &[x], &[]);
        self.node("Add", &[&positive, &logarithm], &[])
    }

    fn with_constant(&mut self, op: &str, x: &str, value: f32) -> String {
        let constant = self.name("constant");
        self.onnx.floats(&constant, &[], &[value]);
        self.node(op, &[x, &constant], &[])
    }

    fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, f32)]) -> String {
        let output = self.name("part");
        self.onnx.node(op, &output, inputs, attributes.iter().map(|&(name, value)| float(name, value)).collect())
    }

    fn name(&mut self, what: &str) -> String {
        self.parts += 1;
        format!("{}_{what}{}", self.prefix, self.parts)
    }
}
