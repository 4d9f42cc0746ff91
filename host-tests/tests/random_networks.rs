//! Random graphs of layers: the core equals the reference, with every operator, window, pool and activation.

use host_tests::rng::Rng;
use host_tests::{random, reference};
use thumbnet::format::{Activation, Op};
use thumbnet::schedule::Layers;
use thumbnet::{Model, Network, Step};

/// Networks that CI tries.
const NETWORKS: u64 = 2_000;

#[test]
fn core_equals_reference() {
    for seed in 0..NETWORKS {
        let bytes = random::model(seed);
        let model = Model::parse(&bytes).unwrap_or_else(|error| panic!("network {seed}: {error}"));
        // Old bytes in the arena must not matter.
        let mut arena = vec![0xa5; model.arena_len()];
        let mut network = Network::new(&model, &mut arena).unwrap();
        for (index, image) in images(&model, seed).iter().enumerate() {
            let core: Vec<i32> = network.classify(image).unwrap().logits().iter().collect();
            let wanted = reference::logits(&model, image);
            assert_eq!(core, wanted, "network {seed}, image {index}: {:?}", model.layers().collect::<Vec<_>>());
        }
    }
}

#[test]
fn rows_pushed_one_by_one_equal_whole_images() {
    for seed in 0..NETWORKS / 4 {
        let bytes = random::model(seed);
        let model = Model::parse(&bytes).unwrap_or_else(|error| panic!("network {seed}: {error}"));
        let (mut arena, mut other_arena) = (vec![0; model.arena_len()], vec![0xff; model.arena_len()]);
        let mut whole = Network::new(&model, &mut arena).unwrap();
        let mut by_rows = Network::new(&model, &mut other_arena).unwrap();
        for image in images(&model, seed) {
            by_rows.reset();
            for row in image.chunks_exact(model.input_row_len()) {
                by_rows.push_row(row).unwrap();
                while let Step::Worked { .. } = by_rows.step() {}
            }
            let wanted: Vec<i32> = whole.classify(&image).unwrap().logits().iter().collect();
            let found: Vec<i32> = by_rows.finish().unwrap().logits().iter().collect();
            assert_eq!(found, wanted, "network {seed}");
        }
    }
}

/// The networks above are worth little if the generator forgets an operator or makes outputs constant.
#[test]
fn generator_covers_the_format() {
    let mut seen = Vec::new();
    let (mut telling, mut tried) = (0, 0);
    for seed in 0..NETWORKS {
        let bytes = random::model(seed);
        let model = Model::parse(&bytes).unwrap();
        for layer in model.layers() {
            let window = layer.window;
            seen.push(format!("{:?}", layer.op));
            seen.push(format!("{:?}", layer.activation));
            seen.push(format!("{:?} with {:?}", layer.op, layer.activation));
            seen.push(format!("pool {} stride {}", layer.pool.size, layer.pool.stride));
            if window.pad_left != window.pad_right || window.pad_top != window.pad_bottom {
                seen.push("asymmetric padding".into());
            }
            if layer.op == Op::Conv && layer.input_zero_point != 0 && window.pad_left > 0 {
                seen.push("padding reads as a zero point".into());
            }
            if layer.activation == Activation::Clamp && layer.low > 0 {
                seen.push("low".into());
            }
            if layer.op == Op::DepthwiseConv && layer.group_outputs() > 1 {
                seen.push("depthwise multiplier".into());
            }
            if layer.op == Op::GroupedConv && layer.groups > 1 && layer.group_outputs() > 1 {
                seen.push("groups".into());
            }
            if layer.op == Op::Dense && !layer.accumulates() {
                seen.push("dense on a vector".into());
            }
            if matches!(layer.op, Op::MaxPool | Op::AveragePool) && window.pad_top * window.pad_left > 0 {
                seen.push(format!("{:?} padded above and left", layer.op));
            }
            if layer.start_rows > layer.window_rows() as u16 {
                seen.push("waiting".into());
            }
        }
        describe_maps(&model, &mut seen);
        let logits: Vec<_> = images(&model, seed).iter().map(|image| reference::logits(&model, image)).collect();
        telling += u64::from(logits.iter().any(|other| *other != logits[0]));
        tried += 1;
    }
    let wanted = [
        "Conv",
        "DepthwiseConv",
        "Dense",
        "GlobalAveragePool",
        "Add",
        "MaxPool",
        "AveragePool",
        "Concat",
        "GroupedConv",
        "Clamp",
        "Table",
        "Logits",
        "ByteTable",
        "Add with ByteTable",
        "Concat with Table",
        "Concat with ByteTable",
        "AveragePool with ByteTable",
        "GroupedConv with Table",
        "pool 2 stride 1",
        "pool 2 stride 2",
        "pool 3 stride 2",
        "asymmetric padding",
        "padding reads as a zero point",
        "low",
        "depthwise multiplier",
        "groups",
        "dense on a vector",
        "MaxPool padded above and left",
        "AveragePool padded above and left",
        "waiting",
        "a map of three readers",
        "readers of different padding",
        "more padding than any reader",
        "a sum over different zero points",
        "a result of several rows",
        "what enters is read twice",
    ];
    for what in wanted {
        assert!(seen.iter().any(|seen| seen == what), "no network has: {what}");
    }
    assert!(telling * 10 > tried * 6, "only {telling} of {tried} networks answer different images differently");
}

/// What is special about maps and their readers.
fn describe_maps(model: &Model<'_>, seen: &mut Vec<String>) {
    let layers: Vec<_> = model.layers().collect();
    for index in 0..layers.len() {
        let map = Layers::map(model, index).unwrap();
        let readers: Vec<_> = layers.iter().filter(|layer| layer.input_maps().any(|read| read == index)).collect();
        let padding: Vec<[u8; 2]> = readers.iter().map(|reader| reader.row_padding()).collect();
        let has = [
            (readers.len() > 2, "a map of three readers"),
            (readers.len() > 1 && index == 0, "what enters is read twice"),
            (padding.iter().any(|&other| other != padding[0]), "readers of different padding"),
            (padding.iter().all(|&[left, _]| left < map.ring.pad_left), "more padding than any reader"),
        ];
        seen.extend(has.iter().filter(|(has, _)| *has).map(|(_, what)| what.to_string()));
    }
    for layer in layers.iter().filter(|layer| layer.op == Op::Add) {
        let zero_points = layer.inputs.map(|map| Layers::map(model, map.into()).unwrap().zero_point);
        if zero_points[0] != zero_points[1] {
            seen.push("a sum over different zero points".into());
        }
    }
    if model.output().height > 1 {
        seen.push("a result of several rows".into());
    }
}

/// All black, all white, and noise.
fn images(model: &Model<'_>, seed: u64) -> Vec<Vec<u8>> {
    let len = model.input_row_len() * usize::from(model.input().height);
    let mut rng = Rng::new(!seed);
    vec![vec![0; len], vec![255; len], rng.bytes(len), rng.bytes(len)]
}
