//! Writes samples of the current format version to `inference-core/tests/samples/`: model files, an image for each, and the
//! logits that the plain integer reference finds. They must stay readable for good, so none is ever written again.
//!
//!     cargo run --release --workspace --example samples

use std::fs::{self, File};
use std::io::Write;

use anyhow::{Context, Result, ensure};
use compiler::Optimize;
use host_tests::{random, reference, shipped};
use inference_core::Model;
use inference_core::format::{Activation, Algorithm, Op, VERSION};

/// Largest random sample, in bytes.
const MOST_BYTES: usize = 6000;

fn main() -> Result<()> {
    let nano = shipped::read("nano")?;
    write("nano", &nano, &nano, shipped::TEST_IMAGES.image(0))?;
    // Networks that together have every operator, algorithm and activation.
    let operators = find(|model| {
        let has = |op| model.layers().any(|layer| layer.op == op);
        has(Op::DepthwiseConv)
            && has(Op::GlobalAveragePool)
            && model.layers().any(|l| l.activation == Activation::Table)
    })?;
    write_random("operators", operators)?;
    write_random("winograd", find(|model| model.layers().any(|layer| layer.algorithm == Algorithm::Winograd))?)
}

/// The first seed of a small random network for which that holds.
fn find(wanted: impl Fn(&Model<'_>) -> bool) -> Result<u64> {
    let fits = |seed: &u64| {
        let file = random::planned(*seed, Optimize::Speed);
        file.len() <= MOST_BYTES && Model::parse(&file).is_ok_and(|model| wanted(&model))
    };
    (0..100_000).find(fits).context("no random network is like that")
}

fn write_random(name: &str, seed: u64) -> Result<()> {
    let file = random::planned(seed, Optimize::Speed);
    let direct = random::planned(seed, Optimize::Ram);
    let len = Model::parse(&file)?.input();
    let len = usize::from(len.height) * usize::from(len.width) * usize::from(len.channels);
    write(name, &file, &direct, &host_tests::rng::Rng::new(seed).bytes(len))
}

/// Writes a sample. `direct`: the same network with direct weights, which are what the reference reads.
fn write(name: &str, file: &[u8], direct: &[u8], image: &[u8]) -> Result<()> {
    let logits = reference::logits(&Model::parse(direct)?, image);
    let text: String = logits.iter().map(|logit| format!("{logit}\n")).collect();
    for (ending, bytes) in [("tnet", file), ("image", image), ("logits", text.as_bytes())] {
        let path = shipped::root().join(format!("inference-core/tests/samples/v{VERSION}-{name}.{ending}"));
        ensure!(!path.exists(), "{} exists: samples of a released version are never changed", path.display());
        fs::create_dir_all(path.parent().context("a file has a directory")?)?;
        File::create(path)?.write_all(bytes)?;
    }
    Ok(())
}
