//! The shortest way from a model to a board: builds the firmware with a model in it, boots it in QEMU, lets it classify a
//! picture, and compares with the host. `cargo xtask try` installs what that needs and calls it.
//!
//!     cargo run --release -p thumbnet-device --example try -- mps2-an386 models/nano/model.tnet [PICTURE.png]

use std::error::Error;
use std::path::Path;

use thumbnet::preprocess::{self, SIDE};
use thumbnet::{Model, Network, softmax};
use thumbnet_device::{Board, Emulator, FirmwareImage};

/// The first MNIST test image.
const SEVEN: &[u8; SIDE * SIDE] = include_bytes!("../../examples/seven.image");
/// Widest bar, in characters.
const BAR: f32 = 40.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [board, model, picture @ ..] = arguments.as_slice() else {
        return Err("usage: try BOARD MODEL.tnet [PICTURE.png]".into());
    };
    let (board, path) = (Board::find(board)?, Path::new(model));
    let pixels = match picture.first() {
        Some(path) => read(Path::new(path)).map_err(|error| format!("{path}: {error}"))?,
        None => *SEVEN,
    };
    draw(&pixels);

    println!("building the firmware for {} ({}), with {} in it", board.name, board.core, path.display());
    let image = FirmwareImage::build(board, path)?;
    println!(
        "{} bytes of flash, {} of them data; {} bytes of memory for the network",
        image.text, image.data, image.arena
    );
    let mut emulator = Emulator::boot(&image.elf, board)?;
    let line = emulator.connection();
    let (info, answer) = (line.info()?, line.classify(&pixels)?);

    let bytes = std::fs::read(path)?;
    let model = Model::parse(&bytes)?;
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena)?;
    let own = network.classify(&pixels)?;
    if !own.logits().iter().eq(answer.logits.iter().copied()) {
        return Err("the board gives other logits than the host".into());
    }
    let mut probabilities = vec![0.0; model.outputs()];
    softmax(own.logits(), model.output_scale(), &mut probabilities);
    println!("\nthe board says {}\n", answer.class);
    for (class, probability) in probabilities.iter().enumerate() {
        println!("{class:>3} {:5.1} % {}", probability * 100.0, "█".repeat((probability * BAR).round() as usize));
    }
    println!("\nthe same {} logits as on this machine, bit for bit", answer.logits.len());
    if let Some(instructions) = answer.ticks.and_then(|ticks| info.instructions(ticks)) {
        println!("{instructions} instructions of its {}", info.core);
    }
    Ok(())
}

/// A picture of one digit in MNIST's form.
fn read(path: &Path) -> Result<[u8; SIDE * SIDE], Box<dyn Error>> {
    let picture = image::open(path)?.into_luma8();
    let mut pixels = [0; SIDE * SIDE];
    preprocess::digit(&picture, picture.width() as usize, picture.height() as usize, &mut pixels)?;
    Ok(pixels)
}

/// Shows the pixels, two rows in a line of the terminal.
fn draw(pixels: &[u8; SIDE * SIDE]) {
    let (rows, _) = pixels.as_chunks::<SIDE>();
    for pair in rows.chunks(2) {
        let ink = |row: usize, column: usize| pair.get(row).is_some_and(|row| row[column] > 96);
        let line: String = (0..SIDE)
            .map(|column| match (ink(0, column), ink(1, column)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            })
            .collect();
        println!("{}", line.trim_end());
    }
}
