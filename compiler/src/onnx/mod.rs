//! Reads an ONNX file as fused float layers on maps.
//!
//! `load` makes one plain graph of the file; what does not depend on what enters is evaluated (`constant`); functions that
//! exporters spell out are found by their values (`patterns`). Then each node is one step of the [`Builder`], whose values are
//! maps with a [`View`]. Each operator is one file in `ops`. Whatever has no exact form here is refused by node name.

mod builder;
mod constant;
mod contrib;
mod entry;
mod external;
mod functions;
mod fused;
mod input;
mod limits;
mod load;
mod node;
mod ops;
mod patterns;
mod prune;
mod qoperator;
pub mod quantized;
mod quantizing;
mod simplified;
mod tensor;
mod value;
mod view;
pub mod writer;

pub use builder::{Builder, Uses};
pub use entry::Entry;
pub use input::{Input, candidates, declared};
pub use load::{File, load};
pub use node::Node;
pub use tensor::{Tensor, Values};
pub use value::{Axes, Direction, Padding, Value};
pub use view::{Run, View};

use std::collections::{HashMap, HashSet};

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;

use crate::CompileError;
use crate::graph::Network;
use crate::transpose;

/// Reads the bytes of an ONNX file that takes pixels of 0.0 to 1.0.
pub fn import(bytes: &[u8]) -> Result<Network, CompileError> {
    import_with(bytes, &Entry::default())
}

/// Reads the bytes of an ONNX file.
pub fn import_with(bytes: &[u8], entry: &Entry) -> Result<Network, CompileError> {
    let file = load(bytes, entry.folder.as_deref())?;
    Ok(import_file(&file, entry)?.network)
}

/// A network and how it came out of its file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network.
    pub network: Network,
    /// How what enters was read, before height and width changed places if they did.
    pub input: Input,
    /// Where the elements of the result's tensor lie on its map.
    pub output: View,
    /// The tensor of the file that holds the result: the one before a softmax that was left out.
    pub result: String,
    /// The same graph with shapes and constants as known, for who runs it.
    pub simplified: pb::GraphProto,
}

/// Reads a file's graph.
pub fn import_file(file: &File, entry: &Entry) -> Result<Imported, CompileError> {
    let entry = entering(file, entry);
    let graph = &file.graph;
    let (output, note) = output(graph)?;
    let prepared = Prepared::new(file, &output)?;
    let mut first = None;
    for input in candidates(graph, entry.images)? {
        match prepared.import(&input, &entry) {
            Ok(mut imported) => {
                imported.network.notes.splice(0..0, note);
                imported.network.entry = entry.clone();
                if entry.is_transposed {
                    transpose::transpose(&mut imported.network)?;
                }
                return Ok(imported);
            }
            // Of several ways to read the input, the error of the likeliest says most.
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    Err(first.unwrap_or_else(|| CompileError::Graph("has no input that could be read".into())))
}

/// What the bytes of an image stand for: integers are what they are, whatever else is said.
pub fn entering(file: &File, entry: &Entry) -> Entry {
    let plain = |offset: f64| Entry { images: entry.images, folder: entry.folder.clone(), ..Entry::of(1.0, offset) };
    match file.integers {
        None => entry.clone(),
        Some(DataType::Int8) => plain(-128.0),
        Some(_) => plain(0.0),
    }
}

/// The name of the output that is the result, and a note where there are others.
fn output(graph: &pb::GraphProto) -> Result<(String, Option<String>), CompileError> {
    let names: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    if let [name] = names[..] {
        return Ok((name.into(), None));
    }
    // One that others are computed from is something on the way, such as an embedding.
    let is_on_the_way = |name: &str| names.iter().any(|other| *other != name && depends(graph, other, name));
    let last: Vec<&str> = names.iter().copied().filter(|name| !is_on_the_way(name)).collect();
    let Some(result) = last.first() else {
        return Err(CompileError::Graph("has no output: export it with its result".into()));
    };
    let others: Vec<&str> = names.iter().copied().filter(|name| name != result).collect();
    let note = format!("of {} outputs, {result} is compiled; {} left out", names.len(), others.join(", "));
    Ok((result.to_string(), Some(note)))
}

/// Whether the tensor `name` is computed from `other`.
fn depends(graph: &pb::GraphProto, name: &str, other: &str) -> bool {
    live(graph.node.clone(), name).iter().any(|node| node.input.iter().any(|input| input == other))
}

/// A graph whose constants are known and whose patterns are found, before it is known what enters.
struct Prepared<'f> {
    file: &'f File,
    nodes: Vec<pb::NodeProto>,
    constants: HashMap<String, Tensor>,
    output: String,
}

impl<'f> Prepared<'f> {
    fn new(file: &'f File, output: &str) -> Result<Self, CompileError> {
        let mut constants = HashMap::new();
        for initializer in &file.graph.initializer {
            let named = |what| CompileError::Onnx(format!("initializer {}: {what}", initializer.name));
            let tensor = Tensor::read(initializer).map_err(named)?;
            tensor.expect_numbers().map_err(named)?;
            constants.insert(initializer.name.clone(), tensor);
        }
        // What the output does not depend on is left out.
        let mut nodes = Vec::new();
        for proto in live(file.graph.node.clone(), output) {
            let node = Node::new(&proto, &constants);
            match node.is_constant() {
                true => {
                    let results = constant::evaluate(&node, &constants, file.opset)?;
                    define(&mut constants, &proto, results);
                }
                false => nodes.push(proto),
            }
        }
        patterns::rewrite(&mut nodes, &mut constants, output);
        let nodes = live(nodes, output);
        Ok(Self { file, nodes, constants, output: output.into() })
    }

    /// Reads the graph with its input read in one way.
    fn import(&self, input: &Input, entry: &Entry) -> Result<Imported, CompileError> {
        let mut constants = self.constants.clone();
        let affine = entry.affine(input.shape.channels.into())?;
        let uses = Uses { readers: readers(&self.nodes, &self.output), tail: tail(&self.nodes, &self.output) };
        let mut builder = Builder::new(&input.name, input, affine, self.file.opset, uses);
        let mut last = None;
        for (index, proto) in self.nodes.iter().enumerate() {
            let node = Node::new(proto, &constants);
            if let Some(shape) = ops::shape_of(&node, &builder)? {
                define(&mut constants, proto, vec![shape]);
            } else if node.is_constant() {
                let results = constant::evaluate(&node, &constants, self.file.opset)?;
                define(&mut constants, proto, results);
            } else {
                let value = ops::import(&node, &mut builder)?;
                builder.define(node.output()?, value);
                last = Some(index);
            }
        }
        // The last node that the output depends on makes it.
        let Some(last) = last.and_then(|index| self.nodes.get(index)) else {
            let what = format!("has the output {}, which no node makes of its input: it has no layer", self.output);
            return Err(CompileError::Graph(what));
        };
        let simplified = simplified::graph(&self.nodes, &constants, &builder);
        let entered = builder.known(&input.name).map(|value| value.view.clone());
        let node = Node::new(last, &constants);
        let (network, output, result) = builder.finish(&node, &self.output)?;
        let view = entered.unwrap_or_else(|| input.view.clone());
        let input = Input { shape: network.input, view, ..input.clone() };
        Ok(Imported { network, input, output, result, simplified })
    }
}

/// Keeps what a node with known inputs makes.
fn define(constants: &mut HashMap<String, Tensor>, node: &pb::NodeProto, results: Vec<Tensor>) {
    let named = node.output.iter().filter(|name| !name.is_empty());
    constants.extend(named.cloned().zip(results));
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

/// How many nodes read each tensor; the graph's output is read once more. Who only asks for a shape does not read.
fn readers(nodes: &[pb::NodeProto], output: &str) -> HashMap<String, usize> {
    let mut readers = HashMap::from([(output.to_string(), 1)]);
    for node in nodes.iter().filter(|node| !ops::asks_for_shape(node)) {
        let names: HashSet<&String> = node.input.iter().filter(|name| !name.is_empty()).collect();
        for name in names {
            *readers.entry(name.clone()).or_insert(0) += 1;
        }
    }
    readers
}

/// The tensors from which nothing but what ends a network leads to the output.
fn tail(nodes: &[pb::NodeProto], output: &str) -> HashSet<String> {
    let mut tail = HashSet::from([output.to_string()]);
    let mut name = output;
    while let Some(node) = nodes.iter().find(|node| node.output.iter().any(|made| made == name)) {
        let Some(input) = node.input.first().filter(|_| ops::is_ending(node)) else { break };
        tail.insert(input.clone());
        name = input;
    }
    tail
}
