//! Random networks through compiler and core, against the plain reference and against tract.

use std::cell::RefCell;
use std::collections::BTreeMap;

use dataset::Dataset;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde::Serialize;
use thumbnet::format::{Activation, Shape};
use thumbnet::{Model, Network};
use thumbnet_compiler::{CompileError, Compiled, Core, Optimize, Options, compile, pack, qdq};

use crate::random_onnx::{Stack, stacks};
use crate::runtimes;
use crate::shipped::in_parallel;
use crate::steps::{Bounds, Differences, Histogram};

/// What every layer of a network gives; [`crate::reference::outputs`], unless a test breaks it.
pub type Reference = fn(&Model<'_>, &[u8]) -> Vec<Vec<i32>>;

/// Networks with a stream of random numbers of their own.
const BATCH: u32 = 500;

/// What was compared.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Networks that were compared, each compiled for every goal.
    pub networks: u64,
    /// Networks that the compiler refused: not counted above.
    pub refused: u64,
    /// Their layers.
    pub layers: u64,
    /// The same, by operator and activation.
    pub kinds: BTreeMap<String, u64>,
    /// Images in all.
    pub images: u64,
    /// Bytes that requantized layers gave in tract, against the core's.
    pub activations: Histogram,
    /// Results in tract, in steps of the last layer.
    pub logits: Histogram,
}

impl Summary {
    fn merge(&mut self, other: &Self) {
        self.networks += other.networks;
        self.refused += other.refused;
        self.layers += other.layers;
        self.images += other.images;
        other.kinds.iter().for_each(|(kind, &count)| self.count(kind, count));
        self.activations.merge(&other.activations);
        self.logits.merge(&other.logits);
    }

    fn count(&mut self, kind: &str, layers: u64) {
        *self.kinds.entry(kind.into()).or_default() += layers;
    }
}

/// Compares this many networks, always the same ones, on all processors; the error shows, of each batch that has one, the
/// smallest one found that differs.
pub fn compare(networks: u32, reference: Reference) -> Result<Summary, String> {
    let batches = networks.div_ceil(BATCH);
    let compared = in_parallel(batches as usize, |range| {
        let batch = |index: usize| batch(index, networks, reference);
        range.map(batch).collect()
    });
    let mut summary = Summary::default();
    let mut errors = Vec::new();
    for batch in compared {
        match batch {
            Ok(batch) => summary.merge(&batch),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(summary) } else { Err(errors.join("\n\n")) }
}

/// Compares one batch of so many networks; its own depend on nothing but its number.
pub fn batch(index: usize, networks: u32, reference: Reference) -> Result<Summary, String> {
    let networks = BATCH.min(networks.saturating_sub(index as u32 * BATCH));
    let config =
        Config { cases: networks, max_global_rejects: networks, failure_persistence: None, ..Config::default() };
    let mut seed = [0; 32];
    seed[..size_of::<usize>()].copy_from_slice(&index.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let summary = RefCell::new(Summary::default());
    let run = TestRunner::new_with_rng(config, rng).run(&stacks(), |stack| {
        let mut summary = summary.borrow_mut();
        match check(&stack, reference, &mut summary) {
            Ok(true) => Ok(()),
            Ok(false) => Err(TestCaseError::reject("refused by the compiler")),
            Err(difference) => Err(TestCaseError::fail(difference)),
        }
    });
    match run {
        Ok(()) => Ok(summary.into_inner()),
        Err(TestError::Fail(difference, stack)) => Err(format!("batch {index}: {difference}\n{stack:#?}")),
        Err(TestError::Abort(reason)) => Err(format!("batch {index}: too many networks were refused: {reason}")),
    }
}

/// Compares one network; `false` if the compiler refuses it.
fn check(stack: &Stack, reference: Reference, summary: &mut Summary) -> Result<bool, String> {
    let (measured, tested) = stack.images();
    let shape = stack.input.shape();
    let compiled = match compile(&stack.onnx(), &dataset(shape, &measured)?, &Options::named("random")) {
        Ok(compiled) => compiled,
        Err(CompileError::Unsupported { .. } | CompileError::Quantization { .. } | CompileError::Overflow { .. }) => {
            summary.refused += 1;
            return Ok(false);
        }
        Err(error) => return Err(format!("the compiler fails: {error}")),
    };
    let wanted = parse(&compiled.tnet, |model| tested.iter().map(|image| reference(model, image)).collect::<Vec<_>>())?;
    for optimize in Optimize::ALL {
        core(&compiled, optimize, &tested, &wanted)?;
    }
    let differences = tract(&compiled, &dataset(shape, &tested)?, &wanted)?;
    summary.networks += 1;
    summary.layers += compiled.quantized.layers.len() as u64;
    for layer in &compiled.quantized.layers {
        summary.count(&format!("{:?}, {:?}", layer.record.op, layer.record.activation), 1);
    }
    summary.images += tested.len() as u64;
    differences.layers.iter().for_each(|layer| summary.activations.merge(layer));
    summary.logits.merge(&differences.logits);
    Ok(true)
}

fn parse<T>(tnet: &[u8], then: impl FnOnce(&Model<'_>) -> T) -> Result<T, String> {
    Model::parse(tnet).map(|model| then(&model)).map_err(|error| error.to_string())
}

/// The core, compiled for a goal, against the reference: bit for bit.
fn core(compiled: &Compiled, optimize: Optimize, images: &[Vec<u8>], wanted: &[Vec<Vec<i32>>]) -> Result<(), String> {
    let tnet =
        pack::pack(&compiled.quantized, "random", optimize, Core::default()).map_err(|error| error.to_string())?;
    let model = Model::parse(&tnet).map_err(|error| error.to_string())?;
    let zero_point = zero_point(&model);
    // Old bytes in the arena must not matter.
    let mut arena = vec![0xa5; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).map_err(|error| error.to_string())?;
    for (index, (image, wanted)) in images.iter().zip(wanted).enumerate() {
        let prediction = network.classify(image).map_err(|error| error.to_string())?;
        let found: Vec<i32> = prediction.logits().iter().map(|value| value + zero_point).collect();
        if Some(&found) != wanted.last() {
            return Err(format!("{optimize:?}, image {index}: the core gives {found:?}, the reference {wanted:?}"));
        }
    }
    Ok(())
}

/// What the core takes from a result in bytes.
fn zero_point(model: &Model<'_>) -> i32 {
    model.layers().last().map_or(0, |last| match last.activation {
        Activation::Logits => 0,
        Activation::Clamp | Activation::Table | Activation::ByteTable => last.output_zero_point.into(),
    })
}

/// Every layer in tract against the reference's.
fn tract(compiled: &Compiled, images: &Dataset, wanted: &[Vec<Vec<i32>>]) -> Result<Differences, String> {
    let exposed = qdq::expose_layers(&compiled.qdq).map_err(|error| error.to_string())?;
    let outputs = runtimes::tract(&exposed, images).map_err(|error| format!("tract: {error:#}"))?;
    let bounds = parse(&compiled.tnet, |model| Bounds::of_compiled(model, &compiled.quantized))?;
    let mut differences = Differences::default();
    for (index, (ours, theirs)) in wanted.iter().zip(&outputs).enumerate() {
        let compared = bounds.compare(ours, theirs, &mut differences);
        compared.map_err(|difference| format!("tract, image {index}: {difference}"))?;
    }
    Ok(differences)
}

/// Images of the network's size, in the format that the compiler takes them: channels side by side.
fn dataset(shape: Shape, images: &[Vec<u8>]) -> Result<Dataset, String> {
    let head = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let count = images.len() as u32;
    let pixels = [head(&[0x803, count, shape.height.into(), shape.row_len() as u32]), images.concat()].concat();
    let labels = [head(&[0x801, count]), vec![0; images.len()]].concat();
    Dataset::from_bytes(&pixels, &labels).map_err(|error| error.to_string())
}
