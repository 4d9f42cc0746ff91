//! Measures an inference on emulated boards and holds it against the committed figures.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::boards;
use crate::setup;
use crate::shell::root;
use crate::table::{self, grouped};

/// How much a committed figure may grow, in percent.
const TOLERANCE: u64 = 1;
/// Between these lines stands the table that `--bless` makes.
const BEGIN: &str = "<!-- made by `cargo xtask bench --bless` -->\n";
const END: &str = "<!-- end -->\n";

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub struct Bench {
    /// Only this board of firmware/boards.toml
    #[arg(long)]
    board: Option<String>,
    /// Only this model of models/
    #[arg(long)]
    model: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Fail where instructions, arena or flash of a committed row grew by more than 1 %
    #[arg(long, conflicts_with = "bless")]
    check: bool,
    /// Commit to what was measured: writes xtask/baseline.json and the table in docs/performance.md
    #[arg(long, conflicts_with_all = ["board", "model"])]
    bless: bool,
}

#[derive(Deserialize, Serialize, Clone)]
struct Row {
    board: String,
    core: String,
    model: String,
    optimize: String,
    instructions: u64,
    macs: u64,
    arena_bytes: u64,
    stack_bytes: u64,
    flash_bytes: u64,
    text_bytes: u64,
}

impl Bench {
    /// What CI asks for: no committed figure of this board has grown.
    pub fn check_of(board: &str) -> Self {
        Self { board: Some(board.into()), model: None, json: false, check: true, bless: false }
    }

    /// Sets up and measures.
    pub fn run(&self) -> Result<()> {
        setup::rust_targets()?;
        setup::qemu()?;
        boards::build()?;
        self.measure()
    }

    /// Measures, then prints, checks or blesses; the program `boards` must have been built.
    pub fn measure(&self) -> Result<()> {
        let options = boards::options(&[("--board", &self.board), ("--model", &self.model)]);
        let rows: Vec<Row> = boards::ask(&[&["bench"], &options[..]].concat())?;
        match self.json {
            true => boards::print_json(&rows)?,
            false => println!("{}", table::terminal(&HEAD, TEXT_COLUMNS, cells(&rows))),
        }
        if self.bless {
            bless(&rows)?;
        }
        if self.check {
            check(&rows)?;
        }
        Ok(())
    }
}

const HEAD: [&str; 9] = ["board", "core", "model", "optimize", "instructions", "per MAC", "arena", "stack", "flash"];
const TEXT_COLUMNS: usize = 4;

fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let cells = |row: &Row| {
        vec![
            row.board.clone(),
            row.core.clone(),
            row.model.clone(),
            row.optimize.clone(),
            grouped(row.instructions),
            format!("{:.2}", row.instructions as f64 / row.macs as f64),
            grouped(row.arena_bytes),
            grouped(row.stack_bytes),
            grouped(row.flash_bytes),
        ]
    };
    rows.iter().map(cells).collect()
}

fn baseline_path() -> PathBuf {
    root().join("xtask/baseline.json")
}

fn page_path() -> PathBuf {
    root().join("docs/performance.md")
}

fn bless(rows: &[Row]) -> Result<()> {
    let lines = rows.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    fs::write(baseline_path(), lines.join("\n") + "\n").context("writing xtask/baseline.json")?;
    let page = fs::read_to_string(page_path()).context("reading docs/performance.md")?;
    fs::write(page_path(), with_table(&page, rows)?).context("writing docs/performance.md")
}

/// The page with its table made from these rows.
fn with_table(page: &str, rows: &[Row]) -> Result<String> {
    let marked = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = marked.with_context(|| format!("docs/performance.md lacks the lines {BEGIN}{END}"))?;
    Ok(format!("{before}{BEGIN}{}\n{END}{after}", table::markdown(&HEAD, TEXT_COLUMNS, cells(rows))))
}

fn check(rows: &[Row]) -> Result<()> {
    let again = "`cargo xtask bench --bless` commits to new figures";
    let text = fs::read_to_string(baseline_path()).with_context(|| format!("reading xtask/baseline.json; {again}"))?;
    let committed: Vec<Row> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let page = fs::read_to_string(page_path()).context("reading docs/performance.md")?;
    ensure!(with_table(&page, &committed)? == page, "docs/performance.md is not fresh; {again}");
    let mut grown = Vec::new();
    for row in rows {
        let name = |row: &Row| (row.board.clone(), row.model.clone(), row.optimize.clone());
        let old = committed.iter().find(|old| name(old) == name(row));
        let old = old.with_context(|| format!("{} on {} has no committed figures; {again}", row.model, row.board))?;
        grown.extend(growth(old, row));
    }
    ensure!(grown.is_empty(), "grown by more than {TOLERANCE} %: {}; {again}", grown.join(", "));
    Ok(())
}

/// The figures that grew by more than the tolerance.
fn growth(old: &Row, new: &Row) -> Vec<String> {
    let figures = [
        ("instructions", old.instructions, new.instructions),
        ("arena", old.arena_bytes, new.arena_bytes),
        ("flash", old.flash_bytes, new.flash_bytes),
    ];
    let grown = figures.into_iter().filter(|(_, old, new)| new * 100 > old * (100 + TOLERANCE));
    let say = |(what, from, to)| {
        format!("{what} of {} on {} from {} to {}", new.model, new.board, grouped(from), grouped(to))
    };
    grown.map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(instructions: u64) -> Row {
        Row {
            board: "b".into(),
            core: "c".into(),
            model: "m".into(),
            optimize: "o".into(),
            instructions,
            macs: 100,
            arena_bytes: 1000,
            stack_bytes: 500,
            flash_bytes: 1000,
            text_bytes: 500,
        }
    }

    #[test]
    fn more_than_one_percent_is_reported() {
        assert!(growth(&row(1000), &row(1010)).is_empty());
        assert_eq!(growth(&row(1000), &row(1011)), ["instructions of m on b from 1,000 to 1,011"]);
    }

    #[test]
    fn blessing_replaces_the_table_and_nothing_else() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        let blessed = with_table(&page, &[row(1234)]).unwrap();
        assert!(blessed.starts_with("before\n") && blessed.ends_with("after\n") && blessed.contains("1,234"));
        assert!(!blessed.contains("old"));
        assert_eq!(with_table(&blessed, &[row(1234)]).unwrap(), blessed);
    }
}
