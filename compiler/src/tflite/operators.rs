//! The operators of TFLite as those of ONNX.

use tract_onnx::pb::AttributeProto;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_tflite::tflite::{ActivationFunctionType, BuiltinOperator, Padding};

use super::{Operator, Reader};
use crate::CompileError;
use crate::onnx::Tensor;
use crate::onnx::writer::{float, int, ints};

/// Channels last as channels first, and back.
const TO_FIRST: [i64; 4] = [0, 3, 1, 2];
const TO_LAST: [i64; 4] = [0, 2, 3, 1];

/// Adds an operator to the graph.
pub fn read(reader: &mut Reader<'_>, node: &Operator<'_>) -> Result<(), CompileError> {
    let Some(&output) = node.outputs.first() else { return Ok(()) };
    let options = &node.options;
    let plain = |op: &'static str| (op, Vec::new());
    // Operators of one input that are the same in ONNX.
    let unary = match node.code {
        BuiltinOperator::LOGISTIC => Some(plain("Sigmoid")),
        BuiltinOperator::TANH => Some(plain("Tanh")),
        BuiltinOperator::RELU => Some(plain("Relu")),
        BuiltinOperator::ELU => Some(("Elu", vec![float("alpha", 1.0)])),
        BuiltinOperator::HARD_SWISH => Some(plain("HardSwish")),
        BuiltinOperator::ABS => Some(plain("Abs")),
        BuiltinOperator::NEG => Some(plain("Neg")),
        BuiltinOperator::SOFTMAX => Some(("Softmax", vec![int("axis", -1)])),
        BuiltinOperator::LOG_SOFTMAX => Some(("LogSoftmax", vec![int("axis", -1)])),
        BuiltinOperator::LEAKY_RELU => {
            let alpha = options.builtin_options_as_leaky_relu_options().map_or(0.0, |options| options.alpha());
            Some(("LeakyRelu", vec![float("alpha", alpha)]))
        }
        BuiltinOperator::GELU => {
            let is_tanh = options.builtin_options_as_gelu_options().is_some_and(|options| options.approximate());
            Some(("Gelu", vec![text("approximate", if is_tanh { "tanh" } else { "none" })]))
        }
        // Their integers are quantized anew where the tensors say so.
        BuiltinOperator::QUANTIZE | BuiltinOperator::DEQUANTIZE | BuiltinOperator::CAST => Some(plain("Identity")),
        _ => None,
    };
    if let Some((op, attributes)) = unary {
        let input = input(reader, node, 0)?;
        let values = made(reader, output);
        reader.node(output, op, &values, &[&input], attributes);
        return reader.define(output, &values);
    }
    match node.code {
        BuiltinOperator::CONV_2D => conv(reader, node, output),
        BuiltinOperator::DEPTHWISE_CONV_2D => depthwise(reader, node, output),
        BuiltinOperator::FULLY_CONNECTED => dense(reader, node, output),
        BuiltinOperator::AVERAGE_POOL_2D => pool(reader, node, output, "AveragePool"),
        BuiltinOperator::MAX_POOL_2D => pool(reader, node, output, "MaxPool"),
        BuiltinOperator::MEAN => mean(reader, node, output),
        BuiltinOperator::ADD => {
            let activation =
                options.builtin_options_as_add_options().map(|options| options.fused_activation_function());
            binary(reader, node, output, "Add", activation)
        }
        BuiltinOperator::SUB => {
            let activation =
                options.builtin_options_as_sub_options().map(|options| options.fused_activation_function());
            binary(reader, node, output, "Sub", activation)
        }
        BuiltinOperator::MUL => {
            let activation =
                options.builtin_options_as_mul_options().map(|options| options.fused_activation_function());
            binary(reader, node, output, "Mul", activation)
        }
        BuiltinOperator::DIV => binary(reader, node, output, "Div", None),
        BuiltinOperator::MAXIMUM => binary(reader, node, output, "Max", None),
        BuiltinOperator::MINIMUM => binary(reader, node, output, "Min", None),
        BuiltinOperator::PRELU => binary(reader, node, output, "PRelu", None),
        BuiltinOperator::RELU6 => limited(reader, node, output, 0.0, 6.0),
        BuiltinOperator::RELU_N1_TO_1 => limited(reader, node, output, -1.0, 1.0),
        BuiltinOperator::RELU_0_TO_1 => limited(reader, node, output, 0.0, 1.0),
        BuiltinOperator::RESHAPE | BuiltinOperator::SQUEEZE | BuiltinOperator::EXPAND_DIMS => {
            let input = input(reader, node, 0)?;
            let dims = reader.dims(output)?;
            let values = made(reader, output);
            reshape(reader, output, &values, &input, dims);
            reader.define(output, &values)
        }
        BuiltinOperator::TRANSPOSE => {
            let input = input(reader, node, 0)?;
            let order = node.inputs.get(1).map(|&index| reader.integers(index)).transpose()?.flatten();
            let order = order.ok_or_else(|| refuse(reader, node, "has an order that is computed", ADVICE))?;
            let values = made(reader, output);
            reader.node(output, "Transpose", &values, &[&input], vec![numbers("perm", &order)]);
            reader.define(output, &values)
        }
        BuiltinOperator::CONCATENATION => concatenation(reader, node, output),
        BuiltinOperator::PAD | BuiltinOperator::PADV2 => pad(reader, node, output),
        // They work out shapes, which are in the file too.
        BuiltinOperator::SHAPE | BuiltinOperator::STRIDED_SLICE | BuiltinOperator::PACK => Ok(()),
        _ => Err(refuse(reader, node, "is no operator of TFLite that can be compiled", ADVICE)),
    }
}

const ADVICE: &str =
    "build the network from convolutions, dense layers, poolings, additions, concatenations and activations";

/// The error that this operator cannot be compiled.
fn refuse(reader: &Reader<'_>, node: &Operator<'_>, what: &str, advice: &str) -> CompileError {
    let op = match node.code {
        BuiltinOperator::CUSTOM => node.custom.to_string(),
        code => code.variant_name().map_or_else(|| format!("operator {}", code.0), str::to_string),
    };
    CompileError::Unsupported {
        node: node.outputs.first().map_or_else(|| "(unnamed)".into(), |&output| reader.title(output)),
        op,
        what: what.into(),
        advice: advice.into(),
    }
}

/// What a tensor holds before it is quantized.
fn made(reader: &Reader<'_>, output: i32) -> String {
    format!("{}/values", reader.name(output))
}

/// An input as real values.
fn input(reader: &mut Reader<'_>, node: &Operator<'_>, place: usize) -> Result<String, CompileError> {
    match node.inputs.get(place) {
        Some(&index) => reader.real(index, None, None),
        None => Err(refuse(reader, node, "lacks an input", "convert the network again")),
    }
}

/// Ends an operator with the activation that it has.
fn activated(
    reader: &mut Reader<'_>,
    node: &Operator<'_>,
    output: i32,
    values: &str,
    activation: Option<ActivationFunctionType>,
) -> Result<(), CompileError> {
    let end = format!("{}/activated", reader.name(output));
    match activation.unwrap_or(ActivationFunctionType::NONE) {
        ActivationFunctionType::NONE => return reader.define(output, values),
        ActivationFunctionType::RELU => reader.node(output, "Relu", &end, &[values], vec![]),
        ActivationFunctionType::RELU6 => clip(reader, output, &end, values, [0.0, 6.0]),
        ActivationFunctionType::RELU_N1_TO_1 => clip(reader, output, &end, values, [-1.0, 1.0]),
        ActivationFunctionType::TANH => reader.node(output, "Tanh", &end, &[values], vec![]),
        _ => return Err(refuse(reader, node, "has an activation that is not known", "use ReLU, ReLU6 or none")),
    }
    reader.define(output, &end)
}

fn clip(reader: &mut Reader<'_>, of: i32, output: &str, values: &str, limits: [f32; 2]) {
    let names = ["low", "high"].map(|what| format!("{output}/{what}"));
    for (name, limit) in names.iter().zip(limits) {
        reader.add(name, Tensor::of_floats(vec![], vec![limit]));
    }
    reader.node(of, "Clip", output, &[values, &names[0], &names[1]], vec![]);
}

fn limited(reader: &mut Reader<'_>, node: &Operator<'_>, output: i32, low: f32, high: f32) -> Result<(), CompileError> {
    let input = input(reader, node, 0)?;
    let values = made(reader, output);
    clip(reader, output, &values, &input, [low, high]);
    reader.define(output, &values)
}

fn reshape(reader: &mut Reader<'_>, of: i32, output: &str, values: &str, dims: Vec<i64>) {
    let name = format!("{output}/dims");
    reader.add(&name, Tensor::of_ints(dims));
    reader.node(of, "Reshape", output, &[values, &name], vec![]);
}

/// A tensor with its channels first.
fn channels_first(reader: &mut Reader<'_>, of: i32, values: &str) -> String {
    let name = format!("{}/first", reader.name(of));
    reader.node(of, "Transpose", &name, &[values], vec![numbers("perm", &TO_FIRST)]);
    name
}

/// The tensor `values` with its channels last again, as `output`.
fn channels_last(reader: &mut Reader<'_>, of: i32, values: &str) -> String {
    let name = format!("{}/last", reader.name(of));
    reader.node(of, "Transpose", &name, &[values], vec![numbers("perm", &TO_LAST)]);
    name
}

fn auto_pad(padding: Padding) -> AttributeProto {
    text("auto_pad", if padding == Padding::SAME { "SAME_UPPER" } else { "VALID" })
}

/// Two sizes, which the file has as numbers of 32 bits.
fn pair(name: &str, height: i32, width: i32) -> AttributeProto {
    numbers(name, &[height.into(), width.into()])
}

/// A convolution of the first input with these weights.
fn convolution(
    reader: &mut Reader<'_>,
    node: &Operator<'_>,
    output: i32,
    weights: &str,
    attributes: Vec<AttributeProto>,
    activation: ActivationFunctionType,
) -> Result<(), CompileError> {
    let input = input(reader, node, 0)?;
    let first = channels_first(reader, output, &input);
    let values = made(reader, output);
    match node.inputs.get(2).copied().filter(|&index| index >= 0) {
        Some(index) => {
            let bias = reader.real(index, None, None)?;
            reader.node(output, "Conv", &values, &[&first, weights, &bias], attributes);
        }
        None => reader.node(output, "Conv", &values, &[&first, weights], attributes),
    }
    let last = channels_last(reader, output, &values);
    activated(reader, node, output, &last, Some(activation))
}

fn conv(reader: &mut Reader<'_>, node: &Operator<'_>, output: i32) -> Result<(), CompileError> {
    let (Some(options), Some(&weights)) = (node.options.builtin_options_as_conv_2_doptions(), node.inputs.get(1))
    else {
        return Err(refuse(reader, node, "lacks its weights or options", "convert the network again"));
    };
    let channels = reader.dims(weights)?.last().copied().unwrap_or(1);
    let entering = reader.dims(node.inputs[0])?.last().copied().unwrap_or(1);
    let weights = reader.real(weights, Some(&[0, 3, 1, 2]), None)?;
    let attributes = vec![
        auto_pad(options.padding()),
        pair("strides", options.stride_h(), options.stride_w()),
        pair("dilations", options.dilation_h_factor(), options.dilation_w_factor()),
        int("group", entering / channels.max(1)),
    ];
    convolution(reader, node, output, &weights, attributes, options.fused_activation_function())
}

fn depthwise(reader: &mut Reader<'_>, node: &Operator<'_>, output: i32) -> Result<(), CompileError> {
    let options = node.options.builtin_options_as_depthwise_conv_2_doptions();
    let (Some(options), Some(&weights)) = (options, node.inputs.get(1)) else {
        return Err(refuse(reader, node, "lacks its weights or options", "convert the network again"));
    };
    let channels = reader.dims(node.inputs[0])?.last().copied().unwrap_or(1);
    let weights = reader.real(weights, Some(&[3, 0, 1, 2]), None)?;
    let attributes = vec![
        auto_pad(options.padding()),
        pair("strides", options.stride_h(), options.stride_w()),
        pair("dilations", options.dilation_h_factor(), options.dilation_w_factor()),
        int("group", channels),
    ];
    convolution(reader, node, output, &weights, attributes, options.fused_activation_function())
}

fn dense(reader: &mut Reader<'_>, node: &Operator<'_>, output: i32) -> Result<(), CompileError> {
    let Some(&weights) = node.inputs.get(1) else {
        return Err(refuse(reader, node, "lacks its weights", "convert the network again"));
    };
    let sizes = reader.dims(weights)?;
    let &[outputs, inputs] = &sizes[..] else {
        return Err(refuse(reader, node, "has weights that are no matrix", "convert the network again"));
    };
    let mut entering = input(reader, node, 0)?;
    if reader.dims(node.inputs[0])? != [1, inputs] {
        let flat = format!("{}/flat", reader.name(output));
        reshape(reader, output, &flat, &entering, vec![1, inputs]);
        entering = flat;
    }
    let weights = reader.real(weights, None, None)?;
    let mut values = made(reader, output);
    let attributes = vec![int("transB", 1)];
    match node.inputs.get(2).copied().filter(|&index| index >= 0) {
        Some(index) => {
            let bias = reader.real(index, None, None)?;
            reader.node(output, "Gemm", &values, &[&entering, &weights, &bias], attributes);
        }
        None => reader.node(output, "Gemm", &values, &[&entering, &weights], attributes),
    }
    let dims = reader.dims(output)?;
    if dims != [1, outputs] {
        let shaped = format!("{values}/shaped");
        reshape(reader, output, &shaped, &values, dims);
        values = shaped;
    }
    let options = node.options.builtin_options_as_fully_connected_options();
    activated(reader, node, output, &values, options.map(|options| options.fused_activation_function()))
}

fn pool(reader: &mut Reader<'_>, node: &Operator<'_>, output: i32, op: &str) -> Result<(), CompileError> {
    let Some(options) = node.options.builtin_options_as_pool_2_doptions() else {
        return Err(refuse(reader, node, "lacks its options", "convert the network again"));
    };
    let input = input(reader, node, 0)?;
    let first = channels_first(reader, output, &input);
    let values = made(reader, output);
    let attributes = vec![
        auto_pad(options.padding()),
        pair("kernel_shape", options.filter_height(), options.filter_width()),
        pair("strides", options.stride_h(), options.stride_w()),
    ];
    reader.node(output, op, &values, &[&first], attributes);
    let last = channels_last(reader, output, &values);
    activated(reader, node, output, &last, Some(options.fused_activation_function()))
}

/// The mean over height and width.
fn mean(reader: &mut Reader<'_>, node: &Operator<'_>, output: i32) -> Result<(), CompileError> {
    let axes = node.inputs.get(1).map(|&index| reader.integers(index)).transpose()?.flatten();
    let rank = reader.dims(node.inputs[0])?.len() as i64;
    let mut axes: Vec<i64> = axes.iter().flatten().map(|&axis| if axis < 0 { axis + rank } else { axis }).collect();
    axes.sort_unstable();
    if rank != 4 || axes != [1, 2] {
        return Err(refuse(
            reader,
            node,
            "takes the mean over other axes than height and width",
            "use a global average",
        ));
    }
    let input = input(reader, node, 0)?;
    let first = channels_first(reader, output, &input);
    let mut values = made(reader, output);
    reader.node(output, "GlobalAveragePool", &values, &[&first], vec![]);
    values = channels_last(reader, output, &values);
    let dims = reader.dims(output)?;
    if dims.len() != 4 {
        let shaped = format!("{values}/shaped");
        reshape(reader, output, &shaped, &values, dims);
        values = shaped;
    }
    reader.define(output, &values)
}

fn binary(
    reader: &mut Reader<'_>,
    node: &Operator<'_>,
    output: i32,
    op: &str,
    activation: Option<ActivationFunctionType>,
) -> Result<(), CompileError> {
    let inputs = [input(reader, node, 0)?, input(reader, node, 1)?];
    let values = made(reader, output);
    reader.node(output, op, &values, &[&inputs[0], &inputs[1]], vec![]);
    activated(reader, node, output, &values, activation)
}

fn concatenation(reader: &mut Reader<'_>, node: &Operator<'_>, output: i32) -> Result<(), CompileError> {
    let options = node.options.builtin_options_as_concatenation_options();
    let axis = options.map_or(0, |options| options.axis());
    let names: Vec<String> =
        (0..node.inputs.len()).map(|place| input(reader, node, place)).collect::<Result<_, _>>()?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let values = made(reader, output);
    reader.node(output, "Concat", &values, &names, vec![int("axis", axis.into())]);
    activated(reader, node, output, &values, options.map(|options| options.fused_activation_function()))
}

fn pad(reader: &mut Reader<'_>, node: &Operator<'_>, output: i32) -> Result<(), CompileError> {
    let sizes = node.inputs.get(1).map(|&index| reader.integers(index)).transpose()?.flatten();
    let sizes = sizes.ok_or_else(|| refuse(reader, node, "has sizes that are computed", "pad by fixed sizes"))?;
    let input = input(reader, node, 0)?;
    // Pairs of before and behind here, all before and then all behind in ONNX.
    let pads = sizes.iter().step_by(2).chain(sizes.iter().skip(1).step_by(2)).copied().collect();
    let values = made(reader, output);
    let name = format!("{values}/pads");
    reader.add(&name, Tensor::of_ints(pads));
    match node.inputs.get(2).copied() {
        Some(index) => {
            let filling = reader.real(index, None, Some(vec![]))?;
            reader.node(output, "Pad", &values, &[&input, &name, &filling], vec![]);
        }
        None => reader.node(output, "Pad", &values, &[&input, &name], vec![]),
    }
    reader.define(output, &values)
}

fn numbers(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..ints(name, &[]) }
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::String as i32, s: value.into(), ..Default::default() }
}
