//! Nodes whose inputs are all known, evaluated by tract while reading.

use std::collections::HashMap;

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::*;

use super::Tensor;
use crate::CompileError;
use crate::onnx::{Node, Values};
use crate::tract::guarded;

/// Most elements of a constant that is computed.
const MAX_ELEMENTS: usize = 1 << 26;

/// Operators that only depend on what they read, and make no more of it than [`bound`] says.
const KNOWN: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "Cast",
    "CastLike",
    "Ceil",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Cos",
    "DequantizeLinear",
    "Div",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "GatherElements",
    "Gemm",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "Identity",
    "Less",
    "LessOrEqual",
    "Log",
    "MatMul",
    "Max",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "Pow",
    "QuantizeLinear",
    "Range",
    "Reciprocal",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Round",
    "Shape",
    "Sigmoid",
    "Sign",
    "Sin",
    "Size",
    "Slice",
    "Softplus",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// The tensors that a node with constant inputs makes, in the order of its outputs.
pub fn evaluate(node: &Node<'_>, constants: &HashMap<String, Tensor>, opset: i64) -> Result<Vec<Tensor>, CompileError> {
    let unknown = || node.refuse("computes a constant in a way that is not known here", "export its value");
    let proto = node.proto();
    if !KNOWN.contains(&node.op()) || !proto.domain.is_empty() {
        return Err(unknown());
    }
    let inputs: Vec<(&String, &Tensor)> = proto
        .input
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| constants.get(name).map(|tensor| (name, tensor)).ok_or_else(unknown))
        .collect::<Result<_, _>>()?;
    if let Some(tensor) = simple(node) {
        return Ok(vec![tensor?]);
    }
    if inputs.iter().any(|(_, tensor)| matches!(tensor.values, Values::Other)) {
        return Err(unknown());
    }
    if bound(node).is_none_or(|bound| bound > MAX_ELEMENTS) {
        let what = format!("computes a constant of more than {MAX_ELEMENTS} elements");
        return Err(node.refuse(what, "export it smaller"));
    }
    let mut stored: Vec<pb::TensorProto> = Vec::new();
    for (name, tensor) in inputs {
        if !stored.iter().any(|proto| proto.name == *name) {
            stored.push(tensor.proto(name));
        }
    }
    let output = |name: &String| pb::ValueInfoProto { name: name.clone(), ..Default::default() };
    let named: Vec<&String> = proto.output.iter().filter(|name| !name.is_empty()).collect();
    let graph = pb::GraphProto {
        node: vec![pb::NodeProto { name: "node".into(), ..proto.clone() }],
        initializer: stored,
        output: named.iter().copied().map(output).collect(),
        ..Default::default()
    };
    let version = pb::OperatorSetIdProto { domain: String::new(), version: opset };
    let model = pb::ModelProto { graph: Some(graph), opset_import: vec![version], ..Default::default() };
    let tensors = guarded(|| {
        let plan = tract_onnx::onnx()
            .with_ignore_output_shapes(true)
            .model_for_proto_model(&model)?
            .into_typed()?
            .into_runnable()?;
        plan.run(tvec!())?.iter().map(read).collect::<TractResult<Vec<Tensor>>>()
    });
    match tensors {
        Ok(tensors) if tensors.len() == named.len() => Ok(tensors),
        Ok(_) => Err(unknown()),
        Err(error) => Err(node.refuse(format!("computes a constant, which fails: {error}"), "export its value")),
    }
}

/// What needs no program: constants as they are stored.
fn simple(node: &Node<'_>) -> Option<Result<Tensor, CompileError>> {
    match node.op() {
        "Constant" => Some(match node.tensor("value") {
            Some(tensor) => Tensor::read(tensor).map_err(|what| node.refuse(what, "export the model again")),
            None => numbers(node)?,
        }),
        "Identity" => node.constant(0).cloned().map(Ok),
        _ => None,
    }
}

/// The numbers that a Constant has as an attribute.
fn numbers(node: &Node<'_>) -> Option<Result<Tensor, CompileError>> {
    let is_scalar = node.has_attribute("value_float") || node.has_attribute("value_int");
    let dims = |len: usize| if is_scalar { vec![] } else { vec![len] };
    if let Some(floats) = node.float_list("value_float").or_else(|| node.float_list("value_floats")) {
        return Some(Ok(Tensor::of_floats(dims(floats.len()), floats)));
    }
    let ints = node.int_list("value_int").or_else(|| node.int_list("value_ints"))?;
    Some(Ok(Tensor { dims: dims(ints.len()), ..Tensor::of_ints(ints) }))
}

/// How many elements the result has at most; `None` where that is too many to count, or not known.
fn bound(node: &Node<'_>) -> Option<usize> {
    let lens = || (0..node.input_count()).filter_map(|index| node.constant(index)).map(Tensor::elements);
    let product = |numbers: &[i64]| {
        numbers.iter().try_fold(1usize, |product, &number| product.checked_mul(usize::try_from(number).ok()?))
    };
    let ints = |index: usize| node.constant(index).and_then(Tensor::ints);
    match node.op() {
        "ConstantOfShape" => product(ints(0)?),
        "Expand" | "Tile" => product(ints(1)?)?.checked_mul(node.constant(0)?.elements().max(1)),
        "Range" => {
            let (start, end, step) = (*ints(0)?.first()?, *ints(1)?.first()?, *ints(2)?.first()?);
            usize::try_from(end.checked_sub(start)?.checked_div(step)?.max(0)).ok()
        }
        // Joined, or all of one shape.
        "Concat" => lens().try_fold(0usize, usize::checked_add),
        "Gather" => node.constant(0)?.elements().max(1).checked_mul(node.constant(1)?.elements()),
        op => {
            let largest = lens().max().unwrap_or(0);
            match !is_joining(op) || lens().all(|len| len == largest || len <= 1) {
                true => Some(largest),
                false => lens().try_fold(1usize, usize::checked_mul),
            }
        }
    }
}

/// Whether an operator makes more of its inputs than the largest has.
fn is_joining(op: &str) -> bool {
    matches!(
        op,
        "Add"
            | "And"
            | "Div"
            | "Equal"
            | "Gemm"
            | "Greater"
            | "GreaterOrEqual"
            | "Less"
            | "LessOrEqual"
            | "MatMul"
            | "Max"
            | "Min"
            | "Mod"
            | "Mul"
            | "Or"
            | "Pow"
            | "Sub"
            | "Sum"
            | "Where"
    )
}

/// A result of tract's.
fn read(value: &TValue) -> TractResult<Tensor> {
    let dims = value.shape().to_vec();
    let kind = value.datum_type();
    let values = if kind.is_float() {
        Values::Float(value.cast_to::<f32>()?.to_plain_array_view::<f32>()?.iter().copied().collect())
    } else {
        let kind = match kind {
            DatumType::Bool => DataType::Bool,
            DatumType::U8 => DataType::Uint8,
            DatumType::I8 => DataType::Int8,
            DatumType::U16 => DataType::Uint16,
            DatumType::I16 => DataType::Int16,
            DatumType::U32 => DataType::Uint32,
            DatumType::I32 => DataType::Int32,
            _ => DataType::Int64,
        };
        Values::Int(value.cast_to::<i64>()?.to_plain_array_view::<i64>()?.iter().copied().collect(), kind)
    };
    Ok(Tensor { dims, values })
}
