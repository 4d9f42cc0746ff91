//! Reads a TFLite file as an ONNX graph, so that there is one way on from there.
//!
//! Tensors keep their layout (channels last); convolutions and poolings stand between Transposes, which the import only looks
//! through. Quantized tensors become floats between QuantizeLinear and DequantizeLinear with the file's own numbers.

mod constant;
mod operators;

use std::collections::HashSet;

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use tract_tflite::tflite::{self, BuiltinOperator, SubGraph, TensorType};

use crate::CompileError;
use crate::onnx::{Tensor, writer};

/// Where the four letters stand that a TFLite file has.
const IDENTIFIER: std::ops::Range<usize> = 4..8;
/// The version of ONNX's operators that the graph is written in.
pub const OPSET: i64 = 13;

/// Whether these are the bytes of a TFLite file.
pub fn is(bytes: &[u8]) -> bool {
    bytes.get(IDENTIFIER) == Some(b"TFL3")
}

/// The file as an ONNX graph.
pub fn graph(bytes: &[u8]) -> Result<pb::GraphProto, CompileError> {
    let broken = |what: &str| CompileError::Onnx(format!("it is a TFLite file that {what}"));
    let model = tflite::root_as_model(bytes).map_err(|error| broken(&format!("is damaged: {error}")))?;
    let subgraph = model.subgraphs().filter(|graphs| !graphs.is_empty()).map(|graphs| graphs.get(0));
    let subgraph = subgraph.ok_or_else(|| broken("has no graph"))?;
    let mut reader = Reader { model, subgraph, graph: pb::GraphProto::default(), constants: HashSet::new() };
    for index in subgraph.inputs().iter().flatten() {
        reader.enter(index)?;
    }
    for operator in subgraph.operators().iter().flatten() {
        let codes = model.operator_codes();
        let index = operator.opcode_index() as usize;
        let code = codes.filter(|codes| index < codes.len()).map(|codes| codes.get(index));
        let code = code.ok_or_else(|| broken("uses an operator that it does not list"))?;
        // Files of old versions have the code in the field that is deprecated.
        let builtin = code.builtin_code().0.max(code.deprecated_builtin_code().into());
        let node = Operator {
            code: BuiltinOperator(builtin),
            custom: code.custom_code().unwrap_or(""),
            inputs: operator.inputs().iter().flatten().collect(),
            outputs: operator.outputs().iter().flatten().collect(),
            options: operator,
        };
        operators::read(&mut reader, &node)?;
    }
    for index in subgraph.outputs().iter().flatten() {
        let name = reader.name(index);
        reader.graph.output.push(writer::value(&name, DataType::Float, None));
    }
    Ok(reader.graph)
}

/// An operator of the file.
struct Operator<'m> {
    code: BuiltinOperator,
    custom: &'m str,
    /// Numbers of its tensors; -1 where one is left out.
    inputs: Vec<i32>,
    outputs: Vec<i32>,
    options: tflite::Operator<'m>,
}

/// The file and what became of it so far.
struct Reader<'m> {
    model: tflite::Model<'m>,
    subgraph: SubGraph<'m>,
    graph: pb::GraphProto,
    /// Constants that are in the graph already.
    constants: HashSet<String>,
}

impl<'m> Reader<'m> {
    fn tensor(&self, index: i32) -> Result<tflite::Tensor<'m>, CompileError> {
        let tensors = self.subgraph.tensors();
        let place = usize::try_from(index).ok();
        let found = tensors.zip(place).filter(|(tensors, place)| *place < tensors.len());
        found.map(|(tensors, place)| tensors.get(place)).ok_or_else(|| {
            CompileError::Onnx(format!("it is a TFLite file that uses a tensor {index} that it has not"))
        })
    }

    /// The dimensions of a tensor, the batch as one.
    fn dims(&self, index: i32) -> Result<Vec<i64>, CompileError> {
        Ok(self.tensor(index)?.shape().iter().flatten().map(i64::from).collect())
    }

    /// The ONNX name of a tensor.
    fn name(&self, index: i32) -> String {
        format!("tensor{index}")
    }

    /// What the file calls it.
    fn title(&self, index: i32) -> String {
        let name = self.tensor(index).ok().and_then(|tensor| tensor.name()).filter(|name| !name.is_empty());
        name.map_or_else(|| self.name(index), str::to_string)
    }

    /// Scale and zero point of a tensor of bytes that is quantized as a whole.
    fn quantization(&self, index: i32) -> Result<Option<(f32, i64, DataType)>, CompileError> {
        let tensor = self.tensor(index)?;
        let kind = match tensor.type_() {
            TensorType::INT8 => DataType::Int8,
            TensorType::UINT8 => DataType::Uint8,
            TensorType::INT16 => DataType::Int16,
            _ => return Ok(None),
        };
        let Some(quantization) = tensor.quantization() else { return Ok(None) };
        let scale = quantization.scale().filter(|scales| scales.len() == 1).map(|scales| scales.get(0));
        let zero = quantization.zero_point().filter(|zeros| !zeros.is_empty()).map_or(0, |zeros| zeros.get(0));
        Ok(scale.map(|scale| (scale, zero, kind)))
    }

    /// A tensor that enters: an input of the graph, its integers as real values.
    fn enter(&mut self, index: i32) -> Result<(), CompileError> {
        let dims = self.dims(index)?;
        let name = self.name(index);
        let value = |name: &str, kind| writer::value(name, kind, Some(dims.get(1..).unwrap_or(&[])));
        match self.quantization(index)? {
            None => {
                let kind = match self.tensor(index)?.type_() {
                    TensorType::INT8 => DataType::Int8,
                    TensorType::UINT8 => DataType::Uint8,
                    _ => DataType::Float,
                };
                self.graph.input.push(value(&name, kind));
            }
            Some((scale, zero, kind)) => {
                let bytes = format!("{name}/bytes");
                self.graph.input.push(value(&bytes, kind));
                let [scale, zero] = self.numbers(&name, scale, zero, kind);
                self.graph.node.push(writer::node("DequantizeLinear", &name, &[&bytes, &scale, &zero]));
            }
        }
        Ok(())
    }

    /// Constants of a scale and a zero point.
    fn numbers(&mut self, name: &str, scale: f32, zero: i64, kind: DataType) -> [String; 2] {
        let [scale_name, zero_name] = ["scale", "zero_point"].map(|what| format!("{name}/{what}"));
        self.add(&scale_name, Tensor::of_floats(vec![], vec![scale]));
        self.add(&zero_name, Tensor::of_ints_as(vec![], vec![zero], kind));
        [scale_name, zero_name]
    }

    /// Adds a constant once.
    fn add(&mut self, name: &str, tensor: Tensor) {
        if self.constants.insert(name.into()) {
            self.graph.initializer.push(tensor.proto(name));
        }
    }

    /// Adds a node whose name is that of the tensor `of` in the file.
    fn node(&mut self, of: i32, op: &str, output: &str, inputs: &[&str], attribute: Vec<pb::AttributeProto>) {
        let name = self.title(of);
        self.graph.node.push(pb::NodeProto { name, attribute, ..writer::node(op, output, inputs) });
    }

    /// Ends what makes the tensor: `values` is what it holds in floats, to be quantized if the file says so.
    fn define(&mut self, index: i32, values: &str) -> Result<(), CompileError> {
        let name = self.name(index);
        match self.quantization(index)? {
            None => self.node(index, "Identity", &name, &[values], vec![]),
            Some((scale, zero, kind)) => {
                let [scale, zero] = self.numbers(&name, scale, zero, kind);
                let bytes = format!("{name}/bytes");
                self.node(index, "QuantizeLinear", &bytes, &[values, &scale, &zero], vec![]);
                self.node(index, "DequantizeLinear", &name, &[&bytes, &scale, &zero], vec![]);
            }
        }
        Ok(())
    }
}
