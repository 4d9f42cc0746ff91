//! Core against the plain integer reference and against itself, on unusual images and ways to give them.

use host_tests::parity::Case;
use host_tests::reference;
use host_tests::rng::Rng;
use host_tests::shipped::TEST_IMAGES;
use thumbnet::{Network, Step};

use crate::CASES;

#[test]
fn unusual_images_equal_the_reference() {
    CASES.iter().for_each(unusual_images);
}

#[test]
fn rows_one_by_one_equal_whole_images() {
    CASES.iter().for_each(rows_one_by_one);
}

/// Images that no training set has, the extremes of every sum among them.
fn unusual_images(case: &Case) {
    let model = case.model();
    let mut arena = vec![0xa5; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).unwrap();
    let len = TEST_IMAGES.image(0).len();
    let mut rng = Rng::new(1);
    let mut images = vec![vec![0; len], vec![255; len], (0..len).map(|pixel| (pixel % 2 * 255) as u8).collect()];
    images.extend((0..20).map(|_| rng.bytes(len)));
    images.extend((0..20).map(|_| (0..len).map(|_| rng.pick(&[0, 255])).collect::<Vec<u8>>()));
    for (index, image) in images.iter().enumerate() {
        let core: Vec<i32> = network.classify(image).unwrap().logits().iter().collect();
        assert_eq!(core, reference::logits(&model, image), "{}, unusual image {index}", case.name);
    }
}

/// A camera's way: a row, some work, the next row.
fn rows_one_by_one(case: &Case) {
    let model = case.model();
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).unwrap();
    for index in 0..50 {
        network.reset();
        for (row, pixels) in TEST_IMAGES.image(index).chunks_exact(model.input_row_len()).enumerate() {
            network.push_row(pixels).unwrap();
            // Work left over is done by the next call, or at the end.
            for _ in 0..(row + index) % 3 {
                let Step::Worked { .. } = network.step() else { break };
            }
        }
        let found: Vec<i32> = network.finish().unwrap().logits().iter().collect();
        assert_eq!(found, case.logits[index], "{}, test image {index}", case.name);
    }
}
