//! How fast the host classifies, beside tract: criterion measures, this makes a table of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::page::Table;
use crate::shell::{cargo, run, target};
use crate::table::{grouped, markdown};

/// The table in the documentation.
const TABLE: Table = Table { page: "performance.md", name: "host", command: "cargo xtask bench --host" };
/// What `host-tests/benches/throughput.rs` measures of every model.
const RUNTIMES: [&str; 3] = ["thumbnet", "tract-int8", "tract-float"];

/// Criterion's `estimates.json`, as far as it matters here. Nanoseconds.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// Measures and writes the table.
pub fn bless() -> Result<()> {
    let results = target().join("criterion");
    if results.exists() {
        // Models that no longer ship must not stay in the table.
        fs::remove_dir_all(&results).with_context(|| format!("removing {}", results.display()))?;
    }
    run(&mut cargo(&["bench", "--workspace", "--bench", "throughput"]))?;
    let mut models = BTreeMap::new();
    for entry in fs::read_dir(&results).with_context(|| format!("reading {}", results.display()))?.flatten() {
        let model = entry.path();
        if model.join(RUNTIMES[0]).exists() {
            models.insert(entry.file_name(), rates(&model)?);
        }
    }
    let lines = models.into_iter().map(|(model, rates)| {
        std::iter::once(model.to_string_lossy().into_owned()).chain(rates.map(|rate| grouped(rate as u64))).collect()
    });
    let head = ["network", "thumbnet", "tract, int8", "tract, float"];
    TABLE.write(&format!("On {}, one thread:\n\n{}", machine(), markdown(&head, 1, lines.collect())))
}

/// Images a second in every runtime.
fn rates(model: &Path) -> Result<[f64; 3]> {
    let mut rates = [0.0; 3];
    for (rate, runtime) in rates.iter_mut().zip(RUNTIMES) {
        let path = model.join(runtime).join("new/estimates.json");
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let estimates: Estimates = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        *rate = 1e9 / estimates.median.point_estimate;
    }
    Ok(rates)
}

/// The processor's name where Linux tells it.
fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("an unknown processor".into(), |(_, name)| name.to_string())
}
