//! `thumbnet inspect`.

use std::path::PathBuf;

use clap::Args;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use inference_core::Model;
use inference_core::format::{Activation, Algorithm, Layer, Op, Pool, Shape};
use serde_json::{Value, json};

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
        model.layers().zip(memory(model)).map(|(layer, memory)| layer_json(&layer, memory)).collect();
    json!({
        "name": model.name(),
        "input": shape(model.input()),
        "classes": model.classes(),
        "arena_bytes": model.arena_len(),
        "flash_bytes": model.bytes().len(),
        "macs": model.layers().map(|layer| layer.macs()).sum::<u64>(),
        "params": model.layers().map(|layer| parameters(&layer)).sum::<u64>(),
        "logit_scale": model.logit_scale(),
        "layers": layers,
    })
}

fn layer_json(layer: &Layer, memory: &str) -> Value {
    json!({
        "op": op(layer.op),
        "algorithm": algorithm(layer.algorithm),
        "activation": activation(layer),
        "input": shape(layer.input),
        "output": shape(layer.output),
        "kernel": [layer.window.kernel_height, layer.window.kernel_width],
        "pool": layer.pool.size,
        "params": parameters(layer),
        "macs": layer.macs(),
        "weight_bytes": layer.weights_len,
        "memory": memory,
        "ring_rows": layer.ring_rows,
        "start_rows": layer.start_rows,
        "arena_bytes": layer.ring_len() + layer.scratch_len as usize,
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
            format!("{memory}, {} of {}", layer.ring_rows, layer.input.height),
            (layer.ring_len() + layer.scratch_len as usize).to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!(
        "{}: {} in, {} classes\n{table}\narena {} bytes, flash {} bytes, {} parameters, {} multiply-accumulates",
        model.name(),
        shape(model.input()),
        model.classes(),
        model.arena_len(),
        model.bytes().len(),
        model.layers().map(|layer| parameters(&layer)).sum::<u64>(),
        model.layers().map(|layer| layer.macs()).sum::<u64>(),
    )
}

/// How each layer's input is kept. Memory is shared over time, so the layers' bytes add up to more than the arena.
fn memory(model: &Model<'_>) -> Vec<&'static str> {
    let bytes = |layer: &Layer| layer.ring_offset as usize..layer.ring_offset as usize + layer.ring_len();
    let mut maker = 0..0;
    let memory = model.layers().map(|layer| {
        let made_from = std::mem::replace(&mut maker, bytes(&layer));
        if maker.start < made_from.end && made_from.start < maker.end {
            "in place"
        } else if layer.ring_rows == layer.input.height {
            "whole"
        } else {
            "ring"
        }
    });
    memory.collect()
}

/// Weights and biases, batch normalization folded.
fn parameters(layer: &Layer) -> u64 {
    let biases = if layer.op == Op::GlobalAveragePool { 0 } else { u64::from(layer.output.channels) };
    layer.weight_count() + biases
}

fn shape(shape: Shape) -> String {
    format!("{}x{}x{}", shape.height, shape.width, shape.channels)
}

fn describe(layer: &Layer) -> String {
    let window = &layer.window;
    if layer.op == Op::GlobalAveragePool && layer.activation == Activation::Clamp {
        return op(layer.op).into();
    }
    let mut text = op(layer.op).to_string();
    if matches!(layer.op, Op::Conv | Op::DepthwiseConv) {
        text += &format!(" {}x{}", window.kernel_height, window.kernel_width);
        if (window.stride_height, window.stride_width) != (1, 1) {
            text += &format!(" / {}x{}", window.stride_height, window.stride_width);
        }
    }
    text += &format!(", {}", activation(layer));
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
        _ => "unknown",
    }
}

fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Direct => "direct",
        Algorithm::Winograd => "winograd",
        _ => "unknown",
    }
}

/// What the integers tell: a ReLU and a tensor that is never negative look the same.
fn activation(layer: &Layer) -> &'static str {
    match layer.activation {
        Activation::Clamp if layer.low == layer.output_zero_point => "relu",
        Activation::Clamp => "linear",
        Activation::Table => "table",
        Activation::Logits => "logits",
        _ => "unknown",
    }
}
