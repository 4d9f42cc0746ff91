//! Core against everything else that runs the models, as `cargo xtask parity` compares them, with fewer images of the
//! large ones.

use anyhow::{Result, ensure};
use host_tests::parity::{self, Effort, Row};
use host_tests::runtimes::{self, onnx_runtime};
use host_tests::shipped::{self, TEST_IMAGES, class};

use crate::CASES;

const EFFORT: Effort = Effort::Quick;

fn expect_parity(row: &Row) -> Result<()> {
    println!("{row:?}");
    row.expect_parity()
}

#[test]
fn the_reference_gives_the_same_bits() -> Result<()> {
    CASES.iter().try_for_each(|case| expect_parity(&parity::reference(case, EFFORT)))
}

#[test]
fn runtimes_give_the_same_digits() -> Result<()> {
    for case in CASES.iter() {
        for runtime in runtimes::ALL {
            expect_parity(&parity::runtime(case, runtime, EFFORT)?)?;
        }
    }
    Ok(())
}

#[test]
fn every_layer_in_a_runtime_is_within_a_step() -> Result<()> {
    for case in CASES.iter() {
        for runtime in runtimes::ALL {
            println!("{:?}", parity::layers(case, runtime, EFFORT)?);
        }
    }
    Ok(())
}

#[test]
fn runtimes_agree_on_the_float_networks() -> Result<()> {
    for case in CASES.iter() {
        println!("{:?}", parity::float(case, EFFORT)?);
    }
    Ok(())
}

/// One test, so that one emulator runs at a time.
#[test]
fn boards_give_the_same_bits() -> Result<()> {
    for (index, case) in CASES.iter().enumerate() {
        for board in parity::boards(case, index, EFFORT) {
            expect_parity(&parity::board(case, board, EFFORT)?)?;
        }
    }
    Ok(())
}

#[test]
fn onnx_runtime_has_the_accuracy_that_burn_had() -> Result<()> {
    for case in CASES.iter() {
        let card: serde_json::Value = serde_json::from_slice(&std::fs::read(shipped::path(&case.name, "card.json"))?)?;
        let burn = card["test_accuracy"].as_f64();
        let theirs = onnx_runtime(&std::fs::read(shipped::path(&case.name, "model.onnx"))?, &TEST_IMAGES)?;
        let labels = theirs.iter().zip(TEST_IMAGES.labels());
        let right = labels.filter(|(logits, label)| class(&logits[0]) == usize::from(**label)).count();
        println!("{}: {right} images right in ONNX Runtime, accuracy {burn:?} in Burn", case.name);
        ensure!(Some(right as f64 / TEST_IMAGES.len() as f64) == burn, "{}", case.name);
    }
    Ok(())
}
