//! One row of `cargo xtask bench`: what a model takes on an emulated board.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use thumbnet::format::{Layer, Op, Shape};
use thumbnet::{Model, Network};
use thumbnet_device::Board;

use crate::models::Compiled;
use crate::networks;
use crate::rig::Rig;

/// Runs the model on the board and on the host; a board that answers other than the host is an error.
///
/// `None` where the model does not fit the board. Layers are counted where they are asked for: each takes another run.
pub fn row(board: &Board, rig: &Rig, compiled: &Compiled, with_layers: bool) -> Result<Option<Value>> {
    let model = Model::parse(&compiled.tnet)?;
    let what = format!("{} ({}) on {}", model.name(), compiled.optimize, board.name);
    if let Err(reason) = rig.fits(&model) {
        eprintln!("{what}: left out, {reason}");
        return Ok(None);
    }
    let pixels = &networks::input(model.input(), 0);
    let counts = rig.run(&model, pixels).with_context(|| what.clone())?;
    let mut arena = vec![0; model.arena_len()];
    let host: Vec<i32> = Network::new(&model, &mut arena)?.classify(pixels)?.logits().iter().collect();
    ensure!(counts.logits == host, "{what}: the board's logits are {:?}, the host's {host:?}", counts.logits);
    let layers = if with_layers { rig.run_layers(&model, pixels).with_context(|| what.clone())? } else { vec![] };
    let layers = model.layers().zip(&layers).map(
        |(layer, instructions)| json!({ "name": describe(&layer), "macs": layer.macs(), "instructions": instructions }),
    );
    let program = rig.program_bytes();
    Ok(Some(json!({
        "board": board.name, "core": board.core, "model": model.name(), "optimize": compiled.optimize,
        "trained": compiled.trained, "instructions": counts.instructions,
        "macs": model.layers().map(|layer| layer.macs()).sum::<u64>(), "arena_bytes": model.arena_len(),
        "stack_bytes": counts.stack, "flash_bytes": program + compiled.tnet.len() as u64, "text_bytes": program,
        "network_text_bytes": rig.network_text()?,
        "model_bytes": compiled.tnet.len(), "layers": layers.collect::<Vec<_>>(),
    })))
}

/// Operator and shapes.
fn describe(layer: &Layer) -> String {
    let shape = |Shape { height, width, channels }| format!("{height}x{width}x{channels}");
    let kernel = || format!("{}x{}", layer.window.kernel_height, layer.window.kernel_width);
    let op = match layer.op {
        Op::Conv => format!("conv {}", kernel()),
        Op::GroupedConv => format!("conv {} in {} groups", kernel(), layer.groups),
        Op::DepthwiseConv => format!("depthwise {}", kernel()),
        Op::Dense => "dense".into(),
        Op::GlobalAveragePool => "average".into(),
        Op::Add => "add".into(),
        Op::MaxPool => format!("max pool {}", kernel()),
        Op::AveragePool => format!("average pool {}", kernel()),
        Op::Concat => "concatenation".into(),
    };
    format!("{op}, {} to {}", shape(layer.input), shape(layer.output))
}
