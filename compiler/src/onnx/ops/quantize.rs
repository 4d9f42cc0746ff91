//! QuantizeLinear and DequantizeLinear of activations: how a map is quantized.

use tract_onnx::pb::tensor_proto::DataType;

use crate::CompileError;
use crate::onnx::{Builder, Node, Value, quantized};
use crate::quantization::Quantization;

pub fn quantize(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let given = quantization(node)?;
    let value = builder.value(node, 0)?;
    builder.quantize(node, value, given)
}

pub fn dequantize(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let wanted = quantization(node)?;
    let value = builder.value(node, 0)?;
    match builder.quantization(&value) {
        Some(given) if given == wanted => Ok(value),
        Some(given) => {
            let what = format!(
                "takes steps of {} around {} where QuantizeLinear made steps of {} around {}",
                wanted.scale, wanted.zero_point, given.scale, given.zero_point
            );
            Err(node.refuse(what, "use the same scale and zero point in both"))
        }
        // Maps that were joined as integers.
        None => builder.quantize(node, value, wanted),
    }
}

/// Scale and zero point, the latter as that of unsigned bytes.
fn quantization(node: &Node<'_>) -> Result<Quantization, CompileError> {
    node.only(&["axis", "block_size", "output_dtype", "precision", "saturate"])?;
    let scale = match node.floats(1, "scale")? {
        (_, &[scale]) if scale.is_normal() && scale > 0.0 => scale,
        (_, &[scale]) => return Err(node.refuse(format!("has the scale {scale}"), "quantize with a positive scale")),
        (dims, _) => {
            let what = format!("has scales of shape {dims:?} for an activation");
            return Err(node.refuse(what, "quantize activations per tensor; weights may have one scale a channel"));
        }
    };
    if !node.has_input(2) {
        return Ok(Quantization { scale, zero_point: 0 });
    }
    let zero = node.constant(2).and_then(|tensor| Some((tensor.int_type()?, tensor.ints()?)));
    let byte = zero.and_then(|(kind, zero)| match (kind, zero) {
        (DataType::Int8 | DataType::Uint8, &[zero]) => u8::try_from(zero - quantized::range(kind).0).ok(),
        _ => None,
    });
    match byte {
        Some(zero_point) => Ok(Quantization { scale, zero_point }),
        None => Err(node.refuse("quantizes to another type than 8 bits", "quantize activations to int8 or uint8")),
    }
}
