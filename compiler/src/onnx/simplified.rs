//! The graph as it was understood: shapes worked out, constants evaluated. A runtime that fails at the file may run this.

use std::collections::HashMap;

use tract_onnx::pb;

use super::{Builder, Tensor};

/// What changes dimensions only.
const RESHAPES: &[&str] = &["Flatten", "Reshape", "Squeeze", "Unsqueeze"];

/// The nodes of which maps come; the graph's input is left to whoever runs it.
pub fn graph(nodes: &[pb::NodeProto], constants: &HashMap<String, Tensor>, builder: &Builder) -> pb::GraphProto {
    let mut graph = pb::GraphProto { name: "simplified".into(), ..Default::default() };
    for node in nodes {
        let Some(output) = node.output.first().filter(|name| builder.known(name).is_some()) else { continue };
        let mut node = pb::NodeProto { name: output.clone(), ..node.clone() };
        if RESHAPES.contains(&node.op_type.as_str())
            && let Some(value) = builder.known(output)
        {
            let name = format!("{output}/dims");
            let dims = value.dims().iter().map(|&size| size as i64).collect();
            graph.initializer.push(Tensor::of_ints(dims).proto(&name));
            node = pb::NodeProto {
                op_type: "Reshape".into(),
                input: vec![node.input.first().cloned().unwrap_or_default(), name],
                output: vec![output.clone()],
                name: output.clone(),
                ..Default::default()
            };
        }
        if node.op_type == "Dropout" {
            node.op_type = "Identity".into();
            (node.input, node.output) = (node.input[..1].to_vec(), vec![output.clone()]);
            node.attribute.clear();
        }
        graph.node.push(node);
    }
    let reads = |name: &str| graph.node.iter().any(|node| node.input.iter().any(|input| input == name));
    let read: Vec<_> =
        constants.iter().filter(|(name, _)| reads(name)).map(|(name, tensor)| tensor.proto(name)).collect();
    graph.initializer.extend(read);
    graph
}
