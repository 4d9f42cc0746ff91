//! Why a network could not be compiled.

use thumbnet::ParseError;

use crate::kind::Kind;

/// What is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The bytes are not an ONNX model, or one without a graph that can be read.
    #[error("not an ONNX model that can be read: {0}")]
    Onnx(String),
    /// The bytes are a file of another kind.
    #[error("this is {}, not an ONNX model: {}", .0.name(), .0.advice())]
    Kind(Kind),
    /// An operator, attribute or shape that has no integer form here.
    #[error("node {node} ({op}): {what}; {advice}")]
    Unsupported {
        /// The node's name, or its first output where it has none.
        node: String,
        /// The operator type.
        op: String,
        /// What is not supported.
        what: String,
        /// What to do about it.
        advice: String,
    },
    /// The graph as a whole is not a chain from one image to one row of logits.
    #[error("the graph {0}")]
    Graph(String),
    /// The images do not suit the network.
    #[error("calibration: {0}")]
    Calibration(String),
    /// The network tells the labelled images apart no better than by chance, in any form of input.
    #[error(
        "in no form of input is the network right more often than by guessing, of {images} labelled calibration images:\n{tried}\n\
         give the images that it was trained on, or say with --input in what form it takes them"
    )]
    Guessing {
        /// The images that the best were tried on.
        images: usize,
        /// A line a form.
        tried: String,
    },
    /// A layer's numbers cannot be written as integers.
    #[error("layer {layer}: {what}; {advice}")]
    Quantization {
        /// The node that the layer came from.
        layer: String,
        /// What is wrong.
        what: String,
        /// What to do about it.
        advice: String,
    },
    /// An accumulator may leave 32 bits.
    #[error(
        "layer {layer}, output channel {channel}: some image takes its accumulator to {reached}, beyond 32 bits; \
         train with smaller weights or split the layer"
    )]
    Overflow {
        /// The node that the layer came from.
        layer: String,
        /// The output channel.
        channel: usize,
        /// The value of largest size that some order of summation can reach.
        reached: i64,
    },
    /// The file is larger than its format allows, or the name too long.
    #[error("cannot be packed: {0}")]
    Pack(String),
    /// The written model is not accepted by the core: a fault of this program.
    #[error("the core does not take the model that was written ({0}): please report this network")]
    Parse(#[from] ParseError),
    /// tract failed where this program did not.
    #[error("tract cannot run the model: {0}")]
    Tract(String),
    /// The imported network computes something else than the ONNX file: a fault of this program.
    #[error(
        "the imported network differs from the ONNX file by {difference} in a logit (image {image}): \
         please report this network"
    )]
    Import {
        /// Largest difference of a logit.
        difference: f32,
        /// The image.
        image: usize,
    },
}
