//! Quantized graphs in one form: floats between QuantizeLinear and DequantizeLinear, weights as floats that are whole steps.
//!
//! The integers of weights are found again by their steps, which stand beside them as a constant ([`steps_of`]): no order in
//! which weights are read or turned changes those. QuantizeLinear of an activation is an operator of its own
//! (`ops/quantize.rs`).

use std::collections::HashMap;

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;

use super::{Entry, Tensor, writer};
use crate::CompileError;

/// Nodes that give weights another shape, with the same output channels.
const RESHAPES: &[&str] = &["Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"];

/// The name of the constant that holds the steps of the weights `name`.
pub fn steps_of(name: &str) -> String {
    format!("{name}/steps")
}

/// Puts the graph into the form that the import reads.
pub fn normalize(graph: &mut pb::GraphProto) -> Result<(), CompileError> {
    if !graph.node.iter().any(|node| is_one(node, "DequantizeLinear") || is_one(node, "QuantizeLinear")) {
        return Ok(());
    }
    weights(graph)?;
    clips(graph);
    ends(graph);
    integers_in_and_out(graph);
    Ok(())
}

fn is_one(node: &pb::NodeProto, op: &str) -> bool {
    node.op_type == op && node.domain != "local"
}

/// The graph with floats that are limited as if they were quantized, but not rounded: what the import computes in floats.
pub fn in_floats(graph: &pb::GraphProto) -> pb::GraphProto {
    let mut graph = graph.clone();
    let constants: HashMap<&str, &pb::TensorProto> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let (mut nodes, mut limits) = (Vec::new(), Vec::new());
    for node in &graph.node {
        let (Some(input), Some(output)) = (node.input.first(), node.output.first()) else { continue };
        match node.op_type.as_str() {
            "QuantizeLinear" if read(node, |name| constants.get(name).copied()).is_some() => {
                let (scale, zero, kind) = read(node, |name| constants.get(name).copied()).unwrap_or_default();
                let (low, high) = range(kind);
                let [least, greatest, limited] =
                    ["least", "greatest", "limited"].map(|what| format!("{output}/{what}"));
                for (name, limit) in [(&least, low), (&greatest, high)] {
                    limits.push(Tensor::of_floats(vec![], vec![(limit - zero) as f32 * scale]).proto(name));
                }
                nodes.push(writer::node("Max", &limited, &[input, &least]));
                nodes.push(writer::node("Min", output, &[&limited, &greatest]));
            }
            "DequantizeLinear" => nodes.push(writer::node("Identity", output, &[input])),
            _ => nodes.push(node.clone()),
        }
    }
    graph.node = nodes;
    graph.initializer.extend(limits);
    graph
}

/// What the bytes stand for where the graph quantizes what enters before all else: the integers that it makes of it.
pub fn entry(graph: &pb::GraphProto) -> Option<Entry> {
    let constants: HashMap<&str, &pb::TensorProto> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut name = graph.input.iter().map(|input| &input.name).find(|name| !constants.contains_key(name.as_str()))?;
    loop {
        let mut readers = graph.node.iter().filter(|node| node.input.iter().any(|input| input == name));
        let (Some(node), None) = (readers.next(), readers.next()) else { return None };
        if RESHAPES.contains(&node.op_type.as_str()) {
            name = node.output.first()?;
            continue;
        }
        if node.op_type != "QuantizeLinear" {
            return None;
        }
        let (scale, zero, kind) = read(node, |name| constants.get(name).copied())?;
        let byte = zero - range(kind).0;
        return Some(Entry::of(scale.into(), -f64::from(scale) * byte as f64));
    }
}

/// Scale, zero point and its type of a QuantizeLinear or DequantizeLinear, where they are known and the same for all values.
fn read<'g>(
    node: &pb::NodeProto,
    constant: impl Fn(&str) -> Option<&'g pb::TensorProto>,
) -> Option<(f32, i64, DataType)> {
    let scale = Tensor::read(constant(node.input.get(1)?)?).ok()?;
    let &[scale] = scale.floats()? else { return None };
    let Some(name) = node.input.get(2).filter(|name| !name.is_empty()) else {
        return Some((scale, 0, DataType::Uint8));
    };
    let proto = constant(name)?;
    let kind = DataType::try_from(proto.data_type).ok()?;
    match Tensor::read(proto).ok()?.ints()? {
        &[zero] => Some((scale, zero, kind)),
        _ => None,
    }
}

/// The least and the greatest integer of a type of activations.
pub fn range(kind: DataType) -> (i64, i64) {
    match kind {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Uint16 => (0, u16::MAX.into()),
        _ => (0, u8::MAX.into()),
    }
}

/// Makes floats of constants that are dequantized, quantized ones among them, with their steps beside them.
fn weights(graph: &mut pb::GraphProto) -> Result<(), CompileError> {
    let mut constants: HashMap<String, Tensor> = HashMap::new();
    for tensor in &graph.initializer {
        if let Ok(read) = Tensor::read(tensor) {
            constants.insert(tensor.name.clone(), read);
        }
    }
    let mut steps: HashMap<String, Vec<f32>> = HashMap::new();
    let mut added = Vec::new();
    let mut nodes = Vec::new();
    for node in std::mem::take(&mut graph.node) {
        let output = node.output.first().cloned().unwrap_or_default();
        let first = node.input.first().cloned().unwrap_or_default();
        let constant = |index: usize| node.input.get(index).and_then(|name| constants.get(name));
        let made = match node.op_type.as_str() {
            "Constant" => {
                let tensor = node.attribute.iter().find(|attribute| attribute.name == "value");
                if let Some(Ok(read)) = tensor.and_then(|tensor| tensor.t.as_ref()).map(Tensor::read) {
                    constants.insert(output.clone(), read);
                }
                None
            }
            "QuantizeLinear" => constant(0).and_then(|floats| quantized(&node, floats, constant(1)?, constant(2))),
            // The scale of a bias, as QOperator nodes have it.
            "Mul" => constant(0).zip(constant(1)).and_then(|(a, b)| product(a, b)),
            "Clip" => constant(0).filter(|tensor| tensor.ints().is_some()).and_then(|tensor| {
                let limit =
                    |index: usize| constant(index).and_then(Tensor::ints).and_then(|limit| limit.first().copied());
                let (low, high) = (limit(1).unwrap_or(i64::MIN), limit(2).unwrap_or(i64::MAX));
                let ints = tensor.ints()?.iter().map(|&value| value.max(low).min(high)).collect();
                Some(Tensor::of_ints_as(tensor.dims.clone(), ints, tensor.int_type()?))
            }),
            "DequantizeLinear" if constant(0).is_some_and(|tensor| tensor.ints().is_some()) => {
                let tensor =
                    constant(0).zip(constant(1)).and_then(|(ints, scale)| dequantized(&node, ints, scale, constant(2)));
                let Some(tensor) = tensor else {
                    return Err(CompileError::Unsupported {
                        node: if node.name.is_empty() { output } else { node.name.clone() },
                        op: node.op_type.clone(),
                        what: "dequantizes a constant in a way that is not known here".into(),
                        advice: "quantize weights with one scale, or one an output channel".into(),
                    });
                };
                let scales = constant(1).and_then(Tensor::floats).unwrap_or(&[]).to_vec();
                steps.insert(output.clone(), scales);
                Some(tensor)
            }
            op if RESHAPES.contains(&op) => {
                if let Some(scales) = steps.get(&first).cloned() {
                    steps.insert(output.clone(), scales);
                }
                None
            }
            _ => None,
        };
        match made {
            Some(tensor) => {
                added.push(tensor.proto(&output));
                constants.insert(output, tensor);
            }
            None => nodes.push(node),
        }
    }
    graph.node = nodes;
    graph.initializer.extend(added);
    let beside =
        steps.into_iter().map(|(name, steps)| Tensor::of_floats(vec![steps.len()], steps).proto(&steps_of(&name)));
    graph.initializer.extend(beside);
    Ok(())
}

/// A number times a row.
fn product(number: &Tensor, row: &Tensor) -> Option<Tensor> {
    let (&[number], row_values) = (number.floats()?, row.floats()?) else { return None };
    let values = row_values.iter().map(|value| number * value).collect();
    Some(Tensor::of_floats(row.dims.clone(), values))
}

/// The axis that scales stand along, 1 where a node does not say it.
fn axis(node: &pb::NodeProto, rank: usize) -> Option<usize> {
    let axis = node.attribute.iter().find(|attribute| attribute.name == "axis").map_or(1, |attribute| attribute.i);
    let axis = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
    usize::try_from(axis).ok()
}

/// Calls `each` with every element, its scale and its zero point; `None` where they are not as many as one axis has.
fn scaled<T>(
    node: &pb::NodeProto,
    dims: &[usize],
    scales: &Tensor,
    zeros: Option<&Tensor>,
    each: impl Fn(usize, f32, i64) -> T,
) -> Option<Vec<T>> {
    let blocks = node.attribute.iter().find(|attribute| attribute.name == "block_size").map_or(0, |blocks| blocks.i);
    let scales = scales.floats()?;
    let none = vec![0; scales.len()];
    let zeros = match zeros {
        Some(zeros) => zeros.ints()?,
        None => &none[..],
    };
    if zeros.len() != scales.len() || scales.is_empty() || blocks != 0 {
        return None;
    }
    let len: usize = dims.iter().product();
    let (count, behind) = match scales.len() {
        1 => (1, len.max(1)),
        count => {
            let axis = axis(node, dims.len())?;
            if dims.get(axis) != Some(&count) {
                return None;
            }
            (count, dims[axis + 1..].iter().product())
        }
    };
    Some(
        (0..len)
            .map(|index| {
                let place = index / behind % count;
                each(index, scales[place], zeros[place])
            })
            .collect(),
    )
}

fn dequantized(node: &pb::NodeProto, ints: &Tensor, scales: &Tensor, zeros: Option<&Tensor>) -> Option<Tensor> {
    let values = ints.ints()?;
    let floats = scaled(node, &ints.dims, scales, zeros, |index, scale, zero| (values[index] - zero) as f32 * scale)?;
    Some(Tensor::of_floats(ints.dims.clone(), floats))
}

fn quantized(node: &pb::NodeProto, floats: &Tensor, scales: &Tensor, zeros: Option<&Tensor>) -> Option<Tensor> {
    let values = floats.floats()?;
    let kind = zeros.and_then(Tensor::int_type).unwrap_or(DataType::Uint8);
    let (low, high) = range(kind);
    let ints = scaled(node, &floats.dims, scales, zeros, |index, scale, zero| {
        (f64::from(values[index] / scale).round_ties_even() as i64 + zero).clamp(low, high)
    })?;
    Some(Tensor::of_ints_as(floats.dims.clone(), ints, kind))
}

/// A Clip of quantized values, as of a range that is not all of their type's, becomes one of the real values.
fn clips(graph: &mut pb::GraphProto) {
    let constants: HashMap<String, Tensor> =
        graph.initializer.iter().filter_map(|tensor| Some((tensor.name.clone(), Tensor::read(tensor).ok()?))).collect();
    let protos: HashMap<String, pb::TensorProto> =
        graph.initializer.iter().map(|tensor| (tensor.name.clone(), tensor.clone())).collect();
    let makers: HashMap<String, pb::NodeProto> =
        graph.node.iter().filter_map(|node| Some((node.output.first()?.clone(), node.clone()))).collect();
    let mut nodes = Vec::new();
    for mut node in std::mem::take(&mut graph.node) {
        let clip = node.input.first().and_then(|name| makers.get(name)).filter(|clip| clip.op_type == "Clip");
        let before =
            clip.and_then(|clip| makers.get(clip.input.first()?)).filter(|maker| maker.op_type == "QuantizeLinear");
        let (true, Some(clip), Some(before)) = (node.op_type == "DequantizeLinear", clip, before) else {
            nodes.push(node);
            continue;
        };
        let Some((scale, zero, _)) = read(before, |name| protos.get(name)) else {
            nodes.push(node);
            continue;
        };
        let output = node.output.first().cloned().unwrap_or_default();
        let whole = format!("{output}/whole");
        let mut inputs = vec![whole.clone()];
        for (index, what) in [(1, "low"), (2, "high")] {
            let limit = clip.input.get(index).and_then(|name| constants.get(name)).and_then(Tensor::ints);
            let Some(&[limit]) = limit else {
                inputs.push(String::new());
                continue;
            };
            let name = format!("{output}/{what}");
            graph.initializer.push(Tensor::of_floats(vec![], vec![(limit - zero) as f32 * scale]).proto(&name));
            inputs.push(name);
        }
        node.input[0] = before.output[0].clone();
        node.output = vec![whole];
        nodes.push(node);
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        nodes.push(writer::node("Clip", &output, &inputs));
    }
    graph.node = nodes;
}

/// What is quantized behind a softmax at the end only rounds what nobody computes with.
fn ends(graph: &mut pb::GraphProto) {
    let Some(output) = graph.output.first().map(|output| output.name.clone()) else { return };
    let maker = |name: &str| graph.node.iter().position(|node| node.output.iter().any(|output| output == name));
    let mut last = output.clone();
    let mut dropped = Vec::new();
    while let Some(index) = maker(&last) {
        let node = &graph.node[index];
        match (node.op_type.as_str(), node.input.first()) {
            ("QuantizeLinear" | "DequantizeLinear", Some(input)) => {
                dropped.push(index);
                last = input.clone();
            }
            ("Softmax" | "LogSoftmax", _) if !dropped.is_empty() => {
                let softmax = &mut graph.node[index];
                softmax.output = vec![output];
                dropped.sort_unstable();
                for index in dropped.into_iter().rev() {
                    graph.node.remove(index);
                }
                set_type(&mut graph.output[0], DataType::Float);
                return;
            }
            _ => return,
        }
    }
}

fn set_type(value: &mut pb::ValueInfoProto, kind: DataType) {
    if let Some(pb::type_proto::Value::TensorType(tensor)) = value.r#type.as_mut().and_then(|kind| kind.value.as_mut())
    {
        tensor.elem_type = kind as i32;
    }
}

/// The type of a graph's input or output.
fn type_of(value: &pb::ValueInfoProto) -> Option<DataType> {
    let pb::type_proto::Value::TensorType(tensor) = value.r#type.as_ref()?.value.as_ref()?;
    DataType::try_from(tensor.elem_type).ok()
}

/// Where integers enter that are dequantized at once, their real values are quantized anew, which changes none; where integers
/// leave, their real values do.
fn integers_in_and_out(graph: &mut pb::GraphProto) {
    let is_byte = |value: &pb::ValueInfoProto| matches!(type_of(value), Some(DataType::Int8 | DataType::Uint8));
    let inputs: Vec<String> =
        graph.input.iter().filter(|input| is_byte(input)).map(|input| input.name.clone()).collect();
    let constants: HashMap<String, pb::TensorProto> =
        graph.initializer.iter().map(|tensor| (tensor.name.clone(), tensor.clone())).collect();
    let mut nodes = Vec::new();
    for node in std::mem::take(&mut graph.node) {
        let enters = node.op_type == "DequantizeLinear" && node.input.first().is_some_and(|name| inputs.contains(name));
        let Some((scale, zero, _)) = read(&node, |name| constants.get(name)).filter(|_| enters) else {
            nodes.push(node);
            continue;
        };
        let (input, output) = (&node.input[0], &node.output[0]);
        let name = |what: &str| format!("{output}/{what}");
        let [number, zero_name, factor, centered, real, bytes] =
            ["as_float", "as_float_zero", "as_float_scale", "centered", "again_real", "again"].map(name);
        graph.initializer.push(Tensor::of_floats(vec![], vec![zero as f32]).proto(&zero_name));
        graph.initializer.push(Tensor::of_floats(vec![], vec![scale]).proto(&factor));
        let mut cast = writer::node("Cast", &number, &[input]);
        cast.attribute.push(writer::int("to", DataType::Float as i64));
        nodes.push(cast);
        nodes.push(writer::node("Sub", &centered, &[&number, &zero_name]));
        nodes.push(writer::node("Mul", &real, &[&centered, &factor]));
        let quantize: Vec<&str> =
            std::iter::once(real.as_str()).chain(node.input[1..].iter().map(String::as_str)).collect();
        nodes.push(writer::node("QuantizeLinear", &bytes, &quantize));
        let mut node = node.clone();
        node.input[0] = bytes.clone();
        nodes.push(node);
    }
    graph.node = nodes;
    let Some(output) = graph.output.first_mut() else { return };
    let last = graph.node.iter_mut().find(|node| node.output.contains(&output.name));
    if let Some(last) = last.filter(|node| node.op_type == "QuantizeLinear") {
        let bytes = format!("{}/last_bytes", output.name);
        last.output = vec![bytes.clone()];
        let inputs: Vec<&str> =
            std::iter::once(bytes.as_str()).chain(last.input[1..].iter().map(String::as_str)).collect();
        let node = writer::node("DequantizeLinear", &output.name, &inputs);
        graph.node.push(node);
        set_type(output, DataType::Float);
    }
}
