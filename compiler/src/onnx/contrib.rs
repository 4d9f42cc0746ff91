//! Operators of ONNX Runtime's own optimizer, as the standard ones that they stand for.

use tract_onnx::pb;

use super::load::float;
use super::{Tensor, load};
use crate::CompileError;

const DOMAIN: &str = "com.microsoft";

/// Puts standard operators in the place of those of ONNX Runtime that are known.
pub fn rewrite(graph: &mut pb::GraphProto) -> Result<(), CompileError> {
    let mut nodes = Vec::new();
    for node in std::mem::take(&mut graph.node) {
        match node.domain.as_str() {
            DOMAIN => nodes.extend(standard(node, &mut graph.initializer)),
            _ => nodes.push(node),
        }
    }
    graph.node = nodes;
    Ok(())
}

/// The nodes in place of one, in their order; itself where there are none.
fn standard(mut node: pb::NodeProto, initializers: &mut Vec<pb::TensorProto>) -> Vec<pb::NodeProto> {
    let output = node.output.first().cloned().unwrap_or_default();
    let number = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name).map(|a| a.f);
    let unary = |op: &str, attribute: Vec<pb::AttributeProto>| pb::NodeProto {
        op_type: op.into(),
        domain: String::new(),
        attribute,
        ..node.clone()
    };
    match node.op_type.as_str() {
        "FusedConv" | "FusedGemm" => {}
        "Gelu" => return vec![unary("Gelu", vec![])],
        "QuickGelu" => {
            // x * Sigmoid(alpha * x).
            let alpha = number("alpha").unwrap_or(1.702);
            let [factor, scaled, gate] = ["alpha", "scaled", "gate"].map(|what| format!("{output}/{what}"));
            initializers.push(Tensor::of_floats(vec![], vec![alpha]).proto(&factor));
            let input = node.input.first().cloned().unwrap_or_default();
            let made = |op: &str, inputs: &[&String], output: &String| pb::NodeProto {
                op_type: op.into(),
                input: inputs.iter().map(|name| name.to_string()).collect(),
                output: vec![output.clone()],
                name: node.name.clone(),
                ..Default::default()
            };
            return vec![
                made("Mul", &[&input, &factor], &scaled),
                made("Sigmoid", &[&scaled], &gate),
                made("Mul", &[&input, &gate], &output),
            ];
        }
        "FastGelu" if node.input.len() == 1 => {
            let kind = pb::attribute_proto::AttributeType::String as i32;
            let text =
                pb::AttributeProto { name: "approximate".into(), r#type: kind, s: "tanh".into(), ..Default::default() };
            return vec![unary("Gelu", vec![text])];
        }
        _ => return vec![node],
    }
    let text = |name: &str| {
        let attribute = node.attribute.iter().find(|attribute| attribute.name == name);
        attribute.map(|attribute| String::from_utf8_lossy(&attribute.s).into_owned())
    };
    let activation = text("activation").unwrap_or_default();
    let listed = node.attribute.iter().find(|attribute| attribute.name == "activation_params");
    let mut numbers: Vec<f32> = listed.map(|attribute| attribute.floats.clone()).unwrap_or_default();
    numbers.extend(["activation_alpha", "activation_beta", "activation_gamma"].into_iter().filter_map(number));
    let names: &[&str] = match activation.as_str() {
        "LeakyRelu" | "Elu" | "ThresholdedRelu" => &["alpha"],
        "HardSigmoid" => &["alpha", "beta"],
        "Selu" => &["alpha", "gamma"],
        "Clip" => &["min", "max"],
        _ => &[],
    };
    node.attribute.retain(|attribute| !attribute.name.starts_with("activation"));
    node.op_type = node.op_type.trim_start_matches("Fused").into();
    node.domain.clear();
    let mut after = Vec::new();
    // What is added before the activation.
    let summand = if node.op_type == "Conv" && node.input.len() > 3 { node.input.pop() } else { None };
    if let Some(other) = summand.filter(|name| !name.is_empty()) {
        after.push(pb::NodeProto { op_type: "Add".into(), input: vec![String::new(), other], ..Default::default() });
    }
    if !activation.is_empty() {
        let mut attribute: Vec<_> = names.iter().zip(&numbers).map(|(name, &value)| float(name, value)).collect();
        let mut input = vec![String::new()];
        if activation == "Clip" {
            // Its limits are inputs today.
            attribute.clear();
            for (name, &value) in names.iter().zip(&numbers) {
                input.push(format!("{output}/{name}"));
                initializers.push(Tensor::of_floats(vec![], vec![value]).proto(&format!("{output}/{name}")));
            }
        }
        after.push(pb::NodeProto { op_type: activation, input, attribute, ..Default::default() });
    }
    let mut nodes = vec![node];
    for (index, mut next) in after.into_iter().enumerate() {
        let name = format!("{output}/{index}");
        if let Some(last) = nodes.last_mut() {
            next.name = last.name.clone();
            last.output = vec![name.clone()];
        }
        next.input[0] = name;
        next.output = vec![output.clone()];
        nodes.push(next);
    }
    nodes
}

/// What to do about a node of another domain.
pub fn advice(node: &pb::NodeProto) -> Option<String> {
    match node.domain.as_str() {
        domain if load::is_standard(domain) => None,
        "com.microsoft.nchwc" => Some(
            "the file was saved by ONNX Runtime's optimizer for one processor: compile the file that it was made from"
                .into(),
        ),
        domain => Some(format!("the domain {domain} is not ONNX's own: export the network with standard operators")),
    }
}
