//! Writes the quantized network as ONNX: the same integers, dequantized, computed with in floats
//! and quantized again, so that any runtime can check them.

use inference_core::format::{Op, Pool};
use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;

use crate::CompileError;
use crate::graph::{self, Activation};
use crate::onnx::writer::{self, int, ints};
use crate::quantize::{Quantization, QuantizedLayer, QuantizedNetwork};

const QUANTIZE: &str = "QuantizeLinear";
/// What [`Writer::requantize`] calls the quantized image.
const INPUT_QUANTIZED: &str = "input_quantized";

/// The bytes of an ONNX file with the input `input` (floats of 0.0 to 1.0, `[N, channels, height,
/// width]`) and the output `logits` (`[N, classes]`); `properties` go into its metadata.
pub fn write(network: &QuantizedNetwork, name: &str, properties: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = Writer::default();
    let mut current = writer.requantize("input", "input", Quantization::PIXELS);
    let mut is_flat = false;
    for (index, layer) in network.layers.iter().enumerate() {
        let prefix = format!("layer{index}");
        if layer.op == Op::Dense && !is_flat {
            current = writer.onnx.node("Flatten", &format!("{prefix}_flat"), &[&current], vec![int("axis", 1)]);
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
    let classes = network.layers.last().map_or(0, QuantizedLayer::channels);
    writer.onnx.finish(name, network.input, classes, properties)
}

/// The same file with what every requantized layer gives, in bytes, as further outputs before the logits.
pub fn expose_layers(onnx: &[u8]) -> Result<Vec<u8>, CompileError> {
    let unreadable = |what: &str| CompileError::Onnx(what.into());
    let mut model = pb::ModelProto::decode(onnx).map_err(|error| unreadable(&error.to_string()))?;
    let graph = model.graph.as_mut().ok_or_else(|| unreadable("it has no graph"))?;
    let quantized = graph.node.iter().filter(|node| node.op_type == QUANTIZE && node.output != [INPUT_QUANTIZED]);
    let outputs = quantized.flat_map(|node| &node.output).map(|name| writer::value(name, DataType::Uint8, None));
    graph.output = outputs.chain(std::mem::take(&mut graph.output)).collect();
    Ok(model.encode_to_vec())
}

/// Layers as nodes.
#[derive(Default)]
struct Writer {
    onnx: writer::Writer,
}

impl Writer {
    /// QuantizeLinear and DequantizeLinear of an activation; returns the latter's result.
    fn requantize(&mut self, prefix: &str, tensor: &str, quantization: Quantization) -> String {
        let [scale, zero_point] = ["scale", "zero_point"].map(|what| format!("{prefix}_{what}"));
        self.onnx.floats(&scale, &[], &[quantization.scale]);
        self.onnx.initializer(&zero_point, DataType::Uint8, &[], vec![quantization.zero_point]);
        let quantized = format!("{prefix}_quantized");
        self.onnx.node(QUANTIZE, &quantized, &[tensor, &scale, &zero_point], vec![]);
        self.onnx.node("DequantizeLinear", &format!("{prefix}_real"), &[&quantized, &scale, &zero_point], vec![])
    }

    /// Convolution, dense or average: everything of a layer before its activation.
    fn sums(&mut self, layer: &QuantizedLayer, prefix: &str, input: &str, output: &str) -> String {
        if layer.op == Op::GlobalAveragePool {
            return self.onnx.node("GlobalAveragePool", output, &[input], vec![]);
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
        self.onnx.node(op, output, &[input, &weights, &bias], attributes)
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
        self.onnx.initializer(&quantized, DataType::Int8, &dims, raw);
        self.dequantize(layer, &format!("{prefix}_weights"), &layer.weight_scales, DataType::Int8)
    }

    fn bias(&mut self, layer: &QuantizedLayer, prefix: &str) -> String {
        let quantized = format!("{prefix}_bias_quantized");
        let raw = layer.bias.iter().flat_map(|bias| bias.to_le_bytes()).collect();
        self.onnx.initializer(&quantized, DataType::Int32, &[layer.channels()], raw);
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
        self.onnx.floats(&scale, dims, scales);
        self.onnx.initializer(&zero_point, kind, dims, vec![0; scales.len() * zero_len]);
        let axis = if is_common { vec![] } else { vec![int("axis", 0)] };
        self.onnx.node("DequantizeLinear", name, &[&format!("{name}_quantized"), &scale, &zero_point], axis)
    }

    fn activation(&mut self, layer: &QuantizedLayer, prefix: &str, mut current: String) -> String {
        let op = match layer.activation {
            Activation::Linear => None,
            Activation::Relu => Some("Relu"),
            Activation::Sigmoid => Some("Sigmoid"),
        };
        if let Some(op) = op {
            current = self.onnx.node(op, &format!("{prefix}_activated"), &[&current], vec![]);
        }
        if layer.pool != Pool::NONE {
            let Pool { size, stride, pad_bottom, pad_right } = layer.pool;
            let attributes = vec![
                ints("kernel_shape", &[size, size]),
                ints("strides", &[stride, stride]),
                ints("pads", &[0, 0, pad_bottom, pad_right]),
            ];
            current = self.onnx.node("MaxPool", &format!("{prefix}_pooled"), &[&current], attributes);
        }
        current
    }
}
