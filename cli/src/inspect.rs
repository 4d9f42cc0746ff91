//! `thumbnet inspect`.

use std::path::PathBuf;

use clap::Args;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};
use thumbnet::Model;
use thumbnet::format::{Activation, Algorithm, Layer, Map, Op, Pool, Shape};
use thumbnet::schedule::Layers;
use thumbnet_compiler::Form;
use thumbnet_compiler::onnx::Entry;

use super::{parse, read};

/// Show a model's layers, memory and work
#[derive(Args)]
pub struct Arguments {
    /// The model
    #[arg(value_name = "MODEL.tnet")]
    model: PathBuf,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let bytes = read(&arguments.model)?;
    let model = parse(&arguments.model, &bytes)?;
    if arguments.json {
        println!("{}", to_json(&model));
    } else {
        println!("{}", table(&model));
    }
    Ok(())
}

/// The model as one object.
pub fn to_json(model: &Model<'_>) -> Value {
    let layers: Vec<Value> =
        model.layers().zip(memory(model)).map(|(layer, memory)| layer_json(&layer, &memory)).collect();
    json!({
        "name": model.name(),
        "input": shape(model.input()),
        "input_scale": model.input_scale(),
        "input_form": form(model).to_string(),
        "input_zero_point": model.input_zero_point(),
        "output": shape(model.output()),
        "classes": model.outputs(),
        "arena_bytes": model.arena_len(),
        "flash_bytes": model.bytes().len(),
        "macs": model.layers().map(|layer| layer.macs()).sum::<u64>(),
        "params": model.layers().map(|layer| parameters(&layer)).sum::<u64>(),
        "output_scale": model.output_scale(),
        "layers": layers,
    })
}

fn layer_json(layer: &Layer, memory: &Memory) -> Value {
    json!({
        "op": op(layer.op),
        "algorithm": algorithm(layer.algorithm),
        "activation": activation(layer),
        "inputs": layer.input_maps().collect::<Vec<_>>(),
        "input": shape(layer.input),
        "output": shape(layer.output),
        "kernel": [layer.window.kernel_height, layer.window.kernel_width],
        "pool": layer.pool.size,
        "params": parameters(layer),
        "macs": layer.macs(),
        "weight_bytes": layer.weights_len,
        "memory": memory.kind,
        "ring_rows": memory.map.ring.rows,
        "start_rows": layer.start_rows,
        "arena_bytes": memory.map.ring_len() + layer.scratch_len as usize,
    })
}

/// The model as a table with its sums below.
pub fn table(model: &Model<'_>) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY);
    table.set_header(["layer", "output", "algorithm", "params", "MACs", "weight bytes", "input rows", "arena bytes"]);
    for (layer, memory) in model.layers().zip(memory(model)) {
        table.add_row([
            describe(&layer),
            shape(layer.output),
            algorithm(layer.algorithm).into(),
            parameters(&layer).to_string(),
            layer.macs().to_string(),
            layer.weights_len.to_string(),
            format!("{}, {} of {}", memory.kind, memory.map.ring.rows, layer.input.height),
            (memory.map.ring_len() + layer.scratch_len as usize).to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!(
        "{}: {} in, {} out; input {}\n{table}\narena {} bytes, flash {} bytes, {} parameters, {} multiply-accumulates",
        model.name(),
        shape(model.input()),
        shape(model.output()),
        form(model),
        model.arena_len(),
        model.bytes().len(),
        model.layers().map(|layer| parameters(&layer)).sum::<u64>(),
        model.layers().map(|layer| layer.macs()).sum::<u64>(),
    )
}

/// What the network was trained on in place of the bytes that enter.
fn form(model: &Model<'_>) -> Form {
    let zero = f64::from(model.input_zero_point());
    let channels = if model.has_input_channels() { model.input().channels.into() } else { 1 };
    let reals = (0..channels).map(|channel| model.input_real(channel).map(f64::from));
    let (scale, offset) = reals.map(|[scale, offset]| (scale, offset - scale * zero)).unzip();
    Form::of(&Entry { scale, offset, is_transposed: model.input_is_transposed(), ..Entry::default() })
}

/// How the first map that a layer reads is kept.
struct Memory {
    map: Map,
    kind: &'static str,
}

/// How each layer's input is kept. Memory is shared over time, so the layers' bytes add up to more than the arena.
fn memory(model: &Model<'_>) -> Vec<Memory> {
    let bytes = |map: &Map| map.ring.offset as usize..map.ring.offset as usize + map.ring_len();
    let memory = model.layers().map(|layer| {
        let map = |index: usize| model.map(index).unwrap_or_default();
        let number = usize::from(layer.inputs[0]);
        let input = map(number);
        let made_from = number.checked_sub(1).and_then(|maker| model.layer(maker));
        let shared = made_from.is_some_and(|maker| {
            let (maker, own) = (bytes(&map(usize::from(maker.inputs[0]))), bytes(&input));
            own.start < maker.end && maker.start < own.end
        });
        let kind = match (shared, input.ring.rows == input.shape.height) {
            (true, _) => "in place",
            (false, true) => "whole",
            (false, false) => "ring",
        };
        Memory { map: input, kind }
    });
    memory.collect()
}

/// Weights and biases, batch normalization folded.
fn parameters(layer: &Layer) -> u64 {
    let biases = if layer.weight_count() == 0 { 0 } else { u64::from(layer.output.channels) };
    layer.weight_count() + biases
}

fn shape(shape: Shape) -> String {
    format!("{}x{}x{}", shape.height, shape.width, shape.channels)
}

/// Operator, kernel and activation.
pub fn describe(layer: &Layer) -> String {
    let window = &layer.window;
    let mut text = op(layer.op).to_string();
    let slides = match layer.op {
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::MaxPool | Op::AveragePool => true,
        Op::Dense | Op::GlobalAveragePool | Op::Add | Op::Concat => false,
    };
    if slides {
        text += &format!(" {}x{}", window.kernel_height, window.kernel_width);
        if (window.stride_height, window.stride_width) != (1, 1) {
            text += &format!(" / {}x{}", window.stride_height, window.stride_width);
        }
    }
    let maps: Vec<String> = layer.input_maps().map(|map| map.to_string()).collect();
    if layer.joins() {
        text += &format!(" of maps {}", maps.join(" and "));
    }
    let plain = match layer.op {
        Op::GlobalAveragePool | Op::MaxPool | Op::AveragePool | Op::Concat => activation(layer) == "linear",
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense | Op::Add => false,
    };
    if !plain {
        text += &format!(", {}", activation(layer));
    }
    if layer.pool != Pool::NONE {
        text += &format!(", max {0}x{0} / {1}", layer.pool.size, layer.pool.stride);
    }
    text
}

fn op(op: Op) -> &'static str {
    match op {
        Op::Conv => "conv",
        Op::DepthwiseConv => "depthwise",
        Op::Dense => "dense",
        Op::GlobalAveragePool => "average",
        Op::Add => "add",
        Op::MaxPool => "max pool",
        Op::AveragePool => "average pool",
        Op::Concat => "concat",
        Op::GroupedConv => "grouped conv",
    }
}

fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Direct => "direct",
        Algorithm::Winograd => "winograd",
    }
}

/// What the integers tell: a ReLU and a tensor that is never negative look the same.
fn activation(layer: &Layer) -> &'static str {
    match (layer.activation, layer.low, layer.high) {
        // What was never negative has a zero point of zero, whatever its activation.
        (Activation::Clamp, low, u8::MAX) if low == layer.output_zero_point && layer.op != Op::GlobalAveragePool => {
            "relu"
        }
        (Activation::Clamp, 0, u8::MAX) => "linear",
        (Activation::Clamp, ..) => "clamp",
        (Activation::Table | Activation::ByteTable, ..) => "table",
        (Activation::Logits, ..) => "logits",
    }
}
