//! Activations: functions of one variable.

use super::ending;
use crate::CompileError;
use crate::function::Function;
use crate::graph::Activation;
use crate::onnx::{Builder, Node, Value};

/// Adds the activation behind the node's input.
fn activate(node: &Node<'_>, builder: &mut Builder, activation: Activation) -> Result<Value, CompileError> {
    let value = builder.value(node, 0)?;
    builder.activate(node, value, activation)
}

/// An operator without attributes.
fn plain(node: &Node<'_>, builder: &mut Builder, function: Function) -> Result<Value, CompileError> {
    node.only(&[])?;
    activate(node, builder, Activation::Function(function))
}

/// A number among the attributes, which must be finite.
fn number(node: &Node<'_>, name: &str, default: f32) -> Result<f32, CompileError> {
    match node.float(name, default) {
        value if value.is_finite() => Ok(value),
        value => Err(node.refuse(format!("has {name} = {value}"), "use a finite number")),
    }
}

/// An operator with the attribute alpha, which has a default.
fn with_alpha(
    node: &Node<'_>,
    builder: &mut Builder,
    default: f32,
    function: fn(f32) -> Function,
) -> Result<Value, CompileError> {
    node.only(&["alpha"])?;
    let alpha = number(node, "alpha", default)?;
    activate(node, builder, Activation::Function(function(alpha)))
}

pub fn relu(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    activate(node, builder, Activation::RELU)
}

pub fn sigmoid(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    let value = builder.value(node, 0)?;
    match ending::sigmoid(node, builder, &value)? {
        Some(ended) => Ok(ended),
        None => builder.activate(node, value, Activation::Function(Function::Sigmoid)),
    }
}

pub fn tanh(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    plain(node, builder, Function::Tanh)
}

pub fn hard_swish(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    plain(node, builder, Function::HardSwish)
}

pub fn softplus(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    plain(node, builder, Function::Softplus)
}

pub fn softsign(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    plain(node, builder, Function::Softsign)
}

pub fn mish(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    plain(node, builder, Function::Mish)
}

pub fn abs(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    plain(node, builder, Function::Abs)
}

pub fn elu(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    with_alpha(node, builder, 1.0, Function::Elu)
}

pub fn swish(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    with_alpha(node, builder, 1.0, Function::Swish)
}

pub fn thresholded_relu(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    with_alpha(node, builder, 1.0, Function::ThresholdedRelu)
}

pub fn celu(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    if node.float("alpha", 1.0) == 0.0 {
        return Err(node.refuse("divides by alpha = 0", "use Relu"));
    }
    with_alpha(node, builder, 1.0, Function::Celu)
}

pub fn leaky_relu(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["alpha"])?;
    let alpha = number(node, "alpha", 0.01)?;
    activate(node, builder, sloped(alpha))
}

pub fn prelu(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    let (dims, slopes) = node.floats(1, "slope")?;
    match slopes {
        [first, others @ ..] if first.is_finite() && others.iter().all(|other| other == first) => {
            activate(node, builder, sloped(*first))
        }
        _ => Err(node.refuse(
            format!("has slopes of shape {dims:?} that differ"),
            "use one slope for all channels (torch.nn.PReLU(num_parameters=1)), or LeakyRelu",
        )),
    }
}

/// `x`, below zero times the slope.
fn sloped(slope: f32) -> Activation {
    match slope {
        0.0 => Activation::RELU,
        1.0 => Activation::Linear,
        slope => Activation::Function(Function::LeakyRelu(slope)),
    }
}

pub fn hard_sigmoid(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["alpha", "beta"])?;
    let (alpha, beta) = (number(node, "alpha", 0.2)?, number(node, "beta", 0.5)?);
    activate(node, builder, Activation::Function(Function::HardSigmoid(alpha, beta)))
}

pub fn selu(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["alpha", "gamma"])?;
    // The defaults of the ONNX specification.
    let (alpha, gamma) = (number(node, "alpha", 1.673_263_2)?, number(node, "gamma", 1.050_701)?);
    activate(node, builder, Activation::Function(Function::Selu(alpha, gamma)))
}

pub fn gelu(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["approximate"])?;
    let function = match node.text("approximate", "none") {
        "none" => Function::Gelu,
        "tanh" => Function::GeluTanh,
        other => return Err(node.refuse(format!("has approximate = {other}"), "use none or tanh")),
    };
    activate(node, builder, Activation::Function(function))
}
