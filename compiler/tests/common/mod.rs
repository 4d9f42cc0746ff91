//! Small ONNX graphs and image sets for the tests.
#![allow(dead_code, reason = "every test file uses its own part")]

pub mod import;

use dataset::Dataset;
use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;

/// A graph in which every node takes the result of the one before, unless it is told otherwise.
///
/// A node leaves a tensor that is named as it with `_out` behind; what enters is `input`.
#[derive(Clone)]
pub struct Graph {
    input: Vec<i64>,
    kind: DataType,
    nodes: Vec<pb::NodeProto>,
    initializers: Vec<pb::TensorProto>,
    current: String,
    random: Random,
}

impl Graph {
    /// `input`: channels, height, width.
    pub fn new(input: [i64; 3]) -> Self {
        Self::of(&input)
    }

    /// `input`: the dimensions behind the batch.
    pub fn of(input: &[i64]) -> Self {
        let current = "input".into();
        Self {
            input: input.to_vec(),
            kind: DataType::Float,
            nodes: vec![],
            initializers: vec![],
            current,
            random: Random(1),
        }
    }

    /// The next node takes the tensor `name`.
    pub fn at(self, name: &str) -> Self {
        Self { current: name.into(), ..self }
    }

    /// A node named `name` that takes these tensors.
    pub fn join(self, op: &str, name: &str, tensors: &[&str], attribute: Vec<pb::AttributeProto>) -> Self {
        let (first, others) = tensors.split_first().unwrap();
        self.at(first).node(op, name, others, attribute)
    }

    /// A node named `name`; its other inputs are the initializers `constants`.
    pub fn node(mut self, op: &str, name: &str, constants: &[&str], attribute: Vec<pb::AttributeProto>) -> Self {
        let output = format!("{name}_out");
        self.nodes.push(pb::NodeProto {
            input: std::iter::once(self.current).chain(constants.iter().map(|name| name.to_string())).collect(),
            output: vec![output.clone()],
            name: name.into(),
            op_type: op.into(),
            attribute,
            ..Default::default()
        });
        self.current = output;
        self
    }

    pub fn floats(mut self, name: &str, dims: &[usize], values: &[f32]) -> Self {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializers.push(tensor(name, DataType::Float, dims, raw));
        self
    }

    pub fn integers(mut self, name: &str, values: &[i64]) -> Self {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializers.push(tensor(name, DataType::Int64, &[values.len()], raw));
        self
    }

    /// An initializer of values between `low` and `high`.
    pub fn random(mut self, name: &str, dims: &[usize], low: f32, high: f32) -> Self {
        let count = dims.iter().product();
        let values: Vec<f32> = (0..count).map(|_| low + (high - low) * self.random.unit()).collect();
        self.floats(name, dims, &values)
    }

    /// A convolution with random weights `dims` and a random bias.
    pub fn conv(self, name: &str, dims: [usize; 4], attributes: Vec<pb::AttributeProto>) -> Self {
        let (weights, bias) = (format!("{name}_w"), format!("{name}_b"));
        let reach = (3.0 / (dims[1] * dims[2] * dims[3]) as f32).sqrt();
        self.random(&weights, &dims, -reach, reach).random(&bias, &dims[..1], -0.2, 0.2).node(
            "Conv",
            name,
            &[&weights, &bias],
            attributes,
        )
    }

    pub fn batch_norm(self, name: &str, channels: usize) -> Self {
        let names = ["scale", "shift", "mean", "variance"].map(|what| format!("{name}_{what}"));
        self.random(&names[0], &[channels], 0.5, 1.5)
            .random(&names[1], &[channels], -0.3, 0.3)
            .random(&names[2], &[channels], -0.3, 0.3)
            .random(&names[3], &[channels], 0.1, 1.0)
            .node("BatchNormalization", name, &names.each_ref().map(String::as_str), vec![float("epsilon", 1e-3)])
    }

    /// A convolution with random weights `dims` and a random bias, for a series.
    pub fn conv1d(self, name: &str, dims: [usize; 3], attributes: Vec<pb::AttributeProto>) -> Self {
        let (weights, bias) = (format!("{name}_w"), format!("{name}_b"));
        let reach = (3.0 / (dims[1] * dims[2]) as f32).sqrt();
        self.random(&weights, &dims, -reach, reach).random(&bias, &dims[..1], -0.2, 0.2).node(
            "Conv",
            name,
            &[&weights, &bias],
            attributes,
        )
    }

    /// A dense layer with random weights.
    pub fn dense(self, name: &str, outputs: usize, inputs: usize) -> Self {
        let (weights, bias) = (format!("{name}_w"), format!("{name}_b"));
        let reach = (3.0 / inputs as f32).sqrt() * 2.0;
        self.random(&weights, &[outputs, inputs], -reach, reach).random(&bias, &[outputs], -0.2, 0.2).node(
            "Gemm",
            name,
            &[&weights, &bias],
            vec![int("transB", 1)],
        )
    }

    /// Flatten and a dense layer of 10 classes over `inputs` values.
    pub fn classes(self, inputs: usize) -> Self {
        self.node("Flatten", "flatten", &[], vec![]).dense("classes", 10, inputs)
    }

    /// A constant of integers of this type.
    pub fn bytes_of(mut self, name: &str, kind: DataType, dims: &[usize], values: &[i64]) -> Self {
        self.initializers.push(tensor(name, kind, dims, values.iter().map(|&value| value as u8).collect()));
        self
    }

    /// A bias of integers.
    pub fn bias_of(mut self, name: &str, values: &[i32]) -> Self {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializers.push(tensor(name, DataType::Int32, &[values.len()], raw));
        self
    }

    /// The input is of this type.
    pub fn entering(self, kind: DataType) -> Self {
        Self { kind, ..self }
    }

    pub fn bytes(self) -> Vec<u8> {
        self.bytes_of_opset(13)
    }

    pub fn bytes_of_opset(self, version: i64) -> Vec<u8> {
        let graph = pb::GraphProto {
            name: "test".into(),
            input: vec![typed("input", &self.input, self.kind)],
            output: vec![value(&self.current, &[])],
            node: self.nodes,
            initializer: self.initializers,
            ..Default::default()
        };
        let opset = pb::OperatorSetIdProto { domain: String::new(), version };
        pb::ModelProto { ir_version: 7, opset_import: vec![opset], graph: Some(graph), ..Default::default() }
            .encode_to_vec()
    }
}

/// A network like those that are trained: conv, batch norm, ReLU, pool, twice, then dense.
pub fn small_network() -> Graph {
    Graph::new([1, 12, 12])
        .conv("conv1", [6, 1, 3, 3], vec![ints("pads", &[1, 1, 1, 1])])
        .batch_norm("norm1", 6)
        .node("Relu", "relu1", &[], vec![])
        .node("MaxPool", "pool1", &[], vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])])
        .conv("conv2", [8, 6, 3, 3], vec![])
        .batch_norm("norm2", 8)
        .node("Sigmoid", "sigmoid2", &[], vec![])
        .classes(8 * 4 * 4)
}

fn tensor(name: &str, kind: DataType, dims: &[usize], raw_data: Vec<u8>) -> pb::TensorProto {
    let dims = dims.iter().map(|&size| size as i64).collect();
    pb::TensorProto { name: name.into(), data_type: kind as i32, dims, raw_data, ..Default::default() }
}

pub fn int(name: &str, value: i64) -> pb::AttributeProto {
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i: value, ..Default::default() }
}

pub fn ints(name: &str, values: &[i64]) -> pb::AttributeProto {
    let kind = AttributeType::Ints as i32;
    pb::AttributeProto { name: name.into(), r#type: kind, ints: values.to_vec(), ..Default::default() }
}

pub fn float(name: &str, value: f32) -> pb::AttributeProto {
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Float as i32, f: value, ..Default::default() }
}

pub fn text(name: &str, value: &str) -> pb::AttributeProto {
    let kind = AttributeType::String as i32;
    pb::AttributeProto { name: name.into(), r#type: kind, s: value.into(), ..Default::default() }
}

fn value(name: &str, dims: &[i64]) -> pb::ValueInfoProto {
    typed(name, dims, DataType::Float)
}

fn typed(name: &str, dims: &[i64], kind: DataType) -> pb::ValueInfoProto {
    let elem_type = kind as i32;
    use pb::tensor_shape_proto::{Dimension, dimension::Value};
    let batch = Dimension { denotation: String::new(), value: Some(Value::DimParam("N".into())) };
    let fixed = dims.iter().map(|&size| Dimension { denotation: String::new(), value: Some(Value::DimValue(size)) });
    let shape = pb::TensorShapeProto { dim: std::iter::once(batch).chain(fixed).collect() };
    let tensor = pb::type_proto::Tensor { elem_type, shape: (!dims.is_empty()).then_some(shape) };
    let kind = pb::TypeProto { denotation: String::new(), value: Some(pb::type_proto::Value::TensorType(tensor)) };
    pb::ValueInfoProto { name: name.into(), r#type: Some(kind), doc_string: String::new() }
}

/// A linear congruential generator (Knuth's MMIX constants).
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as u32
    }

    /// 0.0 to 1.0.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 7) as f32 / (1 << 24) as f32
    }
}

/// Blurred blobs on black, with labels 0 to 9.
pub fn images(count: usize, height: usize, width: usize, seed: u64) -> Dataset {
    let (images, labels) = idx(count, height, width, seed);
    Dataset::from_bytes(&images, &labels).unwrap()
}

/// The same as the bytes of an image file and a label file.
pub fn idx(count: usize, height: usize, width: usize, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut random = Random(seed);
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let mut images = words(&[0x803, count as u32, height as u32, width as u32]);
    let mut labels = words(&[0x801, count as u32]);
    for _ in 0..count {
        let (y, x) = (random.unit() * height as f32, random.unit() * width as f32);
        for pixel in 0..height * width {
            let (dy, dx) = ((pixel / width) as f32 - y, (pixel % width) as f32 - x);
            images.push((255.0 * (-(dy * dy + dx * dx) / 9.0).exp() * (0.7 + 0.3 * random.unit())) as u8);
        }
        labels.push((random.next() % 10) as u8);
    }
    (images, labels)
}
