//! Runs ONNX files with tract: the original float network, and the quantized one as ONNX.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Once};

use prost::Message;
use thumbnet::format::Shape;
use tract_onnx::pb;
use tract_onnx::prelude::*;

use crate::CompileError;
use crate::onnx::{self, Entry};

/// An ONNX network that takes one image, series or vector and gives one result.
#[derive(Clone)]
pub struct OnnxModel {
    plan: Arc<TypedRunnableModel>,
    /// Dimensions of the ONNX input, the batch included.
    dims: Vec<usize>,
    input: Shape,
    /// The shape of the result where the network could be imported.
    output: Option<Shape>,
    ending: Ending,
    entry: Entry,
}

/// What the outputs of a network are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Logits,
    Probabilities,
}

impl OnnxModel {
    /// Reads the bytes of an ONNX file that takes pixels of 0.0 to 1.0.
    pub fn load(bytes: &[u8]) -> Result<Self, CompileError> {
        Self::load_with(bytes, &Entry::default())
    }

    /// Reads the bytes of an ONNX file; the images that it is then asked about are bytes, whatever enters the file.
    pub fn load_with(bytes: &[u8], entry: &Entry) -> Result<Self, CompileError> {
        let graph = onnx::graph(bytes)?;
        let input = onnx::input(&graph)?;
        let dims: Vec<usize> = std::iter::once(1).chain(input.dims).collect();
        let corrected = corrected(bytes, &graph);
        let plan = guarded(|| plan(corrected.as_deref().unwrap_or(bytes), &dims))?;
        // Only the import knows as what a vector is read, and what map a row of results was. The quantized network is not
        // imported; its maps are as they seem.
        let network = onnx::import_graph(&graph, entry).ok();
        let output = network.as_ref().and_then(|network| network.layers.last()).map(|layer| layer.record.output);
        let input = network.map_or(input.shape, |network| network.input);
        Ok(Self { plan, dims, input, output, ending: ending(&graph), entry: entry.clone() })
    }

    /// The same network where bytes stand for something else.
    pub fn entering(&self, entry: Entry) -> Self {
        Self { entry, ..self.clone() }
    }

    /// Height and width of what enters.
    pub fn input_size(&self) -> (usize, usize) {
        (self.input.height.into(), self.input.width.into())
    }

    /// The shape of what enters.
    pub fn input_shape(&self) -> Shape {
        self.input
    }

    /// The result for an image of `height * width * channels` bytes, channel fastest; a map is `height * width * channels`
    /// values, channel fastest too. A network that ends in a softmax gives the logarithms of its probabilities. Only the
    /// first output of the file is read.
    pub fn logits(&self, pixels: &[u8]) -> Result<Vec<f32>, CompileError> {
        let outputs = guarded(|| self.run(pixels))?;
        Ok(match self.ending {
            Ending::Logits => outputs,
            Ending::Probabilities => outputs.into_iter().map(f32::ln).collect(),
        })
    }

    /// An image with its height and width exchanged. A vector is taken to be an image of the shape that is known.
    fn turned(&self, pixels: &[u8]) -> Vec<u8> {
        let shape = self.entry.images.filter(|shape| shape.len() == pixels.len()).unwrap_or(self.input);
        let [height, width, channels] = [shape.height, shape.width, shape.channels].map(usize::from);
        let places = (0..width).flat_map(|x| (0..height).map(move |y| (y * width + x) * channels));
        places.flat_map(|place| pixels[place..place + channels].iter().copied()).collect()
    }

    fn run(&self, pixels: &[u8]) -> TractResult<Vec<f32>> {
        let Shape { height, width, channels } = self.input;
        let (area, channels) = (usize::from(height) * usize::from(width), usize::from(channels));
        if pixels.len() != channels * area {
            return Err(TractError::msg(format!("expected {} bytes, got {}", channels * area, pixels.len())));
        }
        // In ONNX the channel is the slowest, whatever the dimensions are.
        let turned = if self.entry.is_transposed { self.turned(pixels) } else { Vec::new() };
        let planes = transposed(if turned.is_empty() { pixels } else { &turned }, channels);
        let values: Vec<f32> =
            planes.iter().enumerate().map(|(index, &pixel)| self.entry.real(pixel, index / area)).collect();
        let image = tract_ndarray::ArrayD::from_shape_vec(self.dims.as_slice(), values)?;
        let outputs = self.plan.run(tvec!(image.into_tensor().into()))?;
        let output = outputs.first().ok_or_else(|| TractError::msg("no output"))?;
        let values: Vec<f32> = output.to_plain_array_view::<f32>()?.iter().copied().collect();
        let channels = match (self.output, output.shape()) {
            (Some(shape), _) if shape.len() == values.len() => usize::from(shape.channels),
            (_, &[_, channels, _, ..]) => channels,
            (_, _) => values.len(),
        };
        let area = values.len().checked_div(channels).unwrap_or(0);
        Ok(transposed(&values, area))
    }
}

/// A matrix of rows of `columns` values, column by column.
fn transposed<T: Copy>(values: &[T], columns: usize) -> Vec<T> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns).copied()).collect()
}

fn plan(bytes: &[u8], dims: &[usize]) -> TractResult<Arc<TypedRunnableModel>> {
    let mut bytes = bytes;
    tract().model_for_read(&mut bytes)?.with_input_fact(0, f32::fact(dims).into())?.into_optimized()?.into_runnable()
}

fn tract() -> tract_onnx::Onnx {
    // Exporters write shapes for a batch of their own.
    tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true)
}

/// The file without what tract gets wrong; `None` where there is nothing of it.
///
/// tract 0.23 makes `exp(x / alpha) - 1` of a negative value in Celu, without the factor alpha.
fn corrected(bytes: &[u8], graph: &pb::GraphProto) -> Option<Vec<u8>> {
    let alpha = |node: &pb::NodeProto| {
        let alpha = node.attribute.iter().find(|attribute| attribute.name == "alpha").map(|attribute| attribute.f);
        alpha.filter(|&alpha| node.op_type == "Celu" && alpha != 1.0 && node.output.len() == 1)
    };
    if !graph.node.iter().any(|node| alpha(node).is_some()) {
        return None;
    }
    let mut model = pb::ModelProto::decode(bytes).ok()?;
    let graph = model.graph.as_mut()?;
    for mut node in std::mem::take(&mut graph.node) {
        if let Some(alpha) = alpha(&node) {
            // alpha * Elu(x / alpha).
            let output = std::mem::take(&mut node.output);
            let [factor, scaled, activated] =
                ["alpha", "scaled", "activated"].map(|what| format!("{}/{what}", output[0]));
            let element = |value: f32, name: &str| pb::TensorProto {
                name: name.into(),
                data_type: pb::tensor_proto::DataType::Float as i32,
                float_data: vec![value],
                ..Default::default()
            };
            let binary = |op: &str, input: &str, output: Vec<String>| pb::NodeProto {
                op_type: op.into(),
                name: format!("{}/{op}", output[0]),
                input: vec![input.into(), factor.clone()],
                output,
                ..Default::default()
            };
            graph.initializer.push(element(alpha, &factor));
            graph.node.push(binary("Div", node.input.first()?, vec![scaled.clone()]));
            (node.op_type, node.attribute) = ("Elu".into(), Vec::new());
            (node.input, node.output) = (vec![scaled], vec![activated.clone()]);
            graph.node.push(node);
            graph.node.push(binary("Mul", &activated, output));
        } else {
            graph.node.push(node);
        }
    }
    Some(model.encode_to_vec())
}

fn ending(graph: &pb::GraphProto) -> Ending {
    let output = graph.output.first().map(|output| &output.name);
    let last = graph.node.iter().find(|node| node.output.first() == output);
    match last.map(|node| node.op_type.as_str()) {
        Some("Softmax") => Ending::Probabilities,
        _ => Ending::Logits,
    }
}

thread_local! {
    /// Whether a panic of this thread is an answer, not to be printed.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs tract; a panic inside it becomes an error, and is not printed.
fn guarded<T>(run: impl FnOnce() -> TractResult<T>) -> Result<T, CompileError> {
    static SILENCE: Once = Once::new();
    SILENCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                print(panic);
            }
        }));
    });
    let before = IS_GUARDED.replace(true);
    // Nothing that a panic leaves half done is used afterwards.
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    IS_GUARDED.set(before);
    let text = match result {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_string()
        }
    };
    Err(CompileError::Tract(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let error = guarded::<()>(|| panic!("out of {}", "range")).unwrap_err();
        assert_eq!(error, CompileError::Tract("out of range".into()));
        assert_eq!(guarded(|| Ok(1)), Ok(1));
    }

    #[test]
    fn channels_change_places() {
        assert_eq!(transposed(&[1, 2, 3, 4, 5, 6], 3), [1, 4, 2, 5, 3, 6]);
        assert_eq!(transposed(&transposed(&[1, 2, 3, 4, 5, 6], 3), 2), [1, 2, 3, 4, 5, 6]);
    }
}
