//! Einsum of a tensor and a matrix: a dense layer.

use super::dense;
use crate::CompileError;
use crate::onnx::{Builder, Node, Tensor, Value};

pub fn import(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&["equation"])?;
    let equation: String = node.text("equation", "").chars().filter(|letter| !letter.is_whitespace()).collect();
    let refuse = || {
        let advice = "use it for a dense layer only, as \"bi,oi->bo\" (torch.nn.Linear)";
        node.refuse(format!("has the equation {equation:?}"), advice)
    };
    let (inputs, output) = equation.split_once("->").ok_or_else(refuse)?;
    let (left, right) = inputs.split_once(',').ok_or_else(refuse)?;
    let matrix_first = node.constant(0).is_some();
    let (data, of_data, of_matrix) = if matrix_first { (1, right, left) } else { (0, left, right) };
    let (dims, _) = node.floats(1 - data, "weights")?;
    let letters = |text: &str| text.chars().collect::<Vec<char>>();
    let (of_data, of_matrix, output) = (letters(of_data), letters(of_matrix), letters(output));
    let stored = node.constant(1 - data).ok_or_else(refuse)?;
    // The last axis is summed up; in its place comes the matrix's other one.
    let (&[first, second], &[rows, columns]) = (&of_matrix[..], dims) else { return Err(refuse()) };
    let Some((&summed, others)) = of_data.split_last() else { return Err(refuse()) };
    let (made, matrix) = if summed == second {
        (first, Some(stored.clone()))
    } else if summed == first {
        (second, dense::exchanged(stored, rows, columns))
    } else {
        return Err(refuse());
    };
    let is_last = output.split_last() == Some((&made, others)) && !others.contains(&made) && !others.contains(&summed);
    let matrix: Tensor = matrix.filter(|_| is_last).ok_or_else(refuse)?;
    let value = builder.value(node, data)?;
    let bias = vec![0.0; matrix.dims[0]];
    dense::dense(node, builder, value, matrix, 1.0, bias)
}
