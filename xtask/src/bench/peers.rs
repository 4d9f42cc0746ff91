//! Layers with the shapes of ours in other Rust libraries, in the same emulator: `peers/` runs them.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::cmsis_nn::{CMSIS_NN, LAYERS_BOARD};
use super::row::Row;
use crate::boards;
use crate::page::Table;
use crate::shell::{cargo, command, json, root, run, target};
use crate::table::{grouped, markdown};

/// The table in the documentation.
const TABLE: Table = Table { page: "performance.md", name: "peers", command: "cargo xtask bench --peers" };
/// Boards with the memory map that `peers/` links for, and Rust's names for their cores.
const BOARDS: [(&str, &str); 2] = [("mps2-an386", "thumbv7em-none-eabihf"), ("mps2-an385", "thumbv7m-none-eabi")];
const LIBRARIES: [&str; 2] = ["embedded-nn", "microflow"];
const GOALS: [&str; 2] = ["speed", "flash"];

/// One layer in one library.
#[derive(Deserialize)]
struct Measured {
    library: String,
    network: String,
    layer: usize,
    instructions: u64,
}

/// Measures and writes the table; the program `boards` must have been built.
pub fn bless() -> Result<()> {
    let mut text = String::new();
    for (board, triple) in BOARDS {
        let peers = measure(board, triple)?;
        let head = ["network", "layer", "MACs", "embedded-nn", "microflow", "CMSIS-NN", "thumbnet, speed", "flash"];
        text += &format!("\n### {board}: layers in other libraries\n\n{}\n", markdown(&head, 2, lines(board, &peers)?));
    }
    TABLE.write(&text)
}

fn measure(board: &str, triple: &str) -> Result<Vec<Measured>> {
    let target = target().join("peers");
    let mut build = cargo(&["build", "--release", "--target", triple]);
    run(build.current_dir(root().join("peers")).env("CARGO_TARGET_DIR", &target))?;
    let image = target.join(triple).join("release/peers").display().to_string();
    let semihosting = "enable=on,target=native";
    let emulator = ["-machine", board, "-icount", "shift=0", "-display", "none", "-semihosting-config", semihosting];
    json(&mut command("qemu-system-arm", &[&emulator[..], &["-kernel", &image]].concat()))
}

/// A line for every layer, with ours of the same shape.
fn lines(board: &str, peers: &[Measured]) -> Result<Vec<Vec<String>>> {
    let mut lines = Vec::new();
    let mut ours: Vec<Row> = Vec::new();
    for peer in peers.iter().filter(|peer| peer.library == LIBRARIES[0]) {
        let Measured { network, layer, .. } = peer;
        if ours.first().is_none_or(|row| row.model != *network) {
            ours = boards::ask(&["bench", "--layers", "--board", board, "--model", network])?;
        }
        let of_goal = |goal| {
            let row = ours.iter().find(|row| row.optimize == goal);
            row.and_then(|row| row.layers.get(*layer)).with_context(|| format!("{network} has no layer {layer}"))
        };
        let [speed, flash] = [of_goal(GOALS[0])?, of_goal(GOALS[1])?];
        let mut line = vec![network.clone(), speed.name.clone(), grouped(speed.macs)];
        for library in LIBRARIES {
            let measured = peers
                .iter()
                .find(|other| (other.library.as_str(), &other.network, other.layer) == (library, network, *layer));
            line.push(measured.map_or("–".into(), |measured| grouped(measured.instructions)));
        }
        let theirs = if board == LAYERS_BOARD { CMSIS_NN.layers(network).get(*layer).copied() } else { None };
        line.push(theirs.map_or("–".into(), grouped));
        line.extend([speed, flash].map(|layer| grouped(layer.instructions)));
        lines.push(line);
    }
    ensure!(!lines.is_empty(), "peers/ measured nothing");
    Ok(lines)
}
