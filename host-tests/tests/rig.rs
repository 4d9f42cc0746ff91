//! Counts of the image that takes any model against those of the image that ships.

use anyhow::Result;
use host_tests::boards::Session;
use host_tests::rig::Rig;
use host_tests::shipped::{self, TEST_IMAGES};
use thumbnet::Model;
use thumbnet_device::Board;

const BOARD: &str = "mps2-an386";
/// The image that ships leaves out the kernels that its model has no use for, and with them some choices: one part in
/// this many of a small network.
const CHOICES: u64 = 150;

#[test]
fn any_model_takes_what_it_takes_in_an_image_of_its_own() -> Result<()> {
    let board = Board::find(BOARD)?;
    let pixels = TEST_IMAGES.image(0);
    let shipped = Session::boot(board, &shipped::path("nano", "model.tnet"))?.instructions(pixels)?;
    let bytes = shipped::read("nano")?;
    let model = Model::parse(&bytes)?;
    let rig = Rig::build(board)?;
    let counts = rig.run(&model, pixels)?;
    println!("{BOARD}: {shipped} instructions as shipped, {counts:?}");
    let difference = counts.instructions.abs_diff(shipped);
    assert!(difference <= shipped / CHOICES, "{} and {shipped} instructions", counts.instructions);

    let layers = rig.run_layers(&model, pixels)?;
    println!("layers: {layers:?}");
    assert_eq!(layers.len(), model.layer_count());
    let sum: u64 = layers.iter().sum();
    assert!(sum >= counts.instructions && sum < counts.instructions * 101 / 100, "{sum} in all layers");
    Ok(())
}
