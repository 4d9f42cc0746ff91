//! A batch split among several devices is the same step.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use trainer::data;
use trainer::data::Data;
use trainer::network::Network;
use trainer::step::Step;
use trainer::stepper::Stepper;

/// Batch normalization sees one device's part of the batch. Here both parts hold the same images, so that it computes the
/// same as on the whole batch, and so must the gradients.
#[test]
fn equal_halves_have_the_gradients_of_the_whole() {
    let spec = networks::find("nano").unwrap();
    let set = Data::load(&spec, None, Some(8)).unwrap().train;
    let indices: Vec<usize> = (0..8).chain(0..8).collect();
    let load = |indices: &[usize], device: &Device| data::batch(&set, indices.iter().copied(), device);
    let step = |devices: &[Device]| {
        let stepper = Stepper::new(devices);
        let network = Network::new(&spec, 1, stepper.main_device()).unwrap();
        let step = stepper.step(&network, &indices, &load).unwrap();
        let weights = network.blocks[1].conv.weight.id;
        let Step { loss, answers, gradients } = step;
        (loss, answers, values(&gradients, weights))
    };
    let (one, two) = (step(&[Device::flex()]), step(&[Device::flex(), Device::flex()]));
    assert!((one.0 - two.0).abs() < 1e-6, "losses {} and {}", one.0, two.0);
    assert_eq!(one.1, two.1, "answers");
    let largest = one.2.iter().fold(0f32, |max, value| max.max(value.abs()));
    assert!(largest > 1e-4, "there is something to compare: {largest}");
    let difference = one.2.iter().zip(&two.2).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < 1e-5 * largest.max(1.0), "gradients differ by {difference}, the largest is {largest}");
}

fn values(gradients: &GradientsParams, id: burn::module::ParamId) -> Vec<f32> {
    let gradient: Tensor<4> = gradients.get(id).unwrap();
    gradient.to_data().try_to_vec().unwrap()
}
