//! Core on the host against the firmware on the emulated boards, over the serial protocol, bit for bit.

use compiler::device::Board;
use host_tests::boards::Session;
use host_tests::shipped::{self, TEST_IMAGES};

use crate::{Case, cnn3_k3_relu, nano};

/// Images for nano on every board and for all models on the first one.
const IMAGES: usize = 100;
/// Images for a larger model, which takes a small core long.
const FEW_IMAGES: usize = 5;

/// One test, so that one emulator runs at a time.
#[test]
fn every_board_equals_the_host() {
    for (index, board) in Board::all().iter().filter(|board| board.emulator.is_some()).enumerate() {
        equals_the_host(board, nano(), IMAGES);
        equals_the_host(board, cnn3_k3_relu(), if index == 0 { IMAGES } else { FEW_IMAGES });
    }
}

fn equals_the_host(board: &Board, case: &Case, images: usize) {
    let model = shipped::path(case.name, "model.tnet");
    let mut session = Session::boot(board, &model).unwrap_or_else(|error| panic!("{error:#}"));
    for index in 0..images {
        let logits =
            session.logits(TEST_IMAGES.image(index)).unwrap_or_else(|error| panic!("image {index}: {error:#}"));
        assert_eq!(logits, case.logits[index], "{} on {}, test image {index}", case.name, board.name);
    }
    println!("{}: {images}/{images} identical on {}", case.name, board.name);
}
