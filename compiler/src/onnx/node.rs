//! A node with its attributes and constant inputs, and the errors that name it.

use std::collections::HashMap;

use thumbnet::format::MAX_DIMENSION;
use tract_onnx::pb;

use crate::CompileError;
use crate::onnx::{Tensor, quantized};

/// A node of the graph.
#[derive(Clone, Copy)]
pub struct Node<'g> {
    proto: &'g pb::NodeProto,
    constants: &'g HashMap<String, Tensor>,
}

impl<'g> Node<'g> {
    /// A node and the constants known before it.
    pub fn new(proto: &'g pb::NodeProto, constants: &'g HashMap<String, Tensor>) -> Self {
        Self { proto, constants }
    }

    /// As the file has it.
    pub fn proto(&self) -> &'g pb::NodeProto {
        self.proto
    }

    /// The operator type.
    pub fn op(&self) -> &'g str {
        &self.proto.op_type
    }

    /// The node's name, or that of its output where it has none.
    pub fn name(&self) -> &'g str {
        match (self.proto.name.as_str(), self.proto.output.first()) {
            ("", Some(output)) => output,
            ("", None) => "(unnamed)",
            (name, _) => name,
        }
    }

    /// The only output; optional further ones must not be used.
    pub fn output(&self) -> Result<&'g str, CompileError> {
        let first = self.proto.output.first().filter(|name| !name.is_empty());
        first.map(String::as_str).ok_or_else(|| self.refuse("has no output", "remove the node"))
    }

    /// The error that this node cannot be compiled.
    pub fn refuse(&self, what: impl Into<String>, advice: impl Into<String>) -> CompileError {
        CompileError::Unsupported {
            node: self.name().into(),
            op: self.op().into(),
            what: what.into(),
            advice: advice.into(),
        }
    }

    /// Number of inputs, missing optional ones in between included.
    pub fn input_count(&self) -> usize {
        self.proto.input.len()
    }

    /// The name of input `index`; empty where there is none.
    pub fn input(&self, index: usize) -> &'g str {
        self.proto.input.get(index).map_or("", String::as_str)
    }

    /// Whether there is an input `index`.
    pub fn has_input(&self, index: usize) -> bool {
        self.proto.input.get(index).is_some_and(|name| !name.is_empty())
    }

    /// Input `index`, if it is a constant.
    pub fn constant(&self, index: usize) -> Option<&'g Tensor> {
        self.constants.get(self.proto.input.get(index)?)
    }

    /// Whether all inputs are constants.
    pub fn is_constant(&self) -> bool {
        self.proto.input.iter().all(|name| name.is_empty() || self.constants.contains_key(name))
    }

    /// Input `index`, which must be constant floats; `what` says what they are.
    pub fn floats(&self, index: usize, what: &str) -> Result<(&'g [usize], &'g [f32]), CompileError> {
        let tensor = self.constant(index);
        tensor.and_then(|tensor| Some((&tensor.dims[..], tensor.floats()?))).ok_or_else(|| {
            self.refuse(
                format!("input {index} ({what}) is not a constant of floats"),
                "export a trained network in 32-bit float",
            )
        })
    }

    /// Input `index`, which must be a constant of one float; `None` where there is none.
    pub fn scalar(&self, index: usize, what: &str) -> Result<Option<f32>, CompileError> {
        if !self.has_input(index) {
            return Ok(None);
        }
        match self.floats(index, what)? {
            (_, &[value]) => Ok(Some(value)),
            (dims, _) => {
                Err(self.refuse(format!("has a {what} of shape {dims:?}"), "use a single number for all values"))
            }
        }
    }

    /// Input `index`, which must be constant integers; `what` says what they are.
    pub fn integers(&self, index: usize, what: &str) -> Result<&'g [i64], CompileError> {
        self.constant(index).and_then(Tensor::ints).ok_or_else(|| {
            self.refuse(format!("input {index} ({what}) is not a constant of integers"), "export with fixed shapes")
        })
    }

    /// The steps of the weights that the node reads, one an output channel, where they come of integers; empty otherwise.
    pub fn weight_steps(&self, outputs: usize) -> Vec<f32> {
        let steps = |index: usize| self.constants.get(&quantized::steps_of(self.input(index)))?.floats();
        match steps(1).or_else(|| steps(0)) {
            Some(&[step]) => vec![step; outputs],
            Some(steps) => steps.to_vec(),
            None => Vec::new(),
        }
    }

    /// Refuses the node if it has an attribute beyond `known`.
    pub fn only(&self, known: &[&str]) -> Result<(), CompileError> {
        match self.proto.attribute.iter().find(|attribute| !known.contains(&attribute.name.as_str())) {
            Some(unknown) => {
                Err(self.refuse(format!("has the unknown attribute {}", unknown.name), "export without it"))
            }
            None => Ok(()),
        }
    }

    fn attribute(&self, name: &str) -> Option<&'g pb::AttributeProto> {
        self.proto.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// An integer attribute.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    /// A float attribute.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |attribute| attribute.f)
    }

    /// An attribute of one or several floats; `None` where it is missing.
    pub fn float_list(&self, name: &str) -> Option<Vec<f32>> {
        let attribute = self.attribute(name)?;
        Some(if attribute.floats.is_empty() { vec![attribute.f] } else { attribute.floats.clone() })
    }

    /// An attribute of one or several integers; `None` where it is missing.
    pub fn int_list(&self, name: &str) -> Option<Vec<i64>> {
        let attribute = self.attribute(name)?;
        Some(if attribute.ints.is_empty() { vec![attribute.i] } else { attribute.ints.clone() })
    }

    /// Whether there is such an attribute.
    pub fn has_attribute(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// A list of integers; `None` where the attribute is missing.
    pub fn ints(&self, name: &str) -> Option<&'g [i64]> {
        self.attribute(name).map(|attribute| &attribute.ints[..])
    }

    /// A text attribute.
    pub fn text(&self, name: &str, default: &'static str) -> &'g str {
        self.attribute(name).map_or(default, |attribute| std::str::from_utf8(&attribute.s).unwrap_or("?"))
    }

    /// A tensor attribute.
    pub fn tensor(&self, name: &str) -> Option<&'g pb::TensorProto> {
        self.attribute(name)?.t.as_ref()
    }

    /// Refuses an integer attribute with another value than `expected`, its default.
    pub fn expect(&self, name: &str, expected: i64, advice: &str) -> Result<(), CompileError> {
        match self.int(name, expected) {
            found if found == expected => Ok(()),
            found => Err(self.refuse(format!("has {name} = {found}"), advice)),
        }
    }

    /// A number of channels, refused beyond the limits of the format.
    pub fn channels(&self, count: usize) -> Result<u16, CompileError> {
        u16::try_from(count)
            .ok()
            .filter(|count| (1..=MAX_DIMENSION).contains(count))
            .ok_or_else(|| self.refuse(format!("has {count} output channels"), format!("use 1 to {MAX_DIMENSION}")))
    }
}
