//! Builds ONNX files: nodes and the constants that they take.

use prost::Message;
use thumbnet::format::Shape;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;

const OPSET: i64 = 13;
const IR_VERSION: i64 = 7;

/// The nodes and initializers so far. Every node is named as its output.
#[derive(Default)]
pub struct Writer {
    nodes: Vec<pb::NodeProto>,
    initializers: Vec<pb::TensorProto>,
}

/// A node without attributes, named as its output.
pub fn node(op: &str, output: &str, inputs: &[&str]) -> pb::NodeProto {
    pb::NodeProto {
        input: inputs.iter().map(|name| name.to_string()).collect(),
        output: vec![output.into()],
        name: output.into(),
        op_type: op.into(),
        ..Default::default()
    }
}

impl Writer {
    /// Adds a node and returns its output's name.
    pub fn node(&mut self, op: &str, output: &str, inputs: &[&str], attribute: Vec<pb::AttributeProto>) -> String {
        self.nodes.push(pb::NodeProto { attribute, ..node(op, output, inputs) });
        output.into()
    }

    /// Adds a constant; `raw_data` is little endian.
    pub fn initializer(&mut self, name: &str, kind: DataType, dims: &[usize], raw_data: Vec<u8>) {
        self.initializers.push(pb::TensorProto {
            name: name.into(),
            data_type: kind as i32,
            dims: dims.iter().map(|&size| size as i64).collect(),
            raw_data,
            ..Default::default()
        });
    }

    /// Adds a constant of floats.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        self.initializer(name, DataType::Float, dims, values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }

    /// The bytes of a file with the input `input` (floats, `[N, channels, height, width]`) and the output `logits`
    /// (`[N, outputs...]`); `properties` go into its metadata, their keys behind
    /// `thumbnet.`.
    pub fn finish(self, name: &str, input: Shape, outputs: &[i64], properties: &[(&str, &str)]) -> Vec<u8> {
        let Shape { height, width, channels } = input;
        let graph = pb::GraphProto {
            name: name.into(),
            node: self.nodes,
            initializer: self.initializers,
            input: vec![value("input", DataType::Float, Some(&[channels, height, width].map(i64::from)))],
            output: vec![value("logits", DataType::Float, Some(outputs))],
            ..Default::default()
        };
        let entry = |&(key, value): &(&str, &str)| pb::StringStringEntryProto {
            key: format!("thumbnet.{key}"),
            value: value.into(),
        };
        let model = pb::ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: OPSET }],
            producer_name: "thumbnet".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(graph),
            metadata_props: properties.iter().map(entry).collect(),
            ..Default::default()
        };
        model.encode_to_vec()
    }
}

/// An attribute of one integer.
pub fn int(name: &str, value: i64) -> pb::AttributeProto {
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i: value, ..Default::default() }
}

/// An attribute of one float.
pub fn float(name: &str, value: f32) -> pb::AttributeProto {
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Float as i32, f: value, ..Default::default() }
}

/// An attribute of several integers.
pub fn ints(name: &str, values: &[u8]) -> pb::AttributeProto {
    let ints = values.iter().map(|&value| i64::from(value)).collect();
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Ints as i32, ints, ..Default::default() }
}

/// The name and type of an input or output: `[N, dims...]`, or of any shape.
pub fn value(name: &str, kind: DataType, dims: Option<&[i64]>) -> pb::ValueInfoProto {
    use pb::tensor_shape_proto::{Dimension, dimension::Value};
    let dimension = |value| Dimension { denotation: String::new(), value: Some(value) };
    let batch = dimension(Value::DimParam("N".into()));
    let shape = dims.map(|dims| pb::TensorShapeProto {
        dim: std::iter::once(batch).chain(dims.iter().map(|&size| dimension(Value::DimValue(size)))).collect(),
    });
    let tensor = pb::type_proto::Tensor { elem_type: kind as i32, shape };
    let kind = pb::TypeProto { denotation: String::new(), value: Some(pb::type_proto::Value::TensorType(tensor)) };
    pb::ValueInfoProto { name: name.into(), r#type: Some(kind), doc_string: String::new() }
}
