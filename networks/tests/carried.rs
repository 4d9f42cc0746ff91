//! The carried table: its networks have the layers that they are known for.

use networks::{Activation, Kind, Layer, NetworkSpec, Shape, Window};

fn layers(name: &str) -> Vec<Layer> {
    networks::find(name).unwrap().layers().unwrap()
}

fn outputs(name: &str) -> Vec<[usize; 3]> {
    layers(name).iter().map(|layer| layer.output.into()).collect()
}

fn sum(name: &str, of: fn(&Layer) -> usize) -> usize {
    layers(name).iter().map(of).sum()
}

/// With the four numbers of each normalized channel.
fn parameters(layers: &[Layer]) -> usize {
    let norm = |layer: &Layer| if layer.norm { 4 * layer.output.channels } else { 0 };
    layers.iter().map(|layer| layer.weights() + layer.biases() + norm(layer)).sum()
}

#[test]
fn parameters_are_those_of_the_notebook() {
    let notebook: Vec<NetworkSpec> = networks::all().unwrap().into_iter().filter(|n| n.notebook.is_some()).collect();
    assert_eq!(notebook.len(), 13);
    for spec in notebook {
        assert_eq!(parameters(&spec.layers().unwrap()), spec.notebook.unwrap().params, "{}", spec.name);
    }
}

#[test]
fn the_benchmarks_work_is_what_is_published() {
    for (name, thousand_macs) in [("keyword", 2657), ("image", 12_502), ("wakeword", 7490), ("anomaly", 264)] {
        let spec = networks::find(name).unwrap();
        assert!(!spec.trained);
        let macs = sum(name, Layer::macs);
        assert_eq!((macs + 500) / 1000, thousand_macs, "{name}: {macs}");
    }
    assert_eq!(outputs("keyword")[..3], [[25, 5, 64]; 3]);
    assert_eq!(outputs("wakeword")[0], [48, 48, 8]);
    assert_eq!(outputs("wakeword").iter().rev().take(3).collect::<Vec<_>>(), [&[1, 1, 2], &[1, 1, 256], &[3, 3, 256]]);
    assert_eq!(outputs("anomaly").len(), 10);
    assert_eq!(outputs("anomaly")[4], [1, 1, 8]);
}

#[test]
fn ours_are_small() {
    for (name, most) in [("nano", 8192), ("residual", 20_000), ("separable", 20_000)] {
        let count = parameters(&layers(name));
        assert!(count <= most, "{name}: {count} parameters");
        assert!(sum(name, Layer::macs) <= 1_500_000, "{name}: {} MACs", sum(name, Layer::macs));
    }
    assert_eq!((parameters(&layers("nano")), sum("nano", Layer::macs)), (8170, 808_080));
}

#[test]
fn pools_of_every_kind_have_keras_sizes() {
    let heights = |name| outputs(name).iter().map(|output| output[0]).collect::<Vec<_>>();
    assert_eq!(heights("cnn3_k3_relu"), [14, 7, 4, 1, 1]);
    assert_eq!(heights("cnn3_k7_relu"), [22, 16, 5, 1, 1]);
    assert_eq!(heights("nano"), [26, 12, 12, 5, 3, 1, 1]);
    assert_eq!(layers("cnn3_k7_relu")[3].input.values(), 800);
}

#[test]
fn odd_same_padding_lies_at_the_bottom_and_right() {
    let window = |name: &str, index: usize| match layers(name)[index].kind {
        Kind::Conv { window, .. } | Kind::Depthwise { window } => window,
        other => panic!("{other:?}"),
    };
    let pads = |Window { top, left, bottom, right, .. }: Window| [top, left, bottom, right];
    assert_eq!(pads(window("keyword", 0)), [4, 1, 5, 1]);
    assert_eq!(pads(window("wakeword", 0)), [0, 0, 1, 1]);
    assert_eq!(pads(window("nano", 2)), [1; 4]);
    assert_eq!(pads(window("nano", 0)), [0; 4]);
}

#[test]
fn a_skip_connection_reads_what_enters_its_branch() {
    let layers = layers("image");
    let adds: Vec<(usize, &Layer)> = layers.iter().enumerate().filter(|(_, l)| l.kind == Kind::Add).collect();
    // Of the same shape: the map itself. Halved: through a 1 x 1 convolution of the branch's stride.
    assert_eq!(adds.iter().map(|(_, add)| add.inputs.clone()).collect::<Vec<_>>(), [[3, 1], [6, 7], [10, 11]]);
    for &(index, add) in &adds {
        assert_eq!((add.activation, add.norm), (Activation::Relu, false));
        assert_eq!(layers[add.inputs[0] - 1].activation, Activation::None);
        assert_eq!(add.inputs.iter().max(), Some(&index));
    }
    let projection = &layers[6];
    assert_eq!(
        (projection.inputs[..].to_vec(), projection.norm, projection.activation),
        (vec![4], true, Activation::None)
    );
    let Kind::Conv { filters: 32, window } = projection.kind else { panic!("{projection:?}") };
    assert_eq!([window.kernel.height, window.stride.height, window.bottom], [1, 2, 0]);
}

/// Every layer reads maps that are there, of the shape that it says.
#[test]
fn maps_fit_together() {
    for spec in networks::all().unwrap() {
        let layers = spec.layers().unwrap();
        for (index, layer) in layers.iter().enumerate() {
            assert_eq!(layer.inputs.len(), if layer.kind == Kind::Add { 2 } else { 1 }, "{}", spec.name);
            for &map in &layer.inputs {
                assert!(map <= index, "{}: layer {index} reads map {map}", spec.name);
                let made: Shape = if map == 0 { spec.input() } else { layers[map - 1].output };
                assert_eq!(made, layer.input, "{}: layer {index}", spec.name);
            }
        }
        assert_eq!(layers.last().unwrap().output, Shape::vector(spec.classes()), "{}", spec.name);
    }
}
