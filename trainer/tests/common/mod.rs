//! A small network and a way to train it for some steps.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::cell::Cell;
use std::path::Path;

use networks::NetworkSpec;
use trainer::backend::Backend;
use trainer::data::Data;
use trainer::progress::Progress;
use trainer::train::{Options, Outcome, train};

/// Everything random at once: shuffling, dropout, augmentation; two optimizers and every kind of pooling.
pub fn small() -> NetworkSpec {
    let table = r#"
        [[network]]
        name = "small"
        kernel = 3
        activation = "relu"
        init = "he_uniform"
        blocks = [[8, "same", "same/1"], [8, "valid", "valid"], [8, "same", ""], [8, "same", "same"]]
        dense = 16
        dropout = 0.25
        optimizer = ["sgd", "adam"]
        epochs = 2
        batch = 32
        schedule = "cosine"
        validation = 5000
        augment = { shift = 1.0, rotate = 5.0, scale = 0.1 }
    "#;
    networks::parse(table).unwrap().remove(0)
}

pub fn options(out: &Path, resume: bool) -> Options {
    Options { seed: 5, backend: Backend::Flex, devices: Vec::new(), out: out.to_path_buf(), resume }
}

/// Trains until `steps` steps are done.
pub fn run(spec: &NetworkSpec, data: &Data, options: &Options, steps: usize) -> Outcome {
    let left = Cell::new(steps);
    let stop = || {
        left.set(left.get().saturating_sub(1));
        left.get() == 0
    };
    train(spec, data, options, &Progress::Quiet, &stop).unwrap()
}
