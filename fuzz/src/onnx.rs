//! ONNX files.

use compiler::onnx::import;
use inference_core::format::MAX_LAYERS;

/// Imports a network or refuses it.
pub fn onnx(bytes: &[u8]) {
    if let Ok(network) = import(bytes) {
        assert!((1..=MAX_LAYERS).contains(&network.layers.len()));
        for layer in &network.layers {
            assert_eq!(layer.weights.len() as u64, layer.record().weight_count());
        }
    }
}
