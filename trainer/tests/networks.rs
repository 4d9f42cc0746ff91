//! The networks are those of the notebook, layer by layer.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use networks::{NetworkSpec, Shape};
use trainer::layers::{rows, totals};
use trainer::network::Network;

#[test]
fn parameter_totals_are_the_notebooks() {
    let notebook: Vec<NetworkSpec> = networks::all().unwrap().into_iter().filter(|s| s.notebook.is_some()).collect();
    assert_eq!(notebook.len(), 13);
    for spec in notebook {
        let (sums, wanted) = (totals(&rows(&spec).unwrap()), spec.notebook.unwrap());
        assert_eq!((sums.params, sums.trainable), (wanted.params, wanted.trainable), "{}", spec.name);
    }
}

#[test]
fn the_module_has_the_parameters_of_the_table() {
    for spec in networks::all().unwrap() {
        let sums = totals(&rows(&spec).unwrap());
        let network = Network::new(&spec, 1, &Device::default()).unwrap();
        assert_eq!(network.num_params(), sums.params, "{}", spec.name);
    }
}

#[test]
fn the_module_has_the_shapes_of_the_table() {
    let device = Device::default();
    for spec in networks::all().unwrap() {
        let network = Network::new(&spec, 1, &device).unwrap();
        let Shape { height, width, channels } = network.input();
        let images = Tensor::zeros([2, channels, height, width], &device);
        let maps = network.maps(images.clone());
        for (layer, map) in spec.layers().unwrap().iter().zip(&maps[1..]) {
            let Shape { height, width, channels } = layer.output;
            assert_eq!(map.dims(), [2, channels, height, width], "{}: {layer:?}", spec.name);
        }
        assert_eq!(network.forward(images).dims(), [2, spec.classes()], "{}", spec.name);
    }
}

#[test]
fn rows_are_those_that_keras_would_print() {
    let kinds = |name: &str| -> Vec<&str> {
        rows(&networks::find(name).unwrap()).unwrap().iter().map(|row| row.kind).collect()
    };
    let block = ["Conv2D", "BatchNormalization", "Activation"];
    let residual = rows(&networks::find("residual").unwrap()).unwrap();
    let names: Vec<&str> = residual.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names[6..10], ["conv2d_3", "batch_normalization_3", "add_1", "activation_3"]);
    assert_eq!(kinds("residual")[..6], [block, block].concat());
    assert_eq!(kinds("separable")[3..5], ["MaxPooling2D", "DepthwiseConv2D"]);
    assert_eq!(kinds("cnn3_k3_relu")[..5], ["Conv2D", "BatchNormalization", "Activation", "MaxPooling2D", "Dropout"]);
    assert_eq!(
        kinds("cnn3_k3_relu")[15..],
        ["Flatten", "Dense", "BatchNormalization", "Activation", "Dropout", "Dense"]
    );
    assert_eq!(kinds("anomaly")[..4], ["Flatten", "Dense", "BatchNormalization", "Activation"]);
    assert_eq!(kinds("nano")[kinds("nano").len() - 2..], ["GlobalAveragePooling2D", "Dense"]);
}

#[test]
fn output_shapes_of_some_networks_are_the_notebooks() {
    let shapes = |name: &str, kind: &str| {
        let rows = rows(&networks::find(name).unwrap()).unwrap();
        rows.into_iter().filter(|row| row.kind == kind).map(|row| row.output).collect::<Vec<_>>()
    };
    assert_eq!(shapes("cnn3_k3_relu", "MaxPooling2D"), [[14, 14, 96], [7, 7, 64], [4, 4, 32]]);
    assert_eq!(shapes("cnn3_k3_relu", "Flatten"), [[512]]);
    // "same" pooling with stride 1 keeps 22 x 22.
    assert_eq!(shapes("cnn3_k7_relu", "MaxPooling2D"), [[22, 22, 10], [5, 5, 32]]);
    assert_eq!(shapes("cnn3_k7_relu", "Conv2D"), [[22, 22, 10], [16, 16, 32], [10, 10, 32]]);
    assert_eq!(shapes("cnn7_k5_relu", "MaxPooling2D"), [[14, 14, 10], [7, 7, 32], [2, 2, 64]]);
}

#[test]
fn nano_is_small() {
    let sums = totals(&rows(&networks::find("nano").unwrap()).unwrap());
    assert!(sums.params <= 8192, "{} parameters", sums.params);
    assert!(sums.macs <= 1_000_000, "{} MACs", sums.macs);
}

#[test]
fn equal_seeds_give_equal_weights() {
    let spec = networks::find("nano").unwrap();
    let first = |seed| {
        let network = Network::new(&spec, seed, &Device::default()).unwrap();
        network.blocks[0].conv.weight.val().to_data().try_to_vec::<f32>().unwrap()
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}
