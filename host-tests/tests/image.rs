//! What is in the image that ships: program of the right kind.

use anyhow::{Result, ensure};
use host_tests::network_path::{self, Piece};
use host_tests::shipped;
use host_tests::thumb::{instructions, is_float, is_smlad};
use thumbnet_device::{Board, FirmwareImage};

const BOARD: &str = "mps2-an386";
/// Bytes of program and constants that the network may need of the image that ships, and of one with all kernels.
const MOST_OF_NANO: u64 = 12_800;
const MOST_OF_ALL: u64 = 25_900;

/// What the names of kernels contain, mangled, that no family has in assembly.
const PORTABLE: [&str; 7] = [
    "7grouped3row",
    "8portable8conv_row",
    "3add3row",
    "6concat3row",
    "5pools7max_row",
    "5pools11average_row",
    "12dense_vector3row",
];

fn image(board: &str) -> Result<FirmwareImage> {
    Ok(FirmwareImage::build(Board::find(board)?, &shipped::path("nano", "model.tnet"))?)
}

fn path(board: &str) -> Result<Vec<Piece>> {
    network_path::network_path(&network_path::read(&image(board)?.elf)?)
}

fn has(path: &[Piece], predicate: impl Fn(u32) -> bool + Copy) -> Option<&str> {
    path.iter().find(|piece| instructions(&piece.code).any(predicate)).map(|piece| piece.name.as_str())
}

#[test]
fn the_network_multiplies_in_pairs_and_neither_panics_nor_uses_floats() -> Result<()> {
    let path = path(BOARD)?;
    // An empty path would have none of what follows.
    for entry in ["Model6proved", "4step", "8push_row", "6finish"] {
        ensure!(path.iter().any(|piece| piece.name.contains(entry)), "{entry} is not in the network path");
    }
    ensure!(has(&path, is_smlad).is_some(), "no smlad");
    ensure!(has(&path, is_float).is_none(), "a float instruction in {:?}", has(&path, is_float));
    // The build script has checked the plan.
    ensure!(!path.iter().any(|piece| piece.name.contains("Model5parse")), "the image parses its own model");
    check_size_and_panics(&path, MOST_OF_NANO)
}

#[test]
fn all_kernels_together_are_small_and_none_panics() -> Result<()> {
    let image = FirmwareImage::build_for_any_model(Board::find(BOARD)?)?;
    let path = network_path::network_path(&network_path::read(&image.elf)?)?;
    // Each kernel of the core is there.
    for kernel in ["conv_row", "dense_row", "thumbnet_tiles_10", "thumbnet_dsp_sums_7"].iter().chain(&PORTABLE) {
        ensure!(path.iter().any(|piece| piece.name.contains(kernel)), "{kernel} is not in the network path");
    }
    check_size_and_panics(&path, MOST_OF_ALL)
}

#[test]
fn portable_kernels_do_not_panic() -> Result<()> {
    let image = FirmwareImage::build_for_any_model(Board::find("microbit")?)?;
    let path = network_path::network_path(&network_path::read(&image.elf)?)?;
    for kernel in ["transform_row", "tile_of"].iter().chain(&PORTABLE) {
        ensure!(path.iter().any(|piece| piece.name.contains(kernel)), "{kernel} is not in the network path");
    }
    check_size_and_panics(&path, MOST_OF_ALL)
}

fn check_size_and_panics(path: &[Piece], most: u64) -> Result<()> {
    let bytes: u64 = path.iter().map(|piece| piece.size).sum();
    println!("{bytes} bytes of program and constants in the network path");
    if std::env::var_os("PIECES").is_some() {
        path.iter().for_each(|piece| println!("{:6} {}", piece.size, piece.name));
    }
    ensure!(bytes <= most, "{bytes} bytes in the network path, more than {most}");
    let panic = path.iter().find(|piece| piece.name.contains("panick"));
    ensure!(panic.is_none(), "{panic:?} is reached");
    Ok(())
}
