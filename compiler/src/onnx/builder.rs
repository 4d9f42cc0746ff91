//! The layers so far, and what the nodes so far left.

use std::collections::HashMap;

use thumbnet::format::{self, MAX_LAYERS, MAX_OUTPUTS, NO_MAP, Op, Shape};

use super::limits;
use crate::CompileError;
use crate::fold::{self, Affine};
use crate::graph::{Activation, Layer, Network};
use crate::onnx::{Axes, Entry, Node, Value};

/// The network under construction.
#[derive(Debug)]
pub struct Builder {
    input: Shape,
    layers: Vec<Layer>,
    notes: Vec<String>,
    values: HashMap<String, Value>,
    /// How many nodes read a tensor, the end of the graph included.
    readers: HashMap<String, usize>,
}

impl Builder {
    /// A network that takes the tensor `name` of these dimensions (behind the batch), `affine` of pixels of 0.0 to 1.0.
    pub fn new(name: &str, input: Shape, dims: Vec<usize>, affine: Affine, readers: HashMap<String, usize>) -> Self {
        let mut builder = Self { input, layers: Vec::new(), notes: Vec::new(), values: HashMap::new(), readers };
        let affine = Some(affine).filter(|affine| !affine.is_identity());
        builder.define(name, Value { affine, ..Value::new(0, dims) });
        builder
    }

    /// Keeps what a node left.
    pub fn define(&mut self, name: &str, value: Value) {
        let is_shared = value.is_shared || self.readers.get(name).is_some_and(|&readers| readers > 1);
        self.values.insert(name.into(), Value { name: Some(name.into()), is_shared, ..value });
    }

    /// Input `index` of a node, which must depend on what enters the network.
    pub fn value(&self, node: &Node<'_>, index: usize) -> Result<Value, CompileError> {
        let name = node.input(index);
        let Some(value) = self.values.get(name) else {
            let what = match node.constant(index) {
                Some(_) => format!("reads the constant {name} where it should read a map"),
                None => format!("reads {name}, which no node before it makes"),
            };
            return Err(node.refuse(what, "export the model again"));
        };
        if value.is_ended {
            return Err(node.refuse("comes after the softmax", "export the network up to its logits or softmax"));
        }
        Ok(value.clone())
    }

    /// The shape of the map of a value.
    pub fn shape(&self, value: &Value) -> Shape {
        self.maker(value).map_or(self.input, |layer| layer.record.output)
    }

    /// How the tensor lies on its map, for operators that work on one.
    pub fn axes(&mut self, node: &Node<'_>, value: &mut Value) -> Result<Axes, CompileError> {
        self.fit(value);
        let shape = self.shape(value);
        Axes::of(&value.dims, shape).ok_or_else(|| {
            let Shape { height, width, channels } = shape;
            let what =
                format!("reads a map of {height}x{width}x{channels} that was reshaped to [N, {}]", list(&value.dims));
            node.refuse(what, "move it before the Flatten or Reshape; use [N, channels, height, width]")
        })
    }

    /// Channels of the tensor, for operators that work on each of them.
    pub fn channels(&mut self, node: &Node<'_>, value: &mut Value) -> Result<usize, CompileError> {
        self.fit(value);
        let channels = usize::from(self.shape(value).channels);
        if value.dims.first() != Some(&channels) {
            return Err(node.refuse("works on a flattened map", "move it before the Flatten"));
        }
        Ok(channels)
    }

    /// Channels of the tensor and which dimension behind the batch they are: the first one, or any of a single pixel.
    pub fn channel_axis(&mut self, node: &Node<'_>, value: &mut Value) -> Result<(usize, usize), CompileError> {
        let Shape { height, width, channels } = self.shape(value);
        let place = value.dims.iter().position(|&size| size == usize::from(channels));
        match place.filter(|_| (height, width) == (1, 1)) {
            Some(axis) => Ok((channels.into(), axis)),
            None => Ok((self.channels(node, value)?, 0)),
        }
    }

    /// Gives what enters the network the shape that these dimensions say, if no layer reads it yet: nothing but the order
    /// in which its values are expected depends on it.
    fn fit(&mut self, value: &mut Value) {
        let is_read = self.layers.iter().any(|layer| layer.record.inputs.contains(&0));
        // A vector may become a series or an image, a series an image; an image stays one.
        let unfolds = match value.dims.len() {
            2 => (self.input.height, self.input.width) == (1, 1),
            3 => self.input.width == 1,
            _ => false,
        };
        if value.map != 0 || is_read || !unfolds || Axes::of(&value.dims, self.input).is_some() {
            return;
        }
        let size = |index: usize| value.dims.get(index).map_or(Some(1), |&size| limits::dimension(size));
        let (Some(channels), Some(height), Some(width)) = (size(0), size(1), size(2)) else { return };
        let is_uniform = |other: &Value| other.affine.as_ref().is_none_or(|affine| affine.uniform().is_some());
        if !is_uniform(value) || !self.values.values().filter(|other| other.map == 0).all(is_uniform) {
            return;
        }
        let resize = |value: &mut Value| {
            if let Some((scale, shift)) = value.affine.as_ref().and_then(Affine::uniform) {
                value.affine = Some(Affine::of_all(channels.into(), scale, shift));
            }
        };
        self.values.values_mut().filter(|other| other.map == 0).for_each(resize);
        resize(value);
        self.input = Shape { height, width, channels };
    }

    /// A layer for the map of a value, whose output shape is not worked out yet.
    pub fn layer(&self, node: &Node<'_>, op: Op, value: &Value, channels: u16) -> Layer {
        let output = Shape { channels, ..Shape::default() };
        Layer::new(node.name(), format::Layer::new(op, self.shape(value), output))
    }

    /// A layer that gives back what it reads: a depthwise convolution of single pixels.
    fn identity(&self, node: &Node<'_>, value: &Value) -> Layer {
        let Shape { channels, .. } = self.shape(value);
        let (weights, bias) = (vec![1.0; channels.into()], vec![0.0; channels.into()]);
        Layer { weights, bias, ..self.layer(node, Op::DepthwiseConv, value, channels) }
    }

    /// Adds a layer that reads one map. What waits is folded into it, waits on behind it where that is the same, or becomes
    /// a layer of its own. The result has the dimensions `[channels, height, width]`.
    pub fn push(&mut self, node: &Node<'_>, value: Value, mut layer: Layer) -> Result<Value, CompileError> {
        let mut value = value;
        let mut waiting = None;
        if let Some(affine) = &value.affine {
            let record = &layer.record;
            let commutes = match record.op {
                Op::Conv | Op::GroupedConv | Op::DepthwiseConv => !record.window.is_padded() || affine.keeps_zero(),
                Op::Dense | Op::GlobalAveragePool => true,
                Op::AveragePool => !layer.counts_padding || affine.keeps_zero(),
                Op::MaxPool => affine.is_increasing(),
                Op::Add | Op::Concat => false,
            };
            if !commutes {
                value = self.materialize(node, value)?;
            } else if layer.has_filters() {
                fold::fold_before(affine, &mut layer);
            } else {
                waiting = value.affine.take();
            }
        }
        let map = self.add_layer(node, layer, [value.map, usize::from(NO_MAP)])?;
        Ok(Value { affine: waiting, ..self.made(map) })
    }

    /// The value with nothing waiting, by a layer of its own if need be.
    pub fn materialize(&mut self, node: &Node<'_>, value: Value) -> Result<Value, CompileError> {
        value.expect_unpadded(node)?;
        if value.affine.is_none() {
            return Ok(value);
        }
        self.copy(node, value)
    }

    /// The value as a map of its own.
    pub fn copy(&mut self, node: &Node<'_>, value: Value) -> Result<Value, CompileError> {
        let layer = self.identity(node, &value);
        let (name, dims) = (value.name.clone(), value.dims.clone());
        let is_shared = value.is_shared;
        let copy = Value { is_shared, name, ..self.push(node, value, layer)?.with_dims(dims) };
        // Who else reads the tensor takes the same layer.
        if let Some(stored) = copy.name.as_ref().and_then(|name| self.values.get_mut(name)) {
            *stored = copy.clone();
        }
        Ok(copy)
    }

    /// Adds a layer that reads these maps; its output shape is worked out here. Returns the map that it makes.
    pub fn add_layer(&mut self, node: &Node<'_>, mut layer: Layer, maps: [usize; 2]) -> Result<usize, CompileError> {
        let too_many =
            || node.refuse(format!("needs layer {}", MAX_LAYERS + 1), format!("use at most {MAX_LAYERS} layers"));
        if self.layers.len() == MAX_LAYERS {
            return Err(too_many());
        }
        for (input, map) in layer.record.inputs.iter_mut().zip(maps) {
            *input = u8::try_from(map).map_err(|_| too_many())?;
        }
        limits::apply(node, &mut layer)?;
        self.layers.push(layer);
        Ok(self.layers.len())
    }

    /// A map that a layer made, as `[channels, height, width]`.
    pub fn made(&self, map: usize) -> Value {
        let value = Value::new(map, Vec::new());
        let dims = Axes::HeightWidth.dims(self.shape(&value));
        value.with_dims(dims)
    }

    /// The layer that makes the map of a value; none for what enters.
    pub fn maker(&self, value: &Value) -> Option<&Layer> {
        value.map.checked_sub(1).and_then(|index| self.layers.get(index))
    }

    /// The layer that makes the value, if it may become another one: nobody else reads it, and nothing waits behind it.
    pub fn producer(&mut self, value: &Value) -> Option<&mut Layer> {
        let is_free = !value.is_shared && value.affine.is_none() && value.padding.is_none();
        let index = value.map.checked_sub(1).filter(|_| is_free)?;
        self.layers.get_mut(index)
    }

    /// Adds a scale and shift a channel: folded into the layer before where that is exact, else it waits for the next one.
    pub fn affine(&mut self, node: &Node<'_>, value: Value, next: Affine) -> Result<Value, CompileError> {
        value.expect_unpadded(node)?;
        if next.is_identity() || self.producer(&value).is_some_and(|layer| fold::absorb(layer, &next)) {
            return Ok(value);
        }
        let affine = value.affine.as_ref().map_or(next.clone(), |before| before.then(&next));
        Ok(Value { name: None, affine: Some(affine).filter(|affine| !affine.is_identity()), ..value })
    }

    /// Adds an activation: fused into the layer before where that is exact, else with a layer of its own.
    pub fn activate(&mut self, node: &Node<'_>, value: Value, next: Activation) -> Result<Value, CompileError> {
        value.expect_unpadded(node)?;
        if next == Activation::Linear {
            return Ok(value);
        }
        if let Some(layer) = self.producer(&value)
            && let Some(fused) = super::fused::activation(layer, next)
        {
            layer.activation = fused;
            return Ok(value);
        }
        let layer = Layer { activation: next, ..self.identity(node, &value) };
        let dims = value.dims.clone();
        Ok(self.push(node, value, layer)?.with_dims(dims))
    }

    /// Notes what is left out.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The network that ends in `name`, which `node` makes.
    pub fn finish(mut self, node: &Node<'_>, name: &str) -> Result<Network, CompileError> {
        let Some(value) = self.values.get(name).cloned() else {
            return Err(node.refuse(format!("does not make the output {name}"), "export the model again"));
        };
        let value = match value.padding {
            Some(_) => return Err(node.refuse("ends the network with a Pad", "remove it")),
            None => self.materialize(node, value)?,
        };
        if value.map == 0 {
            return Err(CompileError::Graph("has no layer".into()));
        }
        super::prune::prune(&mut self.layers, value.map);
        let Some(last) = self.layers.last_mut() else { return Err(CompileError::Graph("has no layer".into())) };
        super::fused::cover(last);
        let outputs = last.record.output.len();
        if outputs > MAX_OUTPUTS {
            let advice = format!("at most {MAX_OUTPUTS} are possible: end it earlier, or in a smaller map");
            return Err(node.refuse(format!("ends the network with {outputs} values"), advice));
        }
        Ok(Network { input: self.input, entry: Entry::default(), layers: self.layers, notes: self.notes })
    }
}

/// Sizes with commas between them.
fn list(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}
