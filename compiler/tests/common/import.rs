//! Imported networks beside tract, and small graphs to begin with.

use thumbnet::format::Op;
use thumbnet_compiler::graph::Network;
use thumbnet_compiler::{OnnxModel, float, onnx};
use tract_onnx::pb::AttributeProto;

use super::{Graph, Random, ints};

/// Compares the import with tract on a few random inputs.
pub fn assert_same(bytes: &[u8]) -> Network {
    let network = onnx::import(bytes).unwrap();
    let tract = OnnxModel::load(bytes).unwrap();
    assert_eq!(tract.input_shape(), network.input);
    let mut random = Random(3);
    for round in 0..4 {
        let pixels: Vec<u8> = (0..network.input.len()).map(|_| (random.next() % 256) as u8).collect();
        let found = float::activations(&network, &float::image(&network, &pixels)).pop().unwrap();
        let expected = tract.logits(&pixels).unwrap();
        assert_eq!(found.len(), expected.len());
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let allowed = 1e-4 * expected.abs().max(1.0);
            assert!((found - expected).abs() < allowed, "round {round}, {index}: {found}, tract {expected}");
        }
    }
    // What the format asks for.
    let read = |map: usize| network.layers.iter().any(|layer| layer.record.input_maps().any(|read| read == map));
    assert!((0..network.layers.len()).all(read), "a map is read by nobody");
    for (index, layer) in network.layers.iter().enumerate() {
        let maps: Vec<usize> = layer.record.input_maps().collect();
        assert!(maps.iter().all(|&map| map <= index) && maps.len() == 1 + usize::from(layer.record.joins()));
        let shape = maps[0].checked_sub(1).map_or(network.input, |maker| network.layers[maker].record.output);
        assert_eq!((shape, layer.record.expected_output()), (layer.record.input, layer.record.output));
    }
    network
}

pub fn assert_imports(graph: Graph) -> Network {
    assert_same(&graph.bytes())
}

/// The operators of the layers that are made of it.
pub fn ops(graph: Graph) -> Vec<Op> {
    assert_imports(graph).layers.iter().map(|layer| layer.record.op).collect()
}

/// The error must name the node and hold `text`.
pub fn assert_refused(graph: Graph, node: &str, text: &str) {
    let error = onnx::import(&graph.bytes()).unwrap_err().to_string();
    assert!(error.contains(&format!("node {node} ")) && error.contains(text), "{error}");
}

pub fn map(size: i64) -> Graph {
    Graph::new([1, size, size])
}

/// 3 channels of 6x6 that were activated by ReLU.
pub fn relu_map() -> Graph {
    map(8).conv("a", [3, 1, 3, 3], vec![]).node("Relu", "r", &[], vec![])
}

pub fn pool(name: &str, graph: Graph, more: Vec<AttributeProto>) -> Graph {
    let attributes = [vec![ints("kernel_shape", &[2, 2])], more].concat();
    graph.node("MaxPool", name, &[], attributes)
}
