//! Writes the quantized network as ONNX: the same integers, dequantized, computed with in floats
//! and quantized again, so that any runtime can check them.

mod activation;
mod attributes;

use prost::Message;
use thumbnet::format::{Activation, BYTE_TABLE_LEN, Op, Pool, Shape, TABLE_LEN, TABLE_ZERO};
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;

use crate::CompileError;
use crate::function::Function;
use crate::graph;
use crate::onnx::writer::{self, int, ints};
use crate::ops;
use crate::quantization::Quantization;
use crate::quantize::{QuantizedLayer, QuantizedNetwork};

pub use attributes::{pooled, windowed};

const QUANTIZE: &str = "QuantizeLinear";
const DEQUANTIZE: &str = "DequantizeLinear";
/// What [`Writer::requantize`] calls the quantized image.
const INPUT_QUANTIZED: &str = "input_quantized";

/// The bytes of an ONNX file with the input `input` (the floats that the network was trained on, `[N, channels, height,
/// width]`) and the output `logits` (`[N, classes]`, or a map's shape where the result is bytes); `properties` go into its
/// metadata.
pub fn write(network: &QuantizedNetwork, name: &str, properties: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = Writer::default();
    let pixels = writer.pixels("input", network);
    let input = writer.requantize("input", &pixels, network.input_quantization, "input_real");
    let mut values = vec![Value { name: input, shape: network.input, is_flat: false }];
    for (index, layer) in network.layers.iter().enumerate() {
        let prefix = format!("layer{index}");
        let is_last = index + 1 == network.layers.len();
        let value = writer.layer(layer, &prefix, &values, is_last);
        values.push(value);
    }
    let (shape, is_flat) = values.last().map_or((network.input, false), |value| (value.shape, value.is_flat));
    let dims = if is_flat { vec![shape.channels] } else { vec![shape.channels, shape.height, shape.width] };
    let dims: Vec<i64> = dims.into_iter().map(i64::from).collect();
    let Shape { height, width, channels } = network.input;
    let [height, width] = if network.entry.is_transposed { [width, height] } else { [height, width] };
    writer.onnx.finish(name, Shape { height, width, channels }, &dims, properties)
}

/// The same file with what every layer makes in bytes as further outputs before the logits; of a result in bytes, these are
/// the last.
pub fn expose_layers(onnx: &[u8]) -> Result<Vec<u8>, CompileError> {
    let unreadable = |what: &str| CompileError::Onnx(what.into());
    let mut model = pb::ModelProto::decode(onnx).map_err(|error| unreadable(&error.to_string()))?;
    let graph = model.graph.as_mut().ok_or_else(|| unreadable("it has no graph"))?;
    let is_layer = |node: &&pb::NodeProto| node.op_type == QUANTIZE && node.output != [INPUT_QUANTIZED];
    let quantized = graph.node.iter().filter(is_layer).flat_map(|node| &node.output);
    let mut outputs: Vec<_> = quantized.map(|name| writer::value(name, DataType::Uint8, None)).collect();
    let results = std::mem::take(&mut graph.output);
    let last = graph.node.last().filter(|node| node.op_type == DEQUANTIZE);
    outputs.extend(results.into_iter().filter(|result| last.is_none_or(|node| !node.output.contains(&result.name))));
    graph.output = outputs;
    Ok(model.encode_to_vec())
}

/// The ends of a layer's table where the function goes on beyond.
fn table_ends(layer: &QuantizedLayer) -> Option<[f32; 2]> {
    match layer.activation {
        graph::Activation::Function(Function::Sigmoid | Function::Tanh) => None,
        _ => table_reach(layer),
    }
}

/// The sums of the first and the last entry of a layer's table: all beyond are taken as these. None where there is no table.
pub fn table_reach(layer: &QuantizedLayer) -> Option<[f32; 2]> {
    let (zero, len) = match layer.record.activation {
        Activation::Table => (TABLE_ZERO, TABLE_LEN),
        Activation::ByteTable => (layer.record.table_zero.into(), BYTE_TABLE_LEN),
        Activation::Clamp | Activation::Logits => return None,
    };
    // The real value of a step from one entry to the next; the smallest multipliers are not exact.
    let scales = layer.multipliers.iter().zip(&layer.shifts).zip(&layer.steps);
    let ((&multiplier, &shift), step) = scales.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let step = step / f64::from(multiplier) * 2f64.powi(shift.into());
    Some([-zero, len as i32 - 1 - zero].map(|entry| (f64::from(entry) * step) as f32))
}

/// A map as a tensor.
struct Value {
    name: String,
    shape: Shape,
    /// `[N, values]`; `[N, channels, height, width]` otherwise.
    is_flat: bool,
}

/// Layers as nodes.
#[derive(Default)]
pub struct Writer {
    /// The nodes so far.
    pub onnx: writer::Writer,
}

impl Writer {
    /// What the network was trained on as pixels of 0.0 to 1.0, which its layers take.
    fn pixels(&mut self, tensor: &str, network: &QuantizedNetwork) -> String {
        let (entry, mut name) = (&network.entry, tensor.to_string());
        if entry.is_transposed {
            name = self.onnx.node("Transpose", "input_turned", &[&name], vec![ints("perm", &[0, 1, 3, 2])]);
        }
        // What a byte stands for is taken back; of a quantized file, the bytes stand for what they always do.
        let own = network.input_quantization;
        let (step, zero) = (f64::from(own.scale), f64::from(own.zero_point));
        let channels = entry.scale.len().max(entry.offset.len());
        let reals = || (0..channels).map(|channel| entry.of_channel(channel));
        let dims = if channels == 1 { vec![] } else { vec![1, channels, 1, 1] };
        let offsets: Vec<f32> = reals().map(|[scale, offset]| (offset + scale * zero) as f32).collect();
        if offsets.iter().any(|&offset| offset != 0.0) {
            self.onnx.floats("input_offset", &dims, &offsets);
            name = self.onnx.node("Sub", "input_centered", &[&name, "input_offset"], vec![]);
        }
        let factors: Vec<f32> = reals().map(|[scale, _]| (step / scale) as f32).collect();
        if factors.iter().any(|&factor| (factor - 1.0).abs() > f32::EPSILON) {
            self.onnx.floats("input_factor", &dims, &factors);
            name = self.onnx.node("Mul", "input_pixels", &[&name, "input_factor"], vec![]);
        }
        name
    }

    fn layer(&mut self, layer: &QuantizedLayer, prefix: &str, values: &[Value], is_last: bool) -> Value {
        let record = &layer.record;
        let is_logits = record.activation == Activation::Logits;
        // What is flat stays so as long as nothing looks for height and width.
        let maps: Vec<&Value> = record.input_maps().map(|map| &values[map]).collect();
        let is_flat = match record.op {
            Op::Dense => true,
            Op::Add | Op::Concat => maps.iter().all(|map| map.is_flat),
            Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::GlobalAveragePool | Op::MaxPool | Op::AveragePool => {
                false
            }
        };
        let names: Vec<String> =
            (0..).zip(maps).map(|(index, map)| self.as_rank(map, is_flat, prefix, index)).collect();
        let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
        let sums = if is_logits { "logits".to_string() } else { format!("{prefix}_sums") };
        let mut name = ops::of(record.op).write(layer, &inputs, &sums, self);
        if !is_logits {
            if let Some([low, high]) = table_ends(layer) {
                name = activation::clip(&mut self.onnx, [low, high], &format!("{prefix}_limited"), name);
            }
            name = activation::write(&mut self.onnx, layer.activation, prefix, name);
            name = self.pool(record.pool, prefix, name);
            let result = if is_last { "logits".to_string() } else { format!("{prefix}_real") };
            name = self.requantize(prefix, &name, layer.output_quantization, &result);
        }
        Value { name, shape: record.output, is_flat }
    }

    /// A map as a flat tensor or not.
    fn as_rank(&mut self, map: &Value, is_flat: bool, prefix: &str, index: usize) -> String {
        let Value { name, shape, .. } = map;
        match (map.is_flat, is_flat) {
            (true, true) | (false, false) => name.clone(),
            (false, true) => self.onnx.node("Flatten", &format!("{prefix}_flat{index}"), &[name], vec![int("axis", 1)]),
            (true, false) => {
                let sizes = format!("{prefix}_shape{index}");
                let dims = [0, i64::from(shape.channels), i64::from(shape.height), i64::from(shape.width)];
                let bytes = dims.iter().flat_map(|size| size.to_le_bytes()).collect();
                self.onnx.initializer(&sizes, DataType::Int64, &[dims.len()], bytes);
                self.onnx.node("Reshape", &format!("{prefix}_map{index}"), &[name, &sizes], vec![])
            }
        }
    }

    /// QuantizeLinear and DequantizeLinear of an activation; returns the latter's result, `result`.
    fn requantize(&mut self, prefix: &str, tensor: &str, quantization: Quantization, result: &str) -> String {
        let [scale, zero_point] = ["scale", "zero_point"].map(|what| format!("{prefix}_{what}"));
        self.onnx.floats(&scale, &[], &[quantization.scale]);
        self.onnx.initializer(&zero_point, DataType::Uint8, &[], vec![quantization.zero_point]);
        let quantized = format!("{prefix}_quantized");
        self.onnx.node(QUANTIZE, &quantized, &[tensor, &scale, &zero_point], vec![]);
        self.onnx.node(DEQUANTIZE, result, &[&quantized, &scale, &zero_point], vec![])
    }

    /// The weights and the biases of filters `[taps][channels]`, dequantized; `dims`: ONNX's, the output channel first.
    pub fn parameters(
        &mut self,
        layer: &QuantizedLayer,
        dims: &[usize],
        [channels, taps]: [usize; 2],
        prefix: &str,
    ) -> (String, String) {
        // Channel fastest here, channel slowest in ONNX.
        let raw = layer.filters().flat_map(|filter| {
            (0..channels).flat_map(move |channel| (0..taps).map(move |tap| filter[tap * channels + channel] as u8))
        });
        let raw = raw.collect();
        let weights = self.dequantize(&format!("{prefix}_weights"), DataType::Int8, dims, raw, &layer.weight_scales);
        let raw = layer.bias.iter().flat_map(|bias| bias.to_le_bytes()).collect();
        let steps: Vec<f32> = layer.steps.iter().map(|&step| step as f32).collect();
        let bias = self.dequantize(&format!("{prefix}_bias"), DataType::Int32, &[layer.channels()], raw, &steps);
        (weights, bias)
    }

    /// DequantizeLinear of a constant with a scale an output channel.
    fn dequantize(&mut self, name: &str, kind: DataType, dims: &[usize], raw: Vec<u8>, scales: &[f32]) -> String {
        let [quantized, scale, zero_point] = ["quantized", "scale", "zero_point"].map(|what| format!("{name}_{what}"));
        let zero_len = if kind == DataType::Int32 { size_of::<i32>() } else { size_of::<i8>() };
        self.onnx.initializer(&quantized, kind, dims, raw);
        self.onnx.floats(&scale, &[scales.len()], scales);
        self.onnx.initializer(&zero_point, kind, &[scales.len()], vec![0; scales.len() * zero_len]);
        self.onnx.node(DEQUANTIZE, name, &[&quantized, &scale, &zero_point], vec![int("axis", 0)])
    }

    fn pool(&mut self, pool: Pool, prefix: &str, name: String) -> String {
        if pool == Pool::NONE {
            return name;
        }
        let Pool { size, stride, pad_bottom, pad_right } = pool;
        let attributes = vec![
            ints("kernel_shape", &[size, size]),
            ints("strides", &[stride, stride]),
            ints("pads", &[0, 0, pad_bottom, pad_right]),
        ];
        self.onnx.node("MaxPool", &format!("{prefix}_pooled"), &[&name], attributes)
    }
}
