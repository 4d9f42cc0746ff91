//! ONNX files.

use thumbnet::format::MAX_LAYERS;
use thumbnet_compiler::onnx::import;

/// Imports a network or refuses it.
pub fn onnx(bytes: &[u8]) {
    if let Ok(network) = import(bytes) {
        assert!((1..=MAX_LAYERS).contains(&network.layers.len()));
        for layer in &network.layers {
            // An addition has two factors in their place.
            let weights = if layer.has_filters() { layer.record.weight_count() } else { layer.weights.len() as u64 };
            assert_eq!(layer.weights.len() as u64, weights);
        }
    }
}
