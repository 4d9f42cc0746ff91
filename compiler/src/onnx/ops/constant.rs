//! Nodes whose inputs are all constants, worked out while reading.

use crate::CompileError;
use crate::onnx::{Node, Tensor, Values};

/// The value of a node that does not depend on the image; `None` for one that does.
pub fn fold(node: &Node<'_>) -> Result<Option<Tensor>, CompileError> {
    if !node.is_constant() {
        return Ok(None);
    }
    let unsupported = || node.refuse("computes a constant in a way that is not known here", "export its value");
    let input = || node.constant(0).ok_or_else(unsupported);
    match node.op() {
        "Constant" => match node.tensor("value") {
            Some(proto) => Tensor::read(proto).map(Some).map_err(|what| node.refuse(what, "export the model again")),
            None => numbers(node).map(Some).ok_or_else(unsupported),
        },
        "Identity" => input().cloned().map(Some),
        "Transpose" => {
            let order = node.ints("perm").unwrap_or(&[1, 0]);
            input()?.transposed().filter(|_| order == [1, 0]).map(Some).ok_or_else(unsupported)
        }
        "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" => reshape(node, input()?).map(Some).ok_or_else(unsupported),
        "Add" | "Sub" | "Mul" | "Div" => elementwise(node).map(Some).ok_or_else(unsupported),
        "Sqrt" => {
            let tensor = input()?;
            let floats = tensor.floats().filter(|floats| floats.iter().all(|&value| value >= 0.0));
            let values = floats.ok_or_else(unsupported)?.iter().map(|value| value.sqrt()).collect();
            Ok(Some(Tensor { dims: tensor.dims.clone(), values: Values::Float(values) }))
        }
        _ => Err(unsupported()),
    }
}

/// The numbers that a Constant has as an attribute.
fn numbers(node: &Node<'_>) -> Option<Tensor> {
    let is_scalar = node.has_attribute("value_float") || node.has_attribute("value_int");
    let floats = |name: &str| node.float_list(name).filter(|values| values.iter().all(|value| !value.is_nan()));
    let floats = floats("value_float").or_else(|| floats("value_floats")).map(Values::Float);
    let ints = || node.int_list("value_int").or_else(|| node.int_list("value_ints")).map(Values::Int);
    let values = floats.or_else(ints)?;
    let len = match &values {
        Values::Float(values) => values.len(),
        Values::Int(values) => values.len(),
        Values::Other => return None,
    };
    Some(Tensor { dims: if is_scalar { vec![] } else { vec![len] }, values })
}

fn reshape(node: &Node<'_>, tensor: &Tensor) -> Option<Tensor> {
    let axes = || node.ints("axes").or_else(|| node.constant(1).and_then(Tensor::ints));
    let dims = match node.op() {
        "Reshape" => {
            let target = node.constant(1)?.ints()?;
            let known: usize = target
                .iter()
                .filter(|&&size| size > 0)
                .try_fold(1usize, |len, &size| len.checked_mul(size as usize))?;
            let len: usize = tensor.dims.iter().product();
            let size = |(index, &size): (usize, &i64)| match size {
                -1 => len.checked_div(known),
                0 => tensor.dims.get(index).copied(),
                size => usize::try_from(size).ok(),
            };
            target.iter().enumerate().map(size).collect::<Option<Vec<usize>>>()?
        }
        "Unsqueeze" => {
            let axes = axes()?;
            let rank = (tensor.dims.len() + axes.len()) as i64;
            let mut sizes = tensor.dims.iter();
            let is_new = |axis: i64| axes.contains(&axis) || axes.contains(&(axis - rank));
            (0..rank).map(|axis| if is_new(axis) { Some(1) } else { sizes.next().copied() }).collect::<Option<_>>()?
        }
        "Squeeze" => tensor.dims.iter().copied().filter(|&size| size != 1).collect(),
        _ => vec![1, tensor.dims.iter().product()],
    };
    tensor.with_dims(dims)
}

/// Two constants of the same shape, or one of them a single value.
fn elementwise(node: &Node<'_>) -> Option<Tensor> {
    let (left, right) = (node.constant(0)?, node.constant(1)?);
    let (a, b) = (left.floats()?, right.floats()?);
    let dims = if b.len() == 1 { &left.dims } else { &right.dims };
    if a.is_empty() || b.is_empty() || (left.dims != right.dims && a.len() != 1 && b.len() != 1) {
        return None;
    }
    let at = |values: &[f32], index: usize| values[if values.len() == 1 { 0 } else { index }];
    let compute = |index| {
        let (a, b) = (at(a, index), at(b, index));
        let value = match node.op() {
            "Add" => a + b,
            "Sub" => a - b,
            "Mul" => a * b,
            "Div" => a / b,
            _ => return None,
        };
        Some(value).filter(|value| !value.is_nan())
    };
    let values = (0..a.len().max(b.len())).map(compute).collect::<Option<_>>()?;
    Some(Tensor { dims: dims.clone(), values: Values::Float(values) })
}
