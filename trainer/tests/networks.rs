//! The networks are those of the notebook, layer by layer.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use trainer::layers::totals;
use trainer::network::Network;
use trainer::spec::{self, NetworkSpec};

#[test]
fn parameter_totals_are_the_notebooks() {
    let notebook: Vec<NetworkSpec> = spec::all().unwrap().into_iter().filter(|s| s.notebook.is_some()).collect();
    assert_eq!(notebook.len(), 13);
    for spec in notebook {
        let (sums, wanted) = (totals(&spec.layers().unwrap()), spec.notebook.unwrap());
        assert_eq!((sums.params, sums.trainable), (wanted.params, wanted.trainable), "{}", spec.name);
    }
}

#[test]
fn the_module_has_the_parameters_of_the_table() {
    for spec in spec::all().unwrap() {
        let sums = totals(&spec.layers().unwrap());
        let network = Network::new(&spec, 1, &Device::default()).unwrap();
        assert_eq!(network.num_params(), sums.params, "{}", spec.name);
    }
}

#[test]
fn the_module_has_the_shapes_of_the_table() {
    let device = Device::default();
    for spec in spec::all().unwrap() {
        let network = Network::new(&spec, 1, &device).unwrap();
        let layers = spec.layers().unwrap();
        let mut table = layers.iter();
        let mut map = Tensor::<4>::zeros([1, 1, 28, 28], &device);
        for (index, block) in network.blocks.iter().enumerate() {
            map = block.forward(map);
            // The last row of the block: the one before the next convolution or the head.
            let conv = table.find(|row| row.kind == "Conv2D").unwrap();
            let rest =
                table.clone().take_while(|row| !["Conv2D", "Flatten", "GlobalAveragePooling2D"].contains(&row.kind));
            let [height, width, channels] = rest.last().unwrap_or(conv).output[..] else {
                panic!("{}: block {index} has no map", spec.name);
            };
            assert_eq!(map.dims(), [1, channels, height, width], "{}: block {index}", spec.name);
        }
        let logits = network.forward(Tensor::zeros([3, 1, 28, 28], &device));
        assert_eq!(logits.dims(), [3, 10], "{}", spec.name);
    }
}

#[test]
fn output_shapes_of_some_networks_are_the_notebooks() {
    let shapes = |name: &str, kind: &str| {
        let layers = spec::find(name).unwrap().layers().unwrap();
        layers.into_iter().filter(|row| row.kind == kind).map(|row| row.output).collect::<Vec<_>>()
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
    let sums = totals(&spec::find("nano").unwrap().layers().unwrap());
    assert!(sums.params <= 8192, "{} parameters", sums.params);
    assert!(sums.macs <= 1_000_000, "{} MACs", sums.macs);
}

#[test]
fn equal_seeds_give_equal_weights() {
    let spec = spec::find("nano").unwrap();
    let first = |seed| {
        let network = Network::new(&spec, seed, &Device::default()).unwrap();
        network.blocks[0].conv.weight.val().to_data().try_to_vec::<f32>().unwrap()
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}

#[test]
fn tables_that_cannot_be_built_are_refused() {
    let table = |change: (&str, &str)| {
        let good = r#"
            [[network]]
            name = "x"
            kernel = 3
            activation = "relu"
            init = "he_normal"
            conv = [[8, "valid", "valid"], [8, "same", ""]]
            optimizer = "adam"
        "#;
        assert!(spec::parse(good).is_ok());
        spec::parse(&good.replace(change.0, change.1)).unwrap_err().to_string()
    };
    let message = table(("kernel = 3", "kernel = 29"));
    assert!(message.contains("network `x`: the kernel of `conv` block 1 does not fit a map of 28 x 28"), "{message}");
    assert!(table(("kernel = 3", "kernel = 2")).contains("only odd ones"));
    assert!(table(("[[8,", "[[0,")).contains("block 1 has no filters"));
    assert!(table(("\"adam\"", "[]")).contains("`optimizer` names none"));
    assert!(table(("\"same\"", "\"sane\"")).contains("unknown variant `sane`"));
    assert!(table(("optimizer", "dropout = 1.0\noptimizer")).contains("`dropout` is 1"));
    assert!(table(("optimizer", "pooling = 3\noptimizer")).contains("unknown field `pooling`"));
}
