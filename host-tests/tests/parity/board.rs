//! Core on the host against the firmware on the emulated boards, over the serial protocol, bit for bit.

use compiler::device::Board;
use host_tests::boards::Session;
use host_tests::shipped::{self, TEST_IMAGES};

use crate::{Case, cnn3_k3_relu, nano};

/// Images for every model on the first board.
const MANY_IMAGES: usize = 200;
/// Images for nano on the others.
const IMAGES: usize = 100;
/// Images for a larger model on them: some take long to emulate.
const FEW_IMAGES: usize = 5;

/// One test, so that one emulator runs at a time.
#[test]
fn every_board_equals_the_host() {
    for (index, board) in Board::all().iter().filter(|board| board.emulator.is_some()).enumerate() {
        let (of_nano, of_cnn3) = if index == 0 { (MANY_IMAGES, MANY_IMAGES) } else { (IMAGES, FEW_IMAGES) };
        equals_the_host(board, nano(), of_nano);
        equals_the_host(board, cnn3_k3_relu(), of_cnn3);
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
