//! From the bytes of a file to one plain graph: functions inlined, data that lie beside it read, all floats of 32 bits, nodes in
//! order, spellings of old versions and of ONNX Runtime's own optimizer as those of today.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;

use super::{Tensor, contrib, external, functions, qoperator, quantized};
use crate::CompileError;
use crate::kind::Kind;
use crate::tflite;

/// Most nodes that a file may have, functions inlined.
pub const MAX_NODES: usize = 1 << 16;
/// The version of operators where a file does not say it: inputs in place of attributes came later or are told apart.
const DEFAULT_OPSET: i64 = 11;
/// Elements of the largest tensor that is made of a sparse one.
const MAX_SPARSE: usize = 1 << 26;

/// A file's graph.
#[derive(Clone, Debug)]
pub struct File {
    /// Its nodes in order and its constants.
    pub graph: pb::GraphProto,
    /// The version of its operators.
    pub opset: i64,
    /// The type of what enters, where it is one of integers: its nodes make floats of them themselves.
    pub integers: Option<DataType>,
}

/// Reads the bytes of a file; `folder` is where its data may lie beside it.
pub fn load(bytes: &[u8], folder: Option<&Path>) -> Result<File, CompileError> {
    if tflite::is(bytes) {
        return plain_file(tflite::graph(bytes)?, tflite::OPSET);
    }
    if let Some(kind) = Kind::of(bytes) {
        return Err(CompileError::Kind(kind));
    }
    let mut model = pb::ModelProto::decode(bytes).map_err(|error| CompileError::Onnx(error.to_string()))?;
    let mut graph = model.graph.take().ok_or_else(|| CompileError::Onnx("it has no graph".into()))?;
    let standard = |import: &&pb::OperatorSetIdProto| is_standard(&import.domain);
    let opset = model.opset_import.iter().find(standard).map_or(DEFAULT_OPSET, |import| import.version);
    functions::inline(&mut graph, &model.functions)?;
    if graph.node.len() > MAX_NODES {
        return Err(CompileError::Graph(format!("has more than {MAX_NODES} nodes")));
    }
    for tensor in graph.initializer.iter_mut() {
        plain(tensor, folder).map_err(|what| CompileError::Onnx(format!("initializer {}: {what}", tensor.name)))?;
    }
    for sparse in std::mem::take(&mut graph.sparse_initializer) {
        graph
            .initializer
            .push(dense(&sparse).map_err(|what| CompileError::Onnx(format!("sparse initializer: {what}")))?);
    }
    for node in &mut graph.node {
        let name = node.output.first().cloned().unwrap_or_default();
        for attribute in &mut node.attribute {
            if let Some(tensor) = &mut attribute.t {
                plain(tensor, folder).map_err(|what| CompileError::Onnx(format!("node {name}: {what}")))?;
            }
        }
        renew(node);
    }
    contrib::rewrite(&mut graph)?;
    in_order(&mut graph)?;
    old_broadcasts(&mut graph);
    plain_file(graph, opset)
}

/// A graph whose nodes are in order and up to date.
fn plain_file(mut graph: pb::GraphProto, opset: i64) -> Result<File, CompileError> {
    qoperator::rewrite(&mut graph)?;
    quantized::normalize(&mut graph)?;
    let integers = entering_floats(&mut graph);
    Ok(File { graph, opset, integers })
}

/// Whether operators of this domain are the standard's.
pub fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// Reads data from beside the file, and makes floats of other sizes those of 32 bits.
fn plain(tensor: &mut pb::TensorProto, folder: Option<&Path>) -> Result<(), String> {
    external::resolve(tensor, folder)?;
    let is_other = |kind| matches!(kind, DataType::Float16 | DataType::Bfloat16 | DataType::Double);
    if DataType::try_from(tensor.data_type).is_ok_and(is_other) {
        *tensor = Tensor::read(tensor)?.proto(&tensor.name);
    }
    Ok(())
}

/// A sparse tensor with its zeros.
fn dense(sparse: &pb::SparseTensorProto) -> Result<pb::TensorProto, String> {
    let (Some(values), Some(indices)) = (&sparse.values, &sparse.indices) else {
        return Err("lacks its values or their places".into());
    };
    let dims: Option<Vec<usize>> = sparse.dims.iter().map(|&size| usize::try_from(size).ok()).collect();
    let dims = dims.ok_or("has a negative dimension")?;
    let len = dims.iter().try_fold(1usize, |len, &size| len.checked_mul(size)).filter(|&len| len <= MAX_SPARSE);
    let len = len.ok_or("is too large")?;
    let (stored, places) = (Tensor::read(values)?, Tensor::read(indices)?);
    let (Some(stored), Some(numbers)) = (stored.floats(), places.ints()) else {
        return Err("has values that are no floats, or places that are no integers".into());
    };
    // A place is one number, or one an axis.
    let each = if places.dims.len() == 2 { dims.len().max(1) } else { 1 };
    if numbers.len() != stored.len() * each {
        return Err(format!("has {} values and {} numbers for their places", stored.len(), numbers.len()));
    }
    let mut all = vec![0.0; len];
    for (value, place) in stored.iter().zip(numbers.chunks_exact(each)) {
        let place = match place {
            &[place] if places.dims.len() != 2 => usize::try_from(place).ok(),
            place => place.iter().zip(&dims).try_fold(0usize, |sum, (&at, &size)| {
                usize::try_from(at).ok().filter(|&at| at < size).map(|at| sum * size + at)
            }),
        };
        *place.and_then(|place| all.get_mut(place)).ok_or("has a value beyond its dimensions")? = *value;
    }
    Ok(Tensor::of_floats(dims, all).proto(&values.name))
}

/// Attributes of old versions and inputs that say nothing, and casts to floats of other sizes.
fn renew(node: &mut pb::NodeProto) {
    if is_standard(&node.domain) {
        node.domain.clear();
    }
    // Inputs left out at the end: tract 0.23 counts them.
    while node.input.last().is_some_and(String::is_empty) {
        node.input.pop();
    }
    node.attribute.retain(|attribute| attribute.name != "consumed_inputs");
    match node.op_type.as_str() {
        "BatchNormalization" => node.attribute.retain(|attribute| attribute.name != "is_test"),
        "Gemm" => node.attribute.retain(|attribute| attribute.name != "broadcast"),
        "Reshape" | "Cast" => {}
        _ => return,
    }
    for attribute in node.attribute.iter_mut().filter(|attribute| attribute.name == "to") {
        let is_float = |kind| matches!(kind, DataType::Float16 | DataType::Bfloat16 | DataType::Double);
        if i32::try_from(attribute.i).ok().and_then(|kind| DataType::try_from(kind).ok()).is_some_and(is_float) {
            attribute.i = DataType::Float as i64;
        }
    }
}

/// Before version 7, a constant said at which axis of the other operand it begins.
fn old_broadcasts(graph: &mut pb::GraphProto) {
    let dims: HashMap<String, Vec<i64>> =
        graph.initializer.iter().map(|tensor| (tensor.name.clone(), tensor.dims.clone())).collect();
    let mut flat = HashSet::new();
    let mut added = Vec::new();
    for node in &mut graph.node {
        let is_flat = match node.op_type.as_str() {
            "Gemm" | "MatMul" | "Flatten" => true,
            "Reshape" | "Conv" | "Unsqueeze" => false,
            _ => node.input.first().is_some_and(|name| flat.contains(name)),
        };
        if is_flat {
            flat.extend(node.output.first().cloned());
        }
        let takes = matches!(node.op_type.as_str(), "Add" | "Sub" | "Mul" | "Div" | "PRelu");
        if !takes || !node.attribute.iter().any(|attribute| attribute.name == "broadcast") {
            continue;
        }
        let axis = node.attribute.iter().find(|attribute| attribute.name == "axis").map(|attribute| attribute.i);
        node.attribute.retain(|attribute| !["axis", "broadcast"].contains(&attribute.name.as_str()));
        let rank = if is_flat { 2 } else { 4 };
        let (Some(axis), Some(operand)) = (axis, node.input.get_mut(1)) else { continue };
        let axis = if axis < 0 { axis + rank } else { axis };
        let Some(own) = dims.get(operand) else { continue };
        let behind = rank - axis - own.len() as i64;
        if (1..=rank).contains(&behind) {
            let name = format!("{operand}/{}", node.output.first().cloned().unwrap_or_default());
            added.push((operand.clone(), name.clone(), behind));
            *operand = name;
        }
    }
    for (from, name, behind) in added {
        if let Some(mut tensor) = graph.initializer.iter().find(|tensor| tensor.name == from).cloned() {
            tensor.dims.extend((0..behind).map(|_| 1));
            tensor.name = name;
            graph.initializer.push(tensor);
        }
    }
}

/// Nodes behind those that they read; refuses what has no such order.
fn in_order(graph: &mut pb::GraphProto) -> Result<(), CompileError> {
    let mut maker: HashMap<&str, usize> = HashMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if maker.insert(output, index).is_some() {
                return Err(CompileError::Graph(format!("has two nodes that make {output}: export it again")));
            }
        }
    }
    let mut waits: Vec<usize> = vec![0; graph.node.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.node.len()];
    for (index, node) in graph.node.iter().enumerate() {
        for before in node.input.iter().filter_map(|name| maker.get(name.as_str())) {
            waits[index] += 1;
            readers[*before].push(index);
        }
    }
    // The first one that can, so that what is in order stays as it is.
    let mut ready: std::collections::BTreeSet<usize> = (0..waits.len()).filter(|&index| waits[index] == 0).collect();
    let mut order = Vec::new();
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for &reader in &readers[index] {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                ready.insert(reader);
            }
        }
    }
    if let Some(stuck) = (0..waits.len()).find(|&index| waits[index] > 0) {
        let node = &graph.node[stuck];
        let name = node.output.first().unwrap_or(&node.name);
        return Err(CompileError::Graph(format!("has a ring of nodes: {name} depends on itself")));
    }
    let mut nodes: Vec<Option<pb::NodeProto>> = std::mem::take(&mut graph.node).into_iter().map(Some).collect();
    graph.node = order.into_iter().filter_map(|index| nodes[index].take()).collect();
    Ok(())
}

/// Lets floats enter where integers did and the first nodes only made floats of them; says which integers.
fn entering_floats(graph: &mut pb::GraphProto) -> Option<DataType> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut found = None;
    for input in graph.input.iter_mut().filter(|input| !constants.contains(input.name.as_str())) {
        let Some(pb::type_proto::Value::TensorType(tensor)) =
            input.r#type.as_mut().and_then(|kind| kind.value.as_mut())
        else {
            continue;
        };
        let kind = DataType::try_from(tensor.elem_type).unwrap_or(DataType::Float);
        let is_float = matches!(kind, DataType::Float16 | DataType::Bfloat16 | DataType::Double);
        let mut readers = graph.node.iter().filter(|node| node.input.contains(&input.name)).peekable();
        let is_cast = |node: &pb::NodeProto| {
            let to = node.attribute.iter().find(|attribute| attribute.name == "to").map(|attribute| attribute.i);
            node.op_type == "Cast" && to == Some(DataType::Float as i64)
        };
        let are_casts = readers.peek().is_some() && readers.all(is_cast);
        let is_integer = matches!(
            kind,
            DataType::Uint8 | DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Uint16
        );
        if is_float || (is_integer && are_casts) {
            tensor.elem_type = DataType::Float as i32;
        }
        if is_integer && are_casts {
            found = Some(kind);
        }
    }
    found
}

/// An attribute of one float.
pub fn float(name: &str, value: f32) -> pb::AttributeProto {
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Float as i32, f: value, ..Default::default() }
}
