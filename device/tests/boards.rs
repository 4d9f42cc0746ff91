//! Boards that people own, in emulators: the image that would be flashed, asked over its serial line.

use std::path::Path;

use dataset::{Dataset, Split};
use thumbnet::{Model, Network};
use thumbnet_device::{Board, Connection, Emulator, FirmwareImage, Place, Runner};

/// Images for every board.
const IMAGES: usize = 20;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What `nano` on the board answers is what it answers here, bit for bit; the board knows where it is.
fn answers_as_the_host_does(name: &str) {
    let board = Board::find(name).unwrap();
    let path = root().join("models/nano/model.tnet");
    let bytes = std::fs::read(&path).unwrap();
    let model = Model::parse(&bytes).unwrap();
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).unwrap();
    let images = Dataset::load(&root().join("trainer/data/mnist"), Split::Test).unwrap();

    let image = FirmwareImage::build(board, &path).unwrap();
    let mut emulator = Emulator::boot(&image.elf, board).unwrap();
    let line = emulator.connection();
    describes_itself(line, board, &image, &model);
    let mut ticks = Vec::new();
    for index in 0..IMAGES {
        let pixels = images.image(index);
        let host = network.classify(pixels).unwrap();
        // Whole and in rows by turns.
        let found = if index % 2 == 0 { line.classify(pixels) } else { line.classify_rows(pixels, 28) };
        let found = found.unwrap_or_else(|error| panic!("{name}, image {index}: {error}"));
        assert_eq!(found.logits, host.logits().iter().collect::<Vec<_>>(), "{name}, image {index}");
        assert_eq!(found.class, host.class(), "{name}, image {index}");
        ticks.extend(found.ticks);
    }
    let info = line.info().unwrap();
    let (fastest, slowest) = (ticks.iter().min().unwrap(), ticks.iter().max().unwrap());
    println!(
        "{name}: {IMAGES}/{IMAGES} identical, {fastest} to {slowest} ticks, {:?} instructions, {:?} ms",
        info.instructions(*slowest),
        info.milliseconds(*slowest)
    );
    // The image sets its clocks as it would on the chip, and counts: a millisecond at least, a second at most.
    let spent = info.milliseconds(*fastest).or(info.instructions(*fastest).map(|count| count as f64 / 16_000.0));
    assert!((1.0..1000.0).contains(&spent.unwrap()), "{spent:?} ms");
}

fn describes_itself(line: &mut Connection, board: &Board, image: &FirmwareImage, model: &Model<'_>) {
    let info = line.info().unwrap_or_else(|error| panic!("{}: {error}", board.name));
    let place = match board.emulator {
        Some(Runner::Rp2040js(_)) => Place::Cycles,
        _ => Place::Instructions,
    };
    assert_eq!(
        (info.board.as_str(), info.core.as_str(), info.place),
        (board.name.as_str(), board.core.as_str(), place)
    );
    assert_eq!((info.model.as_str(), info.model_bytes as usize), (model.name(), model.bytes().len()));
    // What the linker knows of the image, which leaves out what is not loaded.
    let flash = u64::from(info.flash_bytes);
    assert!((image.text - 1024..=image.text + image.data + 64).contains(&flash), "{flash} bytes, {image:?}");
}

#[test]
fn pico() {
    answers_as_the_host_does("pico");
}

#[test]
fn pico_usb() {
    answers_as_the_host_does("pico-usb");
}

#[test]
fn netduino() {
    answers_as_the_host_does("netduinoplus2");
}

#[test]
fn hifive1() {
    answers_as_the_host_does("hifive1");
}

#[test]
fn every_board_with_an_emulator_is_compared_somewhere() {
    let compared = ["pico", "pico-usb", "netduinoplus2", "hifive1"];
    let others: Vec<_> = Board::emulated().filter(|board| !board.measured).map(|board| &board.name).collect();
    assert_eq!(others, compared);
}
