//! Measures inferences on emulated boards and holds them against the committed figures.

mod cmsis_nn;
mod host;
mod peers;
mod row;
mod tables;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::boards;
use crate::page::Table;
use crate::setup;
use crate::table::{self, grouped};
use cmsis_nn::{CMSIS_NN, LAYERS_BOARD};
use row::Row;

/// Options of `cargo xtask bench`.
#[derive(Args, Default)]
pub struct Bench {
    /// Only this board of firmware/boards.toml; may be given more than once
    #[arg(long)]
    board: Vec<String>,
    /// Only this network of trainer/networks.toml, or a .tnet file
    #[arg(long)]
    model: Option<String>,
    /// Only models compiled for this: speed, flash or ram
    #[arg(long)]
    optimize: Option<String>,
    /// Every layer on its own
    #[arg(long)]
    layers: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Fail where instructions, arena or flash of a committed row grew by more than 1 %
    #[arg(long, conflicts_with = "bless")]
    check: bool,
    /// Commit to what was measured on these boards: writes xtask/baseline.json and the tables in docs/
    #[arg(long, conflicts_with_all = ["model", "optimize", "layers"])]
    bless: bool,
    /// Measure layers of other libraries on emulated boards, and write their table in docs/
    #[arg(long, exclusive = true)]
    peers: bool,
    /// Measure how fast this machine classifies, and write that table in docs/
    #[arg(long, exclusive = true)]
    host: bool,
}

impl Bench {
    /// What CI asks for: no committed figure of these boards has grown.
    pub fn check_of(boards: &[&str]) -> Self {
        let board = boards.iter().map(|board| board.to_string()).collect();
        Self { board, check: true, ..Self::default() }
    }

    /// Sets up and measures.
    pub fn run(&self) -> Result<()> {
        if self.host {
            return host::bless();
        }
        setup::rust_targets()?;
        setup::qemu()?;
        boards::build()?;
        if self.peers { peers::bless() } else { self.measure() }
    }

    /// Measures, then prints, checks or blesses; the program `boards` must have been built.
    pub fn measure(&self) -> Result<()> {
        let mut arguments = vec!["bench"];
        arguments.extend(self.board.iter().flat_map(|board| ["--board", board]));
        arguments.extend(boards::options(&[("--model", &self.model), ("--optimize", &self.optimize)]));
        if self.layers {
            arguments.push("--layers");
        }
        let rows: Vec<Row> = boards::ask(&arguments)?;
        match (self.json, self.layers) {
            (true, _) => boards::print_json(&rows.iter().map(as_json).collect::<Vec<_>>())?,
            (false, true) => {
                println!("{}", table::terminal(&LAYERS_HEAD, 4, rows.iter().flat_map(layer_cells).collect()))
            }
            (false, false) => println!("{}", table::terminal(&HEAD, 4, rows.iter().map(cells).collect())),
        }
        if self.bless {
            bless(rows)?;
        } else if self.check {
            check(&rows)?;
        }
        Ok(())
    }
}

const HEAD: [&str; 10] =
    ["board", "core", "model", "optimize", "instructions", "per MAC", "of CMSIS-NN's", "arena", "stack", "flash"];

fn cells(row: &Row) -> Vec<String> {
    vec![
        row.board.clone(),
        row.core.clone(),
        row.model.clone(),
        row.optimize.clone(),
        grouped(row.instructions),
        per_mac(row.instructions, row.macs),
        tables::ratio(row).map_or(String::new(), tables::three_digits),
        grouped(row.arena_bytes),
        grouped(row.stack_bytes),
        grouped(row.flash_bytes),
    ]
}

const LAYERS_HEAD: [&str; 6] = ["board", "model", "optimize", "layer", "instructions", "per MAC"];

fn layer_cells(row: &Row) -> impl Iterator<Item = Vec<String>> {
    row.layers.iter().map(|layer| {
        let numbers = [grouped(layer.instructions), per_mac(layer.instructions, layer.macs)];
        let text = [&row.board, &row.model, &row.optimize, &layer.name];
        text.into_iter().cloned().chain(numbers).collect()
    })
}

fn per_mac(instructions: u64, macs: u64) -> String {
    if macs == 0 { String::new() } else { format!("{:.2}", instructions as f64 / macs as f64) }
}

/// The row with CMSIS-NN's figure and ours as a part of it, where that was measured.
fn as_json(row: &Row) -> Value {
    let mut object = json!(row);
    object["cmsis_nn"] = json!(CMSIS_NN.of(&row.board, &row.model));
    object["ratio"] = json!(tables::ratio(row));
    object
}

const COMMAND: &str = "cargo xtask bench --bless";
const PAGE: &str = "performance.md";

/// The tables in `docs/` that these rows become.
fn made_of(rows: &[Row]) -> [(Table, String); 5] {
    let table = |page, name| Table { page, name, command: COMMAND };
    [
        (table(PAGE, "instructions"), tables::instructions(rows)),
        (table(PAGE, "memory"), tables::memory(rows)),
        (table(PAGE, "program"), tables::program(rows)),
        (table("performance-layers.md", "layers"), tables::layers(rows)),
        (table("performance-layers.md", "source"), CMSIS_NN.source()),
    ]
}

/// Commits to these rows; those of other boards stay.
fn bless(mut rows: Vec<Row>) -> Result<()> {
    let measured = |board: &str| rows.iter().any(|row| row.board == board);
    let others: Vec<Row> = row::committed()?.into_iter().filter(|old| !measured(&old.board)).collect();
    if measured(LAYERS_BOARD) {
        add_layers(&mut rows)?;
    }
    rows.extend(others);
    // Sorting is stable: networks stay in the order of their table.
    rows.sort_by(|a, b| (a.board != LAYERS_BOARD, &a.board).cmp(&(b.board != LAYERS_BOARD, &b.board)));
    row::commit(&rows)?;
    made_of(&rows).iter().try_for_each(|(table, text)| table.write(text))
}

/// The layers of one board, which become a table.
fn add_layers(rows: &mut [Row]) -> Result<()> {
    let layered: Vec<Row> = boards::ask(&["bench", "--layers", "--board", LAYERS_BOARD])?;
    for row in rows {
        if let Some(other) = layered.iter().find(|other| other.is_same(row)) {
            row.layers.clone_from(&other.layers);
        }
    }
    Ok(())
}

fn check(rows: &[Row]) -> Result<()> {
    let committed = row::committed()?;
    made_of(&committed).iter().try_for_each(|(table, text)| table.check(text))?;
    row::compare(&committed, rows)
}
