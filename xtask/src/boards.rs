//! The program `boards` of host-tests: it builds images and boots them, we only show what it finds.

use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::shell::{built, cargo, json, run};

/// Builds the program, without the trainer and its large dependencies.
pub fn build() -> Result<()> {
    run(&mut cargo(&["build", "--release", "--workspace", "--bin", "boards"]))
}

/// Runs the program, which must have been built, and returns the objects that it writes.
pub fn ask<T: DeserializeOwned>(arguments: &[&str]) -> Result<Vec<T>> {
    json(&mut built("boards", arguments))
}

/// `["--board", "mps2-an386"]` where a board is chosen, and the same for other options.
pub fn options<'a>(pairs: &[(&'a str, &'a Option<String>)]) -> Vec<&'a str> {
    pairs.iter().filter_map(|(name, value)| Some([*name, value.as_deref()?])).flatten().collect()
}

/// Writes one JSON object a line.
pub fn print_json(rows: &[impl Serialize]) -> Result<()> {
    for row in rows {
        println!("{}", serde_json::to_string(row)?);
    }
    Ok(())
}
