//! Runs ONNX files with tract: the original float network, and the quantized one as ONNX.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Once};

use thumbnet::format::Shape;
use tract_onnx::pb;
use tract_onnx::prelude::*;

use crate::CompileError;
use crate::onnx::{self, Entry, Input};

/// An ONNX network that takes one image, series or vector and gives one result.
#[derive(Clone)]
pub struct OnnxModel {
    plan: Arc<TypedRunnableModel>,
    /// What the graph takes, and where its elements lie on the map of an image.
    entering: Input,
    order: Arc<[usize]>,
    /// The shape of what enters the network: height and width may have changed places.
    input: Shape,
    /// Where the elements of the result lie on its map, where the network could be imported.
    output: Option<Arc<[usize]>>,
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
        Self::of_file(&onnx::load(bytes, entry.folder.as_deref())?, entry)
    }

    /// The same without what quantized files round: values are only limited.
    pub(crate) fn in_floats(bytes: &[u8], entry: &Entry) -> Result<Self, CompileError> {
        let mut file = onnx::load(bytes, entry.folder.as_deref())?;
        file.graph = onnx::quantized::in_floats(&file.graph);
        Self::of_file(&file, entry)
    }

    fn of_file(file: &onnx::File, entry: &Entry) -> Result<Self, CompileError> {
        let entry = onnx::entering(file, entry);
        let output = |name: String| vec![pb::ValueInfoProto { name, ..Default::default() }];
        // Only the import knows as what a vector is read, what map a row of results was, and what ends a network without
        // changing what it says.
        let (entering, imported) = match onnx::import_file(file, &entry) {
            Ok(imported) => (imported.input.clone(), Some(imported)),
            Err(_) => {
                let likeliest = onnx::candidates(&file.graph, entry.images)?.into_iter().next();
                (likeliest.ok_or_else(|| CompileError::Graph("has no input".into()))?, None)
            }
        };
        let mut graph = file.graph.clone();
        if let Some(imported) = &imported {
            graph.output = output(imported.result.clone());
        }
        let ending = if imported.is_some() { Ending::Logits } else { ending(&file.graph) };
        let planned = plan(graph, file.opset, &entering);
        let plan = match (planned, &imported) {
            (Ok(plan), _) => plan,
            (Err(error), None) => return Err(error),
            // tract is not at home with every way to work out a shape.
            (Err(error), Some(imported)) => {
                let output = output(imported.result.clone());
                let simplified = pb::GraphProto { output, ..imported.simplified.clone() };
                plan(simplified, file.opset, &entering).map_err(|_| error)?
            }
        };
        let order = entering.view.order().into();
        let output = imported.as_ref().map(|imported| imported.output.order().into());
        let input = imported.map_or(entering.shape, |imported| imported.network.input);
        Ok(Self { plan, entering, order, input, output, ending, entry })
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
    /// values, channel fastest too. A softmax or sigmoid at the end is left out where the network can be compiled; where not,
    /// a softmax gives the logarithms of its probabilities.
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
        if pixels.len() != self.order.len() {
            return Err(TractError::msg(format!("expected {} bytes, got {}", self.order.len(), pixels.len())));
        }
        let channels = usize::from(self.entering.shape.channels).max(1);
        let turned = if self.entry.is_transposed { self.turned(pixels) } else { Vec::new() };
        let pixels = if turned.is_empty() { pixels } else { &turned };
        let values: Vec<f32> = self.order.iter().map(|&at| self.entry.real(pixels[at], at % channels)).collect();
        let image = tract_ndarray::ArrayD::from_shape_vec(self.entering.dims.as_slice(), values)?;
        let outputs = self.plan.run(tvec!(image.into_tensor().into()))?;
        let output = outputs.first().ok_or_else(|| TractError::msg("no output"))?;
        let output = output.cast_to::<f32>()?;
        let values: Vec<f32> = output.to_plain_array_view::<f32>()?.iter().copied().collect();
        if let Some(order) = self.output.as_ref().filter(|order| order.len() == values.len()) {
            let mut map = vec![0.0; values.len()];
            for (&place, value) in order.iter().zip(values) {
                map[place] = value;
            }
            return Ok(map);
        }
        // The maps of a network that is not imported are as they seem: channels first.
        let channels = match output.shape() {
            &[_, channels, _, ..] => channels,
            _ => values.len(),
        };
        let area = values.len().checked_div(channels).unwrap_or(0);
        Ok(transposed(&values, area))
    }
}

/// A matrix of rows of `columns` values, column by column.
fn transposed<T: Copy>(values: &[T], columns: usize) -> Vec<T> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns).copied()).collect()
}

/// A graph made ready to run.
fn plan(graph: pb::GraphProto, opset: i64, input: &Input) -> Result<Arc<TypedRunnableModel>, CompileError> {
    let mut graph = corrected(graph);
    graph.input = vec![onnx::writer::value(&input.name, pb::tensor_proto::DataType::Float, None)];
    let opset_import = vec![pb::OperatorSetIdProto { domain: String::new(), version: opset }];
    let model = pb::ModelProto { graph: Some(graph), opset_import, ..Default::default() };
    guarded(|| {
        let fact = f32::fact(input.dims.as_slice()).into();
        tract().model_for_proto_model(&model)?.with_input_fact(0, fact)?.into_optimized()?.into_runnable()
    })
}

fn tract() -> tract_onnx::Onnx {
    // Exporters write shapes for a batch of their own.
    tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true)
}

/// The graph without what tract gets wrong.
///
/// tract 0.23 makes `exp(x / alpha) - 1` of a negative value in Celu, without the factor alpha, is far off in Softplus, and takes
/// two nodes of one name for the same.
fn corrected(mut graph: pb::GraphProto) -> pb::GraphProto {
    for (index, mut node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
        node.name = format!("{index}/{}", node.op_type);
        match (node.op_type.as_str(), node.input.as_slice(), node.output.as_slice()) {
            ("Celu", [x], [y]) => {
                let alpha =
                    node.attribute.iter().find(|attribute| attribute.name == "alpha").map_or(1.0, |alpha| alpha.f);
                let mut spelled = Spelled { graph: &mut graph, prefix: y };
                // alpha * Elu(x / alpha).
                let factor = spelled.number("alpha", alpha);
                let scaled = spelled.node("Div", &[x, &factor], "scaled");
                let activated = spelled.node("Elu", &[&scaled], "activated");
                spelled.last("Mul", &[&activated, &factor]);
            }
            ("Softplus", [x], [y]) => {
                let mut spelled = Spelled { graph: &mut graph, prefix: y };
                // max(x, 0) + ln(1 + exp(-|x|)).
                let one = spelled.number("one", 1.0);
                let above = spelled.node("Relu", &[x], "above");
                let size = spelled.node("Abs", &[x], "size");
                let below = spelled.node("Neg", &[&size], "below");
                let small = spelled.node("Exp", &[&below], "small");
                let sum = spelled.node("Add", &[&small, &one], "sum");
                let rest = spelled.node("Log", &[&sum], "rest");
                spelled.last("Add", &[&above, &rest]);
            }
            _ => graph.node.push(node),
        }
    }
    graph
}

/// Nodes in place of one whose output is `prefix`.
struct Spelled<'g> {
    graph: &'g mut pb::GraphProto,
    prefix: &'g str,
}

impl Spelled<'_> {
    fn number(&mut self, name: &str, value: f32) -> String {
        let name = format!("{}/{name}", self.prefix);
        self.graph.initializer.push(onnx::Tensor::of_floats(vec![], vec![value]).proto(&name));
        name
    }

    fn node(&mut self, op: &str, inputs: &[&str], name: &str) -> String {
        let name = format!("{}/{name}", self.prefix);
        self.add(op, inputs, &name);
        name
    }

    fn last(&mut self, op: &str, inputs: &[&str]) {
        self.add(op, inputs, self.prefix);
    }

    fn add(&mut self, op: &str, inputs: &[&str], output: &str) {
        self.graph.node.push(pb::NodeProto {
            op_type: op.into(),
            name: format!("{output}/{op}"),
            input: inputs.iter().map(|name| name.to_string()).collect(),
            output: vec![output.into()],
            ..Default::default()
        });
    }
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
pub fn guarded<T>(run: impl FnOnce() -> TractResult<T>) -> Result<T, CompileError> {
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
