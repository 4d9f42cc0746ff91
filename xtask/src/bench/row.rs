//! What is measured, and what was committed.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::shell::root;
use crate::table::grouped;

/// How much a committed figure may grow, in percent.
const TOLERANCE: u64 = 1;
/// What to do about figures that changed.
pub const AGAIN: &str = "`cargo xtask bench --bless` commits to new figures";

/// One model, compiled for one goal, on one board. Sizes in bytes.
#[derive(Deserialize, Serialize, Clone)]
pub struct Row {
    pub board: String,
    pub core: String,
    pub model: String,
    pub optimize: String,
    /// Whether the weights are trained ones; the figures do not depend on them.
    pub trained: bool,
    pub instructions: u64,
    pub macs: u64,
    pub arena_bytes: u64,
    pub stack_bytes: u64,
    /// Program and model.
    pub flash_bytes: u64,
    /// The program.
    pub text_bytes: u64,
    /// Of that, what a network runs.
    #[serde(default)]
    pub network_text_bytes: u64,
    pub model_bytes: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
}

/// One layer of a row.
#[derive(Deserialize, Serialize, Clone)]
pub struct Layer {
    /// Operator and shapes.
    pub name: String,
    pub instructions: u64,
    pub macs: u64,
}

impl Row {
    /// Whether it is the same model, compiled for the same, on the same board.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.board, &self.model, &self.optimize) == (&other.board, &other.model, &other.optimize)
    }

    /// The figures that grew by more than the tolerance.
    fn growth_from(&self, old: &Self) -> Vec<String> {
        let figures = [
            ("instructions", old.instructions, self.instructions),
            ("arena", old.arena_bytes, self.arena_bytes),
            ("flash", old.flash_bytes, self.flash_bytes),
        ];
        let grown = figures.into_iter().filter(|(_, old, new)| new * 100 > old * (100 + TOLERANCE));
        let Self { model, optimize, board, .. } = self;
        let say = |(what, from, to)| {
            format!("{what} of {model} ({optimize}) on {board} from {} to {}", grouped(from), grouped(to))
        };
        grown.map(say).collect()
    }
}

fn path() -> PathBuf {
    root().join("xtask/baseline.json")
}

/// The committed rows.
pub fn committed() -> Result<Vec<Row>> {
    let text = fs::read_to_string(path()).with_context(|| format!("reading xtask/baseline.json; {AGAIN}"))?;
    text.lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .with_context(|| format!("xtask/baseline.json; {AGAIN}"))
}

/// Commits to these rows.
pub fn commit(rows: &[Row]) -> Result<()> {
    let lines = rows.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    fs::write(path(), lines.join("\n") + "\n").context("writing xtask/baseline.json")
}

/// Fails where a row has grown, or has never been committed.
pub fn compare(committed: &[Row], rows: &[Row]) -> Result<()> {
    let mut grown = Vec::new();
    for row in rows {
        let old = committed.iter().find(|old| old.is_same(row));
        let old = old.with_context(|| {
            format!("{} ({}) on {} has no committed figures; {AGAIN}", row.model, row.optimize, row.board)
        })?;
        grown.extend(row.growth_from(old));
    }
    ensure!(grown.is_empty(), "grown by more than {TOLERANCE} %: {}; {AGAIN}", grown.join(", "));
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A row with these instructions.
    pub fn row(instructions: u64) -> Row {
        Row {
            board: "b".into(),
            core: "c".into(),
            model: "m".into(),
            optimize: "flash".into(),
            trained: true,
            instructions,
            macs: 100,
            arena_bytes: 1000,
            stack_bytes: 500,
            flash_bytes: 1000,
            text_bytes: 500,
            network_text_bytes: 400,
            model_bytes: 500,
            layers: vec![],
        }
    }

    #[test]
    fn more_than_one_percent_is_reported() {
        assert!(compare(&[row(1000)], &[row(1010)]).is_ok());
        let error = compare(&[row(1000)], &[row(1011)]).unwrap_err().to_string();
        assert!(error.contains("instructions of m (flash) on b from 1,000 to 1,011"), "{error}");
        let larger = Row { arena_bytes: 1011, flash_bytes: 1011, ..row(1000) };
        let error = compare(&[row(1000)], &[larger]).unwrap_err().to_string();
        assert!(error.contains("arena of m") && error.contains("flash of m"), "{error}");
    }

    #[test]
    fn a_row_that_was_never_committed_is_reported() {
        let other = Row { optimize: "speed".into(), ..row(1000) };
        assert!(compare(&[row(1000)], &[other]).is_err());
    }
}
