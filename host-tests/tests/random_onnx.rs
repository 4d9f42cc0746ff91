//! Random ONNX networks with branches through compiler and core: for every goal equal to the reference, in tract as close as
//! rounding allows.

use host_tests::{random_parity, reference};
use thumbnet::Model;

/// Networks that CI tries; `cargo xtask parity --networks N` tries more.
const NETWORKS: u32 = 2_000;
/// Batches of a longer run in which something was wrong once.
const FOUND: [usize; 1] = [7];
/// Networks of that run.
const MANY: u32 = 100_000;

#[test]
fn compiled_networks_equal_reference_and_tract() {
    let summary = random_parity::compare(NETWORKS, reference::outputs).unwrap_or_else(|error| panic!("{error}"));
    println!("{summary:?}");
    assert_eq!(summary.networks, u64::from(NETWORKS));
    // It is worth little if the compiler never makes what it compares.
    for op in ["Conv", "GroupedConv", "DepthwiseConv", "Dense", "GlobalAveragePool", "Add", "AveragePool", "Concat"] {
        assert!(summary.kinds.contains_key(&format!("{op}, Clamp")), "no {op}");
    }
    for op in ["Conv", "GroupedConv", "DepthwiseConv", "Dense", "GlobalAveragePool", "Add", "AveragePool"] {
        let tables = ["Table", "ByteTable"].map(|table| summary.kinds.get(&format!("{op}, {table}")));
        assert!(tables.iter().any(Option::is_some), "no {op} with a table: {:?}", summary.kinds);
    }
    assert!(summary.kinds.contains_key("MaxPool, Clamp") && summary.kinds.contains_key("Dense, Logits"));
    assert!(summary.refused * 5 < summary.networks, "{} were refused", summary.refused);
}

#[test]
fn networks_that_were_once_wrong_stay_right() {
    for index in FOUND {
        let summary = random_parity::batch(index, MANY, reference::outputs).unwrap_or_else(|error| panic!("{error}"));
        assert!(summary.networks > 0, "batch {index} is empty");
    }
}

/// A reference that is wrong where a layer pools in steps of two.
fn wrong(model: &Model<'_>, image: &[u8]) -> Vec<Vec<i32>> {
    let mut outputs = reference::outputs(model, image);
    if model.layers().any(|layer| layer.pool.stride == 2)
        && let Some(logit) = outputs.last_mut().and_then(|logits| logits.first_mut())
    {
        *logit += 1;
    }
    outputs
}

#[test]
fn a_difference_is_shrunk_to_a_small_network() {
    let error = random_parity::compare(NETWORKS / 4, wrong).expect_err("the reference is wrong");
    println!("{error}");
    // The second one may be needed to make a map that the first one's pooling fits.
    assert!((1..=2).contains(&error.matches("Layer {").count()), "one or two layers show it: {error}");
    assert!(!error.contains("norm: Before") && !error.contains("activation: Some"), "nothing else is needed: {error}");
}
