//! The layers so far, and what the nodes so far left.

use std::collections::{HashMap, HashSet};

use thumbnet::format::{self, MAX_LAYERS, MAX_OUTPUTS, NO_MAP, Op, Shape};

use super::limits;
use crate::CompileError;
use crate::fold::{self, Affine};
use crate::graph::{Activation, Layer, Network};
use crate::onnx::{Axes, Direction, Entry, Input, Node, Value, View};
use crate::quantization::Quantization;

/// The network under construction.
#[derive(Debug)]
pub struct Builder {
    input: Shape,
    /// How the file quantizes what enters, once it does.
    given_input: Option<Quantization>,
    layers: Vec<Layer>,
    notes: Vec<String>,
    values: HashMap<String, Value>,
    uses: Uses,
    opset: i64,
}

/// What becomes of a graph's tensors.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    /// How many nodes read each, the end of the graph included.
    pub readers: HashMap<String, usize>,
    /// Those behind which the network only ends.
    pub tail: HashSet<String>,
}

impl Builder {
    /// A network that takes the tensor `name` as `input` says, `affine` of pixels of 0.0 to 1.0.
    pub fn new(name: &str, input: &Input, affine: Affine, opset: i64, uses: Uses) -> Self {
        let Input { shape, view, .. } = input;
        let (layers, notes) = (Vec::new(), Vec::new());
        let mut builder = Self { input: *shape, given_input: None, layers, notes, values: HashMap::new(), uses, opset };
        let affine = Some(affine).filter(|affine| !affine.is_identity());
        builder.define(name, Value { affine, ..Value::new(0, view.clone()) });
        builder
    }

    /// How the file quantizes what enters, if it does.
    pub fn given_input(&self) -> Option<Quantization> {
        self.given_input
    }

    /// From here on the first map holds the real values that its bytes stand for.
    pub fn set_given_input(&mut self, given: Quantization) {
        self.given_input = Some(given);
        let channels = self.input.channels.into();
        let (step, zero) = (f64::from(given.scale), f64::from(given.zero_point));
        let pixels = Affine::of_all(channels, 1.0 / (255.0 * step), zero / 255.0);
        for value in self.values.values_mut().filter(|value| value.map == 0) {
            value.affine = Some(value.affine.as_ref().map_or_else(|| pixels.clone(), |affine| pixels.then(affine)));
        }
    }

    /// The layers so far.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The layers so far.
    pub fn layers_mut(&mut self) -> &mut [Layer] {
        &mut self.layers
    }

    /// The version of the operators.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// Whether nothing but what renames or ends the network follows a node that makes `name`.
    pub fn is_tail(&self, name: &str) -> bool {
        self.uses.tail.contains(name)
    }

    /// Keeps what a node left.
    pub fn define(&mut self, name: &str, value: Value) {
        let is_shared = value.is_shared || self.uses.readers.get(name).is_some_and(|&readers| readers > 1);
        self.values.insert(name.into(), Value { name: Some(name.into()), is_shared, ..value });
    }

    /// What a tensor is, if it depends on what enters.
    pub fn known(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Input `index` of a node, which must depend on what enters the network.
    pub fn value(&self, node: &Node<'_>, index: usize) -> Result<Value, CompileError> {
        let value = self.any_value(node, index)?;
        if value.ended.is_some() {
            return Err(node.refuse("comes after the softmax", "export the network up to its logits or softmax"));
        }
        Ok(value)
    }

    /// The same for operators that may follow a softmax.
    pub fn any_value(&self, node: &Node<'_>, index: usize) -> Result<Value, CompileError> {
        let name = node.input(index);
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        let what = match node.constant(index) {
            Some(_) => format!("reads the constant {name} where it should read a map"),
            None => format!("reads {name}, which no node before it makes"),
        };
        Err(node.refuse(what, "export the model again"))
    }

    /// The shape of the map of a value.
    pub fn shape(&self, value: &Value) -> Shape {
        self.maker(value).map_or(self.input, |layer| layer.record.output)
    }

    /// Channels of the map of a value.
    pub fn channels(&self, value: &Value) -> usize {
        self.shape(value).channels.into()
    }

    /// How the tensor lies on its map, for operators that work on one.
    pub fn axes(&mut self, node: &Node<'_>, value: &mut Value) -> Result<Axes, CompileError> {
        if Axes::of(&value.view, self.shape(value)).is_none() {
            self.fit(value);
        }
        let shape = self.shape(value);
        Axes::of(&value.view, shape).ok_or_else(|| {
            let Shape { height, width, channels } = shape;
            let dims = value.dims();
            let what = format!("reads a map of {height}x{width}x{channels} that was reshaped to {dims:?}");
            node.refuse(what, "move it before the Flatten or Reshape; use [N, channels, height, width]")
        })
    }

    /// Where each axis of the tensor goes on its map, whatever their order; `None` where one goes several ways.
    pub fn lying(&self, value: &Value) -> Option<Vec<Direction>> {
        Direction::of(&value.view, self.shape(value))
    }

    /// Gives what enters the network the shape that this tensor `[1, channels, ...]` of it says, if no layer reads it yet:
    /// nothing but the order in which its values are expected depends on it.
    fn fit(&mut self, value: &mut Value) {
        let is_read = self.layers.iter().any(|layer| layer.record.inputs.contains(&0));
        if value.map != 0 || is_read {
            return;
        }
        let shape = match value.dims()[..] {
            [1, channels, height, width] => [height, width, channels],
            [1, channels, length] => [length, 1, channels],
            _ => return,
        };
        let [Some(height), Some(width), Some(channels)] = shape.map(limits::dimension) else { return };
        let shape = Shape { height, width, channels };
        let [of_channels, rows, columns] = View::axes_of(shape).map(|run| run.step);
        let (seen, steps) = (value.view.clone(), [0, of_channels, rows, columns]);
        let refit = |other: &Value| {
            let view = other.view.seen(&seen, &steps)?;
            let affine = match &other.affine {
                None => None,
                Some(affine) => {
                    let (scale, shift) = affine.uniform()?;
                    Some(Affine::of_all(channels.into(), scale, shift))
                }
            };
            Some(Value { view, affine, ..other.clone() })
        };
        let Some(fitted) = refit(value) else { return };
        let others = self.values.iter().filter(|(_, other)| other.map == 0);
        let others: Option<Vec<(String, Value)>> =
            others.map(|(name, other)| Some((name.clone(), refit(other)?))).collect();
        let Some(others) = others else { return };
        self.values.extend(others);
        *value = fitted;
        self.input = shape;
    }

    /// A constant that meets the tensor, as one value a channel of its map; `None` where it differs within a channel, or makes
    /// the tensor larger.
    pub fn per_channel(&self, value: &Value, dims: &[usize], values: &[f32]) -> Option<Vec<f64>> {
        let channels = self.channels(value);
        let own = value.dims();
        // Broadcasting aligns the last dimensions.
        let (more, dims) = dims.split_at(dims.len().saturating_sub(own.len()));
        let aligned = &own[own.len() - dims.len()..];
        if more.iter().any(|&size| size != 1) || dims.iter().zip(aligned).any(|(&size, &own)| size != 1 && size != own)
        {
            return None;
        }
        if let &[value] = values {
            return Some(vec![value.into(); channels]);
        }
        // The constant as a tensor that goes nowhere along the axes where it has one value.
        let mut step = values.len();
        let mut steps = vec![0; own.len() - dims.len()];
        steps.extend(dims.iter().map(|&size| {
            step /= size.max(1);
            if size == 1 { 0 } else { step }
        }));
        let places = View::with_steps(&own, &steps).order();
        let mut found = vec![None; channels];
        for (place, constant) in value.view.order().into_iter().zip(places) {
            let constant = *values.get(constant)?;
            if *found[place % channels].get_or_insert(constant) != constant {
                return None;
            }
        }
        found.into_iter().map(|value| value.map(f64::from)).collect()
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
    /// a layer of its own. The result has the dimensions `[1, channels, height, width]`.
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
        let (name, view) = (value.name.clone(), value.view.clone());
        let is_shared = value.is_shared;
        let copy = Value { is_shared, name, ..self.push(node, value, layer)?.with_view(view) };
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

    /// A map that a layer made, as `[1, channels, height, width]`.
    pub fn made(&self, map: usize) -> Value {
        let value = Value::new(map, View::in_order(&[]));
        let [channels, height, width] = View::axes_of(self.shape(&value));
        value.with_view(View::new([View::ONE, channels, height, width]))
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
            // What the file has as integers was not activated yet.
            layer.given_tensor = None;
            return Ok(value);
        }
        let layer = Layer { activation: next, ..self.identity(node, &value) };
        let view = value.view.clone();
        Ok(self.push(node, value, layer)?.with_view(view))
    }

    /// Notes what is left out.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The network that ends in `name`, which `node` makes; where its values lie on its result; the tensor of the file that
    /// holds them, before what was left out.
    pub fn finish(mut self, node: &Node<'_>, name: &str) -> Result<(Network, View, String), CompileError> {
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
        let network = Network {
            input: self.input,
            entry: Entry::default(),
            given_input: self.given_input,
            layers: self.layers,
            notes: self.notes,
        };
        Ok((network, value.view, value.ended.unwrap_or_else(|| name.into())))
    }
}
