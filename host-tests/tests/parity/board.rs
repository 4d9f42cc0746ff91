//! Core on the host against the firmware on the emulated boards, over the serial protocol, bit for bit.

use compiler::device::Board;
use host_tests::boards::Session;
use host_tests::shipped::{self, TEST_IMAGES};

use crate::{Case, cnn3_k3_relu, nano};

const IMAGES: usize = 100;

#[test]
fn nano_equals_every_board() {
    for board in Board::all().iter().filter(|board| board.emulator.is_some()) {
        equals_the_board(nano(), board);
    }
}

#[test]
fn cnn3_k3_relu_equals_the_default_board() {
    equals_the_board(cnn3_k3_relu(), &Board::all()[0]);
}

fn equals_the_board(case: &Case, board: &Board) {
    let model = shipped::path(case.name, "model.tnet");
    let mut session = Session::boot(board, &model).unwrap_or_else(|error| panic!("{error:#}"));
    for index in 0..IMAGES {
        let logits =
            session.logits(TEST_IMAGES.image(index)).unwrap_or_else(|error| panic!("image {index}: {error:#}"));
        assert_eq!(logits, case.logits[index], "{} on {}, test image {index}", case.name, board.name);
    }
    println!("{}: {IMAGES}/{IMAGES} identical on {}", case.name, board.name);
}
