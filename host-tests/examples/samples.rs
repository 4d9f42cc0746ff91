//! Writes samples of the current format version to `inference-core/tests/samples/`: model files, an image for each, and the
//! outputs that the plain integer reference finds. They must stay readable for good: none is ever written again, and what the
//! samples that are there lack is added.
//!
//!     cargo run --release -p host-tests --example samples

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use host_tests::rng::Rng;
use host_tests::{random, reference, shipped};
use thumbnet::Model;
use thumbnet::format::{Activation, Algorithm, Op, VERSION};
use thumbnet_compiler::Optimize;

/// Largest random sample, in bytes: small enough for Miri.
const MOST_BYTES: usize = 4000;
/// Random networks to choose from.
const SEEDS: u64 = 4000;

fn main() -> Result<()> {
    fs::create_dir_all(directory())?;
    if path("nano", "tnet").exists() {
        println!("nano is there and stays as it is");
    } else {
        let nano = shipped::read("nano")?;
        write("nano", &nano, &nano, shipped::TEST_IMAGES.image(0))?;
    }
    let mut missing = &everything() - &present()?;
    if missing.is_empty() {
        println!("nothing is missing");
        return Ok(());
    }
    let candidates = (0..SEEDS).filter_map(|seed| {
        let file = random::planned(seed, Optimize::Speed);
        let has = contents(&Model::parse(&file).ok().filter(|_| file.len() <= MOST_BYTES)?);
        Some((seed, file.len(), has))
    });
    let candidates: Vec<_> = candidates.collect();
    while !missing.is_empty() {
        // The one with the most of it, and of those the smallest.
        let gain = |has: &BTreeSet<String>| has.intersection(&missing).count();
        let best = candidates.iter().max_by_key(|(_, len, has)| (gain(has), MOST_BYTES - len));
        let (seed, _, has) = best.filter(|(.., has)| gain(has) > 0).context("no random network has what is missing")?;
        println!("random-{seed} adds {:?}", has.intersection(&missing).collect::<Vec<_>>());
        write_random(*seed)?;
        missing = &missing - has;
    }
    Ok(())
}

/// What the samples must have together.
fn everything() -> BTreeSet<String> {
    let codes = 0..=u8::MAX;
    let names = codes.flat_map(|code| {
        let op = Op::from_code(code).map(|op| format!("{op:?}"));
        let algorithm = Algorithm::from_code(code).map(|algorithm| format!("{algorithm:?}"));
        let activation = Activation::from_code(code).map(|activation| format!("{activation:?}"));
        [op, algorithm, activation]
    });
    names.flatten().chain(["a result in bytes".into(), "a map of two readers".into()]).collect()
}

/// What of this a model has.
fn contents(model: &Model<'_>) -> BTreeSet<String> {
    let mut contents = BTreeSet::new();
    let mut readers = vec![0; model.layer_count() + 1];
    for layer in model.layers() {
        contents.extend([format!("{:?}", layer.op), format!("{:?}", layer.algorithm)]);
        contents.insert(format!("{:?}", layer.activation));
        layer.input_maps().for_each(|map| readers[map] += 1);
    }
    if model.layers().all(|layer| layer.activation != Activation::Logits) {
        contents.insert("a result in bytes".into());
    }
    if readers.iter().any(|&count| count > 1) {
        contents.insert("a map of two readers".into());
    }
    contents
}

/// What the small samples of this version have already.
fn present() -> Result<BTreeSet<String>> {
    let mut present = BTreeSet::new();
    for entry in fs::read_dir(directory())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(&format!("v{VERSION}-")) && name.ends_with(".tnet") {
            let file = fs::read(&path)?;
            if file.len() <= MOST_BYTES {
                present.extend(contents(&Model::parse(&file).with_context(|| name)?));
            }
        }
    }
    Ok(present)
}

fn write_random(seed: u64) -> Result<()> {
    let file = random::planned(seed, Optimize::Speed);
    let direct = random::planned(seed, Optimize::Ram);
    let image = Rng::new(seed).bytes(Model::parse(&file)?.input().len());
    write(&format!("random-{seed}"), &file, &direct, &image)
}

/// Writes a sample. `direct`: the same network with direct weights, which are what the reference reads.
fn write(name: &str, file: &[u8], direct: &[u8], image: &[u8]) -> Result<()> {
    let logits = reference::logits(&Model::parse(direct)?, image);
    let text: String = logits.iter().map(|logit| format!("{logit}\n")).collect();
    for (ending, bytes) in [("tnet", file), ("image", image), ("logits", text.as_bytes())] {
        let path = path(name, ending);
        let is_new = fs::read(&path).map_or(true, |there| there == bytes);
        ensure!(is_new, "{} exists: samples of a released version are never changed", path.display());
        fs::write(path, bytes)?;
    }
    Ok(())
}

fn directory() -> PathBuf {
    shipped::root().join("inference-core/tests/samples")
}

fn path(name: &str, ending: &str) -> PathBuf {
    directory().join(format!("v{VERSION}-{name}.{ending}"))
}
