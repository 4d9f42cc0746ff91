//! Operators on integers (ONNX Runtime's QOperator format), as the operator on floats between DequantizeLinear and
//! QuantizeLinear that each stands for.

use std::collections::HashSet;

use tract_onnx::pb;

use super::writer;
use crate::CompileError;

/// What an input of such an operator is.
#[derive(Clone, Copy)]
enum Part {
    /// A tensor, its scale and its zero point: three inputs.
    Tensor,
    /// Weights, with their output channels at this axis.
    Weights(i64),
    /// A bias, in steps of the first tensor's scale times that of the weights.
    Bias,
    /// Scale and zero point of the result.
    Result,
}

use Part::{Bias, Result as Output, Tensor, Weights};

/// The operators, what each stands for, and their inputs in order.
const OPERATORS: &[(&str, &str, &[Part])] = &[
    ("QGemm", "Gemm", &[Tensor, Weights(0), Bias, Output]),
    ("QLinearAdd", "Add", &[Tensor, Tensor, Output]),
    ("QLinearAveragePool", "AveragePool", &[Tensor, Output]),
    ("QLinearConv", "Conv", &[Tensor, Weights(0), Output, Bias]),
    ("QLinearGlobalAveragePool", "GlobalAveragePool", &[Tensor, Output]),
    ("QLinearLeakyRelu", "LeakyRelu", &[Tensor, Output]),
    ("QLinearMatMul", "MatMul", &[Tensor, Weights(-1), Output]),
    ("QLinearMul", "Mul", &[Tensor, Tensor, Output]),
    ("QLinearReduceMean", "ReduceMean", &[Tensor, Output]),
    ("QLinearSigmoid", "Sigmoid", &[Tensor, Output]),
    ("QLinearSoftmax", "Softmax", &[Tensor, Output]),
];

/// Attributes that only say which version of an operator is meant.
const VERSIONS: &[&str] = &["opset", "channels_last"];

/// Replaces all of them.
pub fn rewrite(graph: &mut pb::GraphProto) -> Result<(), CompileError> {
    let mut written = HashSet::new();
    for node in std::mem::take(&mut graph.node) {
        if node.op_type == "QLinearConcat" {
            concat(&node, graph);
            continue;
        }
        // ONNX Runtime's own quantizers have a domain of theirs, with the operators of the standard.
        let domain = node.domain.as_str();
        if matches!(node.op_type.as_str(), "QuantizeLinear" | "DequantizeLinear") && domain == "com.microsoft" {
            graph.node.push(pb::NodeProto { domain: String::new(), ..node });
            continue;
        }
        match OPERATORS.iter().find(|(op, ..)| *op == node.op_type) {
            Some((_, op, parts)) => {
                if node.attribute.iter().any(|attribute| attribute.name == "channels_last" && attribute.i != 0) {
                    return Err(CompileError::Unsupported {
                        node: node.name.clone(),
                        op: node.op_type.clone(),
                        what: "has its channels last".into(),
                        advice: "export it before ONNX Runtime optimizes it".into(),
                    });
                }
                replace(&node, op, parts, graph, &mut written);
            }
            None => graph.node.push(node),
        }
    }
    Ok(())
}

fn replace(node: &pb::NodeProto, op: &str, parts: &[Part], graph: &mut pb::GraphProto, written: &mut HashSet<String>) {
    let output = node.output.first().cloned().unwrap_or_default();
    let mut inputs = node.input.iter().map(String::as_str);
    let mut next = || inputs.next().unwrap_or("");
    let (mut reals, mut scales, mut result, mut bias) = (Vec::new(), Vec::new(), ["", ""], None);
    for part in parts {
        match part {
            Part::Tensor | Part::Weights(_) => {
                let [tensor, scale, zero] = [next(), next(), next()];
                let real = format!("{output}/input{}", reals.len());
                let mut dequantize = writer::node("DequantizeLinear", &real, &trimmed(&[tensor, scale, zero]));
                if let Part::Weights(axis) = part {
                    dequantize.attribute.push(writer::int("axis", *axis));
                }
                graph.node.push(dequantize);
                reals.push(real);
                scales.push(scale);
            }
            Part::Bias => bias = Some(next()).filter(|name| !name.is_empty()),
            Part::Result => result = [next(), next()],
        }
    }
    if let (Some(bias), [entering, weights]) = (bias, &scales[..]) {
        let [scale, real] = ["bias_scale", "bias"].map(|what| format!("{output}/{what}"));
        graph.node.push(writer::node("Mul", &scale, &[entering, weights]));
        let mut dequantize = writer::node("DequantizeLinear", &real, &[bias, &scale]);
        dequantize.attribute.push(writer::int("axis", 0));
        graph.node.push(dequantize);
        reals.push(real);
    }
    written.insert(output.clone());
    let reals: Vec<&str> = reals.iter().map(String::as_str).collect();
    let has_scale = !result[0].is_empty();
    let real = if has_scale { format!("{output}/real") } else { output.clone() };
    let attribute = node.attribute.iter().filter(|attribute| !VERSIONS.contains(&attribute.name.as_str()));
    graph.node.push(pb::NodeProto {
        name: node.name.clone(),
        attribute: attribute.cloned().collect(),
        ..writer::node(op, &real, &reals)
    });
    if has_scale {
        graph.node.push(writer::node("QuantizeLinear", &output, &trimmed(&[&real, result[0], result[1]])));
    }
}

/// A concatenation: scale and zero point of the result first, then three inputs a tensor.
fn concat(node: &pb::NodeProto, graph: &mut pb::GraphProto) {
    let output = node.output.first().cloned().unwrap_or_default();
    let (result, tensors) = node.input.split_at(node.input.len().min(2));
    let mut reals = Vec::new();
    for tensor in tensors.chunks(3) {
        let real = format!("{output}/input{}", reals.len());
        let inputs: Vec<&str> = tensor.iter().map(String::as_str).collect();
        graph.node.push(writer::node("DequantizeLinear", &real, &trimmed(&inputs)));
        reals.push(real);
    }
    let real = format!("{output}/real");
    let reals: Vec<&str> = reals.iter().map(String::as_str).collect();
    let attribute = node.attribute.clone();
    graph.node.push(pb::NodeProto { name: node.name.clone(), attribute, ..writer::node("Concat", &real, &reals) });
    let inputs: Vec<&str> = std::iter::once(real.as_str()).chain(result.iter().map(String::as_str)).collect();
    graph.node.push(writer::node("QuantizeLinear", &output, &trimmed(&inputs)));
}

/// Inputs without those at the end that are left out.
fn trimmed<'n>(inputs: &[&'n str]) -> Vec<&'n str> {
    let count = inputs.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
    inputs[..count].to_vec()
}
