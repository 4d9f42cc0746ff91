//! The weights of a trained network, out of its `model.onnx`.

use std::path::Path;

use prost::Message;
use tract_onnx::pb::{ModelProto, TensorProto};

/// The weights of one layer, without its bias.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What a reader calls the layer: `conv 1`, `dense`, `output`.
    pub layer: String,
    /// All of them, in the file's order.
    pub values: Vec<f32>,
}

/// A file without weights in it.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file system.
    #[error("{file}: cannot be read")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not an ONNX file.
    #[error("{file}: is not an ONNX model")]
    Decode {
        /// The file.
        file: String,
        /// What is wrong.
        source: prost::DecodeError,
    },
}

/// The kernels of all convolutions and dense layers of `file`, in the network's order.
pub fn kernels(file: &Path) -> Result<Vec<Kernel>, WeightsError> {
    let name = || file.display().to_string();
    let bytes = std::fs::read(file).map_err(|source| WeightsError::Io { file: name(), source })?;
    let model = ModelProto::decode(&bytes[..]).map_err(|source| WeightsError::Decode { file: name(), source })?;
    let graph = model.graph.unwrap_or_default();
    let layers = graph.node.iter().filter(|node| matches!(node.op_type.as_str(), "Conv" | "Gemm"));
    let kernel = |input: &String| graph.initializer.iter().find(|tensor| tensor.name == *input);
    let kernels = layers.filter_map(|node| node.input.get(1).and_then(kernel));
    Ok(kernels.map(|tensor| Kernel { layer: layer_name(&tensor.name), values: floats(tensor) }).collect())
}

/// `blocks.0.conv.weight` is of `conv 1`.
fn layer_name(tensor: &str) -> String {
    let mut parts = tensor.split('.');
    match (parts.next(), parts.next()) {
        (Some("blocks"), Some(index)) => {
            index.parse::<usize>().map_or_else(|_| tensor.to_string(), |index| format!("conv {}", index + 1))
        }
        (Some("hidden"), Some(index)) => {
            index.parse::<usize>().map_or_else(|_| "dense".to_string(), |index| format!("dense {}", index + 1))
        }
        (Some("output"), _) => "output".to_string(),
        _ => tensor.to_string(),
    }
}

fn floats(tensor: &TensorProto) -> Vec<f32> {
    match tensor.float_data.is_empty() {
        true => tensor.raw_data.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word)).collect(),
        false => tensor.float_data.clone(),
    }
}
