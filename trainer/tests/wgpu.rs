//! A GPU, or a Vulkan device on the processor, computes what the processor does.

mod common;

use std::process::Command;

use common::{options, run};
use networks::{NetworkSpec, Optimizer};
use trainer::backend::Backend;
use trainer::data::Data;
use trainer::history::EpochRecord;
use trainer::train::{Options, Outcome};

/// Largest difference of a loss between two backends.
const TOLERANCE: f64 = 1e-3;

#[test]
fn nano_learns_the_same_on_wgpu_and_on_flex() {
    for optimizer in [Optimizer::Adam, Optimizer::Sgd] {
        // Four steps; no dropout, so nothing random comes from the backend.
        let spec = NetworkSpec { optimizer: vec![optimizer], epochs: 1, batch: 16, ..networks::find("nano").unwrap() };
        let data = Data::load(&spec, None, Some(64)).unwrap();
        let trained = |backend| -> EpochRecord {
            let dir = tempfile::tempdir().unwrap();
            let options = Options { backend, ..options(dir.path(), false) };
            match run(&spec, &data, &options, usize::MAX) {
                Outcome::Finished(card) => card.last_epoch,
                outcome => panic!("{outcome:?}"),
            }
        };
        let (flex, wgpu) = (trained(Backend::Flex), trained(Backend::Wgpu));
        println!("after 4 steps of nano with {optimizer:?}: flex {flex:?}, wgpu {wgpu:?}");
        let difference = (flex.loss - wgpu.loss).abs();
        assert!(difference < TOLERANCE, "training losses differ by {difference}");
        // A bias before batch normalization has a gradient of nothing but rounding errors, and Adam steps as far for it as
        // for any other. In training the batch's mean takes that bias away; the running mean of validation does not.
        let difference = (flex.val_loss - wgpu.val_loss).abs();
        assert!(optimizer == Optimizer::Adam || difference < TOLERANCE, "validation losses differ by {difference}");
    }
}

#[test]
fn a_missing_device_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let train = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
        command.args(["train", "nano", "--limit", "16", "--backend", "wgpu"]).args(more).current_dir(dir.path());
        // Vulkan finds its drivers by these files; there is no OpenGL without a display either.
        command.env("VK_DRIVER_FILES", "none").env("VK_ICD_FILENAMES", "none").env("LIBGL_DRIVERS_PATH", "none");
        let output = command.output().unwrap();
        assert!(!output.status.success(), "{more:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let error = train(&[]);
    assert!(error.contains("the backend `wgpu` finds no device here: install"), "{error}");
    let error = train(&["--devices", "7"]);
    assert!(error.contains("the backend `wgpu` has no device 7"), "{error}");
}
