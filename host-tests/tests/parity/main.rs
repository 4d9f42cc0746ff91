//! For every shipped model: core = plain reference, core = tract = ONNX Runtime, core = emulated board,
//! and the accuracy that the README promises.

mod accuracy;
mod board;
mod integer_reference;
mod runtimes;

use std::sync::LazyLock;

use host_tests::shipped::{self, NAMES, TEST_IMAGES};
use inference_core::Model;

/// A shipped model and what the core says of the 10,000 test images.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    /// The core's logits, one vector an image.
    logits: Vec<Vec<i32>>,
}

impl Case {
    fn load(name: &'static str) -> Self {
        let bytes = shipped::read(name).unwrap_or_else(|error| panic!("{error:#}"));
        let model = Model::parse(&bytes).unwrap_or_else(|error| panic!("models/{name}/model.tnet: {error}"));
        let logits = shipped::core_logits(&model, &TEST_IMAGES);
        Self { name, bytes, logits }
    }

    fn model(&self) -> Model<'_> {
        Model::parse(&self.bytes).expect("it was parsed when it was loaded")
    }
}

/// Computed once, by the test that comes first.
static CASES: [LazyLock<Case>; 2] = [LazyLock::new(|| Case::load(NAMES[0])), LazyLock::new(|| Case::load(NAMES[1]))];

fn nano() -> &'static Case {
    &CASES[0]
}

fn cnn3_k3_relu() -> &'static Case {
    &CASES[1]
}
