//! Every committed input of every target, and changed ones: the same on every run, on stable Rust.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::{env, fs};

use fastrand::Rng;
use fuzz::{RunError, TARGETS, inputs, mutated, repair, run};

/// Changed inputs of each target; `FUZZ_MUTATIONS` asks for another number.
const MUTATIONS: u64 = if cfg!(debug_assertions) { 10_000 } else { 50_000 };
/// What the names of inputs begin with that once broke a promise; the others are good files.
const FOUND: &str = "found-";

#[test]
fn no_input_and_no_changed_input_breaks_a_promise() {
    let mutations = env::var("FUZZ_MUTATIONS").map_or(MUTATIONS, |text| text.parse().expect("a number"));
    for &(name, target) in TARGETS {
        let inputs = inputs(name).unwrap();
        assert!(!inputs.is_empty(), "{name}: no inputs");
        for (file, bytes) in &inputs {
            survive(name, target, bytes, file);
        }
        let mut rng = Rng::with_seed(1);
        for mutation in 0..mutations {
            let [input, other] = [0; 2].map(|_| &inputs[rng.usize(..inputs.len())]);
            survive(
                name,
                target,
                &mutated(&input.1, &other.1, &mut rng),
                &format!("mutation {mutation} of {}", input.0),
            );
        }
        println!("{name}: {} inputs and {mutations} changed ones, 0 crashes", inputs.len());
    }
}

/// Calls a target; where it panics, the bytes are kept for a debugger, or for the corpus.
fn survive(name: &str, target: fn(&[u8]), bytes: &[u8], what: &str) {
    if panic::catch_unwind(AssertUnwindSafe(|| target(bytes))).is_err() {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{FOUND}{name}"));
        fs::write(&kept, bytes).unwrap();
        panic!("{name}: {what} breaks a promise; the bytes are in {}", kept.display());
    }
}

#[test]
fn good_models_run_and_changed_ones_do_so_often_enough() {
    let mut rng = Rng::with_seed(2);
    let inputs = inputs("model").unwrap();
    let (mut refused, mut ran) = (0, 0);
    for (file, bytes) in inputs.iter().filter(|(name, _)| !name.starts_with(FOUND)) {
        assert_eq!(run(bytes, u64::MAX), Ok(()), "{file}");
        for _ in 0..1000 {
            let mut changed = mutated(bytes, bytes, &mut rng);
            repair(&mut changed);
            match run(&changed, 1 << 20) {
                Ok(()) => ran += 1,
                Err(RunError::Refused(_) | RunError::TooLarge) => refused += 1,
            }
        }
    }
    println!("{refused} changed models are refused, {ran} run");
    assert!(refused > 1000 && ran > 1000, "{refused} refused, {ran} ran");
}
