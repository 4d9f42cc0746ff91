//! Core on the host against the firmware on the emulated Cortex-M4, over the serial protocol, bit for bit.

use compiler::device::Board;
use host_tests::boards::Session;
use host_tests::shipped::{self, TEST_IMAGES};

use crate::{Case, cnn3_k3_relu, nano};

const BOARD: &str = "mps2-an386";
const IMAGES: usize = 200;

#[test]
fn nano_equals_the_board() {
    equals_the_board(nano());
}

#[test]
fn cnn3_k3_relu_equals_the_board() {
    equals_the_board(cnn3_k3_relu());
}

fn equals_the_board(case: &Case) {
    let model = shipped::path(case.name, "model.tnet");
    let boot = || Session::boot(Board::find(BOARD)?, &model);
    let mut session = boot().unwrap_or_else(|error| panic!("{error:#}"));
    for index in 0..IMAGES {
        let logits =
            session.logits(TEST_IMAGES.image(index)).unwrap_or_else(|error| panic!("image {index}: {error:#}"));
        assert_eq!(logits, case.logits[index], "{} on {BOARD}, test image {index}", case.name);
    }
    println!("{}: {IMAGES}/{IMAGES} identical on {BOARD}", case.name);
}
