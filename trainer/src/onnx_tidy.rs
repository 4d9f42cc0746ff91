//! Brings what Burn's exporter writes into the form other programs expect.
//!
//! The exporter records tensor operations of a fixed shape. Here they become layers again, for any batch size:
//!
//! | exporter | here |
//! |---|---|
//! | `Pad` with -inf, then `MaxPool` | `MaxPool` with `pads` at the bottom and right |
//! | a single hidden layer, `hidden.0` | `hidden` |
//! | `MatMul`, `Reshape` of the bias, `Add` | `Gemm` |
//! | `Reshape` to `[1, n]` | `Flatten` |
//! | batch size 1 | `batch` |
//! | nodes by number | nodes by their place in the network, `blocks.0.conv` |
//!
//! The result is compared with the network afterwards ([`crate::export::check`]).

use std::collections::{BTreeMap, HashSet};

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

/// Name of the graph's input, `[batch, channels, height, width]`.
pub const INPUT: &str = "image";
/// Name of the graph's output, `[batch, classes]`.
pub const OUTPUT: &str = "logits";
/// Name of the first axis of both.
const BATCH: &str = "batch";

/// The exporter wrote something that we do not know.
#[derive(Debug, thiserror::Error)]
pub enum TidyError {
    /// Not a protobuf of an ONNX model.
    #[error("the exporter's file cannot be read: {0}")]
    Decode(#[from] prost::DecodeError),
    /// A graph or node of an unknown form.
    #[error("node `{node}`: {fault}")]
    Unexpected {
        /// The node.
        node: String,
        /// What is unknown about it.
        fault: String,
    },
}

/// Rewrites an exported model.
pub fn tidy(bytes: &[u8]) -> Result<Vec<u8>, TidyError> {
    let mut model = ModelProto::decode(bytes)?;
    let Some(graph) = &mut model.graph else {
        return Err(unexpected("graph", "there is none"));
    };
    name_single_hidden(graph);
    let mut nodes = Vec::new();
    let constants: BTreeMap<String, TensorProto> =
        graph.initializer.iter().map(|tensor| (tensor.name.clone(), tensor.clone())).collect();
    let mut tidier = Tidier { constants: &constants, aliases: BTreeMap::new(), pads: BTreeMap::new() };
    for node in std::mem::take(&mut graph.node) {
        tidier.take(node, &mut nodes)?;
    }
    graph.node = nodes;
    rename_boundaries(graph)?;
    name_nodes(graph, &constants);
    let used: HashSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
    graph.initializer.retain(|tensor| used.contains(&tensor.name));
    Ok(model.encode_to_vec())
}

struct Tidier<'a> {
    constants: &'a BTreeMap<String, TensorProto>,
    /// Tensors that are another one under a new shape.
    aliases: BTreeMap<String, String>,
    /// Outputs of dropped `Pad` nodes: the tensor before, and the `pads` of the pooling that follows.
    pads: BTreeMap<String, (String, Vec<i64>)>,
}

impl Tidier<'_> {
    /// Adds `node` to `nodes`, or lets it change the last of them or the next one.
    fn take(&mut self, mut node: NodeProto, nodes: &mut Vec<NodeProto>) -> Result<(), TidyError> {
        for input in &mut node.input {
            if let Some(alias) = self.aliases.get(input) {
                input.clone_from(alias);
            }
        }
        match node.op_type.as_str() {
            "Reshape" if self.constants.contains_key(&node.input[0]) => {
                self.aliases.insert(node.output.swap_remove(0), node.input.swap_remove(0));
                return Ok(());
            }
            "Reshape" => {
                let shape = self.integers(&node, 1)?;
                if !matches!(shape[..], [1, _]) {
                    return Err(unexpected(&node.name, &format!("Reshape to {shape:?}, known is [1, n]")));
                }
                node.op_type = "Flatten".to_string();
                node.input.truncate(1);
                node.attribute = vec![integer("axis", 1)];
            }
            "Pad" => {
                let pads = self.pooling_pads(&node)?;
                self.pads.insert(node.output.swap_remove(0), (node.input.swap_remove(0), pads));
                return Ok(());
            }
            "MaxPool" => {
                if let Some((input, pads)) = self.pads.remove(&node.input[0]) {
                    node.input[0] = input;
                    node.attribute.retain(|attribute| attribute.name != "pads");
                    node.attribute.push(integers("pads", pads));
                }
            }
            // Of two maps it is a skip connection, and stays.
            "Add" if node.input.iter().any(|input| self.constants.contains_key(input)) => {
                let bias = node.input.iter().position(|input| self.constants.contains_key(input));
                let (Some(bias), Some(product)) = (bias, nodes.last_mut()) else {
                    return Err(unexpected(&node.name, "Add that is not a bias"));
                };
                if product.op_type != "MatMul" || product.output[0] != node.input[1 - bias] {
                    return Err(unexpected(&node.name, "Add that does not follow its MatMul"));
                }
                product.op_type = "Gemm".to_string();
                product.input.push(node.input.swap_remove(bias));
                product.output = node.output;
                return Ok(());
            }
            _ => {}
        }
        if let Some((pad, _)) = node.input.iter().find_map(|input| self.pads.get(input)) {
            return Err(unexpected(&node.name, &format!("padding of `{pad}` before {}", node.op_type)));
        }
        nodes.push(node);
        Ok(())
    }

    /// The integers of the constant input `index`.
    fn integers(&self, node: &NodeProto, index: usize) -> Result<Vec<i64>, TidyError> {
        let tensor = node.input.get(index).and_then(|name| self.constants.get(name));
        let tensor = tensor.ok_or_else(|| unexpected(&node.name, &format!("input {index} is no constant")))?;
        Ok(match tensor.int64_data.is_empty() {
            true => tensor.raw_data.as_chunks::<8>().0.iter().map(|&word| i64::from_le_bytes(word)).collect(),
            false => tensor.int64_data.clone(),
        })
    }

    /// The `pads` of a pooling that does what `node` does before it.
    fn pooling_pads(&self, node: &NodeProto) -> Result<Vec<i64>, TidyError> {
        let value = node.input.get(2).and_then(|name| self.constants.get(name));
        let value = value.and_then(|tensor| {
            let raw = tensor.raw_data.first_chunk::<4>().map(|&word| f32::from_le_bytes(word));
            raw.or_else(|| tensor.float_data.first().copied())
        });
        if value != Some(f32::NEG_INFINITY) {
            return Err(unexpected(&node.name, "Pad with something else than -inf"));
        }
        match self.integers(node, 1)?[..] {
            [0, 0, top, left, 0, 0, bottom, right] => Ok(vec![top, left, bottom, right]),
            ref pads => Err(unexpected(&node.name, &format!("Pad by {pads:?}, known are the last two axes"))),
        }
    }
}

/// Without a second one the hidden layer needs no number.
fn name_single_hidden(graph: &mut GraphProto) {
    const FIRST: &str = "hidden.0.";
    if graph.initializer.iter().any(|tensor| tensor.name.starts_with("hidden.1.")) {
        return;
    }
    let names = graph.initializer.iter_mut().map(|tensor| &mut tensor.name);
    for name in names.chain(graph.node.iter_mut().flat_map(|node| &mut node.input)) {
        if let Some(rest) = name.strip_prefix(FIRST) {
            *name = format!("hidden.{rest}");
        }
    }
}

/// Gives input and output their names, and the batch any size.
fn rename_boundaries(graph: &mut GraphProto) -> Result<(), TidyError> {
    let [input] = &mut graph.input[..] else {
        return Err(unexpected("graph", "not one input"));
    };
    let [output] = &mut graph.output[..] else {
        return Err(unexpected("graph", "not one output"));
    };
    let old_input = std::mem::replace(&mut input.name, INPUT.to_string());
    let old_output = std::mem::replace(&mut output.name, OUTPUT.to_string());
    free_batch(input)?;
    free_batch(output)?;
    graph.value_info.clear();
    for node in &mut graph.node {
        node.input.iter_mut().filter(|name| **name == old_input).for_each(|name| *name = INPUT.to_string());
        node.output.iter_mut().filter(|name| **name == old_output).for_each(|name| *name = OUTPUT.to_string());
    }
    Ok(())
}

fn free_batch(value: &mut ValueInfoProto) -> Result<(), TidyError> {
    let shape = value.r#type.as_mut().and_then(|t| t.value.as_mut()).and_then(|value| match value {
        Type::TensorType(tensor) => tensor.shape.as_mut(),
    });
    let batch = shape.and_then(|shape| shape.dim.first_mut());
    let batch = batch.ok_or_else(|| unexpected(&value.name, "has no batch axis"))?;
    batch.value = Some(Dimension::DimParam(BATCH.to_string()));
    Ok(())
}

/// Names every node and its output after its weights (`blocks.0.conv`), or else after its operator and the node before.
/// Additions are counted by themselves (`adds.0.add`, `adds.0.relu`).
fn name_nodes(graph: &mut GraphProto, constants: &BTreeMap<String, TensorProto>) {
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    let mut place = String::new();
    let mut adds = 0;
    for node in &mut graph.node {
        let weights = node.input.iter().find(|input| constants.contains_key(*input));
        node.name = match weights.and_then(|name| name.rsplit_once('.')) {
            Some((layer, _)) => {
                place = layer.rsplit_once('.').map_or(String::new(), |(block, _)| format!("{block}."));
                layer.to_string()
            }
            None if node.op_type == "Add" => {
                place = format!("adds.{adds}.");
                adds += 1;
                format!("{place}add")
            }
            None if matches!(node.op_type.as_str(), "Flatten" | "GlobalAveragePool") => node.op_type.to_lowercase(),
            None => format!("{place}{}", node.op_type.to_lowercase()),
        };
        for input in &mut node.input {
            if let Some(name) = renamed.get(input) {
                input.clone_from(name);
            }
        }
        if node.output[0] != OUTPUT {
            let name = format!("{}.output", node.name);
            renamed.insert(std::mem::replace(&mut node.output[0], name.clone()), name);
        }
    }
}

fn integer(name: &str, value: i64) -> AttributeProto {
    let r#type = AttributeType::Int.into();
    AttributeProto { name: name.to_string(), r#type, i: value, ..Default::default() }
}

fn integers(name: &str, values: Vec<i64>) -> AttributeProto {
    let r#type = AttributeType::Ints.into();
    AttributeProto { name: name.to_string(), r#type, ints: values, ..Default::default() }
}

fn unexpected(node: &str, fault: &str) -> TidyError {
    TidyError::Unexpected { node: node.to_string(), fault: fault.to_string() }
}
