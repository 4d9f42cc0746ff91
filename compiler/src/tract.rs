//! Runs ONNX files with tract: the original float network, and the quantized one as ONNX.

use std::sync::Arc;

use tract_onnx::pb;
use tract_onnx::prelude::*;

use crate::CompileError;
use crate::onnx;

/// An ONNX network that takes one image and gives one row of logits or probabilities.
pub struct OnnxModel {
    plan: Arc<TypedRunnableModel>,
    /// Channels, height, width.
    input: [usize; 3],
    ending: Ending,
}

/// What the outputs of a network are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Logits,
    Probabilities,
}

impl OnnxModel {
    /// Reads the bytes of an ONNX file.
    pub fn load(bytes: &[u8]) -> Result<Self, CompileError> {
        let graph = onnx::graph(bytes)?;
        let (_, shape) = onnx::image_input(&graph)?;
        let input = [shape.channels, shape.height, shape.width].map(usize::from);
        let plan = plan(bytes, input).map_err(failed)?;
        Ok(Self { plan, input, ending: ending(&graph) })
    }

    /// Height and width of an image.
    pub fn input_size(&self) -> (usize, usize) {
        (self.input[1], self.input[2])
    }

    /// The logits of an image, `height * width * channels` pixel bytes, channel fastest. A network
    /// that ends in a softmax gives the logarithms of its probabilities.
    pub fn logits(&self, pixels: &[u8]) -> Result<Vec<f32>, CompileError> {
        let outputs = self.run(pixels).map_err(failed)?;
        Ok(match self.ending {
            Ending::Logits => outputs,
            Ending::Probabilities => outputs.into_iter().map(f32::ln).collect(),
        })
    }

    fn run(&self, pixels: &[u8]) -> TractResult<Vec<f32>> {
        let [channels, height, width] = self.input;
        if pixels.len() != channels * height * width {
            return Err(TractError::msg(format!("expected {} bytes, got {}", channels * height * width, pixels.len())));
        }
        let image = tract_ndarray::Array4::from_shape_fn((1, channels, height, width), |(_, channel, y, x)| {
            f32::from(pixels[(y * width + x) * channels + channel]) / 255.0
        });
        let outputs = self.plan.run(tvec!(image.into_tensor().into()))?;
        let output = outputs.first().ok_or_else(|| TractError::msg("no output"))?;
        Ok(output.to_plain_array_view::<f32>()?.iter().copied().collect())
    }
}

fn plan(bytes: &[u8], [channels, height, width]: [usize; 3]) -> TractResult<Arc<TypedRunnableModel>> {
    let mut bytes = bytes;
    onnx()
        .model_for_read(&mut bytes)?
        .with_input_fact(0, f32::fact([1, channels, height, width]).into())?
        .into_optimized()?
        .into_runnable()
}

fn onnx() -> tract_onnx::Onnx {
    // Exporters write shapes for a batch of their own.
    tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true)
}

fn ending(graph: &pb::GraphProto) -> Ending {
    let output = graph.output.first().map(|output| &output.name);
    let last = graph.node.iter().find(|node| node.output.first() == output);
    match last.map(|node| node.op_type.as_str()) {
        Some("Softmax") => Ending::Probabilities,
        _ => Ending::Logits,
    }
}

fn failed(error: TractError) -> CompileError {
    CompileError::Tract(format!("{error:#}"))
}
