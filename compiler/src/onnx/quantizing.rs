//! How the file's own quantization of activations meets the layers of the network.

use thumbnet::format::Op;

use super::{Builder, Node, Value};
use crate::CompileError;
use crate::fold::Affine;
use crate::quantization::Quantization;

/// How far from its own number a byte may come out again, in steps: what lies between two may be rounded to either.
const HALF: f64 = 0.5 + 1e-3;

impl Builder {
    /// How the file quantizes the map of a value, if it does.
    pub fn quantization(&self, value: &Value) -> Option<Quantization> {
        let mut map = value.map;
        loop {
            let Some(layer) = map.checked_sub(1) else { return self.given_input() };
            let layer = self.layers().get(layer)?;
            match layer.given {
                // A pooling does not touch its bytes.
                None if layer.record.op == Op::MaxPool => map = layer.record.input_maps().next()?,
                given => return given,
            }
        }
    }

    /// The value quantized as its file says: the layer that makes it is, or one behind it.
    pub fn quantize(&mut self, node: &Node<'_>, value: Value, given: Quantization) -> Result<Value, CompileError> {
        if value.padding.is_some() {
            return match self.quantization(&value) == Some(given) {
                true => Ok(value),
                false => Err(node.refuse("follows a Pad", "quantize before and behind it with the same scale")),
            };
        }
        if value.map == 0 && self.given_input().is_none() && self.enters_as(&value, given) {
            self.set_given_input(given);
            return Ok(Value { name: None, affine: None, ..value });
        }
        let value = self.materialize(node, value)?;
        let known = self.quantization(&value);
        if known == Some(given) {
            self.name_bytes(node, &value);
            return Ok(value);
        }
        let value = if known.is_some() || value.map == 0 { self.copy(node, value)? } else { value };
        if let Some(index) = value.map.checked_sub(1) {
            self.give(index, given);
        }
        self.name_bytes(node, &value);
        Ok(value)
    }

    /// Keeps which tensor of the file holds what the layer makes.
    fn name_bytes(&mut self, node: &Node<'_>, value: &Value) {
        let name = if node.op() == "QuantizeLinear" { node.output().ok() } else { Some(node.input(0)) };
        if let Some(layer) = value.map.checked_sub(1).and_then(|index| self.layers_mut().get_mut(index)) {
            layer.given_tensor = name.map(str::to_string);
        }
    }

    /// Quantizes what a layer makes, and what it only passes on.
    fn give(&mut self, index: usize, given: Quantization) {
        let Some(layer) = self.layers_mut().get_mut(index).filter(|layer| layer.given.is_none()) else { return };
        layer.given = Some(given);
        // A pooling does not touch its bytes, and a joined map is as exact as its parts.
        if matches!(layer.record.op, Op::MaxPool | Op::Concat) {
            let inputs: Vec<usize> = layer.record.input_maps().filter_map(|map| map.checked_sub(1)).collect();
            inputs.into_iter().for_each(|input| self.give(input, given));
        }
    }

    /// Whether the integers that the file makes of what enters are the bytes themselves.
    fn enters_as(&self, value: &Value, given: Quantization) -> bool {
        let is_own = |scale: f64, shift: f64| {
            [0u8, u8::MAX].iter().all(|&byte| {
                let real = scale * f64::from(byte) / f64::from(u8::MAX) + shift;
                let found = real / f64::from(given.scale) + f64::from(given.zero_point);
                (found - f64::from(byte)).abs() <= HALF
            })
        };
        match &value.affine {
            None => is_own(1.0, 0.0),
            Some(Affine { scale, shift }) => scale.iter().zip(shift).all(|(&scale, &shift)| is_own(scale, shift)),
        }
    }
}
