//! Writes the quantized network as ONNX: the same integers, dequantized, computed with in floats
//! and quantized again, so that any runtime can check them.

use inference_core::format::{Op, Pool, Shape};
use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;

use crate::graph::{self, Activation};
use crate::quantize::{Quantization, QuantizedLayer, QuantizedNetwork};

const OPSET: i64 = 13;
const IR_VERSION: i64 = 7;

/// The bytes of an ONNX file with the input `input` (floats of 0.0 to 1.0, `[N, channels, height,
/// width]`) and the output `logits` (`[N, classes]`); `properties` go into its metadata.
pub fn write(network: &QuantizedNetwork, name: &str, properties: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = Writer::default();
    let mut current = writer.requantize("input", "input", Quantization::PIXELS);
    let mut is_flat = false;
    for (index, layer) in network.layers.iter().enumerate() {
        let prefix = format!("layer{index}");
        if layer.op == Op::Dense && !is_flat {
            current = writer.node("Flatten", &format!("{prefix}_flat"), &[&current], vec![int("axis", 1)]);
            is_flat = true;
        }
        let is_last = index + 1 == network.layers.len();
        let result = if is_last { "logits".to_string() } else { format!("{prefix}_sums") };
        current = writer.sums(layer, &prefix, &current, &result);
        if !is_last {
            current = writer.activation(layer, &prefix, current);
            current = writer.requantize(&prefix, &current, layer.output_quantization);
        }
    }
    let Shape { height, width, channels } = network.input;
    let classes = network.layers.last().map_or(0, QuantizedLayer::channels) as i64;
    let graph = pb::GraphProto {
        name: name.into(),
        node: writer.nodes,
        initializer: writer.initializers,
        input: vec![value("input", &[i64::from(channels), i64::from(height), i64::from(width)])],
        output: vec![value("logits", &[classes])],
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

/// The nodes and initializers so far. Every node is named as its output.
#[derive(Default)]
struct Writer {
    nodes: Vec<pb::NodeProto>,
    initializers: Vec<pb::TensorProto>,
}

impl Writer {
    fn node(&mut self, op: &str, output: &str, inputs: &[&str], attribute: Vec<pb::AttributeProto>) -> String {
        self.nodes.push(pb::NodeProto {
            input: inputs.iter().map(|name| name.to_string()).collect(),
            output: vec![output.into()],
            name: output.into(),
            op_type: op.into(),
            attribute,
            ..Default::default()
        });
        output.into()
    }

    fn initializer(&mut self, name: &str, kind: DataType, dims: &[usize], raw_data: Vec<u8>) {
        self.initializers.push(pb::TensorProto {
            name: name.into(),
            data_type: kind as i32,
            dims: dims.iter().map(|&size| size as i64).collect(),
            raw_data,
            ..Default::default()
        });
    }

    /// QuantizeLinear and DequantizeLinear of an activation; returns the latter's result.
    fn requantize(&mut self, prefix: &str, tensor: &str, quantization: Quantization) -> String {
        let [scale, zero_point] = ["scale", "zero_point"].map(|what| format!("{prefix}_{what}"));
        self.initializer(&scale, DataType::Float, &[], quantization.scale.to_le_bytes().into());
        self.initializer(&zero_point, DataType::Uint8, &[], vec![quantization.zero_point]);
        let quantized = format!("{prefix}_quantized");
        self.node("QuantizeLinear", &quantized, &[tensor, &scale, &zero_point], vec![]);
        self.node("DequantizeLinear", &format!("{prefix}_real"), &[&quantized, &scale, &zero_point], vec![])
    }

    /// Convolution, dense or average: everything of a layer before its activation.
    fn sums(&mut self, layer: &QuantizedLayer, prefix: &str, input: &str, output: &str) -> String {
        if layer.op == Op::GlobalAveragePool {
            return self.node("GlobalAveragePool", output, &[input], vec![]);
        }
        let weights = self.weights(layer, prefix);
        let bias = self.bias(layer, prefix);
        let attributes = if layer.op == Op::Dense {
            vec![int("transB", 1)]
        } else {
            let window = &layer.window;
            let groups = if layer.op == Op::DepthwiseConv { layer.channels() as i64 } else { 1 };
            let list = |name, values: &[u8]| ints(name, values);
            vec![
                list("kernel_shape", &[window.kernel_height, window.kernel_width]),
                list("strides", &[window.stride_height, window.stride_width]),
                list("pads", &[window.pad_top, window.pad_left, window.pad_bottom, window.pad_right]),
                int("group", groups),
            ]
        };
        let op = if layer.op == Op::Dense { "Gemm" } else { "Conv" };
        self.node(op, output, &[input, &weights, &bias], attributes)
    }

    fn weights(&mut self, layer: &QuantizedLayer, prefix: &str) -> String {
        let (outputs, window) = (layer.channels(), &layer.window);
        let (height, width) = (usize::from(window.kernel_height), usize::from(window.kernel_width));
        let inputs = usize::from(layer.input.channels);
        // Channel fastest here, channel slowest in ONNX.
        let (dims, channels) = match layer.op {
            Op::DepthwiseConv => (vec![outputs, 1, height, width], 1),
            Op::Dense => (vec![outputs, graph::len(layer.input)], inputs),
            _ => (vec![outputs, inputs, height, width], inputs),
        };
        let taps = layer.weights.len() / outputs / channels;
        let filters = layer.filters();
        let raw = filters.flat_map(|filter| {
            (0..channels).flat_map(move |channel| (0..taps).map(move |tap| filter[tap * channels + channel] as u8))
        });
        let raw = raw.collect();
        let quantized = format!("{prefix}_weights_quantized");
        self.initializer(&quantized, DataType::Int8, &dims, raw);
        self.dequantize(layer, &format!("{prefix}_weights"), &layer.weight_scales, DataType::Int8)
    }

    fn bias(&mut self, layer: &QuantizedLayer, prefix: &str) -> String {
        let quantized = format!("{prefix}_bias_quantized");
        let raw = layer.bias.iter().flat_map(|bias| bias.to_le_bytes()).collect();
        self.initializer(&quantized, DataType::Int32, &[layer.channels()], raw);
        let input_scale = f64::from(layer.input_quantization.scale);
        let scales: Vec<f32> =
            layer.weight_scales.iter().map(|&scale| (input_scale * f64::from(scale)) as f32).collect();
        self.dequantize(layer, &format!("{prefix}_bias"), &scales, DataType::Int32)
    }

    /// DequantizeLinear of the initializer `{name}_quantized`: a scale a channel, one for all in the last layer.
    fn dequantize(&mut self, layer: &QuantizedLayer, name: &str, scales: &[f32], kind: DataType) -> String {
        let [scale, zero_point] = ["scale", "zero_point"].map(|what| format!("{name}_{what}"));
        let is_common = layer.multipliers.is_empty();
        let scales = if is_common { &scales[..1] } else { scales };
        let dims: &[usize] = if is_common { &[] } else { &[scales.len()] };
        let zero_len = if kind == DataType::Int32 { size_of::<i32>() } else { size_of::<i8>() };
        self.initializer(&scale, DataType::Float, dims, scales.iter().flat_map(|scale| scale.to_le_bytes()).collect());
        self.initializer(&zero_point, kind, dims, vec![0; scales.len() * zero_len]);
        let axis = if is_common { vec![] } else { vec![int("axis", 0)] };
        self.node("DequantizeLinear", name, &[&format!("{name}_quantized"), &scale, &zero_point], axis)
    }

    fn activation(&mut self, layer: &QuantizedLayer, prefix: &str, mut current: String) -> String {
        let op = match layer.activation {
            Activation::Linear => None,
            Activation::Relu => Some("Relu"),
            Activation::Sigmoid => Some("Sigmoid"),
        };
        if let Some(op) = op {
            current = self.node(op, &format!("{prefix}_activated"), &[&current], vec![]);
        }
        if layer.pool != Pool::NONE {
            let Pool { size, stride, pad_bottom, pad_right } = layer.pool;
            let attributes = vec![
                ints("kernel_shape", &[size, size]),
                ints("strides", &[stride, stride]),
                ints("pads", &[0, 0, pad_bottom, pad_right]),
            ];
            current = self.node("MaxPool", &format!("{prefix}_pooled"), &[&current], attributes);
        }
        current
    }
}

fn int(name: &str, value: i64) -> pb::AttributeProto {
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i: value, ..Default::default() }
}

fn ints(name: &str, values: &[u8]) -> pb::AttributeProto {
    let ints = values.iter().map(|&value| i64::from(value)).collect();
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Ints as i32, ints, ..Default::default() }
}

/// A float tensor `[N, dims...]`.
fn value(name: &str, dims: &[i64]) -> pb::ValueInfoProto {
    use pb::tensor_shape_proto::{Dimension, dimension::Value};
    let dimension = |value| Dimension { denotation: String::new(), value: Some(value) };
    let fixed = dims.iter().map(|&size| dimension(Value::DimValue(size)));
    let shape =
        pb::TensorShapeProto { dim: std::iter::once(dimension(Value::DimParam("N".into()))).chain(fixed).collect() };
    let tensor = pb::type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(shape) };
    let kind = pb::TypeProto { denotation: String::new(), value: Some(pb::type_proto::Value::TensorType(tensor)) };
    pb::ValueInfoProto { name: name.into(), r#type: Some(kind), doc_string: String::new() }
}
