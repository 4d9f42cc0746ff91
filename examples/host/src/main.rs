//! What digit a picture shows, on a workstation.

use std::error::Error;

use thumbnet::preprocess::{self, SIDE};
use thumbnet::{Model, Network, include_model, softmax};

const DIGIT: Model = include_model!("../../digit.tnet");

fn main() -> Result<(), Box<dyn Error>> {
    let mut pixels = [0; SIDE * SIDE];
    match std::env::args().nth(1) {
        Some(path) => {
            let picture = image::open(path)?.into_luma8();
            preprocess::digit(&picture, picture.width() as usize, picture.height() as usize, &mut pixels)?;
        }
        None => pixels = *include_bytes!("../../seven.image"),
    }

    let mut arena = [0; DIGIT.arena_len()];
    let mut network = Network::new(&DIGIT, &mut arena)?;
    let answer = network.classify(&pixels)?;
    let mut probabilities = [0.0; DIGIT.outputs()];
    softmax(answer.logits(), DIGIT.output_scale(), &mut probabilities);
    println!("a {}, with {:.1} %", answer.class(), 100.0 * probabilities[answer.class()]);
    Ok(())
}
