//! Reads an ONNX graph as fused float layers on maps.
//!
//! Each operator is one file in `ops`. Whatever has no exact form here is refused by node name.

mod builder;
mod entry;
mod fused;
mod limits;
mod node;
mod ops;
mod patterns;
mod prune;
mod tensor;
mod value;
pub mod writer;

pub use builder::Builder;
pub use entry::Entry;
pub use node::Node;
pub use tensor::{Tensor, Values};
pub use value::{Axes, Padding, Value};

use std::collections::{HashMap, HashSet};

use prost::Message;
use thumbnet::format::{MAX_DIMENSION, Shape};
use tract_onnx::pb;

use crate::CompileError;
use crate::graph::Network;
use crate::kind::Kind;
use crate::transpose;

/// Reads the bytes of an ONNX file that takes pixels of 0.0 to 1.0.
pub fn import(bytes: &[u8]) -> Result<Network, CompileError> {
    import_with(bytes, &Entry::default())
}

/// Reads the bytes of an ONNX file.
pub fn import_with(bytes: &[u8], entry: &Entry) -> Result<Network, CompileError> {
    import_graph(&graph(bytes)?, entry)
}

/// The graph in the bytes of an ONNX file.
pub fn graph(bytes: &[u8]) -> Result<pb::GraphProto, CompileError> {
    if let Some(kind) = Kind::of(bytes) {
        return Err(CompileError::Kind(kind));
    }
    let model = pb::ModelProto::decode(bytes).map_err(|error| CompileError::Onnx(error.to_string()))?;
    if !model.functions.is_empty() {
        return Err(CompileError::Onnx("it has local functions: export it with its functions inlined".into()));
    }
    model.graph.ok_or_else(|| CompileError::Onnx("it has no graph".into()))
}

/// Reads a decoded graph.
pub fn import_graph(graph: &pb::GraphProto, entry: &Entry) -> Result<Network, CompileError> {
    let mut constants = HashMap::new();
    for initializer in &graph.initializer {
        let tensor = Tensor::read(initializer)
            .map_err(|what| CompileError::Onnx(format!("initializer {}: {what}", initializer.name)))?;
        constants.insert(initializer.name.clone(), tensor);
    }
    let input = input(graph)?;
    let output = match graph.output.as_slice() {
        [output] => output.name.as_str(),
        outputs => {
            let what = format!("has {} outputs: export it with its result only", outputs.len());
            return Err(CompileError::Graph(what));
        }
    };
    // What the output does not depend on is left out.
    let mut nodes = Vec::new();
    for proto in live(graph.node.clone(), output) {
        let node = Node::new(&proto, &constants);
        match ops::fold_constant(&node)? {
            Some(constant) => {
                let name = node.output()?.to_string();
                constants.insert(name, constant);
            }
            None => {
                ops::expect_known(&node)?;
                nodes.push(proto);
            }
        }
    }
    patterns::rewrite(&mut nodes, &mut constants, output);
    let nodes = live(nodes, output);
    let affine = entry.affine(input.shape.channels.into())?;
    let mut builder = Builder::new(&input.name, input.shape, input.dims, affine, readers(&nodes, output));
    let mut last = None;
    for proto in &nodes {
        let node = Node::new(proto, &constants);
        let value = ops::import(&node, &mut builder)?;
        builder.define(node.output()?, value);
        last = Some(node);
    }
    // The last node that the output depends on makes it.
    match last {
        Some(node) => {
            let mut network = builder.finish(&node, output)?;
            network.entry = entry.clone();
            if entry.is_transposed {
                transpose::transpose(&mut network)?;
            }
            Ok(network)
        }
        None => Err(CompileError::Graph(format!("has the output {output}, which no node makes: it has no layer"))),
    }
}

/// The nodes that `output` depends on, in their order.
fn live(nodes: Vec<pb::NodeProto>, output: &str) -> Vec<pb::NodeProto> {
    let mut needed = HashSet::from([output.to_string()]);
    let mut kept: Vec<pb::NodeProto> = Vec::new();
    for node in nodes.into_iter().rev() {
        if node.output.iter().any(|name| !name.is_empty() && needed.contains(name)) {
            needed.extend(node.input.iter().cloned());
            kept.push(node);
        }
    }
    kept.reverse();
    kept
}

/// How many nodes read each tensor; the graph's output is read once more.
fn readers(nodes: &[pb::NodeProto], output: &str) -> HashMap<String, usize> {
    let mut readers = HashMap::from([(output.to_string(), 1)]);
    for node in nodes {
        let names: HashSet<&String> = node.input.iter().filter(|name| !name.is_empty()).collect();
        for name in names {
            *readers.entry(name.clone()).or_insert(0) += 1;
        }
    }
    readers
}

/// What enters a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The tensor's name.
    pub name: String,
    /// Its dimensions behind the batch: `[channels, height, width]`, `[channels, length]` or `[values]`.
    pub dims: Vec<usize>,
    /// The map that holds it; a series is a column, a vector is one pixel.
    pub shape: Shape,
}

/// The only input that is no initializer.
pub fn input(graph: &pb::GraphProto) -> Result<Input, CompileError> {
    let is_constant = |name: &str| graph.initializer.iter().any(|initializer| initializer.name == name);
    let mut inputs = graph.input.iter().filter(|input| !is_constant(&input.name));
    let (Some(input), None) = (inputs.next(), inputs.next()) else {
        return Err(CompileError::Graph("must have one input, an image [N, channels, height, width]".into()));
    };
    let dims = dims(input);
    let behind: Option<Vec<usize>> =
        dims.iter().skip(1).map(|&size| usize::try_from(size).ok().filter(|&size| size > 0)).collect();
    let size = |size: &usize| limits::dimension(*size);
    let shape = behind.as_deref().and_then(|behind| match behind {
        [channels, height, width] => {
            Some(Shape { height: size(height)?, width: size(width)?, channels: size(channels)? })
        }
        [channels, length] => Some(Shape { height: size(length)?, width: 1, channels: size(channels)? }),
        [values] => Some(Shape { height: 1, width: 1, channels: size(values)? }),
        _ => None,
    });
    match (behind, shape) {
        (Some(dims), Some(shape)) => Ok(Input { name: input.name.clone(), dims, shape }),
        _ => Err(CompileError::Graph(format!(
            "has the input {} of shape {dims:?} (-1: not fixed): expected floats of [N, channels, height, width], \
             [N, channels, length] or [N, values], all but the first fixed and at most {MAX_DIMENSION}",
            input.name
        ))),
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
