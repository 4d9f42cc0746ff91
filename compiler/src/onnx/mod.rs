//! Reads an ONNX graph as a chain of fused float layers.
//!
//! Each operator is one file in `ops`. Whatever has no exact form here is refused by node name.

mod chain;
mod node;
mod ops;
mod tensor;
pub mod writer;

pub use chain::Chain;
pub use node::Node;
pub use tensor::{Tensor, Values};

use std::collections::HashMap;

use inference_core::format::{MAX_DIMENSION, Shape};
use prost::Message;
use tract_onnx::pb;

use crate::CompileError;
use crate::graph::Network;

/// Reads the bytes of an ONNX file.
pub fn import(bytes: &[u8]) -> Result<Network, CompileError> {
    import_graph(&graph(bytes)?)
}

/// The graph in the bytes of an ONNX file.
pub fn graph(bytes: &[u8]) -> Result<pb::GraphProto, CompileError> {
    let model = pb::ModelProto::decode(bytes).map_err(|error| CompileError::Onnx(error.to_string()))?;
    if !model.functions.is_empty() {
        return Err(CompileError::Onnx("it has local functions: export it with its functions inlined".into()));
    }
    model.graph.ok_or_else(|| CompileError::Onnx("it has no graph".into()))
}

/// Reads a decoded graph.
pub fn import_graph(graph: &pb::GraphProto) -> Result<Network, CompileError> {
    let mut constants = HashMap::new();
    for initializer in &graph.initializer {
        let tensor = Tensor::read(initializer)
            .map_err(|what| CompileError::Onnx(format!("initializer {}: {what}", initializer.name)))?;
        constants.insert(initializer.name.clone(), tensor);
    }
    let (input_name, input) = image_input(graph)?;
    let mut chain = Chain::new(input);
    let mut current = input_name;
    for proto in &graph.node {
        let node = Node::new(proto, &constants);
        if let Some(constant) = ops::fold_constant(&node)? {
            constants.insert(node.output()?.to_string(), constant);
            continue;
        }
        let mut data = proto.input.iter().filter(|name| !name.is_empty() && !constants.contains_key(*name));
        match (data.next(), data.next()) {
            (Some(name), None) if *name == current => {}
            (Some(name), None) => {
                let what = format!("reads {name}, which is not the result of the node before it ({current})");
                return Err(node.refuse(what, "only networks without branches can run row by row"));
            }
            (None, _) => return Err(node.refuse("no input depends on the image", "remove the node")),
            (Some(_), Some(_)) => {
                let advice = "only networks without branches can run row by row; shapes must be fixed numbers";
                return Err(node.refuse("joins two tensors", advice));
            }
        }
        ops::import(&node, &mut chain)?;
        current = node.output()?.to_string();
    }
    match graph.output.as_slice() {
        [output] if output.name == current => chain.finish(),
        [output] => {
            Err(CompileError::Graph(format!("ends in {current}, but its output is {}: it has branches", output.name)))
        }
        outputs => Err(CompileError::Graph(format!("has {} outputs: export it with its logits only", outputs.len()))),
    }
}

/// Name and shape of the only input that is no initializer.
pub fn image_input(graph: &pb::GraphProto) -> Result<(String, Shape), CompileError> {
    let is_constant = |name: &str| graph.initializer.iter().any(|initializer| initializer.name == name);
    let mut inputs = graph.input.iter().filter(|input| !is_constant(&input.name));
    let (Some(input), None) = (inputs.next(), inputs.next()) else {
        return Err(CompileError::Graph("must have one input, the image [N, channels, height, width]".into()));
    };
    let dims = dims(input);
    let wrong = || {
        CompileError::Graph(format!(
            "has the input {} of shape {dims:?} (-1: not fixed): expected floats of [N, channels, height, width], \
             the last three fixed and at most {MAX_DIMENSION}",
            input.name
        ))
    };
    let size = |value: i64| u16::try_from(value).ok().filter(|size| (1..=MAX_DIMENSION).contains(size));
    match dims[..] {
        [_, channels, height, width] => {
            let sizes = (size(height), size(width), size(channels));
            let (Some(height), Some(width), Some(channels)) = sizes else { return Err(wrong()) };
            Ok((input.name.clone(), Shape { height, width, channels }))
        }
        _ => Err(wrong()),
    }
}

/// The dimensions of a graph input or output, -1 where they are not fixed; none where they are unknown.
fn dims(value: &pb::ValueInfoProto) -> Vec<i64> {
    let Some(pb::type_proto::Value::TensorType(tensor)) = value.r#type.as_ref().and_then(|kind| kind.value.as_ref())
    else {
        return Vec::new();
    };
    let dimensions = tensor.shape.iter().flat_map(|shape| &shape.dim);
    dimensions
        .map(|dimension| match dimension.value {
            Some(pb::tensor_shape_proto::dimension::Value::DimValue(value)) => value,
            _ => -1,
        })
        .collect()
}
